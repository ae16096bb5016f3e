"""Tensor computes what NumPy's formulas and PyTorch say, and remembers how."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.core import tensor as tt
from tinytorch.core.tensor import Add, Tensor, _written, apply, concat, grad_mode, recipe, stack, where

SHAPES = [(), (1,), (3,), (0,), (2, 3), (2, 0, 3), (2, 3, 4, 5)]
DTYPES = [np.bool_, np.uint8, np.int32, np.int64, np.float32, np.float64]
PAIRS = [
    ((), (3,)),
    ((2, 3), (3,)),
    ((2, 1, 4), (3, 1)),
    ((0, 3), (3,)),
    ((0, 3), (1,)),
    ((), ()),
    ((2, 3), (2, 3)),
    ((1, 2), (5, 1, 1)),
]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
each_pair = pytest.mark.parametrize("pair", PAIRS, ids=str)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def numbers(shape, seed=0, dtype=np.float32):
    """Numbers from -3 to 3, none of them near 0; integers from 1 to 9, so that unsigned ones can meet the others."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind != "f":
        return np.asarray(rng.integers(1, 10, shape)).astype(dtype)
    return np.asarray(rng.uniform(0.25, 3, shape) * rng.choice([-1, 1], shape)).astype(dtype)


def same(mine, theirs, rtol=1e-5, atol=1e-6):
    """The same shape, dtype and numbers as PyTorch's tensor."""
    theirs = theirs.detach().numpy()
    assert isinstance(mine, Tensor)
    assert mine.shape == theirs.shape
    assert mine.dtype == theirs.dtype
    np.testing.assert_allclose(mine.data, theirs, rtol=rtol, atol=atol)


# -- the seam ------------------------------------------------------------------------------------------------------


def test_a_result_remembers_op_and_inputs_only_where_a_gradient_is_required():
    a, b = Tensor([1.0, 2.0]), Tensor([3.0, 4.0], requires_grad=True)
    op = Add()
    result = apply(op, a, b)
    assert result.requires_grad and result.origin == (op, (a, b))
    assert apply(Add(), a, a).origin is None and not apply(Add(), a, a).requires_grad


def test_nothing_is_remembered_while_recording_is_off(monkeypatch):
    monkeypatch.setattr(grad_mode, "enabled", False)
    result = Tensor([1.0], requires_grad=True) * 2
    assert result.origin is None and not result.requires_grad


def test_the_recipe_lists_each_tensor_once_and_inputs_first():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    z = (y + x).sum()
    order = recipe(z)
    assert [id(t) for t in order] == [id(t) for t in (x, y, z.origin[1][0], z)]


def test_the_recipe_of_a_chain_of_ten_thousand_ops_is_found():
    x = Tensor(1.0, requires_grad=True)
    for _ in range(10_000):
        x = x + 1.0
    assert len(recipe(x)) == 20_001


def test_integers_cannot_require_a_gradient():
    with pytest.raises(TypeError, match="int64"):
        Tensor([1, 2], requires_grad=True)


def test_the_gradient_stops_at_an_integer_and_passes_from_float_to_float():
    x = Tensor([1.5], requires_grad=True)
    assert not x.astype(np.int64).requires_grad
    assert x.astype(np.float64).requires_grad
    assert x.astype(np.float32) is x
    assert not x.detach().requires_grad and np.shares_memory(x.detach().data, x.data)


def test_comparisons_and_argmax_carry_no_gradient():
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert not (x > 1).requires_grad and not x.argmax().requires_grad


def test_a_tensor_is_hashed_by_identity():
    a, b = Tensor([1.0]), Tensor([1.0])
    assert len({a, b, a}) == 2


def test_a_write_in_place_is_dated_and_refused_where_a_gradient_would_be_lost():
    x, w = Tensor([1.0, 2.0, 3.0]), Tensor([1.0, 1.0, 1.0], requires_grad=True)
    y = x * w
    assert _written(x.data) <= y.made
    x[1:] = 7
    assert _written(x.data) > y.made
    np.testing.assert_array_equal(x.data, [1, 7, 7])
    with pytest.raises(RuntimeError, match="in place"):
        w[0] = 1.0
    with pytest.raises(RuntimeError, match="in place"):
        x[:] = w


