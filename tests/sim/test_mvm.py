"""One product through the crossbars: kernel, reference and plain integers agree where they must."""

import numpy as np
import pytest
from hypothesis import given, settings

from cimspec.sim.mvm import mvm
from cimspec.spec.chip import Adc, AdcConversion, AdcStep, Chip, Crossbar, Encoding, Subtraction
from cimspec.spec.device import Device
from tests.sim.strategies import Product, products


def make_chip(encoding: Encoding, *, adc: Adc, rows: int = 4, cell_bits: int = 2) -> Chip:
    crossbar = Crossbar(
        rows=rows, columns=8, cell_bits=cell_bits, encoding=encoding, write_latency_ns=56000.0, read_latency_ns=1400.0
    )
    return Chip(name="test", crossbar=crossbar, adc=adc)


@settings(max_examples=60, deadline=None)
@given(products() | products(noisy=True))
def test_the_kernel_equals_the_reference_bit_for_bit(case: Product):
    kernel = mvm(case.chip, case.weights, case.inputs, engine="kernel", **case.options)
    reference = mvm(case.chip, case.weights, case.inputs, engine="reference", **case.options)
    assert kernel.dtype == reference.dtype
    assert np.array_equal(kernel, reference)


@settings(max_examples=80, deadline=None)
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


@pytest.mark.parametrize("engine", ["kernel", "reference"])
@pytest.mark.parametrize(
    "layout",
    ["fortran", "read_only", "strided", "reversed", "int8", "uint64", "big_endian", "overlapping", "unaligned"],
)
def test_any_integer_array_will_do(layout: str, engine: str):
    chip = make_chip(Encoding.OFFSET, adc=Adc(bits=2))
    weights = np.arange(-6, 6).reshape(2, 6) % 8
    inputs = np.arange(12).reshape(2, 6)
    expected = mvm(chip, weights, inputs, weight_bits=4, activation_bits=4)
    windows = np.lib.stride_tricks.sliding_window_view(np.arange(12), 6)[::6]  # same numbers, one array
    match layout:
        case "fortran":
            inputs = np.asfortranarray(inputs)
        case "read_only":
            inputs.setflags(write=False)
        case "strided":
            inputs = np.repeat(inputs, 2, axis=1)[:, ::2]
        case "int8":
            inputs = inputs.astype(np.int8)
        case "reversed":
            inputs = inputs[::-1, ::-1].copy()[::-1, ::-1]
        case "uint64":
            inputs = inputs.astype(np.uint64)
        case "big_endian":
            weights, inputs = weights.astype(">i4"), inputs.astype(">i2")
        case "overlapping":
            inputs = windows
        case "unaligned":
            inputs = np.frombuffer(b"\0" + inputs.tobytes(), np.uint8)[1:].view(np.int64).reshape(2, 6)
    before = weights.copy(), inputs.copy()
    found = mvm(chip, weights, inputs, weight_bits=4, activation_bits=4, engine=engine)
    assert np.array_equal(found, expected)
    assert np.array_equal(weights, before[0])
    assert np.array_equal(inputs, before[1])


@pytest.mark.parametrize("engine", ["kernel", "reference"])
def test_no_vectors_have_no_products(engine: str):
    for device in (Device(), Device(program_sigma=0.1, read_sigma=0.1, on_off_ratio=5.0)):
        chip = make_chip(Encoding.OFFSET, adc=Adc(bits=2)).model_copy(update={"device": device})
        found = mvm(chip, [[1, 2]], np.zeros((0, 2), int), weight_bits=4, activation_bits=4, engine=engine)
        assert found.shape == (0, 1)


