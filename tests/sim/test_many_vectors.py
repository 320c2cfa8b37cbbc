"""More vectors than the kernels pack together give what they give apart: noise and sums of inputs, too."""

import numpy as np
import pytest

from cimspec.compiler.layout import Layout
from cimspec.compiler.slicing import input_steps
from cimspec.sim.layer import ProductLayer
from cimspec.sim.mvm import flat_inputs
from cimspec.sim.programmed import ProgrammedRows
from cimspec.spec.chip import Adc, Chip, Crossbar, Encoding
from cimspec.spec.device import Device
from tests.sim.variants import KINDS, running

VECTORS = 1100


@pytest.mark.parametrize(("instructions", "form"), KINDS)
@pytest.mark.parametrize("device", [Device(), Device(program_sigma=0.05), Device(read_sigma=0.05)])
def test_many_vectors_are_multiplied_as_few_are(device, instructions, form):
    crossbar = Crossbar(
        rows=32,
        columns=64,
        cell_bits=2,
        encoding=Encoding.OFFSET,
        write_latency_ns=1.0,
        read_latency_ns=1.0,
    )
    chip = Chip(name="many", crossbar=crossbar, adc=Adc(bits=5), device=device)
    rng = np.random.default_rng(0)
    weights, vectors = rng.integers(-7, 8, (5, 40)), rng.integers(0, 8, (VECTORS, 40))
    rows = ProgrammedRows(Layout(chip, 40, 5, 4), weights, input_steps(chip, 3, False), None, seed=3)
    with running(instructions, form):
        layer = ProductLayer(rows)
        whole = layer.products(flat_inputs(vectors))
        parts = [layer.products(flat_inputs(vectors[i : i + 300], i)) for i in range(0, VECTORS, 300)]
    assert np.array_equal(whole, np.concatenate(parts))
