"""Parallel grading gives the same marks for any order, any number of processes and a kill at any moment."""

import gzip
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import tempfile
import time
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from lab import DOUBLE, HALF, MODULE, Lab, running
from people import hand_in

from tito import processes
from tito.course import Course
from tito.errors import TitoError, hold_lock
from tito.grading import execute, execution_cache, reference, sandbox
from tito.grading.execute import Execution, Ran, Task
from tito.grading.workers import Job, Processes, Ready

KILLS = 20
SOME = ("ada", "crash", "deaf", "empty", "fay", "mute", "raid", "vandal")


def exported(lab: Lab) -> bytes:
    path = lab.root / "marks.csv"
    lab.course.export(path)
    return path.read_bytes()


def result(lab: Lab) -> dict:
    """Return all results of grading: verdicts, marks, every autograded file, every row of the gradebook."""
    names = lab.course.submissions(MODULE)
    paths = [path for path in (lab.folder / "autograded").rglob("*") if path.is_file()]
    files = {path.relative_to(lab.folder): lab.without_place(path.read_text(encoding="utf-8")) for path in paths}
    with sqlite3.connect(lab.folder / "gradebook.db") as database:
        rows = database.execute(
            "SELECT student_id, name, auto_score, manual_score, needs_manual_grade FROM grade JOIN base_cell"
            " ON grade.cell_id = base_cell.id JOIN submitted_notebook ON grade.notebook_id = submitted_notebook.id"
            " JOIN submitted_assignment ON submitted_notebook.assignment_id = submitted_assignment.id ORDER BY 1, 2"
        ).fetchall()
    database.close()
    verdicts = {name: lab.course.verdict(MODULE, name).as_dict() for name in names}
    return {"verdicts": verdicts, "files": files, "rows": rows, "marks": lab.marks(), "export": exported(lab)}


@pytest.fixture(scope="module")
def one_by_one(generated, tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("serial") / "repository", generated)
    hand_in(lab, SOME)
    assert [outcome.student for outcome in lab.course.autograde(MODULE)] == list(SOME)
    return result(lab)


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_any_order_and_any_number_of_processes_give_the_same_marks(own_lab, monkeypatch, one_by_one, jobs):
    hand_in(own_lab, SOME)
    shuffled = random.Random(jobs).sample(SOME, len(SOME))
    monkeypatch.setattr(own_lab.course, "submissions", lambda module: shuffled)
    outcomes = list(own_lab.course.autograde(MODULE, jobs))
    monkeypatch.undo()
    assert sorted(outcome.student for outcome in outcomes) == sorted(SOME)
    assert result(own_lab) == one_by_one


# -- the cache -----------------------------------------------------------------------------------------------------


def never(*_, **__):
    raise AssertionError("it was executed again")


def test_a_lost_grade_does_not_repeat_the_execution(own_lab, monkeypatch):
    hand_in(own_lab, ("ada", "raid"))
    first = list(own_lab.course.autograde(MODULE))
    for path in (own_lab.folder / "autograded").rglob("*.ipynb"):
        path.unlink()
    with own_lab.course.api.gradebook as gradebook:
        gradebook.remove_submission(MODULE.slug, "ada")
    monkeypatch.setattr(execution_cache, "run", never)
    assert list(own_lab.course.autograde(MODULE)) == first
    assert own_lab.marks() == {"ada": 80, "raid": 0}


def test_cached_executions_are_private_and_can_be_removed(own_lab):
    hand_in(own_lab, ("ada",))
    first = list(own_lab.course.autograde(MODULE))
    folder = own_lab.root / "build" / "executions"
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-5])
    (own_lab.folder / "autograded" / "ada" / MODULE.slug / "01_setup.ipynb").unlink()
    assert list(own_lab.course.autograde(MODULE)) == first
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    execution_cache.remove_old(own_lab.root)
    assert list(folder.iterdir()) == []


def task(lab: Lab, **texts: str) -> Task:
    pristine = reference.pristine_for_grading(lab.folder, MODULE.slug)
    for cell in pristine.cells:
        cell.source = texts.get(cell.id, cell.source)
    return reference.task(lab.root, pristine, MODULE, lab.course.limits, True)


def test_the_key_changes_exactly_when_an_input_of_the_execution_changes(own_lab, monkeypatch):
    before = task(own_lab)
    assert task(own_lab, half_reflect="another essay").key == before.key
    others = [task(own_lab, double=DOUBLE).key, Task(before.cells, MODULE, before.package, before.limits, False).key]
    others.append(Task(before.cells, MODULE, before.package, {**before.limits, "cell_seconds": 99}, True).key)
    (own_lab.root / "tinytorch" / "core" / "tensor.py").write_text("a later module")
    assert task(own_lab).key == before.key
    (own_lab.root / "tinytorch" / "core" / "introduction.py").write_text("an earlier module")
    others.append(task(own_lab).key)
    monkeypatch.setattr(execute, "versions", lambda: {"numpy": "0.1"})
    others.append(task(own_lab).key)
    assert len({before.key, *others}) == 1 + len(others)


