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
#     title: Optimizers
#     part: Training
#     hours: 5
#     goals:
#     - explain what ravines, noise and unequal scales do to descent, and what helps
#     - write momentum, Nesterov, RMSprop, Adam and AdamW in place, without new arrays
#     - set the learning rate by a schedule, and explain what a warmup is for
#     - limit a step that would be far too long
#     - count the bytes that an optimizer keeps, and measure the time of its step
# ---

# %% [markdown]
# # Optimizers
#
# > From gradients to better weights: momentum, adaptive steps, and schedules.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# `import tinytorch` now means your own package: the modules before this one.
from tito.workspace import use_prefix

use_prefix(10)

# %% [markdown]
# ## Why
#
# In module 09 a dozen lines learned the digits. Their step was `p - 0.3 * gradient`.
# Why 0.3? Here is the smallest problem in which that choice is hard. It is a valley:
# across, it is forty times as steep as along. We take 40 steps from the same place with
# five learning rates. Which of them would you take?

# %%
import numpy as np

from tinytorch.core.autograd import zero_grad
from tinytorch.core.tensor import Tensor

# %%
curvature = Tensor([1.0, 40.0])

def valley(w):
    return (0.5 * curvature * w * w).sum()

# %%
for lr in (0.01, 0.02, 0.045, 0.05, 0.051):
    w = Tensor([-8.0, 1.0], requires_grad=True)
    for _ in range(40):
        valley(w).backward()
        w.data -= lr * w.grad.data
        zero_grad([w])
    print(f"lr {lr:5}: w = {w.data}, loss {valley(w).item():8.3f}")

# %% [markdown]
# One formula explains the table. In a direction with curvature $c$ the slope is $c\,w$,
# so a step multiplies the distance from the bottom by a constant:
#
# $$w \leftarrow w - \eta\, c\, w = (1 - \eta\, c)\, w$$
#
# After 40 steps the factor is $(1 - \eta c)^{40}$. For both directions:

# %%
for lr in (0.01, 0.02, 0.045, 0.05, 0.051):
    print(f"lr {lr:5}:", *[f"{(1 - lr * c) ** 40:8.4f}" for c in (1, 40)])

# %% [markdown]
# Along the valley, where $c = 1$, a rate of 1 would reach the bottom in one step.
# Across it, where $c = 40$, the factor is below $-1$ as soon as $\eta > 2/40$: each
# step lands on the other side, and higher. No single rate suits both directions.
#
# Real networks have a hundred thousand directions. Their gradients are noisy, and
# differ in size a thousandfold. This module has an answer to each of the three
# problems: **ravines**, **noise** and **scale**.

# %%
#| default_exp core.optimizers

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import math
from collections.abc import Iterable
from copy import deepcopy
from numbers import Real

import numpy as np
from numpy import ndarray

from tinytorch.core.autograd import zero_grad
from tinytorch.core.tensor import Tensor, _note_write

# %% [markdown]
# ## 1. One step
#
# $$p \leftarrow p - \eta\, d$$
#
# $\eta$ is the learning rate, `lr`. $d$ is the direction, for now the gradient.
# `p = p - lr * d` would make two new arrays, each as large as the weights, and the
# layer would still hold the old one. So every step of this module writes **in place**,
# into arrays that exist already. NumPy has two ways to do that:

# %%
a, b, c = np.float32([1, 2]), np.float32([10, 20]), np.zeros(2, np.float32)
a += b  # writes into a
np.add(a, b, out=c)  # writes into c: each of NumPy's functions has `out`
a, c

# %% [markdown]
# Write `descend`: `p` itself changes, and no array is allocated. `direction` must not
# change, since others still need it. So the product goes into `scratch`, an array whose
# content nobody needs. Sometimes nobody needs the direction either: then the caller
# passes the same array twice, as `direction` and as `scratch`. Two lines.

# %% nbgrader={"grade": false, "grade_id": "descend", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def descend(p: ndarray, direction: ndarray, lr: float, scratch: ndarray) -> None:
    """p ← p - lr direction, in place. scratch has p's shape, and is overwritten."""
    ### BEGIN SOLUTION
    np.multiply(direction, lr, out=scratch)
    p -= scratch
    ### END SOLUTION

# %% [markdown]
# Which of the three arrays will have changed?

# %%
p, d, work = np.float32([1, 2]), np.float32([10, -10]), np.zeros(2, np.float32)
descend(p, d, 0.1, work)
p, d, work

# %% nbgrader={"grade": false, "grade_id": "instruments", "locked": true, "schema_version": 3, "solution": false, "task": false}
from tinytorch.core.setup import compare, peak_memory, readable, time_call

# The checks compare arrays with this function. You need not read it.
def same(found, wanted, sentence, rtol=1e-5, atol=1e-6):
    """Stop with the sentence, and with both sides, where two arrays differ."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    sides = [
        f"{a.item():.6g}" if a.size == 1 else np.array2string(a, 88, 6, threshold=8)
        for a in (found, wanted)
    ]
    shapes = f"The shape is {found.shape}, and should be {wanted.shape}."
    assert found.shape == wanted.shape, f"{sentence} {shapes}"
    equal = np.allclose(found, wanted, rtol, atol, equal_nan=True)
    assert equal, f"{sentence} It is {sides[0]}, and should be {sides[1]}."

# %% nbgrader={"grade": true, "grade_id": "descend_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""descend changes p itself, leaves the direction alone, and allocates nothing."""
p, d, work = np.float32([1, 2, 3]), np.float32([10, -20, 0]), np.float32([7, 7, 7])
descend(p, d, 0.1, work)
same(p, [0, 4, 3], "scratch held 7. p must become p - lr · direction, in p itself.")
same(d, [10, -20, 0], "The direction was changed, and others still need it.")
descend(p, d, 0.1, d)
same(p, [-1, 6, 3], "The same array was direction and scratch, and p is wrong.")
matrix = np.asfortranarray(np.float32([[1, 2, 3], [4, 5, 6]]))
descend(matrix, np.ones((2, 3), np.float32), 1.0, np.empty((2, 3), np.float32))
same(matrix, [[0, 1, 2], [3, 4, 5]], "A matrix is wrong whose columns are contiguous.")
a, b, c = np.ones((3, 100_000), np.float32)
needed = peak_memory(descend, a, b, 0.1, c)
assert needed < 100_000, (
    f"A step on {a.nbytes:,} bytes allocated {needed:,} more. "
    "Write the product into scratch, with `out`."
)

# %% nbgrader={"grade": true, "grade_id": "descend_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on a matrix in column order, on a rate of 0, and on float32."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_p = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
_d, _s = np.ones((2, 3), np.float32), np.full((2, 3), 7, np.float32)
descend(_p, _d, 0.25, _s)
answer([_p, _d, str(_p.dtype)], about="a matrix in column order")
descend(_p, _d, 0.0, _s)
answer(_p, about="a rate of 0")
### END HIDDEN TESTS

# %% [markdown]
# To see steps, we note the places that `w` visits, and draw them on the valley's
# contour lines. You need not read how the picture is drawn.

# %% nbgrader={"grade": false, "grade_id": "walk", "locked": true, "schema_version": 3, "solution": false, "task": false}
def new_w():
    """The place where every walk begins."""
    return Tensor([-8.0, 1.0], requires_grad=True)

def walk(w, step, steps=40):
    """The places that w visits, if `step` changes w.data: (steps + 1, 2)."""
    places = [w.data.copy()]
    for _ in range(steps):
        valley(w).backward()
        step()
        zero_grad([w])
        places.append(w.data.copy())
    return np.array(places)

# %% nbgrader={"grade": false, "grade_id": "draw", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt

def draw(**paths):
    """Each path on the contour lines of the valley, with the loss at its end."""
    x, y = np.meshgrid(np.linspace(-9, 4, 150), np.linspace(-1.6, 1.6, 80))
    size = (3.6 * len(paths), 2.2)
    _, axes = plt.subplots(1, len(paths), figsize=size, sharey=True, squeeze=False)
    levels = np.geomspace(0.1, 60, 9)
    for ax, (name, path) in zip(axes.flat, paths.items()):
        height = (x * x + 40 * y * y) / 2
        ax.contour(x, y, height, levels=levels, colors="0.8", linewidths=0.7)
        ax.plot(*path.T, ".-", ms=4, lw=0.8)
        ax.set_title(f"{name}: last loss {path[-1] ** 2 @ [0.5, 20]:.2g}", fontsize=9)
        ax.set_xlabel("$w_1$")
    axes[0, 0].set_ylabel("$w_2$")
    plt.tight_layout()

# %% [markdown]
# Forty steps at 0.01, and forty at 0.045. Sketch both paths before you look. One of
# them crawls. What does the other one do?

# %%
def plainly(w, lr):
    work = np.zeros_like(w.data)
    return lambda: descend(w.data, w.grad.data, lr, work)

# %%
w, u = new_w(), new_w()
draw(**{"lr 0.01": walk(w, plainly(w, 0.01)), "lr 0.045": walk(u, plainly(u, 0.045))})

# %% [markdown]
# ## 2. Ravines
#
# Look at the zigzag. Across the ravine, successive gradients point in opposite
# directions. Along it, all of them agree. So add them up, and let old ones fade: what
# alternates cancels, what agrees grows. This sum is called **momentum** (Polyak 1964).
# It is the velocity of a ball with friction:
#
# $$v \leftarrow \mu\, v + g, \qquad p \leftarrow p - \eta\, v$$
#
# $\mu$ is often 0.9. Write the first half, in place and without a new array; `g` must
# not change. Two lines.

# %% nbgrader={"grade": false, "grade_id": "accumulate", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def accumulate(v: ndarray, g: ndarray, momentum: float) -> None:
    """v ← momentum v + g, in place."""
    ### BEGIN SOLUTION
    v *= momentum
    v += g
    ### END SOLUTION

# %% [markdown]
# Again and again the same gradient, 1: which value does the velocity approach? And if
# the sign changes each time?

# %%
for signs in [(1, 1, 1, 1), (1, -1, 1, -1)]:
    v, speeds = np.zeros(1), []
    for sign in signs * 25:
        accumulate(v, np.float64([sign]), momentum=0.9)
        speeds.append(round(v.item(), 2))
    print(*speeds[:4], "...", *speeds[-2:])

# %% nbgrader={"grade": true, "grade_id": "accumulate_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""A constant gradient adds up to (1 - momentum^t) / (1 - momentum) of itself."""
v, g = np.zeros(2, np.float32), np.float32([1, -3])
for t in range(1, 31):
    accumulate(v, g, 0.8)
    wanted = g * (1 - 0.8**t) / (1 - 0.8)
    same(v, wanted, f"{t} gradients [1, -3], momentum 0.8: v itself is wrong.")
same(g, [1, -3], "The gradient was changed.")
a, b = np.ones((2, 100_000), np.float32)
needed = peak_memory(accumulate, a, b, 0.9)
assert needed < 100_000, (
    f"For {a.nbytes:,} bytes of velocity {needed:,} more were allocated. "
    "`*=` and `+=` change an array itself."
)

# %% nbgrader={"grade": true, "grade_id": "accumulate_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on random gradients, and without momentum."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_rng = np.random.default_rng(0)
_g = _rng.standard_normal((5, 2, 3)).astype(np.float32)
_v = np.ones((2, 3), np.float32)
for _one in _g:
    accumulate(_v, _one, 0.5)
answer(_v, about="random gradients")
accumulate(_v, _g[0], 0.0)
answer([_v, _g], about="without momentum")
### END HIDDEN TESTS

