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
#     - split, shuffle and batch a data set so that no example is lost, doubled or torn from its label
#     - augment a whole batch of images at once, reproducibly
#     - let a thread prepare the next batches, which neither hangs nor hides an error
#     - tell by measuring how much a loader may cost before training waits for it
# ---

# %% [markdown]
# # DataLoader
#
# > From bytes on a disk to shuffled, augmented batches of float32 tensors, ready before they are asked for.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(8)

# %% [markdown]
# ## Why
#
# Networks learn from small random batches, and in every round from new ones. So we shuffle the digits, images and
# labels, and take the first ten. What is wrong with the result?

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
# Two shuffles, two orders: every image has lost its label, and no error came. Nothing can be learned from such
# data, and nobody is told why. What follows is built so that this cannot be written by accident: *one* array of
# numbers says which examples are meant, and everything that belongs to an example is picked by it.

# %%
#| default_exp core.dataloader

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinytorch.core.tensor import Tensor, default_generator, where
from tinytorch.datasets import cifar10, load_digits

# %% [markdown]
# ## 1. One index picks everything
#
# A **dataset** can do two things. `len(dataset)` counts its examples. `dataset[index]` picks: one example by a number,
# many by a slice or by an array of numbers. What comes is a tuple, for example of images and labels.
#
# `TensorDataset` is the simplest one: tensors of one length, where row `i` of each belongs to example `i`.

# %% nbgrader={"grade": false, "grade_id": "dataset", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Dataset:
    """Examples that are counted by len(dataset) and picked by dataset[index]: a number, a slice, an array of numbers."""

    def __len__(self) -> int: raise NotImplementedError(f"{type(self).__name__} has no __len__")
    def __getitem__(self, index) -> tuple[Tensor, ...]: raise NotImplementedError(f"{type(self).__name__} has no __getitem__")


class TensorDataset(Dataset):
    """Tensors of one length: row i of each belongs to example i."""

    def __init__(self, *tensors):
        self.tensors = tuple(t if isinstance(t, Tensor) else Tensor(t) for t in tensors)
        lengths = [len(t) for t in self.tensors]
        if len(set(lengths)) != 1:
            raise ValueError(f"the tensors must have one length, not {lengths}")

    def __len__(self) -> int: return len(self.tensors[0])
    def __getitem__(self, index) -> tuple[Tensor, ...]: return tuple(t[index] for t in self.tensors)

# %% [markdown]
# Letters and their places in the alphabet (as numbers). What will the second line give?

# %%
letters = TensorDataset(np.arange(26), np.array([ord(letter) for letter in "abcdefghijklmnopqrstuvwxyz"]))
letters[3], letters[np.array([25, 0, 25])]

# %% tags=["raises-exception"]
TensorDataset(np.arange(26), np.arange(25))

# %% [markdown]
# ### A part of a dataset
#
# To hold examples back for a test, no pixel need be copied. A **subset** keeps the dataset and the numbers of
# the examples that belong to it. Example 0 of the subset is the one whose number stands first.
#
# `index` may again be a number, a slice or an array, and the dataset may itself be a subset. Fetch the wanted examples only: the dataset could be large. One line suffices.

# %% nbgrader={"grade": false, "grade_id": "subset", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Subset(Dataset):
    """Those examples of a dataset whose numbers are given, in that order."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]):
        self.dataset, self.indices = dataset, np.asarray(indices, np.int64)

    def __len__(self) -> int: return len(self.indices)

    def __getitem__(self, index) -> tuple[Tensor, ...]:
        """Example `index` of the subset, which has another number in the dataset."""
        ### BEGIN SOLUTION
        return self.dataset[self.indices[index]]
        ### END SOLUTION

# %% [markdown]
# The vowels, then every second of them. Which place in the alphabet will the last line show?

# %%
vowels = Subset(letters, [0, 4, 8, 14, 20])
Subset(vowels, [0, 2, 4])[1]

# %% nbgrader={"grade": true, "grade_id": "subset_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""A subset picks by its own numbers, keeps the parts together, can have subsets, and fetches no more than is wanted."""
whole = TensorDataset(np.arange(10), 10.0 * np.arange(10))
part = Subset(whole, [7, 3, 9, 3])

x, y = part[0]
assert x.item() == 7, f"example 0 of the subset [7, 3, 9, 3] is example 7 of the dataset, not {x.item()}"
assert x.dtype == np.int64, f"the examples are handed on as they are: int64, not {x.dtype}"
x, y = part[1:]
np.testing.assert_array_equal(x.data, [3, 9, 3], err_msg="a slice picks by the subset's own numbers")
np.testing.assert_array_equal(y.data, [30, 90, 30], err_msg="the second tensor is picked by the same numbers")
(x, _) = Subset(part, [2, 0])[np.array([1, 0])]
np.testing.assert_array_equal(x.data, [7, 9], err_msg="a subset of a subset")

fetched = []

class Noting(Dataset):
    def __getitem__(self, index):
        fetched.append(np.size(index))
        return whole[index]

Subset(Noting(), [7, 3, 9, 3])[1:3]
assert sum(fetched) == 2, f"2 examples were wanted, and {sum(fetched)} were fetched from the dataset"

# %% nbgrader={"grade": true, "grade_id": "subset_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on negative numbers, which must not change, on one that is too large, and on how much is fetched from the dataset."""
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
answer([_part[_index][0], _index], about="the last and the sixth; the numbers afterwards")
answer(_counts.fetched, about="how many examples were fetched for them")
answer(raised(lambda: _part[500]), about="one too far")
### END HIDDEN TESTS

# %% [markdown]
# ### Training, validation, test
#
# What a network has seen says little about what it will do with what it has not. So the examples are divided, and each
# goes to *one* part. The parts must be random: files are often sorted by class or by writer.
#
# `random_split(dataset, [1000, 500, 297])` returns a list of three subsets. Draw *one* `generator.permutation(n)`, an array with the numbers
# 0 to n - 1 in random order, and cut it into consecutive pieces. (`np.split(array, places)` cuts at places, and
# `np.cumsum` turns lengths into places; or use slices.) Two to four lines.

