"""tinytorch.core.training: PyTorch's losses, runs that resume to the last bit, files that nobody need trust.

Tolerances: float32 against PyTorch within 1e-6 plus 1e-4 of the value; resumed against undisturbed: none.
"""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinytorch.core.activations import log_softmax, relu, tanh
from tinytorch.core.autograd import gradcheck, no_grad
from tinytorch.core.dataloader import (
    Compose,
    DataLoader,
    Digits,
    RandomCrop,
    RandomHorizontalFlip,
    Subset,
    TensorDataset,
    random_split,
)
from tinytorch.core.dense import MLP, Dense, Dropout, Flatten, Sequential, two_moons
from tinytorch.core.layers import Layer, Linear, Parameter
from tinytorch.core.optimizers import SGD, Adam, AdamW, CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau, RMSprop, StepLR
from tinytorch.core.setup import peak_memory
from tinytorch.core.spatial import Conv2d, MaxPool2d
from tinytorch.core.tensor import Tensor, apply, default_generator, grad_mode, manual_seed, rand
from tinytorch.core.training import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    CrossEntropyOp,
    EarlyStopping,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
    Trainer,
    accuracy,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    confusion_matrix,
    cross_entropy,
    evaluating,
    huber_loss,
    kl_div,
    l1_loss,
    layers_of,
    load,
    mse_loss,
    nll_loss,
    predicted,
    save,
    smooth_l1_loss,
    write_atomic,
)

close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6)


# -- losses ---------------------------------------------------------------------------------------------------------


def against_pytorch(ours, theirs, x, dtype=np.float32):
    """Equal values and gradients, and ours in the dtype of its input."""
    torch = pytest.importorskip("torch")
    mine = Tensor(np.array(x, dtype), requires_grad=True, dtype=dtype)
    other = torch.tensor(np.array(x, dtype), requires_grad=True)
    y, t = ours(mine), theirs(torch.nn.functional, other, torch.tensor)
    assert y.shape == () and y.dtype == dtype
    close(y.data, t.detach().numpy())
    y.backward()
    t.backward()
    assert mine.grad.dtype == dtype
    close(mine.grad.data, other.grad.numpy())


