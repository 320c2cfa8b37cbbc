"""A small problem with a known optimum: three to four layers whose damages nearly add."""

from itertools import pairwise, product

import numpy as np

from cimspec.graph import Policy, Precision
from cimspec.search.evaluation import Account, Score
from cimspec.search.space import Choice, Option, Space

LIMIT = 0.05


def toy_space(layers: int = 4) -> Space:
    """Each layer's latency grows with weight bits times activation bits."""
    precisions = [Precision(w, a) for w in (2, 3, 4, 6, 8) for a in (2, 3, 4, 6, 8)]
    options = tuple(
        tuple(sorted(
            (Option(each, float(each.weight_bits * each.activation_bits * (layer + 1))) for each in precisions),
            key=lambda option: (option.latency_ns, option.precision),
        ))
        for layer in range(layers)
    )  # fmt: skip
    return Space(tuple(f"l{layer}" for layer in range(layers)), options)


def toy_score(policy: Policy) -> Score:
    """Damage falls by 4 with every bit; layers differ, and neighbours make each other's damage a little worse."""
    damages = [
        (0.3 + 0.5 * (index % 2)) * 4.0 ** -(w - 1) + (0.6 - 0.4 * (index % 2)) * 4.0 ** -(a - 1)
        for index, (_, (w, a)) in enumerate(policy)
    ]
    together = sum(a * b for a, b in pairwise(damages))
    kl = sum(damages) + together
    return Score(kl, float(np.exp(-kl)))


def optimum(space: Space, limit: float = LIMIT) -> float:
    """Least latency within the limit, by trying everything."""
    choices = product(*(range(len(options)) for options in space.options))
    return min(space.latency_ns(choice) for choice in choices if toy_score(space.policy(choice)).kl <= limit)


def account(space: Space, budget: int) -> Account:
    return Account(space, toy_score, budget)


def every_choice(space: Space) -> list[Choice]:
    return list(product(*(range(len(options)) for options in space.options)))
