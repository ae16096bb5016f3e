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
#     hours: 6
#     goals:
#     - derive a loss from a likelihood, and compute it from logits without overflow
#     - find what is wrong with a training loop from what it does
#     - write a step that accumulates gradients over several batches
#     - stop, kill and resume a run, with the same result to the last bit
#     - measure where the time of a step goes, and what accumulation saves
# ---

# %% [markdown]
# # Training
#
# > Losses without overflow, metrics, and a trainer whose runs resume to the last bit.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# `import tinytorch` now means your own package: the modules before this one.
from tito.workspace import use_prefix

use_prefix(11)

# %% [markdown]
# ## Why
#
# All parts are there: data, layers, gradients, optimizers. A loop over batches puts
# them together. The loss is what the textbook says: $-\log$ of the probability of the
# right class. Here is such a loop on two half moons, synthetic points from module 05's
# `two_moons`. The learning rate is too high. What will the last losses be?

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
# One step was too long, and a probability was rounded to 0. Its logarithm is $-\infty$,
# the gradients are nan, and from then on all weights are nan. What the loop had learned
# is lost, since nobody saved it. NumPy warned, but nothing raised an error. In this
# module we mend the loss first, and then the loop.

# %%
#| default_exp core.training

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import json
import os
import sys
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from inspect import signature
from itertools import islice
from time import perf_counter

import numpy as np
from numpy import ndarray

from tinytorch.core.activations import SigmoidOp, log_softmax
from tinytorch.core.autograd import gradient, no_grad
from tinytorch.core.dataloader import DataLoader
from tinytorch.core.layers import Layer, _evaluation
from tinytorch.core.optimizers import ReduceLROnPlateau, _compare, clip_grad_norm_
from tinytorch.core.tensor import Op, Tensor, apply, default_generator, stack, where

# %% [markdown]
# The cells below also use these names. They will not be part of the package's file. The
# checks compare arrays with `same`; you need not read it.

# %% nbgrader={"grade": false, "grade_id": "pieces", "locked": true, "schema_version": 3, "solution": false, "task": false}
import threading
from inspect import isgeneratorfunction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from tinytorch.core.activations import relu, sigmoid, softmax, tanh
from tinytorch.core.autograd import RULES, gradcheck, is_grad_enabled
from tinytorch.core.dataloader import (
    CIFAR10, Compose, Digits, ImageDataset, Normalize, RandomCrop,
    RandomHorizontalFlip, TensorDataset, channel_statistics, random_split,
)
from tinytorch.core.dense import MLP, Dense, Dropout, Flatten, Sequential, two_moons
from tinytorch.core.layers import Linear
from tinytorch.core.optimizers import SGD, Adam, AdamW, OneCycleLR, StepLR
from tinytorch.core.setup import peak_memory, readable
from tinytorch.core.spatial import Conv2d, MaxPool2d
from tinytorch.core.tensor import manual_seed

def same(found, wanted, sentence, rtol=1e-5, atol=1e-6):
    """Stop with the sentence, and with both sides, where two arrays differ."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    sides = [
        f"{a.item():.6g}" if a.size == 1 else np.array2string(a, 88, 6, threshold=8)
        for a in (found, wanted)
    ]
    shapes = f"The shape is {found.shape}, and should be {wanted.shape}."
    assert found.shape == wanted.shape, f"{sentence} {shapes}"
    equal = np.allclose(found, wanted, rtol, atol)
    assert equal, f"{sentence} It is {sides[0]}, and should be {sides[1]}."

# %% [markdown]
# ## 1. Losses
#
# Where does a loss come from? A network with weights $w$ says how *likely* each
# possible target is. The best weights make the observed targets likely. Observations
# are independent, so their likelihoods multiply. The logarithm turns the product into a
# sum. The minus sign is there because we minimise. The mean does not grow with the
# batch:
#
# $$L(w) = -\frac{1}{n} \sum_i \log p_w(t_i \mid x_i)$$
#
# All losses of this module are this formula.
#
# ### Numbers
#
# Let the target $t$ be the prediction $y$ plus normal noise of a fixed spread $\sigma$.
# Then $-\log p = (y - t)^2 / 2\sigma^2$ plus a constant. So the best weights have the
# smallest **mean squared error**, $\frac{1}{n} \sum (y_i - t_i)^2$: a difference and a
# mean. What could go wrong?

# %%
prediction, target = Tensor(np.arange(4.0).reshape(4, 1)), Tensor(np.arange(4.0))
((prediction - target) ** 2).mean()

# %% [markdown]
# Four perfect predictions, and a loss of 2.5. The network returned a column (4, 1), the
# targets are (4,), and broadcasting made a table of all 16 differences.
#
# The mean is the usual way from many losses to one number. Sometimes the sum is wanted,
# or each loss by itself: `reduction` says which, as in PyTorch, and `reduced` does it.

# %% nbgrader={"grade": false, "grade_id": "reduced", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def reduced(losses: Tensor, reduction: str) -> Tensor:
    """The "mean" of the losses, or their "sum", or the losses themselves: "none"."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is mean, sum or none, not {reduction!r}")
    if reduction == "none":
        return losses
    if reduction == "mean" and not losses.size:
        raise ValueError("an empty batch has no mean loss")
    return losses.mean() if reduction == "mean" else losses.sum()

# %% [markdown]
# Write `mse_loss`. If the shapes of prediction and target differ, raise a `ValueError`
# that names both shapes. The target may be a tensor, an array or, for a prediction of
# shape (), a plain number: `np.shape` takes them all. Reduce the squares with
# `reduced`. Return a tensor, so that `backward` can start from it. About four lines.

# %% nbgrader={"grade": false, "grade_id": "mse_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def mse_loss(prediction: Tensor, target, reduction: str = "mean") -> Tensor:
    """The mean of (prediction - target)²; a ValueError if their shapes differ."""
    ### BEGIN SOLUTION
    if prediction.shape != np.shape(target):
        raise ValueError(f"predictions {prediction.shape}, targets {np.shape(target)}")
    d = prediction - target
    return reduced(d * d, reduction)
    ### END SOLUTION

# %% [markdown]
# Differences of 1 and 2. Which loss?

# %%
mse_loss(Tensor([1.0, 4.0]), Tensor([2.0, 2.0]))

# %% nbgrader={"grade": true, "grade_id": "mse_loss_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""The loss is one number, its gradient 2 (y - t) / n; other shapes are refused."""
prediction = Tensor([[1.0, 4.0, -2.0]], requires_grad=True)
target = np.array([[0.0, 6.0, -1.0]])
loss = mse_loss(prediction, target)
assert isinstance(loss, Tensor) and loss.shape == (), (
    f"Return a tensor with one number. This came: {loss!r:.60}"
)
assert loss.dtype == np.float32, f"float32 in, {loss.dtype} out: compute with tensors."
same(loss.item(), 2.0, "(1 + 4 + 1) / 3 = 2: the loss is wrong.")
assert loss.requires_grad, "The loss has lost its graph: compute with tensors."
loss.backward()
same(prediction.grad.data, [[2 / 3, -4 / 3, -2 / 3]], "The gradient is 2 (y - t) / n.")
loss = mse_loss(Tensor(3.0), 1.0)
same(loss.item(), 4.0, "A plain number as target: (3 - 1)² = 4.")
for reduction, wanted in [("none", [[1.0, 4.0, 1.0]]), ("sum", 6.0)]:
    found = mse_loss(prediction, target, reduction=reduction)
    same(found.data, wanted, f"With reduction {reduction!r} the squares are wrong.")
for y, t in [(Tensor([[1.0], [2.0]]), Tensor([1.0, 2.0])), (Tensor([1.0, 2.0]), 1.5)]:
    sides = str(y.shape), str(np.shape(t))
    try:
        found = mse_loss(y, t)
    except Exception as error:
        assert isinstance(error, ValueError), f"Raise a ValueError, not {error!r:.60}"
        assert all(side in str(error) for side in sides), (
            f"The error must name {sides[0]} and {sides[1]}. It says: {error}"
        )
    else:
        raise AssertionError(
            f"Shapes {sides[0]} and {sides[1]} differ: raise a ValueError. "
            f"Broadcasting gave {found.item():.6g}."
        )

# %% nbgrader={"grade": true, "grade_id": "mse_loss_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on images, which must not change, and on targets of other shapes."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_rng = np.random.default_rng(0)
_y, _t = Tensor(_rng.random((2, 3, 4, 5))), _rng.random((2, 3, 4, 5))
answer([mse_loss(_y, _t), _y, _t], about="images, and the images afterwards")
answer(mse_loss(_y, _t, "none"), about="the squares themselves")
_pairs = [(Tensor([1.0, 2.0]), 1.0), (Tensor([1.0]), Tensor([[1.0]]))]
answer([raised(mse_loss, *_pair) for _pair in _pairs], about="other shapes")
### END HIDDEN TESTS

# %% [markdown]
# ### Classes
#
# A classifier gives one number for each class, the logits $x$. Softmax makes
# probabilities of them, $p_k = e^{x_k} / \sum_j e^{x_j}$. The likelihood of the target
# class $t$ is $p_t$, so the loss is $-\log p_t$, the **cross-entropy**. We compute it
# through the probability, in float32:

# %%
logits = Tensor([[0.0, 200.0]])
-softmax(logits, 1).log()[0, 0]

# %% [markdown]
# The right value is 200. But $e^{-200}$ is smaller than any float32 number above 0. In
# the formula, the logarithm and the exponential cancel:
#
# $$-\log p_t = \log \sum_j e^{x_j} - x_t$$
#
# And if we subtract the maximum from all logits of a row first, which changes no
# difference, then no exponent is above 0, and the sum is at least 1.
#
# **Label smoothing** (Szegedy et al. 2016) asks for less than certainty. The target
# class gets $1 - \varepsilon$, and $\varepsilon$ is spread evenly over all $C$ classes:
# $q_k$ is $\varepsilon / C$, plus $1 - \varepsilon$ if $k$ is the target. With
# $\bar{x}$ the mean of the $C$ logits:
#
# $$-\sum_k q_k \log p_k
# = \log \sum_j e^{x_j} - (1 - \varepsilon)\, x_t - \varepsilon\, \bar{x}$$

# %% [markdown]
# Write it as one op. `shifted` holds the logits minus their row's maximum, (n, C). Use
# it for all $x$ of the formula; the logits themselves must not change.
#
# - Compute $e^x$ and its row sums, then the softmax `p`. The derivative needs `p` and
#   nothing else: keep it with `self.saved = (p,)`, a tuple with one array.
# - `shifted[np.arange(n), targets]` picks $x_t$ in each row.
# - Each row has one loss: make an array (n,) of them, and return its mean. A column
#   (n, 1) must never meet an array (n,): that would be a table of n x n again.
# - A logit may be $-\infty$. So do not use the last term if `e` is 0.
#
# The loss has the dtype of `x`. About seven lines.

# %% nbgrader={"grade": false, "grade_id": "cross_entropy_op", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class CrossEntropyOp(Op):
    """CrossEntropyOp(targets, e): the mean smoothed cross-entropy of logits (n, C)."""
    def forward(self, x: ndarray) -> ndarray:
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
# Two examples. The first is undecided between two classes, the second is sure of the
# wrong one by 200. Which mean?

# %%
op = CrossEntropyOp(np.array([0, 0]), 0.0)
op.forward(np.array([[5.0, 5.0], [0.0, 200.0]], np.float32)), op.saved

# %% nbgrader={"grade": true, "grade_id": "cross_entropy_op_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The loss is minus the mean log-probability, at any size of the logits."""
x, t = np.random.default_rng(0).standard_normal((5, 3)), np.array([2, 0, 1, 1, 0])
log_p = x - np.log(np.exp(x).sum(1, keepdims=True))
before = x.copy()
for e in [0.0, 0.1, 1.0]:
    q = np.full((5, 3), e / 3)
    q[np.arange(5), t] += 1 - e
    op = CrossEntropyOp(t, e)
    found, wanted = op.forward(x), -(q * log_p).sum(1).mean()
    assert found is not None and np.shape(found) == (), (
        f"forward must return one number. This came: {found!r:.60}"
    )
    same(found, wanted, f"With a smoothing of {e} the loss is wrong.")
