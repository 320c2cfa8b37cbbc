"""Tasks that tests give to executors, some of which kill their worker; and a driver to be interrupted.

Each start of a task leaves a file in `folder`: `<task>-<n>`, which holds the process id of the worker.
"""

import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from cimspec.diag import Source, Span, fail
from cimspec.pipeline.executors import ExecutorKind, open_executor


@dataclass(frozen=True)
class Task:
    number: int
    folder: Path | None = None
    seconds: float = 0.0
    deaths: int = 0  # so many starts end by SIGKILL
    exits: int = 0  # so many starts end by an exit
    error: str = ""


class Counted:
    """A value that knows how often it was unpickled in this process."""

    loads = 0

    def __init__(self, value: int) -> None:
        self.value = value

    def __setstate__(self, state: dict[str, int]) -> None:
        self.__dict__.update(state)
        Counted.loads += 1


class WithTwoArgumentsError(Exception):
    """Can be pickled, but not unpickled."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


class WithDetailError(Exception):
    def __init__(self, detail: int) -> None:
        super().__init__(detail)
        self.detail = detail


class UnpicklableError(Exception):
    def __init__(self) -> None:
        super().__init__("holds a function")
        self.function = lambda: 0


@dataclass
class Doubling:
    factor: int = field(default=2)

    def __call__(self, number: int) -> int:
        return self.factor * number


def square(number: int) -> int:
    return number**2


def scaled(shared: Counted, number: int) -> tuple[int, int, int]:
    """The product, the worker, and how often it unpickled what is shared."""
    return shared.value * number, os.getpid(), Counted.loads


def first_of(shared: object, number: int) -> tuple[object, int]:
    return shared, number


def is_writable(shared: object, number: int) -> bool:
    shared[0] += number
    return shared.flags.writeable


def setting(name: str) -> str | None:
    return os.environ.get(name)


def function_that_cannot_be_pickled(number: int) -> object:
    return lambda: number


def started(task: Task) -> int:
    """Number of this start, 1 for the first."""
    for number in range(1, 100):
        try:
            with (task.folder / f"{task.number}-{number}").open("x") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            continue
        return number
    raise AssertionError


def do(task: Task) -> int:
    """Ten times the task's number, unless the task asks for a death or an error."""
    start = started(task) if task.folder else 1
    time.sleep(task.seconds)
    if start <= task.exits:
        os._exit(3)
    if start <= task.deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    match task.error:
        case "diagnostic":
            source = Source("chip.cim", "adc { bits = 99 }")
            fail("CIM301", "99 bits", Span(source, 6, 10), notes=["a note"], help="fewer")
        case "detail":
            raise WithDetailError(task.number)
        case "two arguments":
            raise WithTwoArgumentsError(1, 2)
        case "unpicklable":
            raise UnpicklableError
    return 10 * task.number


def interrupt_this_process(number: int) -> int:  # noqa: ARG001
    """As Ctrl-C does to every process of a terminal; the process."""
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
    return os.getpid()


def die_with_a_child(task: Task) -> int:
    """The first start leaves a child that holds the worker's pipe open for a minute."""
    if not (task.folder / "child").exists():
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        (task.folder / "child").write_text(str(child))
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * task.number


def do_on_two_nodes(task: Task) -> int:
    """Never ends on the node that is to be lost; elsewhere it waits until a task has begun there."""
    started(task)
    if os.environ.get("NODE") == "lost":
        (task.folder.parent / "lost").touch()
        time.sleep(60)
    while not (task.folder.parent / "lost").exists():
        time.sleep(0.05)
    return 10 * task.number


def drive(folder: Path, kind: ExecutorKind) -> None:
    """Four long tasks on two workers, to be interrupted."""
    with open_executor(kind, workers=2) as executor:
        executor.run(do, [Task(number, folder, seconds=60.0) for number in range(4)])


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background ignore it
    drive(Path(sys.argv[1]), ExecutorKind(sys.argv[2]))
