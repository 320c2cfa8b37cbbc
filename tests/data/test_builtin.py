import importlib

import numpy as np
import pytest

from cimspec.data.builtin import builtin_data
from cimspec.data.dataset import Dataset
from cimspec.data.load import load_data
from cimspec.data.split import split_stratified, stratified_order
from cimspec.diag import CimError
from cimspec.spec.workload import BuiltinData, DataSpec


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return builtin_data("digits")


def test_digits_have_the_stated_splits(digits: Dataset):
    assert [len(split) for split in (digits.train, digits.validation, digits.test)] == [1138, 300, 359]
    assert digits.image_shape == (1, 8, 8)
    assert digits.classes == 10


def test_images_are_contiguous_float32_from_0_to_1(digits: Dataset):
    for split in (digits.train, digits.validation, digits.test):
        assert split.images.dtype == np.float32
        assert split.labels.dtype == np.int64
        assert split.images.flags.c_contiguous
        assert split.images.min() == 0.0
        assert split.images.max() == 1.0


def test_the_splits_are_fixed(digits: Dataset):
    again = builtin_data("digits")
    np.testing.assert_array_equal(digits.test.images, again.test.images)
    assert digits.test.labels[:10].tolist() == [3, 0, 7, 8, 9, 4, 6, 1, 5, 2]


def test_the_splits_are_disjoint_and_complete():
    labels = np.arange(1000) % 10
    images = np.arange(1000, dtype=np.float32).reshape(-1, 1, 1, 1)  # each image is its own number
    data = split_stratified("numbers", images, labels, train=700, validation=100)
    seen = np.concatenate([split.images.ravel() for split in (data.train, data.validation, data.test)])
    assert sorted(seen.tolist()) == list(range(1000))


def test_every_class_has_its_share_of_every_split():
    labels = np.repeat(np.arange(4), 50)
    data = split_stratified("even", np.zeros((200, 1, 1, 1), np.float32), labels, train=120, validation=40)
    assert np.bincount(data.train.labels).tolist() == [30] * 4  # 120 / 4
    assert np.bincount(data.validation.labels).tolist() == [10] * 4
    assert np.bincount(data.test.labels).tolist() == [10] * 4


def test_a_prefix_of_the_stratified_order_is_stratified_for_uneven_classes():
    labels = np.array([0] * 30 + [1] * 10)
    prefix = labels[stratified_order(labels)[:20]]
    assert np.bincount(prefix).tolist() == [15, 5]  # half of each


@pytest.mark.slow
def test_mnist5k_has_320_80_and_100_images_of_each_digit():
    data = builtin_data("mnist5k")
    for split, count in ((data.train, 320), (data.validation, 80), (data.test, 100)):
        assert np.bincount(split.labels).tolist() == [count] * 10
    assert data.image_shape == (1, 28, 28)


def test_an_unknown_data_set_gets_a_suggestion():
    with pytest.raises(CimError) as error:
        load_data(DataSpec(name="d", source=BuiltinData(dataset="mnist5")))
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "CIM404"
    assert "mnist5k" in (diagnostic.help or "")


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    def refuse(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(CimError) as error:
        builtin_data("digits")
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "CIM902"
    assert diagnostic.help == "pip install 'cimspec[data]'"
