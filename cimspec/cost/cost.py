"""What a Program costs on its chip: latency, throughput, energy, area, programming, use of crossbars and buffers.

Reloaded weights: layers follow each other, and an input is done when the last one is; digital work is not charged.
Resident weights: each segment is a pipeline (`segments.py`, `pipeline.py`); where there are several, `batch` inputs run
through one before the next is programmed.

Energy is that of one input (events.py, energy.py). Writes are part of it where weights are reloaded, and a share of
them where they are written for every `batch` inputs; those that stay are written once, which is told apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from cimspec.compiler.matrices import Matrices
from cimspec.compiler.program import CrossbarLayer, Program, Segment
from cimspec.cost.energy import (
    NOTHING,
    Breakdown,
    breakdown,
    chip_area,
    crossbar_areas,
    energy_constants,
    event_counts,
    given_sum,
)
from cimspec.cost.events import ProgramEvents, reloaded_events, resident_events
from cimspec.cost.latency import body_ns
from cimspec.cost.pipeline import PipelineCost, pipeline_cost
from cimspec.cost.segments import SegmentStages
from cimspec.cost.timeline import bottleneck
from cimspec.graph.precision import Policy, Precision
from cimspec.spec.chip import Chip, WeightMode


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What one layer takes for one input."""

    name: str
    precision: Precision
    crossbars: int  # blocks of the layer, each on a crossbar of its own; of one copy
    latency_ns: float  # that its crossbars take
    copies: int = 1
    buffer_bytes: int = 0  # the most of its output that is held at once, where layers are a pipeline
    energy_pj: float | None = None  # for one input, with the digital work on its codes and their way; None as in Cost
    area_um2: float | None = None  # of the crossbars that it has for itself, with their converters; None if it has none


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
    energy: Breakdown = NOTHING  # of one input, pJ: all layers, and what belongs to none
    programming_energy_pj: float | None = None  # before the first input; None where the chip does not say
    area: Breakdown = NOTHING  # um2: crossbars in use and their tiles; all of the chip's where weights are reloaded

    @property
    def energy_pj(self) -> float | None:
        """Energy of one input, over the components whose constants the chip gives; None if it gives none."""
        return self.energy.total

    @property
    def area_um2(self) -> float | None:
        """Area, over the components whose constants the chip gives; None if it gives none."""
        return self.area.total

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
    matrices = {layer.name: program.matrices(layer) for layer in program.layers}
    if program.chip.weights is WeightMode.RESIDENT:
        stages = [SegmentStages(program, segment) for segment in program.segments]
        cost, counted = _resident_cost(program, matrices, stages), resident_events(program, matrices, stages)
    else:
        cost, counted = _reloaded_cost(program, matrices), reloaded_events(program, matrices)
    return _with_energy(cost, counted, program.chip)


def _with_energy(cost: Cost, counted: ProgramEvents, chip: Chip) -> Cost:
    """The cost with energies and areas."""
    constants, write_pj = energy_constants(chip), chip.crossbar.write_energy_pj
    energy = breakdown(constants, event_counts(counted.total))
    programming_pj = None if write_pj is None else write_pj * counted.programmed
    area = chip_area(chip, counted.crossbars, counted.tiles)
    layers = cost.layers
    if energy.parts:
        energies = (given_sum(constants, event_counts(layer.events)) for layer in counted.layers)
        layers = tuple(replace(layer, energy_pj=own) for layer, own in zip(layers, energies, strict=True))
    areas = [constant.amount for constant in crossbar_areas(chip) if constant.amount is not None]
    if areas and chip.weights is WeightMode.RESIDENT:
        crossbars = (layer.crossbars for layer in counted.layers)
        layers = tuple(replace(layer, area_um2=own * sum(areas)) for layer, own in zip(layers, crossbars, strict=True))
    return replace(cost, layers=layers, energy=energy, programming_energy_pj=programming_pj, area=area)


def _reloaded_cost(program: Program, matrices: Mapping[str, Matrices]) -> Cost:
    layers = tuple(_layer_cost(program, layer, matrices[layer.name]) for layer in program.layers)
    latency_ns = sum(layer.latency_ns for layer in layers)
    return Cost(layers, latency_ns, latency_ns, 0.0, _utilization(program, program.segments[0], matrices))


def _layer_cost(program: Program, layer: CrossbarLayer, matrices: Matrices, buffer_bytes: int = 0) -> LayerCost:
    return LayerCost(
        layer.name,
        layer.op.precision,
        matrices.blocks,
        body_ns(program.chip, layer.body),
        program.copies(layer),
        buffer_bytes,
    )


def _resident_cost(program: Program, matrices: Mapping[str, Matrices], stages: Sequence[SegmentStages]) -> Cost:
    chip, layers, segments = program.chip, [], []
    for segment, made in zip(program.segments, stages, strict=True):
        busiest, busiest_ns = made.busiest_tile()
        slowest = bottleneck(made.stages)
        found = pipeline_cost(made.stages, max(slowest.busy_ns, busiest_ns))
        peaks = {stage.name: stage.buffer_bytes for stage in found.stages}
        fullest = max(made.tile_buffers(peaks).values())
        layers += [
            _layer_cost(program, item, matrices[item.name], peaks[item.op.dst])
            for item in segment.items
            if isinstance(item, CrossbarLayer)
        ]
        bound_by = busiest if busiest_ns > slowest.busy_ns else f"{slowest.name} ({slowest.bound_by.value})"
        writing_ns = chip.crossbar.write_latency_ns if segment.places else 0.0
        segments.append(SegmentCost(writing_ns, found, bound_by, ceil(fullest)))
    utilization = max(_utilization(program, segment, matrices) for segment in program.segments)
    programming_ns = sum(segment.programming_ns for segment in segments)
    latency_ns = sum(segment.pipeline.latency_ns for segment in segments)
    if len(segments) == 1:
        interval_ns = segments[0].pipeline.interval_ns
        return Cost(tuple(layers), latency_ns, interval_ns, programming_ns, utilization, tuple(segments))
    following = sum(segment.pipeline.interval_ns for segment in segments) * (chip.batch - 1)
    interval_ns = (programming_ns + latency_ns + following) / chip.batch
    latency_ns += programming_ns
    return Cost(tuple(layers), latency_ns, interval_ns, programming_ns, utilization, tuple(segments))


def _utilization(program: Program, segment: Segment, matrices: Mapping[str, Matrices]) -> float:
    """Share of the chip's cells that hold a part of a weight, where crossbars are as full as they get."""
    crossbar, crossbars = program.chip.crossbar, program.chip.crossbars
    cells = crossbars * crossbar.rows * crossbar.columns
    layers = [item for item in segment.items if isinstance(item, CrossbarLayer)]
    if program.chip.weights is WeightMode.RESIDENT:
        used = sum(program.copies(layer) * matrices[layer.name].used_cells for layer in layers)
        return min(1.0, used / cells)
    shares = [matrices[layer.name].used_cells / matrices[layer.name].blocks for layer in layers]
    counts = [min(crossbars, matrices[layer.name].blocks) for layer in layers]
    return max((share * count for share, count in zip(shares, counts, strict=True)), default=0.0) / cells
