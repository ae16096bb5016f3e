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
    assert called == [(x, None, False)]


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


# -- small integers, bools, and numbers that they cannot hold ------------------------------------------------------

SMALL = [np.bool_, np.uint8, np.int8, np.int16, np.int64]
each_small = pytest.mark.parametrize("s", SMALL, ids=lambda t: np.dtype(t).name)


@each_small
@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "tanh"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)], ids=str)
def test_functions_of_integers_are_computed_in_float32(torch, s, name, shape):
    a = np.asarray(np.random.default_rng(0).integers(1, 90, shape)).astype(s)
    same(getattr(Tensor(a), name)(), getattr(torch.from_numpy(a), name)(), rtol=1e-5)


@each_small
@pytest.mark.parametrize("number", [-1, 2, 127, 256, 300, 0.5, -2.5, True])
def test_numbers_that_an_integer_cannot_hold_wrap_around_as_in_pytorch(torch, s, number):
    a = np.array([[0, 1, 7], [3, 100, 77]]).astype(s)
    mine, theirs = Tensor(a), torch.from_numpy(a)
    for f in (
        lambda t: t * number,
        lambda t: t + number,
        lambda t: number + t,
        lambda t: t / number,
        lambda t: (t + t[0, 1]) / number,
        lambda t: t == number,
        lambda t: t < number,
        lambda t: t >= number,
    ):
        same(f(mine), f(theirs))
    with np.errstate(divide="ignore"):
        same(number / mine, number / theirs)
    if s is not np.bool_ and number is not True:
        same(number - mine, number - theirs)
        same(mine / Tensor(np.array(256)), theirs / torch.tensor(256))


def test_integers_to_negative_powers(torch):
    a, b = np.array([0, 1, -1, -1, 2, 3]), np.array([-1, -5, -3, -2, -1, 2])
    same(Tensor(a) ** Tensor(b), torch.from_numpy(a) ** torch.from_numpy(b))
    same(Tensor(a) ** Tensor(-1), torch.from_numpy(a) ** torch.tensor(-1))
    same(2 ** Tensor(b), 2 ** torch.from_numpy(b))
    same(Tensor(2) ** Tensor(-1), torch.tensor(2) ** torch.tensor(-1))
    for dtype in (np.int64, np.int8, np.uint8):
        with pytest.raises(ValueError, match="use floats"):
            Tensor(np.array([2, 3], dtype)) ** -1
    same(Tensor([2.0]) ** Tensor([-1]), torch.tensor([2.0]) ** torch.tensor([-1]))


def test_a_cast_gives_the_dtype_that_was_asked_for(torch):
    for s in SMALL:
        for t in (np.float16, np.float32, np.float64, np.int32):
            assert Tensor(np.ones(2, s)).astype(t).dtype == t


def test_what_holds_no_numbers_is_not_equal():
    x = Tensor([1.0, 2.0])
    assert (x == None) is False and (x != None) is True and (x == "a") is False  # noqa: E711
    assert (Tensor([1]) == "a") is False and (Tensor([1]) == object()) is False
    with pytest.raises(TypeError):
        x < None  # noqa: B015
    assert None not in [x] and x in [None, x]


def test_clip_of_integers_and_without_bounds(torch):
    a = np.array([1, 200, 7], np.uint8)
    same(Tensor(a).clip(5, 100), torch.from_numpy(a).clip(5, 100))
    same(Tensor(a).clip(2.5), torch.from_numpy(a).clip(2.5))
    same(Tensor(a).clip(0.5, 100), torch.from_numpy(a).clip(0.5, 100))
    same(Tensor([5, -3]).clip(0.0), torch.tensor([5, -3]).clip(0.0))
    low, high = np.array([0.0, 1.0], np.float32), np.array([0.5, 2.0], np.float32)
    x, t = Tensor([-1.0, 3.0]), torch.tensor([-1.0, 3.0])
    same(x.clip(Tensor(low), Tensor(high)), t.clip(torch.from_numpy(low), torch.from_numpy(high)))
    same(x.clip(max=Tensor(high)), t.clip(max=torch.from_numpy(high)))
    same(Tensor([True, False]).clip(max=2), torch.tensor([True, False]).clip(max=2))
    same(Tensor([1.0, 2.0]).clip(np.float64(1.5)), torch.tensor([1.5, 2.0]))
    with pytest.raises(ValueError, match="min, max or both"):
        Tensor(a).clip()