# %% nbgrader={"grade": false, "grade_id": "random_split", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def random_split(dataset: Dataset, lengths: Sequence[int], generator=default_generator) -> list[Subset]:
    """Random subsets of the given lengths; every example of the dataset is in exactly one of them."""
    if sum(lengths) != len(dataset):
        raise ValueError(f"{' + '.join(map(str, lengths))} is {sum(lengths)}, but the dataset has {len(dataset)} examples")
    ### BEGIN SOLUTION
    order = generator.permutation(len(dataset))
    pieces = np.split(order, np.cumsum(lengths)[:-1])
    return [Subset(dataset, piece) for piece in pieces]
    ### END SOLUTION

# %%
[part.indices for part in random_split(letters, [13, 8, 5], np.random.default_rng(0))]

# %% tags=["raises-exception"]
random_split(letters, [20, 5])

# %% nbgrader={"grade": true, "grade_id": "random_split_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""Three parts have the lengths asked for, share no example, lose none, and are neither sorted nor always the same."""
whole = TensorDataset(np.arange(100))
parts = random_split(whole, [70, 20, 10], np.random.default_rng(0))

got = [len(part) if isinstance(part, Subset) else type(part).__name__ for part in parts]
assert got == [70, 20, 10], f"subsets of lengths 70, 20, 10, not {got}"
numbers = np.concatenate([part[:][0].data for part in parts])
np.testing.assert_array_equal(np.sort(numbers), np.arange(100), err_msg="every example must be in exactly one part")
assert (np.diff(numbers[:70]) < 0).any(), f"the first part must be random, not {numbers[:70]}"
again, other = (random_split(whole, [70, 30], np.random.default_rng(seed))[0].indices for seed in [0, 1])
np.testing.assert_array_equal(again, numbers[:70], err_msg="the same generator must give the same split")
assert (again != other).any(), "another generator must give another split: draw from the one that is passed in"

# %% nbgrader={"grade": true, "grade_id": "random_split_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on an empty part, on four parts, on a subset, on a sum that does not fit; the lengths must not change."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

_base = Subset(TensorDataset(np.arange(50)), np.arange(30, 50))
for _lengths in [[20], [0, 20], [5, 0, 7, 8]]:
    _parts = random_split(_base, _lengths, np.random.default_rng(3))
    answer([[len(p) for p in _parts], _lengths], about=f"{_lengths} of a subset")
    answer(np.sort(np.concatenate([p[:][0].data for p in _parts])), about=f"all of {_lengths} together")
answer(raised(random_split, _base, [10, 9]), about="10 + 9 of 20")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Images are bytes
#
# Memory and files are rows of bytes; what a byte means is an agreement. CIFAR-10 (Krizhevsky 2009) has 60,000 colour images of 32×32 pixels in
# ten classes. Its files hold a table of `uint8`, 3,072 columns wide, a row an image. The agreement: first all 1,024 red values, line
# by line from the top left, then all green, then all blue.
#
# Convolutions (module 06) want (images, channels, height, width), the **planes** of each colour together. So nothing has to move: only the shape must say what the bytes
# already are. Write it for any height and width, and for any number of channels, which follows from the length of the rows. One line.

# %% nbgrader={"grade": false, "grade_id": "planes", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def planes(rows: np.ndarray, height: int, width: int) -> np.ndarray:
    """Rows of bytes, plane after plane, as images: (n, channels * height * width) -> (n, channels, height, width)."""
    ### BEGIN SOLUTION
    return rows.reshape(len(rows), -1, height, width)
    ### END SOLUTION

# %% [markdown]
# One image of 2×3 pixels, numbered as in the file. Which number is the green value at the bottom right?

# %%
row = np.arange(18, dtype=np.uint8).reshape(1, 18)
planes(row, 2, 3)

# %% nbgrader={"grade": true, "grade_id": "planes_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""planes only changes the shape: a plane is a stretch of the row, a line is a stretch of the plane, no byte is copied."""
rows = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 60)
x = planes(rows, 4, 5)

assert x.shape == (2, 3, 4, 5), f"2 rows of 60 bytes are 2 images of 3 planes of 4 lines of 5: (2, 3, 4, 5), not {x.shape}"
np.testing.assert_array_equal(x[1, 2].ravel(), rows[1, 40:], err_msg="blue is the last third of the row")
np.testing.assert_array_equal(x[0, 1, 2], rows[0, 30:35], err_msg="line 2 of green")
assert np.shares_memory(x, rows) and x.dtype == np.uint8, "a view of the same bytes suffices"
grey = planes(rows, 6, 10).shape
assert grey == (2, 1, 6, 10), f"60 bytes are also one plane of 6 lines of 10: (2, 1, 6, 10), not {grey}"

# %% nbgrader={"grade": true, "grade_id": "planes_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on four planes, and on rows that do not fit."""
### BEGIN HIDDEN TESTS
from tito.grading import answer, raised

answer(planes(np.arange(48).reshape(2, 24), 2, 3), about="four planes of 2 by 3")
answer(raised(planes, np.zeros((2, 20)), 2, 3), about="20 bytes are no planes of 2 by 3")
### END HIDDEN TESTS

# %% [markdown]
# ### To look at it
#
# Screens and matplotlib have another agreement: the colours of one *pixel* lie together, (images, height, width, channels). The sizes are the
# same, in another order, so a `reshape` would be silent here as well:

# %%
x = planes(row, 2, 3)
x.reshape(1, 2, 3, 3)[0, 0, 0]

# %% [markdown]
# The first pixel would have the colours 0, 1, 2. But these are three *neighbours* in red; the first pixel is red 0, green 6, blue 12.
# `reshape` keeps the bytes in their row and draws new borders. Here the *axes* must change places. Which array method of NumPy does that? One line.

# %% nbgrader={"grade": false, "grade_id": "pictures", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def pictures(images: np.ndarray) -> np.ndarray:
    """Images as matplotlib wants them: (n, channels, height, width) -> (n, height, width, channels)."""
    ### BEGIN SOLUTION
    return images.transpose(0, 2, 3, 1)
    ### END SOLUTION

# %%
pictures(planes(row, 2, 3))[0, 0, 0]

# %% nbgrader={"grade": true, "grade_id": "pictures_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
"""pictures moves the colours of a pixel together, and neither mirrors nor turns the image."""
x = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
y = pictures(x)

