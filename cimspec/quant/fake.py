"""The quantized network in float32: QuantizedParameters + images -> outputs.

Codes are clipped and rounded as in the integer network, sums are float32: they agree but for rounding ties.
Biases are rounded to the accumulators' step, as the integer network stores them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cimspec.graph.graph import Graph
from cimspec.graph.layer import Add, Conv2d, Layer
from cimspec.graph.signs import nonnegative_layers
from cimspec.quant.calibrate import coded
from cimspec.quant.execute import LayerFunction, Plan, channels_last, multiply
from cimspec.quant.parameters import (
    ADD_BITS,
    FloatArray,
    LayerParameters,
    QuantizedParameters,
    WeightCodes,
    activation_range,
)


@dataclass(frozen=True, slots=True, eq=False)
class FakeLayer:
    """A crossbar layer whose weights already hold both steps, so that it multiplies codes."""

    weight: Tensor  # code * weight step * input step, shaped for the layer
    bias: Tensor  # [outputs], a multiple of weight step * input step
    inverse_step: float
    low: int
    high: int

    def run(self, layer: Layer, inputs: Tensor) -> Tensor:
        """Real-valued outputs of real-valued inputs, which are coded on entry."""
        codes = torch.mul(inputs, self.inverse_step).round_().clamp_(self.low, self.high)
        return multiply(layer, codes, self.weight, self.bias)


def fake_layer(layer: Layer, parameters: LayerParameters) -> FakeLayer:
    """The torch form of one layer."""
    step = parameters.weight_scale * parameters.input_scale
    low, high = activation_range(parameters.precision.activation_bits, parameters.input_signed)
    return FakeLayer(
        channels_last(torch.from_numpy(shaped(layer, parameters.weight_codes, step))),
        torch.from_numpy((np.rint(parameters.bias / step) * step).astype(np.float32)),
        1 / parameters.input_scale,
        low,
        high,
    )


def shaped(layer: Layer, codes: WeightCodes, step: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Codes [outputs, inputs] times their step, in the layer's own weight shape."""
    values = (codes * step[:, None]).astype(np.float32)
    if isinstance(layer.op, Conv2d):
        return values.reshape(len(codes), layer.op.in_channels, layer.op.kernel, layer.op.kernel)
    return values


def fake_function(graph: Graph, add_scales: dict[str, float], layer_of: Callable[[str], FakeLayer]) -> LayerFunction:
    """Layers of the quantized network; `layer_of` gives a crossbar layer's torch form."""
    nonnegative = nonnegative_layers(graph)

    def apply(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
        if isinstance(layer.op, Add):
            signed = layer.name not in nonnegative
            return coded(operands[0] + operands[1], add_scales[layer.name], ADD_BITS, signed=signed)
        return layer_of(layer.name).run(layer, operands[0])

    return apply


def fake_outputs(graph: Graph, parameters: QuantizedParameters, images: Tensor, batch: int = 512) -> Tensor:
    """Outputs [images, ...] of the quantized network, computed `batch` images at a time."""
    layers = {name: fake_layer(graph[name], own) for name, own in parameters.layers.items()}
    plan, apply = Plan.of(graph), fake_function(graph, dict(parameters.add_scales), layers.__getitem__)
    with torch.no_grad():
        return torch.cat([plan.run(part, apply) for part in torch.split(images, batch)])
