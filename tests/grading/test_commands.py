"""The commands after grading: what they print, what they write, and what they refuse."""

import json
import os

import pytest
from lab import MODULE, SECRET, Lab
from people import SCRIPT
from test_regrade import ADDED, STRICTER, rewrite, worth

pytestmark = pytest.mark.xdist_group("commands")


@pytest.fixture(scope="module")
def graded_two(generated, tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("commands") / "repository", generated)
    lab.hand_in("ada")
    path = lab.hand_in("three", double="def double(x):\n    return 6", half=f"def half(x):\n    raise ValueError({SCRIPT!r})")
    (path.parent / "timestamp.txt").write_text("2026-03-03 12:00:00 UTC")
    list(lab.course.autograde(MODULE))
    return lab.root


@pytest.fixture
def two(graded_two, tmp_path) -> Lab:
    return Lab(tmp_path / "repository", graded_two)


def fails(done, code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    *progress, problem = done.stderr.strip().splitlines()
    assert all(line.startswith("generating: ") for line in progress)
    assert problem.startswith("tito: ")
    assert not [word for word in words if word not in problem]


def test_due_sets_shows_and_removes_a_date(tito, two):
    assert "01_setup has no due date" in tito(two, "due", "01").stdout
    done = tito(two, "due", "01", "2026-03-01T14:00+02:00")
    assert "01_setup is due 2026-03-01 12:00 UTC: 1 of 2 submissions are late, 1 lose points" in done.stdout
    assert tito(two, "due", "01").stdout == done.stdout
    assert "no due date" in tito(two, "due", "01", "none").stdout
    fails(tito(two, "due", "01", "tomorrow"), 2, "'tomorrow' is no time", "2026-10-01T17:00")
    fails(tito(two, "due", "02"), 2, "was never generated", "tito course generate 02")


def test_a_policy_that_makes_no_sense_is_named_in_one_line(tito, two):
    with open(two.root / "nbgrader_config.py", "a", encoding="utf-8") as config:
        config.write("c.LatePolicy.points_per_day = 'ten'\n")
    fails(tito(two, "export", "marks.csv"), 2, "nbgrader_config.py", "points_per_day")


def test_regrading_shows_then_applies(tito, two):
    rewrite(two, worth("half_check", 20), ADDED, STRICTER)
    fails(tito(two, "generate", "01"), 1, "half_zero: added, worth 10", "tito course regrade 01")
    done = tito(two, "regrade", "01")
    assert done.returncode == 0, done.stderr
    assert "double_check: its text changed" in done.stdout
    assert "double_check 30 -> 0: its text changed; " in done.stdout
    assert "nothing is changed yet. `tito course regrade 01 --apply` changes the marks" in done.stdout
    assert SECRET not in done.stdout
    preview = json.loads(tito(two, "regrade", "01", "--json").stdout)
    assert [change["student"] for change in preview["changes"]] == ["ada", "three"]
    assert preview["applied"] is False
    done = tito(two, "regrade", "01", "--apply")
    assert "done; the old marks are in " in done.stdout
    assert "tito course feedback 01" in done.stdout
    assert two.marks()["three"] == next(c["after"] for c in preview["changes"] if c["student"] == "three")
    assert "0 marks change, 2 stay the same" in tito(two, "regrade", "01").stdout


def test_regrading_what_nobody_handed_in_names_the_next_step(tito, own_lab):
    fails(tito(own_lab, "regrade", "01"), 1, "no submission of 01_setup is graded yet", "tito course autograde 01")
    fails(tito(own_lab, "report", "01"), 1, "no submission of 01_setup is graded yet")


def test_marks_are_exported_by_the_files_name(tito, two, tmp_path):
    for name in ("m.csv", "m.canvas.csv", "m.moodle.csv", "m.json"):
        done = tito(two, "export", str(tmp_path / name))
        assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / name))
        assert "ada" in (tmp_path / name).read_text()
    done = tito(two, "export", str(tmp_path / "gs"), "--format", "gradescope")
    assert done.stdout.strip() == f"2 files in {tmp_path / 'gs'}"
    assert SCRIPT in json.loads((tmp_path / "gs" / "01_setup" / "three" / "results.json").read_text())["tests"][2]["output"]
    printed = json.loads(tito(two, "export", "--json", "--module", "01").stdout)
    assert {record["student"]: record["score"] for record in printed} == two.marks()
    fails(tito(two, "export", str(tmp_path / "m.xlsx")), 2, "canvas", "--format")


def test_a_report_is_a_table_json_and_a_page(tito, two, tmp_path):
    done = tito(two, "report", "01", "--html", str(tmp_path / "report.html"))
    assert done.returncode == 0, done.stderr
    assert "01_setup: 2 handed in" in done.stdout
    assert "double_hidden" in done.stdout
    assert SCRIPT in done.stdout
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    found = json.loads(tito(two, "report", "01", "--json").stdout)
    assert {check["id"]: check["passed"] for check in found["checks"]}["double_check"] == 2


WRITES = {
    "marks.csv": ("export",),
    "marks.json": ("export",),
    "marks.canvas.csv": ("export",),
    "report.html": ("report", "01", "--html"),
    "alike.html": ("similarity", "01", "--to"),
}


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_only_the_owner_can_read_marks_and_earlier_files_are_kept(tito, two, tmp_path, umask):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in WRITES:
        (folder / name).write_text("of last week")
        (folder / name).chmod(0o644)
    before = os.umask(umask)
    try:
        done = [tito(two, *words, str(folder / name)) for name, words in WRITES.items() for _ in range(2)]
    finally:
        os.umask(before)
    assert [one.stderr for one in done if one.returncode] == []
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {p.name: 0o600 for p in folder.iterdir()}
    for name in WRITES:
        stem, suffix = name.rsplit(".", 1)
        assert "of last week" not in (folder / name).read_text()
        assert [path.read_text() for path in folder.glob(f"{stem}.20*.{suffix}")] == ["of last week"], name


def test_a_folder_that_a_group_of_graders_shares_shares_the_marks_too(two):
    two.folder.chmod(0o2770)
    two.course.export(two.folder / "marks.csv")
    assert (two.folder / "marks.csv").stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("name", WRITES)
def test_a_place_that_cannot_be_written_to_is_named_in_one_line(tito, two, tmp_path, name):
    (tmp_path / name).mkdir()
    done = tito(two, *WRITES[name], str(tmp_path / name))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"tito: {tmp_path / name} cannot be written: Is a directory"


def test_chaining_names_the_replaced_modules_and_changes_no_mark(tito, two):
    before = two.marks()
    done = tito(two, "autograde", "01", "--chain")
    assert done.returncode == 0, done.stderr
    assert "This changes no mark" in done.stdout
    found = json.loads(tito(two, "autograde", "01", "--chain", "--json").stdout)
    assert {one["student"]: one["integration"] for one in found} == {"ada": 1.0, "three": 1.0}
    assert two.marks() == before
