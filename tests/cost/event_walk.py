"""Counts events by doing a Program's instructions one by one: every wave, turn, step, crossbar and set of rows.

Crossbars hold what was written into them last; those that hold nothing, and copies that have no pixel left, stay idle.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain

from cimspec.compiler.matrices import Matrices
from cimspec.compiler.program import CrossbarLayer, Instruction, Loop, Parallel, Program, Read, Write
from cimspec.spec.chip import AdcConversion, Encoding, Subtraction


@dataclass
class Walk:
    """One layer, for one input. `held` is what each crossbar holds: a block, and of which copy."""

    matrices: Matrices
    held: dict[int, tuple[int, int]]
    copies: int
    events: Counter[str] = field(default_factory=Counter)
    variables: dict[str, int] = field(default_factory=dict)
    is_last_step: bool = False
    active: tuple[int, ...] = ()
    sets: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    def do(self, body: tuple[Instruction, ...]) -> None:
        for instruction in body:
            match instruction:
                case Loop():
                    self.repeat(instruction)
                case Parallel(crossbars, inner):
                    self.active = tuple(chain.from_iterable(crossbars.ranges))
                    self.do(inner)
                case Write(first, stop):
                    self.write(first, stop)
                case Read(groups):
                    for crossbar in self.active:
                        if crossbar in self.held:
                            self.read(*self.held[crossbar], groups)

    def repeat(self, loop: Loop) -> None:
        for value in range(loop.start, loop.stop):
            self.variables[loop.variable] = value
            self.is_last_step = loop.variable == "step" and value == loop.stop - 1
            self.do(loop.body)

    def write(self, first: int, stop: int) -> None:
        for place, crossbar in enumerate(self.active):
            block = first + self.variables["wave"] * len(self.active) + place
            self.held.pop(crossbar, None)
            if block < stop:
                self.held[crossbar] = (block, 0)
                self.events["writes"] += 1

    def read(self, block: int, copy: int, groups: int) -> None:
        """One step of one crossbar: its sets of active rows one after the other."""
        if self.variables["turn"] * self.copies + copy >= self.matrices.op.invocations:
            return
        for group in range(groups):
            key = (block, group)
            rows, converted = self.sets[key] if key in self.sets else self.sets.setdefault(key, self.one_set(*key))
            if rows:
                self.events["reads"] += 1
                self.events["row_drives"] += rows
                if self.matrices.chip.adc.conversion is AdcConversion.PER_STEP or self.is_last_step:
                    self.events["conversions"] += converted

    def one_set(self, index: int, group: int) -> tuple[int, int]:
        """Rows that are driven, and sums that are converted, row by row and column by column."""
        chip = self.matrices.chip
        matrix, block = self.matrices.block(index)
        converted = set()
        for column in block.columns:
            is_unit = chip.crossbar.encoding is Encoding.OFFSET and column == self.matrices.layout(matrix).columns - 1
            if not is_unit or chip.crossbar.unit_column:
                converted.add(column // 2 if chip.adc.subtraction is Subtraction.BEFORE_ADC else column)
        rows = [row for row in block.rows if (row - block.rows.start) // chip.active_rows == group]
        return len(rows), len(converted)


def walked_events(program: Program) -> dict[str, Counter[str]]:
    """What each layer on crossbars does for one input, and as `programmed` the writes before it."""
    found = {}
    for segment in program.segments:
        places = {place.layer: place.crossbars for place in segment.places}
        for item in segment.items:
            if isinstance(item, CrossbarLayer):
                ranges = places[item.name].ranges if item.name in places else ()
                held = {
                    crossbar: (block, copy)
                    for copy, crossbars in enumerate(ranges)
                    for block, crossbar in enumerate(crossbars)
                }
                walk = Walk(program.matrices(item), held, max(1, len(ranges)))
                walk.events["programmed"] = len(held)
                walk.do(item.body)
                found[item.name] = walk.events
    return found
