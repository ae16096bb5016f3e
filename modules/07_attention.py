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
#     - let every token of a sequence fetch what it needs from any other token, for sequences of any length
#     - mask the future and the padding, and show with a test that nothing of them leaks
#     - set weights by hand that copy, reverse or look back one step, and read them off an attention map
#     - compute how long a context fits into a given memory, and check the result by measuring
# ---

# %% [markdown]
# # Attention
#
# > Every token asks, every token answers: attention, its masks, positions and heads.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace:
# the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(7)

# %% [markdown]
# ## Why
#
# Take a word as a table: one row for each letter, and a single 1 in each row, in the
# column of that letter. To reverse the word, mix the rows by a matrix. The matrix says
# which letter goes where.

# %%
import numpy as np

def one_hot(word):
    """A row for each letter, with a 1 in the letter's column: (len(word), 27)."""
    columns = [26 if c == " " else ord(c) - 97 for c in word]  # column 26 is the space
    return np.eye(27, dtype=np.float32)[columns]

def spell(rows):
    """The letter of the largest number in each row: (n, 27) -> n letters."""
    return "".join("abcdefghijklmnopqrstuvwxyz "[i] for i in rows.argmax(axis=-1))

# %%
mix = np.eye(6, dtype=np.float32)[::-1]  # (6, 6): row i takes from row 5 - i
spell(mix @ one_hot("drawer"))

# %% [markdown]
# Now a word with eight letters.

# %% tags=["raises-exception"]
spell(mix @ one_hot("stressed"))

# %% [markdown]
# These weights belong to *positions*, in sequences of one length. For some tasks no
# fixed matrix exists at all. "Which letter followed the last time that this letter came
# up?" Where to look depends on the letters.
#
# So the weights must be computed from the sequence itself. That is attention.

# %%
#| default_exp core.attention

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import math

import numpy as np

from tinytorch.core.activations import _floating
from tinytorch.core.dense import Dropout
from tinytorch.core.layers import Layer, Linear, Parameter
from tinytorch.core.tensor import Op, Tensor, apply, randn
from tinytorch.threads import BLOCK_BYTES, in_blocks, matmul

# %% [markdown]
# ## 1. Tokens become vectors
#
# A sequence comes as integers. Each integer is a **token**: a letter, a word, or a
# piece of a word. The integers are only names. Token 4 is not twice token 2, so a layer
# cannot compute with them. Instead each token has a row in a table, and the rows are
# learned:
#
# $$y_i = W_{t_i}$$

# %% [markdown]
# `ids` is an array or a tensor of integers of any dtype. It may have any shape
# `(*shape)` and may be empty. The result has shape `(*shape, embedding_dim)`. The given
# lines copy the integers: the derivative will need them, and the caller may overwrite
# the array.
#
# NumPy silently counts -1 from the end. So for a token below 0, or beyond the last row,
# raise an `IndexError` that contains this token and the number of rows.
# `ids[condition]` keeps the numbers that fulfil a condition, and `|` means "or" between
# two conditions, each in brackets.
#
# The result must remember the weight, so that a gradient can come back to it: index the
# weight itself with `ids`, not its `.data`. Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "embedding", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Embedding(Layer):
    """A learned vector for each token, at first drawn from a normal distribution."""

    def __init__(self, num_embeddings: int, embedding_dim: int):
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Parameter(randn(num_embeddings, embedding_dim))

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"

    def forward(self, ids) -> Tensor:
        """weight[ids]: integers (*shape) -> (*shape, embedding_dim)."""
        ids = np.asarray(ids)
        if ids.dtype.kind not in "iu":
            raise TypeError(f"tokens are integers, not {ids.dtype}")
        ids = ids.astype(np.int64)  # a copy
        ### BEGIN SOLUTION
        outside = ids[(ids < 0) | (ids >= self.num_embeddings)]
        if outside.size > 0:
            rows = self.num_embeddings
            raise IndexError(f"token {outside[0]} has no row in a table of {rows}")
        return self.weight[ids]
        ### END SOLUTION

# %% [markdown]
# Two sequences of three tokens. What shape does the result have, and which of its rows
# are equal?

# %%
table = Embedding(5, 2)
table(np.array([[0, 1, 4], [4, 4, 0]]))

# %% nbgrader={"grade": true, "grade_id": "embedding_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""An embedding is a one-hot product, for ids of any shape; it remembers its weight; a
token without a row is named."""
table, ids = Embedding(7, 3), np.array([[0, 6, 2, 2], [5, 1, 0, 6]])
y = table(ids)

assert y.shape == (2, 4, 3), f"(2, 4) tokens, 3 numbers each: (2, 4, 3), not {y.shape}"
rows = np.eye(7, dtype=np.float32)[ids] @ table.weight.data
np.testing.assert_array_equal(y.data, rows, "each token becomes its row of the table")
empty = table(ids[:0]).shape
assert empty == (0, 4, 3), f"no tokens, no vectors: (0, 4) -> (0, 4, 3), not {empty}"
assert y.dtype == np.float32, f"the rows of a float32 table are float32, not {y.dtype}"
assert isinstance(y, Tensor), f"the result must be a Tensor, not {type(y).__name__}"
inputs = y.origin[1] if y.origin else ()
assert any(t is table.weight for t in inputs), \
    "the result does not remember the weight: index self.weight, not its .data"
for token in [7, -1]:
    try:
        y = table([0, token, 1])
    except IndexError as error:
        named = str(token) in str(error) and "7" in str(error)
        assert named, f"the error must name token {token} and 7 rows; it says: {error}"
    else:
        raise AssertionError(f"token {token} has no row among 7: raise an IndexError")

# %% nbgrader={"grade": true, "grade_id": "embedding_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a single token, on no token, on a tensor of ids, and on which tokens
have a row."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_table = Embedding(4, 2)
_table.weight.data[...] = np.arange(8.0).reshape(4, 2)
answer([_table(3), _table(np.zeros((2, 0), int)).shape], about="one token, and none")
answer(_table(Tensor([[1, 0], [3, 3]])), about="a tensor of ids")
_tokens = (-5, -1, 0, 3, 4, 100)
answer([raised(_table, [1, t]) for t in _tokens], about="which tokens have a row")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Compare
#
# A dictionary finds the value of one key, if the key matches exactly. Attention also
# answers when nothing matches exactly. Each token asks with a **query** vector $q$.
# Each token has a **key** vector $k$, by which others find it, and a **value** vector
# $v$, which it hands over. The dot product of a query and a key says how well they
# match: it is large if both point in the same direction.

# %% [markdown]
# How large do such products become? Take queries and keys of normal random numbers, ten
# keys, and three widths $d$. The softmax of the ten products gives ten weights. Predict
# the largest weight for each width: near 1/10, or near 1?

# %%
from tinytorch.core.activations import softmax

rng = np.random.default_rng(0)
for d in [4, 64, 1024]:
    q, k = rng.standard_normal((1000, 1, d)), rng.standard_normal((1000, 10, d))
    products = (q @ k.swapaxes(-1, -2)).squeeze()  # (1000, 10)
    largest = softmax(Tensor(products), dim=-1).max(axis=-1).mean().item()
    print(f"d = {d:4}: standard deviation of the products {products.std():5.2f},"
          f" largest weight {largest:.2f} on average")

# %% [markdown]
# A sum of $d$ independent products, each of variance 1, has variance $d$. So in a wide
# layer the softmax chooses one key and ignores the others, although the numbers are
# random. It is saturated, and there almost no gradient comes back (module 03). So
# divide by the standard deviation. The result is the **scores**:
#
# $$S_{ij} = \frac{q_i \cdot k_j}{\sqrt d}, \qquad \text{shapes: }
# (…, n, d),\ (…, m, d) \to (…, n, m)$$

# %% [markdown]
# Write it on arrays, since it becomes part of an `Op`. `q` and `k` may be stacks of
# matrices: which two axes of `k` have to change places?
#
# `q` and `k` must not change. float32 must stay float32: `math.sqrt` gives a Python
# number, which leaves float32 as it is, but `np.sqrt(9)` is a float64 and makes the
# result float64.
#
# Two lines suffice. For speed, scale `q` instead of the larger product, and copy the
# transposed keys with `np.ascontiguousarray`. Systems measures what the copy wins.

# %% nbgrader={"grade": false, "grade_id": "attention_scores", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def attention_scores(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """q kᵀ / sqrt(d), query by key: (..., n, d), (..., m, d) -> (..., n, m)."""
    ### BEGIN SOLUTION
    keys = np.ascontiguousarray(k.swapaxes(-1, -2))  # (..., d, m)
    return (q / math.sqrt(q.shape[-1])) @ keys
    ### END SOLUTION

# %% [markdown]
# Two queries, three keys, $d = 4$. The second query matches none of the keys. Predict
# the six numbers.

# %%
q = np.float32([[2, 0, 0, 0], [0, 0, 0, 1]])
k = np.float32([[1, 0, 0, 0], [0, 1, 0, 0], [-1, 0, 1, 0]])
attention_scores(q, k)

# %% nbgrader={"grade": true, "grade_id": "attention_scores_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The score of query i and key j is q_i · k_j / sqrt(d), in a stack of matrices too; it
stays float32, and the inputs stay."""
rng = np.random.default_rng(0)
q, k = (rng.standard_normal((2, n, 9), np.float32) for n in (4, 3))
before = q.copy(), k.copy()
try:
    s = attention_scores(q, k)
except ValueError as error:
    what = "in a stack only the last two axes of k change places"
    raise AssertionError(f"{what}: {error}") from None

assert s.shape == (2, 4, 3), f"4 queries and 3 keys: (2, 4, 3), not {s.shape}"
expected = np.einsum("bid,bjd->bij", *before) / 3
what = "for width 9 the score must be q_i · k_j / 3"
np.testing.assert_allclose(s, expected, atol=1e-5, err_msg=what)
assert s.dtype == np.float32, f"float32 must stay float32, but the result is {s.dtype}"
assert (q == before[0]).all(), "attention_scores changed q: scale a copy of it"
assert (k == before[1]).all(), "attention_scores changed k"

