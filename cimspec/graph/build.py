"""From the model a user wrote to a `Graph`: every shape inferred, every layer checked against what it reads.

All layers that do not fit are reported at once; a layer after a wrong one is not reported for its sake.
"""

from collections.abc import Mapping
from typing import assert_never

from cimspec.diag import Diagnostics, Span
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
    Op,
    Relu,
    Shape,
)
from cimspec.spec.workload import (
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
    ReluSpec,
)


class _DoesNotFitError(Exception):
    """A layer cannot read what it is given; the message says why."""


def build_graph(model: ModelSpec, spans: Mapping[tuple[str | int, ...], Span] | None = None) -> Graph:
    """The graph of `model`; `spans` places errors in the file.

    Raises `CimError` (CIM401) with one diagnostic for every layer whose input has a shape it cannot take.
    """
    spans = spans or {}
    diagnostics = Diagnostics()
    shapes: dict[str, Shape | None] = {}  # None: the shape is unknown because of an earlier error
    layers: list[Layer] = []
    for index, declared in enumerate(model.layers):
        inputs = tuple(shapes[name] for name in declared.inputs)
        shapes[declared.name] = None
        known = tuple(shape for shape in inputs if shape is not None)
        if len(known) < len(inputs):
            continue
        try:
            made = _make_layers(declared, known)
        except _DoesNotFitError as error:
            diagnostics.error(
                "CIM401", str(error), spans.get(("model", "layers", index)), label=f"reads {_spell(known)}"
            )
            continue
        layers.extend(made)
        shapes[declared.name] = made[-1].shape
    diagnostics.raise_if_errors()
    return Graph(model.name, tuple(layers))


def _make_layers(declared: LayerSpec, shapes: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """The layer, preceded by the flattening that a linear layer on an image implies."""
    if isinstance(declared.op, LinearSpec) and len(shapes[0]) == 3:
        flatten = f"{declared.name}_flatten"
        flattened = _flat(shapes[0])
        op = Linear(flattened[0], declared.op.features)
        return (
            Layer(flatten, Flatten(), declared.inputs, flattened),
            Layer(declared.name, op, (flatten,), (op.out_features,)),
        )
    op_and_shape = _infer(declared, shapes)
    return (Layer(declared.name, op_and_shape[0], declared.inputs, op_and_shape[1]),)


def _infer(declared: LayerSpec, shapes: tuple[Shape, ...]) -> tuple[Op, Shape]:  # noqa: C901 (one case per layer kind)
    name = declared.name
    match declared.op:
        case InputSpec() as spec:
            if len(spec.shape) == 2:
                raise _DoesNotFitError(f"`{name}` has two dimensions; an image has three, a vector one")
            return Input(spec.signed), spec.shape
        case Conv2dSpec() as spec:
            channels, *image = _image(name, shapes[0])
            height, width = (_windows(name, side, spec.kernel, spec.stride, spec.padding) for side in image)
            conv = Conv2d(channels, spec.channels, spec.kernel, spec.stride, spec.padding)
            return conv, (spec.channels, height, width)
        case LinearSpec() as spec:
            return Linear(shapes[0][0], spec.features), (spec.features,)
        case BatchNormSpec():
            return BatchNorm(shapes[0][0]), shapes[0]
        case ReluSpec():
            return Relu(), shapes[0]
        case MaxPoolSpec() as spec:
            if 2 * spec.padding > spec.kernel:
                raise _DoesNotFitError(f"`{name}` pads {spec.padding}, more than half of its kernel of {spec.kernel}")
            return _pool(name, MaxPool(spec.kernel, spec.stride or spec.kernel, spec.padding), shapes[0], spec.padding)
        case AvgPoolSpec() as spec:
            return _pool(name, AvgPool(spec.kernel, spec.stride or spec.kernel), shapes[0], 0)
        case GlobalAvgPoolSpec():
            return GlobalAvgPool(), (_image(name, shapes[0])[0],)
        case AddSpec():
            if shapes[0] != shapes[1]:
                raise _DoesNotFitError(f"`{name}` adds {_spell(shapes[:1])} to {_spell(shapes[1:])}")
            return Add(), shapes[0]
        case FlattenSpec():
            return Flatten(), _flat(shapes[0])
        case _:
            assert_never(declared.op)


def _pool(name: str, op: MaxPool | AvgPool, shape: Shape, padding: int) -> tuple[Op, Shape]:
    channels, *image = _image(name, shape)
    height, width = (_windows(name, side, op.kernel, op.stride, padding) for side in image)
    return op, (channels, height, width)


def _image(name: str, shape: Shape) -> Shape:
    if len(shape) != 3:
        raise _DoesNotFitError(f"`{name}` needs an image (channels x height x width), not {_spell((shape,))}")
    return shape


def _windows(name: str, side: int, kernel: int, stride: int, padding: int) -> int:
    """Number of windows along one side."""
    if kernel > side + 2 * padding:
        padded = f" padded to {side + 2 * padding}" if padding else ""
        raise _DoesNotFitError(f"`{name}` has a kernel of {kernel}, larger than its input's side of {side}{padded}")
    return (side + 2 * padding - kernel) // stride + 1


def _flat(shape: Shape) -> Shape:
    size = 1
    for extent in shape:
        size *= extent
    return (size,)


def _spell(shapes: tuple[Shape, ...]) -> str:
    return " and ".join(" x ".join(map(str, shape)) for shape in shapes)
