"""Where a search method stands under one goal: its gains as evaluations are spent, what it misses, how it differs.

Curves of paired runs -> Standing. A gain is the objective at 8/8 bits divided by that of the best feasible policy so
far. Runs of two methods are paired where they share the trained network and the search seed.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean
from typing import Any

from cimspec.report.statistics import Interval, geometric_mean, least_p, sign_flip_p

SAME = 1e-9
"""Gains that agree to this share are the same."""

NEAR = 0.01
"""Objectives within 1 % of the best one are near it."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Best gain so far, where it changes: (evaluations, gain), the first at (0, 1), since 8/8 is always there."""

    points: tuple[tuple[int, float], ...]

    @classmethod
    def of(cls, gains: Iterable[float | None]) -> "Curve":
        """From the gain of each evaluation in turn; None is a policy beyond the limit."""
        points = [(0, 1.0)]
        for evaluations, gain in enumerate(gains, start=1):
            if gain is not None and gain > points[-1][1]:
                points.append((evaluations, gain))
        return cls(tuple(points))

    def at(self, evaluations: int) -> float:
        """The best gain after so many evaluations; what a run ended with stays."""
        return self.points[bisect_right(self.points, evaluations, key=lambda point: point[0]) - 1][1]

    @property
    def last(self) -> float:
        """The best gain of the whole run."""
        return self.points[-1][1]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a method under one goal."""

    training_seed: int
    search_seed: int
    curve: Curve
    best: float  # gain of the optimum of its network, or of the best known policy

    @property
    def regret(self) -> float:
        """By how much its objective is above the best one, relative to that."""
        return self.best / self.curve.last - 1

    @property
    def is_best(self) -> bool:
        """Whether it reached the best objective exactly."""
        return self.regret <= SAME

    @property
    def is_near(self) -> bool:
        """Whether its objective is within 1 % of the best one."""
        return self.regret <= NEAR + SAME


@dataclass(frozen=True, slots=True)
class Paired:
    """A method against another one, run by run."""

    pairs: int
    ratio: float  # geometric mean of gain over gain: above 1 where the method is better
    p: float  # two-sided, of the sign-flip test on logarithms of these ratios

    @classmethod
    def of(cls, runs: tuple[Run, ...], reference: tuple[Run, ...]) -> "Paired | None":
        """Pairs share training seed and search seed; None where there are none."""
        gains = {(run.training_seed, run.search_seed): run.curve.last for run in reference}
        pairs = [(run, (run.training_seed, run.search_seed)) for run in runs]
        ratios = [run.curve.last / gains[seeds] for run, seeds in pairs if seeds in gains]
        if not ratios:
            return None
        changes = [math.log(ratio) if abs(ratio - 1) > SAME else 0.0 for ratio in ratios]
        return cls(len(ratios), geometric_mean(ratios), sign_flip_p(changes))

    def as_json(self) -> dict[str, Any]:
        """Its fields, with the smallest p that so many pairs can show."""
        return {"pairs": self.pairs, "ratio": self.ratio, "p": self.p, "least_p": least_p(self.pairs)}


@dataclass(frozen=True, slots=True)
class Standing:
    """All runs of one method under one goal."""

    method: str
    runs: tuple[Run, ...]
    paired: Paired | None  # against the reference method; None for that itself

    def gains(self, evaluations: int) -> tuple[float, ...]:
        """The best gain of each run after so many evaluations."""
        return tuple(run.curve.at(evaluations) for run in self.runs)

    def over_runs(self, evaluations: int) -> Interval:
        """Mean gain over all runs."""
        return Interval.of(self.gains(evaluations))

    def over_networks(self, evaluations: int) -> Interval:
        """Mean over training seeds of the mean over search seeds: these are independent of each other."""
        by_network: dict[int, list[float]] = {}
        for run in self.runs:
            by_network.setdefault(run.training_seed, []).append(run.curve.at(evaluations))
        return Interval.of([mean(gains) for gains in by_network.values()])

    @property
    def regrets(self) -> tuple[float, ...]:
        """The regret of each run, relative to the best objective."""
        return tuple(run.regret for run in self.runs)

    def as_json(self, readings: tuple[int, ...]) -> dict[str, Any]:
        """Its fields, gains after each of `readings` evaluations."""
        return {
            "method": self.method,
            "runs": len(self.runs),
            "gains": [{"evaluations": count, **self.over_runs(count).as_json()} for count in readings],
            "gains_over_networks": [
                {"evaluations": count, **self.over_networks(count).as_json()} for count in readings
            ],
            "regret_percent": {"mean": 100 * mean(self.regrets), "worst": 100 * max(self.regrets)},
            "runs_at_best": sum(run.is_best for run in self.runs),
            "runs_within_1_percent": sum(run.is_near for run in self.runs),
            "against_reference": self.paired.as_json() if self.paired else None,
        }
