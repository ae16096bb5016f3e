"""Commands for those who learn."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from tito import checkpoint as capabilities
from tito import places, syllabus, training
from tito.commands import show
from tito.learner import checking, handing_in, making, progress
from tito.learner import doctor as examination
from tito.learner.layout import Workspace

ModuleName = Annotated[str, typer.Argument(metavar="NN", help="The module, as 03 or activations.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def add_to(parent: typer.Typer) -> None:
    for command in (init, lab, start, check, complete, status, checkpoint, train, submit, feedback, reset, doctor):
        parent.command()(command)


def _workspace() -> Workspace:
    return Workspace(places.learners_workspace())


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="New or empty, or a workspace.")] = Path("workspace"),
    student: Annotated[str, typer.Option(help="Your id in the class.")] = "",
    class_folder: Annotated[Path | None, typer.Option(help="The folder in which your class hands in.")] = None,
) -> None:
    """Make a workspace: the notebooks to fill in, and a tinytorch of your own that is still empty."""
    root, repository = making.place_for(folder), making.repository()
    modules = making.make(root, repository, student, class_folder)
    made = dict(show.each(modules, "releasing", making.count(repository), lambda found: str(found[0])))
    added, kept = [str(m) for m, new in made.items() if new], [str(m) for m, new in made.items() if not new]
    show.line(f"{root}: {'added ' + ', '.join(added) if added else 'nothing to add'}")
    show.line(f"left as they are: {', '.join(kept)}" if kept else making.IMPORTS)
    show.line(f"next: cd {folder}, then tito status")


def lab() -> None:
    """Open the workspace in JupyterLab."""
    workspace = _workspace()
    raise typer.Exit(_jupyterlab(workspace.root, workspace.root))


def start(
    module: ModuleName,
    no_open: Annotated[bool, typer.Option("--no-open", help="Only print where the notebook is.")] = False,
) -> None:
    """Open a module's notebook, if the modules before it are done."""
    workspace = _workspace()
    path = progress.to_start(workspace, syllabus.module(module))
    show.line(path)
    if not no_open:
        raise typer.Exit(_jupyterlab(workspace.root, path))


def _jupyterlab(root: Path, path: Path) -> int:
    return subprocess.run([sys.executable, "-m", "jupyterlab", str(path)], cwd=root, check=False).returncode


def check(module: ModuleName, as_json: AsJson = False) -> None:
    """Run a module's visible checks on what you saved, in a fresh kernel."""
    chosen = syllabus.module(module)
    with show.steps(f"checking {chosen}", quiet=as_json) as on_cell:
        report = checking.check(_workspace(), chosen, on_cell)
    show.report(report, as_json)
    raise typer.Exit(0 if report.passed else 1)


def complete(module: ModuleName) -> None:
    """Check a module and, if nothing fails, export it into your tinytorch."""
    chosen = syllabus.module(module)
    with show.steps(f"checking {chosen}") as on_cell:
        done = checking.complete(_workspace(), chosen, on_cell)
    show.report(done.report)
    if not done.path:
        show.warn("nothing was exported: first every visible check has to pass")
        raise typer.Exit(1)
    show.line(f"exported to {done.path}")
    show.line(f"the earlier one is kept at {done.kept}" if done.kept else None)


def status(as_json: AsJson = False) -> None:
    """Say where every module stands, and what is next."""
    found = progress.status(_workspace())
    if as_json:
        show.json_of(dataclasses.asdict(found))
        return
    rows = [[s.module, s.state, f"{s.points:g} of {s.of:g}" if s.of else "", s.note] for s in found.modules]
    show.table(["module", "state", "points", ""], rows)
    show.line(f"next: {found.next}")


def checkpoint(
    module: Annotated[str | None, typer.Argument(metavar="[NN]", help="One module, as 03 or activations.")] = None,
    as_json: AsJson = False,
) -> None:
    """Can your framework … ? Sixteen capabilities, each tried on real data and shown with its evidence."""
    wanted = capabilities.wanted(syllabus.module(module) if module else None)
    looking = capabilities.look(places.package_root(), wanted)
    found = list(show.each(looking, "can your framework", len(wanted), lambda finding: finding.can))
    show.checkpoint(found, as_json)
    raise typer.Exit(0 if capabilities.as_it_should_be(found) else 1)


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help=", ".join(training.NAMES))],
    seeds: Annotated[str, typer.Option("--seed", "--seeds", help="One number, or several as 0,1,2: a run each.")] = "0",
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of as many as the recipe says.")] = None,
    validate: Annotated[bool, typer.Option("--validate", help="Hold a tenth back; leave the test images alone.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the pictures go; by default runs/RECIPE.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train a network with your framework: digits in seconds, CIFAR-10 in minutes."""
    orders = [training.Order(training.recipe(recipe), seed, epochs, validate) for seed in training.seeds(seeds)]
    root = places.package_root()
    found = list(training.run(root, orders, out or training.home(root, recipe), quiet=as_json))
    show.training(found, training.median(found), as_json)


def reset(module: ModuleName) -> None:
    """Put a module's released notebook back; yours is kept beside it."""
    workspace, chosen = _workspace(), syllabus.module(module)
    kept = progress.reset(workspace, chosen)
    show.line(f"{workspace.notebook(chosen)} is as it was released")
    show.line(f"yours is kept at {kept}" if kept else None)


def submit(
    module: ModuleName,
    to: Annotated[Path | None, typer.Option(help="A folder to hand in to, instead of your class's.")] = None,
) -> None:
    """Hand a module in."""
    done = handing_in.submit(_workspace(), syllabus.module(module), to)
    for problem in done.problems:
        show.warn(f"as it is, this will cost points: {problem}")
    show.line(f"upload this file: {done.place}" if done.upload else f"handed in: {done.place}")
    show.line(f"the earlier one is kept at {done.kept}" if done.kept else None)


def feedback(
    module: ModuleName,
    source: Annotated[Path | None, typer.Option("--from", help="A feedback page, or a folder of them.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Also open it in the browser.")] = False,
) -> None:
    """Fetch the feedback on a module that you handed in."""
    page = handing_in.feedback(_workspace(), syllabus.module(module), source)
    show.line(page)
    if open_it:
        typer.launch(page.as_uri())


def doctor(as_json: AsJson = False) -> None:
    """Look whether this machine has what the course needs."""
    findings = list(examination.examine(Path.cwd()))
    if as_json:
        show.json_of([dataclasses.asdict(finding) for finding in findings])
    else:
        show.table(["what", "found", "ok", "what to do"], [[f.what, f.found, f.verdict, f.todo] for f in findings])
    raise typer.Exit(0 if examination.healthy(findings) else 1)
