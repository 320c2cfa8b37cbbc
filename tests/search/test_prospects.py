"""The posterior of prospects against a dense computation, however they joined, and what limits on errors come to."""

import numpy as np
import pytest
from scipy.stats import norm

from cimspec.search.damage import SOFT_ERROR, DamageModel, Prior, interpolate
from cimspec.search.evaluation import Account, Score
from cimspec.search.goal import AccuracyLimit, DivergenceLimit, Goal
from cimspec.search.prospects import NOISE, PAIRS, Critic, Prospects, tolerance
from tests.search.toy import account, toy_space

SPACE = toy_space(3)
BITS = (2, 3, 4, 6, 8)
ASKED = np.array([(0, 0, 0), (3, 7, 24), (24, 24, 23), (11, 2, 9)])
OBJECTIVES = np.array([1.0, 2.0, 3.0, 4.0])


def model() -> DamageModel:
    tables = [tuple(interpolate({2: size / (layer + 1)}, BITS, 8) for layer in range(3)) for size in (0.5, 0.3)]
    return DamageModel(SPACE, Prior(*tables), Score(0.0, 1.0, 0.01), SOFT_ERROR)


def seen_by(critic: Critic, count: int) -> list:
    """The trials that the critic has been shown."""
    rng = np.random.default_rng(count)
    numbers = rng.choice(SPACE.size, count, replace=False)
    choices = [tuple(int(index) for index in np.unravel_index(number, (25, 25, 25))) for number in numbers]
    trials = account(SPACE, count).evaluate_all(choices)
    for trial in trials:
        critic.observe(trial)
    return trials


def covariance(mine: DamageModel, one: tuple, other: tuple) -> float:
    """Of two policies' damages, pair by pair of the precisions that they share."""
    deviations, alone, total = mine.prior_deviation, [], 0.0
    for layer, (a, b) in enumerate(zip(one, other, strict=True)):
        for kind in range(3):
            parameter = mine.parameters[layer][a][kind]
            if parameter == mine.parameters[layer][b][kind]:
                total += deviations[parameter] ** 2
                if kind < 2:
                    alone.append(max(mine.prior_mean[parameter], 0.0) + SOFT_ERROR.floor)
    pairs = sum(first * second for index, first in enumerate(alone) for second in alone[:index])
    return float(total + PAIRS**2 * pairs)


@pytest.mark.parametrize("before", [0, 40, 90])
def test_what_prospects_are_worth_is_that_of_a_dense_computation_whenever_they_joined(before: int):
    mine = model()
    critic = Critic(mine)
    prospects = Prospects(critic, 3)
    early = seen_by(critic, before) if before else []
    if before:
        prospects.add(ASKED, OBJECTIVES)
    late = seen_by(critic, 91)
    if not before:
        prospects.add(ASKED, OBJECTIVES)
    trials = [*early, *late]
    choices = [trial.choice for trial in trials]
    damages = np.array([trial.score.soft_error - 0.01 for trial in trials])
    asked = [tuple(choice) for choice in ASKED.tolist()]

    def mean(choice: tuple) -> float:
        return float(sum(mine.prior_mean[mine.parameters[layer][index]].sum() for layer, index in enumerate(choice)))

    observed = np.array([[covariance(mine, one, other) for other in choices] for one in choices])
    observed += np.diag((NOISE * np.abs(damages) + SOFT_ERROR.floor) ** 2)
    cross = np.array([[covariance(mine, one, other) for other in choices] for one in asked])
    weights = np.linalg.solve(observed, cross.T).T
    means = np.array([mean(choice) for choice in asked]) + weights @ (damages - np.array([mean(c) for c in choices]))
    variances = np.array([covariance(mine, one, one) for one in asked]) - (weights * cross).sum(axis=1)
    expected = norm.cdf((0.3 - means) / np.sqrt(variances + 0.02**2)) * np.log(5.0 / OBJECTIVES)
    assert prospects.worth(0.3, 0.02, 5.0) == pytest.approx(expected, rel=1e-6)


def test_kept_prospects_stay_what_they_were():
    critic = Critic(model())
    prospects = Prospects(critic, 3)
    seen_by(critic, 30)
    prospects.add(ASKED, OBJECTIVES)
    before = prospects.worth(0.3, 0.02, 5.0)
    prospects.keep(np.array([2, 0]))
    assert prospects.choices.tolist() == [[24, 24, 23], [0, 0, 0]]
    assert prospects.worth(0.3, 0.02, 5.0) == pytest.approx(before[[2, 0]])


def test_a_limit_on_errors_is_one_on_soft_errors_but_for_what_they_differ_by():
    # Errors are by 0.03 and 0.01 in turn above the damage (the widest policy's soft error is 0.01): 0.1 is met at 0.08.
    damages = iter([0.0, *np.linspace(0.01, 0.2, 59)])
    beyond = iter([0.03, 0.01] * 30)

    def score(_: object) -> Score:
        damage = next(damages)
        return Score(0.0, 1 - damage - next(beyond), damage + 0.01)

    mine = Account(SPACE, score, 60)
    trials = tuple(mine.evaluate_all((number % 25, number // 25, 0) for number in range(60)))
    threshold, spread = tolerance(Goal(AccuracyLimit(0.9, 0.0), (1.0,)), model(), trials, 5e-4)
    assert threshold == pytest.approx(0.08, abs=1e-3)
    assert spread == pytest.approx(0.01, rel=0.05)
    assert tolerance(Goal(DivergenceLimit(0.2), (1.0,)), model(), trials, 1e-5) == (pytest.approx(0.19), 1e-5)