def test_backward_imports_what_module_09_builds(monkeypatch):
    import sys
    from types import SimpleNamespace

    called = []
    monkeypatch.setitem(sys.modules, "tinytorch.core.autograd", SimpleNamespace(backward=lambda *args: called.append(args)))
    x = Tensor([1.0])
    x.backward()
    assert called == [(x, None)]


# -- making --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [1, 2.5, True, [1, 2], [1.0, 2], [], [[True], [False]]], ids=str)
def test_python_values_get_pytorchs_dtypes(torch, data):
    same(Tensor(data), torch.tensor(data))


def test_float64_becomes_float32_unless_it_is_asked_for():
    assert Tensor(np.ones(2)).dtype == np.float32
    assert Tensor(np.ones(2), dtype=np.float64).dtype == np.float64
    assert Tensor(Tensor([1.0]).astype(np.float64)).dtype == np.float64


def test_an_array_that_fits_is_shared():
    a = np.ones(3, np.float32)
    assert np.shares_memory(Tensor(a).data, a) and np.shares_memory(Tensor(a).numpy(), a)


@pytest.mark.parametrize("data", [["a"], [None], [1j]], ids=str)
def test_what_is_no_number_is_refused(data):
    with pytest.raises(TypeError, match="cannot hold"):
        Tensor(data)


def test_constructors_agree_with_pytorch(torch):
    same(tt.zeros(2, 3), torch.zeros(2, 3))
    same(tt.zeros((2, 0)), torch.zeros((2, 0)))
    same(tt.ones(2, dtype=np.int64), torch.ones(2, dtype=torch.int64))
    same(tt.full((2, 3), 7), torch.full((2, 3), 7))
    same(tt.full((2,), 0.5), torch.full((2,), 0.5))
    same(tt.arange(5), torch.arange(5))
    same(tt.arange(1, 2, 0.25), torch.arange(1, 2, 0.25))
    assert tt.zeros(2, requires_grad=True).requires_grad


def test_random_numbers_follow_the_seed_and_a_generator_of_their_own():
    tt.manual_seed(3)
    a, b = tt.randn(4), tt.rand(2, 3)
    tt.manual_seed(3)
    np.testing.assert_array_equal(tt.randn(4).data, a.data)
    np.testing.assert_array_equal(tt.rand(2, 3).data, b.data)
    one = tt.randn(4, generator=np.random.default_rng(1))
    np.testing.assert_array_equal(one.data, tt.randn(4, generator=np.random.default_rng(1)).data)
    assert a.dtype == b.dtype == np.float32 and b.shape == (2, 3)
    x = tt.randn(100_000)
    assert abs(x.mean().item()) < 0.02 and abs(x.var().item() - 1) < 0.02


def test_a_tensor_prints_its_numbers_dtype_and_origin():
    x = Tensor([1.0, 2.5], requires_grad=True)
    assert repr(Tensor([1, 2])) == "Tensor([1, 2])"
    assert repr(x) == "Tensor([1. , 2.5], requires_grad=True)"
    assert repr(x + x) == "Tensor([2., 5.], origin=Add)"
    assert repr(tt.zeros(0, 3)) == "Tensor([], shape=(0, 3))"
    assert repr(Tensor([1.0], dtype=np.float64)) == "Tensor([1.], dtype=float64)"


# -- elementwise ---------------------------------------------------------------------------------------------------

BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "maximum": lambda a, b: a.maximum(b),
    "minimum": lambda a, b: a.minimum(b),
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


@each_pair
@pytest.mark.parametrize("name", BINARY)
def test_binary_ops_broadcast_as_pytorch_does(torch, name, pair):
    a, b = numbers(pair[0], 1), numbers(pair[1], 2)
    for x, y in ((a, b), (b, a)):
        same(BINARY[name](Tensor(x), Tensor(y)), BINARY[name](torch.from_numpy(x), torch.from_numpy(y)))


