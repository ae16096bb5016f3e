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
#     title: Training
#     part: Training
#     hours: 5
#     goals:
#     - derive a loss from a likelihood, and compute it from logits so that nothing overflows
#     - find what is wrong with a training loop from what it does
#     - write a step that accumulates gradients over several batches as if they were one
#     - stop a run, kill it or lose its machine, and go on as if nothing had happened, to the last bit
#     - say where the time of a step goes, and what accumulation saves
# ---

# %% [markdown]
# # Training
#
# > Losses that do not overflow, metrics, and a trainer whose runs can be stopped, killed and resumed, to the last bit.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(11)

# %% [markdown]
# ## Why
#
# All parts are there: data, layers, gradients, optimizers. A loop over batches puts them together, and the loss is what the book says,
# $-\log$ of the probability given to the right class. Here is such a loop, on two half moons (points made by module 05's `two_moons`:
# synthetic, a toy). The learning rate is too high. What will the last losses be?

# %%
import matplotlib.pyplot as plt
import numpy as np

from tinytorch.core.activations import relu, softmax
from tinytorch.core.dense import MLP, Dropout, Flatten, Sequential, two_moons
from tinytorch.core.optimizers import SGD
from tinytorch.core.tensor import manual_seed

# %%
manual_seed(0)
x, y = two_moons(200)
model = MLP([2, 64, 2], relu)
optimizer = SGD(model.parameters(), lr=6.0)

# %%
for step in range(8):
    p = softmax(model(x), 1)
    loss = -p[np.arange(200), y.data].log().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}  loss {loss.item():.4g}")

# %% [markdown]
# One step too far, and a probability was rounded to 0. Its logarithm is $-\infty$, the gradients are nan, so all weights are nan, for ever.
# What the loop had learned until then is lost, since nobody had saved it. NumPy warned; no error was raised. In this module the loss is
# mended first, and then the loop, until it keeps what it learns.

# %%
#| default_exp core.training

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np

from tinytorch.core.activations import SigmoidOp
from tinytorch.core.autograd import gradient, no_grad
from tinytorch.core.dataloader import DataLoader
from tinytorch.core.layers import Layer
from tinytorch.core.optimizers import Optimizer, clip_grad_norm
from tinytorch.core.tensor import Op, Tensor, apply, default_generator

# %% [markdown]
# What the cells below use from the modules before, and will not be part of the package's file:

# %% nbgrader={"grade": false, "grade_id": "pieces", "locked": true, "schema_version": 3, "solution": false, "task": false}
from inspect import isgeneratorfunction
from itertools import pairwise
from tempfile import TemporaryDirectory
from unittest.mock import patch

from tinytorch.core.activations import relu, sigmoid, softmax, tanh
from tinytorch.core.autograd import RULES, grad_enabled, gradcheck
from tinytorch.core.dataloader import (
    CIFAR10, Compose, Digits, ImageDataset, Normalize, RandomCrop, RandomHorizontalFlip, TensorDataset, channel_statistics, random_split,
)
from tinytorch.core.dense import MLP, Dense, Dropout, Flatten, Sequential, two_moons
from tinytorch.core.layers import Linear
from tinytorch.core.optimizers import SGD, Adam, AdamW, OneCycleLR
from tinytorch.core.setup import peak_memory, readable
from tinytorch.core.spatial import Conv2d, MaxPool2d
from tinytorch.core.tensor import manual_seed

# %% [markdown]
# ## 1. Losses
#
# Where does a loss come from? A network with weights $w$ says how *likely* it holds each possible target. The best weights make likely what
# was observed. Observations are independent, so their likelihoods multiply; the logarithm makes a sum of it; we minimise, so the sign
# turns; the mean does not grow with the batch:
#
# $$L(w) = -\frac{1}{n} \sum_i \log p_w(t_i \mid x_i)$$
#
# All losses of this module are this formula.
#
# ### Numbers
#
# Let the target be the prediction plus normal noise of a fixed spread. Then $-\log p = (y - t)^2 / 2\sigma^2$ and a constant, so the best
# weights are those with the smallest **mean squared error**, $\frac{1}{n} \sum (y_i - t_i)^2$. That is a difference and a mean. What could
# go wrong?

# %%
prediction, target = Tensor(np.arange(4.0).reshape(4, 1)), Tensor(np.arange(4.0))
((prediction - target) ** 2).mean()

# %% [markdown]
# Four perfect predictions, and a loss of 2.5. A network returns a column (4, 1), the targets are (4,), and broadcasting made a table of all
# 16 differences. Write `mse_loss`, and refuse what does not fit with a `ValueError` that names both shapes. The target may be an array or a number.
# About four lines.

# %% nbgrader={"grade": false, "grade_id": "mse_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def mse_loss(prediction: Tensor, target) -> Tensor:
    """The mean of (prediction - target)²; a ValueError if their shapes differ."""
    ### BEGIN SOLUTION
    if prediction.shape != np.shape(target):
        raise ValueError(f"predictions of shape {prediction.shape} need targets of the same shape, not {np.shape(target)}")
    d = prediction - target
    return (d * d).mean()
    ### END SOLUTION

# %% [markdown]
# Differences of 1 and 2. Which loss?

# %%
mse_loss(Tensor([1.0, 4.0]), Tensor([2.0, 2.0]))

# %% nbgrader={"grade": true, "grade_id": "mse_loss_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""The loss is a tensor with one number, its gradient 2 (y - t) / n, and shapes that broadcast are refused."""
prediction, target = Tensor([[1.0, 4.0, -2.0]], requires_grad=True), np.array([[0.0, 6.0, -1.0]])
loss = mse_loss(prediction, target)
assert isinstance(loss, Tensor) and loss.shape == (), f"a tensor with one number, not {loss!r}"
assert loss.dtype == np.float32, f"float32 in, {loss.dtype} out: compute with tensors"
assert np.isclose(loss.item(), 2.0), f"(1 + 4 + 1) / 3 = 2, not {loss.item()}"
loss.backward()
np.testing.assert_allclose(prediction.grad.data, [[2 / 3, -4 / 3, -2 / 3]], rtol=1e-6, err_msg="2 (y - t) / n")
loss = mse_loss(Tensor(3.0), 1.0)
assert loss.item() == 4.0, f"a number as the target of a number: (3 - 1)² = 4, not {loss!r}"
try:
    loss = mse_loss(Tensor([[1.0], [2.0]]), Tensor([1.0, 2.0]))
except ValueError as error:
    assert "(2, 1)" in str(error) and "(2,)" in str(error), f"the error must name (2, 1) and (2,), it says: {error}"
else:
    raise AssertionError(f"(2, 1) against (2,) broadcasts to four differences: a ValueError, not {loss}")

# %% nbgrader={"grade": true, "grade_id": "mse_loss_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on images, which must not change, on a lone number as target, and on whether float32 stays float32."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_rng = np.random.default_rng(0)
_y, _t = Tensor(_rng.random((2, 3, 4, 5))), _rng.random((2, 3, 4, 5))
answer([mse_loss(_y, _t), _y, _t], about="images, and the images afterwards")
answer([raised(mse_loss, Tensor([1.0, 2.0]), 1.0), raised(mse_loss, Tensor([1.0]), Tensor([[1.0]]))], about="a lone number")
### END HIDDEN TESTS

# %% [markdown]
# ### Classes
#
# A classifier gives a number for each class, the **logits** $x$. Softmax makes probabilities of them, $p_k = e^{x_k} / \sum_j e^{x_j}$. The
# likelihood of the target class $t$ is $p_t$, so the loss is $-\log p_t$, the **cross-entropy**. By way of the probability, in float32:

# %%
logits = Tensor([[0.0, 200.0]])
-softmax(logits, 1).log()[0, 0]

# %% [markdown]
# The right value is 200. But $e^{-200}$ is below everything that float32 can hold. In the formula the logarithm and the exponential meet,
# and cancel:
#
# $$-\log p_t = \log \sum_j e^{x_j} - x_t$$
#
# and if the maximum $m$ is taken off all logits first, which changes no difference, no exponent is above 0, and the sum is at least 1.
#
# **Label smoothing** (Szegedy et al. 2016) asks for less than certainty: the target is class $t$ with weight $1 - \varepsilon$, and
# $\varepsilon$ is spread evenly over all $C$ classes, $q_k = \varepsilon / C + (1 - \varepsilon) [k = t]$. With $\bar{x}$ the mean of the
# $C$ logits,
#
# $$-\sum_k q_k \log p_k = \log \sum_j e^{x_j} - (1 - \varepsilon)\, x_t - \varepsilon\, \bar{x}$$

# %% [markdown]
# Write it as one op. `shifted` are the logits without their maximum, (n, C), to be used for all $x$ in the formula.
#
# - `p = np.exp(shifted)`, and its sums over each row, (n, 1); divide `p` by them, in place, and it is the softmax. Save it, `(p,)`: it is
#   all that the derivative needs.
# - `shifted[np.arange(n), targets]` picks $x_t$ from each row. Skip the last term if `e` is 0 (a logit may be $-\infty$).
# - Return the mean of the n losses.
#
# Floats stay in the dtype of `x`. About seven lines.

# %% nbgrader={"grade": false, "grade_id": "cross_entropy_op", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class CrossEntropyOp(Op):
    """CrossEntropyOp(targets, e): the mean over the rows of log sum exp(x) - (1 - e) x[target] - e mean(x); keeps the softmax."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        targets, e = self.parameters
        n, shifted = len(x), x - x.max(axis=1, keepdims=True)
        ### BEGIN SOLUTION
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        self.saved = (p,)
        losses = np.log(total[:, 0]) - (1 - e) * shifted[np.arange(n), targets]
        if e:
            losses -= e * shifted.mean(axis=1)
        return losses.mean()
        ### END SOLUTION

# %% [markdown]
# Two examples: the first undecided between two classes, the second sure of the wrong one by 200. Which mean?

# %%
op = CrossEntropyOp(np.array([0, 0]), 0.0)
op.forward(np.array([[5.0, 5.0], [0.0, 200.0]], np.float32)), op.saved

# %% nbgrader={"grade": true, "grade_id": "cross_entropy_op_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""The loss is minus the mean log-probability, at any size of the logits, with smoothing its definition; the softmax is kept."""
x, t = np.random.default_rng(0).standard_normal((5, 3)), np.array([2, 0, 1, 1, 0])
log_p = x - np.log(np.exp(x).sum(1, keepdims=True))
for e in [0.0, 0.1, 1.0]:
    q = np.full((5, 3), e / 3)
    q[np.arange(5), t] += 1 - e
    op = CrossEntropyOp(t, e)
    found, wanted = op.forward(x), -(q * log_p).sum(1).mean()
    assert found is not None and np.shape(found) == (), f"smoothing {e}: forward returns one number, not {found!r}"
    assert np.isclose(found, wanted), f"smoothing {e}: {wanted}, not {found}"
