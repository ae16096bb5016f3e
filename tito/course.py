"""The instructor's steps, through nbgrader: generate, release, collect, autograde, feedback, export."""

import datetime
import json
import os
import re
import sysconfig
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Assignment, Grade, Gradebook, GradeCell, SubmittedAssignment, SubmittedNotebook
from nbgrader.utils import capture_log, temp_attrs
from sqlalchemy import select
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from tito import marks, source, syllabus
from tito.collect import Collected, back_up, collect
from tito.errors import TitoError, hold_lock, make_private, write_atomic, write_private
from tito.gradebook import catch_database_errors, check_database
from tito.grading import execution_cache, late, reference, regrade
from tito.grading.execute import Task
from tito.grading.judge import Verdict, zero_verdict
from tito.grading.limits import Limits
from tito.grading.rebuild import rebuild_file
from tito.grading.steps import Grading
from tito.grading.workers import Job, Ready, Workers, start_workers
from tito.syllabus import Module

TIME = "timestamp.txt"
HIDDEN = "pass  # what it tries is hidden"  # the learner's copy of a hidden check; without it the cell would print its docstring


@dataclass
class Mark:
    """A submission's score in the gradebook, and whether a person still has to read a part of it."""

    score: float
    of: float
    to_read: bool


@dataclass
class Outcome:
    """The result of grading one submission."""

    student: str
    verdict: Verdict
    changed: bool  # by this grading
    graded: bool = True  # False if the tool itself failed


