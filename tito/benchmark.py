"""How fast the package here is: in a workspace the learner's own, in the repository the reference.

Beside it PyTorch's CPU build, where that is installed. The rivals run in turns, so that a noisy machine disturbs both,
and what is reported is the median of each and the ratio of each turn, with its middle half.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tito.errors import TitoError
from tito.syllabus import MODULES, Module

Rivals = dict[str, Callable[[], object]]
OURS, THEIRS = "tinytorch", "pytorch"


@dataclass(frozen=True)
class Case:
    """Something to time: `make` gives a callable for each rival that is here; `module` is the last one it needs."""

    module: int
    name: str
    make: Callable[[], Rivals]


@dataclass
class Result:
    """Seconds a call, and ours over PyTorch's: the median of all turns and their quartiles; None where it is missing."""

    module: str
    name: str
    seconds: float
    rival: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None


def run(root: Path, modules: list[Module], rounds: int) -> list[Result]:
    """Time every case of the given modules in a Python of its own, so that it imports the package of `root`."""
    command = [sys.executable, "-m", "tito.benchmark", str(rounds), *[str(module.number) for module in modules]]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise TitoError(f"the benchmark ended with an error: {said[-1]}", code=1)
    results = [Result(**fields) for fields in json.loads(done.stdout)]
    if not results:
        raise TitoError(f"there is no benchmark for {', '.join(map(str, modules))}: there are some for {_with_cases()}")
    return results


def _with_cases() -> str:
    return ", ".join(sorted({MODULES[case.module].id for case in CASES}))


def time_case(case: Case, rounds: int) -> Result:
    rivals = case.make()
    calls = {name: _calls(f) for name, f in rivals.items()}
    turns: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(rounds):
        for name in sorted(rivals, reverse=bool(turn % 2)):
            turns[name].append(_time(rivals[name], calls[name]))
    medians = {name: statistics.median(times) for name, times in turns.items()}
    result = Result(MODULES[case.module].slug, case.name, medians[OURS])
    if THEIRS in rivals:
        ratios = [a / b for a, b in zip(turns[OURS], turns[THEIRS], strict=True)]
        result.rival = medians[THEIRS]
        result.low, result.ratio, result.high = statistics.quantiles(ratios, n=4)
    return result


def _calls(f: Callable[[], object], enough: float = 0.02) -> int:
    """How many calls make a turn: after a warm-up, as many as take `enough` seconds."""
    f()
    f()
    return max(1, round(enough / max(_time(f, 1), 1e-7)))