same(x, before, "The logits were changed.")
assert isinstance(op.saved, tuple) and np.shape(op.saved) == (1, 5, 3), (
    f"self.saved must be (p,), with p of shape (5, 3). It is {op.saved!r:.60}"
)
same(op.saved[0], np.exp(log_p), "What is saved must be the softmax of the logits.")
large = np.array([[-1e4, 1e4], [3e4, 3e4]], np.float32)
found = CrossEntropyOp(np.array([0, 1]), 0.0).forward(large)
same(found, (2e4 + np.log(2)) / 2, "Losses of 20,000 and log 2: their mean is wrong.")
assert isinstance(found, np.float32), (
    f"float32 logits must give a float32 loss, not {type(found).__name__}."
)
excluded = np.array([[0.0, -np.inf, 0.0]])
found = CrossEntropyOp(np.array([2]), 0.0).forward(excluded)
same(found, np.log(2), "-inf excludes a class: each of the two others costs log 2.")
rows = np.zeros((1000, 2), np.float32)
for e in [0.0, 0.5]:
    op = CrossEntropyOp(np.zeros(1000, int), e)
    needed = peak_memory(op.forward, rows)
    assert needed < 1_000_000, (
        f"1000 rows of 2 logits, {rows.nbytes:,} bytes, needed {needed:,} bytes: "
        "a column (n, 1) met an array (n,), and broadcasting made a table of n x n."
    )

# %% nbgrader={"grade": true, "grade_id": "cross_entropy_op_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Checked on other logits, on a class that is excluded by -inf, and on the logits."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32) * 30
_before, _op = _x.copy(), CrossEntropyOp(np.array([3, 2, 1, 0, 0, 3]), 0.2)
_loss = np.asarray(_op.forward(_x))
answer([_loss, _op.saved[0], bool((_x == _before).all())], about="smoothed", rtol=1e-4)
_op = CrossEntropyOp(np.array([0, 2]), 0.0)
_x = np.array([[1.0, -np.inf, 2.0], [-np.inf, 0.0, 0.0]], np.float32)
answer(np.asarray(_op.forward(_x)), about="excluded classes")
### END HIDDEN TESTS

# %% [markdown]
# ### Rows that count
#
# A language model answers at every place of a text: its logits are (n, C, T), its
# targets (n, T). Short texts were padded (module 07). At those places there is nothing
# to learn, and their target is a number that means "ignore this", -100 in PyTorch. Two
# texts, of three places and of one. What happens to the mean loss if the batch is
# padded further?

# %%
losses = np.array([[2.0, 1.0, 3.0], [2.0, 0.0, 0.0]])  # 0 where there is no text
losses.mean(), np.pad(losses, ((0, 0), (0, 5))).mean(), losses[losses > 0].mean()

# %% [markdown]
# It falls, although nothing was learned. So the op gets only the rows that count. Write
# `counted_rows`, for `logits` (n, C, \*d) and `targets` (n, \*d), with any number of
# further axes `*d`, or none:
#
# - each place becomes a row of C logits. The axis of the classes must become the last
#   one *before* the reshape: `permute` takes the order of the axes. A reshape alone
#   would mix the logits of different places, without an error;
# - rows whose target is `ignore_index` are left out, and so are these targets.
#
# Return the rows (N, C), a tensor, and the targets (N,). About four lines.

# %% nbgrader={"grade": false, "grade_id": "counted_rows", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def counted_rows(
    logits: Tensor, targets: ndarray, ignore_index: int = -100
) -> tuple[Tensor, ndarray]:
    """The places that count: (n, C, *d), (n, *d) -> (N, C), (N,)."""
    ### BEGIN SOLUTION
    axes = [0, *range(2, logits.ndim), 1]
    rows, t = logits.permute(axes).reshape(-1, logits.shape[1]), targets.reshape(-1)
    counts = t != ignore_index
    return rows[counts], t[counts]
    ### END SOLUTION

# %% [markdown]
# One text of three places, and logits for two classes. Which three rows? And which, if
# the last place is padding?

# %%
logits = Tensor([[[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]]])
counted_rows(logits, np.array([[0, 1, 1]]))

# %%
counted_rows(logits, np.array([[0, 1, -100]]))

# %% nbgrader={"grade": true, "grade_id": "counted_rows_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Each place is a row of its own logits; places that are ignored are left out."""
rng = np.random.default_rng(0)
for d in [(), (4,), (2, 5)]:
    x = Tensor(rng.standard_normal((3, 2, *d)), requires_grad=True)
    t, before = rng.permutation(x.size // 2).reshape(3, *d) % 2, x.data.copy()
    for ignored in (-100, 1):
        rows, left = counted_rows(x, t, ignored)
        said = f"Logits {x.shape}, targets {t.shape}, ignore_index {ignored}:"
        places = [place for place in np.ndindex(t.shape) if t[place] != ignored]
        wanted = np.array([x.data[(i, slice(None), *p)] for i, *p in places])
        assert isinstance(rows, Tensor), f"{said} the rows must be a tensor."
        same(rows.data, wanted, f"{said} row k must be the logits of place k.")
        same(left, [t[place] for place in places], f"{said} the targets are wrong.")
        assert rows.requires_grad, f"{said} the rows have lost their graph."
    same(x.data, before, "The logits were changed.")

# %% nbgrader={"grade": true, "grade_id": "counted_rows_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
"""Checked where classes and places are equally many, and on the gradient."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor(np.arange(18.0).reshape(2, 3, 3), requires_grad=True)
_rows, _t = counted_rows(_x, np.array([[0, 5, 1], [5, 2, 0]]), 5)
(_rows * _rows).sum().backward()
answer([_rows, _t, _x.grad], about="three classes, three places")
### END HIDDEN TESTS

# %% [markdown]
# ### Its gradient
#
# The derivative is the reason to make softmax and cross-entropy one op. All
# exponentials and logarithms cancel. What remains is the difference between what the
# network says and what it should say:
#
# $$\frac{\partial L}{\partial x_k} = \frac{1}{n} (p_k - q_k)$$
#
# with $q_k = \varepsilon / C$, plus $1 - \varepsilon$ at the target. `grad`, the
# gradient of what comes after, is one number: multiply by it. Make a new array (n, C),
# since `p` itself must not change. As in module 09, a rule returns a tuple with one
# gradient for each input: here `(g,)`. About five lines.

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

# %% nbgrader={"grade": false, "grade_id": "cross_entropy", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _classes(logits, targets, ignore_index=None) -> tuple[ndarray, ndarray | None]:
    """A copy of the targets as int64, one a row; where they are ignored, or None."""
    t, dims, ignored = np.array(targets), logits.shape, None
    fits = len(dims) > 1 and t.shape == dims[:1] + dims[2:]
    if not t.size or t.dtype.kind not in "iu" or not fits:
        said = f"these are {dims} and {t.shape} of {t.dtype}"
        raise ValueError(f"logits (n, classes) need integers (n,), with n > 0; {said}")
    t = t.reshape(-1)
    wrong = (t < 0) | (t >= dims[1])
    if wrong.any() or (ignore_index is not None and ignore_index >= 0):
        ignored = t == ignore_index
        wrong &= ~ignored
        if wrong.any():
            row = wrong.argmax()
            raise ValueError(f"target {row} is class {t[row]}, not 0 to {dims[1] - 1}")
    return t.astype(np.int64, copy=False), ignored

def class_numbers(logits, targets) -> ndarray:
    """A copy of the targets as int64, one a row; an error if one is not a class."""
    return _classes(logits, targets)[0]

def cross_entropy(
    logits: Tensor, targets, label_smoothing: float = 0.0, *, weight=None,
    ignore_index: int = -100, reduction: str = "mean",
) -> Tensor:
    """The mean of -log softmax(logits)[target]: (n, classes, *d), (n, *d) -> ()."""
    e, options = label_smoothing, (weight, ignore_index, reduction)
    if logits.dtype.kind != "f" or not 0 <= e <= 1:
        raise ValueError(f"logits are {logits.dtype}, not floats, or {e} is not 0 to 1")
    targets = targets.data if isinstance(targets, Tensor) else np.asarray(targets)
    if weight is not None or reduction != "mean" or targets.ndim == logits.ndim:
        return _cross_entropies(logits, targets, e, *options)
    t, ignored = _classes(logits, targets, ignore_index)
    if logits.ndim > 2 or ignored is not None:
        logits, t = counted_rows(logits, t, ignore_index)
    return apply(CrossEntropyOp(t, e), logits)

# %% [markdown]
# Below your rule stands the function that people call. It refuses what does not fit,
# before NumPy finds another meaning in it: class $-1$, for instance, would be the last
# column. (`_cross_entropies`, for its rarer options, stands near the end of this
# module.) How large can an entry of the gradient get, however wrong the network is? The
# example that is wrong by 200:

# %%
logits = Tensor([[0.0, 200.0]], requires_grad=True)
cross_entropy(logits, Tensor([0])).backward()
logits.grad

# %% nbgrader={"grade": true, "grade_id": "cross_entropy_rule_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The rule agrees with small steps, and leaves what was saved alone."""
x, t = 3 * np.random.default_rng(2).standard_normal((4, 3)), np.array([2, 0, 1, 1])
op = CrossEntropyOp(t, 0.3)
op.forward(x.astype(np.float32))
kept = op.saved[0].copy()
found = RULES[CrossEntropyOp](op, np.float32(5.0))
assert isinstance(found, tuple) and len(found) == 1, (
    f"The rule must return (g,), a tuple with one array. This came: {found!r:.60}"
)
(g,) = found
same(op.saved[0], kept, "The saved softmax was changed: make a new array.")
assert g.shape == (4, 3) and g.dtype == np.float32, (
    f"The gradient must be float32 of shape (4, 3), not {g.dtype} of {g.shape}."
)
same(g.sum(1), np.zeros(4), "If all logits of a row rise alike, nothing changes.")
q = np.full((4, 3), 0.1) + 0.7 * np.eye(3)[t]
wanted = 5 * (kept - q) / 4
same(g, wanted, "n = 4, grad = 5, smoothing 0.3: the rule must give 5 (p - q) / 4.")
for e in [0.0, 0.3]:
    gradcheck(lambda x, e=e: apply(CrossEntropyOp(t, e), x), x)

# %% nbgrader={"grade": true, "grade_id": "cross_entropy_rule_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Checked on logits of thousands, on another gradient, and on a single class."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

for _x, _t, _e in [
    ([[3e3, -3e3, 0.0], [1.0, 2.0, 3.0]], [1, 1], 0.0),
    ([[1.0, 0.5]], [1], 0.4), ([[7.0], [2.0]], [0, 0], 0.1),
]:
    _logits = Tensor(_x, requires_grad=True)
    (apply(CrossEntropyOp(np.array(_t), _e), _logits) * -2.5).backward()
    answer(_logits.grad, about=f"logits {_x}")
### END HIDDEN TESTS

# %% [markdown]
# There are two classes, 0 and 1, and a target of 2:

# %% tags=["raises-exception"]
cross_entropy(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1, 2]))

# %% [markdown]
# A network that knows nothing gives all ten classes the same probability. With which
# loss does every training of a ten-class network begin?

# %%
cross_entropy(Tensor(np.zeros((1, 10))), Tensor([3]))

# %% [markdown]
# ### Yes or no
#
# For two classes one logit $x$ is enough: $p = \sigma(x)$ is the probability of yes.
# The target $t$ is 1 or 0, or between, and
#
# $$-t \log \sigma(x) - (1 - t) \log(1 - \sigma(x))
# = \max(x, 0) - x t + \log(1 + e^{-|x|})$$
#
# The left side overflows as before. On the right side no exponent is above 0. In tensor
# operations it would have a wrong slope at $x = 0$, where `maximum` and `abs` have
# their corners. As an op it has the rule of its family: what the network says minus
# what it should say. That rule is given.

# %% [markdown]
# Write `forward`: `self.saved = (x,)`, and return the mean over all elements.
# `np.log1p(a)` is $\log(1 + a)$, and stays exact where $a$ is tiny. Which sign must the
# exponent have, for an $x$ of 1000 and for one of -1000? Two lines.