# -- axes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (2, 0)], ids=str)
def test_pytorchs_names_of_axes_are_taken_too(torch, shape):
    a = numbers(shape)
    for dim in [None, -1, (), *([(0, 1)] if len(shape) > 1 else [])]:
        for keepdim in (False, True):
            mine, theirs = Tensor(a), torch.from_numpy(a)
            same(mine.sum(dim=dim, keepdim=keepdim), theirs.sum(dim=dim, keepdim=keepdim), rtol=1e-4)
            if a.size > 1:
                for name in ("mean", "var", "std"):
                    y, z = (getattr(x, name)(dim=dim, keepdim=keepdim) for x in (mine, theirs))
                    same(y, z, rtol=1e-4)
            if a.size and dim != ():
                same(mine.max(dim=dim, keepdim=keepdim), theirs.amax(dim=() if dim is None else dim, keepdim=keepdim))
                if not isinstance(dim, tuple):
                    same(mine.argmax(dim=dim, keepdim=keepdim), theirs.argmax(dim=dim, keepdim=keepdim))
                    same(mine.argmin(dim=dim, keepdim=keepdim), theirs.argmin(dim=dim, keepdim=keepdim))
                    some = {"keepdim": keepdim} if dim is not None else {}
                    some |= {} if dim is None else {"dim": dim}
                    same((mine > 0).any(**some), (theirs > 0).any(**some))
                    same((mine > 0).all(**some), (theirs > 0).all(**some))


def test_axes_out_of_range_or_repeated_are_errors():
    x = Tensor(np.ones((2, 3, 4)))
    for wrong in (
        lambda: x.squeeze(50),
        lambda: x.permute(0, 1, 2, 2),
        lambda: x.permute(0, 1),
        lambda: x.permute(),
        lambda: x.sum((0, 1, 2, 2)),
        lambda: x.sum(dim=(0, -3)),
        lambda: Tensor(1.0).sum(1),
        lambda: Tensor(1.0).squeeze(1),
        lambda: x.expand(5, 3, 4),
        lambda: x.expand(3, 4),
        lambda: x.expand(-1, 2, 3, 4),
        lambda: x.flatten(0, 3),
    ):
        with pytest.raises((ValueError, IndexError)):
            wrong()


def test_0d_tensors_have_one_axis_where_pytorch_says_so(torch):
    a = numbers(())
    for f in (
        lambda t: t.transpose(0, -1),
        lambda t: t.expand(()),
        lambda t: t.expand(2, 3),
        lambda t: t.flatten(),
        lambda t: t.sum(0),
        lambda t: t.cumsum(0),
        lambda t: t.prod(),
        lambda t: t.norm(),
        lambda t: t.clone(),
        lambda t: t.repeat(3),
        lambda t: t.sort().values,
        lambda t: t.argsort(descending=True),
    ):
        same(f(Tensor(a)), f(torch.from_numpy(a)))


def test_an_expand_that_repeats_nothing_can_be_written_to():
    x = Tensor([[1.0, 2.0]])
    x.expand(1, 2)[0, 1] = 7.0
    assert x.tolist() == [[1.0, 7.0]]
    with pytest.raises(ValueError, match="read-only"):
        x.expand(3, 2)[0, 1] = 7.0


# -- keys ----------------------------------------------------------------------------------------------------------


def as_torch(torch, key):
    if isinstance(key, tuple):
        return tuple(as_torch(torch, part) for part in key)
    return torch.from_numpy(key) if isinstance(key, np.ndarray) else key


IDS, ROWS = np.array([2, 0, 2]), np.array([[1, 0], [0, 1]])
MASK, SOME = np.array([[True, False, True], [False, False, True]]), np.array([True, False, True])
MIXED = [
    IDS[:2] % 2,
    ROWS,
    MASK,
    np.zeros((2, 3), bool),
    (0, slice(None), IDS),
    (slice(None), IDS, slice(None), 0),
    (slice(None), SOME, slice(None), -1),
    (0, SOME),
    (MASK, 0),
    (MASK, slice(None), 0),
    (..., 0, IDS),
    (0, ..., IDS),
    (0, None, IDS),
    (None, 0, IDS, slice(1, 3)),
    (ROWS, None, IDS[:2], 0),
    (ROWS, slice(None), IDS[:2]),
    (np.array(1), slice(None), IDS),
    np.array(1),
    True,
    (0, np.array([], np.int64)),
    (1, 2, 3, 4),
]


