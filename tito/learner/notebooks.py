"""Reading a workspace's notebooks: what a learner saved may have any shape, and `status` must not wait for nbformat."""

import ast
import json
from pathlib import Path
from typing import Any

from tito import source
from tito.errors import TitoError
from tito.learner.layout import Workspace
from tito.syllabus import Module


class Node(dict):
    """A dict whose keys are attributes too, as nbformat's are."""

    __getattr__ = dict.__getitem__


def read_cells(path: Path) -> list[Node]:
    """The cells of a notebook, of no surprising shape; a TitoError if it is no notebook."""
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
    """Was it run before it was saved, and did it not end in an error?"""
    kinds = [output.get("output_type") if isinstance(output, dict) else "error" for output in cell.outputs]
    return bool(cell.execution_count) and "error" not in kinds


def saved(workspace: Workspace, module: Module) -> list[Node]:
    """What the learner last saved of a module."""
    path = existing(workspace, module)
    try:
        return read_cells(path)
    except TitoError as error:
        raise TitoError(f"{error}: `tito reset {module.id}` puts the released one back and keeps this", code=1) from None


def existing(workspace: Workspace, module: Module) -> Path:
    """The learner's notebook of a released module."""
    workspace.require_released(module)
    path = workspace.notebook(module)
    if not path.is_file():
        raise TitoError(f"{path} is missing: `tito reset {module.id}` brings the released notebook back", code=1)
    return path


def rebuilt(workspace: Workspace, module: Module):
    """The released notebook, the learner's cells, and the one with the other's solutions in it: what is checked."""
    from tito.grading.rebuild import check_module, rebuild

    released, cells = pristine(workspace, module), saved(workspace, module)
    check_module(released, cells, f"{module.slug}.ipynb")
    return released, cells, rebuild(released, cells)


def pristine(workspace: Workspace, module: Module):
    """The released notebook of a module, as nbformat reads it."""
    import nbformat

    workspace.require_released(module)
    try:
        return nbformat.read(workspace.pristine(module), as_version=4)
    except (OSError, ValueError, AttributeError, TypeError, KeyError, nbformat.ValidationError):
        raise TitoError(_damaged(workspace.pristine(module)), code=1) from None


def visible_checks(workspace: Workspace, module: Module) -> tuple[list[Node], list[Node]]:
    """All cells of the released notebook, and those of them that are visible checks."""
    try:
        cells = read_cells(workspace.pristine(module))
        checks = [cell for cell in cells if source.is_check(cell) and can_fail(cell.source) and source.points(cell)]
    except (TitoError, KeyError, TypeError, ValueError, SyntaxError):
        raise TitoError(_damaged(workspace.pristine(module)), code=1) from None
    return cells, checks


def about(workspace: Workspace, module: Module) -> dict[str, Any]:
    """Title, part, hours and goals of a released module."""
    try:
        facts = json.loads(workspace.pristine(module).read_text(encoding="utf-8"))["metadata"]["tinytorch"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return facts if isinstance(facts, dict) else {}


def unanswered(released: list[Node], texts: dict[str | None, str]) -> list[str]:
    """The questions whose answer, by grade_id, is missing, empty, or what was released; a person grades them."""
    questions = [cell for cell in released if source.is_graded(cell) and cell.cell_type == "markdown"]
    return [cell.id for cell in questions if texts.get(source.grade_id(cell), "").strip() in ("", cell.source.strip())]


def _damaged(path: Path) -> str:
    return f"{path} is damaged: it is the notebook as it was released, get it from there again"


def can_fail(text: str) -> bool:
    """Does a released check do anything? A hidden one has only its docstring left, and `pass`."""
    return any(not isinstance(node, ast.Pass) and not _is_docstring(node) for node in ast.parse(text).body)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def subject(text: str) -> str:
    """What a hidden check says that it tries: the first line of its docstring."""
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
