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
#     - start the weights of a deep network so that its activations neither explode nor die, and say why by variances
#     - build a linear layer with PyTorch's weight layout and names
#     - find every parameter in a tree of layers, each once, and save and load them with errors that help
#     - count the operations of a matrix product, and measure what interpreter, memory order and BLAS make of them
# ---

# %% [markdown]
# # Layers
#
# > Parameters and the layers that hold them: started at the right scale, found in a tree, saved and loaded.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(4)

# %% [markdown]
# ## Why
#
# Matrices and bends are all that a deep network is made of, and we have both. Send the 1,797 handwritten digits through
# fifty layers of random weights, 256 numbers out of each. What is the largest output? Read the warnings.

# %%
import numpy as np

from tinytorch.core.activations import relu
from tinytorch.core.tensor import Tensor, randn
from tinytorch.datasets import load_digits

images, labels = load_digits()
x = pixels = Tensor(images.reshape(-1, 64) / 16)  # (1797, 64), 0 to 1
for _ in range(50):
    x = relu(x @ randn(x.shape[1], 256))
x.max()

# %% [markdown]
# The numbers exploded, past the largest float32 to infinity, and infinity minus infinity is nan. That is the first
# thing a layer must do better: *start at the right scale*. The second is bookkeeping. Fifty layers hold a hundred
# arrays; somebody has to find them all, to change them, to save them, and to load them into the right places.

# %%
#| default_exp core.layers

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import math
from collections.abc import Iterator
from types import FunctionType

import numpy as np

from tinytorch.core.activations import Activation
from tinytorch.core.tensor import Op, Tensor, _note_write, apply, default_generator, rand, randn

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
# A unit adds up its inputs, each times a weight. Many units on many images are a matrix product: $n$ rows of $k$
# inputs, $m$ units.
#
# $$c_{ij} = \sum_{p} a_{ip}\, b_{pj}$$
#
# It is where a network spends its time, so build it once from its parts. `c` starts as zeros of shape $(n, m)$. Write
# three loops, one inside the other: four lines. At the end of the module we measure what they cost beside `@`.

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
# How many multiplications and additions together did this take: for (2, 3) times (3, 4), and for (n, k) times (k, m)?

# %%
naive_matmul(np.ones((2, 3)), np.arange(12).reshape(3, 4))

# %% nbgrader={"grade": true, "grade_id": "naive_matmul_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""naive_matmul is NumPy's product, for shapes with three different sizes, and changes neither input."""
rng = np.random.default_rng(0)
a, b = rng.standard_normal((2, 3)), rng.standard_normal((3, 5))
before = a.copy(), b.copy()
c = naive_matmul(a, b)

assert c.shape == (2, 5), f"(2, 3) @ (3, 5) has shape (2, 5), not {c.shape}"
np.testing.assert_allclose(c, a @ b, rtol=1e-10, err_msg="the product of a (2, 3) and a (3, 5) matrix")
np.testing.assert_array_equal(naive_matmul(np.eye(2), a), a, err_msg="the identity times a is a")
assert (a == before[0]).all() and (b == before[1]).all(), "the inputs were changed"

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
# Each of the $nm$ sums has $k$ products and, starting from 0, $k$ additions: $2nkm$ floating-point operations, or
# FLOPs. Keep the formula, it counts every network.
#
# ## 2. The right scale
#
# ### Too large, too small
#
# Here are three scales of the weights, 50 layers with a ReLU behind each, on the digits. The plot shows the standard
# deviation of the 256 units after each layer, on a logarithmic axis. Which shape will the curves have? Which of the
# three comes nearest to a level line?

# %%
def spreads(start, bend=relu, depth=50, width=256):
    """The standard deviation after each layer, on the digits; start((out, in)) makes the weights."""
    x, found = pixels, []
    for _ in range(depth):
        x = bend(x @ start((width, x.shape[1])).T)
        found.append(x.data.std(dtype=float))
    return found

# %%
def draw(**curves):
    for name, curve in curves.items():
        plt.semilogy(range(1, len(curve) + 1), curve, label=name.replace("_", " "))
    plt.gca().set(xlabel="layer", ylabel="standard deviation of the units")
    plt.legend()

# %%
manual_seed(0)
scales = {"0.05": 0.05, "0.0884": 0.0884, "0.2": 0.2}
draw(**{name: spreads(lambda shape, s=s: s * randn(shape)) for name, s in scales.items()})

# %% [markdown]
# Straight lines: each layer multiplies by about the same factor. Above 1 the activations explode, below 1 they die;
# fifty layers forgive no factor but 1.
#
# ### Counting what comes in
#
# A unit that adds up more inputs gets a larger sum. So the scale must depend on the **fan-in**: how many numbers enter
# one output. The **fan-out** is how many outputs one input enters.
#
# Weights have shape (out, in), as in PyTorch, one *row* for each output. In a convolution (module 06) they have shape
# (out, in, height, width): an output sees `in` channels through a window of height × width, and an input is seen by
# `out` channels through one. So all sizes from the third on multiply both fans.
#
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
# Which is the fan-in of a layer from 784 pixels to 10 digits? And of a 3×3 convolution from 3 colours to 16 channels?

# %%
fans((10, 784)), fans((16, 3, 3, 3))

