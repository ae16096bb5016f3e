"""`tito train`: the accuracy of a run, the files it writes, and its error messages."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tinytorch.core.training import load
from tito import places, training
from tito.errors import TitoError

CIFAR = pytest.mark.skipif(
    not (Path(os.environ.get("TINYTORCH_DATA", "")) / "cifar-10-batches-py" / "test_batch").is_file(),
    reason="CIFAR-10 is not here: name in TINYTORCH_DATA the folder with its cifar-10-batches-py",
)


def copy(root, folder):
    """A workspace in which everything up to training is built."""
    shutil.copytree(root / "tinytorch", folder / "tinytorch", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "modules").mkdir()
    return folder


@pytest.fixture(scope="module")
def mine(root, tmp_path_factory):
    return copy(root, tmp_path_factory.mktemp("trained") / "mine")


@pytest.fixture
def broken(root, tmp_path):
    """A new workspace, and a function that adds text to a module of its package."""

    def add(name, text):
        path = copy(root, tmp_path / "broken") / "tinytorch" / "core" / f"{name}.py"
        path.write_text(path.read_text(encoding="utf-8") + f"\n\n{text}\n", encoding="utf-8")
        return tmp_path / "broken"

    return add


@pytest.fixture(scope="module")
def trained(mine):
    """The output of two runs of one recipe in the workspace, and their folder."""
    words = [sys.executable, "-m", "tito", "train", "digits-mlp", "--seeds", "0,1"]
    return subprocess.run(words, cwd=mine, capture_output=True, text=True, check=False)


def results(folder, name="digits-mlp"):
    return [json.loads(path.read_text()) for path in sorted((folder / "runs" / name).glob("seed-*/result.json"))]


def test_a_run_leaves_three_pictures_and_its_figures(mine, trained):
    assert trained.returncode == 0, trained.stderr
    for seed in (0, 1):
        place = mine / "runs" / "digits-mlp" / f"seed-{seed}"
        assert {path.name for path in place.iterdir()} == {*training.PICTURES, training.RESULT, training.SAVED, training.ORDER}
        for name in training.PICTURES:
            header = (place / name).read_bytes()[:24]
            assert header[:8] == b"\x89PNG\r\n\x1a\n" and min(struct.unpack(">II", header[16:])) > 100


def test_the_digits_are_learned_and_the_command_says_how_well(mine, trained):
    found = results(mine)
    for result in found:
        assert result["accuracy"] >= 0.97, "the course promises 97 % of the digits"
        assert (result["seen"], result["examples"], result["parameters"]) == ("test", 360, 64 * 256 + 256 + 2560 + 10)
        assert 10_000_000 < result["peak_bytes"] < 400_000_000
        assert len(result["history"]) == result["epochs"] == 30
        assert f"digits-mlp, seed {result['seed']}: {result['accuracy']:.2%} of 360 test images right" in trained.stdout
    median = (found[0]["accuracy"] + found[1]["accuracy"]) / 2
    assert f"median of 2 seeds: {median:.2%} of the test images right" in trained.stdout
    assert trained.stdout.count("epoch 30/30") == 2


def test_the_workspaces_own_package_is_trained(mine, trained):
    assert {result["package"] for result in results(mine)} == {str(mine / "tinytorch")}


def test_a_second_run_keeps_the_first_and_is_the_same_in_every_bit(tito, mine, trained):
    before = results(mine)[0]
    said = tito("train", "digits-mlp", "--json", inside=mine)
    found = json.loads(said.out)
    assert found["median"]["accuracy"] == found["runs"][0]["accuracy"]
    kept = [path for path in (mine / "runs" / "digits-mlp").iterdir() if path.name.startswith("seed-0.")]
    assert json.loads((kept[0] / "result.json").read_text()) == before
    again = json.loads((mine / "runs" / "digits-mlp" / "seed-0" / "result.json").read_text())
    assert again["history"] == before["history"] != results(mine)[-1]["history"]
    assert again["accuracy"] == before["accuracy"]


def test_what_was_trained_can_be_loaded_by_what_the_command_says_last(mine, trained):
    first, second = trained.stdout.strip().splitlines()[-2:]
    script = f"{first.removeprefix('in a notebook: ')}\n{second}\n" + """
