"""Random small networks with random parameters: images through convolutions of all kinds, then vectors or sequences."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from cimspec.graph import Graph, Policy, Precision, nonnegative_layers
from cimspec.graph.layer import (
    Add,
    Affine,
    AvgPool,
    Clip,
    Concat,
    Constant,
    Conv2d,
    Elementwise,
    Function,
    GlobalAvgPool,
    Input,
    Layer,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    MaxPool,
    MeanTokens,
    Multiply,
    Op,
    Product,
    Relu,
    Reshape,
    Shape,
    Slice,
    Softmax,
    Transpose,
)
from cimspec.graph.window import Window
from cimspec.quant.integer import IntegerNetwork, integer_network
from cimspec.quant.parameters import LayerParameters, QuantizedParameters, weight_limit


@dataclass(frozen=True)
class Case:
    """A network, its policy, its integer form and a batch of inputs."""

    graph: Graph
    policy: Policy
    network: IntegerNetwork
    images: np.ndarray
    parameters: QuantizedParameters


@dataclass
class Builder:
    """Layers one after the other; `last` is what the next one reads unless it is told otherwise."""

    layers: list[Layer] = field(default_factory=list)

    @property
    def last(self) -> str:
        return self.layers[-1].name

    @property
    def shape(self) -> Shape:
        return self.layers[-1].shape

    def shape_of(self, name: str) -> Shape:
        return next(layer.shape for layer in self.layers if layer.name == name)

    def add(self, op: Op, shape: Shape, *inputs: str) -> str:
        name = f"{type(op).__name__.lower()}{len(self.layers)}"
        self.layers.append(Layer(name, op, inputs or (self.last,), shape))
        return name

    def conv(self, channels: int, window: Window, groups: int = 1, source: str | None = None) -> str:
        read = self.shape_of(source or self.last)
        shape = (channels, *window.count(*read[1:]))
        return self.add(Conv2d(read[0], channels, window, groups), shape, source or self.last)

    def linear(self, features: int, source: str | None = None) -> str:
        shape = self.shape_of(source or self.last)
        return self.add(Linear(shape[-1], features), (*shape[:-1], features), source or self.last)


@st.composite
def cases(draw) -> Case:
    """A random network of up to about twenty layers on images of up to 9 x 9."""
    return make_case(draw(graphs()), draw(st.integers(0, 2**32)), draw(st.integers(1, 3)))


def make_case(graph: Graph, seed: int, batch: int = 2) -> Case:
    """The network with random bits, parameters and images."""
    rng = np.random.default_rng(seed)
    names = tuple(layer.name for layer in graph.crossbar_layers)
    policy = Policy(names, tuple(Precision(*map(int, rng.integers(2, 9, 2))) for _ in names))
    images = rng.random((batch, *graph.input_shape))
    if graph.signed_input:
        images = images * 2 - 1
    parameters = random_parameters(graph, policy, rng)
    return Case(graph, policy, integer_network(graph, parameters), images, parameters)


@st.composite
def graphs(draw) -> Graph:
    """Convolutions, then any of pooling, residuals, branches and gates, then a head of vectors or of attention."""
    build = Builder()
    channels, side = draw(st.integers(1, 4)), draw(st.integers(4, 9))
    build.layers.append(Layer("x", Input(draw(st.booleans())), (), (channels, side, side)))
    for _ in range(draw(st.integers(1, 2))):
        convolution(draw, build)
    for part in draw(st.lists(st.sampled_from([pooling, residual, branches, gate, depthwise, function]), max_size=2)):
        part(draw, build)
    draw(st.sampled_from([vector_head, attention_head]))(draw, build)
    return Graph("random", tuple(build.layers))


def convolution(draw, build: Builder) -> None:
    _, height, width = build.shape
    kernel = (draw(st.integers(1, min(3, height))), draw(st.integers(1, min(3, width))))
    padding = tuple(draw(st.integers(0, 1)) for _ in range(4))
    dilation = draw(st.integers(1, 2)) if min(height, width) >= 5 else 1
    window = Window(kernel, (draw(st.integers(1, 2)), draw(st.integers(1, 2))), padding, (dilation, dilation))
    groups = draw(st.sampled_from([n for n in range(1, 5) if build.shape[0] % n == 0]))
    build.conv(groups * draw(st.integers(1, 4)), window, groups)
    if draw(st.booleans()):
        build.add(Relu(), build.shape)


def depthwise(draw, build: Builder) -> None:
    channels = build.shape[0]
    build.conv(channels * draw(st.integers(1, 2)), Window.square(3, 1, 1), channels)
    build.add(Clip(0.0, 6.0), build.shape)


def pooling(draw, build: Builder) -> None:
    channels, height, width = build.shape
    kernel = min(2, height, width)
    padding = (draw(st.integers(0, 1)), 0, 0, draw(st.integers(0, 1)))
    window = Window((kernel, kernel), (1, draw(st.integers(1, 2))), padding if kernel == 2 else (0, 0, 0, 0))
    op = draw(st.sampled_from([MaxPool(window), AvgPool(window), AvgPool(window, counts_padding=True)]))
    build.add(op, (channels, *window.count(height, width)))


def residual(draw, build: Builder) -> None:
    start, channels = build.last, draw(st.integers(1, 5))
    shortcut = build.conv(channels, Window.square(1), source=start)
    build.conv(channels, Window.square(3, 1, 1), source=start)
    main = build.add(Relu(), build.shape) if draw(st.booleans()) else build.last
    build.add(Add(), build.shape, shortcut, main)
    if draw(st.booleans()):
        build.add(Relu(), build.shape)


def branches(draw, build: Builder) -> None:
    """Two branches side by side, as in Inception, and perhaps one of them cut off again."""
    start = build.last
    _, height, width = build.shape
    one = build.conv(draw(st.integers(1, 3)), Window.square(1), source=start)
    other = build.conv(draw(st.integers(1, 3)), Window.square(3, 1, 1), source=start) if draw(st.booleans()) else start
    channels = build.shape_of(one)[0] + build.shape_of(other)[0]
    build.add(Concat(0), (channels, height, width), one, other)
    if draw(st.booleans()):
        start, stop, step = draw(st.integers(0, channels - 1)), channels, draw(st.integers(1, 2))
        build.add(Slice(0, start, stop, step), (len(range(start, stop, step)), height, width))


def gate(draw, build: Builder) -> None:
    """Channels weighted by what all pixels say, as in squeeze and excitation; or shuffled."""
    start, (channels, height, width) = build.last, build.shape
    if draw(st.booleans()):
        build.add(GlobalAvgPool(), (channels,), start)
        build.linear(channels)
        build.add(Elementwise(draw(st.sampled_from([Function.SIGMOID, Function.HARD_SIGMOID]))), (channels,))
        build.add(Reshape(), (channels, 1, 1))
        build.add(Multiply(), (channels, height, width), start, build.last)
    else:
        build.add(Reshape(), (1, channels, height * width))
        build.add(Transpose((1, 0, 2)), (channels, 1, height * width))
        build.add(Reshape(), (channels, height, width))


def function(draw, build: Builder) -> None:
    ops = [LocalResponseNorm(3, 1e-2, 0.75, 1.0), Affine(), *map(Elementwise, Function)]
    build.add(draw(st.sampled_from(ops)), build.shape)


def vector_head(draw, build: Builder) -> None:
    channels, height, width = build.shape
    if draw(st.booleans()):
        build.add(GlobalAvgPool(), (channels,))
    else:
        build.add(Reshape(), (channels * height * width,))
    build.linear(draw(st.integers(1, 12)))
    if draw(st.booleans()):
        build.add(Relu(), build.shape)
        build.linear(draw(st.integers(1, 5)))


def attention_head(draw, build: Builder) -> None:
    """Pixels as tokens, a class token, positions, one attention and its residual, then a mean or the first token."""
    channels, height, width = build.shape
    heads, size = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    features, tokens = heads * size, height * width + 1
    build.add(Reshape(), (channels, height * width))
    build.add(Transpose((1, 0)), (height * width, channels))
    patches = build.linear(features)
    build.layers.append(Layer("token", Constant(), (), (1, features)))
    build.layers.append(Layer("positions", Constant(), (), (tokens, features)))
    build.add(Concat(0), (tokens, features), "token", patches)
    stream = build.add(Add(), (tokens, features), build.last, "positions")
    build.add(LayerNorm(features), (tokens, features))
    normal = build.last

    def split(axes: tuple[int, ...], shape: Shape) -> str:
        build.linear(features, normal)
        build.add(Reshape(), (tokens, heads, size))
        return build.add(Transpose(axes), shape)

    query = split((1, 0, 2), (heads, tokens, size))
    key = split((1, 2, 0), (heads, size, tokens))
    value = split((1, 0, 2), (heads, tokens, size))
    build.add(Product(), (heads, tokens, tokens), query, key)
    build.add(Affine(), build.shape)
    scores = build.add(Softmax(2), build.shape)
    build.add(Product(), (heads, tokens, size), scores, value)
    build.add(Transpose((1, 0, 2)), (tokens, heads, size))
    build.add(Reshape(), (tokens, features))
    build.linear(features)
    build.add(Add(), (tokens, features), build.last, stream)
    if draw(st.booleans()):
        build.add(MeanTokens(), (features,))
    else:
        build.add(Slice(0, 0, 1), (1, features))
        build.add(Reshape(), (features,))
    build.linear(draw(st.integers(1, 4)))


def random_parameters(graph: Graph, policy: Policy, rng: np.random.Generator) -> QuantizedParameters:
    """Codes over their whole range, steps of a size that keeps activations within theirs."""
    nonnegative = nonnegative_layers(graph)
    layers = {}
    for layer in graph.crossbar_layers:
        precision = policy[layer.name]
        limit = weight_limit(precision.weight_bits)
        input_scale = float(rng.uniform(0.5, 2.0)) / 2**precision.activation_bits
        signed = layer.inputs[0] not in nonnegative
        if isinstance(layer.op, Product):
            stored = np.array([float(rng.uniform(0.5, 2.0)) / limit])
            none = np.zeros((0, 0), np.int16), np.zeros(0)
            layers[layer.name] = LayerParameters(precision, none[0], stored, none[1], input_scale, signed)
            continue
        inputs, outputs = matrix(layer.op)
        layers[layer.name] = LayerParameters(
            precision,
            rng.integers(-limit, limit, (outputs, inputs), endpoint=True).astype(np.int16),
            rng.uniform(0.5, 1.5, outputs) / (limit * inputs**0.5),
            rng.normal(0, 0.1, outputs),
            input_scale,
            signed,
        )
    adds = {layer.name: float(rng.uniform(0.01, 0.03)) for layer in graph.layers if isinstance(layer.op, Add)}
    digital = {layer.name: made for layer in graph.layers if (made := digital_values(layer, rng))}
    return QuantizedParameters(layers, adds, digital)


def digital_values(layer: Layer, rng: np.random.Generator) -> dict[str, np.ndarray]:
    match layer.op:
        case Affine():
            shape = (layer.shape[0], *(1,) * (len(layer.shape) - 1))
            return {
                "factor": rng.uniform(0.5, 2, shape).astype(np.float32),
                "shift": rng.normal(0, 0.1, shape).astype(np.float32),
            }
        case LayerNorm(features):
            return {"gamma": rng.uniform(0.5, 2, features).astype(np.float32), "beta": np.zeros(features, np.float32)}
        case Constant():
            return {"value": rng.normal(size=layer.shape).astype(np.float32)}
        case _:
            return {}


def matrix(op: Op) -> tuple[int, int]:
    """Inputs of one output, and outputs of all groups."""
    match op:
        case Conv2d():
            return op.in_channels // op.groups * op.window.area, op.out_channels
        case Linear():
            return op.in_features, op.out_features
    raise AssertionError(op)
