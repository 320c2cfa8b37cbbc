"""Writes values as a `.cim` file has them: a value and its field's type -> text that reads back to just this value."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, assert_never

from cimspec.spec.base import ProductModel
from cimspec.spec.fields import Block, Choice, Entry, Extents, FieldType, FromFile, Items, Powers, Scalar
from cimspec.units import UNITS, Dimension, convert, spell, units_of

SHORTEST_RANGE = 3
SHAPES = ("shape", "input")  # fields whose numbers are sizes


def spell_field(entry: Entry, value: Any) -> str:
    """The value of a field. Raises ValueError where it is a block, or from a file."""
    if entry.key == "bits":
        return str(value)  # `bits = 8 bit` says it twice
    if entry.key.endswith("_bits") and is_range(value):
        return f"{value[0]}..{value[-1]}"
    if entry.key in SHAPES and len(value) > 1:
        return " x ".join(str(size) for size in value)
    return spell_value(value, entry.type)


def spell_value(value: Any, type: FieldType) -> str:  # noqa: A002
    """A value of a type: `1.4 us`, `offset`, `2..8`, `3 x 1`. Raises ValueError for blocks and what files hold."""
    match type:
        case Scalar():
            return spell_scalar(value, type)
        case Choice():
            return str(value)
        case Powers():
            return spell_powers(value)
        case Items():
            return f"[{', '.join(spell_value(item, type.item) for item in value)}]"
        case Extents():
            return spell_extents(value)
        case Block() | FromFile():
            raise ValueError("neither blocks nor the content of files have a text of their own")
        case _:
            assert_never(type)


def spell_scalar(value: Any, type: Scalar) -> str:  # noqa: A002
    """A truth value, a text, or a number with a unit where one fits."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return spell_quantity(value, type.measured.dimension if type.measured else None)


def spell_quantity(value: float, dimension: Dimension | None) -> str:
    """A number in the unit that suits it, or in the dimension's own where that would not be exact."""
    own = next((unit for unit in units_of(dimension) if unit.factor == 1), None) if dimension else None
    text = spell(value, dimension)
    number, _, unit = text.partition(" ")
    read = convert(number, UNITS[unit]) if unit else Fraction(number)
    if (float(read) if isinstance(value, float) else read) == value:
        return text
    exact = repr(value).removesuffix(".0")
    return f"{exact} {own.name}" if own else exact


def spell_powers(value: ProductModel) -> str:
    """`latency * energy^0.5`."""
    factors: Sequence[tuple[str, float]] = value.model_dump()["factors"]
    return " * ".join(word if power == 1 else f"{word}^{spell_quantity(power, None)}" for word, power in factors)


def is_range(values: Sequence[int]) -> bool:
    """Whether values are as well written `2..8`: neighbours, and more than a list of two."""
    return len(values) >= SHORTEST_RANGE and tuple(values) == tuple(range(values[0], values[-1] + 1))


def spell_extents(values: Sequence[int]) -> str:
    """`3` for `3 x 3`, `0 x 3` for top 0, left 3, bottom 0, right 3."""
    if len(set(values)) == 1:
        return str(values[0])
    half = len(values) // 2
    if half == 1 or tuple(values[:half]) == tuple(values[half:]):
        return " x ".join(str(value) for value in values[:2])
    return f"[{', '.join(str(value) for value in values)}]"
