"""From a model to a graph: shapes, what a layer stands for, and what is said when it does not fit."""

from math import inf

import pytest

from cimspec.diag import CimError
from cimspec.graph import build_graph
from cimspec.graph.layer import (
    Add,
    Affine,
    AvgPool,
    Clip,
    Concat,
    Constant,
    Conv2d,
    Elementwise,
    Function,
    Linear,
    Multiply,
    Product,
    Reshape,
    Slice,
    Softmax,
    Transpose,
)
from cimspec.graph.window import Window
from cimspec.spec import (
    AddSpec,
    AttentionSpec,
    AvgPoolSpec,
    BatchNormSpec,
    ClassTokenSpec,
    ClipSpec,
    ConcatSpec,
    Conv2dSpec,
    DepthwiseSpec,
    FlattenSpec,
    FunctionSpec,
    GeluForm,
    GeluSpec,
    GlobalAvgPoolSpec,
    LayerNormSpec,
    LinearSpec,
    LrnSpec,
    MaxPoolSpec,
    MeanTokensSpec,
    MultiplySpec,
    OpSpec,
    PositionsSpec,
    ProductSpec,
    ReluSpec,
    ReshapeSpec,
    SelectSpec,
    SliceSpec,
    SoftmaxSpec,
    TokensSpec,
    TransposeSpec,
)
from tests.graph.models import model

SEQUENCE = (6, 8)  # tokens, features


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (Conv2dSpec(channels=5, kernel=3), (5, 8, 6)),
        (Conv2dSpec(channels=5, kernel=3, padding=1), (5, 10, 8)),
        (Conv2dSpec(channels=5, kernel=3, stride=2, padding=1), (5, 5, 4)),  # (10 + 2 - 3) // 2 + 1 down
        (Conv2dSpec(channels=5, kernel=(1, 7), padding=(0, 3)), (5, 10, 8)),
        (Conv2dSpec(channels=5, kernel=2, padding=(0, 0, 1, 1)), (5, 10, 8)),
        (Conv2dSpec(channels=5, kernel=3, stride=(2, 1), dilation=(1, 2)), (5, 4, 4)),  # 10 - 3 over 2; 8 - 5
        (Conv2dSpec(channels=6, kernel=1, groups=3), (6, 10, 8)),
        (DepthwiseSpec(kernel=3, padding=1), (3, 10, 8)),
        (DepthwiseSpec(kernel=3, padding=1, multiplier=4), (12, 10, 8)),
        (MaxPoolSpec(kernel=2), (3, 5, 4)),
        (MaxPoolSpec(kernel=3, stride=2, padding=1), (3, 5, 4)),
        (MaxPoolSpec(kernel=(2, 1)), (3, 5, 8)),
        (AvgPoolSpec(kernel=3, stride=1), (3, 8, 6)),
        (AvgPoolSpec(kernel=2, padding=(0, 1)), (3, 5, 5)),
        (GlobalAvgPoolSpec(), (3,)),
        (FlattenSpec(), (240,)),
        (BatchNormSpec(), (3, 10, 8)),
        (LrnSpec(size=5), (3, 10, 8)),
        (ReluSpec(), (3, 10, 8)),
        (ReshapeSpec(shape=(2, 120)), (2, 120)),
        (TransposeSpec(axes=(2, 0, 1)), (8, 3, 10)),
        (SliceSpec(axis=1, start=1, stop=10, step=4), (3, 3, 8)),  # 1, 5, 9
        (TokensSpec(), (80, 3)),
    ],
)
def test_shapes_of_images(op: OpSpec, shape: tuple[int, ...]):
    assert build_graph(model(("y", op)))["y"].shape == shape


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (LinearSpec(features=5), (6, 5)),
        (LayerNormSpec(), (6, 8)),
        (GeluSpec(), (6, 8)),
        (ClassTokenSpec(), (7, 8)),
        (PositionsSpec(), (6, 8)),
        (MeanTokensSpec(), (8,)),
        (SelectSpec(token=5), (8,)),
        (SoftmaxSpec(), (6, 8)),
        (FlattenSpec(), (48,)),
    ],
)
def test_shapes_of_sequences(op: OpSpec, shape: tuple[int, ...]):
    assert build_graph(model(("y", op), shape=SEQUENCE))["y"].shape == shape


