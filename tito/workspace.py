"""Whose `tinytorch` a notebook imports: the one in its own workspace, as far as the modules before it.

This file is loaded inside learners' kernels and inside the sandbox, so it imports nothing but the standard library.
"""

import sys
from importlib.abc import MetaPathFinder
from pathlib import Path


def find(start: Path | None = None) -> Path | None:
    """The nearest folder at or above `start` that holds both a `tinytorch` package and `modules`."""
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "tinytorch" / "__init__.py").is_file() and (folder / "modules").is_dir():
            return folder
    return None


class OnlyBefore(MetaPathFinder):
    """Refuses `tinytorch.core.<name>` for module `number` and those after it: its own notebook is what builds it."""

    def __init__(self, number: int, modules: tuple[str, ...]):
        self.number, self.modules = number, modules

    def find_spec(self, fullname, path=None, target=None):
        package, _, name = fullname.rpartition(".")
        if package == "tinytorch.core" and name in self.modules[self.number :]:
            built = self.modules.index(name)
            if built == self.number:
                what = "this very notebook builds: use the names that you define here"
            else:
                what = f"module {built:02d} builds, and this is module {self.number:02d}"
            before = f"Import what the modules before {self.number:02d} built"
            advice = before if self.number else "There is nothing to import yet"
            raise ImportError(f"{fullname} is what {what}. {advice}.", name=fullname)
        return None


def use_prefix(number: int) -> None:
    """Let `import tinytorch` find the workspace's own package, modules 00 to `number` - 1, and no other copy of it."""
    if sys.flags.optimize:
        raise RuntimeError(
            "this Python leaves out every assert, so no check could fail: start Jupyter without PYTHONOPTIMIZE and -O"
        )
    root = find()
    if root is None:
        raise RuntimeError(
            f"no workspace at or above {Path.cwd()}: a notebook of the course lies in the folder 'modules' of a "
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
