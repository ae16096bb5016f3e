"""Show what a framework can do so far: one capability per module, on real data, in a new Python process, with evidence.

The package is the learner's own in a workspace, and the reference in the repository. Expected values are computed here with
NumPy alone, never by the package under test.
"""

import io
import json
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tito.errors import TitoError
from tito.syllabus import MODULES, Module

HOLDS, FAILS, NOT_YET, UNWRITTEN = "yes", "NO", "not yet", "not written"
SECONDS = 180  # for one check


@dataclass(frozen=True)
class Capability:
    """What a module adds. `show` returns the evidence or raises. It is None if the course has no such module yet."""

    module: Module
    can: str
    show: Callable[[], str] | None


@dataclass
class Finding:
    """Whether the framework can do it: the evidence, or what is wrong, or what must be done first."""

    module: str
    can: str
    state: str
    evidence: str


def choose_capabilities(module: Module | None) -> list[Capability]:
    """Return the capability of one module, or all sixteen."""
    found = [capability for capability in CAPABILITIES if module in (None, capability.module)]
    if not found:
        raise TitoError(f"{module} has no checkpoint. Its tracks have their own judge")
    return found


def try_capability(root: Path, capability: Capability) -> Finding:
    """Check whether the package in `root` has a capability."""
    return Finding(capability.module.slug, capability.can, *_look(root, capability))


def all_hold(findings: list[Finding]) -> bool:
    """If one capability was asked for, does it hold? If all were, did none fail?"""
    return findings[0].state == HOLDS if len(findings) == 1 else all(finding.state != FAILS for finding in findings)


def _look(root: Path, capability: Capability) -> tuple[str, str]:
    module, core = capability.module, root / "tinytorch" / "core"
    if capability.show is None:
        return UNWRITTEN, f"the course has no module {module.id} yet"
    missing = next((one for one in MODULES[: module.number + 1] if not (core / f"{one.name}.py").is_file()), None)
    if missing:
        return NOT_YET, f"complete {missing.id}" + ("" if missing == module else " first")
    command = [sys.executable, "-m", "tito.checkpoint", module.id]
    try:
        return _parse_result(subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=SECONDS, check=False))
    except subprocess.TimeoutExpired:
        return FAILS, f"it did not end within {SECONDS} s. Is there a loop that does not end?"


def _parse_result(done: subprocess.CompletedProcess) -> tuple[str, str]:
    """Read state and evidence from the last line of the check's output. Whatever the package printed before is ignored."""
    try:
        state, evidence = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        return FAILS, f"its Python ended with exit code {done.returncode}: {said[-1]}"
    return str(state), str(evidence)


# -- in the process of one check --------------------------------------------------------------------------------------


def main(number: int) -> None:
    from tito.workspace import use_prefix

    capability = next(capability for capability in CAPABILITIES if capability.module.number == number)
    try:
        use_prefix(number + 1)
        said = HOLDS, capability.show()
    except Exception as error:  # whatever the package raises is the finding
        said = FAILS, reason(error)
    sys.stdout.write("\n" + json.dumps(said) + "\n")


def reason(error: BaseException) -> str:
    """Return the error of a check as one line. For an error inside the package, add where it was raised."""
    text = " ".join(str(error).split())
    inside = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).parent.name == "core"]
    if isinstance(error, AssertionError) and text and not inside:
        return text
    place = f" (tinytorch/core/{Path(inside[-1].filename).name}, line {inside[-1].lineno})" if inside else ""
    return f"{type(error).__name__}: {text}{place}"


def _digits():
    """Return the 1,797 digits as float32 from 0 to 1, (1797, 64), and their labels."""
    import numpy as np

    from tinytorch.datasets import load_digits

    images, labels = load_digits()
    return (images.reshape(len(images), -1) / 16).astype(np.float32), labels


def _difference(found, wanted) -> float:
    """Return the largest difference, relative to the largest expected number. Raise an AssertionError if the shapes differ."""
    import numpy as np

    found, wanted = np.asarray(getattr(found, "data", found)), np.asarray(wanted)
    assert found.shape == wanted.shape, f"a result has shape {found.shape}, not {wanted.shape}"
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def _format_error(difference: float) -> str:
    return f"to {difference:.0e}" if difference else "in every bit"


def _check_close(what: str, found, wanted, within: float) -> float:
    difference = _difference(found, wanted)
    assert difference <= within, f"{what}: off by {difference:.1e} of the largest number, {within:.0e} is allowed"
    return difference