# %% nbgrader={"grade": false, "grade_id": "bce_op", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class BinaryCrossEntropyOp(Op):
    """BinaryCrossEntropyOp(t): the mean cross-entropy of sigmoid(x), from logits x."""
    def forward(self, x: ndarray) -> ndarray:
        (t,) = self.parameters
        ### BEGIN SOLUTION
        self.saved = (x,)
        return (np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))).sum() / x.size
        ### END SOLUTION

@gradient(BinaryCrossEntropyOp)
def _(op, grad):
    (x,), (t,) = op.saved, op.parameters
    return ((SigmoidOp().forward(x) - t) * (grad / x.size),)

def binary_cross_entropy_with_logits(
    logits: Tensor, targets, *, reduction: str = "mean", pos_weight=None
) -> Tensor:
    """The mean of -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)), t from 0 to 1."""
    t, usual = np.array(targets, logits.dtype), reduction == "mean"
    lacks = usual and not t.size
    if t.shape != logits.shape or lacks or not ((t >= 0) & (t <= 1)).all():
        raise ValueError(f"targets {t.shape} are not {logits.shape}, from 0 to 1")
    if usual and pos_weight is None:
        return apply(BinaryCrossEntropyOp(t), logits)
    return _binary_cross_entropies(logits, t, pos_weight, reduction)

# %% [markdown]
# Each loss is a layer, too. Its options are those of the function, which it calls:

# %% nbgrader={"grade": false, "grade_id": "loss_layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class _Loss(Layer):
    """The loss `function` as a layer, with options fixed."""
    def __init__(self, **options):
        signature(self.function).bind(0, 0, **options)  # a TypeError for unknown ones
        self.forward = partial(self.function, **options)
class MSELoss(_Loss):
    function = staticmethod(mse_loss)
class BCEWithLogitsLoss(_Loss):
    function = staticmethod(binary_cross_entropy_with_logits)
class CrossEntropyLoss(_Loss):
    function = staticmethod(cross_entropy)
    def __init__(self, label_smoothing: float = 0.0, **options):
        super().__init__(label_smoothing=label_smoothing, **options)

# %% [markdown]
# Undecided about a yes, and wrong by 200 about a no. Which mean?

# %%
binary_cross_entropy_with_logits(Tensor([0.0, 200.0]), Tensor([1.0, 0.0]))

# %% nbgrader={"grade": true, "grade_id": "bce_op_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""One logit x is the two logits (0, x): both losses agree, at any size."""
x = np.array([-3.0, -0.5, 0.0, 2.0, 80.0, -90.0, 1000.0, -1000.0])
t = np.array([1, 0, 1, 0, 0, 1, 0, 1])
mine = binary_cross_entropy_with_logits(Tensor(x), t)
assert mine.shape == () and mine.dtype == np.float32, (
    f"The loss must be one float32. This came: {mine!r:.60}"
)
two = cross_entropy(Tensor(np.stack([np.zeros(8), x], axis=1)), t)
same(mine.item(), two.item(), "The cross-entropy of the logits (0, x) is another.")
small = binary_cross_entropy_with_logits(Tensor([-15.0]), [0.0]).item()
assert np.isclose(small, np.exp(-15), rtol=1e-4, atol=0), (
    f"Sure and right costs e^-15 = {np.exp(-15):.3g}, not {small:.3g}: use np.log1p."
)
gradcheck(lambda x: binary_cross_entropy_with_logits(x, t[:4]), x[:4])

# %% nbgrader={"grade": true, "grade_id": "bce_op_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Checked on logits of thousands, on targets between 0 and 1, and on tables."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

for _x, _t in [
    ([4e3, -4e3, 0.0], [0.0, 0.0, 0.5]),
    ([[1.0, -2.0], [0.0, 30.0]], [[0.25, 1.0], [0.5, 0.75]]),
]:
    _logits = Tensor(_x, requires_grad=True)
    _loss = binary_cross_entropy_with_logits(_logits, _t)
    _loss.backward()
    answer([_loss, _logits.grad], about=f"logits {_x}")
### END HIDDEN TESTS

# %% [markdown]
# The loop from the beginning, with the same seed and the same learning rate, which is
# still too high. Does it survive?

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
# It does: the loss jumps, but to a finite number, and its gradients lead back.
#
# ## 2. Metrics
#
# Gradients need a loss. People want to know how many predictions are right, and which
# classes are confused. The class with the largest logit is predicted; a single logit
# predicts class 1 if it is positive. `predicted` and `accuracy` stand above your
# exercise.
#
# A **confusion matrix** counts in row $i$ and column $j$ the examples of class $i$ that
# were predicted as class $j$. What is right stands on the diagonal.

# %% [markdown]
# `class_numbers` from above checks the targets; call it first. `predicted` gives the
# guesses. `np.bincount(numbers, minlength=m)` counts how often each number from 0 to
# `m - 1` occurs. Which one number stands for the pair (i, j)? (Or count with
# `np.add.at`.) The result is an array of integers, with a row and a column for every
# class, also for those that do not occur. About three lines.

# %% nbgrader={"grade": false, "grade_id": "confusion_matrix", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def predicted(logits) -> ndarray:
    """The class of the largest logit in each row; of single logits 1 if positive."""
    x = np.asarray(logits)
    if x.ndim < 2 or x.shape[1] == 1:
        return (x.reshape(-1) > 0) * 1
    return x.argmax(1).reshape(-1)

def accuracy(logits, targets, ignore_index: int = -100) -> float:
    """The share of the predicted classes that are right, of those that count."""
    guess, t = predicted(logits), np.asarray(targets).reshape(-1)
    counts = t != ignore_index
    if guess.shape != t.shape or not counts.any():
        raise ValueError(f"{len(guess)} predictions do not fit {len(t)} targets")
    return float((guess == t)[counts].mean())

def confusion_matrix(logits, targets) -> ndarray:
    """(i, j) counts what is of class i and predicted as j: (classes, classes)."""
    ### BEGIN SOLUTION
    t, classes = class_numbers(logits, targets), logits.shape[1]
    pairs = t * classes + predicted(logits)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
    ### END SOLUTION

# %%
accuracy(model(x), y)

# %% [markdown]
# Four examples of three classes. Which of the nine entries are not 0?

# %%
logits = np.array([[5, 0, 0], [0, 5, 0], [0, 5, 0], [5, 0, 0]])
confusion_matrix(logits, np.array([0, 1, 2, 0]))

# %% nbgrader={"grade": true, "grade_id": "confusion_matrix_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Rows are the true classes, columns the predicted ones, the diagonal is right."""
logits = np.random.default_rng(0).standard_normal((60, 4)) - [0, 0, 0, 9]
t = np.repeat([0, 1, 2], [10, 20, 30])
m = confusion_matrix(logits, t)
assert isinstance(m, np.ndarray), f"Return an array. This came: {m!r:.60}"
assert m.shape == (4, 4) and m.dtype.kind in "iu", (
    "The result must be integers (4, 4), although class 3 never occurs. "
    f"It is {m.dtype} {m.shape}."
)
same(m.sum(1), [10, 20, 30, 0], "Row i must hold the examples of class i.")
guesses = np.bincount(logits.argmax(1), minlength=4)
same(m.sum(0), guesses, "Column j must hold those predicted as class j.")
right = round(60 * accuracy(logits, t))
assert m.trace() == right, f"{right} are right, and the diagonal counts {m.trace()}."
for target in [4, -1]:
    try:
        m = confusion_matrix(logits[:1], np.array([target]))
    except Exception as error:
        assert f"class {target}" in str(error), (
            f"There are 4 classes, and class_numbers must refuse class {target}. "
            f"This error came: {error!r:.80}"
        )
    else:
        raise AssertionError(
            f"There are 4 classes, and class {target} was counted: call class_numbers."
        )

# %% nbgrader={"grade": true, "grade_id": "confusion_matrix_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on tensors, which must not change, on bytes, and on wrong classes."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_x = np.random.default_rng(5).standard_normal((300, 20))
_t = np.random.default_rng(6).integers(0, 20, 300)
_logits = Tensor(_x)
_m = confusion_matrix(_logits, Tensor(_t.astype(np.uint8)))
answer([_m, _logits], about="bytes as targets; the logits afterwards")
_bad = [np.array(t) for t in ([0, 3], [-1, 0], [0], [0.0, 1.0])]
_errors = [raised(confusion_matrix, np.zeros((2, 3)), t) for t in _bad]
answer(_errors, about="errors")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. By hand
#
# Now the loop, line by line. The digits are split into three parts: to train, to
# choose, and to test once. The network has a dropout, since there are few examples.

# %%
digits = Digits()
parts = random_split(digits, [1097, 200, 500], np.random.default_rng(0))
train, choose, test = parts
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
# It learns. But which loss did it have in the middle? Does it still improve? How good
# is it on other digits? Nobody knows. When the notebook's kernel stops, everything is
# lost, and the last epoch may not have been the best one.
#
# And each of the five lines that do the work can be wrong in silence. The next three
# mistakes are made by people who know their trade. All of them run without an error.
#
# ### Bug 1: a loss that swings
#
# Plain SGD on the moons. What does its loss do?

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
# It falls a little, and then it swings far above its first value, like a ball without
# friction. Each step seems to follow all earlier gradients as well. Write the loop
# again, mended. A gradient may be there from before the first batch: it must not count
# either. Return the losses as a list of plain numbers. About seven lines.

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

# %% nbgrader={"grade": true, "grade_id": "bug_a_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Each step follows the gradient of its own batch, and of nothing before it."""
def two_steps(gradient_before):
    """The losses of two steps, and the first weight after them."""
    one = Sequential(MLP([1, 2], None))
    (weight, bias), point = one.parameters(), (Tensor([[1.0]]), Tensor([0]))
    weight.assign(np.zeros((2, 1)))
    bias.assign(np.zeros(2))
    if gradient_before:
        cross_entropy(one(point[0]), point[1]).backward()
    batches = [point, point]
    losses = mended_a(one, SGD(one.parameters(), lr=1.0), batches)
    assert len(batches) == 2, "The list of batches was changed."
    return losses, weight.data[0, 0]

losses, weight = two_steps(gradient_before=False)
assert isinstance(losses, list) and [type(loss) for loss in losses] == [float] * 2, (
    f"Two batches must give a list of two plain numbers. This came: {losses!r:.80}"
)
b, wanted = 0.0, []  # by symmetry all numbers are b or -b, the logits 2b and -2b
for _ in range(2):
    wanted.append(np.log1p(np.exp(-4 * b)))
    b += 1 / (1 + np.exp(4 * b))
same(losses, wanted, "Two steps from zero weights: their losses are wrong.")
same(weight, b, "The second step must follow its own gradient only. The weight is off.")
losses, weight = two_steps(gradient_before=True)
message = (
    "A gradient was there from before the first batch, and the first step followed it: "
    "zero_grad must come before backward, not after step."
)
same(losses, wanted, message)
same(weight, b, message)

# %% nbgrader={"grade": true, "grade_id": "bug_a_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked with momentum on three different batches, which must stay."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

manual_seed(4)
_net = MLP([2, 5, 2], None)
_batches = [two_moons(20, seed=s) for s in range(3)]
_losses = mended_a(_net, SGD(_net.parameters(), lr=0.5, momentum=0.9), _batches)
_found = [_losses, _net.parameters()[0], len(_batches)]
answer(_found, about="three batches", rtol=1e-3, atol=1e-5)
### END HIDDEN TESTS

# %% [markdown]
# ### Bug 2: a loss that cannot reach 0
#
# A loop with this loss learns the digits, but soon stops learning. How small can the
# loss get for ten classes, however sure the network is?

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
# No mistake at all, and a loss of 1.46. Where does that number come from, by the
# definition of `cross_entropy`? Mend the function, and return a tensor. One line.

# %% nbgrader={"grade": false, "grade_id": "bug_b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mended_b(model, x, y) -> Tensor:
    """The loss of a batch."""
    ### BEGIN SOLUTION
    return cross_entropy(model(x), y)
    ### END SOLUTION

# %%
right = mended_b(Sure(), Tensor([3, 7]), Tensor([3, 7]))
right, mended_b(Sure(), Tensor([3, 7]), Tensor([3, 8]))

