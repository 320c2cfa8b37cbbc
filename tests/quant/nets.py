"""Small networks for the tests."""

import numpy as np

from cimspec.graph.graph import Graph
from cimspec.graph.layer import (
    Add,
    AvgPool,
    BatchNorm,
    Conv2d,
    GlobalAvgPool,
    Input,
    Layer,
    Linear,
    MaxPool,
    Relu,
    Reshape,
)
from cimspec.graph.window import Window
from cimspec.quant.weights import Weights


def residual_net(*, normalized: bool) -> Graph:
    """8 x 8 images, a padded pooling, a residual with a projection, both average poolings, ten classes."""
    norm = (lambda name, source, shape: (Layer(name, BatchNorm(shape[0]), (source,), shape),)) if normalized else None
    n1, nb = ("n1", "nb") if norm else ("c1", "cb")
    layers = (
        Layer("x", Input(False), (), (1, 8, 8)),
        Layer("c1", Conv2d(1, 6, Window.square(3, 1, 1)), ("x",), (6, 8, 8)),
        *([Layer("n1", BatchNorm(6), ("c1",), (6, 8, 8))] if normalized else []),
        Layer("r1", Relu(), (n1,), (6, 8, 8)),
        Layer("p1", MaxPool(Window.square(3, 2, 1)), ("r1",), (6, 4, 4)),
        Layer("short", Conv2d(6, 8, Window.square(1, 1, 0)), ("p1",), (8, 4, 4)),
        Layer("ca", Conv2d(6, 8, Window.square(3, 1, 1)), ("p1",), (8, 4, 4)),
        Layer("ra", Relu(), ("ca",), (8, 4, 4)),
        Layer("cb", Conv2d(8, 8, Window.square(3, 1, 1)), ("ra",), (8, 4, 4)),
        *([Layer("nb", BatchNorm(8), ("cb",), (8, 4, 4))] if normalized else []),
        Layer("sum", Add(), (nb, "short"), (8, 4, 4)),
        Layer("rs", Relu(), ("sum",), (8, 4, 4)),
        Layer("p2", AvgPool(Window.square(2, 2)), ("rs",), (8, 2, 2)),
        Layer("c3", Conv2d(8, 12, Window.square(1, 1, 0)), ("p2",), (12, 2, 2)),
        Layer("p3", GlobalAvgPool(), ("c3",), (12,)),  # signed: no relu before it
        Layer("f", Linear(12, 10), ("p3",), (10,)),
    )
    return Graph("residual", layers)


def small_net() -> Graph:
    """8 x 8 images, one convolution with normalization, two linear layers."""
    return Graph(
        "small",
        (
            Layer("x", Input(False), (), (1, 8, 8)),
            Layer("c", Conv2d(1, 8, Window.square(3, 1, 1)), ("x",), (8, 8, 8)),
            Layer("n", BatchNorm(8), ("c",), (8, 8, 8)),
            Layer("r", Relu(), ("n",), (8, 8, 8)),
            Layer("p", MaxPool(Window.square(2, 2, 0)), ("r",), (8, 4, 4)),
            Layer("flat", Reshape(), ("p",), (128,)),
            Layer("f1", Linear(128, 16), ("flat",), (16,)),
            Layer("r1", Relu(), ("f1",), (16,)),
            Layer("f2", Linear(16, 10), ("r1",), (10,)),
        ),
    )


def random_weights(graph: Graph, seed: int = 0) -> Weights:
    """Weights of every layer that has some, batch normalization included."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    weights = {}
    for layer in graph.layers:
        match layer.op:
            case Conv2d() as op:
                inputs = op.in_channels // op.groups
                shape = (op.out_channels, inputs, *op.window.kernel)
                spread = np.float32((2 / (inputs * op.window.area)) ** 0.5)
                weights[layer.name] = {
                    "weight": draw(*shape) * spread,
                    "bias": draw(op.out_channels) * np.float32(0.1),
                }
            case Linear() as op:
                spread = np.float32((2 / op.in_features) ** 0.5)
                weight = draw(op.out_features, op.in_features) * spread
                weights[layer.name] = {"weight": weight, "bias": draw(op.out_features) / 10}
            case BatchNorm() as op:
                weights[layer.name] = {
                    "gamma": 1 + draw(op.channels) / 5,
                    "beta": draw(op.channels) / 5,
                    "mean": draw(op.channels) / 5,
                    "variance": 0.5 + rng.random(op.channels).astype(np.float32),
                }
    return weights


def random_images(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 1, 8, 8), dtype=np.float32)
