# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: kernelspec,tinytorch
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   tinytorch:
#     title: Setup
#     part: Foundations
#     hours: 3
#     goals:
#     - describe the machine that a measurement was made on
#     - time a call so that the number means something, and say why it is the minimum and not the mean
#     - measure the memory that a computation needs at its peak
#     - compare two functions fairly, and be able to conclude that there is no difference
#     - draw what this machine can do, in GFLOP/s and GB/s, from your own measurements
# ---

# %% [markdown]
# # Setup
#
# > This machine as an instrument: how long a call takes, how much memory it needs, and which of two is faster.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(1)

# %% [markdown]
# ## Why measure with care
#
# A framework is full of claims: this loop is faster, that optimizer needs less memory. This
# course measures its claims, and a careless measurement lies. Below, the same function is timed
# twice, once under the name `old` and once under the name `new`.
#
# Predict the number that is printed, then run the cell several times.

# %%
import time

import numpy as np

x = np.ones(1_000_000)
seconds = {}
for name in ["old", "new"]:
    start = time.perf_counter()  # a clock, in seconds
    x.copy()
    seconds[name] = time.perf_counter() - start
print(f"new is {seconds['old'] / seconds['new']:.2f} times as fast as old")

# %% [markdown]
# Whatever it says beyond 1.00 is not about the function. At the end of this module you have a
# tool that answers *no difference* here. On the way you build the four instruments which every
# later module measures with: a description of the machine, a timer, a memory meter, and a
# comparison.

# %%
#| default_exp core.setup

# %%
#| export
import platform
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import psutil
from threadpoolctl import threadpool_info

# %% [markdown]
# The next two cells import what only this notebook needs: helpers of the checks, and plots.

# %% nbgrader={"grade": false, "grade_id": "helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math
import sys
import threading
from unittest import mock

from threadpoolctl import threadpool_limits

# %%
import matplotlib.pyplot as plt

# %% [markdown]
# ## Which machine is this?
#
# A time without its machine is half a fact. NumPy hands its matrix products to a library called
# BLAS (basic linear algebra subprograms), and BLAS spreads them over several threads.
# `threadpool_info()` lists every library in this process which keeps such threads, one
# dictionary each.
#
# How many threads do you expect a matrix product to use here?

# %%
threadpool_info()

# %% [markdown]
# The list may hold other libraries too, for example an OpenMP runtime with `user_api` equal to
# `"openmp"`. It may also hold no BLAS at all: NumPy on a Mac can use Apple's Accelerate, which
# this package cannot see.
#
# Write `_blas`: from the first dictionary whose `user_api` is `"blas"`, return the pair
# (`internal_api`, `num_threads`). Where there is none, return `(None, None)`. Four lines
# suffice.

# %% nbgrader={"grade": false, "grade_id": "blas", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _blas(pools: Sequence[dict]) -> tuple[str | None, int | None]:
    """Name and number of threads of the first BLAS in `threadpool_info()`'s list; (None, None) if there is none."""
    ### BEGIN SOLUTION
    for pool in pools:
        if pool["user_api"] == "blas":
            return pool["internal_api"], pool["num_threads"]
    return None, None
    ### END SOLUTION

# %%
_blas(threadpool_info())

# %% nbgrader={"grade": true, "grade_id": "blas_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""_blas finds the BLAS wherever it stands in the list, and says so when there is none."""
openmp = {"user_api": "openmp", "internal_api": "openmp", "num_threads": 16}
mkl = {"user_api": "blas", "internal_api": "mkl", "num_threads": 4}

found = _blas([openmp, mkl])
assert found == ("mkl", 4), f"the BLAS is the second of two libraries: ('mkl', 4), not {found}"
found = _blas([openmp])
assert found == (None, None), f"there is no BLAS in this list: (None, None), not {found}"

# %% nbgrader={"grade": true, "grade_id": "blas_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on two BLAS libraries with another one before them, and on an empty list."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_pools = [
    {"user_api": "openmp", "internal_api": "openmp", "num_threads": 3},
    {"user_api": "blas", "internal_api": "openblas", "num_threads": 6},
    {"user_api": "blas", "internal_api": "mkl", "num_threads": 12},
]
answer(list(_blas(_pools)), about="two BLAS libraries, the second and third of the list")
answer(list(_blas([])), about="an empty list")
### END HIDDEN TESTS

# %% [markdown]
# Now the whole description. A *core* computes; a *logical core* is what the operating system
# counts, often two a core. Write `system_info`, a dictionary with these keys:
#
# | key | value |
# | --- | --- |
# | `python` | `platform.python_version()` |
# | `platform` | `platform.platform()` |
# | `cores` | `psutil.cpu_count(logical=False)` |
# | `logical_cores` | `psutil.cpu_count()` |
# | `memory` | bytes built in: `psutil.virtual_memory().total` |
# | `numpy` | `np.__version__` |
# | `blas`, `blas_threads` | what `_blas` finds in `threadpool_info()` now |

# %% nbgrader={"grade": false, "grade_id": "system_info", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def system_info() -> dict[str, str | int | None]:
    """This machine and its numerical software, as it is now; memory in bytes, None for what cannot be found out."""
    ### BEGIN SOLUTION
    blas, blas_threads = _blas(threadpool_info())
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "numpy": np.__version__,
        "blas": blas,
        "blas_threads": blas_threads,
    }
    ### END SOLUTION

# %%
system_info()

# %% nbgrader={"grade": true, "grade_id": "system_info_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""system_info tells what other sources tell, and what holds now: BLAS held to one thread says 1."""
info = system_info()
keys = {"python", "platform", "cores", "logical_cores", "memory", "numpy", "blas", "blas_threads"}

assert set(info) == keys, f"these keys are missing or too many: {sorted(keys ^ set(info))}"
assert sys.version.startswith(info["python"]), f"this Python is {sys.version.split()[0]}, not {info['python']}"
assert info["memory"] == psutil.virtual_memory().total, f"memory is the total, in bytes, not {info['memory']}"
with threadpool_limits(limits=1):
    threads = system_info()["blas_threads"]
    assert threads == _blas(threadpool_info())[1], f"BLAS is held to one thread here, system_info says {threads}"

