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
#     title: Layers
#     part: Foundations
#     hours: 4
#     goals:
#     - start the weights of a deep network so that its activations neither explode nor vanish, and explain the scale by variances
#     - build a linear layer with the weight layout and the names of PyTorch
#     - find every parameter in a tree of layers, each once, and save and load them with helpful errors
#     - count the operations of a matrix product, and measure the effect of the interpreter, the memory order and BLAS
# ---

# %% [markdown]
# # Layers
#
# > Parameters, and layers that hold them: started at the right scale, found, saved.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace:
# the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(4)

# %% [markdown]
# ## Why
#
# A deep network is made of matrices and nonlinearities, and we have both. Send the
# 1,797 handwritten digits through fifty layers of random weights, each with 256
# outputs. What is the largest output? Read the warnings.

# %%
import numpy as np

from tinytorch.core.activations import relu
from tinytorch.core.tensor import Tensor, randn
from tinytorch.datasets import load_digits

images, labels = load_digits()
pixels = Tensor(images.reshape(-1, 64) / 16)  # (1797, 64), 0 to 1

# %%
x = pixels
for _ in range(50):
    x = relu(x @ randn(x.shape[1], 256))
x.max()

# %% [markdown]
# The numbers exploded, past the largest float32 to infinity, and infinity minus
# infinity is nan. So a layer needs two things. The first is to *start at the right
# scale*. The second is bookkeeping: fifty layers hold a hundred arrays, and a program
# has to find all of them, change them, save them, and load them into the right places.

# %%
#| default_exp core.layers

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import math
import threading
from collections.abc import Iterator
from types import FunctionType

import numpy as np

from tinytorch.core.activations import Activation
from tinytorch.core.tensor import (
    Op, Tensor, _note_write, _written, apply, default_generator, rand, randn,
)

# %% [markdown]
# What only this notebook needs:

# %% nbgrader={"grade": false, "grade_id": "helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
from tinytorch.core.activations import ReLU, relu, tanh
from tinytorch.core.setup import peak_memory, readable
from tinytorch.core.tensor import manual_seed, recipe

# %%
import matplotlib.pyplot as plt

# %% [markdown]
# ## 1. One layer is one product
#
# A unit adds up its inputs, each times a weight. Many units on many images are a matrix
# product: $n$ rows of $k$ inputs, $m$ units.
#
# $$c_{ij} = \sum_{p} a_{ip}\, b_{pj}$$
#
# A network spends most of its time here, so build it once from its parts. `c` starts as
# zeros of shape $(n, m)$. Write three loops, one inside the other, with one product of
# two numbers inside, and without `@`. `a` and `b` must not change. Four lines. At the
# end of the module we measure what the loops cost.

# %% nbgrader={"grade": false, "grade_id": "naive_matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def naive_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b by three loops: (n, k) @ (k, m) -> (n, m)."""
    (n, k), m = a.shape, b.shape[1]
    c = np.zeros((n, m), np.result_type(a, b))
    ### BEGIN SOLUTION
    for i in range(n):
        for j in range(m):
            for p in range(k):
                c[i, j] += a[i, p] * b[p, j]
    ### END SOLUTION
    return c

# %% [markdown]
# How many multiplications and additions together did this take: for (2, 3) times (3,
# 4), and for (n, k) times (k, m)?

# %%
naive_matmul(np.ones((2, 3)), np.arange(12).reshape(3, 4))

# %% nbgrader={"grade": true, "grade_id": "naive_matmul_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""naive_matmul is NumPy's product, by loops, and changes neither input."""
rng = np.random.default_rng(0)
a, b = rng.standard_normal((2, 3)), rng.standard_normal((3, 5))
before = a.copy(), b.copy()
c = naive_matmul(a, b)

assert c.shape == (2, 5), f"(2, 3) times (3, 5) has shape (2, 5), not {c.shape}"
np.testing.assert_allclose(
    c, a @ b, rtol=1e-10, err_msg="The product of a (2, 3) and a (3, 5) is wrong.")
np.testing.assert_array_equal(
    naive_matmul(np.eye(2), a), a, err_msg="The identity times a must be a.")
assert (a == before[0]).all() and (b == before[1]).all(), "an input was changed"

class Numbers(np.ndarray):
    def __array_ufunc__(self, ufunc, *args, **options):
        raise AssertionError(f"{ufunc.__name__} of whole rows: multiply single numbers")
    def __array_function__(self, function, *args):
        if function is np.result_type:
            return super().__array_function__(function, *args)
        raise AssertionError(f"{function.__name__} of a row: multiply single numbers")
    def dot(self, other):
        raise AssertionError("dot of a row: multiply single numbers")

c = naive_matmul(a.view(Numbers), b.view(Numbers))

# %% nbgrader={"grade": true, "grade_id": "naive_matmul_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a row times a column, on a column times a row, and on float32."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_a = np.random.default_rng(1).standard_normal((1, 4)).astype(np.float32)
answer(naive_matmul(_a, _a.T), about="a row times a column")
answer(naive_matmul(_a.T, 2 * _a), about="a column times a row")
answer(str(naive_matmul(_a, _a.T).dtype), about="the dtype of float32 times float32")
### END HIDDEN TESTS

# %% [markdown]
# Each of the $nm$ sums has $k$ products and, starting from 0, $k$ additions: $2nkm$
# floating-point operations, or FLOPs. Keep this formula. It counts most of the work of
# every network.
#
# ## 2. The right scale
#
# ### Too large, too small
#
# Normal weights with three standard deviations, through 50 layers with ReLU, on the
# digits. The plot shows the standard deviation of the 256 units after each layer, on a
# logarithmic axis.
# Which shape will the curves have? Which of the three will be nearly level?

# %%
def spreads(start, activation=relu, depth=50, width=256):
    """The standard deviation after each layer; start(shape) makes the weights."""
    x, found = pixels, []
    for _ in range(depth):
        x = activation(x @ start((width, x.shape[1])).T)
        found.append(x.data.std(dtype=float))
    return found

# %%
def draw(curves):
    for name, curve in curves.items():
        plt.semilogy(range(1, len(curve) + 1), curve, label=name)
    plt.gca().set(xlabel="layer", ylabel="standard deviation of the units")
    plt.legend()

# %%
manual_seed(0)
draw({"weights of 0.05": spreads(lambda shape: 0.05 * randn(shape)),
      "weights of 0.0884": spreads(lambda shape: 0.0884 * randn(shape)),
      "weights of 0.2": spreads(lambda shape: 0.2 * randn(shape))})

# %% [markdown]
# Straight lines: each layer multiplies by about the same factor. Above 1 the
# activations explode, below 1 they vanish. Over fifty layers only a factor very near 1
# will do.

# %% [markdown]
# ### Counting the inputs
#
# A unit that adds up more inputs gets a larger sum. So the scale has to depend on the
# **fan-in**: how many numbers enter one output. The **fan-out** is how many outputs one
# input enters.
#
# Weights have shape (out, in), as in PyTorch, one *row* for each output. In a
# convolution (module 06) they have shape (out, in, height, width). There an output sees
# `in` channels through a window of height × width, and an input is seen by `out`
# channels through such a window. So all sizes from the third on multiply both fans.

# %% [markdown]
# Write `fans`: two lines. `math.prod(())` is 1.

# %% nbgrader={"grade": false, "grade_id": "fans", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def fans(shape: tuple) -> tuple[int, int]:
    """(fan_in, fan_out) of weights (out, in) or (out, in, *window)."""
    ### BEGIN SOLUTION
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window
    ### END SOLUTION

# %% [markdown]
# What is the fan-in of a layer from 784 pixels to 10 digits? And of a 3×3 convolution
# from 3 colours to 16 channels?

# %%
fans((10, 784)), fans((16, 3, 3, 3))

# %% nbgrader={"grade": true, "grade_id": "fans_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""fans gives (fan_in, fan_out): the second and the first size, times the window."""
for shape, wanted, why in [
    ((8, 5), (5, 8), "5 inputs and 8 outputs"),
    ((16, 3, 5, 7), (105, 560), "3 · 5 · 7 numbers in and 16 · 5 · 7 out"),
    ((8, 5, 3), (15, 24), "a window of one axis, 5 · 3 in and 8 · 3 out"),
]:
    found = tuple(fans(shape))
    assert found == wanted, f"weights {shape} have {why}: fans {wanted}, not {found}"

