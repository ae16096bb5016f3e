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
#     title: DataLoader
#     part: Foundations
#     hours: 4
#     goals:
#     - keep images as bytes in memory, and say where each byte of a file belongs in a tensor
#     - split, shuffle and batch a dataset so that no example is lost, doubled or separated from its label
#     - augment a whole batch of images at once, reproducibly
#     - let a thread prepare the next batches, without hanging and without hiding an error
#     - measure how fast a loader has to be so that training does not wait for it
# ---

# %% [markdown]
# # DataLoader
#
# > From bytes on a disk to shuffled, augmented batches of float32, ready in time.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace:
# the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(8)

# %% [markdown]
# ## Why
#
# Networks learn from small random batches, and from new ones in every round. So we
# shuffle the digits, images and labels, and take the first ten. What is wrong with the
# result?

# %%
import numpy as np

from tinytorch.datasets import load_digits

images, labels = load_digits()
rng = np.random.default_rng(0)
rng.shuffle(images)
rng.shuffle(labels)

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 10, figsize=(10, 1.3))
for ax, image, label in zip(axes, images, labels):
    ax.imshow(image, cmap="gray_r")
    ax.set(title=label, xticks=[], yticks=[])

# %% [markdown]
# Two shuffles made two orders. Every image has lost its label, and no error came. A
# network learns nothing from such data, and nothing tells you why. In this module that
# mistake cannot happen: *one* array of numbers says which examples are meant, and it
# picks everything that belongs to an example.

# %%
#| default_exp core.dataloader

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinytorch.core.tensor import Tensor, default_generator, stack, where
from tinytorch.datasets import cifar10, load_digits

# %% [markdown]
# ## 1. One index picks everything
#
# A **dataset** can do two things. `len(dataset)` counts its examples. `dataset[index]`
# picks: one example with a number, many with a slice or with an array of numbers. The
# result is a tuple, for example of images and labels.
#
# `TensorDataset` is the simplest one: tensors of one length. Row `i` of each belongs to
# example `i`.

# %% nbgrader={"grade": false, "grade_id": "dataset", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Dataset:
    """len(dataset) counts examples, dataset[number, slice or array] picks them."""

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__")

    def __getitem__(self, index) -> tuple[Tensor, ...]:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__")


class TensorDataset(Dataset):
    """Tensors of one length: row i of each belongs to example i."""

    def __init__(self, *tensors):
        self.tensors = tuple(t if isinstance(t, Tensor) else Tensor(t) for t in tensors)
        lengths = [len(t) for t in self.tensors]
        if len(set(lengths)) != 1:
            raise ValueError(f"the tensors must have one length, not {lengths}")

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

# %% [markdown]
# The places of the letters in the alphabet, and their character codes. What will the
# last line give?

# %%
codes = np.array([ord(letter) for letter in "abcdefghijklmnopqrstuvwxyz"])
letters = TensorDataset(np.arange(26), codes)
letters[3], letters[np.array([25, 0, 25])]

# %% tags=["raises-exception"]
TensorDataset(np.arange(26), np.arange(25))

# %% [markdown]
# ### A part of a dataset
#
# To keep examples for a test, we need not copy any pixels. A **subset** stores the
# dataset and the numbers of the examples that belong to it. Example 0 of the subset is
# the example of the dataset with the first of these numbers.
#
# `index` may again be a number, a slice or an array, and it must not change. The
# dataset may itself be a subset. Fetch only the wanted examples: the dataset could be
# large. One line suffices.

# %% nbgrader={"grade": false, "grade_id": "subset", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Subset(Dataset):
    """The examples of a dataset with the given numbers, in that order."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]):
        self.dataset, self.indices = dataset, np.asarray(indices, np.int64)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index) -> tuple[Tensor, ...]:
        """Example `index` of the subset, which has another number in the dataset."""
        ### BEGIN SOLUTION
        return self.dataset[self.indices[index]]
        ### END SOLUTION

# %% [markdown]
# The vowels, then every second one of them. Which place in the alphabet will the last
# line show?

# %%
vowels = Subset(letters, [0, 4, 8, 14, 20])
Subset(vowels, [0, 2, 4])[1]

# %% nbgrader={"grade": true, "grade_id": "subset_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""A subset picks by its own numbers, keeps what belongs together, can have subsets, and
fetches only what is wanted."""
whole = TensorDataset(np.arange(10), 10.0 * np.arange(10))
part = Subset(whole, [7, 3, 9, 3])

picked = part[0]
assert len(picked) == 2, f"part[0] must be a tuple of 2 tensors, not of {len(picked)}"
x, y = picked
assert x.item() == 7, f"example 0 of [7, 3, 9, 3] is example 7 of all, not {x.item()}"
assert x.dtype == np.int64, f"the examples keep their dtype int64, not {x.dtype}"
x, y = part[1:]
np.testing.assert_array_equal(
    x.data, [3, 9, 3], err_msg="part[1:] must pick examples 3, 9, 3 of the dataset.")
np.testing.assert_array_equal(
    y.data, [30, 90, 30], err_msg="The same numbers must pick from the second tensor.")
index = np.array([1, 0])
(x, _) = Subset(part, [2, 0])[index]
np.testing.assert_array_equal(
    x.data, [7, 9], err_msg="Examples 1 and 0 of [2, 0] of [7, 3, 9, 3] are 7 and 9.")
assert index.tolist() == [1, 0], f"the index [1, 0] was changed to {index}"

fetched = []

class Noting(Dataset):
    def __getitem__(self, index):
        picked = whole[index]
        fetched.append(picked[0].size)
        return picked

x, y = Subset(Noting(), [7, 3, 9, 3])[1:3]
assert sum(fetched) == 2, f"2 examples were wanted, but {sum(fetched)} were fetched"

# %% nbgrader={"grade": true, "grade_id": "subset_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on negative numbers, which must not change, on a number that is too
large, and on how much is fetched from the dataset."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

class _Counts(Dataset):
    fetched = 0
    def __len__(self):
        return 1000
    def __getitem__(self, index):
        self.fetched += np.size(np.arange(1000)[index])
        return (Tensor(np.arange(1000)[index]),)

_counts = _Counts()
_part = Subset(_counts, np.arange(500, 1000))
_index = np.array([-1, 5])
_picked = _part[_index][0]
answer([_picked, _index], about="the last and the sixth; the numbers afterwards")
answer(_counts.fetched, about="how many examples were fetched for them")
answer(raised(lambda: _part[500]), about="one too far")
### END HIDDEN TESTS

# %% [markdown]
# ### Training, validation, test
#
# The answers of a network for examples that it has learned say little about its answers
# for new ones. So the examples are divided, and each goes to exactly *one* part. The
# parts must be random, because files are often sorted by class or by writer.

# %% [markdown]
# `random_split(dataset, [1000, 500, 297])` returns a list of three subsets. Draw *one*
# `generator.permutation(n)`, an array with the numbers 0 to n - 1 in random order, and
# cut it into consecutive pieces, with slices or with `np.split` and `np.cumsum`.
# `lengths` must not change. Two to four lines.

# %% nbgrader={"grade": false, "grade_id": "random_split", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def random_split(
    dataset: Dataset, lengths: Sequence[int], generator=default_generator
) -> list[Subset]:
    """Random subsets of the given lengths; each example is in exactly one of them."""
    if sum(lengths) != len(dataset):
        raise ValueError(
            f"the lengths {list(lengths)} sum to {sum(lengths)}, "
            f"but the dataset has {len(dataset)} examples")
    ### BEGIN SOLUTION
    order = generator.permutation(len(dataset))
    pieces = np.split(order, np.cumsum(lengths)[:-1])
    return [Subset(dataset, piece) for piece in pieces]
    ### END SOLUTION

# %%
[part.indices for part in random_split(letters, [13, 8, 5], np.random.default_rng(0))]

# %% tags=["raises-exception"]
random_split(letters, [20, 5])

# %% nbgrader={"grade": true, "grade_id": "random_split_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The parts have the lengths asked for, share no example, lose none, and are random."""
def split(lengths, seed=0):
    return random_split(whole, lengths, np.random.default_rng(seed))

whole, lengths = TensorDataset(np.arange(100)), [70, 20, 10]
parts = split(lengths)
assert lengths == [70, 20, 10], f"the list of lengths was changed to {lengths}"
kinds = {type(part).__name__ for part in parts}
assert kinds == {"Subset"}, f"each part must be a Subset, not {kinds}"
got = [len(part) for part in parts]
assert got == [70, 20, 10], f"the lengths must be 70, 20, 10, not {got}"
numbers = np.concatenate([part[:][0].data for part in parts])
missing = set(range(100)) - set(numbers.tolist())
assert not missing, f"each example must be in one part; {len(missing)} are in none"
assert (np.diff(numbers[:70]) < 0).any(), "the first part is sorted: it must be random"
assert (split([70, 30])[0].indices == numbers[:70]).all(), (
    "the same generator must give the same split: draw one permutation")
