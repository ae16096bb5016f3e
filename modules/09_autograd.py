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
#     title: Autograd
#     part: Training
#     hours: 5
#     goals:
#     - derive by hand what one weight does to a loss, and check it by a small step
#     - write the derivative of an operation as a rule, and chain rules along a graph of any shape
#     - undo broadcasting, add up what arrives on several paths, and keep it on the leaves
#     - find a wrong derivative with a tool of your own
#     - predict what a graph holds in memory, and trade time for that memory
# ---

# %% [markdown]
# # Autograd
#
# > Derivatives of everything the framework can compute: a table of rules, and one walk backwards along the origins.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(9)

# %% [markdown]
# ## Why
#
# A network with random weights guesses. To improve it, we must know for each weight: does the loss grow or shrink if the
# weight grows, and how fast? We could try. Here is a small network for the digits: change one weight a little, run it
# again, divide. How long would it take for all of them?

# %%
import numpy as np

from tinytorch.core.activations import log_softmax, relu
from tinytorch.core.dense import MLP
from tinytorch.core.setup import compare, peak_memory, readable, time_call
from tinytorch.core.tensor import Tensor, manual_seed
from tinytorch.datasets import load_digits

# %%
manual_seed(0)
images, labels = load_digits()
x, model = Tensor(images.reshape(-1, 64) / 16), MLP([64, 64, 10], relu)

# %%
def loss_of(model, rows):
    return -log_softmax(model(x[rows]), 1)[np.arange(len(rows)), labels[rows]].mean()

# %%
rows = np.arange(1000)
weights, once = sum(p.size for p in model.parameters()), time_call(loss_of, model, rows).min
print(f"{weights:,} weights: {readable(weights * once, 's')} for one step, {readable(once, 's')} for one loss")

# %% [markdown]
# And a useful network has a hundred thousand weights or more. Ask the tensor instead:

# %% tags=["raises-exception"]
loss_of(model, rows).backward()

# %% [markdown]
# That is what you build here. The surprise of this module: *all* derivatives together cost about as much as two or three
# losses, whatever the number of weights.

# %%
#| default_exp core.autograd

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from operator import attrgetter

import numpy as np

from tinytorch.core.activations import LogSoftmaxOp, SigmoidOp, SoftmaxOp
from tinytorch.core.attention import AttentionWeightsOp
from tinytorch.core.introduction import draw_dependencies
from tinytorch.core.layers import LinearOp
from tinytorch.core.spatial import BLOCK_BYTES, AvgPool2dOp, Conv2dOp, MaxPool2dOp, conv2d_blocked, in_blocks, in_windows
from tinytorch.core.tensor import (
    Abs, Add, Cast, Clip, Concat, Div, Exp, Expand, Index, Log, MatMul, Max, Maximum, Min, Minimum, Mul, Neg, Op, Permute,
    Pow, Reshape, Sqrt, Sub, Sum, TanhOp, Tensor, Where, _wrap, _writes, apply, default_generator, recipe,
)

# %% [markdown]
# ## 1. By hand
#
# One neuron, one example: the prediction is $p = wx + b$, the loss $l = (p - t)^2$. How does $l$ change with $w$? Through
# $p$, and only through $p$. The chain rule multiplies the two rates along the way:
#
# $$\frac{\partial l}{\partial w} = \frac{\partial l}{\partial p}\,\frac{\partial p}{\partial w}, \qquad
# \frac{\partial l}{\partial p} = 2(p - t)$$
#
# What remains is how $p$ changes with $w$, and with $b$. Write both derivatives of $l$, as the pair $(\partial l/\partial w,
# \partial l/\partial b)$. Two lines.

# %% nbgrader={"grade": false, "grade_id": "by_hand", "locked": false, "schema_version": 3, "solution": true, "task": false}
def neuron_gradient(w: float, b: float, x: float, t: float) -> tuple[float, float]:
    """(dl/dw, dl/db) for l = (w x + b - t)²."""
    ### BEGIN SOLUTION
    dl_dp = 2 * (w * x + b - t)
    return dl_dp * x, dl_dp
    ### END SOLUTION

# %% [markdown]
# Which way must `w` go so that the loss falls, if the prediction is 2 too large and `x` is negative?

# %%
neuron_gradient(1.0, 0.0, -3.0, -5.0)

# %% nbgrader={"grade": true, "grade_id": "by_hand_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The pair of derivatives is what a small step in w, and one in b, does to the loss."""
def neuron_loss(w, b, x, t):
    return (w * x + b - t) ** 2

w, b, x0, t, h = 0.5, -1.0, 3.0, 2.0, 1e-6
by_step = [(neuron_loss(w + h, b, x0, t) - neuron_loss(w - h, b, x0, t)) / (2 * h),
           (neuron_loss(w, b + h, x0, t) - neuron_loss(w, b - h, x0, t)) / (2 * h)]
found = neuron_gradient(w, b, x0, t)
assert np.allclose(found, by_step), f"small steps say (dl/dw, dl/db) = {np.round(by_step, 4)}, not {found}"
assert neuron_gradient(2.0, 1.0, 3.0, 7.0) == (0, 0), "a perfect prediction: no direction is better"

# %% nbgrader={"grade": true, "grade_id": "by_hand_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on other numbers, among them x = 0 and a negative weight."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(neuron_gradient(-1.5, 0.25, 0.0, 2.0), about="x = 0")
answer(neuron_gradient(-2.0, 3.0, -4.0, 0.5), about="negative numbers")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. One rule
#
# By hand this ends with the second layer. But each op is simple: if we know how the loss changes with the op's *output*,
# the op alone can say how the loss changes with its *inputs*. That is a **rule**:
#
# - it gets the op, which has kept in `saved` what it needs, and `grad`, the derivative of the loss with respect to each
#   element of the output: an array of the output's shape;
# - it returns a derivative for each input, in order, as a tuple.
#
# The rules stand in a table. The decorator writes into it.

# %% nbgrader={"grade": false, "grade_id": "gradient", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class _Rules(dict):
    """Kind of op -> its rule."""
    def __missing__(self, kind: type[Op]):
        raise NotImplementedError(f"{kind.__name__} has no rule: write one with @gradient({kind.__name__})")

RULES: dict[type[Op], Callable] = _Rules()

def gradient(kind: type[Op]) -> Callable:
    """Decorator for the rule of an op: (op, grad) -> for each input its gradient, a function that computes it, or None.

    What a rule returns is new, or `grad` itself, or a view of it, of grad's dtype; it may keep the output's shape where the op broadcast.
    """
    def enter(rule: Callable) -> Callable:
        RULES[kind] = rule
        return rule
    return enter

# %%
RULES

# %% [markdown]
# A sum passes on to both sides what comes in; a difference turns the sign on its right.

# %% nbgrader={"grade": false, "grade_id": "sums", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@gradient(Add)
def _(op, grad): return grad, grad
@gradient(Sub)
def _(op, grad): return grad, -grad
@gradient(Neg)
def _(op, grad): return (-grad,)

# %%
RULES[Sub](Sub(), np.array([10.0, 20.0]))

# %% [markdown]
# Your turn: $y = ab$, so $\partial y/\partial a = b$ and $\partial y/\partial b = a$, each times `grad`. In module 02 `Mul`
# saved `(a, b)` for this day. Two lines.

# %% nbgrader={"grade": false, "grade_id": "rule_mul", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@gradient(Mul)
def _(op, grad):
    ### BEGIN SOLUTION
    a, b = op.saved
    return grad * b, grad * a
    ### END SOLUTION

# %% [markdown]
# The product is 3 · 5. What are the derivatives of 10 times the product?

# %%
op = Mul()
op.forward(np.array(3.0), np.array(5.0))
RULES[Mul](op, np.array(10.0))

# %% nbgrader={"grade": true, "grade_id": "rule_mul_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The rule of Mul gives two arrays: grad times the other factor, each."""
op = Mul()
op.forward(np.array([2.0, 3.0]), np.array([5.0, 7.0]))
grad = np.array([1.0, -1.0])
entries = RULES[Mul](op, grad)

assert isinstance(entries, tuple) and len(entries) == 2, f"a derivative for each of the two inputs, as a tuple, not {entries}"
np.testing.assert_array_equal(entries[0], [5, -7], err_msg="for a: grad * b")
np.testing.assert_array_equal(entries[1], [2, -3], err_msg="for b: grad * a")
np.testing.assert_array_equal(grad, [1, -1], err_msg="the rule wrote into grad, which belongs to somebody else too")

# %% nbgrader={"grade": true, "grade_id": "rule_mul_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on factors that broadcast: the rule keeps the shape of the output."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_op = Mul()
_op.forward(np.array([[1.0], [2.0]]), np.array([3.0, -4.0, 0.5]))
for _entry, _name in zip(RULES[Mul](_op, np.arange(6.0).reshape(2, 3)), "ab", strict=True):
    answer(_entry, about=_name)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. The chain
