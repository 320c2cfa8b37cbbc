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
from cimspec.quant.weights import Weights

Vectors = npt.NDArray[np.float32]


def sample_inputs(graph: Graph, weights: Weights, images: Images, count: int) -> Mapping[str, Vectors]:
    """Up to `count` input vectors [vectors, inputs] of each crossbar layer, drawn from all images and positions."""
    samples: dict[str, Vectors] = {}
    compute = float_function(to_tensors(weights))

    def observe(layer: Layer, operands: tuple[Tensor, ...]) -> Tensor:
        if not isinstance(layer.op, Add):
            samples[layer.name] = _vectors(layer, operands[0], count)
        return compute(layer, operands)

    function: LayerFunction = observe
    with torch.no_grad():
        Plan.of(graph).run(torch.from_numpy(images), function)
    return samples


def drawn(total: int, count: int) -> npt.NDArray[np.int64]:
    """`count` of `total` indices (all, if there are fewer), ascending, the same each time.

    Not evenly spaced ones: those would meet the same few positions of every image.
    """
    chosen = np.random.default_rng(0).choice(total, min(total, count), replace=False)
    return np.asarray(np.sort(chosen), np.int64)


def _vectors(layer: Layer, inputs: Tensor, count: int) -> Vectors:
    vectors = inputs
    if isinstance(layer.op, Conv2d):
        op = layer.op
        few = inputs[drawn(len(inputs), count)]
        vectors = functional.unfold(few, op.kernel, padding=op.padding, stride=op.stride).transpose(1, 2).flatten(0, 1)
    return vectors[drawn(len(vectors), count)].numpy()
