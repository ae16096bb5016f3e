"""Exporting a source gives the same bytes every time, and writes nothing if a source is broken."""

import subprocess
import sys

import pytest
import tiny

from tito import export
from tito.errors import TitoError
from tito.syllabus import module


@pytest.fixture
def repository(tmp_path):
    return tiny.repository(tmp_path)


def tito(*words, inside):
    return subprocess.run([sys.executable, "-m", "tito", *words], cwd=inside, capture_output=True, text=True, check=False)


def test_a_second_export_changes_no_byte(repository):
    path = export.package_file(repository, module(0))
    assert export.export(repository, []) == {module(0): True}
    first = path.read_bytes()
    assert export.export(repository, []) == {module(0): False}
    assert path.read_bytes() == first


def test_the_package_file_names_its_source_and_the_cells_ids(repository):
    export.export(repository, [])
    text = export.package_file(repository, module(0)).read_text()
    assert text.startswith('"""Two functions, to test the way of a module."""\n')
    assert "File to edit: modules/00_introduction.py." in text
    assert "# %% modules/00_introduction.py #double\n" in text
    assert "__all__ = ['double', 'half']" in text


def test_the_fences_are_gone_and_the_solution_is_there(repository):
    export.export(repository, [])
    text = export.package_file(repository, module(0)).read_text()
    assert "SOLUTION" not in text
    assert "    return x / 2\n" in text


def test_imports_of_the_package_become_relative(repository):
    path = repository / "modules" / "01_setup.py"
    text = tiny.MODULE.replace("core.introduction", "core.setup").replace("double", "triple").replace("half", "third")
    path.write_text(text.replace("import numpy as np", "from tinytorch.core.introduction import double"))
    export.export(repository, [])
    assert "from .introduction import double\n" in export.package_file(repository, module(1)).read_text()


def test_check_shows_what_is_out_of_step_and_exits_with_1(repository):
    assert tito("export", inside=repository).returncode == 0
    assert tito("export", "--check", inside=repository).returncode == 0
    path = export.package_file(repository, module(0))
    path.write_text(path.read_text().replace("return 2 * x", "return 3 * x"))
    changed = path.read_bytes()
    done = tito("export", "--check", inside=repository)
    assert done.returncode == 1
    assert "-    return 3 * x" in done.stdout
    assert "+    return 2 * x" in done.stdout
    assert "tinytorch/core/introduction.py" in done.stderr
    assert path.read_bytes() == changed


def test_nothing_is_written_when_one_source_is_broken(repository):
    broken = tiny.MODULE.replace("core.introduction", "core.setup").replace("2 * x", "2 *")
    (repository / "modules" / "01_setup.py").write_text(broken)
    done = tito("export", inside=repository)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "modules/01_setup.py, cell double" in done.stderr
    assert not export.package_file(repository, module(0)).exists()


def test_a_name_has_one_home(repository):
    (repository / "modules" / "01_setup.py").write_text(tiny.MODULE.replace("core.introduction", "core.setup"))
    with pytest.raises(TitoError, match=r"double is exported by modules/00_introduction.py and modules/01_setup.py"):
        export.export(repository, [])


def test_a_module_without_a_source_is_a_wrong_question(repository):
    done = tito("export", "07", inside=repository)
    assert (done.returncode, done.stderr) == (2, "tito: modules/07_attention.py does not exist\n")


def test_an_unknown_module_is_a_wrong_question(repository):
    done = tito("export", "seventeen", inside=repository)
    assert done.returncode == 2
    assert "no module is called 'seventeen'" in done.stderr
