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
#     hours: 5
#     goals:
#     - build one tensor class over NumPy arrays, with one function through which every operation passes
#     - say which shape and which dtype an expression will have before it runs
#     - remember how each result came about, so that module 09 can differentiate it
#     - tell a view from a copy, and predict what each costs
# ---

# %% [markdown]
# # Tensor
#
# > An array that computes like PyTorch's and remembers how it came about.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(2)

# %% [markdown]
# ## Why
#
# A network is a long expression. To improve it we need the derivative of that expression, so somebody has to
# know how its value came about. NumPy's arrays do not:

# %% tags=["raises-exception"]
import numpy as np

x = np.array([1, 2, 3], dtype=np.float32)
y = ((2 * x + 1) ** 2).sum()
y.origin

# %% [markdown]
# And they change the dtype without being asked. Predict it for a float32 array times an array of small integers:

# %%
(x * np.arange(3)).dtype

# %% [markdown]
# Twice the memory, twice the traffic, from one innocent factor. The class that you build here keeps float32 and
# remembers every step. All later modules compute with it.
#
# `default_exp` names the file that your solutions become: `tinytorch/core/tensor.py`.

# %%
#| default_exp core.tensor

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
from functools import reduce
from itertools import count, zip_longest
from math import prod
from operator import attrgetter, getitem
from types import SimpleNamespace

import numpy as np

from tinytorch.core.introduction import topological_order

# %% [markdown]
# ## 1. An array with a memory
#
# Two concepts carry the whole framework. An **op** is one operation on NumPy arrays. A **tensor** is an array
# that remembers its **origin**: the op that made it and the tensors which went in.
#
# `forward` computes. It also puts into `saved` whatever the op's derivative will need; what that is, we decide op
# by op. An op that needs numbers beside its arrays, such as an axis, gets them as `parameters`.

# %% nbgrader={"grade": false, "grade_id": "op", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Op:
    """One operation: arrays in, an array out."""
    recording = True  # module 09 switches it off where no gradient is wanted
    tick = count(1).__next__  # the clock: each call gives the next number
    saved = parameters = ()  # what its derivative will need; what it was told

    def __init__(self, *parameters): self.parameters = parameters
    def forward(self, *arrays: np.ndarray) -> np.ndarray: raise NotImplementedError

# %% [markdown]
# Now the tensor. Read these lines in full: everything else in this module only adds methods.
#
# - `__slots__` names the six attributes. Without a dictionary in each, a tensor is smaller and faster to make.
# - Floats become float32 on the way in; integers and bools stay what they are. `dtype=` overrules. (A dtype's
#   `kind` is `"f"` for floats, `"i"` or `"u"` for integers, `"b"` for bools.)
# - An array that fits already is *shared*: write into it, and the tensor changes.
# - `__array__` hands the array to NumPy and matplotlib, where they ask for one.
# - `size` is the number of elements, which PyTorch calls `numel()`.
# - `_wrap` makes a tensor from a result. It checks nothing, so it is quick.

# %% nbgrader={"grade": false, "grade_id": "tensor", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Tensor:
    """An array, how it came about, and, later, its gradient. Floats become float32 unless dtype says otherwise."""
    __slots__ = ("data", "grad", "made", "origin", "requires_grad", "written")
    __array_ufunc__ = None  # an array on the left of an operator leaves the work to the tensor on the right

    def __init__(self, data, requires_grad: bool = False, dtype=None):
        array = np.asarray(data.data if isinstance(data, Tensor) else data, dtype)
        if dtype is None and array.dtype.kind == "f" and not isinstance(data, Tensor):
            array = array.astype(np.float32, copy=False)
        if array.dtype.kind not in ("f" if requires_grad else "biuf"):
            raise TypeError(f"a tensor{' with a gradient' * requires_grad} cannot hold {array.dtype}")
        self.data, self.requires_grad, self.grad, self.origin = array, requires_grad, None, None
        self.made = self.written = 0  # dates: an op made it; somebody wrote into it

    def __array__(self, dtype=None, copy=None): return np.array(self.data, dtype, copy=copy)
    shape, ndim, size, dtype = (property(attrgetter(f"data.{name}")) for name in ("shape", "ndim", "size", "dtype"))

    def __repr__(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="Tensor(")
        text += f", shape={self.shape}" if self.size == 0 else ""
        text += "" if self.dtype in (np.float32, np.int64, bool) else f", dtype={self.dtype}"
        origin = f", origin={type(self.origin[0]).__name__}" if self.origin else ", requires_grad=True"
        return f"Tensor({text}{origin * self.requires_grad})"

_new = object.__new__  # an object of a class, without a call of its __init__
def _wrap(array) -> Tensor:
    """A tensor around what an operation gave: the dtype stays, nothing is checked."""
    tensor = _new(Tensor)
    tensor.data = array if type(array) is np.ndarray else np.asarray(array)
    tensor.requires_grad, tensor.grad, tensor.origin = False, None, None
    tensor.made = tensor.written = 0
    return tensor

# %% [markdown]
# Which of these three becomes float32, and which shows its dtype?

# %%
Tensor([1, 2, 3]), Tensor([[1, 2.5]]), Tensor([0.1], dtype=np.float64)

# %% [markdown]
# And what does the tensor hold after the array is written into?

# %%
array = np.zeros(3, dtype=np.float32)
tensor = Tensor(array)
array[0] = 5
tensor

# %% [markdown]
# ### What `apply` does
#
# Every operation of the framework passes through one function. `apply(op, a, b)`
#
# 1. runs `op.forward` on the inputs' *arrays* (`.data`) and wraps what comes out with `_wrap`;
# 2. if `Op.recording` is on and at least one input has `requires_grad`, sets on the result `requires_grad = True`,
#    `origin = (op, inputs)`, where `inputs` is the tuple of tensors, and its date, `made = Op.tick()`.
#
# Otherwise the result forgets, and what nobody will differentiate is freed at once. The date will tell module 09 which
# tensor came first, and whether somebody wrote into an input later, so that the recipe no longer holds.
#
# About six lines. (Python is slow at calls with a star, and most ops have two inputs: the reference unpacks two by hand.)

# %% nbgrader={"grade": false, "grade_id": "apply", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def apply(op: Op, *inputs: Tensor) -> Tensor:
    """Run op on the inputs' arrays; where one of them requires a gradient, the result remembers (op, inputs)."""
    ### BEGIN SOLUTION
    if len(inputs) == 2:  # most ops, and a call without a star is quicker
        a, b = inputs
        result, required = _wrap(op.forward(a.data, b.data)), a.requires_grad or b.requires_grad
    else:
        result, required = _wrap(op.forward(*[x.data for x in inputs])), any([x.requires_grad for x in inputs])
    if required and Op.recording:
        result.requires_grad, result.origin, result.made = True, (op, inputs), Op.tick()
    return result
    ### END SOLUTION

# %% [markdown]
# The first op, complete. Its derivative is 1 for both inputs, whatever they are, so it saves nothing.

# %% nbgrader={"grade": false, "grade_id": "add", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Add(Op):
    """a + b."""
    def forward(self, a, b):
        return a + b

# %% [markdown]
# `a` asks for a gradient, `b` does not. Which of the two sums remembers?

# %%
a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([10.0, 20.0])
apply(Add(), a, b), apply(Add(), b, b)

# %% nbgrader={"grade": true, "grade_id": "apply_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""apply computes on arrays; where a gradient is required, it remembers op and inputs, and its date."""
a, b, op = Tensor([1.0, 2.0], requires_grad=True), Tensor([10.0, 20.0]), Add()
before = Op.tick()
y = apply(op, b, a)