# %% nbgrader={"grade": true, "grade_id": "bug_b_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Sure and right costs nothing, sure and wrong everything; backward still works."""
class Table:
    """Logits from a table, whatever the input."""
    def __init__(self, rows): self.rows = Tensor(rows, requires_grad=True)
    def __call__(self, x): return self.rows

right = mended_b(Table([[200.0, 0.0, 0.0]]), None, Tensor([0]))
assert isinstance(right, Tensor), (
    f"Return a tensor, so that backward can start from it. This came: {right!r:.60}"
)
same(right.item(), 0, "Sure and right must cost 0.")
wrong = mended_b(Table([[200.0, 0.0, 0.0]]), None, Tensor([1])).item()
same(wrong, 200, "Sure of the wrong class by 200 must cost 200.")
table = Table([[1.0, 2.0]])
loss = mended_b(table, None, Tensor([0]))
assert loss.requires_grad, "The loss has lost its graph, so backward cannot start."
loss.backward()
slope = 1 / (1 + np.exp(-1.0))
same(table.rows.grad.data, [[-slope, slope]], "The gradient must be softmax - target.")

# %% nbgrader={"grade": true, "grade_id": "bug_b_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on several rows, which must not change."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x, _y = Tensor([[1.0, -2.0, 0.5], [0.0, 90.0, 80.0]]), Tensor([2, 2])
answer([mended_b(lambda x: x * 3, _x, _y), _x, _y], about="two rows, and after")
### END HIDDEN TESTS

# %% [markdown]
# ### Bug 3: a validation that changes its mind
#
# This function measures the accuracy after an epoch. We call it three times in a row.
# Do the three values agree? And in which mode is the model afterwards?

# %%
def validate_c(model, x, y):
    model.training = False
    return accuracy(model(x), y)

# %%
x, y = choose[:]
[validate_c(model, x, y) for _ in range(3)], model.training

# %% [markdown]
# One model, one set of images, three accuracies: the model is in evaluation mode, but
# the dropout below it is not, and still drops. Suppose somebody writes `model.eval()`
# there. Then the accuracies agree, but from then on the training goes on without
# dropout, since nobody calls `train()`. And each result keeps its graph, which nobody
# needs.

# %% [markdown]
# So make it impossible to forget. Inside `with evaluating(model):`
#
# - the model and every layer below it are in evaluation mode, and nothing is recorded;
# - afterwards each layer must have the mode that *it* had before (somebody may have
#   frozen one of them), also if an error is raised inside. The error goes on to the
#   caller.
# - all this holds in this thread alone: while one thread predicts, another may train
#   the same model, and must not lose its dropout.

# %% [markdown]
# `layers_of(model)` gives all layers. `layer.training` is False in a thread whose
# `_evaluation.layers` has the layer (module 04). This is a frozenset: never change it,
# but put another one into its place, `before | set(layers)`, and put `before` back at
# the end. The `with` block runs where the function says `yield`. Module 09's
# `no_grad()` is a context manager, too: `with no_grad():` around the `yield`. About
# seven lines.

# %% nbgrader={"grade": false, "grade_id": "evaluating", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def layers_of(model: Layer) -> list[Layer]:
    """The model and all layers below it."""
    return [model, *(m for _, m in model.named_members() if isinstance(m, Layer))]

@contextmanager
def evaluating(model: Layer):
    """Evaluation mode, and nothing is recorded; afterwards each mode is as before."""
    ### BEGIN SOLUTION
    before = _evaluation.layers
    _evaluation.layers = before | set(layers_of(model))
    try:
        with no_grad():
            yield
    finally:
        _evaluation.layers = before
    ### END SOLUTION

# %%
model.train()
with evaluating(model):
    shares = [accuracy(model(x), y) for _ in range(3)]
shares, model.training

# %% nbgrader={"grade": true, "grade_id": "evaluating_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Inside, evaluation mode and no recording; afterwards each mode is as before."""
net = Sequential(MLP([3, 4], None), Dropout(0.5), Sequential(Dropout(0.5)))
net.layers[1].eval()
before = [layer.training for layer in layers_of(net)]
assert isgeneratorfunction(evaluating.__wrapped__), (
    "evaluating has no `yield`. That is the place where the with block runs."
)
with evaluating(net):
    inside = [layer.training for layer in layers_of(net)]
    assert not any(inside), f"Inside, `training` of the layers is {inside}."
    assert not is_grad_enabled(), "Inside, ops are still recorded: use no_grad()."
    assert not net(Tensor(np.ones((2, 3)))).requires_grad, "A result keeps its graph."
after = [layer.training for layer in layers_of(net)]
assert after == before, f"`training` was {before} before, and is {after} afterwards."
with evaluating(net):
    with evaluating(Sequential(Dropout(0.5))):
        pass
    inside = [layer.training for layer in layers_of(net)]
    assert not any(inside), (
        f"After an inner `with` on another model, `training` is {inside}."
    )
try:
    with evaluating(net):
        raise OSError("the disk is gone")
except OSError:
    after = [layer.training for layer in layers_of(net)]
    assert after == before, (
        f"After an error `training` is {after}, not {before}: use try and finally."
    )
    assert is_grad_enabled(), "After an error nothing is recorded any more."
else:
    raise AssertionError("The error inside the with block must go on to the caller.")

# %% nbgrader={"grade": false, "grade_id": "in_another_thread", "locked": true, "schema_version": 3, "solution": false, "task": false}
# For the next check. You need not read it.
def overlapping(model):
    """Modes seen while another thread evaluates, which began first and ends first."""
    begun, end, seen = threading.Event(), threading.Event(), {}
    modes = lambda: [layer.training for layer in layers_of(model)]
    def evaluate():
        with evaluating(model):
            begun.set()
            end.wait(5)
            seen["inside, the first"] = modes()
    thread = threading.Thread(target=evaluate)
    thread.start()
    begun.wait(5)
    seen["outside"] = modes()
    with evaluating(model):
        end.set()
        thread.join()
        seen["inside, the second"] = modes()
    seen["afterwards"] = modes()
    return seen

# %% nbgrader={"grade": true, "grade_id": "evaluating_threads_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
"""Two threads evaluate one model at overlapping times, and nothing stays switched."""
seen, off, on = overlapping(Sequential(Dropout(0.5))), [False] * 2, [True] * 2
for where_, wanted in [("outside", on), ("inside, the first", off),
                       ("inside, the second", off), ("afterwards", on)]:
    assert seen.get(where_) == wanted, (
        f"One thread evaluates a model, and another looks on, then evaluates it, too. "
        f"{where_.capitalize()}, `training` must be {wanted}, not {seen.get(where_)}.")
recorded = (Tensor(1.0, requires_grad=True) * 2).requires_grad
assert recorded, "After both threads nothing is recorded any more."

# %% nbgrader={"grade": true, "grade_id": "evaluating_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Checked in evaluation mode, one within the other, and within `no_grad()`."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_net, _seen = Sequential(Dropout(0.1), Sequential(Dropout(0.1))), []
_net.layers[1].eval()
with evaluating(_net):
    with evaluating(_net):
        _seen.append([layer.training for layer in layers_of(_net)])
    _seen.append([layer.training for layer in layers_of(_net)] + [is_grad_enabled()])
_seen.append([layer.training for layer in layers_of(_net)] + [is_grad_enabled()])
answer(_seen, about="one within the other")
_net.eval()
with no_grad():
    with evaluating(_net):
        pass
    answer([is_grad_enabled(), _net.training], about="within no_grad")
### END HIDDEN TESTS

# %% [markdown]
# ### When to stop
#
# How many epochs? The loss on the training images falls and falls. The loss on others
# falls, and then rises, when the network learns its examples by heart. So we watch a
# validation set, and stop when its loss has not improved for `patience` epochs. By then
# the weights are worse than before, so we keep the best ones.
#
# Write `update`. A loss *below* the best becomes the best: keep a copy of the weights
# (`model.state_dict()` makes one), and set `waited` to 0. Any other loss, nan included,
# makes `waited` one more. About four lines.

# %% nbgrader={"grade": false, "grade_id": "early_stopping", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class EarlyStopping:
    """Keeps the best weights, and says when to stop; patience None means no end."""
    def __init__(self, patience: int | None = None):
        self.patience, self.waited = patience, 0
        self.best, self.weights = np.inf, None
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
# Patience 2. After which of these losses does it stop?

# %%
stopping, said = EarlyStopping(2), []
for loss in [0.9, 0.5, 0.6, 0.4, 0.5, 0.4]:
    stopping.update(loss, model)
    said.append(stopping.stopped)
said

# %% nbgrader={"grade": true, "grade_id": "early_stopping_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""It stops after `patience` epochs without a better loss; it keeps the best weights."""
def watch(patience, losses):
    """Where it says stop, if the weight is the number of the epoch."""
    net, stopping, said = Linear(1, 1), EarlyStopping(patience), []
    for number, loss in enumerate(losses):
        net.weight.assign(number)
        stopping.update(loss, net)
        said.append(stopping.stopped)
    net.weight.assign(-1)
    return said, stopping

said, stopping = watch(1, [1.0, np.nan, 0.5])
assert said == [False, True, False], (
    "1.0, nan, 0.5 with patience 1: nan is not better, 0.5 is. "
    f"`stopped` must be False, True, False, not {said}."
)
losses = [3.0, 2.0, 2.5, 1.0, 1.0, 1.5, 1.25]
for patience, wanted in [(1, [2, 4, 5, 6]), (2, [5, 6]), (3, [6]), (4, []), (None, [])]:
    said, stopping = watch(patience, losses)
    got = [number for number, stop in enumerate(said) if stop]
    assert got == wanted, (
        f"Losses {losses}, patience {patience}: it must say stop "
        f"at the places {wanted}, not at {got}."
    )
kept = stopping.weights
assert isinstance(kept, dict), f"self.weights must be a state_dict, not {kept!r:.60}"
kept = kept["weight"].item()
assert kept == 3, (
    "Keep a copy of the weights of epoch 3, the first with the best loss. "
    f"These are of epoch {kept}."
)
assert stopping.best == 1.0 and stopping.waited == 3, (
    f"best must be 1.0 and waited 3, not {stopping.best} and {stopping.waited}."
)

# %% nbgrader={"grade": true, "grade_id": "early_stopping_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on losses that are nan, and on other curves."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

for _patience, _losses in [
    (2, [np.nan, np.nan, 1.0]), (2, [1.0, np.nan, 0.5, np.nan, np.nan]),
    (3, [5, 4, 4, 4, 3, 3, 3, 3]),
]:
    _said, _stopping = watch(_patience, _losses)
    answer([_said, _stopping.waited, float(_stopping.best)], about=f"{_losses}")
    _kept = _stopping.weights
    answer(None if _kept is None else _kept["weight"], about=f"kept of {_losses}")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. One step
#
# From here on the loop is a class. A `Trainer` holds all that takes part, and grows
# from section to section: `class Trainer(Trainer)` adds methods to the class made so
# far.
#
# A large batch has a gradient with less noise, but its graph can be too large.
# Gradients add up, though, and a mean over 512 examples is a sum of four parts: the
# means over 128, each times its share, 128/512. So four small graphs, one after the
# other, give *one* step of the large batch. This is **gradient accumulation**.

# %% [markdown]
# `step` gets a list of batches, each `(*inputs, targets)`. Zeroing the gradients,
# clipping and the update are given. Write the loop in between; `n` counts all examples.
# For each batch:
#
# - apply the model to all inputs, and `self.loss` to the result and the targets;
# - go backward before the next batch comes, so that only one graph is kept.
#   `loss.backward(share)` begins with `share` instead of 1: the part of all `n`
#   examples that this batch has;
# - add the share of the loss to `total`, as a plain number.
#
# Never call `zero_grad`, an optimizer's `step` or a scheduler's `step` here. About five
# lines.

