"""Reads half-written text: lines -> which blocks are open, and the statements in them, as words.

No token spans lines, so what some lines hold is kept by their text: after a change only the lines around it are read
anew, and a text of 20,000 lines is gone through in milliseconds. Nothing is reported; what makes no sense is passed
over.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from cimspec.diag import Source
from cimspec.lang.lexer import cut

TOP_LEVEL = frozenset(("import", "chip", "model", "data", "training", "search", "block", "sweep"))
"""Words that start statements outside of blocks. At the start of a line they end blocks that were left open."""

CHUNK, LONGEST_CHUNK = 32, 256
"""Lines that are kept together, on average and at most."""


class Token(NamedTuple):
    """A token of a line; `start` counts from the start of the line."""

    kind: str
    text: str
    start: int


LINE_END = Token("line", "", 0)


@dataclass(slots=True, eq=False)
class Node:
    """A statement by the words of its head, and the statements in its block; None if it has no block."""

    head: tuple[str, ...]
    inner: "list[Node] | None" = None

    @property
    def kind(self) -> str:
        """Its first word."""
        return self.head[0] if self.head else ""

    @property
    def name(self) -> str | None:
        """Its second word, if that is a name."""
        word = self.head[1] if len(self.head) > 1 else ""
        return word if word.isidentifier() and word not in ("from", "extends") else None

    def after(self, keyword: str) -> str | None:
        """The word behind a keyword of the head: `b` in `chip a extends b`."""
        at = self.head.index(keyword) + 1 if keyword in self.head[1:] else 0
        return self.head[at] if 0 < at < len(self.head) else None


@dataclass(slots=True)
class Reading:
    """How far a text has been read: the blocks that are open, outermost first, and the statement at the end."""

    open: list[Node] = field(default_factory=lambda: [Node((), [])])
    statement: list[Token] = field(default_factory=list)
    depth: int = 0  # of brackets in the statement

    def feed(self, tokens: Iterable[Token]) -> None:
        """Read tokens; `line` and `;` end a statement outside of brackets, braces anywhere."""
        for token in tokens:
            kind = token.kind
            if kind == "{":
                node = Node(tuple(each.text for each in self.statement), [])
                self.add(node)
                self.open.append(node)
                self._start()
            elif kind == "}":
                self.end()
                self.close()
            elif kind in ("line", ";"):
                if not self.depth:
                    self.end()
            else:
                self.depth = max(0, self.depth + (kind in "([") - (kind in ")]"))
                self.statement.append(token)

    def feed_line(self, tokens: Sequence[Token]) -> None:
        """Read a whole line."""
        if starts_anew(tokens):
            self.start_anew()
        self.feed(tokens)
        self.feed((LINE_END,))

    def feed_lines(self, lines: Sequence[str]) -> None:
        """Read whole lines."""
        for chunk in chunks(lines):
            if self.statement:
                for line in chunk:
                    self.feed_line(tokens_of(line))
            else:
                self._apply(read_chunk(chunk))

    def close(self) -> None:
        """Read a `}`."""
        if len(self.open) > 1:
            self.open.pop()

    def start_anew(self) -> None:
        """Close what was left open."""
        self.end()
        del self.open[1:]

    def add(self, *nodes: Node) -> None:
        """Add statements to the innermost block."""
        inner = self.open[-1].inner
        assert inner is not None, "what is open has a block"
        inner.extend(nodes)

    def end(self) -> None:
        """End the statement."""
        if self.statement:
            self.add(Node(tuple(each.text for each in self.statement)))
        self._start()

    def _start(self) -> None:
        self.statement, self.depth = [], 0

    def _apply(self, chunk: "Chunk") -> None:
        for step in chunk.steps:
            self.add(*step.nodes)
            if step.starts_anew:
                self.start_anew()
            else:
                self.close()
        self.add(*chunk.nodes)
        for opened in chunk.opened:
            node = Node(opened.head, list(opened.inner or ()))
            self.add(node)
            self.open.append(node)
        self.statement, self.depth = list(chunk.statement), chunk.depth


class Step(NamedTuple):
    """Statements, and after them a `}` of a block that was opened before, or a line that starts anew."""

    nodes: tuple[Node, ...]
    starts_anew: bool


class Chunk(NamedTuple):
    """What some lines do, wherever they stand; all nodes are shared and must not be changed."""

    steps: tuple[Step, ...]
    nodes: tuple[Node, ...]  # after the last step
    opened: tuple[Node, ...]  # blocks that stay open, each without the next
    statement: tuple[Token, ...]
    depth: int


class _ChunkReading(Reading):
    """Reads lines without knowing what is open before them."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []

    def close(self) -> None:
        if len(self.open) > 1:
            super().close()
        else:
            self._step(starts_anew=False)

    def start_anew(self) -> None:
        self.end()
        self._step(starts_anew=True)

    def _step(self, *, starts_anew: bool) -> None:
        self.steps.append(Step(tuple(self.open[0].inner or ()), starts_anew))
        self.open = [Node((), [])]

    @property
    def chunk(self) -> Chunk:
        parts = [list(node.inner or ()) for node in self.open]
        for part in parts[:-1]:
            part.pop()  # the block that is open in it
        opened = tuple(Node(node.head, part) for node, part in zip(self.open[1:], parts[1:], strict=True))
        return Chunk(tuple(self.steps), tuple(parts[0]), opened, tuple(self.statement), self.depth)


@lru_cache(maxsize=20_000)
def read_chunk(lines: tuple[str, ...]) -> Chunk:
    """What lines do."""
    reading = _ChunkReading()
    for line in lines:
        reading.feed_line(tokens_of(line))
    return reading.chunk


def chunks(lines: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The lines in chunks that end where it is said by a line itself, so that most stay the same after a change."""
    start = 0
    for index, line in enumerate(lines):
        if hash(line) % CHUNK == 0 or index - start >= LONGEST_CHUNK:
            yield tuple(lines[start : index + 1])
            start = index + 1
    if start < len(lines):
        yield tuple(lines[start:])


def starts_anew(tokens: Sequence[Token]) -> bool:
    """Whether a line starts with the start of a top-level statement, without blanks before it."""
    if len(tokens) < 2 or tokens[0].start or tokens[0].text not in TOP_LEVEL:
        return False
    return tokens[1].kind in ("name", "text", "{")


def tokens_of(text: str) -> tuple[Token, ...]:
    """The tokens of a line or of its beginning. A comment is one of kind `line`, its text starts with `#`."""
    tokens = cut(Source("", text))
    return tuple(map(Token, tokens.kinds, tokens.texts, tokens.starts))


def outline(text: str) -> Node:
    """All statements of a text."""
    reading = Reading()
    reading.feed_lines(text.split("\n"))
    return reading.open[0]