assert isinstance(y, Tensor), f"apply must return a Tensor, not {type(y).__name__}"
np.testing.assert_array_equal(y.data, [11, 22], err_msg="1 + 10 and 2 + 20")
assert y.requires_grad, "the second input requires a gradient, so the result must too"
assert y.origin == (op, (b, a)), f"origin must be (op, (b, a)), in the order given, not {y.origin}"
assert y.made == before + 1, f"made must be the next date, {before + 1}, from one call of Op.tick(), not {y.made}"
forgetful = apply(Add(), b, b)
assert forgetful.origin is None and not forgetful.requires_grad, "b requires no gradient: its sum must not remember"

# %% nbgrader={"grade": true, "grade_id": "apply_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on three inputs, on a result which is a lone number, and with recording switched off."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

class _Three(Op):
    def forward(self, *arrays):
        self.kinds = [type(a).__name__ for a in arrays]
        return arrays[0].sum() + arrays[1].sum() * arrays[2].sum()

_op, _in = _Three(), (Tensor([1.0]), Tensor([2.0, 3.0]), Tensor([4.0], requires_grad=True))
_before = Op.tick()
_y = apply(_op, *_in)
answer([_op.kinds, type(_y.data).__name__, float(_y.data), _y.requires_grad], about="three inputs, one number")
_same = [a is b for a, b in zip(_y.origin[1], _in, strict=True)]
answer([_y.origin[0] is _op, _same, _y.made - _before], about="what it remembers")
Op.recording = False
try:
    _z = apply(Add(), _in[2], _in[2])
finally:
    Op.recording = True
answer([_z.requires_grad, _z.origin is None, float(_z.data[0])], about="with recording off")
### END HIDDEN TESTS

# %% [markdown]
# ### The second op is yours
#
# The derivative of $ab$ with respect to $a$ is $b$, and the other way round. Both arrays must therefore still
# be there when module 09 comes to differentiate. Save the two of them, as the tuple `(a, b)`, and return the
# product. Two lines.

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
# An op keeps its arrays as long as its result is remembered. What does `saved` hold here: copies, or the very arrays?

# %%
y = apply(Mul(), a, b)
y, y.origin[0].saved[0] is a.data

# %% nbgrader={"grade": true, "grade_id": "mul_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Mul multiplies element by element, changes nothing, and saves both arrays in order."""
op = Mul()
y = op.forward(np.array([2.0, 3.0]), np.array([5.0, 7.0]))

np.testing.assert_array_equal(y, [10, 21], err_msg="2 * 5 and 3 * 7")
assert isinstance(op.saved, tuple) and len(op.saved) == 2, f"saved must be the tuple (a, b), not {op.saved!r}"
np.testing.assert_array_equal(op.saved[0], [2, 3], err_msg="saved[0] must be a")
np.testing.assert_array_equal(op.saved[1], [5, 7], err_msg="saved[1] must be b")

# %% nbgrader={"grade": true, "grade_id": "mul_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on arrays that broadcast: what is saved keeps the shape in which it came."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_op = Mul()
answer(_op.forward(np.array([[1.5], [2.0]]), np.array([3.0, -4.0, 0.5])), about="(2, 1) times (3,)")
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
# NumPy lines the shapes up at their *last* axis, treats missing axes in front as 1, and stretches 1 to whatever
# stands opposite, even to 0. Two sizes that differ, neither of them 1, do not fit.
#
# | a | b | a + b |
# | --- | --- | --- |
# | (3, 1) | (4,) | (3, 4) |
# | (8, 3, 5) | (3, 1) | (8, 3, 5) |
# | (2, 3) | (2,) | does not fit: 3 and 2 |
#
# Write the rule in about five lines. `zip_longest(a[::-1], b[::-1], fillvalue=1)` pairs the sizes from the end.
# The error is a `ValueError` whose text contains both shapes, as in `cannot broadcast (2, 3) with (2,)`.

# %% nbgrader={"grade": false, "grade_id": "broadcast_shapes", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def broadcast_shapes(a: tuple, b: tuple) -> tuple:
    """The shape of a + b; a ValueError that names both shapes where they do not fit."""
    ### BEGIN SOLUTION
    shape = []
    for m, n in zip_longest(a[::-1], b[::-1], fillvalue=1):
        if m != n and 1 not in (m, n):
            raise ValueError(f"cannot broadcast {a} with {b}: {m} and {n} differ, and neither is 1")
        shape.append(n if m == 1 else m)
    return tuple(shape[::-1])
    ### END SOLUTION

# %% [markdown]
# A batch of 32 colour images (channel, height, width), and one number for each channel. Which shape must the
# three numbers have?

# %%
broadcast_shapes((32, 3, 8, 8), (3, 1, 1))

# %% tags=["raises-exception"]
broadcast_shapes((32, 3, 8, 8), (3,))

# %% nbgrader={"grade": true, "grade_id": "broadcast_shapes_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""broadcast_shapes lines shapes up at the end, stretches 1, and names both shapes where they do not fit."""
for s, t in [((3, 1), (4,)), ((8, 3, 5), (3, 1)), ((), (2, 3)), ((0, 3), (1, 1)), ((5,), (1,))]:
    got, wanted = broadcast_shapes(s, t), np.broadcast_shapes(s, t)
    assert got == wanted, f"{s} with {t}: NumPy makes {wanted} of them, not {got}"
    assert broadcast_shapes(t, s) == wanted, f"the order must not matter: {t} with {s}"
try:
    result = broadcast_shapes((2, 3), (2,))
except ValueError as error:
    assert "(2, 3)" in str(error) and "(2,)" in str(error), f"the error must name (2, 3) and (2,), it says: {error}"
else:
    raise AssertionError(f"3 and 2 differ and neither is 1: this is a ValueError, not {result}")

# %% nbgrader={"grade": true, "grade_id": "broadcast_shapes_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on more shapes, empty ones among them, and on which of them raise an error."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

for _a, _b in [((2, 1, 4, 1), (3, 1, 5)), ((1,), (0,)), ((7,), (6, 7)), ((), ())]:
    answer(broadcast_shapes(_a, _b), about=f"{_a} with {_b}")
for _a, _b in [((0,), (2,)), ((2, 3), (3, 2)), ((4, 1, 2), (3, 2, 2)), ((3, 4), (2, 1, 4))]:
    answer(raised(broadcast_shapes, _a, _b), about=f"does {_a} fit {_b}?")
### END HIDDEN TESTS

# %% [markdown]
# ### Which dtype?
#
# Between two floats or two integers NumPy's rule is a good one: the wider wins, and `np.promote_types(a, b)`
# knows it. Between float32 and int64 NumPy goes to float64, lest a large integer lose digits. PyTorch
# holds that whoever brings float32 wants float32. So do we: if exactly one of the two is a float (its `kind` is
# `"f"`), the result has *its* dtype. Three lines.

# %% nbgrader={"grade": false, "grade_id": "promote_types", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def promote_types(a: np.dtype, b: np.dtype) -> np.dtype:
    """The dtype of a + b: NumPy's, but a float does not grow because it meets an integer."""
    ### BEGIN SOLUTION
    if (a.kind == "f") != (b.kind == "f"):
        return a if a.kind == "f" else b
    return np.promote_types(a, b)
    ### END SOLUTION

# %% [markdown]
# Beside your three lines, what does NumPy say?

# %%
pairs = [(np.float32, np.int64), (np.bool_, np.float16), (np.uint8, np.int8), (np.float32, np.float64)]
[(promote_types(np.dtype(s), np.dtype(t)).name, np.promote_types(s, t).name) for s, t in pairs]

# %% nbgrader={"grade": true, "grade_id": "promote_types_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""A float meets an integer and stays what it is, on either side; two of one kind follow NumPy."""
f16, f32, f64, i64, u8, i8 = map(np.dtype, (np.float16, np.float32, np.float64, np.int64, np.uint8, np.int8))