# %% nbgrader={"grade": false, "grade_id": "trainer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Trainer:
    """Fits a model to batches (*inputs, targets).

    scheduler.step() follows each update; ReduceLROnPlateau follows each validation.
    metrics are functions of outputs and targets. If none are named, there is accuracy
    where the targets are classes, and the loss is not one of NO_ACCURACY.
    """
    NO_ACCURACY = ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "kl_div",
                   "binary_cross_entropy")  # for numbers, or of probabilities
    def __init__(self, model: Layer, optimizer, loss=cross_entropy, metrics=None,
                 scheduler=None, accumulate=1, clip=None, patience=None):
        if not (accumulate >= 1 and (clip is None or clip > 0) and patience != 0):
            raise ValueError("accumulate and patience are at least 1, clip is above 0")
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.metrics = metrics if metrics is None else tuple(metrics)
        self.loss, self.clip = loss, clip
        self.accumulate, self.stopping = accumulate, EarlyStopping(patience)
        self.epoch, self.history = 0, []
        self.batches, self.seen, self.total = 0, 0, 0.0  # in this epoch
        self.seed = self.resumed = None  # the loader's; after `load`: of generators
        self.plateau = isinstance(scheduler, ReduceLROnPlateau)
    @staticmethod
    def _parts(batch) -> tuple[list, Tensor]:
        """Inputs and targets of a batch; a ValueError if it is no such tuple."""
        if not isinstance(batch, (tuple, list)) or len(batch) < 2:
            kind = type(batch).__name__
            raise ValueError(f"a batch is (*inputs, targets), this is a {kind} alone")
        *inputs, targets = batch
        return inputs, targets

# %% nbgrader={"grade": false, "grade_id": "step", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Trainer(Trainer):
    def step(self, batches: list) -> float:
        """One update from the batches, as if they were one; the mean loss."""
        self.optimizer.zero_grad()
        n, total = sum(len(self._parts(batch)[1]) for batch in batches), 0.0
        if not n:
            raise ValueError("a step needs examples, and these batches have none")
        ### BEGIN SOLUTION
        for *inputs, targets in batches:
            loss, share = self.loss(self.model(*inputs), targets), len(targets) / n
            loss.backward(share)
            total += share * loss.item()
        ### END SOLUTION
        norm = clip_grad_norm_(self.optimizer.parameters(), self.clip or np.inf)
        if not np.isfinite(float(total + norm)):
            raise FloatingPointError(
                f"the loss is {total} in epoch {self.epoch + 1}, after {self.batches} "
                f"batches, and the norm of its gradients {norm}: lower lr, or clip")
        self.optimizer.step()
        if self.scheduler is not None and not self.plateau:
            self.scheduler.step()
        return total

# %% [markdown]
# The same 64 digits at once and in four pieces, with a learning rate of 0 and without
# dropout. Which two losses?

# %%
net, (x, y) = new_model().eval(), train[:64]
trainer = Trainer(net, SGD(net.parameters(), lr=0.0))
pieces = [(x[i : i + 16], y[i : i + 16]) for i in range(0, 64, 16)]
trainer.step([(x, y)]), trainer.step(pieces)

# %% nbgrader={"grade": true, "grade_id": "step_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Batches of different lengths give the step, and the loss, of one large batch."""
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
by_hand = [(p.data - 0.5 * p.grad.data).ravel() for p in net.parameters()]
loss, weights = after_a_step([0, 60])
assert type(loss) is float, f"`total` must be a plain number, not {loss!r:.60}"
same(loss, whole.item(), "One batch of 60: the loss is wrong.")
same(weights, np.concatenate(by_hand), "One batch of 60: the step is wrong.")
for clip in [None, 0.01]:
    (loss, weights), (sum_of_parts, found) = (
        after_a_step(cuts, clip) for cuts in ([0, 60], [0, 10, 20, 60])
    )
    same(sum_of_parts, loss, "Batches of 10, 10 and 40: the loss of all 60 is wrong.")
    same(found, weights, f"Batches of 10, 10 and 40, clip={clip}: the step is wrong.")

# %% nbgrader={"grade": true, "grade_id": "step_order_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
"""Each batch goes forward and backward before the next, once; then one update."""
happened = []
def watched(x):
    happened.append("forward" if net.parameters()[0].grad is None else "forward again")
    return net(x)

class Count:
    def step(self):
        happened.append("schedule")

optimizer = SGD(net.parameters(), lr=0.0)
update, zero = optimizer.step, optimizer.zero_grad
optimizer.step = lambda: (happened.append("update"), update())
optimizer.zero_grad = lambda: (happened.append("zero_grad"), zero())
parts = [(x[a:b], y[a:b]) for a, b in pairwise([0, 10, 20, 60])]
Trainer(watched, optimizer, scheduler=Count()).step(parts)
wanted = ["zero_grad", "forward", *["forward again"] * 2, "update", "schedule"]
assert happened == wanted, (
    "Three batches: 'forward again' finds the gradients of the batches before. "
    f"It must happen {wanted}; it happened {happened}."
)
assert len(parts) == 3, "The list of batches was changed."
def product(*inputs):
    assert len(inputs) == 2, f"(a, b, targets): two inputs, but the model got {inputs}."
    return inputs[0] * inputs[1]

squares = Trainer(product, optimizer, loss=lambda y, t: (y * y).sum())
a, b = Tensor([[2.0, 1.0]], requires_grad=True), Tensor([[3.0, 1.0]])
found = squares.step([(a, b, Tensor([0]))])
same(found, 37.0, "Two inputs, model a * b, self.loss the sum of squares: 6² + 1².")

# %% nbgrader={"grade": true, "grade_id": "step_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on a model of two inputs, on another loss, and on the batches."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

class _Both(Layer):
    def __init__(self):
        self.layer, self.calls = Linear(3, 1), []
    def forward(self, a, b):
        self.calls.append(len(a))
        return self.layer(a * b)

manual_seed(2)
_net, _rng, _parts = _Both(), np.random.default_rng(0), []
for _n in (4, 1, 7):
    _shapes = [(_n, 3), (_n, 3), (_n, 1)]
    _parts.append(tuple(Tensor(_rng.standard_normal(s)) for s in _shapes))
_loss = Trainer(_net, SGD(_net.parameters(), lr=0.1), mse_loss, metrics=()).step(_parts)
answer([_loss, _net.layer.weight, _net.calls, len(_parts)], about="two inputs")
### END HIDDEN TESTS

# %% [markdown]
# If a loss or a gradient is nan or infinite, `step` raises an error before the weights
# are spoilt. Here are the loss from the beginning of the module, computed through the
# probability, and its learning rate. (`fit` will count epochs and batches. Here nobody
# counts.)

# %% tags=["raises-exception"]
def naive(logits, targets):
    p = softmax(logits, 1)
    return -p[np.arange(len(targets)), targets.data].log().mean()

manual_seed(0)
batch, net = two_moons(200), MLP([2, 64, 2], relu)
trainer = Trainer(net, SGD(net.parameters(), lr=6.0), naive)
for _ in range(8):
    trainer.step([batch])

# %%
all(np.isfinite(p.data).all() for p in net.parameters())

# %% [markdown]
# ### The schedule counts updates
#
# The last lines of `step` call `scheduler.step()` after each *update*, not after each
# epoch as many PyTorch programs do. What does `StepLR(optimizer, 3)`, meant as "every 3
# epochs", do to the rate in one epoch of 18 updates? Guess both rates:

# %%
for size in (3, 3 * len(train_loader)):
    net = new_model()
    optimizer = SGD(net.parameters(), lr=0.1)
    trainer = Trainer(net, optimizer, scheduler=StepLR(optimizer, size))
    for batch in train_loader:
        trainer.step([batch])
    print(f"StepLR(optimizer, {size:2}): lr {optimizer.param_groups[0]['lr']:.3g}")

# %% [markdown]
# So the lengths of all schedules are given in updates: epochs times `len(loader)`. The
# line of each epoch will show the learning rate. One schedule cannot follow updates:
# `ReduceLROnPlateau` needs the loss on other examples. `fit` steps it once an epoch,
# after the validation, and refuses it without one.
#
# ## 5. Epochs
#
# The next cells are given. `predict` collects the model's outputs over a loader, and
# `evaluate` computes the loss and the metrics from them. `_live_line` rewrites one
# line. You need not read these two cells.

# %% nbgrader={"grade": false, "grade_id": "evaluate", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Trainer(Trainer):
    def predict(self, loader) -> tuple[Tensor, Tensor]:
        """The model's outputs, in evaluation mode, and the targets."""
        with evaluating(self.model):
            pairs = [(self.model(*x).data, np.asarray(t))
                     for x, t in map(self._parts, loader)]
        if not pairs:
            raise ValueError("the loader has no batch")
        return tuple(Tensor(np.concatenate(both)) for both in zip(*pairs, strict=True))
    def evaluate(self, loader) -> dict[str, float]:
        """The loss and the metrics over all examples, by name."""
        outputs, targets = self.predict(loader)
        metrics, found = self.metrics, {"loss": self.loss(outputs, targets).item()}
        if metrics is None:
            metrics = (accuracy,) if self._has_classes(outputs, targets) else ()
        for f in metrics:
            name, value = getattr(f, "__name__", type(f).__name__), f(outputs, targets)
            if np.size(value) != 1:
                raise ValueError(f"{name} is no metric: it gave {np.shape(value)}")
            found[name] = float(np.asarray(value).item())  # so that it can be saved
        return found
    def _has_classes(self, outputs: Tensor, targets: Tensor) -> bool:
        """Has this loss an accuracy: are the outputs logits, the targets classes?"""
        loss = getattr(self.loss, "func", getattr(self.loss, "function", self.loss))
        if getattr(loss, "__name__", "") in self.NO_ACCURACY:
            return False
        x, t = outputs.shape, targets.data
        if len(x) > 1 and x[1] > 1:
            return t.dtype.kind in "iu" and t.shape == x[:1] + x[2:]
        return t.size == outputs.size and bool(np.isin(t, (0, 1)).all())

# %% nbgrader={"grade": false, "grade_id": "fit_parts", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Trainer(Trainer):
    def _look_at(self, loss: float) -> None:
        """What follows each validation."""
        if self.plateau:
            self.scheduler.step(loss)
        if self.stopping.patience:
            self.stopping.update(loss, self.model)
    def _generators(self) -> list[np.random.Generator]:
        """The default generator, and those that layers of the model hold."""
        values = [v for layer in layers_of(self.model) for v in vars(layer).values()]
        held = [v for v in values if isinstance(v, np.random.Generator)]
        return list(dict.fromkeys([default_generator, *held]))
    def _rest(self, loader):
        """The batches that this epoch still lacks, shuffled by the run's seed."""
        if isinstance(loader, DataLoader):
            self.seed = int(loader.seed if self.seed is None else self.seed)
            loader.seed, loader.epoch = self.seed, self.epoch
        return islice(loader, self.batches, None)