@pytest.mark.parametrize("shapes", [((3,), (2,)), ((), (3,)), ((2, 3), ())], ids=str)
@pytest.mark.parametrize("t", DTYPES[1:], ids=lambda t: np.dtype(t).name)
@pytest.mark.parametrize("s", DTYPES[1:], ids=lambda t: np.dtype(t).name)
def test_two_dtypes_meet_as_in_pytorch(torch, s, t, shapes):
    a, b = numbers(shapes[0], 1, s), numbers(shapes[1] if shapes[1] != (2,) else (3,), 2, t)
    for name in ("add", "mul", "div", "maximum", "lt"):
        same(BINARY[name](Tensor(a, dtype=s), Tensor(b, dtype=t)), BINARY[name](torch.from_numpy(a), torch.from_numpy(b)))


@pytest.mark.parametrize("number", [2, 0.1, True], ids=str)
@pytest.mark.parametrize("s", DTYPES, ids=lambda t: np.dtype(t).name)
def test_python_numbers_are_weak_on_either_side(torch, s, number):
    a = numbers((4,), 1, s)
    mine, theirs = Tensor(a, dtype=s), torch.from_numpy(a)
    same(mine + number, theirs + number)
    same(number * mine, number * theirs)
    same(mine / number, theirs / number)
    if s != np.bool_ and number is not True:
        same(number - mine, number - theirs)


def test_masks_combine_as_in_pytorch(torch):
    a, b = np.array([True, True, False]), np.array([[True], [False]])
    same(Tensor(a) & Tensor(b), torch.from_numpy(a) & torch.from_numpy(b))
    same(Tensor(a) | Tensor(b), torch.from_numpy(a) | torch.from_numpy(b))
    same(~Tensor(a), ~torch.from_numpy(a))


def test_float64_is_not_rounded_by_a_python_number_or_an_array():
    x = Tensor([1.0], dtype=np.float64)
    assert (x * 0.1).item() == 0.1
    assert (x * np.array([0.1])).item() == 0.1


@each_pair
def test_powers_agree_with_pytorch(torch, pair):
    a, b = np.asarray(np.abs(numbers(pair[0], 1))), numbers(pair[1], 2)
    same(Tensor(a) ** Tensor(b), torch.from_numpy(a) ** torch.from_numpy(b))
    for exponent in (2, 0.5, -1, 3):
        same(Tensor(a) ** exponent, torch.from_numpy(a) ** exponent)
    same(2 ** Tensor(b), 2 ** torch.from_numpy(b))
    same(Tensor([1, 2, 3]) ** 2, torch.tensor([1, 2, 3]) ** 2)


@each_shape
@pytest.mark.parametrize("name", ["neg", "abs", "exp", "log", "sqrt", "tanh"])
def test_functions_of_one_tensor_agree_with_pytorch(torch, name, shape):
    for dtype in (np.float32, np.float64, np.int64):
        a = numbers(shape, 3, dtype)
        a = np.asarray(np.abs(a)) if name in ("log", "sqrt") else a
        if name == "neg":
            same(-Tensor(a, dtype=dtype), -torch.from_numpy(a))
        else:
            same(getattr(Tensor(a, dtype=dtype), name)(), getattr(torch.from_numpy(a), name)())
    same(abs(Tensor(a)), abs(torch.from_numpy(a)))


@each_shape
def test_clip_agrees_with_pytorch(torch, shape):
    a = numbers(shape, 4)
    mine, theirs = Tensor(a), torch.from_numpy(a)
    same(mine.clip(-1, 1), theirs.clip(-1, 1))
    same(mine.clip(min=0.5), theirs.clip(min=0.5))
    same(mine.clip(max=-0.5), theirs.clip(max=-0.5))
    same(Tensor(a.astype(np.int64)).clip(0.5), torch.from_numpy(a.astype(np.int64)).clip(0.5))


@each_pair
def test_where_broadcasts_all_three(torch, pair):
    a, b = numbers(pair[0], 5), numbers(pair[1], 6)
    condition = np.asarray(a > 0)
    x, y, c = torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(condition)
    same(where(Tensor(condition), Tensor(a), Tensor(b)), torch.where(c, x, y))
    same(where(Tensor(condition), 1.0, Tensor(b)), torch.where(c, 1.0, y))
    same(where(condition, 1.0, 0.0), torch.where(c, 1.0, 0.0))


