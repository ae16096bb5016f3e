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
#     - show why layers without a bend between them are one layer, and compute with a bend what no single layer can
#     - write the activations of PyTorch so that neither 10,000 nor -10,000 breaks them
#     - read off a slope where an activation will let a network learn, and where it will not
#     - turn class scores into probabilities and log-probabilities along any axis
#     - tell by measuring which activations cost memory traffic and which cost arithmetic
# ---

# %% [markdown]
# # Activations
#
# > The bends between the layers: ReLU, LeakyReLU, Sigmoid, Tanh, GELU, Softmax and LogSoftmax.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(3)

# %% [markdown]
# ## Why a network needs bends
#
# A linear layer multiplies by a matrix, and module 02 gave us `@`. Is a pile of such layers more than
# one of them? Here $x$ goes through two, first $A$, then $B$. How large will the difference
# to the single matrix $AB$ be?

# %%
import numpy as np

from tinytorch.core.tensor import Tensor, randn

rng = np.random.default_rng(0)
x, A, B = randn(5, 4, generator=rng), randn(4, 8, generator=rng), randn(8, 3, generator=rng)
((x @ A) @ B - x @ (A @ B)).abs().max()

# %% [markdown]
# Rounding, and nothing else: $(xA)B = x(AB)$. A hundred linear layers are one linear layer, and one is
# not much. "One or the other, but not both" (XOR) is 0, 1, 1, 0 on the four corners of a square. Here is the
# linear function, with a constant, that comes nearest to it. Which four values will it have?

# %%
corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
either = np.array([0, 1, 1, 0])

with_ones = np.hstack([corners, np.ones((4, 1))])
best = np.linalg.lstsq(with_ones, either)[0]
with_ones @ best

# %% [markdown]
# The best that a linear layer can say is "one half" everywhere, and more linear layers change nothing. What is missing
# is a bend: a function that acts on each number between two layers and is not linear.

# %%
#| default_exp core.activations

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import math

import numpy as np

from tinytorch.core.tensor import Op, Tensor, apply, where

# %% [markdown]
# Every activation will be an object that is called like a function: `ReLU()(x)`. The object keeps
# the settings where there are any, such as the axis of a softmax. What they share is given. (`_floating` is for those whose results are fractions.)

# %% nbgrader={"grade": false, "grade_id": "activation", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Activation:
    """A function without parameters, as an object: calling it calls `forward`."""

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}.forward is not written yet")

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in vars(self).items())})"


def _floating(x: Tensor) -> Tensor:
    """Integers as float32; floats as they are."""
    return x if x.dtype.kind == "f" else x.astype(np.float32)

# %% [markdown]
# ## ReLU
#
# The cheapest bend is a corner at zero:
#
# $$\mathrm{ReLU}(x) = \max(0, x)$$
#
# It acts on each element alone, so any shape goes in and the same shape comes out.
# Use a tensor operation of module 02, so that the result remembers how it came about. Infinities
# need no special case: $\max(0, -\infty)$ is 0.
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
"""ReLU zeroes the negatives, keeps the shape, leaves its input alone, and remembers it."""
x = Tensor([[-2.0, 0.0], [0.5, 3.0]], requires_grad=True)
y = ReLU()(x)

assert isinstance(y, Tensor), f"ReLU must return a Tensor, not {type(y).__name__}"
assert y.shape == (2, 2), f"the shape changed: (2, 2) -> {y.shape}"
assert y.dtype == np.float32, f"the dtype changed: float32 -> {y.dtype}"
np.testing.assert_array_equal(y.data, [[0.0, 0.0], [0.5, 3.0]])
np.testing.assert_array_equal(x.data, [[-2.0, 0.0], [0.5, 3.0]], err_msg="ReLU changed its input")
assert y.requires_grad, "the result does not remember x: compute with the tensor, not with its .data"

# %% nbgrader={"grade": true, "grade_id": "relu_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a 4-d batch, on infinities (max(0, -inf) is 0), and on whether the result remembers its input."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_rng = np.random.default_rng(0)
answer(ReLU()(Tensor(_rng.standard_normal((2, 3, 4, 5)))), about="a 4-d batch")
answer(ReLU()(Tensor([-np.inf, np.inf])), about="infinities")
answer(ReLU()(Tensor([-1.0, 1.0], requires_grad=True)).requires_grad, about="does the result remember its input?")
### END HIDDEN TESTS

# %% [markdown]
# ### What one bend can do
#
# Now XOR, by hand. A network with two hidden units computes
#
# $$h = \mathrm{ReLU}(x W_1 + b_1), \qquad y = h W_2$$
#
# with $W_1$ of shape (2, 2), $b_1$ (2,), $W_2$ (2, 1). Find numbers for them that make $y$ equal to 0, 1, 1, 0 on
# the corners (0,0), (0,1), (1,0), (1,1). A hint: only the sum $s$ of the two inputs matters, and from 0 over 1 to 2 the output
# goes up, then down: a tent. $\mathrm{ReLU}(s)$ goes up; what must be added to turn it down at $s = 1$?
#
# Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "xor", "locked": false, "schema_version": 3, "solution": true, "task": false}
def xor(x: Tensor) -> Tensor:
    """ReLU(x @ W1 + b1) @ W2: (n, 2) -> (n, 1), 1 where exactly one of the two inputs is 1, else 0."""
    ### BEGIN SOLUTION
    W1 = Tensor([[1.0, 1.0], [1.0, 1.0]])
    b1 = Tensor([0.0, -1.0])
    W2 = Tensor([[1.0], [-2.0]])
    return ReLU()(x @ W1 + b1) @ W2
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "xor_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The network is 0, 1, 1, 0 on the four corners."""
square = Tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = xor(square)

