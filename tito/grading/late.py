"""Late work: compute its penalty by the course's policy, and show it on the feedback page.

nbgrader keeps due dates, times and extensions. It asks the class that nbgrader_config.py names, LatePolicy, for the penalty.
"""

import datetime
import math
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Gradebook, SubmittedAssignment
from nbgrader.plugins import BasePlugin
from nbgrader.preprocessors import AssignLatePenalties, NbGraderPreprocessor
from traitlets import Dict, Float, TraitError, Union
from traitlets.config import Config

from tito.errors import TitoError

DAY = 86400


class LatePolicy(BasePlugin):
    """The penalty for handing in late. Set it in nbgrader_config.py, as `c.LatePolicy.points_per_day = 10`."""

    grace_hours = Float(0.0, min=0, help="Handing in up to so many hours late costs nothing.").tag(config=True)
    points_per_day = Float(0.0, min=0, help="Points to take off for each day, or part of a day.").tag(config=True)
    cap = Float(100.0, min=0, help="The largest penalty for one module, in points.").tag(config=True)
    extensions = Dict(
        value_trait=Union([Float(), Dict(value_trait=Float())]),
        help='More days for one person: {"ada": 2} in every module, {"ben": {"03_activations": 7}} in one.',
    ).tag(config=True)

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float | None:
        """Return the points to take off. nbgrader calls this, and has already added its own extension to the due date."""
        return self.penalty(self.late_by(student_id, self.parent.assignment_id, total_seconds_late)) or None

    def late_by(self, student: str, assignment: str, seconds: float) -> float:
        """Return the seconds late, after the extra days that this policy gives the student."""
        return max(0.0, seconds - self.days_given(student, assignment) * DAY)

    def days_given(self, student: str, assignment: str) -> float:
        given = self.extensions.get(student, 0.0)
        return given.get(assignment, 0.0) if isinstance(given, dict) else given

    def penalty(self, late_by: float) -> float:
        if late_by <= self.grace_hours * 3600:
            return 0.0
        return min(self.cap, self.points_per_day * math.ceil(late_by / DAY))


def check_policy(config: Config) -> None:
    """Raise a TitoError if the policy in the configuration is not valid."""
    try:
        LatePolicy(config=config)
    except TraitError as error:
        raise TitoError(f"nbgrader_config.py, c.LatePolicy: {error}") from None


def penalty_of(config: Config, submission: SubmittedAssignment, score: float) -> float:
    """Return the penalty that the configured plugin takes off a submission of `score` points, and never more than these."""
    step = AssignLatePenalties(config=config)
    step.assignment_id = submission.assignment.name
    step.init_plugin()
    late = seconds_late(submission)
    penalty = step.plugin_inst.late_submission_penalty(submission.student_id, score, late) if late > 0 else None
    return min(max(0.0, penalty or 0.0), max(0.0, score))


def seconds_late(submission: SubmittedAssignment) -> float:
    """Return nbgrader's count. Without a due date nothing is late: nbgrader fails if there is an extension too."""
    return 0.0 if submission.assignment.duedate is None else submission.total_seconds_late


def update_penalties(gradebook: Gradebook, config: Config, assignment: str) -> None:
    """Compute every penalty again: due dates, extensions, the policy or marks may have changed since grading."""
    for submission in gradebook.assignment_submissions(assignment):
        for notebook in submission.notebooks:  # one a module
            notebook.late_submission_penalty = penalty_of(config, submission, notebook.score) or None
    gradebook.db.commit()


def parse_time(text: str) -> datetime.datetime | None:
    """Parse a time that a person typed, and return it as nbgrader keeps it: in UTC, without a time zone. "none" is None."""
    if text.strip().lower() == "none":
        return None
    try:
        found = datetime.datetime.fromisoformat(text.strip().removesuffix("UTC").strip())
    except ValueError:
        raise TitoError(f"{text!r} is not a time. Write 2026-10-01T17:00 (UTC), 2026-10-01T17:00+02:00 or none") from None
    return found if found.tzinfo is None else found.astimezone(datetime.UTC).replace(tzinfo=None)


def format_duration(seconds: float) -> str:
    """Return a duration in words, as "1 day 2 hours"."""
    minutes = math.ceil(seconds / 60)
    amounts = (("day", minutes // 1440), ("hour", minutes // 60 % 24), ("minute", minutes % 60))
    shown = [f"{amount} {unit}{'s' if amount > 1 else ''}" for unit, amount in amounts if amount]
    return " ".join(shown[:2]) or "0 minutes"


def format_utc(moment: datetime.datetime) -> str:
    """Return one of nbgrader's times, which are in UTC, as text."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


class Lateness(NbGraderPreprocessor):
    """For feedback: says how late a submission was, the extensions, the penalty, and the rule for it."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]):
        facts = resources["nbgrader"]
        with Gradebook(facts["db_url"]) as gradebook:
            submission = gradebook.find_submission(facts["assignment"], facts["student"])
            penalty = sum(notebook.late_submission_penalty or 0.0 for notebook in submission.notebooks)
            text = self.sentence(submission, penalty)
        if text:
            nb.cells.insert(0, new_markdown_cell(text))
        return nb, resources

    def sentence(self, submission: SubmittedAssignment, penalty: float) -> str:
        policy = LatePolicy(parent=self)
        student, assignment = submission.student_id, submission.assignment.name
        late = policy.late_by(student, assignment, seconds_late(submission))
        if not late and not penalty:
            return ""
        given = policy.days_given(student, assignment) * DAY + (submission.extension or datetime.timedelta()).total_seconds()
        extended = f", and {format_duration(given)} more for you" if given else ""
        due, handed_in = format_utc(submission.assignment.duedate), format_utc(submission.timestamp)
        said = f"Due {due}{extended}; handed in {handed_in}, {format_duration(late)} late."
        if not penalty:
            return f"{said} This costs no points."
        return f"{said} **{penalty:g} points are taken off**{self.rule(policy)}."

    def rule(self, policy: LatePolicy) -> str:
        if AssignLatePenalties(parent=self).plugin_class is not LatePolicy:
            return ""
        return f": {policy.points_per_day:g} for each day or part of a day, at most {policy.cap:g}, never more than you earned"