assert y.shape == (2, 4, 5, 3), f"(2, 3, 4, 5) -> (2, 4, 5, 3), not {y.shape}"
np.testing.assert_array_equal(y[1, 2, 4], x[1, :, 2, 4], err_msg="the colours of the pixel in line 2, column 4")
np.testing.assert_array_equal(y[0, :, :, 1], x[0, 1], err_msg="the green plane")
assert y.dtype == x.dtype, f"the dtype changed: {x.dtype} -> {y.dtype}"

# %% nbgrader={"grade": true, "grade_id": "pictures_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on one channel, and on square images, where a wrong order of axes has the right shape."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(pictures(np.arange(12).reshape(2, 1, 2, 3)), about="one channel")
answer(pictures(np.arange(54).reshape(2, 3, 3, 3)), about="three by three by three")
### END HIDDEN TESTS

# %% [markdown]
# ### From bytes to float32
#
# A network computes with float32, four bytes a number. The training images of CIFAR-10 have $50{,}000 \cdot 3{,}072$ numbers. How many megabytes are
# these as bytes, and how many as float32?

# %%
[50_000 * 3_072 * np.dtype(t).itemsize / 1e6 for t in (np.uint8, np.float32)]

# %% [markdown]
# So the bytes stay in memory, and only what is picked becomes float32, between 0 and 1. `white` is the byte that becomes 1: 255 in most
# files, 16 for the digits, which know 17 shades. Read `__getitem__`: an array divided by a `np.float32` is float32, in one pass.

# %% nbgrader={"grade": false, "grade_id": "image_dataset", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class ImageDataset(Dataset):
    """Images (n, channels, height, width), kept as uint8 and picked as float32 from 0 to 1, and their labels (n,)."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, classes: Sequence[str] = (), white: int = 255):
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images, but {len(labels)} labels")
        self.images, self.labels, self.classes, self.white = images, labels, tuple(classes), white

    def __len__(self) -> int: return len(self.labels)

    def __getitem__(self, index) -> tuple[Tensor, Tensor]:
        return Tensor(self.images[index] / np.float32(self.white)), Tensor(self.labels[index])

    def __repr__(self) -> str: return f"{type(self).__name__}: {len(self)} images of {' x '.join(map(str, self.images.shape[1:]))}"


class Digits(ImageDataset):
    """The 1,797 handwritten digits of 8 x 8 pixels which come with the package (UCI; see datasets/ATTRIBUTION.md)."""

    def __init__(self):
        images, labels = load_digits()
        super().__init__(images[:, None], labels, "0123456789", white=16)


class CIFAR10(ImageDataset):
    """50,000 colour images to train with or 10,000 to test with, from root, else TINYTORCH_DATA, else the user's cache."""

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
# CIFAR-10 comes as *pickles*, Python's own format. A pickle is a list of instructions from which Python rebuilds objects, and one of them
# is "call this function". The one below was written by hand. What will loading it do?

# %%
import pickle

program = b"cbuiltins\nprint\n(VThis could have been any command on your computer.\ntR."
pickle.loads(program)

# %% [markdown]
# Never `pickle.load` what you did not write. `tinytorch/datasets/cifar10.py` therefore reads with an unpickler of its own, `_OnlyArrays`, worth
# a look: it refuses every name that a pickle asks for, but the three which an array is made of. Those it replaces by harmless stand-ins.

# %% tags=["raises-exception"]
from pathlib import Path
from tempfile import TemporaryDirectory

with TemporaryDirectory() as folder:
    path = Path(folder, "data_batch_1")
    path.write_bytes(program)
    cifar10.read_batch(path)

# %% [markdown]
# Is CIFAR-10 on this machine? If not, the next cell says how to get it (170 MB, downloaded through `pooch`, which believes only the file with the
# right checksum). Everything below also works with the digits, and then says that it does.

# %%
try:
    train = CIFAR10(train=True)
except FileNotFoundError as error:
    train = Digits()
    print(f"No CIFAR-10 here: the pictures below show digits. {error}")
train

# %% [markdown]
# One image twice, by your `pictures` and by the silent `reshape`. How often will the second show it, and why in grey?
# (A digit has one channel, and nothing to confuse.)

# %%
one = train.images[7:8]
figure, axes = plt.subplots(1, 2, figsize=(4, 2))
for ax, picture in zip(axes, [pictures(one), one.reshape(pictures(one).shape)]):
    ax.imshow(picture[0], cmap="gray_r")
    ax.axis("off")

# %% [markdown]
# ## 3. Batches
#
# An **epoch** is one pass over all examples, in batches. An order is given, an array of numbers; cut it into pieces of `batch_size`. What if the last piece
# is shorter? It is kept, unless `drop_last` says that only full batches are wanted. A last batch that *is* full is never dropped, and no examples make no batch.
#
# `order[i : i + batch_size]` may reach beyond the end: then the slice is shorter, and no error. Two to four lines.

# %% nbgrader={"grade": false, "grade_id": "batch_indices", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def batch_indices(order: np.ndarray, batch_size: int, drop_last: bool = False) -> list[np.ndarray]:
    """The order in pieces of batch_size; the last may be shorter, and is left out then if drop_last."""
    ### BEGIN SOLUTION
    pieces = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    if drop_last and len(order) % batch_size != 0:
        pieces.pop()
    return pieces
    ### END SOLUTION

# %% [markdown]
# Ten examples in fours. How many batches, with and without `drop_last`?

# %%
batch_indices(np.arange(10), 4), batch_indices(np.arange(10), 4, drop_last=True)

# %% nbgrader={"grade": true, "grade_id": "batch_indices_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""All batches but the last are full, the last is the remainder, nothing is lost or moved; drop_last drops only a remainder."""
order = np.array([3, 1, 4, 15, 9, 2, 6, 5, 35, 8])
lengths = {(4, False): [4, 4, 2], (4, True): [4, 4], (5, True): [5, 5], (10, True): [10], (11, False): [10], (11, True): []}

for (size, drop), wanted in lengths.items():
    got = [len(piece) for piece in batch_indices(order, size, drop)]
    assert got == wanted, f"10 examples in batches of {size}, drop_last={drop}: {wanted}, not {got}"
np.testing.assert_array_equal(np.concatenate(batch_indices(order, 3)), order, err_msg="together the pieces are the order")
assert len(batch_indices(order[:0], 4)) == 0, "no example, no batch: not even an empty one"

