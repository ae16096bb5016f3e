"""Late work: the arithmetic of the policy, and that marks, feedback, export and plain nbgrader all follow it."""

import csv
import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as some
from lab import MODULE, Lab
from traitlets import TraitError
from traitlets.config import Config

from tito.course import Course
from tito.errors import TitoError
from tito.grading import late
from tito.grading.late import DAY, LatePolicy

pytestmark = pytest.mark.xdist_group("late")  # its class is graded once

HOUR = 3600
DUE = "2026-03-01T12:00"
TIMES = {
    "early": "2026-02-28 12:00:00 UTC",
    "grace": "2026-03-01 12:59:59 UTC",
    "hours": "2026-03-01 18:30:00 UTC",  # 6.5 hours
    "ext": "2026-03-03 13:30:00 UTC",  # 2 days and 1.5 hours, of which 2 days are given in nbgrader_config.py
    "weeks": "2026-03-20 12:00:00 UTC",
    "nowhen": None,
}


def policy(assignment="01_setup", **settings) -> LatePolicy:
    made = LatePolicy(config=Config({"LatePolicy": settings}))
    made.parent = None
    made.asked = lambda student, seconds: made.penalty(made.late_by(student, assignment, seconds))
    return made


@pytest.mark.parametrize(
    ("seconds", "points"),
    [(0, 0), (HOUR, 0), (HOUR + 1, 10), (DAY, 10), (DAY + 1, 20), (5 * DAY, 50), (5 * DAY + 1, 50), (400 * DAY, 50)],
)
def test_each_started_day_costs_points_after_the_grace_period_up_to_the_cap(seconds, points):
    rule = policy(grace_hours=1, points_per_day=10, cap=50)
    assert rule.penalty(seconds) == points


def test_without_a_policy_lateness_costs_nothing():
    assert policy().penalty(400 * DAY) == 0


def test_an_extension_is_for_one_module_or_for_all():
    rule = {"points_per_day": 10, "extensions": {"ada": 2, "ben": {"01_setup": 7}}}
    setup, tensor = policy("01_setup", **rule), policy("02_tensor", **rule)
    assert [setup.asked(name, 3 * DAY) for name in ("ada", "ben", "eve")] == [10, 0, 30]
    assert [tensor.asked(name, 3 * DAY) for name in ("ada", "ben", "eve")] == [10, 30, 30]


@given(some.floats(0, 1e8), some.floats(0, 1e8), some.floats(0, 50), some.floats(0, 100), some.floats(0, 100))
def test_later_is_never_cheaper_and_never_above_the_cap(a, b, grace, day, cap):
    rule = policy(grace_hours=grace, points_per_day=day, cap=cap)
    assert rule.penalty(min(a, b)) <= rule.penalty(max(a, b)) <= cap


@pytest.mark.parametrize("wrong", [{"points_per_day": -1}, {"extensions": {"ada": "two days"}}, {"cap": "all"}])
def test_a_policy_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(TraitError):
        policy(**wrong)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-10-01T17:00", "2026-10-01 17:00:00"),
        ("2026-10-01 17:00 UTC", "2026-10-01 17:00:00"),
        ("2026-10-01T17:00+02:00", "2026-10-01 15:00:00"),
        ("2026-10-01T17:00Z", "2026-10-01 17:00:00"),
        ("none", "None"),
    ],
)
def test_a_time_is_kept_in_utc_as_nbgrader_does(text, utc):
    assert str(late.parse_time(text)) == utc


@pytest.mark.parametrize("text", ["tomorrow", "2026-02-31", "17:00", "", "1.10.2026"])
def test_an_invalid_time_is_a_usage_error(text):
    with pytest.raises(TitoError, match=r"is not a time\. Write 2026-10-01T17:00"):
        late.parse_time(text)


@pytest.mark.parametrize(
    ("seconds", "words"), [(59, "1 minute"), (HOUR, "1 hour"), (26 * HOUR, "1 day 2 hours"), (3 * DAY + 60, "3 days 1 minute")]
)
def test_a_duration_is_written_in_words(seconds, words):
    assert late.format_duration(seconds) == words


# -- a class -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def late_class(generated, tmp_path_factory) -> SimpleNamespace:
    """Six people who hand in the same notebook at different times, graded before there is a due date."""
    lab = Lab(tmp_path_factory.mktemp("late") / "repository", generated)
    with open(lab.root / "nbgrader_config.py", "a", encoding="utf-8") as config:
        config.write("c.LatePolicy.extensions = {'ext': {'01_setup': 2}}\n")
    lab = Lab(lab.root)
    for name, time in TIMES.items():
        path = lab.hand_in(name)
        if time:
            (path.parent / "timestamp.txt").write_text(time)
    assert {outcome.verdict.points for outcome in lab.course.autograde(MODULE)} == {80}
    before = scores(lab.course)
    lab.course.due(MODULE, DUE)
    return SimpleNamespace(lab=lab, course=lab.course, before=before)


def scores(course: Course) -> dict[str, float]:
    return {record.student: record.score for record in course.records([MODULE])}


