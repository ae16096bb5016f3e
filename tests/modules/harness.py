"""Running a module's graded cells outside a kernel: the reference, a blank, and every wrong answer, and judging them."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nbformat import NotebookNode

from tito import source
from tito.audit import trial
from tito.grading.judge import Verdict

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"


@dataclass(frozen=True)
class Solution:
    """Somebody's solution of an exercise, wrong or right in a way of its own, and the thought behind it."""

    module: str
    cell: str
    thought: str
    body: str

    def __str__(self) -> str:
        return f"{self.module}-{self.cell}: {self.thought}"


def sources() -> list[Path]:
    return list(source.paths(ROOT).values())


@cache
def answers(kind: str) -> list[Solution]:
    """All that are "wrong", or "right" without being the reference."""
    found = []
    for path in sorted((HERE / kind).glob("*.py")):
        parts = re.split(r"^# %% (\w+): (.+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for cell, thought, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            found.append(Solution(path.stem, cell, thought.strip(), body.strip("\n")))
    return found


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
def lost(path: Path, kind: str) -> dict[str, str | None]:
    """For each wrong, or right, answer of a module, the message of the first check that loses a point by it, or None."""
    texts = exercises(path)
    mine = [one for one in answers(kind) if one.module == path.stem and one.cell in texts]
    losses = run(path, {}, [(str(one), one.cell, source.with_body(texts[one.cell], one.body)) for one in mine]).losses
    return {key: loss and loss[1] for key, loss in losses.items()}
