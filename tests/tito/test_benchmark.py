"""A benchmark reports its measurements, and uses the package of the current folder."""

import itertools
import json
import subprocess
import sys

import pytest

from tito import benchmark
from tito.errors import TitoError
from tito.syllabus import module


def test_the_rivals_run_in_turns_and_the_ratio_is_of_each_turn(monkeypatch):
    clock, order = itertools.count(), []
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: float(next(clock)))
    rivals = {benchmark.OURS: lambda: order.append("ours") or next(clock), benchmark.THEIRS: lambda: order.append("theirs")}
    result = benchmark.time_case(benchmark.Case(2, "a case", lambda: rivals), rounds=4)
    assert order[-8:] == ["theirs", "ours", "ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert (result.seconds, result.rival, result.ratio) == (2, 1, 2)
    assert (result.low, result.high) == (2, 2)


def test_every_case_is_measured_on_the_package_here(root):
    words = [sys.executable, "-m", "tito", "benchmark", "--module", "02", "--rounds", "2", "--json"]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert [result["name"] for result in results] == [case.name for case in benchmark.CASES if case.module == 2]
    assert all(result["seconds"] > 0 for result in results)


@pytest.mark.parametrize("case", benchmark.CASES, ids=lambda case: case.name)
def test_a_case_computes_the_shape_that_its_rival_computes(case):
    torch = pytest.importorskip("torch")
    rivals = case.make()
    torch.set_grad_enabled(True)  # the benchmark's own process leaves it off
    ours, theirs = rivals[benchmark.OURS](), rivals[benchmark.THEIRS]()
    theirs = theirs[0] if isinstance(theirs, tuple) else theirs
    assert getattr(ours, "shape", ours) == tuple(getattr(theirs, "shape", ())) or ours == theirs


def test_a_module_without_a_case_is_a_wrong_question(root):
    with pytest.raises(TitoError, match="there is no benchmark for 00_introduction"):
        benchmark.run(root, [module(0)], rounds=2)
