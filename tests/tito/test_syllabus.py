import pytest

import tinytorch
from tito import syllabus
from tito.errors import TitoError


def test_the_package_and_the_tool_know_the_same_seventeen_modules():
    assert tuple(module.name for module in syllabus.MODULES) == tinytorch.MODULES
    assert len(syllabus.MODULES) == 17


@pytest.mark.parametrize("text", ["3", "03", "activations", "03_activations", "modules/03_activations.py", " Activations "])
def test_a_module_may_be_named_in_several_ways(text):
    assert syllabus.module(text).slug == "03_activations"


@pytest.mark.parametrize("text", ["", "17", "-1", "relu", "../03"])
def test_an_unknown_name_of_a_module_is_an_error(text):
    with pytest.raises(TitoError, match="no module is called"):
        syllabus.module(text)
