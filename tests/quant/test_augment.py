"""Random changes of training images."""

import torch

from cimspec.quant.augment import add_noise, distort
from tests.quant.nets import random_images


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_without_strength_images_stay_as_they_are():
    images = torch.from_numpy(random_images(4))
    assert distort(images, 0.0, generator()) is images
    assert add_noise(images, 0.0, generator()) is images


def test_noise_has_a_strength_of_its_own_for_each_image_and_stays_in_range():
    images = torch.full((400, 1, 8, 8), 0.5)
    images[0, 0, 0, :2] = torch.tensor([-1.0, 2.0])  # a range of 3
    noisy = add_noise(images, 0.1, generator())
    assert noisy.min() >= -1
    assert noisy.max() <= 2
    deviations = (noisy - images)[1:].flatten(1).std(1)
    # Evenly from 0 to 0.1 * 3, on average 0.15; the mean of 399 of them is within 0.02 of that.
    assert abs(deviations.mean() - 0.15) < 0.02
    assert deviations.min() < 0.02
    assert 0.25 < deviations.max() < 0.4


def test_a_distortion_moves_what_is_there_and_keeps_shape_and_range():
    images = torch.zeros(64, 1, 28, 28)
    images[:, :, 10:18, 10:18] = 1.0
    moved = distort(images, 1.0, generator())
    assert moved.shape == images.shape
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert (moved != images).flatten(1).any(1).all()
    # Scales are 1 +- 0.15 along each side: areas are 64 pixels on average.
    assert abs(moved.sum((1, 2, 3)).mean() - 64) < 8
