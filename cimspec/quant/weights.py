"""Float weights of a network, and folding batch normalization into the layer before it. Needs no torch.

Weights by layer name. Convolution: `weight` [outputs, inputs of a group, kernel height, kernel width], `bias`
[outputs]. Linear: `weight` [outputs, inputs], `bias` [outputs]. Batch normalization: `gamma`, `beta`, `mean`,
`variance`, all [channels]. Layer normalization: `gamma`, `beta` [features]. Affine: `factor`, `shift`, in a shape that
broadcasts to the layer's. Constant: `value`, in the layer's shape.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from msgspec import structs

from cimspec.graph.graph import Graph
from cimspec.graph.layer import Affine, BatchNorm, Conv2d, Layer, Linear

Float32 = npt.NDArray[np.float32]
LayerWeights = Mapping[str, Float32]
Weights = Mapping[str, LayerWeights]

BATCH_NORM_EPSILON = 1e-5
"""Added to the variance, as in torch and in ONNX's default."""


def fold_batch_norm(graph: Graph, weights: Weights) -> tuple[Graph, Weights]:
    """The same function without batch normalization.

    `gamma/sqrt(variance + eps)` goes into weights and bias of the layer before it, whose readers then read that layer;
    where that one has no weights, or something else reads it too, the normalization becomes an affine layer.
    """
    foldable = {layer.inputs[0]: layer for layer in graph.layers if _is_foldable(graph, layer)}
    renamed = {norm.name: source for source, norm in foldable.items()}
    kept = [_without_statistics(layer) for layer in graph.layers if layer.name not in renamed]
    if graph.output.name in renamed:  # the layer it is folded into becomes the output, so it has to be last
        kept.sort(key=lambda layer: layer.name == renamed[graph.output.name])
    layers = tuple(
        structs.replace(layer, inputs=tuple(renamed.get(name, name) for name in layer.inputs)) for layer in kept
    )
    folded: dict[str, LayerWeights] = {}
    for name, values in weights.items():
        if name in foldable:
            folded[name] = fold_into(values, weights[foldable[name].name])
        elif isinstance(graph[name].op, BatchNorm) and name not in renamed:
            folded[name] = as_affine(values, axes=len(graph[name].shape))
        elif name not in renamed:
            folded[name] = values
    return Graph(graph.name, layers), folded


def fold_into(layer: LayerWeights, norm: LayerWeights) -> LayerWeights:
    """`gamma * (W x + b - mean) / sqrt(variance + eps) + beta` as one weight and one bias."""
    scale = _normalizing_scale(norm)
    weight = layer["weight"] * scale.reshape(-1, *([1] * (layer["weight"].ndim - 1)))
    bias = (layer["bias"].astype(np.float64) - norm["mean"]) * scale + norm["beta"]
    return {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}


def as_affine(norm: LayerWeights, axes: int) -> LayerWeights:
    """`gamma * (x - mean) / sqrt(variance + eps) + beta` as `factor` and `shift`, for tensors of so many `axes`."""
    factor = _normalizing_scale(norm)
    shift = norm["beta"] - norm["mean"] * factor
    shape = (-1, *(1,) * (axes - 1))
    return {"factor": factor.astype(np.float32).reshape(shape), "shift": shift.astype(np.float32).reshape(shape)}


def _normalizing_scale(norm: LayerWeights) -> npt.NDArray[np.float64]:
    scale = norm["gamma"].astype(np.float64) / np.sqrt(norm["variance"].astype(np.float64) + BATCH_NORM_EPSILON)
    return np.asarray(scale)


def _is_foldable(graph: Graph, layer: Layer) -> bool:
    """Whether a layer is a normalization that weights before it can take."""
    if not isinstance(layer.op, BatchNorm):
        return False
    source = graph[layer.inputs[0]]
    return isinstance(source.op, Conv2d | Linear) and graph.consumers(source.name) == (layer,)


def _without_statistics(layer: Layer) -> Layer:
    return structs.replace(layer, op=Affine()) if isinstance(layer.op, BatchNorm) else layer


def digital_weights(graph: Graph, weights: Weights) -> Weights:
    """The parameters of layers that compute with real values, which quantization leaves as they are."""
    return {name: own for name, own in weights.items() if not graph[name].runs_on_crossbars}
