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
#     title: Attention
#     part: Foundations
#     hours: 5
#     goals:
#     - let every token of a sequence fetch what it needs from any other, whatever the length
#     - mask the future and the padding so that nothing leaks through, and prove that nothing does
#     - set weights by hand that copy, reverse and look back one step, and read them off an attention map
#     - say from a count how long a context fits into a given memory, and check the count by measuring
# ---

# %% [markdown]
# # Attention
#
# > Every token asks, every token answers: scaled dot-product attention, its masks, positions and heads.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(7)

# %% [markdown]
# ## Why
#
# A word is a sequence of letters: here a table with one row a position, and a single 1 in each row, in the column of its letter. To
# reverse a word, mix the rows by a matrix. Which letter goes where is written into the matrix.

# %%
import numpy as np

def one_hot(word):
    """One row a letter, a 1 in the column of the letter: (len(word), 27); column 26 is the space."""
    columns = [26 if c == " " else ord(c) - 97 for c in word]
    return np.eye(27, dtype=np.float32)[columns]

def spell(rows):
    """The letter of the largest number in each row: (n, 27) -> n letters."""
    return "".join("abcdefghijklmnopqrstuvwxyz "[i] for i in rows.argmax(axis=-1))

mix = np.eye(6, dtype=np.float32)[::-1]          # (6, 6): row i takes from row 5 - i
spell(mix @ one_hot("drawer"))

# %% [markdown]
# Now a word with eight letters.

# %% tags=["raises-exception"]
spell(mix @ one_hot("stressed"))

# %% [markdown]
# The mixing weights belong to the *positions* of sequences of one length. And for a task such as "what followed the last time
# that this letter came up?" there is no fixed matrix at all: who has to look where depends on the letters.
#
# So the weights of the mix must be computed from the sequence itself. That is attention.

# %%
#| default_exp core.attention

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import math

import numpy as np

from tinytorch.core.layers import Layer, Linear, Parameter
from tinytorch.core.tensor import Op, Tensor, apply, randn

# %% [markdown]
# ## 1. Tokens become vectors
#
# A sequence arrives as whole numbers, one a **token**: a letter, a word, a piece of one. The numbers are names. Token 4 is not twice
# token 2, so no layer may compute with them. Each token owns a row of a table instead, and the rows are learned:
#
# $$y_i = W_{t_i}$$

# %% [markdown]
# `ids` is an array or a tensor of integers of any shape `(*shape)`, also an empty one; the result is `(*shape, embedding_dim)`. NumPy would count -1 from the end, and
# silently. So a token below 0, or beyond the last row, is an `IndexError` whose text contains that token and the number of rows.
#
# An array keeps what fulfils a condition by `ids[condition]`, and `|` is the "or" of two conditions, each in brackets. Index the weight itself with `ids`, not its `.data`: the result must remember it.
# Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "embedding", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Embedding(Layer):
    """A learned vector for each token, at first drawn from the standard normal distribution."""

    def __init__(self, num_embeddings: int, embedding_dim: int):
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Parameter(randn(num_embeddings, embedding_dim))

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"

    def forward(self, ids) -> Tensor:
        """weight[ids]: integers (*shape) -> (*shape, embedding_dim); an IndexError names a token that has no row."""
        ids = np.asarray(ids)
        if ids.dtype.kind not in "iu":
            raise TypeError(f"tokens are integers, not {ids.dtype}")
        ### BEGIN SOLUTION
        outside = ids[(ids < 0) | (ids >= self.num_embeddings)]
        if outside.size > 0:
            raise IndexError(f"token {outside[0]} has no row in a table of {self.num_embeddings}")
        return self.weight[ids]
        ### END SOLUTION

# %% [markdown]
# Two sequences of three tokens. Which shape, and which rows will be equal?

# %%
table = Embedding(5, 2)
table(np.array([[0, 1, 4], [4, 4, 0]]))

# %% nbgrader={"grade": true, "grade_id": "embedding_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""An embedding is a one-hot product, for any shape of ids; it remembers its weight; a token without a row is named."""
table, ids = Embedding(7, 3), np.array([[0, 6, 2, 2], [5, 1, 0, 6]])
y = table(ids)

assert y.shape == (2, 4, 3), f"each of (2, 4) tokens becomes 3 numbers: (2, 4, 3), not {y.shape}"
np.testing.assert_array_equal(y.data, np.eye(7, dtype=np.float32)[ids] @ table.weight.data, err_msg="one-hot rows times W")
assert table(ids[:0]).shape == (0, 4, 3), f"no tokens, no vectors: (0, 4) -> (0, 4, 3), not {table(ids[:0]).shape}"
assert y.dtype == np.float32, f"the rows of a float32 table are float32, not {y.dtype}"
assert y.requires_grad, "the rows are learned: index self.weight, not its .data"
for token in [7, -1]:
    try:
        y = table([0, token, 1])
    except IndexError as error:
        assert str(token) in str(error) and "7" in str(error), f"the error must name {token} and the 7 rows: {error}"
    else:
        raise AssertionError(f"token {token} has no row among 7: this must be an IndexError")

# %% nbgrader={"grade": true, "grade_id": "embedding_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a lone token, on none at all, on a tensor of ids, and on which tokens have a row."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_table = Embedding(4, 2)
_table.weight.data[...] = np.arange(8.0).reshape(4, 2)
answer([_table(3), _table(np.zeros((2, 0), int)).shape], about="one token, and none")
answer(_table(Tensor([[1, 0], [3, 3]])), about="a tensor of ids")
answer([raised(_table, [1, t]) for t in (-5, -1, 0, 3, 4, 100)], about="which tokens have a row")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Compare
#
# Attention is a dictionary that answers also where nothing matches exactly. Each token asks a **query** vector $q$.
# Each token holds a **key** $k$, on which it wants to be found, and a **value** $v$, which it then hands over. How well a query fits
# a key is their dot product, as a large one means: same direction.
#
# How large do such products get? Queries and keys of normal random numbers, ten keys, three widths $d$. The softmax of the ten
# products is what we will mix with. Predict its largest weight for each width: near 1/10, or near 1?

# %%
from tinytorch.core.activations import softmax

rng = np.random.default_rng(0)
for d in [4, 64, 1024]:
    q, k = rng.standard_normal((1000, 1, d)), rng.standard_normal((1000, 10, d))
    products = (q @ k.swapaxes(-1, -2)).squeeze()          # (1000, 10)
    largest = softmax(Tensor(products), dim=-1).max(axis=-1).mean().item()
    print(f"d = {d:4}: products of standard deviation {products.std():5.2f}, largest weight {largest:.2f} on average")

# %% [markdown]
# A sum of $d$ independent products, each of variance 1, has variance $d$. With growing width the softmax takes one key and ignores
# the others, from the first day on, for no reason in the data: it is saturated, and module 03 showed what a flat curve
# teaches. So divide by the standard deviation:
#
# $$S_{ij} = \frac{q_i \cdot k_j}{\sqrt d}, \qquad \text{shapes: } (…, n, d),\ (…, m, d) \to (…, n, m)$$

# %% [markdown]
# Write it on arrays, as this becomes part of an `Op`: two lines suffice. Two pieces of advice, for speed:
#
# - scale `q`, which is small, rather than the product;
# - make the transposed keys with `np.ascontiguousarray(k.swapaxes(-1, -2))`. It copies them, so that the product can read them in the
#   order in which they lie. The systems section measures what the copy wins.
#
# `q` and `k` must not change, and float32 stays float32: `math.sqrt` gives a plain number, which is weak, where `np.sqrt` gives a float64.

