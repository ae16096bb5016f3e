"""tinytorch.core.layers: NumPy formulas, statistics of the starts, the tree of layers, and PyTorch where it is installed."""

import copy
import math
import re
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core import layers
from tinytorch.core.activations import ReLU, relu
from tinytorch.core.layers import (
    Buffer,
    Layer,
    Linear,
    LinearOp,
    Parameter,
    fans,
    kaiming_normal,
    kaiming_uniform,
    naive_matmul,
    uniform,
    xavier_uniform,
)
from tinytorch.core.setup import peak_memory
from tinytorch.core.tensor import Op, Tensor, _writes, _written, manual_seed, randn, recipe

sizes = st.integers(1, 6)
each_shape = pytest.mark.parametrize("shape", [(5,), (3, 5), (0, 5), (2, 0, 5), (2, 3, 5), (2, 1, 4, 5)], ids=str)


class Pair(Layer):
    """Two linear layers and a bend between them, in a list, and the first once more under another name."""

    def __init__(self):
        self.layers = [Linear(5, 4), ReLU(), Linear(4, 3, bias=False)]
        self.first = self.layers[0]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


# -- the product and the starts ------------------------------------------------------------------------------------


@given(n=sizes, k=sizes, m=sizes, seed=st.integers(0, 99))
def test_naive_matmul_is_numpys_product(n, k, m, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((n, k)), rng.standard_normal((k, m))
    np.testing.assert_allclose(naive_matmul(a, b), a @ b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 7), (3, 7, 5), (3, 7, 5, 2)], ids=str)
def test_fans_are_pytorchs(shape):
    torch = pytest.importorskip("torch")
    assert fans(shape) == torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))


@pytest.mark.parametrize("shape", [(300, 100), (100, 300), (40, 10, 5, 5)], ids=str)
@pytest.mark.parametrize("a", [0.0, 0.5, math.sqrt(5)])
def test_kaiming_has_pytorchs_standard_deviation(shape, a):
    torch = pytest.importorskip("torch")
    gain = torch.nn.init.calculate_gain("leaky_relu", a)
    for start in (kaiming_normal, kaiming_uniform):
        w = start(shape, a, np.random.default_rng(0)).data
        assert (w.shape, w.dtype) == (shape, np.float32)
        np.testing.assert_allclose(w.std(), gain / math.sqrt(fans(shape)[0]), rtol=0.03)
        assert abs(w.mean()) < 4 * w.std() / math.sqrt(w.size)


@pytest.mark.parametrize("shape", [(300, 100), (100, 300), (40, 10, 5, 5)], ids=str)
def test_xavier_has_pytorchs_bound_and_fills_it_evenly(shape):
    w = xavier_uniform(shape, 5 / 3, np.random.default_rng(0)).data
    bound = 5 / 3 * math.sqrt(6 / sum(fans(shape)))
    assert bound * 0.99 < np.abs(w).max() <= bound
    np.testing.assert_allclose(np.quantile(w, [0.25, 0.5, 0.75]), [-bound / 2, 0, bound / 2], atol=bound * 0.02)


@pytest.mark.parametrize("start", [kaiming_normal, kaiming_uniform, xavier_uniform])
def test_a_start_draws_from_the_course_generator_unless_it_is_given_another(start):
    manual_seed(3)
    one = start((4, 5))
    manual_seed(3)
    np.testing.assert_array_equal(start((4, 5)).data, one.data)
    given_one = start((4, 5), generator=np.random.default_rng(7))
    np.testing.assert_array_equal(start((4, 5), generator=np.random.default_rng(7)).data, given_one.data)
    assert (given_one.data != one.data).all()


def test_kaiming_keeps_the_mean_square_through_fifty_layers_of_relu():
    rng, x = np.random.default_rng(0), randn(200, 512, generator=np.random.default_rng(1))
    for _ in range(50):
        x = relu(x @ kaiming_normal((512, 512), generator=rng).T)
    assert 0.2 < float((x * x).mean()) < 5


def test_uniform_reaches_both_bounds():
    w = uniform((1000,), 2.0, np.random.default_rng(0)).data
    assert -2 <= w.min() < -1.98
    assert 1.98 < w.max() <= 2


# -- parameters ----------------------------------------------------------------------------------------------------


def test_a_parameter_of_a_result_is_a_leaf_of_its_own():
    p = Parameter(2 * Parameter([1.0, 2.0]))
    assert (p.requires_grad, p.origin, p.grad) == (True, None, None)
    assert recipe(p) == [p]


