"""Grade a module again after a check, its tolerance or its points changed: preview the new marks, then apply them.

Everything is generated and graded in a copy of the course, the shadow. Applying copies the shadow's results: first the
gradebook, in one transaction, then the files. While it works, a note in the course's folder says so.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbformat import NotebookNode
from nbgrader.api import Comment, Grade, Gradebook, GradeCell, Notebook, SolutionCell, SourceCell, SubmittedNotebook, TaskCell

from tito import marks, source
from tito.collect import back_up
from tito.errors import TitoError, file_timestamp, hold_lock, write_atomic, write_private
from tito.grading import late
from tito.marks import CellMark
from tito.syllabus import Module

if TYPE_CHECKING:
    from tito.course import Course, Outcome

# The columns that the gradebook keeps of a cell, by its class.
FACTS = {
    GradeCell: ("max_score", "cell_type"),
    TaskCell: ("max_score", "cell_type"),
    SolutionCell: (),
    SourceCell: ("cell_type", "locked", "source", "checksum"),
}


@dataclass
class Counting:
    """A cell that marks depend on, with its points if it is graded and its text if it is a check."""

    points: float | None = None
    check: str | None = None
    by_hand: bool = False


def cells_in_source(notebook: NotebookNode) -> dict[str, Counting]:
    return {
        cell.id: Counting(
            source.points(cell) if source.is_graded(cell) else None,
            cell.source if source.is_check(cell) else None,
            cell.cell_type == "markdown",
        )
        for cell in notebook.cells
        if source.is_graded(cell) or source.is_solution(cell)
    }


def cells_in_gradebook(gradebook: Gradebook, assignment: str) -> dict[str, Counting]:
    """Return the cells by which submissions were last graded, in the same form."""
    notebook = gradebook.find_notebook(assignment, assignment)
    texts = {cell.name: cell.source for cell in notebook.source_cells}
    found = {cell.name: Counting() for cell in notebook.solution_cells}
    for cell in notebook.grade_cells:
        by_hand = cell.cell_type == "markdown"
        found[cell.name] = Counting(cell.max_score, None if by_hand else texts.get(cell.name), by_hand)
    return found


def differences(before: dict[str, Counting], after: dict[str, Counting]) -> dict[str, str]:
    """Say what changed in the cells that marks depend on, by grade_id."""
    found = {}
    for name in [*before, *(name for name in after if name not in before)]:
        was, now = before.get(name), after.get(name)
        if was is None:
            found[name] = f"added{_worth(now)}"
        elif now is None:
            found[name] = f"removed{_worth(was)}"
        elif was.points != now.points:
            found[name] = f"worth {now.points or 0:g} instead of {was.points or 0:g}"
        elif was.check != now.check:
            found[name] = "its text changed"
    return found


def _worth(cell: Counting) -> str:
    return "" if cell.points is None else f", worth {cell.points:g}"


def check_marks_unchanged(gradebook: Gradebook, module: Module, notebook: NotebookNode) -> None:
    """Raise a TitoError if this notebook would change the marks of submissions that are graded already."""
    graded = sum(len(one.submissions) for one in gradebook.assignments if one.name == module.slug)
    changed = differences(cells_in_gradebook(gradebook, module.slug), cells_in_source(notebook)) if graded else {}
    if changed:
        what = ", ".join(f"{name}: {how}" for name, how in changed.items())
        raise TitoError(
            f"{graded} submissions of {module} were graded by other cells ({what}). "
            f"`tito course regrade {module.id}` shows whose marks would change, and can change them",
            code=1,
        )


@dataclass
class Change:
    """The change of one student's mark, with a reason for each cell."""

    student: str
    before: float
    after: float
    why: list[str] = field(default_factory=list)


@dataclass
class Preview:
    """The changes that applying would make. `notes` list marks that a person gave and should look at again."""

    cells: dict[str, str]
    changes: list[Change]
    unchanged: int
    notes: list[str]


