"""tinytorch.core.attention: NumPy formulas, identities, and PyTorch where it is installed.

Tolerances: float32 against float64 or PyTorch's float32, on numbers of size 1, within 1e-5 (absolute) plus 1e-4 of the value.
"""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core.attention import (
    AttentionWeightsOp,
    Embedding,
    LayerNorm,
    MultiHeadAttention,
    PositionalEncoding,
    attention_scores,
    attention_weights,
    causal_mask,
    mask_bias,
    merge_heads,
    padding_mask,
    scaled_dot_product_attention,
    sinusoids,
    split_heads,
    with_causal,
)
from tinytorch.core.dense import Dropout
from tinytorch.core.layers import Parameter
from tinytorch.core.setup import peak_memory
from tinytorch.core.tensor import Tensor, manual_seed, recipe

close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)
BATCHES = [((), ()), ((3,), (3,)), ((2, 3), (2, 3)), ((2, 1), (1, 3)), ((2, 3), (3,)), ((), (2,)), ((0,), (0,))]


def numbers(*shape, seed=0, dtype=np.float32) -> Tensor:
    return Tensor(np.random.default_rng([seed, *shape]).standard_normal(shape), dtype=dtype)


def allowing(mask: np.ndarray) -> np.ndarray:
    """The mask with one key allowed in each row that had none."""
    mask = mask.copy()
    mask[..., 0] |= ~mask.any(axis=-1)
    return mask


def by_hand(q, k, v, mask=None):
    """Attention in float64, one NumPy expression a step."""
    q, k, v = (x.data.astype(np.float64) for x in (q, k, v))
    scores = np.einsum("...id,...jd->...ij", q, k) / math.sqrt(q.shape[-1])
    e = np.exp(scores) if mask is None else np.where(mask, np.exp(scores), 0)
    return np.einsum("...ij,...je->...ie", e / e.sum(axis=-1, keepdims=True), v)


@st.composite
def problems(draw):
    """q, k, v with batch axes that broadcast, all sizes different from each other, and a mask of bools or None."""
    batches = draw(st.sampled_from(BATCHES))
    n, m, d, e = draw(st.permutations([1, 2, 5, 7]))
    seed = draw(st.integers(0, 1000))
    q, k, v = numbers(*batches[0], n, d, seed=seed), numbers(*batches[1], m, d, seed=seed), numbers(*batches[1], m, e, seed=seed)
    whole = (*np.broadcast_shapes(*batches), n, m)
    shape = draw(st.sampled_from([None, (n, m), (1, m), whole, (*whole[:-2], 1, m)]))
    if shape is None:
        return q, k, v, None
    return q, k, v, allowing(np.random.default_rng(seed).random(shape) < draw(st.sampled_from([0.2, 0.6, 1.0])))


# -- scaled dot-product attention ------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(problems())
def test_attention_is_its_formula(problem):
    close(scaled_dot_product_attention(*problem).data, by_hand(*problem))


@settings(deadline=None, max_examples=50)
@given(problems())
def test_attention_is_pytorchs(problem):
    torch = pytest.importorskip("torch")
    *arrays, mask = problem
    batch = np.broadcast_shapes(*(x.shape[:-2] for x in arrays))
    q, k, v = (torch.from_numpy(np.broadcast_to(x.data, (*batch, *x.shape[-2:])).copy()) for x in arrays)
    allowed = None if mask is None else torch.from_numpy(mask)
    theirs = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    ours = scaled_dot_product_attention(*problem)
    assert ours.dtype == np.float32
    close(ours.data, theirs.numpy())


@pytest.mark.parametrize("n", [1, 2, 9])
def test_the_causal_mask_is_pytorchs_is_causal(n):
    torch = pytest.importorskip("torch")
    q, k, v = (numbers(2, 3, n, 4, seed=i) for i in range(3))
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *(torch.from_numpy(x.data) for x in (q, k, v)), is_causal=True
    )
    close(scaled_dot_product_attention(q, k, v, causal_mask(n)).data, theirs.numpy())


@settings(deadline=None, max_examples=50)
@given(problems())
def test_each_row_of_weights_adds_up_to_one_and_a_forbidden_key_has_weight_zero(problem):
    q, k, _, mask = problem
    w = attention_weights(q, k, mask).data
    np.testing.assert_allclose(w.sum(axis=-1), np.ones(w.shape[:-1]), rtol=1e-5)
    assert mask is None or (w[~np.broadcast_to(mask, w.shape)] == 0).all()