# %% nbgrader={"grade": true, "grade_id": "system_info_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a pretended machine with 3 cores, 6 logical cores, a BLAS, and memory half of which is in use."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_pool, _info = {"user_api": "blas", "internal_api": "mkl", "num_threads": 5}, {}
_memory = mock.Mock(total=16_000_000_000, available=8_000_000_000, free=4_000_000_000)
with (
    mock.patch.object(psutil, "cpu_count", lambda logical=True: 6 if logical else 3),
    mock.patch.object(psutil, "virtual_memory", lambda: _memory),
    mock.patch.dict(globals(), threadpool_info=lambda: [_pool]),
):
    _info.update(system_info())
answer([_info["cores"], _info["logical_cores"], _info["memory"]], about="cores, logical cores, memory")
answer([_info["blas"], _info["blas_threads"]], about="the BLAS and its threads")
### END HIDDEN TESTS

# %% [markdown]
# ## A number with its unit
#
# Nobody reads `0.0000312 s` or `67108864 B` at a glance. Write `readable`:
#
# 1. round to three significant digits (`float(f"{value:.3g}")`);
# 2. take the largest scale in `_PREFIXES` which is not above the rounded value (without its
#    sign); if all are above, the smallest;
# 3. divide, and print with `.3g`, a space, the prefix and the unit: `"31.2 µs"`.
#
# Rounding comes first: 0.0009999 s rounds to 0.001 s, which is `"1 ms"`, not `"1e+03 µs"`. Two
# exceptions get no prefix: zero (`"0 s"`), and a pure number, whose unit is `""` (`"0.52"`,
# without a space at the end). Five lines suffice.

# %% nbgrader={"grade": false, "grade_id": "readable", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
_PREFIXES = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")]


def readable(value: float, unit: str = "") -> str:
    """Three significant digits and a prefix: readable(3.12e-5, "s") is "31.2 µs"; a pure number gets no prefix."""
    ### BEGIN SOLUTION
    value = float(f"{value:.3g}")
    if value == 0 or unit == "":
        return f"{value:.3g} {unit}".rstrip()
    scale, prefix = next((pair for pair in _PREFIXES if abs(value) >= pair[0]), _PREFIXES[-1])
    return f"{value / scale:.3g} {prefix}{unit}"
    ### END SOLUTION

# %% [markdown]
# Which prefix will each of these get?

# %%
readable(3.12e-5, "s"), readable(67_108_864, "B"), readable(2.5e10, "FLOP/s"), readable(0.52)

# %% nbgrader={"grade": true, "grade_id": "readable_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""readable keeps three digits, rounds before it chooses a prefix, heeds no sign, and leaves zero and pure numbers without one."""
for value, unit, text in [
    (3.124e-5, "s", "31.2 µs"),
    (67_108_864, "B", "67.1 MB"),
    (0.0009999, "s", "1 ms"),
    (0, "s", "0 s"),
    (0.5234, "", "0.523"),
    (-2500.0, "s", "-2.5 ks"),
    (5e-11, "s", "0.05 ns"),
]:
    assert readable(value, unit) == text, f"{value} {unit} reads {text!r}, not {readable(value, unit)!r}"

# %% nbgrader={"grade": true, "grade_id": "readable_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a negative time, on values far below a nano and above a giga, and on one just below a kilo."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(readable(-0.00456, "s"), about="a negative time")
answer([readable(4.2e-10, "s"), readable(3.456e12, "FLOP/s")], about="below a nano, above a giga")
answer([readable(999.4, "B"), readable(999.6, "B"), readable(1.0, "s")], about="around a kilo, and exactly one")
### END HIDDEN TESTS

# %% [markdown]
# ## Ten numbers for one thing
#
# One function, ten times. Will the ten numbers agree, and which will be the odd one?

# %%
def work():
    return sum(range(1000))


def once(f):
    start = time.perf_counter()
    f()
    return time.perf_counter() - start

# %%
[readable(once(work), "s") for _ in range(10)]

# %% [markdown]
# Your computer also does other things: it moves a window, fetches mail, changes the speed of
# its processor. Let us make one such neighbour on purpose, a thread which wants the same
# processor, and take three thousand samples beside it.

# %%
def neighbour():
    while not done.is_set():
        sum(range(1000))

# %%
done = threading.Event()
thread = threading.Thread(target=neighbour)
thread.start()
seconds = np.array([once(work) for _ in range(3000)])
done.set()
thread.join()

# %% [markdown]
# On the left both axes are logarithmic: a bar far to the right is a call that took a hundred or
# a thousand times as long. The right half cuts the samples into ten groups of 300 and draws the
# minimum, the median and the mean of each. Which of the three lines will jump?

# %%
statistics = {"min": (np.min, "C2"), "median": (np.median, "C0"), "mean": (np.mean, "C3")}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.hist(1e6 * seconds, bins=np.geomspace(1e6 * seconds.min(), 1e6 * seconds.max(), 60), color="lightgray")
for name, (f, color) in statistics.items():
    left.axvline(1e6 * f(seconds), color=color, label=name)
    right.plot(range(1, 11), 1e6 * f(seconds.reshape(10, 300), axis=1), "o-", color=color, label=name)
left.set(xscale="log", yscale="log", xlabel="one call (µs)", ylabel="calls", title="3000 calls beside a neighbour")
right.set(ylim=(0, None), xlabel="group of 300 calls", ylabel="one call (µs)", title="what each group reports")
right.legend()
plt.show()

# %% [markdown]
# What disturbs a call only ever adds time. The $i$-th sample is
#
# $$s_i = t + d_i, \qquad d_i \ge 0$$
#
# with $t$ the time that the call itself needs and $d_i$ the delay of that run. The mean is $t$
# plus the mean delay: one huge $d_i$ pulls it away. The minimum is $t + \min_i d_i$: one quiet
# run suffices. So the *minimum* is our answer to "how long does this computation take?".
#
# The minimum is silent about how noisy the runs were. For that we keep two more: the median,
# and the quartiles, between which lies the middle half of the samples.

# %% [markdown]
# All of them are quantiles. Sort the $n$ samples, $s_0 \le s_1 \le \dots \le s_{n-1}$. The
# quantile $q$ sits at position $p = q\,(n-1)$; between two samples, take the straight line:
#
# $$Q(q) = s_k + (p - k)\,(s_{k+1} - s_k), \qquad k = \lfloor p \rfloor$$
#
# So $Q(0)$ is the minimum, $Q(\tfrac12)$ the median, $Q(1)$ the maximum. At $q = 1$ there is no
# $s_{k+1}$, and none is needed. Write `quantile` and let it return a plain `float`, also for
# integers: five lines, or one with NumPy.