class Course:
    """A course: its repository, and nbgrader's folders."""

    def __init__(self, repository: Path, settings: dict[str, dict[str, Any]] | None = None):
        """`settings` override nbgrader_config.py, as {"CourseDirectory": {"root": ...}}."""
        self.repository, self.settings = repository, settings or {}
        loader = PyFileConfigLoader("nbgrader_config.py", path=str(repository))
        self.config = loader.load_config()
        self.config.merge(Config(self.settings))
        late.check_policy(self.config)
        from nbgrader.apps import NbGraderAPI

        _add_alembic_to_path()
        self.api = NbGraderAPI(config=self.config)
        self.folder = Path(self.api.coursedir.root)
        check_database(self.api.coursedir.db_url)
        if self.folder.is_dir():
            make_private(self.folder)

    # -- generate --------------------------------------------------------------------------------------------------

    def generate(self, module: Module) -> None:
        """Write the instructor's notebook from the source, make the release from it, and add both to the gradebook."""
        text, notebook = self.instructors_notebook(module)
        target = make_private(self.folder) / "source" / module.slug / f"{module.slug}.ipynb"
        if target.is_file() and target.read_text(encoding="utf-8") != text:
            with self.gradebook() as gradebook:
                regrade.check_marks_unchanged(gradebook, module, notebook)
            back_up(target, self.folder)
        write_atomic(target, text)
        with _silence_warnings():
            self._require_success(self.api.generate_assignment(module.slug, force=True, create=True), f"generate {module.slug}")

    def instructors_notebook(self, module: Module) -> tuple[str, NotebookNode]:
        """Make the instructor's notebook from the source: its text, and the notebook."""
        path = source.paths(self.repository).get(module)
        if path is None:
            raise TitoError(f"modules/{module.slug}.py does not exist")
        notebook = as_notebook(source.read(path))
        return nbformat.writes(notebook) + "\n", notebook

    def make_shadow(self, folder: Path) -> "Course":
        """Return the same course with other folders and an empty gradebook of its own."""
        place = {"root": str(folder), "db_url": f"sqlite:///{folder / 'gradebook.db'}"}
        return Course(self.repository, {**self.settings, "CourseDirectory": place})

    @contextmanager
    def gradebook(self) -> Iterator[Gradebook]:
        with _silence_warnings(), catch_database_errors(self.api.coursedir.db_url), self.api.gradebook as gradebook:
            yield gradebook

    def _require_success(self, result: dict[str, Any], what: str) -> None:
        if not result["success"]:
            raise TitoError(f"nbgrader could not {what}: {_find_cause(result)}", code=1)

    # -- hand out and take in ----------------------------------------------------------------------------------------

    def release(self, module: Module, to: Path) -> Path:
        """Copy the released notebook of a module to a folder that learners can read."""
        self._require_release(module)
        notebook = self.folder / "release" / module.slug / f"{module.slug}.ipynb"
        target = to / module.slug / notebook.name
        write_atomic(target, notebook.read_bytes())
        return target

    def release_to_exchange(self, module: Module) -> None:
        self._require_release(module)
        with _silence_warnings():
            self._require_success(self.api.release_assignment(module.slug), f"release {module.slug}")

    def collect(self, module: Module, place: Path, pattern: str | None = None) -> list[Collected]:
        return collect(make_private(self.folder), module, place, pattern, Limits(config=self.config).submission_mb)

    def collect_from_exchange(self, module: Module) -> None:
        with _silence_warnings():
            self._require_success(self.api.collect(module.slug, update=True), f"collect {module.slug}")

    # -- grade -------------------------------------------------------------------------------------------------------

    def submissions(self, module: Module) -> list[str]:
        """Return the students who have handed the module in."""
        found = (self.folder / "submitted").glob(f"*/{module.slug}")
        return sorted(path.parent.name for path in found)

    def autograde(
        self,
        module: Module,
        jobs: int = 1,
        scheduler: str | None = None,
        again: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ) -> Iterator[Outcome]:
        """Grade every submission of a module. If one fails, the others are graded all the same.

        `jobs` are executed at a time, or on the cluster of a dask `scheduler`. Results come in the order in which they
        finish. `again` also repeats those that a busy machine may have spoilt.
        """
        self._require_release(module)
        with hold_lock(self.folder / ".autograding", f"`tito course autograde` is running on {self.folder}"):
            execution_cache.remove_old(self.repository)
            with start_workers(self.repository, jobs, scheduler, self.sandboxed, say) as those:
                self._execute_reference(module, those)
                reference.answers(self.repository, self.folder, module, self.limits, self.sandboxed)
                recorded = self._recorded_points(module)
                students = self.submissions(module)
                steps = (self._plan_student(module, student, recorded.get(student), again) for student in students)
                for step in those.run(steps):
                    yield step if isinstance(step, Outcome) else self._grade(module, step)

    def _execute_reference(self, module: Module, those: Workers) -> None:
        """Execute the reference on the workers, because this machine may have no sandbox."""
        solved = self._task(module, reference.solved(self.folder, module.slug))
        for ready in those.run([] if execution_cache.has(self.repository, solved.key) else [Job("the reference", solved)]):
            if ready.problem:
                raise TitoError(f"the reference solution of {module} cannot be executed: {ready.problem}", code=1)

    def _task(self, module: Module, notebook: NotebookNode) -> Task:
        return reference.task(self.repository, notebook, module, self.limits, self.sandboxed)

    @property
    def sandboxed(self) -> bool:
        return self.config.Grade.get("sandbox", True) is not False

    @property
    def limits(self) -> dict[str, int]:
        return Limits(config=self.config).as_dict()

    def _plan_student(
        self, module: Module, student: str, recorded: dict[str, float] | None, again: bool
    ) -> Outcome | Job | Ready:
        """Decide what to do for a student: nothing (an Outcome), execute and judge (a Job), or only judge (Ready)."""
        submitted = self.folder / "submitted" / student / module.slug
        notebook = submitted / f"{module.slug}.ipynb"
        if not os.path.lexists(notebook):
            write_atomic(notebook, b"")  # otherwise nbgrader skips the folder; now feedback says that the file is empty
        pristine = reference.pristine_for_grading(self.folder, module.slug)
        rebuilt = rebuild_file(pristine, notebook, self.limits["submission_mb"])
        facts, task = self._read_facts(module, student), self._task(module, rebuilt.notebook)
        if facts and not (again and facts.get("unsure")):
            key = reference.grading_key(self.repository, self.folder, module, rebuilt, task)
            before = Verdict.from_dict(facts["verdict"])
            if facts["key"] == key and recorded == before.earned and self._time_is_unchanged(module, student):
                return Outcome(student, before, changed=False)
        nothing_to_run = rebuilt.unreadable or execution_cache.has(self.repository, task.key)
        return Ready(student) if nothing_to_run else Job(student, task)

    def _time_is_unchanged(self, module: Module, student: str) -> bool:
        """Is the graded submission from the same time as the last one? The same text at another time may be late."""
        folders = [self.folder / step / student / module.slug for step in ("submitted", "autograded")]
        times = [(folder / TIME).read_bytes() if (folder / TIME).is_file() else b"" for folder in folders]
        return times[0] == times[1]

    def _grade(self, module: Module, ready: Ready) -> Outcome:
        """Judge an execution and write the result into the gradebook, through nbgrader, one submission at a time."""
        problem = ready.problem
        if problem is None:
            with _silence_warnings(), temp_attrs(self.api.coursedir, assignment_id=module.slug, student_id=ready.student):
                app = Grading(coursedir=self.api.coursedir, parent=self.api)
                app.force = True
                result = capture_log(app)
            if result.get("error", "").rstrip().endswith("KeyboardInterrupt"):
                raise KeyboardInterrupt
            problem = None if result["success"] else f"nbgrader fails on it: {_find_cause(result)}"
        verdict = self.verdict(module, ready.student) if problem is None else None
        if verdict is None:
            pristine = reference.pristine_for_grading(self.folder, module.slug)
            return Outcome(ready.student, zero_verdict(pristine, f"not graded: {problem}"), changed=True, graded=False)
        return Outcome(ready.student, verdict, changed=True)

    def _recorded_points(self, module: Module) -> dict[str, dict[str, float]]:
        """Return the automatic points of every check in the gradebook, by student."""
        found: dict[str, dict[str, float]] = {}
        query = (
            select(SubmittedAssignment.student_id, GradeCell.name, Grade.auto_score)
            .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
            .join(GradeCell, Grade.cell_id == GradeCell.id)
            .where(Assignment.name == module.slug, GradeCell.cell_type == "code")
        )
        with self.gradebook() as gradebook:
            for student, name, points in gradebook.db.execute(query):
                found.setdefault(student, {})[name] = points
        return found

    def verdict(self, module: Module, student: str) -> Verdict | None:
        """Read the verdict on a submission from its autograded notebook. None before it is graded."""
        facts = self._read_facts(module, student)
        return Verdict.from_dict(facts["verdict"]) if facts else None

    def _read_facts(self, module: Module, student: str) -> dict[str, Any] | None:
        """Read what grading wrote into the notebook: the verdict and its inputs. None if it is missing or half-written."""
        path = self.folder / "autograded" / student / module.slug / f"{module.slug}.ipynb"
        try:
            facts = json.loads(path.read_bytes())["metadata"].get("tito", {})
        except (FileNotFoundError, ValueError):
            return None
        return facts if "verdict" in facts else None

    # -- give back ---------------------------------------------------------------------------------------------------

    def feedback(self, module: Module) -> dict[str, Path]:
        """Write a feedback page for every graded submission."""
        self._require_release(module)
        graded = sorted(path.parent.name for path in (self.folder / "autograded").glob(f"*/{module.slug}"))
        if not graded:
            raise TitoError(f"no submission of {module} is graded yet. Run `tito course autograde {module.id}`", code=1)
        self.update_penalties(module)
        with _silence_warnings():
            results = {student: self.api.generate_feedback(module.slug, student, force=True) for student in graded}
        for student, result in results.items():  # after all pages: one that fails must not stop the others
            self._require_success(result, f"write feedback for {student}'s {module.slug}")
        return {s: self.folder / "feedback" / s / module.slug / f"{module.slug}.html" for s in graded}

    def return_feedback(self, module: Module, to: Path) -> list[Path]:
        """Copy the feedback pages to a folder that learners can read, with one folder per student."""
        pages = sorted((self.folder / "feedback").glob(f"*/{module.slug}/{module.slug}.html"))
        for page in pages:
            write_atomic(to / page.relative_to(self.folder / "feedback"), page.read_bytes())
        return pages

    def return_feedback_to_exchange(self, module: Module) -> None:
        with _silence_warnings():
            self._require_success(self.api.release_feedback(module.slug), f"release the feedback of {module.slug}")

    def update_penalties(self, module: Module) -> None:
        """Compute the late penalties of a module again."""
        with self.gradebook() as gradebook:
            late.update_penalties(gradebook, self.config, module.slug)

    def due(self, module: Module, when: str | None = None) -> datetime.datetime | None:
        """Return when a module is due, in UTC, as nbgrader keeps it. `when` sets it; "none" removes it."""
        self._require_release(module)
        with self.gradebook() as gradebook:
            if when is not None:
                gradebook.update_or_create_assignment(module.slug, duedate=late.parse_time(when))
                late.update_penalties(gradebook, self.config, module.slug)
            return gradebook.find_assignment(module.slug).duedate

    def records(self, modules: Iterable[Module] = ()) -> list[marks.Record]:
        """Read all marks from the gradebook, cell by cell, with late penalties up to date."""
        with self.gradebook() as gradebook:
            names = [module.slug for module in modules] or [one.name for one in gradebook.assignments]
            for name in names:
                late.update_penalties(gradebook, self.config, name)
            return marks.records(gradebook, self.config, names)

    def export(self, path: Path, kind: str | None = None, modules: Iterable[Module] = ()) -> list[Path]:
        """Write the gradebook's marks, and keep an older file beside the new one. Gradescope gets one file per submission."""
        kind, found = marks.format_of(path, kind), self.records(modules)
        texts = {path: marks.FORMATS[kind](found)} if kind in marks.FORMATS else self._gradescope_files(path, found)
        for target, text in texts.items():
            write_private(target, text)
        return list(texts)

    def _gradescope_files(self, folder: Path, found: list[marks.Record]) -> dict[Path, str]:
        texts = {}
        for record in found:
            if record.handed_in:
                name = folder / record.assignment / marks.as_file_name(record.student) / "results.json"
                verdict = self.verdict(syllabus.module(record.assignment), record.student)
                texts[name] = json.dumps(marks.as_gradescope(record, verdict), indent=1) + "\n"
        return texts

    def marks(self, module: Module) -> dict[str, Mark]:
        """Return the marks of a module, with the points that a person gave."""
        with self.gradebook() as gradebook:
            return {
                one.student_id: Mark(one.score, one.max_score, one.needs_manual_grade)
                for one in gradebook.assignment_submissions(module.slug)
            }

    def regrade_note(self, module: Module) -> Path:
        """Return the path of the note that exists while a regrade changes the gradebook and the files."""
        return self.folder / f".regrade-{module.slug}.json"

    def has_release(self, module: Module) -> bool:
        return (self.folder / "release" / module.slug).is_dir()

    def _require_release(self, module: Module) -> None:
        if self.regrade_note(module).is_file():
            raise TitoError(f"regrading {module} was interrupted. `tito course regrade {module.id} --apply` completes it", code=1)
        if not self.has_release(module):
            raise TitoError(f"{module} was never generated. Run `tito course generate {module.id}`")