def test_what_is_forbidden_changes_no_bit_of_the_result():
    x = numbers(2, 6, 4)
    other = Tensor(np.where(np.arange(6)[:, None] < 3, x.data, 1e6))
    mask = causal_mask(6)
    before, after = (scaled_dot_product_attention(y, y, y, mask).data[:, :3] for y in (x, other))
    np.testing.assert_array_equal(before, after)


def test_tokens_in_another_order_give_the_same_outputs_in_that_order():
    x, order = numbers(2, 7, 4), np.random.default_rng(0).permutation(7)
    y = scaled_dot_product_attention(x, x, x).data
    z = x[:, order]
    close(scaled_dot_product_attention(z, z, z).data, y[:, order])


def test_padding_gives_what_the_short_sequence_alone_gives():
    x = numbers(2, 3, 6, 4)
    y = scaled_dot_product_attention(x, x, x, padding_mask([6, 4], 6)).data
    short = x[1, :, :4]
    close(y[1, :, :4], scaled_dot_product_attention(short, short, short).data)


@pytest.mark.parametrize("size", [1e4, 1e18])
def test_huge_scores_raise_no_warning_and_give_no_nan(size):
    x = size * numbers(5, 3)
    assert np.isfinite(scaled_dot_product_attention(x, x, numbers(5, 2), causal_mask(5)).data).all()


def test_float64_stays_float64_and_integers_become_float32():
    q, k, v = (numbers(4, 3, seed=i, dtype=np.float64) for i in range(3))
    y = scaled_dot_product_attention(q, k, v, causal_mask(4))
    assert y.dtype == np.float64
    np.testing.assert_allclose(y.data, by_hand(q, k, v, causal_mask(4)), rtol=1e-12, atol=1e-12)
    whole = Tensor([[1, 2], [3, 4]])
    assert scaled_dot_product_attention(whole, whole, whole).dtype == np.float32


def test_arrays_that_are_not_contiguous_give_the_same_numbers_and_do_not_change():
    q, k, v = (Tensor(numbers(6, 8, 2, 3, seed=i).data.transpose(2, 1, 3, 0)[:, ::2, ::-1]) for i in range(3))
    before = [x.data.copy() for x in (q, k, v)]
    close(scaled_dot_product_attention(q, k, v).data, by_hand(q, k, v))
    for x, copy in zip((q, k, v), before, strict=True):
        np.testing.assert_array_equal(x.data, copy)


def test_the_weights_are_the_only_array_of_all_pairs():
    q, k, v = (numbers(4, 512, 16, seed=i) for i in range(3))
    pairs = 4 * 4 * 512 * 512
    assert pairs < peak_memory(scaled_dot_product_attention, q, k, v) < 1.2 * pairs
    q.requires_grad = True
    assert pairs < peak_memory(scaled_dot_product_attention, q, k, v) < 1.2 * pairs


# -- masks -----------------------------------------------------------------------------------------------------------


def test_an_empty_row_is_named_whatever_the_shape_of_the_mask():
    for shape, row in [((3, 4), (2,)), ((2, 3, 4), (1, 0)), ((2, 1, 1, 4), (1, 0, 0))]:
        mask = np.ones(shape, bool)
        mask[row] = False
        with pytest.raises(ValueError, match=rf"row {list(row)} of the mask allows nothing".replace("[", r"\[")):
            scaled_dot_product_attention(numbers(2, 2, 3, 4), numbers(2, 2, 4, 4), numbers(2, 2, 4, 4), mask)


@pytest.mark.parametrize("mask", [np.ones((3, 3), int), [[1]], np.ones((3, 3), complex)], ids=["int", "list", "complex"])
def test_a_mask_of_neither_bools_nor_floats_is_an_error_that_says_what_true_means(mask):
    x = numbers(3, 2)
    with pytest.raises(TypeError, match="True where attending is allowed"):
        attention_weights(x, x, mask)


def test_a_mask_may_be_a_list_or_a_tensor():
    x = numbers(3, 2)
    expected = attention_weights(x, x, causal_mask(3)).data
    for mask in (causal_mask(3).tolist(), Tensor(causal_mask(3))):
        np.testing.assert_array_equal(attention_weights(x, x, mask).data, expected)


