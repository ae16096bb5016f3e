"""Run a script with the workspace's own `tinytorch`."""

import os
import signal
import subprocess
import sys
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
    before = signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C reaches the script, too, which decides
    try:
        code = subprocess.run([sys.executable, "-P", str(script), *arguments], env=environment, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code
