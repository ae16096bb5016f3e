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
#     - build networks from bricks in a row: nested, cut, looked into, and named as PyTorch names them
#     - prove that depth without bends gains nothing, and draw the regions that a network with bends decides
#     - write Dropout so that the mean stays while learning and nothing happens at work
#     - count the parameters, operations and bytes of any model from what really runs, and confirm the bytes by measuring
# ---

# %% [markdown]
# # Dense
#
# > Layers in a row make a network, and a summary says what it costs.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(5)

# %% [markdown]
# ## Why
#
# A layer for the pixels, a bend, a layer for the scores: a network is layers in a row. Python has a word for things in
# a row. What is missing?

# %% tags=["raises-exception"]
import numpy as np

from tinytorch.core.activations import ReLU
from tinytorch.core.layers import Linear
from tinytorch.core.tensor import randn

network = [Linear(64, 32), ReLU(), Linear(32, 10)]
network(randn(5, 64))

# %% [markdown]
# It cannot be called, and it does not know its parameters. In module 04 we wrote a class for each network, with a
# `forward` of its own. Here you build the row once and for all, the usual bricks for it, and a `summary` which tells
# what a network costs before you pay.

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
from tinytorch.core.layers import Layer, Linear
from tinytorch.core.setup import readable
from tinytorch.core.tensor import Cast, Concat, Expand, Index, MatMul, Op, Permute, Reshape, Tensor, default_generator, recipe

# %% [markdown]
# And what only this notebook needs:

# %% nbgrader={"grade": false, "grade_id": "helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
from tinytorch.core.activations import ReLU, Tanh, log_softmax, relu
from tinytorch.core.layers import Parameter
from tinytorch.core.tensor import concat, manual_seed, randn

# %%
import matplotlib.pyplot as plt

# %% [markdown]
# ## 1. Layers in a row
#
# ### Dense
#
# A linear layer and the bend behind it, as one brick: $\mathrm{Dense}(x) = f(x W^{\mathsf T} + b)$. `activation` is an
# object such as `ReLU()`, a function such as `relu`, or `None` for no bend.
#
# `super().forward(x)` is what `Linear` computes. Write `forward`: two or three lines.

# %% nbgrader={"grade": false, "grade_id": "dense", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Dense(Linear):
    """A linear layer and the activation behind it, if there is one."""
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
# Of 1,000 outputs with a ReLU, about how many will be 0?

# %%
layer = Dense(3, 10, ReLU())
(layer(randn(100, 3)) == 0).sum()

# %%
layer

# %% nbgrader={"grade": true, "grade_id": "dense_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Dense is the linear layer, then the activation: an object, a function, or none."""
layer, x = Dense(3, 4), randn(5, 3, generator=np.random.default_rng(0))
linear = x.data @ layer.weight.data.T + layer.bias.data
np.testing.assert_allclose(layer(x).data, linear, rtol=1e-4, atol=1e-6, err_msg="activation=None: the linear layer alone")
assert layer(x).dtype == np.float32, f"float32 in, {layer(x).dtype} out: compute with tensors"
for activation in [ReLU(), relu]:
    layer.activation = activation
    np.testing.assert_allclose(layer(x).data, np.maximum(linear, 0), rtol=1e-4, atol=1e-6, err_msg="with a ReLU behind it")
names = [name for name, _ in layer.named_parameters()]
assert names == ["weight", "bias"], f"the parameters are those of Linear: weight and bias, not {names}"

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
# The row itself. What one layer gives is what the next one gets. Given: the list, a `members` that names the parameters
# `0.weight` and not `layers.0.weight`, as PyTorch does, and what makes `len(model)`, `for layer in model`, `model[0]`
# and `model[:2]` work.
#
# Yours is `forward`. A member may be a layer, an activation, a function, or another `Sequential`: whatever can be
# called. A row with nothing in it returns `x`. Three lines.

# %% nbgrader={"grade": false, "grade_id": "sequential", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Sequential(Layer):
    """Layers in a row: each gets what the one before it gives."""
    def __init__(self, *layers): self.layers = list(layers)

    def members(self) -> list[tuple]:
        """As for every layer, but a member of the row is called by its number alone."""
        return [(name.removeprefix("layers."), member) for name, member in super().members()]

    def __len__(self) -> int: return len(self.layers)
    def __iter__(self): return iter(self.layers)
    def __getitem__(self, index):
        """The layer at a position; for a slice, a Sequential of the same layers."""
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

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
network(randn(5, 64)).shape, len(network), [name for name, _ in network.named_parameters()]

# %% [markdown]
# A row in a row. What are the names of its parameters?

# %%
nested = Sequential(network, Linear(10, 2))
[name for name, _ in nested.named_parameters()]

# %%
nested

# %% nbgrader={"grade": true, "grade_id": "sequential_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Sequential calls its members in order, whatever they are, also nested and empty."""
def double(x):
    return 2 * x

x = Tensor([1.0, -2.0])
row = Sequential(double, lambda x: x + 1, Sequential(ReLU(), double))
np.testing.assert_array_equal(row(x).data, [6, 0], err_msg="double, add 1, ReLU, double: 1 -> 2 -> 3 -> 3 -> 6")
assert Sequential()(x) is x, "a row with nothing in it gives back its input"
assert len(row) == 3 and row[0] is double, "the row has three members, the last of them a row"

# %% nbgrader={"grade": true, "grade_id": "sequential_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on layers with parameters, called twice, and on one layer that stands in two places."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

