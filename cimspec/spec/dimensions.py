"""The algebra of dimensions: products of powers such as `energy / time`, multiplied, raised, and put into words."""

from fractions import Fraction

from cimspec.lang import Powers, Quantity
from cimspec.units import UNITS, Dimension, Measured, Unit, number_text, units_of

PLAIN: Powers = ()
"""The dimension of a plain number."""


def dimension_of(unit: Unit) -> Powers:
    """What a unit measures. Shares are plain numbers, so that `10 % * 3 us` is a time."""
    return PLAIN if unit.dimension is Dimension.SHARE else ((unit.dimension, 1),)


def multiplied(left: Powers, right: Powers) -> Powers:
    """The dimension of a product."""
    if not left or not right:
        return left or right
    powers = dict(left)
    for dimension, power in right:
        powers[dimension] = powers.get(dimension, 0) + power
    return tuple(sorted((dimension, power) for dimension, power in powers.items() if power))


def raised(base: Powers, power: int) -> Powers:
    """The dimension of a power; of a quotient with power -1."""
    return tuple((dimension, exponent * power) for dimension, exponent in base) if base and power else PLAIN


def fits(found: Powers, measured: Measured | None) -> bool:
    """Whether a field takes it. Where no unit must be written, a plain number stands for one."""
    if found == PLAIN:
        return measured is None or not measured.required
    return measured is not None and found == ((measured.dimension, 1),)


def spell_dimension(powers: Powers) -> str:
    """`time`, `energy / time`, `1 / time^2`, `a plain number`."""
    if powers == PLAIN:
        return "a plain number"
    above = " * ".join(_factor(dimension, power) for dimension, power in powers if power > 0)
    below = [_factor(dimension, -power) for dimension, power in powers if power < 0]
    return " / ".join([above or "1", *below])


def _factor(word: str, power: int) -> str:
    return word if power == 1 else f"{word}^{power}"


def spell_quantity(quantity: Quantity) -> str:
    """The quantity for a person: in the unit that suits it where it has one, a plain number else."""
    if len(quantity.dimension) == 1 and quantity.dimension[0][1] == 1:
        units = sorted(units_of(quantity.dimension[0][0]), key=lambda unit: unit.factor)
        own = next(unit for unit in units if unit.factor == 1)
        unit = max((unit for unit in units if unit.factor <= abs(quantity.value)), key=_factor_of, default=own)
        return f"{number_text(quantity.value / unit.factor)} {unit.name}"
    number = number_text(quantity.value)
    return number if quantity.dimension == PLAIN else f"{number} ({spell_dimension(quantity.dimension)})"


def _factor_of(unit: Unit) -> Fraction:
    return unit.factor


def written_quantity(quantity: Quantity) -> str:
    """The quantity as an expression that comes to exactly it: `1400 ns`, `1/3`, `2 pJ / 1 ns`."""
    value = quantity.value
    number = _decimal(value)
    if quantity.dimension == PLAIN:
        return number or f"{value.numerator} / {value.denominator}"
    if len(quantity.dimension) == 1 and quantity.dimension[0][1] == 1 and number:
        return f"{number} {_own_unit(quantity.dimension[0][0])}"
    factors = [f"* (1 {_own_unit(dimension)})^{power}" for dimension, power in quantity.dimension if power > 0]
    factors += [f"/ (1 {_own_unit(dimension)})^{-power}" for dimension, power in quantity.dimension if power < 0]
    return " ".join([number or f"{value.numerator} / {value.denominator}", *factors])


def _decimal(value: Fraction) -> str | None:
    """The number in decimal digits, if it has few and is exactly that."""
    if value.denominator == 1:
        return str(value.numerator)
    shift = next((digits for digits in range(1, 16) if 10**digits % value.denominator == 0), None)
    if shift is None:
        return None
    digits = str(abs(value.numerator) * 10**shift // value.denominator).rjust(shift + 1, "0")
    return f"{'-' * (value < 0)}{digits[:-shift]}.{digits[-shift:]}"


def _own_unit(dimension: Dimension) -> str:
    return next(unit.name for unit in UNITS.values() if unit.dimension is dimension and unit.factor == 1)
