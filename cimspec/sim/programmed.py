"""A layer's sets of rows, whose cells are made as they are taken: whoever packs them need not hold them twice.

Layout, weights and device -> ProgrammedRows -> one RowSet after the other, cells of one crossbar's height at a time.
What devices draw is keyed by seed, layer, row and column, so cells that are made again are the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Flips, Layout
from cimspec.compiler.slicing import Part
from cimspec.sim.adc import Converter
from cimspec.sim.device import ProgrammedCells, programmed_cells, read_noise_levels
from cimspec.sim.planes import column_planes, unit_plane
from cimspec.sim.random import Purpose, stream_key
from cimspec.sim.row_set import Noise, RowSet

IntArray = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class ProgrammedRows:
    """The sets of rows that are read, in row order.

    `weights` `[outputs, inputs]` are kept, not copied. `seed` and `layer` (a number for it) key what devices draw.
    """

    layout: Layout
    weights: IntArray
    steps: tuple[Part, ...]
    full_scale: float | None
    seed: int = 0
    layer: int = 0

    def __iter__(self) -> Iterator[RowSet]:
        noise = self._noise()
        for rows in self.layout.crossbar_rows():
            flips = self.layout.flipped(self.weights, rows)
            cells = programmed_cells(
                self.layout,
                self.weights,
                self.layout.chip.device,
                seed=self.seed,
                layer=self.layer,
                rows=rows,
            )
            for group in self.layout.row_groups(rows):
                yield self._row_set(group, flips[group], cells, rows.start, noise)

    def converters(self) -> Iterator[Converter]:
        """The converter of each set."""
        yield from map(self._converter, self.layout.row_sets())

    def _row_set(
        self,
        rows: range,
        flips: Flips,
        cells: ProgrammedCells,
        first_row: int,
        noise: Noise | None,
    ) -> RowSet:
        """One set, from the cells of its crossbars, whose first row is `first_row` of the layer."""
        layout = self.layout
        own = cells.values[rows.start - first_row : rows.stop - first_row]
        planes = column_planes(layout, own, flips, range(layout.columns))
        reads_unit = layout.chip.crossbar.reads_unit_column
        return RowSet(
            rows,
            layout.input_of_row(rows),
            tuple(planes),
            unit_plane(layout, own) if reads_unit else None,
            layout.unit_factors(flips) if reads_unit else np.zeros(layout.outputs, np.int64),
            self._converter(rows),
            self.steps,
            cells.fraction_bits,
            noise,
        )

    def _converter(self, rows: range) -> Converter:
        return Converter.of(self.layout.chip, self.full_scale, rows=len(rows), steps=self.steps)

    def _noise(self) -> Noise | None:
        levels = read_noise_levels(self.layout.chip.device, self.layout.chip)
        if not levels:
            return None
        # Columns that are subtracted before the ADC each bring their own noise.
        doubled = 2**0.5 if self.layout.subtracts_columns else 1.0
        return Noise(levels * doubled, stream_key(self.seed, self.layer, Purpose.READ))
