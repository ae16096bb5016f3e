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
#     title: Dense
#     part: Foundations
#     hours: 4
#     goals:
#     - build networks from layers in a row, nest them, slice them, and name their parameters as PyTorch does
#     - prove that depth without nonlinearities gains nothing, and draw the decision regions of a network with them
#     - write Dropout so that the mean is the same in training mode and in evaluation mode
#     - count the parameters, FLOPs and activation bytes of any model, and confirm the bytes by measuring
# ---

# %% [markdown]
# # Dense
#
# > Layers in a row make a network, and a summary says what it costs.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace:
# the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(5)

# %% [markdown]
# ## Why
#
# A layer for the pixels, an activation, a layer for the scores: a network is layers in
# a row. Python has lists for things in a row. What is missing?

# %% tags=["raises-exception"]
import numpy as np

from tinytorch.core.activations import ReLU
from tinytorch.core.layers import Linear
from tinytorch.core.tensor import randn

network = [Linear(64, 32), ReLU(), Linear(32, 10)]
network(randn(5, 64))

# %% [markdown]
# A list cannot be called, and it does not know its parameters. In module 04 we wrote a
# class for each network, with its own `forward`. Here you build the row once, the usual
# layers for it, and a `summary` that tells what a network costs before you train it.

# %%
#| default_exp core.dense

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import copy
import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from tinytorch.core.activations import LogSoftmaxOp, SigmoidOp, SoftmaxOp
from tinytorch.core.layers import Layer, Linear, Parameter
from tinytorch.core.setup import readable
from tinytorch.core.tensor import (
    Cast, Concat, Expand, Index, MatMul, Op, Permute, Reshape, Tensor,
    _owner, default_generator, grad_mode, recipe,
)

# %% [markdown]
# What only this notebook needs:

# %% nbgrader={"grade": false, "grade_id": "helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
from tinytorch.core.activations import ReLU, Tanh, log_softmax, relu
from tinytorch.core.tensor import concat, manual_seed, randn

# %%
import matplotlib.pyplot as plt

from tinytorch.datasets import load_digits

# %% [markdown]
# ## 1. Layers in a row
#
# ### Dense
#
# A linear layer and the activation after it, as one layer:
# $\mathrm{Dense}(x) = f(x W^{\mathsf T} + b)$. `activation` is an object such as
# `ReLU()`, a function such as `relu`, or `None` for no activation. All of them but
# `None` can be called.
#
# `super().forward(x)` is what `Linear` computes. The result must remember its
# parameters (module 02), so compute with tensors. Write `forward`: two or three lines.

# %% nbgrader={"grade": false, "grade_id": "dense", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Dense(Linear):
    """A linear layer and the activation after it, if there is one."""
    def __init__(self, in_features: int, out_features: int, activation=None):
        super().__init__(in_features, out_features)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """activation(x @ W.T + b): (*, in) -> (*, out)."""
        ### BEGIN SOLUTION
        y = super().forward(x)
        return y if self.activation is None else self.activation(y)
        ### END SOLUTION

# %% [markdown]
# A new layer with a ReLU makes 1,000 outputs. About how many of them will be 0?

# %%
layer = Dense(3, 10, ReLU())
(layer(randn(100, 3)) == 0).sum()

# %%
layer

# %% nbgrader={"grade": true, "grade_id": "dense_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Dense is the linear layer, then the activation: an object, a function, or none."""
layer, x = Dense(3, 4), randn(5, 3, generator=np.random.default_rng(0))
linear = x.data @ layer.weight.data.T + layer.bias.data

try:
    y = layer(x)
except TypeError as error:
    raise AssertionError(f"the activation may be None: {error}") from None
np.testing.assert_allclose(
    y.data, linear, rtol=1e-4, atol=1e-6,
    err_msg="With activation=None, Dense must be the linear layer alone.")

positive = np.maximum(linear, 0)
for name, activation, wanted in [
    ("ReLU()", ReLU(), positive), ("Tanh()", Tanh(), np.tanh(linear)),
    ("relu", relu, positive),
]:
    layer.activation = activation
    try:
        y = layer(x)
    except AttributeError as error:
        raise AssertionError(f"a function can only be called: {error}") from None
    np.testing.assert_allclose(
        y.data, wanted, rtol=1e-4, atol=1e-6,
        err_msg=f"Dense must give x @ W.T + b to its activation, here {name}.")
    assert y.dtype == np.float32, f"float32 in, {y.dtype} out: compute with tensors"
    assert y.requires_grad, "the result forgot its parameters: compute with tensors"
names = [name for name, _ in layer.named_parameters()]
assert names == ["weight", "bias"], f"the parameters are weight and bias, not {names}"

# %% nbgrader={"grade": true, "grade_id": "dense_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again with tanh, on three axes, and on what the result remembers."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

manual_seed(1)
_layer = Dense(4, 2, Tanh())
answer(_layer(randn(3, 2, 4)), about="tanh, and an input of shape (3, 2, 4)")
answer(_layer(randn(3, 4)).requires_grad, about="does the result remember?")
### END HIDDEN TESTS

# %% [markdown]
# ### Sequential
#
# The row itself: the output of each layer is the input of the next. The list is given.
# So is `members`, which names the parameters `0.weight` and not `layers.0.weight`, as
# PyTorch does. The other given methods make `len(model)`, `for layer in model`,
# `model[0]`, `model[:2]`, `model[-1] = layer` and `model.append(layer)` work.
#
# You write `forward`. A member is anything that can be called: a layer, an activation,
# a function, or another `Sequential`. An empty row returns `x`. Three lines.

# %% nbgrader={"grade": false, "grade_id": "sequential", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Sequential(Layer):
    """Layers in a row: the output of each is the input of the next."""
    def __init__(self, *layers): self.layers = list(layers)

    def members(self) -> list[tuple]:
        """As for every layer, but each member is named by its position alone."""
        pairs = super().members()
        return [(name.removeprefix("layers."), member) for name, member in pairs]

    def __len__(self) -> int: return len(self.layers)
    def __iter__(self): return iter(self.layers)
    def __getitem__(self, index):
        """The layer at a position; for a slice, a Sequential of the same layers."""
        if isinstance(index, slice):
            return Sequential(*self.layers[index])
        return self.layers[index]
    def __setitem__(self, index: int, layer) -> None: self.layers[index] = layer
    def append(self, layer):
        """Put the layer at the end; returns the row."""
        self.layers.append(layer)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """layers[-1](... layers[0](x))."""
        ### BEGIN SOLUTION
        for layer in self.layers:
            x = layer(x)
        return x
        ### END SOLUTION

# %% [markdown]
# The network that could not be called:

# %%
network = Sequential(Linear(64, 32), ReLU(), Linear(32, 10))
names = [name for name, _ in network.named_parameters()]
network(randn(5, 64)).shape, len(network), names

# %% [markdown]
# A row in a row. What are the names of its parameters?

# %%
nested = Sequential(network, Linear(10, 2))
[name for name, _ in nested.named_parameters()]

# %%
nested

# %% nbgrader={"grade": true, "grade_id": "sequential_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Sequential calls its members in order, of any kind, also nested and empty."""
def double(x):
    return 2 * x

