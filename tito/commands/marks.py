"""Commands for those who teach, for marks: due dates, regrading, export and the report."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from tito import syllabus
from tito.commands import show, show_marks
from tito.commands.course import AsJson, Folder, ModuleName, _course
from tito.errors import write_private

WHEN = "A time as 2026-10-01T17:00 (UTC) or 2026-10-01T17:00+02:00, or none. Without it, the due date is shown."
TO = "The file to write. The end of its name sets the format (.csv, .canvas.csv, .moodle.csv, .json), or --format does."


def add_to(parent: typer.Typer) -> None:
    for command in (due, regrade, export, report):
        parent.command()(command)


def due(
    module: ModuleName,
    when: Annotated[str | None, typer.Argument(metavar="[WHEN]", help=WHEN)] = None,
    folder: Folder = None,
) -> None:
    """Show or set when a module is due. The late policy is in nbgrader_config.py."""
    course, chosen = _course(folder), syllabus.module(module)
    show_marks.due(chosen, course.due(chosen, when), course.records([chosen]))


def regrade(
    module: ModuleName,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="How many to execute at a time on this machine.")] = 1,
    apply: Annotated[bool, typer.Option("--apply", help="Change the marks. The old ones are kept in a dated file.")] = False,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Show whose marks would change, by how much and why, after a module's checks or points changed. --apply changes them."""
    from tito.grading.regrade import Regrade

    chosen = syllabus.module(module)
    anew = Regrade(_course(folder), chosen)
    list(show.track(anew.grade(jobs), f"regrading {chosen}", len(anew.students), lambda outcome: outcome.student))
    show_marks.regrade(chosen, anew.preview(), anew.apply() if apply else None, as_json)


def export(
    to: Annotated[Path, typer.Argument(metavar="[FILE]", help=TO)] = Path("marks.csv"),
    kind: Annotated[str | None, typer.Option("--format", help="csv, canvas, moodle, json, or gradescope (a folder).")] = None,
    modules: Annotated[list[str] | None, typer.Option("--module", help="Only this module. Can be given more than once.")] = None,
    folder: Folder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the marks as JSON, and write nothing.")] = False,
) -> None:
    """Write the gradebook's marks, for a spreadsheet, Canvas (.canvas.csv), Moodle (.moodle.csv) or Gradescope."""
    course, chosen = _course(folder), [syllabus.module(name) for name in modules or []]
    if as_json:
        show.print_json([record.as_dict() for record in course.records(chosen)])
        return
    written = course.export(to, kind, chosen)
    show.line(to if len(written) == 1 else f"{len(written)} files in {to}")


def report(
    module: ModuleName,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write one self-contained page with plots.")] = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Report for each check how many passed, what the others got wrong, and whether it shows who understood the module."""
    from tito import report as core

    found = core.build_report(_course(folder), syllabus.module(module))
    if html:
        write_private(html, core.page(found))
    if as_json:
        show.print_json(dataclasses.asdict(found))
    else:
        show_marks.report(found)
    if html:
        show.err.print(f"written: {html}")
