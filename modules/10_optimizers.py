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
#     hours: 4
#     goals:
#     - say what a ravine, noise and unequal scales do to plain descent, and which remedy answers which
#     - write momentum, Nesterov, RMSprop, Adam and AdamW as updates in place that allocate nothing
#     - let a schedule set the learning rate, and tell why large networks begin with a warmup
#     - catch a step that would explode
#     - count the memory that an optimizer keeps for each parameter, and time its step
# ---

# %% [markdown]
# # Optimizers
#
# > From gradients to better weights: steps that remember, that scale themselves, and that follow a schedule.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(10)

# %% [markdown]
# ## Why
#
# In module 09 a dozen lines learned the digits: `p - 0.3 * gradient`, six hundred times. Who chose the 0.3? Here is the
# smallest problem that makes the choice hard: a valley, forty times as steep across as along, and 40 steps from the same place.
# Which learning rate would you take?

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
# Along the valley, $w_1$ wants a rate near 1. Across it, $w_2$ explodes beyond $2/40$: each step lands on the other side, and higher. One number
# for both is too small for the one and too large for the other. Real networks have a hundred thousand directions, gradients that are noisy,
# and parameters whose gradients differ a thousandfold. This module answers each of the three: **ravines**, **noise**, **scale**.

# %%
#| default_exp core.optimizers

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import math
from collections.abc import Iterable, Iterator
from numbers import Real

import numpy as np

from tinytorch.core.autograd import zero_grad
from tinytorch.core.tensor import Tensor, _note_write

# %% [markdown]
# ## 1. One step
#
# $$p \leftarrow p - \eta\, d$$
#
# $\eta$ is the learning rate, `lr`; $d$ is the direction, for now the gradient. `p = p - lr * d` would make two new arrays,
# each as large as the weights, and the layer would never hear of them. So all steps of this module write into memory that is there:
# `np.multiply(a, b, out=c)` puts the product into `c`, and `a -= b` changes `a` itself.
#
# Write `descend`. Others still need the direction, so the product goes into `scratch`, whose content nobody needs
# (it may be `direction` itself, if nobody needs that either). Two lines.

# %% nbgrader={"grade": false, "grade_id": "descend", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def descend(p: np.ndarray, direction: np.ndarray, lr: float, scratch: np.ndarray) -> None:
    """p ← p - lr direction, in place; scratch, of p's shape, may be overwritten, and may be the direction itself."""
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

# %% nbgrader={"grade": true, "grade_id": "descend_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""descend changes p itself and leaves the direction alone; it allocates nothing; the scratch may be the direction."""
p, d, work = np.float32([1, 2, 3]), np.float32([10, -20, 0]), np.float32([7, 7, 7])
descend(p, d, 0.1, work)
np.testing.assert_allclose(p, [0, 4, 3], rtol=1e-6, atol=1e-6, err_msg="p - lr · direction, in p itself, whatever is in scratch")
np.testing.assert_array_equal(d, [10, -20, 0], err_msg="the direction is still needed by others, and was changed")
descend(p, d, 0.1, d)
np.testing.assert_allclose(p, [-1, 6, 3], rtol=1e-6, atol=1e-6, err_msg="with the direction as scratch")
a, b, c = np.ones((3, 100_000), np.float32)
needed = peak_memory(descend, a, b, 0.1, c)
assert needed < 100_000, f"a step on {a.nbytes:,} bytes allocated {needed:,} more: write the product into scratch, with out="

# %% nbgrader={"grade": true, "grade_id": "descend_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a matrix that lies in columns, on a rate of 0, and on whether float32 stays float32."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_p = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
_d, _s = np.ones((2, 3), np.float32), np.full((2, 3), 7, np.float32)
descend(_p, _d, 0.25, _s)
answer([_p, _d, str(_p.dtype)], about="a matrix in columns")
descend(_p, _d, 0.0, _s)
answer(_p, about="a rate of 0")
### END HIDDEN TESTS

# %% [markdown]
# To see steps, we note the places that `w` visits, and draw them on the valley's contour lines. `step` is what changes `w.data`.

# %% nbgrader={"grade": false, "grade_id": "walk", "locked": true, "schema_version": 3, "solution": false, "task": false}
def walk(w, step, steps=40):
    """The places that w visits: (steps + 1, 2)."""
    places = [w.data.copy()]
    for _ in range(steps):
        valley(w).backward()
        step()
        zero_grad([w])
        places.append(w.data.copy())
    return np.array(places)

def start():
    return Tensor([-8.0, 1.0], requires_grad=True)

# %% nbgrader={"grade": false, "grade_id": "draw", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt

def draw(**paths):
    """Each path on the contour lines of the valley, with the loss at its end."""
    x, y = np.meshgrid(np.linspace(-9, 4, 150), np.linspace(-1.6, 1.6, 80))
    figure, axes = plt.subplots(1, len(paths), figsize=(3.6 * len(paths), 2.2), sharey=True, layout="constrained", squeeze=False)
    for ax, (name, path) in zip(axes.flat, paths.items()):
        ax.contour(x, y, (x * x + 40 * y * y) / 2, levels=np.geomspace(0.1, 60, 9), colors="0.8", linewidths=0.7)
        ax.plot(*path.T, ".-", ms=4, lw=0.8)
        ax.set_title(f"{name}: {(path[-1] ** 2 @ [0.5, 20]):.2g}", fontsize=9)

# %% [markdown]
# Forty steps at 0.01, and forty at 0.045. Sketch both before you look: which one crawls, and what does the other do?

# %%
def plainly(w, lr):
    work = np.zeros_like(w.data)
    return lambda: descend(w.data, w.grad.data, lr, work)

# %%
w, u = start(), start()
draw(**{"0.01": walk(w, plainly(w, 0.01)), "0.045": walk(u, plainly(u, 0.045))})

# %% [markdown]
# ## 2. Ravines
#
# Look at the zigzag. Across the ravine the gradients of successive steps point to and fro; along it, all of them agree. So add them up,
# and let old ones fade: what alternates cancels, what agrees grows. This sum is the velocity of a ball with friction (Polyak 1964):
#
# $$v \leftarrow \mu\, v + g, \qquad p \leftarrow p - \eta\, v$$
#
# $\mu$ is the `momentum`, often 0.9. Write the first half, in place. Two lines.

# %% nbgrader={"grade": false, "grade_id": "accumulate", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def accumulate(v: np.ndarray, g: np.ndarray, momentum: float) -> None:
    """v ← momentum v + g, in place."""
    ### BEGIN SOLUTION
    v *= momentum
    v += g
    ### END SOLUTION

# %% [markdown]
# The same gradient, 1, again and again: where does the velocity go? And if its sign changes each time?

# %%
for signs in [(1, 1, 1, 1), (1, -1, 1, -1)]:
    v, speeds = np.zeros(1), []
    for sign in signs * 25:
        accumulate(v, np.float64([sign]), momentum=0.9)
        speeds.append(round(v.item(), 2))
    print(*speeds[:4], "...", *speeds[-2:])

# %% nbgrader={"grade": true, "grade_id": "accumulate_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""A constant gradient adds up to (1 - momentum^t) / (1 - momentum) of itself, in place, and the gradient stays as it is."""
v, g = np.zeros(2, np.float32), np.float32([1, -3])
for t in range(1, 31):
    accumulate(v, g, 0.8)
    wanted = g * (1 - 0.8**t) / (1 - 0.8)
    np.testing.assert_allclose(v, wanted, rtol=1e-5, err_msg=f"after {t} times the gradient [1, -3], in v itself")
np.testing.assert_array_equal(g, [1, -3], err_msg="the gradient was changed")
a, b = np.ones((2, 100_000), np.float32)
needed = peak_memory(accumulate, a, b, 0.9)
assert needed < 100_000, f"{a.nbytes:,} bytes of velocity, and {needed:,} more were allocated: *= and += change an array itself"

# %% nbgrader={"grade": true, "grade_id": "accumulate_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on random gradients, and without momentum, where nothing is remembered."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_g, _v = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32), np.ones((2, 3), np.float32)
for _one in _g:
    accumulate(_v, _one, 0.5)
answer(_v, about="random gradients")
accumulate(_v, _g[0], 0.0)
answer([_v, _g], about="without momentum")
### END HIDDEN TESTS

# %% [markdown]
# A constant gradient gets ten times as fast, an alternating one half as fast. The same 40 steps at the same rate, 0.02:

# %%
def with_momentum(w, lr=0.02, momentum=0.9):
    v, work = np.zeros_like(w.data), np.zeros_like(w.data)

    def step():
        accumulate(v, w.grad.data, momentum)
        descend(w.data, v, lr, work)
    return step

# %%
w, u = start(), start()
plain = walk(w, plainly(w, 0.02))
draw(plain=plain, momentum=walk(u, with_momentum(u)))

