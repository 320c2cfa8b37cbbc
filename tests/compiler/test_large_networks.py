"""Networks of ImageNet size, one image each: the executed Program equals the integer network bit for bit."""

from pathlib import Path

import numpy as np
import pytest

from cimspec import load_spec
from cimspec.compiler import compile_program, parse_program, print_program
from cimspec.pipeline.costing import compiled_graph
from cimspec.sim import execute
from cimspec.spec.chip import Chip
from tests.compiler.strategies import make_case

SPECS = Path(__file__).parents[2] / "specs"


@pytest.fixture(scope="module")
def isaac() -> Chip:
    """A chip whose ADC loses nothing."""
    return load_spec(SPECS / "isaac_resident.cim").chip


@pytest.mark.parametrize(
    "name",
    ["resnet50", pytest.param("mobilenet_v2", marks=pytest.mark.slow), pytest.param("vit_b32", marks=pytest.mark.slow)],
)
def test_an_executed_program_equals_the_integer_network(name: str, isaac: Chip):
    graph = compiled_graph(load_spec(SPECS / "paper" / f"{name}.cim"))
    case = make_case(graph, seed=1, batch=1)
    program = compile_program(graph, case.policy, isaac)
    text = print_program(program)
    assert len(text) < 2_000_000
    expected = case.network.run(case.images)
    assert len(np.unique(expected)) > 10  # the image still matters at the end
    assert np.array_equal(execute(parse_program(text), case.network.constants, case.images), expected)
