"""Grading uses the pristine notebook with the text of the solution cells, and nothing else of a submission."""

import json
import os
import time

import nbformat
import pytest
from lab import DOUBLE, ESSAY, HALF, MODULE, SECRET

from tito.grading import reference
from tito.grading.rebuild import Unreadable, read_submission, rebuild, rebuild_file, restore_directives


@pytest.fixture
def pristine(lab):
    return reference.pristine_for_grading(lab.folder, MODULE.slug)


@pytest.fixture
def cells(lab):
    return lab.notebook()["cells"]


def named(cells, name):
    return next(cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("grade_id") == name)


def texts(rebuilt):
    return {cell.id: cell.source for cell in rebuilt.notebook.cells}


def test_the_solutions_are_put_into_the_pristine_notebook(pristine, cells):
    rebuilt = rebuild(pristine, cells)
    assert rebuilt.problems == {}
    assert texts(rebuilt) == {**texts_of(pristine), "double": DOUBLE, "half": HALF, "half_reflect": ESSAY}


def texts_of(notebook):
    return {cell.id: cell.source for cell in notebook.cells}


def test_nothing_else_of_a_submission_is_used(pristine, cells):
    for cell in cells:
        cell["metadata"]["tags"] = ["theirs"]
        cell["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": "100"}}]
        if not cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = "theirs"
        cell["metadata"].setdefault("nbgrader", {}).update(points=1000, locked=False)
    cells.insert(0, {"cell_type": "code", "metadata": {}, "source": "theirs"})
    rebuilt = rebuild(pristine, cells)
    assert "theirs" not in nbformat.writes(rebuilt.notebook)
    assert "1000" not in nbformat.writes(rebuilt.notebook)
    assert [cell.id for cell in rebuilt.notebook.cells] == [cell.id for cell in pristine.cells]


def test_rebuilding_leaves_the_pristine_notebook_alone(pristine, cells):
    before = nbformat.writes(pristine)
    rebuild(pristine, cells)
    assert nbformat.writes(pristine) == before


def test_a_check_cannot_be_replaced_by_calling_it_a_solution(pristine, cells):
    named(cells, "double_check")["metadata"]["nbgrader"].update(solution=True, grade=False)
    named(cells, "double_check")["source"] = "pass"
    assert texts(rebuild(pristine, cells))["double_check"] == texts_of(pristine)["double_check"]


def missing(cells):
    cells.remove(named(cells, "double"))


def twice_differently(cells):
    cells.append({**named(cells, "double"), "source": "def double(x): return 3 * x"})


def retyped(cells):
    named(cells, "double")["cell_type"] = "markdown"


def renamed(cells):
    named(cells, "double")["metadata"]["nbgrader"]["grade_id"] = "dooble"


def too_long(cells):
    named(cells, "double")["source"] = "#" * 1_000_000


def without_source(cells):
    del named(cells, "double")["source"]


def source_of_numbers(cells):
    named(cells, "double")["source"] = [1, 2]


def metadata_as_list(cells):
    named(cells, "double")["metadata"] = ["nbgrader"]


def metadata_as_text(cells):
    named(cells, "double")["metadata"]["nbgrader"] = "double"


def id_as_list(cells):
    named(cells, "double")["metadata"]["nbgrader"]["grade_id"] = ["double"]


def type_as_dict(cells):
    named(cells, "double")["cell_type"] = {}


SPOILED = [
    missing, twice_differently, retyped, renamed, too_long, without_source, source_of_numbers, metadata_as_list,
    metadata_as_text, id_as_list, type_as_dict,
]  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_spoiled_cell_costs_that_cell_and_no_other(pristine, cells, spoil):
    spoil(cells)
    rebuilt = rebuild(pristine, cells)
    assert list(rebuilt.problems) == ["double"]
    assert "double" in rebuilt.problems["double"]
    assert texts(rebuilt) == {**texts_of(pristine), "half": HALF, "half_reflect": ESSAY}
    json.dumps(rebuilt.problems)


@pytest.mark.parametrize(
    ("text", "said"),
    [("-" * 100_000 + "1", ": it is nested too deep to be read"), ("a\0b", ": source code string cannot contain null bytes")],
)
def test_a_cell_that_cannot_be_parsed_gets_a_reason_even_without_a_line_number(pristine, cells, text, said):
    named(cells, "double")["source"] = text
    assert rebuild(pristine, cells).problems == {"double": f"syntax error in cell double{said}"}


def test_an_identical_copy_of_a_cell_costs_nothing(pristine, cells):
    cells.append(dict(named(cells, "double")))
    assert rebuild(pristine, cells).problems == {}


def test_a_source_may_be_a_list_of_lines(pristine, cells):
    named(cells, "double")["source"] = DOUBLE.splitlines(keepends=True)
    assert texts(rebuild(pristine, cells))["double"] == DOUBLE


@pytest.mark.parametrize("junk", [None, 7, "cell", [], {}, {"source": None}, {"metadata": None, "source": 1, "cell_type": []}])
def test_malformed_cells_are_ignored(pristine, cells, junk, tmp_path):
    path = tmp_path / "notebook.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "cells": [junk, *cells, junk]}))
    rebuilt = rebuild_file(pristine, path)
    assert rebuilt.unreadable is None
    assert rebuilt.problems == {}


