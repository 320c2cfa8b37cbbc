"""Images in folders: `folder(...)` -> pictures that are decoded when they are asked for.

    photos/cat/1.png ...           classes are numbered in the order of their names
    photos/train/cat/1.png ...     with `test`, and `validation` or `val`, beside `train`

Needs Pillow, which decodes PNG and JPEG and nothing else here.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cimspec.data.cores import cores
from cimspec.data.dataset import Images
from cimspec.data.pictures import Indices, Part, Parts
from cimspec.data.pixels import Pixels
from cimspec.data.reading import Bytes, damaged, reading
from cimspec.diag import fail
from cimspec.graph.layer import Shape
from cimspec.spec.data_files import IMAGE, Listed, listing
from cimspec.spec.data_source import Color, FolderData

if TYPE_CHECKING:
    from PIL.Image import Image

PARTS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}
GRAY_MODES = ("1", "L", "LA")
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")  # more than 8 bits

Files = Mapping[str, Sequence[str]]  # of each class, below the folder


@dataclass(frozen=True, slots=True)
class FilePictures:
    """Images in files of their own."""

    root: Path
    shown: str
    names: tuple[str, ...]  # below `root`
    color: Color
    converts: bool  # images of the other kind; else they are reported
    stored_shape: Shape  # of the first

    def __len__(self) -> int:
        return len(self.names)

    def prepared(self, chosen: Indices, pixels: Pixels) -> Images:
        """The chosen images as a network reads them, decoded on all cores."""
        out = np.empty((len(chosen), *pixels.shape(self.stored_shape)), np.float32)

        def read(place: int) -> None:
            name = self.names[chosen[place]]
            image = self._decoded(name)[np.newaxis]
            shape = pixels.shape(image.shape[1:])
            if shape != out.shape[1:]:
                first, other = (f"{height} x {width}" for _, height, width in (out.shape[1:], shape))
                message = f"images of `{self.shown}` are {first}, `{_printable(name)}` is {other}"
                fail("CIM459", message, help="write `resize = HEIGHT x WIDTH`")
            out[place] = pixels.prepared(image)[0]

        with _large_images_are_errors(), ThreadPoolExecutor(cores()) as executor:
            try:
                for _ in executor.map(read, range(len(chosen))):
                    pass
            finally:
                executor.shutdown(cancel_futures=True)
        return out

    def _decoded(self, name: str) -> Bytes:
        """One image as [channels, height, width]."""
        shown = f"{self.shown}/{_printable(name)}"
        with _opened(self.root / name, shown) as image:
            if image.mode in DEEP_MODES:
                damaged(shown, "has more than 8 bits for a pixel", help="convert it to 8 bits")
            color = _color_of(image)
            if color is not self.color and not self.converts:
                message = f"`{shown}` is {color.value}, the first image is {self.color.value}"
                fail("CIM459", message, help="write `color = rgb` or `color = gray`, which converts images")
            array = np.asarray(image.convert("RGB" if self.color is Color.RGB else "L"), np.uint8)
        return array.transpose(2, 0, 1) if array.ndim == 3 else array[np.newaxis]


def folder_parts(source: FolderData) -> Parts:
    """Training images, and others if they are set apart. Raises CIM111, CIM450 to CIM452, CIM902."""
    root, shown = source.path.path, source.path.shown
    with reading(shown, "folder of images"):
        entries = listing(root)
    folders = {each.parts[0] for each in entries if each.is_folder and len(each.parts) == 1}
    if "train" in folders and folders <= {name for names in PARTS.values() for name in names}:
        found = {part: name for part, names in PARTS.items() for name in names if name in folders}
        files = {part: _files(entries, (name,)) for part, name in found.items()}
    else:
        found, files = {"train": ""}, {"train": _files(entries, ())}
    where = f"{shown}/{found['train']}".rstrip("/")
    _check_classes(files, where)
    return _parts(source, files)


def _files(entries: Sequence[Listed], above: tuple[str, ...]) -> Files:
    """The images of each class in a folder, by name."""
    inner = [each for each in entries if each.parts[: len(above)] == above]
    classes: dict[str, list[str]] = {
        each.parts[-1]: [] for each in inner if each.is_folder and len(each.parts) == len(above) + 1
    }
    for each in inner:
        if not each.is_folder and len(each.parts) == len(above) + 2 and IMAGE.fullmatch(each.parts[-1]):
            classes[each.parts[-2]].append("/".join(each.parts))
    return classes


def _check_classes(files: Mapping[str, Files], where: str) -> None:
    """Raise CIM452 unless there are classes, each of them with an image to train on."""
    train = files["train"]
    if not any(train.values()):
        help = "put PNG or JPEG images into a folder for each class"  # noqa: A001
        fail("CIM452", f"`{where}` has no folder with images", help=help)
    for name in sorted({name for own in files.values() for name in own}):
        if not train.get(name):
            message = f"class `{_printable(name)}` has no image in `{where}`"
            fail("CIM452", message, help="remove its folder, or put PNG or JPEG images there")


def _parts(source: FolderData, files: Mapping[str, Files]) -> Parts:
    numbers = {name: number for number, name in enumerate(sorted(files["train"]))}
    root, shown = source.path.path, source.path.shown
    first = next(name for names in files["train"].values() for name in names)
    with _large_images_are_errors(), _opened(root / first, f"{shown}/{_printable(first)}") as image:
        color = source.color or _color_of(image)
        shape = (3 if color is Color.RGB else 1, image.height, image.width)

    def part(own: Files) -> Part:
        names = tuple(name for each in own.values() for name in each)
        labels = [numbers[each] for each, names in own.items() for _ in names]
        pictures = FilePictures(root, shown, names, color, source.color is not None, shape)
        return Part(pictures, np.array(labels, np.int64))

    made = {name: part(own) for name, own in files.items()}
    return Parts(made["train"], made.get("validation"), made.get("test"))


@contextmanager
def _opened(path: Path, shown: str) -> Iterator["Image"]:
    """An image whose header is read. Raises CIM450 if it is none, CIM451 if it is too large."""
    try:
        from PIL import Image
    except ImportError:
        fail("CIM902", "`folder` needs the package `pillow`", help="pip install 'cimspec[images]'")
    try:
        with reading(shown, "PNG or JPEG image"), Image.open(path, formats=("PNG", "JPEG")) as image:
            yield image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        fail("CIM451", f"`{shown}` has more than {Image.MAX_IMAGE_PIXELS} pixels")


@contextmanager
def _large_images_are_errors() -> Iterator[None]:
    """Pillow warns of images that are larger than a photograph, and only refuses those of twice that size."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Image size .* exceeds limit")
        yield


def _color_of(image: "Image") -> Color:
    return Color.GRAY if image.mode in GRAY_MODES or image.mode in DEEP_MODES else Color.RGB


def _printable(name: str) -> str:
    """A file's name, without the bytes that are no text."""
    return name.encode("utf-8", "replace").decode()
