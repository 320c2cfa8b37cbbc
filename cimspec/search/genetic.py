"""What the evolutionary baselines share, on DEAP's operators: individuals, their variation, DEAP's random generator.

Individuals are lists with a fitness of our own types; nothing is registered in DEAP's globals.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from deap import base, tools

POPULATION = 24
CROSSOVER = 0.8
PATIENCE = 50
"""Generations without a new policy before a search is given up."""


class Individual(list[int]):
    """Option indices, layer by layer, with the fitness that DEAP's operators read."""

    def __init__(self, genes: Sequence[int], fitness: base.Fitness) -> None:
        super().__init__(genes)
        self.fitness = fitness


def random_genes(sizes: Sequence[int]) -> list[int]:
    """One of the options of each layer."""
    return [random.randrange(size) for size in sizes]


def vary(children: list[Individual], sizes: Sequence[int]) -> None:
    """Uniform crossover of neighbours, and one gene changed on average."""
    for mother, father in zip(children[0::2], children[1::2], strict=True):
        if random.random() < CROSSOVER:
            tools.cxUniform(mother, father, indpb=0.5)
    for child in children:
        tools.mutUniformInt(child, low=0, up=[size - 1 for size in sizes], indpb=1 / len(sizes))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """DEAP's operators draw from Python's shared generator: seed it, and leave it as it was."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
