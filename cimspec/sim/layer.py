"""One layer's products on its chip: sets of rows, each converted apart, and what is added up from them.

ProgrammedRows -> ProductLayer -> products of input vectors, by the compiled kernels or in numpy. Sets of
rows are taken in row order, and chunks of vectors are independent of each other, so results depend neither on threads
nor on how many vectors come at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Layout
from cimspec.compiler.slicing import ceil_divide
from cimspec.sim.adc import off_level
from cimspec.sim.kernel_rows import KernelRows, NumpyRows, Rows, Way
from cimspec.sim.packing import FEWEST_LOOKED_UP, instruction_set
from cimspec.sim.prepare import prepared_rows
from cimspec.sim.programmed import ProgrammedRows
from cimspec.sim.row_set import Inputs, RowSet
from cimspec.sim.threads import share

IntArray = npt.NDArray[Any]

CHUNK_PRODUCTS = 1 << 17
"""Products of a chunk of vectors, about: their sums stay in the second-level cache."""

FEWEST_VECTORS, MOST_VECTORS = 64, 1024
"""In a chunk."""

MOST_IN_NUMPY = 512
"""In a chunk that numpy computes; the kernels pack fewer vectors at a time themselves."""

FEWEST_FOR_ALL_ROWS = 512
"""Vectors for each thread; of fewer, threads share the sets of rows, as the kernels read cells once for so many."""

FEWEST_SETS = 4
"""Of rows for a thread, if threads share them: some take longer than others."""


class Engine(StrEnum):
    """Who computes products."""

    KERNEL = "kernel"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Rows that are ready to be multiplied."""

    rows: tuple[Rows, ...]
    empty: tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], ...]
    """Of sets whose empty cells conduct: the inputs that drive their rows, and what codes are multiplied by."""

    def groups(self, threads: int) -> int:
        """In how many groups threads may share the rows; sums of integers do not depend on their order."""
        match self.rows:
            case (KernelRows() as rows,) if threads > 1 and len(rows.parts) >= FEWEST_SETS * threads:
                return threads
            case _:
                return 1


@dataclass(frozen=True, eq=False)
class ProductLayer:
    """A layer on its chip; its cells are programmed when they are first needed. Any thread may use it."""

    programmed: ProgrammedRows
    _prepared: dict[tuple[Engine, bool, bool], Prepared] = field(default_factory=dict)
    _preparing: Lock = field(default_factory=Lock)

    @property
    def layout(self) -> Layout:
        """Where its weights lie."""
        return self.programmed.layout

    @cached_property
    def is_integer(self) -> bool:
        """Whether products are integers."""
        integers = all(converter.values_are_integers for converter in self.programmed.converters())
        return integers and not self._removed_level

    def products(
        self,
        inputs: Inputs,
        *,
        engine: Engine = Engine.KERNEL,
        shortcut: bool = True,
        threads: int = 1,
        bias: IntArray | None = None,
    ) -> IntArray:
        """Products `[vectors, outputs]`, int64 or float64, and `bias` [outputs], integers, added to them.

        `shortcut` computes rows whose ADC loses nothing as plain products: the same bits, in less time.
        """
        vectors = len(inputs.origins)
        instructions = instruction_set() if engine is Engine.KERNEL else ""
        prepared = self._ready(engine, shortcut, instructions, vectors)
        way = self._way(prepared, instructions, vectors, threads)
        if not self.is_integer:
            total = self._reals(prepared, inputs, way)
            if bias is not None:
                total += bias
            return total
        total = np.empty((vectors, self.layout.outputs), np.int64)
        for index, each in enumerate(prepared.rows):
            added = bias if index == 0 else None
            each.add_integers(inputs, total, self._digital_offset, way, bias=added, adds=index > 0)
        return total

    def _reals(self, prepared: Prepared, inputs: Inputs, way: Way) -> IntArray:
        """All rows added up, and taken off what weights and empty cells have too much."""
        vectors = len(inputs.origins)
        total, input_sums = np.empty((vectors, self.layout.outputs)), np.zeros(vectors, np.int64)
        last = len(prepared.rows) - 1
        for index, each in enumerate(prepared.rows):
            offset = self._digital_offset if index == last else 0
            each.add_reals(inputs, total, input_sums, offset, way, adds=index > 0)

        def take_off(chunk: slice) -> None:
            own = inputs.part(chunk)
            empty = np.zeros(total[chunk].shape, np.int64)  # how often each output holds the off level
            for driving, factors in prepared.empty:
                empty += own.sums(driving) * factors
            total[chunk] -= self._removed_level * empty

        if self._removed_level:
            share(take_off, way.chunks(vectors), way.threads)
        return total

    def _way(self, prepared: Prepared, instructions: str, vectors: int, threads: int) -> Way:
        """Few vectors: one chunk for each thread, as shorter ones take longer for each vector, or groups of rows."""
        few = FEWEST_VECTORS < vectors < threads * FEWEST_FOR_ALL_ROWS
        groups = prepared.groups(threads) if few and self.is_integer else 1
        in_numpy = any(isinstance(each, NumpyRows) for each in prepared.rows)
        most = min(MOST_VECTORS, MOST_IN_NUMPY) if in_numpy else MOST_VECTORS
        sharing = threads if groups == 1 else 1
        shared = ceil_divide(ceil_divide(vectors, sharing), FEWEST_VECTORS) * FEWEST_VECTORS
        size = min(most, CHUNK_PRODUCTS // self.layout.outputs, shared)
        chunk = max(FEWEST_VECTORS, size // FEWEST_VECTORS * FEWEST_VECTORS)
        return Way(instructions, threads, chunk, groups)

    def _ready(self, engine: Engine, shortcut: bool, instructions: str, vectors: int) -> Prepared:
        many = vectors >= FEWEST_LOOKED_UP
        with self._preparing:
            if (engine, shortcut, many) not in self._prepared:
                prepared = self._prepare(engine, shortcut, instructions, vectors)
                self._prepared[engine, shortcut, many] = prepared
                if all(isinstance(each, NumpyRows) or each.suits_any for each in prepared.rows):
                    self._prepared[engine, shortcut, not many] = prepared
            return self._prepared[engine, shortcut, many]

    def _prepare(self, engine: Engine, shortcut: bool, instructions: str, vectors: int) -> Prepared:
        empty = []

        def row_sets() -> Iterator[RowSet]:
            for row_set in self.programmed:
                if self._removed_level:
                    empty.append((row_set.inputs, row_set.factors))
                yield row_set

        if engine is Engine.REFERENCE:
            rows: tuple[Rows, ...] = tuple(map(NumpyRows, row_sets()))
        else:
            rows = prepared_rows(
                row_sets(),
                instructions,
                vectors,
                is_integer=self.is_integer,
                offset=self._digital_offset,
                shortcut=shortcut,
            )
        return Prepared(rows, tuple(empty))

    @cached_property
    def _removed_level(self) -> float:
        """What an empty cell adds to a column's sum, where it does not cancel: it is taken off digitally."""
        return 0.0 if self.layout.columns_per_slice == 2 else off_level(self.layout.chip)

    @property
    def _digital_offset(self) -> int:
        """What weights have too much and no unit column takes off."""
        return 0 if self.layout.chip.crossbar.reads_unit_column else self.layout.offset
