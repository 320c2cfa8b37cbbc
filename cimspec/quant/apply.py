"""What the operations of an integer network compute, in numpy: the definition that schedules are checked against.

Codes are int16 where they fit, sums int64, real values float64. Constants without batch; tensors carry it first.
"""

from collections.abc import Mapping
from math import prod
from typing import assert_never

import numpy as np

from cimspec.graph.layer import Function, Shape
from cimspec.graph.window import Window
from cimspec.quant.ops import (
    AddCodes,
    Array,
    Clipped,
    Codes,
    Constants,
    Dequantize,
    Evaluate,
    Joined,
    Load,
    LocallyNormalized,
    MatMul,
    Multiplied,
    Normalized,
    PoolMax,
    PoolSum,
    Rectify,
    Requantize,
    Reshaped,
    Scaled,
    Sliced,
    Softmaxed,
    SumAxes,
    Transposed,
    VectorOp,
    code_type,
    scale_name,
)

Tensors = Mapping[str, Array]


def apply_vector(op: VectorOp, tensors: Tensors, constants: Constants) -> Array:  # noqa: C901 (one case an operation)
    """The result of one digital operation."""
    match op:
        case Requantize():
            return _rounded(_rescaled(op.src, op.dst, tensors, constants), op.codes)
        case AddCodes():
            a, b = _aligned(*(_rescaled(name, op.dst, tensors, constants) for name in (op.a, op.b)))
            return _rounded(a + b, op.codes)
        case Rectify():
            return np.maximum(tensors[op.src], 0)
        case PoolMax():
            return _pool_max(tensors[op.src], op.window)
        case PoolSum():
            return _pool_sum(op, tensors[op.src])
        case SumAxes():
            return _sum_axes(op, tensors[op.src])
        case Reshaped():
            return tensors[op.src].reshape(-1, *op.shape)
        case Transposed():
            return tensors[op.src].transpose(0, *(axis + 1 for axis in op.axes))
        case Sliced():
            taken = (slice(None),) * (op.axis + 1)
            return tensors[op.src][(*taken, slice(op.start, op.stop, op.step))]
        case Joined():
            return _joined(op, tensors, constants)
        case Load():
            return constants[op.value].astype(np.float64)[None]
        case Multiplied():
            a, b = _aligned(real_values(op.a, tensors, constants), real_values(op.b, tensors, constants))
            return np.asarray(a * b)
        case _:
            return _of_reals(op, real_values(op.src, tensors, constants), constants)


def real_values(name: str, tensors: Tensors, constants: Constants) -> Array:
    """The real values of a tensor, float64; in C's order, so that sums of them round alike however tensors lie."""
    values = tensors[name]
    if values.dtype.kind == "f":
        return np.ascontiguousarray(values)
    return np.asarray(np.multiply(values, constants[scale_name(name)], dtype=np.float64, order="C"))


RealOp = Dequantize | Evaluate | Clipped | Scaled | Softmaxed | Normalized | LocallyNormalized


def _of_reals(op: RealOp, values: Array, constants: Constants) -> Array:
    match op:
        case Dequantize():
            return values
        case Evaluate():
            return evaluate(op.function, values)
        case Clipped():
            return np.clip(values, op.low, op.high)
        case Scaled():
            return np.asarray(values * constants[op.factor] + constants[op.shift])
        case Softmaxed():
            powers = np.exp(values - values.max(axis=op.axis + 1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=op.axis + 1, keepdims=True))
        case Normalized():
            centred = values - values.mean(axis=-1, keepdims=True)
            variance = (centred**2).mean(axis=-1, keepdims=True)
            return np.asarray(centred / np.sqrt(variance + op.epsilon) * constants[op.gamma] + constants[op.beta])
        case LocallyNormalized():
            return _local_response(op, values)
        case _:
            assert_never(op)


def evaluate(function: Function, values: Array) -> Array:
    """A function of each value, float64."""
    from scipy.special import erf, expit

    match function:
        case Function.SIGMOID:
            result = expit(values)
        case Function.TANH:
            result = np.tanh(values)
        case Function.ERF:
            result = erf(values)
        case Function.GELU:
            result = values * (1 + erf(values / np.sqrt(2))) / 2
        case Function.GELU_TANH:
            result = values * (1 + np.tanh(np.sqrt(2 / np.pi) * (values + 0.044715 * values**3))) / 2
        case Function.SILU:
            result = values * expit(values)
        case Function.HARD_SIGMOID:
            result = np.clip(values / 6 + 0.5, 0, 1)
        case Function.HARD_SWISH:
            result = values * np.clip(values / 6 + 0.5, 0, 1)
        case _:
            assert_never(function)
    return np.asarray(result)


def matmul(op: MatMul, codes: Array, weights: Array, bias: Array | None) -> Array:
    """The exact integer product of a layer: `[batch, *op.shape]` int64.

    Computed in float64, which is exact because no partial sum reaches 2^53.
    """
    rows = matrix_inputs(op, codes).astype(np.float64)  # [batch, matrices, invocations, inputs]
    if op.moving:
        columns = weights.reshape(len(weights), op.matrices, op.inputs, op.outputs).astype(np.float64)
        products = rows @ columns
    else:
        products = rows @ weights.reshape(op.matrices, op.outputs, op.inputs).transpose(0, 2, 1).astype(np.float64)
    total = products.astype(np.int64)
    if bias is not None:
        total += bias.reshape(op.matrices, 1, op.outputs)
    return outputs_of(op, total)


