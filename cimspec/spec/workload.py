"""The network and its data, as written in a `.cim` file."""

from typing import Annotated, Literal

from pydantic import Field

from cimspec.spec.base import SpecModel

Size = Annotated[int, Field(ge=1, le=1_000_000)]
Window = Annotated[int, Field(ge=1, le=1024)]
Padding = Annotated[int, Field(ge=0, le=1024)]


class InputSpec(SpecModel):
    """`input 1 x 28 x 28 { signed = false }`."""

    kind: Literal["input"] = "input"
    shape: Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)]
    signed: bool = Field(default=True, description="whether input values can be negative")


class Conv2dSpec(SpecModel):
    """A square convolution."""

    kind: Literal["conv2d"] = "conv2d"
    channels: Size = Field(description="output channels")
    kernel: Window = Field(description="side of the square kernel")
    stride: Window = Field(default=1, description="distance between windows")
    padding: Padding = Field(default=0, description="zeros added on every side")


class LinearSpec(SpecModel):
    """A fully connected layer; images are flattened before it."""

    kind: Literal["linear"] = "linear"
    features: Size = Field(description="outputs")


class BatchNormSpec(SpecModel):
    """Batch normalization, folded into the layer before it."""

    kind: Literal["batchnorm"] = "batchnorm"


class ReluSpec(SpecModel):
    """`max(x, 0)`."""

    kind: Literal["relu"] = "relu"


class MaxPoolSpec(SpecModel):
    """The maximum of each window."""

    kind: Literal["maxpool"] = "maxpool"
    kernel: Window = Field(description="side of the window")
    stride: Window | None = Field(default=None, description="distance between windows; the kernel if left out")
    padding: Padding = Field(default=0, description="rows and columns added on every side, which never win")


class AvgPoolSpec(SpecModel):
    """The mean of each window."""

    kind: Literal["avgpool"] = "avgpool"
    kernel: Window = Field(description="side of the window")
    stride: Window | None = Field(default=None, description="distance between windows; the kernel if left out")


class GlobalAvgPoolSpec(SpecModel):
    """The mean of each channel."""

    kind: Literal["globalpool"] = "globalpool"


class AddSpec(SpecModel):
    """The sum of two tensors: `add a1 from c2, shortcut`."""

    kind: Literal["add"] = "add"


class FlattenSpec(SpecModel):
    """An image to a vector, channels outermost."""

    kind: Literal["flatten"] = "flatten"


OpSpec = Annotated[
    InputSpec
    | Conv2dSpec
    | LinearSpec
    | BatchNormSpec
    | ReluSpec
    | MaxPoolSpec
    | AvgPoolSpec
    | GlobalAvgPoolSpec
    | AddSpec
    | FlattenSpec,
    Field(discriminator="kind"),
]


class LayerSpec(SpecModel):
    """One statement of a model: `conv2d c2 from pool1 { ... }`. Without `from` it reads the one before it."""

    name: str  # as written, or made from kind and position: `relu3` is the third layer of the model
    inputs: tuple[str, ...]  # always spelled out here
    op: OpSpec


class ModelSpec(SpecModel):
    """A network; its first layer is the input."""

    name: str
    layers: Annotated[tuple[LayerSpec, ...], Field(min_length=2, max_length=10_000)]


class BuiltinData(SpecModel):
    """`builtin("mnist5k")`: a data set that ships with a Python package."""

    kind: Literal["builtin"] = "builtin"
    dataset: str


class DataSpec(SpecModel):
    """Where inputs and labels come from."""

    name: str
    source: BuiltinData
