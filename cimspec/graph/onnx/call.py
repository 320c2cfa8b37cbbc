"""A node with its operands at hand: what the handler of an operator gets."""

from collections.abc import Callable
from dataclasses import dataclass

from cimspec.graph.layer import GlobalAvgPool
from cimspec.graph.onnx.builder import Builder, Origin
from cimspec.graph.onnx.node import Array, Node, Problem, Real
from cimspec.graph.onnx.value import (
    Coded,
    Known,
    Moving,
    Padded,
    RowMean,
    Value,
    known,
    known_scalar,
    known_wholes,
    spell,
)


@dataclass(frozen=True, slots=True)
class Call:
    """One node that is being read."""

    builder: Builder
    node: Node
    operands: tuple[Value | None, ...]  # None for what is left out

    def operand(self, index: int) -> Value | None:
        """An operand, if it is there."""
        return self.operands[index] if index < len(self.operands) else None

    def moving(self, index: int) -> Moving:
        """An operand that must be an activation."""
        return as_moving(self.builder, self.operand(index), self.node)

    def known(self, index: int, what: str) -> Array:
        """An operand that must be constant."""
        return known(self.operand(index), what).array

    def named(self, index: int, what: str) -> Known:
        """The same as float numbers, with its name."""
        found = known(self.operand(index), what)
        return Known(found.real(), found.name)

    def real(self, index: int, what: str) -> Real:
        """The same without its name."""
        return known(self.operand(index), what).real()

    def wholes(self, index: int, what: str) -> tuple[int, ...] | None:
        """An operand that must be a constant list of whole numbers; None if it is left out."""
        return None if self.operand(index) is None else known_wholes(self.operand(index), what)

    def wholes_or_attribute(self, index: int, name: str) -> tuple[int, ...] | None:
        """A list that older operator sets write as an attribute, newer ones as an input."""
        found = self.wholes(index, name)
        return self.node.wholes(name) if found is None else found

    def scalar(self, index: int, what: str, default: float) -> float:
        """An operand that must be one constant number."""
        return default if self.operand(index) is None else known_scalar(self.operand(index), what)

    def image(self, index: int = 0) -> tuple[Moving, int, int, int]:
        """An activation `[batch, channels, height, width]`, and the last three."""
        source = self.moving(index)
        if source.rank != 4 or not source.is_batch(0):
            raise Problem(f"reads {spell(source.shape)}, no images of [batch, channels, height, width]")
        _, channels, height, width = source.shape
        return source, channels, height, width

    def origin(self, *tensors: int, kind: str | None = None) -> Origin:
        """Where a layer comes from, with the operands that are its weights."""
        values = (self.operand(index) for index in tensors)
        return Origin(self.node, kind, tuple(value.name for value in values if isinstance(value, Known)))


Handler = Callable[[Call], Value | tuple[Value, ...]]
"""Turns a node into layers; raises `Problem` where it cannot."""


def as_moving(builder: Builder, value: Value | None, node: Node) -> Moving:
    """A value that must be an activation."""
    match value:
        case Moving():
            return value
        case RowMean(of):
            return mean_of_rows(builder, of, node)
        case Known(name=name):
            raise Problem(f"reads the constant `{name}` where an activation should be")
        case None:
            raise Problem("lacks an input")
        case Padded():
            raise Problem("reads an image with zeros around it, which only convolutions and mean poolings can")
        case Coded():
            raise Problem("reads codes, which only Clip and DequantizeLinear can")
        case _:
            raise Problem("reads the spread of an activation, which is understood inside of layer normalization only")


def mean_of_rows(builder: Builder, source: Moving, node: Node) -> Moving:
    """The mean over the last axis, kept with size 1."""
    *others, last = source.shape
    count = source.inner[: source.axis(source.rank - 1)]
    if len(count) != 1:
        raise Problem(f"takes the mean over the last axis of {spell(source.shape)}")
    plane = builder.reshaped(source, Moving(source.layer, (*count, last, 1), merged=True), node)
    pooled = builder.emit(GlobalAvgPool(), (plane,), count, Origin(node))
    return builder.reshaped(Moving(pooled, count, merged=True), source.placed((*others, 1)), node)