class Regrade:
    """Grades a module of a course again, by its source as it is now."""

    def __init__(self, course: Course, module: Module):
        self.course, self.module = course, module
        self.text, notebook = course.instructors_notebook(module)
        self.after = cells_in_source(notebook)
        where = hashlib.sha256(str(course.folder.resolve()).encode()).hexdigest()[:8]
        content = hashlib.sha256(self.text.encode()).hexdigest()[:16]
        self.folder = course.repository / "build" / "regrade" / f"{module.slug}-{where}" / content
        self._read_records()
        if not self.old:
            raise TitoError(f"no submission of {module} is graded yet. Run `tito course autograde {module.id}`", code=1)
        self.students = [student for student in course.submissions(module) if student in self.old]

    def _read_records(self) -> None:
        """Read the gradebook again: somebody may have graded by hand meanwhile."""
        self.old = {record.student: record for record in self.course.records([self.module]) if record.handed_in}

    def grade(self, jobs: int = 1) -> Iterator[Outcome]:
        """Grade all submissions in the shadow. Those that an earlier run has graded there are not run again."""
        for earlier in self.folder.parent.glob("*"):
            if earlier != self.folder:
                shutil.rmtree(earlier)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.parent.chmod(0o700)
        self.shadow = self.course.make_shadow(self.folder)
        self.shadow.generate(self.module)
        shutil.rmtree(self.folder / "submitted", ignore_errors=True)
        for student in self.students:
            self._copy(student)
        yield from self.shadow.autograde(self.module, jobs)
        graded = {student for student in self.students if self.shadow.verdict(self.module, student)}
        self.new = {record.student: record for record in self.shadow.records([self.module]) if record.student in graded}

    def _copy(self, student: str) -> None:
        for name in (f"{self.module.slug}.ipynb", "timestamp.txt"):
            path = self.course.folder / "submitted" / student / self.module.slug / name
            if path.is_file() and not path.is_symlink():
                write_atomic(self.folder / path.relative_to(self.course.folder), path.read_bytes())

    # -- what would change ---------------------------------------------------------------------------------------------

    def preview(self) -> Preview:
        self._read_records()
        changes, notes = [], []
        with self.course.gradebook() as gradebook:
            cells = differences(cells_in_gradebook(gradebook, self.module.slug), self.after)
            for student, old in self.old.items():
                then = self._new_marks(student)
                score = math.fsum(cell.points for cell in then.values())
                submission = gradebook.find_submission(self.module.slug, student)
                after = round(score - late.penalty_of(self.course.config, submission, score), 2)
                why = list(self._explain_changes(student, then, cells))
                if why or after != old.score:
                    changes.append(Change(student, old.score, after, why))
                notes += self._find_notes(student, then)
        return Preview(cells, changes, len(self.old) - len(changes), notes)

    def _new_marks(self, student: str) -> dict[str, CellMark]:
        """Return the marks after applying: the points of the new checks, and those that a person gave before."""
        return {name: self._new_mark(student, name, cell) for name, cell in self.after.items() if cell.points is not None}

    def _new_mark(self, student: str, name: str, cell: Counting) -> CellMark:
        old, new = self.old[student], self.new.get(student)
        mark, before = CellMark(name, cell.points, cell.by_hand, auto=0.0), old.cells.get(name)
        now = before if new is None else new.cells.get(name)  # a submission that could not be graded again keeps its marks
        if now is not None:
            mark.auto, mark.to_read = None if now.auto is None else min(now.auto, mark.of), now.to_read
        if before is not None:
            mark.manual, mark.extra = before.manual, before.extra
        if mark.manual is not None:  # a person has read it and reads it again only if something changed
            same = (before.of, before.auto) == (mark.of, mark.auto) and (new is None or new.timestamp == old.timestamp)
            mark.to_read = before.to_read or not same or (mark.to_read and not cell.by_hand)
        return mark

    def _explain_changes(self, student: str, then: dict[str, CellMark], cells: dict[str, str]) -> Iterator[str]:
        verdict = self.shadow.verdict(self.module, student)
        reasons = {check.id: check.reason for check in verdict.checks} if verdict else {}
        old = self.old[student].cells
        for name in [*old, *(name for name in then if name not in old)]:
            was, now = old.get(name), then.get(name)
            before, after = was.points if was else 0.0, now.points if now else 0.0
            if before != after:
                cause = cells.get(name) or ("graded again" if student in self.new else "its submission is gone")
                reason = reasons.get(name) if now else None
                yield f"{name} {before:g} -> {after:g}: {cause}" + (f"; {reason}" if reason else "")

    def _find_notes(self, student: str, then: dict[str, CellMark]) -> Iterator[str]:
        for name, cell in self.old[student].cells.items():
            if cell.manual is None:
                continue
            if name not in then:
                yield f"{student}: {cell.manual:g} points by hand for {name} are lost with the cell. The old marks keep them"
            elif cell.manual > then[name].of:
                yield f"{student}: {cell.manual:g} points by hand for {name} stay, but the cell is worth {then[name].of:g} now"

    # -- applying ------------------------------------------------------------------------------------------------------

    def apply(self) -> list[Path]:
        """Copy the shadow's results into the course; return the files with the old marks. After an interruption, run it again."""
        with hold_lock(self.course.folder / ".autograding", f"`tito course autograde` is at work on {self.course.folder}"):
            return self._apply()

    def _apply(self) -> list[Path]:
        self._read_records()
        note = self.course.regrade_note(self.module)
        kept = [Path(path) for path in json.loads(note.read_text())["old_marks"]] if note.is_file() else self._backup_names()
        write_atomic(note, json.dumps({"old_marks": [str(path) for path in kept]}))
        if not all(path.is_file() for path in kept):
            for path in kept:
                write_private(path, marks.FORMATS[path.suffix.removeprefix(".")](list(self.old.values())))
        self._update_gradebook()
        self._update_files()
        note.unlink()
        return kept

    def _backup_names(self) -> list[Path]:
        before = f"marks-{self.module.slug}-before-{file_timestamp()}"
        return [self.course.folder / f"{before}{suffix}" for suffix in (".csv", ".json")]

    def _update_gradebook(self) -> None:
        """Write the cells, grades and penalties into the gradebook, in one transaction."""
        with self.shadow.gradebook() as gradebook:
            notebook = gradebook.find_notebook(self.module.slug, self.module.slug)
            cells, comments, times = _facts(notebook), _comments(notebook), _times(notebook)
        with self.course.gradebook() as gradebook, gradebook.db.no_autoflush:
            notebook = gradebook.find_notebook(self.module.slug, self.module.slug)
            _update_cells(gradebook, notebook, cells)
            for submitted in notebook.submissions:
                student = submitted.student.id
                then = self._new_marks(student)
                submitted.assignment.timestamp = times.get(student, submitted.assignment.timestamp)
                _update_grades(gradebook, notebook, submitted, then)
                _update_comments(gradebook, notebook, submitted, comments.get(student, {}))
                score = math.fsum(cell.points for cell in then.values())
                penalty = late.penalty_of(self.course.config, submitted.assignment, score)
                submitted.late_submission_penalty = penalty or None
            gradebook.db.commit()

    def _update_files(self) -> None:
        """Copy the instructor's notebook, the release and the graded notebooks. A changed instructor's notebook is backed up."""
        ours = self.course.folder / "source" / self.module.slug / f"{self.module.slug}.ipynb"
        if ours.read_text(encoding="utf-8") != self.text:
            back_up(ours, self.course.folder)
        for place in ("autograded/*", "release", "source"):
            for path in sorted(self.folder.glob(f"{place}/{self.module.slug}/*")):
                target = self.course.folder / path.relative_to(self.folder)
                if not target.is_file() or target.read_bytes() != path.read_bytes():
                    write_atomic(target, path.read_bytes())


