"""Fit quantization steps to a float network and a few images: Graph + Weights + images -> Tables.

The graph has no batch normalization any more (`fold_batch_norm`). Only the forward pass uses torch.
"""

import numpy as np
import torch
from torch import Tensor

from cimspec.data.dataset import Images
from cimspec.graph.graph import Graph
from cimspec.graph.layer import Add, Layer, Product
from cimspec.graph.signs import nonnegative_layers
from cimspec.quant.device import CPU
from cimspec.quant.execute import LayerFunction, Plan, float_function, to_tensors
from cimspec.quant.parameters import ADD_BITS, FloatArray, activation_range
from cimspec.quant.samples import input_vectors
from cimspec.quant.steps import activation_step, weight_steps
from cimspec.quant.tables import TABLE_BITS, LayerTable, Tables
from cimspec.quant.weights import LayerWeights, Weights

WIDEST_FITTED = 1024
"""Inputs of a layer up to which weights are rounded together; beyond, time and memory would grow too large."""


def calibrate(graph: Graph, weights: Weights, images: Images, *, device: torch.device = CPU) -> Tables:
    """Steps for all bits from the float activations on `images` [images, channels, height, width]."""
    layers: dict[str, LayerTable] = {}
    add_scales: dict[str, float] = {}
    nonnegative = nonnegative_layers(graph)
    compute = float_function(to_tensors(weights, device))

    def observe(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
        output = compute(layer, operands)
        if isinstance(layer.op, Add):
            signed = layer.name not in nonnegative
            add_scales[layer.name] = activation_step(output.cpu().numpy(), ADD_BITS, signed=signed)
        elif layer.runs_on_crossbars:
            signed = layer.inputs[0] not in nonnegative
            layers[layer.name] = _layer_table(layer, weights.get(layer.name, {}), operands, signed)
        return output

    function: LayerFunction = observe
    with torch.no_grad():
        Plan.of(graph).run(torch.from_numpy(images).to(device), function)
    return Tables(graph, weights, layers, add_scales)


def _layer_table(layer: Layer, own: LayerWeights, operands: tuple[Tensor, ...], signed: bool) -> LayerTable:
    inputs = operands[0]
    values = inputs.cpu().numpy()
    steps = {bits: activation_step(values, bits, signed=signed) for bits in TABLE_BITS}
    if isinstance(layer.op, Product):
        values = operands[1].cpu().numpy()
        stored = {bits: np.array([activation_step(values, bits, signed=True)]) for bits in TABLE_BITS}
        return LayerTable(stored, steps, signed, None, {}, None)
    weight = own["weight"]
    return LayerTable(
        {bits: weight_steps(weight, bits) for bits in TABLE_BITS},
        steps,
        signed,
        mean_vector(layer, inputs),
        {bits: mean_vector(layer, coded(inputs, steps[bits], bits, signed=signed)) for bits in TABLE_BITS},
        second_moments(layer, inputs) if weight[0].size <= WIDEST_FITTED else None,
    )


def coded(values: Tensor, step: float, bits: int, *, signed: bool) -> Tensor:
    """`step * clip(rint(values / step))`: the values that codes of `bits` stand for."""
    low, high = activation_range(bits, signed)
    return (values / step).round_().clamp_(low, high).mul_(step)


def second_moments(layer: Layer, inputs: Tensor) -> FloatArray:
    """Mean of `x x^T` over images and positions, x what each matrix of the layer sees: [groups, inputs, inputs]."""
    vectors = input_vectors(layer, inputs).double()
    return (vectors.mT @ vectors / vectors.shape[1]).cpu().numpy()


def mean_vector(layer: Layer, inputs: Tensor) -> FloatArray:
    """Mean over images and positions of what each matrix of the layer sees: [groups, inputs]."""
    return input_vectors(layer, inputs.mean(0, keepdim=True)).mean(1).double().cpu().numpy()
