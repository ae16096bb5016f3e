"""Turn the execution of a notebook into points, with a reason for each point lost. This runs outside the sandbox."""

import builtins
import re
from dataclasses import asdict, dataclass
from typing import Any

from nbformat import NotebookNode

from tito import source
from tito.grading.answers import Answer, BadAnswer, mismatch
from tito.grading.causes import earlier_checks
from tito.grading.execute import Execution, Ran

CHAINED = re.compile("During handling of the above|The above exception was the direct cause")
# The parts of np.testing's message: a heading, the check's own sentence, how many numbers differ and where, both arrays.
NUMPYS_HEADING = re.compile(r"^\s*(?:Not equal to tolerance.*|Arrays are not .*|Items are not equal:?.*)(?:\n|$)")
NUMPYS_COUNT = re.compile(r"^Mismatched elements: (\d+) / (\d+)", re.MULTILINE)
NUMPYS_PLACE = re.compile(r"^ (\[[\d, ]*\]): (\S+) \((?:ACTUAL|x)\), (\S+) \((?:DESIRED|y)\)", re.MULTILINE)
NUMPYS_DETAILS = re.compile(
    r"^(?:Mismatched elements|\(shapes |\(dtypes |nan location|.*location mismatch| ?(?:ACTUAL|DESIRED|x|y): )", re.MULTILINE
)
LONG_NUMBER = re.compile(r"-?\d+\.\d{6,}(?:e[+-]?\d+)?")
TIMED_OUT = "timed out. Is there a loop that does not end?"


@dataclass
class Check:
    """The result of one graded cell: its points, the maximum, and the reason for lost points."""

    id: str
    points: float
    of: float
    reason: str = ""
    line: int = 0  # the line of the check that failed


@dataclass
class Verdict:
    """How a submission ended, and the result of each check."""

    status: str
    checks: list[Check]
    tampered: bool = False

    @property
    def points(self) -> float:
        return sum(check.points for check in self.checks)

    @property
    def earned(self) -> dict[str, float]:
        return {check.id: check.points for check in self.checks}

    @property
    def ending(self) -> str:
        """The status without its details, so that the submissions of a class can be counted by it."""
        if self.status.startswith("cell "):
            return "has a cell that cannot be used"
        return re.split(r" in cell |: |\. ", self.status)[0]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Verdict":
        return cls(fields["status"], [Check(**check) for check in fields["checks"]], fields["tampered"])


def judge(
    notebook: NotebookNode, problems: dict[str, str], execution: Execution, expected: dict[str, list[Answer]]
) -> Verdict:
    """Give points for every check of a rebuilt notebook. `expected` holds the reference's answers by grade_id."""
    checks, tampered = [], not execution.canaries_failed
    at_fault: list[str] = []
    previous_was_check = False
    for cell in notebook.cells:
        if source.is_solution(cell) and cell.cell_type == "code":
            at_fault = [] if previous_was_check else at_fault
            previous_was_check = False
            at_fault += _cell_problems(cell, problems, execution)
        if not source.is_check(cell):
            continue
        previous_was_check = True
        of, ran = source.points(cell), execution.cells.get(cell.id)
        if source.is_hidden(cell):
            points, reason, forged = _judge_hidden(of, ran, expected.get(cell.id, []))
            tampered |= forged
            line = 0
        else:
            points, reason, line = _judge_visible(cell, of, ran)
        if points < of and at_fault:
            reason = f"{at_fault[0]} ({reason})" if ran and not ran.error else at_fault[0]
        if ran is None:
            reason = f"it was not run: {execution.ended} in cell {execution.ended_in}"
        elif execution.ended_in == cell.id:
            points, reason = 0.0, f"{execution.ended} in this cell"
        checks.append(Check(cell.id, round(points, 2), of, reason, line))
    _name_causes(notebook, checks)
    return _withhold_points(checks) if tampered else Verdict(_status(problems, execution), checks)


def _name_causes(notebook: NotebookNode, checks: list[Check]) -> None:
    """Name the earlier exercise in the reason of a check that uses it, if the exercise's own check failed."""
    failed = [check.id for check in checks if check.points < check.of and check.reason != source.UNSOLVED]
    if len(failed) < 2:
        return
    causes = earlier_checks(notebook)
    for check in checks:
        cause = next((name for name in failed if name in causes.get(check.id, ())), None)
        if check.id in failed and cause:
            check.reason = f"fix {cause} first, it may be the cause: {check.reason}"


def _cell_problems(cell: NotebookNode, problems: dict[str, str], execution: Execution) -> list[str]:
    """Say what is wrong with a solution cell itself. It is then the reason why the checks after it fail."""
    ran = execution.cells.get(cell.id)
    if cell.id in problems:
        return [problems[cell.id]]
    if ran and ran.timed_out:
        return [f"cell {cell.id} timed out"]
    return [f"cell {cell.id} ends with {describe(*ran.error)}"] if ran and ran.error else []


