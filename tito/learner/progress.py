"""How far a learner is, read from the files: the exported package, and the notebooks as they were last saved."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tito import export, source
from tito.errors import TitoError, dated, write_atomic
from tito.learner import notebooks
from tito.learner.layout import Workspace
from tito.syllabus import MODULES, Module

NOT_STARTED, IN_PROGRESS, DONE = "not started", "in progress", "done"
CHANGED, ABSENT = "done, changed since", "not in this release"


@dataclass
class Standing:
    """Where a module stands: points of its visible checks, all if it is done, else as last run in the notebook."""

    module: str
    state: str
    points: float = 0
    of: float = 0
    note: str = ""


@dataclass
class Progress:
    modules: list[Standing]
    next: str  # what to do now


def status(workspace: Workspace) -> Progress:
    standings = {module: standing(workspace, module) for module in MODULES}
    steps = (_step(module, found) for module, found in standings.items())
    return Progress(list(standings.values()), next(filter(None, steps), "every module of this release is done"))


def standing(workspace: Workspace, module: Module) -> Standing:
    if not workspace.pristine(module).is_file():
        return Standing(module.slug, ABSENT)
    exported = workspace.exported(module).is_file()
    try:
        released, checks = notebooks.visible_checks(workspace, module)
        of = sum(map(source.points, checks))
        saved = notebooks.saved(workspace, module)
        if exported and in_step(workspace, module, saved):
            return Standing(module.slug, DONE, of, of)
    except TitoError as error:
        return Standing(module.slug, CHANGED if exported else IN_PROGRESS, note=str(error))
    points = _points_as_saved(saved, checks)
    if exported:
        return Standing(module.slug, CHANGED, points, of)
    touched = any(cell.execution_count for cell in saved) or notebooks.texts(saved) != notebooks.texts(released)
    return Standing(module.slug, IN_PROGRESS if touched else NOT_STARTED, points, of)


def _points_as_saved(saved: list[notebooks.Node], checks: list[notebooks.Node]) -> float:
    """Points of the checks that were last run without an error, and are as they were released."""
    passed = {(source.grade_id(cell), cell.source) for cell in saved if notebooks.ran_well(cell)}
    return sum(source.points(cell) for cell in checks if (source.grade_id(cell), cell.source) in passed)


def _step(module: Module, found: Standing) -> str | None:
    if found.note:
        return found.note
    if found.state == NOT_STARTED:
        return f"tito start {module.id}"
    if found.state in (IN_PROGRESS, CHANGED):
        return f"tito {'complete' if found.points == found.of else 'check'} {module.id}"
    return None


# -- what a command needs before it begins ----------------------------------------------------------------------------


def must_be_next(workspace: Workspace, module: Module) -> None:
    """Every released module before this one must have been exported: its notebook imports them."""
    workspace.must_have(module)
    for before in workspace.released():
        if before < module and not workspace.exported(before).is_file():
            raise TitoError(
                f"{module} builds on {before}, which is not done yet: `tito start {before.id}`, "
                f"then `tito complete {before.id}`",
                code=1,
            )


def to_start(workspace: Workspace, module: Module) -> Path:
    """The notebook to open for a module whose turn it is."""
    must_be_next(workspace, module)
    notebooks.saved(workspace, module)
    return notebooks.existing(workspace, module)


def reset(workspace: Workspace, module: Module) -> Path | None:
    """Put the released notebook back; returns where the learner's own is kept, if there was one."""
    workspace.must_have(module)
    notebooks.visible_checks(workspace, module)
    path, kept = workspace.notebook(module), None
    if path.exists() or path.is_symlink():
        kept = path.rename(dated(path))
    try:
        write_atomic(path, workspace.pristine(module).read_bytes())
    except TitoError:
        if kept:
            kept.rename(path)
        raise
    return kept


# -- is the exported file what the notebook would export now? ---------------------------------------------------------


def in_step(workspace: Workspace, module: Module, saved: list[notebooks.Node]) -> bool:
    """Rendering takes seconds. A note of what was last found in step saves them; it is void if anything changed."""
    note = _note(workspace, module)
    if note.is_file() and note.read_bytes() == _fingerprint(workspace, module, saved):
        return True
    from tito.grading.rebuild import rebuild

    notebook = rebuild(notebooks.pristine(workspace, module), saved).notebook
    text = export.render(notebook, module, f"modules/{module.slug}.ipynb")
    if text.encode() != workspace.exported(module).read_bytes():
        return False
    with suppress(TitoError):  # it saves time next time; to look needs no right to write
        write_atomic(note, _fingerprint(workspace, module, saved))
    return True


def remember(workspace: Workspace, module: Module) -> None:
    """Note that a module was exported just now."""
    saved = notebooks.saved(workspace, module)
    write_atomic(_note(workspace, module), _fingerprint(workspace, module, saved))


def _note(workspace: Workspace, module: Module) -> Path:
    return workspace.root / ".tito" / "in-step" / module.slug


def _fingerprint(workspace: Workspace, module: Module, saved: list[notebooks.Node]) -> bytes:
    digest = hashlib.sha256(json.dumps(notebooks.texts(saved)).encode())
    digest.update(workspace.pristine(module).read_bytes() + workspace.exported(module).read_bytes())
    return digest.hexdigest().encode()
