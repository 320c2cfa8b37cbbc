"""The state of the language server, on pygls: open documents, and the checks of them.

Checks wait for a pause in the typing and run beside the requests, one at a time. What they find is shown unless the
text has changed meanwhile.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from traceback import format_exc

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from cimspec.diag import Diagnostic, Span
from cimspec.lsp.check import Checked, Checker
from cimspec.lsp.convert import Converter
from cimspec.lsp.index import Index
from cimspec.lsp.project import Project
from cimspec.lsp.symbol import Occurrence
from cimspec.spec.files import MAX_BYTES

PAUSE = 0.2  # seconds without a change before a check
LONGEST_PAUSE = 2.0


class CimServer(LanguageServer):
    """The server and what it knows."""

    def __init__(self) -> None:
        super().__init__("cimspec", version("cimspec"), text_document_sync_kind=types.TextDocumentSyncKind.Full)
        self.project = Project()
        self.checker = Checker()
        self.checked: dict[Path, Checked] = {}
        self.uris: dict[Path, str] = {}
        self.shown: set[Path] = set()
        self._converter: Converter | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._checking: asyncio.Task[None] | None = None
        self._to_check: set[Path] = set()
        self._took = 0.0
        self._thread = ThreadPoolExecutor(max_workers=1)  # one of its own: those of pygls wait for input

    @property
    def convert(self) -> Converter:
        """The converter for the client."""
        if self._converter is None:
            encoding = self.workspace.position_encoding
            name = encoding.value if isinstance(encoding, types.PositionEncodingKind) else str(encoding or "utf-16")
            self._converter = Converter(name, self.uris)
        return self._converter

    def path(self, uri: str) -> Path | None:
        """The file of a document, symbolic links resolved; None for what is no file."""
        found = to_fs_path(uri)
        return Path(found).resolve() if found else None

    def opened(self, uri: str) -> tuple[Path, str] | None:
        """The file of an open document and its text; None for one that is too large to be a spec."""
        path = self.path(uri)
        text = self.project.open.get(path) if path else None
        return (path, text) if path and text is not None and len(text) <= MAX_BYTES else None

    def changed(self, uri: str, text: str | None) -> None:
        """Take a new text of a document, None if it has been closed, and check what depends on it after a pause."""
        path = self.path(uri)
        if path is None:
            return
        if text is None:
            self.project.open.pop(path, None)
            self.uris.pop(path, None)
            self.checked.pop(path, None)
        else:
            self.project.open[path] = text
            self.uris[path] = uri
        self._to_check |= {path, *(root for root, found in self.checked.items() if path in found.files)}
        self._schedule()

    def files_changed(self) -> None:
        """Check all open documents after a pause: files that they name may have changed on the disk."""
        self._to_check |= self.project.open.keys()
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting:
            self._waiting.cancel()
        pause = min(LONGEST_PAUSE, PAUSE + self._took)
        self._waiting = asyncio.get_running_loop().call_later(pause, self._start)

    def _start(self) -> None:
        if self._checking is None or self._checking.done():  # else it looks itself for what is left
            self._checking = asyncio.get_running_loop().create_task(self._check_all())

    async def _check_all(self) -> None:
        """Check the open documents that are due, one after the other, in a thread."""
        loop = asyncio.get_running_loop()
        while self._to_check:
            path = self._to_check.pop()
            if path not in self.project.open:
                self._publish()
                continue
            texts = dict(self.project.open)
            start = perf_counter()
            try:
                found = await loop.run_in_executor(self._thread, self.checker.check, path, texts)
            except Exception:  # other documents, and the next text of this one, may be fine
                message = f"a bug in cimspec, met in {path.name}; please report it:\n{format_exc()}"
                self.window_log_message(types.LogMessageParams(types.MessageType.Error, message))
                continue
            self._took = perf_counter() - start
            if any(self.project.open.get(file) != texts.get(file) for file in found.files):
                self._to_check.add(path)  # it has changed meanwhile
                await asyncio.sleep(min(LONGEST_PAUSE, PAUSE + self._took))
                continue
            if path in self.project.open:
                self.checked[path] = found
            self._publish()

    def findings(self) -> dict[Path, list[Diagnostic]]:
        """What has been found in each file by the checks of all open documents, each thing once."""
        found: dict[Path, list[Diagnostic]] = {}
        for checked in self.checked.values():
            for path, each in checked.found.items():
                known = {(one.code, one.span and one.span.start, one.message) for one in found.get(path, ())}
                new = [one for one in each if (one.code, one.span and one.span.start, one.message) not in known]
                found.setdefault(path, []).extend(new)
        return found

    def _publish(self) -> None:
        found = self.findings()
        for path in self.shown | found.keys():
            diagnostics = [self.convert.diagnostic(each) for each in found.get(path, ())]
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(self.convert.uri(path), diagnostics))
        self.shown = {path for path, each in found.items() if each}

    def occurrence(self, uri: str, position: types.Position) -> tuple[Path, Index, Occurrence] | None:
        """The place at a position that speaks of a name."""
        document = self.opened(uri)
        index = self.project.index(document[0]) if document else None
        if document is None or index is None or index.source.text != document[1]:
            return None
        found = index.at(self.convert.offset(document[1], position))
        return (document[0], index, found) if found else None

    def places_of(self, found: tuple[Path, Index, Occurrence]) -> dict[Path, list[Span]]:
        """All places that speak of a symbol: in its own file, and in the open documents that import it."""
        path, _, occurrence = found
        symbol = occurrence.symbol
        own = symbol.span.source.file
        places: dict[Path, list[Span]] = {}
        for file in sorted({path, *(self.project.importers(own) if own else ())}):
            index = self.project.index(file)
            spans = {(span.start, span.end): span for span in index.of(symbol)} if index else {}
            if spans:
                places[file] = [spans[key] for key in sorted(spans)]
        return places
