"""The analog-to-digital converter: column sums to codes, codes to values.

    exact         code = rint((clip(S, lo, hi) - lo) * inv_lsb)      value = code * lsb + lo
    power_of_two  code = clip((S + lsb/2) >> log2(lsb))              value = code * lsb

`lsb = max(1, (hi - lo) / (2^bits - 1))`, or the next power of two. Codes are computed in float32, as a converter's
transfer function is defined here, values in float64.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.spec.chip import AdcStep, Chip

LARGEST_EXACT_SUM = 1 << 24
"""Column sums up to here are exact in float32."""


@dataclass(frozen=True, slots=True)
class Converter:
    """An ADC with its range. `low` and `high` are column sums; codes are integers."""

    low: float
    high: float
    bits: int
    step: AdcStep

    @classmethod
    def of(cls, chip: Chip, full_scale: float | None) -> "Converter":
        """The converter of `chip`: `[0, full_scale]`, or symmetric where differences are converted.

        Raises `ValueError` where a full scale is not positive, or column sums could exceed what float32 holds exactly.
        """
        largest = chip.largest_column_sum
        if largest > LARGEST_EXACT_SUM:
            raise ValueError(f"column sums reach {largest}; beyond {LARGEST_EXACT_SUM} they are not exact")
        high = float(largest) if full_scale is None else float(full_scale)
        if not (math.isfinite(high) and high > 0):
            raise ValueError(f"full_scale is {full_scale}; it must be a positive number")
        return cls(-high if chip.converts_differences else 0.0, high, chip.adc.bits, chip.adc.step)

    @property
    def lsb(self) -> float:
        """Column sum per code."""
        exact = max(1.0, (self.high - self.low) / ((1 << self.bits) - 1))
        return exact if self.step is AdcStep.EXACT else float(1 << math.ceil(math.log2(exact)))

    @property
    def zero(self) -> float:
        """Column sum of code 0."""
        return self.low if self.step is AdcStep.EXACT else 0.0

    @property
    def values_are_integers(self) -> bool:
        """Whether all values are integers, so that products stay int64."""
        return self.lsb.is_integer() and self.zero.is_integer()

    def is_lossless(self, smallest: int, largest: int) -> bool:
        """Whether every sum in `smallest .. largest` comes back as it was."""
        if self.lsb != 1 or not self.zero.is_integer():
            return False
        if self.step is AdcStep.EXACT:
            return self.low <= smallest and largest <= self.high
        lowest, highest = self._code_range
        return lowest <= smallest and largest <= highest

    def codes(self, sums: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Codes of integer column sums."""
        if self.step is AdcStep.POWER_OF_TWO:
            shift = int(self.lsb).bit_length() - 1
            half = (1 << shift) >> 1
            return np.asarray(np.clip((sums.astype(np.int64) + half) >> shift, *self._code_range))
        low, high, inverse = np.float32(self.low), np.float32(self.high), np.float32(1 / self.lsb)
        clipped = np.clip(sums.astype(np.float32), low, high)
        return np.asarray(np.rint((clipped - low) * inverse).astype(np.int64))

    @property
    def _code_range(self) -> tuple[int, int]:
        """Codes of a power-of-two converter: unsigned, or two's complement."""
        if self.low < 0:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1