# %% nbgrader={"grade": true, "grade_id": "fans_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on windows of one and of three dimensions."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(list(fans((4, 6, 3))), about="weights (4, 6, 3)")
answer(list(fans((2, 3, 4, 5, 6))), about="weights (2, 3, 4, 5, 6)")
### END HIDDEN TESTS

# %% [markdown]
# ### The factor that is 1
#
# Let the weights of a unit be independent, with mean 0 and variance $\sigma^2$. Its sum
# $s = \sum_i w_i x_i$ over $f$ inputs ($f$ is the fan-in) then has mean 0 and
#
# $$\mathrm{mean}(s^2) = f\, \sigma^2\, \mathrm{mean}(x^2)$$
#
# ReLU sets half of the sums to 0, and so halves the mean square. A LeakyReLU with slope
# $a$ keeps $a^2$ of that half, so its factor is $(1 + a^2)/2$. The curve is level where
# both factors together are 1:
#
# $$f\, \sigma^2 \cdot \frac{1 + a^2}{2} = 1$$

# %% [markdown]
# Solve this for the standard deviation $\sigma$. The result is the start of Kaiming He
# and others (2015), which PyTorch calls by his first name. Write it with your `fans`,
# and with normal numbers from `randn(shape, generator=generator)`, whose standard
# deviation is 1. The weights are float32. Two lines.

# %% nbgrader={"grade": false, "grade_id": "kaiming_normal", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def kaiming_normal(shape: tuple, a: float = 0.0, generator=default_generator) -> Tensor:
    """Normal weights that keep the scale through a LeakyReLU of slope a (He 2015)."""
    ### BEGIN SOLUTION
    fan_in, _ = fans(shape)
    std = math.sqrt(2 / ((1 + a * a) * fan_in))
    return randn(shape, generator=generator) * std
    ### END SOLUTION

# %% [markdown]
# For 256 inputs and a ReLU, which standard deviation should come out? You saw it above.

# %%
kaiming_normal((256, 256)).data.std()

# %% [markdown]
# A slope $a$ on the left lets more through, so the weights become smaller. By which
# factor for $a = \sqrt 5$?

# %%
kaiming_normal((256, 256), a=5**0.5).data.std()

# %% [markdown]
# And through fifty layers: Kaiming's start, twice that, and half of it.

# %%
draw({"Kaiming": spreads(kaiming_normal),
      "twice": spreads(lambda shape: 2 * kaiming_normal(shape)),
      "half": spreads(lambda shape: 0.5 * kaiming_normal(shape))})

# %% nbgrader={"grade": true, "grade_id": "kaiming_normal_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""kaiming_normal is normal, has the standard deviation of the formula, draws from the
generator it is given, and keeps the scale through ReLU."""
def weights(shape, a=0.0):
    return kaiming_normal(shape, a, generator=np.random.default_rng(0))

w = weights((400, 100))
assert type(w) is Tensor, f"a Tensor is wanted, not {type(w).__name__}"
assert w.shape == (400, 100), f"the shape is (400, 100), not {w.shape}"
assert w.dtype == np.float32, f"weights are float32, not {w.dtype}"
for shape, a, wanted, why in [
    ((400, 100), 0, 2 / 100, "100 inputs, a = 0: sqrt(2 / 100)"),
    ((400, 100), 2, 2 / 500, "100 inputs, a = 2: sqrt(2 / (5 · 100))"),
    ((64, 8, 5, 5), 0, 2 / 200, "8 · 5 · 5 inputs: sqrt(2 / 200)"),
]:
    std, wanted = weights(shape, a).data.std(), math.sqrt(wanted)
    assert abs(std / wanted - 1) < 0.02, f"{why} = {wanted:.4f} is right, not {std:.4f}"
assert (weights((400, 100)).data == w.data).all(), (
    "the same seed must give the same weights: pass the generator on")
far = np.abs(w.data).max() / w.data.std()
assert far > 3, f"normal numbers exceed 3 standard deviations; here {far:.2f}"
x = randn(1000, 100, generator=np.random.default_rng(1))
ratio = float((relu(x @ w.T) ** 2).mean() / (x**2).mean())
assert 0.9 < ratio < 1.1, f"a layer with ReLU multiplied the mean square by {ratio:.2f}"

# %% nbgrader={"grade": true, "grade_id": "kaiming_normal_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on the weights of a convolution, with a slope a, and on whether the
numbers are normal."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_w = kaiming_normal((64, 8, 5, 5), generator=np.random.default_rng(2)).data
answer(float(_w.std()), about="the standard deviation for (64, 8, 5, 5)", rtol=0.02)
_steep = kaiming_normal((300, 200), 2.0, np.random.default_rng(3)).data
answer(float(_steep.std()), about="the standard deviation with a = 2", rtol=0.02)
_far = bool(np.abs(_w).max() > 3 * _w.std())
answer(_far, about="are there numbers beyond three standard deviations?")
### END HIDDEN TESTS

# %% [markdown]
# ### Between two bounds
#
# Many networks start from numbers spread evenly over $[-b, b]$, without outliers. Their
# variance is the mean of $t^2$ over that interval:
#
# $$\sigma^2 = \frac{1}{2b} \int_{-b}^{b} t^2\, dt = \frac{b^2}{3}$$
#
# `uniform` is given.

# %% nbgrader={"grade": false, "grade_id": "uniform", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def uniform(shape: tuple, bound: float, generator=default_generator) -> Tensor:
    """Evenly between -bound and bound; the standard deviation is bound / sqrt(3)."""
    return (2 * rand(shape, generator=generator) - 1) * bound

# %% [markdown]
# Which bound gives the standard deviation of `kaiming_normal`? Write `kaiming_uniform`
# with `uniform`, and pass the generator on. One or two lines.

# %% nbgrader={"grade": false, "grade_id": "kaiming_uniform", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def kaiming_uniform(
    shape: tuple, a: float = 0.0, generator=default_generator
) -> Tensor:
    """Evenly between two bounds, with the standard deviation of kaiming_normal."""
    ### BEGIN SOLUTION
    fan_in, _ = fans(shape)
    return uniform(shape, math.sqrt(6 / ((1 + a * a) * fan_in)), generator)
    ### END SOLUTION

# %%
w = kaiming_uniform((256, 256)).data
w.std(), w.max()

# %% nbgrader={"grade": true, "grade_id": "kaiming_uniform_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""kaiming_uniform has kaiming_normal's standard deviation, fills its interval evenly,
and draws from the generator it is given."""
def weights(shape, a=0.0):
    return kaiming_uniform(shape, a, generator=np.random.default_rng(0)).data

w = weights((400, 100))
assert w.dtype == np.float32, f"weights are float32, not {w.dtype}"
assert (weights((400, 100)) == w).all(), (
    "the same seed must give the same weights: pass the generator on")
for shape, a, variance, why in [
    ((400, 100), 0, 2 / 100, "100 inputs, a = 0"),
    ((400, 100), 2, 2 / 500, "100 inputs, a = 2"),
    ((64, 8, 5, 5), 0, 2 / 200, "8 · 5 · 5 inputs, a = 0"),
]:
    w, std = weights(shape, a), math.sqrt(variance)
    assert abs(w.std() / std - 1) < 0.02, (
        f"{why}: the standard deviation is {std:.4f}, not {w.std():.4f}")
    bounds = np.array([w.min(), w.max()]) / (std * math.sqrt(3))
    assert np.allclose(bounds, [-1, 1], rtol=0.01), (
        f"{why}: the weights lie between -{std * 3**0.5:.4f} and {std * 3**0.5:.4f}, "
        f"not {w.min():.4f} and {w.max():.4f}")

