"""Layers that are run in another order, or not at all, and give the same."""

import torch
from torch import Tensor

from cimspec.graph.graph import Graph
from cimspec.graph.layer import Input, Layer, Linear, MaxPool, Op, Product, Relu, Reshape
from cimspec.graph.window import Window
from cimspec.quant.execute import max_pooled
from cimspec.quant.order import run_order
from tests.quant.nets import small_net


def ops(graph: Graph, *unsigned: str) -> dict[str, type[Op]]:
    return {layer.name: type(layer.op) for layer in run_order(graph, unsigned)}


def test_a_relu_goes_behind_the_pooling_that_reads_it():
    graph = small_net()
    found = ops(graph)
    assert (found["r"], found["p"]) == (MaxPool, Relu)
    assert graph["r"].shape != graph["p"].shape
    assert run_order(graph)[3].shape == graph["p"].shape


def test_a_relu_before_codes_without_sign_is_left_out():
    assert ops(small_net())["r1"] is Relu
    assert ops(small_net(), "f2")["r1"] is Reshape
    assert ops(small_net(), "f1")["r1"] is Relu, "its reader codes with a sign"


def two_readers(second: Op) -> Graph:
    return Graph(
        "two",
        (
            Layer("x", Input(True), (), (4, 4)),
            Layer("a", Linear(4, 4), ("x",), (4, 4)),
            Layer("r", Relu(), ("a",), (4, 4)),
            Layer("b", Linear(4, 4), ("r",), (4, 4)),
            Layer("c", second, ("b", "r") if isinstance(second, Product) else ("r",), (4, 4)),
        ),
    )


def test_a_relu_stays_where_something_else_reads_it():
    assert ops(two_readers(Linear(4, 4)), "b", "c")["r"] is Reshape
    assert ops(two_readers(Linear(4, 4)), "b")["r"] is Relu
    assert ops(two_readers(Product()), "b", "c")["r"] is Relu, "the second operand of a product has a sign"


def test_a_relu_that_is_the_output_stays():
    graph = Graph("out", (Layer("x", Input(True), (), (4,)), Layer("r", Relu(), ("x",), (4,))))
    assert ops(graph)["r"] is Relu


def test_the_largest_values_are_the_same_with_and_without_a_gradient():
    generator = torch.Generator().manual_seed(0)
    images: Tensor = torch.randn(3, 2, 7, 9, generator=generator)
    for window in (Window.square(2, 2), Window.square(3, 3), Window((1, 2), (1, 2)), Window.square(3, 2)):
        wanting = images.clone().requires_grad_(True)
        assert torch.equal(max_pooled(images, window), max_pooled(wanting, window))
