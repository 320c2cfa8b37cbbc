"""Set each layer's ADC range from the column sums that occur: `range = calibrated`.

A Program, its constants and some training inputs -> the Program with a full scale for every crossbar layer. Sums are
taken from the exact product, so that one layer's range does not depend on another's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from cimspec.compiler import CrossbarLayer, Layout, Matrices, Program, with_full_scales
from cimspec.compiler.body import steps_of
from cimspec.compiler.program import operation
from cimspec.compiler.slicing import Part
from cimspec.quant.apply import apply_vector, matmul, matrix_inputs
from cimspec.quant.ops import Array, Constants, MatMul
from cimspec.quant.steps import drawn
from cimspec.sim.adc import Converter, off_level
from cimspec.sim.planes import column_planes, unit_plane
from cimspec.spec.chip import AdcCalibration

SAMPLED_VECTORS = 2048
"""Input vectors whose column sums are looked at, for each layer."""

CANDIDATES = 128
"""Ranges that `calibration = mse` tries: so many equal parts of the largest sum that occurs, and the chip's own."""

LONGEST_COUNT = 1 << 20
"""Sums are counted in an array where they span no more than this, else sorted."""


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How often each column sum occurred."""

    sums: npt.NDArray[np.int64]  # ascending, each once
    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, sums: npt.NDArray[Any]) -> "Histogram":
        """The histogram of some sums: whole numbers, int64 or float32 below 2^24."""
        low = int(sums.min(initial=0))
        if int(sums.max(initial=0)) - low > LONGEST_COUNT:
            return cls(*np.unique(sums.astype(np.int64), return_counts=True))
        counts = np.bincount((sums - sums.dtype.type(low)).astype(np.intp))
        (used,) = counts.nonzero()
        return cls(used + low, counts[used])

    @classmethod
    def merged(cls, parts: "list[Histogram]") -> "Histogram":
        """All that was counted in several ones."""
        sums, places = np.unique(np.concatenate([part.sums for part in parts]), return_inverse=True)
        counts = np.zeros(len(sums), np.int64)
        np.add.at(counts, places, np.concatenate([part.counts for part in parts]))
        return cls(sums, counts)

    @property
    def magnitudes(self) -> "Histogram":
        """The histogram of the sums' magnitudes."""
        return Histogram.merged([replace(self, sums=np.abs(self.sums))])


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Input codes of one stored matrix, and its weights."""

    layout: Layout
    weights: Array  # [outputs, inputs]
    vectors: Array  # [vectors, inputs]


def calibrate_ranges(program: Program, constants: Constants, images: npt.ArrayLike) -> Program:
    """`program` with ADC ranges that suit each layer's column sums on `images`, at least 1."""
    tensors: dict[str, Array] = {program.input: np.asarray(images, dtype=np.float64)}
    full_scales: dict[str, float] = {}
    for item in program.items:
        op = operation(item)
        if isinstance(op, MatMul):
            weights = tensors[op.weights] if op.moving else constants[op.weights]
            if isinstance(item, CrossbarLayer):
                seen = seen_inputs(program.matrices(item), weights, matrix_inputs(op, tensors[op.src]))
                full_scales[item.name] = layer_range(seen, steps_of(op, program.chip))
            tensors[op.dst] = matmul(op, tensors[op.src], weights, constants[op.bias] if op.bias else None)
        else:
            tensors[op.dst] = apply_vector(op, tensors, constants)
    return with_full_scales(program, full_scales)


