"""Regrading after checks or points changed: the preview changes nothing, and applying loses nothing."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from lab import MODULE, SECRET, Lab

from tito.errors import TitoError
from tito.grading import regrade
from tito.grading.regrade import Preview, Regrade

pytestmark = pytest.mark.xdist_group("regrade")  # its class is graded once

# ada is right; nearly is right within 1/1000; three doubles nothing but 3; blank wrote nothing.
CLASS = {
    "ada": {},
    "nearly": {"double": "def double(x):\n    return 2.0001 * x if hasattr(x, 'shape') else 2 * x"},
    "three": {"double": "def double(x):\n    return 6 if np.all(x == 3) else 7", "half": "def half(x):\n    return x / 2"},
    "blank": {"double": "def double(x):\n    raise NotImplementedError()", "half": "", "essay": "YOUR ANSWER HERE"},
}
BEFORE = {"ada": 80 + 17, "nearly": 70, "three": 60, "blank": 0}

STRICTER = ('assert double(3) == 6, f"twice', 'assert double(0) == 0, "twice 0 is 0"\nassert double(3) == 6, f"twice')
TOLERANT = ('about="an array")', 'about="an array", rtol=0.01)')
ADDED = (
    "# %% [markdown]\n# ### Reflect",
    '# %% nbgrader={"grade": true, "grade_id": "half_zero", "locked": true, "points": 10, "schema_version": 3, '
    '"solution": false, "task": false}\n"""half of 0 is 0."""\nassert half(0) == 0, "half of 0 is 0"\n\n'
    "# %% [markdown]\n# ### Reflect",
)


ADDED_REFLECTION = (
    "# %% [markdown]\n# ### Reflect",
    '# %% [markdown] nbgrader={"grade": true, "grade_id": "double_reflect", "locked": false, "points": 8, '
    '"schema_version": 3, "solution": true, "task": false}\n# Doubling is even.\n\n# %% [markdown]\n# ### Reflect',
)


def rewrite(lab: Lab, *changes: tuple[str, str]) -> None:
    """Change the source, at the first occurrence of each text."""
    path = lab.root / "modules" / f"{MODULE.slug}.py"
    text = path.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text)


def worth(name: str, points: int) -> tuple[str, str]:
    """Change a cell's points. The tiny module's are 30, 20, 30 and 20."""
    now = {"double_check": 30, "double_hidden": 20, "half_check": 30, "half_reflect": 20}[name]
    return tuple(f'"grade_id": "{name}", "locked": {lock}, "points": {n}' for n in (now, points) for lock in [_lock(name)])


def _lock(name: str) -> str:
    return "false" if name == "half_reflect" else "true"


def remove(lab: Lab, name: str) -> None:
    path = lab.root / "modules" / f"{MODULE.slug}.py"
    cells = path.read_text().split("\n# %%")
    path.write_text("\n# %%".join(cell for cell in cells if f'"grade_id": "{name}"' not in cell))


@pytest.fixture(scope="module")
def graded_class(generated, tmp_path_factory) -> Path:
    lab = Lab(tmp_path_factory.mktemp("regrade") / "repository", generated)
    for name, texts in CLASS.items():
        lab.hand_in(name, **texts)
    list(lab.course.autograde(MODULE))
    by_hand(lab, "ada", "half_reflect", 17)
    assert lab.marks() == BEFORE
    return lab.root


@pytest.fixture
def taught(graded_class, tmp_path) -> Lab:
    return Lab(tmp_path / "repository", graded_class)


def by_hand(lab: Lab, student: str, cell: str, points: float) -> None:
    """Give a mark and a comment, as a person does in formgrader."""
    with lab.course.gradebook() as gradebook:
        grade = gradebook.find_grade(cell, MODULE.slug, MODULE.slug, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.find_comment("half_reflect", MODULE.slug, MODULE.slug, student).manual_comment = "well put"
        gradebook.db.commit()


def look(lab: Lab) -> tuple[Regrade, Preview]:
    anew = Regrade(lab.course, MODULE)
    list(anew.grade())
    return anew, anew.preview()


def apply(lab: Lab) -> list[Path]:
    anew, preview = look(lab)
    kept = anew.apply()
    expected = {change.student: change.after for change in preview.changes}
    assert {name: score for name, score in scores(lab).items() if name in expected} == expected, "the preview was wrong"
    return kept


def scores(lab: Lab) -> dict[str, float]:
    return {record.student: record.score for record in lab.course.records([MODULE])}


def state(lab: Lab) -> dict:
    """Return the state of the gradebook and the folders, without times and random ids."""
    files = {}
    for step in ("source", "release", "autograded"):
        for path in sorted((lab.folder / step).rglob("*")):
            if path.is_file():
                files[str(path.relative_to(lab.folder))] = path.read_bytes()
    with lab.course.gradebook() as gradebook:
        notebook = gradebook.find_notebook(MODULE.slug, MODULE.slug)
        cells = sorted(json.dumps({**c.to_dict(), "id": 0, "type": type(c).__name__}) for c in notebook._base_cells)
        sources = sorted(json.dumps({**c.to_dict(), "id": 0}) for c in notebook.source_cells)
        comments = sorted(
            (one.student.id, comment.name, comment.auto_comment or "", comment.manual_comment or "")
            for one in notebook.submissions
            for comment in one.comments
        )
    records = [record.as_dict() for record in lab.course.records([MODULE])]
    return {"files": files, "cells": cells, "sources": sources, "comments": comments, "records": records}


# -- five changes, each previewed and applied once ---------------------------------------------------------------------


@dataclass
class Case:
    """A change of the source, the marks by hand before it, and the expected results."""

    changes: list[tuple[str, str]]
    cells: dict[str, str]
    after: dict[str, float]  # of those whose mark or points change
    why: dict[str, str]
    removed: str | None = None
    marked: tuple[tuple[str, str, float], ...] = ()
    notes: list[str] = field(default_factory=list)
    meanwhile: tuple[str, str, float] | None = None  # a mark by hand between preview and applying


CASES = {
    "a stricter check": Case(
        [STRICTER],
        {"double_check": "its text changed"},
        {},
        {"three": "double_check 30 -> 0: its text changed; twice 0 is 0"},
    ),
    "a wider tolerance": Case(
        [TOLERANT],
        {"double_hidden": "its text changed"},
        {"nearly": 80 + 11},
        {"nearly": "double_hidden 10 -> 20: its text changed"},
        meanwhile=("nearly", "half_reflect", 11),
    ),
    "other points": Case(
        [worth("double_check", 10), worth("double_hidden", 40), worth("half_reflect", 12), ADDED_REFLECTION],
        {
            "double_check": "worth 10 instead of 30", "double_hidden": "worth 40 instead of 20",
            "half_reflect": "worth 12 instead of 20", "double_reflect": "added, worth 8",
        },
        {"ada": 97, "nearly": 60, "three": 40},
        {"nearly": "double_hidden 10 -> 20: worth 40 instead of 20"},
        notes=["ada: 17 points by hand for half_reflect stay, but the cell is worth 12 now"],
    ),
    "an added check": Case(
        [worth("half_check", 20), ADDED, STRICTER],
        {"double_check": "its text changed", "half_check": "worth 20 instead of 30", "half_zero": "added, worth 10"},
        {"three": 29 + 30},
        {"three": "half_check 30 -> 20: worth 20 instead of 30"},
        marked=(("three", "double_check", 29),),
    ),
    "a removed check": Case(
        [worth("double_check", 50)],
        {"double_check": "worth 50 instead of 30", "double_hidden": "removed, worth 20"},
        {"three": 80},
        {"nearly": "double_hidden 10 -> 0: removed, worth 20"},
        removed="double_hidden",
        marked=(("ada", "double_hidden", 18),),
        notes=["ada: 18 points by hand for double_hidden are lost with the cell. The old marks keep them"],
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES)
def case(request, graded_class, tmp_path_factory) -> SimpleNamespace:
    """The course before, its preview, and the course after."""
    case, lab = CASES[request.param], Lab(tmp_path_factory.mktemp("case") / "repository", graded_class)
    for mark in case.marked:
        by_hand(lab, *mark)
    rewrite(lab, *case.changes)
    if case.removed:
        remove(lab, case.removed)
    before, gradebook = state(lab), (lab.folder / "gradebook.db").read_bytes()
    with pytest.raises(TitoError) as refused:
        lab.course.generate(MODULE)
    anew, preview = look(lab)
    untouched = state(lab) == before and (lab.folder / "gradebook.db").read_bytes() == gradebook
    if case.meanwhile:
        by_hand(lab, *case.meanwhile)
    old = scores(lab)
    kept = anew.apply()
    return SimpleNamespace(
        case=case, lab=lab, before=before, preview=preview, untouched=untouched, old=old, kept=kept, after=state(lab),
        refused=str(refused.value),
    )  # fmt: skip


def test_generating_over_graded_submissions_is_refused_and_names_regrade(case):
    assert "4 submissions of 01_setup were graded by other cells" in case.refused
    assert "`tito course regrade 01`" in case.refused


def test_a_preview_changes_nothing(case):
    assert case.preview.changes
    assert case.untouched


def test_a_preview_says_what_changed_and_why_a_mark_does(case):
    assert case.preview.cells == case.case.cells
    why = {change.student: "\n".join(change.why) for change in case.preview.changes}
    for student, reason in case.case.why.items():
        assert reason in why[student]
    assert case.preview.notes == case.case.notes
    assert SECRET not in str(case.preview)
    assert len(case.preview.changes) + case.preview.unchanged == len(CLASS)


def test_applying_makes_exactly_the_previewed_changes(case):
    expected = {change.student: change.after for change in case.preview.changes}
    if case.case.meanwhile:
        expected[case.case.meanwhile[0]] += case.case.meanwhile[2]
    now = scores(case.lab)
    assert {student: now[student] for student in expected} == expected
    assert {student: now[student] for student in case.case.after} == case.case.after
    assert {s: score for s, score in now.items() if s not in expected} == {s: case.old[s] for s in now if s not in expected}


def test_marks_and_comments_by_hand_survive(case):
    records = {record.student: record for record in case.lab.course.records([MODULE])}
    for student, cell, points in (("ada", "half_reflect", 17), *case.case.marked, *filter(None, [case.case.meanwhile])):
        if cell != case.case.removed:
            assert records[student].cells[cell].points == records[student].cells[cell].manual == points
    assert ("ada", "half_reflect", "", "well put") in case.after["comments"]
    reread = {name for name, cell in records["ada"].cells.items() if cell.to_read}
    assert ("half_reflect" in reread) == ("half_reflect" in case.case.cells), "only what has changed has to be read again"


def test_the_old_marks_stay_beside_the_gradebook(case):
    as_csv, as_json = case.kept
    assert as_csv.parent == as_json.parent == case.lab.folder
    rows = csv.DictReader(as_csv.read_text().splitlines())
    assert {row["student_id"]: float(row["score"]) for row in rows} == case.old
    cells = {record["student"]: {c["id"]: c for c in record["cells"]} for record in json.loads(as_json.read_text())}
    for student, cell, points in (("ada", "half_reflect", 17), *case.case.marked):
        assert cells[student][cell]["manual"] == points


def test_after_applying_grading_generating_and_regrading_change_nothing(case):
    course = case.lab.course
    assert not any(outcome.changed for outcome in course.autograde(MODULE))
    course.generate(MODULE)
    assert {**state(case.lab), "files": 0} == {**case.after, "files": 0}
    assert look(case.lab)[1].changes == []
    assert set(course.feedback(MODULE)) == set(CLASS)


# -- other cases -------------------------------------------------------------------------------------------------------


def test_applying_gives_the_same_course_as_if_it_had_been_so_from_the_start(ready, tmp_path):
    _, undisturbed, _ = ready
    fresh = Lab(tmp_path / "fresh")
    rewrite(fresh, *READY)
    fresh.course.generate(MODULE)
    for name, texts in CLASS.items():
        fresh.hand_in(name, **texts)
    list(fresh.course.autograde(MODULE))
    by_hand(fresh, "ada", "half_reflect", 17)
    assert state(fresh) == undisturbed, "all but what was handed in, which was another release"


def test_a_new_submission_and_a_missing_file_are_reported_separately(taught):
    """Also, prose may change without regrading."""
    shutil.rmtree(taught.folder / "submitted" / "three")
    taught.hand_in("blank")
    rewrite(taught, ("Two functions, to test", "A pair of functions, to test"))
    taught.course.generate(MODULE)
    assert scores(taught) == BEFORE
    rewrite(taught, worth("half_check", 20), ADDED)
    _, preview = look(taught)
    after = {change.student: change.after for change in preview.changes}
    assert after == {"ada": 97, "nearly": 70, "blank": 80, "three": 50}
    why = {change.student: change.why for change in preview.changes}
    assert "double_check 0 -> 30: graded again" in why["blank"]
    assert why["three"] == ["half_check 30 -> 20: worth 20 instead of 30"], "a new check has nothing to run"


def test_the_penalty_for_lateness_follows_the_new_mark(own_lab):
    path = own_lab.hand_in("three", **CLASS["three"])
    (path.parent / "timestamp.txt").write_text("2026-03-01 18:00:00 UTC")
    list(own_lab.course.autograde(MODULE))
    own_lab.course.due(MODULE, "2026-03-01T12:00")
    assert scores(own_lab) == {"three": 50}
    rewrite(own_lab, worth("half_check", 1), worth("double_check", 59), STRICTER)
    anew, preview = look(own_lab)
    assert [(change.before, change.after) for change in preview.changes] == [(50, 0)], "of the one point left"
    anew.apply()
    assert scores(own_lab) == {"three": 0}


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_with_nothing_graded_there_is_nothing_to_regrade(own_lab):
    with pytest.raises(TitoError, match=r"no submission of 01_setup is graded yet. Run `tito course autograde 01`"):
        Regrade(own_lab.course, MODULE)


# -- killed in the middle ----------------------------------------------------------------------------------------------


READY = (worth("half_check", 20), ADDED, STRICTER, TOLERANT)


class Killed(BaseException):
    """Nothing catches it."""


@pytest.fixture(scope="module")
def ready(graded_class, tmp_path_factory):
    """A course whose shadow is graded, a function to restore it, and the state after applying."""
    place, copy = (tmp_path_factory.mktemp("killed") / name for name in ("repository", "copy"))
    lab = Lab(place, graded_class)
    rewrite(lab, *READY)
    look(lab)
    shutil.copytree(place, copy)
    apply(lab)
    undisturbed, marks_before = state(lab), BEFORE

    def again() -> Lab:
        shutil.rmtree(place)
        return Lab(place, copy)

    return again, undisturbed, marks_before


def old_or_new(lab: Lab, undisturbed: dict) -> None:
    """The gradebook is consistent: all old or all new."""
    records = [record.as_dict() for record in lab.course.records([MODULE])]
    cells = {cell["id"] for record in records for cell in record["cells"]}
    assert records == undisturbed["records"] or (scores(lab) == BEFORE and "half_zero" not in cells)


# The note, two files of old marks, the cells, four people's grades and comments, four notebooks, release, source, the note.
@pytest.mark.parametrize("step", [0, 1, 2, 3, 4, 8, 11, 12, 14, 16, 17, 18, 19])
def test_after_a_stop_at_any_step_the_gradebook_is_whole_and_a_second_run_completes_it(ready, monkeypatch, step):
    again, undisturbed, before = ready
    lab = again()
    anew, _ = look(lab)
    steps = iter(range(step))

    def dies(real):
        def wrapper(*arguments, **options):
            if next(steps, None) is None:
                raise Killed
            return real(*arguments, **options)

        return wrapper

    with monkeypatch.context() as patched:
        for name in ("write_atomic", "write_private", "_update_cells", "_update_grades", "_update_comments"):
            patched.setattr(regrade, name, dies(getattr(regrade, name)))
        patched.setattr(Path, "unlink", dies(Path.unlink))
        try:
            anew.apply()
            assert (step, state(lab)) == (19, undisturbed), "it was never stopped"
            return
        except Killed:
            pass
    old_or_new(lab, undisturbed)
    if lab.course.regrade_note(MODULE).is_file():
        for refused in (lambda: list(lab.course.autograde(MODULE)), lambda: lab.course.feedback(MODULE)):
            with pytest.raises(TitoError, match=r"interrupted\. `tito course regrade 01 --apply` completes it"):
                refused()
    kept = apply(lab)
    assert state(lab) == undisturbed
    rows = csv.DictReader(kept[0].read_text().splitlines())
    assert {row["student_id"]: float(row["score"]) for row in rows} == before, "the old marks are those of before the first run"
    assert not lab.course.regrade_note(MODULE).exists()


KILL = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from lab import MODULE
from sqlalchemy.orm import Session
from tito.course import Course
from tito.grading import regrade

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

anew = regrade.Regrade(Course(Path({root!r})), MODULE)
list(anew.grade())
if {moment!r} == "before the commit":
    Session.commit = die
else:
    regrade.Regrade._update_files = die
anew._read = lambda: None
anew.apply()
"""


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_a_kill_around_the_commit_leaves_the_gradebook_whole(ready, moment):
    again, undisturbed, before = ready
    lab = again()
    code = KILL.format(tests=str(Path(__file__).parent), root=str(lab.root), moment=moment)
    path = os.pathsep.join(str(Path(__file__).parents[up]) for up in (1, 2))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    new = {record["student"]: record["score"] for record in undisturbed["records"]}
    assert scores(lab) == (before if moment == "before the commit" else new)
    apply(lab)
    assert state(lab) == undisturbed