assert promote_types(f32, i64) == f32, f"float32 with int64 is float32, not {promote_types(f32, i64)}"
assert promote_types(i64, f16) == f16, f"int64 with float16 is float16, not {promote_types(i64, f16)}"
assert promote_types(f32, f64) == f64, f"of two floats the wider wins, not {promote_types(f32, f64)}"
assert promote_types(u8, i8) == np.int16, f"only int16 holds all of uint8 and int8, not {promote_types(u8, i8)}"

# %% nbgrader={"grade": true, "grade_id": "promote_types_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on every pair out of eight dtypes."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_types = [np.dtype(t) for t in (bool, np.uint8, np.int8, np.int32, np.int64, np.float16, np.float32, np.float64)]
for _t in _types:
    answer([str(promote_types(_t, _u)) for _u in _types], about=f"{_t} with eight others")
### END HIDDEN TESTS

# %% [markdown]
# ### From ops to operators
#
# Four helpers stand between `a + 2` and `apply(Add(), a, two)`. `_operand` turns the 2 into a tensor: a plain
# number is *weak* and takes the tensor's dtype, if that can hold its kind. `_operands` uses your rule for the
# rest. `_binary` calls your `broadcast_shapes` when something did not fit, for the message. `_in_tensor` lets
# us write Tensor's methods where we talk about them: it moves the methods of the class below it into `Tensor`.

# %% nbgrader={"grade": false, "grade_id": "operands", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _operand(x, like: Tensor) -> Tensor:
    """x as a tensor that can meet `like`, in like's dtype where that can hold it."""
    if isinstance(x, Tensor):
        return x
    fits = x is not None and like.data.dtype.kind in ("iuf" if isinstance(x, int) else "f")
    return _wrap(np.asarray(x, like.data.dtype)) if fits else Tensor(x)

def _operands(a, b) -> tuple[Tensor, Tensor]:
    """a and b, at least one of them a tensor, as two tensors of one dtype."""
    a, b = (a, _operand(b, a)) if isinstance(a, Tensor) else (_operand(a, b), b)
    if a.data.dtype is b.data.dtype:
        return a, b
    dtype = promote_types(a.dtype, b.dtype)
    if (a.ndim == 0) != (b.ndim == 0):  # like a number, a 0-d tensor gives way within its kind
        strong = b.dtype if a.ndim == 0 else a.dtype
        dtype = strong if strong.kind.replace("u", "i") == dtype.kind.replace("u", "i") else dtype
    return a.astype(dtype), b.astype(dtype)

def _binary(op: Op, a, b) -> Tensor:
    """op on a and b in one dtype; where their shapes do not fit, the error names both."""
    a, b = _operands(a, b)
    try:
        return apply(op, a, b)
    except ValueError as error:
        problem = error  # dealt with outside, so that the traceback shows one error, not two
    broadcast_shapes(a.shape, b.shape)
    raise problem

def _in_tensor(body: type) -> None:
    """Decorator: the methods of the class below are Tensor's, which so grows from section to section."""
    for name, value in vars(body).items():
        if callable(value) or isinstance(value, property):
            setattr(Tensor, name, value)

# %% [markdown]
# `Add` and `Mul` show the pattern. Most other ops differ from them in two things only: which NumPy function
# they are, and what they save. So they are entries of a table. Ask for each, at what stands last in it: which
# derivative wants that? The derivative of $e^a$ is $e^a$ itself, so `Exp` keeps its result; $\log a$
# needs $1/a$, so `Log` keeps its input. (`TanhOp`, because module 03 gives the name `Tanh` to an activation.)

# %% nbgrader={"grade": false, "grade_id": "table", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _op(name: str, function, saves: str = "") -> type[Op]:
    """The op function(*arrays, *parameters); saves names what it keeps: its inputs, their shapes, its result."""
    def forward(self, *arrays):
        try:
            y = function(*arrays, *self.parameters)
        except ValueError as error:
            raise ValueError(f"{name}{self.parameters} on {', '.join(str(a.shape) for a in arrays)}: {error}") from None
        if arrays[0].dtype.kind != "f" and y.dtype == np.float64:
            y = y.astype(np.float32)  # no float64 by accident
        if saves:
            self.saved = arrays if saves == "inputs" else (y,) if saves == "result" else tuple(a.shape for a in arrays)
        return y
    return type(name, (Op,), {"forward": forward, "__module__": __name__})

Sub, Neg = _op("Sub", np.subtract), _op("Neg", np.negative)
Div, Abs, Log = _op("Div", np.divide, "inputs"), _op("Abs", np.abs, "inputs"), _op("Log", np.log, "inputs")
Exp, Sqrt, TanhOp = _op("Exp", np.exp, "result"), _op("Sqrt", np.sqrt, "result"), _op("TanhOp", np.tanh, "result")
Maximum, Minimum = _op("Maximum", np.maximum, "inputs"), _op("Minimum", np.minimum, "inputs")
Pow = _op("Pow", lambda a, b: a ** (b if b.ndim else b.item()), "inputs")  # NumPy squares if it sees the number 2
Clip = _op("Clip", np.clip, "inputs")  # Clip(min, max)
Cast = _op("Cast", lambda a, dtype, before: a.astype(dtype))  # Cast(dtype, before)
Where = _op("Where", lambda a, b, condition: np.where(condition, a, b))  # Where(condition)

# %%
op = Exp()
op.forward(np.array([0.0, 1.0], np.float32)), op.saved

# %% [markdown]
# And the operators, another table. `a - b` makes Python call `a.__sub__(b)`; `_infix(Sub)` is that method.
# Comparisons give bools and never a gradient. Tensors are still hashed by identity, so that they can be keys of
# a dictionary although `==` compares elements. Where PyTorch silently gives inf or nan, NumPy also warns.

# %% nbgrader={"grade": false, "grade_id": "arithmetic", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _unary(op): return lambda a: apply(op(), a)
def _infix(op):
    def operator(a, b):
        if type(a) is type(b) and a.data.dtype is b.data.dtype:  # most calls
            try:
                return apply(_new(op), a, b)  # these ops have no parameters
            except ValueError:
                pass  # the shapes do not fit, and _binary says so
        return _binary(op(), a, b)
    return operator
def _reflected(op): return lambda a, b: _binary(op(), b, a)
def _comparison(test): return lambda a, b: _wrap(test(*(x.data for x in _operands(a, b))))

@_in_tensor
class _Elementwise:
    __add__, __sub__, __mul__, __truediv__, __pow__ = map(_infix, (Add, Sub, Mul, Div, Pow))
    __radd__, __rmul__, __rtruediv__, __rpow__ = map(_reflected, (Add, Mul, Div, Pow))
    __neg__, __abs__, abs, exp, log, sqrt, tanh = map(_unary, (Neg, Abs, Abs, Exp, Log, Sqrt, TanhOp))
    maximum, minimum = map(_infix, (Maximum, Minimum))
    __eq__, __lt__, __le__ = map(_comparison, (np.equal, np.less, np.less_equal))
    __ne__, __gt__, __ge__ = map(_comparison, (np.not_equal, np.greater, np.greater_equal))
    __and__, __or__ = map(_comparison, (np.bitwise_and, np.bitwise_or))
    def __invert__(self): return _wrap(~self.data)
    def clip(self, min=None, max=None): return apply(Clip(min, max), self)
    def where(self, condition, other): return where(condition, self, other)
    def astype(self, dtype):
        """The same numbers as dtype; the same tensor if it is that already. Integers carry no gradient on."""
        if self.data.dtype == dtype:
            return self
        return apply(Cast(dtype, self.dtype), self) if np.dtype(dtype).kind == self.dtype.kind else _wrap(self.data.astype(dtype))

def where(condition, a, b) -> Tensor:
    """a where the condition holds, b elsewhere; all three broadcast."""
    a = a if isinstance(a, Tensor) or isinstance(b, Tensor) else Tensor(a)
    return _binary(Where(np.asarray(condition, bool)), a, b)

