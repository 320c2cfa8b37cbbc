"""Divergence at a temperature."""

import math

import pytest
import torch

from cimspec.quant.quality import divergence, measure

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
