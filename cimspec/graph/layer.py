"""Layers of a network as the compiler sees them: an operation, the names it reads, the shape it makes.

Shapes leave out the batch: `(channels, height, width)` for images, `(features,)` for vectors.
"""

import math
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """The network's input. `signed` says whether its values can be negative."""

    signed: bool


@dataclass(frozen=True, slots=True)
class Conv2d:
    """A convolution with square kernel, zero padding on all sides; runs on crossbars."""

    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    padding: int


@dataclass(frozen=True, slots=True)
class Linear:
    """A fully connected layer; runs on crossbars."""

    in_features: int
    out_features: int


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Per-channel scale and shift, folded into the layer before it ahead of quantization."""

    channels: int


@dataclass(frozen=True, slots=True)
class Relu:
    """`max(x, 0)`."""


@dataclass(frozen=True, slots=True)
class MaxPool:
    """The maximum of each window; padding never wins."""

    kernel: int
    stride: int
    padding: int


@dataclass(frozen=True, slots=True)
class AvgPool:
    """The mean of each window, without padding."""

    kernel: int
    stride: int


@dataclass(frozen=True, slots=True)
class GlobalAvgPool:
    """The mean of each channel: `(channels, h, w)` to `(channels,)`."""


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of two tensors of one shape."""


@dataclass(frozen=True, slots=True)
class Flatten:
    """`(channels, h, w)` to `(channels * h * w,)`, channels outermost."""


Op = Input | Conv2d | Linear | BatchNorm | Relu | MaxPool | AvgPool | GlobalAvgPool | Add | Flatten


@dataclass(frozen=True, slots=True)
class Layer:
    """One operation of a network."""

    name: str
    op: Op
    inputs: tuple[str, ...]  # names of the layers it reads, in operand order
    shape: Shape  # of its output

    @property
    def runs_on_crossbars(self) -> bool:
        """Whether the layer is a product with stored weights."""
        return isinstance(self.op, Conv2d | Linear)

    @property
    def size(self) -> int:
        """Number of output values."""
        return math.prod(self.shape)