assert (split([70, 30], seed=1)[0].indices != numbers[:70]).any(), (
    "another generator must give another split: draw from the one that is passed in")

# %% nbgrader={"grade": true, "grade_id": "random_split_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on an empty part, on four parts, on a subset, and on a sum that does not
fit; the lengths must not change."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_base = Subset(TensorDataset(np.arange(50)), np.arange(30, 50))
for _lengths in [[20], [0, 20], [5, 0, 7, 8]]:
    _parts = random_split(_base, _lengths, np.random.default_rng(3))
    answer([[len(p) for p in _parts], _lengths], about=f"{_lengths} of a subset")
    _all = np.sort(np.concatenate([p[:][0].data for p in _parts]))
    answer(_all, about=f"all of {_lengths} together")
answer(raised(random_split, _base, [10, 9]), about="10 + 9 of 20")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Images are bytes
#
# Memory and files are rows of bytes; what a byte means is a convention. CIFAR-10
# (Krizhevsky 2009) has 60,000 colour images of 32×32 pixels in ten classes. Its files
# hold a table of `uint8` with one row per image and 3,072 columns: first all 1,024 red
# values, pixel row by pixel row from the top left, then all green ones, then all blue
# ones.

# %% [markdown]
# Convolutions (module 06) need (images, channels, height, width): the values of each
# colour together, as a **plane**. So nothing has to move: the new shape only says what
# the bytes already are. Write `planes` for any height and width, and for any number of
# channels, which follows from the length of the rows. The result is a view, and `rows`
# must not change. One line.

# %% nbgrader={"grade": false, "grade_id": "planes", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def planes(rows: np.ndarray, height: int, width: int) -> np.ndarray:
    """Rows of bytes as images: (n, bytes) -> (n, channels, height, width)."""
    ### BEGIN SOLUTION
    return rows.reshape(len(rows), -1, height, width)
    ### END SOLUTION

# %% [markdown]
# One image of 2×3 pixels, numbered as in the file. Which number is the green value at
# the bottom right?

# %%
row = np.arange(18, dtype=np.uint8).reshape(1, 18)
planes(row, 2, 3)

# %%
from matplotlib.colors import ListedColormap

colours = ListedColormap(["salmon", "lightgreen", "lightblue"])
blocks = {"one row of the file": row, "red": None, "green": None, "blue": None}
blocks |= dict(zip(["red", "green", "blue"], planes(row, 2, 3)[0]))
figure, axes = plt.subplots(1, 4, figsize=(11, 1.3), width_ratios=[18, 4, 4, 4])
for ax, (title, block) in zip(axes, blocks.items()):
    ax.imshow(block // 6, cmap=colours, vmin=0, vmax=2)
    ax.set(title=title, xticks=[], yticks=[])
    for (i, j), number in np.ndenumerate(block):
        ax.text(j, i, number, ha="center", va="center")

# %% nbgrader={"grade": true, "grade_id": "planes_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""planes changes only the shape: a plane is a piece of the row, no byte is copied."""
rows = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 60)
x = planes(rows, 4, 5)

assert x.shape == (2, 3, 4, 5), (
    f"60 bytes are 3 planes of 4 × 5, so the shape is (2, 3, 4, 5), not {x.shape}")
np.testing.assert_array_equal(
    x[1, 2].ravel(), rows[1, 40:], err_msg="Blue must be the last third of the row.")
np.testing.assert_array_equal(
    x[0, 1, 2], rows[0, 30:35], err_msg="Pixel row 2 of green must be bytes 30 to 34.")
assert x.dtype == np.uint8, f"bytes stay bytes, and do not become {x.dtype}"
assert np.shares_memory(x, rows), "this is a copy; a view of the same bytes suffices"
assert (rows.ravel() == np.arange(120)).all(), "the bytes of `rows` were changed"
try:
    grey = planes(rows, 6, 10).shape
except ValueError as error:
    raise AssertionError(f"60 bytes are also one plane of 6 × 10: {error}") from None
assert grey == (2, 1, 6, 10), (
    f"60 bytes are also one plane of 6 × 10: (2, 1, 6, 10), not {grey}")

# %% nbgrader={"grade": true, "grade_id": "planes_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on four planes, and on rows that do not fit."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

answer(planes(np.arange(48).reshape(2, 24), 2, 3), about="four planes of 2 by 3")
_problem = raised(planes, np.zeros((2, 20)), 2, 3)
answer(_problem, about="20 bytes are no planes of 2 by 3")
### END HIDDEN TESTS

# %% [markdown]
# ### To look at it
#
# Screens and matplotlib have another convention: the colours of one *pixel* lie
# together, (images, height, width, channels). The sizes are the same, in another order.
# So a `reshape` seems to work here, and is wrong:

# %%
x = planes(row, 2, 3)
x.reshape(1, 2, 3, 3)[0, 0, 0]

# %% [markdown]
# According to this, the first pixel has the colours 0, 1, 2. But these are three
# *neighbours* in red. The first pixel is red 0, green 6, blue 12.
#
# `reshape` keeps the bytes in their order and only draws new borders. Here the *axes*
# have to change places. Which array method of NumPy does that? `images` must not
# change. One line.

# %% nbgrader={"grade": false, "grade_id": "pictures", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def pictures(images: np.ndarray) -> np.ndarray:
    """For matplotlib: (n, channels, height, width) -> (n, height, width, channels)."""
    ### BEGIN SOLUTION
    return images.transpose(0, 2, 3, 1)
    ### END SOLUTION

# %%
pictures(planes(row, 2, 3))[0, 0, 0]

# %% nbgrader={"grade": true, "grade_id": "pictures_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""pictures moves the colours of a pixel together; it does not mirror or turn images."""
x = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
y = pictures(x)

assert y.shape == (2, 4, 5, 3), f"(2, 3, 4, 5) must become (2, 4, 5, 3), not {y.shape}"
wanted, found = x[1, :, 2, 4], y[1, 2, 4]
assert (found == wanted).all(), (
    f"the pixel in row 2, column 4 is {wanted}, not {found}: move the axes")
np.testing.assert_array_equal(
    y[0, :, :, 1], x[0, 1], err_msg="The green plane must stay as it is.")
assert y.dtype == x.dtype, f"the dtype changed from {x.dtype} to {y.dtype}"
assert (x.ravel() == np.arange(120)).all(), "`images` was changed"

# %% nbgrader={"grade": true, "grade_id": "pictures_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on one channel, and on square images, where a wrong order of axes has
the right shape."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(pictures(np.arange(12).reshape(2, 1, 2, 3)), about="one channel")
answer(pictures(np.arange(54).reshape(2, 3, 3, 3)), about="three by three by three")
### END HIDDEN TESTS

# %% [markdown]
# ### From bytes to float32
#
# A network computes with float32, four bytes for each number. The training images of
# CIFAR-10 have $50{,}000 \cdot 3{,}072$ numbers. How many megabytes are these as bytes,
# and how many as float32?

# %%
[50_000 * 3_072 * np.dtype(t).itemsize / 1e6 for t in (np.uint8, np.float32)]

# %% [markdown]
# So the bytes stay in memory, and only the images that are picked become float32,
# between 0 and 1. `white` is the byte that becomes 1: 255 in most files, 16 for the
# digits, which have 17 shades. Read `__getitem__`: bytes divided by a `np.float32` are
# float32.

# %% nbgrader={"grade": false, "grade_id": "image_dataset", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class ImageDataset(Dataset):
    """Images (n, channels, height, width), stored as uint8, picked as float32."""

    def __init__(self, images, labels, classes: Sequence[str] = (), white: int = 255):
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images, but {len(labels)} labels")
        self.images, self.labels = images, labels
        self.classes, self.white = tuple(classes), white

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index) -> tuple[Tensor, Tensor]:
        x = self.images[index] / np.float32(self.white)
        return Tensor(x), Tensor(self.labels[index])

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.images.shape[1:]))
        return f"{type(self).__name__}: {len(self)} images of {shape}"


class Digits(ImageDataset):
    """1,797 handwritten digits of 8 x 8 pixels (UCI; see datasets/ATTRIBUTION.md)."""

    def __init__(self):
        images, labels = load_digits()
        super().__init__(images[:, None], labels, "0123456789", white=16)


class CIFAR10(ImageDataset):
    """50,000 colour images to train with, or 10,000 to test with; see cifar10.load."""

    def __init__(self, root=None, train: bool = True, download: bool = False):
        rows, labels = cifar10.load(root, train, download)
        super().__init__(planes(rows, 32, 32), labels, cifar10.CLASSES)

# %%
digits = Digits()
image, label = digits[0]
digits, image.shape, image.dtype, label, digits[:100][0].max()

# %% [markdown]
# ### A file that is a program
#
# CIFAR-10 comes as *pickles*, Python's own format. A pickle is a list of instructions
# from which Python rebuilds objects, and one of the instructions is "call this
# function". The pickle below was written by hand. What will happen when it is loaded?

