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
#     title: Activations
#     part: Foundations
#     hours: 3
#     goals:
#     - show why a network needs nonlinearities, and compute XOR with one
#     - write PyTorch's activations so that neither 10,000 nor -10,000 breaks them
#     - tell from a slope where an activation lets a network learn, and where not
#     - turn logits into probabilities and log-probabilities along any axis
#     - measure which activations cost memory traffic and which cost arithmetic
# ---

# %% [markdown]
# # Activations
#
# > The nonlinearities between layers: ReLU, LeakyReLU, Sigmoid, Tanh, GELU, Softmax and
# > LogSoftmax.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on, `import tinytorch` means the package in your own workspace:
# the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(3)

# %% [markdown]
# ## Why a network needs nonlinearities
#
# A linear layer multiplies by a matrix, and module 02 gave us `@`. Can two such layers
# do more than one? Here $x$ goes through two, first $A$, then $B$. How large will the
# difference to the single matrix $AB$ be?

# %%
import numpy as np

from tinytorch.core.tensor import Tensor, randn

rng = np.random.default_rng(0)
x, A, B = (randn(*shape, generator=rng) for shape in [(5, 4), (4, 8), (8, 3)])
((x @ A) @ B - x @ (A @ B)).abs().max()

# %% [markdown]
# The difference is rounding, and nothing else: $(xA)B = x(AB)$. A hundred linear layers
# are one linear layer, and one cannot do much. "One or the other, but not both" (XOR)
# is 0, 1, 1, 0 on the four corners of a square. Here is the linear function, with a
# constant, that comes nearest to it. Which four values will it have?

# %%
corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
either = np.array([0, 1, 1, 0])

with_ones = np.hstack([corners, np.ones((4, 1))])
best = np.linalg.lstsq(with_ones, either)[0]
with_ones @ best

# %% [markdown]
# The best that a linear layer can say is "one half" everywhere, and more linear layers
# change nothing. What is missing is a function between two layers that acts on each
# number and is not linear: its graph has a bend. Such a function is called a
# **nonlinearity** or **activation function**.

# %%
#| default_exp core.activations

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import math

import numpy as np

from tinytorch.core.tensor import Op, Tensor, apply, where

# %% [markdown]
# Every activation will be an object that is called like a function: `ReLU()(x)`. The
# object keeps the settings, if there are any, such as the axis of a softmax. What they
# all share is given. `_floating` is for those whose results are fractions.

# %% nbgrader={"grade": false, "grade_id": "activation", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Activation:
    """A function without parameters, as an object: calling it calls `forward`."""

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}.forward is not written yet")

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"


def _floating(x: Tensor) -> Tensor:
    """Integers as float32; floats as they are."""
    return x if x.dtype.kind == "f" else x.astype(np.float32)

# %% [markdown]
# ## ReLU
#
# The cheapest nonlinearity has a corner at zero:
#
# $$\mathrm{ReLU}(x) = \max(0, x)$$
#
# It acts on each element alone, so any shape goes in and the same shape comes out. Use
# a tensor operation of module 02, so that the result remembers `x`. Infinities need no
# special case: $\max(0, -\infty)$ is 0.
#
# Write `forward`: one line suffices. `x` must not change.

# %% nbgrader={"grade": false, "grade_id": "relu", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class ReLU(Activation):
    """Keep what is positive, replace the rest by zero."""

    def forward(self, x: Tensor) -> Tensor:
        """max(0, x), elementwise: (*shape) -> (*shape)."""
        ### BEGIN SOLUTION
        return x.maximum(0)
        ### END SOLUTION

# %% [markdown]
# Which of these four numbers will change?

# %%
x = Tensor([[-2.0, 0.0], [0.5, 3.0]])
ReLU()(x)

# %% nbgrader={"grade": true, "grade_id": "relu_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""ReLU zeroes the negatives, also -inf, leaves its input alone, and remembers it."""
x = Tensor([[-2.0, 0.0], [0.5, 3.0]], requires_grad=True)
try:
    y = ReLU()(x)
except (TypeError, ValueError) as error:
    raise AssertionError(
        "Python's max and if, and NumPy's functions, do not work on a tensor. "
        f"Use a tensor operation of module 02: {error}"
    ) from None

assert isinstance(y, Tensor), f"ReLU must return a Tensor, not {type(y).__name__}"
assert y.shape == (2, 2), f"the shape must stay (2, 2), but it is {y.shape}"
assert y.dtype == np.float32, f"the dtype must stay float32, but it is {y.dtype}"
got, wanted = y.data.tolist(), [[0.0, 0.0], [0.5, 3.0]]
assert got == wanted, f"[[-2, 0], [0.5, 3]] must become {wanted}, not {got}"
same = x.data.tolist() == [[-2.0, 0.0], [0.5, 3.0]]
assert same, "ReLU changed its input: compute a new tensor"
assert y.requires_grad, "y does not remember x: compute with the tensor, not its .data"
with np.errstate(invalid="ignore"):
    low, high = ReLU()(Tensor([-np.inf, np.inf])).data
assert low == 0, (
    f"max(0, -inf) is 0, not {low}. Do you multiply by a mask? "
    "-inf * 0 is nan: take the larger of two numbers instead"
)
assert high == np.inf, f"max(0, inf) is inf, not {high}"

# %% nbgrader={"grade": true, "grade_id": "relu_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a 4-d batch, on infinities, and on whether the result remembers x."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_rng = np.random.default_rng(0)
answer(ReLU()(Tensor(_rng.standard_normal((2, 3, 4, 5)))), about="a 4-d batch")
answer(ReLU()(Tensor([-np.inf, np.inf])), about="infinities")
_y = ReLU()(Tensor([-1.0, 1.0], requires_grad=True))
answer(_y.requires_grad, about="does the result remember its input?")
### END HIDDEN TESTS

# %% [markdown]
# ### What one nonlinearity can do
#
# Now XOR, by hand. A network with two hidden units computes
#
# $$h = \mathrm{ReLU}(x W_1 + b_1), \qquad y = h W_2$$
#
# with $W_1$ of shape (2, 2), $b_1$ (2,), $W_2$ (2, 1). Find numbers for them that make
# $y$ equal to 0, 1, 1, 0 on the corners (0,0), (0,1), (1,0), (1,1). A hint: only the
# sum $s$ of the two inputs matters. From $s = 0$ to 1 the output goes up, and from 1 to
# 2 down again, like a tent. $\mathrm{ReLU}(s)$ goes up. Which second ReLU, with which
# weight, turns it down at $s = 1$?
#
# Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "xor", "locked": false, "schema_version": 3, "solution": true, "task": false}
def xor(x: Tensor) -> Tensor:
    """ReLU(x @ W1 + b1) @ W2: (n, 2) -> (n, 1), 1 if exactly one input is 1, else 0."""
    ### BEGIN SOLUTION
    W1 = Tensor([[1.0, 1.0], [1.0, 1.0]])
    b1 = Tensor([0.0, -1.0])
    W2 = Tensor([[1.0], [-2.0]])
    return ReLU()(x @ W1 + b1) @ W2
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "xor_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The network gives 0, 1, 1, 0 on the four corners, by two matrix products."""
from tinytorch.core.tensor import recipe

points = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
square = Tensor(points, requires_grad=True)
y = xor(square)

assert y.shape == (4, 1), f"(4, 2) must become (4, 1), not {y.shape}"
assert y.dtype == np.float32, f"float32 in, {y.dtype} out: compute with tensors"
got = [round(v, 6) for v in y.data.ravel().tolist()]
assert np.allclose(got, [0, 1, 1, 0], atol=1e-6), (
    f"at (0,0), (0,1), (1,0), (1,1) the output must be 0, 1, 1, 0, not {got}"
)
assert square.data.tolist() == points, "xor changed its input"
ops = [type(t.origin[0]).__name__ for t in recipe(y) if t.origin]
n = ops.count("MatMul")
assert n == 2, f"x @ W1 and h @ W2 are two matrix products. Your output remembers {n}"

# %% nbgrader={"grade": true, "grade_id": "xor_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on seven corners in another order, which must not change."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_corners = [[1, 1], [0, 1], [1, 0], [1, 0], [0, 0], [1, 1], [0, 1]]
_x = Tensor(_corners, dtype=np.float32)
answer([xor(_x), _x], about="seven corners, and the corners after the call")
### END HIDDEN TESTS

# %% [markdown]
# The output over the whole square, and along its diagonal, where it is the tent. The
# number at each corner is the wanted output. Where are the two folds? (You need not
# read the two cells that draw it.)

# %%
import matplotlib.pyplot as plt

side = np.linspace(-0.25, 1.25, 151)
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
output = xor(Tensor(grid)).data.reshape(151, 151)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
image = left.pcolormesh(side, side, output, cmap="coolwarm", vmin=-1, vmax=1)
for (a, b), wanted in zip(corners, either, strict=True):
    left.text(a, b, wanted, ha="center", va="center", bbox={"facecolor": "white"})
left.set(title="output", xlabel="first input", ylabel="second input", aspect="equal")
right.plot(side, xor(Tensor(np.stack([side, side], axis=1))).data)
right.set(title="output along the diagonal", xlabel="both inputs")
fig.colorbar(image, ax=left);

# %% [markdown]
# ## What passes back: the slope
#
# A network learns by small changes: if this number moves a little, how much does the
# output move? That is the slope. If it is 0, nothing can be learned. Module 09 finds
# slopes exactly. Until then we take two points, a step $h$ to either side:
#
# $$f'(x) \approx \frac{f(x + h) - f(x - h)}{2h}$$
#
# Write it for a function `f` that takes a tensor and acts on each element alone: one
# line suffices. `x` must stay as it is.

# %% nbgrader={"grade": false, "grade_id": "slope", "locked": false, "schema_version": 3, "solution": true, "task": false}
def slope(f, x: Tensor, h: float = 0.01) -> Tensor:
    """(f(x + h) - f(x - h)) / 2h, elementwise: (*shape) -> (*shape)."""
    ### BEGIN SOLUTION
    return (f(x + h) - f(x - h)) / (2 * h)
    ### END SOLUTION

# %% [markdown]
# The slope of ReLU left of the corner, at the corner, and right of it: what will the
# middle one be?

# %%
slope(ReLU(), Tensor([-2.0, 0.0, 2.0]))

# %% nbgrader={"grade": true, "grade_id": "slope_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""The slope of x² is 2x, of |x| at 0 it is 0, of a straight line always the same."""
x = Tensor([[-1.0, 0.0, 2.0], [3.0, 0.5, -4.0]])
before = x.data.copy()

def squared(x):
    assert isinstance(x, Tensor), f"f takes a tensor, not an array: {type(x).__name__}"
    return x * x

s = slope(squared, x)
assert s.shape == (2, 3), f"one slope for each number: (2, 3), not {s.shape}"
assert s.dtype == np.float32, f"float32 in, float32 out, not {s.dtype}"
got, wanted = s.data[1, 0], 6
assert np.allclose(s.data, 2 * before, atol=1e-3), (
    f"the slope of x² is 2x: 6 at x = 3, not {got:.6g}. "
    "Step h to either side: the two points are 2h apart, so divide by (2 * h)"
)
middle = slope(abs, Tensor([0.0])).item()
assert abs(middle) < 1e-3, f"|x| at 0: a step to EITHER side gives 0, not {middle:.6g}"
got = slope(lambda x: 3 * x + 1, x, h=0.5).data
line = np.allclose(got, 3, atol=1e-4)
assert line, f"3x + 1 has slope 3 everywhere, also for h = 0.5, not {got[0, 0]:.6g}"
got = slope(lambda x: x * x * x, Tensor([0.0]), h=0.5).item()
assert abs(got - 0.25) < 1e-4, f"x³ at 0 with h = 0.5 gives 0.25, not {got:.6g}: use h"
assert (x.data == before).all(), "slope changed x: x + h makes a new tensor"

# %% nbgrader={"grade": true, "grade_id": "slope_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a cube with a large step, and on |x| at its corner."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_cube = slope(lambda x: x * x * x, Tensor([-1.0, 0.0, 1.0, 2.0]), h=0.5)
answer(_cube, about="x³ with h = 0.5")
_corner = slope(abs, Tensor([-1.0, 0.0, 1.0]))
answer(_corner, about="|x| left of, at and right of its corner", atol=1e-3)
### END HIDDEN TESTS

# %% [markdown]
# A picture says more than numbers. `sketch` draws activations and, with your `slope`,
# their slopes.

# %%
def sketch(*activations, span: float = 5.0):
    """The activations from -span to span on the left, their slopes on the right."""
    x = Tensor(np.linspace(-span, span, 401))
    fig, axes = plt.subplots(1, 2, figsize=(10, 3), layout="constrained")
    for f in activations:
        axes[0].plot(x.data, f(x).data, label=repr(f))
        axes[1].plot(x.data, slope(f, x).data)
    for ax, title in zip(axes, ["value", "slope"], strict=True):
        ax.set(title=title, xlabel="x")
        ax.grid(alpha=0.3)
    fig.legend(loc="outside lower center", ncols=len(activations))

# %%
sketch(ReLU())

# %% [markdown]
# ## LeakyReLU
#
# Left of the corner the slope is 0. A unit whose input is negative for *every* image is
# **dead**: no small change of its weights changes the output, so it can never learn
# again. Here 200 random units look at the 1,797 digits of module 02. Then one step that
# was too long moves all their biases by -10. How many units are nonzero for at least
# one image, before and after?

