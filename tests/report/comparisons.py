"""Small comparisons whose figures can be worked out by hand, and a larger one that looks like a real one."""

import numpy as np

from cimspec.graph import Policy, Precision
from cimspec.report.comparison import Arena, ComparisonReport, Optimum, SearchRun
from cimspec.search.evaluation import Score, Trial
from cimspec.search.goal import DivergenceLimit, Goal

BASELINE_NS = 1200.0


def trial(time_ns: float, kl: float = 0.05, number: int = 0) -> Trial:
    """A policy of one layer that takes so long and diverges so much."""
    return Trial((number,), Policy(("c",), (Precision(4, 4),)), (time_ns,), Score(kl, 0.97))


def search_run(method: str, times_ns: list[float], seeds: tuple[int, int] = (0, 0), seconds: float = 2.0) -> SearchRun:
    """A run whose trials are all feasible at 0.1 nats; a quarter of its time is scoring."""
    trials = tuple(trial(time_ns, number=number) for number, time_ns in enumerate(times_ns))
    return SearchRun(method, *seeds, trials, seconds, seconds / 4)


def arena(training_seed: int = 0, optimum: Optimum | None = None, uniform_ns: float = 600.0) -> Arena:
    """A network whose only goal is a divergence of at most 0.1 nats."""
    goal = Goal(DivergenceLimit(0.1), (1.0,))
    return Arena(training_seed, (goal,), (trial(uniform_ns), trial(100.0, kl=0.5)), (optimum,))


def comparison(
    runs: list[SearchRun], arenas: list[Arena] | None = None, budget: int = 4, **changes
) -> ComparisonReport:
    """A report of these runs under one goal."""
    fields = {
        "spec_name": "spec",
        "spec_digest": "0123abcd" * 8,
        "versions": {"cimspec": "0.1.0", "numpy": "2.3.4"},
        "minimize": "latency",
        "metrics": ("latency",),
        "baseline_values": (BASELINE_NS,),
        "space_size": 2401,
        "budget": budget,
        "goal_names": ("divergence <= 0.1 nats",),
        "arenas": tuple(arenas or [arena()]),
        "runs": tuple(runs),
        "command": "cimspec compare spec.cim",
    }
    return ComparisonReport(**fields | changes)


SPEEDS = {"rl": 0.03, "evolution": 0.012, "nsga2": 0.008, "random": 0.003, "greedy": 0.05}
"""How fast each made-up method comes near the optimum."""


def large_comparison(
    networks: int = 3, searches: int = 3, budget: int = 300, methods: int = 5, proven: bool = True
) -> ComparisonReport:
    """Made-up searches for the optimum under three limits on divergence."""
    rng = np.random.default_rng(1)
    limits = (0.1, 0.16, 0.22)
    goals = tuple(Goal(DivergenceLimit(limit), (1.0,)) for limit in limits)
    arenas, runs = [], []
    for network in range(networks):
        least = [BASELINE_NS / (2.9 + 0.3 * index + 0.1 * network) for index in range(3)]
        optima = tuple(Optimum(value if proven else None, 5000, value * (1 if proven else 0.97)) for value in least)
        uniform = tuple(trial(BASELINE_NS / (2.1 + 0.2 * index), limit - 0.01) for index, limit in enumerate(limits))
        arenas.append(Arena(network, goals, uniform, optima))
        for method, speed in list(SPEEDS.items())[:methods]:
            for seed in range(searches):
                own = speed * rng.uniform(0.6, 1.5)
                trials = []
                for number in range(budget):
                    goal = int(rng.integers(3))
                    progress = 1 - np.exp(-own * number)
                    time_ns = BASELINE_NS + (least[goal] - BASELINE_NS) * progress * min(1.0, rng.uniform(0.8, 1.01))
                    trials.append(
                        trial(float(max(time_ns, least[goal])), limits[goal] - rng.uniform(-0.02, 0.03), number)
                    )
                seconds = rng.uniform(20, 30)
                runs.append(SearchRun(method, network, seed, tuple(trials), seconds, seconds - budget * speed / 5))
    names = tuple(f"divergence <= {limit:g} nats" for limit in limits)
    runs.sort(key=lambda run: list(SPEEDS).index(run.method))
    return comparison(runs, arenas, budget, goal_names=names)
