"""Make a workspace: the released notebooks, and a `tinytorch` in which no module is built yet."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Template

import tito
from tito import places, source, workspace
from tito.errors import TitoError, write_atomic
from tito.learner.layout import SETTINGS, Workspace, valid_student
from tito.syllabus import Module

TEMPLATES = Path(tito.__file__).parent / "templates"
# the files of tinytorch that no module builds
HANDWRITTEN = ("__init__.py", "names.py", "threads.py", "core/__init__.py", "datasets/*")
TAKEN = ("course", "modules", "tinytorch", "tito", "book", "tests", "binder")
IMPORTS = (
    "The second cell of every notebook, `use_prefix(NN)`, makes the notebook import this workspace's own `tinytorch`: what you "
    "built in the modules before it."
)
AUDIENCE = {
    "learner": "`tito complete` runs the hidden checks too. What it exports is right, as far as the course can check.",
    "kit": (
        "In your class: `tito submit 00` hands in, and `tito feedback 00` gets the feedback. Hidden checks grade what you "
        "hand in. `tito solution` and `tito borrow` work for modules that your instructor has published."
    ),
}


def check_place(folder: Path) -> Path:
    """Check that a workspace can be made here. Raise a TitoError if it would overwrite something."""
    root = folder.expanduser().absolute()
    if (root / SETTINGS).is_file():
        return root
    if root.is_file():
        raise TitoError(f"{folder} is a file. Name a new or empty folder")
    for above in filter(places.is_repository, (root, *root.parents)):
        if root == above or root.relative_to(above).parts[0] in TAKEN:
            raise TitoError(f"{folder} belongs to the course's repository. Name another, as in `tito init workspace`")
    if root.is_dir() and any(root.iterdir()):
        raise TitoError(f"{folder} is not empty. Name a new or empty folder")
    return root


def repository() -> Path:
    """Find the course's repository, from which released notebooks are made."""
    try:
        return places.repository()
    except TitoError as error:
        found = workspace.find()
        raise TitoError(f"{found} is a workspace already. Run `tito status` there") if found else error from None


def make(
    root: Path, repository: Path, student: str = "", class_folder: Path | None = None
) -> Iterator[tuple[Module, bool]]:
    """Make a workspace, or add missing modules to an existing one. Yield each module, and whether it was added.

    Existing files are not overwritten.
    """
    from tito import release

    for path in source.paths(repository).values():
        source.read(path)  # raises for a broken source before anything is written
    write_settings(root, student, class_folder, repository)
    add_package_files(root, repository)
    yield from add_notebooks(root, release.releases(repository))


def count(repository: Path) -> int:
    """Return how many modules `make` will yield."""
    return len(source.paths(repository))


def write_settings(root: Path, student: str = "", class_folder: Path | None = None, repository: Path | None = None) -> None:
    given = {"student": valid_student(student) if student else "", "class_folder": ""}
    if class_folder:
        given["class_folder"] = str(class_folder.expanduser().absolute())
    if (root / SETTINGS).is_file():
        if any(given.values()):
            raise TitoError(f"{root} is a workspace already. Write student and class_folder into its {SETTINGS}")
        return
    given["repository"] = _relative_path(root, repository) if repository else ""
    lines = {}
    for key, value in given.items():
        lines[key] = ("" if value else "# ") + f"{key} = {json.dumps(value, ensure_ascii=False)}"
    write_atomic(root / SETTINGS, Template(template("learner", SETTINGS)).substitute(lines))


def _relative_path(root: Path, repository: Path) -> str:
    """Return the path from the workspace to the repository. It stays right when both are moved together."""
    try:
        return Path(os.path.relpath(repository.resolve(), root.resolve())).as_posix()
    except ValueError:  # they are on two drives
        return str(repository.resolve())


def handwritten(repository: Path) -> list[Path]:
    """List the files of the repository's tinytorch that no module builds."""
    found = (path for pattern in HANDWRITTEN for path in sorted((repository / "tinytorch").glob(pattern)))
    return [path for path in found if path.is_file()]


def add_package_files(root: Path, repository: Path) -> None:
    """Write all files of a workspace except its notebooks."""
    for path in handwritten(repository):
        copy_new(path, root / path.relative_to(repository))
    if not (root / "README.md").exists():
        write_atomic(root / "README.md", readme("learner"))
    (root / "modules").mkdir(exist_ok=True)


def add_notebooks(root: Path, releases: Iterable[tuple[Module, str]]) -> Iterator[tuple[Module, bool]]:
    """Add the released notebooks that are missing."""
    made = Workspace(root)
    for module, text in releases:
        lacking = not made.notebook(module).exists()
        if lacking or not made.pristine(module).exists():
            write_atomic(made.pristine(module), text)
        if lacking:
            write_atomic(made.notebook(module), text)
        yield module, lacking


def copy_new(path: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def readme(kind: str) -> str:
    """Return the README of a workspace or of a kit."""
    commands = Template(template("commands.md")).substitute(imports=IMPORTS, audience=AUDIENCE[kind])
    return Template(template(kind, "README.md")).substitute(commands=commands)


def template(*names: str) -> str:
    return TEMPLATES.joinpath(*names).read_text(encoding="utf-8")
