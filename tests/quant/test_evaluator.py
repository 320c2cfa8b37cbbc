import numpy as np
import pytest

from cimspec.data.dataset import Split
from cimspec.graph.precision import Policy, Precision
from cimspec.quant.calibrate import calibrate
from cimspec.quant.evaluator import FakeQuantEvaluator, PrefixCache
from cimspec.quant.tables import Tables
from tests.quant.nets import random_images, random_weights, residual_net


@pytest.fixture(scope="module")
def tables() -> Tables:
    graph = residual_net(normalized=False)
    return calibrate(graph, random_weights(graph), random_images(64))


@pytest.fixture(scope="module")
def split() -> Split:
    return Split(random_images(40, seed=2), np.arange(40, dtype=np.int64) % 10)


def random_policies(tables: Tables, count: int) -> list[Policy]:
    rng = np.random.default_rng(0)
    names = [layer.name for layer in tables.graph.crossbar_layers]
    return [
        Policy.of({name: Precision(*map(int, rng.choice([2, 5, 8], size=2))) for name in names}) for _ in range(count)
    ]


@pytest.mark.parametrize("cache_bytes", [10_000, 100_000, 100_000_000])
def test_the_cache_changes_no_result(tables: Tables, split: Split, cache_bytes: int):
    policies = random_policies(tables, 12)
    cached = FakeQuantEvaluator(tables, split, 2.0, cache_bytes=cache_bytes)
    uncached = FakeQuantEvaluator(tables, split, 2.0, cache_bytes=0)
    for policy in [*policies, *policies]:
        ours, plain = cached.quality(policy), uncached.quality(policy)
        assert ours.kl == plain.kl
        np.testing.assert_array_equal(ours.correct, plain.correct)


def test_eight_bits_diverge_less_than_two(tables: Tables, split: Split):
    evaluator = FakeQuantEvaluator(tables, split, 1.0)
    fine, coarse = (evaluator.quality(tables.graph.uniform(bits, bits)) for bits in (8, 2))
    assert 0 <= fine.kl < 0.01 < coarse.kl
    assert fine.accuracy == pytest.approx(fine.correct.mean())


def test_the_prefix_cache_drops_what_was_used_longest_ago():
    import torch

    first, second, third = ((Precision(bits, bits),) for bits in (2, 3, 4))
    values = {"x": torch.zeros(10)}  # 40 bytes
    cache = PrefixCache(80)
    cache.put(first, values)
    cache.put(second, values)
    assert cache.longest(first)[0] == 1  # now `second` is the oldest
    cache.put(third, values)
    assert cache.longest(second) == (0, {})
    assert cache.longest(first)[0] == 1
    assert cache.longest((*third, Precision(8, 8)))[0] == 1  # the longest known prefix
