"""Programmed cells: each effect alone against its formula, all of them in parts, and the fixed point."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimspec.compiler.layout import Layout
from cimspec.sim.device import States, cell_normals, programmed_cells, read_noise_levels
from cimspec.sim.random import Purpose, cell_words, normals, stream_key
from cimspec.sim.wires import attenuation
from cimspec.spec.chip import Adc, Chip, Crossbar, Encoding
from cimspec.spec.device import Device, DeviceTable

TABLE = DeviceTable(mean_siemens=(2e-6, 5e-6, 9e-6, 11e-6), sigma_siemens=(1e-7, 3e-7, 2e-7, 1e-7))


@dataclass(frozen=True)
class Layer:
    layout: Layout
    weights: np.ndarray

    def program(self, device: Device, *, seed: int = 1, layer: int = 0, **part):
        return programmed_cells(self.layout, self.weights, device, seed=seed, layer=layer, **part)

    def levels(self, device: Device, **options) -> np.ndarray:
        """Conductances of the physical cells, in levels."""
        cells = self.program(device, **options)
        return np.abs(cells.values) / 2.0**cells.fraction_bits

    @property
    def digits(self) -> np.ndarray:
        return np.abs(self.layout.cells(self.weights))


def make_layer(
    encoding: Encoding = Encoding.DIFFERENTIAL_COLUMNS, inputs: int = 50, outputs: int = 12, rows: int = 32, **crossbar
) -> Layer:
    chip = Chip(
        name="c",
        crossbar=Crossbar(
            rows=rows,
            columns=rows,
            cell_bits=2,
            encoding=encoding,
            write_latency_ns=1.0,
            read_latency_ns=1.0,
            **crossbar,
        ),
        adc=Adc(bits=8),
    )
    weights = np.random.default_rng(0).integers(-31, 31, (outputs, inputs), endpoint=True)
    return Layer(Layout(chip, inputs, outputs, 6), weights)


def large_layer() -> Layer:
    return make_layer(inputs=400, outputs=100, rows=512)  # 400 x 600 cells


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("device", [Device(), Device(read_sigma=0.1)])
def test_exact_cells_are_the_digits(encoding, device):
    layer = make_layer(encoding)
    cells = layer.program(device)
    assert np.array_equal(cells.values, layer.layout.cells(layer.weights))
    assert (cells.values.dtype, cells.fraction_bits, cells.off_level) == (np.int8, 0, 0.0)


@pytest.mark.parametrize("encoding", Encoding)
def test_the_off_level_is_under_every_cell(encoding):
    # L = 3, on / off = 4: off = 3 / (4 - 1) = 1 level, on = 4 levels.
    layer = make_layer(encoding)
    cells = layer.program(Device(on_off_ratio=4.0))
    assert cells.off_level == 1.0
    signs = np.ones((layer.layout.rows, 1))
    if encoding is Encoding.DIFFERENTIAL_ROWS:
        signs[1::2] = -1
    assert np.array_equal(cells.values, signs * (layer.digits + 1) * 2**cells.fraction_bits)


def test_the_unit_column_is_a_column_of_ones():
    layer = make_layer(Encoding.OFFSET)
    cells = layer.program(Device(on_off_ratio=4.0))
    assert cells.values.shape[1] == 12 * 3 + 1  # 6 bits in cells of 2
    assert np.all(cells.values[:, -1] == 2 * 2**cells.fraction_bits)
    assert np.ptp(layer.program(Device(program_sigma=0.1)).values[:, -1]) > 0


# Sigma in levels of digit d, with L = 3 and off = 1: both kinds, and together.
SIGMAS = [
    (Device(program_sigma=0.02), lambda d: 0.06 + 0 * d),
    (Device(program_sigma_relative=0.02, on_off_ratio=4.0), lambda d: 0.02 * (d + 1)),
    (
        Device(program_sigma=0.02, program_sigma_relative=0.05, on_off_ratio=4.0),
        lambda d: math.hypot(0.06, 0.05 * (d + 1)),
    ),
]


@pytest.mark.parametrize(("device", "sigma"), SIGMAS)
def test_programming_errors_have_the_spread_that_was_asked_for(device, sigma):
    layer = large_layer()
    levels, digits = layer.levels(device), layer.digits
    off = 1.0 if device.on_off_ratio else 0.0
    for digit in range(4):
        found = levels[digits == digit] - digit - off
        if digit == 0 and off == 0:
            continue  # cut off at zero
        n = found.size
        assert n > 10_000
        # Standard errors: sigma / sqrt(n) of the mean, sigma / sqrt(2 n) of the standard deviation; five of each.
        assert abs(found.mean()) < 5 * sigma(digit) / np.sqrt(n)
        assert abs(found.std() - sigma(digit)) < 5 * sigma(digit) / np.sqrt(2 * n)


def test_conductances_are_never_negative():
    levels = large_layer().levels(Device(program_sigma=0.2))
    assert levels.min() == 0.0
    # Half of the empty cells would be.
    empty = levels[large_layer().digits == 0]
    assert abs((empty == 0).mean() - 0.5) < 5 * 0.5 / np.sqrt(empty.size) + 1e-3


def test_cells_follow_the_documented_draws():
    layer = make_layer()
    device = Device(program_sigma=0.03, on_off_ratio=4.0)
    cells = layer.program(device, seed=7, layer=2)
    draws = normals(cell_words(stream_key(7, 2, Purpose.PROGRAM), range(50), range(layer.layout.columns)))
    exact = layer.digits + 1 + 0.09 * draws.astype(np.float64)
    assert np.array_equal(cells.values, np.rint(exact * 2**cells.fraction_bits))


def test_the_kernel_draws_what_numpy_draws():
    key = stream_key(0, 0, Purpose.DRIFT)
    found = cell_normals(key, range(3, 40), range(70, 300))
    assert np.array_equal(found, normals(cell_words(key, range(3, 40), range(70, 300))))


def test_draws_follow_seed_and_layer():
    layer, device = make_layer(), Device(program_sigma=0.05)
    first = layer.program(device).values
    assert np.array_equal(first, layer.program(device).values)
    for other in (layer.program(device, seed=2), layer.program(device, layer=1)):
        assert np.mean(other.values != first) > 0.5


def test_stuck_cells_have_their_shares_and_values():
    layer = large_layer()
    device = Device(stuck_on=0.02, stuck_off=0.05, on_off_ratio=4.0)
    levels, digits = layer.levels(device), layer.digits
    middle = (digits == 1) | (digits == 2)  # where a stuck cell shows
    n = int(middle.sum())
    for share, value in ((0.02, 4.0), (0.05, 1.0)):
        found = np.mean(levels[middle] == value)
        assert abs(found - share) < 5 * math.sqrt(share * (1 - share) / n)
    assert np.mean(levels[middle] == digits[middle] + 1) == pytest.approx(0.93, abs=0.01)


def test_everything_can_be_stuck():
    assert np.all(make_layer().levels(Device(stuck_on=1.0)) == 3)
    assert np.all(make_layer().levels(Device(stuck_on=0.25, stuck_off=0.75, on_off_ratio=4.0)) % 3 == 1)


def test_drift_is_a_power_of_time():
    device = Device(drift_nu=0.05, drift_time_ns=1e15, on_off_ratio=4.0)  # a million seconds
    left = 1e6**-0.05  # 0.501
    assert np.abs(make_layer().levels(device) - (make_layer().digits + 1) * left).max() <= 2.0**-13


def test_drift_spreads_over_cells_but_never_upwards():
    layer = large_layer()
    device = Device(drift_nu=0.02, drift_nu_sigma=0.02, drift_time_ns=1e12, on_off_ratio=1e9)
    full = layer.digits == 3
    nu = -np.log(layer.levels(device)[full] / 3) / math.log(1e3)
    # nu ~ N(0.02, 0.02^2) cut off at 0: one in 6.3 below (the normal tail beyond one sigma is 0.1587).
    n = nu.size
    assert abs(np.mean(nu < 1e-6) - 0.1587) < 5 * math.sqrt(0.1587 * 0.8413 / n) + 1e-3
    assert abs(np.median(nu) - 0.02) < 5 * 1.2533 * 0.02 / math.sqrt(n) + 1e-4
    assert nu.min() > -1e-6


def test_stuck_cells_do_not_drift():
    device = Device(stuck_on=1.0, drift_nu=0.1, drift_time_ns=1e15, program_sigma=0.1)
    assert np.all(make_layer().levels(device) == 3)


def test_a_table_sets_means_and_spread():
    # The range is 9 uS over 3 levels: one level is 3 uS.
    layer = large_layer()
    cells = layer.program(Device(table=TABLE))
    assert cells.off_level == pytest.approx(2 / 3)
    for digit in range(4):
        found = layer.levels(Device(table=TABLE))[layer.digits == digit] * 3e-6
        mean, sigma, n = TABLE.mean_siemens[digit], TABLE.sigma_siemens[digit], found.size
        # The fixed point adds errors of 2^-13 levels at most.
        assert abs(found.mean() - mean) < 5 * sigma / math.sqrt(n) + 3e-6 * 2**-13
        assert abs(found.std() - sigma) < 5 * sigma / math.sqrt(2 * n) + 3e-6 * 2**-13


@pytest.mark.parametrize("active_rows", [None, 8])
def test_wires_attenuate_crossbar_by_crossbar(active_rows):
    layer = make_layer(active_rows=active_rows)
    wires = {"wire_resistance_ohm": 5.0, "on_resistance_ohm": 1e4, "activity": 0.4}
    found = layer.levels(Device(on_off_ratio=4.0, **wires))
    siemens = (1e-4 - 0.25e-4) / 3  # of one level
    for index in range(layer.layout.blocks):
        block = layer.layout.block(index)
        at = np.s_[block.rows.start : block.rows.stop, block.columns.start : block.columns.stop]
        cells = layer.digits[at] + 1.0
        activity = 0.4 * min(1, (active_rows or 32) / len(block.rows))
        expected = cells * attenuation(cells * siemens, 5.0, activity)
        assert np.abs(found[at] - expected).max() <= 2.0**-13


DEVICES = [
    Device(on_off_ratio=8.0, program_sigma=0.05, program_sigma_relative=0.1, stuck_on=0.05, stuck_off=0.1),
    Device(drift_nu=0.05, drift_nu_sigma=0.05, drift_time_ns=1e14, table=TABLE),
    Device(wire_resistance_ohm=2.0, on_resistance_ohm=1e4, on_off_ratio=20.0, program_sigma=0.1),
    Device(wire_resistance_ohm=2.0, table=TABLE, stuck_off=0.1),
]


@given(st.sampled_from(Encoding), st.sampled_from(DEVICES), st.data())
def test_a_part_of_the_layer_is_that_part_of_the_whole(encoding, device, data):
    layer = make_layer(encoding)
    rows, columns = (
        range(*sorted(data.draw(st.tuples(st.integers(0, stop), st.integers(0, stop)))))
        for stop in (layer.layout.rows, layer.layout.columns)
    )
    whole, part = layer.program(device), layer.program(device, rows=rows, columns=columns)
    assert np.array_equal(part.values, whole.values[rows.start : rows.stop, columns.start : columns.stop])
    assert (part.fraction_bits, part.off_level) == (whole.fraction_bits, whole.off_level)


@given(
    st.floats(1.1, 1e3),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 8),
)
def test_six_sigma_fit_the_fixed_point(ratio, sigma, relative, cell_bits):
    states = States.of(Device(on_off_ratio=ratio, program_sigma=sigma, program_sigma_relative=relative), cell_bits)
    bits = states.fraction_bits
    largest = (states.mean + 6 * states.sigma).max() * 2**bits
    assert 0 <= bits <= 12
    assert largest <= 32767
    # Bits are given away only down to where sums of five fit 16 bits, and rounding strays by 1/64 of the error or less.
    is_finest = bits == 12 or 2 * largest > 32767
    if not is_finest:
        assert 5 * largest <= 32767 < 5 * 2 * largest
        assert 2.0**-bits / math.sqrt(12) <= states.sigma.min() / 64


@pytest.mark.parametrize(("cell_bits", "sigma", "bits"), [(1, 0.05, 12), (2, 0.05, 10), (4, 0.05, 8), (4, 0.001, 11)])
def test_bits_behind_the_point(cell_bits, sigma, bits):
    # The largest conductance is L (1 + 6 sigma): 1.3, 3.9 and 19.5 levels, times 5 and 2^bits below 2^15; 15.09 levels
    # whose error of 0.015 levels shows 8 bits (0.001 levels), but fits 16 bits with 11.
    assert States.of(Device(program_sigma=sigma), cell_bits).fraction_bits == bits


def test_what_lies_beyond_is_clipped():
    values = large_layer().program(Device(program_sigma=1.0)).values
    assert values.min() >= 0
    assert values.max() <= 32767


def test_column_sums_are_within_the_stated_bound():
    layer = large_layer()
    device = Device(on_off_ratio=7.0, program_sigma=0.01)
    cells = layer.program(device)
    rows, columns = cells.values.shape
    draws = normals(cell_words(stream_key(1, 0, Purpose.PROGRAM), range(rows), range(columns)))
    exact = layer.digits + 0.5 + 0.03 * draws.astype(np.float64)
    inputs = np.random.default_rng(3).integers(0, 3, (20, rows), endpoint=True)
    error = np.abs(inputs @ (cells.values / 2.0**cells.fraction_bits) - inputs @ exact)
    assert error.max() <= rows * 3 * 2.0 ** -(cells.fraction_bits + 1)


def test_read_noise_is_a_share_of_the_range():
    chip = make_layer().layout.chip
    assert read_noise_levels(Device(read_sigma=0.01), chip) == pytest.approx(0.03)
    assert read_noise_levels(Device(), chip) == 0
