"""The policy that takes least within a total damage, given a table of damages: dynamic programming over layers.

Damages are rounded up to a grid of `CELLS` cells per limit, so a plan never exceeds the limit by the table it was made
from, and takes least up to that rounding. Where layers follow each other, what they take adds; of a product of metrics
the tangent at the best known policy adds, which no policy lies above (a product of sums has concave logarithms). In a
pipeline the layers' crossbars add, for a given interval: the least interval whose crossbars the chip has is found by
bisection. Where it has too few for one copy of each layer, they take turns on it, and what adds is again time, that of
the whole chip.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cimspec.search.arrays import FloatArray, IntArray
from cimspec.search.damage import choice_damage
from cimspec.search.goal import Goal
from cimspec.search.pipeline import Pipeline
from cimspec.search.space import TIMES, Choice, Space

CELLS = 512
BEYOND = 2.0
"""How far beyond the limit plans go on."""
BEYOND_STEPS = 5
"""In how many steps, in a pipeline."""

FRONT = 32
"""Choices that one table of damages is asked for at once."""

Grids = Sequence[IntArray]


@dataclass(frozen=True, slots=True)
class Task:
    """What plans are for: a goal's objective on a space, near the values of a policy."""

    space: Space
    goal: Goal
    near: tuple[float, ...]  # values, one for each metric

    @property
    def pipeline(self) -> Pipeline | None:
        """The pipeline, where a time of it is all that is made small."""
        weighted = [metric for metric, weight in zip(self.space.metrics, self.goal.weights, strict=True) if weight]
        return self.space.pipeline if all(metric in TIMES for metric in weighted) else None

    def costs(self) -> tuple[FloatArray, ...]:
        """What each layer's options add to the logarithm of the objective, to first order."""
        slopes = np.array([weight / value if weight else 0.0 for weight, value in self._powers()])
        return tuple(costs @ slopes for costs in self.space.option_costs)

    def _powers(self) -> list[tuple[float, float]]:
        return list(zip(self.goal.weights, self.near, strict=True))


def plan(task: Task, damages: tuple[FloatArray, ...], limit: float) -> Choice | None:
    """The choice that takes least with `sum of damages <= limit`; None if there is none."""
    grids = _on_grid(damages, limit)
    if task.pipeline and (found := _shortest_interval(task.pipeline, grids)):
        return found
    return _Table.of(task.costs(), grids).least()


def plans(task: Task, damages: tuple[FloatArray, ...], limit: float) -> Iterator[Choice]:
    """The choice that takes least within the limit, then what takes less and less and exceeds it more and more."""
    if task.pipeline:
        for step in range(BEYOND_STEPS):
            choice = plan(task, damages, limit * BEYOND ** (step / (BEYOND_STEPS - 1)))
            if choice is not None:
                yield choice
        return
    least = _least(damages)
    table = _Table.of(task.costs(), _on_grid(damages, limit * BEYOND))
    yield from table.from_cells(int(CELLS * (limit - least) / (limit * BEYOND - least)))


def plans_below(task: Task, damages: tuple[FloatArray, ...], known: Choice, limit: float) -> list[Choice]:
    """Up to `FRONT` choices that take less than `known`, and that no other one beats in what it takes and in damage.

    Spread evenly over damages up to `BEYOND` times the limit. In a pipeline, those that `plans` goes through.
    """
    if task.pipeline:
        return list(plans(task, damages, limit))
    costs = task.costs()
    table = _Table.of(costs, _on_grid(damages, limit * BEYOND))
    return table.spread(_summed(costs, known), FRONT)


def plan_least(task: Task, damages: tuple[FloatArray, ...], known: Choice, slack: float) -> Choice | None:
    """The choice of least damage that takes at most `slack` times what the choice `known` does."""
    known_damage = choice_damage(damages, known)
    least = _least(damages)
    if known_damage <= least:
        return known
    grids = _on_grid(damages, known_damage + (known_damage - least) * len(damages) / CELLS)  # rounded up, `known` fits
    pipeline = task.pipeline
    bound_ns = pipeline.bound_ns(known) if pipeline else 0.0
    if pipeline and bound_ns:
        return _Table.of(pipeline.crossbars_within(bound_ns * slack), grids).first_within(float(pipeline.crossbars))
    costs = task.costs()
    return _Table.of(costs, grids).first_within(_summed(costs, known) * slack)