# %% nbgrader={"grade": true, "grade_id": "batch_indices_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on batches of one, on no example at all, and on every size from 1 to 13."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_order = np.arange(100, 112)
for _drop in [False, True]:
    answer([[len(p) for p in batch_indices(_order, size, _drop)] for size in range(1, 14)], about=f"drop_last={_drop}")
    answer(len(batch_indices(np.arange(0), 4, _drop)), about="no example")
    answer(np.concatenate(batch_indices(_order, 5, _drop)), about="which examples, in fives")
### END HIDDEN TESTS

# %% [markdown]
# ### A new order every epoch, and the same tomorrow
#
# Two wishes that seem to fight. A network that meets the same batches in every epoch learns their accidents, so every epoch needs a new order. But a run that cannot be repeated cannot be
# debugged, so the same seed must give the same epochs; and a run that was stopped in epoch 7 must go on with *its* epoch 7.
#
# The remedy: the order depends on the seed and the number of the epoch, and on nothing else. `np.random.default_rng` also takes a list of numbers, and mixes them well. (A sum would
# not do: seed 0, epoch 1 would be seed 1, epoch 0.) One or two lines.

# %% nbgrader={"grade": false, "grade_id": "epoch_order", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """The numbers 0 to n - 1 in a random order, which depends on the seed and the epoch and on nothing else."""
    ### BEGIN SOLUTION
    return np.random.default_rng([seed, epoch]).permutation(n)
    ### END SOLUTION

# %%
[epoch_order(8, seed=0, epoch=epoch) for epoch in [0, 1, 2, 1]]

# %% nbgrader={"grade": true, "grade_id": "epoch_order_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""An order holds every example once; the same seed and epoch give the same one, another seed or epoch another."""
order = epoch_order(100, seed=3, epoch=5)
np.testing.assert_array_equal(np.sort(order), np.arange(100), err_msg="every example once in an epoch")
assert order.dtype.kind == "i", f"an order holds integers, to index with, not {order.dtype}"
np.random.seed(0)
np.testing.assert_array_equal(epoch_order(100, 3, 5), order, err_msg="seed 3, epoch 5, a second time")
for seed, epoch in [(3, 6), (4, 5), (5, 3), (2, 6)]:
    assert (epoch_order(100, seed, epoch) != order).any(), f"seed {seed}, epoch {epoch} has the order of seed 3, epoch 5"

# %% nbgrader={"grade": true, "grade_id": "epoch_order_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on 36 pairs of seed and epoch, on whether all places are equally likely, and on whether an epoch is more than the one before, turned."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(len({tuple(epoch_order(50, s, e)) for s in range(6) for e in range(6)}), about="36 pairs of seed and epoch")
_places = np.array([epoch_order(4, 1, e) for e in range(400)])
answer(bool((np.array([np.bincount(column, minlength=4) for column in _places.T]) > 60).all()), about="all places likely")
answer([len(epoch_order(n, 0, 0)) for n in (0, 1, 7)], about="none, one, seven")
_steps = (epoch_order(50, 0, 1) - epoch_order(50, 0, 0)) % 50
answer(len(set(_steps.tolist())) > 10, about="is epoch 1 a new order, or epoch 0 turned?")
### END HIDDEN TESTS

# %% [markdown]
# ### The loader
#
# Now the parts are there. Read `_batches`: an order, its pieces, one index array for each batch. Two arguments wait for the sections to come: `transform` changes the images of a batch, and `prefetch` is
# the number of batches that a thread prepares ahead. `iter(loader)` begins an epoch, and the next one has another number; set `loader.epoch` to go on elsewhere.

# %% nbgrader={"grade": false, "grade_id": "loader", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class DataLoader:
    """Batches of a dataset, an epoch for each `for`: the same seed gives the same epochs, with prefetching or without."""

    def __init__(
        self, dataset: Dataset, batch_size: int = 1, shuffle: bool = False, drop_last: bool = False,
        transform: Callable | None = None, prefetch: int = 0, seed: int | None = None,
    ):
        if batch_size < 1 or prefetch < 0:
            raise ValueError(f"batch_size must be at least 1 and prefetch at least 0, not {batch_size} and {prefetch}")
        self.dataset, self.batch_size, self.shuffle, self.drop_last = dataset, batch_size, shuffle, drop_last
        self.transform, self.prefetch = transform, prefetch
        self.seed = int(default_generator.integers(2**32)) if seed is None else seed  # None: manual_seed decides
        self.epoch = 0  # the number of the next epoch

    def __len__(self) -> int:
        """How many batches an epoch has."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        batches = self._batches(epoch)
        return prefetched(batches, self.prefetch) if self.prefetch else batches

    def _batches(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        n = len(self.dataset)
        order = epoch_order(n, self.seed, epoch) if self.shuffle else np.arange(n)
        generator = np.random.default_rng([self.seed, epoch, 1])  # what the transform draws from
        for indices in batch_indices(order, self.batch_size, self.drop_last):
            x, *others = self.dataset[indices]
            yield (x if self.transform is None else self.transform(x, generator), *others)

# %% [markdown]
# The digits in batches of 500. How many are there, and what is the shape of the last?

# %%
loader = DataLoader(digits, batch_size=500, shuffle=True, seed=0)
len(loader), [(x.shape, y.shape) for x, y in loader]

# %% [markdown]
# Each `for` has begun an epoch. The first ten labels of epoch 7: the same now and tomorrow.

# %%
loader.epoch = 7
next(iter(loader))[1][:10], loader.epoch

# %% [markdown]
# And now, what the notebook began with: shuffled images *with* their labels. `wall` draws any images with titles.

# %%
def wall(images, titles, columns=10):
    """Images (n, channels, height, width) in rows, each with its title."""
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(columns, 1.25 * rows), layout="constrained", squeeze=False)
    for ax, picture, title in zip(axes.flat, pictures(np.asarray(images)), titles):
        ax.imshow(picture.clip(0, 1), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, fontsize=8)

x, y = next(iter(loader))
wall(x[:10], y[:10].data)

# %% [markdown]
# ## 4. The same scale for every channel
#
# Layers like numbers around 0 with spread 1 (module 04 counts on it). So we need the mean and the standard
# deviation of each channel over *all* images, without having all of them as floats at once. Two sums suffice, over the $N$ numbers of a channel:
#
# $$\mu = \frac{1}{N} \sum x, \qquad \sigma = \sqrt{\frac{1}{N} \sum x^2 - \mu^2}$$
#
# Collect them with `for batch, *_ in loader:`. The last batch is shorter, so averages of batches must not be averaged. The two terms of $\sigma$ nearly
# cancel when the spread is small: make each batch float64 first (`batch.data.astype(np.float64)`), and take no root of what rounding left below 0 (`np.maximum`). About eight lines.

# %% nbgrader={"grade": false, "grade_id": "channel_statistics", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def channel_statistics(loader: Iterable) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel over all batches of images (n, channels, height, width): two (channels,)."""
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
# How bright is a digit on average, if paper is 0 and ink is 1? Guess from the wall, then look.

