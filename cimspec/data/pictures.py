"""What a source holds before it becomes a Dataset: images that are stored somehow, and their class numbers."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cimspec.data.dataset import Images, Labels
from cimspec.data.pixels import Pixels
from cimspec.diag import fail
from cimspec.graph.layer import Shape
from cimspec.spec.data_source import Layout

Indices = npt.NDArray[np.int64]

CHUNK_VALUES = 1 << 24
"""Values that are converted at a time; bounds the memory beside stored images and results."""


class Pictures(Protocol):
    """Images as they are stored, in memory or not."""

    @property
    def shown(self) -> str:
        """What diagnostics call them."""
        ...

    @property
    def stored_shape(self) -> Shape:
        """`(channels, height, width)` of the first."""
        ...

    def __len__(self) -> int: ...

    def prepared(self, chosen: Indices, pixels: Pixels) -> Images:
        """The chosen images as a network reads them. Raises CIM450 if one cannot be read, CIM459 if sizes differ."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """Images that a source keeps together: to train on, or for validation, or for testing."""

    images: Pictures
    labels: Labels  # [images]


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a source holds."""

    train: Part
    validation: Part | None = None
    test: Part | None = None


@dataclass(frozen=True, slots=True)
class ArrayPictures:
    """Images in memory."""

    shown: str
    array: npt.NDArray[Any]  # [images, channels, height, width], any type of number

    @property
    def stored_shape(self) -> Shape:
        """`(channels, height, width)`."""
        return tuple(self.array.shape[1:])

    def __len__(self) -> int:
        return len(self.array)

    def prepared(self, chosen: Indices, pixels: Pixels) -> Images:
        """The chosen images as a network reads them."""
        out = np.empty((len(chosen), *pixels.shape(self.stored_shape)), np.float32)
        step = max(1, CHUNK_VALUES // pixels.working_values(self.stored_shape))
        for start in range(0, len(chosen), step):
            out[start : start + step] = pixels.prepared(self.array[chosen[start : start + step]])
        return out


def array_part(
    images: npt.NDArray[Any], images_shown: str, labels: npt.NDArray[Any], labels_shown: str, layout: Layout
) -> Part:
    """Arrays as they are in files -> a part of a source. Raises CIM453 and CIM454."""
    numbers = class_numbers(labels, labels_shown)
    pictures = ArrayPictures(images_shown, with_channels(images, images_shown, layout))
    if len(pictures) != len(numbers):
        fail("CIM453", f"`{images_shown}` has {len(pictures)} images, `{labels_shown}` has {len(numbers)} labels")
    return Part(pictures, numbers)


def with_channels(images: npt.NDArray[Any], shown: str, layout: Layout) -> npt.NDArray[Any]:
    """Images as [images, channels, height, width]. Raises CIM453 if they have other axes, or none of some extent."""
    if images.ndim not in (3, 4) or 0 in images.shape[1:]:
        shape = " x ".join(map(str, images.shape)) or "a single number"
        axes = "[images, height, width] or [images, channels, height, width]"
        fail("CIM453", f"`{shown}` is {shape}, which is no array of images", help=f"its axes are {axes}")
    if images.ndim == 3:
        return images[:, np.newaxis]
    return images.transpose(0, 3, 1, 2) if layout is Layout.NHWC else images


def class_numbers(labels: npt.NDArray[Any], shown: str) -> Labels:
    """Labels as [images], each checked. Raises CIM453 for other axes, CIM454 for what is no class number."""
    if labels.ndim == 2 and labels.shape[1] == 1:  # as Keras and MedMNIST store them
        labels = labels[:, 0]
    if labels.ndim != 1:
        shape = " x ".join(map(str, labels.shape)) or "a single number"
        fail(
            "CIM453",
            f"`{shown}` is {shape}, not one label for each image",
            help="save class numbers: `one_hot.argmax(axis=1)`",
        )
    with np.errstate(invalid="ignore"):  # NaN becomes some number, and is then found to be another one
        numbers: Labels = labels.astype(np.int64)
        wrong = np.flatnonzero((numbers != labels) | (numbers < 0))
    if len(wrong):
        first = labels[wrong[0]]
        fail(
            "CIM454",
            f"`{shown}` has {len(wrong)} labels that are no class numbers: label {wrong[0]} is {first}",
            help="number classes from 0",
        )
    return numbers