# %% nbgrader={"grade": true, "grade_id": "attention_scores_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on 4-d stacks that broadcast, on a single key, and on the standard
deviation for a width of 4,096."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_r = np.random.default_rng(1)
_q = _r.standard_normal((2, 3, 4, 5), np.float32)
_k = _r.standard_normal((3, 2, 5), np.float32)
_close = {"rtol": 1e-4, "atol": 1e-5}
answer(attention_scores(_q, _k), about="stacks that broadcast", **_close)
answer(attention_scores(_q[0, 0], _k[0, :1]), about="one key", **_close)
_wide = attention_scores(*_r.standard_normal((2, 40, 4096), np.float32))
answer(round(float(_wide.std()), 1), about="the standard deviation for d = 4,096")
### END HIDDEN TESTS

# %% [markdown]
# A softmax turns each row of scores into weights, and the weights mix the values. The
# picture shows the whole way. The first query matches the first key well, the second
# query matches none. Predict the two rows of the result before you run the cell.

# %%
# You need not read this cell: it draws an array as a table of numbers.
import matplotlib.pyplot as plt

def table_of(ax, numbers, title, rows="", columns="", digits=2):
    numbers = np.asarray(numbers)
    ax.imshow(numbers, cmap="Blues", vmin=0, vmax=2 * numbers.max(), aspect="equal")
    for i, j in np.ndindex(numbers.shape):
        ax.text(j, i, f"{numbers[i, j]:.{digits}f}", ha="center", va="center")
    ax.set(title=title, xlabel=columns, ylabel=rows,
           xticks=range(numbers.shape[1]), yticks=range(len(numbers)))

# %%
q = np.float32([[6, 0, 0, 0], [0, 0, 0, 1]])
values = np.float32([[10, 0], [0, 10], [5, 5]])
k = np.float32([[1, 0, 0, 0], [0, 1, 0, 0], [-1, 0, 1, 0]])
scores = attention_scores(q, k)
weights = softmax(Tensor(scores), dim=-1)

# %%
figure, axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
table_of(axes[0], scores, "scores", "query", "key", 1)
table_of(axes[1], weights, "weights = softmax(scores)", "query", "key")
table_of(axes[2], values, "values", "key", "", 0)
table_of(axes[3], weights @ values, "weights @ values", "query")

# %% [markdown]
# A query that matches one key fetches its value. A query that matches no key fetches
# the mean of all values. Everything in between is possible, and changes smoothly. So
# such a dictionary can be learned.
#
# ## 3. Who may look at whom
#
# A program that writes a text letter by letter cannot look at the letters that come
# later. A **mask** says which looks are allowed. It is an array of bools with a row for
# each query and a column for each key. As in PyTorch's `scaled_dot_product_attention`,
#
# > **True means: may attend.**
#
# (In PyTorch's `nn.MultiheadAttention` True means the opposite.)

# %% [markdown]
# The **causal** mask lets query $i$ attend to the keys $j \le i$. Masks are NumPy
# arrays of bools, so that `&` and `~` combine them. One line suffices.

# %% nbgrader={"grade": false, "grade_id": "causal_mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def causal_mask(n: int) -> np.ndarray:
    """True where key j is not after query i: bool (n, n)."""
    ### BEGIN SOLUTION
    return np.tril(np.ones((n, n), bool))
    ### END SOLUTION

# %% [markdown]
# How many True are in each row?

# %%
causal_mask(4)

# %% nbgrader={"grade": true, "grade_id": "causal_mask_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Query i may attend to itself and to all before it, i + 1 keys in all; the mask is an
array of bools."""
mask = causal_mask(5)

assert isinstance(mask, np.ndarray), f"a mask is an array, not a {type(mask).__name__}"
assert mask.shape == (5, 5), f"5 queries and 5 keys: (5, 5), not {mask.shape}"
assert mask.dtype == bool, f"a mask holds bools, not {mask.dtype}"
allowed = mask.sum(axis=1).tolist()
assert allowed == [1, 2, 3, 4, 5], f"row i must allow i + 1 keys, not {allowed}"
assert mask[3, 0], "query 3 may attend to key 0, but the mask forbids it"
assert not mask[0, 3], "query 0 may not attend to key 3, but the mask allows it"

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
# The sequences of a batch have different lengths, but the rows of an array all have one
# length. So the short sequences are filled up at their end. Then no token should look
# at the filling.
#
# `lengths` holds the true length of each of $B$ sequences, and `n` is the length with
# the filling. Key $j$ of sequence $b$ is allowed if $j < \text{length}_b$, for every
# query.
#
# The scores will have shape (batch, heads, queries, keys). Give the mask the shape
# $(B, 1, 1, n)$, so that it broadcasts against them. One comparison makes it. `lengths`
# is a list or an array, and must not change. Two lines suffice.

# %% nbgrader={"grade": false, "grade_id": "padding_mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def padding_mask(lengths, n: int) -> np.ndarray:
    """True where a key is no padding: B lengths -> bool (B, 1, 1, n)."""
    ### BEGIN SOLUTION
    lengths = np.asarray(lengths).reshape(-1, 1, 1, 1)
    return np.arange(n) < lengths
    ### END SOLUTION

# %% [markdown]
# Two sequences of length 4, the second with two letters of filling, in a causal layer.
# Draw the masks on paper first. In the picture, 1 is True.

# %%
padded = padding_mask([4, 2], 4)
filling = np.repeat(padded[1, 0], 4, axis=0)  # the same row for every query
masks = {"causal": causal_mask(4), "padding, length 2": filling,
         "both, length 4": (padded & causal_mask(4))[0, 0],
         "both, length 2": (padded & causal_mask(4))[1, 0]}

# %%
figure, axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
for ax, (title, mask) in zip(axes, masks.items(), strict=True):
    table_of(ax, mask, title, "query", "key", 0)

# %% nbgrader={"grade": true, "grade_id": "padding_mask_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""The first length_b keys of sequence b are allowed; the mask broadcasts against
(batch, heads, queries, keys); the lengths stay."""
mask = padding_mask([3, 1, 5], 5)

assert mask.shape == (3, 1, 1, 5), f"the shape must be (3, 1, 1, 5), not {mask.shape}"
assert mask.dtype == bool, f"a mask holds bools, not {mask.dtype}"
keys = mask.sum(axis=-1).ravel().tolist()
assert keys == [3, 1, 5], f"lengths 3, 1 and 5 allow as many keys, not {keys}"
first = mask[0, 0, 0].tolist()
assert first == [True] * 3 + [False] * 2, f"length 3 allows 3 keys, not {first}"
lengths = np.array([2, 4], np.int32)
got = padding_mask(lengths, 4)[:, 0, 0].sum(axis=-1).tolist()
assert got == [2, 4], f"an array of lengths 2 and 4 allows as many keys, not {got}"
assert (lengths == [2, 4]).all(), f"padding_mask changed the lengths to {lengths}"

# %% nbgrader={"grade": true, "grade_id": "padding_mask_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on an array of lengths, an empty sequence, and with the causal mask."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_lengths = np.array([2, 4], np.int32)
answer([padding_mask(_lengths, 4), _lengths], about="an array of lengths, and it after")
answer(padding_mask([0, 1], 3), about="a sequence of length 0")
answer(padding_mask([4, 2, 3], 4) & causal_mask(4), about="with the causal mask")
### END HIDDEN TESTS

# %% [markdown]
# ### The mask in the wrong place
#
# The forbidden weights should be 0. So compute the softmax, then multiply by the mask?
# Take five tokens of four random numbers as queries, keys and values at once. What are
# the sums of the rows?

# %%
tokens = np.random.default_rng(0).standard_normal((5, 4), np.float32)

def masked_after(x):
    return softmax(Tensor(attention_scores(x, x)), dim=-1) * causal_mask(5)

masked_after(tokens).sum(axis=-1)

# %% [markdown]
# The sums should be 1. There is a worse fault: the future leaks. Change the *last*
# token only. Under a causal mask the other four outputs should stay as they are. How
# much does each output change?

# %%
def change(attend):
    """How much each output changes if the last token changes: (5,)."""
    other = tokens.copy()
    other[-1] += 3
    return (attend(other) @ other - attend(tokens) @ tokens).abs().max(axis=-1)

change(masked_after)

# %% [markdown]
# All outputs change, since the forbidden score stands in the denominator of every row.
# So set the forbidden scores to 0 *before* the softmax? Which outputs will change now?

# %%
def masked_by_zero(x):
    return softmax(Tensor(attention_scores(x, x) * causal_mask(5)), dim=-1)

change(masked_by_zero)

# %% [markdown]
# A score of 0 forbids nothing. Its share is $e^0 = 1$, as large as for a key that
# matches moderately. A share of 0 needs the score $-\infty$, as $e^{-\infty} = 0$. So
# add to each score
#
# $$\text{bias}_{ij} = \begin{cases} 0 & \text{if query } i \text{ may attend to key } j
# \\ -\infty & \text{else} \end{cases}$$

# %% [markdown]
# ### A query that may look at nothing
#
# If a row of the mask allows no key, all its scores are $-\infty$, and its weights are
# 0/0 = nan. A few layers later all numbers are nan. The cause is a mistake in the data:
# an empty sequence, or a mask with True and False exchanged. So here it is an error
# that says where.

# %% [markdown]
# Write `mask_bias`. If a row of the mask allows nothing, raise a `ValueError` that
# names the *first* such row by its indices, for example
# `row [1, 2] of the mask allows nothing`. `np.argwhere(condition)` lists the indices of
# all True, and `.tolist()` makes them plain numbers.
#
# The bias must be float32, otherwise it makes float64 of the scores. `np.where` gives
# float32 if both its branches are, such as `np.float32(0)`. Four lines suffice.
#
# (A mask of floats is a bias already, and is added to the scores as it is. The given
# lines look for rows of $-\infty$ in it, by your lines.)