# %% nbgrader={"grade": false, "grade_id": "attention_scores", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def attention_scores(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """q kᵀ / sqrt(d), each query with each key: (..., n, d), (..., m, d) -> (..., n, m)."""
    ### BEGIN SOLUTION
    keys = np.ascontiguousarray(k.swapaxes(-1, -2))  # (..., d, m)
    return (q / math.sqrt(q.shape[-1])) @ keys
    ### END SOLUTION

# %% [markdown]
# Two queries, three keys, $d = 4$: the second query fits none of the keys. Predict the six numbers.

# %%
q = np.float32([[2, 0, 0, 0], [0, 0, 0, 1]])
k = np.float32([[1, 0, 0, 0], [0, 1, 0, 0], [-1, 0, 1, 0]])
attention_scores(q, k)

# %% nbgrader={"grade": true, "grade_id": "attention_scores_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""The score of query i and key j is q_i · k_j / sqrt(d), in a stack of matrices too; it stays float32 and keeps its inputs."""
rng = np.random.default_rng(0)
q, k = rng.standard_normal((2, 4, 9), np.float32), rng.standard_normal((2, 3, 9), np.float32)
before = q.copy(), k.copy()
s = attention_scores(q, k)

assert s.shape == (2, 4, 3), f"4 queries and 3 keys: (2, 4, 3), not {s.shape}"
np.testing.assert_allclose(s, np.einsum("bid,bjd->bij", *before) / 3, atol=1e-5, err_msg="q_i · k_j / sqrt(9)")
assert s.dtype == np.float32, f"float32 must stay float32, not {s.dtype}"
assert (q == before[0]).all() and (k == before[1]).all(), "attention_scores changed its inputs"

# %% nbgrader={"grade": true, "grade_id": "attention_scores_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on 4-d stacks that broadcast, on a single key, and on the variance for a width of 4,096."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_r = np.random.default_rng(1)
_q, _k = _r.standard_normal((2, 3, 4, 5), np.float32), _r.standard_normal((3, 2, 5), np.float32)
answer(attention_scores(_q, _k), about="stacks that broadcast", rtol=1e-4, atol=1e-5)
answer(attention_scores(_q[0, 0], _k[0, :1]), about="one key", rtol=1e-4, atol=1e-5)
_wide = _r.standard_normal((2, 40, 4096), np.float32)
answer(round(float(attention_scores(_wide[0], _wide[1]).std()), 1), about="the standard deviation for d = 4,096")
### END HIDDEN TESTS

# %% [markdown]
# Each row of scores becomes weights by softmax, and the weights mix the values. The first query, scaled up, meets three values. Predict the
# two rows, roughly:

# %%
values = np.float32([[10, 0], [0, 10], [5, 5]])
q, k = np.float32([[6, 0, 0, 0], [0, 0, 0, 1]]), np.float32([[1, 0, 0, 0], [0, 1, 0, 0], [-1, 0, 1, 0]])
softmax(Tensor(attention_scores(q, k)), dim=-1) @ values

# %% [markdown]
# A query that fits one key fetches its value, a query that fits none fetches the mean of all. Between the two lies every
# mixture, and it changes smoothly: such a dictionary can be learned.

# %% [markdown]
# ## 3. Who may look at whom
#
# Whoever writes a text letter by letter cannot look at letters that are not written yet. A **mask** says who may: a table of bools
# with a row for each query and a column for each key. Here, as in PyTorch's `scaled_dot_product_attention`,
#
# > **True means: may attend.**
#
# (PyTorch's `nn.MultiheadAttention` has it the other way round in its `attn_mask` and `key_padding_mask`, so read twice there.)
#
# The **causal** mask lets query $i$ attend to the keys $j \le i$. Masks are NumPy arrays, so that `&` and `~` combine them. One line suffices.

# %% nbgrader={"grade": false, "grade_id": "causal_mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def causal_mask(n: int) -> np.ndarray:
    """True where key j is not after query i: bool (n, n)."""
    ### BEGIN SOLUTION
    return np.tril(np.ones((n, n), bool))
    ### END SOLUTION

# %% [markdown]
# How many True in each row?

# %%
causal_mask(4)

# %% nbgrader={"grade": true, "grade_id": "causal_mask_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Query i may attend to itself and to what came before, i + 1 keys in all; the mask holds bools."""
mask = causal_mask(5)

assert mask.shape == (5, 5) and mask.dtype == bool, f"5 × 5 bools, not {mask.shape} of {mask.dtype}"
assert mask.sum(axis=1).tolist() == [1, 2, 3, 4, 5], f"row i allows i + 1 keys, not {mask.sum(axis=1).tolist()}"
assert mask[3, 0] and not mask[0, 3], "query 3 may see key 0, query 0 must not see key 3"

# %% nbgrader={"grade": true, "grade_id": "causal_mask_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on one token, on none, and on seven."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

for _n in [1, 0, 7]:
    answer(causal_mask(_n), about=f"{_n} tokens")
### END HIDDEN TESTS

# %% [markdown]
# ### Padding
#
# Sequences of a batch differ in length, arrays do not. So the short ones are filled up at their end, and nobody may attend to the filling.
#
# `lengths` holds the true length of each of $B$ sequences, `n` is the padded one. Key $j$ of sequence $b$ is allowed if $j < \text{length}_b$, for
# every query. Scores will have the shape (batch, heads, queries, keys). So that the mask broadcasts against them, give it the shape $(B, 1, 1, n)$.
# It comes from one comparison that broadcasts; `lengths` may be a list. Two lines suffice.

# %% nbgrader={"grade": false, "grade_id": "padding_mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def padding_mask(lengths, n: int) -> np.ndarray:
    """True where a key is no padding: B lengths -> bool (B, 1, 1, n), which broadcasts over heads and queries."""
    ### BEGIN SOLUTION
    lengths = np.asarray(lengths).reshape(-1, 1, 1, 1)
    return np.arange(n) < lengths
    ### END SOLUTION

# %% [markdown]
# Two sequences of four, one of them with two letters of padding, in a causal layer. Draw the two tables on paper first.

# %%
padding_mask([4, 2], 4) & causal_mask(4)

# %% nbgrader={"grade": true, "grade_id": "padding_mask_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The first length_b keys of sequence b are allowed, and the mask broadcasts against (batch, heads, queries, keys)."""
mask = padding_mask([3, 1, 5], 5)

assert mask.shape == (3, 1, 1, 5) and mask.dtype == bool, f"(3, 1, 1, 5) of bool, not {mask.shape} of {mask.dtype}"
assert mask.sum(axis=-1).ravel().tolist() == [3, 1, 5], f"3, 1 and 5 keys, not {mask.sum(axis=-1).ravel().tolist()}"
assert mask[0, 0, 0].tolist() == [True, True, True, False, False], f"of length 3: {mask[0, 0, 0].tolist()}"
assert np.broadcast_shapes(mask.shape, (3, 8, 5, 5)) == (3, 8, 5, 5), "it must broadcast over 8 heads and 5 queries"

# %% nbgrader={"grade": true, "grade_id": "padding_mask_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on an array of lengths, which must not change, on an empty sequence, and together with the causal mask."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_lengths = np.array([2, 4], np.int32)
answer([padding_mask(_lengths, 4), _lengths], about="an array of lengths, and the array after the call")
answer(padding_mask([0, 1], 3), about="a sequence of length 0")
answer(padding_mask([4, 2, 3], 4) & causal_mask(4), about="with the causal mask")
### END HIDDEN TESTS

