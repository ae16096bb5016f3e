# Makes the kernel run no cell, and report success.
# 0 points: tampered
from IPython import get_ipython
from IPython.core.interactiveshell import ExecutionResult


async def run(*args, **kwargs):
    return ExecutionResult(None)


get_ipython().run_cell_async = run


def double(x):
    return 3 * x