@pytest.mark.parametrize(
    ("spec", "op"),
    [
        (
            Conv2dSpec(channels=6, kernel=(1, 7), stride=(2, 1), padding=(0, 3), dilation=(2, 1), groups=3),
            Conv2d(3, 6, Window((1, 7), (2, 1), (0, 3, 0, 3), (2, 1)), groups=3),
        ),
        (DepthwiseSpec(kernel=3, padding=1, multiplier=2), Conv2d(3, 6, Window.square(3, padding=1), groups=3)),
        (AvgPoolSpec(kernel=2, counts_padding=True), AvgPool(Window.square(2, 2), counts_padding=True)),
        (FunctionSpec(kind="relu6"), Clip(0.0, 6.0)),
        (FunctionSpec(kind="hardswish"), Elementwise(Function.HARD_SWISH)),
        (GeluSpec(), Elementwise(Function.GELU)),
        (GeluSpec(form=GeluForm.TANH), Elementwise(Function.GELU_TANH)),
        (ClipSpec(high=3), Clip(-inf, 3.0)),
        (SoftmaxSpec(), Softmax(2)),
        (SoftmaxSpec(axis=0), Softmax(0)),
    ],
)
def test_operations_keep_what_was_written(spec: OpSpec, op):
    assert build_graph(model(("y", spec)))["y"].op == op


def steps(*layers) -> list[tuple]:
    """Name, operation, inputs and shape of all layers but the input."""
    return [(layer.name, layer.op, layer.inputs, layer.shape) for layer in build_graph(model(*layers)).layers[1:]]


def test_a_linear_layer_flattens_an_image():
    assert steps(("f", LinearSpec(features=7))) == [
        ("f_flatten", Reshape(), ("x",), (240,)),
        ("f", Linear(240, 7), ("f_flatten",), (7,)),
    ]


def test_an_image_becomes_a_sequence_of_learned_places():
    assert steps(("t", TokensSpec()), ("c", ClassTokenSpec()), ("p", PositionsSpec()), ("y", SelectSpec())) == [
        ("t_pixels", Reshape(), ("x",), (3, 80)),
        ("t", Transpose((1, 0)), ("t_pixels",), (80, 3)),
        ("c_token", Constant(), (), (1, 3)),
        ("c", Concat(0), ("c_token", "t"), (81, 3)),
        ("p_learned", Constant(), (), (81, 3)),
        ("p", Add(), ("c", "p_learned"), (81, 3)),
        ("y_row", Slice(0, 0, 1), ("p",), (1, 3)),
        ("y", Reshape(), ("y_row",), (3,)),
    ]


def test_a_vector_scales_the_channels_of_an_image():
    pooled = ("g", GlobalAvgPoolSpec(), ("x",))
    for inputs in (("x", "g"), ("g", "x")):
        assert steps(pooled, ("m", MultiplySpec(), inputs))[1:] == [
            ("m_gate", Reshape(), ("g",), (3, 1, 1)),
            ("m", Multiply(), tuple("m_gate" if name == "g" else name for name in inputs), (3, 10, 8)),
        ]


def test_a_vector_scales_the_features_of_every_token():
    graph = build_graph(model(("g", MeanTokensSpec()), ("m", MultiplySpec(), ("x", "g")), shape=SEQUENCE))
    assert [layer.name for layer in graph.layers] == ["x", "g", "m"]
    assert graph["m"].shape == SEQUENCE


def test_attention_is_the_layers_it_stands_for():
    graph = build_graph(
        model(("a", AttentionSpec(heads=2)), ("s", AddSpec(), ("a", "x")), ("r", ReluSpec()), shape=SEQUENCE)
    )
    assert [layer.name for layer in graph.crossbar_layers] == ["a_q", "a_k", "a_v", "a_qk", "a_av", "a_out"]
    assert graph["s"].inputs == ("a_out", "x")
    assert graph["a_scale"].op == Affine(0.5)  # 1 / sqrt(4 features of a head)
    queries, keys = (graph[name].shape for name in graph["a_qk"].inputs)
    assert (graph["a_qk"].op, queries, keys, graph["a_qk"].shape) == (Product(), (2, 6, 4), (2, 4, 6), (2, 6, 6))
    weights, values = (graph[name].shape for name in graph["a_av"].inputs)
    assert (weights, values, graph["a_av"].shape) == ((2, 6, 6), (2, 6, 4), (2, 6, 4))
    assert graph["a_out"].op == Linear(8, 8)


def test_an_inner_layer_takes_a_name_that_is_free():
    graph = build_graph(model(("f", LinearSpec(features=7)), ("f_flatten", ReluSpec())))
    assert [layer.name for layer in graph.layers] == ["x", "f_flatten_2", "f", "f_flatten"]


