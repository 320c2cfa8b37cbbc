"""How many cores torch and numpy use for one operation."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """One core for each operation, and the old number afterwards.

    Layers of small networks are done before a second core has started; and sums then do not depend on the machine's
    number of cores. Work that is independent runs side by side instead.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _blas().limit(limits=1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(threads)


@cache
def _blas() -> ThreadpoolController:
    """The libraries that numpy multiplies with, looked for once: an interrupt that comes while they are is lost."""
    return ThreadpoolController()
