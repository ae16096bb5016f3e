"""Time the package here: the learner's own in a workspace, the reference in the repository.

PyTorch's CPU build is timed beside it, if it is installed. Each framework has a process of its own, because the threads of two in
one process disturb each other. They take turns, so that a noisy machine disturbs both. Reported are the median of each, and the
median and middle half of the ratios.
"""

import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tito.benchmark_cases import CASES, OURS, THEIRS, Case
from tito.errors import TitoError
from tito.syllabus import MODULES, Module

PAUSE = 0.05  # seconds between turns, in which the idle threads of the other framework stop spinning


@dataclass
class Result:
    """Seconds per call, and the ratio of ours to PyTorch's: median and quartiles over the turns. None without PyTorch."""

    module: str
    name: str
    seconds: float
    rival: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass
class Report:
    """What was measured, and on what: the processor, and for each framework its kernels, threads and order of imports."""

    machine: dict[str, str | int]
    frameworks: dict[str, dict[str, str | int | None]]
    results: list[Result]


def run(root: Path, modules: list[Module], rounds: int, numpy_first: bool = False) -> Report:
    """Time every case of the given modules, ours with the package of `root`."""
    numbers = [number for number, case in enumerate(CASES) if not modules or MODULES[case.module] in modules]
    if not numbers:
        with_cases = ", ".join(sorted({MODULES[case.module].id for case in CASES}))
        raise TitoError(f"there is no benchmark for {', '.join(map(str, modules))}. There are some for {with_cases}")
    names = [OURS, THEIRS] if importlib.util.find_spec("torch") else [OURS]
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(name, root, numpy_first)) for name in names}
        results = [time_case(number, {name: worker.ask for name, worker in workers.items()}, rounds) for number in numbers]
        return Report(_machine(), {name: worker.ask("about") for name, worker in workers.items()}, results)


def time_case(number: int, ask: dict[str, Callable], rounds: int) -> Result:
    """Give each framework its turns at a case. `ask` has a function for each, which passes an order to its worker."""
    for order in ask.values():
        order(number)
    turns: dict[str, list[float]] = {name: [] for name in ask}
    for turn in range(rounds):
        for name in sorted(ask, reverse=bool(turn % 2)):
            time.sleep(PAUSE)
            turns[name].append(ask[name]("turn"))
    medians = {name: statistics.median(times) for name, times in turns.items()}
    result = Result(MODULES[CASES[number].module].slug, CASES[number].name, medians[OURS])
    if THEIRS in ask:
        ratios = [a / b for a, b in zip(turns[OURS], turns[THEIRS], strict=True)]
        result.rival = medians[THEIRS]
        result.low, result.ratio, result.high = statistics.quantiles(ratios, n=4)
    return result


def _machine() -> dict[str, str | int]:
    """Return the model of the processor, its logical cores, and the version of Python."""
    cpuinfo, model = Path("/proc/cpuinfo"), platform.processor() or platform.machine()
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {"processor": named[0] if named else model, "cores": os.cpu_count() or 1, "python": platform.python_version()}


class Worker:
    """The process of one framework. It waits for an order, obeys and replies, so that never more than one works."""

    def __init__(self, name: str, root: Path, numpy_first: bool):
        command = [sys.executable, "-m", "tito.benchmark", name, *(["--numpy-first"] if numpy_first else [])]
        self.stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115  (as long as the process)
        self.process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr, text=True
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error) -> None:
        self.process.kill()
        self.process.communicate()
        self.stderr.close()

    def ask(self, order: str | int):
        """Give an order, and wait for the reply."""
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, ValueError):
            self.process.wait()
            self.stderr.seek(0)
            said = self.stderr.read().strip().splitlines() or ["it said nothing"]
            raise TitoError(f"the benchmark ended with an error: {said[-1]}", code=1) from None


# -- in the process of one framework -----------------------------------------------------------------------------------


def main(name: str, numpy_first: bool) -> None:
    """Obey orders from stdin: the number of a case prepares it, "turn" times it, "about" tells what is measured."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the package prints is no reply
    if numpy_first:
        import numpy  # noqa: F401
    before = {"numpy_first": "numpy" in sys.modules}
    if before["numpy_first"]:
        before["timeout"] = os.environ.get("OPENBLAS_THREAD_TIMEOUT")  # what tinytorch sets later has no effect
    timed, calls = None, 0
    for line in sys.stdin:
        order = json.loads(line)
        if order == "turn":
            reply = _time(timed, calls)
        elif order == "about":
            reply = {**_kernel(name), **before}
        else:
            timed = _prepare(CASES[order], name)
            reply = calls = _calls_per_turn(timed)
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _prepare(case: Case, name: str) -> Callable[[], object]:
    if name == OURS:
        from tito.workspace import use_prefix

        use_prefix(case.module + 1)
    framework = importlib.import_module(name)
    if name == THEIRS:
        framework.set_grad_enabled(case.learns)
    return case.make(framework)


def _calls_per_turn(f: Callable[[], object], enough: float = 0.02) -> int:
    """After a warm-up, return the number of calls that take `enough` seconds."""
    f()
    f()
    return max(1, round(enough / max(_time(f, 1), 1e-7)))


def _time(f: Callable[[], object], calls: int) -> float:
    """Return seconds per call, after one that wakes the threads and fills the caches."""
    f()
    start = time.perf_counter()
    for _ in range(calls):
        f()
    return (time.perf_counter() - start) / calls


def _kernel(name: str) -> dict[str, str | int | None]:
    """Return the versions of a framework and of what multiplies its matrices, and how many threads that uses."""
    import numpy
    from threadpoolctl import threadpool_info

    if name == THEIRS:
        import torch

        blas = "MKL" if torch.backends.mkl.is_available() else "BLAS"
        return {"version": torch.__version__, "kernel": blas, "threads": torch.get_num_threads()}
    facts = {"version": f"NumPy {numpy.__version__}", "timeout": os.environ.get("OPENBLAS_THREAD_TIMEOUT")}
    pool = next((pool for pool in threadpool_info() if pool["user_api"] == "blas"), None)
    if pool is None:  # threadpoolctl does not know Apple's Accelerate
        blas = numpy.show_config("dicts")["Build Dependencies"]["blas"]
        return {**facts, "kernel": f"{blas['name']} {blas['version']}", "threads": None}
    kernel = f"{pool['internal_api']} {pool['version']} for {pool.get('architecture')}"
    return {**facts, "kernel": kernel, "threads": pool["num_threads"]}


if __name__ == "__main__":
    main(sys.argv[1], "--numpy-first" in sys.argv)
