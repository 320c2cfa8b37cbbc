"""Effective weights against products of the same cells, input by input, on an ADC that converts finely."""

import math

import numpy as np
import pytest
from hypothesis import given, settings

from cimspec.compiler.layout import Layout
from cimspec.sim import mvm
from cimspec.sim.device import programmed_cells
from cimspec.sim.effective import effective_weights
from cimspec.spec.chip import Adc, AdcConversion, AdcStep, Encoding
from cimspec.spec.device import Device
from tests.sim.strategies import Product, products
from tests.sim.test_device_products import make_chip

LARGEST_INPUT = 255
CODES = 2**16


@settings(max_examples=60, deadline=None)
@given(products(noisy=True))
def test_they_are_what_products_show(product: Product):
    """One input at its largest, converted once: rounding moves a column by half a step, times its factor."""
    chip, weights = product.chip, product.weights
    adc = Adc(
        bits=16, conversion=AdcConversion.PER_PRODUCT, step=AdcStep.POWER_OF_TWO, subtraction=chip.adc.subtraction
    )
    chip = chip.model_copy(update={"adc": adc, "device": chip.device.model_copy(update={"read_sigma": 0.0})})
    bits, seed = product.options["weight_bits"], 7
    layout = Layout(chip, weights.shape[1], weights.shape[0], bits)
    found = effective_weights(layout, weights, seed=seed, layer=0)
    cells = programmed_cells(layout, weights, chip.device, seed=seed, layer=0)
    largest = np.abs(cells.values).max() / 2.0**cells.fraction_bits  # an input drives one or two cells of a column
    full_scale = 2 * LARGEST_INPUT * largest + 1
    step = 2 ** max(0, math.ceil(math.log2(2 * full_scale / (CODES - 1))))
    inputs = LARGEST_INPUT * np.eye(weights.shape[1], dtype=np.int64)
    shown = mvm(
        chip, weights, inputs, weight_bits=bits, activation_bits=8, full_scale=full_scale, engine="reference", seed=seed
    )
    units = max(int(np.abs(layout.unit_factors(flips)).max()) for flips in layout.flipped(weights).values())
    factors = int(np.abs(layout.column_factors()[: layout.columns_per_output]).sum()) + units
    assert found.shape == weights.shape
    assert np.abs(found - shown.T / LARGEST_INPUT).max() <= factors * step / LARGEST_INPUT


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("device", [Device(), Device(read_sigma=0.3), Device(on_off_ratio=4.0)])
def test_cells_that_hold_what_they_should_are_the_weights(encoding: Encoding, device: Device):
    weights = np.random.default_rng(0).integers(-31, 31, (5, 30), endpoint=True)
    layout = Layout(make_chip(device, encoding=encoding, rows=8), 30, 5, 6)
    np.testing.assert_allclose(effective_weights(layout, weights, seed=1, layer=2), weights, atol=0.05)


def test_the_spread_is_that_of_the_cells():
    """One cell strays by 0.1 * 3 levels; there is one for each two bits."""
    weights = np.full((60, 100), 21)  # stored as 85 = 1 + 4 + 16 + 64: no digit is 0, where conductances end
    layout = Layout(make_chip(Device(program_sigma=0.1), encoding=Encoding.OFFSET, rows=64), 100, 60, 7)
    errors = effective_weights(layout, weights, seed=1, layer=2) - weights
    assert errors.std() == pytest.approx(0.3 * np.sqrt(1 + 4**2 + 16**2 + 64**2), rel=0.1)
    assert not np.array_equal(errors, effective_weights(layout, weights, seed=2, layer=2) - weights)
