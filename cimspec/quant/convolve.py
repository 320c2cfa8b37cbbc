"""Convolutions, with a gradient of their own where images have one channel.

oneDNN finds the weights' gradient of such a convolution two to four times more slowly than one matrix product does
over shifted copies of the images; on digits it was a tenth of the training.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cimspec.graph.layer import Conv2d
from cimspec.graph.window import Window
from cimspec.quant.autograd import Function
from cimspec.quant.device import CPU


def channels_last(tensor: Tensor) -> Tensor:
    """The same values with channels innermost in memory, for images and kernels.

    On a CPU, pooling is then 4-10 times as fast, a first convolution's gradient twice. Shapes stay. A single channel
    lies in memory the same either way: its strides, which operations lose, tell torch how the result should lie.
    """
    if tensor.ndim != 4:
        return tensor
    lying = tensor.contiguous(memory_format=torch.channels_last)
    if tensor.shape[1] > 1:
        return lying
    height, width = tensor.shape[2:]
    return lying.as_strided(tensor.shape, (height * width, 1, width, 1))


def convolve(op: Conv2d, images: Tensor, weight: Tensor, bias: Tensor | None, sides: tuple[int, int]) -> Tensor:
    """Images [images, channels, height, width] -> [images, outputs, height, width].

    `sides` are the zeros still to be put above and below, and left and right; those of `op` are not looked at.
    """
    window = op.window
    if op.in_channels == 1 and not images.requires_grad and images.device == CPU:
        images = channels_last(images)
        if weight.requires_grad:
            result: Tensor = _OneChannel.apply(images, weight, bias, window, sides)
            return result
    return functional.conv2d(images, weight, bias, window.stride, sides, window.dilation, op.groups)


class _OneChannel(Function):  # type: ignore[misc]
    """A convolution of given images with one channel: they get no gradient."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, window: Window, sides: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(images)
        ctx.window, ctx.sides, ctx.weight_shape = window, sides, weight.shape
        return functional.conv2d(images, weight, bias, window.stride, sides, window.dilation)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor | None, None, None]:
        (images,) = ctx.saved_tensors
        down, right = ctx.sides
        padded = functional.pad(images[:, 0], (right, right, down, down))
        by_output = gradient.permute(0, 2, 3, 1).flatten(0, 2)  # [images x positions, outputs]
        to_weight = (_shifted(padded, ctx.window, gradient.shape[2:]) @ by_output).T.reshape(ctx.weight_shape)
        return None, to_weight, by_output.sum(0) if ctx.needs_input_grad[2] else None, None, None


def _shifted(images: Tensor, window: Window, size: torch.Size) -> Tensor:
    """What each value of the window sees of images [images, height, width]: [window, images x positions]."""
    height, width = size
    seen = images.new_empty(*window.kernel, len(images), height, width)
    for y in range(window.kernel[0]):
        for x in range(window.kernel[1]):
            rows = _every(window.stride[0], height, start=y * window.dilation[0])
            columns = _every(window.stride[1], width, start=x * window.dilation[1])
            seen[y, x] = images[:, rows, columns]
    return seen.view(window.area, -1)


def _every(step: int, count: int, *, start: int) -> slice:
    """`count` values from `start` on, `step` apart."""
    return slice(start, start + step * (count - 1) + 1, step)
