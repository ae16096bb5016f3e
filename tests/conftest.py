"""What every test shares. What this machine lacks is skipped with the reason, and listed at the end with how to get it."""

import collections
import os
from pathlib import Path

import pytest

from tito.grading import sandbox

ROOT = Path(__file__).parent.parent
TORCH = "PyTorch is not installed: the tests compare with its CPU build, version 2.13.0"


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository under test."""
    return ROOT


def pytest_configure() -> None:
    """Where there is no sandbox, whatever asks for it ends the test as skipped; unless the test itself has hidden it."""
    problem, require, path = sandbox.find_problem(), sandbox.require, set(os.get_exec_path())
    if problem is None:
        return

    def skip() -> None:
        if path <= set(os.get_exec_path()):
            pytest.skip(f"no sandbox: {problem}")
        require()

    sandbox.require = skip


@pytest.fixture(scope="session")
def sandboxed() -> None:
    """For what asks for the sandbox in another process, where nobody can skip."""
    sandbox.require()


def pytest_terminal_summary(terminalreporter) -> None:
    skipped = collections.Counter(map(reason, terminalreporter.stats.get("skipped", [])))
    if skipped:
        terminalreporter.write_line("")
        terminalreporter.write_line("Not tried here:")
    for why, count in skipped.most_common():
        terminalreporter.write_line(f"{count:>5}  {why}")


def reason(report) -> str:
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return TORCH if "could not import 'torch'" in said else said.removeprefix("Skipped: ")
