"""The paper's agent: its parts against hand values, and what it does to an account."""

import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import truncnorm

from cimspec.graph import Precision
from cimspec.quant.threads import one_thread
from cimspec.search.actor_critic import FEATURES, DdpgAgent, Learner
from cimspec.search.ddpg import search_by_ddpg, truncated_normal
from cimspec.search.environment import Environment, layer_features
from cimspec.search.evaluation import Score, Trial
from cimspec.search.goal import AccuracyLimit, DivergenceLimit, Goal
from cimspec.search.ladder import ladders
from cimspec.search.methods import SearchMethod, search_method
from cimspec.search.probes import start_from_probes
from cimspec.search.random_search import search_randomly
from cimspec.search.replay import Batch, Replay
from cimspec.search.space import Option, Space
from cimspec.spec.search import Method
from tests.search.toy import LIMIT, account, goal, toy_space

pytestmark = pytest.mark.slow

THREE_LAYERS = toy_space(3)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


SMALL = DdpgAgent(hidden=16)


def ragged_space() -> Space:
    """Three layers with four options, one, and two; not every pair of widths is there."""
    pairs = ([(2, 8), (4, 4), (4, 8), (8, 8)], [(8, 8)], [(2, 2), (2, 4)])
    options = tuple(tuple(Option(Precision(w, a), (float(w * a),)) for w, a in own) for own in pairs)
    return Space(("a", "b", "c"), options)


def trial(space: Space, choice: tuple[int, ...], kl: float = 0.0, accuracy: float = 1.0) -> Trial:
    return Trial(choice, space.policy(choice), space.values(choice), Score(kl, accuracy))


# The environment


def test_the_reward_is_the_published_one():
    space = THREE_LAYERS
    under = Environment(account(space, 10), goal(0.05))
    widest = space.widest()
    assert under.reward(trial(space, widest)) == 0
    halved = tuple(own.index(next(o for o in own if o.precision == (4, 8))) for own in space.options)
    assert under.reward(trial(space, halved)) == pytest.approx(100)  # 4 * 8 is half of 8 * 8: twice as fast
    assert under.reward(trial(space, halved, kl=0.06)) == pytest.approx(-10 * 100 * (1 - np.exp(-0.01)))
    on_accuracy = Environment(account(space, 10), Goal(AccuracyLimit(0.97, 1.0), (1.0,)))
    assert on_accuracy.reward(trial(space, halved, accuracy=0.95)) == pytest.approx(-20)  # 2 points
    assert on_accuracy.reward(trial(space, halved, accuracy=0.97)) == pytest.approx(100)


@given(st.lists(st.tuples(st.integers(0, 24), st.floats(0, 5)), min_size=2, max_size=2))
def test_both_rewards_put_policies_in_the_order_of_the_goal(pair: list[tuple[int, float]]):
    under = Environment(account(THREE_LAYERS, 10), goal(0.05))
    one, other = (trial(THREE_LAYERS, (index,) * 3, kl) for index, kl in pair)
    if under.goal.rank(one) < under.goal.rank(other):
        assert under.reward(one) >= under.reward(other)
        assert under.shaped_reward(one) >= under.shaped_reward(other)


def test_features_tell_layers_apart_and_stay_within_0_and_1():
    features = layer_features(ragged_space())
    assert features.shape == (3, 7)
    assert features.min() == 0
    assert features.max() == 1
    assert len({tuple(row) for row in features}) == 3
    # Widest options cost 64, 64 and 8: scaled, 1, 1 and 0. There are 4, 1 and 2 options: 1, 0 and 1/3.
    assert features[:, 0] == pytest.approx([1, 1, 0])
    assert features[:, 6] == pytest.approx([1, 0, 1 / 3])


# Actions


def test_actions_stand_for_widths_in_equal_strides():
    first, kept, last = ladders(ragged_space())
    assert [first.weights(action)[0] for action in (0.0, 0.33, 0.34, 0.66, 0.67, 1.0)] == [0, 0, 1, 1, 2, 2]
    assert first.weights(0.5) == (1, 4 / 8)
    assert [first.activations(1, action) for action in (0.49, 0.5)] == [(1, 4 / 8), (2, 8 / 8)]
    assert kept.activations(kept.weights(0.3)[0], 0.9) == (0, 1.0)
    assert last.activations(0, 0.0) == (0, 2 / 8)


