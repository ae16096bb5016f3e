"""An answer leaves the sandbox as bytes, and the judge uses only these bytes."""

import base64
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tito.grading import answers
from tito.grading.answers import Answer, BadAnswer, encode, mismatch, raised


def sent(value, about="", rtol=1e-5, atol=1e-6) -> Answer:
    """Return the value as the judge reads it."""
    return Answer.read(json.dumps({"value": encode(value), "about": about, "rtol": rtol, "atol": atol}))


def message(value, **fields) -> str:
    return json.dumps({"about": "", "rtol": 0, "atol": 0, "value": value, **fields})


class Tensor:
    def __init__(self, data):
        self.data = np.asarray(data)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=True) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)


@given(PLAIN)
def test_every_plain_value_equals_itself(value):
    assert mismatch(sent(value), sent(value)) is None


@pytest.mark.parametrize("dtype", sorted(answers.DTYPES))
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 4)])
def test_every_array_equals_itself(dtype, shape):
    array = np.ones(shape, dtype)
    assert mismatch(sent(array), sent(array.copy(order="F"))) is None
    assert mismatch(sent(Tensor(array)), sent(Tensor(array))) is None


@pytest.mark.parametrize(
    ("given_", "expected", "problem"),
    [
        (1, "1", "has the wrong type: number"),
        (True, 1, "has the wrong type: bool"),
        (None, 0, "has the wrong type: NoneType"),
        ([1], (1,), "has the wrong type: list"),
        (np.ones(3), Tensor(np.ones(3)), "has the wrong type: array"),
        ([1.0], np.ones(1), "has the wrong type: list"),
        (np.ones((2, 3)), np.ones((3, 2)), "has the wrong shape: (2, 3)"),
        (np.ones(6), np.ones((3, 2)), "has the wrong number of dimensions: 1"),
        (np.ones(3, "float64"), np.ones(3, "float32"), "has the wrong dtype: float64"),
        (np.array([1.0, 2.0, 9.0]), np.array([1.0, 3.0, 4.0]), "has wrong values in 2 of 3 places"),
        (np.array([math.nan]), np.array([1.0]), "has wrong values in 1 of 1 places"),
        (np.array([math.inf]), np.array([-math.inf]), "has wrong values in 1 of 1 places"),
        (math.nan, 1.0, "has the wrong value"),
        (1.1, 1.0, "has the wrong value"),
        (7, 8, "has the wrong value"),
        (10**299, 1.0, "has the wrong value"),
        ("a", "b", "has the wrong value"),
        ([1, 2], [1], "has the wrong length: 2"),
        ({"a": 1}, {"a": 2}, "has the wrong value"),
        ({"b": 1}, {"a": 1}, "has the wrong value"),
        ({1, 2}, {1, 3}, "has the wrong value"),
    ],
)
def test_a_reason_names_the_wrong_type_shape_or_value_but_not_the_right_one(given_, expected, problem):
    assert mismatch(sent(given_), sent(expected)) == problem


def test_an_int_equals_the_float_of_the_same_value():
    assert mismatch(sent(2), sent(2.0)) is None
    assert mismatch(sent(2.0), sent(2)) is None
    assert mismatch(sent(np.float32(2)), sent(2)) is None


def test_only_the_references_tolerance_counts():
    assert mismatch(sent(1.0, rtol=1e9, atol=1e9), sent(2.0)) == "has the wrong value"
    assert mismatch(sent(1.0), sent(1.05, rtol=0.1)) is None


def test_an_array_within_tolerance_is_right_and_nan_equals_nan():
    assert mismatch(sent(np.array([1.0, math.nan, math.inf])), sent(np.array([1 + 1e-7, math.nan, math.inf]))) is None


class Liar(np.ndarray):
    """An array that lies about itself. Only its bytes count."""

    shape = property(lambda self: (1, 2))
    dtype = property(lambda self: np.dtype("float32"))

    def __eq__(self, other):
        return True

    def __array__(self, *args, **kwargs):
        return np.ones((1, 2), "float32")


class AlwaysEqual:
    data = np.zeros(3)

    def __eq__(self, other):
        return True

    __hash__ = None


