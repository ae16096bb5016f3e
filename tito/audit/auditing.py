"""Audit a module: what the unsolved release and the reference earn, and which mutants of the reference lose no point."""

import hashlib
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from tito import source
from tito.audit import NO_EFFECT, stated, trial
from tito.audit.equivalent import Equivalent, read_equivalents
from tito.audit.mutants import Mutant, mutants
from tito.errors import TitoError
from tito.release import release
from tito.syllabus import Module

ALL, VISIBLE = 0.97, 0.92  # the shares of the non-equivalent mutants that all checks, and the visible ones, must kill
PROCESSES = 2  # for the mutants of one module


@dataclass(frozen=True)
class Killed:
    """The first check that a mutant loses, and why."""

    check: str
    why: str
    hidden: bool


@dataclass
class Audit:
    """The audit of a module's checks: points without and with the solutions, and the fate of each mutant."""

    module: Module
    unsolved: float
    reference: float
    of: float
    fate: dict[Mutant, Killed | Equivalent | None]
    stale: list[Equivalent] = field(default_factory=list)
    without_a_case: list[tuple[str, str]] = field(default_factory=list)  # exercises and rules that no wrong answer breaks

    @property
    def equivalent(self) -> list[Mutant]:
        return [mutant for mutant, fate in self.fate.items() if isinstance(fate, Equivalent)]

    @property
    def counted(self) -> int:
        return len(self.fate) - len(self.equivalent)

    @property
    def survivors(self) -> list[Mutant]:
        """Mutants that cost no point."""
        return [mutant for mutant, fate in self.fate.items() if fate is None]

    @property
    def unseen(self) -> dict[Mutant, Killed]:
        """Mutants that only a hidden check notices."""
        return {m: fate for m, fate in self.fate.items() if isinstance(fate, Killed) and fate.hidden}

    @property
    def killed(self) -> int:
        return self.counted - len(self.survivors)

    @property
    def killed_by_visible(self) -> int:
        return self.killed - len(self.unseen)

    @property
    def problems(self) -> list[str]:
        """Everything that is wrong, one line each."""
        found = []
        if self.unsolved != 0:
            found.append(f"{self.module}: the unsolved release earns {self.unsolved:g} points")
        if self.reference != self.of or self.of != source.AUTOMATIC_POINTS:
            found.append(f"{self.module}: the reference earns {self.reference:g} of {self.of:g} points")
        for cell, rule in self.without_a_case:
            found.append(f"{self.module}/{cell}: no wrong answer breaks the rule that the text states: {rule}")
        return found + [f"{entry} is listed as equivalent, but no such mutant survives. Remove it" for entry in self.stale]

    def as_dict(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        numbers = ("unsolved", "reference", "of", "counted", "killed", "killed_by_visible")
        return {
            "module": str(self.module), **{name: getattr(self, name) for name in numbers},
            "mutants": [_as_dict(mutant, fate) for mutant, fate in self.fate.items()], "problems": self.problems,
        }  # fmt: skip


def _as_dict(mutant: Mutant, fate: Killed | Equivalent | None) -> dict[str, Any]:
    what = {"survived": fate is None}
    if isinstance(fate, Killed):
        what |= {"check": fate.check, "hidden": fate.hidden, "why": fate.why}
    elif fate:
        what["equivalent"] = fate.why
    return {"cell": mutant.cell, "line": mutant.line, "kind": mutant.kind, "was": mutant.was, "now": mutant.now, **what}


def audit(
    root: Path, path: Path, module: Module, sample: int | None = None, on_mutant: Callable[[], None] = lambda: None
) -> Audit:
    """Run a module's checks on the unsolved release, the reference and its mutants (`sample` of them, always the same)."""
    notebook = source.read(path)
    made = _sample(module_mutants(notebook), sample)
    shares = [made[i::PROCESSES] for i in range(PROCESSES)]
    with ThreadPoolExecutor(PROCESSES) as pool:
        tried = list(pool.map(partial(_try_mutants, path, notebook, on_mutant), shares))
    losses = {key: loss for one in tried for key, loss in one.losses.items()}
    hidden = {cell.id for cell in notebook.cells if source.is_hidden(cell)}
    entries = [entry for entry in read_equivalents(root) if entry.module == module]
    fate, used = {}, set()
    for mutant in made:
        loss = losses[mutant.key]
        if loss == NO_EFFECT:
            continue
        equal = next((entry for entry in entries if entry.matches(mutant)), None) if loss is None else None
        used.add(equal)
        fate[mutant] = Killed(*loss, hidden=loss[0] in hidden) if loss else equal
    stale = [entry for entry in entries if entry not in used] if sample is None else []
    reference = trial.verdict(notebook, tried[0], tried[0])
    unsolved = trial.verdict(notebook, trial.run(path, _unsolved_notebook(root, path, notebook)), tried[0])
    rules = stated.rules_without_case(notebook, stated.solutions(root, "wrong", module.slug))
    return Audit(module, unsolved.points, reference.points, sum(c.of for c in reference.checks), fate, stale, rules)


def module_mutants(notebook: NotebookNode) -> list[Mutant]:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and source.is_solution(cell)]
    return [mutant for cell in cells for mutant in mutants(cell.id, cell.source)]


def _sample(made: list[Mutant], sample: int | None) -> list[Mutant]:
    """Return all mutants, or `sample` of them, the same in every run."""
    if sample is None:
        return made
    chosen = sorted(made, key=lambda mutant: hashlib.sha256(mutant.key.encode()).digest())[:sample]
    return [mutant for mutant in made if mutant in chosen]


def _try_mutants(path: Path, notebook: NotebookNode, on_mutant: Callable[[], None], share: list[Mutant]) -> trial.Trial:
    return trial.run(path, notebook, [(m.key, m.cell, m.text) for m in share], lambda key: on_mutant())


def _unsolved_notebook(root: Path, path: Path, notebook: NotebookNode) -> NotebookNode:
    """Return the released notebook with the hidden checks put back, as in grading."""
    texts = {cell.id: cell.source for cell in nbformat.reads(release(root, path), as_version=4).cells}
    cells = [NotebookNode(cell) for cell in notebook.cells]
    for cell in cells:
        if not source.is_hidden(cell):
            cell.source = texts[cell.id]
    return NotebookNode({**notebook, "cells": cells})


def audit_modules(
    root: Path,
    modules: list[Module],
    sample: int | None = None,
    say: Callable[[str, int, int], None] = lambda name, place, total: None,
) -> list[Audit]:
    """Audit these modules, or all if there are none. `say` is called after every mutant."""
    paths = source.paths(root)
    for module in modules:
        if module not in paths:
            raise TitoError(f"modules/{module.slug}.py does not exist")
    chosen = modules or list(paths)
    totals = {m: len(_sample(module_mutants(source.read(paths[m])), sample)) for m in chosen}
    done = itertools.count(1)
    return [audit(root, paths[m], m, sample, lambda m=m: say(str(m), next(done), sum(totals.values()))) for m in chosen]


def find_shortfalls(found: list[Audit]) -> list[str]:
    """Return everything that is wrong, over all audited modules."""
    problems = [problem for one in found for problem in one.problems]
    total = sum(one.counted for one in found)
    for what, killed, share in [
        ("all checks", sum(one.killed for one in found), ALL),
        ("the visible checks", sum(one.killed_by_visible for one in found), VISIBLE),
    ]:
        if killed < share * total:
            problems.append(f"{what} kill {killed} of {total} mutants, {killed / total:.1%}. At least {share:.0%} are required")
    return problems
