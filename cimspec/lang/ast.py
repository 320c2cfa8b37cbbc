"""The tree of a `.cim` file: what was written, with the span of every part; nothing is converted here.

Nodes are structs, which take a seventh of the time of named tuples to make: long files have 200,000 of them. No
node is in a cycle, so garbage collection need not go through them; it knows of those that names can put into each other
without end (`let b = -a`, `let c = -b` ...), as only such are taken apart without recursion.
"""

from fractions import Fraction

from msgspec import Struct

from cimspec.diag import Source, Span
from cimspec.units import Dimension

Powers = tuple[tuple[Dimension, int], ...]
"""A product of dimensions, each with its power, in the order of their names; empty for a plain number."""


class Word(Struct, frozen=True, gc=False):
    """A name: of a field, a layer, an option, a unit."""

    text: str
    span: Span


class Number(Struct, frozen=True, gc=False):
    """A number as written, underscores taken out, and the word after it."""

    text: str
    unit: Word | None
    span: Span


class Text(Struct, frozen=True, gc=False):
    """A string, without its quotes."""

    text: str
    span: Span


class Range(Struct, frozen=True):
    """`2..8`, both ends included."""

    low: "Value"
    high: "Value"
    span: Span


class Shape(Struct, frozen=True):
    """`1 x 28 x 28`."""

    sizes: "tuple[Value, ...]"
    span: Span


class Binary(Struct, frozen=True):
    """`a + b`: the operator is one of `+ - * / ^`."""

    operator: Word
    left: "Value"
    right: "Value"
    span: Span


class Negated(Struct, frozen=True):
    """`-a`."""

    operand: "Value"
    span: Span


class Quantity(Struct, frozen=True, gc=False):
    """What an expression comes to, in the own units of its dimensions; made by evaluation, not by the parser."""

    value: Fraction
    dimension: Powers
    span: Span


class Wrong(Struct, frozen=True, gc=False):
    """A value that evaluation could not make sense of, and has reported; what reads it says nothing more."""

    span: Span


class ListValue(Struct, frozen=True):
    """`[2, 4, 8]`."""

    items: "tuple[Value, ...]"
    span: Span


class Argument(Struct, frozen=True):
    """An argument of a call; without a name it is known by its position."""

    name: Word | None
    value: "Value"
    span: Span


class Call(Struct, frozen=True):
    """`builtin("mnist5k")`."""

    function: Word
    arguments: tuple[Argument, ...]
    span: Span


Value = Word | Number | Text | Range | Shape | Binary | Negated | Quantity | Wrong | ListValue | Call


class Import(Struct, frozen=True, gc=False):
    """`import "quickstart.cim"` or `import library("chips/isaac.cim")`."""

    path: Value
    span: Span


class Assign(Struct, frozen=True, gc=False):
    """`bits = 8`."""

    name: Word
    value: Value
    span: Span


class Let(Struct, frozen=True, gc=False):
    """`let side = 64`."""

    name: Word
    value: Value
    span: Span


class Setting(Struct, frozen=True, gc=False):
    """`chip.adc.bits = 4..8` in a sweep: a path of fields."""

    path: tuple[Word, ...]
    value: Value
    span: Span


class Definition(Struct, frozen=True, gc=False):
    """`data digits = builtin("digits")`."""

    kind: Word
    name: Word
    value: Value
    span: Span


COMPARISONS = {"accuracy_loss": "<=", "accuracy": ">="}
"""How bounds are written: at most, or at least."""


class Bound(Struct, frozen=True, gc=False):
    """`require accuracy_loss <= 0.086 pp`."""

    kind: Word
    name: Word
    comparison: Word
    value: Value
    span: Span


class Pin(Struct, frozen=True, gc=False):
    """`keep c1 at 8 bit, 8 bit`."""

    kind: Word
    name: Word
    values: tuple[Value, ...]
    span: Span


class Section(Struct, frozen=True, gc=False):
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


class Parameter(Struct, frozen=True, gc=False):
    """A parameter of a block, with its default if it has one."""

    name: Word
    default: Value | None
    span: Span


class BlockDefinition(Struct, frozen=True, gc=False):
    """`block residual(channels, stride = 1) from x { ... }`. `span` is its head."""

    name: Word
    parameters: tuple[Parameter, ...]
    inputs: tuple[Word, ...] | None
    body: "tuple[Statement, ...]"
    span: Span


class Repeat(Struct, frozen=True, gc=False):
    """`repeat 3 { ... }`, or `repeat width in [16, 32] { ... }` with a name for each value. `span` is its head."""

    variable: Word | None
    rounds: Value  # a count, or the values of the variable
    body: "tuple[Statement, ...]"
    span: Span


Statement = Import | Let | Assign | Setting | Definition | Bound | Pin | Section | BlockDefinition | Repeat


class File(Struct, frozen=True, gc=False):
    """A whole file."""

    source: Source
    statements: tuple[Statement, ...]
