"""Learning alone: hidden checks run, modules can be borrowed, solutions can be seen."""

import io
import json
import shutil

import pytest

from tito import cli
from tito.learner import checking, progress, solutions
from tito.learner.layout import Workspace
from tito.syllabus import module

ZERO, ONE = module(0), module(1)
HARD = "    return np.array([2.0 * one for one in x]) if np.ndim(x) else 6"  # passes only the visible check


@pytest.fixture
def in_a_class(workspace):
    """A workspace without the path of the repository, like one from a kit."""
    settings = workspace.root / "workspace.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("\nrepository =", "\n# repository ="), encoding="utf-8")
    return Workspace(workspace.root)


def standing(workspace, one):
    return progress.standing(Workspace(workspace.root), one)


# -- hidden checks ----------------------------------------------------------------------------------------------------


def test_what_only_a_hidden_check_notices_is_not_exported(tito, workspace, solve):
    solve(0, double=HARD)
    assert tito("check", "00", inside=workspace.root).code == 0
    said = tito("complete", "00", inside=workspace.root)
    assert said.code == 1
    assert "double_hidden  10 of 20  FAILED" in said.out
    assert "A hidden check: Graded again on an array, and on a negative number." in said.out
    assert "answer 2 of 2 (a negative number) has the wrong value" in said.out
    assert "nothing was exported" in said.err
    assert not workspace.exported(ZERO).exists()


def test_a_right_notebook_is_exported_and_the_next_step_is_named(tito, workspace, solve):
    solve(0)
    said = tito("complete", "00", inside=workspace.root)
    assert (said.code, workspace.exported(ZERO).is_file()) == (0, True)
    assert "80 of 80" in said.out and "after you hand in" not in said.out
    assert "next: tito start 01" in said.out
    assert "Restart the kernel" not in said.out
    solve(0, half="    return x * 0.5")
    assert "Restart the kernel" in tito("complete", "00", inside=workspace.root).out


def test_in_a_class_hidden_checks_do_not_run_before_handing_in(tito, in_a_class, solve):
    solve(0, double=HARD)
    said = tito("complete", "00", inside=in_a_class.root)
    assert said.code == 0
    assert "Hidden checks grade 20 more points, after you hand in." in said.out


def test_a_notebook_of_an_earlier_release_needs_tito_update(tito, workspace, solve, course, tmp_path):
    other = shutil.copytree(course, tmp_path / "other")
    source = other / "modules" / "00_introduction.py"
    source.write_text(source.read_text(encoding="utf-8").replace('"half_check"', '"halves_check"'), encoding="utf-8")
    settings = workspace.root / "workspace.toml"
    settings.write_text(f'repository = "{other}"\n', encoding="utf-8")
    solve(0)
    said = tito("complete", "00", inside=workspace.root)
    assert said.code == 1 and "`tito update`" in said.err


def test_a_reason_that_follows_from_an_earlier_failure_says_so(workspace, solve):
    solve(0, double="    return 3 * x")
    reasons = {check.id: check.reason for check in checking.check(workspace, ZERO).checks}
    assert reasons["double_check"] == "twice 3 is 6, not 9"
    assert reasons["half_check"] == "fix double_check first, it may be the cause: half of twice 3 is 3, not 4.5"


# -- what else is said ------------------------------------------------------------------------------------------------


def write(workspace, name, text, **more):
    path = workspace.notebook(ZERO)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cell = next(cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == name)
    cell.update(source=text, **more)
    path.write_text(json.dumps(notebook), encoding="utf-8")


@pytest.mark.parametrize("text", ["", " \n", "YOUR ANSWER HERE", "YOUR ANSWER HERE\n"])
def test_an_answer_that_is_empty_is_unanswered_and_counts_in_status(tito, workspace, solve, text):
    solve(0)
    assert (standing(workspace, ZERO).answered, standing(workspace, ZERO).questions) == (1, 1)
    write(workspace, "half_reflect", text)
    said = tito("complete", "00", inside=workspace.root)
    assert said.code == 0
    assert "Not answered yet (compare it with the course's answer): half_reflect." in said.out
    status = tito("status", inside=workspace.root).out.splitlines()[1]
    assert status.split()[:8] == ["00_introduction", "done", "60", "of", "60", "0", "of", "1"]


