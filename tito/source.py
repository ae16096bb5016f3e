"""Read a module's source, `modules/NN_name.py`, as a notebook, and refuse one that breaks a rule of the course.

Each rule is one function. `read` applies them all, and an error names the file and the cell.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tito.errors import TitoError
from tito.syllabus import MODULES, Module

if TYPE_CHECKING:  # importing nbformat takes a second, and `tito status` does not need it
    from nbformat import NotebookNode

DIRECTIVES = {"default_exp", "export"}
AUTOMATIC_POINTS, MANUAL_POINTS = 80, 20

UNSOLVED = "not solved yet, or it uses something that is not solved yet"  # a check's reason for a NotImplementedError
FENCE = re.compile(r"^\s*### (?P<edge>BEGIN|END) (?P<what>SOLUTION|HIDDEN TESTS|MARK SCHEME)\s*$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^\s*#\|\s*(\w+)", re.MULTILINE)


class SourceError(TitoError):
    """An error in a source, with the file and the cell."""

    def __init__(self, path: Path, cell: NotebookNode | None, problem: str):
        place = f"modules/{path.name}" + (f", cell {cell.id}" if cell is not None else "")
        super().__init__(f"{place}: {problem}", code=1)


def paths(root: Path) -> dict[Module, Path]:
    """Return the sources that exist below `root/modules`, in the order of the course."""
    found = {module: root / "modules" / f"{module.slug}.py" for module in MODULES}
    return {module: path for module, path in found.items() if path.is_file()}


def read(path: Path) -> NotebookNode:
    """Read a source as a notebook with a stable id for every cell. Raise a SourceError for the first rule that it breaks."""
    notebook = parse(path)
    for rule in RULES:
        for cell, problem in rule(notebook, path):
            raise SourceError(path, cell, problem)
    return notebook


def parse(path: Path) -> NotebookNode:
    """Read a percent file as a notebook, without the rules. A cell's id is its grade_id, else its position."""
    import jupytext

    try:
        notebook = jupytext.read(path, fmt="py:percent")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise SourceError(path, None, f"cannot be read: {error}") from None
    for position, cell in enumerate(notebook.cells):
        cell.id = grade_id(cell) or f"cell-{position}"
    return notebook


def about(notebook: NotebookNode) -> dict:
    """Return title, part, hours and goals of a module from its notebook's metadata."""
    return dict(notebook.metadata.get("tinytorch", {}))


def describe_goals(notebook: NotebookNode) -> str:
    """Return the text below a notebook's title: how long it takes, and what its reader can do afterwards."""
    facts = about(notebook)
    goals = "\n".join(f"- {goal}" for goal in facts["goals"])
    return f"Takes about {facts['hours']:g} hour{'s' if facts['hours'] != 1 else ''}. Afterwards you can\n\n{goals}"


# -- what a cell is ------------------------------------------------------------------------------------------------


