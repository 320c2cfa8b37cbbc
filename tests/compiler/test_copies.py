"""Copies against hand-computed choices, and against trying all of them."""

import itertools
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.compiler.copies import Load, choose_copies, continuous_interval, fluid_interval


def test_a_hand_computed_choice():
    # One copy each: 12 turns * 10 = 120, 4 * 10 = 40, 1 * 30 = 30 ns; 2 + 1 + 4 = 7 of 13 crossbars.
    # 3 copies of the first: 4 * 10 = 40 ns for 3 * 2 + 1 + 4 = 11. With 13 it can have 4: 3 * 10 = 30 ns, but then the
    # second needs 2 (2 * 10 = 20 ns): 8 + 2 + 4 = 14, one too many.
    loads = [Load(2, 12, 10.0), Load(1, 4, 10.0), Load(4, 1, 30.0)]
    choice = choose_copies(loads, 13)
    assert (choice.counts, choice.crossbars, choice.interval_ns) == ((3, 1, 1), 11, 40.0)
    choice = choose_copies(loads, 14)
    assert (choice.counts, choice.crossbars, choice.interval_ns) == ((4, 2, 1), 14, 30.0)
    # Nothing is faster than one turn of the last layer, and no copy is made that does not help.
    assert choose_copies(loads, 1000) == choice


def test_bounds_of_that_choice():
    # Work: 120, 40 and 30 ns on 2, 1 and 4 crossbars, 13 in all. Fluid: the first and second share 13 - 4:
    # (240 + 40) / 9 = 31.1 ns, above the third's 30. Continuous: 4 and 1 copies: max(30, 40, 30) = 40; 3 and 2: 40.
    loads = [Load(2, 12, 10.0), Load(1, 4, 10.0), Load(4, 1, 30.0)]
    assert fluid_interval(loads, 13) == pytest.approx(280 / 9, rel=1e-12)
    assert continuous_interval(loads, 13) == 40.0
    assert continuous_interval(loads, 14) == 30.0
    # 7 products by 2 copies take 4 turns: 40 ns; divided evenly 35.
    assert choose_copies([Load(1, 7, 10.0)], 2).interval_ns == 40.0
    assert continuous_interval([Load(1, 7, 10.0)], 2) == 35.0
    # What exactly fits is as slow as its slowest layer.
    assert fluid_interval(loads, 7) == continuous_interval(loads, 7) == choose_copies(loads, 7).interval_ns == 120.0


def test_turns_are_compared_as_they_are_computed():
    # 3 * 0.1 is 0.30000000000000004 in float64, above 0.3: one copy of the first layer takes longer than the second.
    loads = [Load(1, 3, 0.1), Load(1, 1, 0.3)]
    assert choose_copies(loads, 2).interval_ns == 3 * 0.1
    assert choose_copies(loads, 3).counts == (2, 1)
    assert choose_copies(loads, 3).interval_ns == 0.3


loads_of_any_kind = st.lists(
    st.builds(Load, st.integers(1, 4), st.integers(1, 12), st.sampled_from([0.1, 0.3, 0.7, 1.0, 1.4, 10.0, 1e5])),
    min_size=1,
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(loads_of_any_kind, st.integers(0, 25))
def test_no_other_choice_is_better(loads, spare):
    crossbars = sum(load.blocks for load in loads) + spare
    choice = choose_copies(loads, crossbars)
    every = [
        (max(load.interval_ns(count) for load, count in zip(loads, counts, strict=True)), taken)
        for counts in itertools.product(*(range(1, load.invocations + 1) for load in loads))
        if (taken := sum(load.blocks * count for load, count in zip(loads, counts, strict=True))) <= crossbars
    ]
    assert (choice.interval_ns, choice.crossbars) == min(every)
    assert choice.interval_ns == max(load.interval_ns(n) for load, n in zip(loads, choice.counts, strict=True))
    assert choice.crossbars == sum(load.blocks * n for load, n in zip(loads, choice.counts, strict=True))


@settings(max_examples=200, deadline=None)
@given(loads_of_any_kind, st.integers(0, 15))
def test_no_other_division_of_the_work_is_faster(loads, spare):
    crossbars = sum(load.blocks for load in loads) + spare
    every = [
        max(load.invocations * load.turn_ns / count for load, count in zip(loads, counts, strict=True))
        for counts in itertools.product(range(1, spare + 2), repeat=len(loads))
        if sum(load.blocks * count for load, count in zip(loads, counts, strict=True)) <= crossbars
    ]
    assert continuous_interval(loads, crossbars) == min(every)


many_loads = st.lists(
    st.builds(Load, st.integers(1, 500), st.integers(1, 10**5), st.floats(1e-3, 1e7)), min_size=1, max_size=60
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(many_loads, st.integers(0, 10**6))
def test_whole_copies_are_no_faster_than_fractions_and_whole_turns_no_faster_than_fractions(loads, spare):
    crossbars = sum(load.blocks for load in loads) + spare
    fluid = fluid_interval(loads, crossbars)
    continuous = continuous_interval(loads, crossbars)
    choice = choose_copies(loads, crossbars)
    assert fluid <= continuous * (1 + 1e-12)
    assert continuous <= choice.interval_ns * (1 + 1e-12)
    assert choice.crossbars <= crossbars
    # The fluid bound uses all crossbars: that many, or every layer has one copy.
    used = sum(load.blocks * max(1.0, load.invocations * load.turn_ns / fluid) for load in loads)
    assert math.isclose(used, crossbars, rel_tol=1e-9)
    assert choose_copies(loads, crossbars + 1).interval_ns <= choice.interval_ns


@settings(max_examples=100, deadline=None)
@given(many_loads, st.integers(0, 10**6))
def test_one_copy_less_of_any_layer_would_be_slower(loads, spare):
    choice = choose_copies(loads, sum(load.blocks for load in loads) + spare)
    for load, count in zip(loads, choice.counts, strict=True):
        assert 1 <= count <= load.invocations
        assert count == 1 or load.interval_ns(count - 1) > choice.interval_ns


def test_what_does_not_fit_is_refused():
    for function in (choose_copies, continuous_interval, fluid_interval):
        with pytest.raises(ValueError, match=r"^one copy of each of 2 layers takes 7 crossbars of 6$"):
            function([Load(3, 1, 1.0), Load(4, 1, 1.0)], 6)
        with pytest.raises(ValueError, match="no layer"):
            function([], 6)


@pytest.mark.parametrize("wrong", [(0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.0), (1, 1, math.inf), (1, 1, math.nan)])
def test_a_load_takes_crossbars_products_and_time(wrong):
    with pytest.raises(ValueError, match=r"a layer|a turn"):
        Load(*wrong)


def test_a_large_network_takes_milliseconds():
    loads = [Load(1 + index % 300, 1 + (index * 7919) % 100_000, 1000.0 + index) for index in range(54)]
    best = math.inf
    for _ in range(5):
        start = time.perf_counter()
        choose_copies(loads, 1_000_000)
        best = min(best, time.perf_counter() - start)
    assert best < 0.02  # about 1 ms on an idle machine
