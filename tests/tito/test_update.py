"""`tito update` installs a newer release and keeps the learner's work. Kits can grow week by week."""

import json
import shutil
import subprocess

import pytest
import solving

from tito import export, kit
from tito.errors import TitoError
from tito.learner import progress, solutions
from tito.learner.layout import Workspace
from tito.syllabus import MODULES, module

ZERO, ONE = module(0), module(1)
TITLE = ("Two functions, to test the way of a module.", "Two functions, mended.")


@pytest.fixture
def repository(root, course, tmp_path):
    """A copy of the course with the files of a kit. `change` makes it newer."""
    copied = shutil.copytree(course, tmp_path / "repository")
    for name in ("pyproject.toml", *kit.COPIED):
        (copied / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, copied / name)
    return copied


def change(repository, *replacements):
    path = repository / "modules" / "00_introduction.py"
    text = path.read_text(encoding="utf-8")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    export.export(repository, [])


@pytest.fixture
def made(tito, repository, tmp_path):
    assert tito("init", tmp_path / "mine", inside=repository).code == 0
    return Workspace(tmp_path / "mine")


def cells(workspace):
    notebook = json.loads(workspace.notebook(ZERO).read_text(encoding="utf-8"))
    names = [cell["metadata"].get("nbgrader", {}).get("grade_id", cell["id"]) for cell in notebook["cells"]]
    return dict(zip(names, ("".join(cell["source"]) for cell in notebook["cells"]), strict=True))


def add_own_cell(workspace, after, text):
    path = workspace.notebook(ZERO)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    names = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in notebook["cells"]]
    own = {"cell_type": "code", "id": "mine", "metadata": {}, "source": text, "outputs": [], "execution_count": None}
    notebook["cells"].insert(names.index(after) + 1, own)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def backups(workspace):
    return [path for path in (workspace.root / "modules").iterdir() if path.name.count(".") > 1]


def test_a_newer_release_comes_with_ones_own_answers_and_cells_in_it(tito, repository, made):
    solving.solve(made.notebook(ZERO), repository / "modules" / "00_introduction.py", {"half": "    return x * 0.5"})
    add_own_cell(made, "double_check", "my = 'own cell'")
    before = made.notebook(ZERO).read_bytes()
    change(repository, TITLE, ("f\"half of twice 3", "f\"the half of twice 3"))
    said = tito("update", inside=made.root)
    assert said.code == 0
    assert "00_introduction: updated, with your answers in it" in said.out and "01_setup: has not changed" in said.out
    now = cells(made)
    assert "Two functions, mended." in now["cell-0"] and "the half of twice" in now["half_check"]
    assert "return x * 0.5" in now["half"] and "not a multiple of two" in now["half_reflect"]
    assert list(now)[list(now).index("mine") - 1] == "double_check"
    (kept,) = backups(made)
    assert kept.read_bytes() == before and str(kept) in said.out
    assert tito("complete", "00", inside=made.root).code == 0
    assert "has not changed" in tito("update", inside=made.root).out.splitlines()[0]
    assert len(backups(made)) == 1


def test_a_notebook_that_was_not_touched_is_replaced_without_a_copy(tito, repository, made):
    change(repository, TITLE)
    assert "00_introduction: updated\n" in tito("update", inside=made.root).out
    assert backups(made) == []


def test_an_answer_that_has_no_place_in_the_newer_release_is_named_and_kept(tito, repository, made):
    solving.solve(made.notebook(ZERO), repository / "modules" / "00_introduction.py")
    change(repository, ('"grade_id": "half"', '"grade_id": "halve"'), ("half(", "halve("))
    said = tito("update", inside=made.root)
    assert "the new notebook has no place for half: only the kept one\n" in said.out
    assert "YOUR CODE HERE" in cells(made)["halve"]
    assert "return x / 2" in backups(made)[0].read_text(encoding="utf-8")


def test_what_is_borrowed_is_brought_up_to_date_too(tito, repository, made):
    tito("borrow", "00", inside=made.root)
    change(repository, ("return x / 2", "return x * 0.5"))
    tito("update", inside=made.root)
    assert "return x * 0.5" in made.exported(ZERO).read_text(encoding="utf-8")
    assert solutions.is_borrowed(made.exported(ZERO))


def test_a_damaged_notebook_is_replaced_and_kept(tito, repository, made):
    made.notebook(ZERO).write_text("{", encoding="utf-8")
    change(repository, TITLE)
    assert "replaced, because yours could not be read" in tito("update", inside=made.root).out
    assert backups(made)[0].read_text(encoding="utf-8") == "{"


# -- kits -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def the_kit(tito, repository, tmp_path):
    """A kit with only module 00, as in the first week."""
    said = tito("course", "kit", tmp_path / "kit", "--only", "00", inside=repository)
    assert said.code == 0 and "push it as a template" in said.out
    return tmp_path / "kit"