x = Tensor([1.0, -2.0])
row = Sequential(double, lambda x: x + 1, Sequential(ReLU(), double))
try:
    y = row(x)
except AttributeError as error:
    raise AssertionError(f"a function can only be called: {error}") from None
np.testing.assert_array_equal(
    y.data, [6, 0],
    err_msg="Double, add 1, ReLU, double makes 1 -> 2 -> 3 -> 3 -> 6 and -2 -> 0.")
assert Sequential()(x) is x, "an empty row must return its input itself"
assert len(row) == 3 and row[0] is double, "calling the row must not change its members"

# %% nbgrader={"grade": true, "grade_id": "sequential_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on layers with parameters, called twice, and on one in two places."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

manual_seed(2)
_same = Linear(3, 3)
_row, _x = Sequential(_same, Tanh(), _same, Linear(3, 2)), randn(4, 3)
_names = [name for name, _ in _row.named_parameters()]
answer([_row(_x), _row(_x)], about="a layer in two places, called twice")
answer([_names, len(_row)], about="the names, and the length")
### END HIDDEN TESTS

# %% [markdown]
# Later we shall need a part of a network: the first half, to look at what it computes,
# or all but the last layer, to put another one on top. `network[0]` is a layer. What is
# `network[:-1]`, and to which network do its parameters belong?

# %%
network[0], network[:-1]

# %%
len(network[:-1]), network[:-1].parameters()[0] is network.parameters()[0]

# %% [markdown]
# ## 2. Why depth needs nonlinearities
#
# Module 03 showed it for matrices. Now with biases, two linear layers in a row:
#
# $$W_2\,(W_1 x + b_1) + b_2 = (W_2 W_1)\, x + (W_2 b_1 + b_2)$$
#
# The right side is *one* linear layer. Write `collapse`, which makes a new `Linear`,
# from the inputs of the first to the outputs of the second. Fill its two parameters
# with `assign`. `first` and `second` must not change. Both have a bias. Module 02's `@`
# also multiplies a matrix by a vector. Four lines.

# %% nbgrader={"grade": false, "grade_id": "collapse", "locked": false, "schema_version": 3, "solution": true, "task": false}
def collapse(first: Linear, second: Linear) -> Linear:
    """The one layer that computes second(first(x))."""
    ### BEGIN SOLUTION
    one = Linear(first.in_features, second.out_features)
    one.weight.assign(second.weight @ first.weight)
    one.bias.assign(second.weight @ first.bias + second.bias)
    return one
    ### END SOLUTION

# %% [markdown]
# 2 → 500 → 500 → 2, without an activation. How many parameters does it have, and how
# many are left after the collapse?

# %%
deep = Sequential(Linear(2, 500), Linear(500, 500), Linear(500, 2))
flat = collapse(collapse(deep[0], deep[1]), deep[2])
[sum(p.size for p in model.parameters()) for model in (deep, flat)]

# %% nbgrader={"grade": true, "grade_id": "collapse_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""collapse gives one layer that computes what the two did, and leaves the two alone."""
manual_seed(0)
first, second, x = Linear(3, 7), Linear(7, 2), randn(20, 3)
before = second(first(x)).data
one = collapse(first, second)

kind = type(one).__name__
assert isinstance(one, Linear), f"collapse must return a Linear, not {kind}"
shape = one.weight.shape
assert shape == (2, 3), f"3 inputs and 2 outputs need weights (2, 3), not {shape}"
worst = np.abs(one(x).data - before).max()
assert worst < 1e-4, (
    f"the one layer must compute second(first(x)), and it is off by {worst:.3g}")
names = [name for name, _ in one.named_parameters()]
assert names == ["weight", "bias"], (
    f"weight and bias must stay Parameters, and only {names} are left: use assign")
np.testing.assert_array_equal(
    second(first(x)).data, before,
    err_msg="collapse changed first or second: make a new layer.")

# %% nbgrader={"grade": true, "grade_id": "collapse_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on three layers, two by two, and on whether the result can learn."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

manual_seed(4)
_a, _b, _c = Linear(2, 5), Linear(5, 4), Linear(4, 3)
_one = collapse(collapse(_a, _b), _c)
answer([_one.weight, _one.bias], about="three layers in one")
_parameters = _one.parameters()
answer([type(p).__name__ for p in _parameters], about="the kind of its parameters")
answer([p.origin is None for p in _parameters], about="was no parameter computed?")
### END HIDDEN TESTS

# %% [markdown]
# A quarter of a million parameters compute the same function as six. With a
# nonlinearity between two layers, no `collapse` exists.
#
# ## 3. More layers
#
# ### Flatten
#
# An image has height and width, a `Linear` needs one axis. `Flatten` joins the axes
# from `start_dim` to `end_dim` into one. By default these are all axes after the first,
# which counts the batch: (n, 8, 8) becomes (n, 64). The numbers keep their order, and
# nothing is copied.

# %% [markdown]
# The given lines count negative axes from the end: `start` and `end` are 0 or more.
# `reshape(n, -1)` lets NumPy find the last size, but it raises an error for an empty
# batch, which Flatten must accept: 0 times any size is 0. So compute the size:
# `math.prod` of the sizes that are joined. One or two lines.

# %% nbgrader={"grade": false, "grade_id": "flatten", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Flatten(Layer):
    """The axes from start_dim to end_dim joined into one."""
    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        """(n, *sizes) -> (n, product of the sizes)."""
        axes = range(x.ndim)
        start, end = axes[self.start_dim], axes[self.end_dim]
        if start > end:
            raise ValueError(f"of {x.shape} axis {start} comes after axis {end}")
        ### BEGIN SOLUTION
        joined = math.prod(x.shape[start : end + 1])
        return x.reshape(*x.shape[:start], joined, *x.shape[end + 1 :])
        ### END SOLUTION

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"

# %% [markdown]
# Which shapes do these three make of 32 images with three colours?

# %%
x = randn(32, 3, 8, 8)
Flatten()(x).shape, Flatten(2)(x).shape, Flatten(0, 1)(x).shape