# %% nbgrader={"grade": true, "grade_id": "fans_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""fans gives (fan_in, fan_out): the second size and the first, each times the window."""
found = fans((8, 5))
assert tuple(found) == (5, 8), f"weights (8, 5) make 8 outputs from 5 inputs: fans (5, 8), not {found}"
found = fans((16, 3, 5, 7))
assert tuple(found) == (105, 560), f"3 · 5 · 7 numbers in, 16 · 5 · 7 out: (105, 560), not {found}"
assert tuple(fans((8, 5, 3))) == (15, 24), f"a window may have one axis: (8, 5, 3) gives (15, 24), not {fans((8, 5, 3))}"

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
# Let the weights of a unit be independent, with mean 0 and variance $\sigma^2$. Its sum $s = \sum_i w_i x_i$ over $f$
# inputs ($f$ is the fan-in) then has mean 0 and
#
# $$\mathrm{mean}(s^2) = f\, \sigma^2\, \mathrm{mean}(x^2)$$
#
# ReLU behind it turns half of the sums to 0, and so halves the mean square. A LeakyReLU with slope $a$ keeps $a^2$ of
# that half: the factor is $(1 + a^2)/2$. For a level line the factors must give 1:
#
# $$\sigma = \sqrt{\frac{2}{(1 + a^2)\, f}}$$

# %% [markdown]
# This is the start of Kaiming He and others (2015), which PyTorch calls by his first name. Write it with your `fans`,
# and with `randn(shape, generator=generator)`, whose standard deviation is 1. Two lines.

# %% nbgrader={"grade": false, "grade_id": "kaiming_normal", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def kaiming_normal(shape: tuple, a: float = 0.0, generator=default_generator) -> Tensor:
    """Normal with standard deviation sqrt(2 / ((1 + a²) fan_in)): keeps the scale through a LeakyReLU of slope a (He et al. 2015)."""
    ### BEGIN SOLUTION
    fan_in, _ = fans(shape)
    return randn(shape, generator=generator) * math.sqrt(2 / ((1 + a * a) * fan_in))
    ### END SOLUTION

# %% [markdown]
# For 256 inputs and a ReLU, which standard deviation should come out? You saw it above.

# %%
kaiming_normal((256, 256)).data.std()

# %% [markdown]
# A slope $a$ on the left lets more through, so the weights become smaller. By which factor for $a = \sqrt 5$?

# %%
kaiming_normal((256, 256), a=5**0.5).data.std()

# %% [markdown]
# And through fifty layers: Kaiming's start, twice and half of it.

# %%
draw(kaiming=spreads(kaiming_normal), twice=spreads(lambda shape: 2 * kaiming_normal(shape)),
     half=spreads(lambda shape: 0.5 * kaiming_normal(shape)))

# %% nbgrader={"grade": true, "grade_id": "kaiming_normal_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""kaiming_normal has the standard deviation of the formula, draws from the generator it is given, and keeps the scale through ReLU."""
w = kaiming_normal((400, 100), generator=np.random.default_rng(0))
assert type(w) is Tensor and w.shape == (400, 100) and w.dtype == np.float32, f"a Tensor (400, 100) of float32, not {type(w).__name__} {w.shape} of {w.dtype}"
np.testing.assert_allclose(w.data.std(), math.sqrt(2 / 100), rtol=0.02, err_msg="100 inputs, 400 outputs: sqrt(2/100)")
steep = kaiming_normal((400, 100), a=2.0).data.std()
np.testing.assert_allclose(steep, math.sqrt(2 / 500), rtol=0.02, err_msg="100 inputs, slope a = 2: sqrt(2 / (5 · 100))")
again = kaiming_normal((400, 100), generator=np.random.default_rng(0))
np.testing.assert_array_equal(again.data, w.data, err_msg="the same seed must give the same weights: pass the generator on")
x = randn(1000, 100, generator=np.random.default_rng(1))
ratio = float((relu(x @ w.T) ** 2).mean() / (x**2).mean())
assert 0.9 < ratio < 1.1, f"a layer with ReLU must keep the mean square; it multiplied it by {ratio:.2f}"

# %% nbgrader={"grade": true, "grade_id": "kaiming_normal_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on the weights of a convolution, with a slope a, and on whether the numbers are normal."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_w = kaiming_normal((64, 8, 5, 5), generator=np.random.default_rng(2)).data
answer(float(_w.std()), about="the standard deviation for (64, 8, 5, 5)", rtol=0.02)
answer(float(kaiming_normal((300, 200), 2.0, np.random.default_rng(3)).data.std()), about="the standard deviation with a = 2", rtol=0.02)
answer(bool(np.abs(_w).max() > 3 * _w.std()), about="are there numbers beyond three standard deviations?")
### END HIDDEN TESTS

# %% [markdown]
# ### Between two bounds
#
# Many networks start from numbers spread evenly over $[-b, b]$; no outliers. Their variance is the mean of $t^2$ over
# that interval:
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
# Which bound gives the standard deviation of `kaiming_normal`? Write `kaiming_uniform` by `uniform`: one or two lines,
# the generator included.

# %% nbgrader={"grade": false, "grade_id": "kaiming_uniform", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def kaiming_uniform(shape: tuple, a: float = 0.0, generator=default_generator) -> Tensor:
    """As kaiming_normal, with the same standard deviation, but spread evenly between two bounds."""
    ### BEGIN SOLUTION
    fan_in, _ = fans(shape)
    return uniform(shape, math.sqrt(6 / ((1 + a * a) * fan_in)), generator)
    ### END SOLUTION

# %%
w = kaiming_uniform((256, 256)).data
w.std(), w.max()

# %% nbgrader={"grade": true, "grade_id": "kaiming_uniform_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""kaiming_uniform has kaiming_normal's standard deviation, fills its interval evenly, and draws from the generator it is given."""
w = kaiming_uniform((400, 100), generator=np.random.default_rng(0)).data
np.testing.assert_allclose(w.std(), math.sqrt(2 / 100), rtol=0.02, err_msg="100 inputs, 400 outputs: sqrt(2/100)")
np.testing.assert_allclose([w.min(), w.max()], np.sqrt(6 / 100) * np.array([-1, 1]), rtol=0.01, err_msg="the bounds")
steep = kaiming_uniform((400, 100), a=2.0).data.std()
np.testing.assert_allclose(steep, math.sqrt(2 / 500), rtol=0.02, err_msg="100 inputs, slope a = 2: sqrt(2 / (5 · 100))")
again = kaiming_uniform((400, 100), generator=np.random.default_rng(0)).data
np.testing.assert_array_equal(again, w, err_msg="the same seed must give the same weights: pass the generator on")
assert w.dtype == np.float32, f"weights are float32, as `uniform` draws them, not {w.dtype}"

