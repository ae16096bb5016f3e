"""Runs a module's cells, and, at each cell that has other versions, each of these to its first lost check, in a fork.

Reads {"cells": [[id, text, is_check]], "versions": [[key, id, text]]} and writes {"outcomes": {id: [problem, answers]},
"lost": {key: message}}; an outcome's problem is the error a cell ended with, or null.
"""

import io
import json
import os
import signal
import sys
import warnings

import matplotlib

from tito.grading import answers

SECONDS = 20  # for one cell


def main() -> None:
    task = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, io.StringIO()
    matplotlib.use("Agg")
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, too_slow)
    outcomes = in_a_fork(lambda: {name: run(name, text) for name, text, _ in task["cells"]})
    lost = lost_by_versions(task, outcomes) if task["versions"] else {}
    json.dump({"outcomes": outcomes, "lost": lost}, out)


SPACE = {"__name__": "__main__"}  # of the notebook


def too_slow(*_) -> None:
    raise TimeoutError(f"it did not end within {SECONDS} s")


def run(name: str, text: str) -> list:
    """[the error it ended with, or None; the answers it handed in]."""
    given: list = []
    answers.publish = given.append
    signal.alarm(SECONDS)
    try:
        exec(compile(text, f"<{name}>", "exec"), SPACE)
        problem = None
    except BaseException as error:  # a submission may raise anything
        problem = f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    return [problem, given]


def lost_by_versions(task: dict, outcomes: dict) -> dict:
    lost = {}
    for place, (name, text, _) in enumerate(task["cells"]):
        for key, cell, other in task["versions"]:
            if cell == name:
                rest = [(name, other, False), *task["cells"][place + 1 :]]
                lost[key] = in_a_fork(lambda rest=rest: first_lost(rest, outcomes))
        run(name, text)
    return lost


def first_lost(cells: list, outcomes: dict) -> str | None:
    """The message of the first check that loses a point, or None."""
    for name, text, is_check in cells:
        problem, given = run(name, text)
        if is_check and (message := what_is_lost(problem, given, outcomes[name][1])):
            return message
    return None


def what_is_lost(problem: str | None, given: list, expected: list) -> str | None:
    if problem or len(given) != len(expected):
        return problem or f"{len(given)} answers of {len(expected)}"
    pairs = zip(given, expected, strict=True)
    wrong = (answers.mismatch(answers.Answer.read(a), answers.Answer.read(b)) for a, b in pairs)
    return next((f"an answer {message}" for message in wrong if message), None)


def in_a_fork(work):
    """What `work` returns, computed in a child: what it does to this process's objects is lost."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            json.dump(work(), pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else "the process ended"


if __name__ == "__main__":
    main()