manual_seed(2)
_same = Linear(3, 3)
_row, _x = Sequential(_same, Tanh(), _same, Linear(3, 2)), randn(4, 3)
answer([_row(_x), _row(_x)], about="a layer in two places, called twice")
answer([[name for name, _ in _row.named_parameters()], len(_row)], about="the names, and the length")
### END HIDDEN TESTS

# %% [markdown]
# Later we shall want a part of a network: the first half, to look at what it sees, or all but the last layer, to put
# another on top. `network[0]` is a layer; what is `network[:-1]`, and whose parameters has it?

# %%
network[0], network[:-1]

# %%
len(network[:-1]), network[:-1].parameters()[0] is network.parameters()[0]

# %% [markdown]
# ## 2. Why depth needs bends
#
# Module 03 showed it for matrices; now with biases. Two linear layers in a row:
#
# $$W_2\,(W_1 x + b_1) + b_2 = (W_2 W_1)\, x + (W_2 b_1 + b_2)$$
#
# What stands on the right is *one* linear layer. Write `collapse`, which makes it: a `Linear` from the inputs of the
# first to the outputs of the second, with `assign` for its two parameters. Module 02's `@` takes a matrix and a vector
# too. Four lines.

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
# 2 → 500 → 500 → 2, without a bend. How many parameters has it, and how many after the collapse?

# %%
deep = Sequential(Linear(2, 500), Linear(500, 500), Linear(500, 2))
flat = collapse(collapse(deep[0], deep[1]), deep[2])
[sum(p.size for p in model.parameters()) for model in (deep, flat)]

# %% nbgrader={"grade": true, "grade_id": "collapse_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""collapse gives one layer which computes what the two did, with the right sizes, and leaves the two alone."""
manual_seed(0)
first, second, x = Linear(3, 7), Linear(7, 2), randn(20, 3)
before = second(first(x)).data
one = collapse(first, second)

assert isinstance(one, Linear), f"collapse must return a Linear, not {type(one).__name__}"
assert one.weight.shape == (2, 3), f"3 inputs, 2 outputs: weights (2, 3), not {one.weight.shape}"
np.testing.assert_allclose(one(x).data, before, rtol=1e-4, atol=1e-5, err_msg="one layer, but not the same function")
assert len(one.parameters()) == 2, "weight and bias must stay Parameters: fill them with assign"
np.testing.assert_array_equal(second(first(x)).data, before, err_msg="the two layers were changed")

# %% nbgrader={"grade": true, "grade_id": "collapse_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on three layers, two by two, and on whether the result is a layer of its own, ready to learn."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

manual_seed(4)
_a, _b, _c = Linear(2, 5), Linear(5, 4), Linear(4, 3)
_one = collapse(collapse(_a, _b), _c)
answer([_one.weight, _one.bias], about="three layers in one")
answer([type(p).__name__ for p in _one.parameters()], about="the kind of its parameters")
answer([p.origin is None for p in _one.parameters()], about="do its parameters stand for themselves?")
### END HIDDEN TESTS

# %% [markdown]
# A quarter of a million parameters, and the same function as six. Put a bend between two layers, and no `collapse`
# exists.
#
# ## 3. More bricks
#
# ### Flatten
#
# An image has height and width, a `Linear` wants one axis. `Flatten` joins all axes after the first, the batch: (n, 8,
# 8) becomes (n, 64). `reshape(n, -1)` lets NumPy find the last size, but in an empty batch it cannot: 0 times anything
# is 0. So compute the size: `math.prod` of the shape from position 1 on. One or two lines.

# %% nbgrader={"grade": false, "grade_id": "flatten", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Flatten(Layer):
    """All axes but the first joined into one."""
    def forward(self, x: Tensor) -> Tensor:
        """(n, *sizes) -> (n, product of the sizes)."""
        ### BEGIN SOLUTION
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))
        ### END SOLUTION

# %%
Flatten()(randn(32, 3, 8, 8)).shape, Flatten()(randn(5, 4)).shape

# %% nbgrader={"grade": true, "grade_id": "flatten_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Flatten keeps the batch and the order of the numbers, copies nothing, and works on an empty batch."""
x = Parameter(randn(2, 3, 4, 5))
second = x.data[1].ravel().copy()
y = Flatten()(x)

assert y.shape == (2, 60), f"(2, 3, 4, 5) -> (2, 60), not {y.shape}"
np.testing.assert_array_equal(y.data[1], second, err_msg="the numbers of the second image, in their order")
assert np.shares_memory(x.data, y.data), "a view suffices, this is a copy"
assert y.requires_grad, "the result does not remember x: reshape the tensor, not its .data"
assert Flatten()(randn(0, 3, 4)).shape == (0, 12), "an empty batch of (3, 4) -> (0, 12)"

# %% nbgrader={"grade": true, "grade_id": "flatten_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a flat batch, on images without pixels, and on what the result remembers."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer([Flatten()(randn(s)).shape for s in [(3, 4), (2, 0, 5), (1, 1, 1, 1), (5, 2, 3)]], about="four shapes")
answer(Flatten()(Parameter(np.ones((2, 2, 2)))).requires_grad, about="does the result remember?")
### END HIDDEN TESTS

