"""Report how a class did in a module, check by check: which are too hard, which tell nothing, what most got wrong."""

import io
import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tito import source
from tito.errors import TitoError
from tito.grading import reference
from tito.grading.judge import Verdict
from tito.marks import Record
from tito.syllabus import Module

if TYPE_CHECKING:
    from tito.course import Course

BINS = 10


@dataclass
class CheckReport:
    """One graded cell, over all who handed in."""

    id: str
    kind: str  # check, hidden check, by hand
    of: float
    graded: int  # how many have points for it; of a reflection, how many a person has read
    passed: int  # how many earned all its points
    mean: float | None
    discrimination: float | None  # point-biserial correlation of passing it with the points of all other cells
    commonest: str = ""  # the most frequent reason for lost points
    how_often: int = 0


@dataclass
class Report:
    """One module, over all who handed it in."""

    module: str
    handed_in: int
    late: int
    to_read: int
    of: float
    mean: float
    median: float
    bins: list[tuple[float, float, int]]  # from, to, how many people
    checks: list[CheckReport]
    statuses: dict[str, int] = field(default_factory=dict)  # how submissions ended


def build_report(course: "Course", module: Module) -> Report:
    found = [record for record in course.records([module]) if record.handed_in]
    if not found:
        raise TitoError(f"no submission of {module} is graded yet. Run `tito course autograde {module.id}`", code=1)
    verdicts = {record.student: course.verdict(module, record.student) for record in found}
    cells = [cell for cell in reference.solved(course.folder, module.slug).cells if source.is_graded(cell)]
    checks = [_check(cell.id, _kind(cell), source.points(cell), found, verdicts) for cell in cells]
    scores, highest = [record.score for record in found], found[0].max_score
    counts, edges = np.histogram(np.clip(scores, 0, highest), BINS, (0, highest))
    bins = [(float(low), float(high), int(n)) for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True)]
    ended = Counter(verdict.status for verdict in verdicts.values() if verdict)
    return Report(
        module.slug, len(found), sum(record.seconds_late > 0 for record in found), sum(r.to_read for r in found),
        highest, round(statistics.fmean(scores), 2), statistics.median(scores), bins, checks, dict(ended.most_common()),
    )  # fmt: skip


def _kind(cell) -> str:
    return "hidden check" if source.is_hidden(cell) else "check" if source.is_check(cell) else "by hand"


def _check(name: str, kind: str, of: float, found: list[Record], verdicts: dict[str, Verdict | None]) -> CheckReport:
    have = [r for r in found if name in r.cells and (kind != "by hand" or not r.cells[name].to_read)]
    points = np.array([record.cells[name].points for record in have])
    passed = points >= of
    rest = np.array([record.raw_score for record in have]) - points
    reasons = Counter(
        check.reason
        for record in have
        for check in (verdicts[record.student].checks if verdicts[record.student] else ())
        if check.id == name and check.points < check.of
    )
    reason, times = min(reasons.items(), key=lambda one: (-one[1], one[0])) if reasons else ("", 0)
    mean = round(float(points.mean()), 2) if have else None
    return CheckReport(name, kind, of, len(have), int(passed.sum()), mean, point_biserial(passed, rest), reason, times)


def point_biserial(passed: np.ndarray, rest: np.ndarray) -> float | None:
    """Return Pearson's correlation of a yes or no with a number. None if one of them is the same for everybody."""
    if len(passed) < 3 or passed.all() or not passed.any() or np.ptp(rest) < 0.005:  # points have two decimals
        return None
    return round(float(np.corrcoef(passed, rest)[0, 1]), 2)


# -- the page ----------------------------------------------------------------------------------------------------------


def page(report: Report) -> str:
    """Return the report as one HTML file that loads nothing else. Text from submissions is escaped."""
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    templates = Environment(loader=PackageLoader("tito"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    plots = {"points": Markup(_svg(_points, report)), "checks": Markup(_svg(_checks, report))}
    return templates.get_template("report.html").render(report=report, plots=plots)


def _svg(draw, report: Report) -> str:
    """Draw a plot as an element of the page. Its words come from the module, never from a submission."""
    import matplotlib
    from matplotlib.figure import Figure

    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": report.module, "svg.fonttype": "path"}):
        figure = Figure(figsize=(8, max(2.6, 0.26 * len(report.checks) + 0.9) if draw is _checks else 2.6), layout="constrained")
        draw(figure.subplots(), report)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    text = out.getvalue()
    return text[text.index("<svg") :]


def _points(axes, report: Report) -> None:
    low, high, count = zip(*report.bins, strict=True)
    axes.bar(low, count, np.subtract(high, low), align="edge", edgecolor="white")
    axes.axvline(report.median, color="black", linestyle=":")
    axes.set(xlabel=f"points of {report.of:g} (dotted: the median, {report.median:g})", ylabel="people")
    axes.yaxis.get_major_locator().set_params(integer=True)


def _checks(axes, report: Report) -> None:
    names = [check.id for check in report.checks][::-1]
    axes.barh(names, [100 * check.passed / check.graded if check.graded else 0 for check in report.checks][::-1])
    axes.set(xlim=(0, 100), xlabel="percent who earned all of its points")
    axes.tick_params(axis="y", labelsize=8)
