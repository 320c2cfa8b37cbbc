"""What a search looks for: the policy that takes least, among those that lose little enough.

A limit says what may be lost before fine-tuning, an objective what is made small: the product of a policy's values to
some powers. Several goals are several limits, or several trade-offs between metrics.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from cimspec.search.evaluation import Score, Trial
from cimspec.spec.search import LimitOn, Metric, SearchSpec

TRADE_OFFS = 5
"""Mixtures of two metrics that trade-offs are looked for with; of three metrics, the same along each pair."""


@dataclass(frozen=True, slots=True)
class DivergenceLimit:
    """At most so far from the float network."""

    nats: float

    def excess(self, score: Score) -> float:
        """By how much the limit is exceeded, nats; 0 where it is met."""
        return max(0.0, score.kl - self.nats)

    def lost(self, score: Score) -> float:
        """What is limited, nats."""
        return score.kl

    def __str__(self) -> str:
        return f"divergence <= {self.nats:g} nats"


ROUNDING = 1e-9
"""Accuracies are multiples of one image; what is less than this comes from the rounding of their differences."""


@dataclass(frozen=True, slots=True)
class AccuracyLimit:
    """So accurate at least on the images that score."""

    least: float  # accuracy, 0 .. 1
    allowed_pp: float | None = None  # what that is below the 8/8 network's, if it comes from there

    def excess(self, score: Score) -> float:
        """By how much accuracy falls short, 0 .. 1; 0 where the limit is met."""
        short = self.least - score.accuracy
        return short if short > ROUNDING else 0.0

    def lost(self, score: Score) -> float:
        """What is limited: the error, 0 .. 1."""
        return 1 - score.accuracy

    def __str__(self) -> str:
        if self.allowed_pp is None:
            return f"accuracy >= {100 * self.least:g} %"
        return f"accuracy loss <= {self.allowed_pp:g} pp"


Limit = DivergenceLimit | AccuracyLimit


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit, and what is to be made small under it."""

    limit: Limit
    weights: tuple[float, ...]  # the power of each of the space's metrics

    def objective(self, values: Sequence[float]) -> float:
        """What is made small: the product of powers."""
        return float(prod(value**weight for value, weight in zip(values, self.weights, strict=True) if weight))

    def metrics_of(self, metrics: Sequence[Metric]) -> tuple[Metric, ...]:
        """Of the space's `metrics`, those that the objective depends on."""
        return tuple(metric for metric, weight in zip(metrics, self.weights, strict=True) if weight)

    def rank(self, trial: Trial) -> tuple[float, float]:
        """Smaller is better: of two feasible trials what takes less, else what exceeds the limit less.

        Deb, "An efficient constraint handling method for genetic algorithms", 2000.
        """
        excess = self.limit.excess(trial.score)
        return excess, 0.0 if excess else self.objective(trial.values)

    def feasible(self, trials: Iterable[Trial]) -> list[Trial]:
        """Those that meet the limit."""
        return [trial for trial in trials if not self.limit.excess(trial.score)]

    def best(self, trials: Iterable[Trial]) -> Trial | None:
        """What takes least under the limit; of equals the closest to the float network."""
        return min(
            self.feasible(trials), key=lambda trial: (self.objective(trial.values), trial.score.kl), default=None
        )


def limits_of(search: SearchSpec, baseline: Score) -> tuple[Limit, ...]:
    """The limits that a search goes by; `baseline` is the 8/8 network's score."""
    if search.limit_on is LimitOn.DIVERGENCE:
        return tuple(DivergenceLimit(limit) for limit in search.kl_limits)
    bounds = []
    if (allowed := search.require.accuracy_loss_pp) is not None:
        bounds.append(AccuracyLimit(baseline.accuracy - allowed / 100, allowed))
    if search.require.accuracy is not None:
        bounds.append(AccuracyLimit(search.require.accuracy))
    return (max(bounds, key=lambda bound: bound.least),)


def goals_of(search: SearchSpec, baseline: Score) -> tuple[Goal, ...]:
    """Every limit with the objective of `minimize`, then with the trade-offs of `pareto`."""
    metrics, powers = search.metrics, dict(search.minimize.factors)
    mixtures = [tuple(powers.get(metric, 0.0) for metric in metrics), *_trade_offs(metrics, search.pareto)]
    limits = limits_of(search, baseline)
    return tuple(Goal(limit, weights) for weights in dict.fromkeys(mixtures) for limit in limits)


def _trade_offs(metrics: tuple[Metric, ...], pareto: tuple[Metric, ...]) -> list[tuple[float, ...]]:
    """Powers along the line between each two metrics: where logarithms are traded off, weighted sums of them."""
    found = []
    for index, one in enumerate(pareto):
        for other in pareto[index + 1 :]:
            for step in range(TRADE_OFFS):
                share = step / (TRADE_OFFS - 1)
                found.append(tuple({one: 1 - share, other: share}.get(metric, 0.0) for metric in metrics))
    return found


def front(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """The trials that no other one beats in all values, by their first value."""
    ordered = sorted(trials, key=lambda trial: (trial.values, trial.score.kl))
    kept: list[Trial] = []
    for trial in ordered:
        if not any(all(a <= b for a, b in zip(other.values, trial.values, strict=True)) for other in kept):
            kept.append(trial)
    return tuple(kept)
