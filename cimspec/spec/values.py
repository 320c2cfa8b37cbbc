"""Converts written values: a value of the tree and a field's type -> what pydantic gets, or a diagnostic.

Kinds of value, units and options are checked here; ranges are left to the models.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from math import ceil, floor
from typing import assert_never

from msgspec import Struct

from cimspec.diag import Diagnostics, Label, Span, respelled
from cimspec.lang import Binary, Call, ListValue, Negated, Number, Quantity, Range, Shape, Text, Value, Word, Wrong
from cimspec.spec.base import NamedFile
from cimspec.spec.corrections import meant_unit, turned, unit_fixes
from cimspec.spec.dimensions import PLAIN, fits, spell_dimension, spell_quantity
from cimspec.spec.fields import Block, Choice, Extents, FieldType, FromFile, Items, Powers, Scalar
from cimspec.spec.files import name_file, read_named
from cimspec.units import UNITS, Measured, convert, units_of

MAX_RANGE = 1000  # entries of a range or a list; a bound on the memory that a few characters can take


class Converted(Struct, frozen=True):
    """A value for pydantic, with the spans of its items if it has several."""

    value: object
    items: tuple[Span, ...] = ()


def convert_value(value: Value, type: FieldType, name: str, diagnostics: Diagnostics) -> Converted | None:  # noqa: A002
    """The value of the field called `name`; None after reporting that it is not one of its type."""
    match type:
        case Scalar():
            return convert_scalar(value, type, name, diagnostics)
        case Choice():
            return convert_choice(value, type, name, diagnostics)
        case Powers():
            return convert_powers(value, type, name, diagnostics)
        case Items():
            return convert_items(value, type, name, diagnostics)
        case Extents():
            return convert_extents(value, type, name, diagnostics)
        case Block():
            wrong_kind(value, name, f"a block: `{name} {{ ... }}`", diagnostics)
            return None
        case FromFile():
            return convert_file(value, type, name, diagnostics)
        case _:
            assert_never(type)


def convert_file(value: Value, type: FromFile, name: str, diagnostics: Diagnostics) -> Converted | None:  # noqa: A002
    """The content of the file that is named, or the file by its name."""
    if not isinstance(value, Text):
        wrong_kind(value, name, "a path in quotes", diagnostics)
        return None
    if issubclass(type.model, NamedFile):
        named = name_file(value, type.model, diagnostics)
        return Converted(named) if named else None
    source = read_named(value, diagnostics)
    content = type.model.parse(source, diagnostics) if source else None
    return Converted(content) if content else None


def convert_scalar(value: Value, type: Scalar, name: str, diagnostics: Diagnostics) -> Converted | None:  # noqa: A002
    """A truth value, a text or a number."""
    if type.type is bool:
        if isinstance(value, Word) and value.text in ("true", "false"):
            return Converted(value.text == "true")
        wrong_kind(value, name, "`true` or `false`", diagnostics)
        return None
    if type.type is str:
        if isinstance(value, Text):
            return Converted(value.text)
        wrong_kind(value, name, "a text in quotes", diagnostics)
        return None
    if not isinstance(value, Number | Quantity):
        whole = "a whole number" if type.type is int else "a number"
        wrong_kind(value, name, whole, diagnostics, label=NO_LET * isinstance(value, Word))
        return None
    number = convert_number(value, type.measured, name, diagnostics)
    if number is None:
        return None
    if type.type is float:
        return Converted(float(number))
    if number.denominator != 1:
        found = value.span.text if isinstance(value, Number) else shown_quantity(value)
        label = f"write {floor(number)} or {ceil(number)}"
        diagnostics.error("CIM205", f"`{name}` takes a whole number, not {found}", value.span, label=label)
        return None
    return Converted(int(number))


def convert_number(
    value: Number | Quantity, measured: Measured | None, name: str, diagnostics: Diagnostics
) -> Fraction | None:
    """The number in the dimension's own unit, as written or as arithmetic came to it."""
    if isinstance(value, Quantity):
        return convert_quantity(value, measured, name, diagnostics)
    fitting = [unit.name for unit in units_of(measured.dimension)] if measured else []
    if value.unit is None:
        if measured and measured.required:
            diagnostics.error(
                "CIM210",
                f"`{name}` needs a unit: it measures {measured.dimension}",
                value.span,
                label=f"add {one_of(fitting)}",
            )
            return None
        return Fraction(value.text)
    unit = UNITS.get(value.unit.text)
    if unit and measured and unit.dimension is measured.dimension:
        return convert(value.text, unit)
    if unit:
        verb = "measures" if measured and measured.required else "counts"
        wants = f"it {verb} {measured.dimension}" if measured else "it is a plain number"
        message = f"`{value.unit.text}` does not fit `{name}`: {wants}"
        label = f"write {one_of(fitting)}" if fitting else "remove the unit"
        diagnostics.error("CIM212", message, value.unit.span, label=label)
    else:
        # The micro sign and the Greek letter both stand for `u`.
        meant = meant_unit(value.unit.text, fitting, diagnostics)
        otherwise = f"write {one_of(fitting)}" if fitting else "remove it"
        label = f"did you mean `{meant}`?" if meant else otherwise
        fixes = unit_fixes(value.unit, meant)
        diagnostics.error("CIM211", f"unknown unit `{value.unit.text}`", value.unit.span, label=label, fixes=fixes)
    return None


