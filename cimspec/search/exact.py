"""Exhaustive search, best first: the first policy found to meet a goal's limit is the optimum, and proven to be it.

Policies are asked in the order of their objective. Where layers add, that order comes from a search of prefixes: the
layers decided so far and, of all others, the least of each metric (A*, with a bound that never overestimates). In a
pipeline, bounds of whole policies are refined to their values. What was not found to be feasible is then either worse
than the answer, or was asked and exceeded the limit. Where the budget ends first, all that is left takes at least the
objective of the next policy: a bound on the optimum.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count, product

import numpy as np

from cimspec.diag import fail
from cimspec.search.evaluation import Account, BudgetSpentError, Trial
from cimspec.search.goal import Goal
from cimspec.search.space import Choice, Space

LARGEST_PIPELINE = 200_000
"""Policies of a pipeline that are put in order at once."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """What a best-first search came to for one goal."""

    trial: Trial | None  # the optimum, proven; None where the budget ended first, or nothing is feasible
    lower_bound: float  # no feasible policy has a smaller objective; infinite where none is feasible at all
    evaluations: int


def search_exhaustively(account: Account, goals: tuple[Goal, ...], seed: int) -> None:
    """Spend the account's budget on the goals one after the other. Nothing is drawn."""
    del seed
    with suppress(BudgetSpentError):
        for goal in goals:
            if find_optimum(account, goal).trial is None:
                return


def find_optimum(account: Account, goal: Goal) -> Optimum:
    """The proven optimum of a goal, or how small it could still be where the account's budget ends."""
    before = account.spent
    for objective, choice in in_order(account.space, goal):
        try:
            trial = account.evaluate(choice)
        except BudgetSpentError:
            return Optimum(None, objective, account.spent - before)
        if not goal.limit.excess(trial.score):
            return Optimum(trial, objective, account.spent - before)
    return Optimum(None, float("inf"), account.spent - before)


def in_order(space: Space, goal: Goal) -> Iterator[tuple[float, Choice]]:
    """All policies with their objective, least first. Raises `CimError` (CIM610) for a pipeline of too many."""
    return _pipeline_in_order(space, goal) if space.pipeline else _sums_in_order(space, goal)


def _sums_in_order(space: Space, goal: Goal) -> Iterator[tuple[float, Choice]]:
    least = np.array([costs.min(axis=0) for costs in space.option_costs])
    rest = np.vstack([np.cumsum(least[::-1], axis=0)[::-1], np.zeros(least.shape[1])])  # of layers that are left
    weights = np.array(goal.weights)
    ticket = count()  # of equal objectives the longest prefix, then the first made
    heap: list[tuple[float, int, int, Choice, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]] = []
    heappush(heap, (0.0, 0, next(ticket), (), np.zeros(least.shape[1])))
    while heap:
        bound, _, _, prefix, spent = heappop(heap)
        depth = len(prefix)
        if depth == len(space.options):
            yield bound, prefix
            continue
        sums = spent + space.option_costs[depth]
        bounds = np.prod((sums + rest[depth + 1]) ** weights, axis=1)
        for index, (total, own) in enumerate(zip(bounds, sums, strict=True)):
            # Rounding may put a child below its parent.
            heappush(heap, (max(float(total), bound), -depth - 1, next(ticket), (*prefix, index), own))


def check_size(space: Space) -> None:
    """Raises `CimError` (CIM610) for a pipeline of too many policies."""
    if space.pipeline and space.size > LARGEST_PIPELINE:
        fail(
            "CIM610",
            f"`exact` cannot put {space.size:,} policies of a pipeline in order, at most {LARGEST_PIPELINE:,}",
            help="allow fewer bits, `keep` layers, or search with `rl`",
        )


def _pipeline_in_order(space: Space, goal: Goal) -> Iterator[tuple[float, Choice]]:
    check_size(space)
    heap: list[tuple[float, bool, Choice]] = []
    for choice in product(*(range(len(options)) for options in space.options)):
        heappush(heap, (goal.objective(space.bounds(choice)), False, choice))
    while heap:
        objective, is_exact, choice = heappop(heap)
        if is_exact:
            yield objective, choice
        else:
            heappush(heap, (goal.objective(space.values(choice)), True, choice))
