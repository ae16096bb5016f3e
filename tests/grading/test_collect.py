"""Collecting submissions from folders and zips, also hostile ones. Nothing outside course/ is written."""

import datetime
import os
import stat
import zipfile
from pathlib import Path

import pytest

from tito import syllabus
from tito.collect import collect
from tito.errors import TitoError

MODULE = syllabus.module("01")
NAME = "01_setup.ipynb"


@pytest.fixture
def course(tmp_path) -> Path:
    """A course's folder. Other files beside it must not change."""
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    yield tmp_path / "course"
    for path, data in before.items():
        assert path.read_bytes() == data


def put(path: Path, text: str = "notebook", time: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if time:
        moment = datetime.datetime.fromisoformat(time).replace(tzinfo=datetime.UTC).timestamp()
        os.utime(path, (moment, moment))
    return path


def zipped(path: Path, entries: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in entries.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 3, 1, 12, 0, 0)), text)
    return path


def results(course, place, pattern=None, megabytes=1) -> dict[str, str]:
    return {c.student or c.name: c.result for c in collect(course, MODULE, place, pattern, megabytes)}


def submitted(course) -> dict[str, str]:
    return {path.parent.parent.name: path.read_text() for path in course.glob(f"submitted/*/{MODULE.slug}/{NAME}")}


@pytest.mark.parametrize(
    ("name", "student"),
    [
        (f"ada/01_setup/{NAME}", "ada"),
        (f"ada/{NAME}", "ada"),
        (f"ada/work/{NAME}", "ada"),
        (f"ada-{NAME}", "ada"),
        (f"ada@uni.edu_{NAME}", "ada@uni.edu"),
        (f"lovelaceada_123_4567_{NAME}", "lovelaceada"),
        (f"lovelaceada_LATE_123_4567_{NAME}", "lovelaceada"),
        ("lovelaceada_123_4567_01_setup-2.ipynb", "lovelaceada"),
        (f"Ada Lovelace_98765_assignsubmission_file_/{NAME}", "Ada-Lovelace_98765"),
        ("Ada Lovelace_98765_assignsubmission_file/deep/01_setup (1).ipynb", "Ada-Lovelace_98765"),
        (f"Łukasz Müller_5_assignsubmission_file_/{NAME}", "Łukasz-Müller_5"),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "zip", "zip in a folder"])
def test_file_names_of_the_usual_systems_name_the_student(tmp_path, course, name, student, kind):
    if kind == "folder":
        place = put(tmp_path / "in" / name).parents[name.count("/")]
    elif kind == "zip":
        place = zipped(tmp_path / "in.zip", {name: "notebook"})
    else:
        place = zipped(tmp_path / "in.zip", {f"all/{name}": "notebook", f"all/bob/{NAME}": "another"})
    assert results(course, place)[student] == "new"
    assert submitted(course)[student] == "notebook"
    assert set(submitted(course)) <= {student, "bob"}


def test_a_pattern_of_your_own_finds_the_student(tmp_path, course):
    put(tmp_path / "in" / "s-007" / "final.ipynb")
    assert results(course, tmp_path / "in", r"s-(?P<student>\d+)/.*\.ipynb") == {"007": "new"}
    with pytest.raises(TitoError, match="needs a group"):
        results(course, tmp_path / "in", ".*")


@pytest.mark.parametrize("pattern", ["(", "(?P<student>", "*"])
def test_an_invalid_pattern_is_reported_in_one_line(tmp_path, course, pattern):
    (tmp_path / "in").mkdir()
    with pytest.raises(TitoError, match="--pattern"):
        results(course, tmp_path / "in", pattern)


@pytest.mark.parametrize(
    "name",
    [
        f"../../evil/{NAME}", f"/etc/{NAME}", f"ada/../../{NAME}", f"..\\..\\evil\\{NAME}", f"../{NAME}", f"./../x/{NAME}",
        f"__MACOSX/ada/{NAME}",
    ],
)  # fmt: skip
def test_a_zip_writes_nothing_outside_the_course(tmp_path, course, name):
    place = zipped(tmp_path / "in.zip", {name: "evil", f"ada/{NAME}": "good"})
    results(course, place)
    assert submitted(course)["ada"] == "good"
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - {place}
    assert all(path.is_relative_to(course / "submitted") for path in written)
    assert set(submitted(course)) <= {"ada", "etc"}


def test_a_link_in_a_zip_or_a_folder_is_not_followed(tmp_path, course):
    secret = put(tmp_path / "secret", "secret")
    link = zipfile.ZipInfo(f"eve/{NAME}")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr(link, str(secret))
        archive.writestr(f"ada/{NAME}", "good")
    assert results(course, tmp_path / "in.zip") == {"ada": "new"}
    (tmp_path / "in" / "eve").mkdir(parents=True)
    (tmp_path / "in" / "eve" / NAME).symlink_to(secret)
    (tmp_path / "in" / "mal").symlink_to(tmp_path)
    put(tmp_path / "in" / "bob" / NAME)
    assert results(course, tmp_path / "in") == {"bob": "new"}
    assert "secret" not in submitted(course).values()


NO_IDS = ("..", ".", "a;rm -rf", "=cmd|x", "*", "[a-z]", "a" * 101, "a\nb", "$(id)", "{student_id}", "\u202eada")


