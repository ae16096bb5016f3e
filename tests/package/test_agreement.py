"""Programs that both frameworks run: our values, dtypes and gradients are PyTorch's.

A case is a small program, written by Hypothesis in words that both frameworks know; `torch` in it means either. Arrays are also
empty, 0-d, reversed or transposed; dtypes are also small integers and bool; numbers are also inf and nan. `make test` tries about
600 cases, always the same. The slow run tries more: TINYTORCH_CASES=20000 pytest tests/package/test_agreement.py
"""

import copy
import os
import re
import warnings
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinytorch
from tinytorch.core.layers import LinearOp
from tinytorch.core.spatial import Conv2dOp

torch = pytest.importorskip("torch")

CASES = int(os.environ.get("TINYTORCH_CASES", "600"))

# What differs on purpose: a pattern of the program, followed by our error if we raise one, and why. Most rows are in a module's
# table "Here and in PyTorch".
ALLOWED = {
    r"nan.*(abs|sign)\(": "the sign of nan, the slope of abs, is nan in NumPy, 0 in PyTorch",
    r"'uint8'.*\.(any|all)\(": "any and all of bytes are bytes in PyTorch, for old programs",
    r"nan.*y = am(ax|in)\(": "the gradient of a maximum that is nan goes to the nan; in PyTorch it is nan, unless over all",
    r"am(ax|in)\(.*(sqrt|log)\(": "a blocked gradient of nan is 0 here; the rule of amax in PyTorch multiplies it by 0",
    r"inf.*\.prod\(": "the other factors of inf give its gradient; PyTorch divides the product, inf / inf",
    r"-128.*'int8'.* \*\* ": "PyTorch takes 1 from the exponent -128 in int8, which gives 127",
    r"(inf|nan).*\.var\(": "the gradient of a variance of inf or nan is nan everywhere here, inf at some places in PyTorch",
    r"(inf|-0\.0).*\*\* -?0\.5": "PyTorch's rule takes a root, of which -inf has none; NumPy raises to the power",
    r"'bool'.*\*\* (True|x|z)": "a bool to the power of a bool is int8 in NumPy, bool in PyTorch",
    r"np\.zeros\(.*(int\d+|bool).*softmax": "PyTorch's softmax refuses integers, unless there are none",
    r"np\.zeros\(.*roll.*AxisError": "PyTorch does not look at the axis along which it rolls nothing",
    r"torch\.cat.*same number of dimensions": "PyTorch joins an empty vector to tensors of any shape, for old programs",
    r"= make\([^\[]*, '.*(max|min)imum\(": "a 0-d tensor wins the ties of maximum, as module 09 says",
    r"= make\(-?\d+, 'u?int8'.* (x [<>=!]=? -?\d{3}|-?\d{3} [<>=!]=? x)": "PyTorch wraps this number beside a 0-d tensor",
}

# PyTorch refuses some dtypes for which NumPy has an answer. Wherever else PyTorch refuses, we do.
LACKS = (
    "not implemented for|Subtraction|dtype|only supported|negative integer powers|can't be cast|bool tensor|bool input|Boolean"
    "|scalar type|without overflow|Expected a floating point"
)


def tries(share: float):
    """Take this share of all cases."""
    unhurried = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    cases = max(10, round(share * CASES))
    return settings(max_examples=cases, derandomize=True, database=None, deadline=None, suppress_health_check=unhurried)


# -- programs ----------------------------------------------------------------------------------------------------------


@dataclass
class Program:
    """Lines of Python, which define tensors. `leaves` may have a gradient; `shown` are compared."""

    lines: list[str] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    shapes: dict[str, tuple] = field(default_factory=dict)

    def __str__(self) -> str:
        return "\n".join(["", *self.lines])


def ours_made(values, dtype: str, layout: str = "", grad: bool = False):
    return tinytorch.Tensor(laid_out(values, dtype, layout), requires_grad=grad, dtype=np.dtype(dtype))


def theirs_made(values, dtype: str, layout: str = "", grad: bool = False):
    return torch.from_numpy(laid_out(values, dtype, layout).copy()).requires_grad_(grad)