def _show_introduction() -> str:
    from tinytorch.core.introduction import dependencies, longest_chain, package_sources, topological_order

    said = []
    for package in ("tinytorch.core", "email"):
        graph = dependencies(package_sources(package))
        order = topological_order(graph, graph.__getitem__)
        place = {part: at for at, part in enumerate(order)}
        assert set(order) == set(graph), f"the order of {package} leaves out {sorted(set(graph) - set(order))}"
        for part, parents in graph.items():
            for parent in parents:
                assert place[parent] < place[part], f"{part} comes before {parent}, which it imports"
        chain, lines = longest_chain(graph, graph.__getitem__), sum(map(len, graph.values()))
        said.append(f"{package}, {len(order)} parts and {lines} imports, longest chain {len(chain)}")
    return f"every part comes after all that it imports: {'; '.join(said)}"


def _show_setup() -> str:
    import numpy as np

    from tinytorch.core.setup import compare, peak_memory, readable, time_call

    slept = time_call(time.sleep, 0.02, repeat=3)
    assert 0.02 <= slept.min < 0.2, f"a sleep of 20 ms was measured as {readable(slept.min, 's')}"
    held = peak_memory(np.ones, 1_000_000)
    assert 8_000_000 <= held < 8_100_000, f"an array of 8,000,000 bytes was measured as {held:,}"
    naps = compare({"once": lambda: time.sleep(0.01), "twice": lambda: time.sleep(0.02)}, rounds=5, min_time=0.001)
    assert naps.verdict("twice") == "slower", f"a sleep of twice the length counts as {naps.verdict('twice')}"
    a = np.ones((512, 512), np.float32)
    product = time_call(np.matmul, a, a)
    rate = readable(2 * 512**3 / product.min, "FLOP/s")
    return f"a 20 ms sleep takes {readable(slept.min, 's')}, 8 MB are {readable(held, 'B')}, 512 x 512 products run at {rate}"


def _show_tensor() -> str:
    import numpy as np

    from tinytorch.core.tensor import Tensor

    pixels, _ = _digits()
    x = Tensor(pixels)
    y = (x - x.mean(0)) / (x.var(0, correction=0) + 0.01) ** 0.5
    wanted = (pixels - pixels.mean(0)) / np.sqrt(pixels.var(0) + 0.01)
    worst = _check_close("1,797 digits, standardised", y, wanted, 1e-5)
    worst = max(worst, _check_close("their similarities", y @ y.T, wanted @ wanted.T, 1e-5))
    assert y.dtype == np.float32, f"float32 became {y.dtype}"
    assert np.array_equal(x.data, pixels), "an operation changed its input"
    return f"the 1,797 digits standardised and compared with each other as NumPy does, {_format_error(worst)}, in float32"


def _show_activations() -> str:
    import numpy as np

    from tinytorch.core.activations import gelu, log_softmax, relu, sigmoid, softmax, tanh
    from tinytorch.core.tensor import Tensor

    pixels, _ = _digits()
    x = Tensor((pixels - 0.5) * 2000)  # from -1000 to 1000: exp of that overflows float32
    with np.errstate(all="raise", under="ignore"):
        for bend in (relu, sigmoid, tanh, gelu):
            assert np.isfinite(bend(x).data).all(), f"{bend.__name__} returns infinity or nan for numbers up to 1000"
        p, logs = softmax(x, 1), log_softmax(x, 1)
    wanted = np.exp(x.data - x.data.max(1, keepdims=True).astype(np.float64))
    worst = _check_close("softmax", p, wanted / wanted.sum(1, keepdims=True), 1e-5)
    assert np.isfinite(logs.data).all(), "log_softmax returns infinity or nan for numbers up to 1000"
    assert _difference(relu(x), np.maximum(x.data, 0)) == 0, "relu is not max(0, x)"
    right = f"softmax agrees with the formula {_format_error(worst)}"
    return f"numbers from -1000 to 1000 pass four activations and softmax without an overflow; {right}"


