"""Reads `.cim` files: a path -> the parsed file and all that it imports. Raises what is wrong.

Imports reach only below the importing file's own folder, symbolic links resolved, and the shipped library; each file is
read once.
"""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from cimspec.diag import Diagnostics, Label, Source, Span
from cimspec.lang import Call, File, Import, Text, parse
from cimspec.spec.base import NamedFile
from cimspec.spec.corrections import renamed_file
from cimspec.spec.library import library_file

Named = TypeVar("Named", bound=NamedFile)
MAX_BYTES = 4_000_000  # of a file, and of all files that are read together
MAX_FILES = 100
MAX_LISTED = 1000  # names of a folder, for suggestions
START = "`cimspec new` writes a spec to start from"
Texts = Mapping[Path, str]
"""What stands in for files, by their paths with symbolic links resolved: what an editor has not saved yet."""


@dataclass(frozen=True, slots=True)
class Module:
    """A parsed file and the modules it imports, in order."""

    file: File
    imports: "tuple[Module, ...]"


def read_modules(path: Path, diagnostics: Diagnostics, texts: Texts | None = None) -> Module:
    """The module at `path`. Raises if anything in it or its imports is not the language."""
    module = parsed_modules(path, diagnostics, texts)
    diagnostics.raise_if_errors()
    assert module is not None, "a file that could not be read was reported"
    return module


def parsed_modules(path: Path, diagnostics: Diagnostics, texts: Texts | None = None) -> Module | None:
    """The module at `path` with what is right in it; None if it cannot be read."""
    return _Reader(diagnostics, texts or {}).read(path, path.as_posix(), None)


class _Reader:
    """Reads modules; knows which are done and which are being read."""

    def __init__(self, diagnostics: Diagnostics, texts: Texts) -> None:
        self._diagnostics = diagnostics
        self._texts = texts
        self._done: dict[Path, Module | None] = {}
        self._open: dict[Path, Span | None] = {}
        self._length = 0  # of all texts so far

    def read(self, path: Path, name: str, at: Span | None) -> Module | None:
        """The module at `path`, shown as `name` and imported `at`; None if it cannot be read."""
        text = self._texts.get(path.resolve()) if self._texts else None
        source = (
            read_source(path, name, at, self._diagnostics)
            if text is None
            else Source(name, text, path.resolve().parent, path.resolve())
        )
        if source is None:
            return None
        if at is not None:
            self._diagnostics.imported_at(source, at)
        self._length += len(source.text)
        if self._length > MAX_BYTES:
            message = f"`{name}` and the files before it have more than {MAX_BYTES:,} characters together"
            self._diagnostics.error("CIM114", message, at, label="import less")
            return None
        before = self._diagnostics.count
        file = parse(source, self._diagnostics)
        if not file.statements and self._diagnostics.count == before:
            self._diagnostics.error("CIM113", f"`{name}` is empty: it holds no statement", at, help=START)
            return None
        here = path.resolve()
        self._open[here] = at
        imports = [
            self._follow(statement, path, name) for statement in file.statements if isinstance(statement, Import)
        ]
        del self._open[here]
        return Module(file, tuple(module for module in imports if module))

    def _follow(self, statement: Import, importer: Path, shown: str) -> Module | None:
        """The module that an import names; the importing file is `shown` under this name."""
        error = self._diagnostics.error
        found = self._target(statement, importer, shown)
        if found is None:
            return None
        path, target, name = found
        if target in self._open:
            first = self._open[target]
            related = [Label(first, "imported here first")] if first else []
            error(
                "CIM116",
                f"`{path.text}` imports itself",
                path.span,
                label="remove this import",
                related=related,
            )
        elif target in self._done:
            return self._done[target]
        elif len(self._done) >= MAX_FILES:
            error("CIM117", f"more than {MAX_FILES} files are imported", path.span, label="this is one too many")
        else:
            self._done[target] = None
            self._done[target] = self.read(target, name, path.span)
            return self._done[target]
        return None

    def _target(self, statement: Import, importer: Path, shown: str) -> tuple[Text, Path, str] | None:
        """The path in an import, the file it means, and how that is shown; None after reporting what is wrong."""
        path = statement.path
        if isinstance(path, Call) and path.function.text == "library":
            return library_file(path, self._diagnostics)
        if not isinstance(path, Text):
            form = 'library("chips/isaac.cim")' if isinstance(path, Call) else '"file.cim"'
            label = f"write `import {form}`"
            self._diagnostics.error("CIM213", "`import` takes a path in quotes", path.span, label=label)
            return None
        folder = importer.resolve().parent
        target = resolved(folder, path.text)
        if target is None or not target.is_relative_to(folder):
            label = "import a file of this folder or below it"
            message = f"`{path.text}` is not below the folder of this file"
            self._diagnostics.error("CIM115", message, path.span, label=label)
            return None
        return path, target, (Path(shown).parent / path.text).as_posix()


