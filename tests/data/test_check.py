import numpy as np
import pytest

from cimspec.data.dataset import Dataset, Split
from cimspec.data.load import check_data
from cimspec.diag import CimError
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
    split = Split(np.full((3, *shape), lowest, np.float32), np.zeros(3, np.int64))
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
