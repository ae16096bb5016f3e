"""Commands for the authors of the course."""

from typing import Annotated

import typer

from tito import export as exporter
from tito import places, syllabus
from tito.commands import show


def add_to(parent: typer.Typer) -> None:
    for command in (export, demo, prepare, benchmark):
        parent.command(rich_help_panel="Write")(command)


def export(
    modules: Annotated[list[str] | None, typer.Argument(help="Modules, as 03 or activations. By default all.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 and show the diff if out of step.")] = False,
) -> None:
    """Write tinytorch/core from modules/, through nbdev."""
    chosen = [syllabus.module(text) for text in modules or []]
    root = places.repository()
    if not check:
        for module, changed in exporter.export(root, chosen).items():
            typer.echo(f"tinytorch/core/{module.name}.py  {'written' if changed else 'unchanged'}")
        return
    diffs = exporter.differences(root, chosen)
    for diff in filter(None, diffs.values()):
        typer.echo(diff)
    stale = [f"tinytorch/core/{module.name}.py" for module, diff in diffs.items() if diff]
    if stale:
        typer.echo(f"tito: out of step with modules/: {', '.join(stale)}. Run `tito export`", err=True)
        raise typer.Exit(1)
    typer.echo(f"{len(diffs)} package files are in step with modules/")


def demo() -> None:
    """Show the whole course: export, grade a class, and learn, up to a network that reads digits."""
    repository = places.repository()
    from tito.demo import Demo

    Demo(repository, show.step).run()


def prepare() -> None:
    """Install the sandbox if you have the permission, or say how to install it. `make` does this first."""
    from tito.grading import sandbox

    problem = sandbox.install(show.line)
    if problem:
        show.note(f"there is no sandbox, so everything that needs it is skipped: {problem}")


def benchmark(
    modules: Annotated[list[str] | None, typer.Option("--module", help="Only these modules.")] = None,
    rounds: Annotated[int, typer.Option(min=2, help="How many turns each framework gets.")] = 21,
    numpy_first: Annotated[bool, typer.Option("--numpy-first", help="Import NumPy before tinytorch.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Time the package here, in turns with PyTorch's CPU build if that is installed."""
    from tito import benchmark as core

    chosen = [syllabus.module(text) for text in modules or []]
    show.benchmark(core.run(places.package_root(), chosen, rounds, numpy_first), as_json)
