"""What the crossbars of one layer do: a product and its crossbars -> the instructions of a Program.

One chip -> two forms: blocks that are written in waves, or that lie where they were placed, each copy taking its turn.
"""

from cimspec.compiler.matrices import Matrices
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
from cimspec.compiler.slicing import Part, ceil_divide, input_steps
from cimspec.quant.ops import MatMul
from cimspec.spec.chip import Chip


def written_layer(op: MatMul, chip: Chip, crossbars: Crossbars) -> CrossbarLayer:
    """A layer whose blocks are written as they are needed, as many at a time as there are crossbars."""
    matrices = Matrices.of(chip, op)
    waves = []
    for first, stop, groups in matrices.runs():
        turns = turns_loop(matrices, groups, op.invocations)
        wave = Parallel(crossbars, (Write(first, stop), turns))
        waves.append(Loop("wave", 0, ceil_divide(stop - first, crossbars.total), (wave,)))
    return CrossbarLayer(op, matrices.bundle, None, (*waves, Accumulate()))


def placed_layer(op: MatMul, chip: Chip, place: Place) -> CrossbarLayer:
    """A layer whose blocks lie where they were placed."""
    matrices = Matrices.of(chip, op)
    turns = turns_loop(matrices, most_groups(matrices), ceil_divide(op.invocations, place.copies))
    return CrossbarLayer(op, matrices.bundle, None, (Parallel(place.crossbars, (turns,)), Accumulate()))


def turns_loop(matrices: Matrices, groups: int, turns: int) -> Loop:
    """Products one after the other, each in all its steps."""
    factors = tuple(part.factor for part in steps_of(matrices.op, matrices.chip))
    step: tuple[Instruction, ...] = (Read(groups), shift_add(matrices))
    return Loop("turn", 0, turns, (Loop("step", 0, len(factors), step),))


def shift_add(matrices: Matrices) -> ShiftAdd:
    """Factors of all slices and steps."""
    steps = tuple(part.factor for part in steps_of(matrices.op, matrices.chip))
    return ShiftAdd(tuple(part.factor for part in matrices.first.slices), steps)


def steps_of(op: MatMul, chip: Chip) -> tuple[Part, ...]:
    """The steps that a layer's codes are cut into."""
    return input_steps(chip, op.precision.activation_bits, op.signed)


def most_groups(matrices: Matrices) -> int:
    """Reads that a step takes where all blocks are read at once."""
    return max(groups for _, _, groups in matrices.runs())


def turn_ns(matrices: Matrices) -> float:
    """The time of one product where all blocks are read at once."""
    return len(steps_of(matrices.op, matrices.chip)) * most_groups(matrices) * matrices.chip.read_ns
