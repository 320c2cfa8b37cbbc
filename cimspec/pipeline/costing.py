"""From a spec and a policy to its cost and schedule. Needs neither data nor torch."""

from dataclasses import dataclass
from typing import Any

from cimspec.compiler import Program, compile_program
from cimspec.cost import Cost, program_cost
from cimspec.graph import Graph, Policy, build_graph
from cimspec.quant.weights import fold_batch_norm
from cimspec.spec import Spec

BASELINE_BITS = 8


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a policy costs on a chip, beside the 8/8 policy."""

    cost: Cost
    baseline: Cost

    @property
    def speedup(self) -> float:
        """How many times faster than 8/8."""
        return self.baseline.latency_ns / self.cost.latency_ns

    def as_json(self) -> dict[str, Any]:
        """What `cimspec evaluate --json` prints."""
        return {
            "latency_us": self.cost.latency_ns / 1e3,
            "baseline_latency_us": self.baseline.latency_ns / 1e3,
            "speedup": self.speedup,
            "layers": [
                {
                    "name": layer.name,
                    "weight_bits": layer.precision.weight_bits,
                    "activation_bits": layer.precision.activation_bits,
                    "crossbars": layer.crossbars,
                    "latency_us": layer.latency_ns / 1e3,
                }
                for layer in self.cost.layers
            ],
        }


def compiled_graph(spec: Spec) -> Graph:
    """The spec's network as the compiler sees it: batch normalization folded."""
    graph, _ = fold_batch_norm(build_graph(spec.model), {})
    return graph


def compile_spec(spec: Spec, policy: Policy | None = None) -> Program:
    """The schedule of the spec's network under `policy` (8/8 if left out); weights are named, not needed."""
    graph = compiled_graph(spec)
    return compile_program(graph, policy or baseline_policy(graph), spec.chip)


def baseline_policy(graph: Graph) -> Policy:
    """8/8 bits everywhere: what speedups and losses are measured against."""
    return graph.uniform(BASELINE_BITS, BASELINE_BITS)


def evaluate(spec: Spec, policy: Policy | None = None) -> Evaluation:
    """Latency and crossbars of `policy` (8/8 if left out) on the spec's chip."""
    return Evaluation(program_cost(compile_spec(spec, policy)), program_cost(compile_spec(spec)))
