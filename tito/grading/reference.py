"""The pristine notebook, and the reference's answers to the hidden checks, against which submissions are graded."""

import hashlib
import json
from functools import cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tito import source
from tito.errors import TitoError
from tito.grading import execution_cache
from tito.grading.answers import Answer
from tito.grading.execute import Execution, Task
from tito.grading.rebuild import Rebuilt
from tito.syllabus import Module


def released(course: Path, assignment: str) -> NotebookNode:
    """Read the notebook that learners got."""
    return _read(course / "release" / assignment / f"{assignment}.ipynb", assignment)


def solved(course: Path, assignment: str) -> NotebookNode:
    """Read the instructor's notebook, with solutions and hidden checks."""
    return _read(course / "source" / assignment / f"{assignment}.ipynb", assignment)


def _read(path: Path, assignment: str) -> NotebookNode:
    if not path.is_file():
        raise TitoError(f"{path} does not exist. Run `tito course generate {assignment}`")
    return _parse(path, path.stat().st_mtime_ns)


@cache
def _parse(path: Path, changed: int) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def pristine_for_grading(course: Path, assignment: str) -> NotebookNode:
    """Return the released notebook with the text of its hidden checks put back."""
    return with_hidden_checks(released(course, assignment), solved(course, assignment))


def with_hidden_checks(release: NotebookNode, solution: NotebookNode) -> NotebookNode:
    """Copy a release, and give all its checks the text that they have in the solved notebook."""
    texts = {cell.id: cell.source for cell in solution.cells}
    cells = [NotebookNode(cell) for cell in release.cells]
    for cell in cells:
        if source.is_check(cell):
            cell.source = texts[cell.id]
    return NotebookNode({**release, "cells": cells, "metadata": NotebookNode(release.metadata)})


def answers(root: Path, course: Path, module: Module, limits: dict[str, int], sandboxed: bool) -> dict[str, list[Answer]]:
    """Return the reference's answers by grade_id. The solved notebook runs in the same sandbox; its execution is cached."""
    return answers_of(root, solved(course, module.slug), module, limits, sandboxed, keep_in=root)


def answers_of(
    root: Path, notebook: NotebookNode, module: Module, limits: dict[str, int], sandboxed: bool, keep_in: Path
) -> dict[str, list[Answer]]:
    """Return the answers of a solved notebook on the package of `root`. The execution is cached below `keep_in`."""
    execution = execution_cache.execute_once(keep_in, task(root, notebook, module, limits, sandboxed))
    _check_reference(module, notebook, execution)
    return {name: [Answer.read(text) for text in ran.answers] for name, ran in execution.cells.items() if ran.answers}


def task(root: Path, notebook: NotebookNode, module: Module, limits: dict[str, int], sandboxed: bool) -> Task:
    """Make the task that runs a notebook on the reference's earlier modules."""
    return Task.of(notebook, module, root / "tinytorch", limits, sandboxed)


def _check_reference(module: Module, notebook: NotebookNode, execution: Execution) -> None:
    """Raise a TitoError if the reference fails its own checks, because nobody can be graded by them then."""
    problems = {name: ": ".join(ran.error) for name, ran in execution.cells.items() if ran.error}
    if execution.ended:
        problems[execution.ended_in] = execution.ended
    for cell in filter(source.is_hidden, notebook.cells):
        if cell.id not in problems and not execution.cells[cell.id].answers:
            problems[cell.id] = "no answer"
    for name, problem in problems.items():
        raise TitoError(f"the reference solution of {module} fails its own checks: cell {name}: {problem}", code=1)
    if not execution.canaries_failed:
        raise TitoError(f"in the kernel of {module}, an assertion that must fail passes", code=1)


def grading_key(root: Path, course: Path, module: Module, rebuilt: Rebuilt, execution: Task) -> str:
    """Return a hash of all that determines the grade of a submission. It is graded again only if this changes."""
    cells = [[cell.id, cell.cell_type, cell.source, cell.metadata.get("nbgrader")] for cell in rebuilt.notebook.cells]
    keys = [execution.key, task(root, solved(course, module.slug), module, execution.limits, execution.sandboxed).key]
    facts = [cells, keys, rebuilt.problems, rebuilt.unreadable, _tool()]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@cache
def _tool() -> str:
    """Return a hash of the code that turns an execution into points."""
    paths = [*sorted(Path(__file__).parent.glob("*.py")), Path(source.__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
