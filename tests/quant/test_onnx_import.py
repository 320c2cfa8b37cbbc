"""Quantized models of onnxruntime and our own: their codes are those of the integer network."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from cimspec.compiler import compile_program
from cimspec.diag import CimError
from cimspec.graph import Precision
from cimspec.graph.layer import Clip, Conv2d, Product, Quantize, Relu
from cimspec.graph.onnx import load_onnx
from cimspec.quant.integer import integer_network
from cimspec.quant.onnx_export import export_qcdq
from cimspec.quant.parameters import QuantizedParameters
from cimspec.sim import execute
from cimspec.spec import load as load_spec
from tests.compiler.strategies import cases
from tests.graph.interpreter import interpret
from tests.quant.onnx_models import load, model, node, outputs, run_onnx, weights_of

SYMMETRIC = {"ActivationSymmetric": True, "WeightSymmetric": True}


def in_float32(parameters: QuantizedParameters) -> QuantizedParameters:
    """With steps that float32 holds, and biases of whole steps: what a file can say."""
    layers = {}
    for name, layer in parameters.layers.items():
        driven, step = float(np.float32(layer.input_scale)), np.float64(np.float32(layer.weight_scale))
        bias = np.rint(layer.bias / (driven * step)) * (driven * step) if layer.bias.size else layer.bias
        layers[name] = replace(layer, input_scale=driven, weight_scale=step, bias=bias)
    sums = {name: float(np.float32(step)) for name, step in parameters.add_scales.items()}
    return replace(parameters, layers=layers, add_scales=sums)


def same_parameters(one: QuantizedParameters, other: QuantizedParameters, names: tuple[str, ...]) -> None:
    for name in names:
        mine, theirs = one.layers[name], other.layers[name]
        assert mine.precision == theirs.precision
        assert np.array_equal(mine.weight_codes, theirs.weight_codes)
        assert np.array_equal(mine.weight_scale, theirs.weight_scale)
        assert np.array_equal(mine.bias, theirs.bias)
        assert (mine.input_scale, mine.input_signed) == (theirs.input_scale, theirs.input_signed)


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_what_is_exported_comes_back(case, tmp_path_factory):
    """Layers that nothing reads are not in the file, and a sum with a constant comes back as a shift and its codes."""
    folder = tmp_path_factory.mktemp("round")
    parameters = in_float32(case.parameters)
    first = load(export_qcdq(case.graph, parameters), folder, signed=case.graph.signed_input)
    same_parameters(first.parameters, parameters, first.policy.names)
    wanted = integer_network(case.graph, parameters).run(case.images)
    np.testing.assert_allclose(outputs(first, case.images), wanted, rtol=1e-9, atol=1e-12)

    second = load(export_qcdq(first.graph, first.parameters), folder, signed=first.graph.signed_input)
    same_parameters(second.parameters, first.parameters, first.policy.names)
    assert second.policy == first.policy
    assert np.array_equal(outputs(second, case.images), outputs(first, case.images))


class Reader(CalibrationDataReader):
    def __init__(self, images: np.ndarray) -> None:
        self._left = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self._left, None)
        return None if image is None else {"x": image[None]}


def quantized(proto: onnx.ModelProto, images: np.ndarray, folder: Path, **options) -> onnx.ModelProto:
    """What onnxruntime makes of a float model."""
    logging.getLogger().setLevel(logging.ERROR)  # it advises to prepare the model first
    plain, made = folder / "float.onnx", folder / "quantized.onnx"
    plain.write_bytes(proto.SerializeToString())
    quantize_static(plain, made, Reader(images), quant_format=QuantFormat.QDQ, **options)
    return onnx.load(made)


def convolutional(rng: np.random.Generator) -> onnx.ModelProto:
    """Convolutions, one in groups; maximum and mean pooling; a residual; relu and a clip."""
    pads = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        node("Conv", ["x", "c1.weight", "c1.bias"], ["c1"], name="c1", **pads),
        node("Relu", ["c1"], ["r1"], name="r1"),
        node("MaxPool", ["r1"], ["p1"], name="p1", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["p1", "c2.weight", "c2.bias"], ["c2"], name="c2", **pads),
        node("Add", ["c2", "p1"], ["a1"], name="a1"),
        node("Relu", ["a1"], ["r2"], name="r2"),
        node("Conv", ["r2", "c3.weight", "c3.bias"], ["c3"], name="c3", group=2, **pads),
        node("Clip", ["c3", "low", "high"], ["r3"], name="r3"),
        node("GlobalAveragePool", ["r3"], ["g1"], name="g1"),
        node("Flatten", ["g1"], ["flat"], name="flat"),
        node("Gemm", ["flat", "f1.weight", "f1.bias"], ["y"], name="f1", transB=1),
    ]
    stored = {
        "c1.weight": weights_of(rng, 6, 2, 3, 3), "c1.bias": weights_of(rng, 6),
        "c2.weight": weights_of(rng, 6, 6, 3, 3), "c2.bias": weights_of(rng, 6),
        "c3.weight": weights_of(rng, 8, 3, 3, 3), "c3.bias": weights_of(rng, 8),
        "f1.weight": weights_of(rng, 5, 8), "f1.bias": weights_of(rng, 5),
        "low": np.float32(0), "high": np.float32(1),
    }  # fmt: skip
    return model(nodes, (2, 8, 8), stored)


@pytest.mark.parametrize("kind", [QuantType.QInt8, QuantType.QUInt8], ids=["int8", "uint8"])
@pytest.mark.parametrize("per_channel", [False, True], ids=["per tensor", "per channel"])
def test_a_symmetric_model_of_onnxruntime_is_run_as_it_is(kind, per_channel, tmp_path):
    """Images are those of the calibration: beyond their range, int8 goes down to -128 and ours to -127.

    uint8 is used with zero point 128 then, which is the same. Operators put together, onnxruntime computes with
    integers too; a rare tie falls otherwise.
    """
    rng = np.random.default_rng(7)
    images = rng.standard_normal((300, 2, 8, 8)).astype(np.float32)
    options = {"per_channel": per_channel, "activation_type": kind, "weight_type": QuantType.QInt8}
    proto = quantized(convolutional(rng), images, tmp_path, extra_options=SYMMETRIC, **options)
    found = load(proto, tmp_path)
    mine = outputs(found, images)
    theirs = run_onnx(proto, images, optimized=True)[proto.graph.output[0].name]
    assert (np.abs(mine - theirs).max(axis=1) < 1e-5).mean() >= 0.99
    float_network, _ = load_onnx(tmp_path / "net.onnx")
    assert tuple(layer.name for layer in float_network.crossbar_layers) == found.policy.names
    # The sums of c1 are rounded before the relu and pooled after it, so 127 of 255 codes are in use: 7 bits.
    assert dict(found.policy) == {
        "c1": Precision(8, 8), "c2": Precision(8, 7), "c3": Precision(8, 7), "f1": Precision(8, 7),
    }  # fmt: skip
    bits = {layer.name: layer.op.bits for layer in found.graph.layers if isinstance(layer.op, Quantize)}
    assert sorted(bits.values()) == [7, 8, 8, 8, 8, 8]


def test_a_chip_computes_what_the_file_says(tmp_path):
    rng = np.random.default_rng(10)
    images = rng.standard_normal((20, 2, 8, 8)).astype(np.float32)
    options = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8, "extra_options": SYMMETRIC}
    found = load(quantized(convolutional(rng), images, tmp_path, **options), tmp_path)
    chip = load_spec(Path(__file__).parents[2] / "specs/tiny.cim").spec.chip  # its ADC tells all sums apart
    program = compile_program(found.graph, found.policy, chip)
    constants = integer_network(found.graph, found.parameters).constants
    assert np.array_equal(execute(program, constants, images), outputs(found, images))


def test_relus_that_onnxruntime_has_put_into_zero_points_come_back(tmp_path):
    """Without a sign in any tensor, asymmetric quantization has zero points at the low end only."""
    rng = np.random.default_rng(8)
    images = np.abs(rng.standard_normal((100, 2, 8, 8))).astype(np.float32)
    nodes = [
        node("Conv", ["x", "c1.weight", "c1.bias"], ["c1"], name="c1", kernel_shape=[3, 3]),
        node("Relu", ["c1"], ["r1"], name="r1"),
        node("Conv", ["r1", "c2.weight"], ["c2"], name="c2", kernel_shape=[3, 3]),
        node("Relu", ["c2"], ["y"], name="r2"),
    ]
    shapes = {"c1.weight": (4, 2, 3, 3), "c1.bias": (4,), "c2.weight": (3, 4, 3, 3)}
    stored = {name: weights_of(rng, *shape) for name, shape in shapes.items()}
    proto = quantized(model(nodes, (2, 8, 8), stored), images, tmp_path, per_channel=True)
    assert "Relu" not in {each.op_type for each in proto.graph.node}
    found = load(proto, tmp_path)
    assert [type(layer.op) for layer in found.graph.layers[1:]] == [Conv2d, Relu, Conv2d, Relu, Quantize]
    assert not found.graph.signed_input
    assert set(found.policy.precisions) == {Precision(8, 8)}
    theirs = run_onnx(proto, images, optimized=True)[proto.graph.output[0].name]
    assert (np.abs(outputs(found, images) - theirs) < 1e-5).mean() >= 0.999
    graph, weights = load_onnx(tmp_path / "net.onnx")
    assert [type(layer.op) for layer in graph.layers[1:]] == [Clip, Conv2d, Clip, Conv2d, Clip]
    wanted = run_onnx(onnx.load(tmp_path / "float.onnx"), images[:1])["y"][0]
    assert np.abs(interpret(graph, weights, images[0]) - wanted).max() < 0.02 * np.abs(wanted).max()


def test_zero_points_in_between_do_not_matter_to_the_float_network(tmp_path):
    """A search quantizes it anew; as it is, it is not run."""
    rng = np.random.default_rng(11)
    images = rng.standard_normal((50, 2, 8, 8)).astype(np.float32)
    proto = quantized(convolutional(rng), images, tmp_path, per_channel=True)
    with pytest.raises(CimError) as error:
        load(proto, tmp_path)
    assert {found.code for found in error.value.diagnostics} == {"CIM432"}
    graph, weights = load_onnx(tmp_path / "quantized.onnx")
    wanted = run_onnx(onnx.load(tmp_path / "float.onnx"), images)["y"]
    found = np.stack([interpret(graph, weights, image) for image in images])
    assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()


def attention(rng: np.random.Generator) -> onnx.ModelProto:
    """One block of a transformer: tokens, positions, two heads, GELU."""
    tokens, features, heads = 5, 8, 2
    sizes = {"e": (6, 8), "q": (8, 8), "k": (8, 8), "v": (8, 8), "o": (8, 8), "m1": (8, 16), "m2": (16, 8), "h": (8, 4)}
    stored = {f"{name}.weight": weights_of(rng, *size) for name, size in sizes.items()}
    stored |= {f"{name}.bias": weights_of(rng, size[1]) for name, size in sizes.items()}
    stored |= {
        f"n{i}.{key}": np.full(features, value, np.float32) for i in (1, 2) for key, value in (("g", 1), ("b", 0))
    }
    stored |= {
        "positions": weights_of(rng, 1, tokens, features), "split": np.array([0, 0, heads, features // heads]),
        "whole": np.array([0, 0, features]), "scale": np.float32(0.5), "axes": np.array([1]),
    }  # fmt: skip
    nodes = []

    def linear(name: str, source: str) -> str:
        nodes.append(node("MatMul", [source, f"{name}.weight"], [f"{name}.product"], name=f"{name}/MatMul"))
        nodes.append(node("Add", [f"{name}.product", f"{name}.bias"], [name], name=f"{name}/Add"))
        return name

    def heads_of(name: str, order: list[int]) -> None:
        linear(name, "n1")
        nodes.append(node("Reshape", [name, "split"], [f"{name}.heads"], name=f"{name}/Reshape"))
        nodes.append(node("Transpose", [f"{name}.heads"], [f"{name}.turned"], name=f"{name}/Transpose", perm=order))

    nodes.append(node("Add", [linear("e", "x"), "positions"], ["s0"], name="s0"))
    nodes.append(node("LayerNormalization", ["s0", "n1.g", "n1.b"], ["n1"], name="n1"))
    for name, order in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
        heads_of(name, order)
    nodes += [
        node("MatMul", ["q.turned", "k.turned"], ["qk"], name="qk"),
        node("Mul", ["qk", "scale"], ["scaled"], name="scaled"),
        node("Softmax", ["scaled"], ["scores"], name="scores"),
        node("MatMul", ["scores", "v.turned"], ["av"], name="av"),
        node("Transpose", ["av"], ["back"], name="back", perm=[0, 2, 1, 3]),
        node("Reshape", ["back", "whole"], ["joined"], name="joined"),
    ]
    nodes.append(node("Add", [linear("o", "joined"), "s0"], ["s1"], name="s1"))
    nodes.append(node("LayerNormalization", ["s1", "n2.g", "n2.b"], ["n2"], name="n2"))
    nodes.append(node("Gelu", [linear("m1", "n2")], ["gelu"], name="gelu"))
    nodes.append(node("Add", [linear("m2", "gelu"), "s1"], ["s2"], name="s2"))
    nodes.append(node("ReduceMean", ["s2", "axes"], ["mean"], name="mean", keepdims=0))
    nodes.append(node("Gemm", ["mean", "h.weight", "h.bias"], ["y"], name="h"))
    return model(nodes, (tokens, 6), stored, opset=20)


def test_attention_of_onnxruntime_is_run_as_it_is(tmp_path):
    rng = np.random.default_rng(9)
    images = rng.standard_normal((200, 5, 6)).astype(np.float32)
    options = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8, "extra_options": SYMMETRIC}
    proto = quantized(attention(rng), images, tmp_path, per_channel=True, **options)
    found = load(proto, tmp_path)
    assert sum(isinstance(layer.op, Product) for layer in found.graph.layers) == 2
    mine = outputs(found, images)
    theirs = run_onnx(proto, images)[proto.graph.output[0].name]
    assert (np.abs(mine - theirs).max(axis=1) < 1e-5).mean() >= 0.95
