"""tinytorch.core.activations: NumPy formulas, identities, and PyTorch where it is installed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.core import activations
from tinytorch.core.activations import (
    ELU,
    GELU,
    LeakyReLU,
    LogSoftmax,
    LogSoftmaxOp,
    ReLU,
    Sigmoid,
    SigmoidOp,
    SiLU,
    Softmax,
    SoftmaxOp,
    Softplus,
    Tanh,
    elu,
    logsumexp,
    silu,
    softplus,
)
from tinytorch.core.tensor import Tensor, recipe
from tinytorch.datasets import load_digits

ELEMENTWISE = [ReLU(), LeakyReLU(), LeakyReLU(2.5), LeakyReLU(-0.5), Sigmoid(), Tanh(), GELU()]
SHAPES = [(), (1,), (0,), (7,), (2, 0, 3), (3, 5), (2, 3, 4, 5)]

each_elementwise = pytest.mark.parametrize("activation", ELEMENTWISE, ids=repr)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def numbers(shape, scale=3.0, dtype=np.float32, seed=0) -> Tensor:
    return Tensor(scale * np.random.default_rng(seed).standard_normal(shape), dtype=dtype)


@st.composite
def scores_and_dim(draw, bound=1e4):
    """Finite float32 scores of one to four dimensions, none empty, and one of their axes, also counted from the end."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5))
    scores = draw(hnp.arrays(np.float32, shape, elements=st.floats(-bound, bound, width=32)))
    return scores, draw(st.integers(-len(shape), len(shape) - 1))


# -- what all of them share ----------------------------------------------------------------------------------------


@each_elementwise
@each_shape
@each_dtype
def test_shape_and_dtype_stay_and_the_input_does_not_change(activation, shape, dtype):
    x = numbers(shape, dtype=dtype)
    before = x.data.copy()
    y = activation(x)
    assert (y.shape, y.dtype) == (shape, dtype)
    np.testing.assert_array_equal(x.data, before)


@each_elementwise
def test_numbers_up_to_ten_thousand_raise_no_warning_and_stay_finite(activation):
    x = Tensor([-1e4, -1e2, -1.0, 0.0, 1.0, 1e2, 1e4])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.isfinite(activation(x).data).all()


@each_elementwise
def test_nan_stays_nan(activation):
    assert np.isnan(activation(Tensor([np.nan, 1.0])).data).tolist() == [True, False]


@pytest.mark.parametrize("activation", [*ELEMENTWISE, Softmax(-1), LogSoftmax(-1)], ids=repr)
def test_an_array_that_is_not_contiguous_gives_the_same_numbers(activation):
    x = numbers((6, 8))
    strided = Tensor(x.data[::2, ::-3])
    np.testing.assert_array_equal(activation(strided).data, activation(Tensor(strided.data.copy())).data)


@pytest.mark.parametrize("activation", [*ELEMENTWISE, Softmax(0), LogSoftmax(0)], ids=repr)
def test_the_result_remembers_an_input_that_requires_a_gradient(activation):
    x = numbers((3, 2))
    assert not activation(x).requires_grad
    x.requires_grad = True
    y = activation(x)
    assert y.requires_grad
    assert any(tensor is x for tensor in recipe(y))


@pytest.mark.parametrize("activation", [*ELEMENTWISE[1:], Softmax(0), LogSoftmax(0)], ids=repr)
def test_integers_become_float32(activation):
    y = activation(Tensor([-2, 0, 3]))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y.data, activation(Tensor([-2.0, 0.0, 3.0])).data)


def test_relu_keeps_integers_as_pytorch_does():
    y = ReLU()(Tensor([-2, 0, 3]))
    assert y.dtype == np.int64
    assert y.data.tolist() == [0, 0, 3]


