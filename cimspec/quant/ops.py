"""Operations of an integer network. `apply.py` says what they compute, `types.py` what they make of which tensors.

Tensors are named and hold codes, sums of products, or real numbers; arrays carry the batch first. `MatMul` runs on
crossbars and is expanded by the compiler; all others run on the chip's digital units. Operations hold no arrays:
weights and biases are named, and so is the scale of each tensor of integers, `NAME.scale`: a real value is an integer
times its scale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.graph.layer import Function, Shape
from cimspec.graph.precision import Precision
from cimspec.graph.window import Window

Array = npt.NDArray[Any]
Constants = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Codes:
    """Integers of a few bits: `0 .. 2^bits - 1`, or symmetric about 0 if signed."""

    bits: int
    signed: bool

    @property
    def low(self) -> int:
        """The smallest code."""
        return -self.high if self.signed else 0

    @property
    def high(self) -> int:
        """The largest code."""
        return (1 << (self.bits - self.signed)) - 1


class Wide(StrEnum):
    """What a tensor holds that is not cut to codes; it takes `WIDE_BITS` of a buffer."""

    SUMS = "sums"  # integers
    REALS = "reals"


WIDE_BITS = 32

Element = Codes | Wide


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor by its name: what its values are, and its shape without the batch."""

    name: str
    element: Element
    shape: Shape

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def value_bits(self) -> int:
        """Bits of a buffer that one value takes."""
        return self.element.bits if isinstance(self.element, Codes) else WIDE_BITS


def scale_name(tensor: str) -> str:
    """The constant that holds a tensor's scale, in a shape that broadcasts to the tensor's."""
    return f"{tensor}.scale"


@dataclass(frozen=True, slots=True)
class Requantize:
    """`clip(rint(src * (scale of src / scale of dst)))`, in float64."""

    dst: str
    src: str
    codes: Codes


@dataclass(frozen=True, slots=True)
class MatMul:
    """Products of codes with matrices `[outputs, inputs]`: one for each output pixel, or each row of a sequence.

    `window` None: over the last axis. Several `matrices`: groups of channels, or heads, each with its own part of the
    codes. Moving weights are a tensor, `[..., inputs, outputs]` and without bias; others are a constant
    `[matrices * outputs, inputs]`, and so is their `bias` `[matrices * outputs]`.
    """

    dst: str
    src: str
    layer: str
    weights: str
    bias: str | None
    window: Window | None
    matrices: int
    inputs: int
    outputs: int
    shape: Shape  # of the result
    precision: Precision
    signed: bool  # whether input codes can be negative

    @property
    def moving(self) -> bool:
        """Whether weights are written anew for each network input."""
        return self.bias is None

    @property
    def invocations(self) -> int:
        """Products with each matrix for one network input."""
        return prod(self.shape) // (self.matrices * self.outputs)


@dataclass(frozen=True, slots=True)
class AddCodes:
    """`clip(rint(a * (scale of a / scale of dst) + b * (scale of b / scale of dst)))`, in float64."""

    dst: str
    a: str
    b: str
    codes: Codes


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
    """The sum of each window; the mean's divisor is part of the scale (of real numbers: of the sum)."""

    dst: str
    src: str
    window: Window
    counts_padding: bool


@dataclass(frozen=True, slots=True)
class SumAxes:
    """The sum over some axes; the mean's divisor is part of the scale (of real numbers: of the sum)."""

    dst: str
    src: str
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reshaped:
    """The same values in another shape, last axis innermost."""

    dst: str
    src: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Transposed:
    """Axes in another order: axis `i` of the result is axis `axes[i]` of the source."""

    dst: str
    src: str
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sliced:
    """Indices `start .. stop - 1` of an axis, every `step`-th."""

    dst: str
    src: str
    axis: int
    start: int
    stop: int
    step: int


@dataclass(frozen=True, slots=True)
class Joined:
    """Tensors beside each other along an axis, each with the index it starts at."""

    dst: str
    parts: tuple[tuple[str, int], ...]
    axis: int

    @property
    def ordered(self) -> tuple[str, ...]:
        """The parts from the first index to the last."""
        return tuple(name for name, _ in sorted(self.parts, key=lambda part: part[1]))


@dataclass(frozen=True, slots=True)
class Dequantize:
    """The real values, `src * scale of src`, in float64."""

    dst: str
    src: str


@dataclass(frozen=True, slots=True)
class Load:
    """A constant tensor of real values, the same for every input."""

    dst: str
    value: str


@dataclass(frozen=True, slots=True)
class Evaluate:
    """A function of each real value."""

    dst: str
    src: str
    function: Function


@dataclass(frozen=True, slots=True)
class Clipped:
    """`min(max(x, low), high)` of real values."""

    dst: str
    src: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scaled:
    """`x * factor + shift` of real values; both are constants."""

    dst: str
    src: str
    factor: str
    shift: str


@dataclass(frozen=True, slots=True)
class Softmaxed:
    """`exp(x) / sum(exp(x))` of real values along an axis."""

    dst: str
    src: str
    axis: int


@dataclass(frozen=True, slots=True)
class Normalized:
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta` of real values over the last axis."""

    dst: str
    src: str
    gamma: str
    beta: str
    epsilon: float


@dataclass(frozen=True, slots=True)
class LocallyNormalized:
    """`x / (bias + alpha / size * sum of squares over neighbouring channels)^beta` of real values."""

    dst: str
    src: str
    size: int
    alpha: float
    beta: float
    bias: float


@dataclass(frozen=True, slots=True)
class Multiplied:
    """The product of two tensors' real values."""

    dst: str
    a: str
    b: str


VectorOp = (
    Requantize
    | AddCodes
    | Rectify
    | PoolMax
    | PoolSum
    | SumAxes
    | Reshaped
    | Transposed
    | Sliced
    | Joined
    | Dequantize
    | Load
    | Evaluate
    | Clipped
    | Scaled
    | Softmaxed
    | Normalized
    | LocallyNormalized
    | Multiplied
)
IntegerOp = VectorOp | MatMul


def sources(op: IntegerOp) -> tuple[str, ...]:
    """The tensors that an operation reads, one entry for each read."""
    match op:
        case AddCodes() | Multiplied():
            return op.a, op.b
        case Joined():
            return tuple(name for name, _ in op.parts)
        case Load():
            return ()
        case MatMul(moving=True):
            return op.src, op.weights
        case _:
            return (op.src,)


def rescaled(op: IntegerOp) -> tuple[str, ...]:
    """The tensors whose scale an operation reads, if they hold integers."""
    match op:
        case Requantize() | AddCodes():
            return op.dst, *sources(op)
        case MatMul() | Rectify() | PoolMax() | PoolSum() | SumAxes() | Reshaped() | Transposed() | Sliced():
            return ()
        case _:
            return sources(op)


def code_type(codes: Codes) -> type[np.signedinteger[Any]]:
    """The type that arrays of codes have."""
    return np.int16 if codes.bits < 16 else np.int64
