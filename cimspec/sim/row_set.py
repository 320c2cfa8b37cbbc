"""Rows that are read at once: what they convert, and their added codes in numpy, for any number of bits.

The kernels (kernel_rows.py) do the same in 32-bit integers, bit for bit.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.slicing import Part
from cimspec.sim.adc import Converter
from cimspec.sim.planes import Plane
from cimspec.sim.random import Key, read_normals

IntArray = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Input vectors: windows of a flat array of codes, so that no window is written out."""

    codes: IntArray  # int16; int32 where inputs have more bits, which the kernels do not take
    origins: npt.NDArray[np.int64]  # [vectors], where each window begins
    offsets: npt.NDArray[np.int32]  # [inputs of the layer], each code from there
    first_vector: int  # index of the first of them among all that are ever multiplied: it keys read noise

    def part(self, vectors: slice) -> "Inputs":
        """Some of the vectors, without a copy."""
        return Inputs(self.codes, self.origins[vectors], self.offsets, self.first_vector + vectors.start)

    def every(self, first: int, step: int) -> "Inputs":
        """Every `step`-th vector, beginning with the `first`, numbered one after the other."""
        return Inputs(self.codes, np.ascontiguousarray(self.origins[first::step]), self.offsets, self.first_vector)

    def restricted(self, inputs: slice) -> "Inputs":
        """Vectors of some of the inputs."""
        return Inputs(self.codes, self.origins, self.offsets[inputs], self.first_vector)

    def sums(self, inputs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Sums `[vectors, 1]` of some inputs of the layer."""
        return np.asarray(self.driven(inputs).sum(axis=1, keepdims=True), np.int64)

    def driven(self, inputs: npt.NDArray[np.int64]) -> IntArray:
        """Codes `[vectors, len(inputs)]` of some inputs of the layer."""
        return np.asarray(self.codes[self.origins[:, None] + self.offsets[inputs]], np.int64)


@dataclass(frozen=True, slots=True)
class Noise:
    """Of reads: a column's sum strays by `deviation * sqrt(sum of its rows' squared digits)`, normal, in levels."""

    deviation: float
    key: Key


@dataclass(frozen=True, eq=False)
class RowSet:
    """Rows read at once, their planes and their converter."""

    rows: range
    inputs: npt.NDArray[np.int64]  # [rows], the layer's input that drives each
    planes: tuple[Plane, ...]
    unit: Plane | None  # the column of ones, where it is read
    unit_factors: npt.NDArray[np.int64]  # [outputs], what its code is multiplied by
    converter: Converter
    steps: tuple[Part, ...]
    fraction_bits: int  # of the cells
    noise: Noise | None

    @cached_property
    def digits(self) -> tuple[Part | None, ...]:
        """What is converted apart: each step, or (None) the whole input."""
        return (None,) if self.converter.converts_products else self.steps

    @cached_property
    def factors(self) -> npt.NDArray[np.int64]:
        """What all codes of an output are multiplied by, together: `[outputs]`."""
        factors = self.unit_factors.copy()
        for plane in self.planes:
            factors[plane.outputs] += plane.factors
        return factors

    @cached_property
    def zeros(self) -> npt.NDArray[np.int64]:
        """How often the ADC's zero is in each output: `[outputs]`."""
        return self.factors * sum(1 if part is None else part.factor for part in self.digits)


def added_codes(row_set: RowSet, inputs: Inputs) -> npt.NDArray[np.int64]:
    """Codes of some rows, shifted and added: `[vectors, outputs]`."""
    driven = inputs.driven(row_set.inputs)
    vectors = np.arange(len(driven)) + inputs.first_vector
    total = np.zeros((len(driven), len(row_set.unit_factors)), np.int64)
    for plane in row_set.planes:
        total[:, plane.outputs] += _codes(row_set, plane, driven, vectors) * plane.factors
    if row_set.unit is not None:
        total += _codes(row_set, row_set.unit, driven, vectors) * row_set.unit_factors
    return total


def _codes(row_set: RowSet, plane: Plane, driven: IntArray, vectors: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Codes of one plane's columns, steps shifted and added: `[vectors, columns]`."""
    total = np.zeros((len(driven), plane.cells.shape[1]), np.int64)
    cells = plane.cells.astype(np.int64)
    noise = _normals(row_set, plane, vectors)
    for index, part in enumerate(row_set.digits):
        digits = driven if part is None else part.digits(driven)
        sums = (digits @ cells).astype(np.float32) * np.float32(2.0**-row_set.fraction_bits)
        if row_set.noise and noise is not None:
            squares = (digits**2).sum(axis=1).astype(np.float32)
            deviations = np.float32(row_set.noise.deviation) * np.sqrt(squares)
            sums = sums + deviations[:, None] * noise[:, index]
        total += row_set.converter.codes(sums) * (1 if part is None else part.factor)
    return total


def _normals(row_set: RowSet, plane: Plane, vectors: npt.NDArray[np.int64]) -> npt.NDArray[np.float32] | None:
    """Standard normals `[vectors, steps, columns]` of a plane's reads."""
    if row_set.noise is None:
        return None
    drawn = read_normals(
        row_set.noise.key, plane.outputs.stop, vectors, len(row_set.digits), row_set.rows.start, plane.number
    )
    return drawn[..., plane.outputs]
