"""Parses statements that start with a word, but with no keyword: `keep c1 at 8 bit`, and blocks with their heads.

What the first word means is not known here: the tokens after it tell the statements apart.
"""

from cimspec.lang.ast import (
    Argument,
    Assign,
    Bound,
    Definition,
    ListValue,
    Number,
    Pin,
    Section,
    Shape,
    Statement,
    Word,
)
from cimspec.lang.cursor import ENDS, UnexpectedError
from cimspec.lang.expressions import BINDING, Values

WRITE_FIELD = "a field is written `name = value`"
SIZE_STARTS = frozenset(("number", "(", "-", "+"))


class Heads(Values):
    """Reads these statements. Each method raises UnexpectedError."""

    def body(self) -> tuple[Statement, ...]:
        """`{ ... }`; for those who know all statements to say."""
        raise NotImplementedError

    def worded(self) -> Statement:
        """A statement that starts with a word, which something else than `=` follows."""
        first = self.at
        second, third = self.kinds[first + 1], self.kinds[first + 2]
        if second in ("+", "-", "*", "/") and third in ("=", second):  # `side += 1`, `side++`
            message = f"`{self.texts[first]}` keeps the value that it has"
            raise UnexpectedError(message, self.span(first + 1), "give the new value a name of its own with `let`")
        if second == "(" and not self.is_called(first + 1):
            return self.formula()
        if second != "name" or self.texts[first + 1] in ("from", "extends"):
            return self.section(None)
        if third == "=":
            return self.definition()
        if third == "comparison":
            return self.bound()
        if third == "name" and self.texts[first + 2] == "at":
            return self.pin()
        if third == ",":
            return self.several()
        if third in BINDING:
            return self.formula()
        return self.section(None if self.is_size(first + 1) else first + 1)

    def is_size(self, index: int) -> bool:
        """Whether the name at `index` is the first size of a shape: `input side x side`."""
        if not self.is_word("x", index + 1):
            return False
        follows = self.kinds[index + 2]
        return follows in ("number", "(") or (follows == "name" and self.texts[index + 2] not in ("from", "extends"))

    def definition(self) -> Definition:
        """`data digits = builtin("digits")`."""
        first = self.at
        self.at += 3
        if self.kinds[self.at] == "{":
            raise self.braced_value(f"{self.texts[first]} {self.texts[first + 1]}")
        value = self.value()
        return Definition(self.word(first), self.word(first + 1), value, self.span_from(first))

    def bound(self) -> Bound:
        """`require accuracy_loss <= 0.1 pp`."""
        first = self.at
        self.at += 3
        value = self.value()
        kind, name, comparison = (self.word(first + index) for index in range(3))
        return Bound(kind, name, comparison, value, self.span_from(first))

    def pin(self) -> Pin:
        """`keep c1 at 8 bit, 8 bit`."""
        first = self.at
        self.at += 3
        values = [self.value()]
        while self.kinds[self.at] == ",":
            self.at += 1
            values.append(self.value())
        return Pin(self.word(first), self.word(first + 1), tuple(values), self.span_from(first))

    def several(self) -> Assign:
        """`pareto latency, energy`."""
        first = self.at
        self.at += 1
        words = self.names("write another name, or no `,`")
        value = ListValue(words, self.span_from(first + 1))
        return Assign(self.word(first), value, self.span_from(first))

    def formula(self) -> Statement:
        """`minimize latency * energy^0.5`."""
        first = self.at
        self.at += 1
        value = self.expression()
        if self.is_times():  # `input (n + 1) x 28`
            return self.rest(first, None, self.shape(value, first + 1), None)
        return Assign(self.word(first), value, self.span_from(first))

    def names(self, label: str = "write the name of an earlier layer") -> tuple[Word, ...]:
        """Names with commas between them."""
        names = [self.name(label=label)]
        while self.kinds[self.at] == ",":
            self.at += 1
            names.append(self.name(label=label))
        return tuple(names)

    def section(self, named: int | None) -> Section:
        """`conv2d s1 from p1 { kernel = 1 }`: a head whose name is the token `named`, and perhaps a block."""
        first = self.at
        self.at = first + 1 if named is None else named + 1
        name = None if named is None else self.word(named)
        kind = self.kinds[self.at]
        if kind == "(" and self.is_called(self.at):
            return self.rest(first, name, None, self.arguments())
        if kind in SIZE_STARTS or (kind == "name" and self.is_size(self.at)):
            self.takes_units = False
            start = self.at
            shape = self.shape(self.expression(), start)
            self.takes_units = True
            self.check_is_shape(first, name, shape)
            return self.rest(first, name, shape, None)
        if named is None and kind not in ("name", "{") and kind not in ENDS:
            raise self.no_field()
        return self.rest(first, name, None, None)

    def rest(
        self, first: int, name: Word | None, shape: Shape | None, arguments: tuple[Argument, ...] | None
    ) -> Section:
        """What follows the word, the name and the shape or arguments of a section."""
        extends: Word | None = None
        sources: tuple[Word, ...] | None = None
        if self.kinds[self.at] == "name":
            if self.is_word("extends"):
                self.at += 1
                extends = self.name(label="write the name of what it is based on")
            if self.is_word("from"):
                self.at += 1
                sources = self.names()
        span = self.span_from(first)
        body = self.body() if self.kinds[self.at] == "{" else None
        return Section(self.word(first), name, shape, extends, sources, body, span, arguments)

    def is_called(self, opening: int) -> bool:
        """Whether the bracket holds arguments; it is part of a value if it goes on behind it: `(n + 1) x 28`."""
        depth, index = 1, opening
        while depth:
            index += 1
            kind = self.kinds[index]
            if kind in ("{", "end"):
                return True
            depth += (kind == "(") - (kind == ")")
        return self.kinds[index + 1] not in BINDING and not self.is_word("x", index + 1)

    def check_is_shape(self, first: int, name: Word | None, shape: Shape) -> None:
        """A number with a unit is none: `cell 2 bit` lacks its `=`."""
        is_unit = self.kinds[self.at] == "%" or (
            self.kinds[self.at] == "name" and self.texts[self.at] not in ("from", "extends")
        )
        if is_unit and name is None and self.at == first + 2 and isinstance(shape.sizes[0], Number):
            self.at -= 1
            raise self.unexpected("`=`", WRITE_FIELD, self.missing_equals())

    def no_field(self) -> UnexpectedError:
        """The error that nothing that is a statement follows its first word."""
        kind, text = self.kinds[self.at], self.texts[self.at]
        if kind == "text" and self.kinds[self.at + 1] in ("{", "name"):
            return self.unexpected("a name", "write it without quotes", self.without_quotes())
        if kind in ("text", "[") and self.texts[self.at - 1] == "input":
            return self.unexpected("a shape", "a shape is written `3 x 32 x 32`")
        if kind == "text" and self.texts[self.at - 1] in ("include", "use", "load", "from"):
            return self.unexpected("`=`", f"write `import {text}`")
        if kind in ("text", "["):
            return self.unexpected("`=`", WRITE_FIELD, self.missing_equals())
        if kind == "comparison":
            label = "write `=`" if text == "==" else "a bound is written `require NAME <= VALUE`, or `>=`"
            return self.unexpected("`=`", label, self.missing_equals())
        is_product = kind in ("*", "/", "^")
        label = "what comes several times is written `repeat 3 { ... }`" if is_product else WRITE_FIELD
        return self.unexpected("`=`, `{` or a name", label)
