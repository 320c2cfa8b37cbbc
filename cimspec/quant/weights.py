"""Float weights of a network, and folding batch normalization into the layer before it. Needs no torch.

Weights by layer name. Convolution: `weight` [outputs, inputs, kernel, kernel], `bias` [outputs]. Linear:
`weight` [outputs, inputs], `bias` [outputs].
Normalization: `gamma`, `beta`, `mean`, `variance`, all [channels].
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cimspec.diag import fail
from cimspec.graph.graph import Graph
from cimspec.graph.layer import BatchNorm, Layer

Float32 = npt.NDArray[np.float32]
LayerWeights = Mapping[str, Float32]
Weights = Mapping[str, LayerWeights]

BATCH_NORM_EPSILON = 1e-5
"""Added to the variance, as in torch and in ONNX's default."""


def fold_batch_norm(graph: Graph, weights: Weights) -> tuple[Graph, Weights]:
    """The same function without batch normalization: `gamma/sqrt(variance + eps)` goes into weights and bias.

    Readers of a batch normalization read the layer before it. Raises `CimError` (CIM402) if that layer is no
    convolution or linear layer, or if something else reads it too.
    """
    normalized = {layer.inputs[0]: layer for layer in graph.layers if isinstance(layer.op, BatchNorm)}
    for source, norm in normalized.items():
        _check_foldable(graph, graph[source], norm)
    renamed = {norm.name: source for source, norm in normalized.items()}
    kept = [layer for layer in graph.layers if not isinstance(layer.op, BatchNorm)]
    if graph.output.name in renamed:  # the layer it is folded into becomes the output, so it has to be last
        kept.sort(key=lambda layer: layer.name == renamed[graph.output.name])
    layers = tuple(replace(layer, inputs=tuple(renamed.get(name, name) for name in layer.inputs)) for layer in kept)
    folded = {
        name: fold_into(values, weights[normalized[name].name]) if name in normalized else values
        for name, values in weights.items()
        if name not in renamed
    }
    return Graph(graph.name, layers), folded


def fold_into(layer: LayerWeights, norm: LayerWeights) -> LayerWeights:
    """`gamma * (W x + b - mean) / sqrt(variance + eps) + beta` as one weight and one bias."""
    scale = norm["gamma"].astype(np.float64) / np.sqrt(norm["variance"].astype(np.float64) + BATCH_NORM_EPSILON)
    weight = layer["weight"] * scale.reshape(-1, *([1] * (layer["weight"].ndim - 1)))
    bias = (layer["bias"].astype(np.float64) - norm["mean"]) * scale + norm["beta"]
    return {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}


def _check_foldable(graph: Graph, source: Layer, norm: Layer) -> None:
    if not source.runs_on_crossbars:
        fail(
            "CIM402",
            f"batch normalization `{norm.name}` reads `{source.name}`, which has no weights to fold it into",
            help="put it right after a `conv2d` or `linear` layer",
        )
    others = [reader.name for reader in graph.consumers(source.name) if reader.name != norm.name]
    if others:
        fail(
            "CIM402",
            f"`{source.name}` feeds `{others[0]}` as well as batch normalization `{norm.name}`,"
            " which therefore cannot be folded into it",
            help=f"let `{others[0]}` read `{norm.name}`",
        )
