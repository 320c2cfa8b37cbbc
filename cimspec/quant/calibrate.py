"""Fit quantization steps to a float network and a few images: Graph + Weights + images -> Tables.

The graph has no batch normalization any more (`fold_batch_norm`). Only the forward pass uses torch.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from cimspec.data.dataset import Images
from cimspec.graph.graph import Graph
from cimspec.graph.layer import Add, Conv2d, Layer
from cimspec.graph.signs import nonnegative_layers
from cimspec.quant.execute import LayerFunction, Plan, float_function, to_tensors
from cimspec.quant.parameters import ADD_BITS, FloatArray, activation_range
from cimspec.quant.samples import input_vectors
from cimspec.quant.steps import activation_step, weight_steps
from cimspec.quant.tables import TABLE_BITS, LayerTable, Tables
from cimspec.quant.weights import Weights

WIDEST_FITTED = 1024
"""Inputs of a layer up to which weights are rounded together; beyond, time and memory would grow too large."""


def calibrate(graph: Graph, weights: Weights, images: Images) -> Tables:
    """Steps for all bits from the float activations on `images` [images, channels, height, width]."""
    layers: dict[str, LayerTable] = {}
    add_scales: dict[str, float] = {}
    nonnegative = nonnegative_layers(graph)
    compute = float_function(to_tensors(weights))

    def observe(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
        output = compute(layer, operands)
        if isinstance(layer.op, Add):
            signed = layer.name not in nonnegative
            add_scales[layer.name] = activation_step(output.numpy(), ADD_BITS, signed=signed)
        else:
            signed = layer.inputs[0] not in nonnegative
            layers[layer.name] = _layer_table(layer, weights[layer.name]["weight"], operands[0], signed)
        return output

    function: LayerFunction = observe
    with torch.no_grad():
        Plan.of(graph).run(torch.from_numpy(images), function)
    return Tables(graph, weights, layers, add_scales)


def _layer_table(layer: Layer, weight: npt.NDArray[np.float32], inputs: Tensor, signed: bool) -> LayerTable:
    steps = {bits: activation_step(inputs.numpy(), bits, signed=signed) for bits in TABLE_BITS}
    return LayerTable(
        {bits: weight_steps(weight, bits) for bits in TABLE_BITS},
        steps,
        signed,
        mean_patch(layer, inputs),
        {bits: mean_patch(layer, coded(inputs, steps[bits], bits, signed=signed)) for bits in TABLE_BITS},
        second_moments(layer, inputs) if weight[0].size <= WIDEST_FITTED else None,
    )


def coded(values: Tensor, step: float, bits: int, *, signed: bool) -> Tensor:
    """`step * clip(rint(values / step))`: the values that codes of `bits` stand for."""
    low, high = activation_range(bits, signed)
    return (values / step).round_().clamp_(low, high).mul_(step)


def second_moments(layer: Layer, inputs: Tensor) -> FloatArray:
    """Mean of `x x^T` over images and positions, x what the layer's matrix sees: [inputs, inputs]."""
    vectors = input_vectors(layer, inputs).double()
    return (vectors.T @ vectors / len(vectors)).numpy()


def mean_patch(layer: Layer, inputs: Tensor) -> FloatArray:
    """Mean over images and positions of what each input of the layer's matrix sees: [inputs]."""
    mean = inputs.mean(0, keepdim=True)
    if isinstance(layer.op, Conv2d):
        op = layer.op
        mean = functional.unfold(mean, op.kernel, padding=op.padding, stride=op.stride).mean(2)
    return mean[0].double().numpy()