assert y.shape == (4, 1), f"four inputs of two numbers, so four outputs of one: (4, 2) -> (4, 1), not {y.shape}"
assert y.dtype == np.float32, f"float32 in, {y.dtype} out: compute with tensors"
np.testing.assert_allclose(y.data.ravel(), [0, 1, 1, 0], atol=1e-6, err_msg="at (0,0), (0,1), (1,0), (1,1)")

# %% nbgrader={"grade": true, "grade_id": "xor_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a batch of seven corners in another order, and on whether it stays as it was."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor([[1, 1], [0, 1], [1, 0], [1, 0], [0, 0], [1, 1], [0, 1]], dtype=np.float32)
answer([xor(_x), _x], about="seven corners, and the corners after the call")
### END HIDDEN TESTS

# %% [markdown]
# The output over the whole square, where the white corners should be 1, and the tent that it is along the diagonal.
# Where are the two folds?

# %%
import matplotlib.pyplot as plt

side = np.linspace(-0.25, 1.25, 151)
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
image = left.pcolormesh(side, side, xor(Tensor(grid)).data.reshape(151, 151), cmap="coolwarm", vmin=-1, vmax=1)
left.scatter(*corners.T, c=either, cmap="gray", edgecolors="black")
left.set(title="output over the square", xlabel="first input", ylabel="second input", aspect="equal")
right.plot(side, xor(Tensor(np.stack([side, side], axis=1))).data)
right.set(title="output along the diagonal", xlabel="both inputs")
fig.colorbar(image, ax=left);

# %% [markdown]
# ## What passes back: the slope
#
# A network learns by small changes: if this number moves a little, how much does the output move? That is
# the slope. Where it is 0, nothing can be learned. Module 09 finds slopes exactly; until then we take two
# points, a step $h$ to either side:
#
# $$f'(x) \approx \frac{f(x + h) - f(x - h)}{2h}$$
#
# Write it for a function `f` that takes a tensor and acts on each element alone: one line suffices.

# %% nbgrader={"grade": false, "grade_id": "slope", "locked": false, "schema_version": 3, "solution": true, "task": false}
def slope(f, x: Tensor, h: float = 0.01) -> Tensor:
    """(f(x + h) - f(x - h)) / 2h, elementwise: (*shape) -> (*shape)."""
    ### BEGIN SOLUTION
    return (f(x + h) - f(x - h)) / (2 * h)
    ### END SOLUTION

# %% [markdown]
# The slope of ReLU left of the corner, in the corner, and right of it: what will the middle one be?

# %%
slope(ReLU(), Tensor([-2.0, 0.0, 2.0]))

# %% nbgrader={"grade": true, "grade_id": "slope_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""The slope of x² is 2x, that of a straight line is the same everywhere, and the slope has the shape of x."""
x = Tensor([[-1.0, 0.0, 2.0], [3.0, 0.5, -4.0]])

s = slope(lambda x: x * x, x)
assert (s.shape, s.dtype) == ((2, 3), np.float32), f"one slope for each number: (2, 3) of float32 -> {s.shape} of {s.dtype}"
np.testing.assert_allclose(s.data, 2 * x.data, atol=1e-3, err_msg="the slope of x² is 2x")
np.testing.assert_allclose(slope(lambda x: 3 * x + 1, x, h=0.5).data, np.full((2, 3), 3.0), atol=1e-4)

# %% nbgrader={"grade": true, "grade_id": "slope_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a cube with a large step, and on |x| at its corner."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(slope(lambda x: x * x * x, Tensor([-1.0, 0.0, 1.0, 2.0]), h=0.5), about="x³ with h = 0.5")
answer(slope(abs, Tensor([-1.0, 0.0, 1.0])), about="|x| left, in and right of its corner", atol=1e-3)
### END HIDDEN TESTS

# %% [markdown]
# To look at functions rather than at numbers: `sketch` draws activations and, by your `slope`, their slopes.

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

sketch(ReLU())

# %% [markdown]
# ## LeakyReLU
#
# Left of the corner the slope is 0. A unit whose input is negative for *every* image is dead: no small change of its
# weights changes the output, so nothing can call it back. Here 200 random units look at the 1,797 digits
# of the UCI data set (8×8 pixels, they come with the package), and then one step that was too long moves all their biases by -10.
# How many units are still nonzero for at least one image, before and after?

# %%
from tinytorch.datasets import load_digits