@pytest.mark.parametrize("space", [ragged_space(), THREE_LAYERS])
def test_every_option_has_actions_that_lead_to_it(space: Space):
    for ladder, options in zip(ladders(space), space.options, strict=True):
        for index, option in enumerate(options):
            weights, activations = ladder.actions(index)
            place, share = ladder.weights(weights)
            assert share * 8 == option.precision.weight_bits
            assert ladder.activations(place, activations) == (index, option.precision.activation_bits / 8)


@given(st.floats(0, 1), st.floats(1e-3, 1))
def test_noise_stays_within_0_and_1(mean: float, deviation: float):
    rng = np.random.default_rng(0)
    assert all(0 <= truncated_normal(mean, deviation, rng) <= 1 for _ in range(5))


def test_noise_is_a_truncated_normal_distribution():
    rng = np.random.default_rng(0)
    draws = [truncated_normal(0.9, 0.3, rng) for _ in range(4000)]
    expected = truncnorm(-0.9 / 0.3, 0.1 / 0.3, 0.9, 0.3)
    assert np.mean(draws) == pytest.approx(expected.mean(), abs=4 * expected.std() / 4000**0.5)
    assert np.std(draws) == pytest.approx(expected.std(), rel=0.05)


def test_the_schedule_is_the_published_one_at_600_episodes_and_stretched_elsewhere():
    agent = DdpgAgent()
    assert agent.random_share(600) == 30
    assert agent.noise_at(0, 600) == 0.6
    assert agent.noise_at(570, 600) == pytest.approx(0.6 * 0.997**570)
    assert agent.noise_at(95, 100) == pytest.approx(agent.noise_at(570, 600))
    assert agent.random_share(100) == 5


# Learning


