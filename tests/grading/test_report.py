"""The report on a class: the statistics are right, and text from submissions cannot become a part of the page."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from lab import MODULE, Lab
from people import PEOPLE, SCRIPT
from test_feedback import Elements

from tito import report
from tito.errors import TitoError


@pytest.fixture(scope="module")
def found(graded):
    return report.build_report(graded[0].course, MODULE)


# -- statistics --------------------------------------------------------------------------------------------------------


def test_discrimination_is_the_textbooks_point_biserial():
    """(M1 - M0) / s * sqrt(p q), with the standard deviation of all."""
    passed = np.array([True, True, False, True, False, False, True])
    rest = np.array([70.0, 55.0, 30.0, 62.0, 48.0, 10.0, 66.0])
    p = passed.mean()
    expected = (rest[passed].mean() - rest[~passed].mean()) / rest.std() * np.sqrt(p * (1 - p))
    assert report.point_biserial(passed, rest) == pytest.approx(expected, abs=0.005)


@given(some.lists(some.tuples(some.booleans(), some.floats(0, 100)), max_size=20))
def test_discrimination_is_a_correlation_or_nothing(people):
    passed, rest = np.array([p for p, _ in people], dtype=bool), np.array([r for _, r in people])
    value = report.point_biserial(passed, rest)
    assert value is None or -1 <= value <= 1


@pytest.mark.parametrize(
    ("passed", "rest"), [([1, 1, 1], [1, 2, 3]), ([0, 0, 0], [1, 2, 3]), ([1, 0, 1], [5, 5, 5]), ([1, 0], [1, 2]), ([], [])]
)
def test_there_is_no_discrimination_if_all_are_equal_or_too_few(passed, rest):
    assert report.point_biserial(np.array(passed, dtype=bool), np.array(rest, dtype=float)) is None


def test_each_check_says_how_many_passed_and_the_commonest_reason(graded, found):
    checks = {check.id: check for check in found.checks}
    verdicts = graded[1].values()
    for name in ("double_check", "double_hidden", "half_check"):
        points = [verdict.earned[name] for verdict in verdicts]
        assert checks[name].graded == len(PEOPLE)
        assert checks[name].passed == sum(value == checks[name].of for value in points)
        assert checks[name].mean == pytest.approx(np.mean(points), abs=0.01)
    reasons = [check.reason for verdict in verdicts for check in verdict.checks if check.id == "half_check" and check.reason]
    assert checks["half_check"].how_often == max(map(reasons.count, reasons))
    assert reasons.count(checks["half_check"].commonest) == checks["half_check"].how_often
    assert checks["double_check"].kind == "check"
    assert checks["double_hidden"].kind == "hidden check"


def test_a_reflection_counts_those_that_a_person_has_read(found):
    reflection = next(check for check in found.checks if check.id == "half_reflect")
    assert (reflection.kind, reflection.graded) == ("by hand", 5), "who wrote nothing has no points; nobody was read"


def test_the_distribution_counts_everybody_once(graded, found):
    assert sum(count for _, _, count in found.bins) == found.handed_in == len(PEOPLE)
    scores = list(graded[0].marks().values())
    assert found.mean == pytest.approx(np.mean(scores), abs=0.01)
    assert found.median == np.median(scores)
    assert found.bins[0][2] == sum(score < 10 for score in scores)


def test_with_nothing_graded_there_is_nothing_to_report(own_lab):
    with pytest.raises(TitoError, match="tito course autograde 01"):
        report.build_report(own_lab.course, MODULE)


# -- the page ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(found) -> str:
    return report.page(found)


def test_nothing_in_the_page_runs_and_nothing_is_fetched(page):
    shown = Elements(page)
    assert {tag for tag, _ in shown.elements} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "b", "div", "table", "tr", "th", "td",
        "svg", "g", "path", "rect", "use", "defs", "clippath", "metadata",
    } | {tag for tag, _ in shown.elements if tag.startswith(("rdf:", "cc:", "dc:"))}  # fmt: skip
    for _, attributes in shown.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert not [value for name, value in attributes.items() if name in ("src", "action", "data", "srcset")]
        for name in ("href", "xlink:href"):
            assert attributes.get(name, "#").startswith("#")
    assert "url(http" not in page.replace(" ", "")
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_text_from_submissions_is_escaped_in_the_page(graded, found):
    for check in found.checks:
        check.commonest, check.how_often = SCRIPT, 3
    found.statuses[SCRIPT] = 1
    shown = Elements(report.page(found))
    assert "".join(shown.text).count(SCRIPT) == len(found.checks) + 1
    assert "script" not in {tag for tag, _ in shown.elements}
    assert "img" not in {tag for tag, _ in shown.elements}


def test_the_page_is_the_same_every_time(found):
    assert report.page(found) == report.page(found)


def test_both_plots_are_in_it(page):
    assert page.count("<svg") == page.count("</svg>") == 2


def test_a_class_of_one_person_has_a_report(generated, tmp_path):
    from test_marks import enter

    lab = Lab(tmp_path / "repository", generated)
    enter(lab, {"ada": 1.0})
    alone = report.build_report(lab.course, MODULE)
    assert [check.passed for check in alone.checks] == [1, 1, 1, 0]
    assert {check.discrimination for check in alone.checks} == {None}
    assert "<svg" in report.page(alone)
