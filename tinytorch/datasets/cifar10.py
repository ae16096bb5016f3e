"""CIFAR-10 on this disk: where it lies, how it gets there, and reading its files without trusting them."""

import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

__all__ = ["CLASSES", "DataError", "data_folder", "fetch", "is_here", "load", "read_batch"]

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
MD5 = "c58f30108f718f92721af3b95e74349a"
ARCHIVE, FOLDER = "cifar-10-python.tar.gz", "cifar-10-batches-py"
TRAIN, TEST = tuple(f"data_batch_{i}" for i in range(1, 6)), ("test_batch",)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SILENCE = 30  # seconds without a byte after which a server counts as gone

Progress = Callable[[int, int], None]


class DataError(RuntimeError):
    """One line: what is wrong with the data or with getting it, and what to do."""


def data_folder(root: str | Path | None = None) -> Path:
    """Where data sets lie: `root`, else the environment variable TINYTORCH_DATA, else the user's cache on this system."""
    import pooch

    return Path(root or os.environ.get("TINYTORCH_DATA") or pooch.os_cache("tinytorch")).expanduser().absolute()


def is_here(root: str | Path | None = None) -> bool:
    """Do all files of CIFAR-10 lie in that folder?"""
    return all((data_folder(root) / FOLDER / name).is_file() for name in TRAIN + TEST)


def load(root: str | Path | None = None, train: bool = True, download: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 3072) of uint8, a row an image: 1,024 red, 1,024 green, 1,024 blue; and labels (n,) of int64."""
    home, names = data_folder(root), TRAIN if train else TEST
    if download:
        fetch(home)
    lacking = [name for name in names if not (home / FOLDER / name).is_file()]
    if lacking:
        raise FileNotFoundError(
            f"CIFAR-10 is not in {home}: {FOLDER}/{lacking[0]} is missing. Get it with `tito data get cifar10` (170 MB) or "
            f"CIFAR10(download=True), or name the folder in which {FOLDER} lies by root= or TINYTORCH_DATA"
        )
    pixels, labels = np.empty((0, 3072), np.uint8), []
    for name in names:
        data, more = read_batch(home / FOLDER / name)
        n = len(pixels)
        pixels.resize((n + len(data), 3072), refcheck=False)  # grows in place: never twice in memory
        pixels[n:] = data
        del data
        labels.append(more)
    return pixels, np.concatenate(labels)


# -- reading: the files are pickles, which are programs; this one may make lists, numbers, bytes and arrays of uint8 -----


class _Dtype:
    """Stands for numpy.dtype in a pickle."""

    def __init__(self, code=None, *_):
        self.code = code

    def __setstate__(self, state):
        pass


class _Array:
    """Stands for numpy.ndarray in a pickle: takes the shape and the bytes, and calls nothing."""

    values = None

    def __init__(self, *_):
        pass

    def __setstate__(self, state):
        _, shape, dtype, by_column, data = state
        if not isinstance(dtype, _Dtype) or dtype.code not in (b"u1", "u1") or not isinstance(data, bytes):
            raise pickle.UnpicklingError("it holds an array of something else than bytes")
        self.values = np.frombuffer(data, np.uint8).reshape(shape, order="F" if by_column else "C")


ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
}


class _OnlyArrays(pickle.Unpickler):
    """Refuses every name that a pickle asks for, but the three that an array is made of; for those it has harmless ones."""

    def find_class(self, module, name):
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"loading it would run {module}.{name}, but a file of images needs nothing but arrays")
        return ADMITTED[module, name]


def read_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 3072) of uint8 and labels (n,) of int64 of one file; a DataError for any other, of which no code runs."""
    try:
        with open(path, "rb") as file:
            batch = _OnlyArrays(file, encoding="bytes").load()
        data, labels = batch[b"data"].values, batch[b"labels"]
        if data.shape != (len(labels), 3072) or not all(type(label) is int and 0 <= label < 10 for label in labels):
            raise ValueError(f"pixels of shape {data.shape} for {len(labels)} labels from 0 to 9")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception as error:
        # A broken or hostile pickle can end in almost any exception.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} is not a file of CIFAR-10: {reason}. Delete it, then `tito data get cifar10`") from None
    return data, np.array(labels, np.int64)


# -- getting: all or nothing. Whatever is not whole lies in a folder of its own, which goes when the work ends ----------


def _print(done: int, total: int) -> None:
    end = "\n" if done == total else ""
    print(f"\r{ARCHIVE}: {done / 1e6:.0f} of {total / 1e6:.0f} MB", end=end, file=sys.stderr, flush=True)


def fetch(root: str | Path | None = None, progress: Progress = _print) -> Path:
    """The folder with CIFAR-10, downloaded if need be; an archive that lies there already is used if it is the official one."""
    import tempfile

    import pooch
    from requests import RequestException

    home, hint = data_folder(root), ""
    if is_here(home):
        return home / FOLDER
    given = home / ARCHIVE
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".cifar10-", dir=home, ignore_cleanup_errors=True) as private:
            if given.is_file() and pooch.hashes.hash_matches(given, f"md5:{MD5}"):
                archive = given
            else:
                hint = f". The archive that lies in {home} is not the official one" if given.exists() else ""
                archive = _download(Path(private), progress)
            _unpack(archive, Path(private), home / FOLDER)
    except RequestException as error:
        raise DataError(f"no CIFAR-10 from {URL}: {_reason(error)}; nothing was kept, try again{hint}") from None
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise DataError(f"cannot write to {home}: {reason}; name another folder by root= or TINYTORCH_DATA") from None
    return home / FOLDER


def _download(folder: Path, progress: Progress) -> Path:
    """The archive in `folder`: pooch keeps it if its MD5 is the official one, else nothing."""
    import logging

    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    try:
        return Path(pooch.retrieve(URL, f"md5:{MD5}", fname=ARCHIVE, path=folder, downloader=_downloader(progress)))
    except ValueError:
        raise DataError(f"what {URL} sent is not the official archive (MD5 {MD5}); nothing was kept, try again") from None


def _downloader(progress: Progress) -> Callable:
    """What pooch downloads with. Its own one needs tqdm for a bar, and leaves the connection open when something fails."""
    import requests

    def download(url, path, _):
        with requests.get(url, stream=True, timeout=SILENCE) as response, open(path, "wb") as file:
            response.raise_for_status()
            total, done, told = int(response.headers.get("Content-Length", 0)), 0, -1
            for chunk in response.iter_content(1 << 16):
                file.write(chunk)
                done += len(chunk)
                if total and 100 * done // total > told:
                    told = 100 * done // total
                    progress(done, total)

    return download


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"the server was silent for {SILENCE} seconds"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server"
    return " ".join(str(error).split())


def _unpack(archive: Path, private: Path, folder: Path) -> None:
    """The archive's files, and no other of its members, into `folder`: each appears there when it is whole."""
    import tarfile

    with tarfile.open(archive) as tar:
        for name in (*TRAIN, *TEST, "batches.meta"):
            (private / name).write_bytes(tar.extractfile(f"{FOLDER}/{name}").read())
    folder.mkdir(exist_ok=True)
    for name in ("batches.meta", *TRAIN, *TEST):
        os.replace(private / name, folder / name)
