"""The cases of `tito benchmark`: ops, layers and training steps, in our package and in PyTorch if it is installed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

Rivals = dict[str, Callable[[], object]]
OURS, THEIRS = "tinytorch", "pytorch"


@dataclass(frozen=True)
class Case:
    """Something to time. `make` returns a callable for each rival that is installed; `module` is the last one it needs."""

    module: int
    name: str
    make: Callable[[], Rivals]



def _torch():
    """Return PyTorch, or None if it is not installed. Then the table shows our own times only, and says so."""
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


def _labels(n: int, classes: int = 10):
    import numpy as np

    return np.random.default_rng(1).integers(0, classes, n)


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


def _torch_mlp(torch, sizes: tuple[int, ...]):
    """Return PyTorch's network with the same layers as MLP(sizes, relu)."""
    nn = torch.nn
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def _mlp() -> Rivals:
    from tinytorch.core.activations import relu
    from tinytorch.core.dense import MLP
    from tinytorch.core.tensor import Tensor

    sizes, a = (3072, 512, 256, 10), _normal(128, 3072)
    x, model = Tensor(a), MLP(sizes, relu)

    def theirs(torch):
        y = torch.from_numpy(a)
        rival = _torch_mlp(torch, (3072, 512, 256, 10))
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
    """Time an optimizer's step, ours and PyTorch's, on the parameters of a network for CIFAR-10."""
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


# -- forward, backward, update ------------------------------------------------------------------------------------------


def _training(ours: Callable[[], object], theirs: Callable[[object], Callable[[], object]]) -> Rivals:
    """Like _against_torch, but PyTorch records gradients too."""

    def recording(torch):
        step = theirs(torch)

        def recorded():
            with torch.enable_grad():
                return step()

        return recorded

    return _against_torch(ours, recording)


def _learn(model, optimizer, loss) -> object:
    """Do one training step with names that both frameworks share, and return the loss."""
    optimizer.zero_grad()
    value = loss(model)
    value.backward()
    optimizer.step()
    return value


def _train_mlp() -> Rivals:
    from tinytorch.core.activations import relu
    from tinytorch.core.dense import MLP
    from tinytorch.core.optimizers import Adam
    from tinytorch.core.tensor import Tensor
    from tinytorch.core.training import cross_entropy

    images, labels, model = _normal(128, 3072), _labels(128), MLP((3072, 512, 256, 10), relu)
    x, optimizer = Tensor(images), Adam(model.parameters())

    def theirs(torch):
        y, t = torch.from_numpy(images), torch.from_numpy(labels)
        rival = _torch_mlp(torch, (3072, 512, 256, 10))
        update = torch.optim.Adam(rival.parameters())
        return partial(_learn, rival, update, lambda net: torch.nn.functional.cross_entropy(net(y), t))

    return _training(partial(_learn, model, optimizer, lambda net: cross_entropy(net(x), labels)), theirs)


def _train_cnn() -> Rivals:
    from tinytorch.core.activations import ReLU
    from tinytorch.core.dense import Flatten, Sequential
    from tinytorch.core.layers import Linear
    from tinytorch.core.optimizers import SGD
    from tinytorch.core.spatial import Conv2d, MaxPool2d
    from tinytorch.core.tensor import Tensor
    from tinytorch.core.training import cross_entropy

    def network(nn):
        """Return the same network in either framework. `nn` has the layers."""
        return nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(4096, 128), nn.ReLU(), nn.Linear(128, 10),
        )  # fmt: skip

    layers = SimpleNamespace(Sequential=Sequential, Conv2d=Conv2d, ReLU=ReLU, MaxPool2d=MaxPool2d, Flatten=Flatten, Linear=Linear)
    images, labels, model = _normal(128, 3, 32, 32), _labels(128), network(layers)
    x, optimizer = Tensor(images), SGD(model.parameters(), lr=0.01, momentum=0.9)

    def theirs(torch):
        y, t, rival = torch.from_numpy(images), torch.from_numpy(labels), network(torch.nn)
        update = torch.optim.SGD(rival.parameters(), lr=0.01, momentum=0.9)
        return partial(_learn, rival, update, lambda net: torch.nn.functional.cross_entropy(net(y), t))

    return _training(partial(_learn, model, optimizer, lambda net: cross_entropy(net(x), labels)), theirs)


def _train_moons() -> Rivals:
    from tinytorch.core.activations import relu
    from tinytorch.core.dense import MLP
    from tinytorch.core.optimizers import SGD
    from tinytorch.core.tensor import Tensor
    from tinytorch.core.training import binary_cross_entropy_with_logits

    points, classes, model = _normal(100, 2), _labels(100, 2).astype("float32")[:, None], MLP((2, 16, 16, 1), relu)
    x, t, optimizer = Tensor(points), Tensor(classes), SGD(model.parameters(), lr=0.1)

    def theirs(torch):
        y, u, functional = torch.from_numpy(points), torch.from_numpy(classes), torch.nn.functional
        rival = _torch_mlp(torch, (2, 16, 16, 1))
        update = torch.optim.SGD(rival.parameters(), lr=0.1)
        return partial(_learn, rival, update, lambda net: functional.binary_cross_entropy_with_logits(net(y), u))

    return _training(partial(_learn, model, optimizer, lambda net: binary_cross_entropy_with_logits(net(x), t)), theirs)


def _attention_backward() -> Rivals:
    from tinytorch.core.attention import MultiHeadAttention
    from tinytorch.core.tensor import Tensor

    a, layer = _normal(16, 128, 128), MultiHeadAttention(128, 4)
    x = Tensor(a, requires_grad=True)

    def ours():
        for leaf in (x, *layer.parameters()):
            leaf.grad = None
        layer(x).backward(a)
        return x.grad

    def theirs(torch):
        grad, rival = torch.from_numpy(a), torch.nn.MultiheadAttention(128, 4, batch_first=True)
        y = torch.from_numpy(a.copy()).requires_grad_()

        def step():
            rival.zero_grad()
            y.grad = None
            rival(y, y, y, need_weights=False)[0].backward(grad)
            return y.grad

        return step

    return _training(ours, theirs)


def _hundred_ops() -> Rivals:
    from tinytorch.core.tensor import Tensor

    a = -0.01 * abs(_normal(16, 16))  # y² + y of these stays small
    x = Tensor(a, requires_grad=True)

    def step(t, grad):
        """Compute 50 products and 50 sums, forward and backward."""
        t.grad, y = None, t
        for _ in range(50):
            y = y * y + y
        y.backward(grad)
        return t.grad

    def theirs(torch):
        return partial(step, torch.from_numpy(a.copy()).requires_grad_(), torch.from_numpy(a))

    return _training(partial(step, x, a), theirs)


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
    Case(9, "100 elementwise ops on 16x16, forward and backward", _hundred_ops),
    Case(9, "MultiHeadAttention, 16x128x128, 4 heads, forward and backward", _attention_backward),
    Case(10, "SGD with momentum, a step of MLP 3072-512-256-10", partial(_step, "SGD", lr=1e-3, momentum=0.9)),
    Case(10, "Adam, a step of MLP 3072-512-256-10", partial(_step, "Adam", lr=1e-3)),
    Case(11, "MLP 2-16-16-1, 100 points, a step of SGD", _train_moons),
    Case(11, "MLP 3072-512-256-10, batch 128, a step of Adam", _train_mlp),
    Case(11, "CNN conv 32, pool, conv 64, pool, 4096-128-10, batch 128, a step of SGD with momentum", _train_cnn),
)
