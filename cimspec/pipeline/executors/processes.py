"""Runs tasks in processes of this machine: one pipe to each, one task at a time in each.

With a pipe for each worker it is known which task a dead worker had; in the pools of `concurrent.futures` and loky the
death of one worker ends all of them, and every running task with them. Workers are spawned: threads, which torch has,
do not survive a fork. A worker ends when its driver does, however that ends.
"""

import os
import pickle
import signal
import sys
import threading
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait

from cimspec.pipeline.executors.executor import Executor
from cimspec.pipeline.executors.packing import answer
from cimspec.pipeline.executors.repeating import Death, RepeatingExecutor

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""Read by numpy and torch when they are loaded, and by `cores`: N workers on N cores are N threads, not N times N."""

LOOK_AFTER = 1.0  # seconds; a pipe that a dead worker's children hold open does not tell that it died
PATIENCE = 2.0  # seconds for an idle worker to end by itself


def in_processes(workers: int) -> Executor:
    """Runs up to `workers` tasks at once, each in a process of its own; these start with the first run, and stay."""
    return _Processes(workers)


class _Processes(RepeatingExecutor):
    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ValueError("there must be a worker")
        super().__init__(workers)
        self._idle: list[_Worker] = []
        self._busy: dict[_Worker, int] = {}
        self._packed_shared = b""

    def _share(self, packed: bytes) -> None:
        self._packed_shared = packed

    def _next(self, waiting: Sequence[int]) -> int:
        """Of a group that an idle worker did last; else of one that no worker is at; else of the one with most left."""
        idle, busy = {worker.group for worker in self._idle}, {worker.group for worker in self._busy}
        left = Counter(self._groups[index] for index in waiting)
        wanted = (left.keys() & idle) or (left.keys() - busy) or {max(left, key=left.__getitem__)}
        return next(index for index in waiting if self._groups[index] in wanted)

    def _start(self, index: int, call: bytes) -> None:
        group = self._groups[index]
        self._idle.sort(key=lambda worker: worker.group == group)
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                break
            worker.stop()
        else:
            worker = _Worker()
        worker.group = group
        self._busy[worker] = index
        worker.send(call, self._packed_shared)

    def _wait(self) -> list[tuple[int, bytes | Death]]:
        ended: list[_Worker] = []
        while not ended:
            ready = wait([worker.connection for worker in self._busy], timeout=LOOK_AFTER)
            ended = [worker for worker in self._busy if (worker.connection in ready if ready else not worker.is_alive)]
        outcomes = []
        for worker in ended:
            outcome = worker.outcome()
            outcomes.append((self._busy.pop(worker), outcome))
            if not isinstance(outcome, Death):
                self._idle.append(worker)
        return outcomes

    def _cancel(self) -> None:
        for worker in self._busy:
            worker.kill()
        while self._busy:
            self._busy.popitem()[0].stop()

    def close(self) -> None:
        self._cancel()
        for worker in self._idle:
            worker.connection.close()
        while self._idle:
            self._idle.pop().stop()


class _Worker:
    """A process that answers calls, seen from the driver."""

    def __init__(self) -> None:
        self.connection, theirs = get_context("spawn").Pipe()
        self._process = get_context("spawn").Process(target=serve, args=(theirs,), name="cimspec worker", daemon=True)
        with _without_interrupts(), environment(ONE_THREAD):
            self._process.start()
        theirs.close()
        self._has: bytes | None = None  # the packed shared argument that was sent last
        self.group: Hashable = None  # of the task that it did last

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.is_alive()

    def send(self, call: bytes, shared: bytes) -> None:
        """Give it a call, and the shared argument if it is not the one of the call before."""
        with suppress(OSError):  # it died: `outcome` will say so
            self.connection.send_bytes(b"" if shared is self._has else shared)
            self.connection.send_bytes(call)
            self._has = shared

    def outcome(self) -> bytes | Death:
        """The answer that is ready, or why there is none."""
        with suppress(EOFError, OSError):
            if self.connection.poll():
                return self.connection.recv_bytes()
        self.stop()
        code = self._process.exitcode
        return Death(f"ended by {signal.Signals(-code).name}" if code and code < 0 else f"ended with exit code {code}")

    def kill(self) -> None:
        """End it at once, without waiting until it has."""
        self._process.kill()

    def stop(self) -> None:
        """End it, by force if it does not end by itself, and wait until it has."""
        self.connection.close()
        if self.is_alive:  # else its children, if there are any, would be waited for
            self._process.join(PATIENCE)
        if self.is_alive:
            self._process.kill()
            self._process.join()


def serve(connection: Connection) -> None:
    """What a worker does: answer calls, until the driver closes the pipe or dies."""
    if sys.platform != "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal's processes; the driver acts
    threading.Thread(target=_end_with_driver, daemon=True).start()
    shared = _Shared(pickle.dumps(()))
    with suppress(EOFError, OSError):
        while True:
            news, call = connection.recv_bytes(), connection.recv_bytes()
            if news:
                shared = _Shared(news)
            connection.send_bytes(answer(call, lambda: shared.value))  # noqa: B023 (called before the next round)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # to take torch apart in good order takes a second


class _Shared:
    """The shared argument in a worker, unpickled when it is first used, and only then."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    @cached_property
    def value(self) -> tuple[object, ...]:
        """The argument, or none."""
        value: tuple[object, ...] = pickle.loads(self._packed)
        self._packed = b""
        return value


def _end_with_driver() -> None:
    driver = parent_process()
    assert driver is not None
    driver.join()
    os._exit(1)  # a task may take minutes, and nobody waits for it


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Environment of the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C for later, here and for good in a process that is started meanwhile: it cannot ignore it so early."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # which start() would do, and unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
