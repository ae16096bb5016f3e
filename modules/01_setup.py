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
#     - describe the machine on which something was measured
#     - time a call so that the number means something, and say why it is the minimum
#     - measure the peak memory of a computation
#     - compare two functions fairly, and say when there is no difference
#     - measure and draw what this machine can do, in GFLOP/s and GB/s
# ---

# %% [markdown]
# # Setup
#
# > How long a call takes, how much memory it needs, and which of two is faster.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace:
# the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(1)

# %% [markdown]
# ## Why measure with care
#
# A framework is full of claims: this loop is faster, that optimizer needs less memory.
# This course measures its claims, and a careless measurement lies. Below, the same
# function is timed twice, once under the name `old` and once under the name `new`.
#
# Predict the number that the second cell prints, then run it several times.

# %%
import time

import numpy as np

# %%
array = np.ones(1_000_000)
seconds = {}
for name in ["old", "new"]:
    start = time.perf_counter()  # a clock, in seconds
    array.copy()
    seconds[name] = time.perf_counter() - start
print(f"new is {seconds['old'] / seconds['new']:.2f} times as fast as old")

# %% [markdown]
# The function is the same, so the right answer is 1.00. The rest is an error of the
# measurement. At the end of this module you have a tool that answers *no difference*
# here. On the way you build the four instruments that every later module uses: a
# description of the machine, a timer, a memory meter, and a comparison.

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
# The next two cells import what only this notebook needs, for its checks and plots.

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
# A time means little without the machine on which it was measured. NumPy hands its
# matrix products to a library called BLAS (basic linear algebra subprograms), and BLAS
# spreads them over several threads. `threadpool_info()` describes every library in this
# process that keeps such threads, each by a dictionary.
#
# How many threads do you expect a matrix product to use here?

# %%
threadpool_info()

# %% [markdown]
# The list may hold other libraries too, for example an OpenMP runtime, whose `user_api`
# is `"openmp"`. It may also hold no BLAS at all: NumPy on a Mac can use Apple's
# Accelerate, which this package cannot see.
#
# Write `_blas`. From the first dictionary whose `user_api` is `"blas"`, return the pair
# (`internal_api`, `num_threads`). Where there is none, return `(None, None)`. Four
# lines suffice.

# %% nbgrader={"grade": false, "grade_id": "blas", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _blas(pools: Sequence[dict]) -> tuple[str | None, int | None]:
    """Name and number of threads of the first BLAS in the list; else (None, None)."""
    ### BEGIN SOLUTION
    for pool in pools:
        if pool["user_api"] == "blas":
            return pool["internal_api"], pool["num_threads"]
    return None, None
    ### END SOLUTION

# %%
_blas(threadpool_info())

# %% nbgrader={"grade": true, "grade_id": "blas_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""_blas finds the first BLAS wherever it stands, and says when there is none."""
openmp = {"user_api": "openmp", "internal_api": "openmp", "num_threads": 16}
mkl = {"user_api": "blas", "internal_api": "mkl", "num_threads": 4}
other = {"user_api": "blas", "internal_api": "openblas", "num_threads": 8}

found = _blas([openmp, mkl])
assert found == ("mkl", 4), f"the BLAS stands second here: ('mkl', 4), not {found}"
found = _blas([openmp, mkl, other])
assert found == ("mkl", 4), f"the first of two BLAS counts: ('mkl', 4), not {found}"
found = _blas([openmp])
assert found == (None, None), f"this list has no BLAS: (None, None), not {found}"

# %% nbgrader={"grade": true, "grade_id": "blas_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on two BLAS libraries after another library, and on an empty list."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_pools = [
    {"user_api": "openmp", "internal_api": "openmp", "num_threads": 3},
    {"user_api": "blas", "internal_api": "openblas", "num_threads": 6},
    {"user_api": "blas", "internal_api": "mkl", "num_threads": 12},
]
answer(list(_blas(_pools)), about="two BLAS libraries, second and third in the list")
answer(list(_blas([])), about="an empty list")
### END HIDDEN TESTS

# %% [markdown]
# Now the whole description. A *core* computes. A *logical core* is what the operating
# system counts, often two for each core. Write `system_info`, a dictionary with these
# keys:
#
# | key | value |
# | --- | --- |
# | `python` | `platform.python_version()` |
# | `platform` | `platform.platform()` |
# | `cores` | `psutil.cpu_count(logical=False)` |
# | `logical_cores` | `psutil.cpu_count()` |
# | `memory` | bytes built in: `psutil.virtual_memory().total` |
# | `numpy` | `np.__version__` |
# | `blas` | the name that `_blas(threadpool_info())` finds now |
# | `blas_threads` | the number of threads that it finds now |

# %% nbgrader={"grade": false, "grade_id": "system_info", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def system_info() -> dict[str, str | int | None]:
    """This machine and its software now; memory in bytes, None for what is unknown."""
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
"""system_info tells what other sources tell, and what holds when it is called."""
info = system_info()
keys = {"python", "platform", "cores", "logical_cores", "memory", "numpy"}
wrong = sorted((keys | {"blas", "blas_threads"}) ^ set(info))
assert not wrong, f"these keys are missing or too many: {wrong}"
for key, wanted in [
    ("python", sys.version.split()[0]),
    ("platform", platform.platform()),
    ("numpy", np.__version__),
    ("blas", _blas(threadpool_info())[0]),
]:
    assert info[key] == wanted, f"{key!r} has the value {wanted!r}, not {info[key]!r}"
total, memory = psutil.virtual_memory().total, info["memory"]
assert memory == total, f"memory is the total, {total} bytes, not {memory}"

with mock.patch.object(psutil, "cpu_count", lambda logical=True: 6 if logical else 3):
    info = system_info()
found = info["cores"], info["logical_cores"]
said = "on a machine of 3 cores and 6 logical cores the two values are (3, 6)"
assert found == (3, 6), f"{said}, not {found}"
with threadpool_limits(limits=1):
    threads, wanted = system_info()["blas_threads"], _blas(threadpool_info())[1]
said = f"BLAS is limited to {wanted} thread here. Ask threadpool_info() in the function"
assert threads == wanted, f"{said}: you say {threads}"

# %% nbgrader={"grade": true, "grade_id": "system_info_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a pretended machine, with a BLAS and half of its memory in use."""
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
_found = [_info["cores"], _info["logical_cores"], _info["memory"]]
answer(_found, about="cores, logical cores, memory")
answer([_info["blas"], _info["blas_threads"]], about="the BLAS and its threads")
### END HIDDEN TESTS

