"""Timelines and pages as commands write them."""

import json
import os
import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT

SPEC = "specs/paper/resnet18.cim"


def test_compile_writes_a_timeline_beside_the_program(cimspec, tmp_path):
    done = cimspec("compile", "specs/quickstart.cim", "--timeline", "t.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == cimspec("compile", "specs/quickstart.cim").stdout
    made = json.loads((tmp_path / "t.json").read_text())
    assert made["otherData"]["latency_us"] == pytest.approx(61947.2)  # what `evaluate` says
    assert max(event.get("ts", 0) + event.get("dur", 0) for event in made["traceEvents"]) == pytest.approx(61947.2)


@pytest.mark.parametrize("path", ["none/t.json", "specs"])
def test_a_timeline_that_cannot_be_written_is_a_diagnostic(cimspec, path):
    done = cimspec("compile", "specs/quickstart.cim", "--timeline", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error[CIM903]: cannot write `{path}`" in done.stderr
    assert "--timeline" in done.stderr


def test_a_run_leaves_its_timeline_and_its_page(cimspec, tmp_path):
    resident = ["--set", "chip.weights=resident", "--set", "chip.crossbars=800"]
    done = cimspec("run", SPEC, "--json", "--seed", "3", "--out", "r", *resident)
    result = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (result["artifacts"]["timeline"], result["artifacts"]["report"]) == ("r/timeline.json", "r/report.html")
    made = json.loads((tmp_path / "r/timeline.json").read_text())
    assert made["otherData"]["latency_us"] == result["baseline"]["latency_us"]
    command = "cimspec run specs/paper/resnet18.cim --seed 3 --set chip.weights=resident --set chip.crossbars=800"
    assert result["command"] == command
    assert command in (tmp_path / "r/report.html").read_text()
    assert sorted(each.name for each in (tmp_path / "r").iterdir()) == ["report.html", "result.json", "timeline.json"]


@pytest.mark.slow
def test_without_the_packages_the_page_is_left_out(tmp_path):
    absent = "import sys; sys.modules['matplotlib'] = None; from cimspec.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", absent, "run", str(ROOT / SPEC), "--out", "r"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr == "`report.html` is left out, it needs jinja2 and matplotlib: pip install 'cimspec[report]'\n"
    assert sorted(each.name for each in (tmp_path / "r").iterdir()) == ["result.json", "timeline.json"]
