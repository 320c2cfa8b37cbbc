"""A node of an ONNX graph without protobuf: operator, names, attributes; and what can be wrong with one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Real = npt.NDArray[np.floating]
Attribute = int | float | str | tuple[int | float | str, ...] | Array


LONGEST_MESSAGE = 500


class Problem(Exception):  # noqa: N818 (becomes a diagnostic, together with others)
    """A node cannot be taken over; the message says why. Its code is CIM423 unless another one fits."""

    def __init__(self, message: str, *, code: str = "CIM423", help: str | None = None) -> None:  # noqa: A002
        super().__init__(message)
        self.code, self.message, self.help = code, message, help


def shortened(message: str) -> str:
    """A message with names from a file, which can be as long as the file."""
    return message if len(message) <= LONGEST_MESSAGE else message[:LONGEST_MESSAGE] + " ..."


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. Inputs that are left out have an empty name."""

    name: str  # as in the file, else its first output's
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    domain: str = ""  # empty for ONNX's own operators
    opset: int = 0  # version of the operators

    @property
    def operator(self) -> str:
        """The operator as it is told: with its domain if it is not ONNX's own."""
        return f"{self.domain}::{self.op}" if self.domain else self.op

    def whole(self, name: str, default: int) -> int:
        """An attribute that is a whole number."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise Problem(f"`{name}` is no whole number")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """An attribute that is 0 or 1."""
        value = self.whole(name, int(default))
        if value not in (0, 1):
            raise Problem(f"`{name}` is {value}, neither 0 nor 1")
        return bool(value)

    def real(self, name: str, default: float) -> float:
        """An attribute that is a finite number, or the default."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int | float) or not (value == default or math.isfinite(value)):
            raise Problem(f"`{name}` is no finite number")
        return float(value)

    def text(self, name: str, default: str) -> str:
        """An attribute that is a text."""
        value = self.attributes.get(name, default)
        if not isinstance(value, str):
            raise Problem(f"`{name}` is no text")
        return value

    def wholes(self, name: str) -> tuple[int, ...] | None:
        """An attribute that is a list of whole numbers; None if it is left out."""
        value = self.attributes.get(name)
        if value is None:
            return None
        numbers = tuple(item for item in value if isinstance(item, int)) if isinstance(value, tuple) else ()
        if not isinstance(value, tuple) or len(numbers) < len(value):
            raise Problem(f"`{name}` is no list of whole numbers")
        return numbers
