"""The search as a Gymnasium environment, for agents of others: one step picks the precision of one layer.

    env = PolicyEnv(account, goal)
    observation, info = env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(action)

An episode walks the crossbar layers in execution order. Its last step has the reward (`Environment.shaped_reward`), and
its `info` the trial; other steps have 0. Needs the extra `gym`; loaded on demand.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.diag import fail
from cimspec.search.environment import Environment
from cimspec.search.evaluation import Account, BudgetSpentError
from cimspec.search.goal import Goal

try:
    import gymnasium
except ImportError:
    fail(
        "CIM902",
        "an environment for reinforcement learning needs the package `gymnasium`, which is not installed",
        help="pip install 'cimspec[gym]'",
    )

Observation = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class PolicyEnv(gymnasium.Env[Observation, np.int64]):
    """One account, spent on one goal.

    Actions: `Discrete(n)`, n being the largest number of options that a layer has; the option of that index. Layers
    with fewer options take an index that is too large for their last one, so that agents without masks work too.
    Agents with masks ask `action_masks()`, or read `info["action_mask"]`.

    Observations: `Box(0, 1, (layers + 3,))`: which layer is to be chosen for (one-hot; all 0 at the end), the bits of
    weights and activations chosen last (relative to the widest in the space), and the share of the widest policy's
    cost that the layers chosen so far take.

    An episode that ends in a policy that is known costs no evaluation. One that ends in a new policy when the budget is
    spent is truncated, with reward 0 and `info["budget_spent"]`: stop there.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own declaration

    def __init__(self, account: Account, goal: Goal) -> None:
        self.environment = Environment(account, goal)
        self._sizes = [len(options) for options in account.space.options]
        self._chosen: list[int] = []
        self._most = max(self._sizes)
        self.action_space = gymnasium.spaces.Discrete(self._most)
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (len(self._sizes) + 3,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode at the first layer. Nothing in it is random; `seed` serves Gymnasium's generator."""
        super().reset(seed=seed, options=options)
        self._chosen = []
        return self._observation(), self._info()

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Choose for the current layer; after the last one, evaluate the policy."""
        size = self._sizes[len(self._chosen)]
        self._chosen.append(min(int(action), size - 1))
        if len(self._chosen) < len(self._sizes):
            return self._observation(), 0.0, False, False, self._info()
        try:
            trial = self.environment.account.evaluate(tuple(self._chosen))
        except BudgetSpentError:
            return self._observation(), 0.0, False, True, {**self._info(), "budget_spent": True}
        reward = self.environment.shaped_reward(trial)
        return self._observation(), reward, True, False, {**self._info(), "trial": trial}

    def action_masks(self) -> Mask:
        """Which actions stand for an option of the current layer: `[actions]`. After the last layer: all."""
        count = len(self._chosen)
        size = self._sizes[count] if count < len(self._sizes) else self._most
        return np.asarray(np.arange(self._most) < size)

    def _info(self) -> dict[str, Any]:
        return {"action_mask": self.action_masks().astype(np.int8)}  # the type that `Discrete.sample` takes

    def _observation(self) -> Observation:
        count, layers = len(self._chosen), len(self._sizes)
        observation = np.zeros(layers + 3, np.float32)
        if count < layers:
            observation[count] = 1.0
        observation[layers:] = self.environment.progress(self._chosen)
        return observation
