"""tinytorch.core.optimizers: formulas, identities, and PyTorch's parameters after 100 steps where it is installed.

Tolerances: float32 parameters within 1e-5 (absolute) plus 1e-4 of the value; learning rates within 1e-12 of the value.
"""

import json
import tracemalloc
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core.autograd import no_grad
from tinytorch.core.dense import MLP
from tinytorch.core.layers import Linear, Parameter
from tinytorch.core.optimizers import (
    SGD,
    Adam,
    AdamW,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearWarmup,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    Optimizer,
    ReduceLROnPlateau,
    RMSprop,
    StepLR,
    clip_grad_norm_,
    clip_grad_value_,
)
from tinytorch.core.tensor import Tensor, manual_seed

close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)
KINDS = {"SGD": SGD, "RMSprop": RMSprop, "Adam": Adam, "AdamW": AdamW}
EVERY = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("RMSprop", {}),
    ("Adam", {}),
    ("AdamW", {}),
]
every = pytest.mark.parametrize(("kind", "options"), EVERY, ids=[f"{k}-{'-'.join(o)}" for k, o in EVERY])
SHAPES = [(7, 5), (3,), (), (2, 3, 2, 2), (1, 4)]


def noise(*shape, seed=0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape, dtype=np.float32)


def parameter(array) -> Tensor:
    return Tensor(np.array(array, order="K"), requires_grad=True, dtype=np.asarray(array).dtype)


def give(params, seed=0) -> None:
    for i, p in enumerate(params):
        p.grad = Tensor(noise(*p.shape, seed=seed + i).astype(p.dtype), dtype=p.dtype)


def grid(**options):
    return [dict(zip(options, values, strict=True)) for values in product(*options.values())]


# -- the same numbers as PyTorch's ------------------------------------------------------------------------------------


def compared(kind, options, shapes=SHAPES, steps=100):
    """Parameters of both after so many steps on one random least-squares problem, each following its own gradients."""
    torch = pytest.importorskip("torch")
    ours = [parameter(noise(*s)) for s in shapes]
    theirs = [torch.tensor(p.data.copy(), requires_grad=True) for p in ours]
    targets = [noise(*s, seed=7) for s in shapes]
    factors = [0.1 + 3 * np.abs(noise(*s, seed=8)) for s in shapes]
    mine, its = KINDS[kind](ours, **options), getattr(torch.optim, kind)(theirs, **options)
    for step in range(steps):
        mine.zero_grad()
        its.zero_grad()
        for p, t, target, factor in zip(ours, theirs, targets, factors, strict=True):
            chance = noise(*p.shape, seed=100 + step)
            (factor * (p - Tensor(target)) ** 2 + chance * p).sum().backward()
            (torch.tensor(factor) * (t - torch.tensor(target)) ** 2 + torch.tensor(chance) * t).sum().backward()
        mine.step()
        its.step()
    for p, t in zip(ours, theirs, strict=True):
        assert p.dtype == np.float32
        close(p.data, t.detach().numpy())


@pytest.mark.parametrize(
    "options",
    grid(lr=[0.05], momentum=[0.0, 0.5, 0.9], weight_decay=[0.0, 0.1], nesterov=[False])
    + grid(lr=[0.05], momentum=[0.5, 0.9], weight_decay=[0.0, 0.1], nesterov=[True]),
    ids=str,
)
def test_sgd_has_pytorchs_parameters_after_100_steps(options):
    compared("SGD", options)


@pytest.mark.parametrize("options", grid(lr=[0.01], alpha=[0.9, 0.99], eps=[1e-8, 1e-2], weight_decay=[0.0, 0.1]), ids=str)
def test_rmsprop_has_pytorchs_parameters_after_100_steps(options):
    compared("RMSprop", options)


@pytest.mark.parametrize("kind", ["Adam", "AdamW"])
@pytest.mark.parametrize(
    "options", grid(lr=[0.01], betas=[(0.9, 0.999), (0.5, 0.9)], eps=[1e-8, 1e-2], weight_decay=[0.0, 0.1]), ids=str
)
def test_adam_and_adamw_have_pytorchs_parameters_after_100_steps(kind, options):
    compared(kind, options)


@pytest.mark.parametrize("kind", KINDS)
def test_the_defaults_are_pytorchs(kind):
    torch = pytest.importorskip("torch")
    mine, its = KINDS[kind]([parameter([1.0])]), getattr(torch.optim, kind)([torch.zeros(1, requires_grad=True)])
    assert mine.defaults == {name: its.defaults[name] for name in mine.defaults}


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(["Adam", "AdamW"]),
    st.floats(1e-4, 0.1),
    st.tuples(st.floats(0, 0.99), st.floats(0.5, 0.999)),
    st.floats(1e-6, 1.0),
    st.floats(0, 0.5),
    st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3),
)
def test_any_options_of_adam_give_pytorchs_parameters(kind, lr, betas, eps, weight_decay, shapes):
    compared(kind, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}, shapes, steps=20)