#
# Three more rules of one line. An op that saved its *result* $y$ needs no more than that: $(e^x)' = e^x = y$.

# %% nbgrader={"grade": false, "grade_id": "rules_unary", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@gradient(Exp)
def _(op, grad): return (grad * op.saved[0],)  # the result
@gradient(Log)
def _(op, grad): return (grad / op.saved[0],)
@gradient(Abs)
def _(op, grad): return (grad * np.sign(op.saved[0]),)

# %%
op = Log()
op.forward(np.array([1.0, 2.0, 4.0]))
RULES[Log](op, np.ones(3))

# %% [markdown]
# Ops in a row: the output of one is the input of the next. Going backwards, what one rule returns is the `grad` of the rule
# before it. The first `grad` of all is 1: the derivative of the result with respect to itself.
#
# Write `chain` for a result whose ops have one input each. As long as the tensor has an origin, take `op, (x,)` from it,
# replace `grad` by the only entry of what the rule returns, and go on with `x`. About four lines.

# %% nbgrader={"grade": false, "grade_id": "chain", "locked": false, "schema_version": 3, "solution": true, "task": false}
def chain(result: Tensor) -> np.ndarray:
    """The derivative of the result with respect to the tensor at the beginning, along ops with one input each."""
    t, grad = result, np.ones_like(result.data)
    ### BEGIN SOLUTION
    while t.origin:
        op, (source,) = t.origin
        (grad,) = RULES[type(op)](op, grad)
        t = source
    return grad
    ### END SOLUTION

# %% [markdown]
# $\log(e^{x})$ is $x$. And the derivative of $-e^{-x}$ at 0?

# %%
v = Tensor(0.0, requires_grad=True)
chain(v.exp().log()), chain(-(-v).exp())

# %% nbgrader={"grade": true, "grade_id": "chain_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""chain multiplies the derivatives along the way, in the order from the end."""
v = Tensor([0.5, 1.0, 2.0], requires_grad=True)
assert np.allclose(chain(v.exp().exp()), np.exp(v.data) * np.exp(np.exp(v.data))), "exp(exp(v))' = exp(v) exp(exp(v))"
assert np.allclose(chain(v.log().abs()), np.sign(np.log(v.data)) / v.data), "|log v|' = sign(log v) / v"
assert np.allclose(chain(v), 1), "no op at all: 1"
assert chain(v.exp()).dtype == np.float32, f"the derivative of float32 is float32, not {chain(v.exp()).dtype}"

# %% nbgrader={"grade": true, "grade_id": "chain_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a chain of five ops, and on one of three thousand."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_v = Tensor([[0.3, -0.2]], requires_grad=True)
answer(chain((-((-_v.exp()).abs().log())).exp()), about="five ops and more")
_t = _v
for _ in range(3001):
    _t = -_t
answer(chain(_t), about="three thousand and one negations")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. The table
#
# Everything else is a table. Three entries are yours; each follows from school:
#
# $$\left(\tfrac{a}{b}\right)'_a = \tfrac{1}{b}, \quad \left(\tfrac{a}{b}\right)'_b = -\tfrac{a}{b^2}, \qquad
# (\sqrt{a})' = \tfrac{1}{2\sqrt a}, \qquad \tanh' = 1 - \tanh^2$$
#
# `Div` saved `(a, b)`; `Sqrt` and `TanhOp` saved `(y,)`, the result, so write these two in terms of $y$. Most divisors are
# constants: a mean divides by a count. Who needs their derivative, which costs four passes? So an entry may also be a
# *function* without arguments, which is called only if that input requires a gradient. For `Div` give two of them, `lambda: ...`.
# `grad` may belong to somebody else too: a rule makes new arrays and writes into none. One line each behind the one that is there.

# %% nbgrader={"grade": false, "grade_id": "rules_table", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@gradient(Div)
def _(op, grad):
    a, b = op.saved
    ### BEGIN SOLUTION
    return lambda: grad / b, lambda: -grad * a / (b * b)
@gradient(Sqrt)
def _(op, grad):
    y, = op.saved
    return (grad / (2 * y),)
@gradient(TanhOp)
def _(op, grad):
    y, = op.saved
    return (grad * (1 - y * y),)
    ### END SOLUTION

# %%
chain((Tensor([0.0, 1.0, 10.0], requires_grad=True)).tanh())

# %% nbgrader={"grade": true, "grade_id": "rules_table_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The rules of Div, Sqrt and TanhOp agree with small steps."""
def by_steps(f, at, h=1e-5):
    return (f(at + h) - f(at - h)) / (2 * h)

v = Tensor(np.array([0.25, 1.5]), requires_grad=True, dtype=np.float64)
for name, f in [("Sqrt", np.sqrt), ("TanhOp", np.tanh)]:
    y = getattr(v, name.removesuffix("Op").lower())()
    assert np.allclose(chain(y), by_steps(f, v.data)), f"{name}: small steps say {by_steps(f, v.data)}, not {chain(y)}"
op = Div()
op.forward(np.array([3.0]), np.array([4.0]))
entries = [entry() if callable(entry) else entry for entry in RULES[Div](op, np.array([10.0]))]
assert np.allclose(entries, [[2.5], [-1.875]]), f"10 · 3/4: 2.5 for the 3 and -1.875 for the 4, not {entries}"

# %% nbgrader={"grade": true, "grade_id": "rules_table_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on other numbers, on whether a constant divisor costs anything, and on whether what came in stays as it was."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_v = Tensor([0.1, 4.0, 9.0], requires_grad=True)
answer([chain(_v.sqrt()), chain(_v.sqrt().tanh())], about="Sqrt and TanhOp")
_op = Div()
_op.forward(np.array([[1.0, -2.0]]), np.array([[0.5], [-4.0]]))
_pair = RULES[Div](_op, np.array([[1.0, 2.0], [3.0, 4.0]]))
answer([callable(e) for e in _pair], about="functions")
answer([e() for e in _pair], about="Div")
_ones = np.ones(3)
for _y in (_v.sqrt(), _v.tanh()):
    RULES[type(_y.origin[0])](_y.origin[0], _ones)
answer([_ones, _v], about="grad and the input, afterwards")
### END HIDDEN TESTS

# %% [markdown]
# The rest of the elementwise rules is given: read down the page and prove each line to yourself. Where a formula has
# no derivative we have to choose. At a tie of two tensors `maximum` gives half to each, as PyTorch does; at a tie with a lone
# number, the number keeps all, so ReLU has slope 0 at 0. (Of two 0-d tensors the second keeps it; PyTorch halves there.)

# %% nbgrader={"grade": false, "grade_id": "rules_choice", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _power(a, b): return a ** (b if b.ndim else b.item())
@gradient(Pow)
def _(op, grad):
    a, b = op.saved
    return (lambda: grad * (b * _power(a, np.where(b == 0, 1, b) - 1)),  # slope 0 where the exponent is 0, even at a = 0
            lambda: grad * (_power(a, b) * np.log(np.where((a == 0) & (b >= 0), 1, a))))
def _to_the_winner(op, grad, wins):
    """For a and for b: grad where it wins, half of it at a tie; a lone number keeps its ties."""
    a, b = op.saved
    if b.ndim == 0:
        return lambda: grad * wins(a, b), lambda: grad * ~wins(a, b)
    if a.ndim == 0:
        return lambda: grad * ~wins(b, a), lambda: grad * wins(b, a)
    half = np.asarray(0.5, grad.dtype)
    return lambda: grad * np.where(a == b, half, wins(a, b)), lambda: grad * np.where(a == b, half, wins(b, a))
@gradient(Maximum)
def _(op, grad): return _to_the_winner(op, grad, np.greater)
@gradient(Minimum)
def _(op, grad): return _to_the_winner(op, grad, np.less)
@gradient(Clip)
def _(op, grad):
    (a,), (low, high) = op.saved, op.parameters
    return (grad * ((a >= (-np.inf if low is None else low)) & (a <= (np.inf if high is None else high))),)
@gradient(Where)
def _(op, grad):
    (condition,) = op.parameters
    return lambda: np.where(condition, grad, 0), lambda: np.where(condition, 0, grad)

# %%
op = Maximum()
op.forward(np.array([-1.0, 0.0, 2.0]), np.array(0.0))
RULES[Maximum](op, np.ones(3))[0]()

# %%
op.forward(np.array([-1.0, 0.0, 2.0]), np.array([0.0, 0.0, 0.0]))
[entry() for entry in RULES[Maximum](op, np.ones(3))]

