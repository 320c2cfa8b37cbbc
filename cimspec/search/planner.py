"""The fastest policy within a total damage, given a table of damages: dynamic programming over layers.

Damages are rounded up to a grid of `CELLS` cells per limit, so a plan never exceeds the limit by the table it was made
from, and is the fastest there is up to that rounding.
"""

import numpy as np
import numpy.typing as npt

from cimspec.search.space import Choice, Space

CELLS = 512
BISECTIONS = 10


def plan(space: Space, damages: tuple[npt.NDArray[np.float64], ...], limit: float) -> Choice | None:
    """The choice of least latency with `sum of damages <= limit`; None if there is none."""
    best = np.zeros(CELLS + 1)  # latency of the layers so far, by the damage they may do
    decisions: list[npt.NDArray[np.int64]] = []
    grids: list[npt.NDArray[np.int64]] = []
    for options, damage in zip(space.options, damages, strict=True):
        grid = np.minimum(np.ceil(damage / limit * CELLS - 1e-9), CELLS + 1).astype(np.int64)
        totals = np.full((len(options), CELLS + 1), np.inf)
        for index, option in enumerate(options):
            if grid[index] <= CELLS:
                totals[index, grid[index] :] = best[: CELLS + 1 - grid[index]] + option.latency_ns
        decisions.append(totals.argmin(axis=0))
        grids.append(grid)
        best = totals.min(axis=0)
    if not np.isfinite(best[CELLS]):
        return None
    return _trace(decisions, grids)


def plan_least(space: Space, damages: tuple[npt.NDArray[np.float64], ...], latency_ns: float) -> Choice | None:
    """The choice of about the least damage with at most `latency_ns`: the tightest limit whose plan is fast enough."""
    low, high = 0.0, float(sum(damage.max() for damage in damages)) + 1e-9
    best = None
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        found = plan(space, damages, middle)
        if found is not None and space.latency_ns(found) <= latency_ns:
            best, high = found, middle
        else:
            low = middle
    return best


def _trace(decisions: list[npt.NDArray[np.int64]], grids: list[npt.NDArray[np.int64]]) -> Choice:
    allowed = CELLS
    chosen: list[int] = []
    for decision, grid in zip(reversed(decisions), reversed(grids), strict=True):
        index = int(decision[allowed])
        chosen.append(index)
        allowed -= int(grid[index])
    return tuple(reversed(chosen))
