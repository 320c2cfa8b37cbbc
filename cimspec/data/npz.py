"""Archives of arrays, as `numpy.savez` writes them: `npz(...)` -> arrays.

Names of arrays are those of Keras' `mnist.npz` (`x_train`), of MedMNIST (`train_images`), or `images` and `labels`.
"""

import math
import warnings
import zipfile
from typing import Any, BinaryIO, cast

import numpy.typing as npt
from numpy.lib import format as npy

from cimspec.data.pictures import Part, Parts, array_part
from cimspec.data.reading import DEFLATE_RATIO, admit, damaged, read_exactly, reading
from cimspec.diag import fail
from cimspec.spec.data_source import NpzData

NAMES = {
    "train": (("images", "labels"), ("train_images", "train_labels"), ("x_train", "y_train")),
    "validation": (("validation_images", "validation_labels"), ("val_images", "val_labels"), ("x_val", "y_val")),
    "test": (("test_images", "test_labels"), ("x_test", "y_test")),
}
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
NUMBERS = "biuf"  # kinds of dtypes; objects would be unpickled


def npz_parts(source: NpzData) -> Parts:
    """The parts that the archive's names say. Raises CIM111 and CIM450 to CIM454."""
    shown = source.file.shown
    with reading(shown, "npz file"), zipfile.ZipFile(source.file.path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        chosen = {part: pair for part in NAMES if (pair := _pair(part, members, shown))}
        if "train" not in chosen:
            _report_names(members, shown)
        admit(sum(members[name].file_size for pair in chosen.values() for name in pair), shown)
        arrays = {name: _array(archive, members[name], shown) for pair in chosen.values() for name in pair}

    def part(name: str) -> Part | None:
        if name not in chosen:
            return None
        images, labels = chosen[name]
        return array_part(arrays[images], f"{shown}: {images}", arrays[labels], f"{shown}: {labels}", source.layout)

    train = part("train")
    assert train is not None, "an archive without it was reported"
    return Parts(train, part("validation"), part("test"))


def _pair(part: str, members: dict[str, zipfile.ZipInfo], shown: str) -> tuple[str, str] | None:
    """The names of a part's images and labels; None if the archive has neither. Raises CIM452 if it has one of them."""
    for pair in NAMES[part]:
        if all(name in members for name in pair):
            return pair
    for images, labels in NAMES[part]:
        if images in members or labels in members:
            there, missing = (images, labels) if images in members else (labels, images)
            message = f"`{shown}` has `{there}`, but no `{missing}`"
            fail("CIM452", message, notes=[f"it holds {_listed(members)}"])
    return None


def _report_names(members: dict[str, zipfile.ZipInfo], shown: str) -> None:
    fail(
        "CIM452",
        f"`{shown}` has no images with labels",
        help="save arrays `images` and `labels`, or `x_train`, `y_train`, `x_test`, `y_test`",
        notes=[f"it holds {_listed(members)}"],
    )


def _listed(members: dict[str, zipfile.ZipInfo]) -> str:
    names = [f"`{name}`" for name in members]
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "nothing"


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, shown: str) -> npt.NDArray[Any]:
    """One array of an archive. Raises CIM450 if it is none of numbers or not as large as it says."""
    name = f"{shown}: {member.filename.removesuffix('.npy')}"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        damaged(name, "is compressed in another way than numpy does", help="save it with `numpy.savez_compressed`")
    if member.file_size > member.compress_size * DEFLATE_RATIO:
        damaged(name, f"says that it holds {member.file_size} bytes, more than there can be")
    with archive.open(member) as stream:
        file = cast(BinaryIO, stream)
        read_header = HEADERS.get(npy.read_magic(file))
        if read_header is None:
            damaged(name, "is an array of a version that is not read", help="save it with `numpy.savez`")
        with warnings.catch_warnings(action="ignore"):  # headers that Python 2 wrote are read as well
            shape, is_fortran, dtype = read_header(file)
        if dtype.kind not in NUMBERS:
            damaged(name, f"is an array of {dtype}, not of numbers", help="convert it with `.astype`")
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=1) < 0 or size != member.file_size - stream.tell():
            damaged(name, "is not as large as its header says")
        content = read_exactly(file, size, name)
    values = content.view(dtype)
    return values.reshape(shape, order="F") if is_fortran else values.reshape(shape)
