"""From a model to a graph: shapes, and what is said when they do not fit."""

import pytest

from cimspec.diag import CimError
from cimspec.graph import build_graph, nonnegative_layers
from cimspec.graph.layer import Flatten, Linear
from cimspec.spec import (
    AddSpec,
    AvgPoolSpec,
    BatchNormSpec,
    Conv2dSpec,
    FlattenSpec,
    GlobalAvgPoolSpec,
    InputSpec,
    LayerSpec,
    LinearSpec,
    MaxPoolSpec,
    ModelSpec,
    OpSpec,
    ReluSpec,
)


def model(*layers: tuple[str, OpSpec] | tuple[str, OpSpec, tuple[str, ...]], signed: bool = False) -> ModelSpec:
    """A model on a 3 x 10 x 8 image; a layer reads the one before it unless it names others."""
    declared = [LayerSpec(name="x", inputs=(), op=InputSpec(shape=(3, 10, 8), signed=signed))]
    for name, op, *inputs in layers:
        declared.append(LayerSpec(name=name, inputs=inputs[0] if inputs else (declared[-1].name,), op=op))
    return ModelSpec(name="m", layers=tuple(declared))


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (Conv2dSpec(channels=5, kernel=3), (5, 8, 6)),
        (Conv2dSpec(channels=5, kernel=3, padding=1), (5, 10, 8)),
        (
            Conv2dSpec(channels=5, kernel=3, stride=2, padding=1),
            (5, 5, 4),
        ),  # (10 + 2 - 3) // 2 + 1, (8 + 2 - 3) // 2 + 1
        (MaxPoolSpec(kernel=2), (3, 5, 4)),
        (MaxPoolSpec(kernel=3, stride=2, padding=1), (3, 5, 4)),
        (AvgPoolSpec(kernel=3, stride=1), (3, 8, 6)),
        (GlobalAvgPoolSpec(), (3,)),
        (FlattenSpec(), (240,)),
        (BatchNormSpec(), (3, 10, 8)),
        (ReluSpec(), (3, 10, 8)),
    ],
)
def test_shapes_are_inferred(op: OpSpec, shape: tuple[int, ...]):
    assert build_graph(model(("y", op)))["y"].shape == shape


def test_a_linear_layer_flattens_an_image():
    graph = build_graph(model(("f", LinearSpec(features=7))))
    assert [type(layer.op) for layer in graph.layers[1:]] == [Flatten, Linear]
    assert graph["f"].op == Linear(240, 7)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([("c", Conv2dSpec(channels=1, kernel=11))], "kernel of 11, larger than its input's side of 10"),
        ([("c", Conv2dSpec(channels=1, kernel=9, padding=0))], "kernel of 9, larger than its input's side of 8"),
        ([("p", MaxPoolSpec(kernel=2, padding=2))], "pads 2, more than half of its kernel of 2"),
        ([("f", FlattenSpec()), ("c", Conv2dSpec(channels=1, kernel=1))], "needs an image"),
        ([("c", Conv2dSpec(channels=4, kernel=1)), ("a", AddSpec(), ("x", "c"))], "adds 3 x 10 x 8 to 4 x 10 x 8"),
    ],
)
def test_layers_that_do_not_fit_are_diagnostics(layers, message: str):
    with pytest.raises(CimError) as caught:
        build_graph(model(*layers))
    (found,) = caught.value.diagnostics
    assert found.code == "CIM401"
    assert message in found.message


def test_every_wrong_layer_is_told_and_none_that_only_follows_one():
    wrong = model(
        ("c1", Conv2dSpec(channels=1, kernel=99)),
        ("r", ReluSpec()),
        ("c2", Conv2dSpec(channels=1, kernel=98), ("x",)),
    )
    with pytest.raises(CimError) as caught:
        build_graph(wrong)
    assert [found.message.split("`")[1] for found in caught.value.diagnostics] == ["c1", "c2"]


def test_signs_follow_from_structure():
    graph = build_graph(
        model(
            ("p", MaxPoolSpec(kernel=2)),
            ("c1", Conv2dSpec(channels=3, kernel=3, padding=1)),
            ("c2", Conv2dSpec(channels=3, kernel=3, padding=1)),
            ("a1", AddSpec(), ("c1", "c2")),  # only a relu reads it, so its codes are clipped at 0
            ("r", ReluSpec()),
            ("a2", AddSpec(), ("r", "c1")),
            ("g", GlobalAvgPoolSpec(), ("r",)),
        )
    )
    assert nonnegative_layers(graph) == {"x", "p", "a1", "r", "g"}
    assert nonnegative_layers(build_graph(model(("p", MaxPoolSpec(kernel=2)), signed=True))) == set()
