"""What submitted code can see, reach, write and use up while it is graded: real code in the real sandbox.

Whole attacks, and what becomes of them, stand in attacks/ and test_attacks.py.
"""

import json
import os
import threading
import time
from pathlib import Path

import psutil
import pytest
from jupyter_core.utils import ensure_event_loop
from lab import DOUBLE, HALF, sandboxes_in

import tito
from tito import processes
from tito.errors import TitoError, hold_lock
from tito.grading import execute, sandbox, seccomp

DEF = DOUBLE.removeprefix("#| export\n")


def then(code: str) -> str:
    """Return a solution cell that runs other code first."""
    return f"{code}\n\n{DEF}"


def in_double(*lines: str) -> str:
    """Return a solution that runs other code whenever it is called."""
    return "def double(x):\n" + "".join(f"    {line}\n" for line in lines) + "    return 2 * x"


# -- what it sees --------------------------------------------------------------------------------------------------


def test_only_the_environment_and_the_prefix_are_visible(lab):
    seen = lab.probe("import os\nprint(*sorted(os.listdir('/')))\nprint(*sorted(os.listdir('/course/tinytorch/core')))")
    top, core = seen.splitlines()
    allowed = {"bin", "course", "dev", "etc", "lib", "lib32", "lib64", "proc", "sbin", "tmp", "usr"}
    environment = {path.parts[1] for path in sandbox._python_environment()}
    assert set(top.split()) <= allowed | environment
    assert core.split() == ["__init__.py", "introduction.py"]


def test_nothing_of_the_course_can_be_found_on_any_disk(lab, root):
    """Walk all visible folders and look for the sources, the gradebook, and files that import the reference."""
    found = lab.probe(f"""
import os
for folder, folders, files in os.walk('/'):
    if folder in ('/proc', '/dev'):
        folders.clear()
    for name in files:
        if name in ('gradebook.db', 'nbgrader_config.py', '01_setup.py', 'activations.py', 'digits.npz'):
            print(os.path.join(folder, name))
for path in ({str(root)!r}, {str(lab.root)!r}):
    print(os.path.exists(os.path.join(path, 'modules')))
""", cell_seconds=100, total_seconds=100)
    lines = [line for line in found.splitlines() if "/site-packages/nbgrader/" not in line]
    assert lines == ["/course/tinytorch/datasets/digits.npz", "False", "False"]


def test_earlier_modules_can_be_imported_and_the_modules_own_reference_cannot(lab):
    said = lab.probe("""
from tinytorch.core.introduction import WHOSE
print(WHOSE)
import importlib, importlib.util, subprocess, sys
for name in ('setup', 'tensor'):
    try:
        importlib.import_module(f'tinytorch.core.{name}')
    except ImportError as error:
        print(error)
sys.meta_path[:] = [finder for finder in sys.meta_path if finder.__class__.__name__ not in ('OnlyBefore', 'NotBuiltYet')]
print(importlib.util.find_spec('tinytorch.core.setup'))
clean = subprocess.run([sys.executable, '-c', 'import tinytorch.core.setup'], env={}, cwd='/', capture_output=True, text=True)
print(clean.stderr.splitlines()[-1])
""").splitlines()
    assert lines_about(said, "the prefix", "is built in this notebook", "is built in module 02")
    assert said[3] == "None"
    assert "No module named" in said[4] or "not built yet" in said[4]


def lines_about(lines: list[str], *parts: str) -> bool:
    return all(part in line for part, line in zip(parts, lines, strict=False))


def test_a_tinytorch_in_site_packages_is_masked_and_the_mask_is_read_only(tmp_path, monkeypatch):
    """Also in the Python below a virtual environment, and in any version."""
    places = ["venv/lib/python3.11/site-packages", "base/lib/python3.12/site-packages", "base/local/lib/python3.11/dist-packages"]
    for place in places:
        (tmp_path / place / "tinytorch").mkdir(parents=True)
    masks = sandbox._mask_course((tmp_path / "venv", tmp_path / "base"))
    for place in places:
        at = masks.index(str(tmp_path / place / "tinytorch"))
        assert masks[at - 1] == "--tmpfs"
        assert masks[masks.index(str(tmp_path / place / "tinytorch"), at + 1) - 1] == "--remount-ro"


