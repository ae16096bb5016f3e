"""Collect submissions from a folder, or from the export of a learning-management system (a folder or a zip file).

Only the notebook of the module and its time are taken. Names inside are never used as paths.
"""

import datetime
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tito.errors import TitoError, file_timestamp, write_atomic
from tito.syllabus import Module

STUDENT = re.compile(r"[\w@-][\w.@-]{0,99}")  # becomes a folder's name and part of a glob
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?( UTC| ?[+-]\d\d:?\d\d)?")

# Patterns that find the student in a file's name, most specific first. {module} is replaced by the module's name.
LAYOUTS = (
    r"(?P<student>[^/]+)/{module}/{module}\.ipynb",  # an inbox, or nbgrader's `submitted`
    r"(?P<student>[^/]+_\d+)_assignsubmission_file_?/.*?{module}[^/]*\.ipynb",  # Moodle
    r"(?P<student>[^/_]+)(?:_LATE)?_\d+_\d+_{module}(?:-\d+)?\.ipynb",  # Canvas
    r"(?P<student>[^/]+)/(?:.*/)?{module}\.ipynb",  # a folder for each student
    r"(?P<student>[^/]+?)[-_. ]{module}\.ipynb",  # one file for each student
)


@dataclass
class HandIn:
    """One notebook that was found. `data` is None if the folder has no notebook, or if `problem` says what is wrong."""

    name: str
    student: str
    data: bytes | None
    time: datetime.datetime
    problem: str = ""


@dataclass
class Collected:
    student: str
    name: str
    result: str  # "new", "updated", "unchanged", "older", or why it was not taken


def collect(course: Path, module: Module, place: Path, pattern: str | None, megabytes: int) -> list[Collected]:
    """Copy the submissions of a module from `place` into `course/submitted`. Replaced files are kept in `course/backup`."""
    latest: dict[str, HandIn] = {}
    rejected = []
    for hand_in in find_hand_ins(module, place, pattern, megabytes):
        if not STUDENT.fullmatch(hand_in.student):
            problem = f"left: {hand_in.student[:80]!r} cannot be a student's id (letters, digits, . _ - @)"
            rejected.append(Collected("", hand_in.name, problem))
        elif hand_in.problem:
            rejected.append(Collected(hand_in.student, hand_in.name, f"left: {hand_in.problem}"))
        else:
            both = sorted([hand_in, latest.get(hand_in.student, hand_in)], key=lambda one: one.time)
            latest[hand_in.student] = newer = hand_in if both[0].time == both[1].time else both[1]
            rejected += [
                Collected(one.student, one.name, f"left: {newer.name} of the same student is newer")
                for one in both
                if one is not newer
            ]
    taken = [Collected(student, h.name, _store(course, module, h)) for student, h in sorted(latest.items())]
    if not taken and not rejected:
        raise TitoError(f"{place} has no submission of {module}: there is no {module.slug}.ipynb in it", code=1)
    return taken + rejected


def find_hand_ins(module: Module, place: Path, pattern: str | None, megabytes: int) -> Iterator[HandIn]:
    """Yield every file at `place` whose name says that it is a student's notebook of this module."""
    try:
        layouts = [re.compile(text.replace("{module}", module.slug)) for text in ([pattern] if pattern else LAYOUTS)]
    except re.error as error:
        raise TitoError(f"--pattern {pattern} is not a regular expression: {error}") from None
    if any("student" not in layout.groupindex for layout in layouts):
        raise TitoError(f"--pattern {pattern} needs a group (?P<student>...)")
    if place.is_file() and zipfile.is_zipfile(place):
        yield from _in_zip(layouts, place, megabytes)
    elif place.is_dir():
        yield from _in_folder(module, layouts, place, megabytes)
    else:
        raise TitoError(f"{place} is neither a folder nor a zip file")


def _match_name(layouts: list[re.Pattern], name: str) -> tuple[str, int] | None:
    """Return the student that a file's name belongs to, and the index of the pattern that matched."""
    for place, layout in enumerate(layouts):
        match = layout.fullmatch(name)
        if match:
            return re.sub(r"\s+", "-", match["student"].strip()), place
    return None


