"""Print results: tables and progress bars on a terminal, plain lines and JSON elsewhere."""

import collections
import contextlib
import dataclasses
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

out = Console(highlight=False, markup=False, soft_wrap=True, width=None if sys.stdout and sys.stdout.isatty() else 160)
err = Console(highlight=False, markup=False, soft_wrap=True, stderr=True)

T = TypeVar("T")


def line(text: Any) -> None:
    if text is not None:
        out.print(str(text))


def warn(text: str) -> None:
    err.print(f"tito: {text}", style="bold red")


def note(text: str) -> None:
    """Print a line about progress to stderr."""
    err.print(f"tito: {text}")


def step(text: str) -> None:
    """Print a line of the demo, with headings and commands in bold."""
    out.print(text, style="dim" if text.startswith("   ") else "bold")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], as_json: bool = False, title: str | None = None) -> None:
    """Print rows under headings, or as JSON a list of objects."""
    if as_json:
        out.print(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=1, default=str))
        return
    shown = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        shown.add_row(*[Text(_printable(str(value))) for value in row])
    out.print(shown, soft_wrap=False)


def _printable(text: str) -> str:
    """Replace control characters: a name in a zip may contain commands for the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def track(
    items: Iterable[T], doing: str, total: int | None = None, name: Callable[[T], str] = str
) -> Iterator[T]:
    """Iterate over the items with a progress bar on a terminal, or a line for each elsewhere, on stderr."""
    count = total if total is not None else len(items)  # type: ignore[arg-type]
    if not err.is_terminal:
        for place, item in enumerate(items, 1):
            err.print(f"{doing}: {name(item)} ({place}/{count})")
            yield item
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(doing, total=count)
        for item in items:
            progress.update(task, description=f"{doing}: {name(item)}")
            yield item
            progress.update(task, advance=1)


def outcome(graded: Any) -> str:
    """Describe one graded submission in a few words."""
    return f"{graded.student} {graded.verdict.points:g}, {graded.verdict.ending}{'' if graded.changed else ' before'}"


def outcomes(graded: list, as_json: bool) -> None:
    """Print the points of each submission, and the reason for every lost point."""
    if as_json:
        out.print(json.dumps([dataclasses.asdict(outcome) for outcome in graded], indent=1))
        return
    table(
        ["student", "points", "of", "how it ended"],
        [
            [o.student, f"{o.verdict.points:g}", f"{sum(c.of for c in o.verdict.checks):g}", o.verdict.status]
            for o in graded
        ],
    )
    for outcome in graded:
        lost = [check for check in outcome.verdict.checks if check.points < check.of]
        reasons: dict[str, list[str]] = {}
        for check in lost:
            reasons.setdefault(check.reason, []).append(f"{check.id} -{check.of - check.points:g}")
        if lost:
            out.print(f"\n{outcome.student} lost {sum(c.of - c.points for c in lost):g}:")
        for reason, checks in reasons.items():
            out.print(f"  {', '.join(checks)}: {reason}")
    changed = sum(outcome.changed for outcome in graded)
    endings = collections.Counter(outcome.verdict.ending for outcome in graded)
    out.print(f"\n{len(graded)} submissions: {changed} graded now, {len(graded) - changed} unchanged")
    for ending, count in endings.most_common():
        out.print(f"  {count:>4}  {ending}")


@contextlib.contextmanager
def steps(doing: str, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function to call with each step's name, place and total. It shows a bar on a terminal, or some lines elsewhere."""
    last = [time.monotonic()]

    def say(name: str, place: int, total: int) -> None:
        if place in (1, total) or time.monotonic() > last[0] + 5:
            last[0] = time.monotonic()
            err.print(f"{doing}: {name} ({place}/{total})")

    if quiet or not err.is_terminal:
        yield (lambda name, place, total: None) if quiet else say
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(doing, total=None)
        yield lambda name, place, total: progress.update(
            task, completed=place - 1, total=total, description=f"{doing}: {name}"
        )


def print_json(value: Any) -> None:
    out.print(json.dumps(value, indent=1, default=str))