assert isinstance(op.saved, tuple) and np.shape(op.saved) == (1, 5, 3), f"self.saved = (p,), with p of shape (5, 3), not {op.saved!r:.60}"
(p,) = op.saved
np.testing.assert_allclose(p, np.exp(log_p), err_msg="what is saved is the softmax of the logits")
big = CrossEntropyOp(np.array([0, 1]), 0.0).forward(np.array([[-1e4, 1e4], [3e4, 3e4]], np.float32))
assert np.isclose(big, (2e4 + np.log(2)) / 2), f"losses of 20,000 and log 2 have the mean 10000.35, not {big}"
assert isinstance(big, np.float32), f"float32 logits give a float32 loss, not {type(big).__name__}"
excluded = CrossEntropyOp(np.array([2]), 0.0).forward(np.array([[0.0, -np.inf, 0.0]]))
assert np.isclose(excluded, np.log(2)), f"a logit of -inf excludes a class: of the two others each costs log 2, not {excluded}"

# %% nbgrader={"grade": true, "grade_id": "cross_entropy_op_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on other logits, on a class that is excluded by -inf, and on whether the logits are left as they were."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32) * 30
_before, _op = _x.copy(), CrossEntropyOp(np.array([3, 2, 1, 0, 0, 3]), 0.2)
answer([np.asarray(_op.forward(_x)), _op.saved[0], bool((_x == _before).all())], about="scaled logits, smoothed", rtol=1e-4)
_op = CrossEntropyOp(np.array([0, 2]), 0.0)
answer(np.asarray(_op.forward(np.array([[1.0, -np.inf, 2.0], [-np.inf, 0.0, 0.0]], np.float32))), about="excluded classes")
### END HIDDEN TESTS

# %% [markdown]
# ### Its rule
#
# The derivative is the reason for softmax and cross-entropy to be one op. All exponentials and logarithms cancel, and there remains what
# the network says minus what it should say:
#
# $$\frac{\partial L}{\partial x_k} = \frac{1}{n} (p_k - q_k), \qquad q_k = \frac{\varepsilon}{C} + (1 - \varepsilon) [k = t]$$
#
# `grad` is one number; multiply by it. Make a new array (n, C); `p` itself stays as it was. About five lines.

# %% nbgrader={"grade": false, "grade_id": "cross_entropy_rule", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@gradient(CrossEntropyOp)
def _(op, grad):
    (p,), (targets, e) = op.saved, op.parameters
    n, classes = p.shape
    ### BEGIN SOLUTION
    g = p - e / classes
    g[np.arange(n), targets] -= 1 - e
    g *= grad / n
    return (g,)
    ### END SOLUTION

# %% [markdown]
# What is the largest that an entry can be, however wrong the network is? The example that is wrong by 200:

# %%
logits = Tensor([[0.0, 200.0]], requires_grad=True)
apply(CrossEntropyOp(np.array([0]), 0.0), logits).backward()
logits.grad

# %% nbgrader={"grade": true, "grade_id": "cross_entropy_rule_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""The rule agrees with small steps, with smoothing and without, sums to 0 in each row, and leaves what was saved alone."""
x, t = 3 * np.random.default_rng(2).standard_normal((4, 3)), np.array([2, 0, 1, 1])
op = CrossEntropyOp(t, 0.3)
op.forward(x.astype(np.float32))
kept = op.saved[0].copy()
found = RULES[CrossEntropyOp](op, np.float32(5.0))
assert isinstance(found, tuple) and len(found) == 1, f"the rule returns (g,), a tuple with one array, not {found!r:.60}"
for e in [0.0, 0.3]:
    gradcheck(lambda x, e=e: apply(CrossEntropyOp(t, e), x), x)
(g,) = found
assert g.shape == (4, 3) and g.dtype == np.float32, f"float32 of shape (4, 3), not {g.dtype} of {g.shape}"
np.testing.assert_allclose(g.sum(1), 0, atol=1e-6, err_msg="all logits of a row raised alike change nothing")
np.testing.assert_array_equal(op.saved[0], kept, err_msg="the saved softmax was changed: make a new array")

# %% nbgrader={"grade": true, "grade_id": "cross_entropy_rule_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on logits of thousands, on another gradient from above, and on a single class."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

for _x, _t, _e in [([[3e3, -3e3, 0.0], [1.0, 2.0, 3.0]], [1, 1], 0.0), ([[1.0, 0.5]], [1], 0.4), ([[7.0], [2.0]], [0, 0], 0.1)]:
    _logits = Tensor(_x, requires_grad=True)
    (apply(CrossEntropyOp(np.array(_t), _e), _logits) * -2.5).backward()
    answer(_logits.grad, about=f"logits {_x}")
### END HIDDEN TESTS

# %% [markdown]
# The function that people call refuses what does not fit, before NumPy finds another meaning in it: class $-1$, for instance, would be the
# last column.

# %% nbgrader={"grade": false, "grade_id": "cross_entropy", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def class_numbers(logits, targets) -> np.ndarray:
    """A copy of the targets (n,) as int64; an error unless they number a class for each row of the logits (n, classes)."""
    t = np.array(targets)
    if len(logits.shape) != 2 or t.shape != logits.shape[:1] or t.size == 0:
        raise ValueError(f"logits (n, classes) need class numbers (n,), with n at least 1; these are {logits.shape} and {t.shape}")
    if t.dtype.kind not in "iu":
        raise TypeError(f"targets are class numbers, integers, not {t.dtype}")
    if t.min() < 0 or t.max() >= logits.shape[1]:
        row = np.flatnonzero((t < 0) | (t >= logits.shape[1]))[0]
        raise ValueError(f"target {row} is class {t[row]}, but {logits.shape[1]} logits are for classes 0 to {logits.shape[1] - 1}")
    return t.astype(np.int64, copy=False)

def cross_entropy(logits: Tensor, targets, label_smoothing: float = 0.0) -> Tensor:
    """The mean of -log softmax(logits)[target]: (n, classes), (n,) -> (). From logits, not from probabilities."""
    if logits.dtype.kind != "f" or not 0 <= label_smoothing <= 1:
        raise ValueError(f"logits are floats, label_smoothing is from 0 to 1; these are {logits.dtype} and {label_smoothing}")
    return apply(CrossEntropyOp(class_numbers(logits, targets), label_smoothing), logits)

# %% tags=["raises-exception"]
cross_entropy(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1, 2]))

# %% [markdown]
# A network that knows nothing gives all ten classes the same probability. From which loss does every training of a ten-class network begin?

# %%
cross_entropy(Tensor(np.zeros((1, 10))), Tensor([3]))

# %% [markdown]
# ### Yes or no
#
# For two classes one logit $x$ suffices: $p = \sigma(x)$ for yes. The target $t$ is 1 or 0 (or between), and
#
# $$-t \log \sigma(x) - (1 - t) \log(1 - \sigma(x)) = \max(x, 0) - x t + \log(1 + e^{-|x|})$$
#
# The left side overflows as before. The right side has no exponent above 0. Written in tensor operations it would have a wrong slope at $x
# = 0$, where `maximum` and `abs` have their kinks; as an op it has the rule of its family, what the network says minus what it should say.
#
# Write `forward`: save `(x,)`, return the mean over all elements. `np.log1p(a)` is $\log(1 + a)$, and exact where $a$ is tiny. Two lines.

# %% nbgrader={"grade": false, "grade_id": "bce_op", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class BinaryCrossEntropyOp(Op):
    """BinaryCrossEntropyOp(t): the mean of max(x, 0) - x t + log(1 + exp(-|x|)), which is the cross-entropy of sigmoid(x)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        (t,) = self.parameters
        ### BEGIN SOLUTION
        self.saved = (x,)
        return (np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))).sum() / x.size
        ### END SOLUTION

@gradient(BinaryCrossEntropyOp)
def _(op, grad):
    (x,), (t,) = op.saved, op.parameters
    return ((SigmoidOp().forward(x) - t) * (grad / x.size),)

def binary_cross_entropy_with_logits(logits: Tensor, targets) -> Tensor:
    """The mean of -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)): (*shape), (*shape) -> (); t from 0 to 1."""
    t = np.array(targets, logits.dtype)
    if t.shape != logits.shape or t.size == 0 or logits.dtype.kind != "f":
        raise ValueError(f"logits, floats, need targets of the same shape, at least one; these are {logits.shape} and {t.shape}")
    if not (t.min() >= 0 and t.max() <= 1):
        raise ValueError(f"targets are probabilities, from 0 to 1; these are from {t.min()} to {t.max()}")
    return apply(BinaryCrossEntropyOp(t), logits)

# %% [markdown]
# Undecided about a yes, and wrong by 200 about a no. Which mean?

# %%
binary_cross_entropy_with_logits(Tensor([0.0, 200.0]), Tensor([1.0, 0.0]))

# %% nbgrader={"grade": true, "grade_id": "bce_op_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""One logit x is the two logits (0, x): both losses agree, at any size; small steps agree with the rule, also at 0."""
x, t = np.array([-3.0, -0.5, 0.0, 2.0, 80.0, -90.0]), np.array([1, 0, 1, 0, 0, 1])
mine = binary_cross_entropy_with_logits(Tensor(x), t)
two = cross_entropy(Tensor(np.stack([np.zeros(6), x], axis=1)), t)
assert mine.shape == () and mine.dtype == np.float32, f"one float32, not {mine!r}"
assert np.isclose(mine.item(), two.item(), rtol=1e-6), f"by way of two logits it is {two.item()}, not {mine.item()}"
small = binary_cross_entropy_with_logits(Tensor([-15.0]), [0.0]).item()
assert np.isclose(small, np.exp(-15), rtol=1e-4, atol=0), f"a sure and right no costs {np.exp(-15):.3g}, not {small:.3g}"
assert gradcheck(lambda x: binary_cross_entropy_with_logits(x, t), x)

# %% nbgrader={"grade": true, "grade_id": "bce_op_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on logits of thousands, on targets between 0 and 1, and on tables."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

for _x, _t in [([4e3, -4e3, 0.0], [0.0, 0.0, 0.5]), ([[1.0, -2.0], [0.0, 30.0]], [[0.25, 1.0], [0.5, 0.75]])]:
    _logits = Tensor(_x, requires_grad=True)
    _loss = binary_cross_entropy_with_logits(_logits, _t)
    _loss.backward()
    answer([_loss, _logits.grad], about=f"logits {_x}")
