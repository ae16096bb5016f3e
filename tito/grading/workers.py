"""Run many executions at once, in processes of this machine or on the workers of a dask.distributed cluster.

Whatever happens to a worker, a task gives the same result as if it had run alone.
"""

import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tito import processes
from tito.errors import TitoError
from tito.grading import execution_cache, sandbox
from tito.grading.execute import Execution, Task, run, versions

ATTEMPTS = 3  # to run a task whose worker dies


@dataclass
class Job:
    """A task to run on behalf of a student."""

    student: str
    task: Task
    failures: int = 0
    alone: bool = False


@dataclass
class Ready:
    """Nothing is left to run for this student. If `problem` is set, nothing can be judged, and it says why."""

    student: str
    problem: str | None = None


class Refused(TitoError):
    """A worker cannot run tasks because its machine lacks something."""


class Lost(Exception):
    """The result of a task is lost, and the task is not to blame."""


class Died(Exception):
    """A worker died while it ran this task. The task may be to blame."""


def find_worker_problem(sandboxed: bool, expected: dict[str, str]) -> str | None:
    """Say why this machine cannot run tasks in the same way as the machine that sends them. None if it can."""
    problem = sandbox.find_problem() if sandboxed else None
    different = [f"{name} {found} instead of {expected[name]}" for name, found in versions().items() if found != expected[name]]
    if different:
        problem = f"it has {', '.join(different)}. Install the same packages there as here"
    return problem and f"the worker on {socket.gethostname()} cannot grade: {problem}"


def run_on_worker(task: Task, expected: dict[str, str], patient: bool) -> str:
    """Run a task on a worker, and return its Execution as JSON."""
    problem = find_worker_problem(task.sandboxed, expected)
    if problem:
        raise Refused(problem, code=1)
    return run(task, patient=patient)


def start_workers(root: Path, jobs: int, scheduler: str | None, sandboxed: bool, say: Callable[[str], None]) -> "Workers":
    """Start the workers that a person asked for. They report delays to `say`."""
    if scheduler:
        from tito.grading.cluster import Cluster

        return Cluster(root, scheduler, sandboxed, say)
    if sandboxed:
        sandbox.require()
    return Processes(root, jobs) if jobs > 1 else Here(root)


class Workers:
    """Runs many jobs at once. A job that fails or times out runs again alone."""

    room = 1  # how many tasks run at once

    def __init__(self, root: Path):
        self.root = root

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: Any) -> None:
        """Stop at once, also tasks that are running."""

    def submit(self, task: Task, patient: bool) -> Future:
        raise NotImplementedError

    def finished(self, flying: Iterable[Future]) -> Iterable[Future]:
        return wait(flying, return_when=FIRST_COMPLETED).done

    def result(self, future: Future) -> str:
        """Return the result of a task, an Execution as JSON. Raise Lost or Died if its worker was lost."""
        return future.result()

    def run(self, items: Iterable[Any]) -> Iterator[Any]:
        """Run the jobs among the items. Yield a Ready for each when its execution is cached; yield other items unchanged."""
        waiting, again, alone = iter(items), deque[Job](), deque[Job]()
        flying: dict[Future, Job] = {}
        while True:
            while len(flying) < self.room and not any(job.alone for job in flying.values()):
                item = again.popleft() if again else next(waiting, None)
                if item is None:
                    break
                if isinstance(item, Job):
                    flying[self.submit(item.task, item.alone)] = item
                else:
                    yield item
            if not flying and alone:
                job = alone.popleft()
                flying[self.submit(job.task, patient=True)] = job
            if not flying:
                return
            for future in self.finished(flying):
                job = flying.pop(future)
                try:
                    text = self.result(future)
                except Lost:
                    (alone if job.alone else again).append(job)
                except Refused:
                    raise
                except (Died, TitoError, OSError) as error:
                    job.failures, job.alone = job.failures + 1, True
                    if job.failures < ATTEMPTS:
                        alone.append(job)
                    else:
                        yield Ready(job.student, str(error))
                else:
                    if Execution.from_json(text).unsure and not job.alone:
                        job.alone = True
                        alone.append(job)
                    else:
                        execution_cache.save(self.root, job.task.key, text)
                        yield Ready(job.student)


class Here(Workers):
    """Runs nothing. Without parallel jobs, each submission is executed when it is graded."""

    def run(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            yield Ready(item.student) if isinstance(item, Job) else item


class Processes(Workers):
    """Runs tasks in processes of this machine."""

    def __init__(self, root: Path, jobs: int):
        super().__init__(root)
        self.jobs, self.room = jobs, 2 * jobs
        self._start()

    def _start(self) -> None:
        context = processes.start_context()
        theirs, self.alive = context.Pipe(duplex=False)
        self.pool = ProcessPoolExecutor(self.jobs, context, _end_with_parent, (theirs,))

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            self.alive.close()
        self.pool.shutdown(cancel_futures=True)
        self.alive.close()

    def submit(self, task: Task, patient: bool) -> Future:
        try:
            return self.pool.submit(run_on_worker, task, versions(), patient)
        except BrokenProcessPool:
            self.alive.close()
            self._start()
            return self.submit(task, patient)

    def result(self, future: Future) -> str:
        try:
            return super().result(future)
        except BrokenProcessPool:
            raise Died("the process that ran it died") from None


def _end_with_parent(parent: Connection) -> None:
    """In a new process: clean up and exit when the parent closes the pipe or dies."""

    def watch() -> None:
        parent.poll(None)
        sandbox.remove_scratch()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()
