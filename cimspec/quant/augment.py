"""Random small changes of training images: images -> images of the same shape.

Distortion: rotation, scale, shear and shift, and an elastic field that is drawn on a coarse grid and interpolated
(after Simard et al., "Best practices for convolutional neural networks applied to visual document analysis", 2003).
Noise: on every pixel, stronger in some images than in others; a network that knows noise loses less to few bits.
"""

from functools import cache

import torch
from torch import Generator, Tensor
from torch.nn import functional

ROTATION = 0.26  # radians, about 15 degrees
SCALE = 0.15
SHEAR = 0.2
SHIFT = 0.16  # of half the image's side: 2.2 pixels of 28
ELASTIC = 0.09  # of half the image's side at the nodes of the coarse grid
COARSE = 5  # nodes of the elastic field along a side


def distort(images: Tensor, strength: float, generator: Generator) -> Tensor:
    """Images [images, channels, height, width], each distorted on its own; `strength` 0 .. 1.

    Draws are made on the CPU, so that they are the same wherever `images` are.
    """
    if strength == 0:
        return images
    count = len(images)
    turn, shear, stretch_x, stretch_y = (
        strength * limit * (2 * torch.rand(count, generator=generator) - 1) for limit in (ROTATION, SHEAR, SCALE, SCALE)
    )
    shift = strength * SHIFT * (2 * torch.rand(count, 2, generator=generator) - 1)
    cos, sin = torch.cos(turn), torch.sin(turn)
    row_x = torch.stack(((1 + stretch_x) * cos, -sin + shear), 1)
    row_y = torch.stack((sin, (1 + stretch_y) * cos), 1)
    turned = torch.stack((row_x, row_y), 1).to(images.device)  # [images, x and y, by x and by y]
    nodes = strength * ELASTIC * torch.randn(count, 2, COARSE, COARSE, generator=generator)
    height, width = images.shape[2:]
    x, y = _centres(width).to(images.device), _centres(height).to(images.device)
    along, down = _between_nodes(width).to(images.device), _between_nodes(height).to(images.device)
    columns = turned[:, :, :1] * x + shift.to(images.device)[:, :, None]
    rows = turned[:, :, 1:] * y
    grid = (down @ nodes.to(images.device) @ along.T).add_(rows[:, :, :, None]).add_(columns[:, :, None])
    return functional.grid_sample(images, grid.permute(0, 2, 3, 1).contiguous(), align_corners=False)


def _centres(pixels: int) -> Tensor:
    """Where the pixels along a side are, the side going from -1 to 1."""
    return (2 * torch.arange(pixels) + 1) / pixels - 1


@cache
def _between_nodes(pixels: int) -> Tensor:
    """The matrix [pixels, COARSE] of cubic interpolation: ten times as fast as interpolating each field."""
    each = torch.eye(COARSE)[None, None]
    matrix: Tensor = functional.interpolate(each, (pixels, COARSE), mode="bicubic", align_corners=True)[0, 0]
    return matrix


def add_noise(images: Tensor, deviation: float, generator: Generator) -> Tensor:
    """Images with normal noise, within their range of values.

    Its standard deviation is drawn for each image, up to `deviation` times that range.
    """
    if deviation == 0:
        return images
    low, high = images.amin(), images.amax()
    share = torch.rand(len(images), 1, 1, 1, generator=generator).to(images.device)
    normal = torch.randn(images.shape, generator=generator).to(images.device)
    return images.addcmul(deviation * (high - low) * share, normal).clamp_(low, high)
