"""Every module's exercises are tested: solved must pass, unsolved must fail, and each wrong answer must lose a point."""

import re
import statistics

import harness
import pytest

from tito import source

each_module = pytest.mark.parametrize("path", harness.sources(), ids=lambda path: path.stem)


@each_module
def test_the_reference_earns_every_point(path):
    notebook, outcomes = harness.reference(path)
    assert {name: problem for name, (problem, _) in outcomes.items() if problem} == {}
    assert harness.lost(notebook, path) == {}, "two runs of the reference differ"


@each_module
def test_the_blank_earns_nothing(path):
    notebook, _ = harness.reference(path)
    solutions = {cell.id: None for cell in notebook.cells if source.is_solution(cell)}
    lost = harness.lost(harness.with_solution(notebook, solutions), path)
    passing = [cell.id for cell in notebook.cells if source.is_check(cell) and cell.id not in lost]
    assert passing == [], "these checks pass on a notebook that nobody has filled in"


@pytest.mark.parametrize("wrong", harness.wrong_answers(), ids=str)
def test_a_wrong_answer_loses_points(wrong, root):
    path = root / "modules" / f"{wrong.module}.py"
    notebook, _ = harness.reference(path)
    assert wrong.cell in {cell.id for cell in notebook.cells if source.is_solution(cell)}
    lost = harness.lost(harness.with_solution(notebook, {wrong.cell: wrong.body}), path)
    assert lost, "no check noticed"
    assert all(len(message) > 10 for message in lost.values()), lost


@each_module
def test_every_exercise_has_two_wrong_answers(path):
    wrong = [answer.cell for answer in harness.wrong_answers() if answer.module == path.stem]
    notebook = source.read(path)
    exercises = [cell.id for cell in notebook.cells if cell.cell_type == "code" and source.is_solution(cell)]
    assert {name: wrong.count(name) for name in exercises if wrong.count(name) < 2} == {}


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
    for cell in source.read(path).cells:
        if cell.cell_type == "code" and source.is_solution(cell):
            body = cell.source.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0]
            assert 1 <= len([line for line in body.splitlines() if line.strip()]) <= 15, cell.id


@each_module
def test_the_text_is_plain(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"[\U0001F300-\U0001FAFF\u2600-\u27BF]", text), "emoji"
    assert not re.search(r"^[%!]\w", text, re.MULTILINE), "a magic or a shell command"
    assert "!\n" not in re.sub(r"`[^`]*`", "", text), "an exclamation mark ends a line"


@each_module
def test_the_package_file_keeps_its_weight(path, root):
    built = root / "tinytorch" / "core" / f"{path.stem.split('_', 1)[1]}.py"
    limit = 350 if path.stem == "02_tensor" else 200
    assert len(built.read_text(encoding="utf-8").splitlines()) <= limit
