"""Running a module's graded cells in a process of their own, with the solution of a cell replaced, and judging them."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nbformat import NotebookNode

from tito import source
from tito.grading.answers import Answer, mismatch

ROOT = Path(__file__).parent.parent.parent
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"


@dataclass(frozen=True)
class WrongAnswer:
    module: str
    cell: str
    thought: str
    body: str

    def __str__(self) -> str:
        return f"{self.module}-{self.cell}: {self.thought}"


def sources() -> list[Path]:
    return list(source.paths(ROOT).values())


def wrong_answers() -> list[WrongAnswer]:
    found = []
    for path in sorted((ROOT / "tests" / "modules" / "wrong").glob("*.py")):
        parts = re.split(r"^# %% (\w+): (.+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for cell, thought, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            found.append(WrongAnswer(path.stem, cell, thought.strip(), body.strip("\n")))
    return found


def with_solution(notebook: NotebookNode, body_of: dict[str, str | None]) -> NotebookNode:
    """A copy whose fenced solutions are replaced by the given text, or by nbgrader's stub for None."""
    copy = source_copy(notebook)
    for cell in copy.cells:
        if cell.cell_type == "code" and source.is_solution(cell) and cell.id in body_of:
            cell.source = replace_fenced(cell.source, body_of[cell.id])
    return copy


def source_copy(notebook: NotebookNode) -> NotebookNode:
    return NotebookNode({**notebook, "cells": [NotebookNode(cell) for cell in notebook.cells]})


def replace_fenced(text: str, body: str | None) -> str:
    lines = text.splitlines()
    begin = next(i for i, line in enumerate(lines) if line.strip() == "### BEGIN SOLUTION")
    end = next(i for i, line in enumerate(lines) if line.strip() == "### END SOLUTION")
    indent = re.match(r"\s*", lines[begin])[0]
    new = body.splitlines() if body is not None else [indent + line for line in STUB.splitlines()]
    return "\n".join(lines[:begin] + new + lines[end + 1 :])


RUNNER = """
import io, json, sys, warnings
import tito.grading.answers as answers
cells = json.load(sys.stdin)
outcomes, given = {}, []
answers.publish = given.append
import matplotlib
matplotlib.use("Agg")
sys.stdout = io.StringIO()
space = {"__name__": "__main__"}
for name, text in cells:
    given.clear()
    try:
        exec(compile(text, f"<{name}>", "exec"), space)
        problem = None
    except BaseException as error:
        problem = f"{type(error).__name__}: {error}"
    outcomes[name] = [problem, list(given)]
sys.stdout = sys.__stdout__
print(json.dumps(outcomes))
"""


def run(notebook: NotebookNode, seconds: float = 60) -> dict[str, tuple[str | None, list[str]]]:
    """For each cell that grading runs: the error it ended with, if any, and the answers it handed in."""
    cells = [(cell.id, cell.source) for cell in source.in_grading_order(notebook)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUNNER], input=json.dumps(cells), text=True, capture_output=True,
        cwd=ROOT / "modules", timeout=seconds, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {name: (problem, given) for name, (problem, given) in json.loads(done.stdout).items()}


@cache
def reference(path: Path) -> tuple[NotebookNode, dict]:
    notebook = source.read(path)
    return notebook, run(notebook)


def lost(notebook: NotebookNode, path: Path) -> dict[str, str]:
    """The message for each check of `notebook` that does not earn all of its points."""
    _, expected = reference(path)
    outcomes, messages = run(notebook), {}
    for cell in filter(source.is_check, notebook.cells):
        problem, given = outcomes[cell.id]
        answers = expected[cell.id][1]
        if problem:
            messages[cell.id] = problem
        elif len(given) != len(answers):
            messages[cell.id] = f"{len(given)} answers of {len(answers)}"
        else:
            wrong = [mismatch(Answer.read(a), Answer.read(b)) for a, b in zip(given, answers, strict=True)]
            if any(wrong):
                messages[cell.id] = "; ".join(filter(None, wrong))
    return messages
