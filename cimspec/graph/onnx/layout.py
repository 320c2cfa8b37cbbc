"""Operators that move values without computing, means over axes, and the shape of an activation."""

import math

import numpy as np

from cimspec.graph.layer import Concat, GlobalAvgPool, MeanTokens, Slice
from cimspec.graph.onnx.builder import Builder, Origin
from cimspec.graph.onnx.call import Call, Handler
from cimspec.graph.onnx.node import Node, Problem
from cimspec.graph.onnx.value import (
    MAX_AXES,
    Known,
    Moving,
    RowMean,
    SquaredCentered,
    Value,
    Variance,
    known_wholes,
    mixes_batch,
    spell,
)


def reshape(call: Call) -> Moving:
    """Reshape to constant sizes, of which one may be open (-1) and some kept (0)."""
    source = call.moving(0)
    sizes = list(call.wholes_or_attribute(1, "shape") or ())
    if not call.node.flag("allowzero"):
        for axis, size in enumerate(sizes):
            if size == 0 and axis < source.rank:
                sizes[axis] = source.shape[axis]
    if sizes and sizes[0] == call.builder.batch_size and source.is_batch(0):
        sizes[0] = 1
    count = math.prod(source.shape)
    if sizes.count(-1) == 1:
        rest = math.prod(size for size in sizes if size != -1)
        sizes[sizes.index(-1)] = count // rest if rest > 0 else 0
    if math.prod(sizes) != count or min(sizes, default=1) < 1:
        raise Problem(f"reshapes {spell(source.shape)} to {sizes}, which holds another number of values")
    return call.builder.reshape(source, tuple(sizes), call.node)


def flatten(call: Call) -> Moving:
    """Flatten to two axes."""
    source = call.moving(0)
    axis = call.node.whole("axis", 1)
    axis = axis if axis == source.rank else source.checked(axis)
    shape = (math.prod(source.shape[:axis]), math.prod(source.shape[axis:]))
    return call.builder.reshape(source, shape, call.node)


def squeeze(call: Call) -> Moving:
    """Squeeze: without axes of size 1."""
    source = call.moving(0)
    axes = call.wholes_or_attribute(1, "axes")
    if axes is None:
        dropped = {axis for axis, size in enumerate(source.shape) if size == 1 and not source.is_batch(axis)}
    else:
        dropped = {source.checked(axis) for axis in axes}
    if any(source.shape[axis] != 1 for axis in dropped):
        raise Problem(f"drops axes {sorted(dropped)} of {spell(source.shape)}, which are not all of size 1")
    shape = tuple(size for axis, size in enumerate(source.shape) if axis not in dropped)
    before = source.batch - sum(axis < source.batch for axis in dropped)
    target = Moving(source.layer, shape, before, source.merged or source.batch in dropped)
    return call.builder.reshaped(source, target, call.node)


def unsqueeze(call: Call) -> Moving:
    """Unsqueeze: with more axes of size 1."""
    source = call.moving(0)
    axes = call.wholes_or_attribute(1, "axes") or ()
    rank = source.rank + len(axes)
    added = {axis % rank for axis in axes if -rank <= axis < rank}
    if len(added) < len(axes) or rank > MAX_AXES:
        raise Problem(f"adds axes {list(axes)} to {spell(source.shape)}, which is not possible")
    old = [axis for axis in range(rank) if axis not in added]
    shape = tuple(1 if axis in added else source.shape[old.index(axis)] for axis in range(rank))
    if source.merged:
        return call.builder.reshape(source, shape, call.node)
    return call.builder.reshaped(source, Moving(source.layer, shape, old[source.batch]), call.node)


def transpose(call: Call) -> Moving:
    """Transpose."""
    source = call.moving(0)
    order = call.node.wholes("perm") or tuple(reversed(range(source.rank)))
    if sorted(order) != list(range(source.rank)):
        raise Problem(f"`perm` is {list(order)}, no order of the {source.rank} axes")
    return call.builder.transpose(source, order, call.node)


