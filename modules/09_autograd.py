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
#     hours: 8
#     goals:
#     - measure a derivative by small steps, and check every other derivative with them
#     - write the derivative of an operation as a rule, and follow all edges of a graph
#     - undo broadcasting, add up what arrives on several edges, keep it on the leaves
#     - derive the rules of matrix product, softmax, convolution and pooling
#     - predict what a graph holds in memory, and spend time to hold less
# ---

# %% [markdown]
# # Autograd
#
# > Derivatives of all that the framework computes: a table of rules, and one walk.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules
# before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(9)

# %% [markdown]
# ## Why
#
# A network with random weights guesses. To improve it, we must know for each weight:
# does the loss grow or shrink if the weight grows, and how fast? We can try: change one
# weight a little, run the network again, look at the loss. Here is a small network for
# the digits. Its loss is small where the right digit gets a high probability. How long
# would such a trial take for all of its weights?

# %%
import matplotlib.pyplot as plt
import numpy as np

from tinytorch.core.activations import log_softmax, relu
from tinytorch.core.dense import MLP
from tinytorch.core.introduction import levels, positions
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
weights = sum(p.size for p in model.parameters())
once = time_call(loss_of, model, rows).min
print(f"one loss {readable(once, 's')}, one for each of {weights:,} weights "
      f"{readable(weights * once, 's')}")

# %% [markdown]
# All that for one small improvement, and training takes thousands. Networks in use have
# millions of weights. A tensor has a method for this, `backward`. It needs the module
# that you are about to build, so for now it fails:

# %% tags=["raises-exception"]
loss_of(model, rows).backward()

# %% [markdown]
# At the end of this module it gives the derivatives for all weights in the time of a
# few losses. How many? You will measure it.

# %%
#| default_exp core.autograd

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from functools import partial, wraps
from inspect import isgeneratorfunction
from types import FunctionType, MethodType, ModuleType

import numpy as np

from tinytorch.core.activations import LogSoftmaxOp, SigmoidOp, SoftmaxOp
from tinytorch.core.attention import AttentionOp, AttentionWeightsOp
from tinytorch.core.layers import LinearOp
from tinytorch.core.spatial import AvgPool2dOp, Conv2dOp, MaxPool2dOp
from tinytorch.core.spatial import conv2d_blocked, in_windows
from tinytorch.core.tensor import (
    Abs, Add, Cast, Clip, Concat, Div, Exp, Expand, Index, Log, MatMul, Max, Maximum,
    Min, Minimum, Mul, Neg, Op, Permute, Pow, Reshape, Sqrt, Sub, Sum, TanhOp, Tensor,
    Where, _note_write, _wrap, _writes, _written, apply, default_generator, grad_mode,
    recipe,
)
from tinytorch.threads import BLOCK_BYTES, LARGE, elementwise, in_blocks, matmul

# %% [markdown]
# ## 1. Small steps
#
# A derivative says how fast a result changes with a number. So change the number by a
# small $h$, once up and once down, and divide by the distance:
#
# $$\frac{\partial f}{\partial x_i} \approx \frac{f(x + h e_i) - f(x - h e_i)}{2h}$$
#
# Here $e_i$ is 1 at place $i$ and 0 elsewhere. One step alone, $(f(x + h) - f(x)) / h$,
# is less exact: for $f = x^3$ at 1 and $h = 0.1$ the two formulas give 3.31 and 3.01.
# Which is which?

# %% [markdown]
# Write `numerical_gradient`. `evaluate()` reads the array and returns $f$. For each
# index in `np.ndindex(array.shape)` your function writes the number plus `h` into the
# array itself and calls `evaluate()`. It does the same with the number minus `h`. Then
# it puts back the very number that was there. About six lines.

# %% nbgrader={"grade": false, "grade_id": "numerical_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def numerical_gradient(evaluate: Callable, array: np.ndarray, h=1e-6) -> np.ndarray:
    """The slope of evaluate() for each number of the array: central differences."""
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

# %% [markdown]
# $x^3$ at 1, 2 and 3:

# %%
cubes = np.array([1.0, 2.0, 3.0])
numerical_gradient(lambda: (cubes**3).sum(), cubes)

# %% nbgrader={"grade": true, "grade_id": "numerical_gradient_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""A slope for each number, from a step up and a step down, and no trace afterwards."""
array = np.array([[1.0, -2.0, 0.3], [3.0, 0.5, 0.1]])
before = array.copy()
slopes = numerical_gradient(lambda: float((array**3).sum()), array)
assert slopes.shape == (2, 3), f"a slope for each number: (2, 3), not {slopes.shape}"
moved = np.abs(array - before).max()
assert moved == 0, f"a number came back off by {moved:.2g}: put back the one you kept"
one = np.array([1.0])
(wide,) = numerical_gradient(lambda: float((one**3).sum()), one, 0.5)
assert abs(wide - 3.25) < 1e-9, (
    f"x³ at 1 with h = 0.5: (1.5³ - 0.5³) / 1 is 3.25, not {wide:.6g}. Write a step up "
    "and a step down into the array itself, each of length h, and divide by 2h")
gap = np.abs(slopes - 3 * before**2).max()
assert gap < 1e-6, f"(x³)' is 3x²: one of your slopes is off by {gap:.6g}"

# %% nbgrader={"grade": true, "grade_id": "numerical_gradient_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a single number and on numbers that act on each other."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_a = np.array(2.0)
_found = numerical_gradient(lambda: float(np.exp(_a)), _a, 0.5)
answer([_found, _a], about="a number, h = 0.5")
_b = np.random.default_rng(0).standard_normal((3, 2))
_found = numerical_gradient(lambda: float((_b[:, 0] * _b[:, 1] ** 2).prod()), _b)
answer([_found, _b], about="a product of all")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. By hand
#
# Small steps are easy to trust and slow. The chain rule is fast. Take one neuron and
# one example: the prediction is $p = wx + b$, the loss is $l = (p - t)^2$. The loss
# changes with $w$ only through $p$, so the two rates multiply:
#
# $$\frac{\partial l}{\partial w} = \frac{\partial l}{\partial p}\,
# \frac{\partial p}{\partial w}, \qquad \frac{\partial l}{\partial p} = 2(p - t)$$
#
# Work out how $p$ changes with $w$ and with $b$. Then return both derivatives of $l$.
# Two lines.

# %% nbgrader={"grade": false, "grade_id": "by_hand", "locked": false, "schema_version": 3, "solution": true, "task": false}
def neuron_gradient(w: float, b: float, x: float, t: float) -> tuple[float, float]:
    """(dl/dw, dl/db) for l = (w x + b - t)²."""
    ### BEGIN SOLUTION
    dl_dp = 2 * (w * x + b - t)
    return dl_dp * x, dl_dp
    ### END SOLUTION

# %% [markdown]
# Which way must `w` go so that the loss falls, if the prediction is 2 too large and `x`
# is negative?

# %%
neuron_gradient(1.0, 0.0, -3.0, -5.0)

# %% nbgrader={"grade": true, "grade_id": "by_hand_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""The two derivatives are what small steps in w and in b do to the loss."""
at = np.array([0.5, -1.0])  # w, b
steps = numerical_gradient(lambda: (at[0] * 3.0 + at[1] - 2.0) ** 2, at)
found = np.array(neuron_gradient(0.5, -1.0, 3.0, 2.0), float)
assert found.shape == (2,), f"return two numbers, dl/dw and dl/db, not {found}"
assert np.allclose(found, steps), (
    f"w = 0.5, b = -1, x = 3, t = 2: small steps say dl/dw = {steps[0]:.6g}, "
    f"dl/db = {steps[1]:.6g}; you say {found[0]:.6g}, {found[1]:.6g}")

# %% nbgrader={"grade": true, "grade_id": "by_hand_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
"""Graded again on other numbers, among them x = 0 and a negative weight."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer([*neuron_gradient(-1.5, 0.25, 0.0, 2.0)], about="x = 0")
answer([*neuron_gradient(-2.0, 3.0, -4.0, 0.5)], about="negative numbers")
### END HIDDEN TESTS

# %% [markdown]
# ### Along the edges
#
# Doing this with formulas becomes hopeless at the second layer. On a drawing it stays
# easy. The next cell draws one; you need not read it. Each box is a tensor with its
# value and the op that made it. Each *use* of a tensor is an arrow of its own: an edge.

# %% nbgrader={"grade": false, "grade_id": "draw_graph", "locked": true, "schema_version": 3, "solution": false, "task": false}
def draw_graph(result, names=(), gradients=()):
    """What result came from. gradients: one for each arrow, the last op's first."""
    def inputs(t): return t.origin[1] if t.origin else ()
    level, names, numbers = levels([result], inputs), dict(names), list(gradients)
    at = {t: (1.7 * place, y) for t, (place, y) in positions(level).items()}
    width, top = max(level.values()), max(y for _, y in at.values())
    size, arrived = (2.0 + 2.0 * width, 1.8 + 1.6 * top), {result: 1}
    ax = plt.subplots(figsize=size, layout="constrained")[1]
    for t in sorted(level, key=lambda t: -t.made):
        made, name = type(t.origin[0] if t.origin else t).__name__, names.get(t)
        value = f"{t.item():.4g}" if t.size == 1 else str(t.shape)
        lines = [made] * (t.origin is not None or not name)
        lines += [f"{name} = {value}" if name else value]
        lines += [f"grad {arrived.get(t, 0):.4g}"] if gradients else []
        color = "#fbe4e4" if t.requires_grad else "white"
        box = {"boxstyle": "round", "ec": "0.4", "fc": color}
        text = "\n".join(lines)
        ax.text(*at[t], text, ha="center", va="center", fontsize=9, bbox=box)
        for place, source in enumerate(inputs(t)):
            (x0, y0), (x1, y1) = at[source], at[t]
            twice = sum(other is source for other in inputs(t)) > 1
            bend = (place - 0.5) * 0.7 if twice else 0
            if x1 - x0 > 2:  # past the boxes between
                bend = -0.35 if y0 > 0 else 0.35
            ax.annotate("", (x1, y1), (x0, y0), zorder=1, arrowprops={
                "arrowstyle": "-|>", "connectionstyle": f"arc3,rad={bend}",
                "color": "0.4", "shrinkB": 8 + 3 * max(map(len, lines))})
            if numbers:
                number = numbers.pop(0)
                arrived[source] = arrived.get(source, 0) + number
                x, y = x0 + x1 + bend * (y1 - y0), y0 + y1 - bend * (x1 - x0)
                ax.text(x / 2, y / 2, f"{number:.4g}", color="C3", ha="center",
                        va="center", bbox={"fc": "white", "ec": "none", "pad": 1})
    ax.set(xlim=(-0.8, 1.7 * width + 0.8), ylim=(-top - 0.9, top + 0.6), aspect="equal")
    ax.axis("off")

# %%
a, b = Tensor(2.0, requires_grad=True), Tensor(-3.0, requires_grad=True)
c = a * b
d = c + a
y = d * c
draw_graph(y, {a: "a", b: "b", c: "c", d: "d", y: "y"})

# %% [markdown]
# Write a number on each arrow: how fast $y$ changes if only *this use* of the tensor
# changes. Start at $y$ and go backwards. Two kinds of op are enough here:
#
# - `Mul` swaps: each side gets the *other* factor, times the number at the box;
# - `Add` distributes: each side gets the number at the box.
#
# The number at $y$ is 1. The number at any other box is the **sum** over the arrows
# that leave it, because each use changes $y$ in its own way.
#
# `edge_gradients(a, b)` returns the six numbers in the order d→y, c→y, c→d, a→d, a→c,
# b→c. About three lines.

# %% nbgrader={"grade": false, "grade_id": "graph_by_hand", "locked": false, "schema_version": 3, "solution": true, "task": false}
def edge_gradients(a: float, b: float) -> tuple:
    """For y = d c, d = c + a, c = a b: numbers at d→y, c→y, c→d, a→d, a→c, b→c."""
    c = a * b
    d = c + a
    ### BEGIN SOLUTION
    at_d = c
    at_c = d + at_d
    return at_d, d, at_d, at_d, at_c * b, at_c * a
    ### END SOLUTION

# %% [markdown]
# Two arrows leave $a$. Which number do you expect in its box? (`grad` in a box is the
# sum of your numbers on the arrows that leave it.)

# %%
draw_graph(y, {a: "a", b: "b", c: "c", d: "d", y: "y"}, edge_gradients(2.0, -3.0))

