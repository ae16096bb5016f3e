"""tinytorch.core.dense: identities, counts that must agree with formulas and with the allocator, and PyTorch."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core.activations import GELU, ReLU, Sigmoid, Softmax, Tanh, relu
from tinytorch.core.dense import MLP, Dense, Dropout, Flatten, Identity, Sequential, new_bytes, op_flops, summary, two_moons
from tinytorch.core.layers import Layer, Linear, Parameter
from tinytorch.core.setup import peak_memory
from tinytorch.core.tensor import Add, MatMul, Tensor, _writes, grad_mode, manual_seed, randn

rng = np.random.default_rng


# -- bricks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [None, ReLU(), Tanh(), GELU(), relu], ids=lambda f: getattr(f, "__name__", repr(f)))
def test_dense_is_linear_and_activation(activation):
    layer, x = Dense(3, 4, activation), randn(2, 5, 3)
    expected = Linear.forward(layer, x)
    np.testing.assert_array_equal(layer(x).data, (expected if activation is None else activation(expected)).data)


def test_sequential_takes_whatever_can_be_called():
    row = Sequential(Linear(2, 3), relu, lambda x: x * 2, ReLU(), Sequential())
    x = randn(4, 2)
    np.testing.assert_array_equal(row(x).data, 2 * relu(row[0](x)).data)


@given(start=st.integers(-6, 6), stop=st.integers(-6, 6), step=st.sampled_from([-2, -1, 1, 2]))
def test_slices_are_those_of_a_list_and_share_the_layers(start, stop, step):
    bricks = [Linear(2, 2) for _ in range(4)]
    part = Sequential(*bricks)[start:stop:step]
    assert type(part) is Sequential
    assert list(part) == bricks[start:stop:step]


def test_positions_are_those_of_a_list():
    row = Sequential(Linear(2, 2), ReLU())
    assert row[-1] is row[1]
    assert len(row) == 2
    with pytest.raises(IndexError):
        row[2]


def test_a_part_of_an_mlp_is_a_sequential():
    assert type(MLP([4, 3, 2], ReLU())[:1]) is Sequential


def test_names_and_picture_of_a_nested_row_are_pytorchs():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    theirs = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Dropout(0.25)), nn.Linear(5, 2, bias=False))
    ours = Sequential(Flatten(), Sequential(Linear(6, 5), ReLU(), Dropout(0.25)), Linear(5, 2, bias=False))
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    assert repr(ours[2]) == repr(theirs[2])
    theirs.load_state_dict({name: torch.from_numpy(a) for name, a in ours.state_dict().items()})
    x = randn(4, 2, 3)
    expected = theirs.eval()(torch.from_numpy(x.data)).detach().numpy()
    np.testing.assert_allclose(ours.eval()(x).data, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sizes", [[3, 2], [5, 4, 3, 2], (7, 1, 7)], ids=str)
def test_an_mlp_is_pytorchs(sizes):
    torch = pytest.importorskip("torch")
    ours, theirs = MLP(sizes, Tanh()), torch.nn.Sequential()
    for layer in ours:
        linear = torch.nn.Linear(layer.in_features, layer.out_features)
        linear.load_state_dict({name: torch.from_numpy(a) for name, a in layer.state_dict().items()})
        theirs.extend([linear, torch.nn.Tanh()])
    x = randn(6, sizes[0])
    np.testing.assert_allclose(ours(x).data, theirs[:-1](torch.from_numpy(x.data)).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert ours[-1].activation is None


@pytest.mark.parametrize("shape", [(3, 4), (0, 3, 4), (2, 0, 5), (2, 3, 4, 5)], ids=str)
def test_flatten_is_pytorchs(shape):
    torch = pytest.importorskip("torch")
    x = randn(shape)
    np.testing.assert_array_equal(Flatten()(x).data, torch.nn.Flatten()(torch.from_numpy(x.data)).numpy())


# -- dropout -------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(p=st.floats(0, 0.95), seed=st.integers(0, 99))
def test_dropout_zeroes_a_share_of_p_and_keeps_the_mean(p, seed):
    y = Dropout(p, rng(seed))(Tensor(np.ones((100, 200)))).data
    assert y.dtype == np.float32
    deviation = math.sqrt(p * (1 - p) / y.size)
    assert abs((y == 0).mean() - p) <= 5 * deviation + 10 / y.size  # a rare zero is no normal number
    np.testing.assert_allclose(y[y != 0], 1 / (1 - p), rtol=1e-6)


def test_dropout_draws_for_every_number_and_every_call():
    dropout, x = Dropout(0.5, rng(0)), Tensor(np.ones((50, 60)))
    first, second = dropout(x).data, dropout(x).data
    assert (first != second).any()
    for y in (first, first.T):
        assert len({row.tobytes() for row in y}) == len(y)


def test_dropout_at_work_is_the_identity_and_draws_nothing():
    generator = rng(1)
    x = randn(3, 4)
    assert Dropout(0.9, generator).eval()(x) is x
    assert generator.random() == rng(1).random()


def test_dropout_obeys_the_course_seed():
    x = Tensor(np.ones(100))
    results = []
    for _ in range(2):
        manual_seed(5)
        results.append(Dropout(0.5)(x).data)
    np.testing.assert_array_equal(*results)


def test_dropout_inside_a_row_follows_its_mode():
    row, x = Sequential(Sequential(Dropout(0.5, rng(0)))), Tensor(np.ones(100))
    assert (row(x) == 0).data.any()
    assert row.eval()(x) is x


@pytest.mark.parametrize("p", [-0.1, 1.001, 1.5, math.nan])
def test_dropout_takes_a_probability(p):
    with pytest.raises(ValueError, match="probability, from 0 to 1"):
        Dropout(p)


# -- two moons -----------------------------------------------------------------------------------------------------


def test_the_moons_without_noise_are_two_half_circles():
    points, label = two_moons(101, noise=0, seed=3)
    assert (points.shape, points.dtype, label.shape, label.dtype) == ((101, 2), np.float32, (101,), np.int64)
    centres = np.where(label.data[:, None] == 0, [0, 0], [1, 0.5])
    np.testing.assert_allclose(np.linalg.norm(points.data - centres, axis=1), 1, atol=1e-6)
    assert np.bincount(label.data).tolist() == [51, 50]


def test_the_moons_obey_their_seed():
    np.testing.assert_array_equal(two_moons(20, seed=1)[0].data, two_moons(20, seed=1)[0].data)
    assert (two_moons(20, seed=1)[0].data != two_moons(20, seed=2)[0].data).any()


# -- counting ------------------------------------------------------------------------------------------------------


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3))
def test_a_product_takes_two_flops_for_each_multiply_add(n, k, m, batch):
    a, b = np.ones((batch, n, k)), np.ones((batch, k, m))
    assert op_flops(MatMul(), a @ b, a, b) == 2 * batch * n * k * m


def test_an_op_may_say_its_flops_itself():
    class Quiet(Add):
        def flops(self, y, a, b):
            return y.size + a.size * 10 + b.size * 100

    assert op_flops(Quiet(), np.ones((2, 3)), np.ones((2, 1)), np.ones(3)) == 6 + 20 + 300


def test_memory_is_counted_once_at_its_owner():
    a, seen = np.ones((10, 10)), {}
    window = np.lib.stride_tricks.sliding_window_view(a, (3, 3))
    assert new_bytes([window, window[1:], a.T, np.broadcast_to(a, (99, 10, 10))], seen) == 800
    assert new_bytes([a], seen) == 0


def test_memory_that_is_no_arrays_counts_by_the_array_that_sees_it():
    assert new_bytes([np.frombuffer(b"12345678", np.uint8)], {}) == 8


@settings(deadline=None, max_examples=25)
@given(sizes=st.lists(st.integers(1, 20), min_size=2, max_size=5), n=st.integers(1, 9))
def test_the_summary_of_an_mlp_is_the_formula(sizes, n):
    s, pairs = summary(MLP(sizes, ReLU()), (n, sizes[0])), list(pairwise(sizes))
    hidden = sum(sizes[1:-1])
    assert s.parameters == sum(m * k + k for m, k in pairs)
    assert s.flops == sum(2 * n * m * k + n * k for m, k in pairs) + n * hidden
    assert s.activation_bytes == 4 * n * (sum(sizes[1:]) + hidden)
    assert [row.output_shape for row in s.rows if row.kind == "Dense"] == [(n, k) for k in sizes[1:]]


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (MLP([300, 200, 100, 10], ReLU()), (64, 300)),
        (Sequential(Flatten(), Linear(600, 50), Dropout(0.5, rng(0)), GELU(), Linear(50, 50), Softmax(-1)), (100, 20, 30)),
        (Sequential(Dense(40, 400, Sigmoid()), Tanh(), Dense(400, 40, relu)), (3, 30, 40)),
    ],
    ids=["mlp", "dropout, gelu, softmax", "three axes"],
)
def test_the_activation_bytes_are_what_the_allocator_sees(model, shape):
    x = randn(shape)
    model(x)
    expected = summary(model, shape).activation_bytes
    # beside the arrays: the tensors and ops themselves, and whatever one op needs while it runs
    biggest = max(math.prod(row.output_shape) for row in summary(model, shape).rows) * 4
    assert expected <= peak_memory(model, x) <= expected + 3 * biggest + 50_000


def test_rows_are_named_by_their_place_and_stand_in_the_order_of_the_calls():
    net = Sequential(Flatten(), Sequential(Dense(6, 4, Tanh()), ReLU()), Linear(4, 2))
    rows = summary(net, (5, 2, 3)).rows
    expected = [("0", "Flatten"), ("1.0", "Dense"), ("1.0.activation", "Tanh"), ("1.1", "ReLU"), ("2", "Linear")]
    assert [(row.name, row.kind) for row in rows] == expected


def test_the_work_of_a_layer_itself_is_its_own_row():
    class Residual(Layer):
        def __init__(self):
            self.inner, self.scale = Linear(4, 4, bias=False), Parameter(np.ones(4))

        def forward(self, x):
            y = x * self.scale
            return y + self.inner(2 * y)

    own, inner = summary(Residual(), (3, 4)).rows
    assert (own.name, own.kind, own.parameters, own.flops, own.activation_bytes) == ("", "Residual", 4, 36, 3 * 48)
    assert (inner.name, inner.parameters, inner.flops, inner.activation_bytes) == ("inner", 16, 96, 48)


def test_a_layer_called_twice_computes_twice_and_is_stored_once():
    same = Linear(4, 4, bias=False)
    s = summary(Sequential(same, ReLU(), same), (3, 4))
    assert [row.parameters for row in s.rows] == [16, 0, 0]
    assert s.flops == 2 * 96 + 12


def test_a_tied_parameter_counts_once():
    one, two = Linear(4, 4), Linear(4, 4)
    two.weight = one.weight
    assert summary(Sequential(one, two), (3, 4)).parameters == 16 + 4 + 4


def test_a_summary_leaves_no_trace():
    dropout = Dropout(0.5, rng(7))
    model = Sequential(Linear(4, 4), ReLU(), dropout)
    before, writes = model.state_dict(), _writes.last
    summary(model, (2, 4))
    assert [list(vars(member)) for _, member in model.named_members() if member is dropout] == [["p", "generator"]]
    assert vars(model[1]) == {}
    assert dropout.generator.random() == rng(7).random()
    assert all((before[name] == array).all() for name, array in model.state_dict().items())
    assert (model.training, grad_mode.enabled, _writes.last) == (True, True, writes)
    assert all(p.grad is None for p in model.parameters())


def test_a_summary_counts_even_where_nothing_is_recorded():
    grad_mode.enabled = False
    try:
        assert summary(Linear(4, 5), (3, 4)).flops == 135
        assert grad_mode.enabled is False
    finally:
        grad_mode.enabled = True


def test_a_summary_passes_on_an_error_of_the_model_and_restores():
    with pytest.raises(ValueError, match="cannot multiply"):
        summary(Linear(4, 5), (3, 7))
    assert grad_mode.enabled


def test_the_mode_decides_what_dropout_costs():
    model = Sequential(Dropout(0.5, rng(0)))
    assert summary(model, (10, 10)).activation_bytes == 2 * 400  # the mask, and the result
    assert summary(model.eval(), (10, 10)).activation_bytes == 0
    assert [row.kind for row in summary(model, (10, 10)).rows] == ["Dropout"]


def test_an_example_may_stand_for_the_shape():
    class Lookup(Layer):
        def __init__(self):
            self.weight = Parameter(np.ones((10, 3)))

        def forward(self, ids):
            return self.weight[ids]

    (row,) = summary(Lookup(), Tensor([1, 4, 4, 7])).rows
    assert (row.output_shape, row.parameters, row.flops) == ((4, 3), 30, 0)
    assert row.activation_bytes == 48 + 32, "the result, and the copy of the ids that the op keeps"


def test_a_table_that_a_layer_keeps_is_no_activation():
    class Shift(Layer):
        def __init__(self):
            self.table = randn(100, 4)

        def forward(self, x):
            return x + self.table[:3]

    assert summary(Shift(), (3, 4)).activation_bytes == 48


def test_the_table_aligns_and_sums_up():
    lines = repr(summary(MLP([784, 128, 10], ReLU()), (32, 784))).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].split() == ["total", "101,770", "6.51", "MFLOP", "34", "kB"]


# -- the layers of later modules -----------------------------------------------------------------------------------


def test_convolution_and_pooling_are_counted():
    spatial = pytest.importorskip("tinytorch.core.spatial", exc_type=ImportError)
    first, last = spatial.Conv2d(3, 8, 3, padding=1), spatial.Conv2d(8, 4, (3, 1), stride=2, bias=False)
    model = Sequential(first, ReLU(), spatial.MaxPool2d(2), last)
    conv, bend, pool, second = summary(model, (5, 3, 12, 10)).rows
    assert (conv.parameters, conv.flops) == (8 * 27 + 8, 5 * 8 * 120 * (2 * 27 + 1))
    assert bend.flops == 5 * 8 * 120
    assert pool.flops == 5 * 8 * 30 * 3  # three comparisons for each of the maxima
    assert (second.output_shape, second.flops) == ((5, 4, 2, 3), 5 * 4 * 6 * 2 * 24)


def test_attention_is_counted():
    attention = pytest.importorskip("tinytorch.core.attention", exc_type=ImportError)
    n, t, d, h = 2, 7, 12, 3
    s = summary(attention.MultiHeadAttention(d, h), (n, t, d))
    products = 4 * 2 * n * t * d * d + 2 * 2 * n * h * t * t * (d // h)
    assert products <= s.flops <= 1.5 * products + 20 * n * h * t * t
    assert s.parameters == 4 * (d * d + d)


# -- names and edges of PyTorch's ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4, 5), (0, 3, 4), (2, 0, 5)], ids=str)
@pytest.mark.parametrize("dims", [(1, -1), (0, -1), (0, 0), (-2, -1), (1, 2), (-1, -1), (2, 1), (0, 7)], ids=str)
def test_flatten_of_any_axes_is_pytorchs(shape, dims):
    torch = pytest.importorskip("torch")
    x = randn(shape)
    try:
        wanted = torch.nn.Flatten(*dims)(torch.from_numpy(x.data)).numpy()
    except (IndexError, RuntimeError) as error:
        with pytest.raises(IndexError if isinstance(error, IndexError) else ValueError):
            Flatten(*dims)(x)
        return
    np.testing.assert_array_equal(Flatten(*dims)(x).data, wanted)


def test_flatten_of_an_array_with_negative_strides_keeps_the_order():
    x = Tensor(np.arange(24.0).reshape(2, 3, 4)[::-1, :, ::-1])
    np.testing.assert_array_equal(Flatten()(x).data, x.data.reshape(2, 12))


def test_dropout_of_everything_gives_zeros_and_zero_gradients():
    x = Tensor(np.array([1.0, -2.0, 3.0]), requires_grad=True)
    dropout = Dropout(1.0)
    y = dropout(x)
    np.testing.assert_array_equal(y.data, [0, 0, 0])
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [0, 0, 0])
    assert dropout.eval()(x) is x


def test_a_row_can_be_changed():
    row = Sequential(Linear(2, 3))
    assert row.append(ReLU()).append(Linear(3, 1)) is row
    assert [type(layer).__name__ for layer in row] == ["Linear", "ReLU", "Linear"]
    row[-1] = Identity("whatever", size=3)
    assert [name for name, _ in row.named_parameters()] == ["0.weight", "0.bias"]
    assert row(randn(4, 2)).shape == (4, 3)


def test_identity_returns_what_it_is_given():
    x = randn(2, 3)
    assert Identity()(x) is x
    assert repr(Identity(5, hidden=2)) == "Identity()"


def test_a_summary_does_not_count_buffers_as_parameters():
    layer = Linear(3, 2)
    layer.register_buffer("seen", np.zeros(100))
    assert summary(layer, (4, 3)).parameters == 8
