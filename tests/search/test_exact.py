"""Exhaustive search: policies in their order, optima that are proven, bounds where the budget ends."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.diag import CimError
from cimspec.graph import Policy, Precision
from cimspec.search import exact
from cimspec.search.evaluation import Account, Score
from cimspec.search.exact import find_optimum, in_order
from cimspec.search.goal import DivergenceLimit, Goal
from cimspec.search.space import Option, Space
from cimspec.spec.search import Metric
from tests.search.toy import LIMIT, account, every_choice, goal, optimum, toy_pipeline, toy_score, toy_space

PIPELINES = {crossbars: toy_pipeline(crossbars) for crossbars in (4, 9, 24)}


def some_space(seed: int, metrics: int) -> Space:
    """Layers with few options of small whole costs, so that ties and zeros are there."""
    rng = np.random.default_rng(seed)
    options = []
    for _ in range(rng.integers(1, 5)):
        count = rng.integers(1, 6)
        costs = rng.integers(0, 6, (count, metrics)).astype(float)
        own = [Option(Precision(2 + index, 8), tuple(map(float, row))) for index, row in enumerate(costs)]
        options.append(tuple(sorted(own, key=lambda option: (option.costs, option.precision))))
    names = tuple(f"l{layer}" for layer in range(len(options)))
    return Space(names, tuple(options), (Metric.LATENCY, Metric.ENERGY)[:metrics])


def assert_in_order(space: Space, wanted: Goal) -> None:
    found = list(in_order(space, wanted))
    assert sorted(choice for _, choice in found) == sorted(every_choice(space))
    for objective, choice in found:
        assert objective == pytest.approx(wanted.objective(space.values(choice)))
    assert all(one <= other for (one, _), (other, _) in pairwise(found))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([(1.0,), (0.5,), (3.0,), (1.0, 0.0), (1.0, 0.5), (0.3, 2.0)]))
def test_policies_come_in_the_order_of_what_they_take(seed: int, weights: tuple[float, ...]):
    assert_in_order(some_space(seed, len(weights)), Goal(DivergenceLimit(1.0), weights))


@pytest.mark.slow
@pytest.mark.parametrize("crossbars", PIPELINES)
def test_policies_of_a_pipeline_come_in_the_order_of_their_schedules(crossbars: int):
    assert_in_order(PIPELINES[crossbars], goal())


class Known:
    """Divergences drawn for each policy, and their space."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space = space
        self._table = np.random.default_rng(seed).random(space.size)
        self._index = {space.policy(choice): number for number, choice in enumerate(every_choice(space))}

    def __call__(self, policy: Policy) -> Score:
        return Score(float(self._table[self._index[policy]]), 1.0)

    def least(self, wanted: Goal) -> float:
        feasible = [c for c in every_choice(self.space) if not wanted.limit.excess(self(self.space.policy(c)))]
        return min((wanted.objective(self.space.values(choice)) for choice in feasible), default=float("inf"))


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 2**32),
    st.floats(0.0, 0.3),
    st.integers(1, 700),
    st.sampled_from([(1.0,), (1.0, 0.5)]),
)
def test_what_is_found_is_the_optimum_and_bounds_are_below_it(
    seed: int, nats: float, budget: int, weights: tuple[float, ...]
):
    score = Known(some_space(seed, len(weights)), seed)
    wanted = Goal(DivergenceLimit(nats), weights)
    mine = Account(score.space, score, budget)
    found = find_optimum(mine, wanted)
    least = score.least(wanted)
    assert found.evaluations == mine.spent <= budget
    if found.trial:
        assert wanted.objective(found.trial.values) == pytest.approx(least)
        assert found.lower_bound == pytest.approx(least)
        assert not wanted.limit.excess(found.trial.score)
    elif budget >= score.space.size:
        assert found.lower_bound == least == float("inf")
    else:
        assert mine.spent == budget
        # Whatever takes less was asked, and exceeds the limit.
        assert found.lower_bound <= least + 1e-9
        below = [
            c for c in every_choice(score.space) if wanted.objective(score.space.values(c)) < found.lower_bound - 1e-9
        ]
        assert all(mine.knows(choice) for choice in below)


@pytest.mark.parametrize("crossbars", PIPELINES)
@pytest.mark.parametrize("limit", [LIMIT, 0.02, 0.5])
def test_the_optimum_of_a_pipeline_is_proven(crossbars: int, limit: float):
    space = PIPELINES[crossbars]
    if min(toy_score(space.policy(choice)).kl for choice in every_choice(space)) > limit:
        found = find_optimum(account(space, 729), goal(limit))
        assert (found.trial, found.lower_bound) == (None, float("inf"))
        return
    found = find_optimum(account(space, 729), goal(limit))
    assert found.trial.values == (optimum(space, limit),)
    before = find_optimum(account(space, found.evaluations - 1), goal(limit))
    assert before.trial is None
    assert before.lower_bound <= optimum(space, limit)


def test_where_nothing_is_feasible_the_bound_is_infinite_once_all_was_asked():
    space = toy_space(1)
    assert find_optimum(account(space, 25), goal(1e-9)).lower_bound == float("inf")
    ended = find_optimum(account(space, 24), goal(1e-9))
    # 25 policies, l0 takes weight bits times activation bits: 8 * 8 = 64 is left.
    assert (ended.trial, ended.lower_bound, ended.evaluations) == (None, 64.0, 24)


def test_what_is_known_is_not_asked_again():
    mine = account(toy_space(2), 625)
    first = find_optimum(mine, goal())
    again = find_optimum(mine, goal())
    assert again.trial == first.trial
    assert (first.evaluations, again.evaluations) == (mine.spent, 0)


def test_large_sums_are_put_in_order_on_demand():
    found = in_order(toy_space(12), goal())  # 25^12 policies
    values = [next(found)[0] for _ in range(1000)]
    assert values == sorted(values)
    assert values[0] == sum(4 * (layer + 1) for layer in range(12))


def test_too_large_a_pipeline_is_a_diagnostic(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exact, "LARGEST_PIPELINE", 728)
    with pytest.raises(CimError, match="CIM610") as caught:
        next(in_order(PIPELINES[9], goal()))
    assert "729 policies of a pipeline" in str(caught.value)
