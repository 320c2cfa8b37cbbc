"""Which tensors of a network can never be negative: their codes need no sign."""

from typing import assert_never

from cimspec.graph.graph import Graph
from cimspec.graph.layer import (
    Add,
    AvgPool,
    BatchNorm,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Input,
    Layer,
    Linear,
    MaxPool,
    Relu,
)


def nonnegative_layers(graph: Graph) -> frozenset[str]:
    """Names of the layers whose outputs are never negative, by structure alone."""
    nonnegative: set[str] = set()
    for layer in graph.layers:
        if _stays_nonnegative(graph, layer, nonnegative):
            nonnegative.add(layer.name)
    return frozenset(nonnegative)


def _stays_nonnegative(graph: Graph, layer: Layer, nonnegative: set[str]) -> bool:
    match layer.op:
        case Relu():
            return True
        case Input() as op:
            return not op.signed
        case Conv2d() | Linear() | BatchNorm():
            return False
        case MaxPool() | AvgPool() | GlobalAvgPool() | Flatten():
            return layer.inputs[0] in nonnegative
        case Add():
            # Codes of a sum that only a relu reads are clipped at 0 at once.
            readers = graph.consumers(layer.name)
            feeds_relu = len(readers) == 1 and isinstance(readers[0].op, Relu)
            return feeds_relu or all(name in nonnegative for name in layer.inputs)
        case _:
            assert_never(layer.op)
