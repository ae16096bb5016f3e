"""The cases of `tito benchmark`: ops, layers and training steps, written once for both frameworks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from types import ModuleType

OURS, THEIRS = "tinytorch", "torch"


@dataclass(frozen=True)
class Case:
    """Something to time. `make` takes a framework and returns a function to call; `module` is the last one that it needs."""

    module: int
    name: str
    make: Callable[[ModuleType], Callable[[], object]]
    learns: bool = False  # PyTorch records what is computed, for backward


def _is_ours(framework: ModuleType) -> bool:
    return framework.__name__ == OURS


def _data(framework: ModuleType) -> ModuleType:
    return framework.data if _is_ours(framework) else framework.utils.data


def _normal(*shape: int):
    import numpy as np

    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def _labels(n: int, classes: int = 10):
    import numpy as np

    return np.random.default_rng(1).integers(0, classes, n)


def _add(framework):
    x = framework.from_numpy(_normal(16, 16))
    return lambda: x + x


def _matmul(framework):
    x = framework.from_numpy(_normal(512, 512))
    return lambda: x @ x


def _softmax(framework):
    x, softmax = framework.from_numpy(_normal(128, 1000)), framework.nn.functional.softmax
    return lambda: softmax(x, 1)


def _linear(framework):
    return partial(framework.nn.Linear(512, 512), framework.from_numpy(_normal(128, 512)))


def _conv2d(framework):
    return partial(framework.nn.Conv2d(32, 64, 3, padding=1), framework.from_numpy(_normal(128, 32, 16, 16)))


def _max_pool2d(framework):
    return partial(framework.nn.MaxPool2d(2), framework.from_numpy(_normal(128, 32, 32, 32)))


def _self_attention(framework):
    """Return x -> attention with 4 heads of width 32 from x to x, and its layer."""
    if _is_ours(framework):
        layer = framework.nn.MultiHeadAttention(128, 4)
        return layer, layer
    layer = framework.nn.MultiheadAttention(128, 4, batch_first=True)
    return lambda x: layer(x, x, x, need_weights=False)[0], layer


def _attention(framework):
    attend, _ = _self_attention(framework)
    return partial(attend, framework.from_numpy(_normal(16, 128, 128)))


def _mlp_of(framework, sizes: tuple[int, ...]):
    """Return a network with a ReLU after each layer except the last."""
    nn = framework.nn
    if _is_ours(framework):
        return nn.MLP(sizes, nn.functional.relu)
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def _mlp(framework):
    return partial(_mlp_of(framework, (3072, 512, 256, 10)), framework.from_numpy(_normal(128, 3072)))


def _loader(framework):
    import numpy as np

    data = _data(framework)
    images, labels = framework.from_numpy(_normal(10_000, 3, 8, 8)), framework.from_numpy(np.arange(10_000))
    batches = data.DataLoader(data.TensorDataset(images, labels), batch_size=128, shuffle=True)
    return lambda: sum(1 for _ in batches)


def _step(kind: str, framework, **options):
    """Return an optimizer's step on the parameters of a network for CIFAR-10."""
    parameters = list(_mlp_of(framework, (3072, 512, 256, 10)).parameters())
    for p in parameters:
        p.grad = framework.from_numpy(1e-3 * _normal(*p.shape))
    return getattr(framework.optim, kind)(parameters, **options).step


# -- forward, backward, update ------------------------------------------------------------------------------------------


def _learn(model, optimizer, loss) -> object:
    """Do one training step, and return the loss."""
    optimizer.zero_grad()
    value = loss(model)
    value.backward()
    optimizer.step()
    return value


def _train_mlp(framework):
    x, t = framework.from_numpy(_normal(128, 3072)), framework.from_numpy(_labels(128))
    model, cross_entropy = _mlp_of(framework, (3072, 512, 256, 10)), framework.nn.functional.cross_entropy
    return partial(_learn, model, framework.optim.Adam(model.parameters()), lambda net: cross_entropy(net(x), t))


def _train_cnn(framework):
    nn, cross_entropy = framework.nn, framework.nn.functional.cross_entropy
    x, t = framework.from_numpy(_normal(128, 3, 32, 32)), framework.from_numpy(_labels(128))
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4096, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip
    optimizer = framework.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return partial(_learn, model, optimizer, lambda net: cross_entropy(net(x), t))


def _train_moons(framework):
    x, t = framework.from_numpy(_normal(100, 2)), framework.from_numpy(_labels(100, 2).astype("float32")[:, None])
    model, cross_entropy = _mlp_of(framework, (2, 16, 16, 1)), framework.nn.functional.binary_cross_entropy_with_logits
    return partial(_learn, model, framework.optim.SGD(model.parameters(), lr=0.1), lambda net: cross_entropy(net(x), t))


def _attention_backward(framework):
    attend, layer = _self_attention(framework)
    x, grad = framework.from_numpy(_normal(16, 128, 128)), framework.from_numpy(_normal(16, 128, 128))
    x.requires_grad = True
    leaves = [x, *layer.parameters()]

    def step():
        for leaf in leaves:
            leaf.grad = None
        attend(x).backward(grad)
        return x.grad

    return step


def _hundred_ops(framework):
    a = -0.01 * abs(_normal(16, 16))  # y² + y of these stays small
    x, grad = framework.from_numpy(a), framework.from_numpy(a.copy())
    x.requires_grad = True

    def step():
        """Compute 50 products and 50 sums, forward and backward."""
        x.grad, y = None, x
        for _ in range(50):
            y = y * y + y
        y.backward(grad)
        return x.grad

    return step


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
    Case(9, "100 elementwise ops on 16x16, forward and backward", _hundred_ops, learns=True),
    Case(9, "MultiHeadAttention, 16x128x128, 4 heads, forward and backward", _attention_backward, learns=True),
    Case(10, "SGD with momentum, a step of MLP 3072-512-256-10", partial(_step, "SGD", lr=1e-3, momentum=0.9)),
    Case(10, "Adam, a step of MLP 3072-512-256-10", partial(_step, "Adam", lr=1e-3)),
    Case(11, "MLP 2-16-16-1, 100 points, a step of SGD", _train_moons, learns=True),
    Case(11, "MLP 3072-512-256-10, batch 128, a step of Adam", _train_mlp, learns=True),
    Case(11, "CNN conv 32, pool, conv 64, pool, 4096-128-10, batch 128, a step of SGD with momentum", _train_cnn, learns=True),
)
