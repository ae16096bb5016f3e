"""Hand in notebooks and get feedback, through folders or through nbgrader's exchange if there is one."""

import datetime
import logging
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tito.errors import TitoError, dated, write_atomic
from tito.learner import notebooks
from tito.learner.layout import Workspace
from tito.syllabus import Module


@dataclass
class HandedIn:
    """The path of a submission, the problems of its cells, and the backup of an earlier one."""

    place: str
    upload: bool = False  # must the learner upload it?
    kept: Path | None = None
    problems: list[str] = field(default_factory=list)


def submit(workspace: Workspace, module: Module, to: Path | None = None) -> HandedIn:
    """Hand in a module's notebook: to `to`, else the exchange, else the class's inbox, else a folder to upload from."""
    path = notebooks.existing(workspace, module)
    _, _, rebuilt = notebooks.rebuilt(workspace, module)
    problems = list(rebuilt.problems.values())
    if to is None and workspace.exchange:
        return HandedIn(_to_exchange(workspace, module, path), problems=problems)
    files = {path.name: path.read_bytes()}
    stamped = {**files, "timestamp.txt": timestamp().encode()}
    if to is not None:
        place, kept = _put(to.expanduser().absolute() / module.slug, stamped)
    elif workspace.class_folder:
        inbox = _class_folder(workspace) / "inbox" / workspace.require_student()
        place, kept = _put(inbox / module.slug, stamped)
    else:
        place, kept = _put(workspace.root / "handin" / module.slug, files)
        return HandedIn(str(place / path.name), True, kept, problems)
    return HandedIn(str(place), False, kept, problems)


def timestamp() -> str:
    """Return the current time as nbgrader writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _class_folder(workspace: Workspace) -> Path:
    folder = workspace.class_folder
    if not folder.is_dir():
        raise TitoError(f"there is no class folder {folder}. Is it mounted, and is its name in workspace.toml right?", code=1)
    return folder


def _put(folder: Path, files: dict[str, bytes]) -> tuple[Path, Path | None]:
    """Replace a folder in one step by one with exactly these files. Keep the earlier one beside it, with the date."""
    kept = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            new.chmod(0o755)
            for name, data in files.items():
                write_atomic(new / name, data)
            if folder.exists():
                kept = folder.rename(dated(folder))
            new.rename(folder)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            if kept and not folder.exists():
                kept.rename(folder)
            raise
    except OSError as error:
        raise TitoError(f"{folder} cannot be written: {error.strerror}", code=1) from None
    return folder, kept


# -- what came back ---------------------------------------------------------------------------------------------------


def feedback(workspace: Workspace, module: Module, source: Path | None = None) -> Path:
    """Copy the feedback pages of a module into the workspace, and return the first page."""
    workspace.require_released(module)
    if source is None and workspace.exchange:
        pages = _from_exchange(workspace, module)
    else:
        pages = {page.name: page.read_bytes() for page in _pages(workspace, module, source)}
    target = workspace.root / "feedback" / module.slug
    for name, data in pages.items():
        page = target / name
        if page.is_file() and page.read_bytes() != data:
            page.rename(dated(page))
        write_atomic(page, data)
    return target / min(pages)


def _pages(workspace: Workspace, module: Module, source: Path | None) -> list[Path]:
    if source is not None and source.is_file():
        return [source]
    if source is not None:
        places = [source.expanduser() / module.slug]
        places += [source.expanduser() / workspace.student / module.slug] if workspace.student else []
    elif workspace.class_folder:
        places = [_class_folder(workspace) / "feedback" / workspace.require_student() / module.slug]
    else:
        raise TitoError("where is your feedback? Use --from FILE or FOLDER, or write class_folder into workspace.toml")
    pages = [page for place in places for page in sorted(place.glob("*.html"))]
    if not pages:
        raise TitoError(f"there is no feedback on {module} yet in {' and '.join(map(str, places))}", code=1)
    return pages


# -- nbgrader's exchange ----------------------------------------------------------------------------------------------


def _to_exchange(workspace: Workspace, module: Module, path: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="tito-") as folder:
        staged = Path(folder, module.slug)
        staged.mkdir()
        shutil.copyfile(path, staged / path.name)
        submission = _exchange("ExchangeSubmit", workspace, module, folder)
    return submission.assignment_filename


def _from_exchange(workspace: Workspace, module: Module) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="tito-") as folder:
        _exchange("ExchangeFetchFeedback", workspace, module, folder)
        latest = sorted(Path(folder, module.slug, "feedback").glob("*/*.html"))[-1:]
        if not latest:
            raise TitoError(f"there is no feedback on {module} in the exchange yet", code=1)
        return {page.name: page.read_bytes() for page in latest}


def _exchange(name: str, workspace: Workspace, module: Module, folder: str):
    """Copy between `folder` and nbgrader's exchange."""
    import nbgrader.exchange.default
    from nbgrader.auth import Authenticator
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange import ExchangeError
    from traitlets.config import Config

    root, course = workspace.exchange
    config = Config({"CourseDirectory": {"root": folder, "course_id": course, "assignment_id": module.slug}})
    config.Exchange = Config({"root": str(root), "assignment_dir": folder})
    if workspace.student:
        config.CourseDirectory.student_id = workspace.student
    silent = logging.Logger("tito.exchange")  # the exception has the same message
    silent.addHandler(logging.NullHandler())
    handover = getattr(nbgrader.exchange.default, name)(
        coursedir=CourseDirectory(config=config), authenticator=Authenticator(config=config), config=config, log=silent
    )
    try:
        handover.start()
    except (ExchangeError, OSError, RuntimeError) as error:
        raise TitoError(f"nbgrader's exchange {root}: {error}", code=1) from None
    return handover
