"""tinytorch.core.dataloader: nothing lost, nothing torn apart, the same tomorrow, and threads that always end."""

import gc
import os
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest
import small_cifar10
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core.dataloader import (
    CIFAR10,
    Compose,
    DataLoader,
    Dataset,
    Digits,
    ImageDataset,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    batch_indices,
    channel_statistics,
    default_collate,
    pictures,
    planes,
    prefetched,
    random_split,
)
from tinytorch.core.tensor import Tensor, default_generator, manual_seed
from tinytorch.datasets import cifar10, load_digits

some = settings(deadline=None, max_examples=60)

AUGMENT = Compose([RandomCrop(2), RandomHorizontalFlip(), Normalize([0.5] * 3, [0.25] * 3)])


def pairs(n: int) -> TensorDataset:
    """Example i is (i, -i)."""
    return TensorDataset(np.arange(n), -np.arange(n))


def images(n: int = 7, channels: int = 3, height: int = 4, width: int = 5) -> Tensor:
    return Tensor(np.random.default_rng(0).random((n, channels, height, width)) + 0.5)


def made_images(n: int = 50) -> ImageDataset:
    rng = np.random.default_rng(1)
    return ImageDataset(rng.integers(0, 256, (n, 3, 6, 5), dtype=np.uint8), np.arange(n))


def seen(loader) -> list:
    """Everything that an epoch gives, as lists."""
    return [[part.data.tolist() for part in batch] for batch in loader]


def workers() -> list:
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


# -- datasets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, -1, slice(2, 7, 2), np.array([3, 3, 0]), [1, 2], np.arange(10) > 6], ids=repr)
def test_a_tensor_dataset_picks_the_same_rows_of_each_tensor(index):
    x, y = np.random.default_rng(0).random((10, 2, 3), dtype=np.float32), np.arange(10)
    picked = TensorDataset(Tensor(x), y)[index]
    assert isinstance(picked, tuple)
    np.testing.assert_array_equal(picked[0].data, x[index])
    np.testing.assert_array_equal(picked[1].data, y[index])


def test_tensors_of_different_lengths_are_refused_with_the_lengths():
    with pytest.raises(ValueError, match=r"\[3, 4\]"):
        TensorDataset(np.zeros(3), np.zeros((4, 2)))


@some
@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(0, 99))
def test_a_split_is_a_partition_that_its_generator_decides(lengths, seed):
    dataset = pairs(sum(lengths))
    parts = random_split(dataset, lengths, np.random.default_rng(seed))
    assert [len(part) for part in parts] == lengths
    everything = np.concatenate([part[:][0].data for part in parts])
    assert sorted(everything) == list(range(sum(lengths)))
    for part in parts:
        x, y = part[:]
        np.testing.assert_array_equal(y.data, -x.data)
    again = random_split(dataset, lengths, np.random.default_rng(seed))
    assert [part.indices.tolist() for part in again] == [part.indices.tolist() for part in parts]


def test_a_split_that_does_not_add_up_says_both_numbers():
    with pytest.raises(ValueError, match=r"\[3, 4\] sum to 7, but the dataset has 10"):
        random_split(pairs(10), [3, 4])


def test_manual_seed_decides_a_split_without_a_generator():
    manual_seed(4)
    first = random_split(pairs(50), [25, 25])[0].indices
    manual_seed(4)
    np.testing.assert_array_equal(random_split(pairs(50), [25, 25])[0].indices, first)


def test_a_subset_of_a_subset_is_a_subset():
    inner = Subset(Subset(pairs(20), [3, 5, 7, 11, 13]), [4, 0])
    assert [inner[i][0].item() for i in range(2)] == [13, 3]
    with pytest.raises(IndexError):
        inner[2]


def test_a_dataset_must_say_what_it_has():
    with pytest.raises(NotImplementedError, match="Dataset has no __len__"):
        len(Dataset())
    with pytest.raises(NotImplementedError, match="Dataset has no __getitem__"):
        Dataset()[0]


# -- images ------------------------------------------------------------------------------------------------------------


