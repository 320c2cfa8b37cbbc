"""A search that makes no sense is told by `validate`, not by the run that was to make it."""

from pathlib import Path

import pytest

from cimspec import load_spec
from cimspec.cost.energy import chip_area, energy_constants
from cimspec.diag import CimError, Diagnostic
from cimspec.spec import Metric
from cimspec.spec.search_checks import constants_of
from cimspec.validation import validated

TINY = Path(__file__).parents[2] / "specs/tiny.cim"
RESIDENT = ("chip.weights=resident", "chip.crossbars=24")


def errors(*overrides: str, path: Path = TINY) -> tuple[Diagnostic, ...]:
    try:
        validated(path, overrides)
    except CimError as error:
        return error.diagnostics
    return ()


def codes(*overrides: str, path: Path = TINY) -> list[str]:
    return [error.code for error in errors(*overrides, path=path)]


@pytest.mark.parametrize("constant", ["crossbar.write_energy=2 nJ", "adc.energy=1 pJ", "dac.energy=1 pJ"])
def test_one_constant_is_enough_to_make_energy_small(constant: str):
    assert codes("search.minimize=energy") == ["CIM608"]
    assert codes("search.minimize=energy", f"chip.{constant}") == []
    assert codes("search.minimize=energy", "chip.adc.energy=0 pJ") == ["CIM608"]


def test_area_is_made_small_where_weights_stay():
    assert codes("search.minimize=area", "chip.tile.area=1 mm2") == ["CIM608"]
    assert codes("search.minimize=area", *RESIDENT) == ["CIM608"]
    assert codes("search.minimize=area", "chip.tile.area=1 mm2", *RESIDENT) == []


def test_metrics_without_constants_are_told_each_at_its_place():
    found = errors("search.minimize=latency * energy", "search.pareto=[energy, area]", *RESIDENT)
    assert [(error.code, error.span.text) for error in found] == [
        ("CIM608", "latency * energy"),
        ("CIM608", "area"),
    ]


@pytest.mark.parametrize("mode", [(), RESIDENT])
def test_the_constants_of_a_metric_are_those_that_are_counted(mode: tuple[str, ...]):
    chip = load_spec(TINY, mode).chip
    assert set(constants_of(Metric.AREA, chip)) == set(chip_area(chip, 1, 1).missing)
    energies = {constant.field for constant in energy_constants(chip)}
    assert set(constants_of(Metric.ENERGY, chip)) <= energies
    if mode:
        assert set(constants_of(Metric.ENERGY, chip)) == energies


def test_one_precision_is_nothing_to_choose_and_two_are_something():
    assert codes("search.weight_bits=[4]", "search.activation_bits=[6]") == ["CIM609"]
    assert codes("search.weight_bits=[4]", "search.activation_bits=[6, 7]") == []


def test_of_a_sweep_the_points_are_searched_and_not_the_file_without_it(tmp_path: Path):
    swept = tmp_path / "swept.cim"
    text = TINY.read_text().replace("2..8", "[3]")
    swept.write_text(text + "sweep { search.weight_bits = [[2], [2, 3]] }")
    (found,) = errors(path=swept)
    assert found.code == "CIM609"
    assert found.notes == ("at search.weight_bits=[2]",)
    swept.write_text(text + "sweep { search.weight_bits = [[2, 4], [2, 3]] }")
    assert codes(path=swept) == []