def test_an_activation_shows_its_settings():
    shown = [repr(f) for f in (ReLU(), LeakyReLU(0.2), Softmax(dim=-1))]
    assert shown == ["ReLU()", "LeakyReLU(negative_slope=0.2)", "Softmax(dim=-1)"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [("relu", ()), ("leaky_relu", ()), ("leaky_relu", (0.3,)), ("sigmoid", ()), ("tanh", ()), ("gelu", ()),
     ("softmax", (1,)), ("log_softmax", (0,))],
)  # fmt: skip
def test_the_function_does_what_the_object_does(name, settings):
    classes = {c.__name__.lower(): c for c in (ReLU, LeakyReLU, Sigmoid, Tanh, GELU, Softmax, LogSoftmax)}
    x = numbers((3, 4))
    y = getattr(activations, name)(x, *settings)
    np.testing.assert_array_equal(y.data, classes[name.replace("_", "")](*settings)(x).data)


# -- one by one ----------------------------------------------------------------------------------------------------


def test_relu_sends_minus_infinity_to_zero():
    assert ReLU()(Tensor([-np.inf, np.inf])).data.tolist() == [0, np.inf]


@given(st.floats(-3, 3), hnp.arrays(np.float32, hnp.array_shapes(max_dims=3), elements=st.floats(-1e4, 1e4, width=32)))
def test_leaky_relu_is_two_rays_for_any_slope(slope, x):
    expected = np.where(x > 0, x, np.float32(slope) * x)
    np.testing.assert_array_equal(LeakyReLU(slope)(Tensor(x)).data, expected)


@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=3), elements=st.floats(-1e4, 1e4, width=32)))
def test_sigmoid_of_x_and_of_minus_x_add_up_to_one(x):
    total = Sigmoid()(Tensor(x)) + Sigmoid()(Tensor(-x))
    np.testing.assert_allclose(total.data, np.ones_like(x), rtol=2e-7)


def test_sigmoid_keeps_the_relative_precision_of_its_tail():
    x = np.linspace(-80, 0, 200)
    np.testing.assert_allclose(Sigmoid()(Tensor(x)).data, 1 / (1 + np.exp(-x.astype(np.float32))), rtol=2e-6)
    np.testing.assert_allclose(SigmoidOp().forward(np.array([-700.0])), [math.exp(-700)], rtol=1e-12)


def test_sigmoid_and_tanh_reach_their_ends_at_infinity():
    ends = Tensor([-np.inf, np.inf])
    assert Sigmoid()(ends).data.tolist() == [0, 1]
    assert Tanh()(ends).data.tolist() == [-1, 1]


def test_tanh_is_a_stretched_sigmoid():
    x = numbers((5, 7))
    np.testing.assert_allclose(Tanh()(x).data, (2 * Sigmoid()(2 * x) - 1).data, atol=1e-6)


def test_gelu_is_within_half_a_thousandth_of_the_exact_one():
    x = np.linspace(-8, 8, 4001)
    exact = [v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in x]
    assert 4e-4 < np.abs(GELU()(Tensor(x, dtype=np.float64)).data - exact).max() < 5e-4


def test_gelu_of_infinity_is_infinity_and_of_minus_infinity_is_nan_as_in_pytorch():
    with pytest.warns(RuntimeWarning, match="invalid value"):
        y = GELU()(Tensor([-np.inf, np.inf]))
    np.testing.assert_array_equal(y.data, [np.nan, np.inf])


@given(scores_and_dim())
def test_softmax_is_positive_and_adds_up_to_one(case):
    scores, dim = case
    p = Softmax(dim)(Tensor(scores)).data
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=dim), np.ones_like(p.sum(axis=dim)), rtol=1e-5)


@given(scores_and_dim(bound=20), st.integers(-8000, 8000))
def test_a_constant_in_every_score_changes_no_probability(case, constant):
    scores, dim = np.round(case[0] * 8) / 8, case[1]  # eighths, which stay exact when the constant is added
    for activation in (Softmax(dim), LogSoftmax(dim)):
        shifted = activation(Tensor(scores + np.float32(constant)))
        np.testing.assert_array_equal(shifted.data, activation(Tensor(scores)).data)