# %%
channel_statistics(DataLoader(digits, batch_size=500))

# %% nbgrader={"grade": true, "grade_id": "channel_statistics_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""The statistics are those of all images at once, for each channel, and whatever the batch size."""
x = np.random.default_rng(0).random((10, 3, 4, 5), dtype=np.float32) * np.float32([1, 2, 3]).reshape(3, 1, 1)
x[8:] += 5

for size in [1, 4, 8, 10]:
    mean, std = channel_statistics(DataLoader(TensorDataset(x, np.arange(10)), batch_size=size))
    assert np.shape(mean) == np.shape(std) == (3,), f"one number a channel: (3,) and (3,), not {np.shape(mean)}, {np.shape(std)}"
    np.testing.assert_allclose(mean, x.mean(axis=(0, 2, 3)), rtol=1e-5, err_msg=f"means, in batches of {size}")
    np.testing.assert_allclose(std, x.std(axis=(0, 2, 3)), rtol=1e-5, err_msg=f"standard deviations, in batches of {size}")
plain = np.arange(1, 51).reshape(50, 1, 1) / 0.7 * np.ones((5, 1, 11, 13))  # 50 channels, each of one colour
_, std = channel_statistics(DataLoader(TensorDataset(plain), batch_size=2))
np.testing.assert_allclose(std, 0, atol=1e-4, err_msg="channels of one colour: float64, and no root of a number below 0")

# %% nbgrader={"grade": true, "grade_id": "channel_statistics_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on the digits, on batches without labels, and where the spread is small beside the mean."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(channel_statistics(DataLoader(Digits(), batch_size=1000)), about="the digits")
_x = np.random.default_rng(1).standard_normal((64, 2, 8, 8)) + [[[[100.0]], [[-1000.0]]]]
answer(channel_statistics(DataLoader(TensorDataset(_x), batch_size=48)), about="a small spread", rtol=1e-3)
### END HIDDEN TESTS

# %% [markdown]
# ### Normalize
#
# $$y = \frac{x - \mu}{\sigma}$$
#
# A **transform** is a function of a batch of images, a tensor (n, channels, height, width), and a generator; it returns the new batch and leaves the old one alone. `Normalize` draws nothing, so it ignores the
# generator. `self.mean` and `self.std` have shape (channels,): which shape must they get, so that each meets its own channel? One to three lines.

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
"""Each channel gets its own mean and spread, in float32, and the batch that came in does not change."""
x = Tensor(np.random.default_rng(0).random((2, 3, 4, 3)))
before = x.data.copy()
y = Normalize([0.5, 1.0, 2.0], [0.5, 2.0, 4.0])(x)

assert isinstance(y, Tensor) and y.shape == x.shape, f"a Tensor of shape {x.shape}, not {type(y).__name__} of {np.shape(y)}"
assert y.dtype == np.float32, f"float32 stays float32, not {y.dtype}"
for channel, (mean, std) in enumerate([(0.5, 0.5), (1.0, 2.0), (2.0, 4.0)]):
    wanted = (before[:, channel] - mean) / std
    np.testing.assert_allclose(y.data[:, channel], wanted, rtol=1e-5, atol=1e-6, err_msg=f"channel {channel}")
np.testing.assert_array_equal(x.data, before, err_msg="the batch that came in was changed")

# %% nbgrader={"grade": true, "grade_id": "normalize_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on one channel, on four, and on an empty batch."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

answer(Normalize([0.25], [0.5])(Tensor(np.arange(8.0).reshape(2, 1, 2, 2))), about="one channel")
answer(Normalize([0, 1, 2, 3], [1, 2, 3, 4])(Tensor(np.ones((2, 4, 4, 4)))), about="four channels of 4 by 4")
answer(Normalize([0.5] * 3, [2.0] * 3)(Tensor(np.ones((0, 3, 2, 2)))).shape, about="an empty batch")
### END HIDDEN TESTS

# %% [markdown]
# ## 5. More images than there are
#
# A frog seen in a mirror is a frog, and a frog four pixels further left is too. A network does not know that. Show it each image a little
# different in every epoch, and it must find what stays. This is **augmentation**. It belongs to training only: a test should not be luck.
#
# ### In the mirror
#
# `RandomHorizontalFlip(p)` exchanges left and right, for each image of the batch with probability `p`. One line has drawn the coins: `flipped` has shape (n,), and is true for the images
# to be mirrored. Choose between `x` and its mirror image by `where(condition, a, b)` of module 02; the condition must broadcast against the batch. One line.

# %% nbgrader={"grade": false, "grade_id": "flip", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class RandomHorizontalFlip:
    """Each image of a batch by itself, with probability p, as in a mirror."""

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
"""p = 1 mirrors left and right, twice is as it was, p = 0 changes nothing; in between each image has its own coin."""
x = Tensor(np.random.default_rng(0).random((12, 3, 4, 5)))
before = x.data.copy()

mirrored = RandomHorizontalFlip(p=1)(x)
assert isinstance(mirrored, Tensor), f"a batch is a Tensor, not {type(mirrored).__name__}"
np.testing.assert_array_equal(mirrored.data[:, :, :, 0], before[:, :, :, 4], err_msg="the right column must come to the left")
for p, start, what in [(0, x, "p = 0 (or the batch that came in was changed)"), (1, mirrored, "mirrored twice")]:
    np.testing.assert_array_equal(RandomHorizontalFlip(p)(start).data, before, err_msg=what)
y = RandomHorizontalFlip(p=0.5)(x, np.random.default_rng(1)).data
coins = [np.array_equal(y[i], mirrored.data[i]) for i in range(12)]
assert 0 < sum(coins) < 12, f"of 12 images {sum(coins)} were mirrored: each needs a coin of its own"
assert all(np.array_equal(y[i], before[i]) for i in range(12) if not coins[i]), "an image stays, or is mirrored as a whole"

