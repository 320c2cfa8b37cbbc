"""What a second worker brings: the same comparison by one process of one thread, and by two.

    python benchmarks/workers.py [SPEC] [--rounds 3] [--apart]

Two training seeds, three search seeds, `rl` and evolution. Trained weights come from the cache, which is filled first.
Comparisons are made in turns, by new processes each time; both find the same trials, which is checked. `searches` is
the time from the announcement of the searches to the end of the last one, `all` that of the whole comparison, start of
the processes included. `--apart` measures what the machine has to give: two comparisons by one worker each, begun
together, at twice their number in the time of both.
"""

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from timing import seconds

from cimspec import load_spec
from cimspec.pipeline.comparing import compare
from cimspec.pipeline.executors import in_processes
from cimspec.report import ComparisonReport, rows_table
from cimspec.search.evaluation import Trial
from cimspec.spec import Spec

SPEC = Path(__file__).parents[1] / "specs" / "vgg8.cim"
SETS = ("search.training_seeds=2", "search.seeds=3", "search.methods=[rl, evolution]")
AIM = 1.6


@dataclass(slots=True)
class Times:
    """Seconds of comparisons by so many workers."""

    searches: list[float] = field(default_factory=list)
    all: list[float] = field(default_factory=list)


def compared(spec: Spec, workers: int, times: Times) -> list[tuple[Trial, ...]]:
    """The trials of every run of a comparison by new processes."""
    start = time.perf_counter()
    announced: list[float] = []
    ended: list[float] = []

    def announce(_: str) -> None:
        announced.append(time.perf_counter())

    def progress(done: int, total: int, text: str) -> None:
        if text == "searches" and done == total:
            ended.append(time.perf_counter())

    with in_processes(workers) as executor:
        report: ComparisonReport = compare(
            spec, progress=progress, executor=executor, workers=workers, announce=announce
        )
    times.all.append(time.perf_counter() - start)
    times.searches.append(ended[0] - announced[0])
    return [run.trials for run in report.runs]


def side_by_side(call: Callable[[], object]) -> float:
    """Wall time of two calls that begin together."""
    with ThreadPoolExecutor(2) as threads:
        return seconds(lambda: list(threads.map(lambda _: call(), range(2))))


def main() -> None:
    """Compare in turns, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", default=str(SPEC))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--apart", action="store_true", help="measure what the machine has to give, too")
    arguments = parser.parse_args()
    console = Console(width=120, highlight=False)
    spec = load_spec(arguments.spec, SETS)
    wanted = compared(spec, 2, Times())  # fills the caches of weights and of files
    one, two, apart = Times(), Times(), []
    for number in range(arguments.rounds):
        for workers, times in ((1, one), (2, two)):
            if compared(spec, workers, times) != wanted:
                raise SystemExit(f"{workers} workers found other trials")
        if arguments.apart:
            apart.append(2 * one.all[-1] / side_by_side(lambda: compared(spec, 1, Times())))
        ratios = f"{one.searches[-1] / two.searches[-1]:.2f}, {one.all[-1] / two.all[-1]:.2f}"
        console.print(f"round {number + 1}: {ratios}; load {os.getloadavg()[0]:.1f}")
    rows = [
        (name, *(f"{median(times):.1f}" for times in both), f"{median(both[0]) / median(both[1]):.2f}")
        for name, both in (("searches", (one.searches, two.searches)), ("all", (one.all, two.all)))
    ]
    console.print(rows_table(("", "1 worker (s)", "2 workers (s)", "ratio"), rows))
    console.print(f"{len(wanted)} searches of {spec.search.budget if spec.search else 0} evaluations; aim {AIM}")
    if apart:
        console.print(f"two comparisons apart: {median(apart):.2f} times the work of one in the same time")


if __name__ == "__main__":
    main()