# %% nbgrader={"grade": true, "grade_id": "graph_by_hand_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""The numbers on the edges, added up at a tensor, are what a small step does."""
edges = edge_gradients(2.0, -3.0)
assert len(edges) == 6, f"six arrows, six numbers; you return {len(edges)}"
at = np.array([-4.0, -6.0])  # d, c
steps = numerical_gradient(lambda: at[0] * at[1], at)
for name, mine, wanted in zip(("d→y", "c→y"), edges, steps):
    assert np.isclose(mine, wanted), (
        f"{name}: y = d c with d = -4 and c = -6, so a small step says {wanted:.6g}, "
        f"not {mine:.6g}")
for name, mine in zip(("c→d", "a→d"), edges[2:]):
    assert np.isclose(mine, edges[0]), (
        f"{name}: d = c + a, so each side gets what d has: {edges[0]:.6g}, "
        f"not {mine:.6g}")
at = np.array([2.0, -3.0])  # a, b
steps = numerical_gradient(lambda: (at[0] * at[1] + at[0]) * at[0] * at[1], at)
for name, mine, wanted in zip("ab", (edges[3] + edges[4], edges[5]), steps):
    assert np.isclose(mine, wanted), (
        f"{name}: a small step says {wanted:.6g}; your arrows that leave {name} sum up "
        f"to {mine:.6g}. Did c get the sum of its two arrows?")

# %% nbgrader={"grade": true, "grade_id": "graph_by_hand_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
"""Graded again for other a and b."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer([*edge_gradients(0.5, 4.0)], about="a = 0.5, b = 4")
answer([*edge_gradients(-1.5, 2.0)], about="a = -1.5, b = 2")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. One rule for each op
#
# You went backwards with two sentences, one for `Mul` and one for `Add`. Such a
# sentence is a **rule**. If we know how the loss changes with the *output* of an op,
# its rule says how the loss changes with its *inputs*:
#
# - it gets the op, which kept in `saved` what it needs, and `grad`: the derivative of
#   the loss by each element of the output, an array of the output's shape;
# - it returns a tuple with one entry, an array, for each input.
#
# The rules stand in a table, and the decorator `gradient` writes into it.

# %% nbgrader={"grade": false, "grade_id": "gradient", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class _Rules(dict):
    def __missing__(self, kind: type[Op]):
        raise NotImplementedError(f"no rule: write one with @gradient({kind.__name__})")
RULES = _Rules()  # kind of op -> its rule
def gradient(kind: type[Op]) -> Callable:
    """Decorator: enter the rule of an op, (op, grad) -> an entry for each input."""
    def enter(rule: Callable) -> None:
        RULES[kind] = rule
    return enter

# %% [markdown]
# All derivatives of an op's outputs by its inputs form a matrix, its *Jacobian*. For a
# million numbers it would have $10^{12}$ entries. A rule never builds it. It multiplies
# the row vector `grad` by it: a **vector–Jacobian product**.
#
# Small steps can test a rule, one op at a time. `rule_fault` draws a random `grad` $G$,
# asks the rule, and compares its answer with small steps in $\sum G \odot y$ ($\odot$
# multiplies element by element). It returns a sentence that says what is wrong, or
# `""`. You need not read it.

# %% nbgrader={"grade": false, "grade_id": "rule_fault", "locked": true, "schema_version": 3, "solution": false, "task": false}
def rule_fault(op, *arrays) -> str:
    """What is wrong with the rule of op, measured by small steps; "" if nothing is."""
    arrays = [np.array(a, float) for a in arrays]
    name, y = type(op).__name__, op.forward(*arrays)
    grad = np.random.default_rng(0).uniform(0.5, 1.5, np.shape(y))
    kept = [np.array(a) for a in (grad, y, *arrays)]
    entries = RULES[type(op)](op, grad)
    if not isinstance(entries, (tuple, list)) or len(entries) != len(arrays):
        return f"{name}: return a tuple, one entry for each input ({len(arrays)})"
    entries = [entry() if callable(entry) else entry for entry in entries]
    if not np.array_equal(grad, kept[0]):
        return f"{name}: the rule wrote into grad, which others need: make a new array"
    if not all(map(np.array_equal, kept[1:], (y, *arrays))):
        return f"{name}: the rule wrote into an array that the op saved"
    other = type(op)(*op.parameters)  # as forward writes into op.saved
    def total(): return float((other.forward(*arrays) * grad).sum())
    for i, (a, entry) in enumerate(zip(arrays, entries)):
        if np.shape(entry) != a.shape:
            return f"{name}: entry {i} is {np.shape(entry)}, its input {a.shape}"
        steps = numerical_gradient(total, a)
        for at in np.argwhere(~np.isclose(entry, steps, 1e-5, 1e-7)).tolist():
            mine, wanted = entry[tuple(at)], steps[tuple(at)]
            return (f"{name}: at {tuple(at)} entry {i} is {mine:.6g}, but small steps "
                    f"in the sum of grad * y say {wanted:.6g}")
    y = op.forward(*[a.astype(np.float32) for a in arrays])
    for entry in RULES[type(op)](op, np.ones_like(y)):
        dtype = (entry() if callable(entry) else entry).dtype
        if dtype != np.float32:
            return f"{name}: grad is float32, so entries are float32, not {dtype}"
    return ""

# %% [markdown]
# Three rules are written: one as a function under `@gradient`, two as a `lambda` put
# into `RULES`. Both forms do the same. `Exp` saved its *result* $y$, and
# $(e^x)' = e^x = y$, so nothing is computed twice.
#
# Write the rules of `Sub` and of `Mul`, which saved `(a, b)`. The array `grad` may
# serve others too: a rule never writes into it. Two lines suffice.

# %% nbgrader={"grade": false, "grade_id": "rule_mul", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@gradient(Add)
def _(op, grad): return grad, grad
RULES[Neg] = lambda op, grad: (-grad,)
RULES[Exp] = lambda op, grad: (grad * op.saved[0],)
### BEGIN SOLUTION
RULES[Sub] = lambda op, grad: (grad, -grad)
RULES[Mul] = lambda op, grad: (grad * op.saved[1], grad * op.saved[0])
### END SOLUTION

# %% [markdown]
# The product is 3 · 5. What are the derivatives of 10 times the product?

# %%
op = Mul()
op.forward(np.array(3.0), np.array(5.0))
RULES[Mul](op, np.array(10.0))

# %% nbgrader={"grade": true, "grade_id": "rule_mul_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""The rules of Sub and Mul agree with small steps and leave grad alone."""
p, q = np.array([2.0, 3.0, -1.0]), np.array([5.0, 7.0, 0.5])
for fault in (rule_fault(Sub(), p, q), rule_fault(Mul(), p, q)):
    assert not fault, fault

# %% nbgrader={"grade": true, "grade_id": "rule_mul_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
"""Graded again on factors that broadcast: the entries keep the output's shape."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_op, _g = Mul(), np.arange(6.0).reshape(2, 3)
_op.forward(np.array([[1.0], [2.0]]), np.array([3.0, -4.0, 0.5]))
answer([*RULES[Mul](_op, _g), *RULES[Sub](Sub(), _g), _g])
### END HIDDEN TESTS

# %% [markdown]
# ### Ops in a row
#
# The output of one op is the input of the next. Backwards, what one rule returns is the
# `grad` of the rule before it. The first `grad` is 1: the derivative of the result by
# itself.
#
# Write `chain` for a result whose ops have one input each: follow `t.origin`, a pair of
# the op and its inputs, until a tensor has none. About five lines.

# %% nbgrader={"grade": false, "grade_id": "chain", "locked": false, "schema_version": 3, "solution": true, "task": false}
def chain(result: Tensor) -> np.ndarray:
    """The derivative of the result by the tensor it began with, one input an op."""
    t, grad = result, np.ones_like(result.data)
    ### BEGIN SOLUTION
    while t.origin:
        op, (source,) = t.origin
        (grad,) = RULES[type(op)](op, grad)
        t = source
    return grad
    ### END SOLUTION

# %% [markdown]
# What is the derivative of $-e^{-x}$ at 0?

# %%
chain(-(-Tensor(0.0, requires_grad=True)).exp())

# %% nbgrader={"grade": true, "grade_id": "chain_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""chain hands what one rule gives to the rule before it, in float32 as it came."""
v = Tensor([0.5, 1.0, 1.5], requires_grad=True)
for name, mine, wanted in [
    ("v", chain(v), 1 + 0 * v.data),
    ("-exp(v)", chain(-v.exp()), -np.exp(v.data)),
    ("exp(exp(v))", chain(v.exp().exp()), np.exp(v.data) * np.exp(np.exp(v.data))),
]:
    assert isinstance(mine, np.ndarray), f"chain gives an array, not {mine}"
    assert mine.shape == (3,) and np.allclose(mine, wanted), (
        f"the derivative of {name} at 1 is {wanted[1]:.6g}, not {mine.ravel()[1:2]}")
    assert mine.dtype == np.float32, f"float32 came in, {mine.dtype} went out"
assert (v.exp().data == np.exp(v.data)).all() and v.data[0] == 0.5, "v was changed"

# %% nbgrader={"grade": true, "grade_id": "chain_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a chain of three thousand ops."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_t = _v = Tensor([[0.3, -0.2]], requires_grad=True)
for _ in range(3001):
    _t = -_t
answer(chain(_t), about="three thousand and one negations")
answer(chain((-(-_v.exp()).exp()).exp()), about="five ops")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. The table
#
# The rest is a table. `Sqrt`, `TanhOp` and `SigmoidOp` saved `(y,)`, their result, as
# `Exp` did: express their derivatives in terms of $y$. `Div` saved `(a, b)`.
#
# $$(\sqrt a)' = \tfrac1{2\sqrt a}, \quad \tanh' = 1 - \tanh^2,
# \quad \tfrac{\partial}{\partial a}\tfrac ab = \tfrac1b, \quad
# \tfrac{\partial}{\partial b}\tfrac ab = -\tfrac a{b^2}$$
#
# For $\sigma(x) = 1 / (1 + e^{-x})$ find the derivative yourself, again in terms of
# $y$.
#
# Most divisors are constants: a mean divides by a count. Nobody needs the derivative by
# the count. So an entry may be a *function* without arguments, which is called only if
# that input requires a gradient. `Div` must return two functions: `lambda: ...`.
# Write the four rules below `Log`. About five lines.

# %% nbgrader={"grade": false, "grade_id": "rules_table", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
RULES[Log] = lambda op, grad: (grad / op.saved[0],)
### BEGIN SOLUTION
RULES[Sqrt] = lambda op, grad: (grad / (2 * op.saved[0]),)
RULES[TanhOp] = lambda op, grad: (grad * (1 - op.saved[0] ** 2),)
RULES[SigmoidOp] = lambda op, grad: (grad * (op.saved[0] * (1 - op.saved[0])),)
@gradient(Div)
def _(op, grad):
    a, b = op.saved
    return lambda: grad / b, lambda: -grad * (a / b / b)  # b² may be too small
### END SOLUTION

# %% [markdown]
# The slope of tanh at 0, at 1 and at 10. Which of them can still learn?

# %%
chain(Tensor([0.0, 1.0, 10.0], requires_grad=True).tanh())

# %% nbgrader={"grade": true, "grade_id": "rules_table_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The rules agree with small steps, write into nothing, and Div computes on demand."""
v = np.array([[0.25, 1.5], [3.0, 0.6]])
for kind in (Log, Sqrt, TanhOp, SigmoidOp):
    fault = rule_fault(kind(), v)
    assert not fault, fault
fault = rule_fault(Div(), v, np.array([[4.0, -0.5], [2.0, 1.0]]))
assert not fault, fault
op = Div()
op.forward(v, v)
assert all(map(callable, RULES[Div](op, v))), (
    "Div: return two functions, `lambda: ...`, so a constant divisor costs nothing")

# %% nbgrader={"grade": true, "grade_id": "rules_table_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on other numbers, and on whether what came in stays as it was."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_v = Tensor([0.1, 4.0, 9.0], requires_grad=True)
answer([chain(_v.sqrt()), chain(_v.sqrt().tanh()), _v], about="one input")
answer(chain(apply(SigmoidOp(), _v)), about="SigmoidOp")
_op = Div()
_op.forward(np.array([[1.0, -2.0]]), np.array([[0.5], [-4.0]]))
_pair = RULES[Div](_op, np.array([[1.0, 2.0], [3.0, 4.0]]))
answer([e() if callable(e) else e for e in _pair], about="Div")
### END HIDDEN TESTS

# %% [markdown]
# ### Where a choice has to be made
#
# The other elementwise rules are given, and those that only move numbers (`Reshape` to
# `Concat`); you need not read further than `Minimum`. At a corner a function has no
# derivative, and a rule has to choose. `maximum` *routes*: the larger number gets all
# of `grad`. At a tie each gets half, as in PyTorch. If the second argument is one
# number, a 0-d tensor, that number wins ties, so that ReLU, the maximum of $x$ and 0,
# has slope 0 at 0.

