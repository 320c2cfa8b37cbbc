"""Evaluates values: names of a scope and arithmetic -> plain values, numbers with exact dimensions.

What holds neither comes back as it is. Arithmetic is in fractions, so `56 us` is 56000 ns to the last bit; only `log2`
of what is no power of two is rounded. Bounds on results, entries and work are checked before memory is taken.
"""

from collections.abc import Sequence
from fractions import Fraction
from operator import is_

from msgspec import structs

from cimspec.diag import Diagnostics, Label, respelled
from cimspec.lang import (
    Argument,
    Binary,
    Call,
    ListValue,
    Negated,
    Number,
    Powers,
    Quantity,
    Range,
    Shape,
    Text,
    Value,
    Word,
    Wrong,
)
from cimspec.spec.arithmetic import ArithmeticFault, combined, function_of
from cimspec.spec.corrections import meant_unit, unit_fixes
from cimspec.spec.dimensions import PLAIN, dimension_of
from cimspec.spec.reserved import FUNCTIONS, METRICS
from cimspec.spec.scopes import Ambiguous, Scope, words_in
from cimspec.units import UNITS, convert

MAX_STEPS = 400_000  # of work on a file, a microsecond or two each: no text of 64 KB keeps us busy for a second
STEPS_PER_CHARACTER = 6  # of a longer file: what is written out there, `1+1+1`, is evaluated
OPERATION, FAULT = 15, 40  # steps that an operation, and reporting that it comes to nothing, take
PLAIN_VALUES = (Number, Text, Quantity, Wrong)  # what evaluation leaves as it is
ENTRIES = 8  # of a list are counted in a step
MAX_ENTRIES = 10_000  # of a list and those in it


def all_same(new: Sequence[object], old: Sequence[object]) -> bool:
    """Whether these are the same objects: then what they are part of may stay as it is."""
    return len(new) == len(old) and all(map(is_, new, old))


