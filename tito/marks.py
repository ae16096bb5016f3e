"""Export the gradebook's marks in the formats that other systems read.

Text that a person may have written (an id, a name, a reason) is quoted, and cannot begin a formula.
"""

import csv
import io
import json
import math
import re
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment, BaseCell, Grade, Gradebook, SolutionCell, SubmittedAssignment, SubmittedNotebook
from nbgrader.plugins import ExportPlugin
from traitlets.config import Config

from tito.collect import STUDENT
from tito.errors import TitoError, write_private
from tito.grading import late
from tito.grading.judge import Verdict


@dataclass
class CellMark:
    """The points of one graded cell, from its check and from a person. The person's count."""

    id: str
    of: float
    by_hand: bool  # a reflection, which a person reads
    auto: float | None = None
    manual: float | None = None
    extra: float | None = None
    to_read: bool = False

    @property
    def points(self) -> float:
        given = self.manual if self.manual is not None else self.auto
        return 0.0 if given is None else given + (self.extra or 0.0)


@dataclass
class Record:
    """One student's marks in one module, as the gradebook has them."""

    assignment: str
    student: str
    last_name: str
    first_name: str
    email: str
    lms_user_id: str
    duedate: str
    max_score: float
    handed_in: bool = False
    timestamp: str = ""
    seconds_late: float = 0.0
    penalty: float = 0.0
    cells: dict[str, CellMark] = field(default_factory=dict)

    @property
    def raw_score(self) -> float:
        return round(math.fsum(cell.points for cell in self.cells.values()), 2)

    @property
    def score(self) -> float:
        return round(max(0.0, self.raw_score - self.penalty), 2)

    @property
    def to_read(self) -> bool:
        return any(cell.to_read for cell in self.cells.values())

    def as_dict(self) -> dict[str, Any]:
        cells = [asdict(cell) | {"points": cell.points} for cell in self.cells.values()]
        found = {"raw_score": self.raw_score, "score": self.score, "to_read": self.to_read}
        return asdict(self) | found | {"cells": cells}


def records(gradebook: Gradebook, config: Config, assignments: Iterable[str] = ()) -> list[Record]:
    """Return a record for every module and student. The order depends only on their names and due dates."""
    wanted, found = set(assignments), []
    students = sorted(gradebook.students, key=lambda s: (s.last_name or "", s.first_name or "", s.id))
    for assignment in sorted(gradebook.assignments, key=lambda a: (a.duedate is not None, a.duedate, a.name)):
        if not wanted or assignment.name in wanted:
            found += _assignment_records(gradebook, config, assignment, students)
    return found


def _assignment_records(gradebook: Gradebook, config: Config, assignment: Assignment, students: list) -> list[Record]:
    policy = late.LatePolicy(config=config)
    of = {
        one.id: Record(
            assignment.name, one.id, one.last_name or "", one.first_name or "", one.email or "", one.lms_user_id or "",
            "" if assignment.duedate is None else str(assignment.duedate), assignment.max_score,
        )
        for one in students
    }  # fmt: skip
    cells = {
        cell.id: cell
        for notebook in assignment.notebooks
        for cell in gradebook.db.query(BaseCell).filter(BaseCell.notebook_id == notebook.id)
        if not isinstance(cell, SolutionCell)
    }
    penalties, grades = _grades(gradebook, assignment)
    for one in gradebook.db.query(SubmittedAssignment).filter(SubmittedAssignment.assignment_id == assignment.id):
        record = of[one.student_id]
        record.handed_in, record.timestamp = True, "" if one.timestamp is None else str(one.timestamp)
        record.seconds_late = policy.late_by(one.student_id, assignment.name, late.seconds_late(one))
        record.penalty = penalties.get(one.id, 0.0)
        for grade in sorted(grades.get(one.id, ()), key=lambda grade: cells[grade.cell_id].name):
            cell = cells[grade.cell_id]
            record.cells[cell.name] = CellMark(
                cell.name, cell.max_score, cell.cell_type == "markdown",
                grade.auto_score, grade.manual_score, grade.extra_credit, grade.needs_manual_grade,
            )  # fmt: skip
    return list(of.values())


def _grades(gradebook: Gradebook, assignment: Assignment) -> tuple[dict[str, float], dict[str, list]]:
    """Return penalties and grades by submission, with one query each for all submissions."""
    rows = (
        gradebook.db.query(SubmittedNotebook)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .filter(SubmittedAssignment.assignment_id == assignment.id)
    )
    belongs = {notebook.id: notebook.assignment_id for notebook in rows}
    penalties = {notebook.assignment_id: notebook.late_submission_penalty or 0.0 for notebook in rows}
    columns = (Grade.cell_id, Grade.notebook_id, Grade.auto_score, Grade.manual_score, Grade.extra_credit)
    query = (
        gradebook.db.query(*columns, Grade.needs_manual_grade)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .filter(SubmittedAssignment.assignment_id == assignment.id)
    )
    grades: dict[str, list] = {}
    for grade in query:
        grades.setdefault(belongs[grade.notebook_id], []).append(grade)
    return penalties, grades


# -- CSV ---------------------------------------------------------------------------------------------------------------


def escape_formula(text: str) -> str:
    """Put an apostrophe, which means "text", before text that a spreadsheet would read as a formula."""
    return f"'{text}" if re.match(r"\s*[=+\-@\t\r\n\0＝＋－＠]", text) else text