def test_an_installed_reference_cannot_be_read(lab, tmp_path, monkeypatch):
    """A really installed copy: in the sandbox its folder is empty."""
    site = tmp_path / "base" / "lib" / "python3.11" / "site-packages" / "tinytorch"
    site.mkdir(parents=True)
    (site / "reference.py").write_text("ANSWER = 42")
    seen = (*sandbox._python_environment(), tmp_path / "base")
    monkeypatch.setattr(sandbox, "_python_environment", lambda: seen)
    said = lab.probe(f"""
import os
print(os.listdir({str(site)!r}))
try:
    open({str(site / "mine")!r}, 'w')
except OSError as error:
    print(error.strerror)
""")
    assert said.split("\n")[:2] == ["[]", "Read-only file system"]


def test_a_repository_in_a_visible_folder_is_masked_but_its_environment_is_not(tmp_path, monkeypatch):
    course, venv = tmp_path / "usr" / "src" / "course", tmp_path / "usr" / "src" / "course" / ".venv"
    (course / "modules").mkdir(parents=True)
    venv.mkdir()
    monkeypatch.setattr(sandbox, "_course", lambda: course)
    masks = sandbox._mask_course((tmp_path / "usr", venv))
    at = masks.index(str(course))
    assert masks[at - 1 : at + 6] == [
        "--tmpfs", str(course), "--ro-bind", str(venv), str(venv), "--remount-ro", str(course),
    ]  # fmt: skip


def test_the_environment_says_nothing_of_this_machine(lab, monkeypatch):
    monkeypatch.setenv("TITO_DB_URL", "postgresql://secret")
    said = lab.probe("import json, os\nprint(json.dumps(dict(os.environ)))")
    inside = json.loads(said)
    assert "secret" not in said
    assert str(Path.home()) not in inside.values()
    assert set(inside) - set(sandbox.kernel_environment()) <= {
        "JPY_PARENT_PID", "PWD", "PYDEVD_USE_FRAME_EVAL", "TERM", "CLICOLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "PAGER",
        "GIT_PAGER", "MPLBACKEND", "LC_CTYPE", "OPENBLAS_THREAD_TIMEOUT",
    }  # fmt: skip


def test_it_sees_only_its_own_processes(lab):
    said = lab.probe("""
import os
for number in filter(str.isdigit, os.listdir('/proc')):
    print(open(f'/proc/{number}/cmdline').read().split(chr(0))[0].rsplit('/', 1)[-1])
""")
    assert set(said.split()) <= {"bwrap", "python", "python3", "python3.11", Path(os.path.realpath(sandbox.sys.executable)).name}


def test_there_is_no_network(lab):
    with threading_server() as port:
        said = lab.probe(f"""
import socket
for address in (('127.0.0.1', {port}), ('8.8.8.8', 53)):
    try:
        socket.create_connection(address, timeout=1)
        print('connected')
    except OSError as error:
        print(type(error).__name__)
print(*[name for _, name in socket.if_nameindex()])
""").split()
    assert "connected" not in said
    assert said[-1] == "lo"


class threading_server:
    """A server on this machine's loopback that accepts every connection."""

    def __enter__(self) -> int:
        import socket

        self.socket = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._accept)
        self.thread.start()
        return self.socket.getsockname()[1]

    def _accept(self) -> None:
        self.socket.settimeout(0.2)
        while not getattr(self, "done", False):
            try:
                self.socket.accept()[0].close()
            except OSError:
                continue

    def __exit__(self, *_) -> None:
        self.done = True
        self.thread.join(10)
        self.socket.close()


# -- what it can write ---------------------------------------------------------------------------------------------


def test_only_the_scratch_folders_can_be_written_to(lab):
    said = lab.probe("""
import os
def writable(folder):
    try:
        with open(os.path.join(folder, 'probe'), 'w'):
            return True
    except OSError:
        return False
for folder, folders, _ in os.walk('/'):
    if folder in ('/proc', '/dev'):
        folders.clear()
    if not os.path.islink(folder) and writable(folder):
        print(folder)
        folders.clear()
print(*[name for name in ('/dev', '/dev/shm', '/course/tinytorch', '/course/lib') if writable(name)])
""", cell_seconds=100, total_seconds=100).splitlines()
    assert said[-1] == "/dev/shm"
    assert set(said[:-1]) == {"/tmp", "/course/modules"}


def test_kernel_settings_cannot_be_changed_even_if_root_grades(lab):
    """The files below /proc belong to root: without a mask, a sandbox that root starts could set core_pattern."""
    said = lab.probe("""
import os
for folder, folders, files in os.walk('/proc'):
    if folder.endswith(('/fd', '/map_files', '/task')):
        folders.clear()
        files.clear()
    for name in files:
        try:
            os.close(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_NONBLOCK))
            print(os.path.join(folder, name))
        except OSError:
            pass
""", cell_seconds=100, total_seconds=100)
    assert said == ""