# %%
from tinytorch.datasets import load_digits

images, labels = load_digits()
pixels = Tensor(images.reshape(-1, 64) / 16)  # (1797, 64), 0 to 1

# %%
weights = randn(64, 200, generator=np.random.default_rng(1))
for bias in [0, -10]:
    alive = ReLU()(pixels @ weights + bias).max(axis=0) > 0
    print(f"bias {bias:3}: {alive.sum().item()} of 200 units are alive")

# %% [markdown]
# The remedy is a slope on the left that is small, but not 0:
#
# $$\mathrm{LeakyReLU}(x) = \begin{cases} x & x > 0 \\ a\,x & \text{else} \end{cases}$$
#
# The default of $a$ is 0.01. Any number is allowed, also one above 1. Use
# `where(condition, a, b)` of module 02, a tensor operation, so that the result
# remembers `x`: one line suffices.

# %% nbgrader={"grade": false, "grade_id": "leaky_relu", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class LeakyReLU(Activation):
    """Like ReLU, but the negative side keeps a slope, so that no unit dies."""

    def __init__(self, negative_slope: float = 0.01):
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """x where x > 0, else negative_slope * x: (*shape) -> (*shape)."""
        ### BEGIN SOLUTION
        return where(x > 0, x, self.negative_slope * x)
        ### END SOLUTION

# %%
LeakyReLU()(Tensor([-100.0, -1.0, 0.0, 1.0]))

# %%
sketch(ReLU(), LeakyReLU(0.1))

# %% nbgrader={"grade": true, "grade_id": "leaky_relu_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""LeakyReLU keeps the positive side, scales the negative by any slope, remembers x."""
points = [[-100.0, -1.0, 0.0], [0.5, 2.0, -3.0]]
x = Tensor(points, requires_grad=True)

for a, wanted in [
    (0.01, [-1, -0.01, 0, 0.5, 2, -0.03]),
    (0.0, [0, 0, 0, 0.5, 2, 0]),
    (2.0, [-200, -2, 0, 0.5, 2, -6]),
    (-1.0, [100, 1, 0, 0.5, 2, 3]),
]:
    y = LeakyReLU(a)(x)
    assert y.shape == (2, 3), f"the shape must stay (2, 3), but it is {y.shape}"
    got = [round(v, 6) for v in y.data.ravel().tolist()]
    assert np.allclose(got, wanted), f"slope {a} must give {wanted}, not {got}"
    assert y.dtype == np.float32, f"the dtype must stay float32, but it is {y.dtype}"
assert LeakyReLU().negative_slope == 0.01, "the default slope is 0.01"
assert y.requires_grad, "y does not remember x: compute with the tensor, not its .data"
assert x.data.tolist() == points, "LeakyReLU changed its input"

# %% nbgrader={"grade": true, "grade_id": "leaky_relu_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a 3-d batch, a negative slope, infinities, and on remembering x."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = np.random.default_rng(0).standard_normal((3, 2, 5))
answer(LeakyReLU(0.2)(Tensor(_x)), about="a 3-d batch")
answer(LeakyReLU(-1.0)(Tensor([-2.0, 3.0])), about="a negative slope")
answer(LeakyReLU()(Tensor([-np.inf, np.inf])), about="infinities")
_y = LeakyReLU()(Tensor([-1.0, 1.0], requires_grad=True))
answer(_y.requires_grad, about="does the result remember its input?")
### END HIDDEN TESTS

# %% [markdown]
# ## Sigmoid and Tanh
#
# A gate needs a number between 0, closed, and 1, open. The sigmoid gives one. Its
# formula has two equal forms:
#
# $$\sigma(x) = \frac{1}{1 + e^{-x}} = \frac{e^x}{e^x + 1}$$
#
# The largest float32 is about $3.4 \cdot 10^{38}$, and $e^{89}$ is above it. At which
# of the four numbers does the first form overflow, at which the second, and what do
# they give there? Read the warnings too.

# %%
x = np.array([-10_000.0, -100.0, 100.0, 10_000.0], dtype=np.float32)
1 / (1 + np.exp(-x)), np.exp(x) / (np.exp(x) + 1)

# %% [markdown]
# The first form is saved by luck: 1/∞ is 0, and the true 3.8e-44 is close to it. The
# second divides ∞ by ∞. Each overflows on one side only, so take the first for
# $x \ge 0$ and the second for $x < 0$. One line does both, because $e^{\min(x, 0)}$ is
# 1 on the right and $e^x$ on the left:
#
# $$\sigma(x) = \frac{e^{\min(x, 0)}}{1 + e^{-|x|}}$$
#
# No exponent is above 0. Far to the left $\sigma(x)$ is nearly $e^x$: tiny, but above
# 0.

# %% [markdown]
# The sigmoid becomes an `Op`, so here `x` is an array, and you use NumPy. It must not
# overflow, not even at ±10,000, and the left tail must stay above 0 as long as the
# dtype can hold it. Save the result in a tuple of one, `self.saved = (y,)`: module 09
# will write the slope as $y(1 - y)$. `x` has any shape. It must not change, and the
# result has its dtype. Three lines suffice.

