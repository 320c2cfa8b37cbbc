"""Run a graph on torch tensors: Graph + parameters + images -> outputs.

The order and the operations without weights are written here once; what a crossbar layer, a normalization and
an `add` do is a parameter, so that float, quantized and trainable networks share it.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import assert_never

import torch
from torch import Tensor
from torch.nn import functional

from cimspec.graph.graph import Graph
from cimspec.graph.layer import (
    Add,
    Affine,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Constant,
    Conv2d,
    Elementwise,
    Function,
    GlobalAvgPool,
    Input,
    Layer,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    MaxPool,
    MeanTokens,
    Multiply,
    Op,
    Product,
    Relu,
    Reshape,
    Slice,
    Softmax,
    Transpose,
)
from cimspec.graph.window import Window
from cimspec.quant.convolve import channels_last, convolve
from cimspec.quant.device import CPU
from cimspec.quant.order import run_order
from cimspec.quant.weights import BATCH_NORM_EPSILON, Weights

Tensors = Mapping[str, Mapping[str, Tensor]]
LayerFunction = Callable[[Layer, tuple[Tensor, ...]], Tensor]
"""What a layer with parameters makes of its operands."""

SMALL_AREA = 9
"""Of pooling windows whose values are compared one by one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A graph's layers as they are run, and for each of them the names no later layer reads."""

    graph: Graph
    layers: tuple[Layer, ...]  # after the input
    last_reads: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, graph: Graph, unsigned: Collection[str] = ()) -> "Plan":
        """The plan of `graph`; its output is never dropped. `unsigned` layers code their inputs from 0 up."""
        last_reader = {name: layer.name for layer in graph.layers for name in layer.inputs}
        last_reader.pop(graph.output.name, None)
        drops = {
            layer.name: tuple(name for name in layer.inputs if last_reader.get(name) == layer.name)
            for layer in graph.layers
        }
        return cls(graph, run_order(graph, unsigned), drops)

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


def apply_layer(layer: Layer, operands: tuple[Tensor, ...], apply: LayerFunction) -> Tensor:
    """One layer's output; `apply` computes those with parameters, products, and additions."""
    match layer.op:
        case Conv2d() | Linear() | Product() | BatchNorm() | Add() | Affine() | LayerNorm() | Constant():
            return apply(layer, operands)
        case Relu():
            return functional.relu(operands[0])
        case Input():
            raise ValueError("the input computes nothing")
        case MaxPool() | AvgPool() | GlobalAvgPool() | MeanTokens():
            return pooled(layer.op, operands[0])
        case Reshape() | Transpose() | Slice() | Concat():
            return rearranged(layer, operands)
        case _:
            return function(layer.op, operands)


def pooled(op: MaxPool | AvgPool | GlobalAvgPool | MeanTokens, inputs: Tensor) -> Tensor:
    """Maxima or means."""
    match op:
        case MaxPool(window):
            return max_pooled(pad(inputs, window, -math.inf), window)
        case AvgPool(window, counts_padding):
            if any(window.padding) and not counts_padding:
                inside = pad(torch.ones_like(inputs[:1, :1]), window, 0.0)
                sizes = functional.avg_pool2d(inside, window.kernel, window.stride)
                return functional.avg_pool2d(pad(inputs, window, 0.0), window.kernel, window.stride) / sizes
            return functional.avg_pool2d(pad(inputs, window, 0.0), window.kernel, window.stride)
        case GlobalAvgPool():
            return inputs.mean((2, 3))
        case MeanTokens():
            return inputs.mean(1)
        case _:
            assert_never(op)