@pytest.mark.parametrize("folder", ["/tmp", "/course/modules", "/dev/shm"])
def test_no_disk_can_be_filled(lab, folder):
    said = lab.probe(f"""
import errno
written = 0
try:
    for number in range(100):
        with open(f'{folder}/fill{{number}}', 'wb') as file:
            file.write(bytes(1 << 20))
            written += 1
except OSError as error:
    print(written, errno.errorcode[error.errno])
""", file_mb=8)
    written, why = said.split()
    assert int(written) <= 8
    assert why == "ENOSPC"


def test_one_file_cannot_grow_beyond_its_limit(lab):
    graded = lab.grade(double=then("with open('/tmp/big', 'wb') as file:\n    file.truncate(9 << 20)"))
    assert graded.execution.cells["double"].error[0] == "OSError"


@pytest.mark.parametrize(
    "mess",
    [
        "for n in range(3000):\n    os.mkdir('d')\n    os.chdir('d')",
        "for n in range(3000):\n    open(f'file{n}', 'w').close()",
        "for n in range(40):\n    with open(f'big{n}', 'wb') as f:\n        f.write(bytes(1 << 20))",
        "os.mkdir('closed')\nopen('closed/in', 'w').close()\nos.chmod('closed', 0)",
    ],
    ids=["deep", "many", "large", "locked"],
)
def test_writing_into_the_folder_of_the_sockets_ends_the_kernel(lab, mess, temporary):
    """It is the only writable folder on disk. It must be gone afterwards."""
    where = "import glob, os, time\nos.chdir(os.path.dirname(glob.glob('/tmp/**/kernel.json', recursive=True)[0]))"
    graded = lab.grade(double=then(f"{where}\n{mess}\ntime.sleep(1)"))
    assert graded.verdict.status.startswith("it wrote into the folder of the kernel's sockets")
    assert graded.verdict.points == 0


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder in which grading makes its temporary folders. It must be empty when the test ends."""
    folder = tmp_path / "t"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


# -- after a kill ------------------------------------------------------------------------------------------------------


def test_the_scratch_folder_of_a_killed_process_is_removed_by_the_next_one(temporary):
    killed, busy, young = (temporary / f"{sandbox.SCRATCH}{name}" for name in ("killed", "busy", "young"))
    for folder in (killed / "k" / "deep", busy, young):
        folder.mkdir(parents=True)
    (killed / "k").chmod(0)
    (temporary / f"{sandbox.SCRATCH}link").symlink_to(busy)
    with hold_lock(busy / sandbox.HELD, "test"):
        for folder in (killed, busy):
            os.utime(folder, (0, 0))
        sandbox._remove_abandoned.cache_clear()
        with sandbox.scratch_folder():
            assert {path.name.removeprefix(sandbox.SCRATCH) for path in temporary.iterdir()} >= {"busy", "young", "link"}
            assert not killed.exists()
    (temporary / f"{sandbox.SCRATCH}link").unlink()
    sandbox._remove(busy)
    sandbox._remove(young)


# -- what it can use up --------------------------------------------------------------------------------------------


@pytest.fixture
def nothing_survives(temporary):
    """No process and no open file of a sandbox is left when the test ends."""
    ensure_event_loop()  # which the first kernel of a process makes, and no kernel closes
    me = psutil.Process()
    before, files = set(me.children(recursive=True)), me.num_fds()
    yield
    until = time.monotonic() + 10
    while time.monotonic() < until:
        left = [child for child in me.children(recursive=True) if child not in before] + sandboxes_in(temporary)
        if not left and me.num_fds() <= files:
            break
        time.sleep(0.05)
    assert left == []
    assert me.num_fds() <= files


SLEEPY = "import time\ntime.sleep(1000)"


def test_one_line_without_end_is_cut(lab, nothing_survives):
    graded = lab.grade(limits={"output_kb": 64}, double=then("print('x' * 5_000_000)"))
    assert graded.verdict.points == 80
    assert 0 < len(graded.printed) < 100_000


def test_many_lines_are_cut_and_cost_nothing(lab):
    graded = lab.grade(limits={"output_kb": 64}, double=then("for n in range(20_000):\n    print(n)"))
    assert graded.verdict.points == 80
    assert len(graded.printed) < 100_000


def test_errors_and_answers_without_end_do_not_fill_our_memory(lab, nothing_survives):
    code = in_double(
        "from IPython import get_ipython",
        "from IPython.display import publish_display_data",
        "k = get_ipython().kernel",
        "for n in range(12):",
        "    error = {'ename': 'a', 'evalue': 'b', 'traceback': ['y' * 20000] * 100}",
        "    k.session.send(k.iopub_socket, 'error', error, parent=k.get_parent())",
        "    publish_display_data({'application/vnd.tinytorch.answer+json': 'y' * 2_000_000})",
    )
    graded = lab.grade(double=code)
    assert sum(len(answer) for ran in graded.execution.cells.values() for answer in ran.answers) <= 3 * 17_000_000
    assert max(sum(output.output_type == "error" for output in ran.outputs) for ran in graded.execution.cells.values()) == 1
    assert graded.points["double_check"] == graded.points["double_hidden"] == 0


@pytest.mark.parametrize("code", ["import re\nre.match('(a+)+$', 'a' * 60 + 'b')", "9**9**9", "while True:\n    pass"])
def test_a_cell_that_keeps_pythons_lock_is_interrupted_too_and_the_cells_after_it_run(lab, code):
    graded = lab.grade(limits={"cell_seconds": 1}, double=f"{DOUBLE}\n{code}")
    assert graded.verdict.status == "timed out in cell double"
    assert graded.points == {"double_check": 30, "double_hidden": 20, "half_check": 30}


def test_the_time_of_all_cells_together_is_bounded(lab, nothing_survives):
    graded = lab.grade(limits={"cell_seconds": 30, "total_seconds": 8}, double=then(SLEEPY))
    assert graded.verdict.status == "timed out: the notebook used up all its time in cell double"


def test_processor_time_is_bounded(lab, nothing_survives):
    graded = lab.grade(limits={"cpu_seconds": 2, "cell_seconds": 15}, double=then("while True:\n    pass"))
    assert graded.verdict.status == "its process ended in cell double"


def test_memory_of_one_process_is_bounded(lab):
    said = lab.probe("try:\n    bytearray(3 << 30)\nexcept MemoryError:\n    print('no memory')")
    assert said == "no memory\n"


def test_memory_of_all_processes_together_is_bounded(lab, nothing_survives):
    code = then("""
