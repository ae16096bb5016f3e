"""Execution on a dask.distributed cluster. Each task carries all that it needs, so the machines need not share a disk."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tito.errors import TitoError
from tito.grading.execute import Task, versions
from tito.grading.workers import Died, Lost, Refused, Workers, find_worker_problem, run_on_worker

SECONDS = 30  # to wait for a scheduler's first answer, and for a worker to join it
PATIENCE = 1800  # seconds to wait for a lost scheduler to come back


class Cluster(Workers):
    """Runs tasks on the workers of a scheduler. If the scheduler is lost, waits for it and runs its tasks again."""

    def __init__(self, root: Path, address: str, sandboxed: bool, say: Callable[[str], None]):
        super().__init__(root)
        try:
            import distributed
        except ModuleNotFoundError:
            raise TitoError("--scheduler needs dask.distributed: pip install 'tinytorch[cluster]'") from None
        for name in ("distributed", "distributed.client"):  # this class reports a lost scheduler itself, in one line
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.distributed, self.address, self.say = distributed, address, say
        self.news = threading.Event()
        try:
            self.client = self._connect(SECONDS)
        except OSError as error:
            raise TitoError(f"no dask scheduler answers at {address} ({error}). Start one with `dask scheduler`") from None
        except ValueError as error:
            raise TitoError(f"--scheduler {address} is not an address ({error}). Write tcp://10.0.0.1:8786") from None
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
            raise TitoError(f"{self.address} has no workers. Start some with `dask worker {self.address}`") from None
        for worker, problem in self.client.run(find_worker_problem, sandboxed, versions(), on_error="return").items():
            if isinstance(problem, ModuleNotFoundError):
                problem = f"the worker at {worker} cannot grade: {problem}. Install the same packages there as here"
            if problem:
                raise Refused(problem, code=1)

    def __exit__(self, *_: Any) -> None:
        self.client.close()

    @property
    def room(self) -> int:
        try:
            return max(2, 2 * sum(self.client.nthreads().values()))
        except (OSError, RuntimeError):  # the scheduler does not answer at the moment
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
        if future.status == "cancelled":  # losing the scheduler cancels all futures
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
        """Wait for a lost scheduler, and connect to it again."""
        if self.client.status == "running":
            return
        self.say(f"the scheduler at {self.address} is gone. Waiting for it")
        self.client.close()
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.client = self._connect(SECONDS)
                return
            except OSError as error:
                if time.monotonic() > until:
                    gone = f"the scheduler at {self.address} did not come back. Run this again when it answers"
                    raise TitoError(gone, code=1) from error