def report(found: Any, as_json: bool = False) -> None:
    """Print a table of a notebook's checks, then the message and the line of each failure."""
    if as_json:
        print_json({"passed": found.passed, "points": found.points, "of": found.of, **dataclasses.asdict(found)})
        return
    rows = [[c.id, f"{c.points:g} of {c.of:g}", _result(c, found)] for c in found.checks]
    table(["check", "points", "result"], [*rows, ["", f"{found.points:g} of {found.of:g}", ""]])
    shown = list(found.problems.items())[:3]
    for name, problem in shown:
        out.print(f"\n{name}: {problem}", style="red")
    if len(found.problems) > len(shown):
        out.print(f"and {len(found.problems) - len(shown)} more cells that could not run", style="red")
    for check in found.failed:
        out.print(f"\n{check.id}" + (f", line {check.line}:  {check.text}" if check.line else ""), style="bold")
        if check.subject:
            out.print(f"  A hidden check: {check.subject}")
        out.print(f"  {check.reason}")
        if check.hint:
            out.print(f"  Hint: {check.hint}.")
    if found.unsolved:
        out.print(f"\nNot yet: {', '.join(found.unsolved)}.")
    if found.hidden_points:
        when = "in `tito complete`" if found.alone else "after you hand in"
        out.print(f"\nHidden checks grade {found.hidden_points:g} more points, {when}.")
    if found.unanswered:
        who = "compare it with the course's answer" if found.alone else "a person grades it"
        out.print(f"Not answered yet ({who}): {', '.join(found.unanswered)}.")


def _result(check: Any, found: Any) -> str:
    if check.points == check.of:
        return "passed"
    return "not yet" if check.id in found.unsolved else "FAILED"


def standings(found: Any) -> None:
    """Print the state of each module, and what comes next."""
    rows = []
    for s in found.modules:
        points, answers = (f"{a:g} of {b:g}" if b else "" for a, b in ((s.points, s.of), (s.answered, s.questions)))
        rows.append([s.module, s.state, points, answers, f"{s.hours:g} h" if s.hours else "", s.note])
    table(["module", "state", "points", "answers", "takes about", ""], rows)
    line(f"next: {found.next}")
    number = re.match(r"tito \w+ (\d\d)", found.next)
    for goal in found.modules[int(number[1])].goals if number else ():
        line(f"  - {goal}")


def pairs(found: list, module: Any, as_json: bool) -> None:
    """Print the learner's and the course's solution of each exercise, side by side if there is room."""
    if as_json:
        print_json([dataclasses.asdict(pair) for pair in found])
        return
    for pair in found:
        sides = Table("yours", "the course's", title=f"{module}, {pair.cell}", title_justify="left", expand=True, pad_edge=False)
        yours, the_courses = (_shown(text, pair.kind) for text in (pair.yours, pair.the_courses))
        sides.add_row(Text(yours), Text(the_courses))
        if out.width >= 120:
            out.print(sides, soft_wrap=False)
            continue
        for whose, text in (("yours", yours), ("the course's", the_courses)):
            out.print(f"\n{module}, {pair.cell}: {whose}", style="bold")
            out.print(text)


def _shown(text: str, kind: str) -> str:
    """Return a cell's text. Join the lines of a paragraph, which were broken for another width."""
    if kind == "markdown":
        text = re.sub(r"(?<=\S)\n(?=[^\s|*#-])", " ", text)
    return "\n".join(map(_printable, text.splitlines()))


def checkpoint(findings: list, as_json: bool) -> None:
    """Print what the framework can do, with the evidence."""
    if as_json:
        print_json([dataclasses.asdict(finding) for finding in findings])
        return
    table(["module", "can your framework …", "", "evidence"], [[f.module, f.can, f.state, f.evidence] for f in findings])