import os, time
for n in range(6):
    if os.fork() == 0:
        hoard = bytearray(b'x') * (300 << 20)
        time.sleep(60)
time.sleep(60)
""")
    graded = lab.grade(limits={"memory_mb": 1500, "cell_seconds": 20}, double=code)
    assert graded.verdict.status == "out of memory in cell double"


def test_memory_that_belongs_to_no_process_cannot_be_allocated(lab):
    """A memfd or System V shared memory counts neither as a process's memory nor as a file of a folder."""
    said = lab.probe("""
import ctypes, errno, os
try:
    os.memfd_create('hoard')
except OSError as error:
    print(errno.errorcode[error.errno])
libc = ctypes.CDLL(None, use_errno=True)
print(libc.shmget(0, 1 << 30, 0o1600), libc.unshare(0x10000000))
""")
    assert said.split() == ["EPERM", "-1", "-1"]


def test_the_first_process_of_the_sandbox_cannot_be_controlled(lab):
    """When it ends, all processes end. Code that could trace it could keep it alive."""
    said = lab.probe("""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
ATTACH = 16
print(libc.ptrace(ATTACH, 1, 0, 0), libc.process_vm_writev(1, 0, 0, 0, 0, 0), ctypes.get_errno())
print(os.getsid(0) == os.getpid(), os.getpgid(1))
""")
    assert said.split() == ["-1", "-1", "1", "True", "0"], "refused, and its signals to its own group reach nobody outside"


def test_the_filter_of_system_calls_is_made_for_the_machines_it_knows():
    assert len(seccomp.filter_program("x86_64")) % 8 == 0
    assert seccomp.filter_program("aarch64") != seccomp.filter_program("x86_64")
    assert seccomp.filter_program("a machine of tomorrow") is None


def test_on_a_machine_whose_system_calls_cannot_be_filtered_there_is_no_sandbox(monkeypatch):
    monkeypatch.setattr(seccomp, "MACHINES", {"m68k": ()})
    with pytest.raises(TitoError, match=r"of m68k only\. Grade on such a machine\. To grade without protection, use --no"):
        sandbox.require()


def test_short_lived_processes_do_not_hide_a_process_that_uses_too_much(lab, nothing_survives):
    code = then("""
import os, time
for n in range(6):
    if os.fork() == 0:
        hoard = bytearray(b'x') * (300 << 20)
        time.sleep(60)
while True:
    if os.fork() == 0:
        os._exit(0)
    os.wait()
""")
    graded = lab.grade(limits={"memory_mb": 1500, "cell_seconds": 10}, double=code)
    assert graded.verdict.status == "out of memory in cell double"


