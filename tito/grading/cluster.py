"""Execution on a dask.distributed cluster: each task travels with all that it needs to machines that share no disk."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tito.errors import TitoError
from tito.grading.execute import Task, versions
from tito.grading.workers import Died, Lost, Refused, Workers, find_worker_problem, run_on_worker

SECONDS = 30  # for a scheduler to answer at first, and for a worker to join it
PATIENCE = 1800  # seconds for a scheduler that was lost to come back


class Cluster(Workers):
    """Runs tasks on the workers of a scheduler. One that is lost is waited for, and what it had under way runs again."""

    def __init__(self, root: Path, address: str, sandboxed: bool, say: Callable[[str], None]):
        super().__init__(root)
        try:
            import distributed
        except ModuleNotFoundError:
            raise TitoError("--scheduler needs dask.distributed: pip install 'tinytorch[cluster]'") from None
        for name in ("distributed", "distributed.client"):  # what they would say of a loss is said here, in one line
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.distributed, self.address, self.say = distributed, address, say
        self.news = threading.Event()
        try:
            self.client = self._connect(SECONDS)
        except OSError as error:
            raise TitoError(f"no dask scheduler answers at {address} ({error}): start one with `dask scheduler`") from None
        except ValueError as error:
            raise TitoError(f"--scheduler {address} is no address ({error}): they look like tcp://10.0.0.1:8786") from None
        try:
            self._check_workers(sandboxed)
        except TitoError:
            self.client.close()
            raise

    def _connect(self, seconds: float):
        return self.distributed.Client(self.address, timeout=seconds, set_as_default=False)

    def _check_workers(self, sandboxed: bool) -> None:
        try:
            self.client.wait_for_workers(1, timeout=SECONDS)
        except TimeoutError:
            raise TitoError(f"{self.address} has no workers: start some with `dask worker {self.address}`") from None
        for worker, problem in self.client.run(find_worker_problem, sandboxed, versions(), on_error="return").items():
            if isinstance(problem, ModuleNotFoundError):
                problem = f"the worker at {worker} cannot grade: {problem}: install there what is installed here"
            if problem:
                raise Refused(problem, code=1)

    def __exit__(self, *_: Any) -> None:
        self.client.close()

    @property
    def room(self) -> int:
        try:
            return max(2, 2 * sum(self.client.nthreads().values()))
        except (OSError, RuntimeError):  # it is not there at the moment
            return 2

    def submit(self, task: Task, patient: bool):
        while True:
            try:
                future = self.client.submit(run_on_worker, task, versions(), patient, pure=False)
                break
            except (OSError, RuntimeError):
                self._reconnect()
        future.add_done_callback(lambda _: self.news.set())
        return future

    def finished(self, flying: Iterable) -> Iterable:
        while True:
            self.news.clear()
            done = [future for future in flying if future.done()]
            if done:
                return done
            self.news.wait(5)

    def result(self, future) -> str:
        if future.status == "cancelled":  # as all are when the scheduler is lost
            self._reconnect()
            raise Lost
        try:
            return future.result(SECONDS)
        except self.distributed.scheduler.KilledWorker:
            raise Died("every worker that ran it died") from None
        except (self.distributed.CancelledError, self.distributed.comm.CommClosedError, TimeoutError):
            self._reconnect()
            raise Lost from None

    def _reconnect(self) -> None:
        """Wait for a scheduler that is gone."""
        if self.client.status == "running":
            return
        self.say(f"the scheduler at {self.address} is gone: waiting for it")
        self.client.close()
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.client = self._connect(SECONDS)
                return
            except OSError as error:
                if time.monotonic() > until:
                    gone = f"the scheduler at {self.address} did not come back: run this again when it has"
                    raise TitoError(gone, code=1) from error
