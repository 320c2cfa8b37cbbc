"""MNIST's format. Headers are written here byte by byte, after http://yann.lecun.com/exdb/mnist/."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.files import codes, dataset, idx, refusal

RNG = np.random.default_rng(1)
LABELS = np.repeat(np.arange(5), 20).astype(np.uint8)
IMAGES = RNG.integers(0, 256, (100, 4, 6), np.uint8)
CALL = 'idx(images = "images", labels = "labels")'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").write_bytes(
        b"\x00\x00\x08\x03\x00\x00\x00\x64\x00\x00\x00\x04\x00\x00\x00\x06" + IMAGES.tobytes()
    )
    (tmp_path / "labels").write_bytes(b"\x00\x00\x08\x01\x00\x00\x00\x64" + LABELS.tobytes())
    return tmp_path


def test_every_image_keeps_its_label_and_is_divided_by_255(folder: Path):
    data = dataset(folder, CALL)
    assert [len(split) for _, split in data.splits] == [60, 20, 20]  # 20 % and 20 % of 100
    assert data.image_shape == (1, 4, 6)
    assert data.classes == 5
    by_pixels = {image.tobytes(): label for image, label in zip(IMAGES, LABELS, strict=True)}
    seen = [
        (np.rint(image * 255).astype(np.uint8).tobytes(), label)
        for _, split in data.splits
        for image, label in zip(split.images, split.labels, strict=True)
    ]
    assert dict(seen) == by_pixels
    for _, split in data.splits:
        assert len(set(np.bincount(split.labels))) == 1  # as many of each class


def test_compressed_files_hold_the_same(folder: Path):
    plain = dataset(folder, CALL).digest
    for name in ("images", "labels"):
        (folder / name).write_bytes(gzip.compress((folder / name).read_bytes()))
    assert dataset(folder, CALL).digest == plain


def test_test_files_are_the_test_split(folder: Path):
    (folder / "t").write_bytes(idx(IMAGES[:10]))
    (folder / "tl").write_bytes(idx(LABELS[::10]))
    data = dataset(folder, 'idx("images", "labels", "t", "tl", validation = 10 %)')
    assert [len(split) for _, split in data.splits] == [90, 10, 10]
    assert sorted(data.test.labels.tolist()) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert refusal(folder, 'idx("images", "labels", "t", "tl", test = 10 %)') == (
        "CIM459",
        "`d` sets test images apart, and `test` is given",
    )


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
def test_all_types_are_read(folder: Path, kind: str):
    values = (IMAGES // 2).astype(kind)
    (folder / "images").write_bytes(idx(values))
    data = dataset(folder, f"{CALL[:-1]}, scale = 2)")
    found = np.concatenate([split.images for _, split in data.splits])
    assert sorted(found.ravel().tolist()) == sorted((values.astype(np.float32) / 2).ravel().tolist())


def test_colour_images_have_a_fourth_axis(folder: Path):
    (folder / "images").write_bytes(idx(RNG.integers(0, 256, (100, 4, 6, 3), np.uint8)))
    assert dataset(folder, f"{CALL[:-1]}, layout = nhwc)").image_shape == (3, 4, 6)
    assert dataset(folder, CALL).image_shape == (4, 6, 3)


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"", "CIM450", "`images` is no idx file"),
        (b"\x89PNG\r\n", "CIM450", "`images` is no idx file"),
        (b"\0\0\x08\x03\0\0", "CIM450", "`images` ends within its header"),
        (idx(IMAGES)[:-1], "CIM450", "`images` ends after 2399 of 2400 bytes"),
        (idx(IMAGES)[:500], "CIM450", "`images` says that it holds 2400 bytes, more than there can be"),
        (idx(IMAGES) + b"\0", "CIM450", "`images` holds more than the 2400 bytes that its header says"),
        (gzip.compress(idx(IMAGES)[:-9]), "CIM450", "`images` ends after 2391 of 2400 bytes"),
        (gzip.compress(idx(IMAGES))[:-9], "CIM450", "`images` is no idx file, or damaged"),
        (idx(IMAGES[:99]), "CIM453", "`images` has 99 images, `labels` has 100 labels"),
        (idx(LABELS), "CIM453", "`images` is 100, which is no array of images"),
        (idx(IMAGES[:, :0]), "CIM453", "`images` is 100 x 0 x 6, which is no array of images"),
    ],
)
def test_what_is_wrong_with_images(folder: Path, content: bytes, code: str, message: str):
    (folder / "images").write_bytes(content)
    assert refusal(folder, CALL) == (code, message)


@pytest.mark.parametrize(
    ("labels", "code", "message"),
    [
        (np.full(100, -1, np.int8), "CIM454", "`labels` has 100 labels that are no class numbers: label 0 is -1"),
        (np.full(100, 1.5, np.float32), "CIM454", "`labels` has 100 labels that are no class numbers: label 0 is 1.5"),
        (np.full(100, np.nan), "CIM454", "`labels` has 100 labels that are no class numbers: label 0 is nan"),
        (np.full(100, 1e300), "CIM454", "`labels` has 100 labels that are no class numbers: label 0 is 1e+300"),
        (np.eye(10, dtype=np.uint8), "CIM453", "`labels` is 10 x 10, not one label for each image"),
    ],
)
def test_what_is_wrong_with_labels(folder: Path, labels: np.ndarray, code: str, message: str):
    (folder / "labels").write_bytes(idx(labels))
    assert refusal(folder, CALL) == (code, message)


def test_whole_numbers_written_as_fractions_are_labels(folder: Path):
    (folder / "labels").write_bytes(idx(LABELS.astype(np.float64)))
    assert dataset(folder, CALL).classes == 5


def test_a_header_that_promises_gigabytes_is_refused_before_memory_is_taken(folder: Path):
    large = struct.pack(">BBBB3I", 0, 0, 0x0E, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)
    for content in (large, gzip.compress(large)):
        (folder / "images").write_bytes(content)
        code, message = refusal(folder, CALL)
        assert code == "CIM450"
        assert "more than there can be" in message


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 60), place=st.integers(0, 2423), value=st.integers(0, 255), is_gzip=st.booleans())
def test_any_damage_is_a_diagnostic_or_harmless(tmp_path_factory, cut: int, place: int, value: int, is_gzip: bool):
    folder = tmp_path_factory.getbasetemp()
    content = bytearray(gzip.compress(idx(IMAGES), mtime=0) if is_gzip else idx(IMAGES))
    content[place % len(content)] = value
    (folder / "images").write_bytes(bytes(content[: len(content) - cut]))
    (folder / "labels").write_bytes(idx(LABELS))
    assert codes(folder, CALL) <= {"CIM450", "CIM451", "CIM453", "CIM454"}
