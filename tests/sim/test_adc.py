"""The converter's arithmetic, and calibrated ranges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.compiler import compile_program
from cimspec.compiler.slicing import input_steps
from cimspec.sim import Converter, execute
from cimspec.sim.calibrate import (
    Histogram,
    calibrate_ranges,
    least_error_range,
    percentile,
    scaled,
    squared_error,
)
from cimspec.spec.checks import bits_for_sums
from cimspec.spec.chip import (
    Adc,
    AdcCalibration,
    AdcConversion,
    AdcLevels,
    AdcRange,
    AdcStep,
    Chip,
    Encoding,
    Rounding,
)
from tests.compiler.test_program import make_case, make_chip
from tests.sim.strategies import chips


def converter(
    bits: int,
    high: float,
    *,
    low: float = 0.0,
    step: AdcStep = AdcStep.EXACT,
    rounding: Rounding | None = None,
    levels: AdcLevels = AdcLevels.FULL,
) -> Converter:
    usual = Adc(bits=bits, step=step).code_rounding
    return Converter(float(low), float(high), bits, step, rounding or usual, levels)


@pytest.mark.parametrize(
    ("made", "lsb"),
    [
        (converter(8, 192), 1.0),  # 193 levels fit 8 bits: the step never falls below 1
        (converter(6, 192), 192 / 63),
        (converter(6, 192, step=AdcStep.POWER_OF_TWO), 4.0),  # 3.05 -> 4
        (converter(6, 126, step=AdcStep.POWER_OF_TWO), 2.0),  # exactly 2 stays
        (converter(4, 15, low=-15), 2.0),
    ],
)
def test_the_step_follows_from_range_and_bits(made: Converter, lsb: float):
    assert made.lsb == pytest.approx(lsb)


def test_an_adc_is_lossless_exactly_when_its_levels_reach():
    # Unsigned sums 0 .. M need 2^bits >= M + 1 levels, signed ones 2M + 1.
    assert converter(8, 255).is_lossless(0, 255)
    assert not converter(8, 256).is_lossless(0, 256)
    assert converter(8, 127, low=-127).is_lossless(-127, 127)
    assert not converter(8, 128, low=-128).is_lossless(-128, 128)
    # A calibrated range that clips is lossless only for blocks whose sums stay within it.
    assert converter(6, 40).is_lossless(0, 40)
    assert not converter(6, 40).is_lossless(0, 41)


def test_codes_of_a_lossless_adc_are_the_sums():
    sums = np.arange(-127, 128)
    made = converter(8, 127, low=-127)
    assert np.array_equal(made.codes(sums) + made.zero, sums)


def test_sign_magnitude_levels_have_zero_among_them():
    # 4 bits, [-15, 15]: 16 levels are 2 apart, -15, -13 .. 15, without zero; 15 levels are 30 / 14 apart, the 8th is 0.
    full = converter(4, 15, low=-15)
    signed = converter(4, 15, low=-15, levels=AdcLevels.SIGN_MAGNITUDE)
    assert (full.lsb, signed.lsb) == (2.0, 30 / 14)
    assert full.values(full.codes(np.array([0]))).tolist() == [1.0]  # rint(7.5) = 8
    assert signed.codes(np.array([-15, 0, 15])).tolist() == [0, 7, 14]
    assert signed.values(np.array([7])) == pytest.approx(0)
    assert (full.code_range, signed.code_range) == ((0, 15), (0, 14))


def test_power_of_two_codes_are_twos_complement_or_sign_and_magnitude():
    # 3 bits, [-8, 8]: 16 / 7 and 16 / 6 become 4; two's complement reaches -4 * 4 = -16, sign and magnitude -12.
    full = converter(3, 8, low=-8, step=AdcStep.POWER_OF_TWO)
    signed = converter(3, 8, low=-8, step=AdcStep.POWER_OF_TWO, levels=AdcLevels.SIGN_MAGNITUDE)
    assert (full.lsb, full.code_range, full.clip_low, full.clip_high) == (4, (-4, 3), -16, 12)
    assert (signed.lsb, signed.code_range, signed.clip_low, signed.clip_high) == (4, (-3, 3), -12, 12)
    # Unsigned: 2^3 - 1 codes from 0.
    assert converter(3, 8, step=AdcStep.POWER_OF_TWO, levels=AdcLevels.SIGN_MAGNITUDE).code_range == (0, 6)


@pytest.mark.parametrize(
    ("rounding", "codes"),
    [
        (Rounding.HALF_EVEN, [-2, -2, -1, 0, 0, 0, 1, 2, 2]),
        (Rounding.HALF_UP, [-2, -1, -1, 0, 0, 1, 1, 2, 3]),
        (Rounding.HALF_AWAY, [-2, -2, -1, -1, 0, 1, 1, 2, 3]),
        (Rounding.DOWN, [-2, -2, -1, -1, 0, 0, 0, 1, 2]),
    ],
)
def test_sums_between_levels_are_rounded_as_named(rounding: Rounding, codes: list[int]):
    # lsb 4, zero 0: sums / 4 = -2, -1.5, -1, -0.5, 0, 0.5, 0.75, 1.75, 2.5.
    made = converter(5, 60, low=-60, step=AdcStep.POWER_OF_TWO, rounding=rounding)
    assert made.lsb == 4
    assert made.codes(np.array([-8, -6, -4, -2, 0, 2, 3, 7, 10])).tolist() == codes
    # Sums need not be integers: read noise makes them real.
    assert made.codes(np.array([-8, -6, -4, -2, 0, 2, 3, 7, 10]) + 0.0).tolist() == codes
    assert made.codes(np.array([3.99, 4.01])).tolist() == ([0, 1] if rounding is Rounding.DOWN else [1, 1])


@pytest.mark.slow
@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("is_signed", [False, True])
def test_the_float_formula_is_the_integer_shift_for_power_of_two_steps(bits: int, is_signed: bool):
    for exponent in range(25):
        high = 1 << exponent
        made = converter(bits, high, low=-high if is_signed else 0, step=AdcStep.POWER_OF_TWO)
        shift = int(made.lsb).bit_length() - 1
        sums = np.arange(-high if is_signed else 0, high + 1) if exponent <= 16 else near_steps(high, 1 << shift)
        expected = np.clip((sums + ((1 << shift) >> 1)) >> shift, *made.code_range)
        assert np.array_equal(made.codes(sums), expected)


def near_steps(high: int, lsb: int) -> np.ndarray:
    """Sums where codes change, and both their neighbours: between these, codes are constant."""
    changes = np.arange(-high, high + 1, max(1, lsb // 2))
    return np.unique(np.clip(np.concatenate([changes + offset for offset in (-1, 0, 1)]), -high, high))


@settings(max_examples=300, deadline=None)
@given(chips(), st.integers(2, 8), st.booleans())
def test_the_stated_bits_are_lossless_and_one_fewer_is_not(chip: Chip, activation_bits: int, signed: bool):
    steps = input_steps(chip, activation_bits, signed)
    given_range = Converter.of(chip, None, rows=chip.active_rows, steps=steps)
    needed = bits_for_sums(int(given_range.high), given_range.low < 0, chip.adc.levels)
    for bits, expected in ((needed, True), (needed - 1, False)):
        if 2 <= bits <= 16:
            adc = chip.adc.model_copy(update={"bits": bits})
            made = Converter.of(chip.model_copy(update={"adc": adc}), None, rows=chip.active_rows, steps=steps)
            sums = np.arange(int(made.low), int(made.high) + 1)
            assert made.is_lossless(int(made.low), int(made.high)) == expected
            assert np.array_equal(made.values(made.codes(sums)), sums) == expected


def test_calibration_takes_the_range_from_the_sums_that_occur():
    case = make_case()
    chip = make_chip().model_copy(update={"adc": Adc(bits=4, range=AdcRange.CALIBRATED, percentile=100)})
    program = compile_program(case.graph, case.policy, chip)
    calibrated = calibrate_ranges(program, case.network.constants, case.images)
    largest = 8 * 3  # rows times the largest cell
    for layer in calibrated.layers:
        assert 1 <= layer.full_scale <= largest
    # With all levels there and nothing clipped on the images calibrated with, the network is exact on them.
    wide = chip.model_copy(update={"adc": chip.adc.model_copy(update={"bits": 5})})
    program = calibrate_ranges(compile_program(case.graph, case.policy, wide), case.network.constants, case.images)
    assert np.array_equal(execute(program, case.network.constants, case.images), case.network.run(case.images))


CALIBRATED_EXACTLY = [
    {"encoding": Encoding.OFFSET, "unit_column": True},
    {"encoding": Encoding.OFFSET, "unit_column": True, "complement": True},
    {"encoding": Encoding.DIFFERENTIAL_ROWS},
]


@pytest.mark.parametrize("crossbar", CALIBRATED_EXACTLY, ids=["unit_column", "complement", "differences"])
@pytest.mark.parametrize("conversion", AdcConversion)
@pytest.mark.parametrize("calibration", AdcCalibration)
def test_a_range_that_holds_all_sums_that_occur_is_exact_on_them(crossbar, conversion, calibration):
    case, chip = make_case(), make_chip()
    adc = Adc(bits=12, range=AdcRange.CALIBRATED, percentile=100, calibration=calibration, conversion=conversion)
    chip = chip.model_copy(update={"adc": adc, "crossbar": chip.crossbar.model_copy(update=crossbar)})
    program = compile_program(case.graph, case.policy, chip)
    calibrated = calibrate_ranges(program, case.network.constants, case.images)
    assert np.array_equal(execute(calibrated, case.network.constants, case.images), case.network.run(case.images))


def test_least_squared_error_weighs_clipping_against_steps():
    # Sums 0, 1, 2, 3 a thousand times each, and 100 once; 2 bits. All of [0, 100]: lsb 33.3, 1, 2 and 3 become 0,
    # error 1000 * (1 + 4 + 9) = 14000. [0, 3]: lsb 1, only 100 becomes 3, error 97^2 = 9409.
    # [0, 4]: lsb 4/3; 1 -> 4/3, 2 -> 8/3, 3 -> 8/3: 1000 * (1 + 4 + 1) / 9 = 667, and 96^2 = 9216: 9883.
    # [0, 5]: lsb 5/3; 1 -> 5/3, 2 -> 5/3, 3 -> 10/3: 667 again, and 95^2 = 9025: 9692.
    histogram = Histogram(np.array([0, 1, 2, 3, 100]), np.array([1000, 1000, 1000, 1000, 1]))
    whole = converter(2, 192)
    assert squared_error(histogram, scaled(whole, 100)) == pytest.approx(14000)
    assert squared_error(histogram, scaled(whole, 4)) == pytest.approx(667 + 9216, abs=0.5)
    assert squared_error(histogram, scaled(whole, 5)) == pytest.approx(667 + 9025, abs=0.5)
    assert (least_error_range(histogram, whole), squared_error(histogram, scaled(whole, 3))) == (3, 9409)


def test_an_adc_that_loses_nothing_keeps_its_range():
    histogram = Histogram(np.array([0, 5]), np.array([9, 1]))
    assert least_error_range(histogram, converter(8, 192)) == 192


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.integers(-3000, 3000), st.integers(1, 10**6), min_size=1, max_size=40),
    st.integers(2, 9),
    st.booleans(),
    st.sampled_from(AdcStep),
    st.sampled_from(AdcLevels),
    st.sampled_from(Rounding),
)
def test_least_squared_error_is_never_above_that_of_the_largest_sum(counts, bits, is_signed, step, levels, rounding):
    sums = {abs(each): count for each, count in counts.items()} if not is_signed else counts
    ordered = sorted(sums)
    histogram = Histogram(np.array(ordered), np.array([sums[each] for each in ordered]))
    whole = converter(bits, 4096, low=-4096 if is_signed else 0, step=step, levels=levels, rounding=rounding)
    best = squared_error(histogram, scaled(whole, least_error_range(histogram, whole)))
    largest = float(max(1, percentile(histogram.magnitudes, 100)))
    assert best <= squared_error(histogram, scaled(whole, largest))
    assert best <= squared_error(histogram, whole)


def test_a_histogram_counts_each_sum_however_far_apart():
    near, far = Histogram.of(np.array([3, -1, 3])), Histogram.of(np.array([1 << 23, -1, 3]))
    assert (near.sums.tolist(), near.counts.tolist()) == ([-1, 3], [1, 2])
    assert (far.sums.tolist(), far.counts.tolist()) == ([-1, 3, 1 << 23], [1, 1, 1])
    both = Histogram.merged([near, far])
    assert (both.sums.tolist(), both.counts.tolist()) == ([-1, 3, 1 << 23], [2, 3, 1])
    assert both.magnitudes.sums.tolist() == [1, 3, 1 << 23]
