"""The planner against trying everything, and the model of damages against what it saw."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.search.damage import DamageModel, Prior, interpolate
from cimspec.search.planner import CELLS, plan
from tests.search.toy import account, every_choice, toy_space

SPACE = toy_space(2)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.01, 2))
def test_a_plan_is_the_fastest_within_the_limit(seed: int, limit: float):
    rng = np.random.default_rng(seed)
    damages = tuple(rng.random(len(options)) * limit for options in SPACE.options)
    totals = {
        choice: sum(table[index] for table, index in zip(damages, choice, strict=True))
        for choice in every_choice(SPACE)
    }
    found = plan(SPACE, damages, limit)
    # Rounding up costs each layer at most one cell, so plans within the limit less that are never missed.
    tight = [choice for choice, total in totals.items() if total <= limit * (1 - len(SPACE.options) / CELLS)]
    if found is None:
        assert not tight
        return
    assert totals[found] <= limit * (1 + 1e-9)
    if tight:
        assert SPACE.latency_ns(found) <= min(SPACE.latency_ns(choice) for choice in tight)


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

    def drawn() -> np.ndarray:
        tables = [model.sample(generator) for _ in range(200)]
        return np.array([sum(table[index] for table, index in zip(each, choice, strict=True)) for each in tables])

    before = drawn()
    model.observe(mine.evaluate(choice))
    after = drawn()
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
