import fcntl
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tito import cli
from tito.grading import sandbox

# A harmless text first tests the sandbox. No hostile text runs before that.
LOOK = """
import os, socket, sys
if os.path.exists({hidden!r}):
    print("the course is in sight")
for folder in ({hidden!r}, "/root", "/var/tmp", sys.prefix):
    try:
        os.mkdir(folder + "/tito-was-here")
        os.rmdir(folder + "/tito-was-here")
        print(folder, "can be written to")
    except OSError:
        pass
try:
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
    print("the settings of the machine can be written to")
except OSError:
    pass
if len(socket.if_nameindex()) > 1:
    print("there is a network")
"""


@pytest.fixture(scope="session")
def generated(tmp_path_factory) -> Path:
    """The tiny course with its assignment generated. Tests copy it and never write to it."""
    import lab

    made = lab.Lab(tmp_path_factory.mktemp("tiny") / "repository")
    made.course.generate(lab.MODULE)
    return made.root


@pytest.fixture(scope="session")
def lab(generated, tmp_path_factory):
    """A course for submissions that are executed and judged one by one. Nothing is handed in to it."""
    from lab import Lab

    made = Lab(tmp_path_factory.mktemp("lab") / "repository", generated)
    if sandbox.find_problem() is None:
        assert made.probe(LOOK.format(hidden=str(made.root))) == "", "the sandbox does not hold: nothing hostile is run in it"
    return made


@pytest.fixture
def own_lab(generated, tmp_path):
    """A course for one test, to hand in to."""
    from lab import Lab

    return Lab(tmp_path / "repository", generated)


@pytest.fixture(scope="session")
def graded(generated, tmp_path_factory, worker_id, sandboxed, lab):
    """A class of honest, unlucky and hostile people, graded once for all workers. Tests must not change it."""
    import people
    from lab import MODULE, Lab

    shared = tmp_path_factory.getbasetemp()
    shared = shared if worker_id == "master" else shared.parent
    with open(shared / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = (shared / "class").exists()
        course = Lab(shared / "class") if made else Lab(shared / "class", generated)
        if not made:
            people.hand_in(course)
            assert {outcome.student for outcome in course.course.autograde(MODULE)} == set(people.PEOPLE)
            course.course.feedback(MODULE)
    return course, {name: course.course.verdict(MODULE, name) for name in people.PEOPLE}


@pytest.fixture
def tito(monkeypatch, capsys):
    """Run `tito course` in this process, and return its exit code and output."""

    def run(lab, *words: str, path: str | None = None) -> SimpleNamespace:
        with monkeypatch.context() as changed:
            changed.setattr(sys, "argv", ["tito", "course", *words])
            changed.chdir(lab.root)
            if path is not None:
                changed.setenv("PATH", path)
            with pytest.raises(SystemExit) as ended:
                cli.main()
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code, stdout=out, stderr=err)

    return run
