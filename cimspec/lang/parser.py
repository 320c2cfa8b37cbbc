"""Parses a text: Source -> File, reporting everything that is not the language.

After an error the statement that holds it is taken out and the rest parsed again: one run shows every wrong
statement.
"""

from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

from lark import Lark, Token
from lark.exceptions import UnexpectedInput
from lark.lark import PostLex

from cimspec.diag import Diagnostics, Source
from cimspec.lang.ast import File, Value
from cimspec.lang.scan import Lexeme, scan
from cimspec.lang.syntax_errors import report, statement_around
from cimspec.lang.tree import build, build_value

MAX_ERRORS = 20
MAX_REPARSED = 200_000  # characters; a larger text is not parsed again after its first error
STRANGE = ("strange", "open_string")  # kinds of lexemes that the grammar does not know
PLACEHOLDER = ";_"  # ends the statement before it and is a statement itself


class LineEnds(PostLex):
    """Drops the line breaks that end no statement: repeated ones, after `{`, and inside lists and calls."""

    always_accept = ("_END",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Tokens in, tokens out."""
        depth = 0
        previous = "_END"
        for token in stream:
            if token.type == "_END" and (depth or previous in ("_END", "LBRACE")):
                continue
            depth += {"LSQB": 1, "LPAR": 1, "RSQB": -1, "RPAR": -1}.get(token.type, 0)
            previous = token.type
            yield token


@cache
def grammar() -> Lark:
    """The parser, built once."""
    return Lark(
        Path(__file__).with_name("cim.lark").read_text(encoding="utf-8"),
        parser="lalr",
        start=["start", "value"],
        propagate_positions=True,
        maybe_placeholders=True,
        postlex=LineEnds(),
    )


def parse(source: Source, diagnostics: Diagnostics) -> File:
    """The tree of a text. After errors it holds the statements that are right."""
    found = scan(source, diagnostics)
    if not found.is_balanced:
        return File(source, ())
    text = without_strange(source.text, found.lexemes)
    strange = (lexeme for lexeme in found.lexemes if lexeme.kind in STRANGE)
    bad_lines = {lexeme.span.line for lexeme in islice(strange, MAX_ERRORS)}  # finding a line takes time
    last = -1
    for _ in range(MAX_ERRORS):
        try:
            return build(grammar().parse(text, start="start"), source)
        except UnexpectedInput as error:
            statement = statement_around(error, found.lexemes, len(text))
            if source.line_of(statement.position) not in bad_lines:
                report(statement, source, diagnostics)
            room = statement.end - statement.start
            if statement.position <= last or room < len(PLACEHOLDER) or len(text) > MAX_REPARSED:
                break
            last = statement.position
            text = text[: statement.start] + PLACEHOLDER.ljust(room) + text[statement.end :]
    return File(source, ())


def parse_value(source: Source, start: int, diagnostics: Diagnostics) -> Value | None:
    """The value from offset `start` to the end of the text, as in `chip.adc.bits=6`; None after errors."""
    before = diagnostics.count
    found = scan(source, diagnostics, start)
    if diagnostics.count > before:
        return None
    # The text before the value is blanked, not cut off, so that positions stay true.
    text = " " * start + source.text[start:].rstrip()
    try:
        return build_value(grammar().parse(text, start="value"), source)
    except UnexpectedInput as error:
        report(statement_around(error, found.lexemes, len(text)), source, diagnostics)
        return None


def without_strange(text: str, lexemes: tuple[Lexeme, ...]) -> str:
    """The text with what cannot be parsed blanked; it has been reported."""
    pieces = [lexeme.text if lexeme.kind not in STRANGE else blank(lexeme) for lexeme in lexemes]
    return "".join(pieces) if len(pieces) else text


def blank(lexeme: Lexeme) -> str:
    """Something harmless of the same length."""
    return " " * len(lexeme.text)