# %% [markdown]
# ### The mask in the wrong place
#
# Weights that are not allowed should be 0. So compute the softmax, then multiply by the mask? Five tokens of four random numbers are query, key and value
# at once. What are the sums of the rows?

# %%
tokens = np.random.default_rng(0).standard_normal((5, 4), np.float32)

def masked_after(x):
    return softmax(Tensor(attention_scores(x, x)), dim=-1) * causal_mask(5)

masked_after(tokens).sum(axis=-1)

# %% [markdown]
# They should be 1. Worse: the future leaks. Change the *last* token only. Under a causal mask the other four outputs must not
# notice. By how much does each output change?

# %%
def change(attend):
    """How much each output changes if the last token does: (5,)."""
    other = tokens.copy()
    other[-1] += 3
    return (attend(other) @ other - attend(tokens) @ tokens).abs().max(axis=-1)

change(masked_after)

# %% [markdown]
# All of them. The forbidden score stands in the denominator of every row. Then put it to 0 *before* the softmax, says somebody. Which
# rows will leak now?

# %%
def masked_by_zero(x):
    return softmax(Tensor(attention_scores(x, x) * causal_mask(5)), dim=-1)

change(masked_by_zero)

# %% [markdown]
# A score of 0 is no ban: its share is $e^0$, as large as that of any key that fits moderately. What has share 0 is $e^{-\infty}$. So add to each score
#
# $$\text{bias}_{ij} = \begin{cases} 0 & \text{if query } i \text{ may attend to key } j \\ -\infty & \text{else} \end{cases}$$

# %% [markdown]
# ### A row without a way out
#
# If a query may attend to nothing, all its scores are $-\infty$, and 0/0 is nan. One nan in one row, and after a few layers all
# is nan. (PyTorch answers 0 in one of its functions there, and nan in another.) It is a mistake in the data: an empty sequence, a mask with the wrong
# sign. Here it is an error that says where.

# %% [markdown]
# Write `mask_bias`. The error is a `ValueError` that names the first row which allows nothing by its indices, as in `row [1, 2] of the mask allows nothing`:
# `np.argwhere(condition)` lists the indices of what is True, and `.tolist()` makes plain numbers of them. The bias is float32: both branches of `np.where` must be, such as `np.float32(0)`.
# Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "mask_bias", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def mask_bias(mask) -> np.ndarray:
    """0 where attending is allowed, -inf elsewhere: bool (..., n, m) -> float32 (..., n, m); a ValueError names an empty row."""
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(f"a mask holds bools, True where attending is allowed: this one holds {mask.dtype}")
    ### BEGIN SOLUTION
    empty = np.argwhere(~mask.any(axis=-1))
    if len(empty) > 0:
        raise ValueError(f"row {empty[0].tolist()} of the mask allows nothing: that query has no key to attend to")
    return np.where(mask, np.float32(0), np.float32(-np.inf))
    ### END SOLUTION

# %%
mask_bias(causal_mask(3))

# %% [markdown]
# The second of three sequences is empty. Which row will the error name?

# %% tags=["raises-exception"]
mask_bias(padding_mask([2, 0, 1], 2))

# %% nbgrader={"grade": true, "grade_id": "mask_bias_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""The bias is 0 or -inf in float32, and the first row that allows nothing is named."""
mask = np.array([[True, False, True], [False, True, False]])
bias = mask_bias(mask)
np.testing.assert_array_equal(bias, [[0, -np.inf, 0], [-np.inf, 0, -np.inf]], err_msg="0 where True, -inf where False")
assert bias.dtype == np.float32, f"the bias must not make float64 of the scores: float32, not {bias.dtype}"

mask = np.ones((2, 4, 3), bool)
mask[1, 2] = mask[1, 3] = False
try:
    bias = mask_bias(mask)
except ValueError as error:
    named = "[1, 2]" in str(error) and "[1, 3]" not in str(error)
    assert named, f"the first row that allows nothing is [1, 2], and no other is named; the error says: {error}"
else:
    raise AssertionError("row [1, 2] allows nothing: this must be a ValueError")
try:
    bias = mask_bias(np.eye(3, 2, dtype=bool))
except ValueError as error:
    assert "[2]" in str(error), f"of three rows, only row [2] allows nothing; the error says: {error}"
else:
    raise AssertionError("one row that allows nothing is enough for a ValueError")

# %% nbgrader={"grade": true, "grade_id": "mask_bias_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a 4-d mask, on columns (not rows) that allow nothing, and on which masks are errors."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

answer(mask_bias(padding_mask([1, 3], 4) & causal_mask(4)), about="a 4-d mask")
answer(mask_bias(np.array([[True, False], [True, False]])), about="a key that nobody may attend to")
_masks = [np.eye(3, dtype=bool), np.tri(3, 3, -1, dtype=bool), np.zeros((2, 2), bool), np.ones((0, 3), bool), np.ones((3, 0), bool)]
answer([raised(mask_bias, _mask) for _mask in _masks], about="which masks are errors")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Weights, in one array
#
# $$A = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt d} + \text{bias}\right)$$
#
# The table has a number for *each pair* of tokens: it will be the largest array in the network. Softmax in plain operations makes four
# of that size: scores, shifted scores, exponentials, quotients. This op gets by with one, as each step overwrites the one before: `w -= …`, `np.exp(w, out=w)`, `w /= …`.
# That is allowed because `attention_scores` has just made `w`, and nobody else holds it.
#
# Write `forward`: scores; bias, if `mask` is not `None`; maximum off; exp; divide by the sum, along the last axis as in module 03.
# Save `(q, k, w)`: the derivative needs all three. Eight lines suffice.

# %% nbgrader={"grade": false, "grade_id": "attention_weights_op", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class AttentionWeightsOp(Op):
    """AttentionWeightsOp(mask): softmax(q kᵀ / sqrt(d)) over the keys that the mask allows, in one array."""

    def forward(self, q: np.ndarray, k: np.ndarray) -> np.ndarray:
        """(..., n, d), (..., m, d) -> (..., n, m)."""
        (mask,) = self.parameters
        ### BEGIN SOLUTION
        w = attention_scores(q, k)
        if mask is not None:
            w += mask_bias(mask)
        w -= w.max(axis=-1, keepdims=True)
        np.exp(w, out=w)
        w /= w.sum(axis=-1, keepdims=True)
        self.saved = (q, k, w)
        return w
        ### END SOLUTION

    def flops(self, y: np.ndarray, q: np.ndarray, k: np.ndarray) -> int:
        """A product, and six passes over its result: module 05's summary asks."""
        return 2 * y.size * q.shape[-1] + 6 * y.size

# %% [markdown]
# The function for tensors is given. It says in one line what a misfit is.

# %% nbgrader={"grade": false, "grade_id": "attention_weights", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def attention_weights(q: Tensor, k: Tensor, mask=None) -> Tensor:
    """Who looks at whom, each row of sum 1: (..., n, d), (..., m, d) -> (..., n, m); mask True = may attend."""
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"queries {q.shape} and keys {k.shape} cannot be compared: widths {q.shape[-1]} and {k.shape[-1]}")
    q, k = (x if x.dtype.kind == "f" else x.astype(np.float32) for x in (q, k))
    return apply(AttentionWeightsOp(mask), q, k)

