"""Digital operations: the numpy definition against torch, the quantized network in torch against the integer one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from cimspec import load_spec
from cimspec.graph import Graph
from cimspec.graph.layer import (
    AvgPool,
    Clip,
    Elementwise,
    Function,
    Input,
    Layer,
    LocalResponseNorm,
    MaxPool,
    Op,
    Softmax,
)
from cimspec.graph.policy_file import Policy
from cimspec.graph.precision import Precision
from cimspec.graph.window import Window
from cimspec.pipeline.costing import compiled_graph
from cimspec.quant.calibrate import calibrate
from cimspec.quant.execute import Plan, float_outputs, to_weights
from cimspec.quant.fake import fake_outputs
from cimspec.quant.integer import IntegerNetwork, integer_network
from cimspec.quant.lower import lower
from cimspec.quant.student import Student
from cimspec.quant.tables import quantize
from cimspec.quant.train import initial_tensors
from tests.compiler.strategies import graphs

SPECS = Path(__file__).parents[2] / "specs"


@pytest.mark.parametrize(
    "op",
    [
        *map(Elementwise, Function),
        Clip(-0.5, 1.5),
        Softmax(0),
        Softmax(2),
        LocalResponseNorm(3, 0.1, 0.75, 1.0),
        LocalResponseNorm(4, 0.1, 0.5, 2.0),
        MaxPool(Window((2, 3), (1, 2), (0, 1, 1, 1), (2, 1))),
        AvgPool(Window((2, 3), (2, 1), (1, 0, 0, 2))),
        AvgPool(Window((2, 3), (2, 1), (1, 0, 0, 2)), counts_padding=True),
    ],
    ids=str,
)
def test_the_numpy_definition_is_what_torch_computes(op: Op):
    shape = (5, 6, 7)
    window = getattr(op, "window", None)
    result = (5, *window.count(6, 7)) if window else shape
    graph = Graph("one", (Layer("x", Input(True), (), shape), Layer("y", op, ("x",), result)))
    images = np.random.default_rng(0).normal(size=(3, *shape))
    exact = IntegerNetwork("x", lower(graph, Policy((), ())), {}).run(images)
    found = float_outputs(graph, {}, torch.from_numpy(images.astype(np.float32))).numpy()
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["attention", "mobile"])
@pytest.mark.parametrize("seed", range(3))
def test_the_quantized_network_in_torch_is_the_integer_network(name: str, seed: int):
    """But for rounding ties: a tie that falls the other way moves one code of one image."""
    graph = compiled_graph(load_spec(SPECS / f"{name}.cim"))
    weights = to_weights(initial_tensors(graph, torch.Generator().manual_seed(seed)))
    rng = np.random.default_rng(seed)
    images = rng.random((96, *graph.input_shape), dtype=np.float32)
    tables = calibrate(graph, weights, images[:32])
    names = tuple(layer.name for layer in graph.crossbar_layers)
    policy = Policy(names, tuple(Precision(*map(int, rng.integers(3, 9, 2))) for _ in names))
    parameters = quantize(tables, policy)
    exact = integer_network(graph, parameters).run(images)
    fake = fake_outputs(graph, parameters, torch.from_numpy(images)).numpy()
    assert np.isclose(fake, exact, rtol=1e-3, atol=1e-3 * np.abs(exact).max()).all(axis=1).mean() >= 0.9
    assert (fake.argmax(1) == exact.argmax(1)).mean() >= 0.97


# Not any networks: in some of them oneDNN's gradient of a convolution crashes the process (torch 2.13).
@pytest.mark.slow
@seed(2)
@settings(max_examples=25, deadline=None)
@given(graphs(), st.integers(0, 2**31))
def test_every_parameter_of_every_layer_learns(graph: Graph, number: int):
    """Random networks of all layers: calibrated, quantized, and every parameter reached by a gradient."""
    weights = to_weights(initial_tensors(graph, torch.Generator().manual_seed(number)))
    images = np.random.default_rng(number).random((16, *graph.input_shape), dtype=np.float32)
    images = images * 2 - 1 if graph.signed_input else images
    tables = calibrate(graph, weights, images)
    policy = graph.uniform(8, 8)
    assert np.isfinite(integer_network(graph, quantize(tables, policy)).run(images)).all()
    student = Student.of(tables, policy)
    outputs = Plan.of(graph).run(torch.from_numpy(images), student.function({}, torch.Generator()))
    outputs.square().sum().backward()
    assert all(value.grad is not None for value in (*student.values, *student.steps))
