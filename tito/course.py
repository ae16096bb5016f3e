"""The instructor's steps, through nbgrader: generate, release, collect, autograde, feedback, export."""

import datetime
import os
import re
import sysconfig
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from tito import source
from tito.collect import Collected, collect, keep
from tito.errors import TitoError, keep_private, write_atomic
from tito.grading import reference, sandbox
from tito.grading.judge import Verdict, nothing
from tito.grading.limits import Limits
from tito.grading.rebuild import rebuild_file
from tito.syllabus import Module

TIME = "timestamp.txt"


@dataclass
class Mark:
    """A submission's score in the gradebook, and whether a person still has to read something of it."""

    score: float
    of: float
    to_read: bool


@dataclass
class Outcome:
    """One submission after grading."""

    student: str
    verdict: Verdict
    changed: bool


class Course:
    """A course: the repository it is written in, and nbgrader's folders."""

    def __init__(self, repository: Path, settings: dict[str, dict[str, Any]] | None = None):
        """`settings` overrides nbgrader_config.py, as {"CourseDirectory": {"root": ...}}."""
        self.repository = repository
        loader = PyFileConfigLoader("nbgrader_config.py", path=str(repository))
        self.config = loader.load_config()
        self.config.merge(Config(settings or {}))
        from nbgrader.apps import NbGraderAPI

        _find_alembic()
        self.api = NbGraderAPI(config=self.config)
        self.folder = Path(self.api.coursedir.root)
        if self.folder.is_dir():
            keep_private(self.folder)

    # -- generate --------------------------------------------------------------------------------------------------

    def generate(self, module: Module) -> None:
        """Write the instructor's notebook from the source, and from it the release; both go into the gradebook."""
        path = source.paths(self.repository).get(module)
        if path is None:
            raise TitoError(f"modules/{module.slug}.py does not exist")
        notebook = as_notebook(source.read(path))
        target = keep_private(self.folder) / "source" / module.slug / f"{module.slug}.ipynb"
        text = nbformat.writes(notebook) + "\n"
        if target.is_file() and target.read_text(encoding="utf-8") != text:
            keep(target, self.folder)
        write_atomic(target, text)
        with _quietly():
            self._must(self.api.generate_assignment(module.slug, force=True, create=True), f"generate {module.slug}")

    def _must(self, result: dict[str, Any], what: str) -> None:
        if not result["success"]:
            raise TitoError(f"nbgrader could not {what}: {_cause(result)}", code=1)

    # -- hand out and take in ----------------------------------------------------------------------------------------

    def release(self, module: Module, to: Path) -> Path:
        """Copy the released notebook of a module to a folder that learners can read."""
        self._needs_release(module)
        notebook = self.folder / "release" / module.slug / f"{module.slug}.ipynb"
        target = to / module.slug / notebook.name
        write_atomic(target, notebook.read_bytes())
        return target

    def release_to_exchange(self, module: Module) -> None:
        self._needs_release(module)
        with _quietly():
            self._must(self.api.release_assignment(module.slug), f"release {module.slug}")

    def collect(self, module: Module, place: Path, pattern: str | None = None) -> list[Collected]:
        return collect(keep_private(self.folder), module, place, pattern, Limits(config=self.config).submission_mb)

    def collect_from_exchange(self, module: Module) -> None:
        with _quietly():
            self._must(self.api.collect(module.slug, update=True), f"collect {module.slug}")

    # -- grade -------------------------------------------------------------------------------------------------------

    def submissions(self, module: Module) -> list[str]:
        """Who has handed the module in."""
        found = (self.folder / "submitted").glob(f"*/{module.slug}")
        return sorted(path.parent.name for path in found)

    def autograde(self, module: Module) -> Iterator[Outcome]:
        """Grade every submission of a module, one after the other; one that breaks a step costs nobody else anything."""
        self._needs_release(module)
        if self.sandboxed:
            sandbox.require()
        reference.answers(self.repository, self.folder, module, self.limits, self.sandboxed)
        recorded = self._recorded(module)
        for student in self.submissions(module):
            yield self._autograde(module, student, recorded.get(student))

    @property
    def sandboxed(self) -> bool:
        return self.config.Grade.get("sandbox", True) is not False

    @property
    def limits(self) -> dict[str, int]:
        return Limits(config=self.config).as_dict()

    def _autograde(self, module: Module, student: str, recorded: dict[str, float] | None) -> Outcome:
        before = self.verdict(module, student)
        if before and recorded == before.earned and self._graded_already(module, student):
            return Outcome(student, before, changed=False)
        notebook = self.folder / "submitted" / student / module.slug / f"{module.slug}.ipynb"
        if not os.path.lexists(notebook):
            write_atomic(notebook, b"")  # nbgrader would pass over the folder; this one is told that its file is empty
        with _quietly():
            result = self.api.autograde(module.slug, student, force=True)
        verdict = self.verdict(module, student)
        if verdict is None:
            pristine = reference.pristine_for_grading(self.folder, module.slug)
            verdict = nothing(pristine, f"not graded: nbgrader fails on it: {_cause(result)}")
        return Outcome(student, verdict, changed=True)

    def _recorded(self, module: Module) -> dict[str, dict[str, float]]:
        """The automatic points of every check, by student, as the gradebook has them."""
        with _quietly(), self.api.gradebook as gradebook:
            return {
                one.student_id: {
                    grade.name: grade.auto_score
                    for notebook in one.notebooks
                    for grade in notebook.grades
                    if grade.cell.cell_type == "code"
                }
                for one in gradebook.assignment_submissions(module.slug)
            }

    def _graded_already(self, module: Module, student: str) -> bool:
        """Was exactly this text, handed in at this time, graded against exactly this?"""
        submitted = self.folder / "submitted" / student / module.slug
        graded = self.folder / "autograded" / student / module.slug
        times = [path.read_bytes() if path.is_file() else b"" for path in (submitted / TIME, graded / TIME)]
        facts = nbformat.read(graded / f"{module.slug}.ipynb", as_version=4).metadata["tito"]
        pristine = reference.pristine_for_grading(self.folder, module.slug)
        rebuilt = rebuild_file(pristine, submitted / f"{module.slug}.ipynb", self.limits["submission_mb"])
        key = reference.grading_key(self.repository, module, rebuilt, self.limits, self.sandboxed)
        return times[0] == times[1] and facts["key"] == key

    def verdict(self, module: Module, student: str) -> Verdict | None:
        """What grading said of a submission, read from its autograded notebook; None before it was graded."""
        path = self.folder / "autograded" / student / module.slug / f"{module.slug}.ipynb"
        if not path.is_file():
            return None
        facts = nbformat.read(path, as_version=4).metadata.get("tito", {})
        return Verdict.from_dict(facts["verdict"]) if "verdict" in facts else None

    # -- give back ---------------------------------------------------------------------------------------------------

    def feedback(self, module: Module) -> dict[str, Path]:
        """Write a feedback page for every graded submission."""
        graded = sorted(path.parent.name for path in (self.folder / "autograded").glob(f"*/{module.slug}"))
        if not graded:
            raise TitoError(f"nothing of {module} is graded yet: run `tito course autograde {module.id}`", code=1)
        with _quietly():
            results = {student: self.api.generate_feedback(module.slug, student, force=True) for student in graded}
        for student, result in results.items():  # one page that cannot be made costs nobody else's
            self._must(result, f"write feedback for {student}'s {module.slug}")
        return {s: self.folder / "feedback" / s / module.slug / f"{module.slug}.html" for s in graded}

    def return_feedback(self, module: Module, to: Path) -> list[Path]:
        """Copy the feedback pages to a folder that learners can read, one folder for each."""
        pages = sorted((self.folder / "feedback").glob(f"*/{module.slug}/{module.slug}.html"))
        for page in pages:
            write_atomic(to / page.relative_to(self.folder / "feedback"), page.read_bytes())
        return pages

    def return_feedback_to_exchange(self, module: Module) -> None:
        with _quietly():
            self._must(self.api.release_feedback(module.slug), f"release the feedback of {module.slug}")

    def export(self, path: Path) -> None:
        """Write the gradebook as CSV, with nbgrader's own exporter and columns."""
        from nbgrader.plugins import CsvExportPlugin

        if path.exists():
            write_atomic(path.with_name(f"{path.name}.{datetime.datetime.now():%Y-%m-%dT%H%M%S}.bak"), path.read_bytes())
        with tempfile.TemporaryDirectory() as folder, _quietly(), self.api.gradebook as gradebook:
            exporter = CsvExportPlugin(config=self.config)
            exporter.to = str(Path(folder, "marks.csv"))
            exporter.export(gradebook)
            write_atomic(path, Path(exporter.to).read_bytes())

    def marks(self, module: Module) -> dict[str, Mark]:
        """What the gradebook holds for a module: with the points that a person gave."""
        with _quietly(), self.api.gradebook as gradebook:
            return {
                one.student_id: Mark(one.score, one.max_score, one.needs_manual_grade)
                for one in gradebook.assignment_submissions(module.slug)
            }

    def _needs_release(self, module: Module) -> None:
        if not (self.folder / "release" / module.slug).is_dir():
            raise TitoError(f"{module} was never generated: run `tito course generate {module.id}`")