def csv_text(header: list[str], rows: Iterable[Iterable[str | float | None]]) -> str:
    """Return rows as CSV. Every text is quoted and no formula; numbers are not quoted."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([escape_formula(value) if isinstance(value, str) else value for value in row])
    return out.getvalue()


NBGRADERS = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip


def as_csv(found: list[Record]) -> str:
    """Return nbgrader's own columns, then the seconds late, and whether a person still has to read a part."""
    rows = (
        [
            r.assignment, r.duedate, r.timestamp, r.student, r.last_name, r.first_name, r.email,
            r.raw_score, r.penalty, r.score, r.max_score, r.seconds_late, "yes" if r.to_read else "no",
        ]
        for r in found
    )  # fmt: skip
    return csv_text([*NBGRADERS, "seconds_late", "needs_manual_grade"], rows)


def as_canvas(found: list[Record]) -> str:
    """Return Canvas's gradebook, one column per module. Canvas finds a person by its own id, else by the login."""
    modules = _modules(found)
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *modules]
    rows: list[list] = [["    Points Possible", "", "", "", "", *modules.values()]]
    for first, scores in _by_student(found):
        name = ", ".join(part for part in (first.last_name, first.first_name) if part) or first.student
        rows.append([name, first.lms_user_id, "", first.student, "", *(scores.get(module, "") for module in modules)])
    return csv_text(header, rows)


def as_moodle(found: list[Record]) -> str:
    """Return Moodle's gradebook, one column per module. Moodle finds a person by ID number or email address."""
    modules = _modules(found)
    header = ["First name", "Last name", "ID number", "Email address", *modules]
    rows = (
        [r.first_name, r.last_name, r.student, r.email, *(scores.get(module, "") for module in modules)]
        for r, scores in _by_student(found)
    )
    return csv_text(header, rows)


def _modules(found: list[Record]) -> dict[str, float]:
    return {record.assignment: record.max_score for record in found}


def _by_student(found: list[Record]) -> Iterable[tuple[Record, dict[str, float]]]:
    """Return each student's record and scores by module. A module that was not handed in has no score, not a zero."""
    first: dict[str, Record] = {}
    scores: dict[str, dict[str, float]] = {}
    for record in found:
        first.setdefault(record.student, record)
        scores.setdefault(record.student, {})
        if record.handed_in:
            scores[record.student][record.assignment] = record.score
    return ((first[student], scores[student]) for student in first)


# -- JSON --------------------------------------------------------------------------------------------------------------


def as_json(found: list[Record]) -> str:
    """Return all marks as JSON, cell by cell."""
    return json.dumps([record.as_dict() for record in found], indent=1) + "\n"


def as_gradescope(record: Record, verdict: Verdict | None) -> dict[str, Any]:
    """Return Gradescope's results.json: the mark, and a test for each graded cell, as plain text."""
    reasons = {check.id: check.reason for check in verdict.checks} if verdict else {}
    said = [verdict.status] if verdict else []
    if record.penalty:
        said.append(f"{late.format_duration(record.seconds_late)} late: {record.penalty:g} points were taken off.")
    if record.to_read:
        said.append("A person still has to read a part of it.")
    return {
        "score": record.score,
        "output": "\n".join(said),
        "output_format": "text",
        "visibility": "visible",
        "tests": [_test(cell, reasons.get(cell.id, "")) for cell in record.cells.values()],
        "extra_data": {"student": record.student, "late_submission_penalty": record.penalty},
    }


def _test(cell: CellMark, reason: str) -> dict[str, Any]:
    right = cell.points >= cell.of
    test = {"name": cell.id, "score": cell.points, "max_score": cell.of, "output": reason, "output_format": "text"}
    return test if cell.to_read else test | {"status": "passed" if right else "failed"}


# -- files -------------------------------------------------------------------------------------------------------------

FORMATS: dict[str, Callable[[list[Record]], str]] = {
    "csv": as_csv,
    "canvas": as_canvas,
    "moodle": as_moodle,
    "json": as_json,
}
SUFFIXES = {".canvas.csv": "canvas", ".moodle.csv": "moodle", ".csv": "csv", ".json": "json"}


def format_of(path: Path, said: str | None) -> str:
    """Return the format to write: the option, else the one that the end of the file's name means."""
    known = [*FORMATS, "gradescope"]
    if said is not None and said not in known:
        raise TitoError(f"--format {said} is not known. There are {', '.join(known)}")
    by_name = next((kind for suffix, kind in SUFFIXES.items() if path.name.lower().endswith(suffix)), None)
    if said is None and by_name is None:
        raise TitoError(f"{path} has no known format. End its name with {', '.join(SUFFIXES)}, or use --format {'|'.join(known)}")
    return said or by_name


def as_file_name(student: str) -> str:
    """Return a student's id as a valid name of a folder. An instructor may have entered any text as an id."""
    return student if STUDENT.fullmatch(student) else urllib.parse.quote(student, safe="").replace(".", "%2E")


class QuotedCsv(ExportPlugin):
    """Makes plain `nbgrader export` write the same as `tito course export`."""

    def export(self, gradebook: Gradebook) -> None:
        students = {str(student) for student in self.student}
        found = records(gradebook, self.config, map(str, self.assignment))
        kept = [record for record in found if not students or record.student in students]
        write_private(Path(self.to or "grades.csv"), as_csv(kept))
