"""Packages of the system: the command that is shown, and whether it is run."""

import os
import sys
from pathlib import Path

import pytest

from tito import machine
from tito.grading import sandbox

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="the programs that stand in are shell scripts")


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """`programs(name=script)` makes the only programs on the PATH. Each records how it was called."""
    log = tmp_path / "log"
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    machine._sudo_needs_no_password.cache_clear()

    def write(**scripts: str) -> Path:
        for name, script in scripts.items():
            program = folder / name.replace("_", "-")
            program.write_text(f'#!/bin/sh\necho "{program.name} $*" >> {log}\n{script}\n')
            program.chmod(0o755)
        return log

    yield write
    machine._sudo_needs_no_password.cache_clear()


@pytest.fixture
def user(monkeypatch):
    """Make the tool believe that it runs as root, or as another user."""
    return lambda number: monkeypatch.setattr(os, "geteuid", lambda: number, raising=False)


@POSIX
@pytest.mark.parametrize(
    ("manager", "advice"),
    [
        ("apt-get", "sudo apt-get install postgresql"), ("dnf", "sudo dnf install postgresql-server"),
        ("pacman", "sudo pacman -Sy postgresql"), ("zypper", "sudo zypper install postgresql-server"),
        ("apk", "sudo apk add postgresql"), ("xbps-install", "sudo xbps-install -Sy postgresql"),
        ("brew", "brew install postgresql"),
    ],
)  # fmt: skip
def test_each_system_gets_its_own_command(programs, user, manager, advice):
    programs(**{manager: ""})
    user(1000)
    assert machine.install_advice("postgresql") == advice


def test_an_unknown_system_gets_the_name_of_the_package(programs):
    assert machine.install_advice("chromium") == "install chromium with your system's package manager"
    assert machine.install_commands("chromium") == []


@POSIX
def test_root_installs_the_sandbox(programs, user, monkeypatch):
    log = programs(apt_get="")
    user(0)
    monkeypatch.setattr(sandbox.sys, "platform", "linux")
    said = []
    assert "bubblewrap is not installed: apt-get install bubblewrap" in sandbox.install(said.append), "the stand-in brings none"
    assert said == ["installing the sandbox: apt-get install bubblewrap"]
    assert log.read_text().splitlines() == [
        "apt-get update -qq", "apt-get install -y -qq --no-install-recommends bubblewrap",
    ]  # fmt: skip


@POSIX
def test_sudo_without_a_password_installs_it_and_a_failure_is_one_line(programs, user, monkeypatch):
    log = programs(sudo='[ "$2" = true ] || { echo reading >&2; echo "E: no such package" >&2; exit 100; }', dnf="")
    user(1000)
    monkeypatch.setattr(sandbox.sys, "platform", "linux")
    problem = sandbox.install(lambda line: None)
    assert problem == "bubblewrap could not be installed: sudo dnf install bubblewrap: E: no such package"
    assert log.read_text().splitlines() == ["sudo -n true", "sudo -n dnf install -y -q bubblewrap"]


@POSIX
@pytest.mark.parametrize("scripts", [{"apt_get": ""}, {"apt_get": "", "sudo": "exit 1"}], ids=["no sudo", "sudo asks"])
def test_a_user_who_cannot_install_it_gets_the_command_and_nothing_runs(programs, user, monkeypatch, scripts):
    log = programs(**scripts)
    user(1000)
    monkeypatch.setattr(sandbox.sys, "platform", "linux")
    said = []
    assert sandbox.install(said.append) == "bubblewrap is not installed: sudo apt-get install bubblewrap"
    assert said == []
    assert not log.exists() or log.read_text() == "sudo -n true\n"


@POSIX
def test_nothing_is_installed_outside_linux(programs, user, monkeypatch):
    log = programs(brew="")
    user(0)
    monkeypatch.setattr(sandbox.sys, "platform", "darwin")
    assert "needs Linux" in sandbox.install(lambda line: None)
    assert not log.exists()
