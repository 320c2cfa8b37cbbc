"""What a diagnostic is: a code, words, and a place in a text. Plain values; render.py turns them into text.

Offsets count characters, `end` is exclusive, and lines and columns start at 1.
"""

from enum import StrEnum
from pathlib import Path

from msgspec import Struct


class Source(Struct, frozen=True, gc=False):
    """A text with the name it is shown under: a path, or `--set` for an option of the command line."""

    name: str
    text: str
    folder: Path | None = None  # where paths in it start, and below which they stay; None for the command line
    file: Path | None = None  # whose text it is, symbolic links resolved

    def line_of(self, offset: int) -> int:
        """Line that holds the character at `offset`."""
        return self.text.count("\n", 0, offset) + 1

    def column_of(self, offset: int) -> int:
        """Column of the character at `offset`."""
        return offset - self._line_start(offset) + 1

    def line_text(self, offset: int) -> str:
        """The whole line that holds `offset`, without its line break."""
        end = self.text.find("\n", offset)
        return self.text[self._line_start(offset) : len(self.text) if end < 0 else end].removesuffix("\r")

    def _line_start(self, offset: int) -> int:
        return self.text.rfind("\n", 0, offset) + 1


class Span(Struct, frozen=True, gc=False):
    """A stretch of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """Line of the first character."""
        return self.source.line_of(self.start)

    @property
    def column(self) -> int:
        """Column of the first character."""
        return self.source.column_of(self.start)

    @property
    def end_line(self) -> int:
        """Line of the last character."""
        return self.source.line_of(max(self.start, self.end - 1))

    @property
    def end_column(self) -> int:
        """Column after the last character."""
        last = max(self.start, self.end - 1)
        return self.source.column_of(last) + self.end - last

    @property
    def text(self) -> str:
        """The characters."""
        return self.source.text[self.start : self.end]

    def to(self, other: "Span") -> "Span":
        """From the start of this span to the end of `other`, which comes later in the same source."""
        return Span(self.source, self.start, other.end)


class Severity(StrEnum):
    """Whether the input is wrong, or only doubtful."""

    ERROR = "error"
    WARNING = "warning"


class Label(Struct, frozen=True, gc=False):
    """A second place that a diagnostic speaks of: `first defined here`."""

    span: Span
    text: str


class Fix(Struct, frozen=True, gc=False):
    """A change that mends what a diagnostic is about: `replacement` for the characters of `span`, which may be none."""

    span: Span
    replacement: str
    title: str


class Diagnostic(Struct, frozen=True, gc=False):
    """One finding. `message` must read well alone; `label` says what to do at the span."""

    code: str
    severity: Severity
    message: str
    span: Span | None = None
    label: str | None = None
    related: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    fixes: tuple[Fix, ...] = ()  # all of them together, where no other change can be meant
