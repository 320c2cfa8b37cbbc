"""How good a quantized network is: its divergence from the float network, its accuracy, its loss.

Outputs of both networks + labels -> Quality. The divergence is taken at a temperature, and is what fine-tuning makes
small. At a temperature of 1 a few images near a decision boundary make up most of the mean: between sets of 200
digits it varies by half of its value, at 3 by a twelfth (`benchmarks/divergence.py`). A search would fit that noise.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

SOFTNESS = 0.05
"""Margins within this share of the mean margin count as partly lost."""
SMALLEST_WIDTH = 1e-6
"""Where all margins are zero."""


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """Measured on one split."""

    kl: float  # mean over images of the divergence from the float network, nats
    accuracy: float  # 0 .. 1
    loss: float  # mean cross-entropy against the labels, nats
    correct: npt.NDArray[np.bool_]  # [images], for paired comparisons
    soft_error: float  # 0 .. 1: like 1 - accuracy, but a smooth function of the outputs; see `soft_error`


def divergence(outputs: Tensor, float_outputs: Tensor, temperature: float) -> Tensor:
    """`T^2 KL(softmax(float / T) || softmax(outputs / T))`, mean over images: outputs [images, classes], both.

    The factor keeps gradients alike at all temperatures T (Hinton et al., "Distilling the knowledge in a neural
    network", 2015).
    """
    ours, theirs = (functional.log_softmax(each / temperature, 1) for each in (outputs, float_outputs))
    return temperature**2 * functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)


def soft_error(outputs: Tensor, float_outputs: Tensor, labels: Tensor) -> float:
    """Mean over images of `sigmoid(-margin / width)`; the margin is the right output less the largest other one.

    The width is `SOFTNESS` of the float network's mean margin. Errors on few images are a coarse count, which says
    nothing of images that are nearly lost; this says so, and changes with every bit. It predicts which policies keep
    an accuracy better than the divergence does (`benchmarks/prediction.py`).
    """
    width = SOFTNESS * float(margins(float_outputs, labels).abs().mean()) + SMALLEST_WIDTH
    return float(torch.sigmoid(-margins(outputs, labels) / width).mean())


def margins(outputs: Tensor, labels: Tensor) -> Tensor:
    """By how much the right output exceeds the largest other one: [images]."""
    right = outputs.gather(1, labels[:, None])
    others = outputs.scatter(1, labels[:, None], -torch.inf).amax(1)
    return right[:, 0] - others


def measure(outputs: Tensor, float_outputs: Tensor, labels: Tensor, temperature: float) -> Quality:
    """Quality of `outputs` [images, classes], given the float network's."""
    log_probabilities = functional.log_softmax(outputs, 1)
    correct = log_probabilities.argmax(1) == labels
    return Quality(
        float(divergence(outputs, float_outputs, temperature)),
        float(correct.double().mean()),
        float(functional.nll_loss(log_probabilities, labels)),
        correct.cpu().numpy(),
        soft_error(outputs, float_outputs, labels),
    )