CONV = Conv2dSpec(channels=4, kernel=1)
POOL = MaxPoolSpec(kernel=2)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([("c", Conv2dSpec(channels=1, kernel=11))], "kernel of 11, larger than its input's height of 10"),
        ([("c", Conv2dSpec(channels=1, kernel=9))], "kernel of 9, larger than its input's width of 8"),
        (
            [("c", Conv2dSpec(channels=1, kernel=(1, 11), padding=1))],
            "kernel of 11, larger than its input's width of 8 ",
        ),
        ([("c", Conv2dSpec(channels=1, kernel=3, dilation=5))], "kernel of 3, dilated to 11, larger than"),
        ([("c", Conv2dSpec(channels=4, kernel=1, groups=2))], "2 groups, which do not divide its 3 input channels"),
        ([("c", Conv2dSpec(channels=4, kernel=1, groups=3))], "3 groups, which do not divide its 4 output channels"),
        ([("p", MaxPoolSpec(kernel=2, padding=2))], "pads 2, which leaves windows of 2 nothing but padding"),
        ([("p", AvgPoolSpec(kernel=(3, 1), padding=(0, 0, 0, 1)))], "pads 1, which leaves windows of 1 nothing"),
        ([("f", FlattenSpec()), ("c", CONV)], "needs an image (channels x height x width), not 240"),
        ([("c", CONV), ("a", AddSpec(), ("x", "c"))], "adds 3 x 10 x 8 to 4 x 10 x 8"),
        ([("p", POOL), ("m", MultiplySpec(), ("x", "p"))], "multiplies 3 x 10 x 8 by 3 x 5 x 4"),
        ([("c", CONV), ("g", GlobalAvgPoolSpec()), ("m", MultiplySpec(), ("x", "g"))], "3 x 10 x 8 by 4 x 1 x 1"),
        ([("p", POOL), ("j", ConcatSpec(), ("x", "p"))], "cannot join 3 x 10 x 8 and 3 x 5 x 4 along axis 0"),
        ([("j", ConcatSpec(axis=3), ("x", "x"))], "has axis 3, the last of 3 x 10 x 8 is 2"),
        ([("s", SliceSpec(stop=4))], "cannot take 0 to 3 of axis 0 of 3 x 10 x 8"),
        ([("s", SliceSpec(axis=3, stop=4))], "has axis 3"),
        ([("r", ReshapeSpec(shape=(3, 7)))], "cannot put 3 x 10 x 8 (240 values) into 3 x 7 (21)"),
        ([("t", TransposeSpec(axes=(0, 1)))], "has axes [0, 1], which are no order of those of 3 x 10 x 8"),
        ([("t", TransposeSpec(axes=(0, 0, 1)))], "has axes [0, 0, 1]"),
        ([("s", SoftmaxSpec(axis=5))], "has axis 5"),
        ([("p", ProductSpec(), ("x", "x"))], "cannot multiply 3 x 10 x 8 by 3 x 10 x 8"),
        ([("l", LayerNormSpec())], "needs a sequence or a vector, not 3 x 10 x 8"),
        ([("t", TokensSpec()), ("b", BatchNormSpec())], "needs an image or a vector, not 80 x 3"),
        ([("t", TokensSpec()), ("n", LrnSpec(size=3))], "needs an image"),
        ([("t", TokensSpec()), ("a", AttentionSpec(heads=2))], "2 heads, which do not divide its 3 features"),
        ([("a", AttentionSpec(heads=2))], "needs a sequence (tokens x features), not 3 x 10 x 8"),
        ([("c", ClassTokenSpec())], "needs a sequence"),
        ([("m", MeanTokensSpec())], "needs a sequence"),
        ([("t", TokensSpec()), ("s", SelectSpec(token=80))], "cannot take 80 to 80 of axis 0 of 80 x 3"),
    ],
)
def test_layers_that_do_not_fit_are_diagnostics(layers, message: str):
    with pytest.raises(CimError) as caught:
        build_graph(model(*layers))
    (found,) = caught.value.diagnostics
    assert found.code == "CIM401"
    assert found.message.startswith(f"`{layers[-1][0]}` ")
    assert message in found.message
    assert found.label.startswith("reads ")


def test_every_wrong_layer_is_told_and_none_that_only_follows_one():
    wrong = model(
        ("c1", Conv2dSpec(channels=1, kernel=99)),
        ("r", ReluSpec()),
        ("c2", Conv2dSpec(channels=1, kernel=98), ("x",)),
    )
    with pytest.raises(CimError) as caught:
        build_graph(wrong)
    assert [found.message.split("`")[1] for found in caught.value.diagnostics] == ["c1", "c2"]