images, labels = load_digits()
pixels = Tensor(images.reshape(-1, 64) / 16)             # (1797, 64), 0 to 1
weights = randn(64, 200, generator=np.random.default_rng(1))
for bias in [0, -10]:
    alive = ReLU()(pixels @ weights + bias).max(axis=0) > 0
    print(f"bias {bias:3}: {alive.sum().item()} of 200 units are alive")

# %% [markdown]
# The remedy is a slope on the left that is small, but not 0:
#
# $$\mathrm{LeakyReLU}(x) = \begin{cases} x & x > 0 \\ a\,x & \text{else} \end{cases}$$
#
# The default for $a$ is 0.01, and any number is allowed, also one above 1. Use `where(condition, a, b)` of module 02, a tensor
# operation, so that the result remembers: one line suffices.

# %% nbgrader={"grade": false, "grade_id": "leaky_relu", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class LeakyReLU(Activation):
    """As ReLU, but the negative side keeps a slope, so that no unit dies."""

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
"""LeakyReLU keeps the positive side, scales the negative one by any slope (0 is ReLU), and remembers x."""
x = Tensor([[-100.0, -1.0, 0.0], [0.5, 2.0, -3.0]], requires_grad=True)

np.testing.assert_allclose(LeakyReLU()(x).data, [[-1, -0.01, 0], [0.5, 2, -0.03]], rtol=1e-6)
np.testing.assert_array_equal(LeakyReLU(0.0)(x).data, ReLU()(x).data, err_msg="slope 0 is ReLU")
np.testing.assert_array_equal(LeakyReLU(2.0)(x).data, np.float32([[-200, -2, 0], [0.5, 2, -6]]), err_msg="slope 2, in float32", strict=True)
assert LeakyReLU()(x).requires_grad, "the result does not remember x: compute with the tensor, not with its .data"

# %% nbgrader={"grade": true, "grade_id": "leaky_relu_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a 3-d batch, on a negative slope, on infinities, and on whether the result remembers its input."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = np.random.default_rng(0).standard_normal((3, 2, 5))
answer(LeakyReLU(0.2)(Tensor(_x)), about="a 3-d batch")
answer(LeakyReLU(-1.0)(Tensor([-2.0, 3.0])), about="a negative slope")
answer(LeakyReLU()(Tensor([-np.inf, np.inf])), about="infinities")
answer(LeakyReLU()(Tensor([-1.0, 1.0], requires_grad=True)).requires_grad, about="does the result remember its input?")
### END HIDDEN TESTS

# %% [markdown]
# ## Sigmoid and Tanh
#
# A gate wants a number between closed, 0, and open, 1. The sigmoid gives one, and its formula has two equal forms:
#
# $$\sigma(x) = \frac{1}{1 + e^{-x}} = \frac{e^x}{e^x + 1}$$
#
# The largest float32 is about $3.4 \cdot 10^{38}$, and $e^{89}$ is above it. At which of the four numbers does the first form
# overflow, at which the second, and what do they answer there? Read the warnings too.

# %%
x = np.array([-10_000.0, -100.0, 100.0, 10_000.0], dtype=np.float32)
1 / (1 + np.exp(-x)), np.exp(x) / (np.exp(x) + 1)

# %% [markdown]
# The first is saved by luck: 1/∞ is 0, and the true 3.8e-44 is near. The second divides ∞ by ∞. Each overflows on one side
# only, so take the first for $x \ge 0$ and the second for $x < 0$. One line says both, since $e^{\min(x, 0)}$ is 1 on the right and $e^x$ on the left:
#
# $$\sigma(x) = \frac{e^{\min(x, 0)}}{1 + e^{-|x|}}$$
#
# No exponent is above 0. Far to the left $\sigma(x)$ is nearly $e^x$: tiny, but above 0. This becomes an `Op` of its own, so here `x` is an array, and you use NumPy. Keep
# the result in a tuple of one, `self.saved = (y,)`: module 09 will write the slope as $y(1 - y)$. `x` must
# not change. Three lines suffice.

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
# The objects are given: `apply` of module 02 runs your operation. For Tanh there is one already, and NumPy's does not overflow.

# %% nbgrader={"grade": false, "grade_id": "sigmoid_tanh", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Sigmoid(Activation):
    """From 0 to 1: an open or a closed gate."""

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
"""The sigmoid is 1/2 at 0, symmetric, right in its tail, does not overflow at ±10,000, and keeps what its derivative needs."""
x = np.array([-20.0, -3.0, 0.0, 3.0, 20.0], dtype=np.float32)
op = SigmoidOp()
y = op.forward(x)

np.testing.assert_allclose(y + y[::-1], np.ones(5), rtol=1e-6, err_msg="σ(x) + σ(-x) is 1")
np.testing.assert_allclose(y[:3], [np.exp(-20), 1 / (1 + np.exp(3)), 0.5], rtol=1e-5, err_msg="σ at -20, -3 and 0")
with np.errstate(over="raise"):
    y_far = op.forward(np.array([-10_000, 10_000], dtype=np.float32))
np.testing.assert_array_equal(y_far, [0, 1], err_msg="σ at -10,000 and 10,000")
np.testing.assert_array_equal(x, [-20, -3, 0, 3, 20], err_msg="x was changed")
assert len(op.saved) == 1 and op.saved[0] is y_far, f"self.saved must be (y,), a tuple with the result, not {op.saved!r}"