def test_planes_and_pictures_agree_about_every_byte():
    rows = np.random.default_rng(0).integers(0, 256, (2, 3 * 4 * 5), dtype=np.uint8)
    image = pictures(planes(rows, 4, 5))
    for n, i, j, c in np.ndindex(2, 4, 5, 3):
        assert image[n, i, j, c] == rows[n, c * 20 + i * 5 + j]


def test_every_byte_becomes_the_float32_next_to_its_share_of_white():
    values = np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1)
    x, y = ImageDataset(values, np.arange(256))[:]
    np.testing.assert_array_equal(x.data.ravel(), np.arange(256, dtype=np.float32) / np.float32(255))
    assert (x.dtype, y.dtype, x.data.max()) == (np.float32, np.int64, 1)


def test_one_example_has_no_axis_of_examples():
    x, y = made_images()[5]
    assert (x.shape, y.shape, y.item()) == ((3, 6, 5), (), 5)


def test_the_digits_are_the_shipped_ones():
    raw, labels = load_digits()
    digits = Digits()
    x, y = digits[:]
    assert (len(digits), x.shape, digits.images.dtype) == (1797, (1797, 1, 8, 8), np.uint8)
    np.testing.assert_array_equal(x.data[:, 0] * 16, raw)
    np.testing.assert_array_equal(y.data, labels)
    assert digits.classes[labels[7]] == str(labels[7])
    assert repr(digits) == "Digits: 1797 images of 1 x 8 x 8"


def test_images_and_labels_of_different_number_are_refused():
    with pytest.raises(ValueError, match="3 images, but 4 labels"):
        ImageDataset(np.zeros((3, 1, 2, 2), np.uint8), np.zeros(4))


def test_cifar10_is_found_by_root_or_environment_and_stays_bytes(tmp_path, monkeypatch):
    small_cifar10.lay_out(tmp_path)
    monkeypatch.setenv("TINYTORCH_DATA", str(tmp_path))
    for train, test in [(CIFAR10(), CIFAR10(train=False)), (CIFAR10(tmp_path), CIFAR10(str(tmp_path), train=False))]:
        assert (train.images.shape, test.images.shape) == ((20, 3, 32, 32), (4, 3, 32, 32))
        assert train.images.dtype == np.uint8
    rows, labels = small_cifar10.rows_and_labels("test_batch")
    x, y = test[1]
    np.testing.assert_array_equal(x.data.ravel(), rows[1] / np.float32(255))
    assert (y.item(), test.classes) == (labels[1], cifar10.CLASSES)


def test_cifar10_that_is_missing_is_an_error_and_not_a_stand_in(tmp_path):
    with pytest.raises(FileNotFoundError, match="tito data get cifar10"):
        CIFAR10(tmp_path)


# -- batches -----------------------------------------------------------------------------------------------------------


@some
@given(st.integers(0, 40), st.integers(1, 45), st.booleans())
def test_batches_are_the_order_in_pieces_and_len_counts_them(n, size, drop):
    order = np.random.default_rng(n).permutation(n)
    pieces = batch_indices(order, size, drop)
    together = np.concatenate([[], *pieces])
    np.testing.assert_array_equal(together, order[: n // size * size if drop else n])
    assert all(len(piece) == size for piece in pieces[:-1]) and all(0 < len(piece) <= size for piece in pieces)
    loader = DataLoader(pairs(n), size, drop_last=drop)
    assert len(loader) == len(pieces) == len(list(loader))


@some
@given(st.integers(1, 30), st.integers(1, 33), st.booleans())
def test_lengths_are_those_of_pytorch(n, size, drop):
    torch = pytest.importorskip("torch")
    theirs = torch.utils.data.DataLoader(torch.arange(n), batch_size=size, drop_last=drop)
    ours = DataLoader(pairs(n), size, drop_last=drop)
    assert len(ours) == len(theirs)
    assert [len(x) for x, _ in ours] == [len(x) for x in theirs]


@some
@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 5), st.integers(0, 3))
def test_an_epoch_has_every_example_once_with_its_own_label(n, size, seed, prefetch):
    loader = DataLoader(pairs(n), size, shuffle=True, seed=seed, prefetch=prefetch)
    x, y = (np.concatenate(parts) for parts in zip(*[[part.data for part in batch] for batch in loader], strict=True))
    assert sorted(x) == list(range(n))
    np.testing.assert_array_equal(y, -x)


