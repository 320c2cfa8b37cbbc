"""What a schedule costs."""

from cimspec.cost.latency import Cost, LayerCost, layer_cost, program_cost

__all__ = ["Cost", "LayerCost", "layer_cost", "program_cost"]
