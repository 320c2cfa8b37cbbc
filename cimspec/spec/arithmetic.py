"""Arithmetic on quantities, exact and bounded: two quantities and an operator, or a function, -> a quantity."""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor, log2

from cimspec.diag import Label, Span
from cimspec.lang import Binary, Call, Powers, Quantity
from cimspec.spec.dimensions import PLAIN, multiplied, raised, spell_dimension, spell_quantity

LARGEST = Fraction(10**30)
SURELY_SMALL = 99  # bits: 2^99 is below 1e30
MAX_DIGITS = 200
MAX_BITS = 1 << 12  # of a power, estimated before it is computed; above 200 digits by far


class ArithmeticFault(Exception):  # noqa: N818 (a finding about the text, not a failure)
    """Arithmetic that comes to nothing: what to report."""

    def __init__(
        self, code: str, message: str, span: Span, label: str | None = None, related: Sequence[Label] = ()
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.span, self.label, self.related = code, message, span, label, tuple(related)


def combined(node: Binary, left: Quantity, right: Quantity) -> Quantity:
    """What `left operator right` comes to. Raises `ArithmeticFault`."""
    match node.operator.text:
        case "+":
            _check_alike(node, left, right)
            return bounded(left.value + right.value, left.dimension, node.span)
        case "-":
            _check_alike(node, left, right)
            return bounded(left.value - right.value, left.dimension, node.span)
        case "*":
            return bounded(left.value * right.value, multiplied(left.dimension, right.dimension), node.span)
        case "/":
            if not right.value:
                raise ArithmeticFault("CIM226", "division by zero", node.span, f"`{right.span.text}` is 0")
            dimension = multiplied(left.dimension, raised(right.dimension, -1))
            return bounded(_quotient(left.value, right.value), dimension, node.span)
        case _:
            return _power(node, left, right)


def _quotient(left: Fraction, right: Fraction) -> Fraction:
    """The same as `left / right`; of whole numbers in half the time."""
    are_whole = left.denominator == 1 and right.denominator == 1
    return Fraction(left.numerator, right.numerator) if are_whole else left / right


def bounded(value: Fraction, dimension: Powers, span: Span) -> Quantity:
    """The quantity, unless it is larger, or written in more digits, than anything can be meant to be."""
    if value.numerator.bit_length() < SURELY_SMALL and value.denominator.bit_length() < SURELY_SMALL:
        return Quantity(value, dimension, span)
    if abs(value) > LARGEST:
        raise ArithmeticFault("CIM227", "the result is above 1e30", span, "no field takes such a number")
    if max(abs(value.numerator), value.denominator) >= 10**MAX_DIGITS:
        raise ArithmeticFault("CIM227", f"the result has more than {MAX_DIGITS} digits", span, "round it on the way")
    return Quantity(value, dimension, span)


def _check_alike(node: Binary, left: Quantity, right: Quantity) -> None:
    if left.dimension != right.dimension:
        message = f"`{node.operator.text}` takes the same on both sides, not {_pair(left, right)}"
        related = [Label(left.span, f"this is {spell_dimension(left.dimension)}")]
        label = f"this is {spell_dimension(right.dimension)}"
        raise ArithmeticFault("CIM224", message, right.span, label, related)


def _pair(left: Quantity, right: Quantity) -> str:
    return f"{spell_dimension(left.dimension)} and {spell_dimension(right.dimension)}"


def _power(node: Binary, left: Quantity, right: Quantity) -> Quantity:
    if right.dimension != PLAIN:
        message = f"a power is a plain number, not {spell_dimension(right.dimension)}"
        raise ArithmeticFault("CIM224", message, right.span, "remove the unit")
    if right.value.denominator != 1:
        message = f"the power {right.span.text} is no whole number, so the result would not be exact"
        raise ArithmeticFault("CIM226", message, right.span, "write a whole number")
    power = int(right.value)
    if left.value == 0 and power < 0:
        raise ArithmeticFault(
            "CIM226", "division by zero", node.span, f"a negative power of `{left.span.text}`, which is 0"
        )
    bits = max(left.value.numerator.bit_length(), left.value.denominator.bit_length()) - 1
    if abs(power) > MAX_BITS or bits * abs(power) > MAX_BITS:
        if abs(left.value) not in (0, 1):
            message = "the result is far too large or has far too many digits"
            raise ArithmeticFault("CIM227", message, node.span, "no field takes such a number")
        power = power % 2 or 2 * (power != 0)  # 0, 1 and -1 stay what they are
    return bounded(left.value**power, raised(left.dimension, int(right.value)), node.span)


def function_of(call: Call, numbers: Sequence[Quantity]) -> Quantity:
    """What a function of numbers comes to. Raises `ArithmeticFault`."""
    name = call.function.text
    if name in ("min", "max"):
        if not numbers:
            raise ArithmeticFault("CIM228", f"`{name}` needs a number", call.span, f"write `{name}(a, b)`")
        for number in numbers[1:]:
            if number.dimension != numbers[0].dimension:
                message = f"`{name}` compares what measures the same, not {_pair(numbers[0], number)}"
                related = [Label(numbers[0].span, f"this is {spell_dimension(numbers[0].dimension)}")]
                label = f"this is {spell_dimension(number.dimension)}"
                raise ArithmeticFault("CIM224", message, number.span, label, related)
        pick = min if name == "min" else max
        return Quantity(pick(number.value for number in numbers), numbers[0].dimension, call.span)
    if len(numbers) != 1:
        message = f"`{name}` takes one number, not {len(numbers)}"
        raise ArithmeticFault("CIM228", message, call.span, f"write `{name}(a)`")
    (number,) = numbers
    if number.dimension != PLAIN:
        message = f"`{name}` takes a plain number, not {spell_dimension(number.dimension)}"
        raise ArithmeticFault("CIM224", message, number.span, "divide by a unit first: `/ 1 ns`")
    if name == "log2":
        if number.value <= 0:
            label = f"this is {spell_quantity(number)}"
            raise ArithmeticFault("CIM226", "only numbers above 0 have a logarithm", number.span, label)
        return Quantity(binary_logarithm(number.value), PLAIN, call.span)
    if number.value.denominator == 1:
        return Quantity(number.value, PLAIN, call.span)
    return Quantity(Fraction(ceil(number.value) if name == "ceil" else floor(number.value)), PLAIN, call.span)


def binary_logarithm(value: Fraction) -> Fraction:
    """log2, exact for powers of two; else rounded, but never to a whole number, so that `ceil` of it is right."""
    whole = value.numerator.bit_length() - value.denominator.bit_length()
    whole -= Fraction(2) ** whole > value
    rest = value / Fraction(2) ** whole  # 1 <= rest < 2
    if rest == 1:
        return Fraction(whole)
    fraction = min(max(Fraction(log2(rest)), Fraction(1, 1 << 60)), 1 - Fraction(1, 1 << 53))
    return whole + fraction
