"""The exception that a person sees, and functions that never leave a half-written file."""

import datetime
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class TitoError(Exception):
    """One line for a person: what is wrong, the value, and what to do. `code` is the exit code, 1 or 2."""

    def __init__(self, message: str, code: int = 2):
        super().__init__(" ".join(str(message).split()))
        self.code = code


@contextmanager
def hold_lock(path: Path, doing: str) -> Iterator[None]:
    """Lock the file `path`, or raise a TitoError if another process holds it. The lock ends with this process."""
    if sys.platform == "win32":  # Windows has no such lock, and no sandbox to grade in
        yield
        return
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TitoError(f"another {doing}. Wait until it has ended", code=1) from None
        yield


def describe_error(error: OSError) -> str:
    """Return the system's message with the name of the file."""
    said = error.strerror or str(error)
    return f"{os.fsdecode(error.filename)}: {said}" if error.filename else said


@contextmanager
def catch_write_errors(path: Path) -> Iterator[None]:
    """Turn any failure to write `path`, such as a full disk or a missing permission, into a TitoError."""
    try:
        yield
    except OSError as error:
        raise TitoError(f"{path} cannot be written: {error.strerror or error}", code=1) from None


def write_atomic(path: Path, data: str | bytes, mode: int | None = None) -> None:
    """Write a file completely or not at all: write a temporary file beside it and rename it. `mode` defaults to the usual one."""
    raw = data.encode() if isinstance(data, str) else data
    with catch_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:200]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            if mode is None:
                mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
            os.chmod(temporary, mode)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def replace_with_backup(root: Path, name: str, data: bytes, kept: Path, mode: int | None = None) -> bool:
    """Write the file `name` below `root`, and back up another text below `kept`. Return False if it has this text already."""
    path = root / name
    if path.is_file() and path.read_bytes() == data:
        return False
    if path.is_file():
        write_atomic(kept / name, path.read_bytes())
    write_atomic(path, data, mode)
    return True


def write_private(path: Path, data: str | bytes) -> None:
    """Write a file with people's marks: only its owner can read it, or the group of a shared folder. An earlier version is
    kept beside it, with the date in its name."""
    raw = data.encode() if isinstance(data, str) else data
    with catch_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o660 if path.parent.stat().st_mode & stat.S_ISGID else 0o600
        before = path.read_bytes() if path.exists() else raw
        if before != raw:
            write_atomic(dated(path), before, mode)
        write_atomic(path, raw, mode)


def file_timestamp() -> str:
    """Return the current time, for a file's name."""
    return datetime.datetime.now().strftime("%Y-%m-%dT%H%M%S.%f")


def dated(path: Path) -> Path:
    """Return a path beside `path` with the date in its name, for the earlier version."""
    return path.with_name(f"{path.stem}.{file_timestamp()}{path.suffix}")


def make_private(folder: Path) -> Path:
    """Make a folder that only its owner can open. If it exists, close it to all but owner and group."""
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        mode = folder.stat().st_mode
        if mode & 0o007:
            folder.chmod(mode & 0o7770)
    return folder


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