def test_an_array_on_the_left_leaves_the_work_to_the_tensor():
    a, x = np.array([[1.0, 2.0]]), Tensor([[3.0], [4.0]], requires_grad=True)
    for result in (a + x, a - x, a * x, a / x, a**x, a @ x, a == x, np.float64(2) * x):
        assert isinstance(result, Tensor) and result.dtype in (np.float32, bool)
    np.testing.assert_array_equal((a - x).data, [[-2, -1], [-3, -2]])
    assert (a * x).requires_grad


def test_shapes_that_do_not_fit_are_both_named():
    x = Tensor(np.ones((2, 3)))
    for wrong in (
        lambda: x + Tensor(np.ones((2, 4))),
        lambda: x.maximum(Tensor(np.ones((2, 4)))),
        lambda: x == Tensor(np.ones((2, 4))),
    ):
        with pytest.raises(ValueError, match=r"\(2, ?3\).*\(2, ?4\)"):
            wrong()
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2, 4\)"):
        x @ Tensor(np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"size 6 .*\(4, ?4\)"):
        x.reshape(4, 4)
    with pytest.raises(ValueError, match=r"\(2, ?3\).*\(4, ?4\)"):
        x.expand(4, 4)
    with pytest.raises(ValueError, match=r"size 3 .* size 4"):
        concat([x, Tensor(np.ones((2, 4)))])


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3))
@settings(max_examples=100, deadline=None)
def test_broadcast_shapes_is_numpys(shapes):
    a, b = shapes.input_shapes
    assert tt.broadcast_shapes(a, b) == np.broadcast_shapes(a, b)


@given(*[st.lists(st.integers(0, 3), max_size=4).map(tuple)] * 2)
@settings(max_examples=200, deadline=None)
def test_broadcast_shapes_refuses_what_numpy_refuses(a, b):
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(ValueError, match="cannot broadcast"):
            tt.broadcast_shapes(a, b)
    else:
        assert tt.broadcast_shapes(a, b) == expected


# -- reductions ----------------------------------------------------------------------------------------------------

AXES = [
    ((), None),
    ((), 0),
    ((), -1),
    ((3,), None),
    ((3,), -1),
    ((2, 3), 0),
    ((2, 3), (0, 1)),
    ((2, 3, 4), (0, -1)),
    ((2, 3, 4), -2),
    ((1, 4), 0),
]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("shape", "axis"), [*AXES, ((0,), None), ((2, 0), 0), ((2, 0), 1), ((2, 0), None)], ids=str)
def test_sums_and_means_agree_with_pytorch(torch, shape, axis, keepdims):
    a = numbers(shape, 7)
    mine, theirs = Tensor(a), torch.from_numpy(a)
    same(mine.sum(axis, keepdims), theirs.sum(axis, keepdims), rtol=1e-4)
    if a.size:
        same(mine.mean(axis, keepdims), theirs.mean(axis, keepdims), rtol=1e-4)
        same(mine.max(axis, keepdims), torch.amax(theirs, axis if axis is not None else (), keepdims))
        same(mine.min(axis, keepdims), torch.amin(theirs, axis if axis is not None else (), keepdims))
    if not isinstance(axis, tuple) and a.size:
        same(mine.argmax(axis, keepdims), theirs.argmax(axis, keepdims))


@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize(
    ("shape", "axis"), [((5,), None), ((3, 4), 0), ((3, 4), (0, 1)), ((3, 4), -1), ((2, 3, 4), (0, 2))], ids=str
)
def test_variances_agree_with_pytorch(torch, shape, axis, correction):
    a = numbers(shape, 8)
    for keepdims in (False, True):
        theirs = torch.var(torch.from_numpy(a), axis, correction=correction, keepdim=keepdims)
        same(Tensor(a).var(axis, correction=correction, keepdims=keepdims), theirs, rtol=1e-4)
    same(Tensor(a).var(), torch.from_numpy(a).var(), rtol=1e-4)


