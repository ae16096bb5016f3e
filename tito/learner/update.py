"""Update a workspace to a newer release: its notebooks, with the learner's answers in them, and in a kit also the tool.

A newer release comes from the repository that made the workspace, or from a newer kit: a folder, or a git repository.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tito import source
from tito.errors import TitoError, dated, file_timestamp, replace_with_backup, write_atomic
from tito.learner import making, notebooks, solutions
from tito.learner.layout import PUBLISHED, Workspace
from tito.syllabus import MODULES, Module

# The files of a kit beside its notebooks. A workspace's own files, such as workspace.toml, are never changed.
KIT_FILES = (
    "README.md", "LICENSE", "requirements.txt", "pyproject.toml", "binder/*", f"{PUBLISHED}/*.py", "tinytorch/*.py",
    "tinytorch/core/*.py", "tinytorch/datasets/*", "tito/**/*",
)  # fmt: skip
ADDRESS = re.compile(r"^(\w+://|[\w.-]+@[\w.-]+:)")

Cell = dict[str, Any]


@dataclass
class Change:
    """The change of a notebook or a file, the backup of the learner's, and the answers that have no place in the newer one."""

    what: str
    how: str
    kept: Path | None = None
    lost: list[str] = field(default_factory=list)


@dataclass
class Release:
    """A newer release for one workspace. `changes` applies it, one notebook at a time."""

    workspace: Workspace
    texts: Iterable[tuple[Module, str]]
    files: dict[str, bytes]  # by their path in the workspace
    count: int

    def changes(self) -> Iterator[Change]:
        for module, text in self.texts:
            yield _update_notebook(self.workspace, module, text)
        kept = self.workspace.root / ".tito" / "backup" / file_timestamp()
        for name, data in self.files.items():
            if replace_with_backup(self.workspace.root, name, data, kept):
                before = kept / name
                yield Change(name, "updated", before) if before.is_file() else Change(name, "added")


@contextmanager
def find_newer(workspace: Workspace, place: str | None) -> Iterator[Release]:
    """Find the newer release: at `place`, else where workspace.toml says, else in the repository."""
    place = place or workspace.settings.get("kit")
    root = solutions.repository(workspace)
    if place is None and root:
        from tito import release

        yield Release(workspace, release.releases(root), _package_files(workspace, root), len(source.paths(root)))
        return
    if place is None:
        raise TitoError('where is the newer kit? Use --from FOLDER or ADDRESS, or write kit = "..." into workspace.toml')
    with tempfile.TemporaryDirectory(prefix="tito-") as folder:
        kit = _clone(place, Path(folder, "kit")) if ADDRESS.match(place) else Path(place).expanduser()
        texts = {}
        for module in MODULES:
            pristine = Workspace(kit).pristine(module)
            if pristine.is_file():
                texts[module] = pristine.read_text(encoding="utf-8")
        if not texts or kit.resolve() == workspace.root.resolve():
            raise TitoError(f"{place} is not another kit of a class: it has no .tito/release", code=1)
        files = {}
        for path in (path for pattern in KIT_FILES for path in sorted(kit.glob(pattern))):
            name = path.relative_to(kit).as_posix()
            if path.is_file() and "__pycache__" not in path.parts and not _is_built(workspace, name):
                files[name] = path.read_bytes()
        yield Release(workspace, texts.items(), files, len(texts))


def _clone(address: str, folder: Path) -> Path:
    try:
        done = subprocess.run(
            ["git", "clone", "--quiet", "--depth", "1", "--", address, str(folder)],
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise TitoError("git is not installed. Download the newer kit, and use --from FOLDER") from None
    if done.returncode:
        raise TitoError(f"git cannot fetch {address}: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}", code=1)
    return folder


def _package_files(workspace: Workspace, root: Path) -> dict[str, bytes]:
    """Return the files of the package that no module builds, and the newer version of borrowed modules."""
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in making.handwritten(root)}
    for module in MODULES:
        if solutions.is_borrowed(workspace.exported(module)) and solutions.solved(workspace, module):
            text = solutions.render_borrowed(solutions.read_solution(workspace, module), module)
            files[f"tinytorch/core/{module.name}.py"] = text.encode()
    return files


def _is_built(workspace: Workspace, name: str) -> bool:
    """Is this a module that the learner has built? A kit's given module must not replace it."""
    path = workspace.root / name
    return name in {f"tinytorch/core/{module.name}.py" for module in MODULES} and (
        path.is_file() and not solutions.is_borrowed(path)
    )


# -- notebooks --------------------------------------------------------------------------------------------------------


def _update_notebook(workspace: Workspace, module: Module, text: str) -> Change:
    pristine, path = workspace.pristine(module), workspace.notebook(module)
    if pristine.is_file() and pristine.read_text(encoding="utf-8") == text and path.is_file():
        return Change(str(module), "has not changed")
    if not path.is_file():
        change, written = Change(str(module), "added"), text
    else:
        released, mine = _cells(pristine), _cells(path)
        written, lost = merge_notebook(json.loads(text), released, mine)
        change = Change(str(module), "updated, with your answers in it", lost=lost)
        if not mine:
            change.how = "replaced, because yours could not be read"
        if not pristine.is_file() or path.read_bytes() != pristine.read_bytes():
            change.kept = dated(path)
            write_atomic(change.kept, path.read_bytes())
        else:
            change.how = "updated"
    write_atomic(path, written)  # before the release, so that after an interruption the same command continues
    write_atomic(pristine, text)
    return change


def _cells(path: Path) -> list[Cell]:
    from tito.grading.rebuild import read_submission

    try:
        return read_submission(path)
    except TitoError:
        return []


def merge_notebook(newer: dict[str, Any], released: list[Cell], mine: list[Cell]) -> tuple[str, list[str]]:
    """Return the newer notebook with the learner's answers and added cells, and the answers that have no place in it."""
    notebook = copy.deepcopy(newer)
    before = {_name(cell): _text(cell) for cell in released if _name(cell)}
    answers = {name: _text(cell) for cell in mine if (name := _name(cell)) and _text(cell) != before.get(name)}
    solved = {name for cell in notebook["cells"] if (name := _name(cell)) and _is_solution(cell)}
    for cell in notebook["cells"]:
        if _name(cell) in answers and _is_solution(cell):
            cell["source"] = answers[_name(cell)]
    own = _added_cells(mine, [*released, *newer["cells"]])
    together = []
    for cell in notebook["cells"]:
        together += [cell, *(own.pop(_name(cell), []) if _name(cell) else [])]
    notebook["cells"] = together + [cell for cells in own.values() for cell in cells]
    was_solution = {_name(cell) for cell in released if _is_solution(cell)}
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", sorted((answers.keys() & was_solution) - solved)


def _added_cells(mine: list[Cell], known: list[Cell]) -> dict[str | None, list[Cell]]:
    """Return the cells that the learner added, by the graded cell before them."""
    ids, texts = {cell.get("id") for cell in known}, {_text(cell).strip() for cell in known}
    own: dict[str | None, list[Cell]] = {}
    after = None
    for cell in mine:
        if _name(cell):
            after = _name(cell)
        elif cell.get("id") not in ids and _text(cell).strip() not in texts | {""}:
            own.setdefault(after, []).append(cell)
    return own


def _name(cell: Cell) -> str | None:
    return source.grade_id(notebooks.node(cell))


def _is_solution(cell: Cell) -> bool:
    return source.is_solution(notebooks.node(cell))


def _text(cell: Cell) -> str:
    return notebooks.node(cell).source
