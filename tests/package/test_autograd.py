"""tinytorch.core.autograd: small steps in float64, identities, and PyTorch's gradients where it is installed.

Tolerances: float64 small steps within gradcheck's own; float32 against PyTorch within 1e-5 (absolute) plus 1e-4 of the value.
"""

import gc
import threading
import weakref
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core import activations, autograd
from tinytorch.core.attention import AttentionWeightsOp, Embedding, MultiHeadAttention, causal_mask, scaled_dot_product_attention
from tinytorch.core.autograd import (
    backward,
    checkpoint,
    grad,
    gradcheck,
    gradient,
    gradients,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
    unbroadcast,
    zero_grad,
)
from tinytorch.core.dense import MLP, Dropout, Flatten, Sequential
from tinytorch.core.layers import Layer, Linear, LinearOp, Parameter
from tinytorch.core.setup import peak_memory
from tinytorch.core.spatial import AvgPool2d, Conv2d, Conv2dOp, GlobalAvgPool2d, MaxPool2d
from tinytorch.core.tensor import Op, Tensor, apply, concat, manual_seed, stack, where

close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)


def numbers(*shape, seed=0, low=-2.0, high=2.1) -> np.ndarray:
    """Numbers with at least 0.01 between them, so that no small step changes who is larger."""
    rng = np.random.default_rng([seed, *shape])
    n = int(np.prod(shape))
    return rng.permutation(np.linspace(low, high, n) if n > 1 else np.full(n, 0.7)).reshape(shape)


def leaf(array, dtype=np.float32) -> Tensor:
    return Tensor(np.array(array, dtype), requires_grad=True, dtype=dtype)


def both(ours, theirs, *arrays, constants=()):
    """Gradients of ours and of PyTorch's for the same random gradient at the end."""
    torch = pytest.importorskip("torch")
    xs = [leaf(a) for a in arrays]
    ts = [torch.tensor(np.array(a, np.float32), requires_grad=True) for a in arrays]
    y, t = ours(*xs), theirs(*ts)
    close(y.data, t.detach().numpy())
    v = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    y.backward(v)
    t.backward(torch.tensor(v))
    for x, other in zip(xs, ts, strict=True):
        assert x.grad.shape == x.shape and x.grad.dtype == np.float32
        close(x.grad.data, other.grad.numpy())


UNARY = {
    "neg": lambda a: -a,
    "abs": lambda a: a.abs(),
    "exp": lambda a: a.exp(),
    "tanh": lambda a: a.tanh(),
    "log": lambda a: (a * a + 0.1).log(),
    "sqrt": lambda a: (a * a + 0.1).sqrt(),
    "square": lambda a: a**2,
    "cube": lambda a: a**3,
    "power 0": lambda a: a**0,
    "power -1.5": lambda a: (a * a + 0.5) ** -1.5,
    "base": lambda a: 2.0**a,
    "minus": lambda a: 1 - a,
    "reciprocal": lambda a: 1 / (a * a + 1),
    "sum": lambda a: a.sum(),
    "mean": lambda a: a.mean(),
    "var": lambda a: a.var(correction=0),
    "max": lambda a: a.max(),
    "min": lambda a: a.min(),
    "clip": lambda a: a.clip(-1.111, 0.777),
    "clip below": lambda a: a.clip(min=0.0123),
    "clip above": lambda a: a.clip(max=0.0123),
    "twice": lambda a: a * a + a,
    "relu": activations.relu,
    "leaky": activations.leaky_relu,
    "sigmoid": activations.sigmoid,
    "gelu": activations.gelu,
}
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (b * b + 0.5),
    "pow": lambda a, b: (a * a + 0.5) ** b,
    "maximum": lambda a, b: a.maximum(b),
    "minimum": lambda a, b: a.minimum(b),
    "where": lambda a, b: where((a > b).data, a, b),
}
SHAPES = [(), (1,), (3,), (2, 3), (2, 3, 1, 4)]
PAIRS = [
    ((), ()),
    ((3,), ()),
    ((), (3,)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((1,), (2, 3)),
    ((4, 1, 2), (3, 1)),
    ((2, 3), (2, 3)),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_tensor_pass_gradcheck(name, shape):
    assert gradcheck(UNARY[name], numbers(*shape))


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_tensors_pass_gradcheck_however_they_broadcast(name, shapes):
    a, b = shapes
    assert gradcheck(BINARY[name], numbers(*a), 0.9 * numbers(*b, seed=1) + 0.0137)


@pytest.mark.parametrize("name", [name for name in UNARY if name not in ("leaky", "gelu", "sigmoid", "relu", "var")])
def test_functions_of_one_tensor_have_pytorchs_gradients(name):
    both(UNARY[name], UNARY[name], numbers(3, 4))


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(["add", "sub", "mul", "div", "pow", "maximum", "minimum"]), st.sampled_from(PAIRS))
def test_broadcast_gradients_are_pytorchs(name, shapes):
    both(BINARY[name], BINARY[name], *(numbers(*s, seed=i) * (1 - 0.1 * i) for i, s in enumerate(shapes)))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 3), max_size=4), st.data())
def test_unbroadcast_is_the_adjoint_of_broadcasting(shape, data):
    small = tuple(data.draw(st.sampled_from([n, 1])) for n in shape)[data.draw(st.integers(0, len(shape))) :]
    g, x = np.random.default_rng(0).standard_normal(shape), np.random.default_rng(1).standard_normal(small)
    found = unbroadcast(g, small)
    assert found.shape == small
    np.testing.assert_allclose((found * x).sum(), (g * x).sum(), atol=1e-12)


@pytest.mark.parametrize("name", ["max", "min", "sum", "mean"])
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (1, 2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_over_axes_pass_gradcheck(name, axis, keepdims):
    assert gradcheck(lambda a: getattr(a, name)(axis, keepdims=keepdims), numbers(2, 3, 4))


def test_ties_of_max_over_an_axis_are_shared_as_by_amax():
    a = [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [5.0, 0.0, 4.0]]
    both(lambda x: x.max(1), lambda t: t.amax(1), a)
    both(lambda x: x.min((0, 1)), lambda t: t.amin((0, 1)), a)


def test_ties_of_two_tensors_are_halved_as_by_pytorch():
    torch = pytest.importorskip("torch")
    a, b = [1.0, 2.0, 3.0], [1.0, 5.0, 3.0]
    both(lambda x, y: x.maximum(y), torch.maximum, a, b)
    both(lambda x, y: x.minimum(y), torch.minimum, a, b)
    both(lambda x: x.clip(1, 2), lambda t: t.clamp(1, 2), a)


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)], ids=str)
def test_relu_has_slope_0_at_0(shape):
    x = leaf(np.zeros(shape))
    activations.relu(x).sum().backward()
    assert (x.grad.data == 0).all()


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3), (3, 4)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((3,), (3,)),
        ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)),
        ((5, 1, 2, 3), (6, 3, 4)),
        ((5, 2, 3), (3,)),
    ],
    ids=str,
)
def test_matrix_products_pass_gradcheck_and_are_pytorchs(shapes):
    arrays = [numbers(*s, seed=i) for i, s in enumerate(shapes)]
    assert gradcheck(lambda a, b: a @ b, *arrays)
    assert gradcheck(
        lambda a, b: (a.transpose(0, -1) if a.ndim == 2 else a).transpose(0, -1) @ b if a.ndim == 2 else a @ b, *arrays
    )
    both(lambda a, b: a @ b, lambda a, b: a @ b, *arrays)


