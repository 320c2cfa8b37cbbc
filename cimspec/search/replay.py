"""The episodes that a DDPG agent learns from: a ring of the latest, all of the same length."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cimspec.search.evaluation import Trial


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Transitions drawn from the replay."""

    states: Tensor  # [batch, features]
    actions: Tensor  # [batch, 1], 0..1
    rewards: Tensor  # [batch, 1]
    successors: Tensor  # [batch, features]; of the last step: zeros
    goes_on: Tensor  # [batch, 1]: 0 at the last step, else 1


class Replay:
    """The latest `capacity` episodes of `steps` steps each. Every step has the reward of its episode's end."""

    def __init__(self, capacity: int, steps: int, features: int) -> None:
        self._states = torch.zeros(capacity, steps + 1, features)
        self._actions = torch.zeros(capacity, steps, 1)
        self._rewards = torch.zeros(capacity)
        self._trials: list[Trial] = []  # of each episode in the ring
        self._next = 0

    def __len__(self) -> int:
        return len(self._trials)

    def add(self, states: Tensor, actions: Tensor, trial: Trial, reward: float) -> None:
        """Keep an episode: `states` [steps, features], `actions` [steps, 1]. The oldest gives way."""
        place = self._next
        self._states[place, :-1] = states
        self._actions[place] = actions
        self._rewards[place] = reward
        self._trials[place : place + 1] = [trial]
        self._next = (place + 1) % len(self._rewards)

    def reward_anew(self, reward: Callable[[Trial], float]) -> None:
        """Give the episodes the rewards that another goal has for them."""
        for place, trial in enumerate(self._trials):
            self._rewards[place] = reward(trial)

    def sample(self, size: int, rng: np.random.Generator) -> Batch:
        """`size` transitions, distinct where there are as many."""
        steps = self._actions.shape[1]
        known = len(self) * steps
        drawn = torch.from_numpy(rng.choice(known, size, replace=known < size))
        episode, step = drawn // steps, drawn % steps
        return Batch(
            self._states[episode, step],
            self._actions[episode, step],
            self._rewards[episode].unsqueeze(1),
            self._states[episode, step + 1],
            (step + 1 < steps).float().unsqueeze(1),
        )
