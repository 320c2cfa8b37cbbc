"""Convolutions of images with one channel, whose weights get their gradient from one matrix product."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor
from torch.nn import functional

from cimspec.graph.layer import Conv2d
from cimspec.graph.window import Window
from cimspec.quant.convolve import channels_last, convolve

sides = st.tuples(st.integers(1, 3), st.integers(1, 3))


def random(generator: Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@settings(deadline=None)
@given(kernel=sides, stride=sides, dilation=sides, padding=st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_gradients_are_those_of_torch(kernel, stride, dilation, padding):
    generator = Generator().manual_seed(0)
    images, weight, bias = random(generator, 3, 1, 9, 8), random(generator, 4, 1, *kernel), random(generator, 4)
    op = Conv2d(1, 4, Window(kernel, stride, dilation=dilation))
    found = []
    for which in (
        lambda w, b: convolve(op, images, w, b, padding),
        lambda w, b: functional.conv2d(images, w, b, stride, padding, dilation),
    ):
        own = weight.clone().requires_grad_(True), bias.clone().requires_grad_(True)
        outputs = which(*own)
        found.append((outputs, *torch.autograd.grad((outputs**3).sum(), own)))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_images_that_want_a_gradient_get_it():
    generator = Generator().manual_seed(0)
    images = random(generator, 2, 1, 5, 5).requires_grad_(True)
    weight = random(generator, 3, 1, 3, 3).requires_grad_(True)
    outputs = convolve(Conv2d(1, 3, Window.square(3)), images, weight, None, (1, 1))
    (mine,) = torch.autograd.grad(outputs.sum(), images)
    (theirs,) = torch.autograd.grad(functional.conv2d(images, weight, None, 1, 1).sum(), images)
    torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_lie_innermost_after_a_convolution(channels: int):
    """Strides of a single channel say nothing of memory, but torch goes by them: pooling would be slower."""
    images = torch.rand(2, channels, 6, 6) / 2  # as an operation leaves them
    weight = channels_last(torch.rand(4, channels, 3, 3)).requires_grad_(True)
    outputs = convolve(Conv2d(channels, 4, Window.square(3)), channels_last(images), weight, None, (1, 1))
    assert outputs.is_contiguous(memory_format=torch.channels_last)


def test_channels_last_keeps_values():
    images = torch.rand(2, 1, 3, 5)
    assert torch.equal(channels_last(images), images)
    assert channels_last(images).stride() == (15, 1, 5, 1)
