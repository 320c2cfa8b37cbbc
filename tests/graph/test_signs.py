"""Which tensors can never be negative, by structure alone."""

import pytest

from cimspec.graph import build_graph, nonnegative_layers
from cimspec.spec import (
    AddSpec,
    AttentionSpec,
    AvgPoolSpec,
    ClassTokenSpec,
    ClipSpec,
    ConcatSpec,
    Conv2dSpec,
    FunctionSpec,
    GeluSpec,
    GlobalAvgPoolSpec,
    LayerNormSpec,
    LinearSpec,
    LrnSpec,
    MaxPoolSpec,
    MultiplySpec,
    OpSpec,
    ProductSpec,
    ReluSpec,
    SliceSpec,
    SoftmaxSpec,
    TokensSpec,
)
from tests.graph.models import model


def test_signs_of_a_residual_network():
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


KEEPS_SIGNS = [
    *(FunctionSpec(kind=kind) for kind in ("tanh", "silu", "hardswish")),
    *(GeluSpec(), LrnSpec(size=3), SliceSpec(stop=1), TokensSpec(), AvgPoolSpec(kernel=2), ClipSpec(high=2)),
]
NEVER = [
    *(FunctionSpec(kind=kind) for kind in ("relu6", "sigmoid", "hardsigmoid")),
    *(SoftmaxSpec(), ReluSpec(), ClipSpec(low=0), ClipSpec(low=1)),
]
ALWAYS = [Conv2dSpec(channels=3, kernel=1), LinearSpec(features=3), ClipSpec(low=-1, high=-0.5)]


@pytest.mark.parametrize(
    ("op", "of_nonnegatives", "of_others"),
    [
        *((op, True, False) for op in KEEPS_SIGNS),
        *((op, True, True) for op in NEVER),
        *((op, False, False) for op in ALWAYS),
    ],
)
def test_signs_of_one_operation(op: OpSpec, of_nonnegatives: bool, of_others: bool):
    for signed, expected in ((False, of_nonnegatives), (True, of_others)):
        assert ("y" in nonnegative_layers(build_graph(model(("y", op), signed=signed)))) is expected


@pytest.mark.parametrize("op", [AddSpec(), MultiplySpec(), ConcatSpec(), ProductSpec()])
def test_several_operands_must_all_be_nonnegative(op: OpSpec):
    graph = build_graph(
        model(
            ("s", FunctionSpec(kind="sigmoid")),
            ("c", LinearSpec(features=4), ("x",)),
            ("both", op, ("x", "s")),
            ("one", op, ("s", "c")),
            shape=(4, 4),
        )
    )
    assert nonnegative_layers(graph) & {"both", "one"} == {"both"}


@pytest.mark.parametrize(("low", "expected"), [(0.0, True), (0.5, True), (-1.0, False)])
def test_a_sum_that_only_a_clip_at_0_or_above_reads_needs_no_sign(low: float, expected: bool):
    clip = ("r", ClipSpec(low=low, high=6))
    graph = build_graph(model(("s", AddSpec(), ("x", "x")), clip, signed=True))
    assert ("s" in nonnegative_layers(graph)) is expected


def test_weights_of_attention_are_nonnegative_and_what_is_learned_is_not():
    graph = build_graph(
        model(("c", ClassTokenSpec()), ("n", LayerNormSpec()), ("a", AttentionSpec(heads=2)), shape=(6, 8))
    )
    assert nonnegative_layers(graph) == {"x", "a_softmax"}
