"""`tito check` and `tito complete` run the visible checks on the learner's notebook. A notebook that passes is exported."""

import json
from pathlib import Path

import pytest

from tito.learner import checking
from tito.syllabus import module


def cells(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def add(path: Path, *texts: str, place: int = 2) -> None:
    """Add cells, as a learner may."""
    notebook = cells(path)
    mine = [{"cell_type": "code", "id": f"mine-{n}", "metadata": {}, "source": text, "outputs": [], "execution_count": None}
            for n, text in enumerate(texts)]  # fmt: skip
    notebook["cells"][place:place] = mine
    path.write_text(json.dumps(notebook), encoding="utf-8")


def test_a_new_notebook_earns_nothing_and_says_why(tito, workspace):
    said = tito("check", "00", inside=workspace.root / "modules")
    assert said.code == 1
    assert "0 of 60" in said.out
    assert "Not yet: double_check, half_check." in said.out
    assert said.out.count("not yet") == 2 and "FAILED" not in said.out
    assert "Hidden checks grade 20 more points, in `tito complete`." in said.out


def test_a_solved_notebook_passes(tito, workspace, solve):
    solve(0)
    said = tito("check", "00", inside=workspace.root)
    assert said.code == 0
    assert "60 of 60" in said.out
    assert "double_hidden" not in said.out


def test_a_failure_names_the_line_and_gives_the_message(tito, workspace, solve):
    solve(0, double="    return 3 * x")
    said = tito("check", "00", "--json", inside=workspace.root)
    report = json.loads(said.out)
    failed = {check["id"]: check for check in report["checks"]}["double_check"]
    assert said.code == 1 and not report["passed"]
    assert failed["reason"] == "twice 3 is 6, not 9"
    assert failed["line"] == 2
    assert failed["text"].startswith("assert double(3) == 6")
    assert (report["points"], report["of"], report["hidden_points"]) == (0, 60, 20)


def test_check_reads_the_notebook_and_not_the_reference(workspace, solve):
    solve(0)
    solve(0, half="    return x")
    report = checking.check(workspace, module(0))
    assert [check.id for check in report.checks if check.reason] == ["half_check"]


def test_what_the_learner_did_to_the_checks_does_not_count(workspace):
    notebook = cells(workspace.notebook(module(0)))
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade"):
            cell["source"] = "pass"
    workspace.notebook(module(0)).write_text(json.dumps(notebook))
    assert checking.check(workspace, module(0)).points == 0


def test_a_name_from_a_cell_that_is_not_graded_gets_a_hint(workspace, solve):
    solve(0, double="    return factor * x", half="    return math.ldexp(x, -1)")
    add(workspace.notebook(module(0)), "import math\nfactor = 2")
    hints = {check.id: check.hint for check in checking.check(workspace, module(0)).checks}
    assert hints["double_check"].startswith("factor is defined in a cell that is not graded")
    workspace.notebook(module(0)).unlink()
    workspace.notebook(module(0)).write_bytes(workspace.pristine(module(0)).read_bytes())
    solve(0, half="    return math.ldexp(x, -1)")
    add(workspace.notebook(module(0)), "import math")
    hints = {check.id: check.hint for check in checking.check(workspace, module(0)).checks}
    assert hints["half_check"].startswith("math is defined in a cell that is not graded")


def test_a_name_that_is_nowhere_defined_gets_no_hint(workspace, solve):
    solve(0, double="    return factor * x")
    assert not any(check.hint for check in checking.check(workspace, module(0)).checks)


def test_a_syntax_error_costs_its_cell_and_is_named(workspace, solve):
    solve(0, double="    return (2 * x")
    report = checking.check(workspace, module(0))
    assert "syntax error" in report.problems["double"]
    assert "syntax error" in {check.id: check.reason for check in report.checks}["double_check"]


def test_a_learners_cell_that_never_ends_is_stopped(workspace, solve, monkeypatch):
    from tito.grading.limits import Limits

    usual = Limits().as_dict()
    monkeypatch.setattr(Limits, "as_dict", lambda self: {**usual, "cell_seconds": 1})
    solve(0, half="    while True: pass")
    report = checking.check(workspace, module(0))
    reasons = {check.id: check.reason for check in report.checks}
    assert reasons == {"double_check": "", "half_check": "timed out. Is there a loop that does not end?"}


def test_a_notebook_that_disables_assertions_is_refused(tito, workspace, solve):
    solve(0, double="    import numpy; numpy.testing.assert_allclose = print\n    return 2 * x")
    said = tito("check", "0", inside=workspace.root)
    assert said.code == 1
    assert "changes what an assertion does" in said.err


def test_reflections_without_an_answer_are_named_but_stop_nothing(tito, workspace, solve):
    solve(0)
    notebook = cells(workspace.notebook(module(0)))
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "half_reflect":
            cell["source"] = "YOUR ANSWER HERE"
    workspace.notebook(module(0)).write_text(json.dumps(notebook))
    said = tito("check", "0", inside=workspace.root)
    assert said.code == 0
    assert "half_reflect" in said.out


BROKEN = {
    "no JSON": "{",
    "empty": "",
    "a list": "[]",
    "another format": '{"nbformat": 3, "cells": []}',
    "no cells": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}',
    "cells of no shape": '{"nbformat": 4, "cells": [1, null, "x", []]}',
    "no text": "\udcff",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("command", ["check", "complete", "submit", "status"])
def test_an_invalid_notebook_is_reported_in_one_line(tito, workspace, command, text):
    workspace.notebook(module(0)).write_bytes(text.encode(errors="surrogateescape"))
    said = tito(command, *([] if command == "status" else ["0"]), inside=workspace.root)
    assert "Traceback" not in said.err + said.out
    if text == BROKEN["cells of no shape"]:
        return  # a notebook with no cell of ours: every solution is missing from it
    assert said.code == (0 if command == "status" else 1)
    assert "tito reset 00" in said.out + said.err


MISSHAPEN = [
    {"cell_type": "code"},
    {"cell_type": 3, "source": None, "metadata": 4},
    {"cell_type": "code", "source": [1, 2], "metadata": {"nbgrader": []}},
    {"cell_type": "code", "source": "x = 1", "metadata": {"nbgrader": {"grade_id": ["double"]}}, "outputs": [None, 3]},
    {"cell_type": "code", "source": "x" * 10, "id": {}, "metadata": {"nbgrader": {"grade_id": "half"}}, "outputs": 5},
]


def test_malformed_cells_do_not_stop_the_other_checks(tito, workspace, solve):
    solve(0)
    notebook = cells(workspace.notebook(module(0)))
    notebook["cells"] += MISSHAPEN[:4]
    workspace.notebook(module(0)).write_text(json.dumps(notebook))
    assert checking.check(workspace, module(0)).passed
    notebook["cells"] += MISSHAPEN[4:]
    workspace.notebook(module(0)).write_text(json.dumps(notebook))
    report = checking.check(workspace, module(0))
    assert "appears 2 times" in report.problems["half"]
    assert tito("status", inside=workspace.root).code == 0


# -- complete ---------------------------------------------------------------------------------------------------------


def test_complete_exports_what_passes_and_the_next_module_imports_it(tito, workspace, solve):
    solve(0)
    said = tito("complete", "00", inside=workspace.root)
    exported = workspace.exported(module(0))
    assert said.code == 0
    assert str(exported) in said.out
    assert "modules/00_introduction.ipynb" in exported.read_text(encoding="utf-8")
    solve(1)
    assert checking.check(workspace, module(1)).passed


def test_a_failing_check_exports_nothing(tito, workspace, solve):
    solve(0, half="    return x")
    said = tito("complete", "00", inside=workspace.root)
    assert said.code == 1
    assert "nothing was exported" in said.err
    assert not workspace.exported(module(0)).exists()


def test_a_broken_cell_that_no_visible_check_sees_is_not_passed():
    checks = [checking.Check("double_check", 30, 30)]
    assert checking.Report("00_introduction", checks, 20).passed
    assert not checking.Report("00_introduction", checks, 20, problems={"half": "syntax error in line 1"}).passed


@pytest.mark.parametrize("command", ["check", "complete"])
def test_a_module_before_that_is_not_done_is_named(tito, workspace, command):
    said = tito(command, "01", inside=workspace.root)
    assert said.code == 1
    assert "00_introduction" in said.err and "tito start 00" in said.err


def test_complete_again_keeps_an_earlier_export_of_other_text(tito, workspace, solve):
    path = workspace.exported(module(0))
    path.write_text("mine = 1\n")
    solve(0)
    assert tito("complete", "0", inside=workspace.root).code == 0
    (kept,) = (workspace.root / ".tito" / "backup").glob("*/introduction.py")
    assert kept.read_text() == "mine = 1\n"
    text = path.read_bytes()
    assert tito("complete", "0", inside=workspace.root).code == 0
    assert path.read_bytes() == text
    assert len(list((workspace.root / ".tito" / "backup").iterdir())) == 1