# %% nbgrader={"grade": true, "grade_id": "kaiming_uniform_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on the weights of a convolution, with a slope a, and on quartiles."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_w = kaiming_uniform((64, 8, 5, 5), generator=np.random.default_rng(2)).data
answer(np.quantile(_w, [0, 0.25, 0.75, 1]), about="the quartiles for (64, 8, 5, 5)", rtol=0.03)
answer(float(kaiming_uniform((300, 200), 2.0, np.random.default_rng(3)).data.max()), about="the bound with a = 2", rtol=0.02)
### END HIDDEN TESTS

# %% [markdown]
# ### For tanh: from both sides
#
# Near 0 the tanh is a straight line, so nothing is halved: forward, $\sigma^2 = 1/\text{fan-in}$ keeps the scale. What
# module 09 sends backward meets the same weights from the other side, where $1/\text{fan-out}$ keeps it. Glorot and
# Bengio (2010; PyTorch says Xavier) take the middle, and a `gain` where something more is wanted:
#
# $$\sigma = \text{gain} \cdot \sqrt{\frac{2}{\text{fan-in} + \text{fan-out}}}$$
#
# Write it, again spread evenly: one or two lines.

# %% nbgrader={"grade": false, "grade_id": "xavier_uniform", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def xavier_uniform(shape: tuple, gain: float = 1.0, generator=default_generator) -> Tensor:
    """Evenly, standard deviation gain · sqrt(2 / (fan_in + fan_out)): for tanh and sigmoid (Glorot & Bengio 2010)."""
    ### BEGIN SOLUTION
    return uniform(shape, gain * math.sqrt(6 / sum(fans(shape))), generator)
    ### END SOLUTION

# %% [markdown]
# With tanh nothing can explode: it ends at 1. So what goes wrong with weights of 0.2, whose curve looks so healthy?

# %%
starts = {"xavier": xavier_uniform, "kaiming": kaiming_uniform, "normal_0.2": lambda shape: 0.2 * randn(shape),
          "normal_0.03": lambda shape: 0.03 * randn(shape)}
draw(**{name: spreads(start, bend=tanh) for name, start in starts.items()})

# %%
x = pixels
for _ in range(50):
    x = tanh(x @ (0.2 * randn(256, x.shape[1])).T)
plt.hist(x.data.ravel(), bins=60)
plt.gca().set(title="units after 50 layers, weights of 0.2", xlabel="value", ylabel="units");

# %% [markdown]
# Most of them lie where the slope of tanh is nearly 0: they would pass nothing back. Scale is about both directions.

# %% nbgrader={"grade": true, "grade_id": "xavier_uniform_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""xavier_uniform has the standard deviation of the formula, in both directions, times the gain, from the generator it is given."""
for shape in [(400, 100), (100, 400), (30, 10, 5, 5)]:
    w, wanted = xavier_uniform(shape, generator=np.random.default_rng(0)).data, math.sqrt(2 / sum(fans(shape)))
    np.testing.assert_allclose(w.std(), wanted, rtol=0.03, err_msg=f"the standard deviation for {shape}")
    np.testing.assert_allclose(w.max(), wanted * math.sqrt(3), rtol=0.01, err_msg=f"the largest weight for {shape}")
loud = xavier_uniform(shape, gain=3.0, generator=np.random.default_rng(0)).data
np.testing.assert_allclose(loud, 3 * w, rtol=1e-5, err_msg="gain 3, and the same seed")
assert loud.dtype == np.float32, f"weights are float32, as `uniform` draws them, not {loud.dtype}"

# %% nbgrader={"grade": true, "grade_id": "xavier_uniform_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a wide and on a narrow layer, with a gain, and on the lower bound."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(float(xavier_uniform((500, 20), 5 / 3, np.random.default_rng(4)).data.std()), about="the standard deviation for (500, 20)", rtol=0.03)
answer(float(xavier_uniform((20, 900), generator=np.random.default_rng(5)).data.min()), about="the lower bound for (20, 900)", rtol=0.02)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. A layer
#
# Now the object. A **parameter** is a tensor that is learned: it requires a gradient, and no operation made it.
# `assign` overwrites its numbers in place.

# %% nbgrader={"grade": false, "grade_id": "parameter", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Parameter(Tensor):
    """A tensor that a layer learns: it requires a gradient, and no operation made it."""
    __slots__ = ()

    def __init__(self, data):
        super().__init__(data, requires_grad=True)

    def assign(self, array) -> None:
        """Overwrite the numbers in place and note the date: a recipe which used the old ones no longer holds."""
        self.data[...] = array
        _note_write(self)

# %%
Parameter([1.0, 2.0]), Parameter(2 * Parameter([1.0, 2.0]))

# %% [markdown]
# A **layer** is called like a function, and has parameters among its attributes. There is no `__init__` to call first.
# As with Tensor in module 02, methods are added section by section.

# %% nbgrader={"grade": false, "grade_id": "layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Layer:
    """Called like a function, with parameters of its own: `forward` says what it computes."""
    training = True

    def __call__(self, *inputs, **options): return self.forward(*inputs, **options)
    def forward(self, *inputs: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}.forward is not written yet")


def _in_layer(body: type) -> None:
    """Decorator: the methods of the class below are Layer's, which so grows from section to section."""
    for name, value in vars(body).items():
        if callable(value):
            setattr(Layer, name, value)

