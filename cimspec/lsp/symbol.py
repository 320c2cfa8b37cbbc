"""Things with names, and the names of layers: which parts of `s1_c1` speak of what."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from cimspec.diag import Span
from cimspec.lang import Statement

MAX_NESTED = 100  # of blocks in blocks
NUMBERED = re.compile(r"_?[0-9]+$")
ROUND = re.compile(r"(.+?)((?:_[0-9]+)+)")


class SymbolKind(StrEnum):
    """What a name is of."""

    LET = "let"
    PARAMETER = "parameter"
    VARIABLE = "variable of a repeat"
    INPUT = "input of a block"
    LAYER = "layer"
    USE = "use of a block"
    BLOCK = "block"
    CHIP = "chip"
    MODEL = "model"
    DATA = "data"


VALUES = (SymbolKind.LET, SymbolKind.PARAMETER, SymbolKind.VARIABLE)


@dataclass(frozen=True, slots=True, eq=False)
class Symbol:
    """Something with a name. `span` is that name where it is given, `head` the head of its statement."""

    kind: SymbolKind
    span: Span
    head: Span
    statement: Statement | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.span.text

    @property
    def key(self) -> tuple[Path | None, int]:
        """What tells it from all others, also when its file has been read again."""
        return self.span.source.file, self.span.start


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A place that speaks of a symbol."""

    span: Span
    symbol: Symbol


@dataclass(slots=True)
class Layers:
    """Names of layers in a body: its own; of the layers in blocks that it uses; of the model that it extends."""

    own: dict[str, Symbol] = field(default_factory=dict)
    blocks: "dict[str, Layers]" = field(default_factory=dict)  # the layers in a use, by its name
    unnamed: "dict[str, tuple[Symbol, Layers]]" = field(default_factory=dict)  # in uses without a name, by the block's
    repeated: set[str] = field(default_factory=set)
    base: "Layers | None" = None

    def find(self, name: str, at: int = 0, depth: int = 0) -> "Iterator[tuple[int, int, Symbol]]":
        """The parts of a name that speak of symbols: from, to, which one; nothing for a name that is unknown."""
        if depth > MAX_NESTED:  # blocks that use themselves
            return
        plain = self._plain(name)
        if plain in self.own:
            yield at, at + len(plain), self.own[plain]
            return
        for end in [each.start() for each in re.finditer("_", name)]:
            parts = list(self._in_use(name[:end], name[end + 1 :], at, depth))
            if parts:
                yield from parts
                return
        if self.base:
            yield from self.base.find(name, at, depth + 1)

    def _plain(self, name: str) -> str:
        """A name without the number of its round, if it is of a repeat."""
        found = ROUND.fullmatch(name)
        return found[1] if name not in self.own and found and found[1] in self.repeated else name

    def _in_use(self, use: str, rest: str, at: int, depth: int) -> "Iterator[tuple[int, int, Symbol]]":
        """What `rest` speaks of in a use of a block, and what the name of the use does."""
        named, counted = self._plain(use), NUMBERED.sub("", use)
        if named in self.blocks:
            symbol, inner = self.own[named], self.blocks[named]
        elif counted in self.unnamed and counted != use:
            named, (symbol, inner) = counted, self.unnamed[counted]
        else:
            return
        parts = list(inner.find(rest, at + len(use) + 1, depth + 1))
        if parts:
            yield at, at + len(named), symbol
            yield from parts
