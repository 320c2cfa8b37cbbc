"""The analog-to-digital converter: column sums to codes, codes to values.

    code = round((clip(S, clip_low, clip_high) - zero) * inverse)      value = code * lsb + zero

in float32, `inverse = float32(1 / lsb)`; values are float64. `lsb = max(1, (high - low) / (codes - 1))`, or the next
power of two. With an exact step, zero and the clipping are the range's; a power of two has `zero = 0` and saturates at
its lowest and highest code, two's complement where sums can be negative.
"""

import math
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from cimspec.compiler.slicing import Part, has_sign, largest_input
from cimspec.sim.device import States
from cimspec.spec.chip import LARGEST_EXACT_SUM, AdcConversion, AdcLevels, AdcRange, AdcStep, Chip, Rounding

LARGEST_FULL_SCALE = 1 << 31
"""Far beyond all column sums; values of codes, weighted and added, stay within 64 bits."""


@dataclass(frozen=True, slots=True)
class Converter:
    """An ADC with its range. `low` and `high` are column sums; codes are integers."""

    low: float
    high: float
    bits: int
    step: AdcStep
    rounding: Rounding
    levels: AdcLevels = AdcLevels.FULL
    conversion: AdcConversion = AdcConversion.PER_STEP

    @classmethod
    def of(cls, chip: Chip, full_scale: float | None, *, rows: int, steps: tuple[Part, ...]) -> "Converter":
        """The converter of `chip` for a set of `rows` rows read at once, whose inputs are cut into `steps`.

        `[0, full_scale]`, or symmetric where sums can be negative: differences, or products of signed inputs. Without a
        full scale, the range is that of the sums that the chip's active rows (or these rows) can make, empty cells'
        currents included where they do not cancel.
        Raises `ValueError` where a full scale is not positive or absurdly large, there is but one level, or column sums
        could exceed what float32 holds exactly.
        """
        adc = chip.adc
        widest = largest_input(steps) if chip.converts_products else chip.largest_digit
        largest = chip.largest_sum(chip.active_rows, widest)
        if largest > LARGEST_EXACT_SUM:
            raise ValueError(f"column sums reach {largest}; beyond {LARGEST_EXACT_SUM} they are not exact")
        counted = rows if adc.range is AdcRange.ROWS_USED else chip.active_rows
        high = chip.largest_sum(counted, widest) + counted * widest * off_level(chip)
        if full_scale is not None:
            high = float(full_scale)
        if not 0 < high <= LARGEST_FULL_SCALE:
            raise ValueError(f"full_scale is {high}; it must be a positive number, at most {LARGEST_FULL_SCALE}")
        if adc.codes < 2:
            raise ValueError("a sign-magnitude ADC of 1 bit has one level; it needs 2 bits")
        is_signed = chip.converts_differences or (chip.converts_products and has_sign(steps))
        low = -high if is_signed else 0.0
        return cls(low, high, adc.bits, adc.step, adc.code_rounding, adc.levels, adc.conversion)

    @property
    def converts_products(self) -> bool:
        """Whether what is converted is the sum over all steps."""
        return self.conversion is AdcConversion.PER_PRODUCT

    @property
    def lsb(self) -> float:
        """Column sum per code."""
        exact = max(1.0, (self.high - self.low) / (self._codes - 1))
        return exact if self.step is AdcStep.EXACT else float(1 << math.ceil(math.log2(exact)))

    @property
    def inverse(self) -> np.float32:
        """Codes per column sum."""
        return np.float32(1 / self.lsb)

    @property
    def zero(self) -> float:
        """Column sum of code 0."""
        return self.low if self.step is AdcStep.EXACT else 0.0

    @property
    def clip_low(self) -> float:
        """The lowest column sum that is told from others."""
        return self.low if self.step is AdcStep.EXACT else self.code_range[0] * self.lsb

    @property
    def clip_high(self) -> float:
        """The highest column sum that is told from others."""
        return self.high if self.step is AdcStep.EXACT else self.code_range[1] * self.lsb

    @property
    def code_range(self) -> tuple[int, int]:
        """Lowest and highest code: from 0, or about 0 where a power-of-two converter has negative sums."""
        if self.step is AdcStep.POWER_OF_TWO and self.low < 0:
            half = 1 << (self.bits - 1)
            return half - self._codes, half - 1
        return 0, self._codes - 1

    @property
    def values_are_integers(self) -> bool:
        """Whether all values are integers, so that products stay int64."""
        return self.lsb.is_integer() and self.zero.is_integer()

    def is_lossless(self, smallest: int, largest: int) -> bool:
        """Whether every integer sum in `smallest .. largest` comes back as it was."""
        return self.lsb == 1 and self.zero.is_integer() and self.clip_low <= smallest and largest <= self.clip_high

    def codes(self, sums: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Codes of column sums, integers or not."""
        clipped = np.clip(sums.astype(np.float32), np.float32(self.clip_low), np.float32(self.clip_high))
        return _round((clipped - np.float32(self.zero)) * self.inverse, self.rounding).astype(np.int64)

    def values(self, codes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """What codes stand for."""
        return np.asarray(codes * self.lsb + self.zero, np.float64)

    @property
    def _codes(self) -> int:
        return (1 << self.bits) - (self.levels is AdcLevels.SIGN_MAGNITUDE)


def off_level(chip: Chip) -> float:
    """What an empty cell adds to a column's sum, in levels, where it does not cancel."""
    if chip.converts_differences:
        return 0.0
    return float(States.of(chip.device, chip.crossbar.cell_bits).mean[0])


def _round(scaled: npt.NDArray[np.float32], rounding: Rounding) -> npt.NDArray[np.float32]:
    half = np.float32(0.5)
    match rounding:
        case Rounding.HALF_EVEN:
            return np.rint(scaled)
        case Rounding.HALF_UP:
            return np.asarray(np.floor(scaled + half))
        case Rounding.HALF_AWAY:
            return np.asarray(np.trunc(scaled + np.copysign(half, scaled)))
        case Rounding.DOWN:
            return np.floor(scaled)
        case _:
            assert_never(rounding)
