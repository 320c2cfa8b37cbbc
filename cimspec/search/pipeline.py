"""Layers that work at once, each on crossbars of its own: what their options take to keep up an interval.

Loads of all options -> crossbars at a given interval between inputs, and the intervals that there can be. An option
whose copies do P products of `turn` each keeps up the interval T with `ceil(P / floor(T / turn))` of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from cimspec.compiler.copies import Load, choose_copies, copies_needed
from cimspec.graph import Policy
from cimspec.search.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Pipeline:
    """A chip whose weights stay, and what each layer's options ask of it."""

    crossbars: int
    loads: tuple[tuple[Load | None, ...], ...]  # layer by layer; None where crossbars have nothing to do
    values: Callable[[Policy], tuple[float, ...]]  # of a whole policy: digital work, network and segments included

    _bounds_ns: dict[tuple[int, ...], float] = field(default_factory=dict)  # those asked for so far

    def bound_ns(self, choice: tuple[int, ...]) -> float:
        """The interval that crossbars need for one option of each layer; 0 where they cannot hold them all at once."""
        if choice not in self._bounds_ns:
            self._bounds_ns[choice] = self._interval_ns(choice)
        return self._bounds_ns[choice]

    def _interval_ns(self, choice: tuple[int, ...]) -> float:
        loads = [load for own, index in zip(self.loads, choice, strict=True) if (load := own[index])]
        if not loads or sum(load.blocks for load in loads) > self.crossbars:
            return 0.0
        return choose_copies(loads, self.crossbars).interval_ns

    @cached_property
    def intervals_ns(self) -> FloatArray:
        """All times that an option can take for one input, shortest first: the slowest layer's is the interval."""
        loads = {(load.invocations, load.turn_ns) for own in self.loads for load in own if load}
        turns = {invocations: np.unique(-(-invocations // np.arange(1, invocations + 1))) for invocations, _ in loads}
        times = [turns[invocations] * turn_ns for invocations, turn_ns in loads]
        return np.unique(np.concatenate(times)) if times else np.zeros(0)

    def crossbars_within(self, interval_ns: float) -> tuple[FloatArray, ...]:
        """What each layer's options take to keep up `interval_ns`; infinitely many where a turn takes longer."""
        blocks, invocations, turn_ns = self._asked
        copies = copies_needed(invocations, np.minimum(turn_ns, interval_ns), interval_ns)
        taken = np.zeros(len(self._all))
        taken[self._on_crossbars] = np.where(turn_ns <= interval_ns, blocks * copies, np.inf)
        return tuple(np.split(taken, np.cumsum([len(own) for own in self.loads])[:-1]))

    @cached_property
    def _all(self) -> tuple[Load | None, ...]:
        return tuple(load for own in self.loads for load in own)

    @cached_property
    def _on_crossbars(self) -> npt.NDArray[np.bool_]:
        return np.array([load is not None for load in self._all])

    @cached_property
    def _asked(self) -> tuple[IntArray, IntArray, FloatArray]:
        """Blocks, invocations and turn times of what runs on crossbars."""
        loads = [load for load in self._all if load]
        blocks = np.array([load.blocks for load in loads], dtype=np.int64)
        invocations = np.array([load.invocations for load in loads], dtype=np.int64)
        return blocks, invocations, np.array([load.turn_ns for load in loads])
