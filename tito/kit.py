"""Write the repository that the learners of a class get: a workspace, and the tool."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from string import Template

from tito import release, source
from tito.errors import TitoError, file_timestamp, replace_with_backup
from tito.learner import making, solutions
from tito.learner.layout import Workspace
from tito.syllabus import MODULES, Module

COPIED = ("LICENSE", "requirements.txt", "binder/requirements.txt", "binder/runtime.txt", "binder/start")

LEFT_OUT = ("demo.py", "samples.py")  # they hold solutions of the sample class

_IMPORTED = re.compile(r"^\s*(?:from|import) tinytorch\.core\.(\w+)", re.MULTILINE)


def check_place(folder: Path) -> Path:
    """Check that a kit can be written here: into a new or empty folder, an empty repository, or an existing kit."""
    root = folder.expanduser().absolute()
    if is_kit(root) or (root.is_dir() and [path.name for path in root.iterdir()] == [".git"]):
        return root
    if (root / making.SETTINGS).exists():
        raise TitoError(f"{folder} holds a workspace. Name a new or empty folder, or a kit")
    return making.check_place(folder)


def is_kit(root: Path) -> bool:
    return (root / making.SETTINGS).is_file() and (root / "tito" / "__init__.py").is_file()


def choose_modules(repository: Path, only: str | None, given: str | None) -> tuple[list[Module], list[Module]]:
    """Return the modules to release and the modules to give solved, from the options. All that they import must be included."""
    sources, solved = source.paths(repository), parse_modules(given or "")
    released = parse_modules(only) if only else [m for m in sources if m not in solved]
    for module in [*released, *solved]:
        if module not in sources:
            raise TitoError(f"modules/{module.slug}.py does not exist")
    if both := [module for module in released if module in solved]:
        raise TitoError(f"{both[0]} is in --only and in --given. Remove it from one: learners either build it or get it")
    for module in [*released, *solved]:
        imported = _IMPORTED.findall(sources[module].read_text(encoding="utf-8"))
        for before in MODULES[: module.number]:
            if before.name in imported and before not in [*released, *solved]:
                raise TitoError(f"{module} imports {before}, which is not in --only or --given. Add {before.id} to one of them")
    return released, solved


def parse_modules(text: str) -> list[Module]:
    """Return the modules that a person means by `02-06` or `00,01,07`."""
    from tito import syllabus

    found = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, _, last = part.partition("-")
        start, end = syllabus.module(first), syllabus.module(last or first)
        if end < start:
            raise TitoError(f"{part!r} counts backwards. Write {end.id}-{start.id}")
        found.update(MODULES[start.number : end.number + 1])
    return sorted(found)


def write_kit(root: Path, repository: Path, released: list[Module], given: list[Module]) -> Iterator[Module]:
    """Write or update a kit, and yield each module whose notebook is released into it.

    Modules from an earlier call stay. Files that change are backed up in .tito/backup.
    """
    kept = root / ".tito" / "backup" / file_timestamp()
    for name, path in _files(repository).items():
        replace_with_backup(root, name, path.read_bytes(), kept, path.stat().st_mode & 0o777)
    for name, text in (("README.md", making.readme("kit")), ("pyproject.toml", _pyproject(repository))):
        replace_with_backup(root, name, text.encode(), kept)
    making.write_settings(root)
    for module in given:
        text = solutions.render_borrowed(source.read(source.paths(repository)[module]), module)
        replace_with_backup(root, f"tinytorch/core/{module.name}.py", text.encode(), kept)
    made = Workspace(root)
    for module in released:
        text = release.release(repository, source.paths(repository)[module])
        for path in (made.pristine(module), made.notebook(module)):
            replace_with_backup(root, path.relative_to(root).as_posix(), text.encode(), kept)
        yield module


def _files(repository: Path) -> dict[str, Path]:
    """Return the files to copy into a kit unchanged, by their path in it."""
    template, tool = making.TEMPLATES / "kit", making.TEMPLATES.parent
    copied = [*(repository / name for name in COPIED), *making.handwritten(repository)]
    files = {path.relative_to(repository).as_posix(): path for path in copied}
    files |= {f"binder/{path.name}": path for path in sorted((template / "binder").iterdir())}
    files[".gitignore"] = template / "gitignore"
    for path in sorted(tool.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.name not in LEFT_OUT:
            files[f"tito/{path.relative_to(tool).as_posix()}"] = path
    return files


def _pyproject(repository: Path) -> str:
    """Make the kit's pyproject.toml, with the dependencies of the repository's."""
    stated = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    project = stated["project"]
    return Template(making.template("kit", "pyproject.toml")).substitute(
        build=json.dumps(stated["build-system"]["requires"]),
        version=json.dumps(project["version"]),
        python=json.dumps(project["requires-python"]),
        dependencies=json.dumps(project["dependencies"], indent=4).replace("\n]", ",\n]"),
    )
