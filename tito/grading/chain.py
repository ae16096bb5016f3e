"""Grade a module once more, on the learner's own earlier modules, to see whether they work together.

The mark comes from grading on the reference's modules, where an earlier mistake costs nothing. This only reports what the
same submission earns on the learner's own modules, and which of them breaks it. The learner's package is put together as
text: no tool that reads directives or runs code sees a submission.
"""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nbformat import NotebookNode

from tito import export, source
from tito.grading import execution_cache, reference
from tito.grading.execute import Task, prefix
from tito.grading.judge import Verdict, judge
from tito.grading.rebuild import Rebuilt, rebuild_file
from tito.grading.workers import Job, Ready, start_workers
from tito.syllabus import MODULES, Module

if TYPE_CHECKING:
    from tito.course import Course

T = TypeVar("T")


@dataclass
class Chained:
    """The points of a submission on the reference's modules (`apart`) and on the learner's own (`chained`)."""

    student: str
    apart: float
    chained: float
    of: float
    broke: list[str] = field(default_factory=list)  # the learner's modules that cost points
    why: str = ""  # the first point that they cost
    lent: dict[str, str] = field(default_factory=dict)  # modules that the reference replaced, and why

    @property
    def integration(self) -> float | None:
        """The share of its points that a submission keeps on the learner's own modules. None if it has no points."""
        return round(self.chained / self.apart, 3) if self.apart else None


Steps = Generator[Task, None, T]  # yields each task that must be executed before it can continue, and returns its result


class _Turns:
    """Iterates over the jobs of all students. When a job is done, `advance` adds the student's next one."""

    def __init__(self, students: Iterator[tuple[str, Steps[Chained]]]):
        self.students, self.steps, self.next = students, dict[str, Steps[Chained]](), deque[Job | Chained]()

    def advance(self, student: str) -> None:
        try:
            self.next.append(Job(student, next(self.steps[student])))
        except StopIteration as end:
            del self.steps[student]
            self.next.append(end.value)

    def __iter__(self) -> Iterator[Job | Chained]:
        return self

    def __next__(self) -> Job | Chained:
        if not self.next:
            student, steps = next(self.students)
            self.steps[student] = steps
            self.advance(student)
        return self.next.popleft()