# %% tags=["raises-exception"]
Layer()(Tensor([1.0]))

# %% [markdown]
# `Linear` multiplies by its weights and adds a bias:
#
# $$y = x\,W^{\mathsf T} + b$$
#
# with $x$ of shape (n, in), $W$ (out, in), $b$ (out,), $y$ (n, out). In tensor operations this is one line. What does
# its result remember, and how many arrays of its size are made on the way? A product of (500, 3) and (3, 100), in
# float32, has 200 kB.

# %%
x, w, b = randn(500, 3), Parameter(randn(100, 3)), Parameter(randn(100))
[type(t.origin[0]).__name__ for t in recipe(x @ w.T + b) if t.origin], readable(peak_memory(lambda: x @ w.T + b), "B")

# %% [markdown]
# Three ops for one layer, each of them to be remembered; and `+` reads the product and writes a second array as large.
# A small network would spend its time on the first, a large one on the second. So this layer is an op of its own. Its
# `forward` gets *arrays*, as that of `Mul` did.

# %% [markdown]
# `x` may have any number of axes before the last, or none. The given lines look whether the shapes fit, put all rows of
# `x` into one matrix, as one large product is faster than many small ones, save, and restore the axes at the end.
#
# Yours is `y`, of shape (rows, out): the product, and, if `bias` is not `None`, the bias added *in place*, `y += ...`,
# since nobody else knows this fresh array. The inputs stay as they are. Three lines.

# %% nbgrader={"grade": false, "grade_id": "linear_op", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class LinearOp(Op):
    """x @ weight.T + bias: (*, in), (out, in), (out,) -> (*, out). Saves (the rows of x, weight, whether there is a bias)."""
    def forward(self, x, weight, bias=None):
        if x.shape[-1:] != weight.shape[1:]:
            raise ValueError(f"cannot multiply {x.shape} by {weight.T.shape}: the last axis of x must have size {weight.shape[1]}")
        if bias is not None and bias.shape != weight.shape[:1]:
            raise ValueError(f"cannot add a bias of shape {bias.shape}: weights {weight.shape} take {weight.shape[:1]}")
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
np.abs(y - (x @ w.T + b).data).max(), readable(peak_memory(LinearOp().forward, x.data, w.data, b.data), "B")

# %% tags=["raises-exception"]
LinearOp().forward(np.ones((2, 5)), np.ones((4, 3)))

# %% nbgrader={"grade": true, "grade_id": "linear_op_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""LinearOp computes x @ W.T + b with arrays, on any number of axes, without a bias too, in one array, and leaves its inputs alone."""
x, w, b = (np.random.default_rng(i).standard_normal(s, dtype=np.float32) for i, s in enumerate([(3, 3), (3, 3), (3,)]))
before = [a.copy() for a in (x, w, b)]
y = LinearOp().forward(x, w, b)
assert type(y) is np.ndarray and y.dtype == np.float32, f"arrays of float32 in, one of float32 out, not {type(y).__name__} of {y.dtype}"
for name, a, old in zip(["x", "W", "b"], (x, w, b), before, strict=True):
    assert (a == old).all(), f"forward wrote into {name}: only the fresh product may be written into"
np.testing.assert_allclose(y, np.einsum("ni,oi->no", x, w) + b, rtol=1e-4, atol=1e-6, err_msg="y[n, o]: row n of x times row o of W, plus b[o]")
x, w = np.random.default_rng(3).standard_normal((2, 5, 3)), np.random.default_rng(4).standard_normal((4, 3))
try:
    y = LinearOp().forward(x, w)
except TypeError as error:
    raise AssertionError("without a bias, bias is None: add nothing") from error
assert y.shape == (2, 5, 4), f"weights (4, 3), an input (2, 5, 3) -> (2, 5, 4), not {y.shape}"
np.testing.assert_allclose(y, np.einsum("abi,oi->abo", x, w), err_msg="bias is None: add nothing")
x, w, b = np.ones((500, 3), np.float32), np.ones((100, 3), np.float32), np.ones(100, np.float32)
held = peak_memory(LinearOp().forward, x, w, b)
assert held < 300_000, f"the result has 200 kB, and {readable(held, 'B')} were taken: add the bias in place, not into a second array"

# %% nbgrader={"grade": true, "grade_id": "linear_op_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on one row without a batch, on five axes, on an empty batch, on dtypes, and on what a result of apply remembers."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_rng = np.random.default_rng(6)
_w, _b = _rng.standard_normal((3, 4), dtype=np.float32), _rng.standard_normal(3, dtype=np.float32)
_kept = _w.copy(), _b.copy()
for _shape in [(4,), (2, 1, 2, 3, 4), (0, 4), (2, 0, 4)]:
    _x = _rng.standard_normal(_shape, dtype=np.float32)
    answer([LinearOp().forward(_x, _w, _b), LinearOp().forward(_x, _w)], about=f"an input of shape {_shape}, with a bias and without")
_x = _rng.standard_normal((4, 7))
answer(LinearOp().forward(_x.T, _w.astype(float), _b.astype(float)), about="a transposed input in float64")
answer(raised(LinearOp().forward, np.ones((2, 5)), _w, _b), about="five inputs where there should be four")
answer([bool((_w == _kept[0]).all()), bool((_b == _kept[1]).all())], about="do W and b stay?")
_in = Tensor(np.ones((2, 4))), Parameter(_w), Parameter(_b)
_y = apply(LinearOp(), *_in)
answer([_y, [any(t is p for t in recipe(_y)) for p in _in]], about="what a result remembers")
### END HIDDEN TESTS

# %% [markdown]
# The layer holds the parameters, makes floats of whatever else comes, and calls `apply`. The start is PyTorch's:
# `kaiming_uniform` with $a = \sqrt 5$, which makes the bound $1/\sqrt{\text{in}}$. `self.bias` is `None` where
# `bias=False`.

