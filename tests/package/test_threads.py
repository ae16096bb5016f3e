"""Importing the package keeps OpenBLAS's idle threads off the cores, in scripts and in the kernels of notebooks."""

import os
import shutil
import subprocess
import sys

import pytest
from jupyter_client.manager import start_new_kernel
from threadpoolctl import threadpool_info

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
