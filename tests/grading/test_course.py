"""Grading a whole class through nbgrader: everybody gets a score and a reason, and nobody can change those of others."""

import csv
import hashlib
import json
import os
import shutil
import time
import zipfile
from types import SimpleNamespace

import pytest
from lab import DOUBLE, MODULE, SECRET, Lab
from people import PEOPLE, RAID, hand_in

from tito import samples, syllabus
from tito.course import Course
from tito.errors import TitoError, write_atomic
from tito.grading import reference, steps


def grade(lab) -> dict:
    return {outcome.student: outcome for outcome in lab.course.autograde(MODULE)}


def contents(folder) -> dict:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", PEOPLE)
def test_everybody_ends_with_a_score_and_a_reason(graded, name):
    lab, outcomes = graded
    verdict = outcomes[name]
    assert verdict.status.startswith(PEOPLE[name].status)
    assert verdict.points == lab.marks()[name] == PEOPLE[name].points
    assert all(check.reason for check in verdict.checks if check.points < check.of)


def test_honest_students_get_the_same_marks_without_the_others(graded, own_lab):
    lab, outcomes = graded
    hand_in(own_lab, ("ada", "zoe"))
    alone = grade(own_lab)
    assert {name: outcomes[name] for name in alone} == {name: outcome.verdict for name, outcome in alone.items()}
    assert own_lab.marks().items() <= lab.marks().items()


def test_a_person_must_look_at_essays_and_tampered_submissions(graded):
    lab, _ = graded
    to_read = {name: mark.to_read for name, mark in lab.course.marks(MODULE).items()}
    assert to_read["ada"]
    assert to_read["mute"]
    assert not to_read["bea"], "an essay that nobody wrote needs no reader"
    with lab.course.api.gradebook as gradebook:
        notebook = gradebook.find_submission_notebook(MODULE.slug, MODULE.slug, "mute")
        grades = {grade.name: grade.needs_manual_grade for grade in notebook.grades}
    assert grades == {"double_check": True, "double_hidden": True, "half_check": True, "half_reflect": True}


def test_other_files_are_not_used_and_not_lost(graded):
    lab, _ = graded
    kept = lab.folder / "autograded" / "late" / MODULE.slug
    assert [path.name for path in kept.iterdir()] == ["01_setup.ipynb"]
    backup = {path.name for path in lab.folder.glob("backup/*/submitted/late/01_setup/*")}
    assert backup == {"timestamp.txt", "shadow", "zero", "pipe"}


def test_no_hand_in_was_changed(graded):
    lab, _ = graded
    for name in ("ada", "vandal", "json", "fay"):
        path = lab.folder / "submitted" / name / MODULE.slug / "01_setup.ipynb"
        expected = PEOPLE[name].notebook
        if expected is not None:
            assert path.read_bytes() == expected
        else:
            assert json.loads(path.read_text()) == lab.notebook(**PEOPLE[name].texts)


def test_grading_again_changes_nothing_and_takes_no_time(own_lab):
    hand_in(own_lab, ("ada", "crash", "empty", "late", "mute"))
    began = time.monotonic()
    grade(own_lab)
    took = time.monotonic() - began
    marks, files = own_lab.marks(), contents(own_lab.folder / "autograded")
    began = time.monotonic()
    again = grade(own_lab)
    assert time.monotonic() - began < took / 5
    assert not any(outcome.changed for outcome in again.values())
    assert (own_lab.marks(), contents(own_lab.folder / "autograded")) == (marks, files)


def test_only_what_changed_is_graded_again(own_lab):
    hand_in(own_lab, ("ada", "zoe"))
    grade(own_lab)
    own_lab.hand_in("zoe", double="def double(x):\n    return 3 * x")
    again = grade(own_lab)
    assert {name: outcome.changed for name, outcome in again.items()} == {"ada": False, "zoe": True}
    assert own_lab.marks() == {"ada": 80, "zoe": 0}


def test_a_gradebook_that_lost_a_grade_gets_it_again(own_lab):
    hand_in(own_lab, ("ada",))
    grade(own_lab)
    with own_lab.course.api.gradebook as gradebook:
        gradebook.remove_submission(MODULE.slug, "ada")
    assert grade(own_lab)["ada"].changed
    assert own_lab.marks() == {"ada": 80}


