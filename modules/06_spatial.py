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
#     title: Spatial
#     part: Foundations
#     hours: 5
#     goals:
#     - write a convolution as loops, as one matrix product and as a layer, and say what each of them costs
#     - compute the output size for any kernel, stride and padding, and the receptive field of a stack of layers
#     - build max pooling and average pooling from views that copy nothing
#     - normalise each channel by its batch in training, and by running statistics later
#     - find out by measurement how much slower the interpreter, missing SIMD and the cache make a convolution
# ---

# %% [markdown]
# # Spatial
#
# > Convolution and pooling: one small set of weights, used everywhere in an image.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace:
# the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(6)

# %% [markdown]
# ## Why
#
# In module 02 a digit got the label of the nearest mean image, and about nine of ten
# digits were right. Now each digit lies on a larger sheet of 12×12 pixels: first in
# its middle, then 1 or 2 pixels beside it. You would hardly notice the difference.
# How many of ten are still right?

# %%
import numpy as np

from tinytorch.datasets import load_digits

images, labels = load_digits()

# %%
def placed(images, down=0, right=0):
    """Digits on sheets of 12×12, moved from the middle: (n, 8, 8) -> (n, 12, 12)."""
    sheet = np.zeros((len(images), 12, 12), np.float32)
    sheet[:, 2 + down : 10 + down, 2 + right : 10 + right] = images / 16
    return sheet

# %%
middle = placed(images[:1000])
means = np.stack([middle[labels[:1000] == digit].mean(0) for digit in range(10)])
for move in [(0, 0), (0, 1), (0, 2), (2, 2)]:
    distance = ((placed(images[1000:], *move)[:, None] - means) ** 2).sum((2, 3))
    print(f"moved by {move}: {(distance.argmin(1) == labels[1000:]).mean():4.0%}")

# %% [markdown]
# A mean image is compared pixel by pixel, and a moved digit meets the wrong pixels. A
# `Linear` layer has the same weakness, since each of its weights belongs to one pixel.
# What it learned on the left side of an image it does not know on the right side. It is
# also large. From $3 \cdot 32 \cdot 32$ numbers to $64 \cdot 32 \cdot 32$ it takes 201
# million weights.
#
# An edge is an edge wherever it lies. So take a *small* set of weights, a **kernel**,
# and use it at every place. For three by three pixels, 3 channels in and 64 out, these
# are $3 \cdot 3 \cdot 3 \cdot 64 = 1728$ weights.

# %%
#| default_exp core.spatial

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinytorch.core.activations import _floating
from tinytorch.core.layers import (
    Buffer, Layer, Parameter, fans, kaiming_uniform, uniform,
)
from tinytorch.core.tensor import Op, Tensor, apply, concat
from tinytorch.threads import BLOCK_BYTES, in_blocks

# %% [markdown]
# ## 1. One kernel, everywhere
#
# Images come as (batch, channel, height, width). The kernel lies on the image, one
# weight on each pixel that it covers. Multiply each weight by its pixel, add the
# products up and write the sum down. Then move the kernel on.
#
# One channel of one image, a kernel of 2×2, and the result. Check the marked number by
# hand, then the number to the right of it.

# %%
# You need not read this cell: it draws an array of numbers as a grid.
import matplotlib.pyplot as plt

def grid(ax, numbers, title, boxes=(), shade=None):
    """Boxes are (row, column, height, width, colour); `shade` colours the cells."""
    rows, columns = numbers.shape
    shade = np.zeros(numbers.shape) if shade is None else shade
    ax.imshow(shade, cmap="Pastel1_r" if shade.any() else "Greys", vmin=0, vmax=8)
    for i, j in np.ndindex(rows, columns):
        ax.text(j, i, f"{numbers[i, j]:g}", ha="center", va="center")
    ax.set(title=title, xticks=np.arange(columns) - 0.5, yticks=np.arange(rows) - 0.5)
    ax.grid(color="0.8")
    ax.tick_params(labelbottom=False, labelleft=False, length=0)
    for i, j, height, width, colour in boxes:
        ax.add_patch(plt.Rectangle((j - 0.5, i - 0.5), width, height, fill=False,
                                   edgecolor=colour, linewidth=3, clip_on=False,
                                   zorder=3))

# %%
picture = np.float32([[1, 0, 2, 1, 0], [3, 1, 1, 0, 2],
                      [0, 2, 4, 1, 1], [1, 0, 0, 3, 2]])
kernel = np.float32([[1, 2], [0, -1]])
result = np.float32([[0, 3, 4, -1], [3, -1, 0, 3], [4, 10, 3, 1]])
figure, axes = plt.subplots(1, 3, figsize=(9, 2.7), layout="constrained")
grid(axes[0], picture, "image (4, 5)", [(2, 1, 2, 2, "tab:red")])
grid(axes[1], kernel, "kernel (2, 2)")
title = "result (3, 4): 1·2 + 2·4 + 0·0 − 1·0 = 10"
grid(axes[2], result, title, [(2, 1, 1, 1, "tab:red")])

# %% [markdown]
# The **stride** is how far the kernel moves each time. **Padding** puts a frame of
# zeros around the image, so that the kernel reaches the border. In the pictures a
# kernel of 3×3 moves along the first row. How many places does it have in each?

# %%
# You need not read this cell: it draws the places of a kernel in the first row.
ones, colours = np.ones((5, 5)), ["tab:red", "tab:blue", "tab:green"]
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for ax, stride, padding in zip(axes, [1, 2, 2], [0, 0, 1], strict=True):
    framed = np.pad(ones, padding)
    places = range(0, len(framed) - 2, stride)
    boxes = [(0.09 * i, at + 0.09 * i, 3 - 0.18 * i, 3 - 0.18 * i, colours[i])
             for i, at in enumerate(places)]
    grid(ax, framed, f"stride {stride}, padding {padding}", boxes)

# %% [markdown]
# The kernel's size, the stride and the padding are each an int or a pair (down, right).
# `_pair` turns either of them into a pair.

# %% nbgrader={"grade": false, "grade_id": "pair", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
IntOrPair = int | Sequence[int]  # the same for both directions, or a pair: down, right


def _pair(value: IntOrPair, least: int = 1) -> tuple[int, int]:
    """3 as (3, 3), a pair as it is; a ValueError for others and below `least`."""
    pair = (value, value) if np.ndim(value) == 0 else tuple(value)
    if len(pair) != 2 or any(int(n) != n or n < least for n in pair):
        raise ValueError(
            f"{value} is neither an int nor a pair of ints, {least} or more"
        )
    return int(pair[0]), int(pair[1])

# %%
_pair(3), _pair((3, 5))

# %% [markdown]
# ### How large is the result?
#
# Count along one axis. The padded image has `size + 2 * padding` pixels. The kernel
# covers `kernel` of them and can still move by the rest. How many places are there, if
# it moves by `stride` each time and stays inside? Count its first place, and one more
# for every *full* stride in the rest.
#
# Write it for both axes. Each argument is an int or a pair. The result is always a pair
# `(down, right)` of ints. `_pair(padding, 0)` admits 0. If the kernel is larger than
# the padded image, raise a `ValueError` that names the size of the kernel and the size
# of the image. About six lines.

# %% nbgrader={"grade": false, "grade_id": "conv_output_size", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def conv_output_size(
    size: IntOrPair, kernel_size: IntOrPair,
    stride: IntOrPair = 1, padding: IntOrPair = 0,
) -> tuple[int, int]:
    """The number of places of the kernel: (down, right)."""
    ### BEGIN SOLUTION
    pairs = _pair(size), _pair(kernel_size), _pair(stride), _pair(padding, 0)
    out = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(*pairs, strict=True))
    if min(out) < 1:
        raise ValueError(
            f"a kernel of {kernel_size} does not fit into an image of {size}"
            f" with padding {padding}"
        )
    return out
    ### END SOLUTION

# %% [markdown]
# A kernel of 3 on 32 pixels with padding 1; then with stride 2 and no padding; then a
# wide kernel on a wide image. Predict all three sizes. In the cell after it, the kernel
# does not fit.

# %%
(conv_output_size(32, 3, padding=1), conv_output_size(32, 3, stride=2),
 conv_output_size((480, 640), (3, 5), 2, (1, 2)))

# %% tags=["raises-exception"]
conv_output_size(4, 7, padding=1)

# %% [markdown]
# Which padding keeps the size at stride 1? Half the kernel, rounded down, if the kernel
# is odd. PyTorch calls it "same", and no padding "valid":

