"""A course of two tiny modules, a workspace of it made once, and the command line as a function."""

import shutil
import sys
from dataclasses import dataclass

import pytest
import solving
import tiny

from tito import cli, export, syllabus
from tito.learner import making
from tito.learner.layout import Workspace


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """A repository with the modules 00 and 01."""
    repository = tiny.repository(tmp_path_factory.mktemp("course") / "repository")
    (repository / "modules" / "01_setup.py").write_text(tiny.SECOND, encoding="utf-8")
    export.export(repository, [])
    return repository


@pytest.fixture(scope="session")
def new_workspace(course, tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "workspace"
    list(making.make(root, course, student="ada"))
    return root


@pytest.fixture
def workspace(new_workspace, tmp_path):
    """A new workspace for one test, in which nothing is done."""
    return Workspace(shutil.copytree(new_workspace, tmp_path / "workspace"))


@pytest.fixture
def solve(workspace, course):
    """Write the solutions, or other texts by grade_id, into the notebook of a module."""

    def write(number, **bodies):
        module = syllabus.module(number)
        solving.solve(workspace.notebook(module), course / "modules" / f"{module.slug}.py", bodies)

    return write


@dataclass
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def tito(monkeypatch, capsys):
    """`tito(*words, inside=folder)` returns the command's output and its exit code."""

    def run(*words, inside):
        monkeypatch.chdir(inside)
        monkeypatch.setattr(sys, "argv", ["tito", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run
