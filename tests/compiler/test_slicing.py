"""Weights and activations in parts: how many there are, and that they add up to the integer."""

import numpy as np
import pytest
from hypothesis import given

from cimspec.compiler.slicing import Part, Sign, has_sign, input_steps, largest_input
from cimspec.quant.parameters import activation_range
from cimspec.spec.chip import Adc, Chip, Crossbar, Dac, Encoding, SignedInputs, StepCount
from tests.sim.strategies import chips


def make_chip(dac_bits: int, *, signed: SignedInputs, steps: StepCount = StepCount.EXACT) -> Chip:
    crossbar = Crossbar(
        rows=4, columns=4, cell_bits=1, encoding=Encoding.OFFSET, write_latency_ns=1.0, read_latency_ns=1.0
    )
    return Chip(name="test", crossbar=crossbar, adc=Adc(bits=8), dac=Dac(bits=dac_bits, signed=signed), steps=steps)


@pytest.mark.parametrize(
    ("signed", "dac_bits", "activation_bits", "count"),
    [
        (SignedInputs.TWOS_COMPLEMENT, 1, 8, 8),  # 1 + ceil(7 / 1)
        (SignedInputs.TWOS_COMPLEMENT, 3, 8, 4),  # 1 + ceil(7 / 3)
        (SignedInputs.POSITIVE_NEGATIVE, 1, 8, 14),  # 2 * ceil(7 / 1)
        (SignedInputs.POSITIVE_NEGATIVE, 3, 8, 6),  # 2 * ceil(7 / 3)
        (SignedInputs.POSITIVE_NEGATIVE, 8, 2, 2),  # 2 * ceil(1 / 8)
    ],
)
@pytest.mark.parametrize("steps", StepCount)  # ceil(a / dac) is less for each of these
def test_steps_of_a_signed_activation(signed, dac_bits, activation_bits, count, steps):
    assert len(input_steps(make_chip(dac_bits, signed=signed, steps=steps), activation_bits, signed=True)) == count


def test_the_positive_part_comes_first_and_the_negative_one_is_subtracted():
    # 4 bits, 2 at once: magnitudes 0 .. 7 in digits of 2 bits and 1 bit. -6 = -(2 + 4 * 1).
    steps = input_steps(make_chip(2, signed=SignedInputs.POSITIVE_NEGATIVE), 4, signed=True)
    assert steps == (
        Part(0, 3, 1, Sign.POSITIVE),
        Part(2, 1, 4, Sign.POSITIVE),
        Part(0, 3, -1, Sign.NEGATIVE),
        Part(2, 1, -4, Sign.NEGATIVE),
    )
    assert [int(step.digits(np.array(-6))) for step in steps] == [0, 0, 2, 1]
    assert [int(step.digits(np.array(6))) for step in steps] == [2, 1, 0, 0]


@given(chips())
def test_the_steps_of_an_activation_add_up_to_it(chip: Chip):
    for activation_bits in range(2, 9):
        for signed in (False, True):
            low, high = activation_range(activation_bits, signed)
            possible = np.arange(low, high + 1)
            steps = input_steps(chip, activation_bits, signed)
            digits = [step.digits(possible) for step in steps]
            assert all(digit.min() >= 0 and digit.max() <= chip.largest_digit for digit in digits)
            total = sum(step.factor * digit for step, digit in zip(steps, digits, strict=True))
            assert np.array_equal(total, possible)
            assert (largest_input(steps), has_sign(steps)) == (high, signed)
