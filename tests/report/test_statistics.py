"""Means, intervals and paired tests of a few values."""

import math
from itertools import product

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from cimspec.report.statistics import DRAWN_SIGNS, EXACT_PAIRS, Interval, geometric_mean, least_p, sign_flip_p

values = st.lists(st.integers(-50, 50), min_size=1, max_size=9)


def test_an_interval_is_student_s():
    interval = Interval.of([2.0, 3.0, 4.0])
    assert interval.mean == 3.0
    assert interval.half_width == pytest.approx(4.302653 / math.sqrt(3))  # s = 1; the quantile is of 2 degrees
    assert str(interval) == "3.00 ± 2.48"
    assert str(Interval.of([2.5])) == "2.50"


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=40).filter(lambda own: np.std(own) > 1e-3))
def test_intervals_are_those_of_scipy(own: list[float]):
    interval = Interval.of(own)
    low, high = scipy.stats.t.interval(0.95, len(own) - 1, np.mean(own), scipy.stats.sem(own))
    assert (interval.mean - interval.half_width, interval.mean + interval.half_width) == pytest.approx((low, high))


def test_p_by_hand():
    # Sums of +-1 +-2 +-3: 6 4 2 0 0 -2 -4 -6. All positive: 2 of 8. With the 1 negative the sum is 4: 4 of 8.
    assert sign_flip_p([1, 2, 3]) == 2 / 8
    assert sign_flip_p([-1, 2, 3]) == 4 / 8
    assert sign_flip_p([1, 2, -3]) == 1
    assert sign_flip_p([1, 2, 0, 3]) == 2 / 8  # a tie says nothing
    assert sign_flip_p([0, 0]) == sign_flip_p([]) == 1


@given(values)
def test_p_is_the_share_of_all_ways_to_give_signs(own: list[int]):
    ways = [abs(sum(sign * value for sign, value in zip(signs, own, strict=True)))
            for signs in product((1, -1), repeat=len(own))]  # fmt: skip
    assert sign_flip_p(own) == sum(way >= abs(sum(own)) for way in ways) / len(ways)


def test_p_is_that_of_scipy():
    own = [0.31, -0.02, 0.11, 0.25, 0.07, -0.09, 0.4]
    exact = scipy.stats.permutation_test((own,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_p(own) == pytest.approx(exact.pvalue)


@given(values.filter(any), st.floats(0.01, 100))
def test_p_does_not_depend_on_scale_sign_or_order(own: list[int], scale: float):
    assert sign_flip_p([scale * value for value in own]) == sign_flip_p(own)
    assert sign_flip_p([-value for value in reversed(own)]) == sign_flip_p(own)


def test_with_many_pairs_signs_are_drawn():
    rng = np.random.default_rng(3)
    own = rng.normal(0.4, 1, 30).tolist()
    expected = scipy.stats.ttest_1samp(own, 0).pvalue  # close to it with so many
    assert sign_flip_p(own) == pytest.approx(expected, rel=0.15)
    assert sign_flip_p(own) == sign_flip_p(own)
    assert sign_flip_p([1.0] * 40) == least_p(40) == 1 / (1 + DRAWN_SIGNS)


@pytest.mark.parametrize("pairs", [1, 2, 5, 9, EXACT_PAIRS])
def test_the_least_p_is_reached_by_equal_signs(pairs: int):
    assert sign_flip_p([0.1 * (pair + 1) for pair in range(pairs)]) == least_p(pairs) == 2 / 2**pairs


def test_a_geometric_mean_of_inverses_is_the_inverse():
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert geometric_mean([1 / 2, 1 / 8]) == pytest.approx(1 / 4)
