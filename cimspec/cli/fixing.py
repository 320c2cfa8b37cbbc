"""Carries out the fixes of diagnostics in the files that they are about."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cimspec.cli.rewriting import BYTE_ORDER_MARK, has_byte_order_mark, rewrite
from cimspec.diag import Diagnostic, Fix, Source, compatible, fixed_text, in_reading_order

MAX_ROUNDS = 10  # mending one mistake may show another: a text that can be parsed is looked at more closely


def fix_files(spec: str, check: Callable[[], Iterable[Diagnostic]]) -> list[str]:
    """Mend a spec and what it imports from its folder and below, as long as `check` finds something to mend there.

    Files of the library stay as they are, and so does what is no file. Returns what was done, a line for each change.
    Raises `CimError` (CIM903) where a file cannot be written.
    """
    done: list[str] = []
    for _ in range(MAX_ROUNDS):
        changes = _carried_out(check(), Path(spec).resolve().parent)
        if not changes:
            break
        done += changes
    return done


def _carried_out(diagnostics: Iterable[Diagnostic], folder: Path) -> list[str]:
    """Write the files that have fixes; what was changed."""
    by_file: dict[Path, list[Fix]] = {}
    for found in in_reading_order(diagnostics):
        for fix in found.fixes:
            file = fix.span.source.file
            if file is not None and may_be_changed(file, folder):
                by_file.setdefault(file, []).append(fix)
    return [line for file, fixes in by_file.items() for line in _fixed(file, compatible(fixes))]


def _fixed(file: Path, fixes: Sequence[Fix]) -> list[str]:
    """Write one file; what was changed in it."""
    source: Source = fixes[0].span.source
    mark = BYTE_ORDER_MARK if has_byte_order_mark(file) else ""
    if file.read_bytes() != (mark + source.text).encode():
        return []  # somebody else is writing it
    rewrite(file, mark + fixed_text(source.text, fixes))
    return [f"{source.name}:{fix.span.line}:{fix.span.column}: {fix.title}" for fix in fixes]


def may_be_changed(file: Path, folder: Path) -> bool:
    """Whether a file is in `folder` or below, and none of the library."""
    from cimspec.spec.library import FOLDER

    return file.is_relative_to(folder) and not file.is_relative_to(FOLDER.resolve())
