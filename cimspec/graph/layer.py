"""Layers of a network as the compiler sees them: an operation, the names it reads, the shape it makes.

Shapes leave out the batch: `(channels, height, width)` for images, `(features,)` for vectors, `(tokens, features)` for
sequences, `(heads, tokens, features)` for those cut into heads. Axes count from the first of these.
"""

import math
from enum import StrEnum

from msgspec import Struct

from cimspec.graph.window import Window

Shape = tuple[int, ...]


class Function(StrEnum):
    """Functions of one value, computed digitally."""

    SIGMOID = "sigmoid"
    TANH = "tanh"
    ERF = "erf"
    GELU = "gelu"  # x * (1 + erf(x / sqrt(2))) / 2
    GELU_TANH = "gelu_tanh"  # x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2
    SILU = "silu"  # x * sigmoid(x)
    HARD_SIGMOID = "hard_sigmoid"  # clip(x / 6 + 1 / 2, 0, 1)
    HARD_SWISH = "hard_swish"  # x * hard_sigmoid(x)


class Input(Struct, frozen=True, gc=False):
    """The network's input. `signed` says whether its values can be negative."""

    signed: bool


class Constant(Struct, frozen=True, gc=False):
    """A tensor that is part of the network: a class token, positions. Its `value` is among the weights."""


class Conv2d(Struct, frozen=True, gc=False):
    """A convolution with zero padding; runs on crossbars.

    With `groups`, each group of outputs reads its own group of channels (all of one channel: depthwise).
    """

    in_channels: int
    out_channels: int
    window: Window
    groups: int = 1


class Linear(Struct, frozen=True, gc=False):
    """A fully connected layer over the last axis; runs on crossbars."""

    in_features: int
    out_features: int


class Product(Struct, frozen=True, gc=False):
    """`[..., m, k] @ [..., k, n]` of two activations; runs on crossbars, which the second is written to (attention)."""


class BatchNorm(Struct, frozen=True, gc=False):
    """Per-channel scale and shift, folded into the layer before it ahead of quantization."""

    channels: int


class Affine(Struct, frozen=True, gc=False):
    """`x * factor + shift`; both are among the weights, in a shape that broadcasts to the layer's.

    Where weights are not given, `initial_factor` is all of `factor` before training, and `shift` is 0.
    """

    initial_factor: float = 1.0


class LayerNorm(Struct, frozen=True, gc=False):
    """Normalization over the last axis, then `* gamma + beta`."""

    features: int
    epsilon: float = 1e-5


class Relu(Struct, frozen=True, gc=False):
    """`max(x, 0)`."""


class Clip(Struct, frozen=True, gc=False):
    """`min(max(x, low), high)`, as in relu6; either may be infinite."""

    low: float
    high: float


class Elementwise(Struct, frozen=True, gc=False):
    """A function of each value."""

    function: Function


class Softmax(Struct, frozen=True, gc=False):
    """`exp(x) / sum(exp(x))` along an axis."""

    axis: int


class LocalResponseNorm(Struct, frozen=True, gc=False):
    """`x / (bias + alpha / size * sum of squares over neighbouring channels)^beta` (Krizhevsky et al., NIPS 2012)."""

    size: int
    alpha: float
    beta: float
    bias: float


class MaxPool(Struct, frozen=True, gc=False):
    """The maximum of each window; padding never wins."""

    window: Window


class AvgPool(Struct, frozen=True, gc=False):
    """The mean of each window; over padding too, as zeros, where `counts_padding`."""

    window: Window
    counts_padding: bool = False


class GlobalAvgPool(Struct, frozen=True, gc=False):
    """The mean of each channel: `(channels, h, w)` to `(channels,)`."""


class MeanTokens(Struct, frozen=True, gc=False):
    """The mean over all tokens: `(tokens, features)` to `(features,)`."""


class Add(Struct, frozen=True, gc=False):
    """The sum of two tensors, the shorter repeated as numpy broadcasts it."""


class Multiply(Struct, frozen=True, gc=False):
    """The product, value by value, of two tensors, the shorter repeated as numpy broadcasts it."""


class Quantize(Struct, frozen=True, gc=False):
    """The values as codes of `bits`, where a quantized model makes such for a layer that runs on digital units.

    Their step is among the quantized parameters.
    """

    bits: int


class Concat(Struct, frozen=True, gc=False):
    """Tensors one after the other along an axis."""

    axis: int


class Slice(Struct, frozen=True, gc=False):
    """Indices `start .. stop - 1` of an axis, every `step`-th."""

    axis: int
    start: int
    stop: int
    step: int = 1


class Reshape(Struct, frozen=True, gc=False):
    """The same values in another shape (the layer's), last axis innermost."""


class Transpose(Struct, frozen=True, gc=False):
    """Axes in another order: axis `i` of the result is axis `axes[i]` of the input."""

    axes: tuple[int, ...]


Op = (
    Input
    | Constant
    | Conv2d
    | Linear
    | Product
    | BatchNorm
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
    | Add
    | Multiply
    | Quantize
    | Concat
    | Slice
    | Reshape
    | Transpose
)


class Layer(Struct, frozen=True, gc=False):
    """One operation of a network."""

    name: str
    op: Op
    inputs: tuple[str, ...]  # names of the layers it reads, in operand order
    shape: Shape  # of its output

    @property
    def runs_on_crossbars(self) -> bool:
        """Whether the layer is a matrix product."""
        return isinstance(self.op, Conv2d | Linear | Product)

    @property
    def size(self) -> int:
        """Number of output values."""
        return math.prod(self.shape)