# %% nbgrader={"grade": false, "grade_id": "mask_bias", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def mask_bias(mask) -> np.ndarray:
    """0 where attending is allowed, -inf elsewhere: bool (..., n, m) -> float32.
    A mask of floats is a bias already."""
    mask = np.asarray(mask)
    if mask.dtype.kind == "f":
        mask_bias(mask > -np.inf)
        return mask
    if mask.dtype != bool:
        raise TypeError("a mask holds bools, True where attending is allowed, or floats"
                        f" to add to the scores, but this one holds {mask.dtype}")
    ### BEGIN SOLUTION
    empty = np.argwhere(~mask.any(axis=-1))
    if len(empty) > 0:
        raise ValueError(f"row {empty[0].tolist()} of the mask allows nothing")
    return np.where(mask, np.float32(0), np.float32(-np.inf))
    ### END SOLUTION

# %%
mask_bias(causal_mask(3))

# %% [markdown]
# The second of three sequences is empty. Which row will the error name?

# %% tags=["raises-exception"]
mask_bias(padding_mask([2, 0, 1], 2))

# %% nbgrader={"grade": true, "grade_id": "mask_bias_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The bias is 0 or -inf in float32; the first row that allows nothing is named."""
bias = mask_bias(np.array([[True, False, True], [False, True, False]]))
expected = [[0, -np.inf, 0], [-np.inf, 0, -np.inf]]
assert bias.tolist() == expected, \
    f"0 where the mask is True, else -inf: {expected}, not {bias.tolist()}"
assert bias.dtype == np.float32, f"the bias must be float32, not {bias.dtype}"

mask = np.ones((2, 4, 3), bool)
mask[1, 2] = mask[1, 3] = False
narrow = np.eye(3, 2, dtype=bool)
for wrong, first, later in [(mask, "[1, 2]", "[1, 3]"), (narrow, "[2]", "[0]")]:
    try:
        bias = mask_bias(wrong)
    except ValueError as error:
        assert first in str(error) and later not in str(error), \
            f"name row {first}, the first that allows nothing; the error says: {error}"
    else:
        raise AssertionError(f"row {first} allows nothing: raise a ValueError")

# %% nbgrader={"grade": true, "grade_id": "mask_bias_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a 4-d mask, on columns (not rows) that allow nothing, and on which
masks are errors."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

answer(mask_bias(padding_mask([1, 3], 4) & causal_mask(4)), about="a 4-d mask")
answer(mask_bias(np.array([[True, False], [True, False]])), about="an empty column")
_masks = [np.eye(3, dtype=bool), np.tri(3, 3, -1, dtype=bool), np.zeros((2, 2), bool),
          np.ones((0, 3), bool), np.ones((3, 0), bool)]
answer([raised(mask_bias, _mask) for _mask in _masks], about="which masks are errors")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Weights, in one array
#
# $$A = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt d} + \text{bias}\right)$$
#
# This array has a number for *each pair* of tokens. It will be the largest array of the
# network. A softmax in plain operations makes four of that size: scores, shifted
# scores, exponentials, quotients. This op needs only one, if each step overwrites the
# step before: `w -= …`, `np.exp(w, out=w)`, `w /= …`. Overwriting is allowed here,
# because `attention_scores` has just made `w` and nothing else uses it.

# %% [markdown]
# Write `forward`: the scores, the bias if `mask` is not `None`, and the steps of a
# softmax (module 03) along the last axis. A mask may have axes of size 1 or fewer axes:
# its bias broadcasts. Each step must overwrite `w`: the peak memory, the most that is
# held at once, stays below two such arrays (with a full mask below three, since its
# bias is one of them). Where does the bias belong, so that a forbidden score cannot
# become the maximum that you take off?
#
# `q` and `k` must not change. Save `(q, k, w)`, since the derivative needs all three.
# Eight lines suffice.

# %% nbgrader={"grade": false, "grade_id": "attention_weights_op", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class AttentionWeightsOp(Op):
    """AttentionWeightsOp(mask): softmax(q kᵀ / sqrt(d)) over the allowed keys."""

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
        """A product, and six passes over its result."""
        return 2 * y.size * q.shape[-1] + 6 * y.size

# %% [markdown]
# The function for tensors is given. It names queries, keys and masks that do not fit
# together.

# %% nbgrader={"grade": false, "grade_id": "attention_weights", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _check_mask(mask, queries: tuple, keys: tuple) -> None:
    """A ValueError if the mask does not broadcast against the scores, or is learned."""
    if getattr(mask, "requires_grad", False):
        raise ValueError("a mask is not learned: no gradient would reach it")
    scores = (*np.broadcast_shapes(queries[:-2], keys[:-2]), queries[-2], keys[-2])
    try:
        fits = np.broadcast_shapes(np.shape(mask), scores) == scores
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"a mask {np.shape(mask)} does not fit the scores {scores}:"
                         " (..., queries, keys)")


def _comparable(q: Tensor, k: Tensor, mask) -> tuple[Tensor, Tensor]:
    """Both as floats, if they and the mask fit together; else a ValueError."""
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"queries {q.shape} and keys {k.shape} cannot be compared:"
                         f" widths {q.shape[-1]} and {k.shape[-1]}")
    if mask is not None:
        _check_mask(mask, q.shape, k.shape)
    elif k.shape[-2] == 0:
        raise ValueError(f"queries {q.shape} have no key to attend to: keys {k.shape}")
    return _floating(q), _floating(k)


def attention_weights(q: Tensor, k: Tensor, mask=None) -> Tensor:
    """Who looks at whom, each row of sum 1; in the mask True means: may attend.
    (..., n, d), (..., m, d) -> (..., n, m)."""
    return apply(AttentionWeightsOp(mask), *_comparable(q, k, mask))

# %% [markdown]
# The last token changes again. Which outputs change?

# %%
change(lambda x: attention_weights(Tensor(x), Tensor(x), causal_mask(5)))

# %% nbgrader={"grade": true, "grade_id": "attention_weights_op_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""The weights are the softmax of the allowed scores alone, even if a forbidden score is
huge; they take one array; q, k and w are saved, and q and k stay."""
from tinytorch.core.setup import peak_memory

rng = np.random.default_rng(0)
q, k = (12 * rng.standard_normal((2, n, 3), np.float32) for n in (4, 5))
k[:, 4] *= 100                      # huge, and forbidden to all queries but the last
mask = np.tri(4, 5, 1, dtype=bool)  # query i may attend to the keys 0 ... i + 1
before, op = (q.copy(), k.copy()), AttentionWeightsOp(mask)
w = op.forward(q, k)

assert not np.isnan(w).any(), \
    "there is nan in w: take off the largest allowed score of each row, then use exp"
for i in range(4):
    few = attention_scores(q[:, i : i + 1], k[:, : i + 2])  # with the allowed keys only
    few = np.exp(few - few.max(axis=-1, keepdims=True))
    expected = few / few.sum(axis=-1, keepdims=True)
    got, what = w[:, i : i + 1, : i + 2], f"row {i} is the softmax of keys 0 to {i + 1}"
    np.testing.assert_allclose(got, expected, atol=1e-5, err_msg=what)
assert (w[:, ~mask] == 0).all(), "the weight of a forbidden key must be exactly 0"
sums = AttentionWeightsOp(None).forward(q, k).sum(axis=-1)
what = "without a mask each row must sum to 1"
np.testing.assert_allclose(sums, np.ones((2, 4)), rtol=1e-5, err_msg=what)
assert len(op.saved) == 3, f"save the three arrays (q, k, w), not {len(op.saved)}"
same = [a is b for a, b in zip(op.saved, (q, k, w), strict=True)]
assert same == [True] * 3, "save q, k and w themselves, in this order"
assert (q == before[0]).all() and (k == before[1]).all(), "forward changed q or k"
many, one_row = rng.standard_normal((500, 4), np.float32), np.ones((1, 500), bool)
for what, mask in [("without a mask", None), ("with a mask of one row", one_row)]:
    arrays = peak_memory(AttentionWeightsOp(mask).forward, many, many) / (4 * 500**2)
    assert arrays < 1.5, (f"{what} the peak is {arrays:.2g} arrays of all pairs, not"
                          " one: overwrite w in each step")

# %% nbgrader={"grade": true, "grade_id": "attention_weights_op_hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a masked 4-d batch, on scores of ±10,000 (forbidden ones too), on its
memory, and on its inputs."""
### BEGIN HIDDEN TESTS
from tinytorch.core.setup import peak_memory
from tito.grading import answer, raised

_r = np.random.default_rng(3)
_q, _k = _r.standard_normal((2, 3, 2, 4, 6), np.float32)
_op = AttentionWeightsOp(padding_mask([4, 1, 3], 4) & causal_mask(4))
answer(_op.forward(_q, _k), about="4-d, masked", rtol=1e-4, atol=1e-5)
_far = np.float32([[1e4], [-1e4]])
with np.errstate(all="raise"):
    _raised = raised(AttentionWeightsOp(causal_mask(2)).forward, _far, _far)
    answer(_raised, about="huge scores raise nothing")
_other = AttentionWeightsOp(np.array([[False, True], [True, False]]))
answer(_other.forward(_far, _far), about="a huge score is forbidden")
_a = _r.standard_normal((500, 4), np.float32)
_peak = peak_memory(AttentionWeightsOp(None).forward, _a, _a)
answer(_peak < 1.5 * 4 * 500 * 500, about="one array of all pairs, not two")
_before = _q.copy()
AttentionWeightsOp(None).forward(_q, _k)
_misfit = raised(AttentionWeightsOp(np.ones((3, 3), bool)).forward, _q, _k)
answer([bool((_q == _before).all()), _misfit], about="inputs, misfit")
### END HIDDEN TESTS

# %% [markdown]
# ### Reflect: mask, then divide again
#
# "A mask after the softmax is fine, if each row is then divided by its new sum. The
# forbidden terms cancel." (a) Show on paper for one row that this is right in exact
# numbers. (b) Predict what the next cell prints for both ways. (c) Run it, and explain
# the difference in at most four sentences.

# %%
x = np.float32([[0, 1, 200]])
allowed = np.array([[True, True, False]])
after = softmax(Tensor(x), dim=-1) * allowed
before = softmax(Tensor(x + mask_bias(allowed)), dim=-1)
after / after.sum(axis=-1, keepdims=True), before

