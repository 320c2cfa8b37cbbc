"""Networks with random weights for benchmarks: ResNet-18 for 32 x 32 images, and parameters for any graph."""

from collections.abc import Iterator

import numpy as np

from cimspec.graph import Graph, Policy, build_graph, nonnegative_layers
from cimspec.graph.layer import Add, Conv2d, Layer
from cimspec.quant.integer import IntegerNetwork, integer_network
from cimspec.quant.parameters import LayerParameters, QuantizedParameters, weight_limit
from cimspec.spec import (
    AddSpec,
    Conv2dSpec,
    FlattenSpec,
    GlobalAvgPoolSpec,
    InputSpec,
    LayerSpec,
    LinearSpec,
    ModelSpec,
    ReluSpec,
)


def resnet18(classes: int = 10) -> Graph:
    """The CIFAR form: the first convolution is 3 x 3 with stride 1, and nothing is pooled before the end."""
    layers = [
        LayerSpec(name="x", inputs=(), op=InputSpec(shape=(3, 32, 32), signed=True)),
        LayerSpec(name="c1", inputs=("x",), op=Conv2dSpec(channels=64, kernel=3, padding=1)),
        LayerSpec(name="out0", inputs=("c1",), op=ReluSpec()),
    ]
    for index, channels in enumerate((64, 64, 128, 128, 256, 256, 512, 512), start=1):
        layers += _block(index, channels, stride=2 if index in (3, 5, 7) else 1)
    layers += [
        LayerSpec(name="pool", inputs=("out8",), op=GlobalAvgPoolSpec()),
        LayerSpec(name="flat", inputs=("pool",), op=FlattenSpec()),
        LayerSpec(name="f1", inputs=("flat",), op=LinearSpec(features=classes)),
    ]
    return build_graph(ModelSpec(name="resnet18", layers=tuple(layers)))


def _block(index: int, channels: int, stride: int) -> Iterator[LayerSpec]:
    source = shortcut = f"out{index - 1}"
    if stride > 1:
        shortcut = f"p{index}"
        yield LayerSpec(name=shortcut, inputs=(source,), op=Conv2dSpec(channels=channels, kernel=1, stride=stride))
    first, relu, second = f"b{index}_1", f"r{index}", f"b{index}_2"
    convolution = Conv2dSpec(channels=channels, kernel=3, stride=stride, padding=1)
    yield LayerSpec(name=first, inputs=(source,), op=convolution)
    yield LayerSpec(name=relu, inputs=(first,), op=ReluSpec())
    yield LayerSpec(name=second, inputs=(relu,), op=Conv2dSpec(channels=channels, kernel=3, padding=1))
    yield LayerSpec(name=f"sum{index}", inputs=(second, shortcut), op=AddSpec())
    yield LayerSpec(name=f"out{index}", inputs=(f"sum{index}",), op=ReluSpec())


def random_network(graph: Graph, policy: Policy, seed: int) -> IntegerNetwork:
    """The graph's integer network with weights and steps from a seed; activations fill a part of their range."""
    rng = np.random.default_rng(seed)
    nonnegative = nonnegative_layers(graph)
    layers = {
        layer.name: _parameters(layer, policy, layer.inputs[0] not in nonnegative, rng)
        for layer in graph.crossbar_layers
    }
    adds = {layer.name: 0.02 for layer in graph.layers if isinstance(layer.op, Add)}
    return integer_network(graph, QuantizedParameters(layers, adds))


def _parameters(layer: Layer, policy: Policy, signed: bool, rng: np.random.Generator) -> LayerParameters:
    precision = policy[layer.name]
    limit = weight_limit(precision.weight_bits)
    op = layer.op
    inputs, outputs = (
        (op.in_channels // op.groups * op.window.area, op.out_channels)
        if isinstance(op, Conv2d)
        else (op.in_features, op.out_features)
    )
    codes = np.clip(np.rint(rng.normal(0, limit / 3, (outputs, inputs))), -limit, limit).astype(np.int16)
    scale = np.full(outputs, 4.0 / (limit * inputs**0.5))
    return LayerParameters(precision, codes, scale, np.zeros(outputs), 2.0 / 2**precision.activation_bits, signed)
