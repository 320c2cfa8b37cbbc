"""Set each layer's ADC range from the column sums that occur: `range = calibrated`.

A Program, its constants and some training inputs -> the Program with a full scale for every crossbar layer. Sums are
taken from the exact product, so that one layer's range does not depend on another's.
"""

import math

import numpy as np
import numpy.typing as npt

from cimspec.compiler import CrossbarLayer, Program, with_full_scales
from cimspec.compiler.slicing import input_steps
from cimspec.quant.ops import Array, Constants, apply_vector, matmul, windows
from cimspec.sim.block import block_columns

SAMPLED_VECTORS = 2048
"""Input vectors whose column sums are looked at, for each layer; evenly spaced over all."""


def calibrate_ranges(program: Program, constants: Constants, images: npt.ArrayLike) -> Program:
    """`program` with ADC ranges at the chip's percentile of the column sums' magnitudes, at least 1."""
    tensors: dict[str, Array] = {program.input: np.asarray(images, dtype=np.float64)}
    full_scales: dict[str, float] = {}
    for item in program.items:
        if isinstance(item, CrossbarLayer):
            op = item.op
            codes, weights = tensors[op.src], constants[op.weights]
            full_scales[item.name] = _full_scale(program, item, codes, weights)
            tensors[op.dst] = matmul(op, codes, weights, constants[op.bias])
        else:
            tensors[item.dst] = apply_vector(item, tensors, constants)
    return with_full_scales(program, full_scales)


def _full_scale(program: Program, layer: CrossbarLayer, codes: Array, weights: Array) -> float:
    layout, op = program.layout(layer), layer.op
    vectors = windows(codes, op.window)
    vectors = vectors[:: math.ceil(len(vectors) / SAMPLED_VECTORS)]
    cells = layout.cells(weights)
    counts = np.zeros(1, np.int64)
    for block in range(0, layout.blocks, layout.column_blocks):
        for rows in layout.row_groups(layout.block(block).rows):
            columns = block_columns(layout, cells, rows, range(layout.columns))
            driven = vectors[:, layout.input_of_row(rows)]
            for step in input_steps(program.chip, op.precision.activation_bits, op.signed):
                sums = step.digits(driven).astype(np.float32) @ columns.cells.astype(np.float32)
                counts = _add_counts(counts, np.abs(sums).astype(np.int64).ravel())
    return float(max(1, _percentile(counts, program.chip.adc.percentile)))


def _add_counts(counts: npt.NDArray[np.int64], sums: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    more = np.bincount(sums, minlength=len(counts))
    more[: len(counts)] += counts
    return more


def _percentile(counts: npt.NDArray[np.int64], percentile: float) -> int:
    """The smallest sum that at least `percentile` of the counted ones do not exceed."""
    cumulative = np.cumsum(counts)
    return int(np.searchsorted(cumulative, percentile / 100 * cumulative[-1]))