def _show_layers() -> str:
    import numpy as np

    from tinytorch.core.layers import Linear
    from tinytorch.core.tensor import Tensor

    pixels, _ = _digits()
    one, other, file, x = Linear(64, 10), Linear(64, 10), io.BytesIO(), Tensor(pixels)
    assert not np.array_equal(one(x).data, other(x).data), "two new layers have the same weights"
    np.savez(file, **one.state_dict())
    file.seek(0)
    with np.load(file) as state:
        other.load_state_dict(dict(state))
    assert np.array_equal(one(x).data, other(x).data), "a layer loaded from a file computes something else"
    worst = _check_close("a linear layer", one(x), pixels @ one.weight.data.T + one.bias.data, 1e-5)
    return f"650 parameters saved and loaded: all 17,970 results are the same bits, and equal x @ W.T + b {_format_error(worst)}"


def _show_dense() -> str:
    import numpy as np

    from tinytorch.core.activations import relu, softmax
    from tinytorch.core.dense import MLP, Dropout, Sequential, summary
    from tinytorch.core.tensor import Tensor

    pixels, _ = _digits()
    model = Sequential(Dropout(0.5), MLP((64, 32, 10), relu)).eval()
    w1, b1, w2, b2 = (parameter.data for parameter in model.parameters())
    logits = np.maximum(pixels @ w1.T + b1, 0) @ w2.T + b2
    wanted = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    worst = _check_close("a network of two layers", softmax(model(Tensor(pixels)), 1), wanted, 1e-5)
    costs = summary(model, (1, 64))
    assert costs.parameters == 2410, f"64-32-10 has 2,410 parameters, not {costs.parameters}"
    return f"1,797 digits through 64-32-10, {costs.parameters:,} parameters: the probabilities are NumPy's {_format_error(worst)}"


