"""The quantized network in float32: QuantizedParameters + images -> outputs.

Codes are clipped and rounded as in the integer network, sums are float32: they agree but for rounding ties.
Biases are rounded to the accumulators' step, as the integer network stores them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cimspec.graph.graph import Graph
from cimspec.graph.layer import Add, Conv2d, Layer, Product
from cimspec.graph.signs import nonnegative_layers
from cimspec.quant.calibrate import coded
from cimspec.quant.convolve import channels_last
from cimspec.quant.execute import LayerFunction, Plan, Tensors, aligned, digital, multiply, to_tensors
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

    weight: Tensor  # code * weight step * input step, shaped for the layer; both steps [1] for a product of activations
    bias: Tensor  # [outputs], a multiple of weight step * input step
    inverse_step: float
    low: int
    high: int
    stored: tuple[float, int] | None  # of a product of activations: the step and the bits of the second one

    def run(self, layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
        """Real-valued outputs of real-valued inputs, which are coded on entry."""
        codes = torch.mul(operands[0], self.inverse_step).round_().clamp_(self.low, self.high)
        if self.stored is None:
            return multiply(layer, codes, self.weight, self.bias)
        step, bits = self.stored
        return codes @ coded(operands[1], step, bits, signed=True) / self.inverse_step


def fake_layer(layer: Layer, parameters: LayerParameters, device: torch.device) -> FakeLayer:
    """The torch form of one layer, on `device`."""
    step = parameters.weight_scale * parameters.input_scale
    low, high = activation_range(parameters.precision.activation_bits, parameters.input_signed)
    inverse = 1 / parameters.input_scale
    if isinstance(layer.op, Product):
        stored = (float(parameters.weight_scale[0]), parameters.precision.weight_bits)
        return FakeLayer(torch.from_numpy(step), torch.zeros(0), inverse, low, high, stored)
    weight = channels_last(torch.from_numpy(shaped(layer, parameters.weight_codes, step)).to(device))
    bias = torch.from_numpy((np.rint(parameters.bias / step) * step).astype(np.float32))
    return FakeLayer(weight, bias.to(device), inverse, low, high, None)


def shaped(layer: Layer, codes: WeightCodes, step: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Codes [outputs, inputs] times their step, in the layer's own weight shape."""
    values = (codes * step[:, None]).astype(np.float32)
    if isinstance(layer.op, Conv2d):
        return values.reshape(len(codes), -1, *layer.op.window.kernel)
    return values


def fake_function(
    graph: Graph,
    add_scales: Mapping[str, float],
    tensors: Tensors,
    layer_of: Callable[[str], FakeLayer],
) -> LayerFunction:
    """Layers of the quantized network; `layer_of` gives a crossbar layer's torch form, `tensors` what is not coded."""
    nonnegative = nonnegative_layers(graph)

    def apply(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
        if isinstance(layer.op, Add):
            a, b = aligned(*operands)
            return coded(a + b, add_scales[layer.name], ADD_BITS, signed=layer.name not in nonnegative)
        if layer.runs_on_crossbars:
            return layer_of(layer.name).run(layer, operands)
        return digital(layer, operands, tensors[layer.name])

    return apply


def fake_outputs(graph: Graph, parameters: QuantizedParameters, images: Tensor, batch: int = 512) -> Tensor:
    """Outputs [images, ...] of the quantized network, computed `batch` images at a time, on the device of `images`."""
    layers = {name: fake_layer(graph[name], own, images.device) for name, own in parameters.layers.items()}
    tensors = to_tensors(parameters.digital, images.device)
    unsigned = {name for name, own in parameters.layers.items() if not own.input_signed}
    plan, apply = Plan.of(graph, unsigned), fake_function(graph, parameters.add_scales, tensors, layers.__getitem__)
    with torch.no_grad():
        return torch.cat([plan.run(part, apply) for part in torch.split(images, batch)])