class Chain:
    """Grades one module of a course on the learners' own earlier modules."""

    def __init__(self, course: Course, module: Module):
        self.course, self.module = course, module
        self.expected = reference.answers(course.repository, course.folder, module, course.limits, course.sandboxed)
        self.pristine = reference.pristine_for_grading(course.folder, module.slug)
        self.prefix = prefix(course.repository / "tinytorch", module)
        self.packages: dict[Module, str] = {}

    def grade(
        self, jobs: int = 1, scheduler: str | None = None, say: Callable[[str], None] = lambda line: None
    ) -> Iterator[Chained]:
        """Yield a result for every submission that is graded and can be run, in the order in which they finish."""
        course, turns = self.course, _Turns(self._students())
        with start_workers(course.repository, jobs, scheduler, course.sandboxed, say) as those:
            for item in those.run(turns):
                if isinstance(item, Ready):
                    turns.advance(item.student)
                else:
                    yield item

    def _students(self) -> Iterator[tuple[str, Steps[Chained]]]:
        for student in self.course.submissions(self.module):
            verdict = self.course.verdict(self.module, student)
            rebuilt = self._rebuilt(self.module, student)
            if verdict is not None and rebuilt.unreadable is None:
                yield student, self._chain_student(student, rebuilt, verdict)

    def _chain_student(self, student: str, rebuilt: Rebuilt, apart: Verdict) -> Steps[Chained]:
        own, lent = self._own_packages(student)
        needed = self._needed_modules(rebuilt.notebook, own)
        own = {module: text for module, text in own.items() if module in needed}
        verdict = yield from self._run(rebuilt, own)
        of = sum(check.of for check in verdict.checks)
        found = Chained(student, apart.points, verdict.points, of, lent={m.slug: why for m, why in lent.items() if m in needed})
        if verdict.points < apart.points:
            culprits = yield from self._find_culprits(student, rebuilt, own, verdict.points, apart.points)
            found.broke = [module.slug for module in culprits]
            found.why = _first_loss(apart, verdict)
        return found

    def _find_culprits(
        self, student: str, rebuilt: Rebuilt, own: dict[Module, str], chained: float, apart: float
    ) -> Steps[list[Module]]:
        """Find the modules that cost points: replace each by the reference's, the likeliest first."""
        winning = []
        for module in sorted(own, key=lambda one: (-self._points_lost(one, student), one)):
            verdict = yield from self._run(rebuilt, {other: text for other, text in own.items() if other != module})
            points = verdict.points
            if points >= apart:
                return [module]
            if points > chained:
                winning.append(module)
        without = {module: text for module, text in own.items() if module not in winning}
        if winning:
            verdict = yield from self._run(rebuilt, without)
            if verdict.points >= apart:
                return sorted(winning)
        return sorted(own)

    def _points_lost(self, module: Module, student: str) -> float:
        """Return the points that a module lost in its own checks. Modules that lost some are tried first."""
        verdict = self.course.verdict(module, student)
        return sum(check.of - check.points for check in verdict.checks) if verdict else 0.0

    def _run(self, rebuilt: Rebuilt, own: dict[Module, str]) -> Steps[Verdict]:
        """Grade the submission with these of the learner's modules. An execution in the cache is not repeated."""
        course = self.course
        package = {**self.prefix, **{f"core/{module.name}.py": text.encode() for module, text in own.items()}}
        cells = tuple((cell.id, cell.source) for cell in source.in_grading_order(rebuilt.notebook))
        task = Task(cells, self.module, package, course.limits, course.sandboxed)
        if not execution_cache.has(course.repository, task.key):
            yield task
        execution = execution_cache.execute_once(course.repository, task)
        return judge(rebuilt.notebook, rebuilt.problems, execution, self.expected)

    # -- the learner's package -----------------------------------------------------------------------------------------

    def _own_packages(self, student: str) -> tuple[dict[Module, str], dict[Module, str]]:
        """Return the package files of the learner's earlier modules, and why others are missing."""
        own, lent = {}, {}
        for module in MODULES[: self.module.number]:
            if not export.package_file(self.course.repository, module).is_file():
                continue
            if not (self.course.folder / "source" / module.slug).is_dir():
                lent[module] = "it was never generated"
                continue
            if not self._notebook(module, student).is_file():
                lent[module] = "it was not handed in"
                continue
            rebuilt = self._rebuilt(module, student)
            if rebuilt.unreadable:
                lent[module] = rebuilt.unreadable
            else:
                own[module] = insert_solutions(self._package(module), self._usable_cells(module, rebuilt))
        return own, lent

    def _notebook(self, module: Module, student: str) -> Path:
        return self.course.folder / "submitted" / student / module.slug / f"{module.slug}.ipynb"

    def _rebuilt(self, module: Module, student: str) -> Rebuilt:
        pristine = reference.pristine_for_grading(self.course.folder, module.slug) if module != self.module else self.pristine
        return rebuild_file(pristine, self._notebook(module, student), self.course.limits["submission_mb"])

    def _usable_cells(self, module: Module, rebuilt: Rebuilt) -> list[NotebookNode]:
        """Return the cells of a submission. A cell that cannot be used is replaced by the unsolved one."""
        unsolved = {cell.id: cell for cell in reference.released(self.course.folder, module.slug).cells}
        return [unsolved[cell.id] if cell.id in rebuilt.problems else cell for cell in rebuilt.notebook.cells]

    def _package(self, module: Module) -> str:
        """Return what the course's own notebook of a module exports."""
        if module not in self.packages:
            solved = reference.solved(self.course.folder, module.slug)
            self.packages[module] = export.render(solved, module, f"modules/{module.slug}.py")
        return self.packages[module]

    def _needed_modules(self, notebook: NotebookNode, own: dict[Module, str]) -> set[Module]:
        """Return the modules that the notebook imports, and all that these import."""
        waiting = _imports("\n".join(cell.source for cell in source.in_grading_order(notebook)))
        needed: set[Module] = set()
        while waiting:
            module = waiting.pop()
            if module < self.module and module not in needed:
                needed.add(module)
                path = export.package_file(self.course.repository, module)
                texts = [own.get(module, ""), path.read_text(encoding="utf-8") if path.is_file() else ""]
                waiting |= _imports("\n".join(texts))
        return needed


def insert_solutions(package: str, cells: list[NotebookNode]) -> str:
    """Put a submission's solution cells into the package file that nbdev made from the reference."""
    texts = {cell.id: cell.source for cell in cells if source.is_solution(cell) and cell.cell_type == "code"}
    parts = re.split(r"(?m)^(# %% .* #(\S+))$", package)
    futures, out = [], [parts[0]]
    for mark, name, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        if name in texts:
            lines = texts[name].split("\n")[len(source.directives(texts[name])) :]
            futures += [line for line in lines if line.startswith("from __future__ ")]
            body = "\n" + "\n".join(line for line in lines if line not in futures) + "\n\n"
        out += [mark, body]
    out[0] += "".join(f"{line}\n\n" for line in futures)  # they must come first in a file, where nbdev puts them too
    return "".join(out).rstrip("\n") + "\n"


def _imports(text: str) -> set[Module]:
    """Return the modules that a text imports. If it cannot be parsed, return every module that it names."""
    named = {module.name: module for module in MODULES}
    try:
        nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
        text = "\n".join(map(ast.unparse, nodes))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    return {named[word] for word in re.findall(r"\w+", text) if word in named}


def _first_loss(apart: Verdict, chained: Verdict) -> str:
    for after in chained.checks:
        if after.points < apart.earned.get(after.id, 0.0):
            return f"{after.id}: {after.reason}" if after.reason else after.id
    return ""
