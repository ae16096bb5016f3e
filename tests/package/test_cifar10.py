"""tinytorch.datasets.cifar10: getting CIFAR-10 from a server that may fail, and reading files that may be hostile."""

import io
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_cifar10

from tinytorch.datasets import cifar10


def silent(done, total):
    pass


@pytest.fixture(scope="module")
def archive():
    return small_cifar10.archive()


@pytest.fixture
def server(archive, monkeypatch):
    """A server with a small archive, which the module takes for the official one."""
    served = small_cifar10.Server(archive)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(cifar10, "MD5", small_cifar10.md5(archive))
    with served.running() as address:
        monkeypatch.setattr(cifar10, "URL", address)
        yield served


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def expected(names):
    parts = [small_cifar10.rows_and_labels(name) for name in names]
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([labels for _, labels in parts])


# -- where data lies ---------------------------------------------------------------------------------------------------


def test_root_comes_before_the_environment_and_that_before_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYTORCH_DATA", str(tmp_path / "environment"))
    assert cifar10.data_folder(tmp_path / "root") == tmp_path / "root"
    assert cifar10.data_folder() == tmp_path / "environment"
    monkeypatch.setenv("TINYTORCH_DATA", "")
    assert "tinytorch" in cifar10.data_folder().parts


def test_a_tilde_means_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cifar10.data_folder("~/data") == tmp_path / "data"


def test_data_that_is_missing_says_how_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        cifar10.load(tmp_path)
    for word in (str(tmp_path), "tito data get cifar10", "download=True", "TINYTORCH_DATA"):
        assert word in str(caught.value)


# -- reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("train", [True, False])
def test_the_files_are_read_in_order(tmp_path, train):
    small_cifar10.lay_out(tmp_path)
    rows, labels = cifar10.load(tmp_path, train)
    wanted_rows, wanted_labels = expected(small_cifar10.BATCHES[:5] if train else ["test_batch"])
    np.testing.assert_array_equal(rows, wanted_rows)
    np.testing.assert_array_equal(labels, wanted_labels)
    assert (rows.dtype, labels.dtype) == (np.uint8, np.int64)


@pytest.mark.parametrize("protocol", [3, 4])
def test_files_that_python_3_wrote_are_read_too(tmp_path, protocol):
    rows, labels = small_cifar10.rows_and_labels("test_batch")
    (tmp_path / "batch").write_bytes(pickle.dumps({b"data": rows, b"labels": labels}, protocol))
    np.testing.assert_array_equal(cifar10.read_batch(tmp_path / "batch")[0], rows)


def test_an_array_stored_by_columns_is_turned_right(tmp_path):
    rows, labels = small_cifar10.rows_and_labels("test_batch")
    (tmp_path / "batch").write_bytes(small_cifar10.python2({b"data": np.asfortranarray(rows), b"labels": labels}))
    np.testing.assert_array_equal(cifar10.read_batch(tmp_path / "batch")[0], rows)