# %% [markdown]
# The loser gets 0, also if `grad` is infinite, as in `relu(x).sqrt()` at a negative
# $x$. There `grad * 0` would be nan. `np.where` would do, but it takes five times as
# long: `_let_pass` multiplies the *bits* of `grad` by 1 or 0. Beside a nan nobody
# loses, so the nan is followed back to its source.

# %% nbgrader={"grade": false, "grade_id": "let_pass", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
_BITS = {n: np.dtype(f"i{n}") for n in (2, 4, 8)}  # integers of n bytes
def _let_pass(kept, grad):
    """grad where it is kept, else 0, even if it is infinite: its bits times 1 or 0."""
    return (grad.view(_BITS[grad.itemsize]) * kept).view(grad.dtype)
def _where_not_equal(y, b, grad):
    """_let_pass(y != b, grad) for a single number b; on all cores if it is large."""
    if grad.nbytes < LARGE:
        return _let_pass(y != b, grad)
    def compute(bits, y, out=None): return np.multiply(bits, y != b, out=out)
    return elementwise(compute, grad.view(_BITS[grad.itemsize]), y).view(grad.dtype)

# %%
_let_pass(np.array([True, False]), np.array([2.0, np.inf]))

# %% nbgrader={"grade": false, "grade_id": "rules_choice", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _to_the_winner(op, grad, smallest=False):
    a, b = op.saved if not smallest else [-x for x in op.saved]
    if b.ndim == 0:  # then the op saved its result in the place of a
        return (lambda: _where_not_equal(a, b, grad),
                lambda: _let_pass(~(a > b), grad))
    def half(): return np.where(a == b, grad / 2, grad)
    # with ~, as beside a nan there is no loser
    return lambda: _let_pass(~(a < b), half()), lambda: _let_pass(~(a > b), half())
RULES[Maximum] = _to_the_winner
RULES[Minimum] = lambda op, grad: _to_the_winner(op, grad, smallest=True)
def _kept(a, low, high): return (low is None or a >= low) & (high is None or a <= high)
RULES[Clip] = lambda op, grad: (_let_pass(_kept(*op.saved, *op.parameters), grad),)
@gradient(Abs)
def _(op, grad):
    (a,) = op.saved
    return (grad * ((a > 0) - (a < 0).astype(grad.dtype)),)  # the sign, and 0 for nan
@gradient(Pow)
def _(op, grad):
    a, b = op.saved
    n = b if b.ndim else b.item()  # NumPy squares if it sees the number 2
    def for_a():
        slope = grad * (b * a ** (n - 1 + (n == 0)))
        return slope if b.ndim == 0 and n else np.where(b == 0, 0, slope)
    return for_a, lambda: grad * (a**n * np.log(np.where((a == 0) & (b >= 0), 1, a)))
RULES[Where] = lambda op, grad: (lambda: np.where(*op.parameters, grad, 0),
                                 lambda: np.where(*op.parameters, 0, grad))
RULES[Reshape] = lambda op, grad: (grad.reshape(op.saved[0]),)
RULES[Permute] = lambda op, grad: (grad.transpose(np.argsort(op.parameters[0])),)
RULES[Expand] = lambda op, grad: (grad,)
RULES[Cast] = lambda op, grad: (grad.astype(op.parameters[1]),)  # to the dtype before
RULES[Concat] = lambda op, grad: np.split(
    grad, np.cumsum([s[op.parameters[0]] for s in op.saved])[:-1], *op.parameters)

# %% [markdown]
# Which four numbers come out, if the first of `grad` is infinite?

# %%
op = Maximum()
op.forward(np.array([-1.0, 0.0, 2.0, np.nan]), np.array(0.0))
RULES[Maximum](op, np.array([np.inf, 1.0, 1.0, 1.0]))[0]()

# %% [markdown]
# ### From few to many
#
# A reduction turns many numbers into few, so its rule turns few into many. Each number
# of a sum acts on it at rate 1. The `grad` of a maximum goes to the number that is the
# maximum; several equal ones share it. Both rules need the same step: give `grad` the
# shape of the input again. (`Sum`, `Max` and `Min` stand below your part.)
#
# Write `_spread`. `axis` is a tuple. If `keepdims` is False, the reduced axes are gone
# from `grad`, and `np.expand_dims(grad, axis)` brings them back with size 1. The result
# is a new array of `grad`'s dtype. About three lines.

# %% nbgrader={"grade": false, "grade_id": "spread", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _spread(grad: np.ndarray, shape: tuple, axis: tuple, keepdims: bool) -> np.ndarray:
    """grad, once for each number that was reduced: a new array of that shape."""
    ### BEGIN SOLUTION
    full = np.empty(shape, grad.dtype)
    full[...] = grad if keepdims else np.expand_dims(grad, axis)
    return full
    ### END SOLUTION
RULES[Sum] = lambda op, grad: (_spread(grad, op.saved[0], *op.parameters),)
def _to_the_best(op, grad, best):
    (a,), (axis, _) = op.saved, op.parameters
    y = best(a, axis=axis, keepdims=True)  # nan if one of them is nan
    mine = (a == y) if (y == y).all() else (a == y) | (a != a)
    count = mine.sum(axis=axis, keepdims=True, dtype=grad.dtype)
    return (np.where(mine, _spread(grad, a.shape, *op.parameters) / count, 0),)
RULES[Max] = lambda op, grad: _to_the_best(op, grad, np.max)
RULES[Min] = lambda op, grad: _to_the_best(op, grad, np.min)

# %% [markdown]
# 6 comes in, and three numbers are the maximum. What does each number get?

# %%
op = Max((0,), False)
op.forward(np.array([5.0, 1.0, 5.0, 5.0]))
RULES[Max](op, np.array(6.0))

# %% nbgrader={"grade": true, "grade_id": "spread_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Sum and Max agree with small steps over any axes; what _spread gives is new."""
m = np.array([[0.5, -1.0, 2.0], [4.0, 0.25, -3.0]])
for axis, keepdims in [((0,), False), ((1,), False), ((1,), True), ((0, 1), False)]:
    fault = rule_fault(Sum(axis, keepdims), m) or rule_fault(Max(axis, keepdims), m)
    assert not fault, f"axis {axis}, keepdims {keepdims}: {fault}"
g = np.ones((2, 1), np.float32)
spread = _spread(g, (2, 1), (1,), True)
assert spread.flags.writeable and not np.shares_memory(spread, g), (
    "_spread gave grad itself, or a view of it; what it gives must be a new array")
assert spread.dtype == np.float32, f"float32 came in, {spread.dtype} went out"

# %% nbgrader={"grade": true, "grade_id": "spread_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
"""Graded again on an axis in the middle, and on an empty sum."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_g = np.arange(8.0).reshape(2, 4)
answer([_spread(_g, (2, 3, 4), (1,), False), _g], about="(2, 4) for (2, 3, 4)")
answer(_spread(np.float32(2), (0,), (0,), False), about="an empty sum")
### END HIDDEN TESTS

# %% [markdown]
# An index moves numbers too. Where it picks an element twice, both gradients arrive
# there: `np.add.at` adds them one by one.

# %% nbgrader={"grade": false, "grade_id": "rule_index", "locked": true, "schema_version": 3, "solution": false, "task": false}
@gradient(Index)
def _(op, grad):
    full = np.zeros(op.saved[0], grad.dtype)
    np.add.at(full, op.parameters[0], grad)
    return (full,)

# %% [markdown]
# The next index picks element 2 twice and element 1 never:

# %%
op = Index(np.array([0, 2, 2]))
op.forward(np.zeros(3))
RULES[Index](op, np.array([1.0, 10.0, 100.0]))

# %% [markdown]
# ### The matrix product
#
# One number of $Y = AB$ is $y_{ij} = \sum_k a_{ik} b_{kj}$. In which outputs does
# $a_{ik}$ occur? In all of row $i$, each time with the factor $b_{kj}$:
#
# $$(G_A)_{ik} = \sum_j G_{ij}\, b_{kj} = (G B^T)_{ik}$$
#
# $G$ is `grad`, of the shape of $Y$. Write the same line for $b_{kj}$ on paper, and
# read off the second product. Do the shapes fit?

# %% [markdown]
# `MatMul` saved `(a, b)`, which may be *stacks* of matrices, (..., n, k). `.T` would
# exchange the wrong axes of a stack; `_swapped(x)` exchanges the last two. As in `Div`,
# return two functions, so that nobody computes the gradient of a constant. Two lines.
#
# Below yours stands the rule of a linear layer, $Y = X W^T + b$, which is one op: two
# such products, and for the bias the sum of `grad` over all rows, written as a product
# with ones.

# %% nbgrader={"grade": false, "grade_id": "rule_matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _swapped(x: np.ndarray) -> np.ndarray:
    """(..., n, k) -> (..., k, n); a stack is copied, as NumPy is slow on its views."""
    return x.T if x.ndim == 2 else np.ascontiguousarray(x.swapaxes(-1, -2))
@gradient(MatMul)
def _(op, grad):
    ### BEGIN SOLUTION
    a, b = op.saved
    return lambda: matmul(grad, _swapped(b)), lambda: matmul(_swapped(a), grad)
    ### END SOLUTION
def _row_sum(g): return matmul(np.ones(len(g), g.dtype), g)  # quicker than sum(0)
@gradient(LinearOp)
def _(op, grad):
    x, weight, has_bias = op.saved  # x as rows
    g = grad if grad.ndim == 2 else grad.reshape(len(x), len(weight))
    def for_x():
        y = matmul(g, weight)
        return y if g is grad else y.reshape(*grad.shape[:-1], x.shape[1])
    return (for_x, lambda: matmul(g.T, x), lambda: _row_sum(g))[: 2 + has_bias]

# %% [markdown]
# Ten rows of 64 numbers, times (64, 3). Which shapes have the two gradients?

# %%
op = MatMul()
op.forward(np.ones((10, 64)), np.ones((64, 3)))
[entry().shape for entry in RULES[MatMul](op, np.ones((10, 3)))]

# %% nbgrader={"grade": true, "grade_id": "rule_matmul_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Both entries are functions and agree with small steps, for stacks too."""
rng = np.random.default_rng(0)
p, q = rng.standard_normal((2, 3)), rng.standard_normal((3, 4))
op = MatMul()
op.forward(p, q)
assert all(map(callable, RULES[MatMul](op, np.ones((2, 4))))), (
    "MatMul: return two functions, `lambda: ...`, each of which computes one product")
def fault_for(*arrays):
    try:
        return rule_fault(MatMul(), *arrays)
    except ValueError:
        return "the shapes in one of your products do not fit"

fault = fault_for(p, q)
assert not fault, f"for (2, 3) @ (3, 4), where grad is (2, 4), {fault}"
fault = fault_for(rng.standard_normal((2, 2, 3)), rng.standard_normal((2, 3, 4)))
assert not fault, (
    f"for two stacks of matrices, (2, 2, 3) @ (2, 3, 4), {fault}: exchange only the "
    "last two axes, with _swapped and not with .T")

# %% nbgrader={"grade": true, "grade_id": "rule_matmul_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on larger stacks of matrices."""
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
# And the linear layer?

# %%
rule_fault(LinearOp(), np.ones((2, 5, 4)), np.ones((3, 4)), np.ones(3)) or "no fault"

# %% [markdown]
# ## 5. Broadcasting, undone
#
# A bias of shape (10,) is added to each of 32 rows. The rule of `Add` returns `grad`
# for it, of shape (32, 10). But the bias has ten numbers. Each was used 32 times, and
# on the drawing each use is an arrow of its own: the number gets the *sum* over its
# copies.
#
# So sum over every axis that broadcasting had added in front, and over every axis that
# it stretched from 1; there the axis stays, with size 1 (`keepdims=True`). One function
# does it, and all rules may forget about broadcasting.
#
# Write `unbroadcast` in about five lines. If the result does not have the wanted shape,
# a rule was wrong: raise a `ValueError` that names both shapes.

# %% nbgrader={"grade": false, "grade_id": "unbroadcast", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def unbroadcast(grad: np.ndarray, shape: tuple) -> np.ndarray:
    """The gradient of an array that was broadcast from shape to grad's shape."""
    ### BEGIN SOLUTION
    front = tuple(range(grad.ndim - len(shape)))
    total = grad.sum(axis=front) if front else grad
    axes = tuple(i for i, (n, m) in enumerate(zip(shape, total.shape)) if m != n == 1)
    total = total.sum(axis=axes, keepdims=True) if axes else total
    if total.shape != shape:
        raise ValueError(f"a gradient {grad.shape} does not belong to a tensor {shape}")
    return total
    ### END SOLUTION

