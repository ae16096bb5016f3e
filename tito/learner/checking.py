"""Run the checks on the learner's notebook in a fresh kernel, and export a notebook that passes them.

If the course's solutions are available, `complete` runs the hidden checks too, as grading does in a class.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tito import export, source
from tito.errors import TitoError, file_timestamp, write_atomic
from tito.grading.causes import defined_names
from tito.learner import notebooks, progress, solutions
from tito.learner.layout import Workspace
from tito.syllabus import Module

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from tito.grading.answers import Answer


@dataclass
class Check:
    """One check: its points, and where and why it failed. `subject` is the docstring of a hidden one."""

    id: str
    points: float
    of: float
    reason: str = ""
    line: int = 0
    text: str = ""  # of that line
    hint: str = ""
    subject: str = ""


@dataclass
class Report:
    """The results of a notebook's checks: the visible ones, and the hidden ones if they ran."""

    module: str
    checks: list[Check]
    hidden_points: float  # of hidden checks that did not run
    alone: bool = False  # does `tito complete` run these, or a class?
    problems: dict[str, str] = field(default_factory=dict)  # what is wrong with a code cell, by its id
    unanswered: list[str] = field(default_factory=list)  # reflections without an answer, which a person grades

    @property
    def points(self) -> float:
        return sum(check.points for check in self.checks)

    @property
    def of(self) -> float:
        return sum(check.of for check in self.checks)

    @property
    def passed(self) -> bool:
        return self.points == self.of and not self.problems

    @property
    def unsolved(self) -> list[str]:
        """Checks whose exercise is not written yet."""
        return [check.id for check in self.checks if check.reason == source.UNSOLVED]

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.reason not in ("", source.UNSOLVED)]


@dataclass
class Completed:
    """The report and, if all checks passed, the exported file, the backup of the earlier one, and what comes next."""

    report: Report
    path: Path | None = None
    kept: Path | None = None
    replaced: bool = False  # an earlier export was different: a kernel that has imported it does not see the new one
    next: str = ""


OnCell = Callable[[str, int, int], None]


def ignore_cell(name: str, place: int, total: int) -> None:
    pass


def check(workspace: Workspace, module: Module, on_cell: OnCell = ignore_cell) -> Report:
    """Run the visible checks of a module. `on_cell` is called before each cell runs."""
    report, _ = _check(workspace, module, on_cell, hidden_too=False)
    return report


def complete(workspace: Workspace, module: Module, on_cell: OnCell = ignore_cell) -> Completed:
    """Run a module's checks, also the hidden ones if available, and export it into the package if nothing fails."""
    report, notebook = _check(workspace, module, on_cell, hidden_too=True)
    if not report.passed:
        return Completed(report)
    text = export.render(notebook, module, f"modules/{module.slug}.ipynb")
    done = Completed(report, workspace.exported(module))
    if done.path.is_file() and done.path.read_bytes() != text.encode():
        done.replaced = True
        if not solutions.is_borrowed(done.path):
            done.kept = workspace.root / ".tito" / "backup" / file_timestamp() / done.path.name
            write_atomic(done.kept, done.path.read_bytes())
    write_atomic(done.path, text)
    progress.note_export(workspace, module)
    done.next = progress.status(workspace).next
    return done


def _check(workspace: Workspace, module: Module, on_cell: OnCell, hidden_too: bool) -> tuple[Report, NotebookNode]:
    from tito.grading.execute import execute
    from tito.grading.judge import judge
    from tito.grading.limits import Limits

    progress.require_earlier_modules(workspace, module)
    pristine, saved, rebuilt = notebooks.rebuilt(workspace, module)
    root, expected, limits = solutions.repository(workspace), {}, Limits().as_dict()
    if root and hidden_too:
        expected = _add_hidden_checks(workspace, root, module, rebuilt, limits)
    names = [cell.id for cell in source.in_grading_order(rebuilt.notebook)]
    execution = execute(
        rebuilt.notebook, module, workspace.package, limits, sandboxed=False,
        on_cell=lambda name: on_cell(name, names.index(name) + 1, len(names)),
    )  # fmt: skip
    verdict = judge(rebuilt.notebook, rebuilt.problems, execution, expected)
    if verdict.tampered:
        raise TitoError(f"{module.slug}.ipynb changes what an assertion does, so no check can fail. Remove that code", code=1)
    report = _report(module, pristine, rebuilt, saved, execution, verdict, bool(expected))
    report.alone = root is not None
    progress.save_points(workspace, module, sum(check.points for check in report.checks if not check.subject))
    return report, rebuilt.notebook