def test_points_given_by_hand_survive_every_regrade(own_lab):
    hand_in(own_lab, ("ada",))
    grade(own_lab)
    with own_lab.course.api.gradebook as gradebook:
        essay = gradebook.find_grade("half_reflect", MODULE.slug, MODULE.slug, "ada")
        check = gradebook.find_grade("double_check", MODULE.slug, MODULE.slug, "ada")
        essay.manual_score, essay.needs_manual_grade, check.manual_score = 17, False, 29
        gradebook.db.commit()
    assert own_lab.marks() == {"ada": 96}
    own_lab.hand_in("ada", half="def half(x):\n    return x")
    assert grade(own_lab)["ada"].changed
    assert own_lab.marks() == {"ada": 66}


def test_the_gradebook_is_out_of_reach(own_lab):
    """The attack runs while the gradebook is at its usual path. Not one byte of it changes."""
    path = own_lab.folder / "gradebook.db"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    with_loot = own_lab.grade(double=f"import os\nprint(os.path.exists({str(path)!r}))\n{RAID}")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert with_loot.execution.cells["double"].outputs[0].text == "False\n"
    assert with_loot.verdict.points == 0


def test_a_submission_on_which_nbgrader_fails_does_not_affect_the_others(own_lab, monkeypatch):
    hand_in(own_lab, ("ada", "zoe"))
    real = steps.SaveGrades.preprocess

    def fails_on_ada(self, nb, resources):
        if resources["nbgrader"]["student"] == "ada":
            raise OSError("disk I/O error")
        return real(self, nb, resources)

    monkeypatch.setattr(steps.SaveGrades, "preprocess", fails_on_ada)
    outcomes = grade(own_lab)
    assert outcomes["ada"].verdict.status == "not graded: nbgrader fails on it: OSError: disk I/O error"
    assert outcomes["zoe"].verdict.points == 80


def test_marks_are_exported_and_the_older_file_is_kept(graded, tmp_path):
    lab, _ = graded
    path = tmp_path / "marks.csv"
    path.write_text("of last week")
    for _ in range(2):
        lab.course.export(path)
    rows = {row["student_id"]: float(row["score"]) for row in csv.DictReader(path.read_text().splitlines())}
    assert rows == lab.marks()
    assert [kept.read_text() for kept in tmp_path.glob("marks.20*.csv")] == ["of last week"]


def test_generating_again_keeps_what_an_instructor_changed_by_hand(own_lab):
    path = own_lab.folder / "source" / MODULE.slug / "01_setup.ipynb"
    path.write_text(path.read_text() + "\n")
    own_lab.course.generate(MODULE)
    assert len(list(own_lab.folder.glob("backup/*/source/01_setup/01_setup.ipynb"))) == 1


def test_a_reference_that_fails_its_own_checks_stops_before_anybody_is_graded(own_lab):
    source = own_lab.root / "modules" / "01_setup.py"
    source.write_text(source.read_text().replace("return 2 * x", "return 3 * x"))
    own_lab.course.generate(MODULE)
    hand_in(own_lab, ("ada",))
    with pytest.raises(TitoError, match="fails its own checks: cell double_check"):
        grade(own_lab)


# -- the commands --------------------------------------------------------------------------------------------------


@pytest.fixture
def bare(generated, tmp_path):
    """A repository in which nothing was generated yet."""
    shutil.copytree(generated, tmp_path / "bare", ignore=shutil.ignore_patterns("course"))
    return Lab(tmp_path / "copy", tmp_path / "bare")


