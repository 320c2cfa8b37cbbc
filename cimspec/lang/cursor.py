"""A place in the tokens of a text, and what is said when something else stands there than can.

Errors are told in words: what was expected, after what, what is there, what to write.
"""

from collections.abc import Sequence

from cimspec.diag import Diagnostics, Fix, Source, Span, written_instead
from cimspec.lang.ast import Word
from cimspec.lang.lexer import Tokens

ENDS = frozenset(("line", ";", "}", "end"))  # what ends a statement
MAX_SHOWN = 40  # characters of a token in a message


class UnexpectedError(Exception):
    """The statement cannot go on like this: a diagnostic, to be reported where the parser finds its way again."""

    def __init__(
        self,
        message: str,
        span: Span,
        label: str | None = None,
        code: str = "CIM101",
        fixes: Sequence[Fix] = (),
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.span, self.label, self.fixes = code, message, span, label, fixes

    def report(self, diagnostics: Diagnostics) -> None:
        """Tell it."""
        diagnostics.error(self.code, self.message, self.span, label=self.label, fixes=self.fixes)


class Cursor:
    """Where the parser is. `at` is the token to be read, `mark` the first one of the statement."""

    def __init__(self, tokens: Tokens) -> None:
        self.source: Source = tokens.source
        self.kinds, self.texts, self.starts = tokens.kinds, tokens.texts, tokens.starts
        self.at = 0
        self.mark = 0

    def word(self, index: int) -> Word:
        """The token at `index` as a word."""
        text, start = self.texts[index], self.starts[index]
        return Word(text, Span(self.source, start, start + len(text)))

    def span(self, index: int) -> Span:
        """Where the token at `index` stands."""
        start = self.starts[index]
        return Span(self.source, start, start + len(self.texts[index]))

    def span_from(self, first: int) -> Span:
        """From the token `first` to the last one that was read."""
        last = self.at - 1
        return Span(self.source, self.starts[first], self.starts[last] + len(self.texts[last]))

    def is_word(self, text: str, index: int | None = None) -> bool:
        """Whether the token to be read, or the one at `index`, is the name `text`."""
        index = self.at if index is None else index
        return self.texts[index] == text and self.kinds[index] == "name"

    def name(self, wanted: str = "a name", label: str = "write a name here") -> Word:
        """Read a name. Raises UnexpectedError."""
        if self.kinds[self.at] != "name":
            label = "write it without quotes" if self.kinds[self.at] == "text" else label
            raise self.unexpected(wanted, label, self.without_quotes())
        self.at += 1
        return self.word(self.at - 1)

    def take(self, kind: str, wanted: str | None = None, label: str | None = None) -> None:
        """Read a token of one kind. Raises UnexpectedError."""
        if self.kinds[self.at] != kind:
            raise self.unexpected(wanted or f"`{kind}`", label, self.missing_equals() if kind == "=" else ())
        self.at += 1

    def skip_lines(self) -> None:
        """Go over the end of a line."""
        while self.kinds[self.at] == "line":
            self.at += 1

    def unexpected(self, wanted: str, label: str | None = None, fixes: Sequence[Fix] = ()) -> UnexpectedError:
        """The error that something else stands here than what is `wanted`, in words."""
        place = f" after {self.shown(self.at - 1)}" if self.at > self.mark else ""
        return UnexpectedError(f"expected {wanted}{place}, found {self.found()}", self.here(), label, fixes=fixes)

    def added(self, text: str) -> tuple[Fix, ...]:
        """The fix that puts `text` behind the token before this."""
        end = self.span(self.at - 1).end
        return (written_instead(Span(self.source, end, end), text),)

    def replaced(self, text: str, first: int | None = None) -> tuple[Fix, ...]:
        """The fix that writes `text` instead of this token, or of all from the token `first` to this."""
        return (written_instead(self.span(self.at if first is None else first).to(self.span(self.at)), text),)

    def missing_equals(self) -> tuple[Fix, ...]:
        """The fix that writes `=` where a value follows, or where another sign stands for it."""
        if self.texts[self.at] == "==":
            return self.replaced("=")
        return self.added(" =") if self.kinds[self.at] in ("number", "text", "[") else ()

    def without_quotes(self) -> tuple[Fix, ...]:
        """The fix that takes a name out of its quotes."""
        text = self.texts[self.at][1:-1]
        return self.replaced(text) if self.kinds[self.at] == "text" and text.isidentifier() else ()

    def here(self) -> Span:
        """The token to be read; at the end of a line or text, the place after what was read."""
        if self.kinds[self.at] not in ("line", "end"):
            return self.span(self.at)
        end = self.span(self.at - 1).end if self.at else self.starts[0]
        return Span(self.source, end, end)

    def found(self) -> str:
        """What stands here, in words."""
        match self.kinds[self.at]:
            case "end":
                return "the end of the text"
            case "line":
                return "the end of the line"
            case "number":
                return f"the number {self.shown(self.at)}"
            case "text":
                return f"the text {self.shown(self.at)}"
            case _:
                return self.shown(self.at)

    def shown(self, index: int) -> str:
        """The token at `index` as messages quote it."""
        text = self.texts[index]
        text = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
        return text if self.kinds[index] == "text" else f"`{text}`"
