"""From an ONNX file to a network: a path -> the layer graph and its float weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import structs

from cimspec.diag import Span, fail
from cimspec.graph.graph import Graph
from cimspec.graph.layer import Layer, Shape
from cimspec.graph.onnx.builder import MAX_VALUES, Builder, Origin
from cimspec.graph.onnx.fold import MAX_COMPUTED_BYTES, Folder
from cimspec.graph.onnx.names import names_of
from cimspec.graph.onnx.node import Node, Problem
from cimspec.graph.onnx.passes import drop_needless_relus, drop_unread, fold_affine, order_projections
from cimspec.graph.onnx.reader import OnnxFile, read_bytes, read_file
from cimspec.graph.onnx.value import Coded, Coding, spell
from cimspec.graph.onnx.walk import Walk, report

Float32 = npt.NDArray[np.float32]
Weights = Mapping[str, Mapping[str, Float32]]
"""Float weights by layer and name."""

MAX_INPUT_AXES = 3  # channels, height, width
MAX_LAYERS = 10_000  # as a model has that is written in a `.cim` file


def load_onnx(
    path: str | Path,
    input_shape: Shape | None = None,
    *,
    signed: bool = True,
    name: str | None = None,
    shown: str | None = None,
    span: Span | None = None,
) -> tuple[Graph, Weights]:
    """The network in an ONNX file, for one image, and its weights.

    `input_shape`, without the batch, gives the sizes that the file leaves open; `signed` says whether input values can
    be negative. The graph is called `name`, else like the file; diagnostics show the file as `shown` and point at
    `span`. Raises `CimError`: CIM110, CIM111, CIM420 to CIM430, CIM902.
    """
    path = Path(path)
    file = read_file(path, shown or path.as_posix(), span)
    return take_over(file, input_shape, signed=signed, name=name or path.stem, span=span)


def load_onnx_bytes(content: bytes, *, signed: bool, name: str, shown: str) -> tuple[Graph, Weights]:
    """The same for a model in memory that refers to no other file."""
    return take_over(read_bytes(content, None, shown, None), None, signed=signed, name=name, span=None)


def take_over(
    file: OnnxFile, input_shape: Shape | None, *, signed: bool, name: str, span: Span | None
) -> tuple[Graph, Weights]:
    """The graph and the weights of a file that has been read."""
    builder = read_layers(file, input_shape, signed=signed, span=span)
    fold_affine(builder)
    taken = name_layers(file, builder, name, span)
    return taken.graph, taken.weights


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A file's network, and where each layer comes from."""

    graph: Graph
    weights: Weights
    origins: Mapping[str, Origin]
    coded: Mapping[str, Coded]  # what layers that make codes make
    codings: Mapping[str, Coding]  # of stored tensors, by their names


def read_layers(
    file: OnnxFile, input_shape: Shape | None, *, signed: bool, span: Span | None, keeps_codes: bool = False
) -> Builder:
    """The layers of a file that its output depends on, and nothing folded yet."""
    shape = _input_shape(file, input_shape, span)
    batch_size = file.input.sizes[0] if file.input.sizes else None
    builder = Builder(batch_size, keeps_codes)
    source = builder.input(file.input.name, shape, signed)
    folder = Folder(MAX_COMPUTED_BYTES + 4 * file.stored_bytes)
    walk = Walk(file, builder, folder, {**file.constants, file.input.name: source})
    output = walk.run()
    if output is None:
        raise report(file, walk.problems, span)
    drop_unread(builder, output.layer)
    drop_needless_relus(builder)
    return builder


def name_layers(file: OnnxFile, builder: Builder, name: str, span: Span | None) -> Taken:
    """The network that has been built, with the names of the file."""
    if len(builder.layers) > MAX_LAYERS:
        message = f"`{file.name}` has {len(builder.layers)} layers, more than {MAX_LAYERS}"
        fail("CIM430", message, span, help="export a part of the model")
    layers = order_projections(list(builder.layers.values()))
    names = names_of(layers, builder.origins)
    graph = Graph(name, tuple(_renamed(layer, names) for layer in layers))
    weights, problems = _float_weights(builder, layers)
    if problems:
        raise report(file, problems, span)
    return Taken(
        graph,
        {names[number]: own for number, own in weights.items()},
        {names[layer.name]: builder.origins[layer.name] for layer in layers},
        {names[layer.name]: builder.coded[layer.name] for layer in layers if layer.name in builder.coded},
        builder.codings,
    )


def _renamed(layer: Layer, names: Mapping[str, str]) -> Layer:
    return structs.replace(layer, name=names[layer.name], inputs=tuple(names[each] for each in layer.inputs))


def _float_weights(
    builder: Builder, layers: list[Layer]
) -> tuple[dict[str, dict[str, Float32]], list[tuple[Node, Problem]]]:
    """Weights of the layers by their numbers, and what is wrong with them: what was folded may be too large now."""
    weights: dict[str, dict[str, Float32]] = {}
    problems = []
    for layer in layers:
        origin, own = builder.origins[layer.name], builder.weights.get(layer.name)
        if own is None:
            continue
        with np.errstate(over="ignore"):
            cast = {key: np.ascontiguousarray(array, np.float32) for key, array in own.items()}
        weights[layer.name] = cast
        if not all(np.isfinite(array).all() for array in cast.values()):
            names = ", ".join(f"`{name}`" for name in origin.tensors)
            problems.append((origin.node, Problem(f"has weights beyond float32: {names}", code="CIM426")))
    return weights, problems


def _input_shape(file: OnnxFile, given: Shape | None, span: Span | None) -> Shape:
    """The shape of one input. Raises `CimError`: CIM423, CIM424 or CIM425."""
    info = file.input
    if not info.holds_numbers:
        message = f"the input `{info.name}` of `{file.name}` holds whole numbers or text, such as numbers of words"
        fail("CIM423", message, span, help="only networks that compute with measured values are supported")
    sizes = None if info.sizes is None else info.sizes[1:]
    if given is not None and sizes is not None and not _fits(given, sizes):
        message = f"the input `{info.name}` of `{file.name}` is {_spell_sizes(sizes)}, not {spell(given)}"
        fail("CIM425", message, span, help="give the sizes without the batch, or leave them out")
    shape = given or tuple(size for size in sizes or () if size is not None)
    if given is None and (sizes is None or len(shape) < len(sizes)):
        what = f"leaves the size of its input `{info.name}` open" + (f": {_spell_sizes(sizes)}" if sizes else "")
        fail("CIM424", f"`{file.name}` {what}", span, help=f'give it: `onnx("{file.name}", input = 3 x 224 x 224)`')
    if not 1 <= len(shape) <= MAX_INPUT_AXES:
        message = f"the input `{info.name}` of `{file.name}` has {len(shape)} axes beside the batch"
        fail(
            "CIM425",
            message,
            span,
            help=f"only vectors, sequences and images, with 1 to {MAX_INPUT_AXES}, are supported",
        )
    if math.prod(shape) > MAX_VALUES:
        message = f"the input `{info.name}` of `{file.name}` has {spell(shape)} values, more than {MAX_VALUES}"
        fail("CIM430", message, span, help="export the model for smaller images")
    return shape


def _fits(given: Shape, sizes: tuple[int | None, ...]) -> bool:
    return len(given) == len(sizes) and all(size in (None, each) for each, size in zip(given, sizes, strict=True))


def _spell_sizes(sizes: tuple[int | None, ...]) -> str:
    return " x ".join("?" if size is None else str(size) for size in sizes) or "a single value"
