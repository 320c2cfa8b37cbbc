"""Run a graph on torch tensors: Graph + parameters + images -> outputs.

The order and the operations without weights are written here once; what a crossbar layer, a normalization and
an `add` do is a parameter, so that float, quantized and trainable networks share it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import assert_never

import torch
from torch import Tensor
from torch.nn import functional

from cimspec.graph.graph import Graph
from cimspec.graph.layer import (
    Add,
    AvgPool,
    BatchNorm,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Input,
    Layer,
    Linear,
    MaxPool,
    Relu,
)
from cimspec.quant.weights import BATCH_NORM_EPSILON, Weights

Tensors = Mapping[str, Mapping[str, Tensor]]
LayerFunction = Callable[[Layer, tuple[Tensor, ...]], Tensor]
"""What a layer with parameters makes of its operands."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A graph's layers as they are run, and for each of them the names no later layer reads."""

    graph: Graph
    layers: tuple[Layer, ...]  # after the input
    last_reads: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, graph: Graph) -> "Plan":
        """The plan of `graph`; its output is never dropped."""
        last_reader = {name: layer.name for layer in graph.layers for name in layer.inputs}
        last_reader.pop(graph.output.name, None)
        drops = {
            layer.name: tuple(name for name in layer.inputs if last_reader.get(name) == layer.name)
            for layer in graph.layers
        }
        return cls(graph, pool_before_relu(graph), drops)

    def run(self, images: Tensor, apply: LayerFunction) -> Tensor:
        """Outputs [images, ...] of the network; `apply` computes layers with parameters, and additions."""
        values = {self.graph.layers[0].name: channels_last(images)}
        self.advance(values, self.layers, apply)
        return values[self.graph.output.name]

    def advance(self, values: dict[str, Tensor], layers: Iterable[Layer], apply: LayerFunction) -> None:
        """Run `layers` on the live `values`, in place."""
        for layer in layers:
            operands = tuple(values[name] for name in layer.inputs)
            for name in self.last_reads[layer.name]:
                values.pop(name, None)
            values[layer.name] = apply_layer(layer, operands, apply)


def pool_before_relu(graph: Graph) -> tuple[Layer, ...]:
    """The layers after the input; a relu that only a max pooling reads changes places with it.

    The result is the same, and the relu has fewer values to do. What stands under the relu's name then is the pooling.
    """
    layers = list(graph.layers[1:])
    for index, (relu, pool) in enumerate(pairwise(layers)):
        if isinstance(relu.op, Relu) and isinstance(pool.op, MaxPool) and graph.consumers(relu.name) == (pool,):
            layers[index : index + 2] = [replace(relu, op=pool.op, shape=pool.shape), replace(pool, op=relu.op)]
    return tuple(layers)


def apply_layer(layer: Layer, operands: tuple[Tensor, ...], apply: LayerFunction) -> Tensor:
    """One layer's output; `apply` computes those with parameters, and additions."""
    match layer.op:
        case Conv2d() | Linear() | BatchNorm() | Add():
            return apply(layer, operands)
        case Relu():
            return functional.relu(operands[0])
        case MaxPool() as op:
            return functional.max_pool2d(operands[0], op.kernel, op.stride, op.padding)
        case AvgPool() as op:
            return functional.avg_pool2d(operands[0], op.kernel, op.stride)
        case GlobalAvgPool():
            return operands[0].mean((2, 3))
        case Flatten():
            return operands[0].flatten(1)
        case Input():
            raise ValueError("the input computes nothing")
        case _:
            assert_never(layer.op)


def multiply(layer: Layer, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The product of a crossbar layer: [images, ...] -> [images, outputs, ...]."""
    match layer.op:
        case Conv2d() as op:
            return functional.conv2d(inputs, weight, bias, op.stride, op.padding)
        case Linear():
            return functional.linear(inputs, weight, bias)
        case _:
            raise ValueError(f"{layer.name} has no weights")


def channels_last(tensor: Tensor) -> Tensor:
    """The same values with channels innermost in memory, for images and kernels.

    On a CPU, pooling is then 4-10 times as fast, a first convolution's gradient twice. Shapes stay.
    """
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def float_function(tensors: Tensors) -> LayerFunction:
    """The float network; batch normalization uses its running statistics."""

    def apply(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
        if isinstance(layer.op, Add):
            return operands[0] + operands[1]
        own = tensors[layer.name]
        if isinstance(layer.op, BatchNorm):
            return functional.batch_norm(
                operands[0], own["mean"], own["variance"], own["gamma"], own["beta"], eps=BATCH_NORM_EPSILON
            )
        return multiply(layer, operands[0], own["weight"], own["bias"])

    return apply


def to_tensors(weights: Weights) -> dict[str, dict[str, Tensor]]:
    """Copies of `weights` as torch tensors."""
    return {
        name: {key: channels_last(torch.tensor(value)) for key, value in values.items()}
        for name, values in weights.items()
    }


def to_weights(tensors: Tensors) -> Weights:
    """Copies of `tensors` as numpy arrays."""
    return {
        name: {key: value.detach().contiguous().numpy().copy() for key, value in values.items()}
        for name, values in tensors.items()
    }


def float_outputs(graph: Graph, weights: Weights, images: Tensor, batch: int = 512) -> Tensor:
    """Outputs [images, ...] of the float network, computed `batch` images at a time."""
    plan, apply = Plan.of(graph), float_function(to_tensors(weights))
    with torch.no_grad():
        return torch.cat([plan.run(part, apply) for part in torch.split(images, batch)])