# %% nbgrader={"grade": true, "grade_id": "sigmoid_hidden", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a batch from -100 to 100 in float32 and float64, on infinities, and on overflow."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_x = np.linspace(-100, 100, 60).reshape(3, 4, 5)
answer(SigmoidOp().forward(_x.astype(np.float32)), about="a 3-d batch of float32")
answer(np.log(SigmoidOp().forward(_x)), about="the logarithm of the result, in float64")
answer(SigmoidOp().forward(np.array([-np.inf, np.inf, 0.0])), about="infinities")
with np.errstate(over="raise"):
    answer(raised(SigmoidOp().forward, np.array([-1e4, 1e4], dtype=np.float32)), about="no overflow at ±10,000")
### END HIDDEN TESTS

# %% [markdown]
# The tanh is a sigmoid, stretched: $\tanh x = 2\,\sigma(2x) - 1$. Before you run the second cell: at which x are the two steepest, and how steep is each there?

# %%
x = Tensor(np.linspace(-3, 3, 13))
(Tanh()(x) - (2 * Sigmoid()(2 * x) - 1)).abs().max()

# %%
sketch(Sigmoid(), Tanh())

# %% [markdown]
# Both *saturate*: three steps away from 0 they are flat, and where they are flat they pass almost nothing back. And
# the sigmoid passes back a quarter at best, in the middle.

# %% [markdown]
# ## GELU
#
# ReLU decides hard: all of x, or nothing. GELU (Hendrycks & Gimpel 2016, the activation of GPT) multiplies x by the probability that a
# standard normal number is below it: $x\,\Phi(x)$, smooth everywhere. $\Phi$ needs the function erf, which NumPy has not.
# The authors give a form with tanh, PyTorch's `gelu(approximate="tanh")`:
#
# $$\mathrm{GELU}(x) = \tfrac{1}{2}\, x \left(1 + \tanh\!\left(\sqrt{2/\pi}\,(x + 0.044715\, x^3)\right)\right)$$
#
# Use tensor operations, such as `x.tanh()`: `np.tanh` refuses a tensor. `math` is imported, for the root and π. Write the cube as a product: the last section measures why. Two lines suffice.

# %% nbgrader={"grade": false, "grade_id": "gelu", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class GELU(Activation):
    """x times the probability that a standard normal number is below x (Hendrycks & Gimpel 2016), by way of tanh."""

    def forward(self, x: Tensor) -> Tensor:
        """x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x³))): (*shape) -> (*shape); within 0.0005 of the exact one."""
        ### BEGIN SOLUTION
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
        return 0.5 * x * (1 + inner.tanh())
        ### END SOLUTION

# %% [markdown]
# Is it monotonic? Look at the left of zero, and at the slope there.

# %%
sketch(ReLU(), GELU())

# %% nbgrader={"grade": true, "grade_id": "gelu_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""GELU is near x Φ(x), gives back x as GELU(x) - GELU(-x), is 0 or x far out, and remembers its input."""
x = Tensor([[-3.0, -1.0, -0.1], [0.0, 0.7, 2.5]], requires_grad=True)
y = GELU()(x)

exact = [[v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in row] for row in x.data.tolist()]
np.testing.assert_allclose(y.data, exact, atol=1e-3, err_msg="x Φ(x)")
np.testing.assert_allclose((y - GELU()(-x)).data, x.data, atol=1e-6, err_msg="GELU(x) - GELU(-x) is x")
np.testing.assert_allclose(GELU()(Tensor([-1e4, 1e4])).data, [0, 1e4], err_msg="GELU at -10,000 and 10,000")
assert y.dtype == np.float32, f"the dtype changed: float32 -> {y.dtype}"
assert y.requires_grad, "the result does not remember x: compute with the tensor, not with its .data"

# %% nbgrader={"grade": true, "grade_id": "gelu_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a 3-d batch, to five digits (the form with tanh, not another), and in float64."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = np.linspace(-5, 5, 60).reshape(3, 4, 5)
answer(GELU()(Tensor(_x)), about="a 3-d batch")
answer(GELU()(Tensor(_x, dtype=np.float64)), about="a 3-d batch of float64")
### END HIDDEN TESTS

# %% [markdown]
# How far is this from the exact $x\,\Phi(x)$? In float64, where rounding does not hide it. Compare with the
# smallest step between two float32 numbers near 1, about $10^{-7}$.

# %%
x = np.linspace(-6, 6, 12_001)
exact = np.array([v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in x])
error = np.abs(GELU()(Tensor(x, dtype=np.float64)).data - exact)
print(f"at most {error.max():.6f}, at x = ±{abs(x[error.argmax()]):.2f}")
assert error.max() < 0.0005

# %% [markdown]
# A network that was trained with one form should run with the same form, then.

# %% [markdown]
# ## Softmax
#
# A classifier gives one score a class, any real number. Probabilities are positive and add up to 1. Make them
# positive by $e^x$, then divide by their sum:
#
# $$\mathrm{softmax}(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}}$$
#
# Three sets of scores, with the same differences in each. Which lines will be equal?

