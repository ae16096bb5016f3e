"""The sandbox in which submitted code runs: a Jupyter kernel inside bubblewrap.

It has no network. It sees the Python environment, the earlier modules, and nothing else of the course. It can write
to two small folders in memory. The tool talks to it over Unix sockets in a folder that only this user can open.
"""

import itertools
import json
import os
import secrets
import shutil
import signal
import site
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import psutil
from jupyter_client.provisioning import LocalProvisioner
from traitlets import Dict, Unicode

import tito
from tito import machine, processes
from tito.errors import TitoError, hold_lock
from tito.grading import seccomp

INSIDE = Path("/course")  # the path of the workspace inside
SCRATCH = "tito-run-"  # the beginning of the names of scratch folders
SOCKET = f"{SCRATCH}12345678/k/s-5"  # a kernel's socket below a temporary folder
HELD = "held"  # a file in each scratch folder, locked as long as its process lives
ABANDONED = 60  # seconds after which a scratch folder without a lock is removed

# Starts a watcher in the background, then becomes the command. When the other end of standard input closes, the watcher kills
# the whole process group. bwrap's --die-with-parent has no effect until it is armed: if the parent dies earlier, processes stay.
WATCHED = ("/bin/sh", "-c", 'exec 3<&0 </dev/null; (read -r _; kill -s KILL -- -$$) <&3 & exec "$@" 3<&-', "sh")

# Sets hard limits inside, before the kernel starts: submitted code cannot raise them. The kernel gets its own session, so that
# a signal to its process group reaches nothing outside. bwrap's --new-session would move bwrap itself, too.
LAUNCH = """
import json, os, resource, sys
os.setsid()
limits = json.loads(sys.argv[1])
for name, value in limits.items():
    resource.setrlimit(getattr(resource, name), (value, value))
sys.argv = ["ipykernel_launcher", "-f", sys.argv[2], "--HistoryManager.enabled=False"]
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""


def find_problem() -> str | None:
    """Say why the sandbox cannot be used here and what to do. None if it can be used."""
    if not sys.platform.startswith("linux"):
        return "the sandbox needs Linux. Grade on a Linux machine or in a Linux virtual machine"
    if shutil.which("bwrap") is None:
        return f"bubblewrap is not installed: {machine.install_advice('bubblewrap')}"
    if seccomp.filter_program() is None:
        known = " and ".join(seccomp.MACHINES)
        return f"the sandbox filters system calls by number, and knows the numbers of {known} only. Grade on such a machine"
    return _try_bubblewrap()


@cache
def _try_bubblewrap() -> str | None:
    trial = subprocess.run(
        ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--size", str(1 << 20), "--tmpfs", "/tmp", "true"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if trial.returncode == 0:
        return None
    said = (trial.stderr.strip().splitlines() or ["no reason given"])[-1]
    return f"bubblewrap cannot make a sandbox here ({said}). It needs the option --size and permission for user namespaces"


def install(say: Callable[[str], None]) -> str | None:
    """Install bubblewrap if it is missing and this user can install it. Return why the sandbox still cannot be used, if so."""
    problem = find_problem()
    lacks_bwrap = problem and sys.platform.startswith("linux") and shutil.which("bwrap") is None
    if not lacks_bwrap or not machine.install_commands("bubblewrap") or not machine.can_install():
        return problem
    say(f"installing the sandbox: {machine.install_advice('bubblewrap')}")
    failed = machine.install("bubblewrap")
    return f"bubblewrap could not be installed: {failed}" if failed else find_problem()


def require() -> None:
    problem = find_problem()
    if problem:
        raise TitoError(f"{problem}. To grade without protection, use --no-sandbox")


class SandboxProvisioner(LocalProvisioner):
    """Launches a kernel in bubblewrap, and kills it when it uses too much."""

    folder = Unicode(help="Bound at the same path: the connection file and the sockets.").tag(config=True)
    workspace = Unicode(help="Holds the prefix, `tinytorch`.").tag(config=True)
    limits = Dict(help="Limits.as_dict()").tag(config=True)

    killed_for: str | None = None
    life: BinaryIO | None = None  # only this process holds it open: when it closes, the kernel is killed

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        require()
        kwargs = await super().pre_launch(**kwargs)
        kwargs["cmd"] = [*bubblewrap_command(Path(self.folder), Path(self.workspace), self.limits), *kwargs["cmd"]]
        kwargs["env"] = kernel_environment()
        kwargs["cwd"] = self.folder
        return kwargs

    async def launch_kernel(self, cmd: list[str], **kwargs: Any):
        watched, held = os.pipe()
        self.life = os.fdopen(held, "wb")
        try:
            with _system_call_filter() as (options, descriptors):
                cmd = [*WATCHED, cmd[0], *options, *cmd[1:]]
                info = await super().launch_kernel(cmd, stdin=watched, pass_fds=descriptors, **kwargs)
        except BaseException:
            self.life.close()
            raise
        finally:
            os.close(watched)
        threading.Thread(target=self._watch, args=(self.process,), daemon=True).start()
        return info

    async def send_signal(self, signum: int) -> None:
        """Send an interrupt directly to the processes inside. A message would wait for a cell that holds Python's lock."""
        if signum != signal.SIGINT:
            return await super().send_signal(signum)
        for child in _descendants(self.process.pid) if self.process else ():
            with suppress(psutil.Error, OSError):  # it has just ended
                child.send_signal(signum)

    async def cleanup(self, restart: bool = False) -> None:
        if self.life:
            self.life.close()
        await super().cleanup(restart)

    def _watch(self, process: subprocess.Popen) -> None:
        """Kill the kernel when it exceeds what rlimits cannot bound: all processes together, and the writable folder on disk."""
        while process.poll() is None:
            problem = self._find_excess(process.pid)
            if problem:
                self.killed_for = problem
                os.killpg(process.pid, signal.SIGKILL)
                return
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue

    def _find_excess(self, pid: int) -> str | None:
        threads = memory = 0
        for child in _descendants(pid):
            try:
                threads += child.num_threads()
                memory += child.memory_info().rss
            except (psutil.Error, OSError):  # it has just ended
                continue
        if threads > self.limits["processes"]:
            return "too many processes"
        if memory > self.limits["memory_mb"] << 20:
            return "out of memory"
        if _is_overfull(Path(self.folder), self.limits["file_mb"] << 20):
            return "it wrote into the folder of the kernel's sockets"
        return None


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except (psutil.Error, OSError):
        return []


