"""Each operation against torch.nn."""

import pytest
import torch
from torch import Tensor, nn

from cimspec.graph.graph import Graph
from cimspec.graph.layer import (
    Add,
    AvgPool,
    BatchNorm,
    Conv2d,
    GlobalAvgPool,
    Input,
    Layer,
    Linear,
    MaxPool,
    Op,
    Relu,
    Reshape,
    Shape,
)
from cimspec.graph.window import Window
from cimspec.quant.execute import Plan, float_outputs
from cimspec.quant.weights import Weights
from tests.quant.nets import random_weights, residual_net

IMAGE: Shape = (3, 8, 8)


def run_one(op: Op, shape: Shape, inputs: Tensor, reads: int = 1) -> tuple[Tensor, Weights]:
    layers = (Layer("x", Input(True), (), tuple(inputs.shape[1:])), Layer("y", op, ("x",) * reads, shape))
    graph = Graph("one", layers)
    weights = random_weights(graph)
    return float_outputs(graph, weights, inputs), weights


@pytest.fixture
def images() -> Tensor:
    return torch.randn(5, *IMAGE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(1, 1, 0), (3, 1, 1), (3, 2, 1), (5, 3, 0)])
def test_conv2d(images: Tensor, kernel: int, stride: int, padding: int):
    side = (8 + 2 * padding - kernel) // stride + 1
    outputs, weights = run_one(Conv2d(3, 4, Window.square(kernel, stride, padding)), (4, side, side), images)
    module = nn.Conv2d(3, 4, kernel, stride, padding)
    module.load_state_dict({key: torch.tensor(value) for key, value in weights["y"].items()})
    torch.testing.assert_close(outputs, module(images).detach(), rtol=1e-4, atol=1e-5)
    assert outputs.shape[1:] == (4, side, side)


def test_linear():
    inputs = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    outputs, weights = run_one(Linear(7, 4), (4,), inputs)
    module = nn.Linear(7, 4)
    module.load_state_dict({key: torch.tensor(value) for key, value in weights["y"].items()})
    torch.testing.assert_close(outputs, module(inputs).detach())


def test_batch_norm_uses_running_statistics(images: Tensor):
    outputs, weights = run_one(BatchNorm(3), IMAGE, images)
    module = nn.BatchNorm2d(3).eval()
    names = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
    state = {names[key]: torch.tensor(value) for key, value in weights["y"].items()}
    module.load_state_dict(state, strict=False)
    torch.testing.assert_close(outputs, module(images).detach())


@pytest.mark.parametrize(
    ("op", "shape", "module"),
    [
        (Relu(), IMAGE, nn.ReLU()),
        (MaxPool(Window.square(2, 2, 0)), (3, 4, 4), nn.MaxPool2d(2)),
        (MaxPool(Window.square(3, 2, 1)), (3, 4, 4), nn.MaxPool2d(3, 2, 1)),
        (AvgPool(Window.square(3, 2)), (3, 3, 3), nn.AvgPool2d(3, 2)),
        (GlobalAvgPool(), (3,), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())),
        (Reshape(), (192,), nn.Flatten()),
    ],
)
def test_layers_without_weights(images: Tensor, op: Op, shape: Shape, module: nn.Module):
    outputs, _ = run_one(op, shape, images)
    torch.testing.assert_close(outputs, module(images))


def test_add(images: Tensor):
    outputs, _ = run_one(Add(), IMAGE, images, reads=2)
    torch.testing.assert_close(outputs, images + images)


def test_a_tensor_is_dropped_by_its_last_reader():
    plan = Plan.of(residual_net(normalized=False))
    assert plan.last_reads["short"] == ()  # the main branch still reads p1
    assert plan.last_reads["ca"] == ("p1",)
    assert plan.last_reads["sum"] == ("cb", "short")
