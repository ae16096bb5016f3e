"""An instructor reads and grades in formgrader, with a real server and a real browser."""

import csv
import re
from pathlib import Path

import pytest
from lab import ESSAY, MODULE, REFERENCE, RUBRIC, SECRET, Lab
from server import Server

pytestmark = pytest.mark.xdist_group("browser")
SECONDS = 1000
EVIL = f"{ESSAY} <script>alert(1)</script><img src=x onerror=alert(2)> ![drawing](attachment:a.png)"


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Lab:
    """A course with two graded submissions, and one whose essay contains scripts."""
    made = Lab(tmp_path_factory.mktemp("formgrader") / "repository")
    made.course.generate(MODULE)
    made.hand_in("ada")
    made.hand_in("bob", half="def half(x):\n    return x")
    made.hand_in("eve", essay=EVIL)
    assert [outcome.verdict.points for outcome in made.course.autograde(MODULE)] == [80, 50, 80]
    return made


@pytest.fixture(scope="module")
def address(lab, tmp_path_factory):
    server = Server(lab, tmp_path_factory.mktemp("server") / "config")
    try:
        server.wait()
        yield server.address
    finally:
        server.stop()


@pytest.fixture
def page(chromium):
    """A page that can reach only this machine. No dialog may have opened in it."""
    page, dialogs = chromium.new_page(), []
    page.set_default_timeout(60 * SECONDS)
    page.route("**/*", lambda route: route.continue_() if _is_here(route.request.url) else route.abort())
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    yield page
    page.close()
    assert dialogs == []


def _is_here(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "file:", "data:", "about:"))


def open_submission(page, address: str, student: str) -> None:
    """Click from formgrader's first page to one student's submission."""
    page.goto(f"{address}/formgrader/", wait_until="domcontentloaded")
    page.get_by_role("link", name="Manual Grading").click()
    for place in (f"**/gradebook/{MODULE.slug}", f"**/gradebook/{MODULE.slug}/{MODULE.slug}"):  # the assignment, its notebook
        page.locator("tbody").get_by_role("link", name=MODULE.slug, exact=True).click()
        page.wait_for_url(place)
    row = page.locator("tbody tr", has=page.locator("a.name-shown", has_text=student))
    row.locator(".reveal .name-hidden").click()
    row.locator("a.name-shown").click()
    page.wait_for_function("window.formgrader && formgrader.grades?.loaded && formgrader.comments?.loaded")


def grade(page, points: str, comment: str) -> None:
    """Type points and a comment for the essay, and wait until the server has both."""
    for box, text, api in (("#half_reflect", points, "grade"), ("#half_reflect-comment", comment, "comment")):
        with page.expect_response(re.compile(f"/api/{api}/")) as answer:
            page.locator(box).fill(text)
            page.locator(box).press("Tab")
        assert answer.value.ok


def exported(lab: Lab, path: Path) -> dict[str, float]:
    lab.course.export(path)
    return {row["student_id"]: float(row["score"]) for row in csv.DictReader(path.read_text().splitlines())}


def feedback(page, lab: Lab, student: str) -> str:
    """The text of a feedback page, in the browser."""
    page.goto(lab.course.feedback(MODULE)[student].as_uri(), wait_until="domcontentloaded")
    return page.locator("body").inner_text()


def test_formgrader_shows_the_rubric_beside_the_essay_and_no_learner_sees_it(lab, address, page):
    open_submission(page, address, "ada")
    shown = page.locator("body").inner_text()
    assert ESSAY in shown
    assert RUBRIC in shown
    assert shown.index(RUBRIC) < shown.index(ESSAY)
    released = lab.folder / "release" / MODULE.slug / f"{MODULE.slug}.ipynb"
    graded = lab.folder / "autograded" / "ada" / MODULE.slug / f"{MODULE.slug}.ipynb"
    assert RUBRIC not in released.read_text() + graded.read_text()
    told = feedback(page, lab, "ada")
    assert ESSAY in told
    assert not [secret for secret in (RUBRIC, REFERENCE, SECRET) if secret in told]


def test_points_and_comments_from_the_browser_reach_the_export_and_the_feedback(lab, address, page, tmp_path):
    before = exported(lab, tmp_path / "before.csv")
    open_submission(page, address, "bob")
    grade(page, "17", "Say what an integer is.")
    assert exported(lab, tmp_path / "after.csv") == {**before, "bob": before["bob"] + 17}
    told = feedback(page, lab, "bob")
    assert "Say what an integer is." in told
    assert re.search(r"\b17(\.0)? / 20(\.0)?\b", told)


def test_points_given_in_the_browser_survive_every_later_autograde(lab, address, page, tmp_path):
    open_submission(page, address, "ada")
    grade(page, "19", "Nearly.")
    lab.hand_in("ada", half="def half(x):\n    return x")
    assert {outcome.student: outcome.changed for outcome in lab.course.autograde(MODULE)}["ada"]
    assert exported(lab, tmp_path / "marks.csv")["ada"] == 50 + 19
    open_submission(page, address, "ada")
    assert page.locator("#half_reflect").input_value() == "19"
    assert page.locator("#half_reflect-comment").input_value() == "Nearly."
    assert "Nearly." in feedback(page, lab, "ada")


def test_an_essay_with_scripts_is_shown_as_text(lab, address, page):
    open_submission(page, address, "eve")
    assert "attachment:a.png" in page.locator("body").inner_text()
    assert page.locator("img[onerror]").count() == 0
    grade(page, "0", "No.")
    assert "attachment:a.png" in feedback(page, lab, "eve")
