"""Latency summed over a Program's instructions, against the closed formula it comes from."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.compiler import Program, compile_program, schedule_layer
from cimspec.cost import layer_cost, program_cost
from cimspec.graph.precision import Precision
from cimspec.quant.ops import WHOLE_VECTOR, MatMul
from cimspec.spec.chip import Adc, Chip, Crossbar, Dac, Encoding, SignedInputs, SliceCount, StepCount
from tests.compiler.strategies import Case, cases
from tests.sim.strategies import chips


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
    op = MatMul("y", "x", "y", WHOLE_VECTOR, inputs, outputs, (outputs, pixels), Precision(*precision), False, "w", "b")
    layer = schedule_layer(op, chip)
    cost = layer_cost(Program("p", chip, "x", (inputs,), (layer,)), layer)
    expected = paper_latency_us(op, encoding, size, cell_bits, crossbars)
    assert math.isclose(cost.latency_ns / 1e3, expected, rel_tol=1e-12)


def test_signed_inputs_as_two_parts_take_the_steps_of_both():
    # 8-bit signed inputs, 1-bit DAC: 8 steps as two's complement, 2 * 7 as two parts; 1 block.
    op = MatMul("y", "x", "y", WHOLE_VECTOR, 4, 4, (4, 10), Precision(2, 8), True, "w", "b")
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
        layer = schedule_layer(op, chip)
        cost = layer_cost(Program("p", chip, "x", (4,), (layer,)), layer)
        assert math.isclose(cost.latency_ns, 56000 + 10 * steps * 1400)


@settings(max_examples=50, deadline=None)
@given(cases(), chips())
def test_reading_fewer_rows_at_once_never_takes_less_time(case: Case, chip: Chip):
    all_rows = chip.model_copy(update={"crossbar": chip.crossbar.model_copy(update={"active_rows": None})})
    some = program_cost(compile_program(case.graph, case.policy, chip)).latency_ns
    every = program_cost(compile_program(case.graph, case.policy, all_rows)).latency_ns
    assert some >= every