def test_no_keys_at_all_are_an_error():
    with pytest.raises(ValueError, match="no key to attend to"):
        attention_weights(numbers(2, 3), numbers(0, 3))
    for mask in (np.ones((2, 0), bool), np.ones((2, 0))):
        with pytest.raises(ValueError, match="allows nothing"):
            attention_weights(numbers(2, 3), numbers(0, 3), mask)


def test_no_queries_give_no_outputs():
    assert scaled_dot_product_attention(numbers(0, 3), numbers(4, 3), numbers(4, 2), np.ones((0, 4), bool)).shape == (0, 2)


def test_a_mask_that_does_not_fit_names_both_shapes():
    x = numbers(2, 4, 3)
    with pytest.raises(ValueError, match=r"a mask \(3, 3\) does not fit the scores \(2, 4, 4\)"):
        attention_weights(x, x, causal_mask(3))
    with pytest.raises(ValueError, match=r"a mask \(2, 4, 4\) does not fit the scores \(4, 4\)"):
        attention_weights(x[0], x[0], np.ones((2, 4, 4), bool))


def test_widths_and_lengths_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"queries \(4, 3\) and keys \(5, 2\)"):
        attention_weights(numbers(4, 3), numbers(5, 2))
    with pytest.raises(ValueError, match=r"keys \(5, 3\) need as many values, not \(6, 2\)"):
        scaled_dot_product_attention(numbers(4, 3), numbers(5, 3), numbers(6, 2))


@pytest.mark.parametrize("n", [0, 1, 6])
def test_the_causal_mask_allows_what_is_not_later(n):
    expected = [[j <= i for j in range(n)] for i in range(n)]
    np.testing.assert_array_equal(causal_mask(n), np.array(expected, bool).reshape(n, n))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_the_padding_mask_allows_the_first_keys_of_each_sequence(lengths):
    mask = padding_mask(lengths, 9)
    assert (mask.shape, mask.dtype) == ((len(lengths), 1, 1, 9), bool)
    for row, length in zip(mask[:, 0, 0], lengths, strict=True):
        assert row.tolist() == [True] * length + [False] * (9 - length)


def test_the_bias_is_float32_and_nothing_but_zero_or_minus_infinity():
    bias = mask_bias(causal_mask(4))
    assert bias.dtype == np.float32
    np.testing.assert_array_equal(np.exp(bias), np.tril(np.ones((4, 4))))


# -- the seam: what module 09 will need --------------------------------------------------------------------------------


def rule(op, grad):
    """The derivative of AttentionWeightsOp from what it saved (for inputs whose batch axes are the same)."""
    q, k, w = op.saved
    scores = w * (grad - (grad * w).sum(axis=-1, keepdims=True)) / math.sqrt(q.shape[-1])
    return scores @ k, scores.swapaxes(-1, -2) @ q


@pytest.mark.parametrize("mask", [None, np.tri(4, 5, 1, dtype=bool)], ids=["no mask", "mask"])
def test_what_the_op_saves_suffices_for_its_derivative(mask):
    q, k, grad = (numbers(2, 3, *s, dtype=np.float64).data for s in [(4, 6), (5, 6), (4, 5)])
    op = AttentionWeightsOp(mask)
    op.forward(q, k)
    for x, found in zip((q, k), rule(op, grad), strict=True):
        for place in [(0, 0, 0, 0), (1, 2, 3, 5), (0, 1, 2, 3)]:
            value, ends = x[place], []
            for step in (1e-6, -1e-6):
                x[place] = value + step
                ends.append((AttentionWeightsOp(mask).forward(q, k) * grad).sum())
            x[place] = value
            np.testing.assert_allclose(found[place], (ends[0] - ends[1]) / 2e-6, rtol=1e-6, atol=1e-8)


def test_every_op_of_the_layer_is_one_that_has_a_rule_or_will_get_one():
    layer, x = MultiHeadAttention(6, 2, causal=True), numbers(2, 5, 6)
    x.requires_grad = True
    found = {type(t.origin[0]).__name__ for t in recipe(layer(x)) if t.origin}
    assert found <= {"LinearOp", "Permute", "MatMul", "Reshape", "AttentionOp"}, found
    assert {id(p) for p in layer.parameters()} | {id(x)} <= {id(t) for t in recipe(layer(x))}


