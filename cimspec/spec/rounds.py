"""The rounds of a `repeat` and the steps of a sweep: ranges, counts and lists -> values, none of them unbounded."""

from fractions import Fraction

from cimspec.lang import ListValue, Number, Quantity, Range, Repeat, Value, Wrong
from cimspec.spec.corrections import turned
from cimspec.spec.dimensions import PLAIN, spell_dimension
from cimspec.spec.evaluate import Evaluator
from cimspec.spec.layers import MAX_LAYERS
from cimspec.spec.reserved import check_name
from cimspec.spec.scopes import Scope


def round_values(repeat: Repeat, scope: Scope, evaluator: Evaluator) -> list[Value] | None:
    """The value of each round; None after reporting that they cannot be told."""
    if repeat.variable and not check_name(repeat.variable, "a variable", evaluator.diagnostics):
        return None
    rounds = evaluator.value(repeat.rounds, scope)
    match rounds:
        case Wrong():
            return None
        case Range():
            return whole_numbers(rounds, MAX_LAYERS, evaluator)
        case ListValue(items=items) if repeat.variable:
            return list(items)
        case Number() | Quantity():
            return _count(rounds, evaluator)
        case _:
            wanted = "a list or a range" if repeat.variable else "a whole number"
            message = f"`repeat` takes {wanted}, not `{repeat.rounds.span.text}`"
            label = "write `repeat 3 { ... }` or `repeat i in 1..3 { ... }`"
            evaluator.diagnostics.error("CIM236", message, repeat.rounds.span, label=label)
            return None


def _count(rounds: Number | Quantity, evaluator: Evaluator) -> list[Value] | None:
    """The numbers of so many rounds, from 1 on; None after reporting."""
    found = evaluator.quantity(rounds) if isinstance(rounds, Number) else rounds
    if isinstance(found, Wrong):
        return None
    value = found.value
    if found.dimension != PLAIN or value.denominator != 1 or value < 1:
        message = f"`repeat` takes a whole number above 0, not `{found.span.text}`"
        evaluator.diagnostics.error("CIM236", message, found.span, label="write how many rounds there are")
        return None
    if value > MAX_LAYERS:
        message = f"`repeat` takes at most {MAX_LAYERS} rounds, not `{found.span.text}`"
        evaluator.diagnostics.error("CIM234", message, found.span, label="a model cannot have so many layers")
        return None
    return [Quantity(Fraction(number), PLAIN, found.span) for number in range(1, int(value) + 1)]


def whole_numbers(value: Range, limit: int, evaluator: Evaluator) -> list[Value] | None:
    """The whole numbers of a range, both ends included; None after reporting."""
    diagnostics = evaluator.diagnostics
    low, high = (evaluator.quantity(end) if isinstance(end, Number) else end for end in (value.low, value.high))
    for end in (low, high):
        if isinstance(end, Wrong):
            return None
        if not isinstance(end, Quantity) or end.value.denominator != 1:
            message = f"a range goes from one whole number to another, not to `{end.span.text}`"
            diagnostics.error("CIM218", message, end.span, label="write a whole number")
            return None
    assert isinstance(low, Quantity), "both ends were looked at"
    assert isinstance(high, Quantity), "both ends were looked at"
    if low.dimension != high.dimension:
        message = f"the range goes from {spell_dimension(low.dimension)} to {spell_dimension(high.dimension)}"
        diagnostics.error("CIM224", message, value.span, label="give both ends the same unit")
        return None
    if high.value < low.value:
        label = f"write `{high.span.text}..{low.span.text}`"
        message, fixes = f"the range {value.span.text} runs backwards", turned(value)
        diagnostics.error("CIM218", message, value.span, label=label, fixes=fixes)
        return None
    if high.value - low.value >= limit:
        message = f"the range {value.span.text} has more than {limit} numbers"
        diagnostics.error("CIM218", message, value.span, label="write a shorter range")
        return None
    numbers = range(int(low.value), int(high.value) + 1)
    return [Quantity(Fraction(number), low.dimension, value.span) for number in numbers]
