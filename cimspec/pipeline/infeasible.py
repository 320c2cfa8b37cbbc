"""Says why no policy of a space can meet a search's limits: which layers are too narrow, and what would do."""

from collections.abc import Iterable
from math import ceil, floor, log10
from typing import NoReturn

from cimspec.diag import fail
from cimspec.graph import Policy, Precision
from cimspec.pipeline.searching import Contest
from cimspec.search.evaluation import Score, Trial
from cimspec.search.goal import DivergenceLimit, Goal, Limit

WIDEST = 8


def check_feasible(contest: Contest, uniform: Iterable[Trial]) -> None:
    """Raises `CimError` (CIM605) where even the most bits that are allowed exceed every limit.

    So must the policies with the same bits everywhere: on a chip that loses something, fewer bits may do better.
    """
    policy = contest.space.policy(contest.space.widest())
    scores = (contest.scores(policy), *(trial.score for trial in uniform))
    if all(goal.limit.excess(score) for goal in contest.goals for score in scores):
        report_infeasible(contest, policy)


def report_infeasible(contest: Contest, policy: Policy) -> NoReturn:
    """The diagnostic, with the layer that costs most, and bits with which the loosest limit would be met."""
    goal = min(contest.goals, key=lambda goal: goal.limit.excess(contest.scores(policy)))
    allowed = ", ".join(f"`{name}` {_bits(precision)}" for name, precision in policy)
    notes = [f"the most bits allowed for weights/activations: {allowed}"]
    helps = []
    widened = _widened(contest, policy, goal)
    if widened:
        relieved = contest.scores(_wider(policy, widened[:1]))
        notes.append(
            f"`{widened[0]}` costs most: with 8/8 bits there, the network {_comes_to(contest, relieved, goal.limit)}"
        )
        if bits := _enough(contest, policy, goal, widened):
            helps.append(f"allow up to {bits}/{bits} bits in {_listed(widened)}")
    if isinstance(goal.limit, DivergenceLimit):
        loosened = f"`kl_limits = [{_rounded_up(contest.scores(policy).kl):g}]`"
        helps.append(f"write {loosened} if fine-tuning is to repair that")
    found, wanted = _comes_to(contest, contest.scores(policy), goal.limit), _wanted(goal.limit)
    fail("CIM605", f"no policy is good enough: with the most bits allowed, the network {found}, and {wanted}",
         help=", or ".join(helps) or None, notes=tuple(notes))  # fmt: skip


def _widened(contest: Contest, policy: Policy, goal: Goal) -> list[str]:
    """Layers that more bits help, the one that they help most first, until the limit is met or no layer is left."""
    names: list[str] = []
    left = [name for name, precision in policy if precision != Precision(WIDEST, WIDEST)]
    while left and (goal.limit.excess(contest.scores(_wider(policy, names))) or not names):
        best = min(left, key=lambda name: contest.scores(_wider(policy, [*names, name])).kl)
        names.append(best)
        left.remove(best)
    return names


def _enough(contest: Contest, policy: Policy, goal: Goal, names: list[str]) -> int | None:
    """The fewest bits of some layers with which the limit is met; None if 8/8 bits do not do."""
    for bits in range(2, WIDEST + 1):
        if not goal.limit.excess(contest.scores(_wider(policy, names, bits))):
            return bits
    return None


def _wider(policy: Policy, names: list[str], bits: int = WIDEST) -> Policy:
    """The policy with at least so many bits in some layers."""
    precisions = (
        Precision(max(own.weight_bits, bits), max(own.activation_bits, bits)) if name in names else own
        for name, own in policy
    )
    return Policy(policy.names, tuple(precisions))


def _bits(precision: Precision) -> str:
    return f"{precision.weight_bits}/{precision.activation_bits}"


def _listed(names: list[str]) -> str:
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} and {last}" if others else last


def _comes_to(contest: Contest, score: Score, limit: Limit) -> str:
    """What the network does, in the terms of a limit."""
    if isinstance(limit, DivergenceLimit):
        return f"diverges by {score.kl:.3g} nats before fine-tuning"
    if limit.allowed_pp is None:
        return f"gets {100 * score.accuracy:.2f} % right before fine-tuning"
    return f"loses {100 * (contest.baseline.score.accuracy - score.accuracy):.2f} pp before fine-tuning"


def _wanted(limit: Limit) -> str:
    """What a limit asks for."""
    if isinstance(limit, DivergenceLimit):
        return f"`kl_limits` allow {limit.nats:g}"
    if limit.allowed_pp is None:
        return f"{100 * limit.least:g} % are required"
    return f"{limit.allowed_pp:g} pp are allowed"


def _rounded_up(nats: float) -> float:
    """To two digits, and never to less."""
    unit = 10.0 ** (floor(log10(nats)) - 1)
    return ceil(nats / unit) * unit