def test_a_parameter_has_no_dictionary():
    with pytest.raises(AttributeError):
        Parameter([1.0]).note = "a typing error must not pass in silence"


def test_integers_cannot_be_learned():
    with pytest.raises(TypeError, match="gradient cannot hold int64"):
        Parameter([1, 2])


def test_assign_writes_in_place_and_notes_the_date():
    p, before = Parameter([1.0, 2.0]), Op.tick()
    memory = p.data
    p.assign([3, 4])
    assert p.data is memory
    np.testing.assert_array_equal(memory, [3, 4])
    assert _written(p.data) == _writes.last == before + 1


# -- linear --------------------------------------------------------------------------------------------------------


@each_shape
@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_pytorchs(shape, bias):
    torch = pytest.importorskip("torch")
    layer, theirs = Linear(5, 4, bias), torch.nn.Linear(5, 4, bias)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in layer.state_dict().items()})
    x = randn(shape)
    y = layer(x)
    assert (y.dtype, y.requires_grad) == (np.float32, True)
    np.testing.assert_allclose(y.data, theirs(torch.from_numpy(x.data)).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_linear_starts_as_pytorchs_does():
    manual_seed(0)
    layer = Linear(100, 3000)
    for p in (layer.weight, layer.bias):
        assert 0.099 < np.abs(p.data).max() <= 0.1
        np.testing.assert_allclose(p.data.std(), 0.1 / math.sqrt(3), rtol=0.04)


@pytest.mark.parametrize("shape", [(), (4,), (2, 4), (2, 3, 4), (2, 2, 10)], ids=str)
def test_an_input_of_the_wrong_size_is_a_value_error_that_names_both_shapes(shape):
    with pytest.raises(ValueError, match=re.escape(f"cannot multiply {shape} by (5, 2)")):
        Linear(5, 2)(randn(shape))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (4, 2)], ids=str)
def test_a_bias_of_the_wrong_shape_is_a_value_error_that_names_both_shapes(shape):
    layer = Linear(5, 2)
    layer.bias = Parameter(np.ones(shape))
    with pytest.raises(ValueError, match=re.escape(f"a bias of shape {shape}: weights (2, 5)")):
        layer(randn(4, 5))


def test_a_linear_layer_is_one_op_and_remembers_its_input_and_parameters():
    layer, bare, x = Linear(5, 4), Linear(5, 4, bias=False), randn(2, 3, 5)
    op, inputs = layer(x).origin
    assert type(op) is LinearOp and all(a is b for a, b in zip(inputs, (x, layer.weight, layer.bias), strict=True))
    assert all(a is b for a, b in zip(bare(x).origin[1], (x, bare.weight), strict=True))
    assert len(op.saved) == 3 and np.shares_memory(op.saved[0], x.data) and op.saved[1] is layer.weight.data


@pytest.mark.parametrize("x", [np.arange(6).reshape(2, 3), np.eye(2, 3) == 1, np.ones((2, 3)), [[1.0, 2.0, 3.0]], [1, 2, 3]])
def test_whatever_is_no_tensor_of_floats_goes_into_linear_as_float32(x):
    layer = Linear(3, 4)
    for each in (x, Tensor(x)):
        y = layer(each)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y.data, np.array(x) @ layer.weight.data.T + layer.bias.data, rtol=1e-5, atol=1e-6)


@each_shape
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_linear_op_keeps_the_dtype_and_writes_into_its_result_alone(shape, dtype):
    arrays = [np.random.default_rng(i).standard_normal(s).astype(dtype) for i, s in enumerate([shape, (4, 5), (4,)])]
    for a in arrays:
        a.flags.writeable = False
    y, bare = LinearOp().forward(*arrays), LinearOp().forward(*arrays[:2])
    assert y.dtype == bare.dtype == dtype
    assert not any(np.shares_memory(y, a) for a in arrays)
    np.testing.assert_array_equal(y, bare + arrays[2])


def test_linear_op_makes_one_array_of_the_size_of_its_result():
    x, w, b = np.ones((3000, 5), np.float32), np.ones((100, 5), np.float32), np.ones(100, np.float32)
    assert 1_200_000 <= peak_memory(LinearOp().forward, x, w, b) < 1_250_000


# -- the tree ------------------------------------------------------------------------------------------------------


def test_names_are_those_of_pytorch():
    assert [name for name, _ in Pair().named_parameters()] == ["layers.0.weight", "layers.0.bias", "layers.2.weight"]


