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
from tito.errors import TitoError
from tito.learner import checking, handing_in, making, progress, running, solutions
from tito.learner import doctor as examination
from tito.learner import update as updating
from tito.learner.layout import Workspace

ModuleName = Annotated[str, typer.Argument(metavar="NN", help="The module, as 03 or activations.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
BORROW = "Use the course's own modules for the earlier ones that you have not built."
FROM = "A newer kit: its folder or the address of its git repository. By default the repository that made the workspace."


def add_to(parent: typer.Typer) -> None:
    for command in (
        init, lab, start, check, complete, status, borrow, solution, update, checkpoint, train, submit, feedback, reset, doctor,
    ):  # fmt: skip
        parent.command(rich_help_panel="Learn")(command)
    parent.command(rich_help_panel="Learn", context_settings={"allow_interspersed_args": False})(run)


def _workspace() -> Workspace:
    return Workspace(places.learners_workspace())


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="A new or empty folder, or a workspace.")] = Path("workspace"),
    student: Annotated[str, typer.Option(help="Your id in the class.")] = "",
    class_folder: Annotated[Path | None, typer.Option(help="The folder to which your class hands in.")] = None,
    borrow: Annotated[bool, typer.Option("--borrow", help="Use the course's own modules for all of them.")] = False,
) -> None:
    """Make a workspace: the notebooks to fill in, and your own tinytorch, which is still empty."""
    root, repository = making.check_place(folder), making.repository()
    modules = making.make(root, repository, student, class_folder)
    made = dict(show.track(modules, "releasing", making.count(repository), lambda found: str(found[0])))
    added, kept = [str(m) for m, new in made.items() if new], [str(m) for m, new in made.items() if not new]
    show.line(f"{root}: {'added ' + ', '.join(added) if added else 'nothing to add'}")
    show.line(f"left as they are: {', '.join(kept)}" if kept else making.IMPORTS)
    if borrow:
        _borrow(Workspace(root), solutions.list_borrowable(Workspace(root)))
    show.line(f"next: cd {folder}, then tito status")


def lab() -> None:
    """Open the workspace in JupyterLab."""
    workspace = _workspace()
    raise typer.Exit(_jupyterlab(workspace.root, workspace.root))


def start(
    module: ModuleName,
    no_open: Annotated[bool, typer.Option("--no-open", help="Only print where the notebook is.")] = False,
    borrow: Annotated[bool, typer.Option("--borrow", help=BORROW)] = False,
) -> None:
    """Open a module's notebook, if the earlier modules are done or borrowed."""
    workspace, chosen = _workspace(), syllabus.module(module)
    if borrow:
        _borrow(workspace, solutions.find_missing(workspace, chosen))
    path = progress.notebook_to_start(workspace, chosen)
    show.line(path)
    if not no_open:
        raise typer.Exit(_jupyterlab(workspace.root, path))


def _jupyterlab(root: Path, path: Path) -> int:
    return subprocess.run([sys.executable, "-m", "jupyterlab", str(path)], cwd=root, check=False).returncode


def check(module: ModuleName, as_json: AsJson = False) -> None:
    """Run a module's visible checks on your saved notebook, in a fresh kernel."""
    chosen = syllabus.module(module)
    with show.steps(f"checking {chosen}", quiet=as_json) as on_cell:
        report = checking.check(_workspace(), chosen, on_cell)
    show.report(report, as_json)
    raise typer.Exit(0 if report.passed else 1)


def complete(module: ModuleName) -> None:
    """Check a module and, if nothing fails, export it into your tinytorch. Outside a class, this runs the hidden checks too."""
    chosen = syllabus.module(module)
    with show.steps(f"checking {chosen}") as on_cell:
        done = checking.complete(_workspace(), chosen, on_cell)
    show.report(done.report)
    if not done.path:
        show.warn(f"nothing was exported. First every check must pass and every cell must run. Then: tito complete {chosen.id}")
        raise typer.Exit(1)
    show.line(f"exported to {done.path}")
    show.line(f"the earlier one is kept at {done.kept}" if done.kept else None)
    show.line(RESTART if done.replaced else None)
    show.line(f"next: {done.next}")


RESTART = "Restart the kernel of every open notebook of a later module. Until then it uses the earlier tinytorch."


def status(as_json: AsJson = False) -> None:
    """Show the state of every module, how long it takes, and what comes next."""
    found = progress.status(_workspace())
    if as_json:
        show.print_json(dataclasses.asdict(found))
    else:
        show.standings(found)


def borrow(
    modules: Annotated[list[str] | None, typer.Argument(metavar="[NN]...", help="Modules, as 02 or tensor.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every module that you have not built.")] = False,
) -> None:
    """Use the course's own module for one that you have not built. In a class, your instructor must have published it."""
    workspace = _workspace()
    if bool(modules) == everything:
        raise TitoError("name the modules to borrow, as `tito borrow 02 03`, or use --all")
    chosen = [syllabus.module(name) for name in modules or []] or solutions.list_borrowable(workspace)
    show.line(None if chosen else "there is nothing to borrow: you have built every module that has been published")
    _borrow(workspace, chosen)


