"""How many threads this process may keep busy, wherever work is shared among threads. No result depends on it."""

import os

VARIABLE = "OMP_NUM_THREADS"
"""What libraries of numbers go by; executors and Ray set it in their workers, job schedulers in their jobs."""


def cores() -> int:
    """Cores that this process may run on, at most as many as OMP_NUM_THREADS says; at least 1.

    Of a list (OpenMP 5.2, section 21.1.2: one number for each level of nesting) the first number counts; what is no
    positive number does not.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    first = os.environ.get(VARIABLE, "").partition(",")[0].strip()
    wanted = int(first) if first.isascii() and first.isdigit() else 0
    return min(allowed, wanted or allowed)
