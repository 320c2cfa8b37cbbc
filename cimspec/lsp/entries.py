"""The outline of a file as editors show it: a tree of statements -> a tree of names with their stretches.

Layers without a name are left out: they are most of a network, and say least.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cimspec.diag import Span
from cimspec.lang import (
    BlockDefinition,
    Definition,
    File,
    Let,
    Repeat,
    Section,
    Statement,
    Word,
)

INPUT = "input"


@dataclass(frozen=True, slots=True)
class Entry:
    """A statement with a name; `span` is that name, `start` and `end` are those of all of it."""

    name: str
    kind: str  # chip, model, block, let, layer, repeat, part ...
    detail: str
    span: Span
    start: int
    end: int
    inner: "tuple[Entry, ...]" = ()


def entries_of(file: File) -> tuple[Entry, ...]:
    """The outline of a file."""
    return tuple(_entries(file.statements, file.source.text, ""))


def _entries(statements: Iterable[Statement], text: str, parent: str) -> Iterator[Entry]:
    for statement in statements:
        match statement:
            case Let(name=name):
                yield _entry(name, "let", statement, text, ())
            case Definition(kind=kind, name=name):
                yield _entry(name, kind.text, statement, text, ())
            case BlockDefinition(name=name, body=body):
                yield _entry(name, "block", statement, text, body)
            case Repeat(variable=variable, body=body):
                word = variable or Word("repeat", Span(statement.span.source, statement.span.start, statement.span.end))
                yield _entry(word, "repeat", statement, text, body)
            case Section(kind=kind, name=name, body=body):
                is_layer = parent in ("model", "block", "repeat")
                if is_layer and name is None and kind.text != INPUT:
                    continue
                what = "layer" if is_layer else kind.text if not parent else "part"
                yield _entry(name or kind, what, statement, text, () if is_layer else body or (), has_body=bool(body))
            case _:
                pass


def _entry(
    name: Word, kind: str, statement: Statement, text: str, body: Sequence[Statement], *, has_body: bool = False
) -> Entry:
    inner = tuple(_entries(body, text, kind))
    end = end_of(statement, text) if body or has_body else statement.span.end
    shown = name.text if name.span.text == name.text else statement.span.text
    return Entry(shown, kind, statement.span.text, name.span, statement.span.start, end, inner)


def end_of(statement: Statement, text: str) -> int:
    """Where a statement ends, with its block."""
    body: Sequence[Statement] = ()
    if isinstance(statement, Section | BlockDefinition | Repeat):
        body = statement.body or ()
    last = end_of(body[-1], text) if body else statement.span.end
    if not body:
        return last
    closing = text.find("}", last)
    while closing >= 0 and "#" in text[text.rfind("\n", 0, closing) + 1 : closing] and closing > last:
        line_end = text.find("\n", closing)  # a brace in a comment
        closing = text.find("}", line_end) if line_end >= 0 else -1
    return closing + 1 if closing >= 0 else last
