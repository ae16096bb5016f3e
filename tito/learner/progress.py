"""Find a learner's progress from the exported package and the saved notebooks."""

import ast
import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tito import export, source
from tito.errors import TitoError, dated, write_atomic
from tito.learner import notebooks
from tito.learner.layout import Workspace
from tito.learner.solutions import is_borrowed, solved
from tito.syllabus import MODULES, Module

NOT_STARTED, IN_PROGRESS, DONE = "not started", "in progress", "done"
CHANGED, BORROWED, ABSENT = "done, changed since", "borrowed", "not in this release"


@dataclass
class Standing:
    """The state of a module: the points of its checks when they last ran (all if it is done), and the written answers."""

    module: str
    state: str
    points: float = 0
    of: float = 0
    answered: int = 0
    questions: int = 0
    hours: float = 0  # of work, from the module's metadata
    goals: list[str] = field(default_factory=list)
    note: str = ""


@dataclass
class Progress:
    modules: list[Standing]
    next: str  # what to do now


def status(workspace: Workspace) -> Progress:
    standings = {module: standing(workspace, module) for module in MODULES}
    return Progress(list(standings.values()), _next(standings))


def standing(workspace: Workspace, module: Module) -> Standing:
    exported = workspace.exported(module)
    borrowed = is_borrowed(exported)
    if not workspace.pristine(module).is_file():
        return Standing(module.slug, BORROWED if borrowed else ABSENT)
    built = exported.is_file() and not borrowed
    about = notebooks.about(workspace, module)
    aims = {"hours": about.get("hours", 0), "goals": about.get("goals", [])}
    try:
        released, checks = notebooks.visible_checks(workspace, module)
        saved = notebooks.saved(workspace, module)
        done = built and is_in_step(workspace, module, saved)
    except TitoError as error:
        return Standing(module.slug, CHANGED if built else IN_PROGRESS, **aims, note=str(error))
    of = sum(map(source.points, checks))
    texts = {source.grade_id(cell): cell.source for cell in saved}
    missing = notebooks.unanswered(released, texts)
    questions = sum(source.is_graded(cell) and cell.cell_type == "markdown" for cell in released)
    found = Standing(module.slug, DONE, of, of, questions - len(missing), questions, **aims)
    if not done:
        found.points = min(of, max(_points_as_saved(saved, checks), _points_as_checked(workspace, module)))
        touched = any(cell.execution_count for cell in saved) or notebooks.texts(saved) != notebooks.texts(released)
        found.state = CHANGED if built else IN_PROGRESS if touched else BORROWED if borrowed else NOT_STARTED
    return found


def _points_as_saved(saved: list[notebooks.Node], checks: list[notebooks.Node]) -> float:
    """Return the points of the checks that last ran without an error and are unchanged, except for white space."""
    passed = {(source.grade_id(cell), " ".join(cell.source.split())) for cell in saved if notebooks.ran_well(cell)}
    return sum(source.points(cell) for cell in checks if (source.grade_id(cell), " ".join(cell.source.split())) in passed)


def _points_as_checked(workspace: Workspace, module: Module) -> float:
    """Return the points of the visible checks at the last `tito check`, before later edits."""
    try:
        return float(json.loads(workspace.checked(module).read_text(encoding="utf-8"))["points"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def save_points(workspace: Workspace, module: Module, points: float) -> None:
    """Save the points of the visible checks for `tito status`. In a read-only workspace, do nothing."""
    with suppress(TitoError):
        write_atomic(workspace.checked(module), json.dumps({"points": points}))


def _next(standings: dict[Module, Standing]) -> str:
    """Find the next step: in the first module that is not done. Borrowed modules come after all others."""
    for module, found in standings.items():
        if found.note:
            return found.note
        if found.state in (IN_PROGRESS, CHANGED):
            return f"tito {'complete' if found.points == found.of else 'check'} {module.id}"
        if found.state == NOT_STARTED:
            return f"tito start {module.id}"
    for module, found in standings.items():
        if found.state == BORROWED and found.of:
            return f"tito start {module.id}, which is borrowed so far"
    open_questions = [module.id for module, found in standings.items() if found.answered < found.questions]
    if open_questions:
        return f"every module of this release is done, but written answers are missing in {', '.join(open_questions)}"
    return "every module of this release is done"


# -- checks before a command ------------------------------------------------------------------------------------------


def require_earlier_modules(workspace: Workspace, module: Module) -> None:
    """Raise a TitoError if an earlier module is neither built nor borrowed: the notebook imports them."""
    workspace.require_released(module)
    for before in workspace.released():
        if before < module and not workspace.exported(before).is_file():
            borrow = f", or borrow it with `tito borrow {before.id}`" if solved(workspace, before) else ""
            raise TitoError(
                f"{module} builds on {before}, which is not done yet. Run `tito start {before.id}`, "
                f"then `tito complete {before.id}`{borrow}",
                code=1,
            )


def notebook_to_start(workspace: Workspace, module: Module) -> Path:
    """Return the notebook to open for a module, if the earlier modules are done."""
    require_earlier_modules(workspace, module)
    notebooks.saved(workspace, module)
    return notebooks.existing(workspace, module)


def reset(workspace: Workspace, module: Module) -> Path | None:
    """Put the released notebook back. Return the backup of the learner's own, if there was one."""
    workspace.require_released(module)
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


# -- is the exported file up to date with the notebook? ---------------------------------------------------------------


def is_in_step(workspace: Workspace, module: Module, saved: list[notebooks.Node]) -> bool:
    """Is the exported file up to date with the notebook? Rendering takes seconds, so a note remembers the last answer."""
    note = _note(workspace, module)
    if note.is_file() and note.read_bytes() == _fingerprint(workspace, module, saved):
        return True
    from tito.grading.rebuild import rebuild

    notebook = rebuild(notebooks.pristine(workspace, module), saved).notebook
    text = export.render(notebook, module, f"modules/{module.slug}.ipynb")
    if not same_code(text, workspace.exported(module).read_text(encoding="utf-8", errors="replace")):
        return False
    with suppress(TitoError):  # the note only saves time, so a read-only workspace is fine
        write_atomic(note, _fingerprint(workspace, module, saved))
    return True


def same_code(text: str, other: str) -> bool:
    """Do two files contain the same code? An editor may have reformatted one."""
    if text == other:
        return True
    try:
        return ast.dump(ast.parse(text)) == ast.dump(ast.parse(other))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def note_export(workspace: Workspace, module: Module) -> None:
    """Note that a module was exported just now."""
    saved = notebooks.saved(workspace, module)
    write_atomic(_note(workspace, module), _fingerprint(workspace, module, saved))


def _note(workspace: Workspace, module: Module) -> Path:
    return workspace.root / ".tito" / "in-step" / module.slug


def _fingerprint(workspace: Workspace, module: Module, saved: list[notebooks.Node]) -> bytes:
    digest = hashlib.sha256(json.dumps(notebooks.texts(saved)).encode())
    digest.update(workspace.pristine(module).read_bytes() + workspace.exported(module).read_bytes())
    return digest.hexdigest().encode()
