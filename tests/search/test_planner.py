"""The planner against trying everything."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cimspec.search.evaluation import Account
from cimspec.search.goal import DivergenceLimit, Goal
from cimspec.search.planner import BEYOND, CELLS, FRONT, Task, plan, plan_least, plans, plans_below
from cimspec.search.space import Choice, Option, Space
from cimspec.spec.search import Metric
from tests.search.toy import every_choice, goal, toy_pipeline, toy_score, toy_space, two_metrics

SPACE = toy_space(2)
TWO_METRICS = two_metrics(2)

PIPELINES = {crossbars: toy_pipeline(crossbars) for crossbars in (4, 6, 9, 13, 24, 60)}
"""With 4 crossbars no policy has a copy of each layer, with 6 those with the narrowest weights, from 24 on all have."""

SPACES = {"sums": SPACE, **{f"pipeline of {crossbars}": space for crossbars, space in PIPELINES.items()}}

Damages = tuple[np.ndarray, ...]

lowest = st.sampled_from([0.0, -0.05, -0.5])
"""Damages may be negative: chance may favour fewer bits."""


def task(space: Space) -> Task:
    return Task(space, goal(), space.values(space.widest()))


def drawn(space: Space, seed: int, most: float, least: float = 0.0) -> tuple[Damages, dict[Choice, float]]:
    """Damages from `least` to `most` of each layer's options, and their sums."""
    rng = np.random.default_rng(seed)
    damages = tuple(rng.uniform(least, most, len(options)) for options in space.options)
    return damages, {
        choice: sum(table[index] for table, index in zip(damages, choice, strict=True))
        for choice in every_choice(space)
    }


def cell(damages: Damages, limit: float) -> float:
    """What rounding up may cost each layer."""
    return (limit - sum(min(0.0, float(table.min())) for table in damages)) / CELLS


def blocks(space: Space, choice: Choice) -> int:
    """Crossbars of one copy of each layer."""
    return sum(options[index].load.blocks for options, index in zip(space.options, choice, strict=True))


def work_ns(space: Space, choice: Choice) -> float:
    """Crossbars times the time that each of them takes."""
    loads = (options[index].load for options, index in zip(space.options, choice, strict=True))
    return sum(load.blocks * load.invocations * load.turn_ns for load in loads)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.01, 2), lowest)
def test_a_plan_takes_least_within_the_limit(seed: int, limit: float, least: float):
    damages, totals = drawn(SPACE, seed, limit, least * limit)
    found = plan(task(SPACE), damages, limit)
    # Rounding up costs each layer at most one cell, so plans within the limit less that are never missed.
    tight = [choice for choice, total in totals.items() if total <= limit - len(SPACE.options) * cell(damages, limit)]
    if found is None:
        assert not tight
        return
    assert totals[found] <= limit * (1 + 1e-9)
    if tight:
        assert SPACE.values(found) <= min(SPACE.values(choice) for choice in tight)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.3, 3), lowest, st.sampled_from(sorted(PIPELINES)))
def test_a_plan_for_a_pipeline_has_the_shortest_interval_or_the_least_work(
    seed: int, share: float, least: float, crossbars: int
):
    space = PIPELINES[crossbars]
    damages, totals = drawn(space, seed, share, least)
    found = plan(task(space), damages, 1.0)
    tight = [choice for choice, total in totals.items() if total <= 1 - len(space.options) * cell(damages, 1.0)]
    if found is None:
        assert not tight
        return
    assert totals[found] <= 1 + 1e-9
    fitting = [choice for choice in tight if blocks(space, choice) <= crossbars]
    if fitting:
        assert blocks(space, found) <= crossbars
        assert space.values(found) <= min(space.values(choice) for choice in fitting)
    elif blocks(space, found) > crossbars:  # what has no copy of each layer shares the crossbars
        assert work_ns(space, found) <= min(work_ns(space, choice) for choice in tight or [found]) * (1 + 1e-9)


weights = st.tuples(st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.sampled_from([0.5, 1.0, 3.0]))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), weights, lowest)
def test_a_plan_for_a_product_near_the_best_policy_takes_no_more_than_that(
    seed: int, powers: tuple[float, float], least: float
):
    # The tangent lies above the product and touches it at the policy, so whatever takes no more along it takes no more.
    wanted = Goal(DivergenceLimit(1.0), powers)
    damages, totals = drawn(TWO_METRICS, seed, 1.0, least)
    tight = [choice for choice, total in totals.items() if total <= 1 - len(damages) * cell(damages, 1.0)]
    if not tight:
        return
    taken = {choice: wanted.objective(TWO_METRICS.values(choice)) for choice in tight}
    best = min(taken, key=lambda choice: taken[choice])
    found = plan(Task(TWO_METRICS, wanted, TWO_METRICS.values(best)), damages, 1.0)
    assert wanted.objective(TWO_METRICS.values(found)) <= taken[best] * (1 + 1e-9)
    # From anywhere else, repeating it never makes it worse.
    near = TWO_METRICS.widest()
    for _ in range(3):
        found = plan(Task(TWO_METRICS, wanted, TWO_METRICS.values(near)), damages, 1.0)
        if near in taken:
            assert wanted.objective(TWO_METRICS.values(found)) <= taken[near] * (1 + 1e-9)
        near = found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), lowest, st.sampled_from(sorted(SPACES)))
