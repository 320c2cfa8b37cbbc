"""What a schedule costs."""

from cimspec.cost.cost import Cost, LayerCost, SegmentCost, program_cost
from cimspec.cost.latency import body_ns

__all__ = ["Cost", "LayerCost", "SegmentCost", "body_ns", "program_cost"]
