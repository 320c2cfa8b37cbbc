"""Execute a Program on a batch of inputs: what is reported is what the emitted schedule does.

Loops over waves and crossbars run as written; those over invocations and steps run at once, for the range they name.
Which block a crossbar holds is state that `write` changes and `read` uses. Needs neither the spec nor torch.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Block, Flips, Layout
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
from cimspec.compiler.slicing import Part, input_steps
from cimspec.quant.ops import Array, Constants, apply_vector, fold_pixels, windows
from cimspec.sim.adc import Converter
from cimspec.sim.block import Engine, Partial, block_columns, block_sums, unit_column
from cimspec.sim.mvm import add_partial, conversion_factors, new_total, row_converters

CHUNK = 100
"""Inputs executed at once, one such batch on each core; results depend on neither."""


def execute(
    program: Program,
    constants: Constants,
    inputs: npt.ArrayLike,
    *,
    engine: Engine = Engine.KERNEL,
    shortcut: bool = True,
    progress: Callable[[int], None] | None = None,
) -> npt.NDArray[np.float64]:
    """Real-valued outputs `[batch, outputs]` of real-valued `inputs` `[batch, *program.input_shape]`.

    `shortcut` computes blocks whose ADC loses nothing as plain products: same bits, less time.
    Raises `ValueError` for inputs of another shape or that are not finite.
    """
    images = np.asarray(inputs, dtype=np.float64)
    if images.shape[1:] != program.input_shape:
        raise ValueError(f"inputs have shape {images.shape[1:]}, the program reads {program.input_shape}")
    if not np.isfinite(images).all():
        raise ValueError("inputs are not all finite")
    chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    outputs: list[Array] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for output in pool.map(lambda chunk: _execute_chunk(program, constants, chunk, engine, shortcut), chunks):
            outputs.append(output)
            if progress:
                progress(sum(map(len, outputs)))
    return np.concatenate(outputs) if outputs else np.zeros((0, 0))


def _execute_chunk(program: Program, constants: Constants, images: Array, engine: Engine, shortcut: bool) -> Array:
    tensors: dict[str, Array] = {program.input: images}
    for item in program.items:
        if isinstance(item, CrossbarLayer):
            tensors[item.op.dst] = _LayerRun(program, item, constants, tensors[item.op.src], engine, shortcut).run()
        else:
            tensors[item.dst] = apply_vector(item, tensors, constants)
    return tensors[program.output]


@dataclass(slots=True)
class _LayerRun:
    """One crossbar layer on one batch. Mutable state: what crossbars hold, and the partial sums."""

    program: Program
    layer: CrossbarLayer
    constants: Constants
    codes: Array
    engine: Engine
    shortcut: bool
    layout: Layout = field(init=False)
    cells: Array = field(init=False)
    windows: Array = field(init=False)  # [batch, invocations, inputs]
    flipped: dict[range, Flips] = field(init=False)
    converters: dict[range, Converter] = field(init=False)
    steps: tuple[Part, ...] = field(init=False)
    held: dict[int, Block] = field(default_factory=dict)
    partials: dict[range, Partial] = field(default_factory=dict)  # by the rows that were read at once
    result: Array | None = None

    def __post_init__(self) -> None:
        op = self.layer.op
        self.layout = self.program.layout(self.layer)
        self.cells = self.layout.cells(self.constants[op.weights])
        narrow = self.codes.astype(np.int16)  # 8 bits at most, and a quarter of the memory to move
        self.windows = windows(narrow, op.window).reshape(len(self.codes), op.invocations, op.inputs)
        self.steps = input_steps(self.program.chip, op.precision.activation_bits, op.signed)
        self.flipped = self.layout.flipped(self.constants[op.weights])
        self.converters = row_converters(self.layout, self.layer.full_scale, self.steps)

    def run(self) -> Array:
        self._run(self.layer.body, wave=0, crossbar=0)
        if self.result is None:
            raise ValueError(f"layer {self.layer.name} is never accumulated")
        return self.result

    def _run(self, body: tuple[Instruction, ...], wave: int, crossbar: int) -> None:
        for instruction in body:
            match instruction:
                case Loop(variable="wave"):
                    for index in range(instruction.start, instruction.stop):
                        self._run(instruction.body, index, crossbar)
                case Parallel():
                    for index in range(instruction.crossbars):
                        self._run(instruction.body, wave, index)
                case Write():
                    self._write(instruction, wave, crossbar)
                case Loop(variable="invocation"):
                    self._invoke(instruction, crossbar)
                case Accumulate():
                    self.result = self._accumulate()
                case Loop() | Read() | ShiftAdd():
                    raise ValueError(f"layer {self.layer.name}: reads belong into a loop over invocations and steps")
                case _:
                    assert_never(instruction)

    def _write(self, write: Write, wave: int, crossbar: int) -> None:
        index = write.first + wave * self.program.chip.crossbars + crossbar
        self.held.pop(crossbar, None)
        if index < write.stop:
            self.held[crossbar] = self.layout.block(index)

    def _invoke(self, loop: Loop, crossbar: int) -> None:
        """All invocations of the loop at once, on the block that the crossbar holds; an idle crossbar does nothing."""
        match loop.body:
            case (Loop(variable="step", body=(Read(), ShiftAdd())) as step_loop,):
                pass
            case _:
                raise ValueError(f"layer {self.layer.name}: a loop over invocations holds a loop over steps")
        block = self.held.get(crossbar)
        if block is None:
            return
        steps = self.steps[step_loop.start : step_loop.stop]
        chosen = self.windows[:, loop.start : loop.stop]
        for rows in self.layout.row_groups(block.rows):
            columns = block_columns(self.layout, self.cells, rows, block.columns, self.flipped[rows])
            driven = chosen[..., self.layout.input_of_row(rows)].reshape(-1, len(rows))
            converter = self.converters[rows]
            sums = block_sums(self.engine, columns, driven, steps, converter, shortcut=self.shortcut)
            outputs = slice(columns.first_output, columns.first_output + columns.output_count)
            partial = self._partial(rows)[:, loop.start : loop.stop]
            partial[..., outputs] += sums.reshape(*partial.shape[:2], columns.output_count)
            if self.program.chip.crossbar.reads_unit_column and block.columns.stop == self.layout.columns:
                unit = block_sums(self.engine, unit_column(rows), driven, steps, converter, shortcut=self.shortcut)
                partial += unit.reshape(*partial.shape[:2], 1) * self.layout.unit_factors(self.flipped[rows])

    def _partial(self, rows: range) -> Partial:
        if rows not in self.partials:
            shape = (len(self.codes), self.layer.op.invocations, self.layer.op.outputs)
            self.partials[rows] = np.zeros(shape, np.int64)
        return self.partials[rows]

    def _accumulate(self) -> Array:
        op = self.layer.op
        total: npt.NDArray[Any] = new_total(self.converters, len(self.codes) * op.invocations, op.outputs)
        for rows in sorted(self.partials, key=lambda group: group.start):
            converter = self.converters[rows]
            factors = conversion_factors(self.layout, self.flipped[rows], self.steps, converter)
            add_partial(total, self.partials[rows].reshape(total.shape), converter, factors)
        if self.layout.offset and not self.program.chip.crossbar.reads_unit_column:
            sums = self.windows.astype(np.int64).sum(axis=2).reshape(-1, 1)
            total -= self.layout.offset * sums
        return fold_pixels(total + self.constants[op.bias], len(self.codes), op.shape)