# %% [markdown]
# Reductions go from many numbers to few, so their rules go from few to many. A sum hands its `grad` to everyone who went
# in. A maximum hands it to whoever had it; several who had it share.

# %% nbgrader={"grade": false, "grade_id": "rules_reductions", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _spread(grad, op, shape):
    """grad once for each element that was reduced: the reduced axes are back."""
    axis, keepdims = op.parameters
    full = np.empty(shape, grad.dtype)
    full[...] = grad if keepdims else np.expand_dims(grad, axis)
    return full
@gradient(Sum)
def _(op, grad): return (_spread(grad, op, op.saved[0]),)
def _to_the_best(op, grad, best):
    (a,), (axis, _) = op.saved, op.parameters
    mine = a == best(a, axis=axis, keepdims=True)
    share = _spread(grad, op, a.shape) / mine.sum(axis=axis, keepdims=True, dtype=grad.dtype)
    return (np.where(mine, share, 0),)
@gradient(Max)
def _(op, grad): return _to_the_best(op, grad, np.max)
@gradient(Min)
def _(op, grad): return _to_the_best(op, grad, np.min)

# %% [markdown]
# 6 comes in; three hold the maximum. Who gets what?

# %%
op = Max((0,), False)
op.forward(np.array([5.0, 1.0, 5.0, 5.0]))
RULES[Max](op, np.array(6.0))

# %% [markdown]
# Ops that only move numbers move them back. Where an index picks one element twice, both gradients arrive there: `add.at`
# adds one by one, which is slow; whole rows are sorted first and added in runs.

# %% nbgrader={"grade": false, "grade_id": "rules_shapes", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@gradient(Reshape)
def _(op, grad): return (grad.reshape(op.saved[0]),)
@gradient(Permute)
def _(op, grad): return (grad.transpose(sorted(range(grad.ndim), key=op.parameters[0].__getitem__)),)
@gradient(Expand)
def _(op, grad): return (grad,)
@gradient(Cast)
def _(op, grad): return (grad.astype(op.parameters[1]),)  # to the dtype before
@gradient(Concat)
def _(op, grad):
    (dim,) = op.parameters
    return np.split(grad, np.cumsum([shape[dim] for shape in op.saved])[:-1], dim)
def _add_rows(full, rows, grad):
    """full[rows] += grad, where a row may be named more than once."""
    order = rows.ravel().argsort(kind="stable")
    names, starts = np.unique(rows.ravel()[order], return_index=True)
    full[names] += np.add.reduceat(grad.reshape(rows.size, -1)[order], starts).reshape(-1, *full.shape[1:])
@gradient(Index)
def _(op, grad):
    (shape,), (key,) = op.saved, op.parameters
    full = np.zeros(shape, grad.dtype)
    parts = key if isinstance(key, tuple) else (key,)
    if all(part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in parts):
        full[key] = grad
    elif isinstance(key, np.ndarray) and key.dtype.kind in "iu" and grad.size and len(shape) > 1:
        _add_rows(full, key % shape[0], grad)
    else:
        np.add.at(full, key, grad)
    return (full,)

# %% [markdown]
# Element 2 was picked twice, element 1 never:

# %%
op = Index(np.array([0, 2, 2]))
op.forward(np.zeros(3))
RULES[Index](op, np.array([1.0, 10.0, 100.0]))

# %% [markdown]
# ### The matrix product
#
# For $Y = AB$ the rule is two products, and the shapes alone nearly dictate it. `grad` has the shape of $Y$:
#
# $$G_A = G B^T: (n, m)(m, k) \to (n, k), \qquad G_B = A^T G: (k, n)(n, m) \to (k, m)$$
#
# `MatMul` saved `(a, b)`. Two helpers know about memory: `_swapped(x)` exchanges the last two axes, and `_product(p, q, like)`
# is `p @ q`, laid out in memory as `like`, whose gradient it is; an optimizer walks both side by side, and a walk along
# rows in the one and columns in the other is slow. Give two functions that use both helpers. Two lines.

# %% nbgrader={"grade": false, "grade_id": "swapped", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _swapped(x: np.ndarray) -> np.ndarray:
    """The last two axes exchanged: (..., n, k) -> (..., k, n); stacks are copied, as NumPy multiplies stacks of views slowly."""
    return x.T if x.ndim == 2 else np.ascontiguousarray(x.swapaxes(-1, -2))

def _product(p: np.ndarray, q: np.ndarray, like: np.ndarray) -> np.ndarray:
    """p @ q, in columns where the matrix `like` lies in columns: (..., n, k), (..., k, m) -> (..., n, m)."""
    in_columns = p.ndim == q.ndim == 2 and like.strides[0] < like.strides[-1]
    return (q.T @ p.T).T if in_columns else p @ q

# %% nbgrader={"grade": false, "grade_id": "rule_matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@gradient(MatMul)
def _(op, grad):
    ### BEGIN SOLUTION
    a, b = op.saved
    return lambda: _product(grad, _swapped(b), like=a), lambda: _product(_swapped(a), grad, like=b)
    ### END SOLUTION

# %% [markdown]
# Ten rows of 64 numbers, times (64, 3). Which shapes have the two gradients?

# %%
op = MatMul()
op.forward(np.ones((10, 64)), np.ones((64, 3)))
[entry().shape for entry in RULES[MatMul](op, np.ones((10, 3)))]

# %% nbgrader={"grade": true, "grade_id": "rule_matmul_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Both entries are functions, have the shapes of a and b, and agree with the definition of a derivative."""
rng = np.random.default_rng(0)
a, b, g = rng.standard_normal((2, 3)), rng.standard_normal((3, 4)), rng.standard_normal((2, 4))
op = MatMul()
op.forward(a, b)
for_a, for_b = (entry() for entry in RULES[MatMul](op, g))
assert for_a.shape == a.shape and for_b.shape == b.shape, f"(2, 3) and (3, 4), not {for_a.shape} and {for_b.shape}"
step = np.zeros((2, 3))
step[1, 2] = 1e-6
assert np.isclose(for_a[1, 2], (((a + step) @ b - (a - step) @ b) * g).sum() / 2e-6), "a small step in a[1, 2] disagrees"
assert np.isclose((for_a * a).sum(), (g * (a @ b)).sum()), "y grows in proportion to a: sum(G_A A) = sum(G Y)"

# %% nbgrader={"grade": true, "grade_id": "rule_matmul_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on stacks of matrices."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_rng = np.random.default_rng(1)
_a, _b, _g = (_rng.standard_normal(s) for s in [(2, 3, 4), (2, 4, 5), (2, 3, 5)])
_op = MatMul()
_op.forward(_a, _b)
for _entry, _name in zip(RULES[MatMul](_op, _g), "ab", strict=True):
    answer(_entry(), about=_name)
### END HIDDEN TESTS

# %% [markdown]
# A linear layer is one op, $Y = X W^T + b$ (module 04), and has one rule: two such products, where $W^T$ stands for $B$, and a sum.
#
# $$G_X = G\, W: (n, m)(m, k) \to (n, k), \qquad G_W = G^T X: (m, n)(n, k) \to (m, k), \qquad G_b = \textstyle\sum_i G_i$$
#
# Each number of the bias was added to all $n$ rows, so it gets what all of them got: ones times $G$, one more product.

# %% nbgrader={"grade": false, "grade_id": "rule_linear", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@gradient(LinearOp)
def _(op, grad):
    x, weight, has_bias = op.saved  # x as rows
    g = grad if grad.ndim == 2 else grad.reshape(len(x), len(weight))
    return (lambda: g @ weight if g is grad else (g @ weight).reshape(*grad.shape[:-1], weight.shape[1]),
            lambda: g.T @ x, lambda: np.ones(len(g), g.dtype) @ g)[: 2 + has_bias]

# %%
op = LinearOp()
op.forward(np.ones((2, 5, 64)), np.ones((3, 64)), np.ones(3))
[entry().shape for entry in RULES[LinearOp](op, np.ones((2, 5, 3)))]

# %% [markdown]
# ## 5. Broadcasting, undone
#
# A bias of shape (10,) is added to each of 32 rows. What does the sum's rule return for it? Its `grad`, of shape (32, 10). But
# the bias has ten numbers; each was used 32 times, in 32 rows. What a number does to the loss is the *sum* of what
# its 32 copies do.
#
# So: sum over every axis that broadcasting had added in front, and over every axis that it stretched from 1 (there the axis
# stays, with size 1). All rules may forget about broadcasting, since this one function undoes it.
#
# Write `unbroadcast` in about four lines. `keepdims=True` keeps an axis in a sum. If what remains has not the wanted shape, a rule
# was wrong: a `ValueError` with both shapes.

