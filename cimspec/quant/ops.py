"""Operations of an integer network and what they compute, in numpy: the definition that schedules are checked against.

Tensors are named; arrays carry the batch first. `MatMul` runs on crossbars and is expanded by the compiler; all
others run on the chip's digital units. Constants (multipliers, weights, biases) are named too: operations hold no
arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from cimspec.graph.layer import Shape
from cimspec.graph.precision import Precision

Array = npt.NDArray[Any]
Constants = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Window:
    """How a product reads its input: square windows of an image, or (kernel 0) the whole vector."""

    kernel: int
    stride: int
    padding: int


WHOLE_VECTOR = Window(0, 1, 0)


@dataclass(frozen=True, slots=True)
class Requantize:
    """`clip(rint(src * multiplier), low, high)`, in float64, one multiplier for each channel or for all."""

    dst: str
    src: str
    multiplier: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class MatMul:
    """`weights @ window(src) + bias`: one product for each output pixel."""

    dst: str
    src: str
    layer: str
    window: Window
    inputs: int  # values in one window
    outputs: int
    shape: Shape  # of the result
    precision: Precision
    signed: bool  # whether input codes can be negative
    weights: str
    bias: str

    @property
    def invocations(self) -> int:
        """Products per network input: the number of output pixels."""
        return int(np.prod(self.shape[1:]))


@dataclass(frozen=True, slots=True)
class AddCodes:
    """`clip(rint(a * multiplier_a + b * multiplier_b), low, high)`, in float64."""

    dst: str
    a: str
    b: str
    multiplier_a: str
    multiplier_b: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Rectify:
    """`max(src, 0)`."""

    dst: str
    src: str


@dataclass(frozen=True, slots=True)
class PoolMax:
    """The maximum of each window; padding never wins."""

    dst: str
    src: str
    window: Window


@dataclass(frozen=True, slots=True)
class PoolSum:
    """The sum of each window (kernel 0: of each channel); the mean's 1/n is part of the scale."""

    dst: str
    src: str
    window: Window


@dataclass(frozen=True, slots=True)
class Reshape:
    """An image to a vector, channels outermost."""

    dst: str
    src: str


@dataclass(frozen=True, slots=True)
class Dequantize:
    """`src * multiplier`, in float64: the network's real-valued output."""

    dst: str
    src: str
    multiplier: str


VectorOp = Requantize | AddCodes | Rectify | PoolMax | PoolSum | Reshape | Dequantize
IntegerOp = VectorOp | MatMul


def sources(op: IntegerOp) -> tuple[str, ...]:
    """The tensors that an operation reads."""
    return (op.a, op.b) if isinstance(op, AddCodes) else (op.src,)


def apply_vector(op: VectorOp, tensors: Mapping[str, Array], constants: Constants) -> Array:
    """The result of one digital operation: codes are int16 where they fit, sums int64 (float64 if inexact)."""
    match op:
        case Requantize():
            return _round(_scaled(tensors[op.src], constants[op.multiplier]), op.low, op.high)
        case AddCodes():
            total = _scaled(tensors[op.a], constants[op.multiplier_a])
            total += _scaled(tensors[op.b], constants[op.multiplier_b])
            return _round(total, op.low, op.high)
        case Rectify():
            return np.maximum(tensors[op.src], 0)
        case PoolMax():
            return _pool_max(tensors[op.src], op.window)
        case PoolSum():
            return _pool_sum(tensors[op.src], op.window)
        case Reshape():
            return tensors[op.src].reshape(len(tensors[op.src]), -1)
        case Dequantize():
            return _scaled(tensors[op.src], constants[op.multiplier])
        case _:
            assert_never(op)


def windows(image: Array, window: Window) -> Array:
    """Input windows of a product: `[batch, channels, h, w]` to `[batch * pixels, channels * kernel^2]`; not vectors."""
    if window.kernel == 0:
        return image
    cut = _cut(image, window, fill=0)
    batch, channels, height, width = cut.shape[:4]
    return np.ascontiguousarray(cut.transpose(0, 2, 3, 1, 4, 5)).reshape(
        batch * height * width, channels * window.kernel**2
    )


def fold_pixels(products: Array, batch: int, shape: Shape) -> Array:
    """Products `[batch * pixels, outputs]` to the layer's output `[batch, *shape]`."""
    if len(shape) == 1:
        return products
    return np.ascontiguousarray(products.reshape(batch, *shape[1:], shape[0]).transpose(0, 3, 1, 2))


def matmul(op: MatMul, codes: Array, weights: Array, bias: Array) -> Array:
    """The exact integer product of a layer: `[batch, *op.shape]` int64.

    Computed in float64, which is exact because no partial sum reaches 2^53.
    """
    products = windows(codes, op.window).astype(np.float64) @ weights.T.astype(np.float64)
    return fold_pixels(products.astype(np.int64) + bias, len(codes), op.shape)


def _scaled(tensor: Array, multiplier: Array) -> Array:
    per_channel = multiplier.reshape(-1, *(1,) * (tensor.ndim - 2))
    return np.asarray(np.multiply(tensor, per_channel, dtype=np.float64))


def _round(values: Array, low: int, high: int) -> Array:
    """`clip(rint(values), low, high)` as codes; `values` are lost."""
    np.rint(values, out=values)
    np.clip(values, low, high, out=values)
    return values.astype(np.int16 if low >= -(1 << 15) and high < 1 << 15 else np.int64)


def _cut(image: Array, window: Window, fill: float) -> Array:
    """Views of all windows: `[batch, channels, h, w, kernel, kernel]`."""
    if window.padding:
        sides = (window.padding, window.padding)
        image = np.pad(image, ((0, 0), (0, 0), sides, sides), constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(image, (window.kernel, window.kernel), axis=(2, 3))
    return views[:, :, :: window.stride, :: window.stride]


def _pool_max(image: Array, window: Window) -> Array:
    lowest = np.iinfo(image.dtype).min if image.dtype.kind == "i" else -np.inf
    cut = _cut(image, window, lowest)
    largest = cut[..., 0, 0].copy()
    for row, column in np.ndindex(window.kernel, window.kernel):  # far faster than a maximum over two short axes
        np.maximum(largest, cut[..., row, column], out=largest)
    return largest


def _pool_sum(image: Array, window: Window) -> Array:
    if window.kernel == 0:
        return np.asarray(image.sum(axis=(2, 3)))
    return np.asarray(_cut(image, window, 0).sum(axis=(4, 5)))
