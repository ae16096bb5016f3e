"""Commands for those who teach: nbgrader's verbs, in nbgrader's order. Commands for marks are in marks.py."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from tito import places, processes, source, syllabus
from tito.commands import kit, show, show_marks
from tito.errors import TitoError, write_private

app = typer.Typer(help="Generate, release, collect, grade, give feedback, export marks.", no_args_is_help=True)
app.command()(kit.kit)

ModuleName = Annotated[str, typer.Argument(metavar="NN", help="The module, as 03 or activations.")]
Folder = Annotated[Path | None, typer.Option(help="The folder with nbgrader's folders, instead of course/ in the repository.")]
FROM = "A folder of submissions, or the zip of a learning-management system. By default nbgrader's exchange."
PATTERN = "A regular expression with (?P<student>...) that finds the student in a file's name."
SCHEDULER = "Execute on the workers of a dask.distributed cluster. Its address, as tcp://10.0.0.1:8786."
AGAIN = "Also repeat those that timed out, died or seem tampered with: perhaps the machine was too busy."
CHAIN = "Also report what each earns on the author's own earlier modules, and which of these breaks it. No mark changes."
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _course(folder: Path | None, sandboxed: bool = True):
    from tito.course import Course

    settings = {"CourseDirectory": {"root": str(folder.resolve())}} if folder else {}
    if not sandboxed:
        settings["Grade"] = {"sandbox": False}
    return Course(places.repository(), settings)


def _modules(names: list[str] | None) -> list[syllabus.Module]:
    return [syllabus.module(name) for name in names or []]


@app.command()
def generate(
    modules: Annotated[list[str] | None, typer.Argument(metavar="[NN]...", help="Modules, as 03 or activations.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every module that has a source.")] = False,
    folder: Folder = None,
) -> None:
    """Make the instructor's notebooks and the released ones, and add them to the gradebook."""
    if bool(modules) == everything:
        raise TitoError("name the modules to generate, as `tito course generate 02 03`, or use --all")
    course = _course(folder)
    chosen = _modules(modules) or list(source.paths(places.repository()))
    for module in show.track(chosen, "generating"):
        course.generate(module)
        show.line(f"{course.folder / 'release' / module.slug / (module.slug + '.ipynb')}")


@app.command()
def release(
    module: ModuleName,
    to: Annotated[Path | None, typer.Option(help="A folder that learners can read. By default nbgrader's exchange.")] = None,
    folder: Folder = None,
) -> None:
    """Give a module to the learners."""
    course, chosen = _course(folder), syllabus.module(module)
    show.line(course.release(chosen, to) if to else course.release_to_exchange(chosen))


@app.command()
def publish(
    module: ModuleName,
    to: Annotated[Path, typer.Argument(metavar="DIR", help="Your class's kit, or the folder that the class shares.")],
    early: Annotated[bool, typer.Option("--early", help="Publish it even before the module is due.")] = False,
    folder: Folder = None,
) -> None:
    """Let learners see a module's solution and borrow the module, after its due date. Hidden checks stay hidden."""
    from tito import publish as core

    show.line(core.publish(_course(folder), syllabus.module(module), to, early))
    show.line("learners get it with `git pull` or `tito update`, and use it with `tito borrow` and `tito solution`")