# %% [markdown]
# With a constant gradient the velocity becomes ten times as large as the gradient. With
# an alternating one it is only half as large. The same 40 steps at the same rate, 0.02,
# without momentum and with it:

# %%
def with_momentum(w, lr=0.02, momentum=0.9):
    v, work = np.zeros_like(w.data), np.zeros_like(w.data)

    def step():
        accumulate(v, w.grad.data, momentum)
        descend(w.data, v, lr, work)
    return step

# %%
w, u = new_w(), new_w()
plain = walk(w, plainly(w, 0.02))
draw(plain=plain, momentum=walk(u, with_momentum(u)))

# %% [markdown]
# ### Look ahead
#
# The ball is fast, but it rolls through the minimum, and it swings across the ravine.
# It measures the slope where it *is*, although the velocity will carry it on by
# $-\eta\mu v$. Nesterov (1983) measures the slope *there*, at $q = p - \eta\mu v$:
#
# $$v' = \mu v + g(q), \qquad p' = p - \eta v'$$

# %% [markdown]
# So let us store $q$ instead of $p$. Put $p = q + \eta\mu v$ into
# $q' = p' - \eta\mu v'$, and replace $\mu v$ by $v' - g$:
#
# $$q' = q + \eta\mu v - \eta v' - \eta\mu v' = q - \eta\,(g + \mu v')$$
#
# Now $g$ is measured at the place that we store. The weights are $q$, and the direction
# is $d = g + \mu v'$.

# %% [markdown]
# Write $g + \mu v$ into `out`, and return `out`. The `v` that comes in is the new one,
# $v'$. `g` and `v` must not change, and no array is allocated. Three lines.

# %% nbgrader={"grade": false, "grade_id": "look_ahead", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def look_ahead(g: ndarray, v: ndarray, momentum: float, out: ndarray) -> ndarray:
    """g + momentum v, written into `out`, which is returned."""
    ### BEGIN SOLUTION
    np.multiply(v, momentum, out=out)
    out += g
    return out
    ### END SOLUTION

# %%
g, v = np.float32([1, 1]), np.float32([10, -10])
look_ahead(g, v, 0.5, out=np.zeros(2, np.float32))

# %% nbgrader={"grade": true, "grade_id": "look_ahead_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""look_ahead writes g + momentum v into `out`, and nowhere else."""
g, v, out = np.float32([1, 2]), np.float32([10, -10]), np.float32([7, 7])
d = look_ahead(g, v, 0.9, out)
same(out, [10, -7], "`out` must hold g + momentum · v. It held 7 before.")
assert d is out, "Return `out` itself, and no other array."
same(g, [1, 2], "g was changed.")
same(v, [10, -10], "v was changed.")
a, b, c = np.ones((3, 100_000), np.float32)
needed = peak_memory(look_ahead, a, b, 0.9, c)
assert needed < 100_000, (
    f"{needed:,} bytes were allocated. Write the product into `out`, and add g there."
)

# %% nbgrader={"grade": true, "grade_id": "look_ahead_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on matrices, and without momentum."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_g, _v = np.random.default_rng(1).standard_normal((2, 3, 4)).astype(np.float32)
for _momentum in (0.75, 0.0):
    _out = np.full((3, 4), 7, np.float32)
    answer([look_ahead(_g, _v, _momentum, _out), _g, _v], about="matrices")
### END HIDDEN TESTS

# %%
def with_nesterov(w, lr=0.02, momentum=0.9):
    v, work = np.zeros_like(w.data), np.zeros_like(w.data)

    def step():
        accumulate(v, w.grad.data, momentum)
        d = look_ahead(w.grad.data, v, momentum, work)
        descend(w.data, d, lr, work)
    return step

# %%
w, u = new_w(), new_w()
draw(momentum=walk(w, with_momentum(w)), Nesterov=walk(u, with_nesterov(u)))

# %% [markdown]
# ### A pull towards zero
#
# Of the 1,797 digits we train on the first 1,297. Some pixels are 0 in all of them.
# What happens to the weights that read these pixels?

# %%
from tinytorch.datasets import load_digits

images, labels = load_digits()
x = Tensor(images.reshape(-1, 64) / 16)
np.flatnonzero((x.data[:1297] == 0).all(axis=0))

# %% [markdown]
# Their gradient is always 0, so they keep their random start values. When an image
# comes with ink at such a pixel, these random numbers change its result.
# **Weight decay** pulls every weight towards zero, a little at each step: it adds
# $\frac{\lambda}{2}\lVert p \rVert^2$ to the loss, and so it adds $\lambda p$ to the
# gradient.
#
# Write $g + \lambda p$ into `out` and return it. `g` and `p` must not change, and no
# array is allocated. If $\lambda$ is 0, return `g` itself and leave `out` alone. About
# five lines.

# %% nbgrader={"grade": false, "grade_id": "decayed", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def decayed(g: ndarray, p: ndarray, weight_decay: float, out: ndarray) -> ndarray:
    """g + weight_decay p, written into `out`, which is returned; g if no decay."""
    ### BEGIN SOLUTION
    if weight_decay == 0:
        return g
    np.multiply(p, weight_decay, out=out)
    out += g
    return out
    ### END SOLUTION

# %% [markdown]
# A weight of 8 without a gradient, and one of -8 with a gradient of 1:

# %%
g, p = np.float32([0, 1]), np.float32([8, -8])
decayed(g, p, 0.01, out=np.zeros(2, np.float32))

# %% nbgrader={"grade": true, "grade_id": "decayed_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""decayed gives g + weight_decay p in `out`, and g itself without decay."""
g, p, out = np.float32([0, 1, -2]), np.float32([8, -8, 4]), np.float32([7, 7, 7])
found = decayed(g, p, 0.0, out)
assert found is g, "Without decay return g itself, and no other array."
same(out, [7, 7, 7], "Without decay `out` must stay as it was.")
found = decayed(g, p, 0.25, out)
assert found is out, "With a decay return `out` itself, and no other array."
same(out, [2, -1, -1], "`out` must hold g + weight_decay · p. It held 7 before.")
same(g, [0, 1, -2], "g was changed.")
same(p, [8, -8, 4], "p was changed.")
for _ in range(10):
    descend(p, decayed(np.zeros(3, np.float32), p, 0.5, out), 0.1, out)
wanted = np.array([8, -8, 4]) * 0.95**10
same(p, wanted, "Without a gradient, each step must leave (1 - lr λ) of p.")
a, b, c = np.ones((3, 100_000), np.float32)
needed = peak_memory(decayed, a, b, 0.1, c)
assert needed < 100_000, (
    f"{needed:,} bytes were allocated. Write the product into `out`, and add g there."
)

# %% nbgrader={"grade": true, "grade_id": "decayed_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on matrices, and on a decay of 0."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_g, _p = np.random.default_rng(2).standard_normal((2, 4, 3)).astype(np.float32)
_out = np.full((4, 3), 7, np.float32)
answer([decayed(_g, _p, 0.1, _out), _g, _p], about="matrices")
_out = np.full((4, 3), 7, np.float32)
answer([decayed(_g, _p, 0, _out) is _g, _out], about="a decay of 0")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. The optimizer
#
# An **optimizer** holds the parameters and their options, and remembers what it needs
# for each parameter. Its heart is `step`, ten lines: for each parameter that has a
# gradient, take the arrays that belong to it, and call `update`. Each kind of optimizer
# writes its own `update`. The class `Optimizer` itself is complete after six given
# cells.
#
# - `slots` names the arrays that are kept for each parameter: for SGD the velocity.
# - Parameters come in **groups**, each with options of its own.
# - `kept` says which slots the options need, `_arrays` finds these arrays, and counts
#   the steps.
# - `_note_write` tells module 09 that `p` has changed: a graph that saved the old `p`
#   can no longer go backward.

# %% nbgrader={"grade": false, "grade_id": "optimizer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class _Steps:
    """The heart of an optimizer: one step for all parameters."""
    slots = ()  # the names of the arrays that are kept for each parameter
    PIECE = 2**15  # how many numbers `update` gets at once
    def step(self) -> None:
        """Update each parameter that has a gradient; the others stay as they are."""
        for group in self.param_groups:
            options = {name: group[name] for name in self.defaults}
            names = self.kept(**options)
            for p in group["params"]:
                if p.grad is not None:
                    arrays, t = self._arrays(p, names)
                    for piece, scratch in _pieces(arrays, self.PIECE, self._scratch):
                        x, g, *state = piece
                        self.update(x, g, state, scratch, t, **options)
                    _note_write(p)
    def update(self, p, g, state: list, scratch: tuple, t: int, **options) -> None:
        """Step t (first: 1) in place; state: an array for each slot; scratch: two."""
        raise NotImplementedError(f"{type(self).__name__}.update is not written yet")
    def kept(self, **options) -> tuple:
        """The slots that these options need."""
        return self.slots
    def _arrays(self, p: Tensor, names: tuple) -> tuple[list[ndarray], int]:
        """p, its gradient and one array for each name; and the number of this step."""
        x, g, state = p.data, p.grad.data, self.state.setdefault(p, {"step": 0})
        if g.shape != x.shape:
            raise ValueError(f"a parameter {x.shape} has a gradient {g.shape}")
        for name in names:
            if name not in state:
                state[name] = np.zeros_like(x)
        state["step"] += 1
        return [x, g, *[state[name] for name in names]], state["step"]

# %% [markdown]
# `_pieces` makes the scratch arrays. For now, `update` gets each parameter as one
# piece, with two new arrays of its shape. The section "As fast as it gets" will replace
# this function; until then it is all there is:

# %% nbgrader={"grade": false, "grade_id": "plain_pieces", "locked": true, "schema_version": 3, "solution": false, "task": false}
def _pieces(arrays, size, memory):
    """A list of one pair: the arrays as they are, and two scratch arrays."""
    return [(arrays, (np.empty_like(arrays[0]), np.empty_like(arrays[0])))]

# %% [markdown]
# The bookkeeping follows: groups and their options, and mistakes that are refused. You
# need not read it.

# %% nbgrader={"grade": false, "grade_id": "groups", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class _Groups(_Steps):
    """Parameters in groups, each with options of its own."""
    def __init__(self, params: Iterable, **defaults):
        if isinstance(params, Tensor):
            said = "which is model.parameters(), or [p] for one"
            raise TypeError(f"params is a single tensor: give a list, {said}")
        self.defaults, self.param_groups, self.state = defaults, [], {}
        self._scratch, given = {}, list(params)
        if not given or not isinstance(given[0], dict):
            given = [{"params": given}]
        for group in given:
            self.add_param_group(group)
    def add_param_group(self, group: dict) -> None:
        """Add {"params": tensors, option: value, ...}; other options are defaults."""
        options, taken = {**self.defaults, **group}, set(self.parameters())
        params = options.pop("params")
        params = [params] if isinstance(params, Tensor) else list(params)
        if unknown := options.keys() - self.defaults.keys():
            raise ValueError(f"no such options: {unknown}, but {[*self.defaults]}")
        if not params:
            raise ValueError("an optimizer needs parameters, and got none")
        self.check(**options)
        for i, p in enumerate(params):
            if not isinstance(p, Tensor) or not p.requires_grad or p.origin:
                said = "is not a leaf that requires a gradient: it will never get one"
                raise ValueError(f"parameter {i} {said}: {p!r:.60}")
            if p in taken:
                raise ValueError(f"parameter {i}, of shape {p.shape}, is there twice")
            taken.add(p)
        self.param_groups.append({"params": params, **options})
    def check(self, **options) -> None:
        """A ValueError for options that make no sense."""
        for name, value in options.items():
            top = 1 if name in ("betas", "alpha") else math.inf  # weights of a mean
            numbers = value if isinstance(value, (tuple, list)) else [value]
            if not all(isinstance(n, Real) and 0 <= n < top for n in numbers):
                raise ValueError(f"{name} must be from 0 to below {top}, not {value}")

