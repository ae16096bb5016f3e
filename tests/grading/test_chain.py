"""Grading on a learner's own earlier modules names the broken module, changes no mark, and runs nothing outside the sandbox."""

import json
import shutil
from pathlib import Path

import pytest
import solving
import tiny
from lab import FAST

from tito import export, source, syllabus
from tito.course import Course
from tito.grading.chain import Chain, insert_solutions

pytestmark = pytest.mark.xdist_group("chain")  # its class is graded once

ZERO, ONE, TWO = map(syllabus.module, range(3))

# 00 has double and half. 01 uses double, and has again and back. 02 uses both: quadruple calls again, whole calls half.
IMPORTS = "from tinytorch.core.introduction import half as halve\nfrom tinytorch.core.setup import again as more"
THIRD = (
    tiny.MODULE.replace("use_prefix(0)", "use_prefix(2)")
    .replace("core.introduction", "core.tensor")
    .replace("import numpy as np", f"import numpy as np\n\n{IMPORTS}")
    .replace("return 2 * x", "return more(x)")
    .replace("return x / 2", "return halve(x)")
    .replace("double", "quadruple")
    .replace("half(", "whole(")
    .replace('"half', '"whole')
    .replace("import half", "import half")
)
CLASS = {  # by module, what differs from the solution
    "ada": {},
    "base": {ZERO: {"double": "    return 2 * x + (x == 3)"}},  # breaks 02 through 01, which is right
    "middle": {ONE: {"again": "    return twice(x) + 1"}},
    "both": {ZERO: {"half": "    return x / 3"}, ONE: {"again": "    return twice(x) + 1"}},
    "unused": {ONE: {"back": "    return x"}},  # wrong, and nothing here uses it
    "own": {TWO: {"quadruple": "    return 2 * x if np.ndim(x) == 0 else x"}},  # wrong in 02 itself
    "gone": {ZERO: None},
    "syntax": {ZERO: {"double": "    return ("}},
    "crash": {ZERO: {"double": "    import os; os._exit(1)"}},
}


def repository(folder: Path) -> Path:
    root = tiny.repository(folder)
    for module, text in ((ONE, tiny.SECOND), (TWO, THIRD)):
        (root / "modules" / f"{module.slug}.py").write_text(text, encoding="utf-8")
    with open(root / "nbgrader_config.py", "a", encoding="utf-8") as config:
        config.writelines(f"c.Limits.{name} = {value}\n" for name, value in FAST.items())
    export.export(root, [])
    return root


@pytest.fixture(scope="module")
def chained(tmp_path_factory):
    """Everybody's module 02, graded and chained, and the marks before chaining."""
    root = repository(tmp_path_factory.mktemp("chain") / "repository")
    course = Course(root)
    for module in (ZERO, ONE, TWO):
        course.generate(module)
        for name, wrong in CLASS.items():
            if wrong.get(module, {}) is not None:
                hand_in(course, name, module, wrong.get(module, {}))
    everybody = course.submissions
    for module in (ZERO, ONE, TWO):  # of the earlier modules only those that are wrong, to be quick
        course.submissions = lambda one: [name for name in everybody(one) if one == TWO or CLASS[name].get(one)]
        list(course.autograde(module))
    course.submissions = everybody
    before = (course.folder / "gradebook.db").read_bytes()
    chain = Chain(course, TWO)
    runs = []
    real = chain._run
    chain._run = lambda rebuilt, own: (runs.append(own), real(rebuilt, own))[1]
    found, cost = {}, {}
    for one in chain.grade():
        found[one.student], cost[one.student] = one, len(runs)
        runs.clear()
    return course, found, cost, before


def hand_in(course: Course, name: str, module: syllabus.Module, bodies: dict[str, str]) -> Path:
    path = course.folder / "submitted" / name / module.slug / f"{module.slug}.ipynb"
    path.parent.mkdir(parents=True)
    shutil.copy(course.folder / "release" / module.slug / path.name, path)
    solving.solve(path, course.repository / "modules" / f"{module.slug}.py", bodies)
    return path


def test_a_learner_whose_modules_are_right_keeps_everything(chained):
    _, found, cost, _ = chained
    ada = found["ada"]
    assert (ada.apart, ada.chained, ada.of, ada.integration, ada.broke, ada.lent) == (80, 80, 80, 1.0, [], {})
    assert cost["ada"] == 1


def test_any_order_and_any_number_of_processes_find_the_same(chained, monkeypatch):
    course, found, _, _ = chained
    names = [*found]
    for path in (course.repository / "build" / "executions").iterdir():
        path.unlink()
    monkeypatch.setattr(course, "submissions", lambda module: [*reversed(names)])
    again = {one.student: one for one in Chain(course, TWO).grade(jobs=2)}
    assert again == found


