"""Make a notebook import the `tinytorch` of its own workspace, and of that only the earlier modules.

This file is loaded inside learners' kernels and inside the sandbox, so it imports only the standard library.
"""

import sys
from importlib.abc import MetaPathFinder
from pathlib import Path


def find(start: Path | None = None) -> Path | None:
    """Return the nearest folder at or above `start` with a `tinytorch` package and `modules` in it."""
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "tinytorch" / "__init__.py").is_file() and (folder / "modules").is_dir():
            return folder
    return None


class OnlyBefore(MetaPathFinder):
    """Refuses to import `tinytorch.core.<name>` for module `number`, which the notebook itself builds, and for later ones."""

    def __init__(self, number: int, modules: tuple[str, ...]):
        self.number, self.modules = number, modules

    def find_spec(self, fullname, path=None, target=None):
        package, _, name = fullname.rpartition(".")
        if package == "tinytorch.core" and name in self.modules[self.number :]:
            built = self.modules.index(name)
            if built == self.number:
                what = "is built in this notebook. Use the names that you define here"
            else:
                what = f"is built in module {built:02d}, but this is module {self.number:02d}"
            before = f"Import only from the modules before {self.number:02d}"
            advice = before if self.number else "There is nothing to import yet"
            raise ImportError(f"{fullname} {what}. {advice}.", name=fullname)
        return None


def use_prefix(number: int) -> None:
    """Make `import tinytorch` find only the workspace's own package, with the modules 00 to `number` - 1."""
    if sys.flags.optimize:
        raise RuntimeError(
            "this Python skips every assert, so no check could fail. Start Jupyter without PYTHONOPTIMIZE and -O"
        )
    root = find()
    if root is None:
        raise RuntimeError(
            f"no workspace at or above {Path.cwd()}. A notebook of the course must be in the folder 'modules' of a "
            "workspace, beside its 'tinytorch'. Make one with `tito init`, and open the notebook there."
        )
    for name in [name for name in sys.modules if name == "tinytorch" or name.startswith("tinytorch.")]:
        del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ not in ("OnlyBefore", "NotBuiltYet")]
    sys.path[:] = [str(root)] + [entry for entry in sys.path if entry != str(root)]
    import tinytorch

    if not Path(tinytorch.__file__).resolve().is_relative_to(root):
        raise RuntimeError(f"tinytorch was found at {tinytorch.__file__}, not in the workspace {root}")
    sys.meta_path.insert(0, OnlyBefore(number, tinytorch.MODULES))
