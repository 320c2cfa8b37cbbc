"""Sums of bytes that are looked up: none leaves a byte, and all columns' starts add up to the same."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cimspec.sim.lookups import lookups
from cimspec.sim.planes import Plane

TABLE_ROWS = st.sampled_from([4, 6])


@st.composite
def cells(draw: st.DrawFn) -> Any:
    shape = (draw(st.integers(1, 60)), draw(st.integers(1, 5)))
    lowest = draw(st.sampled_from([-15, -3, 0]))
    return draw(arrays.arrays(np.int16, shape, elements=st.integers(lowest, draw(st.sampled_from([1, 3, 15])))))


def plane(cells: Any) -> Plane:
    return Plane(cells, np.ones(cells.shape[1], np.int64), 0, 0)


@given(cells(), TABLE_ROWS)
def test_no_inputs_make_a_sum_leave_its_byte(cells, table_rows):
    found = lookups([plane(cells)], table_rows)
    assert np.all(found.starts.sum(axis=1, dtype=np.int64) == found.total)
    at_once = found.at_once * table_rows  # rows
    assert found.starts.shape[0] == cells.shape[1]
    assert (found.starts.shape[1] - 1) * at_once < len(cells) <= found.starts.shape[1] * at_once
    for column, starts in zip(cells.T.astype(int) - found.cell_centre, found.starts.astype(int), strict=True):
        for number, start in enumerate(starts):
            own = column[number * at_once : (number + 1) * at_once]
            assert start + np.minimum(own, 0).sum() >= 0
            assert start + np.maximum(own, 0).sum() <= 255


@given(cells(), cells(), TABLE_ROWS)
def test_planes_share_their_look_ups(first, second, table_rows):
    rows = min(len(first), len(second))
    joined = np.concatenate([first[:rows], second[:rows]], axis=1)
    found, alone = (
        lookups([plane(first[:rows]), plane(second[:rows])], table_rows),
        lookups([plane(joined)], table_rows),
    )
    assert np.array_equal(found.starts, alone.starts)
    assert (found.at_once, found.total, found.cell_centre) == (alone.at_once, alone.total, alone.cell_centre)


@pytest.mark.parametrize(
    ("cells", "centre", "sums"),
    [
        (np.full((60, 1), 15), 15, 1),  # nothing is left
        (np.tile([[11], [13]], (30, 1)), 12, 1),  # each is one off
        (np.tile([[0], [15]], (30, 1)), 0, 2),  # ten tables of 3 * 15; from 8 on they would be as many
        (np.tile([[-15], [15]], (30, 1)), 0, 5),  # ten tables of 6 * 15: two in each sum
        (np.eye(60, dtype=int)[:, :1], 0, 1),
    ],
)
def test_cells_count_from_their_mean(cells, centre, sums):
    found = lookups([plane(cells.astype(np.int16))], 6)
    assert (found.cell_centre, found.starts.shape) == (centre, (1, sums))
