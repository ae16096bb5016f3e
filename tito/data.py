"""The data sets of the course: list them, and download the one that is not part of the package."""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tito import workspace
from tito.errors import TitoError

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class DataSet:
    """A data set as it is on this machine now."""

    name: str
    what: str
    here: bool
    place: str

    @property
    def state(self) -> str:
        return f"here: {self.place}" if self.here else f"not here: `tito data get {self.name}` downloads it to {self.place}"


def list_data_sets() -> list[DataSet]:
    """Return every data set of the course."""
    cifar10 = _import_dataset("cifar10")
    shipped, folder = Path(cifar10.__file__).with_name("digits.npz"), cifar10.data_folder() / cifar10.FOLDER
    return [
        DataSet("digits", "1,797 handwritten digits of 8 x 8 pixels (UCI)", True, str(shipped)),
        DataSet("cifar10", "60,000 colour images of 32 x 32 pixels in ten classes", cifar10.is_here(), str(folder)),
    ]


def find(name: str) -> DataSet:
    """Find a data set by its name. If there is none, raise a TitoError that lists the names."""
    known = {found.name: found for found in list_data_sets()}
    if name not in known:
        raise TitoError(f"no data set is called {name!r}. There are {', '.join(known)}")
    return known[name]


def get(name: str, progress: Progress) -> DataSet:
    """Download a data set if it is not here. `progress` gets the bytes so far and the bytes in all."""
    found = find(name)
    if not found.here:
        cifar10 = _import_dataset("cifar10")
        try:
            cifar10.fetch(progress=progress)
        except cifar10.DataError as error:
            raise TitoError(f"{error}", code=1) from None
    return find(name)


def _import_dataset(name: str) -> ModuleType:
    """Import tinytorch.datasets.<name> from the installed package or, in a kit, from the workspace.

    In a kit, tinytorch is not installed, so the file is loaded by its path.
    """
    if importlib.util.find_spec("tinytorch") is not None:
        return importlib.import_module(f"tinytorch.datasets.{name}")
    root = workspace.find()
    path = root and root / "tinytorch" / "datasets" / f"{name}.py"
    if not path or not path.is_file():
        raise TitoError(f"no tinytorch with a datasets/{name}.py at or above {Path.cwd()}. Run this inside a workspace")
    spec = importlib.util.spec_from_file_location(f"tinytorch_datasets_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