# %% [markdown]
# The last token changes. Which outputs notice?

# %%
change(lambda x: attention_weights(Tensor(x), Tensor(x), causal_mask(5)))

# %% nbgrader={"grade": true, "grade_id": "attention_weights_op_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""Weights are the softmax of the allowed scores alone, however large the others; 0 elsewhere; saved with q and k."""
rng = np.random.default_rng(0)
q, k = 12 * rng.standard_normal((2, 4, 3), np.float32), 12 * rng.standard_normal((2, 5, 3), np.float32)
k[:, 4] *= 100                                           # huge, and forbidden to all queries but the last
mask = np.tri(4, 5, 1, dtype=bool)                       # query i may attend to the keys 0 ... i + 1
op = AttentionWeightsOp(mask)
w = op.forward(q, k)

for i in range(4):
    few = attention_scores(q[:, i : i + 1], k[:, : i + 2])  # scores with the allowed keys and no others
    few = np.exp(few - few.max(axis=-1, keepdims=True))
    np.testing.assert_allclose(w[:, i : i + 1, : i + 2], few / few.sum(axis=-1, keepdims=True), atol=1e-5, err_msg=f"row {i}: allowed keys")
assert (w[:, ~mask] == 0).all(), "a key that is not allowed must get weight 0 exactly"
np.testing.assert_allclose(AttentionWeightsOp(None).forward(q, k).sum(axis=-1), np.ones((2, 4)), rtol=1e-5, err_msg="no mask")
assert len(op.saved) == 3 and op.saved[0] is q and op.saved[1] is k and op.saved[2] is w, "save (q, k, w)"

# %% nbgrader={"grade": true, "grade_id": "attention_weights_op_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a masked 4-d batch, on scores of ±10,000 (forbidden ones too), on its memory, and on its inputs."""
### BEGIN HIDDEN TESTS
from tinytorch.core.setup import peak_memory
from tito.grading import answer, raised

_r = np.random.default_rng(3)
_q, _k = _r.standard_normal((3, 2, 4, 6), np.float32), _r.standard_normal((3, 2, 4, 6), np.float32)
answer(AttentionWeightsOp(padding_mask([4, 1, 3], 4) & causal_mask(4)).forward(_q, _k), about="4-d, masked", rtol=1e-4, atol=1e-5)
_far = np.float32([[1e4], [-1e4]])
with np.errstate(all="raise"):
    answer(raised(AttentionWeightsOp(causal_mask(2)).forward, _far, _far), about="huge scores raise nothing")
answer(AttentionWeightsOp(np.array([[False, True], [True, False]])).forward(_far, _far), about="a huge score is forbidden")
_a = _r.standard_normal((500, 4), np.float32)
answer(peak_memory(AttentionWeightsOp(None).forward, _a, _a) < 1.5 * 4 * 500 * 500, about="one array of all pairs, not two")
_before = _q.copy()
AttentionWeightsOp(None).forward(_q, _k)
answer([bool((_q == _before).all()), raised(AttentionWeightsOp(np.ones((3, 3), bool)).forward, _q, _k)], about="inputs, misfit")
### END HIDDEN TESTS

# %% [markdown]
# ## 5. Scaled dot-product attention
#
# The weights mix the values (Vaswani et al. 2017):
#
# $$\mathrm{attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt d} + \text{bias}\right) V$$
#
# There may be fewer queries than keys, and values may be wider than both: $(…, n, d), (…, m, d), (…, m, e) \to (…, n, e)$.
# The result must remember all three. One line suffices.

# %% nbgrader={"grade": false, "grade_id": "sdpa", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def scaled_dot_product_attention(q: Tensor, k: Tensor, v: Tensor, mask=None) -> Tensor:
    """softmax(q kᵀ / sqrt(d)) v, mask True = may attend: (..., n, d), (..., m, d), (..., m, e) -> (..., n, e)."""
    ### BEGIN SOLUTION
    return attention_weights(q, k, mask) @ v
    ### END SOLUTION

# %% [markdown]
# If all keys are equal, whatever they are: what does each query fetch?

# %%
v = Tensor([[0.0, 1.0], [2.0, 3.0], [7.0, 8.0]])
scaled_dot_product_attention(randn(2, 4), Tensor(np.ones((3, 4))), v)

# %% nbgrader={"grade": true, "grade_id": "sdpa_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The weights mix the values; equal keys fetch the mean; the future does not leak; queries, keys and values are remembered."""
q, k, v = (randn(3, n, d, generator=np.random.default_rng(n)) for n, d in [(4, 8), (5, 8), (5, 2)])
y = scaled_dot_product_attention(q, k, v)
assert y.shape == (3, 4, 2), f"4 queries fetch values of width 2: (3, 4, 2), not {y.shape}"
assert y.dtype == np.float32, f"float32 in, {y.dtype} out: compute with tensors"
mean = np.repeat(v.data.mean(axis=1, keepdims=True), 4, axis=1)
np.testing.assert_allclose(scaled_dot_product_attention(q, k * 0, v).data, mean, atol=1e-5, err_msg="equal keys fetch the mean")
mixed = np.einsum("bij,bje->bie", attention_weights(q, k).data, v.data)
np.testing.assert_allclose(y.data, mixed, atol=1e-5, err_msg="each row of attention_weights(q, k) times the values")
for x in (q, k, v):
    x.requires_grad = True
    assert scaled_dot_product_attention(q, k, v).requires_grad, "compute with tensors, not with their .data: it must be remembered"
    x.requires_grad = False

c = causal_mask(5)
rest = scaled_dot_product_attention(k[:, :3], k[:, :3], v[:, :3], c[:3, :3]).data
np.testing.assert_allclose(scaled_dot_product_attention(k, k, v, c).data[:, :3], rest, atol=1e-5, err_msg="tokens 3 and 4 leak")

# %% nbgrader={"grade": true, "grade_id": "sdpa_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a padded batch with heads, on what it remembers, and on shapes that do not fit."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_q, _k, _v = (randn(2, 3, n, d, generator=np.random.default_rng(n + d)) for n, d in [(4, 6), (5, 6), (5, 7)])
answer(scaled_dot_product_attention(_q, _k, _v, padding_mask([5, 2], 5)), about="padded, three heads", rtol=1e-4, atol=1e-5)
_v.requires_grad = True
answer(scaled_dot_product_attention(_q, _k, _v).requires_grad, about="does it remember the values?")
_q.requires_grad, _v.requires_grad = True, False
answer(scaled_dot_product_attention(_q, _k, _v).requires_grad, about="does it remember the queries?")
answer([raised(scaled_dot_product_attention, _q, _v, _v), raised(scaled_dot_product_attention, _q, _k, _q)], about="misfits")
### END HIDDEN TESTS

# %% [markdown]
# ## 6. Where am I?
#
# Attention compares contents, and nothing else. Each letter of these two words attends to all, by its one-hot row. Which letter is the strongest in
# each output, and is its share the same in both words?

# %%
for word in ["listen", "silent"]:
    x = Tensor(one_hot(word))
    y = scaled_dot_product_attention(x, x, x)
    print(word, [f"{letter} {share.item():.3f}" for letter, share in zip(spell(y.data), y.max(axis=-1), strict=True)])

