"""The integer network: what a policy makes of a float network, exactly (README, "What the numbers mean").

Graph + QuantizedParameters -> operations and constants. Running it in numpy is the definition that executed schedules
equal bit for bit where the ADC is lossless. Needs no torch.
"""

from dataclasses import dataclass

import numpy as np

from cimspec.graph.graph import Graph
from cimspec.graph.layer import AvgPool, Flatten, GlobalAvgPool, Layer
from cimspec.graph.precision import Policy
from cimspec.quant.lower import OUTPUT, code_path, lower
from cimspec.quant.ops import Array, Constants, IntegerOp, MatMul, apply_vector, matmul
from cimspec.quant.parameters import FloatArray, LayerParameters, QuantizedParameters

INT32_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class IntegerNetwork:
    """Operations in execution order and the arrays they name."""

    input: str
    ops: tuple[IntegerOp, ...]
    constants: Constants

    def run(self, images: Array) -> FloatArray:
        """Real-valued outputs `[batch, classes]` of `images` `[batch, *input shape]`."""
        tensors: dict[str, Array] = {self.input: np.asarray(images, dtype=np.float64)}
        for op in self.ops:
            if isinstance(op, MatMul):
                tensors[op.dst] = matmul(op, tensors[op.src], self.constants[op.weights], self.constants[op.bias])
            else:
                tensors[op.dst] = apply_vector(op, tensors, self.constants)
        return tensors[OUTPUT]


def integer_network(graph: Graph, parameters: QuantizedParameters) -> IntegerNetwork:
    """The integer network of a graph without batch normalization and its quantized parameters."""
    policy = Policy.of({layer.name: parameters.layers[layer.name].precision for layer in graph.crossbar_layers})
    constants: dict[str, Array] = {}
    scales = _Scales(graph, parameters)
    for layer in graph.layers:
        if layer.runs_on_crossbars:
            constants |= _product_constants(layer, parameters.layers[layer.name], scales)
        elif layer.name in parameters.add_scales:
            a, b = layer.inputs
            constants[f"{layer.name}.multiplier_a"] = scales.of(a) / parameters.add_scales[layer.name]
            constants[f"{layer.name}.multiplier_b"] = scales.of(b) / parameters.add_scales[layer.name]
    constants[f"{OUTPUT}.multiplier"] = scales.of(graph.output.name)
    return IntegerNetwork(graph.layers[0].name, lower(graph, policy), constants)


def _product_constants(layer: Layer, parameters: LayerParameters, scales: "_Scales") -> dict[str, Array]:
    bias = np.rint(parameters.bias / (parameters.input_scale * parameters.weight_scale))
    return {
        f"{layer.name}.weights": parameters.weight_codes,
        f"{layer.name}.bias": np.clip(bias, -INT32_MAX - 1, INT32_MAX).astype(np.int64),
        f"{layer.name}.multiplier": scales.of(code_path(scales.graph, layer)[0]) / parameters.input_scale,
    }


@dataclass(frozen=True, slots=True)
class _Scales:
    """Real value of one unit of each tensor, for each channel or for all: `[channels]` or `[1]`."""

    graph: Graph
    parameters: QuantizedParameters

    def of(self, name: str) -> FloatArray:
        layer = self.graph[name]
        if layer.runs_on_crossbars:
            mine = self.parameters.layers[name]
            return mine.input_scale * mine.weight_scale
        if name in self.parameters.add_scales:
            return np.array([self.parameters.add_scales[name]])
        if not layer.inputs:
            return np.ones(1)
        scale = self.of(layer.inputs[0])
        match layer.op:
            case AvgPool() as op:
                return scale / op.kernel**2
            case GlobalAvgPool():
                return scale / (self.graph[layer.inputs[0]].size // layer.size)
            case Flatten():
                return scale if scale.size == 1 else np.repeat(scale, layer.size // scale.size)
            case _:
                return scale