### END HIDDEN TESTS

# %% [markdown]
# And as layers, for those who like their loss to be an object, as in PyTorch:

# %% nbgrader={"grade": false, "grade_id": "loss_layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class MSELoss(Layer):
    """mse_loss as a layer."""
    def forward(self, prediction: Tensor, target) -> Tensor: return mse_loss(prediction, target)
class CrossEntropyLoss(Layer):
    """cross_entropy as a layer, which keeps the smoothing."""
    def __init__(self, label_smoothing: float = 0.0): self.label_smoothing = label_smoothing
    def forward(self, logits: Tensor, targets) -> Tensor: return cross_entropy(logits, targets, self.label_smoothing)
    def extra_repr(self) -> str: return f"label_smoothing={self.label_smoothing}"
class BCEWithLogitsLoss(Layer):
    """binary_cross_entropy_with_logits as a layer."""
    def forward(self, logits: Tensor, targets) -> Tensor: return binary_cross_entropy_with_logits(logits, targets)

# %% [markdown]
# The loop from the beginning, with the same seed and the same learning rate, which is still too high. Does it survive?

# %%
manual_seed(0)
(x, y), model = two_moons(200), MLP([2, 64, 2], relu)
optimizer = SGD(model.parameters(), lr=6.0)
for step in range(8):
    loss = cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}  loss {loss.item():.4g}")

# %% [markdown]
# It does: the loss jumps, to a finite number, and its gradients lead back.
#
# ## 2. Metrics
#
# A loss is what gradients need. People want to know how many are right, and which are taken for which. Of class logits the largest decides,
# of a lone one its sign.

# %% nbgrader={"grade": false, "grade_id": "accuracy", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def predicted(logits) -> np.ndarray:
    """The class of the largest logit, (n, classes) -> (n,); of lone ones, (n, 1) or (n,), class 1 where it is positive."""
    x = np.asarray(logits)
    return x.argmax(1) if x.ndim == 2 and x.shape[1] > 1 else (x.reshape(-1) > 0).astype(np.int64)

def accuracy(logits, targets) -> float:
    """The share of predicted classes that are the targets'."""
    guess, t = predicted(logits), np.asarray(targets).reshape(-1)
    if guess.shape != t.shape or not t.size:
        raise ValueError(f"{len(guess)} predictions need as many targets, at least one, not {len(t)}")
    return float((guess == t).mean())

# %%
accuracy(model(x), y)

# %% [markdown]
# A **confusion matrix** counts in row $i$ and column $j$ the examples of class $i$ that were predicted as class $j$. All that is right
# stands on the diagonal.
#
# `class_numbers` from above gives the targets, checked; `predicted` the guesses. `np.bincount(numbers, minlength=m)` counts how often each
# number from 0 to m - 1 occurs: which one number stands for the pair (i, j)? (Or count with `np.add.at`.) The result holds integers, and a
# row and a column for each class, also for those that do not occur. About three lines.

# %% nbgrader={"grade": false, "grade_id": "confusion_matrix", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def confusion_matrix(logits, targets) -> np.ndarray:
    """Element (i, j) counts the examples of class i that were predicted as class j: (n, classes), (n,) -> (classes, classes)."""
    ### BEGIN SOLUTION
    t, classes = class_numbers(logits, targets), logits.shape[1]
    pairs = t * classes + predicted(logits)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
    ### END SOLUTION

# %% [markdown]
# Four examples of three classes. Which of the nine entries are not 0?

# %%
confusion_matrix(np.array([[5, 0, 0], [0, 5, 0], [0, 5, 0], [5, 0, 0]]), np.array([0, 1, 2, 0]))

# %% nbgrader={"grade": true, "grade_id": "confusion_matrix_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Rows are the true classes, columns the predicted ones; rows add up to the classes' sizes, the diagonal to what is right."""
logits, t = np.random.default_rng(0).standard_normal((60, 4)) - [0, 0, 0, 9], np.repeat([0, 1, 2], [10, 20, 30])
m = confusion_matrix(logits, t)
assert isinstance(m, np.ndarray), f"an array is wanted, not {m!r:.60}"
assert m.shape == (4, 4) and m.dtype.kind in "iu", f"integers (4, 4), though class 3 never occurs; not {m.dtype} {m.shape}"
np.testing.assert_array_equal(m.sum(1), [10, 20, 30, 0], err_msg="row i holds the examples of class i")
np.testing.assert_array_equal(m.sum(0), np.bincount(logits.argmax(1), minlength=4), err_msg="column j: those predicted as j")
assert m.trace() == round(60 * accuracy(logits, t)), "the diagonal counts what is right"
for target in [4, -1]:
    try:
        m = confusion_matrix(logits[:1], np.array([target]))
    except Exception as error:
        assert f"class {target}" in str(error), f"of 4 classes class_numbers refuses number {target}; this error came: {error!r}"
    else:
        raise AssertionError(f"of 4 classes class_numbers refuses number {target}; this came: {m.tolist()}")

# %% nbgrader={"grade": true, "grade_id": "confusion_matrix_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on tensors, which must not change, on small integers as targets, and on a class that does not exist."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_x = np.random.default_rng(5).standard_normal((300, 20))
_t = np.random.default_rng(6).integers(0, 20, 300)
_logits = Tensor(_x)
answer([confusion_matrix(_logits, Tensor(_t.astype(np.uint8))), _logits], about="bytes as targets; the logits afterwards")
answer([raised(confusion_matrix, np.zeros((2, 3)), np.array(t)) for t in ([0, 3], [-1, 0], [0], [0.0, 1.0])], about="errors")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. By hand
#
# Now the loop, in the open. Digits, in three parts: to train, to choose, and to test once. A network with a dropout, since there are few
# examples.

# %%
digits = Digits()
train, choose, test = random_split(digits, [1097, 200, 500], np.random.default_rng(0))
train_loader = DataLoader(train, batch_size=64, shuffle=True, seed=0)

# %%
def new_model(seed=0):
    manual_seed(seed)
    return Sequential(Flatten(), Dense(64, 128, relu), Dropout(0.2), Dense(128, 10))

# %%
model = new_model()
optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)

# %%
for epoch in range(3):
    for x, y in train_loader:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}  loss of the last batch {loss.item():.3f}")

# %% [markdown]
# It learns, and what does it leave? Which loss the training had in the middle, whether it still improved, how good it is on other digits:
# nobody knows. When the notebook's kernel stops, all is gone, and the last epoch need not have been the best. And each of the five lines
# that do the work can be wrong in silence. The next three mistakes are made by people who know their trade. All of them run without an
# error.
#
# ### The first
#
# On the moons, with plain SGD. What does its loss do?

# %%
def train_a(model, optimizer, batches):
    """One pass over the batches; the losses."""
    losses = []
    for x, y in batches:
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses

# %%
manual_seed(0)
net, batch = MLP([2, 16, 16, 2], relu), two_moons(200)

# %%
plt.figure(figsize=(6, 2.4))
plt.plot(train_a(net, SGD(net.parameters(), lr=0.5), [batch] * 300), lw=0.7)
plt.gca().set(xlabel="step", ylabel="loss");

# %% [markdown]
# It falls a little, and then it swings, far above its beginning, like a ball without friction: each step seems to follow every gradient
# there ever was. Write it again, mended. About seven lines.

# %% nbgrader={"grade": false, "grade_id": "bug_a", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mended_a(model, optimizer, batches) -> list[float]:
    """One pass over the batches; the losses."""
    ### BEGIN SOLUTION
    losses = []
    for x, y in batches:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    ### END SOLUTION

# %%
manual_seed(0)
net = MLP([2, 16, 16, 2], relu)
losses = mended_a(net, SGD(net.parameters(), lr=0.5), [batch] * 300)
losses[0], losses[-1], max(losses)

# %% nbgrader={"grade": true, "grade_id": "bug_a_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Each step follows the gradient of its own batch, and of nothing before it, not even of what was there at the beginning."""
one = Sequential(MLP([1, 2], None))
(weight, bias), point = one.parameters(), (Tensor([[1.0]]), Tensor([0]))
weight.assign(np.zeros((2, 1)))
bias.assign(np.zeros(2))
cross_entropy(one(point[0]), point[1]).backward()  # a gradient from before
losses = mended_a(one, SGD(one.parameters(), lr=1.0), [point, point])
assert isinstance(losses, list) and [type(loss) for loss in losses] == [float, float], f"a list of two plain numbers, not {losses!r}"
b, wanted = 0.0, []  # by symmetry all four numbers are b or -b, and the logits 2b and -2b
for _ in range(2):
    wanted.append(np.log1p(np.exp(-4 * b)))
    b += 1 / (1 + np.exp(4 * b))
np.testing.assert_allclose(losses, wanted, rtol=1e-5, err_msg="the losses of the two steps")
found = weight.data[0, 0]
assert np.isclose(found, b, rtol=1e-5), f"after two steps by hand the first weight is {b:.5f}, not {found:.5f}"

# %% nbgrader={"grade": true, "grade_id": "bug_a_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again with momentum on three different batches, which must stay."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

manual_seed(4)
_net = MLP([2, 5, 2], None)
_batches = [two_moons(20, seed=s) for s in range(3)]
_losses = mended_a(_net, SGD(_net.parameters(), lr=0.5, momentum=0.9), _batches)
answer([_losses, _net.parameters()[0], len(_batches)], about="three batches", rtol=1e-3, atol=1e-5)
### END HIDDEN TESTS

# %% [markdown]
# ### The second
#
# This one learns the digits, and stops learning early. For ten classes, how small can its loss get, however sure the network is?

# %%
def loss_b(model, x, y):
    """The loss of a batch."""
    p = softmax(model(x), 1)
    return cross_entropy(p, y)

# %%
class Sure:
    """Gives 1000 to the class that the input names, and 0 to the others."""
    def __call__(self, x):
        return Tensor(1000.0 * (np.arange(10) == x.data[:, None]))

# %%
loss_b(Sure(), Tensor([3, 7]), Tensor([3, 7]))

# %% [markdown]
# No mistake at all, and a loss of 1.46. From the definition of `cross_entropy`, where does that number come from? Mend it: one line.

# %% nbgrader={"grade": false, "grade_id": "bug_b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mended_b(model, x, y) -> Tensor:
    """The loss of a batch."""
    ### BEGIN SOLUTION
    return cross_entropy(model(x), y)
    ### END SOLUTION