# %% nbgrader={"grade": true, "grade_id": "flatten_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Flatten keeps the batch and the order, copies nothing, accepts an empty batch, and
joins the axes from start_dim to end_dim."""
x = Parameter(randn(2, 3, 4, 5))
second = x.data[1].ravel().copy()
y = Flatten()(x)

assert y.shape == (2, 60), f"(2, 3, 4, 5) must become (2, 60), not {y.shape}"
np.testing.assert_array_equal(
    y.data[1], second, err_msg="The numbers of the second image must keep their order.")
assert y.requires_grad, "the result forgot x: reshape the tensor, not its .data"
assert np.shares_memory(x.data, y.data), "this is a copy; reshape gives a view"
try:
    shape = Flatten()(randn(0, 3, 4)).shape
except (ValueError, ZeroDivisionError) as error:
    raise AssertionError(f"(0, 3, 4) must become (0, 12): {error}") from None
assert shape == (0, 12), f"an empty batch (0, 3, 4) must become (0, 12), not {shape}"
for first, last, wanted in [(0, -1, (120,)), (2, 3, (2, 3, 20)), (-3, 2, (2, 12, 5)),
                            (1, 1, (2, 3, 4, 5)), (0, 1, (6, 4, 5))]:
    shape = Flatten(first, last)(x).shape
    assert shape == wanted, (
        f"Flatten({first}, {last}) must join axes {first} to {last} of (2, 3, 4, 5),"
        f" and those alone: {wanted}, not {shape}")

# %% nbgrader={"grade": true, "grade_id": "flatten_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a flat batch, on images without pixels, on axes in the middle, and on
what it remembers."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_shapes = [(3, 4), (2, 0, 5), (1, 1, 1, 1), (5, 2, 3)]
answer([Flatten()(randn(s)).shape for s in _shapes], about="four shapes")
_middle = Tensor(np.arange(120).reshape(2, 3, 4, 5))
answer([Flatten(1, 2)(_middle), Flatten(-1)(_middle).shape], about="in the middle")
_y = Flatten()(Parameter(np.ones((2, 2, 2))))
answer(_y.requires_grad, about="does the result remember?")
### END HIDDEN TESTS

# %% [markdown]
# ### Dropout
#
# A network with many parameters can learn its examples by heart, with units that are
# useful only together. Dropout (Srivastava and others 2014) keeps units from relying on
# each other: while the network learns, each number becomes 0 with probability $p$, at
# random, and anew in each call.
#
# So a layer has two modes. In **training mode** `layer.training` is `True`: the network
# is learning. In **evaluation mode** it is `False`: the network only predicts, and
# Dropout does nothing. `model.train()` and `model.eval()` of module 04 switch between
# them.

# %% [markdown]
# But then a sum over 100 units would be smaller in training mode, by the factor
# $1 - p$. So training mode scales up the numbers that stay. This is called *inverted*
# dropout:
#
# $$y_i = \frac{k_i}{1 - p}\, x_i, \qquad
# k_i = \begin{cases} 1 & \text{with probability } 1 - p \\
# 0 & \text{else} \end{cases}$$
#
# The mean stays the same in both modes. Only for $p = 1$ nothing stays: there
# $1/(1 - p)$ does not exist, and all numbers become 0.

# %% [markdown]
# Write `forward`:
#
# - in evaluation mode, return `x` itself, and draw nothing;
# - in training mode, draw one number from 0 to 1 for each number of `x`, as float32:
#   `self.generator.random(x.shape, np.float32)`. If it is at least `p`, the number
#   stays;
# - multiply `x` by a tensor of zeros and of $1/(1-p)$, so that the result remembers
#   `x`. (A `bool` array divided by a Python float is float64; `Tensor(array)` makes it
#   float32.) For $p = 1$, multiply by 0, and never divide by 0.
#
# `x` must not change. Six lines.

# %% nbgrader={"grade": false, "grade_id": "dropout", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Dropout(Layer):
    """In training mode, 0 with probability p, else scaled by 1 / (1 - p)."""
    def __init__(self, p: float = 0.5, generator=default_generator):
        if not 0 <= p <= 1:
            raise ValueError(f"p is a probability, from 0 to 1, not {p}")
        self.p, self.generator = p, generator

    def forward(self, x: Tensor) -> Tensor:
        """k x / (1 - p), with k drawn for each number: (*shape) -> (*shape)."""
        ### BEGIN SOLUTION
        if not self.training:
            return x
        if self.p == 1:
            return x * 0
        kept = self.generator.random(x.shape, np.float32) >= self.p
        return x * Tensor(kept / (1 - self.p))
        ### END SOLUTION

    def extra_repr(self) -> str: return f"p={self.p}"

# %% [markdown]
# Which two numbers will appear, and what will the mean of a million be?

# %%
dropout = Dropout(0.2, np.random.default_rng(0))
dropout(Tensor(np.ones((2, 6))))

# %%
dropout(Tensor(np.ones(1_000_000))).mean()

# %%
dropout.eval()(Tensor(np.ones((2, 6))))

# %% [markdown]
# One digit in five calls with $p = 0.3$. Is the ink that stays darker than before?

# %%
digit = Tensor(load_digits()[0][0] / 16)
figure, axes = plt.subplots(1, 6, figsize=(8, 1.7), layout="constrained")
for ax, mode in zip(axes, ["evaluation"] + ["training"] * 5):
    layer = Dropout(0.3).train(mode == "training")
    ax.imshow(layer(digit).data, cmap="gray_r", vmin=0, vmax=1 / 0.7)
    ax.set(title=mode, xticks=[], yticks=[])

# %% nbgrader={"grade": true, "grade_id": "dropout_check", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
"""In training mode Dropout zeroes about p of the numbers and scales the others up, anew
in each call. In evaluation mode it returns its input and draws nothing."""
x = Parameter(np.full((200, 500), 3.0))
dropout = Dropout(0.25, np.random.default_rng(0))
y, draws = dropout(x), np.random.default_rng(0).random(x.shape, np.float32)

values = np.unique(y.data)
assert np.allclose(values, [0, 4]), (
    f"with p = 0.25, 3 must become 0 or 3 / 0.75 = 4; the values are {values[:5]}")
assert np.array_equal(y.data == 0, draws < 0.25), (
    "a number must become 0 where its own draw is below p, and only there; "
    "draw with self.generator.random(x.shape, np.float32)")
assert y.dtype == np.float32, f"float32 went in, {y.dtype} came out"
assert y.requires_grad, "the result forgot x: multiply the tensor, not its .data"
assert (dropout(x).data != y.data).any(), "the second call must draw anew"

class Halves:
    def random(self, size=None, dtype=float):
        return np.full(size, 0.5, dtype)

edge = Dropout(0.5, Halves())(Tensor([3.0])).item()
assert edge == 6, f"a number whose draw is p itself stays: 3 / 0.5 = 6, not {edge:.6g}"
state, source = dropout.generator.bit_generator.state, dropout.generator.bit_generator
assert dropout.eval()(x) is x, "in evaluation mode Dropout must return x itself"
assert source.state == state, "in evaluation mode nothing must be drawn"
assert (x.data == 3).all(), "x was changed"
with np.errstate(all="ignore"):
    gone, kept = Dropout(1.0)(x), Dropout(1.0).eval()(x)
assert (gone.data == 0).all(), (
    f"with p = 1 all numbers become 0, not {gone.data[0, 0]}: divide by 1 - p for other"
    " p only")
assert gone.requires_grad, "with p = 1 too the result must remember x: multiply by 0"
assert kept is x, "with p = 1, too, Dropout does nothing in evaluation mode"

# %% nbgrader={"grade": true, "grade_id": "dropout_hidden", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Graded again on negative numbers in three axes, with p = 0 and 1, on draws that are
p, on different zeros in rows and columns, and on what the result remembers."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = randn(3, 4, 50, generator=np.random.default_rng(1))
_ratio = Dropout(0.5, np.random.default_rng(2))(_x).data / _x.data
_table = _ratio.reshape(12, 50)
answer(np.unique(np.round(_ratio, 4)), about="what the numbers are multiplied by")
answer([bool((_table.min(a) != _table.max(a)).any()) for a in (0, 1)],
       about="do rows and columns differ?")
answer([Dropout(0.0)(_x), Dropout(1)(_x)], about="p = 0, and p = 1")
class _Fixed:
    def random(self, size=None, dtype=float):
        return np.full(size, 0.5, dtype)
answer(Dropout(0.5, _Fixed())(_x), about="each draw is p itself, and so not below it")
answer(Dropout(0.5)(Parameter(_x)).requires_grad, about="does the result remember?")
_frozen, _g = np.random.default_rng(3), np.random.default_rng(3)
Dropout(0.5, _frozen).eval()(_x)
_same = bool(_frozen.random() == _g.random())
answer(_same, about="in evaluation mode, was nothing drawn?")
### END HIDDEN TESTS

# %% [markdown]
# ### The multi-layer perceptron
#
# The oldest deep network: dense layers, with an activation after each *but the last*.
# The outputs of the last are scores (logits), which may have any sign and size.
# `MLP([64, 32, 16, 10], ReLU())` has three layers: from 64 to 32, from 32 to 16, and
# from 16 to 10. Two sizes make one layer without an activation.
#
# An MLP is a `Sequential`. So make the list of layers and pass it to
# `super().__init__(*layers)`. `pairwise([5, 4, 3])` gives (5, 4), then (4, 3). `sizes`
# must not change. Three or four lines.

# %% nbgrader={"grade": false, "grade_id": "mlp", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class MLP(Sequential):
    """Dense layers from each size to the next, the last without the activation."""
    def __init__(self, sizes, activation):
        ### BEGIN SOLUTION
        layers = [Dense(m, n, activation) for m, n in pairwise(sizes)]
        layers[-1].activation = None
        super().__init__(*layers)
        ### END SOLUTION

# %%
MLP([64, 32, 16, 10], ReLU())

# %% nbgrader={"grade": true, "grade_id": "mlp_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""MLP has a dense layer from each size to the next; the activation follows all but the
last."""
sizes = [5, 2, 3, 2]
mlp = MLP(sizes, ReLU())
assert sizes == [5, 2, 3, 2], f"the list of sizes was changed: {sizes}"
assert len(mlp) == 3, f"four sizes make 3 layers, not {len(mlp)}: unpack *layers"
found = [(layer.in_features, layer.out_features) for layer in mlp]
assert found == [(5, 2), (2, 3), (3, 2)], (
    f"the sizes 5, 2, 3, 2 make layers (5, 2), (2, 3), (3, 2), not {found}")
