"""The base of everything a user writes: frozen, strict, no unknown fields."""

from abc import abstractmethod
from typing import Self

from pydantic import BaseModel, ConfigDict

from cimspec.diag import Diagnostics, Source


class SpecModel(BaseModel):
    """A validated block of a `.cim` file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FileModel(SpecModel):
    """A model with a file of its own, which the `.cim` file names: `table = "cells.csv"`."""

    @classmethod
    @abstractmethod
    def parse(cls, source: Source, diagnostics: Diagnostics) -> Self | None:
        """The content of the file; None after reporting what is wrong with it."""
