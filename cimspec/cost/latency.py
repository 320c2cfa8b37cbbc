"""Time of a layer's instructions: the sum over them, loops multiplied out (the model of arXiv 2601.21737).

A write takes the chip's write time, a read its `read_ns`; crossbars that run in parallel count once. With reloaded
weights this is `ceil(blocks/N) * (write + invocations * steps * read)` for each layer.
"""

from typing import assert_never

from cimspec.compiler.program import Accumulate, Instruction, Loop, Parallel, Read, ShiftAdd, Write
from cimspec.spec.chip import Chip


def body_ns(chip: Chip, body: tuple[Instruction, ...]) -> float:
    """Time that the crossbars of a layer take."""
    writes, reads = _count(body)
    return writes * chip.crossbar.write_latency_ns + reads * chip.read_ns


def _count(body: tuple[Instruction, ...]) -> tuple[int, int]:
    """Writes and reads that follow each other, loops multiplied out."""
    writes = reads = 0
    for instruction in body:
        match instruction:
            case Loop():
                turns = instruction.stop - instruction.start
                inner_writes, inner_reads = _count(instruction.body)
                writes += turns * inner_writes
                reads += turns * inner_reads
            case Parallel():
                inner_writes, inner_reads = _count(instruction.body)
                writes += inner_writes
                reads += inner_reads
            case Write():
                writes += 1
            case Read():
                reads += instruction.groups
            case ShiftAdd() | Accumulate():
                pass
            case _:
                assert_never(instruction)
    return writes, reads