# %%
import pickle

program = b"cbuiltins\nprint\n(VThis could have been any command on your computer.\ntR."
pickle.loads(program)

# %% [markdown]
# So use `pickle.load` only on files that you wrote yourself.
# `tinytorch/datasets/cifar10.py` reads with an unpickler of its own, `_OnlyArrays`. It
# refuses every name in a pickle but the three that an array is made of, and replaces
# those by harmless functions.

# %% tags=["raises-exception"]
from pathlib import Path
from tempfile import TemporaryDirectory

with TemporaryDirectory() as folder:
    path = Path(folder, "data_batch_1")
    path.write_bytes(program)
    cifar10.read_batch(path)

# %% [markdown]
# Is CIFAR-10 on this machine? If not, the next cell says how to get it (170 MB; the
# download is accepted only with the right checksum). Everything below also works with
# the digits.

# %%
try:
    train = CIFAR10(train=True)
except FileNotFoundError as error:
    train = Digits()
    print(f"No CIFAR-10 here: the pictures below show digits. {error}")
train

# %% [markdown]
# One image twice, through your `pictures` and through the wrong `reshape`. How many
# copies will the second picture show, and why are they grey? (A digit has one channel:
# then both pictures are the same.)

# %%
one = train.images[7:8]
right = pictures(one)
figure, axes = plt.subplots(1, 2, figsize=(4, 2))
for ax, picture in zip(axes, [right, one.reshape(right.shape)]):
    ax.imshow(picture[0], cmap="gray_r")
    ax.axis("off")

# %% [markdown]
# ## 3. Batches
#
# An **epoch** is one pass over all examples, in batches. `order` is an array of
# numbers; cut it into pieces of `batch_size`. A shorter last piece is kept, unless
# `drop_last` asks for full batches only. A full last batch is never dropped, and an
# empty `order` makes no batch, not even an empty one.
#
# `order[i : i + batch_size]` may reach beyond the end: then the slice is shorter, and
# there is no error. Two to four lines.

# %% nbgrader={"grade": false, "grade_id": "batch_indices", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def batch_indices(
    order: np.ndarray, batch_size: int, drop_last: bool = False
) -> list[np.ndarray]:
    """The order in pieces of batch_size; drop_last leaves out a shorter last piece."""
    ### BEGIN SOLUTION
    pieces = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    if drop_last and len(order) % batch_size != 0:
        pieces.pop()
    return pieces
    ### END SOLUTION

# %% [markdown]
# Ten examples in batches of four. How many batches, with and without `drop_last`?

# %%
batch_indices(np.arange(10), 4), batch_indices(np.arange(10), 4, drop_last=True)

# %% nbgrader={"grade": true, "grade_id": "batch_indices_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""All batches but the last are full, nothing is lost or moved, and drop_last drops only
a shorter last batch."""
order = np.array([3, 1, 4, 15, 9, 2, 6, 5, 35, 8])
for size, drop, wanted in [(4, False, [4, 4, 2]), (4, True, [4, 4]), (5, True, [5, 5]),
                           (10, True, [10]), (11, False, [10]), (11, True, [])]:
    got = [len(piece) for piece in batch_indices(order, size, drop)]
    assert got == wanted, (
        f"10 examples, batch_size={size}, drop_last={drop} make {wanted}, not {got}")
together = np.concatenate(batch_indices(order, 3))
np.testing.assert_array_equal(
    together, order, err_msg="The pieces one after the other must be the order.")
for drop in [False, True]:
    try:
        found = batch_indices(order[:0], 4, drop)
    except IndexError as error:
        raise AssertionError(f"an empty order has no last piece: {error}") from None
    assert len(found) == 0, f"no example makes no batch, not {found}"

# %% nbgrader={"grade": true, "grade_id": "batch_indices_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on batches of one, on no example, and on every size from 1 to 13."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_order = np.arange(100, 112)
for _drop in [False, True]:
    _lengths = [[len(p) for p in batch_indices(_order, n, _drop)] for n in range(1, 14)]
    answer(_lengths, about=f"drop_last={_drop}")
    answer(len(batch_indices(np.arange(0), 4, _drop)), about="no example")
    _fives = np.concatenate(batch_indices(_order, 5, _drop))
    answer(_fives, about="which examples, in fives")
### END HIDDEN TESTS

# %% [markdown]
# ### A new order every epoch, and the same tomorrow
#
# Two wishes seem to contradict each other. A network that gets the same batches in
# every epoch learns their accidents, so every epoch needs a new order. But only a run
# that can be repeated can be debugged, so the same seed has to give the same epochs.
# And a run that was stopped in epoch 7 should go on with *its* epoch 7.

# %% [markdown]
# The answer: the order depends on the seed and the number of the epoch, and on nothing
# else. Every pair of seed and epoch has an order of its own. The sum of both would not
# do: seed 0 in epoch 1 would have the order of seed 1 in epoch 0. But
# `np.random.default_rng` also takes a list of numbers, and mixes them well. One or two
# lines.

# %% nbgrader={"grade": false, "grade_id": "epoch_order", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """The numbers 0 to n - 1 in a random order that only seed and epoch determine."""
    ### BEGIN SOLUTION
    return np.random.default_rng([seed, epoch]).permutation(n)
    ### END SOLUTION

# %%
[epoch_order(8, seed=0, epoch=epoch) for epoch in [0, 1, 2, 1]]

# %% nbgrader={"grade": true, "grade_id": "epoch_order_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""An order holds every example once. The same seed and epoch give the same order,
another seed or epoch another."""
from itertools import pairwise

order = epoch_order(100, seed=3, epoch=5)
assert order.dtype.kind == "i", f"an order holds integers, not {order.dtype}"
np.testing.assert_array_equal(
    np.sort(order), np.arange(100), err_msg="An epoch must hold every example once.")
np.random.seed(0)
np.testing.assert_array_equal(
    epoch_order(100, 3, 5), order, err_msg="Seed 3, epoch 5 gave two orders.")
for seed, epoch in [(3, 6), (4, 5), (5, 3), (2, 6), (4, 4)]:
    other = epoch_order(100, seed, epoch)
    assert (other != order).any(), f"seed {seed}, epoch {epoch} has the order of 3, 5"
    steps = set(((other - order) % 100).tolist())
    neighbours = set(pairwise(order)) & set(pairwise(other))
    assert len(steps) > 10 and len(neighbours) < 10, (
        f"seed {seed}, epoch {epoch} only shifts the order of 3, 5: draw a new order")
for one, two in [((1, 0), (0, 100)), ((1, 0), (0, 1000)), ((1, 12), (11, 2))]:
    assert (epoch_order(100, *one) != epoch_order(100, *two)).any(), (
        f"(seed, epoch) = {one} and {two} have the same order: keep them apart")

# %% nbgrader={"grade": true, "grade_id": "epoch_order_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on 36 pairs of seed and epoch, on whether all places are equally likely,
and on whether an epoch is more than the one before plus a number."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_orders = {tuple(epoch_order(50, s, e)) for s in range(6) for e in range(6)}
answer(len(_orders), about="36 pairs of seed and epoch")
_places = np.array([epoch_order(4, 1, e) for e in range(400)])
_counts = np.array([np.bincount(column, minlength=4) for column in _places.T])
answer(bool((_counts > 60).all()), about="all places likely")
answer([len(epoch_order(n, 0, 0)) for n in (0, 1, 7)], about="none, one, seven")
_steps = (epoch_order(50, 0, 1) - epoch_order(50, 0, 0)) % 50
answer(len(set(_steps.tolist())) > 10, about="is epoch 1 a new order?")
### END HIDDEN TESTS

# %% [markdown]
# ### Examples one at a time
#
# Not every collection of examples can pick many at once. A Python list of pairs takes
# one number, and so do most datasets that are written for PyTorch:

# %% tags=["raises-exception"]
listed = [(np.full(2, i), float(i)) for i in range(5)]
listed[np.array([0, 3])]

# %% [markdown]
# Then the loader has to ask for one example after the other, and to **collate** them: a
# list of examples becomes one batch. Write `default_collate`.
#
# - If the examples are tuples or lists, `zip(*examples)` gives their fields: all first
#   parts, all second parts, and so on, for any number of parts. Collate each field by
#   itself, and return a tuple. A field may again consist of tuples.
# - All else becomes a tensor, and `stack` of module 02 puts the tensors side by side
#   along a new first axis. A number has no axis yet, so n numbers make a tensor (n,).
#
# `examples` must not change. Three lines suffice.