def laid_out(values, dtype: str, layout: str) -> np.ndarray:
    """Return the values in an array with other strides."""
    a = np.array(values).astype(dtype)
    if layout == "reversed" and a.ndim:
        return a[::-1].copy()[::-1]
    if layout == "transposed" and a.ndim:
        return np.asfortranarray(a)
    if layout == "strided" and a.ndim:
        return a.repeat(2, axis=-1)[..., ::2]
    return a


OURS = {
    "torch": tinytorch, "F": tinytorch.nn.functional, "make": ours_made,
    "cast": lambda x, dtype: x.astype(dtype),
    "amax": lambda x, dim, keepdim=False: x.max(dim, keepdim),
    "amin": lambda x, dim, keepdim=False: x.min(dim, keepdim),
    "gelu": tinytorch.nn.functional.gelu,
    "linear": lambda x, w: tinytorch.autograd.apply(LinearOp(), x, w),
    "conv2d": lambda x, w, b, s, p: tinytorch.autograd.apply(Conv2dOp((s, s), (p, p)), x, w, b),
    "max_pool2d": lambda x, *sizes: tinytorch.nn.MaxPool2d(*sizes)(x),
    "avg_pool2d": lambda x, *sizes: tinytorch.nn.AvgPool2d(*sizes)(x),
    "embedding": lambda ids, w: w[ids],
}  # fmt: skip
THEIRS = {
    "torch": torch, "F": torch.nn.functional, "make": theirs_made,
    "cast": lambda x, dtype: x.to(getattr(torch, dtype)),
    "amax": torch.amax, "amin": torch.amin,
    "gelu": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    "linear": torch.nn.functional.linear, "conv2d": torch.nn.functional.conv2d,
    "max_pool2d": torch.nn.functional.max_pool2d, "avg_pool2d": torch.nn.functional.avg_pool2d,
    "embedding": lambda ids, w: torch.nn.functional.embedding(ids.long(), w),
}  # fmt: skip


def plain(x) -> SimpleNamespace:
    """Return the numbers and the dtype of a tensor of either framework."""
    if isinstance(x, torch.Tensor):
        return SimpleNamespace(array=x.detach().numpy(), dtype=str(x.dtype).removeprefix("torch."))
    array = np.asarray(getattr(x, "data", x))
    return SimpleNamespace(array=array, dtype=array.dtype.name)


def outcome(program: Program, words: dict) -> dict | Exception:
    """Run a program. Return its shown tensors and the gradients of its leaves, or the error."""
    names = dict(words, np=np, copy=copy, nan=np.nan, inf=np.inf)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            exec("\n".join(program.lines), names)
    except Exception as error:
        return error
    found = {name: plain(names[name]) for name in program.shown}
    for name in program.leaves:
        if names[name].grad is not None:
            found[f"{name}.grad"] = plain(names[name].grad)
    return found


def error_of(found: dict | Exception) -> Exception | None:
    return found if isinstance(found, Exception) else None


def is_allowed(program: Program, error: Exception | None = None) -> bool:
    text = f"{program}\n{type(error).__name__}: {error}" if error else str(program)
    return any(re.search(pattern, text, re.DOTALL) for pattern in ALLOWED)


def compare(program: Program, expected: dict, found: dict) -> None:
    """Raise an AssertionError if one of the tensors differs."""
    assert found.keys() == expected.keys(), f"{program}\nPyTorch has {', '.join(expected)}; we have {', '.join(found)}"
    for name, theirs in expected.items():
        mine, low = found[name], "float32" in f"{program} {theirs.dtype}"
        assert mine.array.shape == theirs.array.shape, f"{program}\n{name}: {mine.array.shape}, PyTorch: {theirs.array.shape}"
        assert mine.dtype == theirs.dtype, f"{program}\n{name}: {mine.dtype}, PyTorch: {theirs.dtype}"
        np.testing.assert_allclose(
            mine.array, theirs.array, rtol=2e-4 if low else 1e-9, atol=2e-5 if low else 1e-11, err_msg=f"{program}\n{name}"
        )


