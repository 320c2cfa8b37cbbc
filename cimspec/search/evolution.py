"""A genetic algorithm on DEAP's operators: the baseline that the reinforcement-learning agent is compared with.

Feasibility rule (Deb, "An efficient constraint handling method for genetic algorithms", 2000): of two policies the
feasible one wins, of two feasible ones the one that takes less, of two infeasible ones the closer to the limit. The
budget is shared evenly by the goals; the first starts from the widest policy, or what is known already, and random
ones, each further one from the best known policies for it and random ones.
"""

from deap import base, tools

from cimspec.search.evaluation import Account
from cimspec.search.genetic import PATIENCE, POPULATION, Individual, random_genes, seeded, vary
from cimspec.search.goal import Goal

TOURNAMENT = 3


class _Fitness(base.Fitness):  # type: ignore[misc]
    """(excess over the limit, objective), both to be made small."""

    weights = (-1.0, -1.0)


def search_by_evolution(account: Account, goals: tuple[Goal, ...], seed: int) -> None:
    """Spend the account's budget, an even share of what is left for each goal."""
    before = account.spent
    with seeded(seed):
        for index, goal in enumerate(goals):
            share = before + (account.budget - before) * (index + 1) // len(goals)
            _evolve(account, goal, share)


def _evolve(account: Account, goal: Goal, share: int) -> None:
    sizes = [len(options) for options in account.space.options]
    known = [trial.choice for trial in sorted(account.trials, key=goal.rank)[: POPULATION // 2]]
    genes = [*(known or [account.space.widest()]), *(random_genes(sizes) for _ in range(POPULATION))]
    population = [Individual(each, _Fitness()) for each in genes[:POPULATION]]
    _rate(account, population, goal, share)
    stale = 0
    while account.spent < share and stale < PATIENCE:
        before = account.spent
        rated = [individual for individual in population if individual.fitness.valid]
        parents = tools.selTournament(rated, POPULATION, TOURNAMENT)
        children = [Individual(parent, _Fitness()) for parent in parents]
        vary(children, sizes)
        _rate(account, children, goal, share)
        population = tools.selBest([each for each in rated + children if each.fitness.valid], POPULATION)
        stale = stale + 1 if account.spent == before else 0


def _rate(account: Account, individuals: list[Individual], goal: Goal, share: int) -> None:
    """Evaluate what the share allows; individuals beyond it stay without fitness."""
    for individual in individuals:
        choice = tuple(individual)
        if account.knows(choice) or account.spent < share:
            individual.fitness.values = goal.rank(account.evaluate(choice))
