"""`tito demo`, `make demo` and `make test` on a machine without the packages that only the system can install."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tito import demo, samples, source
from tito.errors import TitoError
from tito.grading import sandbox

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="make and the shell are POSIX's")
HIDDEN = ("bwrap", "chromium", "chromium-browser", "psql")


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> str:
    """Return a PATH with all programs of this machine except these."""
    folder = tmp_path_factory.mktemp("bin")
    for place in map(Path, os.get_exec_path()):
        for program in place.iterdir() if place.is_dir() else ():
            if program.name not in HIDDEN and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    return str(folder)


# -- the demo ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def told(course, tmp_path, monkeypatch):
    """`told(problem)` returns what the demo prints. Its commands only make the files that it reads."""
    repository = shutil.copytree(course, tmp_path / "repository")
    monkeypatch.setattr(demo, "GRADED", next(iter(source.paths(repository))))
    monkeypatch.setattr(demo.Demo, "write", lambda self, released, solved, student, path: None)
    monkeypatch.setattr(demo.nbformat, "read", lambda path, as_version: None)

    def tell(problem, fails=""):
        def typed(words, **_):
            return subprocess.CompletedProcess(words, int(bool(fails) and fails in words), "", "tito: it is broken")

        said = []
        monkeypatch.setattr(sandbox, "find_problem", lambda: problem)
        monkeypatch.setattr(demo.subprocess, "run", typed)
        demo.Demo(repository, said.append).run()
        return said

    return tell


def test_without_a_sandbox_the_demo_skips_hostile_students_and_says_so(told, monkeypatch):
    monkeypatch.setenv("TINYTORCH_DATA", "/nowhere")
    said = told("bubblewrap is not installed: sudo apt-get install bubblewrap")
    handed_in = [line.split()[0] for line in said if line.startswith("   ")]
    assert not {"mallory", "trudy"} & set(handed_in)
    assert {"ada", "gus"} <= set(handed_in)
    assert "4. Grading, WITHOUT A SANDBOX" in said
    assert any(line.endswith("--no-sandbox") for line in said if line.startswith("$ tito course autograde"))
    left_out = "\n".join(line for line in said if line.startswith("Not tried here: "))
    assert "mallory and trudy, who would do harm without it: bubblewrap is not installed: sudo apt-get" in left_out
    assert "CIFAR-10, which is not here: `tito data get cifar10`" in left_out


def test_with_a_sandbox_everybody_is_graded_in_it(told):
    said = told(None)
    assert {student.name for student in samples.CLASS} <= {line.split()[0] for line in said if line.startswith("   ")}
    assert "4. Grading, in the sandbox" in said
    assert not any("--no-sandbox" in line for line in said)


def test_the_steps_come_in_order_and_each_is_a_command(told):
    said = told(None)
    assert [line[0] for line in said if line[1:2] == "."] == list("1234567")
    assert all(line.startswith("$ tito ") for line in said if line.startswith("$"))
    typed = [line.split()[2:4] for line in said if line.startswith("$")]
    assert [words[1] if words[0] == "course" else words[0] for words in typed][:11] == [
        "export", "generate", "collect", "autograde", "feedback", "export", "init", "check", "complete", "complete", "status",
    ]  # fmt: skip


@pytest.mark.parametrize("step", ["collect", "complete"])
def test_it_stops_at_the_first_command_that_fails(told, step):
    with pytest.raises(TitoError, match=f"the demo stopped: `tito .*{step}.*` ended with"):
        told(None, fails=step)


# -- the samples -------------------------------------------------------------------------------------------------------


def test_the_raid_reaches_the_demos_own_gradebook_and_no_other(tmp_path):
    """Run outside a sandbox, with two gradebooks: the attack must change only the demo's."""
    for name in ("demo", "other"):
        (tmp_path / name / "course").mkdir(parents=True)
        with sqlite3.connect(tmp_path / name / "course" / "gradebook.db") as db:
            db.execute("CREATE TABLE grade (auto_score, manual_score)")
            db.execute("INSERT INTO grade VALUES (1, 1)")
    text = samples.GRADEBOOK_RAID.replace("FOLDER", repr(str(tmp_path / "demo")))
    assert "walk" not in text and "glob" not in text
    subprocess.run([sys.executable, "-c", f"def raid(x):\n{text}\nraid(0)"], cwd=tmp_path, check=True)
    points = {}
    for name in ("demo", "other"):
        with sqlite3.connect(tmp_path / name / "course" / "gradebook.db") as db:
            points[name] = db.execute("SELECT auto_score FROM grade").fetchone()[0]
    assert points == {"demo": 1000, "other": 1}


# -- make --------------------------------------------------------------------------------------------------------------

PYTHON = """#!/bin/sh
echo "python $*" >> log
case "$*" in
"-m venv .venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python; printf '#!/bin/sh\\necho "tito $*" >> log\\n' > .venv/bin/tito;
    chmod +x .venv/bin/tito;;
esac
"""


@pytest.fixture
def make(root, tmp_path, bare):
    """`make(target)` in a folder with the Makefile and a Python that only records its arguments."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    for name in ("Makefile", "pyproject.toml", "requirements.txt"):
        shutil.copy(root / name, tmp_path / name)
    (tmp_path / "stub").write_text(PYTHON)
    (tmp_path / "stub").chmod(0o755)

    def run(target: str, path: str = bare) -> list[str]:
        (tmp_path / "log").write_text("")
        words = ["make", target, "PYTHON=./stub"]
        done = subprocess.run(words, cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return (tmp_path / "log").read_text().splitlines()

    return run


def installs(log: list[str]) -> list[str]:
    return [line.split("requirements.txt ")[1] for line in log if "pip install" in line]


@POSIX
def test_make_demo_installs_what_the_demo_needs_and_make_test_the_rest(make):
    first, second, third = make("demo"), make("test"), make("test")
    assert installs(first) == ["-e ."]
    assert first[-2:] == ["tito prepare", "tito demo"], "no sandbox is on the PATH"
    assert installs(second) == ["-e .[test]"]
    assert second[-1].startswith("python -m pytest")
    assert installs(third) == []


@POSIX
def test_make_on_a_machine_with_a_sandbox_prepares_nothing(make, tmp_path, bare):
    (tmp_path / "bwrap").write_text("#!/bin/sh\n")
    (tmp_path / "bwrap").chmod(0o755)
    assert make("demo", f"{tmp_path}:{bare}")[-1:] == ["tito demo"]


@POSIX
def test_what_a_bare_machine_lacks_is_skipped_and_listed_at_the_end(root, bare):
    """Run `make test`, or the relevant part of it."""
    chosen = [
        "tests/grading/test_sandbox.py::test_there_is_no_network", "tests/grading/test_course.py::test_no_hand_in_was_changed",
        "tests/grading/test_many.py::test_a_process_that_is_killed_costs_nothing", "tests/grading/test_postgres.py",
        "tests/browser/test_pages.py",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | {"PATH": bare}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *chosen],
        cwd=root, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    summary = done.stdout.partition("Not tried here:")[2]
    for package in ("bubblewrap", "Chromium", "PostgreSQL"):
        assert f"{package} is not installed: " in summary, done.stdout[-3000:]
