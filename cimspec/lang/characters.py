"""What stands in a text but not in the language: characters of other notations, and what to write instead.

Where the meaning is plain the parser goes on as if the right character stood there, so that one mistake is told once.
"""

import re
import unicodedata
from collections.abc import Iterator

from msgspec import Struct

from cimspec.diag import Diagnostics, Fix, Source, Span, written_instead
from cimspec.lang.lexer import QUOTED

HIDDEN = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Controls, line breaks that editors disagree on, and turns of the writing direction: the text is not what it seems."""
BEFORE_BLOCK = re.compile(r"[ \t]*+(\w*+)[ \t]*+\{")
AT_END = re.compile(r"[ \t]*+(?:#.*+)?(?:\r?\n|\Z)")
LONE_RETURN = re.compile(r"(?<!\r)\r++(?!\n)")  # an end of line for some programs, a blank for others
CLOSED_HERE = re.compile(r'"[\w./+-]+')  # an open text that holds nothing but a path or a name

FOREIGN_TEXT = re.compile(QUOTED, re.VERBOSE)
ADVICE = {
    ":": "a field is written `name = value`",
    ":=": "write `=`",
    "$": "names stand for their values as they are: `rows = side`",
    "?": "a value cannot depend on a condition",
    "&": "a value cannot depend on a condition",
    "|": "a value cannot depend on a condition",
    "!": "a value cannot depend on a condition",
    "//": "comments start with `#`",
    "/*": "comments start with `#` on every line",
    "'": 'write "double quotes"',
    "**": "write `^`",
    "...": "a range is written `2..8`",
    "\N{MULTIPLICATION SIGN}": "write `x` in a shape, `*` in a product",
    "\N{MIDDLE DOT}": "write `*`",
    "\N{DOT OPERATOR}": "write `*`",
    "\N{DIVISION SIGN}": "write `/`",
    "\N{MINUS SIGN}": "write `-`",
    "\N{EN DASH}": "write `-`, or `..` for a range",
    "\N{EM DASH}": "write `-`",
    "\N{NON-BREAKING HYPHEN}": "write `-`",
    "\N{HORIZONTAL ELLIPSIS}": "a range is written `2..8`",
    "\N{LESS-THAN OR EQUAL TO}": "write `<=`",
    "\N{GREATER-THAN OR EQUAL TO}": "write `>=`",
    "\N{NO-BREAK SPACE}": "this blank is not a space; type it again",
}
INSTEAD = {
    "//": "#",
    "**": "^",
    "...": "..",
    "\N{MIDDLE DOT}": "*",
    "\N{DOT OPERATOR}": "*",
    "\N{DIVISION SIGN}": "/",
    "\N{MINUS SIGN}": "-",
    "\N{EM DASH}": "-",
    "\N{NON-BREAKING HYPHEN}": "-",
    "\N{HORIZONTAL ELLIPSIS}": "..",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
}
"""Pieces for which one other can be meant only; what a multiplication sign and a dash stand for has to be asked."""

REPAIRS = {":": "=", ":=": "=", "\N{EN DASH}": "-"} | {
    piece: "comparison" if other in ("<=", ">=") else other for piece, other in INSTEAD.items() if piece != "//"
}
"""Pieces that stand for a token, and its kind."""


class Repair(Struct, frozen=True):
    """What a piece is taken for: the kind of its token, and a text of the same length."""

    kind: str
    text: str


def repair_of(piece: str) -> Repair | None:
    """What `piece` was meant for, if that is plain."""
    if FOREIGN_TEXT.fullmatch(piece):
        return Repair("text", piece)
    if piece == "\N{MULTIPLICATION SIGN}":
        return Repair("name", "x")
    kind = REPAIRS.get(piece) or full_width(piece)
    return Repair(kind, piece) if kind else None


def full_width(piece: str) -> str | None:
    """The plain sign that a wide one of an East Asian keyboard stands for."""
    plain = unicodedata.normalize("NFKC", piece)
    return plain if plain != piece and len(plain) == 1 and plain in "=;,(){}[]*/+^" else None


def report_strange(piece: str, span: Span, diagnostics: Diagnostics) -> None:
    """Say what to write instead of a piece that has no meaning."""
    shown = piece[:2] if piece.startswith(("//", "/*")) else piece if piece in ADVICE else piece[0]
    first = span.source.line_text(span.start).split(maxsplit=1)[:1]
    if FOREIGN_TEXT.fullmatch(piece):
        advice = f'write "{piece[1:-1]}"'
    elif first == ["import"]:
        advice = "write the path in quotes"
    elif piece == ":" and AT_END.match(span.source.text, span.end):
        advice = "a block is written `name { ... }`"
    elif piece == ":" and (block := BEFORE_BLOCK.match(span.source.text, span.end)):
        advice = "write `extends`" if block.group(1) else "a block is written `name { ... }`"
    else:
        advice = ADVICE.get(shown) or advice_for(piece)
    at = Span(span.source, span.start, span.start + len(shown)) if shown in ("//", "/*") else span
    fixes = () if first == ["import"] and not FOREIGN_TEXT.fullmatch(piece) else fixes_of(piece, shown, at)
    diagnostics.error("CIM105", f"{spelled(shown)} has no meaning here", at, label=advice, fixes=fixes)


def fixes_of(piece: str, shown: str, at: Span) -> tuple[Fix, ...]:
    """The fix of a piece that stands `at` a place, if it is plain what is meant."""
    text = at.source.text
    plain = unicodedata.normalize("NFKC", piece)
    if FOREIGN_TEXT.fullmatch(piece):
        instead = None if '"' in piece else f'"{piece[1:-1]}"'
    elif piece == ":" and (block := BEFORE_BLOCK.match(text, at.end)):
        after = " " * (not text[at.end].isspace())
        instead = f" extends{after}" if block.group(1) else ""
    elif piece in (":", ":="):
        instead = f"{' ' * (not text[at.start - 1].isspace())}={' ' * (not text[at.end : at.end + 1].isspace())}"
    elif shown in INSTEAD:
        instead = INSTEAD[shown]
    elif len(plain) == 1 and "!" <= plain <= "~" and plain != piece:
        instead = plain
    else:
        instead = {"Zs": " ", "Cf": ""}.get(unicodedata.category(piece[0]))
    return () if instead is None else (written_instead(at, instead),)


def advice_for(piece: str) -> str:
    """What to do about a character that is in no list."""
    plain = unicodedata.normalize("NFKC", piece)
    if len(plain) == 1 and "!" <= plain <= "~" and plain != piece:
        return f"write `{plain}`"
    category = unicodedata.category(piece)
    if category == "Zs":
        return ADVICE["\N{NO-BREAK SPACE}"]
    if category == "Mn":
        return "a letter and its accent must be one character (NFC)"
    return "remove this character"


def spelled(piece: str) -> str:
    """A piece as messages show it: what cannot be seen by its number."""
    is_seen = piece.isprintable() and piece != "`" and unicodedata.category(piece[0]) != "Mn"
    return f"`{piece}`" if is_seen else f"U+{ord(piece[0]):04X}"


def report_open_text(span: Span, diagnostics: Diagnostics) -> None:
    """A text without its closing quote."""
    end = Span(span.source, span.end, span.end)
    fixes = [written_instead(end, '"')] if CLOSED_HERE.fullmatch(span.text) else []
    diagnostics.error("CIM102", "this string is not closed", span, label='put `"` at its end', fixes=fixes)


def report_return(source: Source, start: int, diagnostics: Diagnostics) -> bool:
    """Report the first lone carriage return, if there is one: where lines end is then unknown."""
    found = LONE_RETURN.search(source.text, start) if "\r" in source.text else None
    if found:
        at = Span(source, found.start(), found.start() + 1)
        message = "U+000D, a carriage return, stands here without a line feed"
        diagnostics.error("CIM105", message, at, label="end lines with LF or CR LF")
    return found is not None


def hidden(source: Source, start: int) -> Iterator[Span]:
    """Characters that are nowhere allowed, not even in texts and comments."""
    for found in HIDDEN.finditer(source.text, start):
        yield Span(source, *found.span())


def report_hidden(span: Span, diagnostics: Diagnostics) -> None:
    """Report one of them."""
    label = "remove this character: it cannot be seen"
    diagnostics.error("CIM105", f"U+{ord(span.text):04X} has no meaning here", span, label=label)
