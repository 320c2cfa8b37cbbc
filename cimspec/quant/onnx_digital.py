"""What layers that run on digital units become in ONNX: one node each, or a few. They compute in float32."""

import math
from collections.abc import Callable, Mapping
from typing import assert_never

import numpy as np

from cimspec.graph.layer import (
    Affine,
    AvgPool,
    Clip,
    Concat,
    Constant,
    Elementwise,
    Function,
    GlobalAvgPool,
    Layer,
    LayerNorm,
    LocalResponseNorm,
    MaxPool,
    MeanTokens,
    Multiply,
    Relu,
    Reshape,
    Shape,
    Slice,
    Softmax,
    Transpose,
)
from cimspec.graph.window import Window
from cimspec.quant.onnx_nodes import Attribute, Nodes
from cimspec.quant.ops import Array

DigitalOp = (
    Constant
    | Affine
    | LayerNorm
    | Relu
    | Clip
    | Elementwise
    | Softmax
    | LocalResponseNorm
    | MaxPool
    | AvgPool
    | GlobalAvgPool
    | MeanTokens
    | Multiply
    | Concat
    | Slice
    | Reshape
    | Transpose
)


def write_digital(  # noqa: C901 (one case an op)
    nodes: Nodes, layer: Layer, op: DigitalOp, inputs: tuple[str, ...], own: Mapping[str, Array]
) -> None:
    """Add the nodes of a layer without codes of its own; `own` are its parameters, batch axes come first.

    `inputs` have as many axes each where the layer combines them.
    """
    name = layer.name
    match op:
        case Constant():
            nodes.store(name, np.asarray(own["value"], np.float32)[None])
        case Affine():
            factor, shift = (np.asarray(own[key], np.float32) for key in ("factor", "shift"))
            scaled = nodes.node("Mul", (*inputs, nodes.store(f"{name}.factor", factor)), f"{name}.scaled")
            nodes.node("Add", (scaled, nodes.store(f"{name}.shift", shift)), name)
        case LayerNorm(_, epsilon):
            both = [nodes.store(f"{name}.{key}", np.asarray(own[key], np.float32)) for key in ("gamma", "beta")]
            nodes.node("LayerNormalization", (*inputs, *both), name, axis=-1, epsilon=epsilon)
        case Relu():
            nodes.node("Relu", inputs, name)
        case Clip(low, high):
            nodes.node("Clip", (*inputs, *_bounds(nodes, name, low, high)), name)
        case Elementwise(function):
            FUNCTIONS[function](nodes, inputs[0], name)
        case Softmax(axis):
            nodes.node("Softmax", inputs, name, axis=axis + 1)
        case LocalResponseNorm(size, alpha, beta, bias):
            nodes.node("LRN", inputs, name, size=size, alpha=alpha, beta=beta, bias=bias)
        case MaxPool(window):
            nodes.node("MaxPool", inputs, name, **window_attributes(window))
        case AvgPool(window, counts_padding):
            nodes.node("AveragePool", inputs, name, **window_attributes(window), count_include_pad=int(counts_padding))
        case GlobalAvgPool():
            nodes.node("Flatten", (nodes.node("GlobalAveragePool", inputs, f"{name}.image"),), name, axis=1)
        case MeanTokens():
            nodes.node("ReduceMean", (*inputs, nodes.store(f"{name}.axes", np.array([1]))), name, keepdims=0)
        case Multiply():
            nodes.node("Mul", inputs, name)
        case Concat(axis):
            nodes.node("Concat", inputs, name, axis=axis + 1)
        case Slice(axis, start, stop, step):
            cut = {"starts": start, "ends": stop, "axes": axis + 1, "steps": step}
            stored = (nodes.store(f"{name}.{key}", np.array([value])) for key, value in cut.items())
            nodes.node("Slice", (*inputs, *stored), name)
        case Reshape():
            reshape(nodes, inputs[0], layer.shape, name)
        case Transpose(order):
            nodes.node("Transpose", inputs, name, perm=(0, *(axis + 1 for axis in order)))
        case _:
            assert_never(op)


def reshape(nodes: Nodes, source: str, shape: Shape, output: str) -> str:
    """The values of each image in another shape."""
    kept_batch = 0
    return nodes.node("Reshape", (source, nodes.store(f"{output}.shape", np.array([kept_batch, *shape]))), output)


def window_attributes(window: Window) -> dict[str, Attribute]:
    """A window as ONNX writes it."""
    return {
        "kernel_shape": window.kernel,
        "strides": window.stride,
        "pads": window.padding,
        "dilations": window.dilation,
    }


def _bounds(nodes: Nodes, name: str, low: float, high: float) -> list[str]:
    """The operands of a Clip; one that is infinite is left out."""
    operands = [
        nodes.store(f"{name}.{key}", np.float32(bound)) if math.isfinite(bound) else ""
        for key, bound in (("low", low), ("high", high))
    ]
    return operands if operands[1] else operands[:1]


def _operator(operator: str, **attributes: Attribute) -> Callable[[Nodes, str, str], None]:
    def write(nodes: Nodes, source: str, name: str) -> None:
        nodes.node(operator, (source,), name, **attributes)

    return write


def _silu(nodes: Nodes, source: str, name: str) -> None:
    nodes.node("Mul", (source, nodes.node("Sigmoid", (source,), f"{name}.sigmoid")), name)


FUNCTIONS: Mapping[Function, Callable[[Nodes, str, str], None]] = {
    Function.SIGMOID: _operator("Sigmoid"),
    Function.TANH: _operator("Tanh"),
    Function.ERF: _operator("Erf"),
    Function.GELU: _operator("Gelu", approximate="none"),
    Function.GELU_TANH: _operator("Gelu", approximate="tanh"),
    Function.SILU: _silu,  # Swish is an operator since operator set 24 only
    Function.HARD_SIGMOID: _operator("HardSigmoid", alpha=1 / 6, beta=0.5),
    Function.HARD_SWISH: _operator("HardSwish"),
}