# %% [markdown]
# Every letter gets the same in both. For attention a sequence is a bag: shuffle the inputs, and the outputs are shuffled, no more. Who
# needs the order must write it into the vectors.
#
# A clock tells the time by hands of different speeds. Position $p$ gets $d/2$ hands, hand $i$ at the angle $p\,\omega_i$, each given by its sine and cosine:
#
# $$P_{p,2i} = \sin(p\,\omega_i), \qquad P_{p,2i+1} = \cos(p\,\omega_i), \qquad \omega_i = 10000^{-2i/d}$$
#
# The first hand turns by one radian a step, the last, in a wide table, takes about 60,000 steps for a round.

# %% [markdown]
# Write the table for even `dim`: three lines suffice. `np.arange(0, dim, 2)` is $2i$; positions as a column, times speeds as a row, give all the
# angles. `np.stack([sines, cosines], axis=-1).reshape(length, dim)` makes them alternate. Compute in float64, as NumPy does by itself, and round once, at the end, by `.astype(np.float32)`.

# %% nbgrader={"grade": false, "grade_id": "sinusoids", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def sinusoids(length: int, dim: int) -> np.ndarray:
    """sin(p w_i) in column 2i, cos(p w_i) in column 2i + 1, w_i = 10000^(-2i/dim): float32 (length, dim)."""
    ### BEGIN SOLUTION
    speeds = 10_000.0 ** (-np.arange(0, dim, 2) / dim)  # (dim / 2,)
    angles = np.arange(length)[:, None] * speeds  # (length, dim / 2)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, dim).astype(np.float32)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "sinusoids_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Each pair is a point on the unit circle; dot products depend on the distance alone; the speeds are right, and exact far out."""
P = sinusoids(50, 8)

assert P.shape == (50, 8) and P.dtype == np.float32, f"(50, 8) of float32, not {P.shape} of {P.dtype}"
np.testing.assert_allclose((P.reshape(50, 4, 2) ** 2).sum(axis=-1), np.ones((50, 4)), atol=1e-6, err_msg="sin² + cos², side by side")
far = np.arange(9000)
np.testing.assert_allclose(sinusoids(9000, 8)[:, 2], np.sin(far / 10), atol=1e-6, err_msg="for dim 8 column 2 is sin(p / 10), far out too")
np.testing.assert_allclose(P[:, 7], np.cos(np.arange(50) / 1000), atol=1e-6, err_msg="for dim 8 the last column is cos(p / 1000)")
np.testing.assert_allclose(P[3] @ P[10], P[30] @ P[37], atol=1e-5, err_msg="7 steps are 7 steps, wherever they start")

# %% nbgrader={"grade": true, "grade_id": "sinusoids_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on another width, on a single hand, on no position, and far out, where float32 angles would be too coarse."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer([sinusoids(9, 6), sinusoids(5, 2), sinusoids(0, 4)], about="other sizes")
answer(sinusoids(60_001, 6)[-1], about="position 60,000")
### END HIDDEN TESTS

# %% [markdown]
# Left the table, one position a column of the picture; right the dot product of each position with position 30. What will the right picture look like for position 60?

# %%
import matplotlib.pyplot as plt

P = sinusoids(100, 32)
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3), layout="constrained")
fig.colorbar(left.imshow(P.T, cmap="coolwarm", aspect="auto"), ax=left)
left.set(xlabel="position", ylabel="column")
right.plot(P @ P[30])
right.set(xlabel="position", ylabel="dot product with position 30")
right.grid(alpha=0.3)

# %% [markdown]
# The layer is given: it adds the table to whatever comes in, and has nothing to learn. (An `Embedding` of the positions would be learned, and know nothing of
# positions beyond those it has seen.)

# %% nbgrader={"grade": false, "grade_id": "positional_encoding", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class PositionalEncoding(Layer):
    """Adds to each token where it stands: the sinusoids of Vaswani et al. 2017."""

    def __init__(self, embed_dim: int, max_length: int = 1024):
        if embed_dim % 2:
            raise ValueError(f"sines and cosines come in pairs: embed_dim must be even, not {embed_dim}")
        self.table = Tensor(sinusoids(max_length, embed_dim))

    def extra_repr(self) -> str:
        return f"{self.table.shape[1]}, max_length={self.table.shape[0]}"

    def forward(self, x: Tensor) -> Tensor:
        """x + table[:n]: (..., n, embed_dim) -> (..., n, embed_dim)."""
        n, longest = x.shape[-2], len(self.table)
        if n > longest:
            raise ValueError(f"{n} tokens, but the table of positions ends at {longest}: ask for a larger max_length")
        return x + self.table[:n]

# %% [markdown]
# ### Steps are rotations
#
# To look at the token before, the query at $p$ must look like the key at $p - 1$. Can a *matrix* make $P_{p+s}$ of $P_p$, the same for every $p$? Turn each hand by $a = s\,\omega_i$; the addition theorems say
#
# $$\sin(p\omega + a) = \sin(p\omega)\cos a + \cos(p\omega)\sin a$$
# $$\cos(p\omega + a) = \cos(p\omega)\cos a - \sin(p\omega)\sin a$$
#
# Fill $M$ with $P_p\,M = P_{p+s}$. $M_{rc}$ says how much of the old column $r$ goes into the new column $c$; sines live in `even`, cosines in `odd`. For example `M[even, even] = …` sets
# the shares of the old sines in the new ones, for all hands at once. Four entries a hand, four lines.

# %% nbgrader={"grade": false, "grade_id": "turn", "locked": false, "schema_version": 3, "solution": true, "task": false}
def turn(dim: int, steps: float) -> np.ndarray:
    """M with sinusoids(n, dim)[p] @ M == sinusoids(n, dim)[p + steps], for every p: float32 (dim, dim)."""
    even, odd = np.arange(0, dim, 2), np.arange(1, dim, 2)
    a = steps * 10_000.0 ** (-even / dim)  # (dim / 2,): the angle of each hand
    M = np.zeros((dim, dim), np.float32)
    ### BEGIN SOLUTION
    M[even, even] = np.cos(a)
    M[odd, odd] = np.cos(a)
    M[odd, even] = np.sin(a)
    M[even, odd] = -np.sin(a)
    ### END SOLUTION
    return M

# %% nbgrader={"grade": true, "grade_id": "turn_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""turn moves every position by the same number of steps, in either direction, and back again."""
P = sinusoids(40, 12)

np.testing.assert_allclose(P[:-3] @ turn(12, 3), P[3:], atol=1e-5, err_msg="three steps on")
np.testing.assert_allclose(P[5:] @ turn(12, -5), P[:-5], atol=1e-5, err_msg="five steps back")
np.testing.assert_allclose(turn(12, 7) @ turn(12, -7), np.eye(12), atol=1e-6, err_msg="there and back")

# %% nbgrader={"grade": true, "grade_id": "turn_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on another width, on no step, and on half a step."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer([turn(6, 2), turn(4, 0), turn(4, 0.5)], about="the matrices")
### END HIDDEN TESTS

# %% [markdown]
# ### Weights by hand
#
# Keys are the positions, $K = P$; queries are $Q = P\,W$. Find $W$ for three tasks on a sequence of $n$ tokens. Query $p$ shall look at
#
# - `"copy"`: position $p$, itself;
# - `"previous"`: position $p - 1$;
# - `"reverse"`: position $n - 1 - p$. No turn alone gives that, since it runs backwards. But how does the code of $-p$ differ from that of $p$? The diagonal matrix `mirror`
#   is given for that: it changes the sign of every sine.
#
# Three lines suffice. The result must be float32.

