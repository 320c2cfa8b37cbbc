"""Reinforcement learning by posterior sampling: model-based, an exact planner, and mutations of the best.

An episode walks the layers; the state is the layer and the time spent, the action its precision, the reward minus
the damage to the network's output. Only the end of an episode shows a number: the divergence of the whole policy. The
agent keeps a posterior over the damages (damage.py), and for each episode draws one table from it (Thompson sampling;
Osband et al., "(More) efficient reinforcement learning via posterior sampling", 2013), plans the fastest policy that
the table allows (planner.py), and evaluates it. Some episodes change a few layers of one of the best policies, or plan
for less damage in the time reached. Episodes take turns among the limits; what they teach serves all. This is not
the DDPG agent of arXiv 2601.21737.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np
import torch

from cimspec.quant.threads import one_thread
from cimspec.search.damage import DamageModel, Prior, interpolate
from cimspec.search.evaluation import Account, BudgetSpentError, Trial, fastest_under
from cimspec.search.finalists import ABOUT_AS_FAST
from cimspec.search.planner import plan, plan_least
from cimspec.search.space import Choice

PROBED_ACTIVATION_BITS = (2, 4)
ELITES = 5
ATTEMPTS = 8
"""Draws for a policy that is new and faster before an episode is given up."""
PATIENCE = 3
"""Episodes in a row, for each limit, that may find nothing new before the search ends."""


@dataclass(frozen=True, slots=True)
class Agent:
    """What the agent does, apart from what it knows."""

    mutate: float = 0.4
    """Share of episodes that change one of the best policies."""
    tightest: float = 0.5
    """Plans aim at a limit between this and `loosest`, relative to the limit in force."""
    loosest: float = 1.3
    polish: float = 0.25
    """Share of episodes that look for less damage in about the same time, not for less time."""


def search_by_rl(account: Account, kl_limits: tuple[float, ...], seed: int, agent: Agent | None = None) -> None:
    """Spend the account's budget: sensitivity probes first, then episodes."""
    with one_thread(), suppress(BudgetSpentError):
        _Episodes(account, kl_limits, seed, agent or Agent()).run()


@dataclass(slots=True)
class _Episodes:
    account: Account
    kl_limits: tuple[float, ...]
    seed: int
    agent: Agent
    rng: np.random.Generator = field(init=False)
    generator: torch.Generator = field(init=False)
    model: DamageModel = field(init=False)

    def run(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.generator = torch.Generator().manual_seed(self.seed)
        widest = self.account.evaluate(self.account.space.widest())
        self.model = DamageModel(self.account.space, self._probe(widest), widest.score.kl)
        for trial in self.account.trials:
            self.model.observe(trial)
        failures = 0
        for limit in cycle(self.kl_limits):
            if self.account.is_exhausted or failures >= PATIENCE * len(self.kl_limits):
                return
            choice = self._next(limit)
            failures = failures + 1 if choice is None else 0
            if choice is not None:
                self.model.observe(self.account.evaluate(choice))

    def _probe(self, widest: Trial) -> Prior:
        """Narrow one layer at a time: every weight width, and a few activation widths."""
        weights, activations = [], []
        for layer, options in enumerate(self.account.space.options):
            precisions = [option.precision for option in options]
            top = precisions[widest.choice[layer]]
            by_weight, by_activation = {}, {}
            for index, precision in enumerate(precisions):
                alone = (*widest.choice[:layer], index, *widest.choice[layer + 1 :])
                if precision.activation_bits == top.activation_bits and precision != top:
                    by_weight[precision.weight_bits] = self._damage(alone, widest)
                elif precision.weight_bits == top.weight_bits and precision.activation_bits in PROBED_ACTIVATION_BITS:
                    by_activation[precision.activation_bits] = self._damage(alone, widest)
            widths = zip(*precisions, strict=True)
            weight_bits, activation_bits = (tuple(sorted(set(bits))) for bits in widths)
            weights.append(interpolate(by_weight, weight_bits, top.weight_bits))
            activations.append(interpolate(by_activation, activation_bits, top.activation_bits))
        return Prior(tuple(weights), tuple(activations))

    def _damage(self, choice: Choice, widest: Trial) -> float:
        return self.account.evaluate(choice).score.kl - widest.score.kl

    def _next(self, limit: float) -> Choice | None:
        """A new policy that may be faster than the fastest under `limit`, or None if none was found."""
        incumbent = fastest_under(self.account.trials, limit)
        fastest = incumbent.time_ns if incumbent else np.inf
        if incumbent and (fastest <= self.account.space.least_time_ns or self.rng.random() < self.agent.polish):
            return self._polished(fastest)
        mutate = incumbent is not None and self.rng.random() < self.agent.mutate
        for _ in range(ATTEMPTS):
            choice = self._mutated(limit) if mutate else self._planned(limit)
            if choice is None:
                continue
            space = self.account.space
            if not self.account.knows(choice) and space.bound_ns(choice) < fastest and space.time_ns(choice) < fastest:
                return choice
            mutate = incumbent is not None and self.rng.random() < self.agent.mutate
        return None

    def _polished(self, fastest: float) -> Choice | None:
        """A new policy about as fast as the fastest one, planned for the least damage."""
        for _ in range(ATTEMPTS):
            choice = plan_least(self.account.space, self.model.sample(self.generator), fastest * ABOUT_AS_FAST)
            if choice is not None and not self.account.knows(choice):
                return choice
        return None

    def _planned(self, limit: float) -> Choice | None:
        aim = limit * self.rng.uniform(self.agent.tightest, self.agent.loosest)
        return plan(self.account.space, self.model.sample(self.generator), aim)

    def _mutated(self, limit: float) -> Choice:
        """One of the fastest policies under `limit`, with one to three layers changed."""
        feasible = [trial for trial in self.account.trials if trial.score.kl <= limit]
        elites = sorted(feasible, key=lambda trial: trial.time_ns)[:ELITES]
        genes = list(elites[self.rng.integers(len(elites))].choice)
        changes = min(len(genes), int(self.rng.integers(1, 4)))
        for layer in self.rng.choice(len(genes), size=changes, replace=False):
            genes[layer] = int(self.rng.integers(len(self.account.space.options[layer])))
        return tuple(genes)
