"""What chips make of a network while it is fine-tuned: weights that stray, and outputs that are converted coarsely.

Both are added in the forward pass, and gradients pass as if they were not there, so that training finds weights which
such errors harm least (Joshi et al., "Accurate deep neural network inference using computational phase-change memory",
Nature Communications 2020). Every few batches meet another chip.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt
import torch
from torch import Generator, Tensor

from cimspec.data.dataset import Images
from cimspec.graph.precision import Policy
from cimspec.quant.parameters import FloatArray, QuantizedParameters, WeightCodes

BATCHES_OF_A_CHIP = 8
"""Batches until another chip is drawn; making its cells takes about as long as a batch."""


class ChipErrors(Protocol):
    """What chips of one kind do to networks of one policy."""

    def weights(self, layer: str, codes: WeightCodes, chip: int) -> FloatArray | None:
        """What chip number `chip` makes of weight codes `[outputs, inputs]`, less these; None where they stay."""
        ...

    def outputs(self, layer: str) -> FloatArray | None:
        """Standard deviations `[outputs]` of errors that come anew with each product, in products of codes."""
        ...


class Chips(Protocol):
    """The chips to fine-tune for."""

    def errors(self, policy: Policy) -> ChipErrors:
        """What they do to networks of a policy."""
        ...

    def outputs(self, parameters: QuantizedParameters, images: Images) -> npt.NDArray[Any]:
        """What a network gives for `images` on one of them: `[images, classes]`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LayerErrors:
    """One layer's errors on one chip, in codes."""

    weights: Tensor | None  # in the shape of the layer's weights
    outputs: Tensor | None  # [outputs], standard deviations


def disturbed(outputs: Tensor, deviation: Tensor, generator: Generator) -> Tensor:
    """Outputs `[images, ...]` with normal errors; `deviation` can be broadcast over them.

    Draws are made on the CPU, so that they are the same wherever `outputs` are.
    """
    strides = torch.empty_like(outputs, device="cpu").stride()
    # Drawn in a row: where channels are innermost `normal_` takes eight times as long.
    normal = torch.randn(outputs.numel(), generator=generator).as_strided(outputs.shape, strides)
    return torch.addcmul(outputs, normal.to(outputs.device), deviation)
