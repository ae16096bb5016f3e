"""The kit and Binder: a kit contains no solution, and works in a fresh environment."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
import solving
from packaging.requirements import Requirement

from tito import kit, source
from tito.syllabus import MODULES

KINDS = ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
BODY = {kind: re.compile(rf"### BEGIN {kind}\n(.*?)### END {kind}", re.DOTALL) for kind in KINDS}
STEPS = ('-r "binder/requirements.txt"', "RUN ./binder/postBuild", 'R2D_ENTRYPOINT="${REPO_DIR}/binder/start"')


@pytest.fixture(scope="module")
def real_kit(root, tmp_path_factory):
    """A kit of the repository under test, with all its modules."""
    place = kit.check_place(tmp_path_factory.mktemp("kit") / "learners")
    modules, given = kit.choose_modules(root, None, None)
    assert (list(kit.write_kit(place, root, modules, given)), given) == (list(source.paths(root)), [])
    return place


def texts(folder: Path) -> dict[Path, str]:
    """Return the text of every file. Of a notebook, return cells and outputs without JSON's escapes."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode("utf-8", errors="replace")
            if path.suffix == ".ipynb":
                text += "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
            found[path] = text
    return found


def secrets(root: Path, given: str) -> set[str]:
    """Return every line of a solution, a hidden check or a model answer that learners are not given elsewhere."""
    lines = set()
    for path in source.paths(root).values():
        for cell in source.parse(path).cells:
            for body in (body for pattern in BODY.values() for body in pattern.findall(cell.source)):
                lines.update(body.splitlines())
            if source.is_solution(cell) and cell.cell_type == "markdown":
                lines.update(cell.source.splitlines())
    long = {line.strip() for line in lines if len(line.strip()) >= 25}
    return {line for line in long if line not in given and not line.startswith(("from tito", "import ", "except "))}


def test_no_file_of_a_kit_holds_a_line_of_a_solution_a_hidden_check_or_a_model_answer(root, real_kit):
    hidden = secrets(root, given_text(root))
    assert len(hidden) > 100, "there is nothing to look for"
    leaks = [(path.name, line) for path, text in texts(real_kit).items() for line in hidden if line in text]
    assert not leaks


def given_text(root: Path) -> str:
    """Return the text of the sources without solutions, hidden checks and model answers, not computed by nbgrader."""
    parts = []
    for path in source.paths(root).values():
        for cell in source.parse(path).cells:
            if source.is_solution(cell) and cell.cell_type == "markdown":
                continue
            text = cell.source
            for pattern in BODY.values():
                text = pattern.sub("", text)
            parts.append(text)
    return "\n".join(parts)


def test_no_file_of_a_kit_or_of_a_workspace_holds_a_fence(real_kit, new_workspace):
    for path, text in {**texts(real_kit), **texts(new_workspace)}.items():
        assert not re.search("BEGIN SOLUTION|BEGIN HIDDEN|BEGIN MARK", text), path


def test_a_kits_package_holds_no_module_and_no_cache(real_kit):
    assert [path.name for path in (real_kit / "tinytorch" / "core").iterdir()] == ["__init__.py"]
    assert not [path for path in real_kit.rglob("*") if path.name == "__pycache__" or path.suffix == ".pyc"]
    assert not list((real_kit / "modules").glob("*.py"))


def test_in_a_kit_every_capability_waits_for_its_modules_and_training_for_all_of_them(tito, real_kit):
    assert {"checkpoint.py", "recipes.py", "training.py"} <= {path.name for path in (real_kit / "tito").iterdir()}
    said = tito("checkpoint", "--json", inside=real_kit)
    found = json.loads(said.out)
    assert (said.code, len(found)) == (0, 16)
    assert {each["evidence"] for each in found if each["state"] == "not yet"} == {"complete 00", "complete 00 first"}
    said = tito("train", "digits-mlp", inside=real_kit)
    assert said.code == 1
    assert "is not built yet" in said.err


def test_a_kit_depends_on_what_the_repository_depends_on(root, real_kit):
    theirs, ours = (tomllib.loads((place / "pyproject.toml").read_text(encoding="utf-8")) for place in (real_kit, root))
    for key in ("dependencies", "requires-python", "version", "scripts", "entry-points"):
        assert theirs["project"][key] == ours["project"][key]
    assert theirs["tool"]["setuptools"]["packages"]["find"]["include"] == ["tito*"]


