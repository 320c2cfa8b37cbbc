"""Chips whose weights stay: latency, interval and buffers, small networks by hand, large ones against bounds."""

from pathlib import Path

import pytest

from cimspec import load_spec
from cimspec.compiler import compile_program
from cimspec.compiler.copies import continuous_interval
from cimspec.compiler.program import CrossbarLayer
from cimspec.compiler.resident import Placed
from cimspec.cost import Cost, program_cost
from cimspec.graph import Graph, load_policy
from cimspec.graph.layer import Add, Conv2d, Input, Layer, Relu
from cimspec.graph.window import Window
from cimspec.pipeline.costing import baseline_policy, compiled_graph, cost_warnings
from cimspec.spec.chip import Adc, Chip, Crossbar, Encoding, WeightMode
from cimspec.spec.tile import Digital, Memory, Network, Tile

SPECS = Path(__file__).parents[2] / "specs"
IMAGE = (2, 6, 6)
TURN_US = 3 * 1.4  # 3-bit activations, one bit at a time

TWO_LAYERS = Graph(
    "two",
    (
        Layer("x", Input(False), (), (1, 6, 6)),
        Layer("a", Conv2d(1, 2, Window.square(3, 1, 1)), ("x",), IMAGE),
        Layer("r", Relu(), ("a",), IMAGE),
        Layer("b", Conv2d(2, 2, Window.square(3, 1, 1)), ("r",), IMAGE),
    ),
)


def make_chip(crossbars: int, **fields: object) -> Chip:
    crossbar = Crossbar(
        rows=64,
        columns=64,
        cell_bits=2,
        encoding=Encoding.DIFFERENTIAL_COLUMNS,
        write_latency_ns=56000.0,
        read_latency_ns=1400.0,
    )
    chip = Chip(name="c", crossbar=crossbar, adc=Adc(bits=8), weights=WeightMode.RESIDENT, crossbars=crossbars)
    return chip.model_copy(update=fields)


def cost(chip: Chip, graph: Graph = TWO_LAYERS) -> Cost:
    return program_cost(compile_program(graph, graph.uniform(4, 3), chip))


def us(time: float) -> float:
    return pytest.approx(1e3 * time)


def test_a_layer_starts_when_its_first_window_is_complete():
    # Row 0 of `b` waits for rows 0 and 1 of `a`, 12 turns; then both make a row in 6 turns: 12 + 36 turns in all.
    found = cost(make_chip(2))
    assert found.latency_ns == us(48 * TURN_US)
    assert found.interval_ns == us(36 * TURN_US)
    assert found.programming_ns == us(56)
    assert [layer.copies for layer in found.layers] == [1, 1]


def test_copies_share_the_turns():
    # Two copies of each: 6 turns until two rows are there, then 18.
    found = cost(make_chip(4))
    assert [layer.copies for layer in found.layers] == [2, 2]
    assert found.latency_ns == us(24 * TURN_US)
    assert found.interval_ns == us(18 * TURN_US)
    # Without copies the spare crossbars stay empty.
    assert cost(make_chip(4, copies=False)).interval_ns == us(36 * TURN_US)


def test_what_is_held_between_two_layers():
    # `b` reads rows r-1, r and r+1 of its codes; when row r+2 comes, it has done with row r-1: three rows of
    # 2 channels * 6 pixels * 3 bits = 36 bits, 5 bytes when rounded up.
    found = cost(make_chip(2))
    peaks = {stage.name: stage.buffer_bytes for stage in found.segments[0].pipeline.stages}
    assert peaks["b.codes"] == 3 * 5


def test_a_tile_that_overflows_is_a_warning():
    # Tile 0 has the input (36 bytes, of which some rows), the codes and sums of `a`, and the codes of `b`.
    found = cost(make_chip(2, tile=Tile(crossbars=1)))
    assert found.tile_buffer_bytes < found.buffer_bytes
    for room, codes in ((found.tile_buffer_bytes - 1, ["CIM504"]), (found.tile_buffer_bytes, [])):
        chip = make_chip(2, tile=Tile(crossbars=1, buffer_bytes=room))
        assert [warning.code for warning in cost_warnings(cost(chip), chip)] == codes


def test_a_slow_network_bounds_the_pipeline():
    # The codes of `b` go from tile 0 to tile 1: 72 values of 3 bits, 8 bits in a cycle: 27 cycles.
    for cycle_us, expected_us, by in ((1.0, 36 * TURN_US, "a (crossbar)"), (10.0, 270.0, "b.codes (network)")):
        chip = make_chip(2, tile=Tile(crossbars=1), network=Network(width_bits=8, cycle_ns=1e3 * cycle_us))
        found = cost(chip)
        assert found.interval_ns == us(expected_us)
        assert found.segments[0].bound_by == by


