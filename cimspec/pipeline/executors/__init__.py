"""Where independent tasks run: in this process, in other processes, on a Ray cluster. The results are the same.

    with open_executor(ExecutorKind.PROCESSES, workers=4) as executor:
        scores = executor.run(score, policies, shared=network)   # score(network, policy) for each policy

What is shared and what is done for each task must not depend on who does it: tasks keep no state and draw their random
numbers from seeds of their own.
"""

from enum import StrEnum

from cimspec.pipeline.executors.executor import Executor, in_this_process
from cimspec.pipeline.executors.processes import in_processes

__all__ = ["Executor", "ExecutorKind", "in_processes", "in_this_process", "on_ray", "open_executor"]


class ExecutorKind(StrEnum):
    """What runs the tasks of a command."""

    PROCESSES = "processes"
    RAY = "ray"


def open_executor(
    kind: ExecutorKind = ExecutorKind.PROCESSES, workers: int | None = None, address: str | None = None
) -> Executor:
    """The executor that a command asks for; to be used in a `with`.

    `workers` is the number of tasks that run at once. Without it processes means this one, and Ray all that its cluster
    has room for. `address` is for Ray only. Raises `CimError`: CIM902 without the package `ray`, CIM907 without a
    cluster.
    """
    match kind:
        case ExecutorKind.PROCESSES:
            if address is not None:
                raise ValueError("an address is for Ray")
            return in_this_process() if workers in (None, 1) else in_processes(workers)
        case ExecutorKind.RAY:
            return on_ray(address, workers)


def on_ray(address: str | None = None, workers: int | None = None) -> Executor:
    """Runs tasks on the Ray cluster at `address`, or on one that is started here; see `executors.ray_cluster`."""
    from cimspec.pipeline.executors.ray_cluster import RayExecutor

    return RayExecutor(address, workers)