def _facts(notebook: Notebook) -> dict[type, dict[str, dict[str, Any]]]:
    """Return all cells of a notebook in a gradebook, by class and name, with their columns."""
    return {
        kind: {cell.name: {fact: getattr(cell, fact) for fact in facts} for cell in _of_kind(notebook, kind)}
        for kind, facts in FACTS.items()
    }


def _of_kind(notebook: Notebook, kind: type) -> list:
    return list(notebook.source_cells) if kind is SourceCell else [c for c in notebook._base_cells if isinstance(c, kind)]


def _comments(notebook: Notebook) -> dict[str, dict[str, str | None]]:
    """Return nbgrader's automatic comments on each solution cell ("No response."), by student."""
    return {one.student.id: {comment.name: comment.auto_comment for comment in one.comments} for one in notebook.submissions}


def _times(notebook: Notebook) -> dict[str, datetime.datetime | None]:
    return {one.student.id: one.assignment.timestamp for one in notebook.submissions}


def _update_cells(gradebook: Gradebook, notebook: Notebook, wanted: dict[type, dict[str, dict[str, Any]]]) -> None:
    for kind, cells in wanted.items():
        there = {cell.name: cell for cell in _of_kind(notebook, kind)}
        for name, cell in there.items():
            if name not in cells:
                for dependent in [*(getattr(cell, "grades", None) or ()), *(getattr(cell, "comments", None) or ())]:
                    gradebook.db.delete(dependent)
                gradebook.db.delete(cell)
        for name, facts in cells.items():
            cell = there.get(name)
            if cell is None:
                gradebook.db.add(kind(name=name, notebook=notebook, **facts))
            else:
                for fact, value in facts.items():
                    setattr(cell, fact, value)
    gradebook.db.flush()
    gradebook.db.refresh(notebook)


def _entries(gradebook: Gradebook, submitted: SubmittedNotebook, kind: type, there: list, cells: list) -> Iterator[tuple]:
    """Yield each cell with its gradebook entry of that kind. Add the entries that are missing."""
    found = {entry.cell_id: entry for entry in there}
    for cell in cells:
        entry = found.get(cell.id)
        if entry is None:
            entry = kind(cell_id=cell.id, notebook=submitted)
            gradebook.db.add(entry)
        yield cell, entry


def _update_grades(gradebook: Gradebook, notebook: Notebook, submitted: SubmittedNotebook, wanted: dict[str, CellMark]) -> None:
    cells = [*_of_kind(notebook, GradeCell), *_of_kind(notebook, TaskCell)]
    for cell, grade in _entries(gradebook, submitted, Grade, submitted.grades, cells):
        grade.auto_score, grade.needs_manual_grade = wanted[cell.name].auto, wanted[cell.name].to_read


def _update_comments(
    gradebook: Gradebook, notebook: Notebook, submitted: SubmittedNotebook, wanted: dict[str, str | None]
) -> None:
    cells = [*_of_kind(notebook, SolutionCell), *_of_kind(notebook, TaskCell)]
    for cell, comment in _entries(gradebook, submitted, Comment, submitted.comments, cells):
        if cell.name in wanted:
            comment.auto_comment = wanted[cell.name]