def test_members_are_found_in_lists_tuples_and_dictionaries_of_each_other():
    net = Layer()
    net.parts = {"a": [Linear(1, 1), (relu, [Parameter([1.0])])], "b": "text", "c": None}
    assert [name for name, _ in net.members()] == ["parts.a.0", "parts.a.1.0", "parts.a.1.1.0"]


def test_a_shared_parameter_is_found_once():
    one, two = Linear(3, 3), Linear(3, 3)
    two.weight = one.weight
    net = Layer()
    net.layers = [one, two]
    assert [name for name, _ in net.named_parameters()] == ["layers.0.weight", "layers.0.bias", "layers.1.bias"]


def test_a_layer_that_holds_its_owner_ends_the_walk():
    net = Pair()
    net.layers[0].owner = net
    assert len(net.parameters()) == 3


def test_a_plain_tensor_is_no_parameter():
    layer = Linear(2, 2)
    layer.table = randn(5)
    assert len(layer.parameters()) == 2


def test_a_subclass_needs_no_init_of_its_base():
    class Bare(Layer):
        def __init__(self, size):
            self.size = size

    assert Bare(3).training
    assert Bare(3).parameters() == []
    with pytest.raises(NotImplementedError, match=r"Bare.forward is not written yet"):
        Bare(3)(randn(2))


def test_options_reach_forward():
    class Scaled(Layer):
        def forward(self, x, by=1):
            return x * by

    assert Scaled()(Tensor([2.0]), by=3).item() == 6


def test_the_picture_is_pytorchs():
    torch = pytest.importorskip("torch")

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.block = torch.nn.Linear(2, 3)
            self.bend = torch.nn.ReLU()

    class Theirs2(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.head = Theirs(), torch.nn.Linear(3, 1, bias=False)

    inner, outer = type("Theirs", (Layer,), {})(), type("Theirs2", (Layer,), {})()
    inner.block, inner.bend = Linear(2, 3), ReLU()
    outer.inner, outer.head = inner, Linear(3, 1, bias=False)
    assert repr(outer) == repr(Theirs2())
    assert repr(Layer()) == "Layer()"


def test_settings_stand_above_members():
    class Both(Layer):
        def __init__(self):
            self.bend = ReLU()

        def extra_repr(self):
            return "size=3"

    assert repr(Both()) == "Both(\n  size=3\n  (bend): ReLU()\n)"


def test_modes_reach_every_layer_and_nothing_else():
    net, other = Pair(), Pair()
    assert net.eval() is net
    assert [net.training, net.layers[0].training, net.layers[2].training] == [False] * 3
    assert other.training
    assert other.layers[0].training
    assert vars(net.layers[1]) == {}
    assert net.train().layers[2].training
    assert not net.train(False).first.training


# -- saving and loading --------------------------------------------------------------------------------------------


def test_a_state_goes_to_a_file_and_back(tmp_path):
    one, two, x = Pair(), Pair(), randn(6, 5)
    np.savez(tmp_path / "pair.npz", **one.state_dict())
    with np.load(tmp_path / "pair.npz") as state:
        two.load_state_dict(state)
    np.testing.assert_array_equal(one(x).data, two(x).data)


def test_a_state_is_a_copy_both_ways():
    layer = Linear(2, 3)
    state = layer.state_dict()
    memory = layer.weight.data
    layer.load_state_dict(state)
    state["weight"][...] = 9
    assert layer.weight.data is memory
    assert (memory != 9).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("layers.0.bias"), "layers.0.bias is missing"),
        (lambda s: s.update(extra=np.ones(2)), "extra is unexpected"),
        (lambda s: s.update({"layers.2.weight": np.ones((4, 3))}), r"layers.2.weight has shape \(3, 4\) here, \(4, 3\)"),
        (lambda s: s.update({"layers.0.bias": 1.0}), r"layers.0.bias has shape \(4,\) here, \(\)"),
    ],
    ids=["missing", "unexpected", "transposed", "a number"],
)
def test_a_state_that_does_not_fit_is_an_error_and_loads_nothing(change, message):
    net = Pair()
    state = {name: array + 1 for name, array in net.state_dict().items()}
    change(state)
    before = net.state_dict()
    with pytest.raises(ValueError, match=message):
        net.load_state_dict(state)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_all_mistakes_are_named_at_once():
    with pytest.raises(ValueError, match=r"weight is missing; w is unexpected; bias has shape \(3,\) here, \(2,\)"):
        Linear(2, 3).load_state_dict({"w": np.ones((3, 2)), "bias": np.ones(2)})


