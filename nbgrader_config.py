"""nbgrader, pointed at course/ and at our steps: plain `nbgrader` and formgrader grade as `tito course` does."""

from pathlib import Path

c = get_config()  # noqa: F821  (nbgrader defines it)

HERE = Path(__file__).resolve().parent

c.CourseDirectory.root = str(HERE / "course")
c.CourseDirectory.course_id = "tinytorch"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "*.bak"]

# What a submission may use; every name with its meaning stands in tito/grading/limits.py.
c.Limits.cell_seconds = 10
c.Limits.total_seconds = 120
c.Limits.memory_mb = 3072

c.Grade.repository = str(HERE)
c.Grade.sandbox = True

c.Autograde.exporter_class = "tito.grading.steps.Submission"
c.Autograde.pre_convert_hook = "tito.grading.steps.set_aside"
c.Autograde.sanitize_preprocessors = ["tito.grading.steps.DropOtherFiles"]
c.Autograde.autograde_preprocessors = [
    "tito.grading.steps.Grade",
    "tito.grading.steps.SaveGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "tito.grading.steps.Explain",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.HTMLExporter.sanitize_html = True
c.HTMLExporter.preprocessors = ["tito.grading.steps.Rubric"]
c.HTMLExporter.filters = {"markdown2html": "tito.grading.steps.harmless_html"}