@given(scores_and_dim(bound=50))
def test_log_softmax_is_the_log_of_softmax_in_float64(case):
    scores, dim = case[0].astype(np.float64), case[1]
    e = np.exp(scores)
    expected = np.log(e / e.sum(axis=dim, keepdims=True))
    np.testing.assert_allclose(LogSoftmax(dim)(Tensor(scores, dtype=np.float64)).data, expected, atol=1e-12, rtol=1e-12)


@given(scores_and_dim())
def test_log_softmax_keeps_the_differences_of_scores(case):
    scores, dim = case
    log_p = LogSoftmax(dim)(Tensor(scores)).data
    expected = scores - scores.max(axis=dim, keepdims=True)
    np.testing.assert_allclose(log_p - log_p.max(axis=dim, keepdims=True), expected, atol=4e-3, rtol=1e-6)
    assert (log_p <= 0).all()


@pytest.mark.parametrize("op", [SoftmaxOp(1), LogSoftmaxOp(1), SigmoidOp()], ids=lambda op: type(op).__name__)
def test_an_op_saves_its_result_for_its_derivative(op):
    y = op.forward(numbers((3, 4)).data)
    assert len(op.saved) == 1
    assert op.saved[0] is y


@pytest.mark.parametrize("dim", [0, -1])
def test_a_lone_score_has_probability_one(dim):
    assert Softmax(dim)(Tensor(3.0)).data == 1
    assert LogSoftmax(dim)(Tensor(3.0)).data == 0
    assert Softmax(dim)(Tensor(3.0)).shape == ()


def test_an_empty_batch_gives_an_empty_batch():
    assert Softmax(1)(Tensor(np.zeros((0, 10)))).shape == (0, 10)
    assert LogSoftmax(-2)(Tensor(np.zeros((3, 4, 0)))).shape == (3, 4, 0)


def test_softmax_over_no_classes_is_empty_as_in_pytorch():
    for shape in [(3, 0), (0,), (5, 0, 0)]:
        for kind in (Softmax, LogSoftmax):
            x = Tensor(np.zeros(shape), requires_grad=True)
            kind(-1)(x).sum().backward()
            assert kind(-1)(x).shape == x.grad.shape == shape


@pytest.mark.parametrize("activation", [Softmax(2), LogSoftmax(-3)], ids=repr)
def test_an_axis_that_does_not_exist_is_an_index_error(activation):
    with pytest.raises(IndexError, match="out of bounds for array of dimension 2"):
        activation(numbers((2, 3)))


def test_a_score_of_minus_infinity_is_a_class_that_cannot_be():
    x = Tensor([-np.inf, 0.0, 1.0])
    rest = Softmax(0)(Tensor([0.0, 1.0])).data
    np.testing.assert_array_equal(Softmax(0)(x).data, [0, *rest])
    assert LogSoftmax(0)(x).data[0] == -np.inf


@pytest.mark.parametrize("scores", [[-np.inf, -np.inf], [np.inf, 0.0]], ids=str)
@pytest.mark.parametrize("activation", [Softmax(0), LogSoftmax(0)], ids=repr)
def test_scores_without_an_answer_give_nan_and_a_warning(activation, scores):
    with pytest.warns(RuntimeWarning, match="invalid value"):
        assert np.isnan(activation(Tensor(scores)).data).all()


# -- PyTorch -------------------------------------------------------------------------------------------------------


def theirs(torch, activation):
    """PyTorch's module for an activation of ours."""
    if isinstance(activation, GELU):
        return torch.nn.GELU(approximate="tanh")
    return getattr(torch.nn, type(activation).__name__)(**vars(activation))


@each_elementwise
@each_shape
@each_dtype
def test_elementwise_activations_are_pytorchs(activation, shape, dtype):
    torch = pytest.importorskip("torch")
    x = numbers(shape, dtype=dtype)
    expected = theirs(torch, activation)(torch.from_numpy(x.data)).numpy()
    rtol, atol = (2e-6, 1e-6) if dtype == np.float32 else (1e-12, 1e-13)
    np.testing.assert_allclose(activation(x).data, expected, rtol=rtol, atol=atol)


