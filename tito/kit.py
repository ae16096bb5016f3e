"""The repository that the learners of a class get: a workspace, and all it needs to stand alone."""

import json
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from string import Template

from tito import release
from tito.errors import TitoError, write_atomic
from tito.learner import making
from tito.syllabus import Module

COPIED = ("LICENSE", "requirements.txt", "binder/requirements.txt", "binder/runtime.txt", "binder/start")

LEFT_OUT = ("demo.py", "samples.py")  # the sample class fills notebooks in


def place_for(folder: Path) -> Path:
    """Where a kit may be written: new, empty, or a repository in which there is nothing yet."""
    root = folder.expanduser().absolute()
    if root.is_dir() and [path.name for path in root.iterdir()] == [".git"]:
        return root
    if (root / making.SETTINGS).exists():
        raise TitoError(f"{folder} holds a workspace: name a folder that is new or empty")
    return making.place_for(folder)


def write(root: Path, repository: Path) -> Iterator[Module]:
    """Write the kit; yields each module whose notebook is released into it."""
    write_atomic(root / "README.md", making.readme("kit"))
    write_atomic(root / ".gitignore", making.template("kit", "gitignore"))
    write_atomic(root / "pyproject.toml", _pyproject(repository))
    for name in COPIED:
        _copy(repository / name, root / name)
    for path in sorted((making.TEMPLATES / "kit" / "binder").iterdir()):
        _copy(path, root / "binder" / path.name)
    shutil.copytree(making.TEMPLATES.parent, root / "tito", ignore=shutil.ignore_patterns("__pycache__", *LEFT_OUT))
    making.settings(root, "", None)
    making.furnish(root, repository)
    for module, _ in making.bring(root, release.releases(repository)):
        yield module


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


def _pyproject(repository: Path) -> str:
    """The kit's pyproject.toml: what it depends on is stated in the repository's, and nowhere else."""
    stated = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    project = stated["project"]
    return Template(making.template("kit", "pyproject.toml")).substitute(
        build=json.dumps(stated["build-system"]["requires"]),
        version=json.dumps(project["version"]),
        python=json.dumps(project["requires-python"]),
        dependencies=json.dumps(project["dependencies"], indent=4).replace("\n]", ",\n]"),
    )
