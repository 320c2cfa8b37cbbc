"""Whether a name may be changed to another one: a symbol and a new name -> what speaks against it."""

import re

from cimspec.diag import Diagnostics, Source, Span
from cimspec.lang import Word
from cimspec.lsp.index import Index
from cimspec.lsp.symbol import VALUES, Symbol, SymbolKind
from cimspec.spec.library import FOLDER
from cimspec.spec.reserved import check_block_name, check_name

NAME = re.compile(r"[^\W\d]\w*")


def objection(symbol: Symbol, name: str, index: Index) -> str | None:
    """Why a symbol of a file cannot be called `name`; None if it can."""
    path = symbol.span.source.file
    if path and path.is_relative_to(FOLDER.resolve()):
        return f"`{symbol.name}` is of the library that comes with cimspec"
    if not NAME.fullmatch(name):
        return f"`{name}` is no name: letters, digits and `_`, no digit first"
    if name == symbol.name:
        return None
    return _taken(symbol, name, index)


def _taken(symbol: Symbol, name: str, index: Index) -> str | None:
    diagnostics = Diagnostics()
    word = Word(name, Span(Source("", name), 0, len(name)))
    kind = symbol.kind
    taken = f"there is something called `{name}` already"
    if kind in VALUES:
        check_name(word, f"a {kind}", diagnostics)
        others = {each.symbol.name for each in index.occurrences if each.symbol.kind in VALUES}
        is_taken = name in others | set(index.values)
    elif kind is SymbolKind.BLOCK:
        check_block_name(word, diagnostics)
        is_taken = name in index.blocks
    elif kind in (SymbolKind.CHIP, SymbolKind.MODEL, SymbolKind.DATA):
        is_taken = (kind.value, name) in index.sections
    else:
        bodies = [each.own for each in index.layers.values() if any(own.key == symbol.key for own in each.own.values())]
        is_taken = any(name in own for own in bodies)
    return diagnostics.all[0].message if diagnostics.all else taken if is_taken else None