# %% [markdown] nbgrader={"grade": true, "grade_id": "renormalise_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# Let Z be the sum of $e^s$ over all keys, and Z' the sum over the allowed keys. Then
# $(e^s / Z)$ divided by its sum over the allowed keys, $Z' / Z$, is $e^s / Z'$: Z
# cancels. In float32 the softmax takes the maximum 200 off, which belongs to a
# forbidden key. $e^{-200}$ is 0, so both allowed weights are 0, and 0/0 is nan. With
# the bias the maximum is that of an allowed key, and the weights are 0.27 and 0.73.
#
# Rubric: 2 points for the cancelling of the full sum; 2 for nan and the underflow of
# $e^{-200}$ (1 if only "0/0"); 2 for the reason that the bias makes the maximum that of
# an allowed key.

# %% [markdown]
# ## 5. Scaled dot-product attention
#
# The weights mix the values (Vaswani et al. 2017):
#
# $$\mathrm{attention}(Q, K, V) =
# \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt d} + \text{bias}\right) V$$
#
# The number of queries may differ from the number of keys, and the values may have
# another width: $(…, n, d), (…, m, d), (…, m, e) \to (…, n, e)$.
#
# Write `attention` for arrays. It returns two of them: the mixed values, and the
# weights, which the derivative needs. `AttentionWeightsOp(mask)` is an op, and its
# `forward` gives the weights. Multiply with `matmul`, as in module 02. Two lines
# suffice.

# %% nbgrader={"grade": false, "grade_id": "sdpa", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask=None) -> tuple:
    """softmax(q kᵀ / sqrt(d) + bias) v, and the weights:
    (..., n, d), (..., m, d), (..., m, e) -> (..., n, e), (..., n, m)."""
    ### BEGIN SOLUTION
    w = AttentionWeightsOp(mask).forward(q, k)
    return matmul(w, v), w
    ### END SOLUTION

# %% [markdown]
# What does each query fetch if all keys are equal?

# %%
v = np.float32([[0, 1], [2, 3], [7, 8]])
attention(randn(2, 4).data, np.ones((3, 4), np.float32), v)[0]

# %% nbgrader={"grade": true, "grade_id": "sdpa_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The weights mix the values; equal keys fetch the mean; the future does not leak; the
weights come second; the inputs stay."""
rng = np.random.default_rng(0)
q, k, v = (rng.standard_normal((3, *s), np.float32) for s in [(4, 8), (5, 8), (5, 2)])
before = [x.copy() for x in (q, k, v)]
both = attention(q, k, v)
assert isinstance(both, tuple) and len(both) == 2, \
    "return two arrays, the mixed values and the weights: `return y, w`"
y, w = both
kinds = [type(array).__name__ for array in both]
assert kinds == ["ndarray"] * 2, f"return two NumPy arrays, not {' and '.join(kinds)}"
assert y.shape == (3, 4, 2), f"4 queries, values of width 2: (3, 4, 2), not {y.shape}"
assert y.dtype == np.float32, f"float32 stays float32, but the result is {y.dtype}"
weights = AttentionWeightsOp(None).forward(q, k)
assert w.shape == weights.shape, \
    f"the second array has the shape of the weights, {weights.shape}, not {w.shape}"
what = "the second array must be what AttentionWeightsOp(mask).forward(q, k) gives"
np.testing.assert_allclose(w, weights, atol=1e-5, err_msg=what)
mean = np.repeat(v.mean(axis=1, keepdims=True), 4, axis=1)
what = "if all keys are equal, each query fetches the mean of the values"
np.testing.assert_allclose(attention(q, k * 0, v)[0], mean, atol=1e-5, err_msg=what)
mixed = np.einsum("bij,bje->bie", weights, v)
what = "each row of the weights must mix the values"
np.testing.assert_allclose(y, mixed, atol=1e-5, err_msg=what)

c = causal_mask(5)
few = attention(k[:, :3], k[:, :3], v[:, :3], c[:3, :3])[0]
all_five = attention(k, k, v, c)[0]
what = "with a causal mask tokens 3 and 4 leak into the outputs before them"
np.testing.assert_allclose(all_five[:, :3], few, atol=1e-5, err_msg=what)
same = [(a == b).all() for a, b in zip(before, (q, k, v), strict=True)]
assert all(same), "attention changed q, k or v"

# %% nbgrader={"grade": true, "grade_id": "sdpa_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on a padded batch with heads, on one sequence, and on shapes that do not
fit."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_sizes, _f = [(4, 6), (5, 6), (5, 7)], attention
_r = np.random.default_rng(10)
_q, _k, _v = (_r.standard_normal((2, 3, *size), np.float32) for size in _sizes)
_y = _f(_q, _k, _v, padding_mask([5, 2], 5))
answer(list(_y), about="padded, three heads", rtol=1e-4, atol=1e-5)
answer(list(_f(_q[0, 0], _k[0, 0], _v[0, 0])), about="one", rtol=1e-4, atol=1e-5)
answer([raised(_f, _q, _v, _v), raised(_f, _q, _k, _q)], about="misfits")
### END HIDDEN TESTS

# %% [markdown]
# The op and the function for tensors are given. `algorithm` is the way in which the op
# computes: yours. Systems, below, puts a faster one there. Two options are PyTorch's:
# `is_causal` also forbids the future, and `scale` takes the place of $1/\sqrt d$.

# %% nbgrader={"grade": false, "grade_id": "attention_op", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def with_causal(mask, n: int, m: int) -> np.ndarray:
    """The mask (None: all is allowed), but no key after its query: (..., n, m)."""
    causal = causal_mask(max(n, m))[:n, :m]
    if mask is None:
        return causal
    mask = np.asarray(mask)
    return np.where(causal, mask, -np.inf) if mask.dtype.kind == "f" else causal & mask


class AttentionOp(Op):
    """AttentionOp(mask): attention in one op. Saves (q, k, v, weights)."""
    algorithm = staticmethod(attention)

    def forward(self, q, k, v):
        y, w = self.algorithm(q, k, v, *self.parameters)
        self.saved = (q, k, v, w)
        return y

    def flops(self, y, q, k, v) -> int:
        """Two products, and six passes over the weights."""
        pairs = math.prod(y.shape[:-1]) * k.shape[-2]
        return 2 * pairs * (q.shape[-1] + v.shape[-1]) + 6 * pairs


def scaled_dot_product_attention(
    q: Tensor, k: Tensor, v: Tensor, mask=None, *,
    is_causal: bool = False, scale: float | None = None,
) -> Tensor:
    """softmax(q kᵀ / sqrt(d)) v; in the mask True means: may attend.
    (..., n, d), (..., m, d), (..., m, e) -> (..., n, e)."""
    if is_causal:
        mask = with_causal(mask, q.shape[-2], k.shape[-2])
    if scale is not None:
        q = q * (scale * math.sqrt(q.shape[-1]))
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"keys {k.shape} need as many values, not {v.shape}")
    return apply(AttentionOp(mask), *_comparable(q, k, mask), _floating(v))

# %% [markdown]
# What does the result remember: three ops, or one?

# %%
x = Tensor([[1.0, 0.0], [0.0, 2.0]], requires_grad=True)
scaled_dot_product_attention(x, x, x)

# %% [markdown]
# ## 6. Positions
#
# Attention compares contents and nothing else. Below, each letter of two words attends
# to all letters, by its one-hot row. Which letter is the strongest in each output? Is
# its share the same in both words?

# %%
for word in ["listen", "silent"]:
    x = Tensor(one_hot(word))
    y = scaled_dot_product_attention(x, x, x)
    shares = zip(spell(y.data), y.max(axis=-1), strict=True)
    print(word, [f"{letter} {share.item():.3f}" for letter, share in shares])

# %% [markdown]
# Every letter gets the same share in both words. If the inputs are shuffled, the
# outputs are shuffled in the same way, and nothing else changes. So the order has to be
# written into the vectors.
#
# A clock shows the time by hands of different speeds. In the same way position $p$ gets
# $d/2$ hands. Hand $i$ stands at the angle $p\,\omega_i$. Its sine and its cosine are
# two columns:
#
# $$P_{p,2i} = \sin(p\,\omega_i), \qquad P_{p,2i+1} = \cos(p\,\omega_i), \qquad
# \omega_i = 10000^{-2i/d}$$
#
# The first hand turns by one radian a step. In a wide table the last hand needs about
# 60,000 steps for one turn.

# %% [markdown]
# Write the table for an even `dim`. All angles come from one product that broadcasts:
# positions as a column, speeds as a row. (`np.arange(0, dim, 2)` is $2i$.) Then sines
# and cosines alternate in the columns; slices with step 2, such as `table[:, 0::2]`,
# reach every second column.
#
# Compute the angles in float64, as NumPy does by itself, since the angle of a far
# position is too coarse in float32. Round only the result to float32. Four lines
# suffice.

# %% nbgrader={"grade": false, "grade_id": "sinusoids", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def sinusoids(length: int, dim: int) -> np.ndarray:
    """sin(p w_i) in column 2i and cos(p w_i) in column 2i + 1, w_i = 10000^(-2i/dim):
    float32 (length, dim)."""
    ### BEGIN SOLUTION
    angles = np.arange(length)[:, None] * 10_000.0 ** (-np.arange(0, dim, 2) / dim)
    table = np.empty((length, dim), np.float32)
    table[:, 0::2], table[:, 1::2] = np.sin(angles), np.cos(angles)
    return table
    ### END SOLUTION

# %% [markdown]
# Three positions, two hands. Which numbers stand in row 0, and which column changes
# faster, 0 or 2?

# %%
sinusoids(3, 4)

# %% nbgrader={"grade": true, "grade_id": "sinusoids_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Each pair is a point on the unit circle; dot products depend on the distance alone;
the speeds are right, and exact at far positions."""
P = sinusoids(50, 8)