# %% nbgrader={"grade": true, "grade_id": "kaiming_uniform_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on the weights of a convolution, with a slope a, and on quartiles."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_w = kaiming_uniform((64, 8, 5, 5), generator=np.random.default_rng(2)).data
_quartiles = np.quantile(_w, [0, 0.25, 0.75, 1])
answer(_quartiles, about="the quartiles for (64, 8, 5, 5)", rtol=0.03)
_steep = kaiming_uniform((300, 200), 2.0, np.random.default_rng(3)).data
answer(float(_steep.max()), about="the bound with a = 2", rtol=0.02)
### END HIDDEN TESTS

# %% [markdown]
# ### For tanh: from both sides
#
# Near 0 the tanh is a straight line, so nothing is halved: forward,
# $\sigma^2 = 1/\text{fan-in}$ keeps the scale. In module 09 the gradients go backward
# through the same weights, where $1/\text{fan-out}$ keeps the scale. Glorot and Bengio
# (2010; PyTorch says Xavier) take a middle, and a factor `gain` for other activations:
#
# $$\sigma = \text{gain} \cdot \sqrt{\frac{2}{\text{fan-in} + \text{fan-out}}}$$
#
# Write it, again evenly between two bounds, and pass the generator on. One or two
# lines.

# %% nbgrader={"grade": false, "grade_id": "xavier_uniform", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def xavier_uniform(
    shape: tuple, gain: float = 1.0, generator=default_generator
) -> Tensor:
    """Evenly, the standard deviation is gain · sqrt(2 / (fan_in + fan_out))."""
    ### BEGIN SOLUTION
    return uniform(shape, gain * math.sqrt(6 / sum(fans(shape))), generator)
    ### END SOLUTION

# %% [markdown]
# The outputs of tanh cannot explode: they lie between -1 and 1. So what goes wrong with
# weights of 0.2, whose curve looks so healthy?

# %%
draw({"Xavier": spreads(xavier_uniform, tanh),
      "Kaiming": spreads(kaiming_uniform, tanh),
      "weights of 0.2": spreads(lambda shape: 0.2 * randn(shape), tanh),
      "weights of 0.03": spreads(lambda shape: 0.03 * randn(shape), tanh)})

# %%
x = pixels
for _ in range(50):
    x = tanh(x @ (0.2 * randn(256, x.shape[1])).T)
plt.hist(x.data.ravel(), bins=60)
plt.gca().set(title="after 50 layers, weights of 0.2", xlabel="value", ylabel="units");

# %% [markdown]
# Most of them lie where the slope of tanh is nearly 0. There the gradient vanishes
# (module 03). So the scale has to suit both directions.

# %% nbgrader={"grade": true, "grade_id": "xavier_uniform_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""xavier_uniform has the standard deviation of the formula, in both directions, times
the gain, from the generator it is given."""
def weights(shape, gain=1.0):
    return xavier_uniform(shape, gain, generator=np.random.default_rng(0)).data

for shape in [(400, 100), (100, 400), (30, 10, 5, 5)]:
    w, std = weights(shape), math.sqrt(2 / sum(fans(shape)))
    assert abs(w.std() / std - 1) < 0.03, (
        f"{shape}: the standard deviation is {std:.4f}, not {w.std():.4f}")
    bound = std * math.sqrt(3)
    assert abs(w.max() / bound - 1) < 0.01, (
        f"{shape}: the largest weight is about {bound:.4f}, not {w.max():.4f}")
assert (weights(shape) == w).all(), (
    "the same seed must give the same weights: pass the generator on")
loud = weights(shape, gain=3.0)
ratio = loud.std() / w.std()
assert np.allclose(loud, 3 * w), (
    f"gain 3 and the same seed must give 3 times the weights, not {ratio:.4g} times")
assert loud.dtype == np.float32, f"weights are float32, not {loud.dtype}"

# %% nbgrader={"grade": true, "grade_id": "xavier_uniform_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a wide and on a narrow layer, with a gain, and on the lower bound."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_w = xavier_uniform((500, 20), 5 / 3, np.random.default_rng(4)).data
answer(float(_w.std()), about="the standard deviation for (500, 20)", rtol=0.03)
_w = xavier_uniform((20, 900), generator=np.random.default_rng(5)).data
answer(float(_w.min()), about="the lower bound for (20, 900)", rtol=0.02)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. A layer
#
# Now the object. A **parameter** is a tensor that is learned: it requires a gradient,
# and no operation made it. `assign` overwrites its numbers in place. A **buffer** is
# saved and loaded like a parameter, but not learned: a layer of module 06 counts in one
# how often it was called.

# %% nbgrader={"grade": false, "grade_id": "parameter", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Parameter(Tensor):
    """A tensor that a layer learns: it requires a gradient, no operation made it."""
    __slots__ = ()

    def __init__(self, data):
        super().__init__(data, requires_grad=True)

    def assign(self, array) -> None:
        """Overwrite the numbers, and note that recipes with the old are outdated."""
        self.data[...] = array
        _note_write(self)


class Buffer(Tensor):
    """A tensor that a layer keeps with its parameters, but does not learn."""
    __slots__ = ()
    assign = Parameter.assign

# %%
Parameter([1.0, 2.0]), Parameter(2 * Parameter([1.0, 2.0]))

# %%
p = Parameter([1.0, 2.0])
p.assign([3, 4])
p

# %% [markdown]
# A **layer** is called like a function, and has parameters among its attributes. A
# subclass need not call an `__init__` of `Layer`. As with Tensor in module 02, methods
# are added section by section: `_in_layer` puts the methods of a class into `Layer`.

# %% nbgrader={"grade": false, "grade_id": "layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Layer:
    """Called like a function, with parameters of its own; see `forward`."""

    def __call__(self, *inputs, **options): return self.forward(*inputs, **options)
    def forward(self, *inputs: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}.forward is not written yet")


def _in_layer(body: type) -> None:
    """Decorator: add the methods of the class below to Layer."""
    for name, value in vars(body).items():
        if callable(value) or isinstance(value, property):
            setattr(Layer, name, value)

# %% tags=["raises-exception"]
Layer()(Tensor([1.0]))

# %% [markdown]
# `Linear` multiplies by its weights and adds a bias:
#
# $$y = x\,W^{\mathsf T} + b$$
#
# with $x$ of shape (n, in), $W$ (out, in), $b$ (out,), $y$ (n, out). In tensor
# operations this is one line. What does its result remember? And how many arrays of its
# size are made on the way? A product of (500, 3) and (3, 100) in float32 has 200 kB.

# %%
x, w, b = randn(500, 3), Parameter(randn(100, 3)), Parameter(randn(100))
[type(t.origin[0]).__name__ for t in recipe(x @ w.T + b) if t.origin]

# %%
readable(peak_memory(lambda: x @ w.T + b), "B")

# %% [markdown]
# One layer makes three ops, and each has to be remembered. And `+` reads the product
# and writes a second array of the same size. A small network would spend its time on
# the first, a large one on the second. So this layer is an op of its own. Its `forward`
# gets *arrays*, as that of `Mul` did.

# %% [markdown]
# `x` may have any number of axes before the last, or none. The given lines check the
# shapes, put all rows of `x` into one matrix (one large product is faster than many
# small ones), save, and restore the axes at the end.
#
# You compute `y`, of shape (rows, out): the product of `rows`, not of `x`, and, if
# `bias` is not `None`, the bias, added *in place* with `y += ...`. Nothing else uses
# this new array yet. The inputs must not change, and `y` has their dtype. Three lines.

# %% nbgrader={"grade": false, "grade_id": "linear_op", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class LinearOp(Op):
    """x @ weight.T + bias: (*, in), (out, in), (out,) -> (*, out).

    Saves the rows of x, the weight, and whether there is a bias.
    """
    def forward(self, x, weight, bias=None):
        if x.shape[-1:] != weight.shape[1:]:
            raise ValueError(
                f"cannot multiply {x.shape} by {weight.T.shape}: "
                f"the last axis of x must have size {weight.shape[1]}")
        if bias is not None and bias.shape != weight.shape[:1]:
            raise ValueError(
                f"cannot add a bias of shape {bias.shape}: "
                f"weights {weight.shape} take {weight.shape[:1]}")
        rows = x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        self.saved = (rows, weight, bias is not None)
        ### BEGIN SOLUTION
        y = rows @ weight.T
        if bias is not None:
            y += bias
        ### END SOLUTION
        return y if x.ndim == 2 else y.reshape(*x.shape[:-1], len(weight))

    def flops(self, y, x, weight, bias=None) -> int:
        """A product, and one addition for each number: module 05 counts with it."""
        return 2 * y.size * weight.shape[1] + (bias is not None) * y.size

# %% [markdown]
# The same numbers, in how many bytes?

# %%
y = LinearOp().forward(x.data, w.data, b.data)
np.abs(y - (x @ w.T + b).data).max()

# %%
readable(peak_memory(LinearOp().forward, x.data, w.data, b.data), "B")

# %% tags=["raises-exception"]
LinearOp().forward(np.ones((2, 5)), np.ones((4, 3)))

# %% nbgrader={"grade": true, "grade_id": "linear_op_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""LinearOp computes x @ W.T + b with arrays, on any number of axes, also without a
bias, in one array, and leaves its inputs alone."""
def array(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape, dtype=np.float32)

