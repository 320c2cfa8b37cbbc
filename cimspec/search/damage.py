"""What narrowing each layer costs in divergence: a Bayesian linear model, learned from whole-policy evaluations.

The divergence of a policy is modelled as a sum over layers of `weights(l, w) + activations(l, a) + both(l, w, a)`. The
prior comes from sensitivity probes; every evaluated policy conditions it. A draw from the posterior (Matheron's rule:
a prior draw corrected by what was observed) is one guess at the whole table, consistent with all that was seen.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from cimspec.search.evaluation import Trial
from cimspec.search.space import Choice, Option, Space

FloatArray = npt.NDArray[np.float64]

QUARTER_PER_BIT = 0.25
"""Quantization noise power falls by 4 with every bit."""
SPREAD = 0.5
"""Standard deviation of a prior entry, relative to its mean."""
INTERACTION = 0.25
"""The same for what weights and activations of one layer do together, relative to their sum."""
NOISE = 0.1
"""What the additive model leaves unexplained of an observation, relative to it."""
FLOOR = 1e-5
"""Divergences below this are not told apart, nats."""


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """Mean damage of each layer's options: `weights[layer][bits]`, `activations[layer][bits]`, nats."""

    weights: tuple[dict[int, float], ...]
    activations: tuple[dict[int, float], ...]


def interpolate(probed: dict[int, float], bits: tuple[int, ...], widest: int) -> dict[int, float]:
    """Damage at each of `bits` from that at the probed ones: linear in its logarithm, a quarter for each bit beyond."""
    if not probed:
        return dict.fromkeys(bits, FLOOR)
    known = sorted(probed)
    logs = [np.log(max(probed[width], FLOOR)) for width in known]
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
    """The posterior over the table of damages. Mutable: `observe` adds what was seen."""

    def __init__(self, space: Space, prior: Prior, floor: float) -> None:
        self._space = space
        self._wider = [_at_least(options) for options in space.options]
        self._floor = floor  # divergence of the widest policy
        self._rows: list[list[int]] = []
        self._seen: list[float] = []
        self._build(prior)

    def _build(self, prior: Prior) -> None:
        """Number the model's parameters: for every option those of its weights, its activations, and both."""
        means: list[float] = []
        deviations: list[float] = []
        index: dict[tuple[int, str, int, int], int] = {}

        def parameter(key: tuple[int, str, int, int], mean: float, deviation: float) -> int:
            if key not in index:
                index[key] = len(means)
                means.append(mean)
                deviations.append(deviation)
            return index[key]

        self._parameters: list[npt.NDArray[np.int64]] = []  # for each layer [options, 3]
        for layer, options in enumerate(self._space.options):
            of_layer: list[list[int]] = []
            for option in options:
                weight_bits, activation_bits = option.precision
                weights, activations = prior.weights[layer][weight_bits], prior.activations[layer][activation_bits]
                of_layer.append([
                    parameter((layer, "w", weight_bits, 0), weights, SPREAD * weights + FLOOR),
                    parameter((layer, "a", 0, activation_bits), activations, SPREAD * activations + FLOOR),
                    parameter((layer, "b", *option.precision), 0.0, INTERACTION * (weights + activations) + FLOOR),
                ])  # fmt: skip
            self._parameters.append(np.array(of_layer))
        self._mean = torch.tensor(means, dtype=torch.float64)
        self._deviation = torch.tensor(deviations, dtype=torch.float64)

    def observe(self, trial: Trial) -> None:
        """Condition on an evaluated policy."""
        self._rows.append(self._indices(trial.choice))
        self._seen.append(trial.score.kl - self._floor)

    def sample(self, generator: torch.Generator) -> tuple[FloatArray, ...]:
        """One draw of the damage of every layer's options, nats: never negative, never smaller with fewer bits."""
        draw = self._mean + self._deviation * torch.randn(len(self._mean), generator=generator, dtype=torch.float64)
        if self._rows:
            draw = draw + self._correction(draw, generator)
        table = draw.numpy()
        return tuple(
            np.where(wider, np.maximum(table[parameters].sum(axis=1), 0.0), 0.0).max(axis=1)
            for parameters, wider in zip(self._parameters, self._wider, strict=True)
        )

    def _correction(self, draw: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        design = torch.zeros(len(self._rows), len(draw), dtype=torch.float64)
        design.scatter_(1, torch.tensor(self._rows), 1.0)
        seen = torch.tensor(self._seen, dtype=torch.float64)
        noise = NOISE * seen.abs() + FLOOR
        projected = design * self._deviation**2
        covariance = projected @ design.T + torch.diag(noise**2)
        imagined = design @ draw + noise * torch.randn(len(seen), generator=generator, dtype=torch.float64)
        factor = torch.linalg.cholesky(covariance)
        return projected.T @ torch.cholesky_solve((seen - imagined).unsqueeze(1), factor).squeeze(1)

    def _indices(self, choice: Choice) -> list[int]:
        return [int(number) for layer, option in enumerate(choice) for number in self._parameters[layer][option]]


def _at_least(options: tuple[Option, ...]) -> npt.NDArray[np.bool_]:
    """`[i, j]`: whether option j has at least the bits of option i."""
    bits = np.array([option.precision for option in options])
    return np.asarray((bits[None, :, :] >= bits[:, None, :]).all(axis=2))
