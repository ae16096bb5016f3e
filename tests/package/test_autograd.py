"""tinytorch.core.autograd: small steps in float64, identities, and PyTorch's gradients where it is installed.

Tolerances: float64 small steps within gradcheck's own; float32 against PyTorch within 1e-5 (absolute) plus 1e-4 of the value.
"""

import gc
import weakref
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core import activations, autograd
from tinytorch.core.attention import Embedding, MultiHeadAttention, causal_mask, scaled_dot_product_attention
from tinytorch.core.autograd import (
    backward,
    checkpoint,
    gradcheck,
    gradient,
    gradients,
    is_grad_enabled,
    no_grad,
    unbroadcast,
    zero_grad,
)
from tinytorch.core.dense import MLP, Dropout, Flatten, Sequential
from tinytorch.core.layers import Linear, LinearOp, Parameter
from tinytorch.core.setup import peak_memory
from tinytorch.core.spatial import AvgPool2d, Conv2d, GlobalAvgPool2d, MaxPool2d
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
