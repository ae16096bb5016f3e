"""Work in blocks on a pool of threads, and OpenBLAS's own threads, which must not be in its way."""

import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyter_client.manager import start_new_kernel
from threadpoolctl import threadpool_info, threadpool_limits

from tinytorch.core.spatial import conv2d_blocked, conv2d_im2col
from tinytorch.threads import LARGE, elementwise, in_blocks, matmul


def numbers(*shape, dtype=np.float32, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# -- blocks and threads --------------------------------------------------------------------------------------------


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@given(n=st.integers(0, 50), size=st.integers(1, 60))
@settings(deadline=None, max_examples=30)
def test_every_block_is_worked_on_once(n, size):
    done = np.zeros(n, int)

    def work(first, last):
        assert 0 < last - first <= size
        done[first:last] += 1

    in_blocks(work, n, size)
    assert (done == 1).all()


def test_an_error_in_any_block_reaches_the_caller_and_blas_gets_its_threads_back():
    before = blas_threads()

    def work(first, last):
        if first == 30:
            raise MemoryError("no room for block 30")

    for _ in range(20):
        with pytest.raises(MemoryError, match="block 30"):
            in_blocks(work, 100, 10)
    assert blas_threads() == before


def test_convolutions_in_several_threads_at_once_are_right_and_leave_blas_as_it_was():
    before, wrong = blas_threads(), []
    x, weight = numbers(24, 16, 16, 16), numbers(16, 16, 3, 3, seed=1)
    expected = conv2d_im2col(x, weight, padding=1)

    def run():
        for _ in range(5):
            if not np.allclose(conv2d_blocked(x, weight, padding=1), expected, atol=1e-3):
                wrong.append("wrong numbers")

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and blas_threads() == before


def test_with_one_blas_thread_no_other_thread_works():
    seen = set()
    with threadpool_limits(1):
        in_blocks(lambda first, last: seen.add(threading.get_ident()), 100, 1)
    assert seen == {threading.get_ident()}


def test_the_pool_stays_and_does_not_grow():
    conv2d_blocked(numbers(64, 8, 16, 16), numbers(8, 8, 3, 3))
    before = threading.active_count()
    for _ in range(10):
        conv2d_blocked(numbers(64, 8, 16, 16), numbers(8, 8, 3, 3))
    assert threading.active_count() == before


def test_blocks_within_blocks_run_where_they_are():
    seen = []

    def outer(first, last):
        in_blocks(lambda a, b: seen.append((first, a)), 3, 1)

    in_blocks(outer, 4, 1)
    assert sorted(seen) == [(i, j) for i in range(4) for j in range(3)]


def test_the_other_threads_take_over_how_numpy_treats_errors():
    x = np.zeros((64, 1000))
    y = np.empty_like(x)
    with np.errstate(divide="ignore"):
        in_blocks(lambda first, last: np.log(x[first:last], out=y[first:last]), len(x), 1)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        in_blocks(lambda first, last: np.log(x[first:last], out=y[first:last]), len(x), 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_makes_a_pool_of_its_own():
    code = """
import os, warnings
import tinytorch
import numpy as np
from tinytorch.threads import in_blocks
warnings.simplefilter("ignore")
done = np.zeros(8)
def work(first, last): done[first:last] += 1
in_blocks(work, 8, 1)
child = os.fork()
in_blocks(work, 8, 1)
if child == 0:
    os._exit(int(done.tolist() != [2] * 8))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), done.tolist() == [2] * 8)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.split() == ["0", "True"]


@pytest.mark.parametrize(
    ("a", "b"),
    [((600, 400), (400, 300)), ((300, 400), (400, 600)), ((12, 90, 400), (12, 400, 90)), ((2, 3, 400, 200), (200, 400)),
     ((500, 300), (9, 300, 300)), ((1, 600, 500), (500, 200)), ((3, 4), (4, 5)), ((40000,), (40000, 3)), ((0, 4), (4, 5))],
    ids=str,
)  # fmt: skip
def test_a_product_on_all_cores_is_the_product(a, b, monkeypatch):
    monkeypatch.setattr("tinytorch.threads.ALONE", 2**20)
    x, y, before = numbers(*a, dtype=np.float64), numbers(*b, dtype=np.float64, seed=1), blas_threads()
    np.testing.assert_allclose(matmul(x, y), x @ y, rtol=1e-9, atol=1e-9)
    turned = np.ascontiguousarray(y.swapaxes(0, -1)).swapaxes(0, -1)
    np.testing.assert_allclose(matmul(x, turned), x @ y, rtol=1e-9, atol=1e-9)
    assert matmul(x.astype(np.float32), y).dtype == np.float64 and blas_threads() == before


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 3, 1, 2), (3, 2, 1, 0)], ids=str)
def test_elementwise_work_on_all_cores_gives_the_same_numbers_in_the_same_memory_order(order):
    x = numbers(9, 40, 50, 60).transpose(order)
    assert x.nbytes > LARGE
    for arrays in [(x, x), (x, np.float32(2.0).reshape(()))]:
        y = elementwise(np.maximum, *arrays)
        np.testing.assert_array_equal(y, np.maximum(*arrays))
        assert y.strides == np.maximum(*arrays).strides and y.dtype == np.float32
    np.testing.assert_array_equal(elementwise(np.add, x, x[:, :, :, :1]), x + x[:, :, :, :1])
    with pytest.raises(ValueError, match="could not be broadcast"):
        elementwise(np.add, x, x.reshape(x.shape[1], -1))




# -- the threads of BLAS -----------------------------------------------------------------------------------------------

IDLE = """
import sys, time
if sys.argv[1] == "tinytorch":
    import tinytorch
import numpy as np
a = np.ones((1500, 1500), np.float32)
spent = 0
for _ in range(6):
    a @ a
    start = time.process_time()
    time.sleep(0.1)
    spent += time.process_time() - start
print(spent)
"""


def idle_seconds(first: str) -> float:
    """Processor time that six sleeps of 0.1 s cost, each after a product."""
    clean = {name: value for name, value in os.environ.items() if name != "OPENBLAS_THREAD_TIMEOUT"}
    done = subprocess.run([sys.executable, "-c", IDLE, first], env=clean, capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_the_threads_of_blas_sleep_when_they_have_nothing_to_do():
    import numpy  # noqa: F401  (loads it)

    if not any(pool["internal_api"] == "openblas" and pool["num_threads"] > 1 for pool in threadpool_info()):
        pytest.skip("no OpenBLAS with more than one thread here")
    assert idle_seconds("numpy") > 0.05, "this OpenBLAS does not spin: the setting is not needed any more"
    assert idle_seconds("tinytorch") < 0.02


def test_a_setting_of_ones_own_is_left_as_it_is():
    code = "import os, tinytorch; print(os.environ['OPENBLAS_THREAD_TIMEOUT'])"
    environment = {**os.environ, "OPENBLAS_THREAD_TIMEOUT": "20"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "20"


@pytest.fixture
def kernel(root, tmp_path, monkeypatch):
    """A function that runs code in a fresh kernel, started as JupyterLab starts it in a workspace, and gives what it printed."""
    shutil.copytree(root / "tinytorch", tmp_path / "tinytorch", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "modules").mkdir()
    monkeypatch.delenv("OPENBLAS_THREAD_TIMEOUT", raising=False)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path / "modules"), **quiet)

    def run(code: str) -> str:
        said = []
        client.execute_interactive(code, timeout=60, output_hook=lambda m: said.append(m["content"].get("text", "")))
        return "".join(said).strip()

    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.context.destroy(linger=0)


def test_the_second_cell_of_a_notebook_comes_before_numpy_is_loaded(kernel):
    cell = "from tito.workspace import use_prefix\n\nuse_prefix(3)\n"
    look = "import os, sys; print('numpy' in sys.modules, os.environ.get('OPENBLAS_THREAD_TIMEOUT'))"
    assert kernel(look) == "False None"
    assert kernel(cell + look) == "False 4"
