"""What float training and fine-tuning share: batches, the learning rate over time, averaged weights, progress."""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Generator, Tensor

Progress = Callable[[int, int, str], None]
"""`(done, total, text)`: how far a long computation is."""


def no_progress(done: int, total: int, text: str) -> None:
    """Tell nobody."""


def batches(count: int, batch: int, generator: Generator) -> Iterator[Tensor]:
    """Indices of every image once, shuffled; a last batch under half the size joins the one before."""
    order = torch.randperm(count, generator=generator)
    parts = max(1, round(count / batch))
    return iter(order.tensor_split(parts))


def batch_count(count: int, batch: int) -> int:
    """How many batches one pass makes."""
    return max(1, round(count / batch))


def one_cycle(step: int, steps: int, warmup: float) -> float:
    """The learning rate's factor at `step` of `steps`: linear up over the share `warmup`, then a cosine down to 0."""
    position = (step + 0.5) / steps
    if position < warmup:
        return position / warmup
    return 0.5 * (1 + math.cos(math.pi * (position - warmup) / (1 - warmup)))


class Average:
    """Exponential moving average of parameters; `values` are the averaged tensors."""

    def __init__(self, parameters: Sequence[Tensor], decay: float) -> None:
        self.parameters = parameters
        self.decay = decay
        self.values = [parameter.detach().clone() for parameter in parameters]

    def update(self) -> None:
        """Take in the parameters as they are now."""
        with torch.no_grad():
            torch._foreach_lerp_(self.values, list(self.parameters), 1 - self.decay)
