"""Making a workspace, and which `tinytorch` its notebooks import."""

import asyncio
import re
import subprocess
import sys
import tomllib

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from tito.learner import making
from tito.learner.layout import Workspace
from tito.syllabus import MODULES, module


def test_init_makes_a_workspace_and_says_how_imports_work(tito, course, tmp_path):
    said = tito("init", tmp_path / "mine", "--student", "ada", "--class-folder", tmp_path, inside=course)
    assert said.code == 0
    assert making.IMPORTS in said.out
    assert making.IMPORTS in (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    settings = tomllib.loads((tmp_path / "mine" / "workspace.toml").read_text(encoding="utf-8"))
    assert (tmp_path / "mine" / settings.pop("repository")).resolve() == course.resolve()
    assert settings == {"student": "ada", "class_folder": str(tmp_path)}


def test_a_new_workspace_has_no_module_in_its_package(workspace):
    assert [path.name for path in (workspace.package / "core").iterdir()] == ["__init__.py"]
    assert (workspace.package / "datasets" / "digits.npz").is_file()


def test_a_workspace_has_every_file_of_the_package_that_no_module_builds(workspace, root):
    ours = {path for path in (root / "tinytorch").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    built = {root / "tinytorch" / "core" / f"{one.name}.py" for one in MODULES}
    for path in ours - built:
        assert (workspace.root / path.relative_to(root)).is_file(), f"add {path.name} to HANDWRITTEN in tito/learner/making.py"


def test_nothing_of_a_solution_or_a_hidden_check_is_in_a_workspace(workspace):
    files = [path for path in workspace.root.rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() for path in files).decode(errors="replace")
    for secret in ("return 2 * x", "return x / 2", "double(-7)", "Rubric", "multiple of two", "BEGIN SOL", "BEGIN HID"):
        assert secret not in everything


def test_an_existing_workspace_gets_only_the_modules_that_it_lacks(tito, course, workspace):
    mine, gone = workspace.notebook(module(0)), workspace.notebook(module(1))
    mine.write_text("what I wrote")
    gone.unlink()
    workspace.pristine(module(1)).unlink()
    said = tito("init", workspace.root, inside=course)
    assert (said.code, mine.read_text()) == (0, "what I wrote")
    assert "added 01_setup" in said.out
    assert "left as they are: 00_introduction" in said.out
    assert gone.read_bytes() == workspace.pristine(module(1)).read_bytes()


def test_a_second_init_changes_nothing(course, workspace):
    before = {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}
    list(making.make(making.check_place(workspace.root), course))
    assert before == {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}


def test_an_interrupted_init_continues_where_it_stopped(course, tmp_path):
    next(making.make(tmp_path / "new", course))
    assert [new for _, new in making.make(making.check_place(tmp_path / "new"), course)] == [False, True]


@pytest.mark.parametrize("place", [".", "course/ada", "course", "modules", "tinytorch/mine"])
def test_init_refuses_the_repository_and_its_folders(tito, course, place):
    before = sorted(course.rglob("*"))
    said = tito("init", place, inside=course)
    assert said.code == 2
    assert said.err.startswith("tito: ") and said.err.count("\n") == 1
    assert sorted(course.rglob("*")) == before


def test_init_refuses_a_folder_with_other_things_in_it(tito, course, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    said = tito("init", tmp_path, inside=course)
    assert said.code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("student", ["../bob", ".hidden", "a b", "a/b", "x+y"])
def test_a_student_id_that_could_be_a_path_is_refused(tito, course, tmp_path, student):
    assert tito("init", tmp_path / "new", "--student", student, inside=course).code == 2
    assert not (tmp_path / "new").exists()


def test_a_command_outside_of_any_workspace_says_how_to_make_one(tito, tmp_path):
    said = tito("status", inside=tmp_path)
    assert said.code == 2
    assert "tito init" in said.err


def test_a_broken_workspace_toml_is_one_line(tito, workspace):
    (workspace.root / "workspace.toml").write_text("student = ada")
    said = tito("submit", "0", inside=workspace.root)
    assert said.code == 2
    assert "workspace.toml" in said.err and said.err.count("\n") == 1


# -- which tinytorch? The reference is installed in this environment --------------------------------------------------

LOOKS = """
from tito.workspace import use_prefix
use_prefix(1)
import tinytorch.core.introduction
print(tinytorch.core.introduction.MARK, tinytorch.__file__)
try:
    import tinytorch.core.dense
except ImportError as error:
    print(error)
"""


def marked(workspace: Workspace) -> str:
    (workspace.package / "core" / "introduction.py").write_text('MARK = "my own"\n')
    return f"my own {workspace.root.resolve() / 'tinytorch' / '__init__.py'}"


@pytest.mark.parametrize("folder", ["modules", "."])
def test_a_notebook_imports_the_learners_own_package_from_either_folder(workspace, folder):
    expected = marked(workspace)
    notebook = new_notebook(cells=[new_code_cell(LOOKS)])
    NotebookClient(notebook, resources={"metadata": {"path": str(workspace.root / folder)}}).execute()
    assert notebook.cells[0].outputs[0].text.startswith(expected)


def test_a_kernel_that_jupyterlab_starts_imports_the_learners_own_package(workspace):
    from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

    async def run() -> str:
        kernels = AsyncMappingKernelManager(root_dir=str(workspace.root))
        name = await kernels.start_kernel(path="modules", kernel_name="python3")
        client = kernels.get_kernel(name).client()
        client.start_channels()
        said = []
        try:
            await client.wait_for_ready(timeout=30)
            await client.execute_interactive(
                LOOKS, timeout=30, output_hook=lambda message: said.append(message["content"].get("text", ""))
            )
        finally:
            client.stop_channels()
            await kernels.shutdown_all(now=True)
        return "".join(said)

    expected = marked(workspace)
    assert asyncio.run(run()).startswith(expected)


def test_what_is_not_built_yet_names_the_module_and_the_command(workspace):
    code = "from tito.workspace import use_prefix; use_prefix(9)\nfrom tinytorch.core.dense import Dense"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=workspace.root / "modules", capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == (
        "ImportError: tinytorch.core.dense is not built yet. Module 05 builds it. "
        "Open it with `tito start 05`, then `tito complete 05`."
    )


def test_the_learners_commands_need_nothing_that_only_linux_has():
    """On Windows and macOS some of these modules do not exist, so the learner's commands must not import them."""
    code = """
import sys
import jupyter_client.provisioning, nbformat, psutil, zmq  # what these load is their own affair
for name in ("resource", "fcntl", "pwd", "grp", "termios"):
    sys.modules[name] = None
import tito.commands.learner, tito.grading.execute, tito.grading.judge, tito.grading.rebuild
from tito.grading.sandbox import find_problem
sys.platform = "win32"
assert "Linux" in find_problem()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_core_neither_prints_nor_imports_typer_or_rich(root):
    for path in (root / "tito").rglob("*.py"):
        if "commands" not in path.parts and path.name not in ("cli.py", "__main__.py", "sandbox.py", "demo.py"):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"^\s*(print\(|(import|from) (typer|rich))", text, re.MULTILINE), path


def test_status_does_not_wait_for_nbformat_or_nbgrader(workspace):
    code = """
import sys
from tito import places
from tito.learner import progress
from tito.learner.layout import Workspace
progress.status(Workspace(places.learners_workspace()))
print([name for name in ("nbformat", "nbdev", "nbgrader", "jupytext") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=workspace.root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
