"""The class that the tests grade: what each person hands in, and how it must end."""

import os
from dataclasses import dataclass, field

from lab import DOUBLE, MODULE, SECRET, Lab

SCRIPT = "<script>alert(1)</script><img src=http://evil.example/a.png onerror=alert(2)>"
RAID = """
import os, sqlite3
for folder, _, files in [found for top in ('/course', 'COURSE') for found in os.walk(top)]:
    if 'gradebook.db' in files:
        try:
            with sqlite3.connect(os.path.join(folder, 'gradebook.db')) as db:
                db.execute('UPDATE grade SET auto_score = 100, manual_score = 100')
        except sqlite3.Error:
            pass
def double(x):
    return 3 * x
"""
MUTE = """
from IPython import get_ipython
get_ipython().input_transformers_cleanup.append(lambda lines: [l.replace('assert', '0 and') for l in lines])
def double(x):
    return 3 * x
"""
VANDAL = f"""
from IPython.display import HTML, Markdown, display
display(HTML({SCRIPT!r}), Markdown({SCRIPT!r}))
display({{'image/png': '"onerror="alert(3)'}}, raw=True)
print({SCRIPT!r})
class Script(Exception):
    pass
Script.__name__ = {SCRIPT!r}
def double(x):
    raise Script({SCRIPT!r})
"""


@dataclass(frozen=True)
class Person:
    points: float
    status: str
    texts: dict[str, str] = field(default_factory=dict)
    notebook: bytes | None = None


PEOPLE = {
    "ada": Person(80, "graded"),
    "bea": Person(80, "graded", {"essay": "YOUR ANSWER HERE"}),
    "crash": Person(0, "its process ended in cell double", {"double": "import os\nos._exit(0)"}),
    "deaf": Person(0, "timed out in cell double", {"double": "while True:\n    pass"}),
    "empty": Person(0, "no 01_setup.ipynb was handed in: the file is empty", notebook=b""),
    "fay": Person(50, "syntax error", {"half": "def half(x:\n    pass"}),
    "json": Person(0, "01_setup.ipynb is not a notebook: its JSON cannot be read", notebook=b"{"),
    "late": Person(80, "graded"),
    "mute": Person(0, "tampered", {"double": MUTE}),
    "none": Person(0, "no 01_setup.ipynb was handed in: the file is empty"),
    "old": Person(0, "01_setup.ipynb is not a notebook of format 4", notebook=b'{"nbformat": 3, "worksheets": []}'),
    "raid": Person(0, "graded", {"double": RAID}),
    "vandal": Person(0, "graded", {"double": VANDAL, "essay": f"{SCRIPT} [x](javascript:alert(4)) <style>p {{}}</style>"}),
    "zoe": Person(80, "graded", {"double": DOUBLE + "\nprint('hello from zoe')"}),
}
assert SECRET not in str(PEOPLE)


def hand_in(lab: Lab, names=tuple(PEOPLE)) -> None:
    """Put the submissions into `submitted`, with other files beside some of them."""
    for name in names:
        lab.hand_in(name, PEOPLE[name].notebook, **PEOPLE[name].texts)
    folder = {name: lab.folder / "submitted" / name / MODULE.slug for name in names}
    if "none" in names:
        (folder["none"] / f"{MODULE.slug}.ipynb").unlink()
    if "late" in names:  # an invalid time, and files that a copy would follow or wait for
        (folder["late"] / "timestamp.txt").write_text("whenever I like")
        (folder["late"] / "shadow").symlink_to("/etc/passwd")
        (folder["late"] / "zero").symlink_to("/dev/zero")
        os.mkfifo(folder["late"] / "pipe")
        (folder["late"] / "numpy.py").write_text("raise SystemExit")
        (folder["late"] / "other.ipynb").write_text("{}")
