"""A Ray cluster without room for a task is waited for, and stderr says so."""

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from types import SimpleNamespace

import executor_tasks as tasks
import pytest
from watching import wait_until

from cimspec.pipeline.executors import on_ray, ray_cluster
from cimspec.pipeline.executors.ray_room import without_room


def ray_of(*nodes: tuple[bool, dict[str, float]]) -> SimpleNamespace:
    """What stands for the module `ray`, connected to a cluster of some nodes."""
    return SimpleNamespace(
        nodes=lambda: [{"Alive": alive, "Resources": resources} for alive, resources in nodes],
        get_runtime_context=lambda: SimpleNamespace(gcs_address="10.0.0.1:6379"),
    )


def test_one_node_with_a_cpu_is_room_enough_however_busy():
    assert without_room(ray_of((True, {}), (True, {"CPU": 1.0}))) is None


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([(True, {"memory": 1e9})], "no node of the Ray cluster (1 in all) has any"),
        ([(True, {"CPU": 0.5}), (True, {"CPU": 0.25})], "no node of the Ray cluster (2 in all) has more than 0.5"),
        ([(False, {"CPU": 4.0}), (True, {"CPU": 0.0})], "no node of the Ray cluster (1 in all) has any"),
    ],
)
def test_what_a_cluster_has_and_what_a_task_takes_is_told(nodes: list[tuple[bool, dict[str, float]]], words: str):
    first, second = without_room(ray_of(*nodes)).splitlines()
    assert first == f"waiting: a task takes 1 CPU of one node, and {words}"
    assert "`ray start --address 10.0.0.1:6379`" in second


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_tasks_wait_for_a_node_with_a_cpu_and_say_so_once(head, monkeypatch: pytest.MonkeyPatch, capfd):
    monkeypatch.setattr(ray_cluster, "LOOK_AFTER", 0.5)
    looks = []
    monkeypatch.setattr(ray_cluster, "without_room", lambda ray: looks.append(found := without_room(ray)) or found)

    with ThreadPoolExecutor() as threads, on_ray(head.address) as executor:
        running = threads.submit(executor.run, tasks.square, [1, 2, 3])
        wait_until(lambda: len(looks) >= 3)
        head.add_node(num_cpus=1)  # here, since Ray sets signal handlers for a node
        assert running.result(timeout=60) == [1, 4, 9]
    out, told = capfd.readouterr()
    assert told.count("waiting: a task takes 1 CPU of one node") == 1
    assert head.address in told
    assert out == ""