# %% nbgrader={"grade": false, "grade_id": "linear", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Linear(Layer):
    """Each output is a weighted sum of all inputs, plus a bias; the weights have shape (out, in), as in PyTorch."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True):
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(kaiming_uniform((out_features, in_features), a=math.sqrt(5)))
        self.bias = Parameter(uniform((out_features,), 1 / math.sqrt(in_features))) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """x @ W.T + b: (*, in) -> (*, out)."""
        x = x if isinstance(x, Tensor) and x.data.dtype.kind == "f" else Tensor(x).astype(np.float32)
        return apply(LinearOp(), x, self.weight) if self.bias is None else apply(LinearOp(), x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"

# %% [markdown]
# A batch of 2 sequences, of 5 tokens with 3 numbers each. Which shape comes out?

# %%
layer = Linear(3, 4)
layer(randn(2, 5, 3)).shape, layer.weight.shape, layer.bias.shape

# %% [markdown]
# And what does the result remember now? Find the two parameters.

# %%
[(type(t.origin[0]).__name__ if t.origin else type(t).__name__, t.shape) for t in recipe(layer(randn(2, 3)))]

# %% [markdown]
# Back to the fifty layers, with the start that PyTorch gives to every `Linear`. Its standard deviation is $1/\sqrt{3
# f}$; ReLU wants $\sqrt{2/f}$. By which factor does each layer shrink what passes? Write it down before you run.

# %%
def default(shape):
    return Linear(shape[1], shape[0], bias=False).weight.detach()

curve = spreads(default)
draw(kaiming=spreads(kaiming_normal), default=curve)
(curve[-1] / curve[9]) ** (1 / 40), math.sqrt(1 / 6)

# %% [markdown]
# For the three or four layers of a small network it does no harm. For fifty you choose the start yourself.
#
# ## 4. The tree
#
# A network is a layer whose attributes are layers, alone or in lists, and theirs may be again. Given: `members`, what a
# layer holds *itself*, in the order of definition, each with its name. Activations and plain functions count: they have
# no parameters, but belong in the picture.

# %% nbgrader={"grade": false, "grade_id": "members", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _found(name: str, value) -> Iterator:
    """(name, value) for a parameter, a layer or a function; the same for each item of a list, a tuple or a dict."""
    if isinstance(value, (list, tuple, dict)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _found(f"{name}.{key}", item)
    elif isinstance(value, (Parameter, Layer, Activation, FunctionType)):
        yield name, value


@_in_layer
class _Members:
    def members(self) -> list[tuple]:
        """(name, member) for what this layer holds itself: parameters, layers, functions, in the order of definition."""
        return [pair for name, value in vars(self).items() for pair in _found(name, value)]

# %% [markdown]
# Two layers to look at. A `Block` holds a layer and an activation; a `Tower` holds blocks in a list, and one `Linear`
# under two names.

# %% nbgrader={"grade": false, "grade_id": "tower", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Block(Layer):
    def __init__(self, size: int):
        self.linear, self.bend = Linear(size, size), ReLU()

    def forward(self, x):
        return self.bend(self.linear(x))


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
# Four members, and none of them is a parameter. Write the walk: for each `(name, member)` of `self.members()` which was
# not seen before
#
# - note `id(member)` in the set `seen` (a tensor's `==` compares numbers, `id` tells which object it is);
# - yield the pair `(prefix + name, member)`;
# - if the member is a `Layer`, go on inside it at once: `yield from` its own `named_members`, with its name and a dot
#   added to the prefix, and the same `seen`.
#
# So a shared layer appears once, under its first name, and a layer that holds its own parent ends the walk instead of
# running for ever. Five lines.

# %% nbgrader={"grade": false, "grade_id": "named_members", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_layer
class _Tree:
    def named_members(self, prefix: str = "", seen: set | None = None) -> Iterator:
        """(name, member) for everything below this layer, each once; a member's own members follow it at once."""
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
# The rest is selection. The names are PyTorch's: the path of attributes and positions, with dots.

# %% nbgrader={"grade": false, "grade_id": "parameters", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_layer
class _Parameters:
    def named_parameters(self) -> list[tuple[str, Parameter]]:
        """(name, parameter) for all parameters of the tree, each once: "0.weight", "layers.1.bias"."""
        return [(name, member) for name, member in self.named_members() if isinstance(member, Parameter)]

    def parameters(self) -> list[Parameter]:
        """All parameters of the tree, each once."""
        return [parameter for _, parameter in self.named_parameters()]

# %% [markdown]
# `tower` holds three linear layers, one of them twice. How many names will there be, and which is the third?

# %%
[name for name, _ in tower.named_parameters()]

# %% [markdown]
# How many numbers does it learn? Two layers of 64 · 64 + 64, one of 64 · 10 + 10:

# %%
sum(parameter.size for parameter in tower.parameters())

# %% nbgrader={"grade": true, "grade_id": "named_members_check", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
"""named_members walks the whole tree in order, with PyTorch's names, and meets each member once."""
small = Tower(4, 2)
found = list(small.named_members())
names = [name for name, _ in found]

block = ["blocks.0", "blocks.0.linear", "blocks.0.linear.weight", "blocks.0.linear.bias", "blocks.0.bend"]
wanted = [*block, *[name.replace("0", "1") for name in block], "scores", "scores.weight", "scores.bias"]
assert names == wanted, f"these names, in this order:\n{wanted}\nnot\n{names}"
assert found[1][1] is small.blocks[0].linear, "the pair of a name is the member itself, not a copy"
count = sum(parameter.size for parameter in small.parameters())
assert count == 2 * (4 * 4 + 4) + 4 * 10 + 10, f"two blocks and one Linear(4, 10) have 90 numbers, not {count}"
small.blocks[1].top = small
assert len(list(small.named_members())) == len(wanted), "the tower inside its own block was walked again"

