"""Reinforcement learning by posterior sampling: model-based, an exact planner, and mutations of the best.

An episode walks the layers; the state is the layer and what was spent, the action its precision, the reward minus
the damage to the network's output. Only the end of an episode shows a number: the divergence of the whole policy. The
agent keeps a posterior over the damages (damage.py), and for each episode draws one table from it (Thompson sampling;
Osband et al., "(More) efficient reinforcement learning via posterior sampling", 2013). What it plans by that table
(planner.py), and what a few changed layers make of the best and of the most promising policies, joins the prospects;
the one whose chance of meeting the limit times its gain is largest is evaluated (prospects.py). Some episodes skip the
prospects and evaluate the plan, or a mutant of one of the best, or plan for less damage at the same objective.
Episodes take turns among the goals; what they teach serves all. This is not the DDPG agent of arXiv 2601.21737
(ddpg.py).
"""

from bisect import insort
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np

from cimspec.search.arrays import FloatArray, IntArray
from cimspec.search.damage import DIVERGENCE, SOFT_ERROR, DamageModel, Measure
from cimspec.search.evaluation import Account, BudgetSpentError, Trial
from cimspec.search.finalists import ABOUT_AS_FAST
from cimspec.search.goal import DivergenceLimit, Goal
from cimspec.search.planner import Task, plan_least, plans, plans_below
from cimspec.search.probes import probe
from cimspec.search.prospects import Critic, Prospects, tolerance
from cimspec.search.space import TIMES, Choice

ELITES = 5
MUTANTS = 64
"""Changed policies that an episode looks at."""
MUTANTS_OF_PIPELINE = 8
"""Of these, and of prospects, how many are looked at closely where that takes a schedule."""
PROSPECTS = 512
"""Policies kept from episode to episode, of all goals."""
PARENTS = 16
"""The most promising of them, which are changed to find more."""
ROUNDING = 1e-12
"""Of sums of costs, relative: what differs by less takes the same."""
PATIENCE = 25
"""Episodes in a row, for each goal, that may find nothing new before the search ends."""

Damages = tuple[FloatArray, ...]