# %%
def naive_softmax(x):
    return np.exp(x) / np.exp(x).sum()

for scores in [[0, 1, 2], [1000, 1001, 1002], [-1000, -999, -998]]:
    print(naive_softmax(np.array(scores, dtype=np.float32)))

# %% [markdown]
# The first is right. The second divides ∞ by ∞, the third 0 by 0. But they *should* all be equal: a constant $c$ in every
# score is a factor $e^c$ above and below, and cancels. So choose the constant. With
#
# $$\mathrm{softmax}(x)_i = \frac{e^{x_i - m}}{\sum_j e^{x_j - m}}, \qquad m = \max_j x_j$$
#
# the largest exponent is 0: nothing overflows, and the sum is at least 1.

# %% [markdown]
# ### Along an axis
#
# Scores come in batches, for example (images, classes), so softmax needs to know along which axis the classes lie: `dim`, as in
# `sum` and `max`, also negative. Each slice along `dim` has a maximum of its own (one for the whole array
# would push distant slices into 0/0). In NumPy, `x.max(axis=dim, keepdims=True)` keeps the axis with size 1, so that `x - m` broadcasts.
#
# Write the forward pass on the array `x`; the first line, which takes `dim` from the operation's parameters, is given. Keep the result and leave `x` alone, as before. Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class SoftmaxOp(Op):
    """SoftmaxOp(dim): exp(x) over its sum along dim, the maximum taken off first; the derivative needs only the result."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        (dim,) = self.parameters
        ### BEGIN SOLUTION
        e = np.exp(x - x.max(axis=dim, keepdims=True))
        y = e / e.sum(axis=dim, keepdims=True)
        self.saved = (y,)
        return y
        ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "softmax_object", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Softmax(Activation):
    """Scores to probabilities: positive, and 1 in sum along dim."""

    def __init__(self, dim: int):
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """exp(x) / exp(x).sum(dim): (*shape) -> (*shape)."""
        return apply(SoftmaxOp(self.dim), _floating(x))

# %% [markdown]
# Two images, three classes. Which numbers add up to 1 in the first tensor, which in the second?

# %%
scores = Tensor([[1000.0, 1001.0, 1002.0], [0.0, 0.0, 0.0]])
Softmax(dim=1)(scores), Softmax(dim=0)(scores)

# %% nbgrader={"grade": true, "grade_id": "softmax_check", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
"""Softmax adds up to 1 along dim, keeps the ratios exp(difference), takes each slice by itself, however far off, and keeps x."""
x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
op = SoftmaxOp(1)
y = op.forward(x)
assert len(op.saved) == 1 and op.saved[0] is y, f"self.saved must be (y,), a tuple with the result, not {op.saved!r}"
np.testing.assert_allclose(y.sum(axis=1), np.ones((2, 4)), rtol=1e-6, err_msg="the sums along dim=1 of shape (2, 3, 4)")
np.testing.assert_allclose(y[:, 0] / y[:, 2], np.exp(x[:, 0] - x[:, 2]), rtol=1e-5, err_msg="y0/y2 is exp(x0 - x2)")

far = np.array([[1e4, 1e4 - 1], [-1e4, -1e4 - 1], [1e4, -1e4]], dtype=np.float32)
before = far.copy()
y = SoftmaxOp(-1).forward(far)
np.testing.assert_allclose(y[:2], [[0.7310586, 0.2689414]] * 2, rtol=1e-5, err_msg="[a, a - 1] for a = 10,000 and -10,000")
np.testing.assert_array_equal(y[2], [1, 0], err_msg="scores 10,000 and -10,000: take off the largest, not another")
np.testing.assert_array_equal(far, before, err_msg="x was changed: `x -= ...` writes into it, `x - ...` does not")

# %% nbgrader={"grade": true, "grade_id": "softmax_hidden", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Graded again along each axis of a 3-d batch, on scores of which one is -inf, on a single class, and on overflow."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_x = 50 * np.random.default_rng(1).standard_normal((3, 4, 5)).astype(np.float32)
for _dim in [0, 1, -1]:
    answer(SoftmaxOp(_dim).forward(_x), about=f"a 3-d batch along {_dim}")
answer(SoftmaxOp(0).forward(np.array([-np.inf, 0.0, 1.0])), about="a score of -inf")
with np.errstate(over="raise", invalid="raise"):
    answer(raised(SoftmaxOp(1).forward, np.array([[1e4], [-1e4]], dtype=np.float32)), about="one class, ±10,000")
### END HIDDEN TESTS

# %% [markdown]
# For two classes softmax is old news. What will this difference be, and why?

# %%
x = Tensor(np.linspace(-5, 5, 11))
two = Tensor(np.stack([x.data, np.zeros(11)], axis=1))   # (11, 2): scores x and 0
(Softmax(dim=1)(two)[:, 0] - Sigmoid()(x)).abs().max()

# %% [markdown]
# A score of -∞ is useful: it forbids a class (module 07 masks with it), and its probability is exactly 0. Where there is no answer,
# because all scores are -∞, or one is +∞ or nan, we say what PyTorch says: nan. NumPy warns when it is born.

# %%
Softmax(dim=0)(Tensor([0.0, -np.inf, 1.0])), Softmax(dim=0)(Tensor([0.0, np.inf]))

# %% [markdown]
# ## LogSoftmax
#
# How good is a probability that was given to the right class? Losses (module 11) measure it by its logarithm. So take the log of a softmax. The right
# class has score 0, another has 200. The true answer is -200, almost exactly. What will this say?

# %%
Softmax(dim=0)(Tensor([0.0, 200.0])).log()

# %% [markdown]
# $e^{-200}$ is below the smallest float32, so the softmax is 0, and what was lost cannot come back from its log.
# Take the log on paper instead. With $m = \max_j x_j$ as before:
#
# $$\log\mathrm{softmax}(x)_i = (x_i - m) - \log \sum_j e^{x_j - m}$$
#
# The sum lies between 1 and the number of classes: its log is harmless. Keep the result and leave `x` alone, as before (the
# softmax is the exp of the result). Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "log_softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class LogSoftmaxOp(Op):
    """LogSoftmaxOp(dim): the logarithm of softmax, never by way of a probability that is rounded to 0."""

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
    """Scores to log-probabilities: at most 0, and their exp has sum 1 along dim."""

    def __init__(self, dim: int):
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """x - log(exp(x).sum(dim)): (*shape) -> (*shape)."""
        return apply(LogSoftmaxOp(self.dim), _floating(x))

# %%
LogSoftmax(dim=0)(Tensor([0.0, 200.0])), LogSoftmax(dim=0)(Tensor([10_000.0, -10_000.0]))

# %% nbgrader={"grade": true, "grade_id": "log_softmax_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""LogSoftmax is the log of softmax where that has one, exact where it has none, forgets a constant, and keeps x."""
x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
op = LogSoftmaxOp(1)
y = op.forward(x)
assert len(op.saved) == 1 and op.saved[0] is y, f"self.saved must be (y,), a tuple with the result, not {op.saved!r}"
np.testing.assert_allclose(np.exp(y).sum(axis=1), np.ones((2, 4)), rtol=1e-5, err_msg="the sums of exp along dim=1")
np.testing.assert_allclose(y[:, 0] - y[:, 2], x[:, 0] - x[:, 2], atol=1e-5, err_msg="differences of scores stay")

