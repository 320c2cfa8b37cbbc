"""One layer as it is written -> the layers of the graph that it stands for."""

from dataclasses import dataclass, field
from math import inf, prod
from typing import assert_never

from cimspec.graph.layer import (
    Add,
    Affine,
    AvgPool,
    BatchNorm,
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
from cimspec.graph.shapes import DoesNotFitError, image_of, output_shape, sequence_of, spell
from cimspec.graph.window import Window
from cimspec.spec import (
    AddSpec,
    AttentionSpec,
    AvgPoolSpec,
    BatchNormSpec,
    ClassTokenSpec,
    ClipSpec,
    ConcatSpec,
    Conv2dSpec,
    DepthwiseSpec,
    FlattenSpec,
    FunctionSpec,
    GeluSpec,
    GlobalAvgPoolSpec,
    InputSpec,
    LayerNormSpec,
    LayerSpec,
    LinearSpec,
    LrnSpec,
    MaxPoolSpec,
    MeanTokensSpec,
    MultiplySpec,
    PositionsSpec,
    ProductSpec,
    Projections,
    ReluSpec,
    ReshapeSpec,
    SelectSpec,
    SliceSpec,
    SoftmaxSpec,
    TokensSpec,
    TransposeSpec,
)

FUNCTIONS: dict[str, Op] = {
    "relu6": Clip(0.0, 6.0),
    "sigmoid": Elementwise(Function.SIGMOID),
    "tanh": Elementwise(Function.TANH),
    "silu": Elementwise(Function.SILU),
    "hardsigmoid": Elementwise(Function.HARD_SIGMOID),
    "hardswish": Elementwise(Function.HARD_SWISH),
}

OneOp = (
    Conv2dSpec
    | DepthwiseSpec
    | ProductSpec
    | BatchNormSpec
    | LayerNormSpec
    | LrnSpec
    | ReluSpec
    | FunctionSpec
    | GeluSpec
    | ClipSpec
    | SoftmaxSpec
    | MaxPoolSpec
    | AvgPoolSpec
    | GlobalAvgPoolSpec
    | MeanTokensSpec
    | AddSpec
    | ConcatSpec
    | SliceSpec
    | TransposeSpec
)
"""Layers that are one operation of the graph."""


@dataclass(slots=True)
class Draft:
    """A graph under construction. `reserved` are the names of layers that are still to come."""

    reserved: set[str]
    layers: dict[str, Layer] = field(default_factory=dict)

    def shape(self, name: str) -> Shape:
        """The shape of what a layer makes."""
        return self.layers[name].shape

    def add(self, name: str, op: Op, *sources: str, shape: Shape | None = None) -> str:
        """Add the layer `name`, as it is written. Returns the name. Raises `DoesNotFitError`."""
        made = output_shape(op, tuple(map(self.shape, sources)), shape)
        self.layers[name] = Layer(name, op, sources, made)
        return name

    def add_inner(self, name: str, op: Op, *sources: str, shape: Shape | None = None) -> str:
        """Add a layer that is part of a written one, under this name or, if that is taken, one like it."""
        free, count = name, 1
        while free in self.reserved or free in self.layers:
            count += 1
            free = f"{name}_{count}"
        return self.add(free, op, *sources, shape=shape)


def expand(declared: LayerSpec, sources: tuple[str, ...], draft: Draft) -> str:  # noqa: C901 (one case a kind)
    """Add what `declared` stands for, reading `sources`; returns the layer that makes its output.

    Raises `DoesNotFitError`.
    """
    name, spec = declared.name, declared.op
    if isinstance(spec, InputSpec):
        return draft.add(name, Input(spec.signed), shape=spec.shape)
    source = sources[0]
    shape = draft.shape(source)
    match spec:
        case LinearSpec():
            if len(shape) == 3:
                source = draft.add_inner(f"{name}_flatten", Reshape(), source, shape=_flat(shape))
            return draft.add(name, Linear(draft.shape(source)[-1], spec.features), source)
        case FlattenSpec():
            return draft.add(name, Reshape(), source, shape=_flat(shape))
        case ReshapeSpec():
            return draft.add(name, Reshape(), source, shape=spec.shape)
        case TokensSpec():
            channels, height, width = image_of(shape)
            pixels = draft.add_inner(f"{name}_pixels", Reshape(), source, shape=(channels, height * width))
            return draft.add(name, Transpose((1, 0)), pixels)
        case ClassTokenSpec():
            token = draft.add_inner(f"{name}_token", Constant(), shape=(1, sequence_of(shape)[1]))
            return draft.add(name, Concat(0), token, source)
        case PositionsSpec():
            learned = draft.add_inner(f"{name}_learned", Constant(), shape=shape)
            return draft.add(name, Add(), source, learned)
        case SelectSpec():
            features = sequence_of(shape)[1:]
            row = draft.add_inner(f"{name}_row", Slice(0, spec.token, spec.token + 1), source)
            return draft.add(name, Reshape(), row, shape=features)
        case MultiplySpec():
            return draft.add(name, Multiply(), *_with_gates_of_channels(name, sources, draft))
        case AttentionSpec():
            return _attention(name, spec, source, draft)
        case _:
            return draft.add(name, _operation(spec, tuple(map(draft.shape, sources))), *sources)


def _flat(shape: Shape) -> Shape:
    return (prod(shape),)


def _operation(spec: OneOp, shapes: tuple[Shape, ...]) -> Op:  # noqa: C901 (one case a kind)
    shape = shapes[0]
    match spec:
        case Conv2dSpec():
            window = Window(spec.kernel, spec.stride, spec.padding, spec.dilation)
            return Conv2d(image_of(shape)[0], spec.channels, window, spec.groups)
        case DepthwiseSpec():
            channels = image_of(shape)[0]
            window = Window(spec.kernel, spec.stride, spec.padding, spec.dilation)
            return Conv2d(channels, channels * spec.multiplier, window, channels)
        case ProductSpec():
            return Product()
        case BatchNormSpec():
            return BatchNorm(shape[0])
        case LayerNormSpec():
            if len(shape) > 2:
                raise DoesNotFitError(f"needs a sequence or a vector, not {spell(shape)}")
            return LayerNorm(shape[-1], spec.epsilon)
        case LrnSpec():
            return LocalResponseNorm(spec.size, spec.alpha, spec.beta, spec.bias)
        case ReluSpec():
            return Relu()
        case FunctionSpec():
            return FUNCTIONS[spec.kind]
        case GeluSpec():
            return Elementwise(Function.GELU if spec.form == "exact" else Function.GELU_TANH)
        case ClipSpec():
            return Clip(-inf if spec.low is None else spec.low, inf if spec.high is None else spec.high)
        case SoftmaxSpec():
            return Softmax(len(shape) - 1 if spec.axis is None else spec.axis)
        case MaxPoolSpec():
            return MaxPool(Window(spec.kernel, spec.stride or spec.kernel, spec.padding))
        case AvgPoolSpec():
            return AvgPool(Window(spec.kernel, spec.stride or spec.kernel, spec.padding), spec.counts_padding)
        case GlobalAvgPoolSpec():
            return GlobalAvgPool()
        case MeanTokensSpec():
            return MeanTokens()
        case AddSpec():
            if shapes[0] != shapes[1]:  # a graph could repeat the smaller one, but here it is more likely a mistake
                raise DoesNotFitError(f"adds {spell(shapes[0])} to {spell(shapes[1])}")
            return Add()
        case ConcatSpec():
            return Concat(spec.axis)
        case SliceSpec():
            return Slice(spec.axis, spec.start, spec.stop, spec.step)
        case TransposeSpec():
            return Transpose(spec.axes)
        case _:
            assert_never(spec)


def _with_gates_of_channels(name: str, sources: tuple[str, ...], draft: Draft) -> tuple[str, ...]:
    """The operands of a multiplication; beside an image a vector becomes channels x 1 x 1."""
    axes = [len(draft.shape(source)) for source in sources]
    if sorted(axes) != [1, 3]:
        return sources
    vector = sources[axes.index(1)]
    gate = draft.add_inner(f"{name}_gate", Reshape(), vector, shape=(*draft.shape(vector), 1, 1))
    return tuple(gate if source == vector else source for source in sources)


def _attention(name: str, spec: AttentionSpec, source: str, draft: Draft) -> str:
    """`softmax(q k^T / sqrt(width)) v` of each head, heads side by side, and a linear layer."""
    tokens, features = sequence_of(draft.shape(source))
    if features % spec.heads:
        raise DoesNotFitError(f"has {spec.heads} heads, which do not divide its {features} features")
    width = features // spec.heads

    def part(suffix: str, op: Op, *reads: str, shape: Shape | None = None) -> str:
        return draft.add_inner(f"{name}_{suffix}", op, *reads, shape=shape)

    def heads(suffix: str, whole: str, axes: tuple[int, ...]) -> str:
        cut = part(f"{suffix}_cut", Reshape(), whole, shape=(tokens, spec.heads, width))
        return part(f"{suffix}_heads", Transpose(axes), cut)

    if spec.qkv is Projections.JOINED:
        together = part("qkv", Linear(features, 3 * features), source)
        query, key, value = (
            part(f"{suffix}_part", Slice(1, index * features, (index + 1) * features), together)
            for index, suffix in enumerate(("q", "k", "v"))
        )
    else:
        query, key, value = (part(suffix, Linear(features, features), source) for suffix in ("q", "k", "v"))
    scaled = part("scale", Affine(width**-0.5), query)
    scores = part("qk", Product(), heads("q", scaled, (1, 0, 2)), heads("k", key, (1, 2, 0)))
    weights = part("softmax", Softmax(2), scores)
    mixed = part("av", Product(), weights, heads("v", value, (1, 0, 2)))
    turned = part("mixed", Transpose((1, 0, 2)), mixed)
    joined = part("joined", Reshape(), turned, shape=(tokens, features))
    return part("out", Linear(features, features), joined)