# %% nbgrader={"grade": true, "grade_id": "named_members_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on lists in lists and a dict, on one parameter in two layers, on a prefix, and twice in a row."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_net, _net.parts = Layer(), None
_net.parts = {"a": [Linear(2, 3, bias=False), (Linear(3, 2), ReLU())], "b": Tower(2, 1)}
_net.parts["b"].scores.weight = _net.parts["a"][0].weight
for _time in ["first", "second"]:
    answer([name for name, _ in _net.named_members()], about=f"the names, a {_time} time")
answer([name for name, _ in _net.named_members("net.")][:3], about="with a prefix")
answer([name for name, _ in Layer().named_members()], about="a layer that holds nothing")
### END HIDDEN TESTS

# %% [markdown]
# A tree wants to be seen. `repr` shows the members that are not parameters, each indented under its owner; `extra_repr`
# adds a layer's settings. Predict the indentation of `bend`.

# %% nbgrader={"grade": false, "grade_id": "repr", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_layer
class _Picture:
    def extra_repr(self) -> str:
        """The settings that `repr` shows in the brackets."""
        return ""

    def __repr__(self) -> str:
        """The tree, one line for each layer, indented as in PyTorch."""
        below = [(name, member) for name, member in self.members() if not isinstance(member, Parameter)]
        lines = [f"({name}): {getattr(member, '__name__', member)}".replace("\n", "\n  ") for name, member in below]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n  ".join([f"{type(self).__name__}(", *filter(None, [self.extra_repr()]), *lines]) + "\n)"

# %%
tower

# %% [markdown]
# ## 5. Learning or at work
#
# Some layers behave differently while they learn: Dropout, in the next module, switches units off at random, and must
# stop it when the network is at work. Each layer can look at its `self.training`, which is `True` at first.
# `train(mode)` sets it in the layer itself *and in all layers below*; `eval()` is given. Activations and parameters
# have no such attribute, leave them alone. Both return the layer, so that `model.eval()(x)` reads well.
#
# Walk with `named_members`: five lines.

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
        """The opposite of train(): the layer goes to work."""
        return self.train(False)

# %%
tower = Tower(64, 2).eval()
tower.training, tower.blocks[0].linear.training, tower.train().blocks[0].linear.training

# %% nbgrader={"grade": true, "grade_id": "train_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""train and eval set the mode of every layer in the tree, return the layer, and leave activations alone."""
small, other = Tower(4, 2), Tower(4, 1)
result = small.eval()
assert result is small, f"eval must return the layer itself, not {result!r}"
for name, member in [("the tower", small), ("a block", small.blocks[1]), ("its linear", small.blocks[1].linear)]:
    assert member.training is False, f"after eval() {name} still learns"
assert other.blocks[0].training, "another tower must not change"
assert repr(small.blocks[0].bend) == "ReLU()", f"an activation was given an attribute: {small.blocks[0].bend!r}"
assert small.train().scores.training is True and small.training is True, "train() brings all layers back"

# %% nbgrader={"grade": true, "grade_id": "train_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on train(False), on one branch of a tree, and on the way there and back."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_tower = Tower(3, 2)
def _modes():
    return [_tower.training] + [m.training for _, m in _tower.named_members() if isinstance(m, Layer)]
answer([_tower.train(False) is _tower, *_modes()], about="after train(False)")
_tower.blocks[0].train()
answer(_modes(), about="after train() of the first block only")
answer([_tower.eval().train() is _tower, *_modes()], about="after eval() and train()")
### END HIDDEN TESTS

# %% [markdown]
# ## 6. Saved and loaded
#
# A network is its code and its numbers. `state_dict` hands out the numbers: a dictionary from the names of
# `named_parameters` to the arrays. Copies, or the next step of learning would change what you saved. One line.

# %% nbgrader={"grade": false, "grade_id": "state_dict", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_layer
class _State:
    def state_dict(self) -> dict[str, np.ndarray]:
        """Name -> a copy of the parameter's array."""
        ### BEGIN SOLUTION
        return {name: parameter.data.copy() for name, parameter in self.named_parameters()}
        ### END SOLUTION

# %%
{name: array.shape for name, array in tower.state_dict().items()}

# %% nbgrader={"grade": true, "grade_id": "state_dict_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""state_dict gives an array for each name, equal to the parameter and independent of it."""
small = Tower(4, 1)
state = small.state_dict()

assert list(state) == [name for name, _ in small.named_parameters()], f"the names are {list(state)}"
array = state["scores.bias"]
assert type(array) is np.ndarray, f"the values are NumPy arrays, not {type(array).__name__}"
np.testing.assert_array_equal(array, small.scores.bias.data)
small.scores.bias.assign(7)
assert not (array == 7).any(), "the parameter was overwritten, and what was saved changed too: copy"

# %% nbgrader={"grade": true, "grade_id": "state_dict_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a layer without a bias, on one without parameters, and on writing into what was saved."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_layer = Linear(3, 2, bias=False)
_layer.weight.assign(np.arange(6).reshape(2, 3))
_state = _layer.state_dict()
answer([list(_state), Layer().state_dict()], about="no bias; nothing at all")
answer(_state["weight"], about="the weights")
_state["weight"][...] = 0
answer(_layer.weight, about="the weights of the layer, after the saved ones are set to 0")
### END HIDDEN TESTS

# %% [markdown]
# `load_state_dict` is the way back, and it meets files from other days and other networks. Three things can be wrong: a
# name is *missing* in the state; a name is *unexpected*, as the layer has no such parameter; a *shape* differs. Collect
# a line for each, with its name, and for a shape both sides. If there is any, raise one `ValueError` with all of them,
# and load nothing: half a network is worse than none.
#
# Otherwise `assign` each array to its parameter. `np.shape(value)` is the shape of an array, a tensor or a list. About
# ten lines.

