"""What quantization hands to the integer network: codes and steps, in numpy. Needs no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cimspec.graph.precision import Precision

FloatArray = npt.NDArray[np.float64]
WeightCodes = npt.NDArray[np.int16]

ADD_BITS = 8
"""Bits of the codes that an `add` layer makes."""


def weight_limit(weight_bits: int) -> int:
    """Largest magnitude of a weight code: `2^(w-1) - 1`, symmetric."""
    return (1 << (weight_bits - 1)) - 1


def activation_range(activation_bits: int, signed: bool) -> tuple[int, int]:
    """Smallest and largest activation code: `0 .. 2^a-1`, or symmetric about 0 if signed."""
    if signed:
        limit = (1 << (activation_bits - 1)) - 1
        return -limit, limit
    return 0, (1 << activation_bits) - 1


@dataclass(frozen=True, slots=True, eq=False)
class LayerParameters:
    """One crossbar layer after quantization. Real value = code * step."""

    precision: Precision
    weight_codes: WeightCodes
    """`[outputs, inputs]`; a convolution's inputs are (channel of the group, row, column), channel outermost.

    Empty for a product of two activations, whose second one takes their place.
    """
    weight_scale: FloatArray  # [outputs], step of each output's weights; [1] for the stored activations of a product
    bias: FloatArray  # [outputs], real-valued, after bias correction; empty for a product
    input_scale: float  # step of the activations that enter
    input_signed: bool  # whether those activations can be negative


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedParameters:
    """Every crossbar layer's parameters, the steps of other layers' codes, and what is kept as it is."""

    layers: Mapping[str, LayerParameters]
    add_scales: Mapping[str, float]  # of every layer that adds, and of those that only make codes
    digital: Mapping[str, Mapping[str, npt.NDArray[np.float32]]] = field(default_factory=dict)
    """Parameters of layers that compute with real values: `gamma` and `beta`, `factor` and `shift`, `value`."""
