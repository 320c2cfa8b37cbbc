"""Small problems with a known optimum: three to four layers whose damages nearly add.

Their times add as well, or they are a pipeline on a few crossbars.
"""

from functools import cache
from itertools import pairwise, product

import numpy as np

from cimspec.compiler.copies import Load, choose_copies
from cimspec.graph import Policy, Precision
from cimspec.search.evaluation import Account, Score
from cimspec.search.goal import DivergenceLimit, Goal
from cimspec.search.pipeline import Pipeline
from cimspec.search.space import Choice, Option, Space
from cimspec.spec.search import Metric

LIMIT = 0.05


def toy_space(layers: int = 4) -> Space:
    """Each layer's latency grows with weight bits times activation bits."""
    precisions = [Precision(w, a) for w in (2, 3, 4, 6, 8) for a in (2, 3, 4, 6, 8)]
    options = tuple(
        tuple(sorted(
            (Option(each, (float(each.weight_bits * each.activation_bits * (layer + 1)),)) for each in precisions),
            key=lambda option: (option.costs, option.precision),
        ))
        for layer in range(layers)
    )  # fmt: skip
    return Space(tuple(f"l{layer}" for layer in range(layers)), options)


def toy_load(layer: int, precision: Precision) -> Load:
    """Weight bits take crossbars: 1 to 4, 2 to 8 and 3 to 12. Activation bits take turns, of 36, 12 and 4 products."""
    weight_bits, activation_bits = precision
    return Load((layer + 1) * weight_bits // 2, (36, 12, 4)[layer], float(activation_bits))


def toy_pipeline(crossbars: int) -> Space:
    """Three layers at once on some crossbars: 6 hold the narrowest weights, 24 the widest."""
    precisions = [Precision(w, a) for w in (2, 4, 8) for a in (2, 4, 8)]
    options = []
    for layer in range(3):
        loads = {each: toy_load(layer, each) for each in precisions}
        own = [Option(each, (load.blocks * load.interval_ns(1) / crossbars,), load) for each, load in loads.items()]
        options.append(tuple(sorted(own, key=lambda option: (option.costs, option.precision))))

    @cache
    def values(policy: Policy) -> tuple[float, ...]:
        loads = [toy_load(layer, each) for layer, each in enumerate(policy.precisions)]
        if sum(load.blocks for load in loads) <= crossbars:
            return (choose_copies(loads, crossbars).interval_ns,)
        return (1000 + sum(load.blocks * load.interval_ns(1) for load in loads) / crossbars,)  # written in parts

    loads = tuple(tuple(option.load for option in own) for own in options)
    return Space(("l0", "l1", "l2"), tuple(options), pipeline=Pipeline(crossbars, loads, values))


def toy_score(policy: Policy) -> Score:
    """Damage falls by 4 with every bit; layers differ, and neighbours make each other's damage a little worse."""
    damages = [
        (0.3 + 0.5 * (index % 2)) * 4.0 ** -(w - 1) + (0.6 - 0.4 * (index % 2)) * 4.0 ** -(a - 1)
        for index, (_, (w, a)) in enumerate(policy)
    ]
    together = sum(a * b for a, b in pairwise(damages))
    kl = sum(damages) + together
    return Score(kl, float(np.exp(-kl)), 1 - float(np.exp(-kl)))


def optimum(space: Space, limit: float = LIMIT) -> float:
    """Least time within the limit, by trying everything."""
    return min(space.values(choice)[0] for choice in every_choice(space) if toy_score(space.policy(choice)).kl <= limit)


def goal(limit: float = LIMIT) -> Goal:
    """The least time under a limit on divergence."""
    return Goal(DivergenceLimit(limit), (1.0,))


def account(space: Space, budget: int) -> Account:
    return Account(space, toy_score, budget)


def every_choice(space: Space) -> list[Choice]:
    return list(product(*(range(len(options)) for options in space.options)))


def two_metrics(layers: int) -> Space:
    """Latency grows with weight bits times activation bits, energy with the square of the activation bits alone."""
    space = toy_space(layers)
    options = tuple(
        tuple(
            Option(option.precision, (*option.costs, float(option.precision.activation_bits**2 * (layers - layer))))
            for option in own
        )
        for layer, own in enumerate(space.options)
    )
    return Space(space.names, options, (Metric.LATENCY, Metric.ENERGY))
