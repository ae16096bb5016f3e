"""The answers of a hidden check: send a value out of the sandbox, and compare it outside.

A value is sent as JSON (arrays as base64 of their bytes), never as a pickle. The judge uses only those bytes.
"""

import base64
import binascii
import json
import math
import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

MIME = "application/vnd.tinytorch.answer+json"
MAX_BYTES = 1_000_000
MAX_DEPTH = 20
DTYPES = {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"}


# -- inside the sandbox ---------------------------------------------------------------------------------------------


def answer(value: Any, about: str = "", rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Send a value to the judge, who compares it with the reference's outside: |a - b| <= atol + rtol |b|.

    Values: None, bool, int, float, str, lists, tuples, sets and dicts of these, NumPy scalars and arrays, tensors.
    """
    message = json.dumps({"value": encode(value), "about": about, "rtol": rtol, "atol": atol})
    if len(message) > MAX_BYTES:
        raise ValueError(f"an answer of {len(message)} bytes is too large. At most {MAX_BYTES} are allowed")
    publish(message)


def publish(message: str) -> None:
    from IPython.display import publish_display_data

    publish_display_data({MIME: message})


def raised(f, *args, **kwargs) -> str | None:
    """Return the name of the exception that `f(*args, **kwargs)` raises, or None if it raises none."""
    try:
        f(*args, **kwargs)
    except Exception as error:
        return type(error).__name__
    return None


def encode(value: Any, depth: int = 0) -> dict:
    """Return a value as nested dicts that JSON can hold, each with its kind."""
    if depth > MAX_DEPTH:
        raise ValueError(f"an answer is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, str):
        return {"kind": type(value).__name__, "value": str(value) if type(value) is int else value}
    if type(value) is float:
        return {"kind": "float", "value": repr(value)}
    if type(value) in (list, tuple):
        return {"kind": type(value).__name__, "items": [encode(item, depth + 1) for item in value]}
    if type(value) in (set, frozenset):
        return {"kind": "set", "items": sorted((encode(item, depth + 1) for item in value), key=json.dumps)}
    if type(value) is dict:
        pairs = [[encode(key, depth + 1), encode(item, depth + 1)] for key, item in value.items()]
        return {"kind": "dict", "items": sorted(pairs, key=json.dumps)}
    if isinstance(value, np.ndarray):
        return _encode_array("array", value)
    if isinstance(getattr(value, "data", None), np.ndarray):
        return _encode_array("tensor", value.data)
    raise TypeError(f"a {type(value).__name__} cannot be sent to the judge")


def _encode_array(kind: str, value: Any) -> dict:
    array = np.asarray(value)
    if array.dtype.name not in DTYPES:
        raise TypeError(f"an array of dtype {array.dtype} cannot be sent to the judge")
    little = array.astype(array.dtype.newbyteorder("<"))
    data = base64.b64encode(little.tobytes()).decode()
    return {"kind": kind, "dtype": array.dtype.name, "shape": list(array.shape), "data": data}


# -- outside --------------------------------------------------------------------------------------------------------


class BadAnswer(ValueError):
    """A message that `answer` did not write."""


@dataclass(frozen=True)
class Answer:
    """One answer from a sandbox. Only the reference's `about` and tolerances are used."""

    value: Any
    about: str = ""
    rtol: float = 1e-5
    atol: float = 1e-6

    @classmethod
    def read(cls, message: Any) -> "Answer":
        """Read a message that untrusted code may have written. Raise BadAnswer if `answer` would not write it so."""
        try:
            if not isinstance(message, str) or len(message) > MAX_BYTES:
                raise BadAnswer("it is not text, or it is too long")
            fields = json.loads(message)
            about, rtol, atol = str(fields["about"])[:200], float(fields["rtol"]), float(fields["atol"])
            return cls(_decode(fields["value"]), about, rtol, atol)
        except BadAnswer:
            raise
        except (KeyError, TypeError, ValueError, RecursionError, OverflowError, binascii.Error, MemoryError) as error:
            raise BadAnswer(f"answer() did not write it ({type(error).__name__})") from None


@dataclass(frozen=True)
class Array:
    """A decoded array, with the kind of object that held it: array or tensor."""

    kind: str
    data: np.ndarray


def _decode(node: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH or not isinstance(node, dict):
        raise BadAnswer("too deep, or not a value")
    kind = node["kind"]
    if kind == "NoneType":
        return None
    if kind in ("bool", "str") and type(node["value"]).__name__ == kind:
        return node["value"]
    if kind == "int" and len(node["value"]) <= 300:
        return int(node["value"])
    if kind == "float" and len(node["value"]) <= 40:
        return float(node["value"])
    if kind in ("list", "tuple", "set"):
        return Items(kind, tuple(_decode(item, depth + 1) for item in node["items"]))
    if kind == "dict":
        pairs = ((_decode(key, depth + 1), _decode(item, depth + 1)) for key, item in node["items"])
        return Items(kind, tuple(Items("pair", pair) for pair in pairs))
    if kind in ("array", "tensor") and node["dtype"] in DTYPES:
        shape = [operator.index(n) for n in node["shape"]]
        dtype = np.dtype(node["dtype"]).newbyteorder("<")
        raw = base64.b64decode(node["data"], validate=True)
        if min(shape, default=0) < 0 or len(shape) > 32 or math.prod(shape) * dtype.itemsize != len(raw):
            raise BadAnswer("its bytes do not fit its shape")
        return Array(kind, np.frombuffer(raw, dtype).reshape(shape))
    raise BadAnswer("it holds a value of an unknown kind")


@dataclass(frozen=True)
class Items:
    """A decoded list, tuple, set or dict, with its items in the order in which `encode` wrote them."""

    kind: str
    items: tuple


def mismatch(given: Answer, expected: Answer) -> str | None:
    """Say what is wrong with an answer, its type, shape or values, but never the right one. None if it is right."""
    return _compare(given.value, expected.value, expected.rtol, expected.atol)


def _compare(given: Any, expected: Any, rtol: float, atol: float) -> str | None:
    if _kind(given) != _kind(expected):
        return f"has the wrong type: {_kind(given)}"
    if isinstance(expected, Array):
        if given.data.ndim != expected.data.ndim:  # not the whole shape: many sizes could spell out the check's text
            return f"has the wrong number of dimensions: {given.data.ndim}"
        if given.data.shape != expected.data.shape:
            return f"has the wrong shape: {given.data.shape}"
        if given.data.dtype != expected.data.dtype:
            return f"has the wrong dtype: {given.data.dtype}"
        wrong = ~_close(given.data, expected.data, rtol, atol)
        return f"has wrong values in {wrong.sum()} of {wrong.size} places" if wrong.any() else None
    if isinstance(expected, Items):
        if len(given.items) != len(expected.items):
            return f"has the wrong length: {len(given.items)}"
        found = (_compare(a, b, rtol, atol) for a, b in zip(given.items, expected.items, strict=True))
        return next((problem for problem in found if problem), None)
    if isinstance(expected, float):
        return None if _close(np.float64(given), np.float64(expected), rtol, atol) else "has the wrong value"
    return None if given == expected else "has the wrong value"


def _kind(value: Any) -> str:
    """Return a value's type. An int counts like the float of the same value."""
    if isinstance(value, Array | Items):
        return value.kind
    return "number" if type(value) in (int, float) else type(value).__name__


def _close(given: np.ndarray, expected: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    if expected.dtype.kind != "f":
        return given == expected
    with np.errstate(all="ignore"):
        a, b = given.astype(np.float64), expected.astype(np.float64)
        return np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
