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
#     title: Optimizers
#     part: Training
#     hours: 4
#     goals:
#     - say what a ravine, noise and unequal scales do to plain descent, and which remedy answers which
#     - write momentum, Nesterov, RMSprop, Adam and AdamW as updates in place that allocate nothing
#     - let a schedule set the learning rate, and tell why large networks begin with a warmup
#     - catch a step that would explode
#     - count the memory that an optimizer keeps for each parameter, and time its step
# ---

# %% [markdown]
# # Optimizers
#
# > From gradients to better weights: steps that remember, that scale themselves, and that follow a schedule.

# %% nbgrader={"grade": false, "grade_id": "prefix", "locked": true, "schema_version": 3, "solution": false, "task": false}
# From here on `import tinytorch` means the package in your own workspace: the modules before this one, as you built them.
from tito.workspace import use_prefix

use_prefix(10)

# %%
#| default_exp core.optimizers

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
import math
from collections.abc import Iterable
from numbers import Real

import numpy as np

from tinytorch.core.autograd import zero_grad
from tinytorch.core.tensor import Op, Tensor

# %% nbgrader={"grade": false, "grade_id": "descend", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def descend(p: np.ndarray, direction: np.ndarray, lr: float, scratch: np.ndarray) -> None:
    """p ← p - lr direction, in place; scratch, of p's shape, may be overwritten, and may be the direction itself."""
    ### BEGIN SOLUTION
    np.multiply(direction, lr, out=scratch)
    p -= scratch
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "accumulate", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def accumulate(v: np.ndarray, g: np.ndarray, momentum: float) -> None:
    """v ← momentum v + g, in place."""
    ### BEGIN SOLUTION
    v *= momentum
    v += g
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "look_ahead", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def look_ahead(g: np.ndarray, v: np.ndarray, momentum: float, out: np.ndarray) -> np.ndarray:
    """g + momentum v, written into `out`, which is returned; g and v stay as they are."""
    ### BEGIN SOLUTION
    np.multiply(v, momentum, out=out)
    out += g
    return out
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "decayed", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def decayed(g: np.ndarray, p: np.ndarray, weight_decay: float, out: np.ndarray) -> np.ndarray:
    """g + weight_decay p, written into `out`, which is returned; without decay g itself, and nothing is computed."""
    ### BEGIN SOLUTION
    if weight_decay == 0:
        return g
    np.multiply(p, weight_decay, out=out)
    out += g
    return out
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "optimizer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Optimizer:
    """Steps along gradients. Each kind writes `update`, which changes one piece of one parameter in place, with its options."""
    PIECE = 2**15  # numbers: a piece of p, g, state and scratch together fits into the cache of a core
    slots = ()  # the arrays kept for each parameter, by PyTorch's names

    def __init__(self, params: Iterable, **defaults):
        self.defaults, self.param_groups, self.state, self._scratch = defaults, [], {}, {}
        groups = list(params)
        if not groups:
            raise ValueError("no parameters: an optimizer needs at least one")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def update(self, p, g, state: tuple, scratch: np.ndarray, t: int, **options) -> None:
        """Step t (1 is the first) of a piece p with gradient g: (n,), (n,), a tuple of (n,), (2, n)."""
        raise NotImplementedError(f"{type(self).__name__}.update is not written yet")

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        zero_grad(p for group in self.param_groups for p in group["params"])

    def step(self) -> None:
        """One update of each parameter that has a gradient; the others stay as they are."""
        Op.writes += 1
        for group in self.param_groups:
            options = {name: group[name] for name in self.defaults}
            for p in group["params"]:
                if p.grad is not None:
                    self._update_pieces(p, options)
                    p.written = Op.writes

# %% nbgrader={"grade": false, "grade_id": "pieces", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def _in_optimizer(body: type) -> None:
    """Decorator: the methods of the class below are Optimizer's, which so grows from section to section."""
    for name, value in vars(body).items():
        if callable(value):
            setattr(Optimizer, name, value)

