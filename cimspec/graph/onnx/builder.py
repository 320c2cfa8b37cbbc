"""Collects the layers that nodes become: what handlers of operators write to.

Layers have numbers for names here; names.py gives them those of the file when all are known.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from cimspec.graph.layer import Add, Affine, Constant, Input, Layer, Multiply, Op, Reshape, Shape, Transpose
from cimspec.graph.onnx.node import Node, Problem, Real
from cimspec.graph.onnx.value import Coded, Coding, Known, Moving, mixes_batch, spell

RESHAPING = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
MAX_VALUES = 1 << 28  # of one layer for one image: a bound on the memory that a few numbers in a file can take


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a layer comes from; what it is called is made of this."""

    node: Node
    kind: str | None = None  # of a layer that the node does not say itself: `reshape`, `gelu`
    tensors: tuple[str, ...] = ()  # names of its weights


@dataclass(slots=True)
class Builder:
    """Layers so far, by their numbers, with their weights and origins."""

    batch_size: int | None = None  # of the file's input, if it is fixed
    keeps_codes: bool = False  # whether the codes of activations become layers
    layers: dict[str, Layer] = field(default_factory=dict)
    weights: dict[str, dict[str, Real]] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    codings: dict[str, Coding] = field(default_factory=dict)  # of constants that are stored as codes, by their names
    coded: dict[str, Coded] = field(default_factory=dict)  # what layers that make codes make, by their numbers

    def emit(
        self,
        op: Op,
        sources: tuple[Moving, ...],
        shape: Shape,
        origin: Origin,
        weights: Mapping[str, Real] | None = None,
    ) -> str:
        """The number of a new layer whose output has `shape`, without the batch."""
        if math.prod(shape) > MAX_VALUES:
            raise Problem(f"makes {spell(shape)} values, more than {MAX_VALUES}", code="CIM430")
        if not all(size > 0 for size in shape):
            raise Problem(f"makes an empty tensor of {spell(shape)}")
        number = str(len(self.layers))
        self.layers[number] = Layer(number, op, tuple(source.layer for source in sources), shape)
        self.origins[number] = origin
        if weights is not None:
            self.weights[number] = dict(weights)
        return number

    def input(self, name: str, shape: Shape, signed: bool) -> Moving:
        """The network's input; `shape` without the batch."""
        node = Node(name, "Input", (), (name,))
        return Moving(self.emit(Input(signed), (), shape, Origin(node, "input")), (1, *shape))

    def same_shape(self, op: Op, source: Moving, origin: Origin, weights: Mapping[str, Real] | None = None) -> Moving:
        """A layer that keeps its input's shape."""
        return replace(source, layer=self.emit(op, (source,), source.inner, origin, weights))

    def reshaped(self, source: Moving, target: Moving, node: Node) -> Moving:
        """`target`, which is `source` in another shape, with a layer for that if the layer's shape changes."""
        while isinstance(self.layers[source.layer].op, Reshape):
            before = self.layers[source.layer].inputs[0]
            source = Moving(before, self.layers[before].shape, merged=True)
        if self.layers[source.layer].shape == target.inner:
            return replace(target, layer=source.layer)
        origin = Origin(node, None if node.op in RESHAPING else "reshape")
        return replace(target, layer=self.emit(Reshape(), (source,), target.inner, origin))

    def reshape(self, source: Moving, shape: Shape, node: Node) -> Moving:
        """`source` in another shape, as ONNX sees it."""
        return self.reshaped(source, source.placed(shape), node)

    def transpose(self, source: Moving, order: tuple[int, ...], node: Node) -> Moving:
        """`source` with its axes, as ONNX counts, in another order."""
        shape = tuple(source.shape[axis] for axis in order)
        if source.merged:
            inner = order
            batch = order.index(source.batch) if source.batch < source.rank else source.rank
        else:
            inner = tuple(source.axis(axis) for axis in order if axis != source.batch)
            batch = order.index(source.batch)
        target = Moving(source.layer, shape, batch, source.merged)
        moved = [axis for axis in inner if source.inner[axis] > 1]
        if moved == sorted(moved):  # only axes of size 1 change places
            return self.reshaped(source, target, node)
        before = self.layers[source.layer]
        if isinstance(before.op, Transpose):
            inner = tuple(before.op.axes[axis] for axis in inner)
            source = Moving(before.inputs[0], self.layers[before.inputs[0]].shape, merged=True)
            if inner == tuple(range(len(inner))):
                return replace(target, layer=source.layer)
        origin = Origin(node, "transpose" if node.op != "Transpose" else None)
        return replace(target, layer=self.emit(Transpose(inner), (source,), target.inner, origin))

    def lifted(self, source: Moving, rank: int, batch: int | None, node: Node) -> Moving:
        """`source` with axes of size 1 in front until it has `rank` axes; the batch at `batch` where that is open."""
        shape = (1,) * (rank - source.rank) + source.shape
        if source.merged:
            return self.reshaped(source, source.placed(shape, batch), node)
        return self.reshaped(source, Moving(source.layer, shape, source.batch + rank - source.rank), node)

    def aligned(self, a: Moving, b: Moving, node: Node) -> tuple[Moving, Moving]:
        """Two operands with as many axes each, and the batch at the same place."""
        rank = max(a.rank, b.rank)
        a = self.lifted(a, rank, None if b.merged else b.batch + rank - b.rank, node)
        b = self.lifted(b, rank, None if a.merged else a.batch, node)
        if a.merged != b.merged or a.batch != b.batch:
            raise mixes_batch(f"combines {spell(a.shape)} with {spell(b.shape)}, whose batch axes differ")
        return a, b

    def onto(self, array: Real, target: Moving) -> Real:
        """A constant beside an activation of as many axes or more, with the layer's axes."""
        array = array.reshape((1,) * (target.rank - array.ndim) + array.shape)
        if target.merged:
            return array
        if array.shape[target.batch] != 1:
            raise mixes_batch(f"combines a constant of {spell(array.shape)} with {spell(target.shape)} along the batch")
        return array.squeeze(target.batch)

    def constant(self, known: Known, beside: Moving, node: Node) -> Moving:
        """A constant as a layer, with the batch where `beside` has it."""
        array = self.onto(known.real(), beside)
        shape = (1,) * (beside.rank - known.array.ndim) + known.array.shape
        number = self.emit(Constant(), (), array.shape, Origin(node, "constant", (known.name,)), {"value": array})
        return Moving(number, shape, beside.batch, beside.merged)

    def affine(self, source: Moving, factor: Known | None, shift: Known | None, node: Node) -> Moving:
        """`source * factor + shift`; what is left out is 1 or 0."""
        arrays = [known.array for known in (factor, shift) if known]
        source = self.lifted(source, max(source.rank, *(array.ndim for array in arrays)), None, node)
        if any(broadcast(source.shape, array.shape) != source.shape for array in arrays):
            return self._stretched(source, factor, shift, node)
        ones = np.ones((1,) * len(source.inner))
        weights = {
            "factor": self.onto(factor.real(), source) if factor else ones,
            "shift": self.onto(shift.real(), source) if shift else ones * 0,
        }
        names = tuple(known.name for known in (factor, shift) if known)
        return self.same_shape(Affine(), source, Origin(node, tensors=names), weights)

    def scaled(self, source: Moving, factor: float, shift: float, node: Node) -> Moving:
        """`source * factor + shift` with two numbers."""
        return self.affine(source, Known(np.array(factor), node.name), Known(np.array(shift), node.name), node)

    def _stretched(self, source: Moving, factor: Known | None, shift: Known | None, node: Node) -> Moving:
        """The same where the constants have more values than the activation, which is repeated."""
        for op, known in ((Multiply(), factor), (Add(), shift)):
            if known is not None:
                source = self.combine(op, source, self.constant(known, source, node), node)
        return source

    def combine(self, op: Add | Multiply, a: Moving, b: Moving, node: Node) -> Moving:
        """The sum or the product of two activations."""
        a, b = self.aligned(a, b, node)
        result = Moving(a.layer, broadcast(a.shape, b.shape), a.batch, a.merged)
        return replace(result, layer=self.emit(op, (a, b), result.inner, Origin(node)))


def broadcast(a: Shape, b: Shape) -> Shape:
    """The shape of two tensors that are combined value by value."""
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        raise Problem(f"combines {spell(a)} with {spell(b)}, which do not fit") from None