# %% [markdown]
# Predict the dtype of each, then look.

# %%
x = Tensor([1.0, 2.0, 3.0])
x * np.arange(3), x * Tensor([1, 2, 3]), Tensor([1, 2, 3]) * 2, Tensor([1, 2, 3]) / 2, x > 1.5

# %%
where(x > 1.5, x, 0), x.clip(min=2), x.minimum(Tensor([3.0, 2.0, 1.0]))

# %% [markdown]
# ### The other way round
#
# For `3 - x` Python asks the number 3 first, which knows nothing of tensors. Then it asks `x.__rsub__(3)`: the
# *reflected* operator. In the table above one row is missing. Give Tensor its `__rsub__`, with `_binary` and
# `Sub`. One line; mind the order.

# %% nbgrader={"grade": false, "grade_id": "rsub", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_tensor
class _Subtraction:
    def __rsub__(self, other):
        """other - self, where other is not a tensor."""
        ### BEGIN SOLUTION
        return _binary(Sub(), other, self)
        ### END SOLUTION

# %% [markdown]
# Which class will the second result have? The array stands on the left, and arrays are eager to do the work
# themselves. (`__array_ufunc__ = None` in the class told them to leave it.)

# %%
3 - x, np.array([10.0, 20.0, 30.0]) - x

# %% nbgrader={"grade": true, "grade_id": "rsub_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""number - tensor and array - tensor are tensors, and not the negative of what they should be."""
x = Tensor([1.0, 2.0])

np.testing.assert_array_equal((3 - x).data, [2, 1], err_msg="3 - 1 and 3 - 2")
np.testing.assert_array_equal((3 - x).data, -(x - 3).data, err_msg="3 - x must be -(x - 3)")
y = np.array([[10.0], [20.0]]) - x
assert isinstance(y, Tensor) and y.shape == (2, 2), f"(2, 1) - (2,) is a Tensor of shape (2, 2), not {y!r}"
assert y.dtype == np.float32, f"the tensor is float32, so the difference is too, not {y.dtype}"

# %% nbgrader={"grade": true, "grade_id": "rsub_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on integers, on whether a gradient can pass, and on an array in front, which must not change."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_y = 10 - Tensor([[1, 2], [3, 4]])
answer([str(_y.dtype), _y.data.tolist()], about="integers")
_x = Tensor([1.0, 2.0], requires_grad=True)
_y = 0.5 - _x
answer([type(_y.origin[0]).__name__, _y.origin[1][1] is _x, _y.data.tolist()], about="what it remembers")
_a = np.array([5.0, 7.0])
answer([_a - _x, _a], about="an array in front, before and after")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Reductions
#
# A reduction removes axes: the sum of a (2, 3) table over axis 0 adds the rows and leaves shape (3,). With
# `keepdims=True` the axis stays, with size 1, so that the result still broadcasts against what it came from.
# Negative axes count from the end, and several go into a tuple. `_axes` turns all these spellings into one: a
# tuple of axes from 0 up.

# %% nbgrader={"grade": false, "grade_id": "axes", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _axes(axis, ndim: int) -> tuple[int, ...]:
    """The axes that are meant, counted from 0: None is all of them, negative ones count from the end."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    n = ndim or 1  # as in PyTorch, a 0-d tensor may be reduced over axis 0
    if axes and not -n <= min(axes) <= max(axes) < n:
        raise IndexError(f"axis {axis} in {ndim} dimensions")
    return tuple([i % n for i in axes])[:ndim]

# %%
_axes(-1, 3), _axes((0, -1), 3), _axes(None, 3)

# %% [markdown]
# $$y_j = \sum_i a_{ij}$$
#
# Its derivative spreads one number over all that were added, so it needs only the *shape* of `a`: save
# `(a.shape,)`. A sum of bools is a count, and a sum of uint8 soon exceeds 255: whatever is not a float is
# summed in `np.int64` (`a.sum` takes `dtype=`). Floats keep their dtype. Three lines.

# %% nbgrader={"grade": false, "grade_id": "sum", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Sum(Op):
    """Sum(axis, keepdims): the sum of a over the axes; with keepdims they stay, with size 1."""
    def forward(self, a):
        axis, keepdims = self.parameters
        ### BEGIN SOLUTION
        self.saved = (a.shape,)
        dtype = a.dtype if a.dtype.kind == "f" else np.int64
        return a.sum(axis=axis, keepdims=keepdims, dtype=dtype)
        ### END SOLUTION

# %% [markdown]
# `Max` and `Min` save their input, to see later who won; `x.max(1)` gives the values alone, like PyTorch's
# `amax`. `mean` is no op: it is a sum and a division, and as both remember, so does it.

# %% nbgrader={"grade": false, "grade_id": "reductions", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
Max = _op("Max", lambda a, axis, keepdims: a.max(axis, keepdims=keepdims), "inputs")  # Max(axis, keepdims)
Min = _op("Min", lambda a, axis, keepdims: a.min(axis, keepdims=keepdims), "inputs")  # Min(axis, keepdims)

@_in_tensor
class _Reductions:
    def sum(self, axis=None, keepdims=False): return apply(Sum(_axes(axis, self.ndim), keepdims), self)
    def max(self, axis=None, keepdims=False): return apply(Max(_axes(axis, self.ndim), keepdims), self)
    def min(self, axis=None, keepdims=False): return apply(Min(_axes(axis, self.ndim), keepdims), self)
    def argmax(self, axis=None, keepdims=False): return _wrap(np.argmax(self.data, axis, keepdims=keepdims))
    def mean(self, axis=None, keepdims=False):
        """The sum over the axes, divided by how many numbers went into each."""
        return self.sum(axis, keepdims) / prod(self.shape[i] for i in _axes(axis, self.ndim))

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
"""Sum adds over the axes, keeps them on request, counts in int64, and saves the shape of its input."""
x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
op = Sum((0, 2), False)

y = op.forward(x)
np.testing.assert_array_equal(y, np.einsum("ijk->j", x), err_msg="over axes 0 and 2 only axis 1 is left")
assert y.dtype == np.float32, f"the sum of float32 is float32, not {y.dtype}"
assert op.saved == ((2, 3, 4),), f"saved must be the tuple (a.shape,), here ((2, 3, 4),), not {op.saved}"
kept = Sum((1,), True).forward(x)
assert kept.shape == (2, 1, 4), f"with keepdims the axis stays: (2, 3, 4) -> (2, 1, 4), not {kept.shape}"
small = Sum((0,), False).forward(np.full(300, 200, np.uint8))
assert small == 60_000 and small.dtype == np.int64, f"300 times 200 is 60000 in int64, not {small} in {small.dtype}"

# %% nbgrader={"grade": true, "grade_id": "sum_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a 4-d array, on empty ones, and on five dtypes."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_a = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
answer([Sum((1,), False).forward(_a), Sum((0, 3), True).forward(_a)], about="a 4-d array")
answer([Sum((0,), False).forward(np.zeros((0, 3))).tolist(), float(Tensor([]).sum().data)], about="nothing to add")
_types = (bool, np.int8, np.int64, np.float16, np.float64)
answer([str(Sum((0,), False).forward(np.ones(3, t)).dtype) for t in _types], about="dtypes")
### END HIDDEN TESTS

# %% [markdown]
# ### Variance, from what there is
#
# $$\mathrm{var}(x) = \frac{1}{n - c} \sum_i (x_i - \bar x)^2$$
#
# Here $n$ numbers go into each variance, and the correction $c$ is 1 where nothing else is said, as in PyTorch.
# (NumPy's default is 0.) Written in tensor operations, it needs no op and, later, no derivative of its own.
#
# Three to four lines. $\bar x$ must broadcast against $x$. `prod` and `_axes` count $n$, as in `mean`. Where
# $n < c$, divide by 0: `max(n - c, 0)`.

# %% nbgrader={"grade": false, "grade_id": "var", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_tensor
class _Variance:
    def var(self, axis=None, correction=1, keepdims=False):
        """The sum of squared distances from the mean over the axes, divided by n - correction."""
        ### BEGIN SOLUTION
        n = prod(self.shape[i] for i in _axes(axis, self.ndim))
        d = self - self.mean(axis, keepdims=True)
        return (d * d).sum(axis, keepdims) / max(n - correction, 0)
        ### END SOLUTION

# %%
x = Tensor([[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]])
x.var(1), x.var(1, correction=0), x.var(0, keepdims=True)

# %% nbgrader={"grade": true, "grade_id": "var_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""var agrees with NumPy over any axes and for both corrections, and is remembered."""
x = Tensor(np.random.default_rng(0).standard_normal((4, 5, 6)), requires_grad=True)