# %% nbgrader={"grade": false, "grade_id": "unbroadcast", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def unbroadcast(grad: np.ndarray, shape: tuple) -> np.ndarray:
    """The gradient of an array of that shape which was broadcast to grad's shape: the sum over all copies."""
    ### BEGIN SOLUTION
    summed = grad.sum(axis=tuple(range(grad.ndim - len(shape)))) if grad.ndim > len(shape) else grad
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and i < summed.ndim and summed.shape[i] != 1)
    summed = summed.sum(axis=stretched, keepdims=True) if stretched else summed
    if summed.shape != shape:
        raise ValueError(f"a gradient of shape {grad.shape} does not belong to a tensor of shape {shape}")
    return summed
    ### END SOLUTION

# %% [markdown]
# A table of ones, 2 × 3. What remains of it for a row, a column, a number?

# %%
table = np.ones((2, 3))
unbroadcast(table, (3,)), unbroadcast(table, (2, 1)), unbroadcast(table, ())

# %% nbgrader={"grade": true, "grade_id": "unbroadcast_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""unbroadcast sums over the axes that were added or stretched, keeps the total, and refuses a shape that does not fit."""
g = np.arange(24.0).reshape(2, 3, 4)
for shape in [(2, 3, 4), (3, 4), (4,), (3, 1), (1, 3, 1), (2, 1, 1), ()]:
    found = unbroadcast(g, shape)
    assert found.shape == shape, f"for {shape}: the result has shape {found.shape}"
    assert found.sum() == g.sum(), f"for {shape}: each number of grad counts once, so the total stays {g.sum()}, not {found.sum()}"
np.testing.assert_array_equal(unbroadcast(g, (3, 1)), g.sum(axis=(0, 2))[:, None], err_msg="(2, 3, 4) for (3, 1)")
try:
    result = unbroadcast(np.ones((2, 3)), (2,))
except ValueError as error:
    assert "(2, 3)" in str(error) and "(2,)" in str(error), f"the error must name (2, 3) and (2,), it says: {error}"
else:
    raise AssertionError(f"(2,) never broadcasts to (2, 3): this is a ValueError, not {result}")

# %% nbgrader={"grade": true, "grade_id": "unbroadcast_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on axes of size 1 that were not stretched, on an empty batch, and on gradients that are too small or lack axes."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_g = np.arange(12.0).reshape(1, 3, 4, 1)
for _shape in [(1, 3, 4, 1), (3, 4, 1), (4, 1), (1, 1), (1,), ()]:
    answer(unbroadcast(_g, _shape), about=f"(1, 3, 4, 1) for {_shape}")
answer(unbroadcast(np.ones((0, 3)), (1, 3)), about="an empty batch")
answer([raised(unbroadcast, np.ones(s), t) for s, t in [((), (3,)), ((3,), (1, 3)), ((4, 3), (4, 1, 3)), ((3,), (3, 1))]], about="errors")
### END HIDDEN TESTS

# %% [markdown]
# ## 6. The walk
#
# An expression is no chain. A tensor may be used twice, and then it acts on the loss along both ways: its derivative is the
# **sum** over the ways. Here `v` is used three times. What is the derivative of $v^2 + v$ at 3?

# %%
v = Tensor(3.0, requires_grad=True)
total = v * v + v
[(type(t.origin[0]).__name__ if t.origin else "v", t.item()) for t in recipe(total)]

# %%
draw_dependencies([total], lambda t: t.origin[1] if t.origin else (), lambda t: f"{t.item()}");

# %% [markdown]
# So no rule may be called before *all* the gradient of its output has arrived: all users of a tensor come before the tensor
# itself. That is a topological order, read from its end. Your function from module 00 would find one; but `apply` noted on each
# tensor when it was `made`, which is after everything it was made from. So `by_date` collects the tensors and sorts them: the same
# promise, for less.
#
# A graph that was walked is let go: the walk takes op and inputs out of a tensor's `origin` and puts the mark `_FREED` in their
# place, so that all they kept is freed as we go. Who comes a second time finds the mark, and is told.

# %% nbgrader={"grade": false, "grade_id": "by_date", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Freed(Op):
    """Stands where an op stood before backward freed it."""

_FREED = (Freed(), ())

def by_date(result: Tensor) -> list[Tensor]:
    """The result and all that it came from and that requires a gradient, each after everything it was made from."""
    found, order = {result}, [result]
    for t in order:  # which grows meanwhile
        if t.origin is _FREED:
            raise RuntimeError("this graph is freed: backward went through it already. Compute the result again, or add up the losses first")
        for x in t.origin[1] if t.origin else ():
            if x.requires_grad and x not in found:
                found.add(x)
                order.append(x)
    order.sort(key=attrgetter("made"))
    return order

def _refuse(order: list[Tensor]) -> None:
    """A RuntimeError if an array that a rule needs was written into since the op saved it."""
    if next((t.made for t in order if t.made), np.inf) > _writes.last:  # no write since the first op
        return
    computed = [t for t in order if t.origin]
    tensors = dict.fromkeys(x for t in computed for x in (t, *t.origin[1]) if x.written)
    for t in computed:
        op = t.origin[0]
        for x in tensors:
            if x.written > t.made and any(isinstance(a, np.ndarray) and np.shares_memory(a, x.data) for a in op.saved):
                raise RuntimeError(f"{x if x.size < 7 else f'a tensor of shape {x.shape}'} was written in place after "
                                   f"{type(op).__name__} had saved it for its derivative: write before the op, or into a copy")

# %% [markdown]
# Now the walk. `pending` holds for each tensor the sum of what has arrived so far. Take tensors from the *end* of `order` with `pop`, so
# that each can be freed. For each `t`: take its gradient out of `pending`; if none has arrived, go on with the next; if `t` has no origin it
# is a **leaf**, and its gradient goes into `leaves`. Else take op and inputs from `t.origin`, put `_FREED` there, ask
# `RULES[type(op)](op, grad)`, and go through inputs and entries side by side.

# %% [markdown]
# Pass over an input `x` that requires no gradient, and over an entry that is `None`. An entry that is a function is called. If what
# you have now is not of the shape of `x.data`, the op broadcast: `unbroadcast` it. Then add it to what is pending for `x`: with `+`,
# never with `+=`, since the array may belong to somebody else too.
#
# About fourteen lines.

# %% nbgrader={"grade": false, "grade_id": "walk", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def gradients(result: Tensor, grad: np.ndarray) -> dict[Tensor, np.ndarray]:
    """The gradient of each leaf that the result came from, if grad is that of the result; each op once, any depth."""
    order = by_date(result)
    _refuse(order)
    pending, leaves = {result: grad}, {}
    ### BEGIN SOLUTION
    while order:
        t = order.pop()
        grad = pending.pop(t, None)
        if grad is None:
            continue
        if t.origin is None:
            leaves[t] = grad
            continue
        (op, inputs), t.origin = t.origin, _FREED
        for x, g in zip(inputs, RULES[type(op)](op, grad)):
            if x.requires_grad and g is not None:
                g = g() if callable(g) else g
                g = g if g.shape == x.data.shape else unbroadcast(g, x.data.shape)
                pending[x] = pending[x] + g if x in pending else g
    ### END SOLUTION
    return leaves

# %% [markdown]
# $2v + 1$ at 3. Does the walk agree with you?

# %%
gradients(total, np.array(1.0))

# %% [markdown]
# And once more?

# %% tags=["raises-exception"]
gradients(total, np.array(1.0))

# %%
repr(total)

# %% nbgrader={"grade": true, "grade_id": "walk_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""The walk adds up what comes along all ways, calls each rule once, keeps leaves only, and any depth will do."""
v, k = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 5.0])
w = v * k
found = gradients((w * w + w * v).sum(), np.array(1.0))
assert list(found) == [v], "leaves that require a gradient, and nothing else: k is a constant, w is no leaf"
np.testing.assert_allclose(found[v], 2 * k.data * (k.data + 1) * v.data, err_msg="(k² v² + k v²)' = 2 k (k + 1) v")

u = Tensor([[1.0], [2.0]], requires_grad=True)
found = gradients((k / u).sum(), np.array(1.0)).get(u)
assert isinstance(found, np.ndarray), f"the entries of Div are functions: call them, so that u gets an array, not {found}"
assert found.shape == (2, 1), f"k / u is (2, 2), u is (2, 1): unbroadcast what Div gives; u got {found.shape}"
np.testing.assert_allclose(found, [[-8], [-2]], err_msg="(3/u + 5/u)' = -8/u²")

class Gate(Op):
    def forward(self, a, b): return a * (b > 0)

gradient(Gate)(lambda op, grad: (grad, None))
assert list(gradients(apply(Gate(), v * k, v), np.ones(2))) == [v], "an entry may be None: nothing arrives along that way"

t = v
for _ in range(30):
    t = t + t
