"""The base of everything a user writes: frozen, strict, no unknown fields."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from cimspec.diag import Diagnostics, Source


class SpecModel(BaseModel):
    """A validated block of a `.cim` file."""

    # Validators are built when they are needed: most files use a third of the models.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class FileModel(SpecModel):
    """A model with a file of its own, which the `.cim` file names: `table = "cells.csv"`."""

    @classmethod
    @abstractmethod
    def parse(cls, source: Source, diagnostics: Diagnostics) -> Self | None:
        """The content of the file; None after reporting what is wrong with it."""


class ProductModel(SpecModel):
    """A product of powers of a few words: `latency * energy^0.5`. Of a subclass, `Word` are the words."""

    Word: ClassVar[type[StrEnum]]


class Option(StrEnum):
    """Words of which a field takes one, each with what it means: `OFFSET = "offset", "w + 2^(w-1) in one column"`."""

    meaning: str

    def __new__(cls, word: str, meaning: str = "") -> Self:
        """The word, which knows its meaning."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member


@dataclass(frozen=True, slots=True)
class OneOf:
    """Marks a text that is one of some words. `more` are those of installed packages: looking for them takes time."""

    names: tuple[str, ...]
    more: Callable[[], tuple[str, ...]]


class NamedFile(SpecModel):
    """A file that a later step reads: `onnx("m.onnx")`. What it holds is part of the spec, where it is is not."""

    MAY_BE_FILE: ClassVar[bool] = True
    MAY_BE_FOLDER: ClassVar[bool] = False

    path: Path = Field(exclude=True)
    shown: str = Field(exclude=True)  # as diagnostics name it
    sha256: str

    @classmethod
    def at(cls, path: Path, shown: str) -> Self:
        """The file at `path`. Raises OSError if it cannot be read."""
        return cls(path=path, shown=shown, sha256=cls.digest(path))

    @classmethod
    def digest(cls, path: Path) -> str:
        """sha256 of what the file holds."""
        return sha256_of(path)


def sha256_of(path: Path) -> str:
    """sha256 of what a file holds, which need not fit into memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
