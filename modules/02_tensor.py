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
#     title: Tensor
#     part: Foundations
#     hours: 6
#     goals:
#     - build one tensor class on NumPy arrays, and one function that runs every op
#     - say which shape and which dtype an expression will have before you run it
#     - remember how each result was made, so that module 09 can differentiate it
#     - tell a view from a copy, and predict what each costs
# ---

# %% [markdown]
# # Tensor
#
# > An array that computes like PyTorch's and remembers how it came about.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on, `import tinytorch` means the package in your own workspace:
# the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(2)

# %% [markdown]
# ## Why
#
# A network is a long expression. To improve it we need the derivative of that
# expression. So something has to remember how the value was computed. NumPy's arrays do
# not:

# %% tags=["raises-exception"]
import numpy as np

x = np.array([1, 2, 3], dtype=np.float32)
y = ((2 * x + 1) ** 2).sum()
y.origin

# %% [markdown]
# NumPy also changes the dtype without being asked. Predict the dtype of a float32 array
# times an array of small integers:

# %%
(x * np.arange(3)).dtype

# %% [markdown]
# One innocent factor, and every later array takes twice the memory. The class that you
# build here stays in float32 and remembers every step. All later modules compute with
# it.
#
# `default_exp` names the file that your solutions become: `tinytorch/core/tensor.py`.

# %%
#| default_exp core.tensor

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
from collections import namedtuple
from functools import partial, reduce
from itertools import accumulate, count, zip_longest
from math import prod
from threading import local
from types import SimpleNamespace
from weakref import finalize
import numpy as np
from tinytorch.core.introduction import topological_order
from tinytorch.threads import LARGE, elementwise, matmul

# %% [markdown]
# ## 1. An array with a memory
#
# Two concepts carry the whole framework. An **op** is one operation on NumPy arrays. A
# **tensor** is an array that remembers its **origin**: the op that made it, and the
# tensors that went into that op.
#
# An op's method `forward` takes arrays and returns an array. It also stores in `saved`
# whatever the op's derivative will need. Some ops need more than arrays, such as an
# axis. They get it as `parameters`.
#
# `Op.tick()` is a clock: it gives 1, then 2, then 3. `Add` is the first op, complete.
# Its derivative is 1 for both inputs, whatever they are, so it saves nothing.
#
# Module 09 turns `grad_mode.enabled` off where no gradient is wanted. It is `local`:
# each thread has its own.

# %% nbgrader={"grade": false, "grade_id": "op", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Op:
    """One operation. Its forward takes arrays and returns an array."""
    saved = parameters = ()  # what the derivative will need; what the op was told
    tick = count(1).__next__  # Op.tick() gives 1, then 2, then 3
    def __init__(self, *parameters): self.parameters = parameters

class Add(Op):
    def forward(self, a, b):
        return a + b

class _GradMode(local):
    enabled = True  # are origins recorded?
grad_mode = _GradMode()

# %%
Add().forward(np.array([1.0, 2.0]), np.array([10.0, 20.0]))

# %% [markdown]
# Now the tensor. It has five attributes:
#
# | attribute | holds |
# | --- | --- |
# | `data` | the NumPy array |
# | `requires_grad` | True if we want the derivative with respect to it |
# | `origin` | the pair (op, inputs), or None if no op made it |
# | `grad` | its gradient, once module 09 has computed it |
# | `made` | the time on the clock when an op made it |
#
# Module 09 compares this time with the time at which an array was last overwritten. If
# an input was overwritten after it was used, its derivative would come out wrong.

# %% [markdown]
# Read this class in full. All later cells only add methods to it.
#
# - Floats become float32. Integers and bools keep their dtype. `dtype=` overrides this.
#   (A dtype's `kind` is `"f"` for floats, `"i"` or `"u"` for integers, `"b"` for
#   bools.)
# - If the array has the right dtype already, the tensor *shares* it. Write into the
#   array, and the tensor changes.
# - `__slots__` lists the only attributes that a tensor can have. It makes tensors
#   smaller.
# - `__array__` gives the array to NumPy and matplotlib. `__array_ufunc__ = None` tells
#   NumPy that in `array + tensor` the tensor does the work.
# - `size` is the number of elements.

# %% nbgrader={"grade": false, "grade_id": "tensor", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Tensor:
    """An array, the origin of its numbers and, later, its gradient."""
    __slots__ = ("data", "grad", "made", "origin", "requires_grad")
    __array_ufunc__ = None
    def __init__(self, data, requires_grad: bool = False, dtype=None):
        array = np.asarray(data.data if isinstance(data, Tensor) else data, dtype)
        if dtype is None and array.dtype.kind == "f" and not isinstance(data, Tensor):
            array = array.astype(np.float32, copy=False)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"a tensor cannot hold {array.dtype}")
        if requires_grad and array.dtype.kind != "f":
            raise TypeError(f"a tensor with a gradient cannot hold {array.dtype}")
        self.data, self.requires_grad = array, requires_grad
        self.grad, self.origin, self.made = None, None, 0
    shape = property(lambda self: self.data.shape)
    ndim = property(lambda self: self.data.ndim)
    size = property(lambda self: self.data.size)
    dtype = property(lambda self: self.data.dtype)
    def __array__(self, dtype=None, copy=None):
        return np.array(self.data, dtype, copy=copy)
    def __repr__(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="Tensor(")
        text += f", shape={self.shape}" if self.size == 0 else ""
        plain = self.dtype in (np.float32, np.int64, bool)
        text += "" if plain else f", dtype={self.dtype}"
        if self.origin:
            text += f", origin={type(self.origin[0]).__name__}"
        elif self.requires_grad:
            text += ", requires_grad=True"
        return f"Tensor({text})"

_new = object.__new__  # makes an object without calling its __init__
def _wrap(array) -> Tensor:
    """A tensor around an op's result: the dtype stays, and nothing is checked."""
    tensor = _new(Tensor)
    tensor.data = array if type(array) is np.ndarray else np.asarray(array)
    tensor.requires_grad, tensor.grad, tensor.origin, tensor.made = False, None, None, 0
    return tensor

# %% [markdown]
# Which of these three becomes float32, and which shows its dtype?

# %%
Tensor([1, 2, 3]), Tensor([[1, 2.5]]), Tensor([0.1], dtype=np.float64)

# %% [markdown]
# And what does the tensor hold after we write into the array?

# %%
array = np.zeros(3, dtype=np.float32)
tensor = Tensor(array)
array[0] = 5
tensor

# %% [markdown]
# ### What `apply` does
#
# Every operation of the framework passes through one function. It uses `_wrap`, the
# function below the class `Tensor`. `_wrap(array)` makes a tensor without `__init__`:
# that is quick, and the dtype stays. `apply(op, a, b)`
#
# 1. runs `op.forward` on the *arrays* of the inputs (`.data`), however many inputs
#    there are, and wraps the result with `_wrap`;
# 2. if `grad_mode.enabled` is on and at least one input has `requires_grad`, sets three
#    attributes of the result: `requires_grad = True`, `origin = (op, inputs)` (`inputs`
#    is a tuple), and the time, `made = Op.tick()`.
#
# In all other cases the result remembers nothing, so Python can free the inputs at
# once.
#
# About six lines. `any(...)` tells whether one of several is True.

# %% nbgrader={"grade": false, "grade_id": "apply", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def apply(op: Op, *inputs: Tensor) -> Tensor:
    """Run op on the inputs' arrays; if one requires a gradient, keep (op, inputs)."""
    ### BEGIN SOLUTION
    if len(inputs) == 2:  # most ops, and a call without a star is quicker
        a, b = inputs
        result = _wrap(op.forward(a.data, b.data))
        required = a.requires_grad or b.requires_grad
    else:
        result = _wrap(op.forward(*[x.data for x in inputs]))
        required = any([x.requires_grad for x in inputs])
    if required and grad_mode.enabled:
        result.requires_grad, result.origin, result.made = True, (op, inputs), Op.tick()
    return result
    ### END SOLUTION

# %% [markdown]
# `a` requires a gradient, `b` does not. Which of the two sums remembers?

# %%
a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([10.0, 20.0])
apply(Add(), a, b), apply(Add(), b, b)

# %% nbgrader={"grade": true, "grade_id": "apply_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""apply computes on arrays. If a gradient is required, it keeps op, inputs, time."""
a, b, op = Tensor([1.0, 2.0], requires_grad=True), Tensor([10.0, 20.0]), Add()
before = Op.tick()
try:
    y = apply(op, b, a)
except TypeError as error:
    raise AssertionError(
        f"give forward the array of each input, x.data, as an argument: {error}"
    ) from None
assert isinstance(y, Tensor), f"apply must return a Tensor, not {type(y).__name__}"
assert y.data.tolist() == [11, 22], f"[1, 2] + [10, 20] gave {y.data.tolist()}"
assert y.requires_grad, "the second input requires a gradient, so the result must too"
assert y.origin == (op, (b, a)), f"origin must be (op, (b, a)), not {y.origin}"
assert y.made == before + 1, f"call Op.tick() once: {before + 1}, not {y.made}"
z = apply(Add(), b, b)
assert z.origin is None and not z.requires_grad, "b + b: no input requires a gradient"

class AddThree(Op):
    def forward(self, a, b, c):
        return (a + b + c).sum()

c = Tensor([1.0], requires_grad=True, dtype=np.float64)
y = apply(AddThree(), b, b, c)
assert y.requires_grad, "three inputs, and the third requires a gradient: so must y"
assert isinstance(y.data, np.ndarray), "_wrap turns a single number into an array"
assert y.dtype == np.float64, f"wrap with _wrap: the dtype stays float64, not {y.dtype}"
grad_mode.enabled = False
try:
    z = apply(Add(), a, b)
finally:
    grad_mode.enabled = True
assert z.origin is None and not z.requires_grad, "recording was off: keep nothing"

# %% nbgrader={"grade": true, "grade_id": "apply_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on three inputs, on a single number, and with recording off."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

class _Three(Op):
    def forward(self, *arrays):
        self.kinds = [type(a).__name__ for a in arrays]
        return arrays[0].sum() + arrays[1].sum() * arrays[2].sum()

_op = _Three()
_in = (Tensor([1.0]), Tensor([2.0, 3.0]), Tensor([4.0], requires_grad=True))
_before = Op.tick()
_y = apply(_op, *_in)
_found = [_op.kinds, type(_y.data).__name__, float(_y.data), _y.requires_grad]
answer(_found, about="three inputs, one number")
_same = [a is b for a, b in zip(_y.origin[1], _in, strict=True)]
answer([_y.origin[0] is _op, _same, _y.made - _before], about="what it remembers")
grad_mode.enabled = False
try:
    _z = apply(Add(), _in[2], _in[2])
finally:
    grad_mode.enabled = True
_found = [_z.requires_grad, _z.origin is None, float(_z.data[0])]
answer(_found, about="with recording off")
### END HIDDEN TESTS

# %% [markdown]
# ### The second op is yours
#
# The derivative of $ab$ with respect to $a$ is $b$, and the derivative with respect to
# $b$ is $a$. So both arrays have to be there when module 09 differentiates. Save the
# two arrays as they came in, as the tuple `(a, b)`, and return the product. Two lines.

# %% nbgrader={"grade": false, "grade_id": "mul", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Mul(Op):
    """a * b."""
    def forward(self, a, b):
        ### BEGIN SOLUTION
        self.saved = (a, b)
        return a * b
        ### END SOLUTION

# %% [markdown]
# The result keeps its op, and the op keeps the two arrays. What does `saved` hold here:
# copies, or the very arrays?

# %%
y = apply(Mul(), a, b)
y, y.origin[0].saved[0] is a.data

# %% nbgrader={"grade": true, "grade_id": "mul_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Mul multiplies element by element and saves both arrays as they came, in order."""
op, a, b = Mul(), np.array([[2.0], [3.0]]), np.array([5.0, 7.0])
y = op.forward(a, b)

wanted = [[10, 14], [15, 21]]
assert y.tolist() == wanted, f"(2, 1) times (2,) must be {wanted}, not {y.tolist()}"
kind = type(op.saved).__name__
assert kind == "tuple", f"saved must be the tuple (a, b), not a {kind}"
assert len(op.saved) == 2, f"saved must hold two arrays, a and b, not {len(op.saved)}"
assert op.saved[0] is a, "saved[0] must be a itself, before it is broadcast"
assert op.saved[1] is b, "saved[1] must be b itself, before it is broadcast"
assert a.tolist() == [[2], [3]] and b.tolist() == [5, 7], "forward changed its inputs"

# %% nbgrader={"grade": true, "grade_id": "mul_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on other arrays that broadcast, and on the shapes that are saved."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_op = Mul()
_y = _op.forward(np.array([[1.5], [2.0]]), np.array([3.0, -4.0, 0.5]))
answer(_y, about="(2, 1) times (3,)")
answer([a.shape for a in _op.saved], about="the shapes of what is saved")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Arithmetic
#
# ### Which shape?
#
# A column plus a row is a table:

# %%
np.array([[10], [20], [30]]) + np.array([1, 2, 3, 4])

# %% [markdown]
# This is **broadcasting**. NumPy lines the shapes up at their *last* axis and treats
# missing axes in front as 1. An axis of size 1 is repeated until it has the size of the
# other, even if that is 0. In the picture the pale numbers are repeats. They are never
# stored. (You need not read the cell that draws it.)

# %%
import matplotlib.pyplot as plt

column, row = np.array([[10], [20], [30]]), np.array([[1, 2, 3, 4]])
fig, axes = plt.subplots(1, 3, figsize=(9, 2.2), layout="constrained")
for ax, a, title in zip(
    axes, [column, row, column + row],
    ["(3, 1), repeated along axis 1", "(4,), repeated along axis 0", "sum: (3, 4)"],
):
    for (i, j), number in np.ndenumerate(np.broadcast_to(a, (3, 4))):
        stored = i < a.shape[0] and j < a.shape[1]
        color = "#9ecae1" if stored else "#f4f4f4"
        ax.add_patch(plt.Rectangle((j, i), 1, 1, facecolor=color, edgecolor="white"))
        shade = "black" if stored else "#b0b0b0"
        ax.text(j + 0.5, i + 0.5, number, ha="center", va="center", color=shade)
    ax.set(title=title, xlim=(0, 4), ylim=(3, 0), xticks=[], yticks=[], aspect="equal")
    ax.set_frame_on(False)
for x, sign in [(0.335, "+"), (0.668, "=")]:
    fig.text(x, 0.4, sign, ha="center", fontsize=16)

# %% [markdown]
# If two sizes differ and neither is 1, the shapes do not fit.
#
# | a | b | a + b |
# | --- | --- | --- |
# | (3, 1) | (4,) | (3, 4) |
# | (8, 3, 5) | (3, 1) | (8, 3, 5) |
# | (2, 3) | (2,) | does not fit: 3 and 2 |
#
# Write the rule in about five lines. `zip_longest(a[::-1], b[::-1], fillvalue=1)` pairs
# the sizes from the end. If they do not fit, raise a `ValueError` whose text contains
# both shapes, such as `cannot broadcast (2, 3) with (2,)`.

# %% nbgrader={"grade": false, "grade_id": "broadcast_shapes", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def broadcast_shapes(a: tuple, b: tuple) -> tuple:
    """The shape of a + b, if the two fit."""
    ### BEGIN SOLUTION
    shape = []
    for m, n in zip_longest(a[::-1], b[::-1], fillvalue=1):
        if m != n and 1 not in (m, n):
            raise ValueError(f"cannot broadcast {a} with {b}: {m} and {n} do not fit")
        shape.append(n if m == 1 else m)
    return tuple(shape[::-1])
    ### END SOLUTION

# %% [markdown]
# A batch of 32 colour images (channel, height, width), and one number for each channel.
# Which shape must the three numbers have?

# %%
broadcast_shapes((32, 3, 8, 8), (3, 1, 1))

# %% tags=["raises-exception"]
broadcast_shapes((32, 3, 8, 8), (3,))

# %% nbgrader={"grade": true, "grade_id": "broadcast_shapes_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""The shapes are lined up at the end, 1 is repeated, and an error names both."""
fit = [((3, 1), (4,)), ((8, 3, 5), (3, 1)), ((), (2, 3)), ((0, 3), (1, 1)), ((5,), ())]
for s, t in fit:
    got, wanted = broadcast_shapes(s, t), np.broadcast_shapes(s, t)
    assert got == wanted, f"{s} with {t} must give {wanted}, not {got}"
    got = broadcast_shapes(t, s)
    assert got == wanted, f"the order must not matter: {t} with {s} gave {got}"
for s, t in [((2, 3), (2,)), ((2,), (4,)), ((0,), (2,))]:
    try:
        result = broadcast_shapes(s, t)
    except ValueError as error:
        named = str(s) in str(error) and str(t) in str(error)
        assert named, f"the error must name {s} and {t}, but it says: {error}"
    else:
        raise AssertionError(f"{s} with {t} must be a ValueError, not {result}")

# %% nbgrader={"grade": true, "grade_id": "broadcast_shapes_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on more shapes, also empty ones, and on which of them do not fit."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

for _a, _b in [((2, 1, 4, 1), (3, 1, 5)), ((1,), (0,)), ((7,), (6, 7)), ((), ())]:
    answer(broadcast_shapes(_a, _b), about=f"{_a} with {_b}")
_pairs = [((0,), (2,)), ((2, 3), (3, 2)), ((4, 1, 2), (3, 2, 2)), ((3, 4), (2, 1, 4))]
for _a, _b in _pairs:
    answer(raised(broadcast_shapes, _a, _b), about=f"does {_a} fit {_b}?")
### END HIDDEN TESTS

# %% [markdown]
# ### Which dtype?
#
# Between two floats or two integers NumPy's rule is a good one: the wider one wins.
# `np.promote_types(a, b)` knows it. But for float32 and int64 NumPy takes float64,
# because float32 cannot hold every large integer. PyTorch keeps float32, and so do we:
# if exactly one of the two is a float (its `kind` is `"f"`), the result has *its*
# dtype. Three lines.

# %% nbgrader={"grade": false, "grade_id": "promote_types", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def promote_types(a: np.dtype, b: np.dtype) -> np.dtype:
    """The dtype of a + b: NumPy's rule, but an integer does not widen a float."""
    ### BEGIN SOLUTION
    if (a.kind == "f") != (b.kind == "f"):
        return a if a.kind == "f" else b
    return np.promote_types(a, b)
    ### END SOLUTION

# %% [markdown]
# Your result stands first in each pair, NumPy's second. Where do they differ?

# %%
types = [(np.float32, np.int64), (np.bool_, np.float16), (np.uint8, np.int8)]
pairs = [(np.dtype(s), np.dtype(t)) for s, t in types]
[(promote_types(s, t).name, np.promote_types(s, t).name) for s, t in pairs]

# %% nbgrader={"grade": true, "grade_id": "promote_types_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""A float that meets an integer stays as it is; two of one kind follow NumPy."""
for s, t, wanted, why in [
    ("float32", "int64", "float32", "a float keeps its dtype when it meets an integer"),
    ("int64", "float16", "float16", "a float keeps its dtype, also on the right"),
    ("float32", "float64", "float64", "of two floats the wider one wins"),
    ("uint8", "int8", "int16", "only int16 holds all numbers of uint8 and int8"),
    ("bool", "int32", "int32", "neither is a float: NumPy's rule"),
]:
    got = promote_types(np.dtype(s), np.dtype(t))
    assert got == wanted, f"{s} with {t}: {why}, so {wanted}, not {got}"

# %% nbgrader={"grade": true, "grade_id": "promote_types_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on every pair of eight dtypes."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_names = "bool uint8 int8 int32 int64 float16 float32 float64"
_types = [np.dtype(t) for t in _names.split()]
for _t in _types:
    _found = [str(promote_types(_t, _u)) for _u in _types]
    answer(_found, about=f"{_t} with eight others")
### END HIDDEN TESTS

# %% [markdown]
# ### From ops to operators
#
# For `a + 2` Python calls `a.__add__(2)`. Between that method and your `apply` stand
# three helpers. You need not read this cell, only what they do:
#
# | helper | what it does |
# | --- | --- |
# | `_operand(x, like)` | makes `x` a tensor, if possible in the dtype of `like` |
# | `_operands(a, b)` | gives both as tensors of one dtype, by your `promote_types` |
# | `_in_tensor` | moves the methods of the class below it into `Tensor` |
#
# With `_in_tensor` we can write Tensor's methods where we explain them.

# %% [markdown]
# A number that an integer dtype cannot hold wraps around, as in PyTorch: for uint8, -1
# is 255, and 300 is 44. Only `/` takes it as it is (`wraps=False`), so that
# `image / 256` is not a division by 0.

# %% nbgrader={"grade": false, "grade_id": "operands", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _operand(x, like: Tensor, wraps: bool = True) -> Tensor:
    """x as a tensor. What is no tensor takes like's dtype, if that has its kind."""
    if isinstance(x, Tensor):
        return x
    kinds = "iuf" if isinstance(x, int) else "f"
    if x is None or like.data.dtype.kind not in kinds:
        return Tensor(x)
    try:
        return _wrap(np.asarray(x, like.data.dtype))
    except OverflowError:  # 300 and -1 are too much for uint8
        return Tensor(x).astype(like.data.dtype) if wraps else Tensor(x)

def _operands(a, b, wraps: bool = True) -> tuple[Tensor, Tensor]:
    """a and b, at least one of them a tensor, as two tensors of one dtype."""
    if isinstance(a, Tensor):
        b = _operand(b, a, wraps)
    else:
        a = _operand(a, b, wraps)
    if a.data.dtype is b.data.dtype:
        return a, b
    dtype = promote_types(a.dtype, b.dtype)
    if (a.ndim == 0) != (b.ndim == 0):  # a 0-d tensor adapts itself, as a number does
        other = b.dtype if a.ndim == 0 else a.dtype
        integers = {other.kind, dtype.kind} <= {"i", "u"}
        if wraps if integers else other.kind == dtype.kind:
            dtype = other
    return a.astype(dtype), b.astype(dtype)

def _in_tensor(body: type) -> None:
    """Decorator: move the methods of the class below into Tensor."""
    for name, value in vars(body).items():
        if callable(value) or isinstance(value, property):
            setattr(Tensor, name, value)

# %% [markdown]
# `Add` and `Mul` show the pattern of an op. The others differ in two things only: which
# NumPy function they call, and what they save. So they are lines of a table. You need
# not read `_op`, which makes the classes. The five functions in `_FLOATING` give floats
# also for integers. NumPy computes them in float64 for int64, and in float16 for uint8,
# where $e^{12}$ is already infinite. We compute them in float32, as PyTorch does.

# %% nbgrader={"grade": false, "grade_id": "op_maker", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
_FLOATING = (np.divide, np.log, np.exp, np.sqrt, np.tanh)  # never in integers
def _op(name: str, compute, saves: str = "") -> type[Op]:
    """A class for the op compute(*arrays, *parameters); `saves` says what it keeps."""
    floating, splits = compute in _FLOATING, isinstance(compute, np.ufunc)
    class Made(Op):
        def forward(self, *arrays):
            if floating and arrays[0].dtype.kind != "f":
                arrays = [a.astype(np.float32) for a in arrays]
            on_all_cores = splits and arrays[0].nbytes > LARGE
            run = partial(elementwise, compute) if on_all_cores else compute
            y = run(*arrays, *self.parameters)
            if saves == "shapes":
                self.saved = tuple([a.shape for a in arrays])
            elif saves == "result" or (saves == "winner" and arrays[1].ndim == 0):
                self.saved = (y, *arrays[1:])
            elif saves:
                self.saved = tuple(arrays)
            return y
    Made.__name__ = Made.__qualname__ = name
    return Made

# %% [markdown]
# Now the table. Look at each entry's last argument: which derivative needs it? The
# derivative of $e^a$ is $e^a$ itself, so `Exp` saves its result. The derivative of
# $\log a$ is $1/a$, so `Log` saves its input.
#
# The ops at the end change shapes and join tensors. Sections 3, 5 and 6 use them.
# (`TanhOp` is so named because module 03 gives the name `Tanh` to an activation.)

# %% nbgrader={"grade": false, "grade_id": "table", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _power(a, b):
    if a.dtype.kind in "iu" and (b < 0).any():  # 1/2 is 0 in integers
        return np.where(b >= 0, a ** np.maximum(b, 0), (abs(a) == 1) * a ** (b & 1))
    return a ** (b if b.ndim else b.item())  # NumPy squares if it sees the number 2
def _repeat(a, shape):  # what repeats nothing can be written to
    return a[...] if a.shape == shape else np.broadcast_to(a, shape)
def _pick(a, key):
    y = a[key]
    if isinstance(y, np.ndarray):
        return y
    return a[*key, ...] if isinstance(key, tuple) else a[key, ...]  # no number: a view

Sub, Neg = _op("Sub", np.subtract), _op("Neg", np.negative)
Div, Abs = _op("Div", np.divide, "inputs"), _op("Abs", np.abs, "inputs")
Log, Exp = _op("Log", np.log, "inputs"), _op("Exp", np.exp, "result")
Sqrt, TanhOp = _op("Sqrt", np.sqrt, "result"), _op("TanhOp", np.tanh, "result")
Maximum = _op("Maximum", np.maximum, "winner")
Minimum = _op("Minimum", np.minimum, "winner")
Clip = _op("Clip", lambda a, low, high: np.clip(a, low, high, dtype=a.dtype), "inputs")
Cast = _op("Cast", lambda a, dtype, before, order="K": a.astype(dtype, order))
Where = _op("Where", lambda a, b, condition: np.where(condition, a, b))
Max = _op("Max", lambda a, axis, keep: a.max(axis, keepdims=keep), "inputs")
Min = _op("Min", lambda a, axis, keep: a.min(axis, keepdims=keep), "inputs")
Permute, Reshape = _op("Permute", np.transpose), _op("Reshape", np.reshape, "shapes")
Expand = _op("Expand", _repeat, "shapes")
Pow, Index = _op("Pow", _power, "inputs"), _op("Index", _pick, "shapes")
Concat = _op("Concat", lambda *a: np.concatenate(a[:-1], a[-1]), "shapes")

