"""A repository of the course with one tiny module, for tests that would be slow or unclear on a real one."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent

HEADER = """\
# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: kernelspec,tinytorch
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   tinytorch:
#     title: Tiny
#     part: Tests
#     hours: 1
#     goals:
#     - stay small
# ---
"""

MODULE = (
    HEADER
    + '''
# %% [markdown]
# # Tiny
#
# > Two functions, to test the way of a module.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
from tito.workspace import use_prefix

use_prefix(0)

# %%
#| default_exp core.introduction

# %%
#| export
import numpy as np

# %% nbgrader={"grade": false, "grade_id": "double", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "double_check", "locked": true, "points": 30, "schema_version": 3, "solution": false, "task": false}
"""double doubles."""
assert double(3) == 6, f"twice 3 is 6, not {double(3)}"

# %% nbgrader={"grade": true, "grade_id": "double_hidden", "locked": true, "points": 20, "schema_version": 3, "solution": false, "task": false}
"""Graded again on an array, and on a negative number."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(double(np.arange(3.0)), about="an array")
answer(double(-7), about="a negative number")
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "half", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def half(x):
    """Half of x."""
    ### BEGIN SOLUTION
    return x / 2
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "half_check", "locked": true, "points": 30, "schema_version": 3, "solution": false, "task": false}
"""half undoes double."""
assert half(double(3)) == 3, f"half of twice 3 is 3, not {half(double(3))}"

# %% [markdown]
# ### Reflect
#
# Why is half of an odd number no integer?

# %% [markdown] nbgrader={"grade": true, "grade_id": "half_reflect", "locked": false, "points": 20, "schema_version": 3, "solution": true, "task": false}
# An odd number is not a multiple of two. Rubric: anything that says so earns twenty points.
'''
)


def repository(folder: Path, module: str = MODULE) -> Path:
    """Write the repository: one source, a package with an empty core, nbgrader's configuration."""
    (folder / "modules").mkdir(parents=True)
    (folder / "modules" / "00_introduction.py").write_text(module, encoding="utf-8")
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    shutil.copytree(ROOT / "tinytorch", folder / "tinytorch", ignore=shutil.ignore_patterns("__pycache__", "core"))
    (folder / "tinytorch" / "core").mkdir()
    shutil.copy(ROOT / "tinytorch" / "core" / "__init__.py", folder / "tinytorch" / "core")
    return folder

# The next module, made from the same text: `again` calls the first module's `double`, `back` is `half`.
SECOND = (
    MODULE.replace("use_prefix(0)", "use_prefix(1)")
    .replace("core.introduction", "core.setup")
    .replace("import numpy as np", "import numpy as np\n\nfrom tinytorch.core.introduction import double as twice")
    .replace("return 2 * x", "return twice(x)")
    .replace("double", "again")
    .replace("import again as twice", "import double as twice")
    .replace("half", "back")
)