kinds = [type(layer).__name__ for layer in mlp]
assert kinds == ["Dense"] * 3, f"each layer must be a Dense, not {kinds}"
found = [repr(layer.activation) for layer in mlp]
assert found == ["ReLU()", "ReLU()", "None"], (
    f"the activations must be ReLU(), ReLU(), and None in the last, not {found}")
found = [repr(layer.activation) for layer in MLP([3, 4, 2], Tanh())]
assert found == ["Tanh()", "None"], f"Tanh() was given, but the layers have {found}"
alone = MLP([3, 2], ReLU())
assert len(alone) == 1 and alone[0].activation is None, (
    "two sizes make one layer without an activation")
x = randn(6, 5)
np.testing.assert_array_equal(
    mlp(x).data, mlp[2](mlp[1](mlp[0](x))).data,
    err_msg="Call the layers in their order.")

# %% nbgrader={"grade": true, "grade_id": "mlp_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on two sizes, on a tuple, on the names of the parameters, and on the
list of sizes, which must not change."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_one, _two, _rng = MLP([3, 2], Tanh()), MLP((4, 3, 2), Tanh()), np.random.default_rng(6)
for _p in (*_one.parameters(), *_two.parameters()):
    _p.assign(_rng.standard_normal(_p.shape))
_y = _one(randn(5, 3, generator=_rng))
answer([len(_one), _one[0].activation is None, _y], about="two sizes")
_names = [name for name, _ in _two.named_parameters()]
_y = _two(randn(5, 4, generator=_rng))
answer([_names, _y], about="three sizes, in a tuple")
answer(isinstance(_two, Sequential), about="is it a Sequential?")
_sizes = [4, 3, 2]
MLP(_sizes, Tanh())
answer(_sizes, about="the sizes afterwards")
### END HIDDEN TESTS

# %% [markdown]
# ### Identity
#
# Some programs replace a layer by one that does nothing: `model[-1] = Identity()` cuts
# the last layer off, and the others keep their names. Which shapes come out?

# %% nbgrader={"grade": false, "grade_id": "identity", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Identity(Layer):
    """Returns its input; whatever it is told."""
    def __init__(self, *arguments, **options): pass
    def forward(self, x: Tensor) -> Tensor: return x

# %%
network[-1] = Identity()
network(randn(5, 64)).shape, network.append(Linear(32, 3))(randn(5, 64)).shape

# %% [markdown]
# ## Use: two moons
#
# 200 points on two half circles, one inside the arms of the other, with noise. No
# straight line separates them. (The points are made, not measured. They are our drawing
# board, here and in modules 09 and 11.)

# %% nbgrader={"grade": false, "grade_id": "two_moons", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def two_moons(n: int, noise: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """n points (n, 2) on two noisy half circles, and the moon of each (n,), 0 or 1."""
    rng = np.random.default_rng(seed)
    angle, label = np.pi * rng.random(n), np.arange(n) % 2
    x = np.where(label, 1 - np.cos(angle), np.cos(angle))
    y = np.where(label, 0.5 - np.sin(angle), np.sin(angle))
    points = np.stack([x, y], axis=1) + noise * rng.standard_normal((n, 2))
    return Tensor(points), Tensor(label)

# %%
x, y = two_moons(200)
x.shape, y[:6]

# %%
plt.scatter(*x.data.T, c=y.data, cmap="coolwarm")
plt.gca().set_aspect("equal")

# %% [markdown]
# A network with two scores for each point. One number says how wrong it is, as in
# module 03: the mean log-probability of the right moon, with a minus. It is called the
# *loss*. What is the loss of a network that gives each moon the probability one half?

# %%
def loss(model):
    log_p = log_softmax(model(x), dim=1)
    return -log_p[np.arange(len(x)), y].mean().item()

def accuracy(model):
    return float((model(x).argmax(1) == y).data.mean())

# %%
manual_seed(0)
model = MLP([2, 16, 2], ReLU())
loss(model), -np.log(0.5), accuracy(model)

# %% [markdown]
# ### Learning without knowing how
#
# So far nothing tells us in which direction to change a weight. So change all of them a
# little, at random. If the loss becomes smaller, keep the change, else undo it. Write
# `search`, which makes `steps` such trials. In each trial
#
# - add to each array of `model.state_dict()` `scale` times normal numbers of its own
#   shape, `generator.standard_normal(shape)`;
# - load the sums, and compute the loss. If it is not smaller than the loss kept last,
#   load the old state again.
#
# Return a list: the loss at the start, and after each trial the loss of what was kept.
# About nine lines.

# %% nbgrader={"grade": false, "grade_id": "search", "locked": false, "schema_version": 3, "solution": true, "task": false}
def search(model: Layer, loss, steps: int, scale: float, generator) -> list[float]:
    """Try random changes, keep each that lowers loss(model): steps + 1 losses."""
    losses = [loss(model)]
    ### BEGIN SOLUTION
    for _ in range(steps):
        old = model.state_dict()
        new_state = {}
        for name, array in old.items():
            new_state[name] = array + scale * generator.standard_normal(array.shape)
        model.load_state_dict(new_state)
        new = loss(model)
        if new >= losses[-1]:
            model.load_state_dict(old)
        losses.append(min(new, losses[-1]))
    ### END SOLUTION
    return losses

