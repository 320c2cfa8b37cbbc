"""What a layer of a `.cim` file can be: one pydantic model for each kind, its fields as they are written."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from cimspec.spec.base import Option, SpecModel

Size = Annotated[int, Field(ge=1, le=1_000_000)]
Extent = Annotated[int, Field(ge=1, le=1024)]
Margin = Annotated[int, Field(ge=0, le=1024)]
Axis = Annotated[int, Field(ge=0, le=7)]


def repeated(count: int) -> BeforeValidator:
    """Lets fewer numbers stand for `count`: `3` for `3 x 3`, `0 x 3` for top 0, left 3, bottom 0, right 3."""

    def repeat(value: object) -> object:
        given = (value,) if isinstance(value, int) else value
        if isinstance(given, tuple) and given and count % len(given) == 0:
            return given * (count // len(given))
        return given

    return BeforeValidator(repeat)


Pair = Annotated[tuple[Extent, Extent], repeated(2)]
"""Along the height and along the width."""

Sides = Annotated[tuple[Margin, Margin, Margin, Margin], repeated(4)]
"""Top, left, bottom, right."""


class InputSpec(SpecModel):
    """`input 1 x 28 x 28 { signed = false }`: an image; or a vector, or a sequence (tokens x features)."""

    kind: Literal["input"] = "input"
    shape: Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)] = Field(
        description="channels x height x width of an image, tokens x features, or features; stands beside the word"
    )
    signed: bool = Field(default=True, description="whether input values can be negative")


class Conv2dSpec(SpecModel):
    """A convolution."""

    kind: Literal["conv2d"] = "conv2d"
    channels: Size = Field(description="output channels")
    kernel: Pair = Field(description="height and width of the kernel")
    stride: Pair = Field(default=(1, 1), description="distance between windows")
    padding: Sides = Field(default=(0, 0, 0, 0), description="zeros added around the image")
    dilation: Pair = Field(default=(1, 1), description="distance between the values of a window")
    groups: Size = Field(default=1, description="groups of channels that do not mix")


class DepthwiseSpec(SpecModel):
    """A convolution of each channel by itself."""

    kind: Literal["depthwise"] = "depthwise"
    kernel: Pair = Field(description="height and width of the kernel")
    stride: Pair = Field(default=(1, 1), description="distance between windows")
    padding: Sides = Field(default=(0, 0, 0, 0), description="zeros added around the image")
    dilation: Pair = Field(default=(1, 1), description="distance between the values of a window")
    multiplier: Size = Field(default=1, description="output channels for each input channel")


class LinearSpec(SpecModel):
    """A fully connected layer over the last axis; images are flattened before it."""

    kind: Literal["linear"] = "linear"
    features: Size = Field(description="outputs")


class ProductSpec(SpecModel):
    """The matrix product of two tensors: `product p1 from a, b`; crossbars hold the second."""

    kind: Literal["product"] = "product"


class Projections(Option):
    """Where queries, keys and values of attention come from."""

    SEPARATE = "separate", "three linear layers, `a1_q`, `a1_k` and `a1_v`, each with bits of its own"
    JOINED = "joined", "one linear layer of three times the features, `a1_qkv`"


class AttentionSpec(SpecModel):
    """Self attention of several heads, with its linear layers (Vaswani et al., NIPS 2017)."""

    PARTS: ClassVar[tuple[str, ...]] = ("q", "k", "v", "qkv", "qk", "av", "out")
    """What may run on crossbars of attention `a1`: `a1_q`, `a1_k` ... in execution order; see `parts`."""

    kind: Literal["attention"] = "attention"
    heads: Size = Field(description="parts into which the features are cut")
    qkv: Projections = Field(
        default=Projections.SEPARATE,
        description="whether queries, keys and values come from three linear layers or from one",
    )

    @property
    def parts(self) -> tuple[str, ...]:
        """What runs on crossbars, in execution order."""
        return (*(("qkv",) if self.qkv is Projections.JOINED else ("q", "k", "v")), "qk", "av", "out")

    @model_serializer(mode="wrap")
    def _without_default(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Three layers are not mentioned, so that digests from before there was a choice stay as they are."""
        found: dict[str, Any] = dump(self)
        if self.qkv is Projections.SEPARATE:
            del found["qkv"]
        return found


