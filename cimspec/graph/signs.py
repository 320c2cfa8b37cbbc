"""Which tensors of a network can never be negative: their codes need no sign."""

from typing import assert_never

from cimspec.graph.graph import Graph
from cimspec.graph.layer import (
    Add,
    Affine,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Constant,
    Conv2d,
    Elementwise,
    Function,
    GlobalAvgPool,
    Input,
    Layer,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    MaxPool,
    MeanTokens,
    Multiply,
    Op,
    Product,
    Quantize,
    Relu,
    Reshape,
    Slice,
    Softmax,
    Transpose,
)

NEVER_NEGATIVE = (Function.SIGMOID, Function.HARD_SIGMOID)  # all others have the sign of what they read


def nonnegative_layers(graph: Graph) -> frozenset[str]:
    """Names of the layers whose outputs are never negative, by structure alone."""
    nonnegative: set[str] = set()
    for layer in graph.layers:
        if _stays_nonnegative(graph, layer, nonnegative):
            nonnegative.add(layer.name)
    return frozenset(nonnegative)


def _stays_nonnegative(graph: Graph, layer: Layer, nonnegative: set[str]) -> bool:
    reads_no_negatives = all(name in nonnegative for name in layer.inputs)
    match layer.op:
        case Relu() | Softmax():
            return True
        case Input() as op:
            return not op.signed
        case Constant() | Conv2d() | Linear() | BatchNorm() | Affine() | LayerNorm():
            return False
        case Clip() as op:
            return op.low >= 0 or (op.high >= 0 and reads_no_negatives)
        case Elementwise() as op:
            return op.function in NEVER_NEGATIVE or reads_no_negatives
        case Add():
            # Codes of a sum whose negative values its only reader makes 0 are clipped at 0 at once.
            readers = graph.consumers(layer.name)
            return reads_no_negatives or (len(readers) == 1 and _makes_negatives_zero(readers[0].op))
        case MaxPool() | AvgPool() | GlobalAvgPool() | MeanTokens() | LocalResponseNorm():
            return reads_no_negatives
        case Product() | Multiply() | Quantize() | Concat() | Slice() | Reshape() | Transpose():
            return reads_no_negatives
        case _:
            assert_never(layer.op)


def _makes_negatives_zero(op: Op) -> bool:
    """Whether the result would be the same if all negative values were 0 before."""
    return isinstance(op, Relu) or (isinstance(op, Clip) and op.low >= 0)