def _live_line() -> Callable:
    """A function that rewrites one line, in a notebook or on a terminal."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if hasattr(shell, "kernel"):
        from IPython.display import display
        handle = display({"text/plain": ""}, raw=True, display_id=True)
        return lambda line: handle.update({"text/plain": line}, raw=True)
    live = sys.stdout.isatty()
    return lambda line: live and print(f"\r{line:<79}", end="\r", flush=True)

# %%
choose_loader = DataLoader(choose, batch_size=500)
test_loader = DataLoader(test, batch_size=500)
Trainer(model, optimizer).evaluate(choose_loader)

# %% [markdown]
# `fit` puts saved generators back (section 6), and then runs the epochs. The loader
# gets the run's seed and the number of the epoch, so that shuffling and augmentation
# are those of *this* epoch. `_rest` skips the batches that the epoch has had already.
# A line shows the epoch's progress, and the minutes that are left for the whole run.
#
# `epochs` counts from the beginning of the run, not of the call. A run that was
# interrupted after 3 of 10 epochs goes on with the same `fit(loader, 10)`.

# %% nbgrader={"grade": false, "grade_id": "fit", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Trainer(Trainer):
    def fit(self, loader, epochs: int, validation=None, save=None, progress=True):
        """Train until `epochs` epochs are done; returns a dict for each epoch."""
        n, todo = len(loader), (epochs - self.epoch) * len(loader) - self.batches
        if not n or ((self.stopping.patience or self.plateau) and validation is None):
            said = "fit needs batches and, with patience or a plateau,"
            raise ValueError(f"{said} validation=loader")
        for generator, state in self.resumed or ():
            generator.bit_generator.state = state
        self.resumed, done, show = None, 0, _live_line() if progress else None
        start = shown = perf_counter()
        self.model.train()
        while self.epoch < epochs and not self.stopping.stopped:
            text, batches = f"epoch {self.epoch + 1}/{epochs}", self._rest(loader)
            while group := list(islice(batches, self.accumulate)):
                size, loss = sum(len(batch[-1]) for batch in group), self.step(group)
                self.batches, self.seen = self.batches + len(group), self.seen + size
                self.total, done = self.total + size * loss, done + len(group)
                if show and perf_counter() > shown + 0.2:
                    shown, bar = perf_counter(), "=" * (20 * self.batches // n)
                    left = (shown - start) * (todo / done - 1) / 60
                    show(f"{text} [{bar:<20}] {left:.1f} minutes left")
            row = {"loss": self.total / self.seen}
            if validation is not None:
                found = self.evaluate(validation)
                row |= {f"validation_{name}": value for name, value in found.items()}
                self._look_at(row["validation_loss"])
            self.history.append(row)
            self.epoch, self.batches, self.seen, self.total = self.epoch + 1, 0, 0, 0.0
            if save is not None:
                self.save(save)
            if show:
                show("")
                row = row | {"lr": self.optimizer.param_groups[0]["lr"]}
                print(text, *[f" {name} {value:.4g}" for name, value in row.items()])
        if self.stopping.weights is not None:
            self.model.load_state_dict(self.stopping.weights)
        return self.history

# %%
model = new_model()
optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
trainer = Trainer(model, optimizer, clip=1.0, patience=5)
history = trainer.fit(train_loader, 60, validation=choose_loader)

# %% [markdown]
# How many epochs did it want, of 60, and which was the best? Its weights are in the
# model again:

# %%
assert trainer.evaluate(choose_loader)["loss"] == trainer.stopping.best
losses = [row["validation_loss"] for row in history]
len(history), 1 + losses.index(trainer.stopping.best)

# %% [markdown]
# The curves show why. `plot_history` draws what `fit` returned: the losses in one
# picture, and each metric in another. On the left, with a logarithmic axis: how much is
# learned by heart, and how much helps with other digits. The functions that draw the
# pictures of this module come with the tool: a picture is no part of a framework.

# %%
from tito.pictures import plot_confusion_matrix, plot_history, plot_mistakes

plot_history(history)[0].set_yscale("log")

# %% [markdown]
# ## 6. A run that survives
#
# A long run will be killed one day: by a power cut, by a full disk, by somebody who
# needs the machine. Then everything depends on a file. The resumed run should be
# exactly the undisturbed one. So the file holds *everything* that the next step
# depends on:
#
# - the weights, the optimizer's state, the schedule, the best weights so far;
# - the position in the epoch, the loader's seed, and the state of the generators that
#   dropout draws from.
#
# ### All or nothing
#
# What if the run is killed *while* it writes the file? `open(path, "wb")` empties the
# old file first. Then there is half a new file, and no old one.

# %% [markdown]
# So write into a new file beside it, `part`, and replace the old one at the end:
#
# - open `part` for writing, empty, and call `write(file)` with the open file;
# - `file.flush()` hands the bytes from Python to the system, `os.fsync(file.fileno())`
#   from the system to the disk;
# - close the file; only then may `os.replace(part, path)` give it the old file's name.
#   The exchange is all or nothing.
#
# If `write` raises an error, it must reach the caller, and the old file must stay. A
# `part` may stay behind after an error: the next write overwrites it. After a success
# only `path` is there. About five lines.

# %% nbgrader={"grade": false, "grade_id": "write_atomic", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def write_atomic(path, write: Callable) -> None:
    """Let write(file) fill a new file, which then takes the place of `path`."""
    part = f"{path}.part"
    ### BEGIN SOLUTION
    with open(part, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    ### END SOLUTION

# %% [markdown]
# A writer that fails half-way. What will the file hold?

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

# %% nbgrader={"grade": false, "grade_id": "watched_write", "locked": true, "schema_version": 3, "solution": false, "task": false}
def watched_write(path, content):
    """Write the bytes; what happened on the way, in order."""
    order, files, fsync, replace = [], [], os.fsync, os.replace

    def watched_fsync(number):
        order.append(f"fsync of {os.fstat(number).st_size} bytes")
        fsync(number)

    def watched_replace(part, whole):
        closed, old = files[0].closed, Path(path).exists()
        order.append(f"replace, new file closed: {closed}, old file there: {old}")
        replace(part, whole)

    def write(file):
        files.append(file)
        file.write(content)

    with patch("os.fsync", watched_fsync), patch("os.replace", watched_replace):
        write_atomic(path, write)
    return order

# %% nbgrader={"grade": true, "grade_id": "write_atomic_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""A whole new file or the whole old one; the bytes are on disk before the rename."""
def half(file):
    file.write(b"half")
    seen.append(path.read_bytes() if path.exists() else None)
    raise OSError("the disk is full")

seen = []
with TemporaryDirectory() as folder:
    path = Path(folder, "run.npz")
    path.write_bytes(b"an old one, which is longer")
    order = watched_write(path, b"the first")
    content, names = path.read_bytes(), sorted(os.listdir(folder))
    assert content == b"the first", f"The file must hold b'the first', not {content}."
    wanted = [
        "fsync of 9 bytes", "replace, new file closed: True, old file there: True"
    ]
    assert order == wanted, (
        "First flush, then fsync, then close, then os.replace. "
        f"It must happen {wanted}; it happened {order}."
    )
    assert names == ["run.npz"], f"After a success only run.npz may stay, not {names}."
    try:
        write_atomic(path, half)
    except OSError:
        seen.append(path.read_bytes() if path.exists() else None)
    else:
        raise AssertionError("The writer failed, and its error must reach the caller.")
    assert seen == [b"the first"] * 2, (
        f"During and after a write that fails the old file must stay. There was {seen}."
    )
    write_atomic(str(path), lambda file: file.write(b"the next"))
    content = path.read_bytes()
    assert content == b"the next", (
        f"After a failed write comes b'the next': the file holds {content}."
    )

# %% nbgrader={"grade": true, "grade_id": "write_atomic_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on a shorter file after a longer one, and on a path that is a string."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

with TemporaryDirectory() as _folder:
    _path = f"{_folder}/a.b"
    for _bytes in [b"a long one", b"short"]:
        write_atomic(_path, lambda file, text=_bytes: file.write(text))
    _content, _names = Path(_path).read_bytes().decode(), sorted(os.listdir(_folder))
    answer([_content, _names], about="twice")
### END HIDDEN TESTS

# %% [markdown]
# ### A file that is not a program
#
# In which format? A pickle would be the shortest way, but a pickle is a program (module
# 08): whoever loads a run of somebody else would execute it. So arrays go into NumPy's
# `.npz`, which holds nothing but numbers if one says so, and everything else is JSON.
#
# A file is an archive of arrays; one of them is the header, in JSON. JSON knows no
# arrays, and its keys are strings. So each `{}` of the header is ours, and has one key:
# `{"array": 0}` stands for array 0, `{"dict": [[key, value], ...]}` for a dict. So no
# dict of yours can be mistaken for an array, whatever its keys are.

# %% [markdown]
# `save` is given, above your exercise. `load` trusts nothing: it accepts no pickle, no
# compressed member, and no member larger than the file (kilobytes could unpack to all
# of the memory). It turns every failure inside into one error that names the file. A
# mistake in your function gives this error, too: read the end of its message.
#
# `json.loads` gives each `{}` that it has read, the inner ones first, to `object_hook`,
# and puts what that function returns in its place. Write this function, `revive`. For
# `{"array": 0}` return the array `members["0"]`; the names of members are strings. For
# `{"dict": pairs}` return the dict of these pairs, whose keys keep their kinds. Two or
# three lines.

# %% nbgrader={"grade": false, "grade_id": "load", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def save(state, path) -> None:
    """Write dicts, lists, numbers, strings, None and arrays, nested: all or nothing."""
    arrays = []
    def pack(node):
        if isinstance(node, dict):
            return {"dict": [[pack(key), pack(value)] for key, value in node.items()]}
        if isinstance(node, list):
            return [pack(value) for value in node]
        if isinstance(node, ndarray) and not node.dtype.hasobject:
            arrays.append(node)
            return {"array": len(arrays) - 1}
        if node is None or isinstance(node, (int, float, str)):
            return node
        raise TypeError(f"a {type(node).__name__} cannot be saved: {node!r:.60}")
    header = np.frombuffer(json.dumps(pack(state)).encode(), np.uint8)
    members = {"header": header, **{str(i): a for i, a in enumerate(arrays)}}
    write_atomic(path, lambda file: np.savez(file, **members))

def load(path):
    """What `save` wrote; nothing in the file is run. It refuses what is damaged."""
    def revive(node: dict):
        ### BEGIN SOLUTION
        return members[str(node["array"])] if "array" in node else dict(node["dict"])
        ### END SOLUTION
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as members:
                entries, size = members.zip.infolist(), os.fstat(file.fileno()).st_size
                packed = any(e.compress_type for e in entries)
                if packed or sum(e.file_size for e in entries) > size:
                    raise ValueError("its members are compressed, or overlap")
                return json.loads(members["header"].tobytes(), object_hook=revive)
        except Exception as error:  # whatever goes wrong in a damaged file
            raise ValueError(f"{path} is damaged, or not of save: {error!r}") from None

# %%
state = {"epoch": 3, "rates": [0.1, None], "weights": {"w": np.zeros(2)}}
with TemporaryDirectory() as folder:
    save(state, f"{folder}/a.npz")
    with np.load(f"{folder}/a.npz") as members:
        print(members["header"].tobytes(), members["0"])

# %%
with TemporaryDirectory() as folder:
    save(state, f"{folder}/a.npz")
    found = load(f"{folder}/a.npz")
found

# %% nbgrader={"grade": true, "grade_id": "load_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""What was saved is loaded as it was, at any depth and with any keys."""
arrays = [np.arange(4), np.eye(2, 3, dtype=np.float32)]
tree = {
    "a": [1, 2.5, None, True, "text", [], {}], "array": 3, "m": {"array": 1},
    "n": {"dict": [["a", 1]]}, 7: {None: 0, "7": 1},
}
with TemporaryDirectory() as folder:
    path = Path(folder, "tree.npz")
    save({**tree, "b": {"array": [arrays[0]], "c": arrays[1]}}, path)
    back, whole = load(path), path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    try:
        load(path)
    except ValueError as error:
        assert str(path) in str(error), f"The error must name the file: {error}"
    else:
        raise AssertionError("Half a file must be a ValueError.")
assert isinstance(back, dict), f"A dict was saved, and this was loaded: {back!r:.60}"
keys = [*tree, "b"]
assert list(back) == keys, f"The keys were {keys}, and are {list(back)}."
for key, wanted in tree.items():
    assert repr(back[key]) == repr(wanted), (
        f"The value of {key!r} was {wanted!r}, and is {back[key]!r:.80}."
    )
b = back["b"]
assert isinstance(b, dict) and list(b) == ["array", "c"], (
    f"A dict with the keys 'array' and 'c' was loaded as {b!r:.80}."
)
for mine, wanted in zip([b["array"][0], b["c"]], arrays, strict=True):
    assert isinstance(mine, np.ndarray), f"An array was loaded as {mine!r:.60}."
    assert mine.dtype == wanted.dtype, f"{wanted.dtype} was loaded as {mine.dtype}."
    same(mine, wanted, "An array came back with other numbers.")

# %% nbgrader={"grade": true, "grade_id": "load_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on lone values, on twelve arrays, on other keys, and on damaged files."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_many = {"a": {"b": [np.full(2, i) for i in range(12)]}}
with TemporaryDirectory() as _folder:
    _path = f"{_folder}/x"
    for _tree in [3, [], {}, np.arange(3), _many, {"dict": {"array": "0"}, None: 1.5}]:
        save(_tree, _path)
        answer(load(_path), about="a tree")
    _raised = []
    for _bytes in [b"", b"PK", b"cbuiltins\nprint\n(Vx\ntR."]:
        Path(_path).write_bytes(_bytes)
        _raised.append(raised(load, _path))
    answer([_raised, raised(load, f"{_folder}/none")], about="damaged files")
