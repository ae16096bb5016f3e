"""What submissions are measured against: the pristine notebook, and the reference's answers to the hidden checks."""

import hashlib
import json
from functools import cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

import tito
from tito import source
from tito.errors import TitoError, keep_private, write_atomic
from tito.grading.answers import Answer
from tito.grading.execute import Execution, execute
from tito.grading.rebuild import Rebuilt
from tito.syllabus import MODULES, Module


def released(course: Path, assignment: str) -> NotebookNode:
    """The notebook that learners got."""
    return _read(course / "release" / assignment / f"{assignment}.ipynb", assignment)


def solved(course: Path, assignment: str) -> NotebookNode:
    """The instructor's notebook: with solutions and hidden checks."""
    return _read(course / "source" / assignment / f"{assignment}.ipynb", assignment)


def _read(path: Path, assignment: str) -> NotebookNode:
    if not path.is_file():
        raise TitoError(f"{path} does not exist: run `tito course generate {assignment}`")
    return _parse(path, path.stat().st_mtime_ns)


@cache
def _parse(path: Path, changed: int) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def pristine_for_grading(course: Path, assignment: str) -> NotebookNode:
    """The released notebook with the text of its hidden checks put back."""
    release, texts = released(course, assignment), {cell.id: cell.source for cell in solved(course, assignment).cells}
    cells = [NotebookNode(cell) for cell in release.cells]
    for cell in cells:
        if source.is_check(cell):
            cell.source = texts[cell.id]
    return NotebookNode({**release, "cells": cells, "metadata": NotebookNode(release.metadata)})


def answers(root: Path, course: Path, module: Module, limits: dict[str, int], sandboxed: bool) -> dict[str, list[Answer]]:
    """The reference's answers by grade_id: what the solved notebook hands in, in the same sandbox. Kept until it changes."""
    notebook = solved(course, module.slug)
    kept = root / "build" / "answers" / f"{module.slug}-{fingerprint(notebook, root / 'tinytorch', module, limits)}.json"
    if not kept.is_file():
        execution = execute(notebook, module, root / "tinytorch", limits, sandboxed)
        _must_be_sound(module, notebook, execution)
        keep_private(kept.parent)
        write_atomic(kept, json.dumps({name: ran.answers for name, ran in execution.cells.items() if ran.answers}))
    messages = json.loads(kept.read_text(encoding="utf-8"))
    return {name: [Answer.read(text) for text in texts] for name, texts in messages.items()}


def _must_be_sound(module: Module, notebook: NotebookNode, execution: Execution) -> None:
    """The reference has to pass its own checks, or nobody can be graded by them."""
    problems = {name: ": ".join(ran.error) for name, ran in execution.cells.items() if ran.error}
    if execution.ended:
        problems[execution.ended_in] = execution.ended
    for cell in filter(source.is_hidden, notebook.cells):
        if cell.id not in problems and not execution.cells[cell.id].answers:
            problems[cell.id] = "no answer"
    for name, problem in problems.items():
        raise TitoError(f"the reference solution of {module} fails its own checks: cell {name}: {problem}", code=1)
    if not execution.canaries_failed:
        raise TitoError(f"in the kernel of {module} an assertion that must fail does not", code=1)


def grading_key(root: Path, module: Module, rebuilt: Rebuilt, limits: dict[str, int], sandboxed: bool) -> str:
    """What determines the grade of a rebuilt submission: grading again is idle unless this has changed."""
    parts = [fingerprint(rebuilt.notebook, root / "tinytorch", module, limits), rebuilt.problems, rebuilt.unreadable]
    return hashlib.sha256(json.dumps([*parts, sandboxed], sort_keys=True).encode()).hexdigest()


def fingerprint(notebook: NotebookNode, package: Path, module: Module, limits: dict[str, int]) -> str:
    """A hash of all that determines what a notebook does: its cells, its prefix, the limits, and this tool."""
    digest = hashlib.sha256(json.dumps([limits, [[cell.id, cell.source] for cell in notebook.cells]]).encode())
    prefix = [package / "__init__.py", *(package / "core" / f"{before.name}.py" for before in MODULES[: module.number])]
    tool = sorted(Path(tito.__file__).parent.glob("grading/*.py"))
    for path in [*prefix, *tool, Path(source.__file__), *sorted((package / "datasets").glob("*"))]:
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:24]
