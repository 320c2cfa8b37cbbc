"""Parts of a job, done by the calling thread and by threads that stand by.

These are kept: to start one takes about as long as a small layer's product.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")


def share(work: Callable[[T], None], parts: Iterable[T], threads: int) -> None:
    """Do `work` for each part, on `threads` threads at most; returns when all is done, or raises what a part raised.

    Threads take parts as they come free. The caller never waits for a thread that has not begun, so `work` may itself
    share.
    """
    waiting = iter(tuple(parts))  # taking the next of it is atomic

    def take() -> None:
        for part in waiting:
            work(part)

    helpers = [_standing_by(threads - 1).submit(take) for _ in range(threads - 1)]
    try:
        take()
    finally:
        for _ in waiting:
            pass  # after an exception the rest is left
        begun = [helper for helper in helpers if not helper.cancel()]
    for helper in begun:
        helper.result()


@cache
def _standing_by(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "cimspec")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_standing_by.cache_clear)  # a child has none of its parent's threads
