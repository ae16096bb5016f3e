"""The attacks of attacks/*/*.py: each earns only honest points, harms nobody, learns nothing, and gets a reason.

The first line of each says what it tries, the second what it gets: points, and a pattern for its status. The rest is the
first solution cell, in which `COURSE` is replaced by the course's folder. In form/, the rest makes the whole submission.
"""

import base64
import hashlib
import json
import re
import shutil
import site
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat
import pytest
from lab import DOUBLE, MODULE, REFERENCE, RUBRIC, SECRET, Lab, sandboxes_in

from tito.grading import execute
from tito.grading.judge import Verdict

FAMILIES = {
    "reads": "what it must not see",
    "writes": "what it must not change",
    "verdict": "points that it did not earn",
    "resources": "too much time, memory and disk",
    "form": "files that are not an honest notebook",
    "visible": "what cannot be stopped: points of visible checks, which run in the same process as the code that they check",
}
ATTACKS = sorted(Path(__file__).parent.glob("attacks/*/*.py"))
OTHERS = "another-271828182"  # only an honest submission contains it
VARIABLE = "variable-161803398"  # only an environment variable of the grader contains it
HONEST = ("0_first", "zz_last")  # graded before and after all attacks
WEBSITE = "http://evil.example"


@dataclass
class Run:
    """A class of one family of attackers and two honest people, after grading and feedback."""

    lab: Lab
    verdicts: dict[str, Verdict]
    before: dict[Path, str]
    temporary: Path

    def told(self, student: str) -> str:
        """Return everything that a learner can read: outputs, reasons, the page."""
        path = self.lab.folder / "autograded" / student / MODULE.slug / f"{MODULE.slug}.ipynb"
        cells = nbformat.read(path, as_version=4).cells
        outputs = json.dumps([cell.outputs for cell in cells if cell.cell_type == "code"])
        return outputs + json.dumps(self.verdicts[student].as_dict()) + self.page(student)

    def page(self, student: str) -> str:
        path = self.lab.folder / "feedback" / student / MODULE.slug / f"{MODULE.slug}.html"
        return path.read_text(encoding="utf-8")


def hand_in(lab: Lab, attack: Path) -> None:
    text = attack.read_text(encoding="utf-8").replace("COURSE", str(lab.folder))
    if attack.parent.name != "form":
        lab.hand_in(attack.stem, double=text)
        return
    made: dict = {}
    exec(compile(text, attack, "exec"), made)
    path = lab.hand_in(attack.stem, made["hand_in"](lab.notebook()) if "hand_in" in made else None)
    if "beside" in made:
        made["beside"](path.parent)


def hashes(lab: Lab) -> dict[Path, str]:
    """Return what grading must not change: the sources, the package, the releases and the submissions."""
    folders = [lab.root / "modules", lab.root / "tinytorch", *(lab.folder / name for name in ("source", "release", "submitted"))]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.name != "timestamp.txt"}


@cache
def graded(family: str, folder: Path, generated: Path) -> Run:
    shutil.copytree(generated, folder / family)
    with open(folder / family / "nbgrader_config.py", "a", encoding="utf-8") as config:  # seconds that a busy machine keeps to
        config.write(f"c.Limits.cell_seconds = {5 if family == 'resources' else 15}\n")
    lab, temporary = Lab(folder / family), folder / f"{family}-temporary"
    temporary.mkdir()
    for attack in ATTACKS:
        if attack.parent.name == family:
            hand_in(lab, attack)
    for name in HONEST:
        lab.hand_in(name, double=f"{DOUBLE}  # {OTHERS}", essay=f"It is not a multiple of two. {OTHERS}")
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(execute, "GRACE_SECONDS", 1)
        changed.setenv("TITO_SECRET", VARIABLE)
        changed.setenv("TMPDIR", str(temporary))
        changed.setattr(tempfile, "tempdir", str(temporary))
        before = hashes(lab)
        verdicts = {outcome.student: outcome.verdict for outcome in lab.course.autograde(MODULE)}
        lab.course.feedback(MODULE)
    return Run(lab, verdicts, before, temporary)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("attacks")


@pytest.fixture
def run(request, folder, generated, sandboxed, lab) -> Run:
    return graded(request.param, folder, generated)


