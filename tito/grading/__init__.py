"""The way from a submission to a grade: rebuild, execute in a sandbox, judge outside it.

Hidden checks import `answer` and `raised` from here, inside the sandbox. The import loads nothing else.
"""

from tito.grading.answers import answer, raised

__all__ = ["answer", "raised"]
