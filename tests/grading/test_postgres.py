"""The gradebook in PostgreSQL: a real server, started as a user without rights."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from lab import MODULE, Lab
from people import hand_in

from tito import machine
from tito.course import Course
from tito.errors import TitoError

psycopg = pytest.importorskip("psycopg")
SOME = ("ada", "empty", "fay", "mute", "raid")
FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) if shutil.which("psql") else []


def unprivileged() -> dict:
    """Return how to start a process as a user that PostgreSQL accepts. It refuses root."""
    if os.geteuid():
        return {}
    who = pwd.getpwnam("postgres")
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")  # as the class that is graded: where both are missing, the reason is that there is no server
def server():
    """The URL of a server, without a database. It listens on a socket in its own folder."""
    if not FOUND:
        pytest.skip(f"PostgreSQL is not installed: {machine.install_advice('postgresql')}")
    folder, programs, who = Path(tempfile.mkdtemp(prefix="postgres-")), FOUND[-1].parent, unprivileged()
    if who:
        os.chown(folder, who["user"], who["group"])
    make = [programs / "initdb", "-D", folder / "data", "-U", "grader", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
    subprocess.run(make, check=True, capture_output=True, cwd=folder, timeout=120, **who)
    run = [programs / "postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(run, cwd=folder, stdout=log, stderr=log, **who)
    try:
        for _ in range(100):
            asking = [programs / "pg_isready", "-h", folder, "-t", "1"]
            done = subprocess.run(asking, capture_output=True, check=False, timeout=10)
            if done.returncode == 0:
                break
        assert done.returncode == 0, (folder / "log").read_text()
        yield f"postgresql+psycopg://grader@/{{}}?host={folder}"
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


@pytest.fixture
def url(server, request):
    """A new database for one test."""
    name = f"of_{abs(hash(request.node.name))}"
    with psycopg.connect(server.format("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.format(name)


@pytest.fixture
def on_postgres(own_lab, url, monkeypatch):
    """A lab whose gradebook is in PostgreSQL, because TITO_DB_URL says so."""
    monkeypatch.setenv("TITO_DB_URL", url)
    lab = Lab(own_lab.root)
    assert lab.course.api.coursedir.db_url == url
    (lab.folder / "gradebook.db").unlink()
    lab.course.generate(MODULE)
    return lab


def shown(lab: Lab) -> dict:
    """Return what formgrader reads from nbgrader, without random parts."""
    api = lab.course.api
    found = {
        "assignments": api.get_assignments(),
        "submissions": api.get_submissions(MODULE.slug),
        "notebooks": api.get_notebook_submissions(MODULE.slug, MODULE.slug),
        "students": api.get_students(),
        "ada": api.get_student_submissions("ada"),
    }
    return {name: sorted(map(str, map(without_ids, rows))) for name, rows in found.items()}


def without_ids(row: dict) -> dict:
    return {name: value for name, value in row.items() if name not in ("id", "index")}


@pytest.mark.usefixtures("server")
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning", "ignore::DeprecationWarning")  # nbgrader's own queries
def test_a_class_gets_the_marks_and_formgrader_the_pages_of_sqlite(graded, on_postgres, generated, tmp_path, monkeypatch):
    hand_in(on_postgres, SOME)
    outcomes = {outcome.student: outcome.verdict for outcome in on_postgres.course.autograde(MODULE, 2)}
    assert outcomes == {name: graded[1][name] for name in SOME}
    assert not (on_postgres.folder / "gradebook.db").exists()
    assert not any(outcome.changed for outcome in on_postgres.course.autograde(MODULE))
    monkeypatch.delenv("TITO_DB_URL")
    usual = Lab(tmp_path / "usual", generated)
    hand_in(usual, SOME)
    list(usual.course.autograde(MODULE))
    assert on_postgres.marks() == usual.marks()
    assert shown(on_postgres) == shown(usual)
    for lab in (usual, on_postgres):
        lab.course.export(lab.root / "marks.csv")
    assert (usual.root / "marks.csv").read_bytes() == (on_postgres.root / "marks.csv").read_bytes()


@pytest.mark.usefixtures("server")
def test_plain_nbgrader_grades_into_it_too_and_points_by_hand_stay(sandboxed, on_postgres):
    hand_in(on_postgres, ("ada",))
    command = [sys.executable, "-m", "nbgrader", "autograde", MODULE.slug]
    done = subprocess.run(command, cwd=on_postgres.root, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    with on_postgres.course.api.gradebook as gradebook:
        essay = gradebook.find_grade("half_reflect", MODULE.slug, MODULE.slug, "ada")
        essay.manual_score, essay.needs_manual_grade = 17, False
        gradebook.db.commit()
    assert on_postgres.marks() == {"ada": 97}
    on_postgres.hand_in("ada", half="def half(x):\n    return x")
    list(on_postgres.course.autograde(MODULE))
    assert on_postgres.marks() == {"ada": 67}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("postgresql+psycopg://grader:secret@127.0.0.1:1/none", "does not answer"),
        ("postgres://grader:secret@127.0.0.1/none", "is not valid"),
        ("mysql+pymysql://grader:secret@127.0.0.1/none", "needs a driver"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line_without_its_password(own_lab, monkeypatch, wrong, why):
    monkeypatch.setenv("TITO_DB_URL", wrong)
    with pytest.raises(TitoError, match=why) as error:
        Course(own_lab.root)
    assert "secret" not in str(error.value)