x, w, b = array(3, 3), array(3, 3) + 1, array(3)
before = [a.copy() for a in (x, w, b)]
y = LinearOp().forward(x, w, b)
assert type(y) is np.ndarray, f"an op makes arrays, not {type(y).__name__}"
assert y.dtype == np.float32, f"float32 in, {y.dtype} out"
for name, a, old in zip(["x", "weight", "bias"], (x, w, b), before, strict=True):
    assert (a == old).all(), f"forward wrote into {name}: write into the product only"
np.testing.assert_allclose(
    y, np.einsum("ni,oi->no", x, w) + b, rtol=1e-4, atol=1e-6,
    err_msg="y[n, o] must be row n of x times row o of W, plus b[o].")
class Batch(np.ndarray):
    def __matmul__(self, weights):
        assert self.ndim == 2, f"multiply `rows`, one matrix, not {self.ndim} axes of x"
        return np.asarray(self) @ weights

x, w = array(2, 5, 3), array(4, 3)
try:
    y = LinearOp().forward(x.view(Batch), w)
except TypeError as error:
    raise AssertionError(f"bias may be None: then add nothing ({error})") from None
assert y.shape == (2, 5, 4), f"(2, 5, 3) @ (3, 4) has shape (2, 5, 4), not {y.shape}"
np.testing.assert_allclose(
    y, np.einsum("abi,oi->abo", x, w), rtol=1e-4, atol=1e-6,
    err_msg="Where bias is None, nothing must be added to x @ W.T.")
held = peak_memory(LinearOp().forward, array(500, 3), array(100, 3), array(100))
assert held < 300_000, (
    f"the result has 200 kB, but {readable(held, 'B')} were used: add in place")

# %% nbgrader={"grade": true, "grade_id": "linear_op_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on one row without a batch, on five axes, on an empty batch, on dtypes,
and on what a result of apply remembers."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_rng = np.random.default_rng(6)
_w = _rng.standard_normal((3, 4), dtype=np.float32)
_b = _rng.standard_normal(3, dtype=np.float32)
_kept = _w.copy(), _b.copy()
for _shape in [(4,), (2, 1, 2, 3, 4), (0, 4), (2, 0, 4)]:
    _x = _rng.standard_normal(_shape, dtype=np.float32)
    _both = [LinearOp().forward(_x, _w, _b), LinearOp().forward(_x, _w)]
    answer(_both, about=f"an input of shape {_shape}, with a bias and without")
_x = _rng.standard_normal((4, 7))
_y = LinearOp().forward(_x.T, _w.astype(float), _b.astype(float))
answer(_y, about="a transposed input in float64")
_problem = raised(LinearOp().forward, np.ones((2, 5)), _w, _b)
answer(_problem, about="five inputs where there should be four")
_same = [bool((_w == _kept[0]).all()), bool((_b == _kept[1]).all())]
answer(_same, about="do W and b stay?")
_in = Tensor(np.ones((2, 4))), Parameter(_w), Parameter(_b)
_y = apply(LinearOp(), *_in)
_known = [any(t is p for t in recipe(_y)) for p in _in]
answer([_y, _known], about="what a result remembers")
### END HIDDEN TESTS

# %% [markdown]
# The layer holds the parameters, makes float32 of any input that is not a tensor of
# floats, and calls `apply`. Its start is PyTorch's: `kaiming_uniform` with
# $a = \sqrt 5$, which makes the bound $1/\sqrt{\text{in}}$. With `bias=False`,
# `self.bias` is `None`.

