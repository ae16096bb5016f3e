"""A source that breaks a rule is refused, in one line with the file and the cell."""

import subprocess
import sys

import pytest
import tiny

from tito import source
from tito.source import SourceError

# What is broken in the tiny module: the text replaced, its replacement, and what the error must say.
BROKEN = {
    "a cell that does not compile": ("return 2 * x", "return 2 *", "cell double: line 5 does not compile"),
    "an id that stands twice": ('"grade_id": "half_check"', '"grade_id": "double_check"', "double_check' stands twice"),
    "no id": ('"grade_id": "half", ', "", "nbgrader metadata but no grade_id"),
    "an id with a space": ('"grade_id": "half"', '"grade_id": "half of"', "'half of' is not"),
    "an unknown directive": ("#| export\nimport", "#| exprot\nimport", "unknown directive '#| exprot'"),
    "a directive that is not first": ("#| export\nimport", "# numbers\n#| export\nimport", "must be the first line"),
    "no default_exp": ("#| default_exp core.introduction", "1", "one cell '#| default_exp core.introduction'"),
    "another default_exp": ("core.introduction\n", "core.setup\n", "found ['core.setup']"),
    "a solution without a fence": ("    ### BEGIN SOLUTION\n    return x / 2\n    ### END SOLUTION\n", "    return x / 2\n",
                                   "cell half: a solution cell needs one"),
    "a fence that is never closed": ("    return x / 2\n    ### END SOLUTION", "    return x / 2", "do not pair up"),
    "a fence in a cell that is no solution": ("use_prefix(0)\n", "### BEGIN SOLUTION\nuse_prefix(0)\n### END SOLUTION\n",
                                              "cell prefix: it has a solution fence"),
    "a check that only defines a function": ("assert half(double(3)) == 3,", "def test(): assert half(3) == 3,",
                                             "cell half_check: a graded cell needs an assertion or an answer()"),
    "points that do not add up": ('"points": 30', '"points": 31', "add up to 82, not 80"),
    "reflections that do not add up": ('"locked": false, "points": 20', '"locked": false, "points": 5',
                                       "reflection cells add up to 5, not 20"),
    "points of nothing": ('"double_hidden", "locked": true, "points": 20', '"double_hidden", "locked": true, "points": 0',
                          "needs points above 0"),
    "no title in the header": ("#     title: Tiny\n", "", "has no title"),
    "a title without a sentence": ("# > Two functions, to test the way of a module.", "#", "the first cell must be the title"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_source_is_refused_by_name(tmp_path, what):
    old, new, said = BROKEN[what]
    assert old in tiny.MODULE
    path = tmp_path / "00_introduction.py"
    path.write_text(tiny.MODULE.replace(old, new), encoding="utf-8")
    with pytest.raises(SourceError) as error:
        source.read(path)
    assert said in str(error.value)
    assert str(error.value).startswith("modules/00_introduction.py")
    assert "\n" not in str(error.value)
    assert error.value.code == 1


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "00_introduction.py"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceError, match="cannot be read"):
        source.read(path)


def test_cells_have_the_same_ids_every_time(tmp_path):
    path = tiny.repository(tmp_path) / "modules" / "00_introduction.py"
    first, second = ([cell.id for cell in source.read(path).cells] for _ in range(2))
    assert first == second
    assert first[0] == "cell-0"
    assert "double" in first


def test_hidden_checks_are_run_last_and_plots_not_at_all(tmp_path):
    text = tiny.MODULE.replace("# %% [markdown]\n# ### Reflect", "# %%\nprint('a look')\n\n# %% [markdown]\n# ### Reflect")
    path = tmp_path / "00_introduction.py"
    path.write_text(text, encoding="utf-8")
    run = [cell.id for cell in source.in_grading_order(source.read(path))]
    assert run == ["prefix", "cell-3", "double", "double_check", "half", "half_check", "double_hidden"]


def test_a_notebook_is_read_without_the_grammar_of_web_addresses_that_costs_half_a_second():
    code = "import sys, tito, nbformat; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
