"""One layer's products on its chip: sets of rows, each converted apart, and what is added up from them.

Layout, cells and ADC range -> ProductLayer -> products of input vectors, by the compiled kernels or in numpy. Sets of
rows are taken in row order, and chunks of vectors are independent of each other, so results depend neither on threads
nor on how many vectors come at once.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Block, Layout
from cimspec.compiler.slicing import Part, largest_input
from cimspec.sim.adc import Converter
from cimspec.sim.device import programmed_cells, read_noise_levels
from cimspec.sim.kernel_rows import LARGEST_CODE, MOST, KernelRows, NumpyRows, PlainRows, kernel_rows, plain_rows
from cimspec.sim.packing import FEWEST_LOOKED_UP, instruction_set
from cimspec.sim.planes import Plane, block_planes, unit_plane
from cimspec.sim.random import Purpose, stream_key
from cimspec.sim.row_set import Inputs, Noise, RowSet

IntArray = npt.NDArray[Any]
Rows = NumpyRows | KernelRows

CHUNK_PRODUCTS = 1 << 16
"""Products of a chunk of vectors, about: sums of so many stay in the second-level cache."""

FEWEST_VECTORS, MOST_VECTORS = 64, 512
"""In a chunk."""


class Engine(StrEnum):
    """Who computes products."""

    KERNEL = "kernel"
    REFERENCE = "reference"


@dataclass(frozen=True, eq=False)
class ProductLayer:
    """A layer whose cells are programmed. Any thread may use it."""

    layout: Layout
    steps: tuple[Part, ...]
    row_sets: tuple[RowSet, ...]
    off_level: float  # what an empty cell adds to a column's sum, in levels
    _prepared: dict[tuple[bool, bool], tuple[Rows, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        layout: Layout,
        weights: IntArray,
        steps: tuple[Part, ...],
        full_scale: float | None,
        *,
        blocks: Sequence[Block] | None = None,
        seed: int = 0,
        layer: int = 0,
    ) -> "ProductLayer":
        """Program weights `[outputs, inputs]`: all of them, or those of some `blocks` of the layout.

        `seed` and `layer` key what devices draw.
        """
        device = layout.chip.device
        programmed = programmed_cells(layout, weights, device, seed=seed, layer=layer)
        flipped = layout.flipped(weights)
        noise = _noise(layout, seed, layer)
        row_sets = []
        for rows in layout.row_sets():
            columns = [range(layout.columns)] if blocks is None else _columns(blocks, rows)
            planes: list[Plane] = []
            for part in columns:
                planes += block_planes(layout, programmed.values, flipped[rows], rows, part)
            if not planes:
                continue
            reads_unit = layout.chip.crossbar.reads_unit_column and columns[-1].stop == layout.columns
            row_sets.append(
                RowSet(
                    rows,
                    layout.input_of_row(rows),
                    tuple(planes),
                    unit_plane(layout, programmed.values, rows) if reads_unit else None,
                    layout.unit_factors(flipped[rows]) if reads_unit else np.zeros(layout.outputs, np.int64),
                    Converter.of(layout.chip, full_scale, rows=len(rows), steps=steps),
                    steps,
                    programmed.fraction_bits,
                    noise,
                )
            )
        return cls(layout, steps, tuple(row_sets), programmed.off_level)

    @property
    def is_integer(self) -> bool:
        """Whether products are integers."""
        integers = all(row_set.converter.values_are_integers for row_set in self.row_sets)
        return integers and not self._off_factors.any()

    def products(
        self, inputs: Inputs, *, engine: Engine = Engine.KERNEL, shortcut: bool = True, threads: int = 1
    ) -> IntArray:
        """Products `[vectors, outputs]`, int64 or float64.

        `shortcut` computes rows whose ADC loses nothing as plain products: the same bits, in less time.
        """
        vectors = len(inputs.origins)
        total = np.zeros((vectors, self.layout.outputs), np.int64 if self.is_integer else np.float64)
        instructions = instruction_set() if engine is Engine.KERNEL else ""
        rows = self._rows(engine, shortcut, instructions, vectors)

        def run(chunk: slice) -> None:
            own = inputs.part(chunk)
            for each in rows:
                each.add(instructions, own, total[chunk])
            self._take_offsets_off(own, total[chunk])

        size = max(FEWEST_VECTORS, min(MOST_VECTORS, CHUNK_PRODUCTS // self.layout.outputs // 64 * 64))
        chunks = [slice(start, min(vectors, start + size)) for start in range(0, vectors, size)]
        if threads < 2 or len(chunks) < 2:
            for chunk in chunks:
                run(chunk)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(run, chunks))
        return total

    def _rows(self, engine: Engine, shortcut: bool, instructions: str, vectors: int) -> tuple[Rows, ...]:
        if engine is Engine.REFERENCE:
            return tuple(map(NumpyRows, self.row_sets))
        kind = shortcut, vectors >= FEWEST_LOOKED_UP
        if kind not in self._prepared:
            self._prepared[kind] = (
                self._fastest(instructions, vectors)
                if shortcut
                else tuple(_converted(row_set, instructions, vectors) for row_set in self.row_sets)
            )
        return self._prepared[kind]

    def _fastest(self, instructions: str, vectors: int) -> tuple[Rows, ...]:
        """Rows as plain products where that loses nothing; where all products are integers these are one."""
        rows: list[Rows] = []
        waiting: PlainRows | None = None
        for row_set in self.row_sets:
            plain = plain_rows(row_set)
            if plain is None or plain.largest(self.steps) > MOST or largest_input(self.steps) > LARGEST_CODE:
                rows.append(_converted(row_set, instructions, vectors))
            elif not self.is_integer:
                rows.append(plain.compiled(instructions, self.steps, vectors))
            elif waiting and waiting.joined(plain).largest(self.steps) <= MOST:
                waiting = waiting.joined(plain)
            else:
                rows += [waiting.compiled(instructions, self.steps, vectors)] if waiting else []
                waiting = plain
        rows += [waiting.compiled(instructions, self.steps, vectors)] if waiting else []
        return tuple(rows)

    @property
    def _off_factors(self) -> npt.NDArray[np.float64]:
        """What off cells add to each output for each unit of the sum of inputs, where it does not cancel."""
        if self.layout.chip.converts_differences or self.layout.columns_per_slice == 2:
            return np.zeros(self.layout.outputs)
        factors = self.layout.column_factors()[: self.layout.columns_per_output].sum()
        return np.full(self.layout.outputs, self.off_level * factors)

    def _take_offsets_off(self, inputs: Inputs, total: IntArray) -> None:
        """The sum of inputs, computed digitally, times what weights and off cells have too much."""
        offset = 0 if self.layout.chip.crossbar.reads_unit_column else self.layout.offset
        off = self._off_factors
        if not offset and not off.any():
            return
        sums = inputs.driven(np.arange(self.layout.inputs)).sum(axis=1, keepdims=True)
        total -= sums * (offset if self.is_integer else offset + off)


def threads_of_machine() -> int:
    """How many threads run at once."""
    return os.cpu_count() or 1


def _converted(row_set: RowSet, instructions: str, vectors: int) -> Rows:
    return kernel_rows(row_set, instructions, vectors) or NumpyRows(row_set)


def _columns(blocks: Sequence[Block], rows: range) -> list[range]:
    """The columns of the blocks that hold these rows, in order."""
    found = [block.columns for block in blocks if block.rows.start <= rows.start and rows.stop <= block.rows.stop]
    return sorted(found, key=lambda columns: columns.start)


def _noise(layout: Layout, seed: int, layer: int) -> Noise | None:
    levels = read_noise_levels(layout.chip.device, layout.chip)
    if not levels:
        return None
    # Columns that are subtracted before the ADC each bring their own noise.
    doubled = 2**0.5 if layout.subtracts_columns else 1.0
    return Noise(levels * doubled, stream_key(seed, layer, Purpose.READ))
