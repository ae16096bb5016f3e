"""The command line: collects the commands, and turns an error into one line and an exit code."""

import atexit
import gc
import os
import sys
from contextlib import suppress

import typer
from typer.core import TyperGroup

from tito.commands import author, course, data, learner, marks
from tito.errors import TitoError, describe_error

PANELS = ("Learn", "Teach", "Write")


class InPanels(TyperGroup):
    """Lists the commands in the order of the panels of --help."""

    def list_commands(self, ctx) -> list[str]:
        return sorted(self.commands, key=lambda name: PANELS.index(self.commands[name].rich_help_panel))


app = typer.Typer(
    name="tito",
    cls=InPanels,
    help="Build a deep-learning framework yourself, one notebook at a time. `tito status` says what comes next.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
learner.add_to(app)
data.add_to(app)
marks.add_to(course.app)
app.add_typer(course.app, name="course", rich_help_panel="Teach")
author.add_to(app)


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 what was checked is not right, 2 the command was used wrongly."""
    set_up_streams()
    os.environ.pop("PYTHONOPTIMIZE", None)  # with it, no assertion could fail in the kernels that we start
    gc.set_threshold(50_000, 20, 20)  # imported modules are never garbage: searching them costs 0.15 s
    atexit.register(gc.freeze)  # and 0.2 s more at the end
    try:
        app()
    except TitoError as error:
        print(f"tito: {error}", file=sys.stderr)
        sys.exit(error.code)
    except KeyboardInterrupt:
        print("tito: interrupted", file=sys.stderr)
        sys.exit(130)
    except OSError as error:  # a file that cannot be read or written, at a place without its own message
        discard_output()
        print(f"tito: {describe_error(error)}", file=sys.stderr)
        sys.exit(1)


def set_up_streams() -> None:
    """Print `?` for a letter that the console cannot show, and print nothing to a closed stream."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  (for the whole life of the process)
        elif mode == "w" and stream.errors == "strict":
            stream.reconfigure(errors="replace")
            if stream.encoding.lower().replace("-", "") != "utf8":
                os.environ["PYTHONIOENCODING"] = f"{stream.encoding}:replace"  # for the processes that we start


def discard_output() -> None:
    """Discard what could not be printed. Otherwise Python tries to print it again at exit, and complains."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