# %%
[conv_output_size(32, k, padding=k // 2) for k in (1, 3, 5, 7, 4)]

# %% nbgrader={"grade": false, "grade_id": "same", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _named_padding(padding, kernel_size: IntOrPair, stride: IntOrPair):
    """The padding that the names "same" and "valid" mean; another one as it is."""
    kernel = _pair(kernel_size)
    if padding == "same":
        if _pair(stride) != (1, 1) or kernel[0] % 2 == 0 or kernel[1] % 2 == 0:
            raise ValueError(
                "padding='same' needs stride 1 and a kernel of odd size, not stride"
                f" {stride} and a kernel of {kernel_size}"
            )
        return kernel[0] // 2, kernel[1] // 2
    return 0 if padding == "valid" else padding

# %% nbgrader={"grade": true, "grade_id": "conv_output_size_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The size is the number of places, counted one by one, for ints and for pairs;
a kernel that does not fit is an error."""
sizes = [(32, 3, 1, 1), (8, 3, 2, 0), (7, 2, 2, 0), (5, 5, 1, 0), (6, 3, 4, 2),
         (1, 3, 1, 1)]
for n, k, s, p in sizes:
    places = len(range(-p, n + p - k + 1, s))
    what = f"{n} pixels, kernel {k}, stride {s}, padding {p}: {(places, places)}"
    try:
        got = conv_output_size(n, k, s, p)
    except ValueError as error:
        raise AssertionError(f"{what}, not a ValueError: {error}") from None
    assert got == (places, places), f"{what}, not {got}"
got = conv_output_size((10, 20), (3, 5), (1, 2), (0, 1))
what = "size (10, 20), kernel (3, 5), stride (1, 2), padding (0, 1)"
assert got == (8, 9), f"{what}: (8, 9), not {got}"
assert isinstance(got[0], int) and isinstance(got[1], int), f"a pair of ints, not {got}"
try:
    got = conv_output_size((9, 4), (3, 7), stride=2, padding=1)
except ValueError as error:
    named = "(3, 7)" in str(error) and "(9, 4)" in str(error)
    assert named, f"the error must name the sizes (3, 7) and (9, 4); it says: {error}"
else:
    raise AssertionError(f"a kernel of 7 on 4 + 2 pixels is a ValueError, not {got}")

# %% nbgrader={"grade": true, "grade_id": "conv_output_size_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on many sizes, strides and paddings, and on which of them do not fit."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_small = [conv_output_size(n, k, s, p)
          for n in (7, 8) for k in (1, 2, 3) for s in (1, 2, 3) for p in (0, 1)]
answer(_small, about="ints")
answer(conv_output_size((3, 90), (3, 1), (5, 7), (0, 4)), about="pairs")
_cases = [((2, 9), 3, 1, 0), (2, 3, 1, 1), (3, 8, 9, 2), (3, 7, 9, 2),
          ((4, 3), (4, 4), 2, 0), (5, 6, 4, 0)]
answer([raised(conv_output_size, *case) for case in _cases], about="which fit")
### END HIDDEN TESTS

# %% [markdown]
# PyTorch's documentation of `Conv2d` writes the same as a formula. Is it yours?
#
# $$\mathrm{out} = \left\lfloor \frac{\mathrm{size} + 2\,\mathrm{padding} -
# \mathrm{kernel}}{\mathrm{stride}} \right\rfloor + 1$$

# %% [markdown]
# ### The convolution as a formula
#
# With $C$ input channels the kernel has one weight for each channel at each of its
# places. Such a set of weights makes one channel of the result. $O$ sets make $O$
# channels. So the weights have shape $(O, C, k_h, k_w)$, and the result
# $(N, O, \mathrm{out}_h, \mathrm{out}_w)$:
#
# $$y_{noij} = b_o + \sum_{c} \sum_{p} \sum_{q}
# x_{n,\;c,\;i s_h + p,\;j s_w + q}\; w_{ocpq}$$
#
# Here $x$ has its frame of zeros already, and $s$ is the stride. (Mathematicians turn
# the kernel around first, and call this formula a cross-correlation. Deep-learning
# frameworks leave it as it is.)

# %% [markdown]
# No function of this module changes its inputs. The frame is given:

# %% nbgrader={"grade": false, "grade_id": "pad", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _pad(x: np.ndarray, padding: IntOrPair, value: float = 0.0) -> np.ndarray:
    """x in a frame of `value`: (n, c, h, w) -> (n, c, h + 2 down, w + 2 right)."""
    down, right = _pair(padding, 0)
    if down == right == 0:
        return x
    frame = ((0, 0), (0, 0), (down, down), (right, right))
    return np.pad(x, frame, constant_values=value)

# %% [markdown]
# The formula has seven indices, so it is seven loops: four over the places of $y$,
# three over the sum. `np.ndindex(2, 3)` or `np.ndindex((2, 3))` runs through all pairs
# of indices, (0, 0), (0, 1), ..., (1, 2). So one loop replaces several nested loops.
#
# Without a bias, `bias` is `None` and $b_o$ is 0. About four lines.

# %% nbgrader={"grade": false, "grade_id": "naive_conv2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def naive_conv2d(
    x: np.ndarray, weight: np.ndarray, bias=None,
    stride: IntOrPair = 1, padding: IntOrPair = 0,
) -> np.ndarray:
    """The formula, one multiply-add at a time:
    (n, c, h, w), (out, c, kh, kw) -> (n, out, oh, ow)."""
    (n, _, h, w), (out, _, kh, kw) = x.shape, weight.shape
    oh, ow = conv_output_size((h, w), (kh, kw), stride, padding)
    y = np.zeros((n, out, oh, ow), np.result_type(x, weight))
    x, (sh, sw) = _pad(x, padding), _pair(stride)
    ### BEGIN SOLUTION
    for n, o, i, j in np.ndindex(y.shape):
        y[n, o, i, j] = 0 if bias is None else bias[o]
        for c, p, q in np.ndindex(weight.shape[1:]):
            y[n, o, i, j] += x[n, c, i * sh + p, j * sw + q] * weight[o, c, p, q]
    ### END SOLUTION
    return y

# %% [markdown]
# First the picture from above, with a batch and a channel of 1 in front. Is it the
# result that stands there?

# %%
naive_conv2d(picture[None, None], kernel[None, None])[0, 0]

# %% [markdown]
# Now a small image. It is dark, then bright from column 6 on, and one pixel in the dark
# part is bright. The kernel takes the right neighbour minus the left one. Where is the
# result 0, and what does the single pixel leave behind?

# %%
small = np.zeros((1, 1, 3, 9), np.float32)
small[..., 6:], small[..., 1, 2] = 1, 1
small[0, 0]

# %%
difference = np.float32([-1, 0, 1]).reshape(1, 1, 1, 3)
naive_conv2d(small, difference)[0, 0]

# %% nbgrader={"grade": true, "grade_id": "naive_conv2d_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""One pixel leaves the kernel behind, turned around; a 1×1 kernel mixes channels;
the bias adds once; stride and padding choose the places; the inputs stay."""
spot, turned = np.zeros((1, 1, 5, 6), np.float32), np.arange(6.0).reshape(1, 1, 2, 3)
spot[0, 0, 2, 3] = 1
y = naive_conv2d(spot, turned)
assert y.shape == (1, 1, 4, 4), f"5×6 pixels, kernel 2×3: (1, 1, 4, 4), not {y.shape}"
what = "one pixel at (2, 3) leaves the kernel behind, turned around"
np.testing.assert_array_equal(y[0, 0, 1:3, 1:4], turned[0, 0, ::-1, ::-1], what)
assert y.sum() == 15, f"elsewhere the result is 0: the sum is 15, not {y.sum():.6g}"

rng = np.random.default_rng(0)
x, mix = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((6, 3, 1, 1))
bias = np.arange(6)
expected = np.einsum("nchw,oc->nohw", x, mix[..., 0, 0]) + bias.reshape(6, 1, 1)
what = "a 1×1 kernel mixes channels, and the bias comes once"
np.testing.assert_allclose(naive_conv2d(x, mix, bias), expected, err_msg=what)
assert (bias == np.arange(6)).all(), f"naive_conv2d changed the bias: {bias.tolist()}"
equal = np.ones((1, 3, 3, 2))
every, inner = naive_conv2d(x, equal, padding=(1, 0)), naive_conv2d(x, equal)
what = "padding (1, 0) adds one row above and one below"
np.testing.assert_allclose(every[:, :, 1:-1], inner, err_msg=what)
some = naive_conv2d(x, equal, stride=(2, 3), padding=(1, 0))
what = "stride (2, 3) keeps every 2nd row and every 3rd column"
np.testing.assert_allclose(some, every[:, :, ::2, ::3], err_msg=what)

# %% nbgrader={"grade": true, "grade_id": "naive_conv2d_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a batch with channels and an oblong kernel, with stride and padding
as pairs, with a bias and without."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_r = np.random.default_rng(1)
_x, _w, _b = (_r.standard_normal(s) for s in [(2, 3, 5, 6), (4, 3, 2, 3), (4,)])
answer([naive_conv2d(_x, _w, _b, (2, 1), (0, 2)), _b], about="with a bias; the bias")
answer(naive_conv2d(_x, _w), about="without")
answer(naive_conv2d(_x.astype(np.float32), _w.astype(np.float32), None, 3, 1),
       about="float32, stride 3")
### END HIDDEN TESTS

# %% [markdown]
# How long would a layer of an ordinary size take? 128 images of 16×16, 32 channels in
# and 64 out, a kernel of 3×3: $128 \cdot 256 \cdot 64 \cdot 288$ multiply-adds. Measure
# the time of one on a small piece (1 ks is a thousand seconds):

# %%
from tinytorch.core.setup import compare, peak_memory, readable, time_call

x, weight = np.ones((1, 2, 8, 8), np.float32), np.ones((4, 2, 3, 3), np.float32)
one = time_call(naive_conv2d, x, weight, repeat=3).min / (4 * 6 * 6 * 2 * 9)
readable(one, "s"), readable(one * 128 * 256 * 64 * 288, "s")

# %% [markdown]
# ## 2. The same as one product
#
# That is too long for one layer that is used once. But one operation multiplies and
# adds at full speed: the matrix product. For a product, the numbers of each place must
# stand in one row.

# %% [markdown]
# ### Windows
#
# The part of the image that the kernel covers at one place is a **window**. From one
# number of a window to the next, you move through the image by a fixed step. The same
# is true from one window to the next. So *all* windows together are a view (module 02),
# with six axes.
#
# NumPy makes it: `sliding_window_view(x, (kh, kw), axis=(2, 3))` has shape
# $(N, C, H - k_h + 1, W - k_w + 1, k_h, k_w)$, one window for every place at stride 1.
# On one axis:

# %%
row = np.arange(6)
sliding_window_view(row, 3, axis=0), sliding_window_view(row, 3, axis=0).strides

# %% [markdown]
# The number 2 stands in three windows, but only once in memory. With a stride, every
# $s_h$-th row and every $s_w$-th column *of windows* remains. That is slicing, and
# slices are views as well.
#
# Write `windows`: two lines. The result must be a view of `x`. Use `_pair` for both
# sizes, since each may be an int.

# %% nbgrader={"grade": false, "grade_id": "windows", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def windows(x: np.ndarray, kernel_size: IntOrPair, stride: IntOrPair = 1) -> np.ndarray:
    """What the kernel covers at each place, as a view:
    (n, c, h, w) -> (n, c, oh, ow, kh, kw)."""
    ### BEGIN SOLUTION
    sh, sw = _pair(stride)
    return sliding_window_view(x, _pair(kernel_size), axis=(2, 3))[:, :, ::sh, ::sw]
    ### END SOLUTION

# %% [markdown]
# An image of 4×6, a kernel of 2×2, stride 2: which four numbers stand in the window at
# (1, 0)?

# %%
image = np.arange(24).reshape(1, 1, 4, 6)
image[0, 0], windows(image, 2, 2)[0, 0, 1, 0]

# %%
windows(image, 2, 2).shape, windows(image, 2, 2).strides

# %% nbgrader={"grade": true, "grade_id": "windows_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Each window is a piece of the image, there are as many as conv_output_size says, and
nothing is copied."""
x = np.random.default_rng(0).standard_normal((2, 3, 7, 9))
view = windows(x, (2, 3), (2, 1))

assert view.shape == (2, 3, 3, 7, 2, 3), \
    f"(n, c, oh, ow, kh, kw) is (2, 3, 3, 7, 2, 3), not {view.shape}"
what = "stride (2, 1): the window at (1, 4) begins in row 2 and column 4"
np.testing.assert_array_equal(view[:, :, 1, 4], x[:, :, 2:4, 4:7], what)
assert np.shares_memory(view, x), "the windows must be a view of the image, not a copy"
shape = windows(x, 3, 2).shape
assert shape == (2, 3, 3, 4, 3, 3), \
    f"ints too: kernel 3 and stride 2 give shape (2, 3, 3, 4, 3, 3), not {shape}"

# %% nbgrader={"grade": true, "grade_id": "windows_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on an image that is not contiguous, on a stride larger than the
kernel, and on a window as large as the image."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = np.arange(240.0).reshape(2, 4, 5, 6).transpose(0, 3, 1, 2)[:, ::3]
answer(windows(_x, (3, 2), (1, 3)), about="not contiguous")
answer(windows(_x, 1, (2, 4)), about="a stride larger than the kernel")
answer(windows(_x, (4, 5)).shape, about="as large as the image")
### END HIDDEN TESTS

# %% [markdown]
# ### Image to columns
#
# Now lay out each window as one row of a matrix, with all its channels. (The name says
# columns: in early programs the windows were columns.) Two of the six windows are
# marked:

# %%
# You need not read this cell: it draws windows of an image as rows of a matrix.
small = np.arange(12).reshape(3, 4)
rows = sliding_window_view(small, (2, 2)).reshape(6, 4)
figure, axes = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
grid(axes[0], small, "image (3, 4), kernel 2×2",
     [(0, 0, 2, 2, "tab:red"), (1, 1, 2, 2, "tab:blue")])
grid(axes[1], rows, "im2col: (6, 4), one row a window",
     [(0, 0, 1, 4, "tab:red"), (4, 0, 1, 4, "tab:blue")])

# %% [markdown]
# The rows go by image, then down, then right: $N\,\mathrm{out}_h\,\mathrm{out}_w$ rows.
# Each row holds $C\,k_h\,k_w$ numbers, in the order of a set of weights: channel by
# channel, and in each channel row by row.
#
# Pad with `_pad` and take the windows. Bring the axes into the order that the rows
# need, and `reshape` to two axes. The dtype stays. Three to four lines. No strides
# describe the result, so this reshape copies, and it copies almost every pixel
# $k_h k_w$ times.

# %% nbgrader={"grade": false, "grade_id": "im2col", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def im2col(
    x: np.ndarray, kernel_size: IntOrPair, stride: IntOrPair = 1, padding: IntOrPair = 0
) -> np.ndarray:
    """Every window as one row: (n, c, h, w) -> (n * oh * ow, c * kh * kw)."""
    ### BEGIN SOLUTION
    view = windows(_pad(x, padding), kernel_size, stride)  # (n, c, oh, ow, kh, kw)
    n, c, oh, ow, kh, kw = view.shape
    return view.transpose(0, 2, 3, 1, 4, 5).reshape(n * oh * ow, c * kh * kw)
    ### END SOLUTION

# %% [markdown]
# The image of 4×6 again, at stride 1. Its first row of windows has five places. Which
# numbers stand in row 0 of the matrix, and which in row 5?

# %%
im2col(image, 2)[0], im2col(image, 2)[5]

# %%
image.shape, im2col(image, 2).shape

# %% nbgrader={"grade": true, "grade_id": "im2col_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Row after row a window with all its channels, by image, then down, then right; with a
1×1 kernel only the channels move to the end."""
x = np.arange(144.0).reshape(2, 3, 4, 6)
rows = im2col(x, (2, 3), (1, 2))

shape = rows.shape
assert shape == (12, 18), f"(n * oh * ow, c * kh * kw) is (12, 18), not {shape}"
what = "row 3 is image 0, place (1, 1), channel by channel"
np.testing.assert_array_equal(rows[3], x[0, :, 1:3, 2:5].ravel(), what)
what = "row 6 is image 1, place (0, 0), channel by channel"
np.testing.assert_array_equal(rows[6], x[1, :, 0:2, 0:3].ravel(), what)
each_pixel = np.moveaxis(x, 1, -1).reshape(-1, 3)
what = "with a 1×1 kernel each row is one pixel"
np.testing.assert_array_equal(im2col(x, 1), each_pixel, what)
rows = im2col(x.astype(np.float32), 3, 1, (0, 1))
assert rows.shape == (24, 27), f"padding (0, 1): shape (24, 27), not {rows.shape}"
assert rows.dtype == np.float32, f"the dtype stays: float32, not {rows.dtype}"

# %% nbgrader={"grade": true, "grade_id": "im2col_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again with padding and stride as pairs, and in float32."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = np.random.default_rng(2).standard_normal((2, 2, 5, 3))
answer(im2col(_x, (3, 2), (2, 1), (1, 2)), about="pairs")
answer(im2col(_x.astype(np.float32), 3), about="float32")
### END HIDDEN TESTS

# %% [markdown]
# ### One product
#
# Each row of `im2col(x)` is a window. Each row of `weight.reshape(out, -1)` is one set
# of weights, in the same order. So the whole convolution is
#
# $$Y = \mathrm{im2col}(x)\; W^\top + b$$
#
# of shape $(N\,\mathrm{out}_h\,\mathrm{out}_w, O)$. Give $Y$ its four axes back, and
# bring the channels to their place: (n, out, oh, ow). The given lines find the sizes.
# `bias` may be `None`. float32 stays float32. Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "conv2d_im2col", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def conv2d_im2col(
    x: np.ndarray, weight: np.ndarray, bias=None,
    stride: IntOrPair = 1, padding: IntOrPair = 0,
) -> np.ndarray:
    """im2col(x) @ weight.T + bias:
    (n, c, h, w), (out, c, kh, kw) -> (n, out, oh, ow)."""
    (n, _, h, w), (out, _, kh, kw) = x.shape, weight.shape
    oh, ow = conv_output_size((h, w), (kh, kw), stride, padding)
    ### BEGIN SOLUTION
    y = im2col(x, (kh, kw), stride, padding) @ weight.reshape(out, -1).T
    if bias is not None:
        y = y + bias  # (n * oh * ow, out)
    return y.reshape(n, oh, ow, out).transpose(0, 3, 1, 2)
    ### END SOLUTION

# %% [markdown]
# The loops and the product add the same numbers in another order. How large is the
# difference in float32?

# %%
rng = np.random.default_rng(0)
x = rng.standard_normal((2, 3, 8, 8), dtype=np.float32)
weight = rng.standard_normal((4, 3, 3, 3), dtype=np.float32)
bias = np.ones(4, np.float32)

# %%
slow, fast = (f(x, weight, bias, padding=1) for f in (naive_conv2d, conv2d_im2col))
np.abs(fast - slow).max()

# %% nbgrader={"grade": true, "grade_id": "conv2d_im2col_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""One product gives what the loops give, also with stride and padding, with a bias and
without; its inputs stay."""
rng = np.random.default_rng(0)
x, weight, bias = (rng.standard_normal(s) for s in [(2, 3, 5, 7), (4, 3, 2, 3), (4,)])
before = x.copy(), weight.copy(), bias.copy()

conv2d_im2col(x, weight, bias)
for name, array, old in zip(["x", "weight", "bias"], [x, weight, bias], before):
    assert np.array_equal(array, old), \
        f"conv2d_im2col changed {name}: compute in new arrays"
for stride, padding in [(1, 0), (2, 0), (1, (1, 2)), ((1, 3), 1)]:
    got = conv2d_im2col(x, weight, bias, stride, padding)
    expected = naive_conv2d(x, weight, bias, stride, padding)
    what = f"stride {stride}, padding {padding}"
    assert got.shape == expected.shape, f"{what}: {expected.shape}, not {got.shape}"
    what += ": the product must give what the loops give"
    np.testing.assert_allclose(got, expected, atol=1e-12, err_msg=what)
got, expected = conv2d_im2col(x, weight), naive_conv2d(x, weight)
what = "without a bias the product must give what the loops give"
np.testing.assert_allclose(got, expected, atol=1e-12, err_msg=what)
x, weight, bias = (array.astype(np.float32) for array in before)
for what, b in [("with a bias", bias), ("without a bias", None)]:
    got = conv2d_im2col(x, weight, b).dtype
    assert got == np.float32, f"{what}: float32 stays float32, but the result is {got}"

# %% nbgrader={"grade": true, "grade_id": "conv2d_im2col_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on more channels, in float32, and on whether the inputs stay."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_r = np.random.default_rng(3)
_x = _r.standard_normal((3, 8, 6, 5), dtype=np.float32)
_w = _r.standard_normal((7, 8, 3, 3), dtype=np.float32)
_before, _close = (_x.copy(), _w.copy()), {"rtol": 1e-4, "atol": 1e-4}
answer(conv2d_im2col(_x, _w, None, (2, 1), 1), about="float32, 8 channels", **_close)
answer(conv2d_im2col(_x, _w, _w[:, 0, 0, 0], 3, (0, 2)), about="with a bias", **_close)
answer([bool((_x == _before[0]).all()), bool((_w == _before[1]).all())], about="inputs")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. The layer
#
# Tensors pass through an `Op`. This one calls your convolution. Its derivative will
# need the input, the weights, and whether there was a bias, so it saves these three. It
# does not save the windows: they are nine times as large as the input, and can be
# copied again.

# %% nbgrader={"grade": false, "grade_id": "conv2d_op", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Conv2dOp(Op):
    """Conv2dOp(stride, padding): x convolved with weight, plus bias if there is one.
    Saves (x, weight, whether there is a bias)."""
    algorithm = staticmethod(conv2d_im2col)  # section 7 puts a faster one here

    def forward(self, x, weight, bias=None):
        self.saved = (x, weight, bias is not None)
        return self.algorithm(x, weight, bias, *self.parameters)

    def flops(self, y, x, weight, bias=None) -> int:
        return 2 * y.size * weight[0].size + (bias is not None) * y.size

# %% [markdown]
# `summary` of module 05 asks an op for its `flops`. Does the op count the
# multiplications and additions that your formula makes?

# %%
x, weight = np.ones((8, 32, 16, 16), np.float32), np.ones((64, 32, 3, 3), np.float32)
op = Conv2dOp((1, 1), (1, 1))
op.flops(op.forward(x, weight), x, weight), 2 * 8 * 64 * 16 * 16 * 32 * 3 * 3

# %% [markdown]
# The layer holds the weights. It draws them as PyTorch does: `fans` of module 04 counts
# the $C k_h k_w$ numbers that enter one output.
#
# People give a layer all kinds of arrays. `_images` passes batches of images on, turns
# integers into float32, and says what is wrong with anything else.

# %% nbgrader={"grade": false, "grade_id": "images", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _images(x: Tensor, layer: Layer, channels: int | None = None) -> Tensor:
    """x as floats, if it is a batch of images with `channels`; else a ValueError."""
    if x.ndim != 4 or channels not in (None, x.shape[1]):
        takes = f"(batch, {channels or 'channels'}, height, width)"
        raise ValueError(f"{layer} takes {takes}, not {x.shape}")
    return _floating(x)

# %% [markdown]
# `groups` is PyTorch's option, and given. `_in_groups` cuts the channels into groups.
# The kernels of a group see the channels of their group only, which takes fewer
# weights. (MobileNet gives each channel a kernel of its own.)

# %% nbgrader={"grade": false, "grade_id": "in_groups", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _in_groups(x: Tensor, layer: Layer) -> Tensor:
    """A convolution for each group of channels, their results side by side."""
    parts = [x.chunk(layer.groups, 1), layer.weight.chunk(layer.groups)]
    if layer.bias is not None:
        parts.append(layer.bias.chunk(layer.groups))
    convolved = [apply(Conv2dOp(layer.stride, layer.padding), *inputs)
                 for inputs in zip(*parts, strict=True)]
    return concat(convolved, 1)

# %% [markdown]
# Write `forward`. Everything that comes in must pass through `_images(x, self, ...)`,
# with the number of channels for which this layer has weights; go on with what
# `_images` returns. Then `apply` an op with the layer's stride and padding, so that the
# result remembers its inputs. If `self.bias` is `None`, the op gets two tensors, else
# three. Three to four lines.

# %% nbgrader={"grade": false, "grade_id": "conv2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Conv2d(Layer):
    """One kernel for each output channel, used at every place of an image."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: IntOrPair,
        stride: IntOrPair = 1, padding: IntOrPair | str = 0, bias: bool = True,
        groups: int = 1,
    ):
        if groups < 1 or in_channels % groups or out_channels % groups:
            sizes = f"{in_channels} channels and {out_channels} kernels"
            raise ValueError(f"{sizes} cannot be cut into {groups} equal groups")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride = _pair(kernel_size), _pair(stride)
        self.padding = _pair(_named_padding(padding, kernel_size, stride), 0)
        self.groups = groups
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = Parameter(kaiming_uniform(shape, a=5**0.5))
        bound = fans(shape)[0] ** -0.5
        self.bias = Parameter(uniform((out_channels,), bound)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(n, in, h, w) -> (n, out, oh, ow), sizes as conv_output_size gives them."""
        if self.groups > 1:
            return _in_groups(_images(x, self, self.in_channels), self)
        ### BEGIN SOLUTION
        x = _images(x, self, self.in_channels)
        inputs = (x, self.weight) if self.bias is None else (x, self.weight, self.bias)
        return apply(Conv2dOp(self.stride, self.padding), *inputs)
        ### END SOLUTION

    def extra_repr(self) -> str:
        channels = f"{self.in_channels}, {self.out_channels}"
        text = f"{channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        text += f", groups={self.groups}" if self.groups > 1 else ""
        return text if self.bias is not None else text + ", bias=False"

# %% [markdown]
# How many numbers does this layer learn? What shape does its result have?

# %%
layer = Conv2d(3, 8, kernel_size=3, stride=2, padding=1)
layer, sum(parameter.size for parameter in layer.parameters())

# %%
layer(Tensor(np.ones((5, 3, 32, 32)))).shape

# %% [markdown]
# What happens if the channels come last?

# %% tags=["raises-exception"]
layer(Tensor(np.ones((5, 32, 32, 3))))

# %% [markdown]
# Eight channels in four groups: how many weights?

# %%
Conv2d(8, 8, 3, groups=4).weight.shape, Conv2d(8, 8, 3).weight.shape

# %% nbgrader={"grade": true, "grade_id": "conv2d_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Conv2d is the convolution with its own weights, stride, padding and bias; the
result remembers its inputs; integers become float32; a wrong shape is named."""
x = np.random.default_rng(0).standard_normal((2, 3, 9, 8), dtype=np.float32)
layers = [Conv2d(3, 4, (2, 3), stride=(1, 2), padding=(1, 0)),
          Conv2d(3, 5, 3, bias=False)]
for layer in layers:
    y, b = layer(Tensor(x)), None if layer.bias is None else layer.bias.data
    assert isinstance(y, Tensor), f"{layer} must give a Tensor, not {type(y).__name__}"
    expected = naive_conv2d(x, layer.weight.data, b, layer.stride, layer.padding)
    what = f"{layer} must give what the loops give"
    np.testing.assert_allclose(y.data, expected, atol=1e-5, err_msg=what)
    inputs, wanted = len(y.origin[1]) if y.origin else 0, 2 if b is None else 3
    assert inputs == wanted, \
        f"the op's inputs are x, the weight and the bias if any: {wanted}, not {inputs}"
for shape in [(2, 1, 9, 8), (3, 9, 8)]:
    try:
        layer(Tensor(np.ones(shape)))
    except Exception as error:
        says = f"{type(error).__name__}: {error}"
        assert isinstance(error, ValueError) and str(shape) in says, (
            f"for shape {shape} the layer must raise the ValueError of `_images`: begin"
            f" with x = _images(x, self, the number of channels). It raised {says}")
    else:
        raise AssertionError(f"{layer} took shape {shape}: _images must refuse it")
whole = layer(Tensor(np.arange(27).reshape(1, 3, 3, 3))).dtype
assert whole == np.float32, \
    f"go on with what _images returns: integers give float32, not {whole}"

# %% nbgrader={"grade": true, "grade_id": "conv2d_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on an image of integers, on a batch of one, on what the op remembers,
and on shapes that are not images."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_layer = Conv2d(2, 3, 3, stride=2, padding=(2, 1))
_layer.weight.data[...] = np.arange(54).reshape(3, 2, 3, 3) / 10
_layer.bias.data[...] = [1, 2, 3]
_x = Tensor(np.arange(60).reshape(1, 2, 5, 6))
answer(_layer(_x), about="integers, a batch of one", rtol=1e-4)
_x = Tensor(np.ones((2, 2, 4, 4)), requires_grad=True)
_op, _in = _layer(_x).origin
_same = [_in[0] is _x, _in[1] is _layer.weight, _in[2] is _layer.bias]
answer([type(_op).__name__, _op.parameters, _same], about="what it remembers")
_shapes = [(2, 5, 5), (1, 3, 5, 5), (1, 2, 1, 1), (0, 2, 5, 5)]
answer([raised(_layer, Tensor(np.ones(s))) for s in _shapes], about="no images")
### END HIDDEN TESTS

# %% [markdown]
# ### A kernel by hand
#
# In module 11 the kernels are learned. Which kernel would you choose to find edges? The
# **Sobel** kernel takes the right neighbours minus the left ones and averages over
# three rows:
#
# $$\tfrac18 \begin{pmatrix} -1 & 0 & 1 \\ -2 & 0 & 2 \\ -1 & 0 & 1 \end{pmatrix}$$
#
# This is the slope to the right, per pixel. Its transpose is the slope down. An edge is
# where the brightness is steep, in any direction:
# $\sqrt{g_{\mathrm{right}}^2 + g_{\mathrm{down}}^2}$.

# %% [markdown]
# Write `edges` with a layer `Conv2d(1, 2, 3, bias=False)`. Set its `.weight.data[...]`
# to the two kernels, shape (2, 1, 3, 3). Go on with tensor operations: the result must
# remember the image, so that a gradient can come back to it. Use no padding, since a
# frame of zeros would be an edge. Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "edges", "locked": false, "schema_version": 3, "solution": true, "task": false}
SOBEL = np.float32([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8

def edges(image: Tensor) -> Tensor:
    """How steep the brightness is: (n, 1, h, w) -> (n, 1, h - 2, w - 2)."""
    ### BEGIN SOLUTION
    slopes = Conv2d(1, 2, 3, bias=False)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    right_and_down = slopes(image)  # (n, 2, h - 2, w - 2)
    return (right_and_down**2).sum(1, keepdims=True).sqrt()
    ### END SOLUTION

# %% [markdown]
# A plane rises by 3 a pixel to the right and by 4 a pixel downwards. How steep is it?

# %%
plane = 3.0 * np.arange(6) + 4.0 * np.arange(5)[:, None]
edges(Tensor(plane.reshape(1, 1, 5, 6))).data[0, 0]

# %% nbgrader={"grade": true, "grade_id": "edges_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""The steepness of a plane is the length of its slope, in every direction and at
every height; the result remembers the image, and the image stays."""
right, down = np.arange(7.0), np.arange(6.0)[:, None]
for a, b in [(3, 4), (-5, 12), (0, 2), (0, 0)]:
    plane = a * right + b * down + 10
    both = np.stack([plane, -plane])[:, None]  # a batch of two, equally steep
    image = Tensor(both, requires_grad=True)
    before, y = image.data.copy(), edges(image)
    assert isinstance(y, Tensor), f"edges must return a Tensor, not {type(y).__name__}"
    assert y.shape == (2, 1, 4, 5), f"(2, 1, 6, 7) gives (2, 1, 4, 5), not {y.shape}"
    assert y.dtype == np.float32, f"float32 stays float32, but the result is {y.dtype}"
    what = f"slope {a} right and {b} down: the steepness is {np.hypot(a, b):g}"
    np.testing.assert_allclose(y.data, np.hypot(a, b), atol=1e-4, err_msg=what)
    assert (image.data == before).all(), "edges changed the image"
behind = [y]
for tensor in behind:  # the list grows while we walk: in the end all that y was made of
    behind += tensor.origin[1] if tensor.origin else ()
assert any(tensor is image for tensor in behind), \
    "the result does not remember the image: use tensor operations, not NumPy and .data"

# %% nbgrader={"grade": true, "grade_id": "edges_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a batch of images that are not planes, and on whether they stay."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor(np.random.default_rng(4).standard_normal((3, 1, 6, 5)))
answer(edges(_x), about="a batch", rtol=1e-4, atol=1e-5)
answer(_x, about="the batch after the call")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Pooling
#
# Whether there is an edge matters. On which pixel exactly matters less. **Max pooling**
# keeps the largest number of each window and forgets its place. Usually the windows lie
# side by side: with a kernel of 2 and a stride of 2, one number of four remains.
#
# `windows(x, 2, 2).max((-2, -1))` gives the result. But the derivative will go to the
# largest number alone, so the op has to remember *which* number of each window it was.

# %% [markdown]
# So walk through the places of the kernel instead of through the windows. Take what
# lies under one place of the kernel, in all windows at once. This is a strided slice of
# the image: a **tap**. A kernel of 2×2 has four taps.

# %% nbgrader={"grade": false, "grade_id": "taps", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _taps(
    x: np.ndarray, kernel_size: IntOrPair, stride: IntOrPair, padding: IntOrPair,
    value: float,
) -> list[np.ndarray]:
    """For each place of the kernel, row by row, what lies under it in all windows:
    kh * kw views (n, c, oh, ow)."""
    view = windows(_pad(x, padding, value), kernel_size, stride)
    return [view[..., p, q] for p, q in np.ndindex(view.shape[4:])]

# %%
image = np.float32([[1, 5, 2, 0], [3, 4, 2, 6], [7, 7, 0, 0], [1, 7, 0, 9]])[None, None]
taps = _taps(image, 2, 2, 0, -np.inf)
figure, axes = plt.subplots(1, 5, figsize=(11, 2.4), layout="constrained")
number = np.tile([[1, 2], [3, 4]], (2, 2))  # one colour for each tap
corners = [(i, j, 2, 2, "0.3") for i in (0, 2) for j in (0, 2)]
grid(axes[0], image[0, 0], "image, four windows", corners, number)
for i, tap in enumerate(taps):
    grid(axes[i + 1], tap[0, 0], f"tap {i}", shade=np.full((2, 2), i + 1))

# %% [markdown]
# The largest of the taps, place by place, is the result. Go through the taps in order
# and keep a running maximum `y`. Where tap `i` is larger than `y`, and not only equal
# to it, tap `i` wins: there `which` becomes `i`. So the first of equal taps keeps its
# place.

# %% [markdown]
# A fast way uses the numbers 0, 1, 2, ... in `number`, one byte each.
# `number[i] * (tap > y)` is `i` where tap `i` wins, and 0 elsewhere. All numbers in
# `which` are still below `i`. So the elementwise maximum of the two is the new `which`.
# (`which[tap > y] = i` does the same more slowly.)

# %% [markdown]
# And nan? `np.maximum` passes nan on, so that a fault stays visible. But `tap > y` is
# False if one of them is nan. So `which` would name another number, to which the
# derivative would go. Where `y` is nan, `which` must name a tap that is nan, the last
# one if there are several. This is rare: test `y` once, at the end, and only then go
# through the taps again.
#
# Six lines. The taps must not change, and `which` keeps the dtype of `number`.

# %% nbgrader={"grade": false, "grade_id": "largest", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def largest(taps: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The elementwise maximum of arrays of one shape, and the number of the first array
    that has it: two arrays of that shape."""
    dtype = np.min_scalar_type(len(taps) - 1)  # uint8, one byte each, up to 256 taps
    number = np.arange(len(taps), dtype=dtype)
    y, which = np.full_like(taps[0], -np.inf), np.zeros_like(taps[0], dtype)
    ### BEGIN SOLUTION
    for i, tap in enumerate(taps):
        np.maximum(which, number[i] * (tap > y), out=which)
        np.maximum(y, tap, out=y)
    if np.isnan(y).any():
        for i, tap in enumerate(taps):
            which[np.isnan(tap)] = i
    ### END SOLUTION
    return y, which

# %% [markdown]
# In the lower left window are three sevens. Which tap wins there?

# %%
largest(taps)

# %% nbgrader={"grade": true, "grade_id": "largest_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""largest agrees with NumPy's max and argmax over the taps, also below zero and for
equal numbers; it finds the last nan, and leaves the taps as they are."""
rng = np.random.default_rng(0)
taps = list(rng.integers(-9, -1, (7, 2, 3, 4, 5)).astype(np.float32))
before = np.stack(taps)
y, which = largest(taps)

np.testing.assert_array_equal(y, before.max(0), "y must be the maximum over the taps")
what = "`which` must be the number of the first tap that has the maximum"
np.testing.assert_array_equal(which, before.argmax(0), what)
assert which.dtype == np.uint8, \
    f"which keeps the dtype of number: for 7 taps uint8, not {which.dtype}"
assert (np.stack(taps) == before).all(), \
    "largest changed the taps: keep the maximum in y, an array of its own"
nan = np.nan
columns = np.float32([[nan, 1, 1, 5, 2], [3, nan, nan, 4, 2], [9, 5, 1, -3, nan],
                      [9, 7, nan, -4, nan]])
y, which = largest(list(columns))
assert np.isnan(y).tolist() == [True, True, True, False, True], (
    f"each column of {columns.tolist()} with nan must give nan, the others not: {y}")
assert which.tolist() == [0, 1, 3, 0, 3], (
    f"the last nan of each column of {columns.tolist()} must win (else the first of the"
    f" largest): [0, 1, 3, 0, 3], not {which.tolist()}")

# %% nbgrader={"grade": true, "grade_id": "largest_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a single tap, a frame of -inf, nan, three hundred taps, float64."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_r = np.random.default_rng(5)
answer(list(largest([_r.standard_normal((2, 3))])), about="a single tap, float64")
_t = np.float32([[-np.inf, -np.inf, 2], [-np.inf, -3, 2], [-5, -3, -np.inf]])
answer(list(largest(list(_t))), about="a frame of -inf")
_many = list(_r.integers(0, 50, (300, 4)).astype(np.float32))
answer(list(largest(_many)), about="three hundred taps")
_many[280][:2] = _many[3] = np.nan
answer(list(largest(_many)), about="nan in three hundred taps")
### END HIDDEN TESTS

# %% [markdown]
# The op is given. It saves one byte for each window, instead of the image. The padding
# is $-\infty$, which wins over no number. Only where all of a window is $-\infty$ could
# the derivative go into the padding. There, `forward` names the first tap that lies
# inside the image.

# %% nbgrader={"grade": false, "grade_id": "max_pool_op", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class MaxPool2dOp(Op):
    """MaxPool2dOp(kernel_size, stride, padding): the largest number of each window.
    Saves (the number of its tap, x.shape)."""
    algorithm = staticmethod(largest)  # section 7 puts a faster one here

    def forward(self, x):
        y, which = self.algorithm(_taps(x, *self.parameters, -np.inf))
        if self.parameters[2] != (0, 0) and (y == -np.inf).any():
            which[...] = np.where(y == -np.inf, self.first_inside(y), which)
        self.saved = (which, x.shape)
        return y

    def first_inside(self, y) -> np.ndarray:
        """The number of the first tap inside the image, for each place: (oh, ow)."""
        (_, kw), (sh, sw), (down, right) = self.parameters
        rows = np.maximum(down - sh * np.arange(y.shape[2]), 0)
        columns = np.maximum(right - sw * np.arange(y.shape[3]), 0)
        return rows[:, None] * kw + columns

    def flops(self, y, x) -> int:
        return y.size * (prod(self.parameters[0]) - 1)

# %%
op = MaxPool2dOp((2, 2), (2, 2), (0, 0))
op.forward(image), op.saved

# %% [markdown]
# ### The mean
#
# **Average pooling** takes the mean of each window instead. The padding is zeros, and
# as in PyTorch these zeros count. With padding 1, the window of 2×2 at a corner holds
# one pixel and three zeros, and gives a quarter of the pixel.
#
# The derivative will spread evenly over each window, whatever stood in it. So save the
# shape alone, as `(x.shape,)`. `_taps(x, *self.parameters, value)` gives the taps. The
# result keeps the dtype of `x`, and the taps are views, so `x` must not change.
# (`sliding_window_view` makes its views read-only: add the taps up in a new array.)
# Three lines.

# %% nbgrader={"grade": false, "grade_id": "avg_pool", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class AvgPool2dOp(Op):
    """AvgPool2dOp(kernel_size, stride, padding): the mean of each window, padding
    included. Saves (x.shape,)."""

    def forward(self, x):
        ### BEGIN SOLUTION
        taps = _taps(x, *self.parameters, 0)
        self.saved = (x.shape,)
        return sum(taps) / len(taps)
        ### END SOLUTION

    def flops(self, y, x) -> int:
        return y.size * prod(self.parameters[0])

# %% [markdown]
# The image of the four windows again. Predict its four means. Which number stands in
# the upper left corner with padding 1?

# %%
AvgPool2dOp((2, 2), (2, 2), (0, 0)).forward(image)

# %%
AvgPool2dOp((2, 2), (2, 2), (1, 1)).forward(image)

# %% nbgrader={"grade": true, "grade_id": "avg_pool_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The mean of each window is a convolution with equal weights; padding counts; the
dtype stays; the shape is saved; the image stays."""
x = np.random.default_rng(0).standard_normal((2, 1, 5, 6), dtype=np.float32)
op = AvgPool2dOp((2, 3), (1, 2), (1, 1))
y, equal = op.forward(x), np.full((1, 1, 2, 3), 1 / 6, np.float32)

expected = conv2d_im2col(x, equal, None, (1, 2), (1, 1))
what = "the mean of a window of 2×3 is a kernel with six weights of 1/6"
np.testing.assert_allclose(y, expected, atol=1e-6, err_msg=what)
assert op.saved == ((2, 1, 5, 6),), f"save (x.shape,), not {op.saved}"
framed = AvgPool2dOp((2, 2), (2, 2), (1, 1))
corner = framed.forward(np.ones((1, 1, 4, 4)))[0, 0, 0, 0]
assert corner == 0.25, f"one pixel of 1 and three zeros: 0.25, not {corner:.6g}"
assert y.dtype == np.float32, f"float32 stays float32, but the result is {y.dtype}"
assert corner.dtype == np.float64, f"float64 stays float64, but this is {corner.dtype}"
before = x.copy()
AvgPool2dOp((2, 2), (2, 2), (0, 0)).forward(x)
assert (x == before).all(), "AvgPool2dOp changed the image: the taps are views of it"

# %% nbgrader={"grade": true, "grade_id": "avg_pool_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again with channels, on overlapping windows, in float64, and on whether the
image stays."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = np.random.default_rng(6).standard_normal((2, 3, 6, 7))
_before = _x.copy()
answer(AvgPool2dOp((3, 3), (2, 2), (0, 1)).forward(_x), about="overlapping windows")
answer(AvgPool2dOp((1, 1), (2, 3), (0, 0)).forward(_x), about="windows of one pixel")
answer(bool((_x == _before).all()), about="does the image stay?")
### END HIDDEN TESTS

# %% [markdown]
# The layers are given. Without a stride, the stride is the kernel's size, as in
# PyTorch. A padding of more than half of the kernel is an error: what would stand in
# the window at a corner? `GlobalAvgPool2d` takes the mean of each whole channel, for an
# image of any size.

# %% nbgrader={"grade": false, "grade_id": "pools", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class _Pool2d(Layer):
    """A window moves over each channel and gives one number at each place."""

    def __init__(
        self, kernel_size: IntOrPair,
        stride: IntOrPair | None = None, padding: IntOrPair = 0,
    ):
        self.kernel_size, self.padding = _pair(kernel_size), _pair(padding, 0)
        self.stride = self.kernel_size if stride is None else _pair(stride)
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(
                f"padding {padding} is more than half of the kernel {kernel_size}:"
                " a window could miss the image"
            )

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, oh, ow)."""
        op = self.op(self.kernel_size, self.stride, self.padding)
        return apply(op, _images(x, self))

    def extra_repr(self) -> str:
        sizes = f"kernel_size={self.kernel_size}, stride={self.stride}"
        return f"{sizes}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """The largest number of each window."""
    op = MaxPool2dOp

# %% [markdown]
# `count_include_pad=False` leaves the padding out of the mean. The mean of a window of
# ones says which share of it lies inside the image: divide by that.

# %% nbgrader={"grade": false, "grade_id": "avg_pool_layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class AvgPool2d(_Pool2d):
    """The mean of each window; padding counts as zeros, or not at all."""
    op = AvgPool2dOp

    def __init__(
        self, kernel_size: IntOrPair, stride: IntOrPair | None = None,
        padding: IntOrPair = 0, count_include_pad: bool = True,
    ):
        super().__init__(kernel_size, stride, padding)
        self.count_include_pad = count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, oh, ow)."""
        y = super().forward(x)
        if self.count_include_pad or self.padding == (0, 0):
            return y
        op = AvgPool2dOp(self.kernel_size, self.stride, self.padding)
        ones = np.ones((1, 1, *x.shape[2:]), y.dtype)
        return y / Tensor(op.forward(ones), dtype=y.dtype)

# %% nbgrader={"grade": false, "grade_id": "global_pool", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class GlobalAvgPool2d(Layer):
    """The mean of each channel, whatever the size of the image."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c)."""
        return _images(x, self).mean((2, 3))

# %% [markdown]
# `AdaptiveAvgPool2d((h, w))` gives h × w means, whatever the size of the image. Output
# $i$ of $h$ averages the rows from $\lfloor i\,H/h \rfloor$ up to, but not including,
# $\lceil (i+1)\,H/h \rceil$. A mean of rows is a product with a matrix of shares, so
# the layer is two products. Which numbers of the image go into the upper left mean of
# (2, 3)?

# %% nbgrader={"grade": false, "grade_id": "adaptive_pool", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _shares(size: int, out: int, dtype) -> Tensor:
    """Row i averages the pixels of output i: (out, size)."""
    matrix = np.zeros((out, size), dtype)
    for i in range(out):
        first, last = i * size // out, -(-(i + 1) * size // out)
        matrix[i, first:last] = 1 / (last - first)
    return Tensor(matrix, dtype=dtype)


class AdaptiveAvgPool2d(Layer):
    """As many means as wanted, over windows of about equal size."""

    def __init__(self, output_size):
        pair = isinstance(output_size, (tuple, list))
        self.output_size = tuple(output_size) if pair else (output_size, output_size)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, *output_size); None keeps the size of that axis."""
        x = _images(x, self)
        pairs = zip(x.shape[2:], self.output_size, strict=True)
        (h, oh), (w, ow) = [(n, n if out is None else out) for n, out in pairs]
        if (oh, ow) == (1, 1):
            return x.mean((2, 3), keepdims=True)
        return _shares(h, oh, x.dtype) @ x @ _shares(w, ow, x.dtype).T

    def extra_repr(self) -> str: return f"output_size={self.output_size}"

# %%
x = Tensor(image)
AdaptiveAvgPool2d((2, 3))(x)

# %%
AdaptiveAvgPool2d(1)(x).shape, AdaptiveAvgPool2d((None, 2))(x).shape

# %%
AvgPool2d(2, padding=1)(x), AvgPool2d(2, padding=1, count_include_pad=False)(x)

# %%
MaxPool2d(2)(x), AvgPool2d(2)(x), MaxPool2d(3, stride=1)(x)

# %%
GlobalAvgPool2d()(x), AvgPool2d(4)(x), MaxPool2d(2)

# %% tags=["raises-exception"]
MaxPool2d(2, padding=2)

# %% [markdown]
# ## 5. The receptive field
#
# A number behind one 3×3 convolution depends on 3 pixels across. Behind a second one it
# depends on three such numbers side by side, so on 5 pixels. The pixels that a number
# depends on are its **receptive field**.
#
# Go through the layers and keep two numbers. $r$ is the size of the field. The *jump*
# $j$ is the distance, in pixels of the image, between two neighbours in the present
# layer. Both begin as 1. A layer with kernel $k$ covers $k$ neighbours, so the field
# grows. A stride $s$ moves the neighbours apart:
#
# $$r \leftarrow r + (k - 1)\,j, \qquad j \leftarrow j\,s$$

# %% [markdown]
# Write it, down and right, for a list of layers. `.kernel_size` and `.stride` are
# pairs. Layers without a `kernel_size`, such as a ReLU, change nothing: skip them
# (`hasattr`). An array of two numbers serves both directions at once. The result is a
# pair of ints. Five to six lines.

# %% nbgrader={"grade": false, "grade_id": "receptive_field", "locked": false, "schema_version": 3, "solution": true, "task": false}
def receptive_field(layers) -> tuple[int, int]:
    """How many pixels, down and right, one number behind the layers depends on."""
    ### BEGIN SOLUTION
    field, jump = np.array([1, 1]), np.array([1, 1])
    for layer in layers:
        if hasattr(layer, "kernel_size"):
            field = field + (np.array(layer.kernel_size) - 1) * jump
            jump = jump * layer.stride
    return int(field[0]), int(field[1])
    ### END SOLUTION

# %% [markdown]
# Two layers of 3×3 see 5 pixels. How many do they see with a pooling of 2 between them?

# %%
(receptive_field([Conv2d(1, 1, 3), Conv2d(1, 1, 3)]),
 receptive_field([Conv2d(1, 1, 3), MaxPool2d(2), Conv2d(1, 1, 3)]))

# %% nbgrader={"grade": true, "grade_id": "receptive_field_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""The field is what one pixel can reach: counted on an image, pixel by pixel."""
from tinytorch.core.activations import ReLU

layers = [Conv2d(1, 1, (3, 2), stride=(1, 2), bias=False), ReLU(),
          AvgPool2d(2, stride=1), Conv2d(1, 1, (1, 3), stride=2, bias=False)]
y = Tensor(np.eye(12 * 16).reshape(-1, 1, 12, 16))  # one bright pixel an image
for layer in layers:
    if isinstance(layer, Conv2d):
        layer.weight.data[...] = 1
    y = layer(y)
seen = y.data[:, 0, 2, 1].reshape(12, 16) > 0  # the pixels that reach place (2, 1)
reached = int(seen.any(1).sum()), int(seen.any(0).sum())
got = receptive_field(layers)
assert isinstance(got, tuple) and all(isinstance(n, int) for n in got), \
    f"the result must be a pair of plain ints, as int(...) makes them, not {got!r}"
assert got == reached, f"counted on the image, the field is {reached}, not {got}"
none = receptive_field([])
assert none == (1, 1), f"without a layer a number is one pixel: (1, 1), not {none}"

# %% nbgrader={"grade": true, "grade_id": "receptive_field_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on five convolutions with strides as pairs, and on pools."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_five = [Conv2d(1, 1, (3, 1), stride=(1, 2)) for _ in range(5)]
answer(receptive_field(_five), about="five convolutions")
_pools = [Conv2d(1, 1, 7, stride=2), MaxPool2d(3, 2), Conv2d(1, 1, 3),
          Conv2d(1, 1, 3, padding=1)]
answer(receptive_field(_pools), about="with pools")
### END HIDDEN TESTS

# %% [markdown]
# Now we draw the field with the method of the check. All weights are 1. So the
# brightness of a pixel counts the *ways* by which it reaches one number in the middle
# of the result. Does a pixel at the rim of the field count as much as one in its
# centre?

# %%
def ways(layers, size: int = 23) -> np.ndarray:
    """By how many ways each pixel reaches a middle number, as a share of the most."""
    y = Tensor(np.eye(size * size).reshape(-1, 1, size, size))
    for layer in layers:
        y = layer(y)
    middle = y.data[:, 0, y.shape[2] // 2, y.shape[3] // 2]
    return (middle / middle.max()).reshape(size, size)

# %%
def equal(kernel_size: int, stride: int = 1) -> Conv2d:
    layer = Conv2d(1, 1, kernel_size, stride, bias=False)
    layer.weight.data[...] = 1
    return layer

# %%
stacks = {"one 3×3": [equal(3)], "two 3×3": [equal(3)] * 2, "five 3×3": [equal(3)] * 5,
          "three 3×3, stride 2": [equal(3, 2)] * 3, "one 11×11": [equal(11)],
          "three of (3×3, pool)": [equal(3), AvgPool2d(2)] * 3}

# %%
figure, axes = plt.subplots(1, 6, figsize=(13, 2.7), layout="constrained")
for ax, (name, layers) in zip(axes, stacks.items(), strict=True):
    ax.imshow(ways(layers), cmap="magma")
    ax.set(title=f"{name}\nsees {receptive_field(layers)[0]}", xticks=[], yticks=[])

# %% [markdown]
# Where does the grid come from, in "three 3×3, stride 2"? Windows of 3 that move by 2
# overlap by one pixel. A pixel in the overlap has two ways into the next layer, the
# others have one.

# %% [markdown]
# ### Reflect: three small kernels for one large
#
# A layer of 7×7 with $C$ channels in and out and stride 1 is replaced by three layers
# of 3×3, each with a ReLU behind it. Is the receptive field the same? Compare three
# things: the weights, the multiply-adds per place, and the bytes that must be kept for
# a derivative (count the inputs of the convolutions, not what the ReLUs keep). Which
# get better, and which worse? And what if *one* 3×3 layer with a MaxPool2d(2) before it
# replaces the layer? At most six sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "three_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# Both see 7 pixels. Weights: 49 C² against 27 C². The multiply-adds per place are the
# same two numbers, so 1.8 times fewer. Three inputs have to be kept instead of one, so
# 3 times the bytes: this gets worse. The pool and one 3×3 see 2 + 2 · 2 = 6 pixels and
# give a quarter of the places. That is cheaper by 49/9 · 4 = 22, but the field and the
# resolution are smaller.
#
# Rubric: 1 point for the equal field of 7; 2 for 49 C² and 27 C², as weights and as
# multiply-adds; 2 for three times the kept bytes as what gets worse; 2 for a field of 6
# (1) and a quarter of the places (1).

# %% [markdown]
# ## 6. Batch normalisation
#
# Twenty convolutions of 16 channels, as PyTorch starts them, each with a ReLU. How
# large are the numbers after 1, 10 and 20 layers? (Module 04 asked the same of
# `Linear`.)

# %%
from tinytorch.core.activations import relu
from tinytorch.core.tensor import manual_seed

# %%
def through(layers, norms):
    """The standard deviation after layers 1, 10 and 20."""
    x, found = Tensor(images[:200, None] / 16), []
    for layer, norm in zip(layers, norms, strict=True):
        x = relu(norm(layer(x)))
        found.append(float(x.data.std()))
    return found[0], found[9], found[19]

# %%
manual_seed(0)
deep = [Conv2d(1 if i == 0 else 16, 16, 3, padding=1, bias=False) for i in range(20)]
through(deep, [lambda x: x] * 20)

# %% [markdown]
# A start by Kaiming mends that, for the first step of learning. **Batch normalisation**
# (Ioffe and Szegedy 2015) does not hope for a scale. It sets it, for each channel, over
# the $m$ numbers that the channel has in all images and places of the batch:
#
# $$y = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}\, w + b, \qquad
# \mu = \frac1m \sum x, \quad \sigma^2 = \frac1m \sum (x - \mu)^2$$
#
# The channel's weight $w$ and bias $b$ are learned, and begin as 1 and 0. So a layer
# can have any scale, but has to choose it.

# %% [markdown]
# In evaluation mode the answer for an image must not depend on the images beside it,
# and one image alone has to work. So while it learns, the layer keeps *running*
# statistics, in buffers (module 04):
#
# $$\text{running} \leftarrow (1 - \text{momentum}) \cdot \text{running} +
# \text{momentum} \cdot \text{batch}$$
#
# In evaluation mode these take the place of $\mu$ and $\sigma^2$. (For the variance,
# `note` takes $m - 1$ for $m$, as PyTorch does.) `column` gives a vector of one number
# a channel the axes of `x`.

# %% nbgrader={"grade": false, "grade_id": "norm_base", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class _BatchNorm(Layer):
    """Each channel with mean 0 and variance 1, then times a weight, plus a bias."""

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = True,
    ):
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = Parameter(np.ones(num_features)) if affine else None
        self.bias = Parameter(np.zeros(num_features)) if affine else None
        self.running_mean = Buffer(np.zeros(num_features))
        self.running_var = Buffer(np.ones(num_features))
        self.num_batches_tracked = Buffer(0)

    def column(self, vector: Tensor, x: Tensor) -> Tensor:
        """(c,) with axes of size 1, so that it broadcasts with x (n, c, ...)."""
        return vector.reshape(-1, *[1] * (x.ndim - 2))

    def note(self, mean: Tensor, var: Tensor, m: int) -> None:
        """Move the running statistics towards those of m numbers for each channel."""
        self.num_batches_tracked.assign(self.num_batches_tracked.data + 1)
        step = self.momentum  # None: the mean of all batches so far
        if step is None:
            step = 1 / self.num_batches_tracked.item()
        new = mean.data.reshape(-1), var.data.reshape(-1) * m / (m - 1)
        for running, now in zip((self.running_mean, self.running_var), new):
            running.assign((1 - step) * running.data + step * now)

    def checked(self, x: Tensor) -> Tensor:
        """x as floats; a ValueError for other axes or channels."""
        if x.ndim not in self.dims or x.shape[1] != self.num_features:
            raise ValueError(f"{self} takes {self.takes}, not {x.shape}")
        if self.training and x.size < 2 * self.num_features:
            raise ValueError(f"{x.shape}: one number a channel has no variance")
        return _floating(x)

    def extra_repr(self) -> str:
        settings = f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"
        return f"{settings}, affine={self.weight is not None}"

# %% [markdown]
# Write `forward`. `axes` are all axes but the channel's, and `m` is how many numbers a
# channel has. In training mode, compute mean and variance over `axes`, and `note` both.
# In evaluation mode, take the running ones, and never note anything. The rest is the
# formula. Without `affine`, `weight` and `bias` are `None`.
#
# - The variance is the mean of squared *deviations*. Never subtract $\mu^2$ from the
#   mean of $x^2$: where the mean is large, both are large, and rounding is all that is
#   left of their difference.
# - $\varepsilon$ stands under the root.
# - A gradient must come back through $\mu$ and $\sigma^2$, too. So compute with
#   tensors.
#
# About eleven lines.

# %% nbgrader={"grade": false, "grade_id": "batch_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class BatchNorm2d(_BatchNorm):
    dims, takes = (4,), "(batch, num_features, height, width)"

    def forward(self, x: Tensor) -> Tensor:
        """(x - mean) / sqrt(var + eps) * weight + bias: (n, c, h, w) -> the same."""
        x, axes = self.checked(x), (0, *range(2, x.ndim))
        m = x.size // self.num_features
        ### BEGIN SOLUTION
        if self.training:
            mean = x.mean(axes, keepdims=True)
            d = x - mean
            var = (d * d).mean(axes, keepdims=True)
            self.note(mean, var, m)
        else:
            d = x - self.column(self.running_mean, x)
            var = self.column(self.running_var, x)
        scale = 1 / (var + self.eps).sqrt()
        if self.weight is None:
            return d * scale
        return d * (scale * self.column(self.weight, x)) + self.column(self.bias, x)
        ### END SOLUTION

# %% [markdown]
# The same twenty layers, with a `BatchNorm2d` after each. Predict the three numbers,
# roughly: which standard deviation does a ReLU leave of numbers with 1?

# %%
through(deep, [BatchNorm2d(16) for _ in deep])

# %% [markdown]
# One digit among 16 and among 200, while the layer learns; then alone and among 200,
# when it predicts. Which two of these four numbers are equal?

# %%
norm, x = BatchNorm2d(1), Tensor(images[:200, None] / 16)
[norm(x[:n])[0].max().item() for n in (16, 200)]

# %%
[norm.eval()(x[:n])[0].max().item() for n in (1, 200)]

# %% nbgrader={"grade": true, "grade_id": "batch_norm_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Training mode normalises by the batch and notes it, evaluation mode by what was
noted; weight, bias and eps act as in the formula."""
from tinytorch.core.tensor import recipe

rng = np.random.default_rng(0)
x = (3 + 2 * rng.standard_normal((2, 3, 2, 4))).astype(np.float32)
w, b = np.float32([1, -2, 0.5]), np.float32([0, 1, 7])

def by_hand(x, mean, var, eps):
    mean, var, w_, b_ = (v.reshape(3, 1, 1) for v in (mean, var, w, b))
    return (x - mean) / np.sqrt(var + eps) * w_ + b_

norm = BatchNorm2d(3, eps=0.5)
norm.weight.assign(w)
norm.bias.assign(b)
mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
try:
    y = norm(Tensor(x, requires_grad=True))
except ValueError as error:
    raise AssertionError(f"keepdims=True and column keep the axes: {error}") from None
assert isinstance(y, Tensor), f"forward must return a Tensor, not {type(y).__name__}"
what = "training mode: mean and variance of each channel's m numbers, eps in the root"
np.testing.assert_allclose(y.data, by_hand(x, mean, var, 0.5), atol=1e-4, err_msg=what)
ops = [type(t.origin[0]).__name__ for t in recipe(y) if t.origin]
assert ops.count("Sum") >= 2 and set(recipe(y)) >= {norm.weight, norm.bias}, (
    f"a gradient must reach mean, variance, weight and bias: use tensors, not {ops}")
noted = norm.running_mean.data.copy(), norm.running_var.data.copy()
unbiased = var * 16 / 15
tenth = [0.1 * mean, 0.9 + 0.1 * unbiased]
for name, got, wanted in zip(["mean", "var"], noted, tenth):
    what = f"the running {name} moves a tenth towards the batch: note both, and once"
    np.testing.assert_allclose(got, wanted, rtol=1e-4, err_msg=what)
z, what = norm.eval()(Tensor(x[:1])), "evaluation mode takes the running statistics"
np.testing.assert_allclose(z.data, by_hand(x[:1], *noted, 0.5), atol=1e-4, err_msg=what)
assert (norm.running_mean.data == noted[0]).all(), "evaluation mode noted a batch"
assert norm.num_batches_tracked.item() == 1, "one batch was seen: note it, and once"

# %% nbgrader={"grade": true, "grade_id": "batch_norm_plain_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Without affine there are no weight and bias, and a large mean does no harm."""
x = (3 + 2 * np.random.default_rng(1).standard_normal((2, 3, 2, 4))).astype(np.float32)
far = BatchNorm2d(3, affine=False)
try:
    near = far(Tensor(x)).data
except (AttributeError, TypeError) as error:
    raise AssertionError(f"without affine there is no weight: {error}") from None
mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
what = "without affine: (x - mean) / sqrt(var + eps)"
plain = (x - mean) / np.sqrt(var + 1e-5)
np.testing.assert_allclose(near, plain, atol=1e-4, err_msg=what)
off = np.abs(far(Tensor(x + 4096)).data - near).max()
assert off < 0.02, f"x + 4096 has the same deviations as x, but y is off by {off:.2g}"

# %% nbgrader={"grade": true, "grade_id": "batch_norm_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on integers, on one image, in float64, on the mean of three batches
(momentum None), and on what is an error."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_r, _close = np.random.default_rng(7), {"rtol": 1e-3, "atol": 1e-4}
_norm = BatchNorm2d(2, momentum=None)
_norm.weight.assign([2, -1])
_norm.bias.assign([1, 3])
answer(_norm(Tensor(np.arange(24).reshape(1, 2, 3, 4))), about="integers", **_close)
for _n in (2, 5):
    _x = Tensor(_r.standard_normal((_n, 2, 3, 3)), dtype=np.float64)
    answer(_norm(_x), about=f"float64, {_n} images", **_close)
_state = _norm.state_dict()
answer([list(_state), *_state.values()], about="the state", **_close)
answer(_norm.eval()(_x), about="evaluation mode", **_close)
answer([_norm.state_dict()["running_var"], _norm(_x).requires_grad], about="it after",
       **_close)
_one = Tensor(np.ones((1, 2, 1, 1)))
_plain = BatchNorm2d(2, affine=False)
answer([raised(_plain, _one), raised(_plain.eval(), _one), raised(_norm, _x[0])],
       about="what is an error")
answer(_plain(_one), about="one number, in evaluation mode")
### END HIDDEN TESTS

# %% [markdown]
# `BatchNorm1d` is the same for the results of a `Linear`: (n, c) instead of
# (n, c, h, w).

# %% nbgrader={"grade": false, "grade_id": "batch_norm_1d", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class BatchNorm1d(_BatchNorm):
    dims, takes = (2, 3), "(batch, num_features) or (batch, num_features, length)"
    forward = BatchNorm2d.forward

# %% [markdown]
# ## 7. As fast as it gets
#
# This section computes nothing new. Read its text for the idea. You need not read its
# code, and no exercise uses it.
#
# Take 128 images of 32 channels, 16×16, and a kernel of 3×3 with padding 1. How
# many bytes does the input take, and how many does the matrix of its windows take?

# %%
rng = np.random.default_rng(0)
x = rng.standard_normal((128, 32, 16, 16), dtype=np.float32)
weight = rng.standard_normal((64, 32, 3, 3), dtype=np.float32)
readable(x.nbytes, "B"), readable(im2col(x, 3, padding=1).nbytes, "B")

# %% [markdown]
# `conv2d_im2col` writes this matrix to memory and reads it back. But the product never
# needs all rows at once. So work **in blocks**: the windows of a few images, their
# product, then the next few images. The rows of a block stay in the cache until the
# product has read them. And since blocks do not depend on each other, each core works
# on its own block. (NumPy and BLAS release Python's lock while they compute, so
# Python's threads really run at the same time.)

# %% [markdown]
# `in_blocks(work, n, size)` of `tinytorch.threads` cuts the numbers from 0 to n - 1
# into blocks of `size` and calls `work(first, last)` for each, on as many threads as
# BLAS has. Meanwhile BLAS itself uses one thread for each product.

# %%
in_blocks(lambda first, last: print(f"{first} to {last - 1}\n", end=""), 10, size=4)

# %% [markdown]
# ### Channels last
#
# In the memory order (n, c, h, w), only 3 numbers of a window of 3×3 pixels and 32
# channels lie side by side. Then comes a jump to the next row, and a long jump to the
# next channel. In the order (n, h, w, c), a row of the window is $3 \cdot 32$ numbers
# in one piece. Copying few large pieces is faster than copying many small ones.
#
# `in_windows` copies the windows block by block into one buffer and uses it again for
# each block. New memory would cost time: the system has to provide it, page by page.
# You need not read the next cell.

# %% nbgrader={"grade": false, "grade_id": "in_windows", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def in_windows(
    x: np.ndarray, kernel_size: IntOrPair, stride: IntOrPair, padding: IntOrPair
) -> Iterator[tuple[tuple, np.ndarray]]:
    """Block after block of the windows of x (n, c, h, w): which (images, rows) they
    are, and a buffer (windows, kh * kw * c)."""
    (n, c, h, w), (kh, kw), (sh, sw) = x.shape, _pair(kernel_size), _pair(stride)
    oh, ow = conv_output_size((h, w), (kh, kw), stride, padding)
    ph, pw = _pair(padding, 0)
    bytes_a_row = ow * kh * kw * c * x.itemsize
    rows = max(1, min(oh, BLOCK_BYTES // bytes_a_row))
    images = max(1, min(n, BLOCK_BYTES // (bytes_a_row * oh)))
    padded = np.zeros((images, h + 2 * ph, w + 2 * pw, c), x.dtype)
    view = sliding_window_view(padded, (kh, kw), axis=(1, 2))[:, ::sh, ::sw]
    view = view.transpose(0, 1, 2, 4, 5, 3)  # (images, oh, ow, kh, kw, c)
    buffer = np.empty((images, rows, ow, kh, kw, c), x.dtype)
    for first in range(0, n, images):
        last = min(first + images, n)
        inside = padded[: last - first, ph : ph + h, pw : pw + w]
        inside[...] = x[first:last].transpose(0, 2, 3, 1)
        for top in range(0, oh, rows):
            block = buffer[: last - first, : min(rows, oh - top)]
            block[...] = view[: last - first, top : top + rows]
            place = slice(first, last), slice(top, top + rows)
            yield place, block.reshape(-1, kh * kw * c)

# %% [markdown]
# `conv2d_blocked` multiplies block by block. Its result has PyTorch's shape (n, c, h,
# w), but is a transposed view of memory in the order (n, h, w, c). PyTorch calls this
# `channels_last`. A ReLU or a pooling writes its result in the order in which its input
# lies, so the next convolution finds its channels last, too. Max pooling works in
# blocks of images as well. You need not read the next two cells.

# %% nbgrader={"grade": false, "grade_id": "conv2d_blocked", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def conv2d_blocked(
    x: np.ndarray, weight: np.ndarray, bias=None,
    stride: IntOrPair = 1, padding: IntOrPair = 0,
) -> np.ndarray:
    """conv2d_im2col, a few images at a time, channels last in memory:
    (n, c, h, w), (out, c, kh, kw) -> (n, out, oh, ow)."""
    n, (out, _, kh, kw), dtype = len(x), weight.shape, np.result_type(x, weight)
    oh, ow = conv_output_size(x.shape[2:], (kh, kw), stride, padding)
    matrix = weight.transpose(2, 3, 1, 0).reshape(-1, out)  # (kh * kw * c, out)
    matrix = np.ascontiguousarray(matrix, dtype)
    y = np.empty((n, oh, ow, out), dtype)
    wide_bias = None if bias is None else np.tile(bias, ow)

    def work(first: int, last: int) -> None:
        images = x[first:last].astype(dtype, copy=False)
        for place, rows in in_windows(images, (kh, kw), stride, padding):
            block = y[first:last][place].reshape(-1, out)  # a view of y
            np.matmul(rows, matrix, out=block)
            if bias is not None:
                wide = block.reshape(-1, ow * out)  # long rows: fewer, longer loops
                wide += wide_bias

    in_blocks(work, n, -(-n // 8))
    return y.transpose(0, 3, 1, 2)

# %% nbgrader={"grade": false, "grade_id": "largest_in_blocks", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def largest_in_blocks(taps: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """largest, a few images at a time."""
    y = np.empty_like(taps[0])
    which = np.zeros_like(taps[0], np.min_scalar_type(len(taps) - 1))

    def work(first: int, last: int) -> None:
        best, number = y[first:last], which[first:last]
        part = [tap[first:last] for tap in taps]
        best[...] = part[0]
        for i, tap in enumerate(part[1:], 1):
            larger = tap > best
            np.maximum(number, larger * number.dtype.type(i), out=number)
            np.maximum(best, tap, out=best)
        if not np.isfinite(best.sum()):  # nan or infinity: the careful way
            best[...], number[...] = largest(part)

    in_blocks(work, len(y), BLOCK_BYTES // max(1, len(taps) * y[:1].nbytes))
    return y, which

# %% [markdown]
# Does it pay? Predict the peak memory of both convolutions; the result alone takes 8
# MB. And which one is faster on all cores?

# %%
both = {"im2col": conv2d_im2col, "blocked": conv2d_blocked}
{name: readable(peak_memory(f, x, weight, None, 1, 1), "B") for name, f in both.items()}

# %%
compare(both, x, weight, None, 1, 1, rounds=7)

# %% [markdown]
# The numbers are the same, up to rounding. So the layers use the fast way from here on.
# Only `algorithm` changes; your `Conv2d` stays as it is. (Module 13 will put its own
# kernels here.) Which axis of its result has the smallest stride now?

# %% nbgrader={"grade": false, "grade_id": "fast", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
Conv2dOp.algorithm = staticmethod(conv2d_blocked)
MaxPool2dOp.algorithm = staticmethod(largest_in_blocks)

# %%
layer = Conv2d(32, 64, 3, padding=1)
y = layer(Tensor(x)).data
y.shape, y.strides

# %%
np.abs(y - conv2d_im2col(x, layer.weight.data, layer.bias.data, padding=1)).max()

# %% [markdown]
# ## Use: a photograph
#
# matplotlib brings a photograph of Grace Hopper, who wrote one of the first compilers.
# A 1×1 convolution turns its three channels into one grey: weights for red, green and
# blue, and no neighbours.

# %%
from matplotlib.cbook import get_sample_data

with get_sample_data("grace_hopper.jpg") as file:
    pixels = plt.imread(file, format="jpeg") / 255
photo = Tensor(pixels).permute(2, 0, 1).unsqueeze(0)  # (1, 3, 600, 512)

# %%
to_grey = Conv2d(3, 1, 1, bias=False)
to_grey.weight.data[...] = np.float32([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
grey = to_grey(photo)

# %% [markdown]
# A blur is a kernel of equal weights, here 13×13. Each colour is blurred alone, so the
# three colours go in as a *batch* of three grey images. The photograph minus its blur
# is the detail. The photograph plus this detail looks sharper. Which of your layers
# blurs without any weights?

# %%
blur = Conv2d(1, 1, 13, padding=6, bias=False)
blur.weight.data[...] = 1 / 13**2
blurred = blur(photo.transpose(0, 1)).transpose(0, 1)
sharpened = (photo + (photo - blurred)).clip(0, 1)
pooled = AvgPool2d(13, stride=1, padding=6)(photo)
np.testing.assert_allclose(blurred.data, pooled.data, atol=1e-4)

# %%
steep = edges(grey)
panels = {"the photograph": photo, "blurred": blurred, "sharpened": sharpened,
          "edges": steep, "edges, MaxPool2d(8)": MaxPool2d(8)(steep)}

# %%
figure, axes = plt.subplots(1, 5, figsize=(15, 3.8), layout="constrained")
for ax, (name, panel) in zip(axes, panels.items(), strict=True):
    shown = panel.data[0].transpose(1, 2, 0).squeeze()
    ax.imshow(shown, cmap="gray_r", vmin=0, vmax=0.2 if "edges" in name else None)
    ax.set(title=f"{name}\n{panel.shape}", xticks=[], yticks=[])

# %% [markdown]
# The last picture has a 64th of the numbers, and you still recognise her.
#
# ### The digits that moved
#
# Back to the sheets of the beginning. 64 random kernels of 5×5 look at them. Then come
# a ReLU and max pooling. From the result, least squares computes ten scores, as in
# module 03. It is fitted on 1,000 digits in the middle. The other 797 are moved.
# Nothing else is trained.
#
# Which window should win on moved digits, 6×6 or the whole sheet? And on digits in the
# middle?

# %%
manual_seed(0)
kernels = Conv2d(1, 64, 5, padding=2)
looks = {"pixels": lambda x: x,
         "max over 6×6": lambda x: MaxPool2d(6)(relu(kernels(x))),
         "max over all": lambda x: MaxPool2d(12)(relu(kernels(x)))}

# %%
def features(look, images, move) -> np.ndarray:
    """What a look makes of moved digits: (n, 8, 8) -> (n, features)."""
    return look(Tensor(placed(images, *move)[:, None])).data.reshape(len(images), -1)

def fitted(look) -> np.ndarray:
    """Weights of ten scores, fitted on 1,000 digits in the middle: (features, 10)."""
    wanted = np.eye(10, dtype=np.float32)[labels[:1000]]
    known = features(look, images[:1000], (0, 0))
    return np.linalg.lstsq(known, wanted, rcond=0.003)[0]

# %%
moves, share = [(0, 0), (0, 1), (0, 2), (2, 2)], {}
for name, look in looks.items():
    weights, share[name] = fitted(look), []
    for move in moves:
        scores = features(look, images[1000:], move) @ weights
        share[name].append((scores.argmax(1) == labels[1000:]).mean())
    entries = zip(moves, share[name], strict=True)
    print(f"{name:13}", *(f"{move}: {right:4.0%}  " for move, right in entries))
assert share["max over all"][3] > 0.8 > 0.2 > share["pixels"][3]

# %% [markdown]
# Pooling makes a network tolerate a move, and makes it forget the place. A larger
# window does more of both. So networks pool by small windows, several times.

# %% [markdown]
# ### Reflect: moved digits
#
# "Convolution and max pooling make a network ignore where the digit lies." Look at the
# table in Use again. (a) The convolution is the same in both networks. Why does the
# share of right digits in the row "max over 6×6" fall with the move? (b) Why does it
# hardly fall in the row "max over all"? (c) Why can it still change at (2, 2)? (d)
# Describe two images that the network of "max over all" cannot tell apart, however it
# is trained. At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "moved_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# The result of a convolution moves along with its input. The windows of 6×6 stay where
# they are: a digit moved by 2 brings its largest numbers into other windows, for which
# the ten scores have other weights. The maximum over the whole sheet is the same
# wherever the digit lies. At (2, 2) the digit touches the border, and some places that
# a kernel would see lie beyond the sheet. The network cannot tell apart two images with
# the same 5×5 pieces at other places: two strokes far apart, and the same strokes
# exchanged.
#
# Rubric: 2 points for fixed windows with weights of their own; 1 for the maximum over
# all places; 1 for the border, where results are missing; 2 for two images that have
# the same local pieces in another arrangement.

# %% [markdown]
# ## Systems: what does a convolutional network cost?
#
# Two convolutions, two poolings, two linear layers, on one batch of CIFAR-10's shape.
# Which layer has most of the parameters, and which needs most of the FLOPs?

# %%
from tinytorch.core.activations import ReLU
from tinytorch.core.dense import Flatten, Sequential, summary
from tinytorch.core.layers import Linear

# %%
network = Sequential(Conv2d(3, 32, 3, padding=1), ReLU(), MaxPool2d(2),
                     Conv2d(32, 64, 3, padding=1), ReLU(), MaxPool2d(2),
                     Flatten(), Linear(64 * 8 * 8, 128), ReLU(), Linear(128, 10))
summary(network, (128, 3, 32, 32))

# %% [markdown]
# Convolutions use few weights often: they hold little and compute much. So the time of
# such a network is the time of its convolutions.

# %% [markdown]
# ### Why is naive convolution slow?
#
# "Cache misses make naive convolution 100× slower." This sentence is often heard. We
# test it by changing one thing at a time: the interpreter, then SIMD (one instruction
# that computes several products), then the cache.
#
# `source` writes your seven loops as text, in any order of the letters; the last letter
# is the innermost loop. [Numba](https://numba.pydata.org) compiles a Python function to
# machine code, so `python` and `compiled` below run the very same text.

# %%
# You need not read this cell.
def source(order: str) -> str:
    """The formula (stride 1, no padding, no bias) as loops in the given order."""
    sizes = {"n": "y.shape[0]", "o": "y.shape[1]", "i": "y.shape[2]", "j": "y.shape[3]",
             "c": "x.shape[1]", "p": "w.shape[2]", "q": "w.shape[3]"}
    loops = [f"{' ' * (depth + 1)}for {letter} in range({sizes[letter]}):"
             for depth, letter in enumerate(order)]
    product = " " * 8 + "y[n, o, i, j] += x[n, c, i + p, j + q] * w[o, c, p, q]"
    return "\n".join(["def loops(x, w, y):", *loops, product])

print(source("noijcpq"))

# %%
# You need not read this cell: functions from text, arrays for them, and their cost.
import numba
from threadpoolctl import threadpool_limits

def python(order: str):
    space = {}
    exec(source(order), space)
    return space["loops"]

def compiled(order: str, simd: bool = True):
    numba.config.LOOP_VECTORIZE = int(simd)
    f = numba.njit(python(order))
    f(*problem(1, 1, 4, 1))  # the first call compiles
    return f

def problem(n: int, c: int, size: int, out: int) -> tuple:
    """x with its frame, w of 3×3, and room for y."""
    rng, padded = np.random.default_rng(0), size + 2
    shapes = (n, c, padded, padded), (out, c, 3, 3), (n, out, size, size)
    return tuple(rng.standard_normal(shape, dtype=np.float32) for shape in shapes)

def cost(f, arrays, repeat: int = 9) -> float:
    """Nanoseconds per multiply-add."""
    x, w, y = arrays
    return time_call(f, *arrays, repeat=repeat).min / (y.size * prod(w.shape[1:])) * 1e9

# %% [markdown]
# Six lines, from slow to fast, all on *one* thread. `noijcpq` is the order of the
# formula. In `nocpqij` the innermost loop runs along a row of the image. There the
# compiler can use SIMD: 4, 8 or 16 products in one instruction. Then come your matrix
# product, which BLAS computes, and the blocks. Only Python gets a small problem.
#
# Before you run: by which factor is each line faster than the line above?

# %%
def product(x, w, y): conv2d_im2col(x, w)
def blocked(x, w, y): conv2d_blocked(x, w)
tiny, middle, above = problem(1, 4, 8, 4), problem(8, 32, 16, 64), None
ladder = {"Python loops, noijcpq": lambda: cost(python("noijcpq"), tiny),
          "compiled, noijcpq": lambda: cost(compiled("noijcpq"), middle),
          "compiled, nocpqij, no SIMD": lambda: cost(compiled("nocpqij", 0), middle),
          "compiled, nocpqij": lambda: cost(compiled("nocpqij"), middle),
          "im2col, one product": lambda: cost(product, middle),
          "blocked": lambda: cost(blocked, middle)}

# %%
with threadpool_limits(1):
    for name, measure in ladder.items():
        ns = measure()
        factor = f"{above / ns:7.1f} × the line above" if above else ""
        print(f"{name:28} {ns:9.3f} ns a multiply-add  {factor}")
        above = ns

# %% [markdown]
# The first factor is the interpreter alone, which makes a Python object of every number
# that it touches. The text and the order are the same, and memory is read in the same
# sequence.

# %% [markdown]
# ### The cache
#
# Now the same multiply-adds in three orders. `pqijcno` is a bad order: from one
# innermost step to the next, `y` moves on by a whole channel, to another cache line.
# Does that matter if everything fits into the cache? So there are two sizes, 30 kB and
# 6.6 MB.
#
# To save time, Python computes less on the same arrays: one channel, a kernel of 3×1,
# and every 16th column of the large `y`. These lie 64 bytes apart, in as many cache
# lines as before. Which entries do you expect to be alike? (The cell takes a while.)

# %%
def row(name, f, on_small, on_large, repeat):
    a, b = cost(f, on_small, 10 * repeat), cost(f, on_large, repeat)
    print(f"{name:28} {a:9.3f} {b:9.3f}   × {b / a:.1f}")

def less(arrays, step):
    x, w, y = arrays
    return x[:, :1], w[:, :1, :, :1], y[..., ::step]

# %%
small, large = problem(8, 4, 8, 8), problem(128, 4, 32, 8)
print(f"{'ns a multiply-add':28} {'30 kB':>9} {'6.6 MB':>9}")
row("compiled, nocpqij", compiled("nocpqij"), small, large, 3)
for order in ("nocpqij", "noijcpq", "pqijcno"):
    row(f"compiled, {order}, no SIMD", compiled(order, simd=False), small, large, 3)
for order in ("noijcpq", "pqijcno"):
    row(f"Python, {order}", python(order), less(small, 1), less(large, 16), 2)

# %% [markdown]
# Read down the first column of the compiled loops. In the cache, the bad order costs
# about as much as the order of the formula. Then read the bad order across: the same
# instructions on larger arrays. *That* factor is the cache. (Rows of 8 numbers hardly
# use SIMD, so the first line may even be faster on the large arrays.) Python executes
# hundreds of instructions for each product, in any order. Next to these, the time for
# memory hardly shows.

# %% [markdown]
# ### Reflect: the sentence
#
# "Cache misses make naive convolution 100× slower." Judge it by your two tables. Which
# factor separates naive Python from the fastest line? How large are the parts of the
# interpreter, of SIMD and of the cache? Give each as a factor, with the two entries
# that it comes from. Then write the sentence as it is true for your machine. At most
# eight sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "sentence_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# From Python to the blocks: 500 / 0.03 = 17,000. The interpreter is a factor of 500 /
# 0.75 = 670: the same text, compiled. SIMD is 0.4 / 0.08 = 5: nocpqij without and with
# it. The cache is what the same order costs on large arrays against small ones: 6.4 /
# 0.65 = 10 for pqijcno, and 1 for noijcpq, the order in which people write it. So in
# the naive program the cache plays no part. True is: "Python makes naive convolution
# about 700× slower; in compiled loops, a bad order can cost another 10× when the arrays
# are larger than the cache."
#
# Rubric: 2 points for the interpreter's factor from the same text run by Python and
# compiled; 1 for SIMD from the same order without and with; 2 for the cache as the same
# order on two sizes (1 point for the worst against the best entry, which includes
# SIMD); 2 for a sentence that follows from the learner's own numbers and credits the
# cache with nothing that the interpreter causes.

# %% [markdown]
# ## Here and in PyTorch
#
# | here | in PyTorch |
# | --- | --- |
# | `naive_conv2d`, `conv2d_im2col` | `torch.nn.functional.conv2d` |
# | `windows(x, k, s)` | `x.unfold(2, k, s).unfold(3, k, s)`: a view as well |
# | `im2col` | `torch.nn.functional.unfold`: a window is a column, not a row |
# | `Conv2d` | `torch.nn.Conv2d`, also with `dilation` |
# | `padding="same"` needs an odd kernel | pads an even one on one side more |
# | `_images` refuses (c, h, w) | `Conv2d` takes one image without a batch, too |
# | `conv2d_blocked`, memory order | `memory_format=torch.channels_last` |

# %% [markdown]
# | here | in PyTorch |
# | --- | --- |
# | `largest` | `max_pool2d(..., return_indices=True)`: pixels, not taps |
# | `MaxPool2d`, `AvgPool2d` | the same, also with `ceil_mode` |
# | `AdaptiveAvgPool2d` | the same |
# | `BatchNorm1d`, `BatchNorm2d` | the same, also with `track_running_stats=False` |
# | `GlobalAvgPool2d` | `torch.nn.AdaptiveAvgPool2d(1)`: (n, c, 1, 1), not (n, c) |

# %% [markdown]
# ## Summary
#
# You have convolution as loops, as one product and in blocks, all with one signature.
# `Conv2d`, the pools and `BatchNorm2d` are layers, and their ops keep what a derivative
# needs. The kernels are still random or written by hand. Module
# 09 computes their gradients, module 11 trains them on photographs, and module 13 makes
# them faster.
