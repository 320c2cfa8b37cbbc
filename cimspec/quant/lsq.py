"""Rounding that gradients pass through, with learned steps (Esser et al., "Learned step size quantization", ICLR 2020).

value, step -> `step * clip(rint(value / step))`. Backward: straight through inside the range for the value, and
`code - value/step` inside, `code` outside for the step.
"""

from typing import Any

import torch
from torch import Tensor

_UNTYPED: Any = torch.autograd.Function  # torch does not type it


class _LearnedStep(_UNTYPED):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, value: Tensor, step: Tensor, low: int, high: int, step_gradient: float) -> Tensor:
        scaled = value / step
        codes = scaled.round().clamp_(low, high)
        ctx.save_for_backward(scaled, codes, step)
        ctx.low, ctx.high, ctx.step_gradient = low, high, step_gradient
        return codes * step

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        scaled, codes, step = ctx.saved_tensors
        inside = (scaled >= ctx.low) & (scaled <= ctx.high)
        to_value = gradient * inside
        # code - inside * value/step, times the incoming gradient, summed over what shares a step
        to_step = gradient * codes - to_value * scaled
        summed = to_step.sum() if step.ndim == 0 else to_step.flatten(1).sum(1).view_as(step)
        return to_value, summed * ctx.step_gradient, None, None, None


class _RoundThrough(_UNTYPED):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, value: Tensor, step: Tensor) -> Tensor:  # noqa: ARG004
        return torch.round(value / step).mul_(step)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004
        return gradient, None


def quantize_learned(value: Tensor, step: Tensor, low: int, high: int, *, shared_by: int) -> Tensor:
    """Fake quantization with a learned step; `shared_by` values share one step, which scales its gradient."""
    step_gradient: float = (shared_by * high) ** -0.5
    result: Tensor = _LearnedStep.apply(value, step, low, high, step_gradient)
    return result


def round_through(value: Tensor, step: Tensor) -> Tensor:
    """`value` rounded to a multiple of `step`; the gradient ignores the rounding."""
    result: Tensor = _RoundThrough.apply(value, step)
    return result