def matrix_inputs(op: MatMul, codes: Array) -> Array:
    """What each matrix is multiplied with: `[batch, matrices, invocations, inputs]`."""
    if op.window is None:
        return codes.reshape(len(codes), op.matrices, op.invocations, op.inputs)
    cut = _cut(codes, op.window, fill=0)  # [batch, channels, height, width, kernel, kernel]
    batch, channels, height, width = cut.shape[:4]
    grouped = cut.reshape(batch, op.matrices, channels // op.matrices, height * width, *op.window.kernel)
    return grouped.transpose(0, 1, 3, 2, 4, 5).reshape(batch, op.matrices, height * width, op.inputs)


def outputs_of(op: MatMul, products: Array) -> Array:
    """Products `[batch, matrices, invocations, outputs]` as the layer's output `[batch, *op.shape]`."""
    if op.window is not None:
        products = products.transpose(0, 1, 3, 2)
    return np.ascontiguousarray(products).reshape(len(products), *op.shape)


def _rescaled(src: str, dst: str, tensors: Tensors, constants: Constants) -> Array:
    """A tensor in units of another one's scale, float64."""
    return np.asarray(np.multiply(tensors[src], rescaling(src, dst, tensors, constants), dtype=np.float64))


def rescaling(src: str, dst: str, tensors: Tensors, constants: Constants) -> Array:
    """What turns a tensor's values into units of another one's scale."""
    own = constants.get(scale_name(src), 1.0) if tensors[src].dtype.kind != "f" else 1.0
    return np.asarray(own / constants[scale_name(dst)])


def _rounded(values: Array, codes: Codes) -> Array:
    """`clip(rint(values))` as codes; `values` are lost."""
    np.rint(values, out=values)
    np.clip(values, codes.low, codes.high, out=values)
    return values.astype(code_type(codes))


def _aligned(a: Array, b: Array) -> tuple[Array, Array]:
    """Two tensors with as many axes each, so that batch stays with batch when one is repeated."""
    axes = max(a.ndim, b.ndim)
    a, b = (each.reshape(len(each), *(1,) * (axes - each.ndim), *each.shape[1:]) for each in (a, b))
    return a, b


def _joined(op: Joined, tensors: Tensors, constants: Constants) -> Array:
    parts = [tensors[name] for name in op.ordered]
    if any(part.dtype.kind == "f" for part in parts):
        parts = [real_values(name, tensors, constants) for name in op.ordered]
    batch = max(map(len, parts))
    return np.concatenate([np.broadcast_to(part, (batch, *part.shape[1:])) for part in parts], axis=op.axis + 1)


def _cut(image: Array, window: Window, fill: float) -> Array:
    """Views of all windows: `[batch, channels, h, w, kernel height, kernel width]`."""
    if any(window.padding):
        top, left, bottom, right = window.padding
        image = np.pad(image, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(image, window.span, axis=(2, 3))
    (down, right), (row, column) = window.stride, window.dilation
    return views[:, :, ::down, ::right, ::row, ::column]


def _pool_max(image: Array, window: Window) -> Array:
    lowest = np.iinfo(image.dtype).min if image.dtype.kind == "i" else -np.inf
    cut = _cut(image, window, lowest)
    largest = cut[..., 0, 0].copy(order="K")  # axes stay in the order that they have in memory
    for row, column in np.ndindex(window.kernel):  # far faster than a maximum over two short axes
        np.maximum(largest, cut[..., row, column], out=largest)
    return largest


def _pool_sum(op: PoolSum, image: Array) -> Array:
    total = np.asarray(_cut(image, op.window, 0).sum(axis=(4, 5)))
    return np.asarray(total / window_sizes(op, image.shape[1:])) if image.dtype.kind == "f" else total


def window_sizes(op: PoolSum, shape: Shape) -> Array:
    """How many values each mean is taken of: `[1]`, or `[h, w]` where windows reach over the edge."""
    if op.counts_padding or not any(op.window.padding):
        return np.array([op.window.area], np.float64)
    inside = np.ones((1, 1, *shape[1:]))
    return np.asarray(_cut(inside, op.window, 0).sum(axis=(4, 5))[0, 0])


def _sum_axes(op: SumAxes, tensor: Array) -> Array:
    total = np.asarray(tensor.sum(axis=tuple(axis + 1 for axis in op.axes)))
    summed = prod(tensor.shape[axis + 1] for axis in op.axes)
    return np.asarray(total / summed) if tensor.dtype.kind == "f" else total


def _local_response(op: LocallyNormalized, values: Array) -> Array:
    before = (op.size - 1) // 2
    padding = [(0, 0), (before, op.size - 1 - before), *[(0, 0)] * (values.ndim - 2)]
    squares = np.pad(values**2, padding)
    total = np.lib.stride_tricks.sliding_window_view(squares, op.size, axis=1).sum(axis=-1)
    return np.asarray(values / (op.bias + op.alpha / op.size * total) ** op.beta)
