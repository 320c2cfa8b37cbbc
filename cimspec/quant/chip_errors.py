"""What chips make of a network while it is fine-tuned: weights that stray, and products that are converted coarsely.

Both are added in the forward pass, so that training finds weights which such errors harm least (Joshi et al., "Accurate
deep neural network inference using computational phase-change memory", Nature Communications 2020). Gradients go back
through the strayed weights, and are applied to those that they stray from. Every few batches meet another chip.
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
"""Batches until another chip is drawn: making its cells takes as long as a batch of small convolutions, and for large
linear layers longer. Until then errors stay, while weights move."""


@dataclass(frozen=True, slots=True, eq=False)
class ProductErrors:
    """How a layer's products on one chip differ from exact ones: by weights, by an offset, by what comes at random."""

    weights: FloatArray | None  # [outputs, inputs], in codes; None where weights stay
    offset: FloatArray  # [outputs], or [1] for all of them, in products of codes
    deviation: FloatArray  # the same of what is left, standard deviations


class ChipErrors(Protocol):
    """What chips of one kind do to networks of one policy."""

    def product_errors(self, layer: str, codes: WeightCodes, chip: int) -> ProductErrors | None:
        """What chip number `chip` makes of a layer with weight codes `[outputs, inputs]`; None if nothing goes wrong.

        Layers that multiply two activations have no codes.
        """
        ...


class Chips(Protocol):
    """The chips to fine-tune for."""

    def errors(self, policy: Policy) -> ChipErrors:
        """What they do to networks of a policy."""
        ...

    def network_outputs(self, parameters: QuantizedParameters, images: Images) -> npt.NDArray[Any]:
        """What a network gives for `images` on one of them: `[images, classes]`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LayerErrors:
    """`ProductErrors` as tensors, to be added to what a layer computes."""

    weights: Tensor | None  # in codes, shaped as the layer's weights
    offset: Tensor  # in products of codes, to broadcast over the layer's outputs
    deviation: Tensor  # the same

    def disturbed(self, outputs: Tensor, step: Tensor, generator: Generator) -> Tensor:
        """Outputs `[images, ...]` with offset and normal errors; `step` is one product of codes, to broadcast.

        `generator` is of the device of `outputs`.
        """
        strides = torch.empty_like(outputs, device="meta").stride()
        # Drawn in a row: where channels are innermost in memory `normal_` takes eight times as long.
        normal = torch.randn(outputs.numel(), generator=generator, device=outputs.device)
        errors = normal.as_strided(outputs.shape, strides).mul_(self.deviation).add_(self.offset)
        return torch.addcmul(outputs, errors, step)
