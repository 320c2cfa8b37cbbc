"""What a schedule costs."""

from cimspec.cost.cost import Cost, LayerCost, SegmentCost, program_cost
from cimspec.cost.energy import Breakdown
from cimspec.cost.events import Events, ProgramEvents, program_events
from cimspec.cost.latency import body_ns

__all__ = [
    "Breakdown",
    "Cost",
    "Events",
    "LayerCost",
    "ProgramEvents",
    "SegmentCost",
    "body_ns",
    "program_cost",
    "program_events",
]
