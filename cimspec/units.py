"""Units of measure: what a `.cim` file may write after a number, and the one unit each quantity is kept in.

One unit per dimension inside the program, named in the field (`read_latency_ns`); conversion happens here only.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field


class Dimension(StrEnum):
    """What a quantity measures."""

    TIME = "time"
    BITS = "bits"
    LOSS = "accuracy loss"
    COUNT = "evaluations"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit and its size in the dimension's own unit."""

    name: str
    dimension: Dimension
    factor: float


UNITS: dict[str, Unit] = {
    unit.name: unit
    for unit in (
        Unit("ps", Dimension.TIME, 1e-3),
        Unit("ns", Dimension.TIME, 1.0),
        Unit("us", Dimension.TIME, 1e3),
        Unit("ms", Dimension.TIME, 1e6),
        Unit("s", Dimension.TIME, 1e9),
        Unit("bit", Dimension.BITS, 1),
        Unit("bits", Dimension.BITS, 1),
        Unit("pp", Dimension.LOSS, 1.0),
        Unit("evaluations", Dimension.COUNT, 1),
    )
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Marks a model's field as a quantity: its dimension, the field-name suffix, and whether the unit must be written."""

    dimension: Dimension
    suffix: str
    required: bool


TimeNs = Annotated[float, Measured(Dimension.TIME, "_ns", required=True), Field(gt=0, le=1e12, allow_inf_nan=False)]
Bits = Annotated[int, Measured(Dimension.BITS, "_bits", required=False)]
LossPp = Annotated[float, Measured(Dimension.LOSS, "_pp", required=True), Field(ge=0, le=100, allow_inf_nan=False)]
Evaluations = Annotated[int, Measured(Dimension.COUNT, "", required=False)]
