"""Our steps for nbgrader. nbgrader_config.py names them, so plain `nbgrader` and formgrader use them too.

Submission reads and rebuilds a notebook, DropOtherFiles removes other files, Grade executes and judges, SaveGrades writes
the points. They replace nbgrader's own steps for sanitizing, executing and saving.
"""

import html
import stat
from pathlib import Path
from typing import Any

import bleach
from nbconvert.exporters import NotebookExporter
from nbconvert.filters import markdown2html_mistune
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader import api
from nbgrader.converters import Autograde
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution, is_task
from traitlets import Bool, Unicode

from tito import source, syllabus
from tito.collect import backup_path, read_timestamp
from tito.errors import write_atomic
from tito.grading import execution_cache, reference
from tito.grading.execute import Execution
from tito.grading.judge import Verdict, judge, zero_verdict
from tito.grading.limits import Limits
from tito.grading.rebuild import Rebuilt, rebuild_file


class Submission(NotebookExporter):
    """Reads a submission without trusting it. The result is the pristine release with the submitted solutions."""

    def from_filename(self, filename, resources=None, **kwargs):
        path, coursedir = Path(filename).absolute(), self.parent.coursedir
        if not path.is_relative_to(Path(coursedir.root, coursedir.submitted_directory).absolute()):
            return super().from_filename(filename, resources, **kwargs)
        pristine = reference.pristine_for_grading(Path(coursedir.root), resources["nbgrader"]["assignment"])
        rebuilt = rebuild_file(pristine, path, Limits(parent=self).submission_mb)
        rebuilt.notebook.metadata["tito"] = {"problems": rebuilt.problems, "unreadable": rebuilt.unreadable}
        return self.from_notebook_node(rebuilt.notebook, resources=resources, **kwargs)


def quarantine(notebooks: list[str], **_) -> None:
    """Move what would stop nbgrader into `backup`: timestamps that are not a time, links and devices."""
    for folder in {Path(notebook).parent for notebook in notebooks}:
        course = folder.parents[2]
        for path in sorted(folder.rglob("*")):
            mode = path.lstat().st_mode
            nonsense = path == folder / "timestamp.txt" and stat.S_ISREG(mode) and read_timestamp(path) is None
            if nonsense or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or str(path) in notebooks):
                target = backup_path(path, course)
                target.parent.mkdir(parents=True)
                path.rename(target)


KEPT = ("timestamp.txt", "submission_secret.txt")  # when it was handed in; the exchange needs the secret to return feedback


class DropOtherFiles(NbGraderPreprocessor):
    """Removes the files that nbgrader copied beside the notebook. None of them is used."""

    def preprocess(self, nb: NotebookNode, resources):
        coursedir = self.parent.parent.coursedir
        assignment, student = resources["nbgrader"]["assignment"], resources["nbgrader"]["student"]
        _drop_other_files(Path(coursedir.format_path(coursedir.autograded_directory, student, assignment)))
        return nb, resources


def _drop_other_files(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True) if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        elif path.relative_to(folder).as_posix() not in KEPT:
            path.unlink()


