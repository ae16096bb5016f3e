"""Late work: what it costs by the course's policy, and saying so on the feedback page.

nbgrader knows due dates, times of handing in and extensions, and asks a class that nbgrader_config.py names: LatePolicy.
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
    """What handing in late costs, set in nbgrader_config.py as `c.LatePolicy.points_per_day = 10`."""

    grace_hours = Float(0.0, min=0, help="Handing in this much late costs nothing.").tag(config=True)
    points_per_day = Float(0.0, min=0, help="Points for each day late that has begun.").tag(config=True)
    cap = Float(100.0, min=0, help="The most points that lateness takes from one module.").tag(config=True)
    extensions = Dict(
        value_trait=Union([Float(), Dict(value_trait=Float())]),
        help='More days for one person: {"ada": 2} in every module, {"ben": {"03_activations": 7}} in one.',
    ).tag(config=True)

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float | None:
        """nbgrader's question: the points to take off. It counts from the due date with the extension that it knows."""
        return self.penalty(self.late_by(student_id, self.parent.assignment_id, total_seconds_late)) or None

    def late_by(self, student: str, assignment: str, seconds: float) -> float:
        """The seconds that count, after the days that this policy gives the student."""
        return max(0.0, seconds - self.days_given(student, assignment) * DAY)

    def days_given(self, student: str, assignment: str) -> float:
        given = self.extensions.get(student, 0.0)
        return given.get(assignment, 0.0) if isinstance(given, dict) else given

    def penalty(self, late_by: float) -> float:
        if late_by <= self.grace_hours * 3600:
            return 0.0
        return min(self.cap, self.points_per_day * math.ceil(late_by / DAY))


def check_policy(config: Config) -> None:
    """An error in one line if the configuration's policy makes no sense."""
    try:
        LatePolicy(config=config)
    except TraitError as error:
        raise TitoError(f"nbgrader_config.py, c.LatePolicy: {error}") from None


def penalty_of(config: Config, submission: SubmittedAssignment, score: float) -> float:
    """What the plugin that the configuration names takes off a submission of `score` points: never more than these."""
    step = AssignLatePenalties(config=config)
    step.assignment_id = submission.assignment.name
    step.init_plugin()
    late = seconds_late(submission)
    penalty = step.plugin_inst.late_submission_penalty(submission.student_id, score, late) if late > 0 else None
    return min(max(0.0, penalty or 0.0), max(0.0, score))


def seconds_late(submission: SubmittedAssignment) -> float:
    """nbgrader's own count; an extension for an assignment without a due date, on which it fails, is never late."""
    return 0.0 if submission.assignment.duedate is None else submission.total_seconds_late


def update_penalties(gradebook: Gradebook, config: Config, assignment: str) -> None:
    """Work every penalty out anew: since grading, a due date, an extension, the policy or a mark may have changed."""
    for submission in gradebook.assignment_submissions(assignment):
        for notebook in submission.notebooks:  # one a module
            notebook.late_submission_penalty = penalty_of(config, submission, notebook.score) or None
    gradebook.db.commit()


def parse_time(text: str) -> datetime.datetime | None:
    """A moment that a person typed, as nbgrader keeps it: in UTC, without saying so. "none" is no moment."""
    if text.strip().lower() == "none":
        return None
    try:
        found = datetime.datetime.fromisoformat(text.strip().removesuffix("UTC").strip())
    except ValueError:
        raise TitoError(f"{text!r} is no time: write 2026-10-01T17:00 (which is UTC), 2026-10-01T17:00+02:00 or none") from None
    return found if found.tzinfo is None else found.astimezone(datetime.UTC).replace(tzinfo=None)


def format_duration(seconds: float) -> str:
    """1 day 2 hours."""
    minutes = math.ceil(seconds / 60)
    amounts = (("day", minutes // 1440), ("hour", minutes // 60 % 24), ("minute", minutes % 60))
    shown = [f"{amount} {unit}{'s' if amount > 1 else ''}" for unit, amount in amounts if amount]
    return " ".join(shown[:2]) or "0 minutes"


def format_utc(moment: datetime.datetime) -> str:
    """A moment of nbgrader's, which are UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


class Lateness(NbGraderPreprocessor):
    """For feedback: says how late a submission was, with all extensions, and what that costs by which rule."""

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
        return f": {policy.points_per_day:g} for each day begun, at most {policy.cap:g}, and never more than were earned"
