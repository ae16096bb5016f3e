"""Export notebooks to files of the package, through nbdev."""

from __future__ import annotations

import ast
import difflib
import tempfile
import warnings
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from tito import source
from tito.errors import TitoError, write_atomic
from tito.syllabus import Module

if TYPE_CHECKING:
    from nbformat import NotebookNode


def render(notebook: NotebookNode, module: Module, name: str) -> str:
    """Return the text of `tinytorch/core/<module>.py`. Its header and cell marks show `name`, the file that a person edits."""
    import nbformat
    from nbdev.export import nb_export
    from nbdev.maker import ModuleMaker

    class NamesItsSource(ModuleMaker):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.dest2nb, self.hdr = name, f"# %% {name}"

    with tempfile.TemporaryDirectory(prefix="tito-") as folder:
        path, library = Path(folder, f"{module.slug}.ipynb"), Path(folder, "tinytorch")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nbformat.write(notebook, path)
            nb_export(str(path), lib_path=str(library), procs=[_drop_fences], mod_maker=NamesItsSource)
        built = library / "core" / f"{module.name}.py"
        if not built.is_file():
            raise TitoError(f"{name}: no cell begins with '#| export', so there is nothing to export", code=1)
        return built.read_text(encoding="utf-8")


def _drop_fences(cell: NotebookNode) -> None:
    if cell.cell_type == "code":
        cell.source = source.without_fences(cell.source)


def package_file(root: Path, module: Module) -> Path:
    return root / "tinytorch" / "core" / f"{module.name}.py"


def render_sources(root: Path, modules: list[Module]) -> dict[Module, str]:
    """Return what each source exports. All sources are read, because two that export the same name are an error."""
    texts = {}
    for module, path in source.paths(root).items():
        texts[module] = render(source.read(path), module, f"modules/{path.name}")
    _one_home_per_name(texts)
    for module in modules:
        if module not in texts:
            raise TitoError(f"modules/{module.slug}.py does not exist")
    return {module: texts[module] for module in modules or texts}


def export(root: Path, modules: list[Module]) -> dict[Module, bool]:
    """Write the package files, and return True for each that changed. Write nothing if any source is wrong."""
    changed = {}
    for module, text in render_sources(root, modules).items():
        path = package_file(root, module)
        changed[module] = not path.is_file() or path.read_text(encoding="utf-8") != text
        if changed[module]:
            write_atomic(path, text)
    return changed


def differences(root: Path, modules: list[Module]) -> dict[Module, str]:
    """Return a unified diff for each package file that is out of step with its source, "" for the others."""
    diffs = {}
    for module, text in render_sources(root, modules).items():
        path = package_file(root, module)
        committed = path.read_text(encoding="utf-8") if path.is_file() else ""
        name = f"tinytorch/core/{module.name}.py"
        lines = difflib.unified_diff(
            committed.splitlines(), text.splitlines(), f"{name} (committed)", f"{name} (exported now)", lineterm=""
        )
        diffs[module] = "\n".join(lines)
    return diffs


def _one_home_per_name(texts: dict[Module, str]) -> None:
    homes = defaultdict(list)
    for module, text in texts.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                for name in ast.literal_eval(node.value):
                    homes[name].append(module)
    for name, modules in homes.items():
        if len(modules) > 1:
            where = " and ".join(f"modules/{module.slug}.py" for module in modules)
            raise TitoError(f"{name} is exported by {where}. Export it from one module only", code=1)
