"""A cache of executions by the hash of their task, so that none is repeated.

It is the folder `build/executions`, which only this user can open. It may be removed at any time.
"""

import gzip
import os
import time
from pathlib import Path

from tito.errors import make_private, write_atomic
from tito.grading import sandbox
from tito.grading.execute import Execution, Task, run

MOST = 4 << 20  # a file with more bytes is used once
DAYS = 60  # a file is removed so long after its last use


def execute_once(root: Path, task: Task) -> Execution:
    """Return the cached execution of a task, or run it here."""
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
    """Save an Execution, given as JSON."""
    path = _path(root, key)
    make_private(path.parent)
    write_atomic(path, gzip.compress(execution.encode(), 1))


def load(root: Path, key: str) -> Execution | None:
    """Load an execution, or None. An unsure or very large one is removed when it is loaded."""
    path = _path(root, key)
    try:
        data = path.read_bytes()
        execution = Execution.from_json(gzip.decompress(data).decode())
    except (OSError, EOFError, ValueError, KeyError, TypeError):  # the file is missing or damaged
        return None
    if execution.unsure or len(data) > MOST:
        path.unlink(missing_ok=True)
    else:
        os.utime(path)
    return execution


def remove_old(root: Path) -> None:
    """Remove files that were not used for a long time."""
    for path in _path(root, "").parent.glob("*"):
        if path.stat().st_mtime < time.time() - DAYS * 86_400:
            path.unlink()


def _path(root: Path, key: str) -> Path:
    return root / "build" / "executions" / f"{key}.json.gz"
