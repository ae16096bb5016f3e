"""Time the package here: the learner's own in a workspace, the reference in the repository.

PyTorch's CPU build is timed beside it, if it is installed. Both run in turns, so that a noisy machine disturbs both.
Reported are the median of each, and the median and middle half of the ratios.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tito.benchmark_cases import CASES, OURS, THEIRS, Case
from tito.errors import TitoError
from tito.syllabus import MODULES, Module


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


def run(root: Path, modules: list[Module], rounds: int) -> list[Result]:
    """Time every case of the given modules in a new Python process, which imports the package of `root`."""
    command = [sys.executable, "-m", "tito.benchmark", str(rounds), *[str(module.number) for module in modules]]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise TitoError(f"the benchmark ended with an error: {said[-1]}", code=1)
    results = [Result(**fields) for fields in json.loads(done.stdout)]
    if not results:
        raise TitoError(f"there is no benchmark for {', '.join(map(str, modules))}. There are some for {_modules_with_cases()}")
    return results


def _modules_with_cases() -> str:
    return ", ".join(sorted({MODULES[case.module].id for case in CASES}))


def time_case(case: Case, rounds: int) -> Result:
    rivals = case.make()
    calls = {name: _calls_per_turn(f) for name, f in rivals.items()}
    turns: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(rounds):
        for name in sorted(rivals, reverse=bool(turn % 2)):
            turns[name].append(_time(rivals[name], calls[name]))
    medians = {name: statistics.median(times) for name, times in turns.items()}
    result = Result(MODULES[case.module].slug, case.name, medians[OURS])
    if THEIRS in rivals:
        ratios = [a / b for a, b in zip(turns[OURS], turns[THEIRS], strict=True)]
        result.rival = medians[THEIRS]
        result.low, result.ratio, result.high = statistics.quantiles(ratios, n=4)
    return result


def _calls_per_turn(f: Callable[[], object], enough: float = 0.02) -> int:
    """After a warm-up, return the number of calls that take `enough` seconds."""
    f()
    f()
    return max(1, round(enough / max(_time(f, 1), 1e-7)))


def _time(f: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        f()
    return (time.perf_counter() - start) / calls


def _measure(rounds: int, numbers: set[int]) -> Iterator[Result]:
    from tito.workspace import use_prefix

    wanted = [case for case in CASES if not numbers or case.module in numbers]
    for case in wanted:
        use_prefix(case.module + 1)
        yield time_case(case, rounds)


if __name__ == "__main__":
    found = [asdict(result) for result in _measure(int(sys.argv[1]), set(map(int, sys.argv[2:])))]
    json.dump(found, sys.stdout)
