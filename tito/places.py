"""Find the course's repository or a learner's workspace, in the current folder or above it."""

from pathlib import Path

import tito
from tito import workspace
from tito.errors import TitoError


def is_repository(folder: Path) -> bool:
    """Is this folder the course's repository? It has sources and nbgrader's configuration."""
    return (folder / "nbgrader_config.py").is_file() and any((folder / "modules").glob("[0-9][0-9]_*.py"))


def repository() -> Path:
    """Find the course's repository at or above the current folder, else the one that this tool was installed from."""
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, Path(tito.__file__).resolve().parent.parent):
        if is_repository(folder):
            return folder
    raise TitoError(f"no repository of the course at or above {here}. Run this where modules/ and nbgrader_config.py are")


def learners_workspace() -> Path:
    """Find the workspace at or above the current folder."""
    root = workspace.find()
    if root is None or is_repository(root):
        raise TitoError(
            f"no workspace at or above {Path.cwd()}. Make one with `tito init DIR`, then run this inside it"
        )
    return root


def package_root() -> Path:
    """Find the folder of the package to use: the workspace at or above the current folder, else the repository."""
    return workspace.find() or repository()
