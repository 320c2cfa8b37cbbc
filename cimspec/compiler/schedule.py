"""Schedule an integer network on a chip: from its operations to a Program.

Reloaded weights: every layer's blocks are written and read in waves of as many as the chip has crossbars
(arXiv 2601.21737: `ceil(blocks/N) * (write + invocations * steps * read)`).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from cimspec.compiler.layout import Layout
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
from cimspec.graph.graph import Graph
from cimspec.graph.precision import Policy
from cimspec.quant.lower import lower
from cimspec.quant.ops import MatMul
from cimspec.spec.chip import Chip, WeightMode


def compile_program(graph: Graph, policy: Policy, chip: Chip) -> Program:
    """The schedule of `graph` (batch normalization folded) under `policy` on `chip`. Needs shapes only, no weights."""
    items = tuple(schedule_layer(op, chip) if isinstance(op, MatMul) else op for op in lower(graph, policy))
    return Program(graph.name, chip, graph.layers[0].name, graph.input_shape, items)


def schedule_layer(op: MatMul, chip: Chip) -> CrossbarLayer:
    """The schedule of one product."""
    match chip.weights:
        case WeightMode.RELOADED:
            return CrossbarLayer(op, None, (*_waves(op, chip), Accumulate()))
        case _:
            assert_never(chip.weights)


def _waves(op: MatMul, chip: Chip) -> Iterator[Loop]:
    layout = Layout(chip, op.inputs, op.outputs, op.precision.weight_bits)
    steps = len(input_steps(chip, op.precision.activation_bits, op.signed))
    for first, stop, groups in _runs(layout):
        step: tuple[Instruction, ...] = (Read(groups), ShiftAdd())
        invocation = Loop("invocation", 0, op.invocations, (Loop("step", 0, steps, step),))
        wave = Parallel(chip.crossbars, (Write(first, stop), invocation))
        yield Loop("wave", 0, ceil_divide(stop - first, chip.crossbars), (wave,))


def _runs(layout: Layout) -> Iterator[tuple[int, int, int]]:
    """Runs of blocks that take the same number of reads: (first, stop, reads). Only the last row of blocks differs."""
    full = _groups(layout, 0)
    last = _groups(layout, layout.blocks - 1)
    if full == last:
        yield 0, layout.blocks, full
    else:
        tail = layout.blocks - layout.column_blocks
        yield 0, tail, full
        yield tail, layout.blocks, last


def _groups(layout: Layout, block: int) -> int:
    return ceil_divide(len(layout.block(block).rows), layout.chip.active_rows)


def with_full_scales(program: Program, full_scales: dict[str, float]) -> Program:
    """The program with its ADC ranges set to calibrated ones, by layer name."""
    items = tuple(
        replace(item, full_scale=full_scales[item.name])
        if isinstance(item, CrossbarLayer) and item.name in full_scales
        else item
        for item in program.items
    )
    return replace(program, items=items)