from tinytorch.core.training import Trainer
recipe = RECIPES["digits-mlp"]
print(Trainer(model, None).evaluate(recipe.loader(recipe.data(False)))["accuracy"])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=mine, capture_output=True, text=True, check=True)
    assert float(done.stdout) == results(mine)[-1]["accuracy"]


def weights(place):
    saved = load(place / training.SAVED)
    return saved["history"], {name: array.tobytes() for name, array in saved["model"].items()}


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_a_run_that_was_interrupted_goes_on_to_the_same_bits(tito, mine, trained, tmp_path):
    words = [sys.executable, "-m", "tito", "train", "digits-mlp", "--out", str(tmp_path / "out")]
    place = tmp_path / "out" / "seed-0"
    options = {"cwd": mine, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen(words, **options) as running:
        while not (place / training.SAVED).exists() and running.poll() is None:
            time.sleep(0.001)
        os.killpg(running.pid, signal.SIGINT)
        _, err = running.communicate()
    assert running.returncode == 130
    assert err.endswith("stopped: the same command with --resume goes on after the last finished epoch\n")
    done = len(weights(place)[0])
    assert 1 <= done < 30
    said = tito("train", "digits-mlp", "--out", tmp_path / "out", "--epochs", "29", "--resume", inside=mine)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "is one of as many epochs as its recipe says" in said.err
    said = tito("train", "digits-mlp", "--out", tmp_path / "out", "--resume", inside=mine)
    assert said.code == 0, said.err
    assert f"the time is that of epochs {done + 1} to 30" in said.out
    assert weights(place) == weights(mine / "runs" / "digits-mlp" / "seed-0")
    (result,) = [json.loads((place / training.RESULT).read_text())]
    assert (result["accuracy"], result["resumed"]) == (results(mine)[0]["accuracy"], done)
    again = tito("train", "digits-mlp", "--out", tmp_path / "out", "--resume", inside=mine)
    assert again.out == said.out, "a run that has ended is only read"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["seed-0"]


def test_to_resume_without_a_saved_run_is_said_in_one_line(tito, mine, tmp_path):
    said = tito("train", "digits-mlp", "--out", tmp_path / "out", "--resume", inside=mine)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "no saved run of digits-mlp is in" in said.err and "leave --resume out" in said.err
    assert not (tmp_path / "out").exists()


def test_a_seed_that_has_not_begun_begins_when_another_is_resumed(tito, mine, tmp_path):
    words = ("train", "digits-mlp", "--epochs", "1", "--out", tmp_path / "out", "--json")
    tito(*words, inside=mine)
    before = (tmp_path / "out" / "seed-0" / training.SAVED).read_bytes()
    found = json.loads(tito(*words, "--seeds", "0,3", "--resume", inside=mine).out)["runs"]
    assert [run["seed"] for run in found] == [0, 3]
    assert (tmp_path / "out" / "seed-0" / training.SAVED).read_bytes() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "order.json is missing or damaged"),
        ("{", "order.json is missing or damaged"),
        ('{"recipe": "digits-cnn"}', "holds a run of digits-cnn"),
        ('{"recipe": "digits-mlp", "epochs": 7}', "is one of 7 epochs"),
        ('{"recipe": "digits-mlp", "epochs": 1}', "trains on all training images: leave --validate out"),
    ],
)
def test_a_run_of_another_kind_is_not_resumed(tito, mine, tmp_path, text, said):
    place = tmp_path / "seed-0"
    place.mkdir()
    (place / training.SAVED).write_bytes(b"")
    if text:
        (place / training.ORDER).write_text(text)
    found = tito("train", "digits-mlp", "--epochs", "1", "--validate", "--out", tmp_path, "--resume", inside=mine)
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert said in found.err


def test_a_damaged_file_is_not_resumed_and_stays(tito, mine, tmp_path):
    place = tmp_path / "seed-0"
    place.mkdir()
    (place / training.SAVED).write_bytes(b"half")
    (place / training.ORDER).write_text('{"recipe": "digits-mlp"}')
    found = tito("train", "digits-mlp", "--out", tmp_path, "--resume", inside=mine)
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert "run.npz is damaged, or not of save" in found.err
    assert (place / training.SAVED).read_bytes() == b"half"


