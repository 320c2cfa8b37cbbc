"""A Ray cluster on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cimspec.pipeline.executors.ray_cluster import load_ray


@pytest.fixture(scope="module")
def head() -> Iterator:
    """A cluster that takes no tasks: its one node has no CPUs. The code of the tasks is installed on all nodes."""
    load_ray()
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(Path(__file__).parent))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        yield cluster
        cluster.shutdown()


@pytest.fixture(scope="module")
def cluster(head):
    """The same with two nodes of one CPU each; the driver runs on neither."""
    for _ in range(2):
        head.add_node(num_cpus=1)
    return head