np.testing.assert_array_equal(gradients(t, np.ones(2))[v], [2**30] * 2, err_msg="30 doublings: 30 rules, not 2**30 ways")
t = v
for _ in range(20_000):
    t = t * 1.0
assert (gradients(t, np.ones(2))[v] == 1).all(), "20,000 ops deep"

# %% nbgrader={"grade": true, "grade_id": "walk_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a diamond with a bias, on a result that is a leaf, on a way on which nothing arrives, and on whether what has arrived is left unchanged."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x, _w, _b = (Tensor(np.random.default_rng(i).standard_normal(s), requires_grad=i > 0) for i, s in enumerate([(5, 3), (3, 2), (2,)]))
_h = (_x @ _w + _b).tanh()
_found = gradients((_h * _h.exp() + _h).sum(), np.array(1.0, np.float32))
answer([_found[_w], _found[_b], len(_found)], about="a diamond")
_g = np.array([1.0, 2.0], np.float32)
_p, _q = (Tensor([i, 1.0], requires_grad=True) for i in (1.0, 2.0))
_found = gradients((_p + _q) + _p, _g)
answer([_found[_p], _found[_q], _g], about="shared arrays")
_found = gradients(_p, _g)
answer([len(_found), _found[_p]], about="a leaf")

class _Deaf(Op):
    def forward(self, a, b): return a + b

RULES[_Deaf] = lambda op, grad: (grad, None)
_found = gradients(apply(_Deaf(), _p, _q) + apply(_Deaf(), _p, _q * 2), _g)
answer([len(_found), _found.get(_p)], about="two ops that give nothing to one of their inputs")
### END HIDDEN TESTS

# %% [markdown]
# ## 7. Accumulation
#
# `backward` puts the gradients where they are wanted: on the leaves, in `.grad`, as tensors. If one is there already, the new
# one is **added**, so that several losses, or several parts of a batch, give one sum. The price: before the next step
# somebody has to remove the old ones. `zero_grad` does.
#
# `_seed` is given: it checks where the walk may begin, and with which gradient. `_own` gives each leaf an array of its own: two leaves of one sum
# would otherwise share theirs, and a change to one would change the other.

# %% nbgrader={"grade": false, "grade_id": "seed", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def zero_grad(tensors: Iterable[Tensor]) -> None:
    """Forget their gradients."""
    for t in tensors:
        t.grad = None

def _seed(tensor: Tensor, gradient) -> np.ndarray:
    """The gradient to begin with: 1 for a lone number, else the one given, whose shape must be the tensor's."""
    if not tensor.requires_grad:
        raise RuntimeError("nothing to differentiate: no tensor that this one was made from requires a gradient")
    if gradient is None and tensor.size != 1:
        raise RuntimeError(f"backward without a gradient starts at a lone number, not at shape {tensor.shape}: sum() or mean() first")
    grad = np.ones(tensor.shape, tensor.dtype) if gradient is None else np.array(gradient, tensor.dtype)
    if grad.shape != tensor.shape:
        raise ValueError(f"the gradient has shape {grad.shape}, the tensor {tensor.shape}")
    return grad

def _own(grad: np.ndarray, taken: dict) -> np.ndarray:
    """grad, or a copy of it where its memory went to another leaf before: `taken` remembers, id -> array."""
    owner = grad if grad.base is None else grad.base
    if id(owner) in taken or owner.nbytes != grad.nbytes:
        return grad.copy()
    taken[id(owner)] = owner
    return grad

# %% [markdown]
# Write `backward`: seed, walk, and for each leaf a tensor in `.grad` (`_wrap` makes one from an array), or the sum of the old
# and the new where there was one. About five lines. `_own(grad, taken)` wants one dict for the whole call.

# %% nbgrader={"grade": false, "grade_id": "backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def backward(tensor: Tensor, gradient=None) -> None:
    """Add to `.grad` of each leaf that the tensor came from; the graph is freed. Gradients of gradients are not recorded."""
    ### BEGIN SOLUTION
    taken = {}
    for leaf, grad in gradients(tensor, _seed(tensor, gradient)).items():
        grad = _own(np.asarray(grad), taken)
        leaf.grad = _wrap(grad if leaf.grad is None else leaf.grad.data + grad)
    ### END SOLUTION

# %% [markdown]
# In this notebook `Tensor.backward` looks for the module `tinytorch.core.autograd`, which you have not completed yet. Until then the
# method is set by hand.

# %% nbgrader={"grade": false, "grade_id": "method", "locked": true, "schema_version": 3, "solution": false, "task": false}
Tensor.backward = backward

# %% [markdown]
# `u` acts on both losses. What does its `.grad` hold after the first, and after the second?

# %%
u = Tensor([1.0, 2.0], requires_grad=True)
(u * u).sum().backward()
first = u.grad
(3 * u).sum().backward()
first, u.grad

# %%
zero_grad([u])
(u * u).backward([1.0, 100.0])
u.grad

# %% [markdown]
# A second walk through the same graph, and a number changed between the op and its derivative: both are errors that name
# the matter.

# %% tags=["raises-exception"]
y = (u * u).sum()
y.backward()
y.backward()

# %% tags=["raises-exception"]
k = Tensor([1.0, 1.0])
y = (u * k).sum()
k[0] = 5.0
y.backward()

# %% nbgrader={"grade": true, "grade_id": "backward_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""backward fills .grad of leaves with tensors, adds to what is there, and gives each leaf its own array."""
p, q = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)
s = p + q
s.sum().backward()
assert isinstance(p.grad, Tensor) and s.grad is None, "a Tensor for each leaf, nothing for what lies between"
assert not np.shares_memory(p.grad.data, q.grad.data), "p and q share one gradient's memory: take _own"
(p * p).backward([10.0, 1.0])
np.testing.assert_array_equal(p.grad.data, [21, 5], err_msg="1 from the sum, plus 2 p times the gradient given")
zero_grad([p, q])
assert p.grad is None, "zero_grad forgets"
try:
    (p * q).backward()
except RuntimeError as error:
    assert "(2,)" in str(error), f"the error must name the shape (2,), it says: {error}"
else:
    raise AssertionError("two numbers and no gradient given: take _seed, which refuses this")

# %% nbgrader={"grade": true, "grade_id": "backward_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on three losses and a float64 leaf, on what is refused, and on a gradient given, which must not change."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_p, _c = Tensor([[1.0, -2.0]], requires_grad=True, dtype=np.float64), Tensor([3.0, 4.0])
for _ in range(3):
    backward((_p.exp() * 2).sum())
answer([_p.grad, str(_p.grad.dtype), _p.grad.origin is None], about="three losses")
_y = (_p * _p).sum()
backward(_y)
answer([raised(backward, _y), raised(backward, _c.sum()), raised(backward, _p * 2)], about="what is refused")
_u = Tensor([1.0, 1.0], requires_grad=True)
_given = np.array([5.0, 6.0], np.float32)
backward(_u + 0, _given)
answer([_u.grad, bool(np.shares_memory(_u.grad.data, _given)), _given, _u], about="a gradient given; it and the leaf afterwards")
### END HIDDEN TESTS

# %% [markdown]
# ### The ops of modules 03, 06 and 07
#
# Ops that were fused for speed bring one rule each. With $y$ the softmax along an axis, every output depends on every input of
# its row, and what remains after the sums is short:
#
# $$G_x = y \odot \left(G - \textstyle\sum G \odot y\right)$$

# %% nbgrader={"grade": false, "grade_id": "rules_fused", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@gradient(SigmoidOp)
def _(op, grad): return (grad * (op.saved[0] * (1 - op.saved[0])),)
def _softmax_gradient(y, grad, dim):
    inner = grad * y
    inner -= y * inner.sum(axis=dim, keepdims=True)
    return inner
@gradient(SoftmaxOp)
def _(op, grad): return (_softmax_gradient(*op.saved, grad, *op.parameters),)
@gradient(LogSoftmaxOp)
def _(op, grad): return (grad - np.exp(op.saved[0]) * grad.sum(axis=op.parameters[0], keepdims=True),)
@gradient(AttentionWeightsOp)
def _(op, grad):
    q, k, w = op.saved
    scores = _softmax_gradient(w, grad, -1)  # (..., n, m)
    scores /= np.sqrt(q.shape[-1], dtype=w.dtype)
    return lambda: scores @ k, lambda: _swapped(scores) @ q

# %% [markdown]
# Raise all scores alike, and a softmax does not change. So what must the gradient of each row add up to?

