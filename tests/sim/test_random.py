"""Philox against its published vectors, normals against the exact quantile, C against numpy, and statistics."""

import numpy as np
import pytest
from scipy import special, stats

from cimspec._kernels import noise
from cimspec.sim.random import Purpose, cell_words, normals, philox, read_normals, stream_key, uniforms

MILLION = 1_000_000
KEY = stream_key(seed=1, layer=0, purpose=Purpose.READ)
INSTRUCTIONS = [
    pytest.param(name, marks=pytest.mark.skipif(name not in noise.instruction_sets(), reason=f"this CPU has no {name}"))
    for name in ("portable", "avx2", "avx512")
]


def hex_words(text: str) -> np.ndarray:
    return np.array([int(word, 16) for word in text.split()], np.uint32)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.array_equal(a.view(np.uint32), b.view(np.uint32))


# Random123, tests/kat_vectors, philox4x32 10: counter, key, result.
KNOWN = [
    ("0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox_gives_the_published_words(counter, key, words):
    counters = np.stack([hex_words(counter)] * 3, axis=1)
    key0, key1 = (int(word) for word in hex_words(key))
    expected = np.stack([hex_words(words)] * 3, axis=1)
    assert np.array_equal(philox(counters, (key0, key1)), expected)
    found = np.empty_like(counters)
    noise.philox(counters, key0, key1, found)
    assert np.array_equal(found, expected)


def edge_words() -> np.ndarray:
    """Words where anything could go wrong: both ends, the middle, the ends of octaves; and many at random."""
    rng = np.random.default_rng(0)
    near = np.arange(-2000, 2000)
    octaves = (2 ** np.arange(32)[:, None] + near).ravel()
    logarithmic = np.exp2(rng.uniform(0, 32, MILLION))
    uniform = rng.integers(0, 2**32, MILLION)
    return (np.concatenate([octaves, logarithmic, uniform]).astype(np.int64) % 2**32).astype(np.uint32)


def test_normals_are_the_quantile():
    words = edge_words()
    tail = (np.minimum(words, ~words) + 0.5) * 2.0**-32
    exact = np.where(words >> 31, -1, 1) * special.ndtri(tail)
    error = np.abs(normals(words) - exact)
    assert error.max() < 3e-5


def test_normals_are_symmetric_and_reach_far():
    words = edge_words()
    assert np.array_equal(normals(~words), -normals(words))
    ends = normals(np.array([0, 2**32 - 1], np.uint32))
    assert ends[1] == -ends[0] > 6.3


def test_normals_hardly_ever_step_back():
    # Between octaves and in the last bits neighbours may swap, by far less than the error.
    ordered = np.sort(edge_words())
    assert np.diff(normals(ordered).astype(np.float64)).min() > -1.5e-6


def test_single_normals_in_c_are_those_in_numpy():
    words = edge_words()
    found = np.empty(words.shape, np.float32)
    noise.normals(words, found)
    assert same_bits(found, normals(words))


@pytest.mark.parametrize("instructions", INSTRUCTIONS)
def test_a_million_cells_in_c_are_those_in_numpy(instructions):
    found = np.empty((1000, 1000), np.float32)
    noise.cell_normals(*KEY, 5, 0, found, instructions)
    assert same_bits(found, normals(cell_words(KEY, range(5, 1005), range(1000))))


@pytest.mark.parametrize("instructions", INSTRUCTIONS)
@pytest.mark.parametrize("columns", [range(0, 1), range(0, 64), range(63, 65), range(100, 300), range(7, 7)])
def test_part_of_the_cells_is_part_of_the_whole(instructions, columns):
    whole = normals(cell_words(KEY, range(10), range(400)))
    assert same_bits(normals(cell_words(KEY, range(3, 9), columns)), whole[3:9, columns.start : columns.stop].copy())
    found = np.empty((6, len(columns)), np.float32)
    noise.cell_normals(*KEY, 3, columns.start, found, instructions)
    assert same_bits(found, whole[3:9, columns.start : columns.stop].copy())


@pytest.mark.parametrize("instructions", INSTRUCTIONS)
@pytest.mark.parametrize("outputs", [1, 16, 64, 130])
def test_read_noise_in_c_is_that_in_numpy(instructions, outputs):
    vectors = np.array([0, 3, 2**32 - 1, 2**33 + 1], np.int64)
    found = np.empty((4, 5, outputs), np.float32)
    noise.read_normals(*KEY, vectors, 128, 3, found, instructions)
    assert same_bits(found, read_normals(KEY, outputs, vectors, 5, 128, 3))


def test_read_noise_follows_the_documented_counters():
    vector, step, plane, start, output = 2**33 + 5, 4, 3, 192, 64 + 16 + 7
    counter = [16 + 7, 5, start, plane * 256 + step + (2 << 24)]  # word 1 of lane 7 in the second group
    words = philox(np.array(counter, np.uint32)[:, None], KEY)[:, 0]
    found = read_normals(KEY, 100, np.array([vector]), 5, start, plane)
    assert found[0, step, output] == normals(words)[1]


def test_read_noise_does_not_depend_on_the_batch():
    whole = read_normals(KEY, 90, np.arange(20), 3, 0, 1)
    assert same_bits(read_normals(KEY, 90, np.arange(5, 9), 3, 0, 1), whole[5:9].copy())
    assert same_bits(read_normals(KEY, 70, np.arange(20), 3, 0, 1), whole[..., :70].copy())


def draws() -> np.ndarray:
    return normals(cell_words(KEY, range(1000), range(1000))).astype(np.float64)


def test_moments_are_those_of_the_normal():
    # Standard errors of n draws: mean 1/sqrt(n), variance sqrt(2/n), skew sqrt(6/n), kurtosis sqrt(24/n); five of each.
    x = draws().ravel()
    assert abs(x.mean()) < 5 / np.sqrt(MILLION)
    assert abs(x.var() - 1) < 5 * np.sqrt(2 / MILLION)
    assert abs(stats.skew(x)) < 5 * np.sqrt(6 / MILLION)
    assert abs(stats.kurtosis(x)) < 5 * np.sqrt(24 / MILLION)


def test_the_distribution_is_the_normal():
    # Kolmogorov: P(sqrt(n) D > 2.5) = 2 exp(-2 * 2.5^2) = 7e-6.
    x = draws().ravel()
    assert stats.kstest(x, "norm").statistic < 2.5 / np.sqrt(MILLION)
    # Beyond four sigma lie 6.33e-5 of all: 63.3 expected, with a Poisson spread of 8; five of them.
    assert abs(np.count_nonzero(np.abs(x) > 4) - 63.3) < 40


@pytest.mark.parametrize("lag", [1, 2, 4, 15, 16, 17, 32, 48, 64, 128])
def test_neighbours_are_independent(lag):
    # A correlation of n independent pairs has a standard error of 1/sqrt(n); five of it. Of squares as well.
    x = draws()
    for y in (x, x**2):
        for first, second in ((y[:, :-lag], y[:, lag:]), (y[:-lag], y[lag:])):
            correlation = np.corrcoef(first.ravel(), second.ravel())[0, 1]
            assert abs(correlation) < 5 / np.sqrt(first.size)


def keys() -> list[tuple[int, int]]:
    return [
        stream_key(seed, layer, purpose)
        for seed in (0, 1, 2, 2**32, 2**63)
        for layer in (0, 1, 2, 63)
        for purpose in Purpose
    ]


def test_keys_differ():
    assert len(set(keys())) == 5 * 4 * 4
    assert all(0 <= word < 2**32 for key in keys() for word in key)


def test_streams_of_different_keys_are_independent():
    # 80 keys, 3160 pairs of 20,000 draws: the largest of that many correlations stays below 5.5 / sqrt(n).
    streams = np.stack([normals(cell_words(key, range(20), range(1000))).ravel() for key in keys()])
    correlations = np.corrcoef(streams) - np.eye(len(streams))
    assert np.abs(correlations).max() < 5.5 / np.sqrt(20_000)


def test_uniforms_lie_below_one():
    found = uniforms(np.array([0, 255, 256, 2**31, 2**32 - 1], np.uint32))
    assert found.tolist() == [0.0, 0.0, 2.0**-24, 0.5, 1 - 2.0**-24]
    # The mean of n has a standard error of 1/sqrt(12 n).
    assert abs(uniforms(cell_words(KEY, range(1000), range(1000))).mean() - 0.5) < 5 / np.sqrt(12 * MILLION)


@pytest.mark.parametrize("instructions", ["avx2", "avx512", "sse", None])
def test_a_cpu_without_these_instructions_is_told(instructions):
    out = np.empty((1, 1), np.float32)
    if instructions in noise.instruction_sets():
        noise.cell_normals(0, 0, 0, 0, out, instructions)
    else:
        with pytest.raises(ValueError, match=f"no instruction set {instructions}"):
            noise.cell_normals(0, 0, 0, 0, out, instructions)