def agree(program: Program) -> None:
    """Compare what the two frameworks answer, unless it may differ."""
    if not is_allowed(program, error_of(outcome(program, OURS))):
        check(program)


def check(program: Program) -> None:
    expected, found = outcome(program, THEIRS), outcome(program, OURS)
    error = error_of(found)
    if isinstance(expected, Exception):
        assert error or re.search(LACKS, str(expected)), f"{program}\nwe have an answer, PyTorch says {expected}"
        return
    assert error is None, f"{program}\nPyTorch has an answer, we say {type(error).__name__}: {error}"
    compare(program, expected, found)


# -- strategies --------------------------------------------------------------------------------------------------------

FLOATS, WHOLE, LIMITED = ["float32", "float64"], ["int64", "int32"], ["uint8", "int8", "bool"]
NUMBERS = [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0]
SPECIAL = [np.inf, -np.inf, np.nan, -0.0]
VALUES = {
    "float32": NUMBERS, "float64": NUMBERS, "int64": [-3, -1, 0, 1, 2, 5, 300], "int32": [-3, -1, 0, 1, 2, 5, 300],
    "int8": [-128, -3, -1, 0, 1, 2, 5, 127], "uint8": [0, 1, 2, 5, 12, 200, 255], "bool": [False, True],
}  # fmt: skip
LAYOUTS = ["", "", "reversed", "transposed", "strided"]
SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 2, 3]), max_size=3).map(tuple)


@st.composite
def array(draw, dtypes=FLOATS, shapes=SHAPES, special=False, grad=True, layouts=LAYOUTS) -> tuple[str, tuple]:
    """Return the text that makes a tensor, and its shape."""
    dtype, shape = draw(st.sampled_from(dtypes)), draw(shapes)
    numbers = VALUES[dtype] + (SPECIAL if special and dtype in FLOATS else [])
    size = int(np.prod(shape))
    flat = draw(st.lists(st.sampled_from(numbers), min_size=size, max_size=size))
    text = str(np.array(flat, object).reshape(shape).tolist()) if size else f"np.zeros({shape})"
    layout = draw(st.sampled_from(layouts))
    requires = grad and dtype in FLOATS
    return f"make({text}, '{dtype}', '{layout}', {requires})", shape


def add_leaf(program: Program, draw, name: str, **options) -> None:
    text, shape = draw(array(**options))
    program.lines.append(f"{name} = {text}")
    program.leaves.append(name)
    program.shapes[name] = shape


def add_backward(program: Program, draw, name: str) -> None:
    """Begin the walk with uneven gradients, which a rule that forgets `grad` does not survive."""
    weights = draw(st.sampled_from([1.0, -0.5, 2.0]))
    program.lines.append(f"if getattr({name}, 'requires_grad', False): ({name} * {weights}).sum().backward()")


@st.composite
def axes(draw, ndim: int, several=True) -> str:
    """Return one axis, several or all, as text."""
    if draw(st.integers(0, 7)) == 7:
        return draw(st.sampled_from([str(ndim), str(-ndim - 1), "50", "(0, 0)" if several else "7"]))
    if ndim == 0:
        return draw(st.sampled_from(["None", "0", "-1"] if several else ["0", "-1"]))
    one = st.integers(-ndim, ndim - 1)
    if not several or draw(st.booleans()):
        return str(draw(one))
    chosen = draw(st.lists(st.integers(0, ndim - 1), unique=True, min_size=1, max_size=ndim))
    return str(tuple(i - ndim if draw(st.booleans()) else i for i in chosen))


# -- one operation -----------------------------------------------------------------------------------------------------

