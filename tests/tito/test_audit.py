"""The audit makes mutants, and finds the checks that do not notice them."""

import json
import time

import pytest
import tiny

from tito import source, syllabus
from tito.audit import NO_EFFECT, auditing, stated, trial
from tito.audit.equivalent import read_equivalents
from tito.audit.mutants import mutants
from tito.errors import TitoError

CELL = '''
def f(a, b, x=7):
    """Not 5, and not a < b."""
    ### BEGIN SOLUTION
{body}
    ### END SOLUTION
    return 3 + 4
'''


def changes(body: str) -> set[tuple[str, str]]:
    """Return (kind, changed line) of every mutant of a body."""
    text = CELL.format(body="\n".join("    " + line for line in body.splitlines()))
    return {(mutant.kind, mutant.now) for mutant in mutants("f", text)}


@pytest.mark.parametrize(
    ("body", "kind", "now"),
    [
        ("c = a < b", "boundary", "c = a <= b"),
        ("c = a < b", "comparison", "c = a >= b"),
        ("c = a and b", "comparison", "c = a or b"),
        ("if a:\n    b.go()", "comparison", "if (not a):"),
        ("c = max(a, b)", "comparison", "c = min(a, b)"),
        ("c = (a + 1) * b", "arithmetic", "c = (a + 1) / b"),
        ("c = (a + 1) * b", "sign", "c = (a - 1) * b"),
        ("c = -a", "sign", "c = (a)"),
        ("c = 10", "constant", "c = 11"),
        ("c = 10", "constant", "c = 9"),
        ("c = 0.5", "constant", "c = 0.55"),
        ("c = 'x'", "constant", "c = '_x'"),
        ("c = a.sum(keepdims=True)", "constant", "c = a.sum(keepdims=False)"),
        ("c = a[:b]", "boundary", "c = a[:(b) + 1]"),
        ("for i in range(b):\n    a.go(i)", "boundary", "for i in range((b) - 1):"),
        ("c = a.sum(axis=b)", "axis", "c = a.sum(axis=-1)"),
        ("c = a.T", "axis", "c = a"),
        ("c = g(a, b, k=1)", "swapped arguments", "c = g(b, a, k=1)"),
        ("c = a @ b", "swapped arguments", "c = (b @ a)"),
        ("a.go()", "removed statement", "pass"),
        ("a += b", "removed statement", "pass"),
        ("c = a.astype(np.float32)", "wrong dtype", "c = a.astype(np.float64)"),
        ("c = a.astype(np.float32)", "wrong dtype", "c = a"),
        ("c = np.ones(3, dtype=b)", "wrong dtype", "c = np.ones(3)"),
        ("return a", "wrong dtype", "return in_another_dtype(a)"),
        ("return a", "input changed", "return after_changing(a, b)"),
        ("a.go()", "input changed", "after_changing(None, b)"),
        ("ä = 'ü' + a  # ö", "sign", "ä = 'ü' - a  # ö"),
    ],
)
def test_every_kind_of_mistake_is_made(body, kind, now):
    assert (kind, now) in changes(body)


@pytest.mark.parametrize(
    "body", ["c = max(a, b)", "c = a in (1, b)", "c = a.sum(axis=(0, 1))", 'raise ValueError("no " + str(a))', "'words'"]
)
def test_mutants_that_no_check_can_notice_are_not_made(body):
    assert not {now for kind, now in changes(body) if kind == "swapped arguments" or "_words" in now or "_no" in now}


def test_a_generator_gets_no_mutant_that_changes_its_input_at_the_end():
    assert not {now for kind, now in changes("yield a") if kind == "input changed"}


def test_only_what_the_learner_writes_is_touched_and_each_mutant_differs_in_one_line():
    text = CELL.format(body="    c = a * 2\n    c += 1")
    for mutant in mutants("f", text):
        old, new = text.splitlines(), mutant.text.splitlines()
        if mutant.was == "(at the end)":
            new.remove("    " + mutant.now)
            assert new == old
        else:
            assert [i for i, (a, b) in enumerate(zip(old, new, strict=True), 1) if a != b] == [mutant.line]
            assert 5 <= mutant.line <= 6


