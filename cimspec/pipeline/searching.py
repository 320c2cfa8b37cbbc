"""A trained network to search on: what may be chosen, what is wanted, and what each method tries.

Workbench + spec -> Contest; method + seed -> SearchRun. Scores go through the store on disk, where there is one: what
is there is not measured again. Scores depend on the network and the policy alone, so that runs give the same trials
whatever the store holds, and in whichever process they are made.
"""

import time
from dataclasses import dataclass, field
from typing import Self

from cimspec.graph import Policy
from cimspec.pipeline.costing import baseline_policy, compiled_graph
from cimspec.pipeline.workbench import Workbench
from cimspec.quant.optimize import Progress, no_progress
from cimspec.report.comparison import Optimum, SearchRun
from cimspec.search.evaluation import Account, Score, Store, Trial
from cimspec.search.exact import check_size, find_optimum
from cimspec.search.goal import Goal, goals_of
from cimspec.search.methods import search_method
from cimspec.search.probes import start_from_probes
from cimspec.search.space import Space, build_space
from cimspec.search.uniform import uniform_trials
from cimspec.spec import SearchSpec, Spec
from cimspec.spec.search import Method


def check_search(spec: Spec, search: SearchSpec) -> None:
    """Raises `CimError` for what is wrong with a search whatever the network learns: told before it is trained."""
    space = build_space(compiled_graph(spec), spec.chip, search)
    for method in search.methods:
        search_method(method)
    if Method.EXACT in search.methods:
        check_size(space)


@dataclass(slots=True)
class Scores:
    """Scores of one network, measured or from the store; counts the time that measuring takes."""

    bench: Workbench
    store: Store | None
    seconds: float = 0.0

    def __call__(self, policy: Policy) -> Score:
        """The score of a policy."""
        return self._measured(policy) if self.store is None else self.store.score(policy, self._measured)

    def _measured(self, policy: Policy) -> Score:
        start = time.perf_counter()
        score = self.bench.score(policy)
        self.seconds += time.perf_counter() - start
        return score


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """What every method gets: the same network, space, goals and budget."""

    bench: Workbench
    search: SearchSpec
    space: Space
    goals: tuple[Goal, ...]
    baseline: Trial  # the 8/8 network
    scores: Scores
    progress: Progress = field(default=no_progress)

    @classmethod
    def of(cls, bench: Workbench, search: SearchSpec, store: Store | None, progress: Progress = no_progress) -> Self:
        """The contest of a spec's search. Scores the 8/8 network, which limits and gains are measured from."""
        scores = Scores(bench, store)
        space = build_space(bench.graph, bench.chip, search)
        policy = baseline_policy(bench.graph)
        values = bench.values(policy, search.metrics)
        baseline = Trial((), policy, values, scores(policy))
        return cls(bench, search, space, goals_of(search, baseline.score), baseline, scores, progress)

    def uniform(self) -> tuple[Trial, ...]:
        """Policies with the same bits everywhere, scored."""
        return uniform_trials(self.bench.graph, self.bench.chip, self.search, self.scores)

    def run(self, method: str, seed: int) -> SearchRun:
        """What one method tries within its budget, in order."""
        budget, progress = self.search.budget, self.progress
        account = Account(self.space, self.scores, budget, lambda: progress(account.spent, budget, method))
        scoring, start = self.scores.seconds, time.perf_counter()
        if self.search.shared_probes:
            start_from_probes(account, self.goals)
        search_method(method)(account, self.goals, seed)
        seconds = time.perf_counter() - start
        progress(budget, budget, method)
        return SearchRun(
            method, self.bench.seed, seed, account.trials, seconds, min(seconds, self.scores.seconds - scoring)
        )

    def optimum(self, goal: Goal, evaluations: int) -> Optimum:
        """The proven optimum of a goal, or a bound on it after so many evaluations."""
        found = find_optimum(Account(self.space, self.scores, evaluations), goal)
        value = goal.objective(found.trial.values) if found.trial else None
        return Optimum(value, found.evaluations, found.lower_bound)
