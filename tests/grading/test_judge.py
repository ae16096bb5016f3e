"""A submission earns the points of its answers, with a reason for each lost point. Cheating is tested in test_attacks.py."""

import numpy as np
import pytest
from lab import DOUBLE, SECRET

from tito import source
from tito.grading import judge as judging

DEF = DOUBLE.removeprefix("#| export\n")


def then(code: str) -> str:
    return f"{code}\n\n{DEF}"


def hidden(answer: str) -> str:
    """Pass the visible check, and give the hidden check whatever `answer` makes of x."""
    return f"import numpy as np\ndef double(x):\n    return 6 if isinstance(x, int) and x == 3 else {answer}"


# -- points --------------------------------------------------------------------------------------------------------


def test_the_solved_notebook_earns_everything_and_the_blank_nothing(lab):
    solved = lab.grade()
    assert (solved.verdict.status, solved.verdict.points) == ("graded", 80)
    stub = "def {0}(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    blank = lab.grade(double=stub.format("double"), half=stub.format("half"))
    assert (blank.verdict.status, blank.verdict.points) == ("graded", 0)
    assert set(blank.reasons.values()) == {source.UNSOLVED}


def test_points_of_a_hidden_check_are_earned_answer_by_answer(lab):
    graded = lab.grade(double=hidden("2 * x if isinstance(x, int) else x"))
    assert graded.points == {"double_check": 30, "double_hidden": 10, "half_check": 30}
    assert graded.reasons["double_hidden"] == "answer 1 of 2 (an array) has wrong values in 2 of 3 places"


def test_a_missing_answer_costs_its_points_and_those_of_later_answers(lab):
    graded = lab.grade(double=hidden("2 * x if not isinstance(x, int) else x.nothing"))
    assert graded.points["double_hidden"] == 10
    assert graded.reasons["double_hidden"] == "answer 2 of 2 (a negative number) was not given: AttributeError was raised"


def test_a_missing_answer_is_reported_without_blaming_an_exception(lab):
    graded = lab.grade(double=then("import tito.grading\ntito.grading.answer = lambda *args, **kwargs: None"))
    assert graded.reasons["double_hidden"] == "answer 1 of 2 (an array) was not given: the check ended without it"


def test_a_failing_assertion_gives_its_message_and_its_line(lab):
    graded = lab.grade(double="def double(x):\n    return 3 * x")
    check = graded.verdict.checks[0]
    assert (check.points, check.reason, check.line) == (0, "twice 3 is 6, not 9", 2)


def test_a_syntax_error_is_named_with_its_cell_and_costs_no_other_exercise(lab):
    graded = lab.grade(half="def half(x:\n    return x / 2")
    assert graded.verdict.status.startswith("syntax error in cell half, line ")
    assert graded.points == {"double_check": 30, "double_hidden": 20, "half_check": 0}


def test_warnings_and_stderr_cost_nothing(lab):
    graded = lab.grade(double=then("import sys, warnings\nwarnings.warn('careful')\nprint('loud', file=sys.stderr)"))
    assert graded.verdict.points == 80


def test_the_message_of_an_error_is_one_printable_line(lab):
    named = "class E(Exception): pass\nE.__name__ = '\\x1b[31mE\\u202e'\n"
    graded = lab.grade(double=named + "def double(x):\n    raise E('a\\nb\\x1b]0;title\\x07')")
    assert graded.reasons["double_check"].isprintable()
    assert "\n" not in graded.reasons["double_check"]


def test_expected_values_are_in_no_reason(lab):
    graded = lab.grade(double=hidden("x"))
    assert SECRET not in graded.printed
    assert str(2 * int(SECRET)) not in graded.printed


def test_the_checks_own_message_comes_before_numpys():
    with pytest.raises(AssertionError) as error:
        np.testing.assert_allclose([1.0, 2.0], [1.0, 3.0], err_msg="the slope of x² is 2x")
    said = judging.describe("AssertionError", str(error.value))
    assert said == "the slope of x² is 2x: 1 of 2 numbers are wrong: at [1] 2.0, not 3.0"
    with pytest.raises(AssertionError) as error:
        np.testing.assert_array_equal([1.0], [2.0])
    assert judging.describe("AssertionError", str(error.value)) == "1 of 1 numbers are wrong: at [0] 1.0, not 2.0"
    with pytest.raises(AssertionError) as error:
        np.testing.assert_allclose([1.0, 2.123456789], [1.0, 2.0, 3.0], err_msg="two rows")
    said = judging.describe("AssertionError", str(error.value))
    assert said.startswith("two rows: (shapes (2,), (3,) mismatch)") and "2.12346" in said and "2.1234567" not in said
