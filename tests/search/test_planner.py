"""The planner against trying everything, and the model of damages against what it saw."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.search.damage import DamageModel, Prior, interpolate
from cimspec.search.planner import BISECTIONS, CELLS, plan, plan_least
from cimspec.search.space import Choice, Space
from tests.search.toy import account, every_choice, toy_pipeline, toy_space

SPACE = toy_space(2)


PIPELINES = {crossbars: toy_pipeline(crossbars) for crossbars in (4, 6, 9, 13, 24, 60)}
"""With 4 crossbars no policy has a copy of each layer, with 6 those with the narrowest weights, from 24 on all have."""


def drawn(space: Space, seed: int, most: float) -> tuple[tuple[np.ndarray, ...], dict[Choice, float]]:
    """Damages up to `most` of each layer's options, and their sums."""
    rng = np.random.default_rng(seed)
    damages = tuple(rng.random(len(options)) * most for options in space.options)
    return damages, {
        choice: sum(table[index] for table, index in zip(damages, choice, strict=True))
        for choice in every_choice(space)
    }


def blocks(space: Space, choice: Choice) -> int:
    """Crossbars of one copy of each layer."""
    return sum(options[index].load.blocks for options, index in zip(space.options, choice, strict=True))


def work_ns(space: Space, choice: Choice) -> float:
    """Crossbars times the time that each of them takes."""
    loads = (options[index].load for options, index in zip(space.options, choice, strict=True))
    return sum(load.blocks * load.invocations * load.turn_ns for load in loads)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.01, 2))
def test_a_plan_is_the_fastest_within_the_limit(seed: int, limit: float):
    damages, totals = drawn(SPACE, seed, limit)
    found = plan(SPACE, damages, limit)
    # Rounding up costs each layer at most one cell, so plans within the limit less that are never missed.
    tight = [choice for choice, total in totals.items() if total <= limit * (1 - len(SPACE.options) / CELLS)]
    if found is None:
        assert not tight
        return
    assert totals[found] <= limit * (1 + 1e-9)
    if tight:
        assert SPACE.time_ns(found) <= min(SPACE.time_ns(choice) for choice in tight)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.3, 3), st.sampled_from(sorted(PIPELINES)))
def test_a_plan_for_a_pipeline_has_the_shortest_interval_or_the_least_work(seed: int, share: float, crossbars: int):
    space = PIPELINES[crossbars]
    damages, totals = drawn(space, seed, most=share)
    found = plan(space, damages, 1.0)
    tight = [choice for choice, total in totals.items() if total <= 1 - len(space.options) / CELLS]
    if found is None:
        assert not tight
        return
    assert totals[found] <= 1 + 1e-9
    fitting = [choice for choice in tight if blocks(space, choice) <= crossbars]
    if fitting:
        assert blocks(space, found) <= crossbars
        assert space.time_ns(found) <= min(space.time_ns(choice) for choice in fitting)
    elif blocks(space, found) > crossbars:  # what has no copy of each layer shares the crossbars
        assert work_ns(space, found) <= min(work_ns(space, choice) for choice in tight or [found]) * (1 + 1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 728), st.sampled_from(sorted(PIPELINES)))
def test_a_plan_of_least_damage_is_fast_enough_and_hardly_worse_than_the_best(seed: int, number: int, crossbars: int):
    space = PIPELINES[crossbars]
    damages, totals = drawn(space, seed, most=1)
    allowed_ns = space.time_ns(every_choice(space)[number])
    found = plan_least(space, damages, allowed_ns)
    least = min(total for choice, total in totals.items() if space.time_ns(choice) <= allowed_ns)
    assert found is not None
    assert space.time_ns(found) <= allowed_ns
    # From some limit on a plan is fast enough; bisection ends within a thousandth of all damage above that.
    most = sum(table.max() for table in damages)
    assert totals[found] <= least / (1 - len(space.options) / CELLS) + most / 2**BISECTIONS + 1e-8


def test_no_plan_where_every_policy_does_too_much_damage():
    assert plan(SPACE, tuple(np.ones(len(options)) for options in SPACE.options), 1.0) is None


def test_damage_is_interpolated_in_its_logarithm():
    # Between 0.16 at 2 bits and 0.01 at 4 bits lies sqrt(0.16 * 0.01) = 0.04; beyond, a quarter for each bit.
    table = interpolate({2: 0.16, 4: 0.01}, (2, 3, 4, 5, 8), widest=8)
    assert table == pytest.approx({2: 0.16, 3: 0.04, 4: 0.01, 5: 0.0025, 8: 0.0})


def test_what_was_observed_narrows_what_is_drawn():
    mine = account(SPACE, 1000)
    bits = (2, 3, 4, 6, 8)
    prior = Prior(*(tuple(interpolate({2: 0.5}, bits, 8) for _ in SPACE.options) for _ in range(2)))
    model = DamageModel(SPACE, prior, floor=0.0)
    generator = torch.Generator().manual_seed(0)
    choice = (3, 5)
    truth = mine.evaluate(choice).score.kl

    def damage_drawn() -> np.ndarray:
        tables = [model.sample(generator) for _ in range(200)]
        return np.array([sum(table[index] for table, index in zip(each, choice, strict=True)) for each in tables])

    before = damage_drawn()
    model.observe(mine.evaluate(choice))
    after = damage_drawn()
    assert abs(after.mean() - truth) < abs(before.mean() - truth)
    assert after.std() < before.std()


def test_a_drawn_table_never_rewards_fewer_bits():
    prior = Prior(*(tuple(interpolate({2: 0.5}, (2, 3, 4, 6, 8), 8) for _ in SPACE.options) for _ in range(2)))
    model = DamageModel(SPACE, prior, floor=0.0)
    for seed in range(20):
        for options, table in zip(SPACE.options, model.sample(torch.Generator().manual_seed(seed)), strict=True):
            assert (table >= 0).all()
            for option, damage in zip(options, table, strict=True):
                for other, other_damage in zip(options, table, strict=True):
                    if other.precision.covers(option.precision):
                        assert other_damage <= damage
