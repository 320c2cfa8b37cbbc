"""A quantized network that can be trained: Tables + Policy -> Student -> QuantizedParameters.

Weights, biases, weight steps per output, activation steps and the steps of additions are torch parameters,
started from post-training quantization.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from cimspec.graph.graph import Graph
from cimspec.graph.layer import Add, Conv2d, Layer, Product
from cimspec.graph.precision import Policy, Precision
from cimspec.graph.signs import nonnegative_layers
from cimspec.quant.chip_errors import ChipErrors, LayerErrors
from cimspec.quant.convolve import channels_last
from cimspec.quant.device import CPU
from cimspec.quant.execute import LayerFunction, Plan, aligned, digital, multiply, to_weights
from cimspec.quant.lsq import quantize_learned, round_through
from cimspec.quant.parameters import (
    ADD_BITS,
    FloatArray,
    LayerParameters,
    QuantizedParameters,
    WeightCodes,
    activation_range,
    weight_limit,
)
from cimspec.quant.steps import SMALLEST_STEP, weight_codes
from cimspec.quant.tables import Tables, quantize_layer
from cimspec.quant.weights import Float32, digital_weights

INSIDE = 0.49
"""Steps from its code to which a weight is moved, so that it is rounded to that code."""


@dataclass(frozen=True, slots=True, eq=False)
class StudentLayer:
    """One crossbar layer in training."""

    precision: Precision
    weight: Tensor  # empty for a product of two activations, and so is the bias
    bias: Tensor
    weight_step: Tensor  # [outputs, 1, ...], to broadcast over the weight; a scalar for stored activations
    input_step: Tensor  # scalar
    input_signed: bool

    def run(
        self, layer: Layer, operands: tuple[Tensor, ...], errors: LayerErrors | None, generator: Generator
    ) -> Tensor:
        """Outputs of the quantized layer, differentiable in all four tensors and the operands.

        `errors` are those of a chip; `generator` draws what comes anew with each product.
        """
        if errors is None:
            return self._products(layer, operands, None)
        outputs = self._products(layer, operands, errors.weights)
        return errors.disturbed(outputs, _channelwise(self._product_step(), layer), generator)

    def _products(self, layer: Layer, operands: tuple[Tensor, ...], weight_errors: Tensor | None) -> Tensor:
        low, high = activation_range(self.precision.activation_bits, self.input_signed)
        inputs = operands[0]
        coded = quantize_learned(inputs, self.input_step, low, high, shared_by=inputs[0].numel())
        limit = weight_limit(self.precision.weight_bits)
        if isinstance(layer.op, Product):
            stored = operands[1]
            return coded @ quantize_learned(stored, self.weight_step, -limit, limit, shared_by=stored[0].numel())
        weight = quantize_learned(self.weight, self.weight_step, -limit, limit, shared_by=self.weight[0].numel())
        if weight_errors is not None:
            weight = torch.addcmul(weight, weight_errors, self.weight_step.detach())
        return multiply(layer, coded, weight, round_through(self.bias, self._product_step()))

    def _product_step(self) -> Tensor:
        """What one product of codes is worth `[outputs]`, `[1]` of two activations; without gradient."""
        return (self.weight_step.flatten() * self.input_step).detach()

    def codes(self) -> WeightCodes:
        """The weight codes [outputs, inputs] as they stand; none of a product of two activations."""
        weight = self.weight.detach().cpu().contiguous().numpy()
        if not weight.size:
            return np.zeros((0, 0), np.int16)
        return weight_codes(weight, self._steps(), self.precision.weight_bits)

    def on_chip(self, layer: Layer, errors: ChipErrors, chip: int) -> LayerErrors | None:
        """What chip number `chip` makes of it, as it stands."""
        found = errors.product_errors(layer.name, self.codes(), chip)
        if found is None:
            return None
        weights = None
        if found.weights is not None:
            weights = channels_last(self._tensor(found.weights).reshape(self.weight.shape))
        offset, deviation = (_channelwise(self._tensor(each), layer) for each in (found.offset, found.deviation))
        return LayerErrors(weights, offset, deviation)

    def _tensor(self, values: FloatArray) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self.weight.device)

    def _steps(self) -> FloatArray:
        return self.weight_step.detach().flatten().double().cpu().numpy().copy()

    def parameters(self) -> LayerParameters:
        """The layer as it stands, quantized."""
        return LayerParameters(
            self.precision,
            self.codes(),
            self._steps(),
            self.bias.detach().double().cpu().numpy().copy(),
            float(self.input_step.detach()),
            self.input_signed,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Student:
    """A quantized network in training."""

    graph: Graph
    layers: dict[str, StudentLayer]
    add_steps: dict[str, Tensor]
    digital: dict[str, dict[str, Tensor]]  # parameters of layers that compute with real values

    @classmethod
    def of(cls, tables: Tables, policy: Policy, device: torch.device = CPU) -> "Student":
        """The network as post-training quantization leaves it, on `device`.

        The steps of the network's own input stay as calibrated: its values are given, and a gradient down to them
        would cost a sixth of the time.
        """
        layers = {name: _student_layer(tables, name, precision, device) for name, precision in policy}
        for reader in tables.graph.consumers(tables.graph.layers[0].name):
            if reader.runs_on_crossbars:
                layers[reader.name].input_step.requires_grad_(False)
        add_steps = {name: _parameter(np.asarray(step), device) for name, step in tables.add_scales.items()}
        digital_parameters = {
            name: {key: _parameter(value, device) for key, value in own.items()}
            for name, own in digital_weights(tables.graph, tables.weights).items()
        }
        return cls(tables.graph, layers, add_steps, digital_parameters)

    @property
    def plan(self) -> Plan:
        """How it is run."""
        return Plan.of(self.graph, {name for name, layer in self.layers.items() if not layer.input_signed})

    @property
    def values(self) -> Sequence[Tensor]:
        """Weights and biases, and the parameters of layers that are not quantized."""
        quantized = [tensor for layer in self.layers.values() for tensor in (layer.weight, layer.bias) if len(tensor)]
        return [*quantized, *(tensor for own in self.digital.values() for tensor in own.values())]

    @property
    def steps(self) -> Sequence[Tensor]:
        """Quantization steps that are learned."""
        own = [tensor for layer in self.layers.values() for tensor in (layer.weight_step, layer.input_step)]
        return [*(step for step in own if step.requires_grad), *self.add_steps.values()]

    def keep_steps_positive(self) -> None:
        """Undo an update that took a step to zero or below."""
        with torch.no_grad():
            for step in self.steps:
                step.clamp_(min=SMALLEST_STEP)

    def on_chip(self, errors: ChipErrors, chip: int) -> Mapping[str, LayerErrors | None]:
        """What chip number `chip` makes of each layer, as it stands."""
        return {name: layer.on_chip(self.graph[name], errors, chip) for name, layer in self.layers.items()}

    def function(self, errors: Mapping[str, LayerErrors | None], generator: Generator) -> LayerFunction:
        """What the layers compute with the `errors` of a chip; `generator` draws those that come anew."""
        nonnegative = nonnegative_layers(self.graph)

        def apply(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
            if isinstance(layer.op, Add):
                low, high = activation_range(ADD_BITS, layer.name not in nonnegative)
                a, b = aligned(*operands)
                return quantize_learned(a + b, self.add_steps[layer.name], low, high, shared_by=layer.size)
            if layer.runs_on_crossbars:
                return self.layers[layer.name].run(layer, operands, errors.get(layer.name), generator)
            return digital(layer, operands, self.digital[layer.name])

        return apply

    def parameters(self) -> QuantizedParameters:
        """The network as it stands, quantized."""
        return QuantizedParameters(
            {name: layer.parameters() for name, layer in self.layers.items()},
            {name: float(step.detach()) for name, step in self.add_steps.items()},
            to_weights(self.digital),
        )


def _student_layer(tables: Tables, name: str, precision: Precision, device: torch.device) -> StudentLayer:
    start = quantize_layer(tables, name, precision)
    if isinstance(tables.graph[name].op, Product):
        none = torch.zeros(0, device=device)
        weight_step = _parameter(start.weight_scale.reshape(()), device)
        input_step = _parameter(np.asarray(start.input_scale), device)
        return StudentLayer(precision, none, none, weight_step, input_step, start.input_signed)
    weight = tables.weights[name]["weight"]
    step = start.weight_scale.reshape(-1, *([1] * (weight.ndim - 1)))
    codes = start.weight_codes.reshape(weight.shape)
    weight = np.clip(weight, (codes - INSIDE) * step, (codes + INSIDE) * step)
    return StudentLayer(
        precision,
        _parameter(weight, device),
        _parameter(start.bias, device),
        _parameter(step, device),
        _parameter(np.asarray(start.input_scale), device),
        start.input_signed,
    )


def _channelwise(values: Tensor, layer: Layer) -> Tensor:
    """Values [outputs], or [1], to broadcast over a layer's outputs: a convolution's channels are not its last axis."""
    return values.view(-1, 1, 1) if isinstance(layer.op, Conv2d) else values


def _parameter(values: FloatArray | Float32, device: torch.device) -> Tensor:
    return channels_last(torch.tensor(values, dtype=torch.float32, device=device)).requires_grad_(True)