MOVES = {
    "reshape": lambda a: a.reshape(4, -1),
    "permute": lambda a: a.permute(2, 0, 1),
    "T": lambda a: a.T,
    "unsqueeze": lambda a: a.unsqueeze(1),
    "expand": lambda a: a.unsqueeze(0).expand(5, -1, -1, -1),
    "row": lambda a: a[1],
    "slice": lambda a: a[:, 1:, ::2],
    "ellipsis": lambda a: a[..., 0],
    "new axis": lambda a: a[None, :, 0],
    "backwards": lambda a: a[::-1],
    "rows": lambda a: a[np.array([1, 0, 1, 1, -1])],
    "table": lambda a: a[np.array([[0, 1], [1, 1]])],
    "pairs": lambda a: a[np.array([0, 1, 1]), np.array([2, 2, 2])],
    "mask": lambda a: a[a.data > 0],
    "mixed": lambda a: a[:, np.array([0, 0, 2])],
    "no rows": lambda a: a[np.array([], int)],
    "concat": lambda a: concat([a, a * a, a[:, :, :1].expand(-1, -1, 4)], 1),
    "stack": lambda a: stack([a, 2 * a], -1),
    "list": lambda a: a[[1, 1]],
    "iterate": lambda a: sum((row.sum() * i for i, row in enumerate(a)), 0.0),
    "cast": lambda a: a.astype(np.float64),
}


@pytest.mark.parametrize("name", MOVES)
def test_ops_that_move_numbers_pass_gradcheck(name):
    assert gradcheck(MOVES[name], numbers(2, 3, 4))


def test_an_index_vector_into_a_vector_adds_up_what_it_picks_twice():
    x = leaf([1.0, 2.0, 3.0])
    x[np.array([0, 2, 2, -1])].sum().backward()
    np.testing.assert_array_equal(x.grad.data, [1, 0, 3])


def test_a_cast_brings_back_the_gradient_in_the_inputs_dtype():
    x = leaf([1.0, 2.0])
    (x.astype(np.float64) * 3).sum().backward()
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad.data, [3, 3])


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_passes_gradcheck_and_is_pytorchs(name, dim):
    torch, f = pytest.importorskip("torch"), getattr(activations, name)
    assert gradcheck(lambda a: f(a, dim), numbers(2, 3, 4))
    both(lambda a: f(a, dim), lambda a: getattr(torch, name)(a, dim), 3 * numbers(2, 3, 4))


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "gelu"])
def test_activations_have_pytorchs_gradients(name):
    F = pytest.importorskip("torch").nn.functional
    theirs = partial(F.gelu, approximate="tanh") if name == "gelu" else getattr(F, name)
    both(getattr(activations, name), theirs, 4 * numbers(3, 5))


def with_parameters(layer, names):
    """layer(x) as a function of x and of its parameters."""

    def f(x, *parameters):
        for name, p in zip(names, parameters, strict=True):
            setattr(layer, name, p)
        return layer(x)

    return f


@pytest.mark.parametrize("shape", [(4, 3), (3,), (2, 4, 3)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_pytorchs(shape, bias):
    F, names = pytest.importorskip("torch").nn.functional, ["weight", "bias"][: 1 + bias]
    arrays = [numbers(*shape), numbers(5, 3, seed=1), numbers(5, seed=2)][: 2 + bias]
    f = with_parameters(Linear(3, 5, bias), names)
    assert gradcheck(f, *arrays)
    both(f, F.linear, *arrays)


def test_the_gradient_of_linears_weights_lies_in_memory_as_they_do():
    layer, x = Linear(3, 5), numbers(4, 3)
    for rows in (x, np.asfortranarray(x), numbers(3, 4).T, numbers(2, 4, 3)):
        layer(Tensor(rows)).sum().backward()
        assert layer.weight.grad.data.flags.c_contiguous
        zero_grad(layer.parameters())


STRIDED = {
    "transposed": lambda: numbers(3, 4).T,
    "every second row, backwards": lambda: numbers(8, 3)[::-2],
    "one column of two": lambda: numbers(4, 6)[:, ::2],
    "a stack with its axes exchanged": lambda: numbers(4, 2, 3).swapaxes(0, 1),
    "one row for all": lambda: np.broadcast_to(numbers(3), (2, 4, 3)),
    "one example": lambda: numbers(1, 3),
}


@pytest.mark.parametrize("name", STRIDED)
@pytest.mark.parametrize("bias", [True, False])
def test_linear_passes_gradcheck_whatever_the_strides_of_its_inputs(name, bias):
    x, w, b = STRIDED[name](), np.asfortranarray(numbers(5, 3, seed=1)), numbers(10, seed=2)[::2]
    inputs = (x, w, b)[: 2 + bias]
    assert gradcheck(lambda *tensors: apply(LinearOp(), *tensors), *inputs)
    y = apply(LinearOp(), *[leaf(a, np.float64) for a in inputs])
    assert y.dtype == np.float64
    np.testing.assert_allclose(y.data, x @ w.T + (b if bias else 0))


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3), (4, 0)], ids=str)
def test_an_empty_batch_or_no_inputs_give_linears_parameters_gradients_of_zero(shape):
    x, w, b = leaf(np.ones(shape)), leaf(np.ones((5, shape[-1]))), leaf(np.ones(5))
    y = apply(LinearOp(), x, w, b)
    assert y.shape == (*shape[:-1], 5)
    y.sum().backward()
    assert (x.grad.shape, w.grad.shape) == (shape, (5, shape[-1]))
    assert not w.grad.data.any()
    np.testing.assert_array_equal(b.grad.data, np.full(5, y.size / 5))


def test_a_linear_layer_on_a_constant_computes_no_gradient_for_it():
    op = LinearOp()
    op.forward(numbers(4, 3), numbers(5, 3), numbers(5))
    entries = autograd.RULES[LinearOp](op, np.ones((4, 5)))
    assert len(entries) == 3 and all(map(callable, entries))
    x, layer = Tensor(numbers(4, 3)), Linear(3, 5)
    found = gradients(layer(x).sum(), np.float32(1))
    assert set(found) == {layer.weight, layer.bias}


def test_linear_has_the_gradients_of_the_product_and_the_sum_it_stands_for():
    x, w, b = leaf(numbers(2, 7, 3)), leaf(numbers(5, 3, seed=1)), leaf(numbers(5, seed=2))
    one = gradients((apply(LinearOp(), x, w, b) ** 2).sum(), np.float32(1))
    many = gradients(((x @ w.T + b) ** 2).sum(), np.float32(1))
    for t in (x, w, b):
        close(one[t], many[t])


