"""Sets of rows as the compiled kernels take them: packed cells, a converter in numbers, and what is added to totals.

Where 32 bits do not hold what can come up, `kernel_rows` returns None, and numpy computes the rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.slicing import Part, Sign, has_sign, largest_input
from cimspec.sim.adc import Converter
from cimspec.sim.packing import FEWEST_LOOKED_UP, Extent, Form, fastest_form, kernels, pack_planes
from cimspec.sim.planes import Plane
from cimspec.sim.row_set import Inputs, RowSet, added_codes
from cimspec.sim.scaling import Scaling, scaling
from cimspec.sim.short import ShortConversion, short_conversion
from cimspec.sim.threads import share
from cimspec.spec.chip import AdcStep, Rounding

IntArray = npt.NDArray[Any]

MOST = (1 << 31) - 1
"""The largest integer that the kernels hold."""

LARGEST_CODE = (1 << 15) - 1
"""The largest input that they take."""

SUM, SHIFT, ROUND = range(3)
ROUNDINGS = {Rounding.HALF_EVEN: 0, Rounding.HALF_UP: 1, Rounding.HALF_AWAY: 2, Rounding.DOWN: 3}
PARTS = {Sign.WHOLE: 0, Sign.POSITIVE: 1, Sign.NEGATIVE: 2}

NOT_SCALED = Scaling(0, 0, 0, 0, ())
"""Of converters that adders do not do."""

Step = tuple[int, int, int, int]
"""Shift, mask, part and factor."""


@dataclass(frozen=True, slots=True)
class Way:
    """How the vectors of a product are gone through."""

    instructions: str
    threads: int
    chunk: int
    """Vectors at a time."""
    groups: int = 1
    """Of sets of rows, which threads share as they share chunks."""

    def chunks(self, vectors: int) -> list[slice]:
        """All vectors, in chunks."""
        return [slice(start, min(vectors, start + self.chunk)) for start in range(0, vectors, self.chunk)]


@dataclass(frozen=True, slots=True, eq=False)
class NumpyRows:
    """Rows that numpy computes."""

    row_set: RowSet

    def add_integers(
        self, inputs: Inputs, total: IntArray, offset: int, way: Way, *, bias: IntArray | None, adds: bool
    ) -> None:
        """What these rows and `bias` [outputs] contribute to `total` [vectors, outputs].

        `offset` times their inputs is taken off. All is added to what `total` holds, or (not `adds`) put there.
        """
        converter = self.row_set.converter

        def add(chunk: slice) -> None:
            part = inputs.part(chunk)
            own = added_codes(self.row_set, part) * int(converter.lsb) + int(converter.zero) * self.row_set.zeros
            own -= offset * part.sums(self.row_set.inputs)
            if bias is not None:
                own += bias
            total[chunk] = total[chunk] + own if adds else own

        share(add, way.chunks(len(total)), way.threads)

    def add_reals(
        self, inputs: Inputs, total: IntArray, input_sums: IntArray, offset: int, way: Way, *, adds: bool
    ) -> None:
        """What these rows contribute to `total` [vectors, outputs], and their inputs to `input_sums` [vectors].

        Then `offset` times all of these is taken off.
        """
        converter = self.row_set.converter

        def add(chunk: slice) -> None:
            part = inputs.part(chunk)
            own = added_codes(self.row_set, part) * converter.lsb + converter.zero * self.row_set.zeros
            input_sums[chunk] += part.sums(self.row_set.inputs)[:, 0]
            total[chunk] = (total[chunk] + own if adds else own) - offset * input_sums[chunk, None]

        share(add, way.chunks(len(total)), way.threads)


@dataclass(frozen=True, slots=True, eq=False)
class KernelPart:
    """One set of rows as the kernels compute it."""

    codes: Any  # compiled RowSet
    unit: Any  # compiled RowSet of the unit column, or None
    unit_factors: npt.NDArray[np.int32]
    inputs: npt.NDArray[np.int64]  # [rows], the layer's input that drives each
    counts_inputs: bool


@dataclass(frozen=True, slots=True, eq=False)
class KernelRows:
    """Sets of rows that the kernels compute in one call."""

    parts: tuple[KernelPart, ...]
    lsbs: npt.NDArray[np.float64]  # [parts]
    constants: npt.NDArray[np.float64]  # [parts, outputs], the ADC's zeros
    largest: int  # magnitude of added codes
    suits_any: bool  # whether cells are packed the same for many vectors and for few

    def means_the_same(self, other: "KernelRows") -> bool:
        """Whether codes of both may be added up as integers: they mean the same, and 32 bits hold the sum."""
        return bool(self.lsbs[0] == other.lsbs[0]) and self.largest + other.largest <= MOST

    def joined(self, other: "KernelRows") -> "KernelRows":
        """Both as one; where totals are integers, the caller knows that codes mean the same."""
        return KernelRows(
            self.parts + other.parts,
            np.concatenate([self.lsbs, other.lsbs]),
            np.concatenate([self.constants, other.constants]),
            self.largest + other.largest,
            self.suits_any and other.suits_any,
        )

    def add_integers(
        self, inputs: Inputs, total: IntArray, offset: int, way: Way, *, bias: IntArray | None, adds: bool
    ) -> None:
        """What these rows and `bias` [outputs] contribute to `total` [vectors, outputs].

        `offset` times inputs that count is taken off. All is added to what `total` holds, or (not `adds`) put there.
        """
        constants = np.zeros((way.groups, total.shape[1]), np.int64)
        constants[0] = self.constants.sum(axis=0)
        if bias is not None:
            constants[0] += bias
        given = self._given(inputs, way)
        kernels().add_integers(*given, int(self.lsbs[0]), constants, offset, adds, total, way.chunk, way.threads)

    def add_reals(
        self, inputs: Inputs, total: IntArray, input_sums: IntArray, offset: int, way: Way, *, adds: bool
    ) -> None:
        """What these rows contribute to `total` [vectors, outputs], and inputs that count to `input_sums`.

        Sets are added one after the other. Then `offset` times all inputs that count is taken off.
        """
        given, own = self._given(inputs, way), (self.lsbs, self.constants)
        kernels().add_reals(*given, *own, offset, adds, input_sums, total, way.chunk, way.threads)

    def _given(self, inputs: Inputs, way: Way) -> tuple[Any, ...]:
        parts = [
            (part.codes, inputs.offsets[part.inputs], part.counts_inputs, part.unit, part.unit_factors)
            for part in self.parts
        ]
        return parts, way.instructions, inputs.codes, inputs.origins, inputs.first_vector


Rows = NumpyRows | KernelRows


@dataclass(frozen=True, slots=True, eq=False)
class PlainRows:
    """Rows whose ADC loses nothing: their contribution is the integer product with these weights."""

    weights: npt.NDArray[np.int32]  # [rows, outputs], within 16 bits
    inputs: npt.NDArray[np.int64]  # [rows]

    def joined(self, other: "PlainRows") -> "PlainRows":
        """Both sets of rows as one."""
        return PlainRows(np.concatenate([self.weights, other.weights]), np.concatenate([self.inputs, other.inputs]))

    def without(self, offset: int) -> "PlainRows":
        """The rows with an offset taken off their weights."""
        return PlainRows(self.weights - offset, self.inputs)

    def largest(self, steps: tuple[Part, ...]) -> int:
        """The largest magnitude of a product."""
        return int(np.abs(self.weights).sum(axis=0, dtype=np.int64).max(initial=0)) * largest_input(steps)

    def compiled(self, instructions: str, steps: tuple[Part, ...], *, counts_inputs: bool) -> KernelRows:
        """The rows for the kernels; the caller has asked `largest`."""
        outputs = self.weights.shape[1]
        plane = Plane(self.weights.astype(np.int16), np.ones(outputs, np.int64), 0, 0)
        extent = Extent.of([plane], largest_input(steps), has_negative_digits=has_sign(steps))
        form = fastest_form(instructions, extent, 1, is_short=False)
        codes = _compiled(
            form,
            [plane],
            extent,
            [_whole_input(extent)],
            [SUM, *(0,) * 15, *NOT_SCALED.numbers()],
            np.zeros(6),
            (0, 0, 0),
        )
        part = KernelPart(codes, None, np.zeros(outputs, np.int32), self.inputs, counts_inputs)
        return KernelRows((part,), np.ones(1), np.zeros((1, outputs)), self.largest(steps), True)


def plain_rows(row_set: RowSet) -> PlainRows | None:
    """The rows as a plain product, or None where the ADC can lose something, or cells are not integers."""
    if row_set.fraction_bits or row_set.noise:
        return None
    units = [row_set.unit] if row_set.unit else []
    if not all(row_set.converter.is_lossless(*reach(row_set, plane)) for plane in (*row_set.planes, *units)):
        return None
    weights = np.zeros((len(row_set.rows), len(row_set.unit_factors)), np.int64)
    for plane in row_set.planes:
        weights[:, plane.outputs] += plane.cells * plane.factors
    for plane in units:
        weights += plane.cells * row_set.unit_factors
    fits = np.abs(weights).max(initial=0) <= LARGEST_CODE
    return PlainRows(weights.astype(np.int32), row_set.inputs) if fits else None


def reach(row_set: RowSet, plane: Plane) -> tuple[int, int]:
    """The smallest and the largest sum that one conversion of a plane can get, in units of the cells."""
    lowest, highest = plane.extremes()
    widest = _widest_digit(row_set)
    if row_set.converter.converts_products and has_sign(row_set.steps):
        most = (highest - lowest) * widest  # inputs can take the sign of every cell
        return -most, most
    return lowest * widest, highest * widest


def kernel_rows(row_set: RowSet, instructions: str, vectors: int) -> KernelRows | None:
    """The rows for the kernels, packed as suits about so many `vectors`."""
    largest = _largest_code_sum(row_set)
    if not _fits(row_set) or largest > MOST:
        return None
    converter = row_set.converter
    codes, suits_any = _row_set_codes(row_set, row_set.planes, instructions, vectors)
    unit, factors = None, row_set.unit_factors.astype(np.int32)
    if row_set.unit:
        unit, unit_suits_any = _row_set_codes(row_set, [row_set.unit], instructions, vectors)
        suits_any = suits_any and unit_suits_any
    constants = np.asarray(converter.zero * row_set.zeros, np.float64)[None]
    part = KernelPart(codes, unit, factors, row_set.inputs, True)
    return KernelRows((part,), np.array([converter.lsb], np.float64), constants, largest, suits_any)


def _largest_code_sum(row_set: RowSet) -> int:
    """The largest magnitude of codes times factors, added over steps and planes."""
    code = _largest_code(row_set.converter)
    steps = sum(1 if part is None else abs(part.factor) for part in row_set.digits)
    factors = sum(int(np.abs(plane.factors).max(initial=0)) for plane in row_set.planes)
    return code * steps * (factors + int(np.abs(row_set.unit_factors).max(initial=0)))


def _largest_code(converter: Converter) -> int:
    """The largest magnitude of a code: less than the ADC has where the range holds fewer steps."""
    reach = max(abs(clip - converter.zero) for clip in (converter.clip_low, converter.clip_high))
    return min(max(map(abs, converter.code_range)), math.ceil(reach / converter.lsb) + 1)


def _fits(row_set: RowSet) -> bool:
    """Whether no column's sum leaves 32 bits, and no input 16."""
    planes = [*row_set.planes, *([row_set.unit] if row_set.unit else [])]
    widest = _widest_digit(row_set)
    return (
        _largest_sum(planes) * widest + int(row_set.converter.lsb) <= MOST
        and len(row_set.rows) * widest**2 <= MOST
        and largest_input(row_set.steps) <= LARGEST_CODE
    )