@pytest.mark.parametrize("key", MIXED, ids=repr)
def test_keys_of_tensors_read_write_and_differentiate_as_in_pytorch(torch, key):
    a = numbers((2, 3, 4, 5))
    mine, theirs = Tensor(a, requires_grad=True), torch.from_numpy(a.copy()).requires_grad_()
    ours = tuple(Tensor(k) if isinstance(k, np.ndarray) else k for k in key) if isinstance(key, tuple) else key
    ours = Tensor(ours) if isinstance(ours, np.ndarray) else ours
    y, z = mine[ours], theirs[as_torch(torch, key)]
    same(y, z)
    w = numbers(y.shape, 1)
    (y * w).sum().backward()
    (z * torch.from_numpy(w)).sum().backward()
    same(mine.grad, theirs.grad)
    x, other = Tensor(a.copy()), torch.from_numpy(a.copy())
    x[ours], other[as_torch(torch, key)] = Tensor(w), torch.from_numpy(w)
    same(x, other)


def test_an_empty_mask_and_an_empty_list_pick_nothing():
    assert Tensor(np.zeros((0, 2, 3)))[Tensor(np.zeros((0, 2), bool))].shape == (0, 3)
    assert Tensor(np.zeros((4, 3)))[[]].shape == (0, 3)


def test_a_key_is_copied():
    x, ids = Tensor([1.0, 2.0, 3.0], requires_grad=True), np.array([0, 1])
    for key in (Tensor(ids), ids, (ids,), (Tensor(ids),)):
        ids[:] = 0, 1
        y = x[key].sum()
        ids[:] = 2
        x.grad = None
        y.backward()
        assert x.grad.tolist() == [1, 1, 0]
    end = Tensor(2)
    y = x[:end].sum()
    end.fill_(1)
    x.grad = None
    y.backward()
    assert x.grad.tolist() == [1, 1, 0]
    condition = Tensor([True, False, False])
    y = where(condition, x, 0.0).sum()
    condition[1] = True
    x.grad = None
    y.backward()
    assert x.grad.tolist() == [1, 0, 0]


def test_a_byte_is_an_index_of_256_rows(torch):
    table = Tensor(numbers((256, 2)), requires_grad=True)
    table[Tensor(np.array([0, 255, 255], np.uint8))].sum().backward()
    assert table.grad[255].tolist() == [2, 2] and table.grad.sum().item() == 6


def test_a_lone_element_is_a_view():
    x = Tensor(numbers((2, 3)))
    for key in ((1, 2), (Tensor(1), 2), (np.int64(1), -1)):
        x[key].fill_(9.0)
        assert x.data[1, 2] == 9
        x[key].zero_()
        assert x.data[1, 2] == 0
    for v in x[0]:
        v += 1
    np.testing.assert_array_equal(x.data[0], numbers((2, 3))[0] + 1)


@pytest.mark.parametrize("key", [1.5, "a", [0.5], 2, (0, 3)], ids=repr)
def test_a_key_that_is_none_is_an_index_error(key):
    with pytest.raises(IndexError):
        Tensor(np.ones((2, 3)))[key]


# -- one number ----------------------------------------------------------------------------------------------------


def test_a_tensor_of_one_number_is_printed_rounded_and_used_as_an_index():
    loss = Tensor([1.0, 2.256]).sum()
    assert f"{loss:.2f}" == "3.26" and f"{Tensor([1.5])}" == "Tensor([1.5])" and f"{Tensor(2)}" == "2"
    assert int(Tensor(2.7)) == 2 and round(loss, 1) == 3.3 and int(Tensor([3])) == 3
    assert "abc"[Tensor(1)] == "b" and list(range(Tensor(2))) == [0, 1]
    for wrong in (Tensor(1.0), Tensor([1])):
        with pytest.raises(TypeError, match="only an integer"):
            range(wrong)
    assert np.arange(4)[Tensor([2])].shape == (1,)


# -- writing in place ----------------------------------------------------------------------------------------------