CONVOLUTIONS = st.tuples(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.tuples(st.integers(4, 6), st.integers(4, 6)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    st.booleans(),
)


@settings(deadline=None, max_examples=40)
@given(CONVOLUTIONS)
def test_convolution_is_pytorchs_for_any_kernel_stride_and_padding(problem):
    F = pytest.importorskip("torch").nn.functional
    n, c, out, size, kernel, stride, padding, bias = problem
    arrays = [numbers(n, c, *size), numbers(out, c, *kernel, seed=1), numbers(out, seed=2)][: 2 + bias]
    f = with_parameters(Conv2d(c, out, kernel, stride, padding, bias), ["weight", "bias"][: 1 + bias])
    both(f, partial(F.conv2d, stride=stride, padding=padding), *arrays)


@settings(deadline=None, max_examples=10)
@given(CONVOLUTIONS)
def test_convolution_passes_gradcheck(problem):
    n, c, out, size, kernel, stride, padding, bias = problem
    arrays = [numbers(n, c, *size), numbers(out, c, *kernel, seed=1), numbers(out, seed=2)][: 2 + bias]
    assert gradcheck(with_parameters(Conv2d(c, out, kernel, stride, padding, bias), ["weight", "bias"][: 1 + bias]), *arrays)


def test_a_large_convolution_taken_in_blocks_is_pytorchs_and_the_same_bits_each_time():
    F = pytest.importorskip("torch").nn.functional
    arrays = [numbers(37, 8, 20, 20), 0.1 * numbers(16, 8, 3, 3), numbers(16)]
    f = with_parameters(Conv2d(8, 16, 3, padding=1), ["weight", "bias"])
    xs, ts = [leaf(a) for a in arrays], [pytest.importorskip("torch").tensor(np.float32(a), requires_grad=True) for a in arrays]
    first = gradients((f(*xs) ** 2).mean(), np.float32(1))
    again = gradients((f(*xs) ** 2).mean(), np.float32(1))
    (F.conv2d(*ts, padding=1) ** 2).mean().backward()
    for x, t in zip(xs, ts, strict=True):
        np.testing.assert_array_equal(first[x], again[x])
        np.testing.assert_allclose(first[x], t.grad.numpy(), rtol=1e-3, atol=1e-6)


def test_the_gradient_of_an_image_that_requires_none_is_never_computed(monkeypatch):
    x, layer = Tensor(numbers(4, 3, 8, 8)), Conv2d(3, 2, 3, padding=1)
    y = layer(x)
    monkeypatch.setattr("tinytorch.core.autograd.conv2d_blocked", lambda *_, **__: pytest.fail("computed"))
    assert set(gradients(y, np.ones_like(y.data))) == {layer.weight, layer.bias}
    x.requires_grad = True
    y = layer(x)
    with pytest.raises(pytest.fail.Exception, match="computed"):
        gradients(y, np.ones_like(y.data))


POOLS = st.tuples(
    st.tuples(st.integers(3, 7), st.integers(3, 7)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.booleans(),
    st.booleans(),
)


@settings(deadline=None, max_examples=60)
@given(POOLS)
def test_pooling_is_pytorchs_with_overlaps_padding_and_ties(problem):
    F = pytest.importorskip("torch").nn.functional
    size, kernel, stride, padded, ties = problem
    padding = tuple(k // 2 for k in kernel) if padded else (0, 0)
    x = np.random.default_rng(0).integers(-2, 2, (2, 3, *size)) if ties else numbers(2, 3, *size)
    for layer, name in [(MaxPool2d, "max_pool2d"), (AvgPool2d, "avg_pool2d")]:
        both(layer(kernel, stride, padding), partial(getattr(F, name), kernel_size=kernel, stride=stride, padding=padding), x)


@pytest.mark.parametrize("layer", [MaxPool2d(2), MaxPool2d(3, 2, 1), AvgPool2d((2, 3), 1, 1), GlobalAvgPool2d()], ids=str)
def test_pooling_passes_gradcheck(layer):
    assert gradcheck(layer, numbers(2, 2, 5, 6))


@pytest.mark.parametrize("mask", [None, "causal", "random"])
@pytest.mark.parametrize("batches", [((), ()), ((2,), (2,)), ((2, 1), (1, 3))], ids=str)
def test_attention_passes_gradcheck_and_is_pytorchs(batches, mask):
    F, torch = pytest.importorskip("torch").nn.functional, pytest.importorskip("torch")
    q, k, v = numbers(*batches[0], 4, 3), numbers(*batches[1], 4, 3, seed=1), numbers(*batches[1], 4, 5, seed=2)
    allowed = {None: None, "causal": causal_mask(4), "random": np.random.default_rng(0).random((4, 4)) < 0.6}[mask]
    if mask == "random":
        allowed[:, 0] = True
    f = partial(scaled_dot_product_attention, mask=allowed)
    assert gradcheck(f, q, k, v)
    both(f, partial(F.scaled_dot_product_attention, attn_mask=None if allowed is None else torch.from_numpy(allowed)), q, k, v)


@pytest.mark.parametrize("causal", [False, True])
def test_multi_head_attention_is_pytorchs_in_every_parameter(causal):
    torch = pytest.importorskip("torch")
    manual_seed(0)
    mine, x = MultiHeadAttention(8, 2, causal), leaf(numbers(3, 5, 8))
    theirs, t = (
        torch.nn.MultiheadAttention(8, 2, batch_first=True),
        torch.tensor(np.float32(numbers(3, 5, 8)), requires_grad=True),
    )
    ins = [mine.q_proj, mine.k_proj, mine.v_proj]
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.tensor(np.concatenate([layer.weight.data for layer in ins])))
        theirs.in_proj_bias.copy_(torch.tensor(np.concatenate([layer.bias.data for layer in ins])))
        theirs.out_proj.weight.copy_(torch.tensor(mine.out_proj.weight.data))
        theirs.out_proj.bias.copy_(torch.tensor(mine.out_proj.bias.data))
    y = mine(x)
    v = np.random.default_rng(2).standard_normal(y.shape).astype(np.float32)
    y.backward(v)
    other, _ = theirs(t, t, t, attn_mask=torch.tensor(~causal_mask(5)) if causal else None)
    other.backward(torch.tensor(v))
    close(x.grad.data, t.grad.numpy())
    close(np.concatenate([layer.weight.grad.data for layer in ins]), theirs.in_proj_weight.grad.numpy())
    close(np.concatenate([layer.bias.grad.data for layer in ins]), theirs.in_proj_bias.grad.numpy())
    close(mine.out_proj.weight.grad.data, theirs.out_proj.weight.grad.numpy())


@pytest.mark.parametrize("shape", [(), (7,), (2, 5)], ids=str)
def test_embedding_is_pytorchs_where_tokens_come_more_than_once(shape):
    torch = pytest.importorskip("torch")
    ids, layer = np.random.default_rng(0).integers(0, 4, shape), Embedding(6, 3)
    both(
        lambda w: with_parameters(layer, ["weight"])(ids, w),
        lambda w: torch.nn.functional.embedding(torch.tensor(ids), w),
        numbers(6, 3),
    )


def test_dropout_gives_gradients_only_to_what_it_kept():
    x = leaf(np.ones((4, 50)))
    y = Dropout(0.3, np.random.default_rng(0))(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, y.data)


def test_a_network_of_everything_has_pytorchs_gradients_in_every_parameter():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    manual_seed(0)
    mine = Sequential(
        Conv2d(3, 4, 3, padding=1),
        activations.ReLU(),
        MaxPool2d(2),
        Conv2d(4, 6, 3, 2),
        activations.GELU(),
        Flatten(),
        MLP([24, 7, 5], activations.tanh),
    )
    theirs = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, 2),
        nn.GELU("tanh"),
        nn.Flatten(),
        nn.Linear(24, 7),
        nn.Tanh(),
        nn.Linear(7, 5),
    )
    for p, q in zip(mine.parameters(), theirs.parameters(), strict=True):
        q.data = torch.tensor(p.data)
    x, labels = np.float32(numbers(4, 3, 10, 10)), np.array([0, 3, 3, 4])
    loss = -activations.log_softmax(mine(Tensor(x)), 1)[np.arange(4), labels].mean()
    other = nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(labels))
    loss.backward()
    other.backward()
    close(loss.item(), other.item())
    for p, q in zip(mine.parameters(), theirs.parameters(), strict=True):
        close(p.grad.data, q.grad.numpy())


# -- the walk ------------------------------------------------------------------------------------------------------------


def test_every_op_of_the_package_has_a_rule():
    kinds, waiting = set(), [Op]
    while waiting:
        kinds |= set(below := waiting.pop().__subclasses__())
        waiting += below
    own = {kind for kind in kinds if kind.__module__.startswith("tinytorch.core.")}
    assert len(own) > 30 and own - set(autograd.RULES) == {autograd.Freed}


def test_ten_thousand_ops_deep_and_freed_again():
    x = leaf(1.0)
    y = x
    for _ in range(10_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1
    y = x
    for _ in range(10_000):
        y = -y
    del y


def test_a_graph_with_2_to_the_60_ways_is_walked_once_an_op():
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = (y + y) * 0.5
    y.backward()
    assert x.grad.item() == 1


def test_gradients_add_up_over_calls_and_stay_on_leaves():
    x = leaf([1.0, 2.0])
    y = x * x
    y.sum().backward()
    (x * 3).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [5, 7])
    assert y.grad is None and x.grad.origin is None and not x.grad.requires_grad
    zero_grad([x])
    assert x.grad is None


