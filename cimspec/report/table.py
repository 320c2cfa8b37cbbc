"""Tables for the terminal: what a run found, what a policy costs, how methods compare. Units are in the headers."""

from collections.abc import Callable, Iterable
from statistics import mean, stdev

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cimspec.cost import Cost
from cimspec.report.run_report import Outcome, RunReport
from cimspec.search.objective import objective_ns
from cimspec.spec.search import Objective


def cost_table(cost: Cost, baseline: Cost) -> RenderableType:
    """Every layer's bits, crossbars and latency, beside the 8/8 network's; of a pipeline also copies and totals."""
    copies = ("copies",) if cost.segments else ()
    table = _table(
        "layer", "weight bits", "activation bits", "crossbars", *copies, "latency (us)", "8/8 (us)", "speedup"
    )
    before = {layer.name: layer for layer in baseline.layers}
    for layer in cost.layers:
        table.add_row(
            layer.name,
            str(layer.precision.weight_bits),
            str(layer.precision.activation_bits),
            str(layer.crossbars),
            *((str(layer.copies),) if copies else ()),
            *_beside(layer.latency_ns, before[layer.name].latency_ns),
        )
    if cost.segments:
        return Group(table, Text(), _pipeline_table(cost, baseline))
    table.add_section()
    total, before_total = cost.latency_ns, baseline.latency_ns
    table.add_row("all", "", "", "", _us(total), _us(before_total), f"{before_total / total:.4f}x")
    return table


def _beside(latency_ns: float, before_ns: float) -> tuple[str, str, str]:
    return _us(latency_ns), _us(before_ns), f"{before_ns / latency_ns:.2f}x"


def _pipeline_table(cost: Cost, baseline: Cost) -> Table:
    """What a chip with resident weights does as a whole, beside 8/8 bits."""
    table = _table("pipeline", "policy", "8/8", "speedup")
    latencies, intervals = (cost.latency_ns, baseline.latency_ns), (cost.interval_ns, baseline.interval_ns)
    table.add_row("latency of one input (us)", *_beside(*latencies))
    table.add_row("interval between inputs (us)", *_beside(*intervals))
    rows: dict[str, Callable[[Cost], str]] = {
        "throughput (inputs/s)": lambda own: f"{own.inputs_per_second:,.1f}",
        "programming (us)": lambda own: _us(own.programming_ns),
        "segments": lambda own: str(len(own.segments)),
        "crossbars used by one copy": lambda own: f"{sum(layer.crossbars for layer in own.layers):,}",
        "cells that hold weights (%)": lambda own: _percent(own.utilization),
        "buffers at most (KiB)": lambda own: f"{own.buffer_bytes / 1024:,.1f}",
        "fullest tile's buffer (KiB)": lambda own: f"{own.tile_buffer_bytes / 1024:,.1f}",
        "bound by": lambda own: ", ".join(dict.fromkeys(segment.bound_by for segment in own.segments)),
    }
    for name, text in rows.items():
        table.add_row(name, text(cost), text(baseline), "")
    return table


def run_table(report: RunReport) -> RenderableType:
    """The baseline, the uniform line, every method, and the best policy layer by layer."""
    parts: list[RenderableType] = [outcomes_table(report)]
    if report.best and report.best.method in report.methods:
        parts += [Text(), _policy_table(report.best)]
    if verdict := run_verdict(report):
        parts += [Text(), Text(verdict)]
    return Group(*parts)