# %% [markdown]
# To stop today and go on tomorrow, everything that the optimizer remembers must be
# saved. `state_dict` gives plain data. `load_state_dict` compares a state with its own
# *before* it changes anything. You need not read these three cells either.

# %% nbgrader={"grade": false, "grade_id": "optimizer_state", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _compare(new, old, name: str) -> None:
    """A ValueError unless `new` has the strings, keys, shapes and dtypes of `old`."""
    def kind(x) -> str:
        if isinstance(x, ndarray):
            return f"{x.dtype} {x.shape}"
        if isinstance(x, str):
            return repr(x)
        return "a number" if isinstance(x, (int, float)) else type(x).__name__
    if kind(new) != kind(old):
        raise ValueError(f"{name} is {kind(new)}, not {kind(old)}")
    if isinstance(old, list):
        new, old = dict(enumerate(new)), dict(enumerate(old))
    if isinstance(old, dict):
        wrong = [f"{key} is missing" for key in old if key not in new]
        wrong += [f"{key} is unexpected" for key in new if key not in old]
        if wrong:
            raise ValueError(f"{name}: {', '.join(wrong)}")
        for key in old:
            _compare(new[key], old[key], f"{name} {key}")

# %% nbgrader={"grade": false, "grade_id": "optimizer_checking", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class _States(_Groups):
    """Refuses states that do not fit."""
    def _check_state(self, state: dict) -> None:
        like, params = self.state_dict(), self.parameters()
        _compare(dict.fromkeys(state), dict.fromkeys(like), "the state")
        entries, like["state"] = state["state"], []
        if len(entries) != len(params):
            said = f"is of {len(entries)} parameters, not of {len(params)}"
            raise ValueError(f"the state {said}")
        for p, entry in zip(params, entries):  # empty, or a step, or all slots, too
            names = self.slots if len(entry) > 1 else ()
            like["state"].append(entry and {"step": 0, **dict.fromkeys(names, p.data)})
        groups = [{"initial_lr": 0, **group} for group in state["param_groups"]]
        like["param_groups"] = [{"initial_lr": 0, **g} for g in like["param_groups"]]
        _compare({**state, "param_groups": groups}, like, "the state")
        for group in groups:
            self.check(**{name: group[name] for name in self.defaults})
        for t in [entry["step"] for entry in entries if entry]:
            if type(t) is not int or t < 0:
                raise ValueError(f"the state counts {t} steps, which is no number")

# %% nbgrader={"grade": false, "grade_id": "optimizer_saving", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Optimizer(_States):
    """Updates parameters from their gradients; each kind writes `update`."""
    def parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]
    def zero_grad(self) -> None:
        zero_grad(self.parameters())
    def state_dict(self) -> dict:
        """Kind, options, and copies of all arrays; each parameter is its number."""
        number, groups = {p: i for i, p in enumerate(self.parameters())}, []
        for group in self.param_groups:
            plain = {k: list(v) if type(v) is tuple else v for k, v in group.items()}
            groups.append({**plain, "params": [number[p] for p in group["params"]]})
        entries, kind = [deepcopy(self.state.get(p, {})) for p in number], type(self)
        return {"optimizer": kind.__name__, "param_groups": groups, "state": entries}
    def load_state_dict(self, state: dict) -> None:
        """Go on from that state; if it does not fit: a ValueError, and no change."""
        try:
            self._check_state(state)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"this is no optimizer's state: {error}") from None
        for group, other in zip(self.param_groups, state["param_groups"]):
            tuples = {k: tuple(v) for k, v in other.items() if isinstance(v, list)}
            group.update({**other, **tuples, "params": group["params"]})
        pairs = zip(self.parameters(), state["state"])
        self.state = {p: deepcopy(entry) for p, entry in pairs if entry}

# %% [markdown]
# The simplest kind of optimizer needs no slots and one line:

# %%
class Plain(Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, lr=lr)

    def update(self, p, g, state, scratch, t, lr):
        descend(p, g, lr, scratch[0])

# %%
w = new_w()
Plain([w], lr=0.02).parameters(), walk(w, Plain([w], lr=0.02).step)[-1], plain[-1]

# %% [markdown]
# **SGD**, stochastic gradient descent, puts your four functions together, in PyTorch's
# order: the decay first, then the momentum, then the look ahead, then the step. Write
# its `update`:
#
# - `state` is the list `[v]` if there is momentum, else an empty list;
# - `scratch` is a pair of arrays;
# - without momentum the direction is the decayed gradient; with momentum it is `v`;
#   with `nesterov` it is what `look_ahead` returns;
# - `g` must not change, and no array is allocated.
#
# About eight lines. Which arrays still hold something that you need, when you choose
# the scratch for `descend`?

# %% nbgrader={"grade": false, "grade_id": "sgd", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class SGD(Optimizer):
    """Gradient descent with weight decay, momentum and Nesterov's look ahead."""
    slots = ("momentum_buffer",)

    def __init__(self, params, lr=1e-3, momentum=0.0, nesterov=False, weight_decay=0.0):
        options = {"momentum": momentum, "nesterov": nesterov}
        super().__init__(params, lr=lr, **options, weight_decay=weight_decay)
    def check(self, nesterov, momentum, **options) -> None:
        super().check(momentum=momentum, **options)
        if nesterov and momentum == 0:
            raise ValueError("nesterov needs momentum, which is 0")
    def kept(self, momentum, **options) -> tuple:
        return self.slots if momentum else ()
    def update(self, p, g, state, scratch, t, lr, momentum, nesterov, weight_decay):
        """Decay, momentum, look ahead, step: all in place."""
        ### BEGIN SOLUTION
        g = direction = decayed(g, p, weight_decay, out=scratch[0])
        if momentum:
            (direction,) = state
            accumulate(direction, g, momentum)
            if nesterov:
                direction = look_ahead(g, direction, momentum, out=scratch[1])
        descend(p, direction, lr, scratch[1])
        ### END SOLUTION

# %% [markdown]
# `follow` feeds gradients of our choice to an optimizer, and begins at 0. A gradient of
# 1 three times, with momentum 0.5 and a rate of 1: which three places?

# %% nbgrader={"grade": false, "grade_id": "follow", "locked": true, "schema_version": 3, "solution": false, "task": false}
def follow(kind, gradients, begin=0.0, **options):
    """Where a parameter is after each of these gradients: (steps, *shape)."""
    gradients = np.asarray(gradients, np.float32)
    start = np.full(gradients.shape[1:], begin, np.float32)
    p, places = Tensor(start, requires_grad=True), []
    optimizer = kind([p], **options)
    for g in gradients:
        p.grad = Tensor(g.copy())
        optimizer.step()
        same(p.grad.data, g, "`update` changed the gradient, which must stay.")
        places.append(p.data.copy())
    return np.array(places)

def allocated(kind, size=100_000, **options):
    """The bytes that one call of `update` allocates."""
    optimizer = kind([new_w()], **options)
    p, g, v, s, one, other = np.ones((6, size), np.float32)
    state = [v, s][: len(optimizer.kept(**optimizer.defaults))]
    options, scratch = optimizer.defaults, (one, other)
    return peak_memory(lambda: optimizer.update(p, g, state, scratch, 1, **options))

# %%
follow(SGD, [1.0, 1.0, 1.0], lr=1.0, momentum=0.5)

# %% nbgrader={"grade": true, "grade_id": "sgd_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""SGD takes the decay first, then momentum, then the look ahead; all in place."""
ones = np.ones((3, 1))
found = follow(SGD, ones, lr=0.5).ravel()
same(found, [-0.5, -1, -1.5], "Three gradients of 1, lr = 0.5: the places are wrong.")
found = follow(SGD, ones, lr=1.0, momentum=0.5).ravel()
same(found, [-1, -2.5, -4.25], "With momentum 0.5, v is 1, 1.5, 1.75, and lr is 1.")
found = follow(SGD, ones, lr=1.0, momentum=0.5, nesterov=True).ravel()
wanted = [-1.5, -3.25, -5.125]
same(found, wanted, "Nesterov's directions are 1 + 0.5 v: 1.5, 1.75, 1.875.")
found = follow(SGD, ones, begin=2.0, lr=0.1, weight_decay=0.5).ravel()
wanted = [1.8, 1.61, 1.4295]
same(found, wanted, "Begin 2, decay 0.5, lr 0.1: p loses 0.1 · (1 + 0.5 p).")
found = follow(SGD, ones, begin=2.0, lr=0.1, momentum=0.5, weight_decay=0.5).ravel()
same(found, [1.8, 1.51, 1.1895], "The decayed gradients 2, 1.9, 1.755 must enter v.")
options = {"momentum": 0.5, "nesterov": True, "weight_decay": 0.5}
found = follow(SGD, ones[:2], begin=2.0, lr=0.1, **options).ravel()
same(found, [1.7, 1.3725], "Decay, momentum and look ahead, in this order, are wrong.")
for these in ({}, {"momentum": 0.5}, options):
    needed = allocated(SGD, **these)
    assert needed < 100_000, (
        f"With {these}, update allocated {needed:,} bytes. "
        "Both scratch arrays are there to be written into."
    )

# %% nbgrader={"grade": true, "grade_id": "sgd_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on random gradients with all options, and on what is kept."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_g = np.random.default_rng(3).standard_normal((6, 2, 3))
for _options in (
    {"momentum": 0.9, "nesterov": True, "weight_decay": 0.3},
    {"momentum": 0.8, "weight_decay": 0.1}, {"weight_decay": 0.2},
):
    answer(follow(SGD, _g, begin=0.5, lr=0.1, **_options), about=f"{_options}")
_w = new_w()
_w.grad, _sgd = Tensor([1.0, -2.0]), SGD([_w], lr=0.1, momentum=0.9, nesterov=True)
for _ in range(3):
    _sgd.step()
answer(_sgd.state[_w], about="what is kept after three steps")
### END HIDDEN TESTS

# %% [markdown]
# Decay is meant for weights. Biases may be as large as they like. So we make two
# groups. All gradients are 0 here, so only the decay acts:

# %%
weight = Tensor(np.ones((2, 3)), requires_grad=True)
bias = Tensor(np.ones(2), requires_grad=True)
(weight.sum() * 0 + bias.sum() * 0).backward()

# %%
groups = [{"params": [weight], "weight_decay": 0.1}, {"params": [bias]}]
sgd = SGD(groups, lr=0.5, momentum=0.9)
sgd.step()
weight, bias

# %%
sgd.state_dict()

# %% [markdown]
# Three mistakes. The last one is easy to make: the graph of `y` saved `weight`, and
# then the step wrote into it. Module 09 notices.

# %% tags=["raises-exception"]
SGD([{"params": [weight, bias]}, {"params": [weight], "lr": 1.0}], lr=0.1)

# %% tags=["raises-exception"]
SGD([weight * 2], lr=0.1)

# %% tags=["raises-exception"]
y = (weight * weight).sum()
sgd.step()
y.backward()

# %% [markdown]
# ## 4. Noise
#
# The gradient of a batch is the gradient of all examples plus chance. We take one
# weight of a network for the digits, the one with the largest gradient, and measure its
# gradient on many batches. What happens to the spread if a batch is four times as
# large?

