"""The model of damages against a dense computation, and against what it saw."""

import numpy as np
import pytest

from cimspec.graph import Policy
from cimspec.search.damage import (
    DIVERGENCE,
    INTERACTION,
    NOISE,
    SOFT_ERROR,
    SPREAD,
    DamageModel,
    Prior,
    choice_damage,
    interpolate,
)
from cimspec.search.evaluation import Account, Score
from cimspec.search.space import Choice, Space
from tests.search.toy import account, toy_score, toy_space

SPACE = toy_space(2)
THREE_LAYERS = toy_space(3)
BITS = (2, 3, 4, 6, 8)


def prior(space: Space) -> Prior:
    """Damages at 2 bits that differ from layer to layer."""
    tables = [
        tuple(interpolate({2: size / (layer + 1)}, BITS, 8) for layer in range(len(space.options)))
        for size in (0.5, 0.3)
    ]
    return Prior(*tables)


class Played:
    """Gives what it was told to, in place of random numbers."""

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers

    def standard_normal(self, size: int) -> np.ndarray:
        drawn, self.numbers = self.numbers[:size], self.numbers[size:]
        assert len(drawn) == size
        return drawn


def flat(table: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.concatenate(table)


def dense_posterior(
    space: Space, choices: list[Choice], seen: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean [options] and covariance [options, options] of all layers' options, by the formula for Gaussians."""
    mine, floor = prior(space), SOFT_ERROR.floor
    names: dict[tuple, int] = {}
    means, deviations, uses = [], [], []  # uses: which parameters each option sums
    for layer, options in enumerate(space.options):
        for option in options:
            w, a = option.precision
            weights, activations = mine.weights[layer][w], mine.activations[layer][a]
            own = (
                (("w", layer, w), weights, SPREAD * weights + floor),
                (("a", layer, a), activations, SPREAD * activations + floor),
                (("both", layer, w, a), 0.0, INTERACTION * (weights + activations) + floor),
            )
            for name, mean, deviation in own:
                if name not in names:
                    names[name] = len(names)
                    means.append(mean)
                    deviations.append(deviation)
            uses.append([names[name] for name, _, _ in own])
    design = np.zeros((len(uses), len(names)))
    for row, used in enumerate(uses):
        design[row, used] = 1
    offsets = np.cumsum([0, *(len(options) for options in space.options)])
    asked = np.array([
        sum(design[offsets[layer] + index] for layer, index in enumerate(choice)) for choice in choices
    ])  # fmt: skip
    mean, covariance = np.array(means), np.diag(np.square(deviations))
    gain = covariance @ asked.T @ np.linalg.inv(asked @ covariance @ asked.T + np.diag(noise**2))
    posterior = mean + gain @ (seen - asked @ mean)
    left = covariance - gain @ asked @ covariance
    return design @ posterior, design @ left @ design.T


@pytest.mark.parametrize("count", [1, 63, 64, 65, 150])
def test_the_factor_that_grows_gives_the_posterior_of_a_dense_computation(count: int):
    # What is drawn is affine in the normal numbers: at zeros it is the mean, and its columns make the covariance.
    space = THREE_LAYERS
    rng = np.random.default_rng(count)
    every = rng.choice(space.size, count, replace=False)
    choices = [tuple(int(index) for index in np.unravel_index(number, (25, 25, 25))) for number in every]
    model = DamageModel(space, prior(space), Score(0.0, 1.0, 0.01), SOFT_ERROR)
    seen = []
    for trial in account(space, count).evaluate_all(choices):
        model.observe(trial)
        seen.append(trial.score.soft_error - 0.01)
    noise = NOISE * np.abs(seen) + SOFT_ERROR.floor
    mean, covariance = dense_posterior(space, choices, np.array(seen), noise)
    numbers = 3 * (5 + 5 + 25) + count
    center = flat(model.sample(Played(np.zeros(numbers))))
    columns = np.array([flat(model.sample(Played(row))) - center for row in np.eye(numbers)])
    assert center == pytest.approx(mean, abs=1e-9)
    assert columns.T @ columns == pytest.approx(covariance, abs=1e-9)


def test_what_others_nearly_imply_does_not_break_the_factor():
    # With almost no noise the fourth corner of a square is the sum of two less the third, but for interactions.
    model = DamageModel(SPACE, Prior(*((dict.fromkeys(BITS, 0.0),) * 2,) * 2), Score(0.0, 1.0))
    mine = Account(SPACE, lambda _: Score(0.0, 1.0), 1000)
    for choice in [(i, j) for i in range(25) for j in range(25)]:
        model.observe(mine.evaluate(choice))
    for table in model.sample(np.random.default_rng(0)):
        assert np.isfinite(table).all()
        assert (np.abs(table) < 1e-3).all()


def test_damage_is_interpolated_in_its_logarithm():
    # Between 0.16 at 2 bits and 0.01 at 4 bits lies sqrt(0.16 * 0.01) = 0.04; beyond, a quarter for each bit.
    table = interpolate({2: 0.16, 4: 0.01}, (2, 3, 4, 5, 8), widest=8)
    assert table == pytest.approx({2: 0.16, 3: 0.04, 4: 0.01, 5: 0.0025, 8: 0.0})


def test_probes_that_gain_count_as_the_smallest_damage():
    assert interpolate({2: -0.1}, (2, 3), widest=8) == pytest.approx({2: 1e-5, 3: 2.5e-6})
    assert interpolate({2: -0.1}, (2, 3), widest=8, floor=0.4) == pytest.approx({2: 0.4, 3: 0.1})


def test_what_was_observed_narrows_what_is_drawn():
    mine = account(SPACE, 1000)
    model = DamageModel(SPACE, prior(SPACE), toy_score(SPACE.policy(SPACE.widest())))
    rng = np.random.default_rng(0)
    choice = (3, 5)
    truth = mine.evaluate(choice).score.kl

    def damage_drawn() -> np.ndarray:
        return np.array([choice_damage(model.sample(rng), choice) for _ in range(200)])

    before = damage_drawn()
    model.observe(mine.evaluate(choice))
    after = damage_drawn()
    assert abs(after.mean() - truth) < abs(before.mean() - truth)
    assert after.std() < before.std()


@pytest.mark.parametrize("observed", [0, 30])
def test_a_drawn_table_of_divergence_never_rewards_fewer_bits(observed: int):
    model = DamageModel(SPACE, prior(SPACE), Score(0.0, 1.0))
    rng = np.random.default_rng(1)
    mine = Account(SPACE, lambda _: Score(float(rng.normal()), 1.0), observed)  # nonsense
    for trial in mine.evaluate_all((index % 25, (7 * index) % 25) for index in range(observed)):
        model.observe(trial)
    for seed in range(20):
        for options, table in zip(SPACE.options, model.sample(np.random.default_rng(seed)), strict=True):
            assert (table >= 0).all()
            for option, damage in zip(options, table, strict=True):
                for other, other_damage in zip(options, table, strict=True):
                    if other.precision.covers(option.precision):
                        assert other_damage <= damage


def test_damages_are_beyond_those_of_the_widest_policy():
    # Scores 0.3 above truth everywhere, the widest policy's included: nothing changes.
    tables = []
    for beyond in (0.0, 0.3):

        def score(policy: Policy, beyond: float = beyond) -> Score:
            return Score(toy_score(policy).kl + beyond, 1.0)

        model = DamageModel(SPACE, prior(SPACE), score(SPACE.policy(SPACE.widest())), DIVERGENCE)
        for trial in Account(SPACE, score, 40).evaluate_all((index % 25, (3 * index) % 25) for index in range(40)):
            model.observe(trial)
        tables.append(flat(model.sample(np.random.default_rng(0))))
    assert tables[0] == pytest.approx(tables[1], abs=1e-9)