def test_arithmetic_in_place_writes_where_nothing_is_recorded(torch):
    a, b = numbers((2, 3)), numbers((3,), 1)
    x, t = Tensor(a.copy()), torch.from_numpy(a.copy())
    view, memory = x[1], x.data
    for step in ("+=", "-=", "*=", "/="):
        exec(f"x {step} b; t {step} u", scope := {"x": x, "t": t, "b": Tensor(b), "u": torch.from_numpy(b)})
        assert scope["x"] is x and x.data is memory
        same(x, t)
    assert _written(view.data) > 0
    x.add_(2).sub_(Tensor(b), alpha=3).mul_(2).div_(4)
    t.add_(2).sub_(torch.from_numpy(b), alpha=3).mul_(2).div_(4)
    same(x, t)
    np.testing.assert_array_equal(view.data, x.data[1])
    assert x.fill_(3).tolist() == [[3] * 3] * 2 and x.zero_().sum().item() == 0
    assert x.copy_(Tensor(b)).tolist() == [b.tolist()] * 2


def test_a_parameter_steps_in_place_while_recording_is_off(monkeypatch):
    w = Tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    same_tensor = w
    with pytest.raises(RuntimeError, match="in place"):
        w -= 0.5 * w.grad
    with pytest.raises(RuntimeError, match="in place"):
        w.add_(1.0)
    with pytest.raises(RuntimeError, match="in place"):
        w.zero_()
    monkeypatch.setattr(grad_mode, "enabled", False)
    w -= 0.25 * w.grad
    assert w is same_tensor and w.requires_grad and w.origin is None and w.tolist() == [0.5, 1.0]
    assert _written(w.data) > 0


def test_in_place_is_a_new_tensor_where_something_is_recorded():
    w, x = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0])
    y = before = w * 2
    y += 1
    assert y is not before and before.tolist() == [2, 4] and y.tolist() == [3, 5]
    z = x
    z *= w
    assert z is not x and x.tolist() == [3, 4] and z.requires_grad
    for wrong in (lambda: y.add_(1), lambda: x.mul_(w), lambda: y.zero_()):
        with pytest.raises(RuntimeError, match="in place"):
            wrong()


def test_in_place_keeps_dtype_and_shape(torch):
    for dtype, number in [(np.int64, 1.5), (np.uint8, 0.5), (np.bool_, 1), (np.bool_, 0.5)]:
        with pytest.raises(TypeError, match="the dtype stays"):
            Tensor(np.ones(2, dtype)).add_(number)
    with pytest.raises(TypeError, match="the dtype stays"):
        Tensor([1, 2]).div_(2)
    with pytest.raises(ValueError, match=r"\(2,\).*\(3, 2\)"):
        Tensor([1.0, 2.0]).add_(Tensor(np.ones((3, 2))))
    same(Tensor(np.array([1], np.uint8)).add_(300), torch.tensor([1], dtype=torch.uint8).add_(300))
    same(Tensor(np.array([1.5], np.float32)).add_(Tensor([1], dtype=np.float64)), torch.tensor([2.5]))
    x = Tensor(np.arange(5.0))
    x[1:] += x[:-1]  # the right side is read before it is overwritten
    assert x.tolist() == [0, 1, 3, 5, 7]


# -- the rest is names ---------------------------------------------------------------------------------------------

