"""How the float network is trained and the quantized one fine-tuned, as written in a `.cim` file."""

from typing import Annotated

from pydantic import Field

from cimspec.spec.base import SpecModel

Epochs = Annotated[int, Field(ge=0, le=10_000)]


class TrainingSpec(SpecModel):
    """The recipe of one training; every field has a default that suits the shipped examples."""

    epochs: Epochs = Field(default=20, description="passes over the training split for the float network")
    finetune_epochs: Epochs = Field(default=8, description="passes for quantization-aware fine-tuning")
    batch: Annotated[int, Field(ge=1, le=65536)] = Field(default=64, description="images per step")
