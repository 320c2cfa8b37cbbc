"""The files an editor works on: texts of open documents, those of others from the disk, and what is read from them.

Nothing is read twice while it stays the same. Positions are offsets in these texts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cimspec.diag import Diagnostics
from cimspec.lsp.index import Index, index_module
from cimspec.lsp.lines import Node, outline
from cimspec.spec.files import MAX_BYTES, Module, parsed_modules
from cimspec.spec.library import FOLDER, library_names

MAX_IMPORTS = 100


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file as a tree, with the texts that it and its imports were read from."""

    module: Module
    has_errors: bool
    texts: dict[Path, str | None]


@dataclass(slots=True)
class Project:
    """Open documents by their paths with symbolic links resolved."""

    open: dict[Path, str] = field(default_factory=dict)
    _saved: dict[Path, tuple[tuple[int, int], str]] = field(default_factory=dict)
    _outlines: dict[Path, tuple[str, Node]] = field(default_factory=dict)
    _parsed: dict[Path, Parsed] = field(default_factory=dict)
    _indexes: dict[Path, tuple[Parsed, Index]] = field(default_factory=dict)

    def text(self, path: Path) -> str | None:
        """The text of a file: of the open document, else of the disk; None if there is none."""
        if path in self.open:
            return self.open[path]
        try:
            status = path.stat()
            stamp = status.st_mtime_ns, status.st_size
            if status.st_size > MAX_BYTES:
                return None
            if self._saved.get(path, (None, ""))[0] != stamp:
                self._saved[path] = stamp, path.read_bytes().decode("utf-8-sig")
        except (OSError, ValueError):
            return None
        return self._saved[path][1]

    def outline(self, path: Path) -> Node:
        """The statements of a file, half-written ones too."""
        text = self.text(path) or ""
        known = self._outlines.get(path)
        if known is None or known[0] != text:
            known = self._outlines[path] = text, outline(text)
        return known[1]

    def imported(self, path: Path, root: Node) -> Iterator[Node]:
        """The statements of all files that a file with these statements imports, each once."""
        done = {path}
        waiting = list(self.imports(path, root))
        while waiting and len(done) < MAX_IMPORTS:
            other = waiting.pop(0)
            if other not in done:
                done.add(other)
                statements = self.outline(other)
                yield statements
                waiting += self.imports(other, statements)

    def imports(self, path: Path, root: Node) -> Iterator[Path]:
        """The files that these statements of a file import."""
        for node in root.inner or ():
            match node.head:
                case ("import", named) if named.startswith('"'):
                    yield target(path.parent, named.strip('"'))
                case ("import", "library", "(", named, *_) if named.strip('"') in library_names():
                    yield (FOLDER / named.strip('"')).resolve()
                case _:
                    pass

    def parsed(self, path: Path) -> Parsed | None:
        """A file as a tree; None if it cannot be read."""
        known = self._parsed.get(path)
        if known and all(self.text(each) == text for each, text in known.texts.items()):
            return known
        diagnostics = Diagnostics()
        module = parsed_modules(path, diagnostics, self.open)
        if module is None:
            self._parsed.pop(path, None)
            return None
        texts = {file: self.text(file) for file in files_of(module)}
        texts |= {missing: self.text(missing) for missing in self.imports(path, self.outline(path))}
        own = any(each.span and each.span.source is module.file.source for each in diagnostics.all)
        parsed = self._parsed[path] = Parsed(module, own, texts)
        return parsed

    def index(self, path: Path) -> Index | None:
        """The names of a file and where they are used; None if it cannot be read."""
        parsed = self.parsed(path)
        if parsed is None:
            return None
        known = self._indexes.get(path)
        if known is None or known[0] is not parsed:
            known = self._indexes[path] = parsed, index_module(parsed.module)
        return known[1]

    def importers(self, path: Path) -> list[Path]:
        """The open documents that import a file, directly or not, and the file itself."""
        found = [each for each in self.open if (parsed := self.parsed(each)) and path in parsed.texts]
        return found if path in found else [path, *found]


def target(folder: Path, named: str) -> Path:
    """The file that a path in a file of this folder means."""
    try:
        return (folder / named).resolve()
    except (OSError, ValueError, RuntimeError):
        return folder / "?"


def files_of(module: Module) -> Iterator[Path]:
    """The files of a module and its imports."""
    path = module.file.source.file
    if path:
        yield path
    for imported in module.imports:
        yield from files_of(imported)
