"""Exported marks: no name or id becomes a formula, a column or a path, and each format follows its documentation."""

import csv
import io
import json
import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as some
from lab import MODULE, Lab

from tito import marks
from tito.errors import TitoError
from tito.grading.judge import Check, Verdict

HOSTILE = {
    "comma": ("Comma, Dr.", "A,B", "a@b.example"),
    "quote": ('O"Neil', "it's", ""),
    "newline": ("two\nlines", "cr\rhere", ""),
    "formula": ("=cmd|' /C calc'!A0", "+1+1", "-2+3"),
    "@sum": ("@SUM(1+1)*cmd", "\t=1", "\r=1"),
    "-dash": ("  =1+1", "＝１", "x"),
    "script": ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", ""),
    "../up": ("..", "/etc/passwd", ""),
    "plain": ("Lovelace", "Ada", "ada@example.org"),
}
ABSENT = "absent"


def enter(lab: Lab, scores: dict[str, float], people: dict[str, tuple] | None = None) -> None:
    """Put students and graded submissions into the gradebook as nbgrader does, without running anything."""
    with lab.course.gradebook() as gradebook:
        for name, points in scores.items():
            last, first, email = (people or HOSTILE).get(name, ("", "", ""))
            gradebook.add_student(name, last_name=last, first_name=first, email=email)
            if points is not None:
                submission = gradebook.add_submission(MODULE.slug, name, timestamp="2026-03-02 10:00:00 UTC")
                for grade in submission.notebooks[0].grades:
                    if grade.cell.cell_type == "code":
                        grade.auto_score, grade.needs_manual_grade = grade.cell.max_score * points, False
                gradebook.db.commit()


@pytest.fixture(scope="module")
def booked(generated, tmp_path_factory) -> SimpleNamespace:
    lab = Lab(tmp_path_factory.mktemp("marks") / "repository", generated)
    enter(lab, {**dict.fromkeys(HOSTILE, 0.5), ABSENT: None})
    return SimpleNamespace(lab=lab, course=lab.course)