# %% nbgrader={"grade": false, "grade_id": "measurement", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@dataclass(frozen=True)
class Measurement:
    """Samples of one quantity, all in the same unit."""

    samples: tuple[float, ...]
    unit: str = "s"

    def __post_init__(self):
        if len(self.samples) == 0:
            raise ValueError("a measurement needs at least one sample")

    def quantile(self, q: float) -> float:
        """Q(q): the minimum at q = 0, the maximum at q = 1, between two samples on a straight line."""
        ### BEGIN SOLUTION
        s = sorted(self.samples)
        position = q * (len(s) - 1)
        k = int(position)
        above = s[min(k + 1, len(s) - 1)]
        return float(s[k] + (position - k) * (above - s[k]))
        ### END SOLUTION

    @property
    def min(self) -> float:
        return self.quantile(0)

    @property
    def median(self) -> float:
        return self.quantile(0.5)

    @property
    def spread(self) -> tuple[float, float]:
        """The lower and the upper quartile: half of the samples lie between them."""
        return self.quantile(0.25), self.quantile(0.75)

    def __repr__(self) -> str:
        low, high = (readable(quartile, self.unit) for quartile in self.spread)
        lowest, median = readable(self.min, self.unit), readable(self.median, self.unit)
        return f"min {lowest}, median {median}, middle half {low} to {high}, of {len(self.samples)}"

# %% [markdown]
# Here are five runs, the last of them disturbed. Their mean is 4.6 ms. Predict the four
# numbers.

# %%
Measurement((0.003, 0.001, 0.002, 0.004, 0.013))

# %% nbgrader={"grade": true, "grade_id": "measurement_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""quantile agrees with NumPy's at any q, in any order of samples, and one slow run moves neither minimum nor median."""
samples = (4.0, 1.0, 3.0, 2.0)
m = Measurement(samples)

assert m.min == 1.0, f"the samples come unsorted; the minimum of {samples} is 1.0, not {m.min}"
assert m.median == 2.5, f"the median of {samples} lies half-way between 2 and 3, not at {m.median}"
for q in [0.1, 0.25, 0.9, 1.0]:
    expected = np.quantile(samples, q)
    assert math.isclose(m.quantile(q), expected), f"Q({q}) of {samples} is {expected}, not {m.quantile(q)}"
calm, slow = Measurement((1.0, 2.0, 3.0)), Measurement((1.0, 2.0, 300.0))
assert (calm.min, calm.median) == (slow.min, slow.median), "one slow run must move neither minimum nor median"
assert type(Measurement((1, 2)).min) is float, "quantile must return a plain float, also for integer samples"

# %% nbgrader={"grade": true, "grade_id": "measurement_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a single sample, on 101 unsorted ones, and on whether the samples keep their order."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_m = Measurement((7.0,))
answer([_m.min, _m.median, *_m.spread], about="a single sample")
_m = Measurement(tuple(np.random.default_rng(1).permutation(101) / 8))
answer([_m.min, _m.median, *_m.spread, _m.quantile(0.333), _m.quantile(1)], about="101 samples")
_samples = [3.0, 1.0, 2.0]
_m = Measurement(_samples)
answer(_m.median, about="the median of a list")
answer(list(_m.samples), about="the samples, still in the order in which they were measured")
### END HIDDEN TESTS

# %% [markdown]
# ## A clock is coarse
#
# Below, nothing at all happens between two readings of the clock. What do you expect the
# differences to be?

# %%
ticks = [time.perf_counter() for _ in range(6)]
[readable(difference, "s") for difference in np.diff(ticks)]

# %% [markdown]
# They are the cost of reading the clock, and its resolution. A call as short as that cannot be
# timed alone. So we time a *batch*: read the clock, make `number` calls, read it again, divide.
# One pair of readings is then shared by many calls.
#
# To check code about time, we need time that behaves. `FakeMachine` is a machine whose clock
# advances only while one of its jobs runs. With it, every function below can be checked
# exactly: they all take the clock to read as the argument `clock`.

# %% nbgrader={"grade": false, "grade_id": "fake_machine", "locked": true, "schema_version": 3, "solution": false, "task": false}
class FakeMachine:
    """A machine whose time passes only while it works; with a drift, each call is slower than the one before."""

    def __init__(self, drift: float = 0.0):
        self.now, self.reads, self.log, self.drift = 0.0, 0, [], drift

    def clock(self) -> float:
        self.reads += 1
        return self.now

    def job(self, name: str, *seconds: float):
        """A function that takes seconds[0] at its first call, then seconds[1], ...; the last one ever after."""
        left = list(seconds)

        def run(*args):
            assert len(self.log) < 10_000, f"{name} is called again and again: does a loop of yours never end?"
            cost = left.pop(0) if len(left) > 1 else left[0]
            self.now += cost * (1 + self.drift * len(self.log))
            self.log.append((name, *args))

        return run

# %%
machine = FakeMachine()
f = machine.job("f", 5.0, 1.0)  # 5 s at the first call, 1 s from then on
f("an argument")
f()
machine.clock(), machine.log

# %% [markdown]
# Write `_batch`: the seconds of *one* call, found from `number` calls of `f(*args)` between
# exactly two readings of the clock. Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "batch", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _batch(f: Callable, args: tuple, number: int, clock: Callable[[], float]) -> float:
    """Seconds of one call of f(*args): `number` calls between two readings of the clock, divided by `number`."""
    ### BEGIN SOLUTION
    start = clock()
    for _ in range(number):
        f(*args)
    return (clock() - start) / number
    ### END SOLUTION

# %% [markdown]
# `work` was timed ten times above, one call at a time. Will its share of a batch of a thousand
# be below or above those?

# %%
readable(_batch(work, (), 1000, time.perf_counter), "s")

# %% nbgrader={"grade": true, "grade_id": "batch_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""_batch makes `number` calls with their arguments, reads the clock twice, and returns the seconds of one call."""
machine = FakeMachine()
per_call = _batch(machine.job("f", 5.0, 1.0), ("x", "y"), 4, machine.clock)

assert machine.log == [("f", "x", "y")] * 4, f"f('x', 'y') must be called 4 times, these were: {machine.log}"
assert machine.reads == 2, f"the clock must be read twice for the whole batch, not {machine.reads} times"
assert per_call == 2.0, f"5 + 1 + 1 + 1 seconds in 4 calls are 2.0 seconds a call, not {per_call}"

