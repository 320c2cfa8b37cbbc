"""From a graph and a policy to the operations of its integer network. Needs shapes only, no weights.

Each crossbar layer reads codes of its own precision, so a tensor that two layers read is requantized for each. Codes
are made as early as possible: right after the values they come from, ahead of a relu (which clipping at 0 replaces), of
max pooling (which rounding commutes with) and of reshaping, because codes take less buffer than sums. Batch
normalization must be folded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from math import prod

from cimspec.diag import fail
from cimspec.graph.graph import Graph
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
    GlobalAvgPool,
    Input,
    Layer,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    MaxPool,
    MeanTokens,
    Multiply,
    Product,
    Quantize,
    Relu,
    Reshape,
    Slice,
    Softmax,
    Transpose,
)
from cimspec.graph.precision import Policy
from cimspec.graph.signs import nonnegative_layers
from cimspec.graph.window import Window
from cimspec.quant.ops import (
    AddCodes,
    Clipped,
    Codes,
    Dequantize,
    Evaluate,
    IntegerOp,
    Joined,
    Load,
    LocallyNormalized,
    MatMul,
    Multiplied,
    Normalized,
    PoolMax,
    PoolSum,
    Rectify,
    Requantize,
    Reshaped,
    Scaled,
    Sliced,
    Softmaxed,
    SumAxes,
    Tensor,
    Transposed,
    VectorOp,
    Wide,
)
from cimspec.quant.parameters import ADD_BITS
from cimspec.quant.scale_axes import scale_axes
from cimspec.quant.types import result_type

OUTPUT = "network.output"
"""Name of the real-valued output tensor; no layer's name has a point in it."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """Operations in execution order, and every tensor, the network's input first."""

    ops: tuple[IntegerOp, ...]
    tensors: tuple[Tensor, ...]


def lower(graph: Graph, policy: Policy) -> Lowered:
    """The operations of `graph`; the input is called like the graph's input layer, the output `network.output`."""
    return _Lowering(graph, policy).run()


def codes_name(layer: str) -> str:
    """The codes that a crossbar layer's rows are driven with."""
    return f"{layer}.codes"


def stored_name(layer: str) -> str:
    """The codes that a product of two activations writes into crossbars."""
    return f"{layer}.stored"


@dataclass(slots=True)
class _Lowering:
    graph: Graph
    policy: Policy
    ops: list[IntegerOp] = field(default_factory=list)
    types: dict[str, Tensor] = field(default_factory=dict)
    axes: dict[str, frozenset[int]] = field(default_factory=dict)  # along which a tensor's scale may change

    def run(self) -> Lowered:
        nonnegative = nonnegative_layers(self.graph)
        first = self.graph.layers[0]
        self.types[first.name] = Tensor(first.name, Wide.REALS, first.shape)
        self.axes[first.name] = frozenset()
        absorbed = absorbed_layers(self.graph)
        for layer in self.graph.layers:
            if layer.runs_on_crossbars:
                self._lower_product(layer, [name not in nonnegative for name in layer.inputs])
            elif layer.name not in absorbed:
                self._lower_digital(layer, layer.name not in nonnegative)
        self._emit(Dequantize(OUTPUT, self.graph.output.name))
        return Lowered(tuple(self.ops), tuple(self.types.values()))

    def _emit(self, op: IntegerOp, constant: tuple[int, ...] | None = None) -> str:
        self.ops.append(op)
        self.types[op.dst] = result_type(op, self.types, constant)
        self.axes[op.dst] = scale_axes(op, self.types, self.axes)
        return op.dst

    def _lower_product(self, layer: Layer, signed: list[bool]) -> None:
        precision = self.policy[layer.name]
        codes = self._codes(layer, 0, codes_name(layer.name), Codes(precision.activation_bits, signed[0]))
        name, weights, bias = layer.name, f"{layer.name}.weights", f"{layer.name}.bias"
        size: tuple[Window | None, int, int, int]
        match layer.op:
            case Conv2d() as op:
                inputs, outputs = op.in_channels // op.groups * op.window.area, op.out_channels // op.groups
                size = (op.window, op.groups, inputs, outputs)
                made = MatMul(name, codes, name, weights, bias, *size, layer.shape, precision, signed[0])
            case Linear() as op:
                size = (None, 1, op.in_features, op.out_features)
                made = MatMul(name, codes, name, weights, bias, *size, layer.shape, precision, signed[0])
            case Product():
                stored = self._codes(layer, 1, stored_name(name), Codes(precision.weight_bits, True))
                inputs, outputs = self.types[stored].shape[-2:]
                size = (None, prod(layer.shape[:-2]), inputs, outputs)
                made = MatMul(name, codes, name, stored, None, *size, layer.shape, precision, signed[0])
            case _:
                raise AssertionError(f"{layer.name} does not run on crossbars")
        self._emit(made)

    def _codes(self, layer: Layer, operand: int, name: str, codes: Codes) -> str:
        """Emit what makes the codes that `layer` reads; the name of the tensor that holds them."""
        source, chain = code_path(self.graph, layer, operand)
        self._emit(Requantize(name, source, codes))
        made = name
        for step in chain:
            if not isinstance(step.op, Relu):
                made = self._emit(_reordered(step, f"{name}.{step.name}", made))
        return made

    def _lower_digital(self, layer: Layer, signed: bool) -> None:  # noqa: C901 (one case per layer kind)
        name = layer.name
        match layer.op:
            case Input():
                pass
            case Constant():
                self._emit(Load(name, f"{name}.value"), layer.shape)
            case AvgPool() as op:
                self._emit(PoolSum(name, self._summable(layer, {1, 2}), op.window, op.counts_padding))
            case GlobalAvgPool():
                self._emit(SumAxes(name, self._summable(layer, {1, 2}), (1, 2)))
            case MeanTokens():
                self._emit(SumAxes(name, self._summable(layer, {0}), (0,)))
            case Add():
                a, b = layer.inputs
                self._emit(AddCodes(name, a, b, Codes(ADD_BITS, signed)))
            case Quantize(bits):
                self._emit(Requantize(name, layer.inputs[0], Codes(bits, signed)))
            case MaxPool() as op:
                self._emit(PoolMax(name, self._summable(layer, {1, 2}), op.window))
            case BatchNorm():
                fail("CIM402", f"batch normalization `{name}` follows no layer that it could be folded into")
            case Conv2d() | Linear() | Product():
                raise AssertionError("products are lowered apart")
            case Concat(axis):
                extents = [self.types[source].shape[axis] for source in layer.inputs]
                starts = tuple(accumulate(extents[:-1], initial=0))
                self._emit(Joined(name, tuple(zip(layer.inputs, starts, strict=True)), axis))
            case Relu() | Reshape() | Transpose() | Slice():
                self._emit(_reordered(layer, name, layer.inputs[0]))
            case _:
                self._emit(_real_operation(layer))

    def _summable(self, layer: Layer, pooled: set[int]) -> str:
        """What a pooling layer reads: its input, or its real values where scales differ within a window."""
        source = layer.inputs[0]
        if self.axes[source] & pooled:
            return self._emit(Dequantize(f"{layer.name}.reals", source))
        return source


