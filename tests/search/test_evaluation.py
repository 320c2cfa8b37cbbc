"""Counting, keeping and comparing evaluations."""

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest

from cimspec.diag import CimError
from cimspec.search.evaluation import Account, BudgetSpentError, Score, Store, Trial
from cimspec.search.finalists import Comparison, finalist, finalists, is_good_enough
from cimspec.search.uniform import uniform_finalists
from cimspec.spec import Requirements
from tests.search.toy import goal, toy_score, toy_space

SPACE = toy_space(2)


def test_asking_again_is_free_and_a_new_policy_beyond_the_budget_is_refused():
    mine = Account(SPACE, toy_score, budget=2)
    mine.evaluate((0, 0))
    mine.evaluate((0, 1))
    assert mine.evaluate((0, 0)).choice == (0, 0)
    assert mine.spent == 2
    with pytest.raises(BudgetSpentError):
        mine.evaluate((1, 1))


def test_scores_survive_on_disk_and_are_not_measured_twice(tmp_path):
    calls = []

    def measure(policy):
        calls.append(policy)
        return toy_score(policy)

    policy = SPACE.policy((3, 4))
    with Store(tmp_path / "e.sqlite", "digest") as store:
        first = store.score(policy, measure)
    with Store(tmp_path / "e.sqlite", "digest") as store:
        assert len(store) == 1
        assert store.score(policy, measure) == first
    with Store(tmp_path / "e.sqlite", "another network") as store:
        store.score(policy, measure)
    assert len(calls) == 2


def test_an_interrupted_search_keeps_every_finished_evaluation(tmp_path):
    def measure(policy):
        if policy == SPACE.policy((1, 1)):
            raise KeyboardInterrupt
        return toy_score(policy)

    with Store(tmp_path / "e.sqlite", "digest") as store:
        for choice in ((0, 0), (0, 1)):
            store.score(SPACE.policy(choice), measure)
        with pytest.raises(KeyboardInterrupt):
            store.score(SPACE.policy((1, 1)), measure)
    with Store(tmp_path / "e.sqlite", "digest") as store:
        assert len(store) == 2


def keep_some(task: tuple[Path, float, int]) -> int:
    """Opens the file at a given moment, as others do, and measures what they measure, too."""
    path, start, first = task
    time.sleep(max(0.0, start - time.time()))
    with Store(path, "digest") as store:
        for number in range(first, first + 40):
            store.score(SPACE.policy((number // 25, number % 25)), toy_score)
        return len(store)


@pytest.mark.slow
def test_workers_may_open_and_write_one_file_at_the_same_moment(tmp_path):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for repeat in range(15):
            path = tmp_path / f"{repeat}.sqlite"
            tasks = [(path, time.time() + 0.05, 20 * number) for number in range(4)]
            assert all(known >= 40 for known in pool.map(keep_some, tasks, chunksize=1))
            with Store(path, "digest") as store:
                assert len(store) == 100


def test_a_file_that_is_no_database_is_a_diagnostic(tmp_path):
    path = tmp_path / "e.sqlite"
    path.write_text("not a database, but long enough to be looked at as one" * 20)
    with pytest.raises(CimError, match="CIM904"):
        Store(path, "digest")


def trial(time_ns: float, kl: float) -> Trial:
    choice = (int(time_ns) % 25, int(time_ns) // 25 % 25)
    return Trial(choice, SPACE.policy(choice), (time_ns,), Score(kl, 1.0))


def test_a_finalist_diverges_least_among_those_about_as_fast():
    # 101 is within 1.5 % of 100 and diverges less; 102 is not.
    trials = (trial(100, 0.02), trial(101, 0.01), trial(102, 0.001), trial(99, 0.5))
    assert finalist(trials, goal(0.03)).values == (101,)
    assert finalist(trials, goal(0.0001)) is None


def test_finalists_are_the_fastest_under_each_limit_without_repetition():
    trials = (trial(50, 0.3), trial(90, 0.02), trial(70, 0.02), trial(60, 0.2), trial(200, 0.001), trial(120, 0.006))
    assert goal(0.0001).best(trials) is None
    # 60 is the fastest within 0.25, 70 within 0.03 and 0.02; then 120 within half of 0.02, 200 within an eighth.
    goals = (goal(0.02), goal(0.03), goal(0.25))
    assert [each.values[0] for each in finalists(trials, goals)] == [60, 70, 120, 200]
    assert finalists((), (goal(0.02),)) == ()


def test_uniform_finalists_leave_out_what_is_hopeless_or_slower_and_no_closer():
    trials = (trial(90, 0.02), trial(70, 0.05), trial(80, 0.05), trial(60, 0.2), trial(100, 0.03), trial(50, 0.31))
    # Three times the loosest limit is 0.3.
    assert [each.values[0] for each in uniform_finalists(trials, (goal(0.05), goal(0.1)))] == [60, 70, 90]
    assert uniform_finalists((), (goal(0.1),)) == ()


def test_images_gained_and_lost_are_counted_in_pairs():
    baseline = np.array([True] * 95 + [False] * 5)
    candidate = np.array([False] * 3 + [True] * 92 + [True] * 1 + [False] * 4)
    found = Comparison.of(baseline[None], candidate[None])
    assert (found.images, found.gained, found.lost) == (100, 1, 3)
    assert found.loss_pp == pytest.approx(2.0)
    # mean 0.02, variance 0.04 - 0.0004, standard error sqrt(0.0396 / 100) = 0.0199; 0.02 + 1.645 * 0.0199 = 0.0527
    assert found.loss_bound_pp == pytest.approx(5.27, abs=0.01)
    assert found.meets(2.0)
    assert not found.meets(1.9)


def test_one_image_is_forgiven_where_the_allowed_loss_is_finer():
    same = np.ones((1, 400), bool)
    one_less, two_less = same.copy(), same.copy()
    one_less[0, 0], two_less[0, :2] = False, False
    assert Comparison.of(same, one_less).meets(0.086)
    assert not Comparison.of(same, two_less).meets(0.086)
    # Rule of three: no differing image out of 400 rules out losses above 3 / 400 = 0.75 pp.
    assert Comparison.of(same, same).loss_bound_pp == pytest.approx(0.75)


def test_draws_of_the_chip_are_averaged_and_do_not_count_as_more_images():
    baseline = np.ones((4, 100), bool)
    candidate = baseline.copy()
    candidate[0, :6] = False  # one chip of four loses six images: 1.5 on average
    found = Comparison.of(baseline, candidate)
    assert (found.images, found.draws, found.lost) == (100, 4, 6)
    assert found.loss_pp == pytest.approx(1.5)
    # Allowed are one image or 1.5 % of them, on average over draws: 4 or 6 of 400.
    assert found.meets(1.5)
    assert not found.meets(1.2)
    # mean 0.015, variance 0.015 - 0.000225, standard error over 100 images 0.01216: 0.015 + 1.645 * 0.01216 = 0.035.
    assert found.loss_bound_pp == pytest.approx(3.5, abs=0.01)


def test_the_required_accuracy_is_the_mean_over_draws():
    baseline = np.ones((4, 100), bool)
    candidate = baseline.copy()
    candidate[0, :6] = False  # 394 of 400
    assert is_good_enough(Requirements(accuracy=0.985), baseline, candidate)
    assert not is_good_enough(Requirements(accuracy=0.986), baseline, candidate)
    assert not is_good_enough(Requirements(accuracy=0.985, accuracy_loss_pp=1.2), baseline, candidate)
    assert is_good_enough(Requirements(accuracy=0.985, accuracy_loss_pp=1.5), baseline, candidate)
