"""A pipeline simulated turn by turn, in plain loops, and random pipelines.

Invocation v of P is the part v/P .. (v+1)/P of the image, row r of R the part r/R .. (r+1)/R.
"""

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

from hypothesis import strategies as st

from cimspec.cost.stage import Need, Rows, Stage, Whole

Turns = dict[str, list[list[tuple[float, float]]]]
"""(start, end) of every turn, for every input, by stage."""


def rows_in(stage: Stage, turn: int) -> list[int]:
    """Rows that a turn works on."""
    first, stop = turn * stage.copies, min((turn + 1) * stage.copies, stage.invocations)
    start, end = Fraction(first, stage.invocations), Fraction(stop, stage.invocations)
    return [
        row for row in range(stage.rows) if Fraction(row, stage.rows) < end and start < Fraction(row + 1, stage.rows)
    ]


def waits_for(need: Need, row: int, height: int) -> range:
    """Rows without which the reader's `row` is not begun."""
    if isinstance(need, Whole):
        return range(height)
    taps = [row * need.stride - need.padding + need.dilation * tap for tap in range(need.kernel)]
    return range(max(1, min(height, taps[-1] + 1)))


def reads(need: Need, row: int, height: int) -> range:
    """Rows that the reader's `row` needs to be kept."""
    if isinstance(need, Whole):
        return range(height)
    first = row * need.stride - need.padding
    return range(max(0, first), min(height, first + need.dilation * (need.kernel - 1) + 1))


def simulated(stages: list[Stage], inputs: int, interval: float) -> Turns:
    """What every stage does."""
    turns: Turns = {stage.name: [] for stage in stages}
    heights = {stage.name: stage.rows for stage in stages}
    for index in range(inputs):
        readable: dict[str, list[float]] = {}
        for stage in stages:
            done = turns[stage.name]
            end = done[-1][-1][1] if done else 0.0
            done.append([])
            made = [0.0] * stage.rows
            for turn in range(stage.turns):
                start = max(end, index * interval)
                for row, need in itertools.product(rows_in(stage, turn), stage.needs):
                    start = max([start, *(readable[need.stage][r] for r in waits_for(need, row, heights[need.stage]))])
                end = start + stage.turn_ns
                done[-1].append((start, end))
                for row in rows_in(stage, turn):
                    made[row] = end + stage.latency_ns
            readable[stage.name] = made
    return turns


def held(stage: Stage, stages: list[Stage], turns: Turns, index: int) -> Iterator[tuple[float, float]]:
    """(from, until) for each row of an input."""
    for row in range(stage.rows):
        first = min(turn for turn in range(stage.turns) if row in rows_in(stage, turn))
        until = [
            turns[reader.name][index][turn][1]
            for reader in stages
            for need in reader.needs
            if need.stage == stage.name
            for turn in range(reader.turns)
            for read in rows_in(reader, turn)
            if row in reads(need, read, stage.rows)
        ]
        yield turns[stage.name][index][first][1] + stage.latency_ns, max(until, default=-math.inf)


@st.composite
def pipelines(draw, times) -> list[Stage]:
    """Up to 6 stages, each reading the network's input or some stages before it."""
    stages: list[Stage] = []
    for index in range(draw(st.integers(1, 6))):
        needs: list[Need] = []
        for _ in range(draw(st.integers(0, 2)) if stages else 0):
            name = draw(st.sampled_from(stages)).name
            rows = st.builds(
                Rows, st.just(name), st.integers(1, 4), st.integers(1, 3), st.integers(-2, 3), st.integers(1, 2)
            )
            needs.append(draw(rows | st.just(Whole(name))))
        stages.append(
            Stage(
                f"s{index}",
                tuple(needs),
                rows=draw(st.integers(1, 6)),
                invocations=draw(st.integers(1, 20)),
                copies=draw(st.integers(1, 6)),
                crossbar_ns=draw(times),
                digital_ns=draw(times),
                network_ns=draw(times),
                latency_ns=draw(times),
                row_bytes=draw(st.integers(0, 9)),
            )
        )
    return stages
