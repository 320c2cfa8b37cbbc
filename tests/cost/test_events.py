"""Counts of events in closed form against a walk through all loops, and small products by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.compiler import Program, compile_program
from cimspec.compiler.body import written_layer
from cimspec.compiler.matrices import Matrices
from cimspec.compiler.program import Crossbars, operation
from cimspec.cost import program_events
from cimspec.cost.events import product_events
from cimspec.cost.segments import SegmentStages
from cimspec.graph import Graph
from cimspec.graph.layer import Add, Conv2d, Input, Layer
from cimspec.graph.precision import Precision
from cimspec.graph.window import Window
from cimspec.quant.ops import MatMul
from cimspec.spec.chip import (
    Adc,
    AdcConversion,
    Attention,
    Chip,
    Crossbar,
    Dac,
    Encoding,
    SignedInputs,
    Subtraction,
    WeightMode,
)
from cimspec.spec.tile import Digital, Memory, Network, Tile
from tests.compiler.strategies import Case, cases
from tests.cost.event_walk import walked_events
from tests.sim.strategies import chips

COUNTED = ("reads", "writes", "conversions", "row_drives")

resident = st.fixed_dictionaries(
    {
        "weights": st.just(WeightMode.RESIDENT),
        "crossbars": st.integers(1, 300),
        "copies": st.booleans(),
        "attention": st.sampled_from(Attention),
        "batch": st.integers(1, 4),
        "tile": st.builds(Tile, crossbars=st.none() | st.integers(1, 20)),
    }
)


def assert_counts_are_walked(program: Program) -> None:
    walked = walked_events(program)
    found = program_events(program)
    assert [layer.name for layer in found.layers] == list(walked) == [layer.name for layer in program.layers]
    for layer in found.layers:
        expected = walked[layer.name]
        assert layer.programmed == expected["programmed"]
        if len(program.segments) > 1:
            expected["writes"] += expected["programmed"] / program.chip.batch
        assert {name: getattr(layer.events, name) for name in COUNTED} == {name: expected[name] for name in COUNTED}


@settings(max_examples=20, deadline=None)
@given(cases(), chips())
def test_reloaded_weights_are_counted_as_the_loops_say(case: Case, chip: Chip):
    program = compile_program(case.graph, case.policy, chip)
    assert_counts_are_walked(program)
    total = program_events(program).total
    assert total.values == total.macs == total.network_bits == total.memory_bits == 0


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(cases(), chips(), resident)
def test_resident_weights_are_counted_as_the_loops_say(case: Case, chip: Chip, fields: dict[str, object]):
    assert_counts_are_walked(compile_program(case.graph, case.policy, chip.model_copy(update=fields)))


@settings(max_examples=40, deadline=None)
@given(cases(), chips(), resident)
def test_digital_work_and_traffic_are_those_that_times_are_made_of(case: Case, chip: Chip, fields: dict[str, object]):
    # One value, one product or one bit in each nanosecond: then times are counts.
    slow = {
        "digital": Digital(lanes=1, macs=1, cycle_ns=1.0),
        "network": Network(width_bits=1, cycle_ns=1.0),
        "memory": Memory(width_bits=1, cycle_ns=1.0),
    }
    program = compile_program(case.graph, case.policy, chip.model_copy(update=fields | slow))
    stages = [SegmentStages(program, segment) for segment in program.segments]
    total = program_events(program).total
    assert total.values + total.macs == pytest.approx(sum(sum(each.digital_ns.values()) for each in stages))
    assert total.network_bits == pytest.approx(sum(sum(each.received_ns.values()) for each in stages))
    outside = [stage for each in stages for stage in each.stages if stage.name not in made_by(each)]
    read = sum(stage.rows * stage.network_ns for stage in outside)
    # What is read from memory was written there once, but for the input; so is the output.
    tensors = {buffer.tensor.name: buffer.tensor for buffer in program.buffers}
    written = {stage.name for stage in outside} - {program.input} | {program.output}
    stored = sum(tensors[name].size * tensors[name].value_bits for name in written)
    assert total.memory_bits == pytest.approx(read + stored)


def made_by(stages: SegmentStages) -> set[str]:
    return {operation(item).dst for item in stages.segment.items}


def make_chip(**fields: object) -> Chip:
    crossbar = Crossbar(
        rows=8,
        columns=8,
        active_rows=4,
        cell_bits=2,
        encoding=Encoding.DIFFERENTIAL_COLUMNS,
        write_latency_ns=1.0,
        read_latency_ns=1.0,
    )
    return Chip(name="c", crossbar=crossbar, adc=Adc(bits=8)).model_copy(update=fields)


def product(*, signed: bool = False) -> MatMul:
    """Ten products of 13 inputs with 3 outputs, 5-bit weights and 6-bit activations."""
    return MatMul("y", "y.codes", "y", "y.weights", "y.bias", None, 1, 13, 3, (10, 3), Precision(5, 6), signed)


def counts(chip: Chip, op: MatMul) -> tuple[float, ...]:
    layer = written_layer(op, chip, Crossbars(0, chip.crossbars))
    events = product_events(Matrices(chip, op, layer.bundle), layer)
    return events.reads, events.writes, events.conversions, events.row_drives


def test_a_ragged_product_by_hand():
    # ceil(4 / 2) = 2 slices, 3 outputs * 2 * 2 columns = 12 columns: 2 blocks beside each other; 13 rows: 8 and 5, so
    # 2 below, of 2 sets of 4 rows each (4 + 4, 4 + 1). 10 products of 6 steps.
    reads, writes, conversions, row_drives = counts(make_chip(), product())
    assert writes == 4
    assert reads == 60 * (2 + 2) * 2
    assert conversions == 60 * (2 + 2) * 12
    assert row_drives == 60 * 13 * 2  # each row in both blocks


def test_differences_are_converted_once():
    chip = make_chip(adc=Adc(bits=8, subtraction=Subtraction.BEFORE_ADC))
    assert counts(chip, product())[2] == 60 * 4 * 6


def test_whole_products_are_converted_once():
    chip = make_chip(adc=Adc(bits=8, conversion=AdcConversion.PER_PRODUCT))
    assert counts(chip, product())[2] == 10 * 4 * 12
    # Positive and negative part of signed inputs: 2 * 5 steps, added in analog before one conversion.
    both = chip.model_copy(update={"dac": Dac(signed=SignedInputs.POSITIVE_NEGATIVE)})
    assert counts(both, product(signed=True)) == (100 * 4 * 2, 4, 10 * 4 * 12, 100 * 13 * 2)


@pytest.mark.parametrize(("unit_column", "converted"), [(True, 10), (False, 9)])
def test_a_unit_column_is_converted_where_it_is_read(unit_column: bool, converted: int):
    # Offset: ceil(5 / 2) = 3 slices, 9 columns and the unit column.
    chip = make_chip()
    crossbar = chip.crossbar.model_copy(update={"encoding": Encoding.OFFSET, "unit_column": unit_column})
    assert counts(make_chip(crossbar=crossbar), product())[2] == 60 * 4 * converted


def test_what_two_tiles_read_is_received_twice():
    window, image = Window.square(3, 1, 1), (2, 6, 6)
    graph = Graph(
        "branches",
        (
            Layer("x", Input(False), (), (1, 6, 6)),
            Layer("a", Conv2d(1, 2, window), ("x",), image),
            Layer("p", Conv2d(1, 2, window), ("x",), image),
            Layer("sum", Add(), ("a", "p"), image),
            Layer("b", Conv2d(2, 2, window), ("sum",), image),
            Layer("c", Conv2d(2, 2, window), ("sum",), image),
            Layer("last", Add(), ("b", "c"), image),
        ),
    )
    crossbar = make_chip().crossbar.model_copy(update={"rows": 64, "columns": 64})
    fields = {"weights": WeightMode.RESIDENT, "crossbars": 4, "copies": False, "tile": Tile(crossbars=1)}
    found = program_events(compile_program(graph, graph.uniform(4, 3), make_chip(crossbar=crossbar, **fields)))
    # 36 codes of 3 bits for `p`; sums of `p` for `sum`, of `c` for `last`; `sum` itself, 8 bits, for `b` and for `c`.
    assert found.rest.network_bits == 2 * 72 * 8
    assert [layer.events.network_bits for layer in found.layers] == [0, 36 * 3 + 72 * 32, 0, 72 * 32]
    assert found.tiles == 4
