"""NSGA-II on DEAP: what a policy takes against how far it diverges, all goals from one population.

Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002. Objectives are those of all goals
(one, unless trade-offs are asked for), and what is limited: the divergence, or the error. Limits do not steer it: with
the rule for constraints it found less on VGG-8, where its front then spread over slow policies, and so it did with
populations of 24 and 40. No policy is in the population twice, as long as there are enough.
"""

from collections.abc import Iterable, Sequence

from deap import base, tools

from cimspec.search.evaluation import Account, Trial
from cimspec.search.genetic import PATIENCE, Individual, random_genes, seeded, vary
from cimspec.search.goal import Goal
from cimspec.search.space import Choice

POPULATION = 16


class _Fitness(base.Fitness):  # type: ignore[misc]
    """Values to be made small."""

    def __init__(self, values: tuple[float, ...]) -> None:
        self.weights = (-1.0,) * len(values)
        super().__init__(values)


def search_by_nsga2(account: Account, goals: tuple[Goal, ...], seed: int) -> None:
    """Spend the account's budget; the population starts from the widest policy, or what is known, and random ones."""
    sizes = [len(options) for options in account.space.options]
    with seeded(seed):
        known = _best(account.trials, goals) or [account.space.widest()]
        genes = [*known, *(tuple(random_genes(sizes)) for _ in range(POPULATION))][:POPULATION]
        population = _selected(_rated(account, genes, goals))
        stale = 0
        while not account.is_exhausted and stale < PATIENCE:
            before = account.spent
            parents = tools.selTournamentDCD(population, POPULATION)
            children = [Individual(parent, parent.fitness) for parent in parents]
            vary(children, sizes)
            population = _selected(population + _rated(account, map(tuple, children), goals))
            stale = stale + 1 if account.spent == before else 0


def _best(trials: Sequence[Trial], goals: tuple[Goal, ...]) -> list[Choice]:
    """Up to half a population of known policies: the best for each goal in turn."""
    orders = [sorted(trials, key=goal.rank) for goal in goals]
    mixed = [trial.choice for rank in zip(*orders, strict=True) for trial in rank]
    return list(dict.fromkeys(mixed))[: POPULATION // 2]


def _rated(account: Account, genes: Iterable[Choice], goals: tuple[Goal, ...]) -> list[Individual]:
    """Individuals of what the budget allows to evaluate."""
    objectives = {goal.weights: goal for goal in goals}.values()
    found = []
    for trial in account.evaluate_all(genes):
        values = (*(goal.objective(trial.values) for goal in objectives), goals[0].limit.lost(trial.score))
        found.append(Individual(trial.choice, _Fitness(values)))
    return found


def _selected(individuals: list[Individual]) -> list[Individual]:
    """The next population, which is full: where too few differ, some are there more than once."""
    different = list({tuple(individual): individual for individual in individuals}.values())
    chosen: list[Individual] = tools.selNSGA2(different, min(len(different), POPULATION))
    return (chosen * POPULATION)[:POPULATION]
