"""What the parts of a chip do for one input, and when: a Program -> its work, in the times of the cost model.

Reloaded weights: layers one after the other, each in waves of writing and reading. Resident weights: the turns of a
segment's pipeline (cost/timeline.py). Several segments follow each other, each behind the time that programs it; where
there is one, the chip was programmed before, and nothing of that is here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cimspec.compiler.program import CrossbarLayer, Loop, Parallel, Program, Segment, Write, operation
from cimspec.compiler.slicing import ceil_divide
from cimspec.cost.homes import Home
from cimspec.cost.latency import body_ns
from cimspec.cost.segments import SegmentStages
from cimspec.cost.stage import Ints, Stage
from cimspec.cost.timeline import Floats, Passage, schedule
from cimspec.spec.chip import Chip, WeightMode


class Kind(StrEnum):
    """What is busy."""

    WRITE = "write"  # crossbars, programmed
    READ = "read"  # crossbars, multiplying
    WAVES = "write,read"  # both in turn
    DIGITAL = "digital"  # digital units of tiles
    NETWORK = "network"  # what is sent from tile to tile
    MEMORY = "memory"  # the way into the chip


@dataclass(frozen=True, slots=True)
class Phase:
    """Work of one crossbar for one layer."""

    kind: Kind
    start_ns: float
    end_ns: float
    busy_ns: float  # less than from start to end where there are pauses between
    turns: int = 0
    row: int | None = None  # of the output; the last one that the turns work on
    block: int | None = None  # of the layer, where the crossbar holds one after the other


@dataclass(frozen=True, slots=True)
class Run:
    """Waves of one length: the blocks `first` .. `stop`, as many at a time as there are crossbars."""

    start_ns: float
    first: int
    stop: int
    waves: int
    turns: int  # of one wave
    writing_ns: float  # of one wave,
    reading_ns: float  # then


@dataclass(frozen=True, slots=True)
class Waves:
    """A layer whose blocks are written as they are needed."""

    layer: CrossbarLayer
    runs: tuple[Run, ...]

    @property
    def start_ns(self) -> float:
        """When its first block is written."""
        return self.runs[0].start_ns

    @property
    def end_ns(self) -> float:
        """When its last block has been read."""
        return self._end(self.runs[-1], 0)

    @property
    def count(self) -> int:
        """How many waves there are."""
        return sum(run.waves for run in self.runs)

    def phases(self, _copy: int, place: int) -> Iterator[Phase]:
        """What the crossbar at `place` of them does, wave by wave."""
        total = self.layer.crossbars.total
        for run in self.runs:
            wave_ns = run.writing_ns + run.reading_ns
            for wave in range(self._count(run, place)):
                start, block = run.start_ns + wave * wave_ns, run.first + wave * total + place
                written, end = start + run.writing_ns, run.start_ns + (wave + 1) * wave_ns
                yield Phase(Kind.WRITE, start, written, run.writing_ns, 0, None, block)
                yield Phase(Kind.READ, written, end, run.reading_ns, run.turns, None, block)

    def whole(self, _copy: int, place: int) -> Phase:
        """The same from its first write to its last read."""
        runs = [(run, self._count(run, place)) for run in self.runs if self._count(run, place)]
        return Phase(
            Kind.WAVES,
            min(run.start_ns for run, _ in runs),
            max(self._end(run, place) for run, _ in runs),
            sum(count * (run.writing_ns + run.reading_ns) for run, count in runs),
            sum(count * run.turns for run, count in runs),
        )

    @property
    def places(self) -> int:
        """Crossbars that get a block."""
        return min(self.layer.crossbars.total, max(run.stop - run.first for run in self.runs))

    @property
    def blocks(self) -> int:
        """Blocks of the layer."""
        return sum(run.stop - run.first for run in self.runs)

    def _count(self, run: Run, place: int) -> int:
        """Waves in which a crossbar has a block."""
        return max(0, ceil_divide(run.stop - run.first - place, self.layer.crossbars.total))

    def _end(self, run: Run, place: int) -> float:
        return run.start_ns + self._count(run, place) * (run.writing_ns + run.reading_ns)


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """Turns of the first input, without a pause between those that belong to a stretch: an entry of the arrays each."""

    rows: Ints  # the last row that the turns work on
    firsts: Ints
    stops: Ints  # of the turns
    starts_ns: Floats
    ends_ns: Floats

    @classmethod
    def of(cls, passage: Passage, offset_ns: float) -> "Stretches":
        """Turns wait for nothing but at the beginning of a row. All are `offset_ns` later."""
        stage = passage.stage
        firsts = np.unique(stage.first_turns)
        stops = np.append(firsts[1:], stage.turns)
        ends = offset_ns + passage.ends_ns(stops - 1)[0]
        starts = offset_ns + passage.starts_ns(firsts)[0]
        starts[1:] = np.maximum(starts[1:], ends[:-1])  # rounding
        return cls(stage.rows_of(firsts), firsts, stops, starts, ends)


@dataclass(frozen=True, slots=True, eq=False)
class Turns:
    """A layer whose weights stay. In a turn its crossbars may be done before what they make is sent."""

    layer: CrossbarLayer
    stage: Stage
    stretches: Stretches

    @property
    def starts_ns(self) -> Floats:
        """When crossbars begin with each stretch."""
        return self.stretches.starts_ns

    @property
    def ends_ns(self) -> Floats:
        """When they are done with it."""
        return self.stretches.ends_ns - self._pause_ns

    @property
    def places(self) -> int:
        """Crossbars of one copy."""
        return self.layer.crossbars.width

    @property
    def blocks(self) -> int:
        """Blocks of the layer: one on each of them."""
        return self.layer.crossbars.width

    def phases(self, copy: int, _place: int) -> Iterator[Phase]:
        """What a crossbar of a copy does, row by row."""
        stretches = self.stretches
        for index, row in enumerate(stretches.rows):
            first = int(stretches.firsts[index])
            turns = min(int(stretches.stops[index]), self._turns(copy)) - first
            if turns > 0:
                start, end = float(stretches.starts_ns[index]), self._done(index, first + turns)
                yield Phase(Kind.READ, start, end, turns * self.stage.crossbar_ns, turns, int(row))

    def whole(self, copy: int, _place: int) -> Phase:
        """The same from its first turn to its last."""
        turns = self._turns(copy)
        last = int(np.searchsorted(self.stretches.firsts, turns)) - 1
        start, end = float(self.stretches.starts_ns[0]), self._done(last, turns)
        return Phase(Kind.READ, start, end, turns * self.stage.crossbar_ns, turns)

    def _turns(self, copy: int) -> int:
        """Turns in which a copy has an invocation: in the last turn only the first copies have one."""
        return ceil_divide(self.stage.invocations - copy, self.stage.copies)

    def _done(self, index: int, turns: int) -> float:
        """When turn `turns` - 1, which is in a stretch, is done on the crossbars."""
        missing = int(self.stretches.stops[index]) - turns
        end = float(self.stretches.ends_ns[index]) - self._pause_ns - missing * self.stage.turn_ns
        return max(end, float(self.stretches.starts_ns[index]))

    @property
    def _pause_ns(self) -> float:
        """At the end of each turn."""
        return self.stage.turn_ns - self.stage.crossbar_ns


OnCrossbars = Waves | Turns


@dataclass(frozen=True, slots=True, eq=False)
class UnitWork:
    """What digital units, the network or the memory do for one tensor, row by row."""

    tensor: str
    layer: str | None  # the one on whose tiles it is done
    kind: Kind
    home: Home | None  # whose tiles take part; none for memory
    rows: Ints  # of the tensor; the last one of those that are made together
    starts_ns: Floats
    ends_ns: Floats  # on the tile that has most to do

    def shares(self) -> Iterator[tuple[int, float]]:
        """How long each tile works, where that one takes 1. A tile sends for as long as all do."""
        if self.home:
            largest = self.home.largest_share
            for tile, share in self.home.shares.items():
                yield tile, share / largest if self.kind is Kind.DIGITAL else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What a segment does."""

    segment: Segment
    start_ns: float
    programming_ns: float  # before anything else
    layers: tuple[OnCrossbars, ...]
    units: tuple[UnitWork, ...]