# %% nbgrader={"grade": true, "grade_id": "flip_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on which images are mirrored, on square images of bytes, and on a batch of one."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor(np.random.default_rng(2).random((9, 2, 3, 4)))
answer(RandomHorizontalFlip(0.3)(_x, np.random.default_rng(5)), about="nine images, p = 0.3")
_y = RandomHorizontalFlip()(Tensor(np.arange(54, dtype=np.uint8).reshape(2, 3, 3, 3)), np.random.default_rng(1))
answer([str(_y.dtype), _y.data.tolist()], about="square images of bytes")
answer(RandomHorizontalFlip(1.0)(Tensor(np.arange(6.0).reshape(1, 1, 2, 3))), about="a batch of one")
### END HIDDEN TESTS

# %% [markdown]
# ### A few pixels aside
#
# `RandomCrop(padding)` puts a border of `padding` = p zeros (black; for the digits, paper) round the image and cuts an image of the old size out of it. The upper left corner has
# $2p + 1$ places in each direction: from 0, the picture moved down and right, over p, where it stays as it was, to 2p.
#
# `sliding_window_view(a, (h, w), axis=(2, 3))` is a view on *all* windows: for `a` of shape (n, c, h + 2p, w + 2p) it has shape (n, c, 2p + 1, 2p + 1, h, w), and the two middle axes say where the corner is. A small
# one, with a border of 1:

# %%
padded = np.pad(np.arange(1, 7).reshape(1, 1, 2, 3), ((0, 0), (0, 0), (1, 1), (1, 1)))
windows = sliding_window_view(padded, (2, 3), axis=(2, 3))
padded[0, 0], windows.shape, windows[0, 0, 0, 2]

# %% [markdown]
# `top` and `left`, each of shape (n,), are the corners that were drawn. Pad `x.data`, take the view, and pick from it for image `i` the window
# `[i, :, top[i], left[i]]`, for all images by *one* index: the numbers of the images are `np.arange(n)`. Bytes stay bytes. Three lines.

# %% nbgrader={"grade": false, "grade_id": "crop", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class RandomCrop:
    """Each image of a batch by itself, moved by up to `padding` pixels in each direction; what comes in is black."""

    def __init__(self, padding: int):
        self.padding = padding

    def __call__(self, x: Tensor, generator=default_generator) -> Tensor:
        """(n, channels, height, width), the same shape."""
        p, (n, _, height, width) = self.padding, x.shape
        top, left = generator.integers(2 * p + 1, size=(2, n))  # each (n,), from 0 to 2p
        ### BEGIN SOLUTION
        padded = np.pad(x.data, ((0, 0), (0, 0), (p, p), (p, p)))
        windows = sliding_window_view(padded, (height, width), axis=(2, 3))  # (n, channels, 2p + 1, 2p + 1, height, width)
        return Tensor(windows[np.arange(n), :, top, left])
        ### END SOLUTION

# %%
wall(RandomCrop(4 if len(same[0]) == 3 else 2)(same, np.random.default_rng(0)), [""] * 6, columns=6)

# %% nbgrader={"grade": true, "grade_id": "crop_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
"""A crop is the image moved by up to `padding`, black where nothing was, all channels alike, each image by itself."""
x = Tensor(1 + np.random.default_rng(0).random((30, 2, 3, 5)))
before = x.data.copy()
y = RandomCrop(2)(x, np.random.default_rng(1))

assert isinstance(y, Tensor) and y.shape == x.shape, f"a Tensor of shape {x.shape}, not {type(y).__name__} of {np.shape(y)}"
moves = set()
for image, result in zip(np.pad(before, ((0, 0), (0, 0), (2, 2), (2, 2))), y.data):
    found = [(i, j) for i in range(5) for j in range(5) if np.array_equal(image[:, i : i + 3, j : j + 5], result)]
    assert found, "a result is no window of the padded image: are all channels moved alike?"
    moves.update(found)
assert len(moves) > 10, f"30 images and 25 places, but only {len(moves)} of them occur: each image has its own corner"
np.testing.assert_array_equal(RandomCrop(0)(x).data, before, err_msg="without a border nothing moves (or x was changed)")
kind = RandomCrop(1)(Tensor(np.ones((2, 3, 4, 5), np.uint8))).dtype
assert kind == np.uint8, f"bytes stay bytes, and do not become {kind}"

# %% nbgrader={"grade": true, "grade_id": "crop_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
"""Graded again on where each image has gone (`top` moves it in height, `left` in width), on bytes, and on a border wider than the image."""
### BEGIN HIDDEN TESTS
from tito.grading import answer

_x = Tensor(1 + np.arange(5 * 2 * 4 * 3, dtype=np.uint8).reshape(5, 2, 4, 3))
_y = RandomCrop(1)(_x, np.random.default_rng(7))
answer([str(_y.dtype), _y.data.tolist()], about="five images of bytes")
answer(RandomCrop(3)(Tensor(np.arange(1.0, 9).reshape(2, 1, 2, 2)), np.random.default_rng(3)), about="a border of 3 round 2 by 2")
### END HIDDEN TESTS

# %% [markdown]
# Transforms follow each other. `Compose` is given, and is a transform itself. Why does the crop stand before `Normalize`: which colour
# is its border in the one order, and which in the other?

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
twins = [DataLoader(digits, 64, shuffle=True, transform=augment, seed=5) for _ in range(2)]
all(np.array_equal(a.data, b.data) for (a, _), (b, _) in zip(*twins))

# %% [markdown]
# Two loaders, one seed, the same pixels: the crops and coins of an epoch also come from the seed and the number of the epoch.
# (After `Normalize` a border of zeros would have the mean colour. And a mirrored 3 is no digit: which augmentation is honest depends on the data.)

# %% [markdown]
# ## 6. Ready before it is asked for
#
# While the network computes, nobody prepares the next batch; while the next batch is prepared, the network waits. A thread can do the one during the other: NumPy
# lets go of Python's lock while it copies and computes.
#
# Threads are where programs hang. The usual way, a thread that puts batches into a queue of limited size, has a trap: the consumer stops early (`break`), nobody
# takes from the full queue, and the thread waits in `put` forever. So we turn it round: the thread works only on what was *ordered*, and never waits for room.

