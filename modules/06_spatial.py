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
#     - write convolution three times, as loops, as one matrix product and as a layer, and say what each costs
#     - compute the shape that any kernel, stride and padding give, and the receptive field of a stack of layers
#     - build max and average pooling out of views that copy nothing
#     - take a slow convolution apart by measuring, and tell the interpreter from SIMD and both from the cache
# ---

# %% [markdown]
# # Spatial
#
# > Convolution and pooling: one small set of weights, used everywhere in an image.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(6)

# %% [markdown]
# ## Why
#
# In module 02 a digit got the label of the mean image that lay nearest, and about nine of ten were right. Here each digit
# lies in the middle of a larger sheet, 12×12, and then 1 or 2 pixels beside it. You would hardly notice. How many of ten are
# right now?

# %%
import numpy as np

from tinytorch.datasets import load_digits

images, labels = load_digits()

# %%
def placed(images, down=0, right=0):
    """8×8 digits on sheets of 12×12, moved away from the middle: (n, 8, 8) -> (n, 12, 12), values from 0 to 1."""
    sheet = np.zeros((len(images), 12, 12), np.float32)
    sheet[:, 2 + down : 10 + down, 2 + right : 10 + right] = images / 16
    return sheet

# %%
means = np.stack([placed(images[:1000])[labels[:1000] == digit].mean(0) for digit in range(10)])
for move in [(0, 0), (0, 1), (0, 2), (2, 2)]:
    distance = ((placed(images[1000:], *move)[:, None] - means) ** 2).sum((2, 3))
    print(f"moved by {move}: {(distance.argmin(1) == labels[1000:]).mean():4.0%}")

# %% [markdown]
# A weight for each pixel knows its pixel and no other. A `Linear` layer has the same weakness: what it learned on the left it
# does not know on the right. It is large, too: from $3 \cdot 32 \cdot 32$ numbers to $64 \cdot 32 \cdot 32$ it takes 201
# million weights.
#
# An edge is an edge wherever it lies. So take a *small* set of weights, a **kernel**, and use it at every place. Three by
# three pixels, 3 channels in and 64 out: $3 \cdot 3 \cdot 3 \cdot 64 = 1728$ weights.

# %%
#| default_exp core.spatial

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from math import prod
from threading import Lock

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from threadpoolctl import ThreadpoolController

from tinytorch.core.layers import Layer, Parameter, fans, kaiming_uniform, uniform
from tinytorch.core.tensor import Op, Tensor, apply

# %% [markdown]
# ## 1. One kernel, everywhere
#
# Images come as (batch, channel, height, width). The kernel lies on the image, each weight on a pixel; multiply, add up, write
# the sum down; move on. The **stride** is how far it moves. **Padding** puts a frame of zeros around the image, so that the
# kernel can reach the border. Each of them, and the kernel's size, is an int or a pair (down, right). `_pair` makes a pair of
# either.

# %% nbgrader={"grade": false, "grade_id": "pair", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
IntOrPair = int | Sequence[int]  # both directions alike, or a pair: down, right


def _pair(value: IntOrPair, least: int = 1) -> tuple[int, int]:
    """3 as (3, 3), a pair as it is; a ValueError for anything else, or for a number below `least`."""
    pair = (value, value) if np.ndim(value) == 0 else tuple(value)
    if len(pair) != 2 or any(int(n) != n or n < least for n in pair):
        raise ValueError(f"{value} is neither an int nor a pair of ints, {least} or more")
    return int(pair[0]), int(pair[1])

# %%
_pair(3), _pair((3, 5))

# %% [markdown]
# ### How large is the result?
#
# Along one axis there are `size` pixels, and `padding` more at either end. The kernel covers `kernel` of them; it can still move
# by what is left. So it has one place, and one more for every full `stride` in the rest:
#
# $$\mathrm{out} = \left\lfloor \frac{\mathrm{size} + 2\,\mathrm{padding} - \mathrm{kernel}}{\mathrm{stride}} \right\rfloor + 1$$
#
# Write it for both axes; each argument is an int or a pair, and the result is always a pair `(down, right)`. `_pair(padding, 0)` admits 0. If the kernel
# is larger than the padded image, raise a `ValueError` that names the kernel's and the image's size as given. About six lines.

# %% nbgrader={"grade": false, "grade_id": "conv_output_size", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def conv_output_size(size: IntOrPair, kernel_size: IntOrPair, stride: IntOrPair = 1, padding: IntOrPair = 0) -> tuple[int, int]:
    """(size + 2 padding - kernel) // stride + 1, for height and width; a ValueError where the kernel does not fit in."""
    ### BEGIN SOLUTION
    pairs = _pair(size), _pair(kernel_size), _pair(stride), _pair(padding, 0)
    out = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(*pairs, strict=True))
    if min(out) < 1:
        raise ValueError(f"a kernel of {kernel_size} does not fit into an image of {size} with padding {padding}")
    return out
    ### END SOLUTION

# %% [markdown]
# A kernel of 3 on 32 pixels, with padding 1; then with stride 2, without padding; then a wide kernel on a wide image. Predict all three.

# %%
conv_output_size(32, 3, padding=1), conv_output_size(32, 3, stride=2), conv_output_size((480, 640), (3, 5), 2, (1, 2))

# %% tags=["raises-exception"]
conv_output_size(4, 7, padding=1)

# %% [markdown]
# Which padding keeps the size at stride 1? Half the kernel, rounded down, if the kernel is odd:

