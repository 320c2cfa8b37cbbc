"""Parts of a job shared by threads: all are done once, exceptions come out, and jobs may share within jobs."""

import multiprocessing
import threading
import time

import pytest

from cimspec.sim.threads import share


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("parts", [0, 1, 3, 50])
def test_every_part_is_done_once(parts, threads):
    done = []
    share(done.append, range(parts), threads)
    assert sorted(done) == list(range(parts))


def test_threads_work_side_by_side():
    meeting = threading.Barrier(3, timeout=30)
    share(lambda _: meeting.wait(), range(3), 3)  # breaks unless three threads come


@pytest.mark.parametrize("threads", [1, 3])
def test_an_exception_comes_out_and_the_rest_is_left(threads):
    begun = []

    def fail(part):
        begun.append(part)
        time.sleep(0.01)
        raise KeyError(part)

    with pytest.raises(KeyError):
        share(fail, range(1000), threads)
    count = len(begun)
    assert count <= threads
    time.sleep(0.05)
    assert len(begun) == count


def test_an_exception_of_another_thread_comes_out():
    caller = threading.get_ident()
    failed = threading.Event()

    def fail_elsewhere(_part):
        if threading.get_ident() != caller:
            failed.set()
            raise OSError("elsewhere")
        assert failed.wait(30)

    with pytest.raises(OSError, match="elsewhere"):
        share(fail_elsewhere, range(2), 2)


def test_jobs_share_within_jobs():
    done = []
    share(lambda outer: share(lambda inner: done.append((outer, inner)), range(5), 3), range(5), 3)
    assert len(set(done)) == 25


def in_child(queue):
    done = []
    share(done.append, range(4), 2)
    queue.put(sorted(done))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_starts_threads_of_its_own():
    share(lambda _: None, range(4), 2)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=30) == [0, 1, 2, 3]
    child.join(30)