far = np.array([[0, 200], [1e4, -1e4]], dtype=np.float32)
y = LogSoftmaxOp(-1).forward(far)
np.testing.assert_array_equal(y, [[-200, 0], [0, -2e4]], err_msg="scores [0, 200] and [10,000, -10,000]")
np.testing.assert_array_equal(far, [[0, 200], [1e4, -1e4]], err_msg="x was changed: `x -= ...` writes into it")

# %% nbgrader={"grade": true, "grade_id": "log_softmax_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again along each axis of a 3-d batch with large scores, on a score of -inf, and on overflow."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_x = 500 * np.random.default_rng(2).standard_normal((3, 4, 5)).astype(np.float32)
for _dim in [0, 1, -1]:
    answer(LogSoftmaxOp(_dim).forward(_x), about=f"a 3-d batch along {_dim}")
answer(LogSoftmaxOp(0).forward(np.array([-np.inf, 0.0, 1.0])), about="a score of -inf")
with np.errstate(over="raise", invalid="raise", divide="raise"):
    answer(raised(LogSoftmaxOp(1).forward, np.array([[1e4, -1e4]], dtype=np.float32)), about="±10,000")
### END HIDDEN TESTS

# %% [markdown]
# ## The same as functions
#
# PyTorch has each of these as a plain function too, for code that needs no object. They are given.

# %% nbgrader={"grade": false, "grade_id": "functions", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def relu(x: Tensor) -> Tensor: return ReLU()(x)
def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor: return LeakyReLU(negative_slope)(x)
def sigmoid(x: Tensor) -> Tensor: return Sigmoid()(x)
def tanh(x: Tensor) -> Tensor: return Tanh()(x)
def gelu(x: Tensor) -> Tensor: return GELU()(x)
def softmax(x: Tensor, dim: int) -> Tensor: return Softmax(dim)(x)
def log_softmax(x: Tensor, dim: int) -> Tensor: return LogSoftmax(dim)(x)

# %% [markdown]
# All that bend, in one picture. If you could choose one by its slope alone, for a network of a hundred layers, which would it be?

# %%
sketch(ReLU(), LeakyReLU(0.1), Sigmoid(), Tanh(), GELU(), span=4)

# %% [markdown]
# ## Use: what a bend is worth on real digits
#
# A random layer of 256 units looks at the digits, with a bend behind it or without. From its 256 numbers, least squares
# reads off ten scores, one a digit: as near to 1 for the right digit, and to 0 for the others, as a linear function can come. It is fitted on 1,000
# images; the other 797 are the test. It also tells the *rank*: how many directions it found in the units.
#
# From the 64 pixels alone this is right for about nine images of ten. What will the random layer add, without and with a bend?

