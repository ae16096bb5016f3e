"""The main job, on real input: an author exports, an instructor grades a class, a learner builds a package.

Every step is a command that anybody can type; the demo prints it, runs it, and stops at the first that fails.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat

from tito import data, samples, source
from tito.errors import TitoError
from tito.grading import sandbox
from tito.syllabus import Module, module

GRADED = module(3)

class Demo:
    def __init__(self, repository: Path, say: Callable[[str], None]):
        self.repository, self.say = repository, say
        self.folder = repository / "build" / "demo"
        self.course, self.workspace = self.folder / "course", self.folder / "workspace"
        self.modules = list(source.paths(repository))

    def run(self) -> None:
        """All of it, in a folder of its own that is made anew."""
        started = time.monotonic()
        problem = sandbox.missing()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.say("1. The author: is the package in step with modules/?")
        self.tito("export", "--check")
        self.say("2. The instructor: assignments, without solutions")
        self.tito("course", "generate", "--all", "--folder", self.course)
        self.say(f"3. A class hands {GRADED} in")
        self.hand_in()
        self.tito("course", "collect", GRADED.id, self.folder / "inbox", "--folder", self.course)
        self.say("4. Grading, " + ("WITHOUT A SANDBOX: " + problem if problem else "in the sandbox"))
        unprotected = ["--no-sandbox"] if problem else []
        self.tito("course", "autograde", GRADED.id, "--folder", self.course, *unprotected)
        self.say("5. Feedback and marks")
        self.tito("course", "feedback", GRADED.id, "--folder", self.course)
        self.tito("course", "export", self.folder / "marks.csv", "--folder", self.course)
        self.say("6. A learner: ada's workspace, and the package that she builds in it")
        self.learn()
        self.say("7. What ada's tinytorch can do: it learns to read digits that it has not seen")
        self.train()
        self.say(f"Done in {time.monotonic() - started:.0f} s. Everything is in {self.folder}")

    def hand_in(self) -> None:
        """Fill in what was released, once for each student, into an inbox as `tito submit` makes it."""
        for student in samples.CLASS:
            self.say(f"   {student.name:8} {student.does}")
            self.write(GRADED, student, self.folder / "inbox" / student.name / GRADED.slug)

    def learn(self) -> None:
        self.tito("init", self.workspace, "--student", "ada")
        for one in self.modules:
            self.write(one, samples.CLASS[0], self.workspace / "modules")
            if one == GRADED:
                self.tito("check", one.id, inside=self.workspace)
            self.tito("complete", one.id, inside=self.workspace)
        self.tito("status", inside=self.workspace)

    def train(self) -> None:
        self.tito("checkpoint", "09", inside=self.workspace)
        self.tito("train", "digits-cnn", inside=self.workspace)
        cifar10 = data.find("cifar10")
        if cifar10.here:
            self.tito("train", "cifar10-cnn", "--epochs", 1, inside=self.workspace)
        else:
            self.say(f"   CIFAR-10 is {cifar10.state}; then: tito train cifar10-cnn")

    def write(self, one: Module, student: samples.Student, folder: Path) -> None:
        released, solved = (
            nbformat.read(self.course / kind / one.slug / f"{one.slug}.ipynb", as_version=4)
            for kind in ("release", "source")
        )
        folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(samples.fill(released, solved, student), folder / f"{one.slug}.ipynb")

    def tito(self, *words: object, inside: Path | None = None) -> None:
        where = inside or self.repository
        shown = [os.path.relpath(word, where) if isinstance(word, Path) else str(word) for word in words]
        self.command([sys.executable, "-m", "tito", *map(str, words)], where, "tito " + " ".join(shown))

    def command(self, words: list[str], inside: Path, shown: str) -> None:
        self.say(f"$ {shown}")
        done = subprocess.run(words, cwd=inside, check=False)
        if done.returncode:
            raise TitoError(f"the demo stopped: `{shown}` ended with exit code {done.returncode}", code=1)