# %% [markdown]
# ### Dropout
#
# A network with many parameters can learn its examples by heart, by units that only make sense together. Dropout
# (Srivastava and others 2014) lets none rely on another: while it learns, each number becomes 0 with probability $p$,
# at random, and anew at each call.
#
# But then a sum over 100 units is smaller by the factor $1 - p$ while learning than at work. So what remains is scaled
# up at once, called *inverted* dropout:
#
# $$y_i = \frac{k_i}{1 - p}\, x_i, \qquad k_i = \begin{cases} 1 & \text{with probability } 1 - p \\ 0 & \text{else} \end{cases}$$
#
# The mean stays, and at work there is nothing to do.

# %% [markdown]
# Write `forward`:
#
# - not `self.training`: return `x` itself;
# - else draw one number from 0 to 1 for each of `x`, as float32: `self.generator.random(x.shape, np.float32)`. At least
#   `p`: it stays;
# - multiply `x` by a tensor of zeros and of $1/(1-p)$, so that the result remembers. (A `bool` array divided by a
#   Python float becomes float64: mind the dtype. `Tensor(array)` makes float32 of floats.)
#
# Four lines.

# %% nbgrader={"grade": false, "grade_id": "dropout", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Dropout(Layer):
    """While learning, each number is 0 with probability p and else scaled up by 1 / (1 - p); at work, nothing happens."""
    def __init__(self, p: float = 0.5, generator=default_generator):
        if not 0 <= p < 1:
            raise ValueError(f"p is a probability below 1, not {p}")
        self.p, self.generator = p, generator

    def forward(self, x: Tensor) -> Tensor:
        """k x / (1 - p), with k drawn for each number: (*shape) -> (*shape)."""
        ### BEGIN SOLUTION
        if not self.training:
            return x
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

# %% nbgrader={"grade": true, "grade_id": "dropout_check", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
"""Dropout zeroes about p of the numbers, scales the others so that the mean stays, anew at each call, and rests at work."""
x = Parameter(np.full((200, 500), 3.0))
dropout = Dropout(0.25, np.random.default_rng(0))
y, below = dropout(x), np.random.default_rng(0).random(x.shape, np.float32) < 0.25

np.testing.assert_allclose(np.unique(y.data), [0, 4], rtol=1e-6, err_msg="3 becomes 0, or 3 / 0.75 = 4")
np.testing.assert_array_equal(y.data == 0, below, err_msg="a number becomes 0 where its draw is below p, and only there")
assert y.dtype == np.float32 and y.requires_grad, f"float32 in, {y.dtype} out; does the result remember x? {y.requires_grad}"
assert (dropout(x).data != y.data).any(), "the second call must draw anew"
assert dropout.eval()(x) is x and (x.data == 3).all(), "at work, Dropout gives back x itself, as it is; and x never changes"

# %% nbgrader={"grade": true, "grade_id": "dropout_hidden", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Graded again on negative numbers in three axes, with p = 0, on draws that are p, on the zeros of a row and a column, and on what it remembers."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = randn(3, 4, 50, generator=np.random.default_rng(1))
_ratio = Dropout(0.5, np.random.default_rng(2))(_x).data / _x.data
answer(np.unique(np.round(_ratio, 4)), about="what the numbers are multiplied by")
answer([bool((_ratio.reshape(12, 50).min(a) != _ratio.reshape(12, 50).max(a)).any()) for a in (0, 1)], about="do rows and columns differ?")
answer(Dropout(0.0)(_x), about="p = 0")
class _Fixed:
    def random(self, size=None, dtype=float):
        return np.full(size, 0.5, dtype)
answer(Dropout(0.5, _Fixed())(_x), about="each draw is p itself, and so not below it")
answer(Dropout(0.5)(Parameter(_x)).requires_grad, about="does the result remember?")
_frozen, _g = np.random.default_rng(3), np.random.default_rng(3)
Dropout(0.5, _frozen).eval()(_x)
answer(bool(_frozen.random() == _g.random()), about="at work, nothing is drawn")
### END HIDDEN TESTS

# %% [markdown]
# ### The multi-layer perceptron
#
# The oldest deep network: dense layers, a bend behind each *but the last*, whose outputs are scores and may be of any
# sign and size. `MLP([64, 32, 16, 10], ReLU())` has three layers: from 64 to 32, from 32 to 16, from 16 to 10.
#
# It is a `Sequential`. So make the list of layers and hand it to `super().__init__(*layers)`. `pairwise([5, 4, 3])`
# gives (5, 4), then (4, 3). Three or four lines.

# %% nbgrader={"grade": false, "grade_id": "mlp", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class MLP(Sequential):
    """Dense layers from each size to the next, with the activation behind all but the last."""
    def __init__(self, sizes, activation):
        ### BEGIN SOLUTION
        layers = [Dense(m, n, activation) for m, n in pairwise(sizes)]
        layers[-1].activation = None
        super().__init__(*layers)
        ### END SOLUTION

# %%
MLP([64, 32, 16, 10], ReLU())

# %% nbgrader={"grade": true, "grade_id": "mlp_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""MLP has one dense layer from each size to the next, the activation behind all but the last, and computes them in order."""
mlp = MLP([5, 2, 3, 2], ReLU())
sizes = [(layer.in_features, layer.out_features) for layer in mlp]
assert sizes == [(5, 2), (2, 3), (3, 2)], f"three layers, from 5 to 2 to 3 to 2, not {sizes}"
assert [type(layer) for layer in mlp] == [Dense] * 3, "each of them a Dense"
bends = [repr(layer.activation) for layer in mlp]
assert bends == ["ReLU()", "ReLU()", "None"], f"a ReLU behind all but the last, not {bends}"
x = randn(6, 5)
np.testing.assert_array_equal(mlp(x).data, mlp[2](mlp[1](mlp[0](x))).data, err_msg="the layers in order")

