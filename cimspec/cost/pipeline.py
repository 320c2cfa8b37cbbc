"""What a pipeline of stages costs: latency of an input, interval between inputs, what binds it, and its buffers.

Stages (stage.py) come from compiled layers; times follow from timeline.py, bytes from buffers.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cimspec.cost.buffers import buffer_peaks
from cimspec.cost.stage import Resource, Stage
from cimspec.cost.timeline import bottleneck, schedule, steady_state


@dataclass(frozen=True, slots=True)
class StageCost:
    """What one stage takes."""

    name: str
    busy_ns: float  # all turns of one input
    bound_by: Resource  # what its turns are as long as
    buffer_bytes: int  # the most of its output that is held at once


@dataclass(frozen=True, slots=True)
class PipelineCost:
    """What the pipeline takes when an input comes every `interval_ns`."""

    stages: tuple[StageCost, ...]
    latency_ns: float  # of an input that finds the pipeline empty
    loaded_latency_ns: float  # of one between others, which it may have to wait for
    interval_ns: float
    bottleneck: StageCost  # the stage that takes longest; of several the first
    buffer_bytes: int  # the most that is held at once

    @property
    def inputs_per_second(self) -> float:
        """Throughput."""
        return 1e9 / self.interval_ns


def pipeline_cost(stages: Sequence[Stage], interval_ns: float | None = None) -> PipelineCost:
    """The cost of a pipeline whose stages stand behind those that they need, with inputs as fast as it can take them.

    With `interval_ns` they come at that interval instead. Raises ValueError if a stage takes longer, if no stage takes
    any time and no interval is given, and as `schedule` does.
    """
    empty = schedule(stages)
    slowest = bottleneck(stages)
    interval_ns = slowest.busy_ns if interval_ns is None else interval_ns
    steady = steady_state(stages, interval_ns)
    buffers = buffer_peaks(stages, steady, interval_ns)
    costs = tuple(
        StageCost(stage.name, stage.busy_ns, stage.bound_by, peak)
        for stage, peak in zip(stages, buffers.peak_bytes, strict=True)
    )
    return PipelineCost(
        costs,
        empty.latency_ns,
        steady.latency_ns,
        interval_ns,
        costs[[stage.name for stage in stages].index(slowest.name)],
        buffers.total_bytes,
    )
