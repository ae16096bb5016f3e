"""PyTorch's names for what the course builds: all lead somewhere, none is forgotten, and none imports before it is used."""

import importlib
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tinytorch
from tinytorch import names

CORE = Path(tinytorch.__file__).parent / "core"
BUILT = [name for name in tinytorch.MODULES if (CORE / f"{name}.py").is_file()]


def exported(core: str) -> set[str]:
    return set(importlib.import_module(f"tinytorch.core.{core}").__all__)


def named(core: str) -> set[str]:
    """Return the names of a core module that a namespace has."""
    entries = [entry for namespace in names.NAMES for entry in names.table(namespace).values()]
    return {there.partition(".")[0] for module, there in entries if module == f"tinytorch.core.{core}"}


def left_out(core: str) -> list[str]:
    return [name for modules in names.LEFT_OUT.values() for name in modules.get(core, "").split()]


@pytest.mark.parametrize("core", BUILT)
def test_every_public_name_is_reachable_or_left_out_with_a_reason(core):
    forgotten = exported(core) - named(core) - set(left_out(core))
    assert not forgotten, (
        f"tinytorch/core/{core}.py exports {', '.join(sorted(forgotten))}, and tinytorch/names.py does not say where people find "
        "that. Add each to NAMES, in the namespace in which PyTorch has it, or to LEFT_OUT, below a reason"
    )


@pytest.mark.parametrize("core", BUILT)
def test_every_name_of_the_table_leads_to_something_that_is_there(core):
    stale = (named(core) | set(left_out(core))) - exported(core)
    assert not stale, f"tinytorch/names.py lists {', '.join(sorted(stale))}, which tinytorch/core/{core}.py does not export"
    twice = named(core) & set(left_out(core))
    assert not twice, f"{', '.join(sorted(twice))} of {core} are both in NAMES and in LEFT_OUT. Remove them from one"


@pytest.mark.parametrize("namespace", names.NAMES)
def test_every_name_can_be_imported(namespace):
    module = importlib.import_module(namespace)
    for name, (source, there) in names.table(namespace).items():
        found = importlib.import_module(source)
        for part in there.split("."):
            found = getattr(found, part)
        assert getattr(module, name) is found, name
        assert name in dir(module)


def test_the_table_is_in_the_order_of_the_course():
    for namespace, sources in names.NAMES.items():
        assert set(sources) <= {*tinytorch.MODULES, "numpy"}, namespace
    for reason, sources in names.LEFT_OUT.items():
        assert set(sources) <= set(tinytorch.MODULES), reason


