import numpy as np
import pytest
import torch

from cimspec.graph.graph import Graph
from cimspec.graph.layer import Conv2d, Input, Layer, Linear, Relu, Reshape
from cimspec.graph.precision import Policy, Precision
from cimspec.graph.window import Window
from cimspec.quant.calibrate import calibrate
from cimspec.quant.equalize import LARGEST_FACTOR, channel_factors, equalize, links
from cimspec.quant.execute import float_outputs
from cimspec.quant.fake import fake_outputs
from cimspec.quant.tables import quantize
from cimspec.quant.weights import Weights, fold_batch_norm
from tests.quant.nets import random_images, random_weights, residual_net, small_net

IMAGES = random_images(64)


def grouped_net() -> Graph:
    """A convolution in groups between two others, and a linear layer that reads what is flattened."""
    return Graph(
        "grouped",
        (
            Layer("x", Input(False), (), (1, 8, 8)),
            Layer("c1", Conv2d(1, 6, Window.square(3, 1, 1)), ("x",), (6, 8, 8)),
            Layer("r1", Relu(), ("c1",), (6, 8, 8)),
            Layer("c2", Conv2d(6, 12, Window.square(3, 2, 1), groups=3), ("r1",), (12, 4, 4)),
            Layer("r2", Relu(), ("c2",), (12, 4, 4)),
            Layer("c3", Conv2d(12, 4, Window.square(1, 1, 0)), ("r2",), (4, 4, 4)),
            Layer("flat", Reshape(), ("c3",), (64,)),
            Layer("f", Linear(64, 10), ("flat",), (10,)),
        ),
    )


def sequence_net() -> Graph:
    """Linear layers over the last axis of two tokens, whose channels are not outermost."""
    return Graph(
        "sequence",
        (
            Layer("x", Input(False), (), (1, 8, 8)),
            Layer("tokens", Reshape(), ("x",), (2, 32)),
            Layer("f1", Linear(32, 6), ("tokens",), (2, 6)),
            Layer("r1", Relu(), ("f1",), (2, 6)),
            Layer("f2", Linear(6, 5), ("r1",), (2, 5)),
            Layer("flat", Reshape(), ("f2",), (10,)),
            Layer("f3", Linear(10, 10), ("flat",), (10,)),
        ),
    )


def weights_of(graph: Graph) -> Weights:
    """Random ones; of a convolution in groups, for the channels of one group."""
    weights = {name: dict(own) for name, own in random_weights(graph).items()}
    for layer in graph.layers:
        if isinstance(layer.op, Conv2d):
            own = weights[layer.name]
            own["weight"] = own["weight"][:, : layer.op.in_channels // layer.op.groups]
    return weights


def uneven(weights: Weights, writer: str, reader: str, factors: np.ndarray) -> Weights:
    """The same function with channels between two layers as far apart as `factors`, the reader being linear."""
    first, second = weights[writer], weights[reader]
    places = second["weight"].shape[1] // len(factors)
    return dict(weights) | {
        writer: {"weight": first["weight"] * factors[:, None, None, None], "bias": first["bias"] * factors},
        reader: second | {"weight": second["weight"] / np.repeat(factors, places)},
    }


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        # c1 has two readers, and the sum after cb takes no factors.
        (residual_net(normalized=False), [("ca", "cb", 8), ("c3", "f", 12)]),
        (grouped_net(), [("c1", "c2", 6), ("c2", "c3", 12), ("c3", "f", 4)]),
        (sequence_net(), []),
    ],
)
def test_factors_pass_where_one_layer_alone_reads_the_channels(graph: Graph, expected: list):
    assert [(link.writer, link.reader, link.channels) for link in links(graph)] == expected


@pytest.mark.parametrize("graph", [residual_net(normalized=False), grouped_net(), sequence_net()])
def test_the_function_stays(graph: Graph):
    weights = weights_of(graph)
    before = {name: {key: value.copy() for key, value in own.items()} for name, own in weights.items()}
    images = torch.from_numpy(IMAGES)
    equalized = equalize(graph, weights, IMAGES)
    torch.testing.assert_close(
        float_outputs(graph, equalized, images), float_outputs(graph, weights, images), rtol=1e-4, atol=1e-5
    )
    changed = {name for name in weights if not np.array_equal(equalized[name]["weight"], weights[name]["weight"])}
    assert changed == {name for link in links(graph) for name in (link.writer, link.reader)}
    for name, own in before.items():
        for key, value in own.items():
            np.testing.assert_array_equal(weights[name][key], value)


def test_channels_far_apart_are_quantized_as_those_that_are_alike():
    graph, folded = fold_batch_norm(small_net(), random_weights(small_net()))
    factors = np.array([0.4, 2.5, 1.0, 0.5, 2.0, 0.6, 1.0, 1.5], np.float32)
    apart = uneven(folded, "c", "f1", factors)
    images = torch.from_numpy(IMAGES)
    wanted = float_outputs(graph, folded, images)
    policy = Policy(("c", "f1", "f2"), (Precision(8, 8), Precision(8, 2), Precision(8, 8)))

    def error(weights: Weights) -> float:
        parameters = quantize(calibrate(graph, weights, IMAGES), policy)
        return float((fake_outputs(graph, parameters, images) - wanted).square().mean())

    alike, again = equalize(graph, folded, IMAGES), equalize(graph, apart, IMAGES)
    assert error(again) == pytest.approx(error(alike), rel=0.05)
    assert error(again) < 0.7 * error(apart)


def test_factors_by_hand():
    # Channels of one value each, the third of them silent: the median of the others has the factor 1.
    values = np.array([[1.0] * 8, [2.0] * 8, [0.0] * 8, [4.0] * 8], np.float32)
    expected = [1 / 2, 1.0, 1 / LARGEST_FACTOR, 2.0]
    np.testing.assert_allclose(channel_factors(values, signed=False), expected, rtol=1e-6)


def test_channels_that_are_all_silent_stay():
    silent = np.zeros((3, 8), np.float32)
    np.testing.assert_array_equal(channel_factors(silent, signed=False), 1.0)
    np.testing.assert_array_equal(channel_factors(-np.ones((3, 8), np.float32), signed=False), 1.0)
