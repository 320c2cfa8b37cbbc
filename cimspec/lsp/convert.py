"""Our findings in the words of the protocol. Loaded with pygls, like `server`."""

from collections.abc import Sequence
from pathlib import Path

from lsprotocol import types

from cimspec.diag import Diagnostic, Fix, Severity, Source, Span
from cimspec.lsp.check import is_about_a_fragment
from cimspec.lsp.describing import message_of
from cimspec.lsp.entries import Entry
from cimspec.lsp.pages import page_of
from cimspec.lsp.positions import Positions
from cimspec.lsp.proposal import Proposal, ProposalKind

COMPLETION_KINDS = {
    ProposalKind.FIELD: types.CompletionItemKind.Field,
    ProposalKind.BLOCK: types.CompletionItemKind.Struct,
    ProposalKind.OPTION: types.CompletionItemKind.EnumMember,
    ProposalKind.UNIT: types.CompletionItemKind.Unit,
    ProposalKind.KEYWORD: types.CompletionItemKind.Keyword,
    ProposalKind.LAYER: types.CompletionItemKind.Class,
    ProposalKind.NAME: types.CompletionItemKind.Reference,
    ProposalKind.FUNCTION: types.CompletionItemKind.Function,
    ProposalKind.VALUE: types.CompletionItemKind.Constant,
    ProposalKind.FILE: types.CompletionItemKind.File,
}
SYMBOL_KINDS = {
    "let": types.SymbolKind.Constant,
    "data": types.SymbolKind.File,
    "chip": types.SymbolKind.Class,
    "model": types.SymbolKind.Module,
    "block": types.SymbolKind.Function,
    "repeat": types.SymbolKind.Array,
    "layer": types.SymbolKind.Object,
    "part": types.SymbolKind.Struct,
}
SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
}


class Converter:
    """Converts for one client: its way to count columns, its names for files."""

    def __init__(self, encoding: str, uris: dict[Path, str]) -> None:
        self._encoding = encoding
        self._uris = uris
        self._last: tuple[str, Positions] | None = None

    def uri(self, path: Path) -> str:
        """The name of a file: as the client wrote it, if it did."""
        return self._uris.get(path) or path.as_uri()

    def positions(self, text: str) -> Positions:
        """The positions of a text; those of the last one are kept."""
        if self._last is None or self._last[0] is not text:
            self._last = text, Positions(text, self._encoding)
        return self._last[1]

    def offset(self, text: str, position: types.Position) -> int:
        """The offset of a position."""
        return self.positions(text).offset(position.line, position.character)

    def range(self, text: str, start: int, end: int) -> types.Range:
        """The range from one offset to another."""
        positions = self.positions(text)
        return types.Range(types.Position(*positions.place(start)), types.Position(*positions.place(end)))

    def location(self, span: Span) -> types.Location | None:
        """The place of a span; None for what is no file."""
        path = span.source.file
        return types.Location(self.uri(path), self.range(span.source.text, span.start, span.end)) if path else None

    def diagnostic(self, found: Diagnostic) -> types.Diagnostic:
        """A diagnostic. One without a place stands at the start of the file; fragments are no errors in an editor."""
        span = found.span or Span(Source("", ""), 0, 0)
        related = [
            types.DiagnosticRelatedInformation(location, label.text)
            for label in found.related
            if (location := self.location(label.span))
        ]
        href = page_of(found.code)
        is_hint = is_about_a_fragment(found)
        return types.Diagnostic(
            range=self.range(span.source.text, span.start, span.end),
            message=message_of(found),
            severity=types.DiagnosticSeverity.Information if is_hint else SEVERITIES[found.severity],
            code=found.code,
            code_description=types.CodeDescription(href) if href else None,
            source="cimspec",
            related_information=related or None,
        )

    def completion(self, proposal: Proposal, order: int, where: types.Range, *, snippets: bool) -> types.CompletionItem:
        """A proposal that replaces what is at `where`."""
        is_snippet = snippets and "$0" in proposal.text
        text = proposal.text if is_snippet else proposal.text.replace("$0", "")
        return types.CompletionItem(
            label=proposal.label,
            kind=COMPLETION_KINDS[proposal.kind],
            detail=proposal.detail or None,
            documentation=markdown(proposal.documentation) if proposal.documentation else None,
            sort_text=f"{order:04}",
            filter_text=proposal.label,
            insert_text_format=types.InsertTextFormat.Snippet if is_snippet else types.InsertTextFormat.PlainText,
            text_edit=types.TextEdit(where, text),
        )

    def symbol(self, entry: Entry) -> types.DocumentSymbol:
        """An entry of the outline."""
        text = entry.span.source.text
        return types.DocumentSymbol(
            name=entry.name,
            kind=SYMBOL_KINDS.get(entry.kind, types.SymbolKind.Namespace),
            detail=entry.detail,
            range=self.range(text, entry.start, max(entry.end, entry.span.end)),
            selection_range=self.range(text, entry.span.start, entry.span.end),
            children=[self.symbol(each) for each in entry.inner],
        )

    def edits(self, spans: Sequence[Span], replacement: str) -> list[types.TextEdit]:
        """The same text for each of these stretches, of one text."""
        return [types.TextEdit(self.range(each.source.text, each.start, each.end), replacement) for each in spans]

    def replaced(self, before: str, after: str) -> list[types.TextEdit]:
        """What changes between two texts as one edit of whole lines; none if nothing does."""
        if before == after:
            return []
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
        same = 0
        while same < min(len(old), len(new)) and old[same] == new[same]:
            same += 1
        tail = 0
        while tail < min(len(old), len(new)) - same and old[-1 - tail] == new[-1 - tail]:
            tail += 1
        start = sum(map(len, old[:same]))
        end = len(before) - sum(map(len, old[len(old) - tail :]))
        return [types.TextEdit(self.range(before, start, end), "".join(new[same : len(new) - tail]))]

    def action(self, found: Diagnostic, path: Path) -> types.CodeAction | None:
        """The change that mends a diagnostic; None if none is known, or if it changes another file."""
        if not found.fixes or any(fix.span.source.file != path for fix in found.fixes):
            return None
        edits = [self._edit(fix) for fix in found.fixes]
        return types.CodeAction(
            title=found.fixes[0].title,
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[self.diagnostic(found)],
            edit=types.WorkspaceEdit(changes={self.uri(path): edits}),
            is_preferred=True,
        )

    def _edit(self, fix: Fix) -> types.TextEdit:
        return types.TextEdit(self.range(fix.span.source.text, fix.span.start, fix.span.end), fix.replacement)


def markdown(text: str) -> types.MarkupContent:
    """A text with marks."""
    return types.MarkupContent(types.MarkupKind.Markdown, text)
