"""How the processes that execute side by side are started: each from one that has imported what they need."""

import multiprocessing
import sys
from multiprocessing import forkserver

FORKS = sys.platform != "win32"  # there each imports for itself


def context():
    made = multiprocessing.get_context("forkserver" if FORKS else "spawn")
    if FORKS:
        made.set_forkserver_preload(["tito.grading.workers", "matplotlib.font_manager"])  # the second for sandbox.font_list
    return made


def begin() -> None:
    """Let that one import already: the process that asks for it has something to import too."""
    context()
    if FORKS:
        forkserver.ensure_running()
