"""A benchmark reports its measurements and on what they were made, and uses the package of the current folder."""

import importlib
import itertools
import json
import os
import subprocess
import sys

import pytest

from tito import benchmark
from tito.errors import TitoError
from tito.syllabus import module


def test_the_frameworks_take_turns_and_the_ratio_is_of_each_turn(monkeypatch):
    monkeypatch.setattr(benchmark, "PAUSE", 0)
    asked = []

    def worker(name, seconds):
        return lambda order: asked.append((name, order)) or seconds

    ask = {benchmark.OURS: worker("ours", 2.0), benchmark.THEIRS: worker("theirs", 1.0)}
    result = benchmark.time_case(3, ask, rounds=4)
    assert asked[:2] == [("ours", 3), ("theirs", 3)]
    turns = [name for name, order in asked if order == "turn"]
    assert turns == ["ours", "theirs", "theirs", "ours", "ours", "theirs", "theirs", "ours"]
    assert (result.seconds, result.rival, result.ratio) == (2, 1, 2)
    assert (result.low, result.high) == (2, 2)


def test_a_turn_begins_with_a_call_that_is_not_timed(monkeypatch):
    clock, calls = itertools.count(), []
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: float(next(clock)))
    assert benchmark._time(lambda: calls.append(1), 4) == 1 / 4
    assert len(calls) == 5


def run(root, *words, **settings):
    command = [sys.executable, "-m", "tito", "benchmark", *words]
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_THREAD_TIMEOUT"} | settings
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("options", [(), ("--numpy-first",)], ids=" ".join)
def test_every_case_is_measured_on_the_package_here(root, options):
    done = run(root, "--module", "02", "--rounds", "2", "--json", *options)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [result["name"] for result in report["results"]] == [case.name for case in benchmark.CASES if case.module == 2]
    assert all(result["seconds"] > 0 for result in report["results"])
    ours = report["frameworks"]["tinytorch"]
    assert ours["numpy_first"] == bool(options)
    assert (ours["timeout"] is None) == bool(options), "NumPy reads it when it is imported"
    assert ours["kernel"] and ours["version"].startswith("NumPy ")
    assert report["machine"]["processor"]


def test_the_table_ends_with_kernels_threads_and_the_order_of_imports(root):
    done = run(root, "--module", "02", "--rounds", "2", OPENBLAS_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert "NumPy imported after tinytorch" in done.stdout
    assert "PyTorch" in done.stdout.splitlines()[-1]


def test_an_error_in_the_package_is_one_line(root, tmp_path):
    (tmp_path / "modules").mkdir()
    (tmp_path / "tinytorch").mkdir()
    (tmp_path / "tinytorch" / "__init__.py").write_text("print('loud')\nraise ValueError('no package today')\n")
    done = run(tmp_path, "--module", "02", "--rounds", "2", PYTHONPATH=str(root))
    assert (done.returncode, done.stderr) == (1, "tito: the benchmark ended with an error: ValueError: no package today\n")


@pytest.mark.parametrize("case", benchmark.CASES, ids=lambda case: case.name)
def test_a_case_computes_the_same_shape_in_both_frameworks(case):
    torch = pytest.importorskip("torch")
    with torch.set_grad_enabled(case.learns):
        ours, theirs = (case.make(importlib.import_module(name))() for name in (benchmark.OURS, benchmark.THEIRS))
    assert getattr(ours, "shape", ours) == getattr(theirs, "shape", theirs)


def test_a_module_without_a_case_is_a_usage_error(root):
    with pytest.raises(TitoError, match="there is no benchmark for 00_introduction"):
        benchmark.run(root, [module(0)], rounds=2)
