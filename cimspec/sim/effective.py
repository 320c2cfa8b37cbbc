"""The weights that a layer's cells stand for as they came out, ADC and read noise left aside.

Layout + weights + draws -> `[outputs, inputs]`, in codes. On ideal cells these are the weights; elsewhere the product
with them is what a chip of the same draws gives whose ADC converts exactly (reference_device.py).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Flips, Layout
from cimspec.sim.adc import off_level
from cimspec.sim.device import programmed_cells

Reals = npt.NDArray[np.float64]

ROWS_AT_ONCE = 64
"""Cells are float64 on the way, four times as large as they are held."""


def effective_weights(layout: Layout, weights: npt.NDArray[Any], *, seed: int, layer: int) -> Reals:
    """What weights `[outputs, inputs]` become on the layout's devices; `seed` and `layer` (a number) key the draws."""
    rows = np.concatenate([_of_rows(layout, weights, rows, seed, layer) for rows in layout.crossbar_rows()])
    read: Reals = rows.reshape(layout.inputs, -1, layout.outputs).sum(axis=1).T
    return read if layout.chip.crossbar.reads_unit_column else read - layout.offset


def _of_rows(layout: Layout, weights: npt.NDArray[Any], rows: range, seed: int, layer: int) -> Reals:
    """What each of a crossbar's rows adds to each output: `[rows, outputs]`."""
    made = programmed_cells(layout, weights, layout.chip.device, seed=seed, layer=layer, rows=rows)
    flips = layout.flipped(weights, rows)
    found = np.empty((len(rows), layout.outputs))
    for group in layout.row_groups(rows):
        for start in range(group.start, group.stop, ROWS_AT_ONCE):
            part = slice(start - rows.start, min(group.stop, start + ROWS_AT_ONCE) - rows.start)
            found[part] = _read(layout, made.values[part] * 2.0**-made.fraction_bits, flips[group])
    return found


def _read(layout: Layout, cells: Reals, flips: Flips) -> Reals:
    """Rows that are read at once, their columns multiplied and added as codes are: `[rows, outputs]`."""
    cells -= 0.0 if layout.columns_per_slice == 2 else off_level(layout.chip)
    own = layout.outputs * layout.columns_per_output
    factors = layout.column_factors() * np.where(flips, -1, 1)
    outputs: Reals = (cells[:, :own] * factors[:own]).reshape(len(cells), layout.outputs, -1).sum(2)
    if layout.chip.crossbar.reads_unit_column:
        outputs += cells[:, -1:] * layout.unit_factors(flips)
    return outputs
