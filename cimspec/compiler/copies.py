"""How many copies of each layer spare crossbars hold, so that the slowest layer of a pipeline is as fast as can be.

Loads of the layers and a number of crossbars -> copies of each layer, and the interval between two inputs.
With n copies invocation i is done by copy i mod n, so a layer takes ceil(P / n) turns one after the other. A pipeline
takes an input each time that its slowest layer has finished one: the interval is the largest turns * turn time.

Also two bounds of the literature: copies that may be fractions, and turns that may be.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BELOW_THE_BOUND = 1 - 1e-9
"""Times a lower bound: surely below it, whatever its rounding."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one input asks of a layer."""

    blocks: int  # crossbars that one copy takes
    invocations: int  # products with its matrix
    turn_ns: float  # time of one

    def __post_init__(self) -> None:
        if self.blocks < 1 or self.invocations < 1:
            raise ValueError(f"a layer takes one crossbar and one invocation at least: {self}")
        if not 0 < self.turn_ns < float("inf"):
            raise ValueError(f"a turn takes time, and an end: {self}")

    def interval_ns(self, copies: int) -> float:
        """Time that the layer takes for one input with so many copies."""
        return -(-self.invocations // copies) * self.turn_ns


@dataclass(frozen=True, slots=True)
class Copies:
    """An optimal choice."""

    counts: tuple[int, ...]  # of each layer, in the order of the loads; none can be less
    crossbars: int  # that they take together
    interval_ns: float  # from one input to the next


def choose_copies(loads: Sequence[Load], crossbars: int) -> Copies:
    """The least interval that `crossbars` allow, exactly; of all choices that reach it, the one of fewest crossbars.

    Copies that a given interval T needs never get more with T, so the least T whose copies fit is found by bisection.
    It is a product `turns * turn_ns` as float64 computes it.

    Raises ValueError if not even one copy of each layer fits.
    """
    blocks, invocations, turn_ns = _arrays(loads, crossbars)

    def fits(interval_ns: float) -> bool:
        return bool(blocks @ copies_needed(invocations, turn_ns, interval_ns) <= crossbars)

    shortest = float(turn_ns.max())  # one turn of each layer
    bound = max(shortest, fluid_interval(loads, crossbars) * BELOW_THE_BOUND)
    interval_ns = bound if fits(bound) else _least(fits, bound, float((invocations * turn_ns).max()))
    counts = copies_needed(invocations, turn_ns, interval_ns)
    return Copies(tuple(counts.tolist()), int(blocks @ counts), interval_ns)


def copies_needed(invocations: Ints, turn_ns: Floats, interval_ns: float) -> Ints:
    """Copies that layers need to finish an input within T = `interval_ns`, which must be enough for a turn of each.

    With k = floor(T / turn) turns allowed, ceil(P / k).
    """
    # A quotient may round across a whole number; `turns * turn_ns <= interval_ns` is what counts.
    turns = np.minimum(np.floor(interval_ns / turn_ns), invocations)
    turns -= turns * turn_ns > interval_ns
    turns += (turns < invocations) & ((turns + 1) * turn_ns <= interval_ns)
    return -(-invocations // turns.astype(np.int64))


def continuous_interval(loads: Sequence[Load], crossbars: int) -> float:
    """The least interval if work were divided evenly: the smallest max(P * turn / n) over whole numbers of copies n.

    Raises ValueError if not even one copy of each layer fits.
    """
    blocks, invocations, turn_ns = _arrays(loads, crossbars)
    work_ns = invocations * turn_ns

    def fits(interval_ns: float) -> bool:
        copies = np.maximum(np.ceil(work_ns / interval_ns), 1.0)
        copies += work_ns / copies > interval_ns
        copies -= (copies > 1) & (work_ns / np.maximum(copies - 1, 1.0) <= interval_ns)
        return bool(blocks @ copies <= crossbars)

    return _least(fits, fluid_interval(loads, crossbars) * BELOW_THE_BOUND, float(work_ns.max()))


def fluid_interval(loads: Sequence[Load], crossbars: int) -> float:
    """The least interval T if copies could be fractions of at least one: sum of b * max(1, t / T) <= crossbars.

    `max(1, t / T)` is the larger of its two sides in every term, so the sum is the largest of all sums that take either
    side in each. It fits if each of them does: T >= (sum of b*t over S) / (crossbars - sum of b over the rest) for
    every set S of layers. The worst S of each size are the slowest layers.

    Raises ValueError if not even one copy of each layer fits.
    """
    blocks, invocations, turn_ns = _arrays(loads, crossbars)
    work_ns = invocations * turn_ns
    order = np.argsort(-work_ns, kind="stable")
    slowest = blocks[order]
    spare = crossbars - blocks.sum()
    return float((np.cumsum(slowest * work_ns[order]) / (spare + np.cumsum(slowest))).max())


def _arrays(loads: Sequence[Load], crossbars: int) -> tuple[Ints, Ints, Floats]:
    """Blocks, invocations and turn times of loads that fit."""
    if not loads:
        raise ValueError("no layer, no interval")
    blocks = np.array([load.blocks for load in loads], dtype=np.int64)
    if blocks.sum() > crossbars:
        raise ValueError(f"one copy of each of {len(loads)} layers takes {blocks.sum()} crossbars of {crossbars}")
    invocations = np.array([load.invocations for load in loads], dtype=np.int64)
    return blocks, invocations, np.array([load.turn_ns for load in loads], dtype=np.float64)


def _least(fits: Callable[[float], bool], low: float, high: float) -> float:
    """The least float64 above `low` that fits, where `high` does, and all above one that does.

    Positive floats are in the order of their bits, so bisection over these ends at the float itself.
    """
    below, above = _bits(low), _bits(high)
    while above - below > 1:
        middle = (below + above) // 2
        if fits(_float(middle)):
            above = middle
        else:
            below = middle
    return _float(above)


def _bits(number: float) -> int:
    return int(struct.unpack("<q", struct.pack("<d", number))[0])


def _float(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])