def test_a_network_learns_as_pytorchs_does():
    torch = pytest.importorskip("torch")
    manual_seed(0)
    model = Linear(5, 3)
    rival = torch.nn.Linear(5, 3)
    with torch.no_grad():
        rival.weight.copy_(torch.tensor(model.weight.data))
        rival.bias.copy_(torch.tensor(model.bias.data))
    x, y = noise(20, 5), noise(20, 3, seed=1)
    mine, its = Adam(model.parameters(), lr=0.05), torch.optim.Adam(rival.parameters(), lr=0.05)
    for _ in range(100):
        mine.zero_grad()
        its.zero_grad()
        ((model(Tensor(x)) - Tensor(y)) ** 2).mean().backward()
        ((rival(torch.tensor(x)) - torch.tensor(y)) ** 2).mean().backward()
        mine.step()
        its.step()
    close(model.weight.data, rival.weight.detach().numpy())
    close(model.bias.data, rival.bias.detach().numpy())


# -- groups, and parameters without a gradient ------------------------------------------------------------------------


def test_groups_have_options_of_their_own_as_in_pytorch():
    torch = pytest.importorskip("torch")
    ours = [parameter(noise(4, 3)), parameter(noise(3)), parameter(noise(2))]
    theirs = [torch.tensor(p.data.copy(), requires_grad=True) for p in ours]

    def groups(a, b, c):
        return [{"params": [a], "lr": 0.5}, {"params": iter([b, c]), "weight_decay": 0.3, "momentum": 0.0, "nesterov": False}]

    common = {"lr": 0.1, "momentum": 0.9, "nesterov": True}
    mine, its = SGD(groups(*ours), **common), torch.optim.SGD(groups(*theirs), **common)
    for step in range(10):
        give(ours, step)
        for p, t in zip(ours, theirs, strict=True):
            t.grad = torch.tensor(p.grad.data)
        mine.step()
        its.step()
    for p, t in zip(ours, theirs, strict=True):
        close(p.data, t.detach().numpy())
    assert [group["lr"] for group in mine.param_groups] == [0.5, 0.1]
    assert "momentum_buffer" not in mine.state[ours[1]]


@every
def test_a_parameter_without_a_gradient_stays_and_its_first_step_is_the_first(kind, options):
    late, other = parameter(noise(4)), parameter(noise(4))
    optimizer, alone = KINDS[kind]([late, other], **options), parameter(late.data)
    before = late.data.copy()
    give([other])
    optimizer.step()
    np.testing.assert_array_equal(late.data, before)
    assert late not in optimizer.state
    give([late, other], 5)
    optimizer.step()
    alone.grad = late.grad
    KINDS[kind]([alone], **options).step()
    np.testing.assert_array_equal(late.data, alone.data)


def test_zero_grad_forgets_the_gradients_of_all_groups():
    a, b = parameter([1.0]), parameter([2.0])
    optimizer = SGD([{"params": [a]}, {"params": b}])
    give([a, b])
    optimizer.zero_grad()
    assert a.grad is None
    assert b.grad is None


def test_a_group_added_later_is_updated_too():
    a, b = parameter([1.0]), parameter([2.0])
    optimizer = SGD([a], lr=0.1)
    optimizer.add_param_group({"params": [b], "lr": 1.0})
    a.grad = b.grad = Tensor([1.0])
    optimizer.step()
    close([a.item(), b.item()], [0.9, 1.0])