def batch(size: int, reward: float, goes_on: float, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    states, successors = (torch.rand(size, FEATURES, generator=generator) for _ in range(2))
    actions, rewards = (torch.rand(size, 1, generator=generator) for _ in range(2))
    return Batch(states, actions, reward + rewards, successors, torch.full((size, 1), goes_on))


def test_the_critic_is_told_the_reward_above_the_usual_and_what_the_targets_expect_next():
    learner = Learner(SMALL, torch.Generator().manual_seed(0))
    usual = None
    for reward in (5.0, 9.0):
        seen = batch(4, reward, goes_on=1.0)
        mean = seen.rewards.mean()
        usual = mean if usual is None else (usual + mean) / 2  # the moving average takes half of the new
        with torch.no_grad():
            following = learner.critic_target(seen.successors, learner.actor_target(seen.successors))
            error = learner.critic(seen.states, seen.actions) - (seen.rewards - usual + following)
        assert learner.update(seen).critic == pytest.approx(float((error**2).mean()), rel=1e-5)


def test_nothing_follows_the_last_step():
    learner = Learner(SMALL, torch.Generator().manual_seed(0))
    seen = batch(4, 5.0, goes_on=0.0)
    with torch.no_grad():
        error = learner.critic(seen.states, seen.actions) - (seen.rewards - seen.rewards.mean())
    assert learner.update(seen).critic == pytest.approx(float((error**2).mean()), rel=1e-5)


def test_targets_go_a_hundredth_of_the_way():
    learner = Learner(SMALL, torch.Generator().manual_seed(0))
    before = [parameter.clone() for parameter in learner.actor_target.parameters()]
    learner.update(batch(4, 5.0, goes_on=1.0))
    for old, new, aim in zip(before, learner.actor_target.parameters(), learner.actor.parameters(), strict=True):
        assert not torch.equal(old, aim)
        torch.testing.assert_close(new, old + 0.01 * (aim - old))


def test_the_actor_goes_where_the_critic_expects_more():
    learner = Learner(SMALL, torch.Generator().manual_seed(0))
    for seed in range(3):
        seen = batch(16, 5.0, goes_on=1.0, seed=seed)
        before = learner.actor(seen.states).detach()
        learner.update(seen)
        with torch.no_grad():
            after = learner.actor(seen.states)
            assert learner.critic(seen.states, after).mean() > learner.critic(seen.states, before).mean()


def test_the_critic_learns_what_actions_are_worth():
    learner = Learner(SMALL, torch.Generator().manual_seed(0))
    seen = batch(64, 0.0, goes_on=0.0)
    losses = [learner.update(seen).critic for _ in range(400)]
    assert losses[-1] < 0.5 * losses[0]


def test_the_replay_keeps_the_latest_episodes_and_joins_their_steps():
    replay = Replay(capacity=2, steps=3, features=1)
    for number in range(3):
        states = torch.arange(3.0).unsqueeze(1) + 10 * number
        replay.add(states, states / 100, trial(THREE_LAYERS, (number,) * 3), float(number))
    assert len(replay) == 2  # the first gave way
    drawn = replay.sample(6, np.random.default_rng(0))
    assert sorted(drawn.states.flatten().tolist()) == [10, 11, 12, 20, 21, 22]
    for state, action, reward, successor, goes_on in zip(
        drawn.states, drawn.actions, drawn.rewards, drawn.successors, drawn.goes_on, strict=True
    ):
        assert float(action) == pytest.approx(float(state) / 100)
        assert float(reward) == float(state) // 10
        assert bool(goes_on) == (float(state) % 10 < 2)
        assert float(successor) == (float(state) + 1 if goes_on else 0)
    replay.reward_anew(lambda known: -float(known.choice[0]))
    assert set(replay.sample(6, np.random.default_rng(0)).rewards.flatten().tolist()) == {-1.0, -2.0}


# The search


@pytest.mark.parametrize("budget", [1, 2, 7, 40])
def test_it_keeps_its_budget_of_distinct_evaluations(budget: int):
    mine = account(THREE_LAYERS, budget)
    search_by_ddpg(mine, (goal(LIMIT), goal(2 * LIMIT), goal(3 * LIMIT)), 0, SMALL)
    assert search_method(Method.DDPG) is search_by_ddpg
    assert 1 <= mine.spent <= budget
    assert len({each.policy for each in mine.trials}) == mine.spent


def test_it_repeats_for_its_seed_and_leaves_shared_generators_alone():
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)

    def shared() -> list[float]:
        states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
        drawn = [random.random(), np.random.random(), float(torch.rand(1))]  # noqa: NPY002
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
        return drawn

    before, threads = shared(), torch.get_num_threads()
    runs = []
    for seed in (3, 3, 4):
        mine = account(THREE_LAYERS, 30)
        search_by_ddpg(mine, (goal(),), seed, SMALL)
        runs.append([each.choice for each in mine.trials])
    assert runs[0] == runs[1] != runs[2]
    assert shared() == before
    assert torch.get_num_threads() == threads


def test_it_starts_from_what_others_evaluated():
    mine = account(THREE_LAYERS, 40)
    start_from_probes(mine, (goal(),))
    started = mine.trials
    search_by_ddpg(mine, (goal(),), 0, SMALL)
    assert mine.trials[: len(started)] == started
    assert len(started) < mine.spent <= 40


def test_it_ends_where_a_space_is_known_or_layers_have_no_choice():
    mine = account(ragged_space(), 100)
    search_by_ddpg(mine, (goal(),), 0, SMALL)
    assert mine.spent <= mine.space.size == 8


def test_it_learns():
    gains = []
    for seed in range(2):
        mine = account(THREE_LAYERS, 80)
        search_by_ddpg(mine, (goal(),), seed, DdpgAgent(hidden=64))
        rewards = [Environment(mine, goal()).reward(each) for each in mine.trials]
        gains.append(np.mean(rewards[-20:]) - np.mean(rewards[:20]))
    assert min(gains) > 0


@pytest.mark.slow
def test_it_beats_drawing_at_random():
    def mean_time(search: SearchMethod) -> float:
        found = []
        for seed in range(3):
            mine = account(toy_space(4), 150)
            search(mine, (goal(),), seed)
            found.append(goal().best(mine.trials).values[0])
        return float(np.mean(found))

    assert mean_time(search_by_ddpg) < mean_time(search_randomly)


def test_a_goal_that_nothing_meets_leaves_nothing_feasible():
    mine = account(THREE_LAYERS, 20)
    search_by_ddpg(mine, (Goal(DivergenceLimit(-1.0), (1.0,)),), 0, SMALL)
    assert mine.spent <= 20
