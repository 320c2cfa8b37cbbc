"""`cimspec evaluate` on chips with and without energies and areas."""

import json

import pytest


def evaluated(cimspec, *arguments: str) -> dict:
    done = cimspec("evaluate", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_energy_and_area_are_in_the_json(cimspec):
    found = evaluated(cimspec, "specs/isaac_resident.cim")
    parts, layers = found["energy_parts_pj"], found["layers"]
    assert found["energy_pj"] == found["baseline_energy_pj"] == pytest.approx(sum(parts.values()))
    # What belongs to no layer is what goes in and out: 28 * 28 values of 8 bits and 10 of 32, 406.25 pJ a byte.
    assert parts["memory"] == pytest.approx((784 + 40) * 406.25)
    assert found["energy_pj"] == pytest.approx(sum(layer["energy_pj"] for layer in layers) + parts["memory"])
    assert found["energy_left_out"] == ["digital.energy", "network.energy_per_byte"]
    assert found["programming_energy_pj"] is None
    assert found["area_um2"] == pytest.approx(sum(found["area_parts_um2"].values()))
    # An ADC of 1200 um2, 128 DACs of 0.166 um2 and 25 um2 of cells for each crossbar; 0.25265 mm2 for each tile.
    crossbars = sum(layer["crossbars"] * layer["copies"] for layer in layers)
    tiles = -(-crossbars // 96)
    assert found["area_um2"] == pytest.approx(crossbars * (1200 + 128 * 0.166 + 25) + tiles * 252650)
    assert layers[0]["area_um2"] == pytest.approx(layers[0]["copies"] * (1200 + 128 * 0.166 + 25))


def test_a_constant_more_is_one_less_left_out(cimspec):
    plain = evaluated(cimspec, "specs/isaac.cim")
    assert plain["energy_left_out"] == ["crossbar.write_energy"]
    written = evaluated(cimspec, "specs/isaac.cim", "--set", "chip.crossbar.write_energy=21 nJ")
    assert written["energy_left_out"] == []
    writes = sum(layer["crossbars"] for layer in plain["layers"])
    assert written["energy_pj"] - plain["energy_pj"] == pytest.approx(writes * 21000)


def test_without_constants_there_is_no_energy(cimspec):
    found = evaluated(cimspec, "specs/quickstart.cim")
    assert found["energy_pj"] is found["area_um2"] is found["layers"][0]["energy_pj"] is None
    assert found["energy_left_out"] == ["crossbar.read_energy", "crossbar.write_energy", "adc.energy", "dac.energy"]
    shown = cimspec("evaluate", "specs/quickstart.cim").stdout
    assert "uJ" not in shown
    assert "mm2" not in shown


def test_the_table_says_what_is_left_out(cimspec):
    lines = [line.split() for line in cimspec("evaluate", "specs/isaac.cim").stdout.splitlines()]
    total = evaluated(cimspec, "specs/isaac.cim")["energy_pj"] / 1e6
    assert ["all", f"{total:.3f}", f"{total:.3f}", "1.00x"] in lines
    assert ["crossbar.write_energy", "not", "given", "not", "given"] in lines
