"""`tito status`, `start` and `reset` read a learner's progress from the files."""

import json
import shutil
import subprocess

import pytest

from tito.learner import checking, progress
from tito.syllabus import MODULES, module


def standing(workspace, number):
    found = progress.standing(workspace, module(number))
    return found.state, found.points, found.of


def run_and_save(path, failing=()):
    """Write what JupyterLab writes when every cell was run: counts, and an error below each cell in `failing`."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for count, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] == "code":
            cell["execution_count"] = count
            if cell["id"] in failing:
                cell["outputs"] = [{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}]
    path.write_text(json.dumps(notebook), encoding="utf-8")


def done(workspace, solve, number):
    solve(number)
    assert checking.complete(workspace, module(number)).path


def test_a_new_workspace_has_not_started_and_says_what_is_next(tito, workspace):
    said = tito("status", inside=workspace.root)
    assert said.code == 0
    assert said.out.count("not started") == 2
    assert said.out.count("not in this release") == 15
    assert "next: tito start 00" in said.out


def test_status_as_json_lists_all_seventeen(tito, workspace):
    found = json.loads(tito("status", "--json", inside=workspace.root).out)
    assert [each["module"] for each in found["modules"]] == [each.slug for each in MODULES]


def test_a_changed_notebook_is_in_progress_with_the_points_of_its_last_run(workspace, solve):
    solve(0, half="    return x")
    assert standing(workspace, 0) == (progress.IN_PROGRESS, 0, 60)
    run_and_save(workspace.notebook(module(0)), failing=["half_check"])
    assert standing(workspace, 0) == (progress.IN_PROGRESS, 30, 60)
    assert progress.status(workspace).next == "tito check 00"
    run_and_save(workspace.notebook(module(0)))


def test_a_check_that_was_rewritten_gives_no_points(workspace):
    notebook = json.loads(workspace.notebook(module(0)).read_text())
    for cell in notebook["cells"]:
        if cell["id"] == "half_check":
            cell["source"] = "assert True"
    workspace.notebook(module(0)).write_text(json.dumps(notebook))
    run_and_save(workspace.notebook(module(0)), failing=["double_check"])
    assert standing(workspace, 0) == (progress.IN_PROGRESS, 0, 60)


def test_a_completed_module_is_done_with_all_its_visible_points(workspace, solve):
    done(workspace, solve, 0)
    assert standing(workspace, 0) == (progress.DONE, 60, 60)
    assert progress.status(workspace).next == "tito start 01"


def test_running_a_done_notebook_again_leaves_it_done(workspace, solve):
    done(workspace, solve, 0)
    run_and_save(workspace.notebook(module(0)))
    assert standing(workspace, 0)[0] == progress.DONE


def test_a_solution_changed_after_the_export_is_seen(workspace, solve):
    done(workspace, solve, 0)
    solve(0, half="    return 0.5 * x")
    assert standing(workspace, 0)[0] == progress.CHANGED
    solve(0)
    assert standing(workspace, 0)[0] == progress.DONE


def test_an_exported_file_that_was_edited_is_seen(workspace, solve):
    done(workspace, solve, 0)
    with workspace.exported(module(0)).open("a") as file:
        file.write("# my own line\n")
    assert standing(workspace, 0)[0] == progress.DONE, "a comment changes nothing"
    with workspace.exported(module(0)).open("a") as file:
        file.write("mine = 1\n")
    assert standing(workspace, 0)[0] == progress.CHANGED


def test_done_is_read_from_the_files_and_not_from_a_record(workspace, solve):
    done(workspace, solve, 0)
    shutil.rmtree(workspace.root / ".tito" / "in-step")
    assert standing(workspace, 0)[0] == progress.DONE
    workspace.exported(module(0)).unlink()
    assert standing(workspace, 0)[0] == progress.IN_PROGRESS


def test_all_done_says_so(workspace, solve):
    done(workspace, solve, 0)
    done(workspace, solve, 1)
    assert progress.status(workspace).next == "every module of this release is done"


# -- start ------------------------------------------------------------------------------------------------------------


def test_start_prints_where_the_notebook_is(tito, workspace):
    said = tito("start", "00", "--no-open", inside=workspace.root)
    assert said.code == 0
    assert "00_introduction.ipynb" in said.out


def test_start_refuses_politely_while_a_module_before_is_not_done(tito, workspace):
    said = tito("start", "setup", "--no-open", inside=workspace.root)
    assert said.code == 1
    assert said.err == (
        "tito: 01_setup builds on 00_introduction, which is not done yet. Run `tito start 00`, then `tito complete 00`, "
        "or borrow it with `tito borrow 00`\n"
    )


def test_start_opens_the_notebook_in_jupyterlab(tito, workspace, monkeypatch):
    commands = []

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    assert tito("start", "0", inside=workspace.root).code == 0
    assert tito("lab", inside=workspace.root).code == 0
    assert commands[0][1:] == ["-m", "jupyterlab", str(workspace.notebook(module(0)).resolve())]
    assert commands[1][-1] == str(workspace.root.resolve())


@pytest.mark.parametrize("command", ["start", "check", "complete", "submit", "reset", "feedback"])
@pytest.mark.parametrize(("name", "says"), [("5", "not in this release"), ("tensors", "no module is called")])
def test_a_module_that_is_not_there_is_one_line_and_exit_code_2(tito, workspace, command, name, says):
    said = tito(command, name, inside=workspace.root)
    assert said.code == 2
    assert says in said.err and said.err.count("\n") == 1


# -- reset ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["what I wrote", "{"])
def test_reset_puts_the_released_notebook_back_and_keeps_the_old_one_dated(tito, workspace, text):
    path = workspace.notebook(module(0))
    path.write_text(text)
    assert tito("reset", "0", inside=workspace.root).code == 0
    assert tito("reset", "0", inside=workspace.root).code == 0
    assert path.read_bytes() == workspace.pristine(module(0)).read_bytes()
    kept = sorted(path.parent.glob("00_introduction.2*.ipynb"))
    assert len(kept) == 2
    assert kept[0].read_text() == text


def test_reset_puts_back_no_release_that_is_damaged_itself(tito, workspace):
    workspace.pristine(module(0)).write_text("{")
    before = workspace.notebook(module(0)).read_bytes()
    said = tito("reset", "0", inside=workspace.root)
    assert (said.code, "is damaged" in said.err) == (1, True)
    assert workspace.notebook(module(0)).read_bytes() == before


def test_reset_brings_a_missing_notebook_back(tito, workspace):
    workspace.notebook(module(0)).unlink()
    assert "tito reset 00" in tito("check", "0", inside=workspace.root).err
    said = tito("reset", "0", inside=workspace.root)
    assert (said.code, "kept" in said.out) == (0, False)
    assert workspace.notebook(module(0)).read_bytes() == workspace.pristine(module(0)).read_bytes()