# %% [markdown]
# The network has 82 parameters. What share of 3,000 random steps do you expect to help?

# %%
losses = search(model, loss, 3000, 0.1, np.random.default_rng(0))
print(f"{np.mean(np.diff(losses) < 0):.1%} of the steps helped")
print(f"loss {losses[-1]:.3f}, accuracy {accuracy(model):.1%}")
assert accuracy(model) > 0.95

# %% nbgrader={"grade": true, "grade_id": "search_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""search keeps what lowers the loss, undoes all else, and finds the way down a bowl."""
def bowl(model):
    return sum(float((p.data**2).sum()) for p in model.parameters()) + 1

manual_seed(1)
small = Linear(2, 2)
small.weight.assign([[1, -1], [2, 0]])
start = small.state_dict()
losses = search(small, bowl, 400, 0.1, np.random.default_rng(0))
assert len(losses) == 401, f"the start and 400 trials: 401 losses, not {len(losses)}"
assert all(b <= a for a, b in pairwise(losses)), (
    "a loss in the list is larger than the one before: keep what is below losses[-1]")
found = bowl(small)
assert abs(found - losses[-1]) < 1e-5, (
    f"the last loss is {losses[-1]:.4f}, the model has {found:.4f}: undo bad steps")
assert losses[-1] < 1.1, (
    f"400 trials from {losses[0]:.2f} should end below 1.1, not at {losses[-1]:.2f}: "
    "change what was kept last, by another random number for each weight")
again = Linear(2, 2)
again.load_state_dict(start)
assert search(again, bowl, 400, 0.1, np.random.default_rng(0)) == losses, (
    "the same generator must give the same losses: draw from the one passed in")

before = small.state_dict()
losses = search(small, lambda model: 1.0, 3, 0.1, np.random.default_rng(0))
assert losses == [1.0] * 4, f"where nothing helps, the loss stays at 1, not {losses}"
assert all((a == before[name]).all() for name, a in small.state_dict().items()), (
    "a loss that is not smaller, only equal, is no progress: load the old state again")
wide, falling = Linear(40, 50), iter(range(0, -9, -1))
before = wide.weight.data.copy()
search(wide, lambda model: float(next(falling)), 1, 0.5, np.random.default_rng(0))
moved = (wide.weight.data - before).std()
assert 0.45 < moved < 0.55, (
    f"one step is 0.5 times normal numbers: standard deviation 0.5, not {moved:.3g}")

# %% nbgrader={"grade": true, "grade_id": "search_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a loss that falls in every trial, on one that rises, on one that
stays, and on how far one step goes."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

def _counting(by):
    _calls = []
    def _loss(model):
        _calls.append(1)
        return float(by * len(_calls))
    return _loss

def _search(loss, seed):
    return search(_layer, loss, 3, 0.5, np.random.default_rng(seed))

manual_seed(7)
_layer = Linear(40, 50)
_start = _layer.state_dict()
answer(_search(_counting(1.0), 1), about="each trial is worse")
_same = [(_start[n] == a).all() for n, a in _layer.state_dict().items()]
answer(all(_same), about="is everything undone?")
_losses = _search(lambda model: 2.0, 2)
answer([_losses, bool((_start["weight"] == _layer.weight.data).all())],
       about="no trial is smaller")
answer(_search(_counting(-1.0), 1), about="each trial is better")
_moved = (_layer.weight.data - _start["weight"]).std()
answer(float(_moved), about="three steps of 0.5, at random", rtol=0.1)
### END HIDDEN TESTS

# %% [markdown]
# What has the network learned? We draw its answer at every point of the plane: its
# decision regions. Beside it stand two networks found by the same search, one without
# any activation, and one with many more parameters. Sketch on paper first: where will
# the border of the one without an activation run?

# %%
def regions(model, ax):
    """Draw the probability of the second moon, the border at 1/2, and the points."""
    side = np.linspace(-2, 3, 120)
    grid = np.stack(np.meshgrid(side, side), axis=-1)               # (120, 120, 2)
    p = log_softmax(model(Tensor(grid)), dim=-1).exp().data[..., 1]
    ax.pcolormesh(side, side, p, cmap="coolwarm", vmin=-0.3, vmax=1.3)
    ax.contour(side, side, p, [0.5], colors="black")
    ax.scatter(*x.data.T, c=y.data, cmap="coolwarm", edgecolors="white", s=15)

# %%
models = {
    "no activation": Sequential(Linear(2, 16), Linear(16, 16), Linear(16, 2)),
    "one ReLU": model, "two tanh": MLP([2, 16, 16, 2], Tanh()),
}
for name in ["no activation", "two tanh"]:
    search(models[name], loss, 3000, 0.05, np.random.default_rng(1))

# %%
figure, axes = plt.subplots(1, 3, figsize=(11, 3.7), sharey=True, layout="constrained")
for ax, (name, m) in zip(axes, models.items(), strict=True):
    regions(m, ax)
    ax.set(title=f"{name}: {accuracy(m):.1%}", aspect="equal", ylim=(-1.5, 2))

# %% [markdown]
# With 354 parameters and no activation the border is straight: the network is one layer
# in disguise. ReLU makes a border of straight pieces, tanh a smooth one.

# %%
straight = models["no activation"]
assert accuracy(straight) < 0.92 < accuracy(models["two tanh"])
flat = collapse(collapse(straight[0], straight[1]), straight[2])
accuracy(flat), sum(p.size for p in flat.parameters())

# %% [markdown]
# ### And on digits?
#
# The same search on real digits: 64 pixels, 32 units, 10 scores, together 2,410
# parameters. It uses 500 images; the other 1,297 are the test. What share of 1,000
# steps will help, and how many digits will it read? (Module 02's nearest mean reads 89
# %, without any search.)

# %%
images, labels = load_digits()
pixels, digits = Tensor(images.reshape(-1, 64) / 16), Tensor(labels)
x, y = pixels[:500], digits[:500]

# %%
manual_seed(0)
reader = MLP([64, 32, 10], ReLU())
losses = search(reader, loss, 1000, 0.02, np.random.default_rng(0))
correct = (reader(pixels[500:]).argmax(1) == digits[500:]).data.mean()
print(f"{np.mean(np.diff(losses) < 0):.1%} of the steps helped")
print(f"loss {losses[0]:.2f} -> {losses[-1]:.2f}, {correct:.1%} correct")

# %% [markdown]
# Many steps helped, because they were small, but each helped only a little. With a
# scale of 0.1 far fewer steps would help here. Among 2,410 directions one leads
# straight down, and a random one is nearly level. A larger network needs smaller steps,
# and more of them. Module 09 computes the direction.

# %%
plt.plot(losses)
plt.gca().set(xlabel="trial", ylabel="loss on the digits");

