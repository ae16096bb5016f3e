"""The recipes: networks of the course's own layers that learn, on the real images if they are here."""

import os
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tinytorch.core.dataloader import TensorDataset
from tinytorch.core.tensor import Tensor, manual_seed
from tinytorch.core.training import cross_entropy
from tito.recipes import RECIPES, cifar10_better, digits
from tito.training import NAMES

CIFAR = pytest.mark.skipif(
    not (Path(os.environ.get("TINYTORCH_DATA", "")) / "cifar-10-batches-py" / "test_batch").is_file(),
    reason="CIFAR-10 is not here: name in TINYTORCH_DATA the folder with its cifar-10-batches-py",
)
STEPS, FALLEN = 200, 1.65  # the loss of guessing is 2.3


def patterns(name, n=64):
    """Make images in the recipe's sizes, with labels: a pattern of large squares for each class, plus noise."""
    rng = np.random.default_rng(0)
    channels, size = (1, 8) if name.startswith("digits") else (3, 32)
    squares = rng.random((10, channels, 4, 4)).repeat(size // 4, axis=2).repeat(size // 4, axis=3)
    labels = rng.integers(0, 10, n)
    images = 0.7 * squares[labels] + 0.3 * rng.random((n, channels, size, size))
    return TensorDataset(images.astype(np.float32), labels)


def test_the_command_knows_every_recipe():
    assert tuple(RECIPES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_new_network_costs_about_what_guessing_costs_and_every_parameter_gets_a_gradient(name):
    manual_seed(0)
    x, y = next(iter(RECIPES[name].loader(patterns(name))))
    model = RECIPES[name].model()
    loss = cross_entropy(model(x), y)
    assert 2.2 < loss.item() < 2.6
    loss.backward()
    for parameter_name, parameter in model.named_parameters():
        assert np.abs(parameter.grad.data).max() > 0, parameter_name
        assert parameter.data.dtype == np.float32, parameter_name


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_learns_what_tells_a_few_images_apart(name):
    manual_seed(0)
    recipe = RECIPES[name]
    (batch,) = recipe.loader(patterns(name, 32))
    trainer = recipe.trainer(batches=40)
    losses = [trainer.step([batch]) for _ in range(40)]
    assert losses[-1] < losses[0] / 2


def test_the_digits_are_split_in_two_parts_that_share_none():
    train, test = digits(True), digits(False)
    assert (len(train), len(test)) == (1437, 360)
    assert not set(train.indices) & set(test.indices)
    assert np.array_equal(digits(False).indices, test.indices)
    assert np.bincount(test[:][1].data).min() > 20, "each of the ten is tested"


def test_the_better_network_starts_with_weights_that_keep_the_scale_of_what_goes_through():
    manual_seed(0)
    model, x = cifar10_better().eval(), Tensor(np.random.default_rng(0).standard_normal((32, 3, 32, 32)))
    for layer in model[:-1]:
        x = layer(x)
        assert 0.4 < x.data.std() < 2.5, layer


@CIFAR
def test_the_cnn_learns_on_the_real_cifar10():
    """A few hundred steps show that it learns. The full runs are `tito train cifar10-cnn --seeds 0,1,2`."""
    manual_seed(0)
    recipe = RECIPES["cifar10-cnn"]
    trainer = recipe.trainer(batches=STEPS)
    losses = [trainer.step([batch]) for batch in islice(recipe.loader(recipe.data(True), training=True), STEPS)]
    assert losses[0] == pytest.approx(np.log(10), abs=0.1)
    assert np.mean(losses[-40:]) < FALLEN
