"""The tree of a `.cim` file: what was written, with the span of every part; nothing is converted here."""

from dataclasses import dataclass

from cimspec.diag import Source, Span


@dataclass(frozen=True, slots=True)
class Word:
    """A name: of a field, a layer, an option, a unit."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written, underscores taken out, and the word after it."""

    text: str
    unit: Word | None
    span: Span


@dataclass(frozen=True, slots=True)
class Text:
    """A string, without its quotes."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Range:
    """`2..8`, both ends included."""

    low: Number
    high: Number
    span: Span


@dataclass(frozen=True, slots=True)
class Shape:
    """`1 x 28 x 28`."""

    sizes: tuple[Number, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Factor:
    """`energy^0.5`: a name to a power, which is 1 where none is written."""

    name: Word
    power: Number | None
    span: Span


@dataclass(frozen=True, slots=True)
class Product:
    """`latency * energy^0.5`."""

    factors: tuple[Factor, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ListValue:
    """`[2, 4, 8]`."""

    items: "tuple[Value, ...]"
    span: Span


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a call; without a name it is known by its position."""

    name: Word | None
    value: "Value"
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """`builtin("mnist5k")`."""

    function: Word
    arguments: tuple[Argument, ...]
    span: Span


Value = Word | Number | Text | Range | Shape | Product | ListValue | Call


@dataclass(frozen=True, slots=True)
class Import:
    """`import "quickstart.cim"`."""

    path: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Assign:
    """`bits = 8`."""

    name: Word
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Definition:
    """`data digits = builtin("digits")`."""

    kind: Word
    name: Word
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Bound:
    """`require accuracy_loss <= 0.086 pp`."""

    kind: Word
    name: Word
    comparison: Word
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Pin:
    """`keep c1 at 8 bit, 8 bit`."""

    kind: Word
    name: Word
    values: tuple[Value, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Section:
    """A word with names and perhaps a block: a chip, a part of it, a layer. `span` leaves out the block."""

    kind: Word
    name: Word | None
    shape: Shape | None
    extends: Word | None
    sources: tuple[Word, ...] | None
    body: "tuple[Statement, ...] | None"
    span: Span


Statement = Import | Assign | Definition | Bound | Pin | Section


@dataclass(frozen=True, slots=True)
class File:
    """A whole file."""

    source: Source
    statements: tuple[Statement, ...]
