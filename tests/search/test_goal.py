"""Goals: limits, what is made small, and the trials that stand."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimspec.search.evaluation import Score, Trial
from cimspec.search.goal import TRADE_OFFS, AccuracyLimit, DivergenceLimit, Goal, front, goals_of
from cimspec.spec.search import LimitOn, Metric, Objective, Requirements, SearchSpec
from tests.search.toy import toy_space

SPACE = toy_space(1)
BASELINE = Score(0.01, 0.9)


def trial(*values: float, kl: float = 0.0, accuracy: float = 1.0) -> Trial:
    return Trial((0,), SPACE.policy((0,)), values, Score(kl, accuracy))


def searching(required: Requirements | None = None, **fields) -> SearchSpec:
    required = required or Requirements(accuracy_loss_pp=2.0)
    return SearchSpec(weight_bits=(2, 8), activation_bits=(2, 8), require=required, **fields)


def test_a_limit_on_divergence_is_exceeded_by_what_is_beyond_it():
    limit = DivergenceLimit(0.1)
    assert limit.excess(Score(0.1, 0.0)) == 0
    assert limit.excess(Score(0.25, 1.0)) == pytest.approx(0.15)
    assert limit.excess(Score(-0.3, 1.0)) == 0  # fewer bits may suit the chip


@pytest.mark.parametrize("images", [100, 225, 300, 359, 1000])
def test_a_limit_on_accuracy_counts_whole_images_whatever_their_division_rounds_to(images: int):
    # 2 pp of the images may be lost, and not one more.
    for right in range(images // 2, images + 1):
        limit = AccuracyLimit(right / images - 0.02, 2.0)
        allowed = int(0.02 * images + 1e-9)
        assert limit.excess(Score(9.9, (right - allowed) / images)) == 0
        short = limit.excess(Score(0.0, (right - allowed - 1) / images))
        assert short == pytest.approx((allowed + 1) / images - 0.02)
        assert short > 1e-6


def test_a_limit_on_accuracy_is_below_the_8_bit_network():
    (goal,) = goals_of(searching(limit_on=LimitOn.ACCURACY), BASELINE)
    assert goal.limit == AccuracyLimit(pytest.approx(0.88), 2.0)
    assert (goal.weights, str(goal.limit)) == ((1.0,), "accuracy loss <= 2 pp")


@pytest.mark.parametrize(
    ("required", "limit", "text"),
    [
        (Requirements(accuracy=0.95), AccuracyLimit(0.95), "accuracy >= 95 %"),
        (Requirements(accuracy=0.95, accuracy_loss_pp=2.0), AccuracyLimit(0.95), "accuracy >= 95 %"),
        (Requirements(accuracy=0.8, accuracy_loss_pp=2.0), AccuracyLimit(0.9 - 0.02, 2.0), "accuracy loss <= 2 pp"),
    ],
)
def test_of_two_bounds_on_accuracy_the_tighter_one_is_the_limit(required, limit, text):
    (goal,) = goals_of(searching(required, limit_on=LimitOn.ACCURACY), BASELINE)
    assert (goal.limit, str(goal.limit)) == (limit, text)


def test_every_limit_on_divergence_is_a_goal():
    goals = goals_of(searching(kl_limits=(0.1, 0.3)), BASELINE)
    assert goals == tuple(Goal(DivergenceLimit(nats), (1.0,)) for nats in (0.1, 0.3))


def test_trade_offs_go_from_one_metric_to_the_other():
    spec = searching(
        minimize=Objective(factors=((Metric.LATENCY, 2.0),)), pareto=(Metric.LATENCY, Metric.ENERGY), kl_limits=(0.2,)
    )
    weights = [goal.weights for goal in goals_of(spec, BASELINE)]
    assert weights[0] == (2.0, 0.0)  # what the user asked for comes first
    assert weights[1:] == [(1.0, 0.0), (0.75, 0.25), (0.5, 0.5), (0.25, 0.75), (0.0, 1.0)]


def test_of_three_metrics_each_pair_is_traded_off():
    three = (Metric.LATENCY, Metric.ENERGY, Metric.AREA)
    spec = searching(pareto=three, kl_limits=(0.1, 0.2))
    goals = goals_of(spec, BASELINE)
    assert len(goals) == len(set(goals))
    # Each pair has its three mixtures, each metric is there alone; latency alone is the first goal's, too.
    weights = list(dict.fromkeys(goal.weights for goal in goals))
    assert len(weights) == 3 * (TRADE_OFFS - 2) + 3
    assert all(sum(each) == 1 and sum(share > 0 for share in each) <= 2 for each in weights)
    assert {goal.limit for goal in goals} == {DivergenceLimit(0.1), DivergenceLimit(0.2)}


def test_an_objective_is_a_product_of_powers():
    goal = Goal(DivergenceLimit(1.0), (2.0, 0.5, 0.0))
    assert goal.objective((3.0, 16.0, 0.0)) == pytest.approx(36)  # 3^2 * 16^0.5, and what has no power does not count
    assert Goal(DivergenceLimit(1.0), (1.0,)).objective((7.25,)) == 7.25


def test_the_best_takes_least_within_the_limit_then_diverges_least():
    goal = Goal(DivergenceLimit(0.1), (1.0,))
    trials = [trial(5, kl=0.2), trial(7, kl=0.09), trial(7, kl=0.05), trial(9, kl=0.0)]
    assert goal.best(trials) is trials[2]
    assert goal.feasible(trials) == trials[1:]
    assert goal.best(trials[:1]) is goal.best([]) is None
    assert sorted(trials, key=goal.rank)[-1] is trials[0]
    assert goal.rank(trials[0]) < goal.rank(trial(1, kl=0.3))  # of two beyond the limit the closer one


values = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 3)), max_size=25)


@given(values)
def test_a_front_holds_what_nothing_beats_and_something_for_all_else(all_values: list[tuple[int, ...]]):
    trials = [trial(*map(float, each)) for each in all_values]
    found = front(trials)
    assert [each.values for each in found] == sorted({each.values for each in found})

    def covers(one: Trial, other: Trial) -> bool:
        return all(a <= b for a, b in zip(one.values, other.values, strict=True))

    assert not any(covers(one, other) for one, other in product(found, found) if one is not other)
    assert all(any(covers(one, other) for one in found) for other in trials)
    assert all(any(each is one for one in trials) for each in found)


def test_of_equals_on_a_front_the_one_that_diverges_least_stays():
    near, far = trial(1, 2, kl=0.1), trial(1, 2, kl=0.2)
    assert front([far, near]) == (near,)