def _add_hidden_checks(workspace: Workspace, root: Path, module: Module, rebuilt, limits) -> dict[str, list[Answer]]:
    """Put the hidden checks into the notebook, and return the course's answers to them."""
    from tito.grading import reference

    path = source.paths(root).get(module)
    solved = source.read(path) if path else None
    if solved is None or _graded_cells(solved) != _graded_cells(rebuilt.notebook):
        raise TitoError(
            f"{module.slug}.ipynb is from an earlier release than the course. `tito update` updates it and keeps your answers",
            code=1,
        )
    rebuilt.notebook = reference.with_hidden_checks(rebuilt.notebook, solved)
    return reference.answers_of(root, solved, module, limits, False, keep_in=workspace.root / ".tito")


def _graded_cells(notebook: NotebookNode) -> list[tuple[str, bool]]:
    return [(cell.id, source.is_check(cell)) for cell in notebook.cells if source.is_solution(cell) or source.is_graded(cell)]


def _report(
    module: Module, pristine, rebuilt, saved: list[notebooks.Node], execution, verdict, hidden_too: bool
) -> Report:
    cells = {cell.id: cell for cell in rebuilt.notebook.cells}
    subjects = {
        cell.id: notebooks.subject(cell.source)
        for cell in pristine.cells
        if source.is_check(cell) and not notebooks.can_fail(cell.source)
    }
    report = Report(module.slug, [], 0 if hidden_too else sum(c.of for c in verdict.checks if c.id in subjects))
    outside = ungraded_names(saved, rebuilt.notebook)
    for c in verdict.checks:
        if hidden_too or c.id not in subjects:
            text = cells[c.id].source.splitlines()[c.line - 1].strip() if c.line else ""
            found = Check(c.id, c.points, c.of, c.reason, c.line, text, find_hint(c.reason, outside), subjects.get(c.id, ""))
            report.checks.append(found)
    for name, problem in rebuilt.problems.items():
        if cells[name].cell_type == "code":
            report.problems[name] = problem
    for name, ran in execution.cells.items():
        if ran.error and not source.is_check(cells[name]):
            problem = ": ".join(filter(None, ran.error))
            found = find_hint(problem, outside)
            report.problems.setdefault(name, f"{problem}. Hint: {found}" if found else problem)
    report.unanswered = notebooks.unanswered(pristine.cells, {cell.id: cell.source for cell in rebuilt.notebook.cells})
    return report


def ungraded_names(saved: list[notebooks.Node], graded: Any) -> set[str]:
    """Return the names that only ungraded cells define: added cells, plots and measurements."""
    inside = {cell.id for cell in source.in_grading_order(graded)}
    outside, known = set(), set()
    for cell in saved:
        if cell.cell_type == "code":
            graded_too = (source.grade_id(cell) or cell.id) in inside
            (known if graded_too else outside).update(_defined(cell.source))
    return outside - known


def _defined(text: str) -> set[str]:
    """Return the names that a cell's text defines at its top level."""
    try:
        return defined_names(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()


def find_hint(reason: str, outside: set[str]) -> str:
    """Return a hint for a missing name that only an ungraded cell defines."""
    match = re.search(r"NameError: name '(\w+)' is not defined", reason)
    if not match or match[1] not in outside:
        return ""
    return f"{match[1]} is defined in a cell that is not graded. Move it into the solution cell that uses it"
