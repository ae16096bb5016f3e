"""The framework's names as PyTorch writes them: `tinytorch.Tensor`, `tinytorch.nn.Linear`, `tinytorch.optim.Adam`.

Modules of the course build tinytorch.core. The table below says under which other names people find what is in there. Nothing is
imported before it is used.
"""

import builtins
import importlib
import importlib.util
import sys
from functools import cache
from types import ModuleType

# Namespace -> where a name comes from -> names. `cat=concat` means that `cat` is the name here and `concat` the name there, and
# `exp=Tensor.exp` is the method as a function. `layers` stands for tinytorch.core.layers; numpy is NumPy.
NAMES = {
    "tinytorch": {
        # tensor() and from_numpy() are the class: an array is not copied, and a float64 array becomes float32
        "tensor": """
            Tensor tensor=Tensor as_tensor=Tensor from_numpy=Tensor recipe
            zeros ones full empty eye arange linspace rand randn randint randperm manual_seed default_generator
            zeros_like ones_like full_like empty_like rand_like randn_like
            where cat concat stack einsum broadcast_shapes promote_types
            exp=Tensor.exp log=Tensor.log sqrt=Tensor.sqrt abs=Tensor.abs tanh=Tensor.tanh pow=Tensor.pow
            floor=Tensor.floor ceil=Tensor.ceil round=Tensor.round sign=Tensor.sign isnan=Tensor.isnan
            maximum=Tensor.maximum minimum=Tensor.minimum clip=Tensor.clip clamp=Tensor.clamp matmul=Tensor.matmul
            sum=Tensor.sum mean=Tensor.mean prod=Tensor.prod var=Tensor.var std=Tensor.std norm=Tensor.norm cumsum=Tensor.cumsum
            max=Tensor.max min=Tensor.min amax=Tensor.max amin=Tensor.min argmax=Tensor.argmax argmin=Tensor.argmin
            all=Tensor.all any=Tensor.any allclose=Tensor.allclose
            sort=Tensor.sort argsort=Tensor.argsort topk=Tensor.topk gather=Tensor.gather masked_fill=Tensor.masked_fill
            reshape=Tensor.reshape flatten=Tensor.flatten permute=Tensor.permute transpose=Tensor.transpose
            squeeze=Tensor.squeeze unsqueeze=Tensor.unsqueeze flip=Tensor.flip roll=Tensor.roll tril=Tensor.tril triu=Tensor.triu
            split=Tensor.split chunk=Tensor.chunk unbind=Tensor.unbind clone=Tensor.clone numel=Tensor.numel
        """,
        "activations": "relu sigmoid softmax log_softmax logsumexp",
        "autograd": "no_grad set_grad_enabled is_grad_enabled inference_mode",
        "training": "save load Trainer EarlyStopping evaluating accuracy confusion_matrix predicted",
        "numpy": """
            float32 float64 float16 int8 int16 int32 int64 uint8
            float=float32 double=float64 half=float16 int=int32 long=int64 bool=bool_ inf nan pi
        """,
    },
    "tinytorch.nn": {
        # PyTorch calls it Module. In this course a module is a notebook, so the text says Layer
        "layers": "Module=Layer Layer Parameter Buffer Linear",
        "activations": "Activation ReLU LeakyReLU Sigmoid Tanh GELU SiLU ELU Softplus Softmax LogSoftmax",
        "dense": "Dense Sequential Flatten Dropout Identity MLP summary",
        "spatial": "Conv2d MaxPool2d AvgPool2d AdaptiveAvgPool2d GlobalAvgPool2d BatchNorm1d BatchNorm2d",
        "attention": "Embedding LayerNorm MultiHeadAttention PositionalEncoding",
        "training": "MSELoss L1Loss SmoothL1Loss HuberLoss BCELoss BCEWithLogitsLoss NLLLoss KLDivLoss CrossEntropyLoss",
    },
    "tinytorch.nn.functional": {
        "activations": "relu leaky_relu sigmoid tanh gelu silu elu softplus softmax log_softmax",
        "attention": "scaled_dot_product_attention attention_scores attention_weights causal_mask padding_mask mask_bias",
        "training": """
            mse_loss l1_loss smooth_l1_loss huber_loss nll_loss kl_div cross_entropy
            binary_cross_entropy binary_cross_entropy_with_logits
        """,
    },
    "tinytorch.nn.init": {  # they return a new tensor. PyTorch's, with an underscore, write into one
        "layers": "kaiming_normal kaiming_uniform xavier_uniform uniform",
    },
    "tinytorch.nn.utils": {
        "optimizers": "clip_grad_norm_ clip_grad_value_",
    },
    "tinytorch.optim": {
        "optimizers": "Optimizer SGD RMSprop Adam AdamW",
    },
    "tinytorch.optim.lr_scheduler": {
        "optimizers": """
            LRScheduler StepLR MultiStepLR ExponentialLR LambdaLR CosineAnnealingLR LinearWarmup OneCycleLR ReduceLROnPlateau
        """,
    },
    "tinytorch.data": {  # PyTorch has the first line in torch.utils.data, the rest in torchvision
        "dataloader": """
            Dataset TensorDataset Subset random_split DataLoader WeightedRandomSampler default_collate
            ImageDataset Digits CIFAR10 Compose Normalize RandomHorizontalFlip RandomCrop channel_statistics
        """,
    },
    "tinytorch.autograd": {
        "tensor": "Op apply",  # an operation of your own is an Op with a rule, entered by gradient()
        "autograd": "grad backward gradcheck checkpoint gradient gradients numerical_gradient zero_grad",
    },
}

