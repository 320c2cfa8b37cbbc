"""One crossbar block for many input vectors, by the compiled kernel or in numpy: integers in, added codes out.

Where the ADC loses nothing of what the block's cells can sum to, the result is the plain integer product; it is then
computed as one, in floating point that holds every sum exactly.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Flips, Layout
from cimspec.compiler.slicing import Part, has_sign, largest_input
from cimspec.diag import fail
from cimspec.sim.adc import Converter
from cimspec.spec.chip import LARGEST_EXACT_SUM

IntArray = npt.NDArray[Any]
Partial = npt.NDArray[np.int64]

CHUNK_BYTES = 1 << 24
"""Input digits held at once."""


class Engine(StrEnum):
    """Who computes a block."""

    KERNEL = "kernel"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What each conversion of a block sums and where its code goes."""

    cells: IntArray  # [rows, conversions] int16; a subtracted column or row counts negative
    factors: npt.NDArray[np.int64]  # [conversions]
    outputs: npt.NDArray[np.int64]  # [conversions], from 0
    first_output: int
    output_count: int


def block_columns(layout: Layout, cells: IntArray, rows: range, columns: range, flips: Flips) -> Columns:
    """The conversions of one block but for the unit column's; `cells` and `flips` are the whole layer's."""
    part = cells[rows.start : rows.stop, columns.start : columns.stop]
    outputs = layout.column_outputs()[columns.start : columns.stop]
    factors = np.where(flips, -layout.column_factors(), layout.column_factors())[columns.start : columns.stop]
    if layout.chip.converts_differences and layout.columns_per_slice == 2:
        part, outputs, factors = part[:, 0::2] - part[:, 1::2], outputs[0::2], factors[0::2]
    used = factors != 0
    part, outputs, factors = part[:, used], outputs[used], factors[used]
    first = int(outputs[0]) if outputs.size else 0
    count = int(outputs[-1]) - first + 1 if outputs.size else 0
    return Columns(np.ascontiguousarray(part), factors.copy(), outputs - first, first, count)


def unit_column(rows: range) -> Columns:
    """The conversion of the column of ones, as if for one output."""
    one = np.ones(1, np.int64)
    return Columns(np.ones((len(rows), 1), np.int16), one, one - 1, 0, 1)


def block_sums(
    engine: Engine, columns: Columns, driven: IntArray, steps: tuple[Part, ...], converter: Converter, *, shortcut: bool
) -> Partial:
    """Shifted and added codes `[vectors, output_count]` of inputs `driven` `[vectors, rows]`.

    `shortcut` allows the plain product where the converter is lossless.
    """
    widest = largest_input(steps) if converter.converts_products else max((step.mask for step in steps), default=0)
    largest = int(np.maximum(columns.cells, 0).sum(axis=0, dtype=np.int64).max(initial=0)) * widest
    smallest = int(np.minimum(columns.cells, 0).sum(axis=0, dtype=np.int64).min(initial=0)) * widest
    if converter.converts_products and has_sign(steps):
        largest = max(largest, -smallest)
        smallest = -largest
    if shortcut and converter.is_lossless(smallest, largest):
        return _plain_product(columns, driven, steps) - _zero_part(columns, steps, converter)
    match engine:
        case Engine.REFERENCE:
            return _reference_sums(columns, driven, steps, converter)
        case Engine.KERNEL if converter.converts_products:
            return _reference_sums(columns, driven, steps, converter)
        case Engine.KERNEL:
            return _kernel_sums(columns, driven, steps, converter, smallest, largest)


def _plain_product(columns: Columns, driven: IntArray, steps: tuple[Part, ...]) -> Partial:
    lowest, highest = int(driven.min(initial=0)), int(driven.max(initial=0))
    possible = np.arange(lowest, highest + 1)  # few: activations have few bits
    value = np.zeros(len(possible), np.int64)
    for step in steps:
        value += step.factor * step.digits(possible)
    weights = np.zeros((columns.cells.shape[0], columns.output_count), np.int64)
    np.add.at(weights.T, columns.outputs, (columns.cells * columns.factors).T)
    largest = int(np.abs(weights).sum(axis=0).max(initial=0)) * int(np.abs(value).max())
    exact = np.float32 if largest < LARGEST_EXACT_SUM else np.float64
    # All steps of an input together are the input itself.
    inputs = driven if np.array_equal(value, possible) else value[driven - lowest]
    return np.asarray(inputs.astype(exact) @ weights.astype(exact)).astype(np.int64)


def _zero_part(columns: Columns, steps: tuple[Part, ...], converter: Converter) -> Partial:
    """What the codes leave out because code 0 stands for the lowest sum."""
    factors = np.zeros(columns.output_count, np.int64)
    np.add.at(factors, columns.outputs, columns.factors)
    return factors * (int(converter.zero) * drive_factor(steps, converter))


def drive_factor(steps: tuple[Part, ...], converter: Converter) -> int:
    """Sum over a column's conversions of what their codes are multiplied by on account of the inputs."""
    return 1 if converter.converts_products else sum(step.factor for step in steps)


def _reference_sums(columns: Columns, driven: IntArray, steps: tuple[Part, ...], converter: Converter) -> Partial:
    sums = np.zeros((len(driven), columns.output_count), np.int64)
    cells = columns.cells.astype(np.int64)
    products = np.zeros((len(driven), cells.shape[1]), np.int64)
    for step in steps:
        step_sums = step.digits(driven.astype(np.int64)) @ cells
        products += step.factor * step_sums
        if not converter.converts_products:
            np.add.at(sums.T, columns.outputs, (step.factor * converter.codes(step_sums) * columns.factors).T)
    if converter.converts_products:
        np.add.at(sums.T, columns.outputs, (converter.codes(products) * columns.factors).T)
    return sums


def _kernel_sums(
    columns: Columns, driven: IntArray, steps: tuple[Part, ...], converter: Converter, smallest: int, largest: int
) -> Partial:
    kernel = _kernel()
    sums = np.zeros((len(driven), columns.output_count), np.int64)
    narrow = smallest >= -(1 << 15) and largest < 1 << 15
    cells = np.ascontiguousarray(columns.cells, np.int16 if narrow else np.int32)
    table = converter.codes(np.arange(smallest, largest + 1)).astype(np.int32)
    factors = np.array([step.factor for step in steps], np.int64)

    def run(chunk: slice) -> None:
        part = driven[chunk].astype(np.int64)
        digits = np.stack([step.digits(part) for step in steps], axis=1)
        kernel(
            cells,
            np.ascontiguousarray(digits, np.uint8),
            factors,
            table,
            smallest,
            columns.factors,
            columns.outputs,
            sums[chunk],
        )

    _in_threads(run, _chunks(len(driven), max(1, CHUNK_BYTES // (driven.shape[1] * len(steps) * 8))))
    return sums


def _chunks(vectors: int, size: int) -> list[slice]:
    return [slice(start, min(vectors, start + size)) for start in range(0, vectors, size)]


def _in_threads(run: Callable[[slice], None], chunks: list[slice]) -> None:
    """Chunks write to places of their own, so results do not depend on the number of threads."""
    if len(chunks) < 2:
        for chunk in chunks:
            run(chunk)
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(run, chunks):
            pass


def _kernel() -> Callable[..., None]:
    try:
        from cimspec._kernels.crossbar import block_sums as kernel
    except ImportError as error:
        fail("CIM901", f"the compiled kernels cannot be loaded: {error}", help="run `pip install -e .` in the checkout")
    return kernel