# %% nbgrader={"grade": true, "grade_id": "mlp_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on two sizes, which make one layer without a bend, on a tuple, on the names of parameters, and on the list, which stays."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_one, _two, _rng = MLP([3, 2], Tanh()), MLP((4, 3, 2), Tanh()), np.random.default_rng(6)
for _p in (*_one.parameters(), *_two.parameters()):
    _p.assign(_rng.standard_normal(_p.shape))
answer([len(_one), _one[0].activation is None, _one(randn(5, 3, generator=_rng))], about="two sizes")
answer([[name for name, _ in _two.named_parameters()], _two(randn(5, 4, generator=_rng))], about="three sizes, in a tuple")
answer(isinstance(_two, Sequential), about="is it a Sequential?")
_sizes = [4, 3, 2]
MLP(_sizes, Tanh())
answer(_sizes, about="the sizes afterwards")
### END HIDDEN TESTS

# %% [markdown]
# ## Use: two moons
#
# 200 points on two half circles, one in the arms of the other, with noise. No straight line parts them. (The points are
# made, not measured: they are a drawing board, and we shall meet them again in modules 09 and 11.)

# %% nbgrader={"grade": false, "grade_id": "two_moons", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def two_moons(n: int, noise: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """n points (n, 2) on two half circles, with normal noise, and which of the two each is on: (n,) of 0 and 1."""
    rng = np.random.default_rng(seed)
    angle, label = np.pi * rng.random(n), np.arange(n) % 2
    x = np.where(label, 1 - np.cos(angle), np.cos(angle))
    y = np.where(label, 0.5 - np.sin(angle), np.sin(angle))
    return Tensor(np.stack([x, y], axis=1) + noise * rng.standard_normal((n, 2))), Tensor(label)

# %%
x, y = two_moons(200)
x.shape, y[:6]

# %%
plt.scatter(*x.data.T, c=y.data, cmap="coolwarm")
plt.gca().set_aspect("equal")

# %% [markdown]
# A network with two scores a point. How wrong it is, one number tells, as in module 03: the mean log-probability of the
# right moon, with a minus. It is called the *loss*. What will it be for a network that knows nothing and says half and
# half?

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
# Nobody has told us yet in which direction to change a weight. So change all of them a little, at random: if the loss
# becomes smaller, keep the change, else undo it. Write `search`, which makes `steps` such trials:
#
# - add to each array of `model.state_dict()` `scale` times normal numbers of its shape from the generator,
#   `generator.standard_normal(shape)`;
# - load the sums, and compute the loss. Not smaller than the last one kept: load the old state again.
#
# It returns a list: the loss at the start, and after each trial the loss of what is kept. About nine lines.

# %% nbgrader={"grade": false, "grade_id": "search", "locked": false, "schema_version": 3, "solution": true, "task": false}
def search(model: Layer, loss, steps: int, scale: float, generator) -> list[float]:
    """`steps` random changes of the model's parameters, each kept if it lowers loss(model); the losses, steps + 1 of them."""
    losses = [loss(model)]
    ### BEGIN SOLUTION
    for _ in range(steps):
        old = model.state_dict()
        model.load_state_dict({name: a + scale * generator.standard_normal(a.shape) for name, a in old.items()})
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
print(f"{np.mean(np.diff(losses) < 0):.1%} of the steps helped; loss {losses[-1]:.3f}, accuracy {accuracy(model):.1%}")
assert accuracy(model) > 0.95

# %% nbgrader={"grade": true, "grade_id": "search_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""search never gets worse, ends with the parameters of its last loss, and finds the way down a bowl."""
def bowl(model):
    return sum(float((p.data**2).sum()) for p in model.parameters()) + 1

manual_seed(1)
small = Linear(2, 2)
small.weight.assign([[1, -1], [2, 0]])
losses = search(small, bowl, 400, 0.1, np.random.default_rng(0))
assert len(losses) == 401, f"the start and 400 trials: 401 losses, not {len(losses)}"
assert all(b <= a for a, b in pairwise(losses)), "a loss in the list is larger than the one before it"
assert abs(bowl(small) - losses[-1]) < 1e-5, f"the last loss is {losses[-1]:.4f}, the model's is {bowl(small):.4f}: was a bad step undone?"
assert search(small, lambda model: 1.0, 3, 0.1, np.random.default_rng(0)) == [1.0] * 4, "where each trial is as good, the loss stays"
assert losses[-1] < 1.1, f"400 trials from {losses[0]:.2f} should lead below 1.1, not to {losses[-1]:.2f}"

# %% nbgrader={"grade": true, "grade_id": "search_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a loss that rewards every step, on one that punishes every step, on one that never changes, and on how far one step goes."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

def _counting(by):
    _calls = []
    def _loss(model):
        _calls.append(1)
        return float(by * len(_calls))
    return _loss

manual_seed(7)
_layer = Linear(40, 50)
_start = _layer.state_dict()
answer(search(_layer, _counting(1.0), 3, 0.5, np.random.default_rng(1)), about="each trial is worse")
answer(all((_start[n] == a).all() for n, a in _layer.state_dict().items()), about="is everything undone?")
answer([search(_layer, lambda model: 2.0, 3, 0.5, np.random.default_rng(2)), bool((_start["weight"] == _layer.weight.data).all())], about="no trial is smaller")
answer(search(_layer, _counting(-1.0), 3, 0.5, np.random.default_rng(1)), about="each trial is better")
answer(float((_layer.weight.data - _start["weight"]).std()), about="three steps of 0.5, at random", rtol=0.1)
### END HIDDEN TESTS

