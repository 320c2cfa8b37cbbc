"""A segment of a Program as stages of a pipeline: what its crossbars, digital units and network take.

Each operation is a stage that makes its tensor. Digital operations run on the tiles of the product before them, each
tile doing the share of them that it has of the product's crossbars; a value that an operation reads takes one lane for
one cycle. What a product on other tiles reads goes over the network once, from and to all tiles of either at the same
time. A tile's digital unit and its ports serve all layers on the tile, one after the other: `tile_bound_ns` is the time
of the busiest. What is handled and moved for each tensor is counted beside (`work`).
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from cimspec.compiler.program import CrossbarLayer, Program, ProgramItem, Segment, operation
from cimspec.compiler.slicing import ceil_divide
from cimspec.cost.homes import Home, find_homes, hops
from cimspec.cost.latency import body_ns
from cimspec.cost.rows import WHOLE, Cut, natural_cut, needs, result_cut
from cimspec.cost.stage import Need, Rows, Stage, Whole
from cimspec.quant.ops import (
    AddCodes,
    IntegerOp,
    MatMul,
    Multiplied,
    PoolMax,
    PoolSum,
    Requantize,
    SumAxes,
    Tensor,
    sources,
)

BYTE = 8

INPUT_BITS = 8
"""Of the network's input on its way into the chip."""


@dataclass(slots=True)
class Work:
    """What a tensor takes for one input, besides crossbars."""

    values: int = 0  # that digital units handle to make it
    macs: int = 0  # that they do to make it
    network_bits: float = 0.0  # that other tiles receive of it; each once, whatever the number of copies
    memory_bits: int = 0  # that come from outside the chip


