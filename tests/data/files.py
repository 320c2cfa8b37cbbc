"""Writes data files byte by byte, as their formats say, and loads what a `.cim` file makes of them."""

import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np

from cimspec.data.dataset import Dataset
from cimspec.data.load import load_data
from cimspec.diag import CimError, Diagnostic
from cimspec.spec import load
from tests.spec.conftest import CHIP, MODEL

IDX_TYPES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def dataset(folder: Path, call: str) -> Dataset:
    """The data of `data d = call`, written in a file of `folder`."""
    (folder / "main.cim").write_text(f"{CHIP}{MODEL}data d = {call}\n", encoding="utf-8")
    data = load(folder / "main.cim").spec.data
    assert data
    return load_data(data)


def finding(folder: Path, call: str) -> Diagnostic:
    """The only thing that is wrong with `data d = call`."""
    try:
        dataset(folder, call)
    except CimError as error:
        (found,) = error.diagnostics
        return found
    raise AssertionError("nothing was found")


def refusal(folder: Path, call: str) -> tuple[str, str]:
    """Code and message of the only thing that is wrong, files named from `folder`."""
    found = finding(folder, call)
    return found.code, found.message.replace(f"{folder}/", "")


def codes(folder: Path, call: str) -> set[str]:
    """Codes of all that is wrong."""
    try:
        dataset(folder, call)
    except CimError as error:
        return {found.code for found in error.diagnostics}
    return set()


def idx(array: np.ndarray) -> bytes:
    """An array in MNIST's format: magic number, sizes, values, all big-endian."""
    header = bytes([0, 0, IDX_TYPES[array.dtype.str[1:]], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def python2_batch(pixels: np.ndarray, **labels: list[int]) -> bytes:
    """A dict as Python 2's cPickle (protocol 2) wrote it into CIFAR's archives: texts are bytes, `U` and `T`.

    Comments name the instructions as `pickletools` does.
    """

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value

    rows, columns = pixels.shape
    out = b"\x80\x02}q\x01("  # PROTO 2, EMPTY_DICT, BINPUT, MARK
    out += text(b"batch_label") + b"q\x02" + text(b"training batch 1 of 5") + b"q\x03"
    for key, values in labels.items():
        items = b"".join(b"K" + bytes([value]) for value in values)  # BININT1
        out += text(key.encode()) + b"]q\x04(" + items + b"e"  # EMPTY_LIST, MARK, APPENDS
    out += text(b"data") + b"cnumpy.core.multiarray\n_reconstruct\nq\x05"  # GLOBAL
    out += b"cnumpy\nndarray\nq\x06K\x00\x85" + text(b"b") + b"\x87Rq\x07"  # BININT1, TUPLE1, TUPLE3, REDUCE
    out += b"(K\x01M" + struct.pack("<H", rows) + b"M" + struct.pack("<H", columns) + b"\x86"  # BININT2, TUPLE2
    out += b"cnumpy\ndtype\nq\x08" + text(b"u1") + b"K\x00K\x01\x87Rq\x09"
    out += b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"  # NONE, BININT, TUPLE, BUILD
    out += b"\x89" + text(pixels.tobytes()) + b"tb"  # NEWFALSE
    return out + b"u."  # SETITEMS, STOP


def python3_batch(pixels: np.ndarray, **labels: list[int]) -> bytes:
    """The same dict as Python 3 writes it."""
    content = {b"data": pixels, **{key.encode(): values for key, values in labels.items()}}
    return pickle.dumps(content, protocol=2)


def tar(**files: bytes) -> bytes:
    """A tar archive of a folder with these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()
