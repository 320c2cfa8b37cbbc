"""What a simulated layer holds, as tracemalloc counts numpy's arrays; the kernels' own buffers are for one chunk.

The limit is two bytes for each physical cell and four times the layer's activations: the input codes as int16, of each
image once, and the outputs as int64.
"""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest

from cimspec.compiler.layout import Layout
from cimspec.compiler.slicing import input_steps
from cimspec.graph.window import Window
from cimspec.sim import Engine
from cimspec.sim.layer import ProductLayer
from cimspec.sim.on_crossbars import layer_inputs
from cimspec.sim.programmed import ProgrammedRows
from cimspec.spec.chip import Adc, Chip, Crossbar, Encoding
from cimspec.spec.device import Device

pytestmark = pytest.mark.slow

KERNEL = 3
NOISY = Device(
    on_off_ratio=10.0, program_sigma=0.05, read_sigma=0.05, stuck_on=0.01, drift_nu=0.1, drift_nu_sigma=0.01,
    drift_time_ns=1e12,
)  # fmt: skip
SMALL = 1 << 20
"""Bytes of the chunks in which cells are made; they do not grow with the layer."""


@dataclass
class Peak:
    """The most that was held, and what was held at the end, in bytes beyond the start."""

    most: int = 0
    held: int = 0


@contextmanager
def traced() -> Iterator[Peak]:
    peak = Peak()
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        yield peak
        held, most = tracemalloc.get_traced_memory()
        peak.held, peak.most = held - start, most - start
    finally:
        tracemalloc.stop()


def convolution(encoding: Encoding, device: Device, channels: int, outputs: int, *, adc_bits: int = 6):
    """A 3 x 3 convolution: its layout, weights and steps."""
    crossbar = Crossbar(
        rows=128, columns=128, cell_bits=2, encoding=encoding, write_latency_ns=1.0, read_latency_ns=1.0
    )
    chip = Chip(name="test", crossbar=crossbar, adc=Adc(bits=adc_bits), device=device)
    layout = Layout(chip, channels * KERNEL**2, outputs, 8)
    weights = np.random.default_rng(0).integers(-127, 127, (outputs, layout.inputs), endpoint=True)
    return layout, weights.astype(np.int16), input_steps(chip, 8, signed=False)


@pytest.mark.parametrize("adc_bits", [6, 16])
@pytest.mark.parametrize("device", [Device(), NOISY], ids=["ideal", "noisy"])
@pytest.mark.parametrize("encoding", Encoding)
def test_a_convolution_holds_its_cells_and_four_times_its_activations(encoding, device, adc_bits):
    check_convolution(Engine.KERNEL, encoding, device, adc_bits)


def test_numpy_writes_no_windows_out_either():
    check_convolution(Engine.REFERENCE, Encoding.OFFSET, Device(), 6)


def check_convolution(engine: Engine, encoding: Encoding, device: Device, adc_bits: int) -> None:
    # 64 channels of 32 x 32: 1 MB of codes. All windows written out would be nine times that, even in 16 bits: 9.4 MB;
    # outputs are 0.5 MB, so the limit is below 6.4 MB.
    layout, weights, steps = convolution(encoding, device, 64, 8, adc_bits=adc_bits)
    codes = np.random.default_rng(1).integers(0, 256, (8, 64, 32, 32)).astype(np.int16)
    with traced() as peak:
        layer = ProductLayer(ProgrammedRows(layout, weights, steps, None))
        products = layer.products(layer_inputs(codes, Window.square(KERNEL, 1, 1), 0), engine=engine, threads=2)
    assert products.shape == (8 * 32 * 32, 8)
    activations = codes.nbytes + products.size * 8
    limit = 2 * layout.rows * layout.columns + 4 * activations
    assert KERNEL**2 * codes.nbytes > limit
    assert peak.most <= limit


@pytest.mark.parametrize("device", [Device(), NOISY], ids=["ideal", "noisy"])
@pytest.mark.parametrize("encoding", Encoding)
def test_programmed_cells_take_two_bytes(encoding, device):
    # 2304 x 512 weights: 4.7 to 9.4 million cells. They are made crossbar by crossbar and kept packed, once.
    layout, weights, steps = convolution(encoding, device, 256, 512)
    codes = np.zeros((1, 256, 8, 8), np.int16)
    with traced() as peak:
        layer = ProductLayer(ProgrammedRows(layout, weights, steps, None))
        products = layer.products(layer_inputs(codes, Window.square(KERNEL, 1, 1), 0))
    cells, activations = layout.rows * layout.columns, codes.nbytes + products.nbytes
    assert peak.held <= 2 * cells + 4 * activations
    assert peak.most <= 2 * cells + 4 * activations + 4 * SMALL
