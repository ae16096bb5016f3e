"""Executions that were made, each under the hash of what determines it: none is made twice.

They lie in `build/executions`, which only this user can open, and which may be removed at any time.
"""

import gzip
import os
import time
from pathlib import Path

from tito.errors import make_private, write_atomic
from tito.grading import sandbox
from tito.grading.execute import Execution, Task, run

MOST = 4 << 20  # bytes of a file that stays
DAYS = 60  # that a file stays after it was last of use


def execute_once(root: Path, task: Task) -> Execution:
    """What is kept of a task, else what comes of running it here."""
    execution = load(root, task.key)
    if execution is None:
        if task.sandboxed:
            sandbox.require()
        text = run(task)
        execution = Execution.from_json(text)
        if not execution.unsure:
            save(root, task.key, text)
    return execution


def has(root: Path, key: str) -> bool:
    return _path(root, key).is_file()


def save(root: Path, key: str, execution: str) -> None:
    """Keep an Execution, as JSON."""
    path = _path(root, key)
    make_private(path.parent)
    write_atomic(path, gzip.compress(execution.encode(), 1))


def load(root: Path, key: str) -> Execution | None:
    """A kept execution. What a busy machine may have spoilt, and what is very large, is kept for one use only."""
    path = _path(root, key)
    try:
        data = path.read_bytes()
        execution = Execution.from_json(gzip.decompress(data).decode())
    except (OSError, EOFError, ValueError, KeyError, TypeError):  # there is none, or a disk has damaged it
        return None
    if execution.unsure or len(data) > MOST:
        path.unlink(missing_ok=True)
    else:
        os.utime(path)
    return execution


def remove_old(root: Path) -> None:
    """Remove what was of no use for a long time."""
    for path in _path(root, "").parent.glob("*"):
        if path.stat().st_mtime < time.time() - DAYS * 86_400:
            path.unlink()


def _path(root: Path, key: str) -> Path:
    return root / "build" / "executions" / f"{key}.json.gz"