def absorbed_layers(graph: Graph) -> frozenset[str]:
    """Layers that are done on the codes of the crossbar layer after them."""
    return frozenset(
        step.name
        for layer in graph.crossbar_layers
        for operand in range(len(layer.inputs))
        for step in code_path(graph, layer, operand)[1]
    )


def code_path(graph: Graph, layer: Layer, operand: int = 0) -> tuple[str, tuple[Layer, ...]]:
    """The tensor that a crossbar layer's codes are made from, and the layers they pass through on their way."""
    chain: list[Layer] = []
    source = graph[layer.inputs[operand]]
    while isinstance(source.op, Relu | MaxPool | Reshape | Transpose) and _is_read_once(graph, source):
        chain.append(source)
        source = graph[source.inputs[0]]
    if operand and any(isinstance(step.op, Relu) for step in chain):
        return layer.inputs[operand], ()  # what is stored is signed: clipping its codes at 0 would not replace a relu
    return source.name, tuple(reversed(chain))


def _is_read_once(graph: Graph, layer: Layer) -> bool:
    return sum(reader.inputs.count(layer.name) for reader in graph.consumers(layer.name)) == 1


def _reordered(layer: Layer, dst: str, src: str) -> VectorOp:
    match layer.op:
        case Relu():
            return Rectify(dst, src)
        case MaxPool() as op:
            return PoolMax(dst, src, op.window)
        case Reshape():
            return Reshaped(dst, src, layer.shape)
        case Transpose() as op:
            return Transposed(dst, src, op.axes)
        case Slice() as op:
            return Sliced(dst, src, op.axis, op.start, op.stop, op.step)
        case _:
            raise AssertionError(f"{layer.name} computes something")


def _real_operation(layer: Layer) -> VectorOp:
    """Functions of real values."""
    name = layer.name
    match layer.op:
        case Elementwise(function):
            return Evaluate(name, layer.inputs[0], function)
        case Clip(low, high):
            return Clipped(name, layer.inputs[0], low, high)
        case Affine():
            return Scaled(name, layer.inputs[0], f"{name}.factor", f"{name}.shift")
        case Softmax(axis):
            return Softmaxed(name, layer.inputs[0], axis)
        case LayerNorm(_, epsilon):
            return Normalized(name, layer.inputs[0], f"{name}.gamma", f"{name}.beta", epsilon)
        case LocalResponseNorm(size, alpha, beta, bias):
            return LocallyNormalized(name, layer.inputs[0], size, alpha, beta, bias)
        case Multiply():
            return Multiplied(name, *layer.inputs)
        case _:
            raise AssertionError(f"{layer.name} is no function of real values")


def by_name(tensors: tuple[Tensor, ...]) -> Mapping[str, Tensor]:
    """Tensors by their names."""
    return {tensor.name: tensor for tensor in tensors}
