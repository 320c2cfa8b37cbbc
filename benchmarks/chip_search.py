"""What it costs, and what it brings, that a search looks at the simulated chip instead of the quantized network alone.

    python benchmarks/chip_search.py [SPEC] [--seeds 3] [--first 0] [--quick] [--json]

Each training seed is searched twice, with the same budgets. Time is that of the methods' searches, evaluations
included. Then both `rl` searches meet at equal speed: for every limit on divergence, the slower one of their two
finalists says how fast policies have to be, and each search gives the policy that it likes best among those. Both are
fine-tuned alike and executed on the test split on five chips that no search saw.

Stderr says what is being done and how long it takes. `--quick` takes `specs/tiny.cim` with noisy cells and trains
little: it tells that all works, and nothing else.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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

HEADERS = ("seed", "limit", "blind", "chip", "blind accuracy (%)", "chip accuracy (%)", "difference (pp)")

QUICK = (
    *("chip.adc.range=calibrated", "chip.device.program_sigma=5 %"),
    *("training.epochs=3", "training.finetune_epochs=1", "search.methods=[rl]", "search.kl_limits=[0.1, 0.2]"),
)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what is done, and, when it is, how long it took."""
    print(f"{text} ...", end=" ", file=sys.stderr, flush=True)
    start = time.perf_counter()
    yield
    print(f"{time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)


def looking_at(spec: Spec, on: EvaluateOn) -> Spec:
    """The spec with evaluations on the chip or on the quantized network."""
    assert spec.search
    return spec.model_copy(update={"search": spec.search.model_copy(update={"evaluate_on": on})})


def searched(spec: Spec, seed: int, folder: Path, on: EvaluateOn) -> tuple[Contest, dict[str, Any], float]:
    """The contest, the trials of every method, and the seconds that their searches took."""
    chosen = looking_at(spec, on)
    assert chosen.search
    with step(f"seed {seed}, {on}: training and calibration"):
        contest = Contest.of(Workbench.prepare(chosen, seed, folder, no_progress), chosen.search, None)
    trials = {}
    start = time.perf_counter()
    for method in chosen.search.methods:
        with step(f"seed {seed}, {on}: {method}, {chosen.search.budget} evaluations"):
            trials[method] = contest.run(method, seed).trials
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
        with contest.bench, blind.bench:
            pairs = [(goal, pair) for goal in contest.goals if (pair := opponents(goal, both))]
            for trial in (trial for _, pair in pairs for trial in pair):
                contest.bench.start(trial.policy)  # on all cores
            for goal, pair in pairs:
                with step(f"seed {seed}, {goal.limit}: fine-tuning and test"):
                    duels.append(duel(contest, goal, pair))
    return {"seed": seed, "blind_s": blind_s, "chip_s": chip_s, "duels": duels}


def opponents(goal: Goal, both: Sequence[Sequence[Trial]]) -> list[Trial]:
    """What each search brings at equal speed; nothing where neither meets the limit."""
    finalists = [found for trials in both if (found := finalist(trials, goal))]
    if not finalists:
        return []
    objective = max(goal.objective(each.values) for each in finalists)
    return [as_good(trials, goal, objective) for trials in both]


def duel(contest: Contest, goal: Goal, found: Sequence[Trial]) -> dict[str, Any]:
    """How accurate the policies of both searches are after fine-tuning, on each chip of the report."""
    bench = contest.bench
    accuracies = [bench.test_correct(bench.candidate(trial.policy)).mean(axis=1).tolist() for trial in found]
    baseline = goal.objective(contest.baseline.values)
    return {
        "limit": str(goal.limit),
        "speedups": [baseline / goal.objective(trial.values) for trial in found],
        "blind": accuracies[0],
        "chip": accuracies[1],
    }


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
    if not differences:
        return []
    spread = f" ± {stdev(differences):.2f}" if len(differences) > 1 else ""
    return [*table, ("mean", "", "", "", "", "", f"{mean(differences):+.2f}{spread}")]


def main() -> None:
    """Search each seed twice, and print what that took and what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", help="`specs/noisy.cim` if left out")
    parser.add_argument("--seeds", type=int, default=3, help="training seeds")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them")
    parser.add_argument("--quick", action="store_true", help="a small network, a small budget, little training")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    usual = ROOT / ("specs/tiny.cim" if arguments.quick else "specs/noisy.cim")
    spec = load_spec(arguments.spec or usual, QUICK if arguments.quick else ())
    results = []
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        results.append(compared(spec, seed))
        Console(width=160, highlight=False, stderr=True).print(rows_table(HEADERS, rows(results[-1:])))
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    console = Console(width=160, highlight=False)
    console.print(rows_table(HEADERS, rows(results)))
    for result in results:
        ratio = result["chip_s"] / result["blind_s"]
        console.print(
            f"seed {result['seed']}: searches took {result['blind_s']:.1f} s blind, {result['chip_s']:.1f} s on the "
            f"chip: {ratio:.2f}x"
        )


if __name__ == "__main__":
    main()