# %% [markdown]
# A table of ones, 2 × 3. What remains of it for a row, a column, a number?

# %%
table = np.ones((2, 3))
unbroadcast(table, (3,)), unbroadcast(table, (2, 1)), unbroadcast(table, ())

# %% nbgrader={"grade": true, "grade_id": "unbroadcast_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""unbroadcast sums over added and stretched axes, and refuses what does not fit."""
g = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
for shape in [(2, 3, 4), (3, 4), (4,), (3, 1), (1, 3, 1), (2, 1, 1), ()]:
    found = unbroadcast(g, shape)
    assert found.shape == shape, f"for {shape}: the result has shape {found.shape}"
    assert found.sum() == g.sum(), (
        f"for {shape}: each number of grad counts once, so the total stays "
        f"{g.sum():.6g}; yours is {found.sum():.6g}")
    assert found.dtype == np.float32, f"float32 came in, {found.dtype} went out"
right = unbroadcast(g, (3, 1)) == g.sum(axis=(0, 2))[:, None]
assert right.all(), "(2, 3, 4) for (3, 1): sum over axes 0 and 2; other numbers came"
empty = unbroadcast(np.ones((0, 3)), (1, 3))
assert empty.shape == (1, 3) and not empty.any(), (
    "a batch of no rows, (0, 3) for (1, 3): the sum over no copies is 0, shape (1, 3)")
assert (g.ravel() == np.arange(24)).all(), "unbroadcast changed grad"
for large, shape in [((2, 3), (2,)), ((3,), (1, 3)), ((), (3,))]:
    try:
        result = unbroadcast(np.ones(large), shape)
    except (ValueError, IndexError) as error:
        kind, text = type(error), str(error)
        assert kind is ValueError and str(large) in text and str(shape) in text, (
            f"raise a ValueError that names {large} and {shape}; yours is: {error!r}")
    else:
        raise AssertionError(
            f"{shape} never broadcasts to {large}: raise a ValueError; "
            f"yours returned an array of shape {np.shape(result)}")

# %% nbgrader={"grade": true, "grade_id": "unbroadcast_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on axes of size 1 that were not stretched, and on more misfits."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_g = np.arange(12.0).reshape(1, 3, 4, 1)
for _shape in [(1, 3, 4, 1), (3, 4, 1), (4, 1), (1, 1), (1,), ()]:
    answer(unbroadcast(_g, _shape), about=f"(1, 3, 4, 1) for {_shape}")
_pairs = [((4, 3), (4, 1, 3)), ((3,), (3, 1)), ((2, 3), (3, 3))]
answer([raised(unbroadcast, np.ones(s), t) for s, t in _pairs], about="errors")
### END HIDDEN TESTS

# %% [markdown]
# ## 6. The walk
#
# An expression is no chain: tensors are used more than once. Here is $v^2 + v$ at 3
# with its numbers. Three arrows leave $v$: how large is its derivative?

# %%
v = Tensor(3.0, requires_grad=True)
total = v * v + v
draw_graph(total, {v: "v"}, [1, 1, 3, 3])

# %% [markdown]
# The number at a box is complete only when all arrows that leave it have their number.
# So every tensor must be visited before the tensors that it was made from. `apply`
# wrote a date on each result: `made`. `by_date` collects the tensors behind a result
# and sorts them by that date, inputs first. We go through its list from the end.
#
# The walk frees the graph: it puts the mark `_FREED` in the place of each origin, so
# that the arrays which the op kept can go. `by_date` raises an error if it meets the
# mark. You need not read the cell.

# %% [markdown]
# `_refuse` raises an error if memory was overwritten after an op had saved it, whether
# through the tensor, a view of it, or its `detach()`. What no gradient needs is free
# to change: for the gradient of one factor, a product needs only the *other*.

# %% nbgrader={"grade": false, "grade_id": "by_date", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Freed(Op):
    """Stands where an op stood before backward freed it."""
_FREED = (Freed(), ())
def by_date(result: Tensor) -> list[Tensor]:
    """The result and what it came from, if it requires a gradient, inputs first."""
    found, order = {result}, [result]
    for t in order:  # which grows meanwhile
        if t.origin is _FREED:
            raise RuntimeError("the graph is freed: compute the result once more")
        for x in t.origin[1] if t.origin else ():
            if x.requires_grad and x not in found:
                found.add(x)
                order.append(x)
    order.sort(key=lambda t: t.made)
    return order
# For each array that an op saved: the inputs whose gradient needs it. Others need all.
_PRODUCT = (1,), (0,)  # the gradient of each input needs the other
_NEEDED_BY = dict.fromkeys((Mul, MatMul, LinearOp, Conv2dOp), _PRODUCT)
_NEEDED_BY |= {Div: ((1,),), AttentionWeightsOp: _PRODUCT}
_NEEDED_BY[AttentionOp] = (*_PRODUCT, (0, 1))
def _refuse(order: list[Tensor]) -> None:
    """A RuntimeError if what a gradient needs was overwritten after an op saved it."""
    if next((t.made for t in order if t.made), np.inf) > _writes.last:
        return  # no write since the first op
    for t in (t for t in order if t.origin):
        op, inputs = t.origin
        for i, a in enumerate(op.saved):
            if not isinstance(a, np.ndarray) or _written(a) <= t.made:
                continue
            users = _NEEDED_BY.get(type(op), ())
            if i >= len(users) or any(inputs[j].requires_grad for j in users[i]):
                what = f"an array of shape {a.shape}" if a.size > 6 else a.tolist()
                raise RuntimeError(
                    f"{what} was written in place after {type(op).__name__} had saved "
                    "it: compute the result after the write, or write into a copy")

# %% [markdown]
# Here is a first walk. `pending` holds what has arrived at each tensor so far. Try it
# on $a + a$. Before you run it: what should come out, and what will?

# %%
def careless(result):
    pending = {result: np.ones_like(result.data)}
    for t in reversed(by_date(result)):
        if t.origin:
            op, inputs = t.origin
            for x, entry in zip(inputs, RULES[type(op)](op, pending[t])):
                pending[x] = entry
    return pending

# %%
a = Tensor(1.0, requires_grad=True, dtype=np.float64)
careless(a + a)[a], numerical_gradient(lambda: (a + a).item(), a.data)

# %% [markdown]
# The second arrow overwrote what the first had brought. This walk also gives gradients
# to constants, keeps every array, calls no functions, and leaves broadcasting as it is.

# %% [markdown]
# Write the walk that keeps these promises. The checks try each of them.
#
# 1. What arrives along several arrows is added. `Add` hands out one array twice, so an
#    array may be in use elsewhere: never add with `+=`.
# 2. An input that requires no gradient gets none, and a function for it is not called.
# 3. An entry `None` passes nothing on. Skip a tensor at which nothing arrived.
# 4. An entry that does not have the shape of its input is `unbroadcast`.
# 5. `leaves` holds the tensors without origin, and no others.
# 6. A tensor leaves `order` by `pop`, and what arrived at it leaves `pending` by `pop`.
#    `_FREED` takes the place of its origin.
#
# About fourteen lines.

# %% nbgrader={"grade": false, "grade_id": "walk", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def gradients(result: Tensor, grad: np.ndarray) -> dict[Tensor, np.ndarray]:
    """The gradient of each leaf that the result came from, if grad is the result's."""
    order = by_date(result)
    _refuse(order)
    pending, leaves = {result: grad}, {}
    ### BEGIN SOLUTION
    while order:
        t = order.pop()
        grad = pending.pop(t, None)
        if t.origin is None and grad is not None:
            leaves[t] = grad
        if t.origin is None or grad is None:
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
# $v^2 + v$ at 3: does the walk agree with the picture?

# %%
gradients(total, np.array(1.0))[v]

# %% [markdown]
# And once more?

# %% tags=["raises-exception"]
gradients(total, np.array(1.0))

# %% nbgrader={"grade": true, "grade_id": "walk_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""What arrives is added and never changed in place; only leaves get a gradient."""
p, q = (Tensor(numbers, requires_grad=True) for numbers in ([1.0, 2.0], [3.0, 4.0]))
k, one = Tensor([3.0, 5.0]), np.ones(2)
found = gradients(p + p, one)
assert p in found, "p is a leaf that requires a gradient: it belongs into the dict"
assert (found[p] == 2).all(), f"p + p: p gets 1 + 1 = 2, not {found[p][0]:.6g}"
found = gradients(3 * p + (p + q), one)
assert (found[q] == 1).all() and (found[p] == 4).all(), (
    f"3p + (p + q): p gets 4, q gets 1; not {found[p][0]:.4g} and {found[q][0]:.4g}. "
    "Add gave both one array, so `+=` for p changes q's: pending[x] = pending[x] + ...")
assert (one == 1).all(), "the array that gradients was given has changed: no +="
w = p * k
found = gradients((w * w + w * p).sum(), np.array(1.0))
assert len(found) == 1 and p in found, (
    f"p is the only leaf that requires a gradient (k is a constant, w was computed); "
    f"your dict holds {len(found)} tensors")
assert np.allclose(found[p], [24, 120]), (
    f"(k²p² + kp²)' = 2pk(k + 1), for k = 3 and p = 1: 24, not {found[p][0]:.6g}")
u = Tensor([[1.0], [2.0]], requires_grad=True)
found = gradients((k / u).sum(), np.array(1.0)).get(u)
assert isinstance(found, np.ndarray), "the entries of Div are functions: call them"
assert found.shape == (2, 1), (
    f"k / u is (2, 2), u is (2, 1): unbroadcast the entry; u got {found.shape}")
assert np.allclose(found, [[-8], [-2]]), "(3/u + 5/u)' = -8/u²: -8 at 1, -2 at 2"

class Gate(Op):
    def forward(self, a, b): return a + b

def unwanted():
    raise AssertionError("an entry was called for an input that requires no gradient")

gradient(Gate)(lambda op, grad: (grad, unwanted))
assert len(gradients(apply(Gate(), p, k), one)) == 1
gradient(Gate)(lambda op, grad: (grad, None))
try:
    found = gradients(apply(Gate(), p * k, q * k), one)
except (AttributeError, KeyError, TypeError) as error:
    found = error
assert isinstance(found, dict) and len(found) == 1 and p in found, (
    "an entry None passes nothing on; nothing arrives at q * k, so skip it, and q is "
    f"not in the dict. It gave {found!r}")

# %% nbgrader={"grade": true, "grade_id": "walk_freed_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Any depth, each rule once, and what was walked is freed as the walk goes on."""
import weakref

t = p
for _ in range(30):
    t = t + t
found = gradients(t, np.ones(2))[p][0]
assert found == 2**30, f"30 doublings: the slope is {2**30:.6g}, not {found:.6g}"
t = p
for _ in range(20_000):
    t = t * 1.0
found = gradients(t, np.ones(2))[p][0]
assert found == 1, f"20,000 products with 1 in a row: the slope is 1, not {found:.6g}"

class Look(Op):
    def forward(self, a): return a * 1

@gradient(Look)
def _(op, grad):
    alive.append(later() is not None)
    return (grad,)

alive, top = [], apply(Look(), p)
later, top = (lambda y: (weakref.ref(y.data), y.sum()))(top.exp())
found = gradients(top, np.array(1.0))
assert np.allclose(found[p], np.exp(p.data)), "sum(exp(p)): p gets exp(p)"
assert top.origin and type(top.origin[0]) is Freed, (
    "after the walk an origin must be _FREED: a graph that stays holds all its arrays")
assert alive == [False], (
    "an array that the walk has left behind is still held: take a tensor from order "
    "and its gradient from pending by pop, and put _FREED in the place of its origin")

# %% nbgrader={"grade": true, "grade_id": "walk_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a diamond with a bias, on shared arrays, and on a lone leaf."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x, _w, _b = (
    Tensor(np.random.default_rng(i).standard_normal(s), requires_grad=i > 0)
    for i, s in enumerate([(5, 3), (3, 2), (2,)]))
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
answer([len(_found), _found.get(_p)], about="two ops that give nothing to an input")
### END HIDDEN TESTS

# %% [markdown]
# ## 7. Accumulation
#
# `backward` puts the gradients on the leaves, in `.grad`, as tensors. If one is there
# already, the new one is **added**, so that several losses, or several parts of a
# batch, give one sum. PyTorch has a node `AccumulateGrad` at each leaf for that. The
# price: before the next step somebody has to remove the old gradients. `zero_grad`
# does.
#
# Two helpers are given above your part. `_seed` checks where the walk begins and with
# which gradient. Two leaves of one sum get one and the same array from the walk; `_own`
# gives each leaf an array of its own. With `retain_graph=True` the given lines around
# your part put back the origins, and all that they hold stays in memory.

