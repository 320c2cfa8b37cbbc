"""Tensors of an ONNX file: protobuf -> numpy. Data in other files is read from below the model's folder only."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cimspec.graph.onnx.node import Array

if TYPE_CHECKING:
    import onnx

MAX_EXTERNAL_BYTES = 4 << 30
"""Of all tensors with data of their own files together."""


class TensorError(Exception):
    """A tensor cannot be had; the message says why. `code` is that of the diagnostic."""

    def __init__(self, message: str, code: str = "CIM420") -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class TensorReader:
    """Reads tensors of one model; `folder` holds the file, and what it may refer to."""

    folder: Path | None  # None: a model in memory, which may refer to nothing
    external_bytes: int = field(default=0)

    def array(self, tensor: "onnx.TensorProto") -> Array:
        """The values. Raises `TensorError`."""
        from onnx import TensorProto, numpy_helper

        if any(size < 0 for size in tensor.dims):
            raise TensorError(f"tensor `{tensor.name}` has a size below 0")
        if tensor.data_location == TensorProto.EXTERNAL:
            data = self._external(tensor)
            tensor = _inside(tensor, data)
        try:
            array: Array = np.asarray(numpy_helper.to_array(tensor))
        except Exception as error:  # onnx raises what it likes on a wrong tensor
            raise TensorError(f"tensor `{tensor.name}` is damaged: {error}") from None
        return array

    def _external(self, tensor: "onnx.TensorProto") -> bytes:
        """The bytes of a tensor that are in another file."""
        entries: Mapping[str, str] = {
            entry.key: entry.value for entry in tensor.external_data if isinstance(entry.value, str)
        }
        location = entries.get("location", "")
        path = self._allowed(location)
        if path is None:
            message = f"tensor `{tensor.name}` is in `{location}`, which is not below the model's folder"
            raise TensorError(message, "CIM428")
        try:
            offset, length = int(entries.get("offset", "0")), entries.get("length")
            wanted = _bytes_of(tensor) if length is None else int(length)
        except ValueError:
            raise TensorError(f"tensor `{tensor.name}` is at an offset or of a length that is no number") from None
        if offset < 0 or wanted != _bytes_of(tensor):
            raise TensorError(f"tensor `{tensor.name}` takes {_bytes_of(tensor)} bytes, not {wanted} from {offset}")
        self.external_bytes += wanted
        if self.external_bytes > MAX_EXTERNAL_BYTES:
            raise TensorError(f"tensors in other files take more than {MAX_EXTERNAL_BYTES >> 30} GiB", "CIM428")
        try:
            if path.exists() and not path.is_file():
                raise OSError(0, "it is not a plain file")
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read(wanted)
        except OSError as error:
            reason = (error.strerror or "this is no file").lower()
            message = f"tensor `{tensor.name}` is in `{location}`, which cannot be read: {reason}"
            raise TensorError(message, "CIM428") from None
        if len(data) < wanted:
            raise TensorError(
                f"tensor `{tensor.name}` takes {wanted} bytes from {offset} of `{location}`, which ends before",
                "CIM428",
            )
        return data

    def _allowed(self, location: str) -> Path | None:
        """The file that a location names, if it is a plain one below the model's folder."""
        if self.folder is None or not location or "\0" in location or Path(location).is_absolute():
            return None
        if ".." in location.replace("\\", "/").split("/"):
            return None
        try:
            folder = self.folder.resolve()
            path = (folder / location).resolve()
        except (OSError, RuntimeError):
            return None
        return path if path.is_relative_to(folder) else None


def _bytes_of(tensor: "onnx.TensorProto") -> int:
    """Bytes that the values take in a file."""
    from onnx import helper

    try:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except (KeyError, TypeError):
        raise TensorError(f"tensor `{tensor.name}` is of an unknown type") from None
    if dtype.itemsize == 0 or dtype.hasobject:
        raise TensorError(f"tensor `{tensor.name}` holds no numbers")
    return int(math.prod(tensor.dims) * dtype.itemsize)


def _inside(tensor: "onnx.TensorProto", data: bytes) -> "onnx.TensorProto":
    """The same tensor with its data in it."""
    from onnx import TensorProto

    return TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, raw_data=data)