def convert_quantity(
    value: Quantity, measured: Measured | None, name: str, diagnostics: Diagnostics
) -> Fraction | None:
    """What arithmetic came to, if it measures what the field does."""
    if fits(value.dimension, measured):
        return value.value
    found = spell_dimension(value.dimension)
    if measured is None:
        message, label = f"`{name}` is a plain number, this is {found}", "divide by a unit: `/ 1 ns`"
        diagnostics.error("CIM212", message, value.span, label=label)
        return None
    fitting = [unit.name for unit in units_of(measured.dimension)]
    message = f"`{name}` {'measures' if measured.required else 'counts'} {measured.dimension}, this is {found}"
    if value.dimension == PLAIN:
        label = f"multiply it by a unit: `* 1 {fitting[len(fitting) // 2]}`"
        diagnostics.error("CIM210", message, value.span, label=label)
    else:
        diagnostics.error("CIM212", message, value.span, label=f"this should come to {one_of(fitting)}")
    return None


def shown_quantity(value: Quantity) -> str:
    """What arithmetic came to, beside what was written: `4/3 (side / 3)`."""
    plain = value.dimension == PLAIN and value.value.denominator < 1000
    return f"{value.value if plain else spell_quantity(value)} ({value.span.text})"


def convert_choice(value: Value, type: Choice, name: str, diagnostics: Diagnostics) -> Converted | None:  # noqa: A002
    """One of the field's words."""
    known = type.options
    if type.more and isinstance(value, Word) and value.text not in known:
        known = {**known, **{name: name for name in type.more()}}
    options = list(known)
    if not isinstance(value, Word):
        wrong_kind(value, name, one_of(options), diagnostics)
        return None
    if value.text in known:
        return Converted(known[value.text])
    meant = diagnostics.did_you_mean(value.text, options)
    diagnostics.error(
        "CIM204",
        f"unknown option `{value.text}` for `{name}`",
        value.span,
        label=f"did you mean `{meant}`?" if meant else f"write {one_of(options)}",
        notes=[f"options of `{name}`: {', '.join(options)}"],
        fixes=respelled(value.span, value.text, meant),
    )
    return None