@app.command()
def collect(
    module: ModuleName,
    place: Annotated[Path | None, typer.Argument(metavar="[FROM]", help=FROM)] = None,
    pattern: Annotated[str | None, typer.Option(help=PATTERN)] = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Collect submissions. An earlier submission is kept in course/backup."""
    course, chosen = _course(folder), syllabus.module(module)
    if place is None:
        show.line(course.collect_from_exchange(chosen))
        return
    collected = course.collect(chosen, place, pattern)
    show.table(["student", "file", "result"], [[c.student, c.name, c.result] for c in collected], as_json)


@app.command()
def autograde(
    module: ModuleName,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="How many to execute at a time on this machine.")] = 1,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help=SCHEDULER)] = None,
    again: Annotated[bool, typer.Option("--again", help=AGAIN)] = False,
    no_sandbox: Annotated[bool, typer.Option("--no-sandbox", help="Run submitted code without protection.")] = False,
    chain: Annotated[bool, typer.Option("--chain", help=CHAIN)] = False,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Grade every submission: rebuild it, execute it in the sandbox, judge it outside. Unchanged ones are not graded again."""
    if scheduler and jobs > 1:
        raise TitoError("--jobs is for this machine and --scheduler is for a cluster. Use only one of them")
    if jobs > 1:
        processes.start_fork_server()
    course, chosen = _course(folder, sandboxed=not no_sandbox), syllabus.module(module)
    if no_sandbox:
        show.warn("NO SANDBOX: submitted code runs with your rights, on your files and your network")
    total = len(course.submissions(chosen))
    if not total:
        raise TitoError(f"nobody has handed in {chosen}. Run `tito course collect {chosen.id} FROM`", code=1)
    grading = course.autograde(chosen, jobs, scheduler, again, show.note)
    outcomes = sorted(show.track(grading, f"grading {chosen}", total, show.outcome), key=lambda outcome: outcome.student)
    if chain:
        show_marks.chained(_chained(course, chosen, total, jobs, scheduler), as_json)
    else:
        show.outcomes(outcomes, as_json)
    if not all(outcome.graded for outcome in outcomes):
        raise typer.Exit(1)


def _chained(course, module: syllabus.Module, total: int, jobs: int, scheduler: str | None) -> list:
    from tito.grading.chain import Chain

    chaining = Chain(course, module).grade(jobs, scheduler, show.note)
    found = show.track(chaining, f"chaining {module}", total, lambda one: one.student)
    return sorted(found, key=lambda one: one.student)


@app.command()
def feedback(
    module: ModuleName,
    to: Annotated[Path | None, typer.Option(help="Also copy the pages to a folder that learners can read.")] = None,
    exchange: Annotated[bool, typer.Option("--exchange", help="Also return them through nbgrader's exchange.")] = False,
    folder: Folder = None,
) -> None:
    """Write a feedback page for every graded submission."""
    course, chosen = _course(folder), syllabus.module(module)
    for page in course.feedback(chosen).values():
        show.line(page)
    if to:
        show.line(f"{len(course.return_feedback(chosen, to))} pages copied to {to}")
    if exchange:
        course.return_feedback_to_exchange(chosen)


@app.command()
def audit(
    modules: Annotated[list[str] | None, typer.Argument(metavar="[NN]...", help="Modules. By default all.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Only so many mutants per module, always the same ones.")] = None,
    unseen: Annotated[bool, typer.Option("--unseen", help="Also list the mutants that only hidden checks notice.")] = False,
    as_json: AsJson = False,
) -> None:
    """Test the checks: each mistake that is put into a solution must lose a point. The author's code runs unprotected."""
    from tito.audit import auditing

    with show.steps("auditing", quiet=as_json) as say:
        found = auditing.audit_modules(places.repository(), _modules(modules), sample, say)
    problems = auditing.find_shortfalls(found)
    show.audits(found, problems, unseen, as_json)
    raise typer.Exit(1 if problems else 0)


@app.command()
def similarity(
    module: ModuleName,
    most: Annotated[int, typer.Option(min=1, help="How many pairs to show.")] = 20,
    to: Annotated[Path | None, typer.Option(help="The page to write, instead of course/similarity/NN_name.html.")] = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Rank the submissions that are more alike than the task explains, and show them side by side. This is no verdict."""
    from tito.similarity import comparing, page

    course, chosen = _course(folder), syllabus.module(module)
    with show.steps(f"comparing {chosen}", quiet=as_json) as say:
        found = comparing.compare(course.folder, chosen, most, course.limits["submission_mb"], say)
    target = to or course.folder / "similarity" / f"{chosen.slug}.html"
    write_private(target, page.page(found))
    show.similarity(found, target, as_json)


@app.command()
def formgrader(folder: Folder = None) -> None:
    """Open nbgrader's formgrader in JupyterLab, to read and grade written answers."""
    course = _course(folder)
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={course.repository}"]
    command += ["--LabApp.default_url=/formgrader", f"--CourseDirectory.root={course.folder}"]
    raise typer.Exit(subprocess.run(command, cwd=course.repository, check=False).returncode)