# %% nbgrader={"grade": false, "grade_id": "sigmoid", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class SigmoidOp(Op):
    """1 / (1 + exp(-x)), with no exponent above 0; the derivative is y (1 - y)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        ### BEGIN SOLUTION
        y = np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))
        self.saved = (y,)
        return y
        ### END SOLUTION

# %% [markdown]
# The objects are given: `apply` of module 02 runs your operation. For Tanh module 02
# has an op already, and NumPy's tanh does not overflow.

# %% nbgrader={"grade": false, "grade_id": "sigmoid_tanh", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Sigmoid(Activation):
    """From 0 to 1: a closed or an open gate."""

    def forward(self, x: Tensor) -> Tensor:
        """1 / (1 + exp(-x)): (*shape) -> (*shape)."""
        return apply(SigmoidOp(), _floating(x))


class Tanh(Activation):
    """From -1 to 1, odd."""

    def forward(self, x: Tensor) -> Tensor:
        """(exp(x) - exp(-x)) / (exp(x) + exp(-x)): (*shape) -> (*shape)."""
        return x.tanh()

# %%
x = Tensor([-10_000.0, -100.0, -1.0, 0.0, 100.0, 10_000.0])
Sigmoid()(x)

# %% nbgrader={"grade": true, "grade_id": "sigmoid_check", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
"""The sigmoid is symmetric, right in its tail, never overflows, saves its result."""
points = [-50.0, -3.0, 0.0, 3.0, 50.0]
x = np.array(points, dtype=np.float32)
op = SigmoidOp()
try:
    with np.errstate(over="raise", invalid="raise"):
        y = op.forward(x)
        far = SigmoidOp().forward(np.float32([[-10_000, 10_000], [-np.inf, np.inf]]))
except FloatingPointError as error:
    raise AssertionError(f"an exponent is above 0, NumPy says: {error}") from None

assert y.shape == (5,), f"the shape must stay (5,), but it is {y.shape}"
assert y.dtype == np.float32, f"float32 in, float32 out, not {y.dtype}"
saved = len(op.saved) == 1 and op.saved[0] is y
assert saved, "self.saved must be (y,), a tuple with the result"
both = y + y[::-1]
assert np.allclose(both, 1), f"σ(x) + σ(-x) must be 1, but at x = 3 it is {both[1]:.6g}"
for got, wanted, at in zip(y, [1.92875e-22, 0.0474259, 0.5], points):
    close = abs(got / wanted - 1) < 1e-4
    assert close, f"σ({at:.0f}) must be {wanted:.6g}, not {got:.6g}"
got = far.ravel().tolist()
assert got == [0, 1, 0, 1], f"σ at -10,000, 10,000, -inf, inf: 0, 1, 0, 1, not {got}"
assert x.tolist() == points, "forward changed x"

# %% nbgrader={"grade": true, "grade_id": "sigmoid_hidden", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Graded again from -100 to 100 in float32 and float64, on infinities, on overflow."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_x = np.linspace(-100, 100, 60).reshape(3, 4, 5)
answer(SigmoidOp().forward(_x.astype(np.float32)), about="a 3-d batch of float32")
answer(np.log(SigmoidOp().forward(_x)), about="log of the result, in float64")
answer(SigmoidOp().forward(np.array([-np.inf, np.inf, 0.0])), about="infinities")
_far = np.array([-1e4, 1e4], dtype=np.float32)
with np.errstate(over="raise"):
    answer(raised(SigmoidOp().forward, _far), about="no overflow at ±10,000")
### END HIDDEN TESTS

# %% [markdown]
# The tanh is a sigmoid, stretched: $\tanh x = 2\,\sigma(2x) - 1$. Before you run the
# second cell: at which x are the two steepest, and how steep is each there?

# %%
x = Tensor(np.linspace(-3, 3, 13))
(Tanh()(x) - (2 * Sigmoid()(2 * x) - 1)).abs().max()

# %%
sketch(Sigmoid(), Tanh())

# %% [markdown]
# Both **saturate**: far from 0 they are flat, and where they are flat they pass almost
# nothing back. The sigmoid passes back a quarter at best, in the middle. If what is
# passed back shrinks to almost nothing on its way through the layers, we speak of a
# **vanishing gradient**.

# %% [markdown]
# ## GELU
#
# ReLU decides hard: all of x, or nothing. GELU (Hendrycks & Gimpel 2016, the activation
# of GPT) multiplies x by the probability that a standard normal number is below x:
# $x\,\Phi(x)$, smooth everywhere. $\Phi$ needs the function erf, and NumPy has none.
# The authors give a form with tanh, PyTorch's `gelu(approximate="tanh")`:
#
# $$\mathrm{GELU}(x) = \tfrac{1}{2}\, x
# \left(1 + \tanh\!\left(\sqrt{2/\pi}\,(x + 0.044715\, x^3)\right)\right)$$
#
# Use tensor operations such as `x.tanh()`, so that the result remembers `x`. `math` is
# imported, for the root and π. Write the cube as a product: the last section measures
# why. Two lines suffice.

# %% nbgrader={"grade": false, "grade_id": "gelu", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class GELU(Activation):
    """x times the probability that a standard normal number is below x, by tanh."""

    def forward(self, x: Tensor) -> Tensor:
        """x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x³))): (*shape) -> (*shape)."""
        ### BEGIN SOLUTION
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
        return 0.5 * x * (1 + inner.tanh())
        ### END SOLUTION

# %% [markdown]
# Does it always rise? Look at the left of zero, and at the slope there.

# %%
sketch(ReLU(), GELU())

# %% nbgrader={"grade": true, "grade_id": "gelu_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""GELU is near x Φ(x), to six digits in the form with tanh, and remembers its input."""
from tinytorch.core.tensor import recipe

points = [[-3.0, -1.0, -0.1], [0.0, 0.7, 2.5]]
x = Tensor(points, requires_grad=True)
y = GELU()(x)

assert y.shape == (2, 3), f"the shape must stay (2, 3), but it is {y.shape}"
assert y.dtype == np.float32, f"the dtype must stay float32, but it is {y.dtype}"
exact = [[v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in row] for row in points]
got, right = y.data[0, 1], exact[0][1]
close = np.allclose(y.data, exact, atol=1e-3)
assert close, f"GELU(-1) must be near -Φ(-1) = {right:.6g}, but it is {got:.6g}"
one = GELU()(Tensor([1.0])).item()
assert abs(one - 0.841192) < 5e-6, (
    f"GELU(1) in the form with tanh is 0.841192, not {one:.6g} (by erf it is 0.841345)"
)
back = (y - GELU()(-x)).data
assert np.allclose(back, points, atol=1e-6), "GELU(x) - GELU(-x) must be x"
low, high = GELU()(Tensor([-1e4, 1e4])).data.tolist()
assert (low, high) == (0, 1e4), f"at ±10,000: 0 and 10000, not {low:.6g} and {high:.6g}"
assert y.requires_grad, "y does not remember x: compute with the tensor, not its .data"
ops = [type(t.origin[0]).__name__ for t in recipe(y) if t.origin]
assert "Pow" not in ops, "write the cube as a product, x * x * x, not as a power"
assert x.data.tolist() == Tensor(points).data.tolist(), "GELU changed its input"

# %% nbgrader={"grade": true, "grade_id": "gelu_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a 3-d batch, to five digits (the form with tanh), and in float64."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = np.linspace(-5, 5, 60).reshape(3, 4, 5)
answer(GELU()(Tensor(_x)), about="a 3-d batch")
answer(GELU()(Tensor(_x, dtype=np.float64)), about="a 3-d batch of float64")
### END HIDDEN TESTS

# %% [markdown]
# How far is this from the exact $x\,\Phi(x)$? We look in float64, where rounding does
# not hide it. Compare with the smallest step between two float32 numbers near 1, about
# $10^{-7}$.

# %%
x = np.linspace(-6, 6, 12_001)
exact = np.array([v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in x])
error = np.abs(GELU()(Tensor(x, dtype=np.float64)).data - exact)
print(f"at most {error.max():.6f}, at x = ±{abs(x[error.argmax()]):.2f}")
assert error.max() < 0.0005

