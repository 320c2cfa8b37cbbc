"""The lower Cholesky factor of a covariance matrix that grows by one observation at a time."""

import numpy as np
from scipy.linalg import solve_triangular

from cimspec.search.arrays import FloatArray


class Factor:
    """Mutable: `append` adds an observation. Costs O(n^2) each, where factorizing anew would cost O(n^3)."""

    def __init__(self) -> None:
        self._entries = np.zeros((64, 64))
        self.count = 0

    @property
    def lower(self) -> FloatArray:
        """`[count, count]`; zero above the diagonal."""
        return self._entries[: self.count, : self.count]

    def append(self, covariances: FloatArray, variance: float, noise: float) -> None:
        """Add an observation: its covariances with those before `[count]`, its variance without noise, its noise."""
        count = self.count
        if count == len(self._entries):
            self._entries = np.pad(self._entries, (0, count))
        known = self.solve(covariances)
        self._entries[count, :count] = known
        # An observation that the others nearly imply leaves less than rounding: its noise is at least what is left.
        left = variance + noise**2 - float(known @ known)
        self._entries[count, count] = np.sqrt(max(left, 0.01 * noise**2))
        self.count += 1

    def solve(self, right: FloatArray, *, transposed: bool = False) -> FloatArray:
        """`x` of `lower x = right`, or of `lower^T x = right`."""
        if not self.count:
            return right
        return np.asarray(
            solve_triangular(self.lower, right, lower=True, trans=1 if transposed else 0, check_finite=False)
        )
