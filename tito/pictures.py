"""Pictures of training: the curves, the confusion matrix, the worst mistakes. Module 11 and `tito train` draw them.

They need NumPy and matplotlib only, so they work in a notebook whose package has no module 11 yet.
"""

import numpy as np


def plot_history(history: list[dict]):
    """Draw what `fit` returned: the losses over the epochs, and beside them each metric, with and without validation.

    Returns the axes, so that a notebook can change them. An epoch that has no such number is a gap in its curve.
    """
    import matplotlib.pyplot as plt

    if not history:
        raise ValueError("the history has no epoch yet: call fit first")
    names = dict.fromkeys(name for row in history for name in row)
    panels = {}  # the names of each panel: "loss" has all losses, a metric has one for itself and its validation
    for name in names:
        panels.setdefault("loss" if name.endswith("loss") else name.removeprefix("validation_"), []).append(name)
    epochs, width = range(1, len(history) + 1), max(9.0, 4.5 * len(panels))
    _, axes = plt.subplots(1, len(panels), figsize=(width, 2.8), squeeze=False, layout="constrained")
    for ax, shown in zip(axes[0], panels.values(), strict=True):
        for name in shown:
            ax.plot(epochs, [float(row.get(name, np.nan)) for row in history], ".-", label=name)
        ax.set_xlabel("epoch")
        ax.locator_params(axis="x", integer=True)
        ax.legend()
    return axes[0]


def plot_confusion_matrix(matrix: np.ndarray, classes=None):
    """The counts, a row for each true class, shaded by their share of the row."""
    import matplotlib.pyplot as plt

    ticks, shares = range(len(matrix)), matrix / matrix.sum(1, keepdims=True).clip(1)
    _, ax = plt.subplots(figsize=(1.4 + 0.4 * len(matrix),) * 2, layout="constrained")
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1.6)
    for (i, j), count in np.ndenumerate(matrix):
        ax.text(j, i, count, ha="center", va="center", fontsize=8)
    ax.set(xlabel="predicted", ylabel="true")
    ax.set_xticks(ticks, classes or ticks, rotation=90)
    ax.set_yticks(ticks, classes or ticks)
    return ax


def plot_mistakes(images, logits, targets, classes=None, n: int = 10):
    """The worst mistakes first; images (n, channels, height, width), logits (n, classes)."""
    import matplotlib.pyplot as plt

    x, t = np.asarray(logits), np.asarray(targets)
    guess, names = x.argmax(1), classes or range(x.shape[1])
    lead = x.max(1) - x[np.arange(len(x)), t]  # of the wrong class over the right one
    worst = [i for i in (-lead).argsort(kind="stable")[:n] if guess[i] != t[i]]
    n = max(1, len(worst))
    _, axes = plt.subplots(1, n, figsize=(1.2 * n, 1.8), squeeze=False)
    for ax, i in zip(axes[0], worst, strict=False):  # one empty panel if there is no mistake
        ax.imshow(np.asarray(images[i]).transpose(1, 2, 0), cmap="gray_r")
        ax.set_title(f"{names[t[i]]}\ntaken for\n{names[guess[i]]}", fontsize=8)
        ax.axis("off")
    return axes[0]