def _borrow(workspace: Workspace, modules: list[syllabus.Module]) -> None:
    for module in show.track(modules, "borrowing"):
        new = solutions.borrow(workspace, module)
        show.line(f"{module}: {'borrowed' if new else 'borrowed already'}. `tito complete {module.id}` replaces it by yours.")


def solution(
    module: ModuleName,
    cell: Annotated[str | None, typer.Argument(metavar="[CELL]", help="The name of one exercise's or question's cell.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, even if the module is not complete.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the course's solution beside yours, and its answers to the questions. Best after you have completed the module."""
    workspace, chosen = _workspace(), syllabus.module(module)
    found = solutions.pair_solutions(workspace, chosen, cell)
    unbuilt = progress.standing(workspace, chosen).state not in (progress.DONE, progress.CHANGED)
    if unbuilt and not yes:
        typer.confirm(f"You have not completed {chosen} yet. Show its solution anyway?", abort=True, err=True)
    show.pairs(found, chosen, as_json)


def update(
    source: Annotated[str | None, typer.Option("--from", metavar="PLACE", help=FROM)] = None,
) -> None:
    """Update the notebooks to a newer release, and keep your answers in them."""
    workspace = _workspace()
    with updating.find_newer(workspace, source) as release:
        for change in show.track(release.changes(), "updating", release.count, lambda change: change.what):
            show.line(f"{change.what}: {change.how}")
            show.line(f"  yours is kept at {change.kept}" if change.kept else None)
            show.line(f"  the new notebook has no place for {', '.join(change.lost)}: only the kept one" if change.lost else None)
    show.line(f"next: {progress.status(workspace).next}")


def checkpoint(
    module: Annotated[str | None, typer.Argument(metavar="[NN]", help="One module, as 03 or activations.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what your framework can do: sixteen capabilities, each tried on real data, with the evidence."""
    root, wanted = places.package_root(), capabilities.choose_capabilities(syllabus.module(module) if module else None)
    trying = show.track(wanted, "trying", len(wanted), lambda capability: capability.can)
    found = [capabilities.try_capability(root, capability) for capability in trying]
    show.checkpoint(found, as_json)
    raise typer.Exit(0 if capabilities.all_hold(found) else 1)


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help=", ".join(training.NAMES))],
    seeds: Annotated[str, typer.Option("--seed", "--seeds", help="One number, or several as 0,1,2: a run each.")] = "0",
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of as many as the recipe says.")] = None,
    validate: Annotated[bool, typer.Option("--validate", help="Hold a tenth back; leave the test images alone.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped, after its last epoch.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where everything goes; by default runs/RECIPE.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train a network with your framework, and save it: digits in seconds, CIFAR-10 in minutes."""
    orders = [training.Order(training.recipe(recipe), seed, epochs, validate) for seed in training.seeds(seeds)]
    root = places.package_root()
    found = list(training.run(root, orders, out or training.home(root, recipe), quiet=as_json, resume=resume))
    show.training(found, training.median(found), as_json)


def run(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="A Python script.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[ARGS]...", help="What the script is told.")] = None,
) -> None:
    """Run a script of yours with your own tinytorch, from any folder of the workspace."""
    root, own = running.find_package()
    if not own:
        show.note(f"this is no workspace. The script gets the tinytorch of {root}")
    raise typer.Exit(running.run(root, script, arguments or []))


def reset(module: ModuleName) -> None:
    """Put a module's released notebook back, and keep yours beside it."""
    workspace, chosen = _workspace(), syllabus.module(module)
    kept = progress.reset(workspace, chosen)
    show.line(f"{workspace.notebook(chosen)} is as it was released")
    show.line(f"yours is kept at {kept}" if kept else None)


def submit(
    module: ModuleName,
    to: Annotated[Path | None, typer.Option(help="A folder to hand in to, instead of your class's.")] = None,
) -> None:
    """Hand in a module, if you learn in a class."""
    done = handing_in.submit(_workspace(), syllabus.module(module), to)
    for problem in done.problems:
        show.warn(f"this will cost points: {problem}")
    show.line(f"upload this file to your class's system: {done.place}" if done.upload else f"handed in: {done.place}")
    show.line(f"the earlier one is kept at {done.kept}" if done.kept else None)


def feedback(
    module: ModuleName,
    source: Annotated[Path | None, typer.Option("--from", help="A feedback page, or a folder with feedback pages.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Also open it in the browser.")] = False,
) -> None:
    """Get the feedback on a module that you handed in."""
    page = handing_in.feedback(_workspace(), syllabus.module(module), source)
    show.line(page)
    if open_it:
        typer.launch(page.as_uri())


def doctor(as_json: AsJson = False) -> None:
    """Check that this machine has what the course needs."""
    findings = list(examination.examine(Path.cwd()))
    if as_json:
        show.print_json([dataclasses.asdict(finding) for finding in findings])
    else:
        show.table(["what", "found", "ok", "what to do"], [[f.what, f.found, f.verdict, f.todo] for f in findings])
    raise typer.Exit(0 if examination.is_healthy(findings) else 1)
