"""Conversion of column sums by additions: the ADC of the kernels that add planes of bits.

    x = sum + start;   x = (x << shift) + constant +- x for each term;   code = clip(x >> shift, lowest, highest)

The last term also adds a bit of `sum + start` where ties are rounded to even: those whose sum has that bit go up.

`x +- (x << shift)` is one addition of planes, and the last shift drops planes. ADCs of 2^n codes on crossbars of 2^m
rows need few terms: 255/256 is (2^8 - 1) >> 8, and 85/256 is (2^2 + 1)(2^4 + 1) >> 8. There need not be numbers that do
what a `Converter` does, as for half of arbitrary ranges; those returned do it for every sum that can occur.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.sim.adc import Converter
from cimspec.sim.short import tie_bits

MOST_TERMS = 3
MOST_ADDED_BITS = 22
"""By which all terms together can widen a sum, each its shift and one more."""

UNLIMITED = 1 << 30
"""Where no sum is clipped."""

LARGEST_START = 1 << 16
LARGEST_SHIFT = 17
"""Without terms; with terms, by their shifts more."""

MOST_TRIED, MOST_STARTS, MOST_OFFSETS = 256, 3, 16
"""Products of terms, the cheapest first, starts and offsets of each."""


@dataclass(frozen=True, slots=True)
class Term:
    """`(x << shift) + constant + x`, or less x."""

    shift: int
    is_minus: bool
    constant: int = 0

    @property
    def factor(self) -> int:
        """What x is multiplied by."""
        return (1 << self.shift) + (-1 if self.is_minus else 1)


@dataclass(frozen=True, slots=True)
class Scaling:
    """The numbers of the formula above."""

    start: int
    shift: int
    lowest: int
    highest: int
    terms: tuple[Term, ...]
    tie_bit: int | None = None

    def codes(self, sums: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """The formula."""
        scaled = started = np.asarray(sums, np.int64) + self.start
        for term in self.terms:
            scaled = (scaled << term.shift) + term.constant + (-scaled if term.is_minus else scaled)
        if self.tie_bit is not None:
            scaled = scaled + (started >> self.tie_bit & 1) - self.terms[-1].is_minus
        return np.asarray(np.clip(scaled >> self.shift, self.lowest, self.highest))

    def with_offset(self, offset: int) -> "Scaling | None":
        """With constants that add up to this, multiplied by the terms behind them. Without ties, `start` is free."""
        weight, has_ties = _product(self.terms), self.tie_bit is not None
        start = self.start if has_ties else offset // weight
        rest = offset - start * weight + (has_ties and self.terms[-1].is_minus)
        terms = []
        for term in self.terms:
            weight //= term.factor
            constant = min(max(0, rest) // weight, (1 << term.shift) - 1)
            rest -= constant * weight
            terms.append(replace(term, constant=constant))
        return replace(self, start=start, terms=tuple(terms)) if rest == 0 else None

    def numbers(self) -> list[int]:
        """As the compiled kernels take them: `cim_scaling` in crossbar.h."""
        tie_bit = -1 if self.tie_bit is None else self.tie_bit
        terms = [number for term in self.terms for number in (term.shift, int(term.is_minus), term.constant)]
        unused = [0] * (3 * (MOST_TERMS - len(self.terms)))
        return [self.start, self.shift, self.lowest, self.highest, tie_bit, len(self.terms), *terms, *unused]


@lru_cache(maxsize=4096)
def scaling(converter: Converter, smallest: int, largest: int) -> Scaling | None:
    """The formula for sums of columns in `smallest .. largest` levels, with the fewest terms, or None."""
    start = max(0, -math.floor(converter.zero))  # ties are told apart from there
    if start > LARGEST_START:
        return None
    runs = _Runs.of(converter, smallest, largest)
    from_start = np.arange(-start, min(largest, math.floor(converter.clip_high)) + 1)
    for terms in _candidates(converter.lsb, runs):
        for tie_bit in tie_bits(converter, -start, converter.codes(from_start)):
            found = runs.scaled_by(terms, converter.lsb, start, tie_bit)
            if found is not None:
                return found
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """Codes that occur, ascending, the first and the last sum of each, and between which codes sums are clipped."""

    codes: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    lowest: int
    highest: int

    @classmethod
    def of(cls, converter: Converter, smallest: int, largest: int) -> "_Runs":
        sums = np.arange(smallest, largest + 1, dtype=np.int64)
        codes = converter.codes(sums)
        starts = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1])
        ends = np.concatenate([starts[1:], [len(sums)]]) - 1
        lowest = int(codes[0]) if smallest < converter.clip_low else -UNLIMITED
        highest = int(codes[-1]) if largest > converter.clip_high else UNLIMITED
        return cls(codes[starts], sums[starts], sums[ends], lowest, highest)

    def scaled_by(self, terms: tuple[Term, ...], lsb: float, start: int, tie_bit: int | None) -> Scaling | None:
        """The formula with these terms and `start`, or a little more; their constants are still to be found."""
        shift = max(0, round(math.log2(_product(terms) * lsb)))
        if shift > LARGEST_SHIFT + sum(term.shift for term in terms) or (not terms and tie_bit is not None):
            return None
        for more in range(1 if tie_bit is None else MOST_STARTS):
            low, high = self._offsets(_product(terms), shift, start + more, tie_bit)
            for offset in range(max(0, low), min(high, low + MOST_OFFSETS) + 1):
                own = Scaling(start + more, shift, self.lowest, self.highest, terms, tie_bit)
                found = own.with_offset(offset)
                if found is not None and found.start <= LARGEST_START:
                    return found
        return None

    def _offsets(self, factor: int, shift: int, start: int, tie_bit: int | None) -> tuple[int, int]:
        """What is added to `factor * sum` at least and at most."""

        def scaled(sums: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
            return factor * sums if tie_bit is None else factor * sums + ((sums + start) >> tie_bit & 1)

        # Scaled sums and an offset reach each code's multiple of 2^shift, and stay below that of the next one; what is
        # clipped need not.
        least = ((self.codes << shift) - scaled(self.first))[self.codes > self.lowest]
        most = (((self.codes + 1) << shift) - 1 - scaled(self.last))[self.codes < self.highest]
        return int(least.max(initial=0)), int(most.min(initial=UNLIMITED))


def _product(terms: tuple[Term, ...]) -> int:
    return math.prod(term.factor for term in terms)


def _candidates(lsb: float, runs: _Runs) -> Iterator[tuple[Term, ...]]:
    """Terms whose product is about a power of two over `lsb`: so near that codes can be right from end to end."""
    products, factors = _products()
    scaled = factors * lsb
    strays = np.abs(scaled / np.exp2(np.round(np.log2(scaled))) - 1)
    steps = max(1, int(runs.codes[-1] - runs.codes[0]))
    for index in np.flatnonzero(strays * steps <= 1)[:MOST_TRIED]:
        yield products[index]


@cache
def _products() -> tuple[tuple[tuple[Term, ...], ...], npt.NDArray[np.float64]]:
    """Terms with different products, those that take the fewest additions first, and these products."""
    singles = [
        Term(shift, is_minus) for shift in range(1, 13) for is_minus in (False, True) if shift > 1 or not is_minus
    ]
    found: dict[int, tuple[Term, ...]] = {}
    for count in range(MOST_TERMS + 1):
        chosen = combinations_with_replacement(singles, count)
        for terms in sorted(chosen, key=lambda terms: sum(term.shift for term in terms)):
            if sum(term.shift + 1 for term in terms) <= MOST_ADDED_BITS:
                found.setdefault(_product(terms), terms)
    return tuple(found.values()), np.array(list(found), np.float64)