def _in_folder(module: Module, layouts: list[re.Pattern], place: Path, megabytes: int) -> Iterator[HandIn]:
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        whose = _match_name(layouts, name)
        if whose and path.is_file() and not path.is_symlink():
            student, _ = whose
            changed = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
            time = read_timestamp(path.with_name("timestamp.txt")) or changed
            if path.stat().st_size > megabytes << 20:
                yield HandIn(name, student, None, time, f"it is larger than {megabytes} MB")
            else:
                yield HandIn(name, student, path.read_bytes(), time)
    for folder in sorted(place.glob(f"*/{module.slug}")):
        notebook = folder / f"{module.slug}.ipynb"
        if folder.is_dir() and (notebook.is_symlink() or not notebook.is_file()):
            yield HandIn(folder.relative_to(place).as_posix(), folder.parent.name, None, datetime.datetime.now(datetime.UTC))


def _in_zip(layouts: list[re.Pattern], place: Path, megabytes: int) -> Iterator[HandIn]:
    with zipfile.ZipFile(place) as archive:
        names = {}
        for entry in archive.infolist():
            parts = [part for part in entry.filename.replace("\\", "/").split("/") if part]
            link = (entry.external_attr >> 16) & 0o170000 == 0o120000
            if not (entry.is_dir() or link or ".." in parts or "__MACOSX" in parts):
                names[entry] = parts
        readings = [_reading(layouts, {entry: parts[skip:] for entry, parts in names.items()}) for skip in (0, 1)]
        for entry, (student, _) in max(readings, key=_rate_reading).items():
            yield _unpack(archive, entry, student, megabytes)


Reading = dict[zipfile.ZipInfo, tuple[str, int]]


def _reading(layouts: list[re.Pattern], names: dict[zipfile.ZipInfo, list[str]]) -> Reading:
    found = {entry: _match_name(layouts, "/".join(parts)) for entry, parts in names.items()}
    return {entry: whose for entry, whose in found.items() if whose}


def _rate_reading(reading: Reading) -> tuple[int, int]:
    """Rate a reading of an archive, which may have one folder around everything. The right reading has more students, or
    names that match more specific patterns."""
    return len({student for student, _ in reading.values()}), -sum(place for _, place in reading.values())


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, student: str, megabytes: int) -> HandIn:
    try:
        time = datetime.datetime(*entry.date_time, tzinfo=datetime.UTC)
    except ValueError:  # a zip may state the 31st of February
        time = datetime.datetime(1980, 1, 1, tzinfo=datetime.UTC)
    try:
        with archive.open(entry) as file:
            data = file.read((megabytes << 20) + 1)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError) as error:
        return HandIn(entry.filename, student, None, time, f"it cannot be read from the zip ({error})")
    if len(data) > megabytes << 20:
        return HandIn(entry.filename, student, None, time, f"it is larger than {megabytes} MB")
    return HandIn(entry.filename, student, data, time)


def read_timestamp(path: Path) -> datetime.datetime | None:
    """Read the time from a timestamp.txt. None if there is no such file, or no valid time in it."""
    if not path.is_file() or path.is_symlink() or path.stat().st_size > 100:
        return None
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if not TIMESTAMP.fullmatch(text):
        return None
    try:
        stated = datetime.datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    except ValueError:  # no valid date, such as the 31st of February
        return None
    return stated if stated.tzinfo else stated.replace(tzinfo=datetime.UTC)


def _store(course: Path, module: Module, hand_in: HandIn) -> str:
    folder = course / "submitted" / hand_in.student / module.slug
    notebook, timestamp = folder / f"{module.slug}.ipynb", folder / "timestamp.txt"
    data, before = hand_in.data or b"", notebook.read_bytes() if notebook.is_file() else None
    if before == data:
        return "unchanged"
    earlier = read_timestamp(timestamp)
    if before is not None and earlier and earlier > hand_in.time:
        return "older than what is there"
    if before is not None:
        back_up(notebook, course)
    write_atomic(notebook, data)
    write_atomic(timestamp, hand_in.time.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC") + "\n")
    if hand_in.data is None:
        return f"no {module.slug}.ipynb in it: an empty file was made for it"
    return "new" if before is None else "updated"


def back_up(path: Path, folder: Path) -> Path:
    """Copy a file that is about to be replaced to `folder/backup/<now>/`, with the same relative path."""
    target = backup_path(path, folder)
    write_atomic(target, path.read_bytes())
    return target


def backup_path(path: Path, folder: Path) -> Path:
    """Return the path for a backup of a file of the course at `folder`, made now."""
    return folder / "backup" / file_timestamp() / path.relative_to(folder)
