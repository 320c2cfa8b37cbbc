"""One product through the crossbars: kernel, reference and plain integers agree where they must."""

import numpy as np
import pytest
from hypothesis import given, settings

from cimspec.sim.mvm import mvm
from cimspec.spec.chip import Adc, AdcStep, Chip, Crossbar, Encoding, Subtraction
from tests.sim.strategies import Product, products


def make_chip(encoding: Encoding, *, adc: Adc, rows: int = 4, cell_bits: int = 2) -> Chip:
    crossbar = Crossbar(
        rows=rows, columns=8, cell_bits=cell_bits, encoding=encoding, write_latency_ns=56000.0, read_latency_ns=1400.0
    )
    return Chip(name="test", crossbar=crossbar, adc=adc)


@settings(max_examples=300, deadline=None)
@given(products())
def test_the_kernel_equals_the_reference_bit_for_bit(case: Product):
    kernel = mvm(case.chip, case.weights, case.inputs, engine="kernel", **case.options)
    reference = mvm(case.chip, case.weights, case.inputs, engine="reference", **case.options)
    assert kernel.dtype == reference.dtype
    assert np.array_equal(kernel, reference)


@settings(max_examples=150, deadline=None)
@given(products(lossless=True))
def test_a_lossless_adc_gives_the_integer_product(case: Product):
    expected = case.inputs @ case.weights.T
    assert np.array_equal(mvm(case.chip, case.weights, case.inputs, engine="reference", **case.options), expected)
    assert np.array_equal(mvm(case.chip, case.weights, case.inputs, **case.options), expected)


def test_a_two_bit_adc_rounds_each_column_sum():
    # weights 3 (4 rows): one slice of cell 3, positive column only; inputs 1 (1 bit): S = 4 * 3 = 12 = M.
    # lsb = 12 / 3 = 4. Two active rows give S = 6: rint(6 / 4) = rint(1.5) = 2 (half to even), value 8.
    chip = make_chip(Encoding.DIFFERENTIAL_COLUMNS, adc=Adc(bits=2))
    options = {"weight_bits": 3, "activation_bits": 1}
    weights = np.full((1, 4), 3)
    inputs = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
    # One active row: S = 3, rint(0.75) = 1, value 4.
    assert mvm(chip, weights, inputs, **options).tolist() == [[12], [8], [4]]


def test_steps_are_weighted_by_powers_of_two_and_signs():
    # Input -3 in 3 bits two's complement is 101: steps 1, 0 and the sign step 1 of weight -4.
    # Weight 1: S = 1 in steps 0 and 2, lossless ADC: 1 - 4 = -3.
    chip = make_chip(Encoding.OFFSET, adc=Adc(bits=8))
    product = mvm(chip, [[1]], [[-3]], weight_bits=2, activation_bits=3, signed_inputs=True)
    assert product.tolist() == [[-3]]


def test_a_signed_range_is_symmetric_and_its_zero_is_taken_off():
    # Subtraction ahead of the ADC, M = 2 * 3 = 6 (2 rows, 2-bit cells): range [-6, 6], 2 bits: lsb = 12 / 3 = 4.
    # Weights (3, -1): S = 2; rint((2 + 6) / 4) = 2, value 2 * 4 - 6 = 2.
    # Weights (-3, -1): S = -4; rint(2 / 4) = rint(0.5) = 0, value -6.
    adc = Adc(bits=2, subtraction=Subtraction.BEFORE_ADC)
    chip = make_chip(Encoding.DIFFERENTIAL_COLUMNS, adc=adc, rows=2)
    product = mvm(chip, [[3, -1], [-3, -1]], [[1, 1]], weight_bits=3, activation_bits=1)
    assert product.tolist() == [[2, -6]]


def test_a_power_of_two_step_rounds_half_up_and_saturates():
    # M = 4 * 3 = 12, 3 bits: 12 / 7 -> lsb 2. S = 3: (3 + 1) >> 1 = 2, value 4. S = 12: 6, value 12.
    chip = make_chip(Encoding.DIFFERENTIAL_COLUMNS, adc=Adc(bits=3, step=AdcStep.POWER_OF_TWO))
    inputs = [[1, 0, 0, 0], [1, 1, 1, 1]]
    assert mvm(chip, np.full((1, 4), 3), inputs, weight_bits=3, activation_bits=1).tolist() == [[4], [12]]
    # Full scale 4: lsb 1, codes saturate at 7.
    clipped = mvm(chip, np.full((1, 4), 3), inputs, weight_bits=3, activation_bits=1, full_scale=4)
    assert clipped.tolist() == [[3], [7]]


def test_a_row_does_not_depend_on_its_batch():
    rng = np.random.default_rng(0)
    chip = make_chip(Encoding.TWOS_COMPLEMENT, adc=Adc(bits=3), rows=16)
    weights, inputs = rng.integers(-7, 8, (5, 50)), rng.integers(0, 16, (9, 50))
    together = mvm(chip, weights, inputs, weight_bits=4, activation_bits=4)
    alone = [mvm(chip, weights, inputs[i : i + 1], weight_bits=4, activation_bits=4)[0] for i in range(9)]
    assert np.array_equal(together, alone)


@pytest.mark.parametrize("layout", ["fortran", "read_only", "strided", "int8"])
def test_any_integer_array_will_do(layout: str):
    chip = make_chip(Encoding.OFFSET, adc=Adc(bits=2))
    weights = np.arange(-6, 6).reshape(2, 6) % 8
    inputs = np.arange(12).reshape(2, 6)
    expected = mvm(chip, weights, inputs, weight_bits=4, activation_bits=4)
    match layout:
        case "fortran":
            inputs = np.asfortranarray(inputs)
        case "read_only":
            inputs.setflags(write=False)
        case "strided":
            inputs = np.repeat(inputs, 2, axis=1)[:, ::2]
        case "int8":
            inputs = inputs.astype(np.int8)
    assert np.array_equal(mvm(chip, weights, inputs, weight_bits=4, activation_bits=4), expected)


@pytest.mark.parametrize(
    ("weights", "inputs", "message"),
    [
        ([[1, 2]], [[1, 2, 3]], "weights have 2 inputs, inputs have 3"),
        ([[9]], [[1]], "weights reach from 0 to 9; their bits hold -7 to 7"),
        ([[1]], [[-1]], "inputs reach from -1 to 0; their bits hold 0 to 15"),
        ([[1.0]], [[1]], "weights are float64; integers are needed"),
        ([1], [[1]], "weights have 1 dimensions; two are needed"),
        ([[1]], [[float("nan")]], "inputs are float64; integers are needed"),
    ],
)
def test_wrong_arguments_are_told_apart(weights, inputs, message):
    chip = make_chip(Encoding.OFFSET, adc=Adc(bits=8))
    with pytest.raises(ValueError, match=message):
        mvm(chip, weights, inputs, weight_bits=4, activation_bits=4)


def test_a_full_scale_must_be_positive():
    chip = make_chip(Encoding.OFFSET, adc=Adc(bits=8))
    with pytest.raises(ValueError, match="full_scale is -1"):
        mvm(chip, [[1]], [[1]], weight_bits=4, activation_bits=4, full_scale=-1)


def test_sums_beyond_float32_are_refused():
    chip = make_chip(Encoding.OFFSET, adc=Adc(bits=8), rows=16384, cell_bits=8)
    with pytest.raises(ValueError, match="not exact"):
        mvm(
            chip.model_copy(update={"dac": chip.dac.model_copy(update={"bits": 8})}),
            [[1]],
            [[1]],
            weight_bits=8,
            activation_bits=8,
        )