# %% nbgrader={"grade": false, "grade_id": "default_collate", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def default_collate(examples: Sequence):
    """A list of examples as one batch: fields each by itself, all else stacked."""
    first = examples[0]
    fields = isinstance(first, (tuple, list))
    sizes = {len(x) if fields else np.shape(x) for x in examples}
    if len(sizes) > 1:
        said = "pad them in a collate_fn of your own"
        raise ValueError(f"examples of the sizes {sizes} make no batch: {said}")
    if isinstance(first, str):
        return list(examples)
    if isinstance(first, dict):
        return {key: default_collate([x[key] for x in examples]) for key in first}
    ### BEGIN SOLUTION
    if fields:
        return tuple(default_collate(field) for field in zip(*examples))
    return stack([x if isinstance(x, Tensor) else Tensor(x) for x in examples])
    ### END SOLUTION

# %% [markdown]
# Three of the pairs. Which two shapes?

# %%
default_collate([listed[i] for i in [0, 3, 1]])

# %% nbgrader={"grade": true, "grade_id": "default_collate_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""A batch has the fields of its examples, each stacked along a new first axis."""
examples = [(Tensor(np.full((2, 3), i)), i, np.full(4, 0.5)) for i in range(5)]
batch = default_collate(examples)
assert len(examples) == 5, f"5 examples went in, and the list now has {len(examples)}"
assert isinstance(batch, tuple) and len(batch) == 3, (
    f"Examples of three parts make a tuple of three. This came: {batch!r:.60}")
for name, part, shape in zip(["first", "second", "third"], batch,
                             [(5, 2, 3), (5,), (5, 4)]):
    assert isinstance(part, Tensor), (
        f"Each part of a batch is a Tensor, and the {name} is a {type(part).__name__}")
    assert part.shape == shape, (
        f"Five {name} parts must make a new first axis: {shape}, not {part.shape}")
x, y, _ = batch
np.testing.assert_array_equal(
    x.data[:, 1, 2], [0, 1, 2, 3, 4], err_msg="Row i must be example i.")
assert y.dtype == np.int64, f"whole numbers stay whole, and do not become {y.dtype}"
two = [Tensor([1.0, 2.0]), Tensor([3.0, 4.0])]
lone = default_collate(two)
assert len(two) == 2, f"2 examples went in, and the list now has {len(two)}"
assert isinstance(lone, Tensor) and lone.shape == (2, 2), (
    f"Two tensors (2,), and no tuple around them, make one (2, 2), not {lone!r:.60}")
try:
    (inner, _), _ = default_collate([((1, 2), 3), ([4, 5], 6)])
except Exception as error:
    raise AssertionError(f"A field may consist of tuples, or lists: {error}") from None
np.testing.assert_array_equal(
    inner, [1, 4], err_msg="((1, 2), 3), ((4, 5), 6): the first part of the first.")

# %% nbgrader={"grade": true, "grade_id": "default_collate_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on one example, on four parts, on bytes, and on lists of pairs."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(default_collate([(3, Tensor([1.0]))]), about="one example")
_images = [np.full((1, 2), i, np.uint8) for i in range(3)]
_x = default_collate(_images)
answer([str(_x.dtype), _x.shape, _x.data.tolist()], about="bytes")
_four = [(i, [i, 2.5 * i], np.arange(2), Tensor(i)) for i in range(4)]
answer(default_collate(_four), about="four parts, one of them a list")
### END HIDDEN TESTS

# %% [markdown]
# ### The loader
#
# Now all parts are there. Read `_batches`: the numbers of each batch, and the batch
# that they pick. `transform` changes the images of a batch, and `prefetch` is the
# number of batches that a thread prepares ahead; both belong to the sections below.
# `sampler` and `batch_sampler` come last.
#
# A `Dataset` is asked once for each batch, with an array. Anything else is asked for
# one example after the other, and its examples are collated. So is a `Dataset` if you
# say `collate_fn=`. Where the examples are tuples, the batch is a tuple; a dataset of
# lone tensors gives lone tensors.

# %% nbgrader={"grade": false, "grade_id": "picks_many", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _picks_many(dataset) -> bool:
    """Does it take arrays of numbers? A Dataset does, and a part of one."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return isinstance(dataset, Dataset)

# %% nbgrader={"grade": false, "grade_id": "batches", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class _Batches:
    """The inside of a loader: the numbers of each batch, and the batch they pick."""

    def _batches(self, numbers: list, epoch: int) -> Iterator:
        generator = np.random.default_rng([self.seed, epoch, 1])  # for the transform
        for indices in numbers:
            batch = self._pick(indices)
            alone = not isinstance(batch, (tuple, list))
            x, *others = [batch] if alone else batch
            if self.transform is not None:
                x = self.transform(x, generator)
            yield x if alone else (x, *others)

    def _numbers(self, epoch: int) -> list[np.ndarray]:
        if self.batch_sampler is not None:
            return [np.array(list(some), np.int64) for some in self.batch_sampler]
        n = len(self.dataset)
        order = epoch_order(n, self.seed, epoch) if self.shuffle else np.arange(n)
        if self.sampler is not None:
            order = np.array(list(self.sampler), np.int64)
        return batch_indices(order, self.batch_size, self.drop_last)

    def _pick(self, indices: np.ndarray):
        if self.collate_fn is not None:
            return self.collate_fn([self.dataset[i] for i in indices.tolist()])
        name = type(self.dataset).__name__
        hint = "; if it takes one number at a time, say collate_fn=default_collate"
        try:
            batch = self.dataset[indices]
        except TypeError as error:
            said = f"{name} does not pick by an array of numbers{hint}"
            raise TypeError(said) from error
        x = batch[0] if isinstance(batch, (tuple, list)) else batch
        shape = getattr(x, "shape", indices.shape)
        if shape[:1] != indices.shape:
            said = f"asked for {len(indices)} examples, gave a batch of shape {shape}"
            raise ValueError(f"{name}, {said}{hint}")
        return batch

# %% [markdown]
# `iter(loader)` begins an epoch, and the next one has the next number. To go on with
# another epoch, set `loader.epoch`. The numbers of all batches of an epoch are drawn
# when it begins, before any thread starts.

# %% nbgrader={"grade": false, "grade_id": "loader", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class DataLoader(_Batches):
    """Batches of a dataset, an epoch for each `for`; a seed gives the same epochs."""

    def __init__(
        self, dataset, batch_size: int = 1, shuffle: bool = False,
        drop_last: bool = False, transform: Callable | None = None, prefetch: int = 0,
        seed: int | None = None, *, collate_fn: Callable | None = None,
        sampler: Iterable | None = None, batch_sampler: Iterable | None = None,
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        if prefetch < 0:
            raise ValueError(f"prefetch must be at least 0, not {prefetch}")
        if sampler is not None and shuffle:
            raise ValueError("sampler is an order of its own: leave shuffle out")
        other = batch_size != 1 or shuffle or drop_last or sampler is not None
        if batch_sampler is not None and other:
            said = "leave batch_size, shuffle, drop_last and sampler out"
            raise ValueError(f"batch_sampler makes the batches alone: {said}")
        if collate_fn is None and not _picks_many(dataset):
            collate_fn = default_collate
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self.drop_last, self.transform, self.prefetch = drop_last, transform, prefetch
        self.sampler, self.batch_sampler = sampler, batch_sampler
        if seed is None:
            seed = int(default_generator.integers(2**32))  # manual_seed decides
        self.seed, self.epoch, self.collate_fn = seed, 0, collate_fn  # the next epoch

    def __len__(self) -> int:
        """How many batches an epoch has."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        n = len(self.dataset if self.sampler is None else self.sampler)
        full, rest = divmod(n, self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator:
        batches = self._batches(self._numbers(self.epoch), self.epoch)
        self.epoch += 1
        return prefetched(batches, self.prefetch) if self.prefetch else batches

# %% [markdown]
# The pairs in batches of two, then ten lone rows in batches of four. Which shapes?

# %%
[(x.shape, y.shape) for x, y in DataLoader(listed, batch_size=2)]

# %%
[x.shape for x in DataLoader(np.ones((10, 3)), batch_size=4)]

# %% [markdown]
# The digits in batches of 500. How many batches are there, and what is the shape of the
# last?

# %%
loader = DataLoader(digits, batch_size=500, shuffle=True, seed=0)
len(loader), [(x.shape, y.shape) for x, y in loader]

# %% [markdown]
# Each `for` has begun an epoch. The first ten labels of epoch 7 are the same now and
# tomorrow:

# %%
loader.epoch = 7
next(iter(loader))[1][:10], loader.epoch

# %% [markdown]
# And now the first picture of this notebook again: shuffled images, *with* their
# labels. `wall` draws images with titles.

# %%
def wall(images, titles, columns=10):
    """Images (n, channels, height, width) in rows, each with its title."""
    rows = int(np.ceil(len(images) / columns))
    options = dict(layout="constrained", squeeze=False)
    _, axes = plt.subplots(rows, columns, figsize=(columns, 1.25 * rows), **options)
    for ax, picture, title in zip(axes.flat, pictures(np.asarray(images)), titles):
        ax.imshow(picture.clip(0, 1), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, fontsize=8)

# %%
x, y = next(iter(loader))
wall(x[:10], y[:10].data)

# %% [markdown]
# ## 4. The same scale for every channel
#
# Layers work best with numbers around 0 with spread 1 (module 04 starts the weights for
# them). So we need the mean and the standard deviation of each channel over *all*
# images, without having all of them as floats at once. Two sums suffice, over the $N$
# numbers of a channel:
#
# $$\mu = \frac{1}{N} \sum x, \qquad \sigma = \sqrt{\frac{1}{N} \sum x^2 - \mu^2}$$

# %% [markdown]
# Collect the sums with `for batch, *_ in loader:`. The last batch is shorter, so the
# mean of the batches' means is not the mean of all images. Where the spread is small,
# the two terms of $\sigma$ nearly cancel. So convert each batch to float64 first,
# `batch.data.astype(np.float64)`. Rounding may still leave a difference below 0; count
# it as 0 (`np.maximum`), for its root would be nan. About eight lines.

# %% nbgrader={"grade": false, "grade_id": "channel_statistics", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def channel_statistics(loader: Iterable) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel, over all images: two (channels,)."""
    ### BEGIN SOLUTION
    count, total, squares = 0, 0.0, 0.0
    for batch, *_ in loader:
        x = batch.data.astype(np.float64)
        count += x.size // x.shape[1]
        total += x.sum(axis=(0, 2, 3))
        squares += (x * x).sum(axis=(0, 2, 3))
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0))
    ### END SOLUTION