def find_parts(program: Program) -> tuple[Part, ...]:
    """The work of every segment for one input. The last of it ends at the latency of `program_cost`."""
    if program.chip.weights is WeightMode.RELOADED:
        return (_reloaded(program),)
    parts: list[Part] = []
    start_ns = 0.0
    for segment in program.segments:
        has_to_wait = len(program.segments) > 1 and segment.places
        programming_ns = program.chip.crossbar.write_latency_ns if has_to_wait else 0.0
        part, end_ns = _pipeline(program, segment, start_ns, programming_ns)
        parts.append(part)
        start_ns = end_ns
    return tuple(parts)


def _reloaded(program: Program) -> Part:
    layers: list[Waves] = []
    for layer in program.layers:
        layers.append(_waves(program.chip, layer, layers[-1].end_ns if layers else 0.0))
    return Part(program.segments[0], 0.0, 0.0, tuple(layers), ())


def _waves(chip: Chip, layer: CrossbarLayer, start_ns: float) -> Waves:
    """A layer's loops over waves, each of which writes and then reads."""
    runs: list[Run] = []
    for loop in layer.body:
        match loop:
            case Loop(body=(Parallel(body=(Write() as write, Loop(start=start, stop=stop) as turns)),)):
                writing_ns, reading_ns = body_ns(chip, (write,)), body_ns(chip, (turns,))
                waves = loop.stop - loop.start
                runs.append(Run(start_ns, write.first, write.stop, waves, stop - start, writing_ns, reading_ns))
                start_ns += waves * (writing_ns + reading_ns)
            case _:
                pass
    return Waves(layer, tuple(runs))


