"""Data in files of the user: parts of a source + options -> Dataset.

What a source does not set apart is cut off its training images, in stratified order: training images come first in it,
then those for validation, then those for testing, as for built-in data sets.
"""

import math
from collections.abc import Iterator
from typing import assert_never

import numpy as np

from cimspec.data.cifar import cifar_parts
from cimspec.data.dataset import Dataset, Images, Split, extremes
from cimspec.data.idx import idx_parts
from cimspec.data.image_folder import folder_parts
from cimspec.data.npz import npz_parts
from cimspec.data.pictures import Indices, Part, Parts
from cimspec.data.pixels import Pixels
from cimspec.data.reading import MAX_BYTES
from cimspec.data.split import stratified_order
from cimspec.diag import fail
from cimspec.spec.data_source import CifarData, FolderData, IdxData, NpzData, OwnData, Preparation

Chosen = tuple[str, Part, Indices]  # name of the split, and which images of which part it has


def own_data(name: str, source: OwnData) -> Dataset:
    """The data set called `name`. Raises CimError with CIM111 and CIM450 to CIM459."""
    parts = read_parts(source)
    chosen = list(choose(name, parts, source))
    pixels = Pixels(source)
    check_memory(name, chosen, pixels)
    splits = [_split(split, part, indices, pixels) for split, part, indices in chosen]
    classes = max((int(split.labels.max(initial=-1)) for split in splits), default=-1) + 1
    return Dataset(name, classes, *splits)


def read_parts(source: OwnData) -> Parts:
    """What the files of a source hold."""
    match source:
        case NpzData():
            return npz_parts(source)
        case IdxData():
            return idx_parts(source)
        case CifarData():
            return cifar_parts(source)
        case FolderData():
            return folder_parts(source)
        case _:
            assert_never(source)


def choose(name: str, parts: Parts, options: Preparation) -> Iterator[Chosen]:
    """Which images training, validation and test split have. Raises CIM457 and CIM459."""
    _check_shares(name, parts, options)
    train = limited(parts.train, parts, options)
    test = 0 if parts.test else round(options.test_share * len(train))
    validation = 0 if parts.validation else round(options.validation_share * len(train))
    mine, validating, testing = np.split(train, [len(train) - validation - test, len(train) - test])
    yield "training", parts.train, mine
    for split, part, cut in (("validation", parts.validation, validating), ("test", parts.test, testing)):
        yield (split, part, limited(part, parts, options)) if part else (split, parts.train, cut)


def limited(part: Part, parts: Parts, options: Preparation) -> Indices:
    """The images of a part that are used, in stratified order."""
    order = stratified_order(part.labels)
    total = sum(len(each.labels) for each in (parts.train, parts.validation, parts.test) if each)
    if options.limit is None or options.limit >= total:
        return order
    return order[: round(options.limit * len(order) / total)]


def _check_shares(name: str, parts: Parts, options: Preparation) -> None:
    for option, share, part in (
        ("validation", options.validation, parts.validation),
        ("test", options.test, parts.test),
    ):
        if share is not None and part:
            message = f"`{name}` sets {option} images apart, and `{option}` is given"
            fail("CIM459", message, help=f"remove `{option} = ...`")


def check_memory(name: str, chosen: list[Chosen], pixels: Pixels) -> None:
    """Raise CIM457 for a split without images, CIM453 for splits of two shapes, CIM451 for more than `MAX_BYTES`."""
    for split, _, indices in chosen:
        if not len(indices):
            total = sum(len(each) for _, _, each in chosen)
            fail("CIM457", f"the {split} split of `{name}` has no image, of {total} in all", help="use more images")
    shapes = [pixels.shape(part.images.stored_shape) for _, part, _ in chosen]
    for (split, _, _), shape in zip(chosen, shapes, strict=True):
        if shape != shapes[0]:
            first, other = (" x ".join(map(str, each)) for each in (shapes[0], shape))
            help = "write `resize = HEIGHT x WIDTH`" if shape[0] == shapes[0][0] else None  # noqa: A001
            fail("CIM453", f"{split} images of `{name}` are {other}, training images {first}", help=help)
    count = sum(len(indices) for _, _, indices in chosen)
    size = 4 * count * math.prod(shapes[0])
    if size > MAX_BYTES:
        fail(
            "CIM451",
            f"{count} images of `{name}` take {size / 1e9:.1f} GB, more than {MAX_BYTES / 1e9:.0f} GB",
            help=f"write `limit = {MAX_BYTES // (4 * math.prod(shapes[0]))}`, or a smaller `resize`",
        )


def _split(name: str, part: Part, indices: Indices, pixels: Pixels) -> Split:
    images = part.images.prepared(indices, pixels)
    _check_finite(images, indices, part.images.shown, name)
    return Split(images, part.labels[indices])


def _check_finite(images: Images, indices: Indices, shown: str, split: str) -> None:
    """Raise CIM456 if images hold what is no number; they are called by their place in the file."""
    low, high = extremes(images)
    wrong = np.flatnonzero(~(np.isfinite(low) & np.isfinite(high)))
    if len(wrong):
        first = indices[wrong].min()
        message = f"{len(wrong)} {split} images of `{shown}` hold NaN or infinite values; the first is image {first}"
        fail("CIM456", message, help="remove them, or mend what divides by zero")