# %% [markdown]
# How dark is a digit on average, if paper is 0 and ink is 1? Guess from the wall, then
# look.

# %%
channel_statistics(DataLoader(digits, batch_size=500))

# %% nbgrader={"grade": true, "grade_id": "channel_statistics_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""The statistics are those of all images, for each channel and any batch size, and only
one batch is held at a time."""
from tinytorch.core.setup import peak_memory, readable

x = np.random.default_rng(0).random((10, 3, 4, 5), dtype=np.float32)
x *= np.float32([1, 2, 3]).reshape(3, 1, 1)
x[8:] += 5

for size in [1, 4, 8, 10]:
    loader = DataLoader(TensorDataset(x, np.arange(10)), batch_size=size)
    mean, std = channel_statistics(loader)
    shapes = np.shape(mean), np.shape(std)
    assert shapes == ((3,), (3,)), f"one number per channel: (3,), (3,), not {shapes}"
    for name, found, f in [("mean", mean, np.mean), ("spread", std, np.std)]:
        wanted = f(x, axis=(0, 2, 3))
        assert np.allclose(found, wanted, rtol=1e-5), (
            f"batch size {size}: the {name} of the channels is {np.round(wanted, 4)}, "
            f"not {np.round(found, 4)}")
plain = np.arange(1, 51).reshape(50, 1, 1) / 0.7 * np.ones((5, 1, 11, 13))
try:
    _, std = channel_statistics(DataLoader(TensorDataset(plain), batch_size=2))
except ValueError as error:
    raise AssertionError(f"a batch may come without labels: {error}") from None
assert not np.isnan(std).any(), "the root of a number below 0 is nan: use np.maximum"
worst = np.max(std)
assert worst < 1e-4, (
    f"channels of one colour have spread 0, not {worst:.3g}: use float64")
batch = Tensor(np.ones((10, 3, 16, 16)))  # 31 kB, as float64 twice that
held = peak_memory(channel_statistics, [(batch,)] * 40)
assert held < 600_000, (
    f"40 batches of 31 kB, and {readable(held, 'B')} were held: keep the sums only")

# %% nbgrader={"grade": true, "grade_id": "channel_statistics_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on the digits, on batches without labels, and where the spread is small
beside the mean."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(channel_statistics(DataLoader(Digits(), batch_size=1000)), about="the digits")
_x = np.random.default_rng(1).standard_normal((64, 2, 8, 8))
_x += [[[[100.0]], [[-1000.0]]]]
_loader = DataLoader(TensorDataset(_x), batch_size=48)
answer(channel_statistics(_loader), about="a small spread", rtol=1e-3)
### END HIDDEN TESTS

# %% [markdown]
# ### Normalize
#
# $$y = \frac{x - \mu}{\sigma}$$
#
# A **transform** is a function of a batch of images, a tensor (n, channels, height,
# width), and of a generator. It returns the new batch, and the old one must not change.
# `Normalize` draws nothing, so it ignores the generator. The result is float32.
#
# `self.mean` and `self.std` have shape (channels,). Which shape do they need, so that
# each number meets its own channel? One to three lines.

# %% nbgrader={"grade": false, "grade_id": "normalize", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Normalize:
    """(x - mean) / std, for each channel."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        self.mean, self.std = np.asarray(mean, np.float32), np.asarray(std, np.float32)

    def __call__(self, x: Tensor, generator=default_generator) -> Tensor:
        """(n, channels, height, width), the same shape."""
        ### BEGIN SOLUTION
        y = x.data - self.mean[:, None, None]
        y /= self.std[:, None, None]
        return Tensor(y)
        ### END SOLUTION

# %%
scale = Normalize(*channel_statistics(DataLoader(digits, batch_size=500)))
channel_statistics(DataLoader(digits, batch_size=500, transform=scale))

# %% nbgrader={"grade": true, "grade_id": "normalize_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""Each channel gets its own mean and spread, in float32, and the old batch stays."""
x = Tensor(np.random.default_rng(0).random((2, 3, 4, 3)))
before = x.data.copy()
y = Normalize([0.5, 1.0, 2.0], [0.5, 2.0, 4.0])(x)

assert isinstance(y, Tensor), f"a batch is a Tensor, not {type(y).__name__}"
assert y.shape == x.shape, f"the shape {x.shape} must stay, and not become {y.shape}"
assert y.dtype == np.float32, f"float32 must stay, and not become {y.dtype}"
assert (x.data == before).all(), "the batch that came in was changed"
for channel, (mean, std) in enumerate([(0.5, 0.5), (1.0, 2.0), (2.0, 4.0)]):
    worst = np.abs(y.data[:, channel] - (before[:, channel] - mean) / std).max()
    assert worst < 1e-5, (
        f"channel {channel} must be (x - {mean}) / {std}, and is off by {worst:.3g}")
try:
    grey = Normalize([1.0], [2.0])(x[:, :1]).shape
except ValueError as error:
    raise AssertionError(f"a grey image has only one channel: {error}") from None
assert grey == (2, 1, 4, 3), f"(2, 1, 4, 3) must stay, and not become {grey}"

# %% nbgrader={"grade": true, "grade_id": "normalize_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on one channel, on four, and on an empty batch."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor(np.arange(8.0).reshape(2, 1, 2, 2))
answer(Normalize([0.25], [0.5])(_x), about="one channel")
_y = Normalize([0, 1, 2, 3], [1, 2, 3, 4])(Tensor(np.ones((2, 4, 4, 4))))
answer(_y, about="four channels of 4 by 4")
_y = Normalize([0.5] * 3, [2.0] * 3)(Tensor(np.ones((0, 3, 2, 2))))
answer(_y.shape, about="an empty batch")
### END HIDDEN TESTS

# %% [markdown]
# ## 5. More images than there are
#
# A frog seen in a mirror is a frog, and so is a frog four pixels further left. A
# network does not know that. Show it each image a little different in every epoch, and
# it has to learn what stays the same. This is **augmentation**. It belongs to training
# only: the result of a test should not depend on chance.

# %% [markdown]
# ### In the mirror
#
# `RandomHorizontalFlip(p)` exchanges left and right, with probability `p` for each
# image of the batch. The random numbers are drawn already: `flipped` has shape (n,),
# and is true for the images to be mirrored. Choose between `x` and its mirror image
# with `where(condition, a, b)` of module 02. Give the condition a shape that broadcasts
# against the batch. `x` must not change, and the dtype stays: bytes stay bytes. One
# line.

# %% nbgrader={"grade": false, "grade_id": "flip", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class RandomHorizontalFlip:
    """Exchange left and right, with probability p for each image of a batch."""

    def __init__(self, p: float = 0.5):
        self.p = p

    def __call__(self, x: Tensor, generator=default_generator) -> Tensor:
        """(n, channels, height, width), the same shape."""
        flipped = generator.random(len(x)) < self.p  # (n,)
        ### BEGIN SOLUTION
        return where(flipped[:, None, None, None], x[..., ::-1], x)
        ### END SOLUTION

# %% [markdown]
# Six times the same image. How many of the six will be mirrored?

# %%
same = train[np.full(6, 7)][0]
wall(RandomHorizontalFlip()(same, np.random.default_rng(0)), [""] * 6, columns=6)

