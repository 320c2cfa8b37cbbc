"""CIFAR-10 and CIFAR-100, both versions. Records are written here byte by byte."""

import contextlib
import gzip
import pickle
import pickletools
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.data.python_pickle import taken_apart
from tests.data.files import codes, dataset, finding, python2_batch, python3_batch, refusal, tar

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (40, 3072), np.uint8)
LABELS = (np.arange(40) % 10).astype(np.uint8)
TOUCHED: list[str] = []


def touch(word: str) -> None:
    TOUCHED.append(word)


class Trap:
    def __reduce__(self):
        return touch, ("executed",)


def binary(*labels: np.ndarray) -> bytes:
    """Records: one byte for each label, then red, green and blue planes of 32 x 32."""
    return b"".join(
        bytes(int(label[index]) for label in labels) + PIXELS[index].tobytes() for index in range(len(PIXELS))
    )


def write(folder: Path, **files: bytes) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("_bin", ".bin")).write_bytes(content)


def test_binary_batches(tmp_path: Path):
    batch = binary(LABELS)
    assert len(batch) == 40 * 3073
    write(tmp_path / "c", data_batch_1_bin=batch, data_batch_2_bin=batch, test_batch_bin=batch)
    data = dataset(tmp_path, 'cifar("c")')
    assert [len(split) for _, split in data.splits] == [64, 16, 40]  # 20 % of 80
    assert data.image_shape == (3, 32, 32)
    first = np.flatnonzero((data.test.images == PIXELS[7].reshape(3, 32, 32) / np.float32(255)).all((1, 2, 3)))
    assert data.test.labels[first].tolist() == [7]


@pytest.mark.parametrize("write_batch", [python2_batch, python3_batch])
def test_pickled_batches_hold_the_same(tmp_path: Path, write_batch):
    write(tmp_path / "b", data_batch_1_bin=binary(LABELS), test_batch_bin=binary(LABELS[::-1]))
    batch = write_batch(PIXELS, labels=LABELS.tolist())
    test = write_batch(PIXELS, labels=LABELS[::-1].tolist())
    write(tmp_path / "p", data_batch_1=batch, test_batch=test)
    assert dataset(tmp_path, 'cifar("p")').digest == dataset(tmp_path, 'cifar("b")').digest


def test_the_pickles_written_here_are_what_python_reads():
    content = python2_batch(PIXELS, labels=LABELS.tolist())
    batch = pickle.loads(content, encoding="bytes")
    np.testing.assert_array_equal(batch[b"data"], PIXELS)
    assert batch[b"labels"] == LABELS.tolist()


def test_archives_hold_the_same_as_folders(tmp_path: Path):
    batches = {name: python2_batch(PIXELS, labels=LABELS.tolist()) for name in ("data_batch_1", "test_batch")}
    write(tmp_path / "cifar-10-batches-py", **batches)
    archive = tar(readme=b"x" * 1000, **batches)
    (tmp_path / "c.tar").write_bytes(archive)
    (tmp_path / "c.tar.gz").write_bytes(gzip.compress(archive))
    digests = {
        dataset(tmp_path, f'cifar("{name}")').digest for name in (".", "c.tar", "c.tar.gz", "cifar-10-batches-py")
    }
    assert len(digests) == 1


def test_cifar_100_has_two_sets_of_labels(tmp_path: Path):
    coarse = LABELS // 5
    write(tmp_path / "b", train_bin=binary(coarse, LABELS), test_bin=binary(coarse, LABELS))
    batch = python2_batch(PIXELS, fine_labels=LABELS.tolist(), coarse_labels=coarse.tolist())
    write(tmp_path / "p", train=batch, test=batch)
    for name in ("b", "p"):
        assert dataset(tmp_path, f'cifar("{name}")').classes == 10
        assert dataset(tmp_path, f'cifar("{name}", labels = coarse)').classes == 2


