"""Buffers of a pipeline: how many bytes of each stage's output are held at once, at most, in its steady state.

Space for a row is taken when its first value arrives, and free again when the last turn that reads it has ended. What
nobody in the pipeline reads leaves it at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cimspec.cost.stage import Stage
from cimspec.cost.timeline import Floats, Timeline

AT_ONCE = 1e-9
"""Of events closer than this share of the interval, those that free a row come first, however they were rounded."""


@dataclass(frozen=True, slots=True)
class Buffers:
    """The most bytes held at once."""

    peak_bytes: tuple[int, ...]  # of each stage's output, in the order of the stages
    total_bytes: int  # of all together; less than their sum where they peak at different times


def buffer_peaks(stages: Sequence[Stage], steady: Timeline, interval_ns: float) -> Buffers:
    """The peaks when an input comes every `interval_ns` (above 0) and each does what `steady` says."""
    if interval_ns <= 0:
        raise ValueError(f"inputs come one after the other, not every {interval_ns} ns")
    spans = [_held(stage, stages, steady) for stage in stages]
    row_bytes = [np.full(stage.rows, stage.row_bytes, dtype=np.int64) for stage in stages]
    peaks = tuple(_peak(*span, size, interval_ns) for span, size in zip(spans, row_bytes, strict=True))
    starts, ends = (np.concatenate(times) for times in zip(*spans, strict=True))
    return Buffers(peaks, _peak(starts, ends, np.concatenate(row_bytes), interval_ns))


def _held(stage: Stage, stages: Sequence[Stage], steady: Timeline) -> tuple[Floats, Floats]:
    """From when until when each row is held; until minus infinity if nobody reads it."""
    starts = steady.passages[stage.name].ends_ns(stage.first_turns)[0] + stage.latency_ns
    ends = np.full(stage.rows, -np.inf)
    for reader in stages:
        for need in reader.needs:
            if need.stage == stage.name:
                rows = need.last_reader(np.arange(stage.rows), reader.rows)
                done = steady.passages[reader.name].ends_ns(reader.last_turns)[0]
                ends = np.maximum(ends, np.where(rows >= 0, done[rows], -np.inf))
    return starts, ends


def _peak(starts: Floats, ends: Floats, sizes: npt.NDArray[np.int64], interval_ns: float) -> int:
    """The most bytes at once of what is held from `starts` to `ends`, and again after every interval."""
    ends = ends - AT_ONCE * interval_ns
    kept = ends > starts
    starts, lengths, sizes = starts[kept], (ends - starts)[kept], sizes[kept]
    always, rest = np.divmod(lengths, interval_ns)
    starts = starts % interval_ns
    ends = starts + rest
    wraps = ends >= interval_ns
    base = int(always.astype(np.int64) @ sizes) + int(sizes[wraps].sum())
    times = np.concatenate([np.where(wraps, ends - interval_ns, ends), starts])
    changes = np.concatenate([-sizes, sizes])[np.argsort(times, kind="stable")]
    return base + max(0, int(np.cumsum(changes).max(initial=0)))