# %%
[conv_output_size(32, k, padding=k // 2) for k in (1, 3, 5, 7, 4)]

# %% nbgrader={"grade": true, "grade_id": "conv_output_size_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""The size is the number of places: counted one by one, for ints and pairs; a kernel that does not fit is an error."""
for n, k, s, p in [(32, 3, 1, 1), (8, 3, 2, 0), (7, 2, 2, 0), (5, 5, 1, 0), (6, 3, 4, 2), (1, 3, 1, 1)]:
    places = len(range(-p, n + p - k + 1, s))
    got = conv_output_size(n, k, s, p)
    assert got == (places, places), f"{n} pixels, kernel {k}, stride {s}, padding {p}: {places} places each way, not {got}"
got = conv_output_size((10, 20), (3, 5), (1, 2), (0, 1))
assert got == (8, 9), f"10 and 20 pixels, kernel (3, 5), stride (1, 2), padding (0, 1): (8, 9), not {got}"
try:
    got = conv_output_size((9, 4), (3, 7), stride=2, padding=1)
except ValueError as error:
    assert "(3, 7)" in str(error) and "(9, 4)" in str(error), f"the error must name (3, 7) and (9, 4), it says: {error}"
else:
    raise AssertionError(f"a kernel of 7 does not fit on 4 + 2 pixels: this is a ValueError, not {got}")

# %% nbgrader={"grade": true, "grade_id": "conv_output_size_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on many sizes, strides and paddings, and on which of them do not fit."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

answer([conv_output_size(n, k, s, p) for n in (7, 8) for k in (1, 2, 3) for s in (1, 2, 3) for p in (0, 1)], about="ints")
answer(conv_output_size((3, 90), (3, 1), (5, 7), (0, 4)), about="pairs")
_cases = [((2, 9), 3, 1, 0), (2, 3, 1, 1), (3, 8, 9, 2), (3, 7, 9, 2), ((4, 3), (4, 4), 2, 0), (5, 6, 4, 0)]
answer([raised(conv_output_size, *case) for case in _cases], about="which fit")
### END HIDDEN TESTS

# %% [markdown]
# ### The convolution, as it is written
#
# With $C$ channels coming in there is a weight for each of them at each place of the kernel. A set of such weights makes one
# channel of the result; $O$ sets make $O$ channels. The weights have shape $(O, C, k_h, k_w)$, the result $(N, O, \mathrm{out}_h, \mathrm{out}_w)$:
#
# $$y_{noij} = b_o + \sum_{c} \sum_{p} \sum_{q} x_{n,\;c,\;i s_h + p,\;j s_w + q}\; w_{ocpq}$$
#
# Here $x$ has its frame of zeros already, and $s$ is the stride. (Mathematicians turn the kernel around first, and call this a cross-correlation. No
# deep-learning framework turns it.) The frame is given:

# %% nbgrader={"grade": false, "grade_id": "pad", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _pad(x: np.ndarray, padding: IntOrPair, value: float = 0.0) -> np.ndarray:
    """x in a frame of `value`: (n, c, h, w) -> (n, c, h + 2 down, w + 2 right)."""
    down, right = _pair(padding, 0)
    return np.pad(x, ((0, 0), (0, 0), (down, down), (right, right)), constant_values=value) if down or right else x

# %% [markdown]
# The formula has seven indices, so it is seven loops: four over the places of $y$, three over the sum. `np.ndindex(2, 3)`, or `np.ndindex((2, 3))`, runs
# through all pairs of indices, (0, 0), (0, 1), ..., (1, 2), and so replaces several nested loops by one. Without a bias, `bias` is `None`
# and $b_o$ is 0. About four lines.

# %% nbgrader={"grade": false, "grade_id": "naive_conv2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def naive_conv2d(x: np.ndarray, weight: np.ndarray, bias=None, stride: IntOrPair = 1, padding: IntOrPair = 0) -> np.ndarray:
    """The formula, one multiply-add at a time: (n, c, h, w), (out, c, kh, kw) -> (n, out, oh, ow)."""
    (n, _, h, w), (out, _, kh, kw), (sh, sw) = x.shape, weight.shape, _pair(stride)
    y = np.zeros((n, out, *conv_output_size((h, w), (kh, kw), stride, padding)), np.result_type(x, weight))
    x = _pad(x, padding)
    ### BEGIN SOLUTION
    for n, o, i, j in np.ndindex(y.shape):
        y[n, o, i, j] = 0 if bias is None else bias[o]
        for c, p, q in np.ndindex(weight.shape[1:]):
            y[n, o, i, j] += x[n, c, i * sh + p, j * sw + q] * weight[o, c, p, q]
    ### END SOLUTION
    return y

# %% [markdown]
# A small image: dark, then bright from column 6 on, and one bright pixel in the dark part. The kernel takes the right neighbour minus the left
# one. Where is the result 0, and what does the single pixel leave behind?

# %%
small = np.zeros((1, 1, 3, 9), np.float32)
small[..., 6:], small[..., 1, 2] = 1, 1
small[0, 0]

# %%
difference = np.float32([-1, 0, 1]).reshape(1, 1, 1, 3)
naive_conv2d(small, difference)[0, 0]

# %% nbgrader={"grade": true, "grade_id": "naive_conv2d_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""One pixel leaves the kernel behind, turned around; a 1×1 kernel mixes channels; the bias adds; stride and padding pick places."""
spot = np.zeros((1, 1, 5, 6), np.float32)
spot[0, 0, 2, 3] = 1
kernel = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)
y = naive_conv2d(spot, kernel)
np.testing.assert_array_equal(y[0, 0, 1:3, 1:4], kernel[0, 0, ::-1, ::-1], err_msg="one pixel at (2, 3) leaves the kernel, turned around")
assert y.shape == (1, 1, 4, 4) and y.sum() == kernel.sum(), f"(4, 4), and nothing elsewhere: {y.shape}, sum {y.sum()}"

rng = np.random.default_rng(0)
x, mix = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((6, 3, 1, 1))
expected = np.einsum("nchw,oc->nohw", x, mix[..., 0, 0]) + np.arange(6).reshape(6, 1, 1)
np.testing.assert_allclose(naive_conv2d(x, mix, np.arange(6)), expected, err_msg="a 1×1 kernel mixes channels, the bias comes once")
every = naive_conv2d(x, np.ones((1, 3, 3, 2)), padding=(1, 0))
inner = naive_conv2d(x, np.ones((1, 3, 3, 2)))
np.testing.assert_allclose(every[:, :, 1:-1], inner, err_msg="padding (1, 0) adds a row above and one below, the rest stays")
some = naive_conv2d(x, np.ones((1, 3, 3, 2)), stride=(2, 3), padding=(1, 0))
np.testing.assert_allclose(some, every[:, :, ::2, ::3], err_msg="stride (2, 3) keeps every 2nd row and 3rd column")

# %% nbgrader={"grade": true, "grade_id": "naive_conv2d_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a batch with channels, an oblong kernel, stride and padding as pairs, with a bias, which must not change, and without."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_r = np.random.default_rng(1)
_x, _w, _b = _r.standard_normal((2, 3, 5, 6)), _r.standard_normal((4, 3, 2, 3)), _r.standard_normal(4)
answer([naive_conv2d(_x, _w, _b, (2, 1), (0, 2)), _b], about="with a bias; the bias afterwards")
answer(naive_conv2d(_x, _w), about="without")
answer(naive_conv2d(_x.astype(np.float32), _w.astype(np.float32), None, 3, 1), about="float32, stride 3")
### END HIDDEN TESTS

# %% [markdown]
# How long does it take for a layer of an ordinary size? 128 images of 16×16, 32 channels in and 64 out, 3×3: $128 \cdot 256 \cdot 64 \cdot 288$ multiply-adds. Your loops on a small piece of that tell
# the time of one:

# %%
from tinytorch.core.setup import compare, peak_memory, readable, time_call

x, weight = np.ones((1, 2, 8, 8), np.float32), np.ones((4, 2, 3, 3), np.float32)
one = time_call(naive_conv2d, x, weight, repeat=3).min / (4 * 6 * 6 * 2 * 9)
readable(one, "s"), readable(one * 128 * 256 * 64 * 288, "s")

# %% [markdown]
# ## 2. The same as one product
#
# Too long, for one layer, once. We know an operation that multiplies and
# adds at full speed: the matrix product. For it, each place's numbers must stand in one row.
#
# ### Windows
#
# What the kernel covers at one place is a **window**. A step down inside a window is a step down in the image; a step to the next window, too. So *all* windows together are a view
# (module 02), with six axes. NumPy makes it: `sliding_window_view(x, (kh, kw), axis=(2, 3))` has shape $(N, C, H - k_h + 1, W - k_w + 1, k_h, k_w)$, a window for every place at stride 1. On one axis:

# %%
row = np.arange(6)
sliding_window_view(row, 3, axis=0), sliding_window_view(row, 3, axis=0).strides

# %% [markdown]
# The number 2 is in three windows, but only once in memory. With a stride, every $s_h$-th row and $s_w$-th column of windows
# remains: that is slicing, and slices are views as well.
#
# Write `windows`: two lines. `_pair` for both sizes, since either may be an int.

# %% nbgrader={"grade": false, "grade_id": "windows", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def windows(x: np.ndarray, kernel_size: IntOrPair, stride: IntOrPair = 1) -> np.ndarray:
    """What the kernel covers at each place, as a view: (n, c, h, w) -> (n, c, oh, ow, kh, kw)."""
    ### BEGIN SOLUTION
    sh, sw = _pair(stride)
    return sliding_window_view(x, _pair(kernel_size), axis=(2, 3))[:, :, ::sh, ::sw]
    ### END SOLUTION

# %% [markdown]
# Which four numbers stand in the window at (1, 0) of a 4×6 image, if the kernel is 2×2 and the stride 2?

# %%
image = np.arange(24).reshape(1, 1, 4, 6)
image[0, 0], windows(image, 2, 2)[0, 0, 1, 0]

# %%
windows(image, 2, 2).shape, windows(image, 2, 2).strides

# %% nbgrader={"grade": true, "grade_id": "windows_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Each window is a piece of the image, there are as many as conv_output_size says, and no number has moved."""
x = np.random.default_rng(0).standard_normal((2, 3, 7, 9))
view = windows(x, (2, 3), (2, 1))

assert view.shape == (2, 3, 3, 7, 2, 3), f"(n, c, oh, ow, kh, kw) is (2, 3, 3, 7, 2, 3), not {view.shape}"
np.testing.assert_array_equal(view[:, :, 1, 4], x[:, :, 2:4, 4:7], err_msg="the window at (1, 4) with stride (2, 1)")
assert np.shares_memory(view, x), "the windows must be a view of the image, not a copy"
assert windows(x, 3, 2).shape == (2, 3, 3, 4, 3, 3), f"ints too: kernel 3, stride 2, not {windows(x, 3, 2).shape}"

# %% nbgrader={"grade": true, "grade_id": "windows_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on an image that is no contiguous array, on a stride beyond the kernel, and on a window as large as the image."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = np.arange(240.0).reshape(2, 4, 5, 6).transpose(0, 3, 1, 2)[:, ::3]
answer(windows(_x, (3, 2), (1, 3)), about="not contiguous")
answer(windows(_x, 1, (2, 4)), about="a stride beyond the kernel")
answer(windows(_x, (4, 5)).shape, about="as large as the image")
### END HIDDEN TESTS

# %% [markdown]
# ### Image to columns
#
# Now lay each window out as one row of a matrix, with all its channels: $N\,\mathrm{out}_h\,\mathrm{out}_w$ rows, and in each the
# $C\,k_h\,k_w$ numbers in the order in which a set of weights is stored. (The name is from the time when they were columns.)
#
# Pad with `_pad`, take the windows, bring the axes into the order (n, oh, ow, c, kh, kw), and `reshape` to two axes. The dtype stays. Three to four
# lines. No strides can describe the result, so this reshape copies, and almost every pixel is copied $k_h k_w$ times.

# %% nbgrader={"grade": false, "grade_id": "im2col", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def im2col(x: np.ndarray, kernel_size: IntOrPair, stride: IntOrPair = 1, padding: IntOrPair = 0) -> np.ndarray:
    """Every window as one row: (n, c, h, w) -> (n * oh * ow, c * kh * kw)."""
    ### BEGIN SOLUTION
    view = windows(_pad(x, padding), kernel_size, stride)  # (n, c, oh, ow, kh, kw)
    n, c, oh, ow, kh, kw = view.shape
    return view.transpose(0, 2, 3, 1, 4, 5).reshape(n * oh * ow, c * kh * kw)
    ### END SOLUTION

# %% [markdown]
# The first window of the image above at stride 1, and the one below it: which rows are they?

# %%
im2col(image, 2)[0], im2col(image, 2)[5]

# %%
image.shape, im2col(image, 2).shape

# %% nbgrader={"grade": true, "grade_id": "im2col_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Row after row a window with all its channels, by image, then down, then right; a 1×1 kernel only moves the channels last."""
x = np.random.default_rng(0).standard_normal((2, 3, 4, 6))
rows = im2col(x, (2, 3), (1, 2))

assert rows.shape == (2 * 3 * 2, 3 * 2 * 3), f"(n * oh * ow, c * kh * kw) is (12, 18), not {rows.shape}"
np.testing.assert_array_equal(rows[3], x[0, :, 1:3, 2:5].ravel(), err_msg="row 3: image 0, place (1, 1)")
np.testing.assert_array_equal(rows[6], x[1, :, 0:2, 0:3].ravel(), err_msg="row 6: image 1, place (0, 0)")
np.testing.assert_array_equal(im2col(x, 1), np.moveaxis(x, 1, -1).reshape(-1, 3), err_msg="1×1: pixels as rows")
rows = im2col(x.astype(np.float32), 3, 1, (0, 1))
assert (rows.shape, rows.dtype) == ((24, 27), np.float32), f"float32, padding (0, 1): (24, 27) of float32, not {rows.shape} of {rows.dtype}"

# %% nbgrader={"grade": true, "grade_id": "im2col_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again with padding and stride as pairs, and on what becomes of the input's dtype."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = np.random.default_rng(2).standard_normal((2, 2, 5, 3))
answer(im2col(_x, (3, 2), (2, 1), (1, 2)), about="pairs")
answer(im2col(_x.astype(np.float32), 3), about="float32, one window each row of the image")
### END HIDDEN TESTS

# %% [markdown]
# ### One product
#
# Row $r$ holds a window, and `weight.reshape(out, -1)` holds one set of weights a row, in the same order. The whole convolution is
#
# $$Y = \mathrm{im2col}(x)\; W^T + b$$
#
# of shape $(N\,\mathrm{out}_h\,\mathrm{out}_w, O)$. Bring it to (n, oh, ow, out), and the channels to their place: (n, out, oh, ow). The
# first lines find the sizes. Four lines suffice; `bias` may be `None`.

# %% nbgrader={"grade": false, "grade_id": "conv2d_im2col", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def conv2d_im2col(x: np.ndarray, weight: np.ndarray, bias=None, stride: IntOrPair = 1, padding: IntOrPair = 0) -> np.ndarray:
    """im2col(x) @ weight.T + bias: (n, c, h, w), (out, c, kh, kw) -> (n, out, oh, ow)."""
    (n, _, h, w), (out, _, kh, kw) = x.shape, weight.shape
    oh, ow = conv_output_size((h, w), (kh, kw), stride, padding)
    ### BEGIN SOLUTION
    y = im2col(x, (kh, kw), stride, padding) @ weight.reshape(out, -1).T  # (n * oh * ow, out)
    if bias is not None:
        y = y + bias
    return y.reshape(n, oh, ow, out).transpose(0, 3, 1, 2)
    ### END SOLUTION

# %% [markdown]
# The loops and the product add the same numbers in another order. How large is the difference, in float32?

# %%
rng = np.random.default_rng(0)
x = rng.standard_normal((2, 3, 8, 8), dtype=np.float32)
weight, bias = rng.standard_normal((4, 3, 3, 3), dtype=np.float32), np.ones(4, np.float32)
np.abs(conv2d_im2col(x, weight, bias, padding=1) - naive_conv2d(x, weight, bias, padding=1)).max()

# %% nbgrader={"grade": true, "grade_id": "conv2d_im2col_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""One product gives what the loops give: same numbers, same shape, with stride, padding and bias; whole image as kernel: a dot product."""
rng = np.random.default_rng(0)
x, weight, bias = rng.standard_normal((2, 3, 5, 7)), rng.standard_normal((4, 3, 2, 3)), rng.standard_normal(4)

for options in [{}, {"stride": 2}, {"padding": (1, 2)}, {"stride": (1, 3), "padding": 1}]:
    got, expected = conv2d_im2col(x, weight, bias, **options), naive_conv2d(x, weight, bias, **options)
    assert got.shape == expected.shape, f"with {options}: {expected.shape}, not {got.shape}"
    np.testing.assert_allclose(got, expected, atol=1e-12, err_msg=f"with {options}")
whole = conv2d_im2col(x, x[:1])
np.testing.assert_allclose(whole[:, 0, 0, 0], (x * x[0]).sum((1, 2, 3)), err_msg="the image as its own kernel, no bias")

# %% nbgrader={"grade": true, "grade_id": "conv2d_im2col_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on larger numbers of channels, in float32, and on whether the input and the weights stay as they were."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_r = np.random.default_rng(3)
_x, _w = _r.standard_normal((3, 8, 6, 5), dtype=np.float32), _r.standard_normal((7, 8, 3, 3), dtype=np.float32)
_before = _x.copy(), _w.copy()
answer(conv2d_im2col(_x, _w, None, (2, 1), 1), about="float32, 8 channels", rtol=1e-4, atol=1e-4)
answer(conv2d_im2col(_x, _w, _w[:, 0, 0, 0], 3, (0, 2)), about="with a bias", rtol=1e-4, atol=1e-4)
answer([bool((_x == _before[0]).all()), bool((_w == _before[1]).all())], about="do the inputs stay?")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. The same product, in blocks
#
# Take 128 images of 32 channels, 16×16, and a 3×3 kernel with padding 1. Before you run: how many bytes has the input, how many
# the matrix of its windows?

# %%
x = np.zeros((128, 32, 16, 16), np.float32)
x.nbytes / 1e6, im2col(x, 3, padding=1).nbytes / 1e6

# %% [markdown]
# Such a matrix is written to memory and read back for the product. Nobody needs all its rows at once. `conv2d_blocked` takes a few
# images at a time, so that their rows stay in the cache until the product has read them. It wins three things: the traffic; the memory; and, since
# blocks do not depend on each other, all cores. (NumPy and BLAS let go of Python's lock while they compute, so threads do run at once.)

# %% [markdown]
# `in_blocks` hands out the blocks. BLAS would start threads of its own for each small product. Meanwhile it is told to use one, and as many
# Python threads work as it had. If there is one block only, or somebody else's blocks are being worked on, it just works. You need not follow every line.

# %% nbgrader={"grade": false, "grade_id": "in_blocks", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
BLOCK_BYTES = 2**20  # a megabyte: it stays in the cache of one core
_threads_taken = Lock()

@cache
def _blas() -> ThreadpoolController:
    """The BLAS libraries of this process, looked for once."""
    return ThreadpoolController().select(user_api="blas")


def in_blocks(work: Callable[[int, int], None], n: int, size: int) -> None:
    """work(first, last) for every `size` of range(n), at least 1, on as many Python threads as BLAS has; BLAS uses one meanwhile."""
    size = max(1, size)
    starts = range(0, n, size)
    threads = min(max([blas.num_threads for blas in _blas().lib_controllers], default=1), len(starts))
    waiting = iter(starts)  # whichever thread is free takes the next

    def run():
        for first in waiting:
            work(first, min(first + size, n))

    if threads < 2 or not _threads_taken.acquire(blocking=False):
        return run()
    try:
        with _blas().limit(limits=1), ThreadPoolExecutor(threads - 1) as pool:
            others = [pool.submit(run) for _ in range(threads - 1)]
            run()
        for other in others:
            other.result()  # raises here what was raised there
    finally:
        _threads_taken.release()

# %%
in_blocks(lambda first, last: print(f"images {first} to {last - 1}\n", end=""), 10, size=4)

# %% [markdown]
# ### Channels last
#
# A window of 3×3 pixels and 32 channels, in (n, c, h, w): how many numbers lie one after the other in memory? Three. Then comes a jump to
# the next row, and a long one to the next channel. If the memory is laid out as (n, h, w, c), one row of the window is $3 \cdot 32$
# numbers in one piece, and copying goes by pieces.
#
# `in_windows` copies the windows of a few images, or of a few rows of a large one, into rows of one buffer, which is used again
# and again: memory that is asked for anew has to be fetched anew.

# %% nbgrader={"grade": false, "grade_id": "in_windows", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def in_windows(x: np.ndarray, kernel_size: IntOrPair, stride: IntOrPair, padding: IntOrPair) -> Iterator[tuple[tuple, np.ndarray]]:
    """Block after block of the windows of x (n, c, h, w): which (images, rows) they are, and a buffer (windows, kh * kw * c)."""
    (n, c, h, w), (kh, kw), (sh, sw), (ph, pw) = x.shape, _pair(kernel_size), _pair(stride), _pair(padding, 0)
    oh, ow = conv_output_size((h, w), (kh, kw), stride, padding)
    bytes_a_row = ow * kh * kw * c * x.itemsize
    rows, images = max(1, min(oh, BLOCK_BYTES // bytes_a_row)), max(1, min(n, BLOCK_BYTES // (bytes_a_row * oh)))
    padded = np.zeros((images, h + 2 * ph, w + 2 * pw, c), x.dtype)
    view = sliding_window_view(padded, (kh, kw), axis=(1, 2))[:, ::sh, ::sw].transpose(0, 1, 2, 4, 5, 3)
    buffer = np.empty((images, rows, ow, kh, kw, c), x.dtype)
    for first in range(0, n, images):
        last = min(first + images, n)
        padded[: last - first, ph : ph + h, pw : pw + w] = x[first:last].transpose(0, 2, 3, 1)
        for top in range(0, oh, rows):
            block = buffer[: last - first, : min(rows, oh - top)]
            block[...] = view[: last - first, top : top + rows]
            yield (slice(first, last), slice(top, top + rows)), block.reshape(-1, kh * kw * c)

# %% [markdown]
# `conv2d_blocked` multiplies block by block, and gives its result as a *transposed view*. The shape is PyTorch's, (n, c, h, w); the
# strides tell where the numbers lie. NumPy's arithmetic keeps the order it meets, so the next layer finds it too. (PyTorch calls it `channels_last`.)

# %% nbgrader={"grade": false, "grade_id": "conv2d_blocked", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def conv2d_blocked(x: np.ndarray, weight: np.ndarray, bias=None, stride: IntOrPair = 1, padding: IntOrPair = 0) -> np.ndarray:
    """conv2d_im2col, a few images at a time, channels last in memory: (n, c, h, w), (out, c, kh, kw) -> (n, out, oh, ow)."""
    n, (out, _, kh, kw), dtype = len(x), weight.shape, np.result_type(x, weight)
    oh, ow = conv_output_size(x.shape[2:], (kh, kw), stride, padding)
    matrix = np.ascontiguousarray(weight.transpose(2, 3, 1, 0).reshape(-1, out), dtype)  # (kh * kw * c, out)
    y = np.empty((n, oh, ow, out), dtype)

    def work(first: int, last: int) -> None:
        for place, rows in in_windows(x[first:last].astype(dtype, copy=False), (kh, kw), stride, padding):
            block = y[first:last][place].reshape(-1, out)  # a view: what is written here is in y
            np.matmul(rows, matrix, out=block)
            if bias is not None:
                block += bias

    in_blocks(work, n, -(-n // 8))
    return y.transpose(0, 3, 1, 2)

# %% [markdown]
# Same numbers, other strides. Which of the four axes has the smallest stride, and what is it?

# %%
x = rng.standard_normal((8, 32, 16, 16), dtype=np.float32)
weight = rng.standard_normal((64, 32, 3, 3), dtype=np.float32)
y = conv2d_blocked(x, weight, padding=1)
y.shape, y.strides

# %%
np.abs(y - conv2d_im2col(x, weight, padding=1)).max(), np.abs(y).max()

# %% [markdown]
# The op that tensors pass through calls it. What will its derivative need: the input, the weights, and whether there was a bias. Not the windows: they
# are nine times the input, and can be copied again when they are needed. `algorithm` is the one place where another convolution can be put in.

# %% nbgrader={"grade": false, "grade_id": "conv2d_op", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Conv2dOp(Op):
    """Conv2dOp(stride, padding): x convolved with weight, plus bias if there is one. Saves (x, weight, whether there is one)."""
    algorithm = staticmethod(conv2d_blocked)  # module 13 comes back to it

    def forward(self, x, weight, bias=None):
        self.saved = (x, weight, bias is not None)
        return self.algorithm(x, weight, bias, *self.parameters)

    def flops(self, y, x, weight, bias=None) -> int:
        return 2 * y.size * weight[0].size + (bias is not None) * y.size

# %% [markdown]
# `flops` is what `summary` of module 05 asks an op for. Is this the number of multiplications and additions that your formula makes?

# %%
op = Conv2dOp((1, 1), (1, 1))
y = op.forward(x, weight)
op.flops(y, x, weight), 2 * 8 * 64 * 16 * 16 * 32 * 3 * 3

# %% [markdown]
# ## 4. The layer
#
# The layer holds the weights, drawn as PyTorch draws them: `fans` of module 04 counts the $C k_h k_w$ numbers that go into one output.
#
# Layers meet whatever people give them. `_images` lets batches of images through, integers as float32, and says what is wrong with the rest.

# %% nbgrader={"grade": false, "grade_id": "images", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _images(x: Tensor, layer: Layer, channels: int | None = None) -> Tensor:
    """x as floats, if it is a batch of images with so many channels; a ValueError with both shapes if it is not."""
    if x.ndim != 4 or channels not in (None, x.shape[1]):
        raise ValueError(f"{layer} takes (batch, {channels or 'channels'}, height, width), not {x.shape}")
    return x if x.dtype.kind == "f" else x.astype(np.float32)

# %% [markdown]
# Write `forward`: pass the input through `_images(x, self, ...)` with the number of channels that this layer has weights for; then `apply` an op with this
# layer's stride and padding. If `self.bias` is `None`, the op gets two tensors, else three. Three to four lines.

# %% nbgrader={"grade": false, "grade_id": "conv2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Conv2d(Layer):
    """One kernel an output channel, used at every place; the weights are stored as (out, in, kh, kw)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: IntOrPair, stride: IntOrPair = 1, padding: IntOrPair = 0, bias: bool = True):
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, _pair(kernel_size)
        self.stride, self.padding = _pair(stride), _pair(padding, 0)
        shape = (out_channels, in_channels, *self.kernel_size)
        self.weight = Parameter(kaiming_uniform(shape, a=5**0.5))
        self.bias = Parameter(uniform((out_channels,), fans(shape)[0] ** -0.5)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(n, in, h, w) -> (n, out, oh, ow), with sizes as conv_output_size gives them."""
        ### BEGIN SOLUTION
        x = _images(x, self, self.in_channels)
        inputs = (x, self.weight) if self.bias is None else (x, self.weight, self.bias)
        return apply(Conv2dOp(self.stride, self.padding), *inputs)
        ### END SOLUTION

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        return text + (f", padding={self.padding}" if any(self.padding) else "") + (", bias=False" if self.bias is None else "")

# %% [markdown]
# How many numbers does this layer learn, and what shape comes out?

# %%
layer = Conv2d(3, 8, kernel_size=3, stride=2, padding=1)
layer, sum(parameter.size for parameter in layer.parameters())

# %%
layer(Tensor(np.ones((5, 3, 32, 32)))).shape

# %% [markdown]
# And what if the channels come last?

# %% tags=["raises-exception"]
layer(Tensor(np.ones((5, 32, 32, 3))))

# %% nbgrader={"grade": true, "grade_id": "conv2d_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""Conv2d is the convolution with its own weights, stride, padding and bias; it remembers, and refuses a wrong number of channels."""
x = np.random.default_rng(0).standard_normal((2, 3, 9, 8), dtype=np.float32)
for layer in [Conv2d(3, 4, (2, 3), stride=(1, 2), padding=(1, 0)), Conv2d(3, 5, 3, bias=False)]:
    y = layer(Tensor(x))
    b = None if layer.bias is None else layer.bias.data
    expected = naive_conv2d(x, layer.weight.data, b, layer.stride, layer.padding)
    np.testing.assert_allclose(y.data, expected, atol=1e-5, err_msg=f"{layer} against the loops")
    tensors = len(y.origin[1]) if y.origin else 0
    assert tensors == (2 if b is None else 3), f"{layer}: the op's inputs are x, weight and the bias if any, not {tensors}"
try:
    y = layer(Tensor(np.ones((2, 1, 9, 8))))
except ValueError as error:
    assert "(2, 1, 9, 8)" in str(error), f"the error must name the shape (2, 1, 9, 8), it says: {error}"
else:
    raise AssertionError("1 channel, where the weights are for 3: this must be a ValueError")
whole = layer(Tensor(np.arange(27).reshape(1, 3, 3, 3)))
assert whole.dtype == np.float32, f"integers go in as the float32 that _images returns, and float32 comes out, not {whole.dtype}"

# %% nbgrader={"grade": true, "grade_id": "conv2d_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on an image of integers, on a batch of one, on what the op remembers, and on shapes that are no images."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_layer = Conv2d(2, 3, 3, stride=2, padding=(2, 1))
_layer.weight.data[...], _layer.bias.data[...] = np.arange(54).reshape(3, 2, 3, 3) / 10, [1, 2, 3]
answer(_layer(Tensor(np.arange(60).reshape(1, 2, 5, 6))), about="integers, a batch of one", rtol=1e-4)
_x = Tensor(np.ones((2, 2, 4, 4)), requires_grad=True)
_op, _in = _layer(_x).origin
answer([type(_op).__name__, _op.parameters, [_in[0] is _x, _in[1] is _layer.weight, _in[2] is _layer.bias]], about="what it remembers")
answer([raised(_layer, Tensor(np.ones(s))) for s in [(2, 5, 5), (1, 3, 5, 5), (1, 2, 1, 1), (0, 2, 5, 5)]], about="no images")
### END HIDDEN TESTS

# %% [markdown]
# ### A kernel by hand
#
# Later such kernels are learned. Which would you choose, to find edges? The **Sobel** kernel takes the right neighbours minus the left ones, averages that over three rows, and is
# $\frac18 \begin{pmatrix} -1 & 0 & 1 \\ -2 & 0 & 2 \\ -1 & 0 & 1 \end{pmatrix}$: the slope to the right, per pixel. Its transpose is the slope down. An edge is
# where the slope is steep, in whatever direction: $\sqrt{g_{\mathrm{right}}^2 + g_{\mathrm{down}}^2}$.
#
# Write `edges` with *one* layer `Conv2d(1, 2, 3, bias=False)`, whose `.weight.data[...]` you set to the two kernels, shape (2, 1, 3, 3). Then tensor operations.
# Four lines suffice. No padding: a frame of zeros would be an edge.

# %% nbgrader={"grade": false, "grade_id": "edges", "locked": false, "schema_version": 3, "solution": true, "task": false}
SOBEL = np.float32([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8

def edges(image: Tensor) -> Tensor:
    """How steep the brightness is at each pixel: (n, 1, h, w) -> (n, 1, h - 2, w - 2)."""
    ### BEGIN SOLUTION
    slopes = Conv2d(1, 2, 3, bias=False)
    slopes.weight.data[...] = np.stack([SOBEL, SOBEL.T])[:, None]
    right_and_down = slopes(image)  # (n, 2, h - 2, w - 2)
    return (right_and_down**2).sum(1, keepdims=True).sqrt()
    ### END SOLUTION

# %% [markdown]
# A plane that rises by 3 a pixel to the right and by 4 a pixel downwards: how steep is it?

# %%
plane = 3.0 * np.arange(6) + 4.0 * np.arange(5)[:, None]
edges(Tensor(plane.reshape(1, 1, 5, 6))).data[0, 0]

# %% nbgrader={"grade": true, "grade_id": "edges_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The steepness of a plane is the length of its slope, in every direction, whatever its height; a flat image has no edge."""
right, down = np.arange(7.0), np.arange(6.0)[:, None]
for a, b in [(3, 4), (-5, 12), (0, 2), (0, 0)]:
    plane = a * right + b * down + 10
    y = edges(Tensor(np.stack([plane, -plane])[:, None]))  # a batch of two, equally steep
    assert isinstance(y, Tensor), f"edges must return a Tensor, not {type(y).__name__}"
    assert y.shape == (2, 1, 4, 5), f"(2, 1, 6, 7) -> (2, 1, 4, 5), not {y.shape}"
    assert y.dtype == np.float32, f"float32 in, {y.dtype} out: compute with tensors"
    np.testing.assert_allclose(y.data, np.hypot(a, b), atol=1e-4, err_msg=f"slope {a} right and {b} down: a steepness of {np.hypot(a, b)}")

# %% nbgrader={"grade": true, "grade_id": "edges_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a batch of images which are no planes, and which stay as they were."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor(np.random.default_rng(4).standard_normal((3, 1, 6, 5)))
answer(edges(_x), about="a batch", rtol=1e-4, atol=1e-5)
answer(_x, about="the batch after the call")
### END HIDDEN TESTS

# %% [markdown]
# ## 5. Pooling
#
# Whether there is an edge matters; on which pixel exactly, less so. **Max pooling** keeps the largest number of each window and forgets where it lay.
# The windows usually lie side by side: with a kernel of 2 and a stride of 2, three of four numbers go.
#
# You have the windows, so `windows(x, 2, 2).max((-2, -1))` is all. But the derivative goes to the winner alone, so somebody has to remember *which* it was.
#
# Walk through the kernel instead of through the windows. What lies under one place of the kernel, in all windows at once, is a strided slice of the image: a **tap**. A kernel of 2×2 has four.

# %% nbgrader={"grade": false, "grade_id": "taps", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _taps(x: np.ndarray, kernel_size: IntOrPair, stride: IntOrPair, padding: IntOrPair, value: float) -> list[np.ndarray]:
    """For each place of the kernel, row by row, what lies under it in all windows: kh * kw views (n, c, oh, ow)."""
    view = windows(_pad(x, padding, value), kernel_size, stride)
    return [view[..., p, q] for p, q in np.ndindex(view.shape[4:])]

# %%
image = np.float32([[1, 5, 2, 0], [3, 4, 2, 6], [7, 7, 0, 0], [1, 7, 0, 9]]).reshape(1, 1, 4, 4)
image[0, 0]

# %%
[tap[0, 0] for tap in _taps(image, 2, 2, 0, -np.inf)]

# %% [markdown]
# The largest of the taps, place by place, is the result. Go through them in order and keep a running maximum `y`. Where a tap is larger than `y`, and not only equal to it,
# it is the new winner: `which` becomes its number there.
#
# A fast way to say this, with the numbers 0, 1, 2, ... in `number`, one byte each: `number[i] * (tap > y)` is `i` where the tap wins, else 0. Numbers only grow on the way, so the elementwise maximum of `which` and this is right.
# (`which[tap > y] = i` is right, too, and several times slower.) Three lines. The taps must not change.

# %% nbgrader={"grade": false, "grade_id": "largest", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def largest(taps: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The elementwise maximum of arrays of one shape, and the number of the first array that has it: twice that shape."""
    number = np.arange(len(taps), dtype=np.min_scalar_type(len(taps) - 1))  # uint8 for up to 256 taps: one byte each
    y, which = np.full_like(taps[0], -np.inf), np.zeros_like(taps[0], number.dtype)
    ### BEGIN SOLUTION
    for i, tap in enumerate(taps):
        np.maximum(which, number[i] * (tap > y), out=which)
        np.maximum(y, tap, out=y)
    ### END SOLUTION
    return y, which

# %% [markdown]
# For the image above: which tap wins in the lower left window, where there are three sevens?

# %%
largest(_taps(image, 2, 2, 0, -np.inf))

# %% nbgrader={"grade": true, "grade_id": "largest_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""largest agrees with NumPy's max and argmax over the taps, also below zero and in ties, and leaves the taps alone."""
taps = list(np.random.default_rng(0).integers(-9, -1, (7, 2, 3, 4, 5)).astype(np.float32))
before = np.stack(taps)
y, which = largest(taps)

np.testing.assert_array_equal(y, before.max(0), err_msg="the maximum over the taps")
np.testing.assert_array_equal(which, before.argmax(0), err_msg="the number of the first tap that has the maximum")
assert which.dtype == np.uint8, f"`which` must keep the dtype of `number`, for 7 taps uint8, not {which.dtype}"
np.testing.assert_array_equal(np.stack(taps), before, err_msg="the taps changed")

# %% nbgrader={"grade": true, "grade_id": "largest_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a single tap, on the number of a frame of -inf, on three hundred taps, and on float64."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_r = np.random.default_rng(5)
answer(list(largest([_r.standard_normal((2, 3))])), about="a single tap, float64")
_t = np.float32([[-np.inf, -np.inf, 2], [-np.inf, -3, 2], [-5, -3, -np.inf]])
answer(list(largest(list(_t))), about="a frame of -inf")
answer(list(largest(list(_r.integers(0, 50, (300, 4)).astype(np.float32)))), about="three hundred taps")
### END HIDDEN TESTS

# %% [markdown]
# The op is given. It hands the taps to your function in blocks, as the convolution does, and saves one byte a window instead of the image. Padding is with
# $-\infty$, which never wins.

# %% nbgrader={"grade": false, "grade_id": "max_pool_op", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class MaxPool2dOp(Op):
    """MaxPool2dOp(kernel_size, stride, padding): the largest of each window. Saves (the number of its tap, x.shape)."""

    def forward(self, x):
        taps = _taps(x, *self.parameters, -np.inf)
        y, which = np.empty_like(taps[0]), np.empty_like(taps[0], np.min_scalar_type(len(taps) - 1))

        def work(first: int, last: int) -> None:
            y[first:last], which[first:last] = largest([tap[first:last] for tap in taps])

        in_blocks(work, len(y), BLOCK_BYTES // max(1, y[:1].nbytes))
        self.saved = (which, x.shape)
        return y

    def flops(self, y, x) -> int:
        return y.size * (prod(self.parameters[0]) - 1)

# %%
op = MaxPool2dOp((2, 2), (2, 2), (0, 0))
op.forward(image), op.saved

# %% [markdown]
# ### The mean
#
# **Average pooling** takes the mean of each window instead. Padding is with zeros, and as in PyTorch they count: at a corner with padding 1, a 2×2
# window holds one pixel and three zeros, and gives a quarter of the pixel.
#
# The derivative spreads evenly over a window, whatever was in it: save the shape, `(x.shape,)`. `_taps(x, *self.parameters, value)` gives the taps. The
# result keeps the dtype of `x`. Three lines.

# %% nbgrader={"grade": false, "grade_id": "avg_pool", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class AvgPool2dOp(Op):
    """AvgPool2dOp(kernel_size, stride, padding): the mean of each window, padding included. Saves (x.shape,)."""

    def forward(self, x):
        ### BEGIN SOLUTION
        taps = _taps(x, *self.parameters, 0)
        self.saved = (x.shape,)
        return sum(taps) / len(taps)
        ### END SOLUTION

    def flops(self, y, x) -> int:
        return y.size * prod(self.parameters[0])

# %%
AvgPool2dOp((2, 2), (2, 2), (0, 0)).forward(image), AvgPool2dOp((2, 2), (2, 2), (1, 1)).forward(image)

# %% nbgrader={"grade": true, "grade_id": "avg_pool_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The mean of each window is a convolution with equal weights; padding counts; the dtype stays; the shape is saved."""
x = np.random.default_rng(0).standard_normal((2, 1, 5, 6), dtype=np.float32)
op = AvgPool2dOp((2, 3), (1, 2), (1, 1))
y = op.forward(x)

expected = conv2d_im2col(x, np.full((1, 1, 2, 3), 1 / 6, np.float32), None, (1, 2), (1, 1))
np.testing.assert_allclose(y, expected, atol=1e-6, err_msg="equal weights of 1/6")
assert op.saved == ((2, 1, 5, 6),), f"saved must be (x.shape,), not {op.saved}"
corner = AvgPool2dOp((2, 2), (2, 2), (1, 1)).forward(np.ones((1, 1, 4, 4)))[0, 0, 0, 0]
assert corner == 0.25, f"one pixel of 1 and three zeros: 0.25, not {corner}"
assert (y.dtype, corner.dtype) == (np.float32, np.float64), f"float32 and float64 went in, {y.dtype} and {corner.dtype} came out"

# %% nbgrader={"grade": true, "grade_id": "avg_pool_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again with channels, on overlapping windows, in float64, and on whether the image stays as it was."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = np.random.default_rng(6).standard_normal((2, 3, 6, 7))
_before = _x.copy()
answer(AvgPool2dOp((3, 3), (2, 2), (0, 1)).forward(_x), about="overlapping windows")
answer(AvgPool2dOp((1, 1), (2, 3), (0, 0)).forward(_x), about="windows of one pixel")
answer(bool((_x == _before).all()), about="does the image stay?")
### END HIDDEN TESTS

# %% [markdown]
# The layers are given. In PyTorch's manner, a stride that is not mentioned is the kernel's size. `GlobalAvgPool2d` is the mean of each whole channel,
# for any size of image.

# %% nbgrader={"grade": false, "grade_id": "pools", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class _Pool2d(Layer):
    """A window moves over each channel for itself and gives one number at each place: (n, c, h, w) -> (n, c, oh, ow)."""

    def __init__(self, kernel_size: IntOrPair, stride: IntOrPair | None = None, padding: IntOrPair = 0):
        self.kernel_size, self.padding = _pair(kernel_size), _pair(padding, 0)
        self.stride = self.kernel_size if stride is None else _pair(stride)
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(f"padding {padding} is more than half of the kernel {kernel_size}: a window could miss the image")

    def forward(self, x: Tensor) -> Tensor:
        return apply(self.op(self.kernel_size, self.stride, self.padding), _images(x, self))

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """The largest number of each window."""
    op = MaxPool2dOp


class AvgPool2d(_Pool2d):
    """The mean of each window; padding counts as zeros."""
    op = AvgPool2dOp


class GlobalAvgPool2d(Layer):
    """The mean of each channel, whatever the size of the image."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c)."""
        return _images(x, self).mean((2, 3))

# %%
x = Tensor(image)
MaxPool2d(2)(x), AvgPool2d(2)(x), MaxPool2d(3, stride=1)(x)

# %%
GlobalAvgPool2d()(x), AvgPool2d(4)(x), MaxPool2d(2)

# %% tags=["raises-exception"]
MaxPool2d(2, padding=2)

# %% [markdown]
# ## 6. What one number sees
#
# A number behind one 3×3 convolution has seen 3 pixels across. Behind a second one it has seen three such numbers side by side: 5 pixels. What it depends on is its
# **receptive field**. Go through the layers and keep two numbers: the field $r$, and the *jump* $j$, how many pixels of the image lie between two neighbours in the present layer.
# Both begin as 1. A layer with kernel $k$ and stride $s$ makes of them
#
# $$r \leftarrow r + (k - 1)\,j, \qquad j \leftarrow j\,s$$

# %% [markdown]
# Write it, down and right, for a list of layers that have `.kernel_size` and `.stride`, both pairs. Layers without a `kernel_size`, such as a ReLU, see nothing new: skip
# them (`hasattr`). NumPy arrays of two numbers make one line of both directions. Five to six lines; the result is a pair of ints.

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
# Two layers of 3×3 see 5 pixels. How many do two of them see with a pooling of 2 between them?

# %%
receptive_field([Conv2d(1, 1, 3), Conv2d(1, 1, 3)]), receptive_field([Conv2d(1, 1, 3), MaxPool2d(2), Conv2d(1, 1, 3)])

# %% nbgrader={"grade": true, "grade_id": "receptive_field_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""The field is what a change of one pixel can reach: counted on an image, pixel by pixel, and by hand."""
from tinytorch.core.activations import ReLU

layers = [Conv2d(1, 1, (3, 2), stride=(1, 2), bias=False), ReLU(), AvgPool2d(2, stride=1), Conv2d(1, 1, (1, 3), stride=2, bias=False)]
y = Tensor(np.eye(12 * 16).reshape(-1, 1, 12, 16))  # each image has one bright pixel, each another one
for layer in layers:
    if isinstance(layer, Conv2d):
        layer.weight.data[...] = 1
    y = layer(y)
seen = y.data[:, 0, 2, 1].reshape(12, 16) > 0  # which of them the number at (2, 1) notices
reached = int(seen.any(1).sum()), int(seen.any(0).sum())
got = receptive_field(layers)
assert isinstance(got, tuple) and got == reached, f"counted on the image: {reached}, not {got}"
assert receptive_field([]) == (1, 1), f"without a layer a number is one pixel, not {receptive_field([])}"

# %% nbgrader={"grade": true, "grade_id": "receptive_field_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on five convolutions with strides as pairs, and on a network of convolutions and pools."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(receptive_field([Conv2d(1, 1, (3, 1), stride=(1, 2)) for _ in range(5)]), about="five convolutions")
answer(receptive_field([Conv2d(1, 1, 7, stride=2), MaxPool2d(3, 2), Conv2d(1, 1, 3), Conv2d(1, 1, 3, padding=1)]), about="with pools")
### END HIDDEN TESTS

# %% [markdown]
# Now drawn, with the method of the check: all weights are 1, so the brightness tells by *how many ways* a pixel reaches the middle of the result. Does a pixel
# at the rim of the field count as much as one in its centre? (The fifth result has 2×2 numbers and no middle: it is the lower right one.)

# %%
def ways(layers, size: int = 31) -> np.ndarray:
    """By how many ways each pixel enters the middle of the result, as a share of the most: (size, size)."""
    y = Tensor(np.eye(size * size).reshape(-1, 1, size, size))
    for layer in layers:
        y = layer(y)
    middle = y.data[:, 0, y.shape[2] // 2, y.shape[3] // 2]
    return (middle / middle.max()).reshape(size, size)

# %%
def ones(kernel_size: int, stride: int = 1) -> Conv2d:
    layer = Conv2d(1, 1, kernel_size, stride, bias=False)
    layer.weight.data[...] = 1
    return layer

# %%
import matplotlib.pyplot as plt

stacks = {"one 3×3": [ones(3)], "two": [ones(3)] * 2, "five": [ones(3)] * 5, "three, stride 2": [ones(3, 2)] * 3,
          "3×3, pool, three times": [ones(3), AvgPool2d(2)] * 3, "one 11×11": [ones(11)]}
figure, axes = plt.subplots(1, 6, figsize=(13, 2.7), layout="constrained")
for ax, (name, layers) in zip(axes, stacks.items(), strict=True):
    ax.imshow(ways(layers), cmap="magma")
    ax.set(title=f"{name}\nsees {receptive_field(layers)[0]}", xticks=[], yticks=[])

# %% [markdown]
# ## Use: a photograph
#
# matplotlib brings one along: Grace Hopper, who wrote one of the first compilers. The channels become one grey by a 1×1 convolution: weights for red, green and blue, and no neighbours.

# %%
from matplotlib.cbook import get_sample_data

with get_sample_data("grace_hopper.jpg") as file:
    photo = Tensor(plt.imread(file, format="jpeg") / 255).permute(2, 0, 1).unsqueeze(0)  # (1, 3, 600, 512)
to_grey = Conv2d(3, 1, 1, bias=False)
to_grey.weight.data[...] = np.float32([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
grey = to_grey(photo)

# %% [markdown]
# A blur is a kernel of equal weights, here 13×13. It is to act on each colour alone, so the three colours go in as a *batch* of three grey images. What the blur has taken away is detail;
# the photograph plus its detail is sharper than it was. Which layer of yours blurs already, without any weights?

# %%
blur = Conv2d(1, 1, 13, padding=6, bias=False)
blur.weight.data[...] = 1 / 13**2
blurred = blur(photo.transpose(0, 1)).transpose(0, 1)
sharpened = (photo + (photo - blurred)).clip(0, 1)
np.testing.assert_allclose(blurred.data, AvgPool2d(13, stride=1, padding=6)(photo).data, atol=1e-4)
{"photo": photo.var().item(), "blurred": blurred.var().item(), "sharpened": sharpened.var().item()}

# %%
steep = edges(grey)
panels = {"the photograph": photo, "blurred": blurred, "sharpened": sharpened, "edges": steep, "edges, MaxPool2d(8)": MaxPool2d(8)(steep)}
figure, axes = plt.subplots(1, 5, figsize=(15, 3.8), layout="constrained")
for ax, (name, panel) in zip(axes, panels.items(), strict=True):
    ax.imshow(panel.data[0].transpose(1, 2, 0).squeeze(), cmap="gray_r", vmin=0, vmax=0.2 if "edges" in name else None)
    ax.set(title=f"{name}\n{panel.shape}", xticks=[], yticks=[])

# %% [markdown]
# The last picture has a 64th of the numbers, and you still recognise her.
#
# ### The digits that moved
#
# Back to the sheets of the beginning. 64 random kernels of 5×5 look at them, a ReLU, and max pooling over pieces of the result. Least squares on the 1,000 digits in the middle reads off
# ten scores, as in module 03; the other 797 are moved. Nothing is trained but the last line.
#
# Which window should win on moved digits, 6×6 or the whole sheet? And on digits in the middle?

# %%
from tinytorch.core.activations import relu
from tinytorch.core.tensor import manual_seed

manual_seed(0)
kernels = Conv2d(1, 64, 5, padding=2)
looks = {"pixels": lambda x: x, "max over 6×6": lambda x: MaxPool2d(6)(relu(kernels(x))),
         "max over all": lambda x: MaxPool2d(12)(relu(kernels(x)))}

# %%
def seen(look, images, move) -> np.ndarray:
    """What a look makes of moved digits, a row for each: (n, 8, 8) -> (n, features)."""
    return look(Tensor(placed(images, *move)[:, None])).data.reshape(len(images), -1)

def fitted(look) -> np.ndarray:
    """Weights of ten scores, by least squares on 1,000 digits in the middle: (features, 10)."""
    return np.linalg.lstsq(seen(look, images[:1000], (0, 0)), np.eye(10, dtype=np.float32)[labels[:1000]], rcond=0.003)[0]

# %%
moves, share = [(0, 0), (0, 1), (0, 2), (2, 2)], {}
for name, look in looks.items():
    weights = fitted(look)
    share[name] = [((seen(look, images[1000:], move) @ weights).argmax(1) == labels[1000:]).mean() for move in moves]
    print(f"{name:13}", *(f"{move}: {right:4.0%}  " for move, right in zip(moves, share[name], strict=True)))
assert share["max over all"][3] > 0.8 > 0.2 > share["pixels"][3]

# %% [markdown]
# Pooling buys indifference to place, and pays with knowledge of place: the larger the window, the more of both. Networks pool by little, several times.

# %% [markdown]
# ## Systems: what does a convolutional network cost?
#
# Two convolutions, two poolings, two linear layers, on one batch of CIFAR-10's shape. Before you look: in which layer are most of the parameters, and in which are most of the FLOPs?

# %%
from tinytorch.core.activations import ReLU
from tinytorch.core.dense import Flatten, Sequential, summary
from tinytorch.core.layers import Linear

network = Sequential(Conv2d(3, 32, 3, padding=1), ReLU(), MaxPool2d(2), Conv2d(32, 64, 3, padding=1), ReLU(), MaxPool2d(2),
                     Flatten(), Linear(64 * 8 * 8, 128), ReLU(), Linear(128, 10))
summary(network, (128, 3, 32, 32))

# %% [markdown]
# Few weights, used often: convolutions compute, linear layers remember. So the time of such a network is the time of its convolutions.
#
# ### Why is naive convolution slow?
#
# "Cache misses make naive convolution 100× slower." So it is said. A good machine to test a sentence is one that changes a single thing at a time. This function writes the seven loops as text, in
# the order of its letters, the last one innermost, so that an order is a word:

# %%
def source(order: str) -> str:
    """The formula (stride 1, no padding, no bias) as seven nested loops in the given order."""
    length = {"n": "y.shape[0]", "o": "y.shape[1]", "i": "y.shape[2]", "j": "y.shape[3]",
              "c": "x.shape[1]", "p": "w.shape[2]", "q": "w.shape[3]"}
    lines = [" " * (d + 1) + f"for {k} in range({length[k]}):" for d, k in enumerate(order)]
    product = " " * 8 + "y[n, o, i, j] += x[n, c, i + p, j + q] * w[o, c, p, q]"
    return "\n".join(["def loops(x, w, y):", *lines, product])

print(source("noijcpq"))

# %% [markdown]
# ### The interpreter
#
# [Numba](https://numba.pydata.org) compiles a Python function to machine code, when it is first called. `python` and `compiled` below are the very same text. `problem` makes arrays for it, and
# `cost` gives nanoseconds per multiply-add; a first call on a single image pays for compiling, outside of the measurement.

# %%
import numba
from threadpoolctl import threadpool_limits


def python(order: str):
    space = {}
    exec(source(order), space)
    return space["loops"]

# %%
def compiled(order: str, simd: bool = True):
    numba.config.LOOP_VECTORIZE = int(simd)
    f = numba.njit(python(order))
    f(*problem(1, 1, 4, 1))
    return f

# %%
def problem(n: int, c: int, size: int, out: int) -> tuple:
    """x with its frame, w of 3×3, and room for y."""
    rng = np.random.default_rng(0)
    shapes = (n, c, size + 2, size + 2), (out, c, 3, 3), (n, out, size, size)
    return tuple(rng.standard_normal(shape, dtype=np.float32) for shape in shapes)

# %%
def cost(f, arrays, repeat: int = 3) -> float:
    x, w, y = arrays
    return time_call(f, *arrays, repeat=repeat).min / (y.size * prod(w.shape[1:])) * 1e9

# %% [markdown]
# Five ways, from slow to fast, all on *one* thread. `noijcpq` is the order of the formula. In `nocpqij` the innermost loop runs along a row of the image, and there the compiler
# can use SIMD: 4, 8 or 16 products in one instruction. Then your matrix product, which is BLAS, and the blocks. Only Python gets a small problem. Write down, before you run, by which factor each line is
# faster than the one above.

# %%
tiny, middle = problem(1, 4, 8, 4), problem(8, 32, 16, 64)
ladder = {}
with threadpool_limits(1):
    ladder["Python loops, noijcpq"] = cost(python("noijcpq"), tiny)
    ladder["compiled, noijcpq"] = cost(compiled("noijcpq"), middle)
    ladder["compiled, nocpqij, no SIMD"] = cost(compiled("nocpqij", simd=False), middle)
    ladder["compiled, nocpqij"] = cost(compiled("nocpqij"), middle)
    ladder["im2col, one product"] = cost(lambda x, w, y: conv2d_im2col(x, w), middle)
    ladder["blocked"] = cost(lambda x, w, y: conv2d_blocked(x, w), middle)

# %%
above = None
for name, ns in ladder.items():
    print(f"{name:28} {ns:9.3f} ns a multiply-add" + (f"  {above / ns:7.1f} × the line above" if above else ""))
    above = ns

# %% [markdown]
# The first factor is the interpreter, which makes a Python object of every number it touches, and nothing else: the text is the same, the order is the same, memory is touched in the same sequence. (And
# the compiled loops had the larger problem.)

# %% [markdown]
# ### The cache
#
# Now the same multiply-adds in three orders. `pqijcno` is a bad one: from one innermost step to the next, `y` moves on by a whole channel, to another cache line. But does that matter if
# everything fits into the cache? Therefore two sizes, 30 kB and 6.6 MB in all.
#
# Python, to save time, computes less on the same arrays: one channel, a kernel of 3×1, and of the large `y` every 16th column. These lie 64 bytes apart, in as many cache lines as before. Predict which
# entries will be alike.

# %%
small, large = problem(8, 4, 8, 8), problem(128, 4, 32, 8)
print(f"{'ns a multiply-add':28} {'30 kB':>9} {'6.6 MB':>9}")
for order, simd in [("nocpqij", True), ("nocpqij", False), ("noijcpq", False), ("pqijcno", False)]:
    f = compiled(order, simd)
    f_small, f_large = cost(f, small), cost(f, large)
    print(f"compiled, {order}{'' if simd else ', no SIMD':9} {f_small:11.3f} {f_large:9.3f}   × {f_large / f_small:.1f}")
for order in ("noijcpq", "pqijcno"):
    f = python(order)
    f_small, f_large = (cost(f, (x[:, :1], w[:, :1, :, :1], y[..., ::step]), 2) for (x, w, y), step in [(small, 1), (large, 16)])
    print(f"Python, {order:11} {f_small:18.0f} {f_large:9.0f}   × {f_large / f_small:.1f}")

# %% [markdown]
# Read down the first column of the compiled loops: in the cache, the bad order costs about what the formula's costs. Read the bad order across: the same instructions on larger arrays. *That* factor is the cache.
# (If the first line does better on the large arrays: rows of 8 numbers hardly pay for SIMD.) Python executes hundreds of instructions around each product, whatever the order, and most of what memory could cost disappears among them.

# %% [markdown]
# ### What the blocks win
#
# For the shape below, the matrix of windows takes 38 MB, the padded input 5 MB, the result 8 MB. Which peaks do you predict for the two? And which is faster, on all cores?

# %%
shape, rng = (128, 32, 16, 16), np.random.default_rng(0)
x, weight = rng.standard_normal(shape, dtype=np.float32), rng.standard_normal((64, 32, 3, 3), dtype=np.float32)
ways_to = {"im2col": conv2d_im2col, "blocked": conv2d_blocked}
{name: readable(peak_memory(f, x, weight, None, 1, 1), "B") for name, f in ways_to.items()}

# %%
timed = compare({name: (lambda f=f: f(x, weight, None, 1, 1)) for name, f in ways_to.items()}, rounds=7)
operations = 2 * 128 * 64 * 16 * 16 * 32 * 9
for name, m in timed.times.items():
    print(f"{name:8} {operations / m.min / 1e9:6.1f} GFLOP/s")
timed

# %% [markdown]
# Compare with the GFLOP/s of a matrix product that you measured in module 01: how much of what this machine can do has the convolution reached? Module 13 comes back to it.
#
# ### Pooling
#
# `windows(x, 2, 2).max((4, 5))` is the shortest way to pool. It reads the image once and compares three times for each result, like `largest`. Here both get the same numbers in two orders of
# memory. Which of the four will be slow, and why?

# %%
x = rng.standard_normal((64, 32, 32, 32), dtype=np.float32)
orders = {"channels first": x, "channels last": np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)}
for name, image in orders.items():
    f, pool = lambda image=image: windows(image, 2, 2).max((4, 5)), lambda image=image: MaxPool2d(2)(Tensor(image)).data
    assert np.array_equal(f(), pool())
    print(f"{name:14}  windows, max {1e3 * time_call(f, repeat=5).min:6.1f} ms   MaxPool2d {1e3 * time_call(pool, repeat=5).min:6.1f} ms")

# %% [markdown]
# NumPy's innermost loop runs along the axis with the smallest stride. In one of the four cases that is the window's own row, two numbers long, and so it starts a million loops of two steps.

# %% [markdown]
# ### Reflect: the sentence
#
# "Cache misses make naive convolution 100× slower." Judge it by your two tables. Which factor separates naive Python from the fastest line, and how large a part of it is the interpreter, how large is SIMD, and how
# large is the cache? Give each as a factor with the two entries it comes from. Then write the sentence as it is true for your machine. At most eight sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "sentence_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# From Python to the blocks: 500 / 0.03 = 17,000. The interpreter is 500 / 0.75 = 670 of it, by the same text compiled. SIMD is 0.4 / 0.08 = 5 (nocpqij without and with). The cache is what the same order costs on large arrays
# against small: 6.4 / 0.65 = 10 for pqijcno, and 1 for noijcpq, the order in which everybody writes it. So in the naive program the cache plays no part. True is: "Python makes naive convolution some 700× slower; compiled, a bad order of the
# loops can cost another 10× once the arrays do not fit into the cache."
#
# Rubric: 2 points for the interpreter's factor from the same text run by Python and compiled; 1 for SIMD from the same order without and with; 2 for the cache as the same order on two sizes (not as worst against best, which mixes SIMD in:
# 1 point); 2 for a sentence that follows from the learner's own numbers and does not give the cache what is the interpreter's.

# %% [markdown]
# ### Reflect: three small for one large
#
# A layer of 7×7, $C$ channels in and out, stride 1, is replaced by three of 3×3, each with a ReLU behind it. Is the receptive field the same? Compare the weights, the multiply-adds per place, and the
# bytes that have to be kept for a derivative (the inputs of all convolutions; leave out the ReLUs). What gets better, and what worse? And what about replacing it by *one* of 3×3 with a MaxPool2d(2) before it? At most six sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "three_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# Both see 7 pixels. Weights: 49 C² against 27 C²; multiply-adds per place the same numbers, so 1.8 times fewer; and there are three bends in place of one. What gets worse: three inputs have to be kept, so 3 times the bytes. The pool and one 3×3 see
# 2 + 2 · 2 = 6 pixels, and give a quarter of the places: cheaper by 49/9 · 4 = 22, but not the same field, and not the same resolution.
#
# Rubric: 1 point for the equal field of 7; 2 for 49 C² and 27 C², weights and multiply-adds; 2 for three times the kept bytes as what gets worse; 2 for a field of 6 (1) and a quarter of the places (1).

# %% [markdown]
# ### Reflect: moved digits
#
# "Convolution and max pooling make a network indifferent to where the digit lies." Your last table in Use says more. Why does the row of 6×6 windows fall with the move although its convolution is the same, why does the row of the whole sheet fall
# so little, and why not even by nothing at (2, 2)? Name one pair of images that the last network can not tell apart, however it is trained. At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "moved_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# A convolution moves its result along with its input; it is not indifferent. Windows of 6×6 lie fixed: a digit moved by 2 puts its largest numbers into other windows, which have other weights in the read-out. The maximum over
# the whole sheet is the same wherever it lies. At (2, 2) the digit touches the border: parts of what a kernel would see there hang over the padding's edge and are cut off. It cannot tell apart two images in which the same
# pieces of 5×5 are arranged differently: two strokes far apart, and the same strokes with their places exchanged.
#
# Rubric: 2 points for fixed windows with weights of their own; 1 for the maximum over everything being the same; 1 for the border (results beyond the sheet are missing); 2 for a pair with the same local pieces in another arrangement.

# %% [markdown]
# ## Summary
#
# Convolution exists as loops, as one product and in blocks, all with one signature; `Conv2d`, `MaxPool2d`, `AvgPool2d` and `GlobalAvgPool2d` are layers on ops that keep what a derivative needs. The kernels are random or written by hand. Module 09 gives the rules by which they learn, module 11 trains
# them on photographs, and module 13 puts faster algorithms in.
