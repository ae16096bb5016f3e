"""The one exception that a person sees, and writing files so that nothing is half written."""

import os
import tempfile
from pathlib import Path


class TitoError(Exception):
    """One line for a person: what is wrong, where, and what to do. `code` is the exit code, 1 or 2."""

    def __init__(self, message: str, code: int = 2):
        super().__init__(" ".join(str(message).split()))
        self.code = code


def write_atomic(path: Path, data: str | bytes) -> None:
    """Write a whole file or none: into a file beside it, then renamed over it. The mode is that of any new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = data.encode() if isinstance(data, str) else data
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, path.stat().st_mode if path.exists() else 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def keep_private(folder: Path) -> Path:
    """A folder into which only its owner can look: made so, or if it was there, closed to all but owner and group."""
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
