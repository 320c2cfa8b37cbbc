"""Follow a layer's schedule: which blocks its crossbars hold when they are read.

Waves and crossbars are walked as written; which block a crossbar holds is state that `write` changes and `read` uses.
Every read must be for all invocations and all input steps, since partial sums are not kept between reads.
"""

from dataclasses import dataclass, field
from typing import assert_never

from cimspec.compiler.layout import Block, Layout
from cimspec.compiler.program import (
    Accumulate,
    CrossbarLayer,
    Instruction,
    Loop,
    Parallel,
    Program,
    Read,
    ShiftAdd,
    Write,
)
from cimspec.compiler.slicing import ceil_divide, input_steps


def blocks_read(program: Program, layer: CrossbarLayer) -> tuple[Block, ...]:
    """The blocks of a layer that are read, in the order of the schedule.

    Raises `ValueError` where the schedule reads part of the inputs, or what it reads is never accumulated.
    """
    walk = _Walk(program, layer)
    walk.follow(layer.body, wave=0, crossbar=0)
    if not walk.is_accumulated:
        raise ValueError(f"layer {layer.name} is never accumulated")
    return tuple(walk.read)


@dataclass(slots=True)
class _Walk:
    """Mutable state: what crossbars hold, and what was read so far."""

    program: Program
    layer: CrossbarLayer
    layout: Layout = field(init=False)
    held: dict[int, Block] = field(default_factory=dict)
    read: list[Block] = field(default_factory=list)
    is_accumulated: bool = False

    def __post_init__(self) -> None:
        self.layout = self.program.layout(self.layer)

    def follow(self, body: tuple[Instruction, ...], wave: int, crossbar: int) -> None:
        for instruction in body:
            match instruction:
                case Loop(variable="wave"):
                    for index in range(instruction.start, instruction.stop):
                        self.follow(instruction.body, index, crossbar)
                case Parallel():
                    for index in range(instruction.crossbars):
                        self.follow(instruction.body, wave, index)
                case Write():
                    self._write(instruction, wave, crossbar)
                case Loop(variable="invocation"):
                    self._read(instruction, crossbar)
                case Accumulate():
                    self.is_accumulated = True
                case Loop() | Read() | ShiftAdd():
                    raise ValueError(f"layer {self.layer.name}: reads belong into a loop over invocations and steps")
                case _:
                    assert_never(instruction)

    def _write(self, write: Write, wave: int, crossbar: int) -> None:
        index = write.first + wave * self.program.chip.crossbars + crossbar
        self.held.pop(crossbar, None)
        if index < write.stop:
            self.held[crossbar] = self.layout.block(index)

    def _read(self, loop: Loop, crossbar: int) -> None:
        """A crossbar that holds nothing stays idle."""
        op, name = self.layer.op, self.layer.name
        steps = len(input_steps(self.program.chip, op.precision.activation_bits, op.signed))
        match loop.body:
            case (Loop(variable="step", body=(Read(groups), ShiftAdd())) as step_loop,):
                pass
            case _:
                raise ValueError(f"layer {name}: a loop over invocations holds a loop over steps")
        if (loop.start, loop.stop) != (0, op.invocations):
            raise ValueError(f"layer {name}: invocations {loop.start}..{loop.stop} are not all of 0..{op.invocations}")
        if (step_loop.start, step_loop.stop) != (0, steps):
            raise ValueError(f"layer {name}: steps {step_loop.start}..{step_loop.stop} are not all of 0..{steps}")
        if crossbar in self.held:
            block = self.held[crossbar]
            if groups < ceil_divide(len(block.rows), self.program.chip.active_rows):
                raise ValueError(f"layer {name}: {groups} reads do not reach all {len(block.rows)} rows")
            self.read.append(block)
