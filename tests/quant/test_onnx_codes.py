"""Which codes of a quantized model can be taken over exactly, and what is said about others."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from cimspec.diag import CimError
from cimspec.graph.onnx import load_onnx
from cimspec.quant.onnx_import import load_quantized
from tests.graph.interpreter import interpret
from tests.quant.onnx_models import load, model, node, outputs, run_onnx


def one_layer(
    *,
    step=0.1,
    zero=np.uint8(0),  # noqa: B008
    weight=np.array([[1, -2], [3, 127]], np.int8),  # noqa: B008
    weight_zero=np.int8(0),  # noqa: B008
    weight_step=np.float32(0.5),  # noqa: B008
    clip: tuple[int, int] | None = None,
) -> onnx.ModelProto:
    """`y = x @ weight`, both quantized."""
    stored = {"s": np.float32(step), "z": zero, "w.weight": weight, "ws": weight_step, "wz": weight_zero}
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"], name="quantize"),
        node("DequantizeLinear", ["q", "s", "z"], ["d"], name="dequantize"),
        node("DequantizeLinear", ["w.weight", "ws", "wz"], ["w"], name="weights"),
        node("MatMul", ["d", "w"], ["y"], name="product"),
    ]
    if clip:
        stored |= {"low": zero.dtype.type(clip[0]), "high": zero.dtype.type(clip[1])}
        nodes.insert(1, node("Clip", ["q", "low", "high"], ["c"], name="narrow"))
        nodes[2].input[0] = "c"
    return model(nodes, (2,), stored, opset=21)


INPUTS = np.array([[-30.0, 3.04], [0.26, 30.0], [12.7, -12.7]], np.float32)


@pytest.mark.parametrize(
    ("options", "bits", "signed"),
    [
        ({"zero": np.uint8(0)}, 8, False),
        ({"zero": np.int8(-128)}, 8, False),  # codes from -128 on stand for 0, 1, 2, ...
        ({"zero": np.int8(0)}, 8, True),
        ({"zero": np.uint8(128)}, 8, True),  # 1 .. 255 stand for -127 .. 127
        ({"zero": np.uint8(0), "clip": (0, 15)}, 4, False),
        ({"zero": np.int8(0), "clip": (-3, 3)}, 3, True),
        ({"zero": np.uint8(128), "clip": (113, 143)}, 5, True),  # 128 -+ 15
    ],
)
def test_codes_of_activations_are_taken_over(options, bits, signed, tmp_path):
    proto = one_layer(**options)
    found = load(proto, tmp_path)
    layer = found.parameters.layers["w"]
    assert (layer.precision.activation_bits, layer.input_signed) == (bits, signed)
    assert found.graph.signed_input == signed
    images = INPUTS.clip(-12.7, 30) if signed else INPUTS
    np.testing.assert_allclose(outputs(found, images), run_onnx(proto, images)["y"], rtol=1e-6)


@pytest.mark.parametrize(
    ("weight", "options", "bits"),
    [
        (np.array([[1, -127], [3, 127]], np.int8), {}, 8),
        (np.array([[129, 1], [131, 255]], np.uint8), {"weight_zero": np.uint8(128)}, 8),
        (np.array([[7, -7], [3, 1]], "int4"), {"weight_zero": np.array(0, "int4")}, 4),
        (np.array([[7, -8], [3, 1]], "int4"), {"weight_zero": np.array(0, "int4")}, 5),  # -8 is beyond -7 .. 7
        (np.int8([[1, 2], [3, 4]]), {"weight_step": np.float32([0.5, 0.25]), "weight_zero": np.int8([0, 0])}, 8),
    ],
)  # fmt: skip
def test_codes_of_weights_are_taken_over(weight, options, bits, tmp_path):
    proto = one_layer(weight=weight, **options)
    found = load(proto, tmp_path)
    assert found.policy["w"].weight_bits == bits
    np.testing.assert_allclose(outputs(found, INPUTS), run_onnx(proto, INPUTS)["y"], rtol=1e-6)


def problems(proto: onnx.ModelProto, folder: Path) -> list[tuple[str, str]]:
    with pytest.raises(CimError) as error:
        load(proto, folder)
    return [(found.code, found.message) for found in error.value.diagnostics]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"zero": np.uint8(3)}, "CIM432", "`dequantize` of `{file}`: makes codes from -3 to 252 (the zero point is 3)"),
        ({"zero": np.int8(0), "clip": (-8, 7)}, "CIM432", "makes codes from -8 to 7; a chip's begin with 0"),
        ({"zero": np.uint8(0), "clip": (0, 14)}, "CIM432", "makes codes from 0 to 14"),
        ({"zero": np.uint8(0), "clip": (0, 1)}, "CIM432", "makes codes of 1 bit; 2 to 8 are possible"),
        ({"zero": np.int16(0), "clip": (-32767, 32767)}, "CIM432", "makes codes of 16 bits"),
        ({"weight": np.array([[1, -128], [3, 4]], np.int8)}, "CIM432", "has weights from -128 to 4 steps; the largest"),
        ({"step": -0.1}, "CIM426", "has a step that is not above 0"),
        ({"weight_step": np.float32([0.5, 0.5, 0.5])}, "CIM423", "has steps or zero points of 3 for a tensor of 2 x 2"),
    ],
)
def test_what_no_chip_has_is_told(options, code, message, tmp_path):
    ((found, text),) = problems(one_layer(**options), tmp_path)
    assert found == code
    assert message.format(file=f"{tmp_path}/net.onnx") in text


def qdq(source: str, name: str) -> list[onnx.NodeProto]:
    return [
        node("QuantizeLinear", [source, "s", "z"], [f"{name}.q"], name=f"{name}.q"),
        node("DequantizeLinear", [f"{name}.q", "s", "z"], [name], name=name),
    ]


QUANTIZED = {"s": np.float32(0.1), "z": np.int8(0), "w": np.ones((4, 4), np.int8), "f": np.ones((4, 4), np.float32)}
WEIGHTS = node("DequantizeLinear", ["w", "s", "z"], ["dw"], name="dw")
FIRST = node("MatMul", ["d", "dw"], ["m"], name="first")


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([*qdq("x", "d"), WEIGHTS, FIRST, node("MatMul", ["m", "dw"], ["y"], name="second")],
         "`MatMul` `second` of `{file}`: reads an activation that is not quantized"),
        ([*qdq("x", "d"), node("MatMul", ["d", "f"], ["y"], name="floats")],
         "`MatMul` `floats` of `{file}`: has weights that are not quantized"),
        ([*qdq("x", "d"), WEIGHTS, FIRST, node("Add", ["m", "d"], ["y"], name="sum")],
         "`Add` `sum` of `{file}`: makes a sum that is not quantized before it is used"),
    ],
)  # fmt: skip
def test_what_is_left_unquantized_is_told(nodes, message, tmp_path):
    found = problems(model(nodes, (4,), QUANTIZED), tmp_path)
    assert found == [("CIM432", message.format(file=f"{tmp_path}/net.onnx"))]


def test_one_bit_is_too_few(tmp_path):
    """Codes from -1 to 1 of what a relu makes are 0 and 1."""
    proto = one_layer(zero=np.int8(0), clip=(-1, 1))
    proto.graph.node.insert(0, node("Relu", ["x"], ["r"]))
    proto.graph.node[1].input[0] = "r"
    ((code, text),) = problems(proto, tmp_path)
    assert (code, "reads codes from 0 to 1" in text) == ("CIM432", True)


def test_a_sum_needs_one_step(tmp_path):
    other = [
        node("QuantizeLinear", ["sum", "s2", "z"], ["q2"], name="q2"),
        node("DequantizeLinear", ["q2", "s2", "z"], ["d2"], name="d2"),
    ]
    nodes = [
        *qdq("x", "d"), WEIGHTS, FIRST, node("Add", ["m", "d"], ["sum"], name="sum"),
        *qdq("sum", "d1"), *other, node("Mul", ["d1", "d2"], ["y"]),
    ]  # fmt: skip
    ((code, text),) = problems(model(nodes, (4,), {**QUANTIZED, "s2": np.float32(0.2)}), tmp_path)
    assert (code, "makes a sum that is quantized with different steps" in text) == ("CIM432", True)


def test_a_file_that_rounds_no_activation_is_a_float_network(tmp_path):
    for nodes in ([node("MatMul", ["x", "f"], ["y"])], [WEIGHTS, node("MatMul", ["x", "dw"], ["y"])]):
        path = tmp_path / "net.onnx"
        path.write_bytes(model(nodes, (4,), QUANTIZED).SerializeToString())
        assert load_quantized(path) is None
        graph, weights = load_onnx(path)
        image = np.arange(4.0)
        wanted = run_onnx(onnx.load(path), image[None])["y"][0]
        np.testing.assert_allclose(interpret(graph, weights, image), wanted, rtol=1e-6)


def test_codes_can_be_read_by_clip_and_dequantize_only(tmp_path):
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("Neg", ["q"], ["y"], name="other")]
    ((code, text),) = problems(model(nodes, (4,), QUANTIZED), tmp_path)
    assert (code, text.partition(": ")[2]) == ("CIM423", "reads codes, which only Clip and DequantizeLinear can")