for axis, correction, keepdims in [(None, 1, False), (0, 1, True), ((0, -1), 0, False), (1, 0, True)]:
    got, wanted = x.var(axis, correction, keepdims), x.data.var(axis=axis, ddof=correction, keepdims=keepdims)
    assert got.shape == wanted.shape, f"over {axis} with keepdims={keepdims}: {wanted.shape}, not {got.shape}"
    np.testing.assert_allclose(got.data, wanted, rtol=1e-4, err_msg=f"over {axis}, correction {correction}")
    assert got.dtype == np.float32, f"the variance of float32 is float32, not {got.dtype}"
assert x.var().requires_grad, "written in tensor operations, the variance of x is remembered"

# %% nbgrader={"grade": true, "grade_id": "var_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again where the numbers are large beside their spread, on one number alone (0/0), and on how its default behaves."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor(np.float32([[4096, 4097, 4098, 4099], [1, 1, 1, 1]]))
answer(_x.var(1), about="large numbers, small spread")
answer(_x.var((0, 1), keepdims=True), about="over a tuple, axes kept", rtol=1e-4)
answer(float(Tensor([3.0, 5.0, 10.0]).var(correction=0).data), about="a vector, correction 0")
with np.errstate(invalid="ignore"):
    answer(float(Tensor([3.0]).var().data), about="one number, correction 1")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. The matrix product
#
# $$y_{ij} = \sum_k a_{ik}\, b_{kj}$$
#
# In shapes: (n, k) @ (k, m) gives (n, m). Axes in front of the last two are a stack of matrices and broadcast.
# The sizes called $k$ must agree, and the day they do not is the most frequent bad day in this trade. So the
# error names both shapes: `cannot multiply (2, 3) by (2, 4)`.
#
# Both inputs have at least two axes here; the operator `@`, given in section 5, turns vectors into matrices
# first. Check $k$, save both, multiply. Four lines.

# %% nbgrader={"grade": false, "grade_id": "matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class MatMul(Op):
    """a @ b: (..., n, k) @ (..., k, m) -> (..., n, m)."""
    def forward(self, a, b):
        ### BEGIN SOLUTION
        if a.shape[-1] != b.shape[-2]:
            raise ValueError(f"cannot multiply {a.shape} by {b.shape}: {a.shape[-1]} and {b.shape[-2]} differ")
        self.saved = (a, b)
        return a @ b
        ### END SOLUTION

# %% [markdown]
# Five matrices of shape (2, 3), and one of shape (3, 4) for all of them. Which shape?

# %%
apply(MatMul(), Tensor(np.ones((5, 2, 3))), Tensor(np.ones((3, 4)))).shape

# %% tags=["raises-exception"]
apply(MatMul(), Tensor(np.ones((2, 3))), Tensor(np.ones((2, 4))))

# %% nbgrader={"grade": true, "grade_id": "matmul_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""MatMul is the sum over k, also for a stack of matrices; a misfit names both shapes."""
rng = np.random.default_rng(0)
a, b, op = rng.standard_normal((5, 2, 3)), rng.standard_normal((3, 4)), MatMul()

np.testing.assert_allclose(op.forward(a, b), np.einsum("nik,kj->nij", a, b), err_msg="the sum over k of a_ik b_kj")
assert op.saved[0] is a and op.saved[1] is b, "the derivative needs both matrices: save (a, b)"
try:
    MatMul().forward(np.ones((2, 3)), np.ones((2, 4)))
except ValueError as error:
    assert "(2, 3)" in str(error) and "(2, 4)" in str(error), f"the error must name both shapes, it says: {error}"
else:
    raise AssertionError("3 columns against 2 rows: this must be a ValueError")

# %% nbgrader={"grade": true, "grade_id": "matmul_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on stacks that broadcast, on an inner size of 0, and on shapes that fit only by accident."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_r = np.random.default_rng(1)
answer(MatMul().forward(_r.standard_normal((4, 1, 2, 3)), _r.standard_normal((2, 3, 2))), about="stacks")
answer(MatMul().forward(np.ones((2, 0)), np.ones((0, 3))), about="nothing to add up")
_pairs = [((2, 3), (2, 3)), ((3, 2), (2, 3)), ((2, 1), (3, 2)), ((3, 3, 2), (3, 2))]
answer([raised(MatMul().forward, np.ones(s), np.ones(t)) for s, t in _pairs], about="which fit")
### END HIDDEN TESTS

# %% [markdown]
# ## 5. One memory, many views
#
# Memory has no rows. An array is a stretch of bytes, a shape, and **strides**: how many bytes to walk for one
# step along each axis. The element at $(i, j)$ lies $i\,s_0 + j\,s_1$ bytes from the start. For 2 rows of 3
# float32:

# %%
x = np.arange(6, dtype=np.float32).reshape(2, 3)
x.strides

# %% [markdown]
# So 12 bytes to the next row and 4 to the next column. Whoever wants the transpose moves no byte: exchange the
# sizes, exchange the strides. Which strides has the transpose, and which a row repeated a thousand times?

# %%
x.T.strides, np.broadcast_to(x[0], (1000, 3)).strides

# %% [markdown]
# Such an array is a **view**: new shape and strides over old memory. `Permute` and `Expand` always give one.
# `Reshape` gives one if strides can describe the result, and a copy if they cannot. `squeeze` drops axes of
# size 1. All names are PyTorch's.

# %% nbgrader={"grade": false, "grade_id": "shape_ops", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
Reshape = _op("Reshape", np.reshape, "shapes")  # Reshape(shape)
Permute = _op("Permute", np.transpose)  # Permute(dims)
Expand = _op("Expand", np.broadcast_to, "shapes")  # Expand(shape)
Index = _op("Index", getitem, "shapes")  # Index(key)
Concat = _op("Concat", lambda *xs: np.concatenate(xs[:-1], xs[-1]), "shapes")  # Concat(dim)
def _sizes(shape): return tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape

@_in_tensor
class _Shapes:
    T = property(lambda self: self.permute(tuple(range(self.ndim))[::-1]))
    def reshape(self, *shape): return apply(Reshape(_sizes(shape)), self)
    def permute(self, *dims): return apply(Permute(_axes(_sizes(dims), self.ndim)), self)
    def squeeze(self, dim=None):
        """Without the axes of size 1, or without those of them that dim names."""
        return self.reshape([n for i, n in enumerate(self.shape) if n != 1 or i not in _axes(dim, self.ndim)])
    def expand(self, *shape):
        """Repeated, without a copy, along axes of size 1 and new ones in front; -1 keeps a size."""
        shape = _sizes(shape)
        old = (1,) * (len(shape) - self.ndim) + self.shape
        return apply(Expand(tuple(m if n == -1 else n for m, n in zip(old, shape, strict=True))), self)
    def __rmatmul__(self, other): return _operand(other, self) @ self
    def __matmul__(self, other):
        """Matrix product; a vector is a row on the left, a column on the right, and that axis is dropped again."""
        a, b = _operands(self, other)
        m, n = a.data.ndim, b.data.ndim
        if m == 0 or n == 0:
            raise ValueError(f"cannot multiply {a.shape} by {b.shape}: a number takes *")
        y = apply(MatMul(), a if m > 1 else a.unsqueeze(0), b if n > 1 else b.unsqueeze(1))
        return y if m > 1 and n > 1 else y.squeeze([-2] * (m == 1) + [-1] * (n == 1))