@pytest.fixture
def learners(the_kit, tmp_path):
    """A repository made from the kit as a template, without its history, and with module 00 solved."""
    root = shutil.copytree(the_kit, tmp_path / "learners")
    solving.solve(root / "modules" / "00_introduction.ipynb", tmp_path / "repository" / "modules" / "00_introduction.py")
    return Workspace(root)


def test_a_kit_holds_the_modules_that_are_named_and_those_given_are_built(tito, repository, tmp_path):
    said = tito("course", "kit", tmp_path / "kit", "--only", "01", "--given", "00", inside=repository)
    assert said.code == 0 and "given solved: 00_introduction" in said.out
    workspace = Workspace(tmp_path / "kit")
    assert workspace.released() == [ONE]
    assert solutions.is_borrowed(workspace.exported(ZERO))
    solving.solve(workspace.notebook(ONE), repository / "modules" / "01_setup.py")
    assert tito("complete", "01", inside=workspace.root).code == 0
    found = progress.status(workspace)
    assert found.modules[0].state == progress.BORROWED and found.next == "every module of this release is done"


@pytest.mark.parametrize(
    ("only", "given", "says"),
    [
        ("01", None, "01_setup imports 00_introduction, which is not in --only or --given"),
        ("00-01", "00", "00_introduction is in --only and in --given"),
        ("02", None, "modules/02_tensor.py does not exist"),
        ("01-00", None, "'01-00' counts backwards. Write 00-01"),
        ("zero", None, "no module is called 'zero'"),
    ],
)
def test_a_kit_that_lacks_an_imported_module_is_refused(course, only, given, says):
    with pytest.raises(TitoError, match=says):
        kit.choose_modules(course, only, given)


def test_numbers_are_read_as_people_write_them(root):
    assert kit.parse_modules("02-04, 00,7") == [MODULES[i] for i in (0, 2, 3, 4, 7)]
    released, given = kit.choose_modules(root, "02-06", "00,01,07")
    assert ([m.number for m in released], [m.number for m in given]) == ([2, 3, 4, 5, 6], [0, 1, 7])


def test_a_kit_grows_week_by_week(tito, repository, the_kit):
    (the_kit / "README.md").write_text("ours", encoding="utf-8")
    said = tito("course", "kit", the_kit, "--only", "01", "--given", "00", inside=repository)
    assert said.code == 0 and "Learners run `git pull`" in said.out
    assert Workspace(the_kit).released() == [ZERO, ONE]
    (kept,) = (the_kit / ".tito" / "backup").glob("*/README.md")
    assert kept.read_text(encoding="utf-8") == "ours"


def test_a_repository_made_from_a_template_gets_the_newer_kit_and_keeps_its_answers(tito, repository, the_kit, learners):
    assert tito("complete", "00", inside=learners.root).code == 0
    built = learners.exported(ZERO).read_bytes()
    change(repository, TITLE)
    assert tito("course", "kit", the_kit, "--only", "00-01", inside=repository).code == 0
    assert tito("course", "publish", "00", the_kit, inside=repository).code == 0
    said = tito("update", "--from", the_kit, inside=learners.root)
    assert said.code == 0
    assert "00_introduction: updated, with your answers in it" in said.out and "01_setup: added" in said.out
    assert "published/00_introduction.py: added" in said.out
    assert "Two functions, mended." in cells(learners)["cell-0"] and "return x / 2" in cells(learners)["half"]
    assert learners.exported(ZERO).read_bytes() == built
    assert "return x / 2" in tito("solution", "00", "half", inside=learners.root).out


def test_the_newer_kit_may_be_a_git_repository_that_workspace_toml_names(tito, repository, the_kit, learners):
    change(repository, TITLE)
    assert tito("course", "kit", the_kit, "--only", "00", inside=repository).code == 0
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(the_kit))
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "kit")):
        subprocess.run([*git, *words], check=True)
    with (learners.root / "workspace.toml").open("a", encoding="utf-8") as file:
        file.write(f'kit = "file://{the_kit}"\n')
    said = tito("update", inside=learners.root)
    assert said.code == 0 and "Two functions, mended." in cells(learners)["cell-0"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "where is the newer kit? Use --from"),
        (("--from", "nowhere"), "nowhere is no other kit"),
        (("--from", "."), ". is no other kit"),
        (("--from", "file:///nowhere/at/all.git"), "git cannot fetch file:///nowhere/at/all.git: "),
    ],
)
def test_where_there_is_no_newer_kit_one_line_says_so(tito, learners, words, says):
    said = tito("update", *words, inside=learners.root)
    assert said.code and says in said.err and said.err.count("\n") == 1
