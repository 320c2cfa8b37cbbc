"""A student on a chip: what is added in the forward pass, and that gradients and the policy's own network ignore it."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from cimspec.quant.calibrate import calibrate
from cimspec.quant.chip_errors import disturbed
from cimspec.quant.execute import Plan
from cimspec.quant.student import Student
from cimspec.quant.tables import Tables
from tests.quant.nets import random_images, random_weights, residual_net


@dataclass
class Steady:
    """Chips that make the weights of one layer a code too large, and spread the outputs of the last one."""

    strayed: str
    deviation: float = 0.0
    asked: list[int] = field(default_factory=list)

    def weights(self, layer: str, codes: np.ndarray, chip: int) -> np.ndarray | None:
        self.asked.append(chip)
        return np.ones(codes.shape) if layer == self.strayed else None

    def outputs(self, layer: str) -> np.ndarray | None:
        return np.full(10, self.deviation) if layer == "f" and self.deviation else None


@pytest.fixture
def tables() -> Tables:
    graph = residual_net(normalized=False)
    return calibrate(graph, random_weights(graph), random_images(64))


def make_student(tables: Tables) -> Student:
    return Student.of(tables, tables.graph.uniform(4, 4))


def outputs_of(student: Student, seed: int = 0) -> torch.Tensor:
    images = torch.from_numpy(random_images(16, seed=4))
    return Plan.of(student.graph).run(images, student.function(torch.Generator().manual_seed(seed)))


def test_weights_that_stray_by_a_code_are_weights_of_one_step_more(tables: Tables):
    on_chip, moved = make_student(tables), make_student(tables)
    with torch.no_grad():
        for student in (on_chip, moved):
            layer = student.layers["cb"]
            layer.weight.clamp_(max=6.4 * layer.weight_step)  # no code is 7, the largest of four bits
        moved.layers["cb"].weight.add_(moved.layers["cb"].weight_step)
    on_chip.meet(Steady("cb"), 3)
    torch.testing.assert_close(outputs_of(on_chip), outputs_of(moved), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(outputs_of(on_chip), outputs_of(make_student(tables)), atol=1e-3)


def test_gradients_pass_as_if_weights_had_not_strayed(tables: Tables):
    """Of the last layer's weights: they depend on what comes in and on what is asked for, not on the weights."""
    students = make_student(tables), make_student(tables)
    students[1].meet(Steady("f"), 0)
    gradients = []
    for student in students:
        (gradient,) = torch.autograd.grad(outputs_of(student).sum(), [student.layers["f"].weight])
        gradients.append(gradient)
    torch.testing.assert_close(*gradients)
    assert gradients[0].any()


def test_the_network_that_is_left_has_no_errors(tables: Tables):
    plain, on_chip = make_student(tables), make_student(tables)
    on_chip.meet(Steady("c1", deviation=3.0), 0)
    ours, theirs = on_chip.parameters().layers, plain.parameters().layers
    for name, own in ours.items():
        assert np.array_equal(own.weight_codes, theirs[name].weight_codes)
        assert np.array_equal(own.bias, theirs[name].bias)


def test_outputs_spread_by_products_of_codes(tables: Tables):
    student = make_student(tables)
    plain = outputs_of(student).detach()
    errors = Steady("none", deviation=5.0)
    student.meet(errors, 7)
    spread = torch.stack([outputs_of(student, seed).detach() - plain for seed in range(200)])
    layer = student.layers["f"]
    expected = 5.0 * layer.weight_step.detach().flatten() * layer.input_step.detach()
    torch.testing.assert_close(spread.std((0, 1)), expected, rtol=0.1, atol=0.0)
    assert float((spread.mean((0, 1)) / expected).abs().max()) < 0.1
    assert set(errors.asked) == {7}


@pytest.mark.parametrize("channels_innermost", [False, True])
def test_errors_of_images_are_those_of_their_channels(channels_innermost: bool):
    outputs = torch.zeros(500, 3, 4, 5)
    if channels_innermost:
        outputs = outputs.contiguous(memory_format=torch.channels_last)
    deviation = torch.tensor([0.0, 1.0, 10.0]).view(-1, 1, 1)
    found = disturbed(outputs, deviation, torch.Generator().manual_seed(0))
    assert found.stride() == outputs.stride()
    torch.testing.assert_close(found.std((0, 2, 3)), deviation.flatten(), rtol=0.05, atol=0.0)
