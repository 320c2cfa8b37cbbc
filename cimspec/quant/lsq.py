"""Rounding that gradients pass through, with learned steps.

value, step -> `step * clip(rint(value / step))`. Backward: for the value straight through inside the range; for the
step `code - value/step` inside, `code` elsewhere. The ends of the range are not inside it (Esser et al., "Learned step
size quantization", ICLR 2020, eqs. 3 and 5).
"""

from typing import Any

import torch
from torch import Tensor

from cimspec.quant.autograd import Function


class _LearnedStep(Function):  # type: ignore[misc]
    """A fifth of a small network's fine-tuning was this, so it passes over memory as seldom as it can."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, step: Tensor, low: int, high: int, step_gradient: float) -> Tensor:
        scaled = value / step
        coded = scaled.clamp(low, high).round_().mul_(step)
        ctx.save_for_backward(scaled, coded, step)
        ctx.low, ctx.high, ctx.step_gradient = low, high, step_gradient
        return coded

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None, None, None]:
        scaled, coded, step = ctx.saved_tensors
        # The gradient where the value is inside the range, 0 at its ends and outside.
        to_value = torch.ops.aten.hardtanh_backward(gradient, scaled, ctx.low, ctx.high)
        to_step = None
        if ctx.needs_input_grad[1]:
            if step.ndim == 0:
                summed = _dot(coded, gradient) / step - _dot(to_value, scaled)
            else:
                shares = torch.div(coded, step).mul_(gradient).addcmul_(to_value, scaled, value=-1)
                summed = shares.flatten(1).sum(1).view_as(step)
            to_step = summed * ctx.step_gradient
        return to_value, to_step, None, None, None


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """The sum of products, over memory as it lies: images have their channels innermost."""
    if one.ndim == 4:
        one, other = one.permute(0, 2, 3, 1), other.permute(0, 2, 3, 1)
    return torch.dot(one.reshape(-1), other.reshape(-1))


class _RoundThrough(Function):  # type: ignore[misc]
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