# %% [markdown]
# ### Look ahead
#
# The ball is fast: it rolls through the minimum, and swings across the ravine, where plain descent at 0.02 did not. It learns of the slope only where it *is*, though we know already where its velocity
# will carry it: by $-\eta\mu v$ further. Nesterov (1983) counts that part of the next step at once. In the form of PyTorch, with the new $v$:
#
# $$d = g + \mu\, v, \qquad p \leftarrow p - \eta\, d$$
#
# Write $d$ into `out`, and return `out`. Neither $g$ nor $v$ may change. Three lines.

# %% nbgrader={"grade": false, "grade_id": "look_ahead", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def look_ahead(g: np.ndarray, v: np.ndarray, momentum: float, out: np.ndarray) -> np.ndarray:
    """g + momentum v, written into `out`, which is returned; g and v stay as they are."""
    ### BEGIN SOLUTION
    np.multiply(v, momentum, out=out)
    out += g
    return out
    ### END SOLUTION

# %%
look_ahead(np.float32([1, 1]), np.float32([10, -10]), 0.5, out=np.zeros(2, np.float32))

# %% nbgrader={"grade": true, "grade_id": "look_ahead_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""look_ahead gives g + momentum v in `out`, whatever was there, and nowhere else; g and v stay as they are."""
g, v, out = np.float32([1, 2]), np.float32([10, -10]), np.float32([7, 7])
d = look_ahead(g, v, 0.9, out)
np.testing.assert_allclose(out, [10, -7], rtol=1e-6, err_msg="g + momentum · v, written over what is in out")
assert d is out, "out must be returned, and no other array"
np.testing.assert_array_equal([g, v], [[1, 2], [10, -10]], err_msg="g or v was changed")
a, b, c = np.ones((3, 100_000), np.float32)
needed = peak_memory(look_ahead, a, b, 0.9, c)
assert needed < 100_000, f"{needed:,} bytes were allocated: the product goes into out, and g is added there"

# %% nbgrader={"grade": true, "grade_id": "look_ahead_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on matrices, and without momentum."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_g, _v = np.random.default_rng(1).standard_normal((2, 3, 4)).astype(np.float32)
answer([look_ahead(_g, _v, 0.75, np.full((3, 4), 7, np.float32)), _g, _v], about="matrices")
answer(look_ahead(_g, _v, 0.0, np.full((3, 4), 7, np.float32)), about="without momentum")
### END HIDDEN TESTS

# %%
def with_nesterov(w, lr=0.02, momentum=0.9):
    v, work = np.zeros_like(w.data), np.zeros_like(w.data)

    def step():
        accumulate(v, w.grad.data, momentum)
        descend(w.data, look_ahead(w.grad.data, v, momentum, work), lr, work)
    return step

# %%
w, u = start(), start()
draw(momentum=walk(w, with_momentum(w)), Nesterov=walk(u, with_nesterov(u)))

# %% [markdown]
# ### A pull towards zero
#
# Some pixels of the digits are white in every training image. What becomes of the weights that read them?

# %%
from tinytorch.datasets import load_digits

images, labels = load_digits()
x = Tensor(images.reshape(-1, 64) / 16)
np.flatnonzero((x.data[:1297] == 0).all(axis=0))

# %% [markdown]
# Their gradient is 0 forever, so they keep the random numbers that they were born with, and shout them at the first image that has ink there. **Weight
# decay** pulls every weight to zero, a little each step: it adds $\frac{\lambda}{2}\lVert p \rVert^2$ to the loss, and so $\lambda p$ to the gradient.
#
# Write $g + \lambda p$ into `out`, and return it. `g` and `p` stay. If $\lambda$ is 0, return `g` itself: nothing to compute. About five lines.

# %% nbgrader={"grade": false, "grade_id": "decayed", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def decayed(g: np.ndarray, p: np.ndarray, weight_decay: float, out: np.ndarray) -> np.ndarray:
    """g + weight_decay p, written into `out`, which is returned; without decay g itself, and nothing is computed."""
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
decayed(np.float32([0, 1]), np.float32([8, -8]), 0.01, out=np.zeros(2, np.float32))

# %% nbgrader={"grade": true, "grade_id": "decayed_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""decayed gives g + weight_decay p in `out`, and g itself where there is no decay; g and p stay as they are."""
g, p, out = np.float32([0, 1, -2]), np.float32([8, -8, 4]), np.float32([7, 7, 7])
found = decayed(g, p, 0.25, out)
assert found is out, "with a decay, out is what must be returned"
np.testing.assert_allclose(out, [2, -1, -1], rtol=1e-6, err_msg="g + weight_decay · p, written over what is in out")
np.testing.assert_array_equal([g, p], [[0, 1, -2], [8, -8, 4]], err_msg="g or p was changed")
assert decayed(g, p, 0.0, out) is g, "without decay: g itself"
for _ in range(10):
    descend(p, decayed(np.zeros(3, np.float32), p, 0.5, out), 0.1, out)
np.testing.assert_allclose(p, np.array([8, -8, 4]) * 0.95**10, rtol=1e-5, err_msg="without gradient, each step leaves (1 - lr λ) of p")
a, b, c = np.ones((3, 100_000), np.float32)
needed = peak_memory(decayed, a, b, 0.1, c)
assert needed < 100_000, f"{needed:,} bytes were allocated: the product goes into out, and g is added there"

# %% nbgrader={"grade": true, "grade_id": "decayed_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on matrices, and on a decay of 0."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_g, _p = np.random.default_rng(2).standard_normal((2, 4, 3)).astype(np.float32)
answer([decayed(_g, _p, 0.1, np.full((4, 3), 7, np.float32)), _g, _p], about="matrices")
_out = np.full((4, 3), 7, np.float32)
answer([decayed(_g, _p, 0, _out) is _g, _out], about="a decay of 0")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. The optimizer
#
# An **optimizer** holds the parameters, their options, and what it must remember of each. `step()` updates all that have a gradient. Read it in four parts; nothing here
# is to be written. First the walk over the parameters:

# %% nbgrader={"grade": false, "grade_id": "optimizer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Optimizer:
    """Steps along gradients: `update`, which each kind writes, changes one piece of one parameter in place."""
    PIECE = 2**15  # numbers: a piece of p, g, state and scratch together fits into the cache of a core
    slots = ()  # the arrays that are kept for each parameter

    def __init__(self, params: Iterable, **defaults):
        self.defaults, self.param_groups, self.state, self._scratch = defaults, [], {}, {}
        given = list(params)
        for group in given if given and isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def update(self, p, g, state: list, scratch: list, t: int, **options) -> None:
        """Step t (the first is 1) of a piece p with gradient g; state is a list of arrays of p's shape, scratch two more."""
        raise NotImplementedError(f"{type(self).__name__}.update is not written yet")

    def kept(self, **options) -> tuple:
        """Which slots these options need."""
        return self.slots

    def parameters(self) -> list[Tensor]: return [p for group in self.param_groups for p in group["params"]]
    def zero_grad(self) -> None: zero_grad(self.parameters())

    def step(self) -> None:
        """One update of each parameter that has a gradient, noted as a write in place; the others stay as they are."""
        for group in self.param_groups:
            options = {name: group[name] for name in self.defaults}
            names = self.kept(**options)
            for p in group["params"]:
                if p.grad is not None:
                    self._walk(p, names, options)
                    _note_write(p)

# %% [markdown]
# `update` sees at most 32,768 numbers at once: a small parameter as it is, of a large one **pieces**, one-dimensional. So two rows of scratch memory of one piece's
# size serve all parameters, and each operation finds the piece in the cache, where the last one left it.

# %% nbgrader={"grade": false, "grade_id": "pieces", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _in_optimizer(body: type) -> None:
    """Decorator: the methods of the class below are Optimizer's, which so grows from cell to cell."""
    for name, value in vars(body).items():
        if callable(value):
            setattr(Optimizer, name, value)

@_in_optimizer
class _Pieces:
    def _walk(self, p: Tensor, names: tuple, options: dict) -> None:
        """`update` for a small parameter in rows as it is, for any other piece after piece."""
        x, g, state = p.data, p.grad.data, self.state.setdefault(p, {"step": 0})
        if g.shape != x.shape:
            raise ValueError(f"a parameter of shape {x.shape} has a gradient of shape {g.shape}")
        for name in names:
            if name not in state:
                state[name] = np.zeros_like(x)  # laid out as x is
        state["step"] += 1
        arrays, whole = [x, g, *[state[name] for name in names]], x.size <= self.PIECE and x.flags.c_contiguous
        for piece, grad, *others in [arrays] if whole else self._in_pieces(arrays):
            self.update(piece, grad, others, self._scratch_for(piece), state["step"], **options)

    def _scratch_for(self, piece: np.ndarray) -> list[np.ndarray]:
        """Two arrays of the piece's shape and dtype, for every shape in the same two rows of memory."""
        kind = piece.shape, piece.dtype
        scratch = self._scratch.get(kind)
        if scratch is None:
            rows = self._scratch.setdefault((self.PIECE, piece.dtype), [np.empty(self.PIECE, piece.dtype) for _ in range(2)])
            scratch = self._scratch[kind] = [row[: piece.size].reshape(piece.shape) for row in rows]
        return scratch

