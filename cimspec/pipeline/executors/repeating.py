"""Hands tasks to workers, and hands them out again where a worker dies: kill signals, no memory, a node that is lost.

What a worker is, and how it is noticed that one died, is for the executors to say.
"""

import pickle
from abc import abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from cimspec.diag import fail
from cimspec.pipeline.executors.executor import Executor
from cimspec.pipeline.executors.packing import opened

REPEATS = 3  # of one task, each after the death of its worker

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Death:
    """A worker ended before its task did."""

    cause: str


class RepeatingExecutor(Executor):
    """An executor whose workers may die."""

    def __init__(self, room: int) -> None:
        self._room = room  # tasks that are handed out at once
        self._shared: tuple[object, ...] | None = None  # what was shared last
        self._groups: Sequence[Hashable] = ()  # of the tasks that are done now

    def _finished(
        self,
        function: Callable[..., R],
        shared: tuple[object, ...],
        tasks: Sequence[Any],
        groups: Sequence[Hashable],
    ) -> Generator[tuple[int, R]]:
        waiting = deque(range(len(tasks)))
        running = 0
        deaths: defaultdict[int, list[Death]] = defaultdict(list)
        self._groups = groups
        self._share_anew(shared)
        try:
            while waiting or running:
                while waiting and running < self._room:
                    index = self._next(waiting)
                    waiting.remove(index)
                    self._start(index, self._packed((function, tasks[index])))
                    running += 1
                for index, outcome in self._wait():
                    running -= 1
                    if not isinstance(outcome, Death):
                        yield index, opened(outcome)
                        continue
                    deaths[index].append(outcome)
                    if len(deaths[index]) > REPEATS:
                        _give_up(index, len(tasks), deaths[index])
                    waiting.appendleft(index)
        finally:
            self._cancel()

    def _share_anew(self, shared: tuple[object, ...]) -> None:
        if self._shared is None or tuple(map(id, shared)) != tuple(map(id, self._shared)):
            self._share(self._packed(shared))
            self._shared = shared

    def _packed(self, value: object) -> bytes:
        return pickle.dumps(value)

    @abstractmethod
    def _share(self, packed: bytes) -> None:
        """Keep the shared argument, a pickled tuple of one or none, for the calls that start from now on."""

    def _next(self, waiting: Sequence[int]) -> int:
        """Which of the waiting tasks to start."""
        return waiting[0]

    @abstractmethod
    def _start(self, index: int, call: bytes) -> None:
        """Give a call to a worker."""

    @abstractmethod
    def _wait(self) -> Iterable[tuple[int, bytes | Death]]:
        """Wait until at least one started call has ended; index and answer of those that have."""

    @abstractmethod
    def _cancel(self) -> None:
        """Stop all that was started and has not ended."""


def _give_up(index: int, count: int, deaths: list[Death]) -> NoReturn:
    fail(
        "CIM906",
        f"task {index + 1} of {count} was started {len(deaths)} times, and each time its worker died",
        notes=[f"worker {number}: {death.cause}" for number, death in enumerate(deaths, 1)],
        help="use fewer `--workers` if memory runs out; `--workers 1` runs tasks in this process, where errors show",
    )
