"""The instruments of module 01, on clocks that tick as we say and allocations whose size we know."""

import math
import platform
import tracemalloc

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from tinytorch.core.setup import Comparison, Measurement, compare, peak_memory, readable, system_info, time_call

times = st.floats(1e-9, 1e3)
samples = st.lists(times, min_size=1, max_size=30).map(tuple)


class Machine:
    """Time passes only while a job runs; with a drift, each call takes longer than the one before."""

    def __init__(self, drift=0.0):
        self.now, self.calls, self.drift = 0.0, [], drift

    def clock(self):
        return self.now

    def job(self, name, *seconds):
        left = list(seconds)

        def run(*args):
            cost = left.pop(0) if len(left) > 1 else left[0]
            self.now += cost * (1 + self.drift * len(self.calls))
            self.calls.append((name, args))

        return run


# -- system_info ---------------------------------------------------------------------------------------------------


def test_system_info_describes_this_process():
    info = system_info()
    assert info["python"] == platform.python_version()
    assert info["numpy"] == np.__version__
    assert info["memory"] == psutil.virtual_memory().total
    assert info["cores"] is None or 1 <= info["cores"] <= info["logical_cores"]


def test_system_info_notices_that_blas_is_held_to_one_thread():
    with threadpool_limits(limits=1):
        assert system_info()["blas_threads"] in (1, None)


def test_system_info_holds_only_what_prints_in_a_line():
    assert all(isinstance(value, str | int | None) for value in system_info().values())


# -- readable ------------------------------------------------------------------------------------------------------

FACTOR = {"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "": 1.0, "m": 1e-3, "µ": 1e-6, "n": 1e-9}


@given(st.floats(1e-9, 9e14), st.sampled_from([1, -1]))
def test_readable_can_be_read_back_to_three_digits(size, sign):
    number, unit = readable(sign * size, "s").split(" ")
    assert math.isclose(float(number) * FACTOR[unit.removesuffix("s")], sign * size, rel_tol=0.006)


@given(st.floats(1e-9, 9e14))
def test_readable_shows_between_one_and_a_thousand(size):
    assert 1 <= float(readable(size, "B").split(" ")[0]) < 1000


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0009999, "s", "1 ms"), (999_600, "B", "1 MB"), (999_400, "B", "999 kB"), (0, "B", "0 B"), (0.0, "", "0"),
        (0.001, "s", "1 ms"), (1, "s", "1 s"), (4e-10, "s", "0.4 ns"), (-2e-6, "s", "-2 µs"), (0.5234, "", "0.523"),
    ],
)  # fmt: skip
def test_readable_at_its_edges(value, unit, text):
    assert readable(value, unit) == text


# -- Measurement ---------------------------------------------------------------------------------------------------


@given(samples, st.floats(0, 1))
def test_a_quantile_is_numpys_quantile(values, q):
    assert math.isclose(Measurement(values).quantile(q), np.quantile(values, q), rel_tol=1e-9)


@given(samples)
def test_minimum_quartiles_and_median_are_in_order(values):
    m = Measurement(values)
    low, high = m.spread
    assert m.min == min(values)
    assert m.min <= low <= m.median <= high <= max(values)


@given(st.lists(times, min_size=3, max_size=30), st.floats(1, 1e6))
def test_one_slow_run_moves_the_mean_but_not_the_minimum(values, factor):
    slow = sorted(values)
    slow[-1] *= factor
    assert Measurement(tuple(slow)).min == Measurement(tuple(values)).min
    assert math.isclose(Measurement(tuple(slow)).median, Measurement(tuple(values)).median)


def test_a_measurement_without_samples_is_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        Measurement(())


def test_a_measurement_prints_its_unit():
    assert repr(Measurement((2e6, 1e6, 3e6), unit="B")) == "min 1 MB, median 2 MB, middle half 1.5 MB to 2.5 MB, of 3"


# -- time_call -----------------------------------------------------------------------------------------------------


def test_a_slow_first_call_is_not_among_the_samples():
    machine = Machine()
    m = time_call(machine.job("f", 99.0, 1.0), repeat=4, min_time=0, clock=machine.clock)
    assert m.samples == (1.0,) * 4


@given(st.integers(-4, 3), st.floats(0, 20), st.integers(1, 5))
def test_every_batch_lasts_at_least_min_time_and_less_than_twice(exponent, min_time, repeat):
    machine, cost = Machine(), 2.0**exponent  # a power of two, so that sums are exact
    m = time_call(machine.job("f", cost), repeat=repeat, min_time=min_time, clock=machine.clock)
    number = (len(machine.calls) + 1) // (2 + repeat)
    assert m.samples == (cost,) * repeat
    assert len(machine.calls) == 2 * number - 1 + repeat * number
    assert min_time <= number * cost and (number == 1 or number * cost < 2 * min_time)


