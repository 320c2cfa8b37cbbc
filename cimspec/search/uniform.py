"""Policies with the same bits in every layer: the line that every per-layer result has to stand beside."""

from collections.abc import Callable

from cimspec.compiler import compile_program
from cimspec.cost import program_cost
from cimspec.graph import Graph, Policy, Precision
from cimspec.search.evaluation import Score, Trial
from cimspec.search.objective import objective_ns
from cimspec.search.space import is_lossless, kept_precisions
from cimspec.spec.chip import Chip
from cimspec.spec.search import SearchSpec

HOPELESS = 3.0
"""Uniform policies that diverge more than this many times the loosest limit are not worth fine-tuning."""


def uniform_trials(graph: Graph, chip: Chip, search: SearchSpec, score: Callable[[Policy], Score]) -> tuple[Trial, ...]:
    """Uniform policies (layers under `keep` excepted), scored, fastest first.

    On a lossless chip those are left out that another one beats in bits in no more time.
    """
    names = tuple(layer.name for layer in graph.crossbar_layers)
    kept = kept_precisions(names, search)
    found: list[tuple[Precision, Policy, float]] = []
    for precision in (Precision(w, a) for w in search.weight_bits for a in search.activation_bits):
        policy = Policy(names, tuple(kept.get(name, precision) for name in names))
        cost = program_cost(compile_program(graph, policy, chip))
        found.append((precision, policy, objective_ns(cost, search.minimize)))
    if is_lossless(chip, max(search.activation_bits)):
        found = [mine for mine in found if not any(_beats(other, mine) for other in found)]
    found.sort(key=lambda each: each[2])
    return tuple(Trial((), policy, time_ns, score(policy)) for _, policy, time_ns in found)


def uniform_finalists(trials: tuple[Trial, ...], kl_limits: tuple[float, ...]) -> tuple[Trial, ...]:
    """The trials worth fine-tuning, fastest first: each diverges less than every faster one."""
    found: list[Trial] = []
    for trial in sorted(trials, key=lambda trial: (trial.time_ns, trial.score.kl)):
        least = found[-1].score.kl if found else HOPELESS * max(kl_limits)
        if trial.score.kl < least:
            found.append(trial)
    return tuple(found)


def _beats(other: tuple[Precision, Policy, float], mine: tuple[Precision, Policy, float]) -> bool:
    return other[0] != mine[0] and other[0].covers(mine[0]) and other[2] <= mine[2]
