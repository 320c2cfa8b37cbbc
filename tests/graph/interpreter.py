"""The meaning of a layer graph: one line of float64 for each operation, nothing clever."""

from collections.abc import Mapping
from typing import assert_never

import numpy as np
import torch
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
    Product,
    Relu,
    Reshape,
    Slice,
    Softmax,
    Transpose,
)

FUNCTIONS = {
    Function.SIGMOID: torch.sigmoid,
    Function.TANH: torch.tanh,
    Function.ERF: torch.erf,
    Function.GELU: lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
    Function.GELU_TANH: lambda x: x * (1 + torch.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))) / 2,
    Function.SILU: lambda x: x * torch.sigmoid(x),
    Function.HARD_SIGMOID: lambda x: torch.clamp(x / 6 + 0.5, 0, 1),
    Function.HARD_SWISH: lambda x: x * torch.clamp(x / 6 + 0.5, 0, 1),
}


def interpret(graph: Graph, weights: Mapping[str, Mapping[str, np.ndarray]], image: np.ndarray) -> np.ndarray:
    """The output for one image, without a batch axis."""
    values = {}
    with torch.no_grad():
        for layer in graph.layers:
            own = {
                name: torch.tensor(array, dtype=torch.float64) for name, array in weights.get(layer.name, {}).items()
            }
            if isinstance(layer.op, Input):
                values[layer.name] = torch.tensor(image, dtype=torch.float64)
            else:
                values[layer.name] = compute(layer, [values[name] for name in layer.inputs], own)
            assert values[layer.name].shape == layer.shape, layer
    return values[graph.output.name].numpy()


def padded(image: torch.Tensor, layer: Layer, value: float) -> torch.Tensor:
    top, left, bottom, right = layer.op.window.padding
    return functional.pad(image[None], (left, right, top, bottom), value=value)


def compute(layer: Layer, inputs: list[torch.Tensor], own: Mapping[str, torch.Tensor]) -> torch.Tensor:  # noqa: C901
    x = inputs[0] if inputs else None
    match layer.op:
        case Constant():
            return own["value"]
        case Conv2d(window=window, groups=groups):
            image = padded(x, layer, 0)
            stride, dilation = window.stride, window.dilation
            return functional.conv2d(image, own["weight"], own["bias"], stride, 0, dilation, groups)[0]
        case Linear():
            return x @ own["weight"].T + own["bias"]
        case Product():
            return x @ inputs[1]
        case BatchNorm():
            shape = (-1, *(1,) * (x.ndim - 1))
            scale = own["gamma"] / torch.sqrt(own["variance"] + 1e-5)
            return (x - own["mean"].reshape(shape)) * scale.reshape(shape) + own["beta"].reshape(shape)
        case Affine():
            return x * own["factor"] + own["shift"]
        case LayerNorm(epsilon=epsilon):
            centered = x - x.mean(-1, keepdim=True)
            return centered / torch.sqrt((centered**2).mean(-1, keepdim=True) + epsilon) * own["gamma"] + own["beta"]
        case Relu():
            return torch.clamp(x, min=0)
        case Clip(low, high):
            return torch.clamp(x, low, high)
        case Elementwise(function):
            return FUNCTIONS[function](x)
        case Softmax(axis):
            return torch.softmax(x, axis)
        case LocalResponseNorm(size, alpha, beta, bias):
            first = (size - 1) // 2
            channels = range(len(x))
            squares = [sum(x[n] ** 2 for n in range(c - first, c - first + size) if n in channels) for c in channels]
            return x / (bias + alpha / size * torch.stack(squares)) ** beta
        case MaxPool(window):
            image = padded(x, layer, -torch.inf)
            return functional.max_pool2d(image, window.kernel, window.stride, 0, window.dilation)[0]
        case AvgPool(window, counts_padding):
            assert window.dilation == (1, 1)
            total = functional.avg_pool2d(padded(x, layer, 0), window.kernel, window.stride)[0]
            inside = functional.avg_pool2d(padded(torch.ones_like(x), layer, 0), window.kernel, window.stride)[0]
            return total if counts_padding else total / inside
        case GlobalAvgPool():
            return x.mean((1, 2))
        case MeanTokens():
            return x.mean(0)
        case Add():
            return x + inputs[1]
        case Multiply():
            return x * inputs[1]
        case Concat(axis):
            return torch.cat(inputs, axis)
        case Slice(axis, start, stop, step):
            return x[(*(slice(None),) * axis, slice(start, stop, step))]
        case Reshape():
            return x.reshape(layer.shape)
        case Transpose(axes):
            return x.permute(axes)
        case Input():
            raise AssertionError("the input computes nothing")
        case _:
            assert_never(layer.op)
