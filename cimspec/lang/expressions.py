"""Parses values: numbers with their units, words, texts, lists, calls, ranges, shapes, and what is computed of them.

Operators are parsed by their binding powers. The height of the tree is bounded while it is made, so that whoever walks
through a value may do so by recursion.
"""

from cimspec.diag import Span, written_instead
from cimspec.lang.ast import (
    Argument,
    Binary,
    Call,
    ListValue,
    Negated,
    Number,
    Range,
    Shape,
    Text,
    Value,
    Word,
)
from cimspec.lang.brackets import MAX_NESTING
from cimspec.lang.cursor import Cursor, UnexpectedError
from cimspec.lang.lexer import COMPARISONS

BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 4}
SIGN = 3  # `-a * b` is `(-a) * b`, `-a ^ b` is `-(a ^ b)`
AFTER_VALUE = frozenset(("line", ";", "}", "end", ",", "]", ")"))
OPERANDS = frozenset(("name", "number", "text", "[", "("))  # what a value without a sign starts with
STARTS = OPERANDS | {"-", "+"}  # what a value starts with
MAX_NUMBER_LENGTH = 40
MAX_EXPONENT = 30
WRITE_VALUE = "write a value here"


class Values(Cursor):
    """Reads values. Each method raises UnexpectedError."""

    height = 0  # of the value that was read last
    depth = 0  # of expressions being read, one in another
    takes_units = True  # false in the shape of a head: `input 3 from x`

    def value(self) -> Value:
        """Any value."""
        at = self.at
        if self.kinds[at + 1] in AFTER_VALUE:  # most values are one token
            kind = self.kinds[at]
            if kind == "number":
                self.height = 0
                self.at = at + 1
                return self.number(at)
            if kind == "name":
                self.height = 0
                self.at = at + 1
                return self.word(at)
        return self.any_value()

    def any_value(self) -> Value:
        """A value of more than one token."""
        first, kind = self.at, self.kinds[self.at]
        if kind == "text":
            self.height = 0
            self.at += 1
            return Text(self.texts[first][1:-1], self.span(first))
        if kind == "[":
            return self.list_value()
        value = self.expression()
        if self.kinds[self.at] == "..":
            height = self.height
            self.at += 1
            high = self.expression()
            self.height = max(height, self.height) + 1
            return Range(value, high, self.span_from(first))
        return self.shape(value, first) if self.texts[self.at] == "x" and self.is_times() else value

    def is_times(self) -> bool:
        """Whether the `x` of a shape comes."""
        return self.is_word("x") and self.kinds[self.at + 1] not in ("=", "comparison")

    def shape(self, size: Value, first: int) -> Shape:
        """A shape whose first size has been read."""
        sizes = [size]
        height = self.height
        while self.is_times():
            self.at += 1
            if self.kinds[self.at] not in ("name", "number", "(", "-", "+"):
                raise self.unexpected("a size", "a shape is written `3 x 32 x 32`")
            sizes.append(self.expression())
            height = max(height, self.height)
        self.height = height + 1
        return Shape(tuple(sizes), self.span_from(first))

    def list_value(self) -> ListValue:
        """`[2, 4, 8]`, with or without a comma at its end."""
        first = self.at
        items, height = [], 0
        self.at += 1
        while self.kinds[self.at] != "]":
            items.append(self.value())
            height = max(height, self.height)
            self.comma("]")
        self.at += 1
        self.height = height + 1
        return ListValue(tuple(items), self.span_from(first))

    def comma(self, closing: str) -> None:
        """Read the comma after an item; none is needed before the `closing` bracket."""
        kind = self.kinds[self.at]
        if kind == ",":
            self.at += 1
        elif kind != closing:
            label = "write `,`" if kind == ";" else "write `,` before it" if kind in OPERANDS else None
            fixes = self.replaced(",") if kind == ";" else self.added(",") if kind in OPERANDS else ()
            raise self.unexpected(f"`,` or `{closing}`", label, fixes)

    def arguments(self) -> tuple[Argument, ...]:
        """`("a", limit = 3)`: what stands in the brackets of a call."""
        arguments, height = [], 0
        self.take("(")
        while self.kinds[self.at] != ")":
            first = self.at
            name: Word | None = None
            if self.kinds[first] == "name" and self.kinds[first + 1] == "=":
                name = self.word(first)
                self.at += 2
            value = self.value()
            height = max(height, self.height)
            arguments.append(Argument(name, value, self.span_from(first) if name else value.span))
            self.comma(")")
        self.at += 1
        self.height = height + 1
        return tuple(arguments)

    def expression(self, floor: int = 0) -> Value:
        """Operands and the operators between them that bind stronger than `floor`."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.too_deep(self.at)
        first = self.at
        value = self.operand()
        if self.kinds[self.at] in BINDING:
            value = self.further(value, first, floor)
        self.depth -= 1
        return value

    def further(self, left: Value, first: int, floor: int = 0) -> Value:
        """An expression whose first operand has been read, from the token `first` on."""
        height = self.height
        while (binding := BINDING.get(self.kinds[self.at], 0)) > floor:
            at = self.at
            self.at += 1
            # `a ^ b ^ c` is `a ^ (b ^ c)`, all others take the left first.
            right = self.expression(binding - 1 if binding == BINDING["^"] else binding)
            height = max(height, self.height) + 1
            if height > MAX_NESTING:
                raise self.too_deep(at)
            left = Binary(Word(self.kinds[at], self.span(at)), left, right, self.span_from(first))
        self.height = height
        return left

    def operand(self) -> Value:
        """A number, a word, a call, an expression in brackets, or one of these with a sign."""
        first = self.at
        self.height = 0
        self.at = first + 1
        match self.kinds[first]:
            case "number":
                return self.number_with_unit(first)
            case "name" if self.kinds[first + 1] == "(":
                arguments = self.arguments()
                return Call(self.word(first), arguments, self.span_from(first))
            case "name":
                return self.word(first)
            case "(":
                value = self.expression()
                self.take(")", label=self.only_expressions())
                return value
            case "-" | "+" as sign if sign == "-" or self.kinds[first + 1] == "number":
                return self.signed(sign, first)
            case _:
                self.at = first
                raise self.no_value()

    def signed(self, sign: str, first: int) -> Value:
        """`-a`; the sign, at `first`, of a number alone is part of the number."""
        operand = self.expression(SIGN)
        if isinstance(operand, Number) and self.kinds[first + 1] == "number":
            return Number(sign + operand.text, operand.unit, self.span_from(first))
        if sign == "+":
            return operand
        self.height += 1
        if self.height > MAX_NESTING:
            raise self.too_deep(first)
        return Negated(operand, self.span_from(first))

    def number_with_unit(self, first: int) -> Number:
        """A number that has been read, and the unit after it if there is one."""
        kind = self.kinds[self.at]
        if kind != "%" and (kind != "name" or not self.takes_units or self.texts[self.at] == "x"):
            return self.number(first)
        self.at += 1
        return Number(self.number(first).text, self.word(self.at - 1), self.span_from(first))

    def number(self, index: int) -> Number:
        """The token at `index` as a number without a unit."""
        text, start = self.texts[index], self.starts[index]
        end = start + len(text)
        if not text.isdigit() or end - start > MAX_NUMBER_LENGTH:
            if is_monstrous(text):
                raise UnexpectedError("this number is too long", self.span(index), "write a shorter number", "CIM106")
            text = text.replace("_", "")
        return Number(text, None, Span(self.source, start, end))

    def no_value(self) -> UnexpectedError:
        """The error that no value stands where one must."""
        match self.kinds[self.at]:
            case "text" | "[":
                return self.unexpected("a number or a name", "only numbers can be computed with")
            case "{" if self.at - self.mark == 2 and self.kinds[self.at - 1] == "=":
                return self.braced_value(self.texts[self.mark])
            case "comparison" if self.kinds[self.at - 1] == "=":
                sign = f"{self.texts[self.at]}="
                fixes = self.replaced(sign, self.at - 1) if sign in COMPARISONS else ()
                return self.unexpected("a value", f"write `{sign}`", fixes)
            case _:
                return self.unexpected("a value", WRITE_VALUE)

    def braced_value(self, head: str) -> UnexpectedError:
        """The error that `{` follows `=`: a block is meant, or a list if no statements are in it."""
        if self.kinds[self.at + 1] not in ("name", "line", "}"):
            return self.unexpected("a value", "a list is written in `[` and `]`")
        equals = Span(self.source, self.starts[self.at - 1], self.starts[self.at])
        label = f"a block is written `{head} {{ ... }}`, without `=`"
        return self.unexpected("a value", label, [written_instead(equals, "")])

    def only_expressions(self) -> str | None:
        """What to say if brackets hold more than an expression."""
        if self.kinds[self.at] == ",":
            return "a list is written in `[` and `]`"
        return "remove the brackets around it" if self.kinds[self.at] == ".." or self.is_times() else None

    def too_deep(self, at: int) -> UnexpectedError:
        """The error that an expression has too many operators in each other."""
        message = f"this expression is nested more than {MAX_NESTING} deep"
        return UnexpectedError(message, self.span(at), "give parts of it names with `let`", "CIM107")


def is_monstrous(number: str) -> bool:
    """Whether a number is too long to compute with."""
    exponent = number.lower().partition("e")[2]
    return len(number) > MAX_NUMBER_LENGTH or (exponent != "" and abs(int(exponent)) > MAX_EXPONENT)
