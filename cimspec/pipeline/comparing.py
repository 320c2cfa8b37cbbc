"""What `cimspec compare` does: every method of the spec on the same trained networks, over several search seeds.

spec -> networks, one for each training seed -> runs of all methods -> ComparisonReport. Networks, runs and optima are
tasks for an executor; they give the same numbers whichever it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cimspec.diag import fail
from cimspec.pipeline.executors import Executor, in_this_process
from cimspec.pipeline.executors.counting import counter
from cimspec.pipeline.searching import check_search
from cimspec.pipeline.tasks import (
    Network,
    OptimumTask,
    SearchTask,
    Shared,
    find_optimum_of,
    forget_network,
    run_search,
    train_network,
)
from cimspec.pipeline.versions import versions
from cimspec.pipeline.writing import folder_or_scratch
from cimspec.quant.optimize import Progress, no_progress
from cimspec.report.comparison import Arena, ComparisonReport, Optimum
from cimspec.spec import SearchSpec, Spec

OWN_MS = {"rl": 5.0, "ddpg": 60.0, "maskable_ppo": 20.0}
"""Roughly what a method takes itself for each evaluation; the others next to nothing."""


def own_ms(method: str) -> float:
    """Roughly what a method takes itself for each evaluation, for the estimate and the order of tasks."""
    return OWN_MS.get(method, 1.0)


def compare(
    spec: Spec,
    seed: int = 0,
    out: Path | None = None,
    progress: Progress = no_progress,
    device: str = "cpu",
    *,
    executor: Executor | None = None,
    workers: int = 1,
    reaches_folder: bool = True,
    optimum: int = 0,
    announce: Callable[[str], None] | None = None,
    command: str = "",
) -> ComparisonReport:
    """Runs of every method for the search seeds 0 .. seeds-1, on networks trained with `seed`, `seed` + 1, ...

    All methods have the same budget of distinct evaluations; what one of them measured is not measured again for
    another by the same worker, but counts for both. `executor` runs the tasks, `workers` at once (here, one after the
    other, if left out); `reaches_folder` says whether its workers see the same files. With `optimum`, each goal's
    optimum is looked for in up to so many evaluations. `announce` is told how long the searches may take before they
    start. Raises `CimError` where the spec has no search or no data.
    """
    search = spec.search
    if search is None:
        fail("CIM606", "the spec has no `search`, and there is nothing to compare")
    if spec.training.seed is not None and search.training_seeds > 1:
        fail(
            "CIM613",
            f"`training.seed = {spec.training.seed}` makes all {search.training_seeds} networks the same",
            help="remove `seed` from `training`, or set `training_seeds = 1`",
        )
    check_search(spec, search)
    with folder_or_scratch(out) as folder:
        shared = Shared(spec, search, device, folder if reaches_folder else None)
        if executor is None:
            executor, shared = in_this_process(), replace(shared, progress=progress)
        seeds = range(seed, seed + search.training_seeds)
        networks = executor.run(
            train_network, seeds, counter(progress, len(seeds), "networks"), shared=shared, together=int
        )
        shared = replace(shared, weights={network.training_seed: network.weights for network in networks})
        if announce:
            announce(estimate(search, networks, workers))
        tasks = [
            SearchTask(each, method, search_seed)
            for each in seeds
            for method in sorted(search.methods, key=own_ms, reverse=True)  # so that none is long left alone at the end
            for search_seed in range(search.seeds)
        ]
        runs = executor.run(
            run_search, tasks, counter(progress, len(tasks), "searches"), shared=shared, together=_network_of
        )
        optima = _optima(executor, shared, networks, optimum, progress)
        forget_network()
    return ComparisonReport(
        spec_name=spec.name,
        spec_digest=spec.digest,
        versions=versions(),
        minimize=str(search.minimize),
        metrics=search.metrics,
        baseline_values=networks[0].baseline.values,
        space_size=networks[0].space_size,
        budget=search.budget,
        goal_names=_goal_names(search, networks[0]),
        arenas=tuple(
            Arena(network.training_seed, network.goals, network.uniform, own)
            for network, own in zip(networks, optima, strict=True)
        ),
        runs=tuple(sorted(runs, key=lambda run: search.methods.index(run.method))),
        command=command,
    )


def estimate(search: SearchSpec, networks: Sequence[Network], workers: int) -> str:
    """How long the searches may take, in words."""
    evaluation_s = sum(network.seconds_per_evaluation for network in networks) / len(networks)
    each_s = [search.budget * (evaluation_s + own_ms(method) / 1e3) for method in search.methods]
    count = len(each_s) * len(networks) * search.seeds
    seconds = sum(each_s) * len(networks) * search.seeds / workers
    amount = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return (
        f"{count} searches of {search.budget} evaluations, {1e3 * evaluation_s:.0f} ms each, {workers} at a time: "
        f"about {amount} at most"
    )


def _optima(
    executor: Executor, shared: Shared, networks: Sequence[Network], evaluations: int, progress: Progress
) -> list[tuple[Optimum | None, ...]]:
    """For each network the optima of its goals; None for each where none is looked for."""
    if not evaluations:
        return [(None,) * len(network.goals) for network in networks]
    tasks = [
        OptimumTask(network.training_seed, number, evaluations)
        for network in networks
        for number in range(len(network.goals))
    ]
    count = counter(progress, len(tasks), "optima")
    found = iter(executor.run(find_optimum_of, tasks, count, shared=shared, together=_network_of))
    return [tuple(next(found) for _ in network.goals) for network in networks]


def _network_of(task: SearchTask | OptimumTask) -> int:
    """What tasks have at hand that follow each other in one process."""
    return task.training_seed


def _goal_names(search: SearchSpec, network: Network) -> tuple[str, ...]:
    """Limits in words; with trade-offs also what is made small."""
    if not search.pareto:
        return tuple(str(goal.limit) for goal in network.goals)

    def product(weights: tuple[float, ...]) -> str:
        powers = zip(search.metrics, weights, strict=True)
        return " * ".join(metric if weight == 1 else f"{metric}^{weight:g}" for metric, weight in powers if weight)

    return tuple(f"{product(goal.weights)}, {goal.limit}" for goal in network.goals)
