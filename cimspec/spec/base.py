"""The base of everything a user writes: frozen, strict, no unknown fields."""

from pydantic import BaseModel, ConfigDict


class SpecModel(BaseModel):
    """A validated block of a `.cim` file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
