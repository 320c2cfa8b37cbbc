"""Prove that a layer's instructions make its product: every block in its place, read in all turns and all steps.

Raises `WrongError` at the first instruction that does not; `verify.py` says so to the user.
"""

from dataclasses import dataclass

from cimspec.compiler.body import most_groups, shift_add
from cimspec.compiler.matrices import Matrices
from cimspec.compiler.printer import print_crossbars
from cimspec.compiler.program import (
    Accumulate,
    CrossbarLayer,
    Crossbars,
    Instruction,
    Loop,
    Parallel,
    Place,
    Read,
    ShiftAdd,
    Write,
)
from cimspec.compiler.slicing import ceil_divide
from cimspec.quant.ops import MatMul


class WrongError(Exception):
    """An instruction does not do what it should; the message says which and why."""


def check_layer(matrices: Matrices, layer: CrossbarLayer, place: Place | None) -> None:
    """Raise `WrongError` unless the layer's body makes its product, of weights that are placed or written."""
    check = _Layer(matrices, layer)
    check.check_bundle()
    if place is None:
        check.check_written()
    else:
        check.check_placed(place)


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer's instructions, against what its matrices need."""

    matrices: Matrices
    layer: CrossbarLayer

    @property
    def op(self) -> MatMul:
        return self.layer.op

    def _wrong(self, message: str) -> WrongError:
        return WrongError(f"`{self.layer.name}` {message}")

    def check_bundle(self) -> None:
        """A matrix of several groups lies in one crossbar."""
        bundle = self.layer.bundle
        if not 1 <= bundle <= self.op.matrices:
            raise self._wrong(f"bundles {bundle} of {self.op.matrices} matrices")
        if bundle > 1 and (self.op.moving or self.matrices.first.blocks != 1):
            raise self._wrong(f"bundles {bundle} matrices, which no crossbar holds")

    def check_placed(self, place: Place) -> None:
        """Weights that were placed before: all copies take their turns."""
        if self.op.moving:
            raise self._wrong("is placed, but its weights move")
        self._check_crossbars(place.crossbars)
        if place.crossbars.width != self.matrices.blocks:
            raise self._wrong(f"has {self.matrices.blocks} blocks, each copy {place.crossbars.width} crossbars")
        match self.layer.body:
            case (Parallel(crossbars, (Loop() as turns,)), Accumulate()):
                pass
            case _:
                raise self._wrong("does not read its crossbars in turns, then accumulate")
        if crossbars != place.crossbars:
            read, written = print_crossbars(crossbars), print_crossbars(place.crossbars)
            raise self._wrong(f"reads crossbars {read}, and is placed on {written}")
        self._check_turns(turns, ceil_divide(self.op.invocations, place.copies), most_groups(self.matrices))

    def check_written(self) -> None:
        """Weights that are written in waves: every block once, read before the next one takes its place."""
        *waves, last = self.layer.body or (None,)
        if not isinstance(last, Accumulate) or not waves:
            raise self._wrong("does not write and read in waves, then accumulate")
        end = 0
        for first, stop in sorted(self._check_wave(wave) for wave in waves):
            if first != end:
                raise self._wrong(f"writes block {min(first, end)} {'twice' if first < end else 'never'}")
            end = stop
        if end != self.matrices.blocks:
            raise self._wrong(f"writes {end} blocks, and has {self.matrices.blocks}")

    def _check_wave(self, wave: Instruction | None) -> tuple[int, int]:
        """One loop over waves; the blocks it writes."""
        match wave:
            case Loop("wave", 0, count, (Parallel(crossbars, (Write(first, stop), Loop() as turns)),)):
                pass
            case _:
                raise self._wrong("does not write in waves and read each of them in turns")
        self._check_crossbars(crossbars)
        if crossbars.count != 1:
            raise self._wrong("is written, and has copies")
        if crossbars != self.layer.crossbars:
            first_ones, others = print_crossbars(self.layer.crossbars), print_crossbars(crossbars)
            raise self._wrong(f"is written on crossbars {first_ones}, then on {others}")
        if not 0 <= first < stop <= self.matrices.blocks:
            raise self._wrong(f"has {self.matrices.blocks} blocks, not {first}..{stop}")
        if count != ceil_divide(stop - first, crossbars.total):
            raise self._wrong(f"writes {stop - first} blocks in {count} waves of {crossbars.total}")
        self._check_turns(turns, self.op.invocations, self._groups(first, stop))
        return first, stop

    def _check_crossbars(self, own: Crossbars) -> None:
        """They are on the chip, and copies have their own."""
        is_apart = own.stride >= own.width if own.count > 1 else own.stride == 0
        if own.first < 0 or own.width < 1 or own.count < 1 or not is_apart:
            raise self._wrong(f"has no crossbars, or copies that overlap: {print_crossbars(own)}")
        if own.stop > self.matrices.chip.crossbars:
            raise self._wrong(f"is on crossbars {print_crossbars(own)}, the chip has {self.matrices.chip.crossbars}")

    def _groups(self, first: int, stop: int) -> int:
        """Reads that a step of these blocks takes."""
        return max(groups for start, end, groups in self.matrices.runs() if start < stop and first < end)

    def _check_turns(self, loop: Loop, turns: int, groups: int) -> None:
        expected = shift_add(self.matrices)
        match loop:
            case Loop("turn", 0, found_turns, (Loop("step", 0, steps, (Read(found_groups), ShiftAdd() as adds)),)):
                pass
            case _:
                raise self._wrong("does not read in a loop over turns and steps, and add what it reads")
        if found_turns != turns:
            raise self._wrong(f"takes {found_turns} turns, and needs {turns}")
        if steps != len(expected.steps):
            raise self._wrong(f"takes {steps} steps, and needs {len(expected.steps)}")
        if found_groups != groups:
            raise self._wrong(f"takes {found_groups} reads for a step, and needs {groups}")
        if adds != expected:
            found = f"slices {adds.slices} and steps {adds.steps}"
            raise self._wrong(f"adds with {found}, not with {expected.slices} and {expected.steps}")