class Grade(NbGraderPreprocessor):
    """Executes a rebuilt notebook in the sandbox, judges it, and writes the verdict into the notebook's metadata."""

    repository = Unicode(help="The folder of the course. Its `tinytorch` is the reference.").tag(config=True)
    sandbox = Bool(True, help="False runs submitted code without protection.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources):
        root, course = Path(self.repository), Path(self.parent.parent.coursedir.root)
        limits, module = Limits(parent=self).as_dict(), syllabus.module(resources["nbgrader"]["assignment"])
        facts = nb.metadata["tito"]
        rebuilt = Rebuilt(nb, dict(facts["problems"]), facts["unreadable"])
        task = reference.task(root, nb, module, limits, self.sandbox)
        key = reference.grading_key(root, course, module, rebuilt, task)
        if rebuilt.unreadable:
            verdict, unsure = zero_verdict(nb, rebuilt.unreadable), False
        else:
            expected = reference.answers(root, course, module, limits, self.sandbox)
            execution = execution_cache.execute_once(root, task)
            verdict, unsure = judge(nb, rebuilt.problems, execution, expected), execution.unsure
            show_outputs(nb, execution, verdict)
        nb.metadata["tito"] = {"key": key, "sandboxed": self.sandbox, "unsure": unsure, "verdict": verdict.as_dict()}
        return nb, resources


def show_outputs(nb: NotebookNode, execution: Execution, verdict: Verdict) -> None:
    """Put its output into each cell, and an error with the reason into each check that lost points."""
    reasons = {check.id: check for check in verdict.checks}
    for cell in nb.cells:
        if cell.cell_type != "code":
            continue
        ran, check = execution.cells.get(cell.id), reasons.get(cell.id)
        shown = list(ran.outputs) if ran and not source.is_hidden(cell) else []
        if check and check.points < check.of and not any(output.output_type == "error" for output in shown):
            line = f"{check.points:g} of {check.of:g} points: {check.reason}"
            shown.append(new_output("error", ename="LostPoints", evalue=check.reason, traceback=[line]))
        cell.outputs, cell.execution_count = shown, None


class Grading(Autograde):
    """nbgrader's converter, but it writes files atomically: a kill leaves no half-written file."""

    def write_single_notebook(self, output: str, resources) -> None:
        names = resources["nbgrader"]
        folder = Path(self._format_dest(names["assignment"], names["student"]))
        self.writer.build_directory = str(folder)
        write_atomic(folder / (resources["unique_key"] + resources["output_extension"]), output)


class SaveGrades(NbGraderPreprocessor):
    """Saves the judge's points in one transaction. Printed output and warnings do not change a score."""

    def preprocess(self, nb: NotebookNode, resources):
        verdict, names = Verdict.from_dict(nb.metadata["tito"]["verdict"]), resources["nbgrader"]
        with api.Gradebook(names["db_url"]) as gradebook:
            notebook = gradebook.find_submission_notebook(names["notebook"], names["assignment"], names["student"])
            grades, comments = _entries(gradebook, notebook, api.Grade), _entries(gradebook, notebook, api.Comment)
            try:
                for cell in nb.cells:
                    if is_grade(cell):
                        _save_score(grades[source.grade_id(cell)], cell, verdict)
                    if is_solution(cell) or is_task(cell):
                        comments[source.grade_id(cell)].auto_comment = _comment(cell)
            except KeyError as error:
                raise api.MissingEntry(f"the gradebook has no entry for cell {error} of this submission") from None
            gradebook.db.commit()
        return nb, resources


def _entries(gradebook: api.Gradebook, notebook: api.SubmittedNotebook, kind: type) -> dict[str, Any]:
    """Return the grades or the comments of a submitted notebook, by the name of the cell."""
    query = gradebook.db.query(api.BaseCell.name, kind).join(kind, kind.cell_id == api.BaseCell.id)
    return dict(row.tuple() for row in query.filter(kind.notebook_id == notebook.id))


def _save_score(grade: api.Grade, cell: NotebookNode, verdict: Verdict) -> None:
    """Save the judge's points for a check. An essay that a person grades gets 0 points if it was not changed."""
    judged = verdict.earned.get(source.grade_id(cell))
    grade.auto_score = determine_grade(cell)[0] if judged is None else judged
    withheld = judged is not None and verdict.tampered
    grade.needs_manual_grade = withheld or grade.auto_score is None or grade.manual_score is not None


def _comment(cell: NotebookNode) -> str | None:
    unanswered = cell.metadata.nbgrader.get("checksum") == compute_checksum(cell) and not is_task(cell)
    return "No response." if unanswered else None


class Explain(NbGraderPreprocessor):
    """For feedback: adds how the submission ended, and removes the text of every hidden check."""

    def preprocess(self, nb: NotebookNode, resources):
        facts = nb.metadata.get("tito", {})
        if "verdict" in facts:
            nb.cells.insert(0, new_markdown_cell(_summary(Verdict.from_dict(facts["verdict"]))))
        for cell in nb.cells:
            if cell.cell_type == "code" and source.FENCE.search(cell.source):
                cell.source = _remove_hidden_tests(cell.source)
        return nb, resources


class Rubric(NbGraderPreprocessor):
    """For formgrader only: shows the course's answer and rubric above every reflection. They are never written to a file."""

    def preprocess(self, nb: NotebookNode, resources):
        if "submission_id" not in resources:  # only formgrader sets it
            return nb, resources
        course = Path(resources["metadata"]["path"]).parents[2]
        texts = {cell.id: cell.source for cell in reference.solved(course, resources["assignment_id"]).cells}
        cells = []
        for cell in nb.cells:
            if source.is_graded(cell) and cell.cell_type == "markdown" and cell.id in texts:
                cells.append(new_markdown_cell(_rubric(texts[cell.id])))
            cells.append(cell)
        nb.cells = cells
        return nb, resources


def _rubric(text: str) -> str:
    lines = ["**The course's answer and rubric** (shown to those who grade, never to learners)", "", *text.splitlines()]
    return "\n".join(f"> {line}".rstrip() for line in lines)


HEADINGS = {f"h{level}" for level in range(1, 7)}
TABLES = {"table", "tbody", "td", "th", "thead", "tr"}
BLOCKS = {"blockquote", "br", "dd", "div", "dl", "dt", "hr", "img", "li", "ol", "p", "pre", "ul"}
WORDS = {"a", "b", "code", "del", "em", "i", "s", "span", "strong", "sub", "sup"}


def harmless_html(markdown: str) -> str:
    """Turn Markdown into HTML that runs nothing and loads nothing. nbgrader itself does not clean what learners wrote."""
    tags, protocols = HEADINGS | TABLES | BLOCKS | WORDS, {"http", "https", "mailto", "data"}
    try:
        return bleach.clean(markdown2html_mistune(markdown), tags, _harmless, protocols=protocols, strip=True)
    except Exception:  # for example for an attached picture: show the text as it was written
        return f"<pre>{html.escape(markdown)}</pre>"


def _harmless(tag: str, name: str, value: str) -> bool:
    if name == "src":
        return tag == "img" and value.startswith("data:image/")
    if name == "href":
        return tag == "a" and not value.strip().lower().startswith("data:")
    return name in ("class", "id", "alt", "title")


def _remove_hidden_tests(text: str) -> str:
    kept, hidden = [], False
    for line in text.splitlines():
        fence = source.FENCE.match(line)
        if fence:
            hidden = fence["edge"] == "BEGIN"
        elif not hidden:
            kept.append(line)
    return "\n".join(kept)


def _summary(verdict: Verdict) -> str:
    lost = [check for check in verdict.checks if check.points < check.of]
    total = sum(check.of for check in verdict.checks)
    lines = [f"**{_escape(verdict.status)}**", "", f"Checks: {verdict.points:g} of {total:g} points."]
    if lost:
        lines += ["", "| check | points | why |", "| --- | --- | --- |"]
        lines += [f"| {c.id} | {c.points:g} of {c.of:g} | {_escape(c.reason)} |" for c in lost]
    return "\n".join(lines)


def _escape(text: str) -> str:
    """Escape text that may come from a submission, so that nothing in it is Markdown or HTML."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-!|$~" else c for c in escaped)