def _find_cause(result: dict[str, Any]) -> str:
    """Return the first error message in nbgrader's log and traceback."""
    said = result.get("log", "") + result.get("error", "")
    causes = re.findall(r"^\s*(?:[\w.]+\.)?(\w+(?:Error|Missing\w+|Exception): .+)$", said, re.MULTILINE)
    return causes[0] if causes else said[-500:]


@contextmanager
def _silence_warnings() -> Iterator[None]:
    """Ignore the warnings of SQLAlchemy 2 and traitlets 5 about how nbgrader 0.9 uses them."""
    from sqlalchemy.exc import SAWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _add_alembic_to_path() -> None:
    """Add the folder of `alembic` to the PATH. nbgrader runs it by name, and it is installed beside this Python."""
    scripts, path = sysconfig.get_path("scripts"), os.environ.get("PATH", "")
    if scripts not in path.split(os.pathsep):
        os.environ["PATH"] = scripts + os.pathsep + path


def as_notebook(parsed: NotebookNode) -> NotebookNode:
    """Turn a source into the instructor's notebook, without the metadata that only the percent format needs."""
    notebook = NotebookNode({**parsed, "nbformat": 4, "nbformat_minor": 5})
    notebook.metadata = NotebookNode({k: v for k, v in parsed.metadata.items() if k in ("kernelspec", "tinytorch")})
    title, *others = (NotebookNode(cell) for cell in parsed.cells)
    title.source += f"\n\n{source.describe_goals(parsed)}"
    for cell in filter(source.is_hidden, others):
        cell.source += f"\n{HIDDEN}"
    notebook.cells = [title, *others]
    return notebook
