"""Tables of what a run found: the baseline, the uniform line, every method, the best policy, trade-offs."""

from statistics import mean, stdev

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cimspec.report.run_report import Outcome, RunReport
from cimspec.report.table import percent, plain_table
from cimspec.search.objective import metric_value
from cimspec.spec.search import LATENCY, Metric, Objective


def run_table(report: RunReport) -> RenderableType:
    """The baseline, the uniform line, every method, and the best policy layer by layer."""
    parts: list[RenderableType] = [outcomes_table(report)]
    if report.best and report.best.method in report.methods:
        parts += [Text(), _policy_table(report.best)]
    if report.trade_offs:
        parts += [Text(), trade_offs_table(report)]
    if verdict := run_verdict(report):
        parts += [Text(), Text(verdict)]
    return Group(*parts)


def outcomes_table(report: RunReport) -> Table:
    """The baseline, the uniform line and every method; the best one is bold."""
    metrics = _metrics(report)
    is_plain = report.minimize == LATENCY and len(metrics) == 1
    speedup = "speedup" if is_plain else f"{report.minimize} {_gain_word(report.minimize)}"
    headers = (speedup, *(f"{metric}{_unit(metric)}" for metric in metrics), "test accuracy (%)", "loss (pp)")
    table = plain_table("", *headers, "images gained / lost", "evaluations")
    accuracy = "-" if report.baseline_accuracy is None else _accuracy(report.baseline_accuracy_by_draw)
    taken = (_amount(metric, metric_value(report.baseline_cost, metric)) for metric in metrics)
    table.add_row("8/8 baseline", "1.00x", *taken, accuracy, "0.00", "", "")
    outcomes = {**({"uniform": report.uniform} if report.has_searched else {}), **report.methods}
    for name, outcome in outcomes.items():
        is_best = outcome is not None and outcome == report.best
        table.add_row(*_outcome_row(name, outcome, metrics), style="bold" if is_best else None)
    return table


def trade_offs_table(report: RunReport) -> Table:
    """Policies that are good enough, none of which beats another one in all that was traded off."""
    metrics = _metrics(report)
    table = plain_table(
        "trade-offs", *(f"{metric}{_unit(metric)}" for metric in metrics), "loss (pp)", "bits per layer"
    )
    for number, outcome in enumerate(report.trade_offs, 1):
        bits = " ".join(f"{weights}/{activations}" for weights, activations in outcome.policy.precisions)
        amounts = (_amount(metric, _value(outcome, metric)) for metric in metrics)
        table.add_row(str(number), *amounts, f"{outcome.test.loss_pp:+.2f}", bits)
    return table


def run_verdict(report: RunReport) -> str:
    """What the search came to, in words; nothing if there was none."""
    if not report.best:
        return ""
    if report.best.method in report.methods:
        return _summary(report, report.best)
    stands = "the 8/8 network stands" if report.baseline_suffices else "nor is the 8/8 network, which stands"
    least = "" if report.least_accuracy is None else f" (at least {100 * report.least_accuracy:g} % right)"
    return f"No policy that was searched is as accurate as is required{least}; {stands}."


def _metrics(report: RunReport) -> tuple[Metric, ...]:
    """What is told of every policy: what the search looked at; in a pipeline also the times that it did not."""
    searched = tuple(report.best.values) if report.best else report.minimize.metrics
    return tuple(dict.fromkeys((*searched, *(TIMES if report.baseline_cost.segments else ()))))


TIMES = (Metric.LATENCY, Metric.INTERVAL)


def _gain_word(minimize: Objective) -> str:
    return "speedup" if all(metric in TIMES for metric in minimize.metrics) else "saving"


def _unit(metric: Metric) -> str:
    return {Metric.ENERGY: " (uJ)", Metric.AREA: " (mm2)", Metric.CROSSBARS: ""}.get(metric, " (us)")


def _amount(metric: Metric, value: float) -> str:
    """A value in ns, pJ, um2 or crossbars, in the unit of the header."""
    if metric in TIMES:
        return f"{value / 1e3:,.1f}"
    return f"{value:,.0f}" if metric is Metric.CROSSBARS else f"{value / 1e6:,.4g}"


def _value(outcome: Outcome, metric: Metric) -> float:
    times = {Metric.LATENCY: 1e3 * outcome.latency_us, Metric.INTERVAL: 1e3 * outcome.interval_us}
    return outcome.values[metric] if metric in outcome.values else times[metric]


def _outcome_row(name: str, outcome: Outcome | None, metrics: tuple[Metric, ...]) -> tuple[str, ...]:
    if outcome is None:
        return name, "-", *("-" for _ in metrics), "-", "-", "-", "-"
    if name == "uniform":
        name = f"uniform {_bits(outcome)}"
    return (
        name,
        f"{outcome.speedup:.2f}x",
        *(_amount(metric, _value(outcome, metric)) for metric in metrics),
        _accuracy(outcome.accuracy_by_draw),
        f"{outcome.test.loss_pp:+.2f}",
        f"{outcome.test.gained / outcome.test.draws:g} / {outcome.test.lost / outcome.test.draws:g}",
        str(outcome.evaluations),
    )


def _policy_table(outcome: Outcome) -> Table:
    table = plain_table(f"{outcome.method}, bits per layer", *outcome.policy.names)
    table.add_row("weights", *(str(precision.weight_bits) for _, precision in outcome.policy))
    table.add_row("activations", *(str(precision.activation_bits) for _, precision in outcome.policy))
    return table


def _summary(report: RunReport, best: Outcome) -> str:
    uniform = report.uniform
    beside = f"; uniform bits reach {uniform.speedup:.2f}x" if uniform else "; no uniform setting is good enough"
    if not report.has_searched:
        beside = ""
    gained = _better_than(report.minimize)
    draws = best.test.draws
    drawn = f"Means over {draws} chips, and the standard deviation from chip to chip. " if draws > 1 else ""
    return (
        f"{best.speedup:.2f}x {gained} 8/8 bits at {best.test.loss_pp:+.2f} pp test accuracy lost{beside}.\n"
        f"{drawn}One test image is {100 / report.test_images:.2f} pp. On the validation split the loss is below "
        f"{best.validation.loss_bound_pp:.2f} pp at 95 %.{_float_network(report)}"
    )


def _float_network(report: RunReport) -> str:
    """What was there to lose, where the chip loses something: its 8/8 network is no measure of that."""
    if report.float_accuracy is None or report.chip_is_exact:
        return ""
    return f"\nThe float network, which is on no chip, has {100 * report.float_accuracy:.1f} %."


def _better_than(minimize: Objective) -> str:
    """`5.8x` ... `8/8 bits`."""
    match minimize.metrics:
        case (Metric.LATENCY,):
            return "faster than"
        case (Metric.INTERVAL,):
            return "the throughput of"
        case (metric,):
            return f"less {metric} than"
        case _:
            return f"less {minimize} than"


def _bits(outcome: Outcome) -> str:
    widths = {precision for _, precision in outcome.policy}
    return "/".join(map(str, next(iter(widths)))) if len(widths) == 1 else "with kept layers"


def _accuracy(by_draw: tuple[float, ...]) -> str:
    """The mean over draws, with their standard deviation where there are several."""
    text = percent(mean(by_draw))
    return f"{text} ± {100 * stdev(by_draw):.1f}" if len(by_draw) > 1 else text