def test_a_validation_run_holds_a_tenth_back(tito, mine, tmp_path):
    said = tito("train", "digits-cnn", "--validate", "--epochs", "1", "--out", tmp_path / "out", "--json", inside=mine)
    (run,) = json.loads(said.out)["runs"]
    assert (run["seen"], run["examples"], run["epochs"]) == ("validation", 143, 1)
    (row,) = json.loads((tmp_path / "out" / "seed-0" / "result.json").read_text())["history"]
    assert row["validation_accuracy"] == run["accuracy"]


@CIFAR
def test_a_validation_run_never_reads_the_test_images(tito, mine, tmp_path, monkeypatch):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for path in (Path(os.environ["TINYTORCH_DATA"]) / "cifar-10-batches-py").glob("data_batch_*"):
        (folder / path.name).symlink_to(path)
    monkeypatch.setenv("TINYTORCH_DATA", str(tmp_path))
    out = ["--epochs", "1", "--out", tmp_path / "out", "--json"]
    (run,) = json.loads(tito("train", "cifar10-mlp", "--validate", *out, inside=mine).out)["runs"]
    assert run["examples"] == 5000
    assert run["accuracy"] > 0.35
    said = tito("train", "cifar10-mlp", *out, inside=mine)
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "test_batch is missing" in said.err


def test_cifar10_that_is_missing_is_said_in_one_line_with_the_way_to_get_it(tito, mine, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYTORCH_DATA", str(tmp_path))
    said = tito("train", "cifar10-cnn", "--out", tmp_path / "out", inside=mine)
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert f"CIFAR-10 is not in {tmp_path}" in said.err
    assert "tito data get cifar10" in said.err


def test_a_workspace_that_cannot_train_yet_says_what_to_build(tito, broken):
    root = broken("setup", "")
    (root / "tinytorch" / "core" / "optimizers.py").unlink()
    said = tito("train", "digits-mlp", inside=root)
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "tinytorch.core.optimizers is not built yet. Module 10 builds it" in said.err


@pytest.mark.parametrize(
    ("module", "text", "said"),
    [
        ("optimizers", "AdamW.update = lambda self, p, *rest, **options: p.fill(np.nan)", "the loss is nan in epoch 1"),
        ("layers", "Linear.forward = lambda self, x: x @ self.weight", r"digits-mlp stopped with ValueError"),
        ("activations", "ReLU.forward = lambda self, x: print('hm') or 1 / 0", "activations.py, line"),
        ("training", "import os; os._exit(3)", "it ended with exit code 3 and said nothing"),
    ],
)
def test_a_package_that_cannot_train_gets_a_reason_in_one_line(tito, broken, module, text, said):
    found = tito("train", "digits-mlp", "--epochs", "1", inside=broken(module, text))
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert said in found.err


@pytest.mark.parametrize("text", ["", "x", "1,", "0,0", "-1", "1.5"])
def test_seeds_are_whole_numbers_each_once(text):
    with pytest.raises(TitoError, match="seeds are different whole numbers"):
        training.seeds(text)


def test_an_unknown_recipe_is_a_usage_error(tito, mine):
    said = tito("train", "mnist", inside=mine)
    assert (said.code, said.err) == (2, f"tito: no recipe is called 'mnist': there are {', '.join(training.NAMES)}\n")


def test_a_file_in_the_place_of_the_folder_is_left_alone(tito, mine, tmp_path):
    (tmp_path / "out").write_text("mine")
    said = tito("train", "digits-mlp", "--out", tmp_path / "out", inside=mine)
    assert said.code == 2
    assert "name another folder with --out" in said.err
    assert (tmp_path / "out").read_text() == "mine"


def test_in_the_repository_runs_go_into_what_can_be_built_again(root, mine):
    assert training.home(root, "digits-mlp") == root / "build" / "runs" / "digits-mlp"
    assert places.is_repository(root) and not places.is_repository(mine)
    assert training.home(mine, "digits-mlp") == mine / "runs" / "digits-mlp"