# %%
mended_b(Sure(), Tensor([3, 7]), Tensor([3, 7])), mended_b(Sure(), Tensor([3, 7]), Tensor([3, 8]))

# %% nbgrader={"grade": true, "grade_id": "bug_b_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Who is sure and right has no loss, who is sure and wrong has all of it, and the loss is still there for backward."""
class Table:
    """Logits from a table, whatever the input."""
    def __init__(self, rows): self.rows = Tensor(rows, requires_grad=True)
    def __call__(self, x): return self.rows

right = mended_b(Table([[200.0, 0.0, 0.0]]), None, Tensor([0]))
assert isinstance(right, Tensor), f"the loss is returned as a tensor, from which backward can start, not {right!r}"
assert abs(right.item()) < 1e-6, f"sure and right: a loss of 0, not {right.item():.4g}"
wrong = mended_b(Table([[200.0, 0.0, 0.0]]), None, Tensor([1])).item()
assert np.isclose(wrong, 200), f"sure of the wrong class by 200: a loss of 200, not {wrong:.4g}"
table = Table([[1.0, 2.0]])
mended_b(table, None, Tensor([0])).backward()
slope = 1 / (1 + np.exp(-1.0))
np.testing.assert_allclose(table.rows.grad.data, [[-slope, slope]], rtol=1e-5, err_msg="the gradient is softmax - target")

# %% nbgrader={"grade": true, "grade_id": "bug_b_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on several rows, which must not change."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x, _y = Tensor([[1.0, -2.0, 0.5], [0.0, 90.0, 80.0]]), Tensor([2, 2])
answer([mended_b(lambda x: x * 3, _x, _y), _x, _y], about="two rows, and the rows afterwards")
### END HIDDEN TESTS

# %% [markdown]
# ### The third
#
# Epochs with a validation in between. Two questions: is its second accuracy right? And does its dropout work after the first epoch?

# %%
def validate_c(model, x, y):
    model.training = False
    return accuracy(model(x), y)

# %%
x, y = choose[:]
[validate_c(model, x, y) for _ in range(3)], model.training

# %% [markdown]
# One model, one set of images, three accuracies: the model is at work, and the dropout below it still drops. Then somebody puts
# `model.eval()` there, the accuracies agree, and from then on the training goes on without dropout, since nobody calls `train()`. (And all
# the while every result keeps its past, for a backward that never comes.)
#
# So let it be impossible to forget. `with evaluating(model):` sets the model and every layer below it to work, records nothing inside, and
# afterwards each layer has the mode that *it* had before (somebody may have frozen one of them), even if an error comes in between.
#
# `layers_of(model)` gives them all. Module 09's `no_grad()` is a context manager itself: `with no_grad():` round the `yield`. About seven
# lines.

# %% nbgrader={"grade": false, "grade_id": "evaluating", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def layers_of(model: Layer) -> list[Layer]:
    """The model and all layers below it."""
    return [model, *(member for _, member in model.named_members() if isinstance(member, Layer))]

@contextmanager
def evaluating(model: Layer):
    """`with evaluating(model):` the model is at work and nothing is recorded; afterwards each layer's mode is as it was."""
    ### BEGIN SOLUTION
    layers = layers_of(model)
    modes = [layer.training for layer in layers]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for layer, mode in zip(layers, modes, strict=True):
            layer.training = mode
    ### END SOLUTION

# %%
model.train()
with evaluating(model):
    shares = [accuracy(model(x), y) for _ in range(3)]
shares, model.training

# %% nbgrader={"grade": true, "grade_id": "evaluating_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Inside, no layer is in training and nothing is recorded; afterwards, also after an error, each mode is what it was."""
net = Sequential(MLP([3, 4], None), Dropout(0.5), Sequential(Dropout(0.5)))
net.layers[1].eval()
before = [layer.training for layer in layers_of(net)]
assert isgeneratorfunction(evaluating.__wrapped__), "evaluating has no `yield`, the place where the with block runs"
with evaluating(net):
    inside = [layer.training for layer in layers_of(net)]
    assert not any(inside), f"inside, the modes are {inside}"
    assert not grad_enabled() and not net(Tensor(np.ones((2, 3)))).requires_grad, "inside, nothing must be recorded"
after = [layer.training for layer in layers_of(net)]
assert after == before, f"the modes before: {before}, and afterwards: {after}"
try:
    with evaluating(net):
        raise OSError("the disk is gone")
except OSError:
    after = [layer.training for layer in layers_of(net)]
    assert after == before and grad_enabled(), f"after an error the modes are {after}, recording {grad_enabled()}"
else:
    raise AssertionError("the error must come out of the with block")

# %% nbgrader={"grade": true, "grade_id": "evaluating_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a model that is at work already, on one within the other, and within `no_grad()`."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_net = Sequential(Dropout(0.1), Sequential(Dropout(0.1)))
_net.layers[1].eval()
_seen = []
with evaluating(_net):
    with evaluating(_net):
        _seen.append([layer.training for layer in layers_of(_net)])
    _seen.append([layer.training for layer in layers_of(_net)] + [grad_enabled()])
_seen.append([layer.training for layer in layers_of(_net)] + [grad_enabled()])
answer(_seen, about="one within the other")
_net.eval()
with no_grad():
    with evaluating(_net):
        pass
    answer([grad_enabled(), _net.training], about="within no_grad, at work already")
### END HIDDEN TESTS

# %% [markdown]
# ### When to stop
#
# One more thing that hurts: how many epochs? The loss on the training images falls and falls; the loss on others falls, and then rises,
# when the network learns its examples by heart. So we watch a validation set, and stop when its loss has not improved for `patience`
# epochs. By then the weights are worse than they were: the best ones must have been kept.
#
# Write `update`. A loss *below* the best becomes the best: keep a copy of the weights (`model.state_dict()` makes one), and `waited` is 0
# again. Any other loss, nan included, makes `waited` one more. About four lines.

# %% nbgrader={"grade": false, "grade_id": "early_stopping", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class EarlyStopping:
    """Watches a validation loss, keeps the weights of its best epoch, and says when to stop; patience None: never."""

    def __init__(self, patience: int | None = None):
        self.patience, self.best, self.weights, self.waited = patience, math.inf, None, 0

    @property
    def stopped(self) -> bool:
        return self.patience is not None and self.waited >= self.patience

    def update(self, loss: float, model: Layer) -> None:
        """Note the loss of an epoch, and the weights if it is the best."""
        ### BEGIN SOLUTION
        if loss < self.best:
            self.best, self.weights, self.waited = loss, model.state_dict(), 0
        else:
            self.waited += 1
        ### END SOLUTION

# %% [markdown]
# Patience 2. After which of these losses is it enough?

# %%
stopping, said = EarlyStopping(2), []
for loss in [0.9, 0.5, 0.6, 0.4, 0.5, 0.4]:
    stopping.update(loss, model)
    said.append(stopping.stopped)
said

# %% nbgrader={"grade": true, "grade_id": "early_stopping_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""It stops after `patience` epochs without a better loss, counts anew after a better one, and keeps the best weights."""
def watch(patience, losses):
    net, stopping, said = Linear(1, 1), EarlyStopping(patience), []
    for number, loss in enumerate(losses):
        net.weight.assign(number)
        stopping.update(loss, net)
        said.append(stopping.stopped)
    net.weight.assign(-1)
    return said, stopping

said, _ = watch(1, [1.0, math.nan, 0.5])
assert said == [False, True, False], f"nan is no better loss, 0.5 is: False, True, False for 1.0, nan, 0.5; not {said}"
losses = [3.0, 2.0, 2.5, 1.0, 1.0, 1.5, 1.25]
for patience, wanted in [(1, [2, 4, 5, 6]), (2, [5, 6]), (3, [6]), (4, []), (None, [])]:
    said, stopping = watch(patience, losses)
    got = [number for number, stop in enumerate(said) if stop]
    assert got == wanted, f"patience {patience}: stopped at {wanted} of the losses {losses}, not at {got}"
kept = stopping.weights
assert isinstance(kept, dict), f"self.weights is what model.state_dict() returns, a dict; not {kept!r}"
kept = kept["weight"].item()
assert kept == 3, f"the weights of number 3, the first with loss 1.0, must be kept, as a copy; these are of {kept}"
assert stopping.best == 1.0 and stopping.waited == 3, f"best 1.0, waited 3; not {stopping.best}, {stopping.waited}"

# %% nbgrader={"grade": true, "grade_id": "early_stopping_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on losses that are nan, and on other curves."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

for _patience, _losses in [(2, [np.nan, np.nan, 1.0]), (2, [1.0, np.nan, 0.5, np.nan, np.nan]), (3, [5, 4, 4, 4, 3, 3, 3, 3])]:
    _said, _stopping = watch(_patience, _losses)
    answer([_said, _stopping.waited, float(_stopping.best)], about=f"{_losses}")
    answer(None if _stopping.weights is None else _stopping.weights["weight"], about=f"the weights kept of {_losses}")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. One step
#
# From here on the loop gets an owner. A `Trainer` holds everything that takes part, and grows from section to section: `_in_trainer` puts
# the methods of a class body into it.

# %% nbgrader={"grade": false, "grade_id": "trainer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Trainer:
    """Fits a model to the batches of a loader, each (*inputs, targets); what a run needs to go on is in `state_dict()`."""

    def __init__(
        self, model: Layer, optimizer: Optimizer, loss: Callable = cross_entropy, metrics: Iterable[Callable] = (accuracy,),
        scheduler=None, accumulate: int = 1, clip: float | None = None, patience: int | None = None,
    ):
        if accumulate < 1 or (clip is not None and not clip > 0) or (patience is not None and patience < 1):
            raise ValueError(f"accumulate and patience are at least 1, clip is above 0; not {accumulate}, {patience}, {clip}")
        self.model, self.optimizer, self.loss, self.metrics = model, optimizer, loss, tuple(metrics)
        self.scheduler, self.accumulate, self.clip = scheduler, accumulate, clip
        self.history, self.stopping = [], EarlyStopping(patience)
        self.epoch, self.batches, self.seen, self.total = 0, 0, 0, 0.0  # epochs done; of this one batches, examples, sum of losses
        self.seed = self.resumed = None  # the loader's seed; states of the generators, from `load` to the next `fit`

def _in_trainer(body: type) -> None:
    """Decorator: the methods of the class below are Trainer's, which so grows from section to section."""
    for name, value in vars(body).items():
        if callable(value):
            setattr(Trainer, name, value)