def _largest_sum(planes: Sequence[Plane]) -> int:
    """What magnitudes of a column's cells add up to at most."""
    return max(int(np.abs(plane.cells).sum(axis=0, dtype=np.int64).max(initial=0)) for plane in planes)


def _widest_digit(row_set: RowSet) -> int:
    if row_set.converter.converts_products:
        return largest_input(row_set.steps)
    return max((step.mask for step in row_set.steps), default=0)


def _row_set_codes(row_set: RowSet, planes: Sequence[Plane], instructions: str, vectors: int) -> tuple[Any, bool]:
    """The planes compiled, and whether the same would do for any number of vectors."""
    is_product = row_set.converter.converts_products
    extent = Extent.of(planes, _widest_digit(row_set), has_negative_digits=is_product and has_sign(row_set.steps))
    short = _short(row_set, planes)
    scaled = _scaled(row_set, planes) if extent.fits_adders else None
    few, many = (
        fastest_form(
            instructions, extent, count, is_short=short is not None, terms=len(scaled.terms) if scaled else None
        )
        for count in (1, FEWEST_LOOKED_UP)
    )
    form = many if vectors >= FEWEST_LOOKED_UP else few
    steps = [
        _whole_input(extent) if part is None else (part.shift, part.mask, PARTS[part.sign], part.factor)
        for part in row_set.digits
    ]
    integers = _integers(row_set, planes, short, scaled)
    converter, noise = row_set.converter, row_set.noise
    reals = np.array(
        [
            2.0**-row_set.fraction_bits,
            *(converter.clip_low, converter.clip_high, converter.zero, converter.inverse),
            noise.deviation if noise else 0.0,
        ]
    )
    key = noise.key if noise else (0, 0)
    compiled = _compiled(form, planes, extent, steps, integers, reals, (*key, row_set.rows.start))
    return compiled, few is many


