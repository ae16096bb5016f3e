"""The command that writes what the learners of a class get."""

from pathlib import Path
from typing import Annotated

import typer

from tito import places
from tito.commands import show
from tito.learner import making


def kit(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")]) -> None:
    """Write the repository that learners get: a workspace and the tool, without a solution."""
    from tito import kit as core

    root, repository = core.place_for(folder), places.repository()
    modules = list(show.each(core.write(root, repository), "releasing", making.count(repository)))
    show.line(f"{root}: {', '.join(map(str, modules))}")
    show.line("next: make it a git repository and push it as a template; learners follow its README")