def read_named(path: Text, diagnostics: Diagnostics) -> Source | None:
    """The text of a file that a value names: confined like an import, but anywhere if the command line names it."""
    found = located(path, diagnostics)
    return read_source(*found, path.span, diagnostics) if found else None


def name_file(path: Text, model: type[Named], diagnostics: Diagnostics) -> Named | None:
    """A file or folder that a value names and that a later step reads, confined in the same way."""
    found = located(path, diagnostics)
    if found is None:
        return None
    target, shown = found
    if model.MAY_BE_FOLDER and is_folder(target):
        pass
    elif not is_plain(target, shown, path.span, diagnostics):
        return None
    elif not model.MAY_BE_FILE:
        diagnostics.error("CIM111", f"`{shown}` is no folder", path.span, label="name the folder")
        return None
    try:
        return model.at(target, shown)
    except OSError as error:
        reason = (error.strerror or "this is no path").lower()
        diagnostics.error("CIM111", f"`{shown}` cannot be read: {reason}", path.span)
        return None


def located(path: Text, diagnostics: Diagnostics) -> tuple[Path, str] | None:
    """The file that a value names and how it is shown; None after reporting that it is out of bounds."""
    importer = path.span.source
    target = resolved(importer.folder or Path.cwd(), path.text)
    if target is None or (importer.folder is not None and not target.is_relative_to(importer.folder)):
        label = "name a file of this folder or below it"
        message = f"`{path.text}` is not below the folder of this file"
        diagnostics.error("CIM115", message, path.span, label=label)
        return None
    return target, (Path(importer.name).parent / path.text).as_posix() if importer.folder else path.text


def resolved(folder: Path, text: str) -> Path | None:
    """The file that a path in a `.cim` file means; None if it cannot be a path at all."""
    try:
        return (folder / text).resolve()
    except (OSError, ValueError, RuntimeError):
        return None


def read_source(path: Path, name: str, at: Span | None, diagnostics: Diagnostics) -> Source | None:
    """The text of a file, without a byte order mark; None after reporting that it cannot be had."""
    if not is_plain(path, name, at, diagnostics):
        return None
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)  # whatever size it claims to have
        if len(content) > MAX_BYTES:
            help = "is it the file that you meant? large networks are read with `onnx(...)`"  # noqa: A001
            diagnostics.error("CIM114", f"`{name}` has more than {MAX_BYTES:,} bytes", at, help=help)
            return None
        file = path.resolve()
        return Source(name, content.decode("utf-8-sig"), file.parent, file)
    except UnicodeDecodeError as error:
        diagnostics.error("CIM112", f"`{name}` is not UTF-8: byte {error.start} is wrong", at, help="save it as UTF-8")
    except OSError as error:
        reason = error.strerror or "this is no path"
        diagnostics.error("CIM111", f"`{name}` cannot be read: {reason.lower()}", at)
    return None


def is_folder(path: Path) -> bool:
    """Whether there is a folder at `path`; False if that cannot be found out."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_plain(path: Path, name: str, at: Span | None, diagnostics: Diagnostics) -> bool:
    """Whether there is a plain file at `path`; what there is instead is reported."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            return True
        what = "a folder" if stat.S_ISDIR(mode) else "not a plain file"
        diagnostics.error("CIM111", f"`{name}` is {what}", at, help=f"name a `{path.suffix or '.cim'}` file")
    except (FileNotFoundError, NotADirectoryError):
        meant = similar_file(path, diagnostics)
        hint = f"did you mean `{meant}`?" if meant else None
        if meant is None and at is not None:
            hint = "paths start at the folder of the file that names them"
        fixes = renamed_file(at, path.name, meant)
        diagnostics.error("CIM110", f"there is no file `{name}`", at, help=hint, fixes=fixes)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "this is no path"
        diagnostics.error("CIM111", f"`{name}` cannot be read: {reason.lower()}", at)
    return False


def similar_file(path: Path, diagnostics: Diagnostics) -> str | None:
    """A file of the same folder that may have been meant."""
    try:
        names = sorted(entry.name for entry in islice(path.parent.iterdir(), MAX_LISTED))
        alike = [name for name in names if name.endswith(path.suffix or ".cim")]
        return diagnostics.did_you_mean(path.name, alike) or diagnostics.did_you_mean(path.name, names)
    except (OSError, ValueError):
        return None
