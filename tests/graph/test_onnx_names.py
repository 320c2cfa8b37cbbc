"""Layers get names that a `.cim` file can write, each its own."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimspec.graph.layer import Conv2d, Layer, Relu
from cimspec.graph.onnx.builder import Origin
from cimspec.graph.onnx.names import names_of
from cimspec.graph.onnx.node import Node
from cimspec.graph.window import Window
from tests.graph.onnx_models import check, model, node


def name_of(node_name: str, op: str = "Relu", *tensors: str, kind: str | None = None) -> str:
    layer = Layer("0", Conv2d(1, 1, Window((1, 1))) if op == "Conv" else Relu(), (), (1,))
    return names_of([layer], {"0": Origin(Node(node_name, op, (), ("y",)), kind, tensors)})["0"]


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        (("/layer1/layer1.0/conv1/Conv", "Conv"), "layer1_0_conv1"),
        (("/layer1/layer1.0/relu/Relu_1", "Relu"), "layer1_0_relu_Relu_1"),
        (("node_conv2d_3", "Conv", "layer1.0.conv1.weight"), "layer1_0_conv1"),
        (("Conv_0", "Conv", "onnx::Conv_497", "onnx::Conv_498"), "Conv_0"),
        (("n4", "Conv", "gpu_0/res2_0_branch2a_w_0"), "gpu_0_res2_0_branch2a"),
        (("123", "Relu"), "relu"),
        (("StatefulPartitionedCall/model/re_lu/Relu", "Relu"), "StatefulPartitionedCall_model_re_lu_relu"),
        (("7x7 conv", "Relu"), "n_7x7_conv"),
        (("\u540d\u524d", "Relu"), "relu"),
    ],
)
def test_names_are_readable(origin, name):
    assert name_of(*origin) == name


@given(st.lists(st.tuples(st.text(max_size=100), st.sampled_from(["Relu", "Conv", ""]), st.text(max_size=20))))
def test_names_are_unique_and_can_be_written(origins):
    layers, found = [], {}
    for number, (node_name, op, tensor) in enumerate(origins):
        layers.append(Layer(str(number), Conv2d(1, 1, Window((1, 1))) if op == "Conv" else Relu(), (), (1,)))
        found[str(number)] = Origin(Node(node_name, op, (), ("y",)), None, (tensor,))
    names = names_of(layers, found)
    assert len(set(names.values())) == len(origins)
    assert all(re.fullmatch(r"[A-Za-z]\w{0,99}", name, re.ASCII) for name in names.values())


def test_a_bias_that_is_added_apart_names_the_layer(tmp_path):
    nodes = [node("MatMul", ["x", "val_3"], ["m"]), node("Add", ["m", "head.bias"], ["y"])]
    constants = {"val_3": np.ones((4, 2), np.float32), "head.bias": np.ones(2, np.float32)}
    assert check(model(nodes, (1, 4), constants), tmp_path).output.name == "head"