def lines(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def table(text: str) -> list[dict[str, str]]:
    header, *rows = lines(text)
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.fixture
def exported(booked, tmp_path):
    def run(name: str, kind: str | None = None) -> str:
        booked.course.export(tmp_path / name, kind)
        return (tmp_path / name).read_bytes().decode()

    return run


# -- a field -----------------------------------------------------------------------------------------------------------


@given(some.text())
def test_no_text_is_the_beginning_of_a_formula(text):
    """OWASP's list, https://owasp.org/www-community/attacks/CSV_Injection: = + - @, tab, carriage return, and wide forms."""
    shown = marks.escape_formula(text)
    assert shown.endswith(text)
    assert not re.match(r"\s*[=+\-@\t\r＝＋－＠]", shown)


@given(some.lists(some.tuples(some.text(some.characters(exclude_categories=["Cs"])), some.text("\r\n,\"';=x")), min_size=1))
def test_whatever_is_written_as_a_row_is_read_as_that_row(rows):
    expected = [[marks.escape_formula(value) for value in row] for row in rows]
    assert lines(marks.csv_text(["a", "b"], rows)) == [["a", "b"], *expected]


def test_texts_are_quoted_and_numbers_are_not():
    assert marks.csv_text(["name", "score"], [["007", -1.5], ["", 2.0]]) == '"name","score"\n"007",-1.5\n"",2.0\n'


# -- nbgrader's CSV ----------------------------------------------------------------------------------------------------


def test_the_csv_has_nbgraders_columns_and_everybody_in_it_once(exported):
    """The columns are those of nbgrader.plugins.CsvExportPlugin. Ours come after them."""
    rows = table(exported("marks.csv"))
    assert list(rows[0])[:11] == list(marks.NBGRADERS)
    assert {row["student_id"].removeprefix("'") for row in rows} == {*HOSTILE, ABSENT}
    assert {float(row["score"]) for row in rows if row["student_id"] != ABSENT} == {40.0}
    assert [float(row["max_score"]) for row in rows] == [100.0] * len(rows)


def test_nothing_in_the_csv_begins_like_a_formula(exported):
    for name in ("marks.csv", "marks.canvas.csv", "marks.moodle.csv"):
        for row in lines(exported(name)):
            assert not [value for value in row if re.match(r"\s*[=+\-@\t\r＝]", value)]
        assert "'=cmd" in exported(name)


def test_a_name_with_commas_quotes_and_newlines_is_one_field(exported):
    rows = {row["student_id"]: row for row in table(exported("marks.csv"))}
    assert rows["comma"]["last_name"] == "Comma, Dr."
    assert rows["quote"]["last_name"] == 'O"Neil'
    assert (rows["newline"]["last_name"], rows["newline"]["first_name"]) == ("two\nlines", "cr\rhere")


def test_a_student_without_a_submission_has_no_points_in_nbgraders_csv(exported):
    row = next(row for row in table(exported("marks.csv")) if row["student_id"] == ABSENT)
    assert (row["timestamp"], row["score"], row["max_score"]) == ("", "0.0", "100.0")


def test_the_order_of_rows_does_not_depend_on_the_order_of_grading(generated, tmp_path):
    texts = []
    for place, names in (("one", ["b", "a", "c"]), ("two", ["c", "b", "a"])):
        lab = Lab(tmp_path / place, generated)
        enter(lab, dict.fromkeys(names, 1 / 3), {"c": ("Z", "", "")})
        lab.course.export(tmp_path / f"{place}.csv")
        texts.append((tmp_path / f"{place}.csv").read_bytes())
    assert texts[0] == texts[1]
    assert [row["student_id"] for row in table(texts[0].decode())] == ["a", "b", "c"]


def test_plain_nbgrader_export_writes_the_same(booked, exported, tmp_path):
    from test_nbgrader import nbgrader

    done = nbgrader(booked.lab.root, "export", f"--to={tmp_path / 'plain.csv'}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "plain.csv").read_bytes().decode() == exported("marks.csv")


# -- other systems -----------------------------------------------------------------------------------------------------


def test_canvas_finds_its_columns_its_points_and_its_people(booked, exported):
    """As Canvas's importer reads it, github.com/instructure/canvas-lms, lib/gradebook_importer.rb: `Student` first, `ID`
    second, SIS User ID and SIS Login ID, Section last, then assignments by title; a row whose first field has "Points
    Possible"; a student by ID, else by login, else by name. An empty score changes nothing.
    """
    with booked.course.gradebook() as gradebook:
        gradebook.update_or_create_student("plain", lms_user_id="4711")
    header, possible, *people = lines(exported("marks.canvas.csv"))
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01_setup"]
    assert "Points Possible" in possible[0]
    assert possible[5] == "100.0"
    by_login = {row[3]: row for row in people}
    assert by_login["plain"] == ["Lovelace, Ada", "4711", "", "plain", "", "40.0"]
    assert by_login[ABSENT] == [ABSENT, "", "", ABSENT, "", ""], "who handed nothing in is not given a zero"


def test_moodle_can_map_its_people_and_a_column_for_each_module(exported):
    """Moodle's export has these headings, and its import maps a person from ID number or email address to a user, and a
    column to a grade item: https://docs.moodle.org/en/Grade_import and github.com/moodle/moodle, grade/export/txt.
    """
    rows = {row["ID number"]: row for row in table(exported("marks.moodle.csv"))}
    assert rows["plain"] == {
        "First name": "Ada", "Last name": "Lovelace", "ID number": "plain",
        "Email address": "ada@example.org", "01_setup": "40.0",
    }  # fmt: skip
    assert rows[ABSENT]["01_setup"] == ""


def test_gradescope_gets_a_results_json_for_each_submission(booked, tmp_path):
    """https://gradescope-autograders.readthedocs.io/en/latest/specs/#output-format: `score` stands for the sum of the tests,
    each with name, score, max_score, output and status; nothing is taken for HTML where the format is text.
    """
    written = booked.course.export(tmp_path / "results", "gradescope")
    assert len(written) == len(HOSTILE)
    assert {path.relative_to(tmp_path).parts[:2] for path in written} == {("results", "01_setup")}
    assert (tmp_path / "results" / "01_setup" / "%2E%2E%2Fup" / "results.json").is_file()
    found = json.loads((tmp_path / "results" / "01_setup" / "plain" / "results.json").read_text())
    assert (found["score"], found["output_format"], found["visibility"]) == (40.0, "text", "visible")
    tests = {test["name"]: test for test in found["tests"]}
    assert {name: (test["score"], test["max_score"]) for name, test in tests.items()} == {
        "double_check": (15, 30), "double_hidden": (10, 20), "half_check": (15, 30), "half_reflect": (0, 20),
    }  # fmt: skip
    assert tests["double_check"]["status"] == "failed"
    assert "status" not in tests["half_reflect"], "a person has not read it yet"


def test_gradescope_gets_the_reasons_and_the_penalty(booked):
    record = next(record for record in booked.course.records([MODULE]) if record.student == "plain")
    record.penalty, record.seconds_late = 10.0, 90000.0
    verdict = Verdict("graded", [Check("double_check", 15, 30, "twice 3 is 6, not <b>9</b>")])
    found = marks.as_gradescope(record, verdict)
    assert found["score"] == 30
    assert "1 day 1 hour late: 10 points were taken off." in found["output"]
    assert {test["output"] for test in found["tests"]} == {"twice 3 is 6, not <b>9</b>", ""}
    assert {test["output_format"] for test in found["tests"]} == {"text"}


def test_json_has_every_cell_as_the_gradebook_has_it(booked, exported):
    found = {record["student"]: record for record in json.loads(exported("marks.json"))}
    assert found["formula"]["last_name"] == HOSTILE["formula"][0]
    assert found["plain"]["score"] == 40
    assert {cell["id"]: cell["auto"] for cell in found["plain"]["cells"]}["double_hidden"] == 10
    assert found[ABSENT]["cells"] == []


# -- which format, which file ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said", "kind"),
    [("a.csv", None, "csv"), ("a.Canvas.CSV", None, "canvas"), ("a.moodle.csv", None, "moodle"), ("a.json", None, "json"),
     ("a.csv", "moodle", "moodle"), ("folder", "gradescope", "gradescope")],
)  # fmt: skip
def test_the_files_name_sets_the_format_unless_the_option_does(tmp_path, name, said, kind):
    assert marks.format_of(tmp_path / name, said) == kind


@pytest.mark.parametrize(("name", "said"), [("marks", None), ("marks.xlsx", None), ("a.csv", "excel")])
def test_an_unknown_format_is_a_usage_error(tmp_path, name, said):
    with pytest.raises(TitoError, match="canvas") as error:
        marks.format_of(tmp_path / name, said)
    assert error.value.code == 2


@given(some.text(min_size=1))
def test_no_students_id_is_a_path(student):
    name = marks.as_file_name(student)
    assert name not in ("", ".", "..")
    assert not re.search(r"[/\\\0]", name)
