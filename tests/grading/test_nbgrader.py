"""Plain `nbgrader` and the buttons of formgrader, in a real server, give the same marks as `tito course`."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from lab import FAST, MODULE
from people import hand_in
from server import Server

from tito.course import Course

SOME = ("ada", "deaf", "fay", "json", "late", "mute", "raid", "vandal")


def nbgrader(folder, *words: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "nbgrader", *words]
    environment = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False, timeout=300)


def same_as(graded, lab, names) -> None:
    expected = {name: mark for name, mark in graded[0].marks().items() if name in names}
    assert lab.marks() == expected
    for name in names:
        assert lab.course.verdict(MODULE, name) == graded[1][name]


def test_plain_nbgrader_gives_the_same_marks_and_pages(graded, own_lab):
    hand_in(own_lab, SOME)
    for words in (("autograde",), ("generate_feedback", "--student=raid")):
        done = nbgrader(own_lab.root, *words, MODULE.slug)
        assert done.returncode == 0, done.stderr[-2000:]
    same_as(graded, own_lab, SOME)
    ours, theirs = (
        lab.without_place((lab.folder / "feedback" / "raid" / MODULE.slug / "01_setup.html").read_text(encoding="utf-8"))
        for lab in (graded[0], own_lab)
    )
    assert ours == theirs


def test_plain_nbgrader_grades_a_course_elsewhere_and_keeps_to_its_limits(sandboxed, own_lab, tmp_path):
    with open(own_lab.root / "nbgrader_config.py", "a", encoding="utf-8") as config:
        config.write("c.Limits.submission_mb = 1\n")
    hand_in(own_lab, ("ada", "mute"))
    own_lab.hand_in("large", b" " * (2 << 20))
    shutil.move(own_lab.folder, tmp_path / "elsewhere")
    done = nbgrader(own_lab.root, "autograde", MODULE.slug, f"--course-dir={tmp_path / 'elsewhere'}")
    assert done.returncode == 0, done.stderr[-2000:]
    course = Course(own_lab.root, {"CourseDirectory": {"root": str(tmp_path / "elsewhere")}})
    assert {name: mark.score for name, mark in course.marks(MODULE).items()} == {"ada": 80, "large": 0, "mute": 0}
    assert "larger than 1 MB" in course.verdict(MODULE, "large").status


def test_every_limit_can_be_set_in_the_configuration(own_lab):
    assert {name: own_lab.course.limits[name] for name in FAST} == FAST
    others = {"cpu_seconds", "output_kb", "submission_mb"}
    assert set(own_lab.course.limits) == set(FAST) | others


# -- the exchange --------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # nbgrader leaves a timestamp open
def test_the_exchange_carries_a_module_out_and_back(own_lab, tmp_path):
    """Release, fetch, submit and collect with nbgrader's own commands, in a folder that all can write to."""
    exchange, learner = tmp_path / "exchange", tmp_path / "learner"
    exchange.mkdir()
    exchange.chmod(0o777)
    learner.mkdir()
    setting = f"c.Exchange.root = {str(exchange)!r}\nc.CourseDirectory.course_id = 'tinytorch'\n"
    with open(own_lab.root / "nbgrader_config.py", "a", encoding="utf-8") as config:
        config.write(setting)
    (learner / "nbgrader_config.py").write_text("c = get_config()\n" + setting)
    course = Course(own_lab.root)
    course.release_to_exchange(MODULE)
    for words in (("fetch_assignment", MODULE.slug), ("submit", MODULE.slug)):
        done = nbgrader(learner, *words, HOME=str(learner))
        assert done.returncode == 0, done.stderr[-2000:]
    course.collect_from_exchange(MODULE)
    assert len(course.submissions(MODULE)) == 1
    assert [outcome.verdict.points for outcome in course.autograde(MODULE)] == [0]
    course.feedback(MODULE)
    course.return_feedback_to_exchange(MODULE)


# -- formgrader ----------------------------------------------------------------------------------------------------


@pytest.fixture
def server(own_lab, tmp_path):
    hand_in(own_lab, SOME)
    server = Server(own_lab, tmp_path / "config")
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def test_the_buttons_of_formgrader_do_the_same(graded, own_lab, server):
    """Generate and autograde through its page, so that kernels start from inside a running event loop."""
    status, page = server.get("/formgrader/manage_assignments")
    assert status == 200
    assert "formgrader" in page.lower()
    answer = server.post(f"/formgrader/api/assignment/{MODULE.slug}/assign")
    assert answer["success"], answer
    for name in SOME:
        answer = server.post(f"/formgrader/api/submission/{MODULE.slug}/{name}/autograde")
        assert answer["success"], answer
    same_as(graded, own_lab, SOME)
    shown = json.loads(server.get(f"/formgrader/api/submitted_notebooks/{MODULE.slug}/{MODULE.slug}")[1])
    assert {one["student"]: one["score"] for one in shown} == own_lab.marks()
    pages = {one["student"]: server.get(f"/formgrader/submissions/{one['id']}/")[1] for one in shown}
    assert "twice 3 is 6, not 9" in pages["raid"]
    assert "<script>alert" not in pages["vandal"]
    assert "<img src=" not in pages["vandal"].replace('<img src="data:image/png', "").replace("<img src='data:image/png", "")