def test_a_clock_that_ticks_rarely_is_outlasted():
    machine = Machine()
    m = time_call(machine.job("f", 1.0), repeat=3, min_time=64, clock=lambda: machine.now // 16 * 16)
    assert all(abs(seconds - 1) <= 16 / 64 for seconds in m.samples)


def test_arguments_reach_every_call():
    machine = Machine()
    time_call(machine.job("f", 1.0), 1, "two", repeat=2, min_time=3, clock=machine.clock)
    assert {args for _, args in machine.calls} == {(1, "two")}


def test_without_a_sample_there_is_no_measurement():
    with pytest.raises(ValueError, match="at least one sample"):
        time_call(int, repeat=0, min_time=0)


def test_the_real_clock_gives_positive_seconds():
    m = time_call(sum, range(100), repeat=3, min_time=1e-4)
    assert m.unit == "s" and m.min > 0


# -- peak_memory ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(500_000,), (300, 2000), (20, 30, 40, 50)])
def test_the_peak_is_the_size_of_an_array_that_is_made(shape, dtype):
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    assert abs(peak_memory(np.ones, shape, dtype) - expected) < 20_000


def test_what_is_freed_on_the_way_is_in_the_peak():
    def three_then_none():
        arrays = [np.ones(100_000) for _ in range(3)]
        arrays.clear()

    assert abs(peak_memory(three_then_none) - 2_400_000) < 20_000


def test_arguments_and_views_allocate_nothing():
    assert peak_memory(np.transpose, np.ones((300, 1000))) < 20_000


def test_an_error_comes_out_and_the_watching_ends():
    with pytest.raises(ZeroDivisionError):
        peak_memory(lambda: 1 / 0)
    assert not tracemalloc.is_tracing()


# -- compare -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drift", [0.0, 1 / 64, 1.0])
@pytest.mark.parametrize("rounds", [7, 8, 21])
def test_the_same_job_twice_is_no_difference_on_a_machine_that_drifts(rounds, drift):
    machine = Machine(drift)
    jobs = {"a": machine.job("a", 1.0), "b": machine.job("b", 1.0)}
    assert compare(jobs, rounds=rounds, min_time=0, clock=machine.clock).verdict("b") == "no difference"


@pytest.mark.parametrize(("cost", "verdict"), [(0.8, "faster"), (1.25, "slower"), (1.0, "no difference")])
def test_a_difference_is_found_under_drift(cost, verdict):
    machine = Machine(drift=1 / 64)
    jobs = {"a": machine.job("a", 1.0), "b": machine.job("b", cost)}
    c = compare(jobs, min_time=0, clock=machine.clock)
    assert c.verdict("b") == verdict
    assert math.isclose(c.ratios["b"].median, cost, rel_tol=0.02)


def test_rounds_alternate_their_order():
    machine = Machine()
    compare({name: machine.job(name, 1.0) for name in "abc"}, rounds=3, min_time=0, clock=machine.clock)
    assert "".join(name for name, _ in machine.calls) == "abc" + "abc" + "cba" + "abc"


@given(st.lists(st.tuples(times, times, times), min_size=1, max_size=20))
def test_ratios_are_formed_round_by_round(rows):
    a, b, c = (tuple(column) for column in zip(*rows, strict=True))
    ratios = Comparison({"a": Measurement(a), "b": Measurement(b), "c": Measurement(c)}).ratios
    assert list(ratios) == ["b", "c"]
    np.testing.assert_allclose(ratios["b"].samples, np.divide(b, a))
    np.testing.assert_allclose(ratios["c"].samples, np.divide(c, a))


def test_chance_alone_rarely_makes_a_difference():
    rng = np.random.default_rng(0)
    noise = rng.exponential(size=(2000, 2, 21)) + 1.0
    verdicts = [Comparison({"a": Measurement(a), "b": Measurement(b)}).verdict("b") for a, b in noise.tolist()]
    luck = 2 * sum(math.comb(21, k) for k in range(6)) / 2**21
    assert abs(1 - verdicts.count("no difference") / 2000 - luck) < 0.012  # three standard deviations


def test_one_function_cannot_be_compared():
    with pytest.raises(ValueError, match="two functions or more, not 1"):
        compare({"alone": int})


def test_a_comparison_prints_a_line_for_each_function():
    c = Comparison({"old": Measurement((2e-3, 2e-3)), "newest": Measurement((1e-3, 1e-3))})
    assert repr(c) == "old         2 ms\nnewest      1 ms  0.5 x old (0.5 to 0.5): faster"
