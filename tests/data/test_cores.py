"""Threads: as many as there are cores to run on, fewer where the environment says so, and the same results."""

import os

import pytest

from cimspec.data.cores import cores
from cimspec.pipeline.executors import in_processes


def counted(_: int) -> int:
    return cores()


@pytest.mark.parametrize(
    ("written", "found"),
    [("", 8), ("1", 1), ("3", 3), (" 4 ", 4), ("100", 8), ("2,4", 2), ("0", 8), ("-1", 8), ("many", 8), ("²", 8)],
)
def test_the_environment_bounds_the_cores_of_this_process(monkeypatch, written, found):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", written)
    assert cores() == found


def test_a_process_that_is_kept_to_one_core_has_one(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system does not keep processes to cores")
    before = os.sched_getaffinity(0)
    assert cores() == len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_without_affinities_all_cores_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cores() == 6


def test_workers_have_one_core_each():
    with in_processes(2) as executor:
        assert executor.run(counted, range(4)) == [1] * 4