def test_without_shuffling_the_order_is_that_of_the_dataset():
    assert [x for batch in DataLoader(pairs(10), 4) for x in batch[0].data] == list(range(10))


@pytest.mark.parametrize("prefetch", [0, 1, 3])
def test_the_same_seed_gives_the_same_epochs_whatever_else_happens(prefetch):
    first = DataLoader(made_images(), 8, shuffle=True, transform=AUGMENT, seed=5)
    epochs = [seen(first) for _ in range(3)]
    manual_seed(99)
    second = DataLoader(made_images(), 8, shuffle=True, transform=AUGMENT, seed=5, prefetch=prefetch)
    assert [seen(second) for _ in range(3)] == epochs


def test_every_epoch_has_an_order_and_crops_of_its_own():
    loader = DataLoader(made_images(), 50, shuffle=True, transform=AUGMENT, seed=5)
    epochs = [seen(loader)[0] for _ in range(5)]
    assert len({tuple(labels) for _, labels in epochs}) == 5
    still = DataLoader(made_images(), 50, transform=AUGMENT, seed=5)
    assert seen(still) != seen(still)


def test_epochs_of_two_seeds_do_not_repeat_each_other():
    loaders = [DataLoader(pairs(30), 30, shuffle=True, seed=seed) for seed in range(4)]
    orders = [tuple(seen(loader)[0][0]) for loader in loaders for _ in range(4)]
    assert len(set(orders)) == 16


def test_a_run_can_go_on_in_a_later_epoch():
    loader = DataLoader(made_images(), 8, shuffle=True, transform=AUGMENT, seed=1)
    epochs = [seen(loader) for _ in range(4)]
    resumed = DataLoader(made_images(), 8, shuffle=True, transform=AUGMENT, seed=1)
    resumed.epoch = 2
    assert [seen(resumed), seen(resumed)] == epochs[2:]


def test_two_epochs_at_once_do_not_disturb_each_other():
    make = lambda: DataLoader(made_images(), 8, shuffle=True, transform=AUGMENT, seed=1, prefetch=1)  # noqa: E731
    one = make()
    apart = [seen(one), seen(one)]
    two = make()
    together = [([p.data.tolist() for p in a], [p.data.tolist() for p in b]) for a, b in zip(two, two, strict=True)]
    assert [[a for a, _ in together], [b for _, b in together]] == apart


def test_manual_seed_decides_where_no_seed_is_given():
    epochs = []
    for seed in (3, 3, 4):
        manual_seed(seed)
        epochs.append(seen(DataLoader(pairs(40), 40, shuffle=True)))
    assert epochs[0] == epochs[1] != epochs[2]


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"batch_size": -1}, {"prefetch": -1}])
def test_sizes_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be at least [01], not"):
        DataLoader(pairs(3), **options)


def test_an_empty_dataset_has_no_batches():
    for prefetch in (0, 2):
        loader = DataLoader(pairs(0), 4, shuffle=True, prefetch=prefetch)
        assert (len(loader), list(loader)) == (0, [])


def test_a_batch_is_fetched_by_one_index_array():
    asked = []

    class Asks(Dataset):
        def __len__(self):
            return 10

        def __getitem__(self, index):
            asked.append(index)
            return (Tensor(np.zeros((len(index), 1))),)

    list(DataLoader(Asks(), 4))
    assert [index.tolist() for index in asked] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


# -- transforms --------------------------------------------------------------------------------------------------------


def test_a_flip_is_pytorchs_for_the_images_whose_coin_says_so():
    torch = pytest.importorskip("torch")
    x = images(30)
    coins = np.random.default_rng(3).random(30) < 0.4
    y = RandomHorizontalFlip(0.4)(x, np.random.default_rng(3)).data
    mirrored = torch.from_numpy(x.data).flip(-1).numpy()
    np.testing.assert_array_equal(y, np.where(coins[:, None, None, None], mirrored, x.data))