# %% nbgrader={"grade": true, "grade_id": "batch_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a machine that has been running for a while, and on a batch of one call."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_machine = FakeMachine()
_machine.now = 1024.0
answer(_batch(_machine.job("f", 3.0, 0.5), (), 5, _machine.clock), about="a clock that does not start at zero")
answer(_batch(_machine.job("g", 0.25), (1,), 1, _machine.clock), about="a batch of one call")
### END HIDDEN TESTS

# %% [markdown]
# ### How many calls are enough?
#
# A function that does nothing, in batches of 1, 10, 100, … calls. From which row on will the
# number stay the same?

# %%
def nothing():
    pass


for number in [1, 10, 100, 1_000, 10_000, 100_000]:
    print(f"{number:7} calls  {readable(_batch(nothing, (), number, time.perf_counter), 's')} a call")

# %% [markdown]
# The batch must last much longer than a tick of the clock. That takes one call of something
# slow, and very many of something fast, and we do not know beforehand which it is. So try: 1
# call, 2 calls, 4, 8, … until a batch lasts at least `min_time` seconds.
#
# Write `_calibrate`, which returns that number of calls: four lines suffice. `_batch` times each
# attempt, but tells the seconds of *one* call. Always try at least one. Do not time one call and
# divide: a coarse clock may say 0.

# %% nbgrader={"grade": false, "grade_id": "calibrate", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _calibrate(f: Callable, args: tuple, min_time: float, clock: Callable[[], float]) -> int:
    """The first of 1, 2, 4, 8, ... calls which together last at least `min_time` seconds."""
    ### BEGIN SOLUTION
    number = 1
    while number * _batch(f, args, number, clock) < min_time:
        number *= 2
    return number
    ### END SOLUTION

# %% [markdown]
# How many calls will `nothing` need to fill a hundredth of a second, and how many `work`?

# %%
[_calibrate(f, (), 0.01, time.perf_counter) for f in (nothing, work)]

# %% nbgrader={"grade": true, "grade_id": "calibrate_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""_calibrate doubles until a whole batch is long enough, and is not deceived by a slow first call."""
machine = FakeMachine()
number = _calibrate(machine.job("f", 1.0), ("x",), 6.0, machine.clock)
assert number == 8, f"batches of 1, 2 and 4 seconds are shorter than 6, one of 8 is not: 8 calls, not {number}"
calls = machine.log
assert calls == [("f", "x")] * 15, f"1 + 2 + 4 + 8 = 15 calls of f('x'), not {len(calls)}: {calls[:3]}"

number = _calibrate(machine.job("slow", 8.0), (), 8.0, machine.clock)
assert number == 1, f"one call of 8 seconds is at least 8 seconds: 1 call, not {number}"
number = _calibrate(machine.job("slow at first", 3.0, 1.0), (), 4.0, machine.clock)
assert number == 4, f"3 s, then 2 calls in 2 s, then 4 calls in 4 s: 4 calls, not {number}"