# %% [markdown]
# Write `backward`: seed, walk, and then for each leaf:
#
# - `np.asarray(grad, leaf.dtype)`: the gradient of a leaf has the leaf's dtype, also
#   where a float64 input met float32 weights;
# - the first gradient becomes a tensor. The array goes through `_own(array, taken)`,
#   with one dict `taken` for the whole call. `_wrap(array)` keeps the dtype
#   (`Tensor(array)` would turn float64 into float32);
# - a later one is added in place, `leaf.grad.data += ...`, so that whoever holds the
#   tensor `.grad` sees the sum. That is a write: `_note_write(leaf.grad)`.
#
# About eight lines.

# %% nbgrader={"grade": false, "grade_id": "backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def zero_grad(tensors: Iterable[Tensor]) -> None:
    """Forget their gradients."""
    for t in tensors:
        t.grad = None
def _seed(t: Tensor, gradient) -> np.ndarray:
    """The gradient to begin with: the one given, or 1 if the tensor is one number."""
    if not t.requires_grad:
        raise RuntimeError("no tensor that this one was made from requires a gradient")
    if gradient is None and t.size != 1:
        raise RuntimeError(f"begin at one number, not at {t.shape}: take sum or mean")
    grad = np.array(np.ones(t.shape) if gradient is None else gradient, t.dtype)
    if grad.shape != t.shape:
        raise ValueError(f"the gradient has shape {grad.shape}, the tensor {t.shape}")
    return grad
def _own(grad: np.ndarray, taken: dict) -> np.ndarray:
    """grad, or a copy if its memory went to another leaf; taken remembers them."""
    owner = grad if grad.base is None else grad.base
    if id(owner) in taken or owner.nbytes != grad.nbytes:
        return grad.copy()
    taken[id(owner)] = owner
    return grad

def backward(tensor: Tensor, gradient=None, retain_graph: bool = False) -> None:
    """Add to .grad of each leaf; the graph is freed, unless retain_graph is True."""
    graph = [(t, t.origin) for t in by_date(tensor)] if retain_graph else []
    ### BEGIN SOLUTION
    taken = {}
    for leaf, grad in gradients(tensor, _seed(tensor, gradient)).items():
        grad = np.asarray(grad, leaf.dtype)
        if leaf.grad is None:
            leaf.grad = _wrap(_own(grad, taken))
        else:
            leaf.grad.data += grad
            _note_write(leaf.grad)
    ### END SOLUTION
    for t, origin in graph:
        t.origin = origin

# %% [markdown]
# `Tensor.backward` looks for the module `tinytorch.core.autograd`, which you have not
# completed yet. So in this notebook we set the method by hand.

# %% nbgrader={"grade": false, "grade_id": "method", "locked": true, "schema_version": 3, "solution": false, "task": false}
Tensor.backward = backward

# %% [markdown]
# `u` acts on both losses. What does its `.grad` hold after the first, and after both?

# %%
u = Tensor([1.0, 2.0], requires_grad=True)
(u * u).sum().backward()
u.grad

# %%
first = u.grad
(3 * u).sum().backward()
u.grad, u.grad is first

# %%
zero_grad([u])
(u * u).backward([1.0, 100.0])
u.grad

# %% [markdown]
# What if a number changes between the op and its derivative? (PyTorch counts the writes
# in a *version counter*. Here the memory has a date, and a view writes into the memory
# of its base.)

# %% tags=["raises-exception"]
k = Tensor([1.0, 1.0])
y = (u * k).sum()
k.reshape(2, 1)[0] = 5.0
y.backward()

# %% nbgrader={"grade": true, "grade_id": "backward_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
""".grad of leaves: tensors, added up, each with an array and the dtype of its own."""
p, q = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)
s = p + q
s.sum().backward()
assert isinstance(p.grad, Tensor), f"p.grad is a Tensor, not {type(p.grad).__name__}"
assert s.grad is None, "s was computed: only leaves get a .grad"
assert not np.shares_memory(p.grad.data, q.grad.data), (
    "p.grad and q.grad share memory, so a change of one changes the other: take _own")
seed, held = np.array([10.0, 1.0], np.float32), p.grad
later = (q * held).sum()
(p * p).backward(seed)
assert (p.grad.data == [21, 5]).all(), (
    f"1 from the sum, plus 2p · [10, 1], is [21, 5]; p.grad is {p.grad.data}. Add the "
    "new gradient to the old, and begin with the one given")
assert p.grad is held, "add to the tensor that is in .grad: leaf.grad.data += grad"
try:
    later.backward()
except RuntimeError:
    pass
else:
    raise AssertionError("p.grad changed after Mul saved it: _note_write(leaf.grad)")
assert (s.data == [4, 6]).all() and (p.data == [1, 2]).all(), "backward changed data"
(p + 0).backward(seed)
assert (seed == [10, 1]).all(), "backward wrote into the gradient that it was given"
wide = Tensor([1.0], requires_grad=True, dtype=np.float64)
(wide / 3).sum().backward()
assert wide.grad.dtype == np.float64, (
    f"the gradient of a float64 leaf is float64, not {wide.grad.dtype}: take _wrap")
weight = Tensor([[1.0]], requires_grad=True)
apply(LinearOp(), Tensor([[2.0]], dtype=np.float64), weight).backward()
assert weight.grad.dtype == np.float32, (
    f"a float32 leaf has a gradient of {weight.grad.dtype}: np.asarray(g, leaf.dtype)")
try:
    (p * q).backward()
except RuntimeError as error:
    assert "(2,)" in str(error), f"the error must name the shape (2,), it says: {error}"
else:
    raise AssertionError("two numbers and no gradient: take _seed, which refuses this")

# %% nbgrader={"grade": true, "grade_id": "backward_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on three losses, on what is refused, and on a gradient given."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_p = Tensor([[1.0, -2.0]], requires_grad=True, dtype=np.float64)
_c = Tensor([3.0, 4.0])
for _ in range(3):
    backward((_p.exp() * 2).sum())
answer([_p.grad, str(_p.grad.dtype), _p.grad.origin is None], about="three losses")
_y = (_p * _p).sum()
backward(_y)
answer([raised(backward, _y), raised(backward, _c.sum()), raised(backward, _p * 2)])
_u, _given = Tensor([1.0, 1.0], requires_grad=True), np.array([5.0, 6.0], np.float32)
backward(_u + 0, _given)
answer([_u.grad, bool(np.shares_memory(_u.grad.data, _given)), _given, _u])
_held = _u.grad
backward((_u * Tensor([1.0, 2.0], dtype=np.float64)).sum())
answer([_u.grad is _held, _held, str(_held.dtype)], about="added in place, in float32")
### END HIDDEN TESTS

# %% [markdown]
# ## 8. Rules for the ops of modules 03, 06 and 07
#
# Softmax is $y_j = e^{x_j} / \sum_k e^{x_k}$. How does $y_j$ change with $x_i$? As
# $y_j$ for $i = j$ (the numerator), and by $-y_j y_i$ in any case (the denominator).
# With $\delta_{ij} = 1$ for $i = j$, else 0:
#
# $$G^x_i = \sum_j G_j\, y_j (\delta_{ij} - y_i) = y_i \Big(G_i - \sum_j G_j y_j\Big)$$
#
# `_through_softmax` computes this, above your part in the next code cell.

# %% [markdown]
# Your turn: $y_j = \log \mathrm{softmax}(x)_j = x_j - \log \sum_k e^{x_k}$. Find
# $\partial y_j / \partial x_i$, then sum over $j$ as above. The op saved `(y,)`, and
# its parameters are `(dim,)`. What is softmax in terms of $y$? Two lines.

# %% nbgrader={"grade": false, "grade_id": "rule_log_softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _through_softmax(y, grad, dim):
    return y * (grad - (grad * y).sum(axis=dim, keepdims=True))
RULES[SoftmaxOp] = lambda op, grad: (_through_softmax(*op.saved, grad, *op.parameters),)
@gradient(AttentionWeightsOp)
def _(op, grad):
    q, k, w = op.saved
    scores = _through_softmax(w, grad, -1)  # (..., n, m)
    scores /= np.sqrt(q.shape[-1], dtype=w.dtype)
    return lambda: scores @ k, lambda: _swapped(scores) @ q
@gradient(LogSoftmaxOp)
def _(op, grad):
    ### BEGIN SOLUTION
    (y,), (dim,) = op.saved, op.parameters
    return (grad - np.exp(y) * grad.sum(axis=dim, keepdims=True),)
    ### END SOLUTION

# %% [markdown]
# If all scores of a row rise alike, softmax does not change. So what must the gradients
# of a row add up to?

