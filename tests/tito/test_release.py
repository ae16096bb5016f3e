"""A workspace's notebooks are what nbgrader releases, made without its gradebook."""

import json

import pytest

from tito import release, source
from tito.course import Course
from tito.syllabus import MODULES


@pytest.fixture(scope="module")
def generated(root, tmp_path_factory):
    """The first modules of the repository as `tito course generate` releases it."""
    folder = tmp_path_factory.mktemp("course")
    course = Course(root, {"CourseDirectory": {"root": str(folder)}})
    for module in MODULES[:4]:
        course.generate(module)
    return folder


@pytest.mark.parametrize("module", MODULES[:4], ids=str)
def test_a_release_is_byte_for_byte_what_nbgrader_writes(root, generated, module):
    text = release.release(root, source.paths(root)[module])
    assert text == (generated / "release" / module.slug / f"{module.slug}.ipynb").read_text(encoding="utf-8")


def test_a_release_says_nothing_of_the_file_it_was_made_from(course):
    for _, text in release.releases(course):
        assert set(json.loads(text)["metadata"]) <= {"kernelspec", "tinytorch"}
        assert "jupytext" not in text
