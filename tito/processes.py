"""Start parallel processes from a server that has imported what they need, and choose a folder for their sockets."""

import multiprocessing
import os
import sys
import tempfile
from multiprocessing import forkserver

from tito.errors import TitoError

FORKS = sys.platform != "win32"  # Windows has no fork server: there each process imports for itself
SOCKET = 103  # the most bytes in the path of a Unix socket on macOS; Linux allows 107
LISTENER = "pymp-12345678/listener-12345678"  # the form of multiprocessing's socket below a temporary folder


def temporary_folder(socket: str) -> str:
    """Return the temporary folder, or another one if its path is too long for a `socket` below it."""
    usual = tempfile.gettempdir()
    for place in (usual, os.environ.get("XDG_RUNTIME_DIR"), "/tmp", "/var/tmp"):
        if sys.platform == "win32" or (place and len(os.fsencode(f"{place}/{socket}")) <= SOCKET and os.access(place, os.W_OK)):
            return place
    raise TitoError(f"the path of the temporary folder {usual} is too long for Unix sockets. Set TMPDIR to a shorter path")


def start_context():
    made = multiprocessing.get_context("forkserver" if FORKS else "spawn")
    if FORKS:
        made.set_forkserver_preload(["tito.grading.workers", "matplotlib.font_manager"])  # sandbox.font_list needs the second
        before, tempfile.tempdir = tempfile.tempdir, temporary_folder(LISTENER)
        try:
            forkserver.ensure_running()  # makes its socket in a temporary folder, once per process
        finally:
            tempfile.tempdir = before
    return made


def start_fork_server() -> None:
    """Start the fork server early, so that it imports while this process imports, too."""
    start_context()