# %% [markdown]
# ## Systems: what does a network cost?
#
# Three numbers answer this. **Parameters** are stored and learned. **FLOPs** are what a
# forward pass computes. **Activation bytes** are what it leaves in memory, because
# module 09 needs it for the gradients. Parameters can be counted from the layers. The
# other two depend on what really runs. So we run the model and read the recipe of its
# result (module 02): every op, with its inputs and its output.

# %% [markdown]
# What a recipe knows of one result: the op, and the shapes of its inputs.

# %%
op, inputs = Linear(3, 4)(randn(5, 3)).origin
type(op).__name__, [t.shape for t in inputs]

# %% [markdown]
# ### FLOPs of an op
#
# The rules, in this order:
#
# - An op with a method `flops(y, *xs)`, such as `LinearOp`, counts for itself.
# - A `MatMul` of (…, n, k) and (…, k, m) costs $2k$ for each number of its result.
# - `Reshape`, `Permute`, `Expand`, `Index`, `Concat` and `Cast` only move numbers: 0.
# - Any other op costs one FLOP for each number of the largest array, input or output.
#   So an addition counts its results, and a sum its summands.
# - But a sigmoid costs 7 for each number, and a softmax or log-softmax 5.

# %% [markdown]
# Write `op_flops`. `y` is the output of the op, `xs` are its inputs. They must not
# change: their shapes say all. The last three rules are one line, with the table
# `_PASSES`: `_PASSES.get(type(op), 1)` is the factor of an op, and 1 for an op that is
# not in the table. Five lines.

# %% nbgrader={"grade": false, "grade_id": "op_flops", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
_PASSES = {
    Reshape: 0, Permute: 0, Expand: 0, Index: 0, Concat: 0, Cast: 0,
    SigmoidOp: 7, SoftmaxOp: 5, LogSoftmaxOp: 5,
}

def op_flops(op: Op, y: np.ndarray, *xs: np.ndarray) -> int:
    """Floating-point operations of y = op(xs); op.flops counts where it exists."""
    ### BEGIN SOLUTION
    if hasattr(op, "flops"):
        return op.flops(y, *xs)
    if isinstance(op, MatMul):
        return 2 * y.size * xs[0].shape[-1]
    return _PASSES.get(type(op), 1) * max(a.size for a in (y, *xs))
    ### END SOLUTION

# %% [markdown]
# Which ops does $x W^{\mathsf T} + b$ run on 5 rows, for `Linear(3, 4)`, and what does
# each cost? And what does the layer's one op cost?

# %%
def costs(y):
    found = []
    for t in recipe(y):
        if t.origin:
            op, inputs = t.origin
            flops = op_flops(op, t.data, *[x.data for x in inputs])
            found.append((type(op).__name__, flops))
    return found

layer, x = Linear(3, 4), randn(5, 3)
costs(x @ layer.weight.T + layer.bias), costs(layer(x))

# %% nbgrader={"grade": true, "grade_id": "op_flops_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""op_flops counts products by their inner size, moves as nothing, the rest by the
largest array, and lets an op count for itself."""
class Secret(Op):
    def flops(self, y, *xs):
        return 1000 * y.size + len(xs)

def flops_of(op, *arrays):
    before = [array.copy() for array in arrays]
    try:
        found = op_flops(op, *arrays)
    except KeyError:
        raise AssertionError(f"{type(op).__name__} is not in the table: 1") from None
    assert all(map(np.array_equal, arrays, before)), "op_flops changed y or xs"
    return found

def flops_made(y):
    return flops_of(y.origin[0], y.data, *[x.data for x in y.origin[1]])

a, b = Parameter(np.ones((5, 3))), Parameter(np.ones((6, 3, 4)))
assert flops_of(Secret(), a.data, b.data) == 15_001, "ask the op: op.flops(y, *xs)"
found = flops_made(a.reshape(1, 5, 3) @ b)
assert found == 720, f"6 · 5 · 4 results of 2 · 3 FLOPs each are 720, not {found}"
found = flops_made(b @ Parameter(np.ones((6, 4, 2))))
assert found == 288, f"6 · 3 · 2 results of 2 · 4 FLOPs each are 288, not {found}"
found = [flops_made(y) for y in (a.T, a.reshape(15), a[1:], concat([a, a]))]
assert found == [0] * 4, f"transpose, reshape, slice, concat only move: 0, not {found}"
found = flops_made(a.sum(0))
assert found == 15, f"a sum over (5, 3) has 15 summands, not {found}"
found = flops_made(a.sum(1, keepdims=True) + a.sum(0))
assert found == 15, f"(5, 1) + (3,) has 15 results, not {found}"
found = flops_made(log_softmax(a, dim=1))
assert found == 75, f"a log-softmax of 15 numbers costs 5 · 15 = 75, not {found}"

# %% nbgrader={"grade": true, "grade_id": "op_flops_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a batch of products, on a softmax, on every op that moves numbers, on
a column plus a row, and on whether the arrays stay."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

def _count(y):
    _found = []
    for t in recipe(y):
        if t.origin:
            _op, _arrays = t.origin[0], [t.data, *[i.data for i in t.origin[1]]]
            _found.append([type(_op).__name__, int(op_flops(_op, *_arrays))])
    return _found

_a, _b = Parameter(np.ones((2, 1, 3, 5))), Parameter(np.ones((4, 5, 6)))
answer(_count(_a @ _b), about="two times four products")
answer(_count(_b.transpose(1, 2) @ _b), about="four products")
answer(_count(log_softmax(_b, dim=0)), about="a log-softmax")
answer(_count(concat([_b.permute(1, 0, 2).reshape(20, 6), _b[0]])), about="moves")
_sum = Parameter(np.ones((7, 1))) + Parameter(np.ones(3))
answer(_count(_sum), about="a column plus a row")
answer(_count(_b.max(1).exp()), about="a maximum, then exp")
_arrays = [np.ones((2, 2)) for _ in range(3)]
for _op in (MatMul(), ReLU()(_a).origin[0], Secret()):
    op_flops(_op, *_arrays)
answer(_arrays, about="the arrays, after they were counted")
### END HIDDEN TESTS

# %% [markdown]
# ### Bytes that remain
#
# The arrays of an op stay in memory as long as the recipe remembers it: its inputs, its
# output, and what it saved. But a view has no memory of its own. Its `base` is the
# array whose memory it uses, and the owner's `base` is `None`. (Some of NumPy's
# functions put further views in between; module 02's `_owner` follows them.) And the
# same array often appears twice, as the output of one op and the input of the next.

# %% [markdown]
# Is the `base` of a view of a view the view, or the owner?

# %%
a = np.ones((10, 10))
rows = a[2:]
rows.T.base is rows, rows.T.base is a, a.base

# %% [markdown]
# Write `new_bytes`. Replace each array by its owner. If the owner's `id` is not in
# `seen`, add its `nbytes`, and note it: `seen[id(owner)] = owner`. `arrays` must not
# change. Five lines.

# %% nbgrader={"grade": false, "grade_id": "new_bytes", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def new_bytes(arrays, seen: dict) -> int:
    """Bytes behind the arrays whose owners `seen` lacks (id -> owner); notes them."""
    total = 0
    ### BEGIN SOLUTION
    for array in arrays:
        owner = _owner(array)
        if id(owner) not in seen:
            seen[id(owner)] = owner
            total += owner.nbytes
    ### END SOLUTION
    return total

# %% [markdown]
# How many bytes of memory do these four arrays use together?

# %%
a = np.ones((10, 10), np.float32)
new_bytes([a, a.T, a[2:], np.broadcast_to(a, (1000, 10, 10))], {})

# %% nbgrader={"grade": true, "grade_id": "new_bytes_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""new_bytes counts each piece of memory once, at its full size."""
a, b, seen = np.ones((10, 10), np.float32), np.ones(6), {}
found = new_bytes([a[3:5]], seen)
assert found == 400, f"2 rows keep all 400 bytes of their owner alive, not {found}"
arrays = [a, a.T, b, b]
found = new_bytes(arrays, seen)
assert found == 48, f"a was seen before and b counts once: 48 bytes, not {found}"
assert len(arrays) == 4, f"the list had 4 arrays, now {len(arrays)}: only read it"
windows = np.lib.stride_tricks.sliding_window_view(b, 3)  # a view of a view
try:
    found = new_bytes([a.reshape(100), b[::2], windows], seen)
