"""Print marks: due dates, regrades, reports on a class, and results on the learners' own modules."""

import dataclasses
import datetime
from collections import Counter
from pathlib import Path
from typing import Any

from tito.commands import show
from tito.syllabus import Module


def due(module: Module, when: datetime.datetime | None, records: list) -> None:
    """Print when a module is due, and how many submissions are late."""
    if when is None:
        show.line(f"{module} has no due date")
        return
    late = [record for record in records if record.seconds_late > 0]
    cost = sum(record.penalty > 0 for record in late)
    handed_in = sum(record.handed_in for record in records)
    show.line(f"{module} is due {when:%Y-%m-%d %H:%M} UTC: {len(late)} of {handed_in} submissions are late, {cost} lose points")


def regrade(module: Module, preview: Any, kept: list[Path] | None, as_json: bool) -> None:
    """Print what changes and why. After the change, `kept` are the files with the old marks."""
    if as_json:
        done = {"applied": kept is not None, "old_marks": [str(path) for path in kept or ()]}
        show.print_json({**dataclasses.asdict(preview), **done})
        return
    for name, change in preview.cells.items():
        show.line(f"{name}: {change}")
    rows = [[c.student, f"{c.before:g}", f"{c.after:g}", f"{c.after - c.before:+g}"] for c in preview.changes]
    if rows:
        show.table(["student", "before", "after", "change"], rows)
    for change in preview.changes:
        show.line(f"\n{change.student}:")
        for why in change.why:
            show.line(f"  {why}")
    for note in preview.notes:
        show.warn(note)
    show.line(f"{len(preview.changes)} marks change, {preview.unchanged} stay the same")
    if kept is None:
        show.line(f"nothing is changed yet. `tito course regrade {module.id} --apply` changes the marks")
    else:
        show.line(f"done. The old marks are in {' and '.join(map(str, kept))}")
        show.line(f"next: `tito course feedback {module.id}` writes the pages again")


def report(found: Any) -> None:
    """Print the report on a class as tables."""
    show.line(f"{found.module}: {found.handed_in} handed in, {found.late} late, {found.to_read} still need a person to read them")
    show.line(f"points of {found.of:g}: mean {found.mean:g}, median {found.median:g}\n")
    rows = [
        [c.id, c.kind, f"{c.passed} of {c.graded}", _number(c.mean), f"{c.of:g}", _number(c.discrimination)]
        for c in found.checks
    ]
    show.table(["check", "kind", "passed", "mean", "of", "discrimination"], rows)
    most = max(count for _, _, count in found.bins)
    show.line("")
    bars = [[f"{low:g} to {high:g}", n, "#" * round(40 * n / most)] for low, high, n in found.bins]
    show.table(["points", "people", ""], bars)
    for check in found.checks:
        if check.commonest:
            show.line(f"\n{check.id}, {check.how_often} ×: {check.commonest}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def chained(found: list, as_json: bool) -> None:
    """Print what submissions earn on their authors' own modules."""
    if as_json:
        show.print_json([dataclasses.asdict(one) | {"integration": one.integration} for one in found])
        return
    rows = [
        [
            one.student, f"{one.apart:g}", f"{one.chained:g}", "-" if one.integration is None else f"{one.integration:.0%}",
            ", ".join(one.broke) or "-", ", ".join(one.lent) or "-",
        ]
        for one in found
    ]  # fmt: skip
    show.table(["student", "apart", "chained", "integration", "broken by", "lent by the reference"], rows)
    for one in found:
        if one.why:
            show.line(f"\n{one.student}: with its own {', '.join(one.broke)}, {one.why}")
    lent = Counter((name, why) for one in found for name, why in one.lent.items())
    for (name, why), people in sorted(lent.items()):
        show.line(f"\n{people} × the reference's {name} was used: {why}")
    show.line("\nThis changes no mark. A module is graded on the reference's modules, so an earlier mistake costs points once.")
