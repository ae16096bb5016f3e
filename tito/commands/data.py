"""Commands for the data sets of the course."""

import dataclasses
from typing import Annotated

import typer

from tito import data as core
from tito.commands import show

data = typer.Typer(help="List and download the data sets of the course.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(data, name="data", rich_help_panel="Learn")


@data.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the data sets and their folders on this machine."""
    found = core.list_data_sets()
    if as_json:
        show.print_json([dataclasses.asdict(one) for one in found])
        return
    for one in found:
        show.line(f"{one.name:9}{one.what}")
        show.line(f"{'':9}{one.state}")
    show.line("Data is in the folder that TINYTORCH_DATA names, otherwise in your user's cache.")


@data.command()
def get(name: Annotated[str, typer.Argument(metavar="NAME", help="digits or cifar10")]) -> None:
    """Download a data set if it is not here. cifar10 is 170 MB."""
    with show.steps(f"downloading {name}") as on_step:
        found = core.get(name, lambda done, total: on_step("MB", done // 10**6, total // 10**6))
    show.line(f"{found.name} is here: {found.place}")