# %% nbgrader={"grade": true, "grade_id": "calibrate_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a clock which ticks once in 16 seconds, on min_time=0, and on a thousand calls."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_machine = FakeMachine()
answer(_calibrate(_machine.job("f", 1.0), (), 16.0, lambda: _machine.now // 16 * 16), about="a coarse clock")
_machine = FakeMachine()
answer([_calibrate(_machine.job("f", 1.0), (), 0.0, _machine.clock), len(_machine.log)], about="min_time=0")
answer(_calibrate(_machine.job("f", 0.0625), (), 64.0, _machine.clock), about="a thousand calls")
### END HIDDEN TESTS

# %% [markdown]
# ### The first call is another call
#
# Many first calls do work which later ones find done: a file is read, memory is fetched from
# the operating system, a table is filled. `re.compile` keeps the patterns that it has seen.
# Five calls, the first after emptying its memory: what will the five times look like?

# %%
import re

re.purge()
[readable(once(lambda: re.compile("[a-z]+(ly|ing)?")), "s") for _ in range(5)]

# %% [markdown]
# If we want to know what a call costs in the long run, the first one must not be a sample.
# Calibration has already made it, and its measurements are thrown away.
#
# Write `time_call`: calibrate, then take `repeat` samples, each a batch of the number of calls
# that calibration found, and return them as a `Measurement`. Two lines suffice.

# %% nbgrader={"grade": false, "grade_id": "time_call", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def time_call(
    f: Callable, *args, repeat: int = 7, min_time: float = 0.01, clock: Callable[[], float] = time.perf_counter
) -> Measurement:
    """Seconds of one call of f(*args): `repeat` samples, each a batch that lasts at least about `min_time` seconds."""
    ### BEGIN SOLUTION
    number = _calibrate(f, args, min_time, clock)
    return Measurement(tuple(_batch(f, args, number, clock) for _ in range(repeat)))
    ### END SOLUTION

# %% [markdown]
# How far apart will `min` and `median` be now, compared with the histogram above?

# %%
time_call(work)

# %% nbgrader={"grade": true, "grade_id": "time_call_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""time_call gives `repeat` samples in seconds a call, without the slow first call, and calibrates once."""
machine = FakeMachine()
m = time_call(machine.job("f", 100.0, 1.0), repeat=3, min_time=0, clock=machine.clock)
assert isinstance(m, Measurement), f"time_call must return a Measurement, not {type(m).__name__}"
assert tuple(m.samples) == (1.0, 1.0, 1.0), f"the first call, 100 s, is no sample; three times 1 s, not {m.samples}"

machine = FakeMachine()
m = time_call(machine.job("f", 0.5), "x", repeat=5, min_time=4.0, clock=machine.clock)
assert tuple(m.samples) == (0.5,) * 5, f"each batch has 8 calls of 0.5 s: five samples of 0.5 s a call, not {m.samples}"
assert machine.log == [("f", "x")] * 55, f"15 calls of f('x') to calibrate and 5 batches of 8, not {len(machine.log)}"

# %% nbgrader={"grade": true, "grade_id": "time_call_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a job whose calls differ, on the order of its samples, and on several arguments."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_machine = FakeMachine()
_m = time_call(_machine.job("f", 9.0, 2.0, 4.0, 1.0, 3.0), repeat=4, min_time=0, clock=_machine.clock)
answer(list(_m.samples), about="samples in the order in which they were taken")
answer([_m.min, _m.median], about="their minimum and median")
_machine = FakeMachine()
_m = time_call(_machine.job("f", 0.25), 1, 2, 3, repeat=2, min_time=0.9, clock=_machine.clock)
answer([list(_m.samples), len(_machine.log), list(_machine.log[-1])], about="several arguments")
### END HIDDEN TESTS

# %% [markdown]
# ## Memory at the peak
#
# Time is half of the cost. The function below returns one number. Its input has a million
# float64 numbers, 8 MB.

# %% nbgrader={"grade": false, "grade_id": "distance", "locked": true, "schema_version": 3, "solution": false, "task": false}
def distance(x):
    shifted = x - 1.0
    squared = shifted * shifted
    return squared.sum() ** 0.5

# %% [markdown]
# The sizes in bytes of the result and of the input. How much more must the machine have while
# `distance` runs?

# %%
x = np.zeros(1_000_000)
sys.getsizeof(distance(x)), x.nbytes

# %% [markdown]
# The size of the result says nothing about what was alive on the way. Python's `tracemalloc`
# watches every allocation, and NumPy reports its arrays to it:
#
# - `tracemalloc.start()` begins to watch, `tracemalloc.stop()` ends it and forgets everything;
# - `tracemalloc.get_traced_memory()` is the pair (bytes alive now, most bytes alive at once so
#   far).
#
# What was allocated before `start` is not counted, and what is freed does not leave the peak.
# Predict the pair.

# %%
tracemalloc.start()
distance(x)
now, peak = tracemalloc.get_traced_memory()
tracemalloc.stop()
readable(now, "B"), readable(peak, "B")

# %% [markdown]
# Write `peak_memory`: the most bytes allocated at once while `f(*args)` runs. Six lines suffice.
# If `f` raises an error, the error must come out, and the watching must end all the same: put
# the call after `try:` and the end of the watching after `finally:`. Watching that never ends
# makes all later code slow.

# %% nbgrader={"grade": false, "grade_id": "peak_memory", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def peak_memory(f: Callable, *args) -> int:
    """The most bytes allocated at once while f(*args) runs: its result counts, its arguments do not."""
    ### BEGIN SOLUTION
    tracemalloc.start()
    try:
        f(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    ### END SOLUTION

# %% [markdown]
# A view of an array, a copy of it, and `distance`: how much does each allocate?

# %%
for f in [np.ravel, np.copy, distance]:
    print(f"{f.__name__:8}  {readable(peak_memory(f, x), 'B')}")

# %% nbgrader={"grade": true, "grade_id": "peak_memory_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""peak_memory counts what lives at once: the result and what was freed on the way, but not the arguments."""
def two_in_turn():
    for _ in range(2):
        array = np.ones(1_000_000)
        del array  # the first is gone before the second comes

given = np.ones(1_000_000)  # 8 MB
cases = [(np.copy, (given,), 8), (distance, (given,), 16), (two_in_turn, (), 8), (np.ravel, (given,), 0)]
for f, args, megabytes in cases:
    peak = peak_memory(f, *args)
    assert abs(peak - megabytes * 1e6) < 1e5, f"{f.__name__} has {megabytes} MB alive at its peak, not {peak} bytes"
assert type(peak) is int, f"bytes are counted, so they are an int, not {type(peak).__name__}"
assert not tracemalloc.is_tracing(), "tracemalloc still watches after peak_memory has returned"

# %% nbgrader={"grade": true, "grade_id": "peak_memory_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on arrays of other types, on a call that keeps half of what it made, and on one that raises an error."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

answer(round(peak_memory(np.ones, 3_000_000, np.float32) / 1e6), about="megabytes of a result")
answer(round(peak_memory(lambda n: (np.ones(n), np.ones(n))[0], 1_000_000) / 1e6), about="megabytes of a pair")
answer([raised(peak_memory, math.sqrt, -1), tracemalloc.is_tracing()], about="a call that raises an error")
### END HIDDEN TESTS

# %% [markdown]
# Two limits. `tracemalloc` sees what Python and NumPy allocate, not what a library such as BLAS
# keeps for itself. And it counts what was asked for: `np.empty` of a gigabyte counts as a
# gigabyte before one byte of it is used.

# %% [markdown]
# ## Which of two is faster?
#
# Now the question of the first cell. The machine drifts: it warms up and slows down. Here is a
# fake machine on which every call takes a little longer than the call before, and one job under
# two names. We time first one, then the other. Which will look faster, and by how much?

# %%
machine = FakeMachine(drift=1 / 64)
old = time_call(machine.job("old", 1.0), repeat=21, min_time=0, clock=machine.clock)
new = time_call(machine.job("new", 1.0), repeat=21, min_time=0, clock=machine.clock)
print(f"old: {old}\nnew: {new}")

# %% [markdown]
# The minimum cannot help, for this disturbance is not a passing one. But two runs made *one
# right after the other* meet nearly the same machine. So run in **rounds**: every round runs
# each function once and gives one ratio of times. Drift from round to round cancels in a ratio.
#
# Within a round the second still runs a little later. So reverse the order in every other round:
#
# ```text
# round 0   old new
# round 1   new old
# round 2   old new
# ```

# %% [markdown]
# From many ratios, a verdict. If two functions take equally long and the rounds do not influence
# one another, a ratio is above or below 1 as a coin shows heads or tails. Of 21 ratios, the
# lower quartile is the sixth smallest. It is above 1 only if at most five of the 21 coins fell
# below. That, or its mirror image, happens by luck with probability
#
# $$2 \sum_{k=0}^{5} \binom{21}{k} \Big/ 2^{21}$$
#
# How often in a hundred comparisons would we be fooled?

# %%
2 * sum(math.comb(21, k) for k in range(6)) / 2**21

# %% [markdown]
# That is seldom enough. Write `_verdict`, given the ratios of one function's times to
# another's, as a `Measurement`:
#
# - `"faster"` if the whole middle half lies below 1 (a ratio of 0.5 is half of the time);
# - `"slower"` if it lies above 1;
# - `"no difference"` if 1 lies within it, its ends included.
#
# Six lines suffice. *No difference* means: none that these rounds can show.

# %% nbgrader={"grade": false, "grade_id": "verdict", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _verdict(ratio: Measurement) -> str:
    """Where the middle half of the ratios lies: below 1 is "faster", above 1 "slower", else "no difference"."""
    ### BEGIN SOLUTION
    low, high = ratio.spread
    if high < 1:
        return "faster"
    if low > 1:
        return "slower"
    return "no difference"
    ### END SOLUTION

# %% [markdown]
# Four ratios of five lie below 1, then two of three. For which of the two is that enough?

# %%
_verdict(Measurement((0.7, 0.8, 0.8, 0.9, 1.5), unit="")), _verdict(Measurement((0.7, 0.8, 1.2), unit=""))

# %% nbgrader={"grade": true, "grade_id": "verdict_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""A median beside 1 is not enough: the whole middle half must lie on one side."""
for samples, verdict in [
    ((0.5, 0.6, 0.5, 0.7, 1.3), "faster"),
    ((2.0, 0.9, 2.1, 1.9, 2.0), "slower"),
    ((0.8, 0.9, 0.95, 1.2, 1.4), "no difference"),
    ((1.0, 1.0, 1.0), "no difference"),
]:
    found = _verdict(Measurement(samples, unit=""))
    assert found == verdict, f"ratios {samples}: {verdict}, not {found}"

# %% nbgrader={"grade": true, "grade_id": "verdict_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on ratios close to 1, on one wild ratio among calm ones, and on a quartile that is exactly 1."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

def _of(*samples):
    return _verdict(Measurement(samples, unit=""))

answer([_of(0.98, 0.99, 0.97, 0.98), _of(1.01, 1.02, 1.01, 1.03)], about="ratios close to 1")
answer([_of(0.5, 0.5, 0.5, 0.5, 90.0), _of(1.0, 1.0, 1.2, 1.3, 1.4)], about="a wild ratio, and a quartile of 1")
### END HIDDEN TESTS

# %% [markdown]
# A `Comparison` holds the times of all functions; sample $r$ of each comes from round $r$.
# Everything is told relative to the *first* function. With $a_r$ the first one's time in round
# $r$ and $b_r$ another one's, its ratios are $b_r / a_r$, round by round.
#
# Write `ratios`: for every function except the first, its name and a `Measurement` of its
# ratios, with unit `""`. Six lines suffice; a dictionary keeps the order in which its keys came.

# %% nbgrader={"grade": false, "grade_id": "comparison", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@dataclass(frozen=True)
class Comparison:
    """The times of several functions, run in rounds: sample r of each of them comes from round r."""

    times: dict[str, Measurement]

    @property
    def ratios(self) -> dict[str, Measurement]:
        """Name -> its times divided by those of the first function, round by round; the first itself is left out."""
        ### BEGIN SOLUTION
        (_, first), *others = self.times.items()
        ratios = {}
        for name, m in others:
            pairs = zip(first.samples, m.samples, strict=True)
            ratios[name] = Measurement(tuple(b / a for a, b in pairs), unit="")
        return ratios
        ### END SOLUTION

    def verdict(self, name: str) -> str:
        """How a function compares with the first one: "faster", "slower" or "no difference"."""
        return _verdict(self.ratios[name])

    def __repr__(self) -> str:
        first, width = next(iter(self.times)), max(map(len, self.times))
        lines = [f"{first:{width}}  {readable(self.times[first].min, 's'):>8}"]
        for name, ratio in self.ratios.items():
            low, high = ratio.spread
            line = f"{name:{width}}  {readable(self.times[name].min, 's'):>8}  {ratio.median:.3g} x {first}"
            lines.append(f"{line} ({low:.3g} to {high:.3g}): {self.verdict(name)}")
        return "\n".join(lines)

# %% [markdown]
# Three rounds, in which the machine doubles its time twice. What are the ratios?

# %%
Comparison({"old": Measurement((1.0, 2.0, 4.0)), "new": Measurement((0.5, 1.0, 2.0))})

# %% nbgrader={"grade": true, "grade_id": "comparison_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Ratios are formed round by round: a machine that changes between rounds leaves no trace in them."""
a, b = Measurement((1.0, 2.0, 10.0)), Measurement((3.0, 6.0, 30.0))
ratios = Comparison({"a": a, "b": b, "c": a}).ratios

assert list(ratios) == ["b", "c"], f"ratios of all but the first function: ['b', 'c'], not {list(ratios)}"
found = tuple(ratios["b"].samples)
assert found == (3.0, 3.0, 3.0), f"b takes 3 times as long as a in each round, not {found}"
assert ratios["b"].unit == "", f"a ratio of two times is a pure number, unit '', not {ratios['b'].unit!r}"

# %% nbgrader={"grade": true, "grade_id": "comparison_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on rounds that disagree, with three functions."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_times = {"z": (1.0, 4.0, 2.0), "y": (2.0, 2.0, 2.0), "x": (3.0, 3.0, 3.0)}
_c = Comparison({name: Measurement(samples) for name, samples in _times.items()})
answer({name: list(m.samples) for name, m in _c.ratios.items()}, about="the ratios of three functions")
answer([m.median for m in _c.ratios.values()], about="their medians")
### END HIDDEN TESTS

# %% [markdown]
# Last, `compare`. With `functions` a dictionary of at least two names and functions, all called
# with the same `args`:
#
# 1. calibrate each of them, in the given order;
# 2. in every round take one `_batch` of each: in rounds 0, 2, 4, … in the given order, in
#    rounds 1, 3, 5, … in the opposite one;
# 3. return a `Comparison`, its functions in the given order.
#
# The error for fewer than two is written already. Seven lines suffice.

# %% nbgrader={"grade": false, "grade_id": "compare", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def compare(
    functions: dict[str, Callable],
    *args,
    rounds: int = 21,
    min_time: float = 0.005,
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Times of f(*args) for each function, in rounds that run all of them, every other round in the opposite order."""
    if len(functions) < 2:
        raise ValueError(f"compare needs two functions or more, not {len(functions)}")
    ### BEGIN SOLUTION
    numbers = {name: _calibrate(f, args, min_time, clock) for name, f in functions.items()}
    samples = {name: [] for name in functions}
    for r in range(rounds):
        order = list(functions) if r % 2 == 0 else list(functions)[::-1]
        for name in order:
            samples[name].append(_batch(functions[name], args, numbers[name], clock))
    return Comparison({name: Measurement(tuple(s)) for name, s in samples.items()})
    ### END SOLUTION

# %% [markdown]
# First the drifting machine from above.

# %%
machine = FakeMachine(drift=1 / 64)
compare({"old": machine.job("old", 1.0), "new": machine.job("new", 1.0)}, min_time=0, clock=machine.clock)

# %% [markdown]
# Then the real one, with the two names of the first cell. If yours does find a difference,
# remember the coins, and run the cell again.

# %%
compare({"old": np.copy, "new": np.copy}, x)

# %% [markdown]
# "NumPy is faster than Python." Here are three sums of the same Python list. What will the
# verdicts be?

# %%
numbers = [0.5] * 1000
compare({"sum": sum, "math.fsum": math.fsum, "np.sum": np.sum}, numbers)

# %% nbgrader={"grade": true, "grade_id": "compare_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""compare runs in rounds of alternating order, and finds no difference where only the machine drifts."""
machine = FakeMachine()
c = compare({"a": machine.job("a", 2.0), "b": machine.job("b", 1.0)}, rounds=3, min_time=0, clock=machine.clock)
order = "".join(name for name, in machine.log)
assert order == "ab" + "abbaab", f"calibrate a, b; then rounds a b, b a, a b: 'ababbaab', not {order!r}"
assert c.ratios["b"].median == 0.5 and c.verdict("b") == "faster", f"b takes half of a's time: {c}"

machine = FakeMachine(drift=1 / 64)
c = compare({"a": machine.job("a", 1.0), "b": machine.job("b", 1.0)}, min_time=0, clock=machine.clock)
assert c.verdict("b") == "no difference", f"a and b are the same job on a machine that slows down, yet: {c}"

# %% nbgrader={"grade": true, "grade_id": "compare_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on three functions of different speed with an argument, each calibrated, and on slow first calls; the dict stays."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_machine = FakeMachine()
_jobs = {"a": _machine.job("a", 4.0), "b": _machine.job("b", 1.0), "c": _machine.job("c", 2.0)}
_c = compare(_jobs, "x", rounds=4, min_time=4.0, clock=_machine.clock)
answer(["".join(name for name, _ in _machine.log), list(_machine.log[0])], about="the calls that were made")
answer([list(_c.times), *(list(m.samples) for m in _c.times.values())], about="the times")
_machine = FakeMachine()
_jobs = {"a": _machine.job("a", 50.0, 1.0), "b": _machine.job("b", 90.0, 3.0)}
_c = compare(_jobs, rounds=5, min_time=0, clock=_machine.clock)
answer([list(_c.times["a"].samples), list(_c.times["b"].samples)], about="first calls that are slow")
answer(list(_jobs), about="the functions after the call")
answer([_c.verdict("b"), list(_c.ratios["b"].samples)], about="their ratio")
### END HIDDEN TESTS

# %% [markdown]
# ## What can this machine do?
#
# Now use it. Three speeds bound everything that this course will build. Before each cell, write
# down a guess.
#
# The product of two $n \times n$ matrices has $n^2$ results, each the sum of $n$ products: $n$
# multiplications and $n$ additions. Altogether $2n^3$ floating-point operations, FLOP. Twice as
# many float32 as float64 numbers fit into one instruction of the processor: what ratio do you
# expect?

# %%
n, gflops = 768, {}
for dtype in [np.float32, np.float64]:
    a = np.random.default_rng(0).standard_normal((n, n)).astype(dtype)
    m = time_call(np.matmul, a, a, repeat=5)
    gflops[dtype.__name__] = 2 * n**3 / m.min / 1e9
    print(f"{dtype.__name__}  {gflops[dtype.__name__]:7.1f} GFLOP/s   {m}")

# %% [markdown]
# BLAS used the threads which `system_info` counted. With one thread, how much of the speed is
# left? One part in `blas_threads` would mean that the threads do not disturb one another. More
# than all of it would mean that they disturb one another badly: a busy or rented machine may
# show more cores than it lends.

# %%
a = a.astype(np.float32)
with threadpool_limits(limits=1):
    m = time_call(np.matmul, a, a, repeat=5)
one_thread = 2 * n**3 / m.min / 1e9
print(f"{one_thread:.1f} GFLOP/s with one thread, {one_thread / gflops['float32']:.2f} of all together")

# %% [markdown]
# Memory next. A copy of 16 million float32 numbers reads 64 MB, writes 64 MB, and computes
# nothing. `np.copyto` writes into an array that exists; `x.copy()` asks the operating system
# for a new one each time. Is that a difference?

# %%
x = np.ones(16_000_000, dtype=np.float32)
y, z = np.ones_like(x), np.ones_like(x)
c = compare({"copyto": lambda: np.copyto(y, x), "copy": x.copy}, rounds=9)
bandwidth = 2 * x.nbytes / c.times["copyto"].min / 1e9
print(f"{bandwidth:.1f} GB/s\n{c}")

# %% [markdown]
# If it is, code that writes into arrays which exist (NumPy's `out=`) saves that much. And
# Python itself? A call of a function that does nothing: how many float32 operations could the
# matrix product have done meanwhile?

# %%
call = time_call(nothing)
print(f"one call: {call}")
print(f"meanwhile, in a matrix product: {readable(call.min * gflops['float32'] * 1e9, 'FLOP')}")

# %% [markdown]
# ### The roofline
#
# A computation which does $I$ operations for each byte that it moves ($I$ is its *intensity*)
# can be held up by the arithmetic, at most $P$ GFLOP/s, or by the memory, which moves at most
# $B$ GB/s and so feeds at most $B\,I$ GFLOP/s. Its speed is under both, a roof with two slopes:
#
# $$\text{speed} \le \min(P,\; B \cdot I)$$
#
# The edge of the roof, where both agree, is at $I = P/B$. We count six computations on float32:
# bytes are those of the inputs and of the result, once each. The last is a loop in Python,
# counted in the same way. For $P$ we take the best that any of your runs has reached.

# %%
matrices = {k: np.ones((k, k), dtype=np.float32) for k in [64, n, 6000]}
v, out = np.ones(6000, dtype=np.float32), np.ones(6000, dtype=np.float32)
small = np.ones(10_000, dtype=np.float32)
floats = small.tolist()
counted = {  # name: (FLOP, bytes, what to run)
    "add": (x.size, 3 * x.nbytes, lambda: np.add(x, y, out=z)),
    "add, small": (small.size, 3 * small.nbytes, lambda: small + small),
    "matrix @ vector": (2 * 6000**2, 4 * 6000**2 + 8 * 6000, lambda: np.matmul(matrices[6000], v, out=out)),
    "matmul, n = 64": (2 * 64**3, 12 * 64**2, lambda: matrices[64] @ matrices[64]),
    f"matmul, n = {n}": (2 * n**3, 12 * n**2, lambda: matrices[n] @ matrices[n]),
    "add, Python loop": (len(floats), 12 * len(floats), lambda: [a + b for a, b in zip(floats, floats, strict=True)]),
}

# %%
points = {name: (flop / size, flop / time_call(f, repeat=5).min / 1e9) for name, (flop, size, f) in counted.items()}
assert points["add"][0] == 1 / 12, "one addition reads two numbers of 4 bytes and writes one"

# %%
peak = max(gflops["float32"], one_thread, *(speed for _, speed in points.values()))
edge = peak / bandwidth
figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
axis.plot([1 / 50, edge, 1000], [bandwidth / 50, peak, peak], color="black")
axis.axvline(edge, color="gray", linestyle="--", label=f"edge of the roof: {edge:.3g} FLOP/byte")
for i, (name, (intensity, speed)) in enumerate(points.items()):
    axis.plot(intensity, speed, "o", color=f"C{i}", label=f"{name}: {readable(1e9 * speed, 'FLOP/s')}")
axis.set(xscale="log", yscale="log", xlabel="intensity (FLOP/byte)", ylabel="speed (GFLOP/s)", title="This machine")
axis.legend(loc="lower right")
plt.show()

# %% [markdown]
# Read it from left to right. A point *on the slope* waits for memory: no faster arithmetic
# would help it, only fewer bytes. A point *on the flat roof* waits for arithmetic. A point
# *above the slope* gets its bytes faster than `copyto` did: from a cache, a small memory close
# to the processor, or because several threads only read. A point *far below* both waits for
# neither: the cost is in the calls, or in the interpreter.

# %% [markdown]
# ## What does the instrument cost?
#
# Count first. With a job of 1 second and `min_time=64`, calibration calls it
# $1 + 2 + 4 + \dots + 64$ times, and each of 5 samples 64 times. How many calls in all? In
# general, the time spent is at most that of `repeat + 2` batches, and a batch is shorter than
# twice `min_time`, unless one call alone is longer.

# %%
machine = FakeMachine()
time_call(machine.job("f", 1.0), repeat=5, min_time=64, clock=machine.clock)
assert len(machine.log) == (2 * 64 - 1) + 5 * 64, len(machine.log)
len(machine.log)

# %% [markdown]
# Watching memory costs time, once for each allocation. One of the jobs below allocates one
# large array, the other two thousand small strings. Which of them will `peak_memory` slow down
# more, and should one ever time a call while its memory is watched?

# %%
from functools import partial


def one_large():
    return np.ones(1_000_000)


def many_small():
    return [str(i) for i in range(2000)]

# %%
for f in [one_large, many_small]:
    print(compare({f.__name__: f, "watched": partial(peak_memory, f)}), end="\n\n")

# %% [markdown]
# Two lessons. A verdict may be `"slower"` by a few per cent only: *sure* is not the same as
# *large*, so read the ratio beside the verdict. And a ratio far above 1 would have been taken
# for the function's own, had one timed it while watching: time and memory are measured in
# separate runs, here and in every later module.

# %% [markdown]
# ## Reflect
#
# **1.** Adding two float32 arrays of $k$ numbers moves $12k$ bytes, at about the GB/s that you
# measured, and costs a call from Python: at the very least the empty call that you measured.
# Taking that one, for which $k$ do the two costs agree? What follows for a framework that works
# on arrays of ten numbers? Give your two measurements, the calculation and the conclusion, in at
# most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "call_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The empty call took 50 ns and the copy moved 10 GB/s, which is 10 bytes in a nanosecond. In 50
# ns memory moves 500 bytes, and 12 k = 500 gives k = 42. Below about forty numbers the call
# costs more than the data, and on ten numbers more than three quarters of the time goes into
# Python. So a framework should work on few large arrays and not on many small ones: batches.
#
# Rubric: 2 points for both measurements with units; 3 for k = call * bandwidth / 12 from them,
# whatever they are; 2 for concluding that small arrays pay mostly for calls, so work must be
# gathered into large arrays. (A real NumPy call costs several empty ones; saying so is welcome
# and not needed.)

# %% [markdown]
# **2.** Look at `2 * x + y` for large float32 arrays, which NumPy computes in two passes:
# `2 * x` into a new array, then the sum into another. Count the bytes that both passes move for
# each number, and the operations. Where does the point lie on your roofline, and what share of
# your peak GFLOP/s can it reach? You may buy a machine with twice the GFLOP/s, or one with twice
# the GB/s: which one, and why? At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "roofline_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The first pass reads 4 and writes 4 bytes, the second reads 8 and writes 4: 20 bytes and 2
# operations, an intensity of 0.1 FLOP/byte. That is far to the left of the edge, which is at 10
# on my machine (100 GFLOP/s and 10 GB/s), so it lies under the slope. Memory feeds it 10 * 0.1
# = 1 GFLOP/s, one hundredth of the peak. Twice the GFLOP/s would change nothing, twice the GB/s
# would halve the time.
#
# Rubric: 3 points for 20 bytes and 2 FLOP, 0.1 FLOP/byte (1 of them if only the inputs and the
# result were counted once, 12 bytes); 2 for share = 0.1 * GB/s / GFLOP/s from their own
# numbers; 2 for choosing the memory because the point is left of the edge.

# %% [markdown]
# **3.** A colleague writes: "I timed the old code five times and then the new code five times.
# The means are 10.2 ms and 9.9 ms, so the new code is faster." Name two different faults of
# this experiment, and for each the step that would mend it. Then name one question about a
# program for which the *minimum* would be the wrong number to report. At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "fair_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# The old runs and the new runs met different machines, for a drift goes entirely into one of
# the two: run in rounds, in alternating order, and look at ratios. A mean of five is moved by
# one disturbed run: take the minimum or the median, and give the spread, for 3 % may well be
# within it. The minimum is wrong where the disturbances are part of the question, for example
# how long the users of a server wait: there the median or a high quantile is the answer.
#
# Rubric: 2 points for each of two different faults with its remedy (order or drift; mean; no
# spread; slow first call among the samples; too few runs); 2 for a question in which the delays
# themselves matter. The same fault said twice counts once.

# %% [markdown]
# ## Summary
#
# `tinytorch` now has `system_info`, `time_call`, `peak_memory`, `Measurement`, `compare` with
# its `Comparison`, and `readable`. They time calls on one machine. They cannot yet time a
# service under load (module 15), nor put a confidence interval on a difference (module 14).
# Every module from 02 on measures with them, and module 13 comes back to your roofline, to
# climb it.