# %% [markdown]
# `pool.submit(f, *args)` has the thread call `f(*args)`, and returns at once a **future**, a slip for the result. `future.result()` waits until the result is there and returns it, or *raises the exception* that the call ended in. So no
# error is lost. `next(batches, end)` gives the next batch, or `end` when there is none.

# %%
with ThreadPoolExecutor(1) as pool:
    slips = deque([pool.submit(divmod, 17, 5), pool.submit(next, iter("ab"), "end")])
    first = slips.popleft().result()
first, slips.popleft().result()

# %% [markdown]
# Write the queue:
#
# - order `ahead` batches, and keep the futures in a `deque` (`append` on the right, `popleft` on the left);
# - as long as the leftmost result is not `end` (compare with `is`): order one more, *then* `yield` the result, so that the thread works while the consumer does.
#
# Beside what the consumer holds, there are then never more than `ahead` batches. However the loop is left, at the end, by an error, or because the consumer
# stopped (Python then ends the generator in its `yield`), the `finally` takes back the open orders and waits for the thread. Four lines suffice.

# %% nbgrader={"grade": false, "grade_id": "prefetched", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def prefetched(batches: Iterable, ahead: int) -> Iterator:
    """The batches in their order; a thread makes up to `ahead` of them before they are asked for, and ends with this iterator."""
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
# A source that tells when it is asked. In which order will the lines come? (The thread and the loop share the screen, so
# neighbours may change places.)

# %%
def source(n):
    for i in range(n):
        print(f"made {i}")
        yield i

for item in prefetched(source(5), ahead=2):
    print(f"     used {item}")

# %% [markdown]
# To check it, a source that notes what it made, fails where it is told to, and raises a flag when it has made batch 3; and a list of the
# threads that are still there.

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

# %% nbgrader={"grade": true, "grade_id": "prefetched_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
"""Every batch in order, made ahead but not too far, errors passed on, and no thread left behind."""
assert list(prefetched(counting(7), 3)) == list(range(7)), "all batches, in their order"

made.clear(), flag.clear()
early = prefetched(counting(100), 3)
assert next(early) == 0, "the first batch is 0"
assert flag.wait(5), "with batch 0 in use, batches 1, 2 and 3 must be made without being asked for"
assert len(made) <= 4, f"one batch in use and 3 ahead, but {len(made)} were made"
early.close()
assert not threads(), "the consumer stopped, and the thread must end"

try:
    received = list(prefetched(counting(9, fail_at=2), 4))
except OSError:
    assert not threads(), "after an error the thread must end, too"
else:
    raise AssertionError(f"the source raised OSError, and the consumer heard nothing of it: {received}")

# %% nbgrader={"grade": true, "grade_id": "prefetched_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
"""Graded again on what came before an error, on falsy batches and None, on one ahead, and on nothing at all."""
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
answer([list(prefetched(range(4), 1)), list(prefetched([], 3)), list(prefetched(range(3), 50))], about="one ahead, nothing, fifty ahead")
### END HIDDEN TESTS

# %% [markdown]
# And in the loader. The same seed, with prefetching and without: will the batches differ?

# %%
plain, ahead = (DataLoader(digits, 64, shuffle=True, transform=augment, seed=5, prefetch=n) for n in [0, 4])
all(np.array_equal(a.data, b.data) for (a, _), (b, _) in zip(plain, ahead, strict=True))

# %% [markdown]
# They cannot: one thread makes all batches, one after the other, and only that thread draws from the generator.
#
# ## Use: a wall of images
#
# Thirty training images, drawn at random, with their labels. Which labels would you have got wrong?

# %%
x, y = next(iter(DataLoader(train, batch_size=30, shuffle=True, seed=1)))
wall(x, [train.classes[label] for label in y.data])
print(train if isinstance(train, CIFAR10) else "These are digits: CIFAR-10 is not on this machine (`tito data get cifar10`).")

# %% [markdown]
# The statistics of all training images, and proof that they do what they should. Which channel is the darkest?

# %%
mean, std = channel_statistics(DataLoader(train, batch_size=1000, prefetch=1))
after = channel_statistics(DataLoader(train, batch_size=1000, transform=Normalize(mean, std), prefetch=1))
np.testing.assert_allclose(after, [np.zeros_like(mean), np.ones_like(std)], atol=1e-4)
mean, std

# %% [markdown]
# What a network will be trained on: ten images in three epochs of augmentation, before they are normalised. Find an image whose label an augmentation has made harder.