@pytest.mark.parametrize(
    ("params", "options", "error", "says"),
    [
        ([], {}, ValueError, "needs parameters, and got none"),
        (parameter([1.0]), {}, TypeError, r"params is a single tensor: give a list, .* \[p\] for one"),
        (iter([]), {}, ValueError, "needs parameters, and got none"),
        ([{"params": []}], {}, ValueError, "needs parameters, and got none"),
        ([Tensor([1.0])], {}, ValueError, r"parameter 0 is not a leaf that requires a gradient.*: Tensor\(\[1"),
        ([2 * parameter([1.0, 2.0])], {}, ValueError, "parameter 0 is not a leaf"),
        ([np.ones(2)], {}, ValueError, "parameter 0 is not a leaf"),
        ([{"params": [parameter([1.0])], "rate": 1}], {}, ValueError, r"no such options: \{'rate'\}, but \['lr', 'momentum'"),
        ([parameter([1.0])], {"lr": -0.1}, ValueError, "lr must be from 0 to below inf, not -0.1"),
        ([parameter([1.0])], {"lr": float("nan")}, ValueError, "lr must be from 0 to below inf, not nan"),
        ([parameter([1.0])], {"lr": float("inf")}, ValueError, "lr must be from 0 to below inf, not inf"),
        ([parameter([1.0])], {"lr": "fast"}, ValueError, "lr must be from 0 to below inf, not fast"),
        ([parameter([1.0])], {"momentum": -1}, ValueError, "momentum must be from 0 to below inf, not -1"),
        ([parameter([1.0])], {"weight_decay": -1e-3}, ValueError, "weight_decay must be from 0 to below inf, not -0.001"),
        ([parameter([1.0])], {"nesterov": True}, ValueError, "nesterov needs momentum, which is 0"),
        ([{"params": [parameter([1.0])], "lr": -1.0}], {}, ValueError, "lr must be from 0 to below inf, not -1.0"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_be_optimized_is_an_error_that_says_so(params, options, error, says):
    with pytest.raises(error, match=says):
        SGD(params, **options)


@pytest.mark.parametrize("betas", [(1.0, 0.9), (0.9, 1.0), (-0.1, 0.9)])
def test_a_running_mean_that_never_moves_is_refused(betas):
    with pytest.raises(ValueError, match="betas must be from 0 to below 1"):
        Adam([parameter([1.0])], betas=betas)


def test_a_parameter_in_two_groups_or_twice_is_refused():
    a, b = parameter([1.0]), parameter([2.0])
    for groups in [[{"params": [a, b]}, {"params": [a]}], [a, b, a]]:
        with pytest.raises(ValueError, match=r"of shape \(1,\), is there twice"):
            SGD(groups)


def test_parameters_may_come_from_a_generator():
    a, b = parameter([1.0]), parameter([2.0])
    assert SGD(p for p in (a, b)).parameters() == [a, b]
    groups = SGD([{"params": (p for p in (a,))}, {"params": iter([b])}])
    assert groups.parameters() == [a, b]


def test_a_refused_group_leaves_the_optimizer_as_it_was():
    a = parameter([1.0])
    optimizer = SGD([a])
    with pytest.raises(ValueError, match="is there twice"):
        optimizer.add_param_group({"params": [parameter([1.0]), a]})
    assert optimizer.parameters() == [a]


def test_a_gradient_of_another_shape_is_an_error_with_both_shapes():
    a = parameter([1.0, 2.0])
    a.grad = Tensor([[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"parameter \(2,\) has a gradient \(1, 2\)"):
        SGD([a]).step()


def test_a_kind_without_an_update_says_so():
    a = parameter([1.0])
    give([a])
    with pytest.raises(NotImplementedError, match=r"Optimizer.update is not written yet"):
        Optimizer([a]).step()


# -- in place ---------------------------------------------------------------------------------------------------------


@every
def test_a_step_writes_into_the_same_arrays_and_leaves_gradients_alone(kind, options):
    params = [parameter(noise(*s)) for s in SHAPES]
    optimizer = KINDS[kind](params, **options)
    give(params)
    arrays, gradients, copies = [p.data for p in params], [p.grad.data for p in params], [p.grad.data.copy() for p in params]
    optimizer.step()
    state = [a for entry in optimizer.state.values() for a in entry.values() if isinstance(a, np.ndarray)]
    optimizer.step()
    assert all(p.data is a and p.dtype == np.float32 for p, a in zip(params, arrays, strict=True))
    assert all(p.grad.data is g for p, g in zip(params, gradients, strict=True))
    for g, copy in zip(gradients, copies, strict=True):
        np.testing.assert_array_equal(g, copy)
    again = [a for entry in optimizer.state.values() for a in entry.values() if isinstance(a, np.ndarray)]
    assert all(a is b and a.dtype == np.float32 for a, b in zip(state, again, strict=True))


@every
def test_a_hundred_steps_allocate_nothing_that_grows(kind, options):
    params = [parameter(noise(300, 400)), parameter(np.asfortranarray(noise(400, 10)))]
    optimizer = KINDS[kind](params, **options)
    for p in params:
        p.grad = Tensor(np.empty_like(p.data))
        p.grad.data[...] = noise(*p.shape)
    optimizer.step()
    optimizer.step()
    tracemalloc.start()
    try:
        optimizer.step()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(100):
            optimizer.step()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 4_000
    assert peak - before < 20_000


@every
@pytest.mark.parametrize("layout", ["rows", "columns", "permuted", "every second", "backwards"])
def test_the_layout_in_memory_changes_no_bit(kind, options, layout):
    start, gradients = noise(40, 30, 50), [noise(40, 30, 50, seed=i) for i in range(3)]
    p = Tensor(np.empty(0), requires_grad=True)
    p.data = {
        "rows": lambda a: a.copy(),
        "columns": lambda a: np.asfortranarray(a),
        "permuted": lambda a: np.ascontiguousarray(a.transpose(1, 2, 0)).transpose(2, 0, 1),
        "every second": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        "backwards": lambda a: a[:, ::-1].copy()[:, ::-1],
    }[layout](start)
    data, plain = p.data, parameter(start)
    optimizer, other = KINDS[kind]([p], lr=0.1, **options), KINDS[kind]([plain], lr=0.1, **options)
    for i, g in enumerate(gradients):
        p.grad, plain.grad = Tensor(g if i else np.asfortranarray(g)), Tensor(g)
        optimizer.step()
        other.step()
    assert p.data is data
    np.testing.assert_array_equal(p.data, plain.data)


def test_state_lies_in_memory_as_its_parameter_does():
    p = parameter(np.asfortranarray(noise(30, 20)))
    optimizer = Adam([p])
    give([p])
    optimizer.step()
    fresh = Adam([p])
    fresh.load_state_dict(optimizer.state_dict())
    for state in (optimizer.state[p], fresh.state[p]):
        assert state["exp_avg"].strides == state["exp_avg_sq"].strides == p.data.strides


@pytest.mark.parametrize("before, after", [("C", "F"), ("F", "C")])
def test_data_that_was_replaced_by_another_layout_still_moves_with_its_state(before, after):
    p, plain = parameter(np.array(noise(30, 20), order=before)), parameter(noise(30, 20))
    optimizer, other = Adam([p], lr=0.1), Adam([plain], lr=0.1)
    for i in range(4):
        give([p, plain], i)
        plain.grad = p.grad
        optimizer.step()
        other.step()
        if i == 1:
            p.data = np.array(p.data, order=after)
    np.testing.assert_array_equal(p.data, plain.data)


@every
@pytest.mark.parametrize("piece", [1, 7, 64, 10**6])
def test_the_size_of_a_piece_changes_no_bit(kind, options, piece):
    a, b = parameter(noise(13, 11)), parameter(noise(13, 11))
    optimizer, other = KINDS[kind]([a], **options), KINDS[kind]([b], **options)
    for step in range(3):
        optimizer.PIECE = (piece, 9 * piece, piece)[step]
        give([a, b], step)
        b.grad = a.grad
        optimizer.step()
        other.step()
    np.testing.assert_array_equal(a.data, b.data)


@every
def test_float64_stays_float64_and_an_empty_parameter_is_no_problem(kind, options):
    params = [parameter(noise(3, 2).astype(np.float64)), parameter(noise(0, 3)), parameter(noise(2))]
    optimizer = KINDS[kind](params, **options)
    give(params)
    optimizer.step()
    assert [p.dtype for p in params] == [np.float64, np.float32, np.float32]
    assert all(a.dtype == p.dtype for p, entry in optimizer.state.items() for name, a in entry.items() if name != "step")


def test_backward_through_a_graph_that_is_older_than_the_step_is_an_error():
    w = parameter([2.0, 3.0])
    optimizer = SGD([w], lr=0.1)
    (w * w).sum().backward()
    old = (w * w).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="was written in place after Mul had saved it"):
        old.backward()
    (w * w).sum().backward()


def test_a_step_works_where_recording_is_off():
    w = parameter([2.0])
    w.grad = Tensor([1.0])
    with no_grad():
        SGD([w], lr=0.5).step()
    assert w.item() == 1.5
    assert w.requires_grad
    assert w.origin is None


# -- state ------------------------------------------------------------------------------------------------------------


def plain(value) -> bool:
    """Whether module 11 can save it: numbers, strings, lists, dicts of strings, arrays."""
    if isinstance(value, dict):
        return all(type(key) is str and plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(plain, value))
    return type(value) in (int, float, bool, str) or (isinstance(value, np.ndarray) and value.dtype.kind in "fi")


def through_json(state):
    """What a file gives back: arrays by name, the rest as JSON."""
    arrays = []

    def away(value):
        arrays.append(value)
        return {"array": len(arrays) - 1}

    text = json.dumps(state, default=away)
    return json.loads(text, object_hook=lambda d: arrays[d["array"]] if set(d) == {"array"} else d)


@every
def test_a_run_that_was_stopped_and_resumed_has_the_same_bits(kind, options):
    def params():
        return [parameter(np.asfortranarray(noise(6, 4))), parameter(noise(3)), parameter(noise(2, 2))]

    ours, resumed = params(), params()
    groups = lambda ps: [{"params": ps[:2], "lr": 0.05}, {"params": ps[2:]}]  # noqa: E731
    whole, second = KINDS[kind](groups(ours), **options), KINDS[kind](groups(resumed), lr=9.0)
    schedule, later = StepLR(whole, 3, 0.5), StepLR(second, 3, 0.5)
    for step in range(20):
        if step == 7:
            state, position = through_json(whole.state_dict()), through_json(schedule.state_dict())
            assert plain(whole.state_dict())
            assert plain(schedule.state_dict())
            for p, q in zip(ours, resumed, strict=True):
                q.data[...] = p.data
            second.load_state_dict(state)
            later.load_state_dict(position)
        for ps, optimizer, scheduler in [(ours, whole, schedule), (resumed, second, later)][: 1 + (step >= 7)]:
            give(ps[: 2 + step % 2], step)  # the last one gets a gradient every other time
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()
    for p, q in zip(ours, resumed, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    assert second.param_groups[0]["lr"] == whole.param_groups[0]["lr"]


def test_a_state_is_a_copy():
    p = parameter([1.0])
    optimizer = SGD([p], momentum=0.9)
    give([p])
    optimizer.step()
    state = optimizer.state_dict()
    kept = state["state"][0]["momentum_buffer"].copy()
    optimizer.step()
    np.testing.assert_array_equal(state["state"][0]["momentum_buffer"], kept)
    optimizer.load_state_dict(state)
    optimizer.step()
    np.testing.assert_array_equal(state["state"][0]["momentum_buffer"], kept)


def a_state(kind=Adam, shapes=((2, 3), (4,)), **options):
    params = [parameter(noise(*s)) for s in shapes]
    optimizer = kind(params, **options)
    give(params)
    optimizer.step()
    return optimizer.state_dict()


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (a_state(AdamW), "the state optimizer is 'AdamW', not 'Adam'"),
        (a_state(shapes=[(2, 3)]), "the state is of 1 parameters, not of 2"),
        (a_state(shapes=[(3, 2), (4,)]), r"state 0 exp_avg is float32 \(3, 2\), not float32 \(2, 3\)"),
        (a_state() | {"param_groups": [{"params": [0, 1], "lr": 0.1}]}, "groups 0: betas is missing, eps is missing"),
        ({"weights": 1}, "the state: optimizer is missing, .*, weights is unexpected"),
        (a_state() | {"state": [{}]}, "the state is of 1 parameters, not of 2"),
        (a_state() | {"state": [{"step": 1, "velocity": noise(2, 3)}, {}]}, "state 0: exp_avg is missing, .*, velocity"),
        (a_state() | {"state": [{"step": 1, "exp_avg": noise(2, 3)}, {}]}, "state 0: exp_avg_sq is missing"),
        (a_state() | {"state": [{"step": -3}, {}]}, "the state counts -3 steps"),
        (a_state() | {"state": [{"step": 1.5}, {}]}, "the state counts 1.5 steps"),
        (a_state() | {"state": [{"step": 1}, None]}, "no optimizer's state"),
        (a_state() | {"state": 3}, "no optimizer's state"),
        (a_state() | {"param_groups": [None]}, "no optimizer's state"),
        (None, "no optimizer's state"),
    ],
    ids=str,
)
def test_a_state_that_does_not_fit_is_refused_with_both_sides_and_nothing_is_loaded(state, says):
    params = [parameter(noise(2, 3)), parameter(noise(4))]
    optimizer = Adam(params, lr=0.5)
    give(params)
    optimizer.step()
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match=says):
        optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert str(before) == str(after)


def test_a_state_with_a_senseless_option_is_refused():
    state = a_state()
    state["param_groups"][0]["lr"] = -1.0
    optimizer = Adam([parameter(noise(2, 3)), parameter(noise(4))])
    with pytest.raises(ValueError, match="lr must be from 0"):
        optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["lr"] == 1e-3


# -- schedules --------------------------------------------------------------------------------------------------------


def rates(make, steps, lr=0.3):
    optimizer = SGD([{"params": parameter([1.0])}, {"params": parameter([2.0]), "lr": 2 * lr}], lr=lr)
    scheduler, found = make(optimizer), []
    for _ in range(steps + 1):
        found.append(scheduler.get_last_lr())
        scheduler.step()
    return found


def their_rates(make, steps, lr=0.3):
    torch = pytest.importorskip("torch")
    leaf = lambda: torch.zeros(1, requires_grad=True)  # noqa: E731
    optimizer = torch.optim.SGD([{"params": [leaf()]}, {"params": [leaf()], "lr": 2 * lr}], lr=lr)
    scheduler, found = make(torch.optim.lr_scheduler, optimizer), []
    for _ in range(steps + 1):
        found.append(scheduler.get_last_lr())
        optimizer.step()
        scheduler.step()
    return found


SCHEDULES = {
    "StepLR": (lambda o: StepLR(o, 7, 0.3), lambda s, o: s.StepLR(o, 7, 0.3)),
    "StepLR, defaults": (lambda o: StepLR(o, 5), lambda s, o: s.StepLR(o, 5)),
    "cosine": (lambda o: CosineAnnealingLR(o, 20), lambda s, o: s.CosineAnnealingLR(o, 20)),
    "cosine, eta_min": (lambda o: CosineAnnealingLR(o, 13, 0.01), lambda s, o: s.CosineAnnealingLR(o, 13, 0.01)),
    "steps": (lambda o: MultiStepLR(o, [20, 3, 3], 0.4), lambda s, o: s.MultiStepLR(o, [20, 3, 3], 0.4)),
    "powers": (lambda o: ExponentialLR(o, 0.9), lambda s, o: s.ExponentialLR(o, 0.9)),
    "a function": (lambda o: LambdaLR(o, lambda t: 1 / (1 + t)), lambda s, o: s.LambdaLR(o, lambda t: 1 / (1 + t))),
    "warmup": (lambda o: LinearWarmup(o), lambda s, o: s.LinearLR(o)),
    "warmup, long": (lambda o: LinearWarmup(o, 11, 0.01), lambda s, o: s.LinearLR(o, 0.01, total_iters=11)),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_learning_rates_are_pytorchs(name):
    ours, theirs = SCHEDULES[name]
    np.testing.assert_allclose(rates(ours, 50), their_rates(theirs, 50), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("total", [1, 2, 3, 4, 7, 20, 101])
@pytest.mark.parametrize("options", [{}, {"pct_start": 0.5}], ids=str)
def test_one_cycle_is_pytorchs(total, options):
    if total == 2 and options:
        pytest.skip("PyTorch divides by 0 here: its rise has a length of 0 steps")
    ours = rates(lambda o: OneCycleLR(o, 0.5, total, **options), total - 1)
    theirs = their_rates(lambda s, o: s.OneCycleLR(o, 0.5, total_steps=total, cycle_momentum=False, **options), total - 1)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14)


def test_one_cycle_of_two_steps_begins_at_the_top():
    assert rates(lambda o: OneCycleLR(o, 0.5, 2, pct_start=0.5), 1)[0] == [0.5, 0.5]


def test_a_cycle_may_be_stepped_after_each_batch_and_no_further():
    optimizer = SGD([parameter([1.0])])
    scheduler = OneCycleLR(optimizer, 0.5, 10)
    for _ in range(10):
        scheduler.step()
    with pytest.raises(ValueError, match="this cycle has 10 steps, and step 11 is one too many"):
        scheduler.step()


def test_after_a_warmup_comes_what_was_asked_for():
    found = rates(lambda o: LinearWarmup(o, 5, 0.1, after=CosineAnnealingLR(o, 10)), 15)
    theirs = rates(lambda o: CosineAnnealingLR(o, 10), 10)
    np.testing.assert_array_equal(found[5:], theirs)
    np.testing.assert_allclose([lr for lr, _ in found[:5]], [0.03, 0.084, 0.138, 0.192, 0.246])


@pytest.mark.parametrize("name", sorted(SCHEDULES.keys() - {"a function"}))
@pytest.mark.parametrize("when", [0, 1, 4, 9])
def test_a_group_that_is_added_later_goes_on_from_its_own_rate_as_in_pytorch(name, when):
    torch = pytest.importorskip("torch")
    leaf = lambda: torch.zeros(1, requires_grad=True)  # noqa: E731
    mine, its = SGD([parameter([1.0])], lr=1.0), torch.optim.SGD([leaf()], lr=1.0)
    ours, theirs = SCHEDULES[name][0](mine), SCHEDULES[name][1](torch.optim.lr_scheduler, its)
    for step in range(12):
        if step == when:
            mine.add_param_group({"params": [parameter([1.0])], "lr": 0.3})
            its.add_param_group({"params": [leaf()], "lr": 0.3})
        its.step()
        ours.step()
        theirs.step()
        np.testing.assert_allclose(ours.get_last_lr(), [g["lr"] for g in its.param_groups], rtol=1e-9, atol=1e-14)
    both = SGD([{"params": parameter([1.0])}, {"params": parameter([1.0])}], lr=7.0)
    both.load_state_dict(through_json(mine.state_dict()))
    resumed = SCHEDULES[name][0](both)
    resumed.load_state_dict(through_json(ours.state_dict()))
    resumed.step()
    ours.step()
    assert resumed.get_last_lr() == ours.get_last_lr()


def test_a_group_added_within_one_cycle_follows_the_cycle():
    optimizer = SGD([parameter([1.0])], lr=1.0)
    scheduler = OneCycleLR(optimizer, 0.5, 10)
    scheduler.step()
    optimizer.add_param_group({"params": [parameter([1.0])]})
    scheduler.step()
    first, second = scheduler.get_last_lr()
    assert first == second


PLATEAUS = grid(mode=["min", "max"], threshold_mode=["rel", "abs"], patience=[0, 2], cooldown=[0, 2])
PLATEAUS += [{"factor": 0.5, "threshold": 0.1}, {"patience": 1, "min_lr": 0.05}, {"patience": 0, "eps": 0.01}]


@pytest.mark.parametrize("options", PLATEAUS, ids=str)
def test_a_plateau_is_found_where_pytorch_finds_it_and_after_a_resume(options):
    torch = pytest.importorskip("torch")
    mine = SGD([{"params": [parameter([1.0])]}, {"params": [parameter([1.0])], "lr": 2.0}], lr=0.3)
    leaf = lambda: torch.zeros(1, requires_grad=True)  # noqa: E731
    its = torch.optim.SGD([{"params": [leaf()]}, {"params": [leaf()], "lr": 2.0}], lr=0.3)
    ours, theirs = ReduceLROnPlateau(mine, **options), torch.optim.lr_scheduler.ReduceLROnPlateau(its, **options)
    rng = np.random.default_rng(0)
    for value in [*np.round(2 + rng.standard_normal(20), 1), np.nan, 1.0, np.inf, 0.9, 0.9, Tensor(0.9)]:
        ours.step(value)
        theirs.step(float(value))
        np.testing.assert_allclose(ours.get_last_lr(), [g["lr"] for g in its.param_groups], rtol=1e-12)
        resumed = ReduceLROnPlateau(mine, **options)
        resumed.load_state_dict(through_json(ours.state_dict()))
        ours = resumed


@pytest.mark.parametrize("options", [{"mode": "least"}, {"threshold_mode": "x"}, {"factor": 1.0}, {"factor": -0.1}])
def test_a_plateau_with_senseless_options_is_refused(options):
    with pytest.raises(ValueError, match=r"modes are min or max|factor must be from 0"):
        ReduceLROnPlateau(SGD([parameter([1.0])]), **options)


@pytest.mark.parametrize("t", [-1, 2.5, 11])
def test_a_schedule_that_does_not_fit_changes_nothing(t):
    optimizer = SGD([parameter([1.0])], lr=0.1)
    scheduler = OneCycleLR(optimizer, 0.5, 10)
    before = scheduler.state_dict(), scheduler.get_last_lr()
    with pytest.raises(ValueError, match=r"steps"):
        scheduler.load_state_dict({**before[0], "last_epoch": t})
    assert (scheduler.state_dict(), scheduler.get_last_lr()) == before


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(sorted(SCHEDULES)), st.integers(0, 40))
def test_a_resumed_schedule_goes_on_with_the_same_rates(name, position):
    make, _ = SCHEDULES[name]
    whole = rates(make, 50)
    optimizer = SGD([{"params": parameter([1.0])}, {"params": parameter([2.0]), "lr": 0.6}], lr=0.3)
    first = make(optimizer)
    for _ in range(position):
        first.step()
    other = SGD([{"params": parameter([1.0])}, {"params": parameter([2.0])}], lr=7.0)
    other.load_state_dict(optimizer.state_dict())
    second = make(other)
    second.load_state_dict(through_json(first.state_dict()))
    assert second.get_last_lr() == whole[position]
    second.step()
    assert second.get_last_lr() == whole[position + 1]


def test_the_state_of_another_schedule_is_refused_with_both_sides():
    optimizer = SGD([parameter([1.0])])
    step, cosine = StepLR(optimizer, 3), CosineAnnealingLR(optimizer, 3)
    with pytest.raises(ValueError, match="the state scheduler is 'StepLR', not 'CosineAnnealingLR'"):
        cosine.load_state_dict(step.state_dict())
    two = StepLR(SGD([{"params": parameter([1.0])}, {"params": parameter([1.0])}]), 3)
    with pytest.raises(ValueError, match="base_lrs"):
        two.load_state_dict(step.state_dict())
    with pytest.raises(ValueError, match="scheduler is missing"):
        step.load_state_dict({"last_epoch": 3})


def test_a_schedule_begins_where_its_optimizer_began_even_after_a_resume():
    optimizer = SGD([parameter([1.0])], lr=1.0)
    scheduler = StepLR(optimizer, 1, 0.5)
    scheduler.step()
    resumed = SGD([parameter([1.0])], lr=1.0)
    resumed.load_state_dict(optimizer.state_dict())
    assert StepLR(resumed, 1, 0.5).get_last_lr() == [1.0]


def test_a_schedule_without_a_function_says_so():
    with pytest.raises(NotImplementedError, match=r"LRScheduler.at is not written yet"):
        LRScheduler(SGD([parameter([1.0])]))


# -- clipping ---------------------------------------------------------------------------------------------------------


def test_no_gradients_have_the_norm_0():
    assert clip_grad_norm_([parameter([1.0])], 1.0) == 0.0
    assert clip_grad_norm_([], 1.0) == 0.0


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=4), st.floats(0.01, 100), st.floats(1e-3, 1e3))
def test_norms_and_clipped_gradients_are_pytorchs(shapes, max_norm, scale):
    torch = pytest.importorskip("torch")
    ours = [parameter(noise(*s)) for s in shapes]
    theirs = [torch.tensor(p.data, requires_grad=True) for p in ours]
    for i, (p, t) in enumerate(zip(ours, theirs, strict=True)):
        if i != 1:
            p.grad = Tensor(np.array(scale * noise(*p.shape, seed=i), order="F"))
            t.grad = torch.tensor(p.grad.data.copy())
    arrays = [p.grad.data for p in ours if p.grad is not None]
    norm, other = clip_grad_norm_(iter(ours), max_norm), torch.nn.utils.clip_grad_norm_(theirs, max_norm)
    assert isinstance(norm, float)
    np.testing.assert_allclose(norm, other.item(), rtol=1e-5)
    assert all(a is b.grad.data for a, b in zip(arrays, (p for p in ours if p.grad is not None), strict=True))
    for p, t in zip(ours, theirs, strict=True):
        if p.grad is not None:
            np.testing.assert_allclose(p.grad.data, t.grad.numpy(), rtol=1e-4, atol=1e-6)
    assert clip_grad_norm_(ours, max_norm) <= max_norm * (1 + 1e-5)