# %%
units = pixels @ randn(64, 256, generator=np.random.default_rng(0)) / 8   # (1797, 256)
targets = np.eye(10, dtype=np.float32)[labels]                              # (1797, 10): 1 at the right digit

def read_off(units: Tensor) -> tuple[Tensor, int]:
    """Ten scores an image, by least squares on the first 1,000: (1797, n) -> (1797, 10); and the rank of the units."""
    weights, _, rank, _ = np.linalg.lstsq(units.data[:1000], targets[:1000], rcond=0.003)
    return units @ Tensor(weights), int(rank)

def accuracy(scores: Tensor) -> float:
    return (scores.argmax(axis=1).data == labels)[1000:].mean()

# %%
hidden = {"pixels": pixels, "no bend": units}
hidden |= {repr(f): f(units) for f in [ReLU(), LeakyReLU(), Sigmoid(), Tanh(), GELU()]}
found = {name: read_off(h) for name, h in hidden.items()}
for name, (scores, rank) in found.items():
    print(f"{name:31} {accuracy(scores):6.1%}   rank {rank}")
assert accuracy(found["ReLU()"][0]) > accuracy(found["no bend"][0]) + 0.02

# %% [markdown]
# Without a bend the 256 units hold no more directions than the pixels, and the accuracy is nearly that of the pixels: the layer has collapsed into the read-out.
# With most bends the same random numbers are worth several points, and nothing was trained.
# With one of them they are worth next to nothing: which, and why? The units lie mostly between -1 and 1; its sketch above
# shows what it does there.

# %% [markdown]
# The scores are no probabilities yet: they lie near 0 and 1, and a softmax of such small differences is timid. A factor
# before it sets how bold it is. A good factor makes the mean log-probability of the right digit large. Will the accuracy change with the factor?

# %%
scores = found["ReLU()"][0][1000:]
right = np.arange(797), labels[1000:]
for factor in [1, 3, 10, 30, 100]:
    log_p = log_softmax(factor * scores, dim=1)
    hits = (log_p.argmax(axis=1).data == labels[1000:]).mean()
    print(f"factor {factor:3}: accuracy {hits:.1%}, mean log-probability {log_p[right].mean().item():6.2f}, "
          f"largest probability {log_p.max(axis=1).exp().mean().item():.2f} on average")

# %% [markdown]
# Too timid costs, and so does too bold: a single right digit that was called nearly impossible weighs like a hundred that were called likely. (In earnest the factor
# is chosen on images which are neither fitted nor tested on.) Here are the six digits
# of which the network is least sure, and what it holds possible. Would you be surer?

# %%
p = softmax(10 * scores, dim=1)
doubtful = np.argsort(p.max(axis=1).data)[:6]
fig, axes = plt.subplots(2, 6, figsize=(9, 3), layout="constrained", height_ratios=[3, 2])
for i, image, bars in zip(doubtful, *axes, strict=True):
    image.imshow(images[1000 + i], cmap="gray_r")
    image.set(title=f"labelled {labels[1000 + i]}", xticks=[], yticks=[])
    bars.bar(range(10), p.data[i])
    bars.set(ylim=(0, 0.6), xticks=range(10), yticks=[])
    bars.tick_params(labelsize=6)

# %% [markdown]
# ## Systems: what does a bend cost?
#
# On $n$ float32 numbers ReLU makes $n$ comparisons, reads $4n$ bytes and writes $4n$ bytes.
# A copy moves the same bytes and computes nothing. If memory were the whole story, the two
# lines would agree. Write down the ratio you expect, then run. `compare` and `time_call` are yours, from module 01.

# %%
from tinytorch.core.setup import compare, peak_memory, time_call

x = Tensor(np.random.default_rng(0).standard_normal(8_000_000))
c = compare({"copy": x.data.copy, "relu": lambda: relu(x)}, rounds=9)
for name, m in c.times.items():
    print(f"{name}  {2 * x.data.nbytes / m.min / 1e9:6.1f} GB/s")
c

# %% [markdown]
# And with more arithmetic on each number? If a function takes as long as the copy, it is *memory-bound*: the arithmetic hides behind the
# traffic. If it takes a multiple, it is *compute-bound*. Each runs twice: on 10,000 numbers, which stay in the
# processor's cache, and on 4 million, which do not. Guess first: which of them does the change of size hurt?

# %%
functions = {
    "copy": np.copy, "relu": lambda a: np.maximum(a, 0), "a * a": lambda a: a * a, "exp": np.exp, "tanh": np.tanh,
    "sigmoid": SigmoidOp().forward, "softmax": SoftmaxOp(-1).forward, "a * a * a": lambda a: a * a * a, "a ** 3": lambda a: a**3,
}
small, large = x.data[:10_000].reshape(10, 1000), x.data[:4_000_000].reshape(4000, 1000)
print(f"{'ns a number':12} {'10,000':>8} {'4 million':>10}")
for name, f in functions.items():
    a, b = (time_call(f, array, repeat=3).min / array.size * 1e9 for array in [small, large])
    print(f"{name:12} {a:8.2f} {b:10.2f}")