@pytest.mark.parametrize("student", NO_IDS)
def test_a_name_that_cannot_be_a_students_id_is_skipped_and_reported(tmp_path, course, student):
    place = zipped(tmp_path / "in.zip", {f"{student}-{NAME}": "x", f"ada/{NAME}": "good"})
    collected = collect(course, MODULE, place, None, 1)
    others = {student: text for student, text in submitted(course).items() if student != "a-b"}  # white space is mended
    assert others == {"ada": "good"}
    assert all(c.result == "new" or c.result.startswith("left: ") for c in collected)


def test_a_later_hand_in_replaces_the_earlier_which_is_kept(tmp_path, course):
    put(tmp_path / "one" / "ada" / NAME, "first", "2026-03-01")
    put(tmp_path / "two" / "ada" / NAME, "second", "2026-03-02")
    assert results(course, tmp_path / "one") == {"ada": "new"}
    assert results(course, tmp_path / "one") == {"ada": "unchanged"}
    assert results(course, tmp_path / "two") == {"ada": "updated"}
    assert results(course, tmp_path / "one") == {"ada": "older than what is there"}
    assert submitted(course) == {"ada": "second"}
    assert [path.read_text() for path in course.glob(f"backup/*/submitted/ada/01_setup/{NAME}")] == ["first"]
    stamp = (course / "submitted" / "ada" / "01_setup" / "timestamp.txt").read_text()
    assert stamp == "2026-03-02 00:00:00 UTC\n"


def test_of_two_hand_ins_of_one_name_the_newer_is_taken_and_the_other_is_named(tmp_path, course):
    """In Canvas two people may have the same name: the one that is not taken must be reported."""
    put(tmp_path / "in" / f"doejane_1_11_{NAME}", "old", "2026-03-01")
    put(tmp_path / "in" / f"doejane_2_12_{NAME}", "new", "2026-03-02")
    collected = collect(course, MODULE, tmp_path / "in", None, 1)
    assert [c.result for c in collected] == ["new", f"left: doejane_2_12_{NAME} of the same student is newer"]
    assert submitted(course) == {"doejane": "new"}


def test_the_time_in_timestamp_txt_counts_if_it_is_valid(tmp_path, course):
    stated = {"ada": "2026-03-01 10:00:00 UTC", "bob": "yesterday", "cy": "x" * 1000, "dee": "2026-99-01 00:00:00"}
    for student, text in stated.items():
        put(tmp_path / "in" / student / NAME, "x", "2026-05-05")
        put(tmp_path / "in" / student / "timestamp.txt", text)
    results(course, tmp_path / "in")
    stamps = {p.parent.parent.name: p.read_text().strip() for p in course.rglob("timestamp.txt")}
    assert stamps == {"ada": "2026-03-01 10:00:00 UTC"} | dict.fromkeys(["bob", "cy", "dee"], "2026-05-05 00:00:00 UTC")


def test_a_folder_without_the_notebook_counts_as_an_empty_notebook(tmp_path, course):
    put(tmp_path / "in" / "ada" / "01_setup" / "other.txt")
    assert results(course, tmp_path / "in") == {"ada": f"no {NAME} in it: an empty file was made for it"}
    assert submitted(course) == {"ada": ""}


def test_a_file_that_is_too_large_is_skipped_and_reported(tmp_path, course):
    put(tmp_path / "in" / "ada" / NAME, "x" * (2 << 20))
    assert results(course, tmp_path / "in") == {"ada": "left: it is larger than 1 MB"}
    place = zipped(tmp_path / "in.zip", {f"bob/{NAME}": "x" * (500 << 20 >> 4), f"cy/{NAME}": "good"})
    assert results(course, place) == {"bob": "left: it is larger than 1 MB", "cy": "new"}


def test_a_damaged_entry_of_a_zip_does_not_affect_the_others(tmp_path, course):
    place = zipped(tmp_path / "in.zip", {f"ada/{NAME}": "a" * 1000, f"bob/{NAME}": "good"})
    raw = bytearray(place.read_bytes())
    at = raw.index(b"ada/01_setup.ipynb") + len(b"ada/01_setup.ipynb")
    raw[at : at + 4] = b"\xff\xff\xff\xff"
    place.write_bytes(raw)
    got = results(course, place)
    assert got["bob"] == "new"
    assert got["ada"].startswith("left: it cannot be read from the zip")


def test_an_entry_with_an_invalid_date_or_a_password_does_not_affect_the_others(tmp_path, course):
    place = zipped(tmp_path / "in.zip", {f"ada/{NAME}": "x", f"bob/{NAME}": "good", f"cy/{NAME}": "y"})
    raw = bytearray(place.read_bytes())
    central = raw.index(b"PK\x01\x02")
    raw[central + 14 : central + 16] = b"\xff\xff"  # the date: month 15, day 31
    locked = raw.index(b"PK\x01\x02", raw.index(b"PK\x01\x02", central + 4) + 4)
    raw[locked + 8] |= 1
    raw[raw.index(b"cy/") - 30 + 6] |= 1
    place.write_bytes(raw)
    got = results(course, place)
    assert (got["ada"], got["bob"]) == ("new", "new")
    assert got["cy"].startswith("left: it cannot be read from the zip")


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: p.write_text("no zip"), lambda p: None])
def test_a_place_without_submissions_is_reported_in_one_line(tmp_path, course, make):
    make(tmp_path / "in")
    with pytest.raises(TitoError, match=r"has no submission|neither a folder nor a zip"):
        results(course, tmp_path / "in")
