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
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Block, Layout
from cimspec.compiler.slicing import Part
from cimspec.sim.adc import Converter
from cimspec.sim.device import programmed_cells, read_noise_levels
from cimspec.sim.kernel_rows import KernelRows, NumpyRows, Rows
from cimspec.sim.packing import FEWEST_LOOKED_UP, instruction_set
from cimspec.sim.planes import Plane, block_planes, unit_plane
from cimspec.sim.prepare import prepared_rows
from cimspec.sim.random import Purpose, stream_key
from cimspec.sim.row_set import Inputs, Noise, RowSet

IntArray = npt.NDArray[Any]

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
    idle_inputs: npt.NDArray[np.int64]  # those of rows that nothing reads
    off_level: float  # what an empty cell adds to a column's sum, in levels
    _prepared: dict[tuple[bool, bool], tuple[Rows, ...]] = field(default_factory=dict)
    _preparing: Lock = field(default_factory=Lock)

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
        coarse: bool = False,
    ) -> "ProductLayer":
        """Program weights `[outputs, inputs]`: all of them, or those of some `blocks` of the layout.

        `seed` and `layer` key what devices draw; `coarse` rounds cells to fewer bits (device.py).
        """
        device = layout.chip.device
        flipped = layout.flipped(weights)  # before cells are held, as it makes them for itself
        programmed = programmed_cells(layout, weights, device, seed=seed, layer=layer, coarse=coarse)
        cells = programmed.values
        noise = _noise(layout, seed, layer)
        row_sets = []
        idle = [np.zeros(0, np.int64)]
        for rows in layout.row_sets():
            columns = [range(layout.columns)] if blocks is None else _columns(blocks, rows)
            planes: list[Plane] = []
            for part in columns:
                planes += block_planes(layout, cells, flipped[rows], rows, part)
            if not planes:
                idle.append(layout.input_of_row(rows))
                continue
            reads_unit = layout.chip.crossbar.reads_unit_column and columns[-1].stop == layout.columns
            row_sets.append(
                RowSet(
                    rows,
                    layout.input_of_row(rows),
                    tuple(planes),
                    unit_plane(layout, cells, rows) if reads_unit else None,
                    layout.unit_factors(flipped[rows]) if reads_unit else np.zeros(layout.outputs, np.int64),
                    Converter.of(layout.chip, full_scale, rows=len(rows), steps=steps),
                    steps,
                    programmed.fraction_bits,
                    noise,
                )
            )
        return cls(layout, steps, tuple(row_sets), np.concatenate(idle), programmed.off_level)

    @property
    def is_integer(self) -> bool:
        """Whether products are integers."""
        integers = all(row_set.converter.values_are_integers for row_set in self.row_sets)
        return integers and not self._removed_level

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
            own, input_sums = inputs.part(chunk), np.zeros(chunk.stop - chunk.start, np.int64)
            for each in rows:
                each.add(instructions, own, total[chunk], input_sums)
            self._take_offsets_off(own, input_sums, total[chunk])

        size = min(MOST_VECTORS, CHUNK_PRODUCTS // self.layout.outputs)
        if threads > 1:
            size = min(size, -(-vectors // threads))
        size = max(FEWEST_VECTORS, size // FEWEST_VECTORS * FEWEST_VECTORS)
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
        many = vectors >= FEWEST_LOOKED_UP
        with self._preparing:
            if (shortcut, many) not in self._prepared:
                rows = prepared_rows(
                    self.row_sets,
                    instructions,
                    vectors,
                    is_integer=self.is_integer,
                    offset=self._digital_offset,
                    shortcut=shortcut,
                )
                self._prepared[shortcut, many] = rows
                if all(isinstance(each, KernelRows) and each.suits_any for each in rows):
                    self._prepared[shortcut, not many] = rows
            return self._prepared[shortcut, many]

    @property
    def _removed_level(self) -> float:
        """What an empty cell adds to a column's sum, where it does not cancel: it is taken off digitally."""
        cancels = self.layout.chip.converts_differences or self.layout.columns_per_slice == 2
        return 0.0 if cancels else self.off_level

    @property
    def _digital_offset(self) -> int:
        """What weights have too much and no unit column takes off."""
        return 0 if self.layout.chip.crossbar.reads_unit_column else self.layout.offset

    def _take_offsets_off(self, inputs: Inputs, input_sums: IntArray, total: IntArray) -> None:
        """Sums of inputs, computed digitally, times what weights and empty cells have too much."""
        if self._digital_offset:
            if len(self.idle_inputs):
                input_sums = input_sums + inputs.driven(self.idle_inputs).sum(axis=1)
            total -= self._digital_offset * input_sums[:, None]
        if self._removed_level:
            empty = np.zeros(total.shape, np.int64)  # how often each output holds the off level
            for row_set in self.row_sets:
                empty += inputs.sums(row_set.inputs) * row_set.factors
            total -= self._removed_level * empty


def threads_of_machine() -> int:
    """How many threads run at once."""
    return os.cpu_count() or 1


def _columns(blocks: Sequence[Block], rows: range) -> list[range]:
    """The columns of the blocks that hold these rows, in order; those of neighbouring blocks as one."""
    found = [block.columns for block in blocks if block.rows.start <= rows.start and rows.stop <= block.rows.stop]
    merged: list[range] = []
    for columns in sorted(found, key=lambda columns: columns.start):
        if merged and merged[-1].stop == columns.start:
            merged[-1] = range(merged[-1].start, columns.stop)
        else:
            merged.append(columns)
    return merged


def _noise(layout: Layout, seed: int, layer: int) -> Noise | None:
    levels = read_noise_levels(layout.chip.device, layout.chip)
    if not levels:
        return None
    # Columns that are subtracted before the ADC each bring their own noise.
    doubled = 2**0.5 if layout.subtracts_columns else 1.0
    return Noise(levels * doubled, stream_key(seed, layer, Purpose.READ))
