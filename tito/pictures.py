"""Pictures of training: the curves, the confusion matrix, the worst mistakes. Module 11 and `tito train` draw them.

They need NumPy and matplotlib only, so they work in a notebook whose package has no module 11 yet.
"""

import numpy as np


def plot_history(history: list[dict]):
    """The losses over the epochs, and beside them the metrics, if there are any."""
    import matplotlib.pyplot as plt

    losses = [name for name in history[-1] if name.endswith("loss")]
    panels = [losses, [name for name in history[-1] if name not in losses]]
    panels, epochs = [names for names in panels if names], range(1, len(history) + 1)
    _, axes = plt.subplots(1, len(panels), figsize=(9, 2.8), squeeze=False)
    for ax, names in zip(axes[0], panels, strict=True):
        for name in names:
            ax.plot(epochs, [row.get(name) for row in history], ".-", label=name)
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