# %% nbgrader={"grade": true, "grade_id": "flip_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""p = 1 mirrors all images, twice gives them back, p = 0 changes nothing. In between,
each image has its own random number."""
x = Tensor(np.random.default_rng(0).random((12, 3, 4, 5)))
before = x.data.copy()

try:
    mirrored = RandomHorizontalFlip(p=1)(x)
except ValueError:
    raise AssertionError(
        "(12,) does not broadcast against (12, 3, 4, 5): reshape `flipped`") from None
kind = type(mirrored).__name__
assert isinstance(mirrored, Tensor), f"a batch is a Tensor, not {kind}"
assert (x.data == before).all(), "the batch that came in was changed"
np.testing.assert_array_equal(
    mirrored.data[..., 0], before[..., 4],
    err_msg="With p = 1 the last column must come first.")
for p, start in [(1, mirrored), (0, x)]:
    np.testing.assert_array_equal(
        RandomHorizontalFlip(p)(start).data, before,
        err_msg="Mirrored twice, or with p = 0, the images must be as before.")
y = RandomHorizontalFlip(p=0.5)(x, np.random.default_rng(1)).data
flipped = [np.array_equal(y[i], mirrored.data[i]) for i in range(12)]
assert 0 < sum(flipped) < 12, (
    f"with p = 0.5 some images are mirrored, each by its flipped[i]; "
    f"here {sum(flipped)} of 12")
for i in range(12):
    same_image = np.array_equal(y[i], before[i])
    assert flipped[i] or same_image, f"only a part of image {i} was mirrored"
kind = RandomHorizontalFlip(0.5)(Tensor(np.ones((2, 3, 4, 5), np.uint8))).dtype
assert kind == np.uint8, f"bytes stay bytes, and do not become {kind}"

# %% nbgrader={"grade": true, "grade_id": "flip_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on which images are mirrored, on square images of bytes, and on a
batch of one."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor(np.random.default_rng(2).random((9, 2, 3, 4)))
_y = RandomHorizontalFlip(0.3)(_x, np.random.default_rng(5))
answer(_y, about="nine images, p = 0.3")
_x = Tensor(np.arange(54, dtype=np.uint8).reshape(2, 3, 3, 3))
_y = RandomHorizontalFlip()(_x, np.random.default_rng(1))
answer([str(_y.dtype), _y.data.tolist()], about="square images of bytes")
_x = Tensor(np.arange(6.0).reshape(1, 1, 2, 3))
answer(RandomHorizontalFlip(1.0)(_x), about="a batch of one")
### END HIDDEN TESTS

# %% [markdown]
# ### A few pixels aside
#
# `RandomCrop(padding)` puts a border of `padding` = p zeros (black; for the digits,
# paper) around the image and cuts an image of the old size out of it. The upper left
# corner has $2p + 1$ places in each direction. At 0 the picture moves down and right,
# at p it stays, at 2p it moves up and left.
#
# `sliding_window_view(a, (h, w), axis=(2, 3))` is a view of *all* windows. For `a` of
# shape (n, c, h + 2p, w + 2p) it has shape (n, c, 2p + 1, 2p + 1, h, w); the two middle
# axes are the place of the corner. A small one, with a border of 1:

# %%
image = np.arange(1, 7).reshape(1, 1, 2, 3)
padded = np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1)))
windows = sliding_window_view(padded, (2, 3), axis=(2, 3))
padded[0, 0], windows.shape, windows[0, 0, 0, 2]

# %% [markdown]
# `top` and `left`, each of shape (n,), are the corners that were drawn. Pad `x.data`
# with zeros, take the view, and pick the window `[i, :, top[i], left[i]]` for image
# `i`. One index does it for all images; the numbers of the images are `np.arange(n)`.
# `x` must not change, and bytes stay bytes. Three lines.

# %% nbgrader={"grade": false, "grade_id": "crop", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class RandomCrop:
    """Move each image of a batch by up to `padding` pixels; zeros fill the gap."""

    def __init__(self, padding: int):
        self.padding = padding

    def __call__(self, x: Tensor, generator=default_generator) -> Tensor:
        """(n, channels, height, width), the same shape."""
        p, (n, _, height, width) = self.padding, x.shape
        top, left = generator.integers(2 * p + 1, size=(2, n))  # (n,), from 0 to 2p
        ### BEGIN SOLUTION
        padded = np.pad(x.data, ((0, 0), (0, 0), (p, p), (p, p)))
        windows = sliding_window_view(padded, (height, width), axis=(2, 3))
        return Tensor(windows[np.arange(n), :, top, left])
        ### END SOLUTION

# %%
padding = 4 if isinstance(train, CIFAR10) else 2
moved = RandomCrop(padding)(same, np.random.default_rng(0))
wall(moved, [""] * 6, columns=6)

# %% nbgrader={"grade": true, "grade_id": "crop_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""A crop is the image moved by its own corner, with zeros in the gap and all channels
alike."""
x = Tensor(1 + np.random.default_rng(0).random((30, 2, 3, 5)))
before = x.data.copy()
y = RandomCrop(2)(x, np.random.default_rng(1))
assert isinstance(y, Tensor), f"a batch is a Tensor, not {type(y).__name__}"
assert y.shape == x.shape, f"the shape {x.shape} must stay, and not become {y.shape}"
assert (x.data == before).all(), "the batch that came in was changed"

top, left = np.random.default_rng(1).integers(5, size=(2, 30))
padded = np.pad(before, ((0, 0), (0, 0), (2, 2), (2, 2)))
for n, (i, j) in enumerate(zip(top, left)):
    found = [(a, b) for a in range(5) for b in range(5)
             if np.array_equal(padded[n, :, a : a + 3, b : b + 5], y.data[n])]
    assert found, (
        f"result {n} is no window of image {n}: pad with 0, move all channels alike")
    assert (i, j) in found, (
        f"image {n} has top = {i} and left = {j}, but its corner is at {found[0]}")
still = RandomCrop(0)(x).data
assert np.array_equal(still, before), "without a border nothing must move"
kind = RandomCrop(1)(Tensor(np.ones((2, 3, 4, 5), np.uint8))).dtype
assert kind == np.uint8, f"bytes stay bytes, and do not become {kind}"

# %% nbgrader={"grade": true, "grade_id": "crop_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on where each image has moved (`top` in height, `left` in width), on
bytes, and on a border wider than the image."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor(1 + np.arange(5 * 2 * 4 * 3, dtype=np.uint8).reshape(5, 2, 4, 3))
_y = RandomCrop(1)(_x, np.random.default_rng(7))
answer([str(_y.dtype), _y.data.tolist()], about="five images of bytes")
_x = Tensor(np.arange(1.0, 9).reshape(2, 1, 2, 2))
_y = RandomCrop(3)(_x, np.random.default_rng(3))
answer(_y, about="a border of 3 round 2 by 2")
### END HIDDEN TESTS

# %% [markdown]
# Transforms follow each other. `Compose` is given, and is a transform itself. The crop
# stands before `Normalize`. Which colour is its border in this order, and which in the
# other?

# %% nbgrader={"grade": false, "grade_id": "compose", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Compose:
    """Transforms one after the other, all drawing from the same generator."""

    def __init__(self, transforms: Sequence[Callable]):
        self.transforms = list(transforms)

    def __call__(self, x: Tensor, generator=default_generator) -> Tensor:
        for transform in self.transforms:
            x = transform(x, generator)
        return x

# %%
augment = Compose([RandomCrop(1), RandomHorizontalFlip(), Normalize([0.3], [0.4])])
options = dict(batch_size=64, shuffle=True, transform=augment, seed=5)
twins = [DataLoader(digits, **options) for _ in range(2)]
all(np.array_equal(a.data, b.data) for (a, _), (b, _) in zip(*twins))

# %% [markdown]
# Two loaders, one seed, the same pixels: the random numbers of the transforms also come
# from the seed and the number of the epoch. (After `Normalize`, a border of zeros would
# have the mean colour. And a mirrored 3 is no digit: which augmentation is right
# depends on the data.)

# %% [markdown]
# ## 6. Ready in time
#
# While the network computes, nothing prepares the next batch. While the next batch is
# prepared, the network waits. A thread can prepare during the computation: Python has
# a lock that lets only one thread run Python code, but NumPy releases it while it
# copies and computes.
#
# Threads are a common reason why programs hang. Usually a thread puts batches into a
# queue of limited size. If the consumer stops early (`break`), the queue stays full,
# and the thread waits in `put` for ever. We do the opposite: the thread makes only
# the batches that were *requested*, and does not wait for room.

# %% [markdown]
# `pool.submit(f, *args)` has the thread call `f(*args)`, and returns at once a
# **future**, which stands for the result. `future.result()` waits for the result and
# returns it. If the call ended in an exception, `result()` passes it on. So no error is
# lost. `next(batches, end)` gives the next batch, or `end` when there is none.

# %%
with ThreadPoolExecutor(1) as pool:
    futures = deque([pool.submit(divmod, 17, 5), pool.submit(next, iter("ab"), "end")])
    first = futures.popleft().result()
first, futures.popleft().result()

