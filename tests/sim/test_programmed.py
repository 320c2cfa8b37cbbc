"""Cells that are kept are those that would be made anew, and serve whatever drives and converts them."""

from dataclasses import replace

import numpy as np
import pytest

from cimspec.compiler.layout import Layout
from cimspec.compiler.slicing import input_steps
from cimspec.sim.layer import ProductLayer
from cimspec.sim.mvm import flat_inputs
from cimspec.sim.programmed import ProgrammedRows, Shelf
from cimspec.spec.chip import Adc, Chip, Crossbar, Encoding
from cimspec.spec.device import Device

ENOUGH = 1 << 20


def rows_of(encoding: Encoding, device: Device, shelf: Shelf | None, *, layer: int = 0) -> ProgrammedRows:
    """A layer of 70 inputs and 9 outputs with weights of 4 bits, driven by 3 bits."""
    crossbar = Crossbar(rows=32, columns=64, cell_bits=2, encoding=encoding, write_latency_ns=1.0, read_latency_ns=1.0)
    chip = Chip(name="shelf", crossbar=crossbar, adc=Adc(bits=5), device=device)
    weights = np.random.default_rng(layer).integers(-7, 8, (9, 70))
    steps = input_steps(chip, 3, False)
    return ProgrammedRows(Layout(chip, 70, 9, 4), weights, steps, None, seed=3, layer=layer, shelf=shelf)


@pytest.mark.parametrize("limit_bytes", [0, ENOUGH])
@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("device", [Device(), Device(program_sigma=0.05, read_sigma=0.02)], ids=["exact", "noisy"])
def test_products_are_the_same_with_and_without_a_shelf(encoding, device, limit_bytes):
    shelf = Shelf(limit_bytes)
    vectors = np.random.default_rng(1).integers(0, 8, (50, 70))
    for layer in (0, 1, 0):
        shelved, anew = (rows_of(encoding, device, each, layer=layer) for each in (shelf, None))
        for bits, full_scale in ((3, None), (2, 40.0), (3, 20.0)):
            steps = input_steps(shelved.layout.chip, bits, False)
            both = [replace(each, steps=steps, full_scale=full_scale) for each in (shelved, anew)]
            inputs = flat_inputs(vectors % (1 << bits))
            found, expected = (ProductLayer(each).products(inputs) for each in both)
            assert np.array_equal(found, expected)


def test_cells_are_kept_within_their_limit():
    noisy = Device(program_sigma=0.05)
    for limit_bytes, kept in ((ENOUGH, True), (0, False)):
        rows = rows_of(Encoding.OFFSET, noisy, Shelf(limit_bytes))
        first, second = ([plane for row_set in rows for plane in row_set.planes] for _ in range(2))
        assert all((one is other) == kept for one, other in zip(first, second, strict=True))
        for one, other in zip(first, second, strict=True):
            assert np.array_equal(one.cells, other.cells)
