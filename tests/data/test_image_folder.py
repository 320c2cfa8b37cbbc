"""Images in folders, written by Pillow."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.files import codes, dataset, refusal

Image = pytest.importorskip("PIL.Image")

RNG = np.random.default_rng(4)
CALL = 'folder("photos")'


def picture(folder: Path, name: str, height: int = 6, width: int = 8, mode: str = "L", **options) -> None:
    path = folder / "photos" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    Image.fromarray(RNG.integers(0, 256, shape, np.uint8)).save(path, **options)


def fill(folder: Path, *names: str, count: int = 10, **options) -> None:
    for name in names:
        for number in range(count):
            picture(folder, f"{name}/{number}.png", **options)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int) -> bytes:
    """A grey PNG that claims to have this size, and no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_classes_are_folders_in_the_order_of_their_names(tmp_path: Path):
    fill(tmp_path, "zebra", "ant", "cat")
    data = dataset(tmp_path, CALL)
    assert [len(split) for _, split in data.splits] == [18, 6, 6]
    assert data.image_shape == (1, 6, 8)
    assert data.classes == 3
    pixels = np.asarray(Image.open(tmp_path / "photos/zebra/3.png")) / np.float32(255)
    found = [
        int(label)
        for _, split in data.splits
        for image, label in zip(split.images, split.labels, strict=True)
        if (image[0] == pixels).all()
    ]
    assert found == [2]


def test_parts_of_their_own(tmp_path: Path):
    fill(tmp_path, "train/a", "train/b", "val/a", "val/b", count=6)
    fill(tmp_path, "test/b", count=3)
    data = dataset(tmp_path, CALL)
    assert [len(split) for _, split in data.splits] == [12, 12, 3]
    assert data.test.labels.tolist() == [1, 1, 1]


def test_colours_are_those_of_the_first_image_or_as_written(tmp_path: Path):
    fill(tmp_path, "a", "b", mode="RGB")
    assert dataset(tmp_path, CALL).image_shape == (3, 6, 8)
    assert dataset(tmp_path, f"{CALL[:-1]}, color = gray)").image_shape == (1, 6, 8)
    picture(tmp_path, "b/grey.jpg", quality=90)
    assert refusal(tmp_path, CALL) == ("CIM459", "`photos/b/grey.jpg` is gray, the first image is rgb")
    assert dataset(tmp_path, f"{CALL[:-1]}, color = rgb)").image_shape == (3, 6, 8)


def test_images_of_several_sizes_need_one(tmp_path: Path):
    fill(tmp_path, "a", "b")
    picture(tmp_path, "b/wide.png", 6, 9)
    assert refusal(tmp_path, CALL) == ("CIM459", "images of `photos` are 6 x 8, `b/wide.png` is 6 x 9")
    assert dataset(tmp_path, f"{CALL[:-1]}, resize = 4)").image_shape == (1, 4, 4)
    assert dataset(tmp_path, f"{CALL[:-1]}, crop = 6 x 8)").image_shape == (1, 6, 8)


def test_only_images_that_are_used_are_decoded(tmp_path: Path):
    fill(tmp_path, "a", count=60)
    data = dataset(tmp_path, f"{CALL[:-1]}, limit = 30)")
    used = {image.tobytes() for _, split in data.splits for image in split.images}
    assert len(used) == 30
    for number in range(60):
        path = tmp_path / f"photos/a/{number}.png"
        if (np.asarray(Image.open(path)) / np.float32(255)).tobytes() not in used:
            path.write_bytes(path.read_bytes()[:40])  # size and colours of the first are looked at in any case
    assert dataset(tmp_path, f"{CALL[:-1]}, limit = 30)").digest == data.digest


def test_what_is_no_image_is_left_alone(tmp_path: Path):
    fill(tmp_path, "a", "b")
    (tmp_path / "photos" / "a" / "notes.txt").write_text("no image")
    (tmp_path / "photos" / "a" / ".hidden.png").write_bytes(b"no image")
    (tmp_path / "photos" / "readme.png").write_bytes(b"no image")
    assert sum(len(split) for _, split in dataset(tmp_path, CALL).splits) == 20


def test_what_is_wrong(tmp_path: Path):
    photos = tmp_path / "photos"
    photos.mkdir()
    assert refusal(tmp_path, CALL) == ("CIM452", "`photos` has no folder with images")
    fill(tmp_path, "a", "b")
    (photos / "c").mkdir()
    assert refusal(tmp_path, CALL) == ("CIM452", "class `c` has no image in `photos`")
    (photos / "c").rmdir()
    (photos / "a" / "1.png").write_bytes(b"GIF89a")
    assert refusal(tmp_path, CALL) == ("CIM450", "`photos/a/1.png` is no PNG or JPEG image, or damaged")
    (photos / "a" / "1.png").write_bytes(png(30_000, 29_000))
    code, message = refusal(tmp_path, CALL)
    assert (code, message.startswith("`photos/a/1.png` has more than ")) == ("CIM451", True)
    (photos / "a" / "1.png").write_bytes(png(8, 6))
    assert refusal(tmp_path, CALL)[0] == "CIM450"
    Image.fromarray(np.zeros((6, 8), np.uint16)).save(photos / "a" / "1.png")
    assert refusal(tmp_path, CALL) == ("CIM450", "`photos/a/1.png` has more than 8 bits for a pixel")


def test_a_class_that_only_the_test_folder_has(tmp_path: Path):
    fill(tmp_path, "train/a", "train/b", "test/a", "test/c")
    assert refusal(tmp_path, CALL) == ("CIM452", "class `c` has no image in `photos/train`")


def test_links_that_lead_outside_are_not_followed(tmp_path: Path):
    fill(tmp_path, "a", "b")
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "photos" / "b" / "0.png").rename(outside / "0.png")
    (tmp_path / "photos" / "b" / "0.png").symlink_to(outside / "0.png")
    (tmp_path / "photos" / "c").symlink_to(outside)
    (tmp_path / "photos" / "b" / "again.png").symlink_to("1.png")
    (tmp_path / "photos" / "b" / "loop.png").symlink_to("loop.png")
    data = dataset(tmp_path, CALL)
    assert data.classes == 2
    assert sum(len(split) for _, split in data.splits) == 20  # 20, less the one outside, and one of them twice


@settings(max_examples=60, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=3),
    end=st.one_of(st.none(), st.integers(0, 400)),
    form=st.sampled_from(["png", "jpeg"]),
)
def test_any_damage_is_a_diagnostic_or_harmless(tmp_path_factory, changes, end: int | None, form: str):
    folder = tmp_path_factory.getbasetemp() / "damaged"
    out = io.BytesIO()
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(out, form)
    content = bytearray(out.getvalue())
    for place, value in changes:
        content[place % len(content)] = value
    (folder / "photos" / "a").mkdir(parents=True, exist_ok=True)
    (folder / "photos" / "a" / "1.png").write_bytes(bytes(content[:end]))
    assert codes(folder, f"{CALL[:-1]}, resize = 4, color = gray)") <= {"CIM450", "CIM451", "CIM457"}
