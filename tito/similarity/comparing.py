"""Compare every submission of a module with every other, by what they share and few others have."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from nbformat import NotebookNode

from tito import source
from tito.errors import TitoError
from tito.grading import reference
from tito.grading.rebuild import rebuild_file
from tito.similarity.fingerprints import bound_names, fingerprints, normalise, statements
from tito.syllabus import Module

NO_VERDICT = "Similarity is a reason to look, not a verdict. People who learn together, or from the same book, write alike too."
SHARED_BY_MOST = 0.5  # a fingerprint that this share of the class has tells nothing

Mark = tuple[str, int]  # a cell and a fingerprint in it


@dataclass
class Submission:
    """One student's solutions: the text of each cell, and the lines of each fingerprint."""

    student: str
    texts: dict[str, str]
    marks: dict[Mark, set[int]] = field(default_factory=dict)


@dataclass
class Pair:
    """Two submissions, how alike they are (0 to 1), and how much each cell contributes."""

    first: Submission
    second: Submission
    likeness: float
    cells: dict[str, float]
    shared: set[Mark]

    def lines(self, one: Submission, cell: str) -> set[int]:
        """Return the lines of a cell in `one` that the other shares."""
        return {line for mark in self.shared if mark[0] == cell for line in one.marks[mark]}

    def as_dict(self) -> dict[str, Any]:
        cells = {name: round(share, 3) for name, share in self.cells.items()}
        return {"first": self.first.student, "second": self.second.student, "likeness": round(self.likeness, 3), "cells": cells}


@dataclass
class Comparison:
    """The pairs of a module, the most alike first, and the students who could not be compared, with the reason."""

    module: Module
    submissions: int
    pairs: list[Pair]
    left_out: dict[str, str]
    note: str = NO_VERDICT

    def as_dict(self) -> dict[str, Any]:
        return {
            "module": str(self.module), "submissions": self.submissions, "note": self.note,
            "pairs": [pair.as_dict() for pair in self.pairs], "left_out": self.left_out,
        }  # fmt: skip


def compare(
    course: Path,
    module: Module,
    most: int = 20,
    megabytes: int = 20,
    say: Callable[[str, int, int], None] = lambda student, place, total: None,
) -> Comparison:
    """Return the `most` alike pairs of a module's submissions below `course`. Given code does not count."""
    released, solved = reference.released(course, module.slug), reference.solved(course, module.slug)
    files = sorted((course / "submitted").glob(f"*/{module.slug}/{module.slug}.ipynb"))
    if not files:
        raise TitoError(f"nobody has handed in {module}. Run `tito course collect {module.id} FROM`", code=1)
    given = given_statements(_texts(released))
    own = add_fingerprints(Submission("the reference", _texts(solved)), given)
    class_, left_out = [], {}
    for place, path in enumerate(files, 1):
        student = path.parent.parent.name
        say(student, place, len(files))
        rebuilt = rebuild_file(released, path, megabytes)
        if rebuilt.unreadable:
            left_out[student] = rebuilt.unreadable
        else:
            class_.append(add_fingerprints(Submission(student, _texts(rebuilt.notebook)), given))
    return Comparison(module, len(class_), rank_pairs(class_, set(own.marks), most), left_out)


def _texts(notebook: NotebookNode) -> dict[str, str]:
    return {c.id: c.source for c in notebook.cells if c.cell_type == "code" and source.is_solution(c)}


def given_statements(texts: dict[str, str]) -> dict[str, set[str]]:
    """Return the statements in each solution cell before anybody has written in it."""
    found = {name: statements(text) for name, text in texts.items()}
    bound = bound_names(statement for cell in found.values() for statement in cell)
    return {name: {_join_words(normalise(statement, bound)) for statement in cell} for name, cell in found.items()}


def _join_words(words: list[tuple[str, int]]) -> str:
    return " ".join(word for word, _ in words)


def add_fingerprints(submission: Submission, given: dict[str, set[str]]) -> Submission:
    """Add the fingerprints of a submission, except those of given code, and return it."""
    found = {name: statements(source.without_fences(text)) for name, text in submission.texts.items()}
    bound = bound_names(statement for cell in found.values() for statement in cell)
    for name, cell in found.items():
        for statement in cell:
            words = normalise(statement, bound)
            if _join_words(words) in given.get(name, ()):
                continue
            for print_, lines in fingerprints(words).items():
                submission.marks.setdefault((name, print_), set()).update(lines)
    return submission


def rank_pairs(class_: list[Submission], common: set[Mark], most: int) -> list[Pair]:
    """Return the `most` alike of all pairs that share a mark which is not common, the most alike first.

    A mark weighs log((n + 1) / holders), so rare marks count most. Marks that most have, or that the reference has, weigh 0.
    Likeness is the shared weight divided by the smaller total of the two, or by half the median of the class if that is more,
    because two people who both wrote little are no evidence.
    """
    holders: dict[Mark, list[int]] = defaultdict(list)
    for place, one in enumerate(class_):
        for mark in one.marks:
            holders[mark].append(place)
    limit = max(2, SHARED_BY_MOST * len(class_))
    weight = {m: math.log((len(class_) + 1) / len(who)) for m, who in holders.items() if len(who) <= limit and m not in common}
    own = np.array([sum(weight.get(mark, 0.0) for mark in one.marks) for one in class_])
    shared = np.zeros((len(class_), len(class_)), np.float32)
    for mark, value in weight.items():
        who = holders[mark]
        if len(who) > 1:
            shared[np.ix_(who, who)] += value
    least = np.maximum(np.minimum(own[:, None], own), np.median(own) / 2 if len(own) else 0)
    likeness = np.triu(shared, 1) / np.maximum(least, 1e-9)
    order = np.argsort(-likeness, axis=None, kind="stable")[: min(most, np.count_nonzero(likeness))]
    places = (divmod(int(flat), len(class_)) for flat in order)
    return [_pair(class_[i], class_[j], min(1.0, float(likeness[i, j])), weight) for i, j in places]


def _pair(first: Submission, second: Submission, likeness: float, weight: dict[Mark, float]) -> Pair:
    shared = {mark for mark in first.marks.keys() & second.marks.keys() if mark in weight}
    by_cell: Counter[str] = Counter()
    for mark in shared:
        by_cell[mark[0]] += weight[mark]
    total = sum(by_cell.values())
    return Pair(first, second, likeness, {name: part / total for name, part in by_cell.most_common()}, shared)