@each_elementwise
def test_extreme_values_are_pytorchs(activation):
    torch = pytest.importorskip("torch")
    x = np.array([-np.inf, np.inf, np.nan, -1e12, 1e12, -1e4, 1e4, -100, 100, -0.0, 0.0, 1e-40], dtype=np.float32)
    expected = theirs(torch, activation)(torch.from_numpy(x)).numpy()
    with np.errstate(invalid="ignore"):  # the one nan that is born here: GELU at minus infinity
        np.testing.assert_allclose(activation(Tensor(x)).data, expected, rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("kind", [Softmax, LogSoftmax])
@settings(deadline=None)
@given(case=scores_and_dim())
def test_softmax_and_log_softmax_are_pytorchs(kind, case):
    torch = pytest.importorskip("torch")
    scores, dim = case
    expected = theirs(torch, kind(dim))(torch.from_numpy(scores)).numpy()
    np.testing.assert_allclose(kind(dim)(Tensor(scores)).data, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [Softmax, LogSoftmax])
@pytest.mark.parametrize("scores", ["nan 0", "inf 0", "-inf -inf", "-inf 0", "inf inf"])
def test_softmax_says_nan_where_pytorch_does(kind, scores):
    torch = pytest.importorskip("torch")
    x = np.array(scores.split(), dtype=np.float32)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(kind(0)(Tensor(x)).data, theirs(torch, kind(0))(torch.from_numpy(x)).numpy())


# -- the data that module 03 uses ----------------------------------------------------------------------------------


def test_the_digits_are_the_published_ones():
    images, labels = load_digits()
    assert (images.shape, images.dtype, labels.shape, labels.dtype) == ((1797, 8, 8), np.uint8, (1797,), np.int64)
    assert (images.min(), images.max()) == (0, 16)
    # UCI's own description of optdigits.tes counts the classes so
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert images[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]  # the first row of the file's first line


# -- the rest is names ---------------------------------------------------------------------------------------------

MORE = [SiLU(), ELU(), ELU(0.5), Softplus(), Softplus(2.0, 5.0)]


@pytest.mark.parametrize("activation", MORE, ids=repr)
@pytest.mark.parametrize("shape", [(), (0,), (3, 40)], ids=str)
def test_more_activations_and_their_gradients_are_pytorchs(activation, shape):
    torch = pytest.importorskip("torch")
    x = np.asarray(np.random.default_rng(0).uniform(-30, 30, shape)).astype(np.float32)
    if x.ndim == 2:
        x[0, :4] = 0, 1e4, -1e4, -0.0
    mine, other = Tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
    module = type(activation)(**vars(activation))
    y, z = module(mine), theirs(torch, activation)(other)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-5, atol=2e-7)
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(mine.grad.data, other.grad.numpy(), rtol=1e-5, atol=2e-7)
    assert y.dtype == np.float32


@pytest.mark.parametrize("dim", [0, 1, -1, (0, 1)], ids=str)
@pytest.mark.parametrize("keepdim", [False, True])
def test_logsumexp_and_its_gradient_are_pytorchs(dim, keepdim):
    torch = pytest.importorskip("torch")
    x = 1000 * np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    x[1, 2] = -np.inf
    mine, other = Tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
    y, z = logsumexp(mine, dim, keepdim), torch.logsumexp(other, dim, keepdim)
    assert y.shape == tuple(z.shape)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-6)
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(mine.grad.data, other.grad.numpy(), rtol=1e-5, atol=1e-7)


def test_logsumexp_of_infinities_and_of_integers():
    with np.errstate(divide="ignore"):
        assert logsumexp(Tensor([-np.inf, -np.inf]), 0).item() == -np.inf
    assert logsumexp(Tensor([np.inf, 0.0]), 0).item() == np.inf
    assert logsumexp(Tensor([0, 0]), 0).dtype == np.float32


def test_the_names_are_the_objects():
    x = numbers((3, 4))
    for mine, other in [(silu(x), SiLU()(x)), (elu(x, 0.5), ELU(0.5)(x)), (softplus(x, 2.0), Softplus(2.0)(x))]:
        np.testing.assert_array_equal(mine.data, other.data)
