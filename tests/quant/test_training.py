"""Float training and fine-tuning on the 8 x 8 digits."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from cimspec.data.builtin import builtin_data
from cimspec.data.dataset import Dataset, Split
from cimspec.quant.calibrate import calibrate
from cimspec.quant.execute import Plan, float_function, float_outputs, to_weights
from cimspec.quant.fake import fake_outputs
from cimspec.quant.finetune import FineTuner, StoppedError
from cimspec.quant.integer import integer_network
from cimspec.quant.lsq import quantize_learned, round_through
from cimspec.quant.optimize import Average, one_cycle, rate
from cimspec.quant.student import Student
from cimspec.quant.tables import Tables, quantize
from cimspec.quant.train import WARMUP, initial_tensors, train_float
from cimspec.quant.weights import Weights, fold_batch_norm
from cimspec.spec.training import Optimizer, Schedule, TrainingSpec
from tests.quant.nets import random_images, residual_net, small_net

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


def test_two_halves_of_a_batch_make_one_step_of_the_whole():
    graph, images, labels = residual_net(normalized=False), random_images(32), np.arange(32, dtype=np.int64) % 10
    training = TRAINING.model_copy(update={"epochs": 1, "batch": 32, "distortion": 0.0, "noise": 0.0})
    trained = train_float(graph, Split(images, labels), training, seed=3)
    # The same step by plain autograd and plain Adam; a batch of all images is in any order the same.
    tensors = initial_tensors(graph, torch.Generator().manual_seed(3))
    parameters = [value.requires_grad_(True) for own in tensors.values() for value in own.values()]
    outputs = Plan.of(graph).run(torch.from_numpy(images), float_function(tensors))
    functional.cross_entropy(outputs, torch.from_numpy(labels)).backward()
    rate = training.learning_rate * one_cycle(0, 1, WARMUP)
    torch.optim.AdamW(parameters, lr=rate, weight_decay=training.weight_decay).step()
    close = [
        np.isclose(trained[name][key], value, atol=1e-5)
        for name, own in to_weights(tensors).items()
        for key, value in own.items()
    ]
    # Adam's first step is the gradient's sign, which rounding decides where the gradient is almost zero.
    assert np.concatenate([each.ravel() for each in close]).mean() > 0.99


def test_the_first_step_of_sgd_is_a_gradient_with_momentum_ahead():
    graph, images, labels = residual_net(normalized=False), random_images(32), np.arange(32, dtype=np.int64) % 10
    changes = {"epochs": 1, "batch": 32, "distortion": 0.0, "noise": 0.0, "weight_decay": 0.01, "learning_rate": 0.05}
    training = TrainingSpec(**changes, optimizer=Optimizer.SGD, schedule=Schedule.CONSTANT)
    trained = train_float(graph, Split(images, labels), training, seed=3)
    tensors = initial_tensors(graph, torch.Generator().manual_seed(3))
    for own in tensors.values():
        for value in own.values():
            value.requires_grad_(True)
    outputs = Plan.of(graph).run(torch.from_numpy(images), float_function(tensors))
    functional.cross_entropy(outputs, torch.from_numpy(labels)).backward()
    for name, own in tensors.items():
        for key, value in own.items():
            # Nesterov: the first velocity is the gradient g, and the step is g + 0.9 g; the decay is part of g.
            gradient = value.grad + 0.01 * value.detach()
            expected = value.detach() - 0.05 * (gradient + 0.9 * gradient)
            np.testing.assert_allclose(trained[name][key], expected.numpy(), rtol=1e-4, atol=1e-6)


def test_learning_rates_over_time():
    # Four steps stand for 1/8, 3/8, 5/8 and 7/8 of the time.
    cosine = [0.5 * (1 + math.cos(math.pi * position / 8)) for position in (1, 3, 5, 7)]
    assert [rate(Schedule.COSINE, step, 4, 0.2) for step in range(4)] == pytest.approx(cosine)
    assert [rate(Schedule.CONSTANT, step, 4, 0.2) for step in range(4)] == [1.0] * 4
    assert [rate(Schedule.ONE_CYCLE, step, 4, 0.2) for step in range(4)] == [
        one_cycle(step, 4, 0.2) for step in range(4)
    ]
    assert rate(Schedule.ONE_CYCLE, 0, 4, 0.25) == pytest.approx(0.5)  # half of the way up


@pytest.mark.slow
@pytest.mark.parametrize("schedule", Schedule)
def test_other_recipes_learn_and_improve_two_bits_as_well(schedule, digits: Dataset):
    rates = {"learning_rate": 0.02, "finetune_learning_rate": 0.02}
    training = TRAINING.model_copy(update={"optimizer": Optimizer.SGD, "schedule": schedule, **rates})
    graph, folded = fold_batch_norm(small_net(), train_float(small_net(), digits.train, training, seed=0))
    outputs = float_outputs(graph, folded, torch.from_numpy(digits.validation.images))
    assert (outputs.argmax(1).numpy() == digits.validation.labels).mean() > 0.8
    tables = calibrate(graph, folded, digits.train.images[:256])
    tuned = FineTuner(tables, digits, training, seed=0).tune(graph.uniform(2, 2))
    assert tuned.after.kl < tuned.before.kl


def test_a_batch_too_small_for_two_halves_stays_whole(digits: Dataset):
    training = TRAINING.model_copy(update={"epochs": 1, "batch": 3})
    trained = train_float(small_net(), digits.train.take(7), training, seed=0)
    assert all(np.isfinite(value).all() for own in trained.values() for value in own.values())


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
    assert tuned.after.loss < tuned.before.loss
    assert tuned.after.kl < tuned.before.kl


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
    assert kept.after is None


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


def test_fine_tuning_ends_when_it_is_told_to(digits: Dataset, tables: Tables):
    tuner = FineTuner(tables, digits, TRAINING, seed=0)
    tuner.stop()
    with pytest.raises(StoppedError):
        tuner.tune(tables.graph.uniform(3, 3))


def test_labels_and_teacher_share_the_loss(digits: Dataset, tables: Tables):
    policy = tables.graph.uniform(3, 3)
    taught, told = (
        FineTuner(tables, digits, TRAINING.model_copy(update={"distillation": share}), seed=0).tune(policy)
        for share in (1.0, 0.0)
    )
    assert taught.after.kl < told.after.kl


def test_the_step_of_the_images_is_not_learned(tables: Tables):
    student = Student.of(tables, tables.graph.uniform(3, 3))
    learned = {name: layer.input_step.requires_grad for name, layer in student.layers.items()}
    assert learned == {"c": False, "f1": True, "f2": True}


def test_the_gradients_of_a_learned_step():
    value = torch.tensor([-1.0, 0.3, 1.8, 3.0, 9.0], requires_grad=True)
    step = torch.tensor(1.0, requires_grad=True)
    quantized = quantize_learned(value, step, 0, 3, shared_by=3)  # codes 0, 0, 2, 3, 3
    assert quantized.tolist() == [0.0, 0.0, 2.0, 3.0, 3.0]
    quantized.sum().backward()
    assert value.grad is not None
    assert value.grad.tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]  # straight through inside the range, to which 3 is the end
    # step: 0 + (0 - 0.3) + (2 - 1.8) + 3 + 3 = 5.9, times 1 / sqrt(3 * 3)
    assert step.grad is not None
    assert step.grad.item() == pytest.approx(5.9 / 3, abs=1e-6)


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


def test_what_hardly_differs_from_its_only_teacher_stays_as_it_is(digits: Dataset, tables: Tables):
    eight = tables.graph.uniform(8, 8)
    left = FineTuner(tables, digits, TRAINING, seed=0).tune(eight)
    assert not left.improved
    assert left.after is None
    assert left.before
    assert left.before.kl < TRAINING.finetune_above
    for other in ({"distillation": 0.5}, {"finetune_above": 0.0}):
        tuner = FineTuner(tables, digits, TRAINING.model_copy(update=other), seed=0)
        assert tuner.tune(eight).after is not None
