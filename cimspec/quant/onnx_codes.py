"""Where a quantized file makes codes, and which of them the integer network makes by itself.

A file rounds activations wherever it pleases: `Quantize` layers of a graph, with their steps. Crossbar layers round
what they read, and additions their sums, so most of these layers can go: their steps become those of the layers around
them. Others stay, and are run as the file has them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from cimspec.graph.graph import Graph
from cimspec.graph.layer import Add, Clip, Concat, Layer, MaxPool, Quantize, Relu, Reshape, Slice, Transpose
from cimspec.graph.signs import nonnegative_layers
from cimspec.quant.ops import Codes
from cimspec.quant.parameters import ADD_BITS

Mover = Relu | MaxPool | Reshape | Transpose | Slice | Concat
"""Layers whose outputs are among their inputs, or 0: codes stay codes."""


class NotQuantizedError(Exception):
    """Layers read or make values that the file does not round as the integer network does."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{layer} {message}" for layer, message in problems))
        self.problems = tuple(problems)  # layer, and what it does


@dataclass(frozen=True, slots=True)
class Grid:
    """The real values that a tensor can have: codes times a step."""

    step: float
    codes: Codes


@dataclass(frozen=True, slots=True)
class Arranged:
    """A graph whose crossbar layers round what they read."""

    graph: Graph
    operands: Mapping[str, tuple[Grid, ...]]  # of each crossbar layer, what it reads
    steps: Mapping[str, float]  # of sums, and of codes that are left as layers


def arrange(graph: Graph, steps: Mapping[str, float]) -> Arranged:
    """The graph without the `Quantize` layers that it can do without; `steps` are those of all of them.

    Raises `NotQuantizedError`.
    """
    grids = _Grids(graph, dict(steps), nonnegative_layers(graph))
    operands = {layer.name: grids.operands(layer) for layer in graph.crossbar_layers}
    if grids.problems:
        raise NotQuantizedError(grids.problems)
    kept = graph
    for is_needless in (grids.is_repeated, grids.is_made_by_readers):
        for name in [layer.name for layer in kept.layers if isinstance(layer.op, Quantize)]:
            if is_needless(kept, kept[name]) and not grids.keeps_sign(kept, kept[name]):
                kept = _without(kept, name)
    left = {layer.name: grids.steps[layer.name] for layer in kept.layers if layer.name in grids.steps}
    return Arranged(kept, operands, left)


@dataclass(slots=True)
class _Grids:
    """What values tensors can have, where they are codes."""

    graph: Graph
    steps: dict[str, float]
    nonnegative: frozenset[str]
    problems: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for layer in self.graph.layers:
            if isinstance(layer.op, Add):
                self._find_step(layer)

    def of(self, name: str) -> Grid | None:
        """The grid of a layer's output, if it has one."""
        layer = self.graph[name]
        match layer.op:
            case Quantize() | Add() if name in self.steps:
                return Grid(self.steps[name], self._codes(layer))
            case Relu():
                grid = self.of(layer.inputs[0])
                if grid and grid.codes.signed:
                    return replace(grid, codes=Codes(grid.codes.bits - 1, False))
                return grid
            case MaxPool() | Reshape() | Transpose() | Slice():
                return self.of(layer.inputs[0])
            case Concat():
                grids = {self.of(part) for part in layer.inputs}
                return grids.pop() if len(grids) == 1 else None
            case _:
                return None

    def _codes(self, layer: Layer) -> Codes:
        bits = layer.op.bits if isinstance(layer.op, Quantize) else ADD_BITS
        return Codes(bits, layer.name not in self.nonnegative)

    def operands(self, layer: Layer) -> tuple[Grid, ...]:
        """What a crossbar layer reads."""
        grids = tuple(self.of(name) for name in layer.inputs)
        if None in grids:
            self.problems.append((layer.name, "reads an activation that is not quantized"))
        return tuple(grid for grid in grids if grid)

    def _find_step(self, addition: Layer) -> None:
        """The step of an addition's codes: that of the codes which are made of the sum later.

        To round to 8 bits first, and to fewer bits or the same then, is to round once where the step is the same.
        """
        ends = list(_ends(self.graph, addition.name))
        found = {self.steps[end.name] if isinstance(end.op, Quantize) else None for end in ends}
        own = self._codes(addition)
        if not ends or None in found:
            self.problems.append((addition.name, "makes a sum that is not quantized before it is used"))
        elif len(found) > 1:
            self.problems.append((addition.name, "makes a sum that is quantized with different steps"))
        elif any(self._codes(end).high > own.high for end in ends):
            self.problems.append((addition.name, "makes a sum that is quantized with a sign and, wider, without one"))
        else:
            self.steps[addition.name] = next(step for step in found if step)

    def is_repeated(self, graph: Graph, layer: Layer) -> bool:
        """Whether a layer makes codes of what is the same codes already."""
        own, read = self.of(layer.name), self.of(layer.inputs[0])
        is_same = own and read and own.step == read.step and read.codes.high <= own.codes.high
        return bool(is_same) and layer is not graph.output

    def is_made_by_readers(self, graph: Graph, layer: Layer) -> bool:
        """Whether only crossbar layers compute with a layer's codes, which they make themselves."""
        return all(end.runs_on_crossbars for end in _ends(graph, layer.name))

    def keeps_sign(self, graph: Graph, layer: Layer) -> bool:
        """Whether a sum would count as never negative without the layer, because a relu would read it then."""
        source = layer.inputs[0]
        is_signed_sum = isinstance(graph[source].op, Add) and source not in self.nonnegative
        return is_signed_sum and any(isinstance(reader.op, Relu | Clip) for reader in graph.consumers(layer.name))


def _ends(graph: Graph, name: str) -> Iterator[Layer]:
    """The layers that compute with an output, or round it: its readers, past those that only move values."""
    if name == graph.output.name:
        yield graph[name]
    for reader in graph.consumers(name):
        if isinstance(reader.op, Mover):
            yield from _ends(graph, reader.name)
        else:
            yield reader


def _without(graph: Graph, name: str) -> Graph:
    """The graph without a layer; who read it reads what it read."""
    (source,) = graph[name].inputs
    layers = (layer for layer in graph.layers if layer.name != name)
    return Graph(
        graph.name,
        tuple(
            structs.replace(each, inputs=tuple(source if read == name else read for read in each.inputs))
            for each in layers
        ),
    )