@pytest.mark.parametrize("s", DTYPES, ids=lambda t: np.dtype(t).name)
def test_integers_are_summed_in_int64(torch, s):
    a = np.full((3, 100), 3).astype(s)
    same(Tensor(a, dtype=s).sum(0), torch.from_numpy(a).sum(0))


def test_an_axis_that_is_not_there_is_an_index_error():
    for wrong in (lambda x: x.sum(2), lambda x: x.max(-3), lambda x: x.mean((0, 2)), lambda x: x.unsqueeze(4)):
        with pytest.raises(IndexError, match="axis"):
            wrong(Tensor(np.ones((2, 3))))


def test_reductions_of_a_recorded_tensor_are_recorded():
    x = Tensor([[1.0, 2.0]], requires_grad=True)
    assert all(y.origin for y in (x.sum(), x.mean(0), x.max(1), x.min(), x.var(1)))


# -- products ------------------------------------------------------------------------------------------------------

PRODUCTS = [
    ((2, 3), (3, 4)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((3,), (3,)),
    ((5, 2, 3), (3, 4)),
    ((5, 1, 2, 3), (6, 3, 4)),
    ((2, 0), (0, 3)),
    ((0, 3), (3, 2)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 2)),
]


@pytest.mark.parametrize(("s", "t"), PRODUCTS, ids=str)
def test_matrix_products_agree_with_pytorch(torch, s, t):
    a, b = numbers(s, 9), numbers(t, 10)
    same(Tensor(a) @ Tensor(b), torch.from_numpy(a) @ torch.from_numpy(b), rtol=1e-4, atol=1e-5)
    same(a @ Tensor(b), torch.from_numpy(a) @ torch.from_numpy(b), rtol=1e-4, atol=1e-5)


def test_a_number_is_no_matrix():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(\)"):
        Tensor(np.ones((2, 3))) @ 2.0


# -- shapes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"), [((2, 3), (3, 2)), ((2, 3), (-1,)), ((6,), (2, -1)), ((), (1, 1)), ((2, 0), (0, 5)), ((1,), ())], ids=str
)
def test_reshape_agrees_with_pytorch(torch, old, new):
    a = numbers(old)
    same(Tensor(a).reshape(new), torch.from_numpy(a).reshape(new))
    if new:
        same(Tensor(a).reshape(*new), torch.from_numpy(a).reshape(*new))


@given(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4), st.data())
@settings(max_examples=60, deadline=None)
def test_axes_move_as_in_pytorch(torch, shape, data):
    a = numbers(shape)
    mine, theirs = Tensor(a), torch.from_numpy(a)
    i, j = (data.draw(st.integers(-a.ndim, a.ndim - 1)) for _ in "ij")
    same(mine.transpose(i, j), theirs.transpose(i, j))
    assert np.shares_memory(mine.transpose(i, j).data, a)
    dims = data.draw(st.permutations(range(a.ndim)))
    same(mine.permute(dims), theirs.permute(dims))
    same(mine.permute(*dims), theirs.permute(*dims))
    k = data.draw(st.integers(-a.ndim - 1, a.ndim))
    same(mine.unsqueeze(k), theirs.unsqueeze(k))
    same(mine.unsqueeze(k).squeeze(k), theirs)
    same(mine.squeeze(i), theirs.squeeze(i))
    same(mine.squeeze(), theirs.squeeze())


def test_t_exchanges_rows_and_columns(torch):
    a = numbers((2, 3))
    same(Tensor(a).T, torch.from_numpy(a).T)


@pytest.mark.parametrize(
    ("old", "new"),
    [((3, 1), (3, 4)), ((3, 1), (-1, 4)), ((3,), (2, 3)), ((), (2, 2)), ((1, 3), (5, -1, -1)), ((1,), (0,))],
    ids=str,
)
def test_expand_repeats_without_a_copy(torch, old, new):
    a = numbers(old)
    same(Tensor(a).expand(*new), torch.from_numpy(a).expand(*new))
    assert np.shares_memory(Tensor(a).expand(new).data, a) or 0 in new