# -- embedding, positions, heads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3, 4)], ids=str)
def test_embedding_is_pytorchs(shape):
    torch = pytest.importorskip("torch")
    ids = np.random.default_rng(0).integers(0, 11, shape)
    theirs = torch.nn.Embedding(11, 5)
    ours = Embedding(11, 5)
    ours.load_state_dict({name: p.detach().numpy() for name, p in theirs.state_dict().items()})
    for given_ids in (ids, Tensor(ids), ids.tolist()) if ids.size else (ids, Tensor(ids)):
        np.testing.assert_array_equal(ours(given_ids).data, theirs(torch.from_numpy(np.asarray(ids))).detach().numpy())


@pytest.mark.parametrize("token", [-1, 11, 10**12])
def test_a_token_without_a_row_is_named(token):
    with pytest.raises(IndexError, match=f"token {token} .* 11"):
        Embedding(11, 5)([[3, token]])


@pytest.mark.parametrize("ids", [[0.0, 1.0], [True, False]], ids=["floats", "bools"])
def test_tokens_that_are_no_integers_are_an_error(ids):
    with pytest.raises(TypeError, match="tokens are integers"):
        Embedding(11, 5)(ids)


def test_an_embedding_starts_as_a_standard_normal_and_from_the_seed():
    manual_seed(3)
    first = Embedding(200, 300)
    manual_seed(3)
    np.testing.assert_array_equal(first.weight.data, Embedding(200, 300).weight.data)
    assert abs(first.weight.data.std() - 1) < 0.01
    assert isinstance(first.weight, Parameter)


@given(st.integers(0, 40), st.integers(1, 9))
def test_sinusoids_are_the_formula_of_the_paper(length, half):
    dim = 2 * half
    expected = np.zeros((length, dim))
    for p in range(length):
        for i in range(half):
            angle = p / 10_000 ** (2 * i / dim)
            expected[p, 2 * i], expected[p, 2 * i + 1] = math.sin(angle), math.cos(angle)
    table = sinusoids(length, dim)
    assert table.dtype == np.float32
    np.testing.assert_allclose(table, expected, atol=2e-7)


def test_positions_are_added_to_every_sequence_and_are_not_learned():
    layer, x = PositionalEncoding(6, max_length=9), numbers(2, 3, 4, 6)
    np.testing.assert_array_equal(layer(x).data, x.data + sinusoids(9, 6)[:4])
    assert layer.parameters() == []
    assert not layer(x).requires_grad


def test_a_sequence_longer_than_the_table_is_an_error_with_both_lengths():
    layer = PositionalEncoding(4, max_length=5)
    assert layer(numbers(5, 4)).shape == (5, 4)
    with pytest.raises(ValueError, match=r"6 tokens.*ends at 5"):
        layer(numbers(6, 4))
    with pytest.raises(ValueError, match="even, not 5"):
        PositionalEncoding(5)


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)], ids=str)
def test_heads_are_split_by_a_view_and_merged_again(batch):
    x = numbers(*batch, 5, 12)
    y = split_heads(x, 3)
    assert y.shape == (*batch, 3, 5, 4)
    assert np.shares_memory(x.data, y.data)
    np.testing.assert_array_equal(y.data[..., 2, 1, :], x.data[..., 1, 8:])
    np.testing.assert_array_equal(merge_heads(y).data, x.data)


# -- the layer -----------------------------------------------------------------------------------------------------------


def twins(torch, embed_dim, num_heads, causal=False):
    """PyTorch's layer and ours with its weights, biases among them."""
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(embed_dim, num_heads, batch_first=True)
    torch.nn.init.normal_(theirs.in_proj_bias)
    torch.nn.init.normal_(theirs.out_proj.bias)
    state = {name: p.detach().numpy() for name, p in theirs.state_dict().items()}
    ours = MultiHeadAttention(embed_dim, num_heads, causal)
    parts = {"out_proj.weight": state["out_proj.weight"], "out_proj.bias": state["out_proj.bias"]}
    for kind in ("weight", "bias"):
        for name, part in zip("qkv", np.split(state[f"in_proj_{kind}"], 3), strict=True):
            parts[f"{name}_proj.{kind}"] = part
    ours.load_state_dict(parts)
    return theirs, ours