def test_an_object_that_is_equal_to_everything_is_judged_by_its_bytes():
    assert mismatch(sent(AlwaysEqual()), sent(Tensor(np.ones(3)))) == "has wrong values in 3 of 3 places"


def test_an_array_that_lies_about_itself_is_not_believed():
    lie = np.zeros((2, 3)).view(Liar)
    try:
        problem = mismatch(sent(lie), sent(np.ones((2, 3))))
    except (BadAnswer, TypeError, ValueError):
        return
    assert problem


@pytest.mark.parametrize("value", [object(), 1j, b"bytes", len, np.array([object()]), np.array(["a"]), np.array(1j)])
def test_a_value_that_cannot_be_sent_raises_an_error_in_answer(value):
    with pytest.raises(TypeError, match="cannot be sent to the judge"):
        encode(value)


def test_an_answer_that_is_too_deep_or_too_large_raises_an_error_in_answer(monkeypatch):
    nested = []
    for _ in range(100):
        nested = [nested]
    with pytest.raises(ValueError, match="nested more than"):
        encode(nested)
    monkeypatch.setattr(answers, "publish", lambda text: None)
    with pytest.raises(ValueError, match="too large"):
        answers.answer(np.zeros(1_000_000))


def array(**fields):
    ones = base64.b64encode(np.ones(6).tobytes()).decode()
    return {"kind": "array", "dtype": "float64", "shape": [2, 3], "data": ones, **fields}


@pytest.mark.parametrize(
    "text",
    [
        None, 7, {}, [], "", "x", "null", "[]", "7", '"text"', "{}", "[" * 100_000, "9" * 10_000,
        message({}), message([]), message(None), message({"kind": "object", "value": 1}), message({"kind": ["list"]}),
        message({"kind": "int", "value": 7}), message({"kind": "int", "value": "9" * 301}),
        message({"kind": "int", "value": "x"}),
        message({"kind": "float", "value": "1e" + "9" * 100}), message({"kind": "float", "value": [1]}),
        message({"kind": "bool", "value": 1}),
        message({"kind": "str", "value": 1}), message({"kind": "list", "items": 7}), message({"kind": "list", "items": "ab"}),
        message({"kind": "dict", "items": [[1]]}), message({"kind": "dict", "items": [["a", "b", "c"]]}),
        message(array(dtype="object")), message(array(dtype="O")), message(array(dtype="float128")),
        message(array(dtype=["float64"])),
        message(array(shape=[3, 3])), message(array(shape=[-2, -3])), message(array(shape=[6, 10**30])),
        message(array(shape=[10**30, 0], data="")),
        message(array(shape=[2.5, 3])), message(array(shape=[1e400])), message(array(shape=[1] * 40)), message(array(shape=7)),
        message(array(data="!!!")), message(array(data="é")), message(array(data=None)), message(array(data="AAAA")),
        message({"kind": "NoneType"}, rtol="x"), message({"kind": "NoneType"}, atol=None),
        json.dumps({"value": {"kind": "NoneType"}}),
        "x" * 2_000_000,
    ],
    ids=lambda text: str(text)[:40],
)  # fmt: skip
def test_a_message_that_answer_did_not_write_is_refused(text):
    with pytest.raises(BadAnswer) as error:
        Answer.read(text)
    assert len(str(error.value)) < 100


def test_a_message_nested_ten_thousand_deep_is_refused():
    text = '{"kind": "list", "items": [' * 10_000 + "]}" * 10_000
    with pytest.raises(BadAnswer):
        Answer.read('{"about": "", "rtol": 0, "atol": 0, "value": ' + text + "}")


def test_a_refusal_repeats_nothing_of_the_message():
    """Otherwise a submission could put the text of a hidden check there and read it in its feedback."""
    with pytest.raises(BadAnswer) as error:
        Answer.read(message({"kind": "the text of a hidden check"}))
    assert "hidden" not in str(error.value)


def test_raised_names_the_exception_or_none():
    assert raised(int, "x") == "ValueError"
    assert raised(int, "7") is None
