import numpy as np
import pytest
import torch

from cimspec.graph.graph import Graph
from cimspec.graph.layer import Add, Affine, BatchNorm, Conv2d, Input, Layer, Relu
from cimspec.graph.window import Window
from cimspec.quant.execute import float_outputs
from cimspec.quant.weights import BATCH_NORM_EPSILON, fold_batch_norm, fold_into
from tests.quant.nets import random_images, random_weights, residual_net


def test_folding_by_hand():
    layer = {"weight": np.array([[2.0, 4.0]], np.float32), "bias": np.array([1.0], np.float32)}
    norm = {
        "gamma": np.array([3.0], np.float32),
        "beta": np.array([5.0], np.float32),
        "mean": np.array([7.0], np.float32),
        "variance": np.array([4 - BATCH_NORM_EPSILON], np.float32),
    }
    folded = fold_into(layer, norm)  # 3 * (2a + 4b + 1 - 7) / 2 + 5 = 3a + 6b - 4
    np.testing.assert_allclose(folded["weight"], [[3.0, 6.0]], rtol=1e-6)
    np.testing.assert_allclose(folded["bias"], [-4.0], rtol=1e-6)


def test_the_folded_network_computes_the_same():
    graph = residual_net(normalized=True)
    weights = random_weights(graph)
    folded_graph, folded = fold_batch_norm(graph, weights)
    images = torch.from_numpy(random_images(16))
    torch.testing.assert_close(
        float_outputs(folded_graph, folded, images),
        float_outputs(graph, weights, images),
        rtol=1e-4,
        atol=1e-5,
    )
    assert folded_graph == residual_net(normalized=False)


def test_a_normalization_at_the_end_leaves_its_layer_as_the_output():
    graph = Graph(
        "n",
        (
            Layer("x", Input(False), (), (1, 4, 4)),
            Layer("c", Conv2d(1, 2, Window.square(1, 1, 0)), ("x",), (2, 4, 4)),
            Layer("side", Relu(), ("x",), (1, 4, 4)),
            Layer("n", BatchNorm(2), ("c",), (2, 4, 4)),
        ),
    )
    folded, _ = fold_batch_norm(graph, random_weights(graph))
    assert folded.output.name == "c"


@pytest.mark.parametrize("source", ["x", "c"])
def test_a_normalization_that_cannot_be_folded_becomes_an_affine_layer(source: str):
    """`x` has no weights; `c` feeds the relu as well, which must not see the normalization."""
    shape = (1, 4, 4)
    graph = Graph(
        "n",
        (
            Layer("x", Input(False), (), shape),
            Layer("c", Conv2d(1, 1, Window.square(1)), ("x",), shape),
            Layer("r", Relu(), ("c",), shape),
            Layer("n", BatchNorm(1), (source,), shape),
            Layer("sum", Add(), ("n", "r"), shape),
        ),
    )
    weights = random_weights(graph)
    folded, folded_weights = fold_batch_norm(graph, weights)
    assert folded["n"].op == Affine()
    images = torch.from_numpy(np.random.default_rng(0).random((5, 1, 4, 4), dtype=np.float32))
    before, after = float_outputs(graph, weights, images), float_outputs(folded, folded_weights, images)
    assert torch.allclose(before, after, rtol=1e-5, atol=1e-6)
