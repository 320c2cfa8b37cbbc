"""Tells how many tasks have ended."""

from collections.abc import Callable

from cimspec.quant.optimize import Progress


def counter(progress: Progress, total: int, text: str) -> Callable[[int, object], None]:
    """What `Executor.run` calls as tasks end: `progress` gets how many of `total` that makes, and `text`."""
    done = 0

    def count(_: int, __: object) -> None:
        nonlocal done
        done += 1
        progress(done, total, text)

    return count
