"""Run the cells of a notebook in a fresh kernel, for the learner's checks and for grading.

Whatever the kernel sends is treated as untrusted text: outputs are rebuilt field by field and cut to a size.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import queue
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpec

from tito import source, workspace
from tito.errors import TitoError
from tito.grading import sandbox
from tito.grading.answers import MAX_BYTES, MIME
from tito.syllabus import MODULES, Module

if TYPE_CHECKING:  # importing nbformat costs a worker more than a second
    from nbformat import NotebookNode

START_SECONDS = 60
GRACE_SECONDS = 3
UNSURE = ("timed out", "its process ended", "did not answer")  # a busy machine may have caused these
KEPT_TYPES = ("text/plain", "image/png")  # no HTML: a hostile one can take minutes to sanitize


@dataclass
class Ran:
    """The result of one cell: its outputs, its error (name and message), and the answers it sent."""

    outputs: list[dict[str, Any]] = field(default_factory=list)
    error: tuple[str, str] | None = None
    answers: list[str] = field(default_factory=list)
    timed_out: bool = False


@dataclass
class Execution:
    """The result of a notebook: each cell by its id, why it ended early if it did, and whether assertions still failed."""

    cells: dict[str, Ran] = field(default_factory=dict)
    ended: str | None = None  # why the kernel ended early
    ended_in: str | None = None  # the cell in which it ended
    canaries_failed: bool = True  # whether the assertions that must fail did fail

    @property
    def unsure(self) -> bool:
        """Might a less busy machine give another result? True after a timeout, a dead kernel, or canaries that passed."""
        slow = any(ran.timed_out for ran in self.cells.values())
        return slow or (self.ended or "").startswith(UNSURE) or not self.canaries_failed

    def to_json(self) -> str:
        return json.dumps({**vars(self), "cells": {name: vars(ran) for name, ran in self.cells.items()}})

    @classmethod
    def from_json(cls, text: str) -> Execution:
        from nbformat import from_dict

        fields = json.loads(text)
        cells = {name: Ran(**from_dict(ran)) for name, ran in fields["cells"].items()}
        for ran in cells.values():
            ran.error = tuple(ran.error) if ran.error else None
        return cls(**{**fields, "cells": cells})


@dataclass(frozen=True)
class Task:
    """All that one execution needs. The same task gives the same result on every machine that has this tool."""

    cells: tuple[tuple[str, str], ...]  # id and text, in the order in which they run
    module: Module
    package: dict[str, bytes]  # the prefix: the files of `tinytorch` that the notebook may import, by path
    limits: dict[str, int]
    sandboxed: bool

    @classmethod
    def of(cls, notebook: NotebookNode, module: Module, package: Path, limits: dict[str, int], sandboxed: bool) -> Task:
        """Make the task that runs the graded cells of a notebook on the modules of `package` (a `tinytorch`) before `module`."""
        cells = tuple((cell.id, cell.source) for cell in source.in_grading_order(notebook))
        return cls(cells, module, prefix(package, module), limits, sandboxed)

    @cached_property
    def key(self) -> str:
        """A hash of everything that determines the result."""
        facts = [self.cells, self.module.number, self.limits, self.sandboxed, versions()]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        for name, data in self.package.items():
            digest.update(f"{name} {len(data)} ".encode() + data)
        return digest.hexdigest()


class Died(Exception):
    """The kernel is gone. The message says why."""


def execute(
    notebook: NotebookNode,
    module: Module,
    package: Path,
    limits: dict[str, int],
    sandboxed: bool,
    on_cell: Callable[[str], None] = lambda name: None,
) -> Execution:
    """Run the cells that a grade depends on, on this machine."""
    return Execution.from_json(run(Task.of(notebook, module, package, limits, sandboxed), on_cell))


def run(task: Task, on_cell: Callable[[str], None] = lambda name: None, patient: bool = True) -> str:
    """Run the cells of a task in a new kernel, and return its Execution as JSON. Unless `patient`, stop at the first timeout."""
    result = Execution()
    deadline = time.monotonic() + task.limits["total_seconds"]
    with _kernel(task) as kernel:
        for name, text in task.cells:
            on_cell(name)
            ran = result.cells[name] = Ran()
            try:
                kernel.run(text, ran, deadline)
                if ran.timed_out and not patient:
                    raise Died("timed out")
            except Died as death:
                result.ended, result.ended_in = str(death), name
                break
        else:
            result.canaries_failed = _canaries_fail(kernel)
    return result.to_json()


def prefix(package: Path, module: Module) -> dict[str, bytes]:
    """Return the files of `package`, a folder `tinytorch`, without `module` and the later modules."""
    later = {Path("core", f"{one.name}.py") for one in MODULES[module.number :]}
    paths = {path.relative_to(package): path for path in sorted(package.rglob("*")) if path.is_file()}
    return {
        place.as_posix(): path.read_bytes()
        for place, path in paths.items()
        if place not in later and "__pycache__" not in place.parts
    }


@cache
def versions() -> dict[str, str]:
    """Return the versions on which a result depends. Machines that differ in them must not grade the same class."""
    distributions = ("numpy", "matplotlib", "numba", "ipython", "ipykernel")
    here = Path(__file__).parent
    tool = [here / f"{name}.py" for name in ("answers", "execute", "sandbox", "seccomp")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in [*tool, Path(workspace.__file__)]))
    python = ".".join(platform.python_version_tuple()[:2])
    found = {name: importlib.metadata.version(name) for name in distributions}
    return {"machine": platform.machine(), "python": python, **found, "tito": digest.hexdigest()[:12]}


def write_workspace(folder: Path, package: dict[str, bytes]) -> None:
    """Make `folder` a workspace with these files in its `tinytorch`."""
    for name, data in package.items():
        path = folder / "tinytorch" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "modules").mkdir()


@contextmanager
def _kernel(task: Task) -> Iterator[_Kernel]:
    with sandbox.scratch_folder() as folder:
        sockets = folder / "k"
        write_workspace(folder, task.package)
        sockets.mkdir()
        manager = _manager(folder, sockets, task.limits, task.sandboxed)
        kernel = None
        try:
            nowhere = subprocess.DEVNULL
            asserting = {name: value for name, value in os.environ.items() if name != "PYTHONOPTIMIZE"}
            manager.start_kernel(cwd=str(folder / "modules"), env=asserting, stdout=nowhere, stderr=nowhere)
            kernel = _Kernel(manager, task.limits)
            yield kernel
        finally:
            if kernel:
                kernel.client.stop_channels()
            if manager.has_kernel:
                manager.shutdown_kernel(now=True)
            manager.context.destroy(linger=0)


def _manager(folder: Path, sockets: Path, limits: dict[str, int], sandboxed: bool) -> KernelManager:
    if not sandboxed:
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--HistoryManager.enabled=False"]
        spec = KernelSpec(argv=command, language="python", display_name="tito")
        manager = KernelManager(connection_file=str(sockets / "kernel.json"), context=_context())
    else:
        config = {"folder": str(sockets), "workspace": str(folder), "limits": limits}
        spec = KernelSpec(
            argv=sandbox.kernel_command(sockets, limits),
            language="python",
            display_name="tito in a sandbox",
            metadata={"kernel_provisioner": {"provisioner_name": "tito-sandbox", "config": config}},
        )
        manager = KernelManager(
            transport="ipc", ip=str(sockets / "s"), connection_file=str(sockets / "kernel.json"), context=_context()
        )
    manager._kernel_spec = spec
    return manager


def _context() -> zmq.Context:
    """Make sockets that refuse messages above 16 MB and queue only a few, because unread messages fill our memory.

    They look for the kernel every 10 ms instead of every 100 ms.
    """
    context = zmq.Context()
    context.setsockopt(zmq.MAXMSGSIZE, 16 << 20)
    context.setsockopt(zmq.RCVHWM, 16)
    context.setsockopt(zmq.RECONNECT_IVL, 10)
    return context


class _Kernel:
    """A running kernel and the client that talks to it."""

    def __init__(self, manager: KernelManager, limits: dict[str, int]):
        self.manager, self.limits = manager, limits
        self.client = manager.blocking_client()
        self.client.start_channels()
        until = time.monotonic() + START_SECONDS
        while not self._is_ready():
            alive = self.manager.is_alive()
            if not alive or time.monotonic() > until:
                why = "it does not answer" if alive else self._cause_of_death()
                raise TitoError(f"the kernel that runs notebooks does not start: {why}", code=1)

    def _is_ready(self) -> bool:
        """Does the kernel answer on both channels? An answer sent before we were connected is lost: ask again.

        jupyter_client's wait_for_ready waits another 0.2 s for silence, a fifth of the time of a submission.
        """
        request = self.client.kernel_info()
        for read, seconds, end in ((self.client.get_shell_msg, 1, "ok"), (self.client.get_iopub_msg, 0.2, "idle")):
            try:
                while True:
                    parent, _, content = _parse_message(read(timeout=seconds))
                    if parent == request and end in (content.get("status"), content.get("execution_state")):
                        break
            except queue.Empty:
                return False
        return True

    def run(self, code: str, ran: Ran, deadline: float) -> None:
        """Run a cell and write its result into `ran`. Raise Died if the kernel dies or has to be killed."""
        now = time.monotonic()
        limit = min(now + self.limits["cell_seconds"], deadline)
        request = self.client.execute(code, store_history=False, allow_stdin=False, stop_on_error=False)
        size = messages = 0
        while True:
            message = self._next_message(min(limit, time.monotonic() + 0.5))
            if time.monotonic() >= limit:
                if ran.timed_out:
                    self._kill("timed out and ignored the interrupt")
                if limit >= deadline:
                    self._kill("timed out: the notebook used up all its time")
                ran.timed_out, limit = True, time.monotonic() + GRACE_SECONDS
                self.manager.interrupt_kernel()
            if message is None:
                if not self.manager.is_alive():
                    raise Died(self._cause_of_death())
                continue
            messages += 1
            if messages > self.limits["messages"]:
                self._kill("too many messages")
            parent, kind, content = message
            if parent != request:
                continue
            if kind == "status" and content.get("execution_state") == "idle":
                break
            size = _collect(kind, content, ran, size, self.limits["output_kb"] << 10)
        self._check_reply(request, ran)

    def _next_message(self, until: float) -> tuple[Any, str, dict] | None:
        """Return the next message on iopub, or None if none comes in time. Kill a kernel whose message cannot be read."""
        try:
            return _parse_message(self.client.get_iopub_msg(timeout=max(0.0, until - time.monotonic())))
        except queue.Empty:
            return None
        except Exception as error:  # the bytes are untrusted: the parser may raise anything
            self._kill(f"sent a message that cannot be read ({type(error).__name__})")

    def _check_reply(self, request: str, ran: Ran) -> None:
        """Read the reply. If it reports an error that no output showed, record that error."""
        until = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < until:
            try:
                parent, _, content = _parse_message(self.client.get_shell_msg(timeout=0.5))
            except queue.Empty:
                continue
            except Exception as error:
                self._kill(f"sent a reply that cannot be read ({type(error).__name__})")
            if parent == request:
                if content.get("status") != "ok" and ran.error is None:
                    ran.error = (_text(content.get("ename"), 100) or "Error", _text(content.get("evalue"), 2000))
                return
        if not self.manager.is_alive():
            raise Died(self._cause_of_death())
        self._kill("did not answer a request")

    def _kill(self, why: str) -> None:
        self.manager.shutdown_kernel(now=True)
        raise Died(why)

    def _cause_of_death(self) -> str:
        time.sleep(0.3)  # the watcher may be about to say why
        return getattr(self.manager.provisioner, "killed_for", None) or "its process ended"


def _parse_message(message: dict) -> tuple[Any, str, dict]:
    """Return the id of the request that a message answers, its kind and its content. Raise if it is malformed."""
    parent, content = message["parent_header"], message["content"]
    if not isinstance(parent, dict) or not isinstance(content, dict):
        raise TypeError("not a dict")
    return parent.get("msg_id"), str(message["msg_type"]), content


def _collect(kind: str, content: dict, ran: Ran, size: int, cap: int) -> int:
    """Add one message of a cell to `ran`, and return the bytes kept so far."""
    if kind == "error" and ran.error is None:
        name, message = _text(content.get("ename"), 100) or "Error", _text(content.get("evalue"), 4000)
        lines = content.get("traceback")
        lines = [_text(line, cap // 100) for line in lines[:100]] if isinstance(lines, list) else []
        ran.error = (name, message)
        ran.outputs.append({"output_type": "error", "ename": name, "evalue": message, "traceback": lines})
    elif kind == "stream":
        text = _text(content.get("text"), max(0, cap - size))
        size += len(text)
        name = "stderr" if content.get("name") == "stderr" else "stdout"
        last = ran.outputs[-1] if ran.outputs else None
        if last is not None and last["output_type"] == "stream" and last["name"] == name:
            last["text"] += text
        elif text:
            ran.outputs.append({"output_type": "stream", "name": name, "text": text})
    elif kind in ("display_data", "execute_result") and isinstance(content.get("data"), dict):
        data = content["data"]
        if MIME in data:
            room = 16 * MAX_BYTES - sum(map(len, ran.answers))
            ran.answers.append(_text(data[MIME], max(0, min(room, MAX_BYTES + 1))))
            return size
        kept = {mime: data[mime] for mime in KEPT_TYPES if isinstance(data.get(mime), str)}
        weight = sum(map(len, kept.values()))
        if kept and size + weight <= 4 * cap:
            size += weight
            ran.outputs.append({"output_type": "display_data", "metadata": {}, "data": kept})
    return size


def _text(value: Any, most: int) -> str:
    return value[:most] if isinstance(value, str) else ""


# These must fail. In a kernel where one passes, somebody has disabled assertions, and the checks prove nothing.
CANARIES: tuple[tuple[str, str, str], ...] = (
    ("AssertionError", 'assert 1 + 1 == 3, "{nonce}"', "{nonce}"),
    ("AssertionError", 'import numpy as np\nnp.testing.assert_array_equal([1.0], [2.0], err_msg="{nonce}")', "{nonce}"),
    ("AssertionError", 'import numpy as np\nnp.testing.assert_allclose([1.0], [2.0], err_msg="{nonce}")', "{nonce}"),
    ("RuntimeError", 'raise RuntimeError("{nonce}")', "{nonce}"),
)


def _canaries_fail(kernel: _Kernel) -> bool:
    for name, code, message in CANARIES:
        nonce, ran = secrets.token_hex(8), Ran()
        try:
            kernel.run(code.format(nonce=nonce), ran, time.monotonic() + 10)
        except Died:
            return False
        if ran.error is None or ran.error[0] != name or message.format(nonce=nonce) not in ran.error[1]:
            return False
    return True