def outcomes_table(report: RunReport) -> Table:
    """The baseline, the uniform line and every method; the best one is bold."""
    times = _times(report)
    speedup = "speedup" if len(times) == 1 else f"{report.minimize} speedup"
    headers = (speedup, *(f"{time} (us)" for time in times), "test accuracy (%)", "loss (pp)")
    table = _table("", *headers, "images gained / lost", "evaluations")
    accuracy = "-" if report.baseline_accuracy is None else _accuracy(report.baseline_accuracy_by_draw)
    taken = (_us(objective_ns(report.baseline_cost, time)) for time in times)
    table.add_row("8/8 baseline", "1.00x", *taken, accuracy, "0.00", "", "")
    outcomes = {**({} if report.allowed_loss_pp is None else {"uniform": report.uniform}), **report.methods}
    for name, outcome in outcomes.items():
        is_best = outcome is not None and outcome == report.best
        table.add_row(*_outcome_row(name, outcome, times), style="bold" if is_best else None)
    return table


def run_verdict(report: RunReport) -> str:
    """What the search came to, in words; nothing if there was none."""
    if not report.best:
        return ""
    if report.best.method in report.methods:
        return _summary(report, report.best)
    return "No policy that was searched loses as little as is required; the 8/8 network stands."


def _times(report: RunReport) -> tuple[Objective, ...]:
    """What the search made small; in a pipeline beside what it did not look at."""
    others = [each for each in Objective if each is not report.minimize] if report.baseline_cost.segments else []
    return (report.minimize, *others)


def _outcome_row(name: str, outcome: Outcome | None, times: tuple[Objective, ...]) -> tuple[str, ...]:
    if outcome is None:
        return name, "-", *("-" for _ in times), "-", "-", "-", "-"
    if name == "uniform":
        name = f"uniform {_bits(outcome)}"
    return (
        name,
        f"{outcome.speedup:.2f}x",
        *(_us(1e3 * outcome.time_us(time)) for time in times),
        _accuracy(outcome.accuracy_by_draw),
        f"{outcome.test.loss_pp:+.2f}",
        f"{outcome.test.gained / outcome.test.draws:g} / {outcome.test.lost / outcome.test.draws:g}",
        str(outcome.evaluations),
    )


def _policy_table(outcome: Outcome) -> Table:
    table = _table(f"{outcome.method}, bits per layer", *outcome.policy.names)
    table.add_row("weights", *(str(precision.weight_bits) for _, precision in outcome.policy))
    table.add_row("activations", *(str(precision.activation_bits) for _, precision in outcome.policy))
    return table


def _summary(report: RunReport, best: Outcome) -> str:
    uniform = report.uniform
    beside = f"; uniform bits reach {uniform.speedup:.2f}x" if uniform else "; no uniform setting is good enough"
    if report.allowed_loss_pp is None:
        beside = ""
    gained = "faster than" if report.minimize is Objective.LATENCY else "the throughput of"
    draws = best.test.draws
    drawn = f"Means over {draws} chips, and the standard deviation from chip to chip. " if draws > 1 else ""
    return (
        f"{best.speedup:.2f}x {gained} 8/8 bits at {best.test.loss_pp:+.2f} pp test accuracy lost{beside}.\n"
        f"{drawn}One test image is {100 / report.test_images:.2f} pp. On the validation split the loss is below "
        f"{best.validation.loss_bound_pp:.2f} pp at 95 %."
    )


def _bits(outcome: Outcome) -> str:
    widths = {precision for _, precision in outcome.policy}
    return "/".join(map(str, next(iter(widths)))) if len(widths) == 1 else "with kept layers"


def _table(*headers: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for index, header in enumerate(headers):
        table.add_column(header, justify="left" if index == 0 else "right", no_wrap=index == 0)
    return table


def rows_table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """A plain table; the first column is left-aligned, the others right."""
    table = _table(*headers)
    for row in rows:
        table.add_row(*row)
    return table


def _us(latency_ns: float) -> str:
    return f"{latency_ns / 1e3:,.1f}"


def _accuracy(by_draw: tuple[float, ...]) -> str:
    """The mean over draws, with their standard deviation where there are several."""
    text = _percent(mean(by_draw))
    return f"{text} ± {100 * stdev(by_draw):.1f}" if len(by_draw) > 1 else text


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
