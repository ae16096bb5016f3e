"""Make the notebook that learners get from a source, with nbgrader's own steps but without its gradebook."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import SaveCells
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from tito import source
from tito.course import as_notebook
from tito.syllabus import Module


def releases(repository: Path) -> Iterator[tuple[Module, str]]:
    """Yield the text of every released notebook, in the order of the course."""
    for module, path in source.paths(repository).items():
        yield module, release(repository, path)


def release(repository: Path, path: Path) -> str:
    """Return what nbgrader's generate_assignment would write into course/release, with the repository's configuration."""
    config = PyFileConfigLoader("nbgrader_config.py", path=str(repository)).load_config()
    exporter = NotebookExporter(config=Config({**config, "Exporter": {"default_preprocessors": []}}))
    for step in GenerateAssignment(config=config).preprocessors:
        if step is not SaveCells:
            exporter.register_preprocessor(step, enabled=True)
    instructors = nbformat.reads(nbformat.writes(as_notebook(source.read(path))), as_version=4)
    text, _ = exporter.from_notebook_node(instructors, resources={"nbgrader": {"assignment": path.stem}})
    return text