@pytest.mark.parametrize(
    "f",
    [
        lambda p, q: p + q,
        lambda p, q: p - -q,
        lambda p, q: concat([p, q]),
        lambda p, q: stack([p, q]).reshape(2, 2).T,
        lambda p, q: p.reshape(2, 1).reshape(2) + q.reshape(2),
        lambda p, q: where([True, False], p, q),
    ],
)
def test_no_two_gradients_share_memory_with_each_other_or_with_what_was_given(f):
    p, q = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = f(p, q)
    given_one = np.ones(y.shape, np.float32)
    y.backward(given_one)
    assert not np.shares_memory(p.grad.data, q.grad.data)
    for x in (p, q):
        assert not np.shares_memory(x.grad.data, given_one) and not np.shares_memory(x.grad.data, x.data)
        x.grad.data += 1


def test_what_a_graph_kept_is_freed_though_the_loss_lives_on():
    x = leaf(np.ones(1000))
    kept = x * 2
    loss = (kept * kept).sum()
    array = weakref.ref(kept.data)
    del kept
    loss.backward()
    gc.collect()
    assert array() is None


def test_a_second_backward_is_an_error_that_says_so():
    x = leaf([1.0, 2.0])
    shared = x * x
    loss = shared.sum()
    loss.backward()
    for again in (loss, shared.max(), shared * 2 + x):
        with pytest.raises(RuntimeError, match="freed"):
            again.backward(np.ones(again.shape))


def test_backward_begins_only_where_it_can():
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match=r"\(2,\)"):
        (x * 2).backward()
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        (x * 2).backward([1, 2, 3])
    with pytest.raises(RuntimeError, match="requires a gradient"):
        Tensor(1.0).backward()
    x.backward(Tensor([3.0, 4.0]))
    np.testing.assert_array_equal(x.grad.data, [3, 4])


def test_an_op_without_a_rule_is_named():
    class Strange(Op):
        def forward(self, a):
            return a

    with pytest.raises(NotImplementedError, match=r"gradient\(Strange\)"):
        apply(Strange(), leaf(1.0)).backward()


def test_a_new_op_brings_its_rule_along():
    class Double(Op):
        def forward(self, a):
            return 2 * a

    @gradient(Double)
    def _(op, grad):
        return (3 * grad,)

    with pytest.raises(AssertionError, match=r"input 0 at \(0,\): the rules say"):
        gradcheck(lambda a: apply(Double(), a), [1.0, 2.0])
    gradient(Double)(lambda op, grad: (2 * grad,))
    assert gradcheck(lambda a: apply(Double(), a), [1.0, 2.0])
    del autograd.RULES[Double]


@pytest.mark.parametrize(
    "f", [lambda x, k: x * k, lambda x, k: x.maximum(k), lambda x, k: (x * 1 / k).exp(), lambda x, k: x.reshape(1, 2).abs() ** k]
)
def test_a_write_into_what_a_rule_needs_is_noticed(f):
    x, k = leaf([1.0, 2.0]), Tensor([3.0, 4.0])
    y = f(x, k).sum()
    k[0] = 7.0
    with pytest.raises(RuntimeError, match="written in place"):
        y.backward()


@pytest.mark.parametrize(
    ("f", "kind"),
    [(lambda layer, x: layer(x), "LinearOp"), (lambda layer, x: x @ layer.weight.T, "MatMul")],
    ids=["layer", "product"],
)
def test_a_step_of_the_weights_between_forward_and_backward_is_noticed_also_through_their_transpose(f, kind):
    layer, x = Linear(3, 2), leaf(numbers(4, 3))
    y = f(layer, x).sum()
    layer.weight.assign(np.zeros((2, 3)))
    with pytest.raises(RuntimeError, match=f"written in place after {kind}"):
        y.backward()


def test_a_write_that_no_rule_minds_is_allowed():
    x, k, other = leaf([1.0, 2.0]), Tensor([3.0, 4.0]), Tensor([1.0, 1.0])
    k[1] = 5.0
    y = (x + k) * other
    k[0] = 7.0
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [1, 1])


def test_no_grad_forgets_and_restores_even_after_an_error():
    x = leaf([1.0])
    with no_grad():
        assert not is_grad_enabled() and not (x * 2).requires_grad
        x[0] = 5.0
        with no_grad():
            pass
        assert not is_grad_enabled()
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert is_grad_enabled()

    @no_grad()
    def f():
        return x * 2

    assert not f().requires_grad and not f().requires_grad and (x * 2).requires_grad


def test_checkpointing_changes_no_gradient_and_needs_less_memory():
    manual_seed(0)
    net, x = MLP([64] * 13, activations.relu), leaf(numbers(256, 64))
    blocks = [Sequential(*list(net)[i : i + 3]) for i in range(0, 12, 3)]

    def step(through):
        h = x
        for block in blocks:
            h = through(block, h)
        zero_grad([x, *net.parameters()])
        backward((h * h).mean())
        return [p.grad.data for p in (x, *net.parameters())]

    def plainly(block, h):
        return block(h)

    for a, b in zip(step(plainly), step(checkpoint), strict=True):
        np.testing.assert_array_equal(a, b)
    assert peak_memory(step, checkpoint) < 0.7 * peak_memory(step, plainly)


def test_a_checkpoint_without_a_gradient_at_its_input_still_reaches_its_weights():
    layer, x = Linear(3, 2), Tensor(numbers(4, 3))
    checkpoint(layer, x).sum().backward()
    close(layer.weight.grad.data, np.tile(x.data.sum(0), (2, 1)))
    with no_grad():
        assert not checkpoint(layer, x).requires_grad
    assert not checkpoint(lambda a: a * 2, x).requires_grad


def test_a_checkpoint_redraws_the_same_dropout_and_leaves_the_generator_where_it_was():
    x, drop = leaf(np.ones(100)), Dropout(0.5)
    manual_seed(5)
    y = checkpoint(lambda a: drop(a), x)
    after = Tensor(drop(Tensor(np.ones(5)))).data
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, y.data)
    manual_seed(5)
    drop(x)
    np.testing.assert_array_equal(drop(Tensor(np.ones(5))).data, after)


def test_float32_stays_float32_all_the_way(monkeypatch):
    dtypes = set()

    def watched(rule):
        def f(op, grad):
            assert grad.dtype == np.float32, type(op)
            with np.errstate(invalid="ignore"):
                entries = [g() if callable(g) else g for g in rule(op, grad)]
            dtypes.update((type(op).__name__, str(g.dtype)) for g in entries)
            return entries

        return f

    for op, rule in list(autograd.RULES.items()):
        monkeypatch.setitem(autograd.RULES, op, watched(rule))
    x = leaf(numbers(3, 4))
    y = sum((f(x).sum() for f in UNARY.values()), 0.0) + sum((f(x, x + 1).sum() for f in BINARY.values()), 0.0)
    (y + activations.softmax(x, 1).max() + MultiHeadAttention(4, 2)(x).sum()).backward()
    images = leaf(numbers(2, 1, 6, 8))
    MaxPool2d(2)(AvgPool2d(2)(Conv2d(1, 2, 3, padding=1)(images))).sum().backward()
    assert len(dtypes) >= 25
    assert {pair for pair in dtypes if pair[1] != "float32"} == set()


def test_parameters_learn():
    w = Parameter([0.0])
    for _ in range(50):
        ((w - 3) ** 2).sum().backward()
        w.assign(w.data - 0.1 * w.grad.data)
        zero_grad([w])
    close(w.data, [3], atol=1e-3)


# -- writes in place: beside PyTorch -------------------------------------------------------------------------------------

WRITES = {
    "the tensor": lambda h: h.__setitem__(0, 100.0),
    "detach": lambda h: h.detach().__setitem__(0, 100.0),
    "a view": lambda h: h[1:].__setitem__(0, 100.0),
    "a view of a view": lambda h: h[1:][:1].__setitem__(0, 100.0),
    "reshape": lambda h: h.reshape(3, 1).__setitem__((0, 0), 100.0),
    "the transpose, detached": lambda h: h.detach().reshape(1, 3).T.__setitem__((0, 0), 100.0),
    "row by row": lambda h: [row.__setitem__(0, 100.0) for row in h.reshape(3, 1)],
}


