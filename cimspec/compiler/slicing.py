"""Cut integers to fit cells and converters: weights into slices, activations into steps, least significant first.

Counts follow the table of encodings in README, "What the numbers mean"; `slices = full` and `steps = full` charge what
arXiv 2601.21737 charges, and never fewer than the encoding needs.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.spec.chip import Chip, Encoding, SignedInputs, SliceCount, StepCount

IntArray = npt.NDArray[Any]


def ceil_divide(value: int, divisor: int) -> int:
    """`ceil(value / divisor)` of integers."""
    return -(-value // divisor)


class Sign(IntEnum):
    """Which part of an integer a Part cuts."""

    NEGATIVE = -1  # max(-x, 0)
    WHOLE = 0  # x itself: not negative, or two's complement
    POSITIVE = 1  # max(x, 0)


@dataclass(frozen=True, slots=True)
class Part:
    """Some bits of an integer, or of its positive or negative part: `factor * digit`.

    `digit = (x >> shift) & mask`, where x is what `sign` says. All parts of an integer add up to it.
    """

    shift: int
    mask: int
    factor: int
    sign: Sign = Sign.WHOLE

    def digits(self, integers: IntArray) -> IntArray:
        """The digit of each integer, `0 .. mask`."""
        if self.sign:
            integers = np.maximum(integers * int(self.sign), 0)
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
    """Steps of one activation.

    A signed one is two's complement, its sign in a step of its own, or the steps of its positive part followed by
    those of its negative part, which is never less than `steps = full` charges.
    """
    width = chip.dac.bits
    full = ceil_divide(activation_bits, width) if chip.steps is StepCount.FULL else 0
    if not signed:
        return _unsigned_parts(activation_bits, width, max(full, ceil_divide(activation_bits, width)))
    bits = activation_bits - 1
    if chip.dac.signed is SignedInputs.POSITIVE_NEGATIVE:
        magnitude = _unsigned_parts(bits, width, ceil_divide(bits, width))
        positive = tuple(replace(part, sign=Sign.POSITIVE) for part in magnitude)
        negative = tuple(replace(part, sign=Sign.NEGATIVE, factor=-part.factor) for part in magnitude)
        return positive + negative
    count = max(full - 1, ceil_divide(bits, width))
    return (*_unsigned_parts(bits, width, count), Part(bits, 1, -(1 << bits)))


def largest_input(steps: tuple[Part, ...]) -> int:
    """The largest magnitude of the activations that `steps` cut; signed ones are symmetric."""
    return sum(step.factor * step.mask for step in steps if step.factor > 0)


def has_sign(steps: tuple[Part, ...]) -> bool:
    """Whether the activations that `steps` cut can be negative."""
    return any(step.factor < 0 for step in steps)