def zero_verdict(notebook: NotebookNode, reason: str) -> Verdict:
    """Return the verdict on a submission that cannot be run: 0 points for every check."""
    checks = [Check(cell.id, 0.0, source.points(cell), reason) for cell in notebook.cells if source.is_check(cell)]
    return Verdict(reason, checks)


def _withhold_points(checks: list[Check]) -> Verdict:
    status = "tampered: it disabled the checks. Its automatic points are withheld until a person looks at it"
    return Verdict(status, [Check(c.id, 0.0, c.of, "withheld: tampered") for c in checks], tampered=True)


def _status(problems: dict[str, str], execution: Execution) -> str:
    if execution.ended:
        return f"{execution.ended} in cell {execution.ended_in}"
    slow = [name for name, ran in execution.cells.items() if ran.timed_out]
    if slow:
        return f"timed out in cell {', '.join(slow[:3])}" + (" and others" if len(slow) > 3 else "")
    return next(iter(problems.values()), "graded")


def _judge_visible(cell: NotebookNode, of: float, ran: Ran | None) -> tuple[float, str, int]:
    if ran is None:
        return 0.0, "", 0
    if ran.timed_out:
        return 0.0, TIMED_OUT, _line(ran, cell)
    if ran.error is None:
        return of, "", 0
    name, message = ran.error
    return 0.0, describe(name, message), _line(ran, cell)


def describe(name: str, message: str) -> str:
    """Return an error as one line. Of an assertion, only the message is shown."""
    if name == "AssertionError" and NUMPYS_HEADING.match(message):
        message = _shorten_numpy_message(message)
    name, said = (" ".join("".join(c if c.isprintable() else " " for c in text).split()) for text in (name, message))
    if name == "AssertionError":
        return _shorten(said or "an assertion without a message failed")
    if name == "NotImplementedError" and not said:
        return source.UNSOLVED
    return _shorten(f"{name}: {said}" if said else name)


def _shorten_numpy_message(message: str) -> str:
    """Shorten np.testing's message: the check's own sentence, then the first numbers that differ, with six digits."""
    rest = NUMPYS_HEADING.sub("", message, count=1)
    details = NUMPYS_DETAILS.search(rest)
    sentence, numbers = (rest[: details.start()], rest[details.start() :]) if details else (rest, "")
    count, places = NUMPYS_COUNT.search(numbers), NUMPYS_PLACE.findall(numbers)
    if count and places:
        shown = "; ".join(f"at {place} {got}, not {right}" for place, got, right in places[:2])
        numbers = f"{count[1]} of {count[2]} numbers are wrong: {shown}"
    numbers = LONG_NUMBER.sub(lambda found: f"{float(found[0]):.6g}", numbers)
    return ": ".join(filter(None, (sentence.strip().rstrip(":."), numbers)))


def _shorten(text: str, most: int = 300) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _line(ran: Ran, cell: NotebookNode) -> int:
    """Return the line of the check that raised its error: the first frame after the last "During handling of"."""
    line = 0
    for output in ran.outputs:
        for entry in output.traceback if output.output_type == "error" else ():
            plain = re.sub(r"\x1b\[[0-9;]*m", "", entry)
            arrow = re.search(r"^-+> (\d+) ", plain, re.MULTILINE)
            if CHAINED.search(plain):
                line = 0
            elif arrow and not line:
                line = min(int(arrow[1]), cell.source.count("\n") + 1)
    return line


def _judge_hidden(of: float, ran: Ran | None, expected: list[Answer]) -> tuple[float, str, bool]:
    """Return the points for the right answers, the reasons for the wrong ones, and whether there are too many answers."""
    if ran is None:
        return 0.0, "", False
    if len(ran.answers) > len(expected):
        return 0.0, "", True
    right, reasons = 0, []
    for place, wanted in enumerate(expected):
        what = f"answer {place + 1} of {len(expected)}" + (f" ({wanted.about})" if wanted.about else "")
        if place >= len(ran.answers):
            why = _why_missing(ran)
            reasons.append(why if why == source.UNSOLVED else f"{what} was not given: {why}")
            break
        try:
            wrong = mismatch(Answer.read(ran.answers[place]), wanted)
        except BadAnswer as error:
            wrong = f"cannot be read: {error}"
        if wrong:
            reasons.append(f"{what} {wrong}")
        else:
            right += 1
    return of * right / len(expected), "; ".join(reasons[:2]) + (" and more" if len(reasons) > 2 else ""), False


def _why_missing(ran: Ran) -> str:
    """Say why a hidden check stopped. Name only built-in exceptions: a message could reveal the check's text."""
    if ran.timed_out:
        return TIMED_OUT
    if not ran.error:
        return "the check ended without it"
    name = ran.error[0]
    if name == "NotImplementedError":
        return source.UNSOLVED
    known = isinstance(getattr(builtins, name, None), type)
    return f"{name} was raised" if known else "an exception was raised"