@pytest.mark.parametrize("way", WRITES)
@pytest.mark.parametrize("op", ["square", "exp"])
def test_a_write_through_whatever_shares_the_memory_is_refused_as_by_pytorch(way, op):
    torch = pytest.importorskip("torch")
    for x, off in ((leaf([1.0, 2.0, 3.0]), no_grad), (torch.tensor([1.0, 2.0, 3.0], requires_grad=True), torch.no_grad)):
        h = (x * 1).exp() if op == "exp" else x * 1
        y = (h * h).sum() if op == "square" else h.sum()
        with off():
            WRITES[way](h)
        with pytest.raises(RuntimeError, match=r"in ?place"):
            y.backward()


def test_a_reused_batch_buffer_is_noticed_through_a_reshape_and_through_a_vectors_product():
    w = leaf([[1.0], [1.0]])
    for buffer, multiplied in [
        (Tensor([[1.0, 2.0]]), lambda b: b.reshape(1, 2) @ w),
        (Tensor([1.0, 2.0]), lambda b: b @ w),
        (Tensor([1.0, 2.0]), lambda b: w.T @ b),
        (Tensor([[1.0], [2.0]]), lambda b: b.T @ w),
        (Tensor([1.0, 2.0]), lambda b: Tensor(b.data[::-1]) @ w),
    ]:
        y = multiplied(buffer).sum()
        buffer[...] = 100.0
        with pytest.raises(RuntimeError, match="MatMul had saved"):
            y.backward()


def test_the_error_of_a_write_says_what_to_do():
    x, k = leaf([1.0, 2.0]), Tensor([3.0, 4.0])
    y = (x * k).sum()
    k[0] = 9.0
    with pytest.raises(RuntimeError, match=r"\[9.0, 4.0\] was written in place after Mul had saved it: compute the result after"):
        y.backward()


def functional():
    return pytest.importorskip("torch").nn.functional


SAVING = {  # name: ours, PyTorch's, shapes
    "mul": (lambda a, b: a * b, None, [(2, 3), (2, 3)]),
    "div": (lambda a, b: a / b, None, [(2, 3), (2, 3)]),
    "add": (lambda a, b: a + b, None, [(2, 3), (2, 3)]),
    "maximum": (lambda a, b: a.maximum(b), None, [(2, 3), (2, 3)]),
    "matrices": (lambda a, b: a @ b, None, [(2, 3), (3, 4)]),
    "matrix and vector": (lambda a, b: a @ b, None, [(2, 3), (3,)]),
    "vectors": (lambda a, b: a @ b, None, [(3,), (3,)]),
    "stacks": (lambda a, b: a @ b, None, [(5, 2, 3), (3, 4)]),
    "linear": (lambda *a: apply(LinearOp(), *a), lambda *a: functional().linear(*a), [(2, 3), (4, 3), (4,)]),
    "attention": (
        scaled_dot_product_attention,
        lambda q, k, v: ((q @ k.transpose(-1, -2)) / 3**0.5).softmax(-1) @ v,
        [(2, 4, 3)] * 3,
    ),
    "exp": (lambda a: a.exp(), None, [(3,)]),
    "log": (lambda a: a.log(), None, [(3,)]),
    "sqrt": (lambda a: a.sqrt(), None, [(3,)]),
    "tanh": (lambda a: a.tanh(), None, [(3,)]),
    "abs": (lambda a: a.abs(), None, [(3,)]),
    "sigmoid": (activations.sigmoid, lambda a: functional().sigmoid(a), [(3,)]),
    "log_softmax": (lambda a: activations.log_softmax(a, 0), lambda a: a.log_softmax(0), [(3,)]),
    "square": (lambda a: a**2, None, [(3,)]),
    "sum": (lambda a: a.sum(), None, [(3,)]),
    "scale": (lambda a: a * 3, None, [(3,)]),
    "divide": (lambda a: a / 3, None, [(3,)]),
    "index": (lambda a: a[1:], None, [(3,)]),
}


@pytest.mark.parametrize("name", SAVING)
def test_a_write_is_an_error_exactly_where_it_is_one_for_pytorch(name):
    """For every choice of inputs that require a gradient, and a write into each input and into the result."""
    torch = pytest.importorskip("torch")
    f, g, shapes = SAVING[name]
    arrays = [np.float32(np.abs(numbers(*shape, seed=i)) + 0.5) for i, shape in enumerate(shapes)]
    for required in product([False, True], repeat=len(arrays)):
        for written in range(len(arrays) + 1) if any(required) else ():
            xs = [Tensor(a.copy(), requires_grad=r) for a, r in zip(arrays, required, strict=True)]
            ts = [torch.tensor(a, requires_grad=r) for a, r in zip(arrays, required, strict=True)]
            outcomes = []
            for result, inputs, off in ((f(*xs), xs, no_grad), ((g or f)(*ts), ts, torch.no_grad)):
                with off():
                    [*inputs, result][written][...] = 1.0
                try:
                    result.backward(torch.ones_like(result) if off is torch.no_grad else np.ones(result.shape))
                    outcomes.append([None if t.grad is None else np.asarray(t.grad) for t in inputs])
                except RuntimeError:
                    outcomes.append("refused")
            mine, theirs = outcomes
            where_ = f"required {required}, written {written}"
            assert (mine == "refused") == (theirs == "refused"), where_
            for p, q in zip(mine, theirs, strict=True) if mine != "refused" else ():
                assert (p is None) == (q is None), where_
                if p is not None:
                    np.testing.assert_allclose(p, q, rtol=1e-4, atol=1e-6, err_msg=where_)


@pytest.mark.parametrize(
    ("f", "arrays"),
    [
        (lambda x, w: apply(Conv2dOp((1, 1), (0, 0)), x, w), (numbers(2, 3, 5, 5), numbers(4, 3, 2, 2))),
        (lambda q, k: apply(AttentionWeightsOp(None), q, k), (numbers(2, 4, 3), numbers(2, 4, 3, seed=1))),
        (lambda x, w: apply(LinearOp(), x, w), (numbers(2, 3), numbers(4, 3))),
    ],
    ids=["conv", "attention", "linear"],
)
def test_of_two_factors_the_only_one_with_a_gradient_may_be_written_and_the_other_may_not(f, arrays):
    for mine in (0, 1):
        found = []
        for written in (None, mine, 1 - mine):
            xs = [Tensor(a.copy(), i == mine) for i, a in enumerate(arrays)]
            y = f(*xs)
            if written is not None:
                xs[written].detach()[...] = 3.0
            try:
                y.backward(numbers(*y.shape, seed=5))
                found.append(xs[mine].grad.data)
            except RuntimeError:
                found.append("refused")
        np.testing.assert_array_equal(found[0], found[1])
        assert isinstance(found[2], str)


STEPS = st.tuples(
    st.sampled_from(["mul", "add", "exp", "view", "row", "flat", "detach and write", "write", "matmul", "constant"]),
    st.integers(0, 100),
    st.integers(0, 100),
)


def run_program(steps, tensors, off):
    """Values that the steps make, each from earlier ones; some steps write in place. The gradients, or "refused"."""
    made = list(tensors)
    for step, i, j in steps:
        a, b = made[i % len(made)], made[j % len(made)]
        if step in ("mul", "add", "constant", "matmul") and a.shape != b.shape:
            continue
        if step == "mul":
            made.append(a * b)
        elif step == "add":
            made.append(a + b)
        elif step == "constant":
            made.append(a * b.detach())
        elif step == "matmul" and len(a.shape) == 2:
            made.append(a.reshape(1, -1) @ b.reshape(-1, 1) * a)
        elif step == "exp":
            made.append((a * 0.1).exp())
        elif step == "view" and a.shape[0] > 1:
            made.append(a[1:])
        elif step == "row" and len(a.shape) == 2:
            made.append(a[0])
        elif step == "flat":
            made.append(a.reshape(-1))
        elif step in ("write", "detach and write"):
            with off():
                (a.detach() if step[0] == "d" else a)[...] = 0.5
    total = sum((t.sum() for t in made[1:] if t.requires_grad), made[0].sum())
    try:
        total.backward()
    except RuntimeError:
        return "refused"
    return [None if t.grad is None else np.asarray(t.grad) for t in tensors]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(deadline=None, max_examples=150)
