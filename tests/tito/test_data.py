"""`tito data` lists the data sets, and downloads CIFAR-10 from a server that may fail."""

import json
import subprocess
import sys

import pytest
import small_cifar10

from tinytorch.datasets import cifar10
from tito import data
from tito.errors import TitoError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder for data, which does not exist yet."""
    monkeypatch.setenv("TINYTORCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def server(monkeypatch):
    served = small_cifar10.Server(small_cifar10.archive())
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(cifar10, "MD5", small_cifar10.md5(served.content))
    with served.running() as address:
        monkeypatch.setattr(cifar10, "URL", address)
        yield served


def test_list_says_what_is_here_and_how_to_get_the_rest(tito, folder, tmp_path):
    said = tito("data", "list", "--json", inside=tmp_path)
    digits, images = json.loads(said.out)
    assert (digits["name"], digits["here"]) == ("digits", True)
    assert (images["name"], images["here"]) == ("cifar10", False)
    assert images["place"].startswith(str(folder))
    assert "tito data get cifar10" in tito("data", "list", inside=tmp_path).out


def test_get_cifar10_downloads_it_once(tito, folder, tmp_path, server):
    for _ in range(2):
        said = tito("data", "get", "cifar10", inside=tmp_path)
        assert said.code == 0, said.err
        assert said.out == f"cifar10 is here: {folder / 'cifar-10-batches-py'}\n"
    assert server.asked == 1
    assert cifar10.is_here(folder)
    assert json.loads(tito("data", "list", "--json", inside=tmp_path).out)[1]["here"]


def test_get_digits_says_that_they_came_with_the_package(tito, folder, tmp_path):
    said = tito("data", "get", "digits", inside=tmp_path)
    assert (said.code, said.out.strip()[-10:]) == (0, "digits.npz")
    assert not folder.exists()


@pytest.mark.parametrize("behaviour", ["wrong", "truncated", "broken off", "503"])
def test_a_failed_download_is_one_line_and_exit_code_1(tito, folder, tmp_path, server, behaviour):
    server.behaviour = behaviour
    said = tito("data", "get", "cifar10", inside=tmp_path)
    *progress, problem = said.err.splitlines()
    assert (said.code, said.out) == (1, "")
    assert problem.startswith("tito: ") and "try again" in problem
    assert all(line.startswith("downloading cifar10") for line in progress)
    assert list(folder.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_line_and_exit_code_1(tito, folder, tmp_path, server):
    folder.write_text("I am no folder")
    said = tito("data", "get", "cifar10", inside=tmp_path)
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "TINYTORCH_DATA" in said.err


def test_an_unknown_name_lists_the_known_ones(tito, folder, tmp_path):
    said = tito("data", "get", "mnist", inside=tmp_path)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "digits, cifar10" in said.err


def test_list_reports_an_invalid_tinytorch_data(tito, folder, tmp_path):
    folder.write_text("I am no folder")
    assert json.loads(tito("data", "list", "--json", inside=tmp_path).out)[1]["here"] is False


# -- in a kit no tinytorch is installed: the workspace's own is used ---------------------------------------------------


def test_where_no_tinytorch_is_installed_the_workspaces_own_is_asked(workspace, folder, monkeypatch):
    monkeypatch.setattr(data.importlib.util, "find_spec", lambda name: None)
    monkeypatch.chdir(workspace.root / "modules")
    digits, images = data.list_data_sets()
    assert digits.place == str(workspace.package / "datasets" / "digits.npz")
    assert images.place == str(folder / "cifar-10-batches-py")


def test_without_any_tinytorch_it_says_where_to_run(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(data.importlib.util, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TitoError, match="inside a workspace"):
        data.list_data_sets()


def test_the_command_line_does_not_import_pooch_until_it_is_needed():
    code = "import sys, tito.cli, tito.commands.data; print(*{'pooch', 'requests', 'tinytorch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