NAMES = {
    "view": lambda x: x.view(4, -1),
    "flatten": lambda x: x.flatten(),
    "flatten 1": lambda x: x.flatten(1),
    "flatten 0, 1": lambda x: x.flatten(start_dim=0, end_dim=-2),
    "clone": lambda x: x.clone(),
    "contiguous": lambda x: x.transpose(0, 2).contiguous(),
    "double": lambda x: x.double() * 2,
    "split": lambda x: x.split(2, dim=2)[1],
    "split sizes": lambda x: x.split([1, x.shape[1] - 1], 1)[1],
    "chunk": lambda x: x.chunk(3, -1)[0],
    "unbind": lambda x: x.unbind(1)[2],
    "repeat": lambda x: x.repeat(2, 1, 3),
    "repeat more": lambda x: x.repeat(2, 1, 3, 1),
    "repeat never": lambda x: x.repeat(2, 0, 1),
    "masked_fill": lambda x: x.masked_fill(x > 0.5, -2.0),
    "tril": lambda x: x.tril(),
    "tril -1": lambda x: x.tril(diagonal=-1),
    "triu": lambda x: x.triu(1),
    "flip": lambda x: x.flip(0, -1),
    "roll": lambda x: x.roll(1),
    "roll 2": lambda x: x.roll(-2, 2),
    "roll both": lambda x: x.roll((1, -5), (0, 1)),
    "sort": lambda x: x.sort()[0],
    "sort down": lambda x: x.sort(dim=1, descending=True).values,
    "topk": lambda x: x.topk(2).values,
    "topk smallest": lambda x: x.topk(2, dim=1, largest=False)[0],
    "std": lambda x: x.std(),
    "std 1": lambda x: x.std(1, keepdim=True),
    "norm": lambda x: x.norm(),
    "norm 1": lambda x: x.norm(1, dim=1),
    "norm 3": lambda x: x.norm(p=3, dim=(0, 2), keepdim=True),
    "norm inf": lambda x: x.norm(float("inf"), dim=-1),
    "prod": lambda x: x.prod(),
    "prod 1": lambda x: x.prod(1),
    "prod -1": lambda x: x.prod(-1, keepdim=True),
    "cumsum": lambda x: x.cumsum(0),
    "cumsum -1": lambda x: x.cumsum(dim=-1),
    "pow": lambda x: x.pow(2),
    "clamp": lambda x: x.clamp(-1, 0.5),
    "matmul": lambda x: x.matmul(x.transpose(-1, -2)),
    "remainder": lambda x: x % 0.7,
    "remainder of itself": lambda x: x % (x + 5),
}


FLOATS = ("norm", "std", "matmul", "remainder", "pow", "clamp", "masked_fill")  # for floats, or another dtype comes out


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 4, 5), (0, 3, 4)], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_names_and_their_gradients_are_pytorchs(torch, name, shape):
    a = numbers(shape, 3)
    mine, theirs = Tensor(a, requires_grad=True), torch.from_numpy(a).requires_grad_()
    if 0 in shape and name in ("view", "norm inf", "std", "std 1", "chunk"):
        return  # refused by PyTorch, or nan, or a matter of taste
    y, z = NAMES[name](mine), NAMES[name](theirs)
    same(y, z, rtol=1e-4, atol=1e-5)
    assert y.requires_grad
    w = numbers(y.shape, 4)
    (y * w).sum().backward()
    (z * torch.from_numpy(w)).sum().backward()
    np.testing.assert_allclose(mine.grad.data, theirs.grad.numpy(), rtol=1e-3, atol=1e-5)
    assert mine.grad.dtype == np.float32


@pytest.mark.parametrize("s", [np.bool_, np.uint8, np.int64, np.float64], ids=lambda t: np.dtype(t).name)
@pytest.mark.parametrize("name", [n for n in NAMES if n.split()[0] not in FLOATS])
def test_names_keep_pytorchs_dtypes(torch, name, s):
    if name.startswith("topk") and s is np.bool_:
        return  # PyTorch has none for bools
    a = numbers((2, 3, 4), 5, s)
    same(NAMES[name](Tensor(a, dtype=s)), NAMES[name](torch.from_numpy(a)), rtol=1e-4)


VALUES = {
    "floor": lambda x: x.floor(),
    "ceil": lambda x: x.ceil(),
    "round": lambda x: x.round(),
    "sign": lambda x: x.sign(),
    "isnan": lambda x: x.isnan(),
    "//": lambda x: x // 0.75,
    "r%": lambda x: 7.5 % x,
    "r//": lambda x: 2 // x,
    "// of itself": lambda x: (x * x) // x,
    "argsort": lambda x: x.argsort(),
    "argsort down": lambda x: x.argsort(dim=0, descending=True),
    "topk": lambda x: x.topk(2).indices,
    "long": lambda x: x.long(),
    "int": lambda x: x.int(),
    "bool": lambda x: x.bool(),
    "float": lambda x: x.float(),
    "type_as": lambda x: x.type_as(x.long()),
    "to": lambda x: x.to("cpu").to(x.bool()),
    "cpu": lambda x: x.cpu(),
    "any": lambda x: (x > 2).any(dim=1),
    "all": lambda x: (x > 0).all(),
    "argmin": lambda x: x.argmin(dim=1),
    "xor": lambda x: (x > 0) ^ (x > 1),
    "and": lambda x: 1 & (x > 0).long(),
    "t": lambda x: x[0].t(),
}


