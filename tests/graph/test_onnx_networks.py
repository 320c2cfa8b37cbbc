"""Whole networks: those that ship with the onnx package, with random weights instead of their constant ones.

Their own weights are all alike, so that swapped channels would not show.
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from cimspec.graph.layer import BatchNorm, Conv2d, Linear
from cimspec.graph.onnx import load_onnx
from tests.graph.interpreter import interpret
from tests.graph.onnx_models import run

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
CROSSBAR_LAYERS = {
    "bvlc_alexnet": 8,
    "densenet121": 121,
    "inception_v1": 58,  # with the one classifier of inference
    "inception_v2": 70,
    "resnet50": 54,
    "shufflenet": 50,
    "squeezenet": 26,
    "vgg19": 19,
    "zfnet512": 8,
}
LARGE = ("bvlc_alexnet", "vgg19", "zfnet512", "densenet121", "resnet50")  # many weights, or many layers


@pytest.mark.parametrize("name", CROSSBAR_LAYERS)
def test_published_networks_load(name):
    graph, weights = load_onnx(LIGHT / f"light_{name}.onnx")
    assert len(graph.crossbar_layers) == CROSSBAR_LAYERS[name]
    assert graph.input_shape == (3, 224, 224)
    assert graph.output.size == 1000
    for layer in graph.layers:
        match layer.op:
            case Conv2d() as op:
                shape = (op.out_channels, op.in_channels // op.groups, *op.window.kernel)
                assert weights[layer.name]["weight"].shape == shape
            case Linear() as op:
                assert weights[layer.name]["weight"].shape == (op.out_features, op.in_features)
            case BatchNorm() as op:
                assert weights[layer.name]["variance"].shape == (op.channels,)


def test_the_weights_of_resnet50_are_25_6_million():
    """He et al., table 1, has 25.6 million for ResNet-50 (torchvision counts 25557032)."""
    graph, weights = load_onnx(LIGHT / "light_resnet50.onnx")
    sizes = (array.size for layer in graph.crossbar_layers for array in weights[layer.name].values())
    convolution_biases = sum(layer.op.out_channels for layer in graph.layers if isinstance(layer.op, Conv2d))
    normalization = 2 * sum(layer.op.channels for layer in graph.layers if isinstance(layer.op, BatchNorm))
    assert sum(sizes) - convolution_biases + normalization == 25557032


def test_projections_of_resnet50_come_before_their_blocks():
    graph, _ = load_onnx(LIGHT / "light_resnet50.onnx")
    names = [layer.name for layer in graph.crossbar_layers]
    for stage in (2, 3, 4, 5):
        first = [name for name in names if f"res{stage}_0_" in name]
        assert [name.rpartition("_")[2] for name in first] == ["branch1", "branch2a", "branch2b", "branch2c"]


def with_random_weights(name: str, seed: int) -> onnx.ModelProto:
    """A light network up to its softmax; weights keep the scale of the values, variances are positive."""
    proto = onnx.load(LIGHT / f"light_{name}.onnx")
    stored = {each.name: numpy_helper.to_array(each) for each in proto.graph.initializer}
    roles = {name: (node.op_type, place) for node in proto.graph.node for place, name in enumerate(node.input)}
    rng, nodes = np.random.default_rng(seed), []
    for each in proto.graph.node:
        if each.op_type == "Softmax":
            proto.graph.output[0].name = each.input[0]
        elif each.op_type == "ConstantOfShape":
            array = random_weight(rng, tuple(stored[each.input[0]]), *roles[each.output[0]])
            proto.graph.initializer.append(numpy_helper.from_array(array, each.output[0]))
        else:
            nodes.append(each)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info(proto.graph.output[0].name, 1, None))
    return proto


def random_weight(rng: np.random.Generator, shape: tuple[int, ...], operator: str, place: int) -> np.ndarray:
    values = rng.standard_normal(shape, np.float32)
    if len(shape) > 1:
        return values * np.float32((2 / np.prod(shape[1:])) ** 0.5)  # He et al. 2015
    if operator == "BatchNormalization" and place == 4:
        return np.abs(values) + np.float32(0.5)
    return 1 + values / 10 if operator in ("BatchNormalization", "Unsqueeze") and place == 1 else values / 10


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in CROSSBAR_LAYERS]
)
def test_published_networks_compute_what_onnxruntime_does(tmp_path, name):
    proto = with_random_weights(name, seed=3)
    path = tmp_path / "network.onnx"
    path.write_bytes(proto.SerializeToString())
    graph, weights = load_onnx(path)
    path.unlink()
    image = np.random.default_rng(4).standard_normal((3, 224, 224)).astype(np.float32)
    wanted = run(proto, image).reshape(-1)
    found = interpret(graph, weights, image).reshape(-1)
    assert np.std(wanted) > 0
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())