def test_a_kit_is_written_into_an_empty_repository_and_nowhere_else(course, tmp_path):
    (tmp_path / "new" / ".git").mkdir(parents=True)
    assert kit.check_place(tmp_path / "new") == tmp_path / "new"
    (tmp_path / "new" / "letter.txt").write_text("dear")
    for place in (tmp_path / "new", course, course / "modules", course / "course"):
        with pytest.raises(kit.TitoError):
            kit.check_place(place)


def test_init_in_a_kit_says_that_it_is_a_workspace_already(tito, real_kit, monkeypatch):
    from tito import places

    monkeypatch.setattr(places, "repository", lambda: (_ for _ in ()).throw(kit.TitoError("no repository")))
    said = tito("init", inside=real_kit / "modules")
    assert (said.code, "is a workspace already" in said.err) == (2, True)


# -- what is installed ------------------------------------------------------------------------------------------------


def test_the_pinned_set_is_the_direct_dependencies_each_at_a_version_that_fits(root):
    stated = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    wanted = {Requirement(line).name: Requirement(line).specifier for line in stated}
    lines = [line for line in (root / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    pinned = dict(line.split("==") for line in lines)
    assert set(pinned) == set(wanted)
    assert all(wanted[name].contains(pinned[name]) for name in pinned)


@pytest.mark.parametrize("kind", ["repository", "kit"])
def test_repo2docker_takes_a_new_enough_python_and_our_steps(root, real_kit, tmp_path, kind):
    pytest.importorskip("repo2docker")
    place = shutil.copytree(root / "binder", tmp_path / "binder").parent if kind == "repository" else real_kit
    done = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    python = re.search(r"Building conda environment for python=(\d+)\.(\d+)", said)
    assert (int(python[1]), int(python[2])) >= (3, 11)
    for step in STEPS:
        assert step in said


@pytest.mark.parametrize("kind", ["repository", "kit"])
@pytest.mark.skipif(sys.platform == "win32", reason="Binder runs on Linux")
def test_binder_shows_the_first_notebook_first(root, real_kit, kind):
    """repo2docker's image runs `jupyter notebook` through binder/start, which prints the page it opens on stderr."""
    place, page = (root, "workspace/modules") if kind == "repository" else (real_kit, "modules")
    command = [place / "binder" / "start", sys.executable, "-m", "notebook", "--no-browser", "--allow-root", "--port=0"]
    server = subprocess.Popen(list(map(str, command)), cwd=place, stderr=subprocess.PIPE, text=True)
    try:
        opened = next((line for line in server.stderr if "http://" in line), "nothing was opened")
    finally:
        server.kill()
        server.communicate()
    assert f"/lab/tree/{page}/00_introduction.ipynb" in opened


def run(*command, inside: Path, environment: Path) -> str:
    """Run a command with the Python of another environment."""
    scripts = environment / ("Scripts" if sys.platform == "win32" else "bin")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    clean |= {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "PIP_NO_COMPILE": "1", "VIRTUAL_ENV": str(environment)}
    done = subprocess.run(
        list(map(str, command)), cwd=inside, env=clean, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_in_a_fresh_environment_binders_steps_and_the_learners_walk_work(root, real_kit, tmp_path):
    """A slow test: it installs everything once, then does the same as Binder and as a learner with a kit."""
    environment = tmp_path / "fresh"
    venv.create(environment, with_pip=True)
    learners = shutil.copytree(real_kit, tmp_path / "learners")
    tito = ("python", "-m", "tito")
    run("python", "-m", "pip", "install", "-q", "-r", "binder/requirements.txt", inside=learners, environment=environment)
    run("bash", "binder/postBuild", inside=learners, environment=environment)
    for module in MODULES[:4]:
        path = source.paths(root)[module]
        solving.solve(learners / "modules" / f"{module.slug}.ipynb", path)
        run(*tito, "complete", module.id, inside=learners / "modules", environment=environment)
    found = json.loads(run(*tito, "status", "--json", inside=learners, environment=environment))
    assert {each["state"] for each in found["modules"][:4]} == {"done"}
    run(*tito, "submit", "00", inside=learners, environment=environment)
    run(*tito, "doctor", inside=learners, environment=environment)

    run("python", "-m", "pip", "uninstall", "-q", "-y", "tinytorch-kit", inside=learners, environment=environment)
    ignored = shutil.ignore_patterns(".git", "build", "course", "workspace", "tests", "__pycache__", "*.egg-info", ".venv")
    repository = shutil.copytree(root, tmp_path / "repository", ignore=ignored)
    run("bash", "binder/postBuild", inside=repository, environment=environment)
    made = repository / "workspace"
    assert sorted(path.name for path in (made / "modules").iterdir()) == [f"{m.slug}.ipynb" for m in source.paths(root)]
    run(*tito, "status", inside=made, environment=environment)
