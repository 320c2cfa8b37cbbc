"""Sweeps from the command line: all points are checked, costed, run; a second run takes up what the first finished."""

import json
from pathlib import Path

import pytest

TEXT = """
import library("chips/rram_64.cim")
let side = 64
chip c extends rram_64 { crossbar { rows = side; columns = side } }
model m { input 1 x 8 x 8 { signed = false }; conv2d c1 { channels = 8; kernel = 3 }; linear f1 { features = 10 } }
"""
SWEEP = "sweep { let.side = [32, 64]; chip.adc.bits = [6, 8] }\n"
TINY = Path(__file__).parents[2] / "specs/tiny.cim"
SMALL = ["--set", "training.epochs=1", "--set", "training.finetune_epochs=1", "--set", "search.budget=20"]


@pytest.fixture
def spec(tmp_path):
    def write(text: str) -> str:
        (tmp_path / "swept.cim").write_text(text)
        return "swept.cim"

    return write


def test_validate_checks_every_point(cimspec, spec):
    done = cimspec("validate", spec(TEXT + SWEEP))
    assert done.returncode == 0
    assert "; so are all 4 points of its sweep" in done.stdout
    assert "at 2 of 4 points, first at let.side=32, chip.adc.bits=6" in done.stderr  # an ADC that is short, told once
    assert done.stderr.count("warning") == 1


def test_validate_tells_which_points_are_wrong(cimspec, spec):
    done = cimspec(
        "validate", spec(TEXT + "sweep { chip.crossbars = [0, 1]; chip.adc.bits = [8, 40] }"), "--format", "json"
    )
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert [(each["code"], each["notes"][-1]) for each in found if each["severity"] == "error"] == [
        ("CIM208", "at 2 of 4 points, first at chip.crossbars=0, chip.adc.bits=8"),
        ("CIM208", "at 2 of 4 points, first at chip.crossbars=0, chip.adc.bits=40"),
    ]


def test_evaluate_prints_a_line_for_each_point(cimspec, spec):
    done = cimspec("evaluate", spec(TEXT + SWEEP))
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][:2] == ["let.side", "chip.adc.bits"]
    assert [tuple(line[:2]) for line in lines[1:]] == [("32", "6"), ("32", "8"), ("64", "6"), ("64", "8")]
    alone = cimspec("evaluate", spec(TEXT), "--set", "let.side=32", "--json")
    assert f"{json.loads(alone.stdout)['latency_us']:,.1f}" == lines[1][2]


def test_evaluate_gives_all_of_it_as_json(cimspec, spec):
    points = json.loads(cimspec("evaluate", spec(TEXT + SWEEP), "--json").stdout)["points"]
    assert [point["settings"] for point in points][1] == {"let.side": "32", "chip.adc.bits": "8"}
    alone = json.loads(
        cimspec("evaluate", spec(TEXT), "--set", "let.side=32", "--set", "chip.adc.bits=8", "--json").stdout
    )
    assert {name: value for name, value in points[1].items() if name != "settings"} == alone


def test_a_policy_is_read_for_every_point(cimspec, spec, tmp_path):
    (tmp_path / "policy.json").write_text("[[4, 4], [8, 8]]")
    done = cimspec("evaluate", spec(TEXT + SWEEP), "--policy", "policy.json")
    assert "speedup" in done.stdout.splitlines()[0]


@pytest.mark.slow
def test_run_does_every_point_in_a_folder_of_its_own(cimspec, spec, tmp_path):
    path = spec(TINY.read_text() + "\nsweep chip.adc.bits = [6, 7]\n")
    done = cimspec("run", path, *SMALL, "--out", "out", "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[1:3]] == ["6", "7"]
    points = json.loads((tmp_path / "out/sweep.json").read_text())["points"]
    assert [point["settings"] for point in points] == [{"chip.adc.bits": "6"}, {"chip.adc.bits": "7"}]
    for number, point in enumerate(points, start=1):
        assert json.loads((tmp_path / f"out/point-{number}/result.json").read_text())["best"] == point["best"]
        assert point["command"].endswith(f"--set chip.adc.bits={number + 5}")
    again = cimspec("run", path, *SMALL, "--out", "out", "--seed", "1", "--json")
    assert [point["best"] for point in json.loads(again.stdout)["points"]] == [point["best"] for point in points]


def test_the_command_of_a_point_gives_the_point_alone(cimspec, spec, tmp_path):
    path = spec(TEXT + SWEEP)
    cimspec("run", path, "--out", "out")
    point = json.loads((tmp_path / "out/sweep.json").read_text())["points"][2]
    assert point["command"] == "cimspec run swept.cim --seed 0 --set let.side=64 --set chip.adc.bits=6"
    alone = json.loads(cimspec(*point["command"].split()[1:], "--json", "--out", "alone").stdout)
    assert (alone["spec_digest"], alone["baseline"]) == (point["spec_digest"], point["baseline"])


def test_several_seeds_do_not_go_with_a_sweep(cimspec, spec):
    done = cimspec("run", spec(TEXT + SWEEP), "--seeds", "2")
    assert done.returncode == 2
    assert "leave out `--seeds`" in " ".join(done.stderr.split())


def test_the_library_is_listed(cimspec):
    done = cimspec("list", "library")
    assert 'library("models/vit_b32.cim")' in done.stdout
    assert "ViT-B/32 at ImageNet size" in done.stdout
