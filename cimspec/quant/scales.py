"""The real value of one unit of each tensor of integers, carried from operation to operation.

Scales have the shape of their tensor, with 1 along axes where they do not change (`scale_axes.py` says which may), or
are a single number `[1]`.
"""

from collections.abc import Mapping
from math import prod

import numpy as np

from cimspec.graph.layer import Shape
from cimspec.quant.apply import window_sizes
from cimspec.quant.ops import (
    AddCodes,
    IntegerOp,
    Joined,
    MatMul,
    PoolSum,
    Requantize,
    Reshaped,
    Sliced,
    SumAxes,
    Tensor,
    Transposed,
    Wide,
    sources,
)
from cimspec.quant.parameters import FloatArray

Scales = Mapping[str, FloatArray]


def tensor_scales(
    ops: tuple[IntegerOp, ...], types: Mapping[str, Tensor], codes: Scales, weights: Scales
) -> dict[str, FloatArray]:
    """The scale of every tensor of integers.

    `codes` are the scales of tensors that are made as codes, `weights` `[outputs]` those of crossbar layers' weights.
    """
    scales: dict[str, FloatArray] = {}
    for op in ops:
        if types[op.dst].element is Wide.REALS:
            continue
        if isinstance(op, Requantize | AddCodes):
            scales[op.dst] = codes[op.dst]
        elif isinstance(op, MatMul):
            stored = scales[op.weights] if op.moving else _along_outputs(op, weights[op.layer])
            scales[op.dst] = _short(scales[op.src] * stored)
        else:
            read = op.ordered if isinstance(op, Joined) else sources(op)
            scales[op.dst] = _short(_carried(op, types, [scales[name] for name in read]))
    return scales


def _short(scale: FloatArray) -> FloatArray:
    """A single number has the shape `[1]`, whatever its tensor's."""
    return scale.reshape(1) if scale.size == 1 else scale


def _along_outputs(op: MatMul, scale: FloatArray) -> FloatArray:
    return scale.reshape(-1, 1, 1) if op.window else scale


def _carried(op: IntegerOp, types: Mapping[str, Tensor], scales: list[FloatArray]) -> FloatArray:
    scale, shape = scales[0], types[sources(op)[0]].shape
    match op:
        case PoolSum():
            return scale / window_sizes(op, shape)
        case SumAxes():
            summed = prod(shape[axis] for axis in op.axes)
            return (scale if scale.size == 1 else np.squeeze(_as_many_axes(scale, shape), op.axes)) / summed
        case Reshaped():
            return scale if scale.size == 1 else np.broadcast_to(scale, shape).reshape(op.shape)
        case Transposed():
            return scale if scale.size == 1 else _as_many_axes(scale, shape).transpose(op.axes)
        case Sliced():
            whole = _as_many_axes(scale, shape)
            if whole.shape[op.axis] == 1:
                return scale
            return whole[(*(slice(None),) * op.axis, slice(op.start, op.stop, op.step))]
        case Joined():
            return _joined(op, types, scales)
        case _:
            return scale


def _joined(op: Joined, types: Mapping[str, Tensor], scales: list[FloatArray]) -> FloatArray:
    if all(scale.size == 1 and scale.item() == scales[0].item() for scale in scales):
        return scales[0]
    shapes = [types[name].shape for name in op.ordered]
    whole = [_as_many_axes(scale, shape) for scale, shape in zip(scales, shapes, strict=True)]
    extents = np.max([scale.shape for scale in whole], axis=0)
    parts = []
    for scale, shape in zip(whole, shapes, strict=True):
        extents[op.axis] = shape[op.axis]
        parts.append(np.broadcast_to(scale, extents))
    return np.concatenate(parts, axis=op.axis)


def _as_many_axes(scale: FloatArray, shape: Shape) -> FloatArray:
    return scale.reshape((1,) * (len(shape) - scale.ndim) + scale.shape)
