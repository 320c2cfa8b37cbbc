"""Says that a Ray cluster has no room for a task: Ray waits for a node that has, without a word and without an end.

To wait is right, since clusters grow; to be left in the dark is not.
"""

from types import ModuleType
from typing import Any

TASK_CPUS = 1
"""What one task takes, all of it on one node."""


def without_room(ray: ModuleType) -> str | None:
    """What to say of a cluster in which no task can start; None where some node, busy or not, is large enough."""
    cpus = [_cpus(node) for node in ray.nodes() if node["Alive"]]
    most = max(cpus, default=0.0)
    if most >= TASK_CPUS:
        return None
    address = ray.get_runtime_context().gcs_address
    has = f"more than {most:g}" if most else "any"
    return (
        f"waiting: a task takes {TASK_CPUS} CPU of one node, and no node of the Ray cluster ({len(cpus)} in all) "
        f"has {has}\nhelp: start a node that has, with the same Python packages: `ray start --address {address}`; "
        "tasks begin when it has joined, Ctrl-C gives up"
    )


def _cpus(node: dict[str, Any]) -> float:
    """CPUs that a node lends, whether they are free or not."""
    return float(node["Resources"].get("CPU", 0.0))
