"""Stages of a pipeline: what each row of a stage needs of other stages, and which turns make it.

A stage makes an image (or a sequence) row by row, in equal turns one after the other: a layer on crossbars does as many
invocations in a turn as it has copies; a digital operation makes one row. Times are per turn.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from cimspec.graph.window import Window

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Row r reads rows `r * stride - padding`, `+ dilation` and so on, `kernel` in all; by default row r alone.

    A negative padding shifts: with -1 row r reads row r + 1.
    """

    stage: str  # whose rows are read
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    def __post_init__(self) -> None:
        if min(self.kernel, self.stride, self.dilation) < 1:
            raise ValueError(f"rows are read by windows of one row at least, which move on: {self}")

    @classmethod
    def of(cls, stage: str, window: Window) -> "Rows":
        """What the windows of a convolution or a pooling read, along the height."""
        return cls(stage, window.kernel[0], window.stride[0], window.padding[0], window.dilation[0])

    def last(self, rows: Ints, height: int) -> Ints:
        """The last of the stage's `height` rows that the reader's `rows` wait for; row 0 where all is padding."""
        return np.clip(rows * self.stride + self._reach, 0, height - 1)

    def last_reader(self, rows: Ints, height: int) -> Ints:
        """The last of the reader's `height` rows that reads each of the stage's `rows`; -1 where none does."""
        readers = np.minimum((rows + self.padding) // self.stride, height - 1)
        return np.where((readers >= 0) & (rows <= readers * self.stride + self._reach), readers, -1)

    @property
    def _reach(self) -> int:
        return self.dilation * (self.kernel - 1) - self.padding


@dataclass(frozen=True, slots=True)
class Whole:
    """Every row reads all rows: global pooling, fully connected layers, the stored operand of attention."""

    stage: str

    def last(self, rows: Ints, height: int) -> Ints:
        """The last of the stage's `height` rows, for each of the reader's `rows`."""
        return np.full_like(rows, height - 1)

    def last_reader(self, rows: Ints, height: int) -> Ints:
        """The last of the reader's `height` rows, for each of the stage's `rows`."""
        return np.full_like(rows, height - 1)


Need = Rows | Whole


class Resource(StrEnum):
    """What a turn is as long as."""

    CROSSBAR = "crossbar"
    DIGITAL = "digital"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the pipeline. Without needs it reads the network's input, as soon as that is offered.

    Invocations are shared evenly among the rows, in order. Crossbars, digital unit and network work on neighbouring
    turns at once, so a turn is as long as the slowest of them.
    """

    name: str
    needs: tuple[Need, ...]
    rows: int  # of its output
    invocations: int  # for one input
    copies: int = 1  # invocations in one turn
    crossbar_ns: float = 0.0  # time of one turn on the crossbars,
    digital_ns: float = 0.0  # on the digital unit,
    network_ns: float = 0.0  # and to send what it made
    latency_ns: float = 0.0  # from the end of a turn until others can read what it made
    row_bytes: int = 0

    def __post_init__(self) -> None:
        if min(self.rows, self.invocations, self.copies) < 1:
            raise ValueError(f"`{self.name}` has one row, one invocation and one copy at least")
        times = (self.crossbar_ns, self.digital_ns, self.network_ns, self.latency_ns)
        if not all(0 <= time < float("inf") for time in times) or self.row_bytes < 0:
            raise ValueError(f"times and bytes of `{self.name}` are finite and not negative")

    @property
    def turns(self) -> int:
        """Turns that one input takes."""
        return -(-self.invocations // self.copies)

    @property
    def turn_ns(self) -> float:
        """Time of one turn."""
        return max(self.crossbar_ns, self.digital_ns, self.network_ns)

    @property
    def busy_ns(self) -> float:
        """Time of all turns of one input."""
        return self.turns * self.turn_ns

    @property
    def bound_by(self) -> Resource:
        """What makes a turn as long as it is; of several the first."""
        times = {
            Resource.CROSSBAR: self.crossbar_ns,
            Resource.DIGITAL: self.digital_ns,
            Resource.NETWORK: self.network_ns,
        }
        return max(times, key=lambda resource: times[resource])

    @property
    def first_turns(self) -> Ints:
        """The turn that makes the first value of each row. No earlier turn needs what the row needs; it does."""
        return np.arange(self.rows) * self.invocations // self.rows // self.copies

    @property
    def last_turns(self) -> Ints:
        """The turn that completes each row."""
        invocations = -(-np.arange(1, self.rows + 1) * self.invocations // self.rows)
        return -(-invocations // self.copies) - 1

    def rows_of(self, turns: Ints) -> Ints:
        """The last row that each turn works on."""
        return np.searchsorted(self.first_turns, turns, side="right") - 1
