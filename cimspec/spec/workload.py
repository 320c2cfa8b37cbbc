"""The network and its data, as written in a `.cim` file."""

from typing import Annotated

from pydantic import Field

from cimspec.spec.base import SpecModel
from cimspec.spec.data_source import BuiltinData, OwnData
from cimspec.spec.model_file import WeightsFile
from cimspec.spec.operations import AttentionSpec, Conv2dSpec, DepthwiseSpec, LinearSpec, OpSpec, ProductSpec


class LayerSpec(SpecModel):
    """One statement of a model: `conv2d c2 from pool1 { ... }`. Without `from` it reads the one before it."""

    name: str  # as written, or made from kind and position: `relu3` is the third layer of the model
    inputs: tuple[str, ...]  # always spelled out here
    op: OpSpec

    @property
    def products(self) -> tuple[str, ...]:
        """Names of its matrix products, which run on crossbars: a policy has bits for each of them."""
        match self.op:
            case Conv2dSpec() | DepthwiseSpec() | LinearSpec() | ProductSpec():
                return (self.name,)
            case AttentionSpec():
                return tuple(f"{self.name}_{part}" for part in self.op.parts)
            case _:
                return ()


class ModelSpec(SpecModel):
    """A network; its first layer is the input. Without a file of weights it is trained."""

    name: str = Field(description="the word after `model`, by which `extends` finds it")
    weights: WeightsFile | None = Field(
        default=None,
        description="path of trained weights, by the names of layers: `.safetensors`, or a state dict as `.pt` or "
        "`.pth`; the network is trained if left out",
    )
    layers: Annotated[tuple[LayerSpec, ...], Field(min_length=2, max_length=10_000)] = Field(
        description="one statement each; the first is `input`"
    )


class DataSpec(SpecModel):
    """Where inputs and labels come from."""

    name: str = Field(description="the word after `data`")
    source: Annotated[BuiltinData | OwnData, Field(discriminator="kind")] = Field(
        description="the function that reads them"
    )