def concat(call: Call) -> Moving:
    """Concat of activations and constants."""
    builder, node = call.builder, call.node
    first = next(call.moving(index) for index, value in enumerate(call.operands) if not isinstance(value, Known))
    parts = []
    for index, value in enumerate(call.operands):
        if isinstance(value, Known) and value.array.size == 0:
            continue
        part = builder.constant(value, first, node) if isinstance(value, Known) else call.moving(index)
        if part.rank != first.rank:
            raise Problem(f"joins {spell(first.shape)} and {spell(part.shape)}, which have not equally many axes")
        parts.append(builder.aligned(part, first, node)[0])
    first = parts[0]
    axis = first.checked(node.whole("axis", 1))
    others = {part.shape[:axis] + part.shape[axis + 1 :] for part in parts}
    if len(others) > 1:
        shapes = " and ".join(spell(part.shape) for part in parts)
        raise Problem(f"joins {shapes} along axis {axis}, where the other axes differ")
    inner = first.axis(axis)
    size = sum(part.shape[axis] for part in parts)
    result = Moving(first.layer, (*first.shape[:axis], size, *first.shape[axis + 1 :]), first.batch, first.merged)
    number = builder.emit(Concat(inner), tuple(parts), result.inner, call.origin())
    return Moving(number, result.shape, result.batch, result.merged)


def cut(builder: Builder, source: Moving, axis: int, indices: range, node: Node) -> Moving:
    """The values at some indices of an axis."""
    size = source.shape[axis]
    if indices == range(size):
        return source
    if source.is_batch(axis):
        raise mixes_batch("takes some images out of the batch")
    if not len(indices) or indices.step < 1 or indices[-1] >= size:
        raise Problem(f"takes indices {indices.start} to {indices.stop} in steps of {indices.step} out of {size}")
    result = Moving(
        source.layer, (*source.shape[:axis], len(indices), *source.shape[axis + 1 :]), source.batch, source.merged
    )
    op = Slice(source.axis(axis), indices.start, indices[-1] + 1, indices.step)
    number = builder.emit(op, (source,), result.inner, Origin(node, None if node.op == "Slice" else "slice"))
    return Moving(number, result.shape, result.batch, result.merged)


def slices(call: Call) -> Moving:
    """Slice with constant ends."""
    source, node = call.moving(0), call.node
    starts, ends = call.wholes_or_attribute(1, "starts"), call.wholes_or_attribute(2, "ends")
    if starts is None or ends is None or len(starts) != len(ends):
        raise Problem("lacks its starts or ends")
    axes = call.wholes_or_attribute(3, "axes") or tuple(range(len(starts)))
    steps = call.wholes(4, "steps") or (1,) * len(starts)
    if not len(axes) == len(steps) == len(starts):
        raise Problem("has not as many axes and steps as starts")
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = source.checked(axis)
        if step < 1:
            raise Problem(f"takes steps of {step}; only steps forward are supported")
        source = cut(call.builder, source, axis, range(source.shape[axis])[slice(start, end, step)], node)
    return source


