"""What becomes of pixels: against Pillow, and by hand."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.data.pixels import Pixels, resized
from cimspec.spec.data_source import Fit, Preparation
from tests.data.files import dataset, refusal

Image = pytest.importorskip("PIL.Image")
ImageOps = pytest.importorskip("PIL.ImageOps")

SIDE = st.integers(1, 40)


@settings(max_examples=60, deadline=None)
@given(old=st.tuples(SIDE, SIDE), new=st.tuples(SIDE, SIDE), seed=st.integers(0, 1000), fit=st.sampled_from(Fit))
def test_images_are_resized_as_by_pillow(old, new, seed: int, fit: Fit):
    image = np.random.default_rng(seed).random(old, np.float32)
    picture = Image.fromarray(image)
    if fit is Fit.STRETCH:
        wanted = picture.resize(new[::-1], Image.Resampling.BILINEAR)
    else:
        wanted = ImageOps.fit(picture, new[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_allclose(resized(image, new, fit), np.asarray(wanted), atol=2e-5)


def test_halving_averages_with_weights_1_3_3_1():
    line = np.array([[0, 0, 8, 0, 0, 0, 8, 8]], np.float32)
    # Triangles two old pixels wide around 1, 3, 5, 7; a new pixel at an end loses what lies outside.
    np.testing.assert_allclose(resized(line, (1, 4), Fit.STRETCH), [[8 / 7, 3, 1, 48 / 7]])
    assert resized(line, (1, 8), Fit.STRETCH) is line


def test_the_middle_is_kept():
    image = np.arange(30, dtype=np.float32).reshape(1, 1, 5, 6)
    kept = Pixels(Preparation(crop=(2, 4))).prepared(image)
    assert kept.tolist() == [
        [[[7, 8, 9, 10], [13, 14, 15, 16]]]
    ]  # 3 rows and 2 columns less: rows 1, 2; columns 1 .. 4


def test_mean_and_deviation_of_each_channel():
    image = np.array([0, 51, 255], np.uint8).reshape(1, 3, 1, 1)
    one = Pixels(Preparation(mean=(0.5, 0.1, 0.0), std=(0.5, 0.1, 2.0))).prepared(image)
    np.testing.assert_allclose(one.ravel(), [-1, 1, 0.5], rtol=1e-6)
    same = Pixels(Preparation(mean=(0.2,), std=(0.1,))).prepared(image)
    np.testing.assert_allclose(same.ravel(), [-2, 0, 8], atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "options", "value"),
    [
        (np.uint8, {}, 200 / 255),
        (np.uint16, {}, 200 / 65535),
        (np.int64, {}, 200 / 255),
        (np.float64, {}, 200.0),
        (np.float16, {"scale": 100.0}, 2.0),
        (np.uint8, {"scale": 1.0}, 200.0),
    ],
)
def test_the_scale_follows_the_type(dtype: type, options: dict[str, float], value: float):
    image = np.full((1, 1, 1, 1), 200, dtype)
    assert Pixels(Preparation(**options)).prepared(image).item() == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ("crop = 5 x 4", "CIM459", "`crop` is 5 x 4, images are 4 x 6"),
        ("resize = 8, crop = 9 x 3", "CIM459", "`crop` is 9 x 3, `resize` makes images 8 x 8"),
        ("mean = [0.5, 0.5]", "CIM459", "`mean` has 2 numbers, images have 1 channel"),
        ("std = [1, 2, 3]", "CIM459", "`std` has 3 numbers, images have 1 channel"),
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, options: str, code: str, message: str):
    np.savez(tmp_path / "d.npz", images=np.zeros((100, 4, 6), np.uint8), labels=np.zeros(100, np.uint8))
    assert refusal(tmp_path, f'npz("d.npz", {options})') == (code, message)


def test_one_image_cannot_take_all_memory(tmp_path: Path):
    np.savez(tmp_path / "d.npz", images=np.zeros((10, 1, 40_000), np.uint8), labels=np.zeros(10, np.uint8))
    assert refusal(tmp_path, 'npz("d.npz", resize = 1024)') == ("CIM451", "an image of 1 x 1 x 40000 is too large")


def test_all_options_together(tmp_path: Path):
    images = np.random.default_rng(0).integers(0, 256, (100, 8, 6, 3), np.uint8)
    np.savez(tmp_path / "d.npz", images=images, labels=np.arange(100) % 4)
    call = 'npz("d.npz", layout = nhwc, resize = 16 x 20, fit = cover, crop = 12, mean = [0.4, 0.5, 0.6], std = 0.25)'
    data = dataset(tmp_path, call)
    assert data.image_shape == (3, 12, 12)
    means = np.mean([split.images.mean(axis=(0, 2, 3)) for _, split in data.splits], axis=0)
    np.testing.assert_allclose(means, (0.5 - np.array([0.4, 0.5, 0.6])) / 0.25, atol=0.1)  # of uniform pixels
