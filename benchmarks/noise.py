"""Normals per second on one core, and how exact they are: `python benchmarks/noise.py`. Needs scipy."""

import time
from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

from cimspec._kernels import noise
from cimspec.sim.random import Purpose, cell_words, normals, stream_key

KEY = stream_key(seed=0, layer=0, purpose=Purpose.READ)
ROWS, COLUMNS = 64, 4096
REPEATS = 20


def in_c(instructions: str) -> Callable[[], None]:
    """Fill a rectangle of cells with the C version."""
    out = np.empty((ROWS, COLUMNS), np.float32)
    return lambda: noise.cell_normals(*KEY, 0, 0, out, instructions)


def rate(draw: Callable[[], object]) -> float:
    """Normals per second, in the fastest of several calls."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        draw()
        times.append(time.perf_counter() - start)
    return ROWS * COLUMNS / min(times)


def largest_errors() -> tuple[float, float]:
    """Against the exact quantile: absolute within three sigma, and relative beyond."""
    words = np.exp2(np.random.default_rng(0).uniform(0, 31, 4_000_000)).astype(np.uint32)
    exact = ndtri((words + 0.5) * 2.0**-32)
    error, far = np.abs(normals(words) - exact), exact < -3
    return float(error[~far].max()), float((error / np.abs(exact))[far].max())


if __name__ == "__main__":
    versions = {"numpy": lambda: normals(cell_words(KEY, range(ROWS), range(COLUMNS)))}
    versions |= {f"C, {name}": in_c(name) for name in reversed(noise.instruction_sets())}
    for name, draw in versions.items():
        print(f"{name:12} {rate(draw) / 1e6:7.0f} million normals per second")
    within, beyond = largest_errors()
    print(f"largest error {within:.1e} within three sigma; beyond, {beyond:.1e} of the value")