def test_layers_on_one_tile_need_no_network():
    chip = make_chip(2, tile=Tile(crossbars=2), network=Network(width_bits=8, cycle_ns=1e6))
    assert cost(chip).interval_ns == us(36 * TURN_US)


def test_a_slow_digital_unit_bounds_the_pipeline():
    # On tile 0: the codes of `a` from 36 pixels, those of `b` from 72 sums of `a`; on tile 1 the output of 72 sums.
    chip = make_chip(2, tile=Tile(crossbars=1), digital=Digital(lanes=1, cycle_ns=2000.0))
    found = cost(chip)
    assert found.interval_ns == us((36 + 72) * 2)
    assert found.segments[0].bound_by == "tile 0 (digital)"


def test_hops_delay_but_do_not_slow_down():
    chip = make_chip(2, tile=Tile(crossbars=1), network=Network(hop_ns=100.0))
    found = cost(chip)
    # Two tiles in a square of two by two are one hop apart: 12 turns, a hop, and 36 turns.
    assert found.latency_ns == us(48 * TURN_US + 0.1)
    assert found.interval_ns == us(36 * TURN_US)


def test_inputs_come_from_memory():
    # 36 pixels of 8 bits, 8 bits in 10 us.
    chip = make_chip(2, memory=Memory(width_bits=8, cycle_ns=1e4))
    assert cost(chip).interval_ns == us(360)


def test_a_network_that_does_not_fit_is_loaded_in_segments():
    one_us = 36 * TURN_US
    found = cost(make_chip(1))
    assert len(found.segments) == 2
    assert found.latency_ns == us(2 * (56 + one_us))
    assert found.interval_ns == us(2 * (56 + one_us))
    # Ten inputs through each segment: the first takes the latency, nine more the interval.
    ten = cost(make_chip(1, batch=10))
    assert ten.interval_ns == us(2 * (56 + one_us + 9 * one_us) / 10)


def test_a_layer_larger_than_the_chip_is_written_in_waves():
    wide = Graph(
        "wide",
        (
            Layer("x", Input(False), (), (20, 2, 2)),
            Layer("a", Conv2d(20, 3, Window.square(2)), ("x",), (3, 1, 1)),
        ),
    )
    # 80 inputs on 64 rows: two blocks, one crossbar: two waves of a write and one product.
    found = cost(make_chip(1), wide)
    assert found.latency_ns == us(2 * (56 + TURN_US))


def test_sums_of_layers_with_as_many_copies_stay_on_their_tiles():
    # `p` and `m` are one team, so the sums of `p` need not go to `m`: 72 values of 32 bits would take 288 cycles.
    graph = Graph(
        "residual",
        (
            Layer("x", Input(False), (), (1, 6, 6)),
            Layer("p", Conv2d(1, 2, Window.square(1)), ("x",), IMAGE),
            Layer("m", Conv2d(1, 2, Window.square(3, 1, 1)), ("x",), IMAGE),
            Layer("sum", Add(), ("m", "p"), IMAGE),
        ),
    )
    chip = make_chip(4, tile=Tile(crossbars=1), network=Network(width_bits=8, cycle_ns=1e4))
    found = cost(chip, graph)
    assert [layer.copies for layer in found.layers] == [2, 2]
    assert all(stage.name != "p" or stage.bound_by == "crossbar" for stage in found.segments[0].pipeline.stages)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_pipelines_on_isaac_are_within_5_percent_of_the_optimum(name: str):
    chip = load_spec(SPECS / "isaac_resident.cim").chip
    graph = compiled_graph(load_spec(SPECS / "paper" / f"{name}.cim"))
    program = compile_program(graph, baseline_policy(graph), chip)
    (segment,) = program.segments
    loads = [Placed(0, program.matrices(item)).load for item in segment.items if isinstance(item, CrossbarLayer)]
    optimum = continuous_interval(loads, chip.crossbars)
    assert optimum <= program_cost(program).interval_ns <= 1.05 * optimum


def test_mixed_precision_pays_twice_where_weights_stay():
    """Fewer crossbars for a copy, so more copies: more than the 2.4821x of reloaded weights (arXiv 2601.21737)."""
    spec = load_spec(SPECS / "paper" / "vgg16.cim")
    graph = compiled_graph(spec)
    mixed = load_policy(SPECS / "paper" / "vgg16_policy.json", graph)
    speedups = {}
    for copies in (False, True):
        chip = spec.chip.model_copy(update={"weights": WeightMode.RESIDENT, "crossbars": 16128, "copies": copies})
        before, after = (
            program_cost(compile_program(graph, policy, chip)) for policy in (baseline_policy(graph), mixed)
        )
        speedups[copies] = before.interval_ns / after.interval_ns
    # Without copies the first layer, at 8/8 bits in both, is the slowest: 224 * 224 pixels * 8 steps * 1.4 us.
    assert speedups[False] == pytest.approx(1.0)
    assert speedups[True] > 2.4821
