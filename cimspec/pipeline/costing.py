"""From a spec and a policy to its cost and schedule. Needs neither data nor torch."""

from dataclasses import dataclass
from typing import Any

from cimspec.compiler import Program, compile_program
from cimspec.cost import Cost, program_cost
from cimspec.diag import Diagnostic, Diagnostics, Span
from cimspec.graph import Graph, Policy, open_model
from cimspec.quant.weights import fold_batch_norm
from cimspec.spec import Chip, Spec
from cimspec.units import Dimension, spell

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
            "interval_us": self.cost.interval_ns / 1e3,
            "baseline_interval_us": self.baseline.interval_ns / 1e3,
            "interval_speedup": self.baseline.interval_ns / self.cost.interval_ns,
            "programming_us": self.cost.programming_ns / 1e3,
            "energy_pj": self.cost.energy_pj,
            "baseline_energy_pj": self.baseline.energy_pj,
            "energy_parts_pj": self.cost.energy.by_component,
            "energy_left_out": list(self.cost.energy.missing),
            "programming_energy_pj": self.cost.programming_energy_pj,
            "area_um2": self.cost.area_um2,
            "baseline_area_um2": self.baseline.area_um2,
            "area_parts_um2": self.cost.area.by_component,
            "area_left_out": list(self.cost.area.missing),
            "utilization": self.cost.utilization,
            "buffer_bytes": self.cost.buffer_bytes,
            "tile_buffer_bytes": self.cost.tile_buffer_bytes,
            "segments": [
                {
                    "latency_us": segment.pipeline.latency_ns / 1e3,
                    "interval_us": segment.pipeline.interval_ns / 1e3,
                    "programming_us": segment.programming_ns / 1e3,
                    "buffer_bytes": segment.pipeline.buffer_bytes,
                    "bound_by": segment.bound_by,
                }
                for segment in self.cost.segments
            ],
            "layers": [
                {
                    "name": layer.name,
                    "weight_bits": layer.precision.weight_bits,
                    "activation_bits": layer.precision.activation_bits,
                    "crossbars": layer.crossbars,
                    "copies": layer.copies,
                    "latency_us": layer.latency_ns / 1e3,
                    "energy_pj": layer.energy_pj,
                    "area_um2": layer.area_um2,
                    "buffer_bytes": layer.buffer_bytes,
                }
                for layer in self.cost.layers
            ],
        }


def cost_warnings(cost: Cost, chip: Chip, span: Span | None = None) -> tuple[Diagnostic, ...]:
    """What a chip does not have room for (CIM504); `span` is where its tiles were described."""
    diagnostics = Diagnostics()
    capacity = chip.tile.buffer_bytes
    if capacity is not None and cost.tile_buffer_bytes > capacity:
        needed, given = (spell(size, Dimension.BYTES) for size in (cost.tile_buffer_bytes, capacity))
        diagnostics.warning(
            "CIM504",
            f"the fullest tile holds {needed}, `tile.buffer` is {given}",
            span,
            label="layers would have to wait for each other",
            help="enlarge `tile.buffer`, or take smaller tiles",
        )
    return diagnostics.all


def compiled_graph(spec: Spec) -> Graph:
    """The spec's network as the compiler sees it: batch normalization folded."""
    graph, _ = fold_batch_norm(open_model(spec).graph, {})
    return graph


def compile_spec(spec: Spec, policy: Policy | None = None) -> Program:
    """The schedule of the spec's network under `policy` (8/8 if left out); weights are named, not needed."""
    graph = compiled_graph(spec)
    return compile_program(graph, policy or baseline_policy(graph), spec.chip)


def baseline_policy(graph: Graph) -> Policy:
    """8/8 bits everywhere: what speedups and losses are measured against."""
    return graph.uniform(BASELINE_BITS, BASELINE_BITS)


def evaluate(spec: Spec, policy: Policy | None = None) -> Evaluation:
    """What `policy` (8/8 if left out) costs on the spec's chip."""
    graph = compiled_graph(spec)  # once: an ONNX file may be large
    baseline = program_cost(compile_program(graph, baseline_policy(graph), spec.chip))
    cost = program_cost(compile_program(graph, policy, spec.chip)) if policy else baseline
    return Evaluation(cost, baseline)
