"""Methods side by side at equal budgets: what was tried on each trained network, and what it comes to.

Trials of every method, training seed and search seed -> a curve of best gains for each run and goal, and for each goal
where every method stands (standing.py). Tables, picture and page are made of this in files of their own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from statistics import mean
from typing import Any

from cimspec.graph import policy_as_json
from cimspec.report.standing import Curve, Paired, Run, Standing
from cimspec.search.evaluation import Trial
from cimspec.search.goal import Goal

SCHEMA_VERSION = 1

READINGS = (60, 150, 300, 600)
"""Evaluations after which gains are compared."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """What an exhaustive best-first search found for one goal on one network."""

    value: float | None  # the least objective, proven; None where the search was given up before
    evaluations: int
    lower_bound: float  # no policy has a smaller objective: proven; infinite where none is good enough


@dataclass(frozen=True, slots=True)
class Arena:
    """One trained network. Goals and optima are aligned; None where no optimum was looked for."""

    training_seed: int
    goals: tuple[Goal, ...]
    uniform: tuple[Trial, ...]  # the same bits everywhere
    optima: tuple[Optimum | None, ...]


@dataclass(frozen=True, slots=True)
class SearchRun:
    """One method's run on one network: its distinct trials in the order evaluated, and its time."""

    method: str
    training_seed: int
    search_seed: int
    trials: tuple[Trial, ...]
    seconds: float  # in all
    scoring_seconds: float  # of these: in evaluations

    @property
    def own_ms(self) -> float:
        """What the search itself takes for each evaluation, milliseconds."""
        return 1e3 * (self.seconds - self.scoring_seconds) / max(1, len(self.trials))


@dataclass(frozen=True, slots=True)
class Best:
    """The best gain on one network under one goal."""

    gain: float
    is_proven: bool  # False: of all that was tried on that network
    gap: float | None  # where a bound is proven instead: how far the objective may be above the least one, relative

    def as_json(self) -> dict[str, Any]:
        """Its fields."""
        return {
            "gain": self.gain,
            "proven": self.is_proven,
            "gap_percent": None if self.gap is None else 100 * self.gap,
        }


