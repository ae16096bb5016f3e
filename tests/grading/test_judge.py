"""A submission earns what its answers are worth, whatever it does to the kernel that it shares with the checks."""

import numpy as np
import pytest
from lab import DOUBLE, HALF, SECRET

from tito import source
from tito.grading import judge as judging

DEF = DOUBLE.removeprefix("#| export\n")
TAMPERED = "tampered: its checks were made unable to fail"


def then(code: str) -> str:
    return f"{code}\n\n{DEF}"


def wrong_and(code: str) -> str:
    return f"{code}\n\ndef double(x):\n    return 3 * x"


def hidden(answer: str) -> str:
    """Right where one can see, and in the hidden check whatever `answer` makes of x."""
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


def test_an_answer_that_is_not_given_costs_itself_and_those_after_it(lab):
    graded = lab.grade(double=hidden("2 * x if not isinstance(x, int) else x.nothing"))
    assert graded.points["double_hidden"] == 10
    assert graded.reasons["double_hidden"] == "answer 2 of 2 (a negative number) was not given: AttributeError was raised"


def test_a_failing_assertion_speaks_and_names_its_line(lab):
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


def test_what_a_cell_displays_is_never_its_score(lab):
    code = wrong_and("""
from IPython import get_ipython
get_ipython().ast_node_interactivity = 'all'
from IPython.display import display
display(80)
""")
    graded = lab.grade(double=code, half="def half(x):\n    print(30)\n    return 30\n30")
    assert graded.verdict.points == 0


def test_the_message_of_an_error_is_one_printable_line(lab):
    named = "class E(Exception): pass\nE.__name__ = '\\x1b[31mE\\u202e'\n"
    graded = lab.grade(double=named + "def double(x):\n    raise E('a\\nb\\x1b]0;title\\x07')")
    assert graded.reasons["double_check"].isprintable()
    assert "\n" not in graded.reasons["double_check"]


# -- lies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        "type('Equal', (), {'__eq__': lambda a, b: True, 'data': np.zeros(3)})()",
        "np.zeros(3).view(type('Liar', (np.ndarray,), {'__eq__': lambda a, b: True, '__array__': lambda *a: np.arange(3.0)}))",
        "np.array([None, 1, 2], dtype=object)",
        "np.full(3, np.nan)",
        "np.zeros((1, 3))",
        "np.zeros(3, complex)",
        "10 ** 400",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]]]]]]]]]]",
        "lambda: 0",
        "np.zeros(1_000_000)",
    ],
)
def test_a_lie_earns_no_point_of_a_hidden_check(lab, answer):
    graded = lab.grade(double=hidden(answer))
    assert graded.points == {"double_check": 30, "double_hidden": 0, "half_check": 30}
    assert graded.verdict.status == "graded"


def test_answers_of_its_own_beside_those_asked_for_are_tampering(lab):
    code = hidden("(__import__('tito.grading').grading.answer(np.arange(3.0) * 2), 2 * x)[1]")
    graded = lab.grade(double=code)
    assert graded.verdict.tampered
    assert graded.verdict.points == 0


def test_answers_published_in_a_visible_check_or_a_solution_count_nothing(lab):
    code = wrong_and("from tito.grading import answer\nimport numpy as np\nanswer(np.arange(3.0) * 2)\nanswer(-2 * 48151623)")
    assert lab.grade(double=code).verdict.points == 0


def test_a_patched_answer_function_cannot_say_what_it_does_not_know(lab):
    code = wrong_and("import tito.grading\ntito.grading.answer = lambda *args, **kwargs: None")
    graded = lab.grade(double=code)
    assert graded.points["double_hidden"] == 0
    assert "was not given" in graded.reasons["double_hidden"]


# -- tampering -----------------------------------------------------------------------------------------------------

SHELL = "from IPython import get_ipython\nshell = get_ipython()\n"


NO_TRACEBACKS = SHELL + """
shell.showtraceback = shell._showtraceback = lambda *args, **kwargs: None
async def run(*args, **kwargs):
    result = await type(shell).run_cell_async(shell, *args, **kwargs)
    result.error_in_exec = result.error_before_exec = None
    return result
shell.run_cell_async = run
"""
NO_ASSERT_IN_TEXT = SHELL + """
shell.input_transformers_cleanup.append(lambda lines: ['pass\\n' if 'assert' in line else line for line in lines])
"""
NO_ASSERT_IN_TREE = SHELL + """
import ast
class Blank(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)
shell.ast_transformers.append(Blank())
"""
RUNS_NOTHING = SHELL + """
async def run(*args, **kwargs):
    from IPython.core.interactiveshell import ExecutionResult
    return ExecutionResult(None)
shell.run_cell_async = run
"""
NICE_NUMPY = """
import numpy as np
np.testing.assert_array_equal = np.testing.assert_allclose = lambda *args, **kwargs: None
"""
NICE_BUILTINS = "import builtins\nbuiltins.AssertionError = type('Nice', (Exception,), {'__str__': lambda self: ''})"
ONLY_GOOD_NEWS = SHELL + """
session = shell.kernel.session
send = session.send
def filtered(stream, kind, *args, **kwargs):
    if kind == 'error':
        return None
    if args and isinstance(args[0], dict) and args[0].get('status') == 'error':
        args[0]['status'] = 'ok'
    return send(stream, kind, *args, **kwargs)
session.send = filtered
"""
TAUGHT = {
    "no tracebacks": NO_TRACEBACKS, "no assert in the text": NO_ASSERT_IN_TEXT, "no assert in the tree": NO_ASSERT_IN_TREE,
    "runs nothing": RUNS_NOTHING, "np.testing": NICE_NUMPY, "builtins": NICE_BUILTINS, "only good news": ONLY_GOOD_NEWS,
}  # fmt: skip