except AttributeError as error:
    raise AssertionError(f"_owner finds the owner, not the base: {error}") from None
assert found == 0, f"both owners were seen before: 0 new bytes, not {found}"
assert seen.get(id(b)) is b, "seen must map the id of an owner to the owner"

# %% nbgrader={"grade": true, "grade_id": "new_bytes_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on views of views, on a broadcast array, on nothing, on two equal
arrays, and on the list of arrays, which must not change."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_a, _seen = np.zeros((4, 6)), {}
_view = _a.T[1:].reshape(2, -1, copy=None)[::-1]
answer(int(new_bytes([_view, _a[1][2:]], _seen)), about="views of views")
_wide = np.broadcast_to(np.zeros(3), (1000, 3))
answer(int(new_bytes([_wide], _seen)), about="a broadcast array")
answer([int(new_bytes([], _seen)), len(_seen)], about="nothing")
_list = [np.ones(5), np.ones(5)]
_found = int(new_bytes(_list, _seen))
answer([_found, len(_list)], about="equal, but two; and the list afterwards")
### END HIDDEN TESTS

# %% [markdown]
# ### The summary
#
# Now the table. `summary` copies the model, lets every layer and activation of the copy
# report what happened between its start and its end, and passes zeros of the given
# shape through it. An op belongs to the innermost layer in which it ran. The recipe of
# the result is then read with your two functions, inputs first, so memory counts where
# it was first filled. Arrays without axes are left out.
#
# You need not read the next three cells.

# %% nbgrader={"grade": false, "grade_id": "summary_table", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@dataclass(eq=False)
class SummaryRow:
    """What one call of one layer did, without what the layers inside it did."""
    name: str
    kind: str
    parameters: int
    output_shape: tuple = ()
    flops: int = 0
    activation_bytes: int = 0

class Summary:
    """A row for each call of a layer, in the order of the calls, and their sums."""
    def __init__(self, rows: list[SummaryRow]):
        self.rows = rows
        self.parameters = sum(r.parameters for r in rows)
        self.flops = sum(r.flops for r in rows)
        self.activation_bytes = sum(r.activation_bytes for r in rows)
    def __repr__(self) -> str:
        sums = self.parameters, "", self.flops, self.activation_bytes
        table = [["layer", "", "output", "parameters", "forward", "activations"]]
        for r in (*self.rows, SummaryRow("total", "", *sums)):
            costs = [readable(r.flops, "FLOP"), readable(r.activation_bytes, "B")]
            row = [r.name, r.kind, str(r.output_shape), f"{r.parameters:,}", *costs]
            table.append(row)
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = []
        for row in table:
            left = [text.ljust(width) for text, width in zip(row[:3], widths[:3])]
            right = [text.rjust(width) for text, width in zip(row[3:], widths[3:])]
            lines.append("  ".join(left + right))
        return "\n".join(lines)

# %% nbgrader={"grade": false, "grade_id": "meter", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _tensors(values) -> list[Tensor]:
    return [x for x in values if isinstance(x, Tensor)]

class _Meter:
    """Replaces `forward` of every layer, and notes which layer made each result."""
    def __init__(self, model: Layer):
        self.rows, self.home, self.path, self.known = [], {}, [([], "")], set()
        for layer in [model, *(member for _, member in model.named_members())]:
            if hasattr(layer, "forward"):
                layer.forward = partial(self.call, layer, layer.forward)
    def call(self, layer, forward, *inputs, **options):
        """forward(*inputs), and a row for it, before those of the layers it calls."""
        siblings, name = self.path[-1]
        for own_name, member in siblings:
            if member is layer:
                name = f"{name}.{own_name}" if name else own_name
                break
        members = layer.members() if isinstance(layer, Layer) else []
        own = {m for _, m in members if isinstance(m, Parameter)} - self.known
        row = SummaryRow(name, type(layer).__name__, sum(p.size for p in own))
        self.rows.append(row)
        self.path.append((members, name))
        y = forward(*inputs, **options)
        self.path.pop()
        results = _tensors(y if isinstance(y, tuple) else [y])
        made = {t for t in recipe(*results) if t.origin}
        made = made.difference(recipe(*_tensors(inputs)), self.home)
        self.home |= dict.fromkeys(made, row)
        self.known |= own
        row.output_shape = results[0].shape
        has_layers = any(hasattr(member, "forward") for _, member in members)
        if has_layers and not made and not own:
            self.rows.remove(row)  # it only calls other layers
        return y

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def summary(model: Layer, input_shape) -> Summary:
    """What each layer costs for an input shape, or for an example (a tensor)."""
    example = isinstance(input_shape, Tensor)
    x = input_shape.data if example else np.zeros(input_shape, np.float32)
    x = Tensor(x, requires_grad=x.dtype.kind == "f")
    model, seen, enabled = copy.deepcopy(model), {}, grad_mode.enabled  # runs on a copy
    members = [model, *(member for _, member in model.named_members())]
    held = [x, *members]
    for layer in members:
        if hasattr(layer, "forward"):
            held += vars(layer).values()
    held = [np.asarray(a) for a in held if isinstance(a, (Tensor, np.ndarray))]
    new_bytes(held, seen)  # what the forward pass finds, it does not make
    meter, grad_mode.enabled = _Meter(model), True
    try:
        y = model(x)
    finally:
        grad_mode.enabled = enabled
    results = _tensors(y if isinstance(y, tuple) else [y])
    for t in filter(meter.home.get, recipe(*results)):
        row, op, xs = meter.home[t], t.origin[0], [x.data for x in t.origin[1]]
        row.flops += op_flops(op, t.data, *xs)
        arrays = [t.data, *xs, *op.saved, *op.parameters]
        arrays = [a for a in arrays if isinstance(a, np.ndarray) and a.ndim]
        row.activation_bytes += new_bytes(arrays, seen)
    return Summary(meter.rows)

# %% [markdown]
# The network that module 11 trains on CIFAR-10, for a batch of 128 images. Before you
# look: which layer has most of the parameters, and which most of the FLOPs?

# %%
model = MLP([3072, 512, 256, 10], ReLU())
summary(model, (128, 3072))

