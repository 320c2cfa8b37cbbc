"""Conversion of 16-bit column sums by one multiplication: the ADC of the fastest kernels.

    code = ((((clip(sum, low, high) - low) << shift) + offset) * factor >> 16) + first_code

There need not be numbers that do what a `Converter` does; those returned were tried on every sum that can occur.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cimspec.compiler.slicing import Part
from cimspec.sim.adc import Converter

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
    first_code: int
    last_code: int

    def totals(self, steps: tuple[Part, ...]) -> tuple[int, int]:
        """The smallest and the largest sum over `steps` of step factor times code."""
        ends = [sorted((step.factor * self.first_code, step.factor * self.last_code)) for step in steps]
        return sum(low for low, _ in ends), sum(high for _, high in ends)

    def fits(self, steps: tuple[Part, ...]) -> bool:
        """Whether these totals, too, are 16-bit numbers."""
        smallest, largest = self.totals(steps)
        return (smallest >= 0 and largest <= LARGEST) or (smallest >= -(1 << 15) and largest < 1 << 15)


@lru_cache(maxsize=4096)
def short_conversion(converter: Converter, smallest: int, largest: int) -> ShortConversion | None:
    """The formula for sums in `smallest .. largest`, or None where there is none."""
    # The kernels clip sums before they subtract `low`, signed ones as signed numbers.
    low = max(smallest, int(np.floor(converter.clip_low)))
    high = min(largest, int(np.ceil(converter.clip_high)))
    if smallest < -(1 << 15) or largest > (LARGEST if smallest >= 0 else (1 << 15) - 1) or low > high:
        return None
    if smallest >= 0 and low > 0:
        return None  # unsigned sums are clipped from above only
    codes = converter.codes(np.arange(low, high + 1))
    steps = np.arange(high - low + 1, dtype=np.int64)
    for shift, offset, factor in _candidates(converter.lsb, high - low):
        if np.array_equal(((steps << shift) + offset) * factor >> 16, codes - codes[0]):
            return ShortConversion(low, high, shift, offset, factor, int(codes[0]), int(codes[-1]))
    return None


def _candidates(lsb: float, span: int) -> Iterator[tuple[int, int, int]]:
    """Shifts, offsets and factors that may do: `sum / lsb + 1/2`, or without the half where codes are rounded down."""
    for shift in range(16):
        scaled = lsb * (1 << shift)
        for factor in dict.fromkeys((round(65536 / scaled), int(65536 // scaled), int(-(-65536 // scaled)))):
            if not 0 < factor <= LARGEST:
                continue
            for half in (scaled / 2, 0.0):
                for nudge in (0, 1, -1, 2, -2):
                    offset = int(half) + nudge
                    if offset >= 0 and (span << shift) + offset <= LARGEST:
                        yield shift, offset, factor
