"""Turns diagnostics into text: `full` for people, `concise` for editors, `json` for tools.

Text of the user is shown with tabs expanded and control characters replaced: no file can drive the terminal.
"""

import json
from collections.abc import Iterable
from enum import StrEnum

from cimspec.diag.diagnostic import Diagnostic, Severity
from cimspec.diag.snippet import Paint, clean, snippet


class Format(StrEnum):
    """How diagnostics are written."""

    FULL = "full"
    CONCISE = "concise"
    JSON = "json"


def render(diagnostics: Iterable[Diagnostic], format: Format | str = Format.FULL, color: bool = False) -> str:  # noqa: A002
    """All diagnostics as one text without a final line break."""
    match Format(format):
        case Format.FULL:
            return "\n\n".join(full(found, Paint(color)) for found in diagnostics)
        case Format.CONCISE:
            return "\n".join(concise(found) for found in diagnostics)
        case Format.JSON:
            return json.dumps([as_json(found) for found in diagnostics], indent=2, ensure_ascii=False)


def concise(found: Diagnostic) -> str:
    """`path:line:column: CODE message`, on one line; a warning says that it is one."""
    words = f"{found.code} {clean(found.message)}"
    if found.severity is Severity.WARNING:
        words = f"warning: {words}"
    if found.span is None:
        return words
    return f"{clean(found.span.source.name)}:{found.span.line}:{found.span.column}: {words}"


def as_json(found: Diagnostic) -> dict[str, object]:
    """The diagnostic as plain data; without a place, the fields of the place are null."""
    span = found.span
    return {
        "code": found.code,
        "severity": found.severity.value,
        "message": found.message,
        "file": span.source.name if span else None,
        "line": span.line if span else None,
        "column": span.column if span else None,
        "end_line": span.end_line if span else None,
        "end_column": span.end_column if span else None,
        "label": found.label,
        "related": [
            {
                "file": each.span.source.name,
                "line": each.span.line,
                "column": each.span.column,
                "text": each.text,
            }
            for each in found.related
        ],
        "notes": list(found.notes),
        "help": found.help,
        "fixes": [
            {
                "file": each.span.source.name,
                "line": each.span.line,
                "column": each.span.column,
                "end_line": each.span.end_line,
                "end_column": each.span.end_column,
                "replacement": each.replacement,
                "title": each.title,
            }
            for each in found.fixes
        ],
    }


def full(found: Diagnostic, paint: Paint) -> str:
    """The message, the lines it speaks of with carets below, then notes and help."""
    style = "bold red" if found.severity is Severity.ERROR else "bold yellow"
    lines = [paint(f"{found.severity}[{found.code}]", style) + paint(f": {clean(found.message)}", "bold")]
    spans = [each.span for each in found.related] + ([found.span] if found.span else [])
    gutter = max((len(str(span.line)) for span in spans), default=1) + 1
    if found.span:
        lines += snippet(found.span, found.label or "", "-->", "^", style, gutter, paint)
    for each in found.related:
        lines += snippet(each.span, each.text, ":::", "-", "blue", gutter, paint)
    equals = " " * (gutter + 1) + paint("=", "blue")
    lines += [f"{equals} note: {clean(note)}" for note in found.notes]
    if found.help:
        lines.append(f"{equals} help: {clean(found.help)}")
    return "\n".join(lines)
