"""Mutants that no check can notice because they compute the same as the solution, listed by hand with a reason.

tests/modules/equivalent.toml names each by module, cell, and the line before and after. If that line is edited, the entry
becomes stale and a person must look again. Edits elsewhere do not matter.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from tito import syllabus
from tito.audit.mutants import Mutant
from tito.errors import TitoError
from tito.syllabus import Module

FIELDS = {"cell", "was", "now", "why"}


@dataclass(frozen=True)
class Equivalent:
    """One entry: a change of a line that no check can notice, and why."""

    module: Module
    cell: str
    was: str
    now: str
    why: str

    def matches(self, mutant: Mutant) -> bool:
        return (self.cell, self.was, self.now) == (mutant.cell, mutant.was, mutant.now)

    def __str__(self) -> str:
        return f"{self.module}/{self.cell}: {self.was} => {self.now}"


def read_equivalents(root: Path) -> list[Equivalent]:
    """Return all entries of a repository, in their order. Without the file, there are none."""
    path = root / "tests" / "modules" / "equivalent.toml"
    if not path.is_file():
        return []
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TitoError(f"{path.name} cannot be read: {error}", code=1) from None
    found = []
    for name, entries in tables.items():
        for entry in entries if isinstance(entries, list) else [entries]:
            texts = isinstance(entry, dict) and all(isinstance(text, str) and text.strip() for text in entry.values())
            if not texts or set(entry) != FIELDS:
                raise TitoError(
                    f"{path.name}: an entry of {name} needs {', '.join(sorted(FIELDS))}, each a text: {entry}", code=1
                )
            found.append(Equivalent(syllabus.module(name), **entry))
    return found
