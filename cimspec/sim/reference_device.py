"""What a product on cells that are not ideal is: column by column, in plain numpy.

Cells and draws belong to places of the layout, so this definition goes through the layout's columns one by one; on
ideal cells it is what reference.py computes from the weights themselves.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Flips, Layout
from cimspec.compiler.slicing import Part
from cimspec.sim.adc import Converter
from cimspec.sim.device import programmed_cells, read_noise_levels
from cimspec.sim.random import Purpose, read_normals, stream_key

IntArray = npt.NDArray[Any]


def device_mvm(
    layout: Layout, weights: IntArray, inputs: IntArray, steps: tuple[Part, ...], full_scale: float | None, seed: int
) -> IntArray:
    """`inputs [vectors, inputs] @ weights [outputs, inputs].T` on the devices of the layout's chip."""
    chip = layout.chip
    programmed = programmed_cells(layout, weights, chip.device, seed=seed, layer=0)
    flipped = layout.flipped(weights)
    converters = {rows: Converter.of(chip, full_scale, rows=len(rows), steps=steps) for rows in layout.row_sets()}
    # Where columns or rows are subtracted, empty cells' currents cancel.
    off_level = 0.0 if layout.columns_per_slice == 2 or chip.converts_differences else programmed.off_level
    empty = np.zeros((len(inputs), layout.outputs), np.int64)  # how often each output holds the off level

    integers = all(each.values_are_integers for each in converters.values()) and not off_level
    total: IntArray = np.zeros((len(inputs), layout.outputs), np.int64 if integers else np.float64)
    for rows, converter in converters.items():
        driven = inputs[:, layout.input_of_row(rows)].astype(np.int64)
        partial = np.zeros(total.shape, np.int64)
        zeros = np.zeros(layout.outputs, np.int64)
        for column in _converted_columns(layout):
            cells = programmed.values[rows.start : rows.stop, column].astype(np.int64)
            if layout.subtracts_columns:
                cells = cells - programmed.values[rows.start : rows.stop, column + 1]
            codes, drives = _column_codes(
                layout, converter, steps, driven, cells, programmed.fraction_bits, rows, column, seed
            )
            factors = _factors(layout, flipped[rows], column)
            partial += codes[:, None] * factors
            zeros += drives * factors
            empty += driven.sum(axis=1, keepdims=True) * factors
        if converter.values_are_integers:
            total += partial * int(converter.lsb) + int(converter.zero) * zeros
        else:
            total += partial * converter.lsb + converter.zero * zeros
    if not chip.crossbar.reads_unit_column:
        total -= layout.offset * inputs.astype(np.int64).sum(axis=1, keepdims=True)
    if off_level:
        total -= off_level * empty
    return total


def _converted_columns(layout: Layout) -> range:
    """Columns that are converted: pairs count as their first, a unit column that is not read is none."""
    last = layout.columns if layout.chip.crossbar.reads_unit_column else layout.outputs * layout.columns_per_output
    return range(0, last, 2 if layout.subtracts_columns else 1)


def _factors(layout: Layout, flips: Flips, column: int) -> IntArray:
    """What the codes of a column are multiplied by for each output: `[outputs]`."""
    factors = np.zeros(layout.outputs, np.int64)
    output = int(layout.column_outputs()[column])
    if output == layout.outputs:
        return layout.unit_factors(flips)
    factors[output] = layout.column_factors()[column] * (-1 if flips[column] else 1)
    return factors


def _column_codes(
    layout: Layout,
    converter: Converter,
    steps: tuple[Part, ...],
    driven: IntArray,
    cells: IntArray,
    fraction_bits: int,
    rows: range,
    column: int,
    seed: int,
) -> tuple[IntArray, int]:
    """Codes of one column `[vectors]`, steps shifted and added; and how often the ADC's zero is in them."""
    digits = [(1, driven)] if converter.converts_products else [(step.factor, step.digits(driven)) for step in steps]
    output = int(layout.column_outputs()[column])
    is_unit = output == layout.outputs
    plane = layout.columns_per_output if is_unit else column % layout.columns_per_output
    lane = 0 if is_unit else output
    levels = read_noise_levels(layout.chip.device, layout.chip) * (2**0.5 if layout.subtracts_columns else 1)
    key = stream_key(seed, 0, Purpose.READ)
    normals = read_normals(key, lane + 1, np.arange(len(driven)), len(digits), rows.start, plane)[..., lane]
    codes = np.zeros(len(driven), np.int64)
    for index, (factor, part) in enumerate(digits):
        sums = (part @ cells).astype(np.float32) * np.float32(2.0**-fraction_bits)
        if levels:
            squares = (part**2).sum(axis=1).astype(np.float32)
            sums = sums + np.float32(levels) * np.sqrt(squares) * normals[:, index]
        codes += factor * converter.codes(sums)
    return codes, sum(factor for factor, _ in digits)