@example(5189, 0.0, "sums")
def test_further_plans_take_less_and_less_and_exceed_the_limit_more_and_more(seed: int, least: float, name: str):
    space = SPACES[name]
    damages, totals = drawn(space, seed, 2.0, least)
    mine = task(space)
    found = list(plans(mine, damages, 1.0))
    assert all(totals[choice] <= BEYOND * (1 + 1e-9) for choice in found)
    if space.pipeline is None:
        taken = [space.values(choice)[0] for choice in found]
        assert taken == sorted(taken, reverse=True)  # equal ones where costs of layers are rounded differently
        assert len(set(found)) == len(found)
    else:
        taken = [space.values(choice)[0] if blocks(space, choice) <= space.pipeline.crossbars else np.inf
                 for choice in found]  # fmt: skip
        assert taken == sorted(taken, reverse=True)
    within = plan(mine, damages, 1.0)
    if within is not None:
        assert totals[found[0]] <= 1 + 1e-9
        # Cells are twice as large where plans go on to twice the limit.
        missed = 2 * len(damages) * cell(damages, BEYOND)
        tight = [choice for choice, total in totals.items() if total <= 1 - missed]
        if tight and space.pipeline is None:
            assert space.values(found[0]) <= min(space.values(choice) for choice in tight)
    beyond = plan(mine, damages, BEYOND)
    assert [space.values(choice) for choice in found[-1:]] == ([space.values(beyond)] if beyond else [])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 624), lowest)
def test_plans_below_a_policy_take_less_than_it_and_are_a_front(seed: int, number: int, least: float):
    space = SPACE
    damages, totals = drawn(space, seed, 2.0, least)
    known = sorted(totals, key=space.values)[number]
    found = plans_below(task(space), damages, known, 1.0)
    assert len(found) == len(set(found)) <= FRONT
    assert all(totals[choice] <= BEYOND * (1 + 1e-9) for choice in found)
    assert all(space.values(choice) <= space.values(known) for choice in found)
    # From cell to cell less is taken; what is missed by it is within the rounding of damages to cells.
    taken = [space.values(choice)[0] for choice in found]
    assert taken == sorted(taken, reverse=True)
    missed = 2 * len(damages) * cell(damages, BEYOND)
    for choice in found:
        better = [other for other, total in totals.items() if space.values(other) < space.values(choice)]
        assert all(totals[other] > totals[choice] - missed for other in better)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 624), lowest, st.floats(1, 1.5), st.sampled_from(sorted(SPACES)))
def test_a_plan_of_least_damage_takes_little_enough_and_is_hardly_worse_than_the_best(
    seed: int, number: int, least: float, slack: float, name: str
):
    space = SPACES[name]
    damages, totals = drawn(space, seed, 1.0, least)
    known = every_choice(space)[number]
    found = plan_least(task(space), damages, known, slack)
    assert found is not None  # `known` itself is one
    lowest_sum = sum(min(0.0, float(table.min())) for table in damages)
    rounding = 2 * len(damages) * (totals[known] - lowest_sum) / CELLS + 1e-9
    assert totals[found] <= totals[known] + rounding

    def taken(choice: Choice) -> float:
        """What plans go by: the interval, where crossbars hold what is known, else the work."""
        if space.pipeline is None:
            return space.values(choice)[0]
        if blocks(space, known) > space.pipeline.crossbars:
            return work_ns(space, choice)
        return space.values(choice)[0] if blocks(space, choice) <= space.pipeline.crossbars else np.inf

    allowed = taken(known) * slack
    assert taken(found) <= allowed * (1 + 1e-9)
    # What takes exactly that much may be on either side by rounding, but for `known` itself.
    others = (total for choice, total in totals.items() if taken(choice) <= allowed * (1 - 1e-9))
    assert totals[found] <= min((totals[known], *others)) + rounding


def test_no_plan_where_every_policy_does_too_much_damage():
    ones = tuple(np.ones(len(options)) for options in SPACE.options)
    assert plan(task(SPACE), ones, 1.0) is None
    assert list(plans(task(SPACE), ones, 0.9)) == []


def test_what_one_layer_gains_others_may_lose():
    # -0.5 of one layer lets the other one have 1.5 under a limit of 1.
    damages = tuple(np.full(len(options), 10.0) for options in SPACE.options)
    damages[0][3], damages[1][4] = -0.5, 1.49
    assert plan(task(SPACE), damages, 1.0) == (3, 4)
    damages[1][4] = 1.51
    assert plan(task(SPACE), damages, 1.0) is None


def test_a_pipeline_is_planned_by_its_sums_where_more_than_time_is_made_small():
    # In two metrics of which one is energy, costs of options add along the tangent; the interval is not bisected.
    pipeline = PIPELINES[24]
    options = tuple(
        tuple(
            Option(option.precision, (*option.costs, float(option.precision.weight_bits)), option.load)
            for option in own
        )
        for own in pipeline.options
    )
    space = Space(pipeline.names, options, (Metric.INTERVAL, Metric.ENERGY), pipeline.pipeline)
    time_alone, both = (Goal(DivergenceLimit(1.0), powers) for powers in ((1.0, 0.0), (1.0, 1.0)))
    assert Task(space, time_alone, (1.0, 1.0)).pipeline is space.pipeline
    assert Task(space, both, (1.0, 1.0)).pipeline is None


def test_plans_are_policies_that_an_account_takes():
    mine = Account(SPACE, toy_score, 10)
    for choice in plans(task(SPACE), tuple(np.linspace(1, 0, len(options)) for options in SPACE.options), 0.5):
        mine.evaluate_all([choice])
    assert mine.spent
