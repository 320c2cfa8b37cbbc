"""Looks over the characters of a text before it is parsed: Source -> lexemes, and what is wrong with them.

Finds what a parser explains badly: brackets that do not pair, open strings, odd characters, huge numbers.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cimspec.diag import Diagnostics, Label, Source, Span

MAX_NESTING = 100
MAX_NUMBER_LENGTH = 40
MAX_EXPONENT = 30
MAX_REPORTS = 20  # a file that is no `.cim` at all should not give a thousand diagnostics

LEXEME = re.compile(
    r"""
    (?P<space>[ \t\r\f]+)
  | (?P<comment>\#[^\n]*)
  | (?P<line>\n)
  | (?P<string>"[^"\n]*")
  | (?P<open_string>"[^\n]*)
  | (?P<number>[+-]?(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
  | (?P<name>[^\W\d]\w*)
  | (?P<symbol>\.\.|<=|>=|==|[=<>,;%*^])
  | (?P<opening>[{\[(])
  | (?P<closing>[}\])])
  | (?P<strange>.)
    """,
    re.VERBOSE | re.DOTALL,
)
CLOSING = {"{": "}", "[": "]", "(": ")"}

ADVICE = {
    ":": "a field is written `name = value`",
    "/": "comments start with `#`",
    "'": 'write "double quotes"',
    "\N{LEFT DOUBLE QUOTATION MARK}": 'write plain "double quotes"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": 'write plain "double quotes"',
    "\N{MULTIPLICATION SIGN}": "write the letter `x`",
    "\N{LESS-THAN OR EQUAL TO}": "write `<=`",
    ".": "a number has digits on both sides of its point; a range is written `2..8`",
}


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A piece of text of one kind: a group of `LEXEME`."""

    kind: str
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Scan:
    """The lexemes of a text, and whether its brackets pair, which parsing needs."""

    lexemes: tuple[Lexeme, ...]
    is_balanced: bool


def scan(source: Source, diagnostics: Diagnostics, start: int = 0) -> Scan:
    """Report what is wrong with the characters of `source` from `start` on."""
    lexemes = tuple(cut(source, start))
    strange = list(check_characters(lexemes))
    for lexeme in strange[:MAX_REPORTS]:
        report_character(lexeme, diagnostics)
    for lexeme in lexemes:
        if lexeme.kind == "number" and is_monstrous(lexeme.text):
            diagnostics.error("CIM106", "this number is too long", lexeme.span, label="write a shorter number")
    return Scan(lexemes, check_brackets(source, lexemes, diagnostics))


def cut(source: Source, start: int) -> Iterator[Lexeme]:
    """The text from `start` on in pieces, with nothing left out."""
    for match in LEXEME.finditer(source.text, start):
        yield Lexeme(match.lastgroup or "", match.group(), Span(source, match.start(), match.end()))


def check_characters(lexemes: tuple[Lexeme, ...]) -> Iterator[Lexeme]:
    """Lexemes that cannot be in a `.cim` text; of several in a row only the first."""
    previous: Lexeme | None = None
    for lexeme in lexemes:
        follows = previous is not None and previous.kind == "strange" and lexeme.kind == "strange"
        if lexeme.kind == "open_string" or (lexeme.kind == "strange" and not follows):
            yield lexeme
        previous = lexeme


def report_character(lexeme: Lexeme, diagnostics: Diagnostics) -> None:
    """Say what to write instead of a lexeme that cannot be."""
    if lexeme.kind == "open_string":
        diagnostics.error("CIM102", "this string is not closed", lexeme.span, label='put `"` at its end')
        return
    first = lexeme.span.source.line_text(lexeme.span.start).split(maxsplit=1)[:1]
    advice = "write the path in quotes" if first == ["import"] else ADVICE.get(lexeme.text, "remove this character")
    code = f"U+{ord(lexeme.text):04X}"
    shown = f"`{lexeme.text}`" if lexeme.text.isprintable() and lexeme.text != "`" else code
    diagnostics.error("CIM105", f"{shown} has no meaning here", lexeme.span, label=advice)


def is_monstrous(number: str) -> bool:
    """Whether a number is too long to compute with."""
    exponent = number.lower().partition("e")[2]
    return len(number) > MAX_NUMBER_LENGTH or (exponent != "" and abs(int(exponent)) > MAX_EXPONENT)


def check_brackets(source: Source, lexemes: tuple[Lexeme, ...], diagnostics: Diagnostics) -> bool:
    """Report brackets that do not pair; True if all do."""
    opened: list[Lexeme] = []
    is_balanced, unpaired = True, 0
    for lexeme in lexemes:
        if lexeme.kind == "opening":
            opened.append(lexeme)
            if len(opened) > MAX_NESTING:
                diagnostics.error(
                    "CIM107",
                    f"brackets are nested more than {MAX_NESTING} deep",
                    lexeme.span,
                    label="nest less",
                )
                return False
        elif lexeme.kind == "closing" and not close(lexeme, opened, diagnostics):
            is_balanced = False
            if (unpaired := unpaired + 1) >= MAX_REPORTS:
                return False
    end = Span(source, len(source.text.rstrip()), len(source.text.rstrip()))
    for lexeme in opened[-1:]:
        is_balanced = False
        diagnostics.error(
            "CIM103",
            f"`{lexeme.text}` is not closed",
            lexeme.span,
            label=f"`{CLOSING[lexeme.text]}` is missing",
            related=[Label(end, "the file ends here")],
        )
    return is_balanced


def close(lexeme: Lexeme, opened: list[Lexeme], diagnostics: Diagnostics) -> bool:
    """Take the bracket that `lexeme` closes off the `opened` ones; report if it closes another or none."""
    if opened and CLOSING[opened[-1].text] == lexeme.text:
        opened.pop()
        return True
    inner = [bracket for bracket in opened if CLOSING[bracket.text] == lexeme.text]
    if not inner:
        diagnostics.error(
            "CIM104", f"`{lexeme.text}` closes nothing", lexeme.span, label="remove it, or open it before"
        )
        return False
    # `[2, 4 }`: the closing bracket belongs to an outer one, so the inner one was forgotten.
    forgotten = opened[-1]
    diagnostics.error(
        "CIM103",
        f"`{forgotten.text}` is not closed",
        forgotten.span,
        label=f"`{CLOSING[forgotten.text]}` is missing",
        related=[Label(lexeme.span, f"`{lexeme.text}` comes first")],
    )
    while opened.pop() is not inner[-1]:
        pass
    return False
