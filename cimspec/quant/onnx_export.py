"""The integer network as an ONNX model that other tools run: Graph + QuantizedParameters -> QCDQ.

As Brevitas exports: activations are rounded by QuantizeLinear, kept within fewer bits by Clip, and taken back to real
values by DequantizeLinear; weights and biases are stored as integers behind a DequantizeLinear; between these, all
computes in float32. Codes are made right before the layer that reads them. The integer network makes them earlier
where that is the same (`lower.py`).

A float32 sum differs from the exact one in its last bits: a value that lies between two codes may fall to the other.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cimspec.graph.graph import Graph
from cimspec.graph.layer import (
    Add,
    BatchNorm,
    Concat,
    Constant,
    Conv2d,
    Input,
    Layer,
    Linear,
    Multiply,
    Product,
    Quantize,
)
from cimspec.graph.signs import nonnegative_layers
from cimspec.quant.integer import IntegerNetwork, integer_network
from cimspec.quant.lower import codes_name, stored_name
from cimspec.quant.onnx_digital import reshape, window_attributes, write_digital
from cimspec.quant.onnx_nodes import Nodes, has_onnx, require_onnx, save_onnx
from cimspec.quant.ops import Codes
from cimspec.quant.parameters import ADD_BITS, QuantizedParameters

if TYPE_CHECKING:
    import onnx

__all__ = ["export_qcdq", "has_onnx", "save_onnx"]

TEXT = "Made by cimspec: the integer network of a mixed-precision policy, in float32 around integer weights (QCDQ)."


def export_qcdq(graph: Graph, parameters: QuantizedParameters) -> "onnx.ModelProto":
    """The model of a graph without batch normalization; it takes and makes any number of images, float32.

    The input is called like the graph's first layer, the output like its last; the codes that the layer `c1` reads are
    called `c1.codes`. Steps are rounded to float32. Raises `CimError` (CIM902) if `onnx` is not installed.
    """
    require_onnx("writing a model as ONNX")
    network = integer_network(graph, parameters)
    written = _Export(graph, parameters, network, nonnegative_layers(graph))
    for layer in graph.layers:
        written.write(layer)
    first, last = graph.layers[0], graph.output
    return written.nodes.model(graph.name, (first.name, first.shape), (last.name, last.shape), TEXT)


@dataclass(slots=True)
class _Export:
    graph: Graph
    parameters: QuantizedParameters
    network: IntegerNetwork
    nonnegative: frozenset[str]
    nodes: Nodes = field(default_factory=Nodes)
    alike: set[str] = field(default_factory=set)  # layers that are the same for all images: a batch of one
    batch: str | None = None  # the name of the batch's size, once it is needed

    def write(self, layer: Layer) -> None:
        """Add the nodes of a layer."""
        if isinstance(layer.op, Constant) or (layer.inputs and self.alike.issuperset(layer.inputs)):
            self.alike.add(layer.name)
        match layer.op:
            case Input():
                pass
            case Conv2d() | Linear():
                self._write_weighted(layer, layer.op)
            case Product():
                own = self.parameters.layers[layer.name]
                stored = Codes(own.precision.weight_bits, True)
                step = float(own.weight_scale.item())
                moving = self._codes(layer.inputs[1], stored_name(layer.name), stored, step)
                self.nodes.node("MatMul", (self._driven(layer), moving), layer.name)
            case Add():
                total = self.nodes.node("Add", self._aligned(layer), f"{layer.name}.sum")
                codes = Codes(ADD_BITS, layer.name not in self.nonnegative)
                scale = self.parameters.add_scales[layer.name]
                self.nodes.coded(total, f"{layer.name}.codes", codes, scale, layer.name)
            case Quantize(bits):
                codes = Codes(bits, layer.name not in self.nonnegative)
                scale = self.parameters.add_scales[layer.name]
                self.nodes.coded(layer.inputs[0], f"{layer.name}.codes", codes, scale, layer.name)
            case BatchNorm():
                raise ValueError(f"batch normalization `{layer.name}` is not folded")
            case _:
                inputs = layer.inputs
                if isinstance(layer.op, Multiply):
                    inputs = self._aligned(layer)
                elif isinstance(layer.op, Concat):
                    inputs = tuple(self._repeated(layer, number) for number in range(len(inputs)))
                write_digital(self.nodes, layer, layer.op, inputs, self.parameters.digital.get(layer.name, {}))

    def _codes(self, source: str, name: str, codes: Codes, scale: float) -> str:
        """The real values of a layer's output, rounded to codes for one that reads it."""
        return self.nodes.coded(source, name, codes, scale, f"{name}.values")

    def _driven(self, layer: Layer) -> str:
        """The real values of what a layer's rows are driven with."""
        own = self.parameters.layers[layer.name]
        codes = Codes(own.precision.activation_bits, layer.inputs[0] not in self.nonnegative)
        return self._codes(layer.inputs[0], codes_name(layer.name), codes, own.input_scale)

    def _write_weighted(self, layer: Layer, op: Conv2d | Linear) -> None:
        name, nodes = layer.name, self.nodes
        values = self._driven(layer)
        match op:
            case Conv2d(window=window, groups=groups):
                operands = values, self._weight(layer, 0), self._bias(layer)
                nodes.node("Conv", operands, name, **window_attributes(window), group=groups)
            case Linear() if len(layer.shape) == 1:
                nodes.node("Gemm", (values, self._weight(layer, 0), self._bias(layer)), name, transB=1)
            case Linear():
                weight, bias = self._weight(layer, 1), self._bias(layer)
                nodes.node("Add", (nodes.node("MatMul", (values, weight), f"{name}.product"), bias), name)

    def _weight(self, layer: Layer, axis: int) -> str:
        """The layer's weights, its outputs along an axis of two, or along the first."""
        own, name = self.parameters.layers[layer.name], f"{layer.name}.weight"
        codes = own.weight_codes
        if isinstance(layer.op, Conv2d):
            codes = codes.reshape(len(codes), -1, *layer.op.window.kernel)
        codes = codes.T if axis == 1 else codes
        return self.nodes.stored_codes(name, codes, own.precision.weight_bits, own.weight_scale, axis, f"{name}.values")

    def _bias(self, layer: Layer) -> str:
        """The layer's bias, in whole steps of its products."""
        own, name = self.parameters.layers[layer.name], f"{layer.name}.bias"
        codes = self.nodes.store(name, self.network.constants[name].astype(np.int32))
        step = self.nodes.store(f"{name}.scale", (own.input_scale * own.weight_scale).astype(np.float32))
        return self.nodes.node("DequantizeLinear", (codes, step), f"{name}.values", axis=0)

    def _aligned(self, layer: Layer) -> tuple[str, ...]:
        """The operands with as many axes each, so that batch stays with batch where one is repeated."""
        return tuple(self._lengthened(layer, number) for number in range(len(layer.inputs)))

    def _lengthened(self, layer: Layer, number: int) -> str:
        name = layer.inputs[number]
        shape = self.graph[name].shape
        missing = len(layer.shape) - len(shape)
        if not missing:
            return name
        return reshape(self.nodes, name, (1,) * missing + shape, f"{layer.name}.operand{number}")

    def _repeated(self, layer: Layer, number: int) -> str:
        """An operand for every image, where it is the same for all."""
        name = layer.inputs[number]
        if name not in self.alike or layer.name in self.alike:
            return name
        nodes, output = self.nodes, f"{layer.name}.operand{number}"
        if self.batch is None:
            source = self.graph.layers[0].name
            self.batch = nodes.node("Shape", (source,), f"{source}.batch", start=0, end=1)
        rest = nodes.store(f"{output}.shape", np.array(self.graph[name].shape))
        shape = nodes.node("Concat", (self.batch, rest), f"{output}.whole_shape", axis=0)
        return nodes.node("Expand", (name, shape), output)