@dataclass(frozen=True, slots=True)
class Agent:
    """What the agent does, apart from what it knows."""

    explore: float = 0.25
    """Share of episodes that go by one draw from the posterior alone, whatever the critic expects. It is all of them at
    first, and falls to this in the first half of the budget."""
    mutate: float = 0.4
    """Share of those that change one of the best policies."""
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
    critic: Critic = field(init=False)
    prospects: dict[Goal, Prospects] = field(init=False)
    widest: Trial = field(init=False)
    feasible: dict[Goal, list[tuple[float, float, int, Trial]]] = field(init=False)
    """By objective, then divergence, then number."""

    def run(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        limited = all(isinstance(goal.limit, DivergenceLimit) for goal in self.goals)
        self.measure = DIVERGENCE if limited else SOFT_ERROR
        self.widest, prior = probe(self.account, self.measure)
        self.model = DamageModel(self.account.space, prior, self.widest.score, self.measure)
        self.critic = Critic(self.model)
        self.prospects = {goal: Prospects(self.critic, len(self.account.space.options)) for goal in self.goals}
        self.feasible = {goal: [] for goal in self.goals}
        for number, trial in enumerate(self.account.trials):
            self._observe(trial, number)
        failures = 0
        for goal in cycle(self.goals):
            if self.account.is_exhausted or failures >= PATIENCE * len(self.goals):
                return
            choice = self._next(goal)
            failures = failures + 1 if choice is None else 0
            if choice is not None:
                self._observe(self.account.evaluate(choice), self.account.spent)

    def _observe(self, trial: Trial, number: int) -> None:
        self.model.observe(trial)
        self.critic.observe(trial)
        for goal in self.feasible:
            if not goal.limit.excess(trial.score):
                insort(self.feasible[goal], (goal.objective(trial.values), trial.score.kl, number, trial))

    def _next(self, goal: Goal) -> Choice | None:
        """A new policy that may take less than the best one for the goal, or None if none was found."""
        incumbent = self.feasible[goal][0][-1] if self.feasible[goal] else None
        task = Task(self.account.space, goal, (incumbent or self.widest).values)
        table = self.model.sample(self.rng)
        aim = self._scale(goal) * self.rng.uniform(self.agent.tightest, self.agent.loosest)
        if incumbent is None:
            return self._planned(task, table, aim, np.inf)
        if self.measure.is_monotone and self.rng.random() < self.agent.polish:
            return self._polished(task, table, incumbent)
        least = goal.objective(incumbent.values)
        explores = self.rng.random() < max(self.agent.explore, 1 - 2 * self.account.spent / self.account.budget)
        if not explores and (promising := self._promising(task, table, incumbent)):
            return promising
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
        allowed = [self.model.damage(trial) for *_, trial in self.feasible[goal]]
        return max([*allowed, self.measure.floor])

    def _polished(self, task: Task, table: Damages, incumbent: Trial) -> Choice | None:
        """A new policy that takes about as much as the best one, planned for the least damage."""
        choice = plan_least(task, table, incumbent.choice, ABOUT_AS_FAST)
        allowed = task.goal.objective(incumbent.values) * ABOUT_AS_FAST
        return choice if choice is not None and self._is_better(task.goal, choice, allowed) else None

    def _promising(self, task: Task, table: Damages, incumbent: Trial) -> Choice | None:
        """The prospect most worth an evaluation, once what the draw plans and mutants have joined them."""
        goal, space, prospects = task.goal, self.account.space, self.prospects[task.goal]
        if space.pipeline and not all(metric in TIMES for metric in goal.metrics_of(space.metrics)):
            return None  # nothing is known of what others take until they have a schedule
        least = goal.objective(incumbent.values)
        planned = plans_below(task, table, incumbent.choice, self._scale(goal))
        parents = prospects.choices[:PARENTS]
        found = [self._mutants(self._elites(goal)), *([self._mutants(parents)] if len(parents) else [])]
        found += [np.array(planned)] if planned else []
        self._join(prospects, goal, np.concatenate(found), least)
        threshold, spread = tolerance(goal, self.model, self.account.trials, self.measure.floor)
        worth = prospects.worth(threshold, spread, least)
        prospects.keep(np.argsort(-worth, kind="stable")[: max(PROSPECTS // len(self.goals), PARENTS)])
        tried = MUTANTS_OF_PIPELINE if space.pipeline else 1
        for number, candidate in enumerate(prospects.choices[:tried]):
            choice = tuple(int(index) for index in candidate)
            if self._is_better(goal, choice, least):
                return choice
            prospects.objectives[number] = goal.objective(space.values(choice))  # no longer a bound
        return None

    def _join(self, prospects: Prospects, goal: Goal, choices: IntArray, least: float) -> None:
        """Leave of the prospects, and add of `choices`, what is new and takes less."""
        space, known = self.account.space, self.account.knows
        held = list(map(tuple, prospects.choices.tolist()))
        fresh = np.array([not known(choice) for choice in held], bool)
        prospects.keep(np.flatnonzero(fresh & (prospects.objectives < least)))
        already = set(held)
        new = [choice for choice in dict.fromkeys(map(tuple, choices.tolist())) if not known(choice)]
        choices = np.array([choice for choice in new if choice not in already], np.int64).reshape(-1, choices.shape[1])
        if space.pipeline:
            objectives = np.array([goal.objective(space.bounds(tuple(choice))) for choice in choices.tolist()])
        else:
            objectives = np.prod(space.sums(choices) ** np.array(goal.weights), axis=1)
        joining = (objectives > 0) & (objectives < least * (1 - ROUNDING))  # 0: nothing is known
        if joining.any():
            prospects.add(choices[joining], objectives[joining])

    def _mutated(self, task: Task, table: Damages, aim: float, least: float) -> Choice | None:
        """One of the best policies with one to three layers changed: what takes least of those within the aim."""
        mutants = self._mutants(self._elites(task.goal))
        damages = np.asarray(sum(own[mutants[:, layer]] for layer, own in enumerate(table)))
        costs = np.asarray(sum(own[mutants[:, layer]] for layer, own in enumerate(task.costs())))
        order = np.lexsort((np.where(damages > aim, damages, costs), damages > aim))
        tried = MUTANTS_OF_PIPELINE if self.account.space.pipeline else MUTANTS
        for index in order[:tried]:
            choice = tuple(int(gene) for gene in mutants[index])
            if self._is_better(task.goal, choice, least):
                return choice
        return None

    def _elites(self, goal: Goal) -> IntArray:
        """The best policies that are known: `[elites, layers]`."""
        return np.array([trial.choice for *_, trial in self.feasible[goal][:ELITES]])

    def _mutants(self, parents: IntArray) -> IntArray:
        """Parents drawn from `[parents, layers]` with one to three layers changed: `[MUTANTS, layers]`."""
        sizes = np.array([len(options) for options in self.account.space.options])
        drawn = parents[self.rng.integers(len(parents), size=MUTANTS)]
        order = self.rng.random((MUTANTS, len(sizes))).argsort(axis=1)
        changed = order < self.rng.integers(1, 4, size=(MUTANTS, 1))
        return np.where(changed, self.rng.integers(sizes, size=(MUTANTS, len(sizes))), drawn)