def seen_inputs(matrices: Matrices, weights: Array, inputs: Array) -> list[Seen]:
    """Some input vectors of each matrix, from `inputs` `[batch, groups, invocations, inputs of a group]`.

    `weights` are a layer's constant, or for each input what it stores `[batch, ..., inputs, outputs]`.
    """
    op = matrices.op
    share = max(1, SAMPLED_VECTORS // matrices.count)
    seen = []
    for matrix in range(matrices.count):
        if op.moving:
            batch = drawn(len(inputs), max(1, share // op.invocations))
            stored = weights.reshape(len(weights), op.matrices, op.inputs, op.outputs)
            layout = matrices.layout(matrix)
            seen += [Seen(layout, stored[each, matrix].T, inputs[each, matrix]) for each in batch]
        else:
            groups = matrices.groups(matrix)
            own = inputs[:, groups.start : groups.stop].transpose(0, 2, 1, 3)
            vectors = own.reshape(-1, len(groups) * op.inputs)
            chosen = vectors[drawn(len(vectors), share)]
            seen.append(Seen(matrices.layout(matrix), matrices.weights(matrix, weights), chosen))
    return seen


def layer_range(seen: Sequence[Seen], steps: tuple[Part, ...]) -> float:
    """The ADC's full scale that suits a layer's column sums for what its matrices see."""
    chip = seen[0].layout.chip
    histogram = Histogram.merged([part for each in seen for part in _histograms(each, steps)])
    match chip.adc.calibration:
        case AdcCalibration.PERCENTILE:
            return float(max(1, percentile(histogram.magnitudes, chip.adc.percentile)))
        case AdcCalibration.MSE:
            return least_error_range(histogram, Converter.of(chip, None, rows=chip.active_rows, steps=steps))
        case _:
            assert_never(chip.adc.calibration)


def _histograms(seen: Seen, steps: tuple[Part, ...]) -> Iterator[Histogram]:
    """Column sums of input vectors on cells without error, as they reach the ADC, to the nearest integer."""
    layout, weights, vectors = seen.layout, seen.weights, seen.vectors
    chip = layout.chip
    cells, flipped = layout.cells(weights), layout.flipped(weights)
    for rows in layout.row_sets():
        own = cells[rows.start : rows.stop]
        planes = [plane.cells for plane in column_planes(layout, own, flipped[rows], range(layout.columns))]
        if chip.crossbar.reads_unit_column:
            planes.append(unit_plane(layout, own).cells)
        # Sums of integers are exact in float32: the converter refuses larger ones.
        columns = np.concatenate(planes, axis=1).astype(np.float32) + np.float32(off_level(chip))
        driven = vectors[:, layout.input_of_row(rows)]
        if not chip.converts_products:
            driven = np.concatenate([step.digits(driven) for step in steps])
        sums = driven.astype(np.float32) @ columns
        yield Histogram.of(np.rint(sums, out=sums).ravel())


def percentile(magnitudes: Histogram, share: float) -> int:
    """The smallest sum that at least `share` percent of the counted ones do not exceed."""
    cumulative = np.cumsum(magnitudes.counts)
    return int(magnitudes.sums[np.searchsorted(cumulative, share / 100 * cumulative[-1])])


def least_error_range(histogram: Histogram, whole: Converter) -> float:
    """The full scale whose converted sums have the least squared error; of several, the widest.

    Tried are fractions of the largest sum, and the range of `whole`, which is what the chip takes uncalibrated.
    """
    largest = max(1, int(np.abs(histogram.sums).max(initial=1)))
    fractions = np.ceil(largest * np.arange(1, CANDIDATES + 1) / CANDIDATES)
    candidates = sorted({whole.high, *map(float, fractions)}, reverse=True)
    return min(candidates, key=lambda full_scale: squared_error(histogram, scaled(whole, full_scale)))


def scaled(converter: Converter, full_scale: float) -> Converter:
    """The converter with another full scale."""
    return replace(converter, low=-full_scale if converter.low < 0 else 0.0, high=full_scale)


def squared_error(histogram: Histogram, converter: Converter) -> float:
    """Squared error of converted sums against the sums, over all that were counted."""
    errors = converter.values(converter.codes(histogram.sums)) - histogram.sums
    return float((histogram.counts * errors**2).sum())