# %%
op = Exp()
op.forward(np.array([0.0, 1.0], np.float32)), op.saved

# %% [markdown]
# And the operators. You need not read the two cells, which give Tensor its methods.
# `_infix(Add)` makes the method `__add__`: it calls `_operands`, then
# `apply(Add(), a, b)`. If that fails because the shapes do not fit, your
# `broadcast_shapes` raises the error. `_reflected(Add)` makes `__radd__`, with `a` and
# `b` exchanged. `_test` makes comparisons. They give bools, and no gradient passes
# through them.

# %% nbgrader={"grade": false, "grade_id": "arithmetic", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _dividends(a, b): return _operands(a, b, wraps=False)
def _exponents(a, b):
    if isinstance(b, int) and b < 0 and a.dtype.kind != "f":
        raise ValueError(f"{a.dtype} to the power {b} is no integer: use floats")
    return _operands(a, b)
def _infix(op):
    prepare = {Div: _dividends, Pow: _exponents}.get(op, _operands)
    def method(a, b):
        if type(a) is not type(b) or a.data.dtype is not b.data.dtype:
            a, b = prepare(a, b)
        try:
            return apply(_new(op), a, b)
        except ValueError:
            broadcast_shapes(a.shape, b.shape)  # raises an error that names both shapes
            raise
    return method
def _reflected(op):
    return lambda a, b: apply(op(), *_operands(b, a, wraps=op is not Div))
def _function(op): return lambda a: apply(op(), a)
def _test(f):
    def method(a, b):
        try:
            a, b = _operands(a, b)
        except (TypeError, ValueError):  # b holds no numbers: Python answers for us
            return NotImplemented
        return _wrap(f(a.data, b.data))
    return method

# %% [markdown]
# `==` compares elements, yet tensors are hashed by identity, so they can be keys of a
# dictionary. (`==` with what holds no numbers, such as `None`, is False.) `where`
# chooses element by element. It keeps a copy of the condition: a later write into the
# condition must not change the gradient. `astype` changes the dtype. Where PyTorch
# silently gives inf or nan, NumPy also warns.

# %% nbgrader={"grade": false, "grade_id": "operators", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_tensor
class _Arithmetic:
    __add__, __sub__, __mul__ = map(_infix, (Add, Sub, Mul))
    __truediv__, __pow__, maximum, minimum = map(_infix, (Div, Pow, Maximum, Minimum))
    __radd__, __rmul__, __rtruediv__, __rpow__ = map(_reflected, (Add, Mul, Div, Pow))
    __neg__, __abs__, abs = map(_function, (Neg, Abs, Abs))
    exp, log, sqrt, tanh = map(_function, (Exp, Log, Sqrt, TanhOp))
    __eq__, __lt__, __le__ = map(_test, (np.equal, np.less, np.less_equal))
    __ne__, __gt__, __ge__ = map(_test, (np.not_equal, np.greater, np.greater_equal))
    __and__, __or__, __xor__ = map(
        _test, (np.bitwise_and, np.bitwise_or, np.bitwise_xor))
    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__
    def __invert__(self): return _wrap(~self.data)
    def clip(self, min=None, max=None):
        bounds = [bound for bound in (min, max) if bound is not None]
        if not bounds:
            raise ValueError("clip needs min, max or both")
        if Tensor in map(type, bounds):
            y = self if min is None else self.maximum(min)
            return y if max is None else y.minimum(max)
        if self.dtype.kind != "f":  # an integer tensor cannot hold 0.5, nor a bool 2
            kinds = [_operand(bound, self).dtype for bound in bounds]
            self = self.astype(reduce(promote_types, kinds, self.dtype))
        return apply(Clip(min, max), self)
    def astype(self, dtype):
        if self.data.dtype == dtype:
            return self
        new = apply(Cast(dtype, self.dtype), self)
        return new if new.dtype.kind == self.dtype.kind else _wrap(new.data)
def where(condition, a, b) -> Tensor:
    """a where the condition holds, b elsewhere; all three broadcast."""
    a = a if isinstance(a, Tensor) or isinstance(b, Tensor) else Tensor(a)
    return apply(Where(np.array(condition, bool)), *_operands(a, b))

# %% [markdown]
# Here is all that happens for `a + 2`, one step per line. Steps 3 to 5 are your
# `apply`. Predict the shape and the dtype of `two`.

# %%
a = Tensor([1.0, 2.0], requires_grad=True)

two = _operand(2, like=a)  # 1. _operands: the number becomes a tensor
op = Add()  # 2. __add__: an op for this one use
array = op.forward(a.data, two.data)  # 3. apply: arrays in, an array out
y = _wrap(array)  # 4. apply: a tensor around it
y.requires_grad, y.origin, y.made = True, (op, (a, two)), Op.tick()  # 5. apply

# %%
two, two.shape, two.dtype

# %% [markdown]
# And the result, with its origin. It is what `a + 2` gives:

# %%
y, y.origin[1], a + 2

# %% [markdown]
# Predict the dtype of each, then look.

# %%
x = Tensor([1.0, 2.0, 3.0])
n = Tensor([1, 2, 3])
x * np.arange(3), x * n, n * 2, n / 2, x > 1.5

# %%
where(x > 1.5, x, 0)

# %%
x.clip(min=2), x.minimum(Tensor([3.0, 2.0, 1.0]))

# %% [markdown]
# The pixels of an image are often bytes, uint8. In which dtype comes each of these?

# %%
image = Tensor(np.array([0, 12, 255], np.uint8))
image / 256, image.exp(), image * 2

# %% [markdown]
# ### The other way round
#
# For `3 - x` Python first asks the number 3, which knows nothing of tensors. Then it
# calls `x.__rsub__(3)`, the *reflected* operator. The class above has one for every
# operator except this one. Give Tensor its `__rsub__`: `_operands` makes two tensors,
# then `apply` a `Sub()` to them. One or two lines. Which of the two comes first?

# %% nbgrader={"grade": false, "grade_id": "rsub", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_tensor
class _Subtraction:
    def __rsub__(self, other):
        """other - self, where other is not a tensor."""
        ### BEGIN SOLUTION
        return apply(Sub(), *_operands(other, self))
        ### END SOLUTION

# %% [markdown]
# Which class will the second result have? The array stands on the left, but the tensor
# does the work.

# %%
3 - x

# %%
np.array([10.0, 20.0, 30.0]) - x

# %% nbgrader={"grade": true, "grade_id": "rsub_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""number - tensor and array - tensor are tensors, in the right order, and remember."""
x = Tensor([1.0, 2.0], requires_grad=True)

try:
    y = 3 - x
except (AttributeError, RecursionError, TypeError) as error:
    raise AssertionError(
        f"give apply an op, Sub(), and the two tensors of _operands: {error}"
    ) from None
got = y.data.tolist()
assert got == [2, 1], f"3 - [1, 2] must be [2, 1], not {got}: which comes first?"
left = np.array([[10.0], [20.0]])
y = left - x
assert isinstance(y, Tensor), f"array - tensor must be a Tensor, not {type(y).__name__}"
assert y.shape == (2, 2), f"(2, 1) - (2,) must have shape (2, 2), not {y.shape}"
assert y.dtype == np.float32, f"x is float32, so the result is too, not {y.dtype}"
assert y.requires_grad, "the result does not remember x: use x, not x.data"
name = type(y.origin[0]).__name__
assert name == "Sub", f"apply a Sub() to the two tensors. The last op here is {name}"
half = (0.5 - Tensor([1.0], dtype=np.float16)).dtype
assert half == np.float16, f"0.5 takes the dtype float16 by _operands, not {half}"
assert left.tolist() == [[10], [20]], "the array on the left was changed"

# %% nbgrader={"grade": true, "grade_id": "rsub_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on integers, on what is remembered, and on an array on the left."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_y = 10 - Tensor([[1, 2], [3, 4]])
answer([str(_y.dtype), _y.data.tolist()], about="integers")
_x = Tensor([1.0, 2.0], requires_grad=True)
_y = 0.5 - _x
_found = [type(_y.origin[0]).__name__, _y.origin[1][1] is _x, _y.data.tolist()]
answer(_found, about="what it remembers")
_a = np.array([5.0, 7.0])
answer([_a - _x, _a], about="an array on the left, before and after")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Reductions
#
# A reduction removes axes: the sum of a (2, 3) table over axis 0 adds the rows and
# leaves shape (3,). With `keepdims=True` the axis stays, with size 1, so that the
# result still broadcasts against the input. Negative axes count from the end, and
# several axes go into a tuple. `_axes` turns all these spellings into one, a tuple of
# axes from 0 up, or raises an `IndexError`.
#
# NumPy says `axis` and `keepdims`, PyTorch says `dim` and `keepdim`. PyTorch accepts
# both, and so does `_either`.
#
# `x.max(1)` gives only the values. `mean` is no op: it is a sum and a division. Both
# remember, so the mean is remembered too.

# %% nbgrader={"grade": false, "grade_id": "reductions", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _axes(axis, ndim: int) -> tuple[int, ...]:
    """axis as a tuple of axes from 0 up: None is all, negative ones count back."""
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, int) and -ndim <= axis < ndim:  # one axis, the usual case
        return (axis % ndim,)
    return np.lib.array_utils.normalize_axis_tuple(axis, ndim or 1)[:ndim]
def _either(axis, keepdims, dim, keepdim):
    """axis and keepdims, under NumPy's names or PyTorch's. An empty tuple means all."""
    axis = axis if dim is None else dim
    return None if axis == () else axis, keepdims or keepdim
def _reduce(op, x, axis, keepdims, dim, keepdim):
    axes = _axes(axis if dim is None else dim, x.ndim) or _axes(None, x.ndim)
    return apply(op(axes, keepdims or keepdim), x)
def _no_gradient(compute):
    def method(self, axis=None, keepdims=False, dim=None, keepdim=False):
        axis, keepdims = _either(axis, keepdims, dim, keepdim)
        return _wrap(compute(self.data, axis, keepdims=keepdims))
    return method
@_in_tensor
class _Reductions:
    def sum(self, axis=None, keepdims=False, dim=None, keepdim=False):
        return _reduce(Sum, self, axis, keepdims, dim, keepdim)
    def max(self, axis=None, keepdims=False, dim=None, keepdim=False):
        return _reduce(Max, self, axis, keepdims, dim, keepdim)
    def min(self, axis=None, keepdims=False, dim=None, keepdim=False):
        return _reduce(Min, self, axis, keepdims, dim, keepdim)
    argmax, argmin, any, all = map(_no_gradient, (np.argmax, np.argmin, np.any, np.all))
    def mean(self, axis=None, keepdims=False, dim=None, keepdim=False):
        axis, keepdims = _either(axis, keepdims, dim, keepdim)
        n = prod(self.shape[i] for i in _axes(axis, self.ndim))
        return self.sum(axis, keepdims) / n

# %%
_axes(-1, 3), _axes((0, -1), 3), _axes(None, 3)

# %% [markdown]
# $$y_j = \sum_i a_{ij}$$
#
# `Sum` is yours. The derivative gives the same number to every element that was added,
# so it needs only the *shape* of `a`: save the tuple `(a.shape,)`. A sum of bools is a
# count, and a sum of uint8 soon exceeds 255. So whatever is not a float is summed in
# `np.int64` (`a.sum` takes `dtype=`). Floats keep their dtype. Three lines.

# %% nbgrader={"grade": false, "grade_id": "sum", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Sum(Op):
    """Sum(axis, keepdims): the sum of a over axis; keepdims keeps it, with size 1."""
    def forward(self, a):
        axis, keepdims = self.parameters
        ### BEGIN SOLUTION
        self.saved = (a.shape,)
        dtype = a.dtype if a.dtype.kind == "f" else np.int64
        return a.sum(axis=axis, keepdims=keepdims, dtype=dtype)
        ### END SOLUTION

# %% [markdown]
# The mean of bools is the share of those that are true. In which dtype?

# %%
Tensor([True, False, True, True]).mean()

# %% [markdown]
# Which shapes? Predict all three.

# %%
x = Tensor(np.arange(24.0).reshape(2, 3, 4))
x.sum(0).shape, x.mean((0, -1)).shape, x.max(1, keepdims=True).shape

# %% nbgrader={"grade": true, "grade_id": "sum_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Sum adds over the axes, keeps them on request, counts in int64, saves the shape."""
x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
op = Sum((0, 2), False)

