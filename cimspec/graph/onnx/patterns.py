"""Functions that files write as several operators, found again where the last of them is read.

`x * (1 + erf(x / sqrt(2))) / 2` and its like, in whatever order the factors come: every value is seen as
`factor * base + shift` of the values before it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cimspec.graph.layer import Add, Affine, Elementwise, Function, Multiply
from cimspec.graph.onnx.builder import Builder, Origin
from cimspec.graph.onnx.node import Node
from cimspec.graph.onnx.value import Moving

MOST_STEPS = 4  # numbers that are multiplied and added one after the other within a pattern
TOLERANCE = 1e-4  # of the constants, which files round as they like: 1.702 is no slip for sqrt(8 / pi)


@dataclass(frozen=True, slots=True)
class Line:
    """`factor * base + shift`, where `base` is a layer."""

    factor: float
    shift: float
    base: str


def lines(builder: Builder, layer: str) -> Iterator[Line]:
    """A layer as a line of itself, then of the layers before it as far as only numbers are multiplied and added."""
    line = Line(1.0, 0.0, layer)
    yield line
    for _ in range(MOST_STEPS):
        if not isinstance(builder.layers[line.base].op, Affine):
            return
        weights = builder.weights[line.base]
        if any(array.size != 1 for array in weights.values()):
            return
        factor, shift = float(weights["factor"].item()), float(weights["shift"].item())
        (before,) = builder.layers[line.base].inputs
        line = Line(line.factor * factor, line.factor * shift + line.shift, before)
        yield line


def line_of(builder: Builder, layer: str, base: str) -> Line | None:
    """A layer as a line of `base`, if it is one."""
    return next((line for line in lines(builder, layer) if line.base == base), None)


def function_line(builder: Builder, layer: str, function: Function) -> tuple[Line, str] | None:
    """A layer as a line of `function` of something, and that something."""
    for line in lines(builder, layer):
        found = builder.layers[line.base]
        if found.op == Elementwise(function):
            return line, found.inputs[0]
    return None


def product(builder: Builder, a: Moving, b: Moving, node: Node) -> Moving | None:
    """The product of two activations as one function of a value, if it is one."""
    if a.shape != b.shape:
        return None
    for x, y in ((a, b), (b, a)):
        for base in lines(builder, x.layer):
            if base.shift == 0:
                found = _function_times(builder, base.base, y.layer)
                if found:
                    function, factor = found
                    origin = Origin(node, function.value)
                    source = replace(x, layer=base.base)
                    made = builder.same_shape(Elementwise(function), source, origin)
                    return builder.scaled(made, factor * base.factor, 0.0, node)
    return None


def _function_times(builder: Builder, base: str, other: str) -> tuple[Function, float] | None:
    """`base * other` as a factor times a function of `base`."""
    for inner, outer in ((Function.SIGMOID, Function.SILU), (Function.HARD_SIGMOID, Function.HARD_SWISH)):
        found = function_line(builder, other, inner)
        if found and found[0].shift == 0 and _is_line(line_of(builder, found[1], base), 1.0):
            return outer, found[0].factor
    for inner, outer, is_argument in (
        (Function.ERF, Function.GELU, _is_erf_argument),
        (Function.TANH, Function.GELU_TANH, _is_tanh_argument),
    ):
        found = function_line(builder, other, inner)
        if found and _is_close(found[0].factor, found[0].shift) and is_argument(builder, found[1], base):
            return outer, 2 * found[0].factor
    return None


def _is_erf_argument(builder: Builder, layer: str, base: str) -> bool:
    """Whether a layer is `base / sqrt(2)`."""
    return _is_line(line_of(builder, layer, base), math.sqrt(0.5))


def _is_tanh_argument(builder: Builder, layer: str, base: str) -> bool:
    """Whether a layer is `sqrt(2 / pi) * (base + 0.044715 * base^3)`."""
    scale = math.sqrt(2 / math.pi)
    for line in lines(builder, layer):
        found = builder.layers[line.base]
        if isinstance(found.op, Add) and line.shift == 0 and line.factor:
            for linear, cubic in (found.inputs, found.inputs[::-1]):
                first = line_of(builder, linear, base)
                third = next((each for each in lines(builder, cubic) if _is_cube(builder, each.base, base)), None)
                if _is_line(first, scale / line.factor) and _is_line(third, scale * 0.044715 / line.factor):
                    return True
    return False


def _is_cube(builder: Builder, layer: str, base: str) -> bool:
    """Whether a layer is `base * base * base`."""
    found = builder.layers[layer]
    if not isinstance(found.op, Multiply) or base not in found.inputs:
        return False
    square = builder.layers[found.inputs[0] if found.inputs[1] == base else found.inputs[1]]
    return isinstance(square.op, Multiply) and square.inputs == (base, base)


def clipped(builder: Builder, source: Moving, low: float, high: float, node: Node) -> Moving | None:
    """`clip(x + 3, 0, 6)` as six times the hard sigmoid of `x`."""
    if (low, high) == (0.0, 6.0):
        for line in lines(builder, source.layer):
            if line.factor == 1 and line.shift == 3:
                origin = Origin(node, Function.HARD_SIGMOID.value)
                made = builder.same_shape(Elementwise(Function.HARD_SIGMOID), replace(source, layer=line.base), origin)
                return builder.scaled(made, 6.0, 0.0, node)
    if (low, high) == (0.0, 1.0):
        for line in lines(builder, source.layer):
            if _is_close(line.factor, 1 / 6) and _is_close(line.shift, 0.5):
                origin = Origin(node, Function.HARD_SIGMOID.value)
                return builder.same_shape(Elementwise(Function.HARD_SIGMOID), replace(source, layer=line.base), origin)
    return None


def _is_line(line: Line | None, factor: float) -> bool:
    return line is not None and line.shift == 0 and _is_close(line.factor, factor)


def _is_close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=TOLERANCE)