@given(st.lists(STEPS, min_size=1, max_size=12))
def test_programs_with_views_and_writes_end_as_pytorchs_do(steps):
    torch = pytest.importorskip("torch")
    arrays = [numbers(3, 2, seed=i) for i in range(3)]  # float64, as large numbers come out
    mine = run_program(steps, [Tensor(a.copy(), i < 2, np.float64) for i, a in enumerate(arrays)], no_grad)
    theirs = run_program(steps, [torch.tensor(a, requires_grad=i < 2) for i, a in enumerate(arrays)], torch.no_grad)
    assert isinstance(mine, str) == isinstance(theirs, str)
    for p, q in zip(mine, theirs, strict=True) if not isinstance(mine, str) else ():
        assert (p is None) == (q is None)
        if p is not None:
            np.testing.assert_allclose(p, q, rtol=1e-6, atol=1e-9 * np.abs(np.nan_to_num(q)).max())


# -- corners: 0, inf and nan, beside PyTorch ------------------------------------------------------------------------------

nan, inf = np.nan, np.inf
EXTREMES = [0.0, -0.0, 1.0, -1.0, 2.0, inf, -inf, nan, 1e-20]
CORNERS = {  # name: ours, PyTorch's, how many inputs
    "relu": (activations.relu, lambda a: functional().relu(a), 1),
    "leaky_relu": (activations.leaky_relu, lambda a: functional().leaky_relu(a), 1),
    "maximum": (lambda a, b: a.maximum(b), None, 2),
    "minimum": (lambda a, b: a.minimum(b), None, 2),
    "clip": (lambda a: a.clip(0, 1), None, 1),
    "clip below": (lambda a: a.clip(min=0), None, 1),
    "clip above": (lambda a: a.clip(max=1), None, 1),
    "abs": (lambda a: a.abs(), None, 1),
    "exp": (lambda a: a.exp(), None, 1),
    "log": (lambda a: a.log(), None, 1),
    "sqrt": (lambda a: a.sqrt(), None, 1),
    "tanh": (lambda a: a.tanh(), None, 1),
    "sigmoid": (activations.sigmoid, lambda a: functional().sigmoid(a), 1),
    "div": (lambda a, b: a / b, None, 2),
    "mul": (lambda a, b: a * b, None, 2),
    "power 0": (lambda a: a**0, None, 1),
    "power 1": (lambda a: a**1, None, 1),
    "power 2": (lambda a: a**2, None, 1),
    "power 3": (lambda a: a**3, None, 1),
    "power -1": (lambda a: a**-1, None, 1),
    "base 2": (lambda a: 2.0**a, None, 1),
    "where": (lambda a, b: a * 1, None, 2),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CORNERS)
def test_slopes_at_0_inf_and_nan_are_pytorchs_for_any_gradient_that_arrives(name):
    torch = pytest.importorskip("torch")
    f, g, count = CORNERS[name]
    combinations = np.float32(list(product(EXTREMES, repeat=count + 1)))
    *columns, grad = (np.ascontiguousarray(column) for column in combinations.T)
    xs, ts = [leaf(a) for a in columns], [torch.tensor(a, requires_grad=True) for a in columns]
    if name == "where":
        chosen = np.arange(len(grad)) % 2 == 0
        y, t = where(chosen, *xs), torch.where(torch.tensor(chosen), *ts)
    else:
        y, t = f(*xs), (g or f)(*ts)
    y.backward(grad)
    t.backward(torch.tensor(grad))
    for x, other in zip(xs, ts, strict=True):
        for at in np.flatnonzero(~np.isclose(x.grad.data, other.grad.numpy(), 1e-4, 1e-30, equal_nan=True)):
            pytest.fail(f"at {combinations[at]}: {x.grad.data[at]}, and PyTorch's {other.grad[at]}")


LAYOUTS = {
    "plain": lambda a: a,
    "backwards": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1] if a.ndim else a,
    "by columns": lambda a: np.asfortranarray(a).reshape(a.shape, order="F"),
    "every second": lambda a: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a,
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["mul", "div", "maximum", "minimum", "where"]),
    st.sampled_from([*PAIRS, ((0, 3), (1, 3)), ((0,), ()), ((4, 300), (300,))]),
    st.tuples(st.sampled_from(sorted(LAYOUTS)), st.sampled_from(sorted(LAYOUTS)), st.sampled_from(sorted(LAYOUTS))),
    st.sampled_from([np.float32, np.float64, np.float16]),
    st.integers(0, 2**32 - 1),
)
def test_two_tensors_with_extreme_numbers_have_pytorchs_gradients(name, shapes, layouts, dtype, seed):
    """Broadcasting, empty shapes, views with odd strides, three dtypes; not the ties with a lone number."""
    torch, rng = pytest.importorskip("torch"), np.random.default_rng(seed)
    common = np.broadcast_shapes(*shapes)
    pool = np.array([0.0, 1.0, -1.0, 0.5, 2.0, inf, -inf, nan])
    a, b, v = (
        LAYOUTS[layout](rng.choice(pool, shape).astype(dtype)) for shape, layout in zip((*shapes, common), layouts, strict=True)
    )
    if name in ("maximum", "minimum") and b.ndim == 0:
        b = np.where(np.isinf(b), 0.3, b + 0.25).astype(dtype)  # no tie
    chosen = rng.random(common) < 0.5
    x, y = (Tensor(c, True, dtype) for c in (a, b))
    t, u = (torch.tensor(c.copy(), requires_grad=True) for c in (a, b))
    if name == "where":
        mine, theirs = where(chosen, x, y), torch.where(torch.tensor(chosen), t, u)
    else:
        mine, theirs = BINARY_PLAIN[name](x, y), BINARY_PLAIN[name](t, u)
    mine.backward(v)
    theirs.backward(torch.tensor(v.copy()))
    for p, q in ((x, t), (y, u)):
        assert p.grad.dtype == dtype and p.grad.shape == p.shape
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=2e-2 if dtype == np.float16 else 1e-4, atol=1e-2)


BINARY_PLAIN = {
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "maximum": lambda a, b: a.maximum(b),
    "minimum": lambda a, b: a.minimum(b),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "f",
    [
        lambda x, relu, clip: relu(x).sqrt(),
        lambda x, relu, clip: relu(x).log(),
        lambda x, relu, clip: 1 / relu(x),
        lambda x, relu, clip: relu(x) ** 0.5,
        lambda x, relu, clip: clip(x).log(),
        lambda x, relu, clip: (clip(x) - 1).abs().sqrt(),
    ],
)
@pytest.mark.parametrize("n", [1, 500])
def test_a_blocked_gradient_that_is_infinite_becomes_0_and_not_nan(f, n):
    torch = pytest.importorskip("torch")
    numbers_ = np.float32([-1.0, 4.0, 0.5, 2.0, -3.0] * n)
    x, t = leaf(numbers_), torch.tensor(numbers_, requires_grad=True)
    f(x, activations.relu, lambda a: a.clip(0, 1)).sum().backward()
    f(t, torch.relu, lambda a: a.clip(0, 1)).sum().backward()
    assert not np.isnan(x.grad.data).any()
    np.testing.assert_allclose(x.grad.data, t.grad.numpy(), rtol=1e-5)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("array", [[-1.0, 2.0], [[-1.0], [2.0]], -1.0, np.zeros((0, 3)), np.arange(-3.0, 3.0)[::-2]], ids=str)
def test_infinite_gradients_are_blocked_in_every_float_and_shape(array, dtype):
    x = leaf(array, dtype)
    activations.relu(x).backward(np.full(x.shape, inf))
    np.testing.assert_array_equal(x.grad.data, np.where(x.data > 0, inf, 0))
    assert x.grad.dtype == dtype


