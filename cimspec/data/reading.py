"""Reads files that strangers wrote: sizes are checked before memory is taken, and what is wrong is a diagnostic."""

import gzip
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

import numpy as np
import numpy.typing as npt

from cimspec.diag import fail

MAX_BYTES = 4_000_000_000
"""Of the arrays of one file, and of all images of a data set as float32."""

DEFLATE_RATIO = 1032
"""A deflate stream expands to at most this many times its size (zlib, "technical details")."""

CHUNK = 1 << 22
GZIP_MAGIC = b"\x1f\x8b"
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, EOFError),
    *(ValueError, TypeError, RuntimeError, ArithmeticError, LookupError, SyntaxError),
)
"""What the standard library and numpy raise when a file is not what it says it is."""

Bytes = npt.NDArray[np.uint8]


def damaged(shown: str, why: str, help: str | None = None) -> NoReturn:  # noqa: A002
    """Raise CIM450 about the file that is `shown` so."""
    fail("CIM450", f"`{shown}` {why}", help=help)


@contextmanager
def reading(shown: str, what: str) -> Iterator[None]:
    """Turns what a library raises about a file into CIM450, and what the file system raises into CIM111."""
    try:
        yield
    except MemoryError:
        fail("CIM451", f"`{shown}` does not fit into the memory of this machine")
    except OSError as error:
        if error.errno is None:  # raised by a library, not by the file system
            damaged(shown, f"is no {what}, or damaged")
        fail("CIM111", f"`{shown}` cannot be read: {(error.strerror or str(error)).lower()}")
    except DAMAGED:
        damaged(shown, f"is no {what}, or damaged")


def admit(size: int, shown: str) -> None:
    """Raise CIM451 if arrays of `size` bytes are too many to read."""
    if size > MAX_BYTES:
        fail("CIM451", f"`{shown}` holds {size / 1e9:.1f} GB, more than {MAX_BYTES / 1e9:.0f} GB")


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A file, decompressed if it is gzip, and the most bytes that can be in it."""
    with path.open("rb") as file:
        is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        size = os.fstat(file.fileno()).st_size
        if not is_gzip:
            yield file, size
            return
        with gzip.GzipFile(fileobj=file) as stream:
            yield cast(BinaryIO, stream), size * DEFLATE_RATIO


def read_exactly(stream: BinaryIO, size: int, shown: str) -> Bytes:
    """The next `size` bytes. Raises CIM450 if there are fewer; memory is taken as they come in."""
    content = np.empty(size, np.uint8)
    done = 0
    while done < size:
        part = stream.read(min(CHUNK, size - done))
        if not part:
            damaged(shown, f"ends after {done} of {size} bytes", help="get the file again")
        content[done : done + len(part)] = np.frombuffer(part, np.uint8)
        done += len(part)
    return content
