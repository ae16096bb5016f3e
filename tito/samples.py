"""A sample class for the demo: students who fill in notebooks well or badly, and two who attack."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from tito import source

Edit = dict[str, str]  # text to put between the fences of a solution cell, by grade_id


@dataclass(frozen=True)
class Student:
    """A student: the name, what they do (the demo shows it), and how their notebook differs from the solved one."""

    name: str
    does: str
    wrong: Edit | None = None  # cells with their own text
    solves: float = 1.0  # the share of the exercises that they solve, from the first on
    hostile: bool = False  # their code tries to do harm, so it runs only in the sandbox


LOOP = "    while True:\n        pass"

# It attacks only the demo's own gradebook, so even outside a sandbox it cannot harm another class.
GRADEBOOK_RAID = '''        import os, sqlite3
        gradebook = FOLDER + "/course/gradebook.db"
        if os.path.exists(gradebook):
            with sqlite3.connect(gradebook) as db:
                db.execute("UPDATE grade SET auto_score = 1000, manual_score = 1000")
        return x'''

RUN_NOTHING = '''        import ast
        from IPython import get_ipython

        class RunNothing(ast.NodeTransformer):
            def visit_Module(self, node):
                return ast.Module(body=[], type_ignores=[])

        get_ipython().ast_transformers.append(RunNothing())
        return x'''

CLASS = (
    Student("ada", "solves everything"),
    Student("ben", "is half done", solves=0.5),
    Student("cleo", "multiplies by a mask, so that -inf becomes nan", {"relu": "        return x * (x > 0)"}),
    Student("dan", "forgets to take the maximum off, so that softmax overflows", {
        "softmax": "        y = np.exp(x) / np.exp(x).sum(axis=dim, keepdims=True)\n        self.saved = (y,)\n        return y",
    }),
    Student("eve", "divides a difference by h, not by 2h", {"slope": "    return (f(x + h) - f(x - h)) / h"}),
    Student("finn", "hands in a blank notebook", solves=0.0),
    Student("gus", "loops for ever", {"slope": LOOP}),
    Student("ivy", "leaves a syntax error", {"sigmoid": "        return 1 / (1 + np.exp(-x)"}),
    Student("jon", "has one cell twice, with different text"),
    Student("mallory", "blanks the assertions and rewrites the gradebook", {"relu": GRADEBOOK_RAID}, solves=0.0, hostile=True),
    Student("trudy", "makes the kernel run nothing, so that no check can fail", {"relu": RUN_NOTHING}, solves=0.0, hostile=True),
)  # fmt: skip


def students(sandboxed: bool) -> list[Student]:
    """Return the students whose notebooks may be run. Without a sandbox, leave out the hostile ones."""
    return [student for student in CLASS if sandboxed or not student.hostile]


def fill(released: NotebookNode, solved: NotebookNode, student: Student, folder: Path) -> dict[str, Any]:
    """Fill in the released notebook as `student` does. `solved` is the instructor's notebook; `folder` is the demo's."""
    notebook = copy.deepcopy(released)
    texts = {cell.id: cell.source for cell in solved.cells}
    exercises = [cell for cell in notebook.cells if source.is_solution(cell)]
    done = exercises[: round(student.solves * len(exercises))]
    for cell in exercises:
        if cell.id in (student.wrong or {}):
            body = student.wrong[cell.id].replace("FOLDER", repr(str(folder)))
            cell.source = source.with_body(texts[cell.id], body)
        elif cell in done:
            cell.source = source.without_fences(texts[cell.id]) if cell.cell_type == "code" else "What I measured, and why."
    if student.name == "mallory":
        for cell in filter(source.is_check, notebook.cells):
            cell.source = "pass"
    if student.name == "jon":
        twice = copy.deepcopy(exercises[0])
        twice.id, twice.source = "twice", twice.source + "\n# another try"
        notebook.cells.append(twice)
    return notebook