class Runs:
    """Unpickled by an ordinary unpickler, calls `function` on `arguments`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def hostile(mark: Path) -> dict[str, bytes]:
    """Pickles, each of which makes the file `mark` if it is loaded as pickles usually are."""
    command, path = f"touch {mark}", f"{mark}".encode()
    rows, labels = small_cifar10.rows_and_labels("test_batch")
    runs = {b"data": rows, b"labels": labels, b"filenames": Runs(os.system, command)}
    return {
        "a command": pickle.dumps(Runs(os.system, command)),
        "a command in protocol 0": pickle.dumps(Runs(os.system, command), 0),
        "a command in protocol 4": pickle.dumps(Runs(os.system, command), 4),
        "eval": pickle.dumps(Runs(eval, f"open({str(mark)!r}, 'w')")),
        "beside good data": pickle.dumps(runs, 3),
        "a file opened": b"cio\nopen\n(V" + path + b"\nVw\ntR.",
        "the opcode INST": b"(V" + command.encode() + b"\niposix\nsystem\n.",
        "the opcode OBJ": b"(cposix\nsystem\nV" + command.encode() + b"\no.",
        "a name below an admitted one": b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
        "numpy's own loader": b"cnumpy\nload\n(V" + path + b"\ntR.",
        "numpy's own runner": b"cnumpy.testing._private.utils\nrunstring\n(Vopen('" + path + b"', 'w')\n}tR.",
        "state for an admitted class": b"cnumpy\nndarray\n}V__setstate__\ncposix\nsystem\nsb.",
    }


@pytest.mark.parametrize("kind", hostile(Path("x")))
def test_a_hostile_pickle_raises_and_runs_nothing(tmp_path, kind):
    path, mark = tmp_path / "data_batch_1", tmp_path / "mark"
    path.write_bytes(hostile(mark)[kind])
    with pytest.raises(cifar10.DataError, match="is not a file of CIFAR-10") as caught:
        cifar10.read_batch(path)
    assert not mark.exists()
    assert "\n" not in str(caught.value)


def test_those_pickles_are_hostile(tmp_path):
    mark = tmp_path / "mark"
    for kind in ("a command", "the opcode INST", "the opcode OBJ", "beside good data"):
        pickle.load(io.BytesIO(hostile(mark)[kind]), encoding="bytes")
        mark.unlink()


def good(**changes):
    rows, labels = small_cifar10.rows_and_labels("test_batch")
    return {b"data": rows, b"labels": labels} | {name.encode(): value for name, value in changes.items()}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle at all",
        small_cifar10.batch("test_batch")[:5000],
        small_cifar10.python2([1, 2, 3]),
        small_cifar10.python2({b"labels": [1]}),
        small_cifar10.python2(good(labels=[0, 1])),
        small_cifar10.python2(good(labels=[0, 1, 2, 10])),
        small_cifar10.python2(good(labels=[0, 1, 2, None])),
        small_cifar10.python2(good(data=np.zeros((4, 100), np.uint8))),
        small_cifar10.python2(good(data=np.zeros((4, 3072), np.int32))),
        small_cifar10.python2(good(data=np.full((4, 3072), None))),
        small_cifar10.python2(good(data=b"bytes")),
    ],
)
def test_a_file_of_another_kind_is_one_clear_line(tmp_path, content):
    path = tmp_path / "data_batch_1"
    path.write_bytes(content)
    with pytest.raises(cifar10.DataError, match=r"is not a file of CIFAR-10: .+") as caught:
        cifar10.read_batch(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_where_a_file_should_be_is_one_clear_line(tmp_path):
    with pytest.raises(cifar10.DataError, match="cannot read"):
        cifar10.read_batch(tmp_path)


# -- getting -----------------------------------------------------------------------------------------------------------


def test_what_is_downloaded_can_be_loaded_and_nothing_else_stays(server, tmp_path):
    heard = []
    folder = cifar10.fetch(tmp_path / "new" / "place", progress=lambda done, total: heard.append((done, total)))
    assert everything_in(tmp_path / "new" / "place") == sorted(
        ["cifar-10-batches-py", *(f"cifar-10-batches-py/{name}" for name in [*small_cifar10.BATCHES, "batches.meta"])]
    )
    np.testing.assert_array_equal(cifar10.load(folder.parent)[0], expected(small_cifar10.BATCHES[:5])[0])
    size = len(server.content)
    assert heard[0][0] > 0 and heard[-1] == (size, size) and heard == sorted(set(heard))


def test_what_is_here_is_not_downloaded_again(server, tmp_path):
    small_cifar10.lay_out(tmp_path)
    cifar10.load(tmp_path, download=True)
    assert server.asked == 0


def test_download_says_on_stderr_how_far_it_is(server, tmp_path, capsys):
    cifar10.load(tmp_path, download=True)
    said = capsys.readouterr()
    assert said.out == "" and said.err.endswith("3 of 3 MB\n")


def test_an_incomplete_folder_is_completed(server, tmp_path):
    small_cifar10.lay_out(tmp_path)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").unlink()
    cifar10.fetch(tmp_path, silent)
    assert cifar10.is_here(tmp_path) and server.asked == 1


def test_an_official_archive_that_lies_there_is_used_and_kept(server, tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(server.content)
    cifar10.fetch(tmp_path, silent)
    assert cifar10.is_here(tmp_path) and server.asked == 0
    assert (tmp_path / "cifar-10-python.tar.gz").read_bytes() == server.content


def test_a_broken_archive_that_lies_there_is_not_used(server, tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(server.content[:-100])
    cifar10.fetch(tmp_path, silent)
    assert cifar10.is_here(tmp_path) and server.asked == 1
    assert len((tmp_path / "cifar-10-python.tar.gz").read_bytes()) == len(server.content) - 100, "it was a person's file"


FAILURES = {
    "wrong": "not the official archive",
    "truncated": "not the official archive",
    "broken off": "the connection broke off",
    "stalled": "the server was silent",
    "404": "the server answered 404",
    "503": "the server answered 503",
}


@pytest.mark.parametrize("behaviour", FAILURES)
def test_a_failed_download_is_one_clear_line_leaves_nothing_and_can_be_repeated(server, tmp_path, monkeypatch, behaviour):
    monkeypatch.setattr(cifar10, "SILENCE", 0.3)
    server.behaviour = behaviour
    with pytest.raises(cifar10.DataError, match=FAILURES[behaviour]) as caught:
        cifar10.fetch(tmp_path, silent)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    assert everything_in(tmp_path) == []
    server.advance.set()
    server.behaviour = "whole"
    cifar10.fetch(tmp_path, silent)
    assert cifar10.is_here(tmp_path)


def test_no_network_is_one_clear_line(tmp_path, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(cifar10, "URL", f"http://127.0.0.1:{closed.getsockname()[1]}/archive")
        with pytest.raises(cifar10.DataError, match=r"no CIFAR-10 from http://127.*: no connection to the server"):
            cifar10.fetch(tmp_path, silent)
    assert everything_in(tmp_path) == []


def test_a_broken_archive_is_mentioned_where_the_network_fails(server, tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"half")
    server.behaviour = "503"
    with pytest.raises(cifar10.DataError, match=r"The archive that lies in .* is not the official one"):
        cifar10.fetch(tmp_path, silent)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_place_that_cannot_be_written_is_one_clear_line(server, tmp_path, place):
    (tmp_path / "file").write_text("I am no folder")
    with pytest.raises(cifar10.DataError, match=r"cannot write to .*file.*TINYTORCH_DATA") as caught:
        cifar10.fetch(tmp_path / place, silent)
    assert "\n" not in str(caught.value) and server.asked == 0


def test_a_file_where_the_unpacked_folder_belongs_is_one_clear_line(server, tmp_path):
    (tmp_path / "cifar-10-batches-py").write_text("I am no folder")
    with pytest.raises(cifar10.DataError, match="cannot write to"):
        cifar10.fetch(tmp_path, silent)
    assert everything_in(tmp_path) == ["cifar-10-batches-py"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_clear_line_and_leaves_nothing(server, tmp_path, monkeypatch):
    real = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: real(Path("/dev/full"), data))
    with pytest.raises(cifar10.DataError, match=r"cannot write to .*No space left on device"):
        cifar10.fetch(tmp_path, silent)
    assert everything_in(tmp_path) == []


def test_an_interrupted_download_leaves_nothing(server, tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cifar10.fetch(tmp_path, interrupt)
    assert everything_in(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_what_a_killed_download_left_is_never_used(server, tmp_path):
    server.behaviour = "stalled"
    code = f"""
