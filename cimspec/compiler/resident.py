"""Resident weights: operations of an integer network and a chip -> segments, each with its weights in place.

Layers are placed in execution order, on as few segments as hold them all; where several cuts do, the one whose
segments' pipelines take the least time together. Within a segment spare crossbars hold copies of the layers that bound
its pipeline (`copies.py`). Layers with as many copies are a team: their copies lie side by side, the first of each, the
second of each and so on, so that a tile holds a bit of all. What they send and receive is then spread evenly, and the
sum of two layers of a team is made where both are. A layer that is larger than the chip has a segment
of its own and is written in waves. Products of two activations run on the digital unit, or on crossbars set aside that
are written for each input.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cimspec.compiler.body import placed_layer, turn_ns, written_layer
from cimspec.compiler.copies import Load, choose_copies, fluid_interval
from cimspec.compiler.matrices import Matrices
from cimspec.compiler.program import Crossbars, Place, ProgramItem, Segment
from cimspec.quant.ops import IntegerOp, MatMul
from cimspec.spec.chip import Attention, Chip


@dataclass(frozen=True, slots=True)
class Placed:
    """A product that takes crossbars, and where it stands among the operations."""

    position: int
    matrices: Matrices

    @property
    def crossbars(self) -> int:
        """Crossbars that it takes at least."""
        return min(self.matrices.blocks, self.matrices.chip.crossbars)

    @property
    def is_written(self) -> bool:
        """Whether it is written as it is needed: what moves, and what is larger than the chip."""
        return self.matrices.op.moving or self.matrices.blocks > self.matrices.chip.crossbars

    @property
    def load(self) -> Load:
        """What it asks of a pipeline. What is written for each input has no copies: one turn stands for all."""
        op, chip = self.matrices.op, self.matrices.chip
        turn = turn_ns(self.matrices)
        if self.is_written:
            waves = -(-self.matrices.blocks // self.crossbars)
            return Load(self.crossbars, 1, waves * (chip.crossbar.write_latency_ns + op.invocations * turn))
        return Load(self.crossbars, op.invocations, turn)


def resident_segments(ops: Sequence[IntegerOp], chip: Chip) -> tuple[Segment, ...]:
    """The segments of a network."""
    placed = [
        Placed(position, Matrices.of(chip, op))
        for position, op in enumerate(ops)
        if isinstance(op, MatMul) and not (op.moving and chip.attention is Attention.DIGITAL)
    ]
    if not placed:
        return (Segment((), tuple(ops)),)
    cuts = [0, *cut(placed, chip.crossbars)[1:-1], len(placed)]
    starts = [0, *(placed[index].position for index in cuts[1:-1]), len(ops)]
    return tuple(
        _segment(ops[start:stop], placed[first:last], start, chip)
        for (first, last), (start, stop) in zip(pairwise(cuts), pairwise(starts), strict=True)
    )


def cut(placed: Sequence[Placed], crossbars: int) -> tuple[int, ...]:
    """Where segments begin, and the end of the last: as few as can be, of these the fastest together (see above).

    Dynamic programming over the first layers; a segment's time is its pipeline's fluid bound.
    """
    if sum(each.crossbars for each in placed) <= crossbars:
        return 0, len(placed)
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)]  # segments, time, where the last one begins
    for stop in range(1, len(placed) + 1):
        candidates = []
        taken = 0
        for start in range(stop - 1, -1, -1):
            taken += placed[start].crossbars
            if taken > crossbars:
                break
            segments, time_ns, _ = best[start]
            candidates.append((segments + 1, start, time_ns))
        fewest = min(segments for segments, _, _ in candidates)
        best.append(
            min(
                (segments, time_ns + fluid_interval([each.load for each in placed[start:stop]], crossbars), start)
                for segments, start, time_ns in candidates
                if segments == fewest
            )
        )
    found = [len(placed)]
    while found[-1]:
        found.append(best[found[-1]][2])
    return tuple(reversed(found))


def _segment(ops: Sequence[IntegerOp], placed: Sequence[Placed], start: int, chip: Chip) -> Segment:
    """One segment: teams of layers from the first crossbar on, in the order of their first layers."""
    counts = _copies(placed, chip)
    places: list[Place] = []
    items: list[ProgramItem] = list(ops)
    first = 0
    for copies in dict.fromkeys(counts):
        team = [each for each, count in zip(placed, counts, strict=True) if count == copies]
        stride = sum(each.crossbars for each in team)
        offset = first
        for each in team:
            op, crossbars = each.matrices.op, Crossbars(offset, each.crossbars, copies, stride if copies > 1 else 0)
            offset += each.crossbars
            if each.is_written:
                items[each.position - start] = written_layer(op, chip, crossbars)
            else:
                place = Place(op.layer, crossbars)
                places.append(place)
                items[each.position - start] = placed_layer(op, chip, place)
        first += copies * stride
    return Segment(tuple(places), tuple(items))


def _copies(placed: Sequence[Placed], chip: Chip) -> tuple[int, ...]:
    if not chip.copies:
        return (1,) * len(placed)
    return choose_copies([each.load for each in placed], chip.crossbars).counts