# %% [markdown]
# What is repeated costs nothing, and what does not fit says so.

# %%
row = Tensor([1.0, 2.0, 3.0])
row.expand(1000, 3).data.strides

# %% tags=["raises-exception"]
row.reshape(2, 2)

# %% [markdown]
# ### A new axis
#
# Five rows of shape (5, 3), and the mean of each row, (5,): to subtract it, 5 would meet 3. The means must become
# a column, (5, 1). `x.unsqueeze(dim)` puts an axis of size 1 at position `dim` *of the result*, which has one axis
# more than `x`. So `dim` runs from 0 to `ndim`, and -1 means the very end, behind the axis that is last now. An
# axis that is not there is the `IndexError` which `_axes` raises.
#
# Write it with `_axes` and `reshape`. Two lines.

# %% nbgrader={"grade": false, "grade_id": "unsqueeze", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_tensor
class _NewAxis:
    def unsqueeze(self, dim):
        """With a new axis of size 1 at dim."""
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
"""unsqueeze puts the new axis at dim of the result, from either end, as a view; too far is an IndexError."""
x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
shapes = {0: (1, 2, 3), 2: (2, 3, 1), -1: (2, 3, 1), -2: (2, 1, 3), -3: (1, 2, 3)}

for dim, shape in shapes.items():
    assert x.unsqueeze(dim).shape == shape, f"unsqueeze({dim}) of (2, 3): {shape}, not {x.unsqueeze(dim).shape}"
y = x.unsqueeze(1)
assert np.shares_memory(y.data, x.data) and y.requires_grad, "a new axis is a view, and the gradient passes through it"

# %% nbgrader={"grade": true, "grade_id": "unsqueeze_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a number, on an empty tensor, and on positions that do not exist."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_empty = Tensor(np.zeros((2, 0)))
answer([Tensor(5.0).unsqueeze(0).shape, Tensor(5.0).unsqueeze(-1).shape, _empty.unsqueeze(1).shape], about="shapes")
answer([raised(Tensor(np.zeros((2, 3))).unsqueeze, dim) for dim in (3, -4, 2, -3)], about="which positions exist")
### END HIDDEN TESTS

# %% [markdown]
# With it, `@` takes vectors: a row on the left, a column on the right, and the added axis is dropped again.

# %%
row = Tensor([1.0, 2.0, 3.0])
row @ row, (row @ Tensor(np.ones((3, 4)))).shape, (Tensor(np.ones((5, 2, 3))) @ row).shape

# %% [markdown]
# ### Exchange two axes
#
# `x.permute(2, 0, 1)` lists for each new axis which old one it is. Most often we just want two of them
# exchanged. Write `transpose`: a list of all axes, two entries swapped, `permute`. Three lines. Negative axes
# must work, and the result is a view.

# %% nbgrader={"grade": false, "grade_id": "transpose", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_tensor
class _Transposition:
    def transpose(self, dim0, dim1):
        """Axes dim0 and dim1 exchanged: a view."""
        ### BEGIN SOLUTION
        dims = list(range(self.ndim))
        dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
        return self.permute(dims)
        ### END SOLUTION

# %% [markdown]
# Images arrive as (batch, height, width, channel); convolutions want (batch, channel, height, width). Is one
# transposition enough? And does it cost a copy?

# %%
x = Tensor(np.zeros((32, 8, 9, 3)))
y = x.transpose(-1, -2).transpose(1, 2)
x.transpose(1, 3).shape, y.shape, np.shares_memory(y.data, x.data)

# %% nbgrader={"grade": true, "grade_id": "transpose_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""transpose exchanges two axes, counted from either end, without copying; twice is as it was; x is remembered."""
x = Tensor(np.arange(24.0).reshape(2, 3, 4), requires_grad=True)
y = x.transpose(0, -1)

assert y.shape == (4, 3, 2), f"axes 0 and -1 of (2, 3, 4) exchanged: (4, 3, 2), not {y.shape}"
assert y.data[3, 1, 0] == x.data[0, 1, 3], "y[k, j, i] must be x[i, j, k]"
assert np.shares_memory(y.data, x.data), "a transpose is a view: no number moves"
np.testing.assert_array_equal(y.transpose(0, -1).data, x.data, err_msg="twice must be as it was")
assert y.requires_grad, "the result does not remember x: permute the tensor, not its .data"

# %% nbgrader={"grade": true, "grade_id": "transpose_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on five axes, and on an axis exchanged with itself."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor(np.arange(120.0).reshape(2, 3, 4, 5, 1))
answer([_x.transpose(i, j).shape for i, j in [(0, 1), (-1, 0), (1, -2), (2, 2)]], about="shapes")
answer(_x.transpose(-2, 1).transpose(0, 2), about="numbers")
### END HIDDEN TESTS

# %% [markdown]
# ## 6. Picking and joining
#
# Integers and slices pick by arithmetic on strides, so they give views. Arrays of indices and masks pick
# anything at all, so they copy. Writing with `x[key] = value` is done in place. It cannot be differentiated, so
# it is refused where a gradient is required; and the tensor notes the date: `_note_write`.

# %% nbgrader={"grade": false, "grade_id": "indexing", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
_writes = SimpleNamespace(last=0)  # the date of the last write into any tensor

def _note_write(tensor: Tensor) -> None:
    """The tensor was written into: what was made from it before no longer holds."""
    tensor.written = _writes.last = Op.tick()

@_in_tensor
class _Indexing:
    def __getitem__(self, key): return apply(Index(key), self)
    def __len__(self): return len(self.data)
    def __iter__(self): return (self[i] for i in range(len(self)))
    def item(self): return self.data.item()
    def numpy(self): return self.data
    def detach(self): return _wrap(self.data)
    def __bool__(self): return bool(self.item())
    def __float__(self): return float(self.item())
    def __setitem__(self, key, value):
        """Write in place: every view of this memory sees it."""
        if Op.recording and (self.requires_grad or getattr(value, "requires_grad", False)):
            raise RuntimeError("a write in place has no gradient: use where(), or write into .data")
        self.data[key] = value.data if isinstance(value, Tensor) else value
        _note_write(self)
    def backward(self, gradient=None):
        """Fill in `.grad` of every tensor that this one came from and that requires it."""
        from tinytorch.core.autograd import backward
        backward(self, gradient)

# %% [markdown]
# Masks, positions in any order, positions counted from the end: predict the three shapes.

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
# `detach` is the way out: the same array, in a tensor that asks for no gradient. `item` gives one number to Python.

# %%
w.detach(), w.sum().item()

# %% [markdown]
# `concat` puts tensors one after the other along an axis they have.

# %% nbgrader={"grade": false, "grade_id": "concat", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def concat(tensors, dim: int = 0) -> Tensor:
    """The tensors one after the other along dim; their other sizes must agree."""
    dtype = reduce(promote_types, [x.dtype for x in tensors])
    return apply(Concat(*_axes(dim, tensors[0].ndim or 1)), *[x.astype(dtype) for x in tensors])

# %% [markdown]
# `stack` puts tensors of one shape side by side along an axis they do *not* have: a list of 32 images becomes
# one batch. Give each the new axis, then concatenate along it. One line, with two functions which you have.
# `dim` may be negative.

# %% nbgrader={"grade": false, "grade_id": "stack", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def stack(tensors, dim: int = 0) -> Tensor:
    """Tensors of one shape, side by side along a new axis."""
    ### BEGIN SOLUTION
    return concat([x.unsqueeze(dim) for x in tensors], dim)
    ### END SOLUTION

