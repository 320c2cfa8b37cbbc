"""Tasks on a Ray cluster of two nodes, which lose workers and a node, have the results of a loop.

Slow, since a cluster takes seconds to start: run with `-m slow`.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import executor_tasks as tasks
import numpy as np
import pytest
from executor_tasks import Counted, Task, do
from watching import below, is_running, starts, wait_until, workers

from cimspec.diag import CimError
from cimspec.pipeline.executors import ExecutorKind, on_ray, open_executor

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")]


@pytest.fixture
def executor(cluster):
    with open_executor(ExecutorKind.RAY, address=cluster.address) as executor:
        yield executor


def test_results_are_those_of_a_loop_in_the_order_of_the_tasks(executor):
    done = {}
    assert executor.run(tasks.square, range(50), done.__setitem__) == [number**2 for number in range(50)]
    assert done == {number: number**2 for number in range(50)}
    assert executor.run(tasks.first_of, [1], shared=None) == [(None, 1)]
    assert executor.run(lambda number: number + 1, [1]) == [2]
    assert executor.run(tasks.setting, ["OMP_NUM_THREADS"]) == ["1"]


def test_what_is_shared_reaches_each_worker_once_and_can_be_written_to(executor):
    for shared, loads in (same := (Counted(3), 1), same, (Counted(5), 2)):
        found = executor.run(tasks.scaled, range(20), shared=shared)
        assert [value for value, _, _ in found] == [shared.value * number for number in range(20)]
        assert max(loaded for _, _, loaded in found) <= loads
        assert os.getpid() not in {worker for _, worker, _ in found}
    assert all(executor.run(tasks.is_writable, range(4), shared=np.zeros(100_000)))


def test_the_task_of_a_dead_worker_is_repeated(executor, tmp_path):
    work = [Task(number, tmp_path, seconds=0.05, deaths=2 * (number == 3)) for number in range(8)]
    assert executor.run(do, work) == [0, 10, 20, 30, 40, 50, 60, 70]
    assert starts(tmp_path) == {number: 3 if number == 3 else 1 for number in range(8)}


def test_a_task_that_kills_every_worker_ends_the_run(executor, tmp_path):
    with pytest.raises(CimError, match="CIM906 task 2 of 3 was started 4 times") as caught:
        executor.run(do, [Task(0, tmp_path), Task(1, tmp_path, deaths=99), Task(2, tmp_path)])
    assert all("WorkerCrashedError" in note for note in caught.value.diagnostics[0].notes)
    assert starts(tmp_path)[1] == 4


def test_exceptions_arrive_as_they_are_and_the_rest_is_given_up(executor, tmp_path):
    work = [Task(0, tmp_path, error="diagnostic"), *(Task(number, tmp_path, seconds=60.0) for number in range(1, 9))]
    with pytest.raises(CimError) as here:
        do(Task(0, error="diagnostic"))
    with pytest.raises(CimError) as there:
        executor.run(do, work)
    assert there.value.diagnostics == here.value.diagnostics
    assert type(there.value) is CimError
    assert 0 in starts(tmp_path)
    assert len(starts(tmp_path)) <= 3  # two run at once; Ray may have begun a third in the time of its cancelling
    with pytest.raises(tasks.WithDetailError) as caught:
        executor.run(do, [Task(7, error="detail")])
    assert caught.value.detail == 7
    assert executor.run(do, [Task(5)]) == [50]


def test_a_node_of_another_version_is_a_diagnostic(executor, monkeypatch):
    monkeypatch.setattr("cimspec.__version__", "9.9")
    with pytest.raises(CimError, match=r"CIM907 .* the driver has cimspec 9\.9, the node has 0\."):
        executor.run(tasks.square, [1])


def test_a_node_that_is_lost_costs_time_only(cluster, tmp_path, capfd):
    node = cluster.add_node(num_cpus=1, env_vars={"NODE": "lost"})
    (folder := tmp_path / "starts").mkdir()

    def lose() -> None:
        wait_until((tmp_path / "lost").exists)
        cluster.remove_node(node, allow_graceful=False)

    with ThreadPoolExecutor() as threads, on_ray(cluster.address) as executor:
        losing = threads.submit(lose)
        work = [Task(number, folder) for number in range(9)]
        assert executor.run(tasks.do_on_two_nodes, work) == [10 * number for number in range(9)]
        losing.result()
    assert sum(starts(folder).values()) == len(work) + 1  # what ran on the node was begun again
    assert capfd.readouterr().out == ""  # stdout is for results


@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["driver", "terminal"])
def test_ctrl_c_ends_the_cluster_that_was_started_for_a_run(tmp_path, send: Callable[[int, int], None]):
    driver = subprocess.Popen(
        [sys.executable, tasks.__file__, str(tmp_path), "ray"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: len(workers(tmp_path)) == 2)
    processes = below(driver.pid)
    assert set(workers(tmp_path)) < processes
    before = time.monotonic()
    send(driver.pid, signal.SIGINT)
    driver.communicate(timeout=30)
    assert driver.returncode == -signal.SIGINT
    wait_until(lambda: not any(is_running(process) for process in processes))
    assert time.monotonic() - before < 40  # of the 60 seconds that a task takes