@pytest.mark.parametrize(
    ("name", "broke", "reason"),
    [
        ("base", ["00_introduction"], "quadruple_check"),
        ("middle", ["01_setup"], "quadruple_check"),
        ("both", ["00_introduction", "01_setup"], "quadruple_check"),
        ("syntax", ["00_introduction"], "quadruple_check"),
        ("crash", ["00_introduction"], "its process ended"),
    ],
)
def test_the_module_that_breaks_is_named(chained, name, broke, reason):
    one = chained[1][name]
    assert one.apart == 80
    assert one.chained < 80
    assert one.integration == round(one.chained / 80, 3)
    assert one.broke == broke
    assert reason in one.why


def test_finding_the_broken_module_needs_one_more_run(chained):
    """The module that lost points in its own checks is tried first, so one more run is enough."""
    _, _, cost, _ = chained
    assert cost["base"] == cost["middle"] == cost["syntax"] == 2
    assert cost["both"] <= 4
    assert cost["unused"] == 1


def test_a_mistake_that_nothing_uses_breaks_nothing(chained):
    assert chained[1]["unused"].broke == []


def test_a_mistake_in_the_module_itself_does_not_count_as_a_broken_chain(chained):
    own = chained[1]["own"]
    assert own.apart == own.chained == 70
    assert (own.broke, own.integration) == ([], 1.0)


def test_the_reference_replaces_a_module_that_was_not_handed_in_and_says_so(chained):
    gone = chained[1]["gone"]
    assert gone.lent == {"00_introduction": "it was not handed in"}
    assert (gone.chained, gone.broke) == (80, [])


def test_no_mark_is_changed(chained):
    course, _, _, before = chained
    assert (course.folder / "gradebook.db").read_bytes() == before
    assert {name: mark.score for name, mark in course.marks(TWO).items()} == {**dict.fromkeys(CLASS, 80), "own": 70}


# -- the learner's package is text -------------------------------------------------------------------------------------


EVIL = {
    "evaluated": "from __future__ import annotations\n__all__ = open({mark!r}, 'w').write('evil')",
    "directive": "# a comment\r#| export ../../../evil\nopen({mark!r}, 'w')",
    "hidden": "#|export core.setup\r\n#| exec\nopen({mark!r}, 'w')",
    "run": "open({mark!r}, 'w').write('evil')",
}


@pytest.mark.parametrize("name", EVIL)
def test_nothing_of_a_submission_runs_while_its_package_is_put_together(chained, tmp_path, name):
    course, mark = chained[0], tmp_path / "evil"
    path = course.folder / "submitted" / f"evil{name}" / ZERO.slug / f"{ZERO.slug}.ipynb"
    if not path.exists():
        hand_in(course, f"evil{name}", ZERO, {})
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "double":
            cell["source"] = EVIL[name].format(mark=str(mark)) + "\ndef double(x):\n    return 2 * x"
    path.write_text(json.dumps(notebook))
    files = {file for file in course.repository.rglob("*") if "submitted" not in file.parts}
    own, lent = Chain(course, TWO)._own_packages(f"evil{name}")
    assert not mark.exists()
    assert set(own) == {ZERO}
    assert set(lent) == {ONE}
    assert {file for file in course.repository.rglob("*") if "submitted" not in file.parts} == files


def test_an_import_from_the_future_comes_first_in_the_file(chained):
    course = chained[0]
    package = export.package_file(course.repository, ZERO).read_text()
    notebook = source.read(course.repository / "modules" / f"{ZERO.slug}.py")
    cells = [cell for cell in notebook.cells if cell.id == "double"]
    cells[0].source = "#| export\nfrom __future__ import annotations\ndef double(x: Unknown): return 2 * x"
    compile(insert_solutions(package, cells), "file", "exec")


def test_a_solved_notebook_makes_the_file_that_the_course_exports(chained):
    course = chained[0]
    for module in (ZERO, ONE, TWO):
        package = export.package_file(course.repository, module).read_text()
        notebook = source.read(course.repository / "modules" / f"{module.slug}.py")
        for cell in notebook.cells:
            if source.is_solution(cell):
                cell.source = source.without_fences(cell.source)
        assert insert_solutions(package, notebook.cells) == package


def test_a_real_modules_solutions_make_the_file_that_is_committed(root):
    for module, path in source.paths(root).items():
        notebook = source.read(path)
        for cell in notebook.cells:
            if source.is_solution(cell) and cell.cell_type == "code":
                cell.source = source.without_fences(cell.source)
        package = export.package_file(root, module).read_text()
        ours = insert_solutions(package, notebook.cells)
        assert ours.replace("from tinytorch.core.", "from .") == package.replace("from tinytorch.core.", "from .")
