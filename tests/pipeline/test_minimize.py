"""Runs and comparisons by what the search makes small: figures, files and tables agree."""

import io
import json
from itertools import permutations
from pathlib import Path

import pytest
from rich.console import Console

from cimspec import load_spec
from cimspec.graph import load_policy
from cimspec.pipeline.comparing import compare
from cimspec.pipeline.costing import compiled_graph, evaluate
from cimspec.pipeline.executors import in_processes
from cimspec.pipeline.running import run
from cimspec.report import comparison_table, run_table
from cimspec.spec import Metric, Spec

TINY = Path(__file__).parents[2] / "specs/tiny.cim"
SMALL = (
    "training.epochs=2", "training.finetune_epochs=1", "search.budget=12", "search.methods=[rl, random]",
    "search.weight_bits=[3, 5, 8]", "search.activation_bits=[3, 8]",
)  # fmt: skip
RESIDENT = ("chip.weights=resident", "chip.crossbars=24")
ENERGIES = (
    "chip.crossbar.read_energy=30 pJ", "chip.crossbar.write_energy=2 nJ", "chip.adc.energy=1.6 pJ",
    "chip.dac.energy=0.4 pJ",
)  # fmt: skip
TIMES = (Metric.LATENCY, Metric.INTERVAL)


def printed(renderable) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(renderable)
    return console.file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("metric", TIMES)
def test_a_run_of_a_pipeline_reports_both_times_and_speedups_of_what_was_minimized(metric: Metric, tmp_path):
    spec = load_spec(TINY, (*SMALL, *RESIDENT, f"search.minimize={metric}"))
    report = run(spec, out=tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["schema"], result["minimize"]) == (3, metric.value)
    costed = evaluate(spec, load_policy(tmp_path / "policy.json", compiled_graph(spec)))
    best, baseline = result["best"], result["baseline"]
    assert (best["latency_us"], best["interval_us"]) == (costed.cost.latency_ns / 1e3, costed.cost.interval_ns / 1e3)
    assert best["values"] == {metric.value: 1e3 * best[f"{metric}_us"]}
    assert baseline["interval_us"] == costed.baseline.interval_ns / 1e3 < baseline["latency_us"]
    time = f"{metric}_us"
    assert best["speedup"] == pytest.approx(baseline[time] / best[time])
    assert best["speedup"] == max(each["speedup"] for each in (*result["methods"].values(), best) if each)
    header, *_ = text = printed(run_table(report)).splitlines()
    other = next(each for each in TIMES if each is not metric)
    assert header.split()[:6] == [metric, "speedup", metric, "(us)", other, "(us)"]
    assert any("8/8 baseline" in line and f"{baseline['interval_us']:,.1f}" in line for line in text)


def test_a_product_of_metrics_is_what_gains_are_of(tmp_path):
    spec = load_spec(TINY, (*SMALL, *ENERGIES, "search.minimize=latency * energy^0.5"))
    report = run(spec, out=tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["minimize"] == "latency * energy^0.5"
    costed = evaluate(spec, load_policy(tmp_path / "policy.json", compiled_graph(spec)))
    best = result["best"]
    assert best["values"] == {"latency": costed.cost.latency_ns, "energy": costed.cost.energy_pj}
    of_latency = costed.baseline.latency_ns / costed.cost.latency_ns
    of_energy = costed.baseline.energy_pj / costed.cost.energy_pj
    assert best["speedup"] == pytest.approx(of_latency * of_energy**0.5)
    text = printed(run_table(report))
    header, *_ = text.splitlines()
    assert header.split()[:8] == ["latency", "*", "energy^0.5", "saving", "latency", "(us)", "energy", "(uJ)"]
    assert f"{costed.baseline.energy_pj / 1e6:,.4g}" in text


def test_a_comparison_is_of_what_is_minimized():
    spec = load_spec(TINY, (*SMALL, *RESIDENT, "search.minimize=interval", "search.kl_limits=[100.0]"))
    report = compare(spec)
    baseline_ns = evaluate(spec).baseline.interval_ns
    assert report.baseline_values == (baseline_ns,)
    (result,) = report.results()
    (arena,) = report.arenas
    assert result.uniform == (pytest.approx(baseline_ns / min(trial.values[0] for trial in arena.uniform)),)
    for trial in (*arena.uniform, *(trial for each in report.runs for trial in each.trials)):
        assert trial.values == (evaluate(spec, trial.policy).cost.interval_ns,)
    found = report.as_json()
    assert (found["minimize"], found["metrics"]) == ("interval", ["interval"])
    assert "Gain over 8/8 bits in interval, divergence <= 100 nats" in printed(comparison_table(report))


def traded_off() -> Spec:
    """Latency against energy. A limit that all policies meet: what stands is decided by fine-tuning alone."""
    loose = ("search.require.accuracy_loss=20 pp", "search.kl_limits=[0.2, 1.0]")
    return load_spec(TINY, (*SMALL, *ENERGIES, *loose, "search.pareto=[latency, energy]"))


@pytest.fixture(scope="module")
def trade_offs(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    folder = tmp_path_factory.mktemp("pareto")
    report = run(traded_off(), out=folder)
    return report, json.loads((folder / "result.json").read_text())


def test_trade_offs_are_reported_and_none_beats_another_one(trade_offs):
    report, result = trade_offs
    spec = traded_off()
    assert result["trade_offs"]
    assert result["minimize"] == "latency"
    values = [(each["values"]["latency"], each["values"]["energy"]) for each in result["trade_offs"]]
    assert values == sorted(values)
    assert not any(a[0] <= b[0] and a[1] <= b[1] for a, b in permutations(values, 2))
    for outcome, written in zip(report.trade_offs, result["trade_offs"], strict=True):
        cost = evaluate(spec, outcome.policy).cost
        assert (cost.latency_ns, cost.energy_pj) == (written["values"]["latency"], written["values"]["energy"])
        assert outcome.validation.meets(20.0)
        assert 0 < written["accuracy"] < 1
    text = printed(run_table(report))
    assert "trade-offs" in text
    for outcome in report.trade_offs:
        assert " ".join(f"{weights}/{activations}" for weights, activations in outcome.policy.precisions) in text


def without_effort(result: dict) -> dict:
    """What a run found, without where it was written and how long it took."""
    return {name: value for name, value in result.items() if name not in ("seconds", "artifacts")}


@pytest.mark.slow
def test_workers_find_what_one_process_finds(trade_offs, tmp_path):
    _, result = trade_offs
    with in_processes(2) as executor:
        run(traded_off(), out=tmp_path, executor=executor)
    found = json.loads((tmp_path / "result.json").read_text())
    assert without_effort(found) == without_effort(result)
    assert set(found["seconds"]) == set(result["seconds"])
    assert set(found["artifacts"]) == set(result["artifacts"])