@pytest.mark.parametrize(
    "text",
    [
        DOUBLE.removeprefix("#| export\n"),
        "# mine\n" + DOUBLE,
        "\n\n   #| export\n" + DOUBLE,
        "#|export\n#| hide\n" + DOUBLE.removeprefix("#| export\n"),
        DOUBLE.replace("\n", "\n#| default_exp other\n", 1),
    ],
)
def test_the_directives_are_put_back_from_the_pristine_cell(text):
    restored = restore_directives(text, DOUBLE)
    assert restored.startswith("#| export\n")
    assert restored.count("#|") == 1
    compile(restored, "cell", "exec")


@pytest.mark.parametrize("character", ["\u2028", "\x0c", "\x1c", "\x85"])
def test_a_character_that_only_looks_like_the_end_of_a_line_stays(character):
    text = f'#| export\nx = "a{character}b"'
    assert restore_directives(text, DOUBLE) == text


def test_a_half_character_does_not_stop_the_notebook_from_being_written(pristine, cells):
    named(cells, "double")["source"] = 'x = "\ud800"'
    named(cells, "half_reflect")["source"] = "\udfff"
    nbformat.writes(rebuild(pristine, cells).notebook).encode()


@pytest.mark.parametrize(
    "text", ["def f(:", "x = 'a", "\0", "\tx\n  y", "(" * 1000, "-" * 50_000 + "1", "9" * 10_000, "f'{", "return 1 2"]
)
def test_a_cell_that_does_not_compile_is_named_and_still_shown(pristine, cells, text):
    named(cells, "double")["source"] = text
    rebuilt = rebuild(pristine, cells)
    assert rebuilt.problems["double"].startswith("syntax error")
    assert text in texts(rebuilt)["double"]


def test_a_cell_is_parsed_here_but_compiled_only_in_the_sandbox(pristine, cells):
    """Compiling this text takes four gigabytes: each `finally` needs twice the memory of the one inside it."""
    opening = "\n".join(f"{' ' * n}try:\n{' ' * n} pass\n{' ' * n}finally:" for n in range(22))
    named(cells, "double")["source"] = f"{opening}\n{' ' * 22}pass"
    began = time.monotonic()
    assert rebuild(pristine, cells).problems == {}
    assert time.monotonic() - began < 5


def test_an_essay_that_would_take_hours_to_show_is_named(pristine, cells):
    named(cells, "half_reflect")["source"] = "|a" * 10_001
    assert rebuild(pristine, cells).problems == {"half_reflect": "cell half_reflect is longer than 20000 characters"}


@pytest.mark.parametrize("text", ["x = '\\d'", "x = 1\nx is 1", "assert (1, 'a')"])
def test_a_warning_of_the_compiler_is_no_error(pristine, cells, text):
    named(cells, "double")["source"] = text
    assert rebuild(pristine, cells).problems == {}


DEEP = '{"nbformat": 4, "cells": ' + "[" * 100_000 + "]" * 100_000 + "}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"\x00\xff\xfe", "it is not text"),
        ("é".encode("latin-1"), "it is not text"),
        (b"print('no notebook')", "its JSON cannot be read"),
        (b'{"nbformat": 4, "cells": [', "its JSON cannot be read"),
        (DEEP.encode(), "its JSON cannot be read"),
        (b'{"nbformat": 4, "cells": [' + b"9" * 10_000 + b"]}", "its JSON cannot be read"),
        (b"[]", "format 4"),
        (b"4", "format 4"),
        (b'{"nbformat": 3, "worksheets": []}', "format 4"),
        (b'{"nbformat": [4]}', "format 4"),
        (b'{"nbformat": 4}', "has no cells"),
        (b'{"nbformat": 4, "cells": []}', "has no cells"),
        (b'{"nbformat": 4, "cells": {"a": 1}}', "has no cells"),
        (b" " * (3 << 20), "larger than 2 MB"),
    ],
)
def test_a_file_that_is_no_notebook_gives_its_reason(pristine, tmp_path, content, reason):
    path = tmp_path / "01_setup.ipynb"
    path.write_bytes(content)
    rebuilt = rebuild_file(pristine, path, megabytes=2)
    assert reason in rebuilt.unreadable
    assert texts(rebuilt) == texts_of(pristine)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to("/etc/passwd"),
        lambda path: path.symlink_to("/nowhere"),
        lambda path: path.mkdir(),
        os.mkfifo,
    ],
    ids=["link", "broken-link", "folder", "pipe"],
)
def test_links_folders_and_devices_are_not_opened(tmp_path, make):
    path = tmp_path / "01_setup.ipynb"
    make(path)
    with pytest.raises(Unreadable, match="is a link, a folder or a device"):
        read_submission(path)


def test_a_file_that_is_not_there_gives_its_reason(tmp_path):
    with pytest.raises(Unreadable, match="cannot be opened"):
        read_submission(tmp_path / "01_setup.ipynb")


def test_the_release_holds_no_hidden_check_and_the_notebook_for_grading_does(lab, pristine):
    assert SECRET not in nbformat.writes(reference.released(lab.folder, MODULE.slug))
    assert SECRET in nbformat.writes(pristine)
    assert "BEGIN SOLUTION" not in nbformat.writes(pristine)