def split(call: Call) -> tuple[Moving, ...]:
    """Split into parts of given or of equal sizes."""
    source, node = call.moving(0), call.node
    axis, count = source.checked(node.whole("axis", 0)), len(node.outputs)
    size = source.shape[axis]
    sizes = call.wholes_or_attribute(1, "split")
    if sizes is None:
        each = -(-size // count)
        sizes = (*(each,) * (count - 1), size - each * (count - 1))
    if len(sizes) != count or sum(sizes) != size or min(sizes) < 1:
        raise Problem(f"splits {size} values into {list(sizes)}")
    ends = np.cumsum(sizes).tolist()
    return tuple(
        cut(call.builder, source, axis, range(end - part, end), node) for part, end in zip(sizes, ends, strict=True)
    )


def gather(call: Call) -> Moving:
    """Gather of one index, or of indices that follow each other at one distance."""
    source, node = call.moving(0), call.node
    axis = source.checked(node.whole("axis", 0))
    array = call.known(1, "indices")
    size = source.shape[axis]
    indices = [index + size if index < 0 else index for index in known_wholes(call.operand(1), "indices")]
    step = indices[1] - indices[0] if len(indices) > 1 else 1
    wanted = range(indices[0], indices[-1] + 1, step) if indices and step > 0 else range(0)
    if list(wanted) != indices or not 0 <= indices[0] <= indices[-1] < size:
        raise Problem("takes indices that are no range", help="only one index, or a range of them, can be taken")
    if array.ndim == 0 and source.is_batch(axis):
        raise mixes_batch("takes one image out of the batch")
    taken = cut(call.builder, source, axis, wanted, node)
    if array.ndim == 1:
        return taken
    shape = taken.shape[:axis] + taken.shape[axis + 1 :]
    batch = taken.batch - (axis < taken.batch)
    return call.builder.reshaped(taken, Moving(taken.layer, shape, batch, taken.merged), node)


def expand(call: Call) -> Moving:
    """Expand, of an activation only to the shape it has."""
    source = call.moving(0)
    sizes = call.wholes(1, "shape") or ()
    first = source.rank - len(sizes)
    if first < 0 or any(
        size not in (1, source.shape[axis]) and not (source.is_batch(axis) and size == call.builder.batch_size)
        for axis, size in enumerate(sizes, start=first)
    ):
        raise Problem(f"repeats an activation of {spell(source.shape)} to {spell(sizes)}")
    return source


def mean(call: Call) -> Value:
    """ReduceMean: over an image, over tokens, or over the last axis."""
    builder, node, value = call.builder, call.node, call.operand(0)
    of = value.of if isinstance(value, SquaredCentered) else call.moving(0)
    axes = call.wholes_or_attribute(1, "axes") or ()
    if not axes and node.flag("noop_with_empty_axes"):
        return call.moving(0)
    dropped = {of.checked(axis) for axis in axes} or set(range(of.rank))
    keeps = node.flag("keepdims", default=True)
    if keeps and dropped == {of.rank - 1}:
        of.axis(of.rank - 1)
        return Variance(of) if isinstance(value, SquaredCentered) else RowMean(of)
    source = call.moving(0)
    inner = sorted(source.axis(axis) for axis in dropped)
    last = len(source.inner) - 1
    shape = tuple(
        1 if axis in dropped else size for axis, size in enumerate(source.shape) if keeps or axis not in dropped
    )
    batch = source.batch if keeps else source.batch - sum(axis < source.batch for axis in dropped)
    target = Moving(source.layer, shape, batch, source.merged)
    if last >= 1 and inner == list(range(1, last + 1)):
        count = source.inner[0]
        sides = source.inner[1:] if last == 2 else (math.prod(source.inner[1:]), 1)
        plane = builder.reshaped(source, Moving(source.layer, (count, *sides), merged=True), node)
        number = builder.emit(GlobalAvgPool(), (plane,), (count,), call.origin())
    elif last >= 1 and inner == list(range(last)):
        count = source.inner[last]
        rows = Moving(source.layer, (math.prod(source.inner[:last]), count), merged=True)
        number = builder.emit(MeanTokens(), (builder.reshaped(source, rows, node),), (count,), call.origin())
    else:
        raise Problem(
            f"takes the mean of {spell(source.shape)} over axes {sorted(dropped)};"
            " only means over an image, over tokens, or over features are supported"
        )
    return builder.reshaped(Moving(number, (count,), merged=True), target, node)


def shape_of(call: Call) -> Known:
    """Shape of an activation: a constant, with one image in the batch."""
    shape = call.moving(0).shape
    start, end = call.node.whole("start", 0), call.node.attributes.get("end")
    return Known(np.array(shape[start : end if isinstance(end, int) else None], np.int64), call.node.outputs[0])


def size_of(call: Call) -> Known:
    """Size of an activation: a constant."""
    return Known(np.array(math.prod(call.moving(0).shape), np.int64), call.node.outputs[0])


HANDLERS: dict[str, Handler] = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Concat": concat,
    "Slice": slices,
    "Split": split,
    "Gather": gather,
    "Expand": expand,
    "ReduceMean": mean,
    "Shape": shape_of,
    "Size": size_of,
}
