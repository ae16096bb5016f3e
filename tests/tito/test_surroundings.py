"""tito with a full disk, a console that lacks letters, a closed pipe, or a Python that skips assertions."""

import io
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from tito import cli

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's limits and devices")


@contextmanager
def full_disk():
    """Let no file of this process grow, as on a full disk."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def one_line(said) -> bool:
    lines = [line for line in said.err.splitlines() if line.startswith("tito: ")]
    return said.code in (1, 2) and len(lines) == 1 and "Traceback" not in said.err


@LINUX
@pytest.mark.parametrize(
    "words",
    [
        ("complete", "00"), ("check", "00"), ("submit", "00"), ("reset", "00"), ("feedback", "00", "--from", "pages"),
        ("init", "new"), ("train", "digits-mlp"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_on_a_full_disk_a_learners_command_ends_with_one_line(tito, workspace, solve, words):
    solve(0)
    (workspace.root / "pages" / "00_introduction").mkdir(parents=True)
    (workspace.root / "pages" / "00_introduction" / "00_introduction.html").write_text("a page")
    with full_disk():
        said = tito(*words, inside=workspace.root)
    assert one_line(said), said
    assert workspace.notebook(workspace.released()[0]).is_file(), "what the learner wrote stays where it was"


@LINUX
@pytest.mark.parametrize("words", [("status",), ("start", "00", "--no-open"), ("data", "list")], ids=" ".join)
def test_on_a_full_disk_commands_that_only_read_still_work(tito, workspace, solve, words):
    solve(0)
    assert tito("complete", "00", inside=workspace.root).code == 0
    with full_disk():
        said = tito(*words, inside=workspace.root)
    assert (said.code, said.err) == (0, "")


@LINUX
@pytest.mark.parametrize(
    "words", [("export",), ("course", "kit", "kit"), ("course", "generate", "00"), ("course", "release", "00", "--to", "out")],
    ids=" ".join,
)  # fmt: skip
def test_on_a_full_disk_a_teachers_command_ends_with_one_line(tito, course, tmp_path, words):
    repository = shutil.copytree(course, tmp_path / "repository")
    if "release" in words:
        assert tito("course", "generate", "00", inside=repository).code == 0
    for built in (repository / "tinytorch" / "core").glob("[!_]*.py"):
        built.unlink()
    with full_disk():
        said = tito(*words, inside=repository)
    assert one_line(said), said


# -- consoles ----------------------------------------------------------------------------------------------------------


def commands(group, *before: str):
    """Return the words of every command."""
    yield before
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *before, name)


EVERY = list(commands(typer.main.get_command(cli.app)))


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp1252", "latin-1", "cp932"])
def test_a_letter_that_a_console_lacks_stops_nothing(monkeypatch, workspace, encoding):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    monkeypatch.chdir(workspace.root)
    assert len(EVERY) > 20
    for words in [("status",), ("check", "00"), ("doctor", "--json"), *[(*words, "--help") for words in EVERY]]:
        if words[0] == "doctor":
            monkeypatch.setattr("tito.learner.doctor.examine", lambda folder: iter(()))
        shown = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2)]
        with monkeypatch.context() as here:
            here.setattr(sys, "argv", ["tito", *words])
            here.setattr(sys, "stdout", shown[0])
            here.setattr(sys, "stderr", shown[1])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        assert ended.value.code in (0, None) or words == ("check", "00"), words
        shown[0].flush()
        assert shown[0].buffer.getvalue(), words


def shell(line: str, inside: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run a line of shell in which `tito` is this tool."""
    script = f'tito() {{ "{sys.executable}" -m tito "$@"; }}\n{line}'
    return subprocess.run(
        ["bash", "-c", script], cwd=inside, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@LINUX
@pytest.mark.parametrize("words", ["status", "--help", "status --json"])
def test_a_failure_to_print_is_one_line_and_a_closed_pipe_is_silent(workspace, words):
    done = shell(f"tito {words} > /dev/full", workspace.root)
    assert (done.returncode, done.stderr) == (1, "tito: No space left on device\n")
    for line in (f"set -o pipefail; tito {words} | true", f"tito {words} >&-", f"tito {words} 2>&- | cat"):
        done = shell(line, workspace.root)
        assert done.stderr == "", line
        assert done.returncode in (0, 1)


# -- a Python that skips assertions ----------------------------------------------------------------------------------------


@LINUX
def test_without_assertions_the_checks_still_work(workspace, solve):
    solve(0, half="    return x")
    wrong = shell("tito check 00", workspace.root, PYTHONOPTIMIZE="2")
    assert (wrong.returncode, "half_check" in wrong.stdout, wrong.stderr.count("tito:")) == (1, True, 0)
    solve(0)
    assert shell("tito complete 00", workspace.root, PYTHONOPTIMIZE="2").returncode == 0


def test_a_notebook_in_such_a_python_says_so(workspace):
    code = "from tito.workspace import use_prefix\nuse_prefix(0)"
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], cwd=workspace.root / "modules", capture_output=True, text=True, check=False
    )
    assert "no check could fail. Start Jupyter without PYTHONOPTIMIZE" in done.stderr