EXPECTED = {"early": 80, "grace": 80, "hours": 70, "ext": 70, "weeks": 30, "nowhen": 80}


def test_without_a_due_date_nobody_is_late(late_class):
    assert set(late_class.before.values()) == {80}


def test_a_due_date_that_is_set_after_grading_counts(late_class):
    assert scores(late_class.course) == EXPECTED
    assert late_class.course.due(MODULE).isoformat() == "2026-03-01T12:00:00"


def test_grading_again_by_plain_nbgrader_gives_the_same_penalties(late_class):
    """nbgrader's own step calls our policy, which nbgrader_config.py names."""
    for name in ("weeks", "ext"):
        with late_class.course.gradebook() as gradebook:
            for notebook in gradebook.find_submission(MODULE.slug, name).notebooks:
                notebook.late_submission_penalty = 1.5
            gradebook.db.commit()
            assert late_class.course.api.autograde(MODULE.slug, name, force=True)["success"]
        with late_class.course.gradebook() as gradebook:
            submission = gradebook.find_submission(MODULE.slug, name)
            assert submission.score - submission.late_submission_penalty == EXPECTED[name]


def test_the_export_says_how_late_and_what_it_cost(late_class, tmp_path):
    late_class.course.export(tmp_path / "marks.csv")
    rows = {row["student_id"]: row for row in csv.DictReader((tmp_path / "marks.csv").read_text().splitlines())}
    assert {name: float(row["score"]) for name, row in rows.items()} == EXPECTED
    assert rows["hours"]["seconds_late"] == str(6.5 * HOUR)
    assert rows["ext"]["seconds_late"] == str(1.5 * HOUR)
    assert rows["weeks"]["late_submission_penalty"] == "50.0"
    assert rows["weeks"]["duedate"] == "2026-03-01 12:00:00"


def test_the_feedback_says_when_it_was_due_what_lateness_cost_and_by_which_rule(late_class):
    pages = {name: page.read_text() for name, page in late_class.course.feedback(MODULE).items()}
    text = {name: re.sub(r"\s+", " ", re.sub("<[^>]+>", "", page)) for name, page in pages.items()}
    assert "Due 2026-03-01 12:00 UTC; handed in 2026-03-01 18:30 UTC, 6 hours 30 minutes late." in text["hours"]
    assert "10 points are taken off: 10 for each day or part of a day, at most 50, never more than you earned." in text["hours"]
    assert "and 2 days more for you; handed in 2026-03-03 13:30 UTC, 1 hour 30 minutes late" in text["ext"]
    assert "This costs no points." in text["grace"]
    assert "(Score: 70.0 / 100.0)" in text["hours"]
    for name in ("early", "nowhen"):
        assert "handed in" not in text[name]


def test_an_extension_of_nbgraders_counts_as_soon_as_it_is_granted(late_class):
    with late_class.course.gradebook() as gradebook:
        gradebook.grant_extension(MODULE.slug, "weeks", days=18)
    try:
        assert scores(late_class.course)["weeks"] == 70
    finally:
        with late_class.course.gradebook() as gradebook:
            gradebook.grant_extension(MODULE.slug, "weeks")
    assert scores(late_class.course) == EXPECTED


def test_an_extension_without_a_due_date_is_never_late(late_class):
    with late_class.course.gradebook() as gradebook:
        gradebook.grant_extension(MODULE.slug, "weeks", days=1)
    late_class.course.due(MODULE, "none")
    try:
        assert set(scores(late_class.course).values()) == {80}
    finally:
        late_class.course.due(MODULE, DUE)
        with late_class.course.gradebook() as gradebook:
            gradebook.grant_extension(MODULE.slug, "weeks")


def test_a_penalty_is_never_more_than_was_earned_and_follows_a_mark_by_hand(late_class):
    def give(points):
        with late_class.course.gradebook() as gradebook:
            for name in ("double_check", "double_hidden", "half_check"):
                gradebook.find_grade(name, MODULE.slug, MODULE.slug, "weeks").manual_score = points
            gradebook.db.commit()

    give(5)
    try:
        assert scores(late_class.course)["weeks"] == 0
        give(20)
        assert scores(late_class.course)["weeks"] == 10
    finally:
        give(None)
    assert scores(late_class.course) == EXPECTED


def test_a_course_shared_by_a_group_of_graders_stays_writable_for_all_of_them(generated, tmp_path):
    """nbgrader's groupshared: one grader's command can replace the files of another's."""
    lab = Lab(tmp_path / "repository", generated)
    with open(lab.root / "nbgrader_config.py", "a", encoding="utf-8") as config:
        config.write("c.CourseDirectory.groupshared = True\n")
    lab = Lab(lab.root)
    lab.hand_in("ada")
    assert [outcome.verdict.points for outcome in lab.course.autograde(MODULE)] == [80]
    lab.course.feedback(MODULE)
    for step in ("autograded", "feedback"):
        folder = lab.folder / step / "ada" / MODULE.slug
        assert folder.stat().st_mode & 0o2770 == 0o2770
        assert all(path.stat().st_mode & 0o060 == 0o060 for path in folder.iterdir())