@pytest.mark.parametrize("stride", [1, 2])
def test_an_infinite_gradient_of_a_pool_stays_at_its_pixel(stride):
    torch, pixels = pytest.importorskip("torch"), np.float32(numbers(1, 2, 4, 4))
    x, t = leaf(pixels), torch.tensor(pixels, requires_grad=True)
    y = MaxPool2d(2, stride)(x)
    grad = np.ones(y.shape, np.float32)
    grad[0, 0, 0, 0] = inf
    y.backward(grad)
    functional().max_pool2d(t, 2, stride).backward(torch.tensor(grad))
    np.testing.assert_array_equal(x.grad.data, t.grad.numpy())


@pytest.mark.parametrize("best", ["max", "min"])
def test_the_gradient_of_a_maximum_goes_to_its_nans(best):
    torch, numbers_ = pytest.importorskip("torch"), np.float32([nan, 0.0, nan, 1.0])
    x, t = leaf(numbers_), torch.tensor(numbers_, requires_grad=True)
    getattr(x, best)().backward()
    getattr(t, best)().backward()
    np.testing.assert_array_equal(x.grad.data, t.grad.numpy())
    x = leaf([[nan, 1.0], [2.0, 1.0]])
    getattr(x, best)(1).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [[1, 0], [1, 0] if best == "max" else [0, 1]])


def test_a_small_divisor_has_a_finite_slope():
    a, b = leaf([1e-30]), leaf([1e-30])
    (a / b).sum().backward()
    np.testing.assert_allclose(b.grad.data, [-1e30], rtol=1e-5)


# -- keys of an index -------------------------------------------------------------------------------------------------------

KEYS = {
    "uint8": (256, np.array([0, 255, 255, 7], np.uint8)),
    "int8": (200, np.array([0, 127, -1, -1, -128], np.int8)),
    "uint16": (65_536, np.array([65_535, 1, 1], np.uint16)),
    "uint64": (5, np.array([4, 4, 0], np.uint64)),
    "int16 table": (300, np.array([[1, -1], [299, 1]], np.int16)),
    "empty uint8": (256, np.array([], np.uint8)),
    "one": (256, np.array(3, np.uint8)),
    "mask": (6, np.array([True, False, True, False, False, True])),
    "no row": (4, np.zeros(4, bool)),
    "mask in a tuple": (4, (np.array([True, False, True, False]), slice(None, None, 2))),
    "ids in a tuple": (4, (np.array([1, 1, -1], np.int8), np.array([0, 0, 2], np.uint8))),
    "slice and ids": (4, (slice(1, 3), np.array([0, 0, 2], np.uint8))),
    "numpy integer": (4, np.int64(2)),
    "ellipsis": (4, (..., np.int64(1))),
}


@pytest.mark.parametrize("name", KEYS)
def test_gradients_of_an_index_add_up_for_every_kind_of_key(name):
    rows, key = KEYS[name]
    x = leaf(numbers(rows, 3))
    y = x[key]
    grad = np.float32(numbers(*y.shape)) if y.size else np.zeros(y.shape, np.float32)
    y.backward(grad)
    wanted = np.zeros((rows, 3), np.float32)
    np.add.at(wanted, key, grad)
    np.testing.assert_allclose(x.grad.data, wanted, rtol=1e-6)


def test_an_embedding_of_bytes_learns():
    layer, text = Embedding(256, 2), np.frombuffer(b"abca\xff", np.uint8)
    layer(text).sum().backward()
    np.testing.assert_array_equal(np.flatnonzero(layer.weight.grad.data[:, 0]), [97, 98, 99, 255])
    np.testing.assert_array_equal(layer.weight.grad.data[97], [2, 2])


EMPTY = {
    "sum": lambda a: a.sum(1),
    "exp": lambda a: a.exp() * a,
    "maximum": lambda a: a.maximum(0) + a.maximum(a),
    "clip": lambda a: a.clip(0, 1),
    "matmul": lambda a: a @ Tensor(np.ones((4, 5))),
    "inner": lambda a: a.transpose(-1, -2) @ a,
    "concat": lambda a: concat([a, a], 1),
    "broadcast": lambda a: a + a[..., :1],
    "index": lambda a: a[:, np.array([0, 0, 1])],
    "pow": lambda a: a**2,
    "max": lambda a: a.max(2),
    "softmax": lambda a: activations.softmax(a, 2) + activations.log_softmax(a, 2),
}


@pytest.mark.parametrize("name", EMPTY)
def test_a_tensor_without_numbers_has_a_gradient_without_numbers(name):
    x = leaf(np.zeros((0, 3, 4)))
    y = EMPTY[name](x)
    y.backward(np.zeros(y.shape))
    assert x.grad.shape == (0, 3, 4)


# -- leaves -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(Linear(3, 2), (4, 3)), (Conv2d(2, 3, 3), (2, 2, 5, 5)), (MLP([3, 4, 2], activations.relu), (4, 3))],
    ids=["linear", "conv", "mlp"],
)
def test_a_float64_input_leaves_float32_gradients_on_float32_weights(layer, shape):
    x = leaf(numbers(*shape), np.float64)
    layer(x).sum().backward()
    layer(x).sum().backward()
    assert {str(p.grad.dtype) for p in layer.parameters()} == {"float32"} and x.grad.dtype == np.float64


def test_later_gradients_are_added_into_the_same_tensor():
    p, q = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (p + q).sum().backward()
    held, other = p.grad, q.grad
    array = held.data
    (p * 3 + q).sum().backward()
    assert p.grad is held and p.grad.data is array and q.grad is other
    np.testing.assert_array_equal(held.data, [4, 4])
    np.testing.assert_array_equal(other.data, [2, 2])
    zero_grad([p])
    (p * 3 + q).sum().backward()
    np.testing.assert_array_equal(held.data, [4, 4])
    assert not np.shares_memory(p.grad.data, q.grad.data)
    one = leaf(1.0)
    for _ in range(3):
        (one * 2).backward()
    assert one.grad.data.shape == () and isinstance(one.grad.data, np.ndarray) and one.grad.item() == 6


def test_a_graph_that_saved_a_gradient_is_refused_after_that_gradient_grew():
    p, q = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (p * p).sum().backward()
    y = (q * p.grad).sum()
    (p * p).sum().backward()
    with pytest.raises(RuntimeError, match="written in place"):
        y.backward()


# -- recording: threads, generators, names ----------------------------------------------------------------------------------


def test_threads_that_overlap_inside_no_grad_leave_nothing_off():
    x, entered, left, seen = leaf([1.0]), threading.Barrier(4), threading.Barrier(4), {}

    def work(number):
        before = (x * 2).requires_grad
        if number == 0:
            entered.wait(10)
            inside = not (x * 2).requires_grad  # this thread never switched
            left.wait(10)
        else:
            with no_grad():
                entered.wait(10)
                inside = (x * 2).requires_grad
                left.wait(10)
        seen[number] = before, inside, (x * 2).requires_grad

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [seen[number] for number in range(4)] == [(True, False, True)] * 4
    assert is_grad_enabled()
    first, second = threading.Event(), threading.Event()

    def evaluate():
        with no_grad():
            first.set()
            second.wait(10)

    thread = threading.Thread(target=evaluate)
    thread.start()
    first.wait(10)
    with no_grad():  # entered while the other is inside, left after it
        second.set()
        thread.join()
    assert is_grad_enabled()


def test_a_decorated_generator_records_nothing_while_it_runs_and_lets_its_caller_record():
    x = leaf([1.0])

    @no_grad()
    def steps(n):
        """Doubles."""
        for _ in range(n):
            sent = yield x * 2
            assert sent is None or not (sent * x).requires_grad
        return "done"

    running = steps(3)
    assert steps.__doc__ == "Doubles."
    assert not next(running).requires_grad and is_grad_enabled() and (x * 2).requires_grad
    assert not running.send(Tensor([1.0])).requires_grad and is_grad_enabled()
    next(running)
    with pytest.raises(StopIteration, match="done"):
        next(running)
    with no_grad():
        assert [y.requires_grad for y in steps(2)] == [False, False] and not is_grad_enabled()

    @no_grad()
    def fails():
        yield 1
        raise KeyError("x")

    with pytest.raises(KeyError):
        list(fails())
    assert is_grad_enabled()


