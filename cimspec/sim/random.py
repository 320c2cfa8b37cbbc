"""Random numbers from counters: what every draw of a simulation is, in numpy; `kernels/noise.h` gives the same bits.

A draw is a function of a key (seed, layer, purpose) and a counter (which cell, or which read), so results depend
neither on threads nor on the order in which parts of a layer are computed. Philox4x32-10: Salmon, Moraes, Dror, Shaw,
"Parallel Random Numbers: As Easy as 1, 2, 3", SC11.

Output (or column) `o` is word `(o % 64) // 16` of the counter whose first word is `(o // 64) * 16 + o % 16`: sixteen
counters give 64 outputs in order. The other counter words say which vector, row set and step, or which row of cells.
"""

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.sim.quantile import QUANTILE

Words = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float32]
Key = tuple[int, int]

GROUP = 64
"""Outputs that share sixteen counters."""

GROUP_COUNTERS = 16
ROUNDS = 10
MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
WEYL = (0x9E3779B9, 0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
MASK64 = (1 << 64) - 1
SIGN = np.uint32(0x80000000)
MANTISSA = np.uint32(0x007FFFFF)
ONE = np.uint32(0x3F800000)


class Purpose(IntEnum):
    """What a stream of draws is for. A search and a report that must not share draws use different seeds."""

    PROGRAM = 1
    STUCK = 2
    DRIFT = 3
    READ = 4


def stream_key(seed: int, layer: int, purpose: Purpose) -> Key:
    """The Philox key of one layer's draws: seed, layer and purpose, each stirred in by splitmix64."""
    state = 0
    for part in (seed, layer, purpose):
        state = _splitmix64(state ^ (int(part) & MASK64))
    return state & 0xFFFFFFFF, state >> 32


def philox(counters: Words, key: Key) -> Words:
    """Philox4x32-10: uint32 `[4, ...]` -> uint32 `[4, ...]`, each counter a block of its own."""
    x0, x1, x2, x3 = counters.astype(np.uint64)
    k0, k1 = key
    for _ in range(ROUNDS):
        p0, p1 = MULTIPLIERS[0] * x0, MULTIPLIERS[1] * x2  # below 2^64: both factors are below 2^32
        x0, x1 = (p1 >> np.uint64(32)) ^ x1 ^ np.uint64(k0), p1 & LOW
        x2, x3 = (p0 >> np.uint64(32)) ^ x3 ^ np.uint64(k1), p0 & LOW
        k0, k1 = (k0 + WEYL[0]) & 0xFFFFFFFF, (k1 + WEYL[1]) & 0xFFFFFFFF
    return np.stack([x0, x1, x2, x3]).astype(np.uint32)


def normals(words: Words) -> Floats:
    """Standard normals: the quantile of `u = (word + 0.5) * 2^-32`, float32, one for each word.

    `|x|` reaches 6.33. The error against the exact quantile is below 3e-5, far less than draws of a chip's noise can
    tell, and a word and its complement give opposite numbers. Each operation is one IEEE float32 operation, so any
    hardware gives the same bits.
    """
    upper = words & SIGN
    # -1 to -2^31: minus the distance to the nearer end. The sign bit is masked away below.
    distance = np.where(upper != 0, words, ~words).view(np.int32).astype(np.float32)
    bits = distance.view(np.uint32)
    octave = (bits >> np.uint32(23)) & np.uint32(31)
    offset = ((bits & MANTISSA) | ONE).view(np.float32) - np.float32(1.5)
    value = QUANTILE[-1][octave]
    for coefficients in QUANTILE[-2::-1]:
        value *= offset
        value += coefficients[octave]
    return np.asarray((value.view(np.uint32) ^ upper).view(np.float32))


def uniforms(words: Words) -> Floats:
    """Numbers in `[0, 1)`, multiples of 2^-24, float32, one for each word."""
    return np.asarray((words >> np.uint32(8)).astype(np.float32) * np.float32(2**-24))


def cell_words(key: Key, rows: range, columns: range) -> Words:
    """A word for each cell `[rows, columns]`: counter words (column, row, 0, 0)."""
    return _lines(key, columns, np.array(rows, np.uint32), np.uint32(0), np.uint32(0))


def read_normals(
    key: Key, outputs: int, vectors: npt.NDArray[Any], steps: int, row_set_start: int, plane: int
) -> Floats:
    """Noise of reads, float32 `[vectors, steps, outputs]`.

    `vectors` are indices of input vectors, below 2^40; `plane` counts what is converted apart (slices and signs).
    Counter words (output, vector, row_set_start, plane * 256 + step); bits of a vector beyond 32 are in the last word.
    """
    indices = np.asarray(vectors).astype(np.uint64)[:, None]
    step = np.arange(steps, dtype=np.uint64) + np.uint64(plane * 256)
    last = (step + ((indices >> np.uint64(32)) << np.uint64(24))) & LOW
    words = _lines(
        key,
        range(outputs),
        (indices & LOW).astype(np.uint32),
        np.uint32(row_set_start),
        last.astype(np.uint32),
    )
    return normals(words)


def _lines(key: Key, outputs: range, c1: Words, c2: np.uint32, c3: Words | np.uint32) -> Words:
    """Words `[..., outputs]` of counters whose other three words broadcast to `[...]`."""
    first = outputs.start // GROUP
    groups = -(-outputs.stop // GROUP) - first if len(outputs) else 0
    c0 = np.arange(groups * GROUP_COUNTERS, dtype=np.uint32) + np.uint32(first * GROUP_COUNTERS)
    others = [np.asarray(word)[..., None] for word in np.broadcast_arrays(c1, c2, c3)]
    words = philox(np.stack(np.broadcast_arrays(c0, *others)), key)
    shape = words.shape[1:-1]
    grouped = np.moveaxis(words.reshape(4, *shape, groups, GROUP_COUNTERS), 0, -2)
    flat = grouped.reshape(*shape, groups * GROUP)
    start = outputs.start - first * GROUP
    return np.ascontiguousarray(flat[..., start : start + len(outputs)])


def _splitmix64(state: int) -> int:
    """Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014."""
    mixed = (state + 0x9E3779B97F4A7C15) & MASK64
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK64
    return mixed ^ (mixed >> 31)
