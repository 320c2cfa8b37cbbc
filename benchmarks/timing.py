"""How benchmarks take times: contestants in turns, medians of rounds, BLAS on one thread."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from statistics import median

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def restart_with_one_thread() -> None:
    """Start this program again with libraries on one thread, unless it is: they read the variables when they load."""
    if any(os.environ.get(name) != "1" for name in THREAD_VARIABLES):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | dict.fromkeys(THREAD_VARIABLES, "1"))


LEAST_S = 0.02
"""Of calls that are timed together: a short one alone would measure how threads and caches wake up."""


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call, the mean of some if it is short."""
    start = time.perf_counter()
    calls = 0
    while (passed := time.perf_counter() - start) < LEAST_S or not calls:
        call()
        calls += 1
    return passed / calls


def interleaved(
    contestants: Mapping[str, Callable[[], object]], rounds: int, taken: Callable[[list[float]], float] = median
) -> dict[str, float]:
    """Wall time of each, taken in turns (A B C A B C ...), so that what slows the machine slows all: the median."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            times[name].append(seconds(call))
    return {name: taken(own) for name, own in times.items()}


def fastest(candidates: Iterable[Callable[[], object]], rounds: int = 2) -> Callable[[], object]:
    """The candidate with the shortest call of some."""
    return min(candidates, key=lambda call: min(seconds(call) for _ in range(rounds)))
