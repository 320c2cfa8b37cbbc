"""A genetic algorithm on DEAP's operators: the baseline that the reinforcement-learning agent is compared with.

Feasibility rule (Deb, "An efficient constraint handling method for genetic algorithms", 2000): of two policies the
feasible one wins, of two feasible ones the faster, of two infeasible ones the closer to the limit. The budget is shared
evenly by the limits; the first starts from the widest policy and random ones, each further one from the best known
policies for it and random ones. Individuals are lists with a fitness of our own type; nothing is registered in DEAP's
globals.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from deap import base, tools

from cimspec.search.evaluation import Account, Trial

POPULATION = 24
TOURNAMENT = 3
CROSSOVER = 0.8
PATIENCE = 50
"""Generations without a new policy before a limit is given up."""


class _Fitness(base.Fitness):  # type: ignore[misc]
    """(violation of the limit, time), both to be made small."""

    weights = (-1.0, -1.0)


class _Individual(list[int]):
    """Option indices, layer by layer, with the fitness that DEAP's operators read."""

    def __init__(self, genes: Sequence[int]) -> None:
        super().__init__(genes)
        self.fitness = _Fitness()


def search_by_evolution(account: Account, kl_limits: tuple[float, ...], seed: int) -> None:
    """Spend the account's budget, an even share for each limit."""
    with _seeded(seed):
        for index, limit in enumerate(kl_limits):
            _evolve(account, limit, account.budget * (index + 1) // len(kl_limits))


def _evolve(account: Account, limit: float, share: int) -> None:
    sizes = [len(options) for options in account.space.options]
    known = sorted(account.trials, key=lambda trial: _fitness(trial, limit))[: POPULATION // 2]
    population = [_Individual(trial.choice) for trial in known] or [_Individual(account.space.widest())]
    population += [_Individual([random.randrange(size) for size in sizes]) for _ in range(POPULATION - len(population))]
    _rate(account, population, limit, share)
    stale = 0
    while account.spent < share and stale < PATIENCE:
        before = account.spent
        children = _breed(population, sizes)
        _rate(account, children, limit, share)
        rated = [individual for individual in population + children if individual.fitness.valid]
        population = tools.selBest(rated, POPULATION)
        stale = stale + 1 if account.spent == before else 0


def _rate(account: Account, individuals: list[_Individual], limit: float, share: int) -> None:
    """Evaluate what the share allows; individuals beyond it stay without fitness."""
    for individual in individuals:
        choice = tuple(individual)
        if account.knows(choice) or account.spent < share:
            individual.fitness.values = _fitness(account.evaluate(choice), limit)


def _fitness(trial: Trial, limit: float) -> tuple[float, float]:
    violation = max(0.0, trial.score.kl - limit)
    return violation, trial.time_ns if violation == 0 else 0.0


def _breed(population: list[_Individual], sizes: list[int]) -> list[_Individual]:
    """As many children: tournaments, uniform crossover, one gene changed on average."""
    rated = [individual for individual in population if individual.fitness.valid]
    children = [_Individual(parent) for parent in tools.selTournament(rated, POPULATION, TOURNAMENT)]
    for mother, father in zip(children[0::2], children[1::2], strict=True):
        if random.random() < CROSSOVER:
            tools.cxUniform(mother, father, indpb=0.5)
    for child in children:
        tools.mutUniformInt(child, low=0, up=[size - 1 for size in sizes], indpb=1 / len(sizes))
    return children


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """DEAP's operators draw from Python's shared generator: seed it, and leave it as it was."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
