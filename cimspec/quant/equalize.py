"""Give the channels between two layers one range of values: Graph + Weights + images -> Weights of the same function.

All channels of a tensor share one step of activations. At two or three bits, what suits the channels with large values
leaves those with small ones a code or two. Where nothing lies between two layers with weights but what commutes with
positive factors, the first one's outputs are divided by a factor for each channel, and the weights of the second that
read that channel are multiplied by it (Nagel et al., "Data-free quantization through weight equalization and bias
correction", ICCV 2019). Here activations alone decide: weights have a step for each output, and are rounded by what
reaches them.

The graph has no batch normalization any more (`fold_batch_norm`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cimspec.data.dataset import Images
from cimspec.graph.graph import Graph
from cimspec.graph.layer import AvgPool, Conv2d, GlobalAvgPool, Layer, Linear, MaxPool, Relu, Reshape
from cimspec.graph.signs import nonnegative_layers
from cimspec.quant.device import CPU
from cimspec.quant.execute import Plan, float_function, to_tensors
from cimspec.quant.parameters import FloatArray
from cimspec.quant.steps import activation_step, drawn
from cimspec.quant.weights import Float32, LayerWeights, Weights

FITTED_BITS = 2
"""Bits that ranges are fitted for: the fewest, where one step for all channels costs most."""
LARGEST_FACTOR = 4.0
"""A channel that hardly ever says anything would get weights that dwarf all others."""
CHANNEL_SAMPLE = 4096
"""Values of a channel that its range is fitted to."""
COMMUTING = (Relu, MaxPool, AvgPool, GlobalAvgPool)
"""Operations that give `f x` the result of `x` times `f`, for a factor f > 0 of each channel."""


@dataclass(frozen=True, slots=True)
class Link:
    """Two layers with weights, the second of which is all that reads the first one's channels."""

    writer: str
    reader: str
    channels: int


def equalize(graph: Graph, weights: Weights, images: Images, *, device: torch.device = CPU) -> Weights:
    """Weights of the same function, whose linked layers have channels of like ranges on `images`.

    `images` are [images, channels, height, width].
    """
    found = tuple(links(graph))
    result = dict(weights)
    by_reader = _factors(graph, weights, found, images, device)
    for link in found:
        factors = by_reader[link.reader]
        result[link.writer] = _divided(result[link.writer], factors)
        result[link.reader] = _multiplied(result[link.reader], factors, _groups(graph[link.reader]))
    return result


def links(graph: Graph) -> Iterator[Link]:
    """The pairs of layers that factors can pass between, in execution order."""
    for reader in graph.crossbar_layers:
        writer = _writer(graph, reader)
        if writer is not None:
            yield Link(writer.name, reader.name, writer.shape[0])


def _writer(graph: Graph, reader: Layer) -> Layer | None:
    """The layer whose channels, outermost in every tensor on the way, reach `reader` and nothing else."""
    if not _reads_channels(graph, reader):
        return None
    while True:
        source = graph[reader.inputs[0]]
        if graph.consumers(source.name) != (reader,):
            return None
        if isinstance(source.op, Conv2d) or (isinstance(source.op, Linear) and len(source.shape) == 1):
            return source
        if not (isinstance(source.op, COMMUTING) or _flattens(source)):
            return None
        reader = source


def _reads_channels(graph: Graph, reader: Layer) -> bool:
    """Whether inputs of a layer's weights are the channels, or the places of one channel after the other."""
    return isinstance(reader.op, Conv2d) or (isinstance(reader.op, Linear) and len(graph[reader.inputs[0]].shape) == 1)


def _flattens(layer: Layer) -> bool:
    return isinstance(layer.op, Reshape) and len(layer.shape) == 1


def _groups(layer: Layer) -> int:
    return layer.op.groups if isinstance(layer.op, Conv2d) else 1


def _factors(
    graph: Graph, weights: Weights, found: tuple[Link, ...], images: Images, device: torch.device
) -> Mapping[str, FloatArray]:
    """By reader, the factors [channels] of what it is given."""
    nonnegative = nonnegative_layers(graph)
    compute = float_function(to_tensors(weights, device))
    by_reader = {link.reader: link for link in found}
    factors: dict[str, FloatArray] = {}

    def observe(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
        if link := by_reader.get(layer.name):
            signed = layer.inputs[0] not in nonnegative
            factors[layer.name] = channel_factors(_sampled(operands[0], link.channels), signed=signed)
        return compute(layer, operands)

    with torch.no_grad():
        Plan.of(graph).run(torch.from_numpy(images).to(device), observe)
    return factors


def _sampled(inputs: Tensor, channels: int) -> Float32:
    """Up to `CHANNEL_SAMPLE` values of each channel, at the same images and places: [channels, n]."""
    by_place = inputs.reshape(len(inputs), channels, -1)
    places = by_place.shape[2]
    chosen = torch.from_numpy(drawn(len(inputs) * places, CHANNEL_SAMPLE)).to(inputs.device)
    values: Float32 = by_place[chosen // places, :, chosen % places].T.cpu().numpy()
    return values


def channel_factors(values: Float32, *, signed: bool) -> FloatArray:
    """The best step of each channel over their median: values [channels, n] -> [channels].

    With these divided out, one step suits all channels, as far as `LARGEST_FACTOR` allows.
    """
    steps = np.array([activation_step(channel, FITTED_BITS, signed=signed) for channel in values])
    lively = (np.abs(values) if signed else values).max(axis=1) > 0
    if not lively.any():
        return np.ones(len(values))
    factors = np.clip(steps / np.median(steps[lively]), 1 / LARGEST_FACTOR, LARGEST_FACTOR)
    return np.asarray(factors, np.float64)


def _divided(own: LayerWeights, factors: FloatArray) -> LayerWeights:
    """A layer whose outputs are divided by `factors` [outputs]."""
    weight = own["weight"] / factors.reshape(-1, *(1,) * (own["weight"].ndim - 1))
    return {"weight": weight.astype(np.float32), "bias": (own["bias"] / factors).astype(np.float32)}


def _multiplied(own: Mapping[str, Float32], factors: FloatArray, groups: int) -> LayerWeights:
    """A layer that gives the same for inputs whose channels are divided by `factors` [channels]."""
    weight = own["weight"]
    by_input = weight.reshape(groups, len(weight) // groups, len(factors) // groups, -1)
    scaled = by_input * factors.reshape(groups, 1, -1, 1)
    return {"weight": scaled.reshape(weight.shape).astype(np.float32), "bias": own["bias"]}
