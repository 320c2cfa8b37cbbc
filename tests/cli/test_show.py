"""`cimspec show`: text that means the same, and JSON."""

import json
from pathlib import Path

from cimspec.spec import load

SPECS = Path(__file__).parents[2] / "specs"


def test_what_is_shown_is_a_spec_that_means_the_same(cimspec, tmp_path):
    done = cimspec("show", "specs/lossy.cim", "--set", "chip.adc.bits=7")
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "again.cim").write_text(done.stdout)
    wanted = load(tmp_path / "specs/lossy.cim", ["chip.adc.bits=7"]).spec.digest
    assert load(tmp_path / "again.cim").spec.digest == wanted
    (line,) = (line for line in done.stdout.splitlines() if "bits = 7" in line)
    assert line.split() == ["bits", "=", "7", "#", "--set"]


def test_json_has_the_spec_and_where_it_is_from(cimspec):
    found = json.loads(cimspec("show", "specs/lossy.cim", "--json").stdout)
    assert found["spec"]["digest"] == load(SPECS / "lossy.cim").spec.digest
    assert found["spec"]["chip"]["adc"]["bits"] == 6
    assert found["origins"]["chip.adc.bits"] == "specs/lossy.cim:6"
    assert "chip.adc.step" not in found["origins"]


def test_what_is_wrong_is_said_as_ever(cimspec):
    done = cimspec("show", "specs/lossy.cim", "--set", "chip.adc.bitz=7")
    assert (done.returncode, done.stdout) == (1, "")
    assert "CIM207" in done.stderr
