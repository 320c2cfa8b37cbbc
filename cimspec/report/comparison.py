"""Methods side by side at equal budgets: how fast a policy each finds, over search seeds, with intervals.

Trials of every method and seed -> best-so-far speedup at several budgets, under each limit on divergence.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from cimspec.cost import Cost
from cimspec.report.table import rows_table
from cimspec.search.evaluation import Trial, fastest_under
from cimspec.search.objective import objective_ns
from cimspec.spec.search import Objective

BUDGETS = (60, 150, 300, 600)

# Two-sided 95 % quantiles of Student's t for 1 to 9 degrees of freedom; beyond, the normal's is within 0.3.
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds with its 95 % interval; no interval for one seed."""

    mean: float
    half_width: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Interval":
        """Student's interval of the mean."""
        mean = float(np.mean(values))
        if len(values) < 2:
            return cls(mean, None)
        quantile = _STUDENT[len(values) - 2] if len(values) - 2 < len(_STUDENT) else 1.96
        return cls(mean, quantile * float(np.std(values, ddof=1)) / math.sqrt(len(values)))

    def __str__(self) -> str:
        return f"{self.mean:.2f}" if self.half_width is None else f"{self.mean:.2f} ± {self.half_width:.2f}"

    def as_json(self) -> dict[str, float | None]:
        """The fields of the comparison's JSON."""
        return {"mean": self.mean, "half_width_95": self.half_width}


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """Trials of each method, one tuple for each search seed, on one trained network."""

    spec_name: str
    spec_digest: str
    seed: int  # of the training
    minimize: Objective
    baseline: Cost
    space_size: int
    budget: int
    kl_limits: tuple[float, ...]
    trials: Mapping[str, tuple[tuple[Trial, ...], ...]]
    uniform: tuple[Trial, ...]
    seconds: Mapping[str, float]

    @property
    def budgets(self) -> tuple[int, ...]:
        """Where curves are read off."""
        return (*(budget for budget in BUDGETS if budget < self.budget), self.budget)

    def speedups(self, method: str, kl_limit: float, evaluations: int) -> tuple[float, ...]:
        """Best-so-far speedup of each seed after `evaluations` distinct ones; 1 where nothing feasible was found."""
        return tuple(self._speedup(trials[:evaluations], kl_limit) for trials in self.trials[method])

    def uniform_speedup(self, kl_limit: float) -> float:
        """Speedup of the fastest uniform policy under the limit, without fine-tuning."""
        return self._speedup(self.uniform, kl_limit)

    def _speedup(self, trials: tuple[Trial, ...], kl_limit: float) -> float:
        fastest = fastest_under(trials, kl_limit)
        return objective_ns(self.baseline, self.minimize) / fastest.time_ns if fastest else 1.0

    def as_json(self) -> dict[str, Any]:
        """What `cimspec compare --json` prints."""
        return {
            "spec": self.spec_name,
            "spec_digest": self.spec_digest,
            "seed": self.seed,
            "budget": self.budget,
            "space_size": self.space_size,
            "minimize": self.minimize.value,
            "baseline_latency_us": self.baseline.latency_ns / 1e3,
            "baseline_interval_us": self.baseline.interval_ns / 1e3,
            "limits": [self._limit_as_json(limit) for limit in self.kl_limits],
            "seconds": dict(self.seconds),
        }

    def _limit_as_json(self, limit: float) -> dict[str, Any]:
        return {
            "kl": limit,
            "uniform_speedup": self.uniform_speedup(limit),
            "methods": {
                method: [
                    {
                        "evaluations": budget,
                        "speedups": self.speedups(method, limit, budget),
                        **Interval.of(self.speedups(method, limit, budget)).as_json(),
                    }
                    for budget in self.budgets
                ]
                for method in self.trials
            },
        }


def comparison_table(report: ComparisonReport) -> RenderableType:
    """For each limit a table: methods down, evaluations across."""
    parts: list[RenderableType] = []
    for limit in report.kl_limits:
        headers = ("method", *(f"{budget} evaluations" for budget in report.budgets), "distinct evaluations", "seconds")
        rows = [_row(report, method, limit) for method in report.trials]
        uniform = f"{report.uniform_speedup(limit):.2f}"
        rows.append(("uniform bits", *("",) * (len(report.budgets) - 1), uniform, str(len(report.uniform)), ""))
        title = Text(
            f"Speedup over 8/8 in {report.minimize}, at a divergence of at most {limit:g} nats "
            "(mean over search seeds, 95 % interval)"
        )
        parts += [title, rows_table(headers, rows), Text()]
    return Group(*parts)


def _row(report: ComparisonReport, method: str, limit: float) -> tuple[str, ...]:
    cells = (str(Interval.of(report.speedups(method, limit, budget))) for budget in report.budgets)
    spent = sorted({len(trials) for trials in report.trials[method]})
    used = str(spent[0]) if len(spent) == 1 else f"{spent[0]}-{spent[-1]}"
    return method, *cells, used, f"{report.seconds[method]:.1f}"