@pytest.mark.parametrize(
    ("weights", "inputs", "message"),
    [
        ([[1, 2]], [[1, 2, 3]], "weights have 2 inputs, inputs have 3"),
        ([[9]], [[1]], "weights reach from 0 to 9; their bits hold -7 to 7"),
        ([[1]], [[-1]], "inputs reach from -1 to 0; their bits hold 0 to 15"),
        ([[1.0]], [[1]], "weights are float64; integers are needed"),
        ([1], [[1]], "weights have 1 dimensions; two are needed"),
        ([[1]], [[float("nan")]], "inputs are float64; integers are needed"),
        ([[True]], [[1]], "weights are bool; integers are needed"),
        ([[1]], [["1"]], "inputs are <U1; integers are needed"),
        (np.zeros((0, 3), int), np.zeros((2, 3), int), "weights are 0 x 3; there is nothing to store"),
        (np.zeros((3, 0), int), np.zeros((2, 0), int), "weights are 3 x 0; there is nothing to store"),
        ([[1]], np.array([[2**64 - 1]], np.uint64), "inputs do not fit 64 bits"),
        ([[1]], np.zeros((1, 1, 1), int), "inputs have 3 dimensions; two are needed"),
    ],
)
def test_wrong_arguments_are_told_apart(weights, inputs, message):
    chip = make_chip(Encoding.OFFSET, adc=Adc(bits=8))
    with pytest.raises(ValueError, match=message):
        mvm(chip, weights, inputs, weight_bits=4, activation_bits=4)


def test_a_full_scale_must_be_positive_and_not_absurd():
    chip = make_chip(Encoding.OFFSET, adc=Adc(bits=8))
    for engine in ("kernel", "reference"):
        for scale in (-1, 0, float("nan"), float("inf"), 1e30):
            with pytest.raises(ValueError, match=f"full_scale is {float(scale)}".replace("+", r"\+")):
                mvm(chip, [[1]], [[1]], weight_bits=4, activation_bits=4, full_scale=scale, engine=engine)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_bits": 1}, "weight_bits is 1; 2 to 15"),
        ({"weight_bits": 16}, "weight_bits is 16; 2 to 15"),
        ({"activation_bits": 0}, "activation_bits is 0; 1 to 16"),
        ({"activation_bits": 1, "signed_inputs": True}, "activation_bits is 1; 2 to 16"),
        ({"activation_bits": 17}, "activation_bits is 17; 1 to 16"),
        ({"engine": "quantum"}, "quantum"),
    ],
)
def test_wrong_options_are_told_apart(options, message):
    chip = make_chip(Encoding.OFFSET, adc=Adc(bits=8))
    with pytest.raises(ValueError, match=message):
        mvm(chip, [[1]], [[1]], **{"weight_bits": 4, "activation_bits": 4, **options})


def test_any_integer_is_a_seed():
    chip = make_chip(Encoding.OFFSET, adc=Adc(bits=8)).model_copy(update={"device": Device(program_sigma=0.2)})
    options = {"weight_bits": 4, "activation_bits": 4}
    found = [mvm(chip, [[1, 2]], [[3, 4]], seed=seed, **options) for seed in (5, np.int64(5), np.uint8(5), 5 - 2**64)]
    assert all(np.array_equal(each, found[0]) for each in found)
    assert np.array_equal(mvm(chip, [[1, 2]], [[3, 4]], **options), mvm(chip, [[1, 2]], [[3, 4]], seed=0, **options))


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


def test_signed_inputs_and_cells_of_both_signs_can_clip_a_whole_product():
    # Differences in one column, whole products: M = 2 * 1 * 31 = 62. Full scale 31 makes codes -32 .. 31 of lsb 1.
    # Weights (1, -1), inputs (31, -31): S = 62, clipped to 31, though each sign of cells alone reaches but 31.
    adc = Adc(
        bits=6,
        conversion=AdcConversion.PER_PRODUCT,
        step=AdcStep.POWER_OF_TWO,
        subtraction=Subtraction.BEFORE_ADC,
    )
    chip = make_chip(Encoding.DIFFERENTIAL_COLUMNS, adc=adc, cell_bits=1)
    options = {"weight_bits": 2, "activation_bits": 6, "signed_inputs": True, "full_scale": 31}
    for engine in ("kernel", "reference"):
        assert mvm(chip, [[1, -1]], [[31, -31]], engine=engine, **options).tolist() == [[31]]