@_in_optimizer
class _Pieces:
    def kept(self, **options) -> tuple:
        """Which of the slots these options need."""
        return self.slots

    def _update_pieces(self, p: Tensor, options: dict) -> None:
        """`update` on one piece after the other, in the order in which the parameter's numbers lie in memory."""
        if p.grad.shape != p.shape:
            raise ValueError(f"a parameter of shape {p.shape} has a gradient of shape {p.grad.shape}")
        state = self.state.setdefault(p, {"step": 0})
        state["step"] += 1
        for name in self.kept(**options):
            if name not in state:
                state[name] = np.zeros_like(p.data)  # laid out as p is
        order = sorted(range(p.ndim), key=lambda axis: -abs(p.data.strides[axis]))
        turned = [a.transpose(order) for a in (p.data, p.grad.data, *(state[name] for name in self.kept(**options)))]
        lines = [a.reshape(-1) for a in turned]  # views, as a rule
        if p.dtype not in self._scratch:
            self._scratch[p.dtype] = np.empty((2, self.PIECE), p.dtype)
        for first in range(0, p.size, self.PIECE):
            mine, g, *others = (line[first : first + self.PIECE] for line in lines)
            self.update(mine, g, tuple(others), self._scratch[p.dtype][:, : mine.size], state["step"], **options)
        for a, line in zip(turned, lines, strict=True):
            if not np.may_share_memory(a, line):  # a copy, since a's memory is no line: bring it back
                a[...] = line.reshape(a.shape)

# %% nbgrader={"grade": false, "grade_id": "groups", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_optimizer
class _Groups:
    def add_param_group(self, group: dict) -> None:
        """Add {"params": tensors, option: value, ...}; for options that it does not name, the optimizer's own count."""
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        taken = {p for other in self.param_groups for p in other["params"]}
        unknown = [name for name in group if name not in ("params", *self.defaults)]
        if unknown:
            raise ValueError(f"{type(self).__name__} has no option {', '.join(unknown)}: it has {', '.join(self.defaults)}")
        if not params:
            raise ValueError("no parameters: a group needs at least one")
        for number, p in enumerate(params):
            if not isinstance(p, Tensor):
                raise TypeError(f"parameter {number} is a {type(p).__name__}: an optimizer needs tensors")
            if not p.requires_grad or p.origin is not None:
                raise ValueError(f"parameter {number}, shape {p.shape}, is no leaf that requires a gradient: backward will fill in none")
            if p in taken:
                raise ValueError(f"parameter {number}, shape {p.shape}, is in two groups, or twice in one")
            taken.add(p)
        options = {name: group.get(name, default) for name, default in self.defaults.items()}
        self.check(**options)
        self.param_groups.append({"params": params, **options})

    def check(self, **options) -> None:
        """A ValueError for an option that makes no sense."""
        for name, value in options.items():
            for number in value if isinstance(value, (tuple, list)) else (value,):
                below = 1 if name in ("betas", "alpha") else math.inf
                if not isinstance(number, Real) or not 0 <= number < below:
                    raise ValueError(f"{name} must be at least 0{' and below 1' * (below == 1)}, not {value}")

# %% nbgrader={"grade": false, "grade_id": "optimizer_state", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@_in_optimizer
class _State:
    def state_dict(self) -> dict:
        """Kind, options and state, as plain numbers, strings, lists, dicts and copies of arrays; parameters by their number."""
        params = [p for group in self.param_groups for p in group["params"]]
        number = {p: i for i, p in enumerate(params)}
        groups = [{name: list(value) if isinstance(value, tuple) else value for name, value in group.items()} for group in self.param_groups]
        for group in groups:
            group["params"] = [number[p] for p in group["params"]]
        kept = [{name: value.copy() if name in self.slots else value for name, value in self.state.get(p, {}).items()} for p in params]
        return {"optimizer": type(self).__name__, "param_groups": groups, "state": kept}

    def load_state_dict(self, state: dict) -> None:
        """Options and state as they were, so that the next step is the same to the bit; else a ValueError, and nothing is loaded."""
        self._refuse(state)
        for group, other in zip(self.param_groups, state["param_groups"], strict=True):
            group.update({name: tuple(value) if isinstance(value, list) else value for name, value in other.items() if name != "params"})
        self.state.clear()
        for p, kept in zip((p for group in self.param_groups for p in group["params"]), state["state"], strict=True):
            mine = {name: np.empty_like(p.data) for name in kept if name in self.slots}  # laid out as p is
            for name, array in mine.items():
                array[...] = kept[name]
            if kept:
                self.state[p] = {"step": int(kept["step"]), **mine}

    def _refuse(self, state: dict) -> None:
        """A ValueError that names both sides of what does not fit."""
        keys = {"optimizer", "param_groups", "state"}
        if not isinstance(state, dict) or set(state) != keys:
            has = sorted(map(str, state)) if isinstance(state, dict) else type(state).__name__
            raise ValueError(f"the state of an optimizer has {sorted(keys)}, not {has}")
        if state["optimizer"] != type(self).__name__:
            raise ValueError(f"this is a state of {state['optimizer']}, and the optimizer is {type(self).__name__}")
        mine, its = ([len(group["params"]) for group in groups] for groups in (self.param_groups, state["param_groups"]))
        if mine != its or len(state["state"]) != sum(mine):
            raise ValueError(f"the state is of {its} parameters in its groups, the optimizer has {mine}")
        for group in state["param_groups"]:
            options = {name: value for name, value in group.items() if name not in ("params", "initial_lr")}
            if set(options) != set(self.defaults):
                raise ValueError(f"the state has the options {sorted(options)}, {type(self).__name__} {sorted(self.defaults)}")
            self.check(**options)
        for i, (p, kept) in enumerate(zip((p for group in self.param_groups for p in group["params"]), state["state"], strict=True)):
            names = set(kept) - {"step"}
            if kept and ("step" not in kept or names not in (set(), set(self.slots))):
                raise ValueError(f"for parameter {i} the state has {sorted(kept)}, {type(self).__name__} keeps {sorted(('step', *self.slots))}")
            for name in names:
                if np.shape(kept[name]) != p.shape:
                    raise ValueError(f"{name} of parameter {i} has shape {np.shape(kept[name])} in the state, the parameter {p.shape}")

