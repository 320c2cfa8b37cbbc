"""Policies with the same bits in every layer: the line that every per-layer result has to stand beside."""

from collections.abc import Callable

from cimspec.compiler import compile_program
from cimspec.cost import program_cost
from cimspec.graph import Graph, Policy, Precision
from cimspec.search.evaluation import Score, Trial
from cimspec.search.goal import DivergenceLimit, Goal
from cimspec.search.objective import metric_values
from cimspec.search.space import is_lossless, kept_precisions
from cimspec.spec.chip import Chip
from cimspec.spec.search import SearchSpec

Priced = tuple[Precision, Policy, tuple[float, ...]]

HOPELESS = 3.0
"""Uniform policies that diverge more than this many times the loosest limit are not worth fine-tuning."""


def uniform_trials(graph: Graph, chip: Chip, search: SearchSpec, score: Callable[[Policy], Score]) -> tuple[Trial, ...]:
    """Uniform policies (layers under `keep` excepted), scored.

    On a lossless chip those are left out that another one beats in bits and that take no less.
    """
    names = tuple(layer.name for layer in graph.crossbar_layers)
    kept = kept_precisions(names, search)
    found: list[Priced] = []
    for precision in (Precision(w, a) for w in search.weight_bits for a in search.activation_bits):
        policy = Policy(names, tuple(kept.get(name, precision) for name in names))
        cost = program_cost(compile_program(graph, policy, chip))
        found.append((precision, policy, metric_values(cost, search.metrics)))
    if is_lossless(chip, max(search.activation_bits)):
        found = [mine for mine in found if not any(_beats(other, mine) for other in found)]
    found.sort(key=lambda each: each[2])
    return tuple(Trial((), policy, values, score(policy)) for _, policy, values in found)


def uniform_finalists(trials: tuple[Trial, ...], goals: tuple[Goal, ...]) -> tuple[Trial, ...]:
    """The trials worth fine-tuning, fastest first by the first goal: each diverges less than every faster one."""
    objective = goals[0].objective
    limits = [goal.limit.nats for goal in goals if isinstance(goal.limit, DivergenceLimit)]
    found: list[Trial] = []
    for trial in sorted(trials, key=lambda trial: (objective(trial.values), trial.score.kl)):
        least = found[-1].score.kl if found else HOPELESS * max(limits, default=float("inf"))
        if trial.score.kl < least:
            found.append(trial)
    return tuple(found)


def _beats(other: Priced, mine: Priced) -> bool:
    takes_no_more = all(theirs <= own for theirs, own in zip(other[2], mine[2], strict=True))
    return other[0] != mine[0] and other[0].covers(mine[0]) and takes_no_more