def convert_powers(value: Value, type: Powers, name: str, diagnostics: Diagnostics) -> Converted | None:  # noqa: A002
    """A word, or a product of words, each with its power."""
    factors = list(islice(factors_of(value), len(type.options) + 1))  # of more, one is wrong or comes again
    if not all(isinstance(factor.word, Word) for factor in factors):
        wrong_kind(value, name, f"{one_of(list(type.options))}, or a product of them", diagnostics)
        return None
    words = [convert_choice(factor.word, Choice(type.options), name, diagnostics) for factor in factors]
    converted = tuple((word.value, float(factor.power)) for word, factor in zip(words, factors, strict=True) if word)
    for index, factor in enumerate(factors):
        if factor.word.span.text in (earlier.word.span.text for earlier in factors[:index]):
            text = factor.word.span.text
            first = next(earlier for earlier in factors if earlier.word.span.text == text)
            message, related = f"`{text}` stands twice in this product", [Label(first.span, "first here")]
            diagnostics.error("CIM205", message, factor.span, label="write one power of it", related=related)
            return None
    spans = tuple(factor.span for factor in factors)
    return Converted({"factors": converted}, spans) if len(converted) == len(factors) else None


class Factor(Struct, frozen=True):
    """A part of a product with its power; right if `word` is a word."""

    word: Value
    power: Fraction
    span: Span


def factors_of(value: Value) -> Iterator[Factor]:
    """`latency * energy^0.5`: what is multiplied, in order. What is neither product nor power is a factor itself."""
    parts = [value]
    while parts:  # one by one, without recursion: names can make products as deep, and of as many factors, as they like
        part = parts.pop()
        if isinstance(part, Binary) and part.operator.text == "*":
            parts += (part.right, part.left)
        else:
            yield factor_of(part)


def factor_of(value: Value) -> Factor:
    """A word with its power."""
    match value:
        case Binary(operator=Word(text="^"), left=Word() as word, right=Number(unit=None, text=text)):
            return Factor(word, Fraction(text), value.span)
        case Binary(operator=Word(text="^"), left=Word() as word, right=Quantity(dimension=(), value=power)):
            return Factor(word, power, value.span)
        case _:
            return Factor(value, Fraction(1), value.span)


def convert_items(value: Value, type: Items, name: str, diagnostics: Diagnostics) -> Converted | None:  # noqa: A002
    """Several values: a list, a range, a shape, or one value alone."""
    match value:
        case ListValue():
            written = list(value.items)
        case Shape():
            written = list(value.sizes)
        case _:
            written = [value]
    converted: list[object] = []
    spans: list[Span] = []
    is_right = True
    for item in written:
        found = convert_range(item, type, name, diagnostics) if isinstance(item, Range) else None
        if found is None and not isinstance(item, Range):
            single = convert_value(item, type.item, name, diagnostics)
            found = [single.value] if single else None
        is_right &= found is not None
        converted += found or []
        spans += [item.span] * len(found or [])
        if len(converted) > MAX_RANGE:
            message = f"`{name}` has more than {MAX_RANGE} entries"
            diagnostics.error("CIM208", message, value.span, label="write fewer")
            return None
    return Converted(tuple(converted), tuple(spans)) if is_right else None


def convert_extents(value: Value, type: Extents, name: str, diagnostics: Diagnostics) -> Converted | None:  # noqa: A002
    """One number for all, `HEIGHT x WIDTH`, or each by itself. Only what is written: the model repeats it."""
    forms = "a whole number or `HEIGHT x WIDTH`"
    if type.count == 4:
        forms = "a whole number, `HEIGHT x WIDTH` or `[TOP, LEFT, BOTTOM, RIGHT]`"
    match value:
        case Number() | Quantity():
            written: tuple[Value, ...] = (value,)
        case Shape():
            written = value.sizes
        case ListValue():
            written = value.items
        case _:
            wrong_kind(value, name, forms, diagnostics, label=NO_LET * isinstance(value, Word))
            return None
    if len(written) not in (1, 2, type.count):
        message = f"`{name}` takes {forms}, not {len(written)} numbers"
        diagnostics.error("CIM205", message, value.span, label="write one of these forms")
        return None
    converted = [convert_scalar(item, type.item, name, diagnostics) for item in written]
    numbers = tuple(number.value for number in converted if number)
    return Converted(numbers, tuple(item.span for item in written)) if len(numbers) == len(written) else None


