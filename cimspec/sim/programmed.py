"""A layer's sets of rows, whose cells are made as they are taken: whoever packs them need not hold them twice.

Layout, weights and device -> ProgrammedRows -> one RowSet after the other, cells of one crossbar's height at a time.
What devices draw is keyed by seed, layer, row and column, so cells that are made again are the same.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Flips, Layout
from cimspec.compiler.slicing import Part
from cimspec.quant.cache import SizedCache
from cimspec.sim.adc import Converter
from cimspec.sim.device import ProgrammedCells, programmed_cells, read_noise_levels
from cimspec.sim.planes import Plane, column_planes, unit_plane
from cimspec.sim.random import Purpose, stream_key
from cimspec.sim.row_set import Noise, RowSet

IntArray = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class StoredRows:
    """Rows that are read at once, as their cells came out, whatever drives and converts them."""

    rows: range
    planes: tuple[Plane, ...]
    unit: Plane | None
    unit_factors: npt.NDArray[np.int64]  # [outputs]
    fraction_bits: int


class Shelf:
    """Cells of a network's layers on one chip, for those that read them in another way. Any thread may use it."""

    def __init__(self, limit_bytes: int) -> None:
        """`limit_bytes`: of cells, about."""
        self._stored: SizedCache[tuple[int, int], tuple[StoredRows, ...]] = SizedCache(limit_bytes, _stored_bytes)
        self._looking = Lock()

    def stored(self, layer: int, weight_bits: int, make: Callable[[], Iterable[StoredRows]]) -> tuple[StoredRows, ...]:
        """A layer's cells, whose weights have so many bits."""
        key = (layer, weight_bits)
        with self._looking:
            known = self._stored.get(key)
        if known is None:
            known = tuple(make())
            with self._looking:
                self._stored.put(key, known)
        return known


def _stored_bytes(stored: tuple[StoredRows, ...]) -> int:
    return sum(plane.cells.nbytes for rows in stored for plane in rows.planes)


@dataclass(frozen=True, eq=False)
class ProgrammedRows:
    """The sets of rows that are read, in row order.

    `weights` `[outputs, inputs]` are kept, not copied. `seed` and `layer` (a number for it) key what devices draw.
    Cells are made anew each time, unless there is a `shelf` for them.
    """

    layout: Layout
    weights: IntArray
    steps: tuple[Part, ...]
    full_scale: float | None
    seed: int = 0
    layer: int = 0
    shelf: Shelf | None = None

    def __iter__(self) -> Iterator[RowSet]:
        noise, bits = self._noise(), self.layout.weight_bits
        for stored in self.shelf.stored(self.layer, bits, self._stored) if self.shelf else self._stored():
            yield RowSet(
                stored.rows,
                self.layout.input_of_row(stored.rows),
                stored.planes,
                stored.unit,
                stored.unit_factors,
                self._converter(stored.rows),
                self.steps,
                stored.fraction_bits,
                noise,
            )

    def _stored(self) -> Iterator[StoredRows]:
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
                yield self._stored_rows(group, flips[group], cells, rows.start)

    def converters(self) -> Iterator[Converter]:
        """The converter of each set."""
        yield from map(self._converter, self.layout.row_sets())

    def _stored_rows(self, rows: range, flips: Flips, cells: ProgrammedCells, first_row: int) -> StoredRows:
        """One set, from the cells of its crossbars, whose first row is `first_row` of the layer."""
        layout = self.layout
        own = cells.values[rows.start - first_row : rows.stop - first_row]
        planes = column_planes(layout, own, flips, range(layout.columns))
        if not layout.chip.crossbar.reads_unit_column:
            return StoredRows(rows, planes, None, np.zeros(layout.outputs, np.int64), cells.fraction_bits)
        return StoredRows(rows, planes, unit_plane(layout, own), layout.unit_factors(flips), cells.fraction_bits)

    def _converter(self, rows: range) -> Converter:
        return Converter.of(self.layout.chip, self.full_scale, rows=len(rows), steps=self.steps)

    def _noise(self) -> Noise | None:
        levels = read_noise_levels(self.layout.chip.device, self.layout.chip)
        if not levels:
            return None
        # Columns that are subtracted before the ADC each bring their own noise.
        doubled = 2**0.5 if self.layout.subtracts_columns else 1.0
        return Noise(levels * doubled, stream_key(self.seed, self.layer, Purpose.READ))