# %% [markdown]
# So a network that was trained with one form should run with the same form.

# %% [markdown]
# ## Softmax
#
# A classifier gives one score per class, any real number. Scores that go into a softmax
# are called **logits**. Probabilities are positive and add up to 1. Make the logits
# positive by $e^x$, then divide by their sum:
#
# $$\mathrm{softmax}(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}}$$
#
# Three sets of logits, with the same differences in each. Which lines will be equal?

# %%
def naive_softmax(x):
    return np.exp(x) / np.exp(x).sum()

for logits in [[0, 1, 2], [1000, 1001, 1002], [-1000, -999, -998]]:
    print(naive_softmax(np.array(logits, dtype=np.float32)))

# %% [markdown]
# The first is right. The second divides ∞ by ∞, the third 0 by 0. But all three
# *should* be equal: if we add a constant $c$ to every logit, we multiply numerator and
# denominator by $e^c$, and it cancels. So we may choose the constant. With
#
# $$\mathrm{softmax}(x)_i = \frac{e^{x_i - m}}{\sum_j e^{x_j - m}},
# \qquad m = \max_j x_j$$
#
# the largest exponent is 0. Nothing overflows, and the sum is at least 1.

# %% [markdown]
# ### Along an axis
#
# Logits come in batches, for example (images, classes), so softmax needs to know along
# which axis the classes are: `dim`, which may be negative, as in `sum`. Each slice
# along `dim` has a maximum of its own. (One maximum for the whole array would push
# distant slices into 0/0.) In NumPy, `x.max(axis=dim, keepdims=True)` keeps the axis
# with size 1, so that `x - m` broadcasts.
#
# Write the forward pass on the array `x`. The first line, which takes `dim` from the
# parameters, is given. Save the result in a tuple of one and leave `x` alone, as
# before. Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class SoftmaxOp(Op):
    """SoftmaxOp(dim): exp(x) over its sum along dim; the derivative needs y."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        (dim,) = self.parameters
        ### BEGIN SOLUTION
        e = np.exp(x - x.max(axis=dim, keepdims=True))
        y = e / e.sum(axis=dim, keepdims=True)
        self.saved = (y,)
        return y
        ### END SOLUTION

# %% [markdown]
# The object is given. Nothing has no maximum, so it returns an empty tensor as it is.

# %% nbgrader={"grade": false, "grade_id": "softmax_object", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Softmax(Activation):
    """Logits to probabilities: positive, with sum 1 along dim."""

    def __init__(self, dim: int):
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """exp(x) / exp(x).sum(dim): (*shape) -> (*shape)."""
        x = _floating(x)
        if x.size == 0:
            return x + x.sum(self.dim, keepdims=True)  # empty, along an axis of x
        return apply(SoftmaxOp(self.dim), x)

# %% [markdown]
# Two images, three classes. Which numbers add up to 1 in the first tensor, which in the
# second?

# %%
logits = Tensor([[1000.0, 1001.0, 1002.0], [0.0, 0.0, 0.0]])
Softmax(dim=1)(logits), Softmax(dim=0)(logits)

# %% nbgrader={"grade": true, "grade_id": "softmax_check", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
"""Softmax adds up to 1 along dim, takes each slice by itself, and leaves x alone."""
x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
op = SoftmaxOp(1)
y = op.forward(x)
saved = len(op.saved) == 1 and op.saved[0] is y
assert saved, "self.saved must be (y,), a tuple with the result"
assert y.shape == (2, 3, 4), f"the shape must stay (2, 3, 4), but it is {y.shape}"
assert y.dtype == np.float32, f"float32 in, float32 out, not {y.dtype}"
sums = y.sum(axis=1)
assert np.allclose(sums, 1), f"the sums along dim=1 are 1, but one is {sums[0, 0]:.6g}"
ratio, wanted = y[:, 0] / y[:, 2], np.exp(x[:, 0] - x[:, 2])
close = np.allclose(ratio, wanted, rtol=1e-4)
assert close, f"y0 / y2 must be exp(x0 - x2): {wanted[0, 0]:.6g}, not {ratio[0, 0]:.6g}"

slices = [[1e4, 1e4 - 1], [-1e4, -1e4 - 1], [1e4, -1e4], [0.0, -np.inf]]
far = np.array(slices, dtype=np.float32)
with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
    y = SoftmaxOp(-1).forward(far)
a, b = 0.7310586, 0.2689414
for logits, got, wanted in zip(slices, y, [[a, b], [a, b], [1, 0], [1, 0]]):
    assert np.allclose(got, wanted, rtol=1e-4), (
        f"softmax of {logits} must be {wanted}, not [{got[0]:.6g}, {got[1]:.6g}]: "
        "first take off the largest number of the slice"
    )
assert far.tolist() == slices, "x was changed: write `x - m`, not `x -= m`"

# %% nbgrader={"grade": true, "grade_id": "softmax_hidden", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Graded again along each axis, on a logit of -inf, on a single class, on overflow."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_x = 50 * np.random.default_rng(1).standard_normal((3, 4, 5)).astype(np.float32)
for _dim in [0, 1, -1]:
    answer(SoftmaxOp(_dim).forward(_x), about=f"a 3-d batch along {_dim}")
answer(SoftmaxOp(0).forward(np.array([-np.inf, 0.0, 1.0])), about="a logit of -inf")
_far = np.array([[1e4], [-1e4]], dtype=np.float32)
with np.errstate(over="raise", invalid="raise"):
    answer(raised(SoftmaxOp(1).forward, _far), about="one class, ±10,000")
### END HIDDEN TESTS

# %% [markdown]
# For two classes you know the softmax already. What will this difference be, and why?

# %%
x = Tensor(np.linspace(-5, 5, 11))
two = Tensor(np.stack([x.data, np.zeros(11)], axis=1))  # (11, 2): logits x and 0
(Softmax(dim=1)(two)[:, 0] - Sigmoid()(x)).abs().max()

# %% [markdown]
# A logit of -∞ is useful: it forbids a class, and its probability is exactly 0. (Module
# 07 uses this for masks.) If all logits are -∞, or one is +∞ or nan, there is no
# answer. Then we say what PyTorch says: nan. NumPy also warns.

# %%
Softmax(dim=0)(Tensor([0.0, -np.inf, 1.0]))

# %%
Softmax(dim=0)(Tensor([0.0, np.inf]))

# %% [markdown]
# ## LogSoftmax
#
# How good is the probability that the network gave to the right class? Losses (module
# 11) measure it by its logarithm. So take the log of a softmax. The right class has
# logit 0, another has 200. The true answer is -200, almost exactly. What will this say?

# %%
Softmax(dim=0)(Tensor([0.0, 200.0])).log()

# %% [markdown]
# $e^{-200}$ is below the smallest float32, so the softmax is 0, and what was lost
# cannot come back from its log. Take the log on paper instead. With $m = \max_j x_j$ as
# before:
#
# $$\log\mathrm{softmax}(x)_i = (x_i - m) - \log \sum_j e^{x_j - m}$$
#
# The sum lies between 1 and the number of classes, so its log is harmless. Never take
# the log of a probability that is rounded to 0. Take $m$ off first, as the brackets
# say: near 10,000 two float32 numbers are 0.001 apart, so $m$ plus the log is rounded.
#
# Save the result, a tuple of one, and leave `x` alone. Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "log_softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class LogSoftmaxOp(Op):
    """LogSoftmaxOp(dim): the logarithm of softmax, exact where softmax is 0."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        (dim,) = self.parameters
        ### BEGIN SOLUTION
        shifted = x - x.max(axis=dim, keepdims=True)
        y = shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))
        self.saved = (y,)
        return y
        ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "log_softmax_object", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class LogSoftmax(Activation):
    """Logits to log-probabilities: at most 0, and their exp has sum 1 along dim."""

    def __init__(self, dim: int):
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """x - log(exp(x).sum(dim)): (*shape) -> (*shape)."""
        x = _floating(x)
        if x.size == 0:
            return x + x.sum(self.dim, keepdims=True)  # empty, along an axis of x
        return apply(LogSoftmaxOp(self.dim), x)