def max_pooled(padded: Tensor, window: Window) -> Tensor:
    """The largest value of each window.

    Without a gradient nobody asks where it was: the maximum of the window's values, position by position, is then
    two to three times as fast for small windows side by side.
    """
    if padded.requires_grad or window.kernel != window.stride or window.dilation != (1, 1) or window.area > SMALL_AREA:
        return functional.max_pool2d(padded, window.kernel, window.stride, dilation=window.dilation)
    (down, right), (height, width) = window.kernel, padded.shape[2:]
    whole = padded[..., : height // down * down, : width // right * right]
    values = [whole[..., y::down, x::right] for y in range(down) for x in range(right)]
    return reduce(torch.maximum, values)


def rearranged(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
    """The operands' values in other places."""
    inputs = operands[0]
    match layer.op:
        case Reshape():
            return inputs.reshape(len(inputs), *layer.shape)
        case Transpose(axes):
            return inputs.permute(0, *(axis + 1 for axis in axes))
        case Slice(axis, start, stop, step):
            return inputs[(*(slice(None),) * (axis + 1), slice(start, stop, step))]
        case Concat(axis):
            batch = max(map(len, operands))
            return torch.cat([part.expand(batch, *part.shape[1:]) for part in operands], axis + 1)
        case _:
            raise ValueError(f"{layer.name} computes something")


def function(op: Op, operands: tuple[Tensor, ...]) -> Tensor:
    """Functions of real values."""
    match op:
        case Clip(low, high):
            return operands[0].clamp(low, high)
        case Elementwise(which):
            return FUNCTIONS[which](operands[0])
        case Softmax(axis):
            return operands[0].softmax(axis + 1)
        case LocalResponseNorm(size, alpha, beta, bias):
            return _local_response(operands[0], size, alpha, beta, bias)
        case Multiply():
            a, b = aligned(*operands)
            return a * b
        case _:
            raise ValueError(f"{op} has parameters")


FUNCTIONS: Mapping[Function, Callable[[Tensor], Tensor]] = {
    Function.SIGMOID: torch.sigmoid,
    Function.TANH: torch.tanh,
    Function.ERF: torch.erf,
    Function.GELU: functional.gelu,
    Function.GELU_TANH: lambda values: functional.gelu(values, approximate="tanh"),
    Function.SILU: functional.silu,
    Function.HARD_SIGMOID: functional.hardsigmoid,
    Function.HARD_SWISH: functional.hardswish,
}


def pad(inputs: Tensor, window: Window, value: float) -> Tensor:
    """Images with the window's padding around them."""
    if not any(window.padding):
        return inputs
    top, left, bottom, right = window.padding
    return functional.pad(inputs, (left, right, top, bottom), value=value)


def aligned(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two tensors with as many axes each, so that batch stays with batch when one is repeated."""
    axes = max(a.ndim, b.ndim)
    a, b = (each.reshape(len(each), *(1,) * (axes - each.ndim), *each.shape[1:]) for each in (a, b))
    return a, b


def _local_response(inputs: Tensor, size: int, alpha: float, beta: float, bias: float) -> Tensor:
    before = (size - 1) // 2
    squares = functional.pad(inputs**2, (0, 0, 0, 0, before, size - 1 - before))
    total = squares.unfold(1, size, 1).sum(-1)
    return inputs / (bias + alpha / size * total) ** beta


def multiply(layer: Layer, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The product of a crossbar layer: [images, ...] -> [images, outputs, ...]."""
    match layer.op:
        case Conv2d() as op:
            top, left, bottom, right = op.window.padding
            if (top, left) == (bottom, right):
                sides: tuple[int, int] = (top, left)
            else:
                inputs, sides = pad(inputs, op.window, 0.0), (0, 0)
            return convolve(op, inputs, weight, bias, sides)
        case Linear():
            return functional.linear(inputs, weight, bias)
        case _:
            raise ValueError(f"{layer.name} has no weights")


def digital(layer: Layer, operands: tuple[Tensor, ...], own: Mapping[str, Tensor]) -> Tensor:
    """A layer that computes with its parameters as they are."""
    match layer.op:
        case Affine():
            return operands[0] * own["factor"] + own["shift"]
        case LayerNorm(features, epsilon):
            return functional.layer_norm(operands[0], (features,), own["gamma"], own["beta"], epsilon)
        case Constant():
            return own["value"][None]
        case BatchNorm():
            return functional.batch_norm(
                operands[0], own["mean"], own["variance"], own["gamma"], own["beta"], eps=BATCH_NORM_EPSILON
            )
        case _:
            raise ValueError(f"{layer.name} is quantized")


def float_function(tensors: Tensors) -> LayerFunction:
    """The float network; batch normalization uses its running statistics."""

    def apply(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
        match layer.op:
            case Add():
                a, b = aligned(*operands)
                return a + b
            case Product():
                return operands[0] @ operands[1]
            case Conv2d() | Linear():
                own = tensors[layer.name]
                return multiply(layer, operands[0], own["weight"], own["bias"])
            case _:
                return digital(layer, operands, tensors[layer.name])

    return apply


def to_tensors(weights: Weights, device: torch.device = CPU) -> dict[str, dict[str, Tensor]]:
    """Copies of `weights` as torch tensors on `device`."""
    return {
        name: {key: channels_last(torch.tensor(value, device=device)) for key, value in values.items()}
        for name, values in weights.items()
    }


def to_weights(tensors: Tensors) -> Weights:
    """Copies of `tensors` as numpy arrays."""
    return {
        name: {key: value.detach().cpu().contiguous().numpy().copy() for key, value in values.items()}
        for name, values in tensors.items()
    }


def float_outputs(graph: Graph, weights: Weights, images: Tensor, batch: int = 512) -> Tensor:
    """Outputs [images, ...] of the float network, computed `batch` images at a time, on the device of `images`."""
    plan, apply = Plan.of(graph), float_function(to_tensors(weights, images.device))
    with torch.no_grad():
        return torch.cat([plan.run(part, apply) for part in torch.split(images, batch)])
