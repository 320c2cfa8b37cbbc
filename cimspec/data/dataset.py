"""Images with labels, cut into a training, a validation and a test split."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cimspec.graph.layer import Shape

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


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
    def image_shape(self) -> Shape:
        """`(channels, height, width)`."""
        return tuple(self.train.images.shape[1:])

    @property
    def has_negative_pixels(self) -> bool:
        """Whether any split holds a value below zero."""
        return any(bool((split.images < 0).any()) for split in (self.train, self.validation, self.test))
