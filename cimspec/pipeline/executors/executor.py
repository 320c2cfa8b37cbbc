"""What every executor does: a function and tasks -> results in the order of the tasks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")


class _Nothing:
    """Stands for a shared argument that was not given; None may be one."""


NOTHING: Final = _Nothing()


class Executor(ABC):
    """Runs independent tasks. To be used in a `with`, which ends the workers; `run` may be called many times."""

    @overload
    def run(
        self,
        function: Callable[[T], R],
        tasks: Sequence[T],
        on_done: Callable[[int, R], None] | None = None,
        *,
        together: Callable[[T], Hashable] | None = None,
    ) -> list[R]: ...

    @overload
    def run(
        self,
        function: Callable[[S, T], R],
        tasks: Sequence[T],
        on_done: Callable[[int, R], None] | None = None,
        *,
        shared: S,
        together: Callable[[T], Hashable] | None = None,
    ) -> list[R]: ...

    def run(
        self,
        function: Callable[..., R],
        tasks: Sequence[T],
        on_done: Callable[[int, R], None] | None = None,
        *,
        shared: object = NOTHING,
        together: Callable[[T], Hashable] | None = None,
    ) -> list[R]:
        """`function(task)` of every task, or `function(shared, task)`; results in the order of `tasks`.

        `function` is defined at the top of a module; it, `shared`, tasks and results are picklable. `shared` goes to
        each worker once; the next run with the same object does not send it again, so it must not change in between.
        Tasks begin in their order, but those for which `together(task)` is the same go to one process where that keeps
        no other one waiting, in this run and the next ones: to whom did the first of them, much may be at hand.
        `on_done(index, result)` is called here as each task ends, in whatever order they do.

        An exception of the function ends the run: it is raised here, and tasks that are not finished are given up. A
        task whose worker dies is done again; `CimError` (CIM906) where that does not help.
        """
        results: dict[int, R] = {}
        groups = [together(task) if together else None for task in tasks]
        with closing(self._finished(function, () if shared is NOTHING else (shared,), tasks, groups)) as finished:
            for index, result in finished:
                results[index] = result
                if on_done:
                    on_done(index, result)
        return [results[index] for index in range(len(tasks))]

    @abstractmethod
    def _finished(
        self,
        function: Callable[..., R],
        shared: tuple[object, ...],
        tasks: Sequence[Any],
        groups: Sequence[Hashable],
    ) -> Generator[tuple[int, R]]:
        """Index and result of each task as it ends. Closing the generator gives up what still runs."""

    @abstractmethod
    def close(self) -> None:
        """End the workers."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _InThisProcess(Executor):
    def _finished(
        self,
        function: Callable[..., R],
        shared: tuple[object, ...],
        tasks: Sequence[Any],
        _: Sequence[Hashable],
    ) -> Generator[tuple[int, R]]:
        for index, task in enumerate(tasks):
            yield index, function(*shared, task)

    def close(self) -> None:
        pass


def in_this_process() -> Executor:
    """Runs tasks here, one after the other. Nothing is pickled."""
    return _InThisProcess()