# %% [markdown]
# ## A number with its unit
#
# Nobody reads `0.0000312 s` or `67108864 B` at a glance. Write `readable`:
#
# 1. round to three significant digits (`float(f"{value:.3g}")`);
# 2. take the largest scale in `_PREFIXES` that is not above the rounded value (without
#    its sign); if all are above, take the smallest;
# 3. divide, and print with `.3g`, a space, the prefix and the unit: `"31.2 µs"`.
#
# Rounding comes first: 0.0009999 s rounds to 0.001 s, which is `"1 ms"`, not
# `"1e+03 µs"`. Two values get no prefix: zero (`"0 s"`), and a pure number, whose unit
# is `""` (`"0.52"`, without a space at the end). Six lines suffice.

# %% nbgrader={"grade": false, "grade_id": "readable", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
_PREFIXES = [
    (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"),
    (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"),
]


def readable(value: float, unit: str = "") -> str:
    """Three digits, a prefix, the unit: readable(3.12e-5, "s") is "31.2 µs"."""
    ### BEGIN SOLUTION
    value = float(f"{value:.3g}")
    if value == 0 or unit == "":
        return f"{value:.3g} {unit}".rstrip()
    fitting = [pair for pair in _PREFIXES if abs(value) >= pair[0]]
    scale, prefix = fitting[0] if fitting else _PREFIXES[-1]
    return f"{value / scale:.3g} {prefix}{unit}"
    ### END SOLUTION

# %% [markdown]
# Which prefix will each of these get?

# %%
[readable(3.12e-5, "s"), readable(67_108_864, "B"), readable(2.5e10, "FLOP/s")]

# %% nbgrader={"grade": true, "grade_id": "readable_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Rounded before the prefix is chosen; zero and pure numbers get none."""
for value, unit, text in [
    (3.124e-5, "s", "31.2 µs"),
    (67_108_864, "B", "67.1 MB"),
    (0.0009999, "s", "1 ms"),
    (0, "s", "0 s"),
    (0.5234, "", "0.523"),
    (-2500.0, "s", "-2.5 ks"),
    (5e-11, "s", "0.05 ns"),
]:
    found = readable(value, unit)
    assert found == text, f"{value} {unit} reads {text!r}, not {found!r}"

# %% nbgrader={"grade": true, "grade_id": "readable_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a negative time, and around the smallest and larger prefixes."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(readable(-0.00456, "s"), about="a negative time")
_far = [readable(4.2e-10, "s"), readable(3.456e12, "FLOP/s")]
answer(_far, about="below a nano, above a giga")
_near = [readable(999.4, "B"), readable(999.6, "B"), readable(1.0, "s")]
answer(_near, about="around a kilo, and exactly one")
### END HIDDEN TESTS

# %% [markdown]
# ## Ten numbers for one thing
#
# One function, ten times. Will the ten numbers agree? Which will differ most?

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
# Your computer also does other things: it moves a window, fetches mail, changes the
# speed of its processor. Let us disturb the work on purpose, with a **neighbour**: a
# thread that needs the same processor. Beside it we take three thousand samples.

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
# In the left picture both axes are logarithmic: a bar far to the right is a call that
# took a hundred or a thousand times as long. The right picture cuts the samples into
# ten groups of 300 and draws the minimum, the median and the mean of each. Which of the
# three lines will jump?

# %%
lines = {"min": (np.min, "C2"), "median": (np.median, "C0"), "mean": (np.mean, "C3")}
micros = 1e6 * seconds
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.hist(micros, np.geomspace(micros.min(), micros.max(), 60), color="lightgray")
for name, (f, color) in lines.items():
    left.axvline(f(micros), color=color, label=name)
    groups = f(micros.reshape(10, 300), axis=1)
    right.plot(range(1, 11), groups, "o-", color=color, label=name)
left.set(xscale="log", yscale="log", xlabel="one call (µs)", ylabel="calls")
left.set_title("3000 calls beside a neighbour")
right.set(ylim=(0, None), xlabel="group of 300 calls", ylabel="one call (µs)")
right.set_title("what each group reports")
right.legend()
plt.show()

# %% [markdown]
# A disturbance can only add time. The $i$-th sample is
#
# $$s_i = t + d_i, \qquad d_i \ge 0$$
#
# with $t$ the time that the call itself needs and $d_i$ the delay of that run. The mean
# is $t$ plus the mean delay, and one huge $d_i$ makes it large. The minimum is
# $t + \min_i d_i$, and one quiet run makes it right. So the *minimum* is our answer to
# "how long does this computation take?".
#
# The minimum does not tell how noisy the runs were. For that we also keep the median
# and the two quartiles. Half of the samples lie between the quartiles: the middle half.

# %% [markdown]
# All of these are **quantiles**. Sort the $n$ samples,
# $s_0 \le s_1 \le \dots \le s_{n-1}$. The quantile $q$ has the position $p = q\,(n-1)$.
# Between two samples, take the straight line:
#
# $$Q(q) = s_k + (p - k)\,(s_{k+1} - s_k), \qquad k = \lfloor p \rfloor$$
#
# So $Q(0)$ is the minimum, $Q(\tfrac12)$ the median, $Q(1)$ the maximum. At $q = 1$
# there is no $s_{k+1}$, and none is needed. Write `quantile`: five lines, or one with
# NumPy. It returns a plain `float`, also for integers. Sort a copy: the samples must
# keep the order in which they were measured.

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
        """Q(q): the minimum at q = 0, the median at 0.5, the maximum at 1."""
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
        values = (self.min, self.median, *self.spread)
        lowest, median, low, high = (readable(value, self.unit) for value in values)
        middle = f"middle half {low} to {high}, of {len(self.samples)}"
        return f"min {lowest}, median {median}, {middle}"

# %% [markdown]
# Here are five runs, the last of them disturbed. Their mean is 4.6 ms. Predict the four
# numbers.

# %%
Measurement((0.003, 0.001, 0.002, 0.004, 0.013))

# %% nbgrader={"grade": true, "grade_id": "measurement_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""quantile agrees with NumPy's; one slow run moves neither minimum nor median."""
samples = [4.0, 1.0, 3.0, 2.0]
m = Measurement(samples)
assert m.min == 1.0, f"sort first: the minimum of 4, 1, 3, 2 is 1, not {m.min:.6g}"
said = "the median of 4, 1, 3, 2 is 2.5, half of the way from 2 to 3"
assert m.median == 2.5, f"{said}, not {m.median:.6g}"
for q in [0.1, 0.25, 0.9, 1.0]:
    found, wanted = m.quantile(q), np.quantile(samples, q)
    said = f"Q({q}) of 4, 1, 3, 2 is {wanted:.6g}, not {found:.6g}"
    assert math.isclose(found, wanted), said
assert samples == [4.0, 1.0, 3.0, 2.0], f"sort a copy: the samples became {samples}"

calm, slow = Measurement((1.0, 2.0, 3.0)), Measurement((1.0, 2.0, 300.0))
said = "one slow run must move neither minimum nor median"
assert (calm.min, calm.median) == (slow.min, slow.median), said
found = type(Measurement((1, 2)).min).__name__
assert found == "float", f"quantile of integers must be a plain float, not {found}"

# %% nbgrader={"grade": true, "grade_id": "measurement_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a single sample, on 101 unsorted ones, and on a list of samples."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_m = Measurement((7.0,))
answer([_m.min, _m.median, *_m.spread], about="a single sample")
_m = Measurement(tuple(np.random.default_rng(1).permutation(101) / 8))
_found = [_m.min, _m.median, *_m.spread, _m.quantile(0.333), _m.quantile(1)]
answer(_found, about="101 samples")
_samples = [3.0, 1.0, 2.0]
_m = Measurement(_samples)
answer(_m.median, about="the median of a list")
answer(list(_m.samples), about="the samples, still in the order of measuring")
### END HIDDEN TESTS

# %% [markdown]
# ## A clock is coarse
#
# Below, nothing at all happens between two readings of the clock. What do you expect
# the differences to be?

# %%
ticks = [time.perf_counter() for _ in range(6)]
[readable(difference, "s") for difference in np.diff(ticks)]

# %% [markdown]
# They are the cost of reading the clock, and its resolution. A call as short as that
# cannot be timed alone. So we time a **batch**: read the clock, make `number` calls,
# read it again, divide by `number`. Many calls then share the cost of two readings.
#
# To check code that measures time, we need a clock that we control. `FakeMachine` is a
# machine whose clock advances only while one of its jobs runs. Every function below
# takes the clock as the argument `clock`, so it can be checked exactly. You need not
# read the next cell. The one after it shows what the machine does.

# %% nbgrader={"grade": false, "grade_id": "fake_machine", "locked": true, "schema_version": 3, "solution": false, "task": false}
class FakeMachine:
    """Its time passes only while it works; with a drift, every call is slower."""

    def __init__(self, drift: float = 0.0):
        self.now, self.reads, self.log, self.drift = 0.0, 0, [], drift

    def clock(self) -> float:
        self.reads += 1
        return self.now

    def job(self, name: str, *seconds: float):
        """A function that takes seconds[0], then seconds[1], …; the last one stays."""
        left = list(seconds)

        def run(*args):
            assert len(self.log) < 10_000, (
                f"{name} was called 10,000 times: which loop of yours does not end? "
                "(_batch returns the seconds of ONE call, the whole batch takes more. "
                "And do you hand on `clock`, not another clock?)"
            )
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
# Write `_batch`: the seconds of *one* call, found from `number` calls of `f(*args)`
# between exactly two readings of the clock. Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "batch", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _batch(f: Callable, args: tuple, number: int, clock: Callable[[], float]) -> float:
    """Seconds of one call of f(*args): those of `number` calls, divided by `number`."""
    ### BEGIN SOLUTION
    start = clock()
    for _ in range(number):
        f(*args)
    return (clock() - start) / number
    ### END SOLUTION

# %% [markdown]
# Above, `work` was timed ten times, one call at a time. In a batch of a thousand, will
# one call take more or less?

# %%
readable(_batch(work, (), 1000, time.perf_counter), "s")

# %% nbgrader={"grade": true, "grade_id": "batch_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""`number` calls with their arguments, two readings of the clock, one time."""
machine = FakeMachine()
machine.now = 100.0
per_call = _batch(machine.job("f", 5.0, 1.0), ("x", "y"), 4, machine.clock)

said = f"call f(*args), here f('x', 'y'), 4 times. There were {len(machine.log)} calls"
assert machine.log == [("f", "x", "y")] * 4, f"{said}, beginning with {machine.log[:2]}"
said = "the clock must be read twice for the whole batch"
assert machine.reads == 2, f"{said}, not {machine.reads} times"
said = "from 100 s on, calls of 5 + 1 + 1 + 1 s make 2 s for each of the 4"
assert per_call == 2.0, f"{said}, not {per_call:.6g}"

# %% nbgrader={"grade": true, "grade_id": "batch_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a machine that has run for a while, and on a batch of one call."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_machine = FakeMachine()
_machine.now = 1024.0
_found = _batch(_machine.job("f", 3.0, 0.5), (), 5, _machine.clock)
answer(_found, about="a clock that does not start at zero")
_found = _batch(_machine.job("g", 0.25), (1,), 1, _machine.clock)
answer(_found, about="a batch of one call")
### END HIDDEN TESTS

# %% [markdown]
# ### How many calls are enough?
#
# A function that does nothing, in batches of 1, 10, 100, … calls. From which row on
# will the number stay the same?

# %%
def nothing():
    pass


for number in [1, 10, 100, 1_000, 10_000, 100_000]:
    each = readable(_batch(nothing, (), number, time.perf_counter), "s")
    print(f"{number:7} calls  {each} for each")

# %% [markdown]
# The batch has to last much longer than a tick of the clock. That takes one call of
# something slow and very many of something fast, and we do not know beforehand which it
# is. So try: 1 call, 2 calls, 4, 8, … until a batch lasts at least `min_time` seconds.
#
# Write `_calibrate`, which returns that number of calls. Four lines suffice. Time each
# attempt with `_batch`, and remember that it returns the seconds of *one* call. Always
# try at least one call. Do not time one call and divide: a coarse clock may say 0.

# %% nbgrader={"grade": false, "grade_id": "calibrate", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _calibrate(
    f: Callable, args: tuple, min_time: float, clock: Callable[[], float]
) -> int:
    """The first of 1, 2, 4, 8, … calls that together last at least `min_time`."""
    ### BEGIN SOLUTION
    number = 1
    while number * _batch(f, args, number, clock) < min_time:
        number *= 2
    return number
    ### END SOLUTION

# %% [markdown]
# How many calls will `nothing` need to fill a hundredth of a second, and how many
# `work`?

# %%
[_calibrate(f, (), 0.01, time.perf_counter) for f in (nothing, work)]

# %% nbgrader={"grade": true, "grade_id": "calibrate_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Doubles until a whole batch is long enough; a slow first call does not deceive it."""
machine = FakeMachine()
number = _calibrate(machine.job("f", 1.0), ("x",), 6.0, machine.clock)
said = "batches of 1, 2 and 4 s are shorter than 6 s, one of 8 s is not: 8 calls"
assert number == 8, f"{said}, not {number}"
said = f"1 + 2 + 4 + 8 = 15 calls of f('x') find that. There were {len(machine.log)}"
assert machine.log == [("f", "x")] * 15, f"{said}, beginning with {machine.log[:2]}"

number = _calibrate(machine.job("slow", 8.0), (), 8.0, machine.clock)
assert number == 1, f"one call of 8 s is at least 8 s: 1 call, not {number}"
number = _calibrate(machine.job("slow at first", 3.0, 1.0), (), 4.0, machine.clock)
assert number == 4, f"1 call in 3 s, 2 in 2 s, 4 in 4 s: 4 calls, not {number}"
machine = FakeMachine()
number = _calibrate(machine.job("f", 1.0), (), 0.0, machine.clock)
found = number, len(machine.log)
said = "with min_time = 0, one call is tried and is enough: (1, 1)"
assert found == (1, 1), f"{said}, not {found}"

# %% nbgrader={"grade": true, "grade_id": "calibrate_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a clock that ticks every 16 seconds, and on a thousand calls."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_machine = FakeMachine()
_coarse = _calibrate(_machine.job("f", 1.0), (), 16.0, lambda: _machine.now // 16 * 16)
answer(_coarse, about="a coarse clock")
_machine = FakeMachine()
_number = _calibrate(_machine.job("f", 1.0), (), 0.0, _machine.clock)
answer([_number, len(_machine.log)], about="min_time=0")
_number = _calibrate(_machine.job("f", 0.0625), (), 64.0, _machine.clock)
answer(_number, about="a thousand calls")
### END HIDDEN TESTS

# %% [markdown]
# ### The first call is different
#
# Many first calls do work that later calls find done: they read a file, get memory from
# the operating system, or fill a table. `re.compile` keeps the patterns that it has
# seen. Here are five calls, the first after emptying its memory. What will the five
# times look like?

# %%
import re

re.purge()
[readable(once(lambda: re.compile("[a-z]+(ly|ing)?")), "s") for _ in range(5)]

# %% [markdown]
# If we want to know what a call costs in the long run, the first call must not be a
# sample. The calibration makes the first call, and we throw its measurements away.
#
# Write `time_call`: calibrate once, then take `repeat` samples. Each sample is a batch
# of the number of calls that the calibration found. Return them as a `Measurement`, in
# the order in which they were taken. Two lines suffice.

# %% nbgrader={"grade": false, "grade_id": "time_call", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def time_call(
    f: Callable,
    *args,
    repeat: int = 7,
    min_time: float = 0.01,
    clock: Callable[[], float] = time.perf_counter,
) -> Measurement:
    """Seconds of one call of f(*args), from batches of at least about `min_time`."""
    ### BEGIN SOLUTION
    number = _calibrate(f, args, min_time, clock)
    return Measurement(tuple(_batch(f, args, number, clock) for _ in range(repeat)))
    ### END SOLUTION

# %% [markdown]
# How far apart will `min` and `median` be now, compared with the histogram above?

# %%
time_call(work)

# %% nbgrader={"grade": true, "grade_id": "time_call_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""`repeat` samples, without the slow first call, after one calibration."""
machine = FakeMachine()
job = machine.job("f", 100.0, 2.0, 4.0, 1.0)
m = time_call(job, repeat=3, min_time=0, clock=machine.clock)
assert isinstance(m, Measurement), f"return a Measurement, not {type(m).__name__}"
said = "the first call, 100 s, is no sample; the next three are (2.0, 4.0, 1.0)"
assert tuple(m.samples) == (2.0, 4.0, 1.0), f"{said}, not {tuple(m.samples)}"

machine = FakeMachine()
m = time_call(machine.job("f", 0.5), "x", repeat=5, min_time=4.0, clock=machine.clock)
said = "each of 5 batches has 8 calls of 0.5 s: five samples of 0.5"
assert tuple(m.samples) == (0.5,) * 5, f"{said}, not {tuple(m.samples)}"
said = "15 calls of f('x') to calibrate and then 5 batches of 8 make 55 calls"
calls = f"You made {len(machine.log)}, beginning with {machine.log[:1]}"
assert machine.log == [("f", "x")] * 55, f"{said}. {calls}"

# %% nbgrader={"grade": true, "grade_id": "time_call_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on another job whose calls differ, and on several arguments."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_machine = FakeMachine()
_job = _machine.job("f", 9.0, 2.0, 4.0, 1.0, 3.0)
_m = time_call(_job, repeat=4, min_time=0, clock=_machine.clock)
answer(list(_m.samples), about="samples in the order in which they were taken")
answer([_m.min, _m.median], about="their minimum and median")
_machine = FakeMachine()
_job = _machine.job("f", 0.25)
_m = time_call(_job, 1, 2, 3, repeat=2, min_time=0.9, clock=_machine.clock)
_found = [list(_m.samples), len(_machine.log), list(_machine.log[-1])]
answer(_found, about="several arguments")
### END HIDDEN TESTS

# %% [markdown]
# ## Memory at the peak
#
# Time is half of the cost. The other half is memory. The function below returns one
# number. Its input has a million float64 numbers, 8 MB.

# %% nbgrader={"grade": false, "grade_id": "distance", "locked": true, "schema_version": 3, "solution": false, "task": false}
def distance(x):
    shifted = x - 1.0
    squared = shifted * shifted
    return squared.sum() ** 0.5

# %% [markdown]
# The cell prints the bytes of the result and of the input. (A NumPy number is an
# object: 8 bytes of value, the rest describes it.) How much more memory does the
# machine need while `distance` runs?

# %%
million = np.zeros(1_000_000)
sys.getsizeof(distance(million)), million.nbytes

# %% [markdown]
# The size of the result does not tell how much was alive on the way. The **peak
# memory** of a call is the most bytes that are alive at once while it runs. Python's
# `tracemalloc` watches every allocation, and NumPy reports its arrays to it:
#
# - `tracemalloc.start()` begins to watch;
# - `tracemalloc.get_traced_memory()` is the pair (bytes alive now, most bytes alive so
#   far);
# - `tracemalloc.stop()` stops watching and forgets everything.
#
# What was allocated before `start` does not count. Freed memory leaves the first
# number, but not the second. Predict the pair.

# %%
tracemalloc.start()
distance(million)
now, peak = tracemalloc.get_traced_memory()
tracemalloc.stop()
readable(now, "B"), readable(peak, "B")

# %% [markdown]
# Write `peak_memory`, which returns the peak memory of `f(*args)`. Six lines suffice.
#
# `f` may raise an error. Then the error must come out of `peak_memory`, and the
# watching must end all the same, because watching makes all later code slow. Python
# does that: what stands in a block after `finally:` runs whether or not the block after
# `try:` raised an error.

# %% nbgrader={"grade": false, "grade_id": "peak_memory", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def peak_memory(f: Callable, *args) -> int:
    """The most bytes alive at once while f(*args) runs, without its arguments."""
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
    print(f"{f.__name__:8}  {readable(peak_memory(f, million), 'B')}")

# %% nbgrader={"grade": true, "grade_id": "peak_memory_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""What lives at once counts, the arguments do not; after an error the watching ends."""
def two_in_turn():
    for _ in range(2):
        array = np.ones(1_000_000)
        del array  # the first is gone before the second comes

given = np.ones(1_000_000)  # 8 MB
cases = [(np.copy, [given], 8), (distance, [given], 16), (two_in_turn, [], 8)]
for f, args, wanted in [*cases, (np.ravel, [given], 0)]:
    peak = peak_memory(f, *args)
    said = f"the peak of {f.__name__} is {wanted} MB, not {peak:,} bytes"
    assert abs(peak / 1e6 - wanted) < 0.1, said
assert type(peak) is int, f"return the bytes as an int, not {type(peak).__name__}"
assert not tracemalloc.is_tracing(), "call tracemalloc.stop(): it still watches"

try:
    said = peak_memory(math.sqrt, -1)
except ValueError:
    said = "its ValueError"
watching = tracemalloc.is_tracing()
tracemalloc.stop()
assert said == "its ValueError", f"the error of math.sqrt(-1) must come out, not {said}"
assert not watching, "f raised an error and the watching goes on: stop it in `finally:`"

# %% nbgrader={"grade": true, "grade_id": "peak_memory_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on other types, on a call that makes two arrays, and on an error."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_peak = peak_memory(np.ones, 3_000_000, np.float32)
answer(round(_peak / 1e6), about="megabytes of a result")
_peak = peak_memory(lambda n: (np.ones(n), np.ones(n))[0], 1_000_000)
answer(round(_peak / 1e6), about="megabytes of a pair")
_found = [raised(peak_memory, math.sqrt, -1), tracemalloc.is_tracing()]
answer(_found, about="a call that raises an error")
### END HIDDEN TESTS

# %% [markdown]
# This meter has two limits. `tracemalloc` sees what Python and NumPy allocate, not what
# a library such as BLAS keeps for itself. And it counts what a program asks for. A
# gigabyte from `np.empty` counts at once, but the operating system hands out the real
# memory only when the program first writes to it.

# %% [markdown]
# ## Which of two is faster?
#
# Back to the question of the first cell. A machine drifts: it warms up and slows down.
# On this fake machine every call takes a little longer than the call before. One job
# runs under two names, first all runs of one, then all of the other. Which will look
# faster, and by how much?

# %%
machine = FakeMachine(drift=1 / 64)
for name in ["old", "new"]:
    job = machine.job(name, 1.0)
    print(name, time_call(job, repeat=21, min_time=0, clock=machine.clock))

# %% [markdown]
# The minimum does not help here, because this disturbance never ends. But two runs
# made *one right after the other* meet nearly the same machine. So run in **rounds**.
# Every round runs each function once and gives one ratio of their times. A drift from
# round to round cancels in the ratio.
#
# Within a round the second function still runs a little later. So reverse the order in
# every other round:
#
# ```text
# round 0   old new
# round 1   new old
# round 2   old new
# ```

# %% [markdown]
# Many ratios have to give one verdict. Here are 21 made-up ratios, sorted. The
# quartiles are the sixth from the left and the sixth from the right. Do these ratios
# show that one function is slower?

# %%
ratios = np.sort(np.random.default_rng(2).normal(1.05, 0.04, 21))

# %%
plt.figure(figsize=(8, 1.6), layout="constrained")
plt.plot(ratios, np.zeros(21), "o", color="0.7")
plt.plot(ratios[[5, 15]], [0, 0], "o", color="C3", label="lower and upper quartile")
plt.axvline(1, color="black", lw=1, label="equally fast")
plt.xlabel("ratio of the times in one round")
plt.axis(ymin=-1, ymax=3)
plt.yticks([])
plt.legend(ncols=2);

# %% [markdown]
# Suppose that two functions are equally fast and that the rounds do not influence one
# another. Then each ratio falls below or above 1 by chance, like a coin. The lower
# quartile lies above 1 only if at most five of the 21 ratios fall below 1. So chance
# alone puts the middle half on one side of 1, above or below, with the probability
#
# $$2 \sum_{k=0}^{5} \binom{21}{k} \Big/ 2^{21}$$
#
# How often in a hundred comparisons would chance deceive us?

# %%
2 * sum(math.comb(21, k) for k in range(6)) / 2**21

# %% [markdown]
# That is rare enough. Write `_verdict`. It gets the ratios of one function's times to
# another's, as a `Measurement`, and returns
#
# - `"faster"` if the whole middle half lies below 1 (a ratio of 0.5 is half of the
#   time);
# - `"slower"` if the whole middle half lies above 1;
# - `"no difference"` if 1 lies in the middle half, or is one of its ends.
#
# Six lines suffice. *No difference* means: none that these rounds can show.

# %% nbgrader={"grade": false, "grade_id": "verdict", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _verdict(ratio: Measurement) -> str:
    """Where the middle half of the ratios lies, as seen from 1."""
    ### BEGIN SOLUTION
    low, high = ratio.spread
    if high < 1:
        return "faster"
    if low > 1:
        return "slower"
    return "no difference"
    ### END SOLUTION

# %% [markdown]
# First four of five ratios lie below 1, then two of three. Which of the two lists will
# get the verdict `"faster"`?

# %%
for some in [(0.7, 0.8, 0.8, 0.9, 1.5), (0.7, 0.8, 1.2)]:
    print(some, _verdict(Measurement(some, unit="")))

# %% nbgrader={"grade": true, "grade_id": "verdict_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""A median beside 1 is not enough: the whole middle half must lie on one side."""
for samples, verdict in [
    ((0.5, 0.6, 0.5, 0.7, 1.3), "faster"),
    ((0.98, 0.99, 0.97, 0.98), "faster"),
    ((2.0, 0.9, 2.1, 1.9, 2.0), "slower"),
    ((0.8, 0.9, 0.95, 1.2, 1.4), "no difference"),
    ((1.0, 1.0, 1.0), "no difference"),
]:
    found = _verdict(Measurement(samples, unit=""))
    assert found == verdict, f"the ratios {samples} mean {verdict!r}, not {found!r}"

# %% nbgrader={"grade": true, "grade_id": "verdict_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on ratios close to 1, on a wild one, and on a quartile of 1."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

def _of(*samples):
    return _verdict(Measurement(samples, unit=""))

_close = [_of(0.98, 0.99, 0.97, 0.98), _of(1.01, 1.02, 1.01, 1.03)]
answer(_close, about="ratios close to 1")
_wild = [_of(0.5, 0.5, 0.5, 0.5, 90.0), _of(1.0, 1.0, 1.2, 1.3, 1.4)]
answer(_wild, about="a wild ratio, and a quartile of 1")
### END HIDDEN TESTS

# %% [markdown]
# A `Comparison` holds the times of all functions. Sample $r$ of each function comes
# from round $r$. Every function is compared with the *first* one. If the first takes
# $a_r$ in round $r$ and another takes $b_r$, then the other's ratio in that round is
# $b_r / a_r$.
#
# Write `ratios`: a dictionary from the name of every function except the first to a
# `Measurement` of its ratios, with unit `""`. Six lines suffice. A dictionary keeps its
# keys in order, so the first key is the first function.

# %% nbgrader={"grade": false, "grade_id": "comparison", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@dataclass(frozen=True)
class Comparison:
    """The times of several functions: sample r of each of them comes from round r."""

    times: dict[str, Measurement]

    @property
    def ratios(self) -> dict[str, Measurement]:
        """Name -> its times / those of the first, round by round; without the first."""
        ### BEGIN SOLUTION
        (_, first), *others = self.times.items()
        ratios = {}
        for name, m in others:
            pairs = zip(first.samples, m.samples, strict=True)
            ratios[name] = Measurement(tuple(b / a for a, b in pairs), unit="")
        return ratios
        ### END SOLUTION

    def verdict(self, name: str) -> str:
        """A function against the first: "faster", "slower" or "no difference"."""
        return _verdict(self.ratios[name])

    def __repr__(self) -> str:
        first, width = next(iter(self.times)), max(map(len, self.times))
        lines = [f"{first:{width}}  {readable(self.times[first].min, 's'):>8}"]
        for name, ratio in self.ratios.items():
            low, high = ratio.spread
            times = f"{name:{width}}  {readable(self.times[name].min, 's'):>8}"
            middle = f"{ratio.median:.3g} x {first} ({low:.3g} to {high:.3g})"
            lines.append(f"{times}  {middle}: {self.verdict(name)}")
        return "\n".join(lines)

# %% [markdown]
# Three rounds, in which the machine doubles its time twice. What are the ratios?

# %%
Comparison({"old": Measurement((1.0, 2.0, 4.0)), "new": Measurement((0.5, 1.0, 2.0))})

# %% nbgrader={"grade": true, "grade_id": "comparison_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Ratios are formed round by round: a machine that changes leaves no trace in them."""
a, b = Measurement((1.0, 2.0, 10.0)), Measurement((3.0, 8.0, 30.0))
ratios = Comparison({"a": a, "b": b, "c": a}).ratios

found = list(ratios)
assert found == ["b", "c"], f"ratios of all but the first: ['b', 'c'], not {found}"
found = ", ".join(f"{ratio:.6g}" for ratio in ratios["b"].samples)
said = "b takes 3, 4 and 3 times as long as a in the three rounds: 3, 4, 3"
assert found == "3, 4, 3", f"{said}, not {found}"
unit = ratios["b"].unit
assert unit == "", f"a ratio of two times is a pure number: unit '', not {unit!r}"

# %% nbgrader={"grade": true, "grade_id": "comparison_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on rounds that disagree, with three functions."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_times = {"z": (1.0, 4.0, 2.0), "y": (2.0, 2.0, 2.0), "x": (3.0, 3.0, 3.0)}
_c = Comparison({name: Measurement(samples) for name, samples in _times.items()})
_found = {name: list(m.samples) for name, m in _c.ratios.items()}
answer(_found, about="the ratios of three functions")
answer([m.median for m in _c.ratios.values()], about="their medians")
### END HIDDEN TESTS

# %% [markdown]
# Last, `compare`. `functions` is a dictionary of at least two names and functions. All
# of them are called with the same `args`:
#
# 1. calibrate each of them, in the given order, so that each has a number of its own;
# 2. in every round take one `_batch` of each: in rounds 0, 2, 4, … in the given order,
#    in rounds 1, 3, 5, … in the opposite order;
# 3. return a `Comparison` of the functions in the given order.
#
# The dictionary must not change. The error for fewer than two functions is written
# already. Seven lines suffice.

# %% nbgrader={"grade": false, "grade_id": "compare", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def compare(
    functions: dict[str, Callable],
    *args,
    rounds: int = 21,
    min_time: float = 0.005,
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Times of f(*args) for each function, in rounds that run all of them."""
    if len(functions) < 2:
        raise ValueError(f"compare needs two functions or more, not {len(functions)}")
    ### BEGIN SOLUTION
    numbers = {k: _calibrate(f, args, min_time, clock) for k, f in functions.items()}
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
jobs = {"old": machine.job("old", 1.0), "new": machine.job("new", 1.0)}
compare(jobs, min_time=0, clock=machine.clock)

# %% [markdown]
# Then the real machine, with the two names of the first cell. If yours does find a
# difference, remember the coins, and run the cell again.

# %%
compare({"old": np.copy, "new": np.copy}, million)

# %% [markdown]
# "NumPy is faster than Python." Here are three sums of the same Python list. What will
# the verdicts be?

# %%
numbers = [0.5] * 1000
compare({"sum": sum, "math.fsum": math.fsum, "np.sum": np.sum}, numbers)

# %% nbgrader={"grade": true, "grade_id": "compare_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Rounds of alternating order; no difference where only the machine drifts."""
machine = FakeMachine()
jobs = {"a": machine.job("a", 2.0), "b": machine.job("b", 1.0)}
c = compare(jobs, rounds=3, min_time=2.0, clock=machine.clock)
calls = "".join(name for name, in machine.log)
wanted = "a" + "bbb" + "abb" + "bba" + "abb"
said = "to last 2 s takes 1 call of a and 2 of b. Calibrate a, then b (1 + 2 calls), "
said += "then come the rounds a bb, bb a, a bb"
assert calls == wanted, f"{said}: {wanted}, not {calls}"
assert list(jobs) == ["a", "b"], f"the dictionary of functions became {list(jobs)}"
assert list(c.times) == ["a", "b"], f"the order is a, b, not {list(c.times)}"
ratio, verdict = c.ratios["b"].median, c.verdict("b")
said = f"b takes half of a's time: 0.5, 'faster', not {ratio:.6g}, {verdict!r}"
assert (ratio, verdict) == (0.5, "faster"), said

machine = FakeMachine(drift=1 / 64)
jobs = {"a": machine.job("a", 1.0), "b": machine.job("b", 1.0)}
verdict = compare(jobs, min_time=0, clock=machine.clock).verdict("b")
said = "a and b are the same job on a machine that slows down: 'no difference'"
assert verdict == "no difference", f"{said}, not {verdict!r}"

# %% nbgrader={"grade": true, "grade_id": "compare_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on three functions with an argument, and on slow first calls."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_machine = FakeMachine()
_costs = {"a": 4.0, "b": 1.0, "c": 2.0}
_jobs = {name: _machine.job(name, cost) for name, cost in _costs.items()}
_c = compare(_jobs, "x", rounds=4, min_time=4.0, clock=_machine.clock)
_found = ["".join(name for name, _ in _machine.log), list(_machine.log[0])]
answer(_found, about="the calls that were made")
_found = [list(_c.times), *(list(m.samples) for m in _c.times.values())]
answer(_found, about="the times")
_machine = FakeMachine()
_jobs = {"a": _machine.job("a", 50.0, 1.0), "b": _machine.job("b", 90.0, 3.0)}
_c = compare(_jobs, rounds=5, min_time=0, clock=_machine.clock)
_found = [list(_c.times["a"].samples), list(_c.times["b"].samples)]
answer(_found, about="first calls that are slow")
answer(list(_jobs), about="the functions after the call")
answer([_c.verdict("b"), list(_c.ratios["b"].samples)], about="their ratio")
### END HIDDEN TESTS

# %% [markdown]
# ## What can this machine do?
#
# Now use the instruments. Three speeds limit everything that this course will build.
# Before each cell, write down a guess.
#
# The product of two $n \times n$ matrices has $n^2$ results. Each is the sum of $n$
# products: $n$ multiplications and $n$ additions. That makes $2n^3$ floating-point
# operations (FLOP). One instruction of the processor works on twice as many float32 as
# float64 numbers. What ratio do you expect?

# %%
n, gflops = 768, {}
for dtype in [np.float32, np.float64]:
    matrix = np.random.default_rng(0).standard_normal((n, n)).astype(dtype)
    m = time_call(np.matmul, matrix, matrix, repeat=5)
    gflops[dtype.__name__] = 2 * n**3 / m.min / 1e9
    print(f"{dtype.__name__}  {gflops[dtype.__name__]:7.1f} GFLOP/s   {m}")

# %% [markdown]
# BLAS used the threads that `system_info` counted. How much of the speed is left with
# one thread? If four threads share the work well, one thread alone has a quarter of
# their speed. If it has more than their whole speed, the threads hinder one another.
# That happens on a busy or rented machine, which may show more cores than it gives you.

# %%
matrix = matrix.astype(np.float32)
with threadpool_limits(limits=1):
    m = time_call(np.matmul, matrix, matrix, repeat=5)
one_thread = 2 * n**3 / m.min / 1e9
share = one_thread / gflops["float32"]
print(f"one thread: {one_thread:.1f} GFLOP/s, {share:.2f} of the speed of all threads")

# %% [markdown]
# Memory next. A copy of 16 million float32 numbers reads 64 MB, writes 64 MB, and
# computes nothing. `np.copyto` writes into an array that exists. `x.copy()` asks the
# operating system for a new one each time. Does that make a difference?

# %%
x = np.ones(16_000_000, dtype=np.float32)
y, z = np.ones_like(x), np.ones_like(x)
c = compare({"copyto": lambda: np.copyto(y, x), "copy": x.copy}, rounds=9)
bandwidth = 2 * x.nbytes / c.times["copyto"].min / 1e9
print(f"{bandwidth:.1f} GB/s\n{c}")

# %% [markdown]
# If it does, code can save that time by writing into arrays that exist (NumPy's
# `out=`). And Python itself? A call of a function that does nothing takes some time.
# How many float32 operations could the matrix product have done meanwhile?

# %%
call = time_call(nothing)
meanwhile = readable(call.min * gflops["float32"] * 1e9, "FLOP")
print(f"one call: {call}")
print(f"meanwhile, in a matrix product: {meanwhile}")

# %% [markdown]
# ### The roofline
#
# The **intensity** $I$ of a computation is the number of its operations for each byte
# that it moves. The arithmetic does at most $P$ GFLOP/s. The memory moves at most $B$
# GB/s, enough for $B\,I$ GFLOP/s. The speed stays below both limits. Drawn over $I$,
# they look like a roof:
#
# $$\text{speed} \le \min(P,\; B \cdot I)$$
#
# The edge of the roof, where both limits agree, is at $I = P/B$. We count six
# computations on float32. Their bytes are those of the inputs and of the result, once
# each. The last one is a Python loop, counted in the same way. For $P$ we take the best
# speed of all your runs.

# %%
matrices = {k: np.ones((k, k), dtype=np.float32) for k in [64, n, 6000]}
v, out = np.ones(6000, dtype=np.float32), np.ones(6000, dtype=np.float32)
small = np.ones(10_000, dtype=np.float32)
floats = small.tolist()

# %%
def product(k):
    return matrices[k] @ matrices[k]


def matrix_times_vector():
    return np.matmul(matrices[6000], v, out=out)


def python_loop():
    return [p + q for p, q in zip(floats, floats, strict=True)]

# %%
counted = {  # name: (FLOP, bytes, what to run)
    "add": (x.size, 3 * x.nbytes, lambda: np.add(x, y, out=z)),
    "add, small": (small.size, 3 * small.nbytes, lambda: small + small),
    "matrix @ vector": (2 * 6000**2, 4 * 6000**2 + 8 * 6000, matrix_times_vector),
    "matmul, n = 64": (2 * 64**3, 12 * 64**2, lambda: product(64)),
    f"matmul, n = {n}": (2 * n**3, 12 * n**2, lambda: product(n)),
    "add, Python loop": (len(floats), 12 * len(floats), python_loop),
}

# %%
points = {}
for name, (flop, size, f) in counted.items():
    points[name] = (flop / size, flop / time_call(f, repeat=5).min / 1e9)
said = "one addition reads two numbers of 4 bytes and writes one"
assert points["add"][0] == 1 / 12, said

# %%
peak = max(gflops["float32"], one_thread, *(speed for _, speed in points.values()))
edge = peak / bandwidth
figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
axis.plot([1 / 50, edge, 1000], [bandwidth / 50, peak, peak], color="black")
label = f"edge of the roof: {edge:.3g} FLOP/byte"
axis.axvline(edge, color="gray", linestyle="--", label=label)
for i, (name, (intensity, speed)) in enumerate(points.items()):
    label = f"{name}: {readable(1e9 * speed, 'FLOP/s')}"
    axis.plot(intensity, speed, "o", color=f"C{i}", label=label)
axis.set(xscale="log", xlabel="intensity (FLOP/byte)", title="This machine")
axis.set(yscale="log", ylabel="speed (GFLOP/s)")
axis.legend(loc="lower right")
plt.show()

# %% [markdown]
# Read it from left to right. A point *on the slope* waits for memory: fewer bytes would
# help it, faster arithmetic would not. A point *on the flat roof* waits for arithmetic.
# A point *above the slope* gets its bytes faster than `copyto` did: from a **cache**, a
# small memory close to the processor, or because several threads only read. A point
# *far below* both limits waits for neither. Its cost is in the calls, or in the
# interpreter.

# %% [markdown]
# ## What does the instrument cost?
#
# Count first. With a job of 1 second and `min_time=64`, calibration calls it
# $1 + 2 + 4 + \dots + 64$ times, and each of 5 samples 64 times. How many calls is that
# in all? In general, the time spent is at most that of `repeat + 2` batches. A batch is
# shorter than twice `min_time`, unless a single call takes longer.

# %%
machine = FakeMachine()
time_call(machine.job("f", 1.0), repeat=5, min_time=64, clock=machine.clock)
assert len(machine.log) == (2 * 64 - 1) + 5 * 64, len(machine.log)
len(machine.log)

# %% [markdown]
# Watching memory costs time, once for each allocation. One of the jobs below allocates
# one large array, the other two thousand small strings. Which of them will
# `peak_memory` slow down more? Should you ever time a call while its memory is watched?

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
# Two lessons. First, a verdict may be `"slower"` although the ratio is near 1: *sure*
# is not the same as *large*, so read the ratio beside the verdict. Second, watching may
# slow a call down by a large ratio. So measure time and memory in separate runs, here
# and in every later module.

# %% [markdown]
# ## Reflect
#
# **1.** Adding two float32 arrays of $k$ numbers moves $12k$ bytes, at about the GB/s
# that you measured. It also costs a call from Python, which takes at least as long as
# the empty call that you measured. For which $k$ do moving the bytes and making the
# empty call take equally long? What follows for a framework that works on arrays of ten
# numbers? Give your two measurements, the calculation and the conclusion. At most five
# sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "call_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The empty call took 50 ns and the copy moved 10 GB/s, which is 10 bytes in a
# nanosecond. In 50 ns memory moves 500 bytes, and 12 k = 500 gives k = 42. Below about
# forty numbers the call costs more than the data. On ten numbers more than three
# quarters of the time goes into Python. So a framework should work on few large arrays
# and not on many small ones: batches.
#
# Rubric: 2 points for both measurements with units; 3 for k = call * bandwidth / 12
# from them, whatever they are; 2 for concluding that small arrays pay mostly for calls,
# so work must be gathered into large arrays. (A real NumPy call costs several empty
# ones. Saying so is welcome and not needed.)

# %% [markdown]
# **2.** NumPy computes `2 * x + y` on large float32 arrays in two passes: `2 * x` into
# a new array, then the sum into another. Count the bytes that both passes move for each
# number, and the operations. Where does the point lie on your roofline, and what share
# of your peak GFLOP/s can it reach? You may buy a machine with twice the GFLOP/s, or
# one with twice the GB/s. Which one do you buy, and why? At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "roofline_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The first pass reads 4 and writes 4 bytes, the second reads 8 and writes 4. That makes
# 20 bytes and 2 operations, an intensity of 0.1 FLOP/byte. The edge of my roof is at 10
# (100 GFLOP/s and 10 GB/s), so the point lies far to the left of it, under the slope.
# Memory feeds it 10 * 0.1 = 1 GFLOP/s, one hundredth of the peak. Twice the GFLOP/s
# would change nothing, twice the GB/s would halve the time.
#
# Rubric: 3 points for 20 bytes and 2 FLOP, 0.1 FLOP/byte (1 of them if only the inputs
# and the result were counted once, 12 bytes); 2 for share = 0.1 * GB/s / GFLOP/s from
# their own numbers; 2 for choosing the memory because the point is left of the edge.

# %% [markdown]
# **3.** A colleague writes: "I timed the old code five times and then the new code five
# times. The means are 10.2 ms and 9.9 ms, so the new code is faster." Name two
# different faults of this experiment, and for each the step that repairs it. Then name
# one question about a program for which the *minimum* is the wrong number to report. At
# most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "fair_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# The old and the new runs met different machines, because a drift changes only one of
# the two: run in rounds, in alternating order, and look at ratios. One disturbed run
# moves a mean of five: take the minimum or the median, and give the spread, for 3 % may
# well be within it. The minimum is wrong where the disturbances are part of the
# question, for example how long the users of a server wait. There the median or a high
# quantile is the answer.
#
# Rubric: 2 points for each of two different faults with its remedy (order or drift;
# mean; no spread; slow first call among the samples; too few runs); 2 for a question in
# which the delays themselves matter. The same fault said twice counts once.

# %% [markdown]
# ## Here and in PyTorch
#
# | here | in PyTorch |
# | --- | --- |
# | `time_call(f, x)` | `torch.utils.benchmark.Timer(...).blocked_autorange()` |
# | threads of a timed call | all threads here; `Timer` sets one: `num_threads=1` |
# | `Measurement` | `torch.utils.benchmark.Measurement`: reports `median`, `iqr` |
# | `compare(...)` | `torch.utils.benchmark.Compare`: a table, no verdict |
# | `peak_memory(f, x)` | on a GPU only: `torch.cuda.max_memory_allocated()` |
# | `system_info()` | `python -m torch.utils.collect_env` |
# | `blas_threads` | `torch.get_num_threads()` |

# %% [markdown]
# ## Summary
#
# `tinytorch` now has `system_info`, `time_call`, `peak_memory`, `Measurement`,
# `compare` with its `Comparison`, and `readable`. Every module from 02 on measures with
# them. They cannot yet time a service under load (module 15), nor give a confidence
# interval (module 14). Module 13 comes back to your roofline.
#
# Save the notebook, then run `tito check 01` and `tito complete 01`.
