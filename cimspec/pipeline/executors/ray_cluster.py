"""Runs tasks on a Ray cluster: each is a Ray task that takes one CPU. Ray is loaded here, when it is asked for.

Ray repeats tasks too, but without an end those that ran out of memory, and it does not say how often; so its own
repeating is off, and a dead worker or node means here what it means for processes.
"""

import logging
import os
import pickle
import re
import socket
import sys
from functools import lru_cache
from types import ModuleType
from typing import Any, NoReturn

import cimspec
from cimspec.diag import fail
from cimspec.pipeline.executors.packing import answer
from cimspec.pipeline.executors.processes import environment
from cimspec.pipeline.executors.ray_room import TASK_CPUS, without_room
from cimspec.pipeline.executors.repeating import Death, RepeatingExecutor

QUEUED = 1000
"""Tasks that Ray knows of at once: enough for a cluster to grow by, and few enough to wait for all of them."""

CONNECT_SECONDS = 10.0

LOOK_AFTER = 10.0
"""Seconds without an answer, after which it is looked whether the cluster can take a task at all."""


class RayExecutor(RepeatingExecutor):
    """Tasks on a Ray cluster.

    The cluster is the one at `address` (or in the environment variable RAY_ADDRESS), or one that is started on this
    machine, with `workers` CPUs or all, and ends with the executor. A Ray that this process is connected to already is
    used as it is, and left connected. One without room for a task is waited for, and stderr says so. Nodes have the
    driver's versions of Python, Ray and cimspec. Raises `CimError`: CIM902, CIM907.
    """

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        super().__init__(workers or QUEUED)
        self._ray = load_ray()
        self._is_ours = not self._ray.is_initialized()
        if self._is_ours:
            _connect(self._ray, address or os.environ.get("RAY_ADDRESS"), workers)
        self._remote = self._ray.remote(max_retries=0, num_cpus=TASK_CPUS)(answer_on_node)
        self._running: dict[Any, int] = {}
        self._shared_ref: list[Any] = []
        self._told: str | None = None  # of a lack of room, which is told again where it has changed

    def _packed(self, value: object) -> bytes:
        return bytes(self._ray.cloudpickle.dumps(value))  # takes the driver's own `__main__` along

    def _share(self, packed: bytes) -> None:
        self._shared_ref = [self._ray.put(packed)]  # in a list it is fetched by the worker, which keeps it

    def _start(self, index: int, call: bytes) -> None:
        self._running[self._remote.remote(cimspec.__version__, call, self._shared_ref)] = index

    def _wait(self) -> list[tuple[int, bytes | Death]]:
        tasks = list(self._running)
        while not self._ray.wait(tasks, num_returns=1, timeout=LOOK_AFTER)[0]:
            self._tell_of_room()
        ready, _ = self._ray.wait(tasks, num_returns=len(tasks), timeout=0)
        return [(self._running.pop(task), self._outcome(task)) for task in ready]

    def _tell_of_room(self) -> None:
        found = without_room(self._ray)
        if found and found != self._told:
            print(found, file=sys.stderr, flush=True)
        self._told = found

    def _outcome(self, task: Any) -> bytes | Death:
        errors = self._ray.exceptions
        try:
            return bytes(self._ray.get(task))
        except (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.OutOfMemoryError,
            errors.ObjectLostError,  # it had ended, but its node took the answer along
        ) as error:
            return Death(f"{type(error).__name__}: {_first_line(error)}")
        except errors.RayError as error:
            _no_cluster(f"a node of the Ray cluster cannot run tasks of cimspec: {_last_line(error)}")

    def _cancel(self) -> None:
        while self._running:
            self._ray.cancel(self._running.popitem()[0], force=True)

    def close(self) -> None:
        """Stop what runs, and leave the cluster; one that was started here ends."""
        self._cancel()
        self._shared_ref = []
        if self._is_ours:
            self._ray.shutdown()


def answer_on_node(version: str, call: bytes, shared_ref: list[Any]) -> bytes:
    """What a node does with a call. `shared_ref` holds the reference of the shared argument."""
    if version != cimspec.__version__:
        raise RuntimeError(f"the driver has cimspec {version}, the node has {cimspec.__version__}")
    return answer(call, lambda: _shared(*shared_ref))


@lru_cache(maxsize=1)
def _shared(reference: Any) -> tuple[object, ...]:
    """The shared argument; unpickled here and not by Ray, whose arrays cannot be written to."""
    value: tuple[object, ...] = pickle.loads(load_ray().get(reference))
    return value


def load_ray() -> ModuleType:
    """The package `ray`, told to keep quiet; raises `CimError` (CIM902) without it."""
    try:
        with environment({"RAY_DEDUP_LOGS_SKIP_REGEX": "."}):  # else Ray tells of dead workers on stdout
            import ray
    except ImportError:
        fail("CIM902", "running on Ray needs the package `ray`", help="pip install 'cimspec[ray]'")
    return ray


def _connect(ray: ModuleType, address: str | None, workers: int | None) -> None:
    if address is not None:
        _check_reachable(address)
    options = {"include_dashboard": False, "num_cpus": workers} if address in (None, "local") else {}
    try:
        with environment({"RAY_USAGE_STATS_ENABLED": "0"}):
            ray.init(address=address or "local", logging_level=logging.ERROR, log_to_driver=False, **options)
    except (OSError, ValueError, RuntimeError, ImportError, SystemExit) as error:  # it exits where it gives up
        where = f"there is no Ray cluster at `{address}`" if address else "a Ray cluster cannot be started here"
        _no_cluster(f"{where}: {_first_line(error)}")


def _check_reachable(address: str) -> None:
    """Try the address itself first: Ray tries for minutes, and then ends the process."""
    parts = re.fullmatch(r"(?:ray://)?\[?(.+?)\]?:(\d+)", address)
    if parts is None:
        return  # a name that Ray knows, such as "auto"
    try:
        socket.create_connection((parts[1], int(parts[2])), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        _no_cluster(f"there is no Ray cluster at `{address}`: {error}")


def _no_cluster(message: str) -> NoReturn:
    fail(
        "CIM907",
        message,
        help="start one with `ray start --head --port 6379`, with the same Python packages on every node;"
        " without an address, one is started on this machine",
    )


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _last_line(error: BaseException) -> str:
    return str(error).strip().rpartition("\n")[2] or type(error).__name__
