"""MNIST's file format: `idx(...)` -> arrays.

Two zero bytes, a byte for the type, one for the number of axes, their sizes as big-endian 32-bit numbers, then the
values, big-endian, the last axis fastest (http://yann.lecun.com/exdb/mnist/). Files may be compressed with gzip.
"""

import math
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.data.pictures import Part, Parts, array_part
from cimspec.data.reading import admit, damaged, opened, read_exactly, reading
from cimspec.spec.base import NamedFile
from cimspec.spec.data_source import IdxData

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_AXES = 4


def idx_parts(source: IdxData) -> Parts:
    """The training part, and the test part if the source names one. Raises CIM111 and CIM450 to CIM454."""
    train = _part(source.images, source.labels, source)
    if source.test_images is None or source.test_labels is None:
        return Parts(train)
    return Parts(train, test=_part(source.test_images, source.test_labels, source))


def _part(images: NamedFile, labels: NamedFile, source: IdxData) -> Part:
    return array_part(read_idx(images), images.shown, read_idx(labels), labels.shown, source.layout)


def read_idx(file: NamedFile) -> npt.NDArray[Any]:
    """The array in an idx file. Raises CIM450 if it is none, CIM451 if it is too large."""
    with reading(file.shown, "idx file"), opened(file.path) as (stream, most):
        start = stream.read(4)
        if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in TYPES or not 1 <= start[3] <= MAX_AXES:
            damaged(file.shown, "is no idx file", help="an idx file starts with 0, 0, a type and the number of axes")
        dtype, axes = np.dtype(TYPES[start[2]]), start[3]
        sizes = stream.read(4 * axes)
        if len(sizes) < 4 * axes:
            damaged(file.shown, "ends within its header", help="get the file again")
        shape = struct.unpack(f">{axes}I", sizes)
        size = math.prod(shape) * dtype.itemsize
        if size > most:
            damaged(file.shown, f"says that it holds {size} bytes, more than there can be", help="get the file again")
        admit(size, file.shown)
        content = read_exactly(stream, size, file.shown)
        if stream.read(1):
            damaged(file.shown, f"holds more than the {size} bytes that its header says")
    return content.view(dtype).reshape(shape)
