"""What it costs, and what it brings, that a search looks at the simulated chip instead of the quantized network alone.

    python benchmarks/chip_search.py [SPEC] [--seeds 3] [--json]

Each training seed is searched twice, with the same budgets. Time is that of the methods' searches, evaluations
included. Then both `rl` searches meet at equal speed: for every limit on divergence, the slower one of their two
finalists says how fast policies have to be, and each search gives the policy that it likes best among those. Both are
fine-tuned alike and executed on the test split on five chips that no search saw.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from cimspec import load_spec
from cimspec.pipeline.searching import Contest
from cimspec.pipeline.workbench import Workbench
from cimspec.quant.optimize import no_progress
from cimspec.quant.threads import one_thread
from cimspec.report import rows_table
from cimspec.search.evaluation import Trial
from cimspec.search.finalists import finalist
from cimspec.search.goal import Goal
from cimspec.spec import EvaluateOn, Spec
from cimspec.spec.search import Method

ROOT = Path(__file__).parents[1]


def looking_at(spec: Spec, on: EvaluateOn) -> Spec:
    """The spec with evaluations on the chip or on the quantized network."""
    assert spec.search
    return spec.model_copy(update={"search": spec.search.model_copy(update={"evaluate_on": on})})


def searched(spec: Spec, seed: int, folder: Path, on: EvaluateOn) -> tuple[Contest, dict[str, Any], float]:
    """The contest, the trials of every method, and the seconds that their searches took."""
    chosen = looking_at(spec, on)
    assert chosen.search
    contest = Contest.of(Workbench.prepare(chosen, seed, folder, no_progress), chosen.search, None)
    start = time.perf_counter()
    trials = {method: contest.run(method, seed).trials for method in chosen.search.methods}
    return contest, trials, time.perf_counter() - start


def as_good(trials: Sequence[Trial], goal: Goal, objective: float) -> Trial:
    """The trial that diverges least among those that take no more."""
    return min(
        (trial for trial in trials if goal.objective(trial.values) <= objective), key=lambda trial: trial.score.kl
    )


def compared(spec: Spec, seed: int) -> dict[str, Any]:
    """One training seed: seconds of both searches, and the duels."""
    with one_thread(), TemporaryDirectory() as folder:
        blind, blind_trials, blind_s = searched(spec, seed, Path(folder), EvaluateOn.QUANTIZED)
        contest, chip_trials, chip_s = searched(spec, seed, Path(folder), EvaluateOn.CHIP)
        both = (blind_trials[Method.RL], chip_trials[Method.RL])
        duels = []
        with contest.bench as bench, blind.bench:
            for goal in contest.goals:
                baseline = goal.objective(contest.baseline.values)
                finalists = [finalist(trials, goal) for trials in both]
                objective = max(goal.objective(each.values) for each in finalists if each)
                found = [as_good(trials, goal, objective) for trials in both]
                accuracies = [
                    bench.test_correct(bench.candidate(trial.policy)).mean(axis=1).tolist() for trial in found
                ]
                duels.append({
                    "limit": str(goal.limit),
                    "speedups": [baseline / goal.objective(trial.values) for trial in found],
                    "blind": accuracies[0],
                    "chip": accuracies[1],
                })  # fmt: skip
    return {"seed": seed, "blind_s": blind_s, "chip_s": chip_s, "duels": duels}


def rows(results: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """A row for each duel, and the means of all."""
    table = []
    differences = []
    for result in results:
        for duel in result["duels"]:
            difference = 100 * (mean(duel["chip"]) - mean(duel["blind"]))
            differences.append(difference)
            table.append(
                (
                    str(result["seed"]),
                    duel["limit"],
                    *(f"{speedup:.2f}x" for speedup in duel["speedups"]),
                    *(f"{100 * mean(duel[who]):.2f} ± {100 * stdev(duel[who]):.2f}" for who in ("blind", "chip")),
                    f"{difference:+.2f}",
                )
            )
    spread = f" ± {stdev(differences):.2f}" if len(differences) > 1 else ""
    return [*table, ("mean", "", "", "", "", "", f"{mean(differences):+.2f}{spread}")]


def main() -> None:
    """Search each seed twice, and print what that took and what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", default=str(ROOT / "specs/noisy.cim"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    spec = load_spec(arguments.spec)
    results = []
    for seed in range(arguments.seeds):
        results.append(compared(spec, seed))
        print(f"seed {seed} is done", file=sys.stderr)
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    console = Console(width=160, highlight=False)
    headers = ("seed", "limit", "blind", "chip", "blind accuracy (%)", "chip accuracy (%)", "difference (pp)")
    console.print(rows_table(headers, rows(results)))
    for result in results:
        ratio = result["chip_s"] / result["blind_s"]
        console.print(
            f"seed {result['seed']}: searches took {result['blind_s']:.1f} s blind, {result['chip_s']:.1f} s on the "
            f"chip: {ratio:.2f}x"
        )


if __name__ == "__main__":
    main()
