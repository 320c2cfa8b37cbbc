"""The data flow from a spec to results: `costing` (no data, no torch), `running`, `comparing`."""

from cimspec.pipeline.costing import Evaluation, baseline_policy, compile_spec, compiled_graph, cost_warnings, evaluate

__all__ = ["Evaluation", "baseline_policy", "compile_spec", "compiled_graph", "cost_warnings", "evaluate"]
