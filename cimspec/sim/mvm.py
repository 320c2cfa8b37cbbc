"""One matrix-vector product through a chip's crossbars, from integers to integers (or float64 where the ADC rounds).

The public call. Ranges come from the arguments, never from the data, so a result does not depend on its batch.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Flips, Layout
from cimspec.compiler.slicing import Part, input_steps
from cimspec.quant.parameters import activation_range, weight_limit
from cimspec.sim.adc import Converter
from cimspec.sim.block import Engine, Partial, block_columns, block_sums, drive_factor, unit_column
from cimspec.sim.reference import reference_mvm
from cimspec.spec.chip import Chip

IntArray = npt.NDArray[Any]


def mvm(
    chip: Chip,
    weights: npt.ArrayLike,
    inputs: npt.ArrayLike,
    *,
    weight_bits: int,
    activation_bits: int,
    signed_inputs: bool = False,
    full_scale: float | None = None,
    engine: str = "kernel",
    seed: int | None = None,
) -> IntArray:
    """The product `inputs @ weights.T` as `chip` computes it.

    `weights [outputs, inputs]` and `inputs [vectors, inputs]` are integers within `weight_bits` and `activation_bits`.
    `full_scale` is a calibrated ADC range in units of one cell times one input digit; None takes the chip's rows.
    `seed` keys the noise of devices; ideal devices, the only ones so far, draw none.
    Returns `[vectors, outputs]`, int64 where the ADC's step is an integer, else float64; the same by both engines.
    Raises `ValueError` for shapes, types or values that do not fit.
    """
    del seed
    codes = _integers("weights", weights)
    vectors = _integers("inputs", inputs)
    if codes.shape[1] != vectors.shape[1]:
        raise ValueError(f"weights have {codes.shape[1]} inputs, inputs have {vectors.shape[1]}")
    _check_bits(weight_bits, activation_bits, signed_inputs)
    limit = weight_limit(weight_bits)
    _check_range("weights", codes, -limit, limit)
    _check_range("inputs", vectors, *activation_range(activation_bits, signed_inputs))
    if Engine(engine) is Engine.REFERENCE:
        return reference_mvm(
            chip, codes, vectors, weight_bits=weight_bits, activation_bits=activation_bits,
            signed_inputs=signed_inputs, full_scale=full_scale,
        )  # fmt: skip
    return _kernel_mvm(chip, codes, vectors, weight_bits, activation_bits, signed_inputs, full_scale)


def _kernel_mvm(
    chip: Chip,
    weights: IntArray,
    inputs: IntArray,
    weight_bits: int,
    activation_bits: int,
    signed_inputs: bool,
    full_scale: float | None,
) -> IntArray:
    layout = Layout(chip, weights.shape[1], weights.shape[0], weight_bits)
    steps = input_steps(chip, activation_bits, signed_inputs)
    cells, flipped = layout.cells(weights), layout.flipped(weights)
    converters = row_converters(layout, full_scale, steps)
    driven = inputs[:, layout.input_of_row(range(layout.rows))]
    total = new_total(converters, len(inputs), layout.outputs)
    for rows, converter in converters.items():
        columns = block_columns(layout, cells, rows, range(layout.columns), flipped[rows])
        part = driven[:, rows.start : rows.stop]
        partial = block_sums(Engine.KERNEL, columns, part, steps, converter, shortcut=True)
        if chip.crossbar.reads_unit_column:
            unit = block_sums(Engine.KERNEL, unit_column(rows), part, steps, converter, shortcut=True)
            partial += unit * layout.unit_factors(flipped[rows])
        add_partial(total, partial, converter, conversion_factors(layout, flipped[rows], steps, converter))
    if layout.offset and not chip.crossbar.reads_unit_column:
        total -= layout.offset * inputs.astype(np.int64).sum(axis=1, keepdims=True)
    return total


def row_converters(layout: Layout, full_scale: float | None, steps: tuple[Part, ...]) -> dict[range, Converter]:
    """The converter of each set of rows read at once, sets in row order."""
    return {rows: Converter.of(layout.chip, full_scale, rows=len(rows), steps=steps) for rows in layout.row_sets()}


def new_total(converters: dict[range, Converter], vectors: int, outputs: int) -> IntArray:
    """Zeros `[vectors, outputs]` of the type that the converters' values need."""
    integers = all(converter.values_are_integers for converter in converters.values())
    return np.zeros((vectors, outputs), np.int64 if integers else np.float64)


def conversion_factors(layout: Layout, flips: Flips, steps: tuple[Part, ...], converter: Converter) -> IntArray:
    """Sum over each output's conversions of what their codes are multiplied by: `[outputs]`."""
    columns = slice(0, layout.outputs * len(layout.slices) * layout.columns_per_slice)
    signed = np.where(flips, -layout.column_factors(), layout.column_factors())[columns].reshape(layout.outputs, -1)
    if layout.chip.converts_differences and layout.columns_per_slice == 2:
        signed = signed[:, 0::2]
    return np.asarray((signed.sum(axis=1) + layout.unit_factors(flips)) * drive_factor(steps, converter))


def add_partial(total: IntArray, partial: Partial, converter: Converter, factors: IntArray) -> None:
    """Add one set of rows to `total`, in place: the ADC's step and zero are applied here, once."""
    if converter.values_are_integers:
        total += partial * int(converter.lsb) + int(converter.zero) * factors
    else:
        total += partial * converter.lsb + converter.zero * factors


def _integers(name: str, values: npt.ArrayLike) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 2:
        raise ValueError(f"{name} have {array.ndim} dimensions; two are needed")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} are {array.dtype}; integers are needed")
    if array.dtype == np.uint64 and array.max(initial=0) > np.iinfo(np.int64).max:
        raise ValueError(f"{name} do not fit 64 bits")
    return array.astype(np.int64)


def _check_range(name: str, values: IntArray, low: int, high: int) -> None:
    smallest, largest = int(values.min(initial=0)), int(values.max(initial=0))
    if smallest < low or largest > high:
        raise ValueError(f"{name} reach from {smallest} to {largest}; their bits hold {low} to {high}")


def _check_bits(weight_bits: int, activation_bits: int, signed_inputs: bool) -> None:
    if not 2 <= weight_bits <= 15:
        raise ValueError(f"weight_bits is {weight_bits}; 2 to 15 are possible")
    smallest = 2 if signed_inputs else 1
    if not smallest <= activation_bits <= 16:
        raise ValueError(f"activation_bits is {activation_bits}; {smallest} to 16 are possible")
