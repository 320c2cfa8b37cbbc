"""Archives as `numpy.savez` writes them, with the names that Keras, MedMNIST and people use."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.files import codes, dataset, finding, refusal

RNG = np.random.default_rng(2)
LABELS = np.arange(100) % 4
IMAGES = RNG.integers(0, 256, (100, 5, 5), np.uint8)
CALL = 'npz("d.npz")'
TOUCHED: list[str] = []


def touch(word: str) -> None:
    TOUCHED.append(word)


class Trap:
    """Leaves a trace where it is unpickled."""

    def __reduce__(self):
        return touch, ("executed",)


def sizes(folder: Path, call: str = CALL) -> list[int]:
    return [len(split) for _, split in dataset(folder, call).splits]


def test_images_and_labels(tmp_path: Path):
    np.savez(tmp_path / "d.npz", images=IMAGES, labels=LABELS)
    assert sizes(tmp_path) == [60, 20, 20]
    assert sizes(tmp_path, 'npz("d.npz", validation = 5 %, test = 30 %)') == [65, 5, 30]
    np.savez_compressed(tmp_path / "e.npz", images=IMAGES, labels=LABELS)
    assert dataset(tmp_path, 'npz("e.npz")').digest == dataset(tmp_path, CALL).digest


def test_the_names_of_keras(tmp_path: Path):
    np.savez(tmp_path / "d.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:30], y_test=LABELS[:30])
    assert sizes(tmp_path) == [80, 20, 30]


def test_the_names_of_medmnist(tmp_path: Path):
    labels = LABELS[:, np.newaxis].astype(np.uint8)  # [images, 1]
    arrays = {f"{part}_images": IMAGES for part in ("train", "val", "test")}
    np.savez(tmp_path / "d.npz", **arrays, **{f"{part}_labels": labels for part in ("train", "val", "test")})
    assert sizes(tmp_path) == [100, 100, 100]
    assert refusal(tmp_path, 'npz("d.npz", validation = 5 %)')[0] == "CIM459"


def test_layouts_hold_the_same_images(tmp_path: Path):
    images = RNG.random((100, 3, 4, 6), np.float32)
    np.savez(tmp_path / "nchw.npz", images=images, labels=LABELS)
    np.savez(tmp_path / "nhwc.npz", images=images.transpose(0, 2, 3, 1).copy(), labels=LABELS)
    np.savez(tmp_path / "fortran.npz", images=np.asfortranarray(images), labels=LABELS)
    first = dataset(tmp_path, 'npz("nchw.npz")')
    assert first.image_shape == (3, 4, 6)
    assert first.digest == dataset(tmp_path, 'npz("nhwc.npz", layout = nhwc)').digest
    assert first.digest == dataset(tmp_path, 'npz("fortran.npz", layout = nchw)').digest
    assert all(split.images.flags.c_contiguous and split.images.dtype == np.float32 for _, split in first.splits)


def test_pixels_that_are_no_numbers_are_named_by_their_place_in_the_file(tmp_path: Path):
    images = IMAGES.astype(np.float64)
    images[[70, 33], 2, 2] = np.nan, 1e300  # too large for float32
    np.savez(tmp_path / "d.npz", x_train=images, y_train=LABELS, x_test=IMAGES, y_test=LABELS)
    code, message = refusal(tmp_path, 'npz("d.npz", validation = 1 %)')
    assert code == "CIM456"
    assert message == "2 training images of `d.npz: x_train` hold NaN or infinite values; the first is image 33"


@pytest.mark.parametrize(
    ("arrays", "code", "message"),
    [
        ({}, "CIM452", "`d.npz` has no images with labels"),
        ({"pixels": IMAGES, "target": LABELS}, "CIM452", "`d.npz` has no images with labels"),
        ({"images": IMAGES}, "CIM452", "`d.npz` has `images`, but no `labels`"),
        ({"images": IMAGES, "labels": LABELS, "y_test": LABELS}, "CIM452", "`d.npz` has `y_test`, but no `x_test`"),
        (
            {"images": IMAGES, "labels": LABELS[:9]},
            "CIM453",
            "`d.npz: images` has 100 images, `d.npz: labels` has 9 labels",
        ),
        (
            {"images": IMAGES, "labels": LABELS.astype(str)},
            "CIM450",
            "`d.npz: labels` is an array of <U21, not of numbers",
        ),
        (
            {"images": IMAGES + 0j, "labels": LABELS},
            "CIM450",
            "`d.npz: images` is an array of complex128, not of numbers",
        ),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "CIM457", "the training split of `d` has no image, of 0 in all"),
        (
            {"images": IMAGES[:2], "labels": LABELS[:2]},
            "CIM457",
            "the validation split of `d` has no image, of 2 in all",
        ),
        (
            {"images": IMAGES, "labels": LABELS, "x_test": IMAGES[:, 1:], "y_test": LABELS},
            "CIM453",
            "test images of `d` are 1 x 4 x 5, training images 1 x 5 x 5",
        ),
        (
            {"images": IMAGES, "labels": LABELS.astype(np.uint64) + np.uint64(2**63)},
            "CIM454",
            "`d.npz: labels` has 100 labels that are no class numbers: label 0 is 9223372036854775808",
        ),
    ],
)
def test_what_is_wrong(tmp_path: Path, arrays: dict[str, np.ndarray], code: str, message: str):
    np.savez(tmp_path / "d.npz", **arrays)
    assert refusal(tmp_path, CALL) == (code, message)


def test_what_an_archive_holds_is_shown(tmp_path: Path):
    np.savez(tmp_path / "d.npz", pixels=IMAGES, target=LABELS)
    assert finding(tmp_path, CALL).notes == ("it holds `pixels`, `target`",)


def test_objects_are_not_unpickled(tmp_path: Path):
    trap = np.array([Trap()] * 100, dtype=object)
    np.savez(tmp_path / "d.npz", allow_pickle=True, images=IMAGES, labels=trap)
    assert refusal(tmp_path, CALL) == ("CIM450", "`d.npz: labels` is an array of object, not of numbers")
    assert TOUCHED == []
    pickle.loads(pickle.dumps(Trap()))  # the trap works
    assert TOUCHED.pop() == "executed"


def test_a_single_array_is_no_archive(tmp_path: Path):
    np.save(tmp_path / "d.npy", IMAGES)
    assert refusal(tmp_path, 'npz("d.npy")') == ("CIM450", "`d.npy` is no npz file, or damaged")


def array_file(shape: str, content: bytes, descr: str = "|u1") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


@pytest.mark.parametrize(
    "content",
    [
        array_file("(1000000000000, 5, 5)", b""),
        array_file("(-1, 5, 5)", b"\0" * 25),
        array_file("(2, 5, 5)", b"\0" * 49),
        array_file("(2, 5, 5)", b"\0" * 51),
        array_file("(2, 5, 5", b"\0" * 50),
        array_file("(" * 500, b"\0" * 50),
        array_file("(2, 5, 5)", b"\0" * 50, descr="O"),
        array_file("(2, 5, 5)", b"\0" * 50, descr="nothing"),
        b"\x93NUMPY\x09\x00",
        b"",
    ],
)
def test_headers_that_lie(tmp_path: Path, content: bytes):
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("images.npy", content)
        archive.writestr("labels.npy", array_file("(2,)", b"\0\1"))
    assert finding(tmp_path, CALL).code == "CIM450"


def test_members_that_unpack_to_more_than_4_gb_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    np.savez(tmp_path / "d.npz", images=IMAGES, labels=LABELS)
    monkeypatch.setattr("cimspec.data.reading.MAX_BYTES", 3000)
    assert refusal(tmp_path, CALL)[0] == "CIM451"  # 2500 bytes of images, 800 of labels, and headers


def test_a_member_whose_size_is_a_lie(tmp_path: Path):
    np.savez(tmp_path / "d.npz", images=IMAGES, labels=LABELS)
    content = (tmp_path / "d.npz").read_bytes()
    size = (2500 + 128).to_bytes(4, "little")  # values and numpy's header of 128 bytes
    assert content.count(size) >= 2
    (tmp_path / "d.npz").write_bytes(content.replace(size, (3_900_000_000).to_bytes(4, "little")))
    assert finding(tmp_path, CALL).code == "CIM450"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path: Path, method: int):
    with zipfile.ZipFile(tmp_path / "d.npz", "w", method) as archive:
        for name, array in (("images", IMAGES), ("labels", LABELS)):
            out = io.BytesIO()
            np.save(out, array)
            archive.writestr(f"{name}.npy", out.getvalue())
    assert finding(tmp_path, CALL).help == "save it with `numpy.savez_compressed`"


@settings(max_examples=80, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 4500), st.integers(0, 255)), min_size=1, max_size=4),
    end=st.one_of(st.none(), st.integers(0, 4500)),
    compressed=st.booleans(),
)
def test_any_damage_is_a_diagnostic_or_harmless(tmp_path_factory, changes, end, compressed):
    folder = tmp_path_factory.getbasetemp()
    save = np.savez_compressed if compressed else np.savez
    save(folder / "d.npz", images=IMAGES, labels=LABELS)
    content = bytearray((folder / "d.npz").read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    (folder / "d.npz").write_bytes(bytes(content[:end]))
    assert codes(folder, CALL) <= {"CIM450", "CIM451", "CIM452", "CIM453", "CIM454", "CIM457"}
