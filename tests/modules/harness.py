"""Running a module's graded cells outside a kernel: the reference, a blank, and every wrong answer, and judging them."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tito import source

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
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


@cache
def wrong_answers() -> list[WrongAnswer]:
    found = []
    for path in sorted((HERE / "wrong").glob("*.py")):
        parts = re.split(r"^# %% (\w+): (.+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for cell, thought, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            found.append(WrongAnswer(path.stem, cell, thought.strip(), body.strip("\n")))
    return found


def exercises(path: Path) -> dict[str, str]:
    """The text of each solution cell of code, by its id."""
    return {c.id: c.source for c in source.read(path).cells if c.cell_type == "code" and source.is_solution(c)}


def unsolved(text: str) -> str:
    """A solution cell as nbgrader releases it."""
    indent = re.search(r"^(\s*)### BEGIN SOLUTION", text, re.MULTILINE)[1]
    return source.with_body(text, "\n".join(indent + line for line in STUB.splitlines()))


def run(path: Path, texts: dict[str, str], versions: list[tuple[str, str, str]]) -> dict:
    """The module's cells with some texts replaced, and other versions of single cells: see runner.py."""
    cells = [(c.id, texts.get(c.id, c.source), source.is_check(c)) for c in source.in_grading_order(source.read(path))]
    done = subprocess.run(
        [sys.executable, str(HERE / "runner.py")], input=json.dumps({"cells": cells, "versions": versions}),
        text=True, capture_output=True, cwd=ROOT / "modules", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@cache
def reference(path: Path) -> dict[str, list]:
    """[error or None, answers] of each cell of the solved module."""
    return run(path, {}, [])["outcomes"]


def blank(path: Path) -> dict[str, list]:
    return run(path, {name: unsolved(text) for name, text in exercises(path).items()}, [])["outcomes"]


@cache
def lost_by_wrong_answers(path: Path) -> dict[str, str | None]:
    """For each wrong answer of a module, the message of the first check that loses a point by it, or None."""
    texts = exercises(path)
    mine = [wrong for wrong in wrong_answers() if wrong.module == path.stem and wrong.cell in texts]
    return run(path, {}, [(str(one), one.cell, source.with_body(texts[one.cell], one.body)) for one in mine])["lost"]
