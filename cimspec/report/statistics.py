"""Statistics of a few runs: a mean with its interval, and whether paired runs differ. Plain numbers in, numbers out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EXACT_PAIRS = 18
"""Up to so many pairs every combination of signs is tried; beyond, `DRAWN_SIGNS` of them are drawn."""

DRAWN_SIGNS = 200_000
TIE = 1e-9
"""Sums of differences that agree to this share are the same: what is left is rounding."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval; no interval for one value."""

    mean: float
    half_width: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Interval":
        """Student's interval of the mean of at least one value: they are taken as independent and about normal."""
        from scipy.special import stdtrit

        mean, count = float(np.mean(values)), len(values)
        if count < 2:
            return cls(mean, None)
        return cls(mean, float(stdtrit(count - 1, 0.975)) * float(np.std(values, ddof=1)) / math.sqrt(count))

    def __str__(self) -> str:
        return f"{self.mean:.2f}" if self.half_width is None else f"{self.mean:.2f} ± {self.half_width:.2f}"

    def as_json(self) -> dict[str, float | None]:
        """The fields that every JSON of ours has for a mean."""
        return {"mean": self.mean, "half_width_95": self.half_width}


def sign_flip_p(differences: Sequence[float]) -> float:
    """Two-sided p of Fisher's sign-flip test that paired differences are as likely positive as negative.

    Share of the ways to give the differences signs whose sum is at least as far from 0 as the one seen. Exact up to
    `EXACT_PAIRS` pairs; beyond, of signs drawn with a fixed seed, the one seen counted among them. Differences of 0 say
    nothing, and 1 is the answer where all are. Source: Fisher, "The Design of Experiments" (1935), section 21.

    It is preferred to Wilcoxon's test because gains of searches are often tied, and ranks of ties have no exact
    distribution; sums of differences do.
    """
    values = np.asarray([value for value in differences if value], dtype=float)
    seen = abs(float(values.sum())) - TIE * float(np.abs(values).sum())
    if len(values) > EXACT_PAIRS:
        return (1 + int((np.abs(_drawn_sums(values)) >= seen).sum())) / (1 + DRAWN_SIGNS)
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return float((np.abs(sums) >= seen).mean())


def _drawn_sums(values: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    sums = np.zeros(DRAWN_SIGNS)
    for value in values:
        sums += np.where(rng.random(DRAWN_SIGNS) < 0.5, value, -value)
    return sums


def least_p(pairs: int) -> float:
    """The smallest p that so many pairs can show: all differences of one sign, which 2 of 2^n ways to give signs do."""
    return min(1.0, 2.0 ** (1 - pairs)) if pairs <= EXACT_PAIRS else 1 / (1 + DRAWN_SIGNS)


def geometric_mean(ratios: Sequence[float]) -> float:
    """Of positive ratios: that of a / b is the inverse of that of b / a."""
    return math.exp(float(np.mean(np.log(ratios))))
