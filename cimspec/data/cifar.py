"""CIFAR-10 and CIFAR-100 as their authors publish them: `cifar(...)` -> arrays.

Binary version: records of one label (CIFAR-100: coarse, then fine label) and 3072 bytes, red, green and blue planes of
32 x 32. Python version: pickled dicts with `data` [images, 3072] and `labels` (`fine_labels`, `coarse_labels`), which
are taken apart without being executed. Format: https://www.cs.toronto.edu/~kriz/cifar.html. Batches lie in a folder, or
in a tar archive, compressed or not.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from cimspec.data.dataset import Labels
from cimspec.data.pictures import ArrayPictures, Part, Parts
from cimspec.data.python_pickle import Call, Name, taken_apart
from cimspec.data.reading import Bytes, admit, damaged, opened, read_exactly, reading
from cimspec.diag import fail
from cimspec.spec.data_files import CIFAR_BATCH, CifarFiles, cifar_batches
from cimspec.spec.data_source import CifarData, LabelSet

SHAPE = (3, 32, 32)
PIXELS = 3072
TESTS = ("test", "test_batch")
TAR_BLOCK = 512
PLAIN_FILE = (b"0", b"\0")  # types of a tar archive's members

Batch = tuple[Bytes, Labels]  # [images, 3, 32, 32], [images]


def cifar_parts(source: CifarData) -> Parts:
    """Training and test batches. Raises CIM111, CIM450 to CIM452, and CIM459 for coarse labels of CIFAR-10."""
    shown = source.files.shown
    contents = _contents(source.files)
    binary = {name: content for name, content in contents.items() if name.endswith(".bin")}
    batches = {
        name: _batch(content, name, f"{shown}: {name}", source.labels) for name, content in (binary or contents).items()
    }
    if not batches:
        fail(
            "CIM452",
            f"`{shown}` holds no batch of CIFAR-10 or CIFAR-100",
            help="name the authors' archive, or the folder that it unpacks to",
        )
    tests = [name for name in batches if name.removesuffix(".bin") in TESTS]
    train = [batch for name, batch in batches.items() if name not in tests]
    if not train:
        fail("CIM452", f"`{shown}` holds no batch to train on", help="get the files again")
    return Parts(_part(shown, train), test=_part(shown, [batches[name] for name in tests]) if tests else None)


def _part(shown: str, batches: Iterable[Batch]) -> Part:
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return Part(ArrayPictures(shown, images), labels)


def _contents(files: CifarFiles) -> Mapping[str, bytes]:
    """What batches hold, by their names, in the order of these. Raises CIM111, CIM450 and CIM451."""
    with reading(files.shown, "archive of CIFAR"):
        if not files.path.is_dir():
            with opened(files.path) as (stream, _):
                found = dict(_members(stream, files.shown))
        else:
            paths = cifar_batches(files.path)
            admit(sum(path.stat().st_size for path in paths.values()), files.shown)
            found = {name: Path(path).read_bytes() for name, path in paths.items()}
    return dict(sorted(found.items()))


def _members(stream: BinaryIO, shown: str) -> Iterable[tuple[str, bytes]]:
    """The batches in a tar archive: name without folders, content.

    Python's `tarfile` takes as much memory as a header says; this reads what it needs of the format (POSIX ustar).
    """
    total = 0
    while (header := stream.read(TAR_BLOCK)).strip(b"\0"):
        if len(header) < TAR_BLOCK or header[257:262] != b"ustar":
            damaged(shown, "is no archive of CIFAR, or damaged", help="get the file again")
        size = int(header[124:136].strip(b" \0") or b"0", 8)
        total += size
        admit(total, shown)
        name = PurePosixPath(header[:100].split(b"\0")[0].decode("utf-8", "replace")).name
        padding = -size % TAR_BLOCK
        if header[156:157] in PLAIN_FILE and CIFAR_BATCH.fullmatch(name):
            yield name, read_exactly(stream, size, f"{shown}: {name}").tobytes()
            stream.seek(padding, 1)
        else:
            stream.seek(size + padding, 1)


def _batch(content: bytes, name: str, shown: str, labels: LabelSet) -> Batch:
    is_hundred = name.removesuffix(".bin") in ("train", "test")
    if labels is LabelSet.COARSE and not is_hundred:
        fail("CIM459", "CIFAR-10 has no coarse labels", help="remove `labels = coarse`")
    if name.endswith(".bin"):
        return _binary_batch(content, shown, is_hundred, labels)
    return _pickled_batch(content, shown, f"{labels.value}_labels" if is_hundred else "labels")


def _binary_batch(content: bytes, shown: str, is_hundred: bool, labels: LabelSet) -> Batch:
    width = PIXELS + 1 + is_hundred
    if len(content) % width or not content:
        damaged(shown, f"has {len(content)} bytes, not records of {width}", help="get the file again")
    records = np.frombuffer(content, np.uint8).reshape(-1, width)
    column = 1 if is_hundred and labels is LabelSet.FINE else 0
    return records[:, -PIXELS:].reshape(-1, *SHAPE), records[:, column].astype(np.int64)


def _pickled_batch(content: bytes, shown: str, key: str) -> Batch:
    with reading(shown, "batch of CIFAR"):
        batch = taken_apart(content)
        if not isinstance(batch, dict):
            raise ValueError("no dict")
        named = {text(each): value for each, value in batch.items()}
        labels, pixels = named[key], array_of_bytes(named["data"])
        if not isinstance(labels, list) or not all(type(label) is int and 0 <= label < 256 for label in labels):
            raise ValueError("labels are no list of small numbers")
        if pixels.shape != (len(labels), PIXELS):
            raise ValueError("images and labels do not match")
    return pixels.reshape(-1, *SHAPE), np.array(labels, np.int64)


def array_of_bytes(value: Any) -> npt.NDArray[np.uint8]:
    """A pickled numpy array of bytes, from what its pickle says. Raises ValueError if it is something else."""
    match value:
        case Call(
            function=Name(module="numpy.core.multiarray" | "numpy._core.multiarray", name="_reconstruct"),
            state=(
                _,
                tuple() as shape,
                Call(function=Name(module="numpy", name="dtype"), arguments=(kind, *_)),
                _,
                raw,
            ),
        ) if text(kind) in ("u1", "|u1") and value.state[3] in (False, 0):
            return np.frombuffer(as_bytes(raw), np.uint8).reshape(shape)
    raise ValueError("no array of bytes")


def as_bytes(value: Any) -> bytes:
    """Bytes as Python 2 or Python 3 pickles them. Raises ValueError if it is something else."""
    match value:
        case bytes():
            return value
        case str():  # of Python 2, whose texts are bytes
            return value.encode("latin-1")
    raise ValueError("no bytes")


def text(value: Any) -> str:
    """A name as Python 2 or Python 3 pickles it. Raises ValueError if it is something else."""
    return value if isinstance(value, str) else as_bytes(value).decode("latin-1")