def _whole_input(extent: Extent) -> Step:
    """The step of an input that is applied as it is; where it has one bit, as that bit."""
    is_bit = extent.largest_digit <= 1 and not extent.has_negative_digits
    return (0, 1 if is_bit else -1, 0, 1)


def _short(row_set: RowSet, planes: Sequence[Plane]) -> ShortConversion | None:
    if row_set.fraction_bits or row_set.noise or row_set.converter.converts_products:
        return None
    found = short_conversion(row_set.converter, *_reach(row_set, planes))
    return found if found and found.fits(row_set.steps) else None


def _scaled(row_set: RowSet, planes: Sequence[Plane]) -> Scaling | None:
    if row_set.fraction_bits or row_set.noise:
        return None
    return scaling(row_set.converter, *_reach(row_set, planes))


def _reach(row_set: RowSet, planes: Sequence[Plane]) -> tuple[int, int]:
    """The smallest and the largest sum of some planes."""
    reaches = [reach(row_set, plane) for plane in planes]
    return min(low for low, _ in reaches), max(high for _, high in reaches)


def _integers(
    row_set: RowSet, planes: Sequence[Plane], short: ShortConversion | None, scaled: Scaling | None
) -> list[int]:
    """The integers of a compiled converter; see `cim_adc` in crossbar.h."""
    converter = row_set.converter
    shifts = (
        converter.step is AdcStep.POWER_OF_TWO
        and converter.rounding is Rounding.HALF_UP
        and not row_set.fraction_bits
        and not row_set.noise
    )
    lsb = int(converter.lsb)
    own = [SHIFT if shifts else ROUND, lsb >> 1, lsb.bit_length() - 1, *converter.code_range]
    own.append(ROUNDINGS[converter.rounding])
    return [*own, *_short_integers(row_set, planes, short), *(scaled or NOT_SCALED).numbers()]


