"""A student on a chip: what is added in the forward pass, and what gradients make of it."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from cimspec.data.builtin import builtin_data
from cimspec.graph.graph import Graph
from cimspec.graph.layer import Conv2d, GlobalAvgPool, Input, Layer, Linear, Transpose
from cimspec.graph.window import Window
from cimspec.quant.calibrate import calibrate
from cimspec.quant.chip_errors import LayerErrors, ProductErrors
from cimspec.quant.execute import Plan
from cimspec.quant.fake import fake_outputs
from cimspec.quant.finetune import FineTuner, StoppedError
from cimspec.quant.student import Student
from cimspec.quant.tables import Tables
from cimspec.spec.training import TrainingSpec
from tests.quant.nets import random_images, random_weights, residual_net

NONE = np.zeros(1)


@dataclass
class OneLayer:
    """Chips that compute one layer wrongly."""

    layer: str
    found: ProductErrors
    asked: list[int] = field(default_factory=list)

    def product_errors(self, layer: str, codes: np.ndarray, chip: int) -> ProductErrors | None:  # noqa: ARG002
        self.asked.append(chip)
        return self.found if layer == self.layer else None


@pytest.fixture
def tables() -> Tables:
    graph = residual_net(normalized=False)
    return calibrate(graph, random_weights(graph), random_images(64))


def make_student(tables: Tables) -> Student:
    return Student.of(tables, tables.graph.uniform(4, 4))


def outputs_of(student: Student, errors: OneLayer | None = None, seed: int = 0) -> torch.Tensor:
    images = torch.from_numpy(random_images(16, seed=4))
    found = student.on_chip(errors, 3) if errors else {}
    return Plan.of(student.graph).run(images, student.function(found, torch.Generator().manual_seed(seed)))


def one_code_more(tables: Tables, layer: str) -> OneLayer:
    shape = make_student(tables).layers[layer].codes().shape
    return OneLayer(layer, ProductErrors(np.ones(shape), NONE, NONE))


def test_weights_that_stray_by_a_code_are_weights_of_one_step_more(tables: Tables):
    on_chip, moved = make_student(tables), make_student(tables)
    with torch.no_grad():
        for student in (on_chip, moved):
            layer = student.layers["cb"]
            layer.weight.clamp_(max=6.4 * layer.weight_step)  # no code is 7, the largest of four bits
        moved.layers["cb"].weight.add_(moved.layers["cb"].weight_step)
    errors = one_code_more(tables, "cb")
    torch.testing.assert_close(outputs_of(on_chip, errors), outputs_of(moved), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(outputs_of(on_chip), outputs_of(moved), atol=1e-3)


def test_gradients_go_back_through_strayed_weights_to_those_that_are_kept(tables: Tables):
    """By hand, of a last layer `y = sum (w + e) x`: dy/dw = x whatever e is, dy/dx = w + e."""
    student = make_student(tables)
    layer = tables.graph["f"]
    inputs = torch.rand(5, 12, requires_grad=True)
    inputs.data *= 7 * student.layers["f"].input_step.detach()  # within range, off the ends
    weight_errors = torch.ones(10, 12)
    errors = LayerErrors(weight_errors, torch.zeros(1), torch.zeros(1))
    own = student.layers["f"]
    gradients = {}
    for name, given in (("plain", None), ("chip", errors)):
        outputs = own.run(layer, (inputs,), given, torch.Generator())
        gradients[name] = torch.autograd.grad(outputs.sum(), [own.weight, inputs])
    torch.testing.assert_close(gradients["chip"][0], gradients["plain"][0])
    inside = gradients["plain"][1] != 0
    expected = torch.where(inside, own.weight_step.detach().sum(), 0.0)
    torch.testing.assert_close(gradients["chip"][1] - gradients["plain"][1], expected, rtol=1e-4, atol=1e-5)


def test_an_offset_and_a_spread_are_those_of_products_of_codes(tables: Tables):
    student = make_student(tables)
    plain = outputs_of(student).detach()
    errors = OneLayer("f", ProductErrors(None, np.arange(10.0), np.full(10, 5.0)))
    found = torch.stack([outputs_of(student, errors, seed).detach() - plain for seed in range(200)])
    layer = student.layers["f"]
    product = layer.weight_step.detach().flatten() * layer.input_step.detach()
    torch.testing.assert_close(found.std((0, 1)), 5 * product, rtol=0.1, atol=0.0)
    torch.testing.assert_close(found.mean((0, 1)) / product, torch.arange(10.0), rtol=0.0, atol=0.5)
    assert set(errors.asked) == {3}


@pytest.mark.parametrize("channels_innermost", [False, True])
def test_errors_of_images_are_those_of_their_channels(channels_innermost: bool):
    outputs = torch.zeros(500, 3, 4, 5)
    if channels_innermost:
        outputs = outputs.contiguous(memory_format=torch.channels_last)
    deviation = torch.tensor([0.0, 1.0, 10.0]).view(-1, 1, 1)
    errors = LayerErrors(None, torch.zeros(1), deviation)
    found = errors.disturbed(outputs, torch.ones(1), torch.Generator().manual_seed(0))
    assert found.stride() == outputs.stride()
    torch.testing.assert_close(found.std((0, 2, 3)), deviation.flatten(), rtol=0.05, atol=0.0)


def test_a_linear_layer_on_every_pixel_has_its_outputs_last():
    graph = Graph(
        "pixels",
        (
            Layer("x", Input(False), (), (1, 8, 8)),
            Layer("c", Conv2d(1, 6, Window.square(3, 1, 1)), ("x",), (6, 8, 8)),
            Layer("t", Transpose((1, 2, 0)), ("c",), (8, 8, 6)),
            Layer("l", Linear(6, 12), ("t",), (8, 8, 12)),
            Layer("u", Transpose((2, 0, 1)), ("l",), (12, 8, 8)),
            Layer("p", GlobalAvgPool(), ("u",), (12,)),
            Layer("f", Linear(12, 10), ("p",), (10,)),
        ),
    )
    tables = calibrate(graph, random_weights(graph), random_images(64))
    student = Student.of(tables, graph.uniform(4, 4))
    offset = np.zeros(12)
    offset[4] = 100.0
    values = {}
    for name, errors in (("plain", None), ("chip", OneLayer("l", ProductErrors(None, offset, np.zeros(12))))):
        function = student.function(student.on_chip(errors, 0) if errors else {}, torch.Generator())
        live = {"x": torch.from_numpy(random_images(3))}
        Plan.of(graph).advance(live, graph.layers[1:5], function)
        values[name] = live["u"]
    moved = (values["chip"] - values["plain"]).abs().amax((0, 2, 3))
    assert moved.argmax() == 4
    assert moved[torch.arange(12) != 4].max() == 0


class Chips:
    """Chips that make nothing wrong, and count what they execute."""

    def __init__(self, tables: Tables) -> None:
        self.tables, self.executed = tables, 0

    def errors(self, policy) -> OneLayer:  # noqa: ARG002
        return OneLayer("none", ProductErrors(None, NONE, NONE))

    def network_outputs(self, parameters, images: np.ndarray) -> np.ndarray:
        self.executed += 1
        return fake_outputs(self.tables.graph, parameters, torch.from_numpy(images)).flatten(1).numpy()


def make_tuner(tables: Tables, chips: Chips | None, epochs: int) -> FineTuner:
    training = TrainingSpec(finetune_epochs=epochs, distortion=0.2)
    return FineTuner(tables, builtin_data("digits"), training, seed=0, chips=chips)


def test_on_chips_that_compute_exactly_the_same_is_learned(tables: Tables):
    policy, chips = tables.graph.uniform(4, 4), Chips(tables)
    ours, theirs = (make_tuner(tables, each, 1).tune(policy).parameters for each in (chips, None))
    for name, own in ours.layers.items():
        assert np.array_equal(own.weight_codes, theirs.layers[name].weight_codes)
    assert chips.executed == 2


def test_nothing_is_executed_where_nothing_is_tuned(tables: Tables):
    policy, chips = tables.graph.uniform(4, 4), Chips(tables)
    assert not make_tuner(tables, chips, 0).tune(policy).improved
    stopped = make_tuner(tables, chips, 1)
    stopped.stop()
    with pytest.raises(StoppedError):
        stopped.tune(policy)
    assert chips.executed == 0
