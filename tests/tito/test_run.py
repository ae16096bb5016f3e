"""`tito run SCRIPT` runs a script with the workspace's own package."""

import os
import re
import shutil
import signal
import subprocess
import sys

import psutil
import pytest

from tito.learner import making, solutions
from tito.learner.layout import Workspace
from tito.syllabus import MODULES

SCRIPT = """\
import tinytorch, tinytorch.nn as nn, tinytorch.nn.functional as F, tinytorch.optim as optim
x, y = tinytorch.randn(8, 3), tinytorch.arange(8)
model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 8))
optimizer = optim.SGD(model.parameters(), lr=0.1)
F.cross_entropy(model(x), y).backward(); optimizer.step(); print(tinytorch.__file__)
"""


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    """A workspace made from the repository, in which every module is borrowed."""
    made = Workspace(tmp_path_factory.mktemp("made") / "workspace")
    made.root.mkdir()
    making.write_settings(made.root, repository=root)
    making.add_package_files(made.root, root)
    for module in solutions.list_borrowable(made):
        solutions.borrow(made, module)
    return made


@pytest.fixture
def half(whole, tmp_path):
    """A workspace with the modules 00 to 04."""
    copy = Workspace(shutil.copytree(whole.root, tmp_path / "half"))
    for module in MODULES[5:]:
        copy.exported(module).unlink(missing_ok=True)
    return copy


def command(*words) -> list[str]:
    return [sys.executable, "-m", "tito", "run", *map(str, words)]


def run(inside, *words, **settings):
    return subprocess.run(
        command(*words), cwd=inside, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_the_script_of_the_book_runs(whole, root):
    page = (root / "book" / "learning.md").read_text(encoding="utf-8")
    text = re.search(r"^## Scripts$.*?^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[1]
    done = run(whole.root, write(whole.root / "book.py", text))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("folder", [".", "modules", "mine/deep"])
def test_a_script_in_pytorchs_words_uses_the_workspaces_package(whole, folder):
    (whole.root / folder).mkdir(parents=True, exist_ok=True)
    write(whole.root / folder / "train.py", SCRIPT)
    done = run(whole.root / folder, "train.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(whole.package.resolve() / "__init__.py")


def test_what_is_not_built_yet_names_the_module_to_build(half):
    done = run(half.root, write(half.root / "train.py", SCRIPT))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "AttributeError: tinytorch.nn.Sequential is not here yet: tinytorch.core.dense is not built yet. Module 05 builds it. "
        "Open it with `tito start 05`, then `tito complete 05`."
    )


@pytest.mark.parametrize(("code", "expected"), [("import sys; sys.exit(7)", 7), ("1 / 0", 1), ("pass", 0)])
def test_exit_code_and_traceback_are_the_scripts(workspace, code, expected):
    script = write(workspace.root / "script.py", code)
    own = subprocess.run([sys.executable, str(script)], cwd=workspace.root, capture_output=True, text=True, check=False)
    done = run(workspace.root, script)
    assert (done.returncode, done.stdout, done.stderr) == (expected, own.stdout, own.stderr)


def test_the_scripts_own_arguments_input_and_neighbours_reach_it(workspace, tmp_path):
    write(tmp_path / "helper.py", "NAME = 'helper'")
    write(tmp_path / "modules.py", "NAME = 'modules'")
    script = write(tmp_path / "script.py", "import sys, helper, modules; print(sys.argv[1:], helper.NAME, modules.NAME)")
    done = run(workspace.root, script, "--help", "-x", "a b")
    assert done.stdout == "['--help', '-x', 'a b'] helper modules\n", done.stderr


def test_a_script_in_the_repository_gets_the_workspaces_package(workspace, course):
    script = write(course / "look.py", "import tinytorch; print(tinytorch.__file__)")
    try:
        assert run(workspace.root, script).stdout.strip() == str(workspace.package.resolve() / "__init__.py")
    finally:
        script.unlink()


def test_outside_of_a_workspace_it_says_which_package_it_uses(root, course, tmp_path):
    script = write(tmp_path / "look.py", "import tinytorch; print(tinytorch.__file__)")
    for folder, package in [(course, course), (tmp_path, root)]:
        done = run(folder, script)
        assert done.stdout.strip() == str(package.resolve() / "tinytorch" / "__init__.py")
        assert "this is no workspace. The script gets the tinytorch of" in done.stderr


def test_a_missing_script_is_one_line(workspace):
    done = run(workspace.root, "nothing.py")
    assert (done.returncode, done.stderr) == (2, "tito: there is no script nothing.py\n")


WAITS = """
import time
try:
    print("go", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)  # saves something
    exit(5)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 5), (signal.SIGKILL, 137)])
def test_an_interrupt_is_the_scripts_to_handle(workspace, sent, code):
    words = command(write(workspace.root / "script.py", WAITS))
    with subprocess.Popen(words, cwd=workspace.root, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout.readline() == "go\n"
        if sent == signal.SIGINT:
            os.killpg(process.pid, sent)
        else:
            (child,) = psutil.Process(process.pid).children()
            child.send_signal(sent)
        assert process.wait(timeout=50) == code, "the script is not waited for"
