"""The methods behind one interface: spend an account's budget on policies that take little and lose little."""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol, cast

from cimspec.diag import did_you_mean, fail
from cimspec.search.evaluation import Account
from cimspec.search.goal import Goal
from cimspec.spec.search import PLUGINS, Method, method_names


class SearchMethod(Protocol):
    """Evaluates policies until the budget is spent or nothing new is found; the account keeps the trials."""

    def __call__(self, account: Account, goals: tuple[Goal, ...], seed: int) -> None:
        """Search for the best policy for each goal."""


BUILTIN = {
    Method.RL: "rl:search_by_rl",
    Method.DDPG: "ddpg:search_by_ddpg",
    Method.MASKABLE_PPO: "stable_baselines:search_by_maskable_ppo",
    Method.EVOLUTION: "evolution:search_by_evolution",
    Method.NSGA2: "nsga2:search_by_nsga2",
    Method.RANDOM: "random_search:search_randomly",
    Method.GREEDY: "greedy:search_greedily",
    Method.EXACT: "exact:search_exhaustively",
}


def search_method(name: str) -> SearchMethod:
    """The implementation of a method, loaded on demand: some need torch, some an extra, some are plug-ins.

    Raises `CimError` (CIM611) if there is none of this name, or if a plug-in cannot be loaded (CIM612).
    """
    if name in BUILTIN:
        module, _, function = BUILTIN[Method(name)].partition(":")
        return cast(SearchMethod, getattr(import_module(f"cimspec.search.{module}"), function))
    plugins = tuple(entry_points(group=PLUGINS, name=name))
    if not plugins:
        near = did_you_mean(name, method_names())
        fail(
            "CIM611",
            f"there is no search method `{name}`",
            help=f"did you mean `{near}`?" if near else None,
            notes=(f"methods: {', '.join(method_names())}",),
        )
    try:
        return cast(SearchMethod, plugins[0].load())
    except Exception as error:
        note = f"it is {plugins[0].value}"
        fail("CIM612", f"the search method `{name}` cannot be loaded: {error}", notes=(note,))
