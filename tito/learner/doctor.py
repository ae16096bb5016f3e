"""Check that this machine has what the course needs, and say what to do if it has not."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MEMORY_GB, DISK_GB = 2, 1
INSTALL_KERNEL = "run `python -m ipykernel install --sys-prefix` with the Python that runs tito"


@dataclass
class Finding:
    """One thing that was checked. If it is not `needed` to learn, only grading or speed depends on it."""

    what: str
    found: str
    ok: bool = True
    advice: str = ""
    needed: bool = True

    @property
    def verdict(self) -> str:
        return "yes" if self.ok else "NO" if self.needed else "no, but learning works without it"

    @property
    def todo(self) -> str:
        return "" if self.ok else self.advice


def examine(folder: Path) -> Iterator[Finding]:
    """Check everything, and yield each finding at once."""
    yield _python()
    yield _assertions()
    yield from _packages()
    yield _kernel()
    yield _memory()
    yield _disk(folder)
    yield from _blas()
    yield _sandbox()


def _python() -> Finding:
    found = f"{platform.python_version()} at {sys.executable}"
    return Finding("Python", found, sys.version_info >= (3, 11), "install Python 3.11 or newer, and tito with it")


def _assertions() -> Finding:
    """Check that this Python does not skip assertions, because then every check would pass."""
    found = "skipped" if sys.flags.optimize else "can fail"
    return Finding("assertions", found, not sys.flags.optimize, "unset PYTHONOPTIMIZE: with it, no check can fail")


def _packages() -> Iterator[Finding]:
    """Check the dependencies in the pyproject.toml of this tool."""
    from packaging.requirements import Requirement

    own = importlib.metadata.packages_distributions().get("tito", [])
    if not own:
        yield Finding("tito", "not installed", False, "run `pip install -e .` in the folder of pyproject.toml")
        return
    for line in sorted(importlib.metadata.requires(own[0]) or []):
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(wanted.name, "not installed", False, f'pip install "{wanted.name}{wanted.specifier}"')
            continue
        ok = wanted.specifier.contains(version, prereleases=True)
        yield Finding(wanted.name, version, ok, f'pip install "{wanted.name}{wanted.specifier}"')


def _kernel() -> Finding:
    """Start a kernel as JupyterLab does, and import this tool in it."""
    from jupyter_client.manager import start_new_kernel

    said = []
    try:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with warnings.catch_warnings(action="ignore"):  # IPython warns if it cannot write into the home folder
            manager, client = start_new_kernel(kernel_name="python3", startup_timeout=60, **quiet)
        try:
            client.execute_interactive(
                "import sys, tito.workspace; print(sys.prefix)", timeout=30, store_history=False,
                output_hook=lambda message: said.append(_said(message)),
            )  # fmt: skip
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    except Exception as error:  # any failure to start is the finding
        return Finding("kernel", f"{type(error).__name__}: {error}", False, INSTALL_KERNEL)
    prefix = "".join(said).strip()
    if prefix != sys.prefix:
        return Finding("kernel", f"python3 starts another Python, or one without tito: {prefix}", False, INSTALL_KERNEL)
    return Finding("kernel", "starts and computes")


def _said(message: dict) -> str:
    content = message["content"]
    return content["text"] if message["msg_type"] == "stream" else content.get("evalue", "")


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    found = f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free"
    return Finding("memory", found, memory.available > MEMORY_GB * 1e9, f"close other programs: {MEMORY_GB} GB should be free")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    return Finding("disk", f"{free / 1e9:.1f} GB free", free > DISK_GB * 1e9, f"make room: {DISK_GB} GB should be free")


def _blas() -> Iterator[Finding]:
    """Check the number of threads of the library that multiplies NumPy's matrices."""
    import numpy  # noqa: F401  (loads it)
    from threadpoolctl import threadpool_info

    cores = os.cpu_count() or 1
    found = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    if not found:
        yield Finding("BLAS", "none found (this is normal on a Mac)", needed=False)
    for pool in found:
        threads = pool["num_threads"]
        said = f"{pool['internal_api']} {pool['version'] or ''}, {threads} threads on {cores} cores"
        advice = f"set OMP_NUM_THREADS={cores}: more threads than cores are slower"
        yield Finding("BLAS", said, threads <= cores, advice, needed=False)


def _sandbox() -> Finding:
    from tito.grading import sandbox

    problem = sandbox.find_problem()
    return Finding("sandbox", "works" if problem is None else "not available", problem is None, problem or "", needed=False)


def is_healthy(findings: list[Finding]) -> bool:
    """Is everything that learning needs ok?"""
    return all(finding.ok for finding in findings if finding.needed)
