"""The limits for a submission. Set them in nbgrader_config.py, as `c.Limits.cell_seconds = 20`."""

from traitlets import Integer
from traitlets.config import Configurable


class Limits(Configurable):
    """Limits on the execution of one notebook."""

    cell_seconds = Integer(10, help="Wall time of one cell. After it, the cell is interrupted.").tag(config=True)
    total_seconds = Integer(120, help="Wall time of all cells together. After it, the kernel is killed.").tag(config=True)
    cpu_seconds = Integer(240, help="CPU time of one process.").tag(config=True)
    memory_mb = Integer(3072, help="Memory of all processes together, and the address space of each.").tag(config=True)
    processes = Integer(128, help="Processes and threads at one time.").tag(config=True)
    file_mb = Integer(64, help="Size of one file, and of each folder that can be written to.").tag(config=True)
    output_kb = Integer(256, help="Output that is kept of one cell.").tag(config=True)
    messages = Integer(5000, help="Messages from one cell. After more, the kernel is killed.").tag(config=True)
    submission_mb = Integer(20, help="Size of a notebook that is handed in.").tag(config=True)

    def as_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in sorted(self.class_trait_names(config=True))}
