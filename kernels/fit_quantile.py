"""Fit the table of `noise.h` and `cimspec/sim/quantile.py`: `python kernels/fit_quantile.py c` or `... python`.

The lower half of the normal quantile function, `x((f - 0.5) * 2^-32)` for whole `f` from 1 to 2^31, octave by octave of
`f`: a polynomial of degree 4 in `m - 1.5`, where `f = m * 2^e` and `1 <= m < 2`. Coefficients minimise the largest
error (Lawson's reweighted least squares) and are rounded to float32. Row `k` holds coefficients of power `k`, column
`(e + 127) % 32` those of octave `e`: the low bits of the float's exponent. Needs scipy.
"""

import sys

import numpy as np
from numpy.polynomial import polynomial
from scipy.special import ndtri

DEGREE = 4
POINTS = 400
PASSES = 60


def fit_octave(exponent: int) -> np.ndarray:
    """Coefficients `[DEGREE + 1]` of one octave, lowest power first."""
    whole = 2.0**exponent + np.arange(2.0 ** min(exponent, 8))
    between = (1.5 + 0.5 * np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS)) * 2.0**exponent
    points = whole if exponent <= 8 else between
    wanted = ndtri((points - 0.5) / 2.0**32)
    offset = 2 * (points / 2.0**exponent - 1.5)  # in units of half an octave, so that the powers are of one size
    degree = min(DEGREE, len(points) - 1)
    weights = np.full(len(points), 1 / len(points))
    for _ in range(PASSES):
        found = polynomial.polyfit(offset, wanted, degree, w=np.sqrt(weights))
        weights *= np.abs(polynomial.polyval(offset, found) - wanted) + 1e-18
        weights /= weights.sum()
    coefficients = np.zeros(DEGREE + 1)
    coefficients[: degree + 1] = found * 2.0 ** np.arange(degree + 1)
    return coefficients


def fit_table() -> np.ndarray:
    """The table, float32 `[DEGREE + 1, 32]`; the octave of `f = 2^31`, the median, is zero."""
    table = np.zeros((DEGREE + 1, 32), np.float32)
    for exponent in range(31):
        table[:, (exponent + 127) % 32] = fit_octave(exponent)
    return table


def lines(table: np.ndarray, suffix: str, brackets: str) -> str:
    """The table as text, six numbers on a line."""
    rows = []
    for row in table:
        numbers = [f"{float(number):#.9g}{suffix}" for number in row]
        parts = [", ".join(numbers[start : start + 6]) for start in range(0, 32, 6)]
        rows.append("    " + brackets[0] + ",\n     ".join(parts) + brackets[1] + ",")
    return "\n".join(rows)


if __name__ == "__main__":
    in_c = sys.argv[1:] == ["c"]
    print(lines(fit_table(), "f" if in_c else "", "{}" if in_c else "[]"))
