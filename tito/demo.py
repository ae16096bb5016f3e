"""The demo: an author exports, an instructor grades a class, a learner builds a package.

Every step is a command that you can type. The demo prints it, runs it, and stops at the first failure. The learner's half
runs in parallel with the rest, and is shown afterwards.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import dropwhile
from pathlib import Path
from queue import SimpleQueue

import nbformat
from nbformat import NotebookNode

from tito import data, samples, source
from tito.errors import TitoError
from tito.grading import sandbox
from tito.syllabus import module

GRADED = module(3)
Say = Callable[[str], None]


class Demo:
    def __init__(self, repository: Path, say: Say):
        self.repository, self.say = repository, say
        self.folder = repository / "build" / "demo"
        self.course, self.workspace = self.folder / "course", self.folder / "workspace"
        self.sources = source.paths(repository)
        self.problem = sandbox.find_problem()
        self.class_ = samples.students(sandboxed=self.problem is None)
        self.left_out: list[str] = []

    def run(self) -> None:
        """Run the demo in a new folder."""
        started = time.monotonic()
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.teach_and_learn()
        self.say(f"Done in {time.monotonic() - started:.0f} s. Everything is in {self.folder}")
        for what in self.left_out:
            self.say(f"Not tried here: {what}")

    def teach_and_learn(self) -> None:
        """Teach and learn in parallel. Show the learner's part afterwards."""
        said: SimpleQueue[str | None] = SimpleQueue()
        over = threading.Event()

        def receive(line: str) -> None:
            if over.is_set():
                raise TitoError("the demo was stopped", code=1)
            said.put(line)

        with ThreadPoolExecutor(1) as beside:
            learning = beside.submit(self.learn, receive)
            learning.add_done_callback(lambda _: said.put(None))
            try:
                self.teach()
                for line in iter(said.get, None):
                    self.say(line)
            finally:
                over.set()
            learning.result()

    # -- those who teach ---------------------------------------------------------------------------------------------

    def teach(self) -> None:
        live = Typist(self.repository, self.say)
        self.say("1. The author: is the package in step with modules/?")
        live.tito("export", "--check")
        self.say("2. The instructor: an assignment, without solutions")
        live.tito("course", "generate", GRADED.id, "--folder", self.course)
        self.say(f"3. A class hands {GRADED} in")
        self.hand_in()
        live.tito("course", "collect", GRADED.id, self.folder / "inbox", "--folder", self.course)
        self.say("4. Grading, " + ("WITHOUT A SANDBOX" if self.problem else "in the sandbox"))
        live.tito("course", "autograde", GRADED.id, "--folder", self.course, *(["--no-sandbox"] if self.problem else []))
        self.say("5. Feedback and marks")
        live.tito("course", "feedback", GRADED.id, "--folder", self.course)
        live.tito("course", "export", self.folder / "marks.csv", "--folder", self.course)

    def hand_in(self) -> None:
        """Fill in the released notebook for each student, and put it into an inbox as `tito submit` does."""
        name = f"{GRADED.slug}/{GRADED.slug}.ipynb"
        released, solved = (nbformat.read(self.course / kind / name, as_version=4) for kind in ("release", "source"))
        for student in self.class_:
            self.say(f"   {student.name:8} {student.does}")
            self.write(released, solved, student, self.folder / "inbox" / student.name / name)
        if self.problem:
            hostile = [student.name for student in samples.CLASS if student.hostile]
            self.left_out.append(f"the sandbox, and {' and '.join(hostile)}, who would do harm without it: {self.problem}")

    def write(self, released: NotebookNode, solved: NotebookNode, student: samples.Student, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(samples.fill(released, solved, student, self.folder), path)

    # -- one who learns ----------------------------------------------------------------------------------------------

    def learn(self, say: Say) -> None:
        say("6. A learner: ada's workspace, and the package that she builds in it")
        Typist(self.repository, say, quiet=True).tito("init", self.workspace, "--student", "ada")
        inside = Typist(self.workspace, say, quiet=True)
        for one, path in self.sources.items():
            notebook = self.workspace / "modules" / f"{one.slug}.ipynb"
            self.write(nbformat.read(notebook, as_version=4), source.read(path), samples.CLASS[0], notebook)
            if one == GRADED:
                inside.tito("check", one.id)
            inside.tito("complete", one.id, since="exported")
        inside.tito("status")
        say("7. What ada's tinytorch can do: it learns to read digits that it has not seen")
        inside.tito("checkpoint", "09")
        inside.tito("train", "digits-cnn")
        cifar10 = data.find("cifar10")
        if cifar10.here:
            inside.tito("train", "cifar10-cnn", "--epochs", 1)
        else:
            self.left_out.append(f"training on CIFAR-10, which is {cifar10.state}")


class Typist:
    """Runs `tito` commands in a folder, and shows them with their output. If `quiet`, without their progress."""

    def __init__(self, where: Path, say: Say, quiet: bool = False):
        self.where, self.say, self.quiet = where, say, quiet

    def tito(self, *words: object, since: str = "") -> None:
        """Run a command. Its output is shown from the line that begins with `since`."""
        shown = [os.path.relpath(word, self.where) if isinstance(word, Path) else str(word) for word in words]
        self.say(f"$ tito {' '.join(shown)}")
        done = subprocess.run(
            [sys.executable, "-m", "tito", *map(str, words)],
            cwd=self.where, capture_output=self.quiet, encoding="utf-8", errors="replace", check=False,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"} if self.quiet else None,
        )  # fmt: skip
        for line in dropwhile(lambda line: not line.startswith(since), (done.stdout or "").splitlines()):
            self.say(line)
        if done.returncode:
            why = ((done.stderr or "").strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise TitoError(f"the demo stopped: `tito {' '.join(shown)}` ended with {why}", code=1)