### END HIDDEN TESTS

# %% [markdown]
# A pickle that prints a sentence. Will it be printed?

# %% tags=["raises-exception"]
program = b"cbuiltins\nprint\n(VThis could have been any command on your computer.\ntR."
with TemporaryDirectory() as folder:
    path = Path(folder, "run.npz")
    path.write_bytes(program)
    load(path)

# %% [markdown]
# ### The trainer's state
#
# `state_dict` collects everything, `load_state_dict` puts it back. A state that does
# not fit changes nothing. You need not read this cell.

# %% nbgrader={"grade": false, "grade_id": "state", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Trainer(Trainer):
    def state_dict(self) -> dict:
        """All that the next step depends on."""
        stop, schedule = vars(self.stopping), self.scheduler
        return {
            "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
            "scheduler": schedule and schedule.state_dict(), "seed": self.seed,
            "position": [self.epoch, self.batches, self.seen, self.total],
            "stopping": {name: stop[name] for name in ("best", "waited", "weights")},
            "generators": [g.bit_generator.state for g in self._generators()],
            "history": list(self.history),
        }
    def load_state_dict(self, state: dict, where: str = "") -> None:
        """Go on from that state; if it does not fit: a ValueError, and no change."""
        mine, resumed = self.state_dict(), self.resumed
        try:
            best, like = state["stopping"]["weights"] and mine["model"], dict(mine)
            like["stopping"] = {**mine["stopping"], "weights": best}
            like["seed"] = None if state["seed"] is None else 0
            like["history"] = [dict.fromkeys(row, 0.0) for row in state["history"]]
            _compare({**state, "optimizer": 0}, {**like, "optimizer": 0}, "the run")
            for name in ("optimizer", "model", "scheduler"):
                if state[name]:
                    getattr(self, name).load_state_dict(state[name])
            pairs = zip(self._generators(), state["generators"], strict=True)
            self.resumed = list(pairs)
            for generator, then in self.resumed:
                generator.bit_generator.state = then
            self.epoch, self.batches, self.seen, self.total = state["position"]
            self.seed, self.history = state["seed"], list(state["history"])
            vars(self.stopping).update(state["stopping"])
        except Exception as error:  # a damaged or hostile state can raise anything
            self.load_state_dict(mine)
            self.resumed = resumed
            raise ValueError(f"{where}nothing was loaded: {error}") from None
    def save(self, path) -> None: save(self.state_dict(), path)
    def load(self, path) -> None: self.load_state_dict(load(path), f"{path}: ")

# %% [markdown]
# Now the promise. One run of six epochs is undisturbed. Another one ends after three,
# in a file. A new trainer goes on from the file; it began with other weights, another
# seed and other random numbers. How far apart will the weights be?

# %%
def run(seed):
    model = new_model(seed)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    return Trainer(model, optimizer), DataLoader(train, batch_size=64, shuffle=True)

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
# `==` on each weight, without any tolerance:

# %%
both = zip(undisturbed.model.parameters(), second.model.parameters())
assert all(np.array_equal(a.data, b.data) for a, b in both)
assert undisturbed.history == second.history
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
# Which half circle is a point on? One logit, and the loss for yes or no. The moons are
# synthetic, and so small that we can look at everything that the network thinks.

# %%
manual_seed(0)
(x, label), net = two_moons(400, noise=0.15), MLP([2, 16, 16, 1], relu)
points = TensorDataset(x, label.data[:, None].astype(np.float32))
moons = DataLoader(points, batch_size=50, shuffle=True, seed=0)
adam = Adam(net.parameters(), lr=0.01)
moon_trainer = Trainer(net, adam, binary_cross_entropy_with_logits)
moon_trainer.fit(moons, 40, progress=False)
moon_trainer.evaluate(moons)

# %%
corners = np.linspace(-2, 3, 100)
grid = np.stack(np.meshgrid(corners, corners), axis=-1).reshape(-1, 2)
with evaluating(net):
    yes = sigmoid(net(Tensor(grid))).data.reshape(100, 100)

# %%
plt.figure(figsize=(4.4, 3.2))
levels = np.linspace(0, 1, 11)
plt.contourf(corners, corners, yes, levels=levels, cmap="RdBu", alpha=0.7)
plt.colorbar(label="probability of yes")
plt.scatter(*x.data.T, c=label.data, cmap="bwr_r", s=6);

# %% [markdown]
# Now real images: 1,097 digits to learn from, 200 to choose the epoch, and 500 that are
# used once. Everything takes part: Adam with a one-cycle schedule, a dropout, patience.
# How many of the 500 will be right?

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
# Two more pictures: where the mistakes are, and what they look like.

# %%
logits, targets = trainer.predict(test_loader)
plot_confusion_matrix(confusion_matrix(logits, targets), digits.classes);

# %%
plot_mistakes(test[:][0], logits, targets, digits.classes);

# %% [markdown]
# ## Systems: where a step's time goes
#
# A step has four parts: the data, forward, backward, the update. We take a network for
# images of CIFAR-10's size, 3072-512-256-10, and a batch of 128. Count first:
#
# - forward: $2 \cdot 128$ floating-point operations for each of the 1.7 million
#   weights;
# - backward: twice as much, one product for the weights of each layer and one for its
#   inputs. But nobody asks for the gradient of the images, so the largest layer needs
#   only one;
# - update, SGD with momentum: reads weight, gradient and momentum, writes weight and
#   momentum: 20 bytes a weight.
#
# Which ratio of backward to forward do you predict?

# %%
weights = [3072 * 512, 512 * 256, 256 * 10]
forward, inputs = 2 * 128 * sum(weights), 2 * 128 * weights[0]
print(f"forward  {readable(forward, 'FLOP')}")
print(f"backward {readable(2 * forward - inputs, 'FLOP')}")
print(f"update   {readable(20 * sum(weights), 'B')}")

# %% [markdown]
# Times do not depend on what an image shows, so we measure on noise, on every machine.
# The second network is convolutional. Its two convolutions have few weights, and use
# each of them at every place of the image.

# %%
def parts(model, optimizer, loader, name):
    """The least seconds of data, forward, backward and update in an epoch."""
    times, batches, show = [], iter(loader), _live_line()
    for number in range(len(loader)):
        show(f"{name} step {number + 1} of {len(loader)}")
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
    show("")
    return np.min(times, axis=0)

# %%
def convolutional():
    return Sequential(
        Conv2d(3, 32, 3, padding=1), relu, MaxPool2d(2),
        Conv2d(32, 64, 3, padding=1), relu, MaxPool2d(2),
        Flatten(), Dense(4096, 128, relu), Dense(128, 10),
    )

rng = np.random.default_rng(0)
pixels = rng.integers(0, 256, (1920, 3, 32, 32), dtype=np.uint8)
noise = ImageDataset(pixels, rng.integers(0, 10, 1920))
normal = Normalize([0.5] * 3, [0.25] * 3)
augment = Compose([RandomCrop(4), RandomHorizontalFlip(), normal])
options = {"batch_size": 128, "shuffle": True, "seed": 0}
noise_loader = DataLoader(noise, transform=augment, **options)

# %%
step_seconds = {}
mlp_of_photos = Sequential(Flatten(), MLP([3072, 512, 256, 10], relu))
for name, net in [("MLP", mlp_of_photos), ("CNN", convolutional())]:
    optimizer = SGD(net.parameters(), lr=0.01, momentum=0.9)
    seconds = parts(net, optimizer, noise_loader, name)
    step_seconds[name] = sum(seconds)
    columns = zip(["data", "forward", "backward", "update"], seconds, strict=True)
    shares = [f"{p} {1e3 * t:.2f} ms {t / sum(seconds):.0%}" for p, t in columns]
    print(f"{name}  " + "  ".join(shares))

# %% [markdown]
# ### Accumulation and memory
#
# 512 examples for one step: in one piece, in 4 and in 16. What a graph keeps, for each
# example two numbers a neuron, shrinks with the piece. The gradients of the weights do
# not. There are two sets of them: the sum so far, and those of the present piece before
# they are added. Predict the factor between the first and the last peak.

# %%
net = Sequential(Flatten(), MLP([64, 256, 256, 256, 10], relu))
trainer = Trainer(net, SGD(net.parameters(), lr=0.01))
x, y = Tensor(np.ones((512, 64))), Tensor(np.arange(512) % 10)

# %%
gradients = 4 * sum(p.size for p in net.parameters())
print(f"one set of gradients takes {readable(gradients, 'B')}")
for size in [512, 128, 32]:
    pieces = [(x[i : i + size], y[i : i + size]) for i in range(0, 512, size)]
    graph = 4 * size * (3 * 2 * 256 + 2 * 10)
    peak = readable(peak_memory(trainer.step, pieces), "B")
    print(f"pieces of {size:3}: graph {readable(graph, 'B'):>8}, peak {peak:>8}")

# %% [markdown]
# And the accuracy? Three runs over the same digits in the same order: batches of 256;
# of 64, four to a step; of 64, each a step. Which two will agree?

# %%
for size, accumulate in [(256, 1), (64, 4), (64, 1)]:
    manual_seed(0)
    net = Sequential(Flatten(), MLP([64, 128, 10], relu))
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9)
    trainer = Trainer(net, optimizer, accumulate=accumulate)
    loader = DataLoader(train, batch_size=size, shuffle=True, seed=0)
    trainer.fit(loader, 5, progress=False)
    result = trainer.evaluate(choose_loader)
    figures = "  ".join(f"{name} {value:.4f}" for name, value in result.items())
    print(f"{accumulate} x {size:3}  {figures}")

# %% [markdown]
# ## CIFAR-10
#
# 60,000 photographs, real ones. Of the 50,000 to train with, 5,000 are kept for
# choices. The 10,000 to test with are used once, at the end. Your own steps, the
# fastest of each kind, say how long six epochs will take at least:

# %%
updates = 6 * int(np.ceil(45_000 / 128))
for name, seconds in step_seconds.items():
    minutes = updates * seconds / 60
    print(f"{name}: {updates} steps, at least {minutes:.1f} minutes")

# %% [markdown]
# If the photographs are not on this machine, the next cell says how to get them, and
# the cells below it do nothing.

# %%
try:
    photos, photos_test = CIFAR10(train=True), CIFAR10(train=False)
    there = True
except FileNotFoundError:
    there = False
    print("CIFAR-10 is not here. Run `tito data get cifar10`, then this cell again.")

# %%
if there:
    split = random_split(photos, [45_000, 5_000], np.random.default_rng(0))
    scale = Normalize(*channel_statistics(DataLoader(split[0], batch_size=1000)))
    hold_loader = DataLoader(split[1], batch_size=500, transform=scale)
    final_loader = DataLoader(photos_test, batch_size=500, transform=scale)

# %% [markdown]
# `learn` trains a model for six epochs, with a schedule of one cycle. First the MLP. To
# an MLP a photograph is a list of numbers.

# %%
def learn(model, optimizer, max_lr, transform):
    """The trainer after six epochs."""
    loader = DataLoader(split[0], transform=transform, prefetch=2, **options)
    schedule = OneCycleLR(optimizer, max_lr, 6 * len(loader))
    trainer = Trainer(model, optimizer, scheduler=schedule)
    trainer.fit(loader, 6, validation=hold_loader)
    return trainer

# %%
if there:
    manual_seed(0)
    mlp = Sequential(Flatten(), MLP([3072, 512, 256, 10], relu))
    mlp_trainer = learn(mlp, AdamW(mlp.parameters()), 1e-3, scale)
    plot_history(mlp_trainer.history)

# %% [markdown]
# The training loss keeps falling, the other one hardly falls any more: what the network
# learns now helps with these images only. Next comes the convolutional network from
# above, with crops and mirror images. To it neighbouring pixels are neighbours. If it
# takes too long, stop it, and skip the two cells after it.

