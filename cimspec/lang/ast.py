"""The tree of a `.cim` file: what was written, with the span of every part; nothing is converted here.

Nodes are named tuples, which take half the time of other frozen classes to make. So nodes of two kinds with equal parts
are equal, and each is told from others by its class.
"""

from fractions import Fraction
from typing import NamedTuple

from cimspec.diag import Source, Span
from cimspec.units import Dimension

Powers = tuple[tuple[Dimension, int], ...]
"""A product of dimensions, each with its power, in the order of their names; empty for a plain number."""


class Word(NamedTuple):
    """A name: of a field, a layer, an option, a unit."""

    text: str
    span: Span


class Number(NamedTuple):
    """A number as written, underscores taken out, and the word after it."""

    text: str
    unit: Word | None
    span: Span


class Text(NamedTuple):
    """A string, without its quotes."""

    text: str
    span: Span


class Range(NamedTuple):
    """`2..8`, both ends included."""

    low: "Value"
    high: "Value"
    span: Span


class Shape(NamedTuple):
    """`1 x 28 x 28`."""

    sizes: "tuple[Value, ...]"
    span: Span


class Binary(NamedTuple):
    """`a + b`: the operator is one of `+ - * / ^`."""

    operator: Word
    left: "Value"
    right: "Value"
    span: Span


class Negated(NamedTuple):
    """`-a`."""

    operand: "Value"
    span: Span


class Quantity(NamedTuple):
    """What an expression comes to, in the own units of its dimensions; made by evaluation, not by the parser."""

    value: Fraction
    dimension: Powers
    span: Span


class Wrong(NamedTuple):
    """A value that evaluation could not make sense of, and has reported; what reads it says nothing more."""

    span: Span


class ListValue(NamedTuple):
    """`[2, 4, 8]`."""

    items: "tuple[Value, ...]"
    span: Span


class Argument(NamedTuple):
    """An argument of a call; without a name it is known by its position."""

    name: Word | None
    value: "Value"
    span: Span


class Call(NamedTuple):
    """`builtin("mnist5k")`."""

    function: Word
    arguments: tuple[Argument, ...]
    span: Span


Value = Word | Number | Text | Range | Shape | Binary | Negated | Quantity | Wrong | ListValue | Call


class Import(NamedTuple):
    """`import "quickstart.cim"` or `import library("chips/isaac.cim")`."""

    path: Value
    span: Span


class Assign(NamedTuple):
    """`bits = 8`."""

    name: Word
    value: Value
    span: Span


class Let(NamedTuple):
    """`let side = 64`."""

    name: Word
    value: Value
    span: Span


class Setting(NamedTuple):
    """`chip.adc.bits = 4..8` in a sweep: a path of fields."""

    path: tuple[Word, ...]
    value: Value
    span: Span


class Definition(NamedTuple):
    """`data digits = builtin("digits")`."""

    kind: Word
    name: Word
    value: Value
    span: Span


class Bound(NamedTuple):
    """`require accuracy_loss <= 0.086 pp`."""

    kind: Word
    name: Word
    comparison: Word
    value: Value
    span: Span


class Pin(NamedTuple):
    """`keep c1 at 8 bit, 8 bit`."""

    kind: Word
    name: Word
    values: tuple[Value, ...]
    span: Span


class Section(NamedTuple):
    """A word with names and perhaps a block: a chip, a part of it, a layer, a use of a block. `span` is its head."""

    kind: Word
    name: Word | None
    shape: Shape | None
    extends: Word | None
    sources: tuple[Word, ...] | None
    body: "tuple[Statement, ...] | None"
    span: Span
    arguments: tuple[Argument, ...] | None = None  # `residual s1(64, stride = 2)`
    uses: tuple[Span, ...] = ()  # of blocks that a layer came from, innermost first; made by evaluation


class Parameter(NamedTuple):
    """A parameter of a block, with its default if it has one."""

    name: Word
    default: Value | None
    span: Span


class BlockDefinition(NamedTuple):
    """`block residual(channels, stride = 1) from x { ... }`. `span` is its head."""

    name: Word
    parameters: tuple[Parameter, ...]
    inputs: tuple[Word, ...] | None
    body: "tuple[Statement, ...]"
    span: Span


class Repeat(NamedTuple):
    """`repeat 3 { ... }`, or `repeat width in [16, 32] { ... }` with a name for each value. `span` is its head."""

    variable: Word | None
    rounds: Value  # a count, or the values of the variable
    body: "tuple[Statement, ...]"
    span: Span


Statement = Import | Let | Assign | Setting | Definition | Bound | Pin | Section | BlockDefinition | Repeat


class File(NamedTuple):
    """A whole file."""

    source: Source
    statements: tuple[Statement, ...]
