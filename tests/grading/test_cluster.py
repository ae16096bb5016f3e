"""Grading on a dask.distributed cluster of real processes, also if workers or the scheduler are killed."""

import gc
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab import MODULE
from people import PEOPLE, hand_in

from tito.errors import TitoError
from tito.grading import cluster, sandbox
from tito.grading.execute import versions
from tito.grading.workers import find_worker_problem

pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # dask leaves sockets to the collector

SOME = ("ada", "crash", "empty", "fay", "raid", "zoe")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Cluster:
    """A scheduler and workers, each in its own process, in their own folder."""

    def __init__(self, folder):
        self.folder, self.port, self.processes = folder, free_port(), []
        self.address = f"tcp://127.0.0.1:{self.port}"

    def scheduler(self) -> subprocess.Popen:
        started = self._start("scheduler", f"--port={self.port}", "--no-dashboard")
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return started
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())

    def worker(self, before: tuple[str, ...] = (), **environment: str) -> subprocess.Popen:
        options = ("--nthreads=1", "--no-nanny", "--no-dashboard", f"--local-directory={self.folder}")
        return self._start("worker", self.address, *options, before=before, **environment)

    def _start(self, *words: str, before: tuple[str, ...] = (), **environment: str) -> subprocess.Popen:
        with open(self.folder / "log", "a") as log:
            command = [*before, sys.executable, "-m", "dask", *words]
            process = subprocess.Popen(command, cwd=self.folder, env={**os.environ, **environment}, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(30)


@pytest.fixture
def dask(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("dask"))
    made.scheduler()
    yield made
    made.stop()
    gc.collect()  # now, while these tests expect the sockets that dask leaves, and not in whatever test comes next


def as_one_by_one(lab, outcomes) -> None:
    names = [outcome.student for outcome in outcomes]
    assert sorted(names) == sorted(SOME), "each once"
    assert {one.student: one.verdict.points for one in outcomes} == {name: PEOPLE[name].points for name in SOME} == lab.marks()
    assert all(one.verdict.status.startswith(PEOPLE[one.student].status) for one in outcomes)


def test_workers_without_a_shared_disk_give_the_same_marks(sandboxed, own_lab, dask, monkeypatch):
    """The workers cannot see the course, and the machine that sends the tasks has no sandbox."""
    hand_in(own_lab, SOME)
    hidden = str(own_lab.root.parent)
    dask.worker(before=("bwrap", "--dev-bind", "/", "/", "--tmpfs", hidden, "--die-with-parent"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert "bubblewrap is not installed" in sandbox.find_problem()
    as_one_by_one(own_lab, list(own_lab.course.autograde(MODULE, scheduler=dask.address)))


def test_workers_and_a_scheduler_that_are_killed_cost_nothing(sandboxed, own_lab, dask):
    hand_in(own_lab, SOME)
    doomed, said, outcomes = [dask.worker(), dask.worker()], [], []

    def say(line: str) -> None:
        said.append(line)
        dask.scheduler()  # the other one comes only when this one is missed
        dask.worker()

    for outcome in own_lab.course.autograde(MODULE, scheduler=dask.address, say=say):
        outcomes.append(outcome)
        if len(outcomes) == 2:
            doomed[0].kill()
        if len(outcomes) == 3:
            dask.processes[0].kill()
            dask.processes[0].wait(30)
    assert any("waiting for it" in line for line in said)
    as_one_by_one(own_lab, outcomes)


def test_a_worker_without_bubblewrap_refuses_unless_no_sandbox_is_asked_for(own_lab, dask):
    hand_in(own_lab, ("ada",))
    dask.worker(PATH="/nowhere")
    with pytest.raises(TitoError, match=r"the worker on .* cannot grade: bubblewrap is not installed") as refused:
        list(own_lab.course.autograde(MODULE, scheduler=dask.address))
    assert refused.value.code == 1
    assert own_lab.marks() == {}
    own_lab.course.config.Grade.sandbox = False
    own_lab.course.api.config.Grade.sandbox = False
    assert [one.verdict.points for one in own_lab.course.autograde(MODULE, scheduler=dask.address)] == [80]


def test_a_worker_with_other_versions_refuses(sandboxed):
    assert find_worker_problem(True, versions()) is None
    problem = find_worker_problem(True, {**versions(), "numpy": "1.0"})
    assert f"it has numpy {versions()['numpy']} instead of 1.0" in problem


def test_a_scheduler_that_does_not_answer_or_has_no_workers_is_named(own_lab, dask, monkeypatch):
    hand_in(own_lab, ("ada",))
    monkeypatch.setattr(cluster, "SECONDS", 2)
    with pytest.raises(TitoError, match=r"has no workers\. Start some with `dask worker"):
        list(own_lab.course.autograde(MODULE, scheduler=dask.address))
    for address, why in ((f"tcp://127.0.0.1:{free_port()}", "no dask scheduler answers"), ("carrots://", "is not an address")):
        with pytest.raises(TitoError, match=why):
            list(own_lab.course.autograde(MODULE, scheduler=address))


def test_without_distributed_the_extra_is_named(own_lab, monkeypatch):
    hand_in(own_lab, ("ada",))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(TitoError, match=r"pip install 'tinytorch\[cluster\]'"):
        list(own_lab.course.autograde(MODULE, scheduler="tcp://127.0.0.1:1"))
