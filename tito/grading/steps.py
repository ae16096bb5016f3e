"""Our steps inside nbgrader's: classes that nbgrader_config.py names, so that plain `nbgrader` and formgrader use them.

Submission reads and rebuilds, DropOtherFiles tidies; then Grade executes and judges, SaveGrades enters the points.
They stand in place of what nbgrader has for sanitizing, executing and saving.
"""

import html
import stat
from pathlib import Path

import bleach
from nbconvert.exporters import NotebookExporter
from nbconvert.filters import markdown2html_mistune
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from traitlets import Bool, Unicode

from tito import source, syllabus
from tito.collect import backup_of, stated_time
from tito.grading import reference, sandbox
from tito.grading.execute import Execution, execute
from tito.grading.judge import Verdict, judge, nothing
from tito.grading.limits import Limits
from tito.grading.rebuild import Rebuilt, rebuild_file


class Submission(NotebookExporter):
    """Reads what was handed in without believing any of it: what comes out is the pristine release with its solutions."""

    def from_filename(self, filename, resources=None, **kwargs):
        path, coursedir = Path(filename).absolute(), self.parent.coursedir
        if not path.is_relative_to(Path(coursedir.root, coursedir.submitted_directory).absolute()):
            return super().from_filename(filename, resources, **kwargs)
        pristine = reference.pristine_for_grading(Path(coursedir.root), resources["nbgrader"]["assignment"])
        rebuilt = rebuild_file(pristine, path, Limits(parent=self).submission_mb)
        rebuilt.notebook.metadata["tito"] = {"problems": rebuilt.problems, "unreadable": rebuilt.unreadable}
        return self.from_notebook_node(rebuilt.notebook, resources=resources, **kwargs)


def set_aside(notebooks: list[str], **_) -> None:
    """Before nbgrader copies a hand-in: move what it would choke on, a time that is none and what is no file, to `backup`."""
    for folder in {Path(notebook).parent for notebook in notebooks}:
        course = folder.parents[2]
        for path in sorted(folder.rglob("*")):
            mode = path.lstat().st_mode
            nonsense = path == folder / "timestamp.txt" and stat.S_ISREG(mode) and stated_time(path) is None
            if nonsense or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or str(path) in notebooks):
                target = backup_of(path, course)
                target.parent.mkdir(parents=True)
                path.rename(target)


KEPT = ("timestamp.txt", "submission_secret.txt")  # when it was handed in, and whom the exchange gives feedback to


class DropOtherFiles(NbGraderPreprocessor):
    """Takes away what nbgrader copied beside the notebook: of the files that were handed in, none is used."""

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
    """Executes a rebuilt notebook in the sandbox and judges it; the verdict goes into the notebook's metadata."""

    repository = Unicode(help="The folder of the course: its `tinytorch` is the reference.").tag(config=True)
    sandbox = Bool(True, help="False runs submitted code without protection.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources):
        root, limits = Path(self.repository), Limits(parent=self).as_dict()
        module, facts = syllabus.module(resources["nbgrader"]["assignment"]), nb.metadata["tito"]
        rebuilt = Rebuilt(nb, dict(facts["problems"]), facts["unreadable"])
        key = reference.grading_key(root, module, rebuilt, limits, self.sandbox)
        verdict = self.grade(rebuilt, module, root, limits)
        nb.metadata["tito"] = {"key": key, "sandboxed": self.sandbox, "verdict": verdict.as_dict()}
        return nb, resources

    def grade(self, rebuilt: Rebuilt, module: syllabus.Module, root: Path, limits: dict[str, int]) -> Verdict:
        if rebuilt.unreadable:
            return nothing(rebuilt.notebook, rebuilt.unreadable)
        if self.sandbox:
            sandbox.require()
        course = Path(self.parent.parent.coursedir.root)
        expected = reference.answers(root, course, module, limits, self.sandbox)
        execution = execute(rebuilt.notebook, module, root / "tinytorch", limits, self.sandbox)
        verdict = judge(rebuilt.notebook, rebuilt.problems, execution, expected)
        show(rebuilt.notebook, execution, verdict)
        return verdict


def show(nb: NotebookNode, execution: Execution, verdict: Verdict) -> None:
    """Put into each cell what it printed, and into each check that lost points an error which says why."""
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


class SaveGrades(SaveAutoGrades):
    """Saves the judge's points. What a cell printed is never its score, and a warning costs nothing."""

    def preprocess(self, nb: NotebookNode, resources):
        self.verdict = Verdict.from_dict(nb.metadata["tito"]["verdict"])
        return super().preprocess(nb, resources)

    def _add_score(self, cell: NotebookNode, resources) -> None:
        name = cell.metadata["nbgrader"]["grade_id"]
        earned = self.verdict.earned
        if name not in earned:
            return super()._add_score(cell, resources)
        grade = self.gradebook.find_grade(name, self.notebook_id, self.assignment_id, self.student_id)
        grade.auto_score = earned[name]
        grade.needs_manual_grade = self.verdict.tampered or grade.manual_score is not None
        self.gradebook.db.commit()
        return None


class Explain(NbGraderPreprocessor):
    """For feedback: says first how the submission ended, and takes every hidden check's text and output out."""

    def preprocess(self, nb: NotebookNode, resources):
        facts = nb.metadata.get("tito", {})
        if "verdict" in facts:
            nb.cells.insert(0, new_markdown_cell(_summary(Verdict.from_dict(facts["verdict"]))))
        for cell in nb.cells:
            if cell.cell_type == "code" and source.FENCE.search(cell.source):
                cell.source = _without_hidden(cell.source)
        return nb, resources


class Rubric(NbGraderPreprocessor):
    """For formgrader alone: above every reflection, the course's own answer with its rubric. No file ever holds both."""

    def preprocess(self, nb: NotebookNode, resources):
        if "submission_id" not in resources:  # formgrader's, which no other page has
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
    """Markdown as HTML in which nothing runs and nothing is fetched: nbgrader's pages show what learners wrote as it is."""
    tags, protocols = HEADINGS | TABLES | BLOCKS | WORDS, {"http", "https", "mailto", "data"}
    try:
        return bleach.clean(markdown2html_mistune(markdown), tags, _harmless, protocols=protocols, strip=True)
    except Exception:  # such as a picture that was attached: what cannot be set is shown as it was written
        return f"<pre>{html.escape(markdown)}</pre>"


def _harmless(tag: str, name: str, value: str) -> bool:
    if name == "src":
        return tag == "img" and value.startswith("data:image/")
    if name == "href":
        return tag == "a" and not value.strip().lower().startswith("data:")
    return name in ("class", "id", "alt", "title")


def _without_hidden(text: str) -> str:
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
    lines = [f"**{_plain(verdict.status)}**", "", f"Checks: {verdict.points:g} of {total:g} points."]
    if lost:
        lines += ["", "| check | points | why |", "| --- | --- | --- |"]
        lines += [f"| {c.id} | {c.points:g} of {c.of:g} | {_plain(c.reason)} |" for c in lost]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text that a submission may have had a hand in, as text: nothing in it is Markdown or HTML."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-!|$~" else c for c in escaped)

