"""Training with the package here: in a workspace the learner's own, in the repository the reference.

Each run is a Python of its own, which leaves its curve, its confusion matrix, its mistakes and its figures in a folder. After
each epoch it saves the trainer there, with its model, by the learner's own `save`. A run that was stopped can go on from that
file.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tito import checkpoint, places
from tito.errors import TitoError, dated, write_atomic

NAMES = ("digits-mlp", "digits-cnn", "cifar10-mlp", "cifar10-cnn", "cifar10-better")  # of the recipes
PICTURES, RESULT = ("curve.png", "confusion.png", "mistakes.png"), "result.json"
SAVED, ORDER = "run.npz", "order.json"  # the trainer after its last finished epoch; what was asked for


@dataclass
class Result:
    """What a run reached: the share of right answers on images that it never saw, seconds of training, bytes at most."""

    recipe: str
    seed: int
    epochs: int
    seen: str  # which images it was examined on: "test" or "validation"
    examples: int  # how many of them
    accuracy: float
    seconds: float
    peak_bytes: int
    parameters: int
    package: str
    folder: str
    resumed: int = 0  # after how many epochs the last part of the run began; the seconds are of this part


@dataclass
class Order:
    """What a run is asked for."""

    recipe: str
    seed: int = 0
    epochs: int | None = None  # None: as many as the recipe says
    validate: bool = False  # hold a tenth of the training images back, and leave the test images alone
    resume: bool = False  # go on from the file in its folder


def recipe(name: str) -> str:
    if name not in NAMES:
        raise TitoError(f"no recipe is called {name!r}: there are {', '.join(NAMES)}")
    return name


def seeds(text: str) -> list[int]:
    """The numbers in "0,1,2"."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 0 or len(set(found)) < len(found):
        raise TitoError(f"seeds are different whole numbers from 0 on, as in 0,1,2; these are {text!r}")
    return found


def home(root: Path, name: str) -> Path:
    """Where runs of a recipe go if no folder is named: into the workspace, or into what the repository can build again."""
    return (root / "build" if places.is_repository(root) else root) / "runs" / name


def run(root: Path, orders: list[Order], folder: Path, quiet: bool = False, resume: bool = False) -> Iterator[Result]:
    """One run after the other, each into a folder of its seed's below `folder`.

    What stood there is kept, with its date. With `resume`, a run that was saved goes on; one that had ended is read.
    """
    places_ = [folder.absolute() / f"seed-{order.seed}" for order in orders]
    saved = [resume and (place / SAVED).is_file() for place in places_]
    if resume and not any(saved):
        raise TitoError(f"no saved run of {orders[0].recipe} is in {folder.absolute()}: leave --resume out, and one begins")
    orders = [_saved_order(order, place) if old else order for order, place, old in zip(orders, places_, saved, strict=True)]
    for order, place, old in zip(orders, places_, saved, strict=True):
        if old and (place / RESULT).is_file():
            yield _result(place)
            continue
        if not old:
            _new_folder(place)
            write_atomic(place / ORDER, json.dumps(asdict(order)))
        try:
            yield _run(root, order, place, quiet)
        except KeyboardInterrupt:
            if not (place / SAVED).is_file():
                raise
            raise TitoError("stopped: the same command with --resume goes on after the last finished epoch", code=130) from None


def _new_folder(place: Path) -> None:
    if place.exists():
        place.rename(dated(place))
    try:
        place.mkdir(parents=True)
    except OSError as error:
        raise TitoError(f"{place} cannot be made: {error.strerror}: name another folder with --out") from None


