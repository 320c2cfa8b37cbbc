"""Reinforcement learning by posterior sampling: model-based, an exact planner, and mutations of the best.

An episode walks the layers; the state is the layer and what was spent, the action its precision, the reward minus
the damage to the network's output. Only the end of an episode shows a number: the divergence of the whole policy. The
agent keeps a posterior over the damages (damage.py), and for each episode draws one table from it (Thompson sampling;
Osband et al., "(More) efficient reinforcement learning via posterior sampling", 2013), plans what takes least by that
table (planner.py), and evaluates it; if it is known, what takes less still. Some episodes change a few layers of one of
the best policies, or plan for less damage at the same objective. Episodes take turns among the goals; what they teach
serves all. This is not the DDPG agent of arXiv 2601.21737 (ddpg.py).
"""

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np

from cimspec.search.damage import DIVERGENCE, SOFT_ERROR, DamageModel, FloatArray, Measure
from cimspec.search.evaluation import Account, BudgetSpentError, Trial
from cimspec.search.finalists import ABOUT_AS_FAST
from cimspec.search.goal import DivergenceLimit, Goal
from cimspec.search.planner import Task, plan_least, plans
from cimspec.search.probes import probe
from cimspec.search.space import Choice, IntArray

ELITES = 5
MUTANTS = 64
"""Changed policies of which an episode evaluates one."""
MUTANTS_OF_PIPELINE = 8
"""Of these, how many are looked at closely where that takes a schedule."""
PATIENCE = 25
"""Episodes in a row, for each goal, that may find nothing new before the search ends."""

Damages = tuple[FloatArray, ...]


@dataclass(frozen=True, slots=True)
class Agent:
    """What the agent does, apart from what it knows."""

    mutate: float = 0.4
    """Share of episodes that change one of the best policies."""
    tightest: float = 0.5
    """Plans aim at a limit between this and `loosest`, relative to the limit in force."""
    loosest: float = 1.3
    polish: float = 0.25
    """Share of episodes that look for less damage at about the same objective, not for less of that; none where
    accuracy is limited, of which more is no use."""


def search_by_rl(account: Account, goals: tuple[Goal, ...], seed: int, agent: Agent | None = None) -> None:
    """Spend the account's budget: sensitivity probes first, then episodes."""
    with suppress(BudgetSpentError):
        _Episodes(account, goals, seed, agent or Agent()).run()


@dataclass(slots=True)
class _Episodes:
    account: Account
    goals: tuple[Goal, ...]
    seed: int
    agent: Agent
    rng: np.random.Generator = field(init=False)
    measure: Measure = field(init=False)
    model: DamageModel = field(init=False)
    widest: Trial = field(init=False)

    def run(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        limited = all(isinstance(goal.limit, DivergenceLimit) for goal in self.goals)
        self.measure = DIVERGENCE if limited else SOFT_ERROR
        self.widest, prior = probe(self.account, self.measure)
        self.model = DamageModel(self.account.space, prior, self.widest.score, self.measure)
        for trial in self.account.trials:
            self.model.observe(trial)
        failures = 0
        for goal in cycle(self.goals):
            if self.account.is_exhausted or failures >= PATIENCE * len(self.goals):
                return
            choice = self._next(goal)
            failures = failures + 1 if choice is None else 0
            if choice is not None:
                self.model.observe(self.account.evaluate(choice))

    def _next(self, goal: Goal) -> Choice | None:
        """A new policy that may take less than the best one for the goal, or None if none was found."""
        incumbent = goal.best(self.account.trials)
        task = Task(self.account.space, goal, (incumbent or self.widest).values)
        table = self.model.sample(self.rng)
        aim = self._scale(goal) * self.rng.uniform(self.agent.tightest, self.agent.loosest)
        if incumbent is None:
            return self._planned(task, table, aim, np.inf)
        if self.measure.is_monotone and self.rng.random() < self.agent.polish:
            return self._polished(task, table, incumbent)
        least = goal.objective(incumbent.values)
        ways = [self._mutated, self._planned]
        if self.rng.random() >= self.agent.mutate:
            ways.reverse()
        return ways[0](task, table, aim, least) or ways[1](task, table, aim, least)

    def _planned(self, task: Task, table: Damages, aim: float, least: float) -> Choice | None:
        """What takes least by the table within the aim, or what takes less still: the first that is new."""
        return next((choice for choice in plans(task, table, aim) if self._is_better(task.goal, choice, least)), None)

    def _is_better(self, goal: Goal, choice: Choice, least: float) -> bool:
        """Whether a policy is new and takes less."""
        if self.account.knows(choice) or goal.objective(self.account.space.bounds(choice)) >= least:
            return False
        return goal.objective(self.account.space.values(choice)) < least

    def _scale(self, goal: Goal) -> float:
        """The damage that the goal allows; of a limit on accuracy, the largest that was seen to be allowed."""
        if isinstance(goal.limit, DivergenceLimit):
            return goal.limit.nats
        least = self.measure.of(self.widest.score)
        allowed = [self.measure.of(trial.score) - least for trial in goal.feasible(self.account.trials)]
        return max([*allowed, self.measure.floor])

    def _polished(self, task: Task, table: Damages, incumbent: Trial) -> Choice | None:
        """A new policy that takes about as much as the best one, planned for the least damage."""
        choice = plan_least(task, table, incumbent.choice, ABOUT_AS_FAST)
        allowed = task.goal.objective(incumbent.values) * ABOUT_AS_FAST
        return choice if choice is not None and self._is_better(task.goal, choice, allowed) else None

    def _mutated(self, task: Task, table: Damages, aim: float, least: float) -> Choice | None:
        """One of the best policies with one to three layers changed: what takes least of those within the aim."""
        mutants = self._mutants(task.goal)
        damages = np.asarray(sum(own[mutants[:, layer]] for layer, own in enumerate(table)))
        costs = np.asarray(sum(own[mutants[:, layer]] for layer, own in enumerate(task.costs())))
        order = np.lexsort((np.where(damages > aim, damages, costs), damages > aim))
        tried = MUTANTS_OF_PIPELINE if self.account.space.pipeline else MUTANTS
        for index in order[:tried]:
            choice = tuple(int(gene) for gene in mutants[index])
            if self._is_better(task.goal, choice, least):
                return choice
        return None

    def _mutants(self, goal: Goal) -> IntArray:
        """Mutants of one of the best policies: `[MUTANTS, layers]`."""
        elites = sorted(goal.feasible(self.account.trials), key=lambda trial: goal.objective(trial.values))[:ELITES]
        elite = np.array(elites[self.rng.integers(len(elites))].choice)
        sizes = np.array([len(options) for options in self.account.space.options])
        order = self.rng.random((MUTANTS, len(sizes))).argsort(axis=1)
        changed = order < self.rng.integers(1, 4, size=(MUTANTS, 1))
        return np.where(changed, self.rng.integers(sizes, size=(MUTANTS, len(sizes))), elite)