# %%
from tinytorch.core.activations import log_softmax, relu
from tinytorch.core.dense import MLP
from tinytorch.core.tensor import manual_seed

# %%
def loss_of(model, rows):
    return -log_softmax(model(x[rows]), 1)[np.arange(len(rows)), labels[rows]].mean()

# %%
def first_gradient(model, rows):
    """The gradient of the first layer's weights, in one row."""
    zero_grad(model.parameters())
    loss_of(model, rows).backward()
    return model.parameters()[0].grad.data.ravel()

# %%
manual_seed(0)
model, rng = MLP([64, 64, 10], relu), np.random.default_rng(0)
whole = first_gradient(model, np.arange(1297))
k = np.abs(whole).argmax()

# %%
print(f"all 1297 digits: {whole[k]:.4f}")
for n in (4, 16, 64, 256):
    batches = [rng.integers(0, 1297, n) for _ in range(100)]
    noisy = np.array([first_gradient(model, rows)[k] for rows in batches])
    print(f"batches of {n:4}: {noisy.mean():.4f} ± {noisy.std():.4f}")

# %% [markdown]
# Four times the batch has half the noise, but four times the work. There are two
# cheaper ways. The first is an average over *time*. The mean of all gradients so far
# would remember too much, since the weights move. A **running mean** forgets:
#
# $$m \leftarrow \beta\, m + (1 - \beta)\, x \;=\; m + (1 - \beta)(x - m)$$
#
# Write it in place. There is one scratch array, and no other may be allocated. `x` must
# not change, unless the caller passes `x` itself as `scratch`. Both must work: as soon
# as `scratch` is written, `x` may be gone. Three lines.

# %% nbgrader={"grade": false, "grade_id": "blend", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def blend(m: ndarray, x: ndarray, beta: float, scratch: ndarray) -> None:
    """m ← beta m + (1 - beta) x, in place; scratch is overwritten, and may be x."""
    ### BEGIN SOLUTION
    np.subtract(x, m, out=scratch)
    scratch *= 1 - beta
    m += scratch
    ### END SOLUTION

# %%
batches = [rng.integers(0, 1297, 16) for _ in range(150)]
noisy = np.array([first_gradient(model, rows)[k] for rows in batches])
m, smooth = np.zeros(1), []
for value in noisy:
    blend(m, np.array([value]), 0.95, np.zeros(1))
    smooth.append(m.item())

# %%
plt.figure(figsize=(6, 2.4))
plt.plot(noisy, lw=0.6, color="0.6", label="single batches")
plt.plot(smooth, label="running mean")
plt.axhline(whole[k], color="C3", lw=0.8, label="all digits")
plt.gca().set(xlabel="batch", ylabel="gradient")
plt.legend(fontsize=8);

# %% [markdown]
# Why does the running mean begin so far from the truth? Keep this question in mind.

# %% nbgrader={"grade": true, "grade_id": "blend_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""In t steps blend reaches (1 - beta^t) of a constant; scratch may be x itself."""
m, x0, work = np.zeros(2, np.float32), np.float32([1, -3]), np.float32([7, 7])
for t in range(1, 21):
    blend(m, x0, 0.75, work)
    same(m, x0 * (1 - 0.75**t), f"{t} times [1, -3], beta = 0.75: m is wrong.")
same(x0, [1, -3], "x was changed, although scratch is another array.")
m[:] = 8
blend(m, x0, 0.75, x0)
same(m, [6.25, 5.25], "x is its own scratch: m must be 0.75 · 8 + 0.25 · [1, -3].")
a, b, c = np.ones((3, 100_000), np.float32)
needed = peak_memory(blend, a, b, 0.9, c)
assert needed < 100_000, (
    f"{needed:,} bytes were allocated. Write the difference into scratch, with `out`."
)

# %% nbgrader={"grade": true, "grade_id": "blend_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on random matrices, with beta 0 and with beta close to 1."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_xs = np.random.default_rng(3).standard_normal((6, 2, 3)).astype(np.float32)
_m = np.ones((2, 3), np.float32)
for _beta in (0.5, 0.999, 0.0):
    for _one in _xs:
        blend(_m, _one, _beta, np.full((2, 3), 7, np.float32))
    answer(_m, about=f"beta = {_beta}")
### END HIDDEN TESTS

# %% [markdown]
# With $\beta = \mu$, momentum is $1 / (1 - \beta)$ times this mean: the ball has been
# averaging all the time.
#
# ### Smaller steps
#
# The second way is a smaller rate. In the valley we add noise to each gradient, and
# measure the mean loss after a long time. What happens to it if the rate is halved?

# %%
def height(lr, steps=3000):
    """The mean loss of the last third of many noisy steps."""
    w, rng, work = new_w(), np.random.default_rng(0), np.zeros(2, np.float32)

    def step():
        noise = 4 * rng.standard_normal(2, np.float32)
        descend(w.data, w.grad.data + noise, lr, work)
    return (walk(w, step, steps)[-steps // 3 :] ** 2 @ [0.5, 20]).mean()

# %%
{lr: round(float(height(lr)), 3) for lr in (0.04, 0.02, 0.01, 0.005)}

# %% [markdown]
# At half the rate, `w` stays about half as high. (Near 0.05 more is gained, since steps
# across the ravine nearly explode there.) A large rate gets there fast, but never
# settles. A small rate settles, but late. So begin large and end small: this is a
# **learning-rate schedule**.
#
# A **scheduler** sets the rate of each group to `at(t, base)`. `t` counts the calls of
# the scheduler's `step()`, `base` is the rate at the beginning. `at` depends on these
# two only, so a resumed run needs to know nothing but `t`. A group that is added later
# goes on from its own rate, as in PyTorch. The rest need not be read.

# %% nbgrader={"grade": false, "grade_id": "scheduler", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class LRScheduler:
    """Sets the learning rate of each group to `at(t, base)` after t calls of step."""
    def __init__(self, optimizer: Optimizer):
        self.optimizer, groups = optimizer, optimizer.param_groups
        self._set(0, [g.setdefault("initial_lr", g["lr"]) for g in groups])
    def at(self, t: int, base: float) -> float:
        """The learning rate after t steps, if it was base at the beginning."""
        raise NotImplementedError(f"{type(self).__name__}.at is not written yet")
    def _set(self, t: int, base_lrs: list[float]) -> None:
        rates = [self.at(t, base) for base in base_lrs]  # an error: nothing is changed
        self.last_epoch, self.base_lrs = t, base_lrs  # PyTorch's name for t
        for group, lr in zip(self.optimizer.param_groups, rates):
            group["lr"] = lr
    def step(self) -> None:
        new = self.optimizer.param_groups[len(self.base_lrs) :]
        self._set(self.last_epoch + 1, self.base_lrs + [self._begin(g) for g in new])
    def _begin(self, group: dict) -> float:
        """The first rate that would by now have become the rate of a new group."""
        low, high = (self.at(self.last_epoch, base) for base in (0.0, 1.0))
        lr = group["lr"]  # at() is a straight line in base
        group["initial_lr"] = (lr - low) / (high - low) if high != low else lr
        return group["initial_lr"]
    def get_last_lr(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]
    def state_dict(self) -> dict:
        """Kind, position and first rates; the constructor knows the settings."""
        position = {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}
        return {"scheduler": type(self).__name__, **position}
    def load_state_dict(self, state: dict) -> None:
        """Go on from that state; if it does not fit: a ValueError, and no change."""
        _compare(state, self.state_dict(), "the state")
        t = state["last_epoch"]
        if type(t) is not int or t < 0:
            raise ValueError(f"the state counts {t} steps, which is no number")
        self._set(t, list(state["base_lrs"]))

# %% [markdown]
# `StepLR` multiplies the rate by `gamma` each time `step_size` steps have passed: for
# 10 steps it is `base`, for the next 10 it is `base · gamma`, then `base · gamma²`.
# Write `at`, from `t` and `base` alone. One line.

# %% nbgrader={"grade": false, "grade_id": "step_lr", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class StepLR(LRScheduler):
    """Every `step_size` steps the learning rate is multiplied by gamma."""
    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)
    def at(self, t: int, base: float) -> float:
        ### BEGIN SOLUTION
        return base * self.gamma ** (t // self.step_size)
        ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "rates", "locked": true, "schema_version": 3, "solution": false, "task": false}
def rates(make, steps, lr=1.0):
    """The rates that a scheduler sets, before the first step and after each."""
    optimizer = SGD([new_w()], lr=lr)
    scheduler, found = make(optimizer), []
    for _ in range(steps):
        found += scheduler.get_last_lr()
        scheduler.step()
    return found

# %%
rates(lambda optimizer: StepLR(optimizer, step_size=3, gamma=0.5), 8)

# %% nbgrader={"grade": true, "grade_id": "step_lr_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""The rate stays for step_size steps, then is multiplied by gamma, again and again."""
found = rates(lambda optimizer: StepLR(optimizer, 4, gamma=0.1), 12, lr=2.0)
same(found[:4], [2] * 4, "The first 4 steps must have the first rate.")
same(found[4:8], [0.2] * 4, "The next 4 steps must have a tenth of it.")
same(found[8:], [0.02] * 4, "The next 4 steps must have a hundredth of it.")
optimizer = SGD([{"params": [new_w()], "lr": 5.0}, {"params": [new_w()]}], lr=1.0)
scheduler = StepLR(optimizer, step_size=1, gamma=0.5)
scheduler.step()
same(scheduler.get_last_lr(), [2.5, 0.5], "Two groups with bases 5 and 1, halved.")
asked = scheduler.at(2, 8.0)
assert asked == 2, (
    f"at(2, base=8.0) is {asked:.6g}, and should be a quarter of 8. "
    "Use t and base alone, not what the scheduler has counted."
)

# %% nbgrader={"grade": true, "grade_id": "step_lr_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on other settings, after hundreds of steps, and twice for the same t."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_make = lambda optimizer: StepLR(optimizer, 7, 0.9)
answer(rates(_make, 400, lr=0.3)[::13], about="400 steps")
_scheduler = StepLR(SGD([new_w()], lr=1.0), 5)
_asked = [_scheduler.at(t, b) for t in (0, 4, 5, 5, 12, 4) for b in (1.0, 3.0)]
answer(_asked, about="at is a function of t and base")
### END HIDDEN TESTS

# %% [markdown]
# The noisy valley again: 1000 steps at 0.04, 1000 at a tenth, 1000 at a hundredth. How
# high is `w` at the end, compared with 0.04 all the time?

# %%
w, rng = new_w(), np.random.default_rng(0)
sgd = SGD([w], lr=0.04)
scheduler = StepLR(sgd, step_size=1000, gamma=0.1)

# %%
def noisy_step():
    w.grad.data += 4 * rng.standard_normal(2, np.float32)
    sgd.step()
    scheduler.step()

# %%
path = walk(w, noisy_step, 3000)
[round(float(h), 3) for h in ((path[-1000:] ** 2 @ [0.5, 20]).mean(), height(0.04))]

# %% [markdown]
# ## 5. Scale
#
# How much do the gradients of one network differ in size? Each pixel has 64 weights. We
# take the root of the mean square of their gradients, and divide the largest by the
# smallest that is not 0:

# %%
zero_grad(model.parameters())
loss_of(model, np.arange(1297)).backward()
squares = model.parameters()[0].grad.data ** 2
size = np.sqrt(squares.mean(axis=0)).reshape(8, 8)
size.max() / size[size > 0].min()

# %%
plt.figure(figsize=(2.8, 2.2))
plt.imshow(np.log10(np.where(size, size, np.nan)), cmap="viridis")
plt.title("gradients of each pixel's weights", fontsize=9)
plt.colorbar(label="log10 of the size");

# %% [markdown]
# A rate that suits the middle does not move the border. But the border may matter, in
# the few images with ink there. So divide each weight's gradient by its own usual size,
# the root of a running mean of squares. That is **RMSprop** (Hinton 2012):
#
# $$s \leftarrow \alpha\, s + (1 - \alpha)\, g^2, \qquad
# p \leftarrow p - \eta\, \frac{g}{\sqrt{s} + \epsilon}$$
#
# $\epsilon$ prevents 0/0 for a weight that never had a gradient.
#
# The given lines fetch `s`, one scratch array `work`, and `g` with its decay. `g` may
# be the gradient itself, so it must not change. With a decay it lies in `other`, so
# only `work` is free. No array is allocated: `blend` and `descend` accept `work` as
# value and as scratch. About six lines.

# %% nbgrader={"grade": false, "grade_id": "rmsprop", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class RMSprop(Optimizer):
    """p ← p - lr g / (sqrt(s) + eps), s ← alpha s + (1 - alpha) g² (Hinton 2012)."""
    slots = ("square_avg",)
    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0):
        super().__init__(params, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay)
    def update(self, p, g, state, scratch, t, lr, alpha, eps, weight_decay) -> None:
        (s,), (other, work) = state, scratch
        g = decayed(g, p, weight_decay, out=other)
        ### BEGIN SOLUTION
        np.multiply(g, g, out=work)
        blend(s, work, alpha, work)
        np.sqrt(s, out=work)
        work += eps
        np.divide(g, work, out=work)
        descend(p, work, lr, work)
        ### END SOLUTION