def _summed(costs: Sequence[FloatArray], choice: Choice) -> float:
    return float(sum(cost[index] for cost, index in zip(costs, choice, strict=True)))


def _least(damages: tuple[FloatArray, ...]) -> float:
    """What damages come to at least, as far as that is negative."""
    return sum(min(0.0, float(damage.min())) for damage in damages)


def _on_grid(damages: tuple[FloatArray, ...], limit: float) -> Grids:
    """Damages in cells of the limit. Where a layer's least is negative, it is taken off first: others may use it."""
    limit -= _least(damages)
    damages = tuple(damage - min(0.0, float(damage.min())) for damage in damages)
    if limit <= 0:
        return [np.full(len(damage), CELLS + 1) for damage in damages]
    return [np.minimum(np.ceil(damage / limit * CELLS - 1e-9), CELLS + 1).astype(np.int64) for damage in damages]


def _shortest_interval(pipeline: Pipeline, grids: Grids) -> Choice | None:
    """The choice that has the least interval; None if none has crossbars enough for a copy of each layer."""
    best = None
    first, stop = 0, len(pipeline.intervals_ns)
    while first < stop:
        middle = (first + stop) // 2
        table = _Table.of(pipeline.crossbars_within(pipeline.intervals_ns[middle]), grids)
        if table.best[CELLS] <= pipeline.crossbars:
            best, stop = table.least(), middle
        else:
            first = middle + 1
    return best


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The least sum of costs, one of each layer's options, by the cells that they may sum to."""

    best: FloatArray  # [CELLS + 1]; infinite where there is no choice
    decisions: tuple[IntArray, ...]  # of each layer [CELLS + 1], given what the layers up to it may take
    grids: Grids

    @classmethod
    def of(cls, costs: Sequence[FloatArray], grids: Grids) -> "_Table":
        best = np.zeros(CELLS + 1)
        decisions: list[IntArray] = []
        for cost, grid in zip(costs, grids, strict=True):
            kept = _unbeaten(cost, grid)
            if not len(kept):
                return cls(np.full(CELLS + 1, np.inf), (), grids)
            totals = np.full((len(kept), CELLS + 1), np.inf)
            for row, index in enumerate(kept):
                cells = grid[index]
                np.add(best[: CELLS + 1 - cells], cost[index], out=totals[row, cells:])
            chosen = totals.argmin(axis=0)
            decisions.append(kept[chosen])
            best = totals.min(axis=0)
        return cls(best, tuple(decisions), grids)

    def least(self) -> Choice | None:
        """The choice of the least sum, if that is finite."""
        return self._choice(CELLS) if np.isfinite(self.best[CELLS]) else None

    def first_within(self, cost: float) -> Choice | None:
        """The choice of the fewest cells that costs at most this."""
        cells = int(np.searchsorted(-self.best, -cost * (1 + 1e-12)))  # more cells never cost more
        return self._choice(cells) if cells <= CELLS else None

    def from_cells(self, cells: int) -> Iterator[Choice]:
        """What the least sums are of, for so many cells and more: a choice wherever more cells cost less."""
        known = np.inf
        for allowed in range(cells, CELLS + 1):
            if self.best[allowed] < known:
                known = self.best[allowed]
                yield self._choice(allowed)

    def spread(self, cost: float, count: int) -> list[Choice]:
        """Of the choices that cost less than `cost`, and where more cells cost less, up to `count` spread evenly."""
        falls = np.flatnonzero((self.best < np.append(np.inf, self.best[:-1])) & (self.best < cost))
        picked = falls[np.linspace(0, len(falls) - 1, min(count, len(falls))).astype(np.int64)]
        return [self._choice(int(cells)) for cells in picked]

    def _choice(self, cells: int) -> Choice:
        chosen: list[int] = []
        for decision, grid in zip(reversed(self.decisions), reversed(self.grids), strict=True):
            index = int(decision[cells])
            chosen.append(index)
            cells -= int(grid[index])
        return tuple(reversed(chosen))


def _unbeaten(cost: FloatArray, grid: IntArray) -> IntArray:
    """The options within the grid that no other one beats in both, by cells."""
    order = np.lexsort((cost, grid))
    order = order[grid[order] <= CELLS]
    cheapest = np.minimum.accumulate(cost[order])
    is_first = np.append(True, cheapest[1:] < cheapest[:-1])[: len(order)]
    return np.asarray(order[is_first & np.isfinite(cost[order])], np.int64)
