"""Read a workspace's notebooks, which may be malformed, without nbformat, which is slow to import."""

import ast
import json
from pathlib import Path
from typing import Any

from tito import source
from tito.errors import TitoError
from tito.learner.layout import Workspace
from tito.syllabus import Module


class Node(dict):
    """A dict whose keys are attributes too, like nbformat's."""

    __getattr__ = dict.__getitem__


def read_cells(path: Path) -> list[Node]:
    """Read the cells of a notebook in a regular form. Raise a TitoError if the file is not a notebook."""
    from tito.grading.rebuild import read_submission

    return [node(cell) for cell in read_submission(path)]


def node(cell: dict[str, Any]) -> Node:
    text, metadata, outputs = cell.get("source"), cell.get("metadata"), cell.get("outputs")
    ours = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    has_name = isinstance(ours, dict) and isinstance(ours.get("grade_id"), str)
    return Node(
        cell_type=str(cell.get("cell_type")),
        id=str(cell.get("id")),
        source="".join(map(str, text)) if isinstance(text, list) else str(text),
        metadata=Node(nbgrader=Node(ours)) if has_name else Node(),
        execution_count=cell.get("execution_count"),
        outputs=outputs if isinstance(outputs, list) else [],
    )


def texts(cells: list[Node]) -> list[tuple[str | None, str, str]]:
    return [(source.grade_id(cell), cell.cell_type, cell.source) for cell in cells]


def ran_well(cell: Node) -> bool:
    """Was the cell run before it was saved, without an error?"""
    kinds = [output.get("output_type") if isinstance(output, dict) else "error" for output in cell.outputs]
    return bool(cell.execution_count) and "error" not in kinds


def saved(workspace: Workspace, module: Module) -> list[Node]:
    """Return the cells of a module as the learner last saved them."""
    path = existing(workspace, module)
    try:
        return read_cells(path)
    except TitoError as error:
        raise TitoError(f"{error}. `tito reset {module.id}` puts the released one back and keeps this one", code=1) from None


def existing(workspace: Workspace, module: Module) -> Path:
    """Return the path of the learner's notebook of a released module."""
    workspace.require_released(module)
    path = workspace.notebook(module)
    if not path.is_file():
        raise TitoError(f"{path} is missing. `tito reset {module.id}` brings the released notebook back", code=1)
    return path


def rebuilt(workspace: Workspace, module: Module):
    """Return the released notebook, the learner's cells, and the released notebook with the learner's solutions."""
    from tito.grading.rebuild import check_module, rebuild

    released, cells = pristine(workspace, module), saved(workspace, module)
    check_module(released, cells, f"{module.slug}.ipynb")
    return released, cells, rebuild(released, cells)


def pristine(workspace: Workspace, module: Module):
    """Return the released notebook of a module, as nbformat reads it."""
    import nbformat

    workspace.require_released(module)
    try:
        return nbformat.read(workspace.pristine(module), as_version=4)
    except (OSError, ValueError, AttributeError, TypeError, KeyError, nbformat.ValidationError):
        raise TitoError(_damaged(workspace.pristine(module)), code=1) from None


def visible_checks(workspace: Workspace, module: Module) -> tuple[list[Node], list[Node]]:
    """Return all cells of the released notebook, and its visible checks."""
    try:
        cells = read_cells(workspace.pristine(module))
        checks = [cell for cell in cells if source.is_check(cell) and can_fail(cell.source) and source.points(cell)]
    except (TitoError, KeyError, TypeError, ValueError, SyntaxError):
        raise TitoError(_damaged(workspace.pristine(module)), code=1) from None
    return cells, checks


def about(workspace: Workspace, module: Module) -> dict[str, Any]:
    """Return title, part, hours and goals of a released module."""
    try:
        facts = json.loads(workspace.pristine(module).read_text(encoding="utf-8"))["metadata"]["tinytorch"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return facts if isinstance(facts, dict) else {}


def unanswered(released: list[Node], texts: dict[str | None, str]) -> list[str]:
    """Return the questions (a person grades them) whose answer is missing, empty or unchanged."""
    questions = [cell for cell in released if source.is_graded(cell) and cell.cell_type == "markdown"]
    return [cell.id for cell in questions if texts.get(source.grade_id(cell), "").strip() in ("", cell.source.strip())]


def _damaged(path: Path) -> str:
    return f"the released notebook {path} is damaged. Get it again from where you got the workspace"


def can_fail(text: str) -> bool:
    """Can a released check fail? Of a hidden one, only the docstring and `pass` are released."""
    return any(not isinstance(node, ast.Pass) and not _is_docstring(node) for node in ast.parse(text).body)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def subject(text: str) -> str:
    """Return the first line of a hidden check's docstring, which says what it tries."""
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