# %%
scores = Tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 5.0]], requires_grad=True)
apply(SoftmaxOp(1), scores).backward([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
scores.grad, scores.grad.sum(1)

# %% [markdown]
# A convolution is a matrix product over patches, so its two gradients are products as well: the weights' gradient is patchesᵀ
# times `grad`, and a patch's is `grad` times weightsᵀ, after which each number of each patch goes back to where it was
# taken from, *added* where patches overlap. `_put_back` does that, and serves pooling too. With stride 1 there is a shorter way: what
# an input pixel gets comes from a window of outputs, so its gradient is a convolution of `grad` with the kernel turned by
# 180°. All work a few images at a time, on all threads, channels last, as module 06 found. Sums over images are made in
# a fixed order: the same bits each time.

# %% nbgrader={"grade": false, "grade_id": "rules_spatial", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _put_back(taps: Callable, shape: tuple, kernel, stride, padding, dtype, size: int) -> np.ndarray:
    """What lay under each place of the kernel, added up where it was: taps(first, last) yields (b, oh, ow, c); -> shape."""
    (n, c, h, w), (kh, kw), (sh, sw), (ph, pw) = shape, kernel, stride, padding
    x, apart = np.zeros((n, h + 2 * ph, w + 2 * pw, c), dtype), sh >= kh and sw >= kw
    def work(first: int, last: int) -> None:
        for (i, j), tap in zip(np.ndindex(kh, kw), taps(first, last), strict=True):
            there = x[first:last, i : i + sh * tap.shape[1] : sh, j : j + sw * tap.shape[2] : sw]
            np.copyto(there, tap if apart else there + tap)
    in_blocks(work, n, size)
    return x.transpose(0, 3, 1, 2)[:, :, ph : ph + h, pw : pw + w]
def _channels_last(grad):
    return np.ascontiguousarray(grad.transpose(0, 2, 3, 1))  # (n, oh, ow, c)
# %% nbgrader={"grade": false, "grade_id": "rule_conv", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@gradient(Conv2dOp)
def _(op, grad):
    (x, weight, _), (stride, padding), grad = op.saved, op.parameters, _channels_last(grad)
    (n, c, _, _), (out, _, kh, kw), (_, oh, ow, _) = x.shape, weight.shape, grad.shape
    k = kh * kw * c
    def for_x():
        if stride == (1, 1) and padding[0] < kh and padding[1] < kw:
            turned, frame = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3), (kh - 1 - padding[0], kw - 1 - padding[1])
            return conv2d_blocked(grad.transpose(0, 3, 1, 2), turned, padding=frame)
        size = 2 * BLOCK_BYTES // (oh * ow * k * grad.itemsize)  # images in a block
        matrix = weight.transpose(0, 2, 3, 1).reshape(out, k)
        def taps(first, last):
            patches = (grad[first:last].reshape(-1, out) @ matrix).reshape(last - first, oh, ow, kh, kw, c)
            return (patches[:, :, :, i, j] for i, j in np.ndindex(kh, kw))
        return _put_back(taps, x.shape, (kh, kw), stride, padding, grad.dtype, size)
    def for_weight():
        parts = {}
        def work(first, last):
            blocks = in_windows(x[first:last], (kh, kw), stride, padding)
            parts[first] = sum(rows.T @ grad[first:last][place].reshape(-1, out) for place, rows in blocks)
        in_blocks(work, n, -(-n // 8))  # eight parts, whatever the number of threads
        total = sum(parts[first] for first in sorted(parts))
        return np.ascontiguousarray(np.reshape(total, (kh, kw, c, out)).transpose(3, 2, 0, 1))
    def for_bias():
        rows = grad.reshape(-1, out)
        return np.ones(len(rows), rows.dtype) @ rows
    return (for_x, for_weight, for_bias)[: 2 + op.saved[2]]
# %% [markdown]
# Pooling puts back with the same tool: the maximum sends each `grad` to the tap that won, the mean an equal part to every tap.

# %% nbgrader={"grade": false, "grade_id": "rules_pool", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@gradient(MaxPool2dOp)
def _(op, grad):
    (which, shape), grad = op.saved, _channels_last(grad)
    which = which.transpose(0, 2, 3, 1)
    def taps(first, last):
        return (grad[first:last] * (which[first:last] == t) for t in range(op.parameters[0][0] * op.parameters[0][1]))
    return (_put_back(taps, shape, *op.parameters, grad.dtype, 2 * BLOCK_BYTES // max(1, grad[:1].nbytes)),)
@gradient(AvgPool2dOp)
def _(op, grad):
    (shape,), (kh, kw) = op.saved, op.parameters[0]
    grad = _channels_last(grad) / (kh * kw)
    def taps(first, last): return (grad[first:last] for _ in range(kh * kw))
    return (_put_back(taps, shape, *op.parameters, grad.dtype, 2 * BLOCK_BYTES // max(1, grad[:1].nbytes)),)

# %% [markdown]
# Two windows of 3 × 3 overlap by one column. Which pixel gets twice 1/9 from a mean?

# %%
pixels = Tensor(np.zeros((1, 1, 3, 5)), requires_grad=True)
apply(AvgPool2dOp((3, 3), (2, 2), (0, 0)), pixels).sum().backward()
9 * pixels.grad

# %% [markdown]
# ## 8. Not now
#
# When a trained network only answers, nobody will ask for gradients, and yet each result keeps its whole past. `no_grad()` turns
# the recording off: `apply` looks at `Op.recording`. Afterwards the switch must be *as it was before*, even
# if an error comes in between, and even inside another `no_grad()`.
#
# `@contextmanager` makes a `with` block from a function with one `yield`: what stands before it runs on entering, what
# stands in a `finally` behind it on leaving. What it makes also serves as a decorator. About five lines.

# %% nbgrader={"grade": false, "grade_id": "no_grad", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@contextmanager
def no_grad():
    """`with no_grad():` or `@no_grad()`: results forget how they came about. One switch, for all threads."""
    ### BEGIN SOLUTION
    before, Op.recording = Op.recording, False
    try:
        yield
    finally:
        Op.recording = before
    ### END SOLUTION

def grad_enabled() -> bool:
    """Whether results remember how they came about."""
    return Op.recording

# %% [markdown]
# What is held until the answer is thrown away: predict both numbers, the second first.

# %%
for name, f in [("recorded", lambda: model(x)), ("no_grad", no_grad()(lambda: model(x)))]:
    print(f"{name:9} requires_grad {f().requires_grad!s:5}  peak {readable(peak_memory(f), 'B')}")

# %% nbgrader={"grade": true, "grade_id": "no_grad_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""no_grad switches off inside, and afterwards all is as it was: nested, after an error, and as a decorator."""
v = Tensor([1.0], requires_grad=True)
with no_grad():
    assert not grad_enabled() and not (v * 2).requires_grad, "inside, results must not remember"
    with no_grad():
        pass
    assert not grad_enabled(), "leaving the inner block must not switch recording on: as it was *before*"
assert grad_enabled() and (v * 2).requires_grad, "afterwards recording must be on again"
try:
    with no_grad():
        raise KeyError("x")
except KeyError:
    assert grad_enabled(), "an error must not leave recording off"
assert not no_grad()(lambda: v * 2)().requires_grad, "as a decorator"

# %% nbgrader={"grade": true, "grade_id": "no_grad_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a write in place, on the same decorated function called twice, and on errors that must come through."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_v = Tensor([1.0, 2.0], requires_grad=True)
with no_grad():
    _v[0] = 7.0
_f = no_grad()(lambda: (_v * _v).sum())
answer([_v, _f().requires_grad, _f().requires_grad, grad_enabled()], about="a write, and two calls")

def _inside():
    with no_grad():
        raise LookupError("must come through")

answer([raised(_inside), grad_enabled()], about="an error")
### END HIDDEN TESTS

# %% [markdown]
# ## 9. Trust
#
# A wrong rule raises no error. The network learns a little worse, and nobody knows why. But a derivative can be checked
# without knowing its formula: change one number by $\pm h$ and look. For an array $y$ we look at $\sum v \odot y$ with
# random $v$, for which `backward(v)` should give the gradient:
#
# $$\frac{\partial}{\partial x_i} \sum v \odot f(x) \approx \frac{\sum v \odot \left(f(x + h e_i) - f(x - h e_i)\right)}{2h}$$
#
# Write `numerical_gradient`: for each index of the array (`np.ndindex(array.shape)`), write the number plus $h$, evaluate; minus $h$,
# evaluate; put the number back exactly. `evaluate()` gives a float. About six lines.

# %% nbgrader={"grade": false, "grade_id": "numerical_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def numerical_gradient(evaluate: Callable[[], float], array: np.ndarray, h: float = 1e-6) -> np.ndarray:
    """How evaluate() changes with each number of the array, by central differences; afterwards the array is as it was."""
    slopes = np.zeros_like(array)
    ### BEGIN SOLUTION
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + h
        above = evaluate()
        array[index] = value - h
        slopes[index] = (above - evaluate()) / (2 * h)
        array[index] = value
    ### END SOLUTION
    return slopes

# %%
cubes = np.array([1.0, 2.0, 3.0])
numerical_gradient(lambda: float((cubes**3).sum()), cubes)

# %% nbgrader={"grade": true, "grade_id": "numerical_gradient_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""numerical_gradient finds the slope for each number, in any shape, and leaves no trace."""
array = np.array([[1.0, -2.0, 0.3], [3.0, 0.5, 0.1]])
before = array.copy()
slopes = numerical_gradient(lambda: float((array**3).sum()), array)
assert slopes.shape == (2, 3), f"a slope for each number: (2, 3), not {slopes.shape}"
assert np.allclose(slopes, 3 * array**2, atol=1e-6), f"(x³)' = 3x² = {3 * array**2}, not {slopes}"
np.testing.assert_array_equal(array, before, err_msg="each number must be put back exactly")

# %% nbgrader={"grade": true, "grade_id": "numerical_gradient_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a lone number, with a large step, on numbers that act on each other."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_a = np.array(2.0)
answer([numerical_gradient(lambda: float(np.exp(_a)), _a, 0.5), _a], about="a number, h = 0.5")
_b = np.random.default_rng(0).standard_normal((3, 2))
answer([numerical_gradient(lambda: float((_b[:, 0] * _b[:, 1] ** 2).prod()), _b), _b], about="a product of all")
### END HIDDEN TESTS

# %% [markdown]
# With it, `gradcheck(f, *inputs)` compares what your rules say with what small steps say, in float64, number by
# number. In float32 the difference of two losses would drown in rounding.

# %% nbgrader={"grade": false, "grade_id": "gradcheck", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def gradcheck(f: Callable, *inputs, h: float = 1e-6, rtol: float = 1e-5, atol: float = 1e-7) -> bool:
    """True if backward agrees with small steps in every number of the inputs, in float64; else an AssertionError says where."""
    xs = [Tensor(x, requires_grad=True, dtype=np.float64) for x in (np.array(x, np.float64) for x in inputs)]
    y = f(*xs)
    v = np.random.default_rng(0).standard_normal(y.shape)
    found = gradients(y, v)
    def evaluate():
        with no_grad():
            return float((f(*xs).data * v).sum())
    for number, x in enumerate(xs):
        mine, steps = found.get(x, np.zeros(x.shape)), numerical_gradient(evaluate, x.data, h)
        wrong = np.argwhere(~np.isclose(mine, steps, rtol, atol))
        if len(wrong):
            at = tuple(wrong[0].tolist())
            raise AssertionError(f"input {number} at {at}: the rules say {mine[at]:.8g}, small steps say {steps[at]:.8g}")
    return True

# %%
gradcheck(lambda a, b: (a @ b).tanh(), np.ones((2, 3)), 0.1 * np.ones((3, 4)))

# %% [markdown]
# Somebody writes an op of their own, and forgets something in its rule. Can you see it? `gradcheck` can:

# %%
class Cube(Op):
    def forward(self, a):
        self.saved = (a,)
        return a * a * a

# %%
@gradient(Cube)
def _(op, grad):
    return (3 * op.saved[0] ** 2,)

# %% tags=["raises-exception"]
gradcheck(lambda a: apply(Cube(), a), [1.0, 2.0, -3.0])

# %% [markdown]
# And a layer, for its input, its weights and its bias, as module 06 wrote it, without a line about derivatives:

# %%
from tinytorch.core.spatial import Conv2d

layer, picture = Conv2d(2, 3, 3, stride=2, padding=1), np.random.default_rng(0).standard_normal((2, 2, 5, 6))

# %%
def with_weights(x, weight, bias):
    layer.weight, layer.bias = weight, bias
    return layer(x)

# %%
gradcheck(with_weights, picture, layer.weight, layer.bias)

# %% [markdown]
# ## 10. Time for memory
#
# Until backward comes, all steps in between are kept. **Checkpointing** keeps only what goes into a block of the network. When
# backward reaches the block, it runs the block *again*, recording this time, and differentiates that
# (Chen et al. 2016).
#
# `checkpoint(block, x)` is given: it runs the block on a stand-in for `x` once, notes which `leaves` (weights) it used, drops the graph, and
# applies one op whose inputs are `x` and those leaves. The block must not read other tensors with a past. `_replay` records, with the random
# numbers of the first time, so that a dropout drops the same.

# %% nbgrader={"grade": false, "grade_id": "checkpoint", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class CheckpointOp(Op):
    """CheckpointOp(function, stand-ins of its inputs, leaves it used, state of the generator): one op for a whole block."""
    def forward(self, *arrays):
        self.saved = arrays
        return self.result

@contextmanager
def _replay(state: dict):
    """Recording, and the default generator as it was then."""
    generator, before = default_generator.bit_generator, (default_generator.bit_generator.state, Op.recording)
    generator.state, Op.recording = state, True
    try:
        yield
    finally:
        generator.state, Op.recording = before

def _stand_in(x: Tensor) -> Tensor:
    """The same array as a leaf."""
    leaf = x.detach()
    leaf.requires_grad = x.requires_grad
    return leaf

def checkpoint(function: Callable, *inputs: Tensor) -> Tensor:
    """function(*inputs), of which only the inputs and the leaves it used are kept: backward computes it a second time."""
    if not Op.recording:
        return function(*inputs)
    state, stand_ins = default_generator.bit_generator.state, [_stand_in(x) for x in inputs]
    y = function(*stand_ins)
    own = {id(x) for x in stand_ins}
    leaves = [t for t in recipe(y) if t.requires_grad and not t.origin and id(t) not in own]
    op = CheckpointOp(function, stand_ins, leaves, state)
    op.result = y.data
    return apply(op, *inputs, *leaves)

# %% [markdown]
# The rule is yours. `op.parameters` are `function, stand_ins, leaves, state`. Within `_replay(state)` run the function on the
# stand-ins; then `gradients(y, grad)` is a dict from leaf to gradient, and the stand-ins are leaves too. Return the gradient of
# each stand-in, then of each leaf, `None` for one that got none. About five lines.

# %% nbgrader={"grade": false, "grade_id": "checkpoint_rule", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@gradient(CheckpointOp)
def _(op, grad):
    function, stand_ins, leaves, state = op.parameters
    ### BEGIN SOLUTION
    with _replay(state):
        y = function(*stand_ins)
    found = gradients(y, grad)
    return tuple(found.get(t) for t in (*stand_ins, *leaves))
    ### END SOLUTION

# %% [markdown]
# How many tensors does the recipe of a checkpointed network hold?

# %%
len(recipe(model(x[:1]))), len(recipe(checkpoint(model, x[:1])))

# %% nbgrader={"grade": true, "grade_id": "checkpoint_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""A checkpointed block gives the same gradients, runs once more, and its graph is one op."""
runs = []
weight, v = Tensor([[1.0, 2.0], [-1.0, 0.5]], requires_grad=True), Tensor([[0.3, 0.7]], requires_grad=True)
def block(a):
    runs.append(a.shape)
    return ((a @ weight).tanh() * a).exp()

backward((block(v) ** 2).sum())
wanted = v.grad.data, weight.grad.data
zero_grad([v, weight])
y = checkpoint(block, v)
assert len(runs) == 2 and type(y.origin[0]) is CheckpointOp
backward((y**2).sum())
assert len(runs) == 3, f"backward must run the block once more, and did so {len(runs) - 2} times"
np.testing.assert_allclose(v.grad.data, wanted[0], rtol=1e-6, err_msg="the gradient of the input")
np.testing.assert_allclose(weight.grad.data, wanted[1], rtol=1e-6, err_msg="the gradient of a weight inside")

# %% nbgrader={"grade": true, "grade_id": "checkpoint_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again with dropout, with a block inside a block, in float32, and on the state of the generator and of recording afterwards."""
### BEGIN HIDDEN TESTS
from tito.grading import answer
from tinytorch.core.dense import Dropout
from tinytorch.core.tensor import manual_seed, rand

manual_seed(3)
_drop, _v = Dropout(0.5), Tensor(np.ones(20), requires_grad=True)
_y = checkpoint(lambda a: _drop(a) * a, _v)
_next = rand(2)
with no_grad():
    backward(_y, np.ones(20, np.float32))
answer([_v.grad, _next, rand(2), grad_enabled()], about="the same dropout twice")
_w, _c = Tensor([2.0, 3.0], requires_grad=True), Tensor([1.0, 4.0])
backward(checkpoint(lambda a, b: checkpoint(lambda u: u * _w + b, a * _w), _w, _c).sum())
answer([_w.grad, _c.grad is None], about="a block in a block")
_g, _y = np.ones(2, np.float32), checkpoint(lambda a: a * a, _w)
_found = [g() if callable(g) else g for g in RULES[CheckpointOp](_y.origin[0], _g)]
answer([*_found, _g], about="the rule itself, and grad afterwards")
### END HIDDEN TESTS

# %% [markdown]
# ## Use: learn the digits
#
# Who wants to see what will be walked asks for a picture. What requires a gradient is coloured.

# %% nbgrader={"grade": false, "grade_id": "draw_graph", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def draw_graph(*results: Tensor):
    """Draw the ops and tensors that the results came from, those on the way of a gradient coloured; matplotlib's Axes."""
    def label(t): return f"{type(t.origin[0]).__name__ if t.origin else type(t).__name__}\n{t.shape}"
    def inputs(t): return t.origin[1] if t.origin else ()
    return draw_dependencies(results, inputs, label, [t for t in recipe(*results) if t.requires_grad])

# %%
draw_graph(loss_of(MLP([64, 10], None), rows[:32]));

# %% [markdown]
# At the beginning one step by trying would have taken minutes. And now? The whole of training in a dozen lines: a batch, a loss, `backward`, and a
# small step against each gradient. `assign` writes in place and notes the date. Which share of the 500 digits that it never saw
# will it recognise? (Module 02's nearest mean: about 90 %.)

# %%
manual_seed(1)
model, rng, losses = MLP([64, 64, 10], relu), np.random.default_rng(1), []
loss_of(model, rows).item()

# %%
for _ in range(600):
    loss = loss_of(model, rng.integers(0, 1297, 64))
    loss.backward()
    for p in model.parameters():
        p.assign(p.data - 0.3 * p.grad.data)
    zero_grad(model.parameters())
    losses.append(loss.item())

# %%
with no_grad():
    guess = model(x[1297:]).argmax(1).numpy()
accuracy = (guess == labels[1297:]).mean()
assert accuracy > 0.9
f"{accuracy:.1%} of 500"

# %%
loss_of(model, rows).item(), model.parameters()[0].grad

# %%
import matplotlib.pyplot as plt

plt.figure(figsize=(6, 2.4))
plt.semilogy(losses, lw=0.7)
plt.gca().set(xlabel="step", ylabel="loss of the batch");

# %% [markdown]
# Five of those it takes for something else:

# %%
wrong = np.flatnonzero(guess != labels[1297:])[:5]
plt.figure(figsize=(6, 1.8))
plt.imshow(np.hstack(images.reshape(-1, 8, 8)[1297 + wrong]), cmap="gray_r")
plt.gca().set(title="taken for " + ", ".join(map(str, guess[wrong])), xticks=[], yticks=[]);

# %% [markdown]
# What if you leave `zero_grad` out? Each step then follows the sum of all gradients so far. Try it: the loss falls at first, and
# then runs into swings that it cannot stop.
#
# ## Systems: what a graph holds
#
# An MLP of `depth` layers, `width` wide, on a batch. Per layer two results stay alive: the product with its bias, and the ReLU, each of
# `batch · width` numbers of 4 bytes. Weights were there before. Write down the bytes for the first row.

# %%
width = 256
for depth, batch in [(4, 128), (8, 128), (16, 128), (8, 512)]:
    net, inputs = MLP([width] * (depth + 1), relu), Tensor(np.ones((batch, width)))
    predicted, held = (2 * depth - 1) * batch * width * 4, peak_memory(net, inputs)
    print(f"depth {depth:2}  batch {batch:3}  predicted {readable(predicted, 'B'):>8}  measured {readable(held, 'B'):>8}")
    assert abs(held / predicted - 1) < 0.15

# %% [markdown]
# (The last layer has no ReLU.) The graph grows with depth *and* with batch; the weights only with depth. That is why a batch that is too large
# ends training with "out of memory", and a model alone rarely does.
#
# ### Checkpoints
#
# 16 layers in blocks of `size`. What is kept: one result for each block, $16 / size$, and while a block is redone, its own two for each layer, $2 \cdot
# size$. Where is their sum smallest? And the time: backward makes two products for each one of forward. If products were everything, and forward is done
# twice, by which factor would a step take longer? (Memory that was never asked for need not be fetched: this can win some of it back.)

# %%
from tinytorch.core.dense import Sequential

net, inputs = MLP([width] * 17, relu), Tensor(np.ones((512, width)))
layers = list(net)

# %%
def step(size):
    h = inputs
    for first in range(0, 16, size):
        block = Sequential(*layers[first : first + size])
        h = checkpoint(block, h) if size < 16 else block(h)
    backward(h.mean())

# %%
for size in (16, 8, 4, 2, 1):
    print(f"blocks of {size:2}  peak {readable(peak_memory(step, size), 'B'):>8}")

# %%
compare({"whole": lambda: step(16), "blocks of 4": lambda: step(4), "blocks of 2": lambda: step(2)}, rounds=9)

# %% [markdown]
# ### One op
#
# 1,000 additions and products on 16 × 16 numbers: arithmetic is almost nothing here. What remains is the price of remembering and of the
# walk, per op. Will backward cost more than forward?

# %%
def long_chain(t, n=500):
    for _ in range(n):
        t = t * t + t
    return t

# %%
small = Tensor(np.full((16, 16), 0.001), requires_grad=True)
plain = time_call(long_chain, small.data).min

# %%
forward = time_call(long_chain, small).min
both = time_call(lambda: backward(long_chain(small), np.ones((16, 16)))).min

# %%
for name, seconds in [("NumPy alone", plain), ("recorded", forward - plain), ("backward", both - forward)]:
    print(f"{name:12} {1e6 * seconds / 1000:5.2f} µs an op")

# %% [markdown]
# ## Reflect
#
# A step of your MLP from the table: depth 16, batch 128, width 256. State the bytes of the weights, of their gradients, and of the graph. Then:
# from which batch on is the graph larger than weights and gradients together? Compare with a row of the table, and say which of the
# three checkpointing reduces. At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "memory_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# Weights: 16 · (256² + 256) · 4 B = 4.2 MB, and the gradients are as large. The graph: 31 · 128 · 256 · 4 B = 4.1 MB, which the table shows within a few percent.
# It grows by 31 · 256 · 4 B = 32 kB for each example, so from 8.4 MB / 32 kB, about 265 examples on, it is the larger part. Only the graph shrinks by checkpointing.
#
# Rubric: 2 points for the bytes of weights and gradients; 2 for the graph, compared with the measured row; 2 for the batch of about 265; 1 for the graph alone.

# %% [markdown]
# Take your own table of checkpoints. Which block size has the smallest peak, and which does the count $16/s + 2s$ choose? If it cannot decide: what was not counted?
# Count the forward and backward passes of a step with checkpoints, derive a factor of time from them, and say how far your measurement is from it. Name one case in which
# a checkpoint saves nothing. At most six sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "checkpoint_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# 16/s + 2s is 12 for s = 2 and for 4, 18 for 1 and 8: a tie. The measured smallest peak is at 2 (9.0 MB; 10.3 MB at 4). Not counted: the gradients of the weights, which pile up while
# blocks are let go. At the end all 4.2 MB of them lie beside one redone block, and that of 4 is the larger. With checkpoints a step is two forward passes and a backward pass worth two: 4 in place of 3, a factor of 1.33.
# Measured: 1.38 (1.03 to 1.82) for blocks of 4, so 4/3 lies within the spread. One block that holds the whole network saves nothing: when it is redone, all of its results are alive at once.
#
# Rubric: 2 points for the count (2 and 4 alike), 1 for the comparison with the own table (what was not counted may be named in other words), 2 for 4/3 with its reason, 1 for the comparison with the measured factor, 1 for a valid case (a single block, or blocks whose results are small beside their inputs).

# %% [markdown]
# `gradcheck` of `relu` at the array `[1.0, 0.0, -1.0]`: predict what the rule says and what small steps say for each number, then run it. Is the rule wrong? And for
# `maximum` of two equal tensors? At most four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "kink_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# Rule: 1, 0, 0. Small steps: 1, 0.5, 0, because at 0 one step goes up with slope 1 and the other is flat, so gradcheck raises at (1,). The rule is not wrong: at a kink there is no derivative, and any value from 0 to 1 is a
# subgradient. For two equal tensors the rule halves, and small steps say 0.5 as well, so gradcheck is content.
#
# Rubric: 2 points for the rule's numbers, 2 for 0.5 and its reason, 1 for no derivative at a kink, 1 for the halves at the tie.

# %% [markdown]
# ## Summary
#
# Everything that modules 02 to 08 can compute can now be differentiated, none of their lines changed: a table of rules and one walk. An op defined later
# brings its rule along. Not recorded: derivatives of derivatives, since rules compute on arrays. Module 10 takes the step
# that the dozen lines above took by hand, and takes it better.
