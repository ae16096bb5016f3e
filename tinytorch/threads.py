"""Work on all cores: blocks of it on a pool of threads, and BLAS on one thread meanwhile.

BLAS, which multiplies NumPy's matrices, has threads of its own. After a product they keep spinning for a while, on cores that the
next operation needs. So whatever is large here is cut into blocks, and each thread of our pool calls BLAS for a block at a time.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from threading import Lock

import numpy as np
from threadpoolctl import ThreadpoolController

BLOCK_BYTES = 2**20  # a megabyte: it stays in the cache of one core
ALONE = 2**25  # multiplications of a product that is not worth a second thread: waking one takes a tenth of a millisecond
SMALL, SMALL_VECTOR = 2**18, 2**13  # multiplications of a product for which OpenBLAS uses one thread anyway
LARGE = 2 * BLOCK_BYTES  # an array that is worth a second thread

_taken = Lock()  # the pool does one piece of work at a time


@cache
def _blas() -> list:
    """The BLAS libraries of this process, looked for once."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="tinytorch")


def _forget() -> None:
    """A forked process has none of its parent's threads, and nothing that they held."""
    global _taken
    _taken = Lock()
    _pool.cache_clear()


if hasattr(os, "register_at_fork"):  # not on Windows, where no process forks
    os.register_at_fork(after_in_child=_forget)


@contextmanager
def _single_blas_thread():
    """Let BLAS use one thread; gives the number of threads that it had. 1 if others work in blocks already."""
    threads = [library.num_threads for library in _blas()]
    if max(threads, default=1) < 2 or not _taken.acquire(blocking=False):
        yield 1
        return
    try:
        for library in _blas():
            library.set_num_threads(1)
        yield max(threads)
    finally:
        for library, number in zip(_blas(), threads, strict=True):
            library.set_num_threads(number)
        _taken.release()


def in_blocks(work: Callable[[int, int], None], n: int, size: int | None = None) -> None:
    """Call work(first, last) for every `size` of range(n), on as many threads as BLAS has; meanwhile BLAS uses one.

    Without a size each thread gets one block. If the pool is busy, for example because `work` calls `in_blocks` itself, all
    blocks run in the caller's thread.
    """
    with _single_blas_thread() as threads:
        size = max(1, -(-n // threads) if size is None else size)
        waiting = iter(range(0, n, size))  # a thread that has finished a block takes the next one

        def run() -> None:
            for first in waiting:
                work(first, min(first + size, n))

        helpers = range(min(threads, -(-n // size)) - 1)
        others = [_pool(threads - 1).submit(copy_context().run, run) for _ in helpers]  # with the caller's np.errstate
        try:
            run()
        finally:
            errors = [other.exception() for other in others]  # waits for them
        for error in filter(None, errors):
            raise error


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b, a large product on all cores: (..., n, k) @ (..., k, m) -> (..., n, m). A vector a may stand before a matrix b."""
    multiplications = a.size * b.shape[-1]
    if multiplications < SMALL_VECTOR or (multiplications < SMALL and a.ndim > 1):
        return a @ b
    if multiplications < ALONE or a.ndim == 1:
        with _single_blas_thread():
            return a @ b
    stack, rows, columns = np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]
    y = np.empty((*stack, rows, columns), np.result_type(a, b))
    if stack:
        a, b = (np.broadcast_to(x, (*stack, *x.shape[-2:])) for x in (a, b))
        in_blocks(lambda first, last: np.matmul(a[first:last], b[first:last], out=y[first:last]), len(y))
    elif rows >= columns:
        in_blocks(lambda first, last: np.matmul(a[first:last], b, out=y[first:last]), rows)
    else:
        in_blocks(lambda first, last: np.matmul(a, b[:, first:last], out=y[:, first:last]), columns)
    return y


def elementwise(compute: Callable, *arrays: np.ndarray) -> np.ndarray:
    """compute(*arrays), piece by piece on all cores. It pays from LARGE bytes on.

    compute is a NumPy ufunc, or works element by element and takes `out=` as a ufunc does. Arrays of one shape and one memory
    order are cut into pieces, beside them may be single numbers; other arrays are computed at once.
    """
    like = arrays[0]
    order = sorted(range(like.ndim), key=lambda axis: -like.strides[axis])  # the order of its axes in memory
    if not all(a.ndim == 0 or (a.shape == like.shape and a.transpose(order).flags.c_contiguous) for a in arrays):
        return compute(*arrays)
    flat = [a.transpose(order).reshape(-1) if a.ndim else a for a in arrays]
    y = np.empty(like.size, compute(*[a[:0] if a.ndim else a for a in flat]).dtype)

    def work(first: int, last: int) -> None:
        compute(*[a[first:last] if a.ndim else a for a in flat], out=y[first:last])

    in_blocks(work, like.size, BLOCK_BYTES // (2 * like.itemsize))
    return y.reshape([like.shape[axis] for axis in order]).transpose(np.argsort(order))