# %% [markdown]
# Two weights: the gradient of one is a million times the other's. How do their steps
# compare? And is the first step as long as the rate, 0.01?

# %%
first_steps = follow(RMSprop, [[1.0, 1e-6]] * 4, lr=0.01, eps=1e-12)
first_steps

# %% nbgrader={"grade": true, "grade_id": "rmsprop_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""RMSprop follows its formula, ignores the size of gradients, allocates nothing."""
step = follow(RMSprop, [[4.0]], lr=0.5, alpha=0.75, eps=6.0).item()
assert np.isclose(step, -0.25), (
    "g = 4, alpha = 0.75, eps = 6: s = 4, "
    f"and p moves by -0.5 · 4 / (2 + 6) = -0.25, not by {step:.6g}."
)
options = {"begin": 2.0, "lr": 0.5, "alpha": 0.75, "eps": 1.0, "weight_decay": 0.5}
sentence = "Begin 2, g = 1, decay 0.5, eps 1: g becomes 2, s is 1, and p moves by -0.5."
same(follow(RMSprop, [[1.0]], **options).item(), 1.5, sentence)
g = np.random.default_rng(0).standard_normal((20, 3))
s, p = np.zeros(3), np.ones(3)
for one in g:
    s = 0.9 * s + 0.1 * one**2
    p = p - 0.05 * one / (np.sqrt(s) + 1e-3)
options = {"begin": 1.0, "lr": 0.05, "alpha": 0.9}
sentence = "After 20 random gradients p is wrong: s must average g², and stay as it is."
same(follow(RMSprop, g, eps=1e-3, **options)[-1], p, sentence, 1e-4, 1e-5)
small, large = (follow(RMSprop, f * g, eps=1e-12, **options) for f in (1e-3, 1e3))
same(small[-1], large[-1], "A million times the gradient: the path must stay.", 1e-4)
places = follow(RMSprop, np.zeros((3, 2)))
assert np.isfinite(places).all(), "A gradient of 0 gave 0/0: add eps to the root."
needed = allocated(RMSprop)
assert needed < 100_000, (
    f"A step on 400,000 bytes allocated {needed:,}. Write into work, with `out`."
)

# %% nbgrader={"grade": true, "grade_id": "rmsprop_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Checked with weight decay, with a large eps, and on a matrix in column order."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_g = np.random.default_rng(4).standard_normal((7, 2, 3))
_options = {"lr": 0.1, "alpha": 0.5, "weight_decay": 0.3}
answer(follow(RMSprop, _g, begin=0.5, **_options), about="weight decay")
answer(follow(RMSprop, _g, lr=0.1, eps=2.0), about="eps = 2")
_p = Tensor(np.asfortranarray(_g[0].astype(np.float32)), requires_grad=True)
_p.grad, _before = Tensor(_g[1].astype(np.float32)), _p.data
RMSprop([_p], lr=0.1).step()
answer([_p, _p.data is _before, _p.data.flags.f_contiguous], about="column order")
### END HIDDEN TESTS

# %%
w, u = new_w(), new_w()
rms = RMSprop([u], lr=0.3, alpha=0.9)
draw(Nesterov=walk(w, with_nesterov(w)), RMSprop=walk(u, rms.step))

# %% [markdown]
# RMSprop moves along the valley as fast as across. But it does not settle: where the
# gradient is small, its usual size is small, too. And there is a flaw at the beginning.
# These were the first steps of the two weights, at the rate 0.01:

# %%
np.diff(first_steps, axis=0, prepend=0)

# %% [markdown]
# ### Adam
#
# Why is the first step ten times too long? After one step $s = 0.01\,g^2$. A running
# mean begins at 0, and after $t$ steps it has reached only $1 - \beta^t$ of a constant.
# `blend`'s check said so, and the blue line showed it. So after $t$ steps with the same
# gradient, a step is too long by this factor:

# %%
{t: round(float(1 / np.sqrt(1 - 0.99**t)), 2) for t in (1, 2, 10, 100, 400)}

# %% [markdown]
# The remedy is to divide the mean by $1 - \beta^t$. **Adam** (Kingma & Ba 2015) does
# this, and averages the gradient, too:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \quad
# v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2, \quad
# \hat m = \frac{m}{1 - \beta_1^t}, \quad \hat v = \frac{v}{1 - \beta_2^t}$$
#
# $$p \leftarrow p - \eta\, \frac{\hat m}{\sqrt{\hat v} + \epsilon}$$
#
# - `t` is 1 at the first step. `g` must not change; with a decay it lies in `other`.
# - `m` and `v` are remembered as they are: never divide the arrays themselves.
# - No array is allocated. Build the denominator in `work`, then the quotient. The
#   correction of `m` is a number, so it can go into the rate.
#
# About eight lines.

# %% nbgrader={"grade": false, "grade_id": "adam", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Adam(Optimizer):
    """p ← p - lr m̂ / (sqrt(v̂) + eps): corrected means of g, g² (Kingma & Ba 2015)."""
    slots = ("exp_avg", "exp_avg_sq")
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
    def update(self, p, g, state, scratch, t, lr, betas, eps, weight_decay) -> None:
        (m, v), (other, work), (beta1, beta2) = state, scratch, betas
        g = decayed(g, p, weight_decay, out=other)
        ### BEGIN SOLUTION
        root = math.sqrt(1 - beta2**t)
        blend(m, g, beta1, work)
        np.multiply(g, g, out=work)
        blend(v, work, beta2, work)
        np.sqrt(v, out=work)
        work += eps * root  # root · (sqrt(v̂) + eps): saves one division
        np.divide(m, work, out=work)
        descend(p, work, lr * root / (1 - beta1**t), work)
        ### END SOLUTION

# %% [markdown]
# The two weights again, at the rate 0.01. How long is each step now?

# %%
np.diff(follow(Adam, [[1.0, 1e-6]] * 4, lr=0.01, eps=1e-12), axis=0, prepend=0)

# %% nbgrader={"grade": true, "grade_id": "adam_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""Adam's first step is as long as the rate, and random gradients follow the formula."""
found = follow(Adam, [[5.0, -0.02]] * 10, lr=0.1)
same(found[0], [-0.1, 0.1], "The first step must be -lr · the gradient's sign.", 1e-4)
sentence = "Ten steps, constant gradient: ten times the rate. m, v stay as they are."
same(found[-1], [-1, 1], sentence, 1e-4)
step = follow(Adam, [[4.0]], lr=1.0, betas=(0.5, 0.75), eps=4.0).item()
assert np.isclose(step, -0.5), (
    "g = 4, eps = 4, t = 1: m̂ = 4, v̂ = 16, "
    f"and p moves by -4 / (4 + 4) = -0.5, not by {step:.6g}."
)
found = follow(Adam, [[3.0]], begin=2.0, lr=1.0, eps=4.0, weight_decay=0.5).item()
same(found, 1.5, "Begin 2, g = 3, decay 0.5: g becomes 4, and p moves by -0.5.", 1e-4)
g = np.random.default_rng(0).standard_normal((20, 3))
m, v, p = np.zeros(3), np.zeros(3), np.ones(3)
for t, one in enumerate(g, start=1):
    m, v = 0.8 * m + 0.2 * one, 0.95 * v + 0.05 * one**2
    p = p - 0.05 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-2)
found = follow(Adam, g, begin=1.0, lr=0.05, betas=(0.8, 0.95), eps=1e-2)
sentence = "After 20 random gradients p is wrong. Each mean has a beta of its own."
same(found[-1], p, sentence, 1e-4, 1e-5)
pair = [Tensor(np.zeros(n), requires_grad=True) for n in (3, 2)]
for p in pair:
    p.grad = Tensor(np.ones(p.shape))
optimizer = Adam(pair, lr=0.1)
optimizer.step()
sentence = "The first step of two parameters: t is 1 for both, each moves by the rate."
same([*pair[0].data, *pair[1].data], [-0.1] * 5, sentence, 1e-4)
kept = optimizer.state[pair[0]]
sentence = "After a gradient of 1, m and v are 1 - beta1 and 1 - beta2, not corrected."
same([kept["exp_avg"][0], kept["exp_avg_sq"][0]], [0.1, 0.001], sentence, 1e-3)
needed = allocated(Adam)
assert needed < 100_000, (
    f"A step on 400,000 bytes allocated {needed:,}. Write into work, with `out`."
)

# %% nbgrader={"grade": true, "grade_id": "adam_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Checked with weight decay, with a large eps, on a gradient of 0, and on m and v."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_g = np.random.default_rng(5).standard_normal((7, 2, 3))
answer(follow(Adam, _g, begin=0.5, lr=0.1, weight_decay=0.3), about="weight decay")
answer(follow(Adam, _g, lr=0.1, betas=(0.5, 0.9), eps=2.0), about="eps = 2")
answer(follow(Adam, np.zeros((2, 2))), about="a gradient of 0")
_p = Tensor(np.ones(3), requires_grad=True)
_p.grad, _adam = Tensor([1.0, 2.0, -4.0]), Adam([_p])
for _ in range(3):
    _adam.step()
answer(_adam.state[_p], about="what is kept after three steps")
### END HIDDEN TESTS

# %%
w, u, h = new_w(), new_w(), new_w()
ball, rms = SGD([w], lr=0.02, momentum=0.9), RMSprop([u], lr=0.3, alpha=0.9)
adam = Adam([h], lr=0.5)
draw(momentum=walk(w, ball.step), RMSprop=walk(u, rms.step), Adam=walk(h, adam.step))

# %% [markdown]
# ### Decay beside the gradient
#
# Back to the weights of the empty pixels: gradient 0, decay $\lambda$. How far does
# Adam move a weight of 1 in three steps, with $\lambda = 0.001$? And with a hundred
# times as much?

