"""nbgrader's configuration, with course/ and our steps, so that plain `nbgrader` and formgrader grade like `tito course`."""

import os
from pathlib import Path

c = get_config()  # noqa: F821  (nbgrader defines it)

HERE = Path(__file__).resolve().parent

c.CourseDirectory.root = str(HERE / "course")
c.CourseDirectory.course_id = "tinytorch"
if os.environ.get("TITO_DB_URL"):  # otherwise the gradebook is SQLite, in course/gradebook.db
    c.CourseDirectory.db_url = os.environ["TITO_DB_URL"]  # for example postgresql+psycopg://grader@db.example.org/tinytorch
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "*.bak"]

# The limits for a submission. tito/grading/limits.py explains them all.
c.Limits.cell_seconds = 10
c.Limits.total_seconds = 120
c.Limits.memory_mb = 3072

# The penalty for handing in after the due date, which `tito course due NN` sets, and extra days for some students.
c.LatePolicy.grace_hours = 1
c.LatePolicy.points_per_day = 10
c.LatePolicy.cap = 50
c.LatePolicy.extensions = {}  # {"ada": 2} for every module, {"ben": {"03_activations": 7}} for one

c.Grade.repository = str(HERE)
c.Grade.sandbox = True

c.Autograde.exporter_class = "tito.grading.steps.Submission"
c.Submission.optimistic_validation = True  # validate once, after all steps
c.Autograde.pre_convert_hook = "tito.grading.steps.quarantine"
c.Autograde.sanitize_preprocessors = ["tito.grading.steps.DropOtherFiles"]
c.Autograde.autograde_preprocessors = [
    "tito.grading.steps.Grade",
    "tito.grading.steps.SaveGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
]
c.AssignLatePenalties.plugin_class = "tito.grading.late.LatePolicy"
c.ExportApp.plugin_class = "tito.marks.QuotedCsv"
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "tito.grading.late.Lateness",
    "tito.grading.steps.Explain",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.HTMLExporter.sanitize_html = True
c.HTMLExporter.preprocessors = ["tito.grading.steps.Rubric"]
c.HTMLExporter.filters = {"markdown2html": "tito.grading.steps.harmless_html"}
