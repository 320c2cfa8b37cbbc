"""Schedule an integer network on a chip: from its operations to a Program.

Reloaded weights: every layer's blocks are written and read in waves of as many as the chip has crossbars
(arXiv 2601.21737: `ceil(blocks/N) * (write + invocations * steps * read)`; the blocks of all groups or heads of a layer
share its waves). Resident weights: `resident.py`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from cimspec.compiler.body import written_layer
from cimspec.compiler.program import Buffer, CrossbarLayer, Crossbars, Program, ProgramItem, Segment, operation
from cimspec.compiler.resident import resident_segments
from cimspec.graph.graph import Graph
from cimspec.graph.precision import Policy
from cimspec.quant.lower import Lowered, lower
from cimspec.quant.ops import MatMul, Tensor, sources
from cimspec.spec.chip import Chip, WeightMode


def compile_program(graph: Graph, policy: Policy, chip: Chip) -> Program:
    """The schedule of `graph` (batch normalization folded) under `policy` on `chip`. Needs shapes only, no weights."""
    return schedule(graph.name, lower(graph, policy), chip)


def schedule(name: str, lowered: Lowered, chip: Chip) -> Program:
    """The schedule of an integer network on `chip`."""
    match chip.weights:
        case WeightMode.RELOADED:
            crossbars = Crossbars(0, chip.crossbars)
            items = tuple(written_layer(op, chip, crossbars) if isinstance(op, MatMul) else op for op in lowered.ops)
            segments: tuple[Segment, ...] = (Segment((), items),)
        case WeightMode.RESIDENT:
            segments = resident_segments(lowered.ops, chip)
        case _:
            assert_never(chip.weights)
    return Program(name, chip, buffers(lowered.tensors, (item for each in segments for item in each.items)), segments)


def buffers(tensors: tuple[Tensor, ...], items: Iterable[ProgramItem]) -> tuple[Buffer, ...]:
    """Every tensor with the number of its reads; the output is read once, from outside."""
    reads = Counter(name for item in items for name in sources(operation(item)))
    reads[tensors[-1].name] += 1
    return tuple(Buffer(tensor, reads[tensor.name]) for tensor in tensors)


def with_full_scales(program: Program, full_scales: dict[str, float]) -> Program:
    """The program with its ADC ranges set to calibrated ones, by layer name."""

    def scaled(item: ProgramItem) -> ProgramItem:
        if isinstance(item, CrossbarLayer) and item.name in full_scales:
            return replace(item, full_scale=full_scales[item.name])
        return item

    segments = tuple(replace(each, items=tuple(map(scaled, each.items))) for each in program.segments)
    return replace(program, segments=segments)
