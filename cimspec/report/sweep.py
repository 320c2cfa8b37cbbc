"""Tables of sweeps: a line for each point, its settings first."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from cimspec.cost import Cost
from cimspec.report.run_report import RunReport
from cimspec.report.table import NOT_KNOWN, plain_table

Settings = Mapping[str, str]  # the value of each field that is swept, by its path


def points_table(points: Sequence[tuple[Settings, Cost, Cost]], *, with_speedup: bool) -> RenderableType:
    """What a policy costs at each point (settings, its cost, that of 8/8 bits); `with_speedup` where they differ."""
    rows = []
    for _, cost, baseline in points:
        row = {"latency (us)": f"{cost.latency_ns / 1e3:,.1f}"}
        if with_speedup:
            row["speedup"] = f"{baseline.latency_ns / cost.latency_ns:.4f}x"
        if any(each.segments for _, each, _ in points):
            row["interval (us)"] = f"{cost.interval_ns / 1e3:,.1f}"
        row["crossbars"] = f"{sum(layer.crossbars for layer in cost.layers):,}"
        if any(each.energy_pj is not None for _, each, _ in points):
            row["energy (uJ)"] = NOT_KNOWN if cost.energy_pj is None else f"{cost.energy_pj / 1e6:,.3f}"
        if any(each.area_um2 is not None for _, each, _ in points):
            row["area (mm2)"] = NOT_KNOWN if cost.area_um2 is None else f"{cost.area_um2 / 1e6:,.4f}"
        rows.append(row)
    return _table([settings for settings, _, _ in points], rows)


def runs_table(points: Sequence[tuple[Settings, RunReport]]) -> RenderableType:
    """What the run at each point came to: the 8/8 network, and the best policy that was found."""
    has_data = any(report.baseline_accuracy is not None for _, report in points)
    searched = any(report.methods for _, report in points)
    rows = []
    for _, report in points:
        best = report.best
        row = {"8/8 latency (us)": f"{report.baseline_cost.latency_ns / 1e3:,.1f}"}
        if has_data:
            row["8/8 accuracy (%)"] = _percent(report.baseline_accuracy)
        if searched:
            row[f"{report.minimize} speedup"] = f"{best.speedup:.2f}x" if best else NOT_KNOWN
            row["test loss (pp)"] = f"{best.test.loss_pp:+.2f}" if best else NOT_KNOWN
            row["method"] = best.method if best else "nothing good enough"
        rows.append(row)
    return _table([settings for settings, _ in points], rows)


def runs_as_json(points: Sequence[tuple[Settings, RunReport]]) -> dict[str, Any]:
    """What `sweep.json` holds: the settings of each point and its `result.json`."""
    return {"points": [{"settings": dict(settings), **report.as_json()} for settings, report in points]}


def _percent(share: float | None) -> str:
    return NOT_KNOWN if share is None else f"{100 * share:.2f}"


def _table(settings: Sequence[Settings], rows: Sequence[Mapping[str, str]]) -> RenderableType:
    table = plain_table(*settings[0], *rows[0])
    for own, row in zip(settings, rows, strict=True):
        table.add_row(*own.values(), *row.values())
    return table