# %% nbgrader={"grade": false, "grade_id": "linear", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Linear(Layer):
    """Each output is a weighted sum of all inputs; the weights have shape (out, in)."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True):
        self.in_features, self.out_features = in_features, out_features
        shape, bound = (out_features, in_features), 0.0
        if in_features:
            self.weight = Parameter(kaiming_uniform(shape, a=math.sqrt(5)))
            bound = 1 / math.sqrt(in_features)
        else:
            self.weight = Parameter(rand(shape))  # no inputs: no numbers to start
        self.bias = Parameter(uniform((out_features,), bound)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """x @ W.T + b: (*, in) -> (*, out)."""
        if not isinstance(x, Tensor) or x.data.dtype.kind != "f":
            x = Tensor(x).astype(np.float32)
        if self.bias is None:
            return apply(LinearOp(), x, self.weight)
        return apply(LinearOp(), x, self.weight, self.bias)

    def extra_repr(self) -> str:
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"

# %% [markdown]
# A batch of 2 sequences of 5 tokens, with 3 numbers each. Which shape comes out?

# %%
layer = Linear(3, 4)
layer(randn(2, 5, 3)).shape, layer.weight.shape, layer.bias.shape

# %% [markdown]
# And what does the result remember now? Find the two parameters.

# %%
op, inputs = layer(randn(2, 3)).origin
type(op).__name__, [(type(t).__name__, t.shape) for t in inputs]

# %% [markdown]
# Back to the fifty layers, with PyTorch's start of every `Linear`. Its standard
# deviation is $1/\sqrt{3 f}$; ReLU needs $\sqrt{2/f}$. By which factor does each layer
# shrink its input? Write it down before you run the cell.

# %%
def default(shape):
    return Linear(shape[1], shape[0], bias=False).weight.detach()

curve = spreads(default)
draw({"Kaiming": spreads(kaiming_normal), "PyTorch's default": curve})
(curve[-1] / curve[9]) ** (1 / 40), math.sqrt(1 / 6)

# %% [markdown]
# In a small network of three or four layers this does no harm. For fifty you choose the
# start yourself.
#
# ## 4. The tree
#
# The attributes of a network are layers, alone or in lists, and their attributes may be
# layers again. Given is `members`: what a layer holds *itself*, in the order of
# definition, each with its name. Activations and plain functions count too, for the
# printed tree. You need not read the next cell.

# %% nbgrader={"grade": false, "grade_id": "members", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _found(name: str, value) -> Iterator:
    """(name, value) for a tensor of the layer, a layer or a function, also in lists."""
    if isinstance(value, (Parameter, Buffer, Layer, Activation, FunctionType)):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _found(f"{name}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield from _found(f"{name}.{position}", item)


@_in_layer
class _Members:
    def members(self) -> list[tuple]:
        """(name, member) for all tensors, layers, functions of this layer itself."""
        found = []
        for name, value in vars(self).items():
            found += _found(name, value)
        return found

# %% [markdown]
# Two layers to look at. A `Block` holds a layer and an activation; a `Tower` holds
# blocks in a list, and one `Linear` under two names.

# %% nbgrader={"grade": false, "grade_id": "tower", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Block(Layer):
    def __init__(self, size: int):
        self.linear, self.activation = Linear(size, size), ReLU()

    def forward(self, x):
        return self.activation(self.linear(x))


class Tower(Layer):
    def __init__(self, size: int, height: int):
        self.blocks = [Block(size) for _ in range(height)]
        self.scores = Linear(size, 10)
        self.again = self.scores

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.scores(x)

# %%
tower = Tower(64, 2)
[name for name, _ in tower.members()], [name for name, _ in tower.blocks[0].members()]

# %% [markdown]
# The tower has four members, and none of them is a parameter. Write the walk through
# the tree: for each `(name, member)` of `self.members()` that was not seen before
#
# - note `id(member)` in the set `seen` (`==` of a tensor compares numbers; `id` tells
#   which object it is);
# - yield the pair `(prefix + name, member)`;
# - if the member is a `Layer`, go on inside it at once: `yield from` its own
#   `named_members`, with its name and a dot added to the prefix, and the same `seen`.
#
# So a shared layer appears once, under its first name, and a layer that holds its own
# parent ends the walk instead of running for ever. Five lines.

# %% nbgrader={"grade": false, "grade_id": "named_members", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_layer
class _Tree:
    def named_members(self, prefix: str = "", seen: set | None = None) -> Iterator:
        """(name, member) for all below this layer, each once, a parent first."""
        seen = {id(self)} if seen is None else seen
        ### BEGIN SOLUTION
        for name, member in self.members():
            if id(member) not in seen:
                seen.add(id(member))
                yield prefix + name, member
                if isinstance(member, Layer):
                    yield from member.named_members(f"{prefix}{name}.", seen)
        ### END SOLUTION

# %% [markdown]
# The rest is selection. The names are PyTorch's: the path of attributes and positions,
# with dots.

# %% nbgrader={"grade": false, "grade_id": "parameters", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_layer
class _Parameters:
    def named_parameters(self) -> list[tuple[str, Parameter]]:
        """(name, parameter) for all parameters of the tree, each once: "0.weight"."""
        return [pair for pair in self.named_members() if isinstance(pair[1], Parameter)]

    def parameters(self) -> list[Parameter]:
        """All parameters of the tree, each once."""
        return [parameter for _, parameter in self.named_parameters()]

# %% [markdown]
# `tower` holds three linear layers, one of them twice. How many names will there be,
# and which is the third?

# %%
[name for name, _ in tower.named_parameters()]

# %% [markdown]
# How many numbers does it learn? Two layers of 64 · 64 + 64, one of 64 · 10 + 10:

# %%
sum(parameter.size for parameter in tower.parameters())

# %% nbgrader={"grade": true, "grade_id": "named_members_check", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
"""named_members walks the whole tree in order, with PyTorch's names, and yields each
member once."""
small = Tower(4, 2)
found = list(small.named_members())
assert all(isinstance(pair, tuple) for pair in found), f"yield pairs, not {found[0]!r}"
names = [name for name, _ in found]

block = ["", ".linear", ".linear.weight", ".linear.bias", ".activation"]
wanted = ["blocks.0" + name for name in block] + ["blocks.1" + name for name in block]
wanted += ["scores", "scores.weight", "scores.bias"]
for i, name in enumerate(wanted):
    got = names[i] if i < len(names) else "nothing"
    assert got == name, f"name {i} must be {name}, not {got}"
assert len(names) == len(wanted), f"these names are too many: {names[len(wanted):]}"
assert found[1][1] is small.blocks[0].linear, "yield the member itself, not a copy"
count = sum(parameter.size for parameter in small.parameters())
assert count == 90, f"two blocks and one Linear(4, 10) have 90 numbers, not {count}"
small.blocks[1].linear = small.blocks[0].linear
names = [name for name, _ in small.named_members()]
assert not [n for n in names if n.startswith("blocks.1.linear")], (
    f"one layer in two blocks appears once, under its first name: {names}")
small.blocks[1].top = small
assert len(list(small.named_members())) == len(names), (
    "the tower inside its own block was walked again: pass the same seen on")

# %% nbgrader={"grade": true, "grade_id": "named_members_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on lists in lists and a dict, on one parameter in two layers, on a
prefix, and twice in a row."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_net, _net.parts = Layer(), None
_net.parts = {"a": [Linear(2, 3, bias=False), (Linear(3, 2), ReLU())], "b": Tower(2, 1)}
_net.parts["b"].scores.weight = _net.parts["a"][0].weight
for _time in ["first", "second"]:
    _names = [name for name, _ in _net.named_members()]
    answer(_names, about=f"the names, a {_time} time")
answer([name for name, _ in _net.named_members("net.")][:3], about="with a prefix")
answer(list(Layer().named_members()), about="a layer that holds nothing")
### END HIDDEN TESTS

# %% [markdown]
# `repr` prints the tree: each member that is not a tensor, indented under its owner.
# `extra_repr` adds a layer's settings. Predict the indentation of `activation`. You
# need not read the next cell.

# %% nbgrader={"grade": false, "grade_id": "repr", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_layer
class _Picture:
    def extra_repr(self) -> str:
        """The settings that `repr` shows in the brackets."""
        return ""

    def __repr__(self) -> str:
        """The tree, one line for each layer, indented as in PyTorch."""
        kind, settings, lines = type(self).__name__, self.extra_repr(), []
        for name, member in self.members():
            if not isinstance(member, Tensor):
                text = getattr(member, "__name__", str(member))
                lines.append(f"({name}): {text}".replace("\n", "\n  "))
        if not lines:
            return f"{kind}({settings})"
        if settings:
            lines.insert(0, settings)
        return "\n  ".join([f"{kind}(", *lines]) + "\n)"

# %%
tower

# %% [markdown]
# ## 5. Learning or predicting
#
# Some layers behave differently while the network learns. Dropout, in the next module,
# switches units off at random, but only then, not when the network predicts. So each
# layer can look at its `self.training`, which is `True` at first.
#
# You need not read the next cell: it lets module 11 predict in one thread while another
# one trains, as two threads must not switch each other's dropout.

# %% nbgrader={"grade": false, "grade_id": "training", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class _Evaluation(threading.local):
    layers = frozenset()  # those that only predict in this thread
_evaluation = _Evaluation()


@_in_layer
class _Training:
    @property
    def training(self) -> bool:
        """Does the layer learn now, in this thread?"""
        return vars(self).get("training", True) and self not in _evaluation.layers

    @training.setter
    def training(self, mode: bool) -> None: vars(self)["training"] = mode

# %% [markdown]
# `train(mode)` sets `training` in the layer itself *and in all layers below it*;
# `eval()` is given. Activations and parameters have no such attribute: do not give them
# one. Both methods return the layer, so that `model.eval()(x)` works. Use
# `named_members`. Five lines.

# %% nbgrader={"grade": false, "grade_id": "train", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_layer
class _Mode:
    def train(self, mode: bool = True):
        """Set `training` in this layer and in all below it; returns the layer."""
        ### BEGIN SOLUTION
        self.training = mode
        for _, member in self.named_members():
            if isinstance(member, Layer):
                member.training = mode
        return self
        ### END SOLUTION

    def eval(self):
        """The opposite of train(): the layer only predicts; returns the layer."""
        return self.train(False)

# %%
tower = Tower(64, 2).eval()
tower.training, tower.blocks[0].linear.training, tower.train().blocks[0].linear.training

# %% nbgrader={"grade": true, "grade_id": "train_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""train and eval set the mode of every layer in the tree, return the layer, and leave
activations alone."""
small, other = Tower(4, 2), Tower(4, 1)
try:
    result = small.eval()
except AttributeError as error:
    raise AssertionError(f"set `training` of layers only: {error}") from None
kind = type(result).__name__
assert result is small, f"eval must return the layer itself, not {kind}"
block = small.blocks[1]
for name, layer in {"tower": small, "block": block, "linear": block.linear}.items():
    found = layer.training
    assert found is False, f"after eval(), {name}.training is False, not {found}"
assert other.blocks[0].training, "the mode of another tower was changed"
assert not hasattr(block.activation, "training"), "an activation was given `training`"
assert small.train().scores.training is True, "train() must set training of all to True"
assert small.training is True, "train() must set training of the layer itself, too"

# %% nbgrader={"grade": true, "grade_id": "train_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on train(False), on one branch of a tree, and on eval() and back."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_tower = Tower(3, 2)
def _modes():
    _layers = [m for _, m in _tower.named_members() if isinstance(m, Layer)]
    return [m.training for m in [_tower, *_layers]]