def test_points_of_the_last_check_stay_after_an_edit(tito, workspace, solve):
    solve(0, half="    return x")
    tito("check", "00", inside=workspace.root)
    assert standing(workspace, ZERO).points == 30
    solve(0, half="    return x + 1")
    assert (standing(workspace, ZERO).state, standing(workspace, ZERO).points) == (progress.IN_PROGRESS, 30)
    solve(0)
    assert tito("complete", "00", inside=workspace.root).code == 0
    write(workspace, "half", "#| export\ndef half( x ):\n    '''Half of x.'''\n    return ( x / 2 )  # as an editor formats it\n")
    assert standing(workspace, ZERO).state == progress.DONE
    write(workspace, "half", "#| export\ndef half(x):\n    return x / 3")
    assert (standing(workspace, ZERO).state, standing(workspace, ZERO).points) == (progress.CHANGED, 60)


def test_a_magic_is_named_as_one(tito, workspace, solve):
    solve(0, half="    return x / 2\n%timeit half(3)")
    said = tito("complete", "00", inside=workspace.root)
    assert said.code == 1
    assert "cell half, line 5: `%timeit half(3)` is a magic of Jupyter, but an exercise is plain Python" in said.out
    assert "every cell must run" in said.err


@pytest.mark.parametrize("command", ["check", "complete", "submit"])
def test_the_notebook_of_another_module_is_refused_with_its_name(tito, workspace, command):
    shutil.copy(workspace.notebook(ONE), workspace.notebook(ZERO))
    said = tito(command, "00", inside=workspace.root)
    assert said.code == 1
    assert "00_introduction.ipynb is the notebook of 01_setup, not of 00_introduction" in said.err


def test_the_first_cell_shows_hours_and_goals_and_status_shows_hours(tito, workspace):
    title = json.loads(workspace.notebook(ZERO).read_text(encoding="utf-8"))["cells"][0]["source"]
    assert "Takes about 1 hour. Afterwards you can\n\n- stay small" in "".join(title)
    said = tito("status", inside=workspace.root).out
    assert "1 h" in said and said.endswith("next: tito start 00\n  - stay small\n")


def test_help_is_in_three_groups(tito, workspace):
    said = tito("--help", inside=workspace.root).out
    assert 0 < said.index(" Learn ") < said.index(" status ") < said.index(" Teach ") < said.index(" Write ")


def test_every_command_says_in_whole_sentences_what_it_does():
    groups = [cli.app.registered_commands]
    groups += [group.typer_instance.registered_commands for group in cli.app.registered_groups]
    for command in (command for group in groups for command in group):
        text = " ".join((command.callback.__doc__ or "").split())
        assert text.endswith((".", "?")) and text[0].isupper(), command.callback.__name__


# -- borrowed modules -------------------------------------------------------------------------------------------------


def test_a_borrowed_module_is_used_until_the_learner_completes_it(tito, workspace, solve):
    said = tito("borrow", "00", inside=workspace.root)
    assert said.code == 0 and "00_introduction: borrowed." in said.out
    assert standing(workspace, ZERO).state == progress.BORROWED
    solve(1)
    assert tito("complete", "01", inside=workspace.root).code == 0
    assert "next: tito start 00, which is borrowed so far" in tito("status", inside=workspace.root).out
    assert tito("borrow", "00", inside=workspace.root).out.startswith("00_introduction: borrowed already")
    solve(0)
    said = tito("complete", "00", inside=workspace.root)
    assert said.code == 0 and "is kept at" not in said.out, "what was borrowed is nobody's work"
    assert standing(workspace, ZERO).state == progress.DONE
    assert not (workspace.root / ".tito" / "backup").exists()


def test_borrowing_does_not_replace_a_built_module(tito, workspace, solve):
    solve(0)
    tito("complete", "00", inside=workspace.root)
    text = workspace.exported(ZERO).read_bytes()
    said = tito("borrow", "00", inside=workspace.root)
    assert said.code == 1 and "is built already" in said.err
    assert workspace.exported(ZERO).read_bytes() == text
    assert tito("borrow", "--all", inside=workspace.root).code == 0
    assert workspace.exported(ZERO).read_bytes() == text
    assert standing(workspace, ONE).state == progress.BORROWED


def test_start_borrows_the_missing_earlier_modules(tito, workspace):
    said = tito("start", "01", "--no-open", inside=workspace.root)
    assert said.code == 1 and "or borrow it with `tito borrow 00`" in said.err
    said = tito("start", "01", "--borrow", "--no-open", inside=workspace.root)
    assert said.code == 0 and said.out.strip().endswith("01_setup.ipynb")
    assert standing(workspace, ZERO).state == progress.BORROWED
    assert standing(workspace, ONE).state == progress.NOT_STARTED


