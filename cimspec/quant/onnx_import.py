"""Quantized ONNX models as they are: a file with its own bits and steps -> Graph + QuantizedParameters.

QDQ as onnxruntime writes it, QCDQ as Brevitas does. Every code of the file becomes one of the integer network, with
its step; weights and biases keep their integers, and batch normalization goes into steps and biases. Differences to
the file are those of float32 sums, of biases that it does not round, and of int8 activations of -128, made -127.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from msgspec import structs

from cimspec.diag import Span
from cimspec.graph.graph import Graph
from cimspec.graph.layer import BatchNorm, Layer, Product, Quantize, Shape
from cimspec.graph.onnx.coding import FEWEST_BITS, MOST_BITS
from cimspec.graph.onnx.load import Taken, name_layers, read_layers
from cimspec.graph.onnx.node import Node, Problem, Real
from cimspec.graph.onnx.passes import fold_affine
from cimspec.graph.onnx.reader import OnnxFile, read_file
from cimspec.graph.onnx.value import Coding
from cimspec.graph.onnx.walk import report
from cimspec.graph.precision import Policy, Precision
from cimspec.graph.signs import nonnegative_layers
from cimspec.quant.onnx_codes import Arranged, Grid, NotQuantizedError, arrange
from cimspec.quant.parameters import FloatArray, LayerParameters, QuantizedParameters, WeightCodes, weight_limit
from cimspec.quant.weights import LayerWeights, as_affine, digital_weights, fold_batch_norm
from cimspec.spec.model_file import OnnxModelSpec
from cimspec.spec.workload import ModelSpec

OFF_BY = 1e-3  # codes: what is left of a weight's distance from its code after float32
SAME_STEP = 1e-5  # relative


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedModel:
    """A network that a file has quantized; its graph has no batch normalization."""

    graph: Graph
    parameters: QuantizedParameters

    @property
    def policy(self) -> Policy:
        """The bits of the file."""
        return Policy.of(
            {layer.name: self.parameters.layers[layer.name].precision for layer in self.graph.crossbar_layers}
        )


def load_quantized(
    path: str | Path,
    input_shape: Shape | None = None,
    *,
    signed: bool = True,
    name: str | None = None,
    shown: str | None = None,
    span: Span | None = None,
) -> QuantizedModel | None:
    """The quantized network of a file; None if the file rounds no activation. Arguments as of `load_onnx`.

    Raises `CimError`: what `load_onnx` raises, and CIM432 where the file quantizes in a way that chips here cannot.
    """
    path = Path(path)
    file = read_file(path, shown or path.as_posix(), span)
    if not any(node.op == "QuantizeLinear" for node in file.nodes):
        return None
    builder = read_layers(file, input_shape, signed=signed, span=span, keeps_codes=True)
    if not builder.coded:
        return None
    fold_affine(builder)
    return _Quantized(file, name_layers(file, builder, name or path.stem, span), span).model()


def open_quantized(model: ModelSpec | OnnxModelSpec) -> QuantizedModel | None:
    """The quantized network that a spec names; None if it describes one, or names one that is not quantized.

    Raises `CimError` as `load_quantized` does.
    """
    if isinstance(model, ModelSpec):
        return None
    source = model.source
    return load_quantized(
        source.file.path, source.input, signed=source.signed, name=model.name, shown=source.file.shown
    )


@dataclass(frozen=True, slots=True)
class _Quantized:
    """One file on its way."""

    file: OnnxFile
    taken: Taken
    span: Span | None

    def model(self) -> QuantizedModel:
        """Put together what the layers have."""
        problems: list[tuple[Node, Problem]] = []
        graph, weights = fold_batch_norm(self.taken.graph, self.taken.weights)
        steps = {name: coded.step for name, coded in self.taken.coded.items()}
        try:
            arranged = arrange(_with_bits_without_sign(graph, self.taken), steps)
        except NotQuantizedError as error:
            help_ = "quantize the inputs of all convolutions and matrix products, and all sums"
            problems = [(self._node(layer), _unlike(message, help_)) for layer, message in error.problems]
            raise report(self.file, problems, self.span) from None
        layers = {}
        for layer in arranged.graph.crossbar_layers:
            try:
                layers[layer.name] = self._parameters(layer, arranged)
            except Problem as problem:
                problems.append((self._node(layer.name), problem))
        if problems:
            raise report(self.file, problems, self.span)
        parameters = QuantizedParameters(layers, arranged.steps, digital_weights(arranged.graph, weights))
        return QuantizedModel(arranged.graph, parameters)

    def _node(self, layer: str) -> Node:
        return self.taken.origins[layer].node

    def _parameters(self, layer: Layer, arranged: Arranged) -> LayerParameters:
        driven, *stored = arranged.operands[layer.name]
        if driven.codes.bits < FEWEST_BITS:
            raise _unlike(f"reads codes from 0 to 1 (their sign is never used); they need {FEWEST_BITS} bits")
        if isinstance(layer.op, Product):
            return _product(driven, stored[0])
        own = self.taken.weights[layer.name]
        coding, *biases = (self.taken.codings.get(name) for name in self.taken.origins[layer.name].tensors)
        if coding is None:
            raise _unlike("has weights that are not quantized", "quantize all weights")
        step = _steps(coding, len(own["weight"]))
        codes = _codes(own["weight"], step)
        bits = _weight_bits(coding, codes)
        bias = own["bias"].astype(np.float64)
        for each in biases:
            if each and each.codes.size == bias.size and _is_same_step(each.step, driven.step * step):
                bias = each.codes.reshape(-1) * (driven.step * step)  # as exact as the integers are
        precision = Precision(bits, driven.codes.bits)
        made = LayerParameters(precision, codes, step, bias, driven.step, driven.codes.signed)
        norm = _normalization(self.taken.graph, layer.name, arranged.graph)
        return _normalized(made, self.taken.weights[norm]) if norm else made


def _is_same_step(stored: Real, own: FloatArray) -> bool:
    """Whether a bias is stored in steps of the layer's sums."""
    return np.allclose(stored, own, rtol=SAME_STEP, atol=0)


