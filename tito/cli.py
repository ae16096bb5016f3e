"""The command line: it puts the commands together, and turns an error into one line and an exit code."""

import atexit
import gc
import sys

import typer

from tito.commands import author, course, data, learner, marks
from tito.errors import TitoError

app = typer.Typer(
    name="tito",
    help="Build a deep-learning framework yourself. Start with: tito init",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
learner.add_to(app)
author.add_to(app)
data.add_to(app)
marks.add_to(course.app)
app.add_typer(course.app, name="course")


def main() -> None:
    """Run a command: exit code 0 done, 1 the thing asked about is not right, 2 the question was wrong."""
    gc.set_threshold(50_000, 20, 20)  # what is imported lives on: to look for garbage in it again and again costs 0.15 s
    atexit.register(gc.freeze)  # and at the end 0.2 s
    try:
        app()
    except TitoError as error:
        print(f"tito: {error}", file=sys.stderr)
        sys.exit(error.code)
    except KeyboardInterrupt:
        print("tito: interrupted", file=sys.stderr)
        sys.exit(130)
