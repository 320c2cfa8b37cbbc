"""Quantization steps that minimise the mean squared error, by a grid search in numpy. Needs no torch.

Values -> step. A smaller step resolves more but clips earlier; the grid runs over the clipping point, from
the largest magnitude downwards. Rounding is half to even everywhere, as in the integer network.
"""

import math

import numpy as np
import numpy.typing as npt

from cimspec.quant.parameters import FloatArray, WeightCodes, activation_range, weight_limit

SMALLEST_STEP = 1e-8
"""For tensors that are all zero: any step codes them exactly; this one still has an inverse in float32."""
CLIPPING = np.linspace(1.0, 0.2, 65)
"""Clipping points tried, as shares of the largest magnitude."""
STEP_BITS = 12
"""Significant bits of a step of values of few bits, such as pixels: what does not lie exactly halfway between two codes
is then so far from it that float32, which other tools compute with, rounds it as float64 does."""
ROUNDED_OTHERWISE = 1e-3
"""Share of values that float32 rounds to other codes, above which this is no chance, but their few bits."""
ACTIVATION_SAMPLE = 32768
"""Values that an activation step is fitted to; a share of the nonzero ones, evenly spaced."""


def weight_steps(weight: npt.NDArray[np.float32], weight_bits: int) -> FloatArray:
    """The best symmetric step of each output channel: weight [outputs, ...] -> [outputs]."""
    rows = weight.reshape(len(weight), -1).astype(np.float32)
    limit = weight_limit(weight_bits)
    largest = np.maximum(np.abs(rows).max(axis=1), SMALLEST_STEP * limit)
    best_error = np.full(len(rows), np.inf)
    best_step = largest / limit
    for clipping in CLIPPING:
        step = (largest * np.float32(clipping / limit)).astype(np.float32)
        error = _squared_error(rows, step[:, None], -limit, limit).sum(axis=1)
        better = error < best_error
        best_error[better] = error[better]
        best_step[better] = step[better]
    return np.asarray(best_step, np.float64)


def activation_step(values: npt.NDArray[np.float32], activation_bits: int, *, signed: bool) -> float:
    """The best step of one tensor, whatever its shape; unsigned, values below zero become zero anyway."""
    sample = activation_sample(values, signed=signed)
    low, high = activation_range(activation_bits, signed)
    largest = max(float(np.abs(sample).max(initial=0.0)), SMALLEST_STEP * high)
    errors = [_squared_error(sample, np.float32(largest * c / high), low, high).sum() for c in CLIPPING]
    step = largest * float(CLIPPING[int(np.argmin(errors))]) / high
    return shortened(step) if _rounded_otherwise(sample, step) > ROUNDED_OTHERWISE else step


def _rounded_otherwise(values: npt.NDArray[np.float32], step: float) -> float:
    """Share of values that float32 rounds to other codes than float64 does."""
    exact = np.rint(values.astype(np.float64) / step)
    return float((exact != np.rint(values / np.float32(step))).mean()) if len(values) else 0.0


def shortened(step: float) -> float:
    """The nearest number of `STEP_BITS` significant bits."""
    mantissa, exponent = math.frexp(step)
    return math.ldexp(round(math.ldexp(mantissa, STEP_BITS)), exponent - STEP_BITS)


def activation_sample(values: npt.NDArray[np.float32], *, signed: bool) -> npt.NDArray[np.float32]:
    """At most `ACTIVATION_SAMPLE` of the values that a step can code wrongly: zero is exact at every step."""
    flat = values.ravel()
    flat = flat[flat != 0] if signed else flat[flat > 0]
    stride = -(-len(flat) // ACTIVATION_SAMPLE) if len(flat) else 1
    # The largest value sets the grid, so it stays in the sample.
    extremes = flat[[int(np.abs(flat).argmax())]] if len(flat) else flat
    return np.concatenate((flat[::stride], extremes))


def drawn(total: int, count: int) -> npt.NDArray[np.int64]:
    """`count` of `total` indices (all, if there are fewer), ascending, the same each time.

    Not evenly spaced ones: those would meet the same few positions of every image.
    """
    chosen = np.random.default_rng(0).choice(total, min(total, count), replace=False)
    return np.asarray(np.sort(chosen), np.int64)


def weight_codes(weight: npt.NDArray[np.float32], step: FloatArray, weight_bits: int) -> WeightCodes:
    """`clip(rint(weight / step))`: weight [outputs, ...] -> codes [outputs, inputs]."""
    limit = weight_limit(weight_bits)
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    return np.clip(np.rint(rows / step[:, None]), -limit, limit).astype(np.int16)


def _squared_error(
    values: npt.NDArray[np.float32], step: npt.NDArray[np.float32] | np.float32, low: int, high: int
) -> npt.NDArray[np.float32]:
    codes = np.clip(np.rint(values / step), low, high)
    difference = codes * step - values
    return np.asarray(difference * difference, np.float32)