class BatchNormSpec(SpecModel):
    """Batch normalization, folded into the layer before it."""

    kind: Literal["batchnorm"] = "batchnorm"


class LayerNormSpec(SpecModel):
    """Normalization of each token, or of a vector, then a learned scale and shift of each feature."""

    kind: Literal["layernorm"] = "layernorm"
    epsilon: Annotated[float, Field(gt=0, le=1)] = Field(default=1e-5, description="added to the variance")


class LrnSpec(SpecModel):
    """Local response normalization: each value by those at its place in neighbouring channels (AlexNet, NIPS 2012)."""

    kind: Literal["lrn"] = "lrn"
    size: Extent = Field(description="channels that count")
    alpha: Annotated[float, Field(ge=0, le=1e6)] = Field(
        default=1e-4, description="weight of the neighbours: `x / (bias + alpha / size * sum of squares)^beta`"
    )
    beta: Annotated[float, Field(ge=0, le=100)] = Field(default=0.75, description="the exponent")
    bias: Annotated[float, Field(gt=0, le=1e6)] = Field(default=1.0, description="added to the neighbours")


class ReluSpec(SpecModel):
    """`max(x, 0)`."""

    kind: Literal["relu"] = "relu"


class FunctionSpec(SpecModel):
    """A function of each value that has no options."""

    FORMULAS: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "relu6": "`min(max(x, 0), 6)`",
            "sigmoid": "`1 / (1 + exp(-x))`",
            "tanh": "The hyperbolic tangent",
            "silu": "`x * sigmoid(x)`, also called swish",
            "hardsigmoid": "`min(max(x / 6 + 1/2, 0), 1)`",
            "hardswish": "`x * hardsigmoid(x)` (MobileNetV3, ICCV 2019)",
        }
    )

    kind: Literal["relu6", "sigmoid", "tanh", "silu", "hardsigmoid", "hardswish"]


class GeluForm(Option):
    """How GELU is computed."""

    EXACT = "exact", "`x * (1 + erf(x / sqrt(2))) / 2`"
    TANH = "tanh", "`x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3))) / 2`, the usual approximation"


class GeluSpec(SpecModel):
    """`x * Phi(x)`, Phi the normal distribution (Hendrycks and Gimpel, arXiv 1606.08415)."""

    kind: Literal["gelu"] = "gelu"
    form: GeluForm = Field(default=GeluForm.EXACT, description="how it is computed")


class ClipSpec(SpecModel):
    """`min(max(x, low), high)`; a bound that is left out bounds nothing."""

    kind: Literal["clip"] = "clip"
    low: float | None = Field(default=None, description="the least value; none if left out")
    high: float | None = Field(default=None, description="the largest value; none if left out")

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("`clip` needs `low` or `high`, or both; write `clip { low = 0; high = 6 }`")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"`low` is {self.low:g}, above `high`, {self.high:g}; exchange them")
        return self


class SoftmaxSpec(SpecModel):
    """`exp(x) / sum(exp(x))`."""

    kind: Literal["softmax"] = "softmax"
    axis: Axis | None = Field(default=None, description="the axis of the sum; the last if left out")


class MaxPoolSpec(SpecModel):
    """The maximum of each window."""

    kind: Literal["maxpool"] = "maxpool"
    kernel: Pair = Field(description="height and width of the window")
    stride: Pair | None = Field(default=None, description="distance between windows; the kernel if left out")
    padding: Sides = Field(default=(0, 0, 0, 0), description="rows and columns added around, which never win")