assert P.shape == (50, 8), f"50 positions, 8 columns: (50, 8), not {P.shape}"
assert P.dtype == np.float32, f"the table must be float32, not {P.dtype}"
radii = (P.reshape(50, 4, 2) ** 2).sum(axis=-1)
what = "columns 2i and 2i + 1 are sine and cosine of one angle: sin² + cos² = 1"
np.testing.assert_allclose(radii, np.ones((50, 4)), atol=1e-6, err_msg=what)
far, what = np.sin(np.arange(9000) / 10), "for dim 8 column 2 is sin(p / 10)"
np.testing.assert_allclose(P[:, 2], far[:50], atol=1e-6, err_msg=what)
what = "far positions are exact too: compute the angles in float64"
np.testing.assert_allclose(sinusoids(9000, 8)[:, 2], far, atol=1e-6, err_msg=what)
slow, what = np.cos(np.arange(50) / 1000), "for dim 8 the last column is cos(p / 1000)"
np.testing.assert_allclose(P[:, 7], slow, atol=1e-6, err_msg=what)
what = "the dot product of two positions 7 steps apart is the same everywhere"
np.testing.assert_allclose(P[3] @ P[10], P[30] @ P[37], atol=1e-5, err_msg=what)

# %% nbgrader={"grade": true, "grade_id": "sinusoids_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on another width, a single hand, no position, and far positions."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer([sinusoids(9, 6), sinusoids(5, 2), sinusoids(0, 4)], about="other sizes")
answer(sinusoids(60_001, 6)[-1], about="position 60,000")
### END HIDDEN TESTS

# %% [markdown]
# Left: the table, with one position in each column of the picture. Right: the dot
# product of each position with position 30. What will the right picture look like for
# position 60?

# %%
P = sinusoids(100, 32)
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3), layout="constrained")
fig.colorbar(left.imshow(P.T, cmap="coolwarm", aspect="auto"), ax=left)
left.set(xlabel="position", ylabel="column")
right.plot(P @ P[30])
right.set(xlabel="position", ylabel="dot product with position 30")
right.grid(alpha=0.3)

# %% [markdown]
# The layer is given. It adds the table to its input and has nothing to learn. (An
# `Embedding` of the positions would be learned, but it would know nothing of positions
# that were not in its training data.)

# %% nbgrader={"grade": false, "grade_id": "positional_encoding", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class PositionalEncoding(Layer):
    """Adds its position to each token: the sinusoids of Vaswani et al. 2017."""

    def __init__(self, embed_dim: int, max_length: int = 1024):
        if embed_dim % 2:
            raise ValueError("sines and cosines come in pairs:"
                             f" embed_dim must be even, not {embed_dim}")
        self.table = Tensor(sinusoids(max_length, embed_dim))

    def extra_repr(self) -> str:
        return f"{self.table.shape[1]}, max_length={self.table.shape[0]}"

    def forward(self, x: Tensor) -> Tensor:
        """x + table[:n]: (..., n, embed_dim) -> (..., n, embed_dim)."""
        n, longest = x.shape[-2], len(self.table)
        if n > longest:
            raise ValueError(f"{n} tokens, but the table of positions ends at"
                             f" {longest}: ask for a larger max_length")
        return x + self.table[:n]

# %% [markdown]
# ### Steps are rotations
#
# A query that looks at the token before it has to match the key at $p - 1$. Is there
# one *matrix* that turns $P_p$ into $P_{p+s}$, the same for every $p$? It has to turn
# each hand by $a = s\,\omega_i$. The angle addition formulas say
#
# $$\sin(p\omega + a) = \sin(p\omega)\cos a + \cos(p\omega)\sin a$$
# $$\cos(p\omega + a) = \cos(p\omega)\cos a - \sin(p\omega)\sin a$$

# %% [markdown]
# Fill $M$ so that $P_p\,M = P_{p+s}$. The entry $M_{rc}$ says how much of the old
# column $r$ goes into the new column $c$. The sines are in the columns `even`, the
# cosines in `odd`. So `M[even, even] = …` sets the share of the old sines in the new
# sines, for all hands at once. There are four such shares: four lines.

# %% nbgrader={"grade": false, "grade_id": "turn", "locked": false, "schema_version": 3, "solution": true, "task": false}
def turn(dim: int, steps: float) -> np.ndarray:
    """M with sinusoids(n, dim)[p] @ M == sinusoids(n, dim)[p + steps] for every p:
    float32 (dim, dim)."""
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

# %% [markdown]
# One hand, no step; then one hand, one step. Predict both matrices.

# %%
turn(2, 0), turn(2, 1)

# %% nbgrader={"grade": true, "grade_id": "turn_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""turn moves every position by the same number of steps, forwards and backwards."""
P = sinusoids(40, 12)

what = "turn(12, 3) must move every position three steps on"
np.testing.assert_allclose(P[:-3] @ turn(12, 3), P[3:], atol=1e-5, err_msg=what)
what = "turn(12, -5) must move every position five steps back"
np.testing.assert_allclose(P[5:] @ turn(12, -5), P[:-5], atol=1e-5, err_msg=what)
returned, what = turn(12, 7) @ turn(12, -7), "7 steps on and 7 back change nothing"
np.testing.assert_allclose(returned, np.eye(12), atol=1e-6, err_msg=what)

# %% nbgrader={"grade": true, "grade_id": "turn_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on another width, on no step, and on half a step."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer([turn(6, 2), turn(4, 0), turn(4, 0.5)], about="the matrices")
### END HIDDEN TESTS

# %% [markdown]
# ### Weights by hand
#
# The keys are the positions, $K = P$. The queries are $Q = P\,W$. Find $W$ for three
# tasks on a sequence of $n$ tokens. Query $p$ looks at
#
# - `"copy"`: position $p$, itself;
# - `"previous"`: position $p - 1$;
# - `"reverse"`: position $n - 1 - p$.
#
# A turn alone cannot reverse, since a turn keeps the direction. How does the code of
# $-p$ differ from the code of $p$? The given diagonal matrix `mirror` changes the sign
# of every sine. The result must be float32. Three lines suffice.