@given(
    n=st.integers(1, 7), classes=st.integers(1, 9), e=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    scale=st.sampled_from([0.1, 3, 100]), dtype=st.sampled_from([np.float32, np.float64]),
    kind=st.sampled_from([np.int64, np.int32, np.uint8]), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_cross_entropy_is_pytorchs_over_shapes_dtypes_and_smoothing(n, classes, e, scale, dtype, kind, seed):
    rng = np.random.default_rng(seed)
    x, t = scale * rng.standard_normal((n, classes)), rng.integers(0, classes, n)
    against_pytorch(
        lambda x: cross_entropy(x, t.astype(kind), label_smoothing=e),
        lambda f, x, tensor: f.cross_entropy(x, tensor(t), label_smoothing=e), x, dtype,
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(1,), (5,), (3, 1), (2, 3, 4, 5)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bce_and_mse_are_pytorchs(shape, dtype):
    rng = np.random.default_rng(0)
    x, t = 10 * rng.standard_normal(shape), rng.random(shape).astype(dtype)
    against_pytorch(lambda x: binary_cross_entropy_with_logits(x, t),
                    lambda f, x, tensor: f.binary_cross_entropy_with_logits(x, tensor(t)), x, dtype)  # fmt: skip
    against_pytorch(lambda x: mse_loss(x, Tensor(t, dtype=dtype)), lambda f, x, tensor: f.mse_loss(x, tensor(t)), x, dtype)


@pytest.mark.parametrize("e", [0.0, 0.2])
def test_losses_pass_gradcheck(e):
    x, t = np.random.default_rng(1).standard_normal((4, 3)), np.array([0, 2, 2, 1])
    gradcheck(lambda x: cross_entropy(x, t, e), x)
    gradcheck(lambda x: binary_cross_entropy_with_logits(x, np.abs(np.sin(np.arange(12.0))).reshape(4, 3)), x)
    gradcheck(lambda x: mse_loss(x, Tensor(np.ones((4, 3)), dtype=np.float64)), x)
    gradcheck(lambda x: binary_cross_entropy_with_logits(x, np.ones(3)), np.zeros(3))


@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_logits_of_any_size_give_finite_losses_and_gradients(size):
    x = Tensor([[size, -size, 0.0], [-size, size, size / 2]], requires_grad=True)
    loss = cross_entropy(x, [1, 1])
    close(loss.data, size)
    loss.backward()
    close(x.grad.data, [[0.5, -0.5, 0], [0, 0, 0]])
    x.grad = None
    binary_cross_entropy_with_logits(x, np.zeros((2, 3))).backward()
    close(x.grad.data, np.array([[1, 0, 0.5], [0, 1, 1]]) / 6)


def test_a_class_may_be_excluded_by_minus_infinity():
    x = Tensor([[0.0, -np.inf, 0.0]], requires_grad=True)
    loss = cross_entropy(x, [2])
    close(loss.item(), np.log(2))
    loss.backward()
    close(x.grad.data, [[0.5, 0, -0.5]])


def test_cross_entropy_keeps_one_array_of_the_logits_shape_and_dtype():
    x = Tensor(np.random.default_rng(0).random((64, 10)), requires_grad=True)
    (op, _), n = cross_entropy(x, np.arange(64) % 10).origin, 64 * 10 * 4
    assert [(a.nbytes, a.dtype) for a in op.saved] == [(n, np.float32)]
    assert isinstance(op, CrossEntropyOp)


def test_targets_that_change_after_the_loss_change_nothing():
    x, t = Tensor([[1.0, 2.0]], requires_grad=True), Tensor([0])
    loss = cross_entropy(x, t)
    t[0] = 1
    loss.backward()
    assert x.grad.data[0, 0] < 0 < x.grad.data[0, 1]


def bce(x, targets):
    return binary_cross_entropy_with_logits(Tensor(x), targets)


WRONG = {
    "targets of another length": (lambda: cross_entropy(Tensor(np.zeros((3, 4))), [0, 1]), r"\(3, 4\) and \(2,\)"),
    "a column of targets": (lambda: cross_entropy(Tensor(np.zeros((2, 4))), [[0], [1]]), r"\(2, 4\) and \(2, 1\)"),
    "logits without a batch": (lambda: cross_entropy(Tensor([1.0, 2.0]), 1), r"\(2,\) and \(\)"),
    "no example": (lambda: cross_entropy(Tensor(np.zeros((0, 4))), np.zeros(0, int)), r"n > 0"),
    "a class too large": (lambda: cross_entropy(Tensor(np.zeros((2, 4))), [3, 4]), r"target 1 is class 4, not 0 to 3"),
    "a negative class": (lambda: cross_entropy(Tensor(np.zeros((2, 4))), [-1, 0]), r"target 0 is class -1"),
    "probabilities as targets": (lambda: cross_entropy(Tensor(np.zeros((2, 4))), [0.5, 1.0]), r"integers \(n,\).* of float64"),
    "integers as logits": (lambda: cross_entropy(Tensor(np.zeros((2, 4), int)), [0, 1]), r"logits are int64, not floats"),
    "too much smoothing": (lambda: cross_entropy(Tensor(np.zeros((2, 4))), [0, 1], 1.5), r"1\.5"),
    "yes or no in another shape": (lambda: bce(np.zeros((2, 1)), [0, 1]), r"\(2,\) are not \(2, 1\)"),
    "a yes of 2": (lambda: bce([0.0], [2]), r"from 0 to 1"),
    "a yes that is nan": (lambda: bce([0.0], [np.nan]), r"from 0 to 1"),
    "a mean of squares that would broadcast": (lambda: mse_loss(Tensor(np.zeros((3, 1))), np.zeros(3)), r"\(3, 1\).*\(3,\)"),
    "one-hot rows of whole numbers": (lambda: cross_entropy(Tensor(np.zeros((2, 4))), np.eye(4, dtype=int)[:2]), r"of int64"),
    "lone logits and lone numbers": (lambda: cross_entropy(Tensor([1.0, 2.0]), [0.5, 0.5]), r"\(2,\) and \(2,\)"),
    "lone log-probabilities": (lambda: nll_loss(Tensor([1.0, 2.0]), 1), r"\(2,\) and \(\)"),
    "another reduction": (lambda: mse_loss(Tensor(0.0), 0.0, "avg"), r"mean, sum or none, not 'avg'"),
    "weights for other classes": (lambda: nll_loss(Tensor(np.zeros((2, 4))), [0, 1], [1, 2]), r"4 classes need weights"),
    "a class that is too negative": (lambda: cross_entropy(Tensor(np.zeros((2, 4))), [-100, -2]), r"target 1 is class -2"),
    "places that do not fit": (lambda: cross_entropy(Tensor(np.zeros((2, 4, 3))), [[0], [1]]), r"\(2, 4, 3\) and \(2, 1\)"),
    "a mean of nothing": (lambda: mse_loss(Tensor(np.zeros((0, 2))), np.zeros((0, 2))), r"an empty batch has no mean"),
    "a distance that would broadcast": (lambda: l1_loss(Tensor(np.zeros((3, 1))), np.zeros(3)), r"\(3, 1\).*\(3,\)"),
    "a probability of 2": (lambda: binary_cross_entropy(Tensor([2.0]), [1.0]), r"p from 0 to 1"),
    "a probability that is nan": (lambda: binary_cross_entropy(Tensor([np.nan]), [1.0]), r"p from 0 to 1"),
    "an option that is no option": (lambda: MSELoss(weight=1), r"weight"),
    "an accuracy of unlike lengths": (lambda: accuracy(np.zeros((3, 2)), [0, 1]), r"3 predictions do not fit 2 targets"),
    "a confusion with a class too many": (lambda: confusion_matrix(np.zeros((1, 2)), [2]), r"class 2"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_fit_is_named(what):
    call, said = WRONG[what]
    with pytest.raises((ValueError, TypeError), match=said):
        call()


def test_losses_as_layers_are_the_functions():
    x, t = Tensor([[1.0, -2.0, 0.5]]), Tensor([2])
    assert CrossEntropyLoss(0.1)(x, t).item() == cross_entropy(x, t, 0.1).item()
    assert MSELoss()(x, x.data + 1).item() == 1
    assert BCEWithLogitsLoss()(x, x.data > 0).item() == binary_cross_entropy_with_logits(x, x.data > 0).item()
    assert CrossEntropyLoss(weight=[1, 2, 3], reduction="sum")(x, t).item() == cross_entropy(x, t).item() * 3
    assert MSELoss(reduction="sum")(x, x.data + 1).item() == 3
    assert L1Loss()(x, x.data - 2).item() == SmoothL1Loss()(x, x.data - 2.5).item() == 2
    assert HuberLoss(delta=2.0)(x, x.data + 4).item() == 6
    assert NLLLoss()(x, t).item() == -0.5
    close(BCELoss()(Tensor([0.5]), [1.0]).item(), np.log(2))
    assert list(CrossEntropyLoss().parameters()) == []


def against_pytorch_too(ours, theirs, x, dtype=np.float32):
    """The loss, of any shape, and the gradient of its sum weighted by 1, 2, 3, ..."""
    torch = pytest.importorskip("torch")
    mine = Tensor(np.asarray(x, dtype), requires_grad=True, dtype=dtype)
    other = torch.tensor(np.asarray(x, dtype), requires_grad=True)
    y, t = ours(mine), theirs(torch.nn.functional, other, torch.tensor)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.data, t.detach().numpy(), rtol=2e-4, atol=1e-5)
    w = 1 + np.arange(y.size, dtype=dtype).reshape(y.shape)
    (y * w).sum().backward()
    (t * torch.tensor(w)).sum().backward()
    assert mine.grad.dtype == dtype
    np.testing.assert_allclose(mine.grad.data, other.grad.numpy(), rtol=2e-4, atol=1e-5)


PLACES = [(), (4,), (2, 3), (1,)]


@given(
    d=st.sampled_from(PLACES), classes=st.integers(1, 5), e=st.sampled_from([0.0, 0.2, 1.0]), weighted=st.booleans(),
    reduction=st.sampled_from(["mean", "sum", "none"]), ignored=st.sampled_from([None, -100, 0]),
    dtype=st.sampled_from([np.float32, np.float64]), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_cross_entropy_and_nll_have_pytorchs_options(d, classes, e, weighted, reduction, ignored, dtype, seed):
    rng = np.random.default_rng(seed)
    x, t = 3 * rng.standard_normal((4, classes, *d)), rng.integers(0, classes, (4, *d))
    options = {"reduction": reduction, "ignore_index": -100 if ignored is None else ignored}
    if ignored is not None:
        t.flat[::3] = ignored
    if (t == options["ignore_index"]).all():
        return  # the mean of nothing
    w = (0.5 + rng.random(classes)).astype(dtype) if weighted else None
    weight = lambda tensor: None if w is None else tensor(w)  # noqa: E731
    against_pytorch_too(
        lambda x: cross_entropy(x, t, e, weight=w, **options),
        lambda f, x, tensor: f.cross_entropy(x, tensor(t), weight(tensor), label_smoothing=e, **options), x, dtype,
    )  # fmt: skip
    against_pytorch_too(
        lambda x: nll_loss(log_softmax(x, 1), t, w, **options),
        lambda f, x, tensor: f.nll_loss(f.log_softmax(x, 1), tensor(t), weight(tensor), **options), x, dtype,
    )  # fmt: skip


@pytest.mark.parametrize("d", PLACES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("e", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_targets_may_be_probabilities_as_in_pytorch(d, reduction, e, weighted):
    rng = np.random.default_rng(0)
    x, q = rng.standard_normal((4, 3, *d)), rng.random((4, 3, *d)).astype(np.float32)
    w = np.array([1, 2, 0.5], np.float32) if weighted else None
    options = {"reduction": reduction, "label_smoothing": e}
    against_pytorch_too(
        lambda x: cross_entropy(x, Tensor(q), weight=w, **options),
        lambda f, x, tensor: f.cross_entropy(x, tensor(q), None if w is None else tensor(w), **options), x,
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(), (5,), (3, 1), (2, 3, 4)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_other_losses_are_pytorchs(shape, reduction, dtype):
    rng = np.random.default_rng(1)
    x, t, u = 3 * rng.standard_normal(shape), rng.random(shape).astype(dtype), 3 * rng.standard_normal(shape).astype(dtype)
    r = {"reduction": reduction}
    for ours, theirs in [
        (lambda x: mse_loss(x, Tensor(u, dtype=dtype), **r), lambda f, x, tensor: f.mse_loss(x, tensor(u), **r)),
        (lambda x: l1_loss(x, Tensor(u, dtype=dtype), **r), lambda f, x, tensor: f.l1_loss(x, tensor(u), **r)),
        (lambda x: huber_loss(x, u, delta=0.7, **r), lambda f, x, tensor: f.huber_loss(x, tensor(u), delta=0.7, **r)),
        (lambda x: smooth_l1_loss(x, u, beta=2.0, **r), lambda f, x, tensor: f.smooth_l1_loss(x, tensor(u), beta=2.0, **r)),
        (lambda x: smooth_l1_loss(x, u, beta=0, **r), lambda f, x, tensor: f.smooth_l1_loss(x, tensor(u), beta=0, **r)),
        (lambda x: binary_cross_entropy_with_logits(x, t, **r),
         lambda f, x, tensor: f.binary_cross_entropy_with_logits(x, tensor(t), **r)),
        (lambda x: binary_cross_entropy_with_logits(x, t, pos_weight=3.0, **r),
         lambda f, x, tensor: f.binary_cross_entropy_with_logits(x, tensor(t), pos_weight=tensor(3.0), **r)),
    ]:  # fmt: skip
        against_pytorch_too(ours, theirs, x, dtype)
    p = rng.uniform(0.01, 0.99, shape)
    against_pytorch_too(lambda p: binary_cross_entropy(p, t, **r), lambda f, p, tensor: f.binary_cross_entropy(p, tensor(t), **r),
                        p, dtype)  # fmt: skip


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "batchmean"])
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
def test_kl_div_is_pytorchs(shape, reduction, log_target):
    rng = np.random.default_rng(2)
    x, t = rng.standard_normal(shape), rng.random(shape).astype(np.float32)
    t.flat[0] = 0 if not log_target else t.flat[0]
    options = {"reduction": reduction, "log_target": log_target}
    against_pytorch_too(lambda x: kl_div(log_softmax(x, -1), t, **options),
                        lambda f, x, tensor: f.kl_div(f.log_softmax(x, -1), tensor(t), **options), x)  # fmt: skip
    close(KLDivLoss(**options)(Tensor(x), t).data, kl_div(Tensor(x), t, **options).data)


@pytest.mark.parametrize("size", [0.0, 300.0, 1e30])
def test_a_weighted_yes_of_any_size_is_finite_and_has_no_corner(size):
    x = np.array([size, -size, size, -size])
    against_pytorch_too(
        lambda x: binary_cross_entropy_with_logits(x, [1, 1, 0, 0], reduction="none", pos_weight=[2.0]),
        lambda f, x, tensor: f.binary_cross_entropy_with_logits(
            x, tensor([1.0, 1, 0, 0]), reduction="none", pos_weight=tensor([2.0])), x,
    )  # fmt: skip


def test_probabilities_of_0_and_1_cost_at_most_100_each():
    torch = pytest.importorskip("torch")
    p, t = np.float32([0, 1, 0, 1]), np.float32([0, 1, 1, 0])
    theirs = torch.nn.functional.binary_cross_entropy(torch.tensor(p), torch.tensor(t), reduction="none")
    ours = binary_cross_entropy(Tensor(p), t, "none")
    np.testing.assert_allclose(ours.data, theirs, rtol=1e-3)


def test_what_is_ignored_may_be_excluded_by_minus_infinity():
    x = Tensor([[0.0, 1.0], [-np.inf, 0.0]], requires_grad=True)
    for options in ({}, {"reduction": "none"}, {"weight": [1.0, 2.0]}):
        x.grad = None
        loss = cross_entropy(x, [0, -100], **options).sum()
        loss.backward()
        assert np.isfinite(loss.item()) and np.isfinite(x.grad.data).all()
        assert (x.grad.data[1] == 0).all()


@pytest.mark.parametrize("options", [{}, {"weight": [1.0, 2.0]}])
def test_a_mean_over_nothing_that_counts_is_nan_as_in_pytorch(options):
    with np.errstate(all="ignore"), pytest.warns() if not options else nullcontext():
        assert np.isnan(cross_entropy(Tensor(np.zeros((2, 2))), [-100, -100], **options).item())
    assert cross_entropy(Tensor(np.zeros((2, 2))), [-100, -100], reduction="sum").item() == 0


def test_a_language_model_is_one_op_on_the_rows_that_count():
    x = Tensor(np.random.default_rng(0).standard_normal((2, 5, 3)), requires_grad=True)
    assert type(cross_entropy(x, np.array([[1, 2, -100], [4, -100, -100]])).origin[0]) is CrossEntropyOp


# -- metrics, and the model at work -----------------------------------------------------------------------------------


@given(n=st.integers(1, 50), classes=st.integers(2, 6), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_confusion_matrix_counts_every_example_once(n, classes, seed):
    rng = np.random.default_rng(seed)
    x, t = rng.standard_normal((n, classes)), rng.integers(0, classes, n)
    m, wanted = confusion_matrix(Tensor(x), Tensor(t)), np.zeros((classes, classes))
    for row, target in zip(x, t, strict=True):
        wanted[target, row.argmax()] += 1
    np.testing.assert_array_equal(m, wanted)
    assert accuracy(Tensor(x), t) == pytest.approx(m.trace() / n)


def test_targets_as_bytes_do_not_overflow_in_a_confusion_matrix_of_many_classes():
    t = np.arange(20, dtype=np.uint8)
    np.testing.assert_array_equal(confusion_matrix(np.eye(20), Tensor(t)), np.eye(20))


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_a_lone_logit_decides_by_its_sign(shape):
    x = np.array([-1.0, 2.0, 0.5, -3.0]).reshape(shape)
    assert predicted(x).tolist() == [0, 1, 1, 0]
    assert accuracy(x, np.array([0.0, 1.0, 0.0, 0.0]).reshape(shape)) == 0.75


def test_evaluating_restores_the_mode_of_each_layer_after_an_error_too():
    net = Sequential(Dropout(0.5), Sequential(Dropout(0.5), Linear(2, 2)))
    net.layers[1].eval()
    before = [layer.training for layer in layers_of(net)]
    with pytest.raises(KeyError), evaluating(net):
        assert not any(layer.training for layer in layers_of(net))
        raise KeyError
    assert [layer.training for layer in layers_of(net)] == before == [True, True, False, False, False]


def test_threads_that_evaluate_at_overlapping_times_leave_nothing_switched():
    net = Sequential(Linear(3, 3), Dropout(0.5), Sequential(Dropout(0.5)))
    frozen = net.layers[2].eval()
    before = [layer.training for layer in layers_of(net)]
    problems, barrier = [], threading.Barrier(6)

    def work(k):
        rng = np.random.default_rng(k)
        barrier.wait()
        for _ in range(200):
            if k % 2:
                with evaluating(net):
                    time.sleep(rng.random() / 5000)
                    if any(layer.training for layer in layers_of(net)) or grad_mode.enabled:
                        problems.append("it learned while it was evaluated")
            elif [layer.training for layer in layers_of(net)] != before or not grad_mode.enabled:
                problems.append("a thread was switched by another")

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert problems == []
    assert [layer.training for layer in layers_of(net)] == before
    assert frozen.training is False and grad_mode.enabled


@pytest.mark.parametrize(
    "value", [np.float32(0.5), np.int64(3), Tensor(0.25), Tensor([2.0]), 1, True, np.array(0.75), np.array(5)], ids=repr
)
def test_a_metric_may_return_any_number_and_is_saved(value, tmp_path):
    def metric(outputs, targets):
        return value

    trainer, batch = moons_trainer(metrics=[metric, partial(accuracy)]), two_moons(20)
    (row,) = trainer.fit([batch], 1, validation=[batch], save=tmp_path / "run.npz", progress=False)
    assert row["validation_metric"] == float(value) and type(row["validation_metric"]) is float
    assert load(tmp_path / "run.npz")["history"] == [row]
    assert "validation_partial" in row


def test_a_metric_that_gives_no_number_is_named_and_a_generator_of_metrics_lasts():
    batch = two_moons(20)
    with pytest.raises(ValueError, match=r"confusion_matrix is no metric: it gave \(2, 2\)"):
        moons_trainer(metrics=[confusion_matrix]).evaluate([batch])
    trainer = moons_trainer(metrics=(f for f in [accuracy]))
    assert [list(trainer.evaluate([batch])) for _ in range(2)] == [["loss", "accuracy"]] * 2


def kinds_of(loss, outputs, targets):
    """What evaluate reports for a model that gives these outputs."""
    net = Linear(1, 1)
    trainer = Trainer(lambda x: Tensor(outputs), SGD(net.parameters()), loss)
    trainer.predict = lambda loader: (Tensor(outputs), Tensor(targets))
    return list(trainer.evaluate(None))


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "has"),
    [
        (cross_entropy, np.zeros((4, 3)), [0, 1, 2, 0], True),
        (CrossEntropyLoss(0.1), np.zeros((4, 3)), [0, 1, 2, 0], True),
        (partial(cross_entropy, label_smoothing=0.1), np.zeros((4, 3)), [0, 1, 2, 0], True),
        (lambda y, t: cross_entropy(y, t), np.zeros((4, 3)), [0, 1, 2, 0], True),
        (cross_entropy, np.zeros((2, 3, 4)), np.zeros((2, 4), int), True),
        (cross_entropy, np.zeros((4, 3)), np.full((4, 3), 1 / 3), False),
        (NLLLoss(), np.zeros((4, 3)), [0, 1, 2, 0], True),
        (binary_cross_entropy_with_logits, np.zeros((4, 1)), [[0.0], [1], [1], [0]], True),
        (BCEWithLogitsLoss(), np.zeros(4), [0.0, 1, 1, 0], True),
        (binary_cross_entropy_with_logits, np.zeros(4), [0.3, 1, 1, 0], False),
        (binary_cross_entropy_with_logits, np.zeros((4, 3)), np.ones((4, 3)), False),
        (binary_cross_entropy, np.full(4, 0.5), [0.0, 1, 1, 0], False),
        (mse_loss, np.zeros((4, 1)), np.ones((4, 1)), False),
        (MSELoss(), np.zeros((4, 1)), np.ones((4, 1)), False),
        (partial(mse_loss, reduction="sum"), np.zeros((4, 1)), np.ones((4, 1)), False),
        (HuberLoss(), np.zeros(4), [0, 1, 1, 0], False),
        (lambda y, t: (y - t).abs().mean(), np.zeros((4, 1)), np.full((4, 1), 0.5), False),
    ],
)
def test_accuracy_is_reported_where_the_loss_has_one(loss, outputs, targets, has):
    assert kinds_of(loss, outputs, targets) == (["loss", "accuracy"] if has else ["loss"])


def test_accuracy_leaves_out_what_is_ignored():
    logits = np.array([[[5.0, 0, 0], [0, 5, 5]]])
    assert accuracy(logits, [[0, 1, -100]]) == 1.0
    assert accuracy(logits, [[0, 0, -100]]) == 0.5
    assert confusion_matrix(logits, [[0, 1, 0]]).tolist() == [[1, 1], [0, 1]]


def test_a_batch_without_targets_or_without_examples_is_named():
    trainer, x = moons_trainer(), Tensor(np.zeros((4, 2)))
    for call in (trainer.step, trainer.predict):
        for batch in (x, (x,)):
            with pytest.raises(ValueError, match=r"a batch is \(\*inputs, targets\), this is a (Tensor|tuple) alone"):
                call([batch])
    for batches in ([], [(x[:0], Tensor(np.zeros(0, int)))]):
        with pytest.raises(ValueError, match="a step needs examples"):
            trainer.step(batches)


def test_an_empty_batch_among_others_changes_nothing():
    x, y = two_moons(20)
    (loss,) = [moons_trainer().evaluate([(x, y)])["loss"]]
    assert moons_trainer().evaluate([(x[:0], y[:0]), (x, y)])["loss"] == loss


def test_a_plateau_is_stepped_once_an_epoch_by_the_validation_loss_and_resumed(tmp_path):
    batch = two_moons(20)

    def made():
        manual_seed(0)
        net = MLP([2, 4, 2], tanh)
        optimizer = SGD(net.parameters(), lr=1e-9)  # learns nothing: every epoch is a plateau
        return Trainer(net, optimizer, scheduler=ReduceLROnPlateau(optimizer, factor=0.5, patience=1, eps=0.0))

    trainer = made()
    with pytest.raises(ValueError, match="validation=loader"):
        trainer.fit([batch] * 3, 1, progress=False)
    trainer.fit([batch] * 3, 6, validation=[batch], save=tmp_path / "run.npz", progress=False)
    assert trainer.scheduler.last_epoch == 6
    np.testing.assert_allclose(trainer.optimizer.param_groups[0]["lr"], 1e-9 / 4)
    other = made()
    other.load(tmp_path / "run.npz")
    assert other.scheduler.state_dict() == trainer.scheduler.state_dict()
    for t in (trainer, other):
        t.fit([batch] * 3, 8, validation=[batch], progress=False)
    assert other.optimizer.param_groups == [{**g, "params": other.optimizer.param_groups[0]["params"]}
                                            for g in trainer.optimizer.param_groups]  # fmt: skip
    assert other.history == trainer.history


def test_evaluate_is_of_all_examples_whatever_the_batches_and_changes_nothing():
    x, y = two_moons(50)
    net = Sequential(MLP([2, 8, 2], relu), Dropout(0.5))
    net.layers[1].training = False
    trainer = Trainer(net, SGD(net.parameters(), lr=0.1))
    before = [p.data.copy() for p in net.parameters()], default_generator.bit_generator.state
    results = [trainer.evaluate(DataLoader(TensorDataset(x, y), size, seed=0)) for size in (50, 20, 1)]
    with no_grad():
        wanted = {"loss": cross_entropy(net(x), y).item(), "accuracy": accuracy(net(x), y)}
    for result in results:
        assert result == pytest.approx(wanted, rel=1e-5)
    assert [layer.training for layer in layers_of(net)][-1] is False and net.training
    assert default_generator.bit_generator.state == before[1]
    assert all((p.data == old).all() and p.grad is None for p, old in zip(net.parameters(), before[0], strict=True))


# -- the trainer -------------------------------------------------------------------------------------------------------

TRAIN, CHOOSE, TEST = random_split(Digits(), [1097, 200, 500], np.random.default_rng(0))
SMALL = Subset(TRAIN, range(150))


def weights(trainer):
    return np.concatenate([p.data.ravel() for p in trainer.model.parameters()])


def moons_trainer(**options):
    manual_seed(0)
    net = MLP([2, 8, 2], tanh)
    return Trainer(net, SGD(net.parameters(), lr=0.5, momentum=0.9), **options)


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize(("small", "times"), [(10, 5), (16, 3), (50, 1)])
def test_accumulation_equals_the_large_batch_also_where_batches_are_short(small, times, clip):
    x, y = two_moons(103)
    data = TensorDataset(x, y)
    one, many = moons_trainer(clip=clip), moons_trainer(clip=clip, accumulate=times)
    one.fit(DataLoader(data, small * times, shuffle=True, seed=3), 4, progress=False)
    many.fit(DataLoader(data, small, shuffle=True, seed=3), 4, progress=False)
    close(weights(many), weights(one), atol=1e-5)
    close([row["loss"] for row in many.history], [row["loss"] for row in one.history])


def test_accumulation_needs_less_memory_than_the_large_batch():
    net = MLP([64, 256, 256, 10], relu)
    trainer, x, y = Trainer(net, SGD(net.parameters(), lr=0.01)), Tensor(np.ones((512, 64))), np.arange(512) % 10
    peaks = [peak_memory(trainer.step, [(x[i : i + n], y[i : i + n]) for i in range(0, 512, n)]) for n in (512, 64)]
    assert peaks[1] < peaks[0] / 2


def test_fit_is_the_loop_that_anybody_would_write():
    x, y = two_moons(60)
    loader = DataLoader(TensorDataset(x, y), 16, shuffle=True, seed=1)
    trainer = moons_trainer()
    trainer.fit(loader, 3, progress=False)
    loader.epoch, by_hand = 0, moons_trainer()
    for _ in range(3):
        for a, b in loader:
            by_hand.optimizer.zero_grad()
            cross_entropy(by_hand.model(a), b).backward()
            by_hand.optimizer.step()
    np.testing.assert_array_equal(weights(trainer), weights(by_hand))


def test_history_has_a_row_an_epoch_with_the_mean_loss_over_its_examples():
    x, y = two_moons(50)
    trainer, seen = moons_trainer(), []
    trainer.loss = lambda a, b: seen.append((len(b), cross_entropy(a, b))) or seen[-1][1]
    history = trainer.fit([(x[:40], y[:40]), (x[40:], y[40:])], 2, progress=False)
    assert [list(row) for row in history] == [["loss"]] * 2
    for row, pairs in zip(history, (seen[:2], seen[2:]), strict=True):
        assert row["loss"] == pytest.approx(sum(n * loss.item() for n, loss in pairs) / 50)
    history = moons_trainer().fit([(x, y)], 2, validation=[(x, y)], progress=False)
    assert [list(row) for row in history] == [["loss", "validation_loss", "validation_accuracy"]] * 2


def test_everything_stays_float32_and_no_gradient_reaches_the_images():
    manual_seed(0)
    net = Sequential(Conv2d(1, 4, 3, padding=1), relu, MaxPool2d(2), Flatten(), Dense(64, 10))
    trainer = Trainer(net, Adam(net.parameters()), clip=1.0)
    batches = [TRAIN[:32], TRAIN[32:64]]
    trainer.fit(batches, 2, validation=batches, progress=False)
    arrays = [p.data for p in net.parameters()] + [p.grad.data for p in net.parameters()]
    arrays += [a for kept in trainer.optimizer.state_dict()["state"] for a in kept.values() if isinstance(a, np.ndarray)]
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)} and trainer.predict(batches)[0].dtype == np.float32
    assert all(x.grad is None and not x.requires_grad for x, _ in batches)


def test_a_loss_that_is_no_number_ends_the_run_before_it_spoils_the_weights():
    x, y = two_moons(20)
    trainer = moons_trainer()
    trainer.step([(x, y)])
    before = weights(trainer)
    with pytest.raises(FloatingPointError, match="loss is nan in epoch 1, after 0 batches"):
        trainer.fit([(x * np.nan, y)], 1, progress=False)
    np.testing.assert_array_equal(weights(trainer), before)


def root_of_squares(x, t):
    """The root of the sum of squares: 0 where x is t, with a slope of 0/0."""
    d = x - t
    return (d * d).sum() ** 0.5


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_gradient_that_is_no_number_ends_the_run_as_well_and_the_file_before_it_stays(clip, tmp_path):
    manual_seed(0)
    net, x = Linear(2, 1), Tensor([[1.0, 2.0]])
    good, bad = (x, Tensor([[5.0]])), (x * 0, Tensor([[0.0]]))
    net.bias.assign(0)
    trainer = Trainer(net, SGD([net.weight], lr=0.1), root_of_squares, metrics=(), clip=clip)
    trainer.fit([good, good], 1, save=tmp_path / "run.npz", progress=False)
    saved, before = load(tmp_path / "run.npz"), weights(trainer)
    with pytest.raises(FloatingPointError, match=r"loss is 0\.0 in epoch 2, after 0 batches, and the norm of its gradients nan"):
        trainer.fit([bad], 2, save=tmp_path / "run.npz", progress=False)
    np.testing.assert_array_equal(weights(trainer), before)
    assert load(tmp_path / "run.npz")["history"] == saved["history"]


def test_options_that_make_no_sense_are_refused():
    for options in ({"accumulate": 0}, {"clip": 0.0}, {"clip": float("nan")}, {"patience": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            moons_trainer(**options)
    with pytest.raises(ValueError, match="validation="):
        moons_trainer(patience=1).fit([two_moons(4)], 1)
    for call in (lambda t: t.fit([], 1), lambda t: t.evaluate([])):
        with pytest.raises(ValueError, match="batch"):
            call(moons_trainer())


def test_early_stopping_ends_the_run_with_the_best_weights():
    x, y = two_moons(60)
    trainer = moons_trainer(patience=3)
    losses, states = iter([0.9, 0.5, 0.6, 0.4, 0.7, 0.4, float("nan"), 0.1]), []
    trainer.evaluate = lambda loader: states.append(weights(trainer)) or {"loss": next(losses)}
    history = trainer.fit([(x, y)], 100, validation=[(x, y)], progress=False)
    assert [row["validation_loss"] for row in history][:6] == [0.9, 0.5, 0.6, 0.4, 0.7, 0.4] and len(history) == 7
    np.testing.assert_array_equal(weights(trainer), states[3])
    assert trainer.fit([(x, y)], 100, validation=[(x, y)], progress=False) is trainer.history and len(history) == 7


def test_without_patience_nothing_is_kept_and_the_last_weights_stay():
    x, y = two_moons(60)
    trainer = moons_trainer()
    trainer.fit([(x, y)], 3, validation=[(x, y)], progress=False)
    assert trainer.stopping.weights is None and not EarlyStopping(None).stopped


# -- what a run shows --------------------------------------------------------------------------------------------------


def test_elsewhere_a_run_prints_a_line_an_epoch_and_nothing_if_not_wanted(capsys):
    batch = two_moons(20)
    moons_trainer().fit([batch], 3, validation=[batch], progress=False)
    assert capsys.readouterr() == ("", "")
    moons_trainer().fit([batch], 3, validation=[batch])
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 3 and err == "" and "\r" not in out
    assert re.fullmatch(r"epoch 2/3  loss [\d.]+  validation_loss [\d.]+  validation_accuracy [\d.]+  lr 0.5", lines[1])


def test_on_a_terminal_one_line_is_rewritten_with_the_time_left(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    trainer, batch = moons_trainer(), two_moons(20)
    loss = trainer.loss
    trainer.loss = lambda *args: time.sleep(0.06) or loss(*args)
    trainer.fit([batch] * 8, 2)
    out = capsys.readouterr().out
    shown = [line for line in re.split("[\r\n]", out) if "left" in line]
    assert all(re.fullmatch(r"epoch [12]/2 \[=* *\] 0\.\d minutes left *", line) for line in shown), shown
    assert 2 <= len(shown) < 16 and all(len(line) < 80 for line in shown)
    assert [line for line in out.split("\n") if line][-1].split("\r")[-1].startswith("epoch 2/2  loss")


def test_in_a_notebook_one_output_is_rewritten(capsys, monkeypatch):
    shown = []
    handle = SimpleNamespace(update=lambda data, raw: shown.append(data["text/plain"]))
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=lambda data, raw, display_id: handle))
    trainer = moons_trainer()
    loss = trainer.loss
    trainer.loss = lambda *args: time.sleep(0.11) or loss(*args)
    trainer.fit([two_moons(20)] * 3, 2)
    assert re.match(r"epoch 1/2 \[======", shown[0]) and shown[-1] == ""
    assert len(capsys.readouterr().out.splitlines()) == 2


# -- resuming -----------------------------------------------------------------------------------------------------------

AUGMENT = Compose([RandomCrop(1), RandomHorizontalFlip(0.5)])
PLAIN, NESTEROV = partial(SGD, lr=0.1), partial(SGD, lr=0.1, momentum=0.9, nesterov=True)
RUNS = {
    "plain": {},
    "shuffled batches that do not divide": {"size": 32},
    "augmented, prefetched": {"transform": AUGMENT, "prefetch": 2},
    "momentum and a cycle": {"optimizer": NESTEROV, "schedule": lambda o: OneCycleLR(o, 0.2, 99)},
    "AdamW, cosine, clipped": {"optimizer": partial(AdamW, lr=0.01), "schedule": lambda o: CosineAnnealingLR(o, 30), "clip": 0.1},
    "RMSprop in steps, accumulated": {"optimizer": RMSprop, "schedule": lambda o: StepLR(o, 3), "accumulate": 3, "size": 20},
    "with patience": {"patience": 2, "optimizer": partial(SGD, lr=1.0)},
    "a dropout with a generator of its own": {"generator": True},
    "everything": {"transform": AUGMENT, "prefetch": 1, "optimizer": Adam, "schedule": lambda o: OneCycleLR(o, 0.02, 99),
                   "clip": 1.0, "accumulate": 2, "patience": 9, "size": 16},
}  # fmt: skip


def make(seed, optimizer=PLAIN, schedule=None, size=50, transform=None, prefetch=0, generator=False, **options):
    """A trainer and a loader, made anew as in another process: another seed gives other weights and other random numbers."""
    manual_seed(seed)
    own = {"generator": np.random.default_rng(seed)} if generator else {}
    net = Sequential(Flatten(), Dense(64, 16, relu), Dropout(0.3, **own), Dense(16, 10))
    loader = DataLoader(SMALL, size, shuffle=True, transform=transform, prefetch=prefetch)
    optimizer = optimizer(net.parameters())
    return Trainer(net, optimizer, scheduler=schedule and schedule(optimizer), **options), loader


def whole_state(trainer) -> bytes:
    """All of a run, as the bytes of its file."""
    with TemporaryDirectory() as folder:
        trainer.save(f"{folder}/run.npz")
        return Path(folder, "run.npz").read_bytes()


VALIDATION = DataLoader(CHOOSE, 200)


@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_is_the_undisturbed_one_to_the_last_bit(name, tmp_path):
    undisturbed, loader = make(0, **RUNS[name])
    undisturbed.fit(loader, 5, VALIDATION, progress=False)
    assert len({row["loss"] for row in undisturbed.history}) == 5
    for stop in (1, 3):
        first, loader = make(0, **RUNS[name])
        first.fit(loader, stop, VALIDATION, save=tmp_path / "run.npz", progress=False)
        second, _ = make(99, **RUNS[name])
        second.load(tmp_path / "run.npz")
        rand(5)  # what happens between loading and going on does not matter
        second.fit(make(98, **RUNS[name])[1], 5, VALIDATION, progress=False)
        assert second.history == undisturbed.history
        np.testing.assert_array_equal(weights(second), weights(undisturbed))
        assert whole_state(second) == whole_state(undisturbed)


class Interrupted:
    """A dataset during which somebody presses Ctrl-C, once."""

    def __init__(self, dataset, after):
        self.dataset, self.left = dataset, after

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return self.dataset[index]


@pytest.mark.parametrize("name", ["augmented, prefetched", "everything", "shuffled batches that do not divide"])
@pytest.mark.parametrize("after", [1, 2, 5, 9])
def test_a_run_interrupted_within_an_epoch_goes_on_within_it(name, after, tmp_path):
    undisturbed, loader = make(0, **RUNS[name])
    undisturbed.fit(loader, 4, VALIDATION, progress=False)
    first, loader = make(0, **RUNS[name])
    loader.dataset = Interrupted(SMALL, after)
    with pytest.raises(KeyboardInterrupt):
        first.fit(loader, 4, VALIDATION, progress=False)
    first.save(tmp_path / "run.npz")
    first.fit(loader, 4, VALIDATION, progress=False)  # without a file
    second, loader = make(7, **RUNS[name])
    second.load(tmp_path / "run.npz")
    second.fit(loader, 4, VALIDATION, progress=False)
    for resumed in (first, second):
        assert resumed.history == undisturbed.history
        np.testing.assert_array_equal(weights(resumed), weights(undisturbed))


def test_epochs_count_from_the_beginning_of_the_run():
    one, loader = make(0)
    one.fit(loader, 4, progress=False)
    parts, loader = make(0)
    for epochs in (1, 1, 3, 4, 2):
        parts.fit(loader, epochs, progress=False)
    assert parts.epoch == 4 and parts.history == one.history


# -- saving --------------------------------------------------------------------------------------------------------------


WORDS = st.sampled_from(["array", "dict", "header", "0", "file", ""]) | st.text()
PLAIN_VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS
LEAVES = PLAIN_VALUES | st.sampled_from([np.arange(3.0), np.eye(2, 3, dtype=bool), np.array(7)])


def inside(trees):
    return st.lists(trees, max_size=4) | st.dictionaries(PLAIN_VALUES, trees, max_size=4)


@given(st.recursive(LEAVES, inside, max_leaves=12))
@example({"m": {"array": 0}, "w": np.ones(2)})
@example({"array": 3})
@example({"dict": [["array", {"array": {"dict": np.ones(1)}}]], 1: {"1": {1.5: None}}})
@settings(max_examples=60, deadline=None)
def test_any_tree_comes_back_as_it_was(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "tree.npz"
    save(tree, path)
    assert repr(load(path)) == repr(tree)


def test_arrays_keep_dtype_shape_and_order(tmp_path):
    table = np.arange(6, dtype=np.int8).reshape(2, 3)
    arrays = [np.array(3.0), table, np.asfortranarray(table.astype(np.float32)), np.zeros((0, 2)), table[:, ::2] > 1]
    save(arrays, tmp_path / "a")
    for mine, array in zip(load(tmp_path / "a"), arrays, strict=True):
        assert mine.dtype == array.dtype
        np.testing.assert_array_equal(mine, array)


NO_PLAIN_VALUES = [object(), {1, 2}, (1, 2), {(1, 2): 3}, np.array([object()]), b"bytes", np.float32(1), lambda: 0]


@pytest.mark.parametrize("thing", NO_PLAIN_VALUES)
def test_what_is_no_plain_value_is_not_saved_and_the_old_file_stays(tmp_path, thing):
    save([1], tmp_path / "a")
    with pytest.raises(TypeError, match="cannot be saved"):
        save({"a": [thing]}, tmp_path / "a")
    assert load(tmp_path / "a") == [1]


class Lone(Layer):
    """A model with one parameter, which has the name that arrays have in a file."""

    def __init__(self, value):
        self.array = Parameter(np.full(2, value))

    def forward(self, x):
        return x * self.array


def test_a_model_whose_only_parameter_is_called_array_keeps_its_run(tmp_path):
    batch, trainers = (Tensor([[1.0, 2.0]]), Tensor([[3.0, -1.0]])), []
    for value in (0.0, 9.0):
        net = Lone(value)
        trainers.append(Trainer(net, SGD(net.parameters(), lr=0.1, momentum=0.9), mse_loss, metrics=(), patience=5))
    first, second = trainers
    first.fit([batch], 2, validation=[batch], save=tmp_path / "run.npz", progress=False)
    second.load(tmp_path / "run.npz")
    for trainer in trainers:
        trainer.fit([batch], 4, validation=[batch], progress=False)
    assert weights(second).tolist() == weights(first).tolist() and second.history == first.history


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    write_atomic(tmp_path / "a", lambda file: file.write(b"old"))
    for fails in (lambda file: file.write(b"half") and 1 / 0, lambda file: file.write("text")):
        with pytest.raises((ZeroDivisionError, TypeError)):
            write_atomic(tmp_path / "a", fails)
    assert (tmp_path / "a").read_bytes() == b"old"


SAVER = """
import sys
import numpy as np
from tinytorch.core.training import save
print("go", flush=True)
for i in range(10**9):
    save({"i": i, "a": [np.full(100_000, i), np.full(50_000, i)]}, sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX's")
def test_a_process_killed_while_it_saves_leaves_a_good_file(tmp_path, root):
    path, killed_in_the_middle = tmp_path / "run.npz", 0
    save({"i": -1, "a": [np.full(3, -1)]}, path)
    rng = np.random.default_rng(0)
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", SAVER, str(path)], cwd=root, stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(0.05 + 0.1 * rng.random())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        state = load(path)
        assert all((a == state["i"]).all() for a in state["a"])
        part = tmp_path / "run.npz.part"
        killed_in_the_middle += part.exists()
    assert killed_in_the_middle > 0, "no kill came while a file was being written: the test has shown nothing"
    assert sorted(p.name for p in tmp_path.iterdir()) in (["run.npz"], ["run.npz", "run.npz.part"])


RUNNER = """
import sys
sys.path.insert(0, "tests/package")
from test_training import RUNS, VALIDATION, make
trainer, loader = make(0, **RUNS["everything"])
trainer.fit(loader, 10**6, VALIDATION, save=sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX's")
def test_a_run_killed_at_any_moment_is_resumed_to_the_last_bit(tmp_path, root):
    path, environment = tmp_path / "run.npz", dict(os.environ, PYTHONPATH=f"{root}:{root / 'tests'}")
    process = subprocess.Popen([sys.executable, "-c", RUNNER, str(path)], cwd=root, env=environment, stdout=subprocess.PIPE)
    lines = list(islice(process.stdout, 3))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert len(lines) == 3
    second, loader = make(5, **RUNS["everything"])
    second.load(path)
    done = second.epoch
    second.fit(loader, done + 2, VALIDATION, progress=False)
    undisturbed, loader = make(0, **RUNS["everything"])
    undisturbed.fit(loader, done + 2, VALIDATION, progress=False)
    assert done >= 3 and whole_state(second) == whole_state(undisturbed)


# -- files that nobody need trust ---------------------------------------------------------------------------------------

PROGRAM = b"cos\nsystem\n(Vtouch OWNED\ntR."


def rewritten(path, change):
    """The file of a run, with `change` made to what it holds."""
    state = load(path)
    change(state)
    save(state, path)


def in_zip(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)


def npy(header: str, content: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def array(kind: str, size: int, content: bytes) -> bytes:
    return npy(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({size},)}}", content)


def header(text: str) -> bytes:
    return array("|u1", len(text), text.encode())


def overlapping(path):
    """A zip whose directory names the same bytes a hundred times: it unpacks to more than it is."""
    in_zip(path, {"header": header('{"array": 0}'), "0": array("|u1", 10**5, bytes(10**5))})
    with zipfile.ZipFile(path, "a") as file:
        file.filelist += [file.getinfo("0.npy")] * 100
        file._didModify = True


def state_of(change):
    return lambda path: rewritten(path, change)


def in_weights(change):
    def of(state):
        state["model"]["1.weight"] = change(state["model"]["1.weight"])

    return state_of(of)


def in_momentum(change):
    def of(state):
        state["optimizer"]["state"][0]["momentum_buffer"] = change(state["optimizer"]["state"][0]["momentum_buffer"])

    return state_of(of)


HOSTILE = {
    "a pickle": lambda p: p.write_bytes(PROGRAM),
    "a pickle of arrays": lambda p: p.write_bytes(pickle.dumps({"model": np.zeros(3)})),
    "a pickle for a header": lambda p: in_zip(p, {"header": array("|O", 1, PROGRAM)}),
    "a pickle for an array": lambda p: in_zip(p, {"header": header('{"array": 0}'), "0": array("|O", 1, PROGRAM)}),
    "a header that is a program": lambda p: in_zip(p, {"header": npy("__import__('os').system('touch OWNED')")}),
    "an empty file": lambda p: p.write_bytes(b""),
    "noise": lambda p: p.write_bytes(np.random.default_rng(0).bytes(5000)),
    "a lone array": lambda p: p.write_bytes(array("<f8", 1, bytes(8))),
    "a zip of texts": lambda p: in_zip(p, {"header": "text", "0": "text"}),
    "a zip bomb": lambda p: in_zip(p, {"header": header('{"array": 0}'), "0": b"\0" * 10**8}, zipfile.ZIP_DEFLATED),
    "400 GB in a few bytes": lambda p: in_zip(p, {"header": header('{"array": 0}'), "0": array("<f4", 10**11, b"1234")}),
    "a negative shape": lambda p: in_zip(p, {"header": header('{"array": 0}'), "0": array("<f4", -1, b"1234")}),
    "one member under two names": overlapping,
    "JSON a hundred thousand deep": lambda p: in_zip(p, {"header": header("[" * 100_000)}),
    "JSON that ends too soon": lambda p: in_zip(p, {"header": header('{"model": ')}),
    "an array that is not there": lambda p: in_zip(p, {"header": header('{"dict": [["model", {"array": 7}]]}')}),
    "neither an array nor a dict": lambda p: in_zip(p, {"header": header('{"model": 3}')}),
    "a dict that is no pairs": lambda p: in_zip(p, {"header": header('{"dict": [3]}')}),
    "a dict whose key is a list": lambda p: in_zip(p, {"header": header('{"dict": [[[1], 2]]}')}),
    "a number": lambda p: save(3, p),
    "a list": lambda p: save([1, 2], p),
    "nothing in it": lambda p: save({}, p),
    "no weights": state_of(lambda s: s.pop("model")),
    "no optimizer": state_of(lambda s: s.pop("optimizer")),
    "something more": state_of(lambda s: s.update(more=1)),
    "a weight less": state_of(lambda s: s["model"].pop("1.weight")),
    "a weight more": state_of(lambda s: s["model"].update(extra=np.zeros(2))),
    "weights of another shape": in_weights(lambda a: a[:-1]),
    "weights that would broadcast": in_weights(lambda a: a[:1]),
    "weights in float64": in_weights(lambda a: a.astype(np.float64)),
    "weights as texts": in_weights(lambda a: a.astype(str)),
    "weights as complex numbers": in_weights(lambda a: a.astype(complex)),
    "weights as a list": in_weights(lambda a: a.tolist()),
    "weights as None": in_weights(lambda a: None),
    "momentum of another shape": in_momentum(lambda a: a[:1]),
    "momentum in float64": in_momentum(lambda a: a.astype(np.float64)),
    "momentum as texts": in_momentum(lambda a: a.astype(str)),
    "momentum as a number": in_momentum(lambda a: 1.0),
    "another optimizer": state_of(lambda s: s["optimizer"].update(optimizer="Adam")),
    "an option more": state_of(lambda s: s["optimizer"]["param_groups"][0].update(evil=1)),
    "a rate that is a text": state_of(lambda s: s["optimizer"]["param_groups"][0].update(lr="1")),
    "a schedule of another kind": state_of(lambda s: s["scheduler"].update(scheduler="StepLR")),
    "a schedule beyond its end": state_of(lambda s: s["scheduler"].update(last_epoch=10**9)),
    "no schedule": state_of(lambda s: s.update(scheduler=None)),
    "an epoch that is a text": state_of(lambda s: s["position"].__setitem__(0, "3")),
    "a position with one more": state_of(lambda s: s["position"].append(3)),
    "a seed that is a text": state_of(lambda s: s.update(seed="3")),
    "a history that is a text": state_of(lambda s: s.update(history="abc")),
    "a history of numbers": state_of(lambda s: s.update(history=[1, 2])),
    "no generator": state_of(lambda s: s.update(generators=[])),
    "another generator": state_of(lambda s: s["generators"][0].update(bit_generator="MT19937")),
    "a generator of texts": state_of(lambda s: s["generators"][0].update(state={"state": "x", "inc": 1})),
    "a generator below 0": state_of(lambda s: s["generators"][0]["state"].update(state=-1)),
    "best weights of another model": state_of(lambda s: s["stopping"].update(weights={"x": np.zeros(3)})),
}  # fmt: skip


@pytest.fixture
def run_file(tmp_path, monkeypatch):
    """The file of a run, and a trainer that has learned something else since."""
    monkeypatch.chdir(tmp_path)
    trainer, loader = make(0, **RUNS["momentum and a cycle"])
    trainer.fit(loader, 1, save=tmp_path / "run.npz", progress=False)
    other, loader = make(1, **RUNS["momentum and a cycle"])
    other.fit(loader, 2, progress=False)
    return tmp_path / "run.npz", other


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_or_foreign_file_is_an_error_that_names_it_runs_nothing_and_changes_nothing(run_file, what, tmp_path):
    path, trainer = run_file
    HOSTILE[what](path)
    before, random = whole_state(trainer), default_generator.bit_generator.state
    with pytest.raises(ValueError, match=re.escape(str(path))) as error:
        trainer.load(path)
    assert len(str(error.value)) < 1000 and "\n" not in str(error.value).strip()
    assert whole_state(trainer) == before and default_generator.bit_generator.state == random
    assert not (tmp_path / "OWNED").exists()


def test_a_file_cut_off_anywhere_or_with_a_bit_turned_over_is_noticed_or_harmless(run_file):
    path, trainer = run_file
    whole, before = path.read_bytes(), whole_state(trainer)
    rng = np.random.default_rng(0)
    for cut in rng.integers(0, len(whole), 40):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="damaged"):
            trainer.load(path)
        assert whole_state(trainer) == before
    good, noticed = load_bytes(path, whole), 0
    for place in rng.integers(0, len(whole), 60):
        turned = bytearray(whole)
        turned[place] ^= 1 << int(rng.integers(8))
        try:
            found = load_bytes(path, bytes(turned))
        except ValueError:
            noticed += 1
        else:
            assert found == good  # a date, or another field that says nothing
    assert noticed > 50


def load_bytes(path, content: bytes) -> str:
    path.write_bytes(content)
    with np.printoptions(threshold=10**9):
        return json.dumps(load(path), default=lambda a: a.tolist())


def test_a_run_of_another_model_says_what_does_not_fit(run_file):
    path, _ = run_file
    manual_seed(0)
    net = MLP([64, 16, 10], relu)
    before = [p.data.copy() for p in net.parameters()]
    with pytest.raises(ValueError, match=r"0\.weight is missing.*1\.weight is unexpected|model: .*is missing"):
        Trainer(net, SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True)).load(path)
    assert all((p.data == old).all() for p, old in zip(net.parameters(), before, strict=True))


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        moons_trainer().load(tmp_path / "none.npz")


# -- it learns -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_mlp_recognises_97_percent_of_the_digits(seed):
    manual_seed(seed)
    net = Sequential(Flatten(), Dense(64, 256, relu), Dropout(0.3), Dense(256, 10))
    loader, optimizer = DataLoader(TRAIN, 64, shuffle=True, seed=seed), Adam(net.parameters())
    trainer = Trainer(net, optimizer, scheduler=OneCycleLR(optimizer, 0.01, 20 * len(loader)))
    trainer.fit(loader, 20, progress=False)
    result = trainer.evaluate(DataLoader(TEST, 500))
    assert result["accuracy"] >= 0.97, result


def test_moons_are_told_apart_by_one_logit():
    manual_seed(0)
    (x, y), net = two_moons(200), MLP([2, 16, 16, 1], relu)
    data = TensorDataset(x, y.data[:, None].astype(np.float32))
    trainer = Trainer(net, Adam(net.parameters(), lr=0.01), binary_cross_entropy_with_logits)
    trainer.fit(DataLoader(data, 50, shuffle=True, seed=0), 60, progress=False)
    assert trainer.evaluate(DataLoader(data, 200))["accuracy"] >= 0.99


def test_a_line_is_fitted_by_the_mean_squared_error():
    manual_seed(0)
    x = np.linspace(-1, 1, 40)[:, None]
    net = Linear(1, 1)
    Trainer(net, SGD(net.parameters(), lr=0.3), mse_loss, metrics=()).fit([(Tensor(x), Tensor(3 * x - 1))], 200, progress=False)
    close([net.weight.item(), net.bias.item()], [3, -1], atol=1e-3)


class Product(Layer):
    """A model of two inputs."""

    def __init__(self):
        self.layer = Linear(2, 2)

    def forward(self, a, b):
        return self.layer(a * b)


def test_a_batch_may_have_several_inputs():
    manual_seed(0)
    net, rng = Product(), np.random.default_rng(0)
    a, b = rng.standard_normal((2, 100, 2))
    batch = Tensor(a), Tensor(b), Tensor((a * b).argmax(1))
    trainer = Trainer(net, SGD(net.parameters(), lr=1.0))
    trainer.fit([batch], 100, progress=False)
    assert trainer.evaluate([batch])["accuracy"] > 0.9


def test_a_loss_of_a_batch_is_one_op_on_the_logits():
    x = Tensor(np.zeros((2, 3)), requires_grad=True)
    op, inputs = cross_entropy(x, [0, 1]).origin
    assert inputs == (x,) and type(op) is CrossEntropyOp
    assert apply(CrossEntropyOp(np.array([0, 1]), 0.0), x).item() == cross_entropy(x, [0, 1]).item()


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64])
def test_the_confusion_matrix_of_twenty_classes_counts_small_integers_as_large_ones(dtype):
    x, t = np.random.default_rng(5).standard_normal((300, 20)), np.random.default_rng(6).integers(0, 20, 300)
    wanted = np.zeros((20, 20), int)
    np.add.at(wanted, (t, x.argmax(1)), 1)
    np.testing.assert_array_equal(confusion_matrix(Tensor(x), Tensor(t.astype(dtype))), wanted)