# %%
LogSoftmax(dim=0)(Tensor([0.0, 200.0]))

# %%
LogSoftmax(dim=0)(Tensor([10_000.0, -10_000.0]))

# %% nbgrader={"grade": true, "grade_id": "log_softmax_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""LogSoftmax is the log of softmax, exact where that is 0, and leaves x alone."""
x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
op = LogSoftmaxOp(1)
y = op.forward(x)
saved = len(op.saved) == 1 and op.saved[0] is y
assert saved, "self.saved must be (y,), a tuple with the result"
assert y.shape == (2, 3, 4), f"the shape must stay (2, 3, 4), but it is {y.shape}"
assert y.dtype == np.float32, f"float32 in, float32 out, not {y.dtype}"
sums = np.exp(y).sum(axis=1)
close = np.allclose(sums, 1, rtol=1e-4)
assert close, f"the sums of exp along dim=1 must be 1, but one is {sums[0, 0]:.6g}"
got, wanted = y[:, 0] - y[:, 2], x[:, 0] - x[:, 2]
close = np.allclose(got, wanted, atol=1e-4)
assert close, f"y0 - y2 must be x0 - x2: {wanted[0, 0]:.6g}, not {got[0, 0]:.6g}"

slices = [[0.0, 200.0], [1e4, -1e4], [1e4, 1e4 - 200]]
far = np.array(slices, dtype=np.float32)
with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
    y = LogSoftmaxOp(-1).forward(far)
for logits, got, wanted in zip(slices, y, [[-200, 0], [0, -2e4], [0, -200]]):
    assert got.tolist() == wanted, (
        f"log softmax of {logits} must be {wanted}, not [{got[0]:.6g}, {got[1]:.6g}]"
    )
assert far.tolist() == slices, "x was changed: write `x - m`, not `x -= m`"
near = LogSoftmaxOp(-1).forward(np.float32([1e4, 1e4 - 1]))[0]
assert abs(near + 0.3132617) < 1e-5, (
    f"log softmax of [10000, 9999] begins with -0.313262, not {near:.6g}: "
    "first take off m, then the log"
)

# %% nbgrader={"grade": true, "grade_id": "log_softmax_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again along each axis with large logits, on a logit of -inf, on overflow."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_x = 500 * np.random.default_rng(2).standard_normal((3, 4, 5)).astype(np.float32)
for _dim in [0, 1, -1]:
    answer(LogSoftmaxOp(_dim).forward(_x), about=f"a 3-d batch along {_dim}")
answer(LogSoftmaxOp(0).forward(np.array([-np.inf, 0.0, 1.0])), about="a logit of -inf")
_far = np.array([[1e4, -1e4]], dtype=np.float32)
with np.errstate(over="raise", invalid="raise", divide="raise"):
    answer(raised(LogSoftmaxOp(1).forward, _far), about="±10,000")
### END HIDDEN TESTS

# %% [markdown]
# ## The same as functions
#
# Each activation also exists as a plain function, for code that needs no object. They
# are given.

# %% nbgrader={"grade": false, "grade_id": "functions", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def relu(x: Tensor) -> Tensor: return ReLU()(x)
def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    return LeakyReLU(negative_slope)(x)
def sigmoid(x: Tensor) -> Tensor: return Sigmoid()(x)
def tanh(x: Tensor) -> Tensor: return Tanh()(x)
def gelu(x: Tensor) -> Tensor: return GELU()(x)
def softmax(x: Tensor, dim: int) -> Tensor: return Softmax(dim)(x)
def log_softmax(x: Tensor, dim: int) -> Tensor: return LogSoftmax(dim)(x)

# %% [markdown]
# All five elementwise activations in one picture. If you had to choose one by its slope
# alone, for a network of a hundred layers, which would it be?

# %%
sketch(ReLU(), LeakyReLU(0.1), Sigmoid(), Tanh(), GELU(), span=4)

# %% [markdown]
# ## The rest is names
#
# Three more activations that code written for PyTorch uses. They are made of what you
# have, so module 09 will differentiate them without a new rule. You need not read them
# now.
#
# | name | formula | where |
# | --- | --- | --- |
# | SiLU | $x\,\sigma(x)$ | image and language models; close to GELU |
# | ELU | $x$, or $\alpha (e^x - 1)$ on the left | an older rival of LeakyReLU |
# | Softplus | $\log(1 + e^x)$ | a smooth ReLU, when a number must be positive |
#
# `clip` keeps the exponents small where the other branch is taken.

# %% nbgrader={"grade": false, "grade_id": "more_activations", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class SiLU(Activation):
    """x times its sigmoid: smooth, and a little below 0 on the left."""

    def forward(self, x: Tensor) -> Tensor:
        """x σ(x): (*shape) -> (*shape)."""
        return x * sigmoid(x)


class ELU(Activation):
    """The identity on the right, a curve down to -alpha on the left."""

    def __init__(self, alpha: float = 1.0):
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """x where x > 0, else alpha (exp(x) - 1): (*shape) -> (*shape)."""
        return where(x > 0, x, self.alpha * (x.clip(max=0).exp() - 1))