got = op.forward(x)
wanted = [60, 92, 124]
assert got.tolist() == wanted, f"over axes 0 and 2: {wanted}, not {got.tolist()}"
kinds = [type(kept).__name__ for kept in op.saved]
assert kinds == ["tuple"], f"saved must be (a.shape,), a tuple in a tuple, not {kinds}"
assert op.saved == ((2, 3, 4),), f"saved must be ((2, 3, 4),), not {op.saved}"
kept = Sum((1,), True).forward(x)
assert kept.shape == (2, 1, 4), f"keepdims: (2, 3, 4) -> (2, 1, 4), not {kept.shape}"
assert x[1, 2, 3] == 23, "forward changed its input"
sums = {"float32": "float32", "float16": "float16", "uint8": "int64", "bool": "int64"}
for dtype, wanted in sums.items():
    got = Sum((0,), False).forward(np.ones(300, dtype)).dtype
    assert got == wanted, f"{dtype} must be summed in {wanted}, not {got}"
got = Sum((0,), False).forward(np.full(300, 200, np.uint8))
assert got == 60_000, f"300 times 200, in uint8, must be 60000, not {got}"

# %% nbgrader={"grade": true, "grade_id": "sum_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a 4-d array, on empty ones, and on five dtypes."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_a = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
_found = [Sum((1,), False).forward(_a), Sum((0, 3), True).forward(_a)]
answer(_found, about="a 4-d array")
_none = Sum((0,), False).forward(np.zeros((0, 3))).tolist()
answer([_none, float(Tensor([]).sum().data)], about="nothing to add")
_types = (bool, np.int8, np.int64, np.float16, np.float64)
_found = [str(Sum((0,), False).forward(np.ones(3, t)).dtype) for t in _types]
answer(_found, about="dtypes")
### END HIDDEN TESTS

# %% [markdown]
# ### Variance, from what there is
#
# $$\mathrm{var}(x) = \frac{1}{n - c} \sum_i (x_i - \bar x)^2$$
#
# Here $n$ is how many numbers go into one variance. The correction $c$ is 1 by default,
# as in PyTorch. (NumPy's default is 0.) In tensor operations `var` needs no op and,
# later, no derivative of its own.
#
# Take the mean off first, then square. The mean of the squares minus the square of the
# mean is the same on paper, but in float32 it loses the small spread of large numbers.
#
# Three to four lines, after the first, which is given. The mean must broadcast against
# $x$: keep its axes. Count $n$ as `mean` does. If $n < c$, divide by 0:
# `max(n - c, 0)`.

# %% nbgrader={"grade": false, "grade_id": "var", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_tensor
class _Variance:
    def var(self, axis=None, correction=1, keepdims=False, dim=None, keepdim=False):
        """The sum of squared distances from the mean, divided by n - correction."""
        axis, keepdims = _either(axis, keepdims, dim, keepdim)
        ### BEGIN SOLUTION
        n = prod(self.shape[i] for i in _axes(axis, self.ndim))
        d = self - self.mean(axis, keepdims=True)
        return (d * d).sum(axis, keepdims) / max(n - correction, 0)
        ### END SOLUTION

# %%
x = Tensor([[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]])
x.var(1), x.var(1, correction=0)

# %%
x.var(0, keepdims=True)

# %% nbgrader={"grade": true, "grade_id": "var_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""var agrees with NumPy over any axes, also for large numbers, and remembers."""
x = Tensor(np.random.default_rng(0).standard_normal((4, 5, 6)), requires_grad=True)

cases = [(None, 1, False), (0, 1, True), ((0, -1), 0, False), (1, 0, True)]
for axis, c, keep in cases:
    got, wanted = x.var(axis, c, keep), x.data.var(axis=axis, ddof=c, keepdims=keep)
    how = f"axis {axis}, correction {c}, keepdims {keep}"
    assert got.shape == wanted.shape, f"{how}: shape {wanted.shape}, not {got.shape}"
    first, right = got.data.flat[0], wanted.flat[0]
    close = np.allclose(got.data, wanted, rtol=1e-4)
    assert close, f"{how}: the first number is {right:.6g}, not {first:.6g}"
    assert got.dtype == np.float32, f"float32 in, float32 out, not {got.dtype}"
assert x.var().requires_grad, "the result does not remember x: use tensor operations"
got = float(Tensor([10_000.0, 10_001.0, 10_002.0]).var().data)
assert abs(got - 1) < 1e-4, (
    f"10000, 10001, 10002 have variance 1, not {got:.6g}. "
    "In float32 the square of 10001 is rounded: take the mean off before you square"
)
with np.errstate(invalid="ignore", divide="ignore"):
    one, two = Tensor([3.0]).var().data, Tensor([1.0, 3.0]).var(correction=3).data
assert np.isnan(one), f"one number, correction 1: 0/0 is nan, not {one:.6g}"
assert two == np.inf, f"n = 2, c = 3: 2 / max(n - c, 0) is inf, not {two:.6g}"

# %% nbgrader={"grade": true, "grade_id": "var_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on large numbers, on one number alone (0/0), and without arguments."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor(np.float32([[4096, 4097, 4098, 4099], [1, 1, 1, 1]]))
answer(_x.var(1), about="large numbers, small spread")
answer(_x.var((0, 1), keepdims=True), about="over a tuple, axes kept", rtol=1e-4)
_v = Tensor([3.0, 5.0, 10.0]).var(correction=0)
answer(float(_v.data), about="a vector, correction 0")
with np.errstate(invalid="ignore"):
    answer(float(Tensor([3.0]).var().data), about="one number, correction 1")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. The matrix product
#
# $$y_{ij} = \sum_k a_{ik}\, b_{kj}$$
#
# In shapes: (n, k) @ (k, m) gives (n, m). Axes in front of the last two make a stack of
# matrices, and they broadcast. If the two sizes called $k$ differ, raise a `ValueError`
# that names both shapes: `cannot multiply (2, 3) by (2, 4)`. It is the most frequent
# error in the whole field.
#
# Here both inputs have at least two axes. The operator `@`, given in section 5, turns
# vectors into matrices first. Check $k$, save `(a, b)`, multiply. `matmul(a, b)` of
# `tinytorch.threads` is `a @ b`, but takes all cores for a large product. Four lines.

# %% nbgrader={"grade": false, "grade_id": "matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class MatMul(Op):
    """a @ b: (..., n, k) @ (..., k, m) -> (..., n, m)."""
    def forward(self, a, b):
        ### BEGIN SOLUTION
        if a.shape[-1] != b.shape[-2]:
            raise ValueError(f"cannot multiply {a.shape} by {b.shape}")
        self.saved = (a, b)
        return matmul(a, b)
        ### END SOLUTION

# %% [markdown]
# Five matrices of shape (2, 3), and one of shape (3, 4) for all of them. Which shape?

# %%
apply(MatMul(), Tensor(np.ones((5, 2, 3))), Tensor(np.ones((3, 4)))).shape

# %% tags=["raises-exception"]
apply(MatMul(), Tensor(np.ones((2, 3))), Tensor(np.ones((2, 4))))

# %% nbgrader={"grade": true, "grade_id": "matmul_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""MatMul is the sum over k, also for stacks of matrices; an error names both shapes."""
for s, t in [((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)), ((2, 3), (5, 3, 4))]:
    try:
        got = MatMul().forward(np.ones(s), np.ones(t)).shape
    except ValueError as error:
        got = f"the error '{error}'"
    hint = "Look at the last two axes only, for k too"
    assert got == (5, 2, 4), f"{s} by {t} gives {got}, not (5, 2, 4). {hint}"

rng = np.random.default_rng(0)
a, b = rng.random((5, 2, 3), np.float32), rng.random((3, 4), np.float32)
before, op = (a.copy(), b.copy()), MatMul()
y, wanted = op.forward(a, b), np.einsum("nik,kj->nij", a, b)
got, right = y[0, 0, 0], wanted[0, 0, 0]
close = np.allclose(y, wanted)
assert close, f"y[0, 0, 0] is the sum over k: {right:.6g}, not {got:.6g}"
assert y.dtype == np.float32, f"float32 times float32 is float32, not {y.dtype}"
assert len(op.saved) == 2, "the derivative needs both matrices: save (a, b)"
assert op.saved[0] is a and op.saved[1] is b, "save (a, b), as they came and in order"
assert (a == before[0]).all() and (b == before[1]).all(), "forward changed its inputs"
for s, t in [((2, 3), (2, 4)), ((2, 3), (2, 3)), ((2, 1), (3, 2))]:
    try:
        MatMul().forward(np.ones(s), np.ones(t))
    except ValueError as error:
        named = str(s) in str(error) and str(t) in str(error)
        assert named, f"the error must name {s} and {t}, but it says: {error}"
    else:
        raise AssertionError(f"{s} by {t}: k does not agree, raise a ValueError")

# %% nbgrader={"grade": true, "grade_id": "matmul_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on stacks that broadcast, on inner size 0, and on which shapes fit."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_r = np.random.default_rng(1)
_a, _b = _r.standard_normal((4, 1, 2, 3)), _r.standard_normal((2, 3, 2))
answer(MatMul().forward(_a, _b), about="stacks")
answer(MatMul().forward(np.ones((2, 0)), np.ones((0, 3))), about="nothing to add up")
_pairs = [((2, 3), (2, 3)), ((3, 2), (2, 3)), ((2, 1), (3, 2)), ((3, 3, 2), (3, 2))]
_found = [raised(MatMul().forward, np.ones(s), np.ones(t)) for s, t in _pairs]
answer(_found, about="which fit")
### END HIDDEN TESTS

# %% [markdown]
# ## 5. One memory, many views
#
# Memory has no rows. An array is a piece of memory, a shape, and **strides**: how many
# bytes to move for one step along each axis. The element at $(i, j)$ is
# $i\,s_0 + j\,s_1$ bytes from the start. For 2 rows of 3 float32:

# %%
x = np.arange(6, dtype=np.float32).reshape(2, 3)
x.strides

# %% [markdown]
# So it is 12 bytes to the next row and 4 to the next column. For the transpose no byte
# has to move: exchange the sizes, exchange the strides. Which strides has the
# transpose, and which has a row repeated a thousand times?

# %%
x.T.strides

# %%
np.broadcast_to(x[0], (1000, 3)).strides

# %% [markdown]
# Such an array is a **view**: a new shape and new strides for the same memory. Here are
# three views of the same six numbers, with one step along each axis. (You need not read
# the cell that draws them.)

# %%
views = {"x": x, "x.T": x.T, "x[:, ::2]": x[:, ::2]}
fig, axes = plt.subplots(1, 3, figsize=(10, 2.2), layout="constrained")
for ax, (name, view) in zip(axes, views.items()):
    for k in range(6):
        color = "#9ecae1" if k in view else "#f4f4f4"
        ax.add_patch(plt.Rectangle((k, 0), 1, 1, facecolor=color, edgecolor="white"))
        ax.text(k + 0.5, 0.5, k, ha="center", va="center")
    for axis, edge, text_y in [(0, 1, 2.1), (1, 0, -1.1)]:  # axis 0 above, axis 1 below
        step = view.strides[axis]
        bend = -0.5 if axis == 0 else 0.5
        color, arc = f"C{axis + 1}", f"arc3,rad={bend}"
        arrow = {"arrowstyle": "->", "connectionstyle": arc, "color": color}
        ax.annotate("", (step / 4 + 0.5, edge), (0.5, edge), arrowprops=arrow)
        ax.text(0.1, text_y, f"axis {axis}: {step} bytes", va="center", color=color)
    ax.set(title=f"{name}: shape {view.shape}", xlim=(0, 6), ylim=(-1.4, 2.5))
    ax.axis("off")

# %% [markdown]
# `permute` and `expand` always give a view. `reshape` gives one if strides can describe
# the result, and otherwise a copy. `squeeze` drops axes of size 1. In `expand`, -1
# keeps the size of that axis. `@` calls your `MatMul`. All names are PyTorch's.

# %% nbgrader={"grade": false, "grade_id": "shapes", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _sizes(sizes: tuple) -> tuple:  # f(2, 3) and f((2, 3)) mean the same
    return tuple(sizes[0]) if sizes and isinstance(sizes[0], (tuple, list)) else sizes
@_in_tensor
class _Shapes:
    T = property(lambda self: self.permute(tuple(range(self.ndim))[::-1]))
    def reshape(self, *shape): return apply(Reshape(_sizes(shape)), self)
    def permute(self, *dims):
        axes = _axes(_sizes(dims), self.ndim)
        if len(axes) != self.ndim:
            raise ValueError(f"{self.shape} has {self.ndim} axes, not {len(axes)}")
        return apply(Permute(axes), self)
    def squeeze(self, dim=None):
        dims = [i for i in _axes(dim, self.ndim) if self.shape[i] == 1]
        return self.reshape([n for i, n in enumerate(self.shape) if i not in dims])
    def expand(self, *shape):
        new = _sizes(shape)  # counted from the end, -1 keeps the size of that axis
        old = (-1,) * (len(new) - self.ndim) + self.shape
        new = tuple([m if n == -1 else n for m, n in zip(old, new)])
        try:
            return apply(Expand(new), self)
        except ValueError:
            raise ValueError(f"cannot expand {self.shape} to {_sizes(shape)}") from None
    def __rmatmul__(self, other): return _operand(other, self) @ self
    def __matmul__(self, other):
        a, b = _operands(self, other)
        if a.data.ndim == 0 or b.data.ndim == 0:
            raise ValueError(f"cannot multiply {a.shape} by {b.shape}: use *")
        row, col = a.data.ndim == 1, b.data.ndim == 1  # a vector on the left, right?
        y = apply(MatMul(), a.unsqueeze(0) if row else a, b.unsqueeze(1) if col else b)
        y = y.squeeze(-2) if row else y
        return y.squeeze(-1) if col else y

