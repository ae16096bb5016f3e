"""TinyTorch: a deep-learning framework that its readers build, one module of the course at a time."""

import ctypes
import os
import sys
from importlib.abc import MetaPathFinder

from tinytorch import names

__version__ = "0.1.0"

# OpenBLAS multiplies NumPy's matrices, and reads this when NumPy is first imported. Without it, its threads keep spinning after
# a product, on cores that other work needs. With it they sleep after 2**4 cycles. The framework's own products do without these
# threads (see threads.py), so it is as fast if NumPy was imported first; products that a notebook writes with `@` are not.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")


def _keep_freed_memory() -> None:
    """Let glibc keep up to 2 GB of freed memory for new arrays. Other C libraries are not changed.

    Every training step needs the same large arrays again. If their memory goes back to the system in between, the system must
    provide it again, page by page. That took a fifth of a step.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(-3, 2**30)  # M_MMAP_THRESHOLD: arrays from this size on get a mapping of their own
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: how much unused memory to keep


_keep_freed_memory()

# Module NN of the course builds tinytorch.core.<name>. NN is the index in this tuple.
MODULES = (
    "introduction", "setup", "tensor", "activations", "layers", "dense", "spatial", "attention", "dataloader",
    "autograd", "optimizers", "training", "compression", "kernels", "benchmarking", "mlops", "capstone",
)  # fmt: skip


class NotBuiltYet(MetaPathFinder):
    """The last finder: if no other finder has found a module of the course, it is not built yet."""

    def find_spec(self, fullname, path=None, target=None):
        """Raise an ImportError with the module's number and the command, if the name is one of the course's.

        `from tinytorch.nn import Linear` comes here too: if there is no such name, Python looks for a module of that name.
        """
        package, _, name = fullname.rpartition(".")
        if package in names.NAMES and name in names.table(package):
            try:
                names.find(package, name)
            except AttributeError as error:
                raise ImportError(str(error), name=fullname) from None
        if package == "tinytorch.core" and name in MODULES:
            number = MODULES.index(name)
            raise ImportError(
                f"{fullname} is not built yet. Module {number:02d} builds it. "
                f"Open it with `tito start {number:02d}`, then `tito complete {number:02d}`.",
                name=fullname,
            )
        return None


if not any(type(finder).__name__ == "NotBuiltYet" for finder in sys.meta_path):
    sys.meta_path.append(NotBuiltYet())

names.add_namespaces()


def __getattr__(name: str):
    return names.find("tinytorch", name)


def __dir__() -> list[str]:
    return sorted({*globals(), *names.built("tinytorch")})