def _is_overfull(folder: Path, most: int) -> bool:
    """Does the folder hold more than a connection file and five sockets should?"""
    try:
        with os.scandir(folder) as found:
            entries = list(itertools.islice(found, 17))
        size = sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
        return len(entries) > 16 or size > most or any(entry.is_dir(follow_symlinks=False) for entry in entries)
    except OSError:  # something, or the folder itself, has just gone
        return False


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a new private folder, and remove it afterwards, whatever is in it."""
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=processes.temporary_folder(SOCKET)))
    _in_use.add(folder)
    try:
        with hold_lock(folder / HELD, f"process works in {folder}"):
            yield folder
    finally:
        _remove(folder)
        _in_use.discard(folder)


_in_use: set[Path] = set()


def remove_scratch() -> None:
    """Remove the scratch folders of this process, which is about to end in the middle of its work."""
    for folder in list(_in_use):
        with suppress(OSError):  # a process may still write into it
            _remove(folder)


@cache
def _remove_abandoned() -> None:
    """Remove the scratch folders of processes that were killed. Runs once."""
    if sys.platform == "win32":  # there are no locks to tell whether a folder is in use
        return
    for folder in Path(processes.temporary_folder(SOCKET)).glob(f"{SCRATCH}*"):
        with suppress(OSError, TitoError):  # it was just removed, or its process lives
            facts = folder.lstat()
            ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid()
            if ours and facts.st_mtime < time.time() - ABANDONED:
                with hold_lock(folder / HELD, f"process works in {folder}"):
                    _remove(folder)


def _remove(top: Path) -> None:
    """Remove a folder however deep it is. Each folder in it is first moved to the top, so that no path becomes too long."""
    os.chmod(top, 0o700)
    folders = [top]
    for folder in folders:
        with os.scandir(folder) as found:
            entries = list(found)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o700)  # a folder that is not writable cannot be moved
                moved = top / secrets.token_hex(8)
                os.rename(entry.path, moved)
                folders.append(moved)
            else:
                os.unlink(entry.path)
    for folder in reversed(folders):
        os.rmdir(folder)


@contextmanager
def _system_call_filter() -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """Yield bwrap's option for the filter of system calls, and the file descriptor with the filter."""
    reading, writing = os.pipe()
    try:
        os.write(writing, seccomp.filter_program())
        os.close(writing)
        yield ["--seccomp", str(reading)], (reading,)
    finally:
        os.close(reading)


