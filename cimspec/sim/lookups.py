"""How sums of a few cells are looked up: tables of bytes, and how many of them a byte takes before 16 bits must.

A table has what every pattern of input bits makes of a few cells of a column. Cells count from `cell_centre` on, so
that less comes together, and a sum of bytes has its own start: it stays in 0 .. 255 whatever the inputs are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cimspec.compiler.slicing import ceil_divide
from cimspec.sim.planes import IntArray, Plane

LARGEST_BYTE = 255


@dataclass(frozen=True, slots=True, eq=False)
class Lookups:
    """What bytes add up."""

    starts: npt.NDArray[np.uint8]  # [columns, sums], of each column they add up to `total`
    at_once: int  # tables of a sum
    total: int
    cell_centre: int


NO_LOOKUPS = Lookups(np.zeros((0, 0), np.uint8), 1, 0, 0)
"""Of forms without tables."""


def lookups(planes: Sequence[Plane], table_rows: int) -> Lookups:
    """Those with the fewest sums for all columns of some planes, whose cells are at most 15 in magnitude.

    `table_rows` are those of a table, at most six.
    """
    cells = np.concatenate([plane.cells for plane in planes], axis=1)
    has_signs = cells.size and cells.min() < 0  # then they have their centre at 0
    centres = dict.fromkeys((0,) if has_signs else (0, round(float(cells.mean()))))
    return min((_from(cells, table_rows, centre) for centre in centres), key=lambda found: found.starts.shape[1])


def _from(cells: IntArray, table_rows: int, centre: int) -> Lookups:
    """The look-ups of cells that count from `centre` on."""
    negative, positive = _summed_tables(cells, table_rows, centre)
    tables = len(negative) - 1
    for sums in range(1, tables + 1):
        at_once = ceil_divide(tables, sums)
        ends = [*range(0, tables, at_once), tables]
        starts = _starts(np.diff(negative[ends], axis=0), np.diff(positive[ends], axis=0))
        if starts is not None:
            break
    assert starts is not None  # one table fits a byte
    return Lookups(np.ascontiguousarray(starts.T, np.uint8), at_once, int(starts[:, 0].sum()), centre)


def _summed_tables(cells: IntArray, table_rows: int, centre: int) -> tuple[IntArray, IntArray]:
    """What tables' negative cells come to, and their positive ones, those before included: `[1 + tables, columns]`."""
    rows, columns = cells.shape
    tables = ceil_divide(rows, table_rows)
    own = np.zeros((tables * table_rows, columns), np.int32)
    own[:rows] = cells
    own[:rows] -= centre
    sums = np.zeros((2, 1 + tables, columns), np.int32)
    for part, to in zip((np.maximum(-own, 0), np.maximum(own, 0)), sums, strict=True):
        np.cumsum(part.reshape(tables, table_rows, columns).sum(axis=1), axis=0, out=to[1:])
    return sums[0], sums[1]


def _starts(negative: IntArray, positive: IntArray) -> IntArray | None:
    """Starts of sums `[sums, columns]` that add up to the same in each column, or None where there are none.

    A sum is its start, less up to `negative`, plus up to `positive`, both `[sums, columns]`.
    """
    room = LARGEST_BYTE - positive - negative
    total = negative.sum(axis=0).max()
    if room.min() < 0 or total > (LARGEST_BYTE - positive).sum(axis=0).min():
        return None
    starts, rest = negative.copy(), total - negative.sum(axis=0)
    for own, its_room in zip(starts, room, strict=True):
        added = np.minimum(its_room, rest)
        own += added
        rest -= added
    return starts
