"""What a Program costs on its chip: latency, throughput, programming time, use of crossbars and buffers.

Reloaded weights: layers follow each other, and an input is done when the last one is; digital work is not charged.
Resident weights: each segment is a pipeline (`segments.py`, `pipeline.py`); where there are several, `batch` inputs run
through one before the next is programmed.
"""

from dataclasses import dataclass
from math import ceil

from cimspec.compiler.program import CrossbarLayer, Program, Segment
from cimspec.cost.latency import body_ns
from cimspec.cost.pipeline import PipelineCost, pipeline_cost
from cimspec.cost.segments import SegmentStages
from cimspec.cost.timeline import bottleneck
from cimspec.graph.precision import Policy, Precision
from cimspec.spec.chip import WeightMode


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What one layer takes for one input."""

    name: str
    precision: Precision
    crossbars: int  # blocks of the layer, each on a crossbar of its own; of one copy
    latency_ns: float  # that its crossbars take
    copies: int = 1
    buffer_bytes: int = 0  # the most of its output that is held at once, where layers are a pipeline


@dataclass(frozen=True, slots=True)
class SegmentCost:
    """One load of weights."""

    programming_ns: float
    pipeline: PipelineCost
    bound_by: str  # what takes as long as the interval
    tile_buffer_bytes: int  # the most that one tile's buffer holds, if all of its tensors peak at once


@dataclass(frozen=True, slots=True)
class Cost:
    """What one input takes."""

    layers: tuple[LayerCost, ...]  # in execution order
    latency_ns: float  # from an input to its output, on a chip that does nothing else
    interval_ns: float  # from one input to the next, in the long run
    programming_ns: float  # before the first input; part of the latency where weights are reloaded
    utilization: float  # share of the chip's cells that hold weights, 0 .. 1; of the fullest segment
    segments: tuple[SegmentCost, ...] = ()

    @property
    def policy(self) -> Policy:
        """The policy that was costed."""
        return Policy.of({layer.name: layer.precision for layer in self.layers})

    @property
    def inputs_per_second(self) -> float:
        """Throughput."""
        return 1e9 / self.interval_ns

    @property
    def buffer_bytes(self) -> int:
        """The most that buffers hold at once."""
        return max((segment.pipeline.buffer_bytes for segment in self.segments), default=0)

    @property
    def tile_buffer_bytes(self) -> int:
        """The most that one tile's buffer holds."""
        return max((segment.tile_buffer_bytes for segment in self.segments), default=0)


def program_cost(program: Program) -> Cost:
    """What `program` costs."""
    if program.chip.weights is WeightMode.RESIDENT:
        return _resident_cost(program)
    layers = tuple(_layer_cost(program, layer) for layer in program.layers)
    latency_ns = sum(layer.latency_ns for layer in layers)
    return Cost(layers, latency_ns, latency_ns, 0.0, _utilization(program, program.segments[0]))


def _layer_cost(program: Program, layer: CrossbarLayer, buffer_bytes: int = 0) -> LayerCost:
    matrices = program.matrices(layer)
    return LayerCost(
        layer.name,
        layer.op.precision,
        matrices.blocks,
        body_ns(program.chip, layer.body),
        program.copies(layer),
        buffer_bytes,
    )


def _resident_cost(program: Program) -> Cost:
    chip, layers, segments = program.chip, [], []
    for segment in program.segments:
        made = SegmentStages(program, segment)
        busiest, busiest_ns = made.busiest_tile()
        slowest = bottleneck(made.stages)
        found = pipeline_cost(made.stages, max(slowest.busy_ns, busiest_ns))
        peaks = {stage.name: stage.buffer_bytes for stage in found.stages}
        fullest = max(made.tile_buffers(peaks).values())
        layers += [
            _layer_cost(program, item, peaks[item.op.dst]) for item in segment.items if isinstance(item, CrossbarLayer)
        ]
        bound_by = busiest if busiest_ns > slowest.busy_ns else f"{slowest.name} ({slowest.bound_by.value})"
        writing_ns = chip.crossbar.write_latency_ns if segment.places else 0.0
        segments.append(SegmentCost(writing_ns, found, bound_by, ceil(fullest)))
    utilization = max(_utilization(program, segment) for segment in program.segments)
    programming_ns = sum(segment.programming_ns for segment in segments)
    latency_ns = sum(segment.pipeline.latency_ns for segment in segments)
    if len(segments) == 1:
        interval_ns = segments[0].pipeline.interval_ns
        return Cost(tuple(layers), latency_ns, interval_ns, programming_ns, utilization, tuple(segments))
    following = sum(segment.pipeline.interval_ns for segment in segments) * (chip.batch - 1)
    interval_ns = (programming_ns + latency_ns + following) / chip.batch
    latency_ns += programming_ns
    return Cost(tuple(layers), latency_ns, interval_ns, programming_ns, utilization, tuple(segments))


def _utilization(program: Program, segment: Segment) -> float:
    """Share of the chip's cells that hold a part of a weight, where crossbars are as full as they get."""
    crossbar, crossbars = program.chip.crossbar, program.chip.crossbars
    cells = crossbars * crossbar.rows * crossbar.columns
    layers = [item for item in segment.items if isinstance(item, CrossbarLayer)]
    if program.chip.weights is WeightMode.RESIDENT:
        used = sum(program.copies(layer) * program.matrices(layer).used_cells for layer in layers)
        return min(1.0, used / cells)
    shares = [program.matrices(layer).used_cells / program.matrices(layer).blocks for layer in layers]
    counts = [min(crossbars, program.matrices(layer).blocks) for layer in layers]
    return max((share * count for share, count in zip(shares, counts, strict=True)), default=0.0) / cells
