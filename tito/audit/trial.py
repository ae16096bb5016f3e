"""Run a module's checks on versions of single cells, in a separate process. See runner.py."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from tito import source
from tito.errors import TitoError
from tito.grading.answers import Answer
from tito.grading.execute import Execution, Ran
from tito.grading.judge import Verdict, judge

Version = tuple[str, str, str]  # a key, the cell, its text


@dataclass
class Trial:
    """The outcome of each cell, [error or None, answers, seconds], and the loss of each version: (check, why), None or
    "no effect"."""

    outcomes: dict[str, list]
    losses: dict[str, Any] = field(default_factory=dict)


def run(
    path: Path,
    notebook: NotebookNode,
    versions: list[Version] = (),
    on_version: Callable[[str], None] = lambda key: None,
) -> Trial:
    """Run the graded cells of the notebook of the source at `path`, then each version of a cell until its first loss."""
    cells = [(cell.id, cell.source, source.is_check(cell)) for cell in source.in_grading_order(notebook)]
    with tempfile.TemporaryFile() as said, _workspace(path) as folder, subprocess.Popen(
        [sys.executable, "-m", "tito.audit.runner"], env={**os.environ, "TMPDIR": folder},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, cwd=Path(folder, "modules"),
    ) as runner:  # fmt: skip
        runner.stdin.write(json.dumps({"cells": cells, "versions": list(versions)}).encode())
        runner.stdin.close()
        trial = None
        for line in runner.stdout:
            if trial is None:
                trial = Trial(json.loads(line))
                continue
            key, loss = json.loads(line)
            trial.losses[key] = tuple(loss) if isinstance(loss, list) else loss
            on_version(key)
        runner.wait()
        if trial is None or len(trial.losses) < len(versions):
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise TitoError(f"the cells of {path.name} could not be run to the end: {lines[-1]}", code=1)
    return trial


@contextmanager
def _workspace(path: Path) -> Iterator[str]:
    """Make a temporary folder with a copy of the package. A mutant that writes or removes files can only harm the copy."""
    with tempfile.TemporaryDirectory(prefix="tito-") as folder:
        shutil.copytree(path.parent.parent / "tinytorch", Path(folder, "tinytorch"))
        Path(folder, "modules").mkdir()
        yield folder


def verdict(notebook: NotebookNode, tried: Trial, reference: Trial) -> Verdict:
    """Return the judge's verdict on the cells, with the reference's answers."""
    ran = {}
    for name, (problem, answers, _) in tried.outcomes.items():
        kind, _, message = (problem or "").partition(": ")
        ran[name] = Ran(error=(kind, message) if problem else None, answers=answers)
    expected = {name: [Answer.read(text) for text in given] for name, (_, given, _) in reference.outcomes.items()}
    return judge(notebook, {}, Execution(ran), expected)
