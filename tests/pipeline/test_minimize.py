"""Runs and comparisons by what the search makes small: figures, files and tables agree."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from cimspec import load_spec
from cimspec.graph import load_policy
from cimspec.pipeline.comparing import compare
from cimspec.pipeline.costing import compiled_graph, evaluate
from cimspec.pipeline.running import run
from cimspec.report import comparison_table, run_table
from cimspec.spec import Objective

TINY = Path(__file__).parents[2] / "specs/tiny.cim"
SMALL = (
    "training.epochs=2", "training.finetune_epochs=1", "search.budget=12", "search.methods=[rl, random]",
    "search.weight_bits=[3, 5, 8]", "search.activation_bits=[3, 8]", "chip.weights=resident", "chip.crossbars=24",
)  # fmt: skip


def printed(renderable) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(renderable)
    return console.file.getvalue()


@pytest.mark.parametrize("objective", Objective)
def test_a_run_of_a_pipeline_reports_both_times_and_speedups_of_what_was_minimized(objective: Objective, tmp_path):
    spec = load_spec(TINY, (*SMALL, f"search.minimize={objective}"))
    report = run(spec, out=tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["schema"], result["minimize"]) == (2, objective.value)
    costed = evaluate(spec, load_policy(tmp_path / "policy.json", compiled_graph(spec)))
    best, baseline = result["best"], result["baseline"]
    assert (best["latency_us"], best["interval_us"]) == (costed.cost.latency_ns / 1e3, costed.cost.interval_ns / 1e3)
    assert baseline["interval_us"] == costed.baseline.interval_ns / 1e3 < baseline["latency_us"]
    time = f"{objective.value}_us"
    assert best["speedup"] == pytest.approx(baseline[time] / best[time])
    assert best["speedup"] == max(each["speedup"] for each in (*result["methods"].values(), best) if each)
    header, *_ = text = printed(run_table(report)).splitlines()
    other = next(each for each in Objective if each is not objective)
    assert header.split()[:6] == [objective, "speedup", objective, "(us)", other, "(us)"]
    assert any("8/8 baseline" in line and f"{baseline['interval_us']:,.1f}" in line for line in text)


def test_a_comparison_is_of_what_is_minimized():
    spec = load_spec(TINY, (*SMALL, "search.minimize=interval"))
    report = compare(spec)
    fastest = min(trial.time_ns for trial in report.uniform)
    assert report.uniform_speedup(100.0) == evaluate(spec).baseline.interval_ns / fastest
    found = report.as_json()
    assert found["minimize"] == "interval"
    assert found["baseline_interval_us"] < found["baseline_latency_us"]
    assert "Speedup over 8/8 in interval, at a divergence of at most 0.1 nats" in printed(comparison_table(report))
