"""Splits of one's own data, their limits and their digest."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimspec.data.own import choose
from cimspec.data.pictures import ArrayPictures, Part, Parts
from cimspec.data.split import SPLIT_SEED, stratified_order
from cimspec.spec.data_source import Preparation
from tests.data.files import dataset, refusal

LABELS = np.repeat(np.arange(4), [40, 30, 20, 10])
IMAGES = np.random.default_rng(5).integers(0, 256, (100, 3, 3), np.uint8)


def part(labels: np.ndarray) -> Part:
    return Part(ArrayPictures("x", np.zeros((len(labels), 1, 1, 1))), labels)


def chosen(parts: Parts, **options) -> list[np.ndarray]:
    return [indices for _, _, indices in choose("d", parts, Preparation(**options))]


def test_the_splits_are_those_of_builtin_data():
    order = stratified_order(LABELS)
    for found, wanted in zip(chosen(Parts(part(LABELS))), np.split(order, [60, 80]), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_every_split_and_every_limit_keeps_the_classes_shares():
    for limit, of_each in ((None, [24, 18, 12, 6]), (50, [12, 9, 6, 3])):
        train, validation, test = chosen(Parts(part(LABELS)), limit=limit)
        assert np.bincount(LABELS[train]).tolist() == of_each
        for split in (validation, test):
            assert np.abs(np.bincount(LABELS[split]) * 3 - np.array(of_each)).max() <= 3  # a third, within one image


def test_a_limit_counts_all_parts():
    parts = Parts(part(LABELS), test=part(LABELS[::2]))  # 100 and 50
    assert [len(split) for split in chosen(parts, limit=30)] == [16, 4, 10]  # 20 and 10; 20 % of 20
    assert [len(split) for split in chosen(parts, limit=1000)] == [80, 20, 50]


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    validation=st.floats(0.01, 0.49),
    test=st.floats(0.01, 0.49),
    limit=st.integers(1, 80),
)
def test_splits_are_disjoint_and_no_larger_than_the_limit(labels, validation: float, test: float, limit: int):
    parts = Parts(part(np.array(labels)))
    found = np.concatenate(chosen(parts, validation=validation, test=test, limit=limit))
    assert len(found) == len(set(found.tolist())) == min(limit, len(labels))


@given(st.lists(st.integers(-3, 3), max_size=40))
def test_the_order_is_that_of_places_within_classes(labels: list[int]):
    array = np.array(labels, np.int64)
    shuffled = np.random.default_rng(SPLIT_SEED).permutation(len(array))
    place = {}
    for label in set(labels):
        members = [index for index in shuffled.tolist() if array[index] == label]
        place |= {index: (rank + 0.5) / len(members) for rank, index in enumerate(members)}
    wanted = sorted(range(len(labels)), key=lambda index: (place[index], labels[index]))
    by_place = [(place[index], labels[index]) for index in stratified_order(array).tolist()]
    assert by_place == [(place[index], labels[index]) for index in wanted]


def test_the_digest_is_that_of_the_content(tmp_path: Path):
    for name, images in (("a", IMAGES), ("b", IMAGES), ("c", IMAGES ^ (np.arange(100) == 7)[:, None, None])):
        np.savez(tmp_path / f"{name}.npz", images=images, labels=LABELS)
    np.savez_compressed(tmp_path / "d.npz", images=IMAGES, labels=LABELS)
    first, same, changed, compressed = (dataset(tmp_path, f'npz("{name}.npz")').digest for name in "abcd")
    assert first == same == compressed != changed
    assert first != dataset(tmp_path, 'npz("a.npz", mean = 0.5)').digest
    assert first != dataset(tmp_path, 'npz("a.npz", test = 30 %)').digest


def test_images_that_do_not_fit_into_memory_are_refused_before_they_are_made(tmp_path: Path):
    np.savez(tmp_path / "d.npz", images=np.zeros((1000, 1, 1), np.uint8), labels=np.zeros(1000, np.uint8))
    code, message = refusal(tmp_path, 'npz("d.npz", resize = 1024)')
    assert (code, message) == ("CIM451", "1000 images of `d` take 4.2 GB, more than 4 GB")  # 1000 * 1024 * 1024 * 4
    assert len(dataset(tmp_path, 'npz("d.npz", resize = 1024, limit = 10)').train) == 6


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_images_for_three_splits(tmp_path: Path, count: int):
    np.savez(tmp_path / "d.npz", images=IMAGES[:count], labels=LABELS[:count])
    assert refusal(tmp_path, 'npz("d.npz")')[0] == "CIM457"
