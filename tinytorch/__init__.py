"""TinyTorch: a deep-learning framework that its readers build, one module of the course at a time."""

import os
import sys
from importlib.abc import MetaPathFinder

__version__ = "0.1.0"

# OpenBLAS, which multiplies NumPy's matrices, reads this when NumPy is first imported. Without it the threads that helped with a
# product go on spinning for a while, on cores which the rest of a training step needs; with it they sleep after 2**4 cycles.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

# Module NN of the course builds tinytorch.core.<name>; its number is the place in this row.
MODULES = (
    "introduction", "setup", "tensor", "activations", "layers", "dense", "spatial", "attention", "dataloader",
    "autograd", "optimizers", "training", "compression", "kernels", "benchmarking", "mlops", "capstone",
)  # fmt: skip


class NotBuiltYet(MetaPathFinder):
    """Asked last: a module of the course that no other finder has found is one that is not built yet."""

    def find_spec(self, fullname, path=None, target=None):
        """None for a name that is not the course's; an ImportError that names the module and the command for one that is."""
        package, _, name = fullname.rpartition(".")
        if package == "tinytorch.core" and name in MODULES:
            number = MODULES.index(name)
            raise ImportError(
                f"{fullname} is not built yet: it is what module {number:02d} builds. "
                f"Open it with `tito start {number:02d}`, then `tito complete {number:02d}`.",
                name=fullname,
            )
        return None


if not any(type(finder).__name__ == "NotBuiltYet" for finder in sys.meta_path):
    sys.meta_path.append(NotBuiltYet())