answer([_tower.train(False) is _tower, *_modes()], about="after train(False)")
_tower.blocks[0].train()
answer(_modes(), about="after train() of the first block only")
answer([_tower.eval().train() is _tower, *_modes()], about="after eval() and train()")
### END HIDDEN TESTS

# %% [markdown]
# ## 6. Saved and loaded
#
# A network is its code and its numbers. `state_dict` returns the numbers: a dictionary
# from names to *copies* of the arrays, for all parameters and buffers. These are the
# only tensors among the `named_members`. Without copies the next step of learning would
# change what you saved. One line.

# %% nbgrader={"grade": false, "grade_id": "state_dict", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_layer
class _State:
    def state_dict(self) -> dict[str, np.ndarray]:
        """Name -> a copy of the array, for each parameter and each buffer."""
        ### BEGIN SOLUTION
        members = self.named_members()
        return {name: t.data.copy() for name, t in members if isinstance(t, Tensor)}
        ### END SOLUTION

# %%
{name: array.shape for name, array in tower.state_dict().items()}

# %% nbgrader={"grade": true, "grade_id": "state_dict_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""state_dict gives an array for each name, a copy of the parameter's numbers; it has
the buffers, too."""
small = Tower(4, 1)
state, names = small.state_dict(), [name for name, _ in small.named_parameters()]

assert list(state) == names, f"the names must be {names}, not {list(state)}"
small.scores.calls = Buffer([3.0])
again = small.state_dict()
assert list(again) == [*names, "scores.calls"], (
    f"scores.calls is a buffer and must be saved with {names}; saved was {list(again)}")
assert again["scores.calls"] == 3, f"the buffer holds 3, not {again['scores.calls']}"
array = state["scores.bias"]
assert type(array) is np.ndarray, f"the values are arrays, not {type(array).__name__}"
np.testing.assert_array_equal(
    array, small.scores.bias.data, err_msg="The saved numbers are not the parameter's.")
small.scores.bias.assign(7)
assert not (array == 7).any(), "the parameter changed, and what was saved, too: copy"

# %% nbgrader={"grade": true, "grade_id": "state_dict_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a layer without a bias, on one without parameters, on a buffer below,
and on writing into what was saved."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_outer, _outer.inner = Layer(), None
_outer.inner = [Linear(2, 1, bias=False), Layer()]
_outer.inner[1].table = Buffer([[4, 5]])
answer([list(_outer.state_dict()), _outer.state_dict()["inner.1.table"]], about="below")
_layer = Linear(3, 2, bias=False)
_layer.weight.assign(np.arange(6).reshape(2, 3))
_state = _layer.state_dict()
answer([list(_state), Layer().state_dict()], about="no bias; nothing at all")
answer(_state["weight"], about="the weights")
_state["weight"][...] = 0
answer(_layer.weight, about="the layer's weights, after the saved ones are set to 0")
### END HIDDEN TESTS

# %% [markdown]
# `load_state_dict` is the way back. The state may come from an old file or from another
# network, so its names and values may be anything. Two helpers are given, and you need
# not read their cell. `_numbers(value)` copies an array, a tensor or a list into an
# array. It returns `None` if the value holds no real numbers. `_own(state)` returns a
# dictionary from names to the tensors of this layer.

# %% nbgrader={"grade": false, "grade_id": "state_helpers", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _numbers(value) -> np.ndarray | None:
    """A copy of the value as an array, or None if it holds no real numbers."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        return None
    return array.copy() if array.dtype.kind in "biuf" else None


def _every_name(layer: Layer, prefix: str = "", above: tuple = ()) -> Iterator:
    """(name, tensor) for all tensors of the tree, under each of their names."""
    for name, member in layer.members():
        if isinstance(member, Tensor):
            yield prefix + name, member
        elif isinstance(member, Layer) and member not in above:
            yield from _every_name(member, f"{prefix}{name}.", (*above, layer))


@_in_layer
class _Own:
    def _own(self, state: dict) -> dict[str, Tensor]:
        """Name -> parameter or buffer. A shared one has its first name, and the others
        that are in the state: PyTorch saves it under each."""
        own = {n: t for n, t in self.named_members() if isinstance(t, Tensor)}
        others = set(state).difference(own)
        if others:
            own |= {n: t for n, t in _every_name(self) if n in others}
        return own

# %% [markdown]
# The given first line makes `own`, with it. Four things can be wrong: a name is
# *missing* in the state; a name is *unexpected*, because the layer has no such tensor;
# a *shape* differs, even one that NumPy would broadcast; a *value* holds no real
# numbers. Collect a line for each, with its name, for a shape both shapes, for a value
# the value (`f"{value!r:.40}"` cuts it off). If there is any, raise one `ValueError`
# with all of them, and load nothing: half a network is worse than none.
#
# So make all arrays first, with `_numbers`. Then `assign` each array to its tensor.
# `state` must not change. Its values may be arrays, tensors or lists. About twelve
# lines.

# %% nbgrader={"grade": false, "grade_id": "load_state_dict", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_layer
class _Loading:
    def load_state_dict(self, state: dict, strict: bool = True) -> None:
        """Copy arrays into the tensors of their names: all of them, or none.
        If not strict, only the names count that the layer and the state both have."""
        own = self._own(state)
        if not strict:
            own = {name: own[name] for name in own if name in state}
            state = {name: state[name] for name in own}
        ### BEGIN SOLUTION
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        arrays = {name: _numbers(state[name]) for name in own if name in state}
        for name, array in arrays.items():
            here = own[name].shape
            if array is None:
                wrong.append(f"{name} holds no numbers: {state[name]!r:.40}")
            elif array.shape != here:
                there = array.shape
                wrong.append(f"{name} has shape {here} here, {there} in the state")
        if wrong:
            raise ValueError("; ".join(wrong))
        for name, array in arrays.items():
            own[name].assign(array)
        ### END SOLUTION

# %% [markdown]
# With `strict=False`, the given lines leave out the names that only one side has. A
# state with all four mistakes:

# %% tags=["raises-exception"]
state = tower.state_dict()
state["blocks.0.linear.bias"] = ["?"] * 64
state["scroes.bias"] = state.pop("scores.bias")
state["scores.weight"] = state["scores.weight"].T
tower.load_state_dict(state)

