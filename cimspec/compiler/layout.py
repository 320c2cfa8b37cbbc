"""Lay a weight matrix out on crossbars: from codes `[outputs, inputs]` to cells `[row, column]`, cut into blocks.

The one place where weights are transposed. Rows: one for each input (two for `differential_rows`: the positive and the
negative part). Columns: for each output its slices, least significant first (for `differential_columns` each slice's
positive and negative part side by side), and with `offset` one unit column more, of ones. Its sum of inputs is read
through the ADC with `unit_column`, else computed digitally, its place taken all the same. With `complement`, columns
whose cells sum to more than half in a set of rows read at once are stored complemented there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.slicing import Part, ceil_divide, weight_slices
from cimspec.spec.chip import Chip, Encoding

Cells = npt.NDArray[Any]
Flips = npt.NDArray[np.bool_]

CELLS_AT_ONCE = 1 << 15
"""Cells made at once."""


@dataclass(frozen=True, slots=True)
class Block:
    """The piece of a layer's cells that one crossbar holds."""

    rows: range  # of the layer's cells, at most crossbar.rows long
    columns: range  # at most crossbar.columns long


@dataclass(frozen=True)
class Layout:
    """Where the weights of one layer lie. `inputs` and `outputs` are those of its weight matrix."""

    chip: Chip
    inputs: int
    outputs: int
    weight_bits: int

    @cached_property
    def slices(self) -> tuple[Part, ...]:
        """Slices of each weight."""
        return weight_slices(self.chip, self.weight_bits)

    @property
    def encoding(self) -> Encoding:
        """The chip's encoding."""
        return self.chip.crossbar.encoding

    @property
    def rows(self) -> int:
        """Rows of cells that the layer takes."""
        return self.inputs * (2 if self.encoding is Encoding.DIFFERENTIAL_ROWS else 1)

    @property
    def columns_per_slice(self) -> int:
        """Neighbouring columns that hold one slice of one output's weights."""
        return 2 if self.encoding is Encoding.DIFFERENTIAL_COLUMNS else 1

    @property
    def columns_per_output(self) -> int:
        """Neighbouring columns that hold the weights of one output."""
        return len(self.slices) * self.columns_per_slice

    @property
    def subtracts_columns(self) -> bool:
        """Whether neighbouring columns are subtracted before the ADC."""
        return self.chip.converts_differences and self.columns_per_slice == 2

    @cached_property
    def columns(self) -> int:
        """Columns of cells that the layer takes."""
        return self.outputs * self.columns_per_output + (1 if self.encoding is Encoding.OFFSET else 0)

    @cached_property
    def row_blocks(self) -> int:
        """Crossbars below each other."""
        return ceil_divide(self.rows, self.chip.crossbar.rows)

    @cached_property
    def column_blocks(self) -> int:
        """Crossbars beside each other."""
        return ceil_divide(self.columns, self.chip.crossbar.columns)

    @property
    def blocks(self) -> int:
        """Crossbars that the layer takes."""
        return self.row_blocks * self.column_blocks

    @property
    def offset(self) -> int:
        """What was added to each weight: `offset * sum(inputs)` is taken off each output, digitally or as a column."""
        return 1 << (self.weight_bits - 1) if self.encoding is Encoding.OFFSET else 0

    def block(self, index: int) -> Block:
        """Block `index`, counted along the columns first."""
        row, column = divmod(index, self.column_blocks)
        crossbar = self.chip.crossbar
        return Block(
            range(row * crossbar.rows, min(self.rows, (row + 1) * crossbar.rows)),
            range(column * crossbar.columns, min(self.columns, (column + 1) * crossbar.columns)),
        )

    def row_groups(self, rows: range) -> Iterator[range]:
        """The rows of a block, cut into those that are read at once."""
        for start in range(rows.start, rows.stop, self.chip.active_rows):
            yield range(start, min(rows.stop, start + self.chip.active_rows))

    def input_of_row(self, rows: range) -> npt.NDArray[np.int64]:
        """Which input drives each row."""
        return np.arange(rows.start, rows.stop) // (self.rows // self.inputs)

    def crossbar_rows(self, rows: range | None = None) -> Iterator[range]:
        """All rows, or those of some whole crossbars, cut into those of each crossbar."""
        rows = range(self.rows) if rows is None else rows
        for start in range(rows.start, rows.stop, self.chip.crossbar.rows):
            yield range(start, min(rows.stop, start + self.chip.crossbar.rows))

    def row_sets(self, rows: range | None = None) -> Iterator[range]:
        """All rows, or those of some whole crossbars, cut into those that are read at once."""
        for own in self.crossbar_rows(rows):
            yield from self.row_groups(own)

    def cells(
        self,
        weights: npt.NDArray[np.integer],
        kind: type[np.signedinteger[Any]] = np.int16,
        rows: range | None = None,
    ) -> Cells:
        """Cells `[rows, columns]` of weights `[outputs, inputs]`, as stored, integers of a `kind` that holds them.

        A row driven with opposite sign counts negative. `rows`: those of some whole crossbars, instead of all.
        """
        rows = range(self.rows) if rows is None else rows
        cells = self._plain_cells(weights, kind, rows)
        if self.chip.crossbar.complements:
            for group in self.row_sets(rows):
                part = cells[group.start - rows.start : group.stop - rows.start]
                np.subtract(self.chip.largest_cell, part, out=part, where=self._flips(part))
        return cells

    def flipped(self, weights: npt.NDArray[np.integer], rows: range | None = None) -> dict[range, Flips]:
        """Which columns each set of rows stores complemented: `[columns]`; `rows` as in `cells`."""
        rows = range(self.rows) if rows is None else rows
        groups = list(self.row_sets(rows))
        if not self.chip.crossbar.complements:
            return {group: np.zeros(self.columns, np.bool_) for group in groups}
        cells = self._plain_cells(weights, np.int16, rows)
        return {group: self._flips(cells[group.start - rows.start : group.stop - rows.start]) for group in groups}

    def unit_factors(self, flips: Flips) -> npt.NDArray[np.int64]:
        """What the unit column's code is multiplied by for each output of a set of rows `[outputs]`.

        It takes the offset off and completes columns that are stored complemented; zeros where no unit column is read.
        """
        units = np.zeros(self.outputs, np.int64)
        if self.chip.crossbar.reads_unit_column:
            completed = np.where(flips, self.column_factors() * self.chip.largest_cell, 0)
            np.add.at(units, self.column_outputs()[:-1], completed[:-1])
            units -= self.offset
        return units

    def _flips(self, cells: Cells) -> Flips:
        flips: Flips = 2 * cells.sum(axis=0, dtype=np.int64) > len(cells) * self.chip.largest_cell
        flips[-1] = False  # the unit column
        return flips

    def _plain_cells(self, weights: npt.NDArray[np.integer], kind: type[np.signedinteger[Any]], rows: range) -> Cells:
        """Cells without complements, made of some inputs at a time: integers on the way are wider than cells."""
        rows_of_input = self.rows // self.inputs
        inputs = range(rows.start // rows_of_input, ceil_divide(rows.stop, rows_of_input))
        cells = np.empty((len(inputs) * rows_of_input, self.columns), kind)
        at_once = max(1, CELLS_AT_ONCE // (rows_of_input * self.columns))
        for start in range(inputs.start, inputs.stop, at_once):
            integers = weights[:, start : min(start + at_once, inputs.stop)].T.astype(np.int32)  # [inputs, outputs]
            part = self._cells_of(integers)
            first = (start - inputs.start) * rows_of_input
            cells[first : first + len(part)] = part
        before = rows.start - inputs.start * rows_of_input
        return cells[before : before + len(rows)]

    def _cells_of(self, integers: npt.NDArray[np.int32]) -> Cells:
        """Cells `[rows, columns]` of some inputs' weights `[inputs, outputs]`."""
        match self.encoding:
            case Encoding.DIFFERENTIAL_COLUMNS:
                signs = np.stack([np.maximum(integers, 0), np.maximum(-integers, 0)], axis=-1)
                return self._interleave(signs)
            case Encoding.DIFFERENTIAL_ROWS:
                rows = np.stack([np.maximum(integers, 0), np.maximum(-integers, 0)], axis=1)
                cells = self._interleave(rows.reshape(2 * len(integers), -1, 1))
                np.negative(cells[1::2], out=cells[1::2])
                return cells
            case Encoding.OFFSET:
                unit = np.ones((len(integers), 1), np.int16)
                return np.concatenate([self._interleave((integers + self.offset)[..., None]), unit], axis=1)
            case Encoding.TWOS_COMPLEMENT:
                return self._interleave(integers[..., None])

    def column_outputs(self) -> npt.NDArray[np.int64]:
        """Which output each column adds to; `outputs` for the unit column."""
        return np.arange(self.columns) // self.columns_per_output

    def column_factors(self) -> npt.NDArray[np.int64]:
        """What each column's code is multiplied by before it is added; 0 for the unit column."""
        signs = (1, -1)[: self.columns_per_slice]
        factors = np.array([part.factor * sign for part in self.slices for sign in signs], np.int64)
        unit = np.zeros(self.columns - factors.size * self.outputs, np.int64)
        return np.concatenate([np.tile(factors, self.outputs), unit])

    def _interleave(self, integers: npt.NDArray[np.int32]) -> Cells:
        """Integers `[rows, outputs, signs]` to cells `[rows, outputs * slices * signs]`."""
        digits = np.stack([part.digits(integers) for part in self.slices], axis=2)
        return digits.reshape(len(integers), -1).astype(np.int16)