@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize(("embed_dim", "num_heads"), [(6, 1), (6, 3), (12, 4), (8, 8)])
@pytest.mark.parametrize("lengths", [None, [7, 3]], ids=["whole", "padded"])
def test_multi_head_attention_is_pytorchs_with_the_same_weights(embed_dim, num_heads, causal, lengths):
    torch = pytest.importorskip("torch")
    theirs, ours = twins(torch, embed_dim, num_heads, causal)
    x = numbers(2, 7, embed_dim)
    mask = None if lengths is None else padding_mask(lengths, 7)
    forbidden = torch.from_numpy(~causal_mask(7)) if causal else None  # there True means: may not
    padding = None if lengths is None else torch.from_numpy(~mask[:, 0, 0])
    xt = torch.from_numpy(x.data)
    y, w = theirs(xt, xt, xt, attn_mask=forbidden, key_padding_mask=padding, average_attn_weights=False)
    close(ours(x, mask=mask).data, y.detach().numpy())
    close(ours.weights(x, mask=mask).data, w.detach().numpy())


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([(4, 2), (6, 3), (5, 1)]), st.sampled_from(["n n", "1 n", "b 1 n n", "b h n n"]))
def test_any_mask_means_the_same_in_pytorchs_layer(seed, size, axes):
    torch = pytest.importorskip("torch")
    embed_dim, num_heads = size
    shape = [{"1": 1, "n": 7, "b": 3, "h": num_heads}[axis] for axis in axes.split()]
    theirs, ours = twins(torch, embed_dim, num_heads)
    mask = allowing(np.random.default_rng(seed).random(shape) < 0.4)
    x = numbers(3, 7, embed_dim, seed=seed)
    xt = torch.from_numpy(x.data)
    whole = np.broadcast_to(mask, (3, num_heads, 7, 7)).reshape(-1, 7, 7)  # it wants (batch · heads, n, n)
    y, _ = theirs(xt, xt, xt, attn_mask=torch.from_numpy(~whole))
    close(ours(x, mask=mask).data, y.detach().numpy())


@pytest.mark.parametrize("batch", [(), (1,), (2, 3)], ids=str)
def test_any_number_of_batch_axes_goes_in(batch):
    layer, x = MultiHeadAttention(6, 2), numbers(*batch, 5, 6)
    y = layer(x)
    assert (y.shape, y.dtype) == ((*batch, 5, 6), np.float32)
    close(y.data.reshape(-1, 5, 6)[-1], layer(Tensor(x.data.reshape(-1, 5, 6)[-1])).data)


def test_the_causal_layer_does_not_see_the_future_even_with_a_mask():
    layer, x = MultiHeadAttention(6, 2, causal=True), numbers(2, 5, 6)
    changed = Tensor(np.where(np.arange(5)[:, None] < 3, x.data, -4))
    for mask in (None, np.ones((5, 5), bool), padding_mask([5, 2], 5)):
        np.testing.assert_allclose(layer(x, mask=mask).data[:, :3], layer(changed, mask=mask).data[:, :3], rtol=1e-6, atol=1e-6)


def test_the_parameters_are_four_linear_layers():
    layer = MultiHeadAttention(6, 2)
    assert [name for name, _ in layer.named_parameters()] == [
        f"{part}_proj.{kind}" for part in ("q", "k", "v", "out") for kind in ("weight", "bias")
    ]
    assert sum(p.size for p in layer.parameters()) == 4 * (6 * 6 + 6)


def test_a_width_that_the_heads_do_not_divide_is_an_error():
    with pytest.raises(ValueError, match=r"width of 10 .* 4 equal heads"):
        MultiHeadAttention(10, 4)


def test_layers_show_their_settings():
    assert repr(Embedding(11, 5)) == "Embedding(11, 5)"
    assert repr(PositionalEncoding(6, max_length=9)) == "PositionalEncoding(6, max_length=9)"
    assert "num_heads=2, causal=True" in repr(MultiHeadAttention(6, 2, causal=True))


def test_scores_keep_variance_one_at_any_width():
    rng = np.random.default_rng(0)
    for d in (4, 64, 1024):
        q, k = rng.standard_normal((2, 200, d), np.float32)
        assert abs(attention_scores(q, k).std() - 1) < 0.05


