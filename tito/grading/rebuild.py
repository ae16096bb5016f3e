"""Build the notebook that is graded: the pristine one with the text of the submission's solution cells, by grade_id.

Nothing else of a submission is used: not its metadata, its checks, its other cells or files.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tito import source
from tito.errors import TitoError
from tito.syllabus import MODULES

if TYPE_CHECKING:
    from nbformat import NotebookNode

_USES_PREFIX = re.compile(r"^use_prefix\((\d{1,2})\)", re.MULTILINE)  # the second cell of every module's notebook
_MAGIC = re.compile(r"^\s*(?:\w+\s*=\s*)?([%!].*)")

MOST_TEXT = {"code": 200_000, "markdown": 20_000}  # characters in one cell; rendering an essay takes time quadratic in its length


class Unreadable(TitoError):
    """A submission that is not a notebook. Its author sees the message as the reason."""


@dataclass
class Rebuilt:
    """The notebook to run, the problems of the submission's cells by grade_id, or why nothing can be run."""

    notebook: NotebookNode
    problems: dict[str, str] = field(default_factory=dict)
    unreadable: str | None = None


def read_submission(path: Path, megabytes: int = 20) -> list[dict[str, Any]]:
    """Read the cells of a submitted notebook as plain dicts. Raise Unreadable if there are none."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise Unreadable(f"{path.name} is a link, a folder or a device, not a file", code=1)
    try:
        if path.stat().st_size > megabytes << 20:
            raise Unreadable(f"{path.name} is larger than {megabytes} MB. Clear its outputs and hand it in again", code=1)
        text = path.read_bytes().decode("utf-8")
        if not text.strip():
            raise Unreadable(f"no {path.name} was handed in: the file is empty", code=1)
        notebook = json.loads(text)
    except OSError as error:
        raise Unreadable(f"{path.name} cannot be opened: {error.strerror}", code=1) from None
    except UnicodeDecodeError:
        raise Unreadable(f"{path.name} is not a notebook: it is not text", code=1) from None
    except (ValueError, RecursionError) as error:
        what = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else "too deep or too large"
        raise Unreadable(f"{path.name} is not a notebook: its JSON cannot be read ({what})", code=1) from None
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4:
        raise Unreadable(f"{path.name} is not a notebook of format 4. Open it in JupyterLab and save it", code=1)
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not cells:
        raise Unreadable(f"{path.name} has no cells", code=1)
    return [cell for cell in cells if isinstance(cell, dict)]


def rebuild_file(pristine: NotebookNode, path: Path, megabytes: int = 20) -> Rebuilt:
    """Rebuild the notebook to grade from the file at `path`. If it is not a notebook of this module, `unreadable` says why."""
    try:
        cells = read_submission(path, megabytes)
        check_module(pristine, cells, path.name)
        return rebuild(pristine, cells)
    except Unreadable as reason:
        return Rebuilt(pristine, unreadable=str(reason))


def rebuild(pristine: NotebookNode, submitted: list[dict[str, Any]]) -> Rebuilt:
    """Put the submitted solutions into a copy of the pristine release. A cell that cannot be used stays unsolved."""
    from nbformat import NotebookNode

    notebook = NotebookNode({**pristine, "cells": [NotebookNode(cell) for cell in pristine.cells]})
    rebuilt = Rebuilt(notebook)
    texts = _texts(submitted)
    for cell in filter(source.is_solution, notebook.cells):
        found = texts.get(cell.id, [])
        text, problem = _choose_text(cell, found)
        if text is not None and cell.cell_type == "code":
            text = restore_directives(text, cell.source)
            problem = _find_syntax_error(text, cell.id)
        if text is not None:
            cell.source = text
        if problem:
            rebuilt.problems[cell.id] = problem
    return rebuilt


def check_module(pristine: NotebookNode, submitted: list[dict[str, Any]], name: str) -> None:
    """Raise Unreadable if this is the notebook of another module, and name that module."""
    texts = _texts(submitted)
    if any(cell.id in texts for cell in pristine.cells if source.is_solution(cell)):
        return
    ours, theirs = ({_USES_PREFIX.findall(text)[0] for text in cells if _USES_PREFIX.search(text)} for cells in (
        [cell.source for cell in pristine.cells], [text for found in texts.values() for _, text in found],
    ))  # fmt: skip
    if len(theirs) == 1 and ours != theirs and int(*theirs) < len(MODULES):
        there, here = (MODULES[int(*numbers)] for numbers in (theirs, ours))
        raise Unreadable(f"{name} is the notebook of {there}, not of {here}. Replace it by the right one", code=1)


def _texts(submitted: list[dict[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """Return the type and text of each submitted cell that has a grade_id. Malformed cells are ignored."""
    texts: dict[str, list[tuple[str, str]]] = {}
    for cell in submitted:
        metadata = cell.get("metadata")
        ours = metadata.get("nbgrader") if isinstance(metadata, dict) else None
        name = ours.get("grade_id") if isinstance(ours, dict) else None
        text = cell.get("source")
        if isinstance(text, list) and all(isinstance(line, str) for line in text):
            text = "".join(text)
        if isinstance(name, str) and isinstance(text, str):
            texts.setdefault(name, []).append((str(cell.get("cell_type")), text.encode(errors="replace").decode()))
    return texts


def _choose_text(cell: NotebookNode, found: list[tuple[str, str]]) -> tuple[str | None, str | None]:
    """Return the text to use for a solution cell, or why there is none."""
    if not found:
        return None, f"cell {cell.id} is missing. `tito reset` brings it back"
    if len(set(found)) > 1:
        return None, f"cell {cell.id} appears {len(found)} times with different text. Keep one"
    (kind, text) = found[0]
    if kind != cell.cell_type:
        return None, f"cell {cell.id} is a {kind} cell now. Turn it back into a {cell.cell_type} cell"
    if len(text) > MOST_TEXT[kind]:
        return None, f"cell {cell.id} is longer than {MOST_TEXT[kind]} characters"
    return text, None


def restore_directives(text: str, pristine: str) -> str:
    """Put the pristine cell's `#|` lines first, and remove all others from the submitted text."""
    kept = [line for line in text.split("\n") if not re.match(r"\s*#\s*\|", line)]
    leading = pristine.splitlines()[: len(source.directives(pristine))]
    return "\n".join([*leading, *kept])


def _find_syntax_error(text: str, name: str) -> str | None:
    """Say why a text does not parse. It is never compiled here: nested `finally` blocks can use up all memory."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text, "cell")
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        number = getattr(error, "lineno", None) or 0
        at_fault = "".join(text.splitlines()[number - 1 : number])
        if magic := _MAGIC.match(at_fault):
            return (
                f"cell {name}, line {number}: `{magic[1][:40].strip()}` is a magic of Jupyter, but an exercise is plain Python. "
                "Delete it, or move it into a cell of your own"
            )
        line = f", line {number}" if number else ""
        said = getattr(error, "msg", "") or str(error) or "it is nested too deep to be read"  # a MemoryError has no message
        return f"syntax error in cell {name}{line}: {said}"
    return None