def _pipeline(program: Program, segment: Segment, start_ns: float, programming_ns: float) -> tuple[Part, float]:
    """A segment's work, and when the last of it ends."""
    made = SegmentStages(program, segment)
    timeline = schedule(made.stages)
    offset_ns = start_ns + programming_ns
    placed = {place.layer for place in segment.places}
    layers: list[OnCrossbars] = []
    units: list[UnitWork] = []
    own = {operation(item).dst: item for item in segment.items}
    names = {item.crossbars: item.name for item in segment.items if isinstance(item, CrossbarLayer)}
    for stage in made.stages:
        stretches, item, home = Stretches.of(timeline.passages[stage.name], offset_ns), own.get(stage.name), None
        if item is not None:
            home = made.homes[stage.name]
        if isinstance(item, CrossbarLayer) and item.name in placed:
            layers.append(Turns(item, stage, stretches))
        elif isinstance(item, CrossbarLayer):
            layers.append(_waves(program.chip, item, float(stretches.starts_ns[0])))
        units += _unit_work(stage, stretches, home, names.get(home.crossbars) if home else None)
    part = Part(segment, start_ns, programming_ns, tuple(layers), tuple(units))
    return part, offset_ns + timeline.latency_ns


def _unit_work(stage: Stage, stretches: Stretches, home: Home | None, layer: str | None) -> Iterator[UnitWork]:
    """What is done for a stage outside of crossbars; without a home it is memory that does it.

    Digital work is at the beginning of a turn. What a row sends is in one piece at its end, and then under way until it
    has arrived, or until the next row is sent.
    """
    turns, starts, ends = stretches.stops - stretches.firsts, stretches.starts_ns, stretches.ends_ns
    if stage.digital_ns and home:
        done = _one_after_the_other(starts, starts + turns * stage.digital_ns)
        yield UnitWork(stage.name, layer, Kind.DIGITAL, home, stretches.rows, starts, done)
    if stage.network_ns or stage.latency_ns:
        begun = np.maximum(starts, ends - turns * stage.network_ns)
        arrived = _one_after_the_other(begun, ends + stage.latency_ns)
        kind = Kind.NETWORK if home else Kind.MEMORY
        yield UnitWork(stage.name, layer, kind, home, stretches.rows, begun, arrived)


def _one_after_the_other(starts: Floats, ends: Floats) -> Floats:
    """Ends that are not behind the next start."""
    return np.append(np.minimum(ends[:-1], starts[1:]), ends[-1])