# %% [markdown]
# Divide the lines by the first. What is near 1 on the large array is memory-bound there; what costs a multiple of the copy, and as much in both
# columns, is bound by its arithmetic. The sigmoid is no single loop: how many passes does your `forward` make, one for each NumPy call?
#
# The last two lines compute the same number, but a general power does not know that its exponent is a small whole
# number. Your ratio of the two tells what GELU has saved by its products.
#
# ### What a bend keeps in memory
#
# One operation of yours makes one new array. Count on paper: how many operations does your GELU make of one `x`? The recipe of module 02 knows.

# %%
from tinytorch.core.tensor import recipe

y = GELU()(Tensor([1.0], requires_grad=True))
[type(t.origin[0]).__name__ for t in recipe(y) if t.origin]

# %% [markdown]
# Now their memory at its peak, in arrays of the size of `x`. While nothing requires a gradient, an intermediate result goes
# as soon as nobody needs it. When `x` requires one, every intermediate stays, for module 09. Predict
# the four numbers: ReLU and GELU, each without and with.

# %%
def arrays_at_peak(f, requires_grad: bool) -> int:
    a = Tensor(x.data[:1_000_000], requires_grad=requires_grad)
    return round(peak_memory(f, a) / a.data.nbytes)

for f in [relu, gelu]:
    print(f"{f.__name__}: {arrays_at_peak(f, False)} without gradient, {arrays_at_peak(f, True)} with")
assert arrays_at_peak(relu, True) == 1

# %% [markdown]
# Written as one `Op`, GELU would keep what its derivative needs, and no more. Module 13 fuses such chains.

# %% [markdown]
# ### Reflect: a pass over memory
#
# `relu(x @ W + b)` makes three passes, and the last two each read and write an array of the
# size of the result. From the GB/s you measured, how long do those two passes take for a
# float32 result of shape (4096, 4096), and how much of that would one fused pass save? Answer with
# the numbers of your own machine, in at most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "pass_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The result has 4096 * 4096 * 4 bytes = 67 MB, so one pass moves 134 MB and two move 268 MB. At 8 GB/s that is
# 34 ms. A fused pass reads and writes once, 134 MB, and saves half: 17 ms.
#
# Rubric: 3 points for the bytes of two passes (268 MB; 2 points if reading or writing was forgotten), 2 for a time that
# is these bytes divided by the rate that was measured, whatever it is, 2 for half of it as the saving, with the reason.

# %% [markdown]
# ### Reflect: another way round the overflow
#
# "There is no need for the maximum. I cut the scores off at 80 before the exp: `np.exp(np.minimum(x, 80))`. That is $5.5 \cdot 10^{34}$ at most, and never overflows."
# Give scores for which this softmax is finite and badly wrong, with both answers, its own and the right one; and scores for which it is nan. At most four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "clip_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# For [80, 200] both scores become 80, so it answers [0.5, 0.5]; right is [0, 1] (e^-120 is nothing). For [-1000, -1001] nothing
# is cut off, both exponentials are 0 in float32, and 0/0 is nan; right is [0.731, 0.269].
#
# Rubric: 4 points for a first example with at least two different scores above 80, or one far above and one at 80, with both
# answers right (2 with only one). 3 points for scores all below about -104, or all -inf, and 0/0 as the reason (1 without the reason).

# %% [markdown]
# ### Reflect: ten sigmoids
#
# Ten sigmoids, one behind the other, and the slope of the whole. By the chain rule it is the product of the ten slopes. Write down, before you run
# the cell: a number that the slope of ten sigmoids can never exceed, and what the slope of ten ReLUs is at $x = 1$. Then run, and
# explain in at most four sentences why the measured slope lies below your bound, and what both slopes mean for the first of ten layers.

# %%
def ten(activation):
    def chain(x):
        for _ in range(10):
            x = activation(x)
        return x
    return chain

slope(ten(sigmoid), Tensor([0.0], dtype=np.float64)).item(), slope(ten(relu), Tensor([1.0])).item()

# %% [markdown] nbgrader={"grade": true, "grade_id": "chain_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# No slope of a sigmoid is above 1/4, so the bound is (1/4)^10, about 9.5e-7. Only the first sigmoid is in its middle, at 0; the others get what the one
# before gives, about 0.66, where the slope is about 0.22, and the product is 4e-7 or so. The first layer receives a change
# that is millions of times smaller than the last: it hardly learns. Ten ReLUs at x = 1 have slope 1, as 1 is positive all the way.
#
# Rubric: 2 points for the bound (1/4)^10, 2 for the reason (the inputs are outputs of a sigmoid, between 0 and 1 and not 0, where the slope is
# below 1/4), 1 for the vanishing of what reaches the first layer, 1 for the slope 1 of the ReLUs.

# %% [markdown]
# ## Summary
#
# Seven activations exist, as objects and as functions, in float32 and at ±10,000. Each either consists of tensor operations or is an `Op` which has saved what its derivative needs:
# module 09 adds the rules. They have no parameters and do not learn. Module 04 puts the linear layers between them, with weights whose scale keeps the
# slopes alive; module 11 builds its losses on LogSoftmax.
