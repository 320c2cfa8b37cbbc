"""What the protocol asks -> what the other modules know. Requests are answered from the text as it is."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from cimspec.diag import CimError, Span
from cimspec.lang import Text
from cimspec.lang.format import format_text
from cimspec.lsp.completion import MAX_PROPOSALS, proposals
from cimspec.lsp.convert import markdown
from cimspec.lsp.entries import entries_of
from cimspec.lsp.hover import hover
from cimspec.lsp.place import place_at
from cimspec.lsp.project import target
from cimspec.lsp.rename import objection
from cimspec.lsp.server import CimServer
from cimspec.spec.library import FOLDER, library_names

TRIGGERS = ("=", '"', "/", ".", "(", ",", " ", "[")

KEYWORDS = ("import", "extends", "from", "in", "at", "keep", "require", "minimize", "pareto", "sweep")
SWITCH = 0.001  # seconds after which a check lets a request go on
EXPECTANT = frozenset(("=", ",", *KEYWORDS))
"""Words and signs that something must follow. After others a blank proposes nothing: a return would take it."""


def opened(ls: CimServer, params: types.DidOpenTextDocumentParams) -> None:
    """Take in a document."""
    ls.changed(params.text_document.uri, params.text_document.text)


def changed(ls: CimServer, params: types.DidChangeTextDocumentParams) -> None:
    """Take in the new text of a document."""
    uri = params.text_document.uri
    ls.changed(uri, ls.workspace.get_text_document(uri).source)


def saved(ls: CimServer, params: types.DidSaveTextDocumentParams) -> None:
    """Check once more: other files may have been saved as well."""
    document = ls.opened(params.text_document.uri)
    if document:
        ls.changed(params.text_document.uri, document[1])


def closed(ls: CimServer, params: types.DidCloseTextDocumentParams) -> None:
    """Forget a document."""
    ls.changed(params.text_document.uri, None)


def files_changed(ls: CimServer, params: types.DidChangeWatchedFilesParams) -> None:
    """Check again: files that open documents name may have changed."""
    del params
    ls.files_changed()


def complete(ls: CimServer, params: types.CompletionParams) -> types.CompletionList | None:
    """What can be written at the cursor."""
    document = ls.opened(params.text_document.uri)
    if document is None:
        return None
    path, text = document
    offset = ls.convert.offset(text, params.position)
    place = place_at(text, offset)
    typed = params.context.trigger_character if params.context else None
    if typed == " " and place.last not in EXPECTANT:
        return types.CompletionList(is_incomplete=False, items=[])
    found = proposals(place, path, ls.project)
    where = ls.convert.range(text, offset - len(place.word), offset)
    snippets = takes_snippets(ls.client_capabilities)
    items = [ls.convert.completion(each, order, where, snippets=snippets) for order, each in enumerate(found)]
    return types.CompletionList(is_incomplete=len(items) >= MAX_PROPOSALS, items=items)


def takes_snippets(client: types.ClientCapabilities) -> bool:
    """Whether an editor understands where the cursor should stand in what it inserts."""
    completion = client.text_document.completion if client.text_document else None
    return bool(completion and completion.completion_item and completion.completion_item.snippet_support)


def show(ls: CimServer, params: types.HoverParams) -> types.Hover | None:
    """What is said about the word at the cursor."""
    document = ls.opened(params.text_document.uri)
    if document is None:
        return None
    path, text = document
    found = hover(path, ls.convert.offset(text, params.position), ls.project, ls.checked.values())
    return types.Hover(markdown(found[0]), ls.convert.range(text, found[1], found[2])) if found else None


def symbols(ls: CimServer, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
    """The outline of a document."""
    document = ls.opened(params.text_document.uri)
    parsed = ls.project.parsed(document[0]) if document else None
    return [ls.convert.symbol(each) for each in entries_of(parsed.module.file)] if parsed else []


def links(ls: CimServer, params: types.DocumentLinkParams) -> list[types.DocumentLink]:
    """The paths in a document that name files."""
    document = ls.opened(params.text_document.uri)
    if document is None:
        return []
    path, text = document
    return [
        types.DocumentLink(ls.convert.range(text, span.start, span.end), ls.convert.uri(file))
        for span, named in paths_in(ls, path)
        if (file := file_named(path, named.text))
    ]


def definition(ls: CimServer, params: types.DefinitionParams) -> types.Location | None:
    """Where the name at the cursor is given, or the file that the path there names."""
    found = ls.occurrence(params.text_document.uri, params.position)
    if found:
        return ls.convert.location(found[2].symbol.span)
    document = ls.opened(params.text_document.uri)
    if document is None:
        return None
    path, text = document
    offset = ls.convert.offset(text, params.position)
    named = next((each for span, each in paths_in(ls, path) if span.start <= offset <= span.end), None)
    file = file_named(path, named.text) if named else None
    start = types.Position(0, 0)
    return types.Location(ls.convert.uri(file), types.Range(start, start)) if file else None


def references(ls: CimServer, params: types.ReferenceParams) -> list[types.Location]:
    """All places that speak of the name at the cursor."""
    found = ls.occurrence(params.text_document.uri, params.position)
    if found is None:
        return []
    given = found[2].symbol.span
    places = ls.places_of(found)
    return [
        location
        for path, spans in places.items()
        for span in spans
        if params.context.include_declaration or span.start != given.start or path != given.source.file
        if (location := ls.convert.location(span))
    ]


def highlights(ls: CimServer, params: types.DocumentHighlightParams) -> list[types.DocumentHighlight]:
    """The places of the document itself."""
    found = ls.occurrence(params.text_document.uri, params.position)
    if found is None:
        return []
    path, index, _ = found
    spans = ls.places_of(found).get(path, ())
    return [types.DocumentHighlight(ls.convert.range(index.source.text, span.start, span.end)) for span in spans]


def prepare_rename(ls: CimServer, params: types.PrepareRenameParams) -> types.PrepareRenamePlaceholder | None:
    """The name at the cursor, if it can be changed."""
    found = ls.occurrence(params.text_document.uri, params.position)
    if found is None or objection(found[2].symbol, found[2].symbol.name, found[1]):
        return None
    span = found[2].span
    return types.PrepareRenamePlaceholder(ls.convert.range(span.source.text, span.start, span.end), span.text)


def rename(ls: CimServer, params: types.RenameParams) -> types.WorkspaceEdit | None:
    """The changes that give the name at the cursor another form everywhere."""
    found = ls.occurrence(params.text_document.uri, params.position)
    if found is None:
        return None
    places = ls.places_of(found)
    for path in places:
        parsed, index = ls.project.parsed(path), ls.project.index(path)
        if parsed is None or index is None or parsed.has_errors:
            raise JsonRpcInvalidParams(f"mend the errors of {path.name} first: names in them would not be renamed")
        against = objection(found[2].symbol, params.new_name, index)
        if against:
            raise JsonRpcInvalidParams(against)
    edits = {ls.convert.uri(path): ls.convert.edits(spans, params.new_name) for path, spans in places.items()}
    return types.WorkspaceEdit(changes=edits)


def formatted(ls: CimServer, params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
    """The changes that bring a document into its canonical form; none where it has errors, which are shown already."""
    document = ls.opened(params.text_document.uri)
    if document is None:
        return None
    try:
        return ls.convert.replaced(document[1], format_text(document[1]))
    except CimError:
        return None


def actions(ls: CimServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    """What mends the diagnostics in a range."""
    document = ls.opened(params.text_document.uri)
    if document is None:
        return []
    path, text = document
    start, end = (ls.convert.offset(text, each) for each in (params.range.start, params.range.end))
    return [
        action
        for found in ls.findings().get(path, ())
        if found.span and found.span.source.text == text and found.span.start <= end and start <= found.span.end
        if (action := ls.convert.action(found, path))
    ]


def paths_in(ls: CimServer, path: Path) -> Iterator[tuple[Span, Text]]:
    """The texts of a file that may be paths."""
    index = ls.project.index(path)
    yield from index.paths if index else ()


def file_named(importer: Path, text: str) -> Path | None:
    """The file that a path in quotes means: below the folder of its file, or of the library."""
    if text in library_names():
        return (FOLDER / text).resolve()
    found = target(importer.parent, text)
    return found if found.is_relative_to(importer.parent) and found.is_file() else None


QUICK_FIXES = types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
HANDLERS: tuple[tuple[str, Callable[..., Any], Any], ...] = (
    (types.TEXT_DOCUMENT_DID_OPEN, opened, None),
    (types.TEXT_DOCUMENT_DID_CHANGE, changed, None),
    (types.TEXT_DOCUMENT_DID_SAVE, saved, None),
    (types.TEXT_DOCUMENT_DID_CLOSE, closed, None),
    (types.WORKSPACE_DID_CHANGE_WATCHED_FILES, files_changed, None),
    (types.TEXT_DOCUMENT_COMPLETION, complete, types.CompletionOptions(trigger_characters=list(TRIGGERS))),
    (types.TEXT_DOCUMENT_HOVER, show, None),
    (types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, symbols, None),
    (types.TEXT_DOCUMENT_DOCUMENT_LINK, links, None),
    (types.TEXT_DOCUMENT_DEFINITION, definition, None),
    (types.TEXT_DOCUMENT_REFERENCES, references, None),
    (types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT, highlights, None),
    (types.TEXT_DOCUMENT_PREPARE_RENAME, prepare_rename, None),
    (types.TEXT_DOCUMENT_RENAME, rename, types.RenameOptions(prepare_provider=True)),
    (types.TEXT_DOCUMENT_FORMATTING, formatted, None),
    (types.TEXT_DOCUMENT_CODE_ACTION, actions, QUICK_FIXES),
)
"""What is asked, who answers, and what the client is told about it."""


def make_server() -> CimServer:
    """A server with everything it can do."""
    server = CimServer()
    for request, handler, options in HANDLERS:
        server.feature(request, options)(handler)
    return server


def serve() -> None:
    """Serve over stdin and stdout until the client goes."""
    sys.setswitchinterval(SWITCH)
    make_server().start_io()