# %%
nothing = np.zeros((3, 1))
for decay in (0.001, 0.1):
    path = follow(Adam, nothing, begin=1.0, lr=0.01, weight_decay=decay)
    print(decay, path.ravel())

# %% [markdown]
# There is no difference. Adam divides every gradient by its usual size, and here
# $\lambda p$ is the whole gradient. A weight with large gradients, on the other hand,
# hardly decays at all. So the decay must not pass through that division. **AdamW**
# (Loshchilov & Hutter 2019) shrinks the weight first, and then takes Adam's step
# *without* decay:
#
# $$p \leftarrow (1 - \eta\lambda)\, p, \qquad \text{then Adam with } \lambda = 0$$
#
# `super().update(...)` is your Adam, with the same arguments in the same order. Shrink
# `p` in place, without a new array. Two lines.

# %% nbgrader={"grade": false, "grade_id": "adamw", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class AdamW(Adam):
    """First p ← (1 - lr weight_decay) p, then Adam (Loshchilov & Hutter 2019)."""
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8,
                 weight_decay=1e-2):
        super().__init__(params, lr, betas, eps, weight_decay)
    def update(self, p, g, state, scratch, t, lr, betas, eps, weight_decay) -> None:
        ### BEGIN SOLUTION
        p *= 1 - lr * weight_decay
        super().update(p, g, state, scratch, t, lr, betas, eps, weight_decay=0.0)
        ### END SOLUTION

# %%
for decay in (0.001, 0.1):
    path = follow(AdamW, nothing, begin=1.0, lr=0.01, weight_decay=decay)
    print(decay, path.ravel())

# %% nbgrader={"grade": true, "grade_id": "adamw_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Without a gradient only the decay acts; without decay it is Adam."""
found = follow(AdamW, np.zeros((10, 2)), begin=3.0, lr=0.1, weight_decay=0.5)
sentence = "With a gradient of 0, each step must leave 1 - 0.1 · 0.5 of the weight."
same(found[-1], [3 * 0.95**10] * 2, sentence)
g = np.random.default_rng(0).standard_normal((10, 3))
found, adam = follow(AdamW, g, lr=0.1, weight_decay=0.0), follow(Adam, g, lr=0.1)
same(found[-1], adam[-1], "Without decay AdamW must be Adam.")
found, p = follow(AdamW, g, begin=2.0, lr=0.1, weight_decay=0.2), np.full(3, 2.0)
for step in np.diff(adam, axis=0, prepend=0):
    p = 0.98 * p + step
sentence = "Each step must leave 0.98 of the weight, and add Adam's step without decay."
same(found[-1], p, sentence, 1e-4, 1e-5)
needed = allocated(AdamW)
assert needed < 100_000, (
    f"A step on 400,000 bytes allocated {needed:,}. `*=` changes p itself."
)

# %% nbgrader={"grade": true, "grade_id": "adamw_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Checked with PyTorch's default decay, on other options, and on what is kept."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_g = np.random.default_rng(6).standard_normal((9, 2, 3))
answer(follow(AdamW, _g, begin=-1.5, lr=0.2), about="the default decay")
_options = {"lr": 0.2, "betas": (0.5, 0.75), "eps": 0.1, "weight_decay": 1.5}
answer(follow(AdamW, _g, begin=1.0, **_options), about="other options")
_p = Tensor(np.ones(2), requires_grad=True)
_p.grad, _adamw = Tensor([1.0, 2.0]), AdamW([_p], weight_decay=0.5)
_adamw.step()
answer([_adamw.state[_p], _adamw.param_groups[0]["weight_decay"]], about="what is kept")
### END HIDDEN TESTS

# %% [markdown]
# ## 6. Schedules
#
# `StepLR` jumps. A smoother way is half a wave of a cosine: it leaves the first value
# slowly, is fastest in the middle, and arrives slowly. `math.cos(math.pi * share)` goes
# from 1 to -1 while `share` goes from 0 to 1. Stretch and shift it, so that it goes
# from `start` to `end`, up as well as down. One line.

# %% nbgrader={"grade": false, "grade_id": "cosine", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def cosine(start: float, end: float, share: float) -> float:
    """From start (share 0) to end (share 1) along half a wave: flat, steep, flat."""
    ### BEGIN SOLUTION
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
    ### END SOLUTION

# %% [markdown]
# On the way from 10 to 0, the value at a quarter of the way: above 7.5, or below?

# %%
cosine(10, 0, 0), cosine(10, 0, 0.25), cosine(10, 0, 0.5)

# %% nbgrader={"grade": true, "grade_id": "cosine_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""From start to end: half-way in the middle, steepest there, flat at both ends."""
same([cosine(3, 1, s) for s in (0, 0.5, 1)], [3, 2, 1], "From 3 to 1, at 0, 0.5, 1.")
falls = -np.diff([cosine(3, 1, share) for share in np.linspace(0, 1, 101)])
assert (falls > 0).all(), "From 3 to 1 it must fall all the way."
assert falls[0] < falls[50] / 20, (
    "It must begin flat. The first hundredth of the way falls by "
    f"{falls[0]:.3g}, the middle one by {falls[50]:.3g}."
)
assert falls.argmax() in (49, 50), (
    f"It must be steepest in the middle. It is steepest after {falls.argmax()} %."
)
ups = [cosine(1, 3, s) for s in (0.1, 0.4)]
same(ups, [cosine(3, 1, 0.9), cosine(3, 1, 0.6)], "From 1 to 3 is the way back.")

# %% nbgrader={"grade": true, "grade_id": "cosine_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on other ends, and beyond the end, where the wave goes on."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer([cosine(0.3, 0.01, share / 7) for share in range(20)], about="beyond the end")
answer([cosine(-2.0, 5.0, 0.3), cosine(4.0, 4.0, 0.7)], about="other ends")
### END HIDDEN TESTS

# %% [markdown]
# ### Slowly first
#
# At first Adam divides by a mean square made of one gradient, then of two. In a deep
# network, a long step on so little evidence can end where nothing is learned any more.
# Here are twelve hidden layers, and Adam with a rate of 0.03. A network that only
# guesses has a loss of $\ln 10 = 2.3$.

# %%
def train(make, schedule=None, sizes=(64, 64, 10), steps=600):
    """A network trained on batches of 64 digits, and its losses."""
    manual_seed(1)
    model, rng, losses = MLP(list(sizes), relu), np.random.default_rng(1), []
    optimizer = make(model.parameters())
    scheduler = schedule(optimizer) if schedule else None
    for _ in range(steps):
        loss = loss_of(model, rng.integers(0, 1297, 64))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if scheduler:
            scheduler.step()
        losses.append(loss.item())
    return model, np.array(losses)

# %%
deep = [64] * 13 + [10]
fast_adam = lambda params: Adam(params, lr=0.03)
_, cold = train(fast_adam, sizes=deep, steps=300)
cold[[0, 1, 5, 20]], cold[-50:].mean()

# %% [markdown]
# It never gets better than a guess. The remedy is a **warmup**: begin with a small part
# of the rate, and rise to the full rate in a straight line. `after` is the schedule
# that follows. `OneCycleLR` (Smith & Topin 2018) combines both: up along a cosine to a
# high rate, then down to almost nothing.

# %% nbgrader={"grade": false, "grade_id": "schedules", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class CosineAnnealingLR(LRScheduler):
    """From the first rate to eta_min in T_max steps (Loshchilov & Hutter 2017)."""
    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0):
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)
    def at(self, t: int, base: float) -> float:
        return cosine(base, self.eta_min, t / self.T_max)

class LinearWarmup(LRScheduler):
    """A straight line from start_factor · rate to the rate, then as `after` does."""
    def __init__(self, optimizer, total_iters=5, start_factor=1 / 3, after=None):
        self.total_iters, self.first, self.after = total_iters, start_factor, after
        super().__init__(optimizer)
    def at(self, t: int, base: float) -> float:
        if t < self.total_iters:
            return base * (self.first + (1 - self.first) * t / self.total_iters)
        return self.after.at(t - self.total_iters, base) if self.after else base
class OneCycleLR(LRScheduler):
    """Up from max_lr / 25 to max_lr, then down to nearly 0, in total_steps in all."""
    def __init__(self, optimizer, max_lr: float, total_steps: int, pct_start=0.3):
        self.max_lr, self.total_steps = max_lr, total_steps
        self.low, self.top = max_lr / 25, pct_start * total_steps - 1
        super().__init__(optimizer)
    def at(self, t: int, base: float) -> float:
        n, top = self.total_steps, self.top
        if t > n:
            raise ValueError(f"this cycle has {n} steps, and step {t} is one too many")
        if t <= top:
            return cosine(self.low, self.max_lr, t / top if top else 1)
        return cosine(self.max_lr, self.low / 1e4, (t - top) / (n - 1 - top))

# %%
warmup = lambda optimizer: LinearWarmup(optimizer, 100, start_factor=0.01)
_, warm = train(fast_adam, warmup, deep, steps=300)
warm[[0, 1, 5, 20]], warm[-50:].mean()

# %% [markdown]
# The schedules side by side, 100 steps each:

# %%
def warmup_then_cosine(optimizer):
    return LinearWarmup(optimizer, 20, 0.05, after=CosineAnnealingLR(optimizer, 80))

schedules = {
    "StepLR": lambda o: StepLR(o, 30, 0.3),
    "cosine": lambda o: CosineAnnealingLR(o, 100),
    "warmup, then cosine": warmup_then_cosine,
    "one cycle": lambda o: OneCycleLR(o, max_lr=1.0, total_steps=100),
}

# %%
plt.figure(figsize=(6, 2.4))
for (name, schedule), line in zip(schedules.items(), ("-", "--", "-.", ":")):
    plt.plot(rates(schedule, 100), line, label=name)
plt.legend(fontsize=8)
plt.gca().set(xlabel="step", ylabel="learning rate");

# %% [markdown]
# ## 7. A step too far
#
# Ten layers in a row share *one* weight $w$, so they compute $w^{10} x$. They should
# compute $x$, so $w = 1$ is best. We begin at 1.4 with a small rate, 0.01. Where is `w`
# after one step?

# %%
def deep_loss(w):
    return (w**10 - 1) ** 2

# %%
def descent(limit, steps=60, lr=0.01):
    """The places of w; `limit` is called on [w] after each backward."""
    w, places = Tensor(1.4, requires_grad=True), []
    sgd = SGD([w], lr=lr)
    for _ in range(steps):
        places.append(w.item())
        sgd.zero_grad()
        deep_loss(w).backward()
        limit([w])
        sgd.step()
    return places

# %%
with np.errstate(all="ignore"):
    places = descent(lambda params: None, steps=4)
places

# %% [markdown]
# The gradient is ten thousand: after one step `w` is off the cliff, and all is lost.
# The *direction* was right, so limit only the length. If the norm $n$ of *all*
# gradients together is above `max_norm`, multiply all of them by one factor (Pascanu et
# al. 2013):
#
# $$n = \sqrt{\textstyle\sum_p \lVert g_p \rVert^2}, \qquad
# g_p \leftarrow g_p \cdot \frac{\mathrm{max\_norm}}{n + 10^{-6}}
# \quad \text{if } n > \mathrm{max\_norm}$$

# %% [markdown]
# Write it in place, and return $n$ before clipping, as a Python float.
#
# - Use the list `grads`: `parameters` may be a generator, which the first line has used
#   up, or a lone tensor, whose rows are no parameters.
# - No factor repairs an infinite $n$ or a nan. With `error_if_nonfinite`, raise a
#   `RuntimeError` before anything changes. Without it, return $n$ as always: the caller
#   must not take the step, and the values of the gradients no longer matter.
#
# About nine lines.

