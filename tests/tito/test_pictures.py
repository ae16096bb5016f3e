import matplotlib.pyplot as plt
import numpy as np
import pytest

from tinytorch.core.tensor import Tensor
from tito.pictures import plot_confusion_matrix, plot_history, plot_mistakes

LOGITS, TARGETS = np.eye(4)[[0, 1, 1, 3]], np.array([0, 1, 2, 2])  # the last two are mistakes


@pytest.fixture(autouse=True)
def drawn_and_closed():
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


def test_losses_and_metrics_have_a_panel_each():
    history = [{"loss": loss, "validation_loss": 2 * loss, "validation_accuracy": 0.6} for loss in (1.0, 0.5)]
    left, right = plot_history(history)
    assert [len(ax.lines) for ax in (left, right)] == [2, 1]
    np.testing.assert_array_equal(left.lines[0].get_ydata(), [1.0, 0.5])


def test_each_metric_has_a_panel_with_and_without_validation():
    rows = [{"loss": 1.0, "recall": 0.1}, {"loss": 0.5, "recall": 0.3, "validation_loss": 0.7, "validation_recall": 0.2}]
    history = [*rows, {"loss": 0.4, "validation_loss": float("nan"), "validation_error": Tensor(12.0)}]
    loss, recall, error = plot_history(history)
    assert [[line.get_label() for line in ax.lines] for ax in (loss, recall, error)] == [
        ["loss", "validation_loss"], ["recall", "validation_recall"], ["validation_error"],
    ]  # fmt: skip
    np.testing.assert_array_equal(recall.lines[0].get_ydata(), [0.1, 0.3, np.nan])
    np.testing.assert_array_equal(error.lines[0].get_ydata(), [np.nan, np.nan, 12.0])


def test_a_history_without_an_epoch_says_so():
    with pytest.raises(ValueError, match="no epoch yet: call fit first"):
        plot_history([])


@pytest.mark.parametrize("loss", ["cross_entropy", "mse_loss"])
def test_what_fit_returns_can_be_drawn(loss):
    from tinytorch.core import training
    from tinytorch.core.layers import Linear
    from tinytorch.core.optimizers import SGD

    net, x = Linear(2, 2), Tensor(np.ones((4, 2)))
    batch = (x, Tensor([0, 1, 1, 0]) if loss == "cross_entropy" else x)
    trainer = training.Trainer(net, SGD(net.parameters()), getattr(training, loss))
    axes = plot_history(trainer.fit([batch], 2, validation=[batch], progress=False))
    assert len(axes) == (2 if loss == "cross_entropy" else 1)


def test_a_history_without_metrics_has_no_empty_panel_and_whole_epochs():
    (only,) = plot_history([{"loss": loss} for loss in (1.0, 0.5, 0.2)])
    assert [tick for tick in only.get_xticks() if tick % 1] == []


def test_a_confusion_matrix_shows_its_counts():
    ax = plot_confusion_matrix(np.diag([1, 1, 0, 1]) + np.eye(4, k=-1, dtype=int), ["a", "b", "c", "d"])
    assert [text.get_text() for text in ax.texts] == [*"1000110001000011"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [*"abcd"]


def test_mistakes_are_named_and_right_answers_left_out():
    axes = plot_mistakes(Tensor(np.zeros((4, 3, 8, 8))), Tensor(10 * LOGITS), TARGETS, "abcd", n=3)
    assert [ax.get_title() for ax in axes] == ["c\ntaken for\nb", "c\ntaken for\nd"]


def test_the_worst_mistake_comes_first():
    axes = plot_mistakes(np.zeros((4, 1, 8, 8)), LOGITS * [[1], [1], [1], [5]], TARGETS, "abcd")
    assert axes[0].get_title() == "c\ntaken for\nd"


def test_no_mistake_at_all_is_an_empty_picture():
    (only,) = plot_mistakes(np.zeros((1, 1, 8, 8)), LOGITS[:1], TARGETS[:1])
    assert not only.images


def test_bytes_are_shown_as_they_are():
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 8, 8), dtype=np.uint8)
    shown = plot_mistakes(images, LOGITS, TARGETS, n=2)[0].images[0].get_array()
    np.testing.assert_array_equal(shown, images[2].transpose(1, 2, 0))
