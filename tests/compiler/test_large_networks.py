"""Networks of ImageNet size, one image each: the executed Program equals the integer network bit for bit."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from cimspec import load_spec
from cimspec.compiler import compile_program, parse_program, print_program
from cimspec.graph import Graph
from cimspec.graph.onnx import load_onnx
from cimspec.pipeline.costing import compiled_graph
from cimspec.quant.weights import fold_batch_norm
from cimspec.sim import execute
from cimspec.spec.chip import Chip, WeightMode
from tests.compiler.strategies import make_case

SPECS = Path(__file__).parents[2] / "specs"
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


@pytest.fixture(scope="module")
def isaac() -> Chip:
    """A chip whose ADC loses nothing."""
    return load_spec(SPECS / "isaac_resident.cim").chip


def slow(*names: str) -> list[object]:
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", slow("resnet50", "mobilenet_v2", "vit_b32"))
def test_an_executed_program_equals_the_integer_network(name: str, isaac: Chip):
    check(compiled_graph(load_spec(SPECS / "paper" / f"{name}.cim")), isaac)


@pytest.mark.parametrize("mode", WeightMode)
@pytest.mark.parametrize(
    "name",
    ["squeezenet", *slow("densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet")],
)
def test_the_networks_that_onnx_ships_are_executed_as_they_are(name: str, mode: WeightMode, isaac: Chip):
    graph, weights = load_onnx(LIGHT / f"light_{name}.onnx")
    folded, _ = fold_batch_norm(graph, weights)
    check(folded, isaac.model_copy(update={"weights": mode}))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bvlc_alexnet", "vgg19", "zfnet512"])
def test_those_of_60_to_140_million_weights_too(name: str, isaac: Chip):
    graph, _ = load_onnx(LIGHT / f"light_{name}.onnx")
    check(graph, isaac)


def check(graph: Graph, chip: Chip) -> None:
    """Random bits and parameters on one image: the Program, through its text, against the integer network."""
    case = make_case(graph, seed=1, batch=1)
    program = compile_program(graph, case.policy, chip)
    text = print_program(program)
    assert len(text) < 2_000_000
    expected = case.network.run(case.images)
    assert len(np.unique(expected)) > 10  # the image still matters at the end
    assert np.array_equal(execute(parse_program(text), case.network.constants, case.images), expected)
