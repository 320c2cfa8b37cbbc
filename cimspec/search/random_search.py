"""Random search: policies drawn evenly from the space, without repetition. The yardstick for the others."""

import numpy as np

from cimspec.search.evaluation import Account
from cimspec.search.goal import Goal

PATIENCE = 1000
"""Draws in a row that may be known already before the search gives up."""


def search_randomly(account: Account, goals: tuple[Goal, ...], seed: int) -> None:
    """Spend the account's budget on distinct random policies; they serve all goals alike."""
    del goals
    rng = np.random.default_rng(seed)
    sizes = [len(options) for options in account.space.options]
    repeats = 0
    while not account.is_exhausted and repeats < PATIENCE:
        choice = tuple(int(rng.integers(size)) for size in sizes)
        repeats = repeats + 1 if account.knows(choice) else 0
        account.evaluate(choice)
