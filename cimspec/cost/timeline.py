"""The schedule of a pipeline: stages -> when each turn of each stage starts and ends.

Turn k of a stage starts when turn k - 1 has ended and all rows that it needs can be read, so in max-plus algebra
    end[k] = max(end[k-1], ready[k]) + d = (k + 1) * d + max over j <= k of (ready[j] - j * d).
That maximum, the delay of turn k, changes only at turns that begin a row: it is kept for each row, not for each turn.
Turns of successive inputs follow each other in the same way. Buffers are as large as they need to be (buffers.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cimspec.cost.stage import Ints, Stage

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """When a stage does its turns. `delays_ns[input, row]` is how long turns that begin at the row are held up."""

    stage: Stage
    delays_ns: Floats

    def ends_ns(self, turns: Ints | None = None) -> Floats:
        """When turns of every input end: [inputs, turns], all turns if none are named."""
        turns = np.arange(self.stage.turns) if turns is None else turns
        inputs = np.arange(len(self.delays_ns))[:, None]
        numbers = inputs * self.stage.turns + turns + 1
        return numbers * self.stage.turn_ns + self.delays_ns[:, self.stage.rows_of(turns)]

    def starts_ns(self, turns: Ints | None = None) -> Floats:
        """When turns of every input start: [inputs, turns]."""
        return self.ends_ns(turns) - self.stage.turn_ns

    @property
    def rows_ns(self) -> Floats:
        """When each row can be read by others: [inputs, rows]."""
        return self.ends_ns(self.stage.last_turns) + self.stage.latency_ns


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """What every stage does, by its name, and when each input was offered."""

    offered_ns: Floats  # [inputs]
    passages: Mapping[str, Passage]

    @property
    def finished_ns(self) -> Floats:
        """When the last row of each input can be read: [inputs]."""
        finished: Floats = np.max([passage.rows_ns[:, -1] for passage in self.passages.values()], axis=0)
        return finished

    @property
    def latency_ns(self) -> float:
        """From the offer of the first input until its last row is out."""
        return float(self.finished_ns[0] - self.offered_ns[0])


def bottleneck(stages: Sequence[Stage]) -> Stage:
    """The stage that takes longest for one input; of several the first. Its `busy_ns` is the pipeline's interval W.

    No input can follow another sooner for long: the stage does the turns of one after those of the other, W for each.
    Every W an input can: offer one every W. Along the order of the stages, each repeats itself after W from some input
    on. Its rows become ready W later with each input, since the stages it reads repeat themselves. If for input i it
    ends at e, all its turns for input i + 1 fit between e and e + W, as they take W or less; so it ends W later too,
    and what holds up input i + 2 comes W later than what held up input i + 1. A stage is in step one input after those
    that it reads, so all are after as many inputs as there are stages, and inputs come out every W.
    (In terms of max-plus algebra, the only circuits of the event graph are those of each stage's own turns.)
    """
    return max(stages, key=lambda stage: stage.busy_ns)


def schedule(stages: Sequence[Stage], inputs: int = 1, interval_ns: float | None = None) -> Timeline:
    """The times of all turns for `inputs` inputs, offered every `interval_ns`; all at once if it is left out.

    Stages stand behind those that they need. Raises ValueError if they do not, or two have one name.
    """
    if inputs < 1:
        raise ValueError(f"a schedule is for one input at least, not {inputs}")
    offered: Floats = np.arange(inputs, dtype=np.float64) * (interval_ns or 0.0)
    passages: dict[str, Passage] = {}
    for stage in _in_order(stages):
        passages[stage.name] = Passage(stage, _delays(stage, _ready(stage, offered, passages)))
    return Timeline(offered, passages)


def steady_state(stages: Sequence[Stage], interval_ns: float) -> Timeline:
    """The times of one input, offered at 0, when all have been coming every `interval_ns` for long.

    What holds up a stage's first turn is the last turn of the input before, which ended an interval earlier than this
    input's own. That own end does not change with it, since all turns fit between the two: one correction is exact.

    Raises ValueError if a stage takes longer than `interval_ns`, and as `schedule` does.
    """
    slowest = bottleneck(_in_order(stages))
    if slowest.busy_ns > interval_ns:
        raise ValueError(f"`{slowest.name}` takes {slowest.busy_ns} ns for each input, more than {interval_ns} ns")
    offered = np.zeros(1)
    passages: dict[str, Passage] = {}
    for stage in stages:
        delays = _delays(stage, _ready(stage, offered, passages))
        held_up = delays[:, -1:] + (stage.busy_ns - interval_ns)
        passages[stage.name] = Passage(stage, np.maximum(delays, held_up))
    return Timeline(offered, passages)


def _in_order(stages: Sequence[Stage]) -> Sequence[Stage]:
    """The stages, none of which has a name twice or needs one that is not before it."""
    before: set[str] = set()
    for stage in stages:
        if stage.name in before:
            raise ValueError(f"two stages are called `{stage.name}`")
        for need in stage.needs:
            if need.stage not in before:
                raise ValueError(f"`{stage.name}` needs `{need.stage}`, which is not before it")
        before.add(stage.name)
    if not stages:
        raise ValueError("a pipeline has one stage at least")
    return stages


def _ready(stage: Stage, offered: Floats, passages: dict[str, Passage]) -> Floats:
    """When all that a row needs can be read: [inputs, rows]."""
    ready = np.repeat(offered[:, None], stage.rows, axis=1)
    for need in stage.needs:
        read = passages[need.stage]
        rows = need.last(np.arange(stage.rows), read.stage.rows)
        ready = np.maximum(ready, read.rows_ns[:, rows])
    return ready


def _delays(stage: Stage, ready: Floats) -> Floats:
    """The largest `ready[j] - j * d` so far, over the turns of all inputs in order: [inputs, rows]."""
    inputs = np.arange(len(ready))[:, None]
    before = (inputs * stage.turns + stage.first_turns) * stage.turn_ns
    return np.maximum.accumulate((ready - before).ravel()).reshape(ready.shape)