def test_a_kernel_that_dies_before_it_answers_is_an_error_and_no_grade(lab):
    with pytest.raises(TitoError, match="the kernel that runs notebooks does not start: its process ended"):
        lab.grade(limits={"memory_mb": 30})


def test_waiting_for_a_kernel_that_does_not_answer_ends(lab, monkeypatch):
    monkeypatch.setattr(execute, "START_SECONDS", 2)
    monkeypatch.setattr(sandbox, "LAUNCH", "import time; time.sleep(600)")
    with pytest.raises(TitoError, match="the kernel that runs notebooks does not start: it does not answer"):
        lab.grade()


WEIRD = ([1], "text", None, 7, {}, {"ename": [1], "evalue": {}, "traceback": 7}, {"data": 3},
         {"text": ["x"]}, {"data": {"text/plain": 1}})  # fmt: skip


@pytest.mark.parametrize("kind", ["error", "stream", "display_data", "execute_result", "status", "never heard of"])
def test_a_message_made_by_hand_cannot_break_the_reader(kind):
    for content in WEIRD:
        ran = execute.Ran()
        if isinstance(content, dict):
            execute._collect(kind, content, ran, 0, 1000)
            json.dumps(ran.outputs)
        else:
            with pytest.raises(TypeError):
                execute._parse_message({"parent_header": {}, "content": content, "msg_type": kind})


@pytest.mark.parametrize("part", ["content", "parent_header"])
def test_a_malformed_signed_message_costs_only_its_author(lab, nothing_survives, part):
    """Submitted code can read the kernel's key, so its messages are signed. They are still not trusted."""
    code = in_double(
        "from IPython import get_ipython",
        "import json",
        "k = get_ipython().kernel",
        "frames = k.session.serialize(k.session.msg('stream', {'text': 'x'}, parent=k.get_parent()))",
        f"frames[{ {'content': -1, 'parent_header': -3}[part] }] = b'[1]'",
        "frames[1] = k.session.sign(frames[2:])",
        "k.iopub_thread.send_multipart(frames)",
    )
    graded = lab.grade(double=code)
    assert graded.verdict.status == "sent a message that cannot be read (TypeError) in cell double_check"


# -- with and without it -------------------------------------------------------------------------------------------


def test_without_bubblewrap_it_refuses_and_names_the_package(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TitoError, match=r"bubblewrap is not installed: install bubblewrap with.*--no-sandbox"):
        sandbox.require()


def test_a_bubblewrap_that_fails_is_refused_with_its_message(monkeypatch, tmp_path):
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: Unknown option --size' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    sandbox._try_bubblewrap.cache_clear()
    with pytest.raises(TitoError, match="Unknown option --size"):
        sandbox.require()
    sandbox._try_bubblewrap.cache_clear()


@pytest.fixture
def long_temporary(tmp_path, monkeypatch):
    """A temporary folder in which the paths of Unix sockets would be too long."""
    folder = tmp_path / ("a" * 60) / ("b" * 60)
    folder.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    sandbox._remove_abandoned.cache_clear()
    return folder


def test_a_long_temporary_folder_hinders_no_sandbox(lab, long_temporary):
    assert lab.probe("print('here')") == "here\n"
    assert processes.temporary_folder(processes.LISTENER) != str(long_temporary)


def test_where_no_temporary_folder_is_short_that_is_said(long_temporary, monkeypatch):
    monkeypatch.setattr(processes, "SOCKET", 10)
    with pytest.raises(TitoError, match=r"too long for Unix sockets. Set TMPDIR to a shorter path"), sandbox.scratch_folder():
        pass


def test_an_environment_round_the_course_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox, "_course", lambda: Path(sandbox.sys.prefix) / "course")
    sandbox._python_environment.cache_clear()
    with pytest.raises(TitoError, match="Move it"):
        sandbox._python_environment()
    sandbox._python_environment.cache_clear()


def test_an_honest_submission_earns_the_same_without_the_sandbox(lab, nothing_survives):
    assert lab.grade(sandboxed=False, half=HALF).verdict == lab.grade(half=HALF).verdict


def test_the_sandbox_reads_the_very_tool_that_grades(lab):
    assert lab.probe("import tito\nprint(tito.__file__)").strip() == "/course/lib/tito/__init__.py"
    assert Path(tito.__file__).is_file()