def test_what_is_wrong(tmp_path: Path):
    folder = tmp_path / "c"
    write(folder, note_txt=b"")
    assert refusal(tmp_path, 'cifar("c")') == ("CIM452", "`c` holds no batch of CIFAR-10 or CIFAR-100")
    write(folder, test_batch_bin=binary(LABELS))
    assert refusal(tmp_path, 'cifar("c")') == ("CIM452", "`c` holds no batch to train on")
    write(folder, data_batch_1_bin=binary(LABELS)[:-1])
    message = "`c: data_batch_1.bin` has 122919 bytes, not records of 3073"
    assert refusal(tmp_path, 'cifar("c")') == ("CIM450", message)
    write(folder, data_batch_1_bin=binary(LABELS))
    assert refusal(tmp_path, 'cifar("c", labels = coarse)') == ("CIM459", "CIFAR-10 has no coarse labels")
    (tmp_path / "a.tar").write_bytes(b"no archive")
    assert refusal(tmp_path, 'cifar("a.tar")') == ("CIM450", "`a.tar` is no archive of CIFAR, or damaged")


@pytest.mark.parametrize(
    "content",
    [
        {"data": PIXELS, "labels": Trap()},
        {"data": Trap(), "labels": LABELS.tolist()},
        {Trap(): 1},
        [Trap()],
        {"data": PIXELS[:3], "labels": LABELS.tolist()},
        {"data": PIXELS.astype(np.int16), "labels": LABELS.tolist()},
        {"data": PIXELS, "labels": [0.5] * 40},
        {"data": PIXELS, "labels": [10**30] * 40},
        {"data": PIXELS.tolist(), "labels": LABELS.tolist()},
        {"labels": LABELS.tolist()},
        None,
    ],
)
@pytest.mark.parametrize("protocol", range(6))
def test_other_pickles_are_refused_and_none_is_executed(tmp_path: Path, content, protocol: int):
    write(tmp_path / "c", data_batch_1=pickle.dumps(content, protocol))
    assert finding(tmp_path, 'cifar("c")').code == "CIM450"
    assert TOUCHED == []


def test_a_trap_beside_good_data_is_not_executed(tmp_path: Path):
    content = {"data": PIXELS, "labels": LABELS.tolist(), "batch_label": Trap()}
    write(tmp_path / "c", data_batch_1=pickle.dumps(content, 2))
    assert sum(len(split) for _, split in dataset(tmp_path, 'cifar("c")').splits) == 40
    assert TOUCHED == []
    pickle.loads(pickle.dumps(content, 2))  # the trap works
    assert TOUCHED.pop() == "executed"


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        max_leaves=10,
    ),
    st.integers(3, 4),
)
def test_plain_values_are_taken_apart_as_python_does(value, protocol: int):
    assert taken_apart(pickle.dumps(value, protocol)) == value


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([opcode.code for opcode in pickletools.opcodes]), max_size=12), st.binary(max_size=8))
def test_any_instructions_give_a_value_or_a_value_error(instructions: list[str], argument: bytes):
    content = b"".join(each.encode("latin-1") + argument for each in instructions)
    with contextlib.suppress(ValueError):
        taken_apart(content)


@settings(max_examples=100, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=3),
    kind=st.sampled_from(["tar", "tar.gz", "pickle"]),
    end=st.one_of(st.none(), st.integers(0, 10_000)),
)
def test_any_damage_is_a_diagnostic_or_harmless(tmp_path_factory, changes, kind: str, end: int | None):
    folder = tmp_path_factory.getbasetemp()
    batch = python2_batch(PIXELS[:3], labels=LABELS[:3].tolist())
    content = bytearray(batch if kind == "pickle" else tar(data_batch_1=batch))
    if kind == "tar.gz":
        content = bytearray(gzip.compress(bytes(content), mtime=0))
    for place, value in changes:
        content[place % len(content)] = value
    write(folder / "damaged", data_batch_1=bytes(content[:end]))
    call = 'cifar("damaged")' if kind == "pickle" else 'cifar("damaged/data_batch_1")'
    assert codes(folder, call) <= {"CIM450", "CIM451", "CIM452", "CIM457"}


def test_an_archive_that_claims_to_be_huge_is_refused(tmp_path: Path):
    member = tarfile.TarInfo("cifar/data_batch_1")
    member.size = 4_100_000_000
    (tmp_path / "a.tar").write_bytes(member.tobuf(tarfile.USTAR_FORMAT))
    assert refusal(tmp_path, 'cifar("a.tar")') == ("CIM451", "`a.tar` holds 4.1 GB, more than 4 GB")
