"""Running a module's graded cells outside a kernel: the reference, a blank, and every wrong answer, and judging them."""

import re
from functools import cache
from pathlib import Path

from nbformat import NotebookNode

from tito import source
from tito.audit import trial
from tito.audit.stated import Solution, solutions
from tito.grading.judge import Verdict

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"


def sources() -> list[Path]:
    return list(source.paths(ROOT).values())


def answers(kind: str) -> list[Solution]:
    """All that are "wrong", or "right" without being the reference."""
    return solutions(ROOT, kind)


def exercises(path: Path) -> dict[str, str]:
    """The text of each solution cell of code, by its id."""
    return {c.id: c.source for c in source.read(path).cells if c.cell_type == "code" and source.is_solution(c)}


def unsolved(text: str) -> str:
    """A solution cell as nbgrader releases it."""
    indent = re.search(r"^(\s*)### BEGIN SOLUTION", text, re.MULTILINE)[1]
    return source.with_body(text, "\n".join(indent + line for line in STUB.splitlines()))


def run(path: Path, texts: dict[str, str], versions: list[trial.Version]) -> trial.Trial:
    """The module's cells with some texts replaced, and other versions of single cells."""
    notebook = source.read(path)
    cells = [NotebookNode({**cell, "source": texts.get(cell.id, cell.source)}) for cell in notebook.cells]
    return trial.run(path, NotebookNode({**notebook, "cells": cells}), versions)


@cache
def reference(path: Path) -> trial.Trial:
    """The solved module."""
    return run(path, {}, [])


def blank(path: Path) -> Verdict:
    tried = run(path, {name: unsolved(text) for name, text in exercises(path).items()}, [])
    return trial.verdict(source.read(path), tried, reference(path))


@cache
def lost(path: Path, kind: str) -> dict[str, tuple[str, str] | None]:
    """For each wrong, or right, answer of a module, the first check that loses a point by it and its message, or None.

    Visible checks come first: the check is a hidden one if no visible check noticed.
    """
    texts = exercises(path)
    mine = [one for one in answers(kind) if one.module == path.stem and one.cell in texts]
    return run(path, {}, [(str(one), one.cell, source.with_body(texts[one.cell], one.body)) for one in mine]).losses