def _with_bits_without_sign(graph: Graph, taken: Taken) -> Graph:
    """The graph, with a bit less for symmetric codes of what is never negative."""
    nonnegative = nonnegative_layers(graph)

    def bits(layer: Layer) -> Layer:
        if isinstance(layer.op, Quantize) and taken.coded[layer.name].low < 0 and layer.name in nonnegative:
            return structs.replace(layer, op=Quantize(layer.op.bits - 1))
        return layer

    return Graph(graph.name, tuple(map(bits, graph.layers)))


def _product(driven: Grid, stored: Grid) -> LayerParameters:
    """Codes without a sign are stored as signed ones of one bit more."""
    bits = stored.codes.bits + (not stored.codes.signed)
    if bits > MOST_BITS:
        raise _unlike(f"stores an activation of {bits} bits with its sign; {MOST_BITS} are possible")
    precision, none = Precision(bits, driven.codes.bits), np.zeros((0, 0), np.int16)
    step = np.array([stored.step])
    return LayerParameters(precision, none, step, np.zeros(0), driven.step, driven.codes.signed)


def _steps(coding: Coding, outputs: int) -> FloatArray:
    """The step of each output's weights."""
    if coding.step.size not in (1, outputs):
        raise _unlike(f"has {coding.step.size} steps of weights for {outputs} outputs", "quantize weights by output")
    return np.broadcast_to(coding.step.astype(np.float64), outputs).copy()


def _codes(weight: Real, step: FloatArray) -> WeightCodes:
    """Codes [outputs, inputs] of weights that are codes times steps."""
    exact = weight.reshape(len(step), -1) / step[:, None]
    codes = np.rint(exact)
    if np.abs(exact - codes).max(initial=0) > OFF_BY:
        raise _unlike("has weights whose steps are not those of its outputs", "quantize weights by output")
    return codes.astype(np.int16)


def _weight_bits(coding: Coding, codes: WeightCodes) -> int:
    """The bits that the file gives the weights, or more if symmetric codes need them: -8 takes five."""
    given = max(FEWEST_BITS, coding.high.bit_length() + 1)
    needed = int(np.abs(codes.astype(np.int64)).max(initial=0)).bit_length() + 1
    bits = max(min(given, MOST_BITS), needed)
    if bits > MOST_BITS:
        lowest, highest = int(codes.min()), int(codes.max())
        what = f"has weights from {lowest} to {highest} steps; the largest magnitude is {weight_limit(MOST_BITS)}"
        raise _unlike(what)
    return bits


def _normalization(graph: Graph, name: str, folded: Graph) -> str | None:
    """The batch normalization that has been folded into a layer."""
    norms = [reader.name for reader in graph.consumers(name) if isinstance(reader.op, BatchNorm)]
    left = {layer.name for layer in folded.layers}
    return next((norm for norm in norms if norm not in left), None)


def _normalized(layer: LayerParameters, norm: LayerWeights) -> LayerParameters:
    """A layer with the batch normalization after it: other steps, and codes of the other sign where it has one."""
    affine = as_affine(norm, axes=1)
    factor, shift = affine["factor"].astype(np.float64), affine["shift"].astype(np.float64)
    sign = np.sign(factor).astype(np.int16)
    size = np.where(factor == 0, 1.0, np.abs(factor))
    return replace(
        layer,
        weight_codes=layer.weight_codes * sign[:, None],
        weight_scale=layer.weight_scale * size,
        bias=layer.bias * factor + shift,
    )


def _unlike(message: str, help: str | None = None) -> Problem:  # noqa: A002
    return Problem(message, code="CIM432", help=help)
