"""What happens for one input, counted: a Program -> events of each layer, to which a chip gives energies (energy.py).

Closed forms of the loops: every block of a layer is read in all turns and all steps (compiler/verify.py proves it),
so sums over blocks are taken once, whatever the number of turns. A block takes part with what it has: its own rows, in
as many sets of active rows as these make, and its own columns. Copies share the turns, so they do not change the
number of events, except writes.

A value's magnitude is not looked at: a row is driven in every step, whether its digit is 0 or not.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, fields
from operator import add, attrgetter

from cimspec.compiler.layout import Layout
from cimspec.compiler.matrices import Matrices
from cimspec.compiler.program import CrossbarLayer, Instruction, Loop, Parallel, Program, operation
from cimspec.compiler.slicing import ceil_divide
from cimspec.cost.segments import SegmentStages, Work
from cimspec.quant.ops import sources
from cimspec.spec.chip import WeightMode


@dataclass(frozen=True, slots=True)
class Events:
    """How often each thing happens for one input."""

    reads: int = 0  # of one crossbar: one step of one product, one set of active rows
    writes: float = 0  # of one whole crossbar; a share of one where several inputs run through a segment
    conversions: int = 0  # of a column's sum, or of a difference of two columns
    row_drives: int = 0  # of one row for one step
    values: int = 0  # that digital units handle
    macs: int = 0  # that digital units do
    network_bits: float = 0  # that tiles receive from others
    memory_bits: int = 0  # that come from outside the chip, or go there

    @classmethod
    def of(cls, work: Work) -> "Events":
        """Those of digital units, network and memory."""
        return cls(values=work.values, macs=work.macs, network_bits=work.network_bits, memory_bits=work.memory_bits)

    def __add__(self, other: "Events") -> "Events":
        return Events(*map(add, _amounts(self), _amounts(other)))


_amounts = attrgetter(*(each.name for each in fields(Events)))


@dataclass(frozen=True, slots=True)
class LayerEvents:
    """What one layer on crossbars does, with the digital work and the traffic of its codes and sums."""

    name: str
    events: Events
    crossbars: int  # that it has, all copies together
    programmed: int = 0  # crossbars that are written before inputs come


@dataclass(frozen=True, slots=True)
class ProgramEvents:
    """All of a Program, for one input."""

    layers: tuple[LayerEvents, ...]  # in execution order
    rest: Events  # of operations that belong to no layer on crossbars
    crossbars: int  # in use at once, at most
    tiles: int  # with crossbars in use, at most; 0 where weights are reloaded

    @property
    def total(self) -> Events:
        """Of all layers and the rest."""
        return sum((layer.events for layer in self.layers), self.rest)

    @property
    def programmed(self) -> int:
        """Crossbars that are written before inputs come, of all segments."""
        return sum(layer.programmed for layer in self.layers)


def program_events(program: Program) -> ProgramEvents:
    """The events of `program`."""
    matrices = {layer.name: program.matrices(layer) for layer in program.layers}
    if program.chip.weights is WeightMode.RESIDENT:
        return resident_events(program, matrices, [SegmentStages(program, segment) for segment in program.segments])
    return reloaded_events(program, matrices)


def reloaded_events(program: Program, matrices: Mapping[str, Matrices]) -> ProgramEvents:
    """Layers one after the other, each on all crossbars. Digital work is not charged. `matrices` are those by layer."""
    crossbars = program.chip.crossbars
    layers = tuple(
        LayerEvents(
            layer.name, product_events(matrices[layer.name], layer), min(crossbars, matrices[layer.name].blocks)
        )
        for layer in program.layers
    )
    return ProgramEvents(layers, Events(), crossbars, 0)


def resident_events(
    program: Program, matrices: Mapping[str, Matrices], stages: Sequence[SegmentStages]
) -> ProgramEvents:
    """A pipeline for each segment; `stages` are those of the segments, in their order.

    Where there are several segments their weights are written again for every `batch` inputs.
    """
    layers: list[LayerEvents] = []
    rest = Events()
    crossbars = tiles = 0
    leaving = _leaving(program)
    for segment, made in zip(program.segments, stages, strict=True):
        own = {item.name: item for item in segment.items if isinstance(item, CrossbarLayer)}
        works, others = _digital_work(made, leaving, own)
        placed = {place.layer for place in segment.places}
        shared = program.chip.batch if len(program.segments) > 1 else None
        for name, layer in own.items():
            events = product_events(matrices[name], layer) + Events.of(works[name])
            programmed = layer.crossbars.total if name in placed else 0
            if programmed and shared:
                events += Events(writes=programmed / shared)
            layers.append(LayerEvents(name, events, layer.crossbars.total, programmed))
        rest += Events.of(others)
        crossbars = max(crossbars, sum(layer.crossbars.total for layer in own.values()))
        tiles = max(tiles, len({tile for home in set(made.homes.values()) for tile in home.shares}))
    return ProgramEvents(tuple(layers), rest, crossbars, tiles)


def product_events(matrices: Matrices, layer: CrossbarLayer) -> Events:
    """What a layer's crossbars do for one input; blocks that are not placed are written once each.

    With `conversion = per_product` a set of rows is converted once for all steps.
    """
    products, steps, is_written = _bounds(layer)
    reads = row_drives = conversions = 0
    for count, layout in _layouts(matrices):
        sets = _row_sets(layout)
        reads += count * sets * layout.column_blocks
        row_drives += count * layout.rows * layout.column_blocks
        conversions += count * sets * converted_columns(layout)
    times = products * steps
    return Events(
        reads=times * reads,
        writes=matrices.blocks if is_written else 0,
        conversions=(products if matrices.chip.converts_products else times) * conversions,
        row_drives=times * row_drives,
    )


def converted_columns(layout: Layout) -> int:
    """Sums that the ADCs convert for one set of all rows: columns in use, or their differences.

    A unit column has its place even where the sum of inputs is computed digitally; then it is not converted.
    """
    columns = layout.outputs * layout.columns_per_output + layout.chip.crossbar.reads_unit_column
    return columns // 2 if layout.subtracts_columns else columns


def _row_sets(layout: Layout) -> int:
    """Sets of active rows, of all crossbars below each other."""
    crossbar, active = layout.chip.crossbar, layout.chip.active_rows
    full, rest = divmod(layout.rows, crossbar.rows)
    return full * ceil_divide(crossbar.rows, active) + ceil_divide(rest, active)


def _layouts(matrices: Matrices) -> tuple[tuple[int, Layout], ...]:
    """The layouts of a layer's matrices, and how many have each: the last may hold fewer groups."""
    last = matrices.layout(matrices.count - 1)
    if last is matrices.first:
        return ((matrices.count, last),)
    return (matrices.count - 1, matrices.first), (1, last)


