"""Weights of a described network, from a file and into one: WeightsFile + Graph <-> Weights.

Tensors are called as in a PyTorch state dict, by the layer that they belong to: `c1.weight`, `n1.running_mean`; parts
of attention by the layers that they become: `a1_q.weight`. Shapes are PyTorch's, which are those of `Weights`.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cimspec.diag import Diagnostic, Diagnostics, Span, did_you_mean, fail
from cimspec.graph.graph import Graph
from cimspec.graph.layer import Affine, BatchNorm, Constant, Conv2d, Layer, LayerNorm, Linear, Shape
from cimspec.quant.stored import FLOATS, StoredTensor, stored_tensors
from cimspec.quant.weights import Float32, LayerWeights, Weights
from cimspec.spec.blocks import Spans
from cimspec.spec.workload import ModelSpec

WRAPPERS = ("module.", "_orig_mod.")
"""What `DataParallel` and `torch.compile` put before all names."""

COUNTERS = "num_batches_tracked"
"""What torch's batch normalization stores besides its parameters."""

SHOWN = 5
"""Names of superfluous tensors that a message lists."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One tensor of a layer."""

    key: str  # among the layer's weights
    suffix: str  # of its name in a file
    shape: Shape
    default: float | None = None  # all its values, where a file has none; None: it must have


@dataclass(frozen=True, slots=True, eq=False)
class WeightsRead:
    """The weights in a file, and what is odd about it."""

    weights: Weights
    warnings: tuple[Diagnostic, ...]


