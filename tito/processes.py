"""How the processes that execute side by side are started, each from one that has imported what they need; where sockets lie."""

import multiprocessing
import os
import sys
import tempfile
from multiprocessing import forkserver

from tito.errors import TitoError

FORKS = sys.platform != "win32"  # there each imports for itself
SOCKET = 103  # bytes that the path of a Unix socket may have, on macOS; 107 on Linux
LISTENER = "pymp-12345678/listener-12345678"  # multiprocessing's socket below a temporary folder


def temporary_folder(socket: str) -> str:
    """The temporary folder; another one where its path is too long for a `socket` below it."""
    usual = tempfile.gettempdir()
    for place in (usual, os.environ.get("XDG_RUNTIME_DIR"), "/tmp", "/var/tmp"):
        if sys.platform == "win32" or (place and len(os.fsencode(f"{place}/{socket}")) <= SOCKET and os.access(place, os.W_OK)):
            return place
    raise TitoError(f"the path of the temporary folder {usual} is too long for Unix sockets. Set TMPDIR to a shorter path")


def start_context():
    made = multiprocessing.get_context("forkserver" if FORKS else "spawn")
    if FORKS:
        made.set_forkserver_preload(["tito.grading.workers", "matplotlib.font_manager"])  # the second for sandbox.font_list
        before, tempfile.tempdir = tempfile.tempdir, temporary_folder(LISTENER)
        try:
            forkserver.ensure_running()  # its socket lies in a temporary folder, which is made once for a process
        finally:
            tempfile.tempdir = before
    return made


def start_fork_server() -> None:
    """Let that one import already: the process that asks for it has something to import too."""
    start_context()
