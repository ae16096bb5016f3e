"""Run a script with the workspace's own `tinytorch`."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tito import places, workspace
from tito.errors import TitoError


def find_package() -> tuple[Path, bool]:
    """Return the folder of the package for a script run here, and whether that is a learner's workspace."""
    here = workspace.find()
    if here and not places.is_repository(here):
        return here, True
    try:
        return here or places.repository(), False
    except TitoError:  # the tool of a kit has no repository
        return places.learners_workspace(), True


def run(root: Path, script: Path, arguments: list[str]) -> int:
    """Run a script as `python SCRIPT` does, with the `tinytorch` of `root`. Return its exit code, as a shell has it.

    The script's folder comes after `root` on the path: a script beside a workspace may lie in the repository.
    """
    if not script.exists():
        raise TitoError(f"there is no script {script}")
    path = [str(root), str(script.resolve().parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    process = subprocess.Popen([sys.executable, "-P", str(script), *arguments], env=environment)
    while process.returncode is None:
        with suppress(KeyboardInterrupt):  # the script gets it, too, and decides
            process.wait()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode
