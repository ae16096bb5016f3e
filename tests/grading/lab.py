"""A tiny course to attack: module 01 with two exercises, and functions to hand in, execute and grade solutions."""

import copy
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tiny

from tito import syllabus
from tito.course import Course
from tito.grading import reference
from tito.grading.execute import Execution, execute
from tito.grading.judge import Verdict, judge
from tito.grading.rebuild import rebuild
from tito.grading.steps import show_outputs

MODULE = syllabus.module("01")
SECRET = "48151623"  # only the hidden check contains it
REFERENCE = "reference-3141592"  # only the course's solutions contain it
RUBRIC = "anything that says so earns twenty points"  # a part of the course's own answer
FAST = {"cell_seconds": 3, "total_seconds": 40, "memory_mb": 1024, "file_mb": 8, "processes": 64, "messages": 300}

SOURCE = (
    tiny.MODULE.replace("use_prefix(0)", "use_prefix(1)")
    .replace("core.introduction", "core.setup")
    .replace("double(-7)", f"double(-{SECRET})")
    .replace("return 2 * x", f"return 2 * x  # {REFERENCE}")
)
DOUBLE = '#| export\ndef double(x):\n    """Twice x."""\n    return 2 * x'
HALF = '#| export\ndef half(x):\n    """Half of x."""\n    return x / 2'
ESSAY = "It is not a multiple of two."


def write_repository(folder: Path) -> Path:
    """The repository of the tiny course. Its module 00 is exported; so are 01 and 02, which no submission may see."""
    root = tiny.repository(folder)
    with open(root / "nbgrader_config.py", "a", encoding="utf-8") as config:
        config.writelines(f"c.Limits.{name} = {value}\n" for name, value in FAST.items())
    (root / "modules" / "00_introduction.py").unlink()
    (root / "modules" / "01_setup.py").write_text(SOURCE, encoding="utf-8")
    core = root / "tinytorch" / "core"
    (core / "introduction.py").write_text("WHOSE = 'the prefix'\n", encoding="utf-8")
    for name in ("setup", "tensor"):
        (core / f"{name}.py").write_text(f"def double(x):\n    return 2 * x  # {REFERENCE}\n", encoding="utf-8")
    return root


@dataclass
class Graded:
    """The result of one submission."""

    notebook: Any
    execution: Execution
    verdict: Verdict

    @property
    def points(self) -> dict[str, float]:
        return {check.id: check.points for check in self.verdict.checks}

    @property
    def reasons(self) -> dict[str, str]:
        return {check.id: check.reason for check in self.verdict.checks}

    @property
    def printed(self) -> str:
        """All that a learner would see: outputs, tracebacks, reasons, the status."""
        outputs = [cell.outputs for cell in self.notebook.cells if cell.cell_type == "code"]
        return json.dumps([outputs, self.verdict.as_dict()], default=str)


class Lab:
    """A generated tiny course in its own folder."""

    def __init__(self, folder: Path, generated: Path | None = None):
        """Open the course at `folder`, or make it there: a copy of a generated one, or a new one."""
        if generated:
            shutil.copytree(generated, folder)
        elif not folder.exists():
            write_repository(folder)
        self.root = folder
        self.course = Course(self.root)

    @property
    def folder(self) -> Path:
        return self.root / "course"

    def notebook(self, double: str = DOUBLE, half: str = HALF, essay: str = ESSAY) -> dict[str, Any]:
        """Return a submission with these texts, as JSON. `COURSE` in them is replaced by this course's folder."""
        name = MODULE.slug
        notebook = json.loads((self.folder / "release" / name / f"{name}.ipynb").read_text(encoding="utf-8"))
        texts = {"double": double, "half": half, "half_reflect": essay}
        for cell in notebook["cells"]:
            own = texts.get(cell["metadata"].get("nbgrader", {}).get("grade_id"))
            cell["source"] = cell["source"] if own is None else own.replace("COURSE", str(self.folder))
        return notebook

    def without_place(self, text: str) -> str:
        """Return what grading wrote as it is in any other course: without this one's folder, and the hash of a text with it."""
        if str(self.folder) not in text:
            return text
        return re.sub(r'"key": "\w+"', '"key": ""', text.replace(str(self.folder), "COURSE"))

    def hand_in(self, student: str, notebook: dict | str | bytes | None = None, **texts: str) -> Path:
        """Put a submission into the folder to which `tito course collect` copies it."""
        folder = self.folder / "submitted" / student / MODULE.slug
        folder.mkdir(parents=True, exist_ok=True)
        content = self.notebook(**texts) if notebook is None else notebook
        raw = json.dumps(content) if isinstance(content, dict) else content
        path = folder / f"{MODULE.slug}.ipynb"
        path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
        return path

    def grade(self, limits: dict[str, int] | None = None, sandboxed: bool = True, **texts: str) -> Graded:
        """Rebuild, execute and judge one submission, without nbgrader."""
        chosen = {**self.course.limits, **(limits or {})}
        pristine = copy.deepcopy(reference.pristine_for_grading(self.folder, MODULE.slug))
        rebuilt = rebuild(pristine, self.notebook(**texts)["cells"])
        expected = reference.answers(self.root, self.folder, MODULE, self.course.limits, sandboxed)
        execution = execute(rebuilt.notebook, MODULE, self.root / "tinytorch", chosen, sandboxed)
        verdict = judge(rebuilt.notebook, rebuilt.problems, execution, expected)
        show_outputs(rebuilt.notebook, execution, verdict)
        return Graded(rebuilt.notebook, execution, verdict)

    def probe(self, code: str, **limits: int) -> str:
        """Run `code` in a solution cell inside the sandbox, and return what it prints."""
        graded = self.grade(limits=limits, double=f"{code}\n\n{DOUBLE.removeprefix('#| export')}")
        ran = graded.execution.cells["double"]
        assert ran.error is None, ran.error
        return "".join(output.text for output in ran.outputs if output.output_type == "stream")

    def marks(self) -> dict[str, float]:
        return {student: mark.score for student, mark in self.course.marks(MODULE).items()}


def running(word: str) -> list[str]:
    """Return the command lines of all processes on this machine that contain a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode(errors="replace"))
        except OSError:  # it has just ended
            continue
    return [command for command in found if word in command]


def sandboxes_in(folder: Path) -> list[str]:
    """Return the command lines that contain the path of a folder."""
    return running(str(folder))