@dataclass(frozen=True, slots=True)
class GoalResult:
    """All methods under one goal. `uniform` and `best` are aligned with the report's arenas."""

    name: str
    uniform: tuple[float, ...]  # gain of the best policy with the same bits everywhere
    best: tuple[Best, ...]
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """What `cimspec compare` found. Every training seed has an arena, and the first method's runs come first."""

    spec_name: str
    spec_digest: str
    versions: Mapping[str, str]
    minimize: str  # what was made small, in words
    metrics: tuple[str, ...]  # what `values` of trials are
    baseline_values: tuple[float, ...]  # of 8/8 bits
    space_size: int
    budget: int  # distinct evaluations
    goal_names: tuple[str, ...]
    arenas: tuple[Arena, ...]
    runs: tuple[SearchRun, ...]
    command: str

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods, the reference first."""
        return tuple(dict.fromkeys(run.method for run in self.runs))

    @property
    def readings(self) -> tuple[int, ...]:
        """Evaluations after which curves are read off; the last is the budget."""
        return (*(count for count in READINGS if count < self.budget), self.budget)

    def runs_of(self, method: str) -> tuple[SearchRun, ...]:
        """All runs of one method."""
        return tuple(run for run in self.runs if run.method == method)

    def gain(self, goal: Goal, trial: Trial) -> float | None:
        """Objective of 8/8 over that of the trial; None where it is beyond the goal's limit."""
        if goal.limit.excess(trial.score) > 0:
            return None
        baseline, objective = goal.objective(self.baseline_values), goal.objective(trial.values)
        return 1.0 if objective == baseline else baseline / objective  # both may be 0: what takes none of a metric

    def curve(self, goal: Goal, trials: Iterable[Trial]) -> Curve:
        """Best gains so far, in the order of `trials`."""
        return Curve.of(self.gain(goal, trial) for trial in trials)

    def results(self) -> tuple[GoalResult, ...]:
        """For each goal where all methods stand."""
        return tuple(self._result(index, name) for index, name in enumerate(self.goal_names))

    def _result(self, index: int, name: str) -> GoalResult:
        goals = {arena.training_seed: arena.goals[index] for arena in self.arenas}
        curves = [self.curve(goals[run.training_seed], run.trials) for run in self.runs]
        uniform = {arena.training_seed: self.curve(arena.goals[index], arena.uniform).last for arena in self.arenas}
        known = dict(uniform)
        for run, curve in zip(self.runs, curves, strict=True):
            known[run.training_seed] = max(known[run.training_seed], curve.last)
        best = {arena.training_seed: self._best(arena, index, known[arena.training_seed]) for arena in self.arenas}
        runs: dict[str, tuple[Run, ...]] = dict.fromkeys(self.methods, ())
        for run, curve in zip(self.runs, curves, strict=True):
            own = Run(run.training_seed, run.search_seed, curve, best[run.training_seed].gain)
            runs[run.method] += (own,)
        reference = next(iter(runs), None)
        standings = tuple(
            Standing(method, own, Paired.of(own, runs[reference]) if reference and method != reference else None)
            for method, own in runs.items()
        )
        return GoalResult(name, tuple(uniform.values()), tuple(best.values()), standings)

    def _best(self, arena: Arena, index: int, known: float) -> Best:
        optimum = arena.optima[index]
        if optimum is None:
            return Best(known, False, None)
        baseline = arena.goals[index].objective(self.baseline_values)
        if optimum.value is None:
            bounded = 0 < optimum.lower_bound < inf  # infinite: nothing is good enough, and 8/8 bits stand
            return Best(known, False, baseline / known / optimum.lower_bound - 1 if bounded else None)
        return Best(baseline / optimum.value, True, 0.0)

    def as_json(self) -> dict[str, Any]:
        """What `cimspec compare --json` prints, and `comparison.json` holds."""
        results = self.results()
        return {
            "schema": SCHEMA_VERSION,
            "spec": self.spec_name,
            "spec_digest": self.spec_digest,
            "command": self.command,
            "versions": dict(self.versions),
            "minimize": self.minimize,
            "metrics": list(self.metrics),
            "baseline_values": list(self.baseline_values),
            "space_size": self.space_size,
            "budget": self.budget,
            "reference": self.methods[0] if self.methods else None,
            "goals": [self._result_as_json(result) for result in results],
            "networks": [self._arena_as_json(arena) for arena in self.arenas],
            "methods": [self._effort_as_json(method) for method in self.methods],
            "runs": [self._run_as_json(run) for run in self.runs],
        }

    def _result_as_json(self, result: GoalResult) -> dict[str, Any]:
        return {
            "name": result.name,
            "uniform_gain": mean(result.uniform),
            "best_gain": mean(best.gain for best in result.best),
            "networks": [
                {"training_seed": arena.training_seed, "uniform_gain": uniform, "best": best.as_json()}
                for arena, uniform, best in zip(self.arenas, result.uniform, result.best, strict=True)
            ],
            "methods": [standing.as_json(self.readings) for standing in result.standings],
        }

    def _arena_as_json(self, arena: Arena) -> dict[str, Any]:
        return {
            "training_seed": arena.training_seed,
            "goals": [
                {
                    "name": name,
                    "weights": list(goal.weights),
                    "optimum": optimum
                    and {
                        "value": optimum.value,
                        "evaluations": optimum.evaluations,
                        "lower_bound": optimum.lower_bound if isfinite(optimum.lower_bound) else None,
                    },
                    "uniform": self._trial_as_json(goal.best(arena.uniform)),
                }
                for name, goal, optimum in zip(self.goal_names, arena.goals, arena.optima, strict=True)
            ],
        }

    def _effort_as_json(self, method: str) -> dict[str, Any]:
        runs = self.runs_of(method)
        return {
            "method": method,
            "evaluations": mean(len(run.trials) for run in runs),
            "seconds": mean(run.seconds for run in runs),
            "own_ms_per_evaluation": mean(run.own_ms for run in runs),
        }

    def _run_as_json(self, run: SearchRun) -> dict[str, Any]:
        (arena,) = (arena for arena in self.arenas if arena.training_seed == run.training_seed)
        return {
            "method": run.method,
            "training_seed": run.training_seed,
            "search_seed": run.search_seed,
            "evaluations": len(run.trials),
            "seconds": run.seconds,
            "scoring_seconds": run.scoring_seconds,
            "goals": [
                {
                    "name": name,
                    "curve": [list(point) for point in self.curve(goal, run.trials).points],
                    "best": self._trial_as_json(goal.best(run.trials)),
                }
                for name, goal in zip(self.goal_names, arena.goals, strict=True)
            ],
        }

    @staticmethod
    def _trial_as_json(trial: Trial | None) -> dict[str, Any] | None:
        if trial is None:
            return None
        return {
            "values": list(trial.values),
            "kl": trial.score.kl,
            "accuracy": trial.score.accuracy,
            "policy": policy_as_json(trial.policy),
        }