class AvgPoolSpec(SpecModel):
    """The mean of each window."""

    kind: Literal["avgpool"] = "avgpool"
    kernel: Pair = Field(description="height and width of the window")
    stride: Pair | None = Field(default=None, description="distance between windows; the kernel if left out")
    padding: Sides = Field(default=(0, 0, 0, 0), description="zeros added around the image")
    counts_padding: bool = Field(default=False, description="whether the mean is over the padding, too")


class GlobalAvgPoolSpec(SpecModel):
    """The mean of each channel."""

    kind: Literal["globalpool"] = "globalpool"


class MeanTokensSpec(SpecModel):
    """The mean of all tokens."""

    kind: Literal["meanpool"] = "meanpool"


class AddSpec(SpecModel):
    """The sum of two tensors: `add a1 from c2, shortcut`."""

    kind: Literal["add"] = "add"


class MultiplySpec(SpecModel):
    """The product, value by value: `multiply m1 from c2, gate`; a vector scales the channels of an image."""

    kind: Literal["multiply"] = "multiply"


class ConcatSpec(SpecModel):
    """Tensors one after the other: `concat c1 from a, b, c`."""

    kind: Literal["concat"] = "concat"
    axis: Axis = Field(default=0, description="the axis that grows: channels, or tokens, are 0")


class SliceSpec(SpecModel):
    """Indices `start .. stop - 1` of an axis."""

    kind: Literal["slice"] = "slice"
    axis: Axis = Field(default=0, description="the axis that is cut: channels, or tokens, are 0")
    start: Annotated[int, Field(ge=0, le=1_000_000)] = Field(default=0, description="the first index taken")
    stop: Size = Field(description="the first index no longer taken")
    step: Size = Field(default=1, description="take every so many")


class ReshapeSpec(SpecModel):
    """The same values in another shape, last axis innermost."""

    kind: Literal["reshape"] = "reshape"
    shape: Annotated[tuple[Size, ...], Field(min_length=1, max_length=8)] = Field(
        description="the new sizes, without the batch: `16 x 7 x 7`"
    )


class TransposeSpec(SpecModel):
    """Axes in another order: axis `i` of the result is axis `axes[i]` of the input."""

    kind: Literal["transpose"] = "transpose"
    axes: Annotated[tuple[Axis, ...], Field(min_length=1, max_length=8)] = Field(
        description="where each axis of the result comes from; `[1, 0]` swaps two"
    )


class FlattenSpec(SpecModel):
    """An image, or a sequence, to a vector; channels, or tokens, outermost."""

    kind: Literal["flatten"] = "flatten"


class TokensSpec(SpecModel):
    """An image to a sequence: one token for each pixel, with the channels as its features."""

    kind: Literal["tokens"] = "tokens"


class ClassTokenSpec(SpecModel):
    """A learned token ahead of the others."""

    kind: Literal["class_token"] = "class_token"


class PositionsSpec(SpecModel):
    """A learned tensor, added: where each token stands."""

    kind: Literal["positions"] = "positions"


class SelectSpec(SpecModel):
    """One token of a sequence, as a vector."""

    kind: Literal["select"] = "select"
    token: Annotated[int, Field(ge=0, le=1_000_000)] = Field(default=0, description="its index; the class token is 0")


OpSpec = Annotated[
    InputSpec
    | Conv2dSpec
    | DepthwiseSpec
    | LinearSpec
    | ProductSpec
    | AttentionSpec
    | BatchNormSpec
    | LayerNormSpec
    | LrnSpec
    | ReluSpec
    | FunctionSpec
    | GeluSpec
    | ClipSpec
    | SoftmaxSpec
    | MaxPoolSpec
    | AvgPoolSpec
    | GlobalAvgPoolSpec
    | MeanTokensSpec
    | AddSpec
    | MultiplySpec
    | ConcatSpec
    | SliceSpec
    | ReshapeSpec
    | TransposeSpec
    | FlattenSpec
    | TokensSpec
    | ClassTokenSpec
    | PositionsSpec
    | SelectSpec,
    Field(discriminator="kind"),
]