def python(code: str, folder: Path, *options: str) -> subprocess.CompletedProcess:
    """Run code in a new Python that finds the package of `folder` first."""
    return subprocess.run([sys.executable, *options, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def said(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_and_its_namespaces_imports_no_numpy_and_no_module_of_the_course(root):
    code = f"import sys\nimport {', '.join(names.NAMES)}\n" + "print([name for name in sys.modules if name in {!r}])"
    watched = ["numpy", "torch", *[f"tinytorch.core.{core}" for core in tinytorch.MODULES]]
    assert said(python(code.format(watched), root)) == "[]"


USES = """
import tinytorch
import tinytorch.nn as nn
import tinytorch.nn.functional as F
from tinytorch.optim import Adam
from tinytorch.optim.lr_scheduler import StepLR
from tinytorch.data import *
from tinytorch import *

tinytorch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
assert isinstance(model, nn.Module)
loss = F.cross_entropy(model(tinytorch.randn(5, 3)), tinytorch.tensor([0, 1, 0, 1, 1]))
loss.backward()
Adam(model.parameters()).step()
assert next(iter(DataLoader(TensorDataset(tinytorch.zeros(2, 1)))))[0].dtype == tinytorch.float32
print(sum([1, 2]), tinytorch.sum(Tensor([1, 2])), len(dir(nn)) > 10)
"""


@pytest.mark.parametrize("options", [(), ("-O",), ("-OO",)], ids=" ".join)
def test_a_script_in_pytorchs_words_runs(root, options):
    assert said(python(USES, root, *options)) == "3 Tensor(3) True"


def test_objects_are_pickled_by_the_place_where_the_course_builds_them():
    layer = pickle.loads(pickle.dumps(tinytorch.nn.Linear))
    assert layer is tinytorch.nn.Linear
    assert b"tinytorch.core.layers" in pickle.dumps(tinytorch.nn.Linear)
    for function in (tinytorch.nn.functional.relu, tinytorch.optim.SGD, tinytorch.data.Subset):
        assert pickle.loads(pickle.dumps(function)) is function


# -- a package half built ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def half(root, tmp_path_factory):
    """A workspace in which the modules 00 to 04 are built."""
    folder = tmp_path_factory.mktemp("half")
    later = [f"{name}.py" for name in tinytorch.MODULES[5:]]
    shutil.copytree(root / "tinytorch", folder / "tinytorch", ignore=shutil.ignore_patterns("__pycache__", *later))
    (folder / "modules").mkdir()
    return folder


DENSE = (
    "tinytorch.nn.Sequential is not here yet: tinytorch.core.dense is not built yet. Module 05 builds it. "
    "Open it with `tito start 05`, then `tito complete 05`."
)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("import tinytorch.nn as nn; nn.Sequential()", "AttributeError"),
        ("from tinytorch.nn import Linear, Sequential", "ImportError"),
        ("import tinytorch; tinytorch.nn.Sequential", "AttributeError"),
    ],
)
def test_what_is_not_built_yet_names_the_module_and_the_command(half, code, kind):
    done = python(code, half)
    assert done.stderr.splitlines()[-1] == f"{kind}: {DENSE}"


def test_hasattr_dir_star_and_pickle_know_what_is_not_built(half):
    code = """
import pickle, numpy, tinytorch, tinytorch.nn as nn, tinytorch.optim
from tinytorch.nn import *
from tinytorch.optim import *
print(hasattr(nn, "Linear"), hasattr(nn, "Sequential"), hasattr(nn, "no_such_name"), "Sequential" in dir(nn), "Linear" in dir(nn))
print(tinytorch.optim.__all__, "Module" in globals(), pickle.loads(pickle.dumps(numpy.exp)) is numpy.exp)
"""
    assert said(python(code, half)) == "True False False False True\n[] True True"


def test_a_name_that_pytorch_has_and_the_course_has_not_is_an_ordinary_error(half):
    assert "ImportError: cannot import name 'LSTM' from 'tinytorch.nn'" in python("from tinytorch.nn import LSTM", half).stderr
    assert "Did you mean: 'Linear'?" in python("import tinytorch; tinytorch.nn.Liner", half).stderr
    assert "ModuleNotFoundError: No module named 'tinytorch.nn.rnn'" in python("import tinytorch.nn.rnn", half).stderr


def test_a_module_of_an_earlier_release_says_how_to_get_the_name(half, tmp_path):
    folder = shutil.copytree(half, tmp_path / "old")
    core = folder / "tinytorch" / "core" / "layers.py"
    core.write_text(core.read_text().replace("class Linear(", "class Old("))
    done = python("from tinytorch.nn import Linear", folder)
    assert "tinytorch.core.layers has no Linear. It was built from an earlier release" in done.stderr.splitlines()[-1]
    assert "`tito update`" in done.stderr


@pytest.mark.parametrize("line", ["from tinytorch.nn import Linear", "import tinytorch; tinytorch.nn.Linear"])
def test_in_the_prefix_of_a_notebook_its_own_names_and_later_ones_are_refused(root, tmp_path, line):
    """The package is complete, as the reference's is, but the notebook of module 04 builds Linear itself."""
    shutil.copytree(root / "tinytorch", tmp_path / "tinytorch", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "modules").mkdir()
    prefix = "from tito.workspace import use_prefix\nuse_prefix(4)\n"
    done = python(prefix + line, tmp_path / "modules")
    assert "tinytorch.core.layers is built in this notebook. Use the names that you define here" in done.stderr.splitlines()[-1]
    done = python(f"{prefix}from tinytorch import Tensor\nfrom tinytorch.nn import ReLU, Dense", tmp_path / "modules")
    assert "tinytorch.core.dense is built in module 05, but this is module 04" in done.stderr.splitlines()[-1]
    later = f"{prefix}use_prefix(5)\nfrom tinytorch.nn import Linear\nprint(Linear.__name__)"
    assert said(python(later, tmp_path / "modules")) == "Linear"
