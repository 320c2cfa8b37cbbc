"""Cuts a text into tokens: Source -> kinds, texts and offsets, in one pass. Whether they are right is not asked here.

The parser gets three plain lists, not an object for each token: a text of 20,000 lines has 120,000 of them. `lexemes`
gives the same pieces as objects, blanks and comments included, to those who work on the text itself: the formatter,
editors, highlighters.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from itertools import accumulate, compress, count
from typing import NamedTuple

from msgspec import Struct

from cimspec.diag import Source, Span

BLANK = " \t\r\f"
QUOTES = r"\u2018-\u201f\u00ab\u2039\u00bb\u203a"  # typographic ones
QUOTED = rf"(?:'[^'\n]*+' | `[^`\n]*+` | [{QUOTES}][^{QUOTES}\n]*+[{QUOTES}])"
# Groups are not possessive: Python before 3.11.5 loses its place where one fails half-way (python/cpython#106052).
PIECE = re.compile(
    rf"""(?:
    [A-Za-z_]\w*+
  | [{{}}\[\]();,%^+\-]
  | ==?+
  | (?:[0-9]++(?:_[0-9]++)*(?:\.[0-9]++)? | \.[0-9]++)(?:[eE][+-]?+[0-9]++)?
  | (?:\n[{BLANK}]*+ | \#[^\n]*+)+                         # ends of lines, with the comments and empty lines between
  | "[^"\n]*+"?+
  | [<>]=?+
  | \.\.?+\.?+
  | [^\W\d]\w*+
  | //[^\n]*+ | /\*[^\n]*+ | \*\*?+ | :=?+                   # from here on what other languages have
  | {QUOTED}
  | .
  )[{BLANK}]*+""",
    re.VERBOSE | re.DOTALL,
)
GAP_PART = re.compile(rf"\n|\#[^\n]*|[{BLANK}\ufeff]+")
GLUED = re.compile(rf"[0-9][{BLANK}]*+x[0-9]")
SIZES = re.compile(r"(?:x[0-9]+)+x?")  # after a number this is of a shape: `28x28`
COMPARISONS = ("<", ">", "<=", ">=", "==")

KINDS = {
    "": "line",
    **{symbol: symbol for symbol in ("..", *"{}[]()=;,.%*^+-/")},
    **dict.fromkeys(COMPARISONS, "comparison"),
}
FIRST = {
    **dict.fromkeys("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", "name"),
    **dict.fromkeys("0123456789", "number"),
    **dict.fromkeys("\n#", "line"),
}


class Tokens(Struct):
    """The tokens of a text: three lists of one length.

    The kind of a symbol is the symbol itself; others are `name`, `number`, `text`, `comparison`; `line`, the end of a
    line and all empty lines after it; `strange`, what the language does not have; `open`, a text without its closing
    quote; and `end`, which the scan puts after the last.
    """

    source: Source
    kinds: list[str]
    texts: list[str]
    starts: list[int]

    def span(self, index: int) -> Span:
        """Where a token stands."""
        return Span(self.source, self.starts[index], self.starts[index] + len(self.texts[index]))

    def of_kinds(self, wanted: frozenset[str]) -> list[int]:
        """Indices of the tokens that are of one of these kinds."""
        if wanted.isdisjoint(self.kinds):
            return []
        return list(compress(count(), map(wanted.__contains__, self.kinds)))

    def drop(self, indices: set[int]) -> None:
        """Take tokens out."""
        if indices:
            kept = [index not in indices for index in range(len(self.kinds))]
            self.kinds = list(compress(self.kinds, kept))
            self.texts = list(compress(self.texts, kept))
            self.starts = list(compress(self.starts, kept))


class LexemeKind(StrEnum):
    """What a piece of text is."""

    NAME = "name"  # of a field, a layer, an option; a unit; a keyword: none is reserved
    NUMBER = "number"
    TEXT = "text"  # in double quotes
    SYMBOL = "symbol"
    COMMENT = "comment"  # from `#` to the end of its line
    LINE = "line"  # a line feed
    SPACE = "space"  # blanks, tabs, carriage returns, form feeds, a byte order mark
    STRANGE = "strange"  # what the language does not have; a text without its closing quote


LEXEME_KINDS = {
    "name": LexemeKind.NAME,
    "number": LexemeKind.NUMBER,
    "text": LexemeKind.TEXT,
    "strange": LexemeKind.STRANGE,
    "open": LexemeKind.STRANGE,
}


class Lexeme(NamedTuple):
    """A piece of text of one kind."""

    kind: LexemeKind
    text: str
    source: Source
    start: int

    @property
    def end(self) -> int:
        """Offset after its last character."""
        return self.start + len(self.text)

    @property
    def span(self) -> Span:
        """Where it stands."""
        return Span(self.source, self.start, self.start + len(self.text))


def lexemes(source: Source) -> Iterator[Lexeme]:
    """The whole text in pieces, nothing left out: joined they are the text. Never raises."""
    tokens = cut(source)
    after = 0  # where the piece before ends
    for kind, text, start in zip(tokens.kinds, tokens.texts, tokens.starts, strict=True):
        if after < start:
            yield from gap(source, after, start)
        after = start
        if kind != "line":
            yield Lexeme(LEXEME_KINDS.get(kind, LexemeKind.SYMBOL), text, source, start)
            after += len(text)
    yield from gap(source, after, len(source.text))


def gap(source: Source, start: int, end: int) -> Iterator[Lexeme]:
    """What stands between two tokens: blanks, comments, ends of lines."""
    for match in GAP_PART.finditer(source.text, start, end):
        part, first = match.group(), match.start()
        if part[0] == "#":
            text = part.rstrip(BLANK)
            yield Lexeme(LexemeKind.COMMENT, text, source, first)
            part, first = part[len(text) :], first + len(text)
        if part:
            yield Lexeme(LexemeKind.LINE if part == "\n" else LexemeKind.SPACE, part, source, first)


def cut(source: Source, start: int = 0) -> Tokens:
    """The tokens of the text from `start` on, as they stand."""
    text = source.text
    while start < len(text) and (text[start] in BLANK or (start == 0 and text[start] == "\ufeff")):
        start += 1
    pieces = PIECE.findall(text, start)
    starts = list(accumulate(map(len, pieces), initial=start))
    starts.pop()
    texts = [piece.rstrip(" \t\r\f\n") for piece in pieces]
    kinds = [KINDS.get(text) or FIRST.get(text[0]) or kind_of(text) for text in texts]
    tokens = Tokens(source, kinds, texts, starts)
    if GLUED.search(text, start):
        split_sizes(tokens)
    return tokens


def kind_of(text: str) -> str:
    """The kind of a token whose first character leaves it open."""
    first = text[0]
    if first == '"':
        return "text" if len(text) > 1 and text[-1] == '"' else "open"
    if first == "." and text[1:2].isdigit():
        return "number"
    return "name" if first.isalnum() and not first.isdecimal() else "strange"


def split_sizes(tokens: Tokens) -> None:
    """Part `x28` after a number into `x` and `28`."""
    kinds, texts, starts = list[str](), list[str](), list[int]()
    before = ""
    for kind, text, start in zip(tokens.kinds, tokens.texts, tokens.starts, strict=True):
        is_size = before == "number" and kind == "name" and SIZES.fullmatch(text)
        for part in re.finditer(r"x|[0-9]+", text) if is_size else ():
            kinds.append("name" if part.group() == "x" else "number")
            texts.append(part.group())
            starts.append(start + part.start())
        if not is_size:
            kinds.append(kind)
            texts.append(text)
            starts.append(start)
        before = kinds[-1]
    tokens.kinds, tokens.texts, tokens.starts = kinds, texts, starts
