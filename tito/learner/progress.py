"""How far a learner is, read from the files: the exported package, and the notebooks as they were last saved."""

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
    """Where a module stands: points of its checks, all if it is done, else as they last ran; and written answers."""

    module: str
    state: str
    points: float = 0
    of: float = 0
    answered: int = 0
    questions: int = 0
    hours: float = 0  # of work, as the module states them
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
        done = built and in_step(workspace, module, saved)
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
    """Points of the checks that were last run without an error, and are as they were released but for white space."""
    passed = {(source.grade_id(cell), " ".join(cell.source.split())) for cell in saved if notebooks.ran_well(cell)}
    return sum(source.points(cell) for cell in checks if (source.grade_id(cell), " ".join(cell.source.split())) in passed)


def _points_as_checked(workspace: Workspace, module: Module) -> float:
    """Points of the visible checks at the last `tito check`, before whatever was edited since."""
    try:
        return float(json.loads(workspace.checked(module).read_text(encoding="utf-8"))["points"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def note_check(workspace: Workspace, module: Module, points: float) -> None:
    """Keep what the visible checks earned, for `tito status`; where nothing can be written, they are told all the same."""
    with suppress(TitoError):
        write_atomic(workspace.checked(module), json.dumps({"points": points}))


def _next(standings: dict[Module, Standing]) -> str:
    """The first module in which something is to do; what is borrowed can wait until the others are done."""
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
        return f"every module of this release is done, and written answers are missing in {', '.join(open_questions)}"
    return "every module of this release is done"


# -- what a command needs before it begins ----------------------------------------------------------------------------


def must_be_next(workspace: Workspace, module: Module) -> None:
    """Every released module before this one must have been built or borrowed: its notebook imports them."""
    workspace.must_have(module)
    for before in workspace.released():
        if before < module and not workspace.exported(before).is_file():
            borrow = f", or borrow it: `tito borrow {before.id}`" if solved(workspace, before) else ""
            raise TitoError(
                f"{module} builds on {before}, which is not done yet: `tito start {before.id}`, "
                f"then `tito complete {before.id}`{borrow}",
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
    if not same_code(text, workspace.exported(module).read_text(encoding="utf-8", errors="replace")):
        return False
    with suppress(TitoError):  # it saves time next time; to look needs no right to write
        write_atomic(note, _fingerprint(workspace, module, saved))
    return True


def same_code(text: str, other: str) -> bool:
    """Do two files say the same to Python? An editor may have changed how they look."""
    if text == other:
        return True
    try:
        return ast.dump(ast.parse(text)) == ast.dump(ast.parse(other))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


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