def test_a_reference_that_changed_grades_everybody_again(own_lab):
    """The release is the same, because it contains neither the solution nor the answers."""
    own_lab.hand_in("ada", double="def double(x):\n    return x + x")
    list(own_lab.course.autograde(MODULE))
    source = own_lab.root / "modules" / "01_setup.py"
    source.write_text(source.read_text().replace("return 2 * x", "return abs(2 * x)"))
    own_lab.course.generate(MODULE)
    again = list(own_lab.course.autograde(MODULE))
    assert [(outcome.changed, outcome.verdict.points) for outcome in again] == [(True, 70)]


def test_a_timeout_or_a_dead_kernel_is_not_cached_and_can_be_repeated(own_lab, monkeypatch):
    hand_in(own_lab, ("ada", "crash", "deaf", "mute"))
    list(own_lab.course.autograde(MODULE))
    assert len(list((own_lab.root / "build" / "executions").iterdir())) == 2, "ada's, and the reference's"
    ran = []
    monkeypatch.setattr(execution_cache, "run", lambda task: ran.append(task.key) or execute.run(task))
    assert not any(outcome.changed for outcome in own_lab.course.autograde(MODULE))
    assert ran == []
    changed = {outcome.student: outcome.changed for outcome in own_lab.course.autograde(MODULE, again=True)}
    assert changed == {"ada": False, "crash": True, "deaf": True, "mute": True}
    assert len(ran) == 3


def test_an_execution_is_the_same_after_json():
    ran = Ran([{"output_type": "stream", "name": "stdout", "text": "\ud800 half a character"}], ("E", "m"), ["{}"], True)
    execution = Execution({"cell": ran}, "timed out", "cell", False)
    assert Execution.from_json(execution.to_json()) == execution


# -- killed processes ----------------------------------------------------------------------------------------------

def jobs_for(lab: Lab, number: int) -> list[Job]:
    return [Job(f"s{place}", task(lab, double=f"{DOUBLE}  # {place}", half=HALF)) for place in range(number)]


def test_a_process_that_is_killed_costs_nothing(sandboxed, own_lab):
    jobs = jobs_for(own_lab, 5)
    with Processes(own_lab.root, 2) as those:
        ready = []
        for one in those.run(jobs):
            ready.append(one)
            if len(ready) in (1, 3):
                os.kill(next(iter(those.pool._processes)), signal.SIGKILL)
    assert sorted(one.student for one in ready) == [job.student for job in jobs]
    assert all(one.problem is None for one in ready)
    assert all(execution_cache.load(own_lab.root, job.task.key).ended is None for job in jobs)


class Murderous(Processes):
    """A pool in which one task always kills the process that runs it."""

    def submit(self, task: Task, patient: bool):
        future = super().submit(task, patient)
        return self.pool.submit(os._exit, 1) if "# 1" in str(task.cells) else future


def test_only_the_task_that_always_kills_its_worker_is_given_up(sandboxed, own_lab):
    jobs = jobs_for(own_lab, 3)
    with Murderous(own_lab.root, 2) as those:
        ready = {one.student: one.problem for one in those.run(jobs)}
    assert ready == {"s0": None, "s1": "the process that ran it died", "s2": None}


def test_a_timeout_with_parallel_jobs_is_repeated_alone_and_that_result_counts(sandboxed, own_lab, monkeypatch):
    """On a busy machine a good submission may time out. It does not when it runs alone."""
    jobs, order = jobs_for(own_lab, 3), []

    class Slow(Processes):
        def submit(self, task, patient):
            order.append((task.cells[3][1][-1], patient))
            limits = task.limits if patient or "# 0" not in str(task.cells) else {**task.limits, "total_seconds": 0}
            return super().submit(Task(task.cells, task.module, task.package, limits, task.sandboxed), patient)

    with Slow(own_lab.root, 2) as those:
        ready = [one.student for one in those.run(jobs)]
    assert sorted(ready[:2]) == ["s1", "s2"]
    assert ready[2] == "s0"
    assert order[-1][1], "the last to start is the one that is run with patience"
    assert len(order) == 4
    assert not execution_cache.load(own_lab.root, jobs[0].task.key).unsure


def test_items_that_are_not_jobs_are_yielded_unchanged(own_lab):
    with Processes(own_lab.root, 2) as those:
        assert list(those.run(["a", Ready("b"), "c"])) == ["a", Ready("b"), "c"]


