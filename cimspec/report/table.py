"""Tables for the terminal: what a run found, what a policy costs, how methods compare. Units are in the headers."""

from collections.abc import Iterable
from statistics import mean, stdev

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cimspec.cost import Cost
from cimspec.report.run_report import Outcome, RunReport


def cost_table(cost: Cost, baseline: Cost) -> RenderableType:
    """Every layer's bits, crossbars and latency, beside the 8/8 network's."""
    table = _table("layer", "weight bits", "activation bits", "crossbars", "latency (us)", "8/8 (us)", "speedup")
    for layer, before in zip(cost.layers, baseline.layers, strict=True):
        table.add_row(
            layer.name,
            str(layer.precision.weight_bits),
            str(layer.precision.activation_bits),
            str(layer.crossbars),
            _us(layer.latency_ns),
            _us(before.latency_ns),
            f"{before.latency_ns / layer.latency_ns:.2f}x",
        )
    table.add_section()
    total, before_total = cost.latency_ns, baseline.latency_ns
    table.add_row("all", "", "", "", _us(total), _us(before_total), f"{before_total / total:.4f}x")
    return table


def run_table(report: RunReport) -> RenderableType:
    """The baseline, the uniform line, every method, and the best policy layer by layer."""
    table = _table(
        "", "speedup", "latency (us)", "test accuracy (%)", "loss (pp)", "images gained / lost", "evaluations"
    )
    accuracy = "-" if report.baseline_accuracy is None else _accuracy(report.baseline_accuracy_by_draw)
    table.add_row("8/8 baseline", "1.00x", _us(report.baseline_cost.latency_ns), accuracy, "0.00", "", "")
    outcomes = {"uniform": report.uniform, **report.methods} if report.allowed_loss_pp is not None else {}
    for name, outcome in outcomes.items():
        is_best = outcome is not None and outcome == report.best
        table.add_row(*_outcome_row(name, outcome), style="bold" if is_best else None)
    parts: list[RenderableType] = [table]
    if report.best and report.best.method in report.methods:
        parts += [Text(), _policy_table(report.best), Text(), Text(_summary(report, report.best))]
    elif report.best:
        parts += [Text(), Text("No policy that was searched loses as little as is required; the 8/8 network stands.")]
    return Group(*parts)


def _outcome_row(name: str, outcome: Outcome | None) -> tuple[str, ...]:
    if outcome is None:
        return name, "-", "-", "-", "-", "-", "-"
    if name == "uniform":
        name = f"uniform {_bits(outcome)}"
    return (
        name,
        f"{outcome.speedup:.2f}x",
        _us(outcome.latency_us * 1e3),
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
    draws = best.test.draws
    drawn = f"Means over {draws} chips, and the standard deviation from chip to chip. " if draws > 1 else ""
    return (
        f"{best.speedup:.2f}x faster than 8/8 bits at {best.test.loss_pp:+.2f} pp test accuracy lost{beside}.\n"
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
