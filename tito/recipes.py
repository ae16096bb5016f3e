"""The recipes of `tito train`: data, network and optimizer, written with tinytorch.core only.

Sizes, learning rates and epochs were chosen with `tito train NAME --validate`, on images held back from training, and never
on the test images.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinytorch.core.activations import ReLU, relu
from tinytorch.core.dataloader import (
    CIFAR10,
    Compose,
    DataLoader,
    Dataset,
    Digits,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    Subset,
)
from tinytorch.core.dense import MLP, Dropout, Flatten, Sequential
from tinytorch.core.layers import Layer, Linear, kaiming_normal
from tinytorch.core.optimizers import SGD, AdamW, OneCycleLR
from tinytorch.core.spatial import Conv2d, MaxPool2d
from tinytorch.core.training import CrossEntropyLoss, Trainer


@dataclass(frozen=True)
class Recipe:
    """Everything about a run except its seed. The learning rate rises to max_lr once, then falls to nearly 0."""

    data: Callable[[bool], Dataset]  # data(True) are the training images, data(False) the test images
    model: Callable[[], Layer]
    optimizer: Callable
    max_lr: float
    epochs: int
    batch_size: int = 128
    prepare: tuple = ()  # transforms for every image
    augment: tuple = ()  # transforms for training images only
    label_smoothing: float = 0.0
    clip: float | None = None  # the largest norm of the gradients
    threads: int | None = None  # of BLAS; None means one per core. For small products, several threads cost more than they save

    def loader(self, dataset: Dataset, training: bool = False) -> DataLoader:
        """Return shuffled and augmented batches for training, or plain ones."""
        if training:
            transform = Compose([*self.prepare, *self.augment])
            return DataLoader(dataset, self.batch_size, shuffle=True, drop_last=True, transform=transform)
        return DataLoader(dataset, self.batch_size, transform=Compose(self.prepare))

    def trainer(self, batches: int) -> Trainer:
        """Return a trainer with a new model, for so many batches in all."""
        model = self.model()
        optimizer = self.optimizer(model.parameters())
        schedule = OneCycleLR(optimizer, self.max_lr, total_steps=batches)
        return Trainer(model, optimizer, CrossEntropyLoss(self.label_smoothing), scheduler=schedule, clip=self.clip)


def digits(train: bool) -> Dataset:
    """Return four fifths of the 1,797 digits for training or the rest for testing, the same for every seed."""
    order = np.random.default_rng(0).permutation(1797)
    return Subset(Digits(), order[:1437] if train else order[1437:])


def cifar10(train: bool) -> Dataset:
    """Return the 50,000 training images or the 10,000 test images."""
    return CIFAR10(train=train)


def initialise(model: Layer) -> Layer:
    """Set weights that keep the scale, and biases of 0. a = 1, because max pooling makes up for what ReLU removes."""
    for parameter in model.parameters():
        parameter.assign(kaiming_normal(parameter.shape, a=1).data if parameter.ndim > 1 else 0)
    return model


def sgd(parameters) -> SGD:
    return SGD(parameters, momentum=0.9, nesterov=True, weight_decay=5e-4)


def digits_mlp() -> Layer:
    return Sequential(Flatten(), Linear(64, 256), ReLU(), Dropout(0.2), Linear(256, 10))


def digits_cnn() -> Layer:
    return Sequential(
        Conv2d(1, 16, 3, padding=1), ReLU(),
        Conv2d(16, 32, 3, padding=1), ReLU(), MaxPool2d(2),
        Flatten(), Dropout(0.3), Linear(512, 10),
    )  # fmt: skip


def cifar10_mlp() -> Layer:
    return Sequential(Flatten(), MLP((3072, 512, 256, 10), relu))


def cifar10_cnn() -> Layer:
    return Sequential(
        Conv2d(3, 32, 3, padding=1), ReLU(), MaxPool2d(2),  # (n, 32, 16, 16)
        Conv2d(32, 64, 3, padding=1), ReLU(), MaxPool2d(2),  # (n, 64, 8, 8)
        Flatten(), Linear(4096, 128), ReLU(), Linear(128, 10),
    )  # fmt: skip


def cifar10_better() -> Layer:
    """A network with few channels while images are large, and many when they are small. Pooling before ReLU gives the same
    result with less work."""
    body = Sequential(
        Conv2d(3, 32, 3, padding=1), MaxPool2d(2), ReLU(),  # (n, 32, 16, 16)
        Conv2d(32, 64, 3, padding=1), MaxPool2d(2), ReLU(),  # (n, 64, 8, 8)
        Conv2d(64, 128, 3, padding=1), ReLU(),
        Conv2d(128, 128, 3, padding=1), MaxPool2d(2), ReLU(),  # (n, 128, 4, 4)
    )  # fmt: skip
    return Sequential(*initialise(body), Flatten(), Dropout(0.2), Linear(2048, 10))


COLOURS = (Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),)  # channel_statistics of the training images
FLIP, CROP_AND_FLIP = (RandomHorizontalFlip(),), (RandomCrop(4), RandomHorizontalFlip())

ON_PHOTOS = {"prepare": COLOURS, "augment": CROP_AND_FLIP}

RECIPES = {
    "digits-mlp": Recipe(digits, digits_mlp, AdamW, max_lr=1e-2, epochs=30, batch_size=64, threads=1),
    "digits-cnn": Recipe(digits, digits_cnn, AdamW, max_lr=1e-2, epochs=20, batch_size=64, threads=1),
    "cifar10-mlp": Recipe(cifar10, cifar10_mlp, AdamW, max_lr=1e-3, epochs=12, prepare=COLOURS, augment=FLIP),
    "cifar10-cnn": Recipe(cifar10, cifar10_cnn, sgd, max_lr=0.05, epochs=8, **ON_PHOTOS),
    "cifar10-better": Recipe(cifar10, cifar10_better, sgd, max_lr=0.05, epochs=14, clip=2, **ON_PHOTOS),
}