def kernel_command(folder: Path, limits: dict[str, int]) -> list[str]:
    """Return the command inside: it sets the limits, then becomes a kernel."""
    megabyte = 1 << 20
    hard = {
        "RLIMIT_AS": limits["memory_mb"] * megabyte,
        "RLIMIT_CPU": limits["cpu_seconds"],
        "RLIMIT_FSIZE": limits["file_mb"] * megabyte,
        "RLIMIT_NPROC": limits["processes"],
        "RLIMIT_NOFILE": 256,
        "RLIMIT_CORE": 0,
    }
    return [sys.executable, "-c", LAUNCH, json.dumps(hard), "{connection_file}"]


def kernel_environment() -> dict[str, str]:
    """Return the environment variables of the kernel, which say nothing else about this machine."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(INSIDE / "lib"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",  # more threads are slower, with one kernel and with many
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "MPLCONFIGDIR": "/tmp/matplotlib",
    }


def bubblewrap_command(folder: Path, workspace: Path, limits: dict[str, int]) -> list[str]:
    """Return bwrap and its options: first what is visible, then what is masked in it, then what is writable."""
    seen = _python_environment()
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--cap-drop", "ALL"]
    command += ["--setenv", "JPY_PARENT_PID", "0"]  # jupyter_client sets it to a pid that means nothing inside
    command += ["--uid", "65534", "--gid", "65534", "--hostname", "sandbox"]
    small = ["--size", str(limits["file_mb"] << 20), "--tmpfs"]
    command += [*small, "/tmp"]
    for path in seen:
        command += ["--ro-bind", str(path), str(path)]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        command += _bind_system_folder(Path("/", name))
    for path in ("/etc/ld.so.cache", "/etc/fonts", "/etc/alternatives"):
        command += ["--ro-bind-try", path, path]
    command += _mask_course(seen)
    command += ["--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev", *small, "/dev/shm", *small, str(INSIDE / "modules")]
    fonts = font_list()
    if fonts:
        command += ["--ro-bind", str(fonts), f"/tmp/matplotlib/{fonts.name}"]
    command += ["--ro-bind", str(workspace / "tinytorch"), str(INSIDE / "tinytorch")]
    command += ["--ro-bind", str(Path(tito.__file__).parent), str(INSIDE / "lib" / "tito")]
    command += ["--bind", str(folder), str(folder)]
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(INSIDE / "modules"), "--"]
    return command


def _bind_system_folder(path: Path) -> list[str]:
    if path.is_symlink():
        return ["--symlink", os.readlink(path), str(path)]
    return ["--ro-bind", str(path), str(path)] if path.is_dir() else []


@cache
def _python_environment() -> tuple[Path, ...]:
    """Return the folders that Python needs to run, outermost first."""
    folders = [sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages(), "/usr"]
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    executable = Path(sys.executable)
    while executable.is_symlink():
        folders.append(executable.parent)
        executable = executable.parent / os.readlink(executable)
    folders.append(executable.resolve().parent.parent)
    found = sorted({Path(folder).absolute() for folder in folders if Path(folder).is_dir()})
    course = _course()
    if course and any(course.is_relative_to(path) and not path.is_relative_to("/usr") for path in found):
        raise TitoError(f"the Python environment {sys.prefix} contains the course {course}. Move it, for example into .venv")
    return tuple(found)


def _course() -> Path | None:
    """Return the repository from which this tool runs, if it does."""
    root = Path(tito.__file__).resolve().parent.parent
    return root if (root / "modules").is_dir() else None


def _mask_course(seen: tuple[Path, ...]) -> list[str]:
    """Return options that hide every visible copy of the course: installed packages, and a repository below /usr."""
    copies = {Path(folder, "tinytorch") for folder in (*sys.path, *site.getsitepackages())}
    for path in seen:  # also those of the Python below a virtual environment
        copies.update(path.glob("lib*/python3*/*-packages/tinytorch"))
        copies.update(path.glob("local/lib*/python3*/*-packages/tinytorch"))
    course = _course()
    copies.update([course] if course else [])
    masks = []
    for copy in sorted(copies):
        if copy.is_dir() and any(copy.is_relative_to(path) for path in seen):
            masks += ["--tmpfs", str(copy)]
            for path in seen:
                if path.is_relative_to(copy):
                    masks += ["--ro-bind", str(path), str(path)]
            masks += ["--remount-ro", str(copy)]
    return masks


@cache
def font_list() -> Path | None:
    """Return matplotlib's list of the fonts on this machine. It is made once, because making it takes seconds."""
    from matplotlib import font_manager, get_cachedir

    font_manager._load_fontmanager()
    lists = sorted(Path(get_cachedir()).glob("fontlist-v*.json"))
    return lists[-1] if lists else None
