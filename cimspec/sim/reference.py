"""What a crossbar product is, in plain numpy: slow, and the definition that the kernel equals bit for bit.

For every set of rows read at once, every input step and every weight slice, a column sums `step * cell` over its rows;
the ADC turns the sum into a code; codes are shifted and added as integers; step and zero of the ADC are applied once
per set of rows, in float64, sets in row order. With `conversion = per_product` the steps' sums are weighted and added
before the ADC, and there is one code for each slice.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Layout
from cimspec.compiler.slicing import Part, input_steps, weight_slices
from cimspec.sim.adc import Converter
from cimspec.sim.reference_device import device_mvm
from cimspec.spec.chip import Chip, Encoding, Subtraction

IntArray = npt.NDArray[Any]

Plane = tuple[IntArray | int, IntArray]
"""What is converted apart: what its codes are multiplied by (for each output), and cells `[rows, outputs]`."""


def reference_mvm(
    chip: Chip,
    weights: IntArray,
    inputs: IntArray,
    *,
    weight_bits: int,
    activation_bits: int,
    signed_inputs: bool,
    full_scale: float | None,
    seed: int = 0,
) -> IntArray:
    """`inputs [vectors, inputs] @ weights [outputs, inputs].T` through the chip: `[vectors, outputs]`.

    int64 where the ADC's values are integers, else float64. `seed` keys what devices draw.
    """
    if not chip.device.is_ideal:
        layout = Layout(chip, weights.shape[1], weights.shape[0], weight_bits)
        return device_mvm(layout, weights, inputs, input_steps(chip, activation_bits, signed_inputs), full_scale, seed)
    planes = list(_planes(chip, weights, weight_bits))
    steps = input_steps(chip, activation_bits, signed_inputs)
    driven = np.repeat(inputs.astype(np.int64), planes[0][1].shape[0] // weights.shape[1], axis=1)
    offset = 1 << (weight_bits - 1)
    sets = list(_row_sets(chip, driven.shape[1]))
    converters = [Converter.of(chip, full_scale, rows=rows.stop - rows.start, steps=steps) for rows in sets]

    integers = all(converter.values_are_integers for converter in converters)
    total: IntArray = np.zeros((len(inputs), len(weights)), np.int64 if integers else np.float64)
    for rows, converter in zip(sets, converters, strict=True):
        read = [(factor, cells[rows]) for factor, cells in planes]
        if chip.crossbar.complements:
            read = _complemented(chip, read)
        if chip.crossbar.reads_unit_column:
            read.append((-offset, np.ones((rows.stop - rows.start, 1), np.int64)))
        partial, zeros = _add_codes(converter, steps, driven[:, rows], read, len(weights))
        if converter.values_are_integers:
            total += partial * int(converter.lsb) + int(converter.zero) * zeros
        else:
            total += partial * converter.lsb + converter.zero * zeros
    if chip.crossbar.encoding is Encoding.OFFSET and not chip.crossbar.reads_unit_column:
        total -= offset * inputs.astype(np.int64).sum(axis=1, keepdims=True)
    return total


def _add_codes(
    converter: Converter, steps: tuple[Part, ...], driven: IntArray, planes: list[Plane], outputs: int
) -> tuple[IntArray, IntArray]:
    """Codes of one set of rows, shifted and added `[vectors, outputs]`; how often the ADC's zero is in them."""
    partial, zeros = np.zeros((len(driven), outputs), np.int64), np.zeros(outputs, np.int64)
    for factor, cells in planes:
        sums = [step.digits(driven) @ cells for step in steps]
        if converter.converts_products:
            product = np.asarray(sum(step.factor * step_sums for step, step_sums in zip(steps, sums, strict=True)))
            partial += factor * converter.codes(product)
            zeros += factor
        else:
            for step, step_sums in zip(steps, sums, strict=True):
                partial += step.factor * factor * converter.codes(step_sums)
                zeros += step.factor * factor
    return partial, zeros


def _complemented(chip: Chip, planes: list[Plane]) -> list[Plane]:
    """Columns whose cells sum to more than half of what they can, stored as `largest - cell`.

    `sum(x * cell) = largest * sum(x) - sum(x * (largest - cell))`, where sum(x) is the unit column's.
    """
    stored: list[Plane] = []
    units: IntArray = np.zeros(planes[0][1].shape[1], np.int64)
    for factor, cells in planes:
        flipped = 2 * cells.sum(axis=0) > len(cells) * chip.largest_cell
        stored.append((np.where(flipped, -factor, factor), np.where(flipped, chip.largest_cell - cells, cells)))
        units += np.where(flipped, factor * chip.largest_cell, 0)
    return [*stored, (units, np.ones((len(planes[0][1]), 1), np.int64))]


def _planes(chip: Chip, weights: IntArray, weight_bits: int) -> Iterator[Plane]:
    """Every slice and sign of the weights."""
    integers = weights.T.astype(np.int64)
    positive, negative = np.maximum(integers, 0), np.maximum(-integers, 0)
    for part in weight_slices(chip, weight_bits):
        match chip.crossbar.encoding:
            case Encoding.DIFFERENTIAL_COLUMNS if chip.adc.subtraction is Subtraction.BEFORE_ADC:
                yield part.factor, part.digits(positive) - part.digits(negative)
            case Encoding.DIFFERENTIAL_COLUMNS:
                yield part.factor, part.digits(positive)
                yield -part.factor, part.digits(negative)
            case Encoding.DIFFERENTIAL_ROWS:
                yield part.factor, _interleave_rows(part, positive, negative)
            case Encoding.OFFSET:
                yield part.factor, part.digits(integers + (1 << (weight_bits - 1)))
            case Encoding.TWOS_COMPLEMENT:
                yield part.factor, part.digits(integers)


def _interleave_rows(part: Part, positive: IntArray, negative: IntArray) -> IntArray:
    """A positive row and a negative row for each input; the second is driven with the opposite sign."""
    pairs = np.stack([part.digits(positive), -part.digits(negative)], axis=1)
    return pairs.reshape(-1, positive.shape[1])


def _row_sets(chip: Chip, rows: int) -> Iterator[slice]:
    """Rows read at once: crossbar by crossbar, at most `active_rows` each."""
    for block in range(0, rows, chip.crossbar.rows):
        stop = min(rows, block + chip.crossbar.rows)
        for start in range(block, stop, chip.active_rows):
            yield slice(start, min(stop, start + chip.active_rows))
