"""Rounding that gradients pass through, with learned steps.

value, step -> `step * clip(rint(value / step))`. Backward: for the value straight through inside the range;
for the step `code - value/step` inside, `code` outside (Esser et al., "Learned step size quantization").
"""

from typing import Any

import torch
from torch import Tensor

_UNTYPED: Any = torch.autograd.Function  # torch does not type it


class _LearnedStep(_UNTYPED):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, value: Tensor, step: Tensor, low: int, high: int, step_gradient: float) -> Tensor:
        scaled = value / step
        clipped = scaled.clamp(low, high)
        inside = clipped == scaled
        codes = clipped.round_()
        # What `step` gets from each value: the rounding error inside the range, the code itself outside.
        ctx.save_for_backward(inside, torch.addcmul(codes, scaled, inside, value=-1), step)
        ctx.step_gradient = step_gradient
        return codes * step

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None, None]:
        inside, share, step = ctx.saved_tensors
        to_step = gradient * share
        summed = to_step.sum() if step.ndim == 0 else to_step.flatten(1).sum(1).view_as(step)
        to_value = gradient * inside if ctx.needs_input_grad[0] else None
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