@settings(deadline=None)
@given(n=sizes, m=sizes)
def test_numbers_of_any_dtype_load_as_the_parameters_own(n, m):
    layer = Linear(n, m)
    layer.load_state_dict({"weight": np.ones((m, n), np.int64), "bias": [0.5] * m})
    assert layer.weight.dtype == layer.bias.dtype == np.float32
    np.testing.assert_allclose(layer(Tensor(np.ones(n))).data, np.full(m, n + 0.5))


def test_a_network_can_be_copied_and_shares_nothing():
    net = Pair()
    twin = copy.deepcopy(net)
    assert twin.first is twin.layers[0]
    assert all(type(p) is Parameter and p.requires_grad for p in twin.parameters())
    twin.first.weight.assign(0)
    assert net.first.weight.data.any()


def test_the_module_exports_what_the_next_ones_import():
    assert {"Layer", "Parameter", "Linear", "kaiming_uniform", "kaiming_normal", "xavier_uniform"} <= set(layers.__all__)


# -- values, buffers, other names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [["a"] * 3, [None] * 3, np.ones(3) + 1j, np.array([{}] * 3), [[1], [2, 3]], None, "abc", [b"a"] * 3],
    ids=lambda v: repr(v)[:12],
)
def test_a_value_that_holds_no_numbers_is_named_and_nothing_is_loaded(value):
    layer = Linear(2, 3)
    before = layer.state_dict()
    with pytest.raises(ValueError, match=r"bias holds no numbers: " + re.escape(repr(value)[:12])):
        layer.load_state_dict({"weight": np.full((3, 2), 7.0), "bias": value})
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float64])
def test_a_state_of_any_dtype_and_layout_loads(dtype):
    layer = Linear(2, 3)
    layer.load_state_dict({"weight": np.ones((2, 3), dtype).T[::-1], "bias": Tensor(np.ones(3, dtype))})
    assert layer.weight.dtype == np.float32
    np.testing.assert_array_equal(layer.bias.data, [1, 1, 1])


def test_two_layers_can_swap_their_own_arrays():
    net = Layer()
    net.a, net.b = Linear(2, 2, bias=False), Linear(2, 2, bias=False)
    a, b = net.a.weight.data, net.b.weight.data
    before = net.state_dict()
    net.load_state_dict({"a.weight": b, "b.weight": a})
    np.testing.assert_array_equal(net.a.weight.data, before["b.weight"])
    np.testing.assert_array_equal(net.b.weight.data, before["a.weight"])


def test_pytorchs_state_of_a_network_with_a_shared_layer_loads():
    torch = pytest.importorskip("torch")

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList([torch.nn.Linear(5, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3, bias=False)])
            self.first = self.layers[0]

    theirs, ours = Theirs(), Pair()
    state = theirs.state_dict()
    assert "first.weight" in state
    ours.load_state_dict(state)
    np.testing.assert_array_equal(ours.first.weight.data, theirs.first.weight.detach().numpy())
    with pytest.raises(ValueError, match=r"first\.bias has shape"):
        ours.load_state_dict({**state, "first.bias": np.ones(2)})
    with pytest.raises(ValueError, match=r"first\.kernel is unexpected"):
        ours.load_state_dict({**state, "first.kernel": np.ones(2)})


def test_a_layer_in_a_ring_loads():
    net = Pair()
    net.layers[0].owner = net
    net.load_state_dict({**net.state_dict(), "first.bias": np.ones(4)})
    np.testing.assert_array_equal(net.first.bias.data, np.ones(4))


def test_not_strict_passes_over_names_and_over_nothing_else():
    layer = Linear(2, 3)
    before = layer.state_dict()
    layer.load_state_dict({"bias": [1, 2, 3], "extra": "text"}, strict=False)
    np.testing.assert_array_equal(layer.bias.data, [1, 2, 3])
    np.testing.assert_array_equal(layer.weight.data, before["weight"])
    with pytest.raises(ValueError, match="bias has shape"):
        layer.load_state_dict({"bias": [1, 2]}, strict=False)
    layer.load_state_dict({}, strict=False)


def test_buffers_are_saved_and_loaded_and_not_learned():
    layer = Linear(2, 3)
    layer.register_buffer("seen", Tensor([0, 0]))
    layer.register_buffer("nothing", None)
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    assert [name for name, _ in layer.named_buffers()] == ["seen"]
    assert layer.buffers()[0] is layer.seen
    assert list(layer.state_dict()) == ["weight", "bias", "seen"]
    layer.load_state_dict({**layer.state_dict(), "seen": [3, 4]})
    np.testing.assert_array_equal(layer.seen.data, [3, 4])
    assert layer.seen.dtype == np.int64
    assert "seen" not in repr(layer)
    twin = copy.deepcopy(layer)
    assert type(twin.seen) is Buffer
    twin.seen.assign(9)
    np.testing.assert_array_equal(layer.seen.data, [3, 4])