# %% [markdown]
# Repeating costs nothing, and a shape that does not fit is an error.

# %%
row = Tensor([1.0, 2.0, 3.0])
row.expand(1000, 3).data.strides

# %% tags=["raises-exception"]
row.reshape(2, 2)

# %% [markdown]
# ### A new axis
#
# Take five rows, shape (5, 3), and subtract from each row its mean. The means have
# shape (5,), and 3 does not fit 5. As a column, (5, 1), they broadcast.
# `x.unsqueeze(dim)` puts an axis of size 1 at position `dim` *of the result*, which has
# one axis more than `x`. So `dim` runs from 0 to `ndim`, and -1 means the very end. Any
# other position raises the `IndexError` of `_axes`. The result is a view.
#
# Write it with `_axes` and `reshape`. (`_axes` gives a tuple, also for one axis.) Two
# lines.

# %% nbgrader={"grade": false, "grade_id": "unsqueeze", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_tensor
class _NewAxis:
    def unsqueeze(self, dim):
        """The same numbers with a new axis of size 1 at dim."""
        ### BEGIN SOLUTION
        (i,) = _axes(dim, self.ndim + 1)
        return self.reshape(*self.shape[:i], 1, *self.shape[i:])
        ### END SOLUTION

# %% [markdown]
# Where does the 1 stand?

# %%
x = Tensor(np.zeros((8, 9)))
x.unsqueeze(0).shape, x.unsqueeze(1).shape, x.unsqueeze(-1).shape, x.unsqueeze(-2).shape

# %% nbgrader={"grade": true, "grade_id": "unsqueeze_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""The new axis is at dim of the result, counted from either end: a view."""
x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
shapes = {0: (1, 2, 3), 2: (2, 3, 1), -1: (2, 3, 1), -2: (2, 1, 3), -3: (1, 2, 3)}

for dim, shape in shapes.items():
    got = x.unsqueeze(dim).shape
    assert got == shape, f"unsqueeze({dim}) of (2, 3) must give {shape}, not {got}"
y = x.unsqueeze(1)
assert np.shares_memory(y.data, x.data), "the result must be a view: use reshape"
assert y.requires_grad, "the result does not remember x: reshape x, not x.data"
for dim in (3, -4):
    try:
        got = x.unsqueeze(dim).shape
    except IndexError:
        pass
    else:
        raise AssertionError(f"unsqueeze({dim}) of (2, 3): an IndexError, not {got}")

# %% nbgrader={"grade": true, "grade_id": "unsqueeze_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a number, on an empty tensor, and on positions that do not exist."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_x, _n = Tensor(np.zeros((2, 0))), Tensor(5.0)
_found = [_n.unsqueeze(0).shape, _n.unsqueeze(-1).shape, _x.unsqueeze(1).shape]
answer(_found, about="shapes")
_found = [raised(Tensor(np.zeros((2, 3))).unsqueeze, dim) for dim in (3, -4, 2, -3)]
answer(_found, about="which positions exist")
### END HIDDEN TESTS

# %% [markdown]
# Now `@` takes vectors, too: it makes the right one a column and the left one a row,
# multiplies, and drops the new axis again.

# %%
row = Tensor([1.0, 2.0, 3.0])
table, stacked = Tensor(np.ones((3, 4))), Tensor(np.ones((5, 2, 3)))
row @ row

# %%
(row @ table).shape, (stacked @ row).shape

# %% [markdown]
# ### Exchange two axes
#
# `x.permute(2, 0, 1)` lists for each new axis which old one it is. Most often we only
# want to exchange two. Write `transpose`: a list of all axes, two entries swapped,
# `permute`. Three lines. Negative axes must work, and the result is a view. A single
# number, with `ndim` 0, counts as having one axis: begin with
# `list(range(self.ndim or 1))`.

# %% nbgrader={"grade": false, "grade_id": "transpose", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_tensor
class _Transposition:
    def transpose(self, dim0, dim1):
        """Axes dim0 and dim1 exchanged: a view."""
        ### BEGIN SOLUTION
        dims = list(range(self.ndim or 1))
        dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
        return self.permute(dims)
        ### END SOLUTION

# %% [markdown]
# Images arrive as (batch, height, width, channel); convolutions want (batch, channel,
# height, width). Is one transposition enough? And does it cost a copy?

# %%
x = Tensor(np.zeros((32, 8, 9, 3)))
y = x.transpose(-1, -2).transpose(1, 2)
x.transpose(1, 3).shape, y.shape, np.shares_memory(y.data, x.data)

# %% nbgrader={"grade": true, "grade_id": "transpose_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""transpose exchanges two axes, counted from either end, without a copy."""
x = Tensor(np.arange(24.0).reshape(2, 3, 4), requires_grad=True)
try:
    y = x.transpose(0, -1)
except (TypeError, ValueError) as error:
    raise AssertionError(
        f"give permute a list with each of the 3 axes once. -1 is axis 2: {error}"
    ) from None

assert y.shape == (4, 3, 2), f"axes 0 and -1 of (2, 3, 4): (4, 3, 2), not {y.shape}"
assert y.data[3, 1, 0] == x.data[0, 1, 3], "y[3, 1, 0] must be x[0, 1, 3]"
shape = x.transpose(1, 0).shape
assert shape == (3, 2, 4), f"axes 1 and 0 of (2, 3, 4): (3, 2, 4), not {shape}"
assert np.shares_memory(y.data, x.data), "a transpose is a view: no number moves"
same = (y.transpose(0, -1).data == x.data).all()
assert same, "exchanging the same axes twice must give x again"
assert y.requires_grad, "y does not remember x: permute the tensor, not its .data"
try:
    got = Tensor(5.0).transpose(0, -1).shape
except IndexError as error:
    got = f"an IndexError, {error}"
assert got == (), f"transpose(0, -1) of a number must have shape (), not {got}"

# %% nbgrader={"grade": true, "grade_id": "transpose_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on five axes, and on an axis exchanged with itself."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor(np.arange(120.0).reshape(2, 3, 4, 5, 1))
_pairs = [(0, 1), (-1, 0), (1, -2), (2, 2)]
answer([_x.transpose(i, j).shape for i, j in _pairs], about="shapes")
answer(_x.transpose(-2, 1).transpose(0, 2), about="numbers")
### END HIDDEN TESTS

# %% [markdown]
# ## 6. Picking and joining
#
# Integers and slices only change shape and strides, so they give views, also where a
# single number is left. Arrays of indices and masks can pick anything, so they give
# copies. `_plain` turns the tensors in a key into arrays: copies, so that the key that
# an op keeps cannot change any more.
#
# If a key mixes integers with arrays, as in `x[0, :, ids]`, PyTorch takes the integers
# first: `x[0][:, ids]`. NumPy would put the axes in another order. `_steps` splits such
# a key into the two steps.

# %% nbgrader={"grade": false, "grade_id": "keys", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _plain(key):
    """key for NumPy: tensors, arrays and lists in it become arrays of their own."""
    if type(key) is int or key is None or key is Ellipsis:
        return key
    if isinstance(key, slice):
        if Tensor in (type(key.start), type(key.stop), type(key.step)):
            return slice(_plain(key.start), _plain(key.stop), _plain(key.step))
        return key
    if isinstance(key, tuple):
        return tuple([_plain(part) for part in key])
    array = np.array(key.data if isinstance(key, Tensor) else key)
    if array.dtype.kind in "iu":
        return array.astype(np.int64, copy=False) if array.ndim else array.item()
    empty = isinstance(key, list) and not array.size  # a list of no indices
    return array.astype(np.int64) if empty else array

def _steps(key) -> tuple:
    """The keys to apply one after the other, so that integers come before arrays."""
    kinds = set(map(type, key)) if type(key) is tuple else ()
    if int not in kinds or np.ndarray not in kinds or len(kinds) == 2:
        return (key,)
    first = []
    for part in key:
        mask = isinstance(part, np.ndarray) and part.dtype == bool
        axes = part.ndim if mask else int(part is not None)
        alone = type(part) is int or part is Ellipsis
        first += [part] if alone else [slice(None)] * axes
    return tuple(first), tuple([part for part in key if type(part) is not int])

# %% [markdown]
# `x[key] = value` writes in place. No derivative exists for that, so it is an error if
# a gradient is required. Otherwise `_note_write` notes the time, not for the tensor but
# for the array that owns the memory: a view writes into the memory of its base.
#
# The other methods let values out of a tensor. A tensor with one number can be printed
# in a format, rounded, and used as an index. `backward` belongs to module 09.

# %% nbgrader={"grade": false, "grade_id": "indexing", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
_writes = SimpleNamespace(last=0, dates={})  # dates: id of an array -> its last write
def _owner(array: np.ndarray) -> np.ndarray:
    """The array that owns this one's memory: the last array in its chain of bases."""
    owner, base = array, array.base
    while base is not None:
        owner = base if isinstance(base, np.ndarray) else owner
        base = getattr(base, "base", None)
    return owner
def _note_write(tensor: Tensor) -> None:
    """Note that the tensor's memory was overwritten: now, on the clock."""
    owner = _owner(tensor.data)
    if id(owner) not in _writes.dates:
        finalize(owner, _writes.dates.pop, id(owner), None)  # forget it with the array
    _writes.dates[id(owner)] = _writes.last = Op.tick()
def _written(array: np.ndarray) -> int:
    """When the memory that the array lies in was last overwritten; 0 for never."""
    return _writes.dates.get(id(_owner(array)), 0)
@_in_tensor
class _Indexing:
    def __getitem__(self, key):
        key = _plain(key)
        for step in _steps(key) if type(key) is tuple else (key,):
            self = apply(Index(step), self)
        return self
    def __setitem__(self, key, value):
        required = self.requires_grad or getattr(value, "requires_grad", False)
        if required and grad_mode.enabled:
            raise RuntimeError("a write in place has no gradient: use where()")
        *first, last = _steps(_plain(key))
        place = self.data[first[0]] if first else self.data
        place[last] = np.asarray(_operand(value, self) if np.isscalar(value) else value)
        _note_write(self)
    def __len__(self): return len(self.data)
    def __iter__(self): return (self[i] for i in range(len(self)))
    def detach(self): return _wrap(self.data)
    def numpy(self): return self.data
    def backward(self, gradient=None, retain_graph=False):
        from tinytorch.core.autograd import backward
        backward(self, gradient, retain_graph)

# %% nbgrader={"grade": false, "grade_id": "one_number", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_tensor
class _OneNumber:
    def item(self): return self.data.item()
    def __bool__(self): return bool(self.item())
    def __float__(self): return float(self.item())
    def __int__(self): return int(self.item())
    def __round__(self, digits=None): return round(self.item(), digits)
    def __index__(self):
        if self.ndim or self.dtype.kind == "f":
            raise TypeError(f"only an integer of shape () is an index, not {self}")
        return int(self.item())
    def __format__(self, spec):
        return format(self.item() if self.ndim == 0 else repr(self), spec)

# %% [markdown]
# A mask, positions in any order, positions counted from the end: predict the three
# shapes.

# %%
x = Tensor([[1.0, -2.0, 3.0], [-4.0, 5.0, -6.0]])
x[x > 0], x[:, Tensor([2, 0])], x[-1, 1:]

# %% [markdown]
# A row of `x` is a view. Write into it, and look at `x`.

# %%
row = x[0]
row[1] = 100.0
x

# %% tags=["raises-exception"]
w = Tensor([1.0, 2.0], requires_grad=True)
w[0] = 5.0

# %% [markdown]
# ### Arithmetic in place
#
# Training ends in thousands of lines like `w -= 0.1 * w.grad`. What may `-=` do?
#
# - Nothing is recorded: it writes into `w`'s own memory and notes the write. The dtype
#   and the shape stay. An integer tensor cannot take a float.
# - `w` is a leaf (it has no origin), it requires a gradient, and recording is on: a
#   `RuntimeError`, because the recipe would lose `w`.
# - Something else is recorded: `a -= b` is `a = a - b`, a new tensor. PyTorch would
#   write into the memory and record that.
#
# A name that ends in `_` writes into its tensor or raises an error. `b.add_(c)` is the
# method for `+=`, and `zero_`, `fill_` and `copy_` are `b[...] = value`.