# %% [markdown]
# What has it drawn? Its answer at every point of the plane: the decision regions. Beside it, two networks found by the
# same search: one whose layers have no bend, and one with many more. Draw on paper first: where will the border of the
# one without bends run?

# %%
def regions(model, ax):
    """The model's probability of the second moon over the plane, the border where it is one half, and the points."""
    side = np.linspace(-2, 3, 120)
    grid = np.stack(np.meshgrid(side, side), axis=-1)               # (120, 120, 2)
    p = log_softmax(model(Tensor(grid)), dim=-1).exp().data[..., 1]
    ax.pcolormesh(side, side, p, cmap="coolwarm", vmin=-0.3, vmax=1.3)
    ax.contour(side, side, p, [0.5], colors="black")
    ax.scatter(*x.data.T, c=y.data, cmap="coolwarm", edgecolors="white", s=15)

# %%
models = {"no bend": Sequential(Linear(2, 16), Linear(16, 16), Linear(16, 2)), "one bend": model, "two bends": MLP([2, 16, 16, 2], Tanh())}
for name in ["no bend", "two bends"]:
    search(models[name], loss, 3000, 0.05, np.random.default_rng(1))

# %%
figure, axes = plt.subplots(1, 3, figsize=(11, 3.7), sharey=True, layout="constrained")
for ax, (name, m) in zip(axes, models.items(), strict=True):
    regions(m, ax)
    ax.set(title=f"{name}: {accuracy(m):.1%}", aspect="equal", ylim=(-1.5, 2))

# %% [markdown]
# With 354 parameters and no bend the border is straight: the network is one layer in disguise. ReLU makes a border of
# straight pieces, tanh a smooth one.

# %%
assert accuracy(models["no bend"]) < 0.92 < accuracy(models["two bends"])
flat = collapse(collapse(models["no bend"][0], models["no bend"][1]), models["no bend"][2])
accuracy(flat), sum(p.size for p in flat.parameters())

# %% [markdown]
# ### And on digits?
#
# The same search on real digits, from 64 pixels by way of 32 units to 10 scores: 2,410 parameters. It looks at 500
# images; the other 1,297 are the test. What share of 1,000 steps will help, and how many digits will it read? (Module
# 02's nearest mean reads 89 %, without any search.)

# %%
from tinytorch.datasets import load_digits

images, labels = load_digits()
pixels, digits = Tensor(images.reshape(-1, 64) / 16), Tensor(labels)
x, y = pixels[:500], digits[:500]

# %%
manual_seed(0)
reader = MLP([64, 32, 10], ReLU())
losses = search(reader, loss, 1000, 0.02, np.random.default_rng(0))
correct = (reader(pixels[500:]).argmax(1) == digits[500:]).data.mean()
print(f"{np.mean(np.diff(losses) < 0):.1%} of the steps helped; loss {losses[0]:.2f} -> {losses[-1]:.2f}, {correct:.1%} correct")

# %% [markdown]
# Many steps helped, for they were small, and each helped little; a step of 0.1 would hardly ever help here. Among 2,410
# directions one leads straight down, and a random one is nearly level. The larger the network, the smaller the steps
# must be, and the more of them. Module 09 computes the direction.

# %%
plt.plot(losses)
plt.gca().set(xlabel="trial", ylabel="loss on the digits");

# %% [markdown]
# ## Systems: what does a network cost?
#
# Three numbers say it. **Parameters** are what must be stored and learned. **FLOPs** are what a forward pass computes.
# **Activation bytes** are what it leaves in memory for the backward pass. The first can be counted from the layers; the
# other two depend on what really runs. So we let it run, and ask the recipe of the result (module 02): every op, with
# what went in and what came out.

# %% [markdown]
# ### FLOPs of an op
#
# - A `MatMul` of (…, n, k) and (…, k, m): $2k$ for each number of the result.
# - The ops that only move numbers, `Reshape`, `Permute`, `Expand`, `Index`, `Concat`, `Cast`: none.
# - All others: one for each number of the largest array that goes in or comes out. So an addition counts its results, a
#   sum its summands.
# - A sigmoid makes 7 passes over its numbers and a softmax 5. The table has them.

# %% [markdown]
# An op may know better, as `LinearOp` does: if it has a method `flops(y, *xs)`, that method decides. Write `op_flops`
# with `y`, the array that came out, and `xs`, those which went in. Five lines; the table gives the factor of an op's
# type, and `_PASSES.get(type(op), 1)` is 1 where it has none.

# %% nbgrader={"grade": false, "grade_id": "op_flops", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
_PASSES = {SigmoidOp: 7, SoftmaxOp: 5, LogSoftmaxOp: 5} | dict.fromkeys((Reshape, Permute, Expand, Index, Concat, Cast), 0)
def op_flops(op: Op, y: np.ndarray, *xs: np.ndarray) -> int:
    """Floating-point operations for y = op(xs). An op whose count is its own secret has a method flops(y, *xs)."""
    ### BEGIN SOLUTION
    if hasattr(op, "flops"):
        return op.flops(y, *xs)
    if isinstance(op, MatMul):
        return 2 * y.size * xs[0].shape[-1]
    return _PASSES.get(type(op), 1) * max(a.size for a in (y, *xs))
    ### END SOLUTION

