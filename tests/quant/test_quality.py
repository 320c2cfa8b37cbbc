"""Divergence at a temperature."""

import math

import pytest
import torch

from cimspec.quant.quality import divergence, margins, measure, soft_error

LOG_3 = math.log(3)


def test_the_divergence_of_two_classes_by_hand():
    float_outputs = torch.tensor([[0.0, 2 * LOG_3]])
    # At temperature 2 the float network gives 1/4 and 3/4, the other one 1/2 each:
    # 1/4 log(1/2) + 3/4 log(3/2), times 2^2.
    wanted = 4 * (math.log(0.5) / 4 + 3 * math.log(1.5) / 4)
    assert divergence(torch.tensor([[7.0, 7.0]]), float_outputs, 2.0).item() == pytest.approx(wanted, abs=1e-6)


def test_at_a_high_temperature_it_is_the_variance_of_the_difference():
    # KL = Var(difference / T) / 2 + O(T^-3), the variance over classes with equal weights.
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(5, 10, generator=generator, dtype=torch.float64) for _ in range(2))
    wanted = (ours - theirs).var(1, correction=0).mean() / 2
    assert divergence(ours, theirs, 1e4).item() == pytest.approx(wanted.item(), rel=1e-3)


def test_a_network_does_not_diverge_from_itself_and_accuracy_knows_no_temperature():
    outputs = torch.tensor([[3.0, 1.0], [0.0, 2.0], [1.0, 0.0]])
    found = measure(outputs, outputs, torch.tensor([0, 1, 1]), 3.0)
    assert found.kl == pytest.approx(0, abs=1e-7)
    assert found.correct.tolist() == [True, True, False]
    # Cross-entropies log(1 + e^-2) twice, log(1 + e^1) once.
    assert found.loss == pytest.approx((2 * math.log(1 + math.exp(-2)) + math.log(1 + math.e)) / 3, abs=1e-6)


def some_outputs(seed: int, images: int = 200, classes: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Outputs of a network, those of the float network, which are close, and labels."""
    generator = torch.Generator().manual_seed(seed)
    theirs = torch.randn(images, classes, generator=generator, dtype=torch.float64)
    ours = theirs + 0.3 * torch.randn(images, classes, generator=generator, dtype=torch.float64)
    return ours, theirs, torch.randint(classes, (images,), generator=generator)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_the_soft_error_is_a_share_whatever_the_scale_of_the_outputs(seed: int, scale: float):
    ours, theirs, labels = some_outputs(seed)
    found = soft_error(scale * ours, scale * theirs, labels)
    assert 0 <= found <= 1
    assert found == pytest.approx(soft_error(ours, theirs, labels), rel=1e-2)
    assert soft_error(torch.zeros_like(ours), torch.zeros_like(theirs), labels) == 0.5  # nothing tells classes apart


@pytest.mark.parametrize("seed", range(5))
def test_where_margins_are_large_the_soft_error_is_the_share_of_wrong_images(seed: int):
    ours, theirs, labels = some_outputs(seed)
    wrong = float((ours.argmax(1) != labels).double().mean())
    assert 0 < wrong < 1
    assert soft_error(1e4 * ours, theirs, labels) == pytest.approx(wrong, abs=2e-3)
    # At the float network's own scale it is near, not the same.
    assert soft_error(ours, theirs, labels) == pytest.approx(wrong, abs=0.05)


def test_a_larger_margin_of_any_image_makes_it_smaller():
    ours, theirs, labels = some_outputs(0, images=30)
    before = soft_error(ours, theirs, labels)
    for image, label in enumerate(labels.tolist()):
        better, worse = ours.clone(), ours.clone()
        better[image, label] += 1e-3
        worse[image, label] -= 1e-3
        assert soft_error(better, theirs, labels) <= before <= soft_error(worse, theirs, labels)
    nearest = int(margins(ours, labels).abs().argmin())
    ours[nearest, labels[nearest]] += 1e-3
    assert soft_error(ours, theirs, labels) < before


def test_the_soft_error_by_hand():
    # The float network's margins are 2 and -2: the width is a twentieth of 2. Margins here: 0.1 and -0.3.
    theirs = torch.tensor([[2.0, 0.0, -5.0], [0.0, 2.0, -5.0]])
    ours = torch.tensor([[0.1, 0.0, -9.0], [0.0, 0.3, -9.0]])
    labels = torch.tensor([0, 0])
    wanted = (1 / (1 + math.exp(1.0)) + 1 / (1 + math.exp(-3.0))) / 2
    assert soft_error(ours, theirs, labels) == pytest.approx(wanted, abs=1e-6)
    assert margins(ours, labels).tolist() == pytest.approx([0.1, -0.3])