def _bounds(layer: CrossbarLayer) -> tuple[int, int, bool]:
    """Products of one input, steps of each, and whether blocks are written before they are read."""
    body: tuple[Instruction, ...] = layer.body
    while True:
        match body[0]:
            case Loop("wave", _, _, inner):
                body = inner
            case Parallel(_, (*writes, Loop("turn", first, last, (Loop("step", start, stop, _),)))):
                turns = (last - first) * layer.crossbars.count
                return min(turns, layer.op.invocations), stop - start, bool(writes)
            case _:
                raise ValueError(f"`{layer.name}` does not read its crossbars in turns and steps")


def _digital_work(
    made: SegmentStages, leaving: Set[str], layers: Mapping[str, CrossbarLayer]
) -> tuple[dict[str, Work], Work]:
    """Work by the layer that a tensor is named after (`c2.codes` and `c2` are c2's), and that of all others."""
    by_layer = {name: Work() for name in layers}
    rest = Work()
    for name, own in made.work.items():
        total = by_layer.get(name.partition(".")[0], rest)
        total.values += own.values
        total.macs += own.macs
        total.network_bits += own.network_bits
        total.memory_bits += own.memory_bits
    for item in made.segment.items:
        name = operation(item).dst
        if name in leaving:
            tensor = made.types[name]
            by_layer.get(name.partition(".")[0], rest).memory_bits += tensor.size * tensor.value_bits
    return by_layer, rest


def _leaving(program: Program) -> Set[str]:
    """Tensors that leave the chip: the output, and what later segments read."""
    made: set[str] = set()
    found = {program.output}
    for segment in program.segments:
        operations = [operation(item) for item in segment.items]
        found |= {name for op in operations for name in sources(op) if name in made}
        made |= {op.dst for op in operations}
    return found