def training(results: list, median: Any, as_json: bool) -> None:
    """What each run reached; the medians where there are several."""
    if as_json:
        print_json({"runs": [dataclasses.asdict(result) for result in results], "median": dataclasses.asdict(median)})
        return
    for r in results:
        line(f"{r.recipe}, seed {r.seed}: {_reached(r, f'{r.examples:,} {r.seen} images')}")
        if r.resumed:
            line(f"the time is that of epochs {r.resumed + 1} to {r.epochs}" if r.resumed < r.epochs else "it was trained before")
        line(f"trained by {r.package}; curve, confusion matrix, mistakes and the model are in {r.folder}")
    if len(results) > 1:
        line(f"median of {len(results)} seeds: {_reached(median, f'the {results[0].seen} images')}")
    last = results[-1]
    line("in a notebook: from tinytorch.core.training import load; from tito.recipes import RECIPES;")
    line(f'model = RECIPES["{last.recipe}"].model(); model.load_state_dict(load(r"{last.folder}/run.npz")["model"])')


def _reached(run: Any, images: str) -> str:
    return f"{run.accuracy:.2%} of {images} right after {run.seconds:.3g} s of training, {run.peak_bytes / 1e6:.0f} MB at most"


def benchmark(report, as_json: bool) -> None:
    """Print our times beside PyTorch's, and on what they were measured. A ratio below 1 means that ours is faster."""
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    rows = [[r.module, r.name, _time(r.seconds), _time(r.rival), _ratio(r)] for r in report.results]
    table(["module", "what", "tinytorch", "PyTorch", "ratio (middle half)"], rows)
    line(f"on {report.machine['processor']}, {report.machine['cores']} logical cores, Python {report.machine['python']}")
    ours, theirs = report.frameworks["tinytorch"], report.frameworks.get("torch")
    order = "before" if ours["numpy_first"] else "after"
    line(f"tinytorch: {_kernel(ours)}; NumPy imported {order} tinytorch; OPENBLAS_THREAD_TIMEOUT={ours['timeout'] or 'unset'}")
    line(f"PyTorch: {_kernel(theirs)}" if theirs else "PyTorch is not installed here: there is nothing to compare with")


def _kernel(facts: dict) -> str:
    return f"{facts['version']}, {facts['kernel']}, threads: {facts['threads'] or 'unknown'}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1e6:.2f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def _ratio(result) -> str:
    return "-" if result.ratio is None else f"{result.ratio:.2f} ({result.low:.2f} to {result.high:.2f})"


def audits(found: list, problems: list[str], unseen: bool, as_json: bool) -> None:
    """Print a line for each module, then each mutant that lost no point, as a diff, and the problems."""
    if as_json:
        print_json({"modules": [one.as_dict() for one in found], "problems": problems})
        return
    rows = [
        [one.module, f"{one.unsolved:g}", f"{one.reference:g}", len(one.fate), len(one.equivalent),
         _share(one.killed, one.counted), _share(one.killed_by_visible, one.counted)]
        for one in found
    ]  # fmt: skip
    counted, total = sum(one.counted for one in found), sum(len(one.fate) for one in found)
    killed, seen = sum(one.killed for one in found), sum(one.killed_by_visible for one in found)
    rows.append(["total", "", "", total, total - counted, _share(killed, counted), _share(seen, counted)])
    table(["module", "unsolved", "reference", "mutants", "equivalent", "killed by all", "by visible"], rows)
    for one in found:
        for mutant in one.survivors:
            _mutant(one, mutant, "no check notices")
        for mutant, fate in one.unseen.items() if unseen else ():
            _mutant(one, mutant, f"only {fate.check} notices: {fate.why}")
    for problem in problems:
        warn(problem)


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.1%})" if whole else "-"


def _mutant(one: Any, mutant: Any, what: str) -> None:
    out.print(f"\n{one.module}/{mutant.cell}, line {mutant.line}, {mutant.kind}: {what}", style="bold")
    out.print(f"  - {mutant.was}\n  + {mutant.now}")


def similarity(found: Any, page: Any, as_json: bool) -> None:
    """Print the pairs, the most alike first, and the path of the page that shows them side by side."""
    if as_json:
        print_json({**found.as_dict(), "page": str(page)})
        return
    rows = [
        [p.first.student, p.second.student, f"{p.likeness:.0%}", ", ".join(f"{c} {s:.0%}" for c, s in list(p.cells.items())[:4])]
        for p in found.pairs
    ]
    table(["student", "and", "likeness", "where"], rows)
    for student, why in found.left_out.items():
        warn(f"{student} was not compared: {why}")
    line(f"{found.note}\n{page}")
