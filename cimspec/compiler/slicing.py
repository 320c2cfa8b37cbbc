"""Cut integers to fit cells and converters: weights into slices, activations into steps, least significant first.

Counts follow the table of encodings in README, "What the numbers mean"; `slices = full` and `steps = full` charge what
arXiv 2601.21737 charges, and never fewer than the encoding needs.
"""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from cimspec.spec.chip import Chip, Encoding, SliceCount, StepCount

IntArray = npt.NDArray[Any]


def ceil_divide(value: int, divisor: int) -> int:
    """`ceil(value / divisor)` of integers."""
    return -(-value // divisor)


@dataclass(frozen=True, slots=True)
class Part:
    """Some bits of an integer: `factor * digit`, where `digit = (integer >> shift) & mask`."""

    shift: int
    mask: int
    factor: int

    def digits(self, integers: IntArray) -> IntArray:
        """The digit of each non-negative integer, `0 .. mask`."""
        return (integers >> self.shift) & self.mask


def _unsigned_parts(bits: int, width: int, count: int) -> tuple[Part, ...]:
    """`count` parts of `width` bits that hold integers of `bits` bits; parts beyond those bits hold zeros."""
    return tuple(
        Part(width * index, (1 << max(0, min(width, bits - width * index))) - 1, 1 << (width * index))
        for index in range(count)
    )


def weight_slices(chip: Chip, weight_bits: int) -> tuple[Part, ...]:
    """Slices of one weight: of its magnitude, of `w + 2^(w-1)`, or of its two's complement, by the chip's encoding."""
    width = chip.crossbar.cell_bits
    full = ceil_divide(weight_bits, width) if chip.slices is SliceCount.FULL else 0
    match chip.crossbar.encoding:
        case Encoding.DIFFERENTIAL_COLUMNS | Encoding.DIFFERENTIAL_ROWS:
            bits = weight_bits - 1
            return _unsigned_parts(bits, width, max(full, ceil_divide(bits, width)))
        case Encoding.OFFSET:
            return _unsigned_parts(weight_bits, width, ceil_divide(weight_bits, width))
        case Encoding.TWOS_COMPLEMENT:
            bits = weight_bits - 1
            count = max(full - 1, ceil_divide(bits, width))
            return (*_unsigned_parts(bits, width, count), Part(bits, 1, -(1 << bits)))


def input_steps(chip: Chip, activation_bits: int, signed: bool) -> tuple[Part, ...]:
    """Steps of one activation; a signed one is two's complement, its sign in a step of its own."""
    width = chip.dac.bits
    full = ceil_divide(activation_bits, width) if chip.steps is StepCount.FULL else 0
    if not signed:
        return _unsigned_parts(activation_bits, width, max(full, ceil_divide(activation_bits, width)))
    bits = activation_bits - 1
    count = max(full - 1, ceil_divide(bits, width))
    return (*_unsigned_parts(bits, width, count), Part(bits, 1, -(1 << bits)))
