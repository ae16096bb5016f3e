"""Publish a module's solution to the learners of a class, usually after its due date."""

import datetime
import re
from pathlib import Path

from tito import source
from tito.course import Course
from tito.errors import TitoError, dated, write_atomic
from tito.grading.late import format_utc
from tito.learner.layout import PUBLISHED
from tito.syllabus import Module

_SECRET = re.compile(r"^[ \t]*### BEGIN (HIDDEN TESTS|MARK SCHEME)\n.*?^[ \t]*### END \1\n?", re.MULTILINE | re.DOTALL)


def publish(course: Course, module: Module, to: Path, early: bool = False) -> Path:
    """Write a module's source without its hidden checks into a kit or the class's folder, where learners find it."""
    path = source.paths(course.repository).get(module)
    if path is None:
        raise TitoError(f"modules/{module.slug}.py does not exist")
    if not to.is_dir():
        raise TitoError(f"{to} is not a folder. Name your class's kit, or the folder that the class shares")
    due = course.due(module) if course.has_release(module) else None
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    if due and now < due and not early:
        raise TitoError(f"{module} is due {format_utc(due)}, in the future. To publish it now, use --early", code=1)
    source.read(path)  # raises if the source is broken
    target, text = to / PUBLISHED / path.name, _SECRET.sub("", path.read_text(encoding="utf-8"))
    if target.is_file() and target.read_text(encoding="utf-8") != text:
        write_atomic(dated(target).with_suffix(".bak"), target.read_bytes())
    write_atomic(target, text)
    return target
