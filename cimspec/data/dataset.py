"""Images with labels, cut into a training, a validation and a test split."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cimspec.graph.layer import Shape

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

Values = npt.NDArray[np.float32]  # one for each image


def extremes(images: Images) -> tuple[Values, Values]:
    """The smallest and the largest value of each image; NaN where an image holds NaN."""
    flat = images.reshape(len(images), -1)
    with np.errstate(invalid="ignore"):
        return flat.min(axis=1), flat.max(axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Images and their classes."""

    images: Images  # [images, channels, height, width], contiguous
    labels: Labels  # [images], 0 .. classes-1

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, count: int) -> "Split":
        """The first `count` images, or all if there are fewer."""
        return Split(self.images[:count], self.labels[:count])

    def cut(self, count: int) -> tuple["Split", "Split"]:
        """The first `count` images, and the others."""
        return self.take(count), Split(self.images[count:], self.labels[count:])


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A data set whose test split is for the final score alone."""

    name: str
    classes: int
    train: Split
    validation: Split
    test: Split

    @property
    def splits(self) -> tuple[tuple[str, Split], ...]:
        """Each split with its name in sentences."""
        return ("training", self.train), ("validation", self.validation), ("test", self.test)

    @property
    def digest(self) -> str:
        """sha256 of images and labels of all splits: what scores depend on, whatever the files are called."""
        result = hashlib.sha256()
        for _, split in self.splits:
            for array in (split.images, split.labels):
                result.update(f"{array.dtype.str}{array.shape}".encode())
                result.update(np.ascontiguousarray(array).data)
        return result.hexdigest()

    @property
    def image_shape(self) -> Shape:
        """`(channels, height, width)`."""
        return tuple(self.train.images.shape[1:])

    @property
    def has_negative_pixels(self) -> bool:
        """Whether any split holds a value below zero."""
        return any(split.images.min(initial=0) < 0 for _, split in self.splits)