class Softplus(Activation):
    """A smooth ReLU, always positive."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Tensor) -> Tensor:
        """log(1 + exp(beta x)) / beta, and x above the threshold."""
        scaled = self.beta * x
        curve = (1 + scaled.clip(max=self.threshold).exp()).log() / self.beta
        return where(scaled > self.threshold, x, curve)

# %% [markdown]
# `logsumexp` is the log of the sum that a softmax divides by. It takes the maximum off
# first, as your LogSoftmax does. The maximum is a constant here, so it is detached.

# %% nbgrader={"grade": false, "grade_id": "more_functions", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def silu(x: Tensor) -> Tensor: return SiLU()(x)
def elu(x: Tensor, alpha: float = 1.0) -> Tensor: return ELU(alpha)(x)
def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    return Softplus(beta, threshold)(x)
def logsumexp(x: Tensor, dim, keepdim: bool = False) -> Tensor:
    """log(exp(x).sum(dim)), without overflow."""
    if x.size == 0:
        return x.sum(dim, keepdim=keepdim) - math.inf  # log(0)
    m = _floating(x).detach().max(dim, keepdim=True)
    m = where(m.abs() == math.inf, 0, m)
    y = (x - m).exp().sum(dim, keepdim=True).log() + m
    return y if keepdim else y.squeeze(dim)

# %%
sketch(GELU(), SiLU(), ELU(), Softplus(), span=4)

# %%
logsumexp(Tensor([1000.0, 1000.0]), dim=0), 1000 + math.log(2)

# %% [markdown]
# ## Use: what a nonlinearity is worth on real digits
#
# A random layer of 256 units looks at the digits, with a nonlinearity behind it or
# without. From its 256 numbers we compute ten scores per image with a linear function.
# Least squares chooses it so that the scores come as near as possible to 1 for the
# right digit and to 0 for the others. It is fitted on 1,000 images; the other 797 are
# the test. Least squares also tells the *rank*: how many directions the units hold.
#
# From the 64 pixels alone this is right for about nine images of ten. What will the
# random layer add, without and with a nonlinearity?

# %%
random = randn(64, 256, generator=np.random.default_rng(0))
units = pixels @ random / 8  # (1797, 256)
targets = np.eye(10, dtype=np.float32)[labels]  # (1797, 10): 1 at the right digit

# %%
def read_off(units: Tensor) -> tuple[Tensor, int]:
    """Ten scores per image, fitted on the first 1,000, and the rank of the units."""
    solved = np.linalg.lstsq(units.data[:1000], targets[:1000], rcond=0.003)
    return units @ Tensor(solved[0]), int(solved[2])

def accuracy(scores: Tensor) -> float:
    return (scores.argmax(axis=1).data == labels)[1000:].mean()

# %%
hidden = {"pixels": pixels, "no nonlinearity": units}
hidden |= {repr(f): f(units) for f in [ReLU(), LeakyReLU(), Sigmoid(), Tanh(), GELU()]}
found = {name: read_off(h) for name, h in hidden.items()}

# %%
for name, (scores, rank) in found.items():
    print(f"{name:31} {accuracy(scores):6.1%}   rank {rank}")
assert accuracy(found["ReLU()"][0]) > accuracy(found["no nonlinearity"][0]) + 0.02

# %% [markdown]
# Without a nonlinearity the 256 units hold no more directions than the pixels, and the
# accuracy is nearly that of the pixels: the two linear layers have collapsed into one.
# With most activations the same random numbers are worth several points, and nothing
# was trained. With one of them they are worth next to nothing. Which one, and why? The
# units lie mostly between -1 and 1: look at its curve there, in the plot above.

# %% [markdown]
# These scores are not probabilities yet. They lie near 0 and 1, and the softmax of such
# small differences is timid. So we divide the logits by a number $T$ before the
# softmax, the **temperature**: a low temperature makes it bold, a high one makes it
# timid. A good temperature makes the mean log-probability of the right digit large.
# Will the accuracy change with the temperature?

# %%
scores = found["ReLU()"][0][1000:]
right = np.arange(797), labels[1000:]

# %%
for T in [1, 0.3, 0.1, 0.03, 0.01]:
    log_p = log_softmax(scores / T, dim=1)
    hits = (log_p.argmax(axis=1).data == labels[1000:]).mean()
    largest = log_p.max(axis=1).exp().mean().item()
    print(f"T = {T:4}: accuracy {hits:.1%}", end=", ")
    print(f"mean log-probability {log_p[right].mean().item():6.2f}", end=", ")
    print(f"largest probability {largest:.2f} on average")

# %% [markdown]
# Too timid costs, and so does too bold: one right digit that was called nearly
# impossible costs as much as a hundred digits that were called likely. (In practice the
# temperature is chosen on images that are neither fitted nor tested on.) Here are the
# six digits of which the network is least sure, and the probability it gives to each
# class. Would you be surer?

# %%
p = softmax(scores / 0.1, dim=1)
doubtful = np.argsort(p.max(axis=1).data)[:6]
shape = {"figsize": (9, 3), "layout": "constrained", "height_ratios": [3, 2]}
fig, axes = plt.subplots(2, 6, **shape)
for i, image, bars in zip(doubtful, *axes, strict=True):
    image.imshow(images[1000 + i], cmap="gray_r")
    image.set(title=f"labelled {labels[1000 + i]}", xticks=[], yticks=[])
    bars.bar(range(10), p.data[i])
    bars.set(ylim=(0, 0.6), xticks=range(10), yticks=[])
    bars.tick_params(labelsize=6)

# %% [markdown]
# ## Systems: what does an activation cost?
#
# On $n$ float32 numbers ReLU makes $n$ comparisons, reads $4n$ bytes and writes $4n$
# bytes. A copy moves the same bytes and computes nothing. If only memory took time, the
# two lines would agree. Write down the ratio you expect, then run. `compare` and
# `time_call` are yours, from module 01.

# %%
from tinytorch.core.setup import compare, peak_memory, time_call

x = Tensor(np.random.default_rng(0).standard_normal(8_000_000))
c = compare({"copy": x.data.copy, "relu": lambda: relu(x)}, rounds=9)
for name, m in c.times.items():
    print(f"{name}  {2 * x.data.nbytes / m.min / 1e9:6.1f} GB/s")
c

# %% [markdown]
# And with more arithmetic on each number? If a function takes as long as the copy, it
# is *memory-bound*: the arithmetic hides behind the traffic. If it takes several times
# as long, it is *compute-bound*. Each function runs twice: on 10,000 numbers, which
# stay in the processor's cache, and on 4 million, which usually do not. Guess first:
# which of them does the change of size hurt?

# %%
functions = {
    "copy": np.copy,
    "relu": lambda a: np.maximum(a, 0),
    "a * a": lambda a: a * a,
    "exp": np.exp,
    "tanh": np.tanh,
    "sigmoid": SigmoidOp().forward,
    "softmax": SoftmaxOp(-1).forward,
    "a * a * a": lambda a: a * a * a,
    "a ** 3": lambda a: a**3,
}

# %%
small, large = x.data[:10_000].reshape(10, 1000), x.data[:4_000_000].reshape(4000, 1000)
print(f"{'ns per number':14} {'10,000':>8} {'4 million':>10}")
for name, f in functions.items():
    pair = (time_call(f, a, repeat=3).min / a.size * 1e9 for a in [small, large])
    print("{:14} {:8.2f} {:10.2f}".format(name, *pair))

# %% [markdown]
# Divide the lines by the first. What is near 1 on the large array is memory-bound
# there. What costs several times as much as the copy, and the same in both columns, is
# bound by its arithmetic. The sigmoid is not a single loop: how many passes does your
# `forward` make, one for each NumPy call?
#
# The last two lines compute the same numbers. But a general power does not know that
# its exponent is a small whole number. The ratio of the two tells what GELU saved by
# its products.
#
# ### What an activation keeps in memory
#
# Each of your operations makes one new array. Count on paper: how many operations does
# your GELU apply to one `x`? The recipe of module 02 knows.

# %%
y = GELU()(Tensor([1.0], requires_grad=True))
[type(t.origin[0]).__name__ for t in recipe(y) if t.origin]

# %% [markdown]
# Now their peak memory, in arrays of the size of `x`. If nothing requires a gradient,
# Python frees an intermediate result as soon as nobody needs it. If `x` requires one,
# every intermediate result stays, for module 09. Predict the four numbers: ReLU and
# GELU, each without and with a gradient.

# %%
def arrays_at_peak(f, requires_grad: bool) -> int:
    a = Tensor(x.data[:1_000_000], requires_grad=requires_grad)
    return round(peak_memory(f, a) / a.data.nbytes)

for f in [relu, gelu]:
    without, with_ = arrays_at_peak(f, False), arrays_at_peak(f, True)
    print(f"{f.__name__}: {without} without gradient, {with_} with")
assert arrays_at_peak(relu, True) == 1

# %% [markdown]
# Written as one `Op`, GELU would keep only what its derivative needs. Module 13 fuses
# such chains.

# %% [markdown]
# ### Reflect: a pass over memory
#
# `relu(x @ W + b)` makes three passes, and the last two each read and write an array of
# the size of the result. From the GB/s you measured, how long do those two passes take
# for a float32 result of shape (4096, 4096)? How much of that would one fused pass
# save? Answer with the numbers of your own machine, in at most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "pass_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The result has 4096 * 4096 * 4 bytes = 67 MB, so one pass moves 134 MB and two move
# 268 MB. At 8 GB/s that is 34 ms. A fused pass reads and writes once, 134 MB, and saves
# half: 17 ms.
#
# Rubric: 3 points for the bytes of two passes (268 MB; 2 points if reading or writing
# was forgotten), 2 for a time that is these bytes divided by the measured rate,
# whatever it is, 2 for half of it as the saving, with the reason.

# %% [markdown]
# ### Reflect: another way to avoid the overflow
#
# "There is no need for the maximum. I cut the logits off at 80 before the exp:
# `np.exp(np.minimum(x, 80))`. That is $5.5 \cdot 10^{34}$ at most, and never
# overflows." Give logits for which this softmax is finite and badly wrong, with both
# answers, its own and the right one. Then give logits for which it is nan. At most four
# sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "clip_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# For [80, 200] both logits become 80, so it answers [0.5, 0.5]; right is [0, 1] (e^-120
# is nearly 0). For [-1000, -1001] nothing is cut off, both exponentials are 0 in
# float32, and 0/0 is nan; right is [0.731, 0.269].
#
# Rubric: 4 points for a first example with at least two different logits above 80, or
# one far above and one at 80, with both answers right (2 with only one). 3 points for
# logits all below about -104, or all -inf, and 0/0 as the reason (1 without the
# reason).

# %% [markdown]
# ### Reflect: ten sigmoids
#
# Take ten sigmoids, one after the other, and the slope of the whole. By the chain rule
# it is the product of the ten slopes. Before you run the cell, write down a number that
# the slope of ten sigmoids can never exceed, and the slope of ten ReLUs at $x = 1$.
# Then run. Explain in at most four sentences why the measured slope lies below your
# bound, and what both slopes mean for the first of ten layers.

# %%
def ten(activation):
    def chain(x):
        for _ in range(10):
            x = activation(x)
        return x
    return chain

# %%
slope(ten(sigmoid), Tensor([0.0], dtype=np.float64)).item()

# %%
slope(ten(relu), Tensor([1.0])).item()

# %% [markdown] nbgrader={"grade": true, "grade_id": "chain_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# No slope of a sigmoid is above 1/4, so the bound is (1/4)^10, about 9.5e-7. Only the
# first sigmoid is in its middle, at 0. The others get what the one before gives, about
# 0.66, where the slope is about 0.22, and the product is 4e-7 or so. The first layer
# receives a change that is millions of times smaller than the last: a vanishing
# gradient, it hardly learns. Ten ReLUs at x = 1 have slope 1, because 1 stays positive
# all the way.
#
# Rubric: 2 points for the bound (1/4)^10, 2 for the reason (the inputs are outputs of a
# sigmoid, between 0 and 1 and not 0, where the slope is below 1/4), 1 for saying that
# almost nothing reaches the first layer, 1 for the slope 1 of the ReLUs.

# %% [markdown]
# ## Here and in PyTorch
#
# | here | in PyTorch |
# | --- | --- |
# | `ReLU()`, `LeakyReLU(0.1)`, `Sigmoid()`, `Tanh()` | the same, in `torch.nn` |
# | `GELU()` | `torch.nn.GELU(approximate="tanh")`; the default is the exact form |
# | `Softmax(dim)`, `LogSoftmax(dim)` | the same, in `torch.nn` |
# | `relu`, `leaky_relu`, `gelu` | `torch.nn.functional.relu`, ... |
# | `sigmoid`, `tanh`, `softmax`, `log_softmax` | the same, in `torch` |
# | `SiLU`, `ELU`, `Softplus`; `silu`, `elu`, `softplus` | the same there |
# | `logsumexp(x, dim)` | the same, in `torch` |
# | `SigmoidOp`, `SoftmaxOp` | compiled, together with their derivatives |
# | `Activation` | `torch.nn.Module` |
# | a warning when nan or inf appears | no warning |

# %% [markdown]
# ## Summary
#
# You have built seven activations, as objects and as functions, for float32 and for
# ±10,000. Each either consists of tensor operations or is an `Op` that has saved what
# its derivative needs: module 09 adds the rules. They have no parameters and do not
# learn. Module 04 puts linear layers between them. Module 11 builds its losses on
# LogSoftmax. Now run
# `tito check 03`, then `tito complete 03`.
