"""What post-training quantization needs for any policy, in numpy, and the parameters of one policy from it.

Tables + Policy -> QuantizedParameters. The steps of all bits are there already; weight codes and biases
follow on demand, since few of them are needed for large networks. `calibrate.py` makes it. Needs no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cimspec.graph.graph import Graph
from cimspec.graph.layer import Product
from cimspec.graph.precision import Policy, Precision
from cimspec.quant.parameters import FloatArray, LayerParameters, QuantizedParameters, WeightCodes
from cimspec.quant.rounding import fitted_codes
from cimspec.quant.steps import weight_codes
from cimspec.quant.weights import Float32, Weights, digital_weights

TABLE_BITS = range(2, 9)
"""Bits that steps are tabulated for."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerTable:
    """One crossbar layer's steps by bits, and the mean inputs that bias correction needs."""

    weight_steps: Mapping[int, FloatArray]  # weight bits -> [outputs]; [1] for the stored activations of a product
    input_steps: Mapping[int, float]  # activation bits -> step
    input_signed: bool
    mean_input: FloatArray | None  # [groups, inputs], of the float network; None for a product of activations
    mean_coded_input: Mapping[int, FloatArray]  # activation bits -> [groups, inputs], of the same inputs after coding
    moments: FloatArray | None  # [groups, inputs, inputs], mean of `x x^T`; None for layers too wide to round by it


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """A float network, batch normalization folded, with what quantizes it to any policy."""

    graph: Graph
    weights: Weights
    layers: Mapping[str, LayerTable]
    add_scales: Mapping[str, float]
    _codes: dict[tuple[str, int], WeightCodes] = field(default_factory=dict)  # those asked for so far

    def weight_codes(self, name: str, weight_bits: int) -> WeightCodes:
        """Weight codes [outputs, inputs] of a layer."""
        key = (name, weight_bits)
        if key not in self._codes:
            weight, table = self.weights[name]["weight"], self.layers[name]
            step = table.weight_steps[weight_bits]
            if table.moments is None:
                self._codes[key] = weight_codes(weight, step, weight_bits)
            else:
                self._codes[key] = _fitted(weight, step, weight_bits, table.moments)
        return self._codes[key]

    def bias(self, name: str, precision: Precision, codes: WeightCodes) -> FloatArray:
        """The bias [outputs] that makes the mean output over the calibration images that of the float layer.

        Coding takes `sum_i W[o,i] E[x_i] - step[o] sum_i q[o,i] E[coded x_i]` from the mean of output o, over
        images and positions (after Nagel et al., "Data-free quantization through weight equalization and bias
        correction", ICCV 2019, with measured means).
        """
        table, own = self.layers[name], self.weights[name]
        assert table.mean_input is not None, "products of activations have no bias"
        rows = own["weight"].reshape(len(codes), -1).astype(np.float64)
        coded = table.weight_steps[precision.weight_bits] * _by_group(
            codes.astype(np.float64), table.mean_coded_input[precision.activation_bits]
        )
        return own["bias"].astype(np.float64) + _by_group(rows, table.mean_input) - coded


def _by_group(rows: FloatArray, inputs: FloatArray) -> FloatArray:
    """Each output's product with its own group's inputs `[groups, inputs]`: `[outputs]`."""
    grouped = rows.reshape(len(inputs), -1, inputs.shape[1])
    return np.concatenate([own @ vector for own, vector in zip(grouped, inputs, strict=True)])


def _fitted(weight: Float32, step: FloatArray, weight_bits: int, moments: FloatArray) -> WeightCodes:
    """Codes of all groups, each by the moments of its own inputs."""
    groups = zip(np.split(weight, len(moments)), np.split(step, len(moments)), moments, strict=True)
    return np.concatenate([fitted_codes(own, steps, weight_bits, moment) for own, steps, moment in groups])


def quantize_layer(tables: Tables, name: str, precision: Precision) -> LayerParameters:
    """One layer's parameters at `precision`, without fine-tuning."""
    table = tables.layers[name]
    if isinstance(tables.graph[name].op, Product):
        codes, bias = np.zeros((0, 0), np.int16), np.zeros(0)
    else:
        codes = tables.weight_codes(name, precision.weight_bits)
        bias = tables.bias(name, precision, codes)
    return LayerParameters(
        precision,
        codes,
        table.weight_steps[precision.weight_bits],
        bias,
        table.input_steps[precision.activation_bits],
        table.input_signed,
    )


def quantize(tables: Tables, policy: Policy) -> QuantizedParameters:
    """Every layer's parameters under `policy`, without fine-tuning."""
    layers = {name: quantize_layer(tables, name, precision) for name, precision in policy}
    return QuantizedParameters(layers, tables.add_scales, digital_weights(tables.graph, tables.weights))
