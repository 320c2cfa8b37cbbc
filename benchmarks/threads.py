"""What a second core brings to crossbar products: two threads on one product, beside two products at once.

    python benchmarks/threads.py [--rounds 40] [--cells 1 2 4] [--exact]

The cases of mvm.py, all of them in each round, so that what slows the machine for some seconds slows no case alone. "2
threads" share one product; "2 copies" are two products at once, each on one thread and nothing shared: what the second
core has to give, which on a shared machine is less than another core. Fastest rounds are what kernels can do; medians,
what they did beside the machine's other guests.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from math import ceil
from statistics import geometric_mean, median

from mvm import CELL_BITS, ROWS, SHAPES, Case, Ours
from rich.console import Console
from timing import restart_with_one_thread, seconds

from cimspec.report import rows_table
from cimspec.spec.chip import AdcStep

LEAST_S = 0.01
"""Of the products of a turn: threads take turns in the interpreter at its ends only."""
KINDS = ("2 threads", "2 copies")


class Contest:
    """One case: the times of a product alone, on two threads, and beside another one, one of each for every round."""

    def __init__(self, case: Case, pool: ThreadPoolExecutor) -> None:
        self.case, self._pool, self._ours = case, pool, Ours(case, case.chip())
        self._times = ceil(LEAST_S / seconds(self._ours))
        self._alone: list[float] = []
        self._both: dict[str, list[float]] = {kind: [] for kind in KINDS}

    def turn(self) -> None:
        """Take each time once."""
        self._alone.append(self._taken(self._repeat))
        self._both["2 threads"].append(self._taken(partial(self._repeat, 2)))
        self._both["2 copies"].append(self._taken(self._copies) / 2)

    def ratios(self, chosen: Callable[[list[float]], float]) -> dict[str, float]:
        """How many times the rate of one thread both came to, by the chosen times."""
        return {kind: chosen(self._alone) / chosen(times) for kind, times in self._both.items()}

    def _repeat(self, threads: int = 1) -> None:
        for _ in range(self._times):
            self._ours(threads)

    def _copies(self) -> None:
        wait([self._pool.submit(self._repeat) for _ in range(2)])

    @staticmethod
    def _taken(call: Callable[[], None]) -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start


def rows(contests: list[Contest]) -> Iterator[tuple[str, ...]]:
    """A row for each case, then one for each number of bits of a cell: the geometric means of its cases."""
    for contest in contests:
        case = contest.case
        yield str(case.cell_bits), str(case), str(case.rows), *cells([contest])
    for bits in dict.fromkeys(contest.case.cell_bits for contest in contests):
        own = [contest for contest in contests if contest.case.cell_bits == bits]
        yield str(bits), "geometric mean", "", *cells(own)


def cells(contests: list[Contest]) -> Iterator[str]:
    """Of both kinds the fastest and the median rounds."""
    for chosen in (min, median):
        found = [contest.ratios(chosen) for contest in contests]
        yield from (f"{geometric_mean(ratios[kind] for ratios in found):.2f}" for kind in KINDS)


def main() -> None:
    """Measure and print."""
    restart_with_one_thread()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--cells", type=int, nargs="+", choices=CELL_BITS, default=CELL_BITS, help="bits of cells")
    parser.add_argument("--exact", action="store_true", help="ADC steps that are no powers of two")
    arguments = parser.parse_args()
    step = AdcStep.EXACT if arguments.exact else AdcStep.POWER_OF_TWO
    with ThreadPoolExecutor(2) as pool:
        cases = [Case(*shape, high, bits, step) for bits in arguments.cells for shape in SHAPES for high in ROWS]
        contests = [Contest(case, pool) for case in cases]
        for _ in range(arguments.rounds):
            for contest in contests:
                contest.turn()
    headers = ("cell bits", "inputs x outputs x vectors", "rows", *KINDS, *(f"{kind}, median" for kind in KINDS))
    Console(width=160, highlight=False).print(rows_table(headers, rows(contests)))


if __name__ == "__main__":
    main()