@some
@given(st.integers(0, 4), st.integers(0, 6), st.integers(1, 3), st.integers(1, 5), st.integers(1, 6), st.integers(0, 9))
def test_a_crop_is_a_slice_of_the_padded_image(padding, n, channels, height, width, seed):
    x = images(n, channels, height, width)
    top, left = np.random.default_rng(seed).integers(2 * padding + 1, size=(2, n))
    y = RandomCrop(padding)(x, np.random.default_rng(seed)).data
    assert y.shape == x.shape
    for image, result, i, j in zip(x.data, y, top, left, strict=True):
        padded = np.zeros((channels, height + 2 * padding, width + 2 * padding), np.float32)
        padded[:, padding : padding + height, padding : padding + width] = image
        np.testing.assert_array_equal(result, padded[:, i : i + height, j : j + width])


def test_every_place_of_a_crop_is_about_equally_likely():
    x = np.zeros((9000, 1, 3, 3), np.float32)
    x[:, 0, 1, 1] = 1
    y = RandomCrop(1)(Tensor(x), np.random.default_rng(0)).data.sum(axis=0)
    assert y.min() > 850 and y.max() < 1150


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("transform", [RandomCrop(2), RandomHorizontalFlip(0.5)], ids=["crop", "flip"])
def test_moving_pixels_keeps_the_dtype_and_the_input(dtype, transform):
    x = Tensor((10 * images().data).astype(dtype), dtype=dtype)
    before = x.data.copy()
    assert transform(x).dtype == dtype
    np.testing.assert_array_equal(x.data, before)


def test_normalize_agrees_with_its_formula_in_float64():
    mean, std = [0.1, 0.5, 0.9], [0.2, 0.3, 0.4]
    y = Normalize(mean, std)(images())
    wanted = (images().data - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data, wanted, rtol=1e-5, atol=1e-6)