# %%
image = Tensor(np.ones((8, 9)))
concat([image, image]).shape, stack([image, image]).shape, stack([image, image], -1).shape

# %% nbgrader={"grade": true, "grade_id": "stack_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""stack adds an axis at dim, counted from either end, and each tensor is found again at its place."""
tensors = [Tensor(np.full((2, 3), float(i)), requires_grad=True) for i in range(4)]

for dim, shape in [(0, (4, 2, 3)), (1, (2, 4, 3)), (-1, (2, 3, 4)), (-3, (4, 2, 3))]:
    y = stack(tensors, dim)
    assert y.shape == shape, f"four of shape (2, 3) along {dim}: {shape}, not {y.shape}"
    np.testing.assert_array_equal(np.take(y.data, 3, dim), tensors[3].data, err_msg=f"the last lies at 3 along {dim}")
assert stack([Tensor(1.0), Tensor(2.0)]).shape == (2,), "numbers stack into a vector"
assert y.dtype == np.float32, f"float32 stacks into float32, not {y.dtype}"
assert y.requires_grad, "the result does not remember the tensors: join them, not their .data"

# %% nbgrader={"grade": true, "grade_id": "stack_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on mixed dtypes, on memory, and on whether a gradient can pass."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_a, _b = Tensor([[1.0, 2.0]], requires_grad=True), Tensor([[3, 4]])
_y = stack([_a, _b], 1)
answer([str(_y.dtype), _y.data.tolist(), _y.requires_grad], about="float32 beside int64")
answer([bool(np.shares_memory(_y.data, _a.data)), stack([_b] * 3, -2).shape], about="a copy, and its shape")
### END HIDDEN TESTS

# %% [markdown]
# What remains is to make tensors from nothing. `randn` and `rand` draw from one generator, which `manual_seed`
# restarts; or give them one of your own: `randn(3, generator=np.random.default_rng(0))`. Like PyTorch's, they
# take the sizes one by one or as a tuple.

# %% nbgrader={"grade": false, "grade_id": "constructors", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
default_generator = np.random.default_rng()
def manual_seed(seed: int) -> None:
    """Restart the generator that rand and randn draw from unless they are given another."""
    default_generator.bit_generator.state = np.random.default_rng(seed).bit_generator.state

def zeros(*shape, **options): return Tensor(np.zeros(_sizes(shape), np.float32), **options)
def ones(*shape, **options): return Tensor(np.ones(_sizes(shape), np.float32), **options)
def full(shape, value, **options): return Tensor(np.full(shape, value), **options)
def arange(*start_end_step, **options): return Tensor(np.arange(*start_end_step), **options)

def rand(*shape, generator=default_generator, **options):
    return Tensor(generator.random(_sizes(shape), np.float32), **options)
def randn(*shape, generator=default_generator, **options):
    return Tensor(generator.standard_normal(_sizes(shape), np.float32), **options)

# %%
manual_seed(7)
zeros(2, 3), full((2,), 7), arange(4), randn(2, 2)

# %% [markdown]
# ## 7. The recipe
#
# Every tensor that requires a gradient remembers its inputs, and they remember theirs. Follow the origins back,
# and the whole expression lies open. Your `topological_order` from module 00 does the walking: it needs the
# roots and a function which gives the parents of a node. The parents of a tensor are the inputs in its
# `origin`, and it has none if `origin` is `None`.
#
# Write `recipe`: one line. Module 09 will walk the same list from its end, a derivative at each step.

# %% nbgrader={"grade": false, "grade_id": "recipe", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def recipe(*results: Tensor) -> list[Tensor]:
    """Every tensor that the results were made from, and they themselves, inputs before outputs."""
    ### BEGIN SOLUTION
    return topological_order(results, lambda x: x.origin[1] if x.origin else ())
    ### END SOLUTION

# %%
w, b = Tensor([[2.0], [-1.0]], requires_grad=True), Tensor([0.5], requires_grad=True)
x = Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
loss = ((x @ w + b).tanh() ** 2).mean()
[(type(t.origin[0]).__name__ if t.origin else "Tensor", t.shape) for t in recipe(loss)]

# %% [markdown]
# Does a tensor know all its past? Cut it off with `detach`, and count again.

# %%
len(recipe(loss)), len(recipe(loss.detach()))

# %% [markdown]
# The same list as a picture. What requires a gradient is red. Where does the division come from, and which two
# uncoloured nodes are numbers in disguise?

# %%
from tinytorch.core.introduction import draw_dependencies


def inputs(t):
    return t.origin[1] if t.origin else ()


def label(t):
    return f"{type(t.origin[0]).__name__ if t.origin else 'Tensor'}\n{t.shape}"


draw_dependencies([loss], inputs, label, [t for t in recipe(loss) if t.requires_grad]);

# %% nbgrader={"grade": true, "grade_id": "recipe_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""recipe lists every tensor once, inputs before outputs, the result last; constants appear, their own past does not."""
x, k = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0])
y = x * k
z = (y + y * x).sum()
names = [type(t.origin[0]).__name__ if t.origin else "Tensor" for t in recipe(z)]

assert names == ["Tensor", "Tensor", "Mul", "Mul", "Add", "Sum"], f"x, k, two products, a sum, the total: not {names}"
assert recipe(z)[-1] is z and recipe(z)[2] is y, "the result stands last, and y where it was computed"
position = {t: i for i, t in enumerate(recipe(z))}
assert all(position[a] < position[t] for t in position if t.origin for a in t.origin[1]), "inputs before outputs"
assert len(recipe(k * k)) == 1, "nobody asked for the gradient of k * k: no past"

# %% nbgrader={"grade": true, "grade_id": "recipe_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on two results with a shared past, and on a chain of ten thousand ops."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
_y = _x.exp()
_p, _q = _y.sum(), (_y * 2).max()
answer([(type(t.origin[0]).__name__ if t.origin else "leaf", t.shape) for t in recipe(_p, _q)], about="two results")
answer(len(recipe()), about="no result at all")
_t = Tensor(1.0, requires_grad=True)
for _ in range(10_000):
    _t = -_t
answer(len(recipe(_t)), about="ten thousand negations")
### END HIDDEN TESTS

# %% [markdown]
# ## Use: which digit is it?
#
# 1,797 handwritten digits, scanned at 8×8 pixels. From the first 1,000 we take the mean image of each class; a
# new digit gets the label of the mean that lies nearest. No training, no loop over images: one subtraction that
# broadcasts.

# %%
import matplotlib.pyplot as plt

from tinytorch.datasets import load_digits

images, labels = load_digits()
x, y = Tensor(images) / 16, Tensor(labels)
means = stack([x[:1000][y[:1000] == digit].mean(0) for digit in range(10)])
means.shape, means.dtype

# %%
figure, axes = plt.subplots(1, 10, figsize=(10, 1.3))
for digit, ax in enumerate(axes):
    ax.imshow(means[digit].numpy(), cmap="gray_r")
    ax.set(title=digit, xticks=[], yticks=[])

# %% [markdown]
# 797 digits of 64 numbers, each against 10 means. Which shape has the difference before it is squared? How many
# are recognised, do you think?

# %%
new, truth = x[1000:].reshape(-1, 1, 64), y[1000:]
distance = ((new - means.reshape(10, 64)) ** 2).sum(2)
nearest = (-distance).argmax(1)
accuracy = (nearest == truth).astype(np.float32).mean().item()
assert distance.shape == (797, 10) and accuracy > 0.85
accuracy

# %% [markdown]
# Which are mistaken for which? Rows are the truth, columns the answer. Remember this table: module 11 will beat it.

# %%
table = zeros(10, 10)
for t, n in zip(truth, nearest, strict=True):
    table[t, n] = table[t, n] + 1