UNARY = [
    "-x", "abs(x)", "x.abs()", "x.exp()", "x.log()", "x.sqrt()", "x.tanh()", "F.relu(x)", "torch.sigmoid(x)",
    "F.leaky_relu(x, 0.1)", "x.clip(-0.5, 1.0)", "x.clip(0, None)", "x ** 2", "x ** 3", "x ** 0.5", "x ** -1", "x ** 0",
    "2 ** x", "x.T", "x.detach()", "x.reshape(-1)", "x.unsqueeze(0)", "x.unsqueeze(-1)", "x.squeeze()", "gelu(x)", "~x",
    "x.clip()", "x == None", "x != 'a'", "copy.deepcopy(x)", "copy.deepcopy(x * 2)", "x.transpose(0, -1)", "x.expand(x.shape)",
    "x.permute(0, 0)", "x.sum(dim=())", "x.expand(2, *x.shape)", "x.transpose(0, 3)", "x.unsqueeze(4)", "x.squeeze(3)",
    "x.squeeze(-4)", "x.detach()[...]", "x.detach().floor()", "x.detach().ceil()", "x.detach().round()", "x.detach().sign()",
    "x.isnan()", "x.tril()", "x.triu(1)", "x.numel()", "x.flatten()", "x.view(-1)", "F.silu(x)", "F.elu(x)", "F.softplus(x)",
    "x.clamp(0, 1)", "x.long()", "x.float()", "x.to(torch.float64)", "x.bool()", "x.repeat(2, 1, 1)", "int(x)", "float(x)",
    "x.clone()", "x.masked_fill(x > 0, 2)", "x.tolist()", "x.std()", "x.prod()", "x.norm()", "x.any()", "x.all()",
    "x.flatten(0, 1)",
]  # fmt: skip


@st.composite
def one_function(draw) -> Program:
    program = Program(shown=["y"])
    add_leaf(program, draw, "x", dtypes=FLOATS + WHOLE + LIMITED, special=True)
    program.lines.append(f"y = {draw(st.sampled_from(UNARY))}")
    add_backward(program, draw, "y")
    return program


@tries(0.1)
@given(one_function())
def test_functions_of_one_tensor(program):
    agree(program)