@pytest.mark.parametrize("code", TAUGHT.values(), ids=TAUGHT)
def test_a_kernel_taught_not_to_fail_is_found_out(lab, code):
    graded = lab.grade(double=wrong_and(code))
    assert graded.verdict.tampered
    assert graded.verdict.status.startswith(TAMPERED)
    assert graded.verdict.points == 0
    assert set(graded.reasons.values()) == {"withheld: tampered"}


@pytest.mark.parametrize(
    "code",
    [
        "import sys\nsys.excepthook = lambda *a: None",
        SHELL + "shell.set_custom_exc((Exception,), lambda *a, **k: None)",
        SHELL + "shell.showtraceback = lambda *a, **k: None",
    ],
    ids=["excepthook", "custom_exc", "showtraceback"],
)
def test_a_trick_that_hides_an_error_earns_nothing(lab, code):
    """The reply of the kernel still says that there was one; where it does not, the canaries do."""
    assert lab.grade(double=wrong_and(code)).verdict.points == 0


def test_a_thread_that_patches_later_is_found_out_or_earns_nothing(lab):
    code = wrong_and("""
import threading, time
from IPython import get_ipython
shell = get_ipython()
def later():
    while True:
        shell.showtraceback = shell._showtraceback = lambda *a, **k: None
        time.sleep(0.001)
threading.Thread(target=later, daemon=True).start()
""")
    assert lab.grade(double=code).verdict.points == 0


# -- leaks ---------------------------------------------------------------------------------------------------------

READS_ITS_CALLER = """
import inspect, linecache, sys
from IPython import get_ipython
def caught():
    shell = get_ipython()
    texts = [str(shell.user_ns.get('In')), str(shell.kernel.get_parent()['content'].get('code'))]
    texts += [''.join(lines) for _, _, lines, _ in (v for v in linecache.cache.values() if len(v) == 4)]
    return ' '.join(texts)
"""


@pytest.mark.parametrize(
    "leak",
    [
        "print(caught())",
        "raise ValueError(caught())",
        "raise type(caught()[-80:], (AssertionError,), {})(caught())",
        "sys.stderr.write(caught())",
        "from IPython.display import display; display(caught())",
        "return caught()",
        "open('/course/modules/leak', 'w').write(caught())",
        "__import__('threading').Thread(target=print, args=(caught(),)).start()",
        "return {caught(): 1}",
    ],
)
def test_a_hidden_check_is_shown_to_nobody(lab, leak):
    code = f"{READS_ITS_CALLER}\ndef double(x):\n    {leak}\n    return 2 * x"
    graded = lab.grade(double=code)
    assert SECRET not in graded.printed
    assert "numpy" not in graded.reasons["double_hidden"]


def test_a_hidden_check_cannot_be_written_into_the_output_of_an_earlier_cell(lab):
    """Not by a message that says it belongs to that cell, nor by a thread that was started there."""
    code = f"""{READS_ITS_CALLER}
import threading, time
kernel = get_ipython().kernel
parent = kernel.get_parent()
def later():
    for _ in range(100):
        time.sleep(0.02)
        kernel.session.send(kernel.iopub_socket, 'stream', {{'name': 'stdout', 'text': caught()}}, parent=parent)
        print(caught())
threading.Thread(target=later, daemon=True).start()
def double(x):
    if not isinstance(x, int):
        time.sleep(0.5)
    return 2 * x
"""
    graded = lab.grade(double=code, half=HALF)
    assert graded.verdict.points == 80
    assert SECRET not in graded.printed


def test_expected_values_are_in_no_reason(lab):
    graded = lab.grade(double=hidden("x"))
    assert SECRET not in graded.printed
    assert str(2 * int(SECRET)) not in graded.printed


def test_the_checks_own_message_comes_before_what_numpy_says():
    with pytest.raises(AssertionError) as error:
        np.testing.assert_allclose([1.0, 2.0], [1.0, 3.0], err_msg="the slope of x² is 2x")
    assert judging.describe("AssertionError", str(error.value)).startswith("the slope of x² is 2x Mismatched elements: 1 / 2")
    with pytest.raises(AssertionError) as error:
        np.testing.assert_array_equal([1.0], [2.0])
    assert judging.describe("AssertionError", str(error.value)).startswith("Arrays are not equal Mismatched elements")
