"""The quantized network in float32 and the integer network are the same function, but for rounding ties."""

import numpy as np
import pytest
import torch

from cimspec.graph.precision import Policy, Precision
from cimspec.quant.calibrate import calibrate
from cimspec.quant.fake import fake_outputs
from cimspec.quant.integer import integer_network
from cimspec.quant.tables import quantize
from tests.quant.nets import random_images, random_weights, residual_net


@pytest.mark.parametrize("seed", range(4))
def test_outputs_agree(seed: int):
    graph = residual_net(normalized=False)
    tables = calibrate(graph, random_weights(graph, seed), random_images(64))
    rng = np.random.default_rng(seed)
    policy = Policy.of(
        {layer.name: Precision(*map(int, rng.integers(2, 9, size=2))) for layer in graph.crossbar_layers}
    )
    parameters = quantize(tables, policy)
    images = random_images(200, seed=9)
    exact = integer_network(graph, parameters).run(images)
    fake = fake_outputs(graph, parameters, torch.from_numpy(images)).numpy()
    close = np.isclose(fake, exact, rtol=1e-4, atol=1e-4 * np.abs(exact).max()).all(axis=1)
    assert close.mean() >= 0.98  # a tie that falls the other way moves one code of one image
    assert (fake.argmax(1) == exact.argmax(1)).mean() >= 0.99
