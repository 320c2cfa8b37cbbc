"""A quantized model as Brevitas exports it (QCDQ), built by hand.

The forms are those of `src/brevitas/export/common/handler/qcdq.py` and `base.py` in github.com/Xilinx/brevitas
(`QCDQCastWeightQuantProxyHandlerMixin`, `int_clip_symbolic_kwargs`): a Clip where bits are neither 8 nor 32, or where
the range is narrow; weights are floats behind a QuantizeLinear, or integers without one.
"""

import numpy as np
import onnx
import pytest

from cimspec.graph import Precision
from cimspec.graph.layer import BatchNorm, Quantize
from tests.quant.onnx_models import load, model, node, outputs, run_onnx, stored, weights_of


class Brevitas:
    """Collects the nodes of a model as Brevitas exports it."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.stored: dict[str, np.ndarray] = {}
        self.steps: dict[str, np.ndarray] = {}  # of weights

    def codes(self, source: str, step, bits: int, signed: bool, *, narrow=False, axis=None, quantizes=True) -> str:
        """A quantizer behind `source`; `quantizes` false: that is integers already."""
        kind, name = (np.int8 if signed else np.uint8), f"{source}/quant{len(self.nodes)}"
        self.stored[f"{name}/scale"] = np.float32(step)
        self.stored[f"{name}/zero"] = np.zeros(np.shape(step), kind)
        scale, axes = [f"{name}/scale", f"{name}/zero"], {} if axis is None else {"axis": axis}
        made = source
        if quantizes:
            self.nodes.append(node("QuantizeLinear", [source, *scale], [f"{name}/q"], name=f"{name}/Quantize", **axes))
            made = f"{name}/q"
        if bits != 8 or narrow:
            low = -(2 ** (bits - 1)) + narrow if signed else 0
            self.stored |= {f"{name}/low": kind(low), f"{name}/high": kind(2 ** (bits - signed) - 1)}
            self.nodes.append(node("Clip", [made, f"{name}/low", f"{name}/high"], [f"{name}/c"], name=f"{name}/Clip"))
            made = f"{name}/c"
        self.nodes.append(node("DequantizeLinear", [made, *scale], [f"{name}/d"], name=f"{name}/Dequantize", **axes))
        return f"{name}/d"

    def weight(self, name: str, shape: tuple[int, ...], bits: int, *, narrow=True, per_channel=True, integers=True):
        """A quantized weight tensor, its outputs along the first axis."""
        values = weights_of(self.rng, *shape)
        limit = 2 ** (bits - 1) - 1
        axes = tuple(range(1, len(shape)))
        step = (np.abs(values).max(axis=axes) if per_channel else np.abs(values).max()) / limit
        step = step.astype(np.float32)
        if integers:
            along = step.reshape(-1, *(1,) * len(axes)) if per_channel else step
            values = np.clip(np.rint(values / along), -limit - (not narrow), limit).astype(np.int8)
        self.stored[name], self.steps[name] = values, step
        axis = 0 if per_channel else None
        return self.codes(name, step, bits, True, narrow=narrow, axis=axis, quantizes=not integers)

    def batch_norm(self, source: str, name: str, unit: np.ndarray) -> str:
        """Batch normalization of sums in steps of `unit`, which shifts by whole ones; some factors are negative."""
        gamma, mean, shift, var = self.rng.uniform(0.5, 1.5, (4, len(unit)))
        gamma *= np.where(np.arange(len(unit)) % 3, 1, -1)
        factor = gamma / np.sqrt(var + 1e-5)
        beta = np.rint(shift / (unit * factor)) * (unit * factor) + mean * factor
        values = {"gamma": gamma, "beta": beta, "mean": mean, "var": var}
        self.stored |= {f"{name}.{key}": value.astype(np.float32) for key, value in values.items()}
        return self.add("BatchNormalization", [source, *(f"{name}.{key}" for key in values)], name)

    def add(self, operator: str, inputs: list[str], name: str, **attributes) -> str:
        self.nodes.append(node(operator, inputs, [name], name=name, **attributes))
        return name


# Steps of which none is a simple multiple of another: sums then lie halfway between two codes by chance only.
INPUT, FIRST, SHARED, SUM, THIRD, MEAN = 0.0251, 0.2513, 0.0331, 0.0417, 0.1237, 0.00981


def residual_of_brevitas(integers: bool) -> tuple[onnx.ModelProto, dict[str, Precision]]:
    """QuantIdentity, QuantConv2d with batch normalization, QuantReLU, QuantEltwiseAdd, QuantLinear: each its bits."""
    form = Brevitas(11)
    pads = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    symmetric = {"signed": True, "narrow": True}

    def conv(source: str, name: str, shape: tuple[int, ...], bits: int, **attributes) -> str:
        return form.add(
            "Conv", [source, form.weight(f"{name}.weight", shape, bits, integers=integers)], name, **attributes
        )

    c1 = conv(form.codes("x", INPUT, 8, **symmetric), "c1", (6, 2, 3, 3), 3, **pads)
    b1 = form.batch_norm(c1, "b1", INPUT * form.steps["c1.weight"])
    r1 = form.codes(form.add("Relu", [b1], "r1"), FIRST, 4, False)
    p1 = form.add("MaxPool", [r1], "p1", kernel_shape=[2, 2], strides=[2, 2])
    b2 = form.batch_norm(conv(p1, "c2", (6, 6, 3, 3), 5, **pads), "b2", FIRST * form.steps["c2.weight"])
    operands = [form.codes(each, SHARED, 8, **symmetric) for each in (b2, p1)]
    a1 = form.codes(form.add("Add", operands, "a1"), SUM, 7, **symmetric)
    c3 = conv(a1, "c3", (8, 6, 1, 1), 2, kernel_shape=[1, 1])
    r3 = form.codes(form.add("Relu", [c3], "r3"), THIRD, 3, False)
    flat = form.add("Flatten", [form.add("GlobalAveragePool", [r3], "g1")], "flat")
    weight = form.weight("f1.weight", (5, 8), 8, per_channel=False, integers=integers)
    form.stored["f1.bias"] = form.rng.integers(-500, 500, 5).astype(np.int32)
    form.stored |= {"f1.step": np.float32(form.steps["f1.weight"] * MEAN), "f1.zero": np.int32(0)}
    bias = form.add("DequantizeLinear", ["f1.bias", "f1.step", "f1.zero"], "f1.real")
    form.add("Gemm", [form.codes(flat, MEAN, 8, False), weight, bias], "y", transB=1)
    bits = {"c1": Precision(3, 8), "c2": Precision(5, 4), "c3": Precision(2, 7), "f1": Precision(8, 8)}
    return model(form.nodes, (2, 8, 8), form.stored), bits


@pytest.mark.parametrize("integers", [False, True], ids=["float weights", "integer weights"])
def test_bits_of_brevitas_are_those_of_its_clips(integers, tmp_path):
    proto, bits = residual_of_brevitas(integers)
    images = np.random.default_rng(12).standard_normal((200, 2, 8, 8)).astype(np.float32)
    found = load(proto, tmp_path)
    assert dict(found.policy) == bits
    # 3 bits enter the mean. 4 bits are rounded again as an operand of the sum, with a sign that they do not need: 7
    # bits. The other operand has 8. All other codes are those that crossbar layers read.
    assert sorted(layer.op.bits for layer in found.graph.layers if isinstance(layer.op, Quantize)) == [3, 4, 7, 8]
    assert not any(isinstance(layer.op, BatchNorm) for layer in found.graph.layers)
    layer = found.parameters.layers["f1"]
    biases = layer.bias / (layer.input_scale * layer.weight_scale)
    np.testing.assert_allclose(biases, stored(proto, "f1.bias"), rtol=1e-12)
    theirs = run_onnx(proto, images)["y"]
    mine = outputs(found, images)
    assert (np.abs(mine - theirs).max(axis=1) < 1e-4 * np.abs(theirs).max()).mean() >= 0.95