def test_no_grad_decorates_without_parentheses_and_its_blocks_nest():
    x, block = leaf([1.0]), no_grad()

    @no_grad
    def f(y):
        return x * y

    assert not f(2).requires_grad and is_grad_enabled() and f.__name__ == "f"
    for _ in range(2):
        with block:
            with block:
                assert not is_grad_enabled()
            assert not is_grad_enabled()
        assert is_grad_enabled()
    assert autograd.inference_mode is no_grad


def test_set_grad_enabled_is_a_block_and_a_call():
    for mode in (True, False):
        with set_grad_enabled(mode):
            assert is_grad_enabled() is mode
            with set_grad_enabled(not mode):
                assert is_grad_enabled() is not mode
            assert is_grad_enabled() is mode
        assert is_grad_enabled()
    with pytest.raises(KeyError), set_grad_enabled(False):
        raise KeyError
    assert is_grad_enabled()
    with pytest.raises(TypeError, match="no_grad"):
        set_grad_enabled(False)(len)
    assert is_grad_enabled()
    set_grad_enabled(False)
    assert not is_grad_enabled()
    set_grad_enabled(True)
    assert is_grad_enabled()


# -- grad and retain_graph --------------------------------------------------------------------------------------------------


def test_grad_is_pytorchs_for_leaves_and_for_tensors_in_the_middle():
    torch, results = pytest.importorskip("torch"), []
    a, b, v = (np.float32(numbers(2, 3, seed=i)) for i in range(3))
    for make, f in ((leaf, grad), (lambda a: torch.tensor(a, requires_grad=True), torch.autograd.grad)):
        x, w = make(a), make(b)
        h = x * w
        u = h.exp()
        y, z = (u * h + x).sum(), u * w
        seeds = [None, v if f is grad else torch.tensor(v)]
        found = f([y, z], [x, h, u, w, y, x], seeds, retain_graph=True)
        found += f(y, u) + f((x * 2).sum(), [x])
        results.append([np.asarray(g) for g in found])
        assert x.grad is None and w.grad is None
    assert len(results[0]) == 8
    for mine, theirs in zip(*results, strict=True):
        close(mine, theirs)


def test_what_grad_gives_shares_no_memory_and_has_the_inputs_dtype():
    p, q = leaf([1.0, 2.0]), leaf([3.0, 4.0], np.float64)
    h = p * 1
    found = grad((h + q).sum(), [p, h, q, p])
    assert [str(g.dtype) for g in found] == ["float32", "float32", "float64", "float32"]
    for i, g in enumerate(found):
        assert not g.requires_grad and not any(np.shares_memory(g.data, other.data) for other in found[:i])


def test_grad_says_what_is_missing():
    x, unused, constant = leaf([1.0, 2.0]), leaf([1.0]), Tensor([1.0, 2.0])
    with pytest.raises(RuntimeError, match="allow_unused=True"):
        grad((x * x).sum(), [x, unused])
    found = grad((x * x).sum(), [x, unused], allow_unused=True)
    assert found[1] is None and found[0].data.tolist() == [2, 4]
    with pytest.raises(RuntimeError, match="does not require"):
        grad((x * constant).sum(), [constant])
    with pytest.raises(RuntimeError, match=r"\(2,\)"):
        grad(x * 2, x)
    with pytest.raises(RuntimeError, match="requires a gradient"):
        grad(constant.sum(), x)
    with pytest.raises(ValueError, match="1 grad_outputs for 2 outputs"):
        grad([x * 2, x * 3], x, [np.ones(2)])
    assert grad(x * 2, x, np.array([1.0, 10.0]))[0].data.tolist() == [2, 20]
    h = x * 2
    y = (h * h).sum()
    h.detach()[0] = 7.0
    with pytest.raises(RuntimeError, match="Mul had saved"):
        grad(y, h)


def test_grad_frees_what_it_walked_or_retains_it():
    x = leaf([1.0, 2.0])
    h = x * x
    y = (h * h).sum()
    first = grad(y, h, retain_graph=True)[0]
    assert type(h.origin[0]).__name__ == "Mul"
    np.testing.assert_array_equal(grad(y, [h, x])[0].data, first.data)
    with pytest.raises(RuntimeError, match="freed"):
        grad(y, x)


def test_a_retained_graph_can_be_walked_again_and_holds_its_arrays_until_then():
    x = leaf([1.0, 2.0])
    h = x.exp()
    array = weakref.ref(h.data)
    y = (h * h).sum()
    del h
    backward(y, retain_graph=True)
    once = x.grad.data.copy()
    gc.collect()
    assert array() is not None
    backward(y, retain_graph=True)
    np.testing.assert_array_equal(x.grad.data, 2 * once)
    backward(y)
    np.testing.assert_array_equal(x.grad.data, 3 * once)
    gc.collect()
    assert array() is None
    with pytest.raises(RuntimeError, match="freed"):
        backward(y, retain_graph=True)


# -- checkpoint, and deep graphs --------------------------------------------------------------------------------------------


class Twice(Layer):
    """A layer with a generator of its own, and one in a list of layers."""

    def __init__(self):
        self.rng, self.rest = np.random.default_rng(1), [Dropout(0.5, np.random.default_rng(2)), activations.relu]

    def forward(self, x):
        y = x * Tensor(self.rng.random(x.shape))
        for f in self.rest:
            y = f(y)
        return y


def noise(x, rng=np.random.default_rng(3)):  # noqa: B008
    return x * Tensor(rng.random(x.shape))


GLOBAL = Dropout(0.5, np.random.default_rng(4))


def by_global(x):
    return GLOBAL(x) * x


def through_a_helper(x):
    return by_global(x) + noise(x)


def by_closure():
    drop = Dropout(0.5, np.random.default_rng(5))
    return lambda x: drop(x) * x


BLOCKS = {
    "a dropout": lambda: Dropout(0.5, np.random.default_rng(0)),
    "default": lambda: Dropout(0.5),
    "a layer": Twice,
    "layers in layers": lambda: Sequential(Sequential(Linear(50, 50), Dropout(0.5, np.random.default_rng(6))), Twice()),
    "a default argument": lambda: noise,
    "a global": lambda: by_global,
    "functions that call others": lambda: through_a_helper,
    "a closure": by_closure,
    "a method": lambda: Twice().forward,
    "partial": lambda: partial(noise, rng=np.random.default_rng(7)),
    "two of one generator": lambda: (lambda rng: Sequential(Dropout(0.5, rng), Dropout(0.2, rng)))(np.random.default_rng(8)),
}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", BLOCKS)
def test_a_checkpoint_repeats_every_generator_and_leaves_each_where_it_was(name, nested):
    block = BLOCKS[name]()
    x = leaf(np.abs(numbers(4, 50)) + 0.5)
    f = (lambda a: checkpoint(block, a * 2)) if nested else block
    generators = autograd._generators(f)
    start = [g.bit_generator.state for g in generators]

    def run(way):
        for g, state in zip(generators, start, strict=True):
            g.bit_generator.state = state
        zero_grad([x])
        y = way()
        after = [g.bit_generator.state for g in generators]
        y.backward(np.ones(y.shape))
        assert [g.bit_generator.state for g in generators] == after
        return y.data, x.grad.data

    plain, kept = run(lambda: block(x * 2 if nested else x)), run(lambda: checkpoint(f, x))
    np.testing.assert_array_equal(plain[0], kept[0])
    np.testing.assert_array_equal(plain[1], kept[1])


def test_two_hundred_thousand_ops_deep_backward_retained_and_dropped():
    x = leaf([1.0])
    y = x
    for _ in range(200_000):
        y = y + 0.0
    backward(y, retain_graph=True)
    assert x.grad.item() == 1
    assert grad(y, x)[0].item() == 1
    y = x
    for _ in range(200_000):
        y = y * 1.0
    del y