def grade_id(cell: NotebookNode) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def is_solution(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def is_graded(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


def is_check(cell: NotebookNode) -> bool:
    """Is the cell graded by running it? (A person grades markdown cells.)"""
    return is_graded(cell) and cell.cell_type == "code"


def is_hidden(cell: NotebookNode) -> bool:
    return is_check(cell) and any(match["what"] == "HIDDEN TESTS" for match in FENCE.finditer(cell.source))


def is_exported(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and "export" in directives(cell.source)


def points(cell: NotebookNode) -> float:
    return float(cell.metadata["nbgrader"]["points"])


def directives(source: str) -> list[str]:
    """Return the names of nbdev's directives in the first lines of a cell, such as `#| export`."""
    names = []
    for line in source.splitlines():
        match = _DIRECTIVE.match(line)
        if not match:
            break
        names.append(match[1])
    return names


def runs_in_grading(cell: NotebookNode) -> bool:
    """Does a grade depend on this cell? It does if the cell is exported or has a grade_id."""
    return cell.cell_type == "code" and (bool(grade_id(cell)) or is_exported(cell))


def in_grading_order(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells that a grade depends on. Hidden checks come last, so that no submitted code can run after one."""
    cells = [cell for cell in notebook.cells if runs_in_grading(cell)]
    return sorted(cells, key=is_hidden)


# -- a solution cell's text ----------------------------------------------------------------------------------------


def without_fences(text: str) -> str:
    """Remove the fences from a solution, as in the learner's notebook and in the export."""
    return "\n".join(line for line in text.splitlines() if not FENCE.match(line))


def with_body(text: str, body: str) -> str:
    """Replace the fences of a solution cell and the text between them by `body`."""
    lines = text.splitlines()
    begin, end = (i for i, line in enumerate(lines) if FENCE.match(line))
    return "\n".join([*lines[:begin], *body.splitlines(), *lines[end + 1 :]])


# -- the rules -----------------------------------------------------------------------------------------------------

Problems = Iterator[tuple["NotebookNode | None", str]]


def _compiles(notebook: NotebookNode, path: Path) -> Problems:
    for cell in _code(notebook):
        try:
            compile(cell.source, str(path), "exec")
        except SyntaxError as error:
            yield cell, f"line {error.lineno} does not compile: {error.msg}"


def _ids_are_unique(notebook: NotebookNode, path: Path) -> Problems:
    seen = set()
    for cell in notebook.cells:
        name = grade_id(cell)
        if "nbgrader" in cell.metadata and not name:
            yield cell, "it has nbgrader metadata but no grade_id. Give it one"
        if name and not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
            yield cell, f"grade_id {name!r} is not a lower-case name of at most 64 letters, digits and underscores"
        if cell.id in seen:
            yield cell, f"grade_id {cell.id!r} appears twice. Every cell needs its own"
        seen.add(cell.id)


def _directives_are_known(notebook: NotebookNode, path: Path) -> Problems:
    targets = []
    for cell in _code(notebook):
        leading = directives(cell.source)
        everywhere = _DIRECTIVE.findall(cell.source)
        for name in everywhere:
            if name not in DIRECTIVES:
                yield cell, f"unknown directive '#| {name}'. There are {', '.join(sorted(DIRECTIVES))}"
        if len(everywhere) > len(leading):
            name = everywhere[len(leading)]
            yield cell, f"'#| {name}' must be the first line of its cell, or nbdev ignores it"
        targets += re.findall(r"^#\|\s*default_exp\s+(\S+)", cell.source, re.MULTILINE)
    name = path.stem.split("_", 1)[-1]
    if targets != [f"core.{name}"]:
        yield None, f"it needs one cell '#| default_exp core.{name}', found {targets or 'none'}"


def _fences_are_whole(notebook: NotebookNode, path: Path) -> Problems:
    for cell in _code(notebook):
        edges = [(match["what"], match["edge"]) for match in FENCE.finditer(cell.source)]
        kinds = [what for what, _ in edges[::2]]
        if edges != [(what, edge) for what in kinds for edge in ("BEGIN", "END")]:
            yield cell, "its BEGIN and END fences do not pair up"
        solutions = kinds.count("SOLUTION")
        if is_solution(cell) and solutions != 1:
            yield cell, f"a solution cell needs one pair of '### BEGIN ' and '### END ' around its SOLUTION, found {solutions}"
        if solutions and not is_solution(cell):
            yield cell, "it has a solution fence but is not a solution cell in nbgrader's metadata"
        if "HIDDEN TESTS" in kinds and not is_check(cell):
            yield cell, "it hides tests but is not a graded cell in nbgrader's metadata"


def _checks_can_fail(notebook: NotebookNode, path: Path) -> Problems:
    for cell in filter(is_check, _code(notebook)):
        if is_solution(cell):
            yield cell, "a code cell is either a solution or a check, not both"
        try:
            tree = ast.parse(cell.source)
        except SyntaxError:
            continue
        if not any(_asserts(node) for node in _top_level(tree)):
            yield cell, "it cannot fail. A graded cell needs an assertion or an answer() at its top level"


def _points_add_up(notebook: NotebookNode, path: Path) -> Problems:
    for kind, wanted, belongs in (("check", AUTOMATIC_POINTS, is_check), ("reflection", MANUAL_POINTS, _is_reflection)):
        cells = [cell for cell in notebook.cells if belongs(cell)]
        for cell in cells:
            value = cell.metadata["nbgrader"].get("points")
            if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
                yield cell, f"a graded cell needs points above 0, not {value!r}"
        total = sum(points(cell) for cell in cells)
        if total != wanted:
            yield None, f"the points of its {kind} cells add up to {total:g}, not {wanted}"


def _header_is_complete(notebook: NotebookNode, path: Path) -> Problems:
    facts = about(notebook)
    for key in ("title", "part", "hours", "goals"):
        if not facts.get(key):
            yield None, f"its header's 'tinytorch' metadata has no {key}"
    first = notebook.cells[0] if notebook.cells else None
    if first is None or not first.source.startswith("# ") or not re.search(r"^> \S", first.source, re.MULTILINE):
        yield first, "the first cell must be the title: '# Name', then '> one sentence'"


RULES = (
    _compiles, _ids_are_unique, _directives_are_known, _fences_are_whole, _checks_can_fail, _points_add_up,
    _header_is_complete,
)  # fmt: skip


def _code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _is_reflection(cell: NotebookNode) -> bool:
    return is_graded(cell) and cell.cell_type == "markdown"


def _top_level(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node that runs when the cell runs. Bodies of functions, lambdas and classes do not."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield node
            yield from _top_level(node)


def _asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func).rsplit(".", 1)[-1]
    return name == "answer" or name.startswith("assert_")