# %%
if there:
    manual_seed(0)
    cnn = convolutional()
    sgd = SGD(cnn.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    augment = Compose([RandomCrop(4), RandomHorizontalFlip(), scale])
    cnn_trainer = learn(cnn, sgd, 0.05, augment)
    plot_history(cnn_trainer.history)

# %% [markdown]
# The test images, for the first and only time. Which classes will be confused most?

# %%
if there:
    logits, targets = cnn_trainer.predict(final_loader)
    mlp_share = mlp_trainer.evaluate(final_loader)["accuracy"]
    print(f"MLP {mlp_share:.1%}, CNN {accuracy(logits, targets):.1%} of 10,000")
    plot_confusion_matrix(confusion_matrix(logits, targets), photos.classes)

# %%
if there:
    plot_mistakes(photos_test.images, logits, targets, photos.classes)

# %% [markdown]
# ## Reflect
#
# From your table of a step's parts: state the ratio of backward to forward that the
# counts predict for the MLP, and the measured one. Name one reason for the difference
# that is not in the counts. Then: by how many percent would a step of each network get
# shorter at most, if updates took no time? At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "step_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# Predicted: (2 · 437 - 403) / 437 = 1.08. Measured: 2.49 ms against 2.59 ms, 0.96. The
# counts know only products. Forward also writes each layer's result into new memory,
# backward needs ReLU's masks and the sums for the biases, and products of different
# shapes run at different speeds. If updates took no time, a step would get shorter by
# their share: at most 13 % for the MLP (1.0 of 7.5 ms), under 2 % for the CNN, which
# has a third of the weights and computes much more with each.
#
# Rubric: 2 points for 1.08 from the counts, 1 for the own measured ratio, 1 for a valid
# reason; 3 for both shares from the own table, as an upper bound (2 without the two
# networks compared).

# %% [markdown]
# From the table of peaks: by which factor does the *graph* shrink from 512 to 32, by
# which factor the peak, and why do they differ? Then name a layer or a loss, from this
# course or not, with which accumulation is *not* the large batch, and say why. At most
# five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "accumulation_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The graph shrinks by 16, from 3.19 to 0.20 MB, the peak from 4.38 to 1.47 MB, by 3.0.
# The two sets of gradients, 0.6 MB each, do not shrink: 0.2 + 2 · 0.6 = 1.4 MB. Batch
# normalisation is not the same, as each piece is normalised by its own mean; nor is a
# loss which compares the examples of a batch with each other.
#
# Rubric: 2 points for the factor 16, 1 for the measured factor, 2 for the gradients as
# the part that stays; 2 for a valid case with its reason (dropout counts: other numbers
# are dropped).

# %% [markdown]
# Somebody saves the model's weights only. After resuming, four things differ from the
# undisturbed run: the optimizer's state, the position of the schedule, the order of the
# images, and dropout's random numbers. Say for each whether you would *see* it in the
# curve of the training loss, and how. Then try one: change its part of `state_dict()`
# before `load_state_dict`, and look. At most six sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "resume_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# The schedule would be seen at once: one cycle begins again with small rates, and the
# loss jumps when they are large for a second time. The others are hidden by the noise.
# I resumed with an empty state of SGD: the losses of epochs 4 to 6 were 0.240, 0.197,
# 0.184, and 0.254, 0.174, 0.168 in the undisturbed run. Another order alone gave 0.245,
# 0.204, 0.179, which is as far away: with momentum 0.9 about ten steps fill the memory
# again, and an epoch has 18. So a wrong resumption is found by comparing bits, not by
# looking at curves.
#
# Rubric: 1 point for each of the four with what is seen; 2 for an own trial with its
# figures.

# %% [markdown]
# ## The rest is names
#
# What follows needs no new op. `nll_loss` takes log-probabilities; with `log_softmax`
# before it, it is `cross_entropy`. Class `weight`s make rare classes count more: the
# mean is then divided by the sum of the weights of all targets. And a target may be a
# row of probabilities, one for each class. (When a `Trainer` accumulates, each batch
# counts by its examples, not by the weights or by the targets that are not ignored.)

# %% nbgrader={"grade": false, "grade_id": "nll", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _weighted(log_p, targets, weight, ignore_index: int) -> tuple:
    """Weights of all classes (C,); classes and weights of all targets (n, *d)."""
    t = _classes(log_p, targets, ignore_index)[0].reshape(np.shape(targets))
    n, counts = log_p.shape[1], t != ignore_index
    weights = np.ones(n) if weight is None else np.asarray(weight)
    if weights.shape != (n,):
        raise ValueError(f"{n} classes need weights ({n},), not {weights.shape}")
    t, weights = np.where(counts, t, 0), weights.astype(log_p.dtype)
    return weights, t, weights[t] * counts

def _share(losses: Tensor, shares: ndarray, reduction: str) -> Tensor:
    """Losses that have their weights already; the mean is by the sum of the weights."""
    mean = reduction == "mean"
    return losses.sum() / shares.sum() if mean else reduced(losses, reduction)

def nll_loss(
    log_p: Tensor, targets, weight=None, ignore_index: int = -100, reduction="mean"
) -> Tensor:
    """The mean of -log_p[target], by weight: (n, classes, *d), (n, *d) -> ()."""
    _, t, shares = _weighted(log_p, targets, weight, ignore_index)
    row, *places = np.indices(t.shape, sparse=True)
    losses = where(shares != 0, -log_p[(row, t, *places)], 0.0) * shares
    return _share(losses, shares, reduction)

def _cross_entropies(logits, targets, e, weight, ignore_index, reduction) -> Tensor:
    """cross_entropy with its rarer options: by log_softmax, in tensor operations."""
    t, probabilities = np.array(targets), np.shape(targets) == logits.shape
    if not probabilities or t.dtype.kind != "f" or t.ndim < 2:
        weights, _, shares = _weighted(logits, t, weight, ignore_index)
    log_p, n = log_softmax(logits, 1), logits.shape[1]
    along = (n, *[1] * (logits.ndim - 2))  # weights, beside log_p (n, classes, *d)
    if probabilities:
        w = np.ones(n) if weight is None else np.asarray(weight)
        q = ((1 - e) * t + e / n) * w.reshape(along)
        return reduced(-(log_p * q.astype(logits.dtype)).sum(1), reduction)
    losses = nll_loss(log_p, t, weight, ignore_index, "none")
    if e:
        spread = -(log_p * weights.reshape(along)).sum(1) * (e / n)
        losses = losses * (1 - e) + where(t != ignore_index, spread, 0.0)
    return _share(losses, shares, reduction)

# %% [markdown]
# A rare class with nine times the weight, an ignored target, and a target that is
# 70 % class 0:

# %%
logits = Tensor([[2.0, 0.0], [0.0, 1.0]])
cross_entropy(logits, [0, 1], weight=[1.0, 9.0])

# %%
cross_entropy(logits, [0, -100], reduction="none")

# %%
cross_entropy(logits, [[0.7, 0.3], [0.0, 1.0]])

# %%
nll_loss(log_softmax(logits, 1), [0, 1]).item() - cross_entropy(logits, [0, 1]).item()

# %% [markdown]
# For yes or no, `pos_weight` is the weight of each yes. One logit $x$ is the two logits
# $(x, 0)$, so `log_softmax` gives both logarithms without overflow and without corners.
# `binary_cross_entropy` takes probabilities. A logarithm of 0 counts as -100, as in
# PyTorch; from logits it is exact. `kl_div` is a cross-entropy less the least that it
# could be: 0 if the probabilities are the targets.

# %% nbgrader={"grade": false, "grade_id": "bce_rest", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _binary_cross_entropies(logits, t, pos_weight, reduction) -> Tensor:
    """The binary cross-entropy with its rarer options, in tensor operations."""
    zero = Tensor(np.zeros_like(logits.data), dtype=logits.dtype)
    both = log_softmax(stack([logits, zero], -1), -1)
    w = np.asarray(1 if pos_weight is None else pos_weight, logits.dtype)
    return reduced(-(both[..., 0] * (t * w) + both[..., 1] * (1 - t)), reduction)

def binary_cross_entropy(p: Tensor, targets, reduction: str = "mean") -> Tensor:
    """The mean of -t log p - (1 - t) log(1 - p), for probabilities p."""
    t, least = np.array(targets, p.dtype), float(np.exp(-100))
    if t.shape != p.shape or not ((p.data >= 0) & (p.data <= 1)).all():
        raise ValueError(f"{p.shape}, targets {t.shape}: one shape, p from 0 to 1")
    yes, no = p.clip(least, None).log(), (1 - p).clip(least, None).log()
    return reduced(-(yes * t + no * (1 - t)), reduction)

def kl_div(log_p: Tensor, targets, reduction: str = "mean", log_target=False) -> Tensor:
    """Of t (log t - log_p), t probabilities; "batchmean" is the mean of row sums."""
    t = targets if isinstance(targets, Tensor) else Tensor(targets, dtype=log_p.dtype)
    if t.shape != log_p.shape:
        raise ValueError(f"log-probabilities {log_p.shape}, targets {t.shape}")
    t, log_t = (t.exp(), t) if log_target else (t, t.clip(float(np.exp(-100))).log())
    losses, mean = t * (log_t - log_p), reduction == "batchmean"
    return losses.sum() / len(log_p) if mean else reduced(losses, reduction)

# %%
binary_cross_entropy_with_logits(Tensor([0.0, 0.0]), [1, 0], pos_weight=3.0)

# %% [markdown]
# For numbers: the absolute difference follows a few wild targets less than the square
# does. Huber's loss is a square near 0, and a straight line further out.

# %% nbgrader={"grade": false, "grade_id": "number_losses", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def l1_loss(prediction: Tensor, target, reduction: str = "mean") -> Tensor:
    """The mean of |prediction - target|."""
    mse_loss(prediction, target, "none")  # refuses shapes that differ
    return reduced((prediction - target).abs(), reduction)

def huber_loss(prediction, target, reduction="mean", delta: float = 1.0) -> Tensor:
    """d²/2 up to |d| = delta, then delta (|d| - delta/2); d = prediction - target."""
    a = l1_loss(prediction, target, "none")
    squares, lines = a * a / 2, (a - delta / 2) * delta
    return reduced(where(a.data < delta, squares, lines), reduction)

def smooth_l1_loss(prediction, target, reduction="mean", beta: float = 1.0) -> Tensor:
    """Huber's loss divided by its delta, which is called beta here."""
    if beta == 0:
        return l1_loss(prediction, target, reduction)
    return huber_loss(prediction, target, reduction, beta) / beta

class NLLLoss(_Loss):
    function = staticmethod(nll_loss)
class BCELoss(_Loss):
    function = staticmethod(binary_cross_entropy)
class KLDivLoss(_Loss):
    function = staticmethod(kl_div)
class L1Loss(_Loss):
    function = staticmethod(l1_loss)
class HuberLoss(_Loss):
    function = staticmethod(huber_loss)
class SmoothL1Loss(_Loss):
    function = staticmethod(smooth_l1_loss)

# %%
prediction, target = Tensor([0.0, 0.5, 5.0]), [0.0, 0.0, 0.0]

# %%
for loss in (mse_loss, l1_loss, huber_loss):
    print(loss.__name__, loss(prediction, target, reduction="none"))

# %% [markdown]
# ## Here and in PyTorch
#
# | here | in PyTorch |
# | --- | --- |
# | `cross_entropy`, `nll_loss`, `mse_loss`, `l1_loss` … | `torch.nn.functional` |
# | `CrossEntropyLoss`, `MSELoss` … | the same in `torch.nn` |
# | `label_smoothing` comes third | `weight` does: name all options |
# | the mean of an empty batch: an error | nan |
# | shapes that differ: a `ValueError` | a warning, then broadcasting |
# | `with evaluating(model)`, for one thread | `eval()`, `no_grad()`, `train()` |
# | `loss.backward(share)` | the same; often `(share * loss).backward()` |
# | `Trainer`: the schedule counts updates | your own loop, or Lightning |
# | `save`, `load` | `torch.save`, `torch.load(weights_only=True)` |
# | `confusion_matrix`, `accuracy` | in scikit-learn and torchmetrics |

# %% [markdown]
# ## Summary
#
# Losses come from likelihoods, start from logits, and do not overflow. A `Trainer`
# accumulates, clips, follows a schedule, validates, stops early, and resumes to the
# last bit. Your framework learns photographs. What it learned is large and in float32:
# module 12 makes it small, module 13 makes it fast.