# %%
scores = Tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 5.0]], requires_grad=True)
apply(SoftmaxOp(1), scores).backward([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
scores.grad, scores.grad.sum(1)

# %% nbgrader={"grade": true, "grade_id": "rule_log_softmax_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""The rule of LogSoftmaxOp agrees with small steps along either axis."""
m = np.array([[0.5, -1.0, 2.0], [3.0, 0.0, 0.1]])
for dim in (1, 0):
    fault = rule_fault(LogSoftmaxOp(dim), m)
    assert not fault, f"along axis {dim}: {fault}"

# %% nbgrader={"grade": true, "grade_id": "rule_log_softmax_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
"""Graded again on three axes, in float32."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_op, _rng = LogSoftmaxOp(1), np.random.default_rng(0)
_op.forward(_rng.standard_normal((2, 3, 4)).astype(np.float32))
answer([*RULES[LogSoftmaxOp](_op, _rng.standard_normal((2, 3, 4)).astype(np.float32))])
### END HIDDEN TESTS

# %% [markdown]
# ### Convolution
#
# Module 06 computed each output as a sum of products over a window:
#
# $$y_{noij} = b_o + \sum_{c,p,q} x_{n,c,\;s i+p,\;s j+q}\; w_{ocpq}$$
#
# Each product is a `Mul`, each sum an `Add`. So one output $(n, o, i, j)$ with its
# gradient $g$ gives $g$ times the kernel to each pixel of its window, $g$ times the
# window to the kernel, and $g$ to the bias. Windows overlap, so everything is added.
#
# Write the loop over all outputs. `padded` is $x$ with its frame of zeros, and `for_x`
# has the same shape; the last line cuts the frame off. A window reaches over all
# channels: `padded[n, :, rows, columns]` with two slices. About seven lines.

# %% nbgrader={"grade": false, "grade_id": "conv_gradients", "locked": false, "schema_version": 3, "solution": true, "task": false}
def naive_conv2d_gradients(x, weight, grad, stride=1, padding=0):
    """The gradients for x, weight and a bias, each of the shape of what it is for."""
    (_, _, h, w), (_, _, kh, kw) = x.shape, weight.shape
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    for_x, for_weight = np.zeros_like(padded), np.zeros_like(weight)
    for_bias = np.zeros(len(weight), weight.dtype)
    ### BEGIN SOLUTION
    for n, o, i, j in np.ndindex(grad.shape):
        g = grad[n, o, i, j]
        rows = slice(i * stride, i * stride + kh)
        columns = slice(j * stride, j * stride + kw)
        for_x[n, :, rows, columns] += g * weight[o]
        for_weight[o] += g * padded[n, :, rows, columns]
        for_bias[o] += g
    ### END SOLUTION
    for_x = for_x[:, :, padding : padding + h, padding : padding + w]
    return for_x, for_weight, for_bias

# %% [markdown]
# A kernel of ones, 2 × 2, on 3 × 3 pixels, each output with gradient 1. In how many
# windows does each pixel lie?

# %%
ones = np.ones((1, 1, 3, 3))
naive_conv2d_gradients(ones, np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)))[0][0, 0]

# %% nbgrader={"grade": true, "grade_id": "conv_gradients_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The three gradients agree with small steps, with a stride and a frame too."""
rng = np.random.default_rng(0)
arrays = [rng.standard_normal(shape) for shape in [(2, 2, 4, 5), (3, 2, 3, 2), (3,)]]
def total(): return float((op.forward(*arrays) * g).sum())

for stride, padding in [(1, 0), (2, 1)]:
    op = Conv2dOp((stride, stride), (padding, padding))
    g = rng.standard_normal(op.forward(*arrays).shape)
    kept = [a.copy() for a in (g, *arrays)]
    found = naive_conv2d_gradients(*arrays[:2], g, stride, padding)
    for name, mine, a in zip(("x", "weight", "bias"), found, arrays):
        steps = numerical_gradient(total, a)
        assert mine.shape == a.shape, f"{name} is {a.shape}, its gradient {mine.shape}"
        gap = np.abs(mine - steps).max()
        assert gap < 1e-6, (
            f"stride {stride}, padding {padding}: the gradient of {name} is off from "
            f"small steps by up to {gap:.4g}")
    for was, now in zip(kept, (g, *arrays)):
        assert (was == now).all(), "an input has changed: add into for_x, for_weight"

# %% nbgrader={"grade": true, "grade_id": "conv_gradients_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a wide kernel."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_rng = np.random.default_rng(2)
_shapes = (1, 3, 5, 7), (2, 3, 1, 4), (1, 2, 3, 3)
_x, _w, _g = (_rng.standard_normal(s) for s in _shapes)
answer(list(naive_conv2d_gradients(_x, _w, _g, 3, 2)), about="stride 3, padding 2")
### END HIDDEN TESTS

# %% [markdown]
# ### Pooling
#
# A maximum routes: in each window the pixel that won gets the whole gradient. If
# several hold the maximum, the first of them gets it, row by row. A pixel that wins in
# several windows gets the sum.
#
# Write the loop. `window.argmax()` counts through the window row by row;
# `np.unravel_index(number, window.shape)` turns that number into a row and a column.
# About four lines.

# %% nbgrader={"grade": false, "grade_id": "pool_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def naive_max_pool_gradient(x, grad, size, stride):
    """The gradient for x of max pooling: (n, c, oh, ow) -> (n, c, h, w)."""
    for_x = np.zeros_like(x)
    for n, c, i, j in np.ndindex(grad.shape):
        top, left = i * stride, j * stride
        ### BEGIN SOLUTION
        window = x[n, c, top : top + size, left : left + size]
        p, q = np.unravel_index(window.argmax(), window.shape)
        for_x[n, c, top + p, left + q] += grad[n, c, i, j]
        ### END SOLUTION
    return for_x

# %% nbgrader={"grade": true, "grade_id": "pool_gradient_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""The winner of each window gets its gradient; ties go to the first."""
pixels = np.random.default_rng(0).permutation(60).reshape(2, 1, 5, 6) * 1.0
def total(): return float((op.forward(pixels) * g).sum())

for size, stride in [(2, 2), (3, 2), (2, 1)]:
    op = MaxPool2dOp((size, size), (stride, stride), (0, 0))
    g = np.random.default_rng(1).standard_normal(op.forward(pixels).shape)
    mine = naive_max_pool_gradient(pixels, g, size, stride)
    steps = numerical_gradient(total, pixels)
    gap = np.abs(mine - steps).max()
    assert gap < 1e-6, f"size {size}, stride {stride}: small steps differ by {gap:.4g}"
tied = naive_max_pool_gradient(np.ones((1, 1, 2, 2)), np.full((1, 1, 1, 1), 6.0), 2, 2)
assert tied.ravel().tolist() == [6, 0, 0, 0], (
    f"four pixels hold the maximum, 6 comes in: the first gets all, not {tied.ravel()}")

# %% nbgrader={"grade": true, "grade_id": "pool_gradient_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
"""Graded again on negative numbers with ties."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = np.random.default_rng(3).integers(-3, 0, (2, 2, 6, 6)).astype(float)
_g = np.random.default_rng(4).standard_normal((2, 2, 4, 4))
answer([naive_max_pool_gradient(_x, _g, 3, 1), _x, _g], about="size 3, stride 1")
### END HIDDEN TESTS

# %% [markdown]
# ### As fast as it gets
#
# The rules in use do the same without loops over outputs; you need not read them. What
# belongs to a pixel is put back place by place of the kernel (`_put_back`). The
# kernel's gradient is one matrix product over all windows. With stride 1 the gradient
# of the pixels is itself a convolution of `grad`, with the kernel turned by 180°.
#
# An embedding (module 07) picks whole rows, many of them more than once. The faster
# rule of `Index` sorts the row numbers and adds up each run of equal ones.

# %% nbgrader={"grade": false, "grade_id": "rules_fast", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _channels_last(grad): return np.ascontiguousarray(grad.transpose(0, 2, 3, 1))
def _put_back(taps: Callable, grad, shape, kernel, stride, padding, wider=1):
    """For each place of the kernel taps(images) gives two factors. Their product is
    added up where it was."""
    (n, c, h, w), (kh, kw), (sh, sw), (ph, pw) = shape, kernel, stride, padding
    _, oh, ow, _ = grad.shape
    whole = kernel == stride and (h + 2 * ph, w + 2 * pw) == (oh * kh, ow * kw)
    make = np.empty if whole else np.zeros  # each place is written once
    x = make((n, h + 2 * ph, w + 2 * pw, c), grad.dtype)
    def work(first: int, last: int) -> None:
        images = slice(first, last)
        for (i, j), factors in zip(np.ndindex(kh, kw), taps(images)):
            there = x[images, i : i + sh * oh : sh, j : j + sw * ow : sw]
            if sh >= kh and sw >= kw:  # no two windows overlap
                np.multiply(*factors, out=there)
            else:
                there += np.multiply(*factors)
    in_blocks(work, n, int(BLOCK_BYTES / max(1, wider * x[:1].nbytes)))
    return x.transpose(0, 3, 1, 2)[:, :, ph : ph + h, pw : pw + w]
@gradient(MaxPool2dOp)
def _(op, grad):
    (which, shape), grad = op.saved, _channels_last(grad)
    which, (kh, kw) = which.transpose(0, 2, 3, 1), op.parameters[0]
    def taps(at):
        g, number = grad[at], which[at]
        if np.isfinite(g.sum()):
            return ((g, number == t) for t in range(kh * kw))
        return ((_let_pass(number == t, g), 1) for t in range(kh * kw))
    return (_put_back(taps, grad, shape, *op.parameters),)
@gradient(AvgPool2dOp)
def _(op, grad):
    (shape,), (kh, kw) = op.saved, op.parameters[0]
    grad, share = _channels_last(grad), 1 / (kh * kw)
    def taps(at): return [(grad[at], grad.dtype.type(share))] * (kh * kw)
    return (_put_back(taps, grad, shape, *op.parameters),)

# %% nbgrader={"grade": false, "grade_id": "rule_conv", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@gradient(Conv2dOp)
def _(op, grad):
    (x, weight, has_bias), (stride, padding) = op.saved, op.parameters
    grad, (_, c, kh, kw) = _channels_last(grad), weight.shape
    n, oh, ow, out = grad.shape
    def for_x():
        if stride == (1, 1) and padding[0] < kh and padding[1] < kw:
            turned = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
            frame = kh - 1 - padding[0], kw - 1 - padding[1]
            return conv2d_blocked(grad.transpose(0, 3, 1, 2), turned, padding=frame)
        matrix, k = weight.transpose(0, 2, 3, 1).reshape(out, -1), kh * kw * c
        def taps(images):
            p = (grad[images].reshape(-1, out) @ matrix).reshape(-1, oh, ow, kh * kw, c)
            return ((p[..., i, :], 1) for i in range(kh * kw))
        return _put_back(taps, grad, x.shape, (kh, kw), stride, padding, k / out)
    def for_weight():
        parts, frame = {}, (stride, padding)
        def work(first, last):
            g, blocks = grad[first:last], in_windows(x[first:last], (kh, kw), *frame)
            parts[first] = sum(w.T @ g[place].reshape(-1, out) for place, w in blocks)
        in_blocks(work, n, -(-n // 8))  # eight parts, whatever the number of threads
        total = np.zeros((kh * kw * c, out), grad.dtype)
        for first in sorted(parts):  # in this order: the same bits each time
            total += parts[first]
        return np.ascontiguousarray(total.reshape(kh, kw, c, out).transpose(3, 2, 0, 1))
    def for_bias(): return _row_sum(grad.reshape(-1, out))
    return (for_x, for_weight, for_bias)[: 2 + has_bias]

# %% [markdown]
# Attention is one op, too. Its rule goes back through the product, the softmax and the
# scores, for a few sequences at a time. The second rule adds what arrives at one row
# of a table, an embedding's, without `np.add.at`. You need not read the cell.

# %% nbgrader={"grade": false, "grade_id": "rule_attention", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _for_attention(q, k, v, w, grad):
    """The entries for q, k and v."""
    scores = grad @ _swapped(v)  # first for the weights, then through the softmax
    scores -= np.vecdot(scores, w)[..., None]
    scores *= w
    scores *= scores.dtype.type(q.shape[-1] ** -0.5)
    return scores @ k, scores.swapaxes(-1, -2) @ q, w.swapaxes(-1, -2) @ grad
@gradient(AttentionOp)
def _(op, grad):
    q, k, v, w = op.saved
    if q.ndim < 3 or not q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
        return _for_attention(q, k, v, w, grad)
    entries = [np.empty_like(x, grad.dtype) for x in (q, k, v)]
    def work(first: int, last: int) -> None:
        found = _for_attention(*[x[first:last] for x in (q, k, v, w, grad)])
        for entry, part in zip(entries, found):
            entry[first:last] = part
    in_blocks(work, len(q), BLOCK_BYTES // max(1, w[:1].nbytes))
    return entries
@gradient(Index)
def _(op, grad):
    (shape,), (key,) = op.saved, op.parameters
    full, parts = np.zeros(shape, grad.dtype), key if isinstance(key, tuple) else (key,)
    if all(isinstance(part, (int, slice, type(None), type(...))) for part in parts):
        full[key] = grad
    elif isinstance(key, np.ndarray) and key.dtype != bool and grad.size and shape[1:]:
        rows = key.ravel().astype(int) % shape[0]  # uint8 cannot hold a shape of 256
        order = rows.argsort(kind="stable")
        names, starts = np.unique(rows[order], return_index=True)
        full[names] = np.add.reduceat(grad.reshape(-1, *shape[1:])[order], starts)
    else:
        np.add.at(full, key, grad)
    return (full,)

# %% [markdown]
# Small steps agree. An empty text means that nothing is wrong.

# %%
rng = np.random.default_rng(0)
rule_fault(AttentionOp(None), *rng.standard_normal((3, 2, 4, 3)))

# %% [markdown]
# Do the rules of convolution and pooling say what your loops say? And how many times
# faster are they?

# %%
rng = np.random.default_rng(0)
pixels, kernels = rng.standard_normal((8, 3, 16, 16)), rng.standard_normal((6, 3, 3, 3))
op = Conv2dOp((1, 1), (1, 1))
g = rng.standard_normal(op.forward(pixels, kernels).shape)

# %%
def fast():
    return [entry() for entry in RULES[Conv2dOp](op, g)]

def slow():
    return naive_conv2d_gradients(pixels, kernels, g, padding=1)

assert all(np.allclose(mine, given) for mine, given in zip(slow(), fast()))
compare({"loops": slow, "the rule": fast}, rounds=3)

# %%
op = MaxPool2dOp((3, 3), (2, 2), (0, 0))
g = rng.standard_normal(op.forward(pixels).shape)
np.allclose(naive_max_pool_gradient(pixels, g, 3, 2), RULES[MaxPool2dOp](op, g)[0])

# %%
tokens = np.random.default_rng(0).integers(0, 100, 4096)
g = np.ones((4096, 64), np.float32)
op = Index(tokens)
op.forward(np.zeros((100, 64), np.float32));

# %%
def by_add_at():
    table = np.zeros((100, 64), np.float32)
    np.add.at(table, tokens, g)
    return table

assert np.allclose(by_add_at(), RULES[Index](op, g)[0])
compare({"add.at": by_add_at, "the rule": lambda: RULES[Index](op, g)}, rounds=5)

# %% [markdown]
# ## 9. Not now
#
# When a trained network only answers, nobody asks for gradients. Still, each result
# keeps everything that it was made from. `no_grad()` turns the recording off: `apply`
# looks at `grad_mode.enabled`. Afterwards the switch must be *as it was before*, even
# after an error, and even inside another `no_grad()`. (It is the switch of one thread.)
#
# `@contextmanager` makes a `with` block from a function with one `yield`. What stands
# before the `yield` runs on entering. What stands in a `finally` after it runs on
# leaving. The result also works as a decorator; `_decorator`, which you need not read,
# lets it decorate functions that yield, too. About five lines.

# %% nbgrader={"grade": false, "grade_id": "no_grad", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _decorator(block: Callable) -> Callable:
    """A block for `with`, that decorates functions and generator functions."""
    class Block:
        def __init__(self): self.open = []
        def __enter__(self):
            self.open.append(block())
            self.open[-1].__enter__()
        def __exit__(self, *error): return self.open.pop().__exit__(*error)
        def __call__(self, function):
            if not isgeneratorfunction(function):
                return block()(function)
            @wraps(function)
            def run(*args, **keywords):
                steps, sent = function(*args, **keywords), None
                while True:
                    with block():  # while the function runs, not while its caller does
                        try:
                            item = steps.send(sent)
                        except StopIteration as end:
                            return end.value
                    sent = yield item
            return run
    return wraps(block)(lambda f=None: Block() if f is None else Block()(f))
@_decorator
@contextmanager
def no_grad():
    """`with no_grad():` or `@no_grad()`: results do not remember how they were made."""
    ### BEGIN SOLUTION
    before, grad_mode.enabled = grad_mode.enabled, False
    try:
        yield
    finally:
        grad_mode.enabled = before
    ### END SOLUTION
def is_grad_enabled() -> bool: return grad_mode.enabled

# %% [markdown]
# A network of 16 layers, 256 wide, on 512 rows. Each layer gives two results, before
# and after its ReLU, of 512 · 256 · 4 bytes. Predict the peak memory of both versions.
# Start with the second.

# %%
deep, batch = MLP([256] * 17, relu), Tensor(np.ones((512, 256)))
quiet = no_grad()(deep)
for name, f in [("recorded", deep), ("no_grad", quiet)]:
    print(f"{name:8}  requires_grad {f(batch).requires_grad!s:5}  "
          f"peak {readable(peak_memory(f, batch), 'B')}")

# %% nbgrader={"grade": true, "grade_id": "no_grad_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""no_grad switches off inside; afterwards, after errors too, all is as it was."""
v = Tensor([1.0], requires_grad=True)
with no_grad():
    assert not is_grad_enabled(), "inside, grad_mode.enabled must be False"
    with no_grad():
        pass
    assert not is_grad_enabled(), (
        "leaving the inner block switched recording on: put back what was *before*")
assert is_grad_enabled() and (v * 2).requires_grad, "afterwards it must be on again"
caught = False
try:
    with no_grad():
        raise KeyError("x")
except KeyError:
    caught = True
assert caught, "no_grad swallowed an error: use finally, and no except"
assert is_grad_enabled(), "an error left recording off: put it back in a finally"
assert not no_grad()(lambda: v * 2)().requires_grad, "as a decorator it must work too"

@no_grad()
def doubles():
    yield v * 2

assert [y.requires_grad for y in doubles()] == [False] and is_grad_enabled(), (
    "a function that yields, decorated: no recording while it runs, only then")

# %% nbgrader={"grade": true, "grade_id": "no_grad_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a write in place, and on a decorated function called twice."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_v = Tensor([1.0, 2.0], requires_grad=True)
with no_grad():
    _v[0] = 7.0
_f = no_grad()(lambda: (_v * _v).sum())
answer([_v, _f().requires_grad, _f().requires_grad, is_grad_enabled()])

def _inside():
    with no_grad():
        raise LookupError("must come through")

answer([raised(_inside), is_grad_enabled()], about="an error")
### END HIDDEN TESTS

# %% [markdown]
# ## 10. Trust
#
# A wrong rule raises no error. The network learns a little worse, and nobody knows why.
# `gradcheck(f, *inputs)` does for whole functions, with all their ops and broadcasting,
# what `rule_fault` does for one op. An array $y$ has no single derivative, so it draws
# random numbers $v$ and differentiates $\sum v \odot y$, once with your rules and once
# with small steps. It works in float64: in float32 the difference of two losses would
# drown in rounding.

# %% nbgrader={"grade": false, "grade_id": "gradcheck", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def gradcheck(f: Callable, *inputs, h=1e-6, rtol=1e-5, atol=1e-7) -> bool:
    """True if backward agrees with small steps in float64, else an AssertionError."""
    xs = [Tensor(np.array(x, float), requires_grad=True, dtype=float) for x in inputs]
    y = f(*xs)
    v = np.random.default_rng(0).standard_normal(y.shape)
    found = gradients(y, v)
    evaluate = no_grad()(lambda: float((f(*xs).data * v).sum()))
    for i, x in enumerate(xs):
        mine, true = found.get(x, 0 * x.data), numerical_gradient(evaluate, x.data, h)
        for at in map(tuple, np.argwhere(~np.isclose(mine, true, rtol, atol)).tolist()):
            raise AssertionError(
                f"input {i} at {at}: the rules say {mine[at]:.6g}, small steps say "
                f"{true[at]:.6g}, for the sum of v * y, v = {v.ravel()[:6].round(4)}")
    return True

# %%
gradcheck(lambda a, b: (a @ b).tanh(), np.ones((2, 3)), 0.1 * np.ones((3, 4)))

# %% [markdown]
# Somebody writes an op of their own, and the rule has a mistake. Do you see it?

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
# The derivative of $x^3$ at 1 *is* 3. But `gradcheck` asks for the derivative of
# $v_0 x_0^3 + v_1 x_1^3 + v_2 x_2^3$, which is $3 v_0$ there. The rule forgot `grad`,
# which is $v$ here. Right after a loss, where `grad` is 1, nobody would notice.
#
# And now a layer, for its input, its weights and its bias, as module 06 wrote it:

# %%
from tinytorch.core.spatial import Conv2d

layer = Conv2d(2, 3, 3, stride=2, padding=1)
picture = np.random.default_rng(0).standard_normal((2, 2, 5, 6))

# %%
def with_weights(x, weight, bias):
    layer.weight, layer.bias = weight, bias
    return layer(x)

# %%
gradcheck(with_weights, picture, layer.weight, layer.bias)

# %% [markdown]
# ## 11. Time for memory
#
# Until backward comes, all results in between are kept. **Checkpointing** keeps only
# what goes into a block of the network. When backward reaches the block, it runs the
# block *again*, with recording on, and differentiates that (Chen et al. 2016). It is
# not related to the command `tito checkpoint`, which tries your package.
#
# `checkpoint(block, x)` is given, in the upper part of the next code cell, which you
# need not read. It runs the block once on a *stand-in* for `x`: a leaf with the same
# numbers. It notes which other leaves (weights) the block used, and forgets the graph.
# Then it applies one op whose inputs are `x` and those leaves.

# %% [markdown]
# Before it runs the block, it notes the state of each random generator that the block
# will use: the default one, and those that `_generators` finds in the layers of the
# block, and in what a function names.

# %% nbgrader={"grade": false, "grade_id": "generators", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _generators(block: Callable) -> list[np.random.Generator]:
    """The default generator, and those that the block holds or names."""
    seen, waiting = {}, [default_generator, block]
    for x in waiting:  # which grows meanwhile
        if id(x) in seen:
            continue
        seen[id(x)] = x
        if isinstance(x, dict):
            waiting += x.values()
        elif isinstance(x, (list, tuple, set)):
            waiting += x
        elif isinstance(x, partial):
            waiting += x.func, x.args, x.keywords
        elif isinstance(x, MethodType):
            waiting += x.__self__, x.__func__
        elif isinstance(x, FunctionType):
            if not str(x.__module__).startswith("tinytorch.core."):  # those hold none
                waiting += [x.__globals__.get(name) for name in x.__code__.co_names]
                waiting += [cell.cell_contents for cell in x.__closure__ or ()]
                waiting += x.__defaults__ or ()
        elif hasattr(x, "__dict__") and not isinstance(x, (type, ModuleType)):
            methods = ("__call__", "forward")
            waiting += [vars(x), *(getattr(type(x), name, None) for name in methods)]
    return [x for x in seen.values() if isinstance(x, np.random.Generator)]
def _states(generators) -> list[tuple]:
    return [(g, g.bit_generator.state) for g in generators]
def _set_states(states: list[tuple]) -> None:
    for generator, state in states:
        generator.bit_generator.state = state

# %% [markdown]
# Two dropouts, one with a generator of its own. How many generators are there?

# %%
from tinytorch.core.dense import Dropout, Sequential

_generators(Sequential(Dropout(0.5), Dropout(0.5, np.random.default_rng(0))))

# %% [markdown]
# The rule at the end of the cell is yours. Run the function on the stand-ins once more,
# within `with _replay(state):`, which turns recording on and repeats the random
# numbers, so that a dropout drops the same. Then differentiate what came out with
# `gradients`, which begins with `grad` and leaves every `.grad` alone. Return an entry
# for each stand-in and then for each leaf, `None` for one that got no gradient. About
# four lines.

# %% nbgrader={"grade": false, "grade_id": "checkpoint_rule", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class CheckpointOp(Op):
    """CheckpointOp(function, stand_ins, leaves, state, y): one op for a whole block."""
    def forward(self, *arrays):
        self.saved = arrays
        return self.parameters[-1]
@contextmanager
def _replay(state: list[tuple]):
    """Recording is on, and the generators draw the numbers of that time."""
    before, enabled = _states(generator for generator, _ in state), grad_mode.enabled
    _set_states(state)
    grad_mode.enabled = True
    try:
        yield
    finally:
        _set_states(before)
        grad_mode.enabled = enabled
def checkpoint(function: Callable, *inputs: Tensor) -> Tensor:
    """function(*inputs); what it computes inside is not kept but computed again."""
    state = _states(_generators(function))
    stand_ins = [Tensor(x.data, x.requires_grad, x.dtype) for x in inputs]
    y, own = function(*stand_ins), set(stand_ins)
    used = [t for t in recipe(y) if t.requires_grad and not t.origin and t not in own]
    return apply(CheckpointOp(function, stand_ins, used, state, y.data), *inputs, *used)
@gradient(CheckpointOp)
def _(op, grad):
    function, stand_ins, leaves, state, _ = op.parameters
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

# %% nbgrader={"grade": true, "grade_id": "checkpoint_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The same gradients from one op; the block runs once more, with the same dropout."""
from tinytorch.core.dense import Dropout

runs, weight = [], Tensor([[1.0, 2.0], [-1.0, 0.5]], requires_grad=True)
v, idle = (Tensor(row, requires_grad=True) for row in ([[0.3, 0.7]], [[1.0, 1.0]]))

class Deaf(Op):
    def forward(self, a, b): return a + 0 * b

gradient(Deaf)(lambda op, grad: (grad, None))
def block(a):
    runs.append(a.shape)
    return apply(Deaf(), ((a @ weight).tanh() * a).exp(), idle)

backward((block(v) ** 2).sum())
wanted = v.grad.data, weight.grad.data
zero_grad([v, weight])
y = checkpoint(block, v)
g = np.array([[1.0, -2.0]], np.float32)
try:
    entries = list(RULES[CheckpointOp](y.origin[0], g))
except KeyError:
    raise AssertionError("the leaf idle got no gradient: give None, by .get") from None
assert len(runs) == 3, f"the rule runs the block once; yours did {len(runs) - 2} times"
assert (g == [[1, -2]]).all(), "the rule wrote into grad, which others need too"
assert v.grad is None and weight.grad is None, (
    "the rule put a gradient on a leaf: take gradients, which returns arrays")
assert len(entries) == 3 and sum(entry is None for entry in entries) == 1, (
    "an entry for v, weight and idle; idle got no gradient, so None: take found.get")
backward((checkpoint(block, v) ** 2).sum())
for name, t, was in zip(("the input", "a weight inside"), (v, weight), wanted):
    assert t.grad is not None and np.allclose(t.grad.data, was, 1e-6), (
        f"the gradient of {name} differs from the one without checkpoint")
    assert t.grad.dtype == np.float32, f"float32 went in, {t.grad.dtype} came out"
drop = Dropout(0.5, np.random.default_rng(0))
ones = Tensor(np.ones(100), requires_grad=True)
y = checkpoint(lambda a: drop(a) * a, ones)
with no_grad():
    backward(y, np.ones(100))
assert ones.grad is not None, (
    "inside no_grad the second run recorded nothing: run it within _replay(state)")
assert np.allclose(ones.grad.data, 2 * y.data), (
    "the second run dropped other numbers than the first: run it within _replay(state)")

# %% nbgrader={"grade": true, "grade_id": "checkpoint_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again with a block inside a block, and on the generator afterwards."""
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
answer([_v.grad, _next, rand(2), is_grad_enabled()], about="the same dropout twice")
_w, _c = Tensor([2.0, 3.0], requires_grad=True), Tensor([1.0, 4.0])
def _outer(a, b): return checkpoint(lambda u: u * _w + b, a * _w)
backward(checkpoint(_outer, _w, _c).sum())
answer([_w.grad, _c.grad is None], about="a block in a block")
_g, _y = np.ones(2, np.float32), checkpoint(lambda a: a * a, _w)
_found = [g() if callable(g) else g for g in RULES[CheckpointOp](_y.origin[0], _g)]
answer([*_found, _g], about="the rule itself, and grad afterwards")
### END HIDDEN TESTS

# %% [markdown]
# ## 12. The rest is names
#
# `set_grad_enabled(mode)` is `no_grad` with a choice: one loop serves training and
# validation. Called alone it holds from then on. `inference_mode` is `no_grad`: in
# PyTorch it also leaves out the version counters, and here nothing more can be left
# out.
#
# `grad(outputs, inputs)` gives gradients as a result and leaves every `.grad` alone.
# The inputs may be tensors in the middle of a graph, too: `Watched` stands there for
# the op, and its rule notes what arrives before it asks the op's own rule.

# %% nbgrader={"grade": false, "grade_id": "names", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
inference_mode = no_grad
class set_grad_enabled:
    """`set_grad_enabled(mode)`, or `with set_grad_enabled(mode):` for a block."""
    def __init__(self, mode: bool):
        self.before, grad_mode.enabled = grad_mode.enabled, bool(mode)
    def __enter__(self): pass
    def __exit__(self, *error): grad_mode.enabled = self.before
    def __call__(self, function):
        grad_mode.enabled = self.before
        raise TypeError("set_grad_enabled decorates nothing: take @no_grad()")
class Ends(Op):
    """Ends(*seeds): after it nothing comes; seeds holds a gradient for each input."""
RULES[Ends] = lambda op, grad: op.parameters
class Watched(Op):
    """Watched(op, found, t): op, which made t; its rule also notes t's gradient."""
@gradient(Watched)
def _(op, grad):
    made, found, t = op.parameters
    found[t] = grad.copy()
    return RULES[type(made)](made, grad)
def _listed(x) -> list: return [x] if isinstance(x, (Tensor, np.ndarray)) else list(x)

# %% nbgrader={"grade": false, "grade_id": "grad", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def grad(outputs, inputs, grad_outputs=None, retain_graph=False, allow_unused=False):
    """The gradient of the outputs' sum by each input: a tuple of tensors."""
    ys, xs, found, taken = _listed(outputs), _listed(inputs), {}, {}
    wanted = set(xs)
    seeds = [None] * len(ys) if grad_outputs is None else _listed(grad_outputs)
    if len(seeds) != len(ys):
        raise ValueError(f"{len(seeds)} grad_outputs for {len(ys)} outputs")
    if not all(x.requires_grad for x in xs):
        raise RuntimeError("an input does not require a gradient")
    end = _wrap(np.zeros(()))
    end.requires_grad, end.made = True, Op.tick()
    end.origin = Ends(*map(_seed, ys, seeds)), tuple(ys)
    order = by_date(end)
    _refuse(order)  # before Watched hides what the ops saved
    graph = [(t, t.origin) for t in order if retain_graph or t in wanted]
    del order  # or it would hold all tensors until the end
    for t, origin in graph:
        if origin and t in wanted:
            t.origin = Watched(origin[0], found, t), origin[1]
    try:
        found |= gradients(end, np.ones(()))
    finally:
        for t, origin in graph:
            t.origin = origin if retain_graph or t.origin is not _FREED else _FREED
    if not allow_unused and not all(x in found for x in xs):
        raise RuntimeError("an input is not in the graph: allow_unused=True gives None")
    def own(x): return _wrap(_own(np.asarray(found[x], x.dtype), taken))
    return tuple(own(x) if x in found else None for x in xs)

# %% [markdown]
# How fast does a loss change with what a layer gave in the middle?

# %%
middle = Tensor([[1.0, 2.0]], requires_grad=True) * 3
loss = (middle**2).sum()
grad(loss, middle)

# %% [markdown]
# And which of the two values below is True?

# %%
with set_grad_enabled(False):
    quiet = middle * 2
quiet.requires_grad, is_grad_enabled()

# %% [markdown]
# ## Use: learn the digits
#
# The picture from section 2 also shows what will be walked in a small network. Pink
# boxes require a gradient.

# %%
draw_graph(loss_of(MLP([64, 10], None), rows[:32]))

# %% [markdown]
# Now measure the promise of the first section. How many losses does it take to compute
# one loss *and* all its derivatives, for a narrow network and for one with many more
# weights? (Each call is timed alone, and the fastest of 30 counts, since other programs
# on the machine slow some of them down.)

# %%
def loss_and_backward(net, rows):
    loss_of(net, rows).backward()

# %%
for width in (16, 64, 256):
    net = MLP([64, width, 10], relu)
    one = time_call(loss_of, net, rows, repeat=30, min_time=0).min
    both = time_call(loss_and_backward, net, rows, repeat=30, min_time=0).min
    print(f"{sum(p.size for p in net.parameters()):6,} weights: one loss "
          f"{readable(one, 's'):>8}, with all derivatives {both / one:.1f} times that")

# %% [markdown]
# Training in a dozen lines: a batch, a loss, `backward`, and a small step against each
# gradient. `assign` writes in place and notes the date. Which share of the 500 digits
# that it never saw will it recognise? (Module 02's nearest mean: about 90 %.)

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
plt.figure(figsize=(6, 2.4), layout="constrained")
plt.semilogy(losses, lw=0.7)
plt.gca().set(xlabel="step", ylabel="loss of the batch");

# %% [markdown]
# Five of the digits that it takes for something else:

# %%
wrong = np.flatnonzero(guess != labels[1297:])[:5]
fig, axes = plt.subplots(1, 5, figsize=(7, 1.9), layout="constrained")
for ax, i in zip(axes, wrong):
    ax.imshow(images[1297 + i].reshape(8, 8), cmap="gray_r")
    ax.set(title=f"a {labels[1297 + i]}, taken for {guess[i]}", xticks=[], yticks=[])
    ax.title.set_fontsize(9)

# %% [markdown]
# What happens without `zero_grad`? Each step then follows the sum of all gradients so
# far. Try it: the loss falls at first, then it swings up and down and does not settle.
#
# ## Systems: what a graph holds
#
# Take an MLP of `depth` layers, `width` wide, on a batch. Each layer leaves two results
# in the graph, before and after its ReLU (the last has no ReLU), of `batch · width`
# numbers of 4 bytes. The weights were there before. Write down the bytes for the first
# row.

# %%
width = 256
for depth, batch in [(4, 128), (8, 128), (16, 128), (8, 512)]:
    net, inputs = MLP([width] * (depth + 1), relu), Tensor(np.ones((batch, width)))
    predicted, held = (2 * depth - 1) * batch * width * 4, peak_memory(net, inputs)
    print(f"depth {depth:2}  batch {batch:3}  predicted {readable(predicted, 'B'):>8}  "
          f"measured {readable(held, 'B'):>8}")
    assert abs(held / predicted - 1) < 0.15

# %% [markdown]
# The graph grows with depth *and* with batch, the weights only with depth. That is why
# too large a batch ends training with "out of memory".
#
# ### Checkpoints
#
# Take 16 layers in blocks of `size`. One result is kept for each block, $16 / size$ in
# all. While a block is computed again, its own results are held too, two for each
# layer, $2 \cdot size$. Where is the sum smallest?
#
# And the time: backward takes two products for each one of forward. If products were
# everything, and forward is done twice, by which factor would a step take longer? (Less
# memory also means less memory to ask the system for, so the measured factor may be
# smaller.)

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
    zero_grad(net.parameters())
    backward(h.mean())

# %%
for size in (16, 8, 4, 2, 1):
    print(f"blocks of {size:2}  peak {readable(peak_memory(step, size), 'B'):>8}")

# %%
ways = {"whole": 16, "blocks of 4": 4, "blocks of 2": 2}
compare({name: lambda size=size: step(size) for name, size in ways.items()}, rounds=9)

# %% [markdown]
# ## Reflect
#
# ### Memory
#
# Take one step of your MLP from the table: depth 16, batch 128, width 256. State the
# bytes of the weights, of their gradients, and of the graph. From which batch on is the
# graph larger than weights and gradients together? Compare the graph with a row of the
# table, and say which of the three checkpointing reduces. At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "memory_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The weights take 16 · (256² + 256) · 4 B = 4.2 MB, and the gradients as much. The
# graph takes 31 · 128 · 256 · 4 B = 4.1 MB, which the table shows within a few percent.
# It grows by 31 · 256 · 4 B = 32 kB for each example, so from 8.4 MB / 32 kB, about 265
# examples on, it is the larger part. Checkpointing reduces the graph only.
#
# Rubric: 2 points for the bytes of weights and gradients; 2 for the graph, compared
# with the measured row; 2 for the batch of about 265; 1 for the graph alone.

# %% [markdown]
# ### Checkpoints
#
# Take your own table of checkpoints. Which block size has the smallest peak, and which
# does the count $16/s + 2s$ choose? If the count cannot decide, what did it leave out?
# Count the forward and backward passes of a step with checkpoints, derive a factor of
# time, and say how far your measurement is from it. At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "checkpoint_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# 16/s + 2s is 12 for s = 2 and for s = 4, and 18 for 1 and 8: a tie. My smallest peak
# is at 2. The count left out the gradients of the weights, which pile up while the
# blocks are let go: at the end all 4.2 MB of them lie beside one block, and a block of
# 4 is the larger. With checkpoints a step is two forward passes and a backward pass
# worth two, 4 in place of 3, a factor of 1.33; I measured 1.38 for blocks of 4, and 4/3
# lies within the spread.
#
# Rubric: 2 points for the count (2 and 4 alike), 2 for the comparison with the own
# table (what was left out may be named in other words), 2 for 4/3 with its reason, 1
# for the comparison with the measured factor.

# %% [markdown]
# ### A corner
#
# For `relu` at 1, 0 and -1: which three numbers does the rule give if `grad` is 1, and
# which three do small steps give? Predict all six. Then compute them, with `backward`
# of `relu(z).sum()` and with `numerical_gradient`, for `z = Tensor([1.0, 0.0, -1.0],
# requires_grad=True, dtype=np.float64)`. Is the rule wrong? And what do both give for
# `maximum` of two equal tensors? At most four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "kink_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# The rule gives 1, 0, 0, small steps give 1, 0.5, 0: at 0 the step up has slope 1, the
# step down slope 0, and central differences take their mean. The rule is not wrong: at
# a corner there is no derivative, and any value from 0 to 1 is a subgradient. For two
# equal tensors the rule gives one half to each, and small steps say 0.5 as well.
#
# Rubric: 2 points for the rule's numbers, 2 for 0.5 and its reason, 1 for no derivative
# at a corner, 1 for the halves at the tie.

# %% [markdown]
# ## Here and in PyTorch
#
# | here | in PyTorch |
# | --- | --- |
# | `t.origin`, the op and its inputs | `t.grad_fn`, `t.grad_fn.next_functions` |
# | `op.saved` | `ctx.saved_tensors` |
# | an `Op` and its `@gradient` rule | `torch.autograd.Function` |
# | a rule | a vector–Jacobian product, `torch.func.vjp` |
# | `backward` adds to a leaf's `.grad` | the same, in a node `AccumulateGrad` |
# | a second walk is an error, unless `retain_graph=True` | the same |
# | `grad(y, [x])`, no gradients of gradients | also with `create_graph=True` |
# | no `retain_grad`: `grad(y, h)` | `h.retain_grad()` |
# | `max` gives all to a nan | `max()` too; `amax` makes every gradient nan |
# | `gradcheck(f, *inputs)` | `torch.autograd.gradcheck(f, inputs)` |
# | `checkpoint(block, x)` | `torch.utils.checkpoint.checkpoint(block, x)` |

# %% [markdown]
# Writes, modes and random numbers:
#
# | here | in PyTorch |
# | --- | --- |
# | dates of writes, for memory | a version counter, `t._version`; views share it |
# | a write through `t.data` has no date | it is not counted either |
# | attention keeps q and k | it keeps scaled copies of them |
# | tensors of parts of one NumPy array have one date | each has its own counter |
# | `zero_grad(tensors)` | `optimizer.zero_grad()` |
# | `no_grad`, `is_grad_enabled`, for each thread | the same |
# | `set_grad_enabled(mode)`: a call, a block | also a decorator |
# | `inference_mode` is `no_grad` | it leaves out version counters too |
# | `checkpoint` repeats each generator it finds | only the default ones |

# %% [markdown]
# ## Summary
#
# Everything that modules 02 to 08 compute can now be differentiated, and none of their
# lines changed: a table of rules and one walk. An op defined later brings its rule
# along. Derivatives of derivatives are missing, since rules compute on arrays (PyTorch
# has `create_graph=True`). Module 10 takes the step that you took by hand above, and
# takes it better.