def convert_range(value: Range, type: Items, name: str, diagnostics: Diagnostics) -> list[object] | None:  # noqa: A002
    """Every whole number of a range, both ends included."""
    if not isinstance(type.item, Scalar) or type.item.type is not int:
        wrong_kind(value, name, "a list", diagnostics)
        return None
    ends = [convert_scalar(end, type.item, name, diagnostics) for end in (value.low, value.high)]
    if ends[0] is None or ends[1] is None:
        return None
    low, high = ends[0].value, ends[1].value
    assert isinstance(low, int), "convert_scalar keeps to the type it is given"
    assert isinstance(high, int), "convert_scalar keeps to the type it is given"
    if high < low:
        label = f"write `{high}..{low}`"
        message, fixes = f"the range {value.span.text} runs backwards", turned(value)
        diagnostics.error("CIM218", message, value.span, label=label, fixes=fixes)
        return None
    if high - low >= MAX_RANGE:
        message = f"the range {value.span.text} has more than {MAX_RANGE} numbers"
        diagnostics.error("CIM218", message, value.span, label="write a shorter range")
        return None
    return list(range(low, high + 1))


def wrong_kind(value: Value, name: str, wanted: str, diagnostics: Diagnostics, label: str = "") -> None:
    """Report a value of the wrong kind, unless it came to nothing: then that was reported."""
    if isinstance(value, Wrong):
        return
    message = f"`{name}` takes {wanted}, not {describe(value)}"
    diagnostics.error("CIM205", message, value.span, label=label or instead(value, wanted))


NO_LET = "no `let` has this name here"
TRUTHS = {"yes": "true", "on": "true", "True": "true", "1": "true"} | dict.fromkeys(
    ("no", "off", "False", "0"), "false"
)
"""How others write truth values."""


def instead(value: Value, wanted: str) -> str | None:  # noqa: C901 (one case a mistake)
    """What to write where a value is of the wrong kind, if that is plain to see."""
    is_text = "in quotes" in wanted
    match value:
        case Text() if f"`{value.text}`" in wanted or (value.text.isdigit() and "number" in wanted):
            return f"write {value.text} without quotes"
        case Text() if wanted == "a list":
            return "write the values in `[` and `]`"
        case Text() if not is_text:
            return "this is written without quotes"
        case Word() if is_text:
            return f'write "{value.text}"'
        case Word() | Number() if "`true`" in wanted and value.text in TRUTHS:
            return f"write `{TRUTHS[value.text]}`"
        case Word() | Number() | Range() if wanted == "a list":
            return "write the values in `[` and `]`"
        case Shape() if value.span.text.startswith("0x"):
            return "write the number in decimal digits"
        case ListValue() if "product" in wanted:
            return "multiply them: `latency * energy`, or write `pareto` for a choice between them"
        case Binary() if wanted.startswith("`"):
            return "write one of these words, or several with `,` between them"
        case ListValue(items=(_,)):
            return "remove the `[` and `]`"
        case ListValue() | Range() if "number" in wanted:
            return "write one number; several to compare are written in a `sweep`"
        case _:
            return None


def describe(value: Value) -> str:  # noqa: C901 (one case a kind)
    """What kind of value this is, in words."""
    match value:
        case Word():
            return f"the word `{value.text}`"
        case Number():
            return f"the number {value.span.text}"
        case Text():
            return "a text"
        case Range():
            return "a range"
        case Shape():
            return "a shape"
        case Binary() | Negated():
            return f"the expression {value.span.text}"
        case Quantity():
            return shown_quantity(value)
        case Wrong():
            return f"`{value.span.text}`"
        case ListValue():
            return "a list"
        case Call():
            return f"a call of `{value.function.text}`"
        case _:
            assert_never(value)


def one_of(words: list[str]) -> str:
    """`a`, `b` or `c`."""
    quoted = [f"`{word}`" for word in words]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
