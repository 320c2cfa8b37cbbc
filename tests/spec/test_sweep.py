"""Sweeps: which points there are, what each means, and that values keep to the files they may name."""

import pytest

from cimspec.diag import CimError
from cimspec.spec import load, load_points
from tests.spec.conftest import CHIP, MODEL, SEARCH

SPEC = CHIP + MODEL + SEARCH


def test_a_spec_without_a_sweep_has_no_points(loaded):
    assert loaded(SPEC).points == ()
    assert list(load_points("main.cim")) == []


def test_several_fields_are_combined_in_all_ways_the_last_fastest(loaded):
    sweep = "sweep chip.adc.bits = [6, 8]\nsweep { chip.crossbar.rows = 32..33; search.methods = [rl, [rl, random]] }"
    points = loaded(SPEC + sweep).points
    assert len(points) == 8
    assert points[0] == ("chip.adc.bits=6", "chip.crossbar.rows=32", "search.methods=rl")
    assert points[1] == ("chip.adc.bits=6", "chip.crossbar.rows=32", "search.methods=[rl, random]")
    assert points[-1] == ("chip.adc.bits=8", "chip.crossbar.rows=33", "search.methods=[rl, random]")


def test_the_spec_itself_is_without_its_sweep(loaded):
    assert loaded(SPEC + "sweep chip.adc.bits = 4..6").spec == loaded(SPEC).spec


def test_a_point_is_what_its_overrides_give(loaded):
    text = "let side = 64\nlet t = 1 us\n" + SPEC.replace("rows = 64", "rows = side").replace("1.4 us", "t")
    sweep = """
    sweep { let.side = [side / 2, 2 * side]; chip.crossbar.read_latency = [t / 3, 2 ns, 4 pJ / (2 pJ / 1 ns)] }
    sweep model.c1.kernel = [1, 3 x 1]
    sweep search.minimize = [latency, latency * energy^0.5]
    sweep data = [builtin("digits"), builtin("mnist5k")]
    """
    points = loaded(text + sweep).points
    assert len(points) == 2 * 3 * 2 * 2 * 2
    for point in load_points("main.cim"):
        assert point.settings in points
        assert point.loaded is not None
        assert load("main.cim", point.settings).spec == point.loaded.spec
    first = next(iter(load_points("main.cim"))).loaded.spec
    assert (first.chip.crossbar.rows, first.chip.crossbar.read_latency_ns) == (32, 1000 / 3)


def test_what_the_command_line_sets_is_not_swept(loaded):
    sweep = "sweep { chip.adc.bits = 4..6; chip.crossbar.rows = [32, 64] }"
    points = loaded(SPEC + sweep, "chip.adc.bits=7").points
    assert points == (("chip.crossbar.rows=32",), ("chip.crossbar.rows=64",))
    assert loaded(SPEC + sweep, "chip.adc.bits=7", "chip.crossbar.rows=32").points == ()
    assert [point.loaded.spec.chip.adc.bits for point in load_points("main.cim", ["chip.adc.bits=7"])] == [7, 7]


def test_sweeps_of_imported_files_do_not_count(loaded):
    assert loaded('import "base.cim"' + MODEL, base=CHIP + "sweep chip.adc.bits = 4..6").points == ()


def test_a_wrong_point_is_told_at_its_place_in_the_file(loaded):
    loaded(SPEC + "sweep chip.adc.bits = [8, 40]")
    good, bad = load_points("main.cim")
    assert (good.errors, bad.loaded) == ((), None)
    (found,) = bad.errors
    assert (found.code, found.span.source.name, found.span.text) == ("CIM208", "main.cim", "40")


def test_a_sweep_cannot_name_files(loaded, tmp_path):
    """As an override a path would start at the current folder, and reach anywhere."""
    (tmp_path / "cells.csv").write_text("level,mean,sigma\n")
    for sweep in (
        'sweep chip.device.table = "cells.csv"',
        'sweep chip.device.table = ["/etc/passwd"]',
        'let secret = "/etc/passwd"\nsweep chip.device.table = [secret]',
        'sweep model = [onnx("/etc/passwd")]',
        'sweep data = [builtin("digits"), npz("../secret.npz")]',
        'sweep search.methods = [[rl, ["/etc/passwd"]]]',
    ):
        with pytest.raises(CimError) as caught:
            loaded(SPEC + sweep)
        assert [found.code for found in caught.value.diagnostics] == ["CIM238"]


def test_a_sweep_has_at_most_a_thousand_points(loaded):
    fields = "sweep { chip.adc.bits = 1..10; chip.crossbar.rows = 1..10; chip.crossbar.columns = %s }"
    assert len(loaded(SPEC + fields % "[2, 4, 6, 8, 10, 12, 14, 16, 18, 20]").points) == 1000
    with pytest.raises(CimError) as caught:
        loaded(SPEC + fields % "2..12")
    assert "10 * 10 * 11 = 1100 points" in caught.value.diagnostics[0].message