# %% [markdown]
# Write the queue:
#
# - request `ahead` batches, and keep the futures in a `deque` (`append` on the right,
#   `popleft` on the left);
# - as long as the leftmost result is not `end` (compare with `is`: a batch may be an
#   array), request one more, *then* `yield` the result. So the thread works while the
#   consumer does.
#
# Beside the batch in use there are never more than `ahead` batches. The loop may end at
# the end, with an error, or because the consumer stops (Python then ends the generator
# in its `yield`). The given `finally` always cancels the open requests and waits for
# the thread. Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "prefetched", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def prefetched(batches: Iterable, ahead: int) -> Iterator:
    """The batches in their order; a thread makes up to `ahead` of them in advance."""
    batches, end = iter(batches), object()
    pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
    try:
        ### BEGIN SOLUTION
        futures = deque(pool.submit(next, batches, end) for _ in range(ahead))
        while (batch := futures.popleft().result()) is not end:
            futures.append(pool.submit(next, batches, end))
            yield batch
        ### END SOLUTION
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

# %% [markdown]
# A source that prints what it makes. In which order will the lines come? (The thread
# and the loop print at the same time, so neighbours may change places.)

# %%
def source(n):
    for i in range(n):
        print(f"made {i}")
        yield i

for item in prefetched(source(5), ahead=2):
    print(f"     used {item}")

# %% [markdown]
# For the check: a source that notes what it made, can fail, and sets a flag when it has
# made batch 3; and a list of the threads that still run.

# %% nbgrader={"grade": false, "grade_id": "counting", "locked": true, "schema_version": 3, "solution": false, "task": false}
import threading

made, flag = [], threading.Event()

def counting(n, fail_at=None):
    for i in range(n):
        if i == fail_at:
            raise OSError("the disk is gone")
        made.append(i)
        if i == 3:
            flag.set()
        yield i

def threads():
    return [t for t in threading.enumerate() if t.name.startswith("prefetch")]

# %% nbgrader={"grade": true, "grade_id": "prefetched_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Every batch in order, made ahead but not too far, errors raised, no thread left."""
received = list(prefetched(counting(7), 3))
assert received == list(range(7)), f"all batches 0 to 6 in their order, not {received}"
try:
    received = [len(batch) for batch in prefetched([np.zeros(2), np.ones(3)], 1)]
except ValueError as error:
    raise AssertionError(f"compare a batch with `end` by `is`: {error}") from None
assert received == [2, 3], f"arrays of 2 and 3 numbers went in, {received} came out"

made.clear(), flag.clear()
early = prefetched(counting(100), 3)
assert next(early) == 0, "the first batch is 0"
assert flag.wait(5), "while batch 0 is in use, batches 1, 2 and 3 must be made"
assert len(made) <= 4, f"one batch in use and 3 ahead are 4, but {len(made)} were made"
early.close()
assert not threads(), "the consumer stopped, and the thread must end"

received, problem = [], None
try:
    for batch in prefetched(counting(9, fail_at=2), 4):
        received.append(batch)
except OSError as error:
    problem = error
assert problem, f"the source raised OSError, and no error came, only {received}"
assert received == [0, 1], f"batches 0 and 1 came before the error, not {received}"
assert not threads(), "after an error the thread must end, too"

# %% nbgrader={"grade": true, "grade_id": "prefetched_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on what came before an error, on falsy batches and None, on one
ahead, and on nothing at all."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

def _failing():
    yield from [1, 2, 3]
    raise KeyError("four")

_got = []
def _collect():
    for item in prefetched(_failing(), 2):
        _got.append(item)

answer(raised(_collect), about="the error at the end")
answer(_got, about="what came before it")
answer(list(prefetched([0, None, False, "", 5], 2)), about="falsy batches")
_lists = [list(prefetched(range(n), ahead)) for n, ahead in [(4, 1), (0, 3), (3, 50)]]
answer(_lists, about="one ahead, nothing, fifty ahead")
### END HIDDEN TESTS

# %% [markdown]
# And in the loader. The same seed, with prefetching and without: will the batches
# differ?

# %%
plain, ahead = DataLoader(digits, **options), DataLoader(digits, prefetch=4, **options)
pairs = zip(plain, ahead, strict=True)
all(np.array_equal(a.data, b.data) for (a, _), (b, _) in pairs)

# %% [markdown]
# They cannot differ: one thread makes all batches, one after the other, and only that
# thread draws from the generator.
#
# ## Use: a wall of images
#
# Thirty training images, drawn at random, with their labels. Which labels would you
# have got wrong?

# %%
x, y = next(iter(DataLoader(train, batch_size=30, shuffle=True, seed=1)))
wall(x, [train.classes[label] for label in y.data])
print(train)

# %% [markdown]
# The statistics of all training images, and a check that `Normalize` uses them
# correctly. Which channel is the darkest?

# %%
mean, std = channel_statistics(DataLoader(train, batch_size=1000, prefetch=1))
normalized = DataLoader(train, 1000, transform=Normalize(mean, std), prefetch=1)
new_mean, new_std = channel_statistics(normalized)
assert np.allclose(new_mean, 0, atol=1e-4) and np.allclose(new_std, 1, atol=1e-4)
mean, std

# %% [markdown]
# What a network will be trained on: ten images in three epochs of augmentation, before
# they are normalised. Find an image whose label an augmentation has made harder.

# %%
colour = isinstance(train, CIFAR10)
flip = RandomHorizontalFlip(0.5 if colour else 0)  # a mirrored 3 is no digit
augmented = Compose([RandomCrop(4 if colour else 1), flip])
ten = DataLoader(Subset(train, range(10)), batch_size=10, transform=augmented, seed=0)
batches = [next(iter(ten)) for _ in range(3)]

# %%
names = [train.classes[label] for label in batches[0][1].data]
wall(np.concatenate([x.data for x, _ in batches]), 3 * names)

# %% [markdown]
# ## Systems: what a loader costs
#
# Times do not depend on what an image shows, so we measure on noise in the format of
# CIFAR-10, on any machine. Count first: an image has 3,072 numbers. Picking it reads
# 3,072 bytes; as float32 it has 12,288. The naive way picks one example after the other
# and stacks them. Ours uses one index array. What will the factor be?

# %%
from tinytorch.core.setup import compare, time_call
from tinytorch.core.tensor import manual_seed, randn, stack

rng = np.random.default_rng(0)
pixels = rng.integers(0, 256, (10_000, 3, 32, 32), dtype=np.uint8)
noise = ImageDataset(pixels, rng.integers(0, 10, 10_000))

# %%
some = rng.permutation(10_000)[:128]
compare({"index array": lambda: noise[some],
         "one by one": lambda: stack([noise[i][0] for i in some])}, rounds=9)

# %% [markdown]
# ### Batch size
#
# A batch costs a fixed time, for Python, and a time for each image: $t(n) = a + b\,n$.
# So images per second rise with the batch size towards $1/b$. From which size on is a
# larger batch no longer worth it? Write down a guess.

# %%
def images_per_second(**options) -> float:
    """Over one epoch of the noise, the best of three."""
    loader = DataLoader(noise, shuffle=True, seed=0, **options)
    seconds = time_call(lambda: deque(loader, maxlen=0), repeat=3).min
    return len(loader) * loader.batch_size / seconds

for n in [1, 4, 16, 64, 256, 1024]:
    rate = images_per_second(batch_size=n, drop_last=True)
    print(f"n = {n:4}  {rate:10,.0f} images/s  {1e6 * n / rate:8.1f} µs per batch  "
          f"{1e6 / rate:6.2f} µs per image")

# %% [markdown]
# Large batches may get slower again: a batch of 1,024 images has 12.6 MB, more than
# many caches hold.
#
# ### Transforms
#
# For each image, flip and `Normalize` read and write 12 kB, once or twice. The crop
# first writes a padded copy, then reads from it. Which of them is the most expensive?
# And suppose that the crop came before the conversion to float32, on bytes: by which
# factor could it become faster at most?

# %%
mine = {"none": None, "normalise": Normalize([0.5] * 3, [0.25] * 3),
        "flip": RandomHorizontalFlip(), "crop": RandomCrop(4)}
mine["all three"] = Compose([mine["crop"], mine["flip"], mine["normalise"]])
for name, transform in mine.items():
    rate = images_per_second(batch_size=128, transform=transform)
    print(f"{name:10} {rate:10,.0f} images/s  {1e6 / rate:6.2f} µs per image")

# %%
byte, real = Tensor(noise.images[some]), noise[some][0]
compare({"crop of float32": lambda: mine["crop"](real),
         "crop of bytes": lambda: mine["crop"](byte)}, rounds=9)

# %% [markdown]
# ### Prefetching
#
# A step of training takes the time S, the preparation of its batch the time L. One
# after the other they take L + S. Side by side they take at best the larger of the two.
# The step here is the forward pass of a small network like module 05's, three times
# over, because training computes about three times as much.
#
# A matrix product may use all cores. Then the loader's thread has no core of its own.
# So the product gets one core here. Predict the last two numbers from the first two.
# Then replace the 1 by `None`, all cores for the product: what changes?