def parameters_of(layer: Layer) -> tuple[Parameter, ...]:
    """The tensors that a layer needs."""
    match layer.op:
        case Conv2d() as op:
            return _multiplied(op.out_channels, op.in_channels // op.groups, *op.window.kernel)
        case Linear() as op:
            return _multiplied(op.out_features, op.in_features)
        case BatchNorm(channels):
            names = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
            return tuple(Parameter(key, suffix, (channels,)) for key, suffix in names.items())
        case LayerNorm(features):
            return Parameter("gamma", "weight", (features,)), Parameter("beta", "bias", (features,), 0.0)
        case Affine(initial_factor):
            return Parameter("factor", "factor", (1,), initial_factor), Parameter("shift", "shift", (1,), 0.0)
        case Constant():
            return (Parameter("value", "value", layer.shape),)
        case _:
            return ()


def _multiplied(*shape: int) -> tuple[Parameter, ...]:
    """The tensors of a layer whose weight has this shape, outputs first."""
    return Parameter("weight", "weight", shape), Parameter("bias", "bias", shape[:1], 0.0)


def open_weights(model: ModelSpec, graph: Graph, spans: Spans | None = None) -> WeightsRead | None:
    """The weights of `graph` from the file that `model` names, if it does; `spans` place errors in the `.cim` file.

    Raises `CimError` with all that is wrong: CIM440 for a file that cannot be read, CIM441 for each tensor that is
    missing, CIM442 for another shape, CIM444 for values and CIM445 for types that no network has.
    """
    if model.weights is None:
        return None
    spans = spans or {}
    span = spans.get(("model", "weights"))
    needed = [f"{layer.name}.{each.suffix}" for layer in graph.layers for each in parameters_of(layer)]
    known = set(needed)
    tensors = _by_layer(stored_tensors(model.weights, span))
    reading = _Reading(
        model.weights.shown,
        span,
        tensors,
        {name: tensor for name, tensor in tensors.items() if name not in known},
        {layer.name: spans.get(("model", "layers", index)) for index, layer in enumerate(model.layers)},
        Diagnostics(),
    )
    read = {layer.name: own for layer in graph.layers if (own := reading.layer(layer))}
    reading.report_superfluous([name for name in needed if name not in tensors])
    reading.diagnostics.raise_if_errors()
    return WeightsRead(read, reading.diagnostics.all)


def has_safetensors() -> bool:
    """Whether `save_weights` can write."""
    return importlib.util.find_spec("safetensors") is not None


def save_weights(path: Path, graph: Graph, weights: Weights) -> None:
    """Write the weights of `graph`, to be given back as `weights = "..."`. Raises CIM903 where that is not possible."""
    from safetensors.numpy import save

    tensors = {
        f"{layer.name}.{each.suffix}": np.ascontiguousarray(weights[layer.name][each.key])
        for layer in graph.layers
        for each in parameters_of(layer)
    }
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(save(tensors, metadata={"format": "pt"}))
        partial.replace(path)
    except OSError as error:
        fail("CIM903", f"cannot write `{path}`: {error.strerror}", help="choose another folder with `--out`")


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """A file being read: its tensors by the names that layers know them by, and where layers are written."""

    shown: str
    span: Span | None
    tensors: Mapping[str, StoredTensor]
    superfluous: Mapping[str, StoredTensor]  # those of them that no layer takes
    written: Mapping[str, Span | None]
    diagnostics: Diagnostics

    def layer(self, layer: Layer) -> LayerWeights:
        """A layer's weights; without those that something is wrong with, after reporting it."""
        found = {each.key: self._values(layer, each) for each in parameters_of(layer)}
        return {key: values for key, values in found.items() if values is not None}

    def _values(self, layer: Layer, parameter: Parameter) -> Float32 | None:
        name = f"{layer.name}.{parameter.suffix}"
        stored, at = self.tensors.get(name), self._place(layer)
        error = self.diagnostics.error
        if stored is None and parameter.default is not None:
            return np.full(parameter.shape, parameter.default, np.float32)
        if stored is None:
            message = f"`{self.shown}` has no tensor `{name}`, {list(parameter.shape)}"
            error("CIM441", message, at, label=self._similar(name, parameter.shape))
        elif stored.shape != parameter.shape:
            message = f"`{name}` in `{self.shown}` is {list(stored.shape)}, the layer needs {list(parameter.shape)}"
            turned = len(stored.shape) == 2 and stored.shape == parameter.shape[::-1]
            hint = "transpose it: rows are outputs, as in PyTorch" if turned else "describe the network of this file"
            error("CIM442", message, at, help=hint)
        elif not stored.is_float:
            message = f"`{name}` in `{self.shown}` is of type {stored.dtype}"
            error("CIM445", message, at, help=f"save it as one of {', '.join(FLOATS.values())}")
        else:
            values = stored.read()
            wrong = int(np.count_nonzero(~np.isfinite(values)))
            if wrong:
                message = f"`{name}` in `{self.shown}` holds {wrong} values that are NaN or infinite"
                error("CIM444", message, at, help="save weights from before the training diverged")
            elif parameter.key == "variance" and (values < 0).any():
                message = f"`{name}` in `{self.shown}` holds a variance below 0"
                error("CIM444", message, at, help="save the running variance, not its logarithm or a difference")
            return values
        return None

    def _place(self, layer: Layer) -> Span | None:
        """The statement that the layer was made from: its own, or one with a name that the layer's begins with."""
        owners = [name for name in self.written if layer.name == name or layer.name.startswith(f"{name}_")]
        return self.written[max(owners, key=len)] if owners else self.span

    def _similar(self, name: str, shape: Shape) -> str | None:
        """A hint at a tensor that may be the one that is missing."""
        fitting = [other for other, stored in self.superfluous.items() if stored.shape == shape]
        meant = fitting[0] if len(fitting) == 1 else did_you_mean(name, fitting)
        return f"did you mean `{meant}`, which has this shape?" if meant else None

    def report_superfluous(self, absent: Sequence[str]) -> None:
        """Warn of tensors that belong to no layer; some of `absent` may be what they were meant for."""
        left = [name for name in self.superfluous if not name.endswith(f".{COUNTERS}")]
        if not left:
            return
        shown = ", ".join(f"`{name}`" for name in left[:SHOWN]) + ", ..." * (len(left) > SHOWN)
        notes = [
            f"did you mean `{meant}` by `{name}`?" for name in left[:SHOWN] if (meant := did_you_mean(name, absent))
        ]
        count = "a tensor" if len(left) == 1 else f"{len(left)} tensors"
        self.diagnostics.warning(
            "CIM443",
            f"`{self.shown}` has {count} that no layer takes: {shown}",
            self.span,
            notes=notes,
            help="a layer is missing or has another name, or the file is that of another network",
        )


def _by_layer(tensors: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Tensors by the names that layers know them by; one that has such a name already goes before others."""
    for wrapper in WRAPPERS:
        if all(name.startswith(wrapper) for name in tensors):
            tensors = {name.removeprefix(wrapper): tensor for name, tensor in tensors.items()}
    result = {name: tensor for name, tensor in tensors.items() if _plain(name) == name}
    for name, tensor in tensors.items():
        result.setdefault(_plain(name), tensor)
    return result


def _plain(name: str) -> str:
    """`layer1.0.conv1.weight` -> `layer1_0_conv1.weight`, as in networks from ONNX: names of layers have no dots."""
    module, dot, suffix = name.rpartition(".")
    module = module.replace(".", "_")
    return f"{'n_' * module[:1].isdigit()}{module}{dot}{suffix}"
