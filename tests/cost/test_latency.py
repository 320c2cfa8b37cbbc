"""Latency summed over a Program's instructions, against the closed formula it comes from."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.compiler import compile_program
from cimspec.compiler.body import written_layer
from cimspec.compiler.program import Crossbars
from cimspec.cost import body_ns, program_cost
from cimspec.graph.precision import Precision
from cimspec.graph.window import Window
from cimspec.quant.ops import MatMul
from cimspec.spec.chip import Adc, Chip, Crossbar, Dac, Encoding, SignedInputs, SliceCount, StepCount
from tests.compiler.strategies import Case, cases
from tests.sim.strategies import chips


def product(inputs: int, outputs: int, rows: int, precision: Precision, *, signed: bool = False) -> MatMul:
    """A product of so many rows with one matrix."""
    return MatMul(
        "y", "y.codes", "y", "y.weights", "y.bias", None, 1, inputs, outputs, (rows, outputs), precision, signed
    )


def latency_ns(op: MatMul, chip: Chip) -> float:
    return body_ns(chip, written_layer(op, chip, Crossbars(0, chip.crossbars)).body)


def paper_latency_us(op: MatMul, encoding: Encoding, size: int, cell_bits: int, crossbars: int) -> float:
    """arXiv 2601.21737: `ceil(blocks / N) * (write + invocations * steps * read)`, 1-bit DAC."""
    slices = math.ceil(op.precision.weight_bits / cell_bits)
    columns = op.outputs * slices * (2 if encoding is Encoding.DIFFERENTIAL_COLUMNS else 1)
    columns += encoding is Encoding.OFFSET
    rows = op.inputs * (2 if encoding is Encoding.DIFFERENTIAL_ROWS else 1)
    blocks = math.ceil(columns / size) * math.ceil(rows / size)
    return math.ceil(blocks / crossbars) * (56 + op.invocations * op.precision.activation_bits * 1.4)


@settings(max_examples=200, deadline=None)
@given(
    inputs=st.integers(1, 5000),
    outputs=st.integers(1, 3000),
    pixels=st.integers(1, 4000),
    precision=st.tuples(st.integers(2, 8), st.integers(2, 8)),
    encoding=st.sampled_from([Encoding.OFFSET, Encoding.DIFFERENTIAL_COLUMNS, Encoding.DIFFERENTIAL_ROWS]),
    size=st.sampled_from([64, 128, 256]),
    cell_bits=st.integers(1, 4),
    crossbars=st.integers(1, 9),
)
def test_a_program_takes_what_the_formula_says(
    inputs, outputs, pixels, precision, encoding, size, cell_bits, crossbars
):
    crossbar = Crossbar(
        rows=size,
        columns=size,
        cell_bits=cell_bits,
        encoding=encoding,
        write_latency_ns=56000.0,
        read_latency_ns=1400.0,
    )
    chip = Chip(
        name="c", crossbar=crossbar, adc=Adc(bits=12), crossbars=crossbars, slices=SliceCount.FULL, steps=StepCount.FULL
    )
    op = product(inputs, outputs, pixels, Precision(*precision))
    expected = paper_latency_us(op, encoding, size, cell_bits, crossbars)
    assert math.isclose(latency_ns(op, chip) / 1e3, expected, rel_tol=1e-12)


def test_signed_inputs_as_two_parts_take_the_steps_of_both():
    # 8-bit signed inputs, 1-bit DAC: 8 steps as two's complement, 2 * 7 as two parts; 1 block.
    op = product(4, 4, 10, Precision(2, 8), signed=True)
    crossbar = Crossbar(
        rows=8,
        columns=8,
        cell_bits=1,
        encoding=Encoding.DIFFERENTIAL_COLUMNS,
        write_latency_ns=56000.0,
        read_latency_ns=1400.0,
    )
    for signed, steps in ((SignedInputs.TWOS_COMPLEMENT, 8), (SignedInputs.POSITIVE_NEGATIVE, 14)):
        chip = Chip(name="c", crossbar=crossbar, adc=Adc(bits=8), dac=Dac(signed=signed))
        assert math.isclose(latency_ns(op, chip), 56000 + 10 * steps * 1400)


@settings(max_examples=50, deadline=None)
@given(cases(), chips())
def test_reading_fewer_rows_at_once_never_takes_less_time(case: Case, chip: Chip):
    all_rows = chip.model_copy(update={"crossbar": chip.crossbar.model_copy(update={"active_rows": None})})
    some = program_cost(compile_program(case.graph, case.policy, chip)).latency_ns
    every = program_cost(compile_program(case.graph, case.policy, all_rows)).latency_ns
    assert some >= every


def test_heads_of_attention_are_written_once_each():
    """q*k of ViT-B/32: 12 heads of 64 inputs and 50 outputs, 50 invocations; arXiv 2601.21737: `repeat` = heads."""
    crossbar = Crossbar(
        rows=256,
        columns=256,
        cell_bits=4,
        encoding=Encoding.DIFFERENTIAL_COLUMNS,
        write_latency_ns=56000.0,
        read_latency_ns=1400.0,
    )
    chip = Chip(name="c", crossbar=crossbar, adc=Adc(bits=12), slices=SliceCount.FULL, steps=StepCount.FULL)
    op = MatMul("y", "y.codes", "y", "y.stored", None, None, 12, 64, 50, (12, 50, 50), Precision(8, 8), True)
    # 50 outputs * 2 slices * 2 columns = 200 columns, 64 rows: one block for each head.
    assert math.isclose(latency_ns(op, chip), 12 * (56000 + 50 * 8 * 1400))
    # Heads share waves: three at a time take a third.
    three = chip.model_copy(update={"crossbars": 3})
    assert math.isclose(latency_ns(op, three), 4 * (56000 + 50 * 8 * 1400))


def test_channels_of_a_depthwise_convolution_share_crossbars():
    """9 inputs and 4 columns for each channel: 256 rows hold 28 channels, so 100 channels take 4 blocks, not 100."""
    crossbar = Crossbar(
        rows=256,
        columns=256,
        cell_bits=4,
        encoding=Encoding.DIFFERENTIAL_COLUMNS,
        write_latency_ns=56000.0,
        read_latency_ns=1400.0,
    )
    chip = Chip(name="c", crossbar=crossbar, adc=Adc(bits=12))
    window, shape = Window.square(3, 1, 1), (100, 8, 8)
    op = MatMul("y", "y.codes", "y", "y.weights", "y.bias", window, 100, 9, 1, shape, Precision(8, 8), False)
    assert math.isclose(latency_ns(op, chip), 4 * (56000 + 64 * 8 * 1400))