# %% nbgrader={"grade": true, "grade_id": "load_state_dict_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""load_state_dict makes two networks equal, buffers too. A state that does not fit
raises a ValueError with all names, and changes nothing."""
one, two, x = Tower(4, 1), Tower(4, 1), randn(5, 4)
one.blocks[0].calls, two.blocks[0].calls = Buffer([7.0]), Buffer([0.0])
state = one.state_dict()
try:
    two.load_state_dict({name: array.tolist() for name, array in state.items()})
except AttributeError as error:
    raise AssertionError(f"lists may be loaded, too: _numbers ({error})") from None
two.load_state_dict(state)
assert two.blocks[0].calls.item() == 7, "the buffer was not loaded"
np.testing.assert_array_equal(
    one(x).data, two(x).data, err_msg="After the load both networks must agree.")
assert _written(two.scores.bias.data), "load with assign: it notes the write"
assert list(state) == list(one.state_dict()), f"the state was changed: {list(state)}"

def refused(changes, without=()):
    given = {name: array for name, array in state.items() if name not in without}
    try:
        two.load_state_dict(given | changes)
    except Exception as error:
        kind = type(error).__name__
        return f"it says {error}" if kind == "ValueError" else f"a {kind} came"
    return "no error came"

bias = "blocks.0.linear.bias"
message = refused({bias: np.zeros(3), "extra": np.zeros(2)}, without=["scores.weight"])
for name in [bias, "extra", "scores.weight", "(4,)", "(3,)"]:
    assert name in message, f"one ValueError must name {name}; {message}"
for name, shape in [("extra", (2,)), ("scores.bias", ()), ("scores.weight", (1, 4)),
                    ("scores.weight", (4, 10))]:
    message = refused({name: np.zeros(shape)})
    assert name in message, (
        f"{name} of shape {shape} needs a ValueError that names it; {message}")
for value in [["words"] * 10, [None] * 10, np.full(10, 1 + 2j), [[1], [2, 3]], None]:
    message = refused({"scores.bias": value})
    assert "scores.bias" in message and repr(value)[:12] in message, (
        f"{value!r:.40} holds no real numbers: a ValueError with name and value is due;"
        f" {message}")
np.testing.assert_array_equal(
    one(x).data, two(x).data, err_msg="A state did not fit, and something was loaded.")

# %% nbgrader={"grade": true, "grade_id": "load_state_dict_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on each mistake alone, on shapes that would broadcast, on values, and on
whether the arrays are copied, by assign, and the state stays."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_layer, _w, _ones = Linear(2, 3), np.arange(6.0).reshape(3, 2), np.ones(3)
for _about, _state in {
    "missing": {"weight": _w},
    "unexpected": {"weight": _w, "bias": _ones, "c": 1},
    "a row for a matrix": {"weight": _w[:1], "bias": _ones},
    "a number for a vector": {"weight": _w, "bias": 1.0},
    "a transposed matrix": {"weight": _w.T, "bias": _ones},
    "nothing": {},
    "complex numbers": {"weight": _w, "bias": _ones + 1j},
    "text": {"weight": _w, "bias": ["a", "b", "c"]},
}.items():
    answer(raised(_layer.load_state_dict, _state), about=_about)
answer(bool((_layer.weight.data == _w).any()), about="was anything loaded?")
_weight, _before = _layer.weight, _written(_layer.weight.data)
_state = {"bias": Tensor([1.0, 2.0, 3.0]), "weight": _w}
_layer.load_state_dict(_state)
answer([list(_state), _state["bias"], _w], about="the state afterwards")
_w[0, 0] = 100
answer([_layer.weight is _weight, _layer.weight.data, str(_layer.weight.dtype),
        _layer.bias.data], about="the parameters afterwards")
answer(_written(_layer.weight.data) > _before, about="was the date of writing noted?")
### END HIDDEN TESTS

# %% [markdown]
# ## 7. The rest is names
#
# What else code for PyTorch asks of a layer is a line or two of what exists.
# `modules` are all layers and activations of the tree, `children` those of the layer
# itself. `apply(f)` calls `f` with each of them, the lower ones first. It is the usual
# way to start a whole network anew. `register_buffer` is an attribute that holds a
# `Buffer`.

# %% nbgrader={"grade": false, "grade_id": "names", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_layer
class _Names:
    def children(self) -> list:
        """The layers and activations that this layer itself holds, each once."""
        found = [m for _, m in self.members() if isinstance(m, (Layer, Activation))]
        return list({id(member): member for member in found}.values())

    def named_modules(self) -> list[tuple]:
        """("", this layer), and (name, member) for all layers and activations below."""
        below = [(name, member) for name, member in self.named_members()
                 if isinstance(member, (Layer, Activation))]
        return [("", self), *below]

    def modules(self) -> list: return [module for _, module in self.named_modules()]
    def apply(self, f):
        """Call f(module) for all of the tree, this layer last; returns the layer."""
        for child in self.children():
            child.apply(f) if isinstance(child, Layer) else f(child)
        f(self)
        return self

    def register_buffer(self, name: str, tensor) -> None:
        setattr(self, name, None if tensor is None else Buffer(tensor))

    def named_buffers(self) -> list[tuple[str, Buffer]]:
        return [pair for pair in self.named_members() if isinstance(pair[1], Buffer)]

    def buffers(self) -> list[Buffer]: return [b for _, b in self.named_buffers()]

# %% [markdown]
# `requires_grad_(False)` freezes a layer: module 09 then computes no gradient for its
# parameters. `zero_grad` forgets the gradients. `to` changes the dtype of all numbers:
# small steps in float64 can check a gradient. It also exists because programs say
# `model.to(device)`, but NumPy knows one device, the CPU.

# %% nbgrader={"grade": false, "grade_id": "more_names", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_layer
class _MoreNames:
    def requires_grad_(self, requires_grad: bool = True):
        """Shall all parameters get gradients from now on? Returns the layer."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, wanted):
        """All tensors of floats in this dtype; "cpu" changes nothing."""
        name = getattr(wanted, "__name__", str(wanted))  # np.float32 is a class
        if name not in ("cpu", "float16", "float32", "float64"):
            raise ValueError(f"a layer goes to a dtype of floats or cpu, not to {name}")
        for _, t in self.named_members():
            if name != "cpu" and isinstance(t, Tensor) and t.dtype.kind == "f":
                t.data, t.grad = t.data.astype(name), None
        return self

    def cpu(self): return self
    def float(self): return self.to("float32")
    def double(self): return self.to("float64")

# %% [markdown]
# All weights of a tower become 1/8, its biases 0. What is the mean of each row, in a
# layer of 64 inputs that are all 1?

# %%
def start(module):
    if isinstance(module, Linear):
        module.weight.assign(1 / 8)
        module.bias.assign(0)

# %%
tower = Tower(64, 2).apply(start)
tower.blocks[0].linear(np.ones(64)).mean()

# %%
[name for name, _ in tower.named_modules()]

# %% [markdown]
# ## Use: an old classifier becomes a layer
#
# In module 02 a digit got the label of the nearest mean image: 64 subtractions and
# squares for each of ten means. Expand the square:
#
# $$|x - m|^2 = |x|^2 - 2\, x \cdot m + |m|^2$$
#
# The first term is the same for all ten. So the nearest mean $m$ is the one with the
# largest $x \cdot m - |m|^2/2$: ten weighted sums and ten constants. That is a
# `Linear(64, 10)`, and we know its parameters without any training.

# %%
from tinytorch.core.tensor import stack

new, truth = pixels[1000:], labels[1000:]
known, known_labels = pixels[:1000], labels[:1000]
means = stack([known[known_labels == digit].mean(0) for digit in range(10)])  # (10, 64)

# %%
reader = Linear(64, 10)
reader.load_state_dict({"weight": means, "bias": -0.5 * (means * means).sum(1)})

# %% [markdown]
# How many of the 797 new digits does it read with random weights, before the load, and
# how many now?

# %%
def accuracy(model):
    return float((model(new).argmax(1).data == truth).mean())

# %%
accuracy(Linear(64, 10)), accuracy(reader)

# %% [markdown]
# Are all 797 answers the same as those from the distances?

# %%
distances = ((new.reshape(-1, 1, 64) - means) ** 2).sum(2)
nearest = (-distances).argmax(1)
assert (reader(new).argmax(1).data == nearest.data).all()

# %% [markdown]
# Its weights are pictures: a row for each digit.

# %%
figure, axes = plt.subplots(1, 10, figsize=(10, 1.3))
for row, ax in zip(reader.weight, axes, strict=True):
    ax.imshow(row.data.reshape(8, 8), cmap="gray_r")
    ax.set(xticks=[], yticks=[])

# %% [markdown]
# To a file and back, into a new layer with random weights. NumPy's `.npz` is a
# dictionary of arrays:

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "reader.npz")
    np.savez(path, **reader.state_dict())
    size = path.stat().st_size
    other = Linear(64, 10)
    with np.load(path) as state:
        other.load_state_dict(state)
assert accuracy(other) == accuracy(reader)
size, 4 * sum(p.size for p in reader.parameters())

# %% [markdown]
# ## Systems: what does a product cost?
#
# Multiply two matrices of 1024 × 1024 float32. That is $2 \cdot 1024^3$, about 2.1
# billion FLOPs, by any method. But the time depends on what runs the loops, and in
# which order:
#
# - **your three loops**: Python interprets every multiplication;
# - **two loops and a vector**: Python runs two loops, NumPy multiplies and adds whole
#   rows or columns. The numbers of a row are neighbours in memory; those of a column
#   lie 4 kB apart, each in another cache line;
# - **`@`**: BLAS works on blocks that fit into the cache, with vector instructions, on
#   all cores.