def test_a_workspace_can_be_made_with_every_module_borrowed(tito, course, tmp_path):
    said = tito("init", tmp_path / "all", "--borrow", inside=course)
    assert said.code == 0
    made = Workspace(tmp_path / "all")
    assert solutions.is_borrowed(made.exported(ZERO)) and solutions.is_borrowed(made.exported(ONE))
    assert "next: tito start 00" in tito("status", inside=made.root).out


def test_borrow_without_a_module_is_a_usage_error(tito, workspace):
    for words in ((), ("00", "--all")):
        said = tito("borrow", *words, inside=workspace.root)
        assert (said.code, said.err.count("\n")) == (2, 1)


# -- solutions --------------------------------------------------------------------------------------------------------


def test_a_solution_is_shown_beside_ones_own_when_the_module_is_complete(tito, workspace, solve):
    solve(0, half="    return x * 0.5")
    tito("complete", "00", inside=workspace.root)
    said = tito("solution", "00", "half", inside=workspace.root)
    assert said.code == 0
    assert "return x * 0.5" in said.out and "return x / 2" in said.out
    assert "BEGIN SOLUTION" not in said.out and "double" not in said.out
    said = tito("solution", "00", inside=workspace.root)
    assert "An odd number is not a multiple of two." in said.out


def test_before_completing_solution_asks_for_confirmation(tito, workspace, monkeypatch):
    monkeypatch.setattr("typer.confirm", lambda text, **options: asked.append(text))
    asked = []
    said = tito("solution", "00", "half", inside=workspace.root)
    assert asked == ["You have not completed 00_introduction yet. Show its solution anyway?"]
    assert "return x / 2" in said.out
    assert json.loads(tito("solution", "00", "half", "--yes", "--json", inside=workspace.root).out)[0]["cell"] == "half"
    assert len(asked) == 1


def test_no_shows_nothing_and_an_unknown_cell_lists_the_known_ones(tito, workspace, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    said = tito("solution", "00", "half", inside=workspace.root)
    assert said.code == 1 and "return x / 2" not in said.out
    said = tito("solution", "00", "quarter", "--yes", inside=workspace.root)
    assert said.code == 2 and "double, half, half_reflect" in said.err


# -- in a class: what the instructor has published --------------------------------------------------------------------


def test_in_a_class_nothing_can_be_seen_or_borrowed_before_it_is_published(tito, in_a_class):
    for words in (("borrow", "00"), ("solution", "00", "--yes")):
        said = tito(*words, inside=in_a_class.root)
        assert said.code == 1 and "is not published yet" in said.err
    said = tito("borrow", "--all", inside=in_a_class.root)
    assert said.code == 0 and "there is nothing to borrow" in said.out


def test_what_is_published_can_be_seen_and_borrowed_without_its_hidden_checks(tito, course, in_a_class, tmp_path):
    repository = shutil.copytree(course, tmp_path / "repository")
    said = tito("course", "publish", "00", in_a_class.root, inside=repository)
    assert said.code == 0
    text = (in_a_class.root / "published" / "00_introduction.py").read_text(encoding="utf-8")
    assert "answer(" not in text and "HIDDEN" not in text and "BEGIN SOLUTION" in text
    assert tito("borrow", "00", inside=in_a_class.root).code == 0
    assert standing(in_a_class, ZERO).state == progress.BORROWED
    assert "return x / 2" in tito("solution", "00", "half", "--yes", inside=in_a_class.root).out


def test_publishing_waits_for_the_due_date(tito, course, in_a_class, tmp_path):
    repository = shutil.copytree(course, tmp_path / "repository")
    assert tito("course", "generate", "00", inside=repository).code == 0
    assert tito("course", "due", "00", "2999-01-01T12:00", inside=repository).code == 0
    said = tito("course", "publish", "00", in_a_class.root, inside=repository)
    assert said.code == 1 and "is due 2999-01-01 12:00 UTC, in the future. To publish it now, use --early" in said.err
    assert not (in_a_class.root / "published").exists()
    assert tito("course", "publish", "00", in_a_class.root, "--early", inside=repository).code == 0
    said = tito("course", "publish", "00", tmp_path / "nowhere", inside=repository)
    assert said.code == 2 and "is not a folder" in said.err


def test_the_class_folder_is_a_place_to_publish_too(tito, course, in_a_class, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (in_a_class.root / "workspace.toml").write_text(f'class_folder = "{shared}"\n', encoding="utf-8")
    repository = shutil.copytree(course, tmp_path / "repository")
    assert tito("course", "publish", "00", shared, inside=repository).code == 0
    assert tito("borrow", "00", inside=in_a_class.root).code == 0
