"""The visible checks, run on the learner's own notebook in a fresh kernel; and the export of what passes them."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tito import export, source
from tito.errors import TitoError, now, write_atomic
from tito.learner import notebooks, progress
from tito.learner.layout import Workspace
from tito.syllabus import Module


@dataclass
class Check:
    """One visible check: what it earned, and where and why it failed."""

    id: str
    points: float
    of: float
    reason: str = ""
    line: int = 0
    text: str = ""  # of that line
    hint: str = ""


@dataclass
class Report:
    """What the visible checks say of a notebook."""

    module: str
    checks: list[Check]
    hidden_points: float  # graded after handing in, by checks which are not here
    problems: dict[str, str] = field(default_factory=dict)  # what is wrong with a code cell, by its id
    unanswered: list[str] = field(default_factory=list)  # reflections without an answer: they are graded by a person

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
        """Checks that met an exercise in which nothing is written yet."""
        return [check.id for check in self.checks if check.reason == source.UNSOLVED]

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.reason not in ("", source.UNSOLVED)]


@dataclass
class Completed:
    """The report; if all passed, the file that was exported, and where one with other text is kept that stood there."""

    report: Report
    path: Path | None = None
    kept: Path | None = None


OnCell = Callable[[str, int, int], None]


def silent(name: str, place: int, total: int) -> None:
    pass


def check(workspace: Workspace, module: Module, on_cell: OnCell = silent) -> Report:
    """Run the visible checks of a module; `on_cell` hears of each cell before it runs."""
    report, _ = _check(workspace, module, on_cell)
    return report


def complete(workspace: Workspace, module: Module, on_cell: OnCell = silent) -> Completed:
    """Check a module, and if nothing fails export it into the workspace's package."""
    report, notebook = _check(workspace, module, on_cell)
    if not report.passed:
        return Completed(report)
    data = export.render(notebook, module, f"modules/{module.slug}.ipynb").encode()
    path, kept = workspace.exported(module), None
    if path.is_file() and path.read_bytes() != data:
        kept = workspace.root / ".tito" / "backup" / now() / path.name
        write_atomic(kept, path.read_bytes())
    write_atomic(path, data)
    progress.remember(workspace, module)
    return Completed(report, path, kept)


def _check(workspace: Workspace, module: Module, on_cell: OnCell) -> tuple[Report, Any]:
    from tito.grading.execute import execute
    from tito.grading.judge import judge
    from tito.grading.limits import Limits
    from tito.grading.rebuild import rebuild

    progress.must_be_next(workspace, module)
    pristine = notebooks.pristine(workspace, module)
    saved = notebooks.saved(workspace, module)
    rebuilt = rebuild(pristine, saved)
    names = [cell.id for cell in source.in_grading_order(rebuilt.notebook)]
    execution = execute(
        rebuilt.notebook, module, workspace.package, Limits().as_dict(), sandboxed=False,
        on_cell=lambda name: on_cell(name, names.index(name) + 1, len(names)),
    )  # fmt: skip
    verdict = judge(rebuilt.notebook, rebuilt.problems, execution, {})
    if verdict.tampered:
        raise TitoError(f"{module.slug}.ipynb changes what an assertion does: no check of it can fail", code=1)
    return _report(module, pristine, rebuilt, saved, execution, verdict), rebuilt.notebook


def _report(module: Module, pristine, rebuilt, saved: list[notebooks.Node], execution, verdict) -> Report:
    cells = {cell.id: cell for cell in rebuilt.notebook.cells}
    hidden = {cell.id for cell in pristine.cells if source.is_check(cell) and not notebooks.can_fail(cell.source)}
    report = Report(module.slug, [], sum(c.of for c in verdict.checks if c.id in hidden))
    outside = names_outside(saved, rebuilt.notebook)
    for c in verdict.checks:
        if c.id not in hidden:
            text = cells[c.id].source.splitlines()[c.line - 1].strip() if c.line else ""
            report.checks.append(Check(c.id, c.points, c.of, c.reason, c.line, text, hint(c.reason, outside)))
    for name, problem in rebuilt.problems.items():
        if cells[name].cell_type == "code":
            report.problems[name] = problem
    for name, ran in execution.cells.items():
        if ran.error and not source.is_check(cells[name]):
            report.problems.setdefault(name, ": ".join(filter(None, ran.error)))
    for before in pristine.cells:
        if source.is_graded(before) and before.cell_type == "markdown" and cells[before.id].source == before.source:
            report.unanswered.append(before.id)
    return report


def names_outside(saved: list[notebooks.Node], graded: Any) -> set[str]:
    """Names that only cells which are not graded define: those that the learner added, and plots and measurements."""
    inside = {cell.id for cell in source.in_grading_order(graded)}
    outside, known = set(), set()
    for cell in saved:
        if cell.cell_type == "code":
            graded_too = (source.grade_id(cell) or cell.id) in inside
            (known if graded_too else outside).update(_defined(cell.source))
    return outside - known


def _defined(text: str) -> set[str]:
    """The names that a cell's text defines at its top level."""
    names = set()
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return names
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names.update(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return names


def hint(reason: str, outside: set[str]) -> str:
    """What to do about a name that only a cell which is not graded defines."""
    match = re.search(r"NameError: name '(\w+)' is not defined", reason)
    if not match or match[1] not in outside:
        return ""
    return f"{match[1]} is defined in a cell that is not graded: move it into the solution cell that uses it"
