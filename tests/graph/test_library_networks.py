"""The library's networks are the published ones, layer by layer: shapes of torchvision's parameters as arithmetic."""

from itertools import pairwise
from pathlib import Path

import pytest

from cimspec.graph import Graph, build_graph
from cimspec.graph.layer import BatchNorm, Constant, Conv2d, LayerNorm, Linear
from cimspec.spec import load
from tests.graph.test_networks import parameters


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    def of(name: str) -> Graph:
        path = tmp_path_factory.mktemp("library") / "net.cim"
        path.write_text(f'import library("chips/rram_64.cim")\nimport library("models/{name}.cim")\n')
        loaded = load(path)
        return build_graph(loaded.spec.model, loaded.spans)

    return of


def shapes(graph: Graph) -> list[tuple[int, ...]]:
    """Shapes of the weights of layers on crossbars, as PyTorch has them, in execution order."""
    found = []
    for layer in graph.layers:
        match layer.op:
            case Conv2d() as op:
                found.append((op.out_channels, op.in_channels // op.groups, *op.window.kernel))
            case Linear() as op:
                found.append((op.out_features, op.in_features))
    return found


def resnet(blocks: tuple[int, ...], expansion: int) -> list[tuple[int, ...]]:
    """torchvision's `resnet18` and `resnet50`: weights of convolutions and of the last layer."""
    expected, channels = [(64, 3, 7, 7)], 64
    for stage, count in enumerate(blocks):
        width = 64 << stage
        for block in range(count):
            if block == 0 and (stage or expansion > 1):
                expected.append((width * expansion, channels, 1, 1))  # the projection, which comes first here
            if expansion == 1:
                expected += [(width, channels, 3, 3), (width, width, 3, 3)]
            else:
                expected += [(width, channels, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)]
            channels = width * expansion
    return [*expected, (1000, channels)]


@pytest.mark.parametrize(
    ("name", "blocks", "expansion", "total"),
    [("resnet18", (2, 2, 2, 2), 1, 11_689_512), ("resnet50", (3, 4, 6, 3), 4, 25_557_032)],
)
def test_residual_networks(network, name, blocks, expansion, total):
    graph = network(name)
    assert shapes(graph) == resnet(blocks, expansion)
    assert parameters(graph) == total
    strides = [layer.op.window.stride for layer in graph.layers if isinstance(layer.op, Conv2d)]
    halved = 1 + 2 * 3  # the stem; in three stages the projection and a 3 x 3 convolution
    assert strides.count((2, 2)) == halved


def test_names_of_resnet18_are_those_of_its_published_policies(network):
    names = [layer.name for layer in network("resnet18").crossbar_layers]
    assert names == [
        *("c1", "b1_1", "b1_2", "b2_1", "b2_2", "p3", "b3_1", "b3_2", "b4_1", "b4_2"),
        *("p5", "b5_1", "b5_2", "b6_1", "b6_2", "p7", "b7_1", "b7_2", "b8_1", "b8_2", "f1"),
    ]


def test_vit_b32(network):
    graph = network("vit_b32")
    block = [(2304, 768), (768, 768), (3072, 768), (768, 3072)]
    assert shapes(graph) == [(768, 3, 32, 32), *block * 12, (1000, 768)]
    products = [layer.name for layer in graph.crossbar_layers]
    assert len(products) == 74
    parts = ("a_qkv", "a_qk", "a_av", "a_out", "m1", "m2")
    assert products == [
        "patches",
        *(f"encoder{number}_{part}" for number in range(1, 13) for part in parts),
        "f1",
    ]
    # All of torchvision's are here: patches 2,360,064 with bias, class token 768, positions 50 * 768, twelve blocks of
    # 7,087,872, the last normalization 1,536, the head 769,000.
    assert 2_360_064 + 768 + 50 * 768 + 12 * 7_087_872 + 1_536 + 769_000 == 88_224_232
    assert parameters(graph) == 88_224_232
    constants = [layer.shape for layer in graph.layers if isinstance(layer.op, Constant)]
    assert constants == [(1, 768), (50, 768)]
    assert sum(isinstance(layer.op, LayerNorm) for layer in graph.layers) == 25


def test_products_of_attention_in_vit_b32(network):
    """q * k: 64 inputs, 50 outputs, 50 invocations, one for each of 12 heads; attention * v: 50 inputs, 64 outputs."""
    graph = network("vit_b32")
    for name, inputs, outputs in (("encoder1_a_qk", 64, 50), ("encoder12_a_av", 50, 64)):
        moving, stored = (graph[source].shape for source in graph[name].inputs)
        assert (stored, moving) == ((12, inputs, outputs), (12, 50, inputs))


def test_mobilenet_v2(network):
    expected, channels = [(32, 3, 3, 3), (32, 1, 3, 3), (16, 32, 1, 1)], 16
    for outputs, count in ((24, 2), (32, 3), (64, 4), (96, 3), (160, 3), (320, 1)):
        for _ in range(count):
            wide = 6 * channels
            expected += [(wide, channels, 1, 1), (wide, 1, 3, 3), (outputs, wide, 1, 1)]
            channels = outputs
    graph = network("mobilenet_v2")
    assert shapes(graph) == [*expected, (1280, 320, 1, 1), (1000, 1280)]
    assert parameters(graph) == 3_504_872
    assert graph["c2"].shape == (1280, 7, 7)


def test_vgg16(network):
    channels = (3, 64, 64, 128, 128, 256, 256, 256, *(512,) * 6)
    convolutions = [(out, into, 3, 3) for into, out in pairwise(channels)]
    graph = network("vgg16")
    assert shapes(graph) == [*convolutions, (4096, 512 * 49), (4096, 4096), (1000, 4096)]
    assert parameters(graph) == 138_357_544


def test_lenet5(network):
    assert shapes(network("lenet5")) == [(6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84)]
    assert parameters(network("lenet5")) == 61_706


def test_resnet8(network):
    graph = network("resnet8")
    weights = 432 + 2 * 2304 + (512 + 4608 + 9216) + (2048 + 18432 + 36864) + 640
    others = (32 + 64) + 10 + 2 * sum(layer.op.channels for layer in graph.layers if isinstance(layer.op, BatchNorm))
    assert parameters(graph) == weights + others == 77_946  # 78,666 in the benchmark: see the file


def test_vgg8_is_the_quickstarts(network):
    quickstart = load(Path(__file__).parents[2] / "specs/quickstart.cim").spec.model
    assert shapes(network("vgg8")) == shapes(build_graph(quickstart))
