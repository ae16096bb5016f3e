"""tinytorch.core.spatial: loops against products against blocks, identities, threads, and PyTorch where it is installed."""


import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core import spatial
from tinytorch.core.dense import Flatten, Sequential, summary
from tinytorch.core.layers import Linear
from tinytorch.core.spatial import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    Conv2d,
    Conv2dOp,
    GlobalAvgPool2d,
    MaxPool2d,
    conv2d_blocked,
    conv2d_im2col,
    conv_output_size,
    im2col,
    largest,
    naive_conv2d,
    windows,
)
from tinytorch.core.tensor import Tensor, grad_mode, manual_seed

# float32: sums of up to 500 products of standard normal numbers, in another order
TOLERANCE = {np.float32: {"rtol": 1e-4, "atol": 1e-4}, np.float64: {"rtol": 1e-11, "atol": 1e-11}}

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
each_fast = pytest.mark.parametrize("convolve", [conv2d_im2col, conv2d_blocked], ids=["im2col", "blocked"])


def numbers(*shape, dtype=np.float32, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def channels_last(x: np.ndarray) -> np.ndarray:
    """The same numbers and shape, (n, h, w, c) in memory."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def problems(draw, most=9):
    """Shapes of images and weights, stride, padding (as ints or pairs) and a dtype, such that the kernel fits."""
    n, c, out = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 5))
    kernel, stride = draw(pairs), draw(st.one_of(st.integers(1, 3), pairs))
    padding = draw(st.one_of(st.integers(0, 2), st.tuples(st.integers(0, 2), st.integers(0, 2))))
    size = tuple(draw(st.integers(k, most)) for k in kernel)
    return (n, c, *size), (out, c, *kernel), stride, padding, draw(st.sampled_from([np.float32, np.float64]))


@st.composite
def poolings(draw):
    shape = tuple(draw(st.integers(1, 4)) for _ in range(2))
    kernel = draw(st.one_of(st.integers(1, 4), pairs))
    kh, kw = (kernel, kernel) if isinstance(kernel, int) else kernel
    size = draw(st.integers(kh, 9)), draw(st.integers(kw, 9))
    stride = draw(st.one_of(st.none(), st.integers(1, 4), pairs))
    padding = draw(st.integers(0, kh // 2)), draw(st.integers(0, kw // 2))
    return (*shape, *size), kernel, stride, padding, draw(st.sampled_from([np.float32, np.float64]))


# -- sizes ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 6), st.integers(0, 5))
def test_the_output_size_is_the_number_of_places(n, k, s, p):
    places = len(range(-p, n + p - k + 1, s))
    if places == 0:
        with pytest.raises(ValueError, match=r"does not fit"):
            conv_output_size(n, k, s, p)
    else:
        assert conv_output_size(n, k, s, p) == (places, places)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, (3,), (1, 2, 3), (3, 0)], ids=repr)
def test_a_size_that_is_neither_an_int_nor_a_pair_is_an_error_that_shows_it(wrong):
    with pytest.raises(ValueError, match="neither an int nor a pair"):
        Conv2d(1, 1, wrong)


def test_numpy_integers_lists_and_whole_floats_are_sizes():
    assert Conv2d(1, 1, [np.int64(3), 2], stride=np.int8(2)).kernel_size == (3, 2)
    assert conv_output_size(8.0, 3) == (6, 6)


# -- convolution ---------------------------------------------------------------------------------------------------


@each_fast
@settings(deadline=None, max_examples=60)
@given(problem=problems(most=6), biased=st.booleans(), last=st.booleans())
def test_products_give_what_loops_give(convolve, problem, biased, last):
    x_shape, w_shape, stride, padding, dtype = problem
    x, weight = numbers(*x_shape, dtype=dtype), numbers(*w_shape, dtype=dtype, seed=1)
    bias = numbers(w_shape[0], dtype=dtype, seed=2) if biased else None
    expected = naive_conv2d(x, weight, bias, stride, padding)
    y = convolve(channels_last(x) if last else x, weight, bias, stride, padding)
    assert (y.shape, y.dtype) == (expected.shape, dtype)
    np.testing.assert_allclose(y, expected, **TOLERANCE[dtype])


@settings(deadline=None, max_examples=150)
@given(problem=problems(), biased=st.booleans())
def test_conv2d_is_pytorchs(problem, biased):
    torch = pytest.importorskip("torch")
    x_shape, w_shape, stride, padding, dtype = problem
    layer = Conv2d(w_shape[1], w_shape[0], w_shape[2:], stride, padding, bias=biased)
    for parameter, seed in zip(layer.parameters(), (1, 2), strict=False):
        parameter.data = numbers(*parameter.shape, dtype=dtype, seed=seed)
    x = numbers(*x_shape, dtype=dtype)
    parameters = [torch.from_numpy(parameter.data) for parameter in layer.parameters()]
    expected = torch.nn.functional.conv2d(torch.from_numpy(x), *parameters, stride=stride, padding=padding).numpy()
    y = layer(Tensor(x, dtype=dtype))
    assert (y.shape, y.dtype) == (expected.shape, dtype)
    np.testing.assert_allclose(y.data, expected, **TOLERANCE[dtype])


@pytest.mark.parametrize("shape, out, kernel, stride, padding", [
    ((128, 32, 16, 16), 64, 3, 1, 1), ((40, 3, 32, 32), 32, 5, 2, 2), ((1, 3, 130, 140), 8, 7, 3, 0), ((3, 6, 5, 5), 4, 1, 1, 0),
    ((17, 70, 9, 8), 33, (3, 1), 1, (1, 0)), ((2, 40, 200, 12), 5, 3, 1, 1), ((2, 300, 40, 40), 3, 5, 1, 2),
], ids=str)  # fmt: skip
def test_blocks_of_images_and_of_rows_join_up(shape, out, kernel, stride, padding):
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    x, weight, bias = numbers(*shape), numbers(out, shape[1], *kernel, seed=1) / 16, numbers(out, seed=2)
    expected = conv2d_im2col(x, weight, bias, stride, padding)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(conv2d_blocked(x, weight, bias, stride, padding) / scale, expected / scale, atol=1e-5)


@each_fast
def test_inputs_stay_and_need_not_be_contiguous(convolve):
    x, weight = numbers(6, 8, 9, 10)[::2, ::-2, ::-1, 1:], numbers(5, 8, 3, 4)[:, ::2, :, ::-1]
    before = x.copy(), weight.copy()
    y = convolve(x, weight)
    np.testing.assert_allclose(y, naive_conv2d(*before), **TOLERANCE[np.float32])
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(weight, before[1])


def test_the_blocked_result_is_a_view_with_the_channels_last_in_memory():
    y = conv2d_blocked(numbers(2, 3, 8, 9), numbers(4, 3, 3, 3))
    assert y.strides == (6 * 7 * 4 * 4, 4, 7 * 4 * 4, 4 * 4)


def test_convolution_is_linear_and_moves_with_its_input():
    a, b, weight = numbers(2, 3, 8, 8), numbers(2, 3, 8, 8, seed=1), numbers(4, 3, 3, 3, seed=2)
    both = conv2d_blocked(2 * a - b, weight)
    np.testing.assert_allclose(both, 2 * conv2d_blocked(a, weight) - conv2d_blocked(b, weight), atol=1e-4)
    moved = conv2d_blocked(np.roll(a, (1, 2), (2, 3)), weight)
    np.testing.assert_allclose(moved[..., 1:, 2:], conv2d_blocked(a, weight)[..., :-1, :-2], atol=1e-5)


def test_an_empty_batch_gives_an_empty_batch():
    for layer, shape in [(Conv2d(2, 3, 3), (0, 3, 4, 5)), (MaxPool2d(2), (0, 2, 3, 3)), (AvgPool2d(2), (0, 2, 3, 3))]:
        assert layer(Tensor(np.ones((0, 2, 6, 7)))).shape == shape


def test_nan_stays_in_its_windows():
    x = np.zeros((1, 1, 5, 5), np.float32)
    x[0, 0, 0, 0] = np.nan
    for layer in (Conv2d(1, 1, 2), MaxPool2d(2, 1), AvgPool2d(2, 1)):
        assert np.isnan(layer(Tensor(x)).data).sum() == 1


@settings(deadline=None)
@given(problem=problems())
def test_im2col_is_pytorchs_unfold(problem):
    torch = pytest.importorskip("torch")
    x_shape, w_shape, stride, padding, dtype = problem
    x = numbers(*x_shape, dtype=dtype)
    columns = torch.nn.functional.unfold(torch.from_numpy(x), w_shape[2:], stride=stride, padding=padding)
    expected = columns.numpy().transpose(0, 2, 1).reshape(-1, columns.shape[1])
    np.testing.assert_array_equal(im2col(x, w_shape[2:], stride, padding), expected)


def test_windows_are_a_view_also_of_memory_with_channels_last():
    x = channels_last(numbers(2, 3, 6, 7))
    assert np.shares_memory(windows(x, 3, (2, 1)), x)


# -- the op and the layer ------------------------------------------------------------------------------------------


def test_the_op_saves_input_weights_and_whether_there_is_a_bias_and_no_windows():
    layer, x = Conv2d(2, 3, 3), Tensor(numbers(1, 2, 5, 5))
    op, inputs = layer(x).origin
    assert inputs == (x, layer.weight, layer.bias)
    assert op.saved[0] is x.data and op.saved[1] is layer.weight.data and op.saved[2] is True
    assert Conv2d(2, 3, 3, bias=False)(x).origin[0].saved[2] is False


def test_integers_become_float32_and_nothing_becomes_float64():
    x = Tensor(np.arange(64).reshape(1, 1, 8, 8))
    for layer in (Conv2d(1, 2, 3), MaxPool2d(2), AvgPool2d(2), GlobalAvgPool2d()):
        assert layer(x).dtype == np.float32


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 4, 8, 8), (8,), (1, 2, 3, 8, 8)], ids=str)
def test_what_is_no_batch_of_images_with_the_right_channels_is_named(shape):
    with pytest.raises(ValueError, match=r"Conv2d\(3, .* takes \(batch, 3, height, width\), not \(" + str(shape)[1:-1]):
        Conv2d(3, 5, 3)(Tensor(np.ones(shape)))


def test_another_algorithm_can_be_put_in_and_every_layer_uses_it(monkeypatch):
    layer, x = Conv2d(2, 3, 3), Tensor(numbers(1, 2, 5, 5))
    before = layer(x).data
    monkeypatch.setattr(Conv2dOp, "algorithm", staticmethod(naive_conv2d))
    np.testing.assert_allclose(layer(x).data, before, atol=1e-5)


def test_the_first_weights_have_pytorchs_bounds_and_shapes():
    manual_seed(0)
    layer = Conv2d(8, 64, (3, 5))
    bound = (8 * 15) ** -0.5
    assert (layer.weight.shape, layer.bias.shape) == ((64, 8, 3, 5), (64,))
    for parameter in layer.parameters():
        assert 0.9 * bound < np.abs(parameter.data).max() <= bound
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]


def test_representations_are_pytorchs():
    torch = pytest.importorskip("torch")
    for options in [{}, {"stride": 2, "padding": (1, 0)}, {"bias": False}]:
        assert repr(Conv2d(3, 8, (3, 5), **options)) == repr(torch.nn.Conv2d(3, 8, (3, 5), **options))


def test_summary_counts_the_products_of_a_network():
    network = Sequential(
        Conv2d(3, 4, 3, padding=1), MaxPool2d(2), Conv2d(4, 5, (1, 3), bias=False), AvgPool2d(2), Flatten(), Linear(10, 2)
    )
    rows = {row.kind: row.flops for row in summary(network, (7, 3, 8, 8)).rows}
    assert rows["MaxPool2d"] == 7 * 4 * 4 * 4 * 3 and rows["AvgPool2d"] == 7 * 5 * 2 * 1 * 4
    assert summary(network[:1], (7, 3, 8, 8)).flops == 7 * 4 * 64 * (2 * 27 + 1)
    assert summary(network[2:3], (7, 4, 4, 4)).flops == 7 * 5 * 4 * 2 * 2 * 12


# -- pooling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["MaxPool2d", "AvgPool2d"])
@settings(deadline=None, max_examples=150)
@given(pooling=poolings(), last=st.booleans())
def test_pooling_is_pytorchs(kind, pooling, last):
    torch = pytest.importorskip("torch")
    shape, kernel, stride, padding, dtype = pooling
    x = numbers(*shape, dtype=dtype) - 3  # mostly negative: the padding must not win
    y = getattr(spatial, kind)(kernel, stride, padding)(Tensor(channels_last(x) if last else x, dtype=dtype))
    expected = getattr(torch.nn, kind)(kernel, stride, padding)(torch.from_numpy(x)).numpy()
    assert (y.shape, y.dtype) == (expected.shape, dtype)
    np.testing.assert_allclose(y.data, expected, rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(pooling=poolings())
def test_max_pooling_remembers_the_winner_that_pytorch_remembers_also_in_ties(pooling):
    torch = pytest.importorskip("torch")
    shape, kernel, stride, padding, dtype = pooling
    x = np.random.default_rng(0).integers(0, 3, shape).astype(dtype)
    layer = MaxPool2d(kernel, stride, padding)
    which, shape_of_x = layer(Tensor(x, requires_grad=True, dtype=dtype)).origin[0].saved
    assert (shape_of_x, which.dtype) == (shape, np.uint8)
    _, flat = torch.nn.functional.max_pool2d(torch.from_numpy(x), kernel, stride, padding, return_indices=True)
    (_, kw), (sh, sw), (ph, pw) = layer.kernel_size, layer.stride, layer.padding
    down = np.arange(which.shape[2])[:, None] * sh - ph + which // kw
    right = np.arange(which.shape[3]) * sw - pw + which % kw
    np.testing.assert_array_equal(down.astype(int) * shape[3] + right, flat.numpy())


def test_a_window_of_more_than_256_pixels_counts_its_taps_in_two_bytes():
    x = numbers(2, 3, 20, 20)
    op = MaxPool2d(20)(Tensor(x, requires_grad=True)).origin[0]
    np.testing.assert_array_equal(op.saved[0][..., 0, 0], x.reshape(2, 3, 400).argmax(2))
    assert op.saved[0].dtype == np.uint16


@each_dtype
def test_many_images_are_pooled_in_blocks_that_join_up(dtype):
    x = channels_last(numbers(70, 16, 32, 32, dtype=dtype))
    np.testing.assert_array_equal(MaxPool2d(2)(Tensor(x, dtype=dtype)).data, x.reshape(70, 16, 16, 2, 16, 2).max((3, 5)))


def test_pooling_keeps_the_memory_order_of_a_convolution():
    y = Conv2d(3, 8, 3, padding=1)(Tensor(numbers(4, 3, 8, 8)))
    for layer in (MaxPool2d(2), AvgPool2d(2)):
        pooled = layer(y.maximum(0)).data
        assert pooled.strides == (4 * 4 * 8 * 4, 4, 4 * 8 * 4, 8 * 4)


def test_largest_takes_the_first_of_equals_and_leaves_its_input_alone():
    taps = [np.float32([1, 5, -2]), np.float32([3, 5, -2]), np.float32([3, 4, -1])]
    y, which = largest(taps)
    assert (y.tolist(), which.tolist()) == ([3, 5, -1], [1, 0, 2])
    assert taps[0].tolist() == [1, 5, -2]


def test_the_global_mean_is_the_mean_of_each_channel_and_passes_a_gradient_on():
    x = numbers(2, 3, 4, 5)
    y = GlobalAvgPool2d()(Tensor(x, requires_grad=True))
    np.testing.assert_allclose(y.data, x.mean((2, 3)), rtol=1e-5, atol=1e-6)
    assert y.requires_grad


@pytest.mark.parametrize("kernel, padding", [(2, 2), ((4, 2), (1, 2)), (3, 2)], ids=str)
def test_padding_beyond_half_of_the_kernel_is_an_error(kernel, padding):
    with pytest.raises(ValueError, match="more than half of the kernel"):
        MaxPool2d(kernel, padding=padding)


def test_nothing_is_remembered_where_nobody_asks_for_a_gradient():
    layer = Conv2d(1, 1, 2)
    grad_mode.enabled = False
    try:
        assert layer(Tensor(numbers(1, 1, 3, 3))).origin is None
    finally:
        grad_mode.enabled = True


# -- -inf and nan, sizes by name, other means, batch normalisation -------------------------------------------------------


@pytest.mark.parametrize("pooling", [(2, 2, 0), (2, 2, 1), (3, 1, 1), (3, 2, 1), ((2, 3), 1, (1, 0))], ids=str)
@pytest.mark.parametrize("bad", ["all -inf", "some -inf", "nan", "both"])
@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
def test_the_gradient_of_a_pool_goes_where_pytorchs_goes_for_inf_and_nan(pooling, bad, last):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = numbers(2, 3, 6, 6)
    if "-inf" in bad or bad == "both":
        x[rng.random(x.shape) < (2 if bad == "all -inf" else 0.7)] = -np.inf
    if bad in ("nan", "both"):
        x[rng.random(x.shape) < 0.3] = np.nan
    if last:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    mine, theirs = Tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
    y, yt = MaxPool2d(*pooling)(mine), torch.nn.MaxPool2d(*pooling)(theirs)
    np.testing.assert_array_equal(y.data, yt.detach().numpy())
    grad = numbers(*y.shape, seed=1)
    y.backward(grad)
    yt.backward(torch.from_numpy(grad))
    np.testing.assert_allclose(mine.grad.data, theirs.grad.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    "layer", [MaxPool2d(2), MaxPool2d(3, 2, 1), AvgPool2d(2, padding=1, count_include_pad=False), AdaptiveAvgPool2d(2)], ids=str
)
def test_an_empty_batch_goes_through_a_pool(layer):
    assert layer(Tensor(np.ones((0, 3, 5, 5)))).shape[:2] == (0, 3)


@pytest.mark.parametrize("kernel", [1, 3, (3, 5), 7])
def test_padding_same_is_pytorchs(kernel):
    torch = pytest.importorskip("torch")
    ours, theirs = Conv2d(2, 3, kernel, padding="same"), torch.nn.Conv2d(2, 3, kernel, padding="same")
    ours.load_state_dict(theirs.state_dict())
    x = numbers(2, 2, 6, 7)
    y = ours(Tensor(x))
    assert y.shape == (2, 3, 6, 7)
    np.testing.assert_allclose(y.data, theirs(torch.from_numpy(x)).detach().numpy(), atol=1e-5)
    assert Conv2d(2, 3, kernel, padding="valid").padding == (0, 0)


@pytest.mark.parametrize(("kernel", "stride"), [(2, 1), ((3, 4), 1), (3, 2)])
def test_padding_same_is_an_error_where_no_padding_keeps_the_size(kernel, stride):
    with pytest.raises(ValueError, match="needs stride 1 and a kernel of odd size"):
        Conv2d(1, 1, kernel, stride, padding="same")


@pytest.mark.parametrize("pooling", [(2, 2, 1), (3, 2, 1), ((3, 2), (1, 2), (1, 0)), (2, 2, 0)], ids=str)
def test_a_mean_without_the_padding_is_pytorchs(pooling):
    torch = pytest.importorskip("torch")
    x = numbers(2, 3, 5, 6)
    mine, theirs = Tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
    y = AvgPool2d(*pooling, count_include_pad=False)(mine)
    yt = torch.nn.AvgPool2d(*pooling, count_include_pad=False)(theirs)
    np.testing.assert_allclose(y.data, yt.detach().numpy(), atol=1e-6)
    (y * y).sum().backward()
    (yt * yt).sum().backward()
    np.testing.assert_allclose(mine.grad.data, theirs.grad.numpy(), atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 7, (1, 4), (3, 2), (None, 2), 9], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adaptive_means_are_pytorchs(size, dtype):
    torch = pytest.importorskip("torch")
    x = numbers(2, 3, 7, 5, dtype=dtype)
    mine, theirs = Tensor(x, requires_grad=True, dtype=dtype), torch.from_numpy(x).requires_grad_()
    y, yt = AdaptiveAvgPool2d(size)(mine), torch.nn.AdaptiveAvgPool2d(size)(theirs)
    assert y.dtype == dtype
    atol = 1e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(y.data, yt.detach().numpy(), atol=atol)
    (y * y).sum().backward()
    (yt * yt).sum().backward()
    np.testing.assert_allclose(mine.grad.data, theirs.grad.numpy(), atol=10 * atol)


NORMS = [
    ("BatchNorm2d", (4, 3, 5, 6), {}),
    ("BatchNorm2d", (1, 3, 2, 1), {"momentum": None}),
    ("BatchNorm2d", (5, 3, 1, 1), {"affine": False, "eps": 0.1}),
    ("BatchNorm1d", (7, 3), {}),
    ("BatchNorm1d", (7, 3), {"momentum": 0.3, "affine": False}),
    ("BatchNorm1d", (4, 3, 6), {"momentum": None}),
]


@pytest.mark.parametrize(("kind", "shape", "options"), NORMS, ids=str)
@pytest.mark.parametrize("offset", [0, 100])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batch_norm_is_pytorchs_in_both_modes_with_gradients_and_state(kind, shape, options, offset, dtype):
    torch = pytest.importorskip("torch")
    ours, theirs = getattr(spatial, kind)(3, **options), getattr(torch.nn, kind)(3, **options)
    if ours.weight is not None:
        for p, values in zip(theirs.parameters(), ([1.0, -2.0, 0.5], [0.0, 1.0, 3.0]), strict=True):
            p.data[...] = torch.tensor(values)
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs = theirs.to(torch.float64) if dtype == np.float64 else theirs
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-6, "atol": 1e-6}
    close["atol"] *= 1 + offset
    for step in range(4):
        x = offset + numbers(*shape, dtype=dtype, seed=step)
        if step == 3:
            ours.eval(), theirs.eval()
        mine, other = Tensor(x, requires_grad=True, dtype=dtype), torch.from_numpy(x).requires_grad_()
        y, yt = ours(mine), theirs(other)
        assert y.dtype == dtype
        np.testing.assert_allclose(y.data, yt.detach().numpy(), **close)
        grad = numbers(*shape, dtype=dtype, seed=step + 10)
        y.backward(grad)
        yt.backward(torch.from_numpy(grad))
        np.testing.assert_allclose(mine.grad.data, other.grad.numpy(), **close)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-3, atol=1e-2 if offset else 1e-3)
    for name, array in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], array.numpy(), rtol=1e-4, atol=1e-4)


def test_batch_norm_names_what_it_does_not_take():
    two, one = spatial.BatchNorm2d(3), spatial.BatchNorm1d(3)
    for layer, shape in [(two, (3, 4, 4)), (two, (2, 4, 5, 5)), (one, (2, 4)), (one, (2, 3, 4, 4)), (one, (3,))]:
        with pytest.raises(ValueError, match=r"BatchNorm.d\(3, .* takes \(batch, num_features"):
            layer(Tensor(np.ones(shape)))
    for layer, shape in [(two, (1, 3, 1, 1)), (one, (1, 3))]:
        with pytest.raises(ValueError, match="one number a channel has no variance"):
            layer(Tensor(np.ones(shape)))
        assert layer.eval()(Tensor(np.ones(shape))).shape == shape


def test_running_statistics_are_no_parameters_and_a_later_batch_does_not_spoil_a_gradient():
    norm = spatial.BatchNorm2d(2)
    assert [name for name, _ in norm.named_parameters()] == ["weight", "bias"]
    x = Tensor(numbers(3, 2, 4, 4), requires_grad=True)
    first, second = norm(x), norm(x)
    (first + second).sum().backward()
    assert norm.num_batches_tracked.item() == 2
    np.testing.assert_allclose(x.grad.data, 0, atol=1e-5)


@pytest.mark.parametrize(("channels", "groups"), [((4, 6), 2), ((4, 4), 4), ((3, 6), 3), ((6, 3), 3)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_in_groups_is_pytorchs(channels, groups, bias):
    torch = pytest.importorskip("torch")
    options = {"stride": (2, 1), "padding": 1, "bias": bias, "groups": groups}
    layer, rival = Conv2d(*channels, 3, **options), torch.nn.Conv2d(*channels, 3, **options, dtype=torch.float64)
    for p, q in zip(layer.parameters(), rival.parameters(), strict=True):
        assert p.shape == tuple(q.shape)
        p.data = q.detach().numpy().copy()
    a = numbers(2, channels[0], 7, 6, dtype=np.float64)
    x, x_ = Tensor(a, requires_grad=True, dtype=np.float64), torch.tensor(a, requires_grad=True)
    y, y_ = layer(x), rival(x_)
    np.testing.assert_allclose(y.data, y_.detach().numpy(), atol=1e-10)
    (y * y).sum().backward()
    (y_ * y_).sum().backward()
    for p, q in zip([x, *layer.parameters()], [x_, *rival.parameters()], strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), atol=1e-9)
    assert f"groups={groups}" in repr(layer)


def test_groups_that_do_not_divide_the_channels_are_an_error():
    with pytest.raises(ValueError, match="4 channels and 6 kernels cannot be cut into 4 equal groups"):
        Conv2d(4, 6, 3, groups=4)
