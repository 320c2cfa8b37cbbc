"""Whether a data set makes sense and fits the network: Dataset + Graph -> warnings, or `CimError`."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from cimspec.data.dataset import Dataset, Images, Labels, Split, extremes
from cimspec.diag import Diagnostic, Diagnostics
from cimspec.graph.graph import Graph

NAMED_CLASSES = 5

SMALLEST_VALIDATION = 3
"""Images: a part of them scores policies, the others decide between the best (`pipeline/workbench.py`)."""


def check_data(dataset: Dataset, graph: Graph, *, has_weights: bool = False) -> tuple[Diagnostic, ...]:
    """Warnings about the data. Raises `CimError` with all that is wrong with it.

    Shape, sign and classes are those of the network (CIM405); there are as many labels as images (CIM453), and some in
    every split (CIM457); labels are class numbers (CIM454), none of them without training images (CIM455; a warning if
    the network `has_weights`, and for other splits); pixels are numbers (CIM456), not all the same (CIM458, a warning).
    """
    diagnostics = Diagnostics()
    _check_fit(dataset, graph, diagnostics)
    largest = max((int(split.labels.max(initial=-1)) for _, split in dataset.splits), default=-1)
    for name, split in dataset.splits:
        if _check_counts(name, split, dataset.name, diagnostics):
            severe = name == "training" and not has_weights
            _check_labels(name, split.labels, dataset.name, largest, diagnostics, severe=severe)
            _check_pixels(name, split.images, dataset.name, diagnostics)
    diagnostics.raise_if_errors()
    return diagnostics.all


def _check_fit(dataset: Dataset, graph: Graph, diagnostics: Diagnostics) -> None:
    error = diagnostics.error
    shape, wanted = dataset.image_shape, graph.input_shape
    if shape != wanted:
        help = f"write `input {_product(shape)}`"  # noqa: A001
        if len(shape) == len(wanted) == 3 and (shape[2], shape[0], shape[1]) == wanted:
            help = "channels come last in the file: write `layout = nhwc` in the source of the data"  # noqa: A001
        message = f"images of `{dataset.name}` are {_product(shape)}, the input of `{graph.name}` is {_product(wanted)}"
        error("CIM405", message, help=help)
    if dataset.classes > graph.output.size:
        error(
            "CIM405",
            f"`{dataset.name}` has {dataset.classes} classes, `{graph.name}` has {graph.output.size} outputs",
            help=f"give the last layer {dataset.classes} features",
            notes=[f"the largest label is {dataset.classes - 1}; classes are numbered from 0"],
        )
    if dataset.has_negative_pixels and not graph.signed_input:
        error(
            "CIM405",
            f"`{dataset.name}` has negative values, the input of `{graph.name}` is unsigned",
            help="write `signed = true` in the input's block",
        )


def _check_counts(name: str, split: Split, dataset: str, diagnostics: Diagnostics) -> bool:
    """Whether a split has images to look at, with a label for each."""
    images, labels = len(split.images), len(split.labels)
    if images != labels:
        diagnostics.error("CIM453", f"the {name} split of `{dataset}` has {images} images and {labels} labels")
    elif not images:
        diagnostics.error("CIM457", f"the {name} split of `{dataset}` has no image", help="use more images")
    elif name == "validation" and images < SMALLEST_VALIDATION:
        message = f"the validation split of `{dataset}` has {images} images, fewer than {SMALLEST_VALIDATION}"
        diagnostics.error("CIM457", message, help="use more images, or a larger `validation` share")
    else:
        return True
    return False


def _check_labels(
    name: str, labels: Labels, dataset: str, largest: int, diagnostics: Diagnostics, *, severe: bool
) -> None:
    """Labels are class numbers, and every class up to the largest has an image in the split."""
    negative = np.flatnonzero(labels < 0)
    if len(negative):
        message = f"{len(negative)} {name} labels of `{dataset}` are negative; the first is {labels[negative[0]]}"
        diagnostics.error("CIM454", message, help="number classes from 0")
        return
    present = np.unique(labels)
    missing = largest + 1 - len(present)
    if missing:
        first = ", ".join(map(str, islice(_gaps(present, largest), NAMED_CLASSES)))
        classes = f"class {first}" if missing == 1 else f"classes {first}" + ", ..." * (missing > NAMED_CLASSES)
        report = diagnostics.error if severe else diagnostics.warning
        report(
            "CIM455",
            f"no {name} image of `{dataset}` is of {classes}",
            help="number classes from 0 without gaps, or use more images" if severe else None,
            notes=[f"the largest label is {largest}; {missing} classes up to it have no image"] if missing > 1 else (),
        )


def _gaps(present: Labels, largest: int) -> Iterator[int]:
    """Class numbers up to the largest that are not present; `present` is sorted."""
    expected = 0
    for label in (*present.tolist(), largest + 1):
        yield from range(expected, label)
        expected = label + 1


def _check_pixels(name: str, images: Images, dataset: str, diagnostics: Diagnostics) -> None:
    """Values are finite, and images differ in themselves and from each other."""
    low, high = extremes(images)
    wrong = np.flatnonzero(~(np.isfinite(low) & np.isfinite(high)))
    blank = np.flatnonzero(low == high)
    if len(wrong):
        message = f"{len(wrong)} {name} images of `{dataset}` hold NaN or infinite values; the first is {wrong[0]}"
        diagnostics.error("CIM456", message, help="remove them, or mend what divides by zero")
    elif len(images) > 1 and np.ptp(low) == np.ptp(high) == 0 and (images == images[0]).all():
        diagnostics.warning("CIM458", f"all {len(images)} {name} images of `{dataset}` are the same")
    elif len(blank):
        message = f"{len(blank)} of {len(images)} {name} images of `{dataset}` have one value everywhere"
        diagnostics.warning("CIM458", message, notes=[f"the first is {blank[0]} in the order of the split"])


def _product(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape)
