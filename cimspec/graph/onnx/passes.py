"""What is done to all layers together, once they are known.

What the output does not depend on goes, affine layers are folded into the layers before them, and the projection of a
residual block comes before its main branch.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import UnionType

import numpy as np
from msgspec import structs

from cimspec.graph.graph import Graph
from cimspec.graph.layer import (
    Add,
    Affine,
    BatchNorm,
    Clip,
    Constant,
    Conv2d,
    Input,
    Layer,
    LayerNorm,
    Linear,
    Op,
    Relu,
)
from cimspec.graph.onnx.builder import Builder
from cimspec.graph.onnx.node import Real
from cimspec.graph.signs import nonnegative_layers

SAME = 2e-7
"""A factor this near to 1 came from float32 numbers that were to cancel: 6 and 1/6."""


def drop_unread(builder: Builder, output: str) -> None:
    """Keep the input, and what the output depends on."""
    needed = {output}
    for number, layer in reversed(builder.layers.items()):
        if number in needed:
            needed.update(layer.inputs)
    builder.layers = {
        number: layer for number, layer in builder.layers.items() if number in needed or isinstance(layer.op, Input)
    }


def drop_needless_relus(builder: Builder) -> None:
    """Leave out relus of what is never negative, and what coding.py has put before codes without a sign.

    Where only such codes are made of the input, it counts as never negative.
    """
    first, *others = builder.layers.values()
    readers = [layer for layer in others if first.name in layer.inputs]
    if builder.keeps_codes and all(_is_before_codes(builder, layer) for layer in readers):
        builder.layers[first.name] = structs.replace(first, op=Input(signed=False))
    graph = Graph("", tuple(builder.layers.values()))
    nonnegative = nonnegative_layers(graph)

    def is_needless(source: Layer, layer: Layer) -> bool:
        # A sum may count as never negative only because it is a relu that reads it.
        is_sum = isinstance(source.op, Add) and not nonnegative.issuperset(source.inputs)
        is_left_out = source.name in nonnegative and not is_sum and layer.name != graph.output.name
        return is_left_out and (isinstance(layer.op, Relu) or _is_before_codes(builder, layer))

    _leave_out(builder, Relu | Clip, is_needless)


def _is_before_codes(builder: Builder, layer: Layer) -> bool:
    return isinstance(layer.op, Relu | Clip) and builder.origins[layer.name].node.op == "DequantizeLinear"


def fold_affine(builder: Builder) -> None:
    """Fold affine layers into the layers before them, where no other layer reads those.

    Weights whose codes are kept take nothing but a bias.

    Into weights and bias, into the parameters of a normalization, into another affine layer, into a constant. Those
    that change nothing are left out.
    """
    readers = Counter(name for layer in builder.layers.values() for name in layer.inputs)
    readers[next(reversed(builder.layers))] += 1  # the output is read, too

    def folds(source: Layer, layer: Layer) -> bool:
        is_folded = readers[source.name] == 1 and _fold(builder, source, layer)
        if is_folded:
            readers[source.name] = readers[layer.name]
        return is_folded

    with np.errstate(over="ignore", invalid="ignore"):  # what is too large for float32 is told later
        _leave_out(builder, Affine, folds)
        _leave_out(builder, Affine, lambda _, layer: _is_same(builder.weights[layer.name]))


def _leave_out(builder: Builder, kind: type[Op] | UnionType, is_needless: Callable[[Layer, Layer], bool]) -> None:
    """Leave out layers of a kind that are needless, given the layer they read and themselves."""
    renamed: dict[str, str] = {}
    kept: dict[str, Layer] = {}
    for number, layer in builder.layers.items():
        layer = structs.replace(layer, inputs=tuple(renamed.get(name, name) for name in layer.inputs))
        if isinstance(layer.op, kind) and is_needless(kept[layer.inputs[0]], layer):
            renamed[number] = layer.inputs[0]
        else:
            kept[number] = layer
    builder.layers = kept


def _is_same(own: Mapping[str, Real]) -> bool:
    """Whether an affine layer changes nothing."""
    return not own["shift"].any() and np.allclose(own["factor"], 1, rtol=0, atol=SAME)


def _fold(builder: Builder, source: Layer, layer: Layer) -> bool:
    """Fold an affine layer into the one before it, if that can take it."""
    if source.shape != layer.shape or source.name not in builder.weights:
        return False
    own = builder.weights[layer.name]
    if builder.keeps_codes and source.runs_on_crossbars:
        is_bias = (own["factor"] == 1).all() and not builder.weights[source.name]["bias"].any()
        if not is_bias:
            return False
    folded = _folded(source, builder.weights[source.name], own["factor"], own["shift"])
    if folded is None:
        return False
    builder.weights[source.name] = folded
    origin = builder.origins[source.name]
    more = builder.origins[layer.name].tensors
    builder.origins[source.name] = replace(origin, tensors=origin.tensors + more)
    return True


def _folded(source: Layer, weights: Mapping[str, Real], factor: Real, shift: Real) -> dict[str, Real] | None:
    """The weights of a layer whose output is multiplied and shifted; None if its weights cannot say that."""
    match source.op:
        case Affine():
            return {"factor": weights["factor"] * factor, "shift": weights["shift"] * factor + shift}
        case Constant():
            return {"value": weights["value"] * factor + shift}
        case Conv2d() | BatchNorm():
            axis = 0
        case Linear() | LayerNorm():
            axis = len(source.shape) - 1
        case _:
            return None
    if not (_varies_along(factor, axis) and _varies_along(shift, axis)):
        return None
    scale, more = (np.broadcast_to(each.reshape(-1), source.shape[axis : axis + 1]) for each in (factor, shift))
    if isinstance(source.op, Conv2d | Linear):
        weight = weights["weight"]
        if (scale != 1).any():
            weight = weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
        return {"weight": weight, "bias": weights["bias"] * scale + more}
    return {**weights, "gamma": weights["gamma"] * scale, "beta": weights["beta"] * scale + more}


def _varies_along(array: Real, axis: int) -> bool:
    """Whether an array has one value for each index of `axis`, whatever the other indices are."""
    return bool(array.size == array.shape[axis])


def order_projections(layers: Sequence[Layer]) -> list[Layer]:
    """The layers with the projection of a residual block before its main branch, otherwise in their order.

    Where two branches are added that both have crossbar layers of their own, the shorter one is the projection.
    """
    order = list(layers)
    bits = {layer.name: 1 << place for place, layer in enumerate(layers)}  # sets of layers are numbers here
    on_crossbars = sum(bits[layer.name] for layer in layers if layer.runs_on_crossbars)
    needed: dict[str, int] = {}  # by each layer: itself and all that it depends on
    for place, layer in enumerate(layers):
        needed[layer.name] = bits[layer.name]
        for name in layer.inputs:
            needed[layer.name] |= needed[name]
        if isinstance(layer.op, Add):
            a, b = (needed[name] for name in layer.inputs)
            lengths = [(own & on_crossbars).bit_count() for own in (a & ~b, b & ~a)]
            if min(lengths) > 0 and lengths[0] != lengths[1]:
                projection, main = (a, b & ~a) if lengths[0] < lengths[1] else (b, a & ~b)
                _put_before(order, place, bits, projection, main)
    return order


def _put_before(order: list[Layer], end: int, bits: Mapping[str, int], first: int, then: int) -> None:
    """Put those layers of `order` before `end` that are in `first` before all that are in `then`.

    None of them depends on one of those, and what they depend on is in `first`, too.
    """
    start = end
    while then:
        start -= 1
        then &= ~bits[order[start].name]
    part = order[start:end]
    order[start:end] = sorted(part, key=lambda layer: not bits[layer.name] & first)
