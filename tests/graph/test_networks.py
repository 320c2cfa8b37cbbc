"""The shipped networks are the published ones: parameters and multiplications, counted from their graphs."""

from pathlib import Path

import pytest

from cimspec.graph import Graph, build_graph
from cimspec.graph.layer import BatchNorm, Constant, Conv2d, LayerNorm, Linear, Product
from cimspec.spec import load

SPECS = Path(__file__).parents[2] / "specs"
WITH_MODELS = sorted(set(SPECS.rglob("*.cim")) - {SPECS / "paper" / "chip.cim"})


def network(name: str) -> Graph:
    loaded = load(SPECS / "paper" / f"{name}.cim")
    return build_graph(loaded.spec.model, loaded.spans)


def parameters(graph: Graph) -> int:
    """Weights and biases; a convolution before batch normalization has no bias of its own."""
    total = 0
    for layer in graph.layers:
        normalized = any(isinstance(reader.op, BatchNorm) for reader in graph.consumers(layer.name))
        match layer.op:
            case Conv2d() as op:
                total += op.out_channels * (op.in_channels // op.groups * op.window.area + (not normalized))
            case Linear() as op:
                total += op.out_features * (op.in_features + 1)
            case BatchNorm() as op:
                total += 2 * op.channels
            case LayerNorm() as op:
                total += 2 * op.features
            case Constant():
                total += layer.size
    return total


def multiplications(graph: Graph) -> int:
    """Of convolutions, linear layers and products of activations."""
    total = 0
    for layer in graph.crossbar_layers:
        match layer.op:
            case Conv2d() as op:
                total += layer.size * (op.in_channels // op.groups) * op.window.area
            case Linear() as op:
                total += layer.size * op.in_features
            case Product():
                total += layer.size * graph[layer.inputs[0]].shape[-1]
    return total


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vgg16", 138_357_544),
        ("resnet18", 11_689_512),
        ("resnet50", 25_557_032),
        ("mobilenet_v2", 3_504_872),
        ("vit_b32", 88_224_232),
    ],
)
def test_parameters_are_those_that_torchvision_states(name: str, expected: int):
    assert parameters(network(name)) == expected


@pytest.mark.parametrize(
    ("name", "billions"), [("vgg16", 15.47), ("resnet18", 1.81), ("resnet50", 4.09), ("mobilenet_v2", 0.30)]
)
def test_multiplications_are_those_that_torchvision_states(name: str, billions: float):
    assert round(multiplications(network(name)) / 1e9, 2) == billions


def test_multiplications_of_vit_b32():
    patches = 49 * 768 * 3 * 32**2
    block = 50 * (4 * 768**2 + 2 * 768 * 3072) + 2 * 12 * 50 * 64 * 50
    assert multiplications(network("vit_b32")) == patches + 12 * block + 768 * 1000
    assert round((patches + 12 * block + 768 * 1000) / 1e9, 2) == 4.41  # as torchvision states


def test_products_of_vit_b32_are_one_for_each_head():
    graph = network("vit_b32")
    for name, inputs, outputs in (("encoder1_a_qk", 64, 50), ("encoder1_a_av", 50, 64)):
        moving, stored = (graph[source].shape for source in graph[name].inputs)
        assert stored == (12, inputs, outputs)  # 12 heads
        assert moving == (12, 50, inputs)  # 50 invocations
        assert graph[name].shape == (12, 50, outputs)


def test_blocks_of_resnet50_begin_with_their_projection():
    names = [layer.name for layer in network("resnet50").crossbar_layers]
    assert names[:5] == ["c1", "p1", "b1_1", "b1_2", "b1_3"]
    assert len(names) == 1 + 16 * 3 + 4 + 1
    sides = [layer.shape[1:] for layer in network("resnet50").crossbar_layers if layer.name.endswith("_3")]
    assert sides == [(56, 56)] * 3 + [(28, 28)] * 4 + [(14, 14)] * 6 + [(7, 7)] * 3


@pytest.mark.parametrize("path", WITH_MODELS, ids=lambda path: path.stem)
def test_a_model_knows_the_crossbar_layers_of_its_graph(path: Path):
    loaded = load(path)
    declared = [name for layer in loaded.spec.model.layers for name in layer.products]
    graph = build_graph(loaded.spec.model, loaded.spans)
    assert declared == [layer.name for layer in graph.crossbar_layers]
