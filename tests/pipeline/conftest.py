"""A Ray cluster of two nodes on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cimspec.pipeline.executors.ray_cluster import load_ray


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    """Two nodes of one CPU each, where the code of the tasks is installed; the driver runs on neither."""
    load_ray()
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(Path(__file__).parent))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        for _ in range(2):
            cluster.add_node(num_cpus=1)
        yield cluster
        cluster.shutdown()