# %%
augmented = Compose([RandomCrop(train.images.shape[-1] // 8), RandomHorizontalFlip(0.5 if isinstance(train, CIFAR10) else 0)])
ten = DataLoader(Subset(train, range(10)), batch_size=10, transform=augmented, seed=0)
batches = [next(iter(ten)) for _ in range(3)]
wall(np.concatenate([x.data for x, _ in batches]), [train.classes[label] for _, y in batches for label in y.data])

# %% [markdown]
# ## Systems: what a loader costs
#
# Times do not depend on what an image shows, so we measure on noise in the format of CIFAR-10, wherever you are. Count first: an image
# has 3,072 numbers. Picking it reads 3,072 bytes; as float32 it has 12,288. The naive way, and ours: one example after the other and `stack`, or one index array. What will
# the factor be?

# %%
from tinytorch.core.setup import compare, time_call
from tinytorch.core.tensor import manual_seed, randn, stack

rng = np.random.default_rng(0)
noise = ImageDataset(rng.integers(0, 256, (10_000, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, 10_000))
some = rng.permutation(10_000)[:128]
compare({"index array": lambda: noise[some], "one by one": lambda: stack([noise[i][0] for i in some])}, rounds=9)

# %% [markdown]
# ### Batch size
#
# A batch costs a fixed time, for Python, and a time for each image: $t(n) = a + b\,n$. So images per second rise with the batch size towards $1/b$. From which size on
# does it stop being worth while? Write down a guess.

# %%
def images_per_second(**options) -> float:
    """Over one epoch of the noise, the best of three."""
    loader = DataLoader(noise, shuffle=True, seed=0, **options)
    return len(loader) * loader.batch_size / time_call(lambda: deque(loader, maxlen=0), repeat=3).min

for n in [1, 4, 16, 64, 256, 1024]:
    rate = images_per_second(batch_size=n, drop_last=True)
    print(f"n = {n:4}  {rate:10,.0f} images/s  {1e6 * n / rate:8.1f} µs a batch  {1e6 / rate:6.2f} µs an image")

# %% [markdown]
# Large batches may get slower again: a batch of 1,024 images is 12.6 MB, more than most caches hold.
#
# ### Transforms
#
# Per image, flip and `Normalize` read and write 12 kB, once or twice. The crop writes a padded copy first, then reads from it. Which
# of them is the dearest? And what if the crop came before the conversion to float32, on bytes: what is the most that it could gain?

# %%
mine = {"none": None, "normalise": Normalize([0.5] * 3, [0.25] * 3), "flip": RandomHorizontalFlip(), "crop": RandomCrop(4)}
mine["all three"] = Compose([mine["crop"], mine["flip"], mine["normalise"]])
for name, transform in mine.items():
    rate = images_per_second(batch_size=128, transform=transform)
    print(f"{name:10} {rate:10,.0f} images/s  {1e6 / rate:6.2f} µs an image")

# %%
byte, real = Tensor(noise.images[some]), noise[some][0]
compare({"crop of float32": lambda: mine["crop"](real), "crop of bytes": lambda: mine["crop"](byte)}, rounds=9)

# %% [markdown]
# ### Prefetching
#
# A step of training takes time S, the preparation of its batch time L. One after the other they take L + S. Side by side they take at best
# the larger of the two. The step here is the forward pass of a network of module 05's kind, three times over, since training computes about three times as much as that.
#
# A matrix product may use all cores by itself; then the loader's thread has no core of its own, and can only take from another. So the product gets one core here. Predict the
# last two numbers from the first two. Then put `None` for the 1, all cores for the product: what changes?

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

part = Subset(noise, range(3840))  # 30 batches
options = dict(batch_size=128, shuffle=True, transform=mine["all three"], seed=0)
plain, ahead = DataLoader(part, **options), DataLoader(part, prefetch=2, **options)
x = noise[some][0]
runs = {"loading alone": lambda: epoch(plain, len), "computing alone": lambda: [step(x) for _ in range(30)],
        "one after the other": lambda: epoch(plain, step), "prefetched": lambda: epoch(ahead, step)}
with threadpool_limits(1, user_api="blas"):
    for name, run in runs.items():
        print(f"{name:20} {1e3 * time_call(run, repeat=5).min / 30:6.2f} ms a batch")

# %% [markdown]
# Where the last line is above the larger of L and S, the two share something after all: a core, the way to memory, or Python's lock between two calls of NumPy.
# On a machine with other work to do, or with a single core, nothing is gained. What does prefetching cost? Memory: at most `prefetch` + 1 batches at a time, whatever the size of the dataset.

# %% [markdown]
# ### Reflect: what may a loader cost?
#
# A network of yours trains on r images per second, without the loader's time. Somebody says: "Loading should cost at most 5 % of the time of an epoch." From your tables:
# up to which r is that true for all three transforms in batches of 128 *without* prefetching, and what is the limit *with* it, if it overlaps perfectly? Derive both limits from one number of yours; a formula and a number for each,
# at most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "budget_reflect", "locked": false, "points": 8, "schema_version": 3, "solution": true, "task": false}
# The loader makes R = 70,000 images/s, so an image costs 1/R, and training 1/r. Without prefetching the share of loading is
# (1/R) / (1/R + 1/r) = r / (R + r), and it is at most 0.05 for r at most R/19, about 3,700 images/s. With perfect overlap loading costs
# nothing as long as it is not the slower one, r at most R = 70,000. (To be 5 % longer it may even be r = 1.05 R.)
#
# Rubric: 2 points for the learner's own rate of all three transforms; 3 for the share and R/19 (R/20 earns 2: loading compared with the training time only); 2 for
# r = R (or 1.05 R) with overlap, with the reason that the slower of the two decides; 1 for both as numbers.

# %% [markdown]
# ### Reflect: the same crops
#
# Somebody writes `RandomCrop` so that it makes its generator in `__init__`, `self.generator = np.random.default_rng(0)`, and draws from that. Name one thing that
# then goes wrong when a training is stopped after epoch 3 and resumed in a new process, and one when two loaders share the transform, one of them with `prefetch=2`. Say for
# each what you would see. At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "generator_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# After resuming, the generator starts again at its first number, so epoch 4 gets the corners of epoch 1: the resumed run differs from one that was not interrupted, and the loss curve
# cannot be reproduced. Two loaders that share it draw alternately, and with a thread in an order which depends on timing: two runs with the same seed give different crops, and (a generator is not made for
# two threads at once) perhaps broken ones.
#
# Rubric: 3 points for the restart and its visible effect (epoch 4 repeats the draws of epoch 1, or the run is not the undisturbed one); 3 for draws that depend on the order in
# which the loaders run, so that equal seeds no longer give equal batches (2 if only "not safe with threads" is said).

# %% [markdown]
# ### Reflect: how far ahead?
#
# Loading takes 10 ms for most batches, but every tenth takes 60 ms (a slow disk). A step takes 20 ms. Predict for `prefetch=1` and for `prefetch=4` how much time ten
# batches take in the long run, and say what `prefetch=100` would gain and cost for batches of 128 images of CIFAR-10. At most five sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "ahead_reflect", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# Ten steps take 200 ms and ten loads 9 · 10 + 60 = 150 ms, so on average the loader is fast enough. With one ahead, the slow batch is begun when the step before it begins: 60 ms of loading against 20 ms of work, a
# wait of 40 ms, so 240 ms for ten batches. With four ahead there is a store of finished batches, which lasts 60 to 80 ms of work while the slow one is made: no wait, 200 ms. One hundred gains nothing more, and holds
# 100 · 128 · 12,288 bytes = 157 MB.
#
# Rubric: 2 points for 240 ms (or "40 ms of waiting in ten batches"), 2 for 200 ms with the store of batches as the reason, 2 for no gain and about 157 MB (1 without the number).

# %% [markdown]
# ## Summary
#
# Datasets are counted and picked by index arrays; loaders cut an order into batches, new in every epoch and the same for the same seed; transforms move and scale whole batches; a thread works
# ahead and ends when you do. CIFAR-10 and the digits stay bytes until they are picked. Nothing learns yet: module 09 brings the gradients, 10 the steps, and 11 the training that these
# batches are for.
