"""`tito checkpoint`: sixteen capabilities of the package, each with evidence or with what is wrong."""

import json
import re
import shutil

import pytest

from tito import checkpoint
from tito.errors import TitoError
from tito.syllabus import MODULES, module

WRITTEN = [capability for capability in checkpoint.CAPABILITIES if capability.show]

# Code to add to a module's file, and the checkpoint's reason. Everything else stays right.
BROKEN = {
    "introduction": ("def topological_order(roots, parents): return list(roots)[::-1]", "comes before .*, which it imports"),
    "setup": ("def peak_memory(f, *args): return 0", "an array of 8,000,000 bytes was measured as 0"),
    "tensor": ("Tensor.mean = lambda self, axis=None, keepdims=False: self.sum(axis, keepdims)", "standardised: off by"),
    "activations": (
        "def softmax(x, dim): return x.exp() / x.exp().sum(dim, keepdims=True)",
        r"FloatingPointError: overflow .*\(tinytorch/core/tensor.py, line \d+\)",
    ),
    "layers": ("Layer.load_state_dict = lambda self, state: None", "loaded from a file computes something else"),
    "dense": ("Dropout.forward = lambda self, x: x * 0.5", "a network of two layers: off by"),
    "spatial": (
        "Conv2dOp.algorithm = staticmethod(lambda x, weight, *rest: conv2d_blocked(x, weight[..., ::-1, ::-1], *rest))",
        "a convolution: off by",
    ),
    "attention": ("MultiHeadAttention.allowed = lambda self, n, mask: mask", "a token sees what comes after it"),
    "dataloader": (
        "def batch_indices(order, n, drop_last=False): return [order[i : i + n] for i in range(0, len(order) - n, n)]",
        "an epoch has 1,792 digits, not 1,797",
    ),
    "optimizers": (
        "SGD.update = lambda self, p, g, *rest, **options: p.__iadd__(0.001 * g)",
        "SGD: 100 steps go -.* of the way down",
    ),
    "training": (
        "Trainer.step = lambda self, batches: 0.0",
        "a network reads .* of the digits it has not seen, 95% is the least",
    ),
    "autograd": ("@gradient(SigmoidOp)\ndef _(op, grad): return (grad,)", "bends: the gradient is off from small steps by"),
}


@pytest.fixture
def package(root, tmp_path):
    """A workspace with a copy of the reference, and a function that adds text to one of its modules."""
    shutil.copytree(root / "tinytorch", tmp_path / "tinytorch", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "modules").mkdir()

    def add(name: str, text: str):
        path = tmp_path / "tinytorch" / "core" / f"{name}.py"
        path.write_text(path.read_text(encoding="utf-8") + f"\n\n{text}\n", encoding="utf-8")
        return tmp_path

    return add


def look(root, number):
    return checkpoint.try_capability(root, checkpoint.choose_capabilities(module(number))[0])


def test_there_are_sixteen_capabilities_one_for_each_module_but_the_capstone():
    assert [capability.module for capability in checkpoint.CAPABILITIES] == list(MODULES[:16])
    with pytest.raises(TitoError, match="16_capstone has no checkpoint"):
        checkpoint.choose_capabilities(MODULES[16])


def test_every_module_that_exists_has_its_capability_and_no_other_has(root):
    built = {path.stem for path in (root / "tinytorch" / "core").glob("*.py")} - {"__init__", "capstone"}
    assert {capability.module.name for capability in WRITTEN} == built


@pytest.mark.parametrize("capability", WRITTEN, ids=lambda capability: capability.module.slug)
def test_the_reference_has_every_capability_and_shows_evidence(root, capability):
    found = look(root, capability.module.number)
    assert found.state == checkpoint.HOLDS, found.evidence
    assert any(character.isdigit() for character in found.evidence), "evidence has a figure in it"


def test_every_capability_has_a_broken_package_in_this_test():
    assert set(BROKEN) == {capability.module.name for capability in WRITTEN}


@pytest.mark.parametrize("name", BROKEN)
def test_a_package_that_cannot_do_it_fails_with_the_reason(tito, package, name):
    text, reason = BROKEN[name]
    said = tito("checkpoint", name, "--json", inside=package(name, text))
    (found,) = json.loads(said.out)
    assert (said.code, found["state"]) == (1, checkpoint.FAILS), found
    assert re.search(reason, found["evidence"]), found["evidence"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("this is no Python", r"SyntaxError: invalid syntax \(introduction.py, line \d+\)"),
        ("import os; os._exit(3)", "its Python ended with exit code 3: it said nothing"),
        ("raise SystemExit('enough')", "its Python ended with exit code 1: enough"),
        ("def dependencies(sources): raise KeyError('nothing')", r"KeyError: 'nothing' \(tinytorch/core/introduction.py, line"),
        ("def dependencies(sources): assert False", r"AssertionError:  \(tinytorch/core/introduction.py, line \d+\)"),
    ],
)
def test_a_package_that_exits_is_reported_in_one_line(package, text, reason):
    found = look(package("introduction", text), 0)
    assert found.state == checkpoint.FAILS
    assert re.search(reason, found.evidence), found.evidence
    assert "\n" not in found.evidence


def test_a_check_that_does_not_end_is_stopped(package, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 2)
    found = look(package("introduction", "while True: pass"), 0)
    assert (found.state, found.evidence) == (checkpoint.FAILS, "it did not end within 2 s: is there a loop that does not end?")


def test_what_the_package_prints_is_not_the_evidence(package):
    found = look(package("introduction", "print('[\"yes\", \"I can\"]')"), 0)
    assert found.state == checkpoint.HOLDS
    assert found.evidence.startswith("every part comes after all that it imports")


def test_what_is_not_completed_yet_is_no_failure_until_it_is_asked_for(tito, package, monkeypatch):
    monkeypatch.setattr(checkpoint, "CAPABILITIES", checkpoint.CAPABILITIES[:4] + checkpoint.CAPABILITIES[-1:])
    root = package("introduction", "")
    (root / "tinytorch" / "core" / "tensor.py").unlink()
    said = tito("checkpoint", "--json", inside=root)
    found = [(each["state"], each["evidence"]) for each in json.loads(said.out)]
    assert said.code == 0
    assert [state for state, _ in found] == [checkpoint.HOLDS] * 2 + [checkpoint.NOT_YET] * 2 + [checkpoint.UNWRITTEN]
    assert [evidence for _, evidence in found[2:]] == ["complete 02", "complete 02 first", "the course has no module 15 yet"]
    assert tito("checkpoint", "02", inside=root).code == 1
    assert "complete 02" in tito("checkpoint", "03", inside=root).out


def test_only_the_package_of_the_workspace_is_checked(package):
    found = look(package("introduction", "raise RuntimeError(__file__)"), 0)
    assert str(package("setup", "")) in found.evidence


def test_a_module_that_does_not_exist_is_a_wrong_question(tito, root):
    said = tito("checkpoint", "99", inside=root)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "no module is called '99'" in said.err
