"""Writes a `.cim` text in its one canonical form: text -> text with the same tree and the same comments.

Only blanks, ends of lines, `;` and commas at the end of a list change. Two blanks a level; one blank around `=`,
comparisons and operators but `^` and `..`, and none inside of brackets; a block that stands on one line stays there if
it fits, any other has one statement a line; of empty lines one is kept, but none beside a brace. A comment stands two
blanks behind what is on its line, or on a line of its own as far in as what follows.
"""

from collections.abc import Iterator

from cimspec.diag import Diagnostics, Source
from cimspec.lang.lexer import cut
from cimspec.lang.outline import Block, Comment, Statement, outline
from cimspec.lang.parser import no_collection, parse
from cimspec.lang.wrapping import INDENT, WIDTH, commented_lines, wrapped_lines


def format_text(text: str, name: str = "text") -> str:
    """The canonical form of a text, which is its own; `name` is for messages.

    Raises CimError where the text has errors of syntax.
    """
    return format_source(Source(name, text))


def format_source(source: Source) -> str:
    """The canonical form of a source's text. Raises CimError where it has errors of syntax."""
    diagnostics = Diagnostics()
    parse(source, diagnostics)
    diagnostics.raise_if_errors()
    with no_collection():
        return "".join(f"{line}\n" for line in _Writer(source).lines())


class _Writer:
    """Writes the statements of a source."""

    def __init__(self, source: Source) -> None:
        self.text = source.text
        self.tokens = cut(source)
        self.whole = outline(self.tokens)

    def lines(self) -> Iterator[str]:
        """All lines."""
        return self.block(self.whole, "")

    def block(self, block: Block, indent: str) -> Iterator[str]:
        """The lines of what stands in a block."""
        for item in block.items:
            if item.is_after_blank:
                yield ""
            if isinstance(item, Comment):
                yield f"{indent}{item.text}"
            else:
                yield from self.statement(item, indent)

    def statement(self, statement: Statement, indent: str) -> Iterator[str]:
        """The lines of a statement, with its block and its comment."""
        behind = f"  {statement.comment}" if statement.comment else ""
        body = statement.body
        if body is None:
            *lines, last = self.head(statement, indent, "")
            yield from lines
            yield f"{last}{behind}"
            return
        flat = self.flat(statement)
        if flat is not None and len(indent) + len(flat) <= WIDTH:
            yield f"{indent}{flat}{behind}"
            return
        *lines, last = self.head(statement, indent, " {")
        yield from lines
        yield f"{last}  {body.comment}" if body.comment else last
        yield from self.block(body, indent + INDENT)
        yield f"{indent}}}{behind}"

    def flat(self, statement: Statement) -> str | None:
        """A statement on one line; None where it is on several, or has a comment in it."""
        body = statement.body
        if body is not None and body.items and not body.is_on_one_line:
            return None
        if body is not None and body.comment:
            return None
        lines = self.head(statement, "", "")
        if len(lines) > 1 or body is None:
            return lines[0] if len(lines) == 1 else None
        parts = []
        for item in body.items:
            part = self.flat(item) if isinstance(item, Statement) else None
            if part is None:
                return None
            parts.append(part)
        return f"{lines[0]} {{ {'; '.join(parts)} }}" if parts else f"{lines[0]} {{}}"

    def head(self, statement: Statement, indent: str, behind: str) -> list[str]:
        """The lines of a statement up to its block, `behind` on the last."""
        first, last = statement.first, statement.last
        kinds, texts = self.tokens.kinds[first:last], self.tokens.texts[first:last]
        if "line" in kinds and any("#" in text for text in texts if text[:1] in "#\n"):
            ends = [*self.tokens.starts[first + 1 : last + 1], len(self.text)]
            between = [self.text[start:end] for start, end in zip(self.tokens.starts[first:last], ends, strict=False)]
            *lines, end = commented_lines(kinds, texts, between, indent)
            return [*lines, end + behind]
        return wrapped_lines(kinds, texts, indent, behind)