def fails(done: SimpleNamespace, code: int, *parts: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert [line.startswith("tito: ") for line in done.stderr.strip().splitlines()][-1:] == [True], done.stderr
    assert all(part in done.stderr for part in parts), done.stderr


@pytest.mark.parametrize("words", [("autograde", "01"), ("release", "01", "--to", "x")])
def test_before_anything_is_generated_the_next_step_is_named(tito, bare, words):
    if words[0] == "autograde":
        hand_in_anything(bare)
    fails(tito(bare, *words), 2, "tito course generate 01")


def hand_in_anything(lab) -> None:
    folder = lab.folder / "submitted" / "ada" / MODULE.slug
    folder.mkdir(parents=True)
    (folder / "01_setup.ipynb").write_text("{}")


def test_when_nobody_has_handed_in_the_next_step_is_named(tito, own_lab):
    fails(tito(own_lab, "autograde", "01"), 1, "nobody has handed in", "tito course collect 01")
    fails(tito(own_lab, "feedback", "01"), 1, "no submission of 01_setup is graded yet", "tito course autograde 01")


def test_an_unknown_module_is_a_usage_error(tito, own_lab):
    fails(tito(own_lab, "autograde", "99"), 2, "no module is called '99'")


def test_a_broken_source_is_named_with_file_and_cell(tito, own_lab):
    source = own_lab.root / "modules" / "01_setup.py"
    source.write_text(source.read_text().replace("return 2 * x", "return 2 *"))
    fails(tito(own_lab, "generate", "01"), 1, "modules/01_setup.py, cell double")


def test_without_bubblewrap_grading_needs_no_sandbox(tito, own_lab):
    hand_in(own_lab, ("ada",))
    fails(tito(own_lab, "autograde", "01", path="/nowhere"), 2, "bubblewrap is not installed: install", "--no-sandbox")
    done = tito(own_lab, "autograde", "01", "--no-sandbox", path="/nowhere")
    assert done.returncode == 0, done.stderr
    assert "NO SANDBOX" in done.stderr
    assert own_lab.marks() == {"ada": 80}


def test_a_gradebook_that_is_damaged_or_cannot_grow_is_one_line(tito, own_lab):
    for damage in (b"this is no database, and longer than its header " * 3, b""):
        (own_lab.folder / "gradebook.db").write_bytes(damage)
        if damage:
            fails(tito(own_lab, "due", "01", "2026-10-01"), 1, "the gradebook sqlite:", "cannot be used: file is not a database")
    (own_lab.folder / "gradebook.db").unlink()
    (own_lab.folder / "gradebook.db").mkdir()
    fails(tito(own_lab, "due", "01", "2026-10-01"), 1, "the gradebook sqlite:", "unable to open database file")


def test_a_walk_through_all_the_commands(tito, own_lab, tmp_path):
    own_lab.hand_in("ada")
    own_lab.hand_in("bob", double="def double(x):\n    return 3 * x")
    inbox = tmp_path / "inbox"
    (own_lab.folder / "submitted").rename(inbox)
    for words in (
        ("generate", "--all"), ("release", "01", "--to", str(tmp_path / "out")), ("collect", "01", str(inbox)),
        ("autograde", "01"), ("feedback", "01", "--to", str(tmp_path / "back")), ("export", str(tmp_path / "marks.csv")),
    ):  # fmt: skip
        done = tito(own_lab, *words)
        assert (done.returncode, "Traceback" in done.stderr, "Warning" in done.stderr) == (0, False, False), done.stderr
        if words[0] == "autograde":
            assert "twice 3 is 6, not 9" in done.stdout
            assert SECRET not in done.stdout
    assert (tmp_path / "out" / "01_setup" / "01_setup.ipynb").is_file()
    assert (tmp_path / "back" / "bob" / "01_setup" / "01_setup.html").is_file()
    assert "ada" in (tmp_path / "marks.csv").read_text()


def test_each_submission_has_its_line_and_the_end_counts_how_they_ended(tito, own_lab):
    hand_in(own_lab, ("ada", "crash", "fay", "json"))
    done = tito(own_lab, "autograde", "01", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert [line.endswith(f"({place}/4)") for place, line in enumerate(lines, 1)] == [True] * 4
    assert any("crash 0, its process ended" in line for line in lines)
    assert "4 submissions: 4 graded now, 0 unchanged" in done.stdout
    counted = {line.strip() for line in done.stdout.splitlines()}
    assert {"1  graded", "1  its process ended", "1  syntax error", "1  01_setup.ipynb is not a notebook"} <= counted
    again = tito(own_lab, "autograde", "01", "--jobs", "2")
    assert "of which 0 were graded now and 4 are unchanged" in again.stdout
    assert "ada 80, graded before" in again.stderr


def test_jobs_and_scheduler_cannot_be_combined(tito, own_lab):
    fails(tito(own_lab, "autograde", "01", "--jobs", "2", "--scheduler", "tcp://10.0.0.1:8786"), 2, "Use only one of them")


def test_a_submission_that_could_not_be_graded_sets_the_exit_code(tito, own_lab, monkeypatch):
    hand_in(own_lab, ("ada",))
    monkeypatch.setattr(steps.SaveGrades, "preprocess", lambda *_: 1 / 0)
    done = tito(own_lab, "autograde", "01")
    assert done.returncode == 1
    assert "not graded: nbgrader fails on it: ZeroDivisionError: division by zero" in done.stdout


def test_control_characters_in_a_name_do_not_reach_the_terminal(tito, own_lab, tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("eve\x1b]0;pwned\x07\u202e-01_setup.ipynb", "{}")
    done = tito(own_lab, "collect", "01", str(tmp_path / "in.zip"))
    assert done.returncode == 0, done.stderr
    assert "pwned" in done.stdout
    assert all(line.isprintable() for line in done.stdout.splitlines())


def test_no_other_user_of_this_machine_can_look_into_a_course(tmp_path):
    """Whatever the modes of its files: notebooks with solutions, submissions, marks, and the reference's answers."""
    before = os.umask(0)
    try:
        lab = Lab(tmp_path / "repository")
        lab.course.generate(MODULE)
        lab.hand_in("ada")
        assert grade(lab)["ada"].verdict.points == 80
    finally:
        os.umask(before)
    closed = [lab.folder, *(path for path in (lab.root / "build").iterdir() if path.is_dir())]
    assert {path.name: path.stat().st_mode & 0o777 for path in closed} == {path.name: 0o700 for path in closed}
    files = {path for path in lab.root.rglob("*") if SECRET.encode() in (path.read_bytes() if path.is_file() else b"")}
    outside = {path for path in files if not any(path.is_relative_to(folder) for folder in closed)}
    assert outside <= {lab.root / "modules" / "01_setup.py"}


def test_a_course_that_others_could_look_into_is_closed_and_its_group_is_kept(own_lab):
    own_lab.folder.chmod(0o2775)
    Course(own_lab.root)
    assert own_lab.folder.stat().st_mode & 0o7777 == 0o2770


def test_a_class_of_another_folder_is_graded_there(own_lab, tmp_path):
    course = Course(own_lab.root, {"CourseDirectory": {"root": str(tmp_path / "elsewhere")}})
    course.generate(MODULE)
    (own_lab.folder / "submitted").mkdir()
    own_lab.hand_in("ada", double=DOUBLE)
    (own_lab.folder / "submitted").rename(tmp_path / "elsewhere" / "submitted")
    assert [outcome.verdict.points for outcome in course.autograde(MODULE)] == [80]


def test_a_real_module_gives_each_learner_the_right_points(root, tmp_path):
    """Module 03 of this repository: solved, blank, with one mistake, and with cheating."""
    module = syllabus.module("03")
    course = Course(root, {"CourseDirectory": {"root": str(tmp_path / "course")}})
    course.generate(module)
    released, solved = reference.released(course.folder, module.slug), reference.solved(course.folder, module.slug)
    for student in samples.CLASS:
        if student.name in ("ada", "cleo", "finn", "mallory"):
            path = course.folder / "submitted" / student.name / module.slug / f"{module.slug}.ipynb"
            write_atomic(path, json.dumps(samples.fill(released, solved, student, tmp_path)))
    verdicts = {outcome.student: outcome.verdict for outcome in course.autograde(module)}
    points = {name: verdict.points for name, verdict in verdicts.items()}
    assert (points["ada"], points["finn"]) == (80, 0)
    assert points["mallory"] < 2, "the identity is right where nothing has to change"
    assert 60 < points["cleo"] < 80
    assert all(check.reason for verdict in verdicts.values() for check in verdict.checks if check.points < check.of)