def _time(f: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        f()
    return (time.perf_counter() - start) / calls


# -- the cases --------------------------------------------------------------------------------------------------------


def _torch():
    """PyTorch, or None where it is not installed: then our own times stand alone, and the table says so."""
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_grad_enabled(False)
    return torch


def _against_torch(ours: Callable[[], object], theirs: Callable[[object], Callable[[], object]]) -> Rivals:
    torch = _torch()
    return {OURS: ours, **({THEIRS: theirs(torch)} if torch else {})}


def _normal(*shape: int):
    import numpy as np

    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def _add() -> Rivals:
    from tinytorch.core.tensor import Tensor

    a = _normal(16, 16)
    x = Tensor(a)

    def theirs(torch):
        y = torch.from_numpy(a)
        return lambda: y + y

    return _against_torch(lambda: x + x, theirs)


def _matmul() -> Rivals:
    from tinytorch.core.tensor import Tensor

    a = _normal(512, 512)
    x = Tensor(a)

    def theirs(torch):
        y = torch.from_numpy(a)
        return lambda: y @ y

    return _against_torch(lambda: x @ x, theirs)


def _softmax() -> Rivals:
    from tinytorch.core.activations import softmax
    from tinytorch.core.tensor import Tensor

    a = _normal(128, 1000)
    x = Tensor(a)

    def theirs(torch):
        y = torch.from_numpy(a)
        return lambda: torch.softmax(y, 1)

    return _against_torch(lambda: softmax(x, 1), theirs)


def _linear() -> Rivals:
    from tinytorch.core.layers import Linear
    from tinytorch.core.tensor import Tensor

    a, layer = _normal(128, 512), Linear(512, 512)
    x = Tensor(a)

    def theirs(torch):
        y, rival = torch.from_numpy(a), torch.nn.Linear(512, 512)
        return lambda: rival(y)

    return _against_torch(lambda: layer(x), theirs)


def _conv2d() -> Rivals:
    from tinytorch.core.spatial import Conv2d
    from tinytorch.core.tensor import Tensor

    a, layer = _normal(128, 32, 16, 16), Conv2d(32, 64, 3, padding=1)
    x = Tensor(a)

    def theirs(torch):
        y, rival = torch.from_numpy(a), torch.nn.Conv2d(32, 64, 3, padding=1)
        return lambda: rival(y)

    return _against_torch(lambda: layer(x), theirs)


def _max_pool2d() -> Rivals:
    from tinytorch.core.spatial import MaxPool2d
    from tinytorch.core.tensor import Tensor

    a, layer = _normal(128, 32, 32, 32), MaxPool2d(2)
    x = Tensor(a)

    def theirs(torch):
        y = torch.from_numpy(a)
        return lambda: torch.nn.functional.max_pool2d(y, 2)

    return _against_torch(lambda: layer(x), theirs)


def _attention() -> Rivals:
    from tinytorch.core.attention import MultiHeadAttention
    from tinytorch.core.tensor import Tensor

    a, layer = _normal(16, 128, 128), MultiHeadAttention(128, 4)
    x = Tensor(a)

    def theirs(torch):
        y, rival = torch.from_numpy(a), torch.nn.MultiheadAttention(128, 4, batch_first=True)
        return lambda: rival(y, y, y, need_weights=False)

    return _against_torch(lambda: layer(x), theirs)


def _mlp() -> Rivals:
    from tinytorch.core.activations import relu
    from tinytorch.core.dense import MLP
    from tinytorch.core.tensor import Tensor

    sizes, a = (3072, 512, 256, 10), _normal(128, 3072)
    x, model = Tensor(a), MLP(sizes, relu)

    def theirs(torch):
        y, nn = torch.from_numpy(a), torch.nn
        rival = nn.Sequential(nn.Linear(3072, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
        return lambda: rival(y)

    return _against_torch(lambda: model(x), theirs)


def _loader() -> Rivals:
    import numpy as np

    from tinytorch.core.dataloader import DataLoader, TensorDataset
    from tinytorch.core.tensor import Tensor

    a, labels = _normal(10_000, 3, 8, 8), np.arange(10_000)
    ours = DataLoader(TensorDataset(Tensor(a), Tensor(labels)), batch_size=128, shuffle=True, seed=0)

    def theirs(torch):
        data = torch.utils.data.TensorDataset(torch.from_numpy(a), torch.from_numpy(labels))
        rival = torch.utils.data.DataLoader(data, batch_size=128, shuffle=True)
        return lambda: sum(1 for _ in rival)

    return _against_torch(lambda: sum(1 for _ in ours), theirs)


def _step(kind: str, **options) -> Rivals:
    """A step of an optimizer, in ours and in PyTorch, on the parameters of a network for CIFAR-10."""
    from tinytorch.core import optimizers
    from tinytorch.core.dense import MLP
    from tinytorch.core.tensor import Tensor

    params = MLP([3072, 512, 256, 10], None).parameters()
    gradients = [1e-3 * _normal(*p.shape) for p in params]
    for p, gradient in zip(params, gradients, strict=True):
        p.grad = Tensor(gradient)

    def theirs(torch):
        rivals = [torch.nn.Parameter(torch.from_numpy(p.data.copy())) for p in params]
        for rival, gradient in zip(rivals, gradients, strict=True):
            rival.grad = torch.from_numpy(gradient.copy())
        return getattr(torch.optim, kind)(rivals, **options).step

    return _against_torch(getattr(optimizers, kind)(params, **options).step, theirs)


CASES = (
    Case(2, "a + b, 16x16", _add),
    Case(2, "a @ b, 512x512", _matmul),
    Case(3, "softmax, 128x1000", _softmax),
    Case(4, "Linear, 128x512 -> 512", _linear),
    Case(5, "MLP 3072-512-256-10, batch 128", _mlp),
    Case(6, "Conv2d, 128x32x16x16 -> 64, 3x3, padding 1", _conv2d),
    Case(6, "MaxPool2d, 128x32x32x32, 2x2", _max_pool2d),
    Case(7, "MultiHeadAttention, 16x128x128, 4 heads", _attention),
    Case(8, "DataLoader, 10,000 images in shuffled batches of 128", _loader),
    Case(10, "SGD with momentum, a step of MLP 3072-512-256-10", partial(_step, "SGD", lr=1e-3, momentum=0.9)),
    Case(10, "Adam, a step of MLP 3072-512-256-10", partial(_step, "Adam", lr=1e-3)),
)


def _measure(rounds: int, numbers: set[int]) -> Iterator[Result]:
    from tito.workspace import use_prefix

    wanted = [case for case in CASES if not numbers or case.module in numbers]
    for case in wanted:
        use_prefix(case.module + 1)
        yield time_case(case, rounds)


if __name__ == "__main__":
    found = [asdict(result) for result in _measure(int(sys.argv[1]), set(map(int, sys.argv[2:])))]
    json.dump(found, sys.stdout)
