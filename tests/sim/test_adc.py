"""The converter's arithmetic, and calibrated ranges."""

import numpy as np
import pytest

from cimspec.compiler import compile_program
from cimspec.sim import Converter, execute
from cimspec.sim.calibrate import calibrate_ranges
from cimspec.spec.chip import Adc, AdcRange, AdcStep, Rounding
from tests.compiler.test_program import make_case, make_chip


def converter(bits: int, high: float, *, low: float = 0.0, step: AdcStep = AdcStep.EXACT) -> Converter:
    rounding = Rounding.HALF_EVEN if step is AdcStep.EXACT else Rounding.HALF_UP
    return Converter(float(low), float(high), bits, step, rounding)


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