# %% nbgrader={"grade": false, "grade_id": "query_weights", "locked": false, "schema_version": 3, "solution": true, "task": false}
def query_weights(task: str, n: int, dim: int) -> np.ndarray:
    """W with P[p] @ W == P[the position at which p looks], for "copy", "previous" or
    "reverse": float32 (dim, dim)."""
    mirror = np.diag(np.tile(np.float32([-1, 1]), dim // 2))  # gives the code of -p
    ### BEGIN SOLUTION
    weights = {"copy": turn(dim, 0), "previous": turn(dim, -1),
               "reverse": mirror @ turn(dim, n - 1)}
    return weights[task]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "query_weights_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Each query is the code of the position that its task names, for two lengths."""
for n in [7, 12]:
    P, places = sinusoids(n, 32), np.arange(n)
    targets = {"copy": places, "previous": places - 1, "reverse": places[::-1]}
    for task, target in targets.items():
        W = query_weights(task, n, 32)
        assert W.dtype == np.float32, f"{task}: it must be float32, not {W.dtype}"
        found = attention_scores(P @ W, P).argmax(axis=1)[1:].tolist()
        assert found == target[1:].tolist(), \
            f"{task}, n = {n}: should look at {target[1:].tolist()}, looks at {found}"
        what = f"{task}, n = {n}: each query must be the code of its target"
        np.testing.assert_allclose((P @ W)[1:], P[target[1:]], atol=1e-4, err_msg=what)

# %% nbgrader={"grade": true, "grade_id": "query_weights_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again by the matrices themselves, for another length and width."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

for _task in ["copy", "previous", "reverse"]:
    answer(query_weights(_task, 9, 8), about=_task)
### END HIDDEN TESTS

# %% [markdown]
# Now the maps. A large factor on the queries makes one weight of the softmax almost 1.
# A row is the token that looks, a column the token that it looks at. Draw the three
# maps on paper first. In "previous", there is no letter before the first one. Where
# will the first letter look?

# %%
word, sharpness = "stressed", 100
n = len(word)
P = Tensor(sinusoids(n, 32))

def look(task):
    """The attention map of a task, on positions alone: (n, n)."""
    return attention_weights(sharpness * (P @ query_weights(task, n, 32)), P)

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
for ax, task in zip(axes, ["copy", "previous", "reverse"], strict=True):
    ax.imshow(look(task).data, cmap="Blues", vmin=0, vmax=1)
    ax.set(title=task, xlabel="looked at", ylabel="who looks",
           xticks=range(n), yticks=range(n))
    ax.set_xticklabels(word)
    ax.set_yticklabels(word)

# %% [markdown]
# In "previous" the first letter looks at itself, since of all keys position 0 is the
# nearest to -1. With the letters as values the maps do their tasks. Only the query of
# "reverse" needs the length.

# %%
tasks = ["copy", "previous", "reverse"]
results = {task: spell((look(task) @ one_hot(word)).data) for task in tasks}
assert results == {"copy": "stressed", "previous": "sstresse", "reverse": "desserts"}
results

# %% [markdown]
# ## 7. Several heads
#
# One token has two wishes: the letter before *and* the letter after. Add the two
# queries. At which letter does the third letter look now?

# %%
both = attention_weights(sharpness * (P @ (turn(32, -1) + turn(32, 1))), P)
both[2].data.round(3)

# %% [markdown]
# At itself. A query has one direction, and the sum of two directions is a third one,
# between them. Even if a softmax divided its weight between two tokens, it would hand
# over one mixture of their values, and a mixture cannot be taken apart again.
#
# So for two wishes take two **heads**. Cut the width $E$ into $H$ parts of $E/H$
# numbers, let each part attend by itself, and put the parts side by side again. The
# heads are an axis in front of the last two, so `scaled_dot_product_attention` stays as
# it is.
#
# Both functions are given. In which order are the axes after each of the steps?

# %% nbgrader={"grade": false, "grade_id": "heads", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Cut each token into heads, a view: (..., n, E) -> (..., heads, n, E / heads)."""
    *batch, n, width = x.shape
    return x.reshape(*batch, n, num_heads, width // num_heads).transpose(-2, -3)


def merge_heads(x: Tensor) -> Tensor:
    """Heads side by side again, a copy: (..., heads, n, D) -> (..., n, heads * D)."""
    *batch, heads, n, width = x.shape
    return x.transpose(-2, -3).reshape(*batch, n, heads * width)

# %%
x = Tensor(np.arange(12).reshape(2, 6))  # two tokens, six numbers each
split_heads(x, 3), merge_heads(split_heads(x, 3))

# %% [markdown]
# ### The layer
#
# The query, key and value of each token are learned. Three linear layers compute them
# from the same $x$. A fourth layer mixes what the heads have found:
#
# $$\mathrm{MHA}(X) = \mathrm{merge}\big(\mathrm{attention}(XW_q^\top + b_q,\
# XW_k^\top + b_k,\ XW_v^\top + b_v)\big)\,W_o^\top + b_o$$
#
# $X$ is $(…, n, E)$, with a batch or without one, and each head attends by itself.
#
# A translator looks from the tokens that it writes to the tokens that it reads. This is
# **cross-attention**: the queries come from one sequence, keys and values from another
# one, whose length may differ.

# %% [markdown]
# Three methods are given. `project(query, key, value)` applies the three linear layers
# and splits the heads; without a key it takes the query, without a value the key.
# `allowed(n, mask)` combines your causal mask for $n$ queries with the mask of the
# caller. `attend(q, k, v, mask)` is `scaled_dot_product_attention`; while the layer
# learns, a dropout acts on the weights.

# %% nbgrader={"grade": false, "grade_id": "mha_base", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class _Heads(Layer):
    """What the heads of a layer need: projections, masks, dropout."""

    def __init__(
        self, embed_dim: int, num_heads: int, causal: bool = False, dropout: float = 0.0
    ):
        if embed_dim % num_heads:
            raise ValueError(
                f"a width of {embed_dim} cannot be cut into {num_heads} equal heads")
        self.num_heads, self.causal = num_heads, causal
        self.q_proj = Linear(embed_dim, embed_dim)
        self.k_proj = Linear(embed_dim, embed_dim)
        self.v_proj = Linear(embed_dim, embed_dim)
        self.out_proj = Linear(embed_dim, embed_dim)
        self.dropout = Dropout(dropout)

    def extra_repr(self) -> str:
        return f"num_heads={self.num_heads}, causal={self.causal}"

    def project(self, query: Tensor, key=None, value=None) -> list[Tensor]:
        """Queries, keys, values: (..., n, E) -> three of (..., heads, n, E / heads)."""
        key = query if key is None else key
        if not isinstance(key, Tensor) or key.dtype == bool:
            raise TypeError("keys are a tensor of vectors; give a mask as mask=...")
        parts = [self.q_proj(query), self.k_proj(key)]
        parts.append(self.v_proj(key if value is None else value))
        return [split_heads(part, self.num_heads) for part in parts]

    def allowed(self, n: int, mask):
        """The mask, and the causal one if the layer is causal; None allows all."""
        return with_causal(mask, n, n) if self.causal else mask

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask) -> Tensor:
        """scaled_dot_product_attention, with dropout of the weights while it learns."""
        if not (self.training and self.dropout.p):
            return scaled_dot_product_attention(q, k, v, mask)
        return self.dropout(attention_weights(q, k, mask)) @ v

# %% [markdown]
# Write `forward` with all three. The layer must take keys and values from another
# sequence. Both masks must act. The result must remember the parameters of all four
# linear layers. Inputs and the mask of the caller must not change, and float32 stays
# float32.
# Three lines suffice.

# %% nbgrader={"grade": false, "grade_id": "mha", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class MultiHeadAttention(_Heads):
    """Each token fetches from the others what it asks for, once in each head; if
    causal, only from itself and the tokens before it."""

    def weights(self, query: Tensor, key=None, mask=None) -> Tensor:
        """The attention map of each head: (..., n, E) -> (..., heads, n, m)."""
        q, k, _ = self.project(query, key)
        return attention_weights(q, k, self.allowed(q.shape[-2], mask))

    def forward(self, query: Tensor, key=None, value=None, mask=None) -> Tensor:
        """(..., n, E) -> (..., n, E); a mask broadcasts against (..., heads, n, m)."""
        ### BEGIN SOLUTION
        q, k, v = self.project(query, key, value)
        heads = self.attend(q, k, v, self.allowed(q.shape[-2], mask))
        return self.out_proj(merge_heads(heads))
        ### END SOLUTION

# %% [markdown]
# How many parameters does a layer of width 64 have with 4 heads, and how many with 8?

# %%
[sum(p.size for p in MultiHeadAttention(64, heads).parameters()) for heads in [4, 8]]

# %%
MultiHeadAttention(64, 4, causal=True)

# %% [markdown]
# A token goes through three layers, from its number to what it has found. Two sequences
# of five tokens: which shape comes out of each layer?

# %%
ids = np.array([[3, 1, 4, 1, 5], [2, 7, 1, 8, 2]])
vectors = Embedding(9, 64)(ids)
placed = PositionalEncoding(64)(vectors)
vectors.shape, placed.shape, MultiHeadAttention(64, 4)(placed).shape

# %% [markdown]
# The five tokens of each sequence now look into another sequence of seven. Which shape
# has the result, and which shape have the weights of the four heads?

# %%
layer, other = MultiHeadAttention(64, 4), randn(2, 7, 64)
layer(placed, other).shape

# %%
layer.weights(placed, other).shape

# %% nbgrader={"grade": true, "grade_id": "mha_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Each head attends by itself, the heads stand side by side and are projected;
padding and future do not leak; a batch is not needed; the mask stays."""
mha, x = MultiHeadAttention(6, 3), randn(2, 5, 6, generator=np.random.default_rng(0))
y = mha(x)

assert y.shape == (2, 5, 6), f"the shape stays: (2, 5, 6), not {y.shape}"
behind = [y]
for tensor in behind:  # the list grows while we walk: in the end all that y was made of
    behind += tensor.origin[1] if tensor.origin else ()
for name, p in mha.named_parameters():
    assert any(tensor is p for tensor in behind), \
        f"the result does not remember {name}: compute with tensors, not .data"
assert y.dtype == np.float32, f"float32 stays float32, but the result is {y.dtype}"
q, k, v = (layer(x) for layer in (mha.q_proj, mha.k_proj, mha.v_proj))
heads = [slice(i, i + 2) for i in (0, 2, 4)]
attend = scaled_dot_product_attention
parts = [attend(q[..., i], k[..., i], v[..., i]).data for i in heads]
alone = mha.out_proj(Tensor(np.concatenate(parts, axis=-1))).data
what = "head i must attend with the columns 2i and 2i + 1, and out_proj comes last"
np.testing.assert_allclose(y.data, alone, atol=1e-5, err_msg=what)

mask = padding_mask([5, 3], 5)
padded = mha(x, mask=mask).data[1, :3]
what = "the caller masks tokens 3 and 4, but they leak"
np.testing.assert_allclose(padded, mha(x[1, :3]).data, atol=1e-5, err_msg=what)
mha.causal = True
later = Tensor(np.where(np.arange(5)[:, None] < 3, x.data[0], 7))  # others at 3, 4
what = "the layer is causal, but tokens 3 and 4 leak into the outputs before them"
try:
    got = mha(later).data[:3]
except ValueError as error:
    raise AssertionError(f"(n, E) without a batch: n is its axis -2: {error}") from None
np.testing.assert_allclose(got, mha(x).data[0, :3], atol=1e-5, err_msg=what)
mask = np.ones((5, 5), bool)
mha(x, mask=mask)
assert mask.all(), "forward changed the mask of the caller"

# %% nbgrader={"grade": true, "grade_id": "mha_cross_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Keys and values may come from another sequence, each from its own; in training mode,
weights drop out."""
mha, x = MultiHeadAttention(6, 3), randn(2, 5, 6, generator=np.random.default_rng(0))
y, other = mha(x), randn(2, 7, 6, generator=np.random.default_rng(1))
own = mha(x, other)
assert own.shape == (2, 5, 6), f"5 queries, 7 keys: (2, 5, 6), not {own.shape}"
same = mha(x, other[:, ::-1], other[:, ::-1])
what = "keys and values come from the other sequence, and their order does not matter"
np.testing.assert_allclose(own.data, same.data, atol=1e-5, err_msg=what)
three = x, other, 2 * other
before = [t.data.copy() for t in three]
apart = (mha(*three) - own).abs().max()
assert apart > 1e-3, "the values are an argument of their own, but they change nothing"
for t, old in zip(three, before, strict=True):
    assert (t.data == old).all(), "forward changed a query, a key or a value"
mha.dropout.p = 0.9
apart = (mha(x) - mha(x)).abs().max(), (mha.eval()(x) - y).abs().max()
assert apart[0] > 1e-3 > apart[1], "use attend: in training mode weights drop out"

# %% nbgrader={"grade": true, "grade_id": "mha_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again with given weights, on padding with and without causality, on one
sequence without a batch, on another sequence, and on the mask after the call."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_r, _close = np.random.default_rng(5), {"rtol": 1e-4, "atol": 1e-4}
_mha = MultiHeadAttention(8, 2)
for _p in _mha.parameters():
    _p.data[...] = _r.standard_normal(_p.shape)
_x = randn(3, 4, 8, generator=_r)
_mask = padding_mask([4, 1, 2], 4)
_y = _mha(_x, mask=_mask)
answer([_y, _mask], about="padding; the mask after the call", **_close)
_other = randn(3, 2, 8, generator=_r)
answer([_mha(_x, _other), _mha(_x, _other, _other * 2, padding_mask([2, 1, 2], 2))],
       about="another sequence", **_close)
_mha.causal = True
answer(_mha(_x, mask=padding_mask([4, 1, 2], 4)), about="padding, causal", **_close)
answer([_mha(_x[0]), _mha(_x).requires_grad], about="no batch; remembered", **_close)
_masks = padding_mask([4, 0, 2], 4), np.ones((3, 4)), np.ones((4, 4), int)
answer([raised(lambda m: _mha(_x, mask=m), _mask) for _mask in _masks], about="masks")
### END HIDDEN TESTS

# %% [markdown]
# ### Reflect: order without positions?
#
# A causal layer gets five tokens *without* positional encoding, and the first two
# change places. Before you run: (a) Which of the five outputs of one layer change by
# more than rounding? (b) Does the last output of two such layers change? (c) Explain
# both answers in at most five sentences: what does the causal mask tell each token
# about the order, and what does it not tell?

# %%
one, two = (MultiHeadAttention(8, 2, causal=True) for _ in range(2))
x = randn(5, 8, generator=np.random.default_rng(0))
swapped = x[[1, 0, 2, 3, 4]]
((one(swapped) - one(x)).abs().max(axis=1),
 (two(one(swapped)) - two(one(x))).abs().max(axis=1))

# %% [markdown] nbgrader={"grade": true, "grade_id": "order_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# In one layer only outputs 0 and 1 change. Outputs 2 to 4 ask with the same query and
# see the same set of keys and values, and a set has no order. In two layers all outputs
# change. Output 0 of the first layer came from one token alone, output 1 from two. So
# the later tokens of the second layer see another pair, not the same pair in another
# order. The mask decides which tokens each token sees, so it tells what came before.
# Within one layer it does not tell in which order they came.
#
# Rubric: 2 points for outputs 0 and 1 only; 2 for "the same set of keys and values" as
# the reason; 2 for the change in two layers, with the reason that the first two outputs
# differ as a set; 1 for what the mask tells (what came before, not its order).

# %% [markdown]
# ### Layer norm
#
# Deep networks of attention add what a layer finds to what it was given: $x + f(x)$.
# So the numbers grow, layer by layer. What does attention do with tokens that are 3, 10
# or 30 times as large? Below is the largest weight of each query, on average over 20
# tokens. Predict the last number.

# %%
layer, x = MultiHeadAttention(64, 4), randn(20, 64)

# %%
[layer.weights(factor * x).max(axis=-1).mean().item() for factor in (1, 3, 10, 30)]

# %% [markdown]
# A softmax of large scores chooses one key, and almost no gradient comes back. Module
# 06 sets the scale of each *channel* over the batch. For sequences that fails: their
# lengths differ, and padding would count. **Layer norm** (Ba et al. 2016) sets the
# scale of each *token* over its own numbers:
#
# $$y = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} \cdot w + b$$
#
# $\mu$ and $\sigma^2$ belong to one token. So it needs no running statistics, and does
# the same in both modes. The weight $w$ and the bias $b$ have a number for each column.

# %% [markdown]
# `normalized_shape` says which axes a token has: 64 means the last axis, of that size;
# (4, 16) means the last two. The given lines check that, and turn it into `axes`.
#
# Write the formula. The variance is the mean of the squared deviations $x - \mu$. Never
# subtract $\mu^2$ from the mean of $x^2$: if $\mu$ is large, rounding is all that is
# left. `weight` and `bias` may each be `None`. The result must remember all parts. Six
# lines suffice.

# %% nbgrader={"grade": false, "grade_id": "layer_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class LayerNorm(Layer):
    """Each token with mean 0 and variance 1, then times a weight, plus a bias."""

    def __init__(
        self, normalized_shape, eps: float = 1e-5,
        elementwise_affine: bool = True, bias: bool = True,
    ):
        several = isinstance(normalized_shape, (tuple, list))
        self.normalized_shape = shape = (
            tuple(normalized_shape) if several else (normalized_shape,))
        self.eps, affine = eps, elementwise_affine
        self.weight = Parameter(np.ones(shape)) if affine else None
        self.bias = Parameter(np.zeros(shape)) if affine and bias else None

    def extra_repr(self) -> str:
        affine = self.weight is not None
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={affine}"

    def forward(self, x: Tensor) -> Tensor:
        """(x - mean) / sqrt(var + eps) * weight + bias, token by token."""
        axes = tuple(range(-len(self.normalized_shape), 0))
        if x.shape[axes[0] :] != self.normalized_shape:
            wanted = ", ".join(map(str, self.normalized_shape))
            raise ValueError(f"{self} takes (*, {wanted}), not {x.shape}")
        x = _floating(x)
        ### BEGIN SOLUTION
        d = x - x.mean(axes, keepdims=True)
        scale = 1 / ((d * d).mean(axes, keepdims=True) + self.eps).sqrt()
        y = d * scale
        if self.weight is not None:
            y = y * self.weight
        return y if self.bias is None else y + self.bias
        ### END SOLUTION

# %% [markdown]
# The same tokens, with a layer norm before the attention. Predict the four numbers.

# %%
norm = LayerNorm(64)

# %%
[layer.weights(norm(f * x)).max(axis=-1).mean().item() for f in (1, 3, 10, 30)]

# %% nbgrader={"grade": true, "grade_id": "layer_norm_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Each token is normalised by its own mean and variance, over one axis or several; a
large mean does no harm; all parts are remembered."""
rng = np.random.default_rng(0)
x = (5 + 2 * rng.standard_normal((2, 3, 4, 6))).astype(np.float32)
for shape, eps in [(6, 0.5), ((4, 6), 1e-5)]:
    norm, axes = LayerNorm(shape, eps), (-2, -1)[-np.size(shape):]
    w, b = rng.standard_normal((2, *norm.normalized_shape), np.float32)
    norm.weight.assign(w)
    norm.bias.assign(b)
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    try:
        y = norm(Tensor(x))
    except ValueError as error:
        raise AssertionError(f"keepdims=True keeps the axes: {error}") from None
    assert isinstance(y, Tensor), f"forward must give a Tensor, not {type(y).__name__}"
    what = f"normalized_shape {shape}: (x - mean) / sqrt(var + eps) * weight + bias"
    expected = (x - mean) / np.sqrt(var + eps) * w + b
    np.testing.assert_allclose(y.data, expected, atol=1e-4, err_msg=what)
    assert (norm.eval()(Tensor(x)).data == y.data).all(), "both modes do the same"
    ops, behind = [], [norm(Tensor(x, requires_grad=True))]
    for tensor in behind:  # the list grows while we walk
        ops += [type(tensor.origin[0]).__name__] if tensor.origin else []
        behind += tensor.origin[1] if tensor.origin else ()
    assert ops.count("Sum") >= 2 and {norm.weight, norm.bias} <= set(behind), (
        f"a gradient must reach mean, variance, weight, bias: use tensors, not {ops}")

for options in [{"bias": False}, {"elementwise_affine": False}]:
    plain = LayerNorm(6, **options)
    try:
        near = plain(Tensor(x)).data
    except (AttributeError, TypeError) as error:
        raise AssertionError(f"with {options} there is a None: {error}") from None
    near_zero = np.abs(near.mean(axis=-1)).max(), np.abs(near.std(axis=-1) - 1).max()
    assert max(near_zero) < 1e-3, f"{options}: each token has mean 0 and deviation 1"
    off = np.abs(plain(Tensor(x + 4096)).data - near).max()
    assert off < 0.02, f"x + 4096 has the deviations of x, but y is off by {off:.2g}"

# %% nbgrader={"grade": true, "grade_id": "layer_norm_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again in float64, on integers, on a single token, without a bias, and on
shapes that do not fit."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_r, _close = np.random.default_rng(11), {"rtol": 1e-4, "atol": 1e-5}
_norm = LayerNorm((2, 5), eps=0.1, bias=False)
_norm.weight.assign(_r.standard_normal((2, 5)))
_x = Tensor(_r.standard_normal((3, 2, 5)), dtype=np.float64)
answer(_norm(_x), about="float64, two axes, no bias", **_close)
answer(_norm(Tensor(np.arange(10).reshape(2, 5))), about="integers, one", **_close)
answer([_norm(_x).requires_grad, str(_norm(_x).dtype)], about="remembered; the dtype")
_bare = LayerNorm(5, elementwise_affine=False)
answer(_bare(_x), about="no weight", **_close)
answer([raised(_norm, _x[:, :1]), raised(_bare, _x[..., :4]), raised(_bare, _x)],
       about="which fit")
### END HIDDEN TESTS

# %% [markdown]
# ## Use: what followed the last time?
#
# The nursery rhyme "This is the house that Jack built" (before 1755) repeats itself, as
# much text does. A reader without any English can guess the next letter: find where the
# last few letters stood before, and see what came next there. Language models learn
# such *induction heads* by themselves (Olsson et al. 2022). You have all the parts for
# one, and no weight has to be learned.

# %%
parts = ["the house that jack built", "the malt that lay in ", "the rat that ate ",
         "the cat that killed ", "the dog that worried ",
         "the cow with the crumpled horn that tossed "]
verse, verses = "", []
for part in parts:
    verse = part + verse
    verses.append("this is " + verse)
rhyme = " ".join(verses)
verses[2]

# %%
table = Embedding(27, 27)
table.load_state_dict({"weight": np.eye(27)})  # vectors by hand: one-hot
letters = table([26 if c == " " else ord(c) - 97 for c in rhyme]).detach()
letters.shape

# %% [markdown]
# The first layer is a head that looks one step back. It copies the letter before into
# each place. Applied again it copies the letter before that. So `back[c]` holds in each
# place the letter `c` steps before. The first place has no letter before it, and copies
# itself.

# %%
n = len(rhyme)
P = Tensor(sinusoids(n, 64))
previous = attention_weights(1000 * (P @ turn(64, -1)), P, causal_mask(n))
back = [letters]
for _ in range(8):
    back.append(previous @ back[-1])
[spell(back[c].data)[34:58] for c in [0, 1, 4]]

# %% [markdown]
# In the second layer, the query of place $i$ is its last $c$ letters. The key of place
# $j$ is the $c$ letters *before* it, and the value is the letter at $j$. So if query
# and key match, the value is what came next. The layer is causal, as the rest of the
# rhyme is not written yet. Which $c$ guesses best: 0 letters of context, 1, 2, 4 or 8?

# %%
from tinytorch.core.tensor import concat

def guess(c):
    """The share of each letter among those after the same c letters: (n, 27)."""
    mask = causal_mask(n)
    if c == 0:
        return scaled_dot_product_attention(letters * 0, letters, letters, mask)
    q, k = concat(back[:c], dim=1), concat(back[1 : c + 1], dim=1)  # (n, 27 c)
    return scaled_dot_product_attention(100 * q, k, letters, mask)

# %%
truth, hits = letters[1:].argmax(axis=1).data, {}
for c in [0, 1, 2, 4, 8]:
    hits[c] = guess(c)[:-1].argmax(axis=1).data == truth
    half = hits[c][n // 2 :].mean()
    print(f"{c} letters: {hits[c].mean():6.1%} right, {half:6.1%} in the second half")
assert hits[4].mean() > 0.7 > 0.3 > hits[0].mean()

# %% [markdown]
# With 0 letters the head guesses the most frequent letter so far. Where does it look
# with 4 letters? A row is the place that guesses, a column a place that it looks at.
# What are the long diagonals, and where are there none?

# %%
c = 4
q, k = concat(back[:c], dim=1), concat(back[1 : c + 1], dim=1)
shown = attention_weights(100 * q, k, causal_mask(n)).data

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
left.imshow(shown, cmap="Blues", vmin=0, vmax=0.2)
left.set(xlabel="looked at", ylabel="who looks", title="the whole rhyme")
right.imshow(shown[89:125, 34:70], cmap="Blues", vmin=0, vmax=1)
right.set(title="a piece of it", xticks=range(36), yticks=range(36))
right.set_xticklabels(rhyme[34:70])
right.set_yticklabels(rhyme[89:125]);

# %% [markdown]
# ## Systems: what does a context cost?
#
# ### Count
#
# For $n$ tokens and $H$ heads in float32, the weights alone take $4\,n^2 H$ bytes.
# Scores and mixing take $2 \cdot 2\,n^2 d H$ operations. So twice the tokens take four
# times the memory and about four times the time.
#
# Before you run: in which row does the measured peak memory differ most from the
# prediction, as a ratio? And how many arrays of $4\,n^2 H$ bytes do plain operations
# hold at once?

# %%
from tinytorch.core.setup import compare, peak_memory, readable, system_info, time_call

def plain(q, k, v):
    """The same in plain tensor operations."""
    scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-1, -2)
    return softmax(scores, dim=-1) @ v

# %%
heads, d, attend = 4, 32, scaled_dot_product_attention
print("tokens   predicted    measured  ratio  plain       time  × before")
before = None
for n in [64, 128, 256, 512, 1024]:
    q, k, v = (randn(heads, n, d) for _ in range(3))
    predicted, measured = 4 * n * n * heads, peak_memory(attend, q, k, v)
    many = peak_memory(plain, q, k, v) / predicted
    seconds = time_call(attend, q, k, v, repeat=5).min
    factor = f"{seconds / before:9.1f}" if before else ""
    print(f"{n:6} {readable(predicted, 'B'):>11} {readable(measured, 'B'):>11}"
          f" {measured / predicted:6.2f} {many:6.2f} {readable(seconds, 's'):>10}"
          f" {factor}")
    before = seconds
assert measured < 1.5 * predicted

# %% [markdown]
# For few tokens the vectors, $4\,n\,d\,H$ bytes each, are not small beside $n^2$. For
# many tokens, one array of all pairs is nearly the whole memory; plain operations hold
# several. The time does not grow exactly fourfold, where an array becomes larger than a
# cache, where BLAS begins to use its threads, or where NumPy's fixed costs count.
#
# ### How long a context fits?
#
# If the weights of one sequence may fill the memory $m$, then $n = \sqrt{m / 4H}$. In
# training every layer keeps its weights for the derivative, so divide by the number of
# layers, too. Compare 80 GB, a large accelerator, with your machine: how many times as
# many tokens fit?

# %%
def longest(memory, heads=8, layers=1):
    """How many tokens have weights that fit into so many bytes."""
    return math.isqrt(int(memory / (4 * heads * layers)))

for name, memory in [("this machine", system_info()["memory"]), ("80 GB", 80e9)]:
    print(f"{name}, {readable(memory, 'B')}: {longest(memory):,} tokens in one layer,"
          f" {longest(memory, layers=32):,} in training with 32 layers")

# %% [markdown]
# ### The memory is a choice
#
# No row of the weights needs another row. So compute 64 queries at a time, and forget
# their weights at once. How many bytes do 1,024 tokens take now? And is it slower?

# %%
def by_queries(q, k, v, size=64):
    starts = range(0, q.shape[1], size)
    return concat([attend(q[:, i : i + size], k, v) for i in starts], dim=1)

# %%
q, k, v = (randn(heads, 1024, d) for _ in range(3))
assert (by_queries(q, k, v) - attend(q, k, v)).abs().max().item() < 1e-5
for f in [attend, by_queries]:
    peak, seconds = peak_memory(f, q, k, v), time_call(f, q, k, v, repeat=2).min
    print(f"{f.__name__:30} {readable(peak, 'B'):>8}  {readable(seconds, 's'):>8}")

# %% [markdown]
# There are as many operations as before, $n^2$, but the memory no longer grows with
# $n^2$. A small block also stays in the cache, but each of its products has fixed
# costs. Your two times say which counts more. FlashAttention (Dao et al. 2022) goes
# further: it also takes the keys in blocks, and computes the weights again for the
# derivative.

# %% [markdown]
# ### A few sequences at a time
#
# In a batch no sequence needs another. So let your `attention` work on a few sequences
# at a time: their weights stay in the cache from step to step, and each core takes
# sequences of its own, with module 06's `in_blocks`. The layer is differentiated and
# called as before. You need not read the code.

# %% nbgrader={"grade": false, "grade_id": "attention_in_blocks", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def attention_in_blocks(q, k, v, mask=None) -> tuple[np.ndarray, np.ndarray]:
    """attention, a few sequences of the batch at a time."""
    alike = q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
    one = 4 * math.prod(q.shape[1:-1]) * k.shape[-2]  # bytes of a sequence's weights
    if q.ndim < 3 or not alike or not 0 < one < BLOCK_BYTES:
        return attention(q, k, v, mask)
    w = np.empty((*q.shape[:-1], k.shape[-2]), np.result_type(q, k))
    y = np.empty_like(v, np.result_type(q, k, v), shape=(*q.shape[:-1], v.shape[-1]))
    differ = mask is not None and np.ndim(mask) == q.ndim and len(mask) > 1

    def work(first: int, last: int) -> None:
        part = slice(first, last)
        own = mask[part] if differ else mask
        y[part], w[part] = attention(q[part], k[part], v[part], own)

    try:
        in_blocks(work, len(q), BLOCK_BYTES // one)
    except ValueError:
        return attention(q, k, v, mask)  # its error counts rows from the first sequence
    return y, w

# %%
batch = [randn(16, 4, 128, 32).data for _ in range(3)]
compare({"whole": lambda: attention(*batch),
         "in blocks": lambda: attention_in_blocks(*batch)}, rounds=9)

# %%
np.abs(attention(*batch)[0] - attention_in_blocks(*batch)[0]).max()

# %% nbgrader={"grade": false, "grade_id": "fast", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
AttentionOp.algorithm = staticmethod(attention_in_blocks)

# %% [markdown]
# ### Does the copy pay?
#
# Your `attention_scores` copies the transposed keys before it multiplies. A view would
# save the copy. For 64 small products, 16 sequences of 4 heads, which is faster?

# %%
q, k = randn(16, 4, 128, 32).data, randn(16, 4, 128, 32).data
compare({"view": lambda: q @ k.swapaxes(-1, -2),
         "copy": lambda: q @ np.ascontiguousarray(k.swapaxes(-1, -2))}, rounds=9)

# %% [markdown]
# The products are the same. The BLAS library takes another path for a transposed
# matrix, and it may start all its threads for a product that takes microseconds. The
# result may differ on your machine. So measure.

# %% [markdown]
# ### Reflect: eight times the tokens
#
# Take the last row of your first table in Systems. (a) Predict from it, for 8,192
# tokens and 4 heads, the time and the bytes of the weights. (b) How many tokens can
# attend to each other within one second? Give the arithmetic. (c) Which of the two
# numbers of (a) does `by_queries` change, and why does the other one stay? At most six
# sentences, with your own numbers.

# %% [markdown] nbgrader={"grade": true, "grade_id": "context_reflect", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# 8,192 is 8 times 1,024, so both grow by 64. The weights take 4 · 8192² · 4 = 1.07 GB.
# If 1,024 tokens took 15 ms, then 8,192 tokens take 64 · 15 ms = 0.96 s. So about 8,192
# · sqrt(1 / 0.96) = 8,400 tokens fit into a second. In blocks of 64 queries the weights
# take 64 · 8192 · 4 · 4 = 8.4 MB. The time stays near 1 s, since each query still meets
# each key: the operations are the same.
#
# Rubric: 2 points for 1.07 GB (or 16.8 MB · 64); 2 for 64 times the measured time,
# whatever that is; 1 for a number of tokens from the square root; 2 for the memory as
# what changes, with the reason that the operations remain.

# %% [markdown]
# ## Here and in PyTorch
#
# | here | in PyTorch |
# | --- | --- |
# | `Embedding` | `torch.nn.Embedding`: an `IndexError` too, without the token |
# | `scaled_dot_product_attention` | the same name, in `torch.nn.functional` |
# | `causal_mask(n)` | `is_causal=True`, or `torch.ones(n, n).tril().bool()` |
# | `padding_mask`, True: may attend | `key_padding_mask`, True: is ignored |
# | a mask of floats | a float `attn_mask`, which may also be learned |
# | a row that allows nothing: error | function: 0; `MultiheadAttention`: nan |
# | no `dropout_p` | the function drops weights, also in evaluation |

# %% [markdown]
# | here | in PyTorch |
# | --- | --- |
# | `MultiHeadAttention` | `torch.nn.MultiheadAttention(..., batch_first=True)` |
# | `q_proj`, `k_proj`, `v_proj` | one parameter, `in_proj_weight` |
# | `forward(query, key, value, mask=mask)` | `attn_mask=`, and key and value needed |
# | `weights(x)` | the second result, with `average_attn_weights=False` |
# | `LayerNorm` | the same |
# | `sinusoids`, `PositionalEncoding` | not in PyTorch; people copy them |

# %% [markdown]
# ## Summary
#
# Tokens become vectors, know their place, and fetch from each other in several heads,
# through masks that leak nothing. `LayerNorm` keeps their scale. All of it is tensor
# operations and one `Op` that saves what its derivative needs. No weight has been
# learned yet. Module 09 differentiates the layer as it is, module 13 makes it faster,
# and the capstone can build a language model from it.
