"""Exported models: what is in them, and that onnxruntime makes the codes that the integer network makes."""

import sys

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.diag import CimError
from cimspec.graph import Graph, Policy, Precision
from cimspec.graph.layer import (
    Add,
    Conv2d,
    Elementwise,
    Function,
    GlobalAvgPool,
    Input,
    Layer,
    Linear,
    MaxPool,
    Relu,
    Reshape,
)
from cimspec.graph.window import Window
from cimspec.quant.integer import integer_network
from cimspec.quant.onnx_export import export_qcdq, save_onnx
from cimspec.quant.parameters import LayerParameters, QuantizedParameters, weight_limit
from tests.compiler.strategies import cases, graphs, make_case
from tests.quant.onnx_models import code_tensors, replay, run_onnx, stored

TIE = 1e-3
"""Codes: float32 keeps 24 bits, and codes have up to 8, so their sums are off by some 1e-5 of a code."""


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def one_layer(op: Conv2d | Linear, shape: tuple[int, ...], made: tuple[int, ...], bits: Precision, signed: bool):
    """A network of one layer, its codes counting up from the lowest."""
    graph = Graph("one", (Layer("x", Input(signed), (), shape), Layer("c1", op, ("x",), made)))
    outputs = op.out_channels if isinstance(op, Conv2d) else op.out_features
    inputs = op.in_channels // op.groups * op.window.area if isinstance(op, Conv2d) else op.in_features
    limit = weight_limit(bits.weight_bits)
    codes = (np.arange(outputs * inputs) % (2 * limit + 1) - limit).reshape(outputs, inputs).astype(np.int16)
    layer = LayerParameters(bits, codes, np.full(outputs, 0.5), np.arange(outputs) + 0.3, 0.25, signed)
    return graph, QuantizedParameters({"c1": layer}, {})


