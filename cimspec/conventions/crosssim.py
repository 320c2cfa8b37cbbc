"""The matrix-vector product of CrossSim 3.2 (github.com/sandialabs/cross-sim), for ideal cells.

Written after its sources (balanced, offset and bit-sliced core, `IADC.set_limits`, quantizer and sign-magnitude ADC);
no code is shared. CrossSim computes with weights and inputs scaled to 1; here all is in integer units of one cell times
one input, and the levels of the ADC are exact fractions. Where a description of its rules leaves a choice, the sources
decided:

- Levels: `v = rint((clip(S) - low) / lsb) * lsb + low`, halves to even. CrossSim's own float error may tip a half.
- MAX (full scale = rows): `rows` of normalized current. That is `rows * cell_max` per input bit, and times the largest
  input where the whole product is converted.
- MAX of a bit-sliced offset core: `rows * 2^c` per input bit, rows rounded up to a power of two, and times `2^m` per
  product (m magnitude bits of the input). Releases differ here: some sources add `2^m / (2^m - 1)` and
  `(2^b - 2) / 2^b`, which cancel where b bits convert b-bit inputs. A full scale may be given as a number.
- GRANULAR: a level is `2^m / (2^m - 1)` cell steps per input bit, `2^m` per product.
  Cores that are not sliced take `1 / 2^weight_bits` of the normalized current for a step, so it depends on
  `weight_bits`; where that is not given, a step is one cell's.
- The range is symmetric for signed inputs and balanced cores, and starts at 0 for unsigned inputs of an offset core.
- A unit column holds `2^(c-1)` in the top slice and 0 in the others; it is converted like any column.

Infinite on/off ratio, one array (CrossSim cuts a matrix of more than `rows_max` rows), currents subtracted before the
ADC, inputs applied one bit at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from cimspec.conventions.crosssim_settings import Adc, AdcModel, AdcRange, Core, Style, read_adc, read_core
from cimspec.conventions.operands import IntArray, Operands, check_range

FloatArray = npt.NDArray[np.float64]


def crosssim(
    weights: npt.ArrayLike,
    inputs: npt.ArrayLike,
    *,
    core: str = "balanced",
    adc_bits: int | None = None,
    adc_range: str | float | None = None,
    per_input_bit: bool | None = None,
    adc: str | None = None,
    weight_bits: int | None = None,
    cell_bits: int | None = None,
    slices: int | Sequence[int] | None = None,
    unit_column: bool | None = None,
    input_bits: int = 4,
    signed_inputs: bool = True,
) -> FloatArray:
    """The product `inputs @ weights.T` as CrossSim computes it, in integer units.

    `weights [outputs, inputs]` and `inputs [inputs]` or `[vectors, inputs]` are integers; returns float64 `[outputs]`
    or `[vectors, outputs]`. Vectors do not influence each other.

    - `core`: `"balanced"` or `"offset"`, or a phrase such as `"balanced, cell 3 bit"`, `"bit-sliced offset, 4 bit
      weights, 2 slices, unit column"`. `weight_bits` (4), `cell_bits`, `slices` (1; 2 for offset) and `unit_column`
      (False) say the same in numbers; what is not given follows from the others. One slice is CrossSim's core of that
      style, more are its bit-sliced core.
    - `adc_bits`: 0 is ideal. `adc_range`: `"max"` or `"rows"` (default), `"granular"`, or a full scale in integer
      units. `per_input_bit`: one conversion per input bit (default), or one per product.
    - `adc`: the same as a phrase, such as `"sign-magnitude 6 bit, full scale = rows, one conversion per product"`. It
      can also name the model; by default `sign-magnitude` where the range is symmetric, `quantizer` where it is not.
    - `input_bits` include the sign where `signed_inputs`; inputs are a sign times magnitude bits.

    Raises `ValueError` for unknown names, settings that contradict each other, and operands that do not fit.
    """
    operands = Operands.of(weights, inputs)
    stored = read_core(core, weight_bits=weight_bits, cell_bits=cell_bits, slices=slices, unit_column=unit_column)
    converter = read_adc(adc, adc_bits=adc_bits, adc_range=adc_range, per_input_bit=per_input_bit)
    dac = _Dac.of(input_bits, signed_inputs)
    limit = stored.weight_limit
    check_range("weights", operands.weights, -limit, limit, f"weight_bits = {stored.weight_bits}")
    low = -dac.largest if dac.is_signed else 0
    check_range("inputs", operands.inputs, low, dac.largest, dac.reason)
    return np.asarray(operands.shaped(_multiply(stored, converter, dac, operands)))


@dataclass(frozen=True, slots=True)
class _Dac:
    """How inputs are applied: their magnitude bits, one at a time, with their sign."""

    magnitude_bits: int
    is_signed: bool

    @classmethod
    def of(cls, bits: int, is_signed: bool) -> "_Dac":
        fewest = 2 if is_signed else 1
        if not fewest <= bits <= 31:
            raise ValueError(f"input_bits is {bits}; it is {fewest} .. 31")
        return cls(bits - 1 if is_signed else bits, is_signed)

    @property
    def largest(self) -> int:
        return int((1 << self.magnitude_bits) - 1)

    @property
    def reason(self) -> str:
        bits = self.magnitude_bits + self.is_signed
        return f"input_bits = {bits}, signed_inputs = {self.is_signed}"

    def reads(self, inputs: IntArray) -> list[IntArray]:
        """One array `[vectors, inputs]` of -1, 0, 1 per magnitude bit, least significant first."""
        return [np.sign(inputs) * ((np.abs(inputs) >> bit) & 1) for bit in range(self.magnitude_bits)]


@dataclass(frozen=True, slots=True)
class _Levels:
    """The levels of a converter: `intervals + 1` of them from `low` on, `lsb` apart."""

    low: Fraction
    lsb: Fraction
    intervals: int

    def convert(self, sums: IntArray) -> FloatArray:
        # Multiplying before dividing keeps halves exact, so that rint sees them.
        position = sums * float(self.lsb.denominator) / float(self.lsb.numerator)
        codes = np.clip(np.rint(position - float(self.low / self.lsb)), 0, self.intervals)
        return np.asarray(codes * float(self.lsb) + float(self.low))


def _multiply(core: Core, adc: Adc, dac: _Dac, operands: Operands) -> FloatArray:
    levels = _levels(core, adc, dac, operands.weights.shape[1]) if adc.bits else None
    total = np.zeros((len(operands.inputs), len(operands.weights)))
    for index, cells in enumerate(_slices(core, operands.weights)):
        product = _convert_slice(cells, operands.inputs, levels, adc, dac)
        if core.unit_column:
            content = 1 << (core.cell_bits - 1) if index == core.slices - 1 else 0
            unit = np.full((1, cells.shape[1]), content)
            product -= _convert_slice(unit, operands.inputs, levels, adc, dac)
        total += product * float(1 << (index * core.cell_bits))
    if core.style is Style.OFFSET and not core.unit_column:
        total -= float(1 << (core.weight_bits - 1)) * operands.inputs.sum(axis=1, keepdims=True)
    return total


def _convert_slice(columns: IntArray, inputs: IntArray, levels: _Levels | None, adc: Adc, dac: _Dac) -> FloatArray:
    """Products `[vectors, columns]` of one slice, after its conversions."""
    if levels is None:
        return (inputs @ columns.T).astype(np.float64)
    if not adc.per_input_bit:
        return levels.convert(inputs @ columns.T)
    reads = enumerate(dac.reads(inputs))
    return np.asarray(sum(levels.convert(read @ columns.T) * float(1 << bit) for bit, read in reads))


def _slices(core: Core, weights: IntArray) -> list[IntArray]:
    """Cell contents per slice, least significant first, signed where two cells are subtracted."""
    is_offset = core.style is Style.OFFSET
    magnitude = weights + (1 << (core.weight_bits - 1)) if is_offset else np.abs(weights)
    sign = np.ones_like(weights) if is_offset else np.sign(weights)
    return [sign * ((magnitude >> (index * core.cell_bits)) & core.cell_max) for index in range(core.slices)]


def _levels(core: Core, adc: Adc, dac: _Dac, rows: int) -> _Levels:
    is_symmetric = dac.is_signed or core.style is Style.BALANCED
    model = adc.model or (AdcModel.SIGN_MAGNITUDE if is_symmetric else AdcModel.QUANTIZER)
    if model is AdcModel.SIGN_MAGNITUDE and not is_symmetric:
        raise ValueError("a sign-magnitude ADC needs a symmetric range; unsigned inputs of an offset core have none")
    full_scale = _full_scale(core, adc, dac, rows, is_symmetric)
    intervals = (1 << adc.bits) - (2 if model is AdcModel.SIGN_MAGNITUDE else 1)
    if not (full_scale and intervals):
        raise ValueError(f"adc_bits is {adc.bits}; this range of a {model} ADC has a level beside 0 from 2 bits on")
    low = -full_scale if is_symmetric else Fraction(0)
    return _Levels(low, (full_scale - low) / intervals, intervals)


def _full_scale(core: Core, adc: Adc, dac: _Dac, rows: int, is_symmetric: bool) -> Fraction:
    """The top of the range, in units of one cell times one input."""
    if isinstance(adc.range, Fraction):
        return adc.range
    unit = core.cell_max * (1 if adc.per_input_bit else dac.largest)
    input_correction = Fraction(1 << dac.magnitude_bits, dac.largest)
    if adc.range is AdcRange.GRANULAR:
        highest = (1 << (adc.bits - 1)) - 1 if is_symmetric else (1 << adc.bits) - 1
        return _granule(core) * input_correction * highest * unit
    if core.style is Style.BALANCED or core.slices == 1:
        return Fraction(rows * unit)
    padded_rows = 1 << (rows - 1).bit_length()
    return Fraction(padded_rows << core.cell_bits) * (1 if adc.per_input_bit else 1 << dac.magnitude_bits)


def _granule(core: Core) -> Fraction:
    """The smallest step of a normalized current."""
    if core.slices == 1 and core.has_own_weight_bits:
        return Fraction(1, 1 << core.weight_bits)
    return Fraction(1, core.cell_max)
