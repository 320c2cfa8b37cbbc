"""What narrowing each layer costs: a Bayesian linear model of damage, learned from whole-policy evaluations.

Damage is the divergence from the float network, or the soft error where accuracy is limited (`Measure`). That of a
policy is modelled as a sum over layers of `weights(l, w) + activations(l, a) + both(l, w, a)`. The prior comes from
sensitivity probes; every evaluated policy conditions it. A draw from the posterior (Matheron's rule: a prior draw
corrected by what was observed) is one guess at the whole table, consistent with all that was seen.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cimspec.search.arrays import FloatArray, IntArray
from cimspec.search.evaluation import Score, Trial
from cimspec.search.factor import Factor
from cimspec.search.space import Choice, Option, Space

QUARTER_PER_BIT = 0.25
"""Quantization noise power falls by 4 with every bit."""
SPREAD = 0.5
"""Standard deviation of a prior entry, relative to its mean."""
INTERACTION = 0.25
"""The same for what weights and activations of one layer do together, relative to their sum."""
NOISE = 0.1
"""What the additive model leaves unexplained of an observation, relative to it."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What is modelled of a trial's score."""

    of: Callable[[Score], float]
    floor: float  # damages below this are not told apart
    is_monotone: bool  # fewer bits never do less damage: true but for chance of divergence, not of errors on few images


DIVERGENCE = Measure(lambda score: score.kl, 1e-5, is_monotone=True)
"""Nats."""
SOFT_ERROR = Measure(lambda score: score.soft_error, 5e-4, is_monotone=False)
"""0 .. 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """Mean damage of each layer's options: `weights[layer][bits]`, `activations[layer][bits]`, beyond the widest's."""

    weights: tuple[dict[int, float], ...]
    activations: tuple[dict[int, float], ...]


def interpolate(
    probed: dict[int, float], bits: tuple[int, ...], widest: int, floor: float = DIVERGENCE.floor
) -> dict[int, float]:
    """Damage at each of `bits` from that at the probed ones: linear in its logarithm, a quarter for each bit beyond."""
    if not probed:
        return dict.fromkeys(bits, floor)
    known = sorted(probed)
    logs = [np.log(max(probed[width], floor)) for width in known]
    table: dict[int, float] = {}
    for width in bits:
        if width >= widest:
            table[width] = 0.0
        elif width > known[-1]:
            table[width] = float(np.exp(logs[-1]) * QUARTER_PER_BIT ** (width - known[-1]))
        elif width < known[0]:
            table[width] = float(np.exp(logs[0]) / QUARTER_PER_BIT ** (known[0] - width))
        else:
            table[width] = float(np.exp(np.interp(width, known, logs)))
    return table


class DamageModel:
    """The posterior over the table of damages. Mutable: `observe` adds what was seen.

    `parameters[layer][option]` numbers the three parameters of each option; the prior has a mean and a standard
    deviation for each parameter. `least` is what was measured of the widest policy.
    """

    def __init__(self, space: Space, prior: Prior, widest: Score, measure: Measure = DIVERGENCE) -> None:
        self._space = space
        self.measure = measure
        self._wider = [_at_least(options) for options in space.options]
        self.least = measure.of(widest)
        self._rows: IntArray = np.zeros((0, 3 * len(space.options)), np.int64)  # what each observation sums
        self._seen: list[float] = []
        self._noise: list[float] = []
        self._factor = Factor()  # of the observations' covariance
        self._build(prior)

    def _build(self, prior: Prior) -> None:
        """Number the model's parameters: for every option those of its weights, its activations, and both."""
        floor = self.measure.floor
        means: list[float] = []
        deviations: list[float] = []
        index: dict[tuple[int, str, int, int], int] = {}

        def parameter(key: tuple[int, str, int, int], mean: float, deviation: float) -> int:
            if key not in index:
                index[key] = len(means)
                means.append(mean)
                deviations.append(deviation)
            return index[key]

        self.parameters: list[IntArray] = []  # for each layer [options, 3]
        for layer, options in enumerate(self._space.options):
            of_layer: list[list[int]] = []
            for option in options:
                weight_bits, activation_bits = option.precision
                weights, activations = prior.weights[layer][weight_bits], prior.activations[layer][activation_bits]
                of_layer.append([
                    parameter((layer, "w", weight_bits, 0), weights, SPREAD * weights + floor),
                    parameter((layer, "a", 0, activation_bits), activations, SPREAD * activations + floor),
                    parameter((layer, "b", *option.precision), 0.0, INTERACTION * (weights + activations) + floor),
                ])  # fmt: skip
            self.parameters.append(np.array(of_layer))
        self.prior_mean, self.prior_deviation = np.array(means), np.array(deviations)

    def damage(self, trial: Trial) -> float:
        """What was measured of a trial, beyond the widest policy's."""
        return self.measure.of(trial.score) - self.least

    def observe(self, trial: Trial) -> None:
        """Condition on an evaluated policy: the covariance of all observations gains a row, and so does its factor."""
        row = np.concatenate([self.parameters[layer][option] for layer, option in enumerate(trial.choice)])
        seen = self.damage(trial)
        noise = NOISE * abs(seen) + self.measure.floor
        variances = np.zeros(len(self.prior_mean))
        variances[row] = self.prior_deviation[row] ** 2
        self._factor.append(variances[self._rows].sum(axis=1), float(variances.sum()), noise)
        self._rows = np.concatenate([self._rows, row[None]])
        self._seen.append(seen)
        self._noise.append(noise)

    def mean(self) -> tuple[FloatArray, ...]:
        """The prior's mean of every layer's options."""
        return self._by_option(self.prior_mean)

    def sample(self, rng: np.random.Generator) -> tuple[FloatArray, ...]:
        """One draw of the damage of every layer's options; if monotone, never negative or smaller with fewer bits."""
        table = self.prior_mean + self.prior_deviation * rng.standard_normal(len(self.prior_mean))
        if len(self._rows):
            table = table + self._correction(table, rng)
        return self._by_option(table)

    def _by_option(self, table: FloatArray) -> tuple[FloatArray, ...]:
        if not self.measure.is_monotone:
            return tuple(table[parameters].sum(axis=1) for parameters in self.parameters)
        return tuple(
            np.where(wider, np.maximum(table[parameters].sum(axis=1), 0.0), 0.0).max(axis=1)
            for parameters, wider in zip(self.parameters, self._wider, strict=True)
        )

    def _correction(self, draw: FloatArray, rng: np.random.Generator) -> FloatArray:
        """What the draw has to change by to agree with the observations, up to their noise."""
        rows, count = self._rows, len(self._rows)
        imagined = draw[rows].sum(axis=1) + np.array(self._noise) * rng.standard_normal(count)
        half = self._factor.solve(np.array(self._seen) - imagined)
        weights = self._factor.solve(half, transposed=True)
        pulled = np.bincount(rows.ravel(), np.repeat(weights, rows.shape[1]), minlength=len(draw))
        return np.asarray(self.prior_deviation**2 * pulled)


def choice_damage(table: tuple[FloatArray, ...], choice: Choice) -> float:
    """The sum of a choice's entries."""
    return float(sum(damages[index] for damages, index in zip(table, choice, strict=True)))


def _at_least(options: tuple[Option, ...]) -> npt.NDArray[np.bool_]:
    """`[i, j]`: whether option j has at least the bits of option i."""
    bits = np.array([option.precision for option in options])
    return np.asarray((bits[None, :, :] >= bits[:, None, :]).all(axis=2))