# %% [markdown]
# A large batch has a gradient with less noise, and a graph that may not fit into memory. But gradients add up, and a mean over 512 examples
# is a sum of four parts: the means over 128, each times its share, 128/512. So four small graphs, one after the other, give *one* step of
# the large batch: **gradient accumulation**.
#
# `step` gets a list of batches. Forgetting, clipping and the update are given; write the loop in between, where `n` is the number of all
# examples. For each batch, `(*inputs, targets)`: the model's loss by `self.loss`; `backward(share)`, which begins with the batch's share of `n` in place of 1; and add the
# share of the loss to `total`, as a plain number. About five lines.

# %% nbgrader={"grade": false, "grade_id": "step", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_trainer
class _Step:
    def step(self, batches: list) -> float:
        """One update from the batches, as if they were one large one; returns the loss, the mean over all examples."""
        self.optimizer.zero_grad()
        n, total = sum(len(batch[-1]) for batch in batches), 0.0
        ### BEGIN SOLUTION
        for *inputs, targets in batches:
            loss, share = self.loss(self.model(*inputs), targets), len(targets) / n
            loss.backward(share)
            total += share * loss.item()
        ### END SOLUTION
        norm = clip_grad_norm(self.optimizer.parameters(), self.clip or math.inf)
        if not math.isfinite(total + norm):
            raise FloatingPointError(f"the loss is {total} in epoch {self.epoch + 1}, after {self.batches} batches, and the norm of its "
                                     f"gradients {norm}: not updated. Look for nan in the data; else lower lr, warm up, or clip")
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()
        return total

# %% [markdown]
# The same 64 digits at once and in four pieces, with a learning rate of 0 and no dropout. Which two losses?

# %%
net, (x, y) = new_model().eval(), train[:64]
trainer = Trainer(net, SGD(net.parameters(), lr=0.0))
trainer.step([(x, y)]), trainer.step([(x[i : i + 16], y[i : i + 16]) for i in range(0, 64, 16)])

# %% nbgrader={"grade": true, "grade_id": "step_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""One batch is a step by hand; three of different lengths give the step, and the loss, of the one batch that they are together."""
def after_a_step(cuts, clip=None):
    manual_seed(0)
    net, (x, y) = MLP([2, 8, 2], tanh), two_moons(60)
    trainer = Trainer(net, SGD(net.parameters(), lr=0.5), clip=clip)
    loss = trainer.step([(x[a:b], y[a:b]) for a, b in pairwise(cuts)])
    return loss, np.concatenate([p.data.ravel() for p in net.parameters()])

manual_seed(0)
net, (x, y) = MLP([2, 8, 2], tanh), two_moons(60)
whole = cross_entropy(net(x), y)
whole.backward()
by_hand = np.concatenate([(p.data - 0.5 * p.grad.data).ravel() for p in net.parameters()])
loss, weights = after_a_step([0, 60])
assert np.isclose(loss, whole.item()), f"the loss of one batch of 60 is {whole.item()}, not {loss!r}"
np.testing.assert_allclose(weights, by_hand, atol=1e-6, err_msg="one batch of 60: its gradient by hand, times lr = 0.5")
had = []
watched = Trainer(lambda x: had.append(net.parameters()[0].grad is not None) or net(x), SGD(net.parameters(), lr=0.0))
watched.step([(x[a:b], y[a:b]) for a, b in pairwise([0, 10, 20, 60])])
assert had == [False, True, True], f"each batch: model, loss, backward, then the next. A gradient was there before each: {had}, not [False, True, True]"
def product(*inputs):
    assert len(inputs) == 2, f"a batch (a, b, targets) has two inputs for the model, which got {len(inputs)}"
    return inputs[0] * inputs[1]

squares = Trainer(product, SGD(net.parameters(), lr=0.0), loss=lambda y, t: (y * y).sum())
loss = squares.step([(Tensor([[2.0, 1.0]], requires_grad=True), Tensor([[3.0, 1.0]]), Tensor([0]))])
assert loss == 37.0, f"a model a * b of two inputs, with squares as self.loss: 6² + 1² = 37, not {loss!r}"
for clip in [None, 0.01]:
    (loss, weights), (small_loss, small_weights) = after_a_step([0, 60], clip), after_a_step([0, 10, 20, 60], clip)
    assert type(small_loss) is float, f"`total` is a plain number, not {small_loss!r}"
    assert np.isclose(small_loss, loss), f"the loss of all 60 is {loss}, not {small_loss}"
    np.testing.assert_allclose(small_weights, weights, atol=1e-6, err_msg=f"10, 10 and 40 examples against 60 at once, clip={clip}")

# %% nbgrader={"grade": true, "grade_id": "step_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a model of two inputs with another loss, on how often each batch goes through the model, and on the batches, which stay."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

class _Both(Layer):
    def __init__(self):
        self.layer, self.calls = Linear(3, 1), []
    def forward(self, a, b):
        self.calls.append(len(a))
        return self.layer(a * b)

manual_seed(2)
_net, _rng = _Both(), np.random.default_rng(0)
_parts = [tuple(Tensor(_rng.standard_normal(s)) for s in [(n, 3), (n, 3), (n, 1)]) for n in (4, 1, 7)]
_loss = Trainer(_net, SGD(_net.parameters(), lr=0.1), mse_loss, metrics=()).step(_parts)
answer([_loss, _net.layer.weight, _net.calls, len(_parts)], about="two inputs")
### END HIDDEN TESTS

# %% [markdown]
# A loss, or a gradient, that is no number ends the run with a word, before the weights are nan. Here is the loss from the beginning of the
# module, by way of the probability, and its learning rate:

# %% tags=["raises-exception"]
def naive(logits, targets):
    return -softmax(logits, 1)[np.arange(len(targets)), targets.data].log().mean()

manual_seed(0)
batch, net = two_moons(200), MLP([2, 64, 2], relu)
trainer = Trainer(net, SGD(net.parameters(), lr=6.0), naive)
for _ in range(8):
    trainer.step([batch])

# %%
all(np.isfinite(p.data).all() for p in net.parameters())

# %% [markdown]
# `evaluate` computes the loss and the metrics over all examples of a loader, from what `predict` collects.

# %% nbgrader={"grade": false, "grade_id": "evaluate", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_trainer
class _Evaluation:
    def predict(self, loader) -> tuple[Tensor, Tensor]:
        """What the model at work gives for all batches of the loader, and their targets."""
        with evaluating(self.model):
            pairs = [(self.model(*inputs).data, np.asarray(targets)) for *inputs, targets in loader]
        if not pairs:
            raise ValueError("the loader has no batch")
        return tuple(Tensor(np.concatenate(column)) for column in zip(*pairs, strict=True))

    def evaluate(self, loader) -> dict[str, float]:
        """The loss and the metrics over all examples of the loader, by name."""
        outputs, targets = self.predict(loader)
        return {"loss": self.loss(outputs, targets).item()} | {f.__name__: f(outputs, targets) for f in self.metrics}

# %%
choose_loader, test_loader = DataLoader(choose, batch_size=500), DataLoader(test, batch_size=500)
Trainer(model, optimizer).evaluate(choose_loader)

# %% [markdown]
# ## 5. Epochs
#
# Who waits wants to know for how long. On a terminal and in a notebook `Progress` rewrites one line, with the speed and the time left;
# elsewhere it prints a line an epoch. It is rewritten ten times a second; in between, a step costs a look at the clock.

# %% nbgrader={"grade": false, "grade_id": "progress", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _rewriter() -> Callable | None:
    """A function that shows a line in place of the one before, in a notebook or on a terminal; None elsewhere."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if hasattr(shell, "kernel"):
        from IPython.display import display
        handle = display({"text/plain": ""}, raw=True, display_id=True)
        return lambda line: handle.update({"text/plain": line}, raw=True)
    width = shutil.get_terminal_size().columns - 1
    return (lambda line: print(f"\r{line[:width]:<{width}}", end="\r", flush=True)) if sys.stdout.isatty() else None

class Progress:
    """Shows how far a trainer is, how fast, and when it will end."""
    def __init__(self, trainer, batches: int, epochs: int):
        self.trainer, self.batches, self.epochs, self.show = trainer, batches, epochs, _rewriter()
        self.start, self.next, self.done, self.examples = perf_counter(), 0.0, 0, 0

    def step(self, batches: int, examples: int) -> None:
        """A step is done."""
        self.done, self.examples, seconds = self.done + batches, self.examples + examples, perf_counter() - self.start
        if self.show and seconds > self.next:
            t, self.next = self.trainer, seconds + 0.1
            left = round(seconds / self.done * ((self.epochs - t.epoch) * self.batches - t.batches))
            self.show(f"epoch {t.epoch + 1}/{self.epochs} [{'=' * (12 * t.batches // self.batches):<12}] loss {t.total / t.seen:.4g}  "
                      f"{self.examples / seconds:,.0f} examples/s  {left // 60}:{left % 60:02} left")

    def epoch(self) -> None:
        """An epoch is done."""
        if self.show:
            self.show("")
        figures = "  ".join(f"{name} {value:.4g}" for name, value in self.trainer.history[-1].items())
        print(f"epoch {self.trainer.epoch}/{self.epochs}  {figures}", flush=True)

# %% [markdown]
# What an epoch needs before its first step. A loader gets the run's seed and the number of the epoch, so that shuffling and augmentation
# are those of *this* epoch, and the batches that it has had already are skipped. (`resumed` will matter in section 6.)

# %% nbgrader={"grade": false, "grade_id": "rest", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_trainer
class _Epoch:
    def _generators(self) -> list[np.random.Generator]:
        """The default generator, and those that layers of the model hold."""
        held = [value for layer in layers_of(self.model) for value in vars(layer).values() if isinstance(value, np.random.Generator)]
        return list(dict.fromkeys([default_generator, *held]))

    def _begin(self, loader) -> None:
        """The run's own seed for the loader, the generators as they were when it was saved, the model in training."""
        if not len(loader):
            raise ValueError("the loader has no batch")
        if isinstance(loader, DataLoader):
            self.seed = loader.seed = int(loader.seed if self.seed is None else self.seed)
        for generator, state in zip(self._generators(), self.resumed or []):
            generator.bit_generator.state = state
        self.resumed = None
        self.model.train()

    def _rest(self, loader) -> Iterator[list]:
        """The batches that this epoch still lacks, in lists of as many as make one step."""
        if isinstance(loader, DataLoader):
            loader.epoch = self.epoch
        batches = islice(loader, self.batches, None)
        while group := list(islice(batches, self.accumulate)):
            yield group