# %% [markdown]
# Which ops does $x W^{\mathsf T} + b$ run on 5 rows, for `Linear(3, 4)`, and what does each cost? And the layer's one op?

# %%
def costs(y):
    return [(type(t.origin[0]).__name__, op_flops(t.origin[0], t.data, *[x.data for x in t.origin[1]])) for t in recipe(y) if t.origin]

layer, x = Linear(3, 4), randn(5, 3)
costs(x @ layer.weight.T + layer.bias), costs(layer(x))

# %% nbgrader={"grade": true, "grade_id": "op_flops_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""op_flops counts products by their inner size, moves as nothing, the rest by the largest array, and lets an op say it itself."""
class Secret(Op):
    def flops(self, y, *xs):
        return 1000 * y.size + len(xs)

def flops_of(y):
    return op_flops(y.origin[0], y.data, *[x.data for x in y.origin[1]])

a, b = Parameter(np.ones((5, 3))), Parameter(np.ones((6, 3, 4)))
found = flops_of(a.reshape(1, 5, 3) @ b)
assert found == 720, f"(1, 5, 3) @ (6, 3, 4) makes 6 · 5 · 4 numbers, each for 2 · 3 FLOPs: 720, not {found}"
assert flops_of(a.T) == 0, "a transposed view computes nothing"
assert flops_of(a.sum(0)) == 15, f"a sum over (5, 3) has 15 summands, not {flops_of(a.sum(0))}"
assert flops_of(a.sum(1, keepdims=True) + a.sum(0)) == 15, "an addition of (5, 1) and (3,) counts its 15 results"
assert op_flops(Secret(), a.data, b.data) == 15_001, "an op that has a method flops(y, *xs) says it itself"

# %% nbgrader={"grade": true, "grade_id": "op_flops_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a batch of products, on a softmax, on every op that moves numbers, on a column plus a row, and on whether the arrays stay."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

def _count(y):
    return [[type(t.origin[0]).__name__, int(op_flops(t.origin[0], t.data, *[i.data for i in t.origin[1]]))] for t in recipe(y) if t.origin]

_a, _b = Parameter(np.ones((2, 1, 3, 5))), Parameter(np.ones((4, 5, 6)))
answer(_count(_a @ _b), about="two times four products")
answer(_count(_b.transpose(1, 2) @ _b), about="four products")
answer(_count(log_softmax(_b, dim=0)), about="a log-softmax")
answer(_count(concat([_b.permute(1, 0, 2).reshape(20, 6), _b[0]])), about="moves")
answer(_count(Parameter(np.ones((7, 1))) + Parameter(np.ones(3))), about="a column plus a row")
answer(_count(_b.max(1).exp()), about="a maximum, then exp")
_arrays = [np.ones((2, 2)) for _ in range(3)]
for _op in (MatMul(), ReLU()(_a).origin[0], Secret()):
    op_flops(_op, *_arrays)
answer(_arrays, about="the arrays, after they were counted")
### END HIDDEN TESTS

# %% [markdown]
# ### Bytes that remain
#
# An op's arrays stay in memory as long as the recipe remembers it: what went in, what came out, what it saved. But a
# view has no memory of its own. It names the array whose memory it looks at as its `base`, which may be a view again;
# the owner's `base` is `None`. `_owner` goes there. And the same array is often seen twice, as the result of one op and
# the input of the next.
#
# Write `new_bytes`: go from each array to its owner; if the owner's `id` is not in `seen`, add its `nbytes` and note
# it: `seen[id(owner)] = owner`. Five lines.

# %% nbgrader={"grade": false, "grade_id": "new_bytes", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _owner(array: np.ndarray) -> np.ndarray:
    """The array in whose memory this one lies: the last along the chain of bases."""
    owner, base = array, array.base
    while base is not None:
        owner, base = base if isinstance(base, np.ndarray) else owner, getattr(base, "base", None)
    return owner

def new_bytes(arrays, seen: dict) -> int:
    """Bytes of the memory behind the arrays, without what is in `seen`, where their owners are put: id -> array."""
    total = 0
    ### BEGIN SOLUTION
    for array in arrays:
        owner = _owner(array)
        if id(owner) not in seen:
            seen[id(owner)] = owner
            total += owner.nbytes
    ### END SOLUTION
    return total

# %%
a = np.ones((10, 10), np.float32)
new_bytes([a, a.T, a[2:], np.broadcast_to(a, (1000, 10, 10))], {})

# %% nbgrader={"grade": true, "grade_id": "new_bytes_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""new_bytes counts memory once, at its full size, whoever looks at it."""
a, b, seen = np.ones((10, 10), np.float32), np.ones(6), {}
found = new_bytes([a[3:5]], seen)
assert found == 400, f"a view of 2 rows keeps all 400 bytes of its owner alive, not {found}"
found = new_bytes([a, a.T, b, b], seen)
assert found == 48, f"a was seen before, b counts once: 48 bytes, not {found}"
assert new_bytes([a.reshape(100), b[::2]], seen) == 0, "both were seen before"
assert id(b) in seen and seen[id(b)] is b, "seen maps the id of an owner to the owner"