def test_a_layer_in_the_middle_of_a_model_is_found():
    model = [Embedding(9, 4), PositionalEncoding(4), MultiHeadAttention(4, 2)]
    x = np.random.default_rng(0).integers(0, 9, (2, 5))
    for layer in model:
        x = layer(x)
    assert x.shape == (2, 5, 4)
    assert x.requires_grad


# -- tokens of any dtype, masks of floats, other sequences, layer norm ---------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.int64, np.uint64])
@pytest.mark.parametrize("rows", [100, 256, 70_000])
def test_tokens_of_every_integer_dtype_learn_and_are_copied(dtype, rows):
    layer = Embedding(rows, 2)
    last = min(rows - 1, np.iinfo(dtype).max)
    ids = np.array([0, last, last], dtype)
    y = layer(ids)
    np.testing.assert_array_equal(y.data, layer.weight.data[[0, last, last]])
    ids[:] = 1
    y.sum().backward()
    grad = layer.weight.grad.data
    assert (grad[0] == 1).all() and (grad[last] == 2).all() and grad.sum() == 6


def test_a_write_into_a_tensor_of_tokens_does_not_move_the_gradient():
    layer, ids = Embedding(3, 1), Tensor([0, 1])
    y = layer(ids).sum()
    ids[0] = 2
    y.backward()
    np.testing.assert_array_equal(layer.weight.grad.data.ravel(), [1, 1, 0])


def leaves(torch, *shapes, dtype=np.float32):
    """The same numbers as tensors of both, which require gradients."""
    ours = [numbers(*shape, seed=i, dtype=dtype) for i, shape in enumerate(shapes)]
    theirs = [torch.from_numpy(x.data.copy()).requires_grad_() for x in ours]
    for x in ours:
        x.requires_grad = True
    return ours, theirs


def same_gradients(y, yt, ours, theirs, **tolerance):
    np.testing.assert_allclose(y.data, yt.detach().numpy(), **tolerance)
    grad = np.random.default_rng(9).standard_normal(y.shape).astype(y.dtype)
    y.backward(grad)
    yt.backward(yt.new_tensor(grad))
    for x, xt in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.grad.data, xt.grad.numpy(), **tolerance)


CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.mark.parametrize("shape", [(4, 5), (1, 5), (2, 1, 4, 5), (3, 4, 5)], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mask_of_floats_is_added_as_in_pytorch(shape, dtype):
    torch = pytest.importorskip("torch")
    ours, theirs = leaves(torch, (2, 3, 4, 6), (2, 3, 5, 6), (2, 3, 5, 7), dtype=dtype)
    mask = np.random.default_rng(3).standard_normal(shape).astype(dtype)
    mask[..., 1] = -np.inf
    yt = torch.nn.functional.scaled_dot_product_attention(*theirs, attn_mask=torch.from_numpy(mask))
    before = mask.copy()
    same_gradients(scaled_dot_product_attention(*ours, mask), yt, ours, theirs, **CLOSE)
    np.testing.assert_array_equal(mask, before)


def test_a_float64_mask_leaves_float32_as_it_is():
    x = numbers(3, 4)
    assert attention_weights(x, x, np.zeros((3, 3))).dtype == np.float32


def test_a_mask_of_floats_that_forbids_a_whole_row_is_named():
    mask = np.zeros((2, 3))
    mask[1] = -np.inf
    with pytest.raises(ValueError, match=r"row \[1\] of the mask allows nothing"):
        attention_weights(numbers(2, 4), numbers(3, 4), mask)
    with pytest.raises(ValueError, match="a mask is not learned"):
        attention_weights(numbers(2, 4), numbers(3, 4), Tensor(np.zeros((2, 3)), requires_grad=True))


@pytest.mark.parametrize(("n", "m"), [(4, 4), (4, 6), (6, 4), (1, 3)])
@pytest.mark.parametrize("scale", [None, 0.3, 1.0])
def test_causal_and_scale_are_pytorchs(n, m, scale):
    torch = pytest.importorskip("torch")
    ours, theirs = leaves(torch, (2, n, 5), (2, m, 5), (2, m, 3))
    yt = torch.nn.functional.scaled_dot_product_attention(*theirs, is_causal=True, scale=scale)
    same_gradients(scaled_dot_product_attention(*ours, is_causal=True, scale=scale), yt, ours, theirs, **CLOSE)
    both = with_causal(np.zeros((n, m), np.float32), n, m)
    assert both.dtype == np.float32
    y = scaled_dot_product_attention(*ours, both, scale=scale)
    np.testing.assert_allclose(y.data, yt.detach().numpy(), **CLOSE)


@pytest.mark.parametrize("values", [False, True], ids=["key is value", "own value"])
@pytest.mark.parametrize("lengths", [None, [7, 3]], ids=["whole", "padded"])
def test_cross_attention_is_pytorchs_with_gradients(values, lengths):
    torch = pytest.importorskip("torch")
    theirs, ours = twins(torch, 6, 3)
    (q, k, v), (qt, kt, vt) = leaves(torch, (2, 4, 6), (2, 7, 6), (2, 7, 6))
    mask = None if lengths is None else padding_mask(lengths, 7)
    padding = None if lengths is None else torch.from_numpy(~mask[:, 0, 0])
    yt, w = theirs(qt, kt, vt if values else kt, key_padding_mask=padding, average_attn_weights=False)
    y = ours(q, k, v, mask) if values else ours(q, k, mask=mask)
    np.testing.assert_allclose(ours.weights(q, k, mask=mask).data, w.detach().numpy(), **CLOSE)
    used = 3 if values else 2
    same_gradients(y, yt, (q, k, v)[:used], (qt, kt, vt)[:used], **CLOSE)


def test_a_mask_in_the_place_of_the_keys_is_an_error_that_says_so():
    layer, x = MultiHeadAttention(6, 2), numbers(2, 5, 6)
    for mask in (causal_mask(5), Tensor(causal_mask(5)), [[True]]):
        with pytest.raises(TypeError, match="give a mask as mask="):
            layer(x, mask)


def test_dropout_acts_on_the_weights_while_the_layer_learns():
    layer, x = MultiHeadAttention(6, 2, dropout=1.0), numbers(2, 5, 6)
    np.testing.assert_allclose(layer(x).data, np.broadcast_to(layer.out_proj.bias.data, (2, 5, 6)), atol=1e-6)
    plain = MultiHeadAttention(6, 2)
    plain.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(layer.eval()(x).data, plain(x).data)
    layer.train().dropout = Dropout(0.5, np.random.default_rng(0))
    assert np.abs(np.mean([layer(x).data for _ in range(3000)], axis=0) - plain(x).data).max() < 0.05


@pytest.mark.parametrize(
    ("shape", "options"),
    [(5, {}), ((5,), {"eps": 0.1}), ((4, 5), {"bias": False}), ([3, 4, 5], {}), (5, {"elementwise_affine": False})],
    ids=str,
)
@pytest.mark.parametrize("batch", [(2, 3, 4, 5), (0, 3, 4, 5), (3, 4, 5)], ids=str)
@pytest.mark.parametrize("offset", [0, 100])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layer_norm_is_pytorchs_with_gradients(shape, options, batch, offset, dtype):
    torch = pytest.importorskip("torch")
    ours, theirs = LayerNorm(shape, **options), torch.nn.LayerNorm(shape, **options)
    for p in theirs.parameters():
        torch.nn.init.normal_(p)
    ours.load_state_dict(theirs.state_dict())
    theirs = theirs.to(torch.float64) if dtype == np.float64 else theirs
    x = numbers(*batch, dtype=dtype) + offset
    x = Tensor(x.data, requires_grad=True, dtype=dtype)
    xt = torch.from_numpy(x.data.copy()).requires_grad_()
    y = ours(x)
    assert y.dtype == dtype
    atol = 1e-3 if offset and dtype == np.float32 else 1e-5
    same_gradients(y, theirs(xt), [x, *ours.parameters()], [xt, *theirs.parameters()], rtol=1e-3, atol=atol)


def test_layer_norm_names_what_it_does_not_take_and_makes_floats_of_integers():
    with pytest.raises(ValueError, match=r"takes \(\*, 4, 5\), not \(4, 6\)"):
        LayerNorm((4, 5))(numbers(4, 6))
    with pytest.raises(ValueError, match=r"takes \(\*, 4, 5\), not \(5,\)"):
        LayerNorm((4, 5))(numbers(5))
    assert LayerNorm(3)(Tensor([[1, 2, 3]])).dtype == np.float32
    assert repr(LayerNorm(3)) == "LayerNorm((3,), eps=1e-05, elementwise_affine=True)"
