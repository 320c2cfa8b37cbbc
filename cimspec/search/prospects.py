"""How likely policies are to meet a limit, and which of many is most worth an evaluation.

A Gaussian process over whole policies: the prior of damage.py, and for every two precisions in different places an
effect of their own (errors of two layers add up or cancel). Policies of interest are kept from one evaluation to the
next: each observation then costs O(observations) for each of them, so that thousands can be compared.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from cimspec.search.arrays import FloatArray, IntArray
from cimspec.search.damage import DamageModel
from cimspec.search.evaluation import Trial
from cimspec.search.factor import Factor
from cimspec.search.goal import DivergenceLimit, Goal

PAIRS = 0.5
"""Standard deviation of what two precisions do together, relative to the geometric mean of what each does alone."""
NOISE = 0.05
"""What the model leaves unexplained of an observation, relative to it."""
NEAREST = 30
"""Trials nearest to a limit on accuracy, from which is told how soft errors and errors differ."""


class Critic:
    """The observations that prospects are judged by. Mutable: `observe` adds one."""

    def __init__(self, model: DamageModel) -> None:
        self.model = model
        self.factor = Factor()
        self.whitened: list[float] = []  # residuals of the prior's mean, decorrelated by the factor
        self.rows: IntArray = np.zeros((0, 3 * len(model.parameters)), np.int64)  # of each observation
        alone = np.zeros(len(model.prior_mean))
        for parameters in model.parameters:
            used = parameters[:, :2]  # of weights and of activations
            alone[used] = np.maximum(model.prior_mean[used], 0.0) + model.measure.floor
        self._alone = PAIRS * alone
        # Of the sum over pairs, (sum^2 - sum of squares) / 2, the squares are taken off here.
        self._own = model.prior_deviation**2 - 0.5 * self._alone**2

    def rows_of(self, choices: IntArray) -> IntArray:
        """The parameters that choices `[choices, layers]` sum: `[choices, 3 * layers]`."""
        return np.concatenate([own[choices[:, layer]] for layer, own in enumerate(self.model.parameters)], axis=1)

    def observe(self, trial: Trial) -> None:
        """Condition on an evaluated policy."""
        row = self.rows_of(np.array([trial.choice]))
        damage = self.model.damage(trial)
        covariances = self.covariances(row[0], self.rows)
        noise = NOISE * abs(damage) + self.model.measure.floor
        self.factor.append(covariances, float(self.variances(row)[0]), noise)
        last = self.factor.lower[-1]
        residual = damage - self.model.prior_mean[row[0]].sum() - last[:-1] @ np.array(self.whitened)
        self.whitened.append(float(residual / last[-1]))
        self.rows = np.concatenate([self.rows, row])

    def variances(self, rows: IntArray) -> FloatArray:
        """The prior's variance of policies' damages."""
        return np.asarray(self._own[rows].sum(axis=1) + 0.5 * self._alone[rows].sum(axis=1) ** 2)

    def covariances(self, row: IntArray, rows: IntArray) -> FloatArray:
        """The prior's covariances of one policy's damage with others'."""
        own, alone = np.zeros_like(self._own), np.zeros_like(self._alone)
        own[row], alone[row] = self._own[row], self._alone[row]
        return np.asarray(own[rows].sum(axis=1) + 0.5 * alone[rows].sum(axis=1) ** 2)

    def covariance_matrix(self, rows: IntArray) -> FloatArray:
        """The prior's covariances of policies' damages with all that was observed: `[observations, policies]`."""
        asked, seen = self._one_hot(rows), self._one_hot(self.rows)
        return np.asarray((seen * self._own) @ asked.T + 0.5 * ((seen * self._alone) @ asked.T) ** 2)

    def _one_hot(self, rows: IntArray) -> FloatArray:
        hot = np.zeros((len(rows), len(self._own)))
        np.put_along_axis(hot, rows, 1.0, axis=1)
        return hot


class Prospects:
    """Policies that may be worth an evaluation, with the posterior of their damages. Mutable."""

    def __init__(self, critic: Critic, layers: int) -> None:
        self._critic = critic
        self.choices: IntArray = np.zeros((0, layers), np.int64)
        self.objectives: FloatArray = np.zeros(0)
        self._rows: IntArray = np.zeros((0, 3 * layers), np.int64)
        self._known: FloatArray = np.zeros((0, 64))  # what of each prospect the observations explain; grown by columns
        self._learned = 0  # observations
        self._mean: FloatArray = np.zeros(0)
        self._variance: FloatArray = np.zeros(0)

    def add(self, choices: IntArray, objectives: FloatArray) -> None:
        """Add new policies `[choices, layers]`."""
        self._learn()
        critic, count = self._critic, self._learned
        rows = critic.rows_of(choices)
        known = critic.factor.solve(critic.covariance_matrix(rows))
        mean = critic.model.prior_mean[rows].sum(axis=1) + np.array(critic.whitened) @ known
        padded = np.zeros((len(choices), self._known.shape[1]))
        padded[:, :count] = known.T
        self.choices = np.concatenate([self.choices, choices])
        self.objectives = np.append(self.objectives, objectives)
        self._rows = np.concatenate([self._rows, rows])
        self._known = np.concatenate([self._known, padded])
        self._mean = np.append(self._mean, mean)
        self._variance = np.append(self._variance, critic.variances(rows) - (known**2).sum(axis=0))

    def keep(self, index: npt.NDArray[np.intp]) -> None:
        """Keep these prospects, in this order."""
        self.choices, self.objectives, self._rows = self.choices[index], self.objectives[index], self._rows[index]
        self._known, self._mean, self._variance = self._known[index], self._mean[index], self._variance[index]

    def worth(self, threshold: float, spread: float, least: float) -> FloatArray:
        """The chance of meeting the limit, times the logarithm of the gain over an objective of `least`.

        The limit is met below a damage of `threshold`, give or take a standard deviation of `spread`.
        """
        self._learn()
        deviation = np.sqrt(np.maximum(self._variance, 0.0) + spread**2)
        return np.asarray(ndtr((threshold - self._mean) / deviation) * np.log(least / self.objectives))

    def _learn(self) -> None:
        """Condition on what was observed since."""
        critic = self._critic
        factor = critic.factor.lower
        if len(factor) > self._known.shape[1]:
            self._known = np.pad(self._known, ((0, 0), (0, len(factor))))
        for number in range(self._learned, len(factor)):
            covariances = critic.covariances(critic.rows[number], self._rows)
            known = (covariances - self._known[:, :number] @ factor[number, :number]) / factor[number, number]
            self._known[:, number] = known
            self._mean = self._mean + known * critic.whitened[number]
            self._variance = self._variance - known**2
        self._learned = len(factor)


def tolerance(goal: Goal, model: DamageModel, trials: tuple[Trial, ...], floor: float) -> tuple[float, float]:
    """The damage at which a goal's limit is just met, and its standard deviation over policies.

    A limit on divergence is one on the damage. Errors are soft errors and chance: both are told from the trials whose
    error is nearest to the limit.
    """
    if isinstance(goal.limit, DivergenceLimit):
        return goal.limit.nats - model.least, floor
    allowed = 1 - goal.limit.least
    errors = np.array([goal.limit.lost(trial.score) for trial in trials])
    nearest = np.argsort(np.abs(errors - allowed), kind="stable")[:NEAREST]
    beyond = errors[nearest] - np.array([model.damage(trials[index]) for index in nearest])
    return allowed - float(beyond.mean()), max(float(beyond.std()), floor)