def test_short_gradients_keep_every_bit():
    p = parameter(noise(3, 4))
    give([p])
    before = p.grad.data.copy()
    clip_grad_norm_([p], 1e3)
    np.testing.assert_array_equal(p.grad.data, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_norm_that_is_no_number_is_returned_or_an_error_before_anything_changes(bad):
    p, q = parameter(noise(2)), parameter(noise(2))
    p.grad, q.grad = Tensor([bad, 1.0]), Tensor([3.0, 4.0])
    with pytest.raises(RuntimeError, match=r"the norm of the gradients is (nan|inf)"):
        clip_grad_norm_([p, q], 1.0, error_if_nonfinite=True)
    np.testing.assert_array_equal(q.grad.data, [3, 4])
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(clip_grad_norm_([p, q], 1.0))


def test_a_clipped_step_is_as_long_as_the_rate_allows():
    model = MLP([3, 4, 2], None)
    give(model.parameters())
    before = [p.data.copy() for p in model.parameters()]
    clip_grad_norm_(model.parameters(), 0.5)
    SGD(model.parameters(), lr=2.0).step()
    moved = np.sqrt(sum(((p.data - b) ** 2).sum() for p, b in zip(model.parameters(), before, strict=True)))
    np.testing.assert_allclose(moved, 1.0, rtol=1e-4)


# -- what the updates are for -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("kind", ["RMSprop", "Adam"])
def test_the_size_of_the_gradients_does_not_matter(kind, scale):
    a, b = parameter(noise(5)), parameter(noise(5))
    one, other = KINDS[kind]([a], eps=1e-15), KINDS[kind]([b], eps=1e-15)
    for step in range(10):
        give([a], step)
        b.grad = Tensor(a.grad.data * np.float32(scale))
        one.step()
        other.step()
    close(a.data, b.data)


@every
def test_every_optimizer_finds_the_bottom_of_a_bowl(kind, options):
    w = Parameter(noise(6))
    optimizer = KINDS[kind]([w], lr=0.05, **options)
    scheduler = CosineAnnealingLR(optimizer, 400)
    for _ in range(400):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
        scheduler.step()
    assert np.abs(w.data).max() < 1e-2


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_a_lone_tensor_is_clipped_as_in_pytorch(shape):
    torch = pytest.importorskip("torch")
    for ours, theirs in [
        (lambda p: clip_grad_norm_(p, 0.1), lambda p: torch.nn.utils.clip_grad_norm_(p, 0.1)),
        (lambda p: clip_grad_value_(p, 0.1), lambda p: torch.nn.utils.clip_grad_value_(p, 0.1)),
    ]:
        p = parameter(noise(*shape))
        give([p])
        t = torch.tensor(p.data.copy(), requires_grad=True)
        t.grad = torch.tensor(p.grad.data.copy())
        ours(p), theirs(t)
        close(p.grad.data, t.grad.numpy())


def test_values_are_clipped_in_place_and_missing_gradients_are_left_out():
    ps = [parameter(noise(2, 3)), parameter(noise(4)), parameter(noise(2))]
    give(ps[:2])
    before = [p.grad.data for p in ps[:2]]
    wanted = [np.clip(g, -0.2, 0.2) for g in before]
    clip_grad_value_(iter(ps), 0.2)
    for p, g, want in zip(ps[:2], before, wanted, strict=True):
        assert p.grad.data is g
        np.testing.assert_array_equal(g, want)
    assert ps[2].grad is None
