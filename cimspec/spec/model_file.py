"""A network in a file of its own, as a `.cim` file names it: `model m = onnx("m.onnx", input = 3 x 224 x 224)`; and
weights in one, `weights = "m.safetensors"`, for a network that the `.cim` file describes.

Files are not read here, only named: by a digest of what they hold, so that another network gives another spec.
"""

import hashlib
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cimspec.spec.base import NamedFile, SpecModel, sha256_of
from cimspec.spec.operations import Size

LOCATION = re.compile(rb"\n\x08location\x12([\x01-\x7f])")
"""In a protobuf message, the entry of a tensor that says which file its data is in: a key, then the path's length."""


class OnnxFile(NamedFile):
    """An ONNX file. Its digest covers the files beside it that hold its weights."""

    @classmethod
    def digest(cls, path: Path) -> str:
        """sha256 of the file and of those below its folder that it names, in the order of their names."""
        parts = [sha256_of(part) for part in _weight_files(path)]
        content = sha256_of(path)
        return hashlib.sha256(" ".join([content, *parts]).encode()).hexdigest() if parts else content


class WeightsFile(NamedFile):
    """Weights by the names of layers: a safetensors file, or a state dict that torch saved."""

    SUFFIXES: ClassVar[tuple[str, ...]] = (".safetensors", ".pt", ".pth")

    @property
    def is_safetensors(self) -> bool:
        """Whether it is a safetensors file; else torch wrote it."""
        return self.path.suffix == ".safetensors"


class OnnxSource(SpecModel):
    """`onnx("m.onnx", input = 3 x 224 x 224, signed = false)`."""

    kind: Literal["onnx"] = "onnx"
    file: OnnxFile = Field(description="path of the ONNX file")
    input: Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)] | None = Field(
        default=None, description="sizes of the input without the batch, where the file leaves them open"
    )
    signed: bool = Field(default=True, description="whether input values can be negative")


class OnnxModelSpec(SpecModel):
    """A network with its weights, from a file."""

    name: str = Field(description="the word after `model`")
    source: OnnxSource = Field(description="the file that it comes from")


def _weight_files(path: Path) -> Iterator[Path]:
    """Files below the folder of an ONNX file that it says its weights are in. Others are refused when it is read."""
    folder = path.resolve().parent
    for location in sorted(_locations(path)):
        try:
            part = (folder / location).resolve()
            if part.is_relative_to(folder) and part.is_file():
                yield part
        except (OSError, ValueError, RuntimeError):
            continue


def _locations(path: Path) -> set[str]:
    if path.stat().st_size == 0:
        return set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = {content[match.end() : match.end() + match.group(1)[0]] for match in LOCATION.finditer(content)}
    return {location.decode("utf-8", "replace") for location in found}
