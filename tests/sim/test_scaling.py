"""Conversion by additions: what it computes is the converter's code for every sum, by the formula of its docstring."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimspec.sim.adc import Converter
from cimspec.sim.scaling import LARGEST_SHIFT, UNLIMITED, Scaling, Term, scaling
from cimspec.spec.chip import AdcStep, Rounding


def exact(low: float, high: float, bits: int, rounding: Rounding = Rounding.HALF_EVEN) -> Converter:
    return Converter(low, high, bits, AdcStep.EXACT, rounding)


def test_the_formula_by_hand():
    # x = 10 + 1 = 11; (11 << 2) + 3 + 11 = 58; (58 << 3) + 4 - 58 = 410; 410 >> 4 = 25, clipped at 20.
    terms = (Term(2, False, 3), Term(3, True, 4))
    assert Scaling(1, 4, 0, 99, terms).codes(np.array([10])) == [25]
    assert Scaling(1, 4, 0, 20, terms).codes(np.array([10])) == [20]
    # Bit 1 of 11 is set: as a minus, the last term takes 1 off and adds the bit.
    assert Scaling(1, 0, 0, 999, terms, tie_bit=1).codes(np.array([10])) == [410]
    assert Scaling(1, 0, 0, 999, terms, tie_bit=2).codes(np.array([10])) == [409]


@pytest.mark.parametrize(
    ("high", "bits", "factors"),
    [
        (128, 8, ()),  # 129 sums have 256 codes
        (256, 8, (255,)),  # 255 / 256
        (256, 6, (63,)),  # 63 / 256
        (192, 6, (3, 7)),  # 63 / 192 = 21 / 64
        (768, 8, (5, 17)),  # 255 / 768 = 85 / 256; three ties, of which the middle one goes up
    ],
)
def test_full_ranges_of_crossbars_take_few_terms(high, bits, factors):
    converter = exact(0, high, bits)
    found = scaling(converter, 0, high)
    assert found is not None
    assert tuple(term.factor for term in found.terms) == factors
    sums = np.arange(high + 1)
    assert np.array_equal(found.codes(sums), np.rint(sums * np.float32(min(1, ((1 << bits) - 1) / high))))


def test_a_power_of_two_takes_none():
    converter = Converter(-768, 768, 8, AdcStep.POWER_OF_TWO, Rounding.HALF_UP)
    # 1536 / 255, or the next power of two: 8. Codes are -128 to 127.
    found = scaling(converter, -2000, 2000)
    assert found == Scaling(4, 3, -128, 127, ())


def test_ranges_far_beyond_the_sums_are_answered_at_once():
    assert scaling(exact(-(2.0**31), 2.0**31, 8), -10, 10) is None
    assert scaling(Converter(-(2.0**31), 2.0**31, 30, AdcStep.POWER_OF_TWO, Rounding.HALF_UP), -10, 10) is not None


def test_shifts_are_those_that_the_kernels_take():
    steps = {bits: Converter(0.0, 3.0 * 2**18, bits, AdcStep.POWER_OF_TWO, Rounding.HALF_UP) for bits in (2, 3)}
    assert (steps[2].lsb, steps[3].lsb) == (2**18, 2**17)
    # All codes are 0, and terms whose product is about a power of two would do; the shift of 18 is one too much.
    assert scaling(steps[2], 0, 2) is None
    assert scaling(steps[3], 0, 2) == Scaling(0, LARGEST_SHIFT, -UNLIMITED, UNLIMITED, ())


@given(
    high=st.floats(1, 4000),
    bits=st.integers(2, 10),
    rounding=st.sampled_from(Rounding),
    step=st.sampled_from(AdcStep),
    is_signed=st.booleans(),
    reach=st.floats(0.1, 2),
)
def test_codes_are_those_of_the_converter(high, bits, rounding, step, is_signed, reach):
    converter = Converter(-high if is_signed else 0.0, high, bits, step, rounding)
    largest = round(high * reach)
    smallest = -largest if is_signed else 0
    found = scaling(converter, smallest, largest)
    if found is None:
        return
    sums = np.arange(smallest, largest + 1)
    assert np.array_equal(found.codes(sums), converter.codes(sums))
