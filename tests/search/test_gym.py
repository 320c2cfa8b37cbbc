"""The Gymnasium environment, and agents of Stable-Baselines3 on it."""

import importlib
import random
import sys

import numpy as np
import pytest

from cimspec.diag import CimError
from cimspec.graph import Precision
from cimspec.search.evaluation import Account
from cimspec.search.methods import SearchMethod, search_method
from cimspec.search.random_search import search_randomly
from cimspec.search.space import Option, Space
from cimspec.spec.search import Method
from tests.search.toy import LIMIT, account, goal, toy_score, toy_space

pytest.importorskip("gymnasium")

import gymnasium.utils.env_checker
import torch

from cimspec.search.gym import PolicyEnv

THREE_LAYERS = toy_space(3)


def ragged_space() -> Space:
    """Three layers with three options, one, and two."""
    pairs = ([(4, 4), (4, 8), (8, 8)], [(8, 8)], [(2, 2), (2, 4)])
    options = tuple(tuple(Option(Precision(w, a), (float(w * a),)) for w, a in own) for own in pairs)
    return Space(("a", "b", "c"), options)


def walk(env: PolicyEnv, actions: tuple[int, ...]) -> tuple:
    env.reset()
    for action in actions[:-1]:
        _, reward, terminated, truncated, _ = env.step(action)
        assert (reward, terminated, truncated) == (0, False, False)
    return env.step(actions[-1])


# The environment


@pytest.mark.parametrize("space", [THREE_LAYERS, ragged_space()])
def test_gymnasium_finds_nothing_wrong(space: Space):
    gymnasium.utils.env_checker.check_env(PolicyEnv(account(space, 100), goal()), skip_render_check=True)


def test_an_episode_ends_in_an_evaluation_and_its_reward():
    mine = account(THREE_LAYERS, 5)
    env = PolicyEnv(mine, goal())
    observation, reward, terminated, truncated, info = walk(env, (24, 20, 24))
    assert (terminated, truncated) == (True, False)
    assert info["trial"] == mine.trials[0]
    assert info["trial"].choice == (24, 20, 24)
    assert reward == env.environment.shaped_reward(info["trial"]) != 0
    assert observation in env.observation_space
    walk(env, (24, 20, 24))
    assert mine.spent == 1  # known policies are free


def test_observations_say_which_layer_is_next_and_what_was_chosen():
    env = PolicyEnv(account(ragged_space(), 5), goal())
    observation, _ = env.reset(seed=1)
    np.testing.assert_allclose(observation, [1, 0, 0, 1, 1, 0])
    observation, *_ = env.step(0)  # 4 and 4 bits of 8 and 8, which cost 16 of the widest policy's 64 + 64 + 8
    np.testing.assert_allclose(observation, [0, 1, 0, 0.5, 0.5, 16 / 136], rtol=1e-6)
    env.step(0)
    observation, *_ = env.step(1)
    np.testing.assert_allclose(observation, [0, 0, 0, 2 / 8, 4 / 8, (16 + 64 + 8) / 136], rtol=1e-6)


def test_masks_tell_options_from_what_is_none_and_that_stands_for_the_last():
    env = PolicyEnv(account(ragged_space(), 5), goal())
    _, info = env.reset()
    assert env.action_space.n == 3
    assert env.action_masks().tolist() == [True, True, True]
    assert info["action_mask"].tolist() == [1, 1, 1]
    _, _, _, _, info = env.step(2)
    assert env.action_masks().tolist() == [True, False, False]
    assert env.action_space.sample(info["action_mask"]) == 0
    env.step(2)
    assert env.action_masks().tolist() == [True, True, False]
    *_, info = env.step(2)
    assert info["trial"].choice == (2, 0, 1)


def test_an_episode_beyond_the_budget_is_truncated():
    mine = account(THREE_LAYERS, 1)
    env = PolicyEnv(mine, goal())
    walk(env, (0, 0, 0))
    _, reward, terminated, truncated, info = walk(env, (0, 0, 1))
    assert (reward, terminated, truncated, info["budget_spent"]) == (0, False, True, True)
    assert mine.spent == 1
    assert walk(env, (0, 0, 0))[2]  # what is known can still be asked


# Agents of Stable-Baselines3


def stable_baselines():
    pytest.importorskip("sb3_contrib")
    from cimspec.search import stable_baselines

    return stable_baselines


def test_stable_baselines_finds_nothing_wrong():
    stable_baselines()
    from stable_baselines3.common.env_checker import check_env

    check_env(PolicyEnv(account(ragged_space(), 100), goal()), skip_render_check=True)


@pytest.mark.parametrize("budget", [1, 2, 40])
def test_maskable_ppo_keeps_its_budget_of_distinct_evaluations(budget: int):
    stable_baselines()
    mine = account(THREE_LAYERS, budget)
    search_method(Method.MASKABLE_PPO)(mine, (goal(LIMIT), goal(2 * LIMIT)), 0)
    assert 1 <= mine.spent <= budget
    assert len({each.policy for each in mine.trials}) == mine.spent


def test_maskable_ppo_repeats_for_its_seed_and_leaves_shared_generators_alone():
    search = stable_baselines().search_by_maskable_ppo
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    runs = []
    for seed in (3, 3, 4):
        mine = account(THREE_LAYERS, 40)
        search(mine, (goal(),), seed)
        runs.append([each.choice for each in mine.trials])
    assert runs[0] == runs[1] != runs[2]
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before  # noqa: NPY002


def test_maskable_ppo_ends_where_the_whole_space_is_known():
    search = stable_baselines().search_by_maskable_ppo
    mine = account(ragged_space(), 100)
    search(mine, (goal(), goal()), 0)
    assert mine.spent <= mine.space.size == 6


@pytest.mark.slow
def test_maskable_ppo_learns():
    search = stable_baselines().search_by_maskable_ppo
    mine = account(toy_space(4), 150)
    search(mine, (goal(),), 0)
    env = PolicyEnv(mine, goal())
    rewards = [env.environment.shaped_reward(each) for each in mine.trials]
    assert np.mean(rewards[-30:]) > np.mean(rewards[:30])


@pytest.mark.slow
def test_maskable_ppo_beats_drawing_at_random():
    def mean_time(search: SearchMethod) -> float:
        found = []
        for seed in range(4):
            mine = account(toy_space(6), 150)
            search(mine, (goal(0.2),), seed)
            found.append(goal(0.2).best(mine.trials).values[0])
        return float(np.mean(found))

    assert mean_time(stable_baselines().search_by_maskable_ppo) < mean_time(search_randomly)


def test_other_agents_take_a_line():
    search_with = stable_baselines().search_with
    from stable_baselines3 import DQN

    mine = Account(ragged_space(), toy_score, 4)
    search_with(lambda env, seed: DQN("MlpPolicy", env, seed=seed, device="cpu"), mine, (goal(),), 0)
    assert 1 <= mine.spent <= 4


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [("gym", "gymnasium", "gym"), ("stable_baselines", "sb3_contrib", "sb3")],
)
def test_a_missing_package_is_a_diagnostic(monkeypatch: pytest.MonkeyPatch, module: str, missing: str, extra: str):
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, f"cimspec.search.{module}", raising=False)
    with pytest.raises(CimError, match="CIM902") as caught:
        importlib.import_module(f"cimspec.search.{module}")
    assert missing in caught.value.diagnostics[0].message
    assert caught.value.diagnostics[0].help == f"pip install 'cimspec[{extra}]'"
