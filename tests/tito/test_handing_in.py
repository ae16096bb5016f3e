"""`tito submit` and `tito feedback`: through folders, and through nbgrader's own exchange."""

import datetime
import json
import sys

import pytest
from dateutil.parser import parse

from tito.course import Course
from tito.learner import handing_in
from tito.learner.layout import Workspace
from tito.syllabus import module

NAME = "00_introduction"


def settle(workspace: Workspace, **settings) -> Workspace:
    """Write workspace.toml."""
    lines = [f"{key} = {json.dumps(str(value))}" for key, value in settings.items()]
    (workspace.root / "workspace.toml").write_text("\n".join(lines), encoding="utf-8")
    return Workspace(workspace.root)


@pytest.fixture
def class_folder(tmp_path):
    (tmp_path / "class").mkdir()
    return tmp_path / "class"


def test_without_a_class_the_file_to_upload_is_named(tito, workspace):
    said = tito("submit", "0", inside=workspace.root)
    place = workspace.root / "handin" / NAME / f"{NAME}.ipynb"
    assert said.code == 0
    assert f"upload this file to your class's system: {place.resolve()}" in said.out
    assert place.read_bytes() == workspace.notebook(module(0)).read_bytes()


def test_a_hand_in_lies_in_the_classs_inbox_with_the_time_as_nbgrader_writes_it(tito, workspace, class_folder):
    settle(workspace, student="ada", class_folder=class_folder)
    assert tito("submit", "0", inside=workspace.root).code == 0
    place = class_folder / "inbox" / "ada" / NAME
    assert sorted(path.name for path in place.iterdir()) == [f"{NAME}.ipynb", "timestamp.txt"]
    text = (place / "timestamp.txt").read_text()
    assert text.endswith(" UTC")
    assert abs(parse(text) - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)


def test_an_earlier_hand_in_is_kept_beside_the_new_one(tito, workspace, class_folder):
    settle(workspace, student="ada", class_folder=class_folder)
    first = workspace.notebook(module(0)).read_bytes()
    tito("submit", "0", inside=workspace.root)
    workspace.notebook(module(0)).write_bytes(first + b"\n")
    said = tito("submit", "0", inside=workspace.root)
    earlier, now = sorted((class_folder / "inbox" / "ada").iterdir(), key=lambda path: -len(path.name))
    assert (now.name, (now / f"{NAME}.ipynb").read_bytes()) == (NAME, first + b"\n")
    assert (earlier / f"{NAME}.ipynb").read_bytes() == first
    assert str(earlier) in said.out


def test_an_error_while_handing_in_keeps_the_earlier_submission(workspace, tmp_path, monkeypatch):
    handing_in.submit(workspace, module(0), tmp_path)

    def fails(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(handing_in, "write_atomic", fails)
    with pytest.raises(handing_in.TitoError, match="No space left"):
        handing_in.submit(workspace, module(0), tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name != "workspace"] == [NAME]
    assert (tmp_path / NAME / f"{NAME}.ipynb").is_file()


def test_a_class_folder_needs_a_student_and_has_to_be_there(tito, workspace, class_folder):
    settle(workspace, class_folder=class_folder)
    said = tito("submit", "0", inside=workspace.root)
    assert (said.code, "who are you" in said.err) == (2, True)
    settle(workspace, student="ada", class_folder=class_folder / "gone")
    said = tito("submit", "0", inside=workspace.root)
    assert (said.code, "is not there" in said.err) == (1, True)


def test_submit_warns_of_cells_that_cannot_be_graded_and_hands_in_all_the_same(tito, workspace, tmp_path):
    notebook = json.loads(workspace.notebook(module(0)).read_text())
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != "half"]
    workspace.notebook(module(0)).write_text(json.dumps(notebook))
    said = tito("submit", "0", "--to", tmp_path / "out", inside=workspace.root)
    assert said.code == 0
    assert "cell half is missing" in said.err
    assert (tmp_path / "out" / NAME / f"{NAME}.ipynb").is_file()


# -- feedback ---------------------------------------------------------------------------------------------------------


def test_feedback_is_fetched_from_the_class_and_an_earlier_page_is_kept(tito, workspace, class_folder):
    settle(workspace, student="ada", class_folder=class_folder)
    said = tito("feedback", "0", inside=workspace.root)
    assert (said.code, "no feedback" in said.err) == (1, True)
    page = class_folder / "feedback" / "ada" / NAME / f"{NAME}.html"
    page.parent.mkdir(parents=True)
    for text in ("<p>first</p>", "<p>second</p>"):
        page.write_text(text)
        said = tito("feedback", "0", inside=workspace.root)
    mine = workspace.root / "feedback" / NAME / f"{NAME}.html"
    assert said.code == 0 and str(mine.resolve()) in said.out
    assert mine.read_text() == "<p>second</p>"
    assert [path.read_text() for path in mine.parent.iterdir() if path != mine] == ["<p>first</p>"]


def test_feedback_comes_from_a_page_or_from_a_folder_laid_out_as_the_courses(tito, workspace, tmp_path):
    page = tmp_path / "feedback" / "ada" / NAME / "page.html"
    page.parent.mkdir(parents=True)
    page.write_text("<p>yours</p>")
    mine = workspace.root / "feedback" / NAME / "page.html"
    for place in (tmp_path / "feedback", page):
        assert tito("feedback", "0", "--from", place, inside=workspace.root).code == 0
        assert mine.read_text() == "<p>yours</p>"
        mine.unlink()


def test_feedback_without_a_source_says_which_option_to_use(tito, workspace):
    said = tito("feedback", "0", inside=workspace.root)
    assert said.code == 2
    assert "--from" in said.err


# -- the exchange -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="nbgrader has no exchange on Windows")
@pytest.mark.filterwarnings("ignore")  # nbgrader's own
def test_a_hand_in_and_its_feedback_go_through_nbgraders_exchange(tito, workspace, course, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    exchange = tmp_path / "exchange"
    exchange.mkdir(mode=0o777)
    exchange.chmod(0o777)
    teacher = Course(course, {"CourseDirectory": {"root": str(tmp_path / "course")}, "Exchange": {"root": str(exchange)}})
    teacher.generate(module(0))
    teacher.release_to_exchange(module(0))
    settle(workspace, student="ada", exchange=exchange, course_id="tinytorch")

    said = tito("submit", "0", inside=workspace.root)
    assert said.code == 0, said.err
    teacher.collect_from_exchange(module(0))
    collected = tmp_path / "course" / "submitted" / "ada" / NAME
    assert (collected / f"{NAME}.ipynb").read_bytes() == workspace.notebook(module(0)).read_bytes()
    assert tito("feedback", "0", inside=workspace.root).code == 1

    page = tmp_path / "course" / "feedback" / "ada" / NAME / f"{NAME}.html"
    page.parent.mkdir(parents=True)
    page.write_text("<p>well done</p>")
    for name in ("timestamp.txt", "submission_secret.txt"):
        if (collected / name).is_file():
            page.with_name(name).write_bytes((collected / name).read_bytes())
    teacher.return_feedback_to_exchange(module(0))
    assert tito("feedback", "0", inside=workspace.root).code == 0
    assert (workspace.root / "feedback" / NAME / f"{NAME}.html").read_text() == "<p>well done</p>"


def test_an_exchange_that_is_not_there_is_one_line(tito, workspace, tmp_path):
    settle(workspace, student="ada", exchange=tmp_path / "gone", course_id="tinytorch")
    said = tito("submit", "0", inside=workspace.root)
    assert said.code == 1
    assert "exchange" in said.err and said.err.count("\n") == 1