def _saved_order(order: Order, place: Path) -> Order:
    """What the saved run was asked for, which it goes on with, unless something else is asked for now."""
    try:
        before = Order(**json.loads((place / ORDER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise TitoError(f"{place / ORDER} is missing or damaged, so the run there cannot go on: leave --resume out") from None
    if before.recipe != order.recipe:
        raise TitoError(f"{place} holds a run of {before.recipe}: name the folder of {order.recipe} with --out")
    if order.epochs not in (None, before.epochs):
        said = "as many epochs as its recipe says" if before.epochs is None else f"{before.epochs} epochs"
        raise TitoError(f"the run in {place} is one of {said}, which decides its learning rates: leave --epochs out")
    if order.validate and not before.validate:
        raise TitoError(f"the run in {place} trains on all training images: leave --validate out")
    return Order(order.recipe, order.seed, before.epochs, before.validate, resume=True)


def _result(place: Path) -> Result:
    found = json.loads((place / RESULT).read_text(encoding="utf-8"))
    return Result(**{name: found[name] for name in Result.__dataclass_fields__})


def _run(root: Path, order: Order, place: Path, quiet: bool) -> Result:
    command = [sys.executable, "-m", "tito.training", json.dumps(asdict(order)), str(place)]
    said = subprocess.DEVNULL if quiet else None  # where the trainer tells of its epochs
    environment = {**os.environ, "MPLBACKEND": "agg"}
    done = subprocess.run(command, cwd=root, env=environment, stdout=said, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines() or [f"it ended with exit code {done.returncode} and said nothing"]
        killed = done.returncode < 0 and (place / SAVED).is_file()
        raise TitoError(last[-1] + (". The same command with --resume goes on" if killed else ""), code=1)
    return _result(place)


@dataclass
class Median:
    """The medians of several runs."""

    accuracy: float
    seconds: float
    peak_bytes: float


def median(results: list[Result]) -> Median:
    return Median(*(statistics.median(getattr(r, name) for r in results) for name in Median.__dataclass_fields__))


# -- in the Python of one run -----------------------------------------------------------------------------------------


def main(order: Order, folder: Path) -> None:
    """Train, examine, draw. Ends with one line on stderr for whatever goes wrong in the package here."""
    from tito.workspace import use_prefix

    try:
        use_prefix(12)  # all up to 11, where training is built
        _train(order, folder)
    except (ImportError, FileNotFoundError, FloatingPointError) as error:
        sys.exit(f"{error}")  # says itself what to do
    except Exception as error:  # whatever else the package raises is what is wrong with it
        sys.exit(f"{order.recipe} stopped with {checkpoint.reason(error)}")


def _train(order: Order, folder: Path) -> None:
    import numpy as np
    from threadpoolctl import threadpool_limits

    import tinytorch
    from tinytorch.core.dataloader import Subset
    from tinytorch.core.tensor import manual_seed
    from tinytorch.core.training import accuracy, confusion_matrix
    from tito.pictures import plot_confusion_matrix, plot_history, plot_mistakes
    from tito.recipes import RECIPES

    recipe = RECIPES[order.recipe]
    manual_seed(order.seed)
    train = recipe.data(True)
    classes = getattr(train, "classes", None)
    if order.validate:
        shuffled, n = np.random.default_rng(0).permutation(len(train)), len(train) // 10
        train, unseen = Subset(train, shuffled[n:]), Subset(train, shuffled[:n])
    else:
        recipe.data(False)  # if it is missing, now is the time to say so
    loader, epochs = recipe.loader(train, training=True), order.epochs or recipe.epochs
    trainer = recipe.trainer(epochs * len(loader))
    if order.resume:
        trainer.load(folder / SAVED)
    start, resumed = time.perf_counter(), trainer.epoch
    with threadpool_limits(recipe.threads, "blas"):
        held_back = recipe.loader(unseen) if order.validate else None
        trainer.fit(loader, epochs, validation=held_back, save=folder / SAVED)
    seconds, peak = time.perf_counter() - start, peak_bytes()

    if not order.validate:
        unseen = recipe.data(False)
    logits, targets = trainer.predict(recipe.loader(unseen))
    result = Result(
        order.recipe, order.seed, epochs, "validation" if order.validate else "test", len(unseen), accuracy(logits, targets),
        seconds, peak, sum(p.size for p in trainer.model.parameters()), str(Path(tinytorch.__file__).parent), str(folder),
        resumed,
    )  # fmt: skip
    _draw(folder / "curve.png", plot_history(trainer.history)[0])
    _draw(folder / "confusion.png", plot_confusion_matrix(confusion_matrix(logits, targets), classes))
    _draw(folder / "mistakes.png", plot_mistakes(unseen[:][0], logits, targets, classes)[0])
    write_atomic(folder / RESULT, json.dumps({**asdict(result), "history": trainer.history}, indent=1))


def _draw(path: Path, axes) -> None:
    axes.figure.savefig(path, dpi=120)


def peak_bytes() -> int:
    """The most memory that this process ever held."""
    import psutil

    status = Path("/proc/self/status")
    if status.is_file():  # Linux: getrusage counts what the parent held before this process began
        return next(int(line.split()[1]) << 10 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    memory = psutil.Process().memory_info()
    if hasattr(memory, "peak_wset"):  # Windows
        return memory.peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


if __name__ == "__main__":
    main(Order(**json.loads(sys.argv[1])), Path(sys.argv[2]))