def _show_spatial() -> str:
    import numpy as np
    from numpy.lib.stride_tricks import sliding_window_view

    from tinytorch.core.spatial import Conv2d, MaxPool2d
    from tinytorch.core.tensor import Tensor

    images = _digits()[0].reshape(-1, 1, 8, 8)
    layer = Conv2d(1, 8, 3, padding=1)
    windows = sliding_window_view(np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
    wanted = np.einsum("nchwij,ocij->nohw", windows, layer.weight.data) + layer.bias.data[:, None, None]
    seen = layer(Tensor(images))
    worst = _check_close("a convolution", seen, wanted, 1e-5)
    pooled = wanted.reshape(len(images), 8, 4, 2, 4, 2).max((3, 5))
    worst = max(worst, _check_close("its pooling", MaxPool2d(2)(seen), pooled, 1e-5))
    return f"1,797 digits through 8 kernels and pooling agree with one sum over all windows {_format_error(worst)}"


def _show_attention() -> str:
    import numpy as np

    from tinytorch.core.attention import MultiHeadAttention
    from tinytorch.core.tensor import Tensor

    rows = _digits()[0].reshape(-1, 8, 8)  # a digit is eight tokens: its rows
    layer, later = MultiHeadAttention(8, 2, causal=True), rows.copy()
    later[:, 5:] = 1 - later[:, 5:]
    before, after = layer(Tensor(rows)).data, layer(Tensor(later)).data
    assert _difference(after[:, :5], before[:, :5]) < 1e-6, "a token sees what comes after it"
    assert (np.abs(after[:, 5:] - before[:, 5:]).max((1, 2)) > 0).all(), "the changed tokens have no effect"
    q, k, v = ((rows @ p.weight.data.T + p.bias.data).reshape(-1, 8, 2, 4) for p in (layer.q_proj, layer.k_proj, layer.v_proj))
    weights = np.exp(np.where(np.tri(8, dtype=bool), np.einsum("nqhd,nkhd->nhqk", q, k) / 2, -np.inf))
    heads = np.einsum("nhqk,nkhd->nqhd", weights / weights.sum(-1, keepdims=True), v).reshape(-1, 8, 8)
    worst = _check_close("attention", before, heads @ layer.out_proj.weight.data.T + layer.out_proj.bias.data, 1e-5)
    return f"1,797 digits read row by row: later rows change nothing, two heads agree with the formula {_format_error(worst)}"


def _show_dataloader() -> str:
    import numpy as np

    from tinytorch.core.dataloader import DataLoader, Digits

    pixels, labels = _digits()
    epochs = [list(DataLoader(Digits(), 128, shuffle=True, seed=0, prefetch=ahead)) for ahead in (0, 2)]
    one, other = ([np.concatenate([t.data for t in column]) for column in zip(*epoch, strict=True)] for epoch in epochs)
    assert all(map(np.array_equal, one, other)), "an epoch with prefetching differs from one without"
    x, y = one[0].reshape(len(one[0]), -1), one[1]
    assert len(x) == 1797, f"an epoch has {len(x):,} digits, not 1,797"
    assert not np.array_equal(x, pixels), "the epoch is not shuffled"
    wanted, found = (sorted(map(bytes, np.column_stack([a, b]).astype("f4"))) for a, b in ((pixels, labels), (x, y)))
    assert found == wanted, "the epoch does not have every digit once with its own label"
    return f"{len(epochs[0])} shuffled batches have each of 1,797 digits once, with its label, with and without prefetching"


def _show_autograd() -> str:
    import numpy as np

    from tinytorch.core.activations import gelu, log_softmax, relu, sigmoid, softmax, tanh
    from tinytorch.core.attention import MultiHeadAttention
    from tinytorch.core.dense import MLP
    from tinytorch.core.layers import Linear
    from tinytorch.core.spatial import AvgPool2d, Conv2d, GlobalAvgPool2d, MaxPool2d
    from tinytorch.core.tensor import Tensor, concat, manual_seed, where

    manual_seed(0)
    rng = np.random.default_rng(0)
    pixels = _digits()[0][:4].astype(np.float64) + 0.05 * rng.standard_normal((4, 64))  # no two equal, so max has no ties
    images, rows, vectors = pixels.reshape(4, 1, 8, 8), pixels.reshape(4, 8, 8), pixels
    line, net, heads = Linear(64, 10), MLP((64, 16, 10), tanh), MultiHeadAttention(8, 2, causal=True)
    small, wide = Conv2d(1, 4, 3, padding=1), Conv2d(4, 3, 3, stride=2)
    compositions = {
        "arithmetic": (lambda x: (x * x - 3 * x) / (x * x + 1), vectors),
        "powers and logarithms": (lambda x: ((x * x + 1) ** 0.5).log() + (-x).exp(), vectors),
        "broadcasting": (lambda x: (x - x.mean(0)) / (x.var(0) + 1) ** 0.5, vectors),
        "the largest": (lambda x: x.max(1, keepdims=True) * x.min(0), vectors),
        "choosing": (lambda x: where(x > 0.5, x * x, x.maximum(0.2).clip(0, 0.9)), vectors),
        "shapes": (lambda x: concat([x[:, ::2], x.reshape(8, 8, 4)[1:3].permute(2, 0, 1).reshape(4, 16)], 1) ** 2, vectors),
        "products": (lambda x: x @ x.T @ x, vectors),
        "bends": (lambda x: gelu(x) * sigmoid(x) + tanh(x) * relu(x), vectors),
        "softmax": (lambda x: softmax(x, 1) * log_softmax(x, 0), vectors),
        "a linear layer": (line, vectors),
        "a network": (lambda x: log_softmax(net(x), 1), vectors),
        "convolutions": (lambda x: wide(tanh(small(x))), images),  # tanh, because a small step could cross the corner of ReLU
        "pooling": (lambda x: GlobalAvgPool2d()(AvgPool2d(2)(small(MaxPool2d(2)(x)))), images),
        "attention": (heads, rows),
    }
    for parameter in (p for layer in (line, small, wide, heads, net) for p in layer.parameters()):
        parameter.data = parameter.data.astype(np.float64)
    layers = {
        "a linear layer": [line], "a network": [net], "convolutions": [small, wide], "pooling": [small], "attention": [heads],
    }  # fmt: skip
    worst = 0.0
    for name, (f, start) in compositions.items():
        leaves = [Tensor(start.copy(), requires_grad=True, dtype=np.float64)]
        leaves += [parameter for layer in layers.get(name, ()) for parameter in layer.parameters()]
        worst = max(worst, _check_gradients(name, f, leaves, rng))
    return f"gradients of {len(compositions)} compositions agree with small steps, largest relative error {worst:.0e}"


def _check_gradients(name: str, f: Callable, leaves: list, rng) -> float:
    """Compare gradients with small steps at 24 numbers of each leaf, and return the largest difference."""
    import numpy as np

    for leaf in leaves:
        leaf.grad = None
    y = f(leaves[0])
    weights = rng.standard_normal(y.shape)
    y.backward(weights)
    worst = 0.0
    for place, leaf in enumerate(leaves):
        assert leaf.grad is not None, f"{name}: input {place} of {len(leaves)} got no gradient"
        flat, found, steps = leaf.data.reshape(-1), [], []
        for i in rng.permutation(leaf.data.size)[:24]:
            value, sums = flat[i], []
            for h in (1e-6, -1e-6):
                flat[i] = value + h
                sums.append(float((f(leaves[0]).data * weights).sum()))
            flat[i] = value
            steps.append((sums[0] - sums[1]) / 2e-6)
            found.append(leaf.grad.data.reshape(-1)[i])
        scale = max(np.abs(leaf.grad.data).max(), np.abs(steps).max(), 1e-3)
        error = float(np.abs(np.subtract(found, steps)).max() / scale)
        assert error < 1e-6, f"{name}: the gradient is off from small steps by {error:.0e} of its largest number"
        worst = max(worst, error)
    return worst


def _show_optimizers() -> str:
    import numpy as np

    from tinytorch.core.layers import Parameter
    from tinytorch.core.optimizers import SGD, Adam, AdamW, RMSprop
    from tinytorch.core.tensor import Tensor

    pixels, labels = _digits()
    n, ridge = len(pixels), 0.01
    x, y = np.column_stack([pixels, np.ones(n, np.float32)]), np.eye(10, dtype=np.float32)[labels]
    best = np.linalg.solve(x.T @ x / n + ridge * np.eye(65), x.T @ y / n)  # the minimum of least squares in closed form

    def height(w) -> float:
        return float(((x @ w - y) ** 2).sum() / n + ridge * (w**2).sum())

    kinds = {  # each with the share of the way down that 100 steps must go
        "SGD": (lambda p: SGD(p, lr=0.04), 0.85),
        "momentum": (lambda p: SGD(p, lr=0.04, momentum=0.9), 0.99),
        "RMSprop": (lambda p: RMSprop(p, lr=0.002), 0.94),
        "Adam": (lambda p: Adam(p, lr=0.01), 0.99),
        "AdamW": (lambda p: AdamW(p, lr=0.01), 0.99),
    }
    said = []
    for name, (make, least) in kinds.items():
        w = Parameter(np.zeros((65, 10), np.float32))
        optimizer, top, bottom = make([w]), height(w.data), height(best)
        for _ in range(100):
            optimizer.zero_grad()
            d = Tensor(x) @ w - Tensor(y)
            ((d * d).sum() * (1 / n) + (w * w).sum() * ridge).backward()
            optimizer.step()
        way = (top - height(w.data)) / (top - bottom)
        assert least <= way <= 1.0001, f"{name}: 100 steps go {way:.1%} of the way down, not {least:.0%}"
        said.append(f"{name} {way:.1%}")
    return f"least squares on 1,797 digits, the share of the way to the exact minimum after 100 steps: {', '.join(said)}"


def _show_training() -> str:
    import numpy as np

    from tinytorch.core.tensor import manual_seed
    from tito.recipes import RECIPES

    manual_seed(0)
    recipe = RECIPES["digits-mlp"]
    loader, unseen = recipe.loader(recipe.data(True), training=True), recipe.data(False)
    trainer, start = recipe.trainer(recipe.epochs * len(loader)), time.perf_counter()
    history = trainer.fit(loader, recipe.epochs, progress=False)
    seconds = time.perf_counter() - start
    right = (trainer.predict(recipe.loader(unseen))[0].data.argmax(1) == unseen[:][1].data).mean()
    assert right >= 0.95, f"a network reads {right:.1%} of the digits it has not seen. It must read at least 95%"
    assert np.isfinite([row["loss"] for row in history]).all(), "its losses are not finite"
    return f"64-256-10 reads {right:.1%} of {len(unseen)} digits it has not seen, after {recipe.epochs} epochs, {seconds:.1f} s"


CAPABILITIES = tuple(
    Capability(MODULES[number], can, show)
    for number, (can, show) in enumerate(
        [
            ("map what is built from what", _show_introduction),
            ("measure this machine", _show_setup),
            ("compute with arrays", _show_tensor),
            ("compute activations without an overflow", _show_activations),
            ("hold parameters, and save them", _show_layers),
            ("compute a network", _show_dense),
            ("see images", _show_spatial),
            ("attend to what came before", _show_attention),
            ("feed an epoch", _show_dataloader),
            ("differentiate anything it can compute", _show_autograd),
            ("go downhill", _show_optimizers),
            ("learn", _show_training),
            ("shrink a model", None),
            ("run faster kernels", None),
            ("tell a difference from noise", None),
            ("serve a model, and notice drift", None),
        ]
    )
)

if __name__ == "__main__":
    main(int(sys.argv[1]))