# -- trying them -----------------------------------------------------------------------------------------------------

SOURCE = tiny.MODULE.replace(
    'answer(double(np.arange(3.0)), about="an array")',
    'x = np.arange(3.0)\nanswer([double(x), x], about="an array, before and after")',
)


@pytest.fixture
def repository(tmp_path):
    """A function that makes a repository of the tiny module with some texts replaced."""

    def write(*replacements):
        text = SOURCE
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        return tiny.repository(tmp_path / "repository", text)

    return write


def audit(root, **options):
    (found,) = auditing.audit_modules(root, [syllabus.module("00")], **options)
    return found


def test_a_weak_check_lets_mutants_survive(repository):
    found = audit(repository(("assert half(double(3)) == 3,", "assert half(0) == 0,")))
    assert (found.unsolved, found.reference, found.of) == (0, 80, 80)
    assert {(m.cell, m.now) for m in found.survivors} == {
        ("half", "return x * 2"),
        ("half", "return x / 3"),
        ("half", "return x / 1"),
    }


def test_mutants_that_only_a_hidden_check_notices_are_reported_separately(repository):
    found = audit(
        repository(("assert double(3) == 6,", "assert double(1) == 2,"), ("assert half(double(3)) == 3,", "assert half(6) == 3,"))
    )
    unseen = {mutant.now: fate.check for mutant, fate in found.unseen.items()}
    assert unseen["return 2 / x"] == "double_hidden"
    assert found.survivors == []


def test_points_for_nothing_and_a_reference_that_fails_are_reported(repository):
    root = repository(('answer(double(-7), about="a negative number")', 'answer(3, about="what everybody has")'))
    path = root / "modules" / "00_introduction.py"
    path.write_text(
        path.read_text(encoding="utf-8").replace('answer([double(x), x], about="an array, before and after")\n', ""),
        encoding="utf-8",
    )
    assert audit(root).problems == ["00_introduction: the unsolved release earns 20 points"]
    path.write_text(SOURCE.replace("assert double(3) == 6,", "assert double(3) == 7,"), encoding="utf-8")
    assert audit(root).problems == ["00_introduction: the reference earns 50 of 80 points"]


ENTRY = '[[00_introduction]]\ncell = "half"\nwas = "{was}"\nnow = "return x * 2"\nwhy = "asked at 0 alone"\n'


def test_an_equivalent_mutant_is_not_counted_and_an_unused_entry_is_stale(repository):
    root = repository(("assert half(double(3)) == 3,", "assert half(0) == 0,"))
    listing = root / "tests" / "modules" / "equivalent.toml"
    listing.parent.mkdir(parents=True)
    before = audit(root)
    listing.write_text(ENTRY.format(was="return x / 2"), encoding="utf-8")
    after = audit(root)
    assert [m.now for m in after.equivalent] == ["return x * 2"]
    assert (after.counted, len(after.survivors)) == (before.counted - 1, len(before.survivors) - 1)
    listing.write_text(ENTRY.format(was="return x / 4"), encoding="utf-8")
    assert (
        "half: return x / 4 => return x * 2 is listed as equivalent, but no such mutant survives. Remove it"
        in audit(root).problems[0]
    )
    assert audit(root, sample=2).problems == []  # of a sample nobody knows


RULES = """
# %% [markdown]
# Look at it, must we not? Write `double`: `x` must not change. It may be
# anything that adds: never write a loop.
"""
BEFORE_DOUBLE = '\n# %% nbgrader={"grade": false, "grade_id": "double"'
WRONG = """
# %% double: a loop
# rule: never write a loop
    return [2 * one for one in x]
# %% double: something else
    return x
""".lstrip()


def test_a_rule_that_the_text_states_and_no_wrong_answer_breaks_is_named(repository):
    root = repository((BEFORE_DOUBLE, RULES + BEFORE_DOUBLE))
    (root / "tests" / "modules" / "wrong").mkdir(parents=True)
    (root / "tests" / "modules" / "wrong" / "00_introduction.py").write_text(WRONG, encoding="utf-8")
    assert [problem for problem in audit(root).problems if "rule" in problem] == [
        "00_introduction/double: no wrong answer breaks the rule that the text states: Look at it, must we not?",
        "00_introduction/double: no wrong answer breaks the rule that the text states: "
        "Write `double`: `x` must not change.",
    ]


