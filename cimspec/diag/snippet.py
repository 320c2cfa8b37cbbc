"""One place of a source as a person sees it: where, the line, and a mark below -> lines of text."""

import unicodedata
from dataclasses import dataclass

from cimspec.diag.diagnostic import Span

TAB = "    "
BEFORE = 60  # characters kept to the left of the mark in a line too long to show
WIDTH = 140

ANSI = {"bold": "1", "bold red": "1;31", "bold yellow": "1;33", "blue": "34"}


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours text, or leaves it alone."""

    color: bool

    def __call__(self, text: str, style: str) -> str:
        """The text in a style of `ANSI`."""
        return f"\x1b[{ANSI[style]}m{text}\x1b[0m" if self.color and text else text


def snippet(span: Span, label: str, arrow: str, mark: str, style: str, gutter: int, paint: Paint) -> list[str]:
    """The place, its line, and the marks with the label. Of a span over several lines the first is shown."""
    source = span.source
    line = source.line_text(span.start)
    start = min(span.column - 1, len(line))
    goes_on = span.end_line > span.line
    end = len(line) if goes_on else min(start + span.end - span.start, len(line))
    line, start, end = crop(line, start, end)
    marks = " " * width(line[:start]) + paint(mark * max(1, width(line[start:end])) + ("..." if goes_on else ""), style)
    bar = paint("|", "blue")
    empty = " " * gutter
    return [
        f"{empty}{paint(arrow, 'blue')} {clean(source.name)}:{span.line}:{span.column}",
        f"{empty} {bar}",
        f"{paint(str(span.line).rjust(gutter), 'blue')} {bar} {clean(line)}".rstrip(),
        f"{empty} {bar} {marks} {paint(clean(label), style)}".rstrip(),
    ]


def crop(line: str, start: int, end: int) -> tuple[str, int, int]:
    """The part of a long line around `start`, and where `start` and `end` are in it."""
    if len(line) <= WIDTH:
        return line, start, end
    first = max(0, start - BEFORE)
    head = "..." if first else ""
    part = head + line[first : first + WIDTH] + ("..." if first + WIDTH < len(line) else "")
    shift = len(head) - first
    return part, start + shift, min(end + shift, len(head) + WIDTH)


def clean(text: str) -> str:
    """Text that a terminal shows as it is: tabs as spaces, control and formatting characters replaced."""
    return "".join(TAB if character == "\t" else shown(character) for character in text)


def shown(character: str) -> str:
    """The character, or a stand-in for one that has no shape, drives the terminal, or reorders the line."""
    return (
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character
    )


def width(text: str) -> int:
    """Terminal cells that cleaned `text` takes: wide characters take two, combining ones none."""
    return sum(cells(character) for character in clean(text))


def cells(character: str) -> int:
    """Terminal cells of one character."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
