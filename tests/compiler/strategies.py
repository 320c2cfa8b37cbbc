"""Random small networks with random integer parameters: convolutions, residuals, pooling, linear layers."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from cimspec.graph import Graph, Policy, Precision, build_graph, nonnegative_layers
from cimspec.graph.layer import Add, Conv2d, Linear
from cimspec.quant.integer import IntegerNetwork, integer_network
from cimspec.quant.parameters import LayerParameters, QuantizedParameters, weight_limit
from cimspec.spec.workload import (
    AddSpec,
    AvgPoolSpec,
    Conv2dSpec,
    FlattenSpec,
    GlobalAvgPoolSpec,
    InputSpec,
    LayerSpec,
    LinearSpec,
    MaxPoolSpec,
    ModelSpec,
    ReluSpec,
)


@dataclass(frozen=True)
class Case:
    """A network, its policy, its integer form and a batch of inputs."""

    graph: Graph
    policy: Policy
    network: IntegerNetwork
    images: np.ndarray


@st.composite
def cases(draw) -> Case:
    """A random network of up to about eight layers on images of up to 9 x 9."""
    graph = build_graph(draw(models()))
    names = tuple(layer.name for layer in graph.crossbar_layers)
    bits = st.integers(2, 8)
    policy = Policy(names, tuple(Precision(draw(bits), draw(bits)) for _ in names))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    images = rng.random((draw(st.integers(1, 3)), *graph.input_shape))
    if graph.signed_input:
        images = images * 2 - 1
    return Case(graph, policy, integer_network(graph, random_parameters(graph, policy, rng)), images)


@st.composite
def models(draw) -> ModelSpec:
    """Convolutions with or without relu, pooling and a residual, then flattening or pooling, then linear layers."""
    channels = draw(st.integers(1, 4))
    side = draw(st.integers(4, 9))
    layers = [LayerSpec(name="x", inputs=(), op=InputSpec(shape=(channels, side, side), signed=draw(st.booleans())))]

    def append(name: str, op: object, *inputs: str) -> None:
        layers.append(LayerSpec(name=name, inputs=inputs or (layers[-1].name,), op=op))

    for index in range(draw(st.integers(1, 2))):
        kernel = draw(st.sampled_from([1, 2, 3]))
        conv = Conv2dSpec(
            channels=draw(st.integers(1, 9)), kernel=kernel, stride=draw(st.integers(1, 2)), padding=kernel // 2
        )
        append(f"c{index}", conv)
        if draw(st.booleans()):
            append(f"r{index}", ReluSpec())
    if draw(st.booleans()):
        append(
            "p",
            draw(
                st.sampled_from(
                    [MaxPoolSpec(kernel=2, stride=1, padding=1), AvgPoolSpec(kernel=1), MaxPoolSpec(kernel=1)]
                )
            ),
        )
    if draw(st.booleans()):
        _append_residual(draw, layers, append)
    append("flat", draw(st.sampled_from([FlattenSpec(), GlobalAvgPoolSpec()])))
    append("f1", LinearSpec(features=draw(st.integers(1, 12))))
    if draw(st.booleans()):
        append("fr", ReluSpec())
        append("f2", LinearSpec(features=draw(st.integers(1, 5))))
    return ModelSpec(name="random", layers=tuple(layers))


def _append_residual(draw, layers, append) -> None:
    start = layers[-1].name
    channels = draw(st.integers(1, 5))
    append("shortcut", Conv2dSpec(channels=channels, kernel=1), start)
    append("main", Conv2dSpec(channels=channels, kernel=3, padding=1), start)
    if draw(st.booleans()):
        append("main_relu", ReluSpec())
    append("sum", AddSpec(), "shortcut", layers[-1].name)
    if draw(st.booleans()):
        append("sum_relu", ReluSpec())


def random_parameters(graph: Graph, policy: Policy, rng: np.random.Generator) -> QuantizedParameters:
    """Codes over their whole range, steps of a size that keeps activations within theirs."""
    nonnegative = nonnegative_layers(graph)
    layers = {}
    for layer in graph.crossbar_layers:
        inputs, outputs = _matrix(layer.op)
        precision = policy[layer.name]
        limit = weight_limit(precision.weight_bits)
        layers[layer.name] = LayerParameters(
            precision,
            rng.integers(-limit, limit, (outputs, inputs), endpoint=True).astype(np.int16),
            rng.uniform(0.5, 1.5, outputs) / (limit * inputs**0.5),
            rng.normal(0, 0.1, outputs),
            float(rng.uniform(0.5, 2.0)) / 2**precision.activation_bits,
            layer.inputs[0] not in nonnegative,
        )
    adds = {layer.name: float(rng.uniform(0.01, 0.03)) for layer in graph.layers if isinstance(layer.op, Add)}
    return QuantizedParameters(layers, adds)


def _matrix(op: object) -> tuple[int, int]:
    match op:
        case Conv2d():
            return op.in_channels * op.kernel**2, op.out_channels
        case Linear():
            return op.in_features, op.out_features
    raise AssertionError(op)
