"""Small ONNX models as bytes, and what onnxruntime and the interpreter make of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper

from cimspec.graph import Graph, output_shape
from cimspec.graph.onnx import load_onnx
from tests.graph.interpreter import interpret

node = helper.make_node


def model(
    nodes: Sequence[NodeProto],
    shape: Sequence[int | str],
    constants: Mapping[str, Any] | None = None,
    opset: int = 17,
    output: str | None = None,
) -> onnx.ModelProto:
    """A model with the input `x` of `shape`, batch first; its output is the last node's, or the one named."""
    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(output or nodes[-1].output[0], TensorProto.FLOAT, None)],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(proto: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    """What onnxruntime makes of one image."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image[None].astype(np.float32)})[0]


def check(
    proto: onnx.ModelProto,
    folder: Path,
    shape: tuple[int, ...] | None = None,
    tolerance: float = 1e-4,
    seed: int = 0,
    scale: float = 1.0,
) -> Graph:
    """The graph of a model, after it has given what onnxruntime gives on a random image."""
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    graph, weights = load_onnx(path, shape)
    for layer in graph.layers:
        assert output_shape(layer.op, [graph[name].shape for name in layer.inputs], layer.shape) == layer.shape
    image = scale * np.random.default_rng(seed).standard_normal(graph.input_shape)
    wanted = run(proto, image)
    found = interpret(graph, weights, image.astype(np.float32))
    assert found.size == wanted.size
    np.testing.assert_allclose(found.reshape(-1), wanted.reshape(-1), rtol=tolerance, atol=tolerance)
    return graph


def ops(graph: Graph) -> list[str]:
    """Kinds of the layers after the input."""
    return [type(layer.op).__name__ for layer in graph.layers[1:]]
