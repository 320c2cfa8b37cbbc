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
from cimspec.sim.kernel_rows import KernelRows, NumpyRows, Rows
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

    def shared(self, threads: int) -> tuple[tuple[Rows, ...], ...]:
        """The rows in a share for each thread, if that is worth it; sums of integers do not depend on their order."""
        match self.rows:
            case (KernelRows() as rows,) if threads > 1 and len(rows.parts) >= FEWEST_SETS * threads:
                return tuple((own,) for own in rows.split(threads))
            case _:
                return (self.rows,)


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
        self, inputs: Inputs, *, engine: Engine = Engine.KERNEL, shortcut: bool = True, threads: int = 1
    ) -> IntArray:
        """Products `[vectors, outputs]`, int64 or float64.

        `shortcut` computes rows whose ADC loses nothing as plain products: the same bits, in less time.
        """
        vectors = len(inputs.origins)
        instructions = instruction_set() if engine is Engine.KERNEL else ""
        prepared = self._ready(engine, shortcut, instructions, vectors)
        few = FEWEST_VECTORS < vectors < threads * FEWEST_FOR_ALL_ROWS
        groups = prepared.shared(threads) if few and self.is_integer else (prepared.rows,)
        make = np.empty if self.is_integer else np.zeros
        kind = np.int64 if self.is_integer else np.float64
        totals: list[IntArray] = [make((vectors, self.layout.outputs), kind) for _ in groups]

        def add(task: tuple[slice, int]) -> None:
            chunk, group = task
            own, total = inputs.part(chunk), totals[group][chunk]
            if not self.is_integer:
                self._add_reals(prepared, instructions, own, total)
                return
            for index, each in enumerate(groups[group]):
                each.add_integers(instructions, own, total, self._digital_offset, adds=index > 0)

        def join(chunk: slice) -> None:
            for other in totals[1:]:
                totals[0][chunk] += other[chunk]

        chunks = self._chunks(prepared, vectors, threads if len(groups) == 1 else 1)
        tasks = [(chunk, group) for chunk in chunks for group in range(len(groups))]
        share(add, tasks, min(threads, len(tasks)))
        if len(groups) > 1:
            share(join, chunks, min(threads, len(chunks)))
        return totals[0]

    def _add_reals(self, prepared: Prepared, instructions: str, inputs: Inputs, total: IntArray) -> None:
        """Add all rows, and take off what weights and empty cells have too much."""
        input_sums = np.zeros(len(total), np.int64)
        for each in prepared.rows:
            each.add_reals(instructions, inputs, total, input_sums)
        if self._digital_offset:
            total -= self._digital_offset * input_sums[:, None]
        if self._removed_level:
            empty = np.zeros(total.shape, np.int64)  # how often each output holds the off level
            for driving, factors in prepared.empty:
                empty += inputs.sums(driving) * factors
            total -= self._removed_level * empty

    def _chunks(self, prepared: Prepared, vectors: int, threads: int) -> list[slice]:
        """Of vectors. Few: one chunk for each thread, as shorter ones take longer for each vector."""
        in_numpy = any(isinstance(each, NumpyRows) for each in prepared.rows)
        most = min(MOST_VECTORS, MOST_IN_NUMPY) if in_numpy else MOST_VECTORS
        shared = ceil_divide(ceil_divide(vectors, threads), FEWEST_VECTORS) * FEWEST_VECTORS
        size = min(most, CHUNK_PRODUCTS // self.layout.outputs, shared)
        size = max(FEWEST_VECTORS, size // FEWEST_VECTORS * FEWEST_VECTORS)
        return [slice(start, min(vectors, start + size)) for start in range(0, vectors, size)]

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
