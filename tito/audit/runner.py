"""Run a module's cells in one process. At a cell with other versions, run each version in a fork.

It reads {"cells": [[id, text, is_check]], "versions": [[key, id, text]]} and writes lines of JSON: first the outcomes, then
[key, loss] for each version. An outcome is [the cell's error or null, its answers, seconds]. A loss is [the first check that
loses a point, why], null if none does, or "no effect" if a helper of `mutants` found nothing to change.

This is not a sandbox. The author's own code runs on the author's machine.
"""

import copy
import io
import json
import os
import resource
import select
import signal
import sys
import time
import warnings
from typing import Any

import matplotlib
import numpy as np

from tito.audit import NO_EFFECT
from tito.grading import answers

SECONDS = 20  # for one cell of the reference
SLOWER = 10  # a version may take so many times as long as the reference,
LEAST_SECONDS = 2.0  # and at least so long
MEMORY = 6 << 30  # address space of one process

Cell = tuple[str, str, bool]


def main() -> None:
    task = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, io.StringIO()
    matplotlib.use("Agg")
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    signal.signal(signal.SIGALRM, stop_cell)
    cells = [tuple(cell) for cell in task["cells"]]
    outcomes = run_in_fork(lambda: {name: run(name, text, SECONDS) for name, text, _ in cells}, SECONDS * len(cells))
    if not isinstance(outcomes, dict):
        sys.exit(f"the reference could not be run: {outcomes}")
    send(out, outcomes)
    for key, loss in losses(cells, task["versions"], outcomes):
        send(out, [key, loss])


def send(out, message) -> None:
    """Write a line of JSON to the parent process."""
    out.write(json.dumps(message) + "\n")
    out.flush()


def stop_cell(*_) -> None:
    alarms.append(1)
    raise TimeoutError("it did not end in time")


alarms: list[int] = []  # one entry for each alarm in the running cell
applied: list[int] = []  # one entry for each time that a helper changed something


def run(name: str, text: str, seconds: float) -> list:
    """Run a cell and return [its error or None, its answers, its seconds]."""
    given: list = []
    answers.publish = given.append
    alarms.clear()
    start = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds / 4)  # repeatedly: the cell may catch the first one
    try:
        try:
            exec(compile(text, f"<{name}>", "exec"), SPACE)
            problem = None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except BaseException as error:  # a version may raise anything
        problem = f"{type(error).__name__}: {error}"
    if alarms:
        problem = f"TimeoutError: it did not end within {seconds:.0f} s"
    return [problem, given, time.monotonic() - start]


def losses(cells: list[Cell], versions: list, outcomes: dict):
    for place, (name, text, _) in enumerate(cells):
        for key, cell, other in versions:
            if cell == name:
                rest = [(name, other, False), *cells[place + 1 :]]
                patience = sum(limit(outcomes, cell[0]) for cell in rest)
                loss = run_in_fork(lambda rest=rest: find_first_loss(rest, outcomes), patience)
                yield key, [name, loss] if isinstance(loss, str) and loss != NO_EFFECT else loss
        run(name, text, SECONDS)


def limit(outcomes: dict, name: str) -> float:
    return max(LEAST_SECONDS, SLOWER * outcomes[name][2])


def find_first_loss(cells: list[Cell], outcomes: dict) -> list | str | None:
    """Return the first check that loses a point, and why."""
    for name, text, is_check in cells:
        problem, given, _ = run(name, text, limit(outcomes, name))
        if is_check and (message := find_loss(problem, given, outcomes[name][1])):
            return [name, message]
    helped = any(helper in cells[0][1] for helper in ("in_another_dtype(", "after_changing("))
    return NO_EFFECT if helped and not applied else None


def find_loss(problem: str | None, given: list, expected: list) -> str | None:
    if problem or len(given) != len(expected):
        return problem or f"{len(given)} answers of {len(expected)}"
    pairs = zip(given, expected, strict=True)
    wrong = (answers.mismatch(answers.Answer.read(a), answers.Answer.read(b)) for a, b in pairs)
    return next((f"an answer {message}" for message in wrong if message), None)


def run_in_fork(work, seconds: float) -> Any:
    """Run `work` in a child process, so that it cannot change our objects. Return its result, or why it died."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            with os.fdopen(writer, "w") as pipe:
                json.dump(work(), pipe)
        finally:
            os._exit(0)
    os.close(writer)
    chunks, end = [], time.monotonic() + seconds
    while select.select([reader], [], [], max(0.0, end - time.monotonic()))[0]:
        chunks.append(os.read(reader, 1 << 20))
        if not chunks[-1]:
            break
    else:
        os.kill(child, signal.SIGKILL)
    os.close(reader)
    os.waitpid(child, 0)
    try:
        return json.loads(b"".join(chunks))
    except ValueError:
        return "its process died, or was killed when its time was up"


# -- what mutants call ---------------------------------------------------------------------------------------------

OTHER = {"b": np.int64, "i": np.float64, "u": np.float64}


def in_another_dtype(value: Any) -> Any:
    """Convert an array or tensor, also in a tuple or list, to the dtype that a careless author would get."""
    if type(value) in (tuple, list):
        return type(value)(in_another_dtype(item) for item in value)
    array = value if isinstance(value, np.ndarray) else getattr(value, "data", None)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        return value
    other = OTHER.get(array.dtype.kind) or (np.float64 if array.dtype != np.float64 else np.float32)
    applied.append(1)
    if array is value:
        return array.astype(other)
    value = copy.copy(value)
    value.data = array.astype(other)
    return value


def after_changing(result: Any, given: Any) -> Any:
    """Change the input `given` in place, as `+=` or `sort` would, then return `result`."""
    array = given if isinstance(given, np.ndarray) else getattr(given, "data", None)
    if isinstance(given, tuple):
        for item in given:
            after_changing(None, item)
    elif isinstance(array, np.ndarray):
        if array.size and array.flags.writeable:
            change, *others = (np.logical_not,) if array.dtype == bool else (np.add, 1)
            change(array, *others, out=array, casting="unsafe")  # in place: some checks would notice extra memory
            applied.append(1)
    elif isinstance(given, list | dict | set) and given:
        given.popitem() if isinstance(given, dict) else given.pop()
        applied.append(1)
    return result


# The names of the notebook.
SPACE = {"__name__": "__main__", "in_another_dtype": in_another_dtype, "after_changing": after_changing}

if __name__ == "__main__":
    main()
