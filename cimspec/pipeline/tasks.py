"""What workers do of a comparison: train a network, search on it, look for its optimum.

Tasks say by seeds and names what is to be done; what they share goes to each worker once. A worker keeps the network
that it searched on last, so that tasks for one network follow each other.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from cimspec.pipeline.searching import Contest
from cimspec.pipeline.workbench import Workbench
from cimspec.quant.device import full_precision
from cimspec.quant.optimize import Progress, no_progress
from cimspec.quant.threads import one_thread
from cimspec.quant.weights import Weights
from cimspec.report.comparison import Optimum, SearchRun
from cimspec.search.evaluation import Store, Trial
from cimspec.search.goal import Goal
from cimspec.spec import SearchSpec, Spec

T = TypeVar("T")

NETWORKS_APART = 1000
"""Search seeds of one network; those of the next begin behind."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all tasks of a comparison need. Equal where networks are, whether they are trained already or not."""

    spec: Spec
    search: SearchSpec
    device: str
    folder: Path | None  # where evaluations are kept, if workers can reach it
    weights: Mapping[int, Weights] = field(default_factory=dict, compare=False)  # by training seed; others are trained
    progress: Progress = no_progress


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A trained network, and what is known of it before any method searches."""

    training_seed: int
    weights: Weights
    goals: tuple[Goal, ...]
    baseline: Trial
    uniform: tuple[Trial, ...]
    space_size: int
    seconds_per_evaluation: float


@dataclass(frozen=True, slots=True)
class SearchTask:
    """One run of one method on one network."""

    training_seed: int
    method: str
    search_seed: int


@dataclass(frozen=True, slots=True)
class OptimumTask:
    """The exhaustive search for one goal on one network."""

    training_seed: int
    goal: int  # its number
    evaluations: int  # at most


def train_network(shared: Shared, training_seed: int) -> Network:
    """Train a network, and score its uniform policies."""

    def known(contest: Contest) -> Network:
        start = time.perf_counter()
        uniform = contest.uniform()
        seconds = (time.perf_counter() - start) / len(uniform)
        bench = contest.bench
        return Network(
            training_seed,
            bench.float_weights,
            contest.goals,
            contest.baseline,
            uniform,
            contest.space.size,
            max(seconds, contest.scores.seconds / len(uniform)),
        )

    return _with_contest(shared, training_seed, known)


def run_search(shared: Shared, task: SearchTask) -> SearchRun:
    """What a method tries. Methods draw other numbers on each network, so that what chance does differs, too."""
    drawn = NETWORKS_APART * task.training_seed + task.search_seed

    def tried(contest: Contest) -> SearchRun:
        return replace(contest.run(task.method, drawn), search_seed=task.search_seed)

    return _with_contest(shared, task.training_seed, tried)


def find_optimum_of(shared: Shared, task: OptimumTask) -> Optimum:
    """The proven optimum of a goal, or a bound."""
    return _with_contest(
        shared, task.training_seed, lambda contest: contest.optimum(contest.goals[task.goal], task.evaluations)
    )


def _with_contest(shared: Shared, training_seed: int, do: Callable[[Contest], T]) -> T:
    with one_thread(), full_precision():
        return do(_contest(shared, training_seed))


def forget_network() -> None:
    """Let go of the network that this process searched on last."""
    _contest.cache_clear()


@lru_cache(maxsize=1)
def _contest(shared: Shared, training_seed: int) -> Contest:
    bench = Workbench.prepare(
        shared.spec,
        training_seed,
        None,
        shared.progress,
        shared.device,
        weights=shared.weights.get(training_seed),
    )
    store = Store(shared.folder / "evaluations.sqlite", bench.digest) if shared.folder else None
    return Contest.of(bench, shared.search, store, shared.progress)
