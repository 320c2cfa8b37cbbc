"""How good a quantized network is: its divergence from the float network, its accuracy, its loss.

Outputs of both networks + labels -> Quality.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """Measured on one split."""

    kl: float  # mean over images of KL(float || quantized), nats
    accuracy: float  # 0 .. 1
    loss: float  # mean cross-entropy against the labels, nats
    correct: npt.NDArray[np.bool_]  # [images], for paired comparisons


def measure(outputs: Tensor, float_log_probabilities: Tensor, labels: Tensor) -> Quality:
    """Quality of `outputs` [images, classes], given the float network's log probabilities."""
    log_probabilities = functional.log_softmax(outputs.flatten(1), 1)
    correct = log_probabilities.argmax(1) == labels
    return Quality(
        float(functional.kl_div(log_probabilities, float_log_probabilities, reduction="batchmean", log_target=True)),
        float(correct.double().mean()),
        float(functional.nll_loss(log_probabilities, labels)),
        correct.numpy(),
    )