@some
@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 33), st.floats(-100, 100))
def test_statistics_are_those_of_all_images_at_once(n, channels, size, offset):
    x = (np.random.default_rng(n).standard_normal((n, channels, 3, 4)) + offset).astype(np.float32)
    mean, std = channel_statistics(DataLoader(TensorDataset(x), size))
    assert mean.shape == std.shape == (channels,)
    np.testing.assert_allclose(mean, x.mean(axis=(0, 2, 3), dtype=np.float64), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(std, x.std(axis=(0, 2, 3), dtype=np.float64), rtol=1e-6)


def test_compose_is_one_after_the_other_on_one_generator():
    x, together, apart = images(), np.random.default_rng(2), np.random.default_rng(2)
    wanted = RandomHorizontalFlip()(RandomCrop(1)(x, apart), apart)
    got = Compose([RandomCrop(1), RandomHorizontalFlip()])(x, together)
    np.testing.assert_array_equal(got.data, wanted.data)
    assert Compose([])(x) is x


# -- prefetching -------------------------------------------------------------------------------------------------------


def failing(n, error):
    yield from range(n)
    raise error


@some
@given(st.integers(0, 20), st.integers(1, 25))
def test_prefetching_changes_nothing_but_the_time(n, ahead):
    assert list(prefetched(range(n), ahead)) == list(range(n))
    assert workers() == []


@pytest.mark.parametrize("error", [OSError("disk"), KeyError("x"), SystemExit(3), KeyboardInterrupt(), MemoryError()], ids=repr)
def test_an_error_arrives_as_it_was_after_the_batches_before_it(error):
    got = []
    with pytest.raises(type(error)) as caught:
        for item in prefetched(failing(5, error), 3):
            got.append(item)
    assert (got, caught.value) == ([0, 1, 2, 3, 4], error)
    assert workers() == []


def test_an_error_names_the_line_of_the_source_in_its_traceback():
    with pytest.raises(OSError, match="gone") as caught:
        list(prefetched(failing(1, OSError("gone")), 2))
    assert "failing" in [entry.name for entry in caught.traceback]


@pytest.mark.parametrize("stop", ["break", "error", "return", "close", "forget"])
def test_a_consumer_that_stops_early_leaves_no_thread_and_the_source_is_closed(stop):
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    def consume():
        source = prefetched(endless(), 4)
        for _ in source:
            if stop == "break":
                break
            if stop == "error":
                raise ZeroDivisionError
            if stop == "return":
                return
            if stop == "close":
                source.close()
            if stop == "forget":
                del source
                return

    if stop == "error":
        with pytest.raises(ZeroDivisionError):
            consume()
    else:
        consume()
    gc.collect()
    assert workers() == []
    assert closed.is_set()


def test_a_thread_that_sleeps_in_a_slow_source_is_waited_for_once_and_not_for_all_that_was_ordered():
    made = []

    def slow():
        for i in range(100):
            time.sleep(0.02)
            made.append(i)
            yield i

    source = prefetched(slow(), 50)
    next(source)
    source.close()
    assert workers() == []
    assert len(made) < 10


def test_an_iterator_that_was_never_begun_has_no_thread():
    iter(DataLoader(pairs(10), 2, prefetch=3))
    assert workers() == []


def test_never_more_batches_are_alive_than_were_asked_for():
    alive, most = weakref.WeakSet(), 0

    class Batch:
        pass

    def source():
        nonlocal most
        for _ in range(60):
            batch = Batch()
            alive.add(batch)
            most = max(most, len(alive))
            yield batch
            del batch

    for _ in prefetched(source(), 3):
        time.sleep(0.001)
    assert most <= 5  # three ahead, the one in use, and the one that it replaces


def test_two_loops_over_one_loader_have_a_thread_each():
    loader = DataLoader(pairs(12), 3, prefetch=2)
    assert [(a.shape, b.shape) for a, _ in loader for b, _ in loader] == [((3,), (3,))] * 16
    assert workers() == []


def test_an_error_in_a_transform_reaches_the_loop():
    def broken(x, generator):
        raise ValueError("this transform is broken")

    with pytest.raises(ValueError, match="this transform is broken"):
        list(DataLoader(made_images(), 8, transform=broken, prefetch=2))
    assert workers() == []


@pytest.mark.parametrize("held", ["iterator", "batch in a loop that raises"])
def test_a_program_that_ends_in_the_middle_ends_at_once_and_silently(held):
    code = {
        "iterator": "it = iter(loader); next(it)",
        "batch in a loop that raises": "for batch in loader: raise SystemExit(0)",
    }[held]
    program = f"""
import numpy as np
from tinytorch.core.dataloader import DataLoader, TensorDataset
loader = DataLoader(TensorDataset(np.arange(100_000)), 10, prefetch=4)
{code}
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_maker_of_batches_works_while_the_consumer_does():
    both = threading.Barrier(2, timeout=10)

    def source():
        yield 0
        both.wait()  # passes only if the consumer is in its loop at the same time
        yield 1

    got = []
    for item in prefetched(source(), 1):
        got.append(item)
        if item == 0:
            both.wait()
    assert got == [0, 1]


# -- the real one ------------------------------------------------------------------------------------------------------

REAL = os.environ.get("TINYTORCH_DATA")


@pytest.mark.skipif(
    not REAL or not cifar10.is_here(REAL),
    reason="CIFAR-10 is not here: name in TINYTORCH_DATA the folder with its cifar-10-batches-py",
)
def test_the_real_cifar10_has_the_statistics_that_everybody_knows():
    mean, std = channel_statistics(DataLoader(CIFAR10(), 1000, prefetch=1))
    np.testing.assert_allclose(mean, [0.4914, 0.4822, 0.4465], atol=0.002)  # published, of the official release
    np.testing.assert_allclose(std, [0.2470, 0.2435, 0.2616], atol=0.004)


# -- examples one at a time, other orders ------------------------------------------------------------------------------

LONE = {
    "an array": np.arange(12.0, dtype=np.float32).reshape(6, 2),
    "a tensor": Tensor(np.arange(12.0).reshape(6, 2)),
    "a list of tensors": [Tensor(row) for row in np.arange(12.0).reshape(6, 2)],
}


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("dataset", LONE.values(), ids=LONE)
def test_a_dataset_of_lone_tensors_gives_lone_tensors(dataset, prefetch):
    torch = pytest.importorskip("torch")
    theirs = torch.utils.data.DataLoader(torch.arange(12.0).reshape(6, 2), batch_size=4)
    ours = list(DataLoader(dataset, 4, prefetch=prefetch))
    for x, y in zip(ours, theirs, strict=True):
        assert isinstance(x, Tensor) and x.dtype == np.float32
        np.testing.assert_array_equal(x.data, y.numpy())


def test_a_dataset_that_picks_many_may_give_lone_tensors_too():
    class Rows(Dataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            return Tensor(np.arange(10.0).reshape(5, 2)[index])

    double = lambda x, generator: x * 2  # noqa: E731
    assert [x.shape for x in DataLoader(Rows(), 3)] == [(3, 2), (2, 2)]
    assert [x.data[0, 1] for x in DataLoader(Rows(), 3, transform=double)] == [2, 14]


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_list_of_pairs_gives_what_a_tensor_dataset_gives(shuffle):
    x, y = np.random.default_rng(0).random((9, 2, 3), np.float32), np.arange(9)
    options = {"batch_size": 4, "shuffle": shuffle, "seed": 3}
    listed = [(Tensor(a), int(b)) for a, b in zip(x, y, strict=True)]
    for dataset in (listed, Subset(Subset(listed, range(9)), range(9))):
        ours, tensors = DataLoader(dataset, **options), DataLoader(TensorDataset(x, y), **options)
        for _ in range(2):
            assert seen(ours) == seen(tensors)


def test_parts_of_a_list_can_be_loaded():
    parts = random_split([(i, 2.0 * i) for i in range(10)], [7, 3], np.random.default_rng(0))
    both = [pair for part in parts for x, y in DataLoader(part, 4) for pair in zip(x.data, y.data, strict=True)]
    assert sorted(both) == [(i, 2.0 * i) for i in range(10)]


EXAMPLES = {
    "numbers": [1, 2, 3],
    "pairs": [(np.full((2, 2), float(i)), i) for i in range(3)],
    "lists": [[1.5, 2], [2.5, 3]],
    "dicts": [{"x": np.zeros(2), "y": i} for i in range(3)],
    "names": [("a", 1), ("b", 2)],
    "bools": [True, False],
    "bytes": [np.arange(3, dtype=np.uint8)] * 2,
    "empty": [np.zeros((0, 2))] * 2,
    "turned": [np.arange(6.0).reshape(2, 3).T[::-1]] * 2,
    "a tuple in a tuple": [((1, 2.0), 3), ((4, 5.0), 6)],
}


@pytest.mark.parametrize("examples", EXAMPLES.values(), ids=EXAMPLES)
def test_collation_agrees_with_pytorch(examples):
    torch = pytest.importorskip("torch")

    def plain(batch):
        if isinstance(batch, dict):
            return {key: plain(value) for key, value in batch.items()}
        if isinstance(batch, (list, tuple)):
            return [plain(part) for part in batch]
        return batch if isinstance(batch, str) else np.asarray(batch).tolist()

    writable = [tuple(map(np.copy, e)) if isinstance(e, tuple) and isinstance(e[0], np.ndarray) else e for e in examples]
    writable = [np.copy(e) if isinstance(e, np.ndarray) else e for e in writable]
    assert plain(default_collate(examples)) == plain(torch.utils.data.default_collate(writable))


@pytest.mark.parametrize("examples", [[np.zeros(2), np.zeros(3)], [([1, 2], 0), ([1], 0)], [(1, 2), (1,)]])
def test_examples_of_different_sizes_are_refused_with_the_way_out(examples):
    with pytest.raises(ValueError, match="pad them in a collate_fn of your own"):
        default_collate(examples)


class OneNumber(Dataset):
    """Written for PyTorch: picks by one number."""

    def __len__(self):
        return 6

    def __getitem__(self, i):
        return [(float(i),) for i in range(6)][i]


def test_a_dataset_that_takes_one_number_says_so_or_is_collated():
    with pytest.raises(TypeError, match=r"OneNumber does not pick by an array of numbers; .* say collate_fn=default_collate"):
        next(iter(DataLoader(OneNumber(), 4)))
    assert seen(DataLoader(OneNumber(), 4, collate_fn=default_collate)) == [[[0, 1, 2, 3]], [[4, 5]]]


def test_a_dataset_that_picks_another_number_of_examples_is_refused():
    class Sums(Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, i):
            return Tensor(np.arange(12.0).reshape(6, 2)[i].sum(0)), i

    with pytest.raises(ValueError, match=r"Sums, asked for 4 examples, gave a batch of shape \(2,\)"):
        next(iter(DataLoader(Sums(), 4)))


def test_a_collate_fn_gets_a_list_and_decides_everything():
    asked = []
    loader = DataLoader(pairs(5), 2, collate_fn=lambda examples: asked.append(examples) or {"n": len(examples)})
    assert list(loader) == [{"n": 2}, {"n": 2}, {"n": 1}]
    assert [type(examples) for examples in asked] == [list] * 3


@pytest.mark.parametrize("options", [{}, {"batch_size": 4}, {"batch_size": 4, "drop_last": True}])
def test_a_sampler_decides_the_order_as_in_pytorch(options):
    torch = pytest.importorskip("torch")
    order = [5, 5, 0, 9, 3, 3]
    ours = DataLoader(pairs(10), sampler=order, **options)
    theirs = torch.utils.data.DataLoader(torch.arange(10), sampler=order, **options)
    assert [batch[0].data.tolist() for batch in ours] == [batch.tolist() for batch in theirs]
    assert len(ours) == len(theirs)


def test_a_batch_sampler_decides_the_batches_as_in_pytorch():
    torch = pytest.importorskip("torch")
    batches = [[3, 1], [4], [0, 0, 2]]
    for dataset, options in [(pairs(5), {}), (pairs(5), {"prefetch": 2}), (list(range(5)), {})]:
        ours = DataLoader(dataset, batch_sampler=batches, **options)
        theirs = torch.utils.data.DataLoader(torch.arange(5), batch_sampler=batches)
        found = [(b if isinstance(b, Tensor) else b[0]).data.tolist() for b in ours]
        assert found == [b.tolist() for b in theirs]
        assert len(ours) == len(theirs)


@pytest.mark.parametrize(
    "options",
    [
        {"sampler": [0], "shuffle": True},
        {"batch_sampler": [[0]], "batch_size": 2},
        {"batch_sampler": [[0]], "shuffle": True},
        {"batch_sampler": [[0]], "drop_last": True},
        {"batch_sampler": [[0]], "sampler": [0]},
    ],
)
def test_two_orders_at_once_are_refused_as_in_pytorch(options):
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"leave .* out"):
        DataLoader(pairs(3), **options)
    with pytest.raises(ValueError, match="exclusive"):
        torch.utils.data.DataLoader(torch.arange(3), **options)


def test_a_weighted_sampler_draws_by_the_weights_and_is_repeated_by_its_seed():
    make = lambda: WeightedRandomSampler([1, 0, 3], 4000, generator=np.random.default_rng(0))  # noqa: E731
    first = list(make())
    counts = np.bincount(first, minlength=3)
    assert counts[1] == 0 and 2800 < counts[2] < 3200
    assert first == list(make()) and len(make()) == 4000
    assert sorted(WeightedRandomSampler([1, 1, 1], 3, replacement=False)) == [0, 1, 2]


@pytest.mark.parametrize("prefetch", [0, 3])
def test_manual_seed_decides_what_a_sampler_draws_whether_a_thread_works_or_not(prefetch):
    manual_seed(4)
    loader = DataLoader(pairs(50), 5, sampler=WeightedRandomSampler(np.ones(50), 20), prefetch=prefetch)
    drawn = []
    for x, _ in loader:
        drawn += [x.data.tolist(), default_generator.random()]
    manual_seed(4)
    default_generator.integers(2**32)
    order = default_generator.choice(50, 20, True, np.ones(50) / 50)
    assert drawn[::2] == order.reshape(4, 5).tolist()
    assert drawn[1::2] == default_generator.random(4).tolist()
