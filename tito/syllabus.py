"""The seventeen modules: their numbers and names, and the ways to write one."""

from dataclasses import dataclass

from tito.errors import TitoError


@dataclass(frozen=True, order=True)
class Module:
    """Module `03_activations` builds `tinytorch.core.activations` and is the assignment `03_activations`."""

    number: int
    name: str

    @property
    def slug(self) -> str:
        return f"{self.number:02d}_{self.name}"

    @property
    def id(self) -> str:
        return f"{self.number:02d}"

    def __str__(self) -> str:
        return self.slug


NAMES = (
    "introduction", "setup", "tensor", "activations", "layers", "dense", "spatial", "attention", "dataloader",
    "autograd", "optimizers", "training", "compression", "kernels", "benchmarking", "mlops", "capstone",
)  # fmt: skip
MODULES = tuple(Module(number, name) for number, name in enumerate(NAMES))


def module(text: str | int) -> Module:
    """Return the module that a person means by `3`, `03`, `activations` or `03_activations`."""
    text = str(text).strip().lower().removeprefix("modules/").removesuffix(".py").removesuffix(".ipynb")
    for candidate in MODULES:
        if text in (candidate.slug, candidate.name, candidate.id, str(candidate.number)):
            return candidate
    raise TitoError(f"no module is called {text!r}. Write a number from 00 to {MODULES[-1].id} or a name, as 03 or activations")