# %% [markdown]
# A weight may lie in memory in rows or in columns. Its state is laid out alike, and pieces are taken as they lie. Only where a gradient lies
# otherwise does `reshape` copy.

# %% nbgrader={"grade": false, "grade_id": "in_pieces", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_optimizer
class _Layout:
    def _in_pieces(self, arrays: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """Views (n,) of the arrays' next n numbers, n at most PIECE, in the order in which the first array lies in memory."""
        order = sorted(range(arrays[0].ndim), key=lambda axis: -abs(arrays[0].strides[axis]))
        arrays = [a.transpose(order) for a in arrays]
        lines = [a.reshape(-1) for a in arrays]  # views, where all lie alike
        for first in range(0, lines[0].size, self.PIECE):
            yield [line[first : first + self.PIECE] for line in lines]
        for a, line in zip(arrays, lines, strict=True):
            if not np.may_share_memory(a, line):  # a copy: back to where it belongs
                a[...] = line.reshape(a.shape)

# %% [markdown]
# Options may differ from **group** to group. A parameter in two groups, or one that can have no gradient, is a mistake, and is named:

# %% nbgrader={"grade": false, "grade_id": "groups", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_optimizer
class _Groups:
    def add_param_group(self, group: dict) -> None:
        """Add {"params": tensors, option: value, ...}; where it names no value, the optimizer's own counts."""
        params, kind = group["params"], type(self).__name__
        params = [params] if isinstance(params, Tensor) else list(params)
        options = {**self.defaults, **{name: value for name, value in group.items() if name != "params"}}
        if unknown := set(options) - set(self.defaults):
            raise ValueError(f"{kind} has no option {', '.join(sorted(unknown))}: it has {', '.join(self.defaults)}")
        if not params:
            raise ValueError(f"{kind} got no parameters")
        self.check(**options)
        taken = set(self.parameters())
        for i, p in enumerate(params):
            if not isinstance(p, Tensor):
                raise TypeError(f"parameter {i} is a {type(p).__name__}, not a tensor")
            if not p.requires_grad or p.origin:
                raise ValueError(f"parameter {i}, of shape {p.shape}, is no leaf that requires a gradient, so it will never get one")
            if p in taken:
                raise ValueError(f"parameter {i}, of shape {p.shape}, is in two groups, or in one of them twice")
            taken.add(p)
        self.param_groups.append({"params": params, **options})

    def check(self, **options) -> None:
        """A ValueError for options that make no sense."""
        for name, value in options.items():
            bounded = name in ("betas", "alpha")  # the shares of a running mean
            for number in value if isinstance(value, (tuple, list)) else [value]:
                if not isinstance(number, Real) or not 0 <= number < (1 if bounded else math.inf):
                    raise ValueError(f"{name} is a number from 0{' to below 1' * bounded} on, not {value}")

# %% [markdown]
# And to stop today and go on tomorrow, all that it remembers must be saved. `state_dict` is plain data; `load_state_dict` refuses what does not fit *before* it changes anything.

# %% nbgrader={"grade": false, "grade_id": "optimizer_state", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_optimizer
class _State:
    def state_dict(self) -> dict:
        """Kind, options and state in numbers, strings, lists, dicts and copies of arrays; a parameter is its number."""
        number = {p: i for i, p in enumerate(self.parameters())}
        groups = [{k: list(v) if isinstance(v, tuple) else v for k, v in group.items()} for group in self.param_groups]
        for group in groups:
            group["params"] = [number[p] for p in group["params"]]
        entries = [{k: v.copy() if isinstance(v, np.ndarray) else v for k, v in self.state.get(p, {}).items()} for p in number]
        return {"optimizer": type(self).__name__, "param_groups": groups, "state": entries}

    def load_state_dict(self, state: dict) -> None:
        """Options and state as they were: the next step will be the same to the bit. Else a ValueError, and nothing is loaded."""
        self._refuse(state)
        for group, other in zip(self.param_groups, state["param_groups"], strict=True):
            group.update({k: tuple(v) if isinstance(v, list) else v for k, v in other.items() if k != "params"})
        self.state.clear()
        for p, entry in zip(self.parameters(), state["state"], strict=True):
            if entry:
                self.state[p] = {name: int(value) if name == "step" else np.empty_like(p.data) for name, value in entry.items()}
                for name in set(entry) - {"step"}:
                    self.state[p][name][...] = entry[name]

    def _refuse(self, state: dict) -> None:
        keys = ["optimizer", "param_groups", "state"]
        if not isinstance(state, dict) or sorted(state) != keys:
            raise ValueError(f"an optimizer's state has {keys}, not {sorted(state)}")
        groups, mine = state["param_groups"], self.param_groups
        sides = [("kind of optimizer", state["optimizer"], type(self).__name__),
                 ("parameters in each group", [len(g["params"]) for g in groups], [len(g["params"]) for g in mine]),
                 ("parameters with a state", len(state["state"]), len(self.parameters()))]
        sides += [("options", sorted(set(g) - {"params", "initial_lr"}), sorted(self.defaults)) for g in groups]
        for i, (p, entry) in enumerate(zip(self.parameters(), state["state"], strict=False)):
            shapes = {name: np.shape(a) for name, a in entry.items()}
            slots = self.slots if len(shapes) > 1 else ()
            sides.append((f"shapes for parameter {i}", shapes, shapes and {"step": (), **dict.fromkeys(slots, p.shape)}))
        for what, its, own in sides:
            if its != own:
                raise ValueError(f"the state does not fit: {what}: {its} in the state, {own} here")
        for group in groups:
            self.check(**{name: group[name] for name in self.defaults})

# %% [markdown]
# The simplest kind there is:

# %%
class Plain(Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, lr=lr)

    def update(self, p, g, state, scratch, t, lr):
        descend(p, g, lr, scratch[0])

# %%
w = start()
Plain([w], lr=0.02).parameters(), walk(w, Plain([w], lr=0.02).step)[-1], plain[-1]

# %% [markdown]
# **SGD**, stochastic gradient descent, puts your four functions together, in PyTorch's order: decay, then momentum, then the look ahead.

# %% nbgrader={"grade": false, "grade_id": "sgd", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class SGD(Optimizer):
    """p ← p - lr v with v ← momentum v + g; without momentum p - lr g; nesterov: g + momentum v in place of v."""
    slots = ("momentum_buffer",)

    def __init__(self, params, lr: float = 1e-3, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0):
        super().__init__(params, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)

    def check(self, nesterov, momentum, **options) -> None:
        super().check(momentum=momentum, **options)
        if nesterov and momentum == 0:
            raise ValueError("nesterov looks ahead along the momentum, which is 0")

    def kept(self, momentum, **options) -> tuple: return self.slots if momentum else ()

    def update(self, p, g, state, scratch, t, lr, momentum, nesterov, weight_decay) -> None:
        g = direction = decayed(g, p, weight_decay, out=scratch[0])
        if momentum:
            (direction,) = state
            accumulate(direction, g, momentum)
            if nesterov:
                direction = look_ahead(g, direction, momentum, out=scratch[1])
        descend(p, direction, lr, scratch[1])

# %% [markdown]
# Decay is meant for weights; a bias may stay as large as it likes. Two groups:

# %%
weight, bias = Tensor(np.ones((2, 3)), requires_grad=True), Tensor(np.ones(2), requires_grad=True)
(weight.sum() * 0 + bias.sum() * 0).backward()

# %%
sgd = SGD([{"params": [weight], "weight_decay": 0.1}, {"params": [bias]}], lr=0.5, momentum=0.9)
sgd.step()
weight, bias

# %%
sgd.state_dict()

# %% [markdown]
# Three mistakes. The last is the sneaky one: the graph of `y` holds `weight`, and the step wrote into it. Module 09 notices.

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
# The gradient of a batch is the gradient of all examples plus chance. The weight with the largest gradient in a network for the digits, measured on many
# batches: what will become of the spread, if a batch is four times as large?

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
for n in (4, 16, 64, 256):
    noisy = np.array([first_gradient(model, rng.integers(0, 1297, n))[k] for _ in range(100)])
    print(f"batches of {n:3}: {noisy.mean():.4f} ± {noisy.std():.4f}   (all 1297: {whole[k]:.4f})")

# %% [markdown]
# Four times the batch, half the noise; but four times the work. There are two cheaper ways. The first: an average over *time*. The mean of all gradients so far
# would remember too much, since the weights move. A **running mean** forgets:
#
# $$m \leftarrow \beta\, m + (1 - \beta)\, x \;=\; m + (1 - \beta)(x - m)$$
#
# In place, either form needs one scratch array, which may be `x` itself. Write one of them. Three lines. (It is momentum, scaled by $1 - \beta$: your ball has been averaging all the time.)

# %% nbgrader={"grade": false, "grade_id": "blend", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def blend(m: np.ndarray, x: np.ndarray, beta: float, scratch: np.ndarray) -> None:
    """m ← beta m + (1 - beta) x, in place; scratch may be overwritten, and may be x itself."""
    ### BEGIN SOLUTION
    np.subtract(x, m, out=scratch)
    scratch *= 1 - beta
    m += scratch
    ### END SOLUTION

# %%
noisy = np.array([first_gradient(model, rng.integers(0, 1297, 16))[k] for _ in range(150)])
m, smooth = np.zeros(1), []
for value in noisy:
    blend(m, np.array([value]), 0.95, np.zeros(1))
    smooth.append(m.item())

# %%
plt.figure(figsize=(6, 2.2))
plt.plot(noisy, lw=0.6, color="0.6")
plt.plot(smooth)
plt.axhline(whole[k], color="C3", lw=0.8);

# %% [markdown]
# Grey are single batches, red is the truth. Why does the blue line begin so far from it? Keep the question in mind.

# %% nbgrader={"grade": true, "grade_id": "blend_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Of a constant, blend reaches (1 - beta^t) of it in t steps; in place; the scratch may be x itself, else x stays as it is."""
m, x0, work = np.zeros(2, np.float32), np.float32([1, -3]), np.float32([7, 7])
for t in range(1, 21):
    blend(m, x0, 0.75, work)
    np.testing.assert_allclose(m, x0 * (1 - 0.75**t), rtol=1e-5, err_msg=f"after {t} times [1, -3], with beta = 0.75")
np.testing.assert_array_equal(x0, [1, -3], err_msg="x was changed, and the scratch is another array")
m[:] = 8
blend(m, x0, 0.75, x0)
np.testing.assert_allclose(m, [6.25, 5.25], rtol=1e-5, err_msg="0.75 · 8 + 0.25 · [1, -3], with x as its own scratch")
a, b, c = np.ones((3, 100_000), np.float32)
needed = peak_memory(blend, a, b, 0.9, c)
assert needed < 100_000, f"{needed:,} bytes were allocated: write the product or the difference into scratch, with out="

# %% nbgrader={"grade": true, "grade_id": "blend_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on random matrices, with beta 0 and with beta close to 1."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_xs, _m = np.random.default_rng(3).standard_normal((6, 2, 3)).astype(np.float32), np.ones((2, 3), np.float32)
for _beta in (0.5, 0.999, 0.0):
    for _one in _xs:
        blend(_m, _one, _beta, np.full((2, 3), 7, np.float32))
    answer(_m, about=f"beta = {_beta}")
### END HIDDEN TESTS

# %% [markdown]
# ### Smaller steps
#
# The second way. In the valley we add noise to each gradient, and ask how high above the ground `w` still is after a long time. What happens to that
# height if the rate is halved?

# %%
def height(lr, steps=3000):
    """The mean loss of the last third of many noisy steps."""
    w, rng, work = start(), np.random.default_rng(0), np.zeros(2, np.float32)
    path = walk(w, lambda: descend(w.data, w.grad.data + 4 * rng.standard_normal(2, np.float32), lr, work), steps)
    return (path[-steps // 3 :] ** 2 @ [0.5, 20]).mean()

# %%
{lr: round(float(height(lr)), 3) for lr in (0.04, 0.02, 0.01, 0.005)}

# %% [markdown]
# Half the rate, about half the height; more is gained near 0.05, where steps across the ravine nearly explode. A large rate gets there fast and never settles; a small one settles, late. So begin large and end small. A **scheduler** sets the rate of each group to `at(t, base)`: what the rate
# is after `t` calls of `step()`, if it was `base` at the beginning. It is a function of `t` alone, so a resumed run needs only to know `t`.

# %% nbgrader={"grade": false, "grade_id": "scheduler", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class LRScheduler:
    """Sets the learning rate of each group to `at(t, base)`: t counts the calls of step, base is the rate at the beginning."""

    def __init__(self, optimizer: Optimizer):
        self.optimizer, self.last_epoch = optimizer, 0  # PyTorch's name; it counts whatever you call step for
        self.base_lrs = [group.setdefault("initial_lr", group["lr"]) for group in optimizer.param_groups]
        self._set()

    def at(self, t: int, base: float) -> float:
        """The learning rate after t steps."""
        raise NotImplementedError(f"{type(self).__name__}.at is not written yet")

    def _set(self) -> None:
        rates = [self.at(self.last_epoch, base) for base in self.base_lrs]
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = lr

    def step(self) -> None:
        """Count, and set the learning rates."""
        self.last_epoch += 1
        self._set()

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group, as it is now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict:
        """Kind, position and rates at the beginning; the settings are the constructor's."""
        return {"scheduler": type(self).__name__, "last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: dict) -> None:
        """Go on where the state was; a ValueError if it is of another kind, or of another number of groups."""
        mine = self.state_dict()
        for name, side in [("scheduler", str), ("base_lrs", len)]:
            if set(state) != set(mine) or side(state[name]) != side(mine[name]):
                raise ValueError(f"a state {state} does not fit {mine}")
        self.last_epoch, self.base_lrs = state["last_epoch"], list(state["base_lrs"])
        self._set()

# %% [markdown]
# `StepLR` multiplies the rate by `gamma` each time `step_size` steps have passed: for 10 steps it is `base`, for the next 10 it is
# `base · gamma`, then `base · gamma²`. Write `at`. One line.

# %% nbgrader={"grade": false, "grade_id": "step_lr", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class StepLR(LRScheduler):
    """Every `step_size` steps the learning rate is multiplied by gamma."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def at(self, t: int, base: float) -> float:
        """base · gamma^(how many times step_size has passed)."""
        ### BEGIN SOLUTION
        return base * self.gamma ** (t // self.step_size)
        ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "rates", "locked": true, "schema_version": 3, "solution": false, "task": false}
def rates(make, steps, lr=1.0):
    """The rates that a scheduler sets, before the first step and after each."""
    optimizer = SGD([start()], lr=lr)
    scheduler, found = make(optimizer), []
    for _ in range(steps):
        found += scheduler.get_last_lr()
        scheduler.step()
    return found

# %%
rates(lambda optimizer: StepLR(optimizer, step_size=3, gamma=0.5), 8)

# %% nbgrader={"grade": true, "grade_id": "step_lr_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The rate stays for step_size steps, then is multiplied by gamma, again and again; from the rate at the beginning."""
found = rates(lambda optimizer: StepLR(optimizer, 4, gamma=0.1), 12, lr=2.0)
np.testing.assert_allclose(found[:4], 2.0, err_msg="the first 4 steps have the rate of the beginning, 2")
np.testing.assert_allclose(found[4:8], 0.2, err_msg="the next 4 have a tenth of it")
np.testing.assert_allclose(found[8:], 0.02, err_msg="the next 4 a hundredth")
optimizer = SGD([{"params": [start()], "lr": 5.0}, {"params": [start()]}], lr=1.0)
scheduler = StepLR(optimizer, step_size=1, gamma=0.5)
scheduler.step()
assert scheduler.get_last_lr() == [2.5, 0.5], f"each group has its own base, 5 and 1: halved, not {scheduler.get_last_lr()}"
asked = scheduler.at(2, 8.0)
assert asked == 2, f"at(2, base=8.0) is a quarter of 8 whatever the scheduler has counted itself, not {asked}: use t and base alone"

# %% nbgrader={"grade": true, "grade_id": "step_lr_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on other settings, after hundreds of steps, and asked for the same t twice."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(rates(lambda optimizer: StepLR(optimizer, 7, 0.9), 400, lr=0.3)[::13], about="400 steps")
_scheduler = StepLR(SGD([start()], lr=1.0), 5)
answer([_scheduler.at(t, base) for t in (0, 4, 5, 5, 12, 4) for base in (1.0, 3.0)], about="at is a function of t and base")
### END HIDDEN TESTS

# %% [markdown]
# The noisy valley again: 1000 steps at 0.04, 1000 at a tenth, 1000 at a hundredth. How high is `w` at the end, beside 0.04 throughout?

# %%
w, rng = start(), np.random.default_rng(0)
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
# How much do the gradients of one network differ in size? For each pixel, the root of the mean square of the gradients of its 64 weights; the largest
# over the smallest that is not 0:

# %%
zero_grad(model.parameters())
loss_of(model, np.arange(1297)).backward()
size = np.sqrt((model.parameters()[0].grad.data ** 2).mean(axis=0)).reshape(8, 8)
size.max() / size[size > 0].min()

# %%
plt.figure(figsize=(2.6, 2.2))
plt.imshow(np.log10(np.where(size, size, np.nan)), cmap="viridis")
plt.colorbar(label="log10 of the size");

# %% [markdown]
# A rate that suits the middle does not move the border. And yet the border may matter, in the few images where it has ink. So divide each weight's gradient by its
# own usual size, the root of a running mean of squares. That is **RMSprop** (Hinton 2012):
#
# $$s \leftarrow \alpha\, s + (1 - \alpha)\, g^2, \qquad p \leftarrow p - \eta\, \frac{g}{\sqrt{s} + \epsilon}$$
#
# $\epsilon$ keeps a weight that never had a gradient from 0/0. The first line fetches `g` with its decay, the state `s`, and one scratch array, `work`. `blend` and `descend` are
# yours; both may use `work` as value and scratch at once. `g` may be the gradient itself: it must not change. About six lines.

# %% nbgrader={"grade": false, "grade_id": "rmsprop", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class RMSprop(Optimizer):
    """p ← p - lr g / (sqrt(s) + eps), where s ← alpha s + (1 - alpha) g² (Hinton 2012)."""
    slots = ("square_avg",)

    def __init__(self, params, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0.0):
        super().__init__(params, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay)

    def update(self, p, g, state, scratch, t, lr, alpha, eps, weight_decay) -> None:
        g, (s,), (_, work) = decayed(g, p, weight_decay, out=scratch[0]), state, scratch
        ### BEGIN SOLUTION
        np.multiply(g, g, out=work)
        blend(s, work, alpha, work)
        np.sqrt(s, out=work)
        work += eps
        np.divide(g, work, out=work)
        descend(p, work, lr, work)
        ### END SOLUTION

# %% [markdown]
# `follow` feeds gradients of our choice to an optimizer. Two weights, one with a gradient a million times the other's. How do their steps compare, and is the first step as long as the rate, 0.01?

# %% nbgrader={"grade": false, "grade_id": "follow", "locked": true, "schema_version": 3, "solution": false, "task": false}
def follow(kind, gradients, begin=0.0, **options):
    """Where a parameter is after each step, if these are its gradients: (steps, *shape) -> (steps, *shape)."""
    gradients = np.asarray(gradients, np.float32)
    p = Tensor(np.full(gradients.shape[1:], begin, np.float32), requires_grad=True)
    optimizer, places = kind([p], **options), []
    for g in gradients:
        p.grad = Tensor(g.copy())
        optimizer.step()
        assert np.array_equal(p.grad.data, g), f"the gradient was {g}, and is now {p.grad.data}: the update must not change it"
        places.append(p.data.copy())
    return np.array(places)

# %%
follow(RMSprop, [[1.0, 1e-6]] * 4, lr=0.01, eps=1e-12)

# %% nbgrader={"grade": true, "grade_id": "rmsprop_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""RMSprop follows its formula step by step, does not care how large gradients are, and allocates nothing."""
step = follow(RMSprop, [[4.0]], lr=0.5, alpha=0.75, eps=6.0).item()
assert np.isclose(step, -0.25), f"g = 4, alpha = 0.75, eps = 6: s = 4, and p moves by -0.5 · 4 / (2 + 6) = -0.25, not by {step}"
g = np.random.default_rng(0).standard_normal((20, 3))
s, p = np.zeros(3), np.ones(3)
for one in g:
    s = 0.9 * s + 0.1 * one**2
    p = p - 0.05 * one / (np.sqrt(s) + 1e-3)
found = follow(RMSprop, g, begin=1.0, lr=0.05, alpha=0.9, eps=1e-3)
message = "20 random gradients: s averages g² with alpha, and stays as it is; p moves by lr · g / (sqrt(s) + eps)"
np.testing.assert_allclose(found[-1], p, rtol=1e-4, atol=1e-5, err_msg=message)
small = follow(RMSprop, 1e-3 * g, begin=1.0, lr=0.05, alpha=0.9, eps=1e-12)
large = follow(RMSprop, 1e3 * g, begin=1.0, lr=0.05, alpha=0.9, eps=1e-12)
np.testing.assert_allclose(small, large, rtol=1e-4, err_msg="a million times the gradient: the same path")
assert np.isfinite(follow(RMSprop, np.zeros((3, 2)))).all(), "a gradient of 0: no 0/0"
p = Tensor(np.ones(30_000), requires_grad=True)
p.grad, optimizer = Tensor(np.ones(30_000)), RMSprop([p])
optimizer.step()
needed = peak_memory(optimizer.step)
assert needed < 60_000, f"a step on {p.data.nbytes:,} bytes allocated {needed:,}: write into work, with out="

# %% nbgrader={"grade": true, "grade_id": "rmsprop_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again with weight decay, with a large eps, and on a matrix in columns."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_g = np.random.default_rng(4).standard_normal((7, 2, 3))
answer(follow(RMSprop, _g, begin=0.5, lr=0.1, alpha=0.5, weight_decay=0.3), about="weight decay")
answer(follow(RMSprop, _g, lr=0.1, eps=2.0), about="eps = 2")
_p = Tensor(np.asfortranarray(_g[0].astype(np.float32)), requires_grad=True)
_p.grad, _before = Tensor(_g[1].astype(np.float32)), _p.data
RMSprop([_p], lr=0.1).step()
answer([_p, _p.data is _before, _p.data.flags.f_contiguous], about="in columns")
### END HIDDEN TESTS

# %%
w, u = start(), start()
draw(Nesterov=walk(w, with_nesterov(w)), RMSprop=walk(u, RMSprop([u], lr=0.3, alpha=0.9).step))

# %% [markdown]
# It goes along the valley as fast as across. But it does not settle: where the gradient is small, so is what it is divided by. And in the table of two weights, its first step was ten times too long.
#
# ### Adam
#
# Why ten? After one step $s = 0.01\,g^2$. A running mean begins at 0, and after $t$ steps has reached only $1 - \beta^t$ of a constant: `blend`'s check said so, and the blue line showed it. So
# after $t$ steps with the same gradient, a step is too long by

# %%
{t: round(float(1 / np.sqrt(1 - 0.99**t)), 2) for t in (1, 2, 10, 100, 400)}

# %% [markdown]
# The remedy is to divide by $1 - \beta^t$. **Adam** (Kingma & Ba 2015) does, and averages the gradient, too:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \quad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2, \quad
# \hat m = \frac{m}{1 - \beta_1^t}, \quad \hat v = \frac{v}{1 - \beta_2^t}, \quad p \leftarrow p - \eta\, \frac{\hat m}{\sqrt{\hat v} + \epsilon}$$
#
# $m$ and $v$ stay in memory as they are, uncorrected. There is one scratch array: build the denominator in `work`, then the quotient; what makes $\hat m$ of $m$ can go into the rate. `t` is 1 at the first
# step. About eight lines.

# %% nbgrader={"grade": false, "grade_id": "adam", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Adam(Optimizer):
    """p ← p - lr m̂ / (sqrt(v̂) + eps): running means of g and of g², each divided by 1 - beta^t (Kingma & Ba 2015)."""
    slots = ("exp_avg", "exp_avg_sq")

    def __init__(self, params, lr: float = 1e-3, betas: tuple = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(self, p, g, state, scratch, t, lr, betas, eps, weight_decay) -> None:
        g, (m, v), (beta1, beta2) = decayed(g, p, weight_decay, out=scratch[0]), state, betas
        work = scratch[1]
        ### BEGIN SOLUTION
        root = math.sqrt(1 - beta2**t)
        blend(m, g, beta1, work)
        np.multiply(g, g, out=work)
        blend(v, work, beta2, work)
        np.sqrt(v, out=work)
        work += eps * root  # sqrt(v) / root + eps, all times root: a pass less
        np.divide(m, work, out=work)
        descend(p, work, lr * root / (1 - beta1**t), work)
        ### END SOLUTION

# %% [markdown]
# The two weights again, at the rate 0.01. How long is each step now?

# %%
follow(Adam, [[1.0, 1e-6]] * 4, lr=0.01, eps=1e-12)

# %% nbgrader={"grade": true, "grade_id": "adam_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""Adam's first step is as long as the rate, constant gradients give steps of that length, and random ones follow the formula."""
found = follow(Adam, [[5.0, -0.02]] * 10, lr=0.1)
np.testing.assert_allclose(found[0], [-0.1, 0.1], rtol=1e-4, err_msg="the first step: -lr times the sign of the gradient, whatever its size")
np.testing.assert_allclose(found[-1], [-1, 1], rtol=1e-4, err_msg="ten steps with a constant gradient: ten times the rate")
step = follow(Adam, [[4.0]], lr=1.0, betas=(0.5, 0.75), eps=4.0).item()
assert np.isclose(step, -0.5), f"g = 4, eps = 4, t = 1: m̂ = 4, v̂ = 16, and p moves by -4 / (4 + 4) = -0.5, not by {step}"
g = np.random.default_rng(0).standard_normal((20, 3))
m, v, p = np.zeros(3), np.zeros(3), np.ones(3)
for t, one in enumerate(g, start=1):
    m, v = 0.8 * m + 0.2 * one, 0.95 * v + 0.05 * one**2
    p = p - 0.05 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-2)
found = follow(Adam, g, begin=1.0, lr=0.05, betas=(0.8, 0.95), eps=1e-2)
message = "20 random gradients: m averages g with beta1, v averages g² with beta2, and each is divided by 1 - its own beta^t"
np.testing.assert_allclose(found[-1], p, rtol=1e-4, atol=1e-5, err_msg=message)
pair = [Tensor(np.zeros(n), requires_grad=True) for n in (40_000, 2)]
for p in pair:
    p.grad = Tensor(np.ones(p.shape))
optimizer = Adam(pair, lr=0.1)
optimizer.step()
message = "the first step of two parameters, the larger in two pieces: t is 1 for each piece, so each moves by the rate"
np.testing.assert_allclose([*pair[0].data[[0, -1]], *pair[1].data], -0.1, rtol=1e-4, err_msg=message)
needed = peak_memory(optimizer.step)
assert needed < 60_000, f"a step on {pair[0].data.nbytes:,} bytes allocated {needed:,}: write into work, with out="

# %% nbgrader={"grade": true, "grade_id": "adam_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again with weight decay, with a large eps, on a gradient of 0, and on what is kept: m and v, uncorrected."""
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
w, u, h = start(), start(), start()
draw(momentum=walk(w, SGD([w], lr=0.02, momentum=0.9).step), RMSprop=walk(u, RMSprop([u], lr=0.3, alpha=0.9).step),
     Adam=walk(h, Adam([h], lr=0.5).step))

# %% [markdown]
# ### A decay that is one
#
# The weights of the white pixels once more: gradient 0, decay $\lambda$. How far does Adam move a weight of 1 in three steps, with $\lambda = 0.001$, and with a hundred times as much?

# %%
for weight_decay in (0.001, 0.1):
    print(weight_decay, follow(Adam, np.zeros((3, 1)), begin=1.0, lr=0.01, weight_decay=weight_decay).ravel())

# %% [markdown]
# No difference: Adam divides every gradient by its own size, and $\lambda p$ is the whole gradient here. A weight with large gradients, on the other hand, hardly decays at all. So the decay must not pass
# through that division. **AdamW** (Loshchilov & Hutter 2019) shrinks the weight by itself, and then takes Adam's step *without* decay:
#
# $$p \leftarrow (1 - \eta\lambda)\, p, \qquad \text{then Adam with } \lambda = 0$$
#
# `super().update(...)` is your Adam, with the same arguments in the same order. Two lines, in place as ever.

# %% nbgrader={"grade": false, "grade_id": "adamw", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class AdamW(Adam):
    """First p ← (1 - lr weight_decay) p, then Adam's step without decay (Loshchilov & Hutter 2019)."""

    def __init__(self, params, lr: float = 1e-3, betas: tuple = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 1e-2):
        super().__init__(params, lr, betas, eps, weight_decay)

    def update(self, p, g, state, scratch, t, lr, betas, eps, weight_decay) -> None:
        ### BEGIN SOLUTION
        p *= 1 - lr * weight_decay
        super().update(p, g, state, scratch, t, lr, betas, eps, weight_decay=0.0)
        ### END SOLUTION

# %%
for weight_decay in (0.001, 0.1):
    print(weight_decay, follow(AdamW, np.zeros((3, 1)), begin=1.0, lr=0.01, weight_decay=weight_decay).ravel())

# %% nbgrader={"grade": true, "grade_id": "adamw_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Without gradient only the decay acts, (1 - lr λ) a step; without decay it is Adam; and the decay never enters m and v."""
found = follow(AdamW, np.zeros((10, 2)), begin=3.0, lr=0.1, weight_decay=0.5)
np.testing.assert_allclose(found[-1], 3 * 0.95**10, rtol=1e-5, err_msg="a gradient of 0: each step leaves 1 - 0.1 · 0.5 of the weight")
g = np.random.default_rng(0).standard_normal((10, 3))
np.testing.assert_allclose(follow(AdamW, g, lr=0.1, weight_decay=0.0), follow(Adam, g, lr=0.1), rtol=1e-6, err_msg="no decay: Adam")
found, p = follow(AdamW, g, begin=2.0, lr=0.1, weight_decay=0.2), np.full(3, 2.0)
adam = np.diff(follow(Adam, g, begin=0.0, lr=0.1), axis=0, prepend=0)
for step in adam:
    p = 0.98 * p + step
np.testing.assert_allclose(found[-1], p, rtol=1e-4, atol=1e-5, err_msg="each step: 0.98 of the weight, plus Adam's step without decay")
p = Tensor(np.ones(30_000), requires_grad=True)
p.grad, optimizer = Tensor(np.ones(30_000)), AdamW([p])
optimizer.step()
needed = peak_memory(optimizer.step)
assert needed < 60_000, f"a step on {p.data.nbytes:,} bytes allocated {needed:,}: *= changes p itself, without a product beside it"

# %% nbgrader={"grade": true, "grade_id": "adamw_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again with PyTorch's default decay, on other options, and on what it keeps."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_g = np.random.default_rng(6).standard_normal((9, 2, 3))
answer(follow(AdamW, _g, begin=-1.5, lr=0.2), about="the default decay")
answer(follow(AdamW, _g, begin=1.0, lr=0.2, betas=(0.5, 0.75), eps=0.1, weight_decay=1.5), about="other options")
_p = Tensor(np.ones(2), requires_grad=True)
_p.grad, _adamw = Tensor([1.0, 2.0]), AdamW([_p], weight_decay=0.5)
_adamw.step()
answer([_adamw.state[_p], _adamw.param_groups[0]["weight_decay"]], about="what is kept")
### END HIDDEN TESTS

# %% [markdown]
# ## 6. Schedules
#
# `StepLR` jumps. A smoother way down, that stays high for long and ends gently, is half a wave of a cosine. From `start`, at share 0, to `end`, at share 1:
#
# $$\mathrm{end} + (\mathrm{start} - \mathrm{end})\,\frac{1 + \cos(\pi \cdot \mathrm{share})}{2}$$
#
# One line; it also goes up, if `end` is the larger.

# %% nbgrader={"grade": false, "grade_id": "cosine", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def cosine(start: float, end: float, share: float) -> float:
    """From start (share 0) to end (share 1) along half a wave: flat, steep, flat."""
    ### BEGIN SOLUTION
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
    ### END SOLUTION

# %% [markdown]
# Three places on the way from 10 to 0. Where is a quarter of the way: above 7.5, or below?

# %%
cosine(10, 0, 0), cosine(10, 0, 0.25), cosine(10, 0, 0.5)

# %% nbgrader={"grade": true, "grade_id": "cosine_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The cosine begins at start, ends at end, is half-way in the middle, steepest there, flat at both ends, and symmetric."""
assert cosine(3, 1, 0) == 3 and abs(cosine(3, 1, 1) - 1) < 1e-12, f"from 3 to 1, not from {cosine(3, 1, 0)} to {cosine(3, 1, 1)}"
assert abs(cosine(3, 1, 0.5) - 2) < 1e-12, f"half-way between 3 and 1 is 2, not {cosine(3, 1, 0.5)}"
values = np.array([cosine(3, 1, share) for share in np.linspace(0, 1, 101)])
falls = -np.diff(values)
assert (falls > 0).all() and falls.argmax() in (49, 50), "it falls all the way, and fastest in the middle"
assert falls[0] < falls[50] / 20, f"flat at the beginning: {falls[0]:.4f} in the first hundredth, {falls[50]:.4f} in the middle one"
np.testing.assert_allclose([cosine(1, 3, s) for s in (0.1, 0.4)], [cosine(3, 1, 0.9), cosine(3, 1, 0.6)], err_msg="up is down, backwards")

# %% nbgrader={"grade": true, "grade_id": "cosine_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on other ends, as CosineAnnealingLR uses it, and beyond the end, where the wave goes on."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer([cosine(0.3, 0.01, share / 7) for share in range(20)], about="on beyond the end")
answer([cosine(-2.0, 5.0, 0.3), cosine(4.0, 4.0, 0.7)], about="other ends")
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "cosine_lr", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class CosineAnnealingLR(LRScheduler):
    """From the first rate to eta_min in T_max steps, along half a wave; after that, up again (Loshchilov & Hutter 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0):
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def at(self, t: int, base: float) -> float: return cosine(base, self.eta_min, t / self.T_max)

# %% [markdown]
# ### Slowly first
#
# Adam divides by a mean of squares which at first is made of one gradient, then of two. In a deep network a long step on so little evidence can end where nothing is learned any more. Twelve hidden layers, Adam with a rate of 0.03: a network that is still guessing has
# a loss of $\ln 10 = 2.3$.

# %%
def train(make, schedule=None, sizes=(64, 64, 10), steps=600, seed=1):
    """A network after so many batches of 64 digits, and their losses: `make` an optimizer, `schedule` it."""
    manual_seed(seed)
    model, rng, losses = MLP(list(sizes), relu), np.random.default_rng(seed), []
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
deep, adam = [64] * 13 + [10], lambda params: Adam(params, lr=0.03)
_, cold = train(adam, sizes=deep, steps=300)
cold[[0, 1, 5, 20]], cold[-50:].mean()

# %% [markdown]
# It never leaves the guess. The remedy is a **warmup**: begin with a small part of the rate, and rise to all of it in a straight line. `after` says what comes then. And `OneCycleLR` (Smith & Topin 2018) is both in one: up along a cosine to a rate that is high, then down to
# almost nothing. Read them:

# %% nbgrader={"grade": false, "grade_id": "warmup", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class LinearWarmup(LRScheduler):
    """From start_factor times the rate up to the rate in total_iters steps, in a straight line; then as `after`, if given, does."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, start_factor: float = 1 / 3, after: LRScheduler | None = None):
        self.total_iters, self.start_factor, self.after = total_iters, start_factor, after
        super().__init__(optimizer)

    def at(self, t: int, base: float) -> float:
        if t < self.total_iters:
            return base * (self.start_factor + (1 - self.start_factor) * t / self.total_iters)
        return base if self.after is None else self.after.at(t - self.total_iters, base)

class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to max_lr, then down to nearly 0, in total_steps in all (Smith & Topin 2018). Momentum stays."""

    def __init__(self, optimizer: Optimizer, max_lr: float, total_steps: int, pct_start: float = 0.3,
                 div_factor: float = 25.0, final_div_factor: float = 1e4):
        self.max_lr, self.total_steps, self.low = max_lr, total_steps, max_lr / div_factor
        self.top, self.lowest = pct_start * total_steps - 1, self.low / final_div_factor
        super().__init__(optimizer)

    def at(self, t: int, base: float) -> float:
        if t > self.total_steps:
            raise ValueError(f"this cycle has {self.total_steps} steps, and step {t} is one too many")
        if t <= self.top:
            return cosine(self.low, self.max_lr, t / self.top if self.top else 1)
        return cosine(self.max_lr, self.lowest, (t - self.top) / (self.total_steps - 1 - self.top))

# %%
_, warm = train(adam, lambda optimizer: LinearWarmup(optimizer, 100, start_factor=0.01), deep, steps=300)
warm[[0, 1, 5, 20]], warm[-50:].mean()

# %% [markdown]
# The schedules side by side, 100 steps each:

# %%
schedules = {
    "StepLR": lambda o: StepLR(o, 30, 0.3), "cosine": lambda o: CosineAnnealingLR(o, 100),
    "warmup, then cosine": lambda o: LinearWarmup(o, 20, 0.05, after=CosineAnnealingLR(o, 80)),
    "one cycle": lambda o: OneCycleLR(o, max_lr=1.0, total_steps=100),
}

# %%
plt.figure(figsize=(6, 2.4))
for name, schedule in schedules.items():
    plt.plot(rates(schedule, 100), label=name)
plt.legend(fontsize=8)
plt.gca().set(xlabel="step", ylabel="rate");

# %% [markdown]
# ## 7. A step too far
#
# Ten layers in a row that share *one* weight $w$ compute $w^{10} x$. They should compute $x$, so $w = 1$ is best. We begin at 1.4, with a small rate, 0.01. Where is `w` after one step?

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
# One gradient of ten thousand, one step off the cliff, and all is lost. The *direction* was right. So cut the length: if the norm $n$ of *all* gradients together is above `max_norm`, scale all by the same factor
# (Pascanu et al. 2013).
#
# $$n = \sqrt{\textstyle\sum_p \lVert g_p \rVert^2}, \qquad g_p \leftarrow g_p \cdot \frac{\mathrm{max\_norm}}{n + 10^{-6}} \quad \text{if } n > \mathrm{max\_norm}$$
#
# Write it in place, and return $n$, as a float, as it was before. Use the list `grads`: `parameters` may be a generator, now used up. With `line = g.ravel("K")`, `g` as it lies in memory, `line @ line` is the sum of squares without an array
# of squares. If `error_if_nonfinite` and $n$ is infinite or nan: a `RuntimeError`, before anything changes. About nine lines.

# %% nbgrader={"grade": false, "grade_id": "clip", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float, error_if_nonfinite: bool = False) -> float:
    """Shorten all gradients together, in place, so that their norm is at most max_norm; the norm before is returned."""
    grads = [p.grad.data for p in parameters if p.grad is not None]
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
    places = descent(lambda params: clip_grad_norm(params, max_norm=1.0))
np.round(places[::10], 3)

# %% nbgrader={"grade": true, "grade_id": "clip_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""Long gradients are shortened together and keep their direction, short ones stay, and the norm before is what comes back."""
a, b, c = (Tensor(np.zeros(s), requires_grad=True) for s in [(2,), (2, 1), (3,)])
a.grad, b.grad = Tensor([3.0, 0.0]), Tensor([[0.0], [4.0]])
arrays = a.grad.data, b.grad.data
n = clip_grad_norm([a, b, c], max_norm=10.0)
assert isinstance(n, float), f"the norm comes back as a float, not as a {type(n).__name__}"
assert abs(n - 5) < 1e-6, f"the norm of (3, 0, 0, 4) is 5.0, not {n}; c has no gradient, and counts as none"
np.testing.assert_array_equal(a.grad.data, [3, 0], err_msg="5 is below 10: nothing changes")
n = clip_grad_norm((p for p in [a, b, c]), max_norm=0.5)
assert abs(n - 5) < 1e-6, f"the norm before clipping is 5, not {n}"
np.testing.assert_allclose(a.grad.data, [0.3, 0], rtol=1e-5, err_msg="5 is cut to 0.5, a tenth of each gradient; parameters came once, from a generator")
np.testing.assert_allclose(b.grad.data, [[0], [0.4]], rtol=1e-5, err_msg="the factor is one for all parameters")
assert a.grad.data is arrays[0] and b.grad.data is arrays[1], "in place: the same arrays as before"
for bad in (np.inf, np.nan):
    a.grad = Tensor([bad, 1.0])
    try:
        found = clip_grad_norm([a, b], 1.0, error_if_nonfinite=True)
    except Exception as error:
        found = error
    assert isinstance(found, RuntimeError), f"a gradient of {bad} and error_if_nonfinite: this is a RuntimeError, not {found!r}"
    np.testing.assert_array_equal(a.grad.data, [bad, 1], err_msg="the error must come before anything changes")
try:
    clip_grad_norm([a, b], 1.0)
except RuntimeError as error:
    raise AssertionError("nan, and error_if_nonfinite is False: nobody asked for an error") from error

# %% nbgrader={"grade": true, "grade_id": "clip_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on matrices in columns, on no gradients at all, on a norm of 0, on one of a few millionths, and on nan."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_ps = [Tensor(np.ones(s), requires_grad=True) for s in [(3, 4), (5,), (2, 2)]]
answer(clip_grad_norm(_ps, 1.0), about="no gradients")
for _i, _p in enumerate(_ps[:2]):
    _p.grad = Tensor(np.asfortranarray(np.random.default_rng(_i).standard_normal(_p.shape).astype(np.float32)))
answer([clip_grad_norm(iter(_ps), 2.0), _ps[0].grad, _ps[1].grad], about="in columns, from an iterator", rtol=1e-4)
_ps[2].grad = Tensor([[np.nan, 1.0], [0.0, 0.0]])
answer([raised(clip_grad_norm, _ps, 1.0, error_if_nonfinite=True), _ps[2].grad], about="nan")
answer(np.isnan(clip_grad_norm(_ps, 1.0)), about="nan, and no error wanted")
for _p in _ps:
    _p.grad = Tensor(np.zeros(_p.shape))
answer([clip_grad_norm(_ps, 1.0), _ps[0].grad], about="a norm of 0")
_ps[1].grad = Tensor([3e-6, 0.0, 0.0, 4e-6, 0.0])
answer([clip_grad_norm(_ps, 1e-6), _ps[1].grad], about="a norm of 5 millionths, where the one in the formula is seen", atol=1e-12)
### END HIDDEN TESTS

# %% [markdown]
# ## Use: the digits, seven ways
#
# The same network, the same 600 batches, and every optimizer with a rate that suits it. Which falls fastest at the beginning, and which ends lowest?

# %%
ways = {
    "SGD": (lambda params: SGD(params, lr=0.3), None),
    "momentum": (lambda params: SGD(params, lr=0.05, momentum=0.9), None),
    "Nesterov": (lambda params: SGD(params, lr=0.05, momentum=0.9, nesterov=True), None),
    "RMSprop": (lambda params: RMSprop(params, lr=0.003), None),
    "Adam": (lambda params: Adam(params, lr=0.01), None),
    "AdamW": (lambda params: AdamW(params, lr=0.01, weight_decay=0.1), None),
    "Adam, one cycle": (lambda params: Adam(params), lambda o: OneCycleLR(o, max_lr=0.02, total_steps=600)),
}

# %%
from tinytorch.core.autograd import no_grad

def accuracy(model):
    """The share of the 500 digits it never saw that it gets right."""
    with no_grad():
        return (model(x[1297:]).argmax(1).numpy() == labels[1297:]).mean()

# %%
plt.figure(figsize=(7, 3))
results = {}
for name, (make, schedule) in ways.items():
    model, losses = train(make, schedule)
    results[name] = accuracy(model)
    plt.semilogy(np.convolve(losses, np.ones(20) / 20, "valid"), lw=0.9, label=name)
    print(f"{name:16} loss at the end {losses[-50:].mean():.4f}   of 500 unseen digits {results[name]:.1%}")
plt.legend(fontsize=8, ncols=3)
plt.gca().set(xlabel="step", ylabel="loss, mean of 20")
assert min(results.values()) > 0.88, results

# %% [markdown]
# On digits they all arrive: a small problem forgives. The losses at the end differ by a factor of about ten, the accuracy hardly. A lower loss on what was seen is not yet a better answer on what was not.
#
# And the weights of the white pixels, after Adam and after AdamW:

# %%
white = (x.data[:1297] == 0).all(axis=0)
for name in ("Adam", "AdamW"):
    model, _ = train(*ways[name])
    print(f"{name:6} {np.abs(model.parameters()[0].data[:, white]).mean():.4f}")

# %% [markdown]
# ### Stop, and go on
#
# A run that is stopped after 5 steps and goes on from its saved state must end on the same bits. What would differ if only the weights had been saved?

# %%
g = np.random.default_rng(0).standard_normal((10, 4))
p, q, r = (Tensor(np.ones(4), requires_grad=True) for _ in range(3))
first, second, third = Adam([p]), Adam([q]), Adam([r])

# %%
for t in range(10):
    if t == 5:
        q.data[:] = r.data[:] = p.data  # r: the weights alone
        second.load_state_dict(first.state_dict())
    for tensor, optimizer in [(p, first), (q, second), (r, third)][: 3 if t >= 5 else 1]:
        tensor.grad = Tensor(g[t])
        optimizer.step()

# %%
np.array_equal(p.data, q.data), r.data - p.data, [o.state_dict()["state"][0]["step"] for o in (first, second, third)]

# %% [markdown]
# ## Systems: what an optimizer remembers
#
# Weights take 4 bytes each, and so do gradients. How many bytes more does each optimizer keep for each weight? Count the slots: what `slots` names, an array of the parameter's size each. Write down your numbers for the four rows.

# %%
manual_seed(0)
network = MLP([3072, 512, 256, 10], relu)
params = network.parameters()
weights = sum(p.size for p in params)
for p in params:
    p.grad = Tensor(np.full_like(p.data, 1e-3))

# %%
def twenty_steps(optimizer):
    for _ in range(20):
        optimizer.step()

# %%
kinds = {"SGD": SGD(params), "momentum": SGD(params, momentum=0.9), "RMSprop": RMSprop(params), "Adam": Adam(params)}
for name, optimizer in kinds.items():
    predicted = 4 * len(optimizer.kept(**optimizer.defaults))
    first, then = peak_memory(optimizer.step), peak_memory(twenty_steps, optimizer)
    held = sum(a.nbytes for entry in optimizer.state.values() for a in entry.values() if isinstance(a, np.ndarray))
    print(f"{name:9} {held / weights:.0f} bytes a weight   first step allocates {readable(first, 'B'):>8}, 20 more {readable(then, 'B'):>8}")
    assert held == predicted * weights and then < 100_000

# %% [markdown]
# So with Adam the weights, and what it keeps of them, take three times the memory of the weights alone. The first step makes the state; later steps make nothing that grows.
#
# ### What a step moves
#
# A plain step reads $p$ and $g$ and writes $p$: 12 bytes a weight. Momentum reads $v$ as well and writes it, RMSprop its $s$: 20. Adam reads four arrays and writes three: 28. If memory were the whole story, which factors would you measure?

# %%
steps = {name: optimizer.step for name, optimizer in kinds.items()}
compare(steps, rounds=15)

# %%
for name, moved in [("SGD", 12), ("momentum", 20), ("Adam", 28)]:
    seconds = time_call(kinds[name].step).min
    print(f"{name:9} {readable(seconds, 's'):>8}  {moved * weights / seconds / 1e9:5.1f} GB/s")

# %% [markdown]
# ### As it is written
#
# Adam as the formula stands in the paper, a new array for each operation, beside yours. How many arrays of the size of the weights does it need at once?

# %%
def as_written(p, g, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    m[:] = beta1 * m + (1 - beta1) * g
    v[:] = beta2 * v + (1 - beta2) * g**2
    p[:] = p - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)

# %%
big = Tensor(np.ones(3072 * 512), requires_grad=True)
big.grad = Tensor(np.full(big.shape, 1e-3))
mine, m, v = Adam([big]), np.zeros_like(big.data), np.zeros_like(big.data)

# %%
pair = {"yours": mine.step, "as written": lambda: as_written(big.data, big.grad.data, m, v, 10)}
for name, f in pair.items():
    f()
    print(f"{name:10}  allocates {readable(peak_memory(f), 'B'):>8} beside {readable(big.data.nbytes, 'B')} of weights")

# %%
compare(pair, rounds=15)

# %% [markdown]
# ### The size of a piece
#
# Too small, and Python is called too often. Too large, and a piece has left the cache before its next operation, if your caches are smaller than that. Which
# sizes do as well as any on your machine, and what do the largest of them cost in scratch memory?

# %%
for exponent in (8, 11, 13, 15, 17, 21):
    mine = Adam([big])
    mine.PIECE = 2**exponent
    print(f"2^{exponent:<2} numbers  {readable(4 * 2**exponent, 'B'):>8}  {readable(time_call(mine.step).min, 's'):>8} a step")

# %% [markdown]
# ## Reflect
#
# A language model has 7 billion parameters in float32. State the bytes of weights, of gradients and of state for SGD, momentum and Adam, each from your table's bytes a weight, in GB. Which of the three can be trained on a machine with 96 GB, if
# activations take 10 GB? Then name one of the numbers which a smaller batch would reduce. At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "memory_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# Weights 28 GB and gradients 28 GB, in all cases. State: SGD 0, momentum 28 GB, Adam 56 GB (0, 4 and 8 bytes a weight in the table). With 10 GB of activations: SGD 66 GB, momentum 94 GB, Adam 122 GB: the first two fit into 96 GB. A
# smaller batch reduces the activations, and nothing else.
#
# Rubric: 2 points for weights and gradients of 28 GB each; 2 for the states 0, 28, 56 GB; 2 for the sums and that SGD and momentum fit; 1 for the activations.

# %% [markdown]
# Leave both bias corrections of Adam out. With the default betas and a constant gradient: is the first step too long or too short, and by which factor? Which step is the worst, and from which on is the error below 5 % for good? Derive
# the formula, give the three numbers, and check one of them with a run of your own (change a copy of your class). At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "correction_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# After t steps m is (1 - 0.9^t) g and v is (1 - 0.999^t) g², so the step is (1 - 0.9^t) / sqrt(1 - 0.999^t) of the rate. t = 1: 0.1 / sqrt(0.001) = 3.16 times too long. Worst is t = 12, 6.57 times too long: m is nearly there, and v is not. Below
# 1.05 where 0.999^t < 1 - 1/1.05² = 0.093, from t = 2375 on. A run with lr = 0.01 and gradient 1 gave a first step of 0.0316.
#
# Rubric: 2 points for the factor as a formula; 1 each for 3.16 and too long, for a worst step of 12 (10 to 15), and for about 2375 (2370 to 2380); 1 for the check by a run.

# %% [markdown]
# Take your two tables of times. By bytes moved, a step of Adam should take 28/12 of a plain step. What did you measure, in which direction is it off, and what does the table of piece sizes say about the reason? Then: a training step of this network with a batch of 128 makes about
# $6 \cdot 128 \cdot 1.7$ million operations in matrix products. At the GFLOP/s which you measured in module 01, which share of the step is Adam's? At most six sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "time_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# Measured 2.5 ms for Adam and 0.6 ms for SGD, a factor of 4.2 in place of 2.3. Adam makes twelve passes over each piece and SGD two, and the passes cost time even in the cache: with pieces of 2^21 numbers it is hardly slower than with 2^15, so
# memory alone does not decide here. The products make 1.3 GFLOP, at 100 GFLOP/s 13 ms, so Adam's 2.5 ms are 16 % of the step.
#
# Rubric: 2 points for the own factor beside 2.3; 2 for a reason that fits the own table of pieces (operations in the cache, square roots and divisions, or traffic if large pieces are clearly slower); 2 for the time of the products from the own
# GFLOP/s; 1 for the share.

# %% [markdown]
# ## Summary
#
# Plain descent, momentum, Nesterov, RMSprop, Adam, AdamW; rates that follow a schedule; gradients that cannot explode; all in place. What is missing is the loop around them: losses with names, validation, saving, stopping early. Module 11
# builds it, and trains on CIFAR-10 with these optimizers.
