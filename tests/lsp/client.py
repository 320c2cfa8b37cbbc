"""A client that drives `cimspec lsp` as a process, as editors do."""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient

PATIENCE = 60  # seconds; an answer takes a small part of one


class Editor:
    """One server process and the documents that are open in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.client = LanguageClient("test", "1")
        self.shown: dict[str, list[types.Diagnostic]] = {}
        self.versions: dict[str, int] = {}
        self.news = asyncio.Event()
        self.bugs: list[str] = []

        @self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def shown(params: types.PublishDiagnosticsParams) -> None:
            self.shown[params.uri] = list(params.diagnostics)
            self.news.set()

        @self.client.feature(types.WINDOW_LOG_MESSAGE)
        def logged(params: types.LogMessageParams) -> None:
            self.bugs.append(params.message)
            self.news.set()

        self.run(self.client.start_io(sys.executable, "-m", "cimspec", "lsp"))
        snippets = types.ClientCompletionItemOptions(snippet_support=True)
        completion = types.CompletionClientCapabilities(completion_item=snippets)
        document = types.TextDocumentClientCapabilities(
            completion=completion, rename=types.RenameClientCapabilities(prepare_support=True)
        )
        capabilities = types.ClientCapabilities(text_document=document)
        params = types.InitializeParams(capabilities=capabilities, root_uri=folder.as_uri())
        self.server = self.run(self.client.initialize_async(params))
        self.client.initialized(types.InitializedParams())

    def run(self, what: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(what, PATIENCE))

    def close(self) -> int | None:
        """Shut the server down; its exit code."""
        self.run(self.client.shutdown_async(None))
        self.client.exit(None)
        process = self.client._server
        self.run(self.client.stop())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
        return process.returncode

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def open(self, name: str, text: str, *, saved: bool = True) -> None:
        if saved:
            (self.folder / name).write_text(text, encoding="utf-8")
        self.versions[name] = 1
        item = types.TextDocumentItem(self.uri(name), "cim", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def change(self, name: str, text: str) -> None:
        self.versions[name] += 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self.versions[name], self.uri(name)),
                [types.TextDocumentContentChangeWholeDocument(text)],
            )
        )

    def shut(self, name: str) -> None:
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(self.document(name)))

    def document(self, name: str) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(self.uri(name))

    def diagnostics(self, name: str, until: Callable[[list[types.Diagnostic]], bool]) -> list[types.Diagnostic]:
        """What is shown in a file, once it is as awaited."""

        async def wait() -> list[types.Diagnostic]:
            while not (self.uri(name) in self.shown and until(self.shown[self.uri(name)])):
                self.news.clear()
                await self.news.wait()
                assert not self.bugs, self.bugs[0]
            return self.shown[self.uri(name)]

        return self.run(wait())

    def ask(self, request: str, name: str, at: types.Position, **more: Any) -> Any:
        """The answer to a request about a position."""
        method = getattr(self.client, f"text_document_{request}_async")
        params = getattr(types, f"{request.removesuffix('s').capitalize()}Params")
        return self.run(method(params(text_document=self.document(name), position=at, **more)))


def marked(text: str) -> tuple[str, types.Position]:
    """A text without its `|`, and where that was."""
    at = text.index("|")
    before = text[:at]
    column = len(before.rpartition("\n")[2].encode("utf-16-le")) // 2
    return before + text[at + 1 :], types.Position(before.count("\n"), column)


def texts_at(text: str, places: list[types.Location] | list[types.TextEdit]) -> list[str]:
    """The stretches of a text that ranges stand for, without characters that take two units."""
    lines = text.split("\n")
    found = []
    for each in places:
        start, end = each.range.start, each.range.end
        assert start.line == end.line
        found.append(lines[start.line][start.character : end.character])
    return found


def edited(text: str, edits: list[types.TextEdit]) -> str:
    """A text after edits."""
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    starts.append(len(text))

    def offset(position: types.Position) -> int:
        return min(starts[min(position.line, len(starts) - 1)] + position.character, len(text))

    for each in sorted(edits, key=lambda edit: -offset(edit.range.start)):
        text = text[: offset(each.range.start)] + each.new_text + text[offset(each.range.end) :]
    return text