def test_a_quotation_that_the_text_does_not_have_is_found(repository):
    path = repository() / "modules" / "00_introduction.py"
    quoted = ("", "Two functions, to test", "the way of", "double doubles.", "return 2 * x", "import numpy")
    quoting = [stated.Solution("00_introduction", "double", "a thought", "    return x", rule) for rule in quoted]
    found = [one.rule for one in stated.find_misquoted(source.read(path), quoting)]
    assert found == ["the way of", "double doubles.", "return 2 * x"], "too short, in a check, in a solution"


@pytest.mark.parametrize(
    "text", ["[[00_introduction]]\ncell = 1", "[[nowhere]]\ncell = 1", "x = 3", "[[", "[[00_introduction]]\nwhy = 'x'"]
)
def test_a_list_that_cannot_be_read_is_one_line(repository, text):
    root = repository()
    (root / "tests" / "modules").mkdir(parents=True)
    (root / "tests" / "modules" / "equivalent.toml").write_text(text, encoding="utf-8")
    with pytest.raises(TitoError):
        read_equivalents(root)


def test_mutants_that_loop_exit_or_use_all_memory_lose_points_and_do_not_stop_the_audit(repository):
    path = repository() / "modules" / "00_introduction.py"
    notebook = source.read(path)
    bodies = {
        "a loop": "    while True:\n        pass",
        "a loop that swallows": "    while True:\n        try:\n            while True: pass\n        except Exception: pass",
        "an exit": "    import os\n    os._exit(0)",
        "another exit": "    raise SystemExit",
        "memory": "    return bytearray(1 << 40)",
        "right": "    return x + x",
        "no effect": "    return in_another_dtype(2 * x) if type(x) is str else 2 * x",
    }
    text = {cell.id: cell.source for cell in notebook.cells}["double"]
    start = time.monotonic()
    losses = trial.run(path, notebook, [(name, "double", source.with_body(text, body)) for name, body in bodies.items()]).losses
    assert time.monotonic() - start < 60
    assert losses.pop("right") is None and losses.pop("no effect") == NO_EFFECT
    assert all(losses.values()), losses


def test_a_sample_is_always_the_same(repository):
    root = repository()
    samples = [{mutant.key for mutant in audit(root, sample=5).fate} for _ in range(2)]
    assert samples[0] == samples[1] <= {mutant.key for mutant in audit(root).fate}


def test_the_command_lists_survivors_and_its_code_says_whether_all_is_well(repository, tito):
    root = repository(("assert half(double(3)) == 3,", "assert half(0) == 0,"))
    said = tito("course", "audit", "00", "--unseen", inside=root)
    assert said.code == 1
    assert "00_introduction/half, line 5, arithmetic: no check notices\n  - return x / 2\n  + return x * 2" in said.out
    assert "all checks kill" in said.err
    said = tito("course", "audit", "--json", inside=root)
    found = json.loads(said.out)
    assert said.code == 1 and found["modules"][0]["reference"] == 80
    assert {"cell", "line", "kind", "was", "now", "survived"} <= set(found["modules"][0]["mutants"][0])
    strong = SOURCE.replace(
        "assert double(3) == 6,", "x = np.ones(2)\nassert double(x).dtype == float and x[0] == 1\nassert double(3) == 6,"
    )
    (root / "modules" / "00_introduction.py").write_text(strong, encoding="utf-8")
    assert tito("course", "audit", inside=root).code == 0
    assert tito("course", "audit", "16", inside=root).err == "tito: modules/16_capstone.py does not exist\n"


# -- the course ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["03", "04"])
def test_the_checks_of_a_module_notice_what_they_should(root, module):
    found = auditing.audit_modules(root, [syllabus.module(module)])
    assert auditing.find_shortfalls(found) == []


def test_every_equivalent_mutant_that_is_listed_can_be_made(root):
    made = {module: auditing.module_mutants(source.read(path)) for module, path in source.paths(root).items()}
    stale = [str(entry) for entry in read_equivalents(root) if not any(map(entry.matches, made[entry.module]))]
    assert stale == []