# %% nbgrader={"grade": false, "grade_id": "in_place", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _write(a: Tensor, compute, b) -> Tensor:
    """compute(a, b) in a's memory, in its shape and dtype."""
    x, y = _operands(a, b, wraps=compute is not np.divide)
    if broadcast_shapes(a.shape, y.shape) != a.shape:
        raise ValueError(f"in place the shape stays {a.shape}: {y.shape} does not fit")
    kind = "f" if compute is np.divide else x.dtype.kind.replace("u", "i")
    if "bif".index(kind) > "bif".index(a.dtype.kind.replace("u", "i")):
        raise TypeError(f"in place the dtype stays {a.dtype}: use astype() first")
    compute(x.data, y.data, out=a.data, casting="unsafe")
    _note_write(a)
    return a
def _in_place(compute, instead=None):
    """A method that writes compute(a, b) into a. To record, it calls `instead`."""
    def method(a, b, alpha=1):
        recorded = grad_mode.enabled and (
            a.requires_grad or getattr(b, "requires_grad", False))
        if recorded and instead and (a.origin or not a.requires_grad):
            return instead(a, b)
        if recorded:
            raise RuntimeError(
                "a write in place has no gradient: make a new tensor, or do not record")
        return _write(a, compute, b if alpha == 1 else alpha * b)
    return method
@_in_tensor
class _Writes:
    __iadd__ = _in_place(np.add, Tensor.__add__)
    __isub__ = _in_place(np.subtract, Tensor.__sub__)
    __imul__ = _in_place(np.multiply, Tensor.__mul__)
    __itruediv__ = _in_place(np.divide, Tensor.__truediv__)
    add_, sub_ = _in_place(np.add), _in_place(np.subtract)
    mul_, div_ = _in_place(np.multiply), _in_place(np.divide)
    def zero_(self): return self.copy_(0)
    def fill_(self, value): return self.copy_(value)
    def copy_(self, other):
        self[...] = other
        return self

# %% [markdown]
# Without a gradient `total` writes into its own memory, and `same` sees it. With one,
# `loss` becomes a new tensor. What does `first` hold at the end?

# %%
total = same = Tensor([1.0, 2.0])
total += 10
same

# %%
loss = first = w.sum()
loss += 10
loss, first

# %% tags=["raises-exception"]
w -= 0.1

# %% [markdown]
# `detach` gives the same array in a tensor that requires no gradient. `item` gives one
# number to Python.

# %%
w.detach()

# %%
w.sum().item()

# %% [markdown]
# `concat` takes a list of tensors and joins them along an axis that they have. `stack`
# joins tensors of one shape along an axis that they do *not* have: a list of 32 images
# becomes one batch.
#
# Write `stack`: give each tensor the new axis, then concatenate along it. One line,
# with two functions that you have. `dim` may be negative.

# %% nbgrader={"grade": false, "grade_id": "stack", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def concat(tensors, dim: int = 0) -> Tensor:
    """The tensors one after the other along dim; their other sizes agree."""
    if not tensors:
        raise ValueError("concat needs at least one tensor")
    dtype = reduce(promote_types, [x.dtype for x in tensors])
    (dim,) = _axes(dim, tensors[0].ndim or 1)
    return apply(Concat(dim), *[x.astype(dtype) for x in tensors])

def stack(tensors, dim: int = 0) -> Tensor:
    """Tensors of one shape, side by side along a new axis."""
    ### BEGIN SOLUTION
    return concat([x.unsqueeze(dim) for x in tensors], dim)
    ### END SOLUTION

# %%
image = Tensor(np.ones((8, 9)))
pair = [image, image]
concat(pair).shape, stack(pair).shape, stack(pair, -1).shape

# %% nbgrader={"grade": true, "grade_id": "stack_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""stack adds an axis at dim, counted from either end, with each tensor at its place."""
tensors = [Tensor(np.full((2, 3), float(i)), requires_grad=True) for i in range(4)]

for dim, shape in [(0, (4, 2, 3)), (1, (2, 4, 3)), (-1, (2, 3, 4)), (-3, (4, 2, 3))]:
    y = stack(tensors, dim)
    assert y.shape == shape, f"four of (2, 3) along {dim}: {shape}, not {y.shape}"
    last = np.take(y.data, 3, dim)
    assert (last == 3).all(), f"along {dim}, position 3 must hold the last tensor"
shape = stack([Tensor(1.0), Tensor(2.0)]).shape
assert shape == (2,), f"two numbers stack into a vector, (2,), not {shape}"
assert y.dtype == np.float32, f"float32 stacks into float32, not {y.dtype}"
assert y.requires_grad, "y does not remember: join the tensors, not their .data"
assert len(tensors) == 4 and tensors[3].shape == (2, 3), "stack changed the list"

# %% nbgrader={"grade": true, "grade_id": "stack_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on two dtypes, on memory, and on whether a gradient can pass."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_a, _b = Tensor([[1.0, 2.0]], requires_grad=True), Tensor([[3, 4]])
_y = stack([_a, _b], 1)
answer([str(_y.dtype), _y.data.tolist(), _y.requires_grad], about="float32 and int64")
_found = [bool(np.shares_memory(_y.data, _a.data)), stack([_b] * 3, -2).shape]
answer(_found, about="a copy, and its shape")
### END HIDDEN TESTS

# %% [markdown]
# What remains is to make tensors from nothing. `randn` and `rand` draw from one
# generator, which `manual_seed` restarts. You may also give them your own:
# `randn(3, generator=np.random.default_rng(0))`. They take the sizes one by one or as a
# tuple.

# %% nbgrader={"grade": false, "grade_id": "constructors", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
default_generator = np.random.default_rng()
def manual_seed(seed: int) -> None:
    default_generator.bit_generator.state = np.random.PCG64(seed).state
def zeros(*shape, **kw): return Tensor(np.zeros(_sizes(shape), np.float32), **kw)
def ones(*shape, **kw): return Tensor(np.ones(_sizes(shape), np.float32), **kw)
def full(shape, value, **kw): return Tensor(np.full(shape, value), **kw)
def arange(*start_end_step, **kw): return Tensor(np.arange(*start_end_step), **kw)
def rand(*shape, generator=default_generator, **kw):
    return Tensor(generator.random(_sizes(shape), np.float32), **kw)
def randn(*shape, generator=default_generator, **kw):
    return Tensor(generator.standard_normal(_sizes(shape), np.float32), **kw)

# %%
manual_seed(7)
zeros(2, 3), full((2,), 7), arange(4), randn(2, 2)

# %% [markdown]
# ## 7. The recipe
#
# Every tensor that requires a gradient remembers its inputs, and they remember theirs.
# Follow the origins back, and you see the whole expression. Your `topological_order`
# from module 00 does the walking. It needs the results, and a function that gives the
# parents of a node. The parents of a tensor are the inputs in its `origin`, which is
# the pair (op, inputs). If `origin` is `None`, it has no parents: `()`.
#
# Write `recipe`: one line. Module 09 will go through the same list from its end, one
# derivative at a step.

# %% nbgrader={"grade": false, "grade_id": "recipe", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def recipe(*results: Tensor) -> list[Tensor]:
    """The results and every tensor they were made from, inputs before outputs."""
    ### BEGIN SOLUTION
    return topological_order(results, lambda x: x.origin[1] if x.origin else ())
    ### END SOLUTION

# %%
w, b = Tensor([[2.0], [-1.0]], requires_grad=True), Tensor([0.5], requires_grad=True)
x = Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
loss = ((x @ w + b).tanh() ** 2).mean()
[(type(t.origin[0]).__name__ if t.origin else "Tensor", t.shape) for t in recipe(loss)]

# %% [markdown]
# Does a tensor know its whole past? Cut it off with `detach`, and count again.

# %%
len(recipe(loss))

# %%
len(recipe(loss.detach()))

# %% [markdown]
# The same list as a picture. Whatever requires a gradient is red. Where does the
# division come from, and which two nodes without colour are plain numbers?

# %%
from tinytorch.core.introduction import draw_dependencies


def inputs(t):
    return t.origin[1] if t.origin else ()


def label(t):
    return f"{type(t.origin[0]).__name__ if t.origin else 'Tensor'}\n{t.shape}"


draw_dependencies([loss], inputs, label, [t for t in recipe(loss) if t.requires_grad]);

# %% nbgrader={"grade": true, "grade_id": "recipe_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""recipe lists every tensor once, inputs before outputs, the result last."""
x, k = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0])
y = x * k
z = (y + y * x).sum()
try:
    order = recipe(z)
except (AttributeError, TypeError) as error:
    raise AssertionError(
        "topological_order takes the results, all of them, and a function. The parents "
        f"of t are t.origin[1], the inputs, or () if t.origin is None: {error}"
    ) from None

strangers = [type(t).__name__ for t in order if not isinstance(t, Tensor)]
assert not strangers, f"the parents are origin[1], only tensors, not {strangers}"
names = [type(t.origin[0]).__name__ if t.origin else "Tensor" for t in order]
wanted = ["Tensor", "Tensor", "Mul", "Mul", "Add", "Sum"]
assert names == wanted, f"x, k, two products, a sum, the total: {wanted}, not {names}"
assert order[-1] is z and order[2] is y, "the result comes last, and y is third"
position = {t: i for i, t in enumerate(order)}
pairs = [(a, t) for t in order if t.origin for a in t.origin[1]]
assert all(position[a] < position[t] for a, t in pairs), "inputs come before outputs"
n = len(recipe(k * k))
assert n == 1, f"k * k requires no gradient and has no past: 1 tensor, not {n}"
n = len(recipe(y, y * k))
assert n == 4, f"recipe(y, y * k) lists x, k, y and y * k: 4 tensors, not {n}"
assert z.item() == 30, f"recipe must only look, but z changed from 30 to {z.item():.6g}"

# %% nbgrader={"grade": true, "grade_id": "recipe_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on two results with a common past, and on a chain of 10,000 ops."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
_y = _x.exp()
_p, _q = _y.sum(), (_y * 2).max()
_names = [type(t.origin[0]).__name__ if t.origin else "leaf" for t in recipe(_p, _q)]
answer([_names, [t.shape for t in recipe(_p, _q)]], about="two results")
answer(len(recipe()), about="no result at all")
_t = Tensor(1.0, requires_grad=True)
for _ in range(10_000):
    _t = -_t
answer(len(recipe(_t)), about="ten thousand negations")
### END HIDDEN TESTS

# %% [markdown]
# ## 8. The rest is names
#
# What follows adds no op. It gives PyTorch's names to what you have, one to four lines
# each, so that code written for PyTorch runs here. You need not read it now. Since all
# of it is made of your ops, module 09 will differentiate it without a new rule.
#
# First the copies and conversions. There is one kind of memory, so `cpu()` and
# `to("cpu")` change nothing. `clone` copies and remembers, `detach` does neither. A
# deep copy of a tensor with a past would copy the past, so it is refused.

# %% nbgrader={"grade": false, "grade_id": "conversions", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_tensor
class _Conversions:
    is_leaf = property(lambda self: self.origin is None)
    device = property(lambda self: "cpu")
    def float(self): return self.astype(np.float32)
    def double(self): return self.astype(np.float64)
    def int(self): return self.astype(np.int32)
    def long(self): return self.astype(np.int64)
    def bool(self): return self.astype(np.bool_)
    def type_as(self, other): return self.astype(other.dtype)
    def to(self, wanted):
        """In this dtype, or in the dtype of this tensor. "cpu" changes nothing."""
        if isinstance(wanted, Tensor):
            return self.astype(wanted.dtype)
        return self if str(wanted) == "cpu" else self.astype(wanted)
    def cpu(self): return self
    def tolist(self): return self.data.tolist()
    def clone(self): return apply(Cast(self.dtype, self.dtype), self)
    def contiguous(self):
        """The same numbers with one row after the other in memory."""
        in_order = self.data.flags.c_contiguous
        return self if in_order else apply(Cast(self.dtype, self.dtype, "C"), self)
    def requires_grad_(self, requires_grad=True):
        if self.origin or (requires_grad and self.dtype.kind != "f"):
            raise RuntimeError("only a leaf that holds floats can change requires_grad")
        self.requires_grad = requires_grad
        return self
    def __deepcopy__(self, memo):
        if self.origin:
            raise RuntimeError("a deep copy would copy the recipe: use detach() first")
        new = memo[id(self)] = _new(type(self))
        new.data, new.requires_grad = self.data.copy(), self.requires_grad
        new.grad = None if self.grad is None else self.grad.__deepcopy__(memo)
        new.origin, new.made = None, self.made
        return new

# %%
from copy import deepcopy

w = Tensor([1.7, -2.2], requires_grad=True)
w.clone(), w.long(), deepcopy(w)

# %% tags=["raises-exception"]
deepcopy(w * 2)

# %% [markdown]
# Shapes. `split` cuts into pieces of a given size, `chunk` into a given number of
# pieces, `unbind` into single slices. `_at(i, key)` is the key that applies `key` to
# axis `i`. `repeat` inserts axes of size 1, expands them, and merges them.