# %% [markdown]
# Now `fit` can be read like a sentence. `epochs` counts from the beginning of the run, not of the call: a run that was interrupted after 3
# of 10 goes on with the same `fit(loader, 10)`.

# %% nbgrader={"grade": false, "grade_id": "fit", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_trainer
class _Fit:
    def fit(self, loader, epochs: int, validation=None, save=None, progress: bool = True) -> list[dict]:
        """Train until `epochs` epochs are done, those before a load included; returns the history, a dict for each epoch.

        After each epoch `validation` is evaluated, and the run saved to the path `save`. With patience, at the end the best weights are put back.
        """
        if self.stopping.patience is not None and validation is None:
            raise ValueError("early stopping watches a validation loss: fit(loader, epochs, validation=another loader)")
        self._begin(loader)
        bar = Progress(self, len(loader), epochs) if progress else None
        while self.epoch < epochs and not self.stopping.stopped:
            for group in self._rest(loader):
                loss, n = self.step(group), sum(len(batch[-1]) for batch in group)
                self.batches, self.seen, self.total = self.batches + len(group), self.seen + n, self.total + n * loss
                if bar:
                    bar.step(len(group), n)
            row = {"loss": self.total / self.seen}
            if validation is not None:
                row |= {f"validation_{name}": value for name, value in self.evaluate(validation).items()}
            self.history.append(row)
            self.epoch, self.batches, self.seen, self.total = self.epoch + 1, 0, 0, 0.0
            if self.stopping.patience is not None:
                self.stopping.update(row["validation_loss"], self.model)
            if save is not None:
                self.save(save)
            if bar:
                bar.epoch()
        if self.stopping.weights is not None:
            self.model.load_state_dict(self.stopping.weights)
        return self.history

# %%
model = new_model()
trainer = Trainer(model, SGD(model.parameters(), lr=0.1, momentum=0.9), clip=1.0, patience=5)
history = trainer.fit(train_loader, 60, validation=choose_loader)

# %% [markdown]
# How many epochs did it want, of 60, and which was the best? Its weights are in the model again:

# %%
assert trainer.evaluate(choose_loader)["loss"] == trainer.stopping.best
len(history), 1 + [row["validation_loss"] for row in history].index(trainer.stopping.best)

# %% [markdown]
# The curves show why: on the left, with a logarithmic axis, what is learned by heart and what is of use to other digits.

# %% nbgrader={"grade": false, "grade_id": "plot_history", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def plot_history(history: list[dict]):
    """Curves over the epochs, the losses on the left, the metrics on the right; matplotlib's Axes."""
    import matplotlib.pyplot as plt
    _, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
    for name in history[-1]:
        ax = axes[0 if name.endswith("loss") else 1]
        ax.plot(range(1, len(history) + 1), [row.get(name) for row in history], ".-", label=name.replace("_", " "))
        ax.set(xlabel="epoch")
        ax.legend()
    return axes

# %%
plot_history(history)[0].set_yscale("log")

# %% [markdown]
# ## 6. A run that survives
#
# A long run will be killed one day: by a power cut, a full disk, an impatient neighbour. Then all depends on a file. If the resumed run is
# to be the undisturbed one, *everything* must be in it that the next step depends on: weights, the optimizer's memory, the schedule, the
# position in the epoch, the loader's seed, the state of the generators that dropout draws from, and the best weights so far.
#
# ### All or nothing
#
# What if it is killed *while* it writes the file? `open(path, "wb")` empties what is there; then there is half a new file, and no old one.

# %% [markdown]
# So write into a file beside it, `part`: call `write(file)` with the open file, then `file.flush()` (from Python to the system) and
# `os.fsync(file.fileno())` (from the system to the disk), and close it. Then `os.replace(part, path)` exchanges names, which is never half
# done. An error comes before that, and goes on to the caller. About five lines.