def test_modules_and_apply_go_in_pytorchs_order():
    torch = pytest.importorskip("torch")
    ours, theirs = Layer(), torch.nn.Module()
    ours.a, theirs.a = Layer(), torch.nn.Module()
    ours.a.one, theirs.a.one = Linear(2, 2), torch.nn.Linear(2, 2)
    ours.a.act, theirs.a.act = ReLU(), torch.nn.ReLU()
    ours.b, theirs.b = Linear(2, 3), torch.nn.Linear(2, 3)
    ours.again, theirs.again = ours.b, theirs.b
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    assert [type(m).__name__ for m in ours.modules()] == ["Layer", "Layer", "Linear", "ReLU", "Linear"]


    def kind(module):
        return type(module).__name__.replace("Module", "Layer")

    for mine, other in [(ours, theirs), (ours.a, theirs.a)]:
        assert [kind(c) for c in mine.children()] == [kind(c) for c in other.children()]
    called, wanted = [], []
    assert ours.apply(lambda m: called.append(kind(m))) is ours
    theirs.apply(lambda m: wanted.append(kind(m)))
    assert called == wanted


def test_freezing_and_forgetting_reach_every_parameter():
    net = Pair()
    assert net.requires_grad_(False) is net
    assert not any(p.requires_grad for p in net.parameters())
    assert not net(randn(2, 5)).requires_grad
    assert all(p.requires_grad for p in net.requires_grad_().parameters())
    net.first.weight.grad = randn(4, 5)
    net.zero_grad()
    assert net.first.weight.grad is None


def test_there_is_one_device():
    net = Pair()
    assert net.to("cpu") is net is net.cpu()
    for wanted in ("cuda:0", np.int64, "int8", None):
        with pytest.raises(ValueError, match="goes to a dtype of floats or cpu, not to"):
            net.to(wanted)
    assert net.first.weight.dtype == np.float32


@pytest.mark.parametrize("wanted", [np.float64, "float64", np.dtype("float64")])
def test_all_floats_of_a_layer_take_another_dtype_and_nothing_else_does(wanted):
    net = Pair()
    net.register_buffer("calls", 3)
    before, first = net.state_dict(), net.first.weight
    assert net.to(wanted) is net
    assert net.first.weight is first and first.requires_grad
    for name, array in net.state_dict().items():
        assert array.dtype == (np.int64 if name == "calls" else np.float64)
        np.testing.assert_array_equal(array, before[name])
    assert net(randn(3, 5)).dtype == np.float64
    assert net.float()(randn(3, 5)).dtype == np.float32
    assert net.double().first.bias.dtype == np.float64


@pytest.mark.parametrize(("n", "m"), [(0, 3), (3, 0), (0, 0)])
@pytest.mark.filterwarnings("ignore:Initializing zero-element")
def test_a_layer_without_inputs_or_outputs_is_pytorchs(n, m):
    torch = pytest.importorskip("torch")
    layer, theirs = Linear(n, m), torch.nn.Linear(n, m)
    assert layer.weight.shape == tuple(theirs.weight.shape)
    y = layer(randn(4, n))
    assert (y.shape, y.dtype) == (tuple(theirs(torch.ones(4, n)).shape), np.float32)
    if n == 0:
        np.testing.assert_array_equal(layer.bias.data, theirs.bias.detach().numpy())


def test_float64_goes_through_float32_weights():
    layer = Linear(3, 2)
    assert layer(Tensor(np.ones((4, 3)), dtype=np.float64)).dtype == np.float64


def test_a_thread_that_predicts_does_not_switch_the_mode_of_another():
    net, inside, done, seen = Pair(), threading.Event(), threading.Event(), []

    def predict():
        layers._evaluation.layers = frozenset([net, *(m for _, m in net.named_members() if isinstance(m, Layer))])
        seen.append([net.training, net.first.training])
        net.train()  # for this thread it still only predicts
        seen.append(net.training)
        inside.set()
        done.wait(5)

    thread = threading.Thread(target=predict)
    thread.start()
    assert inside.wait(5)
    here = [net.training, net.first.training, net.eval().first.training, net.train().first.training]
    done.set()
    thread.join()
    assert here == [True, True, False, True]
    assert seen == [[False, False], False]
    assert layers._evaluation.layers == frozenset()
