"""Weights rounded together."""

import numpy as np
import pytest

from cimspec.quant.rounding import fitted_codes
from cimspec.quant.steps import weight_codes, weight_steps


def test_inputs_that_know_nothing_of_each_other_are_rounded_alone():
    weight = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    step = weight_steps(weight, 3)
    codes = fitted_codes(weight, step, 3, np.diag(np.arange(1.0, 8.0)))
    np.testing.assert_array_equal(codes, weight_codes(weight, step, 3))


def test_a_second_input_that_is_always_the_first_makes_up_for_its_error():
    # 0.4 and 0.4 of one input are 0.8 of it: codes 0 and 1 are 0.2 off, codes 0 and 0 would be 0.8 off.
    codes = fitted_codes(np.array([[0.4, 0.4]], np.float32), np.ones(1), 4, np.ones((2, 2)))
    assert codes.tolist() == [[0, 1]]


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_outputs_change_less_than_by_rounding_each_weight(bits: int):
    rng = np.random.default_rng(bits)
    inputs = np.maximum(rng.normal(size=(500, 6)) @ rng.normal(size=(6, 30)) + rng.normal(size=(500, 30)), 0)
    weight = rng.normal(size=(8, 3, 10)).astype(np.float32)
    step = weight_steps(weight, bits)
    outputs = inputs @ weight.reshape(8, 30).T

    def error(codes) -> float:
        return float(((inputs @ (codes * step[:, None]).T - outputs) ** 2).mean())

    fitted = fitted_codes(weight, step, bits, inputs.T @ inputs / len(inputs))
    assert np.abs(fitted).max() <= 2 ** (bits - 1) - 1
    assert error(fitted) < 0.6 * error(weight_codes(weight, step, bits))


def test_inputs_that_are_always_zero_do_no_harm():
    weight = np.random.default_rng(1).normal(size=(2, 3)).astype(np.float32)
    step = weight_steps(weight, 4)
    np.testing.assert_array_equal(fitted_codes(weight, step, 4, np.zeros((3, 3))), weight_codes(weight, step, 4))
