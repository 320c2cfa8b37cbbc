"""Events on tracks: the work of a chip (activity.py) in more or less detail -> what each crossbar and unit does when.

Crossbars have a track each, or share one with those that hold the same copy or layer. Digital units, ports and memory
have as many as it takes for what goes on at the same time. The events of a track do not overlap.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from cimspec.compiler.program import CrossbarLayer, Crossbars, Program
from cimspec.cost.homes import crossbars_per_tile
from cimspec.report.activity import Kind, OnCrossbars, Part, Phase, UnitWork
from cimspec.spec.chip import WeightMode

MEMORY = -1
"""Stands where tiles have their number."""


class Detail(IntEnum):
    """What is shown apart, from most to least."""

    ROWS = 0
    CROSSBARS = 1
    COPIES = 2
    LAYERS = 3

    @property
    def merged(self) -> str:
        """What is not shown apart any more."""
        merged = ("rows and waves of a layer", "crossbars of a copy", "copies of a layer and tiles of an operation")
        return ", ".join(merged[: self.value]) or "nothing"


@dataclass(frozen=True, slots=True, order=True)
class Track:
    """Where events follow each other. Tracks are shown in this order."""

    tile: int
    order: int  # crossbars, then what else a tile has
    number: int
    name: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens on a track."""

    track: Track
    name: str  # the layer's, or the tensor's
    kind: Kind
    start_ns: float
    end_ns: float
    details: dict[str, Any]


def find_events(program: Program, parts: Iterable[Part], detail: Detail) -> Iterator[Event]:
    """All that happens, as it is asked for: segment by segment, layer by layer."""
    made = _Events(program, detail, {})
    for part in parts:
        yield from made.programming(part)
        for work in part.layers:
            yield from made.on_crossbars(work)
        for unit in sorted(part.units, key=lambda unit: float(unit.starts_ns[0])):
            yield from made.on_units(unit)


@dataclass(frozen=True, slots=True)
class _Events:
    program: Program
    detail: Detail
    lanes: dict[tuple[int, Kind], list[float]]  # of each unit: until when its tracks are taken

    def programming(self, part: Part) -> Iterator[Event]:
        """All layers of a segment are written at once."""
        if not part.programming_ns:
            return
        layers = {item.name: item for item in part.segment.items if isinstance(item, CrossbarLayer)}
        phase = Phase(Kind.WRITE, part.start_ns, part.start_ns + part.programming_ns, part.programming_ns)
        for place in part.segment.places:
            for copy, number in self._shown(place.crossbars, place.crossbars.width):
                yield self._event(layers[place.layer], place.crossbars.width, phase, copy, number)

    def on_crossbars(self, work: OnCrossbars) -> Iterator[Event]:
        """What a layer does."""
        for copy, place in self._shown(work.layer.crossbars, work.places):
            whole = self.detail > Detail.ROWS
            for phase in (work.whole(copy, place),) if whole else work.phases(copy, place):
                yield self._event(work.layer, work.blocks, phase, copy, place)

    def _shown(self, crossbars: Crossbars, places: int) -> Iterator[tuple[int, int]]:
        """Copies, and places of crossbars in them, that have events of their own."""
        for copy in range(crossbars.count if self.detail < Detail.LAYERS else 1):
            for place in range(places if self.detail < Detail.COPIES else 1):
                yield copy, place

    def _event(self, layer: CrossbarLayer, blocks: int, phase: Phase, copy: int, place: int) -> Event:
        precision, crossbars = layer.op.precision, layer.crossbars
        details: dict[str, Any] = {
            "layer": layer.name,
            "weight_bits": precision.weight_bits,
            "activation_bits": precision.activation_bits,
            "copies": crossbars.count,
            "blocks": blocks,
            "turns": phase.turns,
        }
        if self.detail < Detail.LAYERS:
            details["copy"] = copy
        if self.detail is Detail.ROWS:
            details["block"] = place if phase.block is None else phase.block
            details |= {} if phase.row is None else {"row": phase.row}
        if self.detail > Detail.ROWS or phase.busy_ns < 0.999 * (phase.end_ns - phase.start_ns):
            details["busy_us"] = phase.busy_ns / 1e3
        track = self._track(crossbars, copy, place)
        return Event(track, layer.name, phase.kind, phase.start_ns, phase.end_ns, details)

    def _track(self, crossbars: Crossbars, copy: int, place: int) -> Track:
        first = crossbars.first + copy * crossbars.stride + place
        is_whole = self.detail >= Detail.COPIES and crossbars.width > 1
        name = f"crossbars {first}-{first + crossbars.width - 1}" if is_whole else f"crossbar {first}"
        if self.detail is Detail.LAYERS and crossbars.count > 1:
            name += f", {crossbars.count} times every {crossbars.stride}"
        is_one = self.program.chip.weights is WeightMode.RELOADED
        return Track(0 if is_one else first // crossbars_per_tile(self.program.chip), 0, first, name)

    def on_units(self, unit: UnitWork) -> Iterator[Event]:
        """What is done for a tensor, on every tile that takes part."""
        tiles = unit.home.shares if unit.home else {MEMORY: 1.0}
        shares = unit.shares() if unit.home and self.detail < Detail.LAYERS else [(min(tiles), 1.0)]
        for tile, share in shares:
            ends_ns = unit.starts_ns + (unit.ends_ns - unit.starts_ns) * share
            start_ns, end_ns = float(unit.starts_ns[0]), float(ends_ns[-1])
            track = self._lane(tile, unit.kind, start_ns, end_ns)
            details: dict[str, Any] = {"tensor": unit.tensor, "layer": unit.layer}
            if self.detail is Detail.ROWS:
                for start, end, row in zip(unit.starts_ns.tolist(), ends_ns.tolist(), unit.rows.tolist(), strict=True):
                    yield Event(track, unit.tensor, unit.kind, start, end, details | {"row": row})
            else:
                details["busy_us"] = float((ends_ns - unit.starts_ns).sum()) / 1e3
                details |= {"tiles": len(tiles)} if self.detail is Detail.LAYERS else {}
                yield Event(track, unit.tensor, unit.kind, start_ns, end_ns, details)

    def _lane(self, tile: int, kind: Kind, start_ns: float, end_ns: float) -> Track:
        """The first track of a unit that is free; work comes in the order in which it begins."""
        taken = self.lanes.setdefault((tile, kind), [])
        number = next((number for number, until in enumerate(taken) if until <= start_ns), len(taken))
        taken[number : number + 1] = [end_ns]
        order = 1 + (kind is Kind.NETWORK)
        return Track(tile, order, number, f"{kind.value} {number + 1}" if number else kind.value)