# %% nbgrader={"grade": false, "grade_id": "write_atomic", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def write_atomic(path, write: Callable) -> None:
    """Let write(file) fill a file beside `path`, and put it in the place of `path` when it is complete and on the disk."""
    part = Path(f"{path}.part")
    ### BEGIN SOLUTION
    with open(part, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    ### END SOLUTION

# %% [markdown]
# A writer that dies half-way. What will the file hold?

# %%
def dies(file):
    file.write(b"half of the n")
    raise OSError("the disk is full")

# %%
with TemporaryDirectory() as folder:
    path = Path(folder, "run.npz")
    write_atomic(path, lambda file: file.write(b"the first"))
    try:
        write_atomic(path, dies)
    except OSError as error:
        print(error)
    print(path.read_bytes())

# %% nbgrader={"grade": true, "grade_id": "write_atomic_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""A whole new file or the whole old one, an error that is heard, and the bytes on the disk before the names change."""
def half(file):
    file.write(b"half")
    seen.append(path.read_bytes() if path.exists() else None)
    raise OSError("the disk is full")

seen, order, files = [], [], []
with TemporaryDirectory() as folder:
    path = Path(folder, "run.npz")
    path.write_bytes(b"an old one")
    fsync, replace = os.fsync, os.replace
    with patch("os.fsync", lambda fd: (order.append(f"fsync of {os.fstat(fd).st_size} bytes"), fsync(fd))), \
         patch("os.replace", lambda a, b: (order.append(f"replace (new file closed: {files[0].closed}, old file there: {path.exists()})"), replace(a, b))):
        write_atomic(path, lambda file: (files.append(file), file.write(b"the first")))
    assert path.read_bytes() == b"the first", f"the file holds {path.read_bytes()}"
    wanted = ["fsync of 9 bytes", "replace (new file closed: True, old file there: True)"]
    assert order == wanted, f"after a flush, and with the file closed in between: {wanted}, not {order}"
    try:
        write_atomic(path, half)
    except OSError:
        seen.append(path.read_bytes())
    else:
        raise AssertionError("the disk was full, and the caller heard nothing of it")
    write_atomic(path, lambda file: file.write(b"the next"))
    assert path.read_bytes() == b"the next", f"after a write that failed comes b'the next', not {path.read_bytes()}"
assert seen == [b"the first"] * 2, f"during and after a write that fails, the old file must be there; these were {seen}"

# %% nbgrader={"grade": true, "grade_id": "write_atomic_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a longer file over which a shorter one is written, on what lies in the folder afterwards, and on a path that is text."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

with TemporaryDirectory() as _folder:
    _path = f"{_folder}/a.b"
    for _bytes in [b"a long one", b"short"]:
        write_atomic(_path, lambda file, text=_bytes: file.write(text))
    answer([Path(_path).read_bytes().decode(), sorted(os.listdir(_folder))], about="twice")
### END HIDDEN TESTS

# %% [markdown]
# ### A file that is no program
#
# In which format? A pickle would be the shortest, and it is a program (module 08): who loads a run from somebody else would execute it. So:
# arrays as NumPy's `.npz`, which holds nothing but numbers if one says so, and everything else as JSON.
#
# A file is an archive of a header, in JSON, and the arrays. JSON knows no arrays, and its keys are texts. So each `{}` of the header is
# ours, and has one key: `{"array": 0}` stands for array 0, `{"dict": [[key, value], ...]}` for a dict. Whatever your own keys are called,
# no dict of yours can be taken for an array.

# %% nbgrader={"grade": false, "grade_id": "save", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def save(state, path) -> None:
    """Write dicts, lists, numbers, texts, None and arrays, nested, to a file: whole or not at all."""
    arrays = []
    def pack(node):
        if isinstance(node, dict):
            return {"dict": [[pack(key), pack(value)] for key, value in node.items()]}
        if isinstance(node, list):
            return [pack(value) for value in node]
        if isinstance(node, np.ndarray) and not node.dtype.hasobject:
            arrays.append(node)
            return {"array": len(arrays) - 1}
        if node is None or isinstance(node, (int, float, str)):
            return node
        raise TypeError(f"a {type(node).__name__} cannot be saved: {node!r:.60}")
    header = np.frombuffer(json.dumps(pack(state)).encode(), np.uint8)
    write_atomic(path, lambda file: np.savez(file, header=header, **{str(i): a for i, a in enumerate(arrays)}))

# %%
with TemporaryDirectory() as folder:
    save({"epoch": 3, "rates": [0.1, None], "weights": {"w": np.zeros(2)}}, f"{folder}/a.npz")
    with np.load(f"{folder}/a.npz") as members:
        print(members["header"].tobytes(), members["0"])

# %% [markdown]
# `load` believes nothing: no pickles, no member that is compressed, or larger than the file itself (kilobytes can unpack to all of the
# memory). Whatever goes wrong inside, the file is said to be bad.
#
# `json.loads` gives each `{}` that it has read, the inner ones first, to `object_hook`, and puts what that returns in its place. Write
# `revive`: for `{"array": 0}` return `members["0"]` (the names of members are texts), for `{"dict": pairs}` the dict of these pairs,
# `dict(pairs)`. Two or three lines.

# %% nbgrader={"grade": false, "grade_id": "load", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def load(path):
    """What `save` wrote. Nothing in the file is run; a ValueError if it is no such file, or damaged."""
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as members:
                def revive(node: dict):
                    ### BEGIN SOLUTION
                    return members[str(node["array"])] if "array" in node else dict(node["dict"])
                    ### END SOLUTION
                entries = members.zip.infolist()
                if any(e.compress_type for e in entries) or sum(e.file_size for e in entries) > os.fstat(file.fileno()).st_size:
                    raise ValueError("its members are compressed, or overlap")
                return json.loads(members["header"].tobytes(), object_hook=revive)
        except Exception as error:  # a damaged or hostile file can raise anything
            raise ValueError(f"{path}: no file of save(), or damaged: {error!r}") from None

# %%
with TemporaryDirectory() as folder:
    save({"epoch": 3, "rates": [0.1, None], "weights": {"w": np.zeros(2)}}, f"{folder}/a.npz")
    found = load(f"{folder}/a.npz")
found

# %% nbgrader={"grade": true, "grade_id": "load_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""What was saved is loaded as it was, at any depth and with any keys; an array keeps shape and dtype; a broken file is a ValueError."""
arrays = [np.arange(4), np.eye(2, 3, dtype=np.float32)]
tree = {"a": [1, 2.5, None, True, "text", [], {}], "array": 3, "m": {"array": 1}, "n": {"dict": [["a", 1]]}, 7: {None: 0, "7": 1}}
with TemporaryDirectory() as folder:
    path = Path(folder, "tree.npz")
    save({**tree, "b": {"array": [arrays[0]], "c": arrays[1]}}, path)
    back, whole = load(path), path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    try:
        load(path)
    except ValueError as error:
        assert str(path) in str(error), f"the error must name the file; it says: {error}"
    else:
        raise AssertionError("half a file must be a ValueError")
assert isinstance(back, dict) and list(back) == [*tree, "b"], f"a dict with the keys {[*tree, 'b']}, not {back!r}"
for key, wanted in tree.items():
    assert repr(back[key]) == repr(wanted), f"{key!r} was {wanted!r}, and is loaded as {back[key]!r}"
assert isinstance(back["b"], dict) and list(back["b"]) == ["array", "c"], f"a dict with the keys 'array' and 'c', not {back['b']!r}"
for mine, wanted in zip([back["b"]["array"][0], back["b"]["c"]], arrays, strict=True):
    assert isinstance(mine, np.ndarray), f"an array is loaded as an array, not as {mine!r}"
    assert mine.dtype == wanted.dtype, f"{wanted.dtype} is loaded as {mine.dtype}"
    np.testing.assert_array_equal(mine, wanted, err_msg="an array came back as another")

# %% nbgrader={"grade": true, "grade_id": "load_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on lone values, on twelve arrays, on other keys, and on what is no file of `save`."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

with TemporaryDirectory() as _folder:
    _path = f"{_folder}/x"
    for _tree in [3, [], {}, np.arange(3), {"a": {"b": [np.full(2, i) for i in range(12)]}}, {"dict": {"array": "0"}, None: 1.5}]:
        save(_tree, _path)
        answer(load(_path), about="a tree")
    _raised = []
    for _bytes in [b"", b"PK", b"cbuiltins\nprint\n(Vx\ntR."]:
        Path(_path).write_bytes(_bytes)
        _raised.append(raised(load, _path))
    answer([_raised, raised(load, f"{_folder}/none")], about="no files of save")
### END HIDDEN TESTS

# %% tags=["raises-exception"]
with TemporaryDirectory() as folder:
    path = Path(folder, "run.npz")
    path.write_bytes(b"cbuiltins\nprint\n(VThis could have been any command on your computer.\ntR.")
    load(path)

# %% [markdown]
# ### The trainer's state
#
# `state_dict` collects it, `load_state_dict` puts it back; a state that does not fit changes nothing. `_check` compares kinds, keys, shapes
# and dtypes.

# %% nbgrader={"grade": false, "grade_id": "state", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _check(new, old, name: str) -> None:
    """A ValueError unless `new` has the kinds, keys, shapes and dtypes of `old`."""
    kinds = [f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__ for x in (new, old)]
    if kinds[0] != kinds[1]:
        raise ValueError(f"{name} is {kinds[0]}, not {kinds[1]}")
    if isinstance(old, (dict, list)):
        new, old = (x if isinstance(x, dict) else dict(enumerate(x)) for x in (new, old))
        wrong = [f"{key} is missing" for key in old if key not in new] + [f"{key} is unexpected" for key in new if key not in old]
        if wrong:
            raise ValueError(f"{name}: {', '.join(wrong)}")
        for key in old:
            _check(new[key], old[key], f"{name} {key}")

# %% nbgrader={"grade": false, "grade_id": "run_state", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_trainer
class _State:
    def state_dict(self) -> dict:
        """All that the next step depends on."""
        return {
            "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "position": {name: getattr(self, name) for name in ("epoch", "batches", "seen", "total")},
            "seed": self.seed, "generators": [generator.bit_generator.state for generator in self._generators()],
            "stopping": {name: getattr(self.stopping, name) for name in ("best", "waited", "weights")}, "history": list(self.history),
        }

# %% nbgrader={"grade": false, "grade_id": "run_loading", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_trainer
class _Loading:
    def load_state_dict(self, state: dict) -> None:
        """Go on where that run was; a ValueError if the state does not fit, and then nothing is changed."""
        mine, resumed = self.state_dict(), self.resumed
        try:
            self._restore(state, mine)
        except Exception as error:  # a damaged or hostile state can raise anything
            self._restore(mine, mine)
            self.resumed = resumed
            raise ValueError(f"nothing was loaded: {error}") from None

    def _restore(self, state: dict, mine: dict) -> None:
        _check(dict.fromkeys(state), dict.fromkeys(mine), "the run")
        seed, rows, weights = state["seed"], state["history"], state["stopping"]["weights"]
        like = {**mine, "optimizer": state["optimizer"], "seed": None if seed is None else 0}
        like["history"] = [dict.fromkeys(row, 0.0) for row in rows]
        like["stopping"] = {**mine["stopping"], "weights": None if weights is None else mine["model"]}
        _check(state, like, "the run's")
        self.optimizer.load_state_dict(state["optimizer"])
        _check(state["optimizer"], self.optimizer.state_dict(), "the run's optimizer")
        self.model.load_state_dict(state["model"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        for generator, then in zip(self._generators(), state["generators"], strict=True):
            generator.bit_generator.state = then
        self.seed, self.history, self.resumed = seed, list(rows), state["generators"]
        vars(self).update(state["position"])
        vars(self.stopping).update(state["stopping"])

    def save(self, path) -> None: save(self.state_dict(), path)
    def load(self, path) -> None:
        """Go on where the run in that file was; a ValueError if it does not fit, and then nothing is changed."""
        state = load(path)
        try:
            self.load_state_dict(state)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

# %% [markdown]
# Now the promise. One run of six epochs, undisturbed; and one that ends after three, in a file. The second half is done by a trainer that
# began with other weights, another seed and other random numbers. How far apart will the weights be?

# %%
def run(seed):
    model = new_model(seed)
    return Trainer(model, SGD(model.parameters(), lr=0.1, momentum=0.9)), DataLoader(train, batch_size=64, shuffle=True)

# %%
undisturbed, loader = run(seed=0)
undisturbed.fit(loader, 6, progress=False)

# %%
with TemporaryDirectory() as folder:
    first, loader = run(seed=0)
    first.fit(loader, 3, save=f"{folder}/run.npz", progress=False)
    second, loader = run(seed=99)
    second.load(f"{folder}/run.npz")
second.fit(loader, 6, progress=False)

# %% [markdown]
# `==` on each weight, and no tolerance:

# %%
pairs = zip(undisturbed.model.parameters(), second.model.parameters())
assert all(np.array_equal(a.data, b.data) for a, b in pairs) and undisturbed.history == second.history
[row["loss"] for row in second.history]

# %% [markdown]
# And a run of another model?

# %% tags=["raises-exception"]
with TemporaryDirectory() as folder:
    second.save(f"{folder}/run.npz")
    other = MLP([64, 32, 10], relu)
    Trainer(other, SGD(other.parameters(), lr=0.1)).load(f"{folder}/run.npz")

# %% [markdown]
# ## Use: moons, then digits
#
# Which half circle is a point on? One logit, and the loss for yes or no. The moons are synthetic: a task on which one can look at
# everything that the network thinks.

# %%
manual_seed(0)
(x, label), net = two_moons(400, noise=0.15), MLP([2, 16, 16, 1], relu)
moons = DataLoader(TensorDataset(x, label.data[:, None].astype(np.float32)), batch_size=50, shuffle=True, seed=0)
moon_trainer = Trainer(net, Adam(net.parameters(), lr=0.01), binary_cross_entropy_with_logits)
moon_trainer.fit(moons, 40, progress=False)
moon_trainer.evaluate(moons)

# %%
corners = np.linspace(-2, 3, 100)
grid = np.stack(np.meshgrid(corners, corners), axis=-1).reshape(-1, 2)
with evaluating(net):
    yes = sigmoid(net(Tensor(grid))).data.reshape(100, 100)

# %%
plt.figure(figsize=(4, 3.2))
plt.contourf(corners, corners, yes, levels=np.linspace(0, 1, 11), cmap="RdBu", alpha=0.7)
plt.scatter(*x.data.T, c=label.data, cmap="bwr_r", s=6);

# %% [markdown]
# The real thing: 1,097 digits to learn from, 200 to choose the epoch by, and 500 that are looked at once. Everything from above
# takes part: Adam with a schedule of one cycle, a dropout, patience. How many of the 500 will be right?

# %%
manual_seed(0)
model = Sequential(Flatten(), Dense(64, 256, relu), Dropout(0.3), Dense(256, 10))
optimizer = Adam(model.parameters())
schedule = OneCycleLR(optimizer, max_lr=0.01, total_steps=25 * len(train_loader))

# %%
trainer = Trainer(model, optimizer, scheduler=schedule, patience=8)
history = trainer.fit(train_loader, 25, validation=choose_loader)

# %%
result = trainer.evaluate(test_loader)
assert result["accuracy"] >= 0.97
result

# %%
plot_history(history);

# %% [markdown]
# Two more pictures say where the mistakes are, and what they look like.

# %% nbgrader={"grade": false, "grade_id": "plot_confusion", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def plot_confusion_matrix(matrix: np.ndarray, classes=None):
    """The counts, a row for each true class, shaded by their share of the row; matplotlib's Axes."""
    import matplotlib.pyplot as plt
    names, shares = classes or range(len(matrix)), matrix / matrix.sum(1, keepdims=True).clip(1)
    _, ax = plt.subplots(figsize=(1.2 + 0.4 * len(matrix),) * 2, layout="constrained")
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), count in np.ndenumerate(matrix):
        ax.text(j, i, count, ha="center", va="center", fontsize=8, color="white" if shares[i, j] > 0.5 else "black")
    ax.set(xlabel="predicted", ylabel="true", xticks=range(len(matrix)), yticks=range(len(matrix)), yticklabels=names)
    ax.set_xticklabels(names, rotation=90)
    return ax

def plot_mistakes(images, logits, targets, classes=None, n: int = 10):
    """The worst mistakes, farthest from right first; images (n, channels, height, width), bytes or floats from 0 to 1; Axes."""
    import matplotlib.pyplot as plt
    x, guess, t = np.asarray(logits), predicted(logits), class_numbers(logits, targets)
    order = (x[np.arange(len(x)), t] - x[np.arange(len(x)), guess]).argsort(kind="stable")
    names, bare = classes or range(x.shape[1]), {"frame_on": False, "xticks": [], "yticks": []}
    _, axes = plt.subplots(1, n, figsize=(1.2 * n, 1.8), layout="constrained", squeeze=False, subplot_kw=bare)
    for ax, i in zip(axes[0], order[: (guess != t).sum()]):
        picture = np.asarray(images[i]).transpose(1, 2, 0)
        ax.imshow(picture if picture.dtype == np.uint8 else picture.clip(0, 1), cmap="gray_r")
        ax.set_title(f"{names[t[i]]}\ntaken for\n{names[guess[i]]}", fontsize=8)
    return axes[0]

# %%
logits, targets = trainer.predict(test_loader)
plot_confusion_matrix(confusion_matrix(logits, targets), digits.classes);

# %%
plot_mistakes(test[:][0], logits, targets, digits.classes);

# %% [markdown]
# ## Systems: where a step's time goes
#
# A step has four parts: the data, forward, backward, the update. A network for images of CIFAR-10's size, 3072-512-256-10, with a batch of
# 128. Count first:
#
# - forward: $2 \cdot 128$ floating-point operations for each of the 1.7 million weights;
# - backward: twice as much, a product for the weights and one for the inputs of each layer; but nobody asks for the gradient of the images,
#   so the largest layer needs only one;
# - update, SGD with momentum: reads weight, gradient and momentum, writes weight and momentum: 20 bytes a weight.
#
# Which ratio of backward to forward do you predict?

# %%
weights = [3072 * 512, 512 * 256, 256 * 10]
forward, inputs = 2 * 128 * sum(weights), 2 * 128 * weights[0]
print(f"forward {readable(forward, 'FLOP')}  backward {readable(2 * forward - inputs, 'FLOP')}  update {readable(20 * sum(weights), 'B')}")

# %% [markdown]
# Times do not depend on what an image shows, so we measure on noise, wherever you are. Beside it, a convolutional network, whose two
# convolutions have few weights, each used at every place of the image.

# %%
def parts(model, optimizer, loader):
    """Seconds for data, forward, backward and update: of each the least over the steps of an epoch."""
    times, batches = [], iter(loader)
    for _ in range(len(loader)):
        marks = [perf_counter()]
        x, y = next(batches)
        marks.append(perf_counter())
        loss = cross_entropy(model(x), y)
        marks.append(perf_counter())
        optimizer.zero_grad()
        loss.backward()
        marks.append(perf_counter())
        optimizer.step()
        times.append(np.diff([*marks, perf_counter()]))
    return np.min(times, axis=0)

# %%
def convolutional():
    return Sequential(Conv2d(3, 32, 3, padding=1), relu, MaxPool2d(2), Conv2d(32, 64, 3, padding=1), relu, MaxPool2d(2),
                      Flatten(), Dense(4096, 128, relu), Dense(128, 10))

rng = np.random.default_rng(0)
noise = ImageDataset(rng.integers(0, 256, (3840, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, 3840))
augment = Compose([RandomCrop(4), RandomHorizontalFlip(), Normalize([0.5] * 3, [0.25] * 3)])
noise_loader = DataLoader(noise, batch_size=128, shuffle=True, transform=augment, seed=0)

# %%
for name, net in [("MLP", Sequential(Flatten(), MLP([3072, 512, 256, 10], relu))), ("CNN", convolutional())]:
    seconds = parts(net, SGD(net.parameters(), lr=0.01, momentum=0.9), noise_loader)
    columns = zip(["data", "forward", "backward", "update"], seconds, strict=True)
    print(f"{name}  " + "  ".join(f"{part} {1e3 * t:6.2f} ms {t / sum(seconds):4.0%}" for part, t in columns))

# %% [markdown]
# ### Accumulation against batch size
#
# 512 examples for one step, in one piece, in 4 and in 16. What a graph keeps grows with the piece; the gradients of the weights are there
# in any case. Predict the factor between the first and the last peak.

# %%
net = Sequential(Flatten(), MLP([64, 256, 256, 256, 10], relu))
trainer = Trainer(net, SGD(net.parameters(), lr=0.01))
x, y = Tensor(np.ones((512, 64))), Tensor(np.arange(512) % 10)

# %%
gradients = 4 * sum(p.size for p in net.parameters())
for size in [512, 128, 32]:
    pieces = [(x[i : i + size], y[i : i + size]) for i in range(0, 512, size)]
    graph = 4 * size * (3 * 2 * 256 + 2 * 10)
    print(f"pieces of {size:3}  graph {readable(graph, 'B'):>8} + gradients {readable(gradients, 'B')}, "
          f"measured {readable(peak_memory(trainer.step, pieces), 'B'):>8}")

# %% [markdown]
# And the accuracy? Three runs over the same digits in the same order: batches of 256; of 64, four to a step; of 64, each a step. Which two
# will agree?

# %%
for size, accumulate in [(256, 1), (64, 4), (64, 1)]:
    manual_seed(0)
    net = Sequential(Flatten(), MLP([64, 128, 10], relu))
    trainer = Trainer(net, SGD(net.parameters(), lr=0.1, momentum=0.9), accumulate=accumulate)
    trainer.fit(DataLoader(train, batch_size=size, shuffle=True, seed=0), 5, progress=False)
    print(f"{accumulate} x {size:3}  {trainer.evaluate(choose_loader)}")

# %% [markdown]
# ## CIFAR-10
#
# 60,000 photographs. Where they are missing, the next cell says how to get them, and the cells below it have nothing to work on. Of the
# 50,000 to train with, 5,000 are held back for choices; the 10,000 to test with are used once, at the end.

# %% tags=["raises-exception"]
photos, photos_test = CIFAR10(train=True), CIFAR10(train=False)
learn, hold = random_split(photos, [45_000, 5_000], np.random.default_rng(0))
scale = Normalize(*channel_statistics(DataLoader(learn, batch_size=1000)))
hold_loader, final_loader = (DataLoader(part, batch_size=500, transform=scale) for part in (hold, photos_test))

# %% [markdown]
# First the MLP, to which a photograph is a list of numbers. (Count first: 6 epochs are 2,100 steps, and you know what a step takes.)

# %% tags=["raises-exception"]
manual_seed(0)
mlp = Sequential(Flatten(), MLP([3072, 512, 256, 10], relu))
loader = DataLoader(learn, batch_size=128, shuffle=True, transform=scale, seed=0, prefetch=2)
optimizer = AdamW(mlp.parameters())
mlp_trainer = Trainer(mlp, optimizer, scheduler=OneCycleLR(optimizer, 1e-3, 6 * len(loader)))

# %% tags=["raises-exception"]
plot_history(mlp_trainer.fit(loader, 6, validation=hold_loader));

# %% [markdown]
# The training loss falls on, the other hardly: what it learns now is of use to these images only. Now the convolutional network from above, to which neighbours are
# neighbours, with crops and mirror images.

# %% tags=["raises-exception"]
manual_seed(0)
cnn = convolutional()
augment = Compose([RandomCrop(4), RandomHorizontalFlip(), scale])
loader = DataLoader(learn, batch_size=128, shuffle=True, transform=augment, seed=0, prefetch=2)
optimizer = SGD(cnn.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
cnn_trainer = Trainer(cnn, optimizer, scheduler=OneCycleLR(optimizer, 0.05, 6 * len(loader)))

# %% tags=["raises-exception"]
plot_history(cnn_trainer.fit(loader, 6, validation=hold_loader));

# %% [markdown]
# The test images, for the first and only time. Which classes will be confused most?

# %% tags=["raises-exception"]
logits, targets = cnn_trainer.predict(final_loader)
print(f"MLP {mlp_trainer.evaluate(final_loader)['accuracy']:.1%}, CNN {accuracy(logits, targets):.1%} of 10,000 photographs")
plot_confusion_matrix(confusion_matrix(logits, targets), photos.classes);

# %% tags=["raises-exception"]
plot_mistakes(photos_test.images, logits, targets, photos.classes);

# %% [markdown]
# ## Reflect
#
# Your table of a step's parts: state the ratio of backward to forward that the counts predict for the MLP, and the measured one, and name
# one reason for the difference that is not in the counts. Then: by how many percent would a step of each of the two networks get shorter at
# most, if updates cost nothing? At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "step_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# Predicted: (2 · 437 - 403) / 437 = 1.08. Measured: 2.49 ms against 2.59 ms, 0.96. The counts know only products: forward also writes each
# layer's result into memory that was never used before, backward needs ReLU's masks and the sums for the biases, and products of different
# shapes run at different speeds. If updates cost nothing, a step would get shorter by their share: at most 13 % for the MLP (1.0 of 7.5
# ms), under 2 % for the CNN, which has a third of the weights and computes much more with each.
#
# Rubric: 2 points for 1.08 from the counts, 1 for the own measured ratio, 1 for a valid reason; 3 for both shares from the own table, as an
# upper bound (2 without the two networks compared).

# %% [markdown]
# From the table of peaks: by which factor does the *graph* shrink from 512 to 32, by which factor the measured peak, and why are the two
# not equal? Name a layer or a loss, in this course or elsewhere, with which accumulation is *not* the large batch, and say why. At most
# five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "accumulation_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The graph shrinks by 16, from 3.19 to 0.20 MB, the peak from 4.38 to 1.47 MB, by 3.0. The gradients of the weights, 0.6 MB, do not shrink,
# and while those of the next piece are computed, before they are added, they are there a second time: 0.2 + 2 · 0.6 = 1.4 MB. A
# normalisation by the statistics of the batch (batch norm) is not the same, as each piece is normalised by its own mean; nor is a loss
# which compares the examples of a batch with each other.
#
# Rubric: 2 points for the factor 16, 1 for the measured factor, 2 for the gradients as the part that stays; 2 for a valid case with its
# reason (dropout counts: other numbers are dropped).

# %% [markdown]
# Somebody saves the model's weights only. After resuming, four things differ from the undisturbed run: the optimizer's memory, the position
# of the schedule, the order of the images, and dropout's random numbers. Say for each whether you would *see* it in the curve of the
# training loss, and how. Then try one: change its part of `state_dict()` before `load_state_dict`, and look. At most six sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "resume_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# The schedule would be seen at once: one cycle begins again with small rates, and the loss jumps when they are large for a second time. The
# others hide in the noise. I resumed with an empty state of SGD: the losses of epochs 4 to 6 were 0.240, 0.197, 0.184, where the
# undisturbed run had 0.254, 0.174, 0.168. Another order alone gave 0.245, 0.204, 0.179, which is as far away: with momentum 0.9 some ten
# steps fill the memory again, and an epoch has 18. So a wrong resumption is found by comparing bits, not by looking at curves.
#
# Rubric: 1 point for each of the four with what is seen; 2 for an own trial with its figures.

# %% [markdown]
# ## Summary
#
# Losses come from likelihoods, from logits, and do not overflow. A `Trainer` accumulates, clips, follows a schedule, validates, stops, and
# survives, to the last bit. Your framework learns photographs. What it learned is large and in float32: module 12 makes it small, module 13
# fast.