# %% nbgrader={"grade": false, "grade_id": "clip", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def _gradients(parameters) -> list[ndarray]:
    """The gradients that are there; a lone tensor counts as a list of one."""
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad.data for p in parameters if p.grad is not None]

def clip_grad_norm_(parameters, max_norm: float, *, error_if_nonfinite=False) -> float:
    """Scale all gradients so that their norm is at most max_norm; the norm before."""
    grads = _gradients(parameters)
    ### BEGIN SOLUTION
    lines = [g.ravel("K") for g in grads]
    total = math.sqrt(sum(float(line @ line) for line in lines))
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm of the gradients is {total}")
    if not total <= max_norm:
        for g in grads:
            g *= max_norm / (total + 1e-6)
    return total
    ### END SOLUTION

# %%
with np.errstate(all="ignore"):
    places = descent(lambda params: clip_grad_norm_(params, max_norm=1.0))
np.round(places[::10], 3)

# %% nbgrader={"grade": true, "grade_id": "clip_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Long gradients are shortened together, short ones stay; the old norm is returned."""
a, b, c = (Tensor(np.zeros(s), requires_grad=True) for s in [(2,), (2, 1), (3,)])
a.grad, b.grad = Tensor([3.0, 0.0]), Tensor([[0.0], [4.0]])
arrays = a.grad.data, b.grad.data
params = [a, b, c]
n = clip_grad_norm_(params, max_norm=10.0)
assert isinstance(n, float), f"The norm must be a float, not a {type(n).__name__}."
same(n, 5, "The norm of (3, 0, 0, 4) is wrong. c has no gradient, and does not count.")
same(a.grad.data, [3, 0], "The norm 5 is below 10, so nothing may change.")
n = clip_grad_norm_((p for p in params), max_norm=0.5)
same(n, 5, "The norm *before* clipping must be returned.")
sentence = "The norm 5 must be cut to 0.5. (The parameters came from a generator.)"
same(a.grad.data, [0.3, 0], sentence)
same(b.grad.data, [[0], [0.4]], "The factor must be the same for all parameters.")
a.grad.data[:] = [3, 4]
n = clip_grad_norm_(a, 0.5)
same(n, 5, "`parameters` was a lone tensor with the gradient (3, 4): use `grads`.")
same(a.grad.data, [0.3, 0.4], "The gradient of a lone tensor must be clipped, too.")
kept = a.grad.data is arrays[0] and b.grad.data is arrays[1]
assert kept, "The gradients must be changed in place: these are other arrays."
a.grad, b.grad = Tensor([3e-6, 0.0]), Tensor([[0.0], [4e-6]])
clip_grad_norm_([a, b], 1e-6)
sentence = "A norm of 5e-6, cut to 1e-6: the factor is 1e-6 / (5e-6 + 1e-6) = 1/6."
same(a.grad.data * 1e6, [0.5, 0], sentence)
for bad in (np.inf, np.nan):
    a.grad = Tensor([bad, 1.0])
    try:
        found = clip_grad_norm_([a, b], 1.0, error_if_nonfinite=True)
    except Exception as error:
        found = error
    assert isinstance(found, RuntimeError), (
        f"A gradient of {bad} and error_if_nonfinite: raise a RuntimeError. "
        f"This came: {found!r:.60}"
    )
    same(a.grad.data, [bad, 1], "The error must come before anything changes.")

# %% nbgrader={"grade": true, "grade_id": "clip_nan_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
"""Without error_if_nonfinite, a norm that is nan is returned."""
a = Tensor(np.zeros(2), requires_grad=True)
a.grad, found = Tensor([np.nan, 1.0]), None
try:
    found = clip_grad_norm_([a], 1.0)
except RuntimeError:
    raise AssertionError("There is nan, and nobody asked for an error.") from None
assert found is not None and np.isnan(found), f"The norm of nan is nan, not {found}."

# %% nbgrader={"grade": true, "grade_id": "clip_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Checked on matrices in column order, without gradients, on a norm of 0, on nan."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_ps = [Tensor(np.ones(s), requires_grad=True) for s in [(3, 4), (5,), (2, 2)]]
answer(clip_grad_norm_(_ps, 1.0), about="no gradients")
for _i, _p in enumerate(_ps[:2]):
    _one = np.random.default_rng(_i).standard_normal(_p.shape)
    _p.grad = Tensor(np.asfortranarray(_one.astype(np.float32)))
_n = clip_grad_norm_(iter(_ps), 2.0)
answer([_n, _ps[0].grad, _ps[1].grad], about="in column order", rtol=1e-4)
_ps[2].grad = Tensor([[np.nan, 1.0], [0.0, 0.0]])
_raised = raised(clip_grad_norm_, _ps, 1.0, error_if_nonfinite=True)
answer([_raised, _ps[2].grad], about="nan")
for _p in _ps:
    _p.grad = Tensor(np.zeros(_p.shape))
answer([clip_grad_norm_(_ps, 1.0), _ps[0].grad], about="a norm of 0")
_ps[1].grad = Tensor([3e-6, 0.0, 0.0, 4e-6, 0.0])
_n = clip_grad_norm_(_ps, 1e-6)
answer([_n, _ps[1].grad], about="a norm of 5 millionths", atol=1e-12)
### END HIDDEN TESTS

# %% [markdown]
# ## Use: the digits, seven ways
#
# The same network, the same 600 batches, and each optimizer with a rate that suits it.
# Which one falls fastest at the beginning, and which one ends lowest?

# %%
ways = {
    "SGD": (lambda params: SGD(params, lr=0.3), None),
    "momentum": (lambda params: SGD(params, lr=0.05, momentum=0.9), None),
    "Nesterov": (lambda params: SGD(params, 0.05, momentum=0.9, nesterov=True), None),
    "RMSprop": (lambda params: RMSprop(params, lr=0.003), None),
    "Adam": (lambda params: Adam(params, lr=0.01), None),
    "AdamW": (lambda params: AdamW(params, lr=0.01, weight_decay=0.1), None),
    "Adam, one cycle": (Adam, lambda o: OneCycleLR(o, max_lr=0.02, total_steps=600)),
}

# %%
from tinytorch.core.autograd import no_grad

def accuracy(model):
    """The share of 500 unseen digits that the model gets right."""
    with no_grad():
        return (model(x[1297:]).argmax(1).numpy() == labels[1297:]).mean()

# %%
results, curves = {}, {}
for name, (make, schedule) in ways.items():
    model, losses = train(make, schedule)
    results[name], curves[name] = accuracy(model), losses
    last = losses[-50:].mean()
    print(f"{name:16} last losses {last:.4f}  500 unseen digits {results[name]:.1%}")
assert min(results.values()) > 0.88, results

# %%
_, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
for i, (name, losses) in enumerate(curves.items()):
    mean = np.convolve(losses, np.ones(20) / 20, "valid")
    ax, line = axes[0 if i < 3 else 1], ("-", "--", ":", "-.")[i % 4]
    ax.semilogy(mean, line, lw=1, label=name)
for ax in axes:
    ax.set(xlabel="step", ylabel="loss, mean of 20")
    ax.legend(fontsize=8)

# %% [markdown]
# On the digits all of them succeed: a small problem forgives. The last losses differ by
# a factor of about ten, the accuracy hardly. A lower loss on seen digits is not yet a
# better answer on unseen ones.
#
# And the weights of the empty pixels, after Adam and after AdamW:

# %%
empty = (x.data[:1297] == 0).all(axis=0)
for name in ("Adam", "AdamW"):
    model, _ = train(*ways[name])
    print(f"{name:6} {np.abs(model.parameters()[0].data[:, empty]).mean():.4f}")

# %% [markdown]
# ### Stop, and go on
#
# `p` takes ten steps. After five of them, `q` goes on from the weights and the saved
# state, `r` from the weights alone. Which of the two will end on the same bits as `p`?

# %%
g = np.random.default_rng(0).standard_normal((10, 4))
p, q, r = (Tensor(np.ones(4), requires_grad=True) for _ in range(3))
first, second, third = Adam([p]), Adam([q]), Adam([r])

def steps(optimizer, gradients):
    for one in gradients:
        optimizer.parameters()[0].grad = Tensor(one)
        optimizer.step()

# %%
steps(first, g[:5])
q.data[:] = r.data[:] = p.data
second.load_state_dict(first.state_dict())
for optimizer in (first, second, third):
    steps(optimizer, g[5:])
np.array_equal(p.data, q.data), r.data - p.data

# %% [markdown]
# ## Systems: what an optimizer remembers
#
# Weights take 4 bytes each, and so do gradients. How many bytes more does each
# optimizer keep for each weight? Count one array of the parameter's size for each name
# that `kept` returns. Write down your numbers for the four rows.

# %%
manual_seed(0)
network = MLP([3072, 512, 256, 10], relu)
params = network.parameters()
weights = sum(p.size for p in params)
for p in params:
    p.grad = Tensor(np.full_like(p.data, 1e-3))

# %%
kinds = {"SGD": SGD(params), "momentum": SGD(params, momentum=0.9),
         "RMSprop": RMSprop(params), "Adam": Adam(params)}
for name, optimizer in kinds.items():
    first, later = peak_memory(optimizer.step), peak_memory(optimizer.step)
    arrays = [a for entry in optimizer.state.values() for a in entry.values()]
    held = sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))
    print(f"{name:9} {held / weights:.0f} bytes a weight, first step allocates "
          f"{readable(first, 'B'):>8}, a later one {readable(later, 'B'):>8}")
    assert held == 4 * len(optimizer.kept(**optimizer.defaults)) * weights

# %% [markdown]
# So with Adam, the weights and what it keeps take three times the memory of the weights
# alone. The first step makes the state. But later steps allocate, too: two scratch
# arrays for each parameter, of which the largest counts.
#
# ### As fast as it gets
#
# `update` makes several passes over its arrays: Adam about twelve. A large array leaves
# the processor's cache before the next pass. So cut a large parameter into **pieces**
# that fit, and run all passes on one piece after the other. Then two scratch arrays of
# one piece's size serve all parameters, and are kept.

# %% [markdown]
# A parameter of at most `size` numbers is one piece, as before. A larger one is cut, if
# all its arrays are stored by rows: then `reshape(-1)` and slices are views, and
# nothing is copied. `memory` keeps the scratch arrays, by shape and dtype.

# %%
whole_arrays = _pieces  # the plain version, to compare with

# %% nbgrader={"grade": false, "grade_id": "pieces", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _pieces(arrays: list[ndarray], size: int, memory: dict) -> list[tuple]:
    """The arrays' next numbers, at most `size`, and two scratch arrays like them."""
    x = arrays[0]
    if x.size <= size or not all(a.flags.c_contiguous for a in arrays):
        return [(arrays, _scratch(x, memory))]
    lines = [a.reshape(-1) for a in arrays]  # views
    pieces = [[a[i : i + size] for a in lines] for i in range(0, x.size, size)]
    return [(piece, _scratch(piece[0], memory)) for piece in pieces]

def _scratch(x: ndarray, memory: dict) -> tuple[ndarray, ndarray]:
    if (x.shape, x.dtype) not in memory:
        memory[x.shape, x.dtype] = np.empty_like(x), np.empty_like(x)
    return memory[x.shape, x.dtype]