# %% [markdown]
# The slow ones compute only a part, and only that part is counted. `rows` and `columns`
# do the same multiplications; only the order of the loops differs. Write down, in
# powers of ten: how many GFLOP/s for each? And does the order matter for the loops in
# Python?

# %%
from tinytorch.core.setup import compare, time_call

n = 1024
a, b = (randn(n, n, generator=np.random.default_rng(i)).data for i in range(2))

def rows(part):
    c = np.zeros((n, n), np.float32)
    for i in range(part):
        for p in range(n):
            c[i] += a[i, p] * b[p]          # along a row of b

def columns(part):
    c = np.zeros((n, n), np.float32)
    for j in range(part):
        for p in range(n):
            c[:, j] += a[:, p] * b[p, j]    # down a column of a

# %%
def by_columns(a, b):
    """naive_matmul with its loops in the other order: down the columns of b first."""
    c = np.zeros((a.shape[0], b.shape[1]), np.float32)
    for j in range(b.shape[1]):
        for p in range(a.shape[1]):
            for i in range(a.shape[0]):
                c[i, j] += a[i, p] * b[p, j]

# %%
corner = a[:4], b[:, :16]
products = {
    "three loops": (2 * 4 * n * 16, lambda: naive_matmul(*corner)),
    "other order": (2 * 4 * n * 16, lambda: by_columns(*corner)),
    "columns": (2 * 16 * n * n, lambda: columns(16)),
    "rows": (2 * 16 * n * n, lambda: rows(16)),
    "a @ b": (2 * n**3, lambda: a @ b),
}
for name, (flops, f) in products.items():
    rate = flops / time_call(f, repeat=3).min
    whole = readable(2 * n**3 / rate, "s")
    print(f"{name:12} {rate / 1e9:9.4f} GFLOP/s   the whole product: {whole:>8}")

# %% [markdown]
# Three lessons, each the ratio of two lines. From the loops to the vectors: the
# interpreter handles objects instead of numbers. From columns to rows: memory is
# fetched in lines of 64 bytes. From rows to `@`: `rows` reads a row of `b` and a row of
# `c` for one multiplication and one addition per number, so it waits for the caches.
# BLAS uses each number many times while it is in the cache, several at once, on every
# core. And the order of Python loops hardly matters: they are too slow to notice the
# memory.

# %% [markdown]
# ### One product or many?
#
# `LinearOp` puts all rows of a batch into one matrix. Without that line NumPy would
# multiply each of the 64 sequences separately, with the same FLOPs. Will it take the
# same time?

# %%
layer, x = Linear(128, 128, bias=False), randn(64, 32, 128)
many = (x @ layer.weight.T).data
np.testing.assert_allclose(layer(x).data, many, rtol=1e-4, atol=1e-5)
compare({"64 products": lambda: x @ layer.weight.T, "one product": lambda: layer(x)},
        rounds=9)

# %% [markdown]
# ### Reflect: from a rate to an evening
#
# The first layer of module 11's network multiplies (128, 3072) by (3072, 512), 391
# times in one epoch (once through all training images). How many FLOPs is one of these
# products? How long would the epoch's 391 take with your three loops, with `rows`, and
# with `@`, at the rates that you measured? Which of the three would you wait for? At
# most four sentences, with the numbers.

# %% [markdown] nbgrader={"grade": true, "grade_id": "rate_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# One product has 2 · 128 · 3072 · 512 = 403 MFLOP, 391 have 157 GFLOP. At 0.005 GFLOP/s
# the loops need 31,000 s, almost nine hours. Rows at 1.2 GFLOP/s: 130 s. BLAS at 90
# GFLOP/s: 1.7 s. I would wait for `@`, and for rows if I had to.
#
# Rubric: 2 points for 403 MFLOP (1 if the factor 2 is missing), 1 for 157 GFLOP, 3 for
# times that are these FLOPs divided by the rates in the answer, one each, 1 for a
# conclusion that follows from them.

# %% [markdown]
# ### Reflect: all the same
#
# "Random numbers only make trouble. I start all weights at 0.05." The outputs of 256
# such units for the 1,797 digits are a matrix with 256 columns. Its *rank* is the
# largest number of columns that you can pick so that none of them is a sum of multiples
# of the other picked ones. Before you run the cell, write the rank down. Then suppose
# that a step of learning (module 10) changes each weight by an amount that depends on
# its input and on the unit's outgoing weights. Can two of these units ever become
# different? Explain in at most four sentences.

# %%
np.linalg.matrix_rank(relu(pixels @ Tensor(np.full((64, 256), 0.05))).data)

# %% [markdown] nbgrader={"grade": true, "grade_id": "same_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The rank is 1: all 256 units compute the same number, so the columns are equal. All
# units have the same inputs and, if their outgoing weights are equal too, each step
# changes them all in the same way. So they stay equal for ever, and 256 units are worth
# one. Random starts break the symmetry.
#
# Rubric: 2 points for rank 1 with its reason (equal columns), 3 for the argument that
# equal units receive equal changes (1 if it is only stated), 2 for the conclusion: the
# layer is worth one unit, or randomness breaks the symmetry.

# %% [markdown]
# ### Reflect: how deep until it breaks?
#
# Take weights twice as large as Kaiming's, and weights half as large, with ReLU. The
# largest float32 is about $2^{128}$, the smallest above zero is $2^{-149}$. Predict: at
# about which layer does the first infinity appear, and at about which layer are all
# numbers zero? Then run the cell, and explain the difference between prediction and
# result. At most five sentences.

# %%
def broken_at(factor):
    x, layer = pixels[:300], 0
    with np.errstate(all="ignore"):
        while np.isfinite(x.data).all() and x.data.any():
            weights = factor * kaiming_normal((256, x.shape[1]))
            x, layer = relu(x @ weights.T), layer + 1
    return layer

broken_at(2), broken_at(0.5)

# %% [markdown] nbgrader={"grade": true, "grade_id": "depth_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# Each layer doubles or halves the scale, so from numbers near 1 an infinity should come
# at about layer 128, and zero at about layer 149. Here it was 127 and 147. The largest
# number of all decides, and the start: the standard deviation begins near 0.5, the
# largest unit is several times that, and the scale changes by chance by a few per cent
# in each layer. At the lower end, what is below half of 2^-149 is rounded to zero.
#
# Rubric: 2 points for each prediction with the factor 2 per layer as its reason, 2 for
# an explanation that fits the numbers seen: the largest unit and the start decide (not
# the standard deviation alone), or chance in each layer, or rounding at the lower end.

# %% [markdown]
# ## Here and in PyTorch
#
# | here | in PyTorch |
# | --- | --- |
# | `Parameter(data)` | `nn.Parameter(data)` |
# | `p.assign(array)` | `with torch.no_grad(): p.copy_(array)` |
# | `Layer`, no `super().__init__()` | `nn.Module`, needs `super().__init__()` first |
# | layers in a list are found | only in `nn.ModuleList`; a plain list is not searched |
# | `Linear`, `LinearOp` | `nn.Linear`, `F.linear`; the same start |
# | `kaiming_normal(shape)` | `nn.init.kaiming_normal_(tensor)`, fills in place |
# | `Buffer(data)`, `register_buffer` | the same names |
#
# The other names and meanings are the same.

# %% [markdown]
# Of the tree and its state:
#
# | here | in PyTorch |
# | --- | --- |
# | `named_members()` | `named_modules()`, without tensors |
# | `modules()`, `parameters()` are lists | iterators |
# | `state_dict()` copies, a shared tensor once | shares memory; under each name |
# | `load_state_dict`: ValueError, loads nothing | RuntimeError, loads what fits |
# | it returns nothing | with `strict=False` the missing and unexpected names |
# | `to(np.float64)` forgets the gradients | converts them, too |

# %% [markdown]
# ## Summary
#
# There are parameters, and layers that hold them: found in a tree, named, switched
# between learning and predicting, saved and loaded, and started at a scale that
# survives fifty layers. `Linear` is the first. Every later layer (dense, convolution,
# attention) inherits all this and only writes `forward`. Module 05 puts layers in a
# row. They cannot learn yet: in which direction a weight should change is the subject
# of module 09.
