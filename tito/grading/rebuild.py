"""The notebook that is graded: the pristine one, with the text of the submission's solution cells, by grade_id.

Of what was handed in nothing else survives: not its metadata, its checks, its other cells or files.
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

MOST_TEXT = {"code": 200_000, "markdown": 20_000}  # characters in one cell; the time to show an essay grows with its square


class Unreadable(TitoError):
    """A submission that is no notebook. The message is the reason that its author is given."""


@dataclass
class Rebuilt:
    """The notebook to run, what is wrong with the submission's cells, by grade_id, or why there is nothing to run."""

    notebook: NotebookNode
    problems: dict[str, str] = field(default_factory=dict)
    unreadable: str | None = None


def read_submission(path: Path, megabytes: int = 20) -> list[dict[str, Any]]:
    """The cells of a notebook that somebody handed in, as plain dicts; Unreadable says why there are none."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise Unreadable(f"{path.name} is no file of its own but a link, a folder or a device", code=1)
    try:
        if path.stat().st_size > megabytes << 20:
            raise Unreadable(f"{path.name} is larger than {megabytes} MB: clear its outputs and hand it in again", code=1)
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
        raise Unreadable(f"{path.name} is not a notebook of format 4: open it in JupyterLab and save it", code=1)
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not cells:
        raise Unreadable(f"{path.name} has no cells", code=1)
    return [cell for cell in cells if isinstance(cell, dict)]


def rebuild_file(pristine: NotebookNode, path: Path, megabytes: int = 20) -> Rebuilt:
    """What to grade of the file at `path`; one that is no notebook of this module is a blank one that says so."""
    try:
        cells = read_submission(path, megabytes)
        check_module(pristine, cells, path.name)
        return rebuild(pristine, cells)
    except Unreadable as reason:
        return Rebuilt(pristine, unreadable=str(reason))


def rebuild(pristine: NotebookNode, submitted: list[dict[str, Any]]) -> Rebuilt:
    """Put the submitted solutions into a copy of the pristine release; a cell that cannot be used stays unsolved."""
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
    """Unreadable names the module whose notebook this is, if it is another's."""
    texts = _texts(submitted)
    if any(cell.id in texts for cell in pristine.cells if source.is_solution(cell)):
        return
    ours, theirs = ({_USES_PREFIX.findall(text)[0] for text in cells if _USES_PREFIX.search(text)} for cells in (
        [cell.source for cell in pristine.cells], [text for found in texts.values() for _, text in found],
    ))  # fmt: skip
    if len(theirs) == 1 and ours != theirs and int(*theirs) < len(MODULES):
        there, here = (MODULES[int(*numbers)] for numbers in (theirs, ours))
        raise Unreadable(f"{name} is the notebook of {there}, not of {here}: put the right one in its place", code=1)


def _texts(submitted: list[dict[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """Cell type and text of each submitted cell that has a grade_id; what is misshapen is no cell."""
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
    """The text to use for a solution cell, or why there is none."""
    if not found:
        return None, f"cell {cell.id} is missing: `tito reset` brings it back"
    if len(set(found)) > 1:
        return None, f"cell {cell.id} stands {len(found)} times, with different text: keep one"
    (kind, text) = found[0]
    if kind != cell.cell_type:
        return None, f"cell {cell.id} was turned into a {kind} cell: it must be a {cell.cell_type} cell"
    if len(text) > MOST_TEXT[kind]:
        return None, f"cell {cell.id} is longer than {MOST_TEXT[kind]} characters"
    return text, None


def restore_directives(text: str, pristine: str) -> str:
    """Lead a submitted cell by the pristine cell's `#|` lines, wherever the submission put them or left them out."""
    kept = [line for line in text.split("\n") if not re.match(r"\s*#\s*\|", line)]
    leading = pristine.splitlines()[: len(source.directives(pristine))]
    return "\n".join([*leading, *kept])


def _find_syntax_error(text: str, name: str) -> str | None:
    """Parsed only: compiling nested `finally` takes memory that doubles with each, and belongs into the sandbox."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text, "cell")
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        number = getattr(error, "lineno", None) or 0
        at_fault = "".join(text.splitlines()[number - 1 : number])
        if magic := _MAGIC.match(at_fault):
            return (
                f"cell {name}, line {number}: `{magic[1][:40].strip()}` is a magic of Jupyter, and an exercise is plain Python: "
                "delete it, or move it into a cell of your own"
            )
        line = f", line {number}" if number else ""
        said = getattr(error, "msg", "") or str(error) or "it is nested too deep to be read"  # a MemoryError says nothing
        return f"syntax error in cell {name}{line}: {said}"
    return None

