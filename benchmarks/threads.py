"""What a second core brings to crossbar products: two threads on one product, beside two products at once.

    python benchmarks/threads.py [--rounds 40] [--cells 1 2 4] [--exact]

The cases of mvm.py, all of them in each round, so that what slows the machine for some seconds slows no case alone. "2
threads" share one product; "2 copies" are two products at once, each on one thread and nothing shared: what the second
core has to give, which on a shared machine changes from second to second. Ratios to one thread are taken round by
round. Medians over all rounds say what came of it beside the machine's other guests, those over rounds in which copies
came to twice the rate, or nearly, what threads do with a second core that is there.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from math import ceil
from statistics import geometric_mean, median

from mvm import CELL_BITS, ROWS, SHAPES, Case, Ours
from rich.console import Console
from timing import LEAST_S, restart_with_one_thread, seconds

from cimspec.report import rows_table
from cimspec.spec.chip import AdcStep

TWICE = (1.9, 2.05)
"""What copies come to where both cores are there, times the rate of one thread; above, that one was slowed."""


class Contest:
    """One case, and what two threads and two copies came to in each round, times the rate of one thread."""

    def __init__(self, case: Case, pool: ThreadPoolExecutor) -> None:
        self.case, self._pool, self._ours = case, pool, Ours(case, case.chip())
        self._times = ceil(LEAST_S / seconds(self._ours))  # copies take turns in the interpreter at their ends only
        self.threads: list[float] = []
        self.copies: list[float] = []

    def turn(self) -> None:
        """One round."""
        alone, shared, copied = seconds(self._ours), seconds(partial(self._ours, 2)), seconds(self._copies)
        self.threads.append(alone / shared)
        self.copies.append(2 * self._times * alone / copied)

    def with_both_cores(self) -> list[float]:
        """What threads came to where copies show that there were two cores."""
        low, high = TWICE
        return [own for own, copies in zip(self.threads, self.copies, strict=True) if low <= copies <= high]

    def _copies(self) -> None:
        wait([self._pool.submit(self._repeated) for _ in range(2)])

    def _repeated(self) -> None:
        for _ in range(self._times):
            self._ours()


def rows(contests: list[Contest]) -> Iterator[tuple[str, ...]]:
    """A row for each case, then one for each number of bits of a cell: the geometric means of its cases."""
    for contest in contests:
        case = contest.case
        yield str(case.cell_bits), str(case), str(case.rows), *cells([contest])
    for bits in dict.fromkeys(contest.case.cell_bits for contest in contests):
        own = [contest for contest in contests if contest.case.cell_bits == bits]
        yield str(bits), "geometric mean", "", *cells(own)


def cells(contests: list[Contest]) -> Iterator[str]:
    """Medians of all rounds, and of those with both cores, and how many these are."""
    for each in ([contest.threads for contest in contests], [contest.copies for contest in contests]):
        yield f"{geometric_mean(map(median, each)):.2f}"
    chosen = [own for contest in contests if (own := contest.with_both_cores())]
    yield f"{geometric_mean(map(median, chosen)):.2f}" if chosen else "-"
    yield f"{sum(map(len, chosen))} of {sum(len(contest.threads) for contest in contests)}"


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
    headers = (
        "cell bits",
        "inputs x outputs x vectors",
        "cell rows",
        "2 threads",
        "2 copies",
        "both cores: 2 threads",
        "rounds",
    )
    Console(width=160, highlight=False).print(rows_table(headers, rows(contests)))


if __name__ == "__main__":
    main()