# %% nbgrader={"grade": true, "grade_id": "new_bytes_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on views of views, on a broadcast array, on nothing, on equal arrays that are not the same, and on the list, which stays."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_a, _seen = np.zeros((4, 6)), {}
answer(int(new_bytes([_a.T[1:].reshape(2, -1, copy=None)[::-1], _a[1][2:]], _seen)), about="views of views")
answer(int(new_bytes([np.broadcast_to(np.zeros(3), (1000, 3))], _seen)), about="a broadcast array")
answer([int(new_bytes([], _seen)), len(_seen)], about="nothing")
_list = [np.ones(5), np.ones(5)]
answer([int(new_bytes(_list, _seen)), len(_list)], about="equal, but two; and the list afterwards")
### END HIDDEN TESTS

# %% [markdown]
# ### The summary
#
# Now the table. It copies the model, lets every layer and activation of the copy report what happened between its start
# and its end, and sends zeros of the given shape through. An op belongs to the innermost layer in which it ran.

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
        self.parameters, self.flops = sum(r.parameters for r in rows), sum(r.flops for r in rows)
        self.activation_bytes = sum(r.activation_bytes for r in rows)
    def __repr__(self) -> str:
        table = [("layer", "", "output", "parameters", "forward", "activations")]
        for r in (*self.rows, SummaryRow("total", "", self.parameters, "", self.flops, self.activation_bytes)):
            costs = f"{r.parameters:,}", readable(r.flops, "FLOP"), readable(r.activation_bytes, "B")
            table.append((r.name, r.kind, str(r.output_shape), *costs))
        columns = [max(map(len, column)) for column in zip(*table, strict=True)]
        cells = [[f"{t:{side}{n}}" for t, side, n in zip(line, "<<<>>>", columns, strict=True)] for line in table]
        return "\n".join(map("  ".join, cells))

# %% nbgrader={"grade": false, "grade_id": "meter", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _tensors(values) -> list[Tensor]: return [x for x in values if isinstance(x, Tensor)]

class _Meter:
    """Stands in for the `forward` of every layer of a model, and notes in which of them each result came about."""
    def __init__(self, model: Layer):
        self.rows, self.home, self.path, self.known = [], {}, [([], "")], set()
        for layer in [model, *(member for _, member in model.named_members())]:
            if hasattr(layer, "forward"):
                layer.forward = partial(self.call, layer, layer.forward)
    def call(self, layer, forward, *inputs, **options):
        """forward(*inputs), and a row for it, before the rows of the layers that it calls."""
        siblings, above = self.path[-1]
        members = layer.members() if isinstance(layer, Layer) else []
        name = ".".join(filter(None, [above] + [name for name, member in siblings if member is layer][:1]))
        own = set(_tensors(member for _, member in members)) - self.known
        row = SummaryRow(name, type(layer).__name__, sum(parameter.size for parameter in own))
        self.rows.append(row)
        self.path.append((members, name))
        y = forward(*inputs, **options)
        self.path.pop()
        results = _tensors(y if isinstance(y, tuple) else [y])
        made = {t for t in recipe(*results) if t.origin}.difference(recipe(*_tensors(inputs)), self.home)
        self.home |= dict.fromkeys(made, row)
        self.known |= own
        row.output_shape = results[0].shape
        if not made and not own and any(hasattr(member, "forward") for _, member in members):
            self.rows.remove(row)  # a mere container
        return y

# %% [markdown]
# When the model has run, the recipe of its result is read once, inputs first: so memory counts where it was first
# filled. Lone numbers (arrays without axes) are left out.

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def summary(model: Layer, input_shape) -> Summary:
    """What each layer costs for an input of that shape, or for an example (a tensor); counted while a copy of the model runs."""
    x = input_shape if isinstance(input_shape, Tensor) else Tensor(np.zeros(input_shape))
    x = Tensor(x.data, requires_grad=x.dtype.kind == "f")
    model, seen, recording = copy.deepcopy(model), {}, Op.recording  # a copy: modes and generators stay as they are
    members = [model, *(member for _, member in model.named_members())]
    held = [x, *members, *(value for layer in members if hasattr(layer, "forward") for value in vars(layer).values())]
    new_bytes([np.asarray(a) for a in held if isinstance(a, (Tensor, np.ndarray))], seen)  # not made by the forward pass
    meter, Op.recording = _Meter(model), True
    try:
        y = model(x)
    finally:
        Op.recording = recording
    for t in filter(meter.home.get, recipe(*_tensors(y if isinstance(y, tuple) else [y]))):
        row, op, xs = meter.home[t], t.origin[0], [x.data for x in t.origin[1]]
        row.flops += op_flops(op, t.data, *xs)
        arrays = [a for a in (t.data, *xs, *op.saved, *op.parameters) if isinstance(a, np.ndarray) and a.ndim]
        row.activation_bytes += new_bytes(arrays, seen)
    return Summary(meter.rows)

# %% [markdown]
# The network that module 11 trains on CIFAR-10, for a batch of 128 images. Before you look: in which layer are most of
# the parameters, and most of the FLOPs?

# %%
model = MLP([3072, 512, 256, 10], ReLU())
summary(model, (128, 3072))

# %% [markdown]
# By hand: a dense layer from $m$ to $n$ has $mn + n$ parameters; on $N$ rows its product takes $2Nmn$ FLOPs and its
# bias $Nn$. It leaves one array of $N \times n$ numbers, the product with the bias in it; the bend behind it leaves a
# second.

# %%
N, sizes, cost = 128, [(3072, 512), (512, 256), (256, 10)], summary(model, (128, 3072))
assert cost.parameters == sum(m * n + n for m, n in sizes)
assert cost.flops == sum(2 * N * m * n + N * n for m, n in sizes) + N * (512 + 256)
assert cost.activation_bytes == 4 * N * (2 * 512 + 2 * 256 + 10)

