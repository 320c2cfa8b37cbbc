"""What model-free agents see of a search: the layers one by one, and at the end what the policy is worth.

An episode walks the crossbar layers in execution order; for each the agent picks one of the layer's options. Then the
account evaluates the policy: new ones are counted, known ones are free. Nothing is learned here: see ddpg.py for the
paper's agent and gym.py for agents of others. Needs neither torch nor gymnasium.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cimspec.graph import Precision
from cimspec.search.arrays import FloatArray
from cimspec.search.evaluation import Account, Trial
from cimspec.search.goal import AccuracyLimit, DivergenceLimit, Goal
from cimspec.search.space import Option, Space

GAIN = 100.0
"""Reward for every multiple of the widest policy's speed beyond the first."""
PENALTY = 10.0
"""Loss of reward for every percentage point beyond the limit."""
CALLS_PER_EVALUATION = 4
"""Episodes that may be played for every evaluation of the budget: agents that settle ask for known policies."""


@dataclass(frozen=True)
class Environment:
    """An account, to be spent on one goal."""

    account: Account
    goal: Goal

    @cached_property
    def features(self) -> FloatArray:
        """What tells the layers apart, `[layers, 7]`, 0..1: see `layer_features`."""
        return layer_features(self.account.space)

    @cached_property
    def widest_objective(self) -> float:
        """What the goal makes small, for the policy of most bits."""
        space = self.account.space
        return self.goal.objective(space.values(space.widest()))

    def progress(self, chosen: Sequence[int]) -> tuple[float, float, float]:
        """The bits chosen last, of weights and of activations, relative to the widest in the space (at first 1, 1); and
        the share of the widest policy's cost that the layers so far take. Each 0..1.
        """
        if not chosen:
            return 1.0, 1.0, 0.0
        taken = sum(float(own[index]) for own, index in zip(self._shares, chosen, strict=False))
        last = self.account.space.options[len(chosen) - 1][chosen[-1]].precision
        widest = self._widest_bits
        return last.weight_bits / widest.weight_bits, last.activation_bits / widest.activation_bits, min(taken, 1.0)

    def reward(self, trial: Trial) -> float:
        """The reward of CIM-AQ (arXiv 2601.21737): speed within the limit, and beyond it how far it is missed.

        `100 (speedup - 1)` over the policy of most bits, or -10 for every percentage point beyond the limit.
        """
        points = self.points_beyond(trial)
        return -PENALTY * points if points else GAIN * (self.speedup(trial) - 1)

    def shaped_reward(self, trial: Trial) -> float:
        """The same order of policies, from about -4 to 2: the logarithm of the speedup, or `-ln(1 + points beyond)`."""
        points = self.points_beyond(trial)
        return -math.log1p(points) if points else math.log(self.speedup(trial))

    def speedup(self, trial: Trial) -> float:
        """How many times less of what the goal makes small it takes than the policy of most bits."""
        return self.widest_objective / self.goal.objective(trial.values)

    def points_beyond(self, trial: Trial) -> float:
        """By how much the limit is exceeded, in percentage points of accuracy.

        A divergence of `x` nats makes the right class `exp(-x)` times as probable: it counts as `100 (1 - exp(-x))`.
        """
        excess = self.goal.limit.excess(trial.score)
        match self.goal.limit:
            case AccuracyLimit():
                return 100 * excess
            case DivergenceLimit():
                return -100 * math.expm1(-excess)

    @cached_property
    def _widest_bits(self) -> Precision:
        return widest_bits(self.account.space)

    @cached_property
    def _shares(self) -> tuple[FloatArray, ...]:
        return cost_shares(self.account.space)


def widest_bits(space: Space) -> Precision:
    """The most bits that any option has, of weights and of activations."""
    every = [option.precision for options in space.options for option in options]
    return Precision(*map(max, zip(*every, strict=True)))


def cost_shares(space: Space) -> tuple[FloatArray, ...]:
    """For each layer the costs of its options: shares of the widest policy's, mean over the metrics."""
    widest = zip(space.option_costs, space.widest(), strict=True)
    totals = np.sum([costs[index] for costs, index in widest], axis=0)
    return tuple((costs / np.where(totals > 0, totals, 1.0)).mean(axis=1) for costs in space.option_costs)


def layer_features(space: Space) -> FloatArray:
    """`[layers, 7]`: the share of the cost that a layer takes with its widest option, its cheapest, its narrowest
    weights, and its narrowest activations; how many weight widths, activation widths, and options it has. Scaled to
    0..1 over the layers, as in HAQ (0 where layers do not differ).
    """
    shares = cost_shares(space)
    table = np.array([_features(options, own) for options, own in zip(space.options, shares, strict=True)])
    spread = np.ptp(table, axis=0)
    return np.asarray((table - table.min(axis=0)) / np.where(spread > 0, spread, 1.0))


def _features(options: tuple[Option, ...], shares: FloatArray) -> list[float]:
    share = dict(zip((option.precision for option in options), map(float, shares), strict=True))
    weight_widths, activation_widths = (len(set(bits)) for bits in zip(*share, strict=True))
    narrow_weights = min(share, key=lambda each: (each.weight_bits, -each.activation_bits))
    narrow_activations = min(share, key=lambda each: (each.activation_bits, -each.weight_bits))
    costs = [share[max(share)], min(share.values()), share[narrow_weights], share[narrow_activations]]
    return [*costs, float(weight_widths), float(activation_widths), float(len(options))]
