"""Every module's exercises are tested: solved must pass, unsolved must fail, and each wrong answer must lose a point."""

import re
import statistics

import harness
import pytest

from tito import source
from tito.audit import stated
from tito.audit.runner import find_loss


def on_one_worker(paths):
    """All tests of a module on one worker: they share what was run."""
    return [pytest.param(path, id=path.stem, marks=pytest.mark.xdist_group(path.stem)) for path in paths]


# How many lines the package file of a module may have; 260 for those not named here.
LIMITS = {
    "02_tensor": 800,
    "04_layers": 370,
    "06_spatial": 500,
    "07_attention": 340,
    "08_dataloader": 340,
    "09_autograd": 550,
    "10_optimizers": 450,
    "11_training": 555,
}

each_module = pytest.mark.parametrize("path", on_one_worker(harness.sources()))


@each_module
def test_the_reference_earns_every_point(path):
    problems = {name: problem for name, (problem, *_) in harness.reference(path).outcomes.items() if problem}
    assert problems == {}


@each_module
def test_two_runs_of_the_reference_answer_alike(path):
    again = harness.run(path, {}, []).outcomes
    for name, (_, given, _) in harness.reference(path).outcomes.items():
        assert find_loss(None, again[name][1], given) is None, name


@each_module
def test_the_blank_earns_nothing(path):
    earned = {name: points for name, points in harness.blank(path).earned.items() if points}
    assert earned == {}, "these checks give points for a notebook that nobody has filled in"


def each(kind):
    return [pytest.param(one, id=str(one), marks=pytest.mark.xdist_group(one.module)) for one in harness.answers(kind)]


def loss(answer, kind, root):
    """The check that loses a point by an answer, and its message, or None."""
    path = root / "modules" / f"{answer.module}.py"
    assert answer.cell in harness.exercises(path), "no such exercise"
    return harness.lost(path, kind)[str(answer)]


@pytest.mark.parametrize("wrong", each("wrong"))
def test_a_wrong_answer_loses_points(wrong, root):
    lost = loss(wrong, "wrong", root)
    assert lost is not None, "no check noticed"
    check, message = lost
    assert len(message) > 10, message
    hidden = {cell.id for cell in source.read(root / "modules" / f"{wrong.module}.py").cells if source.is_hidden(cell)}
    assert not wrong.rule or check not in hidden, f"only a hidden check notices that it breaks the rule: {wrong.rule}"


@pytest.mark.parametrize("right", each("right"))
def test_a_right_answer_that_is_not_the_reference_loses_nothing(right, root):
    assert loss(right, "right", root) is None


@each_module
def test_wrong_answers_quote_the_rules_of_the_text(path, root):
    misquoted = stated.find_misquoted(source.read(path), stated.solutions(root, "wrong", path.stem))
    assert [f"{one}: {one.rule}" for one in misquoted] == []


@each_module
def test_every_stated_rule_is_broken_by_a_wrong_answer(path, root):
    assert stated.rules_without_case(source.read(path), stated.solutions(root, "wrong", path.stem)) == []


@each_module
def test_every_exercise_has_two_wrong_answers(path):
    wrong = [answer.cell for answer in harness.answers("wrong") if answer.module == path.stem]
    assert {name: wrong.count(name) for name in harness.exercises(path) if wrong.count(name) < 2} == {}


@each_module
def test_cells_keep_their_size(path):
    notebook = source.read(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    lengths = {cell.id: len([line for line in cell.source.splitlines() if line.strip()]) for cell in code}
    assert statistics.median(lengths.values()) <= 6.5, lengths
    assert {name: n for name, n in lengths.items() if n > 40} == {}
    words = {cell.id: len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown"}
    assert {name: n for name, n in words.items() if n > 130 and "reflect" not in name} == {}


@each_module
def test_solutions_are_short(path):
    for name, text in harness.exercises(path).items():
        body = text.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0]
        assert 1 <= len([line for line in body.splitlines() if line.strip()]) <= 15, name


@each_module
def test_the_text_is_plain(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"[\U0001F300-\U0001FAFF\u2600-\u27BF]", text), "emoji"
    assert not re.search(r"^[%!]\w", text, re.MULTILINE), "a magic or a shell command"
    assert "!\n" not in re.sub(r"`[^`]*`", "", text), "an exclamation mark ends a line"


@each_module
def test_no_line_scrolls_sideways(path):
    _, *cells = re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.MULTILINE)  # without the header
    lines = [line for cell in cells for line in cell.splitlines()[1:]]
    assert [line for line in lines if len(line) > 88] == []


@each_module
def test_the_package_file_keeps_its_weight(path, root):
    limit = LIMITS.get(path.stem, 260)
    built = root / "tinytorch" / "core" / f"{path.stem.split('_', 1)[1]}.py"
    assert len(built.read_text(encoding="utf-8").splitlines()) <= limit