plt.imshow(table.numpy() ** 0.5, cmap="Blues")
for i, j in np.argwhere(table.numpy() > 0):
    n = int(table[i, j].item())
    plt.text(j, i, n, ha="center", va="center", fontsize=8, color="white" if n > 30 else "black")
plt.gca().set(xlabel="nearest mean", ylabel="truth", xticks=range(10), yticks=range(10));

# %% [markdown]
# ## Systems: what it costs
#
# ### Views and copies
#
# A view allocates about a thousand bytes for shape, strides and objects; a copy allocates the numbers. `x` below has 1000 ·
# 2000 · 4 = 8 MB. Write down for each line: view or copy, and how many bytes?

# %%
from tinytorch.core.setup import compare, peak_memory, readable, time_call

x = randn(1000, 2000)
views = {"x[:, ::2]": lambda: x[:, ::2], "x.T": lambda: x.T, "x.reshape(-1)": lambda: x.reshape(-1),
         "x.T.reshape(-1)": lambda: x.T.reshape(-1), "x[arange(500)]": lambda: x[arange(500)],
         "x.expand(50, 1000, 2000)": lambda: x.expand(50, 1000, 2000), "x * 1": lambda: x * 1}
for name, f in views.items():
    kind = "view" if np.shares_memory(f().data, x.data) else "copy"
    print(f"{name:25} {kind}  strides {f().data.strides!s:15} {readable(peak_memory(f), 'B'):>10}")

# %% [markdown]
# `x.T.reshape(-1)` wants the columns one after the other. Which stride would walk down a column and then jump
# to the top of the next? None, so it copies.
#
# ### Row order and column order
#
# The processor fetches memory in lines of 64 bytes, 16 float32. Along a row all 16 are used. Down a column of a
# wide matrix each line is fetched for one number. Both loops below add the same 4 million numbers in 2,048
# vectors of 2,048. By which factor would they differ if nothing but fetched lines took time?

# %%
x = randn(2048, 2048).data
compare({"rows": lambda x: [x[i].sum() for i in range(2048)],
         "columns": lambda x: [x[:, j].sum() for j in range(2048)]}, x, rounds=7)

# %% [markdown]
# ### float32 and float64
#
# Half the bytes: twice as many numbers in a cache line, in a register, in memory. What is paid is precision: 24
# bits of mantissa against 53. Predict the two ratios of time. The last column adds 0.1 ten million times, one
# after the other; the true sum is 1,000,000.

# %%
from operator import matmul, mul

for dtype in (np.float32, np.float64):
    x = randn(600, 600, dtype=dtype)
    v = randn(2_000_000, dtype=dtype)
    product, scaling = time_call(matmul, x, x, repeat=5), time_call(mul, v, 2, repeat=5)
    total = np.cumsum(np.full(10_000_000, 0.1, dtype))[-1]
    print(f"{np.dtype(dtype).name}: {readable(v.data.nbytes, 'B'):>7}  matrix product {1e3 * product.min:6.2f} ms  "
          f"v * 2 {1e3 * scaling.min:6.2f} ms  sum {total:,.1f}")

# %% [markdown]
# `cumsum` adds one number at a time: once the sum is large, each 0.1 is rounded to what still fits. `x.sum()`
# adds in pairs, and pairs of pairs, so that the partial sums stay of one size. How much better is it?

# %%
full((10_000_000,), 0.1).sum().item()

# %% [markdown]
# ### What does remembering cost?
#
# `a + b` on tensors is NumPy's addition plus your `apply` and the helpers before it: a fixed number of Python
# calls, whatever the size. So the *difference* should stay about the same down the table, and the ratio should
# fall to 1.

# %%
for n in (1, 1_000, 100_000, 4_000_000):
    a, b = Tensor(np.ones(n), requires_grad=True), Tensor(np.ones(n))
    result = compare({"array": lambda a, b: a.data + b.data, "tensor": lambda a, b: a + b}, a, b, rounds=9)
    array, tensor = (1e6 * result.times[name].min for name in ("array", "tensor"))
    print(f"n = {n:>9,}  array {array:9.2f} µs  tensor {tensor:9.2f} µs  ratio {tensor / array:5.2f}")

# %% [markdown]
# ## Reflect
#
# From your last table, or further rows of it: at which n does an addition of tensors cost 10 % more than
# NumPy's? Derive it from two numbers you measured, the extra time of one op and the time per element, and check
# the prediction with one more row. At most five sentences, with the numbers.

# %% [markdown] nbgrader={"grade": true, "grade_id": "overhead_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The extra time is the difference of the columns where n is small: tensor - array, here 1.1 µs. The time per
# element is the slope between two larger rows, here (40 - 0.6) µs / 99,000 = 0.4 ns. Ten percent is reached
# where 0.1 · (0.3 µs + n · 0.4 ns) = 1.1 µs, so n is about 27,000. A row with n = 27,000 shows a ratio of 1.09,
# which fits. For n above that the array leaves the cache and the slope grows, so the ratio falls faster.
#
# Rubric: 2 points for the extra time as a difference, from small n, in µs; 2 for the time per element as a
# slope from larger n; 2 for solving for n; 1 for a further row that is compared with the prediction. Any
# numbers, if they are the learner's own and follow from each other.

# %% [markdown]
# Predict, before you run anything: is each of these a view of `x = randn(4, 6)`, or a copy? For a view, give
# its shape and strides; for a copy, say in one sentence why no strides can do it. (a) `x.T.reshape(2, 3, 4)`,
# (b) `x[:, ::2].reshape(-1)`, (c) `x[:, ::4].reshape(-1)`, (d) `x[1:3].reshape(2, 2, 3)`. Then run
# them, and correct what was wrong.

# %% [markdown] nbgrader={"grade": true, "grade_id": "views_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# (a) A view: (2, 3, 4), strides (12, 4, 24). `x.T` has shape (6, 4) and strides (4, 24); splitting the axis of 6 is
# always possible. (b) A view: (12,), strides (8,). Within a row the step is 8 bytes, and from the last picked element
# of a row (byte 16) to the start of the next (byte 24) it is 8 as well. (c) A copy: the picked bytes are 0, 16, 24, 40,
# steps of 16 and 8 in turn, and one axis has one stride. (d) A view: (2, 2, 3), strides (24, 12, 4), from byte 24 on.
#
# Rubric: 1 point for each right verdict after running; 2 for the three strides, or 1 for two of them; 1 for naming what
# a wrong prediction had overlooked (mostly that in (b) the step across the rows is the step within them).

# %% [markdown]
# A model gives predictions `p` of shape (n, 1); the targets `t` have shape (n,). Somebody writes
# `((p - t) ** 2).mean()`. No error comes. What is computed instead of the mean squared error, how many bytes does the
# difference take for n = 10,000, and which value does the expression take for *perfect* predictions? State one
# line of code that would have caught it. At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "broadcast_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# (n, 1) and (n,) broadcast to (n, n): every prediction minus every target. The mean over all pairs is computed;
# for n = 10,000 the difference alone has 10^8 · 4 B = 400 MB. For perfect predictions it is the mean squared
# difference of two targets drawn independently, which is twice their variance (correction 0) and not 0. `assert
# p.shape == t.shape` catches it.
#
# Rubric: 2 points for all pairs, shape (n, n); 1 for 400 MB; 2 for twice the variance, or for an argument that
# it is above 0 unless all targets are equal; 1 for a check that would fail.

# %% [markdown]
# ## Summary
#
# There is now one `Tensor`, with PyTorch's names, shapes and dtypes, and one function `apply` through which
# every operation passes and in which every memory is made. It cannot yet differentiate: `backward` asks for
# `tinytorch.core.autograd`, which module 09 builds from the origins that `apply` keeps. Module 03 needs it
# next, to bend straight lines.

