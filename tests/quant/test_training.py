"""Float training and fine-tuning on the 8 x 8 digits."""

import numpy as np
import pytest
import torch

from cimspec.data.builtin import builtin_data
from cimspec.data.dataset import Dataset
from cimspec.quant.calibrate import calibrate
from cimspec.quant.execute import float_outputs
from cimspec.quant.fake import fake_outputs
from cimspec.quant.finetune import FineTuner
from cimspec.quant.integer import integer_network
from cimspec.quant.lsq import quantize_learned, round_through
from cimspec.quant.optimize import Average
from cimspec.quant.student import Student
from cimspec.quant.tables import Tables, quantize
from cimspec.quant.train import train_float
from cimspec.quant.weights import Weights, fold_batch_norm
from cimspec.spec.training import TrainingSpec
from tests.quant.nets import small_net

TRAINING = TrainingSpec(epochs=8, finetune_epochs=3, distortion=0.2)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return builtin_data("digits")


@pytest.fixture(scope="module")
def weights(digits: Dataset) -> Weights:
    return train_float(small_net(), digits.train, TRAINING, seed=0)


@pytest.fixture(scope="module")
def tables(digits: Dataset, weights: Weights) -> Tables:
    graph, folded = fold_batch_norm(small_net(), weights)
    return calibrate(graph, folded, digits.train.images[:256])


def test_training_learns_the_digits(digits: Dataset, weights: Weights):
    outputs = float_outputs(small_net(), weights, torch.from_numpy(digits.validation.images))
    assert (outputs.argmax(1).numpy() == digits.validation.labels).mean() > 0.85


def test_training_is_the_same_for_a_seed_and_another_for_another(digits: Dataset):
    short = TRAINING.model_copy(update={"epochs": 1})
    first, again, other = (train_float(small_net(), digits.train, short, seed=seed) for seed in (5, 5, 6))
    for name, values in first.items():
        for key, value in values.items():
            np.testing.assert_array_equal(value, again[name][key])
    assert not np.array_equal(first["f1"]["weight"], other["f1"]["weight"])


def test_training_tells_its_progress(digits: Dataset):
    told: list[tuple[int, int]] = []
    train_float(
        small_net(),
        digits.train.take(64),
        TRAINING.model_copy(update={"epochs": 2}),
        seed=0,
        progress=lambda done, total, _text: told.append((done, total)),
    )
    assert told == [(1, 2), (2, 2)]


def test_fine_tuning_improves_two_bits(digits: Dataset, tables: Tables):
    tuned = FineTuner(tables, digits, TRAINING, seed=0).tune(tables.graph.uniform(2, 2))
    assert tuned.improved
    assert tuned.validation.loss < tuned.untuned.loss
    assert tuned.validation.kl < tuned.untuned.kl


def test_fine_tuning_is_the_same_for_a_seed_whatever_was_tuned_before(digits: Dataset, tables: Tables):
    policy = tables.graph.uniform(3, 3)
    tuner = FineTuner(tables, digits, TRAINING, seed=0)
    tuner.tune(tables.graph.uniform(2, 2))
    second = tuner.tune(policy).parameters
    alone = FineTuner(tables, digits, TRAINING, seed=0).tune(policy).parameters
    for name, layer in second.layers.items():
        np.testing.assert_array_equal(layer.weight_codes, alone.layers[name].weight_codes)
        assert layer.input_scale == alone.layers[name].input_scale


def test_without_epochs_the_untuned_network_is_kept(digits: Dataset, tables: Tables):
    tuner = FineTuner(tables, digits, TRAINING.model_copy(update={"finetune_epochs": 0}), seed=0)
    kept = tuner.tune(tables.graph.uniform(4, 4))
    assert not kept.improved
    assert kept.validation is kept.untuned


def test_a_student_starts_as_post_training_quantization(tables: Tables):
    policy = tables.graph.uniform(4, 3)
    start, untuned = Student.of(tables, policy).parameters(), quantize(tables, policy)
    for name, layer in start.layers.items():
        np.testing.assert_array_equal(layer.weight_codes, untuned.layers[name].weight_codes)
        np.testing.assert_allclose(layer.bias, untuned.layers[name].bias, rtol=1e-6, atol=1e-7)


def test_the_tuned_network_is_what_the_integers_compute(digits: Dataset, tables: Tables):
    tuned = FineTuner(tables, digits, TRAINING, seed=0).tune(tables.graph.uniform(3, 3))
    exact = integer_network(tables.graph, tuned.parameters).run(digits.test.images)
    fake = fake_outputs(tables.graph, tuned.parameters, torch.from_numpy(digits.test.images)).numpy()
    assert (fake.argmax(1) == exact.argmax(1)).mean() >= 0.99


def test_the_gradients_of_a_learned_step():
    value = torch.tensor([-1.0, 0.3, 1.8, 9.0], requires_grad=True)
    step = torch.tensor(1.0, requires_grad=True)
    quantized = quantize_learned(value, step, 0, 3, shared_by=3)  # codes 0, 0, 2, 3
    assert quantized.tolist() == [0.0, 0.0, 2.0, 3.0]
    quantized.sum().backward()
    assert value.grad is not None
    assert value.grad.tolist() == [0.0, 1.0, 1.0, 0.0]  # straight through inside the range
    # step: 0 + (0 - 0.3) + (2 - 1.8) + 3 = 2.9, times 1 / sqrt(3 * 3)
    assert step.grad is not None
    assert step.grad.item() == pytest.approx(2.9 / 3, abs=1e-6)


def test_rounding_that_gradients_pass_through():
    bias = torch.tensor([0.26, -0.26], requires_grad=True)
    rounded = round_through(bias, torch.tensor([0.5, 0.1]))
    assert rounded.tolist() == pytest.approx([0.5, -0.3])
    rounded.sum().backward()
    assert bias.grad is not None
    assert bias.grad.tolist() == [1.0, 1.0]


def test_the_average_forgets_quickly_at_first():
    parameter = torch.tensor([0.0], requires_grad=True)
    average = Average([parameter], decay=0.995)
    with torch.no_grad():
        parameter.fill_(1.0)
    average.update()  # moves by 1 - min(0.995, 1 / (9 + 1)) = 0.9
    average.put_back()
    assert parameter.item() == pytest.approx(0.9)