from tinytorch.datasets import cifar10
cifar10.URL, cifar10.MD5 = {cifar10.URL!r}, {cifar10.MD5!r}
cifar10.fetch({str(tmp_path)!r}, lambda done, total: None)
"""
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        assert server.half_sent.wait(30)
        process.kill()
    assert not cifar10.is_here(tmp_path)
    server.behaviour = "whole"
    cifar10.fetch(tmp_path, silent)
    np.testing.assert_array_equal(cifar10.load(tmp_path)[0], expected(small_cifar10.BATCHES[:5])[0])


def test_members_that_are_not_cifar10s_are_not_unpacked(tmp_path, monkeypatch):
    content = small_cifar10.archive({"../../escaped": b"x", "more": b"x"})
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cifar-10-python.tar.gz").write_bytes(content)
    monkeypatch.setattr(cifar10, "MD5", small_cifar10.md5(content))
    folder = cifar10.fetch(tmp_path / "data", silent)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*small_cifar10.BATCHES, "batches.meta"])
    assert not list(tmp_path.rglob("escaped"))


# -- the real one ------------------------------------------------------------------------------------------------------

REAL = os.environ.get("TINYTORCH_DATA")


@pytest.mark.skipif(
    not REAL or not cifar10.is_here(REAL),
    reason="CIFAR-10 is not here: name in TINYTORCH_DATA the folder with its cifar-10-batches-py",
)
def test_the_real_cifar10_has_60_000_images_of_ten_classes():
    for train, n in [(True, 50_000), (False, 10_000)]:
        rows, labels = cifar10.load(REAL, train)
        assert rows.shape == (n, 3072)
        np.testing.assert_array_equal(np.bincount(labels), np.full(10, n // 10))