# %% nbgrader={"grade": false, "grade_id": "load_state_dict", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
@_in_layer
class _Loading:
    def load_state_dict(self, state: dict) -> None:
        """Copy arrays into the parameters of their names; a ValueError says all that does not fit, and then nothing is loaded."""
        own = dict(self.named_parameters())
        ### BEGIN SOLUTION
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        for name, parameter in own.items():
            if name in state and np.shape(state[name]) != parameter.shape:
                wrong.append(f"{name} has shape {parameter.shape} here, {np.shape(state[name])} in the state")
        if wrong:
            raise ValueError("; ".join(wrong))
        for name, parameter in own.items():
            parameter.assign(state[name])
        ### END SOLUTION

# %% [markdown]
# A state with all three mistakes:

# %% tags=["raises-exception"]
state = tower.state_dict()
state["scroes.bias"] = state.pop("scores.bias")
state["scores.weight"] = state["scores.weight"].T
tower.load_state_dict(state)

# %% nbgrader={"grade": true, "grade_id": "load_state_dict_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""load_state_dict makes two networks equal; a state that does not fit raises a ValueError with all names, and changes nothing."""
one, two, x = Tower(4, 1), Tower(4, 1), randn(5, 4)
two.load_state_dict(one.state_dict())
np.testing.assert_array_equal(one(x).data, two(x).data, err_msg="the same numbers, but not the same output")
assert two.scores.bias.written, "load with assign: it copies the numbers, and notes that they changed"

bad = Tower(4, 1).state_dict()
bad["blocks.0.linear.bias"] = np.zeros(3)
bad["extra"] = bad.pop("scores.weight")
try:
    result = two.load_state_dict(bad)
except ValueError as error:
    for name in ["blocks.0.linear.bias", "extra", "scores.weight", "(4,)", "(3,)"]:
        assert name in str(error), f"the error must name {name}, it says: {error}"
else:
    raise AssertionError("one name is missing, one unexpected, one shape wrong: this is a ValueError")
np.testing.assert_array_equal(one(x).data, two(x).data, err_msg="the state did not fit, and something was loaded all the same")

# %% nbgrader={"grade": true, "grade_id": "load_state_dict_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on each mistake alone, on shapes that would broadcast, and on whether the arrays are copied, by assign, and the state stays."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_layer, _w = Linear(2, 3), np.arange(6.0).reshape(3, 2)
for _about, _state in {
    "missing": {"weight": _w}, "unexpected": {"weight": _w, "bias": np.ones(3), "c": 1}, "a row for a matrix": {"weight": _w[:1], "bias": np.ones(3)},
    "a number for a vector": {"weight": _w, "bias": 1.0}, "a transposed matrix": {"weight": _w.T, "bias": np.ones(3)}, "nothing": {},
}.items():
    answer(raised(_layer.load_state_dict, _state), about=_about)
_weight, _before = _layer.weight, _layer.weight.written
_state = {"bias": Tensor([1.0, 2.0, 3.0]), "weight": _w}
_layer.load_state_dict(_state)
answer([list(_state), _state["bias"], _w], about="the state afterwards")
_w[0, 0] = 100
answer([_layer.weight is _weight, _layer.weight.data, str(_layer.weight.dtype), _layer.bias.data], about="the parameters afterwards")
answer(_layer.weight.written > _before, about="was the date of writing noted?")
### END HIDDEN TESTS

# %% [markdown]
# ## Use: an old classifier becomes a layer
#
# In module 02 a digit got the label of the nearest mean image: 64 subtractions and squares for each of ten means. Write
# the square out,
#
# $$|x - m|^2 = |x|^2 - 2\, x \cdot m + |m|^2$$
#
# The first term is the same for all ten. So the nearest mean $m$ is where $x \cdot m - |m|^2/2$ is largest: ten
# weighted sums and ten constants. That is a `Linear(64, 10)`, and we know its parameters without any training.

# %%
from tinytorch.core.tensor import stack

new, truth = pixels[1000:], labels[1000:]
means = stack([pixels[:1000][labels[:1000] == digit].mean(0) for digit in range(10)])  # (10, 64)

# %%
reader = Linear(64, 10)
reader.load_state_dict({"weight": means, "bias": -0.5 * (means * means).sum(1)})

# %% [markdown]
# How many of the 797 new digits does it read before the load, with random weights, and how many now?

# %%
def accuracy(model):
    return float((model(new).argmax(1).data == truth).mean())

# %%
accuracy(Linear(64, 10)), accuracy(reader)

# %% [markdown]
# Are these the answers that the distances give, all 797?

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

# %%
reader

# %% [markdown]
# To a file and back, into a layer that knows nothing. NumPy's `.npz` is a dictionary of arrays:

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
# Multiply two matrices of 1024 × 1024 float32. That is $2 \cdot 1024^3$, about 2.1 billion FLOPs, whoever does it. But
# how long it takes depends on who runs the loops, and in which order:
#
# - **your three loops**: Python interprets every multiplication;
# - **two loops and a vector**: Python steers, NumPy multiplies and adds whole rows or columns. Rows lie in one piece;
#   the numbers of a column lie 4 kB apart, each in a cache line of its own;
# - **`@`**: BLAS, which works in blocks that stay in the cache, with vector instructions, on all cores.

# %% [markdown]
# The slow ones compute only a part, and are counted by that part. `rows` and `columns` do the same multiplications;
# only the order of the loops differs. Write down, in powers of ten: how many GFLOP/s for each? And does the order
# matter to the loops in Python?

# %%
from tinytorch.core.setup import compare, readable, time_call

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
    """naive_matmul with the loops the other way round: down the columns of b first."""
    c = np.zeros((a.shape[0], b.shape[1]), np.float32)
    for j in range(b.shape[1]):
        for p in range(a.shape[1]):
            for i in range(a.shape[0]):
                c[i, j] += a[i, p] * b[p, j]