# %% [markdown]
# Nested rows, a `Flatten` and a `Dropout`. Which lines change when the network goes to work?

# %%
net = Sequential(Flatten(), Sequential(Linear(64, 32), ReLU(), Dropout(0.5)), Linear(32, 10))
summary(net, (100, 8, 8))

# %%
summary(net.eval(), (100, 8, 8))

# %% [markdown]
# ### Against the batch size
#
# Which of the columns grow with the batch, and how? The last but one is not from the summary: `peak_memory` of module
# 01 watches Python's allocator while the model runs. Predict how it will compare with the activation bytes, and what
# the rate of the last column does.

# %%
from tinytorch.core.setup import peak_memory, time_call

print(f"{'batch':>6} {'parameters':>11} {'forward':>13} {'activations':>12} {'measured':>9} {'GFLOP/s':>8}")
for n in (1, 4, 16, 64, 256, 1024):
    cost, x = summary(model, (n, 3072)), randn(n, 3072)
    measured, seconds = peak_memory(model, x), time_call(model, x, repeat=3).min
    print(f"{n:>6} {readable(4 * cost.parameters, 'B'):>11} {readable(cost.flops, 'FLOP'):>13} "
          f"{readable(cost.activation_bytes, 'B'):>12} {readable(measured, 'B'):>9} {cost.flops / seconds / 1e9:8.1f}")
assert 0.95 < measured / cost.activation_bytes < 1.1

# %% [markdown]
# Parameters are there once, whatever the batch; FLOPs and activations go with it. At batch 1 all 6.8 MB of weights are
# read for two FLOPs each: reading them sets the rate. A larger batch uses each weight many times while it is in the
# cache. That is why we learn, and serve, in batches.

# %% [markdown]
# ### Reflect: how many images fit?
#
# From your table: at which batch size do the activations of this network take as many bytes as its parameters? And how
# large a batch would fill 80 GB with activations? Derive both from the activation bytes of *one* image, and check the
# first with one more `summary`. At most four sentences, with the numbers.

# %% [markdown] nbgrader={"grade": true, "grade_id": "batch_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# One image leaves 4 · (2 · 512 + 2 · 256 + 10) = 6,184 bytes. The parameters take 4 · 1,707,274 = 6.83 MB, so they are
# equal at 6.83 MB / 6,184 B = 1,104 images; summary(model, (1104, 3072)) says 6.83 MB. 80 GB hold 80e9 / 6,184 = 12.9
# million images.
#
# Rubric: 2 points for the bytes of one image (from the table's line 1 or by hand), 2 for the batch of about 1,104, 2 for
# about 12.9 million, 1 for the check with its number.

# %% [markdown]
# ### Reflect: always a waste?
#
# "Two linear layers without a bend between them are always a waste: collapse them." Look at `Sequential(Linear(1000,
# 10), Linear(10, 1000))`, and at the one layer from 1000 to 1000 that computes the same. Compare their parameters and
# their FLOPs for one row. Then say what the one layer can compute that the two cannot. At most four sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "rank_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The two have 1000 · 10 + 10 + 10 · 1000 + 1000 = 21,010 parameters and take about 40,000 FLOPs a row; the one has
# 1,001,000 and takes 2 million. So here the collapse costs fifty times more. But the product of the two matrices has
# rank 10 at most: all that passes goes through ten numbers. The one layer can have any matrix of rank up to 1000, for
# example the identity, which the two cannot.
#
# Rubric: 2 points for both numbers of parameters, 2 for both FLOPs (about 40,000 and 2,000,000), 3 for the limited rank
# with an example or the reason (1 if only "less expressive").

# %% [markdown]
# ### Reflect: what Dropout adds
#
# 100 units are all 1, and the next layer adds them up. With dropout $p$ the sum has mean 100. Which standard deviation
# has it, for $p = 0.5$ and for $p = 0.9$? Derive it from the variance of one unit, which is 0 with probability $p$ and
# $1/(1-p)$ else. Then run the cell. For which $p$ is the standard deviation a fifth of the mean? At most four
# sentences.

# %%
for p in (0.5, 0.9):
    sums = Dropout(p, np.random.default_rng(0))(Tensor(np.ones((10_000, 100)))).sum(1)
    print(f"p = {p}: mean {sums.mean().item():.1f}, standard deviation {sums.data.std():.2f}")

# %% [markdown] nbgrader={"grade": true, "grade_id": "dropout_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# One unit has the mean square (1-p) / (1-p)² = 1/(1-p) and mean 1, so the variance p/(1-p): 1 for p = 0.5, 9 for p =
# 0.9. A hundred independent units: 100 times that, so standard deviations of 10 and 30, as measured. A fifth of the
# mean is 20: 100 p/(1-p) = 400, p = 0.8.
#
# Rubric: 2 points for the variance p/(1-p) of one unit, 2 for 10 and 30, 2 for p = 0.8.

# %% [markdown]
# ## Summary
#
# Networks are built from bricks: `Dense`, `Flatten`, `Dropout`, whatever can be called, in a `Sequential` that can be
# nested, cut and looked into; `MLP` is the first of them. `summary` tells parameters, FLOPs and activation bytes of any
# model, by letting it run. Blind search has found networks that part two moons, but digits it learns badly and slowly:
# module 09 brings the direction. Before that come bricks for images (06), for sequences (07), and the data (08).