class Evaluator:
    """Evaluates values, and counts the work."""

    def __init__(self, diagnostics: Diagnostics, length: int = 0) -> None:
        self.diagnostics = diagnostics
        self._most = max(MAX_STEPS, STEPS_PER_CHARACTER * length)  # `length` is that of the text
        self._steps = 0
        self._depth = 0
        self._read: dict[tuple[str, str | None], tuple[Fraction, Powers]] = {}  # numbers by their text and unit
        self._outermost: Value | None = None  # the arithmetic that is being evaluated

    def spend(self, value: Value | Word, steps: int = 1) -> None:
        """Count work. Raises `CimError` where it is more than any spec needs (CIM234), or all is wrong."""
        self._steps += steps
        if self.diagnostics.is_hopeless:
            self.diagnostics.raise_if_errors()
        if self._steps > self._most:
            message = "the file comes to too much once its blocks and repeats are expanded"
            self.diagnostics.error("CIM234", message, value.span, label="write less, or repeat less")
            self.diagnostics.raise_if_errors()

    def value(self, value: Value, scope: Scope) -> Value:
        """The value with its names replaced and its arithmetic carried out; `Wrong` after reporting that it cannot."""
        self._steps += 1
        if self._steps > self._most:
            self.spend(value)
        if isinstance(value, PLAIN_VALUES):
            return value
        return self._word(value, scope) if isinstance(value, Word) else self._compound(value, scope)

    def named(self, value: Value, scope: Scope) -> Value:
        """What a `let` names. A number's unit is looked at here, so that it is told whether or not the name is used."""
        found = self.value(value, scope)
        is_unknown = isinstance(found, Number) and isinstance(self.quantity(found), Wrong)
        return Wrong(found.span) if is_unknown else found

    def _compound(self, value: Value, scope: Scope) -> Value:
        if self._depth == 0:
            self._outermost = value
        self._depth += 1  # by recursion: the parser bounds the height of values
        try:
            return self._binary(value, scope) if isinstance(value, Binary) else self._parts(value, scope)
        finally:
            self._depth -= 1

    def _parts(self, value: Value, scope: Scope) -> Value:
        if isinstance(value, Call) and value.function.text in FUNCTIONS:
            return self._function(value, scope)
        match value:
            case Negated():
                return self._negated(value, scope)
            case Range(low=low, high=high):
                ends = self.value(low, scope), self.value(high, scope)
                return value if ends[0] is low and ends[1] is high else self._whole(Range(*ends, value.span), ends)
            case Shape(sizes=sizes):
                found = self._all(sizes, scope)
                return value if found is sizes else self._whole(Shape(found, value.span), found)
            case ListValue(items=items):
                found = self._all(items, scope)
                return value if found is items else self._bounded(ListValue(found, value.span))
            case Call(arguments=arguments):
                values = [self.value(argument.value, scope) for argument in arguments]
                if all_same(values, [argument.value for argument in arguments]):
                    return value
                replaced = (structs.replace(old, value=new) for new, old in zip(values, arguments, strict=True))
                return structs.replace(value, arguments=tuple(replaced))
        return value

    def _all(self, values: tuple[Value, ...], scope: Scope) -> tuple[Value, ...]:
        """All values; the same tuple if nothing in it had to be evaluated."""
        found = tuple(self.value(each, scope) for each in values)
        return values if all_same(found, values) else found

    def _whole(self, value: Value, parts: tuple[Value, ...]) -> Value:
        return Wrong(value.span) if any(isinstance(part, Wrong) for part in parts) else value

    def _bounded(self, value: ListValue) -> Value:
        """The list, unless it has too many entries: `let b = [a, a]` doubles what `a` has."""
        count, open_lists = 0, [value]
        while open_lists:
            items = open_lists.pop().items
            count += len(items)
            open_lists += (item for item in items if isinstance(item, ListValue))
            self.spend(value, len(items) // ENTRIES + 1)
            if count > MAX_ENTRIES:
                message = f"the list has more than {MAX_ENTRIES} entries, those of lists in it counted"
                self.diagnostics.error("CIM227", message, value.span, label="write a shorter list")
                return Wrong(value.span)
        return self._whole(value, value.items)

    def _word(self, word: Word, scope: Scope) -> Value:
        """What a name stands for, at the place where it is used; a path stays at the place where it is written."""
        found = scope.find(word.text)
        if found is None:
            return word
        if isinstance(found, Ambiguous):
            related = [Label(found.first, "it is defined here"), Label(found.second, "and here")]
            message = f"two imported files define `{word.text}`"
            label = f"say which: `let {word.text} = ...` in this file"
            self.diagnostics.error("CIM223", message, word.span, label=label, related=related)
            return Wrong(word.span)
        value = found.value
        if word.span != value.span:
            self.diagnostics.came_from(word.span, value.span)
        if isinstance(value, Quantity):
            return Quantity(value.value, value.dimension, word.span)
        if isinstance(value, Text | Wrong | Call):
            return value
        return structs.replace(value, span=word.span)

    def number(self, value: Value, scope: Scope) -> Value:
        """A value in arithmetic: a `Quantity`, `Wrong` after reporting, or a metric and what is made of metrics."""
        if isinstance(value, Number):
            self._steps += 1
            return self.quantity(value)
        found = self.value(value, scope)
        if isinstance(found, Quantity):
            return found
        match found:
            case Number():
                return self.quantity(found)
            case Wrong():
                return found
            case Word() if found.text not in METRICS and not self._is_of_metrics():
                self.spend(found, FAULT)
                meant = self.diagnostics.did_you_mean(found.text, scope.names())
                label = f"did you mean `{meant}`?" if meant else f"define it: `let {found.text} = ...`"
                fixes = respelled(found.span, found.text, meant)
                message = f"nothing is called `{found.text}`"
                self.diagnostics.error("CIM220", message, found.span, label=label, fixes=fixes)
                return Wrong(value.span)
            case Word() | Binary() | Negated():
                return found
            case _:
                what = {Text: "a text", ListValue: "a list", Range: "a range", Shape: "a shape"}.get(
                    type(found), "this"
                )
                message = f"arithmetic takes numbers, not {what}"
                self.diagnostics.error("CIM225", message, value.span, label="write a number")
                return Wrong(value.span)

    def _is_of_metrics(self) -> bool:
        """Whether the arithmetic is a product of metrics, in which a wrong word is for the field to explain."""
        return self._outermost is not None and any(word.text in METRICS for word in words_in(self._outermost))

    def quantity(self, number: Number) -> Quantity | Wrong:
        """A written number with its unit, or `Wrong` after reporting that there is no such unit."""
        key = number.text, number.unit.text if number.unit else None
        read = self._read.get(key)
        if read is None and number.unit is None:
            read = self._read[key] = Fraction(number.text), PLAIN
        elif read is None and number.unit and (unit := UNITS.get(number.unit.text)):
            read = self._read[key] = convert(number.text, unit), dimension_of(unit)
        if read is not None:
            return Quantity(*read, number.span)
        assert number.unit is not None, "numbers without a unit are right"
        self.spend(number, FAULT)
        meant = meant_unit(number.unit.text, UNITS, self.diagnostics)
        label = f"did you mean `{meant}`?" if meant else "remove it"
        message, fixes = f"unknown unit `{number.unit.text}`", unit_fixes(number.unit, meant)
        self.diagnostics.error("CIM211", message, number.unit.span, label=label, fixes=fixes)
        return Wrong(number.span)

    def _binary(self, value: Binary, scope: Scope) -> Value:
        """A sum, product or power. A sum of thousands of terms is a chain to the left, which is walked."""
        chain: list[Binary] = []
        first: Value = value
        while isinstance(first, Binary):
            chain.append(first)
            first = first.left
        result = self.number(first, scope)
        for node in reversed(chain):
            self._steps += OPERATION
            if self._steps > self._most:
                self.spend(node)
            right = self.number(node.right, scope)
            result = self._combined(node, result, right)
        return result

    def _combined(self, node: Binary, left: Value, right: Value) -> Value:
        if isinstance(left, Quantity) and isinstance(right, Quantity):
            try:
                return combined(node, left, right)
            except ArithmeticFault as fault:
                return self._reported(fault, node)
        if isinstance(left, Wrong) or isinstance(right, Wrong):
            return Wrong(node.span)
        return Binary(node.operator, left, right, node.span)

    def _negated(self, value: Negated, scope: Scope) -> Value:
        found = self.number(value.operand, scope)
        match found:
            case Quantity():
                return Quantity(-found.value, found.dimension, value.span)
            case Wrong():
                return Wrong(value.span)
            case _:
                return Negated(found, value.span)

    def _function(self, call: Call, scope: Scope) -> Value:
        """`max(a, b)`; a list stands for its items."""
        numbers: list[Quantity] = []
        for argument in call.arguments:
            numbers_of = self._argument(argument, scope)
            if numbers_of is None:
                return Wrong(call.span)
            numbers += numbers_of
        try:
            return function_of(call, numbers)
        except ArithmeticFault as fault:
            return self._reported(fault, call)

    def _argument(self, argument: Argument, scope: Scope) -> list[Quantity] | None:
        if argument.name is not None:
            message, label = "functions have no names for their arguments", "write the value alone"
            self.diagnostics.error("CIM228", message, argument.name.span, label=label)
            return None
        value = self.value(argument.value, scope)
        if isinstance(value, Quantity):
            return [value]
        items = value.items if isinstance(value, ListValue) else (value,)
        self.spend(argument.value, len(items))
        found = [self.number(item, scope) for item in items]
        if all(isinstance(number, Quantity) for number in found):
            return [number for number in found if isinstance(number, Quantity)]
        if not any(isinstance(number, Wrong) for number in found):
            message = f"arithmetic takes numbers: `{argument.value.span.text}` has no value before a search"
            self.diagnostics.error("CIM225", message, argument.value.span, label="write a number")
        return None

    def _reported(self, fault: ArithmeticFault, value: Value) -> Wrong:
        self.spend(value, FAULT)
        self.diagnostics.error(fault.code, fault.message, fault.span, label=fault.label, related=fault.related)
        return Wrong(value.span)