# %% nbgrader={"grade": false, "grade_id": "sgd", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class SGD(Optimizer):
    """p ← p - lr v with v ← momentum v + g; without momentum p - lr g; nesterov: g + momentum v in place of v."""
    slots = ("momentum_buffer",)

    def __init__(self, params, lr: float = 1e-3, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0):
        super().__init__(params, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)

    def check(self, nesterov, momentum, **options) -> None:
        super().check(momentum=momentum, **options)
        if nesterov and momentum == 0:
            raise ValueError("nesterov looks ahead along the momentum, which is 0")

    def kept(self, momentum, **options) -> tuple: return self.slots if momentum else ()

    def update(self, p, g, state, scratch, t, lr, momentum, nesterov, weight_decay) -> None:
        g = direction = decayed(g, p, weight_decay, out=scratch[0])
        if momentum:
            (direction,) = state
            accumulate(direction, g, momentum)
            if nesterov:
                direction = look_ahead(g, direction, momentum, out=scratch[1])
        descend(p, direction, lr, scratch[1])

# %% nbgrader={"grade": false, "grade_id": "blend", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def blend(m: np.ndarray, x: np.ndarray, beta: float, scratch: np.ndarray) -> None:
    """m ← beta m + (1 - beta) x, in place; scratch may be overwritten, and may be x itself."""
    ### BEGIN SOLUTION
    np.subtract(x, m, out=scratch)
    scratch *= 1 - beta
    m += scratch
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "scheduler", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Scheduler:
    """Sets the learning rate of each group to `at(t, base)`: t counts the calls of step, base is the rate at the beginning."""

    def __init__(self, optimizer: Optimizer):
        self.optimizer, self.last_epoch = optimizer, 0  # PyTorch's name; it counts whatever you call step for
        self.base_lrs = [group.setdefault("initial_lr", group["lr"]) for group in optimizer.param_groups]
        self._set()

    def at(self, t: int, base: float) -> float:
        """The learning rate after t steps."""
        raise NotImplementedError(f"{type(self).__name__}.at is not written yet")

    def _set(self) -> None:
        rates = [self.at(self.last_epoch, base) for base in self.base_lrs]
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = lr

    def step(self) -> None:
        """Count, and set the learning rates."""
        self.last_epoch += 1
        self._set()

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group, as it is now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict:
        """Kind, position and rates at the beginning; the settings are the constructor's."""
        return {"scheduler": type(self).__name__, "last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: dict) -> None:
        """Go on where the state was; a ValueError if it is of another kind, or of another number of groups."""
        mine = self.state_dict()
        for name, side in [("scheduler", str), ("base_lrs", len)]:
            if set(state) != set(mine) or side(state[name]) != side(mine[name]):
                raise ValueError(f"a state {state} does not fit {mine}")
        self.last_epoch, self.base_lrs = state["last_epoch"], list(state["base_lrs"])
        self._set()

# %% nbgrader={"grade": false, "grade_id": "step_lr", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class StepLR(Scheduler):
    """Every `step_size` steps the learning rate is multiplied by gamma."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def at(self, t: int, base: float) -> float:
        """base · gamma^(how many times step_size has passed)."""
        ### BEGIN SOLUTION
        return base * self.gamma ** (t // self.step_size)
        ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "rmsprop", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class RMSprop(Optimizer):
    """p ← p - lr g / (sqrt(s) + eps), where s ← alpha s + (1 - alpha) g² (Hinton 2012)."""
    slots = ("square_avg",)

    def __init__(self, params, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0.0):
        super().__init__(params, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay)

    def update(self, p, g, state, scratch, t, lr, alpha, eps, weight_decay) -> None:
        g, (s,), (_, work) = decayed(g, p, weight_decay, out=scratch[0]), state, scratch
        ### BEGIN SOLUTION
        np.multiply(g, g, out=work)
        blend(s, work, alpha, work)
        np.sqrt(s, out=work)
        work += eps
        np.divide(g, work, out=work)
        descend(p, work, lr, work)
        ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "adam", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Adam(Optimizer):
    """p ← p - lr m̂ / (sqrt(v̂) + eps): running means of g and of g², each divided by 1 - beta^t (Kingma & Ba 2015)."""
    slots = ("exp_avg", "exp_avg_sq")

    def __init__(self, params, lr: float = 1e-3, betas: tuple = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(self, p, g, state, scratch, t, lr, betas, eps, weight_decay) -> None:
        g, (m, v), (beta1, beta2) = decayed(g, p, weight_decay, out=scratch[0]), state, betas
        work = scratch[1]
        ### BEGIN SOLUTION
        blend(m, g, beta1, work)
        np.multiply(g, g, out=work)
        blend(v, work, beta2, work)
        np.sqrt(v, out=work)
        work /= math.sqrt(1 - beta2**t)
        work += eps
        np.divide(m, work, out=work)
        descend(p, work, lr / (1 - beta1**t), work)
        ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "adamw", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class AdamW(Adam):
    """First p ← (1 - lr weight_decay) p, then Adam's step without decay (Loshchilov & Hutter 2019)."""

    def __init__(self, params, lr: float = 1e-3, betas: tuple = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 1e-2):
        super().__init__(params, lr, betas, eps, weight_decay)

    def update(self, p, g, state, scratch, t, lr, betas, eps, weight_decay) -> None:
        ### BEGIN SOLUTION
        p *= 1 - lr * weight_decay
        super().update(p, g, state, scratch, t, lr, betas, eps, weight_decay=0.0)
        ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "cosine", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def cosine(start: float, end: float, share: float) -> float:
    """From start (share 0) to end (share 1) along half a wave: flat, steep, flat."""
    ### BEGIN SOLUTION
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "cosine_lr", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class CosineAnnealingLR(Scheduler):
    """From the first rate to eta_min in T_max steps, along half a wave; after that, up again (Loshchilov & Hutter 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0):
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def at(self, t: int, base: float) -> float: return cosine(base, self.eta_min, t / self.T_max)

# %% nbgrader={"grade": false, "grade_id": "warmup", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class LinearWarmup(Scheduler):
    """From start_factor times the rate up to the rate in total_iters steps, in a straight line; then as `after`, if given, does."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, start_factor: float = 1 / 3, after: Scheduler | None = None):
        self.total_iters, self.start_factor, self.after = total_iters, start_factor, after
        super().__init__(optimizer)

    def at(self, t: int, base: float) -> float:
        if t < self.total_iters:
            return base * (self.start_factor + (1 - self.start_factor) * t / self.total_iters)
        return base if self.after is None else self.after.at(t - self.total_iters, base)

class OneCycleLR(Scheduler):
    """Up from max_lr / div_factor to max_lr, then down to nearly 0, in total_steps in all (Smith & Topin 2018). Momentum stays."""

    def __init__(self, optimizer: Optimizer, max_lr: float, total_steps: int, pct_start: float = 0.3,
                 div_factor: float = 25.0, final_div_factor: float = 1e4):
        self.max_lr, self.total_steps, self.low = max_lr, total_steps, max_lr / div_factor
        self.top, self.lowest = pct_start * total_steps - 1, self.low / final_div_factor
        super().__init__(optimizer)

    def at(self, t: int, base: float) -> float:
        if t > self.total_steps:
            raise ValueError(f"this cycle has {self.total_steps} steps, and step {t} is one too many")
        if t <= self.top:
            return cosine(self.low, self.max_lr, t / self.top if self.top else 1)
        return cosine(self.max_lr, self.lowest, (t - self.top) / (self.total_steps - 1 - self.top))

# %% nbgrader={"grade": false, "grade_id": "clip", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float, error_if_nonfinite: bool = False) -> float:
    """Shorten all gradients together, in place, so that their norm is at most max_norm; the norm before is returned."""
    grads = [p.grad.data for p in parameters if p.grad is not None]
    ### BEGIN SOLUTION
    lines = [g.ravel("K") for g in grads]
    total = math.sqrt(sum(float(line @ line) for line in lines))
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm of the gradients is {total}")
    if not total <= max_norm:
        for g in grads:
            g *= max_norm / (total + 1e-6)
    return total
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "tmp", "locked": true, "points": 80, "schema_version": 3, "solution": false, "task": false}
assert True

# %% [markdown] nbgrader={"grade": true, "grade_id": "memory_reflect", "locked": false, "points": 20, "schema_version": 3, "solution": true, "task": false}
# x
