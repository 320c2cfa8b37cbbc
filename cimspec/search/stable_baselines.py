"""Agents of Stable-Baselines3 as search methods: `PolicyEnv` spends the account, a callback ends the training.

`maskable_ppo` is proximal policy optimization with invalid actions masked (Schulman et al., 2017; Huang and Ontanon,
2020), from sb3-contrib: the model-free yardstick beside the paper's agent. Other agents take a function of a few
lines, see `search_with`. Needs the extra `sb3`; loaded on demand.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from cimspec.diag import fail
from cimspec.quant.threads import one_thread
from cimspec.search.environment import CALLS_PER_EVALUATION
from cimspec.search.evaluation import Account
from cimspec.search.goal import Goal

try:
    from sb3_contrib import MaskablePPO
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.callbacks import BaseCallback
except ImportError as error:
    fail(
        "CIM902",
        f"the search method `maskable_ppo` needs the package `{error.name}`, which is not installed",
        help="pip install 'cimspec[sb3]'",
    )

from cimspec.search.gym import PolicyEnv

EPISODES_PER_UPDATE = 8
EPOCHS = 10
LEARNING_RATE = 3e-3
ENTROPY = 0.02

MakeAgent = Callable[[PolicyEnv, int], BaseAlgorithm]
"""An agent for an environment, with a seed."""


def search_by_maskable_ppo(account: Account, goals: tuple[Goal, ...], seed: int) -> None:
    """Spend the account's budget with sb3-contrib's `MaskablePPO`, an even share of what is left for each goal."""
    search_with(_maskable_ppo, account, goals, seed)


def _maskable_ppo(env: PolicyEnv, seed: int) -> BaseAlgorithm:
    steps = EPISODES_PER_UPDATE * len(env.environment.account.space.options)
    return MaskablePPO(
        "MlpPolicy",
        env,
        learning_rate=LEARNING_RATE,
        n_steps=steps,
        batch_size=steps,
        n_epochs=EPOCHS,
        gamma=1.0,
        ent_coef=ENTROPY,
        seed=seed,
        device="cpu",
    )


def search_with(make_agent: MakeAgent, account: Account, goals: tuple[Goal, ...], seed: int) -> None:
    """Spend the account's budget with an agent of Stable-Baselines3, an even share of what is left for each goal.

    For example `lambda env, seed: DQN("MlpPolicy", env, seed=seed)`. Each goal has an agent of its own. Known policies
    are free, so agents that settle are stopped after 4 episodes for each evaluation of their share. The generators of
    Python, numpy and torch, which Stable-Baselines3 seeds, are as they were afterwards.
    """
    before = account.spent
    with one_thread(), _generators_kept():
        for index, goal in enumerate(goals):
            share = before + (account.budget - before) * (index + 1) // len(goals)
            episodes = CALLS_PER_EVALUATION * (share - account.spent)
            if account.is_exhausted or episodes <= 0:
                continue
            agent = make_agent(PolicyEnv(account, goal), seed)
            agent.learn(episodes * len(account.space.options), callback=_Stop(account, share, episodes))


class _Stop(BaseCallback):
    """Ends the training when the share is spent, or nothing is left to find, or after so many episodes."""

    def __init__(self, account: Account, share: int, episodes: int) -> None:
        super().__init__()
        self._account = account
        self._share = share
        self._episodes = episodes

    def _on_step(self) -> bool:
        self._episodes -= int(np.sum(self.locals["dones"]))
        return self._account.spent < self._share and not self._account.is_exhausted and self._episodes > 0


@contextmanager
def _generators_kept() -> Iterator[None]:
    """Leave the shared generators of Python, numpy and torch as they were."""
    state, legacy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - the one that is seeded
    in_use = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = range(torch.cuda.device_count()) if in_use else ()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(state)
        np.random.set_state(legacy_state)  # noqa: NPY002
