"""From a graph and a policy to the operations of its integer network. Needs shapes only, no weights.

Each crossbar layer reads codes of its own precision, so a tensor that two layers read is requantized for each. Codes
are made as early as possible: right after the sums they come from, ahead of a relu (which clipping at 0 replaces) and
of max pooling (which rounding commutes with), because codes take less buffer than sums. Batch normalization must be
folded.
"""

from dataclasses import dataclass, field
from typing import assert_never

from cimspec.diag import fail
from cimspec.graph.graph import Graph
from cimspec.graph.layer import (
    Add,
    AvgPool,
    BatchNorm,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Input,
    Layer,
    Linear,
    MaxPool,
    Relu,
)
from cimspec.graph.precision import Policy
from cimspec.graph.signs import nonnegative_layers
from cimspec.quant.ops import (
    WHOLE_VECTOR,
    AddCodes,
    Dequantize,
    IntegerOp,
    MatMul,
    PoolMax,
    PoolSum,
    Rectify,
    Requantize,
    Reshape,
    VectorOp,
    Window,
)
from cimspec.quant.parameters import ADD_BITS, activation_range

OUTPUT = "logits"
"""Name of the real-valued output tensor."""


def lower(graph: Graph, policy: Policy) -> tuple[IntegerOp, ...]:
    """Operations in execution order; the input tensor is named after the graph's input layer, the output `logits`."""
    return _Lowering(graph, policy).run()


@dataclass(slots=True)
class _Lowering:
    graph: Graph
    policy: Policy
    ops: list[IntegerOp] = field(default_factory=list)

    def run(self) -> tuple[IntegerOp, ...]:
        nonnegative = nonnegative_layers(self.graph)
        absorbed = {
            name
            for layer in self.graph.crossbar_layers
            for name in (step.name for step in code_path(self.graph, layer)[1])
        }
        for layer in self.graph.layers:
            if layer.runs_on_crossbars:
                self._lower_product(layer, layer.inputs[0] not in nonnegative)
            elif layer.name not in absorbed:
                self._lower_digital(layer, layer.name not in nonnegative)
        self.ops.append(Dequantize(OUTPUT, self.graph.output.name, f"{OUTPUT}.multiplier"))
        return tuple(self.ops)

    def _lower_product(self, layer: Layer, signed: bool) -> None:
        precision = self.policy[layer.name]
        codes = self._codes(layer, precision.activation_bits, signed)
        match layer.op:
            case Conv2d() as op:
                window = Window(op.kernel, op.stride, op.padding)
                inputs, outputs = op.in_channels * op.kernel**2, op.out_channels
            case Linear() as op:
                window, inputs, outputs = WHOLE_VECTOR, op.in_features, op.out_features
            case _:
                raise AssertionError(f"{layer.name} does not run on crossbars")
        self.ops.append(
            MatMul(
                layer.name, codes, layer.name, window, inputs, outputs, layer.shape, precision, signed,
                f"{layer.name}.weights", f"{layer.name}.bias",
            )
        )  # fmt: skip

    def _codes(self, layer: Layer, bits: int, signed: bool) -> str:
        """Emit what makes the codes that `layer` reads; the name of the tensor that holds them."""
        source, chain = code_path(self.graph, layer)
        low, high = activation_range(bits, signed)
        name = f"{layer.name}.codes"
        self.ops.append(Requantize(name, source, f"{layer.name}.multiplier", low, high))
        for step in chain:
            if not isinstance(step.op, Relu):
                self.ops.append(_reorder(step, f"{layer.name}.{step.name}", name))
                name = f"{layer.name}.{step.name}"
        return name

    def _lower_digital(self, layer: Layer, signed: bool) -> None:
        match layer.op:
            case Input():
                pass
            case Relu() | MaxPool() | Flatten():
                self.ops.append(_reorder(layer, layer.name, layer.inputs[0]))
            case AvgPool() as op:
                self.ops.append(PoolSum(layer.name, layer.inputs[0], Window(op.kernel, op.stride, 0)))
            case GlobalAvgPool():
                self.ops.append(PoolSum(layer.name, layer.inputs[0], WHOLE_VECTOR))
            case Add():
                low, high = activation_range(ADD_BITS, signed)
                a, b = layer.inputs
                names = f"{layer.name}.multiplier_a", f"{layer.name}.multiplier_b"
                self.ops.append(AddCodes(layer.name, a, b, *names, low, high))
            case BatchNorm():
                fail("CIM402", f"batch normalization `{layer.name}` follows no layer that it could be folded into")
            case Conv2d() | Linear():
                raise AssertionError("products are lowered apart")
            case _:
                assert_never(layer.op)


def code_path(graph: Graph, layer: Layer) -> tuple[str, tuple[Layer, ...]]:
    """The tensor that the codes of a crossbar layer are made from, and the layers they pass through on their way."""
    chain: list[Layer] = []
    source = graph[layer.inputs[0]]
    while isinstance(source.op, Relu | MaxPool | Flatten) and len(graph.consumers(source.name)) == 1:
        chain.append(source)
        source = graph[source.inputs[0]]
    return source.name, tuple(reversed(chain))


def _reorder(layer: Layer, dst: str, src: str) -> VectorOp:
    match layer.op:
        case Relu():
            return Rectify(dst, src)
        case MaxPool() as op:
            return PoolMax(dst, src, Window(op.kernel, op.stride, op.padding))
        case Flatten():
            return Reshape(dst, src)
        case _:
            raise AssertionError(f"{layer.name} does not pass codes through")
