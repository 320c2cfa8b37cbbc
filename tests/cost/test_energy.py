"""Energies and areas: sums by hand, what is left out, and ISAAC's published power and area."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec import load_spec
from cimspec.compiler import compile_program
from cimspec.cost import Cost, program_cost, program_events
from cimspec.graph import Graph
from cimspec.graph.layer import Conv2d, Input, Layer, Linear
from cimspec.graph.window import Window
from cimspec.spec.chip import Adc, Attention, Chip, Crossbar, Dac, Encoding, WeightMode
from cimspec.spec.tile import Digital, Memory, Network, Tile
from tests.compiler.strategies import Case, cases
from tests.sim.strategies import chips

SPECS = Path(__file__).parents[2] / "specs"

# Every constant is another power of ten, so that a sum shows each count.
ENERGIES = {"read_energy_pj": 100.0, "write_energy_pj": 10_000.0}
AREAS = {"area_um2": 7.0}


def linear(inputs: int, outputs: int) -> Graph:
    layers = (Layer("x", Input(False), (), (inputs,)), Layer("f", Linear(inputs, outputs), ("x",), (outputs,)))
    return Graph("one", layers)


def convolutions() -> Graph:
    """Two layers of one block each on 64 x 64 cells, 36 products each."""
    image, window = (2, 6, 6), Window.square(3, 1, 1)
    return Graph(
        "two",
        (
            Layer("x", Input(False), (), (1, 6, 6)),
            Layer("a", Conv2d(1, 2, window), ("x",), image),
            Layer("b", Conv2d(2, 2, window), ("a",), image),
        ),
    )


def make_chip(crossbar: dict[str, float] | None = None, **fields: object) -> Chip:
    made = Crossbar(
        rows=64,
        columns=64,
        cell_bits=2,
        encoding=Encoding.DIFFERENTIAL_COLUMNS,
        write_latency_ns=56000.0,
        read_latency_ns=1400.0,
        **(crossbar or {}),
    )
    return Chip(name="c", crossbar=made, adc=Adc(bits=8)).model_copy(update=fields)


def cost(chip: Chip, graph: Graph) -> Cost:
    return program_cost(compile_program(graph, graph.uniform(4, 3), chip))


def parts(found: Cost) -> dict[str, float]:
    return pytest.approx(found.energy.by_component)


def test_energy_of_reloaded_weights_by_hand():
    # 100 inputs: 64 and 36 rows, 2 blocks. 4-bit weights: ceil(3 / 2) * 2 = 4 columns for each of 5 outputs. 3 steps.
    chip = make_chip(ENERGIES, adc=Adc(bits=8, energy_pj=2.0), dac=Dac(energy_pj=0.5))
    found = cost(chip, linear(100, 5))
    expected = {"crossbar_reads": 3 * 2 * 100, "crossbar_writes": 2e4, "adcs": 3 * 2 * 20 * 2, "dacs": 3 * 100 * 0.5}
    assert found.energy.by_component == pytest.approx(expected)
    assert found.energy_pj == found.layers[0].energy_pj == pytest.approx(600 + 2e4 + 240 + 150)
    assert found.energy.missing == ()
    assert found.programming_energy_pj == 0


def test_what_is_not_given_is_left_out_and_named():
    nothing = cost(make_chip(), linear(100, 5))
    assert (nothing.energy_pj, nothing.layers[0].energy_pj, nothing.area_um2) == (None, None, None)
    assert nothing.energy.missing == ("crossbar.read_energy", "crossbar.write_energy", "adc.energy", "dac.energy")
    assert nothing.area.missing == ("crossbar.area", "adc.area", "dac.area")
    some = cost(make_chip(adc=Adc(bits=8, energy_pj=2.0)), linear(100, 5))
    assert some.energy_pj == some.layers[0].energy_pj == pytest.approx(240)
    assert some.energy.missing == ("crossbar.read_energy", "crossbar.write_energy", "dac.energy")
    # Nothing is not the same as not given.
    free = cost(make_chip(adc=Adc(bits=8, energy_pj=0.0)), linear(100, 5))
    assert free.energy_pj == 0


def test_energy_of_resident_weights_by_hand():
    # 2 tiles, a layer on each: 36 products of 3 steps; 9 and 18 rows; 2 outputs * 4 columns. x: 36 values of 8 bits.
    chip = make_chip(
        ENERGIES,
        weights=WeightMode.RESIDENT,
        crossbars=2,
        tile=Tile(crossbars=1),
        adc=Adc(bits=8, energy_pj=2.0),
        dac=Dac(energy_pj=0.5),
        digital=Digital(energy_pj=3.0, mac_energy_pj=1e6),
        network=Network(energy_per_byte_pj=4.0),
        memory=Memory(energy_per_byte_pj=50.0),
    )
    found = cost(chip, convolutions())
    times = 36 * 3
    expected = {
        "crossbar_reads": 2 * times * 100,
        "adcs": 2 * times * 8 * 2,
        "dacs": times * (9 + 18) * 0.5,
        # The codes of `a` from 36 values, those of `b` from 72 sums of `a`, the output from 72 sums of `b`.
        "digital": (36 + 72 + 72) * 3,
        # The 72 codes of `b`, 3 bits each, go to its tile.
        "network": 72 * 3 / 8 * 4,
        # 36 values of 8 bits come in, 72 of 32 bits go out.
        "memory": (36 + 72 * 4) * 50,
    }
    assert found.energy.by_component == pytest.approx(expected)
    # A layer has its crossbars, the requantization to its codes and their way; what is left is input and output.
    a, b = found.layers
    assert a.energy_pj == pytest.approx(times * (100 + 16 + 4.5) + 36 * 3)
    assert b.energy_pj == pytest.approx(times * (100 + 16 + 9) + 72 * 3 + 72 * 3 / 8 * 4)
    assert found.energy_pj == pytest.approx(a.energy_pj + b.energy_pj + 72 * 3 + (36 + 72 * 4) * 50)
    assert found.programming_energy_pj == 2e4


def test_weights_of_several_segments_are_written_once_for_each_batch():
    fields = {"weights": WeightMode.RESIDENT, "crossbars": 1, "batch": 5}
    found = cost(make_chip(ENERGIES, **fields), convolutions())
    assert len(found.segments) == 2
    assert found.energy.by_component["crossbar_writes"] == pytest.approx(2e4 / 5)
    assert found.programming_energy_pj == 2e4
    # What a segment leaves for the next is written and read again: the 72 codes of `b`, 3 bits each.
    memory = cost(make_chip(memory=Memory(energy_per_byte_pj=1.0), **fields), convolutions())
    assert memory.energy_pj == pytest.approx(36 + 2 * 72 * 3 / 8 + 72 * 4)


def test_area_is_that_of_crossbars_in_use_and_their_tiles():
    sizes = {"adc": Adc(bits=8, area_um2=10.0, columns_per_adc=24), "dac": Dac(area_um2=0.5)}
    one = 7 + 3 * 10 + 64 * 0.5  # ceil(64 / 24) = 3 ADCs
    resident = {"weights": WeightMode.RESIDENT, "tile": Tile(crossbars=4, area_um2=1000.0), "copies": False}
    found = cost(make_chip(AREAS, crossbars=64, **sizes, **resident), convolutions())
    assert found.area_um2 == pytest.approx(2 * one + 1000)
    assert [layer.area_um2 for layer in found.layers] == pytest.approx([one, one])
    # With copies all 9 crossbars but one, in 2 tiles of 4 (four copies of each).
    copies = cost(make_chip(AREAS, crossbars=9, **sizes, **resident | {"copies": True}), convolutions())
    assert [layer.copies for layer in copies.layers] == [4, 4]
    assert copies.area_um2 == pytest.approx(8 * one + 2 * 1000)
    # Reloaded: the whole chip, which no layer has for itself.
    reloaded = cost(make_chip(AREAS, crossbars=9, **sizes), convolutions())
    assert reloaded.area_um2 == pytest.approx(9 * one)
    assert reloaded.layers[0].area_um2 is None


def test_an_area_of_adcs_needs_their_number():
    found = cost(make_chip(AREAS, adc=Adc(bits=8, area_um2=10.0)), linear(4, 4))
    assert found.area.by_component == {"crossbars": 7.0}
    assert found.area.missing == ("adc.columns_per_adc", "dac.area")


PRICED = {
    "digital": Digital(energy_pj=3.0, mac_energy_pj=5.0),
    "network": Network(energy_per_byte_pj=4.0),
    "memory": Memory(energy_per_byte_pj=50.0),
}


@settings(max_examples=40, deadline=None)
@given(cases(), chips(), st.booleans(), st.sampled_from(Attention), st.integers(20, 300))
def test_layers_and_the_rest_make_up_the_whole(
    case: Case, chip: Chip, resident: bool, attention: Attention, crossbars: int
):
    crossbar = chip.crossbar.model_copy(update=ENERGIES)
    fields = {"crossbar": crossbar, "adc": chip.adc.model_copy(update={"energy_pj": 2.0}), **PRICED}
    if resident:
        fields |= {"weights": WeightMode.RESIDENT, "crossbars": crossbars, "attention": attention}
    program = compile_program(case.graph, case.policy, chip.model_copy(update=fields))
    found, rest = program_cost(program), program_events(program).rest
    besides = rest.values * 3 + rest.macs * 5 + (rest.network_bits * 4 + rest.memory_bits * 50) / 8
    assert found.energy_pj == pytest.approx(sum(layer.energy_pj for layer in found.layers) + besides)
    assert found.energy.missing == ("dac.energy",)


# Shafiee et al., ISCA 2016, doi:10.1109/ISCA.2016.12, Table I (ISAAC-CE, 32 nm): of one IMA in mW and mm2.
IMA_MW = {"adcs": 16.0, "dacs": 4.0, "crossbar_reads": 2.4}  # not modelled: S+H 0.01, S+A 0.2, registers 1.24 and 0.23
IMA_MM2 = {"adcs": 0.0096, "dacs": 0.00017, "crossbars": 0.0002}
TILE_MM2, TILES_MM2, TILES = 0.372, 62.5, 168  # the sums that the paper gives
TILE_MW, IMAS_MW = 330.0, 289.0


def isaac(crossbars: int) -> Cost:
    """So many crossbars, a multiple of 8, with all cells in use: a layer of 85 outputs and 5-bit weights.

    3 slices for each output and the unit column are 256 columns, two crossbars.
    """
    chip = load_spec(SPECS / "isaac_resident.cim").chip
    graph = linear(128 * crossbars // 2, 85)
    return program_cost(compile_program(graph, graph.uniform(5, 8), chip.model_copy(update={"copies": False})))


def test_a_full_ima_of_isaac_takes_its_published_power():
    found = isaac(8)
    (layer,) = found.layers
    assert (layer.crossbars, layer.latency_ns) == (8, 800.0)  # 8 steps of 100 ns
    assert found.utilization == 8 / 16128
    power_mw = {name: found.energy.by_component[name] / layer.latency_ns for name in IMA_MW}  # pJ / ns
    assert power_mw == pytest.approx(IMA_MW, rel=1e-3)
    # That is 93 % of an IMA's power (289 mW / 12), and 81 % of a tile's.
    assert 12 * sum(power_mw.values()) / IMAS_MW == pytest.approx(0.93, abs=0.005)
    assert 12 * sum(power_mw.values()) / TILE_MW == pytest.approx(0.81, abs=0.005)


def test_full_tiles_of_isaac_take_their_published_area():
    area = isaac(96).area.by_component
    tiles = area.pop("tiles")
    assert {name: um2 / 12e6 for name, um2 in area.items()} == pytest.approx(IMA_MM2, rel=1e-2)
    assert (sum(area.values()) + tiles) / 1e6 == pytest.approx(TILE_MM2, rel=1e-2)
    assert isaac(TILES * 96).area_um2 / 1e6 == pytest.approx(TILES_MM2, rel=1e-2)


def test_isaac_says_what_it_leaves_out():
    found = isaac(96)
    assert found.energy.missing == ("digital.energy",)  # one layer: nothing goes over the mesh
    assert found.programming_energy_pj is None
    assert found.area.missing == ()
