"""Units of measure: what a `.cim` file may write after a number, and the one unit each quantity is kept in.

One unit per dimension inside the program, named in the field (`read_latency_ns`); a share is a plain number, which may
be written in `%`. Conversion is here only, in exact fractions, so that `56 us` is 56000 ns and `1.4 us` is 1400 ns to
the last bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated

from pydantic import Field


class Dimension(StrEnum):
    """What a quantity measures."""

    TIME = "time"
    BITS = "bits"
    BYTES = "bytes"
    LOSS = "accuracy loss"
    COUNT = "evaluations"
    SHARE = "shares"
    RESISTANCE = "resistance"
    ENERGY = "energy"
    AREA = "area"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit and its size in the dimension's own unit, the one of factor 1."""

    name: str
    dimension: Dimension
    factor: Fraction


UNITS: Mapping[str, Unit] = MappingProxyType(
    {
        unit.name: unit
        for unit in (
            Unit("ps", Dimension.TIME, Fraction(1, 1000)),
            Unit("ns", Dimension.TIME, Fraction(1)),
            Unit("us", Dimension.TIME, Fraction(1000)),
            Unit("ms", Dimension.TIME, Fraction(1000_000)),
            Unit("s", Dimension.TIME, Fraction(1000_000_000)),
            Unit("bit", Dimension.BITS, Fraction(1)),
            Unit("bits", Dimension.BITS, Fraction(1)),
            Unit("B", Dimension.BYTES, Fraction(1)),
            Unit("kB", Dimension.BYTES, Fraction(1000)),
            Unit("KiB", Dimension.BYTES, Fraction(1 << 10)),
            Unit("MB", Dimension.BYTES, Fraction(1000_000)),
            Unit("MiB", Dimension.BYTES, Fraction(1 << 20)),
            Unit("GB", Dimension.BYTES, Fraction(1000_000_000)),
            Unit("GiB", Dimension.BYTES, Fraction(1 << 30)),
            Unit("pp", Dimension.LOSS, Fraction(1)),
            Unit("evaluations", Dimension.COUNT, Fraction(1)),
            Unit("%", Dimension.SHARE, Fraction(1, 100)),
            Unit("mohm", Dimension.RESISTANCE, Fraction(1, 1000)),
            Unit("ohm", Dimension.RESISTANCE, Fraction(1)),
            Unit("kohm", Dimension.RESISTANCE, Fraction(1000)),
            Unit("Mohm", Dimension.RESISTANCE, Fraction(1000_000)),
            Unit("fJ", Dimension.ENERGY, Fraction(1, 1000)),
            Unit("pJ", Dimension.ENERGY, Fraction(1)),
            Unit("nJ", Dimension.ENERGY, Fraction(1000)),
            Unit("uJ", Dimension.ENERGY, Fraction(1000_000)),
            Unit("mJ", Dimension.ENERGY, Fraction(1000_000_000)),
            Unit("um2", Dimension.AREA, Fraction(1)),
            Unit("mm2", Dimension.AREA, Fraction(1000_000)),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Marks a model's field as a quantity: what it measures, its name's suffix, whether a unit must be."""

    dimension: Dimension
    suffix: str
    required: bool


TimeNs = Annotated[float, Measured(Dimension.TIME, "_ns", required=True), Field(gt=0, le=1e12, allow_inf_nan=False)]
LongTimeNs = Annotated[float, Measured(Dimension.TIME, "_ns", required=True), Field(gt=0, le=1e19, allow_inf_nan=False)]
Bits = Annotated[int, Measured(Dimension.BITS, "_bits", required=False)]
Bytes = Annotated[int, Measured(Dimension.BYTES, "_bytes", required=True), Field(ge=1, le=1 << 40)]
LossPp = Annotated[float, Measured(Dimension.LOSS, "_pp", required=True), Field(ge=0, le=100, allow_inf_nan=False)]
Share = Annotated[float, Measured(Dimension.SHARE, "", required=False), Field(ge=0, le=1, allow_inf_nan=False)]
Ohm = Annotated[float, Measured(Dimension.RESISTANCE, "_ohm", required=True), Field(gt=0, le=1e12, allow_inf_nan=False)]
EnergyPj = Annotated[float, Measured(Dimension.ENERGY, "_pj", required=True), Field(ge=0, le=1e6, allow_inf_nan=False)]
ArrayEnergyPj = Annotated[
    float, Measured(Dimension.ENERGY, "_pj", required=True), Field(ge=0, le=1e12, allow_inf_nan=False)
]
AreaUm2 = Annotated[float, Measured(Dimension.AREA, "_um2", required=True), Field(ge=0, le=1e10, allow_inf_nan=False)]
Evaluations = Annotated[int, Measured(Dimension.COUNT, "", required=False)]


def units_of(dimension: Dimension) -> tuple[Unit, ...]:
    """The units of a dimension, smallest first."""
    return tuple(unit for unit in UNITS.values() if unit.dimension is dimension)


def convert(number: str, unit: Unit) -> Fraction:
    """A number as written, in the unit beside it -> exactly that quantity in the dimension's own unit."""
    return Fraction(number) * unit.factor


def spell(quantity: float, dimension: Dimension | None) -> str:
    """A quantity in the dimension's own unit -> text in the largest unit that keeps it above 1: `1.4 us`."""
    if dimension is None:
        return number_text(Fraction(quantity))
    units = units_of(dimension)
    own = [unit for unit in units if unit.factor == 1]
    fitting = [unit for unit in units if abs(Fraction(quantity)) >= unit.factor]
    unit = max(fitting if quantity else own, key=lambda unit: unit.factor, default=units[0])
    return f"{number_text(Fraction(quantity) / unit.factor)} {unit.name}"


def number_text(number: Fraction) -> str:
    """A number as a person writes it: no trailing zeros, whole numbers without a point."""
    return str(number.numerator) if number.denominator == 1 else f"{float(number):.12g}"
