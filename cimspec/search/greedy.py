"""Greedy descent: from the widest policy, always the single step that gains most for the divergence that it adds.

A step takes a few bits from the weights or from the activations of one layer: the next option below in that width. All
steps are evaluated before one is taken; steps that exceed the goal's limit are not. Each further goal goes on from the
best policy for it.
"""

from collections.abc import Iterator
from contextlib import suppress
from math import log

from cimspec.search.evaluation import Account, BudgetSpentError, Trial
from cimspec.search.goal import Goal
from cimspec.search.space import Choice, Space

SMALLEST_DAMAGE = 1e-6
"""Nats; below, steps are equally good."""


def search_greedily(account: Account, goals: tuple[Goal, ...], seed: int) -> None:
    """Spend the account's budget, or stop where no step is left. Nothing is drawn: all seeds give the same."""
    del seed
    with suppress(BudgetSpentError):
        account.evaluate(account.space.widest())
        for goal in sorted(goals, key=lambda goal: str(goal.limit)):
            _descend(account, goal)


def _descend(account: Account, goal: Goal) -> None:
    here = goal.best(account.trials)
    while here is not None:
        steps = [account.evaluate(choice) for choice in _steps(account.space, here.choice)]
        objective, origin = goal.objective(here.values), here
        better = [trial for trial in goal.feasible(steps) if goal.objective(trial.values) < objective]
        here = max(better, key=lambda trial: _worth(goal, origin, trial), default=None)


def _worth(goal: Goal, here: Trial, there: Trial) -> float:
    """What a step gains, in the objective's logarithm, for each nat that it adds."""
    gained = log(goal.objective(here.values)) - log(goal.objective(there.values))
    return gained / max(there.score.kl - here.score.kl, SMALLEST_DAMAGE)


def _steps(space: Space, choice: Choice) -> Iterator[Choice]:
    """Every layer with the next fewer weight bits, and with the next fewer activation bits."""
    for layer, options in enumerate(space.options):
        own = options[choice[layer]].precision
        for axis in (0, 1):
            below = [
                (option.precision[axis], index)
                for index, option in enumerate(options)
                if option.precision[axis] < own[axis] and option.precision[1 - axis] == own[1 - axis]
            ]
            if below:
                yield (*choice[:layer], max(below)[1], *choice[layer + 1 :])