def test_a_convolution_reads_rounded_and_clipped_activations_and_stored_integers():
    op = Conv2d(2, 4, Window((3, 2), (2, 1), (0, 1, 2, 0), (1, 2)), groups=2)
    graph, parameters = one_layer(op, (2, 5, 6), (4, 3, 5), Precision(4, 3), signed=False)
    model = export_qcdq(graph, parameters)
    onnx.checker.check_model(model, full_check=True)
    activations = ["QuantizeLinear", "Clip", "DequantizeLinear"]
    assert operators(model) == [*activations, "Clip", "DequantizeLinear", "DequantizeLinear", "Conv"]
    assert stored(model, "c1.codes.zero_point").dtype == np.uint8
    assert [stored(model, f"c1.codes.{end}") for end in ("low", "high")] == [0, 7]
    assert [stored(model, f"c1.weight.clipped.{end}") for end in ("low", "high")] == [-7, 7]
    weight = stored(model, "c1.weight")
    assert (weight.dtype, weight.shape) == (np.int8, (4, 1, 3, 2))
    assert weight.reshape(4, -1)[0].tolist() == [-7, -6, -5, -4, -3, -2]
    # In steps of 0.25 * 0.5 = 1/8: 0.3, 1.3, 2.3, 3.3 are 2.4, 10.4, 18.4, 26.4 steps.
    assert stored(model, "c1.bias").tolist() == [2, 10, 18, 26]
    assert stored(model, "c1.bias").dtype == np.int32
    assert stored(model, "c1.bias.scale").tolist() == [0.125] * 4
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in model.graph.node[-1].attribute}
    assert attributes == {
        "kernel_shape": [3, 2],
        "strides": [2, 1],
        "pads": [0, 1, 2, 0],
        "dilations": [1, 2],
        "group": 2,
    }
    assert [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == [
        "batch", 2, 5, 6,
    ]  # fmt: skip


def test_eight_bits_need_no_clip_unless_they_are_symmetric():
    for signed, wanted in ((False, ["QuantizeLinear"]), (True, ["QuantizeLinear", "Clip"])):
        model = export_qcdq(*one_layer(Linear(6, 2), (6,), (2,), Precision(8, 8), signed))
        weight_and_bias = ["DequantizeLinear"] * 3
        assert operators(model) == [*wanted, *weight_and_bias, "Gemm"]
    assert [stored(model, f"c1.codes.{end}") for end in ("low", "high")] == [-127, 127]


def test_a_linear_layer_over_a_sequence_is_a_product_with_the_transposed_matrix():
    graph, parameters = one_layer(Linear(6, 2), (3, 6), (3, 2), Precision(8, 8), False)
    model = export_qcdq(graph, parameters)
    assert operators(model)[-2:] == ["MatMul", "Add"]
    assert np.array_equal(stored(model, "c1.weight"), parameters.layers["c1"].weight_codes.T)
    (node,) = (node for node in model.graph.node if "c1.weight.values" in node.output)
    assert onnx.helper.get_attribute_value(node.attribute[0]) == 1  # axis


@settings(max_examples=40, deadline=None)
@given(case=cases(), optimized=st.booleans())
def test_onnxruntime_makes_the_codes_of_the_integer_network(case, optimized):
    """Each code follows from codes that both agree on, so that one tie that falls otherwise does not hide the rest."""
    model = export_qcdq(case.graph, case.parameters)
    onnx.checker.check_model(model, full_check=True)
    found = run_onnx(model, case.images, tuple(code_tensors(case.network)), optimized=optimized)
    replayed = replay(case.network, case.images, found)
    assert replayed.jumps == 0
    assert replayed.farthest < TIE
    outputs = found[case.graph.output.name]
    assert outputs.shape == (len(case.images), *case.graph.output.shape)
    np.testing.assert_allclose(outputs, replayed.outputs, rtol=1e-4, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(graph=graphs(), seed=st.integers(0, 2**32), optimized=st.booleans())
def test_the_outputs_alone_agree_where_no_code_is_asked_for(graph, seed, optimized):
    """Intermediate outputs keep onnxruntime from putting operators together; here it may."""
    case = make_case(graph, seed)
    model = export_qcdq(case.graph, case.parameters)
    name = case.graph.output.name
    outputs = run_onnx(model, case.images, optimized=optimized)[name]
    codes = run_onnx(model, case.images, tuple(code_tensors(case.network)))
    replayed = replay(case.network, case.images, codes)
    if not replayed.differing:
        np.testing.assert_allclose(outputs, replayed.outputs, rtol=1e-4, atol=1e-4)


def residual(rng: np.random.Generator) -> tuple[Graph, QuantizedParameters]:
    """A small residual network of all that a CNN has, with steps that are powers of two."""
    layers = [
        Layer("x", Input(False), (), (2, 8, 8)),
        Layer("c1", Conv2d(2, 6, Window.square(3, 1, 1)), ("x",), (6, 8, 8)),
        Layer("r1", Relu(), ("c1",), (6, 8, 8)),
        Layer("p1", MaxPool(Window.square(3, 2, 1)), ("r1",), (6, 4, 4)),
        Layer("c2", Conv2d(6, 6, Window.square(3, 1, 1)), ("p1",), (6, 4, 4)),
        Layer("a1", Add(), ("c2", "p1"), (6, 4, 4)),
        Layer("r2", Relu(), ("a1",), (6, 4, 4)),
        Layer("g1", GlobalAvgPool(), ("r2",), (6,)),
        Layer("f1", Linear(6, 5), ("g1",), (5,)),
    ]
    bits = {"c1": Precision(3, 4), "c2": Precision(4, 3), "f1": Precision(8, 5)}
    made = {}
    for layer in layers:
        if layer.runs_on_crossbars:
            precision = bits[layer.name]
            outputs = layer.shape[0]
            inputs = 6 if layer.name == "f1" else 9 * (2 if layer.name == "c1" else 6)
            limit = weight_limit(precision.weight_bits)
            codes = rng.integers(-limit, limit, (outputs, inputs), endpoint=True).astype(np.int16)
            steps = 2.0 ** rng.integers(-6, -3, outputs)
            made[layer.name] = LayerParameters(precision, codes, steps, rng.normal(size=outputs), 2.0**-3, False)
    return Graph("residual", tuple(layers)), QuantizedParameters(made, {"a1": 2.0**-4})


@pytest.mark.parametrize("optimized", [False, True])
def test_with_steps_that_are_powers_of_two_every_code_is_the_same_and_so_is_the_output(optimized):
    """All products and sums are whole multiples of a power of two below 2^24: float32 holds them, ties included."""
    rng = np.random.default_rng(5)
    graph, parameters = residual(rng)
    network = integer_network(graph, parameters)
    images = rng.integers(0, 64, (20, 2, 8, 8)) / 16.0
    found = run_onnx(export_qcdq(graph, parameters), images, tuple(code_tensors(network)), optimized=optimized)
    replayed = replay(network, images, found)
    # Of each image: 2 x 64 codes enter c1, 6 x 16 enter c2, the sum has 6 x 16, 6 enter f1.
    assert (replayed.codes, replayed.differing) == (20 * 326, 0)
    assert np.array_equal(found["f1"], network.run(images))


def test_any_number_of_images_can_be_run_at_once():
    case = make_case(graphs_with_tokens(), 3, batch=5)
    model = export_qcdq(case.graph, case.parameters)
    together = run_onnx(model, case.images)[case.graph.output.name]
    one_by_one = [run_onnx(model, image[None])[case.graph.output.name] for image in case.images]
    np.testing.assert_allclose(together, np.concatenate(one_by_one), rtol=1e-5, atol=1e-5)


def graphs_with_tokens() -> Graph:
    """A class token that is the same for all images, joined to those of each."""
    from cimspec.graph.layer import Concat, Constant

    layers = (
        Layer("x", Input(True), (), (4, 6)),
        Layer("token", Constant(), (), (1, 6)),
        Layer("joined", Concat(0), ("token", "x"), (5, 6)),
        Layer("f1", Linear(6, 3), ("joined",), (5, 3)),
        Layer("flat", Reshape(), ("f1",), (15,)),
        Layer("f2", Linear(15, 2), ("flat",), (2,)),
    )
    return Graph("tokens", layers)


@pytest.mark.parametrize(
    ("function", "at_one"),
    [
        # At 1: 1/6 + 1/2 = 2/3 (ONNX's own slope of 0.2 would make 0.7), and e / (1 + e) = 0.731059.
        (Function.HARD_SIGMOID, 2 / 3),
        (Function.HARD_SWISH, 2 / 3),
        (Function.SIGMOID, 0.731059),
        (Function.SILU, 0.731059),
        (Function.TANH, 0.761594),
        (Function.ERF, 0.842701),
        (Function.GELU, 0.841345),
        (Function.GELU_TANH, 0.841192),
    ],
)
def test_functions_are_ours_and_not_onnx_defaults(function, at_one):
    layers = (Layer("x", Input(True), (), (1,)), Layer("y", Elementwise(function), ("x",), (1,)))
    model = export_qcdq(Graph("function", layers), QuantizedParameters({}, {}))
    found = run_onnx(model, np.array([[1.0], [0.0]]))["y"]
    assert found[0, 0] == pytest.approx(at_one, abs=2e-6)


def test_a_model_is_complete_as_soon_as_it_has_its_name(tmp_path):
    graph, parameters = one_layer(Linear(6, 2), (6,), (2,), Precision(8, 8), False)
    path = save_onnx(export_qcdq(graph, parameters), tmp_path / "model.onnx")
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]
    onnx.checker.check_model(onnx.load(path))


def test_without_the_package_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(CimError) as error:
        export_qcdq(*one_layer(Linear(6, 2), (6,), (2,), Precision(8, 8), False))
    (found,) = error.value.diagnostics
    assert (found.code, found.help) == ("CIM902", "pip install 'cimspec[onnx]'")


def test_the_policy_can_be_read_off_the_clips():
    rng = np.random.default_rng(1)
    graph, _ = residual(rng)
    policy = Policy.of({"c1": Precision(2, 2), "c2": Precision(7, 6), "f1": Precision(3, 8)})
    from tests.compiler.strategies import random_parameters

    model = export_qcdq(graph, random_parameters(graph, policy, rng))
    for name, (weight_bits, activation_bits) in policy:
        assert stored(model, f"{name}.weight.clipped.high") == 2 ** (weight_bits - 1) - 1
        if activation_bits < 8:
            assert stored(model, f"{name}.codes.high") == 2**activation_bits - 1
