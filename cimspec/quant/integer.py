"""The integer network: what a policy makes of a float network, exactly (README, "What the numbers mean").

Graph + QuantizedParameters -> operations and constants. Running it in numpy is the definition that executed schedules
equal bit for bit where the ADC is lossless. Needs no torch.
"""

from dataclasses import dataclass

import numpy as np

from cimspec.graph.graph import Graph
from cimspec.graph.layer import Product
from cimspec.graph.precision import Policy
from cimspec.quant.apply import apply_vector, matmul
from cimspec.quant.lower import OUTPUT, Lowered, by_name, codes_name, lower, stored_name
from cimspec.quant.ops import Array, Constants, IntegerOp, MatMul, rescaled, scale_name
from cimspec.quant.parameters import FloatArray, QuantizedParameters
from cimspec.quant.scales import tensor_scales

INT32_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class IntegerNetwork:
    """Operations in execution order and the arrays they name."""

    input: str
    lowered: Lowered
    constants: Constants

    @property
    def ops(self) -> tuple[IntegerOp, ...]:
        """The operations."""
        return self.lowered.ops

    def run(self, images: Array) -> FloatArray:
        """Real-valued outputs `[batch, classes]` of `images` `[batch, *input shape]`."""
        tensors: dict[str, Array] = {self.input: np.asarray(images, dtype=np.float64)}
        for op in self.ops:
            if isinstance(op, MatMul):
                weights = tensors[op.weights] if op.moving else self.constants[op.weights]
                bias = self.constants[op.bias] if op.bias else None
                tensors[op.dst] = matmul(op, tensors[op.src], weights, bias)
            else:
                tensors[op.dst] = apply_vector(op, tensors, self.constants)
        return tensors[OUTPUT]


def integer_network(graph: Graph, parameters: QuantizedParameters) -> IntegerNetwork:
    """The integer network of a graph without batch normalization and its quantized parameters."""
    policy = Policy.of({layer.name: parameters.layers[layer.name].precision for layer in graph.crossbar_layers})
    lowered = lower(graph, policy)
    constants: dict[str, Array] = {}
    for layer in graph.crossbar_layers:
        own = parameters.layers[layer.name]
        if not isinstance(layer.op, Product):
            bias = np.rint(own.bias / (own.input_scale * own.weight_scale))
            constants[f"{layer.name}.weights"] = own.weight_codes
            constants[f"{layer.name}.bias"] = np.clip(bias, -INT32_MAX - 1, INT32_MAX).astype(np.int64)
    for name, values in parameters.digital.items():
        constants |= {f"{name}.{key}": np.asarray(value, np.float64) for key, value in values.items()}
    return IntegerNetwork(graph.layers[0].name, lowered, constants | _scales(graph, parameters, lowered))


def _scales(graph: Graph, parameters: QuantizedParameters, lowered: Lowered) -> dict[str, FloatArray]:
    """The scales that operations read."""
    codes: dict[str, FloatArray] = {name: np.array([scale]) for name, scale in parameters.add_scales.items()}
    weights: dict[str, FloatArray] = {}
    for layer in graph.crossbar_layers:
        own = parameters.layers[layer.name]
        codes[codes_name(layer.name)] = np.array([own.input_scale])
        if isinstance(layer.op, Product):
            codes[stored_name(layer.name)] = own.weight_scale
        else:
            weights[layer.name] = own.weight_scale
    scales = tensor_scales(lowered.ops, by_name(lowered.tensors), codes, weights)
    read = {name for op in lowered.ops for name in rescaled(op)}
    return {scale_name(name): scales[name] for name in sorted(read) if name in scales}