# %%
corner = a[:4], b[:, :16]
products = {
    "three loops": (2 * 4 * n * 16, lambda: naive_matmul(*corner)), "other order": (2 * 4 * n * 16, lambda: by_columns(*corner)),
    "columns": (2 * 16 * n * n, lambda: columns(16)), "rows": (2 * 16 * n * n, lambda: rows(16)), "a @ b": (2 * n**3, lambda: a @ b),
}
rates = {name: flops / time_call(f, repeat=3).min for name, (flops, f) in products.items()}
for name, rate in rates.items():
    print(f"{name:12} {rate / 1e9:9.4f} GFLOP/s   all of it: {readable(2 * n**3 / rate, 's'):>8}")

# %% [markdown]
# Three lessons, each a ratio of two lines. From the loops to the vectors: the interpreter, which handles objects
# instead of numbers. From columns to rows: the memory, fetched a line of 64 bytes at a time. From rows to `@`: `rows`
# reads a row of `b` and a row of `c` for one multiply-add a number, so it waits for the caches; BLAS uses each number
# many times while it is there, several at once, on every core. And the order of Python loops hardly matters: they are
# too slow to notice the memory.

# %% [markdown]
# ### One product or many?
#
# `LinearOp` puts all rows of a batch into one matrix. Without that line NumPy would multiply each of the 64 sequences for
# itself: the same FLOPs. Will it be the same time?

# %%
layer, x = Linear(128, 128, bias=False), randn(64, 32, 128)
c = compare({"64 products": lambda: x @ layer.weight.T, "one product": lambda: layer(x)}, rounds=9)
np.testing.assert_allclose(layer(x).data, (x @ layer.weight.T).data, rtol=1e-4, atol=1e-5)
c

# %% [markdown]
# ### Reflect: from a rate to an evening
#
# The first layer of module 11's network multiplies (128, 3072) by (3072, 512), 391 times in one epoch. How many FLOPs
# is one of these products? How long would the epoch's 391 take with your three loops, with `rows`, and with `@`, by the
# rates which you measured? Which of the three would you wait for? At most four sentences, with the numbers.

# %% [markdown] nbgrader={"grade": true, "grade_id": "rate_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# One product has 2 · 128 · 3072 · 512 = 403 MFLOP, 391 have 157 GFLOP. At 0.005 GFLOP/s the loops need 31,000 s, most
# of a working day. Rows at 1.2 GFLOP/s: 130 s. BLAS at 90 GFLOP/s: 1.7 s.
#
# Rubric: 2 points for 403 MFLOP (1 if the factor 2 is missing), 1 for 157 GFLOP, 3 for times that are these FLOPs
# divided by the rates in the answer, one each, 1 for a conclusion that follows from them.

# %% [markdown]
# ### Reflect: all the same
#
# "Random numbers only make trouble. I start all weights at 0.05." What 256 such units make of the 1,797 digits has
# 256 columns. Its *rank* is how many of them are left without those that are sums of multiples of others. Before you
# run the cell, write the rank down. Then explain in at most four sentences what module 10 will be able to change
# about it: can two of these units ever become different, if every step changes each weight by what its inputs and its
# outgoing weights tell?

# %%
np.linalg.matrix_rank(relu(pixels @ Tensor(np.full((64, 256), 0.05))).data)

# %% [markdown] nbgrader={"grade": true, "grade_id": "same_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# The rank is 1: all 256 units compute the same number, so the columns are equal. All of them get the same inputs, and
# if the outgoing weights are equal too, the same message back, so each step changes them all alike: they stay equal for
# ever, and 256 units are worth one. Random starts break the symmetry.
#
# Rubric: 2 points for rank 1 with its reason (equal columns), 3 for the argument that equal units receive equal changes
# (1 if only stated), 2 for the conclusion: the layer is worth one unit, or randomness breaks the tie.

# %% [markdown]
# ### Reflect: how deep until it breaks?
#
# Weights twice as large as Kaiming's, and weights half as large, with ReLU. The largest float32 is about $2^{128}$, the
# smallest above zero is $2^{-149}$. Predict for both at about which layer the first infinity appears, or the last
# number turns to zero. Then run the cell, and account for the difference between prediction and result. At most five
# sentences.

# %%
def broken_at(factor):
    x, layer = pixels[:300], 0
    with np.errstate(all="ignore"):
        while np.isfinite(x.data).all() and x.data.any():
            x, layer = relu(x @ (factor * kaiming_normal((256, x.shape[1]))).T), layer + 1
    return layer

broken_at(2), broken_at(0.5)

# %% [markdown] nbgrader={"grade": true, "grade_id": "depth_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# Each layer doubles or halves the scale, so from numbers near 1 an infinity should come at about layer 128, and zero at
# about layer 149. Here it was 127 and 147. What counts is the largest number of all, and where it starts: the standard
# deviation begins near 0.5, the largest unit is several times that, and the scale wanders by a few per cent in each
# layer. At the lower end what is below half of 2^-149 is rounded to zero.
#
# Rubric: 2 points for each prediction with the factor 2 a layer as its reason, 2 for an account that fits the numbers
# seen: the largest unit and the start decide (not the standard deviation alone), chance in each layer, or rounding at
# the lower end.

# %% [markdown]
# ## Summary
#
# There are parameters, and layers that hold them: found in a tree, named, switched between learning and work, saved and
# loaded, and started at a scale that survives fifty layers. `Linear` is the first of them. Every layer to come (dense,
# convolution, attention) inherits all this and writes `forward` alone. Module 05 puts layers in a row. None of them can
# learn yet: nobody says in which direction to change a weight. That is module 09.