# %% nbgrader={"grade": false, "grade_id": "query_weights", "locked": false, "schema_version": 3, "solution": true, "task": false}
def query_weights(task: str, n: int, dim: int) -> np.ndarray:
    """W with P[p] @ W == P[the position that p shall look at], for "copy", "previous" or "reverse": float32 (dim, dim)."""
    mirror = np.diag(np.tile(np.float32([-1, 1]), dim // 2))  # P[p] @ mirror is the code of -p
    ### BEGIN SOLUTION
    weights = {"copy": turn(dim, 0), "previous": turn(dim, -1), "reverse": mirror @ turn(dim, n - 1)}
    return weights[task]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "query_weights_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Each query has its largest score with the key that its task names, for two lengths."""
for n in [7, 12]:
    P = sinusoids(n, 32)
    for task, target in [("copy", np.arange(n)), ("previous", np.arange(n) - 1), ("reverse", np.arange(n)[::-1])]:
        W = query_weights(task, n, 32)
        assert W.dtype == np.float32, f"{task}: the result must be float32, not {W.dtype}"
        found = attention_scores(P @ W, P).argmax(axis=1)
        assert found[1:].tolist() == target[1:].tolist(), f"{task}, n = {n}: should look at {target[1:]}, looks at {found[1:]}"

# %% nbgrader={"grade": true, "grade_id": "query_weights_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again by the matrices themselves, for another length and width."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

for _task in ["copy", "previous", "reverse"]:
    answer(query_weights(_task, 9, 8), about=_task)
### END HIDDEN TESTS

# %% [markdown]
# Now the maps. A factor on the queries makes the softmax decide. Row: who looks; column: at whom. Draw the three maps on paper
# first. At whom can the first letter look, when it is told to look at the one before?

# %%
word, sharpness = "stressed", 100
n = len(word)
P = Tensor(sinusoids(n, 32))

def look(task):
    """The attention map of a task, on positions alone: (n, n)."""
    return attention_weights(sharpness * (P @ query_weights(task, n, 32)), P)

fig, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
for ax, task in zip(axes, ["copy", "previous", "reverse"], strict=True):
    ax.imshow(look(task).data, cmap="Blues", vmin=0, vmax=1)
    ax.set(title=task, xlabel="looked at", ylabel="who looks", xticks=range(n), yticks=range(n))
    ax.set_xticklabels(word)
    ax.set_yticklabels(word)

# %% [markdown]
# With the letters as values the maps act. No length is written into the layer, except by the one who asks for the reverse.

# %%
results = {task: spell((look(task) @ one_hot(word)).data) for task in ["copy", "previous", "reverse"]}
assert results == {"copy": "stressed", "previous": "sstresse", "reverse": "desserts"}
results

# %% [markdown]
# ## 7. Several heads
#
# One query, two wishes: the letter before *and* the letter after. Add the two queries. At whom does the third letter look now, do you think?

# %%
both = attention_weights(sharpness * (P @ (turn(32, -1) + turn(32, 1))), P)
both[2].data.round(3)

# %% [markdown]
# At itself. One query has one direction, and the direction between two wishes is a third wish. And even a softmax that did divide its weight between two tokens
# would hand over one mixture, which nobody takes apart again.
#
# For two wishes take two **heads**: cut the width $E$ into $H$ parts of $E/H$, let each attend by itself, and put
# the parts side by side again. A head is an axis in front of the last two, so `scaled_dot_product_attention` need not know of it.
#
# Both directions are given. In which order are the axes at each of the three steps?

# %% nbgrader={"grade": false, "grade_id": "heads", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Each token's numbers dealt out to the heads, a view: (..., n, E) -> (..., heads, n, E / heads)."""
    *batch, n, width = x.shape
    return x.reshape(*batch, n, num_heads, width // num_heads).transpose(-2, -3)


def merge_heads(x: Tensor) -> Tensor:
    """Side by side again, a copy: (..., heads, n, D) -> (..., n, heads * D)."""
    *batch, heads, n, width = x.shape
    return x.transpose(-2, -3).reshape(*batch, n, heads * width)

# %%
x = Tensor(np.arange(12).reshape(2, 6))           # two tokens, six numbers each
split_heads(x, 3), merge_heads(split_heads(x, 3))

# %% [markdown]
# ### The layer
#
# Query, key and value of each token are learned: three linear layers make them from the same $x$, a fourth one mixes what the heads have found:
#
# $$\mathrm{MHA}(X) = \mathrm{merge}\big(\mathrm{attention}(XW_q^\top + b_q,\ XW_k^\top + b_k,\ XW_v^\top + b_v)\big)\,W_o^\top + b_o$$
#
# where $X$ is $(…, n, E)$, with a batch or without, and the attention is that of each head. `project(x)`, `allowed(n, mask)` and `weights` are given; `allowed` combines your causal mask with the one that the caller gives.
# Write `forward` with them and with `scaled_dot_product_attention`: three lines suffice.

# %% nbgrader={"grade": false, "grade_id": "mha", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class MultiHeadAttention(Layer):
    """Every token fetches from the others what it asks for, once a head; causal: only from itself and those before it."""

    def __init__(self, embed_dim: int, num_heads: int, causal: bool = False):
        if embed_dim % num_heads:
            raise ValueError(f"a width of {embed_dim} cannot be cut into {num_heads} equal heads")
        self.num_heads, self.causal = num_heads, causal
        self.q_proj, self.k_proj = Linear(embed_dim, embed_dim), Linear(embed_dim, embed_dim)
        self.v_proj, self.out_proj = Linear(embed_dim, embed_dim), Linear(embed_dim, embed_dim)

    def extra_repr(self) -> str:
        return f"num_heads={self.num_heads}, causal={self.causal}"

    def project(self, x: Tensor) -> list[Tensor]:
        """Queries, keys and values: (..., n, E) -> three of (..., heads, n, E / heads)."""
        return [split_heads(layer(x), self.num_heads) for layer in (self.q_proj, self.k_proj, self.v_proj)]

    def allowed(self, n: int, mask):
        """The mask, and the causal one if this layer is causal; None where all is allowed."""
        if not self.causal:
            return mask
        return causal_mask(n) if mask is None else causal_mask(n) & np.asarray(mask)

    def weights(self, x: Tensor, mask=None) -> Tensor:
        """The attention map of each head: (..., n, E) -> (..., heads, n, n)."""
        q, k, _ = self.project(x)
        return attention_weights(q, k, self.allowed(x.shape[-2], mask))

    def forward(self, x: Tensor, mask=None) -> Tensor:
        """(..., n, E) -> (..., n, E); the mask, True = may attend, broadcasts against (..., heads, n, n)."""
        ### BEGIN SOLUTION
        q, k, v = self.project(x)
        heads = scaled_dot_product_attention(q, k, v, self.allowed(x.shape[-2], mask))  # (..., heads, n, E / heads)
        return self.out_proj(merge_heads(heads))
        ### END SOLUTION

# %% [markdown]
# How many parameters has a layer of width 64 with 4 heads, and how many with 8?

# %%
[sum(p.size for p in MultiHeadAttention(64, heads).parameters()) for heads in [4, 8]]

# %%
MultiHeadAttention(64, 4, causal=True)

# %% [markdown]
# The way of a token, from its number to what it has found. Two sequences of five tokens: which shape behind each of the three layers?

# %%
ids = np.array([[3, 1, 4, 1, 5], [2, 7, 1, 8, 2]])
vectors = Embedding(9, 64)(ids)
placed = PositionalEncoding(64)(vectors)
vectors.shape, placed.shape, MultiHeadAttention(64, 4)(placed).shape

# %% nbgrader={"grade": true, "grade_id": "mha_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Multi-head attention is each head by itself, side by side, projected; neither padding nor future leaks; a batch is not needed."""
rng = np.random.default_rng(0)
mha, x = MultiHeadAttention(6, 3), randn(2, 5, 6, generator=rng)
y = mha(x)

assert y.shape == (2, 5, 6) and y.requires_grad, f"(2, 5, 6) -> {y.shape}, remembered: {y.requires_grad}; should be the same, True"
q, k, v = (layer(x) for layer in (mha.q_proj, mha.k_proj, mha.v_proj))
parts = [scaled_dot_product_attention(q[..., i : i + 2], k[..., i : i + 2], v[..., i : i + 2]).data for i in (0, 2, 4)]
alone = mha.out_proj(Tensor(np.concatenate(parts, axis=-1)))
np.testing.assert_allclose(y.data, alone.data, atol=1e-5, err_msg="head i works on the columns 2i and 2i + 1")

padded = mha(x, padding_mask([5, 3], 5)).data[1, :3]
np.testing.assert_allclose(padded, mha(x[1, :3]).data, atol=1e-5, err_msg="tokens 3 and 4 are masked by the caller, but leak")

mha.causal = True
later = Tensor(np.where(np.arange(5)[:, None] < 3, x.data[0], 7))  # (5, 6), no batch; tokens 3 and 4 replaced
np.testing.assert_allclose(mha(later).data[:3], mha(x).data[0, :3], atol=1e-5, err_msg="causal, but tokens 3 and 4 leak")

# %% nbgrader={"grade": true, "grade_id": "mha_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again with weights that are given, on padding with and without causality, on one sequence without a batch, and on the mask, which must not change."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_r = np.random.default_rng(5)
_mha = MultiHeadAttention(8, 2)
for _p in _mha.parameters():
    _p.data[...] = _r.standard_normal(_p.shape)
_x = randn(3, 4, 8, generator=_r)
_mask = padding_mask([4, 1, 2], 4)
answer([_mha(_x, _mask), _mask], about="padding; the mask afterwards", rtol=1e-4, atol=1e-4)
_mha.causal = True
answer(_mha(_x, padding_mask([4, 1, 2], 4)), about="padding, causal", rtol=1e-4, atol=1e-4)
answer([_mha(_x[0]), _mha(_x).requires_grad], about="no batch axis; does it remember its weights?", rtol=1e-4, atol=1e-4)
answer([raised(_mha, _x, padding_mask([4, 0, 2], 4)), raised(_mha, _x, np.ones((3, 4)))], about="masks that are errors")
### END HIDDEN TESTS

# %% [markdown]
# ## Use: what followed the last time?
#
# The nursery rhyme "This is the house that Jack built" (before 1755) repeats itself, as much text does. A reader who knows no English can guess the next letter: find where the last few
# letters stood before, and see what came next there. Language models form such *induction heads* by themselves (Olsson et al. 2022). You have all the parts for one, and no weight needs to be learned.

# %%
rhyme = ("this is the house that jack built "
         "this is the malt that lay in the house that jack built "
         "this is the rat that ate the malt that lay in the house that jack built "
         "this is the cat that killed the rat that ate the malt that lay in the house that jack built "
         "this is the dog that worried the cat that killed the rat that ate the malt that lay in the house that jack built "
         "this is the cow with the crumpled horn that tossed the dog that worried the cat that killed the rat "
         "that ate the malt that lay in the house that jack built")
table = Embedding(27, 27)
table.load_state_dict({"weight": np.eye(27)})              # the vectors by hand: one-hot
letters = table([26 if c == " " else ord(c) - 97 for c in rhyme]).detach()
letters.shape

# %% [markdown]
# First layer: a head that looks one step back copies the letter before into each place. Applied once more, the letter before that, and so on: `back[c]` holds at
# each place the letter `c` steps before. The start has no letter before it, and copies itself.

# %%
n = len(rhyme)
P = Tensor(sinusoids(n, 64))
previous = attention_weights(1000 * (P @ turn(64, -1)), P, causal_mask(n))
back = [letters]
for _ in range(8):
    back.append(previous @ back[-1])
[spell(back[c].data)[34:58] for c in [0, 1, 4]]

# %% [markdown]
# Second layer: the query of place $i$ is its last $c$ letters. The key of place $j$ is the $c$ letters *before* it, so that a fit says: what
# stands at $j$ came next. The value is the letter at $j$. Causal, as the rest of the rhyme is not written yet. Which $c$ will guess best: 0 letters of context, 1, 2, 4 or 8?

# %%
from tinytorch.core.tensor import concat

def guess(c):
    """For each place the share that each letter has among those which followed the same c letters: (n, 27)."""
    if c == 0:
        return scaled_dot_product_attention(letters * 0, letters, letters, causal_mask(n))
    q, k = concat(back[:c], dim=1), concat(back[1 : c + 1], dim=1)     # (n, 27 c)
    return scaled_dot_product_attention(100 * q, k, letters, causal_mask(n))

hits = {c: guess(c)[:-1].argmax(axis=1).data == letters[1:].argmax(axis=1).data for c in [0, 1, 2, 4, 8]}
for c, hit in hits.items():
    print(f"{c} letters: {hit.mean():6.1%} right, {hit[n // 2 :].mean():6.1%} in the second half")
assert hits[4].mean() > 0.7 > 0.3 > hits[0].mean()

# %% [markdown]
# With 0 letters it guesses the most frequent letter so far. Where does the head look? Row: the place that guesses; column: the places it learns from. What are the
# long diagonals, and where are there none?

# %%
c = 4
shown = attention_weights(100 * concat(back[:c], dim=1), concat(back[1 : c + 1], dim=1), causal_mask(n))
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
left.imshow(shown.data, cmap="Blues", vmin=0, vmax=0.2)
left.set(xlabel="looked at", ylabel="who looks", title="the whole rhyme")
right.imshow(shown.data[89:125, 34:70], cmap="Blues", vmin=0, vmax=1)
right.set(title="a piece of it", xticks=range(36), yticks=range(36))
right.set_xticklabels(rhyme[34:70])
right.set_yticklabels(rhyme[89:125]);

# %% [markdown]
# ## Systems: what does a context cost?
#
# ### Count
#
# $n$ tokens, $H$ heads, float32: the weights alone take $4\,n^2 H$ bytes. Scores and mix take $2 \cdot 2\,n^2 d H$ operations. Twice the tokens: four times
# the memory, and in the end four times the time. Before you run: in which row does the measured memory differ most from the prediction, relatively? And how many arrays of that size do plain operations hold at once?

# %%
from tinytorch.core.setup import compare, peak_memory, readable, system_info, time_call

def plain(q, k, v):
    """The same in plain tensor operations."""
    return softmax((q / math.sqrt(q.shape[-1])) @ k.transpose(-1, -2), dim=-1) @ v

heads, d = 4, 32
print(f"{'tokens':>6} {'predicted':>10} {'measured':>10} {'ratio':>6} {'plain':>6} {'time':>10} {'× before':>8}")
before = math.nan
for n in [64, 128, 256, 512, 1024]:
    q, k, v = (randn(heads, n, d) for _ in range(3))
    predicted, measured = 4 * n * n * heads, peak_memory(scaled_dot_product_attention, q, k, v)
    seconds = time_call(scaled_dot_product_attention, q, k, v, repeat=5).min
    print(f"{n:6} {readable(predicted, 'B'):>10} {readable(measured, 'B'):>10} {measured / predicted:6.2f} "
          f"{peak_memory(plain, q, k, v) / predicted:6.2f} {readable(seconds, 's'):>10} {seconds / before:8.1f}")
    before = seconds
assert measured < 1.5 * predicted

# %% [markdown]
# With few tokens the vectors themselves, $4\,n\,d\,H$ bytes each, are not small beside $n^2$. With many, one array of all pairs is the whole memory; in plain operations it is several at once.
# The time grows faster or slower than fourfold where an array leaves a cache, or where NumPy's fixed costs still show.
#
# ### How long a context fits?
#
# If the weights of one sequence may fill the memory $m$, then $n = \sqrt{m / 4H}$. While a network learns, every layer keeps its weights for the way back: divide by the number of
# layers too. Predict by which factor 80 GB, a large accelerator, beat your machine.

# %%
def longest(memory, heads=8, layers=1):
    """How many tokens have weights that fit into so many bytes."""
    return math.isqrt(int(memory / (4 * heads * layers)))

for name, memory in [("this machine", system_info()["memory"]), ("80 GB", 80e9)]:
    print(f"{name}, {readable(memory, 'B')}: {longest(memory):,} tokens in one layer, {longest(memory, layers=32):,} in 32 that learn")

# %% [markdown]
# ### The memory is a choice
#
# A row of the weights needs no other row. So compute 64 queries at a time, and forget their weights at once. How many bytes now, for 1,024 tokens? And is it slower?

# %%
def in_blocks(q, k, v, size=64):
    return concat([scaled_dot_product_attention(q[:, i : i + size], k, v) for i in range(0, q.shape[1], size)], dim=1)

q, k, v = (randn(heads, 1024, d) for _ in range(3))
assert (in_blocks(q, k, v) - scaled_dot_product_attention(q, k, v)).abs().max().item() < 1e-5
for f in [scaled_dot_product_attention, in_blocks]:
    print(f"{f.__name__:30} {readable(peak_memory(f, q, k, v), 'B'):>8}  {readable(time_call(f, q, k, v, repeat=2).min, 's'):>8}")

# %% [markdown]
# The $n^2$ of operations stays, the $n^2$ of memory is gone, and what stays in the cache is not fetched again. FlashAttention (Dao et al. 2022) goes on from here: blocks of keys too, and on the way back the weights are computed once more.
#
# ### A copy that pays?
#
# Your `attention_scores` copies the keys before it multiplies. A view would save the copy. For 64 small products, 16 sequences of 4 heads, which is faster?

# %%
q, k = randn(16, 4, 128, 32).data, randn(16, 4, 128, 32).data
compare({"view": lambda: q @ k.swapaxes(-1, -2), "copy": lambda: q @ np.ascontiguousarray(k.swapaxes(-1, -2))}, rounds=9)

# %% [markdown]
# The products are the same. What differs is the path that the BLAS library takes for a transposed matrix, and whether it wakes all its threads for a product that is over
# in microseconds. It may be otherwise on your machine: hence the measurement.

# %% [markdown]
# ### Reflect: eight times the tokens
#
# Take the last row of your first table. Predict from it the time and the bytes of the weights for 8,192 tokens and 4 heads, and how many tokens could be attended to
# within one second. Give the arithmetic. Then say which of the two numbers `in_blocks` would change, and why the other one stays. At most six sentences, with your own numbers.

# %% [markdown] nbgrader={"grade": true, "grade_id": "context_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# 8,192 is 8 times 1,024, so both grow by 64. The weights take 4 · 8192² · 4 = 1.07 GB. If 1,024 tokens took 15 ms, 8,192 take 64 · 15 ms = 0.96 s, so about 8,192 · sqrt(1 / 0.96) = 8,400
# tokens fit into a second. In blocks of 64 the weights take 64 · 8192 · 4 · 4 = 8.4 MB. The time stays near 1 s, as each query still meets each key: the operations are the same.
#
# Rubric: 2 points for 1.07 GB (or 16.8 MB · 64), 2 for 64 times the measured time, whatever that is, 1 for a number of tokens from the square root, 2 for the memory as what changes, with the
# reason that the operations remain.

# %% [markdown]
# ### Reflect: mask, then divide again
#
# "A mask after the softmax is fine, if each row is then divided by its new sum. The forbidden terms cancel." Show on paper for one row that this is
# right in exact numbers. Then predict what the next cell prints for both ways, run it, and explain the difference in at most four sentences.

# %%
x = np.float32([[0, 1, 200]])
allowed = np.array([[True, True, False]])
after = softmax(Tensor(x), dim=-1) * allowed
after / after.sum(axis=-1, keepdims=True), softmax(Tensor(x + mask_bias(allowed)), dim=-1)

# %% [markdown] nbgrader={"grade": true, "grade_id": "renormalise_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# With Z the sum over all keys and Z' that over the allowed ones, (e^s / Z) / sum of allowed (e^s / Z) = e^s / Z': Z cancels. In float32 the
# maximum that is taken off is 200, of a forbidden key; e^-200 is 0, the allowed weights are 0 and 0, and 0/0 is nan. With the bias the maximum is taken among the allowed scores, and the weights
# are 0.27 and 0.73.
#
# Rubric: 2 points for the cancelling of the full sum; 2 for nan and the underflow of e^-200 (1 if only "0/0"); 2 for the reason that the bias makes the maximum that of an allowed key.

# %% [markdown]
# ### Reflect: order without positions?
#
# A causal layer gets tokens *without* positional encoding, and the first two of five tokens change places. Before you run: which of the five outputs change behind one layer (by more than rounding)? And
# behind two such layers, does the last output change? Explain both answers in at most five sentences: what does the causal mask tell each token about order, and what not?

# %%
one, two = MultiHeadAttention(8, 2, causal=True), MultiHeadAttention(8, 2, causal=True)
x = randn(5, 8, generator=np.random.default_rng(0))
swapped = x[[1, 0, 2, 3, 4]]
(one(swapped) - one(x)).abs().max(axis=1), (two(one(swapped)) - two(one(x))).abs().max(axis=1)

# %% [markdown] nbgrader={"grade": true, "grade_id": "order_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# Behind one layer only outputs 0 and 1 change. Outputs 2 to 4 ask with the same query and see the same set of keys and values, and a set has no order. Behind
# two layers all change: the first layer's output 0 came from one token alone, its output 1 from two, so the pair that the later tokens see is not the same
# pair in another order. The mask tells each token how many stand before it, by what it may see, but within one layer it does not tell in which order they stand.
#
# Rubric: 2 points for outputs 0 and 1 only, 2 for "the same set of keys and values" as the reason, 2 for the change behind two layers with the reason that the first two
# outputs differ as a set, 1 for what the mask tells (what came before, not its order).

# %% [markdown]
# ## Summary
#
# Tokens become vectors, know their place, and fetch from each other through masks that leak nothing, in any number of heads. All of it is tensor operations, and one `Op` that has saved
# what its derivative needs; no weight has been learned yet. Module 09 differentiates the layer as it stands, module 13 comes back to its speed, and the capstone can build a language model of it.
