"""Corrections that need to know what is corrected: units, ranges, paths. Only where nothing else can be meant."""

from collections.abc import Iterable

from cimspec.diag import Diagnostics, Fix, Span, respelled, written_instead
from cimspec.lang import Range, Word

MICRO = {0xB5: "u", 0x3BC: "u"}  # the micro sign and the Greek letter
LONG = 5  # letters of units that are words
SHORT = 3  # fewer can be those of two units that differ in case: `Mm`, `mm`


def meant_unit(written: str, known: Iterable[str], diagnostics: Diagnostics) -> str | None:
    """The unit that was probably meant."""
    return diagnostics.did_you_mean(written.translate(MICRO), known)


def unit_fixes(unit: Word, meant: str | None) -> tuple[Fix, ...]:
    """The fix of a misspelled unit; none where another unit could be meant: `fs` by `s`, `kB` by `KiB`."""
    written = unit.text.translate(MICRO)
    if meant is None:
        return ()
    is_stuttered = len(written) > len(meant) and set(written) == set(meant)  # `uss`
    is_other_case = written.lower() == meant.lower() and len(meant) >= SHORT and meant.isalpha()
    is_plain = written == meant or is_stuttered or is_other_case or len(meant) >= LONG
    return respelled(unit.span, unit.text, meant) if is_plain else ()


def turned(value: Range) -> tuple[Fix, ...]:
    """The fix that turns a range round; none where its ends are not written at its place."""
    low, high, span = value.low.span, value.high.span, value.span
    if low.start != span.start or high.end != span.end or low.end > high.start:
        return ()
    return (written_instead(span, f"{high.text}..{low.text}"),)


def renamed_file(at: Span | None, name: str, meant: str | None) -> tuple[Fix, ...]:
    """The fix that names the file `meant` of the same folder instead of `name`, in a path in quotes."""
    if at is None or meant is None or not at.text.endswith(f'{name}"'):
        return ()
    return (written_instead(at, f'{at.text[: -len(name) - 1]}{meant}"'),)