SCALARS = ["2", "-1", "0", "300", "1.5", "-0.5", "True", "3", "255", "256", "-129"]
INFIX = ["+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">=", "**", "&", "|"]
CALLS = ["torch.maximum({}, {})", "torch.minimum({}, {})", "torch.where(x > 0, {}, {})", "torch.cat([{}, {}])", "{} @ {}"]


@st.composite
def one_operator(draw) -> Program:
    program = Program(shown=["y"])
    add_leaf(program, draw, "x", dtypes=FLOATS + WHOLE + LIMITED, special=True)
    other = draw(st.sampled_from(["number", "tensor", "tensor"]))
    if other == "number":
        pair = ["x", draw(st.sampled_from(SCALARS))]
    else:
        fits = [s for s in [(), program.shapes["x"], program.shapes["x"][1:], (1, *program.shapes["x"][1:])] if len(s) < 4]
        shapes = st.sampled_from(fits)
        add_leaf(program, draw, "z", dtypes=FLOATS + WHOLE + LIMITED, shapes=shapes, special=True)
        pair = ["x", "z"]
    if draw(st.booleans()):
        pair.reverse()
    if other == "number" or draw(st.integers(0, 3)):
        program.lines.append(f"y = {pair[0]} {draw(st.sampled_from(INFIX))} {pair[1]}")
    else:
        program.lines.append("y = " + draw(st.sampled_from(CALLS)).format(*pair))
    add_backward(program, draw, "y")
    return program


@tries(0.2)
@given(one_operator())
def test_operators_on_two_tensors_or_a_tensor_and_a_number(program):
    agree(program)


REDUCTIONS = ["x.sum({})", "x.mean({})", "amax(x, {})", "amin(x, {})", "x.var({})", "x.var({}, correction=0)", "x.argmax({})"]
ALL = ["x.sum()", "x.mean()", "x.max()", "x.min()", "x.var()", "x.argmax()"]
ALONG = [
    "F.softmax(x, {0})", "F.log_softmax(x, {0})", "x.squeeze({0})", "torch.cat([x, x], {0})", "torch.stack([x, x], {0})",
    "x.prod({0})", "x.cumsum({0})", "x.flip({0})", "x.any({0})", "x.all({0})", "x.argmin({0})", "x.std({0})",
    "torch.logsumexp(x, {0})", "x.norm(dim={0})", "x.roll(1, {0})", "x.unsqueeze({0})", "torch.cat(x.split(1, {0}), {0})",
    "torch.cat(x.chunk(2, {0}), {0})", "x.unbind({0})[0]", "x.transpose({0}, -1)", "x.flip(({0},))",
]  # fmt: skip


@st.composite
def one_reduction(draw) -> Program:
    program = Program(shown=["y"])
    add_leaf(program, draw, "x", dtypes=FLOATS + FLOATS + WHOLE + LIMITED, special=draw(st.booleans()))
    ndim = len(program.shapes["x"])
    kind = draw(st.sampled_from(["all", "some", "some", "along"]))
    if kind == "all":
        text = draw(st.sampled_from(ALL))
    elif kind == "some":
        text = draw(st.sampled_from(REDUCTIONS))
        axis = draw(axes(ndim, several="argmax" not in text))
        keep, (dim, kept) = draw(st.booleans()), draw(st.sampled_from([("dim", "keepdim"), ("axis", "keepdims")]))
        if "amax" in text or "amin" in text:
            dim, kept = "dim", "keepdim"
        text = text.format(f"{dim}={axis}" + (f", {kept}=True" if keep else ""))
    else:
        text = draw(st.sampled_from(ALONG)).format(draw(axes(ndim, several=False)))
    program.lines.append(f"y = {text}")
    add_backward(program, draw, "y")
    return program


@tries(0.1)
@given(one_reduction())
def test_reductions_and_functions_along_an_axis(program):
    agree(program)


# -- keys --------------------------------------------------------------------------------------------------------------


@st.composite
def part(draw, name: str, n: int, program: Program) -> str:
    """Return one part of a key, for an axis with n numbers: a number, a slice, a list, a tensor of ids or of bools."""
    kind = draw(st.sampled_from(["number", "slice", "list", "ids", "mask", "ids2"] if n else ["slice", "mask", "empty"]))
    if kind == "number":
        return str(draw(st.integers(-n, n - 1)))
    if kind == "slice":
        return draw(st.sampled_from([":", "1:", ":1", "::2", ":-1", "0:0"]))
    if kind == "list":
        return str(draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=3)))
    if kind == "mask":
        flags = draw(st.lists(st.booleans(), min_size=n, max_size=n))
        program.lines.append(f"{name} = make({flags or 'np.zeros(0)'}, 'bool')")
    elif kind == "empty":
        program.lines.append(f"{name} = make(np.zeros(0), 'int64')")
    else:
        dtype = draw(st.sampled_from(["int64", "int64", "uint8", "int32", "int8"]))
        dtype = "int64" if dtype == "uint8" else dtype  # PyTorch takes uint8 for a mask
        ids = draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=4))
        ids = [ids, ids] if kind == "ids2" else ids
        program.lines.append(f"{name} = make({ids}, '{dtype}')")
    return name


