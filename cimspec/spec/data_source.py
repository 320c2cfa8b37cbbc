"""Where images and labels come from, as written in a `.cim` file: one pydantic model for each function.

`builtin("mnist5k")`, `npz("d.npz")`, `idx(images = ..., labels = ...)`, `cifar("cifar-10-python.tar.gz")`,
`folder("photos")`; all but the first take the options of `Preparation`.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cimspec.spec.base import NamedFile, Option, SpecModel
from cimspec.spec.data_files import CifarFiles, ImageFolder
from cimspec.spec.operations import Pair
from cimspec.units import Dimension, Measured

DEFAULT_SHARE = 0.2
"""Of the images, for validation and for testing, where neither the source nor the user says otherwise."""

Part = Annotated[float, Measured(Dimension.SHARE, "", required=False), Field(gt=0, lt=1, allow_inf_nan=False)]
Value = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Divisor = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
MAX_CHANNELS = 1000


class Fit(Option):
    """How an image of other proportions gets to the size of `resize`."""

    STRETCH = "stretch", "it is stretched"
    COVER = "cover", "proportions are kept, what hangs over is cut off on both sides"


class Layout(Option):
    """The order of the axes of stored images."""

    NCHW = "nchw", "images, channels, height, width"
    NHWC = "nhwc", "images, height, width, channels"


class Color(Option):
    """The channels of an image: one, or three."""

    GRAY = "gray", "one channel: the brightness"
    RGB = "rgb", "three channels: red, green, blue"


class LabelSet(Option):
    """Which labels of CIFAR-100: 100 classes or 20 groups of them."""

    FINE = "fine", "100 classes"
    COARSE = "coarse", "20 groups of classes"


class BuiltinData(SpecModel):
    """`builtin("mnist5k")`: a data set that ships with a Python package."""

    kind: Literal["builtin"] = "builtin"
    dataset: str = Field(description="its name; `cimspec list data` shows all")


class Preparation(SpecModel):
    """What becomes of the images of a source: pixel / `scale`, resized, cropped, minus `mean`, / `std`; and the splits.

    Sources inherit from this class, then from the one with their files: pydantic lists the fields of the last first,
    and so values without a name in a call are files.
    """

    scale: Divisor | None = Field(
        default=None, description="what pixels are divided by: 255 if left out, 65535 for uint16, 1 for fractions"
    )
    resize: Pair | None = Field(default=None, description="height and width of images (linear, with antialiasing)")
    fit: Fit = Field(default=Fit.STRETCH, description="how `resize` treats images of other proportions")
    crop: Pair | None = Field(default=None, description="height and width of the middle that is kept")
    mean: Annotated[tuple[Value, ...], Field(max_length=MAX_CHANNELS)] = Field(
        default=(), description="subtracted after scaling: one number, or one for each channel"
    )
    std: Annotated[tuple[Divisor, ...], Field(max_length=MAX_CHANNELS)] = Field(
        default=(), description="what is divided by after that: one number, or one for each channel"
    )
    limit: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        default=None, description="images used in all; every class and every split keeps its share"
    )
    validation: Part | None = Field(
        default=None, description="share of the images for validation, where they are not set apart"
    )
    test: Part | None = Field(default=None, description="share of the images for testing, where they are not set apart")

    @property
    def validation_share(self) -> float:
        """Share of the images for validation, as written or by default."""
        return DEFAULT_SHARE if self.validation is None else self.validation

    @property
    def test_share(self) -> float:
        """Share of the images for testing, as written or by default."""
        return DEFAULT_SHARE if self.test is None else self.test

    @model_validator(mode="after")
    def _leaves_images_to_train_on(self) -> Self:
        if self.validation_share + self.test_share >= 1:
            shares = f"{self.validation_share:.0%} for validation and {self.test_share:.0%} for testing"
            raise ValueError(f"{shares} leave nothing to train on; make both less than 100% together")
        return self


class _Npz(SpecModel):
    kind: Literal["npz"] = "npz"
    file: NamedFile = Field(
        description="path of an archive with arrays `images` and `labels`, or with the names of Keras or MedMNIST"
    )
    layout: Layout = Field(default=Layout.NCHW, description="the order of the axes of images with channels")


class NpzData(Preparation, _Npz):
    """`npz("digits.npz")`: arrays as `numpy.savez` writes them, such as Keras' `mnist.npz`."""


class _Idx(SpecModel):
    kind: Literal["idx"] = "idx"
    images: NamedFile = Field(description="path of the images")
    labels: NamedFile = Field(description="path of their labels")
    test_images: NamedFile | None = Field(default=None, description="path of images set apart for testing")
    test_labels: NamedFile | None = Field(default=None, description="path of their labels")
    layout: Layout = Field(default=Layout.NCHW, description="the order of the axes of images with channels")

    @model_validator(mode="after")
    def _tests_are_a_pair(self) -> Self:
        if (self.test_images is None) != (self.test_labels is None):
            given, missing = ("images", "labels") if self.test_images else ("labels", "images")
            raise ValueError(f"`idx` has `test_{given}` and lacks `test_{missing}`; add that")
        return self


class IdxData(Preparation, _Idx):
    """`idx(images = "train-images-idx3-ubyte.gz", labels = ...)`: MNIST's format, plain or compressed."""


class _Cifar(SpecModel):
    kind: Literal["cifar"] = "cifar"
    files: CifarFiles = Field(description="path of the archive, or of the folder that it unpacks to")
    labels: LabelSet = Field(default=LabelSet.FINE, description="100 classes or 20 groups, of CIFAR-100")


class CifarData(Preparation, _Cifar):
    """`cifar("cifar-10-python.tar.gz")`: CIFAR-10 or CIFAR-100, its Python or binary version."""


class _Folder(SpecModel):
    kind: Literal["folder"] = "folder"
    path: ImageFolder = Field(description="path of the folder that holds one folder for each class")
    color: Color | None = Field(
        default=None, description="channels that images are read as; the first one's if left out"
    )


class FolderData(Preparation, _Folder):
    """`folder("photos")`: PNG and JPEG images in a folder for each class, those perhaps in `train`, `test`."""


OwnData = NpzData | IdxData | CifarData | FolderData
"""Data in files of the user."""
