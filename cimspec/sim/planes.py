"""What a block's conversions read: planes of cells, one for each slice and sign, from the layout of its columns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Flips, Layout
from cimspec.compiler.slicing import ceil_divide

IntArray = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One slice, of one sign, of the weights of neighbouring outputs: each of its columns is converted apart."""

    cells: IntArray  # [rows, outputs] int8 or int16; a row driven with the opposite sign, a subtracted column: negative
    factors: npt.NDArray[np.int64]  # [outputs], what codes are multiplied by
    first_output: int
    number: int  # of the plane in its layer

    @property
    def outputs(self) -> slice:
        """The layer's outputs that it adds to."""
        return slice(self.first_output, self.first_output + self.cells.shape[1])

    def extremes(self) -> tuple[int, int]:
        """The smallest and the largest sum of a column when each row is driven by 0 or 1."""
        lowest = np.minimum(self.cells, 0).sum(axis=0, dtype=np.int64)
        highest = np.maximum(self.cells, 0).sum(axis=0, dtype=np.int64)
        return int(lowest.min(initial=0)), int(highest.max(initial=0))


def column_planes(layout: Layout, cells: IntArray, flips: Flips, columns: range) -> tuple[Plane, ...]:
    """The planes of some columns of a set of rows, `cells` [rows, columns of the layer]; not of the unit column.

    `flips` says which columns these rows store complemented: their codes count negative.
    """
    subtracted = layout.subtracts_columns
    width = layout.columns_per_output
    factors = layout.column_factors()
    factors = np.where(flips, -factors, factors)
    planes = []
    for number in range(0, width, 2 if subtracted else 1):
        first = max(0, ceil_divide(columns.start - number, width))
        stop = min(layout.outputs, ceil_divide(columns.stop - number, width))
        if first >= stop:
            continue
        chosen = slice(first * width + number, (stop - 1) * width + number + 1, width)
        part = cells[:, chosen]
        if subtracted:
            part = part - cells[:, chosen.start + 1 : chosen.stop + 1 : width]
        planes.append(Plane(part, factors[chosen], first, number))
    return tuple(planes)


def unit_plane(layout: Layout, cells: IntArray) -> Plane:
    """The column of ones that the offset encoding ends with, as the only output of a plane."""
    return Plane(cells[:, -1:], np.ones(1, np.int64), 0, layout.columns_per_output)