@st.composite
def key(draw, shape: tuple, program: Program) -> str:
    """Return a key that fits the shape, as text."""
    whole = draw(st.sampled_from(["mask", "compare", "parts", "parts", "parts", "none"]))
    if whole == "compare":
        return "x > 0"
    if whole == "mask" and shape:
        flags = draw(st.lists(st.booleans(), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
        program.lines.append(f"m = make(np.array({flags}).reshape({shape}), 'bool')")
        return "m"
    if whole == "none":
        return draw(st.sampled_from(["None", "...", "..., None"]))
    parts = [draw(part(f"k{i}", n, program)) for i, n in enumerate(shape[: draw(st.integers(0, len(shape)))])]
    if draw(st.booleans()) and len(parts) < len(shape):
        parts.append("...")
    return ", ".join(parts) if parts else "..."


@st.composite
def keys(draw) -> Program:
    """Ids, masks, slices, alone and in tuples; then a write through the same key."""
    program = Program(shown=["y"])
    add_leaf(program, draw, "x", dtypes=[*FLOATS, "float32", "uint8", "bool"])
    text = draw(key(program.shapes["x"], program))
    program.lines += [f"y = x[{text}]"]
    add_backward(program, draw, "y")
    if draw(st.booleans()):
        value = draw(st.sampled_from(["1", "0.5", "y.detach() * 2"]))
        program.lines += ["b = x.detach() * 1", f"b[{text.replace('x >', 'b >')}] = {value}"]
        program.shown.append("b")
    return program


@tries(0.15)
@given(keys())
def test_keys(program):
    agree(program)


# -- chains ------------------------------------------------------------------------------------------------------------

# Words for a step from an exact number on, and words that round. What chooses (relu, max) comes before all that round:
# after it, a difference in the last bit could change the choice. `+ 0` turns -0 into 0, since relu(-0) may be either.
CHOICES = [
    "F.relu({0} + 0)", "({0} + 0).clip(0, 1)", "abs({0})", "{0}.reshape(-1).maximum(3 * {0}.reshape(-1))",
    "{0}.reshape(-1).minimum({0}.reshape(-1) * 2)", "amax({0}, -1, True)", "torch.where({0} > 0, {0}, 2 * {0})",
    "torch.where({0} > 0, {0}, {0} * 0)", "{0}[{0} > 0]", "({0} + 0).clip(-1, None)",
]  # fmt: skip
EXACT = [
    "-{0}", "{0} * {1}", "{0} + {1}", "{0} - {1}", "{0} * 2", "1 - {0}", "{0}.sum(0)", "{0}.sum(dim=-1, keepdim=True)", "{0}.T",
    "{0}.reshape(-1)", "{0}.unsqueeze(0)", "{0}[..., ::2]", "{0}[0]", "torch.cat([{0}, {1}])", "torch.stack([{0}, {0}], 1)",
    "{0} @ {1}", "{0} ** 2", "{0}.detach() * {1}", "{0}.expand(2, *{0}.shape)", "{0}.squeeze()", "cast({0}, 'float64')",
    "cast({0}, 'float32')",
]  # fmt: skip
ROUNDING = [
    "{0}.exp()", "{0}.log()", "{0}.sqrt()", "{0}.tanh()", "torch.sigmoid({0})", "F.softmax({0}, -1)", "F.log_softmax({0}, 0)",
    "1 / {0}", "{0} / {1}", "{0}.mean()", "{0} ** 1.5", "{0} ** {1}", "{0}.mean(dim=0)", "({0} + 1).log()",
    "{0}.var(dim=-1, correction=0)",
]  # fmt: skip


@st.composite
def chains(draw) -> Program:
    program = Program(shown=["y"])
    shape, special, dtype = draw(SHAPES), draw(st.booleans()), draw(st.sampled_from(FLOATS))
    for name in ("v0", "v1"):
        add_leaf(program, draw, name, dtypes=[dtype], shapes=st.just(shape), special=special)
    n = 2
    choices = [word for word in CHOICES if not (special and word.startswith("a"))]  # abs and amax: see ALLOWED
    for words, most in [(EXACT, 2), (choices, 2), (EXACT, 2), (ROUNDING + EXACT, 3)]:
        for _ in range(draw(st.integers(0, most))):
            pair = [f"v{draw(st.integers(max(0, n - 3), n - 1))}" for _ in range(2)]
            line = f"v{n} = {draw(st.sampled_from(words)).format(*pair)}"
            trial = outcome(Program([*program.lines, line]), THEIRS)
            if not isinstance(trial, Exception):  # PyTorch can do this step
                program.lines.append(line)
                n += 1
    program.lines.append(f"y = v{n - 1}")
    add_backward(program, draw, "y")
    if draw(st.integers(0, 3)) == 3:  # a second walk adds to the same gradient
        program.lines += ["g = v0.grad", "(v0 * v0).sum().backward()", "same = v0.grad is g"]
        program.shown.append("same")
    return program


@tries(0.2)
@given(chains())
def test_chains_and_their_gradients(program):
    agree(program)


# -- layers ------------------------------------------------------------------------------------------------------------


@st.composite
def networks(draw) -> Program:
    """Write a program with one layer, on images that may be none at all, or -inf and nan."""
    program, special = Program(shown=["y"]), draw(st.booleans())
    kind = draw(st.sampled_from(["conv2d", "max_pool2d", "max_pool2d", "avg_pool2d", "linear", "embedding"]))
    n, c, h, w, k = (draw(st.integers(*bounds)) for bounds in [(0, 2), (1, 2), (3, 5), (3, 5), (1, 3)])
    stride, padding, dtype = draw(st.integers(1, 2)), draw(st.integers(0, 1)), draw(st.sampled_from(FLOATS))
    images = {"dtypes": [dtype], "shapes": st.just((n, c, h, w)), "special": special}
    if kind == "conv2d":
        add_leaf(program, draw, "x", **{**images, "special": False})
        add_leaf(program, draw, "weight", dtypes=[dtype], shapes=st.just((2, c, k, k)))
        add_leaf(program, draw, "bias", dtypes=[dtype], shapes=st.just((2,)))
        program.lines.append(f"y = conv2d(x, weight, bias, {stride}, {padding})")
    elif kind in ("max_pool2d", "avg_pool2d"):
        add_leaf(program, draw, "x", **images)
        program.lines.append(f"y = {kind}(x, {k}, {stride}, {min(padding, k // 2)})")
    elif kind == "linear":
        add_leaf(program, draw, "x", dtypes=FLOATS, shapes=SHAPES.map(lambda shape: (*shape, 2)), special=special)
        add_leaf(program, draw, "weight", dtypes=FLOATS, shapes=st.integers(0, 3).map(lambda rows: (rows, 2)))
        program.lines.append("y = linear(x, weight)")
    else:
        add_leaf(program, draw, "weight", dtypes=FLOATS, shapes=st.integers(1, 2).map(lambda width: (3, width)))
        ids = draw(st.lists(st.integers(0, 2), max_size=4))
        dtype = draw(st.sampled_from(["uint8", "int8", "int32", "int64"]))
        program.lines.append(f"y = embedding(make({ids}, '{dtype}'), weight)")
    add_backward(program, draw, "y")
    return program


@tries(0.05)
@given(networks())
def test_layers(program):
    agree(program)


# -- updates -----------------------------------------------------------------------------------------------------------

UPDATES = [
    "b += {}", "b -= {}", "b *= {}", "b /= {}", "b[...] = {}", "v += {}", "v[...] = {}", "b[0] = {}", "b[b > 0] = {}",
    "v *= {}",
]  # fmt: skip
OTHER_NAMES = ["b.reshape(-1)", "b.T", "b[0]", "b[-1:]", "b.detach()", "b[..., 0]", "b.unsqueeze(0)", "b[...]"]


@st.composite
def updates(draw) -> Program:
    """Write a program that changes a tensor in place, without gradients; a view shows the change, the dtype stays."""
    program = Program(shown=["b", "v"])
    dtype = draw(st.sampled_from(FLOATS + WHOLE + LIMITED))
    text, shape = draw(array(dtypes=[dtype], grad=False, special=True, layouts=[""]))  # so reshape is a view
    program.lines += [f"b = {text}", f"v = {draw(st.sampled_from(OTHER_NAMES))}"]
    if draw(st.booleans()):
        value = draw(st.sampled_from(["1", "2", "True", "0.5", "-1"]))
    else:
        shapes = st.sampled_from([shape, (), shape[-1:]])
        value, _ = draw(array(dtypes=[dtype, dtype, "float32", "int64"], shapes=shapes, grad=False))
    program.lines.append(draw(st.sampled_from(UPDATES)).format(value))
    return program


@tries(0.05)
@given(updates())
def test_updates_in_place_without_gradients(program):
    agree(program)


# -- writes in place ---------------------------------------------------------------------------------------------------


def without_writes(program: Program) -> dict | Exception:
    """Return the right gradients: PyTorch's, if each operation keeps its own copy of what it needs."""
    with torch.autograd.graph.saved_tensors_hooks(lambda saved: saved.clone(), lambda saved: saved):
        return outcome(program, THEIRS)


def agree_on_writes(program: Program) -> None:
    """Check that we never give a wrong gradient in silence, and never refuse what PyTorch accepts."""
    right, theirs, mine = without_writes(program), outcome(program, THEIRS), outcome(program, OURS)
    if isinstance(right, Exception) or is_allowed(program, error_of(mine)):
        return
    if isinstance(mine, Exception):
        assert isinstance(theirs, RuntimeError), f"{program}\nPyTorch accepts this, we say {type(mine).__name__}: {mine}"
        assert isinstance(mine, RuntimeError), f"{program}\nPyTorch says {theirs}\nwe say {type(mine).__name__}: {mine}"
    else:
        compare(program, right, mine)


VIEWS = [
    "{0}.reshape(-1)", "{0}.T", "{0}[1:]", "{0}[0]", "{0}.detach()", "{0}.unsqueeze(0)", "{0}.detach()[:1]", "{0}.squeeze()",
    "{0}[None]", "{0}.detach().reshape(-1)", "{0}[..., 0]", "{0}[0, 1]", "{0}.detach()[1][0]",
]  # fmt: skip
USES = [
    "({0} * {1}).sum()", "({0} * {0}).sum()", "{0}.exp().sum()", "({0} / ({1} + 4)).sum()", "({0} @ {1}.T).sum()", "{0}.sum()",
    "F.relu({0}).sum()", "{0}.tanh().sum()", "{0}[ids].sum()", "({0}[{1} > 0] ** 2).sum()", "torch.where(c, {0}, {1}).sum()",
    "{0}.max()", "F.softmax({0}, 0).sum()", "({0} ** 3).sum()", "({0} + {1}).sum()", "linear({0}, w).sum()", "{0}.mean()",
    "amax({0}, 0).sum()", "torch.where(c, {0} * 2, {0}).sum()", "{0}.reshape(-1).maximum({1}.reshape(-1)).sum()",
    "({0} - {1}).sum()", "{0}.clip(0, 1).sum()", "{0}.abs().sum()", "torch.cat([{0}, {1}]).exp().sum()",
    "torch.sigmoid({0}).sum()", "{0}.log().sum()", "(2 * {0}).sqrt().sum()", "(x.reshape(-1) @ w[0])", "({0} @ w).sum()",
]  # fmt: skip
WRITES = [
    "{0}[...] = 5.0", "{0}[0] = 7.0", "{0}[..., 0] = -3.0", "{0}[ids] = 2.0", "{0}[c] = 4.0", "{0} *= 2", "{0} += 1",
    "{0} -= {0}",
]  # fmt: skip


@st.composite
def writes(draw) -> Program:
    program = Program(leaves=["x", "w"], shown=[])
    for name in ("x", "w", "b"):
        options = {"dtypes": ["float32"], "shapes": st.just((2, 2)), "grad": name != "b", "layouts": [""]}  # so reshape is a view
        program.lines.append(f"{name} = {draw(array(**options))[0]}")
    program.lines += ["ids = make([0, 1], 'int64')", "c = make([[True, False], [False, True]], 'bool')", "total = (x + 0).sum()"]
    names, n = ["x", "w", "b"], 0
    words = {
        "use": [f"total = total + {use}" for use in USES], "view": [f"t{{n}} = {view}" for view in VIEWS],
        "compute": [f"t{{n}} = {text}" for text in ("{0} * {1}", "{0}.exp()", "{0} + 1", "F.relu({0})")],
        "write": [f"with torch.no_grad(): {write}" for write in WRITES],
        "tell": ["ids[0] = 1", "c[0] = False", "c[...] = True", "ids[...] = 0"],
    }  # fmt: skip
    for _ in range(draw(st.integers(2, 7))):
        kind = draw(st.sampled_from(["use", "use", "view", "write", "write", "compute", "tell"]))
        pair = [draw(st.sampled_from(names)) for _ in range(2)]
        line = draw(st.sampled_from(words[kind])).format(*pair, n=n)
        if not isinstance(outcome(Program([*program.lines, line]), THEIRS), Exception):
            program.lines.append(line)
            names += [f"t{n}"] if kind in ("view", "compute") else []
            n += 1
    program.lines.append("total.backward()")
    return program


@tries(0.15)
@given(writes())
def test_writes_in_place_are_refused_or_harmless(program):
    agree_on_writes(program)


# -- the tables --------------------------------------------------------------------------------------------------------
