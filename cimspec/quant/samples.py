"""What reaches each crossbar layer of the float network: Graph + Weights + images -> a few input vectors of each."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from cimspec.data.dataset import Images
from cimspec.graph.graph import Graph
from cimspec.graph.layer import Conv2d, Layer, Product
from cimspec.quant.execute import LayerFunction, Plan, float_function, pad, to_tensors
from cimspec.quant.steps import drawn
from cimspec.quant.weights import Weights

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Real values that reach a crossbar layer, in the shape that `matrix_inputs` gives codes.

    `inputs` [batch, groups, vectors, inputs of a group]; `stored` [batch, heads, inputs, outputs] for a product of two
    activations.
    """

    inputs: Vectors
    stored: Vectors | None


def sample_inputs(graph: Graph, weights: Weights, images: Images, count: int) -> Mapping[str, Sample]:
    """Up to `count` input vectors of each crossbar layer's matrices, drawn from all images and positions."""
    samples: dict[str, Sample] = {}
    compute = float_function(to_tensors(weights))

    def observe(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
        if layer.runs_on_crossbars:
            samples[layer.name] = _sampled(layer, operands, count)
        return compute(layer, operands)

    function: LayerFunction = observe
    with torch.no_grad():
        Plan.of(graph).run(torch.from_numpy(images), function)
    return samples


def input_vectors(layer: Layer, inputs: Tensor) -> Tensor:
    """What the layer's matrices see of its inputs [images, ...]: [groups, vectors, inputs of one matrix].

    A vector for each image and position; the heads of a product count as positions.
    """
    if not isinstance(layer.op, Conv2d):
        return inputs.flatten(0, -2)[None]
    op, window = layer.op, layer.op.window
    padded = pad(inputs, window, 0.0)
    patches = functional.unfold(padded, window.kernel, dilation=window.dilation, stride=window.stride)
    images, inside, positions = patches.shape
    grouped = patches.reshape(images, op.groups, inside // op.groups, positions)
    return grouped.permute(1, 0, 3, 2).flatten(1, 2)


def _sampled(layer: Layer, operands: tuple[Tensor, ...], count: int) -> Sample:
    inputs = operands[0]
    if isinstance(layer.op, Product):
        chosen = drawn(len(inputs), max(1, count // inputs.shape[-2]))
        heads = (operand[chosen].flatten(1, -3) if operand.ndim > 3 else operand[chosen, None] for operand in operands)
        driving, stored = (operand.numpy() for operand in heads)
        return Sample(driving, stored)
    vectors = input_vectors(layer, inputs[drawn(len(inputs), count)])
    return Sample(vectors[:, drawn(vectors.shape[1], count)].numpy()[None], None)
