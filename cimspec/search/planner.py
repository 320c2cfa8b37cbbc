"""The fastest policy within a total damage, given a table of damages: dynamic programming over layers.

Damages are rounded up to a grid of `CELLS` cells per limit, so a plan never exceeds the limit by the table it was made
from, and is the fastest there is up to that rounding. Where layers follow each other, their times add. In a pipeline
their crossbars do, for a given interval: the least interval whose crossbars the chip has is found by bisection. Where
it has too few for one copy of each layer, they take turns on it, and what adds is again time, that of the whole chip.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cimspec.search.pipeline import Pipeline
from cimspec.search.space import Choice, Space

CELLS = 512
BISECTIONS = 10

Floats = npt.NDArray[np.float64]
Grids = Sequence[npt.NDArray[np.int64]]


def plan(space: Space, damages: tuple[Floats, ...], limit: float) -> Choice | None:
    """The choice of least time with `sum of damages <= limit`; None if there is none."""
    grids = [np.minimum(np.ceil(damage / limit * CELLS - 1e-9), CELLS + 1).astype(np.int64) for damage in damages]
    if space.pipeline and (found := _shortest_interval(space.pipeline, grids)):
        return found
    _, choice = _least(space.option_times_ns, grids)
    return choice


def plan_least(space: Space, damages: tuple[Floats, ...], time_ns: float) -> Choice | None:
    """The choice of about the least damage with at most `time_ns`: the tightest limit whose plan is fast enough."""
    low, high = 0.0, float(sum(damage.max() for damage in damages)) + 1e-9
    best = None
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        found = plan(space, damages, middle)
        if found is not None and space.bound_ns(found) <= time_ns and space.time_ns(found) <= time_ns:
            best, high = found, middle
        else:
            low = middle
    return best


def _shortest_interval(pipeline: Pipeline, grids: Grids) -> Choice | None:
    """The choice that has the least interval; None if none has crossbars enough for a copy of each layer."""
    best = None
    first, stop = 0, len(pipeline.intervals_ns)
    while first < stop:
        middle = (first + stop) // 2
        taken, choice = _least(pipeline.crossbars_within(pipeline.intervals_ns[middle]), grids)
        if taken <= pipeline.crossbars:
            best, stop = choice, middle
        else:
            first = middle + 1
    return best


def _least(costs: Sequence[Floats], grids: Grids) -> tuple[float, Choice | None]:
    """The least sum of costs, one of each layer's options, whose cells sum to `CELLS` at most, and its choice.

    There is none where the sum is infinite.
    """
    best = np.zeros(CELLS + 1)  # the layers so far, by the cells that they may take
    decisions: list[npt.NDArray[np.int64]] = []
    for cost, grid in zip(costs, grids, strict=True):
        # An option that another one beats in both is never the best.
        beaten = ((cost[:, None] < cost) & (grid[:, None] <= grid)).any(axis=0)
        kept = np.flatnonzero(~beaten & (grid <= CELLS))
        if not len(kept):
            return float("inf"), None
        totals = np.full((len(kept), CELLS + 1), np.inf)
        for row, index in enumerate(kept):
            totals[row, grid[index] :] = best[: CELLS + 1 - grid[index]] + cost[index]
        decisions.append(kept[totals.argmin(axis=0)])
        best = totals.min(axis=0)
    least = float(best[CELLS])
    return least, _trace(decisions, grids) if np.isfinite(least) else None


def _trace(decisions: Sequence[npt.NDArray[np.int64]], grids: Grids) -> Choice:
    allowed = CELLS
    chosen: list[int] = []
    for decision, grid in zip(reversed(decisions), reversed(grids), strict=True):
        index = int(decision[allowed])
        chosen.append(index)
        allowed -= int(grid[index])
    return tuple(reversed(chosen))
