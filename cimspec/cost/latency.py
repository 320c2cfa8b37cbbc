"""Latency of a Program: the sum over its instructions, loops multiplied out (the model of arXiv 2601.21737).

A write takes the chip's write time, a read its read time; crossbars that run in parallel count once; digital work is
not charged. With reloaded weights this is `ceil(blocks/N) * (write + invocations * steps * read)` for each layer.
"""

from dataclasses import dataclass
from typing import assert_never

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
from cimspec.graph.precision import Policy, Precision


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What one layer takes."""

    name: str
    precision: Precision
    crossbars: int  # blocks of the layer, each on a crossbar of its own
    latency_ns: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What one input takes, layer by layer in execution order."""

    layers: tuple[LayerCost, ...]

    @property
    def latency_ns(self) -> float:
        """Time from input to output."""
        return sum(layer.latency_ns for layer in self.layers)

    @property
    def policy(self) -> Policy:
        """The policy that was costed."""
        return Policy.of({layer.name: layer.precision for layer in self.layers})


def program_cost(program: Program) -> Cost:
    """Latency and crossbars of every layer of `program`."""
    return Cost(tuple(layer_cost(program, layer) for layer in program.layers))


def layer_cost(program: Program, layer: CrossbarLayer) -> LayerCost:
    """Latency and crossbars of one layer."""
    writes, reads = _count(layer.body)
    crossbar = program.chip.crossbar
    latency_ns = writes * crossbar.write_latency_ns + reads * crossbar.read_latency_ns
    return LayerCost(layer.name, layer.op.precision, program.layout(layer).blocks, latency_ns)


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