def test_0d_tensors_transpose_and_squeeze(torch):
    a = numbers(())
    same(Tensor(a).squeeze(), torch.from_numpy(a).squeeze())
    same(Tensor(a).unsqueeze(-1), torch.from_numpy(a).unsqueeze(-1))
    same(Tensor(a).permute(()), torch.from_numpy(a).permute(()))


# -- indexing and joining ------------------------------------------------------------------------------------------

KEYS = [
    0,
    -1,
    slice(1, None),
    (0, 1),
    (slice(None), 1),
    (..., 0),
    None,
    ([0, 1, 0],),
    (slice(None), [2, 0]),
    ([0, 1], [2, 1]),
    (0, slice(None, None, 2)),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_agrees_with_pytorch(torch, key):
    a = numbers((2, 3, 4))
    same(Tensor(a)[key], torch.from_numpy(a)[key])


def test_tensors_are_indices_alone_or_in_a_tuple(torch):
    a, i = numbers((4, 3)), np.array([2, 0, 2])
    mine, theirs = Tensor(a), torch.from_numpy(a)
    same(mine[Tensor(i)], theirs[torch.from_numpy(i)])
    same(mine[:, Tensor(i)], theirs[:, torch.from_numpy(i)])
    same(mine[mine > 0], theirs[theirs > 0])
    same(mine[Tensor([0, 1, 2]), Tensor(i)], theirs[torch.tensor([0, 1, 2]), torch.from_numpy(i)])
    assert mine[0, 1].shape == () and mine[0, 1].item() == a[0, 1]


def test_integers_and_slices_are_views_and_arrays_are_copies():
    x = Tensor(numbers((4, 3)))
    assert all(np.shares_memory(x[key].data, x.data) for key in (0, slice(1, 3), (slice(None), 1), (..., None)))
    assert not any(np.shares_memory(x[key].data, x.data) for key in ([0, 1], x > 0, Tensor([1])))


def test_iteration_length_and_truth():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2 and [row.shape for row in x] == [(2,), (2,)]
    assert bool(Tensor([2.0])) and not Tensor(0.0) and float(Tensor([2.5])) == 2.5
    for wrong in (lambda: len(Tensor(1.0)), lambda: list(Tensor(1.0))):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(ValueError):
        bool(x > 0)


def test_numpy_reads_a_tensor():
    x = Tensor([[1.0, 2.0]])
    assert np.asarray(x) is x.data or np.shares_memory(np.asarray(x), x.data)
    assert np.array(x, dtype=np.float64).dtype == np.float64


@pytest.mark.parametrize("dim", [0, 1, -1, -2])
def test_concat_and_stack_agree_with_pytorch(torch, dim):
    a, b = numbers((2, 3), 1), numbers((2, 3), 2)
    same(concat([Tensor(a), Tensor(b)], dim), torch.concat([torch.from_numpy(a), torch.from_numpy(b)], dim))
    same(stack([Tensor(a), Tensor(b)], dim), torch.stack([torch.from_numpy(a), torch.from_numpy(b)], dim))
    same(stack([Tensor(1.0), Tensor(2.0)]), torch.stack([torch.tensor(1.0), torch.tensor(2.0)]))
    same(concat([Tensor(a[:0]), Tensor(b)]), torch.concat([torch.from_numpy(a[:0]), torch.from_numpy(b)]))
    same(concat([Tensor([1, 2]), Tensor([0.5])]), torch.concat([torch.tensor([1, 2]), torch.tensor([0.5])]))


def test_numbers_cannot_be_concatenated():
    with pytest.raises(ValueError, match="zero-dimensional"):
        concat([Tensor(1.0), Tensor(2.0)])


def test_stack_makes_a_third_axis_at_either_end(torch):
    a = numbers((2, 3))
    for dim in (2, -3):
        same(stack([Tensor(a)] * 4, dim), torch.stack([torch.from_numpy(a)] * 4, dim))


def test_nothing_is_no_number():
    with pytest.raises(TypeError, match="cannot hold object"):
        Tensor([1.0]) + None
