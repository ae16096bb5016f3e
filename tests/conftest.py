"""Fixtures for all tests. Tests that need something this machine lacks are skipped, and the end lists how to get it."""

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
    """Skip a test that asks for a missing sandbox, unless the test itself has hidden it."""
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
    """Skip a test that uses the sandbox in another process, if there is none."""
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