def test_stopping_the_grading_leaves_no_process_behind(own_lab):
    own_lab.hand_in("deaf", double="import time\ntime.sleep(1000)")
    own_lab.hand_in("ada")
    mine = 1_000_000 + os.getpid()  # a limit that only the command lines of this test's sandboxes contain
    grading = Course(own_lab.root, {"Limits": {"cpu_seconds": mine, "cell_seconds": 60}}).autograde(MODULE, 2)
    assert next(grading).student == "ada"
    assert running(f'"RLIMIT_CPU": {mine}'), "the kernel of the one who sleeps"
    began = time.monotonic()
    grading.close()
    assert time.monotonic() - began < 5
    assert all_end(f'"RLIMIT_CPU": {mine}')


def all_end(word: str, seconds: float = 10) -> bool:
    """Do all processes with this text in their command line end soon?"""
    until = time.monotonic() + seconds
    while running(word) and time.monotonic() < until:
        time.sleep(0.1)
    return not running(word)


def launch(task: Task, folder: str, begun: Connection) -> None:
    """Run a task with its scratch folder in `folder`, and report when its sandbox is about to start."""
    tempfile.tempdir = folder
    before = sandbox.SandboxProvisioner.launch_kernel

    async def telling(self, *args, **kwargs):
        begun.send("now")
        return await before(self, *args, **kwargs)

    sandbox.SandboxProvisioner.launch_kernel = telling
    execute.run(task)


def test_a_sandbox_does_not_outlive_a_process_that_is_killed_while_it_is_launched(sandboxed, own_lab, tmp_path):
    """At these moments bwrap's own --die-with-parent has no effect: without the pipe, every third sandbox would stay."""
    context, moments = processes.start_context(), random.Random(1)
    slow = task(own_lab, double="import time\ntime.sleep(1000)")
    for _ in range(KILLS):
        told, begun = context.Pipe(duplex=False)
        process = context.Process(target=launch, args=(slow, str(tmp_path), begun))
        process.start()
        begun.close()
        assert told.poll(60)
        time.sleep(moments.uniform(0, 0.02))
        process.kill()
        process.join(60)
        told.close()
    assert list(tmp_path.glob("tito-*")), "their scratch folders, which the next removes, are where they are looked for"
    assert all_end(str(tmp_path))


def test_two_gradings_of_one_course_cannot_run_at_once(own_lab):
    hand_in(own_lab, ("ada",))
    with hold_lock(own_lab.folder / ".autograding", "grading"), pytest.raises(TitoError, match="another `tito course autograde`"):
        list(own_lab.course.autograde(MODULE))
    assert [outcome.verdict.points for outcome in own_lab.course.autograde(MODULE)] == [80]


# -- kill -9 -------------------------------------------------------------------------------------------------------

CLASS = ("ada", "raid", "zoe")


def grade(root: Path, jobs: int, begun=None) -> None:
    course = Course(root)
    if begun:
        begun.set()
    list(course.autograde(MODULE, jobs))


@pytest.fixture
def context():
    """A context whose processes start grading at once, because the imports are done."""
    forkserver._forkserver._stop()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tito.course"])
    return context


def hand_in_again(lab: Lab, turn: int) -> None:
    for name in CLASS:
        wrong = "3 * x" if (turn + len(name)) % 2 else "2 * x"
        lab.hand_in(name, double=f"def double(x):\n    return {wrong}  # {name} {turn}")


def test_a_kill_at_any_moment_loses_no_grade_and_leaves_no_half_written_file(sandboxed, generated, tmp_path, context):
    """Twenty times everybody hands in again and grading is killed. In the end the results are as without a kill."""
    lab, moments, killed, whole = Lab(tmp_path / "repository", generated), random.Random(9), 0, 0.0
    for turn in range(1 + KILLS):
        hand_in_again(lab, turn)
        begun = context.Event()
        process = context.Process(target=grade, args=(lab.root, 1 + turn % 2, begun))
        process.start()
        assert begun.wait(60)
        began = time.monotonic()
        process.join(moments.uniform(0, whole) if whole else 120)
        if process.exitcode is None:
            killed += 1
            process.kill()
        else:
            assert process.exitcode == 0
            whole = time.monotonic() - began
        process.join(60)
        all_files_are_whole(lab)
    assert killed >= KILLS / 2, "the moments were chosen from all the time that grading takes"
    hand_in_again(lab, turn)
    grade(lab.root, 2)
    undisturbed = Lab(tmp_path / "undisturbed", generated)
    hand_in_again(undisturbed, turn)
    grade(undisturbed.root, 1)
    assert result(lab) == result(undisturbed)


def all_files_are_whole(lab: Lab) -> None:
    for path in (lab.folder / "autograded").glob("*/*/[!.]*.ipynb"):
        json.loads(path.read_text(encoding="utf-8"))
    for path in (lab.root / "build" / "executions").glob("[!.]*"):
        Execution.from_json(gzip.decompress(path.read_bytes()).decode())
    database = sqlite3.connect(lab.folder / "gradebook.db")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
