"""What a search makes small: the metrics of a schedule's cost, and which of them a chip can tell."""

from typing import assert_never

from cimspec.cost import Cost
from cimspec.diag import fail
from cimspec.spec.search import Metric, Objective
from cimspec.spec.search_checks import without_constants


def metric_value(cost: Cost, metric: Metric) -> float:
    """Latency and interval in ns, energy in pJ, area in um2, or a number of crossbars.

    Raises `CimError` (CIM608) where the chip does not say what it takes.
    """
    match metric:
        case Metric.LATENCY:
            return cost.latency_ns
        case Metric.INTERVAL:
            return cost.interval_ns
        case Metric.CROSSBARS:
            return float(sum(layer.crossbars for layer in cost.layers))
        case Metric.ENERGY:
            return known(cost.energy_pj, metric)
        case Metric.AREA:
            return known(cost.area_um2, metric)
        case _:
            assert_never(metric)


def known(value: float | None, metric: Metric) -> float:
    """The value, or the diagnostic that the chip gives none."""
    if not value:
        message, help_text = without_constants(metric)
        fail("CIM608", message, help=help_text)
    return value


def metric_values(cost: Cost, metrics: tuple[Metric, ...]) -> tuple[float, ...]:
    """The values of several metrics."""
    return tuple(metric_value(cost, metric) for metric in metrics)


def gain(baseline: Cost, cost: Cost, objective: Objective) -> float:
    """How many times smaller than the baseline's the objective is: the speedup, where it is a time."""
    result = 1.0
    for metric, power in objective.factors:
        result *= (metric_value(baseline, metric) / metric_value(cost, metric)) ** power
    return result
