"""What float training and fine-tuning share: batches, optimizers, the learning rate over time, averages, progress."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, assert_never

import torch
from torch import Generator, Tensor

from cimspec.spec.training import Optimizer, Schedule

MOMENTUM = 0.9

Progress = Callable[[int, int, str], None]
"""`(done, total, text)`: how far a long computation is."""


def no_progress(done: int, total: int, text: str) -> None:
    """Tell nobody."""


def batches(count: int, batch: int, generator: Generator) -> Iterator[Tensor]:
    """Indices of every image once, shuffled, in batches of nearly equal size."""
    order = torch.randperm(count, generator=generator)
    parts = max(1, round(count / batch))
    return iter(order.tensor_split(parts))


def batch_count(count: int, batch: int) -> int:
    """How many batches one pass makes."""
    return max(1, round(count / batch))


def make_optimizer(
    kind: Optimizer, parameters: Iterable[Tensor] | Iterable[dict[str, Any]], learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """The optimizer of `parameters`, or of groups of them."""
    match kind:
        case Optimizer.ADAMW:
            return torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)
        case Optimizer.SGD:
            return torch.optim.SGD(
                parameters, lr=learning_rate, weight_decay=weight_decay, momentum=MOMENTUM, nesterov=True, fused=True
            )
        case _:
            assert_never(kind)


def rate(schedule: Schedule, step: int, steps: int, warmup: float) -> float:
    """The learning rate's factor at `step` of `steps`; `warmup` is for `one_cycle`."""
    match schedule:
        case Schedule.ONE_CYCLE:
            return one_cycle(step, steps, warmup)
        case Schedule.COSINE:
            return one_cycle(step, steps, 0.0)
        case Schedule.CONSTANT:
            return 1.0
        case _:
            assert_never(schedule)


def one_cycle(step: int, steps: int, warmup: float) -> float:
    """The learning rate's factor at `step` of `steps`: linear up for the share `warmup`, then cosine."""
    position = (step + 0.5) / steps
    if position < warmup:
        return position / warmup
    return 0.5 * (1 + math.cos(math.pi * (position - warmup) / (1 - warmup)))


class Average:
    """A moving average of parameters: each update moves it by `1 - decay` of the way, early ones by more."""

    def __init__(self, parameters: Sequence[Tensor], decay: float) -> None:
        self._parameters = parameters
        self._decay = decay
        self._updates = 0
        self._values = [parameter.detach().clone() for parameter in parameters]

    def update(self) -> None:
        """Take in the parameters as they are now."""
        self._updates += 1
        share = 1 - min(self._decay, self._updates / (9 + self._updates))
        with torch.no_grad():
            for value, parameter in zip(self._values, self._parameters, strict=True):
                value.lerp_(parameter, share)

    def put_back(self) -> None:
        """Set the parameters to their averages."""
        with torch.no_grad():
            for value, parameter in zip(self._values, self._parameters, strict=True):
                parameter.copy_(value)