def one_worker(family: str) -> pytest.MarkDecorator:
    """With pytest-xdist, run the tests of a family on one worker, which grades it once."""
    return pytest.mark.xdist_group(f"attacks-{family}")


def every(items, family=lambda item: item.parent.name):
    return [pytest.param(family(one), one, marks=one_worker(family(one)), id=f"{family(one)}/{one.stem}") for one in items]


families = pytest.mark.parametrize("run", [pytest.param(f, marks=one_worker(f)) for f in FAMILIES], indirect=True)
SECRETS = (SECRET, REFERENCE, OTHERS, VARIABLE, RUBRIC)


@pytest.mark.parametrize(("run", "attack"), every(ATTACKS), indirect=["run"])
def test_an_attack_earns_only_honest_points_learns_nothing_and_gets_a_reason(run, attack):
    first, second = attack.read_text(encoding="utf-8").splitlines()[:2]
    points, ends = re.fullmatch(r"# (\d+) points: (.+)", second).groups()
    verdict = run.verdicts[attack.stem]
    assert (verdict.points, bool(re.match(ends, verdict.status))) == (float(points), True), (first, verdict)
    assert run.lab.marks()[attack.stem] == float(points)
    assert all(check.reason for check in verdict.checks if check.points < check.of)
    told = run.told(attack.stem)
    for secret in SECRETS:
        for form in (secret, secret[::-1], secret.encode().hex(), base64.b64encode(secret.encode()).decode()[:-4]):
            assert form not in told, f"{first}: {secret} is in what it was told"


@families
def test_an_honest_submission_keeps_its_mark(run):
    for name in HONEST:
        assert run.verdicts[name].status == "graded"
        assert run.verdicts[name].points == run.lab.marks()[name] == 80
        assert all(check.reason == "" for check in run.verdicts[name].checks)


@families
def test_nothing_of_the_course_or_of_this_machine_is_changed(run):
    added = {path.name for path in hashes(run.lab).keys() - run.before.keys()}
    assert added <= {f"{MODULE.slug}.ipynb"}, "only an empty notebook may be put where none was handed in"
    assert {path: now for path, now in hashes(run.lab).items() if path in run.before} == run.before
    places = [Path.home(), Path(tempfile.gettempdir()), Path.cwd(), Path(sys.prefix), run.lab.root, run.lab.folder]
    for place in [*places, *map(Path, site.getsitepackages()), run.lab.folder / "submitted"]:
        assert [path for path in place.glob("*pwned*") if path.exists()] == []


@families
def test_no_process_and_no_temporary_file_is_left(run):
    until = time.monotonic() + 10
    while (sandboxes_in(run.temporary) or list(run.temporary.glob("tito-*"))) and time.monotonic() < until:
        time.sleep(0.05)
    assert sandboxes_in(run.temporary) == []
    assert list(run.temporary.glob("tito-*")) == []


@families
def test_no_page_runs_or_fetches_what_an_attack_wrote(run):
    for name in run.verdicts:
        body = run.page(name).split("<body", 1)[1]
        assert not re.search(r"<(script|iframe|svg|object|embed|form|link|base|style)\b", body)
        assert not re.search(r"<[^>]*\s(on\w+\s*=|style\s*=[^>]*url)", body)
        assert not re.search(rf"""<[^>]*src\s*=\s*["']?\s*{WEBSITE}""", body)
        assert not re.search(r"""<[^>]*(src|href)\s*=\s*["']?\s*(javascript|data:text)""", body, re.IGNORECASE)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_attack_says_first_what_it_tries_and_then_what_it_gets(family):
    texts = {path.name: path.read_text(encoding="utf-8") for path in ATTACKS if path.parent.name == family}
    assert texts
    assert all(re.match(r"# [A-Z].{5,}\.\n# \d+ points: .+\n", text) for text in texts.values())
    assert not [name for name, text in texts.items() if any(secret in text for secret in SECRETS)]


def test_there_are_enough_attacks_and_each_belongs_to_a_family():
    assert len(ATTACKS) >= 40
    assert {path.parent.name for path in ATTACKS} == set(FAMILIES)
    assert len({path.stem for path in ATTACKS}) == len(ATTACKS)