# %% nbgrader={"grade": false, "grade_id": "pieces", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _at(i: int, key) -> tuple: return (slice(None),) * i + (key,)
@_in_tensor
class _Pieces:
    def numel(self): return self.size
    def dim(self): return self.ndim
    def t(self): return self.T
    def view(self, *shape): return self.reshape(*shape)
    def flatten(self, start_dim=0, end_dim=-1):
        shape = self.shape or (1,)
        (i,), (j,) = _axes(start_dim, len(shape)), _axes(end_dim, len(shape))
        return self.reshape(*shape[:i], prod(shape[i : j + 1]), *shape[j + 1 :])
    def split(self, split_size, dim=0):
        """Pieces of this size along dim, the last one smaller, or of these sizes."""
        (i,) = _axes(dim, self.ndim)
        n, sizes = self.shape[i], split_size
        if isinstance(sizes, int):
            sizes = [min(sizes, n - first) for first in range(0, n, sizes)] or [0]
        if sum(sizes) != n:
            raise ValueError(f"{sizes} must add up to {n}, the size of axis {i}")
        ends = accumulate(sizes)
        return tuple(self[_at(i, slice(end - k, end))] for k, end in zip(sizes, ends))
    def chunk(self, chunks, dim=0):
        return self.split(max(1, -(-self.shape[dim] // chunks)), dim)
    def unbind(self, dim=0):
        (i,) = _axes(dim, self.ndim)
        return tuple(self[_at(i, place)] for place in range(self.shape[i]))
    def repeat(self, *sizes):
        """The tensor sizes[i] times along each axis i, in memory of its own."""
        sizes = _sizes(sizes)
        shape = (1,) * (len(sizes) - self.ndim) + self.shape
        wide = [n for pair in zip(sizes, shape, strict=True) for n in pair]
        thin = [n if i % 2 else 1 for i, n in enumerate(wide)]
        return self.reshape(thin).expand(wide).reshape(
            [k * n for k, n in zip(sizes, shape)]).clone()

# %% [markdown]
# Three heads of four numbers lie side by side in rows of twelve. Which shapes come out?

# %%
rows = Tensor(np.arange(24.0).reshape(2, 12))
rows.view(2, 3, 4).flatten(1).shape, [piece.shape for piece in rows.chunk(3, dim=1)]

# %%
Tensor([[1, 2]]).repeat(2, 3)

# %% [markdown]
# Picking. `gather` takes one element for each entry of `index`, along one axis. `sort`
# and `topk` find an order in NumPy and pick by it, so a gradient passes to the values.

# %% nbgrader={"grade": false, "grade_id": "picking", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
_Sorted = namedtuple("_Sorted", "values indices")
@_in_tensor
class _Picking:
    def masked_fill(self, mask, value):
        if not isinstance(value, Tensor):
            value = _wrap(np.asarray(value, self.dtype))
        return where(mask, value, self)
    def tril(self, diagonal=0):
        n, m = self.shape[-2:]
        return self.masked_fill(~np.tri(n, m, diagonal, dtype=bool), 0)
    def triu(self, diagonal=0):
        n, m = self.shape[-2:]
        return self.masked_fill(np.tri(n, m, diagonal - 1, dtype=bool), 0)
    def gather(self, dim, index):
        """y[i, j] = self[i, index[i, j]] for dim 1: the shape of index."""
        if index.ndim != self.ndim:
            raise ValueError(f"gather: {self.shape} and {index.shape} differ in axes")
        if self.ndim == 0:
            return self.clone()
        places = list(np.indices(index.shape, sparse=True))
        places[dim] = index
        return self[tuple(places)]
    def flip(self, *dims):
        dims = _axes(_sizes(dims), self.ndim)
        steps = [-1 if i in dims else None for i in range(self.ndim)]
        return self[tuple([slice(None, None, step) for step in steps])].clone()
    def roll(self, shifts, dims=None):
        """Each element shifts places further along dims; what falls off comes back."""
        if dims is None:
            return self.reshape(-1).roll(shifts, 0).reshape(self.shape)
        for shift, i in zip(np.atleast_1d(shifts), _axes(dims, self.ndim), strict=True):
            n = self.shape[i]
            self = self[_at(i, (np.arange(n) - shift) % max(n, 1))]
        return self

# %% [markdown]
# One number from each row, as a loss picks the probability of the right class:

# %%
p = Tensor([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]])
p.gather(1, Tensor([[1], [2]])), Tensor([1, 2, 3, 4]).roll(1)

# %%
ones(3, 3).tril()

# %% nbgrader={"grade": false, "grade_id": "sorting", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_tensor
class _Sorting:
    def argsort(self, dim=-1, descending=False):
        """The order that sorts along dim; what is equal stays in its order."""
        a = np.atleast_1d(self.data)
        order = (np.flip(a, dim) if descending else a).argsort(dim, kind="stable")
        order = np.flip(a.shape[dim] - 1 - order, dim) if descending else order
        return _wrap(order.reshape(self.shape))
    def sort(self, dim=-1, descending=False):
        order = self.argsort(dim, descending)
        return _Sorted(self.gather(dim, order), order)
    def topk(self, k, dim=-1, largest=True):
        """The k largest along dim, or the smallest, and where they were."""
        (i,) = _axes(dim, self.ndim)
        if k > self.shape[i]:
            raise ValueError(f"topk({k}): axis {i} of {self.shape} is shorter")
        order = self.argsort(i, largest)[_at(i, slice(k))]
        return _Sorted(self.gather(i, order), order)

# %%
values, indices = Tensor([3.0, 1.0, 2.0]).sort(descending=True)
values, indices, Tensor([3.0, 1.0, 2.0]).topk(2).indices

# %% [markdown]
# More reductions. `cumsum` first adds to each element its neighbour, then the one two
# places back, then four, then eight: `log2(n)` additions of whole tensors instead of
# `n` small ones. `prod` multiplies the first half by the second, until one is left.
#
# The slope of a root at 0 is infinite. PyTorch takes 0 for it in `norm` and `std`, and
# so does `_root`: it takes the root of a 1 where there is a 0, and then puts 0 back.

# %% nbgrader={"grade": false, "grade_id": "more_reductions", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _root(total: Tensor, p) -> Tensor:
    zero = total == 0
    return where(zero, 0, where(zero, 1, total) ** (1 / p))
@_in_tensor
class _MoreReductions:
    def std(self, *names, **more): return _root(self.var(*names, **more), 2)
    def norm(self, p=2, dim=None, keepdim=False):
        """(sum of |x|**p) ** (1/p); the largest |x| for p = inf."""
        if p == np.inf:
            return self.abs().max(dim, keepdim)
        return _root((self.abs() ** p).sum(dim, keepdim), p)
    def prod(self, dim=None, keepdim=False):
        if dim is None or self.ndim == 0:
            return self.reshape(-1).prod(0) if self.ndim != 1 else self.prod(0)
        (i,) = _axes(dim, self.ndim)
        x = (self if self.dtype.kind == "f" else self.long()).transpose(0, i)
        while len(x) > 1:
            half = len(x) // 2
            x = concat([x[:half] * x[half : 2 * half], x[2 * half :]])
        x = x.transpose(0, i) if len(x) else x.transpose(0, i).sum(i, True) + 1
        return x if keepdim else x.squeeze(i)
    def cumsum(self, dim):
        x = (self if self.dtype.kind == "f" else self.long()).transpose(0, dim)
        step = 1
        while x.ndim and step < len(x):
            x = concat([x[:step], x[step:] + x[:-step]])
            step *= 2
        return x.transpose(0, dim)

# %%
x = Tensor([3.0, -4.0, 2.0])
x.norm(), x.prod(), x.cumsum(0)

# %% [markdown]
# Rounding, and methods for operators. `floor`, `ceil`, `round`, `sign` and `//` are
# flat almost everywhere: no gradient passes. `%` follows its first input.

# %% nbgrader={"grade": false, "grade_id": "rounding", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_tensor
class _Rounding:
    pow, matmul, clamp = Tensor.__pow__, Tensor.__matmul__, Tensor.clip
    __floordiv__ = _test(np.floor_divide)
    def __rfloordiv__(self, other): return _operand(other, self) // self
    def __mod__(self, other):
        """What self // other leaves over, with the sign of other."""
        if self.requires_grad or getattr(other, "requires_grad", False):
            return self - (self // other) * other
        return _test(np.remainder)(self, other)
    def __rmod__(self, other): return _operand(other, self) % self
    def floor(self): return _wrap(np.floor(self.data))
    def ceil(self): return _wrap(np.ceil(self.data))
    def round(self, decimals=0): return _wrap(np.round(self.data, decimals))
    def sign(self): return _wrap(np.sign(self.data))
    def isnan(self): return _wrap(np.isnan(self.data))
    def allclose(self, other, rtol=1e-5, atol=1e-8, equal_nan=False):
        return np.allclose(self.data, other.data, rtol, atol, equal_nan)

# %%
x = Tensor([-1.5, 0.5, 2.5])
x // 1, x % 1, x.round(), x.pow(2)

# %% [markdown]
# More tensors from nothing. `zeros_like(x)` has the shape and the dtype of `x`.

# %% nbgrader={"grade": false, "grade_id": "more_constructors", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
cat = concat  # PyTorch has both names
def empty(*shape, **kw): return Tensor(np.empty(_sizes(shape), np.float32), **kw)
def eye(n, m=None, **kw): return Tensor(np.eye(n, m, dtype=np.float32), **kw)
def linspace(start, end, steps, **kw):
    return Tensor(np.linspace(start, end, steps), **kw)
def randint(low=0, high=None, size=None, *, generator=default_generator, **kw):
    """Integers from low to high - 1, or from 0 to low - 1: randint(10, (2, 3))."""
    if size is None:
        low, high, size = 0, low, high
    return Tensor(generator.integers(low, high, size), **kw)
def randperm(n, generator=default_generator, **kw):
    return Tensor(generator.permutation(n), **kw)
def full_like(x, value, **kw): return full(x.shape, value, **{"dtype": x.dtype, **kw})
def _like(make): return lambda x, **kw: make(x.shape, **{"dtype": x.dtype, **kw})
zeros_like, ones_like, empty_like = map(_like, (zeros, ones, empty))
rand_like, randn_like = map(_like, (rand, randn))

# %%
linspace(0, 1, 5), randint(10, (4,)), ones_like(Tensor([1, 2]))

# %% [markdown]
# Last, `einsum`: sums of products, written as a formula. Each letter names an axis. A
# letter that does not stand after the arrow is summed. `"ij,jk->ik"` is the matrix
# product, `"ij->ji"` the transpose, `"ii->"` the trace. `...` stands for axes that
# broadcast.
#
# Two tensors at a time become one `@`: the letters that both have and that are kept
# make the stack of matrices, the letters that are summed become the inner axis.

# %% nbgrader={"grade": false, "grade_id": "contract", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _diagonal(x: Tensor, axes: str) -> tuple[Tensor, str]:
    """A letter that stands twice names a diagonal: keep it once, in front."""
    for c in sorted(set(axes)):
        while axes.count(c) > 1:
            i, j = axes.index(c), axes.rindex(c)
            rest = [k for k in range(len(axes)) if k not in (i, j)]
            x, n = x.permute([i, j, *rest]), np.arange(x.shape[i])
            x, axes = x[n, n], c + "".join(axes[k] for k in rest)
    return x, axes

def _in_order(x: Tensor, axes: str, order: str) -> Tensor:
    """x with its axes in this order. Axes that the order lacks are summed."""
    gone = tuple(i for i, c in enumerate(axes) if c not in order)
    x, axes = x.sum(gone) if gone else x, [c for c in axes if c in order]
    return x.permute([axes.index(c) for c in order])

def _contract(x: Tensor, a: str, y: Tensor, b: str, kept: str) -> tuple[Tensor, str]:
    """x times y, summed over the letters that both have and nobody needs later."""
    stack = "".join(c for c in a if c in b and c in kept)
    inner = "".join(c for c in a if c in b and c not in kept)
    rows = "".join(c for c in a if c not in b and c in kept)
    columns = "".join(c for c in b if c not in a and c in kept)
    x = _in_order(x, a, stack + rows + inner)
    y = _in_order(y, b, stack + inner + columns)
    n, r, k = len(stack), len(rows), len(inner)
    shape = x.shape[: n + r] + y.shape[n + k :]
    x = x.reshape(*x.shape[:n], prod(x.shape[n : n + r]), prod(x.shape[n + r :]))
    y = y.reshape(*y.shape[:n], prod(y.shape[n : n + k]), prod(y.shape[n + k :]))
    return (x @ y).reshape(shape), stack + rows + columns

# %% nbgrader={"grade": false, "grade_id": "einsum", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def einsum(equation: str, *tensors: Tensor) -> Tensor:
    """The sum of products that the equation names: einsum("bij,bjk->bik", x, y)."""
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms, dots, sizes = left.split(","), "", {}
    if len(terms) != len(tensors):
        raise ValueError(f"'{equation}' names {len(terms)} tensors, not {len(tensors)}")
    for i, (term, x) in enumerate(zip(terms, tensors)):
        free = "9876543210"[10 - (x.ndim - len(term.replace("...", ""))) :]
        terms[i] = term.replace("...", free)
        dots = max(dots, free if "..." in term else "", key=len)
        if len(terms[i]) != x.ndim:
            raise ValueError(f"'{term}' does not name the axes of {x.shape}")
        for c, n in zip(terms[i], x.shape):
            if sizes.setdefault(c, n) != n and 1 not in (sizes[c], n):
                raise ValueError(f"'{c}' of '{equation}' is both {sizes[c]} and {n}")
            sizes[c] = n if sizes[c] == 1 else sizes[c]
    letters = "".join(terms)
    once = [c for c in sorted(set(letters) - set(dots)) if letters.count(c) == 1]
    out = out.replace("...", dots) if arrow else dots + "".join(once)
    tensors = [x.expand([sizes[c] for c in t]) for x, t in zip(tensors, terms)]
    (y, axes), *others = map(_diagonal, tensors, terms)
    for i, (x, term) in enumerate(others):
        later = out + "".join(t for _, t in others[i + 1 :])
        y, axes = _contract(y, axes, x, term, later)
    return _in_order(y, axes, out)

# %% [markdown]
# Queries and keys of 4 heads, 10 and 12 tokens, 8 numbers each. Which shape has each?

# %%
q, k = randn(4, 10, 8), randn(4, 12, 8)
scores = einsum("hqd,hkd->hqk", q, k)
scores.shape, (scores - q @ k.transpose(1, 2)).abs().max()

# %% [markdown]
# ## Use: which digit is it?
#
# 1,797 handwritten digits, scanned at 8×8 pixels. From the first 1,000 we take the mean
# image of each class. A new digit gets the label of the nearest mean. No training, no
# loop over images: one subtraction that broadcasts.

# %%
from tinytorch.datasets import load_digits

images, labels = load_digits()
x, y = Tensor(images) / 16, Tensor(labels)
means = stack([x[:1000][y[:1000] == digit].mean(0) for digit in range(10)])
means.shape, means.dtype

# %%
fig, axes = plt.subplots(1, 10, figsize=(10, 1.3))
for digit, ax in enumerate(axes):
    ax.imshow(means[digit].numpy(), cmap="gray_r")
    ax.set(title=digit, xticks=[], yticks=[])

# %% [markdown]
# 797 digits of 64 numbers, each against 10 means. Which shape has the difference before
# it is squared? How many digits are recognised, do you think?

# %%
new, truth = x[1000:].reshape(-1, 1, 64), y[1000:]
distance = ((new - means.reshape(10, 64)) ** 2).sum(2)
nearest = (-distance).argmax(1)
accuracy = (nearest == truth).astype(np.float32).mean().item()
assert distance.shape == (797, 10) and accuracy > 0.85
accuracy

# %% [markdown]
# Which are mistaken for which? Rows are the truth, columns the answer. Remember this
# table: module 11 will beat it.

# %%
table = zeros(10, 10)
for t, n in zip(truth, nearest, strict=True):
    table[t, n] = table[t, n] + 1
plt.imshow(table.numpy() ** 0.5, cmap="Blues")
for i, j in np.argwhere(table.numpy() > 0):
    n = int(table[i, j].item())
    shade = "white" if n > 30 else "black"
    plt.text(j, i, n, ha="center", va="center", fontsize=8, color=shade)
ticks = range(10)
plt.gca().set(xlabel="nearest mean", ylabel="truth", xticks=ticks, yticks=ticks);

# %% [markdown]
# ## Systems: what it costs
#
# ### Views and copies
#
# A view allocates a shape, strides and a few small objects; a copy allocates all the
# numbers. `x` below has 1000 · 2000 · 4 bytes = 8 MB. Write down for each line: view or
# copy, and how many bytes?

# %%
from tinytorch.core.setup import compare, peak_memory, readable, time_call

x = randn(1000, 2000)
views = {
    "x[:, ::2]": lambda: x[:, ::2],
    "x.T": lambda: x.T,
    "x.reshape(-1)": lambda: x.reshape(-1),
    "x.T.reshape(-1)": lambda: x.T.reshape(-1),
    "x[arange(500)]": lambda: x[arange(500)],
    "x.expand(50, 1000, 2000)": lambda: x.expand(50, 1000, 2000),
    "x * 1": lambda: x * 1,
}
for name, f in views.items():
    kind = "view" if np.shares_memory(f().data, x.data) else "copy"
    size = readable(peak_memory(f), "B")
    print(f"{name:25} {kind}  strides {f().data.strides!s:15} {size:>10}")

# %% [markdown]
# `x.T.reshape(-1)` wants the columns one after the other. Which stride would go down a
# column and then jump to the top of the next? There is none, so it copies.
#
# ### Row order and column order
#
# The processor fetches memory in cache lines, usually of 64 bytes: 16 float32. Along a
# row all 16 are used. Down a column of a wide matrix a whole line is fetched for one
# number. Both loops below add the same 4 million numbers in 2,048 vectors of 2,048. By
# which factor would they differ if only fetched lines took time?

# %%
x = randn(2048, 2048).data
loops = {
    "rows": lambda x: [x[i].sum() for i in range(2048)],
    "columns": lambda x: [x[:, j].sum() for j in range(2048)],
}
compare(loops, x, rounds=7)

# %% [markdown]
# ### float32 and float64
#
# Half the bytes means twice as many numbers in a cache line, in a register, in memory.
# The price is precision: 24 bits of mantissa instead of 53. Predict the two ratios of
# time. The last column adds 0.1 ten million times, one after the other. The true sum is
# 1,000,000.

# %%
from operator import matmul, mul

for dtype in (np.float32, np.float64):
    x = randn(600, 600, dtype=dtype)
    v = randn(2_000_000, dtype=dtype)
    product, scaling = time_call(matmul, x, x, repeat=5), time_call(mul, v, 2, repeat=5)
    total = np.cumsum(np.full(10_000_000, 0.1, dtype))[-1]
    print(f"{np.dtype(dtype).name}  {readable(v.data.nbytes, 'B'):>7}", end="  ")
    print(f"x @ x {1e3 * product.min:6.2f} ms", end="  ")
    print(f"v * 2 {1e3 * scaling.min:6.2f} ms  sum {total:,.1f}")

# %% [markdown]
# `cumsum` adds one number at a time. Once the sum is large, each 0.1 is rounded to what
# still fits. `x.sum()` adds pairs, then pairs of pairs, so that the partial sums have
# about the same size. How much better is it?

# %%
full((10_000_000,), 0.1).sum().item()

# %% [markdown]
# ### What does remembering cost?
#
# `a + b` on tensors is NumPy's addition plus your `apply` and the methods around it: a
# fixed number of Python calls, whatever the size. So the *difference* should stay about
# the same down the table, and the ratio should come down towards 1. As in module 01,
# the ratio is the median of the ratios of the rounds.

# %%
functions = {"array": lambda a, b: a.data + b.data, "tensor": lambda a, b: a + b}
for n in (1, 1_000, 100_000, 4_000_000):
    a, b = Tensor(np.ones(n), requires_grad=True), Tensor(np.ones(n))
    result = compare(functions, a, b, rounds=9)
    array, tensor = (1e6 * result.times[name].median for name in functions)
    ratio = result.ratios["tensor"].median
    print(f"n = {n:>9,}  array {array:9.2f} µs", end="  ")
    print(f"tensor {tensor:9.2f} µs  ratio {ratio:5.2f}")

# %% [markdown]
# ## Reflect
#
# From your last table, or further rows of it: at which n does an addition of tensors
# cost 10 % more than NumPy's? Derive it from two numbers that you measured, the extra
# time of one op and the time per element. Check the prediction with one more row. At
# most five sentences, with the numbers.

# %% [markdown] nbgrader={"grade": true, "grade_id": "overhead_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The extra time is the difference of the columns where n is small: tensor - array, here
# 1.1 µs. The time per element is the slope between two larger rows, here (40 - 0.6) µs
# / 99,000 = 0.4 ns. Ten percent is reached where 0.1 · (0.3 µs + n · 0.4 ns) = 1.1 µs,
# so n is about 27,000. A row with n = 27,000 shows a ratio of 1.09, which fits. Above
# that n the array no longer fits into the cache, each element takes longer, and the
# ratio falls faster.
#
# Rubric: 2 points for the extra time as a difference, from small n, in µs; 2 for the
# time per element as a slope from larger n; 2 for solving for n; 1 for a further row
# that is compared with the prediction. Any numbers are right if they are the learner's
# own and follow from each other.

# %% [markdown]
# Predict, before you run anything: is each of these a view of `x = randn(4, 6)`, or a
# copy? For a view, give its shape and strides. For a copy, say in one sentence why no
# strides can do it. (a) `x.T.reshape(2, 3, 4)`, (b) `x[:, ::2].reshape(-1)`, (c)
# `x[:, ::4].reshape(-1)`, (d) `x[1:3].reshape(2, 2, 3)`. Then run them, and correct
# what was wrong.

# %% [markdown] nbgrader={"grade": true, "grade_id": "views_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# (a) A view: (2, 3, 4), strides (12, 4, 24). `x.T` has shape (6, 4) and strides (4,
# 24); splitting the axis of 6 is always possible. (b) A view: (12,), strides (8,).
# Within a row the step is 8 bytes, and from the last picked element of a row (byte 16)
# to the start of the next (byte 24) it is 8 as well. (c) A copy: the picked bytes are
# 0, 16, 24, 40. The steps are 16 and 8 in turn, and one axis has one stride. (d) A
# view: (2, 2, 3), strides (24, 12, 4), from byte 24 on.
#
# Rubric: 1 point for each right verdict after running; 2 for the three strides, or 1
# for two of them; 1 for saying what a wrong prediction had overlooked (mostly that in
# (b) the step from row to row equals the step within a row).

# %% [markdown]
# A model gives predictions `p` of shape (n, 1); the targets `t` have shape (n,).
# Somebody writes `((p - t) ** 2).mean()`. No error comes. What is computed instead of
# the mean squared error? How many bytes does the difference take for n = 10,000? Which
# value does the expression have for *perfect* predictions? Give one line of code that
# would have found the mistake. At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "broadcast_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# (n, 1) and (n,) broadcast to (n, n): every prediction minus every target. The mean
# over all pairs is computed. For n = 10,000 the difference alone has 10^8 · 4 B = 400
# MB. For perfect predictions the value is the mean squared difference of two targets
# drawn independently, which is twice their variance (correction 0) and not 0.
# `assert p.shape == t.shape` finds the mistake.
#
# Rubric: 2 points for all pairs, shape (n, n); 1 for 400 MB; 2 for twice the variance,
# or for an argument that it is above 0 unless all targets are equal; 1 for a check that
# would fail.

# %% [markdown]
# ## Here and in PyTorch
#
# | here | in PyTorch |
# | --- | --- |
# | `Tensor([1.0, 2.0])` | `torch.tensor([1.0, 2.0])` |
# | `x.data`, an array | `x.numpy()`; `x.data` is a tensor there |
# | `x.size` | `x.numel()`; `x.size()` is the shape there |
# | `x.origin` | `x.grad_fn` |
# | `Op`, `apply` | `torch.autograd.Function`, its `apply` |
# | `grad_mode.enabled` | `torch.is_grad_enabled()` |
# | `x.astype(np.float64)` | `x.to(torch.float64)` |
# | `x.sum(axis, keepdims)`, or `dim`, `keepdim` | the same, but the text says `dim` |
# | `x.max(1)`, `x.min(1)` | `x.amax(1)`, `x.amin(1)` |
# | `recipe(x)` | no such function |
#
# All other methods, and `cat`, `stack`, `where`, `einsum`, `zeros`, `randn`, `randint`,
# `manual_seed`, `broadcast_shapes` and `promote_types` have the same names in PyTorch.

# %% [markdown]
# Where the two differ:
#
# | here | in PyTorch |
# | --- | --- |
# | `log` of 0: -inf and a warning | -inf, no warning |
# | `a += b` while something is recorded: a new tensor | writes in place and records |
# | a uint8 tensor as a key: positions | a mask (outdated there) |
# | `x.floor()`, `round`, `sign`, `//`: no gradient | a gradient of 0 |
# | `x.view(...)` copies where it must | an error: use `reshape` |
# | `x.device` is always "cpu"; no `device=` | `device="cuda"` and others |
# | errors: `ValueError`, `TypeError` | mostly `RuntimeError` |
# | `x.exp()`, `x.sort()`: methods only | functions too, `torch.exp(x)` |
# | `x == [1, 2]` compares elements | False |

# %% [markdown]
# ## Summary
#
# There is now one `Tensor`, with PyTorch's names, shapes and dtypes, and one function
# `apply` through which every operation passes. It cannot differentiate yet: `backward`
# asks for `tinytorch.core.autograd`, which module 09 builds from the origins that
# `apply` keeps. Module 03 needs `Tensor` next. Now run `tito check 02`, then
# `tito complete 02`.
