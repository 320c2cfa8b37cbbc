"""Sensitivity probes: what narrowing one layer alone costs in divergence, and what is planned from that.

Every weight width and a few activation widths of each layer, all others at their widest. They are evaluations like any
other, and count as such.
"""

from collections.abc import Iterator

from cimspec.search.damage import DIVERGENCE, DamageModel, Measure, Prior, interpolate
from cimspec.search.evaluation import Account, BudgetSpentError, Trial
from cimspec.search.goal import DivergenceLimit, Goal
from cimspec.search.planner import Task, plan
from cimspec.search.space import Choice, Space

PROBED_ACTIVATION_BITS = (2, 4)
PLANS = 12
"""Policies planned from the probes for those who start from them: half of what an evolution starts with."""


def probe_choices(space: Space) -> Iterator[tuple[int, Choice]]:
    """The layer and the policy of each probe; the widest policy first, with layer -1."""
    widest = space.widest()
    yield -1, widest
    for layer, options in enumerate(space.options):
        top = options[widest[layer]].precision
        for index, option in enumerate(options):
            weight_bits, activation_bits = option.precision
            is_weight_probe = activation_bits == top.activation_bits and option.precision != top
            is_activation_probe = weight_bits == top.weight_bits and activation_bits in PROBED_ACTIVATION_BITS
            if is_weight_probe or (is_activation_probe and option.precision != top):
                yield layer, (*widest[:layer], index, *widest[layer + 1 :])


def probe(account: Account, measure: Measure = DIVERGENCE) -> tuple[Trial, Prior]:
    """The widest policy's trial, and the prior damages of all layers' options. Raises `BudgetSpentError`."""
    space = account.space
    choices = list(probe_choices(space))
    trials = account.evaluate_all(choice for _, choice in choices)
    if len(trials) < len(choices):
        raise BudgetSpentError
    widest = trials[0]
    by_weights: list[dict[int, float]] = [{} for _ in space.options]
    by_activations: list[dict[int, float]] = [{} for _ in space.options]
    for (layer, choice), trial in zip(choices[1:], trials[1:], strict=True):
        precision = space.options[layer][choice[layer]].precision
        top = space.options[layer][widest.choice[layer]].precision
        damage = measure.of(trial.score) - measure.of(widest.score)
        if precision.activation_bits == top.activation_bits:
            by_weights[layer][precision.weight_bits] = damage
        else:
            by_activations[layer][precision.activation_bits] = damage
    return widest, _prior(space, widest.choice, by_weights, by_activations, measure.floor)


def _prior(
    space: Space,
    widest: Choice,
    by_weights: list[dict[int, float]],
    by_activations: list[dict[int, float]],
    floor: float,
) -> Prior:
    weights, activations = [], []
    for layer, options in enumerate(space.options):
        top = options[widest[layer]].precision
        weight_bits, activation_bits = (
            tuple(sorted(set(bits))) for bits in zip(*(option.precision for option in options), strict=True)
        )
        weights.append(interpolate(by_weights[layer], weight_bits, top.weight_bits, floor))
        activations.append(interpolate(by_activations[layer], activation_bits, top.activation_bits, floor))
    return Prior(tuple(weights), tuple(activations))


def start_from_probes(account: Account, goals: tuple[Goal, ...]) -> None:
    """Spend the account on probes and on what the prior alone plans for each goal: the same start for all methods."""
    try:
        widest, prior = probe(account)
    except BudgetSpentError:
        return
    model = DamageModel(account.space, prior, widest.score)
    table = model.mean()
    largest = max(trial.score.kl - widest.score.kl for trial in account.trials)
    for step in range(PLANS):
        goal = goals[step % len(goals)]
        limit = goal.limit.nats if isinstance(goal.limit, DivergenceLimit) else largest
        aim = limit * (1 - step // len(goals) / PLANS)
        choice = plan(Task(account.space, goal, widest.values), table, aim) if aim > 0 else None
        account.evaluate_all([choice] if choice is not None else [])
