"""Stored pixels -> what a network reads: scaled, resized, cropped, normalized. Plain numpy, in float32."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.data.dataset import Images
from cimspec.diag import fail
from cimspec.graph.layer import Shape
from cimspec.spec.data_source import Fit, Preparation

Size = tuple[int, int]  # height and width

MAX_SIDE = 30_000  # pixels
MAX_VALUES = 250_000_000  # of one image: 1 GB as float32


@dataclass(frozen=True, slots=True)
class Pixels:
    """The options of one source, carried out."""

    options: Preparation

    def shape(self, stored: Shape) -> Shape:
        """`(channels, height, width)` of stored images as a network reads them. Raises CIM459."""
        channels, height, width = stored
        for name, numbers in (("mean", self.options.mean), ("std", self.options.std)):
            if len(numbers) not in (0, 1, channels):
                fail(
                    "CIM459",
                    f"`{name}` has {len(numbers)} numbers, images have {channels} channel{'s' * (channels != 1)}",
                    help="write one number, or one for each channel",
                )
        size = self.options.resize or (height, width)
        if max(height, width) > MAX_SIDE or self.working_values(stored) > MAX_VALUES:
            what = f"{channels} x {height} x {width}"
            fail("CIM451", f"an image of {what} is too large", help="store smaller images")
        crop = self.options.crop
        if crop and (crop[0] > size[0] or crop[1] > size[1]):
            what = "`resize` makes images" if self.options.resize else "images are"
            fail(
                "CIM459",
                f"`crop` is {crop[0]} x {crop[1]}, {what} {size[0]} x {size[1]}",
                help=f"write `crop = {min(crop[0], size[0])} x {min(crop[1], size[1])}`, or a larger `resize`",
            )
        return (channels, *(crop or size))

    def working_values(self, stored: Shape) -> int:
        """Values of the largest array on the way from a stored image to a prepared one, at most."""
        channels, height, width = stored
        rows, columns = self.options.resize or (1, 1)
        return channels * max(height, rows) * max(width, columns)

    def prepared(self, images: npt.NDArray[Any]) -> Images:
        """Images [images, channels, height, width] of any type of number, as float32. `shape` has checked theirs."""
        options = self.options
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is reported where it is looked for
            values: Images = images.astype(np.float32, order="C")  # products of strided matrices are slow
            values /= np.float32(options.scale or default_scale(images.dtype))
            if options.resize:
                values = resized(values, options.resize, options.fit)
            if options.crop:
                values = middle(values, options.crop)
            if options.mean:
                values -= np.array(options.mean, np.float32)[:, np.newaxis, np.newaxis]
            if options.std:
                values /= np.array(options.std, np.float32)[:, np.newaxis, np.newaxis]
        return values


def default_scale(dtype: np.dtype[Any]) -> float:
    """What maps a type's usual range of pixels to 0 .. 1."""
    if dtype.kind not in "iu":
        return 1.0
    return 65535.0 if dtype == np.uint16 else 255.0


def resized(images: Images, size: Size, fit: Fit) -> Images:
    """Images [..., height, width] at another size."""
    old = images.shape[-2:]
    if old == size:
        return images
    spans = [float(length) for length in old]
    if fit is Fit.COVER:
        step = min(old[0] / size[0], old[1] / size[1])  # old pixels for each new one, the same in both directions
        spans = [length * step for length in size]
    rows, columns = (linear_weights(*line) for line in zip(old, size, spans, strict=True))
    return np.asarray(rows @ images @ columns.T, np.float32)


def linear_weights(old: int, new: int, span: float) -> npt.NDArray[np.float32]:
    """What each new pixel of a line takes of the old ones: [new, old], rows sum to 1. They show the middle `span`.

    A triangle around the new pixel's centre, as wide as the step between new pixels where that is more than an old one,
    so that shrinking averages instead of leaving pixels out; cut off and normalized at the ends of the line. Pillow
    calls it BILINEAR.
    """
    step = span / new
    centres = (old - span) / 2 + (np.arange(new) + 0.5) * step
    distance = np.abs(np.arange(old) + 0.5 - centres[:, np.newaxis]) / max(step, 1.0)
    weights = np.maximum(0.0, 1.0 - distance)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def middle(images: Images, size: Size) -> Images:
    """The middle of images [..., height, width]; what is left over is cut off evenly, an odd line at the end."""
    top, left = ((old - new) // 2 for old, new in zip(images.shape[-2:], size, strict=True))
    result: Images = images[..., top : top + size[0], left : left + size[1]]
    return result