# %% [markdown]
# Adam's step, with whole arrays and in pieces. `global` exchanges the function that
# `step` calls. How much is gained in memory, and is anything gained in time?

# %%
in_pieces, adam = _pieces, kinds["Adam"]

def step_with(pieces):
    def step():
        global _pieces
        _pieces = pieces
        adam.step()
    return step

# %%
versions = {"whole arrays": step_with(whole_arrays), "in pieces": step_with(in_pieces)}
for name, step in versions.items():
    step()
    print(f"{name:12} a step allocates {readable(peak_memory(step), 'B'):>8}")

# %%
compare(versions, rounds=15)

# %% [markdown]
# ### The size of a piece
#
# If pieces are too small, Python is called too often. If they are too large, they leave
# the cache. Which sizes are as fast as any on your machine, and how much scratch memory
# do the largest of them need?

# %%
_pieces = in_pieces
big = Tensor(np.ones(3072 * 512), requires_grad=True)
big.grad = Tensor(np.full(big.shape, 1e-3))
for exponent in (8, 11, 13, 15, 17, 21):
    mine = Adam([big])
    mine.PIECE = 2**exponent
    seconds, scratch = time_call(mine.step).min, 8 * min(2**exponent, big.size)
    print(f"2^{exponent:<2} numbers a piece  {readable(seconds, 's'):>8} a step, "
          f"scratch {readable(scratch, 'B'):>8}")

# %% [markdown]
# ### What a step moves
#
# A plain step reads $p$ and $g$, and writes $p$: 12 bytes a weight. Momentum also reads
# and writes $v$, RMSprop $s$: 20 bytes. Adam reads four arrays and writes three: 28. If
# memory were the whole story, which factors would you measure?

# %%
compare({name: optimizer.step for name, optimizer in kinds.items()}, rounds=15)

# %%
for name, moved in [("SGD", 12), ("momentum", 20), ("RMSprop", 20), ("Adam", 28)]:
    seconds = time_call(kinds[name].step).min
    rate = moved * weights / seconds / 1e9
    print(f"{name:9} {readable(seconds, 's'):>8} a step  {rate:5.1f} GB/s")

# %% [markdown]
# ### As it is written in the paper
#
# Adam as the formula stands in the paper needs a new array for each operation. How many
# arrays of the size of the weights does it need at the same time?

# %%
def as_written(p, g, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    m[:] = beta1 * m + (1 - beta1) * g
    v[:] = beta2 * v + (1 - beta2) * g**2
    p[:] = p - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)

# %%
mine, m, v = Adam([big]), np.zeros_like(big.data), np.zeros_like(big.data)
paper = lambda: as_written(big.data, big.grad.data, m, v, 10)
versions = {"yours": mine.step, "as written": paper}
print(f"the weights take {readable(big.data.nbytes, 'B')}")
for name, step in versions.items():
    step()
    print(f"{name:10} allocates {readable(peak_memory(step), 'B'):>8}")

# %%
compare(versions, rounds=15)

# %% [markdown]
# ## Reflect
#
# A language model has 7 billion parameters in float32. State the bytes of weights, of
# gradients and of state for SGD, momentum and Adam, in GB, from the bytes a weight in
# your table. Which of the three can be trained on a machine with 96 GB, if activations
# take 10 GB? And which of these numbers does a smaller batch reduce? At most five
# sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "memory_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# Weights 28 GB and gradients 28 GB, in all cases. State: SGD 0, momentum 28 GB, Adam
# 56 GB (0, 4 and 8 bytes a weight in the table). With 10 GB of activations: SGD 66 GB,
# momentum 94 GB, Adam 122 GB, so the first two fit into 96 GB. A smaller batch reduces
# the activations only.
#
# Rubric: 2 points for weights and gradients of 28 GB each; 2 for the states 0, 28, 56
# GB; 2 for the sums and that SGD and momentum fit; 1 for the activations.

# %% [markdown]
# Leave out both bias corrections of Adam. With the default betas and a constant
# gradient: is the first step too long or too short, and by which factor? Which step is
# the worst? From which step on does the error stay below 5 %? Derive the formula, give
# the three numbers, and check one of them with a run of your own (change a copy of your
# class). At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "correction_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# After t steps m is (1 - 0.9^t) g and v is (1 - 0.999^t) g², so the step is (1 - 0.9^t)
# / sqrt(1 - 0.999^t) of the rate. t = 1: 0.1 / sqrt(0.001) = 3.16 times too long. The
# worst step is t = 12, 6.57 times too long: m is nearly right, and v is not. The factor
# is below 1.05 where 0.999^t < 1 - 1/1.05² = 0.093, from t = 2375 on. A run with lr =
# 0.01 and gradient 1 gave a first step of 0.0316.
#
# Rubric: 2 points for the factor as a formula; 1 each for 3.16 and too long, for a
# worst step of 12 (10 to 15), and for about 2375 (2370 to 2380); 1 for the check by a
# run.

# %% [markdown]
# By bytes moved, a step of Adam should take 28/12 of a plain step. What did you
# measure? Is it more or less, and which reason fits your table of piece sizes? Then: a
# training step of this network with a batch of 128 makes about $6 \cdot 128 \cdot 1.7$
# million operations in matrix products. At the GFLOP/s that you measured in module 01,
# which share of the step is Adam's? At most six sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "time_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# Measured 2.5 ms for Adam and 0.6 ms for SGD, a factor of 4.2 instead of 2.3. Adam
# makes twelve passes over each piece and SGD two, and passes cost time even in the
# cache: with pieces of 2^21 numbers it is hardly slower than with 2^15, so memory alone
# does not decide here. The products make 1.3 GFLOP, at 100 GFLOP/s 13 ms, so Adam's 2.5
# ms are 16 % of the step.
#
# Rubric: 2 points for the own factor beside 2.3; 2 for a reason that fits the own table
# of piece sizes (passes in the cache, square roots and divisions, or traffic if large
# pieces are clearly slower); 2 for the time of the products from the own GFLOP/s; 1 for
# the share.

# %% [markdown]
# ## The rest is names
#
# Three more schedules, each one formula. `MultiStepLR` falls at the steps that you
# name, `ExponentialLR` at every step. `LambdaLR` multiplies the first rate by your own
# function of `t`.

# %% nbgrader={"grade": false, "grade_id": "more_schedules", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class MultiStepLR(LRScheduler):
    """At each of the milestones the learning rate is multiplied by gamma."""
    def __init__(self, optimizer, milestones: Iterable[int], gamma: float = 0.1):
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer)
    def at(self, t: int, base: float) -> float:
        return base * self.gamma ** sum(m <= t for m in self.milestones)

class ExponentialLR(LRScheduler):
    """After each step the learning rate is multiplied by gamma."""
    def __init__(self, optimizer, gamma: float):
        self.gamma = gamma
        super().__init__(optimizer)
    def at(self, t: int, base: float) -> float:
        return base * self.gamma**t

class LambdaLR(LRScheduler):
    """The first rate times lr_lambda(t)."""
    def __init__(self, optimizer, lr_lambda):
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)
    def at(self, t: int, base: float) -> float:
        return base * self.lr_lambda(t)

# %% [markdown]
# The inverse root of the step, which trained the first transformers, and a fall at 4
# and at 6:

# %%
np.round(rates(lambda o: LambdaLR(o, lambda t: (t + 1) ** -0.5), 8), 3)

# %%
np.round(rates(lambda o: MultiStepLR(o, [4, 6], gamma=0.5), 8), 3)

# %% [markdown]
# All of these are plans. `ReduceLROnPlateau` looks instead. Its `step(metric)` is told
# how good the epoch was, on images that are not trained on, and divides the rate when
# more than `patience` epochs in a row were not better. So call it after each
# validation, not after each update. Which of these losses changes the rate?

# %% nbgrader={"grade": false, "grade_id": "plateau", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class ReduceLROnPlateau(LRScheduler):
    """Rates times factor, if more than `patience` metrics in a row were not better."""
    def __init__(self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4,
                 threshold_mode="rel", cooldown=0, min_lr=0.0, eps=1e-8):
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            said = f"{mode!r} and {threshold_mode!r}"
            raise ValueError(f"modes are min or max, and rel or abs, not {said}")
        if not 0 <= factor < 1:
            raise ValueError(f"factor must be from 0 to below 1, not {factor}")
        self.optimizer, self.factor, self.patience = optimizer, factor, patience
        self.sign, self.relative = 1 if mode == "min" else -1, threshold_mode == "rel"
        self.threshold, self.cooldown, self.min_lr = threshold, cooldown, min_lr
        self.eps, self.best = eps, self.sign * math.inf
        self.last_epoch = self.num_bad_epochs = self.cooldown_counter = 0
    def step(self, metrics: float) -> None:
        value, margin = float(metrics), self.sign * self.threshold
        bar = self.best * (1 - margin) if self.relative else self.best - margin
        better, self.last_epoch = self.sign * (bar - value) > 0, self.last_epoch + 1
        self.best = value if better else self.best
        self.num_bad_epochs = 0 if better else self.num_bad_epochs + 1
        if self.cooldown_counter > 0:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
            for group in self.optimizer.param_groups:
                lr = max(group["lr"] * self.factor, self.min_lr)
                group["lr"] = lr if group["lr"] - lr > self.eps else group["lr"]
    def state_dict(self) -> dict:
        names = ("last_epoch", "best", "num_bad_epochs", "cooldown_counter")
        return {"scheduler": "ReduceLROnPlateau", **{n: vars(self)[n] for n in names}}
    def load_state_dict(self, state: dict) -> None:
        _compare(state, self.state_dict(), "the state")
        vars(self).update({k: v for k, v in state.items() if k != "scheduler"})

# %%
sgd = SGD([new_w()], lr=1.0)
scheduler = ReduceLROnPlateau(sgd, factor=0.5, patience=1)
for loss in [0.9, 0.8, 0.8, 0.8, 0.7, 0.8, 0.6]:
    scheduler.step(loss)
    print(loss, scheduler.get_last_lr())

# %% [markdown]
# `clip_grad_value_` limits each number of the gradients by itself. It changes their
# direction, too, and is seldom what you want.

# %% nbgrader={"grade": false, "grade_id": "clip_value", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def clip_grad_value_(parameters, clip_value: float) -> None:
    """Limit each number of the gradients to ±clip_value, in place."""
    for g in _gradients(parameters):
        np.clip(g, -clip_value, clip_value, out=g)

# %% [markdown]
# ## Here and in PyTorch
#
# | here | in PyTorch |
# | --- | --- |
# | `SGD`, `RMSprop`, `Adam`, `AdamW` | `torch.optim`, with more options |
# | `step`, `zero_grad`, `param_groups`, `state_dict` | the same |
# | schedules | the same; some also take lists, for the groups |
# | `OneCycleLR` | also changes the momentum; 25 and 10,000 are options |
# | `LinearWarmup(optimizer, after=other)` | `LinearLR` and `SequentialLR` |
# | `clip_grad_norm_` | the same in `torch.nn.utils`, returns a tensor |
# | a group added later keeps its rate | the same; `LambdaLR` refuses it |
# | an update in place, piece by piece | `foreach`, `fused`: many parameters at once |
# | a norm that is nan | all gradients become nan; here their values are not defined |

# %% [markdown]
# ## Summary
#
# Now there are SGD, momentum, Nesterov, RMSprop, Adam and AdamW, learning-rate
# schedules, and a limit for gradients that explode. All of them write in place. What is
# missing is the loop around them: losses with names, validation, saving, stopping
# early. Module 11 builds it, and trains on CIFAR-10 with these optimizers.
