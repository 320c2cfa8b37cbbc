"""Executors give the same results in the same order, whatever happens to their workers."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import executor_tasks as tasks
import pytest
from executor_tasks import Counted, Task, do
from watching import is_running, of_session, starts, wait_until, workers

from cimspec.diag import CimError
from cimspec.pipeline.executors import (
    Executor,
    ExecutorKind,
    in_processes,
    in_this_process,
    on_ray,
    open_executor,
)
from cimspec.pipeline.executors.repeating import REPEATS

pytestmark = pytest.mark.slow

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


@pytest.fixture(scope="module")
def two():
    """Two workers, which all tests use one after the other: what one leaves must not harm the next."""
    with in_processes(2) as executor:
        yield executor


@pytest.mark.parametrize("executor", [in_this_process, lambda: in_processes(3)])
def test_results_are_those_of_a_loop_in_the_order_of_the_tasks(executor: Callable[[], Executor]):
    with executor() as each:
        assert each.run(tasks.square, range(50)) == [number**2 for number in range(50)]
        assert each.run(tasks.Doubling(3), (5, 7)) == [15, 21]
        assert each.run(tasks.square, []) == []
        assert each.run(tasks.first_of, [1, 2], shared="s") == [("s", 1), ("s", 2)]
        assert each.run(tasks.first_of, [1], shared=None) == [(None, 1)]


def test_results_keep_the_order_of_tasks_that_end_in_another(two):
    done = []
    result = two.run(
        do, [Task(0, seconds=1.0), Task(1), Task(2), Task(3)], lambda index, value: done.append((index, value))
    )
    assert result == [0, 10, 20, 30]
    assert sorted(done) == [(0, 0), (1, 10), (2, 20), (3, 30)]
    assert done[-1] == (0, 0)  # each is told of as it ends


def test_what_is_shared_reaches_each_worker_once():
    with in_processes(2) as executor:
        first, second = Counted(3), Counted(5)
        for shared, loads in ((first, 1), (first, 1), (second, 2)):
            found = executor.run(tasks.scaled, range(20), shared=shared)
            assert [value for value, _, _ in found] == [shared.value * number for number in range(20)]
            assert {loaded for _, _, loaded in found} == {loads}
        assert {worker for _, worker, _ in found}.isdisjoint({os.getpid()})


def test_tasks_that_belong_together_go_to_one_worker(tmp_path):
    with in_processes(2) as executor:

        def pids(*numbers: int) -> list[int]:
            return [pid for _, pid, _ in executor.run(tasks.scaled, numbers, shared=shared, together=int)]

        shared = Counted(1)
        first, second = pids(0, 1)
        assert first != second
        assert [pids(number)[0] for number in (1, 0, 0, 1)] == [second, first, first, second]
        found = pids(0, 0, 0, 1, 1, 1)
        assert (found[0], found[3]) == (first, second)  # of the others some may be done for who is late
        # Nobody waits: a worker without tasks of its own helps.
        executor.run(do, [Task(number, tmp_path, seconds=0.5) for number in range(2)], together=lambda _: 0)
        assert set(workers(tmp_path)) == {first, second}


def test_a_worker_uses_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with in_processes(1) as executor:
        assert executor.run(tasks.setting, ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]) == ["1", "1"]
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_only_the_task_of_a_dead_worker_is_repeated(two, tmp_path):
    work = [Task(number, tmp_path, seconds=0.05, deaths=2 * (number == 3)) for number in range(8)]
    assert two.run(do, work) == [0, 10, 20, 30, 40, 50, 60, 70]
    assert starts(tmp_path) == {number: 3 if number == 3 else 1 for number in range(8)}


def test_a_task_that_kills_every_worker_ends_the_run(two, tmp_path):
    with pytest.raises(CimError) as caught:
        two.run(do, [Task(0, tmp_path), Task(1, tmp_path, deaths=99, exits=1), Task(2, tmp_path)])
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == ("CIM906", "task 2 of 3 was started 4 times, and each time its worker died")
    ends = ("with exit code 3", "by SIGKILL", "by SIGKILL", "by SIGKILL")
    assert found.notes == tuple(f"worker {number}: ended {end}" for number, end in enumerate(ends, 1))
    assert starts(tmp_path)[1] == 1 + REPEATS


def test_a_death_is_noticed_although_a_child_holds_the_pipe(two, tmp_path):
    before = time.monotonic()
    assert two.run(tasks.die_with_a_child, [Task(1, tmp_path)]) == [10]
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)
    assert time.monotonic() - before < 40


def test_an_idle_worker_that_died_is_replaced(tmp_path):
    with in_processes(1) as executor:
        executor.run(do, [Task(0, tmp_path)])
        os.kill(int((tmp_path / "0-1").read_text()), signal.SIGKILL)
        time.sleep(0.2)
        assert executor.run(do, [Task(1, tmp_path)]) == [10]
    assert starts(tmp_path) == {0: 1, 1: 1}


def test_a_diagnostic_of_a_task_arrives_whole_and_the_rest_is_given_up(two, tmp_path):
    work = [Task(0, tmp_path, error="diagnostic"), *(Task(number, tmp_path, seconds=60.0) for number in range(1, 9))]
    with pytest.raises(CimError) as here:
        do(Task(0, error="diagnostic"))
    with pytest.raises(CimError) as there:
        two.run(do, work)
    assert there.value.diagnostics == here.value.diagnostics
    assert str(there.value) == str(here.value) == "CIM301 99 bits"
    assert "in fail" in there.value.__notes__[0]  # the worker's traceback
    assert set(starts(tmp_path)) <= {0, 1}
    assert two.run(tasks.square, [4]) == [16]


def test_other_exceptions_arrive_as_they_are(two):
    with pytest.raises(tasks.WithDetailError) as caught:
        two.run(do, [Task(7, error="detail")])
    assert caught.value.detail == 7


@pytest.mark.parametrize(("error", "text"), [("two arguments", "1 and 2"), ("unpicklable", "holds a function")])
def test_an_exception_that_cannot_travel_is_told_of(two, error: str, text: str):
    with pytest.raises(RuntimeError, match=f"Error: {text}"):
        two.run(do, [Task(0, error=error)])


def test_a_result_that_cannot_travel_is_an_error(two):
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):  # the type is Python's choice
        two.run(tasks.function_that_cannot_be_pickled, [1])


@needs_proc
def test_an_exception_while_a_result_is_saved_ends_the_run(two, tmp_path):
    def save(index: int, result: int) -> None:
        wait_until(lambda: len(workers(tmp_path)) == 2)
        raise OSError(f"no room for {index}, {result}")

    with pytest.raises(OSError, match="no room for 0, 0"):
        two.run(do, [Task(0, tmp_path), *(Task(number, tmp_path, seconds=30.0) for number in (1, 2, 3))], save)
    assert not is_running(int((tmp_path / "1-1").read_text()))
    assert two.run(do, [Task(5)]) == [50]


def test_executors_by_name(monkeypatch):
    assert type(open_executor()) is type(open_executor(workers=1)) is type(in_this_process())
    assert type(open_executor(ExecutorKind.PROCESSES, workers=2)) is type(in_processes(2))
    with pytest.raises(ValueError, match="a worker"):
        open_executor(workers=0)
    with pytest.raises(ValueError, match="for Ray"):
        open_executor(address="auto")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CimError, match="CIM902") as caught:
        open_executor(ExecutorKind.RAY)
    assert caught.value.diagnostics[0].help == "pip install 'cimspec[ray]'"


@pytest.fixture
def interrupted(tmp_path):
    """A driver in a process group of its own, whose two workers are at work; and a check that nothing is left of it."""
    driver = subprocess.Popen(
        [sys.executable, tasks.__file__, str(tmp_path), "processes"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: len(workers(tmp_path)) == 2)
    processes = of_session(driver.pid)
    assert set(workers(tmp_path)) < processes
    yield driver
    wait_until(lambda: not of_session(driver.pid), 20.0)  # of the 60 that a task takes
    assert starts(tmp_path) == {0: 1, 1: 1}  # nothing was begun after the signal


@needs_proc
@pytest.mark.parametrize(
    "send", [pytest.param(os.kill, marks=pytest.mark.slow, id="driver"), pytest.param(os.killpg, id="terminal")]
)
def test_ctrl_c_ends_driver_and_workers_at_once(interrupted: subprocess.Popen, send: Callable[[int, int], None]):
    before = time.monotonic()
    send(interrupted.pid, signal.SIGINT)
    _, text = interrupted.communicate(timeout=30)
    assert time.monotonic() - before < 10  # of the 60 seconds that a task takes
    assert interrupted.returncode == -signal.SIGINT
    assert text.count("Traceback") == 1  # the driver's own; workers end in silence


def test_workers_leave_ctrl_c_to_the_driver():
    with in_processes(1) as executor:
        (busy,) = executor.run(tasks.interrupt_this_process, [0])
        os.kill(busy, signal.SIGINT)  # it is idle now
        time.sleep(0.2)
        assert executor.run(tasks.interrupt_this_process, [1]) == [busy]


@needs_proc
def test_workers_end_with_a_driver_that_is_killed(interrupted: subprocess.Popen):
    interrupted.kill()
    interrupted.communicate(timeout=30)


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_a_ray_cluster_that_is_not_there_is_a_diagnostic():
    for address, words in {"127.0.0.1:1": "refused", "nonsense": "nonsense", "127.0.0.1:99999": ""}.items():
        with pytest.raises(CimError, match=f"CIM907 there is no Ray cluster at `{address}`: .*{words}"):
            on_ray(address)