# %% [markdown]
# By hand: a dense layer from $m$ to $n$ has $mn + n$ parameters. For $N$ rows its
# product takes $2Nmn$ FLOPs and its bias $Nn$. It leaves one array of $N \times n$
# numbers, the product with the bias in it. The activation after it leaves a second one.

# %%
N, sizes, cost = 128, [(3072, 512), (512, 256), (256, 10)], summary(model, (128, 3072))
assert cost.parameters == sum(m * n + n for m, n in sizes)
assert cost.flops == sum(2 * N * m * n + N * n for m, n in sizes) + N * (512 + 256)
assert cost.activation_bytes == 4 * N * (2 * 512 + 2 * 256 + 10)

# %% [markdown]
# Nested rows, a `Flatten` and a `Dropout`. Which two arrays does the Dropout leave? And
# which lines change in evaluation mode?

# %%
net = Sequential(
    Flatten(), Sequential(Linear(64, 32), ReLU(), Dropout(0.5)), Linear(32, 10))
summary(net, (100, 8, 8))

# %%
summary(net.eval(), (100, 8, 8))

# %% [markdown]
# ### Against the batch size
#
# Which of the columns grow with the batch, and how? The column "measured" is not from
# the summary: `peak_memory` of module 01 watches Python's allocator while the model
# runs. Predict how it will compare with the activation bytes, and how the rate in the
# last column will change.

# %%
from tinytorch.core.setup import peak_memory, time_call

print(f"{'batch':>6} {'parameters':>11} {'forward':>13} {'activations':>12} "
      f"{'measured':>9} {'GFLOP/s':>8}")
for n in (1, 4, 16, 64, 256, 1024):
    cost, x = summary(model, (n, 3072)), randn(n, 3072)
    measured, seconds = peak_memory(model, x), time_call(model, x, repeat=3).min
    print(f"{n:>6} {readable(4 * cost.parameters, 'B'):>11} "
          f"{readable(cost.flops, 'FLOP'):>13} "
          f"{readable(cost.activation_bytes, 'B'):>12} "
          f"{readable(measured, 'B'):>9} {cost.flops / seconds / 1e9:8.1f}")
assert 0.95 < measured / cost.activation_bytes < 1.1

# %% [markdown]
# The parameters are stored once, for any batch size. FLOPs and activations grow in
# proportion to it. At batch size 1 all 6.8 MB of weights are read for two FLOPs each,
# so the speed of reading sets the rate. A larger batch uses each weight many times
# while it is in the cache. That is why we train, and serve, in batches.

# %% [markdown]
# ### Reflect: how many images fit?
#
# From your table: at which batch size do the activations of this network take as many
# bytes as its parameters? And how large a batch would fill 80 GB with activations?
# Derive both from the activation bytes of *one* image, and check the first with one
# more `summary`. At most four sentences, with the numbers.

# %% [markdown] nbgrader={"grade": true, "grade_id": "batch_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# One image leaves 4 · (2 · 512 + 2 · 256 + 10) = 6,184 bytes. The parameters take 4 ·
# 1,707,274 = 6.83 MB, so both are equal at 6.83 MB / 6,184 B = 1,104 images;
# summary(model, (1104, 3072)) says 6.83 MB. 80 GB hold 80e9 / 6,184 = 12.9 million
# images.
#
# Rubric: 2 points for the bytes of one image (from the first line of the table or by
# hand), 2 for the batch of about 1,104, 2 for about 12.9 million, 1 for the check with
# its number.

# %% [markdown]
# ### Reflect: always a waste?
#
# "Two linear layers without an activation between them are always a waste: collapse
# them." Look at `Sequential(Linear(1000, 10), Linear(10, 1000))`, and at the one layer
# from 1000 to 1000 that computes the same. Compare their parameters and their FLOPs for
# one row. Then say what a layer from 1000 to 1000 can compute that the two cannot. At
# most four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "rank_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The two have 1000 · 10 + 10 + 10 · 1000 + 1000 = 21,010 parameters and take about
# 40,000 FLOPs per row; the one has 1,001,000 and takes 2 million. So here the collapse
# costs about fifty times more. But the product of the two matrices has rank 10 at most,
# because everything passes through ten numbers. The one layer can have any matrix of
# rank up to 1000, for example the identity, which the two cannot.
#
# Rubric: 2 points for both numbers of parameters, 2 for both FLOPs (about 40,000 and
# 2,000,000), 3 for the limited rank with an example or the reason (1 if the answer says
# only "less expressive").

# %% [markdown]
# ### Reflect: what Dropout adds
#
# A layer adds up 100 units, all of them 1. With dropout $p$ the mean of the sum stays
# at 100. But what is its standard deviation for $p = 0.5$, and for $p = 0.9$? Derive it
# from the variance of one unit, which is 0 with probability $p$ and $1/(1-p)$ else.
# Then run the cell. For which $p$ is the standard deviation a fifth of the mean? At
# most four sentences.

# %%
for p in (0.5, 0.9):
    dropout = Dropout(p, np.random.default_rng(0))
    sums = dropout(Tensor(np.ones((10_000, 100)))).sum(1)
    print(f"p = {p}: mean {sums.mean().item():.1f}, "
          f"standard deviation {sums.data.std():.2f}")

# %% [markdown] nbgrader={"grade": true, "grade_id": "dropout_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# One unit has the mean square (1-p) / (1-p)² = 1/(1-p) and mean 1, so the variance is
# p/(1-p): 1 for p = 0.5, and 9 for p = 0.9. The sum of a hundred independent units has
# 100 times that variance, so its standard deviation is 10 and 30, as measured. For a
# standard deviation of 20, a fifth of the mean, 100 p/(1-p) = 400, so p = 0.8.
#
# Rubric: 2 points for the variance p/(1-p) of one unit, 2 for 10 and 30, 2 for p = 0.8.

# %% [markdown]
# ## Here and in PyTorch
#
# | here | in PyTorch |
# | --- | --- |
# | `Dense(64, 32, ReLU())` | `nn.Sequential(nn.Linear(64, 32), nn.ReLU())` |
# | `Sequential(...)` | `nn.Sequential`; takes modules only, no plain functions |
# | a list of layers as an attribute | `nn.ModuleList`; a dict: `nn.ModuleDict` |
# | `Flatten(1, -1)`, `Identity()` | the same |
# | `Dropout(p)` | `nn.Dropout(p)`; uses the global generator |
# | `model.train()`, `model.eval()` | the same |
# | `MLP([64, 32, 10], ReLU())` | none: a `nn.Sequential` |
# | `summary(model, shape)` | none; the package `torchinfo` has one |
# | `op_flops` | `torch.utils.flop_counter`; counts products and convolutions, no bias |
# | `owner.nbytes` | `tensor.untyped_storage().nbytes()` |

# %% [markdown]
# ## Summary
#
# Networks are built from `Dense`, `Flatten`, `Dropout`, and whatever can be called, in
# a `Sequential` that can be nested and sliced. `MLP` is the first of them. `summary`
# counts parameters, FLOPs and activation bytes of any model by running it. Random
# search can separate two moons, but learns digits badly and slowly: module 09 computes
# the direction. Before that come layers for images (06), for sequences (07), and the
# data (08).