# What a built module exports and no namespace has: reason -> core module -> names. Import these from tinytorch.core.
LEFT_OUT = {
    "an op: tensors, layers and functions apply it": {
        "tensor": """
            Add Sub Neg Div Mul Abs Log Exp Sqrt TanhOp Maximum Minimum Pow Clip Cast Where Sum Max Min
            Permute Reshape Expand Index Concat MatMul
        """,
        "activations": "SigmoidOp SoftmaxOp LogSoftmaxOp",
        "layers": "LinearOp",
        "spatial": "Conv2dOp MaxPool2dOp AvgPool2dOp",
        "attention": "AttentionWeightsOp AttentionOp",
        "autograd": "CheckpointOp",
        "training": "CrossEntropyOp BinaryCrossEntropyOp",
    },
    "a step of a layer, an optimizer or the walk, which the text shows on its own": {
        "tensor": "grad_mode",
        "layers": "fans",
        "dense": "op_flops new_bytes SummaryRow Summary",
        "spatial": """
            IntOrPair conv_output_size windows im2col conv2d_im2col largest in_windows conv2d_blocked
            largest_in_blocks
        """,
        "attention": "attention attention_in_blocks with_causal sinusoids split_heads merge_heads",
        "dataloader": "planes pictures batch_indices epoch_order prefetched",
        "autograd": "RULES unbroadcast Freed by_date Ends Watched",
        "optimizers": "descend accumulate look_ahead decayed blend cosine",
        "training": "class_numbers counted_rows reduced layers_of write_atomic",
    },
    "a slow version, or data, to learn from": {
        "layers": "naive_matmul",
        "dense": "two_moons",
        "spatial": "naive_conv2d",
    },
    "a tool of the course, not of the framework": {
        "introduction": """
            Parents dependents reachable describe_cycle topological_order levels longest_chain positions draw_dependencies
            package_sources imported_names dependencies
        """,
        "setup": "system_info readable Measurement time_call peak_memory Comparison compare",
    },
}


@cache
def table(namespace: str) -> dict[str, tuple[str, str]]:
    """Return the names of a namespace: name -> (the module that has it, its name there)."""
    found = {}
    for source, words in NAMES[namespace].items():
        module = source if source == "numpy" else f"tinytorch.core.{source}"
        for word in words.split():
            name, _, there = word.partition("=")
            found[name] = module, there or name
    return found


def find(namespace: str, name: str):
    """Return what a name stands for. Raise an AttributeError that says which module of the course builds it."""
    module = sys.modules[namespace]
    if name == "__all__":  # `from tinytorch import *` must not replace the built-in `sum`
        return [name for name in built(namespace) if not hasattr(builtins, name)]
    if name not in table(namespace):
        raise AttributeError(f"{namespace} has no name {name!r}", name=name, obj=module)
    source, there = table(namespace)[name]
    try:
        value = importlib.import_module(source)
        for part in there.split("."):
            value = getattr(value, part)
    except ImportError as error:
        if not (error.name or "").startswith("tinytorch.core."):
            raise
        raise AttributeError(f"{namespace}.{name} is not here yet: {error}") from None
    except AttributeError:
        advice = f"It was built from an earlier release of the course. Run `tito update`, then build {source} again"
        raise AttributeError(f"{namespace}.{name} is not here: {source} has no {there}. {advice}.") from None
    if not hasattr(builtins, name):  # code in tinytorch/__init__.py means the built-in `sum`
        setattr(module, name, value)
    return value


def built(namespace: str) -> list[str]:
    """List the names whose module is built."""
    modules = {module for module, _ in table(namespace).values()}
    there = {module for module in modules if _is_built(module)}
    return sorted(name for name, (module, _) in table(namespace).items() if module in there)


def _is_built(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


class Namespace(ModuleType):
    """A module that has no file: its names come from the table."""

    __path__ = ()  # so `from tinytorch.nn import Linear` asks NotBuiltYet for the reason if there is no Linear

    def __getattr__(self, name: str):
        return find(self.__name__, name)

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *built(self.__name__)})


def add_namespaces() -> None:
    """Make `tinytorch.nn` and the other namespaces of the table, so that they can be imported."""
    for path in NAMES:
        parent, _, name = path.rpartition(".")
        if parent:
            sys.modules[path] = Namespace(path, f"{path}: names of what the course builds, see tinytorch/names.py.")
            setattr(sys.modules[parent], name, sys.modules[path])