def _short_integers(row_set: RowSet, planes: Sequence[Plane], short: ShortConversion | None) -> list[int]:
    if short is None:
        return [0] * 10
    start = short.first_code * sum(step.factor for step in row_set.steps)
    is_signed = short.totals(row_set.steps)[0] < 0
    tie = (0, 0) if short.tie_bit is None else (1, short.tie_bit)
    starts = short.starts(*_reach(row_set, planes))
    own = [int(starts), short.low, short.high, short.shift, short.offset, short.factor, *tie]
    return [*own, _wrapped(start), int(is_signed)]


def _wrapped(number: int) -> int:
    """The number modulo 2^16, as a signed 16-bit integer."""
    return ((number + (1 << 15)) & 0xFFFF) - (1 << 15)


def _compiled(
    form: Form,
    planes: Sequence[Plane],
    extent: Extent,
    steps: Sequence[Step],
    integers: Sequence[int],
    reals: npt.NDArray[np.float64],
    counters: tuple[int, int, int],
) -> Any:
    packed = pack_planes(form, planes, extent)
    return kernels().RowSet(
        form.value,
        planes[0].cells.shape[0],
        min(8, extent.cell_bits),
        extent.signs,
        np.array(steps, np.int32),
        packed.table,
        packed.cells,
        packed.factors,
        packed.lookups.starts,
        np.array([packed.lookups.at_once, packed.lookups.total, packed.lookups.cell_centre], np.int32),
        np.array(integers, np.int32),
        reals.astype(np.float32),
        np.array(counters, np.uint32),
    )
