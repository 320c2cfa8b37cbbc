import numpy as np
import pytest

from cimspec.quant.steps import activation_step, weight_codes, weight_steps


def test_codes_are_rounded_half_to_even_and_clipped():
    weight = np.array([[0.5, 1.5, 2.5, -0.5, -9.0]], np.float32)
    # step 1, 3 bits: limit 2^2 - 1 = 3; 0.5 -> 0, 1.5 -> 2, 2.5 -> 2, -0.5 -> 0, -9 -> -3
    assert weight_codes(weight, np.array([1.0]), 3).tolist() == [[0, 2, 2, 0, -3]]


def test_two_bit_weights_are_ternary():
    weight = np.random.default_rng(0).normal(size=(4, 100)).astype(np.float32)
    assert set(weight_codes(weight, weight_steps(weight, 2), 2).ravel().tolist()) == {-1, 0, 1}


def test_a_channel_that_is_a_multiple_of_its_step_is_coded_exactly():
    weight = np.array([[-3, -1, 0, 2, 3], [-30, 10, 0, 20, 30]], np.float32)
    # 3 bits reach 3: the steps are 3/3 = 1 and 30/3 = 10
    assert weight_steps(weight, 3) == pytest.approx([1.0, 10.0])


def test_an_outlier_is_clipped_where_that_lowers_the_squared_error():
    weight = np.array([[1.0] * 1000 + [2.0]], np.float32)
    # 2 bits code +-step only. Step s costs 1000 (s - 1)^2 + (s - 2)^2 for s > 2/3, least near s = 1002/1001.
    (step,) = weight_steps(weight, 2)
    assert step == pytest.approx(1.0, abs=0.02)


def test_zero_weights_have_a_step_that_can_be_divided_by():
    steps = weight_steps(np.zeros((2, 3), np.float32), 4)
    assert (steps > 0).all()
    assert not weight_codes(np.zeros((2, 3), np.float32), steps, 4).any()


def test_an_unsigned_step_covers_0_to_the_largest_value():
    values = np.array([0, 1, 2, 3, 0, 0], np.float32)
    assert activation_step(values, 2, signed=False) == pytest.approx(1.0)  # 3 / (2^2 - 1)


def test_a_signed_step_is_symmetric():
    values = np.array([-3, -1, 0, 2, 3], np.float32)
    assert activation_step(values, 3, signed=True) == pytest.approx(1.0)  # 3 / (2^2 - 1)


@pytest.mark.parametrize("bits", range(2, 8))
def test_more_bits_never_code_worse(bits: int):
    values = np.abs(np.random.default_rng(3).normal(size=4000)).astype(np.float32)

    def error(width: int) -> float:
        step = activation_step(values, width, signed=False)
        return float(((np.clip(np.rint(values / step), 0, 2**width - 1) * step - values) ** 2).sum())

    assert error(bits + 1) < error(bits)


def test_values_that_are_all_zero_have_a_step():
    assert activation_step(np.zeros(5, np.float32), 4, signed=False) > 0


@pytest.mark.parametrize("levels", [16, 255])
@pytest.mark.parametrize("width", range(2, 9))
def test_pixels_have_the_same_codes_in_float32_as_in_float64(levels, width):
    """With a step of 1/15, 8/16 would be 7.5 steps in float64 and 7.4999996 in float32: codes 8 and 7."""
    pixels = (np.arange(levels + 1) / levels).astype(np.float32)
    step = activation_step(pixels, width, signed=False)
    exact = np.rint(pixels.astype(np.float64) * (1 / step))
    assert np.array_equal(exact, np.rint(pixels / np.float32(step)))
