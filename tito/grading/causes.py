"""Find which earlier exercise can make a check fail, from the names that the cells define and use."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tito import source

if TYPE_CHECKING:
    from nbformat import NotebookNode


@dataclass(eq=False)
class _Cell:
    """A cell that a grade depends on. For an exercise, `check` is the first visible check after it."""

    defines: set[str]
    uses: set[str]
    check: str = ""


def earlier_checks(notebook: NotebookNode) -> dict[str, set[str]]:
    """For each check, return the visible checks of the earlier exercises that it uses, directly or through other cells."""
    found: dict[str, set[str]] = {}
    home: dict[str, _Cell] = {}  # for each name, the last cell so far that defines it
    mine: list[_Cell] = []  # the exercises that the next check is about
    checked = False  # whether a check has come since the last exercise
    for cell in filter(source.runs_in_grading, notebook.cells):
        this = _Cell(*_names(cell.source))
        if source.is_check(cell):
            checked = True
            for exercise in mine if not source.is_hidden(cell) else ():
                exercise.check = exercise.check or cell.id
            used = _find_used_cells([this, *mine], home)
            found[cell.id] = {one.check for one in used if one.check and one not in mine}
            continue
        home.update(dict.fromkeys(this.defines, this))
        if source.is_solution(cell):
            mine, checked = [this] if checked else [*mine, this], False
    return found


def _find_used_cells(cells: Iterable[_Cell], home: dict[str, _Cell]) -> set[_Cell]:
    """Return the cells that these use, the cells that those use, and so on."""
    found, to_follow = set(), list(cells)
    while to_follow:
        for name in to_follow.pop().uses:
            cell = home.get(name)
            if cell and cell not in found:
                found.add(cell)
                to_follow.append(cell)
    return found


def _names(text: str) -> tuple[set[str], set[str]]:
    """Return the names that a cell defines at its top level, and the names that it reads anywhere."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(), set()
    return defined_names(tree), {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def defined_names(tree: ast.Module) -> set[str]:
    """Return the names that a parsed text defines at its top level."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names.update(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return names