# %%
from threadpoolctl import threadpool_limits

manual_seed(0)
W1, W2 = randn(3072, 256), randn(256, 10)

def step(x):
    for _ in range(3):
        (x.reshape(len(x), 3072) @ W1).maximum(0) @ W2

def epoch(loader, work):
    for x, _ in loader:
        work(x)

# %%
part = Subset(noise, range(3840))  # 30 batches
options = dict(batch_size=128, shuffle=True, transform=mine["all three"], seed=0)
plain, ahead = DataLoader(part, **options), DataLoader(part, prefetch=2, **options)
x = noise[some][0]
runs = {"loading alone": lambda: epoch(plain, len),
        "computing alone": lambda: [step(x) for _ in range(30)],
        "one after the other": lambda: epoch(plain, step),
        "prefetched": lambda: epoch(ahead, step)}
with threadpool_limits(1, user_api="blas"):
    for name, run in runs.items():
        print(f"{name:20} {1e3 * time_call(run, repeat=5).min / 30:6.2f} ms per batch")

# %% [markdown]
# Where the last line is above the larger of L and S, the two share something: a core,
# the path to memory, or Python's lock between two calls of NumPy. On a busy machine, or
# with a single core, nothing is gained. What does prefetching cost? Memory: at most
# `prefetch` + 1 batches at a time, for any size of the dataset.

# %% [markdown]
# ### Reflect: what may a loader cost?
#
# Your network trains on r images per second, not counting the loader's time. Loading
# should cost at most 5 % of the time of an epoch. From your tables: up to which r is
# that true for all three transforms in batches of 128 *without* prefetching? And up to
# which r does loading cost nothing *with* it, if it overlaps perfectly? Derive both
# limits from one number of yours. A formula and a number for each, at most five
# sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "budget_reflect", "locked": false, "points": 8, "schema_version": 3, "solution": true, "task": false}
# The loader makes R = 70,000 images/s, so an image costs 1/R, and training 1/r. Without
# prefetching the share of loading is (1/R) / (1/R + 1/r) = r / (R + r). It is at most
# 0.05 for r at most R/19, about 3,700 images/s. With perfect overlap loading costs
# nothing while it is not the slower one: r at most R = 70,000. (For 5 % more time, r
# may be 1.05 R.)
#
# Rubric: 2 points for the learner's own rate of all three transforms; 3 for the share
# and R/19 (R/20 earns 2: loading compared with the training time only); 2 for r = R (or
# 1.05 R) with overlap, because the slower of the two decides; 1 for both as numbers.

# %% [markdown]
# ### Reflect: the same crops
#
# A `RandomCrop` makes its own generator in `__init__`,
# `self.generator = np.random.default_rng(0)`, and draws from that. Name one thing that
# goes wrong when a training is stopped after epoch 3 and resumed in a new process. Name
# another one for two loaders that share the transform, one of them with `prefetch=2`.
# Say for each what you would see. At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "generator_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# After resuming, the generator starts again with its first number, so epoch 4 gets the
# corners of epoch 1. The resumed run differs from one that was not interrupted, and its
# loss curve cannot be reproduced. Two loaders that share the transform draw
# alternately, and with a thread in an order that depends on timing. Two runs with the
# same seed give different crops (and a generator is not made for two threads at once).
#
# Rubric: 3 points for the restart and its visible effect (epoch 4 repeats the draws of
# epoch 1, or the run differs from the uninterrupted one); 3 for draws that depend on
# the order in which the loaders run, so that equal seeds no longer give equal batches
# (2 if the answer says only "not safe with threads").

# %% [markdown]
# ### Reflect: how far ahead?
#
# Loading takes 10 ms for most batches, but every tenth takes 60 ms (a slow disk). A
# step takes 20 ms. Predict for `prefetch=1` and for `prefetch=4` how much time ten
# batches take in the long run. And what would `prefetch=100` gain and cost for batches
# of 128 images of CIFAR-10? At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "ahead_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# Ten steps take 200 ms and ten loads 9 · 10 + 60 = 150 ms, so on average the loader is
# fast enough. With one ahead, the slow batch is begun when the step before it begins:
# 60 ms of loading during 20 ms of work, a wait of 40 ms, so 240 ms for ten batches.
# With four ahead, the finished batches last for 60 to 80 ms of work while the slow one
# is made: no wait, 200 ms. One hundred gains nothing more, and holds 100 · 128 · 12,288
# bytes = 157 MB.
#
# Rubric: 2 points for 240 ms (or "40 ms of waiting in ten batches"), 2 for 200 ms with
# the finished batches as the reason, 2 for no gain and about 157 MB (1 without the
# number).

# %% [markdown]
# ## The rest is names
#
# When do you need `collate_fn`? When the examples have different sizes. Sentences, for
# instance, are padded to the longest of their batch:

# %%
sentences = [([3, 1, 4], 0), ([1, 5], 1), ([9], 0)]

# %%
def pad(examples):
    """Token numbers with zeros behind them, (n, longest), and the labels (n,)."""
    tokens = np.zeros((len(examples), max(len(x) for x, _ in examples)), np.int64)
    for row, (x, _) in zip(tokens, examples):
        row[: len(x)] = x
    return Tensor(tokens), Tensor([y for _, y in examples])

# %%
next(iter(DataLoader(sentences, batch_size=3, collate_fn=pad)))

# %% [markdown]
# And `sampler`? When the order is not simply shuffled: it is an iterable of numbers,
# with a length. If one class in ten examples is rare, draw its examples more often.
# `batch_sampler` is an iterable of whole batches, lists of numbers: for instance, of
# sentences of about the same length.

# %% nbgrader={"grade": false, "grade_id": "weighted_sampler", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class WeightedRandomSampler:
    """num_samples numbers, drawn anew each time, each as often as its weight says."""

    def __init__(self, weights, num_samples: int, replacement: bool = True,
                 generator=default_generator):
        self.shares = np.asarray(weights, np.float64) / np.sum(weights)
        self.num_samples, self.replacement = num_samples, replacement
        self.generator = generator

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        n, size = len(self.shares), self.num_samples
        drawn = self.generator.choice(n, size, self.replacement, self.shares)
        return iter(drawn.tolist())

# %% [markdown]
# Ninety examples of class 0 and ten of class 1. How many of each will an epoch of 100
# have?

# %%
rare = np.repeat([0, 1], [90, 10])
weights = 1 / np.bincount(rare)[rare]  # a class has the same weight as the other

# %%
sampler = WeightedRandomSampler(weights, 100, generator=np.random.default_rng(0))
loader = DataLoader(TensorDataset(rare), batch_size=20, sampler=sampler)
np.bincount(np.concatenate([y.data for (y,) in loader]))

# %% [markdown]
# And a dataset that takes one number, but says that it is a `Dataset`:

# %% tags=["raises-exception"]
class OneByOne(Dataset):
    def __len__(self): return 5
    def __getitem__(self, i): return listed[i]

next(iter(DataLoader(OneByOne(), batch_size=2)))

# %%
next(iter(DataLoader(OneByOne(), batch_size=2, collate_fn=default_collate)))

# %% [markdown]
# A sampler draws from its own generator. So the loader's seed does not decide the
# order, and the same epoch drawn again is another one. With the default generator,
# `manual_seed` repeats the whole run.

# %% [markdown]
# ## Here and in PyTorch
#
# | here | in PyTorch |
# | --- | --- |
# | `TensorDataset`, `Subset`, `random_split` | the same, in `torch.utils.data` |
# | a `Dataset` picks many at once, by an array | one by one, or by `__getitems__` |
# | `DataLoader`: `batch_size`, `shuffle`, `sampler`, `collate_fn` … | the same |
# | `default_collate`: tuples, float32 | lists, float64 |
# | `prefetch=2`, a thread | `num_workers=1, prefetch_factor=2`, processes |
# | `seed=`, `loader.epoch` | `generator=`; no number of the epoch |
# | `batch_indices`, `epoch_order` | `BatchSampler`, `RandomSampler` |
# | `transform=` of the loader, each image by itself | torchvision: one draw per call |
# | `RandomCrop(4)` | `torchvision.transforms.v2.RandomCrop(32, padding=4)` |
# | `pictures(images)` | `images.permute(0, 2, 3, 1)` |

# %% [markdown]
# ## Summary
#
# Datasets are counted, and picked by index arrays; examples that come one by one are
# collated. Loaders cut an order into batches, a new one in every epoch and the same for
# the same seed. Transforms move and scale whole
# batches. A thread works ahead and ends with the loop. CIFAR-10 and the digits stay
# bytes until they are picked. Nothing learns yet: module 09 brings the gradients, 10
# the steps, and 11 the training that these batches are for.