@dataclass(slots=True)
class SegmentStages:
    """The stages of a segment, in execution order; tensors of earlier segments come from memory."""

    program: Program
    segment: Segment
    types: Mapping[str, Tensor] = field(init=False)
    homes: Mapping[str, Home] = field(init=False)
    cuts: dict[str, Cut] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    work: dict[str, Work] = field(default_factory=lambda: defaultdict(Work))  # by tensor
    digital_ns: dict[int, float] = field(default_factory=lambda: defaultdict(float))  # of each tile, for one input
    sent_ns: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    received_ns: dict[int, float] = field(default_factory=lambda: defaultdict(float))

    _operations: Mapping[str, IntegerOp] = field(init=False)
    _readers: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._operations = {operation(item).dst: operation(item) for item in self.segment.items}
        self._readers = defaultdict(list)
        for op in self._operations.values():
            for name in dict.fromkeys(sources(op)):
                self._readers[name].append(op.dst)
        self.types = {buffer.tensor.name: buffer.tensor for buffer in self.program.buffers}
        self.homes = find_homes(self.program, self.segment)
        for name in dict.fromkeys(name for item in self.segment.items for name in sources(operation(item))):
            if name not in self.homes:
                self._add_input(self.types[name])
        for item in self.segment.items:
            op = operation(item)
            self.cuts[op.dst] = result_cut(op, self.types, self.cuts)
            waits = needs(op, self.types, self.cuts)
            self.stages.append(
                self._on_crossbars(item, waits) if isinstance(item, CrossbarLayer) else self._digital(item, waits)
            )

    def busiest_tile(self) -> tuple[str, float]:
        """The unit or port of a tile that takes longest for one input, and how long."""
        kinds = {"digital": self.digital_ns, "sending": self.sent_ns, "receiving": self.received_ns}
        times = [(time, f"tile {tile} ({kind})") for kind, own in kinds.items() for tile, time in own.items()]
        time_ns, name = max(times, default=(0.0, ""))
        return name, time_ns

    def tile_buffers(self, peaks: Mapping[str, int]) -> Mapping[int, float]:
        """Bytes that each tile holds, from the most that is held of each tensor: every tile has its share of it.

        What comes from memory is held where it is read first.
        """
        held: dict[int, float] = defaultdict(float)
        for name, peak in peaks.items():
            home = self.homes.get(name) or self.homes[self._readers[name][0]]
            for tile, share in home.shares.items():
                held[tile] += peak * share
        return held

    def _add_input(self, tensor: Tensor) -> None:
        """A tensor that is read from memory, row by row."""
        self.cuts[tensor.name] = natural_cut(tensor.shape)
        rows, memory = self.cuts[tensor.name].rows, self.program.chip.memory
        bits = INPUT_BITS if tensor.name == self.program.input else tensor.value_bits
        self.work[tensor.name].memory_bits = tensor.size * bits
        time_ns = cycles_ns(tensor.size * bits, memory.width_bits, memory.cycle_ns)
        row_bytes = ceil_divide(tensor.size * bits, rows * BYTE)
        self.stages.append(Stage(tensor.name, (), rows, rows, network_ns=time_ns / rows, row_bytes=row_bytes))

    def _on_crossbars(self, item: CrossbarLayer, waits: tuple[Need, ...]) -> Stage:
        op, whole_ns = item.op, body_ns(self.program.chip, item.body)
        if any(place.layer == item.name for place in self.segment.places):
            copies = self.program.copies(item)
            turns = ceil_divide(op.invocations, copies)
            return Stage(
                op.dst,
                waits,
                self.cuts[op.dst].rows,
                op.invocations,
                copies,
                crossbar_ns=whole_ns / turns,
                network_ns=self._send(op.dst) / turns,
                latency_ns=self._way_ns(op.dst),
                row_bytes=self._row_bytes(op.dst),
            )
        # Written for each input, or in waves: nothing is done before all blocks have had their turn.
        self.cuts[op.dst] = WHOLE
        whole = tuple(Whole(need.stage) for need in waits)
        return Stage(
            op.dst,
            whole,
            1,
            1,
            crossbar_ns=whole_ns,
            network_ns=self._send(op.dst),
            latency_ns=self._way_ns(op.dst),
            row_bytes=self._row_bytes(op.dst),
        )

    def _digital(self, item: ProgramItem, waits: tuple[Need, ...]) -> Stage:
        op = operation(item)
        home, rows, lane_ns = self.homes[op.dst], self.cuts[op.dst].rows, self._lane_ns(op)
        if isinstance(op, SumAxes):  # rows are added up as they come; readers wait for the last
            rows, waits = self.cuts[op.src].rows, (Rows(op.src),)
        for tile, share in home.shares.items():
            self.digital_ns[tile] += lane_ns * share
        return Stage(
            op.dst,
            waits,
            rows,
            rows,
            digital_ns=lane_ns * home.largest_share / rows,
            network_ns=self._send(op.dst) / rows,
            latency_ns=self._way_ns(op.dst),
            row_bytes=ceil_divide(self._row_bytes(op.dst) * self.cuts[op.dst].rows, rows),
        )

    def _way_ns(self, name: str) -> float:
        """From a tensor's tiles to the furthest of its readers."""
        chip, home = self.program.chip, self.homes[name]
        return max((hops(chip, home, reader) for reader in self._remote(name)), default=0) * (
            chip.network.hop_ns or 0.0
        )

    def _row_bytes(self, name: str) -> int:
        tensor = self.types[name]
        return ceil_divide(tensor.size * tensor.value_bits, self.cuts[name].rows * BYTE)

    def _lane_ns(self, op: IntegerOp) -> float:
        """Time that an operation takes on the digital unit of one tile."""
        digital = self.program.chip.digital
        if isinstance(op, MatMul):
            macs = op.matrices * op.invocations * op.inputs * op.outputs
            self.work[op.dst].macs = macs
            return cycles_ns(macs, digital.macs, digital.cycle_ns)
        if isinstance(op, PoolMax | PoolSum):
            values = self.types[op.dst].size * op.window.area
        else:
            values = sum(self.types[name].size for name in sources(op))
        self.work[op.dst].values = values
        return cycles_ns(values, digital.lanes, digital.cycle_ns)

    def _remote(self, name: str) -> dict[Home, IntegerOp]:
        """Other homes where a tensor is read, each with one of its readers."""
        readers = [self._operations[reader] for reader in self._readers.get(name, ())]
        return {self.homes[op.dst]: op for op in readers if self.homes[op.dst] != self.homes[name]}

    def _send(self, name: str) -> float:
        """Time to send a tensor to its readers, and for the slowest of them to receive it."""
        network, home = self.program.chip.network, self.homes[name]
        tensor, slowest = self.types[name], 0.0
        sent = 0.0
        for reader, op in self._remote(name).items():
            if self._is_near(home, reader, op):
                continue
            bits = tensor.size * tensor.value_bits * self._read_share(op)
            self.work[name].network_bits += bits
            port_ns = cycles_ns(bits, network.width_bits, network.cycle_ns)
            sent = max(sent, port_ns)
            for tile, share in reader.shares.items():
                self.received_ns[tile] += port_ns * share
            slowest = max(slowest, port_ns * reader.largest_share)
        for tile, share in home.shares.items():
            self.sent_ns[tile] += sent * share
        return max(slowest, sent * home.largest_share)

    def _is_near(self, home: Home, reader: Home, op: IntegerOp) -> bool:
        """Whether a reader has what it needs on its own tiles: the same tile, or values made by the copy beside it."""
        same_tile = reader.shares.keys() == home.shares.keys() and len(home.shares) == 1
        return same_tile or (isinstance(op, AddCodes | Multiplied) and home.is_beside(reader))

    def _read_share(self, op: IntegerOp) -> float:
        """Share of an image that a reader touches: the strides of windows may be longer than their kernels."""
        if isinstance(op, Requantize):
            products = [self._operations[name] for name in self._readers.get(op.dst, ()) if name in self._operations]
            op = products[0] if len(products) == 1 else op
        window = op.window if isinstance(op, MatMul | PoolMax | PoolSum) else None
        if window is None:
            return 1.0
        shares = [min(1.0, kernel / stride) for kernel, stride in zip(window.kernel, window.stride, strict=True)]
        return shares[0] * shares[1]


def cycles_ns(amount: float, per_cycle: int | None, cycle_ns: float | None) -> float:
    """Time of so many cycles as an amount takes; none where the chip does not say."""
    return amount / per_cycle * cycle_ns if per_cycle and cycle_ns else 0.0
