"""What a crossbar product is, in plain numpy: slow, and the definition that the kernel equals bit for bit.

For every set of rows read at once, every input step and every weight slice, a column sums `step * cell` over its rows;
the ADC turns the sum into a code; codes are shifted and added as integers; step and zero of the ADC are applied once
per set of rows, in float64, sets in row order.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.slicing import Part, input_steps, weight_slices
from cimspec.sim.adc import Converter
from cimspec.spec.chip import Chip, Encoding, Subtraction

IntArray = npt.NDArray[Any]


def reference_mvm(
    chip: Chip,
    weights: IntArray,
    inputs: IntArray,
    *,
    weight_bits: int,
    activation_bits: int,
    signed_inputs: bool,
    full_scale: float | None,
) -> IntArray:
    """`inputs [vectors, inputs] @ weights [outputs, inputs].T` through the chip: `[vectors, outputs]`.

    int64 where the ADC's values are integers, else float64.
    """
    planes = list(_planes(chip, weights, weight_bits))
    converter = Converter.of(chip, full_scale)
    steps = input_steps(chip, activation_bits, signed_inputs)
    driven = np.repeat(inputs.astype(np.int64), planes[0][1].shape[0] // weights.shape[1], axis=1)

    total: IntArray = np.zeros((len(inputs), len(weights)), np.int64 if converter.values_are_integers else np.float64)
    for rows in _row_sets(chip, driven.shape[1]):
        partial = np.zeros((len(inputs), len(weights)), np.int64)
        factors = 0
        for step in steps:
            for factor, plane in planes:
                sums = step.digits(driven[:, rows]) @ plane[rows]
                partial += step.factor * factor * converter.codes(sums)
                factors += step.factor * factor
        if converter.values_are_integers:
            total += partial * int(converter.lsb) + int(converter.zero) * factors
        else:
            total += partial * converter.lsb + converter.zero * factors
    if chip.crossbar.encoding is Encoding.OFFSET:
        total -= (inputs.astype(np.int64).sum(axis=1, keepdims=True)) << (weight_bits - 1)
    return total


def _planes(chip: Chip, weights: IntArray, weight_bits: int) -> Iterator[tuple[int, IntArray]]:
    """What is converted apart: (factor, cells `[rows, outputs]`) for every slice and sign."""
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
