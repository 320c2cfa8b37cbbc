"""What a search makes small."""

from typing import assert_never

from cimspec.cost import Cost
from cimspec.spec.search import Objective


def objective_ns(cost: Cost, objective: Objective) -> float:
    """The time that `objective` means: with reloaded weights both are the same."""
    match objective:
        case Objective.LATENCY:
            return cost.latency_ns
        case Objective.INTERVAL:
            return cost.interval_ns
        case _:
            assert_never(objective)
