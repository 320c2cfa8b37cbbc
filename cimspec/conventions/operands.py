"""Checks the operands of a product: anything array-like -> int64 arrays of matching shapes, or a `ValueError`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Operands:
    """A matrix and the vectors it is multiplied with."""

    weights: IntArray  # [outputs, inputs]
    inputs: IntArray  # [vectors, inputs]
    is_single: bool  # whether `inputs` came as one vector, so that the result is one too

    @classmethod
    def of(cls, weights: npt.ArrayLike, inputs: npt.ArrayLike) -> "Operands":
        """Weights `[outputs, inputs]` and inputs `[inputs]` or `[vectors, inputs]`.

        Raises `ValueError` for other shapes, shapes that do not match, and numbers that are not integers.
        """
        matrix, vectors = _integers("weights", weights), _integers("inputs", inputs)
        if matrix.ndim != 2:
            raise ValueError(f"weights have {matrix.ndim} dimensions; they are a matrix [outputs, inputs]")
        if vectors.ndim not in (1, 2):
            raise ValueError(f"inputs have {vectors.ndim} dimensions; they are [inputs] or [vectors, inputs]")
        if matrix.shape[1] != vectors.shape[-1]:
            raise ValueError(f"weights have {matrix.shape[1]} inputs, inputs have {vectors.shape[-1]}")
        if not matrix.size:
            raise ValueError(f"weights are empty: {matrix.shape[0]} outputs, {matrix.shape[1]} inputs")
        return cls(matrix, np.atleast_2d(vectors), vectors.ndim == 1)

    def shaped(self, outputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Outputs `[vectors, outputs]` in the shape that the inputs had."""
        return outputs[0] if self.is_single else outputs


def check_range(name: str, values: IntArray, low: int, high: int, reason: str) -> None:
    """Raises `ValueError` where a value is outside `low .. high`; `reason` says which setting makes it so."""
    if values.size and (values.min() < low or values.max() > high):
        raise ValueError(f"{name} reach {values.min()} .. {values.max()}; {reason} holds {low} .. {high}")


def _integers(name: str, values: npt.ArrayLike) -> IntArray:
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    if array.dtype.kind == "f" and np.array_equal(array, np.rint(array)) and np.isfinite(array).all():
        return array.astype(np.int64)
    raise ValueError(f"{name} must be integers")
