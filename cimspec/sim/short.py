"""Conversion of 16-bit column sums by one multiplication: the ADC of the fastest kernels.

    s = clip(sum, low, high) - low
    code = (((s << shift) + offset + (s >> tie_bit & 1)) * factor >> 16) + first_code

The term with `tie_bit` is there where ties are rounded to even: those whose sum has that bit go up. There need not be
numbers that do what a `Converter` does; those returned were tried on every sum that can occur.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cimspec.compiler.slicing import Part
from cimspec.sim.adc import Converter
from cimspec.spec.chip import Rounding

LARGEST = 0xFFFF
"""The largest unsigned 16-bit number."""


@dataclass(frozen=True, slots=True)
class ShortConversion:
    """The numbers of the formula above."""

    low: int
    high: int
    shift: int
    offset: int
    factor: int
    tie_bit: int | None
    first_code: int
    last_code: int

    def starts(self, smallest: int, largest: int) -> bool:
        """Whether sums in `smallest .. largest` can start at `offset`, and all that is left is the factor."""
        is_plain = self.low == 0 and self.shift == 0 and self.tie_bit is None
        return is_plain and smallest >= 0 and largest <= self.high and largest + self.offset <= LARGEST

    def totals(self, steps: tuple[Part, ...]) -> tuple[int, int]:
        """The smallest and the largest sum over `steps` of step factor times code."""
        ends = [sorted((step.factor * self.first_code, step.factor * self.last_code)) for step in steps]
        return sum(low for low, _ in ends), sum(high for _, high in ends)

    def fits(self, steps: tuple[Part, ...]) -> bool:
        """Whether these totals, too, are 16-bit numbers."""
        smallest, largest = self.totals(steps)
        return (smallest >= 0 and largest <= LARGEST) or (smallest >= -(1 << 15) and largest < 1 << 15)


def short_conversion(converter: Converter, smallest: int, largest: int) -> ShortConversion | None:
    """The formula for sums in `smallest .. largest`, or None where there is none."""
    if smallest < -(1 << 15) or largest > (LARGEST if smallest >= 0 else (1 << 15) - 1):
        return None
    # Unsigned sums are clipped from above only. The converter's whole range serves all its sets of rows.
    lowest, highest = int(np.floor(converter.clip_low)), int(np.ceil(converter.clip_high))
    if smallest >= 0:
        lowest = max(0, lowest)
        if lowest > 0:
            return None
    elif lowest < -(1 << 15) or highest >= 1 << 15:
        lowest, highest = max(smallest, lowest), min(largest, highest)
    found = _formula(converter, lowest, highest)
    return found or _formula(converter, max(smallest, lowest), min(largest, highest))


@lru_cache(maxsize=4096)
def _formula(converter: Converter, low: int, high: int) -> ShortConversion | None:
    if low > high or high - low > LARGEST or high > LARGEST:
        return None
    codes = converter.codes(np.arange(low, high + 1))
    steps = np.arange(high - low + 1, dtype=np.int64)
    for tie_bit in tie_bits(converter, low, codes):
        raised = steps * 0 if tie_bit is None else steps >> tie_bit & 1
        for shift, offset, factor in _candidates(converter, low, high - low):
            found = ((steps << shift) + offset + raised) * factor >> 16
            if np.array_equal(found, codes - codes[0]):
                return ShortConversion(low, high, shift, offset, factor, tie_bit, int(codes[0]), int(codes[-1]))
    return None


def tie_bits(converter: Converter, low: int, codes: npt.NDArray[np.int64]) -> tuple[int | None, ...]:
    """Bits of the sums less `low` that tell which ties go up; None where all go the same way.

    `codes` are those of the sums from `low` on.
    """
    sums = np.arange(low, low + len(codes)).astype(np.float32)
    scaled = (sums - np.float32(converter.zero)) * converter.inverse
    ties = np.flatnonzero(scaled - np.floor(scaled) == np.float32(0.5))
    ups = codes[ties] > scaled[ties]
    if ups.all() or not ups.any():
        return (None,)
    return tuple(bit for bit in range(16) if np.array_equal(ties >> bit & 1, ups))


def _candidates(converter: Converter, low: int, span: int) -> Iterator[tuple[int, int, int]]:
    """Shifts, offsets and factors that may do: `s / lsb` and a phase, with a half unless codes are rounded down."""
    half = 0.0 if converter.rounding is Rounding.DOWN else 0.5
    phase = ((low - converter.zero) / converter.lsb + half) % 1
    for shift in range(16):
        scaled = converter.lsb * (1 << shift)
        for factor in dict.fromkeys((round(65536 / scaled), int(65536 // scaled), int(-(-65536 // scaled)))):
            if not 0 < factor <= LARGEST:
                continue
            for nudge in (0, 1, -1, 2, -2):
                offset = int(scaled * phase) + nudge
                if offset >= 0 and (span << shift) + offset < LARGEST:
                    yield shift, offset, factor
