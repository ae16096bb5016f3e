"""The command that writes the repository for the learners of a class."""

from pathlib import Path
from typing import Annotated

import typer

from tito import places
from tito.commands import show

ONLY = "The modules whose notebooks learners get, as 02-06 or 02,03. By default all that are not given."
GIVEN = "The modules that learners get solved, as 00,01,07."


def kit(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder, or a kit to update.")],
    only: Annotated[str | None, typer.Option(help=ONLY)] = None,
    given: Annotated[str | None, typer.Option(help=GIVEN)] = None,
) -> None:
    """Write the repository that learners get: a workspace and the tool, without solutions except those of given modules.

    You can run it again on the same kit, week by week. It adds or updates the named modules and keeps the others.
    """
    from tito import kit as core

    root, repository = core.check_place(folder), places.repository()
    new = not core.is_kit(root)
    released, solved = core.choose_modules(repository, only, given)
    list(show.track(core.write_kit(root, repository, released, solved), "releasing", len(released)))
    show.line(f"{root}: {', '.join(map(str, released))}")
    show.line(f"given solved: {', '.join(map(str, solved))}" if solved else None)
    if new:
        show.line("next: make it a git repository and push it as a template. Learners follow its README")
    else:
        show.line("next: commit and push it. Learners run `git pull`, or `tito update` if theirs was made from a template")