def _cause(result: dict[str, Any]) -> str:
    """What nbgrader's log and traceback come down to."""
    said = result.get("log", "") + result.get("error", "")
    causes = re.findall(r"^\s*(?:[\w.]+\.)?(\w+(?:Error|Missing\w+|Exception): .+)$", said, re.MULTILINE)
    return causes[0] if causes else said[-500:]


@contextmanager
def _quietly() -> Iterator[None]:
    """nbgrader 0.9 makes SQLAlchemy 2 and traitlets 5 warn about how it uses them."""
    from sqlalchemy.exc import SAWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _find_alembic() -> None:
    """nbgrader runs `alembic` by name: it lies beside this Python, which need not be on the PATH."""
    scripts, path = sysconfig.get_path("scripts"), os.environ.get("PATH", "")
    if scripts not in path.split(os.pathsep):
        os.environ["PATH"] = scripts + os.pathsep + path


def as_notebook(parsed: NotebookNode) -> NotebookNode:
    """A source as the instructor's notebook file: without what only its percent form needs."""
    notebook = NotebookNode({**parsed, "nbformat": 4, "nbformat_minor": 5})
    notebook.metadata = NotebookNode({k: v for k, v in parsed.metadata.items() if k in ("kernelspec", "tinytorch")})
    return notebook
