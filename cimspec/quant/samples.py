"""What reaches each crossbar layer of the float network: Graph + Weights + images -> a few input vectors of each."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from cimspec.data.dataset import Images
from cimspec.graph.graph import Graph
from cimspec.graph.layer import Add, Conv2d, Layer
from cimspec.quant.execute import LayerFunction, Plan, float_function, to_tensors
from cimspec.quant.steps import drawn
from cimspec.quant.weights import Weights

Vectors = npt.NDArray[np.float32]


def sample_inputs(graph: Graph, weights: Weights, images: Images, count: int) -> Mapping[str, Vectors]:
    """Up to `count` input vectors [vectors, inputs] of each crossbar layer, drawn from all images and positions."""
    samples: dict[str, Vectors] = {}
    compute = float_function(to_tensors(weights))

    def observe(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
        if not isinstance(layer.op, Add):
            samples[layer.name] = _sampled(layer, operands[0], count)
        return compute(layer, operands)

    function: LayerFunction = observe
    with torch.no_grad():
        Plan.of(graph).run(torch.from_numpy(images), function)
    return samples


def input_vectors(layer: Layer, inputs: Tensor) -> Tensor:
    """What the layer's matrix sees of its inputs [images, ...]: [vectors, inputs], one for each image and position."""
    if not isinstance(layer.op, Conv2d):
        return inputs
    op = layer.op
    return functional.unfold(inputs, op.kernel, padding=op.padding, stride=op.stride).transpose(1, 2).flatten(0, 1)


def _sampled(layer: Layer, inputs: Tensor, count: int) -> Vectors:
    vectors = input_vectors(layer, inputs[drawn(len(inputs), count)])
    return vectors[drawn(len(vectors), count)].numpy()
