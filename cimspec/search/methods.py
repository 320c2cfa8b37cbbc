"""The methods behind one interface: spend an account's budget on fast policies close to the float network."""

from typing import Protocol

from cimspec.search.evaluation import Account
from cimspec.spec.search import Method


class SearchMethod(Protocol):
    """Evaluates policies until the budget is spent or nothing new is found; the account keeps the trials."""

    def __call__(self, account: Account, kl_limits: tuple[float, ...], seed: int) -> None:
        """Search for the fastest policy under each limit on divergence (nats)."""


def search_method(method: Method) -> SearchMethod:
    """The implementation of `method`, loaded on demand: `rl` needs torch."""
    match method:
        case Method.RL:
            from cimspec.search.rl import search_by_rl

            return search_by_rl
        case Method.EVOLUTION:
            from cimspec.search.evolution import search_by_evolution

            return search_by_evolution
        case Method.RANDOM:
            from cimspec.search.random_search import search_randomly

            return search_randomly
