"""Parses statements, and finds the way again after an error: a statement with an error is skipped, no other.

An error is told once, at its place; nothing is told about a statement in which the scan has found something.
"""

from bisect import bisect_left
from collections.abc import Callable

from cimspec.diag import Diagnostics, Span, written_instead
from cimspec.lang.ast import (
    Assign,
    BlockDefinition,
    Import,
    Let,
    Parameter,
    Repeat,
    Section,
    Setting,
    Statement,
    Value,
    Word,
)
from cimspec.lang.brackets import CLOSING, OPENING
from cimspec.lang.cursor import ENDS, UnexpectedError
from cimspec.lang.endings import Endings
from cimspec.lang.expressions import STARTS
from cimspec.lang.scan import Scan

MAX_ERRORS = 100  # after so many, what follows is not read: the file is no `.cim`


class Statements(Endings):
    """Reads statements and blocks of them."""

    def __init__(self, scan: Scan, diagnostics: Diagnostics) -> None:
        super().__init__(scan.tokens)
        self.told = scan.told
        self.diagnostics = diagnostics
        self.errors = 0
        self.keywords: dict[str, Callable[[], Statement]] = {
            "import": self.import_file,
            "let": self.let,
            "block": self.block,
            "repeat": self.repeat,
            "sweep": self.sweep,
        }

    def statements(self) -> tuple[Statement, ...]:
        """All statements up to the `}` of a block, or the end of the text. Errors are reported."""
        found: list[Statement] = []
        kinds = self.kinds
        while (kind := kinds[self.at]) not in ("}", "end"):
            if kind in ("line", ";"):
                self.at += 1
                continue
            self.mark = self.at
            try:
                found.append(self.statement())
                if kinds[self.at] not in ENDS:
                    statement = found[-1] if kinds[self.at - 1] == "}" else found.pop()  # a whole block is right
                    raise self.not_ended(statement)
            except UnexpectedError as error:
                self.recover(error)
        return tuple(found)

    def body(self) -> tuple[Statement, ...]:
        """`{ ... }`."""
        self.at += 1
        statements = self.statements()
        self.at += self.kinds[self.at] == "}"  # that it is there the scan has seen to
        self.mark = self.at
        return statements

    def statement(self) -> Statement:
        """One statement. Raises UnexpectedError."""
        first = self.at
        if self.kinds[first] != "name":
            raise self.no_statement()
        second = self.kinds[first + 1]
        if second == "=":
            self.at = first + 2
            value = self.value()
            return Assign(self.word(first), value, self.span_from(first))
        if second == "." and (self.kinds[first + 2] == "name" or self.texts[first] != "import"):
            path, value = self.setting()
            return Setting(path, value, self.span_from(first))
        keyword = self.keywords.get(self.texts[first])
        return keyword() if keyword else self.worded()

    def setting(self) -> tuple[tuple[Word, ...], Value]:
        """`chip.adc.bits = 4..8`."""
        path = [self.name()]
        while self.kinds[self.at] == ".":
            self.at += 1
            path.append(self.name(label="write the name of a field"))
        self.take("=", label="a setting is written `chip.adc.bits = 4..8`")
        return tuple(path), self.value()

    def import_file(self) -> Import:
        """`import "base.cim"`, `import library("chips/isaac.cim")`."""
        first = self.at
        self.at += 1
        kind = self.kinds[self.at]
        if kind != "text" and not (kind == "name" and self.kinds[self.at + 1] == "("):
            raise self.no_path()
        path = self.value()
        return Import(path, self.span_from(first))

    def no_path(self) -> UnexpectedError:
        """The error that `import` is not followed by a path in quotes."""
        last = self.at
        while self.kinds[last] not in ENDS:
            last += 1
        if last == self.at:
            return self.unexpected("a path in quotes", 'write `import "file.cim"`')
        end = self.starts[last - 1] + len(self.texts[last - 1])
        span = Span(self.source, self.starts[self.at], end)
        message = f"expected a path in quotes after `import`, found {self.found()}"
        fixes = [written_instead(span, f'"{span.text}"')] if '"' not in span.text else []
        is_library = self.is_word("library") and self.kinds[self.at + 1] == "text"
        label = f"write `library({self.texts[self.at + 1]})`" if is_library else "write the path in quotes"
        return UnexpectedError(message, span, label, fixes=fixes)

    def let(self) -> Let:
        """`let side = 64`."""
        first = self.at
        self.at += 1
        form = "a name is given to a value by `let NAME = VALUE`"
        name = self.name(label=form)
        self.take("=", label=form)
        value = self.value()
        return Let(name, value, self.span_from(first))

    def block(self) -> BlockDefinition:
        """`block residual(channels, stride = 1) from x { ... }`."""
        first = self.at
        self.at += 1
        name = self.name(label="a block is written `block NAME(PARAMETER) { ... }`")
        parameters = self.parameters() if self.kinds[self.at] == "(" else ()
        inputs: tuple[Word, ...] | None = None
        if self.is_word("from"):
            self.at += 1
            inputs = self.names("write names for what the block reads")
        span = self.span_from(first)
        return BlockDefinition(name, parameters, inputs, self.needed_body(), span)

    def parameters(self) -> tuple[Parameter, ...]:
        """`(channels, stride = 1)`."""
        parameters = []
        self.at += 1
        while self.kinds[self.at] != ")":
            first = self.at
            name = self.name("the name of a parameter", "parameters are names, such as `channels` or `stride = 1`")
            default: Value | None = None
            if self.kinds[self.at] == "=":
                self.at += 1
                default = self.value()
            parameters.append(Parameter(name, default, self.span_from(first)))
            self.comma(")")
        self.at += 1
        return tuple(parameters)

    def repeat(self) -> Repeat:
        """`repeat 3 { ... }`, `repeat width in [16, 32] { ... }`."""
        first = self.at
        self.at += 1
        form = "write `repeat NAME in 1..3 { ... }`"
        variable: Word | None = None
        if self.kinds[self.at] == "name" and self.kinds[self.at + 1] in ("=", "number", "["):
            self.at += 1
            raise self.unexpected("`in`", form)
        if self.kinds[self.at] == "name" and self.is_word("in", self.at + 1):
            variable = self.name()
            self.at += 1
        if self.kinds[self.at] not in STARTS:
            wanted = "the values of the variable" if variable else "a number of rounds, or a name and `in`"
            raise self.unexpected(wanted, form)
        rounds = self.value()
        span = self.span_from(first)
        return Repeat(variable, rounds, self.needed_body(), span)

    def needed_body(self) -> tuple[Statement, ...]:
        """The block of a statement that must have one."""
        if self.kinds[self.at] != "{":
            is_range = self.is_word("to", self.at - 1)
            label = "a range is written `1..3`" if is_range else "the `{` of its block stands on the same line"
            raise self.unexpected("`{`", label)
        return self.body()

    def sweep(self) -> Section:
        """`sweep chip.adc.bits = 4..8`, or several of these in `{ ... }`: a section with settings."""
        first = self.at
        self.at += 1
        span = self.span_from(first)
        if self.kinds[self.at] == "{":
            body = tuple(as_setting(each) for each in self.body())
        elif self.kinds[self.at] == "name":
            start = self.at
            path, value = self.setting()
            body = (Setting(path, value, self.span_from(start)),)
        else:
            raise self.unexpected("a field or `{`", "write `sweep chip.adc.bits = 4..8`")
        return Section(self.word(first), None, None, None, None, body, span)

    def no_statement(self) -> UnexpectedError:
        """The error that a statement starts with no word."""
        if self.kinds[self.at] == "{":
            label = "write it at the end of the line that it belongs to"
            if all(kind == "line" for kind in self.kinds[: self.at]):
                label = "a file starts with a statement: `chip NAME { ... }`"
            return UnexpectedError("this `{` belongs to no statement", self.here(), label)
        kind = self.kinds[self.at]
        if kind in ("%", "*") or (kind == "-" and self.kinds[self.at + 1] == "-"):
            return self.unexpected("a statement", "comments start with `#`")
        if kind == "[":
            return self.unexpected("a statement", "a block is written `name { ... }`")
        return self.unexpected("a statement", "a statement starts with a name")

    def recover(self, error: UnexpectedError) -> None:
        """Report an error and go on to the end of its statement; blocks on the way are read for their errors."""
        first = self.mark
        self.skip(sum((kind in OPENING) - (kind in CLOSING) for kind in self.kinds[first : self.at]))
        self.tell(error, self.starts[first], self.starts[self.at])
        if self.errors >= MAX_ERRORS:
            self.at = self.kinds.index("end", self.at)
        while self.kinds[self.at] == "{":
            self.body()
            self.skip(0)
        self.depth, self.takes_units = 0, True

    def skip(self, inside: int) -> None:
        """Go on, out of as many brackets, to the end of the statement or to the `{` of a block."""
        while (kind := self.kinds[self.at]) != "end":
            if kind in ENDS and inside <= 0:
                break
            if kind == "{" and self.kinds[self.at + 1] in ("name", "line", ";", "}"):
                break
            inside += (kind in OPENING) - (kind in CLOSING)
            self.at += 1

    def tell(self, error: UnexpectedError, start: int, end: int) -> None:
        """Report an error of the statement between these offsets, unless the scan has found something in it."""
        index = bisect_left(self.told, start)
        if index < len(self.told) and self.told[index] < end:
            return
        self.errors += 1
        error.report(self.diagnostics)


def as_setting(statement: Statement) -> Statement:
    """A field of a sweep as a setting whose path is one word: `data = [...]`."""
    if isinstance(statement, Assign):
        return Setting((statement.name,), statement.value, statement.span)
    return statement