@pytest.mark.parametrize("name", VALUES)
def test_names_without_a_gradient_are_pytorchs(torch, name):
    a = numbers((2, 3, 4), 6)
    same(VALUES[name](Tensor(a)), VALUES[name](torch.from_numpy(a)))


@pytest.mark.parametrize("s", [np.uint8, np.int8, np.int64], ids=lambda t: np.dtype(t).name)
def test_integers_divide_downwards_as_in_pytorch(torch, s):
    a, b = np.array([7, 8, 9]).astype(s), np.array([2, 3, 5]).astype(s)
    for f in (lambda x, y: x // y, lambda x, y: x % y, lambda x, y: x // 2, lambda x, y: 7 % y, lambda x, y: -x // 2):
        same(f(Tensor(a), Tensor(b)), f(torch.from_numpy(a), torch.from_numpy(b)))


def test_a_root_of_zero_has_slope_zero_as_in_pytorch(torch):
    for f in (lambda x: x.norm(dim=1), lambda x: x.std(1), lambda x: x.norm(3, dim=1)):
        a = np.array([[0, 0, 0], [1, -2, 2]], np.float32)
        mine, theirs = Tensor(a, requires_grad=True), torch.from_numpy(a).requires_grad_()
        same(f(mine), f(theirs))
        f(mine).sum().backward()
        f(theirs).sum().backward()
        same(mine.grad, theirs.grad)


@pytest.mark.parametrize(
    ("shape", "n", "dim"), [((5,), 2, 0), ((5,), 3, 0), ((6, 4), 4, 0), ((2, 7), 3, -1), ((0, 2), 2, 0), ((3, 0), 2, 1)], ids=str
)
def test_pieces_are_pytorchs(torch, shape, n, dim):
    a = numbers(shape)
    mine, theirs = Tensor(a), torch.from_numpy(a)
    for ours, other in [(mine.split(n, dim), theirs.split(n, dim)), (mine.unbind(dim), theirs.unbind(dim))]:
        assert len(ours) == len(other)
        for x, t in zip(ours, other, strict=True):
            same(x, t)
            assert np.shares_memory(x.data, mine.data) or not x.size
    if shape[dim]:
        assert [x.shape for x in mine.chunk(n, dim)] == [tuple(t.shape) for t in theirs.chunk(n, dim)]
    with pytest.raises(ValueError, match="add up"):
        mine.split([1, 77], dim)


def test_gather_is_pytorchs(torch):
    a, ids = numbers((3, 4)), np.array([[0, 2], [1, 1], [3, 0]])
    mine, theirs = Tensor(a, requires_grad=True), torch.from_numpy(a).requires_grad_()
    for dim, index in [(1, ids), (0, ids[:, :2] % 3), (-1, ids[:2])]:
        same(mine.gather(dim, Tensor(index)), theirs.gather(dim, torch.from_numpy(index)))
    mine.gather(1, Tensor(ids)).sum().backward()
    theirs.gather(1, torch.from_numpy(ids)).sum().backward()
    same(mine.grad, theirs.grad)
    with pytest.raises(ValueError, match="differ in axes"):
        mine.gather(1, Tensor([0, 1]))


EQUATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("bij,bjk->bik", (5, 2, 3), (5, 3, 4)),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("...qd,...kd->...qk", (2, 3, 4, 5), (3, 6, 5)),
    ("...ij->...ji", (2, 3, 4)),
    ("ij->ji", (2, 3)),
    ("ij->j", (2, 3)),
    ("ij->", (2, 3)),
    ("ij", (2, 3)),
    ("ba", (2, 3)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("iji->j", (3, 2, 3)),
    ("iij,jk->ik", (3, 3, 2), (2, 4)),
    ("i,j->ij", (3,), (4,)),
    ("i,i->", (3,), (3,)),
    ("i,i->i", (3,), (3,)),
    (",ij->ij", (), (2, 3)),
    ("ij,k->i", (2, 3), (4,)),
    ("i,ij,j->", (2,), (2, 3), (3,)),
    ("ik,jkl,il->ij", (2, 3), (4, 3, 5), (2, 5)),
    ("bn,anm,bm->ba", (2, 3), (4, 3, 5), (2, 5)),
    ("...,...->...", (2, 3), (3,)),
    ("... d, d -> ...", (2, 3, 4), (4,)),
    ("ij,jk->ik", (2, 0), (0, 4)),
    ("ij,jk->ik", (0, 3), (3, 4)),
    ("bij,bjk->bik", (1, 2, 3), (5, 3, 4)),
]


@pytest.mark.parametrize(("equation", "shapes"), [(e, s) for e, *s in EQUATIONS], ids=str)
def test_einsum_and_its_gradients_are_pytorchs(torch, equation, shapes):
    arrays = [numbers(shape, i) for i, shape in enumerate(shapes)]
    mine = [Tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.from_numpy(a).requires_grad_() for a in arrays]
    y, z = tt.einsum(equation, *mine), torch.einsum(equation, *theirs)
    same(y, z, rtol=1e-4, atol=1e-4)
    w = numbers(y.shape, 9)
    (y * w).sum().backward()
    (z * torch.from_numpy(w)).sum().backward()
    for x, t in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(x.grad.data, t.grad.numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("equation", "shapes"), [("ij,jk->ik", [(2, 3), (4, 5)]), ("ij->i", [(2,)]), ("ij", [(2, 3), (2, 3)])], ids=str
)
def test_an_equation_that_does_not_fit_is_an_error(equation, shapes):
    with pytest.raises(ValueError):
        tt.einsum(equation, *[Tensor(np.ones(s)) for s in shapes])


def test_more_constructors_are_pytorchs(torch):
    same(tt.eye(2), torch.eye(2))
    same(tt.eye(2, 3), torch.eye(2, 3))
    same(tt.linspace(0, 1, 5), torch.linspace(0, 1, 5))
    same(tt.linspace(-2, 3, steps=1), torch.linspace(-2, 3, steps=1))
    assert tt.empty(2, 3).shape == (2, 3) and tt.cat is tt.concat
    x = Tensor(np.ones((2, 3), np.int32))
    same(tt.zeros_like(x), torch.zeros(2, 3, dtype=torch.int32))
    same(tt.ones_like(x, dtype=np.float64), torch.ones(2, 3, dtype=torch.float64))
    same(tt.full_like(Tensor([1.0]), 7), torch.full_like(torch.tensor([1.0]), 7))
    assert tt.randn_like(Tensor([1.0, 2.0])).shape == tt.rand_like(Tensor([1.0, 2.0])).shape == (2,)
    tt.manual_seed(0)
    for r in (tt.randint(10, (50, 2)), tt.randint(0, 10, (50, 2)), tt.randint(low=0, high=10, size=(50, 2))):
        assert r.shape == (50, 2) and r.dtype == np.int64 and set(r.flatten().tolist()) == set(range(10))
    assert sorted(tt.randperm(5).tolist()) == list(range(5))
    again = [tt.randint(10, (5,), generator=np.random.default_rng(1)).tolist() for _ in range(2)]
    assert again[0] == again[1]


def test_a_deep_copy_is_for_leaves():
    from copy import deepcopy

    w = Tensor([1.0, 2.0], requires_grad=True)
    w.grad = Tensor([3.0, 4.0])
    new, same_again = deepcopy([w, w])
    assert new is same_again and new.requires_grad and new.is_leaf and not np.shares_memory(new.data, w.data)
    assert new.grad.tolist() == [3, 4] and not np.shares_memory(new.grad.data, w.grad.data)
    with pytest.raises(RuntimeError, match="deep copy"):
        deepcopy(w * 2)


def test_requires_grad_is_switched_on_leaves_that_hold_floats():
    x = Tensor([1.0])
    assert x.requires_grad_() is x and x.requires_grad and not x.requires_grad_(False).requires_grad
    for wrong in (Tensor([1]), x.requires_grad_() * 2):
        with pytest.raises(RuntimeError, match="leaf"):
            wrong.requires_grad_()


def test_contiguous_and_clone_copy_only_what_they_must():
    x = Tensor(numbers((2, 3)), requires_grad=True)
    assert x.contiguous() is x and x.T.contiguous().data.flags.c_contiguous
    assert not np.shares_memory(x.clone().data, x.data) and not np.shares_memory(x.repeat(1, 1).data, x.data)
    assert not np.shares_memory(x.flip(0).data, x.data)


def test_there_is_no_other_device():
    x = Tensor([1.0])
    assert x.device == "cpu" and x.to(x.device) is x
    with pytest.raises(TypeError, match="cuda"):
        Tensor([1.0]).to("cuda")
